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


@each_lesson
def test_myth_boxes_are_few_and_complete(lesson):
    text = prose(lesson)
    claims = len(re.findall(r"^> \*\*Often read:\*\*", text, re.MULTILINE))
    answers = re.findall(r"^> \*\*In fact\*\*(?:(?!\n(?!>)).)*", text, re.MULTILINE | re.DOTALL)
    assert 1 <= claims <= 6
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


def test_every_false_claim_so_far_is_settled_somewhere():
    """The rows of course/myths.md name lessons and sections that exist."""
    rows = re.findall(
        r"^\| (S\d-\d+) \| .+? \| (.+?) \|$", (ROOT / "course/myths.md").read_text(), re.M
    )
    wanted = "S0-1 S0-3 S0-13 S0-14 S0-31 S0-32 S1-15 S2-5 S2-7 S2-8 S2-9 S2-12 S3-4 S3-12 S3-13"
    later = (
        "S0-2 S0-8 S0-9 S0-12 S0-15 S0-17 S0-18 S0-20 S0-21 S0-24 S0-25 S0-26 S0-28 S1-12 S1-13 "
        "S1-14 S2-6 S2-10 S2-11 S2-13 S3-2 S3-3 S3-9 S3-10 S3-14 S3-15 S3-17 S3-18 S3-19 S3-20"
    )
    text_mae = "S0-5 S0-20 S1-7 S1-9 S1-10 S1-14 S1-17 S1-22"
    image_mae = "S0-6 S0-7 S0-10 S0-11 S0-16 S0-19 S1-4 S1-5 S1-6 S1-8 S1-11 S1-23"
    mask_predict = "S4-3 S4-4 S4-5 S4-6 S4-7 S4-8 S4-9"
    diffusion = "S0-30 S1-21 S2-14"
    scale = "S0-33 S0-34"
    required = " ".join(
        (wanted, later, image_mae, text_mae, mask_predict, diffusion, scale)
    ).split()
    assert set(required) <= {claim for claim, _ in rows}
    texts = {lesson.number: prose(lesson) for lesson in LESSONS}
    for claim, row in rows:
        number, _, rest = row.split(";")[0].partition(",")
        sections = re.findall(r"\d+", rest)
        for section in sections:
            assert re.search(rf"^## {section}\. ", texts[int(number)], re.M), (claim, row)


@each_lesson
def test_bold_terms_of_a_lesson_stand_in_the_glossary(lesson):
    """Bold in running text introduces a term; each has its line in the one glossary."""
    lines = (ROOT / "course/glossary.md").read_text().lower().splitlines()
    heads = " ".join(line.split(":")[0] for line in lines if line.startswith("- "))
    paragraphs = re.split(r"\n\n", prose(lesson))
    running = "\n\n".join(p for p in paragraphs if not p.startswith((">", "- ", "|")))
    terms = re.findall(r"\*\*([a-z][a-z -]+)\*\*", running)
    assert {term for term in terms if term not in heads} == set()
