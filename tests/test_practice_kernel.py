"""Bad answers in a real kernel: the notebook goes on as if nothing had happened."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

LESSONS = Path(__file__).parent / "practice_lessons"

START = f"""
import builtins, os, signal, sys, time
from mlm_course import exercises
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
    "only printing": ("def f(q, k):\n    print('printed!')", "prints its result"),
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
        assert set(output.data) == {"text/plain", "text/html"}
    assert "<details" in outputs["quiz"][0].data["text/html"]
    assert "1 of 6 exercises solved" in outputs["progress"][0].data["text/plain"]
