"""`mlm-course publish`: addresses as people paste them, and what is written where."""

import json
import subprocess
from pathlib import Path

import pytest

from mlm_course import __main__ as command
from mlm_course import __version__
from mlm_course.authoring import build, execute, outputs
from mlm_course.authoring.addresses import EXAMPLE, read_address, read_version
from mlm_course.authoring.generated import Publication, read_publication, set_up
from mlm_course.authoring.publishing import next_tag, publish
from mlm_course.text_files import read_toml

ROOT = Path(__file__).resolve().parents[1]
HUB, LAB = "https://github.com/owner/name", "https://gitlab.com/group/part/name"


# --- Addresses


@pytest.mark.parametrize(
    ("given", "url"),
    [
        (HUB, HUB),
        (f"{HUB}/", HUB),
        (f"{HUB}.git", HUB),
        (f"{HUB}.git/", HUB),
        (f"  {HUB}\n", HUB),
        (f"{HUB}/tree/main", HUB),
        (f"{HUB}/blob/main/lessons/01_attention.ipynb", HUB),
        (f"{HUB}/issues/3", HUB),
        (f"{HUB}?tab=readme-ov-file", HUB),
        (f"{HUB}#start", HUB),
        (f"git+{HUB}", HUB),
        ("http://github.com/owner/name", HUB),
        ("https://www.github.com/owner/name", HUB),
        ("https://GitHub.com/owner/name", HUB),
        ("github.com/owner/name", HUB),
        ("git@github.com:owner/name.git", HUB),
        ("git@github.com:owner/name", HUB),
        ("ssh://git@github.com/owner/name.git", HUB),
        ("ssh://git@github.com:22/owner/name.git", HUB),
        ("https://github.com/owner/name.of.it", "https://github.com/owner/name.of.it"),
        ("https://gitlab.com/owner/name", "https://gitlab.com/owner/name"),
        (f"{LAB}/-/tree/main", LAB),
        (f"{LAB}/tree/main", LAB),
        ("git@gitlab.com:group/part/name.git", LAB),
        ("https://gitlab.example.org/group/name/", "https://gitlab.example.org/group/name"),
        ("https://codeberg.org/owner/name/src/branch/main", "https://codeberg.org/owner/name"),
        ("https://example.org/git/course.git", "https://example.org/git/course.git"),
        ("http://127.0.0.1:8000/course.git/", "http://127.0.0.1:8000/course.git"),
        ("example.org:8443/course.git", "https://example.org:8443/course.git"),
        ("git@example.org:owner/name.git", "https://example.org/owner/name.git"),
        ("ssh://git@example.org:2222/owner/name.git", "https://example.org/owner/name.git"),
    ],
)
def test_what_people_paste_becomes_an_address(given, url):
    address = read_address(given)
    assert address.url == url and read_address(url).url == url
    assert (address.push or url) in (url, given)
    assert bool(address.push) == ("git@" in given)
    pages = ("/tree/", "/blob/", "/issues/", "?", "#", "/src/")
    assert bool(address.notes) == any(page in given for page in pages)


BROKEN = {
    "": "The address is empty",
    "   ": "The address is empty",
    "https://": "names no host",
    "https:///owner/name": "names no host",
    "owner/name": "do you mean https://github.com/owner/name?",
    "name": "name names no host.",
    "https://github.com": "names no repository",
    "https://github.com/": "names no repository",
    "https://github.com/owner": "names an owner on GitHub, but no repository",
    "https://github.com/orgs/owner/repositories": "is a page of GitHub, not a repository",
    "https://github.com/owner/na me": "holds ' ', which no address has",
    "https://github.com/owner/n%20ame": "names 'n ame', which is no name on GitHub",
    "https://github.com/owner/näme": "names 'näme', which is no name on GitHub",
    "https://github.com/owner/..": "which is no name on GitHub",
    'https://example.org/"quoted"': "holds '\"', which no address has",
    "https://example.org/{name}": "holds '{', which no address has",
    "https://example.org/a\nb": r"holds '\n', which no address has",
    "https://gitlab.com/owner": "names an owner on GitLab, but no repository",
    "https://gist.github.com/owner/12": "is a gist, which cannot hold the course",
    "https://raw.githubusercontent.com/o/n/main/a": "is one file of a repository",
    "https://owner.github.io/name": "is a web site",
    "https://colab.research.google.com/github/o/n/blob/main/a": "is Colab's address",
    "https://mybinder.org/v2/gh/o/n/main": "is Binder's address",
    "https://pypi.org/project/mlm-course": "is the package index",
    "https://me:secret@github.com/owner/name": "user name, password or token for github.com",
    "https://ghp_secret@github.com/owner/name": "user name, password or token for github.com",
    f"{HUB}@v1": f"publish {HUB} --tag v1",
    "https://example.org:port/name": "what follows the host's : must be a number",
    "https://example.org/course.git?x=1": "has a ? or # in it",
    "https://example.org": "names a host, but no repository on it",
    "ftp://example.org/course.git": "ftp:// cannot be installed from by everyone",
    "git://example.org/course.git": "git:// cannot be installed from by everyone",
    "javascript://example.org/": "javascript:// cannot be installed",
    "/no/such/folder": "There is no folder",
    "~nobody-has-this-name/course": "There is no home folder for ~nobody",
    "C:\\no\\such": "There is no folder",
    "file:///no/such/folder": "There is no folder",
}


