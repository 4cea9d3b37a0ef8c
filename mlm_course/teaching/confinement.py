"""What keeps a student's code in its place, on Linux: namespaces, Landlock, limits, another user.

The process sees a file system of its own, in memory, with Python and the course's package in it
and nothing else; no network; no process but its own. `why_not` says what is missing here.
Sources: namespaces(7), mount(2), landlock(7), capabilities(7), setrlimit(2).
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import struct
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

NEWNS, NEWIPC, NEWUSER, NEWPID, NEWNET = 0x20000, 0x08000000, 0x10000000, 0x20000000, 0x40000000
RDONLY, REMOUNT, BIND, REC, PRIVATE = 1, 32, 4096, 16384, 1 << 18
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # the same on every architecture
CAPSET = {"x86_64": 126, "aarch64": 91}
READ = 1 | 4 | 8  # Landlock: execute, read a file, list a folder
BITS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}  # Landlock: rights to files, by version
FIRST_USER = 64_000  # as root: the first of the user ids that students' code runs under
FOLDER_BYTES = 64 << 20  # in the file system of its own
FILE_BYTES = 16 << 20
PROCESSES = 16
BELOW = ("/usr", "/bin", "/lib", "/lib64", "/etc/ld.so.cache")
WORK = Path("/tmp/work")  # the folder it runs in, the only one it can write to
DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom")


@dataclass(frozen=True)
class Place:
    """Where code runs: a folder to mount in, what it may read, and what is emptied in that.

    user: as root, the user id it runs under.
    """

    folder: Path
    readable: tuple[Path, ...]
    emptied: tuple[Path, ...]
    user: int


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _checked(name: str, result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result


def landlock_version() -> int:
    """The kernel's version of Landlock, 0 where it has none."""
    if sys.platform != "linux":
        return 0
    return max(0, _libc().syscall(CREATE_RULESET, None, ctypes.c_size_t(0), 1))


def why_not() -> str:
    """What this system lacks that can be told without trying, "" if nothing."""
    if sys.platform != "linux":
        return f"{platform.system()} has neither Landlock nor namespaces"
    if platform.machine() not in CAPSET:
        return f"it is untested on {platform.machine()}"
    return "" if landlock_version() else "this kernel has no Landlock"


def detach() -> None:
    """Namespaces of its own for this process's children: files, network, processes. Errors: OSError."""
    everything = NEWNS | NEWIPC | NEWPID | NEWNET
    user, group = os.getuid(), os.getgid()
    if user == 0:
        _checked("unshare", _libc().unshare(everything))
        return
    _checked("unshare", _libc().unshare(everything | NEWUSER))
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")


def readable_here() -> tuple[Path, ...]:
    """What Python needs to run the course: the system's libraries, Python's, the package's files."""
    package = Path(__file__).resolve().parents[1]
    installed = {Path(entry) for entry in sys.path if entry.endswith("-packages")}
    roots = {Path(sys.prefix), Path(sys.base_prefix), *map(Path, BELOW), *installed, package}
    whole = sorted(root for root in roots if root.exists())
    return tuple(one for one in whole if not any(one.is_relative_to(o) for o in whole if o != one))


def settle(place: Place) -> None:
    """This process, within `place` for good: another root, another user, nothing to gain. OSError."""
    root = _new_root(place)
    os.chroot(root)
    os.chdir(WORK)
    _drop(place.user)
    _checked("prctl", _libc().prctl(38, 1, 0, 0, 0))  # no new privileges
    _landlock([*(p for p in place.readable if p.exists()), *map(Path, DEVICES)], [WORK])


def _mount(source: str, target: Path, kind: str, flags: int, options: str = "") -> None:
    words = [os.fsencode(word) for word in (source, target, kind, options)]
    done = _libc().mount(words[0], words[1], words[2], ctypes.c_ulong(flags), words[3])
    _checked(f"mount {target}", done)


