"""Right arguments and oracles for what `mlm_course.training` offers."""

import copy
import math
import tempfile
from dataclasses import fields
from functools import cache
from pathlib import Path

import torch
from fuzz_diffusion import is_token_nll
from fuzz_evaluation import V, draw_corrupted
from fuzzing import Target
from torch import nn
from torch.nn import functional as F

from mlm_course import training
from mlm_course.attention import causal_mask, visible_mask
from mlm_course.models import (
    Encoder,
    EncoderConfig,
    ImageMAE,
    ImageMAEConfig,
    MaskedLM,
    RetroMAE,
    Seq2Seq,
    Seq2SeqConfig,
    StackConfig,
    seeded_init,
)
from mlm_course.tokenization import CLS_ID, MASK_ID, PAD_ID, SEP_ID
from mlm_course.training import Recipe, TextPairBatch
from mlm_course.training.datasets import RetroBatch, rows_of_step

MOST = 6
SIZES = {"d_model": 8, "n_layers": 1, "n_heads": 2, "embedding_std": 0.5}


def close(answer, expected):
    expected = torch.as_tensor(expected, dtype=torch.float64)
    torch.testing.assert_close(
        torch.as_tensor(answer).double(), expected, rtol=1e-3, atol=1e-3, equal_nan=True
    )


@cache
def masked_lm():
    return seeded_init(MaskedLM, EncoderConfig(V, 8, **SIZES)).eval()


@cache
def retro_mae():
    return seeded_init(RetroMAE, EncoderConfig(V, 8, **SIZES)).eval()


@cache
def seq2seq(causal):
    sizes = Seq2SeqConfig(V, 8, decoder_layers=1, max_target=MOST, causal=causal, **SIZES)
    return seeded_init(Seq2Seq, sizes).eval()


@cache
def image_mae():
    parts = {part: StackConfig(d_model=8, n_layers=1, n_heads=2) for part in ("encoder", "decoder")}
    return seeded_init(ImageMAE, ImageMAEConfig(4, 4, 2, 1, norm_pix=False, **parts)).eval()


def cross_entropy(logits, target, smoothing=0.0):
    """For one place, from the definition."""
    log_p = logits.double().log_softmax(-1)
    assert 0 <= smoothing < 1 and 0 <= target < len(logits)
    return -((1 - smoothing) * log_p[target] + smoothing * log_p.mean()).item()


def draw_smoothing(rng):
    return rng.choice((0.0, 0.1, 0.5))


# --- losses ---


def draw_masked(rng):
    batch = {"model": masked_lm(), "batch": draw_corrupted(rng)}
    return {**batch, "label_smoothing": draw_smoothing(rng)}


@torch.no_grad()
def is_masked_lm_loss(answer, model, batch, label_smoothing):
    ids, labels, masked = batch
    assert ids.shape == labels.shape == masked.shape
    logits = model(ids, visible_mask(ids))
    places = masked.nonzero().tolist()
    losses = [cross_entropy(logits[b, t], int(labels[b, t]), label_smoothing) for b, t in places]
    summed, count = answer
    assert count == len(losses)
    close(summed, sum(losses))


@torch.no_grad()
def is_diffusion_loss(answer, model, batch):
    ids, labels, masked = batch
    surprise = torch.zeros(ids.shape)
    for b, t in masked.nonzero().tolist():
        logits = model(ids, visible_mask(ids))[b, t]
        surprise[b, t] = cross_entropy(logits, int(labels[b, t]))
    is_token_nll(surprise, model, batch)
    n_words = [sum(i > MASK_ID or hid for i, hid in zip(*row, strict=True))
               for row in zip(ids.tolist(), masked.tolist(), strict=True)]  # fmt: skip
    bounds = [n * row[hid].mean().item() if hid.any() else 0.0
              for n, row, hid in zip(n_words, surprise, masked, strict=True)]  # fmt: skip
    close(answer[0], sum(bounds))
    assert int(answer[1]) == sum(n_words)


