"""Rows longer than those trained on: positions learned, sinusoidal or rotary, on tinyworld. Lesson 5.

Planned before the run:

- Rows are sentences of tinyworld one behind the other, drawn independently. Of positions such rows
  demand that a model knows the order inside a sentence and what stands near; the place in the row
  says nothing. The exact floor is the sum of the sentences' floors, whatever the rows.
- One encoder (2 layers of 64 dimensions, pre-norm, BERT's parts otherwise) has its positions in three
  ways. All tables start with standard deviation .1, token table included. Sinusoidal: the table is
  overwritten with waves of that size and not trained. Rotary: queries and keys are rotated, base
  10,000, and there is no table.
- All three train on rows of 2 sentences; learned positions further on keep their random start. A
  fourth rival, rotary trained on rows of 8, as many sentences a step, says whether longer rows are
  harder in themselves.
- The test: the same sentences with the same 15 % hidden, 2, 4 and 8 in a row. Then once more with
  each sentence attending to itself alone, places as they were in rows of 2 and of 8: now only the
  places change.
- Learning rates: each rival takes the best of three on rows as long as its own, with a seed of its own.
  What is recorded is nats above the floor over five seeds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mlm_course.corpora import tinyworld
from mlm_course.corpora.tinyworld import masker, sentences
from mlm_course.corruption import Corrupted, DynamicMasking
from mlm_course.evaluation import evaluation_mode
from mlm_course.experiments._rivals import FACTORS, Contest, Run, scaled
from mlm_course.experiments._scores import ScoreFile
from mlm_course.experiments.tinyworld import masked_test_set
from mlm_course.models import seeded_init
from mlm_course.models.modern import Layout, ModernConfig, ModernMaskedLM
from mlm_course.positions import sinusoidal_positions
from mlm_course.results.comparison import between
from mlm_course.training import Recipe, fit, masked_lm_loss

SHORT, LONG = 2, 8  # sentences a row
LENGTHS = (SHORT, 4, LONG)
TESTED, SENTENCES, A_STEP, RATIO, STD = 800, 20_000, 64, 0.3, 0.1
CONFIG = ModernConfig(
    len(tinyworld.vocabulary()), max_length=LONG * 26, d_model=64, n_layers=2, bias=True,
    gated=False, window=0, global_base=10_000.0, unpad=False,
)  # fmt: skip
RECIPE = Recipe(steps=400, adamw_lr=4e-3)
FOLDER = Path("runs/positions")


def rows_of(ids: Tensor, k: int) -> Tensor:
    """Every k sentences of ids (N, T) in a row, padding behind them: (N / k, longest)."""
    rows = ids.view(len(ids) // k, -1)
    padding = rows == tinyworld.PAD
    order = padding.long().argsort(dim=1, stable=True)
    return rows.gather(1, order)[:, : (~padding).sum(1).max()]


def model_with(positions: str, seed: int) -> ModernMaskedLM:
    """A new model with positions "learned", "sinusoidal" or "rotary"."""
    config = replace(CONFIG, rotary=positions == "rotary")
    model = seeded_init(ModernMaskedLM, config, seed)
    tables = [part for part in model.modules() if isinstance(part, nn.Embedding)]
    with torch.no_grad():
        for table in tables:
            table.weight.mul_(STD / table.weight.std())
    if positions == "sinusoidal":
        waves = sinusoidal_positions(config.max_length, config.d_model)
        tables[1].weight = nn.Parameter(waves * STD * 2**0.5, requires_grad=False)
    return model


@torch.no_grad()
def loss_in_rows(model: ModernMaskedLM, corrupted: Corrupted, k: int, apart: bool = False) -> float:
    """Nats a hidden word with k sentences of corrupted (N, T) in a row, all in view or each by itself."""
    shown, labels, masked = corrupted
    real = shown != tinyworld.PAD
    each = real.sum(1)
    rows = each.view(-1, k).sum(1)
    places = torch.cat([torch.arange(n) for n in rows.tolist()])
    layout = Layout(places, lengths=(each if apart else rows).tolist())
    with evaluation_mode(model):
        x = model.encoder.run(shown[real][None], layout)[0]
        return F.cross_entropy(model.logits(x[masked[real]]), labels[masked]).item()


def distances(factor: float, seed: int, positions: str, k: int) -> dict[str, float]:
    """Nats above the floor after a training on rows of k sentences, for every kind of row."""
    corrupted, floor = masked_test_set(TESTED)
    model = model_with(positions, seed)
    data = DynamicMasking(masker(RATIO), rows_of(sentences(SENTENCES, 1000 + seed), k), seed=seed)
    recipe = replace(RECIPE, batch_size=A_STEP // k)
    fit(model, data, masked_lm_loss, scaled(recipe, factor, seed))

    def above(k: int, apart: bool = False) -> float:
        return round(loss_in_rows(model, corrupted, k, apart) - floor, 4)

    together = {named(each): above(each) for each in LENGTHS}
    apart = {f"{named(each)}, apart": above(each, True) for each in (SHORT, LONG)}
    return {"as trained": together[named(k)], **together, **apart}


def named(k: int) -> str:
    """A kind of row, in words."""
    return f"{k} in a row"


RIVALS: dict[str, Run] = {
    "learned": partial(distances, positions="learned", k=SHORT),
    "sinusoidal": partial(distances, positions="sinusoidal", k=SHORT),
    "rotary": partial(distances, positions="rotary", k=SHORT),
    "rotary, trained long": partial(distances, positions="rotary", k=LONG),
}
PAIRS = [
    ("rotary", "learned"), ("rotary", "sinusoidal"), ("sinusoidal", "learned"),
    ("rotary", "rotary, trained long"),
]  # fmt: skip


def against_short(contest: Contest, rival: str, rows: Iterable[str], short: str) -> dict[str, Any]:
    """What a rival scores in each kind of row, held against the short ones: a part."""
    kinds = [short, *rows]
    values = {kind: [scores[kind] for scores in contest.all_scores(rival)] for kind in kinds}
    pairs = [(kind, short) for kind in kinds[1:]]
    return {"values": values, "differences": between(values, pairs, lower_is_better=True)}


def run(folder: str | Path = FOLDER) -> dict[str, Any]:
    """Rivals against each other in each kind of row, and each against itself in short ones."""
    corrupted, floor = masked_test_set(TESTED)
    done = ScoreFile(Path(folder), f"{CONFIG} {RECIPE} {FACTORS}", "other settings")
    contest = Contest(done, "rows", RIVALS, "as trained")
    short, longer = named(SHORT), [named(k) for k in LENGTHS if k > SHORT]
    return {
        "sentences a row": {"trained": SHORT, "trained long": LONG, "tested": list(LENGTHS)},
        "longest row": {named(k): rows_of(corrupted.input_ids, k).shape[1] for k in LENGTHS},
        "recipe": asdict(RECIPE) | {"batch_size": f"{A_STEP} sentences"},
        "mask_ratio": RATIO,
        "floor": round(floor, 4),
        "rows": {kind: contest.part(PAIRS, kind) for kind in (short, *longer)},
        "longer": {rival: against_short(contest, rival, longer, short) for rival in RIVALS},
        "apart": {
            rival: against_short(contest, rival, [f"{longer[-1]}, apart"], f"{short}, apart")
            for rival in RIVALS
        },
        "minutes": done.minutes,
    }
