"""What `make` does, in plain Python, so that it works on Windows too: python tasks.py lab

lab         create .venv if missing and open JupyterLab on lesson 1 (LAB_ARGS adds options)
test-quick  create .venv if missing and run the tests of the package that take a moment (2 minutes)
test        all tests of the package, the browser in short, and the notebooks (15 minutes)
test-all    style and types, every test, and the notebooks (45 minutes): what CI runs
notebooks   run the notebook tests only: solutions strictly, lessons unsolved
build       rebuild lessons/ and solutions/ from course/
test-colab  run every lesson quickly with the package versions of Google Colab
test-binder run every lesson quickly in 2 GB of memory, which is what Binder gives
test-oldest run tests and lessons with the oldest packages that pyproject.toml supports
test-newest run tests and lessons with the newest packages that pyproject.toml supports
bench       run every benchmark, record what it finds, and render course/RESULTS.md
"""

import hashlib
import os
import re
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
BINDER_GB = 2.0


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


def nbval(
    folder: str,
    mode: str,
    python: Path = PYTHON,
    workers: int = 2,
    within: tuple[object, ...] = (),
    **environment: str,
) -> int:
    """nbval over a folder or notebook, one torch thread a kernel, the CPU only, without a network
    where the system allows; `within` stands before the command."""
    pytest = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    several = ["-n", workers, "--dist", "loadscope"] if workers > 1 else []
    options = ["--nbval-current-env", "--nbval-cell-timeout=300"]
    notebooks = [folder, "tests/no_network.ipynb", "--nbval-sanitize-with=tests/sanitize.cfg"]
    with tempfile.TemporaryDirectory() as scratch:
        environment |= {
            "OMP_NUM_THREADS": "1",
            "ACCELERATE_USE_CPU": "1",  # the same numbers everywhere, and no hours on a GPU
            "MLM_COURSE_PROGRESS": os.path.join(scratch, "progress.json"),
        }
        command = [*within, python, "tests/offline.py", *pytest, *several, mode, *options]
        return run(*command, *notebooks, **environment)


def notebooks() -> int:
    say("Running solutions/: every output must be the stored one.")
    strict = nbval("solutions", "--nbval")
    say("Running lessons/ as a learner gets them, nothing solved: no cell may fail.")
    lax = nbval("lessons", "--nbval-lax", MLM_COURSE_FAST="1")
    return strict or lax


def package_tests(*options: object, python: Path = PYTHON) -> int:
    """The tests in tests/, on two cores; options choose among them."""
    return run(python, "-m", "pytest", "-n", 2, "--dist", "loadscope", "-q", *options)


def test_quick() -> int:
    say("Running the quick tests of the package: no notebook, no browser, nothing slow.")
    return package_tests("-m", "not browser and not slow", "--ignore=tests/browser")


def test() -> int:
    say("Running the tests of the package, and a few in a browser.")
    package = package_tests("-m", "not long and (smoke or not browser)")
    return notebooks() or package


def style() -> int:
    say("Looking at style and types.")
    looks = (("ruff", "check"), ("ruff", "format", "--check"), ("mypy",))
    return max(run(PYTHON, "-m", *look) for look in looks)


def test_all() -> int:
    untidy = style()
    say("Running every test of the package, the browser's too.")
    package = package_tests()
    return notebooks() or package or untidy


def environment_of(name: str, constraints: Path, *packages: str) -> Path:
    """The interpreter of an environment of its own, .venv-NAME, with packages as constrained."""
    folder = ROOT / f".venv-{name}"
    if not (folder / INSIDE).exists():
        venv.create(folder, with_pip=True)
    say(f"Installing into {folder.name}.")
    install = ["-m", "pip", "install", "--disable-pip-version-check", "--upgrade"]
    eager = ["--upgrade-strategy", "eager"]
    if run(folder / INSIDE, *install, *eager, "-e", *packages, "-c", constraints):
        sys.exit("The installation failed; pip says why above.")
    return folder / INSIDE


def test_colab() -> int:
    """Every lesson, unsolved and in fast mode, with Colab's packages, in an environment of its own."""
    tools = ["pytest>=8.4", "pytest-xdist>=3.6", "nbval>=0.11", "transformers>=5.10"]
    python = environment_of("colab", Path("constraints-colab.txt"), ".", *tools)
    say("Running lessons/ with Colab's packages; its widget manager is not among them.")
    return nbval("lessons", "--nbval-lax", python, MLM_COURSE_FAST="1")


def torch_here() -> str:
    """torch as constraints.txt pins it: another one would be gigabytes, or not to be had."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return next(line for line in lines if line.startswith("torch=="))


def lower_bounds() -> list[str]:
    """Every package that pyproject.toml names, at the oldest version it supports, as pins."""
    import tomllib  # not in a Python too old for the course, which must get as far as its sentence

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    found = [re.match(r"([\w.-]+)>=([\d.]+)", line) for group in groups for line in group]
    pins = [f"{match[1]}=={match[2]}" for match in found if match and match[1] != "torch"]
    return [*pins, torch_here()]


def test_supported(name: str, pins: list[str]) -> int:
    """Tests, without browser and style, and lessons in fast mode, in .venv-NAME with such pins."""
    with tempfile.TemporaryDirectory() as scratch:
        constraints = Path(scratch) / f"constraints-{name}.txt"
        constraints.write_text("\n".join(pins) + "\n", encoding="utf-8")
        python = environment_of(name, constraints, ".[dev]")
    say(f"Running the tests of the package with the {name} packages.")
    package = package_tests("-m", "not browser", "--ignore=tests/browser", python=python)
    say(f"Running lessons/ with the {name} packages.")
    return nbval("lessons", "--nbval-lax", python, MLM_COURSE_FAST="1") or package


def test_oldest() -> int:
    return test_supported("oldest", lower_bounds())


def test_newest() -> int:
    return test_supported("newest", [torch_here()])


def test_binder() -> int:
    """Every lesson, unsolved and in fast mode; each with its kernel may take 2 GB."""
    within, failed = (PYTHON, "tests/limited.py", BINDER_GB), []
    for path in sorted((ROOT / "lessons").glob("[0-9]*.ipynb")):
        say(f"Running {path.name} in {BINDER_GB} GB of memory.")
        notebook = f"lessons/{path.name}"
        if nbval(notebook, "--nbval-lax", workers=1, within=within, MLM_COURSE_FAST="1"):
            failed.append(path.stem)
    say(f"Failed: {', '.join(failed)}." if failed else "Every lesson stays below the limit.")
    return len(failed)


def build() -> int:
    return run(PYTHON, "-m", "mlm_course", "build")


def bench() -> int:
    """Every benchmark, recorded; the page of results is written even if one failed or missed a bar."""
    say("Measuring, twenty minutes: leave the machine alone meanwhile.")
    worst = run(PYTHON, "tests/bench/run.py")
    return run(PYTHON, "-m", "mlm_course", "results") or worst


TASKS = {
    task.__name__.replace("_", "-"): task
    for task in (
        lab, test, test_quick, test_all, notebooks, build, test_colab, test_binder, test_oldest,
        test_newest, bench,
    )
}  # fmt: skip

if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in TASKS:
        sys.exit(__doc__)
    ensure_environment()
    try:
        sys.exit(TASKS[sys.argv[1]]())
    except KeyboardInterrupt:
        sys.exit(130)
