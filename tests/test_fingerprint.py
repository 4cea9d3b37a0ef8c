"""A run is known by all that decides what comes out of it: `fit` never answers with another's result."""

import json
import os
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

import mlm_course.training.fingerprint as fingerprint
from mlm_course.corruption import (
    MASK_ONLY,
    STRATEGIES,
    DynamicMasking,
    Masker,
    StaticMasking,
    choose_fixed_count,
)
from mlm_course.models import EncoderConfig, ImageMAE, ImageMAEConfig, MaskedLM
from mlm_course.models.image_mae import StackConfig
from mlm_course.tokenization import MASK_ID, SPECIAL_IDS
from mlm_course.training import (
    GapRows,
    MaskedImages,
    Recipe,
    fit,
    masked_lm_loss,
    masked_pixel_loss,
)
from mlm_course.training.datasets import RetroRows

pytestmark = pytest.mark.usefixtures("on_one_cpu_thread")
N, T, V = 64, 10, 30
RECIPE = Recipe(steps=3, batch_size=8, optimizer="adamw")
IDS = torch.randint(5, V, (N, T), generator=torch.Generator().manual_seed(7))
IMAGES = torch.rand(N, 1, 4, 4, generator=torch.Generator().manual_seed(7))
RATIO = 0.3


def masker(**changes):
    return Masker(V, SPECIAL_IDS, MASK_ID, **{"ratio": 0.3} | changes)


def text_model():
    torch.manual_seed(0)
    return MaskedLM(EncoderConfig(V, T, d_model=8, n_layers=1, n_heads=2))


def image_model():
    torch.manual_seed(0)
    stack = StackConfig(d_model=8, n_layers=1)
    return ImageMAE(ImageMAEConfig(4, 4, 2, 1, position_base=10, encoder=stack, decoder=stack))


def changed(tensor, row=-1):
    other = tensor.clone()
    other[row] = other[row].flip(-1) if tensor.is_floating_point() else other[0]
    return other


