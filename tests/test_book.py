"""The book's pages before Sphinx sees them: what becomes of a notebook, of links and of lists."""

import json
import re
from pathlib import Path

import pytest
from hostile import HOSTILE

pytest.importorskip("docutils", reason="the extra `book` is not installed")
pytest.importorskip("latex2mathml", reason="the extra `book` is not installed")

from mlm_course.authoring import book_lists
from mlm_course.authoring.book import read_lesson, widget_classes
from mlm_course.authoring.book_landing import landing_page, live_model
from mlm_course.authoring.book_pages import (
    LessonPage,
    address,
    local_links,
    placeholder,
)
from mlm_course.authoring.book_sphinx import link_terms, mathml
from mlm_course.authoring.book_weight import lighten
from mlm_course.authoring.generated import Publication
from mlm_course.authoring.notebooks import from_text
from mlm_course.practice.exercise import find_exercise

ROOT = Path(__file__).resolve().parents[1]
NOWHERE = Publication("", "")
PUBLISHED = Publication("https://github.com/someone/course.git", "v9")
README = (ROOT / "README.md").read_text("utf-8")
ROWS = book_lists.lesson_rows(README)


def cell(kind: str, source: str, outputs: list | None = None, **metadata) -> dict:
    node = {
        "cell_type": kind,
        "id": f"c{hash(source) % 10**6}",
        "source": source,
        "metadata": metadata,
    }
    return node | ({"outputs": outputs or [], "execution_count": 1} if kind == "code" else {})


def html_output(html: str, plain: str = "What is to be seen.") -> dict:
    data = {"text/html": html, "text/plain": plain}
    return {"output_type": "display_data", "data": data, "metadata": {}}


@pytest.fixture
def page():
    """page(cells...) -> the lesson page of a notebook that has them."""

    def make(*cells: dict) -> LessonPage:
        exercises = {"1.1": find_exercise("1.1")}
        return LessonPage("01_attention", {"cells": cells}, {"1.1": "stub"}, exercises, NOWHERE)

    return make


def text_of(cells: list[dict]) -> str:
    return json.dumps(cells, ensure_ascii=False)


def test_a_solution_is_folded_behind_stub_and_hints(page):
    stub, hints, solution = page(cell("code", "answer", exercise="1.1")).notebook()["cells"]
    assert stub["source"] == "stub" and "tags" not in stub["metadata"]
    count = len(find_exercise("1.1").hints)
    assert text_of([hints]).count("<summary>Hint ") == count
    assert solution["source"] == "answer" and solution["metadata"]["tags"] == ["hide-input"]
    assert solution["metadata"]["mystnb"]["code_prompt_show"] == "Solution of exercise 1.1"


def test_a_check_says_what_it_does_in_the_notebook(page):
    passed = html_output("<div>passed</div>", "passed")
    shown, said = page(cell("code", 'check("1.1", f)', [passed])).notebook()["cells"]
    assert shown["outputs"] == [passed]
    html = said["outputs"][0]["data"]["text/html"]
    assert "In the notebook, this cell judges" in html
    assert html.count("<li>") == len(find_exercise("1.1").mistakes)


def test_cells_of_the_author_and_progress_are_not_shown(page):
    cells = page(
        cell("code", "assert True", tags=["author"]),
        cell("code", 'progress("1")', [html_output("<table></table>")]),
    ).notebook()["cells"]
    assert [(c["source"], c["outputs"]) for c in cells] == [('progress("1")', [])]


def test_the_set_up_cell_is_folded(page):
    (set_up,) = page(cell("code", "# @title Set-up\nimport torch")).notebook()["cells"]
    assert set_up["source"] == "import torch"
    assert set_up["metadata"]["mystnb"]["code_prompt_show"] == "Set-up"


def test_the_prompt_of_an_exercise_is_a_heading_and_a_frame():
    lesson = read_lesson(ROOT, ROOT / "solutions", "01_attention")
    prompts = [
        c["source"] for c in lesson.notebook()["cells"] if 'class="book-exercise"' in c["source"]
    ]
    assert len(prompts) == len(lesson.exercises)
    for number, prompt in enumerate(prompts, 1):
        before, _, rest = prompt.partition(f'<a id="exercise-1-{number}"></a>\n\n### ')
        assert rest and "border-left" not in before + rest
        assert not re.search(r"^#", rest.partition('<div class="book-exercise">')[2], re.M)


