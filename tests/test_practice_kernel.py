"""Bad answers in a real kernel: the notebook goes on as if nothing had happened."""

from pathlib import Path

import nbformat
import pytest
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from nbclient import NotebookClient

from mlm_course import exercises
from mlm_course.authoring.execute import WIDGET_MIME
from mlm_course.practice import check
from mlm_course.practice.notebook import watch_for_missing_names

LESSONS = Path(__file__).parent / "practice_lessons"

START = f"""
import builtins, os, signal, sys, time
from mlm_course import exercises
from mlm_course.authoring.execute import WIDGET_MIME
from mlm_course.practice import check, hint, progress, quiz
exercises.__path__.append({str(LESSONS)!r})
own_input, own_stdout, process = builtins.input, sys.stdout, os.getpid()
"""
BAD = {
    "sys.exit": ("def f(q, k):\n    sys.exit()", "asks Python to exit"),
    "exit, as Jupyter defines it": ("def f(q, k):\n    exit()", "asks Python to exit"),
    "quit": ("def f(q, k):\n    quit()", "asks Python to exit"),
    "input": ("def f(q, k):\n    return q * float(input('?'))", "waits for the keyboard"),
    "breakpoint": ("def f(q, k):\n    breakpoint()", "waits for the keyboard"),
    "an endless loop": ("def f(q, k):\n    while True: pass", "still running after 0.3"),
    "an endless loop that swallows": (
        "def f(q, k):\n    while True:\n        try: time.sleep(.01)\n        except: pass",
        "still running after 0.3",
    ),
    "an interrupt": (
        "def f(q, k):\n    os.kill(process, signal.SIGINT)\n    time.sleep(9)",
        "interrupted",
    ),
    "a closed stdout": ("def f(q, k):\n    sys.stdout.close()\n    return q", "shape (2, 3, 8)"),
    "an exception": ("def f(q, k):\n    return q @ q @ q", "in line 2, `return q @ q @ q`"),
    "a stub": ("def f(q, k):\n    raise NotImplementedError", "not attempted yet"),
    "an empty body": ("def f(q, k):\n    ...", "still empty"),
    "only printing": ("def f(q, k):\n    print('printed!')", "`print` only shows it"),
}
GOOD = """
def f(q, k):
    return q @ k.mT / q.shape[-1] ** .5
print("still here", input == own_input, sys.stdout is own_stdout, os.getpid() == process)
check("90.1", f)
"""


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """Outputs of each cell, by name; one kernel runs them all."""
    folder = tmp_path_factory.mktemp("kernel")
    bad = [f"{code}\ncheck('90.1', f, seconds=.3)" for code, _ in BAD.values()]
    last = ["hint('90.1')", "quiz('90')", "progress('90')"]
    cells = [START, *bad, GOOD, *last]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLM_COURSE_PROGRESS", str(folder / "progress.json"))
        client = NotebookClient(
            notebook, timeout=60, kernel_name="python3", resources={"metadata": {"path": folder}}
        )
        client.execute()
    return dict(
        zip(
            ("start", *BAD, "good", "hint", "quiz", "progress"),
            (cell.outputs for cell in notebook.cells),
            strict=True,
        )
    )


@pytest.mark.parametrize("name", BAD)
def test_a_bad_answer_ends_in_a_sentence(outputs, name):
    (output,) = outputs[name]  # nothing printed, no traceback: one result
    assert output.output_type == "execute_result"
    assert BAD[name][1] in output.data["text/plain"]
    assert output.data["text/html"].startswith("<div")


def test_the_kernel_is_intact_afterwards(outputs):
    printed, verdict = outputs["good"]
    assert printed.text == "still here True True True\n"
    assert verdict.data["text/plain"] == "✓ 90.1 passed: Right on 3 of 3 random inputs."


def test_every_answer_is_shown_as_text_and_as_html(outputs):
    for name in ("hint", "quiz", "progress"):
        (output,) = outputs[name]
        assert set(output.data) - {WIDGET_MIME} == {"text/plain", "text/html"}
    assert WIDGET_MIME in outputs["quiz"][0].data  # live questions beside the folded ones
    assert "<details" in outputs["quiz"][0].data["text/html"]
    assert "1 of 9 exercises solved" in outputs["progress"][0].data["text/plain"]


