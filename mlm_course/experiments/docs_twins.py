"""Sentences of docstrings out of nothing: masked diffusion against a left-to-right twin. Lesson 12.

The plan, made before the run. Both rivals are the same `MaskedLM`, with as many parameters; one reads
all places and is trained for the diffusion bound, the other reads under a causal mask and names what
comes next. They train on the same sentences of SHORTEST to LONGEST pieces, [CLS] and [SEP] around
them, with the same steps and batches, no sentence twice; each chooses its learning rates among
FACTORS on the seed TUNING, by sentences that are not those of the test. Five other seeds follow, which
draw first weights, the order of the sentences, and what is hidden. Equal steps are not equal numbers
of guesses: in a step diffusion names about half of the pieces, its twin all.

- nats: -log p of TEST unread sentences, in nats a piece, of the sentence with its length. The twin pays
  for its [SEP]. Diffusion takes the length as given, so it also pays -log p of the length, counted
  over the training sentences; and its number is an upper bound, the mean of DRAWS x ROUNDS draws.
- judge: the surprise of WRITTEN sentences a model writes, in nats a piece, each piece hidden alone, to
  the model of `python_docs` (minus the pseudo-log-likelihood of Salazar et al. 2020). This is no
  validity: dull or copied sentences surprise little. So beside it: the share of sentences in which two
  neighbours are the same piece, of trigrams that are distinct, and of sentences that stand in the
  training set. All words are drawn, at temperature 1, and diffusion draws lengths as they are in
  training. It writes one piece at a time, in any order (which is exact) or the most confident first, and
  in FEW steps.
- time: of a training step, and of TIMED sentences of LONGEST pieces, diffusion in any order (the other
  asks the model as often); random weights, ways in turn.

Recorded in several processes beside other programs: its minutes and wall times are longer than those of
a machine of one's own; processor times change least.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, NamedTuple, cast

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional as F

from mlm_course import tokenization
from mlm_course.attention import KeyValues, causal_mask
from mlm_course.corpora import python_docs
from mlm_course.corruption.masking import mask_tokens
from mlm_course.cost import take_turns
from mlm_course.decoding import LLADA, MDLM, Sampler, choose_tokens, refine
from mlm_course.diffusion import blank, likelihood_bound, predictor, token_nll
from mlm_course.experiments._rivals import FACTORS, TUNING, Contest, Run, scaled
from mlm_course.experiments._scores import ScoreFile
from mlm_course.experiments.decoder_width import milliseconds, noting
from mlm_course.experiments.infilling import doubled, unread_sentences
from mlm_course.experiments.python_docs import HELD_OUT_SHARE, PACKAGES
from mlm_course.models import EncoderConfig, MaskedLM, load_pretrained, seeded_init
from mlm_course.models.encoder import EncoderBlock
from mlm_course.results.comparison import compared_rivals
from mlm_course.tokenization import CLS_ID, MASK_ID, PAD_ID, SEP_ID, SPECIAL_IDS
from mlm_course.training import Data, Loss, Recipe, fit, make_optimizer
from mlm_course.training.datasets import GapRows, Rows
from mlm_course.training.losses import diffusion_loss, next_token_loss, next_token_nll

SHORTEST, LONGEST = 8, 30  # pieces
CHOOSING, TEST, WRITTEN = 500, 2_000, 200  # sentences
DRAWS, ROUNDS = 4, 4
FEW = 8
RECIPE = Recipe(
    steps=1_000, batch_size=64, adamw_lr=4e-3, weight_decay=0.0, betas=(0.9, 0.95),
    precision="bf16",
)  # fmt: skip
SIZES: dict[str, Any] = {
    "max_length": LONGEST + 2, "d_model": 128, "n_layers": 3, "n_heads": 4, "embedding_std": 0.02,
}  # fmt: skip
DIFFUSION, TWIN = "masked diffusion", "left to right"
KEPT, ANEW = f"{TWIN}, keys and values kept", f"{TWIN}, all read again"
ANY_ORDER = replace(MDLM, order="random")  # one place a step, where there are steps enough
SUREST_FIRST = replace(LLADA, temperature=1.0)
WAYS = {
    "any order, one by one": (LONGEST, ANY_ORDER),
    "most confident first, one by one": (LONGEST, SUREST_FIRST),
    f"any order, {FEW} steps": (FEW, ANY_ORDER),
    f"most confident first, {FEW} steps": (FEW, SUREST_FIRST),
}
MARKS = {"judge": True, "doubled": True, "distinct trigrams": False}  # whether lower is better
ROWS = 64  # of a batch, where nothing is trained
TIMED, TIMED_ROUNDS, WARM_UP = 64, 5, 1
FOLDER = Path("runs/docs_twins")


# --- sentences ---


class Sentences(NamedTuple):
    """Rows of [CLS], pieces, [SEP] and padding, each (R, LONGEST + 2)."""

    train: Tensor
    choosing: Tensor
    test: Tensor


@cache
def sentences() -> Sentences:
    """Distinct sentences of the modules that are trained on, and of modules that nobody has read."""
    _, tokenizer = load_pretrained("python_docs")
    items = python_docs.docstrings(PACKAGES)
    read, _ = python_docs.split_by_module(items, HELD_OUT_SHARE, seed=0)
    train = rows_of(tokenizer, python_docs.sentences(item.text for item in read))
    unread = rows_of(tokenizer, unread_sentences())
    order = torch.randperm(len(unread), generator=torch.Generator().manual_seed(0))
    return Sentences(train, *unread[order[: CHOOSING + TEST]].split([CHOOSING, TEST]))


def rows_of(tokenizer: Tokenizer, texts: list[str]) -> Tensor:
    """Those texts that have SHORTEST to LONGEST ordinary pieces, each once, as rows."""
    every = tokenization.encode(tokenizer, texts, special_tokens=False)
    fitting = dict.fromkeys(
        tuple(ids)
        for ids in every
        if SHORTEST <= len(ids) <= LONGEST and min(ids) > max(SPECIAL_IDS)
    )
    padded = [[CLS_ID, *ids, SEP_ID] + [PAD_ID] * (LONGEST - len(ids)) for ids in fitting]
    return torch.tensor(padded)


def pieces_of(rows: Tensor) -> Tensor:
    """The pieces alone, padded: rows (R, T) with [CLS] and [SEP] -> (R, T - 1)."""
    return rows[:, 1:].masked_fill(rows[:, 1:] == SEP_ID, PAD_ID)


def n_pieces(rows: Tensor) -> Tensor:
    """How many pieces each row has, [CLS] and [SEP] left out: (R, T) -> (R,)."""
    return (rows > max(SPECIAL_IDS)).sum(1)


# --- two rivals ---


def build(seed: int = 0) -> MaskedLM:
    """The model of both rivals, whose weights follow from the seed."""
    return seeded_init(MaskedLM, EncoderConfig(tokenizer_size(), **SIZES), seed)


@cache
def tokenizer_size() -> int:
    """The number of pieces in the vocabulary of `python_docs`."""
    return load_pretrained("python_docs")[1].get_vocab_size()


def data_of(rival: str, seed: int) -> Data:
    """What a rival trains on."""
    known = sentences().train
    return GapRows(known, seed) if rival == DIFFUSION else Rows(known)


def loss_of(rival: str) -> Loss:
    """What a rival's training makes small."""
    return diffusion_loss if rival == DIFFUSION else next_token_loss


