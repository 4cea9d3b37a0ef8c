"""Text from data sets on the Hugging Face hub or from files, through the `datasets` library.

    load_text("tinystories", n=500)                                    # 500 little stories
    load_text("text", data_files="my_notes.txt")                       # a line is a text
    load_text("parquet", data_files="reviews.parquet", column="body")

Folders, other encodings and paragraphs instead of lines: `own_text`.

Without a network the course goes on: `load_text` says in one sentence that the hub cannot be
reached, and returns Python's manual instead. `datasets` is imported only when it is needed.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from mlm_course.corpora import python_docs
from mlm_course.hub import DataFiles, HubUnreachable, Known, check_n, open_dataset, rows_from_hub
from mlm_course.text_files import read_text

LOCAL = ("text", "parquet", "json", "csv", "arrow")  # names that mean files of this kind


KNOWN = {
    "wikitext-2": Known("Salesforce/wikitext", "wikitext-2-raw-v1", "text"),
    "wikitext-103": Known("Salesforce/wikitext", "wikitext-103-raw-v1", "text"),
    "tinystories": Known("roneneldan/TinyStories", None, "text"),
    "ag_news": Known("fancyzhx/ag_news", None, "text"),
    "imdb": Known("stanfordnlp/imdb", None, "text"),
}
"""Short names that `load_text` understands beside any hub id."""


def load_text(
    name: str,
    split: str = "train",
    n: int | None = 1000,
    *,
    config: str | None = None,
    column: str | None = None,
    data_files: DataFiles | Path | None = None,
    streaming: bool = True,
    timeout: float = 5.0,
) -> list[str]:
    """The first n texts of a data set, rows without text left out; n=None means all.

    name: one of KNOWN, any hub id such as "owner/name", or one of LOCAL together with data_files.
    column: the one that holds the text; may be left out if there is only one such column or one
    is called "text". streaming reads only what is asked for; streaming=False downloads the
    whole data set once and keeps it.

    If the hub does not answer within timeout seconds (or HF_HUB_OFFLINE=1 is set and the data set
    was never downloaded), prints one sentence and returns the first n paragraphs of Python's
    manual. Raises ValueError for a name, configuration, split or column that does not exist and for
    files without text or of another kind or encoding, FileNotFoundError for missing ones.
    """
    check_n(n, "texts")
    data_files = str(data_files) if isinstance(data_files, Path) else data_files
    if (name in LOCAL) != (data_files is not None):
        raise ValueError(f"data_files goes together with one of the names {', '.join(LOCAL)}.")
    if data_files is not None:
        rows = _rows_of_files(name, config, split, streaming, data_files)
        return _checked(list(islice(_texts(rows, column), n)), name, data_files)
    try:
        return texts_from_hub(
            name, split, n, config=config, column=column, streaming=streaming, timeout=timeout
        )
    except HubUnreachable as reason:
        print(reason.replaced(name, "Python's own manual takes"))
        return python_docs.paragraphs(python_docs.manual())[:n]


def _rows_of_files(
    name: str, config: str | None, split: str, streaming: bool, data_files: DataFiles
) -> Iterator[Mapping[str, Any]]:
    """The rows of files of one kind; an error names the file that cannot be read."""
    try:
        yield from open_dataset(name, config, split, streaming, data_files=data_files)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"There is no such file: {_names(data_files)}.") from error
    except Exception as error:  # those of pyarrow, pandas and datasets have no common class
        if type(error) is ValueError:  # a split that does not exist
            raise
        _check_encoding(name, data_files)
        if not any(_size(path) for path in _paths(data_files)):
            return
        reason = next(iter(str(error.__cause__ or error).splitlines()), "").rstrip(".")
        raise ValueError(f"{_names(data_files)} cannot be read as {name}: {reason}.") from error


def _checked(texts: list[str], name: str, data_files: DataFiles) -> list[str]:
    """The texts, or an error if there is none, or if they are none."""
    if any("\0" in text for text in texts):
        _check_encoding(name, data_files)
    if not texts:
        raise ValueError(f"There is no text in {_names(data_files)}.")
    return texts


def _check_encoding(name: str, data_files: DataFiles) -> None:
    """ValueError that names the first file which should be text, and is not."""
    if name in ("text", "csv", "json"):
        for path in _paths(data_files):
            if Path(path).is_file():
                read_text(path)


def _paths(data_files: DataFiles) -> list[str]:
    """The names in `data_files`, however they are given."""
    if isinstance(data_files, str):
        return [data_files]
    values = data_files.values() if isinstance(data_files, Mapping) else data_files
    return [path for value in values for path in _paths(value)]


def _names(data_files: DataFiles) -> str:
    return ", ".join(_paths(data_files))


def _size(path: str) -> int:
    """Bytes of a file here; of one elsewhere, which is not asked, some."""
    return Path(path).stat().st_size if Path(path).is_file() else 1


def texts_from_hub(
    name: str,
    split: str = "train",
    n: int | None = None,
    *,
    config: str | None = None,
    column: str | None = None,
    streaming: bool = True,
    timeout: float = 5.0,
) -> list[str]:
    """As `load_text` without files, but HubUnreachable where the hub does not answer."""
    known = KNOWN.get(name.lower(), Known(name, None, None))
    known = Known(known.hub_id, config or known.config, column or known.column)
    read = partial(_texts, column=known.column)
    return rows_from_hub(known, split, n, read, streaming=streaming, timeout=timeout)


def _texts(rows: Iterable[Mapping[str, Any]], column: str | None) -> Iterator[str]:
    """The texts of a column, rows without text left out."""
    for row in rows:
        column = column or _text_column(row)
        if column not in row:
            raise ValueError(f"There is no column {column!r}; there are {', '.join(row)}.")
        text = row[column]
        if text is not None and not isinstance(text, str):
            raise ValueError(f"Column {column!r} holds {type(text).__name__}, not text.")
        text = (text or "").removeprefix("\ufeff")  # a BOM, where a file begins
        if text and not text.isspace():
            yield text


def _text_column(row: Mapping[str, Any]) -> str:
    """The column called "text", or else the only one that holds text."""
    columns = [name for name, value in row.items() if isinstance(value, str)]
    if "text" not in columns and len(columns) != 1:
        raise ValueError(f"Say which column holds the text: column=..., one of {', '.join(row)}.")
    return "text" if "text" in columns else columns[0]