RIGHT = "def f(q, k):\n    return q @ k.mT / q.shape[-1] ** .5"
STALE = (
    "✓ 90.1 passed: This is `f` as it was before: cell [{}] defines it anew, but {}. Mend that cell"
)
MEND = "○ f is not defined: Cell [{}] defines `f`, but {}. Mend that cell and run it"
SYNTAX = "it has a syntax error in line 1 (expected ':')"
PASSED = "✓ 90.1 passed: Right on 3 of 3 random inputs."
CHECK = "check('90.1', f)"
# Cells, numbered from 1, and what the last of them shows as text.
SESSIONS = {
    "a syntax error": ([RIGHT, "def f(q, k)\n    return q", CHECK], STALE.format(2, SYNTAX)),
    "an error before the definition": (
        [RIGHT, "1 / 0\ndef f(q, k):\n    return q", CHECK],
        STALE.format(2, "it stopped with an error before that"),
    ),
    "an error behind it": ([RIGHT.replace(".5", ".50") + "\n1 / 0", CHECK], PASSED),
    "mended": (["def f(q, k)\n    return q", RIGHT, CHECK], PASSED),
    "the old one run again": ([RIGHT, "def f(q, k): return q", RIGHT, CHECK], PASSED),
    "another with this name, kept": (
        [f"{RIGHT}\nmine = f", "def f(q, k): return q", "check('90.1', mine)"],
        PASSED,
    ),
    "an import with this name": (
        ["from torch.nn.functional import bilinear as f", CHECK],
        "✗ 90.1 failed: Your",
    ),
    "all in one cell": ([f"{RIGHT}\n{CHECK}"], PASSED),
    "never defined": (["def f(q, k)\n    return q", CHECK], MEND.format(1, SYNTAX)),
    "deleted": (
        ["f = 1", "del f", "f"],
        "○ f is not defined: Cell [1] defines `f`, but it is gone since. Run that cell, then",
    ),
    "a branch not taken": ([RIGHT, "if not f:\n    def f(): ...", CHECK], PASSED),
    "never run": (
        [CHECK],
        "○ f is not defined: Is `f` spelled right? If it comes from a cell further up",
    ),
    "a later section": (
        ["sentence.split()"],
        "○ sentence is not defined: `sentence` gets its value in a cell of the section “2. Words as "
        "vectors”, which has not run since the kernel started. In the menu Run > Run All Above",
    ),
    "an import of the beginning": (
        ["plt.plot()"],
        "○ plt is not defined: `plt` gets its value in a cell at the beginning of this notebook,",
    ),
    "a name missing in the answer": (
        ["def f(q, k):\n    return F.softmax(q @ k.mT)", CHECK],
        "✗ 90.1 failed: Your function stops with `NameError: name 'F' is not defined` in line 2, "
        "`return F.softmax(q @ k.mT)`. `F` gets its value in a cell of the section “2. Words as",
    ),
    "another error": (["1 / 0"], None),
}


@pytest.fixture
def notebook(tmp_path, monkeypatch):
    """A shell like a notebook's: run(cells) is what the last of them shows, as text."""
    lesson = LESSONS.parents[1] / "lessons" / "01_attention.ipynb"
    monkeypatch.setenv("MLM_COURSE_PROGRESS", str(tmp_path / "progress.json"))
    monkeypatch.setenv("JPY_SESSION_NAME", str(lesson))
    monkeypatch.setattr(exercises, "__path__", [*exercises.__path__, str(LESSONS)])
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    shell = InteractiveShell.instance(user_ns={"check": check})
    monkeypatch.setattr("mlm_course.practice.notebook._failed", set())
    shell.display_pub = CapturingDisplayPublisher()
    watch_for_missing_names()

    def run(cells):
        results = [shell.run_cell(cell, store_history=True).result for cell in cells]
        shown = [output["data"]["text/plain"] for output in shell.display_pub.outputs]
        return shown + [repr(result) for result in results[-1:] if result is not None]

    yield run
    InteractiveShell.clear_instance()


@pytest.mark.parametrize("name", SESSIONS)
def test_what_is_judged_is_said(notebook, name):
    """check judges what has run; where a newer cell has not, or the name is missing, it says so."""
    cells, words = SESSIONS[name]
    texts = notebook(cells)
    assert [text.startswith(words) for text in texts] == ([True] if words else []), texts


def test_a_lesson_begun_in_the_middle_is_explained_before_any_import(monkeypatch):
    """What `make lab` sets; and the kernel has no name that a fresh one has not."""
    root = LESSONS.parents[1]
    monkeypatch.setenv("PYTHONSTARTUP", str(root / "mlm_course/practice/startup.py"))
    monkeypatch.setenv("JPY_SESSION_NAME", str(root / "lessons/01_attention.ipynb"))
    cells = ["sorted(name for name in dir() if name[:2] not in ('__', '_i'))", "sentence", "words"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    NotebookClient(notebook, timeout=60, kernel_name="python3", allow_errors=True).execute()
    names, *missing = (cell.outputs for cell in notebook.cells)
    assert {"In", "Out", "exit"} <= set(eval(names[0].data["text/plain"]))
    assert not {"sys", "after_cell", "_explain"} & set(eval(names[0].data["text/plain"]))
    for outputs in missing:
        error, explained = outputs
        assert error.ename == "NameError" and "which has not run" in explained.data["text/plain"]


def test_two_cells_that_define_the_answer_are_named(notebook, monkeypatch):
    """Where the page says which cell a run was of, as JupyterLab does."""
    wrong = "def f(q, k):\n    return q @ k.mT"
    monkeypatch.setattr("mlm_course.practice.notebook._places", {1: "A", 2: "A", 3: "B", 4: "C"})
    words = "Judged is the `f` of cell [3]; cell [2] defines one, too."
    assert words in notebook([RIGHT, f"{RIGHT} * 2", wrong, CHECK])[0]
    monkeypatch.setattr("mlm_course.practice.notebook._places", {5: "A", 6: "A", 7: "A", 8: "C"})
    assert "Judged is" not in notebook([RIGHT, f"{RIGHT} * 2", wrong, CHECK])[0]
