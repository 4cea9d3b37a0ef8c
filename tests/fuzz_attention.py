"""Right arguments and oracles for what `mlm_course.attention` offers."""

import math

import torch
from fuzzing import Target

from mlm_course import attention


def draw_scores(rng):
    T, D, S = (rng.randint(1, 5) for _ in range(3))
    return {"q": torch.randn(2, T, D), "k": torch.randn(2, S, D)}


def is_scaled_product(answer, q, k):
    assert q.shape[-1] == k.shape[-1] and q.shape[-1] > 0
    expected = torch.einsum("...td,...sd->...ts", q.double(), k.double()) / math.sqrt(q.shape[-1])
    torch.testing.assert_close(answer.double(), expected, rtol=2e-2, atol=2e-2, equal_nan=True)


TARGETS = [
    Target(attention.attention_scores, draw_scores, is_scaled_product),
]
WITHOUT_ORACLE: dict[str, str] = {}  # title: why nothing can be compared with
NOT_FUZZED: dict[str, str] = {}  # name: why (a constant type, a Protocol)
