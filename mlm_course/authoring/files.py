"""Files that change together or not at all."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


def replace_all(texts: Mapping[Path, str]) -> None:
    """New texts for files: all are written beside their places, then all are moved there."""
    moves = {path.with_name(f"{path.name}.new"): path for path in texts}
    try:
        for new, path in moves.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            new.write_text(texts[path], encoding="utf-8")
        for new, path in moves.items():
            os.replace(new, path)
    finally:
        for new in moves:
            new.unlink(missing_ok=True)


@contextmanager
def taken_back_on_failure(path: Path, text: str) -> Iterator[None]:
    """A new text for a file; if what follows fails, the file is again as it was."""
    before = path.read_bytes() if path.exists() else None
    replace_all({path: text})
    try:
        yield
    except BaseException:
        if before is None:
            path.unlink()
        else:
            path.write_bytes(before)
        raise
