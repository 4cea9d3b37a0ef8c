"""LoRA: it starts as the frozen encoder, trains A and B alone, and merges into plain layers."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from mlm_course.models import Encoder, EncoderConfig, MaskedLM, seeded_init
from mlm_course.models.heads import SequenceClassifier
from mlm_course.models.lora import LoRALinear, add_lora, merge_lora

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
    layer = LoRALinear(nn.Linear(5, 4), rank=2, alpha=6.0)
    nn.init.ones_(layer.B)
    x = torch.randn(3, 5, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(
        layer(x) - layer.linear(x), 3 * (x @ layer.A.T).sum(1)[:, None].expand(3, 4)
    )


@pytest.mark.parametrize(
    ("call", "kind", "says"),
    [
        (lambda e: add_lora(seeded_init(MaskedLM, CONFIG)), TypeError, "not to MaskedLM"),
        (lambda e: add_lora(add_lora(e)), ValueError, "already"),
        (merge_lora, ValueError, "no LoRA"),
        (lambda e: add_lora(e, rank=0), ValueError, "rank"),
        (lambda e: add_lora(e, alpha=0), ValueError, "alpha"),
    ],
)
def test_what_makes_no_sense_is_said(encoder, call, kind, says):
    with pytest.raises(kind, match=says):
        call(encoder)