def draw_sentences(rng):
    """Rows of [CLS], words, [SEP], padded."""
    lengths = [rng.randint(0, MOST - 2) for _ in range(rng.randint(1, 4))]
    padded = [
        [CLS_ID, *(rng.randint(5, V - 1) for _ in range(n)), SEP_ID] + [PAD_ID] * (MOST - 2 - n)
        for n in lengths
    ]
    return torch.tensor(padded)[:, : max(lengths) + 2]


@torch.no_grad()
def is_next_token_loss(answer, model, ids):
    total, count = 0.0, 0
    for row in ids.tolist():
        for t in (t for t in range(1, len(row)) if row[t] != PAD_ID):
            before = torch.tensor([row[:t]])
            total += cross_entropy(model(before, causal_mask(t)[None, None])[0, -1], row[t])
            count += 1
    assert int(answer[1]) == count
    close(answer[0], total)


def draw_pairs(rng):
    B, S, T = rng.randint(1, 3), rng.randint(1, 5), rng.randint(1, MOST - 1)
    source, target = torch.randint(5, V, (B, S)), torch.randint(5, V, (B, T))
    source[:, 0] = CLS_ID
    source[-1, rng.randint(1, S) :] = PAD_ID
    target[-1, rng.randint(1, T) :] = PAD_ID
    return source, target


def draw_next_word(rng):
    source, target = draw_pairs(rng)
    batch = training.NextWordPairs(source, target)(torch.arange(len(source)), 0)
    return {"model": seq2seq(True), "batch": batch, "label_smoothing": draw_smoothing(rng)}


def draw_gaps(rng):
    source, target = draw_pairs(rng)
    batch = training.GapPairs(source, target, 0)(torch.arange(len(source)), 0)
    weights = {"label_smoothing": draw_smoothing(rng), "length_weight": rng.choice((0.0, 0.1, 1.0))}
    return {"model": seq2seq(False), "batch": batch, **weights}


def word_losses(model, batch, smoothing):
    """Sum and number of the words' losses, row by row; and each row's memory."""
    source, shown, labels = batch
    assert shown.shape == labels.shape and len(source) == len(shown)
    total = count = 0
    for b, row in enumerate(labels.tolist()):
        logits = model.decode(model.encode(source[b : b + 1]), shown[b : b + 1])[0]
        for t, label in enumerate(row):
            assert isinstance(label, int)
            if label != -100:
                total, count = total + cross_entropy(logits[t], label, smoothing), count + 1
    return total, count


@torch.no_grad()
def is_next_word_loss(answer, model, batch, label_smoothing):
    total, count = word_losses(model, batch, label_smoothing)
    assert answer[1] == count
    close(answer[0], total)


@torch.no_grad()
def is_gap_loss(answer, model, batch, label_smoothing, length_weight):
    total, count = word_losses(model, batch, label_smoothing)
    assert answer[1] == count and length_weight >= 0
    for b, row in enumerate(batch.shown):
        asked = int((batch.labels[b] != -100).sum())
        if asked:
            log_p = model.log_lengths(model.encode(batch.source[b : b + 1]))[0]
            total -= length_weight * asked * log_p[int((row != PAD_ID).sum())].item()
    close(answer[0], total)


def draw_images(rng):
    images, noise = torch.rand(rng.randint(1, 3), 1, 4, 4), None
    noise = torch.rand(len(images), 4)
    batch = training.ImageBatch(images, noise)
    return {"model": image_mae(), "batch": batch, "ratio": rng.choice((0.0, 0.25, 0.5, 0.75))}


