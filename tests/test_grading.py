"""Students' notebooks, judged: the right, the wrong, and those that would do harm.

Everything is handed in at once, as a class does, and judged once; each test then looks at one thing.
"""

import csv
import os
import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
from handed_in import ANSWERS, body, edit, notebook, solved, store, stub, with_cell

from mlm_course.practice.exercise import exercises, lesson_numbers
from mlm_course.teaching import runs
from mlm_course.teaching.grading import grade
from mlm_course.teaching.judging import Judge
from mlm_course.teaching.submissions import read_submissions

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
ALL_RIGHT = {one.id: "passed" for one in exercises(4)}


@pytest.fixture(scope="module")
def victims(tmp_path_factory):
    """A folder of the instructor's, and a port of hers that notes who calls."""
    folder = tmp_path_factory.mktemp("instructor")
    (folder / "precious.txt").write_text("precious")
    os.chmod(folder, 0o777)
    os.chmod(folder / "precious.txt", 0o666)
    return folder


@pytest.fixture(scope="module")
def callers():
    """A port on this machine, and who has called it."""
    seen, server = [], socket.create_server(("127.0.0.1", 0))

    def listen():
        while True:
            try:
                seen.append(server.accept()[1])
            except OSError:
                return

    threading.Thread(target=listen, daemon=True).start()
    yield server.getsockname()[1], seen
    server.close()


def hand_in(folder: Path, victims: Path, port: int) -> None:
    """The class's notebooks."""
    precious, harm = (
        victims / "precious.txt",
        f"import os; os.remove({str(victims / 'precious.txt')!r})",
    )
    outside = f"open({str(victims / 'new.txt')!r}, 'w').write('x')"
    call = f"import socket; socket.create_connection(('127.0.0.1', {port}), 2).close()"
    endless = "x = 0\nwhile True:\n    x += 1"
    class_ = {
        "right": solved(),
        "three_mistakes": solved(ex1=edit("4.1", 5), ex3=edit("4.3", 1), ex6=edit("4.6", 1)),
        "endless_exercise": solved(ex3=body("4.3", "while True:", "    pass", keep=False)),
        "syntax_error": solved(ex2=ANSWERS["4.2"].replace("def ", "def def ", 1)),
        "removes": with_cell(solved(ex3=body("4.3", harm)), harm),
        "endless_top": with_cell(with_cell(solved(), endless), "while True: pass", 20),
        "untouched": notebook(),
        # nastier ones
        "processes": solved(
            ex3=body("4.3", "import os", "while True:", "    os.fork()", keep=False)
        ),
        "memory": solved(ex3=body("4.3", "x = bytearray(10 << 30)")),
        "tensor_memory": solved(ex3=body("4.3", "import torch", "x = torch.ones(10 << 28)")),
        "network": solved(ex3=body("4.3", call)),
        "writes": solved(ex3=body("4.3", outside)),
        "exits": solved(ex3=body("4.3", "import os", "os._exit(0)")),
        "exits_early": with_cell(solved(), "import os\nclass A:\n    os._exit(3)\nx = A()", 3),
        "output": solved(ex3=body("4.3", "for _ in range(10**5): print('x' * 1000)")),
        "daemon": solved(ex3=body("4.3", *DAEMON)),
        "fills_disk": solved(ex3=body("4.3", *FILL)),
        "stubborn": solved(ex3=body("4.3", *STUBBORN, keep=False)),
        "check_replaced": with_cell(
            solved(ex3=edit("4.3", 1)), "def check(*a):\n    return 'passed'", 60
        ),
        "imports_answer": solved(
            ex3="from mlm_course.practice.exercise import find_exercise\n"
            'extend_to_whole_words = find_exercise("4.3").reference'
        ),
        "reads_answers": solved(ex3=body("4.3", *STEAL)),
        "hunts": solved(ex3=body("4.3", *HUNT), ex6=stub("4.6")),
        "package_function": solved(ex1=PACKAGE),
        "lies": solved(ex3=body("4.3", *LIE, keep=False)),
        "mutant": solved(ex3=body("4.3", "import gc", "gc.collect()")),
    }
    for name, whole in class_.items():
        store(whole, folder / f"{name}.ipynb")
    assert precious.exists()


