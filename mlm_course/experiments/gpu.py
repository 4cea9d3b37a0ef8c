"""The sections "On a GPU" of lessons 6, 9, 10, 11 and 12 on real data: minutes, memory and result of each.

Sizes and recipes are those of the sections; every model is scored on data that it has not seen. First
comes tinyworld, which needs no network; the others need the hub, translations the package sacrebleu:
where one is missing, the record says so. Without CUDA nothing is recorded.

A call takes ten minutes at most, the smallest section first, and writes the record after each. The
next call on such a GPU goes on: sections that are done stay, and trainings go on from runs/gpu. A section
that took several calls has the minutes of the last; training_minutes are all of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from mlm_course import results, tokenization
from mlm_course.corpora import pairs
from mlm_course.corpora.hub_images import images_from_hub
from mlm_course.corpora.hub_pairs import pairs_from_hub
from mlm_course.corpora.hub_text import texts_from_hub
from mlm_course.corpora.images import Scale
from mlm_course.corruption import DynamicMasking
from mlm_course.corruption.masking import standard_masker
from mlm_course.decoding import autoregressive, mask_predict
from mlm_course.diffusion import likelihood_bound
from mlm_course.evaluation import score_masked
from mlm_course.experiments import tinyworld
from mlm_course.experiments._time_limit import TimeLimit
from mlm_course.hub import HubUnreachable
from mlm_course.models import (
    EncoderConfig,
    ImageMAE,
    ImageMAEConfig,
    MaskedLM,
    Seq2Seq,
    Seq2SeqConfig,
    StackConfig,
    TextMAE,
    TextMAEConfig,
    seeded_init,
)
from mlm_course.models.image_mae import patch_loss
from mlm_course.results import machine, training_record, write_record
from mlm_course.training import (
    Device,
    GapPairs,
    MaskedImages,
    NextWordPairs,
    Recipe,
    find_device,
    fit,
    gap_loss,
    masked_lm_loss,
    masked_pixel_loss,
    next_word_loss,
)
from mlm_course.training.datasets import GapRows
from mlm_course.training.losses import diffusion_loss

Record = dict[str, Any]
HELD_OUT = 500  # rows of text at most
RATIO, TEST_RATIO = 0.3, 0.15  # of text, to train and to score
REMOVED = 0.75  # of images
BATCH = 100  # sentences answered, or images restored, at a time
TEXT = Recipe(steps=3000, batch_size=128)
CLOTHES = Recipe(
    steps=5000, batch_size=512, lr=0.03, adamw_lr=4e-3, warmup=0.03, schedule="cosine",
    betas=(0.9, 0.95), weight_decay=0.05,
)  # fmt: skip
CAPTIONS = Recipe(steps=15_000, batch_size=128, schedule="inverse_square_root")
BERT = EncoderConfig(8000, 128, d_model=384, n_layers=6, n_heads=6)
TEXT_MAE = TextMAEConfig(
    8000, 128, d_model=384, n_layers=6, n_heads=6,
    decoder=StackConfig(d_model=384, n_layers=1, n_heads=6),
)  # fmt: skip
WRITER = EncoderConfig(8000, 128, d_model=512, n_layers=8, n_heads=8)
IMAGES = ImageMAEConfig(
    28, 28, 4, 1, position_base=100,
    encoder=StackConfig(d_model=192, n_layers=6), decoder=StackConfig(d_model=96, n_layers=2),
)  # fmt: skip


MINUTES = 10.0  # of a call
SAVE_EVERY = 500  # steps
RUNS = Path("runs/gpu")  # where trainings go on

Section = Callable[[], Record]


class Lacking(Exception):
    """A sentence that says what a section needs and this machine does not have."""


def run(limit: TimeLimit | None = None) -> Record:
    """The record of all sections that are done. SystemExit with a sentence where there is no GPU."""
    began, device = time.perf_counter(), gpu_now()
    limit = limit or TimeLimit(MINUTES)
    record = earlier(device)
    try:
        with limit.held():
            for name, section in sections(device).items():
                if limit.left > 0 and is_missing(record.get(name)):
                    record[name] = outcome(section)
                    write_record("gpu", record, time.perf_counter() - began)
                    print(f"{name}: {told(record[name])}", flush=True)
    except KeyboardInterrupt:
        if limit.left > 0:  # somebody's own Ctrl-C
            raise
    if left := [name for name in sections(device) if is_missing(record.get(name))]:
        print(f"Not done: {', '.join(left)}. The same command goes on.", flush=True)
    return record


def sections(device: Device) -> dict[str, Section]:
    """What is to be done, the smallest first."""

    def suited(recipe: Recipe) -> Recipe:
        return replace(recipe, precision=device.precision, compile=device.compile)

    text = suited(TEXT)
    return {
        "tinyworld": lambda: close_to_the_floor(suited(tinyworld.RECIPE)),
        "lesson 9, Fashion-MNIST": lambda: restore(IMAGES, *clothes(), suited(CLOTHES)),
        "lesson 6, TinyStories": lambda: guess(MaskedLM, BERT, stories()[:50_000], text),
        "lesson 10, WikiText-103": lambda: guess(TextMAE, TEXT_MAE, articles(), text),
        "lesson 11, Multi30k": lambda: translate(512, 6, *captions(), suited(CAPTIONS)),
        "lesson 12, TinyStories": lambda: write(WRITER, stories(), replace(text, steps=20_000)),
    }


def earlier(device: Device) -> Record:
    """What earlier calls on such a GPU have recorded, or a record without sections."""
    fresh: Record = {"device": device.name}
    if not (results.HERE / "gpu.json").exists():
        return fresh
    record = results.recorded("gpu")
    if (record.get("device"), record.get("machine")) != (device.name, machine()):
        return fresh
    return fresh | {name: record[name] for name in sections(device) if name in record}


def is_missing(section: Mapping[str, Any] | None) -> bool:
    """Whether a section is to be tried: never done, or something was lacking."""
    return section is None or "not measured" in section


def outcome(section: Section) -> Record:
    """What a section finds, or a sentence that says what it lacks."""
    try:
        return with_time_and_memory(section)
    except (Lacking, HubUnreachable) as reason:
        return {"not measured": str(reason)}


def told(record: Record) -> str:
    """A section's outcome as a line."""
    reason = record.get("not measured")
    return f"not measured: {reason}" if reason else f"done, {record['minutes']} minutes"


