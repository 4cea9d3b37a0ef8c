"""A solved lesson as a page of the book: a notebook that Sphinx renders and nobody runs."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any

from docutils.nodes import make_id
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from mlm_course.authoring.generated import FRAME, START, TITLE, Publication
from mlm_course.authoring.notebooks import METADATA, WIDGETS, Notebook
from mlm_course.practice.exercise import Exercise
from mlm_course.practice.verdict import html_text

Cell = dict[str, Any]

PAGES = {  # pages of the repository that the book has, too
    "course/RESULTS.md": "results",
    "course/glossary.md": "glossary",
    "course/myths.md": "myths",
    "course/outlooks.md": "outlooks",
    "course/your_own_text.md": "your_own_text",
    "README.md": "start",
}
CODE = re.compile(r"(^```.*?^```|`[^`\n]*`)", re.M | re.S)
LINK = re.compile(  # or code, in which nothing is a link
    CODE.pattern + r"|(?P<image>!?)\[(?P<text>[^\[\]]*)\]\((?P<target>[^)\s]+)\)", re.M | re.S
)
DEFINITION = re.compile(r"^(\[[^\]]+\]: )(\S+)$", re.M)
PROMPT = re.compile(
    rf'<div style="{re.escape(FRAME)}">\n\n(?P<heading>### .*?(?P<id>\d+\.\d+): [^\n]+)(?P<text>.*)\n\n</div>',
    re.S,
)
SECTION = re.compile(r"^## (?=(\d+)\. )", re.M)
CHECK = re.compile(r'^check\("(\d+\.\d+)"', re.M)
CELLS = "A lesson is a row of *cells*"  # which nobody can run in a page
JUDGES = "In the notebook, this cell judges your own answer, and says which mistake it is if it knows it."


@dataclass(frozen=True)
class Figure:
    """A picture or a widget on a page: its number ("1.3"), page and text summary."""

    number: str
    page: str
    summary: str

    @property
    def anchor(self) -> str:
        return f"figure-{self.number.replace('.', '-')}"


@dataclass
class LessonPage:
    """What the book takes from a solved lesson: its page, its figures, the widgets that it shows.

    stubs, the code of exercises as learners get it, and exercises, both by exercise id.
    """

    name: str
    solved: Notebook
    stubs: Mapping[str, str]
    exercises: Mapping[str, Exercise]
    publication: Publication
    figures: list[Figure] = field(default_factory=list)
    states: list[tuple[str, dict[str, Any]]] = field(default_factory=list)  # of widgets, by class

    @property
    def number(self) -> int:
        return int(self.name[:2])

    def notebook(self) -> Notebook:
        """The page as a notebook, with its widgets as placeholders and its solutions folded."""
        cells = [new for cell in self.solved["cells"] for new in self._cells(cell)]
        return {"cells": cells, "metadata": METADATA, "nbformat": 4, "nbformat_minor": 5}

    def _cells(self, cell: Cell) -> Iterator[Cell]:
        if "author" in cell["metadata"].get("tags", ()):
            return
        if cell["cell_type"] == "markdown":
            yield markdown_cell(cell["id"], self._prose(cell["source"]))
        elif exercise := cell["metadata"].get("exercise"):
            yield from self._exercise(cell, exercise)
        else:
            yield self._code(cell)
            if ids := CHECK.findall(cell["source"]):
                yield html_cell(f"{cell['id']}-check", self._mistakes(ids[0]))

    def _prose(self, text: str) -> str:
        text = text.replace(START, reading(self.name)).replace(
            CELLS, f"In the notebook, a{CELLS[1:]}"
        )
        text = PROMPT.sub(_prompt, text)
        text = SECTION.sub(r'<a id="section-\1"></a>\n\n## ', text)
        return local_links(text, "solutions", self.publication)

    def _exercise(self, cell: Cell, exercise: str) -> Iterator[Cell]:
        """What a learner gets, hints one after the other, and the solution, folded."""
        yield code_cell(f"{cell['id']}-stub", self.stubs[exercise])
        yield html_cell(f"{cell['id']}-hints", hints_html(self.exercises[exercise]))
        yield code_cell(cell["id"], cell["source"], fold=f"Solution of exercise {exercise}")

    def _code(self, cell: Cell) -> Cell:
        source = cell["source"]
        if source.startswith(TITLE):
            return code_cell(cell["id"], source.removeprefix(TITLE), cell["outputs"], "Set-up")
        if source.startswith("progress("):
            return code_cell(cell["id"], source)  # everything is solved here: that tells nothing
        widgets = {widget["output"]: widget for widget in cell["metadata"].get(WIDGETS, ())}
        outputs = [
            self._output(output, widgets.get(place, {}))
            for place, output in enumerate(cell["outputs"])
        ]
        return code_cell(cell["id"], source, outputs)

    def _output(self, output: Cell, widget: Mapping[str, Any]) -> Cell:
        """An output, numbered if it is a figure, with a placeholder where it is a widget."""
        html = output.get("data", {}).get("text/html", "")
        if "<img " not in html and 'class="mlm-picture' not in html and not widget:
            return output
        drawn = html
        if widget:
            state = json.loads(widget["state"])
            self.states.append((widget["name"], state))
            drawn = placeholder(widget["name"], state, html)
        if widget.get("name") != "QuizWidget":
            summary = output["data"].get("text/plain", "")
            self.figures.append(
                Figure(f"{self.number}.{len(self.figures) + 1}", self.name, summary)
            )
            drawn = f'<div class="book-figure" id="{self.figures[-1].anchor}">{drawn}</div>'
        return {**output, "data": {**output["data"], "text/html": drawn}}

    def _mistakes(self, exercise: str) -> str:
        """What `check` is for, and the sentences that it has for this exercise."""
        sentences = [mistake.sentence for mistake in self.exercises[exercise].mistakes]
        known = "".join(f"<li>{html_text(sentence)}</li>" for sentence in sentences)
        heading = f"What it says of {len(sentences)} common mistakes"
        return (
            f'<div class="book-check"><p>{JUDGES}</p>'
            f"<details><summary>{heading}</summary><ul>{known}</ul></details></div>"
        )


def reading(name: str) -> str:
    """What stands at the top of a lesson's page in place of how to run its cells."""
    return (
        "This page is the solved lesson, to read and to play with: many pictures answer to pointer and "
        "keyboard, solutions are folded. To write the answers yourself, take "
        f'<a href="_static/notebooks/{name}.ipynb" download>the notebook of this lesson</a> '
        "and see [how to start](start.html)."
    )


