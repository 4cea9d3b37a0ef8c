"""`python -m mlm_course book`: the solved lessons as a static site, nothing of it executed.

solutions/ and the pages of course/ become a folder of sources, of which Sphinx makes HTML. Widgets
are drawn by the same JavaScript as in a notebook (book_static/book.js); nothing comes from another
host.
"""

import io
import shutil
from collections.abc import Iterable, Sequence
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from mlm_course import widgets
from mlm_course.authoring.book_landing import landing_page, live_model
from mlm_course.authoring.book_lists import (
    Row,
    document_page,
    exercise_index,
    figure_index,
    glossary_page,
    lesson_rows,
    start_page,
    terms,
)
from mlm_course.authoring.book_pages import LessonPage
from mlm_course.authoring.book_weight import lighten
from mlm_course.authoring.generated import Publication, read_publication
from mlm_course.authoring.notebooks import Notebook, from_text, to_text
from mlm_course.models.pretrained import CHECKPOINTS
from mlm_course.practice.exercise import exercises
from mlm_course.practice.quiz_widget import QuizWidget
from mlm_course.text_files import read_text
from mlm_course.widgets.base import CourseWidget

HERE = Path(__file__).parent / "book_static"
FOLDER = Path("build/book")
LOOK_UP = (
    "glossary",
    "Myths <myths>",
    "exercises",
    "figures",
    "results",
    "outlooks",
    "your_own_text",
)
State = tuple[str, dict[str, Any]]  # a widget's class and what its page needs


def build_book(root: Path, solutions: Path | None = None, to: Path | None = None) -> Path:
    """Builds the book and returns the folder with its pages.

    root, the repository; solutions and to, other folders than solutions/ and build/book.
    Errors: ValueError with what Sphinx warned of.
    """
    folder = to or root / FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    source = folder / "source"
    (source / "_static").mkdir(parents=True)
    readme = read_text(root / "README.md")
    rows = lesson_rows(readme)
    publication = read_publication(root)
    pages = [read_lesson(root, solutions or root / "solutions", row.name) for row in rows]
    live = live_model()
    texts = {f"{page.name}.ipynb": to_text(page.notebook()) for page in pages}
    solved = {page.name: page.solved for page in pages}
    texts["index.ipynb"] = to_text(with_contents(landing_page(readme, rows, solved, live), rows))
    texts |= documents(root, readme, rows, pages, publication)
    for name, text in texts.items():
        (source / name).write_text(text, encoding="utf-8")
    states = [(type(live).__name__, live.page_state()), *(s for page in pages for s in page.states)]
    write_static(root, source / "_static", states)
    render(root, folder, [row.name for row in rows])
    lighten(folder / "html")
    return folder / "html"


def read_lesson(root: Path, solutions: Path, name: str) -> LessonPage:
    """A solved lesson with what else its page needs. Errors: ValueError where it was not built."""
    files = (solutions / f"{name}.ipynb", root / "lessons" / f"{name}.ipynb")
    solved, lesson = (from_text(read_text(path)) for path in files)
    stubs = {
        cell["metadata"]["exercise"]: cell["source"]
        for cell in lesson["cells"]
        if "exercise" in cell["metadata"]
    }
    known = {exercise.id: exercise for exercise in exercises(int(name[:2]))}
    return LessonPage(name, solved, stubs, known, read_publication(root))


def documents(
    root: Path, readme: str, rows: list[Row], pages: list[LessonPage], publication: Publication
) -> dict[str, str]:
    """The pages that are no lessons, by file name."""
    course = root / "course"
    plain = {
        name: read_text(course / f"{name}.md") for name in ("myths", "outlooks", "your_own_text")
    }
    plain["results"] = read_text(course / "RESULTS.md").replace("; do not edit.", ".")
    texts = {name: document_page(text, "course", publication) for name, text in plain.items()}
    texts["start"] = start_page(readme, publication)
    texts["glossary"] = glossary_page(read_text(course / "glossary.md"), publication)
    texts["exercises"] = exercise_index({p.name: p.exercises.values() for p in pages}, rows)
    texts["figures"] = figure_index((f for page in pages for f in page.figures), rows)
    return {f"{name}.md": text for name, text in texts.items()}