def gpu_now() -> Device:
    """The CUDA device to measure on."""
    device = find_device()
    if device.kind != "cuda":
        raise SystemExit("Nothing recorded: experiment gpu needs a CUDA device, and there is none.")
    return device


def stories() -> list[str]:
    return texts_from_hub("tinystories", n=200_000)


def articles() -> list[str]:
    return texts_from_hub("wikitext-103", n=200_000)


def clothes() -> tuple[Tensor, Tensor]:
    """Images (N, 1, 28, 28) to train on and held out."""
    return images_from_hub("fashion_mnist").images, images_from_hub("fashion_mnist", "test").images


def captions() -> tuple[list[pairs.Pair], list[pairs.Pair]]:
    """Sentences with their translations, to train on and held out."""
    if find_spec("sacrebleu") is None:
        raise Lacking("translations are scored with sacrebleu (pip install it).")
    return pairs_from_hub("multi30k"), pairs_from_hub("multi30k", "test")


def with_time_and_memory(section: Callable[[], Record]) -> Record:
    """What a section finds, with all its minutes and the most memory that its tensors took."""
    began, memory = time.perf_counter(), {}
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    record = section()
    if torch.cuda.is_available():
        memory["peak_gigabytes"] = round(torch.cuda.max_memory_allocated() / 1e9, 2)
    return {"minutes": round((time.perf_counter() - began) / 60, 1), **memory, **record}


