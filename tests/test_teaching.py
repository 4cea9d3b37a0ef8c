"""What instructors get: pages to teach from, folders to hand out, and tables that cannot mislead."""

import csv
import io
import json
import re
import stat
import zipfile
from pathlib import Path

import numpy
import pytest
import torch
from handed_in import ANSWERS, LESSON, notebook, solved, store, with_cell
from hostile import HOSTILE

from mlm_course import __main__ as command
from mlm_course.authoring.cells import STUB
from mlm_course.authoring.source import read_source
from mlm_course.commands.teaching import write_results
from mlm_course.practice import hint, progress, solution
from mlm_course.practice.exercise import exercises, find_exercise, lesson_numbers, questions
from mlm_course.practice.released import FILE_NAME, Released, read_released
from mlm_course.practice.sandbox import Behaviour, Outcome, TimeUp, alike, behave
from mlm_course.teaching import handing_out, plan, tables, wire
from mlm_course.teaching.grading import Graded, asked_of, read_salt
from mlm_course.teaching.judging import Result
from mlm_course.teaching.submissions import Submission, read_submissions
from mlm_course.teaching.suspicion import remarks_on
from mlm_course.teaching.written import CodeCell, Plan, read_plan

ROOT = Path(__file__).resolve().parents[1]
SOURCES = {int(p.name[:2]): p for p in sorted((ROOT / "course").glob("[0-9]*.py"))}


# --- Plans and pages

PLANS = (ROOT / "course/teaching.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PLANS.splitlines()
    if re.match(r"\| \d", line)
]


def minutes_of(cell: str) -> int:
    return sum(find_exercise(some_id).minutes for some_id in re.findall(r"\d+\.\d+", cell))


@pytest.mark.parametrize("row", ROWS, ids=" ".join)
def test_minutes_in_the_plans_are_those_of_the_exercises(row):
    place = 3 if len(row) == 7 else 1
    assert minutes_of(row[place]) == int(row[place + 1])
    if len(row) == 7:
        assert int(row[2]) + int(row[4]) + int(row[5]) == int(row[6])


def test_six_weeks_ask_every_exercise_of_their_lessons_once():
    weeks = PLANS.partition("## A workshop")[0]
    asked = re.findall(r"\b(\d+\.\d+)\b", weeks)
    lessons = {int(some_id.partition(".")[0]) for some_id in asked}
    assert sorted(asked) == sorted(e.id for n in lessons for e in exercises(n))


@pytest.mark.parametrize("lesson", lesson_numbers())
def test_a_page_for_whoever_teaches_has_everything(lesson):
    page = plan.teaching_page(read_source(SOURCES[lesson]))
    for exercise in exercises(lesson):
        assert exercise.answer.strip() in page
        assert all(mistake.sentence in page for mistake in exercise.mistakes)
        assert all(text in page for text in exercise.hints[:-1])
    total = re.search(r"Exercises: (\d+) minutes of (\d+)", page)
    assert int(total[1]) == sum(exercise.minutes for exercise in exercises(lesson)) < int(total[2])
    assert "Why not" in page and page.count("**Right:**") == len(questions(lesson))