DAEMON = (
    "import os, time",
    "if os.fork() == 0:",
    "    os.setsid()",
    "    if os.fork() == 0:",
    "        for n in range(3, 60):",
    "            try: os.close(n)",
    "            except OSError: pass",
    "        time.sleep(4747)",
    "    os._exit(0)",
)
FILL = (
    "for n in range(100):",
    "    with open(f'big{n}', 'wb') as file:",
    "        file.write(bytes(16 << 20))",
)
STUBBORN = (
    "import signal",
    "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 64))",
    "while True:",
    "    pass",
)
STEAL = (
    "import glob, sys",
    "from mlm_course.practice import exercise",
    "text = exercise.find_exercise('4.3').answer or exercise.answers().get('4.3', '')",
    "if text: raise RuntimeError('stolen: ' + text)",
)
LINES = [line.strip() for line in ANSWERS["4.6"].split("\n")[2:] if len(line) > 30]
HUNT = (
    "import gc, sys",
    f"lines = {[line[:9] for line in LINES]!r}, {[line[9:] for line in LINES]!r}",
    "wanted = [a + b for a, b in zip(*lines)]",
    "seen = [m.__dict__ for n, m in list(sys.modules.items()) if n.startswith('mlm_course')]",
    "for one in [*gc.get_objects(), *seen]:",
    "    if type(one) is list and one and type(one[0]) is str and one[0] == wanted[0]: continue",
    "    items = one.values() if type(one) is dict else one if type(one) in (list, tuple) else ()",
    "    for item in list(items):",
    "        if type(item) is str and any(line in item for line in wanted):",
    "            raise RuntimeError('stolen: ' + repr(one)[:190])",
)
PACKAGE = ANSWERS["4.1"].replace(
    "~torch.isin(ids, torch.tensor(special_ids))", "corruption.maskable(ids, special_ids)"
)
LIE = (
    "import os, json",
    "for n in range(3, 64):",
    "    for said in ({'done': True}, {'exercise': '4.3', 'candidate': 2, 'verdict': ['passed', '', []]}):",
    "        try: os.write(n, json.dumps(said).encode() + b'\\n')",
    "        except OSError: pass",
)