def close_to_the_floor(recipe: Recipe) -> Record:
    """Lesson 6's model of tinyworld: its loss beside the exact floor."""
    corrupted, floor = tinyworld.masked_test_set()
    model = on_device(tinyworld.build())
    data = DynamicMasking(tinyworld.masker(), tinyworld.sentences(tinyworld.SENTENCES, 0), seed=0)
    history = fit(
        model, data, masked_lm_loss, recipe,
        evaluate=tinyworld.tester(corrupted), folder=RUNS / "tinyworld", save_every=SAVE_EVERY,
    )  # fmt: skip
    return {"floor": floor, **training_record(model, recipe, tinyworld.MASK_RATIO, history)}


def rows_of(texts: Sequence[str], config: EncoderConfig) -> tuple[Tensor, Tensor]:
    """Full rows of ids to train on and held out, (N, T) and (M, T)."""
    tokenizer = tokenization.train_wordpiece(texts, config.vocab_size)
    ids = tokenization.encode(tokenizer, texts, special_tokens=False)
    rows = torch.tensor(tokenization.pack(ids, config.max_length)[:-1])
    held_out = min(HELD_OUT, len(rows) // 10)
    return rows[:-held_out], rows[-held_out:]


def guess(
    kind: type[nn.Module], config: EncoderConfig, texts: Sequence[str], recipe: Recipe
) -> Record:
    """Lessons 6 and 10: a model that guesses hidden words, scored with 15 % of held-out rows hidden."""
    train, held_out = rows_of(texts, config)
    hide = standard_masker(config.vocab_size, TEST_RATIO)
    corrupted = hide(held_out, torch.Generator().manual_seed(0))
    model = on_device(seeded_init(kind, config))
    history = fit(
        model, DynamicMasking(standard_masker(config.vocab_size, RATIO), train, seed=0), masked_lm_loss, recipe,
        evaluate=lambda model: score_masked(model, corrupted, batch_size=BATCH)._asdict(),
        evaluate_every=max(1, recipe.steps // 5), folder=RUNS / kind.__name__, save_every=SAVE_EVERY,
    )  # fmt: skip
    return {"rows": len(train), **training_record(model, recipe, RATIO, history)}


def write(config: EncoderConfig, texts: Sequence[str], recipe: Recipe) -> Record:
    """Lesson 12: a masked diffusion model; its bound on held-out rows, in nats a token."""
    train, held_out = rows_of(texts, config)
    model = seeded_init(MaskedLM, config)  # at home on the CPU, where the bound is computed

    def evaluate(model: nn.Module) -> dict[str, float]:
        bounds = likelihood_bound(model, held_out, torch.Generator().manual_seed(0))
        return {"bound": bounds.sum().item() / held_out.numel()}

    history = fit(
        model, GapRows(train, seed=0), diffusion_loss, recipe,
        evaluate=evaluate, folder=RUNS / "diffusion", save_every=SAVE_EVERY,
    )  # fmt: skip
    return {"rows": len(train), **training_record(model, recipe, None, history)}


def restore(config: ImageMAEConfig, train: Tensor, test: Tensor, recipe: Recipe) -> Record:
    """Lesson 9: a masked autoencoder; the squared error of removed patches, pixels from 0 to 1."""
    scale, n_patches = Scale.of(train), config.grid[0] * config.grid[1]
    noise = torch.rand(len(test), n_patches, generator=torch.Generator().manual_seed(2))
    model = on_device(seeded_init(ImageMAE, config))

    @torch.no_grad()
    def evaluate(model: nn.Module) -> dict[str, float]:
        total, device = 0.0, place(model)
        for images, ranks in zip(test.split(BATCH), noise.split(BATCH), strict=True):
            reconstruction = model(scale.standard(images).to(device), REMOVED, ranks.to(device))
            error = patch_loss(
                reconstruction.patches.float(), reconstruction.target, reconstruction.mask
            )
            total += error.item() * len(images)
        return {"error": total / len(test) * scale.spread**2}

    data = MaskedImages(scale.standard(train), n_patches, seed=0)
    history = fit(
        model, data, masked_pixel_loss, recipe,
        evaluate=evaluate, evaluate_every=max(1, recipe.steps // 5),
        folder=RUNS / "images", save_every=SAVE_EVERY,
    )  # fmt: skip
    return {"images": len(train), **training_record(model, recipe, REMOVED, history)}


def translate(
    width: int, layers: int, train: list[pairs.Pair], test: list[pairs.Pair], recipe: Recipe,
    vocab_size: int = 8000, dropout: float = 0.3,
) -> Record:  # fmt: skip
    """Lesson 11: an autoregressive model (beam 4) and a CMLM (10 steps, 5 lengths), scored by BLEU."""
    tokenizer = pairs.vocabulary(train, vocab_size)
    source, target = pairs.encode_pairs(tokenizer, train)
    asked = pairs.encode_pairs(tokenizer, test)[0]
    longest = max(source.shape[1], target.shape[1], asked.shape[1]) + 1
    sizes = Seq2SeqConfig(
        tokenizer.get_vocab_size(), longest, d_model=width, n_layers=layers, n_heads=max(1, width // 64),
        dropout=dropout, decoder_layers=layers, max_target=longest,
    )  # fmt: skip
    signature = {"BLEU": bleu_of(["a"], ["a"])[1]} if find_spec("sacrebleu") else {}
    record: Record = {"pairs": len(train), **signature}
    for causal in (True, False):
        name = "left to right" if causal else "Mask-Predict"
        model = on_device(seeded_init(Seq2Seq, replace(sizes, causal=causal)))
        data: Any = NextWordPairs(source, target) if causal else GapPairs(source, target, seed=0)
        history = fit(
            model, data, next_word_loss if causal else gap_loss, recipe,
            evaluate=lambda model: quality(answers(model, tokenizer, asked), tokenizer, test),
            folder=RUNS / name, save_every=SAVE_EVERY,
        )  # fmt: skip
        record[name] = training_record(model, recipe, None, history)
    return record


def answers(model: Any, tokenizer: Tokenizer, asked: Tensor) -> list[str]:
    """The model's answers to sources (N, S), as text with spaces between words and signs."""
    texts = []
    for rows in asked.to(place(model)).split(BATCH):
        if model.config.causal:
            tokens = autoregressive(model, rows, beam=4).tokens
        else:
            tokens = mask_predict(model, rows, steps=10, n_lengths=5).tokens
        texts += [pairs.read(tokenizer, row) for row in tokens.tolist()]
    return texts


def quality(
    texts: list[str], tokenizer: Tokenizer, asked: Sequence[pairs.Pair]
) -> dict[str, float]:
    """The share of answers that are the given one and, where sacrebleu is installed, BLEU.

    The given answers get the same spaces between words and signs as the model's have.
    """
    given = [spaced(tokenizer, pair.target) for pair in asked]
    right = sum(text == wanted for text, wanted in zip(texts, given, strict=True)) / len(given)
    bleu = {"BLEU": bleu_of(texts, given)[0]} if find_spec("sacrebleu") else {}
    return {"right": right, **bleu}


def bleu_of(texts: list[str], given: list[str]) -> tuple[float, str]:
    """BLEU and its signature (Post 2018)."""
    from sacrebleu.metrics import BLEU

    metric = BLEU()
    return metric.corpus_score(texts, [given]).score, str(metric.get_signature())


def spaced(tokenizer: Tokenizer, text: str) -> str:
    """A text with spaces between its words and signs, as `pairs.read` gives it."""
    plain = tokenizer.normalizer.normalize_str(text)
    return " ".join(word for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(plain))


def on_device(model: nn.Module) -> nn.Module:
    """The model where it will be trained, so that it is scored there too."""
    return model.to(find_device().kind)


def place(model: nn.Module) -> torch.device:
    return next(model.parameters()).device
