"""Text of your own: files and folders read as passages, a part held out, rows to train on.

    train, held_out = split_passages(texts_of("~/notes"))
    tokenizer = tokenization.train_wordpiece(train, vocab_size_for(train))
    rows = packed_rows(tokenizer, train, 128)

Everything stays on this machine. course/your_own_text.md goes on from here.
"""

from __future__ import annotations

import os
import re
import sys
import unicodedata
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor

from mlm_course import tokenization
from mlm_course.contracts import check_count
from mlm_course.corpora.python_docs import docstrings_in
from mlm_course.text_files import as_path, check_encoding, decode_text, os_error_sentence

SUFFIXES = (".txt", ".md", ".rst", ".py")  # of files in a folder; any other has to be named
MOST_BYTES = 20_000_000
LONGEST = 2000  # characters of a passage
MOST_SOURCE = 2_000_000  # bytes of Python: its syntax tree takes a hundred times as much
SOME = 5  # files left out that a warning names
LITTLE = 100_000  # characters: 240 rows of 128 tokens or so

WANTED = 'paths must be files or folders, such as "~/notes"'

_MAILBOX = re.compile(rb"From \S+ .*\d\d:\d\d:\d\d.*\n[\w-]+:")


def texts_of(
    paths: str | Path | Iterable[str | Path],
    *,
    encoding: str | None = None,
    most_bytes: int = MOST_BYTES,
) -> list[str]:
    """The passages of text files, each once and on one line, in the order of files and lines.

    paths: files, or folders with all below them, of which .txt, .md, .rst and .py files are read
    (.py: the docstrings), nothing hidden, no linked folder. encoding: of files that are neither UTF-8
    nor begin with a BOM. most_bytes: after so many, reading stops with a warning.
    A passage is what stands between empty lines. Of more than 2,000 characters, each of its lines is
    one, cut at spaces if need be. One without letters and digits is left out. Unicode: NFC.

    Errors: a file that is named and no text or cannot be read, or a folder without any: ValueError,
    or OSError. Warnings: what in folders is no text or cannot be read, and is left out; a file that
    seems to have another encoding; fewer than 100,000 characters.
    """
    if encoding is not None:
        check_encoding(encoding)
    check_count("most_bytes", most_bytes, 1)
    places = _places(paths)
    passages: dict[str, None] = {}
    refused: list[str] = []
    room = int(most_bytes)
    for path, is_named in _files(places, refused):
        try:
            content, is_whole = _beginning(path, room)
            texts = _passages(_text(path, content, encoding, is_whole))
        except (OSError, ValueError) as error:
            problem = _as_sentence(error)
            if is_named:
                raise problem from None
            refused.append(str(problem))
            continue
        passages.update(dict.fromkeys(texts))
        room -= len(content)
        if not is_whole:
            warnings.warn(
                f"Only the first {most_bytes / 1e6:g} MB were read, up to a part of {path}: "
                "most_bytes=... reads more, and takes memory for it.",
                stacklevel=2,
            )
            break
    return _judged(list(passages), refused, places)


def _places(paths: Any) -> list[Path]:
    """The files and folders that are named, one or several."""
    if isinstance(paths, str | bytes | os.PathLike):
        paths = [paths]
    if not isinstance(paths, Iterable):
        raise TypeError(f"{WANTED}, not {paths!r}.")
    places = []
    for path in paths:
        place = as_path(path, WANTED)
        if not _exists(place):
            raise FileNotFoundError(_missing(str(path)))
        places.append(place)
    if not places:
        raise ValueError(f"The list of files and folders is empty: {WANTED}.")
    return places


def _exists(place: Path) -> bool:
    """Whether something is there. Errors: OSError, a sentence, if that cannot be known."""
    try:
        return place.exists()
    except OSError as error:
        raise _as_sentence(error) from None


