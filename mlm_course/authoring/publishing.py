"""`mlm-course publish`: where learners get the course from, in every file that says so.

The address and the tag stand in pyproject.toml; from there they come into the badges and the set-up
cell of each notebook. Nothing is run for that: outputs stay as they are. The version agrees with
the tag wherever it stands.
"""

import datetime
import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from mlm_course.authoring import build
from mlm_course.authoring.addresses import Address, read_version
from mlm_course.authoring.files import replace_all, taken_back_on_failure
from mlm_course.authoring.generated import Publication, read_publication
from mlm_course.text_files import read_text

PYPROJECT = Path("pyproject.toml")
VERSION_LINES = {  # file -> the line with the version, %s
    PYPROJECT: 'version = "%s"',
    Path("mlm_course/__init__.py"): '__version__ = "%s"',
    Path("CITATION.cff"): 'version: "%s"',
}
CHANGELOG = Path("CHANGELOG.md")
UNRELEASED = "## [Unreleased]\n"


def publish(root: Path, address: Address, tag: str) -> Iterator[str]:
    """Writes address and tag into all files that have them; a line for each thing worth saying.

    ValueError, and nothing is written, where the notebooks are not what their sources say, or where
    git has the tag already and these files are others.
    """
    _check_built(root)
    publication = Publication(address.url, tag)
    changed = _write(root, publication)
    yield from address.notes
    if not changed:
        yield f"Every notebook installs the course from {address.url} at {tag} already."
    else:
        yield (
            f"Written: {len(changed)} files. The notebooks install the course from {address.url} at "
            f"{tag}; nothing was run, and outputs are as they were."
        )
    if stale := build.stale_outputs(root):
        yield f"Outputs of an earlier text or package, which `build` would run: {', '.join(stale)}."


def _check_built(root: Path) -> None:
    """ValueError unless every notebook is what its source says."""
    lines = list(build.differences(root))
    if lines:
        raise ValueError(
            f"Nothing was published: {lines[0]}, and {len(lines)} lines of `mlm-course build --check` "
            "in all. `mlm-course build` first, then again."
        )


def _write(root: Path, publication: Publication) -> list[Path]:
    """The files that are others now: all of them are written, or none."""
    facts = _facts(root, publication)
    with ExitStack() as kept:
        for path, text in facts.items():
            kept.enter_context(taken_back_on_failure(path, text))
        notebooks = _changed(build.with_stored_outputs(root))
        changed = [*facts, *notebooks]
        if changed and _has_tag(root, publication.tag):
            raise ValueError(
                f"Nothing was written: git has a tag {publication.tag} already, with other files, and "
                "learners would get those. Name a newer one, such as --tag "
                f"{next_tag(publication.tag)}."
            )
        replace_all(notebooks)
    return changed


def _facts(root: Path, publication: Publication) -> dict[Path, str]:
    """New texts of the files that say address, tag and version, where they are others."""
    version = read_version(publication.tag)
    read_publication(root)  # a table that it cannot read gets a sentence
    texts = {path: read_text(root / path) for path in VERSION_LINES}
    for path, line in VERSION_LINES.items():
        texts[path] = _with_line(path, texts[path], line, version)
    for key, value in vars(publication).items():
        texts[PYPROJECT] = _with_line(PYPROJECT, texts[PYPROJECT], f'{key} = "%s"', value)
    texts[CHANGELOG] = _with_section(read_text(root / CHANGELOG), version)
    return _changed({root / path: text for path, text in texts.items()})


def _changed(texts: dict[Path, str]) -> dict[Path, str]:
    return {path: text for path, text in texts.items() if read_text(path) != text}


def _with_line(path: Path, text: str, line: str, value: str) -> str:
    """The text with this value in the one line that has it."""
    pattern = re.escape(line).replace("%s", r"[^\"\n]*")
    new, times = re.subn(rf"^{pattern}$", lambda _: line % value, text, flags=re.MULTILINE)
    if times != 1:
        wanted = line % "..."
        raise ValueError(f"Nothing was written: {path} needs one line {wanted}, not {times}.")
    return new


def _with_section(changelog: str, version: str) -> str:
    """The changelog, where what is unreleased becomes this version, unless it has it already."""
    if f"\n## [{version}]" in changelog:
        return changelog
    today = datetime.date.today().isoformat()
    return changelog.replace(UNRELEASED, f"{UNRELEASED}\n## [{version}] - {today}\n", 1)


def next_tag(tag: str) -> str:
    """A newer one than v0.1.0: v0.1.1."""
    start, _, last = read_version(tag).rpartition(".")
    return f"v{start}.{int(last) + 1}" if start and last.isdecimal() else f"{tag}.post1"


def _has_tag(root: Path, tag: str) -> bool:
    return bool(_git(root, "tag", "--list", tag))


def _git(root: Path, *words: str) -> str:
    """What git prints; "" where it fails, is missing, or the folder is no repository."""
    try:
        return subprocess.run(
            ["git", *words], cwd=root, capture_output=True, text=True, encoding="utf-8"
        ).stdout.strip()
    except OSError:
        return ""


def commands(root: Path, address: Address, tag: str) -> list[str]:
    """What the owner types to push these files and the tag."""
    first = [] if _git(root, "rev-parse", "--git-dir") else ["git init", "git add ."]
    add = f"git add {PYPROJECT} {CHANGELOG} CITATION.cff mlm_course lessons solutions"
    return [
        *(first or [add]),
        f'git commit -m "Publish {tag}"',
        f"git tag {tag}",
        f"git push {_quoted(address.push or address.url)} HEAD {tag}",
    ]


def _quoted(word: str) -> str:
    return word if re.fullmatch(r"[\w@:/.+~-]+", word) else f'"{word}"'