def with_contents(page: Notebook, rows: Iterable[Row]) -> Notebook:
    """The first page with the list of all pages, which Sphinx shows beside each of them."""
    lists = {"Lessons": ["start", *(row.name for row in rows)], "To look up": LOOK_UP}
    text = "\n\n".join(
        "\n".join(["```{toctree}", ":hidden:", f":caption: {name}", "", *names, "```"])
        for name, names in lists.items()
    )
    cell = {"cell_type": "markdown", "id": "contents", "metadata": {}, "source": text}
    return {**page, "cells": [*page["cells"], cell]}


def write_static(root: Path, static: Path, states: Sequence[State]) -> None:
    """Scripts, styles, notebooks to download, and the weights that widgets on the pages name."""
    for path in HERE.iterdir():
        shutil.copy(path, static)
    (static / "widgets").mkdir()
    names, styles = {name for name, _ in states}, []
    for widget in widget_classes():
        if widget.__name__ in names:
            script = static / "widgets" / f"{widget.__name__}.js"
            script.write_text(str(widget._esm), encoding="utf-8")
            styles.append(str(widget._css).removeprefix(str(CourseWidget._css)))
    (static / "widgets.css").write_text("\n".join([str(CourseWidget._css), *styles]), "utf-8")
    for name in {state["checkpoint"] for _, state in states if state.get("checkpoint")}:
        place = static / "models" / name
        place.mkdir(parents=True)
        shutil.copy(CHECKPOINTS / name / "model.safetensors", place)
    shutil.copytree(root / "course" / "images", static / "images")
    shutil.copytree(root / "lessons", static / "notebooks", ignore=_not_a_notebook)


def _not_a_notebook(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if not name.endswith(".ipynb")]


def widget_classes() -> list[type[CourseWidget]]:
    """Every kind of widget of the course, the quiz's too, by name."""
    known = {QuizWidget}  # imported from elsewhere
    for name in widgets.__all__:
        kind = getattr(widgets, name)
        if isinstance(kind, type) and issubclass(kind, CourseWidget):
            known.add(kind)
    return sorted(known, key=lambda kind: kind.__name__)


def render(root: Path, folder: Path, lessons: list[str]) -> None:
    """Lets Sphinx make HTML of folder/source. Errors: ValueError with its warnings."""
    from sphinx.application import Sphinx

    source, html, warnings = folder / "source", folder / "html", io.StringIO()
    glossary = terms(read_text(root / "course" / "glossary.md"))
    linked = [*lessons, "outlooks", "your_own_text"]
    settings = {**SETTINGS, "book_terms": glossary, "book_linked": linked}
    sphinx = Sphinx(
        source, None, html, folder / "doctrees", "html", confoverrides=settings,
        status=None, warning=warnings, parallel=2,
    )  # fmt: skip
    sphinx.build()
    if said := warnings.getvalue().strip():
        raise ValueError(f"Sphinx warns:\n{said}")


def serve(pages: Path, port: int) -> None:
    """Shows the book to this machine alone, until Ctrl-C. Errors: OSError for a port in use."""
    handler = partial(SimpleHTTPRequestHandler, directory=str(pages))
    with ThreadingHTTPServer(("127.0.0.1", port), handler) as server:
        print(f"Read it at http://127.0.0.1:{server.server_port}/. Stop with Ctrl-C.", flush=True)
        server.serve_forever()


SETTINGS: dict[str, Any] = {
    "project": "The masked-modelling course",
    "author": "",
    "language": "en",
    "extensions": ["myst_nb", "mlm_course.authoring.book_sphinx"],
    "exclude_patterns": ["_static"],
    "myst_enable_extensions": ["dollarmath"],
    "myst_all_links_external": True,
    "suppress_warnings": ["myst.header", "misc.highlighting_failure"],
    "nb_execution_mode": "off",
    "nb_ipywidgets_js": {},
    "html_math_renderer": "mathml",
    "html_theme": "sphinx_book_theme",
    "html_title": "The masked-modelling course",
    "html_static_path": ["_static"],
    "html_context": {"default_mode": "auto"},
    "html_favicon": "_static/favicon.svg",
    "html_css_files": ["widgets.css", "book.css"],
    "html_js_files": [("book.js", {"defer": "defer"})],
    "html_copy_source": False,
    "html_show_sphinx": False,
    "html_show_copyright": False,
    "html_theme_options": {
        "use_download_button": False,
        "use_fullscreen_button": False,
        "home_page_in_toc": True,
        "show_toc_level": 2,
        "toc_title": "On this page",
        "search_bar_text": "Search the book",
        "footer_content_items": [],
    },
}
