"""JupyterLab over a learner's copies, with the settings that `make lab` gives it."""

import importlib.util
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import mlm_course
from mlm_course.authoring.copies import FOLDER, first_lesson, shipped
from mlm_course.doctor import not_writable


def open_lab(root: Path) -> int:
    """JupyterLab's exit status; 1, with a sentence, where it is not installed."""
    if importlib.util.find_spec("jupyterlab") is None:
        print(
            'JupyterLab is not installed: `pip install "mlm-course[lab]"`, then again; or open the '
            "notebooks in another program, with this Python.",
            file=sys.stderr,
        )
        return 1
    if reason := nowhere_to_write():
        print(
            f"JupyterLab cannot start: {reason}. Set HOME or JUPYTER_RUNTIME_DIR to a folder of yours. "
            "Your copies are there, for another program.",
            file=sys.stderr,
        )
        return 1
    first = f"{FOLDER}/{first_lesson(root)}"
    print(f"Opening JupyterLab on {first}. Stop it with Ctrl-C.", flush=True)
    where = [f"--ServerApp.root_dir={root}", f"--LabApp.default_url=/lab/tree/{first}"]
    options = shlex.split(os.environ.get("LAB_ARGS", ""))
    command = [sys.executable, "-m", "jupyterlab", *where, *options]
    with subprocess.Popen(command, env={**os.environ, **settings()}) as lab:
        signal.signal(signal.SIGINT, lambda *_: None)  # JupyterLab asks what Ctrl-C means
        return lab.wait()


def nowhere_to_write() -> str:
    """Why Jupyter has no place for the files of its kernels; "" if it has."""
    try:
        place = Path(os.environ.get("JUPYTER_RUNTIME_DIR") or Path.home())
    except RuntimeError:
        return "there is no home folder"
    reason = not_writable(place)
    return f"{place} cannot be written to ({reason})" if reason else ""


def settings() -> dict[str, str]:
    """Where JupyterLab looks for settings, and what each kernel runs first."""
    named = os.environ.get("JUPYTER_CONFIG_PATH")
    paths = [*([named] if named else []), str(shipped() / "jupyter")]
    startup = Path(mlm_course.__file__).parent / "practice" / "startup.py"
    return {
        "PYTHONSTARTUP": os.environ.get("PYTHONSTARTUP", str(startup)),
        "JUPYTER_CONFIG_PATH": os.pathsep.join(paths),
    }