@pytest.fixture(scope="module")
def graded(tmp_path_factory, victims, callers):
    """Status, misconception and flag by student and exercise, and the folder that grade wrote."""
    if reason := runs.sandbox_missing():
        pytest.skip(f"Not sandboxed here: {reason}")
    folder, to = tmp_path_factory.mktemp("class"), tmp_path_factory.mktemp("out") / "grades"
    hand_in(folder, victims, callers[0])
    reordered = solved(ex3=edit("4.3", 1))
    reordered["cells"] = reordered["cells"][::-1]
    store(reordered, folder / "some one" / "abgabe (2).ipynb")
    ids = folder.parent / "ids.csv"
    names = [one.student for one in read_submissions([folder])]
    ids.write_text("".join(f"{name},{name}\n" for name in names))
    command(folder, "--to", str(to), "--map", str(ids), "--jobs", "2", "--lms", "moodle")
    with open(to / "grades.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    table = {}
    for row in rows:
        table.setdefault(row["student"], {})[row["id"]] = row
    return table, to


def command(*words: object) -> str:
    line = [sys.executable, "-m", "mlm_course", "grade", *map(str, words)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(line, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def statuses(graded, student: str) -> dict[str, str]:
    return {id: row["status"] for id, row in graded[0][student].items()}


def but(**others: str) -> dict[str, str]:
    """All right, but for these: ex3="stopped"."""
    return ALL_RIGHT | {f"4.{name[2:]}": status for name, status in others.items()}


# --- The six notebooks that the course's own runner judged green


def test_right_answers_pass(graded):
    assert statuses(graded, "right") == ALL_RIGHT


def test_mistakes_are_named(graded):
    assert statuses(graded, "three_mistakes") == but(ex1="failed", ex3="failed", ex6="failed")
    rows = graded[0]["three_mistakes"]
    assert [rows[id]["misconception"] for id in ("4.1", "4.3", "4.6")] == [
        "4.1-5",
        "4.3-1",
        "4.6-1",
    ]


def test_an_endless_loop_stops_its_exercise_only(graded):
    assert statuses(graded, "endless_exercise") == but(ex3="stopped")


def test_a_syntax_error_breaks_its_exercise_only(graded):
    assert statuses(graded, "syntax_error") == but(ex2="broken")


def test_the_instructors_files_are_still_there(graded, victims):
    assert [path.name for path in victims.iterdir()] == ["precious.txt"]
    assert statuses(graded, "removes") == but(ex3="failed")


def test_endless_cells_are_not_run(graded):
    assert statuses(graded, "endless_top") == ALL_RIGHT


def test_what_was_handed_out_is_not_attempted(graded):
    assert set(statuses(graded, "untouched").values()) == {"not attempted"}


# --- Nastier ones

HARM = {
    "processes": {"stopped", "failed"},
    "memory": {"failed", "stopped"},
    "tensor_memory": {"failed", "stopped"},
    "network": {"failed"},
    "writes": {"failed"},
    "exits": {"stopped"},
    "output": {"passed"},
    "daemon": {"look", "failed"},
    "fills_disk": {"failed"},
    "stubborn": {"stopped"},
    "reads_answers": {"failed"},
    "imports_answer": {"broken"},
    "mutant": {"look"},
}


@pytest.mark.parametrize("student", HARM)
def test_harm_is_done_to_nothing_but_its_exercise(graded, student):
    seen = statuses(graded, student)
    assert seen.pop("4.3") in HARM[student], graded[0][student]["4.3"]
    assert set(seen.values()) == {"passed"}


def test_a_top_level_that_ends_python_costs_nothing(graded):
    assert statuses(graded, "exits_early") == ALL_RIGHT


def test_who_writes_into_the_graders_channel_gains_nothing(graded):
    seen = statuses(graded, "lies")
    assert [seen[id] for id in ("4.1", "4.2")] == ["passed", "passed"]
    assert {seen[f"4.{n}"] for n in range(3, 8)} == {"stopped"}


def test_a_check_of_ones_own_does_not_help(graded):
    seen = statuses(graded, "check_replaced")
    assert seen.pop("4.3") == "failed"
    assert set(seen.values()) == {"look"}


def test_the_packages_own_function_is_looked_at(graded):
    assert statuses(graded, "package_function") == but(ex1="look")
    assert "the package's maskable" in graded[0]["package_function"]["4.1"]["flag"]


def test_whoever_hunts_for_an_answer_in_memory_comes_home_without(graded):
    assert statuses(graded, "hunts") == but(ex3="look", ex6="not attempted")


def test_a_renamed_file_with_its_cells_reordered_is_judged(graded):
    assert statuses(graded, "some one") == but(ex3="failed")
    assert graded[0]["some one"]["4.3"]["misconception"] == "4.3-1"


def test_nobody_was_called(graded, callers):
    assert callers[1] == []


def test_no_process_is_left(graded):
    time.sleep(0.5)
    left = [p for p in psutil.process_iter(["uids", "cmdline"]) if _is_students(p)]
    assert left == []


def _is_students(process: psutil.Process) -> bool:
    uids, words = process.info["uids"], process.info["cmdline"] or []
    own = "mlm_course.teaching.worker" in words
    return own or (uids is not None and 64_000 <= uids.real < 64_100)


def test_only_the_instructor_reads_the_results(graded):
    _, to = graded
    files = [path for path in to.rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {"grades.csv", "lms.csv", "class.html", "right.html"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE(to.stat().st_mode) == 0o700


def test_the_lms_file_has_a_row_a_student(graded):
    table, to = graded
    with open(to / "lms.csv", newline="") as file:
        rows = {row["ID number"]: row["Lesson 4 (7)"] for row in csv.DictReader(file)}
    assert rows.keys() == table.keys()
    assert (rows["right"], rows["three_mistakes"], rows["untouched"]) == ("7", "4", "0")


def test_without_the_sandbox_limits_hold_and_nothing_is_left(tmp_path):
    """--unsafe: files are in danger; time is still limited, and processes are still ended."""
    store(solved(ex3=body("4.3", *DAEMON), ex7=stub("4.7")), tmp_path / "daemon.ipynb")
    (one,) = grade(read_submissions([tmp_path]), Judge(b"0" * 32), runs.Limits(confined=False))
    seen = {result.exercise: result.status for result in one.results}
    assert seen == but(ex3="look", ex7="not attempted")
    assert not [p for p in psutil.process_iter(["uids", "cmdline"]) if _is_students(p)]


@pytest.mark.long
def test_all_solutions_of_the_course_are_right(tmp_path):
    if reason := runs.sandbox_missing():
        pytest.skip(f"Not sandboxed here: {reason}")
    command(ROOT / "solutions", "--to", str(tmp_path / "grades"), "--seconds", "600")
    with open(tmp_path / "grades" / "grades.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["id"] for row in rows} == {e.id for n in lesson_numbers() for e in exercises(n)}
    assert [row for row in rows if (row["status"], row["flag"]) != ("passed", "")] == []
