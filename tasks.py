"""What `make` does, in plain Python, so that it works on Windows too: python tasks.py lab

lab        create .venv if missing and open JupyterLab on lesson 1 (LAB_ARGS adds options)
test       create .venv if missing and run every test
notebooks  run the notebook tests only: solutions strictly, lessons unsolved
build      rebuild lessons/ and solutions/ from course/
test-colab run every lesson quickly with the package versions of Google Colab
bench      print the measurements that the README names
"""

import hashlib
import os
import shlex
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
INSIDE = "Scripts/python.exe" if os.name == "nt" else "bin/python"  # of an environment
PYTHON = VENV / INSIDE
CPU_INDEX = ["--extra-index-url", "https://download.pytorch.org/whl/cpu"]
FIRST_LESSON = "lessons/01_attention.ipynb"


def say(sentence: str) -> None:
    print(f"==> {sentence}", flush=True)


def run(*command: object, **environment: str) -> int:
    """Exit status of a command started in the project's folder."""
    return subprocess.call(
        [str(part) for part in command], cwd=ROOT, env={**os.environ, **environment}
    )


def fingerprint() -> str:
    """A hash of everything that decides what is installed."""
    texts = [(ROOT / name).read_bytes() for name in ("pyproject.toml", "constraints.txt")]
    return hashlib.sha256(b"\0".join([*texts, sys.version.encode()])).hexdigest()


def ensure_environment() -> None:
    """.venv with the project and its pinned dependencies; nothing to do when it is up to date."""
    if sys.version_info < (3, 11):
        found = ".".join(map(str, sys.version_info[:2]))
        sys.exit(
            f"The course needs Python 3.11 or newer; this is {found}. "
            "Name a newer one: make lab PYTHON=python3.12"
        )
    stamp = VENV / "installed"
    if stamp.exists() and stamp.read_text() == fingerprint():
        say("The environment in .venv is up to date.")
        return
    if not PYTHON.exists():
        say("Creating the environment in .venv.")
        venv.create(VENV, with_pip=True)
    say("Installing the course and its pinned dependencies (a few minutes, once).")
    index = CPU_INDEX if os.environ.get("TORCH") == "cpu" else []
    if run(
        PYTHON,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "-e",
        ".[dev]",
        "-c",
        "constraints.txt",
        *index,
    ):
        sys.exit("The installation failed; pip says why above. Run the same command to try again.")
    stamp.write_text(fingerprint())


def lab() -> int:
    """JupyterLab over the whole course, so that the package can be opened beside the lessons."""
    say(f"Opening JupyterLab on {FIRST_LESSON}. Stop it with Ctrl-C.")
    where = ["--ServerApp.root_dir=.", f"--LabApp.default_url=/lab/tree/{FIRST_LESSON}"]
    options = shlex.split(os.environ.get("LAB_ARGS", ""))
    return run(PYTHON, "-m", "jupyterlab", *where, *options)


def nbval(folder: str, mode: str, python: Path = PYTHON, **environment: str) -> int:
    """nbval over one folder, one torch thread a kernel, without a network where the system allows."""
    pytest = [
        python,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-n",
        2,
        "--dist",
        "loadscope",
    ]
    options = ["--nbval-current-env", "--nbval-cell-timeout=120"]
    notebooks = [folder, "tests/no_network.ipynb", "--nbval-sanitize-with=tests/sanitize.cfg"]
    with tempfile.TemporaryDirectory() as scratch:
        environment |= {
            "OMP_NUM_THREADS": "1",
            "MLM_COURSE_PROGRESS": os.path.join(scratch, "progress.json"),
        }
        command = [python, "tests/offline.py", *pytest, mode, *options, *notebooks]
        return run(*command, **environment)


def notebooks() -> int:
    say("Running solutions/: every output must be the stored one.")
    strict = nbval("solutions", "--nbval")
    say("Running lessons/ as a learner gets them, nothing solved: no cell may fail.")
    lax = nbval("lessons", "--nbval-lax", MLM_COURSE_FAST="1")
    return strict or lax


def test() -> int:
    say("Running the tests of the package.")
    package = run(PYTHON, "-m", "pytest", "-n", 2, "--dist", "loadscope", "-q")
    return notebooks() or package


def test_colab() -> int:
    """Every lesson, unsolved and in fast mode, with Colab's packages, in an environment of its own."""
    folder = ROOT / ".venv-colab"
    if not (folder / INSIDE).exists():
        venv.create(folder, with_pip=True)
    say("Installing what Colab brings into .venv-colab.")
    tools = ["pytest>=8.4", "pytest-xdist>=3.6", "nbval>=0.11", "transformers>=5.10"]
    install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-e", ".", *tools]
    if run(folder / INSIDE, *install, "-c", "constraints-colab.txt"):
        sys.exit("The installation failed; pip says why above.")
    say("Running lessons/ with Colab's packages; its widget manager is not among them.")
    return nbval("lessons", "--nbval-lax", folder / INSIDE, MLM_COURSE_FAST="1")


def build() -> int:
    return run(PYTHON, "-m", "mlm_course", "build")


def bench() -> int:
    scripts = sorted((ROOT / "tests/bench").glob("bench_*.py"))
    return max(run(PYTHON, script) for script in scripts)


TASKS = {
    task.__name__.replace("_", "-"): task
    for task in (lab, test, notebooks, build, test_colab, bench)
}

if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in TASKS:
        sys.exit(__doc__)
    ensure_environment()
    try:
        sys.exit(TASKS[sys.argv[1]]())
    except KeyboardInterrupt:
        sys.exit(130)
