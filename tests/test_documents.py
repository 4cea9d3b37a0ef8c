"""README, CONTRIBUTING and the pages beside them say what there is."""

import ast
import importlib.util
import json
import re
import sys
import tomllib
from dataclasses import replace
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import pytest
import torch
import yaml
from packaging.requirements import Requirement

from mlm_course import __version__
from mlm_course.__main__ import COMMANDS
from mlm_course.practice import exercise as practice
from mlm_course.results.comparison import mean_interval

ROOT = Path(__file__).resolve().parents[1]
README, CONTRIBUTING = (
    (ROOT / name).read_text("utf-8") for name in ("README.md", "CONTRIBUTING.md")
)
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("course/*.md")])
EXERCISES = ROOT / "mlm_course" / "exercises"  # on its way: checked as soon as it is there
GENERAL = re.compile(r"NN|NAME|exK|lesson_14|…|\*")  # a place to fill in, not a file
each_page = pytest.mark.parametrize("text", [README, CONTRIBUTING], ids=["README", "CONTRIBUTING"])


def section(text: str, heading: str) -> str:
    """What stands below a heading, up to the next of its kind."""
    return text.split(f"\n## {heading}\n")[1].split("\n## ")[0]


def outside_links(text: str) -> str:
    return re.sub(r"\]\([^)]*\)", "]", text)


# --- Files, links, commands


@each_page
def test_every_path_named_exists(text):
    """Words in backticks, and words of commands, that look like a path of this project."""
    spans = re.findall(r"`([^`\n]+)`", outside_links(text)) + re.findall(r"^.+$", text, re.M)
    folders = "course|lessons|solutions|mlm_course|tests|exercises"
    named = {
        path.rstrip(".,:;")
        for span in spans
        for path in re.findall(rf"(?<![\w/.-])(?:\.ci|{folders})/[\w./…*-]*", span)
    }
    assert len(named) > 3
    for name in sorted(named):
        path = ROOT / ("mlm_course" if name.startswith("exercises/") else "") / name
        if GENERAL.search(name) or (path.is_relative_to(EXERCISES) and not EXERCISES.exists()):
            continue
        assert path.exists(), name


@each_page
def test_every_file_named_alone_exists(text):
    names = re.findall(r"`([\w-]+\.(?:toml|yml|txt|md|cff))`", text)
    for name in names:
        assert (ROOT / name).exists(), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_within_the_project_resolve(page):
    text = page.read_text("utf-8")
    for link in re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r"^\[.+\]: (\S+)$", text, re.M):
        if re.match(r"https?://", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name) if name else page
        assert target.exists(), link
        if anchor:
            assert unquote(anchor) in anchors(target), link


@cache
def anchors(page: Path) -> set[str]:
    """What a page's headings are called in links: by GitHub, those of a notebook by JupyterLab."""
    text = page.read_text("utf-8")
    if page.suffix == ".ipynb":
        cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "markdown"]
        source = "\n".join("".join(cell["source"]) for cell in cells)
        return {name.strip().replace(" ", "-") for name in re.findall(r"^#+ (.+)$", source, re.M)}
    headings = re.findall(r"^#+ (.+)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def targets() -> set[str]:
    tasks = re.search(r"^TASKS = (.+)$", (ROOT / "Makefile").read_text("utf-8"), re.M)[1]
    return set(tasks.split())


@each_page
def test_every_make_target_named_exists(text):
    named = set(re.findall(r"^make ([a-z-]+)|`make ([a-z-]+)", text, re.M))
    wanted = {name for pair in named for name in pair if name}
    assert wanted
    assert wanted <= targets()


def test_every_make_target_is_a_task_and_is_named():
    spec = importlib.util.spec_from_file_location("tasks", ROOT / "tasks.py")
    tasks = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tasks)
    assert set(tasks.TASKS) == targets()
    named = README + CONTRIBUTING
    assert [name for name in targets() if f"make {name}" not in named] == []


@each_page
def test_every_command_of_the_package_named_exists(text):
    """`mlm-course WORD` and `python -m mlm_course WORD`, without running any."""
    named = set(re.findall(r"(?:-m mlm_course|mlm-course) ([a-z]+)\b", text))
    assert named and named <= COMMANDS.keys()


