"""The recorded experiments of lesson 9, and the images that come from the hub."""

from dataclasses import replace

import pytest
import torch

from mlm_course.corpora import hub_images
from mlm_course.corpora.images import digits, mnist
from mlm_course.experiments import image_choices, mnist_labels, mnist_mae
from mlm_course.experiments import image_mae as experiment
from mlm_course.hub import HubUnreachable
from mlm_course.models import ImageMAE, load_pretrained, seeded_init
from mlm_course.models.image_mae import patchify, random_masking
from mlm_course.results import recorded


@pytest.fixture(scope="module")
def model():
    return seeded_init(ImageMAE, experiment.CONFIG)


def test_the_marks_without_a_model():
    """The mean image is known to lie near .073; a linear guess has to be better at both ratios."""
    errors = experiment.without_a_model()
    assert errors["mean image"]["0.75"] == pytest.approx(0.073, abs=0.002)
    for ratio in ("0.5", "0.75"):
        assert errors["linear"][ratio] < 0.8 * errors["mean image"][ratio]
    assert errors["linear"]["0.5"] < errors["linear"]["0.75"]


def test_a_linear_guess_leaves_what_is_visible_and_finds_what_is_linear():
    g = torch.Generator().manual_seed(0)
    mixed = torch.randn(2000, 2, generator=g) @ torch.randn(2, 6, generator=g)  # (N, 6), rank 2
    spread = torch.cov(mixed.T) + 1e-6 * torch.eye(6)
    image = mixed[0].reshape(3, 2)
    removed = torch.tensor([False, True, True])
    guess = experiment.linear_guess(image * ~removed[:, None], removed, spread)
    assert torch.equal(guess[0], image[0])
    assert torch.allclose(guess, image, atol=1e-2)  # two visible numbers determine the rest


def test_errors_look_at_removed_patches_only(model, monkeypatch):
    before = experiment.errors(model)
    real = ImageMAE.forward

    def spoilt(self, images, ratio, noise):
        reconstruction = real(self, images, ratio, noise)
        far_off = reconstruction.patches + 9 * (1 - reconstruction.mask[..., None])
        return reconstruction._replace(patches=far_off)

    monkeypatch.setattr(ImageMAE, "forward", spoilt)
    assert experiment.errors(model) == before


def test_a_probe_reads_what_is_linear():
    """Labels written into the features are read; noise is not."""
    data = experiment.data()
    written = torch.nn.functional.one_hot(data.train_labels, 10).float()
    held_out = torch.nn.functional.one_hot(data.test_labels, 10).float()
    assert experiment.probe(written, held_out, labels=300) == 1.0
    g = torch.Generator().manual_seed(0)
    blind = [torch.randn(len(labels), 10, generator=g) for labels in (written, held_out)]
    assert experiment.probe(*blind, labels=300) < 0.3


def test_mask_tokens_in_the_encoder_cost_more(model):
    everything = experiment.MaskTokensInEncoder
    assert experiment.gigaflops(everything, 2) > 1.3 * experiment.gigaflops(images=2)


@pytest.mark.slow
def test_a_run_returns_what_the_lesson_prints(monkeypatch):
    monkeypatch.setattr(experiment, "RECIPE", replace(experiment.RECIPE, steps=2, batch_size=8))
    monkeypatch.setattr(experiment, "LABELS", (60, 80))
    rerun = experiment.run()
    record = recorded("image_mae")
    for part in ("digits", "probes"):
        assert set(rerun[part]) <= set(record[part])


def test_the_record_keeps_its_promises():
    """The bars of lesson 9, and what it says in words."""
    record = recorded("image_mae")
    long = record["digits"]
    assert long["errors"]["0.75"] <= 0.040 and long["errors"]["0.5"] <= 0.033
    assert long["seconds"] <= 120
    for ratio, error in long["errors"].items():
        assert error < long["without a model"]["linear"][ratio]
    probes = record["probes"]
    assert probes["raw pixels"]["1438"] >= probes["trained encoder"]["1438"] - 0.01
    assert probes["untrained encoder"]["1438"] < probes["trained encoder"]["1438"] - 0.03
    assert probes["raw pixels"]["100"] == pytest.approx(probes["trained encoder"]["100"], abs=0.02)


# MNIST: the shipped model, labels, choices


@pytest.mark.slow
def test_mnist_is_the_same_at_every_call_and_split():
    first, again = mnist(), mnist()
    assert all(map(torch.equal, first, again))
    assert first.train.shape == (4000, 1, 28, 28) and first.test.shape == (1000, 1, 28, 28)
    assert first.train.min() == 0 and first.train.max() == 1
    labels = torch.cat([first.train_labels, first.test_labels])
    assert labels.bincount().tolist() == [500] * 10
    both = {image.numpy().tobytes() for image in first.train}
    assert not any(image.numpy().tobytes() in both for image in first.test)