def contestant(rival: str, factor: float, seed: int, folder: Path) -> dict[str, Any]:
    """What comes of one training; of one to choose a learning rate by, no more than that takes."""
    model = build(seed)
    place, recipe = folder / f"{rival} {factor:.3g} {seed}", scaled(RECIPE, factor, seed)
    fit(model, data_of(rival, seed), loss_of(rival), recipe, folder=place)
    model.eval()
    choosing = {"choosing": nats_a_piece(rival, model, sentences().choosing)["nats"]}
    if seed == TUNING:
        return choosing
    texts = all_texts(rival, model, seed)
    return {
        **choosing,
        **nats_a_piece(rival, model, sentences().test),
        "ways": {way: judged(pieces) for way, pieces in texts.items()},
    }


# --- nats ---


def length_nll(rows: Tensor, train_rows: Tensor) -> Tensor:
    """-log p of each row's number of pieces (R,), by the numbers of the training rows, each plus 1."""
    counts = torch.bincount(n_pieces(train_rows), minlength=LONGEST + 1).double()
    counts[SHORTEST : LONGEST + 1] += 1
    return -(counts / counts.sum()).log()[n_pieces(rows)]


@torch.no_grad()
def nats_a_piece(rival: str, model: MaskedLM, rows: Tensor) -> dict[str, float]:
    """-log p of the rows in nats a piece, the end paid for; and its standard error over draws."""
    if rival == TWIN:
        totals = [sum(next_token_nll(model, part).sum().item() for part in rows.split(ROWS))]
    else:
        of_lengths = length_nll(rows, sentences().train).sum().item()
        totals = [bound_of(model, rows, seed) + of_lengths for seed in range(ROUNDS)]
    each = [total / n_pieces(rows).sum().item() for total in totals]
    error = stdev(each) / len(each) ** 0.5 if len(each) > 1 else 0.0
    return {"nats": round(fmean(each), 4), "error": round(error, 5)}


