"""The Hugging Face hub: one question asked in time, one sentence where it does not answer."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

Row = TypeVar("Row")
DataFiles = str | Sequence[str] | Mapping[str, str | Sequence[str]]


class HubUnreachable(Exception):
    """No usable answer from the hub; the message says why."""


class Known(NamedTuple):
    """A data set by its address on the hub: id, configuration, and the column with the text."""

    hub_id: str
    config: str | None
    column: str | None


def rows_from_hub(
    known: Known,
    split: str,
    n: int | None,
    read: Callable[[Iterable[Mapping[str, Any]]], Iterable[Row]],
    *,
    streaming: bool = True,
    timeout: float = 5.0,
) -> list[Row]:
    """The first n of what `read` finds in the rows of a data set on the hub.

    Errors: HubUnreachable without a network; ValueError for what does not exist.
    """
    from huggingface_hub import constants

    offline = constants.HF_HUB_OFFLINE
    if not offline:
        _find_dataset(known.hub_id, timeout)
    try:
        with _few_retries():
            rows = open_dataset(known.hub_id, known.config, split, streaming)
            return list(islice(read(rows), n))
    except (ValueError, TypeError, FileNotFoundError, RuntimeError):
        raise  # what the caller asked for does not exist
    except Exception as error:  # the network's errors have no common class
        reason = "offline, and never downloaded" if offline else "the download broke off"
        raise HubUnreachable(reason) from error


def _find_dataset(hub_id: str, timeout: float) -> None:
    """Nothing if the hub knows the data set. Errors: HubUnreachable; ValueError for an unknown one."""
    from huggingface_hub import errors

    try:
        ask_about("dataset", hub_id, timeout)
    except (errors.RepositoryNotFoundError, errors.HFValidationError) as error:
        raise ValueError(
            f"The hub has no open data set {hub_id!r}: check the spelling of owner/name."
        ) from error
    except HubUnreachable:
        raise
    except Exception as error:  # the network's errors have no common class
        raise HubUnreachable("the hub cannot be reached") from error


def ask_about(kind: str, name: str, timeout: float = 5.0) -> None:
    """One question to the hub about a "dataset" or a "model": nothing if it knows it, else its error.

    Errors: those of huggingface_hub; HubUnreachable if it does not answer in time.
    """
    from huggingface_hub import HfApi

    ask = getattr(HfApi(), f"{kind}_info")
    if error := failure(lambda: ask(name, timeout=timeout), timeout):
        raise error


def failure(question: Callable[[], object], timeout: float) -> Exception | None:
    """The error that one question to the hub ends in, or None; HubUnreachable after `timeout` s.

    Asked in a thread: a name server that never answers ignores every other time limit, and
    `datasets` itself would go on trying for half a minute.
    """
    answers: queue.Queue[Exception | None] = queue.Queue()

    def ask() -> None:
        try:
            question()
            answers.put(None)
        except Exception as error:
            answers.put(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        return answers.get(timeout=timeout)
    except queue.Empty as late:
        raise HubUnreachable("the hub does not answer") from late


@contextmanager
def _few_retries() -> Iterator[None]:
    """Streaming that gives up after one more try; `datasets` would try twenty times.

    That matters where the hub answers but the host of its files does not: there it takes about
    half a minute to give up, not ten minutes.
    """
    from datasets import config

    names = ("STREAMING_OPEN_MAX_RETRIES", "STREAMING_READ_MAX_RETRIES")
    before = {name: getattr(config, name) for name in names if hasattr(config, name)}
    try:
        for name in before:
            setattr(config, name, 1)
        yield
    finally:
        for name, value in before.items():
            setattr(config, name, value)


def open_dataset(
    name: str,
    config: str | None,
    split: str,
    streaming: bool,
    data_files: DataFiles | None = None,
) -> Iterable[Mapping[str, Any]]:
    """The rows of a data set on the hub, or of files of one kind (name "text", "csv", ...)."""
    from datasets import load_dataset  # takes a second or more to import

    return load_dataset(name, config, split=split, streaming=streaming, data_files=data_files)


def download(name: str, files: Sequence[str]) -> dict[str, Path]:
    """A model's files on this machine: those that are there, or else the hub's.

    Errors: HubUnreachable; ValueError if the hub has no such model or it lacks one of the files.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import (
        EntryNotFoundError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    def get(local: bool) -> dict[str, Path]:
        return {f: Path(hf_hub_download(name, f, local_files_only=local)) for f in files}

    try:
        try:
            return get(local=True)
        except LocalEntryNotFoundError:
            ask_about("model", name)
            return get(local=False)
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise ValueError(f"The hub has no open model {name!r}: check the spelling.") from error
    except EntryNotFoundError as error:
        if isinstance(error, LocalEntryNotFoundError):  # the download broke off
            raise HubUnreachable(_unreachable(name)) from error
        raise ValueError(f"{name!r} lacks one of the files {', '.join(files)}.") from error
    except Exception as error:  # the network's errors have no common class
        raise HubUnreachable(_unreachable(name)) from error


def _unreachable(name: str) -> str:
    return f"{name!r} is not available: the hub cannot be reached, and it was never downloaded."