def _as_sentence(error: OSError | ValueError) -> OSError | ValueError:
    """The error with a sentence that names the file."""
    return type(error)(os_error_sentence(error)) if isinstance(error, OSError) else error


def _judged(passages: list[str], refused: list[str], places: list[Path]) -> list[str]:
    """The passages; an error if there is none, a warning for what was left out and for too few."""
    if not passages:
        raise ValueError(
            _some([f"There is no text in {p}: {_why_none(p)}." for p in places], refused)
        )
    if refused:
        files = (
            "1 file or folder was" if len(refused) == 1 else f"{len(refused)} files or folders were"
        )
        warnings.warn(f"{files} left out. {_some(refused)}", stacklevel=3)
    characters = sum(map(len, passages))
    if characters < LITTLE:
        warnings.warn(
            f"These are {characters:,} characters. With fewer than {LITTLE:,} a model is shown the same "
            "few rows again and again: go on from one that knows their language. (The course's own knows "
            "English.)",
            stacklevel=3,
        )
    return passages


def _some(*lists: list[str]) -> str:
    """At most SOME sentences of each list, and how many more there are."""
    told = []
    for sentences in lists:
        told += sentences[:SOME]
        if len(sentences) > SOME:
            told.append(f"({len(sentences) - SOME} more.)")
    return " ".join(told)


def _why_none(place: Path) -> str:
    """Why a file or folder may have given no passage."""
    if place.is_dir():
        return f"of a folder, {', '.join(SUFFIXES)} files are read"
    if not place.stat().st_size:
        return "it is empty"
    if place.suffix.lower() == ".py":
        return "of a .py file, docstrings are read"
    return "what stands between empty lines needs a letter or a digit"


def _files(places: Iterable[Path], refused: list[str]) -> Iterator[tuple[Path, bool]]:
    """Every file to read, and whether it was named itself; what cannot be listed goes to refused."""
    for place in places:
        if place.is_dir():
            yield from ((file, False) for file in _below(place, refused))
        elif place.is_file():
            yield place, True
        else:
            raise OSError(f"{place} is a device or pipe: name a file or folder.")


def _missing(path: str) -> str:
    """That there is no such file or folder, and what may be wrong with the name."""
    advice = ""
    if re.search(r"[\a\b\f\n\r\t\v]", path):
        advice = ' A backslash became part of a sign: write an r before it, r"C:\\new".'
    elif "\\" in path and os.sep == "/":
        advice = f" This is how Windows writes paths, and this Python runs on {sys.platform}."
    elif "://" in path:
        advice = " It is an address: download the file first."
    return f"There is no file or folder {path!r}.{advice}"


def _below(folder: Path, refused: list[str]) -> Iterator[Path]:
    """The text files below a folder, sorted; nothing hidden, and no folder that is only linked.

    Errors: OSError, a sentence, if the folder itself cannot be read; what below it cannot, in refused.
    """

    def refuse(error: OSError) -> None:
        if str(error.filename) == str(folder):
            raise _as_sentence(error)
        refused.append(os_error_sentence(error))

    for place, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(place, name)
            if not name.lower().endswith(SUFFIXES) or name.startswith("."):
                continue
            try:
                is_file = path.is_file()
            except OSError as error:  # a folder that may be listed, but not entered
                refuse(error)
                continue
            if is_file:
                yield path


def _beginning(path: Path, room: int) -> tuple[bytes, bool]:
    """At most so many bytes of a file, and whether they are all."""
    with path.open("rb") as file:
        return file.read(room), not file.read(1)


def _text(path: Path, content: bytes, encoding: str | None, is_whole: bool) -> str:
    """The text in a file's bytes, of Python's the docstrings. Errors: ValueError if it is no text."""
    if _MAILBOX.match(content):
        raise ValueError(f"{path} is a mailbox: course/your_own_text.md says how to read it.")
    if path.suffix.lower() != ".py":
        return decode_text(content, path, encoding, is_whole=is_whole)
    if len(content) > MOST_SOURCE:
        raise ValueError(f"{path} has more than {MOST_SOURCE / 1e6:g} MB: nobody has written that.")
    return "\n\n".join(docstrings_in(content))