def bound_of(model: nn.Module, rows: Tensor, seed: int) -> float:
    """The bound on -log p of all rows given their lengths, summed, by DRAWS draws of each row."""
    draw = torch.Generator().manual_seed(seed)
    parts = [likelihood_bound(model, part, draw, DRAWS) for part in rows.split(ROWS)]
    return sum(part.sum().item() for part in parts)


# --- writing ---

# next_logits(tokens (B, t)) -> (B, V): what comes behind the last of them
NextLogits = Callable[[Tensor], Tensor]


def anew(model: MaskedLM) -> NextLogits:
    """A left-to-right model that reads all tokens again for each new one."""

    def next_logits(tokens: Tensor) -> Tensor:
        x = model.encoder(tokens, causal_mask(tokens.shape[1])[None, None])
        return model.logits(x[:, -1])

    return next_logits


def keeping(model: MaskedLM) -> NextLogits:
    """A left-to-right model that keeps the keys and values of what it has read; for one batch of texts."""
    blocks = cast("list[EncoderBlock]", list(model.encoder.blocks))
    past: list[KeyValues | None] = [None] * len(blocks)

    def next_logits(tokens: Tensor) -> Tensor:
        place = torch.tensor([tokens.shape[1] - 1])
        x = model.encoder.embeddings(tokens[:, -1:], place)  # (B, 1, D)
        for i, block in enumerate(blocks):
            x, past[i] = block.step(x, past[i])
        return model.logits(cast("nn.LayerNorm", model.encoder.final_norm)(x)[:, 0])

    return next_logits


@torch.no_grad()
def left_to_right(next_logits: NextLogits, n: int, draw: torch.Generator) -> Tensor:
    """n texts of at most LONGEST pieces, drawn one piece after the other: (n, LONGEST), padded."""
    never = torch.tensor([i for i in SPECIAL_IDS if i != SEP_ID])
    tokens, ended = torch.full((n, 1), CLS_ID), torch.zeros(n, 1, dtype=torch.bool)
    for _ in range(LONGEST):
        logits = next_logits(tokens).index_fill(-1, never, -torch.inf)
        drawn, _ = choose_tokens(logits[:, None], 1.0, draw)  # (n, 1)
        ended = ended | (drawn == SEP_ID)
        tokens = torch.cat([tokens, drawn.masked_fill(ended, PAD_ID)], 1)
    return tokens[:, 1:]


