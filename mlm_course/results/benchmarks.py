"""Recorded benchmarks: our own code beside what others wrote, taking turns within one run.

`make bench` runs them all, `python tests/bench/run.py NAME ...` some; both write benchmarks.json, in
which every part says on what machine and with what versions it was measured.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlm_course.text_files import read_json, write_text

COLUMNS = ("what", "ours", "peer", "ratio (quartiles)", "bar", "met")
UNMEASURED = ("not measured", "failed")  # why a part has no findings


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One measured number beside another's, and the bar it is held against.

    ours and theirs in `unit`; theirs is None where there is nobody to compare with, `peer` says who
    it is. ratio: what is judged where there is a peer, None if it could not be had; what it says
    (how many times as fast, or what share) stands in `what`. low, high: quartiles of the ratios of
    single rounds. at_least, at_most: the bar of the ratio, or of ours alone; neither: no bar.
    """

    what: str
    ours: float
    unit: str
    peer: str = ""
    theirs: float | None = None
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    at_least: float | None = None
    at_most: float | None = None

    @property
    def met(self) -> bool | None:
        """Whether the bar was met; None without one."""
        if self.at_least is None and self.at_most is None:
            return None
        judged = self.ours if self.theirs is None else self.ratio
        if judged is None:
            return False
        return (self.at_least is None or judged >= self.at_least) and (
            self.at_most is None or judged <= self.at_most
        )

    def cells(self) -> tuple[str, ...]:
        """What stands in the table's columns."""
        theirs = "" if self.theirs is None else f"{self.peer} {number(self.theirs)} {self.unit}"
        met = {True: "yes", False: "**no**", None: ""}[self.met]
        return (
            self.what,
            f"{number(self.ours)} {self.unit}",
            theirs,
            self._ratio(),
            self._bar(),
            met,
        )

    def __str__(self) -> str:
        what, ours, theirs, ratio, bar, _ = self.cells()
        line = f"{what}: {ours}" + (f" against {theirs}" if theirs else "")
        line += (f" = {ratio}" if ratio else "") + (f"; bar {bar}" if bar else "")
        return line + (": MISSED" if self.met is False else "")

    def _ratio(self) -> str:
        if self.ratio is None:
            return ""
        spread = "" if self.low is None else f" ({number(self.low)} to {number(self.high or 0)})"
        return number(self.ratio) + spread

    def _bar(self) -> str:
        if self.at_least is not None and self.at_most is not None:
            return f"{self.at_least:g} to {self.at_most:g}"
        if self.at_least is not None:
            return f"at least {self.at_least:g}"
        return "" if self.at_most is None else f"at most {self.at_most:g}"


def number(value: float) -> str:
    """Three digits, all of those before the point."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def write_part(path: Path, name: str, part: Mapping[str, Any]) -> None:
    """Puts one part into the record at path; the others stay as they are.

    A part that could not be measured here does not take the place of one that was elsewhere.
    """
    parts = read_json(path) if path.exists() else {}
    if "not measured" in part and "findings" in parts.get(name, {}):
        return
    parts[name] = part
    write_text(path, json.dumps(dict(sorted(parts.items())), indent=1) + "\n")


def table(part: Mapping[str, Any]) -> Iterator[str]:
    """Lines of Markdown: the findings of a part, or the sentence that says why there are none."""
    for reason in UNMEASURED:
        if reason in part:
            yield f"{reason.capitalize()}: {part[reason]}"
            return
    yield "| " + " | ".join(COLUMNS) + " |"
    yield "|---" * len(COLUMNS) + "|"
    for finding in part["findings"]:
        cells = (cell.replace("|", "\\|") for cell in Measurement(**finding).cells())
        yield "| " + " | ".join(cells) + " |"
