"""Text files as people have them: UTF-8, with or without a BOM, or a sentence that names the file."""

from __future__ import annotations

import codecs
import json
import os
import tomllib
import unicodedata
import warnings
from pathlib import Path
from typing import Any

BOMS = {b"\xff\xfe\0\0": "UTF-32", b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}


def read_text(path: str | Path) -> str:
    """The text of a file; every end of a line is "\\n", a BOM is left out.

    Errors: ValueError if it is not UTF-8; OSError if it cannot be read.
    """
    try:
        with open(path, encoding="utf-8-sig") as file:
            text = file.read()
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise ValueError(f"{path} is not UTF-8 text: {_looks_like(Path(path).read_bytes())}.")
    return text


def _looks_like(content: bytes) -> str:
    """What a file may be, and what to do about it."""
    for bom, encoding in BOMS.items():
        if content.startswith(bom):
            return f"it begins as {encoding} does, save it as UTF-8"
    if content[1::2].count(0) > len(content) // 4:
        return "it looks like UTF-16 without a BOM, save it as UTF-8"
    if 0 in content:
        return "it is binary"
    return "it may be Latin-1 or Windows-1252, save it as UTF-8"


KINDS = {  # how files begin that hold text only in a wrapping
    b"%PDF": "a PDF",
    b"PK\x03\x04": "a ZIP archive, as .docx, .xlsx, .odt and .epub are",
    b"\xd0\xcf\x11\xe0": "an old Word or Excel file",
    b"{\\rtf": "RTF",
    b"\x1f\x8b": "compressed by gzip",
}
GUESSES = ("gb18030", "cp1252", "cp1251", "shift_jis", "big5", "euc_kr")


def decode_text(
    content: bytes, path: str | Path, encoding: str | None = None, *, is_whole: bool = True
) -> str:
    """The text in the bytes of a file; every end of a line is "\\n", a BOM is left out.

    A BOM (UTF-8, UTF-16, UTF-32) decides; without one it is UTF-8 or else, if that is given,
    encoding. is_whole=False: content is a beginning, and may end within a character.
    Errors: ValueError that names the file, and how it begins in encodings that are possible.
    Warning: where encoding gives a text, but hardly the right one.
    """
    _refuse_kinds(content, path)
    bom = next((name for mark, name in BOMS.items() if content.startswith(mark)), None)
    for name in (bom,) if bom else ("utf-8-sig", encoding):
        text = _in_encoding(content, name, is_whole) if name else None
        if text is not None and "\0" not in text:
            if encoding and name == encoding:
                _warn_if_unlikely(content, path, encoding, text)
            return text.replace("\r\n", "\n").replace("\r", "\n")
    if bom:
        raise ValueError(f"{path} begins as {bom} does, and is damaged: save it anew, as UTF-8.")
    if encoding:
        damage = _damage(content)
        raise ValueError(
            f"{path} is neither UTF-8 nor {encoding} text{f': {damage}' if damage else ''}."
        )
    raise ValueError(f"{path} is not UTF-8 text: {_possible(content, is_whole)}.")


def _warn_if_unlikely(content: bytes, path: str | Path, encoding: str, text: str) -> None:
    """That a text in this encoding may be in another one, if its signs or bytes say so."""
    reason = _damage(content)
    if not reason and (odd := sorted(filter(_is_odd, set(text)))):
        reason = f"it has signs that texts do not have, such as U+{ord(odd[0]):04X}"
    if reason:
        warnings.warn(f"{path} was read as {encoding}, though {reason}.", stacklevel=3)


def _is_odd(sign: str) -> bool:
    """Whether a sign is for private use, unassigned, or a control character but white space."""
    return unicodedata.category(sign) in ("Cc", "Cn", "Co") and sign not in "\t\n\v\f\r\x1a"


def _refuse_kinds(content: bytes, path: str | Path) -> None:
    for mark, kind in KINDS.items():
        if content.startswith(mark):
            raise ValueError(f"{path} is {kind}: save its text as a .txt file in UTF-8 first.")


def _in_encoding(content: bytes, encoding: str, is_whole: bool) -> str | None:
    """The text, None if the bytes are none in this encoding."""
    try:
        return codecs.getincrementaldecoder(encoding)().decode(content, is_whole)
    except UnicodeError:
        return None


