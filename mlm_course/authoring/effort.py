"""How long a lesson takes a learner, from what there is to read, to write and to run."""

import math

from mlm_course.authoring.cells import Source
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
        words(source) / WORDS_A_MINUTE
        + sum(practice.minutes.values())
        + practice.questions * MINUTES_A_QUESTION
        + (lines_to_read(source) * SECONDS_A_LINE + seconds) / 60
    )
    return math.ceil(minutes / 30) / 2


def words(source: Source) -> int:
    """Words of prose, headings and references included, markers of records left out."""
    prose = (MARKER.sub("", cell.text) for cell in source.cells if cell.kind == "markdown")
    return sum(len(text.split()) for text in prose)


def lines_to_read(source: Source) -> int:
    """Lines of code that a learner gets and need not write."""
    given = (
        cell.text.splitlines()
        for cell in source.cells
        if cell.kind == "code" and not cell.exercise and "author" not in cell.tags
    )
    return sum(bool(line.strip()) for lines in given for line in lines)
