"""What a training run was like."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class History:
    """Loss and learning rate of each step, and what the evaluations said.

    losses[i] and lrs[i] belong to step i + 1: the loss was measured before the step changed the
    weights. evaluations: dicts of "step" (so many steps were done) and the values of `evaluate`.
    best_step and best_value: the evaluation whose weights were kept, None without keep_best.
    seconds[i]: seconds from the start to step i + 1, breaks between resumed runs left out; no part
    of comparisons or of what is printed, as no two runs agree on it.
    """

    losses: list[float] = field(default_factory=list)
    lrs: list[float] = field(default_factory=list)
    evaluations: list[dict[str, float]] = field(default_factory=list)
    best_step: int | None = None
    best_value: float | None = None
    seconds: list[float] = field(default_factory=list, compare=False)

    def __len__(self) -> int:
        return len(self.losses)

    @property
    def records(self) -> list[dict[str, float]]:
        """One dict a step: step, loss, lr, and "validation_..." where it was evaluated."""
        rows = [
            {"step": i + 1, "loss": loss, "lr": lr}
            for i, (loss, lr) in enumerate(zip(self.losses, self.lrs, strict=True))
        ]
        for found in self.evaluations:
            values = {f"validation_{k}": v for k, v in found.items() if k != "step"}
            rows[int(found["step"]) - 1] |= values
        return rows

    def curve(self, name: str = "loss") -> list[tuple[int, float]]:
        """Pairs (step, value) of what `records` calls by this name; steps without it are left out."""
        found = [(int(row["step"]), row[name]) for row in self.records if name in row]
        if not found:
            known = sorted({key for row in self.records for key in row} - {"step"})
            raise ValueError(f"Nothing called {name!r} was recorded, only {', '.join(known)}.")
        return found

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and numbers, for a file."""
        return asdict(self)

    def __repr__(self) -> str:
        if not self.losses:
            return "History of 0 steps"
        text = f"History of {len(self)} steps: loss {self.losses[0]:.4f} -> {self.losses[-1]:.4f}"
        for name, value in (self.evaluations[-1] if self.evaluations else {}).items():
            text += "" if name == "step" else f", validation_{name} {value:.4f}"
        return text + (f"; best after step {self.best_step}" if self.best_step is not None else "")
