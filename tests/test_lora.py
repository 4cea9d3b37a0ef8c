"""LoRA: it starts as the frozen encoder, trains A and B alone, and merges into plain layers."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from mlm_course.models import Encoder, EncoderConfig, MaskedLM, seeded_init
from mlm_course.models.encoder import with_dropout
from mlm_course.models.heads import SequenceClassifier
from mlm_course.models.lora import LoRALinear, add_lora, merge_lora
from mlm_course.models.storage import save_model

CONFIG = EncoderConfig(vocab_size=30, max_length=12, d_model=16, n_layers=2, n_heads=2)
IDS = torch.randint(5, 30, (6, 9), generator=torch.Generator().manual_seed(1))


@pytest.fixture
def encoder():
    return seeded_init(Encoder, CONFIG).eval()


def trained(encoder, steps=5):
    """A head on a copy of the encoder with LoRA, after some steps."""
    head = SequenceClassifier(encoder, 2)
    add_lora(head.encoder, rank=3)
    optimizer = torch.optim.AdamW([p for p in head.parameters() if p.requires_grad], lr=0.05)
    for _ in range(steps):
        F.cross_entropy(head(IDS), IDS[:, 0] % 2).backward()
        optimizer.step()
        optimizer.zero_grad()
    return head.eval()


def test_it_starts_as_the_frozen_encoder(encoder):
    before = encoder(IDS)
    assert torch.equal(add_lora(encoder)(IDS), before)


def test_only_a_b_and_the_head_are_trained(encoder):
    head, before = trained(encoder), encoder.state_dict()
    names = {name for name, p in head.named_parameters() if p.requires_grad}
    assert {name.rsplit(".", 1)[1] for name in names} == {"A", "B", "weight", "bias"}
    assert {name for name in names if name[-1] not in "AB"} == {"output.weight", "output.bias"}
    for name, value in head.encoder.state_dict().items():
        if name[-1] not in "AB":
            assert torch.equal(value, before[name.replace(".linear.", ".")]), name
    assert len(names) == 2 + 2 * 4 * CONFIG.n_layers
    assert all(p.any() for name, p in head.named_parameters() if name.endswith(".B"))


def test_merged_weights_answer_the_same_and_have_the_encoders_names(encoder):
    head = trained(encoder)
    before = head(IDS)
    merge_lora(head.encoder)
    torch.testing.assert_close(head(IDS), before)
    assert head.encoder.state_dict().keys() == encoder.state_dict().keys()
    assert all(p.requires_grad for p in head.parameters())
    changed = head.encoder.blocks[0].attention.qkv.weight - encoder.blocks[0].attention.qkv.weight
    assert torch.linalg.matrix_rank(changed, rtol=1e-3) == 3


def test_alpha_and_rank_set_the_scale():
    layer = LoRALinear(nn.Linear(5, 4), 2, 6.0, torch.Generator())
    nn.init.ones_(layer.B)
    x = torch.randn(3, 5, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(
        layer(x) - layer.linear(x), 3 * (x @ layer.A.T).sum(1)[:, None].expand(3, 4)
    )


def frozen_with_lora(encoder):
    head = SequenceClassifier(encoder, 2, frozen=True)
    add_lora(head.encoder)
    return head


def test_a_frozen_head_with_lora_still_answers_where_nothing_is_trained(encoder):
    with torch.no_grad():
        assert frozen_with_lora(encoder)(IDS).shape == (6, 2)


def test_no_two_layers_of_any_two_seeds_have_the_same_matrix():
    encoders = [add_lora(seeded_init(Encoder, CONFIG), seed=seed) for seed in range(3)]
    drawn = [p for e in encoders for name, p in e.named_parameters() if name.endswith(".A")]
    firsts = {round(p[0, 0].item() * p.shape[1] ** 0.5, 5) for p in drawn}
    assert len(firsts) == len(drawn) == 3 * 4 * CONFIG.n_layers


@pytest.mark.parametrize(
    ("call", "kind", "says"),
    [
        (
            lambda e: add_lora(seeded_init(MaskedLM, CONFIG)),
            TypeError,
            "not MaskedLM: .* pass its .encoder",
        ),
        (lambda e: add_lora(add_lora(e)), ValueError, "already"),
        (merge_lora, ValueError, "no LoRA"),
        (lambda e: add_lora(e, rank=0), ValueError, "rank"),
        (lambda e: add_lora(e, alpha=0), ValueError, "alpha"),
        (lambda e: add_lora(e, seed=0.5), TypeError, "seed must be an integer"),
        (lambda e: SequenceClassifier(add_lora(e), 2), ValueError, r"add_lora\(head\.encoder\)"),
        (lambda e: frozen_with_lora(e)(IDS), ValueError, "head is frozen, but its encoder"),
        (lambda e: with_dropout(add_lora(e), 0.1), ValueError, "merge_lora of the encoder"),
        (
            lambda e: save_model(add_lora(e), "x.safetensors"),
            ValueError,
            "merge_lora of the encoder",
        ),
        (lambda e: save_model(trained(e, 0), "x.safetensors"), ValueError, "merge_lora of the"),
    ],
)
def test_what_makes_no_sense_is_said(encoder, call, kind, says):
    with pytest.raises(kind, match=says):
        call(encoder)
