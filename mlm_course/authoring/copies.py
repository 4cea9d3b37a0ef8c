"""A learner's own copies of the lessons, which git does not know: `mlm-course start` and `update`.

A copy is made once and never written over. Where the course has a newer version of a lesson, a copy
whose cells nobody has edited makes room for it and is kept in my_lessons/earlier; any other stays,
until `update` brings the newer version with the learner's answers in it.

Outside a clone the pages that lessons link to are copied, too.
"""

import hashlib
import json
import tempfile
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import mlm_course
from mlm_course.authoring.carrying import carry_over
from mlm_course.authoring.files import replace_all
from mlm_course.authoring.notebooks import from_text, to_text

FOLDER = "my_lessons"
COPIED = ".copied.json"  # copy or page -> hash of the version that it is
PROGRESS = "course_progress.json"
Renew = Callable[[Path, bytes], Generator[str, None, bool]]  # what becomes of an edited copy


def shipped() -> Path:
    """Where this installation has lessons/, pages and settings: in the wheel, or the clone itself."""
    package = Path(mlm_course.__file__).resolve().parent
    built_in = package / "shipped"
    return built_in if built_in.is_dir() else package.parent


def is_clone(root: Path) -> bool:
    """Whether a folder holds the whole course."""
    return (root / "course" / "syllabus.toml").is_file() and (root / "lessons").is_dir()


def source_for(root: Path) -> Path:
    """The folder whose lessons are copied to `root`."""
    return root if is_clone(root) else shipped()


def learners_folder(named: Path | None) -> Path:
    """The folder to work in: the one named; this one if it is the course's; else mlm-course in it."""
    if named is not None:
        return named.absolute()
    here = Path.cwd()
    return here if is_clone(here) or (here / FOLDER).is_dir() else here / "mlm-course"


def first_lesson(root: Path) -> str:
    """The name of the first copy."""
    return min(path.name for path in (root / FOLDER).glob("[0-9]*.ipynb"))


def copy_lessons(source: Path, root: Path) -> Iterator[str]:
    """Makes the copies that are missing; a line for each thing worth saying.

    source, the folder with lessons/; root, the learner's. OSError where they cannot be written;
    FileNotFoundError where there are no lessons.
    """
    return _bring_all(source, root, _kept)


def update_copies(source: Path, root: Path) -> Iterator[str]:
    """Like `copy_lessons`; an edited copy is kept, and the newer version gets its answers."""
    return _bring_all(source, root, _with_answers)


def _bring_all(source: Path, root: Path, renew: Renew) -> Iterator[str]:
    lessons, own = sorted((source / "lessons").glob("*.ipynb")), root / FOLDER
    if not lessons:
        raise FileNotFoundError(f"No lessons below {source}: run this in the course's folder.")
    own.mkdir(parents=True, exist_ok=True)
    table = _copied(own / COPIED)
    for copy, content in [(own / path.name, path.read_bytes()) for path in lessons]:
        if (yield from _bring(copy, content, table.get(copy.name), renew)):
            table[copy.name] = _hash(content)
            _remember(own, table)
    if source != root:
        _bring_pages(source, root, table)
    yield from _progress(source / "lessons" / PROGRESS, own / PROGRESS)


def _bring(copy: Path, new: bytes, before: str | None, renew: Renew) -> Generator[str, None, bool]:
    """One copy, if it is missing or old; returns whether it is now of the new version."""
    if copy.exists():
        if _hash(new) in (before, _hash_of(copy)):
            return False
        if before != _hash_of(copy):
            return (yield from renew(copy, new))
    if place := _copy(new, copy):
        yield f"{FOLDER}/{copy.name} is new; the one before is {place}."
    return True


def _bring_pages(source: Path, root: Path, table: dict[str, str]) -> None:
    """README, glossary and the rest; those that somebody has changed stay as they are."""
    before = dict(table)
    for name in ("README.md", *(f"course/{path.name}" for path in source.glob("course/*.md"))):
        page, new = root / name, _own_links((source / name).read_bytes())
        if page.exists() and (table.get(name) != _hash_of(page) or table[name] == _hash(new)):
            continue
        page.parent.mkdir(exist_ok=True)
        _write(new, page)
        table[name] = _hash(new)
    if table != before:
        _remember(root / FOLDER, table)


def _own_links(page: bytes) -> bytes:
    """A page whose links to lessons lead to the copies."""
    return page.replace(b"](lessons/", b"](my_lessons/").replace(b"../lessons/", b"../my_lessons/")


def _copied(path: Path) -> dict[str, str]:
    """What the copies were made of; nothing where that is lost, and then every copy stays."""
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return table if isinstance(table, dict) else {}


def _remember(own: Path, table: dict[str, str]) -> None:
    replace_all({own / COPIED: json.dumps(table, indent=1, sort_keys=True) + "\n"})


def _hash(content: bytes) -> str:
    return hashlib.sha256(_written(content)).hexdigest()


def _hash_of(path: Path) -> str:
    return _hash(path.read_bytes()) if path.is_file() else ""


def _written(content: bytes) -> bytes:
    """What people write in a notebook: JupyterLab saves outputs and metadata of its own accord."""
    try:
        cells = json.loads(content)["cells"]
        return repr([(cell["cell_type"], "".join(cell["source"])) for cell in cells]).encode()
    except (ValueError, TypeError, KeyError):
        return content


def _kept(copy: Path, new: bytes) -> Generator[str, None, bool]:
    yield (
        f"{FOLDER}/{copy.name} stays yours, though the course has a newer version. "
        "`mlm-course update` brings that with your answers in it, and keeps yours."
    )
    return False


def _with_answers(copy: Path, new: bytes) -> Generator[str, None, bool]:
    """The new version with the learner's answers in place of an edited copy, which is kept."""
    try:
        carried = carry_over(from_text(new.decode()), from_text(copy.read_text(encoding="utf-8")))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        yield (
            f"{FOLDER}/{copy.name} cannot be read as a notebook, and stays. Give it another name, "
            "then update again: the newer version comes without your answers."
        )
        return False
    place = _copy(to_text(carried.notebook).encode(), copy)
    yield f"{FOLDER}/{copy.name} is new; the one before is {place}. {carried.sentences()}"
    return True


def _set_aside(copy: Path) -> str:
    """Moves a copy to a free name among the earlier ones, which is returned."""
    earlier, number = copy.parent / "earlier", 1
    earlier.mkdir(exist_ok=True)
    while (place := earlier / f"{copy.stem}-{number}.ipynb").exists():
        number += 1
    copy.rename(place)
    return place.relative_to(copy.parents[1]).as_posix()


def _copy(content: bytes, place: Path) -> str:
    """A copy, whole or not at all. Returns where the one before is now, or ""."""
    with tempfile.TemporaryDirectory(prefix=".new-", dir=place.parent) as folder:
        new = Path(folder) / place.name
        new.write_bytes(content)
        before = _set_aside(place) if place.exists() else ""
        new.rename(place)
    return before


def _write(content: bytes, place: Path) -> None:
    """A page, whole or not at all."""
    with tempfile.TemporaryDirectory(prefix=".new-", dir=place.parent) as folder:
        new = Path(folder) / place.name
        new.write_bytes(content)
        new.replace(place)


def _progress(before: Path, now: Path) -> Iterator[str]:
    """Takes along what was solved in lessons/ itself."""
    if before.is_file() and not now.exists():
        _copy(before.read_bytes(), now)
        yield f"What you have solved so far, {PROGRESS}, is in {FOLDER}/, too."
