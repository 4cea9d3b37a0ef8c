"""Where a course may be published: what people paste as an address becomes what git and pip read.

Each address that cannot be used is refused with a sentence of its own.
"""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from packaging.version import InvalidVersion, Version

EXAMPLE = "https://github.com/owner/name"
OWNER_AND_NAME = {"github.com": "GitHub", "codeberg.org": "Codeberg", "bitbucket.org": "Bitbucket"}
PAGE = re.compile(
    r"tree|blob|raw|edit|commits?|issues|pulls?|wiki|releases|tags|branches|actions|src|-"
)
NOT_GIT = {  # hosts that people copy an address from, and what it is there
    "gist.github.com": "is a gist, which cannot hold the course",
    "raw.githubusercontent.com": "is one file of a repository",
    "colab.research.google.com": "is Colab's address of a notebook",
    "mybinder.org": "is Binder's address of a notebook",
    "nbviewer.org": "is a page that shows a notebook",
    "pypi.org": "is the package index, which holds no lessons",
}
PAGES_HOST = re.compile(r"\.(github|gitlab|codeberg)\.(io|page)$")
NAME = re.compile(r"[\w.-]+")
SCP = re.compile(r"(?:[\w.-]+@)?([\w-]+(?:\.[\w-]+)+):(?!/|\d+(?:/|$))(.+)")  # git@host:owner/name
DRIVE = re.compile(r"[A-Za-z]:[\\/]")
UNSAFE = re.compile(r"[\s\"'`\\<>{}|^\x00-\x1f\x7f]")


@dataclass(frozen=True)
class Address:
    """What learners install from, what is worth saying about it, and what the owner pushes to."""

    url: str
    notes: tuple[str, ...] = ()
    push: str = ""  # where it is not the url: learners have no key for git@host:owner/name


def read_address(given: str) -> Address:
    """The address of a repository. ValueError, a sentence, where there can be none."""
    text = given.strip().removeprefix("git+")
    if not text:
        raise ValueError(f"The address is empty: write it as {EXAMPLE}.")
    if text.startswith("file:"):
        return _local(Path(url2pathname(urlsplit(text).path)))
    if text.startswith((".", "/", "~", "\\")) or DRIVE.match(text):
        return _local(_at_home(text))
    if bad := UNSAFE.search(text):
        raise ValueError(
            f"{given!r} holds {bad[0]!r}, which no address has: write it as {EXAMPLE}."
        )
    address = _on_the_web(_as_https(text), text)
    has_key = bool(SCP.fullmatch(text)) or text.startswith("ssh://")
    return replace(address, push=text) if has_key else address


def _at_home(text: str) -> Path:
    """A path with its ~ filled in."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise ValueError(f"There is no home folder for {text}.") from None


def _local(path: Path) -> Address:
    """A repository in a folder of this machine."""
    path = path.resolve()
    if not path.is_dir():
        raise ValueError(f"There is no folder {path}.")
    if not (path / ".git").exists() and not (
        (path / "HEAD").is_file() and (path / "objects").is_dir()
    ):
        raise ValueError(f"{path} is no git repository: `git init --bare` in it makes one.")
    return Address(path.as_uri(), ("Only this machine can read that address.",), str(path))


def _as_https(text: str) -> str:
    """The same with https in front, whether it was git@host:owner/name, ssh or no scheme."""
    if match := SCP.fullmatch(text):
        return f"https://{match[1]}/{match[2]}"
    scheme, colon, rest = text.partition("://")
    if not colon:
        if "." not in text.split("/")[0]:
            hint = f": do you mean https://github.com/{text}?" if text.count("/") == 1 else "."
            raise ValueError(f"{text} names no host{hint}")
        return f"https://{text}"
    if scheme == "ssh":
        host = re.sub(r":\d+(?=/)", "", rest.rpartition("@")[2], count=1)
        return f"https://{host}"
    if scheme not in ("http", "https"):
        raise ValueError(
            f"{scheme}:// cannot be installed from by everyone: write the address with https://."
        )
    return text


def _on_the_web(text: str, given: str) -> Address:
    """An address with http or https, cut to the repository."""
    try:
        parts = urlsplit(text)
        host, port = (parts.hostname or "").lower().removeprefix("www."), parts.port
    except ValueError:
        raise ValueError(
            f"{given} is no address: what follows the host's : must be a number."
        ) from None
    if not host:
        raise ValueError(f"{given} names no host: write it as {EXAMPLE}.")
    if parts.username is not None:
        raise ValueError(
            f"The address holds a user name, password or token for {host}, which everyone who opens a "
            "lesson could read: write it without, and give the token to nobody."
        )
    if host in NOT_GIT:
        raise ValueError(f"{given} {NOT_GIT[host]}: give the repository's own address, {EXAMPLE}.")
    if PAGES_HOST.search(host):
        raise ValueError(f"{given} is a web site: give the address of its repository, {EXAMPLE}.")
    if "@" in parts.path:
        before, _, tag = given.rpartition("@")
        raise ValueError(f"The tag has an option of its own: publish {before} --tag {tag}")
    if host in OWNER_AND_NAME or host.startswith("gitlab."):
        return _forge(host, parts.path, parts.query + parts.fragment, given)
    if parts.query or parts.fragment:
        raise ValueError(f"{given} has a ? or # in it, which no repository's address has.")
    path = parts.path.rstrip("/")
    if not path:
        raise ValueError(f"{given} names a host, but no repository on it.")
    place = f"{host}:{port}" if port else host
    return Address(f"{parts.scheme}://{place}{path}")


def _forge(host: str, path: str, more: str, given: str) -> Address:
    """A repository on GitHub, GitLab or their like: what follows its name is a page about it."""
    site = OWNER_AND_NAME.get(host, "GitLab")
    words = [unquote(word) for word in path.split("/") if word]
    if not words:
        raise ValueError(f"{given} names no repository: write it as https://{host}/owner/name.")
    if words[0] in ("orgs", "users", "groups", "settings", "search", "new", "dashboard"):
        raise ValueError(
            f"{given} is a page of {site}, not a repository: https://{host}/owner/name is."
        )
    if len(words) == 1:
        raise ValueError(f"{given} names an owner on {site}, but no repository of theirs.")
    length = 2
    if site == "GitLab":  # there are groups in groups
        pages = (i for i, word in enumerate(words) if i >= 2 and PAGE.fullmatch(word))
        length = next(pages, len(words))
    name = words[length - 1].removesuffix(".git")
    for word in [*words[: length - 1], name]:
        if not NAME.fullmatch(word) or not word.isascii() or set(word) <= {"."}:
            raise ValueError(f"{given} names {word!r}, which is no name on {site}.")
    left = "/".join(words[length:]) or more
    notes = (f"Left out: {left}, which is a page about the repository.",) if left else ()
    return Address(f"https://{host}/{'/'.join([*words[: length - 1], name])}", notes)


def read_version(tag: str) -> str:
    """The version that a tag such as "v0.2.0" stands for. ValueError where it stands for none."""
    try:
        version = str(Version(tag))
    except InvalidVersion:
        raise ValueError(f"The tag must be a version, such as v0.2.0, not {tag!r}.") from None
    if tag != f"v{version}" or "+" in version or "!" in version:
        public = Version(tag).public.partition("!")[2] or Version(tag).public
        raise ValueError(f"The tag must be the version with a v before it: v{public}, not {tag!r}.")
    return version
