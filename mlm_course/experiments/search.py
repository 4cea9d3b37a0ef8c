"""Which passage answers a query: vectors before and after contrastive training, words, both. Lesson 8.

Queries are the first sentences of docstrings, passages what follows them, both from modules that the
pretraining has not seen. Everything that is chosen (learning rates, how words are counted) is chosen
among three values on modules of the training side, with one seed; for that the trainings are shorter
(TUNING_STEPS). What is trained differs in one thing each: what is asked (SimCSE), whether rare words are
heard (`RareWordEncoder`), whether weights are pretrained. Each setting and seed is written to its own
file as it finishes; the same command again goes on from there.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from mlm_course import evaluation
from mlm_course.corpora import passages, python_docs
from mlm_course.corpora.passages import QueryPair
from mlm_course.experiments import python_docs as pretraining
from mlm_course.hub import HubUnreachable
from mlm_course.models import Encoder, load_pretrained, seeded_init
from mlm_course.models.encoder import with_dropout
from mlm_course.models.minilm import load_minilm
from mlm_course.results.comparison import FEWEST, compare
from mlm_course.search import (
    RareWordEncoder,
    TextEncoder,
    VectorIndex,
    WordIndex,
    rarity,
    reciprocal_rank_fusion,
    standard_score_fusion,
)
from mlm_course.text_files import read_json, write_text
from mlm_course.training import Recipe, TextPairs, contrastive_loss, fit

RECIPE = Recipe(
    steps=200, batch_size=64, optimizer="adamw", betas=(0.9, 0.999), warmup=0.1, precision="bf16",
)  # fmt: skip
TUNING_STEPS = 40
LEARNING_RATES = (1e-4, 4e-4, 1.6e-3)
TEMPERATURE = 0.05  # as in Gao et al. 2021
N_WORDS = (1, 2, 3)  # neighbouring words that are counted together
DROPOUT = 0.1
LENGTH = 64  # tokens of a text in training
SEEDS = 5
DEVELOPMENT = 800  # pairs, at least, in whole modules
RESAMPLES = 2000


class Training(NamedTuple):
    """What is trained: from which weights, whether rare words are heard, and what is asked.

    in_pairs: a query is asked for its passage; else each of the same texts for itself, which dropout has
    changed (SimCSE): nobody says what belongs together.
    """

    pretrained: bool = True
    rare_words: bool = False
    in_pairs: bool = True


TRAININGS = {
    "simcse": Training(in_pairs=False),
    "contrastive": Training(),
    "contrastive, random start": Training(pretrained=False),
    "contrastive, rare words": Training(rare_words=True),
    "contrastive, rare words, random start": Training(pretrained=False, rare_words=True),
}


class Queries(NamedTuple):
    """Queries, the passages that answer them in the same order, and the modules they are from."""

    queries: list[str]
    texts: list[str]
    modules: list[str]


@dataclass(frozen=True)
class SearchPlan:
    """Everything that an experiment needs: models, pairs, sizes."""

    encoder: Encoder
    tokenizer: Tokenizer
    train: list[QueryPair]
    test: list[QueryPair]
    published: tuple[Encoder, Tokenizer] | None = None
    recipe: Recipe = RECIPE
    tuning_steps: int = TUNING_STEPS
    seeds: int = SEEDS
    development: int = DEVELOPMENT


def run(folder: str | Path = "runs/search") -> dict[str, Any]:
    """The whole experiment on the shipped checkpoint: a record that goes into JSON."""
    items = python_docs.docstrings(pretraining.PACKAGES)
    train, test = passages.query_pairs(items, pretraining.unread_modules())
    model, tokenizer = load_pretrained("python_docs")
    plan = SearchPlan(model.encoder, tokenizer, train, test, published_encoder())
    return measure(plan, Path(folder))


def published_encoder() -> tuple[Encoder, Tokenizer] | None:
    """all-MiniLM-L6-v2 and its tokenizer; None where it is not at hand, and the record goes without."""
    try:
        return load_minilm()
    except HubUnreachable as problem:
        print(f"Without the published model: {problem}", flush=True)
        return None


def measure(plan: SearchPlan, folder: Path) -> dict[str, Any]:
    """Ranks of all settings and seeds, worked out or read from the folder; the record made of them."""
    chosen = tune(plan, folder)
    test = queries_of(plan.test)
    by_words = word_scores(test, chosen["words"]["n_words"])
    ranks = {"words": [answer_ranks(by_words)]}
    seconds: dict[str, list[float]] = {}
    for name, seed, scores in settings(plan, chosen):
        leg = partial(_with_words, name, scores, by_words, test)
        row = _once(folder / f"{_file(name)}-{seed}.json", leg, _about(plan, name, seed, chosen))
        for setting, of_seed in row["ranks"].items():
            ranks.setdefault(setting, []).append(of_seed)
        seconds.setdefault(name, []).append(row["seconds"])
    tensors = {setting: torch.tensor(rows) for setting, rows in ranks.items()}  # (seeds, Q)
    return {
        "chosen": chosen,
        "recipe": asdict(plan.recipe),
        "tuning_steps": plan.tuning_steps,
        "temperature": TEMPERATURE,
        "dropout": DROPOUT,
        "length": LENGTH,
        "data": _sizes(plan),
        "test_modules": sorted(set(test.modules)),
        "minutes_each": {name: round(sum(s) / len(s) / 60, 2) for name, s in seconds.items()},
        "scores": [row for setting, rows in tensors.items() for row in _rows(setting, rows)],
        "differences": _differences(tensors, test.modules),
    }


def queries_of(pairs: Sequence[QueryPair]) -> Queries:
    return Queries(
        [pair.query for pair in pairs],
        [pair.text for pair in pairs],
        [pair.module for pair in pairs],
    )


# --- what is compared ---

Scores = Callable[[Queries], Tensor]  # -> (Q, N), of all passages for each query


def settings(plan: SearchPlan, chosen: Mapping[str, Any]) -> Iterator[tuple[str, int, Scores]]:
    """(name, seed, how it scores passages) of everything that is compared, but for words alone."""
    trainer = Trainer(plan, plan.train)
    ours = partial(TextEncoder, tokenizer=plan.tokenizer)
    yield "raw", 0, partial(vector_scores, ours(plan.encoder))
    yield "centred", 0, partial(vector_scores, ours(plan.encoder), centred=True)
    if plan.published is not None:
        length = plan.encoder.config.max_length
        theirs = TextEncoder(*plan.published, special_tokens=True, length=length)
        yield "published", 0, partial(vector_scores, theirs)
    yield "rare words", 0, lambda on: vector_scores(ours(trainer.start(TRAININGS[_RARE], 0)), on)
    for seed in range(plan.seeds):
        twin = seeded_init(Encoder, plan.encoder.config, seed)
        yield "random", seed, partial(vector_scores, ours(twin), centred=True)
        for name in TRAININGS:
            recipe = replace(plan.recipe, lr=chosen[name]["lr"], seed=seed)
            yield name, seed, partial(trainer.scores, name, recipe)


_RARE = "contrastive, rare words"


def vector_scores(embed: TextEncoder, on: Queries, centred: bool = False) -> Tensor:
    vectors = embed(on.texts)
    return VectorIndex(embed, vectors, vectors.mean(0) if centred else None).scores(on.queries)


def word_scores(on: Queries, n_words: int) -> Tensor:
    return WordIndex(on.texts, n_words).scores(on.queries)


class Trainer:
    """Contrastive training on pairs, whose rows are made when they are first needed."""

    def __init__(self, plan: SearchPlan, pairs: Sequence[QueryPair]) -> None:
        self.plan, self.pairs = plan, pairs

    @cached_property
    def rows(self) -> tuple[Tensor, Tensor]:
        """Queries and passages, a row of ids each."""
        rows = TextEncoder(self.plan.encoder, self.plan.tokenizer, length=LENGTH).rows
        return rows([pair.query for pair in self.pairs]), rows([pair.text for pair in self.pairs])

    @cached_property
    def rarity(self) -> Tensor:
        """Of tokens in passages (V,)."""
        return rarity(self.rows[1], self.plan.encoder.config.vocab_size)

    def start(self, training: Training, seed: int) -> Encoder | RareWordEncoder:
        """The model before training; random weights follow from the seed."""
        encoder = self.plan.encoder
        if not training.pretrained:
            encoder = seeded_init(Encoder, encoder.config, seed)
        encoder = with_dropout(encoder, DROPOUT).eval()
        return RareWordEncoder(encoder, self.rarity) if training.rare_words else encoder

    def data(self, training: Training) -> TextPairs:
        queries, texts = self.rows
        if training.in_pairs:
            return TextPairs(queries, texts)
        width = max(queries.shape[1], texts.shape[1])
        padded = [nn.functional.pad(x, (0, width - x.shape[1])) for x in self.rows]
        return TextPairs(*[torch.cat(padded)] * 2)

    def scores(self, name: str, recipe: Recipe, on: Queries) -> Tensor:
        """Those of the model after training by the recipe."""
        training = TRAININGS[name]
        model = self.start(training, recipe.seed)
        loss = partial(contrastive_loss, temperature=TEMPERATURE)
        fit(model, self.data(training), loss, recipe)
        return vector_scores(TextEncoder(model, self.plan.tokenizer), on)


# --- what is chosen, on the training side ---


def tune(plan: SearchPlan, folder: Path) -> dict[str, dict[str, Any]]:
    """How many words are counted together, and each training's learning rate: the best of three."""
    train, development = development_split(plan.train, plan.development)
    on, trainer = queries_of(development), Trainer(plan, train)
    of_words = {n: mrr(answer_ranks(word_scores(on, n))) for n in N_WORDS}
    chosen = {"words": {"n_words": _best(of_words), "tried": _tried(of_words)}}
    for name in TRAININGS:
        tried: dict[float, float] = {}
        for lr in LEARNING_RATES:
            recipe = replace(plan.recipe, steps=plan.tuning_steps, lr=lr, seed=100)
            leg = partial(_alone, name, partial(trainer.scores, name, recipe), on)
            path = folder / f"tune-{_file(name)}-{lr:g}.json"
            row = _once(path, leg, _about(plan, name, 100, lr))
            tried[lr] = mrr(row["ranks"][name])
        chosen[name] = {"lr": _best(tried), "tried": _tried(tried)}
    return chosen