@torch.no_grad()
def by_diffusion(
    model: MaskedLM, lengths: Tensor, steps: int, sampler: Sampler, draw: torch.Generator
) -> Tensor:
    """A text for each of the lengths (n,): (n, LONGEST), padded."""
    canvas, masked = blank(lengths)
    last = refine(predictor(model), canvas, masked, MASK_ID, steps, sampler, draw)[-1].tokens
    return F.pad(pieces_of(last), (0, LONGEST + 2 - canvas.shape[1]))[:, :LONGEST]  # [PAD] is 0


def drawn_lengths(n: int, seed: int) -> Tensor:
    """Numbers of pieces, (n,), of training sentences that the seed draws."""
    rows = sentences().train
    index = torch.randint(len(rows), (n,), generator=torch.Generator().manual_seed(seed))
    return n_pieces(rows[index])


def all_texts(rival: str, model: MaskedLM, seed: int) -> dict[str, Tensor]:
    """What a model writes, in each way it can: WRITTEN texts, (WRITTEN, LONGEST)."""
    if rival == TWIN:
        draw = torch.Generator().manual_seed(seed)
        return {rival: left_to_right(keeping(model), WRITTEN, draw)}
    texts = {}
    for way, (steps, sampler) in WAYS.items():
        draw, parts = torch.Generator().manual_seed(seed), drawn_lengths(WRITTEN, seed).split(ROWS)
        written = [by_diffusion(model, part, steps, sampler, draw) for part in parts]
        texts[way] = torch.cat(written)
    return texts


# --- what is said of texts ---


@torch.no_grad()
def pseudo_nll(judge: MaskedLM, pieces: Tensor) -> Tensor:
    """Minus the pseudo-log-likelihood of texts (n, T), padded: (n,), each piece hidden alone."""
    total = torch.zeros(len(pieces))
    for places in (pieces != PAD_ID).nonzero().split(4 * ROWS):  # (m, 2): a text and a place
        shown = pieces[places[:, 0]]
        masked = torch.zeros_like(shown, dtype=torch.bool)
        masked.scatter_(1, places[:, 1:], True)
        surprise = token_nll(judge, mask_tokens(shown, masked)).sum(1)
        total.index_add_(0, places[:, 0], surprise)
    return total


def judged(pieces: Tensor) -> dict[str, float]:
    """What is said of texts (n, LONGEST), see the plan."""
    judge, _ = load_pretrained("python_docs")
    words = pieces != PAD_ID
    windows = pieces.unfold(1, 3, 1)[words.unfold(1, 3, 1).all(-1)]  # (m, 3)
    return {
        "judge": round((pseudo_nll(judge, pieces).sum() / words.sum()).item(), 4),
        "doubled": round(doubled(pieces, words).double().mean().item(), 4),
        "distinct trigrams": round(len(windows.unique(dim=0)) / len(windows), 4),
        "copied": round(copied(pieces), 4),
        "pieces": round(words.sum(1).double().mean().item(), 2),
    }


def copied(pieces: Tensor) -> float:
    """The share of texts (n, LONGEST) that stand in the training set."""
    known = {tuple(row) for row in pieces_of(sentences().train)[:, :LONGEST].tolist()}
    return fmean(tuple(row) in known for row in pieces.tolist())


# --- time ---


def times() -> dict[str, Any]:
    """Of a training step and of TIMED texts of LONGEST pieces: processor and wall time, in ms."""
    torch.set_num_threads(1)
    endless = build().eval()
    with torch.no_grad():
        endless.decoder_bias[SEP_ID] = -1e9
    lengths, draw = torch.full((TIMED,), LONGEST), torch.Generator().manual_seed(0)
    training = {rival: stepping(rival) for rival in (DIFFUSION, TWIN)}
    writing: dict[str, Callable[[], Any]] = {
        KEPT: lambda: left_to_right(keeping(endless), TIMED, draw),
        ANEW: lambda: left_to_right(anew(endless), TIMED, draw),
        **{
            way: partial(by_diffusion, endless, lengths, steps, sampler, draw)
            for way, (steps, sampler) in WAYS.items()
            if sampler is ANY_ORDER
        },
    }
    return {
        "rounds": TIMED_ROUNDS,
        "training step": in_turns(training),
        f"{TIMED} texts": in_turns(writing),
    }


