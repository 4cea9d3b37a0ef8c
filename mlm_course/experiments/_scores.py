"""Scores that an experiment writes down as they come, so that after a kill the same command goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


class ScoreFile:
    """Scores by key, in a file of one line each: the first says of which experiment.

    fingerprint: what the scores depend on; others: in words, what a folder with another one holds
    scores of. Errors: ValueError for such a folder.
    """

    def __init__(self, folder: Path, fingerprint: str, others: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "scores.jsonl"
        text = self.path.read_text("utf-8") if self.path.exists() else ""
        lines = [line for line in text.splitlines(keepends=True) if line.endswith("\n")]
        lines = lines or [json.dumps({"fingerprint": fingerprint}) + "\n"]
        if json.loads(lines[0])["fingerprint"] != fingerprint:
            raise ValueError(f"{folder} holds scores of {others}: delete it.")
        self.path.write_text("".join(lines), "utf-8")  # without a line that a kill cut off
        self.scores = {row["key"]: row for row in map(json.loads, lines[1:])}

    def add(self, key: str, scores: dict[str, Any], seconds: float) -> None:
        """Keeps what was worked out in so many seconds."""
        row: dict[str, Any] = {"key": key, **scores, "seconds": round(seconds, 2)}
        self.scores[key] = row
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    @property
    def minutes(self) -> float:
        """Of all scores together, however often the command was called."""
        return round(sum(row["seconds"] for row in self.scores.values()) / 60, 1)