def _prompt(match: re.Match[str]) -> str:
    """An exercise's prompt: its heading stands before the frame, so that the contents list it."""
    anchor = f'<a id="{exercise_anchor(match["id"])}"></a>'
    frame = f'<div class="book-exercise">\n\n{match["text"].strip()}\n\n</div>'
    return f"{anchor}\n\n{match['heading']}\n\n{frame}"


def exercise_anchor(exercise: str) -> str:
    return f"exercise-{exercise.replace('.', '-')}"


def hints_html(exercise: Exercise) -> str:
    """The hints of an exercise, each folded; the last one is code."""
    *words, code = exercise.hints
    count = len(exercise.hints)
    parts = [f"<p>{html_text(hint)}</p>" for hint in words] + [code_html(code)]
    folded = "".join(
        f"<details><summary>Hint {number} of {count}</summary>{part}</details>"
        for number, part in enumerate(parts, 1)
    )
    return f'<div class="book-hints">{folded}</div>'


def code_html(code: str) -> str:
    """Python code in colours."""
    return highlight(code, PythonLexer(), HtmlFormatter())


def placeholder(name: str, state: Mapping[str, Any], twin: str) -> str:
    """Where the page draws a widget: its class, its state, and the picture that stays without it."""
    text = json.dumps(state, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    stored = text.replace("<", "\\u003c")  # nothing in it can end the script
    return (
        f'<div class="mlm-widget" data-widget="{escape(name, True)}">'
        f'<script type="application/json">{stored}</script>{twin}</div>'
    )


def outside_code(text: str, change: Callable[[str], str]) -> str:
    """A text of markdown, changed where it is no code."""
    parts = CODE.split(text)
    return "".join(part if place % 2 else change(part) for place, part in enumerate(parts))


def local_links(text: str, folder: str, publication: Publication) -> str:
    """Markdown of a file in a folder of the repository, with links that hold in the book."""

    def link(match: re.Match[str]) -> str:
        if match["target"] is None:
            return match[0]
        target = address(match["target"], folder, publication)
        return f"{match['image']}[{match['text']}]({target})" if target else match["text"]

    def definition(match: re.Match[str]) -> str:
        return match[1] + (address(match[2], folder, publication) or "#")

    text = outside_code(text, lambda part: DEFINITION.sub(definition, part))
    return LINK.sub(link, text)


def address(target: str, folder: str, publication: Publication) -> str:
    """Where a link of a repository's page leads in the book, or where it is published; else ""."""
    if re.match(r"(https?|mailto):|#", target) or target.endswith(".html") or ".html#" in target:
        return target
    path, _, fragment = target.partition("#")
    path = "/".join(_resolved([*folder.split("/"), *path.split("/")]))
    if lesson := re.fullmatch(r"(?:lessons|solutions)/(\d\d_\w+)\.ipynb", path):
        return f"{lesson[1]}.html" + (f"#{section_anchor(fragment)}" if fragment else "")
    if path in PAGES:
        return f"{PAGES[path]}.html" + (f"#{fragment}" if fragment else "")
    if path.startswith("course/images/"):
        return f"_static/images/{path.removeprefix('course/images/')}"
    if publication.repository and path:
        return f"{publication.repository.removesuffix('.git')}/blob/{publication.tag}/{path}"
    return ""


def _resolved(parts: list[str]) -> list[str]:
    """Folders and a file, without "." and ".."."""
    kept: list[str] = []
    for part in parts:
        if part == "..":
            kept.pop()
        elif part not in ("", "."):
            kept.append(part)
    return kept


def section_anchor(fragment: str) -> str:
    """Of a heading as JupyterLab names it, such as "8.-Pruning", the name in the book."""
    number = re.match(r"(\d+)\.", fragment)
    return f"section-{number[1]}" if number else make_id(fragment.replace("%22", ""))


def markdown_cell(some_id: str, source: str) -> Cell:
    return {"cell_type": "markdown", "id": some_id, "metadata": {}, "source": source}


def code_cell(some_id: str, source: str, outputs: list[Cell] | None = None, fold: str = "") -> Cell:
    """A cell with code; with `fold`, the line that stands for it until it is opened."""
    prompts = {"code_prompt_show": fold, "code_prompt_hide": fold}
    metadata = {"tags": ["hide-input"], "mystnb": prompts} if fold else {}
    return {
        "cell_type": "code", "id": some_id, "metadata": metadata, "source": source,
        "execution_count": None, "outputs": outputs or [],
    }  # fmt: skip


def html_cell(some_id: str, html: str) -> Cell:
    """HTML as it is: the output of a cell whose code is not shown."""
    output = {"output_type": "display_data", "data": {"text/html": html}, "metadata": {}}
    return {**code_cell(some_id, "# html", [output]), "metadata": {"tags": ["remove-input"]}}