@torch.no_grad()
def is_pixel_loss(answer, model, batch, ratio):
    images, noise = batch
    assert len(images) == len(noise) and 0 <= ratio < 1
    images = images.float()
    if not images.isfinite().all():
        assert not answer[0].isfinite()  # `fit` stops there
        return
    guesses, kept = model(images, ratio, noise).patches, max(1, int(4 * (1 - ratio)))
    total = count = 0
    for b, image in enumerate(images):
        for patch in noise[b].argsort(stable=True)[kept:].tolist():
            i, j = 2 * (patch // 2), 2 * (patch % 2)
            wanted = image[0, i : i + 2, j : j + 2].flatten()
            total += (guesses[b, patch] - wanted).double().square().mean().item()
            count += 1
    close(answer[0], total)
    assert int(answer[1]) == count


def draw_retro(rng):
    ids, labels, masked = draw_corrupted(rng)
    B, T = ids.shape
    seen = (torch.rand(B, T, T) < 0.5) & ~torch.eye(T, dtype=torch.bool)
    return {"model": retro_mae(), "batch": RetroBatch(ids, labels, masked, seen)}


@torch.no_grad()
def is_retro_loss(answer, model, batch):
    ids, labels, masked, seen = batch
    text = torch.where(masked, labels, ids)
    visible = ids != PAD_ID
    assert ids.shape == labels.shape == masked.shape and answer[1] == len(ids)
    every = torch.ones_like(masked)
    guesses, restored = model(ids, visible_mask(ids), every, text, seen & visible[:, None])
    guesses = guesses.view(*ids.shape, -1)
    losses = [[cross_entropy(logits[b, t], int(text[b, t])) for b, t in places.nonzero().tolist()]
              for logits, places in ((guesses, masked), (restored, text > MASK_ID))]  # fmt: skip
    means = [sum(part) / max(1, len(part)) for part in losses]
    close(answer[0], sum(means) * len(ids))


@cache
def encoder():
    return seeded_init(Encoder, EncoderConfig(V, 8, **SIZES)).eval()


def draw_texts(rng):
    queries, passages = draw_pairs(rng)
    return {"queries": queries, "passages": passages}


def draw_contrast(rng):
    batch = TextPairBatch(**draw_texts(rng))
    return {"model": encoder(), "batch": batch, "temperature": rng.choice((0.05, 0.5, 1.0))}


@torch.no_grad()
def is_contrastive_loss(answer, model, batch, temperature):
    queries, passages = batch
    assert len(queries) == len(passages) == answer[1] and temperature > 0
    means = []
    for ids in (queries, passages):
        visible = ids != PAD_ID
        x = model(ids, visible).double()
        means.append([row[real].sum(0) / max(1, int(real.sum()))
                      for row, real in zip(x, visible, strict=True)])  # fmt: skip
    total = 0.0
    for b, query in enumerate(means[0]):
        cosines = torch.stack([F.cosine_similarity(query, y, dim=0) for y in means[1]])
        total += cross_entropy(cosines / temperature, b)
    close(answer[0], total)


# --- data ---


def draw_text_pairs(rng):
    texts = draw_texts(rng)
    return {**texts, **draw_call(rng, len(texts["queries"]))}


def are_text_pairs(answer, index, epoch, queries, passages):
    same_alone(training.TextPairs, answer, index, epoch, queries=queries, passages=passages)
    assert len(queries) == len(passages)
    assert answer.queries.tolist() == [queries[i].tolist() for i in index]
    assert answer.passages.tolist() == [passages[i].tolist() for i in index]


def called(kind):
    """A kind of data made and asked for some of its rows."""

    def rows(index, epoch, **arguments):
        return kind(**arguments)(index, epoch)

    return rows


def draw_call(rng, n):
    index = torch.tensor([rng.randrange(n) for _ in range(rng.randint(1, 4))])
    return {"index": index, "epoch": rng.randint(0, 3)}


def draw_gap_pairs(rng):
    source, target = draw_pairs(rng)
    return {
        "source": source,
        "target": target,
        "seed": rng.randint(0, 9),
        **draw_call(rng, len(source)),
    }


def same_alone(kind, answer, index, epoch, **arguments):
    """Each row is what it is without its neighbours."""
    assert index.ndim == 1 and all(type(i) is int and i >= 0 for i in index.tolist())
    for b in range(len(index)):
        one = kind(**arguments)(index[b : b + 1], epoch)
        for part, alone in zip(answer, one, strict=True):
            torch.testing.assert_close(part[b], alone[0])
            assert part.device == index.device


def are_gap_pairs(answer, index, epoch, source, target, seed):
    same_alone(training.GapPairs, answer, index, epoch, source=source, target=target, seed=seed)
    assert answer.source.tolist() == [source[i].tolist() for i in index]
    assert len(source) == len(target)
    for shown, labels, i in zip(answer.shown.tolist(), answer.labels.tolist(), index, strict=True):
        words = target[i].tolist()
        hidden = [n for n, label in enumerate(labels) if label != -100]
        assert hidden or not any(words)
        for n, word in enumerate(words):
            assert (shown[n], labels[n]) == ((MASK_ID, word) if n in hidden else (word, -100))
            assert word > 0 or n not in hidden


def draw_next_pairs(rng):
    arguments = draw_gap_pairs(rng)
    del arguments["seed"]
    return arguments


def are_next_pairs(answer, index, epoch, source, target):
    same_alone(training.NextWordPairs, answer, index, epoch, source=source, target=target)
    assert answer.source.tolist() == [source[i].tolist() for i in index]
    for shown, labels, i in zip(answer.shown.tolist(), answer.labels.tolist(), index, strict=True):
        n = int((target[i] != PAD_ID).sum())
        asked = [*target[i].tolist()[:n], SEP_ID]
        assert shown == [CLS_ID, *target[i].tolist()]
        assert labels == asked + [-100] * (len(labels) - n - 1)


def draw_rows(rng):
    ids = torch.randint(11, (rng.randint(1, 4), rng.randint(1, 6)))
    return {"ids": ids, **draw_call(rng, len(ids))}


def are_rows(answer, index, epoch, ids):
    assert index.ndim == 1 and torch.equal(answer, training.Rows(ids)(index, epoch))
    assert answer.tolist() == [ids[i].tolist() for i in index.tolist()]


def draw_gap_rows(rng):
    ids = torch.randint(11, (rng.randint(1, 4), rng.randint(1, 6)))
    return {"ids": ids, "seed": rng.randint(0, 9), **draw_call(rng, len(ids))}


def are_gap_rows(answer, index, epoch, ids, seed):
    same_alone(training.GapRows, answer, index, epoch, ids=ids, seed=seed)
    for b, i in enumerate(index.tolist()):
        row, hidden = ids[i], answer.masked[b]
        assert hidden.any() == (row > MASK_ID).any() and not (hidden & (row <= MASK_ID)).any()
        assert answer.input_ids[b].tolist() == row.masked_fill(hidden, MASK_ID).tolist()
        assert answer.labels[b].tolist() == row.masked_fill(~hidden, -100).tolist()


def draw_retro_rows(rng):
    arguments = draw_gap_rows(rng)
    rows = training.GapRows(arguments.pop("ids"), 1)
    return {**arguments, "rows": rows, "ratio": rng.choice((0.0, 0.5, 1.0))}


def are_retro_rows(answer, index, epoch, rows, seed, ratio):
    same_alone(training.RetroRows, answer, index, epoch, rows=rows, seed=seed, ratio=ratio)
    plain = rows(index, epoch)
    assert all(torch.equal(a, b) for a, b in zip(answer, plain, strict=False)) and 0 <= ratio <= 1
    T = answer.seen.shape[-1]
    assert not answer.seen[:, range(T), range(T)].any()
    assert ratio > 0 or answer.seen.sum().item() == len(index) * T * (T - 1)
    assert ratio < 1 or not answer.seen.any()


def draw_masked_images(rng):
    images = torch.rand(rng.randint(1, 4), 1, 2, 2)
    sizes = {"n_patches": rng.randint(1, 5), "seed": rng.randint(0, 9)}
    return {"images": images, **sizes, **draw_call(rng, len(images))}


def are_masked_images(answer, index, epoch, images, n_patches, seed):
    same_alone(
        training.MaskedImages, answer, index, epoch, images=images, n_patches=n_patches, seed=seed
    )
    assert images.ndim == 4 and images.is_floating_point() and answer.noise.shape[1] == n_patches
    for image, i in zip(answer.images, index, strict=True):
        assert torch.equal(image, images[i].float())


# --- optimisers, runs ---


def draw_recipe(rng):
    return {
        "steps": rng.randint(1, 9),
        "batch_size": rng.randint(4, 9),
        "lr": rng.choice((None, 0.01)),
        "optimizer": rng.choice(("muon", "adamw")),
        "adamw_lr": 0.003,
        "weight_decay": rng.choice((0.0, 0.1)),
        "betas": (0.9, 0.95),
        "warmup": rng.choice((0.0, 0.25, 1.0)),
        "schedule": rng.choice(("linear", "cosine", "constant")),
        "clip": rng.choice((None, 1.0)),
        "seed": rng.randint(0, 5),
        "accumulate": rng.randint(1, 3),
        "precision": "no",
        "compile": False,
        "recompute": rng.choice((False, True)),
    }


def is_recipe(answer, **given):
    assert {f.name: getattr(answer, f.name) for f in fields(answer)} == {
        **given, "betas": tuple(given["betas"])
    }  # fmt: skip
    assert answer.steps > 0 and answer.accumulate <= answer.batch_size and answer.peak > 0
    assert answer.clip is None or answer.clip > 0
    assert all(0 <= answer.factor(step) <= 1 for step in range(min(answer.steps, 9)))


def draw_groups(rng):
    return {"model": rng.choice((masked_lm(), retro_mae(), seq2seq(True), image_mae()))}


def are_groups(answer, model):
    """Each trainable parameter once, by its name and the module that holds it."""
    kinds = {}
    for name, parameter in model.named_parameters():
        module = model.get_submodule(name.rpartition(".")[0])
        if parameter.ndim < 2 or isinstance(module, nn.Embedding) or not name.endswith("weight"):
            kinds[name] = "free"
        elif ".blocks." not in f".{name}" or parameter.ndim > 2:
            kinds[name] = "decayed"
        else:
            kinds[name] = "stacked" if name.endswith("qkv.weight") else "matrices"
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    grouped = {name: [shape_of(p) for p in part] for name, part in answer.items()}
    for group in ("matrices", "stacked", "decayed", "free"):
        wanted = [shape_of(p) for name, p in model.named_parameters() if kinds[name] == group]
        assert sorted(grouped[group]) == sorted(wanted), group
    assert len(names) == sum(map(len, answer.values()))


def shape_of(parameter):
    return tuple(parameter.shape), parameter.double().sum().item()


def draw_optimizer(rng):
    recipe = Recipe(1, optimizer=rng.choice(("muon", "adamw")))
    return {"model": copy.deepcopy(masked_lm()), "recipe": recipe}


def is_optimizer(answer, model, recipe):
    sizes = sum(p.numel() for group in answer.param_groups for p in group["params"])
    assert sizes == sum(p.numel() for p in model.parameters())
    rates = {group["lr"] for group in answer.param_groups}
    assert rates == {recipe.peak, *([recipe.adamw_lr] if recipe.optimizer == "muon" else [])}


@cache
def folder():
    return Path(tempfile.mkdtemp(prefix="mlm-course-fuzz-"))


def draw_fit(rng):
    ids = torch.randint(5, V, (6, 5), generator=torch.Generator().manual_seed(rng.randrange(9)))
    adamw = {"optimizer": "adamw", "lr": 0.01, "schedule": rng.choice(("linear", "constant"))}
    recipe = Recipe(rng.randint(1, 3), rng.randint(1, 6), clip=rng.choice((None, 0.1)), **adamw)
    return {
        "model": copy.deepcopy(masked_lm()),
        "data": training.GapRows(ids, rng.randrange(9)),
        "loss": training.masked_lm_loss,
        "recipe": recipe,
        "evaluate": rng.choice((None, weight_of)),
        "evaluate_every": 0,
        "folder": rng.choice((None, str(folder() / f"{rng.random()}"))),
        "save_every": rng.randint(0, 2),
        "floor": rng.choice((None, 0.5)),
    }


def weight_of(model):
    return {"weight": sum(p.double().sum().item() for p in model.parameters())}


def fitted(folder, **arguments):
    """`fit`, with folders named by chance made where nothing is lost."""
    if isinstance(folder, str) and folder.strip() and not Path(folder).is_absolute():
        folder = tempfile.mkdtemp(prefix="mlm-course-fuzz-")
    history = training.fit(folder=folder, **arguments)
    return history, weight_of(arguments["model"])


def is_fitted(answer, model, data, loss, recipe, evaluate, folder, **rest):
    """A learner's own loop: the same losses, and the same weights in the end."""
    history, weight = answer
    parameters = list(model.named_parameters())
    tables = {id(m.weight) for m in model.modules() if isinstance(m, nn.Embedding)}
    decayed = [p for n, p in parameters
               if p.ndim > 1 and id(p) not in tables and n.endswith("weight")]  # fmt: skip
    free = [p for _, p in parameters if all(p is not other for other in decayed)]
    groups = [
        {"params": part, "weight_decay": decay}
        for part, decay in ((decayed, recipe.weight_decay), (free, 0.0))
    ]
    optimizer = torch.optim.AdamW(groups, lr=recipe.peak, betas=recipe.betas)
    losses = []
    for step in range(recipe.steps):
        ids, labels, masked = data(*rows_of_step(len(data), recipe.batch_size, recipe.seed, step))
        value = F.cross_entropy(model(ids)[masked], labels[masked])
        optimizer.zero_grad()
        value.backward()
        if recipe.clip:
            nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
        for group in optimizer.param_groups:
            group["lr"] = recipe.peak * recipe.factor(step)
        optimizer.step()
        losses.append(value.item())
    close(torch.tensor(history.losses), losses)
    close(weight["weight"], weight_of(model)["weight"])
    assert bool(history.evaluations) == bool(evaluate)


def is_run_folder(answer, name):
    assert answer == Path("runs") / name and "/" not in name


def is_device(answer):
    assert (answer.kind == "cpu") == (not torch.cuda.is_available()) and math.isfinite(1)


TARGETS = [
    Target(training.masked_lm_loss, draw_masked, is_masked_lm_loss),
    Target(
        training.diffusion_loss,
        lambda rng: {"model": masked_lm(), "batch": draw_corrupted(rng)},
        is_diffusion_loss,
    ),
    Target(
        training.next_token_loss,
        lambda rng: {"model": masked_lm(), "ids": draw_sentences(rng)},
        is_next_token_loss,
    ),
    Target(training.next_word_loss, draw_next_word, is_next_word_loss),
    Target(training.gap_loss, draw_gaps, is_gap_loss),
    Target(training.masked_pixel_loss, draw_images, is_pixel_loss),
    Target(training.retro_mae_loss, draw_retro, is_retro_loss),
    Target(training.contrastive_loss, draw_contrast, is_contrastive_loss),
    Target(called(training.TextPairs), draw_text_pairs, are_text_pairs, name="TextPairs"),
    Target(called(training.GapPairs), draw_gap_pairs, are_gap_pairs, name="GapPairs"),
    Target(called(training.NextWordPairs), draw_next_pairs, are_next_pairs, name="NextWordPairs"),
    Target(called(training.Rows), draw_rows, are_rows, name="Rows"),
    Target(called(training.GapRows), draw_gap_rows, are_gap_rows, name="GapRows"),
    Target(called(training.RetroRows), draw_retro_rows, are_retro_rows, name="RetroRows"),
    Target(
        called(training.MaskedImages), draw_masked_images, are_masked_images, name="MaskedImages"
    ),
    Target(training.Recipe, draw_recipe, is_recipe),
    Target(training.optimizer_groups, draw_groups, are_groups),
    Target(training.make_optimizer, draw_optimizer, is_optimizer),
    Target(fitted, draw_fit, is_fitted, name="fit"),
    Target(training.run_folder, lambda rng: {"name": rng.choice(("tiny", "a-1"))}, is_run_folder),
    Target(training.find_device, lambda rng: {}, is_device),
]
WITHOUT_ORACLE: dict[str, str] = {}  # title: why nothing can be compared with
NOT_FUZZED: dict[str, str] = {
    "Data": "a Protocol",
    "ImageBatch": "a NamedTuple that is returned",
    "PairBatch": "a NamedTuple that is returned",
    "TextPairBatch": "a NamedTuple that is returned",
    "Device": "a NamedTuple that is returned",
    "History": "a dataclass that is returned",
    "recomputing": "a context that returns nothing; tests/test_recomputing.py",
}  # name: why (a constant type, a Protocol)