def check_encoding(encoding: str) -> None:
    """ValueError unless Python can read text in this encoding."""
    try:
        b"a".decode(encoding)
    except LookupError:
        raise ValueError(
            f'encoding must be one that Python knows, such as "gb18030", not {encoding!r}.'
        ) from None
    except UnicodeError:  # one letter alone is no text in UTF-16
        pass


def _possible(content: bytes, is_whole: bool) -> str:
    """Whether it is damaged UTF-8, and how all that is not ASCII begins in possible encodings."""
    if 0 in content:
        return _looks_like(content)
    first = next(i for i, byte in enumerate(content) if byte > 127)
    beginning, is_end = content[: first + 4096], is_whole and len(content) < first + 4096
    texts = {name: _in_encoding(beginning, name, is_end) for name in GUESSES}
    told = [
        f'"{text[first : first + 8]}" with encoding="{name}"'
        for name, text in texts.items()
        if text and not any(map(_is_odd, set(text)))
    ]
    reads = f"from byte {first} on it reads {' or '.join(told)}" if told else ""
    if damage := _damage(content):
        mend = "mend it in an editor, and save it as UTF-8"
        return f"{damage}: {mend}{f'; or {reads}' if reads else ''}"
    return reads or "it is binary"


def _damage(content: bytes) -> str:
    """What is wrong with UTF-8, if of all that is not ASCII two thirds are; else nothing."""
    text = content.decode(errors="surrogateescape")  # each byte that is wrong becomes a sign
    valid = text.encode(errors="ignore").decode()
    wrong, right = len(text) - len(valid), len(valid) - len(valid.encode("ascii", "ignore"))
    if not 0 < 2 * wrong <= right:
        return ""
    place = _first_wrong(content)
    where = f"1 byte, at {place}" if wrong == 1 else f"{wrong} bytes, from {place} on"
    return f"it is UTF-8 but for {where}, as if damaged or cut off there"


def _first_wrong(content: bytes) -> int:
    """Where bytes stop to be UTF-8."""
    try:
        content.decode()
    except UnicodeDecodeError as error:
        return error.start
    return len(content)


def read_json(path: str | Path) -> Any:
    """What a JSON file holds. Errors: ValueError that names the file; OSError."""
    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{path} is damaged or not JSON: {error.msg} (line {error.lineno})."
        ) from None
    except RecursionError:
        raise ValueError(f"{path} is damaged: it is nested too deeply.") from None


def read_toml(path: str | Path) -> dict[str, Any]:
    """What a TOML file holds. Errors: ValueError that names the file; OSError."""
    try:
        return tomllib.loads(read_text(path))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path} is damaged or not TOML: {error}.") from None


def write_text(path: Path, text: str) -> None:
    """A new text for a file, in UTF-8: it has the old text or the new one, never half of one."""
    unfinished = path.with_name(f"{path.name}.unfinished")
    try:
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def as_path(path: object, wanted: str) -> Path:
    """The path, with its ~ filled in. Errors: TypeError that says what is wanted; ValueError for NUL."""
    if not isinstance(path, str | os.PathLike) or not str(path).strip():
        raise TypeError(f"{wanted}, not {path!r}.")
    if "\0" in str(path):
        raise ValueError(f"A path cannot hold the character NUL: {str(path)!r}.")
    return Path(path).expanduser()


def checked_path(path: str | Path, example: str) -> Path:
    """The path, if a file may be written or read there: never a device or a pipe.

    Errors: TypeError for what is no path; ValueError; OSError for what is there and no file.
    """
    path = as_path(path, f"path must name a file, such as {example}")
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder: name a file in it, such as {example}.")
    if path.exists() and not path.is_file():
        raise OSError(f"{path} is a device or pipe: name a file.")
    return path


def os_error_sentence(error: OSError) -> str:
    """An error of the system as a sentence: "course: no such file or directory."."""
    reason = error.strerror or str(error) or type(error).__name__
    if error.filename:
        reason = f"{error.filename}: {reason[:1].lower()}{reason[1:]}"
    return reason.rstrip(".") + "."