def _best(scores: Mapping[Any, float]) -> Any:
    return max(scores, key=scores.__getitem__)


def _tried(scores: Mapping[Any, float]) -> list[dict[str, Any]]:
    return [{"setting": setting, "mrr": round(value, 4)} for setting, value in scores.items()]


def development_split(
    pairs: Sequence[QueryPair], least: int
) -> tuple[list[QueryPair], list[QueryPair]]:
    """The pairs without some modules, and those of these modules, at least so many pairs."""
    counts: dict[str, int] = {}
    for pair in pairs:
        counts[pair.module] = counts.get(pair.module, 0) + 1
    order = sorted(counts)
    random.Random(0).shuffle(order)
    drawn: set[str] = set()
    while order and sum(counts[module] for module in drawn) < least:
        drawn.add(order.pop())
    kept = [pair for pair in pairs if pair.module not in drawn]
    return kept, [pair for pair in pairs if pair.module in drawn]


# --- legs ---


def answer_ranks(scores: Tensor) -> list[int]:
    """The place of each query's own passage: scores (Q, Q), passages in the queries' order."""
    return evaluation.answer_ranks(scores, torch.arange(len(scores))).tolist()


def mrr(ranks: Sequence[int]) -> float:
    return evaluation.mean_reciprocal_rank(torch.tensor(ranks))