@pytest.mark.parametrize("given", BROKEN)
def test_a_broken_address_gets_its_own_sentence(given):
    with pytest.raises(ValueError) as error:
        read_address(given)
    said = str(error.value)
    assert BROKEN[given] in said
    assert ("secret" not in said and said.rstrip()[-1] in ".?") or "--tag" in said


def test_a_repository_on_this_machine(tmp_path, monkeypatch):
    place = tmp_path / "Übung mit Raum"
    place.mkdir()
    with pytest.raises(ValueError, match="is no git repository"):
        read_address(str(place))
    subprocess.run(["git", "init", "-q", "--bare"], cwd=place, check=True)
    address = read_address(str(place))
    assert address.url.startswith("file:///") and address.url.endswith("/%C3%9Cbung%20mit%20Raum")
    assert read_address(address.url) == address and "Only this machine" in address.notes[0]
    monkeypatch.chdir(tmp_path)
    assert read_address("./Übung mit Raum") == address


@pytest.mark.parametrize("tag", ["v0.1.0", "v2", "v1.0rc1", "v1.2.3.post1"])
def test_a_tag_is_a_version(tag):
    assert f"v{read_version(tag)}" == tag


@pytest.mark.parametrize(
    ("tag", "wanted"),
    [
        ("0.2.0", "v0.2.0"), ("V0.2.0", "v0.2.0"), ("v1.0-rc1", "v1.0rc1"), ("v01.2", "v1.2"),
        ("v1!2", "v2"), ("v1+local", "v1"), ("main", "such as v0.2.0"), ("", "such as v0.2.0"),
        ("v0.1 ", "v0.1"), ("--delete", "such as v0.2.0"), ("v1..2", "such as v0.2.0"),
    ],
)  # fmt: skip
def test_any_other_tag_is_told_how_to_be_one(tag, wanted):
    with pytest.raises(ValueError, match=r"The tag must be") as error:
        read_version(tag)
    assert wanted in str(error.value)


def test_the_next_tag():
    assert [next_tag(tag) for tag in ("v0.1.0", "v2", "v1.0rc1")] == [
        "v0.1.1",
        "v2.post1",
        "v1.0rc1.post1",
    ]


def test_the_course_agrees_with_itself_about_its_version():
    assert read_publication(ROOT).tag == f"v{__version__}"
    assert read_toml(ROOT / "pyproject.toml")["project"]["version"] == __version__


# --- What is written


SOURCE = """\
# %% [markdown]
# # Lesson 1: Doubling

# %% exercise="1.1"
def double(x):
    ### BEGIN SOLUTION
    return 2 * x
    ### END SOLUTION

# %%
check("1.1", double)
"""
PYPROJECT = """\
[project]
name = "mlm-course"  # a comment
version = "0.1.0"
[tool.mlm_course]
repository = ""
tag = "v0.1.0"
"""
FILES = {
    "course/01_doubling.py": SOURCE,
    "pyproject.toml": PYPROJECT,
    "mlm_course/__init__.py": '"""A course."""\n\n__version__ = "0.1.0"\n',
    "mlm_course/exercises/lesson_01/ex1_double.py": '"""Doubling"""\nEXERCISE = Exercise(minutes=5)\n',
    "CITATION.cff": 'cff-version: 1.2.0\nversion: "0.1.0"\n',
    "CHANGELOG.md": "# Changelog\n\n## [Unreleased]\n\n- new\n\n## [0.1.0] - 2026-01-01\n\n- old\n",
}