def test_a_widget_becomes_a_placeholder_with_its_state_and_its_twin(page):
    widget = {"name": "MaskMatrix", "output": 1, "state": '{"view":{"a":1}}'}
    printed = {"output_type": "stream", "name": "stdout", "text": "x"}
    lesson = page(
        cell("code", "x", [printed, html_output("<p>twin</p>")], mlm_course_widgets=[widget])
    )
    (shown,) = lesson.notebook()["cells"]
    html = shown["outputs"][1]["data"]["text/html"]
    assert 'data-widget="MaskMatrix"' in html and "<p>twin</p></div>" in html
    assert '<script type="application/json">{"view":{"a":1}}</script>' in html
    assert lesson.states == [("MaskMatrix", {"view": {"a": 1}})]
    assert shown["outputs"][0] == printed


def test_figures_are_numbered_with_their_summaries(page):
    outputs = [html_output('<img src="data:x">', "A cat."), html_output("<p>no figure</p>")]
    lesson = page(cell("code", "x", outputs), cell("code", "y", outputs[:1]))
    cells = lesson.notebook()["cells"]
    assert [(f.number, f.summary) for f in lesson.figures] == [("1.1", "A cat."), ("1.2", "A cat.")]
    assert 'id="figure-1-2"' in text_of(cells[1:]).replace('\\"', '"')


def test_without_a_stored_state_the_picture_stays(page):
    lesson = page(cell("code", "x", [html_output('<figure class="mlm-picture">p</figure>')]))
    assert "mlm-widget" not in text_of(lesson.notebook()["cells"])
    assert lesson.states == []


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_in_a_state_ends_its_script(text):
    html = placeholder("Box", {"view": {text: [text, "</script><b id=x>"]}}, "twin")
    assert html.count("<") == 4  # div, script and their ends
    stored = re.search(r'json">(.*)</script>', html, re.S)[1]
    assert json.loads(stored) == {"view": {text: [text, "</script><b id=x>"]}}


@pytest.mark.parametrize(
    ("target", "folder", "expected"),
    [
        ("https://arxiv.org/abs/1", "solutions", "https://arxiv.org/abs/1"),
        ("../course/RESULTS.md#boxes-steps", "solutions", "results.html#boxes-steps"),
        ("../solutions/06_mlm_pretraining.ipynb#8.-Same-again?", "course", "06_mlm_pretraining.html#section-8"),
        ("../solutions/13_scale.ipynb#On-a-GPU", "course", "13_scale.html#on-a-gpu"),
        ("lessons/01_attention.ipynb", "", "01_attention.html"),
        ("../README.md#start", "course", "start.html#start"),
        ("#section", "course", "#section"),
        ("course/images/x.png", "", "_static/images/x.png"),
    ],
)  # fmt: skip
def test_links_lead_into_the_book(target, folder, expected):
    assert address(target, folder, NOWHERE) == expected


def test_what_the_book_has_not_is_a_link_only_where_it_is_published():
    text = "See [the code](../mlm_course/attention.py) and `[no](link)`."
    assert local_links(text, "course", NOWHERE) == "See the code and `[no](link)`."
    link = "https://github.com/someone/course/blob/v9/mlm_course/attention.py"
    assert f"[the code]({link})" in local_links(text, "course", PUBLISHED)


def test_terms_are_those_of_the_glossary():
    page = (ROOT / "course" / "glossary.md").read_text("utf-8")
    terms = {term.anchor: term for term in book_lists.terms(page)}
    assert len(terms) == len(re.findall(r"^- \*\*", page, re.M))
    assert terms["term-Bernoulli-masking"].forms == ("Bernoulli masking", "Bernoulli")
    assert terms["term-accuracy"].meaning.endswith("hides which mistakes are made.")
    anchored = book_lists.glossary_page(page, NOWHERE)
    assert all(f'<a id="{anchor}"></a>' in anchored for anchor in terms)


def linked(text: str, *forms: str) -> str:
    """A paragraph after its terms were linked, as pseudo XML."""
    from types import SimpleNamespace

    from docutils.core import publish_doctree

    doctree = publish_doctree(text)
    terms = [book_lists.Term(f"term-{form}", (form,), "what it means") for form in forms]
    config = SimpleNamespace(book_linked=["page"], book_terms=terms)
    link_terms(SimpleNamespace(env=SimpleNamespace(docname="page"), config=config), doctree)
    return doctree.pformat()


