"""What holds the project together: who imports whom, one environment, a quick import."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "mlm_course"
BASE = {"attention", "corruption", "tokenization", "corpora"}
MODELS = BASE | {"models"}
MAY_IMPORT = {
    **dict.fromkeys(BASE, BASE),
    "models": MODELS,
    "training": MODELS | {"training", "evaluation"},
    "decoding": MODELS | {"decoding"},
    "diffusion": MODELS | {"decoding", "diffusion", "evaluation"},
    "cost": MODELS | {"cost"},
    "compression": MODELS | {"compression"},
    "packing": BASE | {"packing"},
    "evaluation": MODELS | {"evaluation", "decoding"},
    "views": {"views"},
    "widgets": {"views", "widgets"},
    "practice": MODELS
    | {"training", "decoding", "diffusion", "evaluation", "views", "widgets", "practice"}
    | {"cost", "compression", "packing"},
}
FORBIDDEN = {"views": {"torch", "ipywidgets", "anywidget"}}


def imports(path: Path) -> set[str]:
    """Every module a file imports, anywhere in it, as dotted names."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: write the import from mlm_course on"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def parts() -> list[tuple[str, Path]]:
    """(part, file) for each file of the package: part is the name right below mlm_course."""
    files = sorted(PACKAGE.rglob("*.py"))
    return [(path.relative_to(PACKAGE).parts[0].removesuffix(".py"), path) for path in files]


@pytest.mark.parametrize(
    ("part", "path"), [pytest.param(*p, id=str(p[1].relative_to(PACKAGE))) for p in parts()]
)
def test_each_part_imports_only_what_stands_below_it(part, path):
    ours = {name.split(".")[1] for name in imports(path) if name.startswith("mlm_course.")}
    if part in MAY_IMPORT:
        assert ours <= MAY_IMPORT[part], f"{part} may not import {ours - MAY_IMPORT[part]}"
    elif part not in {"authoring", "doctor", "__main__"}:
        assert "practice" not in ours
    roots = {name.split(".")[0] for name in imports(path)}
    assert not roots & FORBIDDEN.get(part, set())


def plain(name: str) -> str:
    """A package's name as the package index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_dependency_is_pinned_to_a_version_its_range_allows():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [Requirement(line) for line in project["dependencies"]]
    wanted += [Requirement(r) for rows in project["optional-dependencies"].values() for r in rows]
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    pins = {plain(name): Version(version) for name, version in pins.items()}
    for requirement in wanted:
        if requirement.name != project["name"]:
            assert requirement.specifier.contains(pins[plain(requirement.name)]), str(requirement)
    assert pins["torch"] == Version("2.13.0")


def test_conda_and_binder_get_the_same_environment():
    text = (ROOT / "environment.yml").read_text()
    pip_lines = re.findall(r"^      - (.+)$", text, re.MULTILINE)
    assert "--constraint constraints.txt" in pip_lines and "--editable .[dev]" in pip_lines
    assert not [line for line in pip_lines if not line.startswith("--")]  # no second list of names
    python = re.search(r"- python=(\S+)", text)[1]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert Requirement(f"python{project['requires-python']}").specifier.contains(f"{python}.0")
    assert not (ROOT / "binder").exists()  # repo2docker would ignore the root environment.yml


def test_importing_the_course_is_quick_and_light():
    code = (
        "import sys, mlm_course, mlm_course.practice\n"
        "heavy = {'datasets', 'transformers', 'ipywidgets', 'matplotlib', 'nbclient', 'jupytext'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def test_lessons_listed_in_the_readme_are_those_of_the_course():
    listed = set(re.findall(r"lessons/(\d\d_\w+)\.ipynb", (ROOT / "README.md").read_text()))
    assert listed == {path.stem for path in (ROOT / "course").glob("[0-9]*.py")}


def test_the_network_proof_fails_where_a_route_exists():
    """The notebook that proves the network is off must not pass with the network on."""
    import errno
    import json

    cell = json.loads((ROOT / "tests/no_network.ipynb").read_text())["cells"][1]["source"]
    always = (
        "class S:\n def __init__(s,*a):pass\n def __enter__(s):return s\n def __exit__(s,*a):pass\n"
    )
    for code, passes in ((0, False), (errno.ENETUNREACH, True)):
        fake = always + f" def connect_ex(s, a): return {code}\nimport socket; socket.socket = S\n"
        result = subprocess.run(
            [sys.executable, "-c", fake + cell],
            env={"MLM_COURSE_NETWORK_IS_OFF": "1", "PATH": ""},
            capture_output=True,
        )
        assert (result.returncode == 0) is passes
