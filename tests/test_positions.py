"""Sinusoidal and rotary positions: against loops, complex numbers and transformers, and what they promise."""

import math
import random

import pytest
import torch

from mlm_course.positions import rotate, rotations, sinusoidal_positions, wave_speeds


def drawn(*shape, seed=0, dtype=torch.float32):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


def turned_by_loops(x, places, base):
    """Number i and number i + D / 2 of each token, turned by hand in float64."""
    D = x.shape[-1]
    answer = x.double().clone()
    for token, place in enumerate(places.tolist()):
        for i in range(D // 2):
            angle = place * base ** (-2 * i / D)
            a, b = x[..., token, i].double(), x[..., token, i + D // 2].double()
            answer[..., token, i] = a * math.cos(angle) - b * math.sin(angle)
            answer[..., token, i + D // 2] = b * math.cos(angle) + a * math.sin(angle)
    return answer


def test_speeds_fall_evenly_in_the_logarithm_from_1():
    speeds = wave_speeds(8, 10_000.0)
    torch.testing.assert_close(speeds, torch.tensor([1, 0.1, 0.01, 0.001]))
    assert wave_speeds(2, 5.0).tolist() == [1.0] and speeds.dtype == torch.float32


def test_sinusoidal_positions_are_sine_and_cosine_in_turn():
    x = sinusoidal_positions(30, 6, base=500.0)
    for place in (0, 1, 17, 29):
        for i in range(3):
            angle = place / 500 ** (2 * i / 6)
            assert x[place, 2 * i].item() == pytest.approx(math.sin(angle), abs=1e-5)
            assert x[place, 2 * i + 1].item() == pytest.approx(math.cos(angle), abs=1e-5)
    assert sinusoidal_positions(0, 4).shape == (0, 4)


def test_products_of_sinusoidal_positions_depend_on_the_distance_only():
    x = sinusoidal_positions(60, 32)
    products = x @ x.T
    for distance in (0, 1, 7, 40):
        diagonal = products.diagonal(distance)
        torch.testing.assert_close(diagonal, diagonal[:1].expand_as(diagonal), atol=1e-4, rtol=0)
    assert not torch.allclose(products.diagonal(1)[0], products.diagonal(7)[0], atol=0.1)


@pytest.mark.parametrize("base", [10.0, 10_000.0])
def test_rotating_is_what_loops_do(base):
    x, places = drawn(2, 3, 5, 8), torch.tensor([0, 1, 2, 9, 40])
    answer = rotate(x, rotations(places, 8, base))
    torch.testing.assert_close(answer.double(), turned_by_loops(x, places, base), atol=1e-5, rtol=0)


def test_rotating_is_multiplying_complex_numbers():
    x, places = drawn(4, 7, 10), torch.arange(7) * 3
    a, b = x.chunk(2, dim=-1)
    angles = places[:, None] * wave_speeds(10)
    product = torch.complex(a, b) * torch.polar(torch.ones_like(angles), angles)
    expected = torch.cat([product.real, product.imag], dim=-1)
    torch.testing.assert_close(rotate(x, rotations(places, 10)), expected, atol=1e-5, rtol=0)


def test_rotating_agrees_with_transformers():
    modernbert = pytest.importorskip("transformers.models.modernbert.modeling_modernbert")
    q, k, places = drawn(2, 3, 6, 8), drawn(2, 3, 6, 8, seed=1), torch.arange(6) + 5
    cos, sin = turn = rotations(places, 8, 160_000.0)
    doubled = [torch.cat([part, part], dim=-1)[None] for part in (cos, sin)]  # (1, T, D)
    theirs = modernbert.apply_rotary_pos_emb(q, k, *doubled)
    for ours, expected in zip((rotate(q, turn), rotate(k, turn)), theirs, strict=True):
        torch.testing.assert_close(ours, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("seed", range(5))
def test_products_of_rotated_vectors_depend_on_the_distance_only(seed):
    rng = random.Random(seed)
    q, k = drawn(1, 16, seed=2 * seed), drawn(1, 16, seed=2 * seed + 1)
    distance = rng.randint(-50, 50)

    def product(place, other):
        turns = (rotations(torch.tensor([where]), 16) for where in (place, other))
        return (rotate(q, next(turns)) * rotate(k, next(turns))).sum().item()

    places = [rng.randint(50, 2000) for _ in range(6)]
    products = [product(place, place + distance) for place in places]
    assert max(products) - min(products) < 2e-3
    if distance:
        assert abs(product(60, 60 + distance) - (q * k).sum().item()) > 2e-3


def test_lengths_are_kept_and_place_0_stays():
    x = drawn(2, 3, 5, 12)
    answer = rotate(x, rotations(torch.arange(5), 12))
    torch.testing.assert_close(answer.norm(dim=-1), x.norm(dim=-1))
    assert torch.equal(answer[..., 0, :], x[..., 0, :])
    assert not torch.allclose(answer[..., 1:, :], x[..., 1:, :])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_the_kind_of_number_stays_and_16_bits_are_turned_in_32(dtype):
    x, turn = drawn(3, 40, 8, dtype=dtype), rotations(torch.arange(40) + 300, 8)
    answer = rotate(x, turn)
    assert answer.dtype == dtype
    assert torch.equal(
        answer, rotate(x.to(torch.promote_types(dtype, torch.float32)), turn).to(dtype)
    )


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, torch.int64])
def test_positions_are_whole_numbers_of_any_kind(dtype):
    turn = rotations(torch.tensor([0, 3, 200], dtype=dtype), 4)
    for part, expected in zip(turn, rotations(torch.tensor([0, 3, 200]), 4), strict=True):
        assert part.dtype == torch.float32 and torch.equal(part, expected)


def test_each_row_may_have_places_of_its_own():
    x, places = drawn(2, 3, 4, 6), torch.tensor([[0, 1, 2, 3], [5, 0, 1, 2]])
    cos, sin = rotations(places, 6)  # (B, T, D / 2)
    answer = rotate(x, (cos[:, None], sin[:, None]))
    for row in range(2):
        assert torch.equal(answer[row], rotate(x[row], rotations(places[row], 6)))


def test_gradients_are_turned_back():
    x, turn = drawn(5, 6).requires_grad_(), rotations(torch.arange(5), 6)
    sent = drawn(5, 6, seed=1)
    rotate(x, turn).backward(sent)
    torch.testing.assert_close(x.grad, rotate(sent, (turn[0], -turn[1])))


TURN = rotations(torch.arange(5), 8)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: wave_speeds(7), "D must be even"),
        (lambda: sinusoidal_positions(4, 3), "D must be even"),
        (lambda: wave_speeds(8, 1.0), "base must be above 1"),
        (lambda: sinusoidal_positions(-1, 4), "T must be from 0"),
        (lambda: rotations(torch.arange(3.0), 4), "positions must hold integers"),
        (lambda: rotations(torch.tensor([0, -1]), 4), "positions must lie between 0"),
        (lambda: rotations(torch.tensor([2**24]), 4), "positions must lie between 0"),
        (lambda: rotate(torch.ones(5, 8, dtype=torch.long), TURN), "x must hold floating-point"),
        (lambda: rotate(torch.ones(5, 6), TURN), "vectors of 6 numbers, the rotations are for 8"),
        (lambda: rotate(torch.ones(4, 8), TURN), r"pass \(T, D / 2\)"),
        (lambda: rotate(torch.ones(5, 8), TURN[0]), "turn must be of type tuple"),
        (lambda: rotate(torch.ones(5, 8), (*TURN, TURN[0])), "two tensors, not 3"),
        (lambda: rotate(torch.ones(5, 8), (TURN[0], TURN[1][:3])), "sines has shape"),
    ],
)
def test_what_does_not_fit_is_refused(call, said):
    with pytest.raises((TypeError, ValueError), match=said):
        call()


def test_places_of_rows_are_not_taken_for_places_of_heads():
    """As many rows as heads: (B, T, D / 2) would broadcast over the heads of (B, H, T, D)."""
    turn = rotations(torch.arange(5).expand(2, 5), 8)
    with pytest.raises(ValueError, match="as many axes as x"):
        rotate(torch.ones(2, 2, 5, 8), turn)
