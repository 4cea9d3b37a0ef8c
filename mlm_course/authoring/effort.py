"""How long a lesson takes a learner, from what there is to read, to write and to run."""

import math

from mlm_course.authoring.cells import Cell, Source
from mlm_course.authoring.evidence import MARKER
from mlm_course.authoring.practice_data import PracticeData

# Plain prose is read at 240 words a minute; a text with symbols, shapes and figures to look at, and
# with predictions to make before the next cell is run, at a good half of that.
WORDS_A_MINUTE = 150
MINUTES_A_QUESTION = 1
SECONDS_A_LINE = 3  # of code that is there to be read; an exercise has minutes of its own


def hours(source: Source, practice: PracticeData, seconds: float) -> float:
    """Hours for a learner, rounded up to the next half; `seconds` are the machine's."""
    minutes = (
        sum(map(reading, source.cells))
        + sum(practice.minutes.values())
        + practice.questions * MINUTES_A_QUESTION
        + seconds / 60
    )
    return math.ceil(minutes / 30) / 2


def reading(cell: Cell) -> float:
    """Minutes to read a cell: prose, or code that a learner gets and need not write."""
    if cell.kind == "markdown":
        return _words(cell) / WORDS_A_MINUTE
    if cell.exercise or "author" in cell.tags:
        return 0.0
    return sum(bool(line.strip()) for line in cell.text.splitlines()) * SECONDS_A_LINE / 60


def words(source: Source) -> int:
    """Words of prose, headings and references included, markers of records left out."""
    return sum(_words(cell) for cell in source.cells if cell.kind == "markdown")


def _words(cell: Cell) -> int:
    return len(MARKER.sub("", cell.text).split())
