"""The mask playground: a text, a strategy, a ratio, and the tokens that are hidden."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import traitlets

from mlm_course.views import checks, token_strip
from mlm_course.widgets.base import CourseWidget, script

Strategy = Callable[[float, int], Sequence[bool]]


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
        try:
            self.masked = self._chosen()
            self.error = ""
        except Exception as problem:
            first = (str(problem) or type(problem).__name__).splitlines()[0]
            self.error = f"“{self.strategy}” could not choose: {first}"

    def _chosen(self) -> list[bool]:
        chosen = self._strategies[self.strategy](self.ratio, self.seed)
        view = token_strip(self.view["tokens"], chosen, maskable=self.view["maskable"])
        return view["masked"]

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
