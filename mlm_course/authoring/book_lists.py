"""The book's pages that are no lessons: glossary, exercises, figures, documents, how to start."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from html import escape

from docutils.nodes import make_id

from mlm_course.authoring.book_pages import (
    Figure,
    exercise_anchor,
    local_links,
    outside_code,
)
from mlm_course.authoring.generated import Publication
from mlm_course.practice.exercise import Exercise

ENTRY = re.compile(r"^- \*\*(?P<name>[^*]+)\*\*(?: \((?P<forms>[^)]*)\))?: (?P<meaning>.+)$", re.M)
SHORTEST = 3  # letters of a word that becomes a link
ROW = re.compile(
    r"^\| *(\d+) \| \[(.+?)\]\(lessons/(\w+)\.ipynb\) \| (.+?) \| (.+?) \| *(.*?) *\|$", re.M
)


@dataclass(frozen=True)
class Term:
    """A term of the glossary: its anchor, the forms in which texts have it, its meaning."""

    anchor: str
    forms: tuple[str, ...]
    meaning: str


@dataclass(frozen=True)
class Row:
    """A line of README's table of lessons."""

    number: str
    title: str
    name: str
    will: str
    hours: str
    needs: str


def terms(page: str) -> list[Term]:
    """The terms of course/glossary.md."""
    return [_term(match) for match in ENTRY.finditer(page)]


def _term(match: re.Match[str]) -> Term:
    forms = [match["name"], *(match["forms"] or "").split(",")]
    words = tuple(form.strip().strip("`") for form in forms)
    kept = tuple(word for word in words if len(word) >= SHORTEST and word[0].isalpha())
    meaning = re.sub(r" \[\d.*$|[*`]", "", match["meaning"])
    return Term("term-" + re.sub(r"\W+", "-", match["name"]), kept, meaning)


def glossary_page(page: str, publication: Publication) -> str:
    """The glossary with an anchor for each term, by first letters."""
    anchored = ENTRY.sub(lambda m: _lettered(m), page)
    seen: set[str] = set()
    lines = []
    for line in anchored.splitlines():
        letter = re.match(r"- <a[^>]*></a>\*\*\W*(\w)", line)
        if letter and letter[1].upper() not in seen:
            seen.add(letter[1].upper())
            lines += ["", f"## {letter[1].upper()}", ""]
        lines.append(line)
    return local_links("\n".join(lines), "course", publication)


def _lettered(match: re.Match[str]) -> str:
    return f'- <a id="{_term(match).anchor}"></a>{match[0][2:]}'


def document_page(page: str, folder: str, publication: Publication) -> str:
    """A page of the repository, with links that hold in the book and anchors as on GitHub."""
    return local_links(outside_code(page, _with_anchors), folder, publication)


def _with_anchors(text: str) -> str:
    def anchored(match: re.Match[str]) -> str:
        slug = github_slug(match[2])
        same = slug == make_id(match[2])
        return match[0] if same else f'<a id="{slug}"></a>\n\n{match[0]}'

    return re.sub(r"^(##+) (.+)$", anchored, text, flags=re.M)


def github_slug(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def lesson_rows(readme: str) -> list[Row]:
    """The table of lessons in README.md."""
    return [Row(*match.groups()) for match in ROW.finditer(readme)]


def section_of(page: str, heading: str) -> str:
    """A section of a page, without its heading. Errors: ValueError if there is none."""
    match = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", page, re.M | re.S)
    if match is None:
        raise ValueError(f"README.md has no section {heading!r}, which the book shows.")
    return match[1].strip()


def start_page(readme: str, publication: Publication) -> str:
    """How to install the course, whether one is ready, what is downloaded: sections of README.md."""
    sections = ("Start", "Without git", "Are you ready for lesson 1?", "What is downloaded")
    parts = [f"## {name}\n\n{section_of(readme, name)}" for name in sections]
    return document_page("\n\n".join(["# How to start", *parts]), "", publication)


def exercise_index(lessons: Mapping[str, Iterable[Exercise]], rows: Iterable[Row]) -> str:
    """All exercises: number, title, minutes, and where they are."""
    lines = [
        "# Exercises",
        "",
        "Each has hints, which open one after the other, and a folded solution. Most ask for code; "
        "in others you predict a result, diagnose a fault, design a case, or set numbers by hand.",
    ]
    for row in rows:
        lines += [
            "",
            f"## {row.number} {row.title}",
            "",
            "| | Exercise | Minutes | Kind |",
            "|---|---|---|---|",
        ]
        lines += [_exercise_row(exercise, row.name) for exercise in lessons[row.name]]
    return "\n".join(lines) + "\n"


def _exercise_row(exercise: Exercise, page: str) -> str:
    link = f"[{_cell(exercise.prompt)}]({page}.html#{exercise_anchor(exercise.id)})"
    kind = ", ".join(
        word for word in ("hard" * exercise.hard, exercise.kind * (exercise.kind != "code")) if word
    )
    return f"| {exercise.id} | {link} | {exercise.minutes} | {kind} |"


def _cell(text: str) -> str:
    return text.rstrip(".").replace("|", "\\|")


def figure_index(figures: Iterable[Figure], rows: Iterable[Row]) -> str:
    """All figures: number, what is to be seen in words, and where they are."""
    figures = list(figures)
    lines = [
        "# Figures",
        "",
        "Every picture of the lessons, and what is to be seen in it, in words.",
    ]
    for row in rows:
        lines += ["", f"## {row.number} {row.title}", ""]
        lines += list(_figure_list([f for f in figures if f.page == row.name]))
    return "\n".join(lines) + "\n"


def _figure_list(figures: list[Figure]) -> Iterator[str]:
    """An HTML list: summaries hold what markdown would read as its own signs."""
    items = "".join(
        f'<li><a href="{f.page}.html#{f.anchor}">{f.number}</a> {escape(_shortened(f.summary))}</li>'
        for f in figures
    )
    yield f'<ul class="book-list">{items}</ul>'


def _shortened(summary: str) -> str:
    """The first line of a summary, cut at a word where it is long."""
    first = (summary.splitlines() or [""])[0]
    return first if len(first) <= 160 else f"{first[:160].rsplit(' ', 1)[0]} ..."
