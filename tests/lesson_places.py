"""Where something stands in the lessons: "6.8" is section 8 of lesson 6, "6.0" its beginning.

Pages of course/ point into lessons by reference links, `[6.8]`, optionally with a few words of that
section behind them, `[6.8] "the words"`. Tests hold that the words stand there. What a page's `[6.8]`
leads to stands at its end; `python tests/lesson_places.py course/myths.md course/glossary.md` writes
those lines anew, and says which words stand elsewhere.
"""

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from mlm_course.authoring.source import read_source

ROOT = Path(__file__).resolve().parents[1]
NOT_TEXT = ("Quiz", "Recap", "References")  # sections that introduce nothing
LABEL = re.compile(r"\[(\d+\.(?:\d+|On a GPU))\](?!:)")
DEFINITION = re.compile(r"^\[(\d+\.[^\]]+)\]: (\S+)$", re.M)
QUOTED = re.compile(LABEL.pattern + r' "([^"]+)"')


@dataclass(frozen=True)
class Section:
    """A section of a lesson: its heading, its prose, and all that it holds, code included."""

    lesson: str  # "06_mlm_pretraining"
    heading: str  # "8. The same masks again and again?"
    prose: str
    text: str

    @property
    def link(self) -> str:
        """From a page of course/ to the section in the solved notebook, as JupyterLab names it."""
        anchor = self.heading.replace(" ", "-").replace('"', "%22")
        return f"../solutions/{self.lesson}.ipynb#{anchor}"


@cache
def sections() -> dict[str, Section]:
    """The sections of all lessons, in order: "1.0", "1.1", ..., "6.On a GPU", ..."""
    parts_of: dict[str, tuple[str, str, list[str], list[str]]] = {}
    for path in sorted((ROOT / "course").glob("[0-9]*.py")):
        lesson = read_source(path)
        heading, key = lesson.title, f"{lesson.number}.0"
        for cell in lesson.cells:
            parts = [cell.text]
            if cell.kind == "markdown":  # a cell may hold several sections
                parts = re.split(r"^(?=## )", cell.text, flags=re.M)
            for part in parts:
                if cell.kind == "markdown" and part.startswith("## "):
                    heading = part.splitlines()[0].removeprefix("## ").strip()
                    number = re.match(r"(\d+)\. ", heading)
                    key = f"{lesson.number}.{number[1] if number else heading}"
                _, _, prose, text = parts_of.setdefault(key, (lesson.name, heading, [], []))
                text.append(part)
                if cell.kind == "markdown":
                    prose.append(part)
    return {
        key: Section(lesson, heading, "\n\n".join(prose), "\n\n".join(text))
        for key, (lesson, heading, prose, text) in parts_of.items()
    }


@cache
def plain(text: str) -> str:
    """Small letters, no marks for boxes, bold, italics and code, single spaces."""
    text = re.sub(r"^\s*> ?", "", text.lower(), flags=re.M)
    return re.sub(r"\s+", " ", re.sub(r"[*`]", "", text)).strip()


def places_of(words: str) -> list[str]:
    """The sections in which some words stand."""
    return [key for key, section in sections().items() if plain(words) in plain(section.text)]


def nearest(words: str, label: str) -> str:
    """The sentence of a lesson that has most of some words, with its section."""
    wanted = set(plain(words).split())
    sentences = [
        (len(wanted & set(sentence.split())) - len(sentence.split()) / 100, key, sentence)
        for key, section in sections().items()
        if key.split(".")[0] == label.split(".")[0] and key.split(".")[1] not in NOT_TEXT
        for sentence in re.split(r"(?<=[.:?]) ", plain(section.text))
    ]
    _, key, sentence = max(sentences)
    return f"[{key}] {sentence}"


def wrong_places(page: str) -> list[str]:
    """What is wrong with a page's pointers: unknown sections, and words that stand elsewhere."""
    wrong = [
        f"[{label}]: no such section" for label in LABEL.findall(page) if label not in sections()
    ]
    for label, words in QUOTED.findall(page):
        if label in sections() and plain(words) not in plain(sections()[label].text):
            places = (
                " and ".join(places_of(words)) or f"no section; near them: {nearest(words, label)}"
            )
            wrong.append(f'[{label}] "{words}": these words stand in {places}')
    return wrong


def definitions(page: str) -> str:
    """The lines that say what a page's [6.8] leads to."""
    order = list(sections())
    used: Iterable[str] = sorted(set(LABEL.findall(page)) & sections().keys(), key=order.index)
    return "\n".join(f"[{label}]: {sections()[label].link}" for label in used)


def with_definitions(page: str) -> str:
    """A page with these lines at its end, in place of those that it had."""
    return f"{DEFINITION.sub('', page).rstrip()}\n\n{definitions(page)}\n"


if __name__ == "__main__":
    for name in sys.argv[1:]:
        path = Path(name)
        text = path.read_text("utf-8")
        for line in wrong_places(text):
            print(f"{name}: {line}")
        path.write_text(with_definitions(text), "utf-8")