def kept_times(done: ScoreFile) -> dict[str, Any]:
    """The times, from the file or taken now."""
    if "time" not in done.scores:
        start = time.perf_counter()
        taken = times()
        done.add("time", taken, time.perf_counter() - start)
    return {k: v for k, v in done.scores["time"].items() if k not in ("key", "seconds")}


def stepping(rival: str) -> Callable[[], None]:
    """A training step of a rival, always on the same sentences."""
    model, loss = build(), loss_of(rival)
    optimizer = make_optimizer(model, RECIPE)
    batch = data_of(rival, 0)(torch.arange(RECIPE.batch_size), 0)

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16):
            summed, count = loss(model, batch)
        (summed / count).backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def in_turns(ways: Mapping[str, Callable[[], Any]]) -> dict[str, Any]:
    """Median, least and largest milliseconds of each way, all of them taking turns."""
    cpu: dict[str, list[float]] = {name: [] for name in ways}
    wall = take_turns({n: noting(ways[n], cpu[n]) for n in ways}, TIMED_ROUNDS, WARM_UP)
    seconds = {"cpu_ms": {n: cpu[n][WARM_UP:] for n in ways}, "wall_ms": wall}
    return {
        kind: {
            name: [milliseconds(each), *map(milliseconds, ([min(each)], [max(each)]))]
            for name, each in by_name.items()
        }
        for kind, by_name in seconds.items()
    }


# --- the record ---


def contest_of(folder: Path) -> Contest:
    """The two rivals, and what is known of them in a folder."""
    rivals: dict[str, Run] = {
        rival: partial(contestant, rival, folder=folder) for rival in (DIFFUSION, TWIN)
    }
    done = ScoreFile(folder, f"{RECIPE} {SIZES} {FACTORS} {TEST} {WRITTEN}", "other settings")
    return Contest(done, "twins", rivals, "choosing")


def run(folder: str | Path = FOLDER) -> dict[str, Any]:
    """Both rivals, once as planned."""
    torch.set_num_threads(1)
    contest = contest_of(Path(folder))
    scores = {rival: contest.all_scores(rival) for rival in contest.rivals}
    known = sentences()
    return {
        "sentences": {name: len(rows) for name, rows in known._asdict().items()},
        "pieces": [SHORTEST, LONGEST],
        "steps": RECIPE.steps,
        "batch_size": RECIPE.batch_size,
        "parameters": sum(p.numel() for p in build().parameters()),
        "nats": contest.part([(DIFFUSION, TWIN)], "nats"),
        "of which the length": round(
            (length_nll(known.test, known.train).sum() / n_pieces(known.test).sum()).item(), 4
        ),
        "standard error of a bound": max(one["error"] for one in scores[DIFFUSION]),
        "written": WRITTEN,
        "true sentences": judged(pieces_of(known.test)[:WRITTEN, :LONGEST]),
        **{mark: written_differences(scores, mark) for mark in MARKS},
        "by way": {way: means(seeds, way) for seeds in scores.values() for way in seeds[0]["ways"]},
        "time": kept_times(contest.done),
        "minutes": contest.done.minutes,
    }


def written_differences(scores: dict[str, list[dict[str, Any]]], mark: str) -> dict[str, Any]:
    """A mark of all ways to write, and how far each of diffusion's is from the twin's."""
    values = {
        way: [seed["ways"][way][mark] for seed in seeds]
        for seeds in scores.values()
        for way in seeds[0]["ways"]
    }
    tried = {way: [round(f, 3) for f in FACTORS] for way in values}
    pairs = [(way, TWIN) for way in WAYS]
    return compared_rivals(values, tried, pairs, lower_is_better=MARKS[mark])


def means(seeds: list[dict[str, Any]], way: str) -> dict[str, float]:
    """The mean over seeds of all that is said of one way's texts."""
    marks = seeds[0]["ways"][way]
    return {mark: round(fmean(seed["ways"][way][mark] for seed in seeds), 4) for mark in marks}
