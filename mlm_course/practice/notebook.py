"""What the notebook's own cells say: where a name comes from, and whether that cell has run.

All of it is read from the running shell and, for cells that were never run, from the notebook's
file; where there is no notebook, nothing is said.
"""

from __future__ import annotations

import ast
import json
import linecache
import os
import re
import symtable
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mlm_course.practice.verdict import Card

RUN_ABOVE = (
    "In the menu Run > Run All Above Selected Cell (Colab: Runtime > Run before), then this cell "
    "again."
)


_failed: set[int] = set()  # numbers of the runs that ended in an error
_places: dict[int, str] = {}  # number of a run -> id of its cell, where the page says it


def shell() -> Any:
    """The IPython that runs the notebook, or None."""
    return sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None


def binds(text: str, name: str) -> bool:
    """Whether a cell, even one with a syntax error, gives a name a value that stays."""
    try:
        symbol = symtable.symtable(text, "<cell>", "exec").lookup(name)
        gone = f"Name(id={name!r}, ctx=Del())" in ast.dump(ast.parse(text))
    except KeyError:
        return False
    except (SyntaxError, ValueError):
        written = rf"^(?:async )?(?:def|class) {re.escape(name)}\b|^{re.escape(name)}\s*[=:]"
        return bool(re.search(written, text, re.MULTILINE))
    return not gone and (symbol.is_assigned() or symbol.is_imported())


def _own_text(function: Any) -> str:
    """The text of the cell, or file, that a function was made in."""
    code = getattr(function, "__code__", None)
    return "".join(linecache.getlines(code.co_filename)).strip() if code else ""


def elsewhere_sentence(function: Any) -> str:
    """A sentence where two cells of the notebook define a function of this name, else ""."""
    running, name = shell(), getattr(function, "__name__", "")
    cells = _texts(running)
    here = max(
        (i for i, text in enumerate(cells) if text and text == _own_text(function)), default=0
    )
    for i in range(here - 1, 0, -1):
        places = {_places.get(i), _places.get(here)}
        if len(places - {None}) == 2 and binds(cells[i], name):
            return f"Judged is the `{name}` of cell [{here}]; cell [{i}] defines one, too."
    return ""


def _texts(running: Any) -> list[str]:
    """What has been run so far, by number; the running cell is the last."""
    return [str(cell).strip() for cell in running.user_ns.get("In", [])] if running else []


def stale_sentence(function: Any) -> str:
    """A sentence where the newest cell that defines a function did not come to it, else ""."""
    running, name, own = shell(), getattr(function, "__name__", ""), _own_text(function)
    if running is None or running.user_ns.get(name) is not function:
        return ""
    cells = _texts(running)
    newest = _last_binding(cells, name)
    why = "" if newest is None or cells[newest] == own else _why(newest, cells[newest])
    if own not in cells or not why:
        return ""
    return (
        f"This is `{name}` as it was before: cell [{newest}] defines it anew, but {why}. "
        "Mend that cell and run it, then check again."
    )


def _last_binding(cells: list[str], name: str) -> int | None:
    return next((i for i in range(len(cells) - 1, 0, -1) if binds(cells[i], name)), None)


def _why(number: int, text: str) -> str:
    """What kept a cell from defining what it defines; "" where nothing is known to have."""
    try:
        compile(text, "<cell>", "exec", dont_inherit=True)
    except SyntaxError as error:
        return f"it has a syntax error in line {error.lineno} ({error.msg})"
    except ValueError:
        return "it could not be read"
    return "it stopped with an error before that" if number in _failed else ""


def missing_name(error: BaseException | None) -> str:
    """What to do about an error that comes from a name the notebook has not, "" for any other."""
    name, running = getattr(error, "name", None), shell()
    if type(error) is not NameError or not name or running is None or name in running.user_ns:
        return ""  # or it is missing somewhere else, such as in a library
    cells = _texts(running)
    newest = _last_binding(cells[:-1], name)
    if newest is not None:
        why = _why(newest, cells[newest])
        mend = f"{why}. Mend that cell and run it" if why else "it is gone since. Run that cell"
        return f"Cell [{newest}] defines `{name}`, but {mend}, then this one again."
    section = _section_that_binds(name)
    if section is None:
        return (
            f"Is `{name}` spelled right? If it comes from a cell further up, that cell has not run "
            f"since the kernel started. {RUN_ABOVE}"
        )
    return (
        f"`{name}` gets its value in a cell {section}, which has not run since the kernel "
        f"started. {RUN_ABOVE}"
    )


def _section_that_binds(name: str) -> str | None:
    """Where the notebook's file gives a name its value, in words."""
    section = "at the beginning of this notebook"
    for kind, text in _cells_on_disk():
        headings = re.findall(r"^## +(.+)$", text, re.MULTILINE) if kind == "markdown" else []
        if headings:
            section = f"of the section “{headings[-1]}”"
        if kind == "code" and binds(text, name):
            return section
    return None


def _cells_on_disk() -> Iterator[tuple[str, str]]:
    """Kind and text of each cell of the notebook's file, where Jupyter says which it is."""
    try:
        text = Path(os.environ["JPY_SESSION_NAME"]).read_text(encoding="utf-8")
        for cell in json.loads(text)["cells"]:
            yield cell["cell_type"], "".join(cell["source"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return


def watch_for_missing_names() -> None:
    """From now on failed cells are remembered, and a NameError is followed by what to do about it."""
    running = shell()
    if running is not None and after_cell not in running.events.callbacks["post_run_cell"]:
        running.events.register("post_run_cell", after_cell)


def after_cell(result: Any) -> None:
    """Remembers a failed cell, and explains the name that it missed."""
    number, place = result.execution_count, getattr(result.info, "cell_id", None)
    if number and place:
        _places[number] = place
    if number and not result.success:
        _failed.add(number)
    advice = missing_name(result.error_in_exec)
    if advice:
        from IPython.display import display

        display(Card("open", f"{result.error_in_exec.name} is not defined", advice))