def test_teach_writes_a_page_a_lesson(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr("sys.argv", ["mlm_course", "teach", "4", "02", "--to", str(tmp_path)])
    assert command.main() == 0
    assert {p.name for p in tmp_path.iterdir()} == {"04_corruption.md", "02_attention_masks.md"}
    monkeypatch.setattr("sys.argv", ["mlm_course", "teach", "99", "--to", str(tmp_path)])
    assert command.main() == 2


# --- Handing out


@pytest.fixture
def handed_out(tmp_path, monkeypatch):
    """Lessons 1 to 3 without 3.1 and without answers, as the working folder."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(
        "sys.argv",
        f"mlm release --lessons 1-3 --without 3.1 --no-answers --to {tmp_path / 'class'}".split(),
    )
    assert command.main() == 0
    monkeypatch.chdir(tmp_path / "class")
    monkeypatch.delenv("MLM_COURSE_PROGRESS", raising=False)
    return tmp_path / "class"


def test_a_class_gets_its_lessons_and_one_page(handed_out):
    names = {path.name for path in handed_out.iterdir()}
    lessons = {"01_attention.ipynb", "02_attention_masks.ipynb", "03_tokens.ipynb"}
    assert names == lessons | {"README.md", FILE_NAME}
    page = (handed_out / "README.md").read_text()
    assert all(name in page for name in lessons)
    assert "switched off" in page and "still holds the answers" in page


def test_an_exercise_left_out_is_solved_and_keeps_its_number(handed_out):
    cells = json.loads((handed_out / "03_tokens.ipynb").read_text())["cells"]
    texts = {c["metadata"]["exercise"]: c["source"] for c in cells if "exercise" in c["metadata"]}
    assert find_exercise("3.1").answer in texts["3.1"]
    assert STUB in texts["3.2"]
    assert sum('check("3.' in cell["source"] for cell in cells) == len(exercises(3))


def test_progress_counts_what_was_handed_out(handed_out):
    report = progress()
    assert [row[0] for row in report.rows] == ["1", "2", "3"]
    assert report.rows[2][2] == f"0 of {len(exercises(3)) - 1}"
    assert "3.1" not in [row[1] for row in progress("3").rows]


def test_solutions_are_switched_off(handed_out):
    assert "switched solutions off" in solution("1.1", now=True).text
    last = hint("1.1", len(find_exercise("1.1").hints))
    assert "switched solutions off" in last.text and not last.code


def test_without_a_release_nothing_changes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert len(progress().rows) == len(lesson_numbers())
    assert solution("1.1", now=True).code
    (tmp_path / FILE_NAME).write_text("{damaged")
    assert read_released() is None and solution("1.1", now=True).code


def test_what_was_left_out_is_not_asked_of_a_class(handed_out):
    asked = asked_of(3, read_released(handed_out))
    assert [one.id for one in asked] == [one.id for one in exercises(3)][1:]


@pytest.mark.parametrize("lessons", ["", "0", "1-99", "3-1", "a", "1--2", "1,,2"])
def test_lessons_that_are_none_are_refused(lessons):
    with pytest.raises(ValueError):
        handing_out.lesson_range(lessons)


def test_lessons_are_ranges():
    assert handing_out.lesson_range("1,4-6, 2") == (1, 2, 4, 5, 6)


def test_nothing_is_handed_out_that_does_not_fit(tmp_path):
    for without in ("1.99", "5.1"):
        with pytest.raises(ValueError, match="--without"):
            list(handing_out.release(ROOT, tmp_path, Released((1, 2), frozenset({without}))))
    list(handing_out.release(ROOT, tmp_path, Released((1,))))
    with pytest.raises(FileExistsError):
        list(handing_out.release(ROOT, tmp_path, Released((1,))))


# --- What was handed in


def test_notebooks_are_read_from_folders_and_zip_files(tmp_path):
    store(solved(), tmp_path / "in" / "Ada L_4711_assignsubmission_file_" / "mine.ipynb")
    store(notebook("02_attention_masks"), tmp_path / "in" / "bob.ipynb")
    store(solved(), tmp_path / "in" / ".ipynb_checkpoints" / "copy.ipynb")
    (tmp_path / "in" / "broken.ipynb").write_text("{")
    (tmp_path / "in" / "deep.ipynb").write_text("[" * 100_000)
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("../../etc/eve.ipynb", json.dumps(solved()))
        archive.writestr("__MACOSX/eve.ipynb", "")
    seen = read_submissions([tmp_path / "in", tmp_path / "all.zip"])
    assert [(one.student, one.lesson, bool(one.unreadable)) for one in seen] == [
        ("Ada L", 4, False),
        ("bob", 2, False),
        ("broken", 0, True),
        ("deep", 0, True),
        ("etc", 4, False),
    ]


def test_a_bomb_is_not_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.ipynb", b" " * (33 << 20))
    (seen,) = read_submissions([tmp_path / "bomb.zip"])
    assert "larger" in seen.unreadable


def test_a_notebook_without_our_metadata_is_known_by_its_checks(tmp_path):
    whole = solved()
    del whole["metadata"]["mlm_course"]
    (seen,) = read_submissions([store(whole, tmp_path / "x.ipynb")])
    assert seen.lesson == 4
    whole["cells"] = [cell for cell in whole["cells"] if "check(" not in cell["source"]]
    (seen,) = read_submissions([store(whole, tmp_path / "y.ipynb")])
    assert "no lesson" in seen.unreadable


def planned(*texts: str) -> Plan:
    return read_plan(tuple(map(CodeCell, texts)), {"4.1": "hide_fixed_count", "4.3": "words"})


def needed_texts(texts: list[str]) -> set[str]:
    one = planned(*texts)
    (candidate,) = [c for c in one.candidates if c.exercise == "4.1"]
    chosen = {one.pieces[i].cell for i in one.closure(candidate.names)}
    return {texts[i] for i in chosen}


def test_only_what_an_answer_needs_is_run():
    run = [
        "import torch",
        "LIMIT = torch.tensor(3)",
        "def helper(x):\n    return x + LIMIT",
        "try:\n    import numpy as np\nexcept ImportError:\n    np = None",
        "def f(x):\n    local = 1\n    return helper(np.array(x)) + local",
    ]
    left = [
        "%matplotlib inline\nimport matplotlib",
        "while True:\n    pass",
        "import os\nos.remove('x')",
        "local = train()",
        "!rm -rf x",
        "%%bash\nrm -rf x",
        "for LIMIT in range(3): pass",
        "def other(): ...",
        'check("4.1", f)',
    ]
    assert needed_texts(run + left) == set(run)


@pytest.mark.parametrize(
    "call",
    ["check('4.1', f)", 'v = check(" 04.1 ", f, seconds=9)', 'check("4.1", function=f)', 'p.check("4,1", f)'],
)  # fmt: skip
def test_a_check_is_known_however_it_is_written(call):
    assert [c.written for c in planned("def f(): ...", call).candidates] == ["f"]


def test_without_its_check_a_cell_is_known_by_its_exercise_or_its_name():
    cells = (CodeCell("def g(): ...\ndef mine(): ...", "4.1"), CodeCell("def words(: ..."))
    one = read_plan(cells, {"4.1": "hide_fixed_count", "4.3": "words"})
    assert {(c.exercise, c.written) for c in one.candidates} == {("4.1", "mine"), ("4.3", "words")}
    assert "syntax error" in one.why_unbound("words")


SUSPICIOUS = {
    "def f(x):\n    import gc\n    return gc": "imports gc",
    "import inspect as i\ndef f(x):\n    return i": "imports inspect",
    "from mlm_course.exercises.lesson_04 import rows\ndef f(x):\n    return rows": "reaches into",
    "from mlm_course.practice import exercise as e\nf = e.find_exercise('4.1').reference": "reaches",
    "from mlm_course import corruption\nf = corruption.choose_fixed_count": "choose_fixed_count",
    "from mlm_course.corruption import maskable as m\ndef f(x):\n    return m(x)": "maskable",
    "def check(*a): ...\ndef f(x): return x": "replaces check",
    "from mlm_course import practice\npractice.check = print\ndef f(x): return x": "replaces check",
    "def f(x):\n    return f.__globals__": "__globals__",
}


@pytest.mark.parametrize("code", SUSPICIOUS)
def test_suspicious_code_is_looked_at(code):
    remarks = remarks_on(planned(code), ["f"], ANSWERS["4.1"])
    assert any(SUSPICIOUS[code] in remark for remark in remarks), remarks


@pytest.mark.parametrize("lesson", lesson_numbers())
def test_the_courses_own_answers_are_not_suspicious(lesson):
    (path,) = (ROOT / "solutions").glob(f"{lesson:02d}_*.ipynb")
    (seen,) = read_submissions([path])
    names = {one.id: one.answer for one in exercises(lesson)}
    whole = read_plan(seen.cells, dict.fromkeys(names, ""))
    for one in whole.candidates:
        assert remarks_on(whole, one.names, names[one.exercise]) == [], one


# --- What a process sends


VALUES = [
    torch.arange(6).reshape(2, 3),
    torch.tensor([float("nan"), float("inf"), 1.5], dtype=torch.float16),
    torch.empty(0, 3),
    torch.tensor(True),
    torch.tensor(3.0, dtype=torch.bfloat16, requires_grad=True),
    (1, 2.5, float("inf"), True, None, "ß\ud800", [torch.ones(2), ()]),
    10**30,
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_result_comes_through_unchanged(value):
    sent = Behaviour(1, Outcome(value, printed="x"), changed=0, calls=(2,))
    again = wire.from_json(json.loads(json.dumps(wire.to_json(sent))))
    assert repr(again.outcome.value) == repr(sent.outcome.value).replace(", requires_grad=True", "")
    assert (again.changed, again.calls, again.outcome.printed) == (0, (2,), "x")


@pytest.mark.parametrize(
    "error", [ValueError("a\nb"), KeyError("x"), TimeUp(), RuntimeError()], ids=repr
)
def test_an_error_comes_through_as_it_reads(error):
    sent = Behaviour(1, Outcome(error=error))
    assert alike(sent, wire.from_json(json.loads(json.dumps(wire.to_json(sent)))))


def test_a_result_that_is_none_is_an_object():
    class Odd:
        def __reduce__(self):
            return (print, ("unpickled",))

    for value in (Odd(), {1}, {"a": 1}, object, torch.nn.Linear(1, 1), 10**9999, [Odd()]):
        again = wire.from_json(json.loads(json.dumps(wire.to_json(Behaviour(1, Outcome(value))))))
        assert "Odd" in repr(again) or "Unlike" in repr(type(again.outcome.value).__mro__)
    assert (
        wire.from_json(wire.to_json(Behaviour(1, Outcome(numpy.ones(2))))).outcome.value.sum() == 2
    )


TENSOR = {"dtype": "float32", "shape": [2], "bytes": "AAAAAAAAAAA="}


@pytest.mark.parametrize(
    "change",
    [
        {"shape": [3]},
        {"shape": [-2]},
        {"shape": [2.0]},
        {"shape": [10**30]},
        {"dtype": "object"},
        {"dtype": "bool", "shape": [8], "bytes": "AAAAAAAAAAI="},
        {"bytes": "%%%"},
        {"bytes": 3},
    ],
)
def test_a_tensor_that_is_none_is_refused(change):
    assert wire.value_again(TENSOR).shape == (2,)
    with pytest.raises((ValueError, KeyError, TypeError)):
        wire.value_again({**TENSOR, **change})


@pytest.mark.parametrize("some_id", ["4.1", "5.6", "6.3", "9.6"])
def test_behaviours_of_references_come_through(some_id):
    exercise = find_exercise(some_id)
    sent = behave(exercise, exercise.reference, 1, 5)
    assert alike(sent, wire.from_json(json.loads(json.dumps(wire.to_json(sent)))))


# --- Tables


def graded(student: str = "ada", **others: str) -> Graded:
    results = tuple(
        Result(f"4.{n}", others.get(f"ex{n}", "passed"), flag=others.get("flag", ""))
        for n in (1, 2)
    )
    return Graded(Submission(student, f"{student}.ipynb", 4), results)


def test_pseudonyms_say_nothing_and_stay():
    names = tables.pseudonyms(["ada", "bob", "ada"], b"salt")
    assert (
        names
        == tables.pseudonyms(["bob", "ada"], b"salt")
        != tables.pseudonyms(["ada", "bob"], b"x")
    )
    assert len(set(names.values())) == 2 and not any("ada" in name for name in names.values())


def test_the_order_of_pseudonyms_tells_nothing(tmp_path):
    names = {"ada": "s-9", "bob": "s-1", "eve": "s-5"}
    write_results(tmp_path / "to", [graded(name) for name in names], names, "csv")
    with open(tmp_path / "to" / "grades.csv", newline="") as file:
        assert [row["student"] for row in csv.DictReader(file)] == [
            f"s-{n}" for n in (1, 1, 5, 5, 9, 9)
        ]


def test_a_map_names_everyone_or_says_who_is_missing(tmp_path):
    (tmp_path / "ids.csv").write_text("ada,17\nbob,18\n")
    ids = tables.read_map(tmp_path / "ids.csv")
    assert tables.named(["bob"], ids) == {"bob": "18"}
    with pytest.raises(ValueError, match="eve"):
        tables.named(["eve"], ids)
    (tmp_path / "ids.csv").write_text("ada,17\nbob,17\n")
    with pytest.raises(ValueError, match="two names"):
        tables.read_map(tmp_path / "ids.csv")


@pytest.mark.parametrize("text", [*HOSTILE, "=cmd|' /C calc'!A0", "+1", "-1", "@x", "\t=1"])
def test_no_text_becomes_a_formula_or_another_cell(text):
    one = graded(text, flag=text)
    for table in (
        tables.grades_csv([one], {text: text}),
        tables.lms_csv([one], {text: text}, "moodle"),
        tables.key_csv({text: text}),
    ):
        rows = list(csv.reader(io.StringIO(table, newline="")))
        assert len({len(row) for row in rows}) == 1
        assert not [c for row in rows for c in row if c[:1] in ("=", "+", "@", "\t")]


def test_the_lms_gets_the_best_notebook_of_a_student():
    both = [graded(ex1="failed"), graded(), graded("bob", ex1="look", ex2="missing")]
    text = tables.lms_csv(both, {"ada": "ada", "bob": "bob"}, "moodle")
    assert text == "ID number,Lesson 4 (2)\nada,2\nbob,0\n"
    assert tables.lms_csv(both, {"ada": "ada", "bob": "bob"}, "csv").startswith("student,")


def test_a_salt_is_made_once_and_kept_private(tmp_path):
    path = tmp_path / "grades" / "salt"
    salt = read_salt(path)
    assert read_salt(path) == salt and len(salt) == 64
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_text("short")
    with pytest.raises(ValueError, match="too short"):
        read_salt(path)


def test_nothing_is_judged_without_a_sandbox(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("mlm_course.teaching.runs.sandbox_missing", lambda: "no Landlock")
    path = store(with_cell(solved(), "x = 1"), tmp_path / f"{LESSON}.ipynb")
    monkeypatch.setattr(
        "sys.argv", ["mlm_course", "grade", str(path), "--to", str(tmp_path / "to")]
    )
    assert command.main() == 1
    said = capsys.readouterr().err
    assert "Not sandboxed here: no Landlock" in said and "--unsafe" in said
    assert not (tmp_path / "to").exists()
