"""The builder: one source, two notebooks, and clear words about every mistake in a source."""

import json
import shutil
from pathlib import Path

import nbformat
import pytest

from mlm_course.authoring import build
from mlm_course.authoring.generated import (
    Budget,
    Publication,
    badges,
    bootstrap,
    budget_line,
    read_syllabus,
    write_syllabus,
)
from mlm_course.authoring.notebooks import lesson_notebook, solution_notebook, to_text
from mlm_course.authoring.source import STUB, SourceError, read_source

ROOT = Path(__file__).resolve().parents[1]

GOOD = '''\
# %% [markdown]
# # Lesson 1: Doubling

# %% exercise="1.1"
def double(x):
    """Twice x."""
    ### BEGIN SOLUTION
    y = x + x
    return y
    ### END SOLUTION

# %%
check("1.1", double)

# %% tags=["nbval-ignore-output"]
print("same")

# %% tags=["nbval-ignore-output"]
print("same")
'''


def write(folder: Path, text: str, name: str = "01_doubling.py") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_source_becomes_a_lesson_with_a_stub_and_a_solution_without_markers(tmp_path):
    source = read_source(write(tmp_path, GOOD))
    cells = list(source.cells)
    lesson, solution = lesson_notebook(cells), solution_notebook(cells)
    assert f'    """Twice x."""\n    {STUB}' in lesson.cells[1].source
    assert "return y" not in to_text(lesson)
    assert solution.cells[1].source.endswith("    y = x + x\n    return y")
    assert "SOLUTION" not in to_text(lesson) + to_text(solution)
    assert [c.id for c in lesson.cells] == [c.id for c in solution.cells]
    assert len({c.id for c in lesson.cells}) == len(lesson.cells)  # also for the two equal cells
    assert source.title == "Lesson 1: Doubling"
    for notebook in (lesson, solution):
        nbformat.validate(nbformat.reads(to_text(notebook), as_version=4))


def test_a_stub_is_valid_python_that_says_not_implemented(tmp_path):
    stub = read_source(write(tmp_path, GOOD)).cells[1].stub()
    scope: dict = {}
    exec(stub, scope)
    with pytest.raises(NotImplementedError):
        scope["double"](1)


MISTAKES = {
    "begins inside another": ("    y = x + x", "    ### BEGIN SOLUTION"),
    "has no": ("    ### END SOLUTION\n", ""),
    "without a": ("    ### BEGIN SOLUTION\n", ""),
    "no marker": ("    ### END SOLUTION", "    ### end solution"),
    "unknown tag 'excercise'": ('tags=["nbval-ignore-output"]', 'tags=["excercise"]'),
    "unknown cell option 'excercise'": ('exercise="1.1"', 'excercise="1.1"'),
    "without an exercise id": (' exercise="1.1"', ""),
    "not like '1.1'": ('exercise="1.1"', 'exercise="2.1"'),
    "no later cell calls check": ('check("1.1", double)', "double(2)"),
    "must stand inside a function": ("    ### BEGIN SOLUTION", "### BEGIN SOLUTION"),
    "must be markdown": ("# %% [markdown]\n# # Lesson 1: Doubling", "# %%\nx = 1"),
}


@pytest.mark.parametrize("sentence", MISTAKES)
def test_a_mistake_in_a_source_is_named_with_its_file_and_cell(tmp_path, sentence):
    old, new = MISTAKES[sentence]
    assert old in GOOD
    with pytest.raises(SourceError, match=sentence) as error:
        read_source(write(tmp_path, GOOD.replace(old, new, 1)))
    assert str(error.value).startswith("01_doubling.py")


def test_a_duplicate_exercise_id_is_named(tmp_path):
    exercise = GOOD[GOOD.index("# %% exercise") : GOOD.index("# %%\ncheck")]
    with pytest.raises(SourceError, match=r"cell 3: exercise 1\.1 stands in cell 2 already"):
        read_source(write(tmp_path, GOOD.replace("# %%\ncheck", exercise + "# %%\ncheck", 1)))


def test_an_exercise_without_a_block_and_a_wrong_file_name_are_named(tmp_path):
    bare = GOOD.replace("    ### BEGIN SOLUTION\n", "").replace("    ### END SOLUTION\n", "")
    with pytest.raises(SourceError, match="has 0 solution blocks"):
        read_source(write(tmp_path, bare))
    with pytest.raises(SourceError, match=r"named like 01_attention\.py"):
        read_source(write(tmp_path, GOOD, "doubling.py"))


