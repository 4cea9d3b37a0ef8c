"""Rivals tuned alike, then compared over five seeds: what experiments on small models share.

Every rival multiplies its usual learning rates by each of FACTORS (or of the contest's own), with the
seed TUNING, and keeps the one that ends best; then it is trained with five other seeds. A seed draws
sentences to train on, first weights, their order and their masks; so values of one seed belong
together. The test set stays.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from mlm_course.experiments._scores import ScoreFile
from mlm_course.results.comparison import compared_rivals
from mlm_course.training import Recipe

FACTORS = (1 / 3, 1.0, 3.0)
TUNING = 100
SEEDS = (1, 2, 3, 4, 5)

# run(factor, seed) -> scores by name: one training, and what came of it
Run = Callable[[float, int], dict[str, Any]]


def scaled(recipe: Recipe, factor: float, seed: int) -> Recipe:
    """A recipe with its learning rates times a factor, and a seed."""
    return replace(recipe, lr=recipe.peak * factor, adamw_lr=recipe.adamw_lr * factor, seed=seed)


class Contest:
    """Rivals of one question. Scores are written to a file as they come; what is there is not done again."""

    def __init__(
        self, done: ScoreFile, question: str, rivals: Mapping[str, Run], metric: str,
        lower_is_better: bool = True, factors: Sequence[float] = (),
    ) -> None:  # fmt: skip
        self.done, self.question, self.rivals = done, question, rivals
        self.factors = factors or FACTORS
        self.metric, self.lower_is_better = metric, lower_is_better

    def scores(self, rival: str, factor: float, seed: int) -> dict[str, Any]:
        """Of one training: from the file, or worked out now."""
        key = f"{self.question} | {rival} | {factor:.3g} | {seed}"
        if key not in self.done.scores:
            start = time.perf_counter()
            scores = self.rivals[rival](factor, seed)
            self.done.add(key, scores, time.perf_counter() - start)
        return self.done.scores[key]

    def chosen(self, rival: str) -> float:
        """The factor with which a rival ends best after the seed for tuning."""
        sign = 1 if self.lower_is_better else -1
        return min(self.factors, key=lambda f: sign * self.scores(rival, f, TUNING)[self.metric])

    def all_scores(self, rival: str) -> list[dict[str, Any]]:
        """Of the five seeds, with the factor chosen."""
        return [self.scores(rival, self.chosen(rival), seed) for seed in SEEDS]

    def values(self, metric: str) -> dict[str, list[float]]:
        """One value a seed for each rival."""
        return {
            rival: [scores[metric] for scores in self.all_scores(rival)] for rival in self.rivals
        }

    def part(
        self,
        pairs: Iterable[tuple[str, str]],
        metric: str = "",
        lower_is_better: bool | None = None,
    ) -> dict[str, Any]:
        """A part of the record: factors, values and differences of a metric, else that tuned by."""
        lower = self.lower_is_better if lower_is_better is None else lower_is_better
        tried = {rival: [round(f, 3) for f in self.factors] for rival in self.rivals}
        chosen = {rival: round(self.chosen(rival), 3) for rival in self.rivals}
        values = self.values(metric or self.metric)
        return {"chosen": chosen, **compared_rivals(values, tried, pairs, lower_is_better=lower)}


def each_against(rivals: Iterable[str], base: str) -> list[tuple[str, str]]:
    """Pairs of every rival but the base with the base."""
    return [(rival, base) for rival in rivals if rival != base]
