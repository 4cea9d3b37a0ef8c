"""What every lesson keeps to, so that a reader can rely on it."""

import ast
import re
from pathlib import Path

import pytest

from mlm_course.authoring.cells import Cell, Source, place
from mlm_course.authoring.effort import words
from mlm_course.authoring.source import read_source
from mlm_course.practice.exercise import questions

ROOT = Path(__file__).resolve().parents[1]
LESSONS = [read_source(path) for path in sorted((ROOT / "course").glob("[0-9]*.py"))]
each_lesson = pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)


def prose(lesson: Source) -> str:
    return "\n\n".join(cell.text for cell in lesson.cells if cell.kind == "markdown")


@each_lesson
def test_code_fits_the_width_of_a_notebook(lesson):
    for cell in lesson.cells:
        if cell.kind == "code":
            assert max(map(len, cell.text.splitlines())) <= 100, place(lesson.name, cell)


@each_lesson
def test_a_code_cell_fits_on_a_screen(lesson):
    """25 lines, as the solved notebook has them; longer functions belong into the package."""
    code = [cell for cell in lesson.cells if cell.kind == "code"]
    long = {place(lesson.name, c): n for c in code if (n := len(c.solved().splitlines())) > 25}
    assert long == {}


@each_lesson
def test_a_line_of_a_source_can_be_reviewed(lesson):
    lines = (ROOT / "course" / f"{lesson.name}.py").read_text(encoding="utf-8").splitlines()
    assert [number for number, line in enumerate(lines, 1) if len(line) > 120] == []


@each_lesson
def test_a_lesson_can_be_read_in_one_sitting(lesson):
    assert words(lesson) <= 3500


@each_lesson
def test_cells_that_only_assert_are_the_authors(lesson):
    code = [cell for cell in lesson.cells if cell.kind == "code" and only_asserts(cell)]
    assert [place(lesson.name, cell) for cell in code if "author" not in cell.tags] == []


def only_asserts(cell: Cell) -> bool:
    """Whether a cell consists of assertions and comments."""
    statements = ast.parse(cell.text).body
    return bool(statements) and all(isinstance(s, ast.Assert) for s in statements)


@each_lesson
def test_the_set_up_cell_alone_says_what_is_fast(lesson):
    """FAST, one thread and a seed come from the generated cell."""
    own = [place(lesson.name, cell) for cell in lesson.cells if "MLM_COURSE_FAST" in cell.text]
    assert own == []


MOST_BOXES = 3  # in a lesson: for what readers really believe; course/myths.md has the whole list


@each_lesson
def test_myth_boxes_are_few_and_complete(lesson):
    text = prose(lesson)
    claims = len(re.findall(r"^> \*\*Often read:\*\*", text, re.MULTILINE))
    answers = re.findall(r"^> \*\*In fact\*\*(?:(?!\n(?!>)).)*", text, re.MULTILINE | re.DOTALL)
    assert claims <= MOST_BOXES
    assert len(answers) == claims
    for answer in answers:  # a source, or the section of this course that shows more
        assert re.search(r"\d{4}|[Ss]ection|Lesson", answer), answer


@each_lesson
def test_a_lesson_has_its_parts(lesson):
    text = prose(lesson)
    for heading in ("## Quiz", "## Recap", "## References"):
        assert f"\n{heading}\n" in f"\n{text}\n"
    assert len(questions(lesson.number)) >= 3
    assert lesson.title.startswith(f"Lesson {lesson.number}: ")