def _new_root(place: Place) -> Path:
    """A file system in memory at the place's folder, with what may be read bound into it."""
    _mount("none", Path("/"), "none", REC | PRIVATE)  # nothing of this is seen outside
    root = place.folder
    _mount("tmpfs", root, "tmpfs", 0, f"size={FOLDER_BYTES},nr_inodes=20000,mode=755")
    for path in place.readable:
        _bind(path, root, RDONLY)
    for path in map(Path, DEVICES):
        _bind(path, root)
    for path in place.emptied:
        if _below(root, path).is_dir():
            _mount("tmpfs", _below(root, path), "tmpfs", RDONLY, "size=4k,mode=755")
    work = _below(root, WORK)
    work.mkdir(parents=True)
    os.chown(work, place.user if os.getuid() == 0 else -1, -1)
    return root


def _below(root: Path, path: Path) -> Path:
    return root / path.relative_to("/")


def _bind(path: Path, root: Path, flags: int = 0) -> None:
    """A path, seen at the same place below another root; a link is copied."""
    target = _below(root, path)
    target.parent.mkdir(parents=True, exist_ok=True)
    if path.is_symlink():
        target.symlink_to(os.readlink(path))
        return
    if path.is_dir():
        target.mkdir(exist_ok=True)
    else:
        target.touch()
    _mount(str(path), target, "none", BIND | REC)
    if flags and os.getuid() == 0:  # elsewhere Landlock alone keeps it from being written
        _mount("none", target, "none", BIND | REMOUNT | flags)


def _drop(user: int) -> None:
    """Another user, as root; and no privilege, not even within the namespace."""
    if os.getuid() == 0:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    head, none = struct.pack("=Ii", 0x20080522, 0), struct.pack("=6I", *[0] * 6)
    _checked("capset", _libc().syscall(CAPSET[platform.machine()], head, none))


def _landlock(readable: Iterable[Path], writable: Iterable[Path]) -> None:
    """From now on nothing outside these can be opened, and no port; nor can outsiders be signalled."""
    version = landlock_version()
    files = (1 << BITS.get(version, 16)) - 1
    ports, scopes = (3 if version >= 4 else 0), (3 if version >= 6 else 0)
    attributes = struct.pack("=QQQ", files, ports, scopes)
    size = 8 if version < 4 else 16 if version < 6 else 24
    rules = _checked(
        "Landlock", _libc().syscall(CREATE_RULESET, attributes, ctypes.c_size_t(size), 0)
    )
    for paths, rights in ((readable, READ), (writable, files)):
        for path in paths:
            _allow(rules, path, rights & files)
    _checked("Landlock", _libc().syscall(RESTRICT_SELF, rules, 0))
    os.close(rules)


def _allow(rules: int, path: Path, rights: int) -> None:
    handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not path.is_dir():
            rights &= 1 | 2 | 4  # execute, write, read: the rights to a file
            rights |= 2 if str(path) in DEVICES else 0
        rule = struct.pack("=Qi", rights, handle)
        _checked(f"Landlock {path}", _libc().syscall(ADD_RULE, rules, 1, rule, 0))
    finally:
        os.close(handle)


def limit(seconds: float, gigabytes: float) -> None:
    """Limits of this process and what it starts: time on the CPU, memory, files, processes."""
    memory = int(gigabytes * 2**30)
    limits = {
        "RLIMIT_CPU": int(seconds) + 5,
        "RLIMIT_AS": memory + _address_space(),
        "RLIMIT_DATA": memory,
        "RLIMIT_FSIZE": FILE_BYTES,
        "RLIMIT_NPROC": PROCESSES,
        "RLIMIT_NOFILE": 128,
        "RLIMIT_CORE": 0,
    }
    for name, value in limits.items():
        kind = getattr(resource, name, None)
        if kind is None or (name == "RLIMIT_NPROC" and sys.platform != "linux"):
            continue
        _, most = resource.getrlimit(kind)
        value = value if most == resource.RLIM_INFINITY else min(value, most)
        resource.setrlimit(kind, (value, value))


def _address_space() -> int:
    """Bytes that this process has mapped already: libraries count, though they take no memory."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:
        return 8 << 30


def adopt_orphans() -> None:
    """Linux: whatever this process's children leave behind becomes its own child."""
    if sys.platform == "linux":
        _libc().prctl(36, 1, 0, 0, 0)