def _passages(text: str) -> Iterator[str]:
    for block in re.split(r"\n\s*\n", unicodedata.normalize("NFC", text)):
        lines = block.split("\n") if len(block) > LONGEST else [block]
        for line in lines:
            for passage in _cut(" ".join(line.split())):
                if any(map(str.isalnum, passage)):
                    yield passage


def _cut(line: str) -> Iterator[str]:
    """Pieces of at most LONGEST characters, cut at the last space where there is one."""
    start = 0
    while len(line) - start > LONGEST:
        space = line.rfind(" ", start + 1, start + LONGEST + 1)
        end = space if space > 0 else start + LONGEST
        yield line[start:end]
        start = end + (space > 0)
    yield line[start:]


def split_passages(texts: Sequence[str]) -> tuple[list[str], list[str]]:
    """Passages to train on and, a tenth of them, held out: stretches of neighbours.

    Stretches, since neighbours say similar things; ten to nineteen, so that every part of the text is
    on both sides. Of fewer than a hundred passages every tenth is held out, of fewer than ten the last.
    Errors: ValueError for fewer than two.
    """
    n = len(texts)
    if n < 2:
        raise ValueError(
            f"To hold a part out takes at least two passages, not {n}: separate passages by an empty line."
        )
    stretch = max(1, n // 100)
    is_held_out = [i // stretch % 10 == 9 for i in range(n)]
    is_held_out[-1] |= n < 10
    sides = ([t for t, h in zip(texts, is_held_out, strict=True) if h == side] for side in (0, 1))
    train, held_out = sides
    return train, held_out


def vocab_size_for(texts: Iterable[str]) -> int:
    """A size of vocabulary that texts support: a word for every 200 characters, 1,000 to 8,000.

    More where the characters alone need it (`train_wordpiece` gives each a place or two): Chinese.
    """
    texts = list(texts)
    letters = len(set().union(*texts))
    wanted = min(8000, max(1000, sum(map(len, texts)) // 200))
    return max(wanted, 2 * letters + len(tokenization.SPECIAL_TOKENS))


def packed_rows(tokenizer: Tokenizer, texts: Sequence[str], length: int = 128) -> Tensor:
    """Texts one after another in rows of ids (N, length) int64, [SEP] between two, the last padded.

    Special tokens that a text spells out are left out, but for [UNK]. Errors: see `pack`; ValueError
    if nothing is known to the tokenizer. Warning: if more than 2 % of the tokens are [UNK].
    """
    check_count("length", length, 1)
    drop = set(tokenization.SPECIAL_IDS) - {tokenization.UNK_ID}
    ids = []
    for start in range(0, len(texts), 1000):  # what the library keeps of a text is large
        some = tokenization.encode(tokenizer, texts[start : start + 1000], special_tokens=False)
        ids += [[i for i in row if i not in drop] for row in some]
    _warn_of_unknown(ids)
    rows = tokenization.pack(ids, length)
    rows[-1] = rows[-1] + [tokenization.PAD_ID] * (length - len(rows[-1]))
    return torch.tensor(rows)


def _warn_of_unknown(ids: list[list[int]]) -> None:
    n = sum(map(len, ids))
    share = sum(row.count(tokenization.UNK_ID) for row in ids) / n if n else 1.0
    remedy = (
        "words that this tokenizer cannot spell, or of more than 100 characters. One of train_bpe, "
        "trained on these texts, spells everything."
    )
    if share == 1:
        raise ValueError(f"All tokens of these texts are [UNK]: {remedy}")
    if share > 0.02:
        warnings.warn(f"{share:.0%} of the tokens are [UNK]: {remedy}", stacklevel=3)