def test_the_workflows_call_what_there_is():
    """They cannot run here: what they name exists, and the Pythons are those that are supported."""
    files = {path.name: path.read_text("utf-8") for path in ROOT.glob(".github/workflows/*.yml")}
    assert {"test.yml", "publish.yml"} <= files.keys()
    jobs = [job for text in files.values() for job in yaml.safe_load(text)["jobs"].values()]
    commands = [step["run"] for job in jobs for step in job["steps"] if "run" in step]
    tasks = {word for line in commands for word in re.findall(r"python tasks\.py (\S+)", line)}
    assert tasks and tasks <= targets()
    matrix = yaml.safe_load(files["test.yml"])["jobs"]["test"]["strategy"]["matrix"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    lowest = Requirement(f"python{project['requires-python']}").specifier
    assert all(lowest.contains(f"{version}.0") for version in matrix["python"])
    assert len(matrix["os"]) == len(matrix["python"]) == 3
    version_line = re.search(r'grep -qx "(.+)" pyproject', files["publish.yml"])[1]
    wanted = version_line.replace("${GITHUB_REF_NAME#v}", __version__).replace("\\", "")
    assert wanted in (ROOT / "pyproject.toml").read_text("utf-8").splitlines()


# --- Lessons


NUMBERS = {int(path.stem[:2]): path.stem for path in (ROOT / "course").glob("[0-9]*.py")}
ROWS = re.findall(
    r"^\| (\d+) \| \[.+?\]\(lessons/(\w+)\.ipynb\) \| .+? \| ([\d.]+) \| (.*?) ?\|$",
    section(README, "Lessons"),
    re.M,
)


def test_the_table_of_lessons_is_complete_and_in_order():
    assert [(int(number), name) for number, name, _, _ in ROWS] == sorted(NUMBERS.items())


def test_hours_are_those_at_the_top_of_each_lesson():
    told = {}
    for number, name, _, _ in ROWS:
        text = (ROOT / "lessons" / f"{name}.ipynb").read_text("utf-8")
        told[number] = re.search(r"\*\*For you:\*\* about ([\d.]+) hours?", text)[1]
    assert {number: hours for number, _, hours, _ in ROWS} == told, "README, column Hours"


def test_prerequisites_are_lessons_that_come_before():
    assert ROWS[0][3] == ""
    for number, _, _, needs in ROWS[1:]:
        for first, last in re.findall(r"(?<!section )\b(\d+)(?: to (\d+))?", needs):
            assert {int(first), int(last or first)} <= NUMBERS.keys()
            assert int(first) <= int(last or first) < int(number)


def test_the_map_names_every_lesson_once_and_only_lessons():
    tree = section(README, "Lessons").split("```")[1]
    places = re.findall(r"^\W*(\d+) ", tree, re.M)
    assert sorted(map(int, places)) == sorted(NUMBERS)
    aside = re.sub(r"sections? \d+", "", " ".join(re.findall(r"\((.+?)\)", tree)))
    assert {int(number) for number in re.findall(r"\d+", aside)} <= NUMBERS.keys()


def test_the_self_test_has_an_answer_to_each_question():
    text = section(README, "Are you ready for lesson 1?")
    numbers = re.findall(r"^\*\*(\d)\.\*\*", text, re.M)
    assert numbers == [str(n) for n in range(1, len(numbers) + 1)] and 6 <= len(numbers) <= 8
    assert text.count("<details>") == text.count("</details>") == len(numbers)


# --- Figures


def test_the_figures_are_those_of_the_records():
    def record(name):
        return json.loads((ROOT / "mlm_course/results" / f"{name}.json").read_text("utf-8"))

    def with_quartiles(ratio, low, high, digits):
        return f"{ratio:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"

    def of_rounds(finding, digits):
        return with_quartiles(finding["ratio"], finding["low"], finding["high"], digits)

    text, parts = section(README, "Measured"), record("benchmarks")
    steps = [f for f in parts["encoder"]["findings"] if f["peer"] == "transformers"]
    told = [of_rounds(f, 2) for f in steps]
    collating = [f for f in parts["corruption"]["findings"] if f["what"].startswith("collate")]
    told.append(f"{of_rounds(collating[0], 1)} times")
    (dicts,) = [
        f for f in collating if f["what"].startswith("collate full rows, theirs from dicts,")
    ]
    told.append(f"{of_rounds(dicts, 1)} times for dicts")
    seconds, gap = (f["ours"] for f in parts["tinyworld"]["findings"])
    told += [f"{seconds:.0f} s", f"{gap:.3f} nats".removeprefix("0")]
    docs = record("python_docs")["result"]
    told += [f"{100 * docs[kind]:.1f} %" for kind in ("accuracy", "word_accuracy")]
    fast = {n: row["T=4"] for n, row in record("pairs_speed")["batches"].items()}
    for n, words in (("1", " times"), ("16", " for 16"), ("64", " for 64")):
        told.append(with_quartiles(fast[n]["times_as_fast"], *fast[n]["quartiles"], 2) + words)
    cheques = record("pairs")
    told.append(f"{100 * cheques['steps_one_length']['distilled']['4']['right']:.1f} % right")
    told.append(f"the twin {100 * cheques['autoregressive']['greedy']['right']:.0f} %")
    told.append(f"{cheques['sizes']['test']:,} test cheques")
    mean, low, high, _ = mean_interval(record("payments")["right"]["values"]["T = 10"])
    told.append(f"{100 * mean:.0f} % right in 10 steps ({100 * low:.0f} to {100 * high:.0f})")
    assert [figure for figure in told if figure not in text] == []
    largest = record("two_processes")["largest difference"]
    devices = section(README, "On several devices")
    for name, bound in (("adamw", 2e-6), ("muon", 4e-3)):
        assert largest[name] <= bound and f"{bound:.0e}".replace("e-0", "e-") in devices, name


# --- CONTRIBUTING


def test_the_map_of_the_package_is_complete():
    parts = {path.name for path in (ROOT / "mlm_course").glob("*.py")} - {"__init__.py"}
    parts |= {
        f"{path.name}/"
        for path in (ROOT / "mlm_course").iterdir()
        if path.is_dir() and not path.name.startswith("__")
    }
    told = set(re.findall(r"^\| `([\w./]+)` \|", section(CONTRIBUTING, "The map"), re.M))
    assert told - {"exercises/"} == parts - {"exercises/"}


LISTS = {  # what the table says a newcomer is entered in, and where that stands
    "STRATEGIES": "mlm_course/corruption/catalogue.py",
    "_KINDS": "mlm_course/models/storage.py",
    "RENDERERS": "mlm_course/views/picture.py",
    "TASKS": "mlm_course/train.py",
    "MAKERS": "tests/test_widgets.py",
    "WIDGETS": "tests/browser/samples.py",
    "CELLS": "tests/browser/test_lab.py",
    "STOPS": "tests/browser/test_lab.py",
    "MAY_IMPORT": "tests/test_project.py",
}


def test_the_lists_to_enter_something_in_are_where_the_table_says():
    for name, file in LISTS.items():
        assert f"`{name}`" in CONTRIBUTING
        bound = re.compile(rf"^{name}\b.*=", re.M)
        assert bound.search((ROOT / file).read_text("utf-8")), f"{file} has no {name}"


@pytest.mark.skipif(not hasattr(practice, "Mistake"), reason="exercises are not files yet")
def test_the_example_of_an_exercise_works():
    lesson, file = re.findall(r"```python\n(.+?)```", CONTRIBUTING, re.S)
    function = lesson.split("### BEGIN SOLUTION\n")
    answer = lesson[lesson.index("def ") : lesson.index("# %%\ncheck")]
    answer = re.sub(r"^ *### (BEGIN|END) SOLUTION\n", "", answer, flags=re.M)
    assert len(function) == 2
    names: dict = {}
    exec(file, names)
    example = replace(names["EXERCISE"], id="14.1", answer=answer.strip(), names=names)
    ways = [example.reference, *(f for m in example.mistakes for f in example.functions(m))]
    results = [way(*example.arguments(1)) for way in ways]
    for place, result in enumerate(results):
        assert result.shape == (4, 1)
        assert not any(torch.allclose(result, other) for other in results[:place])
    assert len(example.hints) >= 3 and len(example.mistakes) >= 3


# --- Citation, changelog, what is installed


def test_the_citation_is_valid():
    """What the Citation File Format 1.2.0 requires, and no person."""
    about = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert about["cff-version"] == "1.2.0" and about["message"] and about["title"]
    assert about["authors"] == [{"name": "The masked-modelling course"}]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert about["version"] == project["version"] == __version__
    assert " AND ".join(about["license"]) == project["license"]
    known = {"cff-version", "message", "type", "title", "version", "abstract", "authors", "license"}
    assert about.keys() <= known | {"keywords", "repository-code", "date-released", "url"}


def test_the_changelog_keeps_its_form():
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    versions = re.findall(r"^## \[(.+?)\](?: - (\d{4}-\d\d-\d\d))?$", text, re.M)
    assert versions[0] == ("Unreleased", "") and versions[1][0] == __version__
    assert all(date for _, date in versions[1:])
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert set(re.findall(r"^### (.+)$", text, re.M)) <= kinds


MODULES = {"pillow": "PIL", "scikit-learn": "sklearn", "ipython": "IPython"}
ASKED_FOR = {"sacrebleu"}  # by one experiment, which says how to install it


def test_what_the_package_imports_is_declared():
    """By the course itself; what builds notebooks and book may come with the extras `dev` and `book`."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

    def modules(lines):
        return {MODULES.get(name, name) for name in (Requirement(line).name for line in lines)}

    ours = modules(project["dependencies"])
    extras = project["optional-dependencies"]
    extra = ours | modules(extras["dev"] + extras["book"])
    for path in (ROOT / "mlm_course").rglob("*.py"):
        imported = set()
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.split(".")[0])
        theirs = imported - sys.stdlib_module_names - {"mlm_course"} - ASKED_FOR
        known = extra if "authoring" in path.parts else ours
        assert theirs <= known, f"{path.relative_to(ROOT)}: {theirs - known}"


def test_every_marker_is_used():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    markers = project["tool"]["pytest"]["ini_options"]["markers"]
    tests = "".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("*.py"))
    for marker in markers:
        assert f"pytest.mark.{marker.split(':')[0]}" in tests, marker
        for heading in re.findall(r"README, '(.+?)'", marker):
            assert f"\n## {heading}\n" in README
