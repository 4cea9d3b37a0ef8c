"""The mask playground: a text, a strategy, a ratio, and the tokens that are hidden."""

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby, product
from typing import Any

import numpy as np
import traitlets

from mlm_course.views import checks, token_strip
from mlm_course.views.strip import hidden_of
from mlm_course.widgets.base import CourseWidget, script

Strategy = Callable[[float, int], Sequence[bool]]
RATIOS = 20  # steps of the slider from 0 to 1
SEEDS = 20  # that are stored for a page without Python, at most
STORED = 40_000  # bytes for their choices, unless those of one seed are more


class MaskPlayground(CourseWidget):
    """Text to hide tokens in, by a strategy or by hand.

    tokens, T strings, at least one; strategies, a mapping from a name to a function
    (ratio, seed) -> T booleans; maskable bool (T,), True = candidate for hiding. masked holds the
    result, a list of T booleans, and may be set; strategy, ratio and seed too, and then masked is
    drawn again. Where a strategy fails, error says so and masked stays as it was. ValueError for
    lengths that do not match.
    """

    _esm = script("mask_playground.js")

    strategy = traitlets.Unicode().tag(sync=True)
    ratio = traitlets.Float(0.15).tag(sync=True)
    seed = traitlets.Int(0).tag(sync=True)
    masked = traitlets.List(traitlets.Bool()).tag(sync=True)
    error = traitlets.Unicode().tag(sync=True)

    def __init__(
        self,
        tokens: Iterable[str],
        strategies: Mapping[str, Strategy],
        ratio: float = 0.15,
        seed: int = 0,
        maskable: Any = None,
    ) -> None:
        if not isinstance(strategies, Mapping):
            kind = type(strategies).__name__
            raise ValueError(f"strategies must map a name to a function; it is {kind}.")
        view = token_strip(tokens, maskable=maskable)
        if not view["tokens"] or not strategies:
            raise ValueError("A playground needs at least one token and one strategy.")
        self._strategies = {str(name): strategy for name, strategy in strategies.items()}
        names = list(self._strategies)
        super().__init__(
            view={**view, "strategies": names},
            strategy=names[0],
            ratio=checks.number("ratio", ratio),
            seed=checks.whole("seed", seed),
            masked=view["masked"],
        )
        self._draw()
        self.observe(self._draw, ["strategy", "ratio", "seed"])

    def _draw(self, change: Any = None) -> None:
        """Lets the strategy choose; a failure becomes one sentence and changes nothing else."""
        masked, error = self._chosen(self.strategy, self.ratio, self.seed)
        if not error:
            self.masked = masked
        self.error = error

    def _chosen(self, strategy: str, ratio: float, seed: int) -> tuple[list[bool], str]:
        """What a strategy chooses, and "" or the sentence on why it could not."""
        try:
            chosen = self._strategies[strategy](ratio, seed)
            return hidden_of(self.view["tokens"], chosen, self.view["maskable"]), ""
        except Exception as problem:
            first = (str(problem) or type(problem).__name__).splitlines()[0]
            return [False] * len(self.view["tokens"]), f"“{strategy}” could not choose: {first}"

    def page_state(self) -> dict[str, Any]:
        """State with what every strategy chooses at the slider's ratios, for the first seeds.

        Each strategy has the bits of the candidates, ratio by ratio and seed by seed, in base64, and
        its failures, [first draw, last draw, sentence].
        """
        ratios = sorted({self.ratio, *(place / RATIOS for place in range(RATIOS + 1))})
        bits = len(ratios) * len(self._strategies) * max(sum(self.view["maskable"]), 1)
        seeds = max(1, min(SEEDS, 8 * STORED // bits))
        draws = list(product(ratios, range(self.seed, self.seed + seeds)))
        chosen = [self._packed(name, draws) for name in self._strategies]
        kept = {"ratios": ratios, "first": self.seed, "seeds": seeds, "chosen": chosen}
        return {**super().page_state(), "offline": kept}

    def _packed(self, strategy: str, draws: list[tuple[float, int]]) -> dict[str, Any]:
        """Choices of one strategy at (ratio, seed) pairs, packed, and its failures."""
        answers = [self._chosen(strategy, ratio, seed) for ratio, seed in draws]
        bits = np.array([masked for masked, _ in answers])[:, np.array(self.view["maskable"])]
        packed = base64.b64encode(np.packbits(bits).tobytes()).decode()
        failed = []
        for error, stretch in groupby(range(len(answers)), lambda place: answers[place][1]):
            places = list(stretch)
            failed += [[places[0], places[-1], error]] if error else []
        return {"bits": packed, "failed": failed}

    @traitlets.validate("strategy")
    def _known(self, proposal: dict[str, Any]) -> str:
        if proposal["value"] not in self._strategies:
            raise traitlets.TraitError(f"There is no strategy {proposal['value']!r}.")
        return proposal["value"]

    @traitlets.validate("ratio")
    def _share(self, proposal: dict[str, Any]) -> float:
        if not 0 <= proposal["value"] <= 1:
            raise traitlets.TraitError("ratio must lie between 0 and 1.")
        return proposal["value"]

    @traitlets.validate("seed")
    def _whole(self, proposal: dict[str, Any]) -> int:
        if proposal["value"] < 0:
            raise traitlets.TraitError("seed must be zero or more.")
        return proposal["value"]

    @traitlets.validate("masked")
    def _fits(self, proposal: dict[str, Any]) -> list[bool]:
        maskable, value = self.view["maskable"], proposal["value"]
        if len(value) != len(maskable) or any(h > c for h, c in zip(value, maskable, strict=True)):
            raise traitlets.TraitError("masked needs one boolean a token, False where maskable is.")
        return value

    def picture(self) -> dict[str, Any]:
        """View of the tokens as they are hidden now."""
        strip = token_strip(self.view["tokens"], self.masked, maskable=self.view["maskable"])
        settings = f"{self.strategy}, ratio {self.ratio:.2f}, seed {self.seed}"
        lines = [settings, strip["summary"], *([self.error] if self.error else [])]
        return {**strip, "summary": "\n".join(lines)}
