"""The Hugging Face hub: one question asked in time, one sentence where it does not answer."""

from __future__ import annotations

import errno
import os
import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, NamedTuple, TypeVar

Row = TypeVar("Row")
DataFiles = str | Sequence[str] | Mapping[str, str | Sequence[str]]


HUGGING_FACE = "https://huggingface.co"  # another address may stand in HF_ENDPOINT
LOG_IN = "`hf auth login` puts in a new one"
NOT_WRITTEN = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR)


class HubUnreachable(ConnectionError):
    """No usable answer from the hub: why, as half a sentence, and what to do, as a whole one."""

    def __init__(self, reason: str, advice: str = "") -> None:
        super().__init__(reason)
        self.advice = advice

    def replaced(self, name: str, substitute: str) -> str:
        """What a learner is told about a data set and what there is instead of it."""
        return f"{name!r} is not available ({self}): {substitute} its place. {self.advice}".rstrip()


class Known(NamedTuple):
    """A data set by its address on the hub: id, configuration, and the column with the text."""

    hub_id: str
    config: str | None
    column: str | None


def check_n(n: int | None, what: str) -> None:
    """ValueError unless n is a number of rows, or None for all."""
    if n is not None and (isinstance(n, bool) or not isinstance(n, int) or n < 1):
        raise ValueError(f"n must be at least 1, or None for all {what}, not {n!r}.")


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
        ask_about("dataset", known.hub_id, timeout)
    try:
        with _few_retries():
            rows = open_dataset(known.hub_id, known.config, split, streaming)
            return list(islice(read(rows), n))
    except (ValueError, TypeError, FileNotFoundError, RuntimeError):
        raise  # what the caller asked for does not exist
    except Exception as error:  # the network's errors have no common class
        if offline:
            raise HubUnreachable("offline, and never downloaded") from error
        told = why(error)
        raise HubUnreachable(f"the download broke off: {told}", told.advice) from error


def ask_about(kind: str, name: str, timeout: float = 5.0) -> None:
    """One question to the hub about a "dataset" or a "model": nothing if everybody may have it.

    Errors: ValueError for one that the hub lacks or keeps closed; HubUnreachable without an answer.
    """
    from huggingface_hub import HfApi, errors

    noun = {"dataset": "data set"}.get(kind, kind)
    nor_here = ", and there is no such folder here" if kind == "model" else ""
    ask = getattr(HfApi(), f"{kind}_info")
    error = failure(lambda: ask(name, timeout=timeout), timeout)
    if error is None:
        return
    if isinstance(error, errors.GatedRepoError):
        raise ValueError(
            f"The {noun} {name!r} is only for those who accept its terms: do that on its page on "
            f"{hub_name()}, then `hf auth login` says who you are."
        ) from error
    unknown = isinstance(error, (errors.RepositoryNotFoundError, errors.HFValidationError))
    if unknown and not _token_refused(error):
        raise ValueError(
            f"The hub has no open {noun} {name!r}{nor_here}: check the spelling of owner/name."
        ) from error
    raise why(error) from error


def hub_name() -> str:
    """The hub in a sentence, with its address if it is a mirror."""
    from huggingface_hub import constants

    mirror = constants.ENDPOINT != HUGGING_FACE
    return f"the hub at {constants.ENDPOINT or 'an empty address'}" if mirror else "the hub"


def why(error: BaseException) -> HubUnreachable:
    """What a failed question to the hub means: the one place that decides this.

    error: one of huggingface_hub, of its HTTP library (whose name differs between versions, so
    classes are known by their names), or of the system.
    """
    if isinstance(error, HubUnreachable):
        return error
    if _token_refused(error):
        return HubUnreachable(f"{hub_name()} does not accept this machine's token", _new_token())
    status = _status(error)
    return _refused(status, hub_name()) if status else _no_answer(error, hub_name())


def _status(error: BaseException) -> int:
    return getattr(getattr(error, "response", None), "status_code", 0)


def _token_refused(error: BaseException) -> bool:
    """Whether the hub refused a token that was sent: it then calls everything unknown."""
    sent = getattr(getattr(error, "response", None), "request", None)
    return _status(error) == 401 and "authorization" in getattr(sent, "headers", ())


def _refused(status: int, hub: str) -> HubUnreachable:
    """What an HTTP status means."""
    if status in (401, 403):
        advice = f"If a token is set here, it may lack this right: {LOG_IN}."
        return HubUnreachable(f"{hub} refuses access ({status})", advice)
    if status == 407:
        return HubUnreachable(f"a proxy on the way to {hub} wants a login (407)")
    if status == 429:
        advice = "Wait some minutes, or log in (`hf auth login`): then more questions are allowed."
        return HubUnreachable(f"{hub} has been asked too often from here (429)", advice)
    if status >= 500:
        return HubUnreachable(f"{hub} has a fault of its own ({status})", "Try again later.")
    return HubUnreachable(f"{hub} answers with an error ({status})")