@pytest.fixture
def checkout(tmp_path):
    """A copy of everything the builder reads and writes."""
    for folder in ("course", "lessons", "solutions"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    answers = tmp_path / build.ANSWERS
    answers.parent.mkdir(parents=True)
    shutil.copy(ROOT / build.ANSWERS, answers)
    return tmp_path


def test_the_committed_notebooks_are_what_the_sources_say():
    assert list(build.differences(ROOT)) == []


def test_check_names_the_notebook_and_the_cell_that_differ(checkout):
    path = checkout / "lessons" / "01_attention.ipynb"
    notebook = json.loads(path.read_text(encoding="utf-8"))
    notebook["cells"][5]["source"] = "tampered with"
    path.write_text(json.dumps(notebook), encoding="utf-8")
    lines = list(build.differences(checkout))
    assert lines[0] == "lessons/01_attention.ipynb differs"
    assert lines[1].startswith(f"  cell 6 (id {notebook['cells'][5]['id']}) differs")
    assert len(lines) == 2


def test_check_sees_missing_orphaned_and_unreadable_notebooks(checkout):
    (checkout / "lessons" / "01_attention.ipynb").unlink()
    (checkout / "solutions" / "01_attention.ipynb").write_text("{", encoding="utf-8")
    shutil.copy(ROOT / "lessons" / "01_attention.ipynb", checkout / "lessons" / "99_lost.ipynb")
    (checkout / build.ANSWERS).write_text("{}")
    text = "\n".join(build.differences(checkout))
    assert "lessons/01_attention.ipynb is missing" in text
    assert "solutions/01_attention.ipynb cannot be read" in text
    assert "lessons/99_lost.ipynb has no source" in text
    assert "answers.json differs" in text


def test_check_sees_a_changed_solution_but_not_its_outputs(checkout):
    path = checkout / "solutions" / "01_attention.ipynb"
    notebook = json.loads(path.read_text(encoding="utf-8"))
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    code[3]["outputs"] = []
    path.write_text(json.dumps(notebook), encoding="utf-8")
    assert list(build.differences(checkout, ["1"])) == []
    code[3]["source"] += "\n# more"
    path.write_text(json.dumps(notebook), encoding="utf-8")
    assert len(list(build.differences(checkout, ["1"]))) == 2


def test_exercise_ids_in_course_and_practice_must_agree(checkout):
    path = checkout / "course" / "01_attention.py"
    text = path.read_text(encoding="utf-8")
    write(checkout / "course", text.replace('"1.1"', '"1.77"'), "01_attention.py")
    with pytest.raises(SourceError, match=r"exercise 1\.1 is missing from course"):
        list(build.differences(checkout))


def test_an_unknown_lesson_is_named_with_those_that_exist():
    with pytest.raises(SourceError, match=r"No lesson 'attention'; there are 01_attention"):
        build.read_sources(ROOT, ["attention"])


def test_two_builds_of_a_lesson_are_byte_identical(checkout):
    source = build.read_sources(checkout, ["1"])[0]
    first, second = (to_text(lesson_notebook(build.cells_of(checkout, source))) for _ in range(2))
    assert first == second
    assert first == (ROOT / "lessons" / "01_attention.ipynb").read_text(encoding="utf-8")


def test_stored_solutions_have_outputs_and_no_kernel_traces():
    for path in sorted((ROOT / "solutions").glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        assert code and all(cell.execution_count for cell in code), path.name
        assert sum(bool(cell.outputs) for cell in code) >= len(code) // 3, path.name
        text = path.read_text(encoding="utf-8")
        assert "widget-view" not in text and "iopub" not in text, path.name


def test_stored_lessons_have_no_outputs():
    for path in sorted((ROOT / "lessons").glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        assert not any(cell.get("outputs") for cell in notebook.cells), path.name


def test_without_an_address_there_is_no_badge_and_no_link():
    nowhere = Publication("", "v1")
    assert badges(nowhere, "01_attention") == ""
    assert "http" not in bootstrap(nowhere)


def test_badges_point_to_the_tagged_lesson():
    text = badges(Publication("https://github.com/some/course", "v2"), "01_attention")
    assert "github/some/course/blob/v2/lessons/01_attention.ipynb" in text
    assert "mybinder.org/v2/gh/some/course/v2?urlpath=lab/tree/lessons/01_attention.ipynb" in text


def test_the_syllabus_survives_writing_and_reading(tmp_path):
    (tmp_path / "course").mkdir()
    syllabus = {"01_a": Budget(2.5, 12.3, 456, 7), "02_b": Budget(1)}
    write_syllabus(tmp_path, syllabus)
    assert read_syllabus(tmp_path) == syllabus
    assert "about 2.5 hours" in budget_line(syllabus["01_a"])
    assert "7 MB to download" in budget_line(syllabus["01_a"])


def test_a_chart_that_only_followed_a_training_leaves_no_empty_output():
    from mlm_course.authoring.execute import WIDGET_MIME, clean

    live = nbformat.v4.new_output("display_data", data={WIDGET_MIME: {"model_id": "x"}})
    both = nbformat.v4.new_output(
        "display_data", data={WIDGET_MIME: {"model_id": "y"}, "text/plain": "curve"}
    )
    printed = nbformat.v4.new_output("stream", text="done")
    cell = nbformat.v4.new_code_cell("x", outputs=[live, both, printed])
    notebook = clean(nbformat.v4.new_notebook(cells=[cell, nbformat.v4.new_markdown_cell("y")]))
    left = notebook.cells[0].outputs
    assert [output.output_type for output in left] == ["display_data", "stream"]
    assert left[0].data == {"text/plain": "curve"}
