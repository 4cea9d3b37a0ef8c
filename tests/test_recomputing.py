"""Activation checkpointing: the same numbers to the last bit, and less kept for the backward pass."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from mlm_course.corpora.tinyworld import masker, sentences, vocabulary
from mlm_course.corruption import DynamicMasking
from mlm_course.models import EncoderConfig, MaskedLM, seeded_init
from mlm_course.training import Recipe, fit, masked_lm_loss, recomputing

pytestmark = pytest.mark.usefixtures("on_one_cpu_thread")
CONFIG = EncoderConfig(len(vocabulary()), 26, d_model=32, n_layers=4, n_heads=2, dropout=0.1)
BATCH = masker(0.4)(sentences(16, 0), torch.Generator().manual_seed(0))


def model():
    return seeded_init(MaskedLM, CONFIG).train()


def kept_bytes(model):
    kept = {}

    def note(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        loss = masked_lm_loss(model, BATCH)[0]
    for parameter in model.parameters():
        kept.pop(parameter.data_ptr(), None)
    del loss
    return sum(kept.values())


def gradients(model):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)  # of dropout
        masked_lm_loss(model, BATCH)[0].backward()
    return [p.grad for p in model.parameters()]


def test_gradients_are_the_same_to_the_last_bit_dropout_included():
    usual, saving = model(), model()
    expected = gradients(usual)
    with recomputing(saving):
        assert all(map(torch.equal, gradients(saving), expected))


def test_a_block_keeps_its_input_alone():
    usual = kept_bytes(model())
    with recomputing(saving := model()):
        less = kept_bytes(saving)
    entered = BATCH.input_ids.numel() * CONFIG.d_model * 4  # bytes that go into a block
    assert usual > 3 * less
    deeper = replace(CONFIG, n_layers=5)
    with recomputing(one_more := seeded_init(MaskedLM, deeper).train()):
        assert kept_bytes(one_more) - less == pytest.approx(entered, rel=0.01)


def test_blocks_are_as_they_were_afterwards_also_after_an_error():
    some = model()
    with pytest.raises(ZeroDivisionError), recomputing(some):
        assert "forward" in vars(some.encoder.blocks[0])
        1 / 0  # noqa: B018
    assert not any("forward" in vars(module) for module in some.modules())
    with pytest.raises(ValueError, match="Linear has no blocks"), recomputing(nn.Linear(2, 2)):
        pass


def test_a_training_has_the_same_losses_and_weights_and_may_go_on_either_way(tmp_path):
    data = DynamicMasking(masker(0.4), sentences(64, 0), seed=0)
    recipe = Recipe(steps=6, batch_size=16, schedule="constant", optimizer="adamw", accumulate=2)
    ends = []
    for saves in (False, True):
        some = model()
        ends.append((fit(some, data, masked_lm_loss, replace(recipe, recompute=saves)), some))
        assert not any("forward" in vars(module) for module in some.modules())
    (one, usual), (other, saving) = ends
    assert one.losses == other.losses and one.losses[0] > one.losses[-1]
    assert all(map(torch.equal, usual.parameters(), saving.parameters()))
    resumed = model()
    for steps, saves in ((3, True), (6, False)):
        part = replace(recipe, steps=steps, recompute=saves, warmup=0)
        history = fit(resumed, data, masked_lm_loss, part, folder=tmp_path)
    whole = fit(model(), data, masked_lm_loss, replace(recipe, warmup=0))
    assert history.losses == whole.losses
