"""Text from data sets on the Hugging Face hub or from files, through the `datasets` library.

    load_text("tinystories", n=500)                                    # 500 little stories
    load_text("text", data_files="my_notes.txt")                       # a line is a text
    load_text("parquet", data_files="reviews.parquet", column="body")

Without a network the course goes on: `load_text` says in one sentence that the hub cannot be
reached, and returns Python's manual instead. `datasets` is imported only when it is needed.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from itertools import islice
from typing import Any

from mlm_course.corpora import python_docs
from mlm_course.hub import DataFiles, HubUnreachable, Known, open_dataset, rows_from_hub

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
    data_files: DataFiles | None = None,
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
    manual. Raises ValueError for a name, configuration, split or column that does not exist, and
    FileNotFoundError for missing files.
    """
    if n is not None and n < 1:
        raise ValueError(f"n must be at least 1, or None for all texts, not {n}.")
    if (name in LOCAL) != (data_files is not None):
        raise ValueError(f"data_files goes together with one of the names {', '.join(LOCAL)}.")
    if data_files is not None:
        rows = open_dataset(name, config, split, streaming, data_files=data_files)
        return list(islice(_texts(rows, column), n))
    try:
        return texts_from_hub(
            name, split, n, config=config, column=column, streaming=streaming, timeout=timeout
        )
    except HubUnreachable as reason:
        print(f"{name!r} is not available ({reason}): Python's own manual takes its place.")
        return python_docs.paragraphs(python_docs.manual())[:n]


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
        if text and not text.isspace():
            yield text


def _text_column(row: Mapping[str, Any]) -> str:
    """The column called "text", or else the only one that holds text."""
    columns = [name for name, value in row.items() if isinstance(value, str)]
    if "text" not in columns and len(columns) != 1:
        raise ValueError(f"Say which column holds the text: column=..., one of {', '.join(row)}.")
    return "text" if "text" in columns else columns[0]