def refused(folder, model, data, loss, sentence, recipe=RECIPE):
    """That fit refuses all this for a folder, in one sentence, and leaves the folder alone."""
    before = {path: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(ValueError, match=sentence) as caught:
        fit(model(), data, loss, recipe, folder=folder)
    assert "nothing was overwritten" in str(caught.value) and "\n" not in str(caught.value)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


# --- rows and masks


@pytest.fixture(scope="module")
def on_texts(tmp_path_factory):
    """A folder with a run on the texts."""
    folder = tmp_path_factory.mktemp("texts")
    fit(text_model(), DynamicMasking(masker(), IDS, seed=1), masked_lm_loss, RECIPE, folder=folder)
    return folder


OTHER_ROWS = {
    "the last row": (DynamicMasking(masker(), changed(IDS), seed=1), r"data: other rows \(ids\)"),
    "56 of 64 rows": (
        DynamicMasking(masker(), torch.cat([IDS[:8], IDS[8:].flip(1)]), seed=1),
        r"data: other rows \(ids\)",
    ),
    "order": (DynamicMasking(masker(), IDS.flip(0), seed=1), r"data: other rows \(ids\)"),
    "fewer": (DynamicMasking(masker(), IDS[:-1], seed=1), "data: rows is 64 there, 63 here"),
    "seed": (DynamicMasking(masker(), IDS, seed=2), r"\(data: seed is 1 there, 2 here\)"),
    "ratio": (
        DynamicMasking(masker(ratio=0.4), IDS, seed=1),
        r"\(masking: ratio is 0.3 there, 0.4 here\)",
    ),
    "proportions": (
        DynamicMasking(masker(proportions=MASK_ONLY), IDS, seed=1),
        "masking: proportions.mask is 0.8 there, 1.0 here",
    ),
    "strategy": (
        DynamicMasking(masker(choose=choose_fixed_count), IDS, seed=1),
        r"masking: choose is choose_bernoulli there, choose_fixed_count here",
    ),
    "vocabulary": (
        DynamicMasking(Masker(V + 9, SPECIAL_IDS, MASK_ID, ratio=0.3), IDS, seed=1),
        r"masking: ordinary_ids is int64 \(25,\) there, int64 \(34,\) here",
    ),
    "another class": (GapRows(IDS, seed=1), "data: class is DynamicMasking there, GapRows here"),
}


@pytest.mark.parametrize(("data", "sentence"), OTHER_ROWS.values(), ids=OTHER_ROWS)
def test_other_rows_or_masks_are_refused(on_texts, data, sentence):
    refused(on_texts, text_model, data, masked_lm_loss, sentence)


@pytest.mark.parametrize(
    ("first", "second", "sentence"),
    [
        (STRATEGIES["block"], STRATEGIES["fixed count"], "choose_block.* there"),
        (lambda m, r, g: m, lambda m, r, g: ~m & m, "masking: other lines of code"),
    ],
)
def test_strategies_are_told_apart_by_what_they_call(tmp_path, first, second, sentence):
    one, other = (DynamicMasking(masker(choose=f), IDS, seed=1) for f in (first, second))
    fit(text_model(), one, masked_lm_loss, RECIPE, folder=tmp_path)
    refused(tmp_path, text_model, other, masked_lm_loss, sentence)


def test_rows_masked_beforehand_or_twice_are_compared_too(tmp_path):
    def static(seed):
        return StaticMasking(masker(), IDS, 2, torch.Generator().manual_seed(seed))

    fit(text_model(), static(0), masked_lm_loss, RECIPE, folder=tmp_path)
    refused(tmp_path, text_model, static(1), masked_lm_loss, r"data: other rows \(copies\)")
    one, other = (RetroRows(GapRows(IDS, 0), 0, ratio) for ratio in (0.5, 0.6))
    model = text_model()
    about = [fingerprint.describe(model, data, masked_lm_loss, RECIPE) for data in (one, other)]
    assert fingerprint.changed_parts(*about) == ["data: ratio is 0.5 there, 0.6 here"]


@pytest.fixture(scope="module")
def on_images(tmp_path_factory):
    """A folder with a run on images, at the loss's own ratio."""
    folder = tmp_path_factory.mktemp("images")
    fit(image_model(), MaskedImages(IMAGES, 4, 0), masked_pixel_loss, RECIPE, folder=folder)
    return folder


@pytest.mark.parametrize(
    ("data", "loss", "sentence"),
    [
        (MaskedImages(changed(IMAGES), 4, 0), masked_pixel_loss, r"data: other rows \(images\)"),
        (MaskedImages(IMAGES, 4, 1), masked_pixel_loss, "data: seed is 0 there, 1 here"),
        (
            MaskedImages(IMAGES, 4, 0),
            partial(masked_pixel_loss, ratio=0.5),
            r"\(loss: ratio is 0.75 there, 0.5 here\)",
        ),
        (
            MaskedImages(IMAGES, 4, 0),
            masked_lm_loss,
            "loss: function is masked_pixel_loss there, masked_lm_loss here",
        ),
    ],
)
def test_other_images_or_another_loss_are_refused(on_images, data, loss, sentence):
    refused(on_images, image_model, data, loss, sentence)


def test_the_same_run_said_otherwise_is_the_same(on_images):
    loss = partial(masked_pixel_loss, ratio=0.75)  # which is the default
    history = fit(image_model(), MaskedImages(IMAGES.clone(), 4, 0), loss, RECIPE, folder=on_images)
    assert len(history) == 3


# --- a learner's own loss


def weighted(weight):
    def loss(model, batch):
        summed, count = masked_lm_loss(model, batch)
        return weight * summed, count

    return loss


def of_a_global(model, batch):
    summed, count = masked_lm_loss(model, batch)
    return RATIO * summed, count


class Weighted:
    def __init__(self, weight):
        self.weight = weight

    def __call__(self, model, batch):
        return weighted(self.weight)(model, batch)

    def loss(self, model, batch):
        return self(model, batch)


def distilled(model, batch, teacher):
    summed, count = masked_lm_loss(model, batch)
    return summed + 0 * sum(p.sum() for p in teacher.parameters()), count


def teachers():
    return [nn.Linear(2, 2).requires_grad_(False) for _ in range(2)]


PAIRS = {
    "closure": (weighted(1.0), weighted(2.0), "loss: weight is 1.0 there, 2.0 here"),
    "object": (Weighted(1.0), Weighted(2.0), "loss: weight is 1.0 there, 2.0 here"),
    "method": (Weighted(1.0).loss, Weighted(2.0).loss, "loss: self.weight is 1.0 there, 2.0 here"),
    "lambda": (
        lambda model, batch: masked_lm_loss(model, batch, 0.1),
        lambda model, batch: masked_lm_loss(model, batch, 0.2),
        "loss: other lines of code",
    ),
    "weights of words": (
        partial(distilled, teacher=teachers()[0]),
        partial(distilled, teacher=teachers()[1]),
        "loss: other teacher.weights",
    ),
}


@pytest.mark.parametrize(("first", "second", "sentence"), PAIRS.values(), ids=PAIRS)
def test_losses_of_ones_own_are_told_apart(tmp_path, first, second, sentence):
    data = DynamicMasking(masker(), IDS, seed=1)
    fit(text_model(), data, first, RECIPE, folder=tmp_path)
    refused(tmp_path, text_model, data, second, sentence)
    assert len(fit(text_model(), data, first, RECIPE, folder=tmp_path)) == 3


def test_a_global_number_that_the_loss_reads_belongs_to_it(tmp_path, monkeypatch):
    data = DynamicMasking(masker(), IDS, seed=1)
    fit(text_model(), data, of_a_global, RECIPE, folder=tmp_path)
    monkeypatch.setitem(globals(), "RATIO", 0.4)
    refused(tmp_path, text_model, data, of_a_global, "loss: RATIO is 0.3 there, 0.4 here")


def test_what_training_itself_changes_does_not_stop_it_from_going_on(tmp_path):
    seen = []

    def loss(model, batch, calls=[]):  # noqa: B006
        seen.append(len(seen))
        calls.append(1)
        return masked_lm_loss(model, batch)

    class Caching(DynamicMasking):
        def __call__(self, index, epoch):
            self.last = index
            return super().__call__(index, epoch)

    data = Caching(masker(), IDS, seed=1)
    fit(text_model(), data, loss, RECIPE, folder=tmp_path)
    assert len(fit(text_model(), data, loss, RECIPE, folder=tmp_path)) == 3
    assert len(seen) == 3
    refused(tmp_path, text_model, Caching(masker(), IDS, seed=2), loss, "data: seed")


# --- a learner's own rows


class OwnRows:
    """Rows of whatever kind, masked in a learner's own way."""

    def __init__(self, rows, every=3):
        self.rows, self.every = rows, every

    def __len__(self):
        return len(self.rows)

    def __call__(self, index, epoch):
        ids = torch.stack([torch.as_tensor(self.rows[i]) for i in index.tolist()])
        masked = torch.zeros_like(ids, dtype=torch.bool)
        masked[:, :: self.every] = True
        return ids.masked_fill(masked, MASK_ID), ids.masked_fill(~masked, -100), masked


class ObjectRows(OwnRows):
    def __call__(self, index, epoch):
        return OwnRows([row.tolist() for row in self.rows], self.every)(index, epoch)


class OwnWay(OwnRows):
    def __call__(self, index, epoch):
        ids, labels, masked = super().__call__(index, epoch)
        return ids, labels, masked ^ (labels == 7)


class Files:
    """Rows that lie on a disk: nothing of them can be seen but what is asked for."""

    __slots__ = ()
    kept = IDS

    def __len__(self):
        return len(self.kept)

    def __getitem__(self, row):
        return self.kept[row]


ROWS = {
    "tensor": (IDS, changed(IDS)),
    "array": (IDS.numpy(), changed(IDS).numpy()),
    "lists": (IDS.tolist(), changed(IDS).tolist()),
    "tensors": ([*IDS], [*changed(IDS)]),
    "by name": (dict(enumerate(IDS)), dict(enumerate(changed(IDS)))),
    "objects": (np.array(IDS.tolist(), object), np.array(changed(IDS).tolist(), object)),
}


@pytest.mark.parametrize(("first", "second"), ROWS.values(), ids=ROWS)
def test_rows_of_any_kind_are_compared(tmp_path, first, second):
    rows = OwnRows if first is not ROWS["objects"][0] else ObjectRows
    fit(text_model(), rows(first), masked_lm_loss, RECIPE, folder=tmp_path)
    refused(tmp_path, text_model, rows(second), masked_lm_loss, r"data: other rows \(rows\)")
    refused(tmp_path, text_model, rows(first, 2), masked_lm_loss, "every is 3 there, 2 here")
    assert len(fit(text_model(), rows(first), masked_lm_loss, RECIPE, folder=tmp_path)) == 3


def test_rows_that_only_show_when_asked_for_are_asked_for(monkeypatch):
    class Disk:
        def __init__(self):
            self.file = iter(())  # nothing to look into

        def __len__(self):
            return len(Files.kept)

        def __call__(self, index, epoch):
            return Files.kept[index]

    many = torch.arange(3000).view(1000, 3)
    model, loss = text_model(), masked_lm_loss
    about = []
    for row in (None, 501):
        monkeypatch.setattr(Files, "kept", many if row is None else changed(many, row))
        about.append(fingerprint.describe(model, Disk(), loss, RECIPE))
    assert fingerprint.changed_parts(*about) == ["data: the same rows make other batches"]


def test_other_lines_of_a_data_class_show_in_its_batches():
    model = text_model()
    about = [fingerprint.describe(model, rows(IDS), masked_lm_loss, RECIPE)["data"]["batches"]
             for rows in (OwnRows, OwnRows, OwnWay)]  # fmt: skip
    assert about[0] == about[1] != about[2]


@pytest.mark.parametrize("k", [2, 5])
def test_of_much_data_every_kth_row_is_looked_at_and_said_so(tmp_path, monkeypatch, k):
    monkeypatch.setattr(fingerprint, "BUDGET", N * T * 8 // k + 40)
    monkeypatch.setattr(fingerprint, "SMALL", 0)
    monkeypatch.setattr(fingerprint, "PROBED", 1)
    fit(text_model(), OwnRows(IDS), masked_lm_loss, RECIPE, folder=tmp_path)
    sentence = rf"other rows \(rows\), looking at one in {k} rows of the data"
    refused(tmp_path, text_model, OwnRows(changed(IDS, 2 * k)), masked_lm_loss, sentence)


# --- the model


def test_another_model_is_refused_but_not_one_that_is_interrupted(tmp_path):
    """Other sizes, other weights trained, other dropout; weights as they were, or as they are now."""
    data = DynamicMasking(masker(), IDS, seed=1)

    def frozen():
        model = text_model()
        model.encoder.requires_grad_(False)
        return model

    def begun_otherwise():
        model = text_model()
        nn.init.normal_(model.dense.weight, generator=torch.Generator().manual_seed(1))
        return model

    model = text_model()
    fit(model, data, masked_lm_loss, RECIPE, folder=tmp_path)
    refused(tmp_path, frozen, data, masked_lm_loss, "number of weights trained is")
    refused(tmp_path, begun_otherwise, data, masked_lm_loss, "finished run .* other weights")
    assert len(fit(model, data, masked_lm_loss, RECIPE, folder=tmp_path)) == 3  # the cell again


def test_an_unfinished_run_goes_on_whatever_weights_are_given_and_says_so(tmp_path):
    data = DynamicMasking(masker(), IDS, seed=1)

    def stop(model):
        raise InterruptedError

    with pytest.raises(InterruptedError):
        fit(text_model(), data, masked_lm_loss, RECIPE, folder=tmp_path, save_every=1,
            evaluate=stop, evaluate_every=2)  # fmt: skip
    torch.manual_seed(5)
    other, straight = MaskedLM(text_model().config), text_model()
    nn.init.ones_(other.dense.weight)
    with pytest.warns(UserWarning, match="began with other weights .* after step 1, and"):
        fit(other, data, masked_lm_loss, RECIPE, folder=tmp_path)
    fit(straight, data, masked_lm_loss, RECIPE)
    assert all(map(torch.equal, other.parameters(), straight.parameters()))


def test_a_model_without_config_is_known_by_its_modules_numbers():
    one, other = (nn.Sequential(nn.Linear(2, 2), nn.Dropout(p)) for p in (0.1, 0.2))
    about = [fingerprint.describe(m, OwnRows(IDS), masked_lm_loss, RECIPE) for m in (one, other)]
    assert fingerprint.changed_parts(*about) == ["model: 1.p is 0.1 there, 0.2 here"]


# --- how it is done


def test_random_numbers_stay_as_they_were():
    class Noisy(OwnRows):
        def __call__(self, index, epoch):
            return torch.rand(len(index)), np.random.rand(), *super().__call__(index, epoch)

    torch.manual_seed(5)
    np.random.seed(5)
    expected = torch.rand(3), np.random.rand()
    torch.manual_seed(5)
    np.random.seed(5)
    first, second = (
        fingerprint.describe(text_model_of_its_own(), Noisy(IDS), masked_lm_loss, RECIPE)
        for _ in range(2)
    )
    assert first == second
    assert torch.equal(torch.rand(3), expected[0]) and np.random.rand() == expected[1]


def text_model_of_its_own():
    with torch.random.fork_rng([]):
        return text_model()


def test_circles_and_strange_things_end():
    class Strange(OwnRows):
        pass

    data = Strange(IDS)
    data.itself, data.many = data, [data, {1: data}]
    data.tokens, data.lock, data.kind = {"b", "a"}, __import__("threading").Lock(), nn.Linear
    data.gone, data.g = torch.empty(0, 3), torch.Generator()
    model = text_model()
    first = fingerprint.describe(model, data, masked_lm_loss, RECIPE)
    assert first == fingerprint.describe(model, data, masked_lm_loss, RECIPE)
    assert json.loads(json.dumps(first)) == first  # plain values only


def of_words(model, batch):
    return weighted(2.0) if batch in {"p", "q", "r"} else Weighted


def described():
    data = OwnRows(IDS.tolist())
    data.names = {"a", "b", "c", frozenset("xyz")}
    return fingerprint.describe(text_model_of_its_own(), data, of_words, RECIPE)


@pytest.mark.slow
def test_processes_agree():
    """No address, and no order of sets, gets into a description."""
    code = "import json, test_fingerprint as t; print(json.dumps(t.described()))"
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        cwd=os.path.dirname(__file__), env={**os.environ, "PYTHONHASHSEED": "1"},
    ).stdout  # fmt: skip
    assert json.loads(said) == described() and "of_words" in said


def test_a_checkpoint_that_notes_less_is_refused(tmp_path):
    from mlm_course.training.checkpoints import read, write

    data = DynamicMasking(masker(), IDS, seed=1)
    fit(text_model(), data, masked_lm_loss, RECIPE, folder=tmp_path)
    [path] = tmp_path.iterdir()
    state = read(path)
    for part in ("start", "loss"):
        del state["about"][part]
    write(path, state)
    refused(tmp_path, text_model, data, masked_lm_loss, "a run of an earlier version")