def counted(notebook: dict, folder: Path) -> dict:
    """Stands in for a run: the output of each code cell is its number."""
    ran = json.loads(json.dumps(notebook))
    for number, cell in enumerate(c for c in ran["cells"] if c["cell_type"] == "code"):
        output = {"output_type": "stream", "name": "stdout", "text": f"{number}\n"}
        cell |= {"execution_count": number + 1, "outputs": [output]}
    return ran


@pytest.fixture
def fork(tmp_path, monkeypatch):
    """A course of one lesson, built, in the working directory, and under git."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(execute, "run_notebook", counted)
    list(build.write_notebooks(tmp_path))
    monkeypatch.setattr(execute, "run_notebook", None)  # from here on nothing may run
    git(tmp_path, "init", "-q")
    commit(tmp_path)
    return tmp_path


def git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.invalid"]
    done = subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)
    return done.stdout.decode()


def commit(folder: Path) -> None:
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "all")


def solution(root: Path) -> dict:
    return json.loads((root / "solutions/01_doubling.ipynb").read_text("utf-8"))


def told(root: Path, url: str, tag: str) -> list[str]:
    return list(publish(root, read_address(url), tag))


def contents(root: Path) -> dict[Path, bytes]:
    files = (path for path in root.rglob("*") if path.is_file() and ".git" not in path.parts)
    return {path.relative_to(root): path.read_bytes() for path in files}


def test_address_tag_and_version_are_written_wherever_they_stand(fork):
    before = solution(fork)
    lines = told(fork, f"{HUB}/tree/main", "v0.2.0")
    assert lines[0].startswith("Left out: tree/main") and "6 files" in lines[1]
    assert len(lines) == 2  # and none says that outputs do not hold any more
    assert read_publication(fork) == Publication(HUB, "v0.2.0")
    assert (fork / "pyproject.toml").read_text() == PYPROJECT.replace("0.1.0", "0.2.0").replace(
        '""', f'"{HUB}"'
    )
    assert '__version__ = "0.2.0"' in (fork / "mlm_course/__init__.py").read_text()
    assert (fork / "CITATION.cff").read_text().endswith('\nversion: "0.2.0"\n')
    changelog = (fork / "CHANGELOG.md").read_text()
    assert changelog.index("[Unreleased]") < changelog.index("[0.2.0] - 2") < changelog.index("new")
    after = solution(fork)
    assert after["metadata"]["mlm_course"]["version"] == "0.2.0"
    assert "colab.research.google.com/github/owner/name/blob/v0.2.0/" in after["cells"][1]["source"]
    assert after["cells"][2]["source"] == set_up(Publication(HUB, "v0.2.0"))
    assert [c.get("outputs") for c in after["cells"]] == [c.get("outputs") for c in before["cells"]]
    assert after["cells"][3:] == before["cells"][3:]
    lesson = json.loads((fork / "lessons/01_doubling.ipynb").read_text("utf-8"))
    assert lesson["cells"][2]["source"] == after["cells"][2]["source"]
    assert list(build.differences(fork)) == [] == build.stale_outputs(fork)


def test_twice_is_once(fork):
    told(fork, HUB, "v0.2.0")
    before = contents(fork)
    (line,) = told(fork, "git@github.com:owner/name.git", "v0.2.0")
    assert line == f"Every notebook installs the course from {HUB} at v0.2.0 already."
    assert contents(fork) == before


def test_another_address_runs_nothing_again(fork):
    """The fingerprint of outputs knows neither address nor version, and all that decides them."""
    draft = solution(fork)
    package = fork / "mlm_course"
    kept = outputs.fingerprint(draft, package)
    for publication in (Publication(HUB, "v0.2.0"), Publication("", "v1")):
        draft["cells"][2]["source"] = set_up(publication)
        assert outputs.fingerprint(draft, package) == kept
    (package / "__init__.py").write_text('"""A course."""\n\n__version__ = "9"\n')
    assert outputs.fingerprint(draft, package) == kept
    draft["cells"][2]["source"] = set_up(publication).replace("manual_seed(0)", "manual_seed(1)")
    assert outputs.fingerprint(draft, package) != kept
    (package / "__init__.py").write_text('"""A course."""\n\n__version__ = "9"\nx = 1\n')
    assert outputs.fingerprint(solution(fork), package) != kept


def test_a_tag_that_git_has_is_never_given_other_files(fork):
    git(fork, "tag", "v0.1.0")
    before = contents(fork)
    with pytest.raises(ValueError, match=r"git has a tag v0\.1\.0 already.*--tag v0\.1\.1"):
        told(fork, HUB, "v0.1.0")
    assert contents(fork) == before


def test_notebooks_that_are_not_built_are_not_published(fork):
    source = fork / "course/01_doubling.py"
    source.write_text(SOURCE.replace("2 * x", "x + x"))
    before = contents(fork)
    with pytest.raises(ValueError, match=r"01_doubling.ipynb differs.*`mlm-course build`"):
        told(fork, HUB, "v0.2.0")
    assert contents(fork) == before


@pytest.mark.parametrize("name", ["pyproject.toml", "CITATION.cff", "mlm_course/__init__.py"])
def test_a_file_without_its_line_is_named_and_nothing_is_written(fork, name):
    path = fork / name
    path.write_text(path.read_text().replace("0.1.0", "0.1.0-rc1 # odd"))
    path.write_text(path.read_text().replace("version", "Version"))
    before = contents(fork)
    with pytest.raises(ValueError, match=r"Nothing was (written|published)"):
        told(fork, HUB, "v0.2.0")
    assert contents(fork) == before


def test_a_disk_that_is_full_leaves_every_file_as_it_was(fork, monkeypatch):
    before = contents(fork)

    def full(texts):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mlm_course.authoring.publishing.replace_all", full)
    with pytest.raises(OSError, match="No space left"):
        told(fork, HUB, "v0.2.0")
    assert contents(fork) == before


def run(words: list[str], monkeypatch, capsys) -> tuple[int, str, str]:
    monkeypatch.setattr("sys.argv", ["mlm-course", *words])
    ended = command.main()
    said = capsys.readouterr()
    return ended, said.out, said.err


def test_the_commands_to_push_are_printed_and_work(fork, tmp_path_factory, monkeypatch, capsys):
    bare = tmp_path_factory.mktemp("bare repository")
    git(bare, "init", "-q", "--bare")
    ended, out, _ = run(["publish", str(bare), "--tag", "v0.2.0"], monkeypatch, capsys)
    lines = [line.strip() for line in out.splitlines() if line.startswith("    ")]
    assert ended == 0 and [line.split()[1] for line in lines] == ["add", "commit", "tag", "push"]
    for line in lines[:3]:
        git(fork, *line.replace('"', "").replace("Publish v0.2.0", "x").split()[1:])
    git(fork, "push", str(bare), "HEAD", "v0.2.0")
    assert git(bare, "tag").strip() == "v0.2.0" and git(fork, "status", "--short") == ""
    assert f'git push "{bare}" HEAD v0.2.0' == lines[3]


def test_the_command_says_what_is_missing(fork, monkeypatch, capsys):
    ended, _, err = run(["publish"], monkeypatch, capsys)
    assert ended == 1 and err.startswith("The course has no address yet")
    ended, _, err = run(["publish", "https://github.com/owner"], monkeypatch, capsys)
    assert ended == 1 and "no repository of theirs" in err
    ended, _, err = run(["publish", HUB, "--tag", "0.2"], monkeypatch, capsys)
    assert ended == 1 and "v0.2" in err
    assert read_publication(fork).repository == "" and EXAMPLE


def test_what_was_never_pushed_is_told_from_what_cannot_be_reached(fork, monkeypatch, capsys):
    ended, _, err = run(["publish", str(fork), "--check"], monkeypatch, capsys)
    assert ended == 1 and "has no tag v0.1.0: push it" in err
    nowhere = "http://127.0.0.1:9/course.git"
    ended, _, err = run(["publish", nowhere, "--check"], monkeypatch, capsys)
    assert ended == 1 and err.startswith(f"{nowhere} does not answer: there is no network")
    git(fork, "tag", "v0.1.0")
    ended, _, err = run(["publish", str(fork), "--check"], monkeypatch, capsys)
    assert ended == 1 and "the tag was made before `mlm-course publish`" in err
    git(fork, "symbolic-ref", "HEAD", "refs/heads/never-pushed")
    ended, _, err = run(["publish", str(fork), "--check"], monkeypatch, capsys)
    assert ended == 1 and "lacks its default branch" in err