Ranks = dict[str, dict[str, list[int]]]


def _alone(name: str, scores: Scores, on: Queries) -> Ranks:
    return {"ranks": {name: answer_ranks(scores(on))}}


def _with_words(name: str, scores: Scores, by_words: Tensor, on: Queries) -> Ranks:
    """Ranks by one search, and fused with words in two ways."""
    tables = by_words, scores(on)
    fused = {
        name: tables[1],
        f"words + {name}": standard_score_fusion(tables),
        f"words + {name}, by places": reciprocal_rank_fusion(tables),
    }
    return {"ranks": {setting: answer_ranks(table) for setting, table in fused.items()}}


def _file(name: str) -> str:
    return name.replace(", ", "-").replace(" ", "_")


def _once(path: Path, leg: Callable[[], dict[str, Any]], about: Any) -> dict[str, Any]:
    """What a leg came to: read from its file if that is there and of this plan, else worked out."""
    about = json.loads(json.dumps(about))
    if path.exists() and (row := read_json(path)).get("about") == about:
        return row
    began = time.perf_counter()
    row = {"about": about, **leg(), "seconds": time.perf_counter() - began}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(row))
    for name, ranks in row["ranks"].items():
        print(path.stem, name, _scores(torch.tensor(ranks)), flush=True)
    return row


