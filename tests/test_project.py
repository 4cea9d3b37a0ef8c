"""What holds the project together: who imports whom, one environment, a quick import."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "mlm_course"
SUBJECT = {
    "wording", "contracts", "text_files", "attention", "attention_checks", "positions", "tokenization",
    "corruption", "corpora", "hub", "models", "training", "evaluation", "probing", "decoding", "diffusion",
    "search", "compression", "cost", "views", "widgets", "experiments", "results", "train",
}  # fmt: skip
SCHOOL = {
    "practice", "exercises", "authoring", "teaching", "commands", "doctor", "__main__", "__init__"
}  # fmt: skip
BASE = {
    "wording",
    "contracts",
    "text_files",
    "attention",
    "attention_checks",
    "positions",
    "corruption",
    "tokenization",
    "corpora",
    "hub",
}
MODELS = (BASE - {"corpora"}) | {"models"}  # a model knows no text
MAY_IMPORT = {
    "hub": {"hub"},
    "wording": {"wording"},
    "contracts": {"contracts", "wording"},
    "text_files": {"text_files"},
    **dict.fromkeys(BASE - {"hub", "wording", "contracts", "text_files"}, BASE),
    "models": MODELS,
    "decoding": MODELS | {"decoding"},
    "evaluation": MODELS | {"corpora", "evaluation", "decoding"},
    "probing": MODELS | {"corpora", "probing"},
    "diffusion": MODELS | {"decoding", "diffusion", "evaluation"},
    "training": MODELS | {"training", "evaluation", "diffusion"},
    "search": MODELS | {"evaluation", "search"},
    "cost": MODELS | {"cost"},
    "compression": MODELS | {"compression"},
    "views": {"views", "wording"},
    "widgets": MODELS | {"decoding", "diffusion", "views", "widgets"},
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


def ours(path: Path) -> set[str]:
    """The parts of the package that a file imports."""
    return {name.split(".")[1] for name in imports(path) if name.startswith("mlm_course.")}


def test_arrows_point_down():
    """Each part of the subject imports only what stands below it, and never the school."""
    for part, path in parts():
        if part in SUBJECT:
            wrong = ours(path) - MAY_IMPORT.get(part, SUBJECT)
            assert not wrong, f"{path.relative_to(PACKAGE)} may not import {wrong}"
        roots = {name.split(".")[0] for name in imports(path)}
        assert not roots & FORBIDDEN.get(part, set()), path
    assert {part for part, _ in parts()} <= SUBJECT | SCHOOL  # a new part gets its place above


def test_lessons_import_the_subject_and_practice_but_no_experiment():
    for path in sorted((ROOT / "course").glob("[0-9]*.py")):
        assert not ours(path) & {"experiments", "authoring", "teaching"}, path.name


def test_training_is_eight_files():
    stems = {path.stem for path in (PACKAGE / "training").glob("*.py")} - {"__init__"}
    assert stems == set("loop step datasets losses optim checkpoints fingerprint reporting".split())


APART = {"views", "experiments"}  # where a name may come again


def test_module_names_of_the_subject_occur_once():
    stems = [
        path.stem for part, path in parts() if part in SUBJECT - APART and path.stem != "__init__"
    ]
    assert {stem for stem in stems if stems.count(stem) > 1} == set()


def top_level(path: Path) -> list[str]:
    """Names of the functions and classes that a module defines for others."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    kinds = ast.FunctionDef | ast.ClassDef
    return [n.name for n in tree.body if isinstance(n, kinds) and not n.name.startswith("_")]


CORPORA = {"vocabulary", "sample", "sentences", "encode", "read"}  # asked of a corpus by its module


def test_a_name_of_the_subject_means_one_thing():
    where: dict[str, list[str]] = {}
    for part, path in parts():
        if part in SUBJECT - APART:
            for name in top_level(path):
                where.setdefault(name, []).append(str(path.relative_to(PACKAGE)))
    twice = {name: files for name, files in where.items() if len(files) > 1}
    assert {name: files for name, files in twice.items() if name not in CORPORA} == {}


def test_no_function_bears_its_modules_name():
    same = [str(path.relative_to(PACKAGE)) for _, path in parts() if path.stem in top_level(path)]
    assert same == []


SAY_WHAT_IT_IS = {"found", "measured", "compared", "got"}


def bound_names(path: Path) -> set[str]:
    """Every name that a file gives to a variable, an argument or a function."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
    return names


def test_names_say_what_they_hold():
    own = [path for path in (ROOT / "tests").rglob("*.py") if path.parent.name != "answers"]
    for path in [*(ROOT / "course").glob("*.py"), *own, *(path for _, path in parts())]:
        assert not bound_names(path) & SAY_WHAT_IT_IS, path.relative_to(ROOT)


OLD_WORDS = re.compile(
    r"\b(hideable|can_hide|hidden_count|n_hidden|score_hidden|stirred|RowNoise|MaskedRows"
    r"|exchange_seconds|directions_needed|at_home|may_reopen|reopen|visible_mask\.py)\b"
)


def test_the_fields_words_are_used():
    """`masked` for tokens out of view, and no private words where the field has its own."""
    files = [*(ROOT / "course").glob("[0-9]*.py"), *(path for _, path in parts())]
    for path in files:
        text = path.read_text(encoding="utf-8")
        assert not OLD_WORDS.search(text), f"{path.relative_to(ROOT)}: {OLD_WORDS.search(text)}"
        assert "hidden" not in bound_names(path), path.relative_to(ROOT)


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
