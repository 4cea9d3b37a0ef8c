"""Runs a command, and every process it starts, without a network: python tests/offline.py COMMAND...

On Linux the command gets a network namespace of its own with nothing but loopback, which the
kernels need. Where the system does not allow that, the command runs with the network on, except
for the Hugging Face hub, and a line says so, unless CI is set: there it is an error.
"""

import ctypes
import os
import socket
import struct
import subprocess
import sys

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 0x1
EVIDENCE = "MLM_COURSE_NETWORK_IS_OFF"


def unshare_network() -> None:
    """A fresh network namespace for this process; OSError where the system refuses."""
    libc = ctypes.CDLL(None, use_errno=True)
    flags = CLONE_NEWNET if os.geteuid() == 0 else CLONE_NEWNET | CLONE_NEWUSER
    if libc.unshare(flags) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def raise_loopback() -> None:
    """Loopback up: a new namespace starts with it down."""
    import fcntl  # not on Windows, where no namespace was made either

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        request = struct.pack("16sH14s", b"lo", 0, b"")
        flags = struct.unpack("16sH14s", fcntl.ioctl(s, SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(s, SIOCSIFFLAGS, struct.pack("16sH14s", b"lo", flags | IFF_UP, b""))


def main(command: list[str]) -> None:
    try:
        unshare_network()
        raise_loopback()
        os.environ[EVIDENCE] = "1"
    except (OSError, AttributeError, TypeError) as problem:
        if os.environ.get("CI"):
            sys.exit(f"offline.py: this system allows no network namespace ({problem}).")
        os.environ["HF_HUB_OFFLINE"] = "1"  # lessons would download published weights
        print(f"offline.py: no network namespace here ({problem}); running with the network on.")
    sys.exit(subprocess.call(command))


if __name__ == "__main__":
    main(sys.argv[1:])