def _about(plan: SearchPlan, name: str, seed: int, chosen: Any) -> dict[str, Any]:
    """What a leg's file has to agree in with the plan, so that no other one's is read."""
    weights = sum(p.double().abs().sum().item() for p in plan.encoder.parameters())
    return {"setting": name, "seed": seed, "chosen": chosen, "recipe": asdict(plan.recipe),
            "tuning_steps": plan.tuning_steps, "data": _sizes(plan), "weights": round(weights, 2),
            "dropout": DROPOUT, "length": LENGTH, "temperature": TEMPERATURE}  # fmt: skip


def _sizes(plan: SearchPlan) -> dict[str, int]:
    return {"train": len(plan.train), "test": len(plan.test), "development": plan.development}


# --- the record ---


def _scores(ranks: Tensor) -> dict[str, float]:
    return {
        "mrr": round(evaluation.mean_reciprocal_rank(ranks), 4),
        "first": round(evaluation.recall_at(ranks, 1), 4),
        "among_ten": round(evaluation.recall_at(ranks, 10), 4),
    }


def _rows(setting: str, ranks: Tensor) -> Iterable[dict[str, Any]]:
    for seed, of_seed in enumerate(ranks):
        yield {"setting": setting, "seed": seed, **_scores(of_seed)}


COMPARED = (
    ("centred", "raw"), ("centred", "random"), ("simcse", "raw"), ("contrastive", "raw"),
    ("contrastive", "simcse"), ("contrastive", "contrastive, random start"),
    ("rare words", "raw"), (_RARE, "contrastive"), (_RARE, "rare words"),
    (_RARE, f"{_RARE}, random start"), (_RARE, "words"),
    (_RARE, "published"), ("published", "words"), (f"words + {_RARE}", "words"),
    (f"words + {_RARE}", f"words + {_RARE}, by places"), (f"words + {_RARE}", _RARE),
    (f"words + {_RARE}", f"words + {_RARE}, random start"), (f"words + {_RARE}", "published"),
    ("words + contrastive", "words"), ("words + rare words", "words"),
    ("words + published", "words"), ("words + published", "published"),
)  # fmt: skip


def _differences(ranks: Mapping[str, Tensor], modules: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {"first": a, "second": b, **difference(ranks[a], ranks[b], modules)}
        for a, b in COMPARED
        if a in ranks and b in ranks
    ]


def difference(first: Tensor, second: Tensor, modules: Sequence[str]) -> dict[str, Any]:
    """How much larger the MRR of `first` is, with 95 % intervals over queries and over seeds.

    ranks (seeds, Q) each, or (1, Q) where nothing is drawn. Both are on the same queries, so differences
    are paired. Over queries: the means over seeds, whole modules drawn anew (bootstrap, percentiles).
    Over seeds: as in `compare`; None where there are too few.
    """
    each = [(1 / ranks.double()).mean(1) for ranks in (first, second)]  # (seeds,)
    seeds = max(map(len, each))
    gaps = (1 / first.double()).mean(0) - (1 / second.double()).mean(0)  # (Q,)
    over_seeds = compare(*(x.expand(seeds).tolist() for x in each)) if seeds >= FEWEST else None
    return {
        "mrr": round(gaps.mean().item(), 4),
        "over_queries": module_bootstrap(gaps, modules),
        "over_seeds": over_seeds and [round(over_seeds.low, 4), round(over_seeds.high, 4)],
        "seeds": seeds,
    }


def module_bootstrap(values: Tensor, modules: Sequence[str], seed: int = 0) -> list[float]:
    """A 95 % interval of the mean of values (Q,) if other modules had been drawn.

    Queries of one module resemble each other, so modules are drawn, not queries.
    """
    names = sorted(set(modules))
    place = torch.tensor([names.index(module) for module in modules])
    sums = torch.zeros(len(names), dtype=torch.float64).index_add(0, place, values.double())
    counts = torch.bincount(place, minlength=len(names)).double()
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randint(len(names), (RESAMPLES, len(names)), generator=generator)
    means = sums[drawn].sum(1) / counts[drawn].sum(1)
    return [round(value, 4) for value in means.quantile(means.new_tensor([0.025, 0.975])).tolist()]