def test_a_term_is_linked_at_its_first_use_in_prose_only():
    text = "Title mask\n==========\n\nThe ``mask`` hides. A **mask**, two masks, a masked word."
    shown = linked(text, "mask")
    assert shown.count("<reference") == 1
    assert re.search(r"<strong>\s+<reference [^>]*glossary.html#term-mask", shown)


def test_the_longest_term_wins_and_plurals_count():
    shown = linked("Attention masks are not attention.", "attention", "attention mask")
    assert re.findall(r"<reference.*>\s+(.*)", shown) == ["Attention masks", "attention"]


def test_a_name_in_capitals_is_no_other_word():
    assert linked("Zeros, zeros, zero.", "ZeRO").count("<reference") == 0
    assert linked("The ZeRO paper.", "ZeRO").count("<reference") == 1


def formulas() -> list[str]:
    texts = [path.read_text("utf-8") for path in sorted((ROOT / "solutions").glob("*.ipynb"))]
    sources = [c["source"] for t in texts for c in from_text(t)["cells"]]
    return [f for source in sources for f in re.findall(r"\$\$(.+?)\$\$", source, re.S)]


def test_every_formula_of_the_course_becomes_mathml():
    assert len(formulas()) >= 6
    for formula in formulas():
        drawn = mathml(formula, "block")
        assert drawn.startswith("<math") and "\\" not in drawn and "merror" not in drawn


def test_indexes_name_every_exercise_and_figure(page):
    lessons = {row.name: [find_exercise(f"{row.number}.1")] for row in ROWS}
    text = book_lists.exercise_index(lessons, ROWS)
    assert "| 4.1 | [A fixed count](04_corruption.html#exercise-4-1) |" in text
    lesson = page(cell("code", "x", [html_output("<img >", "A <b>cat</b>.\nMore.")]))
    lesson.notebook()
    text = book_lists.figure_index(lesson.figures, ROWS)
    assert '<a href="01_attention.html#figure-1-1">1.1</a> A &lt;b&gt;cat&lt;/b&gt;.</li>' in text


def test_the_first_page_has_model_pictures_and_all_lessons():
    solved = {row.name: read_lesson(ROOT, ROOT / "solutions", row.name).solved for row in ROWS}
    text = text_of(landing_page(README, ROWS, solved, live_model())["cells"])
    assert 'data-widget=\\"FillMask\\"' in text
    assert text.count("<figure><figcaption>") == 3
    assert [
        row for row in ROWS if f"]({row.name}.html) | {row.will} | {row.hours} |" not in text
    ] == []
    assert "make lab" in text and "13 Scale" in text


def test_every_widget_of_the_course_can_be_on_a_page():
    names = {kind.__name__ for kind in widget_classes()}
    assert {"AttentionExplorer", "FillMask", "QuizWidget"} <= names
    assert all(isinstance(kind._esm, str) for kind in widget_classes())


def test_a_lesson_says_that_cells_run_in_the_notebook_only():
    lesson = read_lesson(ROOT, ROOT / "solutions", "01_attention").notebook()
    text = text_of(lesson["cells"])
    assert "In the notebook, a lesson is a row of *cells*" in text
    assert "A lesson is a row" not in text


def test_how_to_start_says_what_to_do_without_git():
    assert "## Without git" in book_lists.start_page(README, NOWHERE)


def test_only_the_icons_that_pages_name_are_left(tmp_path):
    script = tmp_path / "_static" / "scripts" / "fontawesome.js"
    script.parent.mkdir(parents=True)
    two = '"sun":[512,512,[9728],"f185","M1"],moon:[384,512,[],"f186",["M2","M3"]]'
    script.write_text(f"var b={{{two}}};", encoding="utf-8")
    (tmp_path / "index.html").write_text('<i class="fa-solid fa-moon">', encoding="utf-8")
    (script.parent / "theme.js.map").write_text("{}", encoding="utf-8")
    lighten(tmp_path)
    assert script.read_text("utf-8") == 'var b={moon:[384,512,[],"f186",["M2","M3"]]};'
    assert list(script.parent.iterdir()) == [script]