def _no_answer(error: BaseException, hub: str) -> HubUnreachable:
    """What it means that there was no HTTP status."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if isinstance(error, UnicodeEncodeError) or "LocalProtocolError" in kinds:
        return HubUnreachable("this machine's token for the hub is damaged", _new_token())
    if {"UnsupportedProtocol", "InvalidURL"} & kinds:
        advice = f"HF_ENDPOINT must be an address such as {HUGGING_FACE}, or not be set."
        return HubUnreachable(f"{hub} has no address that can be asked", advice)
    if "OfflineModeIsEnabled" in kinds:
        return HubUnreachable(f"HF_HUB_OFFLINE forbids to ask {hub}")
    if {"TimeoutException", "TimeoutError"} & kinds:
        return HubUnreachable(f"{hub} does not answer")
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        advice = "The clock of this machine may be wrong, or a proxy may stand between."
        return HubUnreachable(f"the certificate of {hub} is not trusted here", advice)
    if isinstance(error, OSError) and error.errno in NOT_WRITTEN:
        advice = f"Downloads are kept in {error.filename or 'the folder that HF_HOME names'}."
        return HubUnreachable(f"what it sends cannot be kept ({error.strerror})", advice)
    if isinstance(error, ValueError):  # JSON that is none
        return HubUnreachable(f"what answers is not {hub}", "Perhaps a login page: open a browser.")
    return HubUnreachable(f"{hub} cannot be reached")


def _new_token() -> str:
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        if os.environ.get(name):
            return f"Remove the environment variable {name}, or give it a new token."
    return f"`hf auth logout` removes it, {LOG_IN}."


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
        raise HubUnreachable(f"{hub_name()} does not answer") from late


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


def download(name: str | Path, files: Sequence[str]) -> dict[str, Path]:
    """A model's files: those of a folder of yours, those that were downloaded, or else the hub's.

    name: "owner/name" on the hub, or a folder. Errors: FileNotFoundError for a folder that is not
    there; HubUnreachable; ValueError if the hub has no such model or it lacks one of the files.
    """
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    if _is_folder(name):
        return _files_in(Path(name).expanduser(), files)
    name = str(name)
    try:
        there = downloaded(name, files)
        if there is None:
            ask_about("model", name)
            there = _hub_files(name, files)
        return there
    except ValueError:
        raise
    except EntryNotFoundError as error:
        if isinstance(error, LocalEntryNotFoundError):  # the download broke off
            raise _unavailable(name, error.__cause__ or error) from error
        raise ValueError(f"{name!r} lacks one of the files {', '.join(files)}.") from error
    except Exception as error:  # the network's errors have no common class
        raise _unavailable(name, error) from error


def downloaded(name: str, files: Sequence[str]) -> dict[str, Path] | None:
    """A model's files if all were downloaded before, by whatever program; the hub is not asked."""
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return _hub_files(name, files, local_files_only=True)
    except (LocalEntryNotFoundError, ValueError):  # ValueError: a name that no model can have
        return None


def _hub_files(name: str, files: Sequence[str], local_files_only: bool = False) -> dict[str, Path]:
    from huggingface_hub import hf_hub_download

    ask = partial(hf_hub_download, name, local_files_only=local_files_only)
    return {file: Path(ask(file)) for file in files}


def _is_folder(name: str | Path) -> bool:
    """Whether a name means a folder: one that is there, or written as no name on the hub is."""
    text = os.fspath(name)
    written_as_path = (
        isinstance(name, Path)
        or text.startswith((".", "~"))
        or text.endswith("/")
        or text.count("/") > 1
        or "\\" in text
        or PurePosixPath(text).is_absolute()
        or bool(PureWindowsPath(text).drive)
    )
    return written_as_path or Path(text).is_dir()


def _files_in(folder: Path, files: Sequence[str]) -> dict[str, Path]:
    """The files of a model in a folder. Errors: FileNotFoundError, NotADirectoryError."""
    if not folder.exists():
        raise FileNotFoundError(f"There is no folder {str(folder)!r}.")
    if not folder.is_dir():
        raise NotADirectoryError(f"{str(folder)!r} is a file: name the folder that it stands in.")
    missing = [file for file in files if not (folder / file).is_file()]
    if missing:
        raise FileNotFoundError(f"The folder {str(folder)!r} lacks {', '.join(missing)}.")
    return {file: folder / file for file in files}


def _unavailable(name: str, error: BaseException) -> HubUnreachable:
    told = why(error)
    sentence = f"{name!r} is not available: {told}, and it was never downloaded. {told.advice}"
    return HubUnreachable(sentence.rstrip())
