"""All recorded experiments and benchmarks as one page of tables: `python -m mlm_course results`."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from inspect import cleandoc
from pathlib import Path
from typing import Any

from mlm_course.results import HERE, benchmarks, recorded
from mlm_course.results.comparison import Difference

ABOUT = ("command", "minutes", "machine", "threads", "versions")
BENCHMARKS = "benchmarks"  # a record of another kind: parts, each measured on its own
HEAD = """# Results

Every recorded experiment and benchmark of the course, rendered from `mlm_course/results/*.json` by
`python -m mlm_course results`; do not edit. Each can be run again by the command it names. Shares are
between 0 and 1, losses in nats, unless a name says otherwise. What a column means stands at the top
of the file in `mlm_course/experiments`, or in `tests/bench` for a benchmark.
"""


def results_page() -> str:
    """The whole page as Markdown: experiments in the order of their names, then benchmarks."""
    names = sorted(path.stem for path in HERE.glob("*.json"))
    names.sort(key=lambda name: name == BENCHMARKS)
    return "\n".join([HEAD, *map(_section, names)])


def _section(name: str) -> str:
    """The section of one record. Errors: ValueError that names the file if it is no record."""
    record = recorded(name)
    try:
        return benchmark_section(record) if name == BENCHMARKS else section(name, record)
    except (AttributeError, KeyError, TypeError) as error:
        said = f"{type(error).__name__}, {error}"
        raise ValueError(f"{HERE / name}.json is no record: {said}.") from None


def section(name: str, record: Mapping[str, Any]) -> str:
    """One experiment: what it is, how it was run, and its tables."""
    findings = {key: value for key, value in record.items() if key not in ABOUT}
    plain = {key: value for key, value in findings.items() if not _is_nested(value)}
    lists = [f'<a id="{anchor(name, key)}"></a>' for key in plain if isinstance(plain[key], list)]
    lines = [f"## {name}", "", summary(name), "", how_it_was_run(record), "", *lists]
    lines += tables(plain, "")
    for key in [key for key in findings if key not in plain]:
        lines += [f'<a id="{anchor(name, key)}"></a>', "", *tables(findings[key], key)]
    return "\n".join(lines)


def anchor(name: str, *keys: str) -> str:
    """What a link to a record, or to one of its parts, ends in."""
    return "-".join(re.sub(r"[^a-z0-9_]+", "-", key.lower()).strip("-") for key in (name, *keys))


def benchmark_section(record: Mapping[str, Any]) -> str:
    """All benchmarks: of each what it is, how it was run, and its table."""
    lines = [f"## {BENCHMARKS}", "", cleandoc(benchmarks.__doc__ or ""), ""]
    for name, part in record.items():
        how = how_it_was_run(part, ("python", "torch", "transformers"))
        lines += [f"### {name}", "", part["about"], "", how, "", *benchmarks.table(part), ""]
    return "\n".join(lines)


def how_it_was_run(record: Mapping[str, Any], packages: Sequence[str] = ("python", "torch")) -> str:
    """Command, minutes, machine, threads and versions, as far as a record has them."""
    threads, versions = record.get("threads"), record.get("versions", {})
    parts = [
        f"`{record['command']}`",
        f"{record['minutes']:g} minutes" if "minutes" in record else "",
        record["machine"],
        f"{threads} thread{'s' * (threads != 1)}" if threads else "",
        *(f"{package} {versions[package]}" for package in packages if package in versions),
    ]
    return "; ".join(filter(None, parts))


def summary(name: str, folder: Path = HERE.parent / "experiments") -> str:
    """The first line of the experiment's own description."""
    text = ast.get_docstring(ast.parse((folder / f"{name}.py").read_text("utf-8"))) or ""
    return text.split("\n")[0]


def tables(content: Any, title: str) -> Iterator[str]:
    """Lines of Markdown for a value of a record: numbers in a line, rows in tables, the rest below."""
    if isinstance(content, list):
        content = dict(enumerate(content, start=1))
    plain = {key: value for key, value in content.items() if not _is_nested(value)}
    nested = {key: value for key, value in content.items() if _is_nested(value)}
    if plain:
        line = "; ".join(f"{key} {_text(value)}" for key, value in plain.items())
        yield from (f"**{title}**: {line}" if title else line, "")
    if not plain and _is_row_of_rows(nested):
        yield from (f"**{title}**", "")
        yield from _grid(nested)
        return
    for key, value in nested.items():
        yield from tables(value, f"{title}, {key}" if title else str(key))


def _grid(rows: Mapping[Any, Mapping[str, Any]]) -> Iterator[str]:
    rows = {name: _in_words(row) for name, row in rows.items()}
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    yield "| | " + " | ".join(map(_cell, columns)) + " |"
    yield "|---" * (len(columns) + 1) + "|"
    for name, row in rows.items():
        yield f"| {_cell(name)} | " + " | ".join(_cell(row.get(c, "")) for c in columns) + " |"
    yield ""


def _in_words(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """A row that is a difference says in words, too, what its interval says."""
    if not set(Difference._fields) <= row.keys():
        return row
    return {**row, "says": str(Difference(*(row[field] for field in Difference._fields)))}


def _is_nested(value: Any) -> bool:
    return isinstance(value, dict) or _is_table(value)


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)


def _is_row_of_rows(value: Mapping[Any, Any]) -> bool:
    rows = list(value.values())
    return bool(rows) and all(
        isinstance(row, dict) and not any(map(_is_nested, row.values())) for row in rows
    )


def _cell(value: Any) -> str:
    return _text(value).replace("|", "\\|")


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    if isinstance(value, float):
        return f"{value:.5g}"
    return json.dumps(value) if isinstance(value, bool | None) else str(value)