def test_the_shipped_model_restores_as_recorded():
    model, words = load_pretrained(mnist_mae.NAME)
    record = recorded("mnist_mae")
    answer = mnist_mae.answers(model)
    assert words == () and model.config == mnist_mae.CONFIG
    assert mnist_mae.error(answer) == pytest.approx(record["errors"]["the model"]["0.75"], abs=2e-4)
    assert record["errors"]["the model"]["0.75"] < 0.5 * record["errors"]["mean image"]["0.75"]
    read = record["read correctly"]
    assert read["mean image"] + 0.2 < read["restored"] < read["whole"]


def test_labelled_digits_are_drawn_in_equal_numbers():
    chosen = mnist_labels.drawn(50, seed=3)
    assert len(set(chosen.tolist())) == 50
    assert mnist().train_labels[chosen].bincount().tolist() == [5] * 10
    assert torch.equal(chosen, mnist_labels.drawn(50, seed=3))
    assert not torch.equal(chosen, mnist_labels.drawn(50, seed=4))


def test_a_classifier_learns_with_its_encoder_but_not_its_decoder(monkeypatch):
    mae = seeded_init(ImageMAE, mnist_mae.CONFIG, 1)
    before = {name: p.clone() for name, p in mae.named_parameters()}
    recipe = replace(mnist_labels.RECIPE, steps=2, warmup=0, seed=1)
    scores = mnist_labels.learnt(mae, 50, recipe)
    assert 0 <= scores["accuracy"] <= 1
    unused = ("to_decoder", "decoder", "to_pixels", "mask_token")
    for name, p in mae.named_parameters():
        assert torch.equal(p, before[name]) == name.startswith(unused), name


def test_samplings_remove_three_quarters_each_in_its_way():
    noise = torch.rand(40, 16, generator=torch.Generator().manual_seed(0))
    x = torch.zeros(40, 16, 1)
    grid = random_masking(x, 0.75, image_choices.moving_grid(noise)).mask.view(-1, 4, 4)
    block = random_masking(x, 0.75, image_choices.one_block(noise)).mask.view(-1, 4, 4)
    assert (grid.sum((1, 2)) == 12).all() and (block.sum((1, 2)) == 12).all()
    stays = 1 - grid
    assert (
        stays[:, :2, :2].sum((1, 2)) == 1
    ).all()  # one in each square of four, at the same place
    assert torch.equal(stays[:, :2, :2], stays[:, 2:, 2:])
    assert len(stays.unique(dim=0)) == 4
    for gone in block:  # the rest lies outside a block: every row of the removed is one run
        runs = [(row.diff() > 0).sum() + row[0] for row in gone if row.any()]
        assert all(run == 1 for run in runs)


def test_choices_are_scored_alike(monkeypatch):
    monkeypatch.setattr(
        image_choices, "RECIPE", replace(image_choices.RECIPE, steps=1, batch_size=8)
    )
    for question in image_choices.RIVALS:
        for run in image_choices.rivals(question).values():
            assert set(run(1.0, 1)) == {"error", "probe"}


class Picture:
    """What numpy can read, as Pillow's images are."""

    def __init__(self, *shape):
        self.shape = shape

    def __array__(self, dtype=None, copy=None):
        return torch.full(self.shape, 255, dtype=torch.uint8).numpy()


@pytest.mark.parametrize(("name", "shape"), [("mnist", (28, 28)), ("cifar10", (32, 32, 3))])
def test_images_from_the_hub(name, shape, monkeypatch):
    column = hub_images.KNOWN_IMAGES[name].column
    rows = [{column: Picture(*shape), "label": k} for k in range(3)]
    monkeypatch.setattr(hub_images, "rows_from_hub", lambda *_, **__: rows)
    data = hub_images.load_images(name, n=3)
    channels = shape[2] if len(shape) == 3 else 1
    assert data.images.shape == (3, channels, *shape[:2]) and (data.images == 1).all()
    assert data.labels.tolist() == [0, 1, 2]


def test_without_the_hub_the_digits_take_its_place(monkeypatch, capsys):
    def fail(*_, **__):
        raise HubUnreachable("the hub cannot be reached")

    monkeypatch.setattr(hub_images, "rows_from_hub", fail)
    data = hub_images.load_images("mnist", n=5)
    assert torch.equal(data.images, digits().train[:5]) and len(data.labels) == 5
    assert "the hub cannot be reached" in capsys.readouterr().out
    assert patchify(data.images, 2).shape == (5, 16, 4)


@pytest.mark.parametrize(("name", "n"), [("imagenet", 10), ("mnist", 0)])
def test_wrong_requests_for_images(name, n):
    with pytest.raises(ValueError, match="must be"):
        hub_images.load_images(name, n=n)
