"""A command of the program: its name, its place in the help, its options, what it does."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass


def no_options(parser: argparse.ArgumentParser) -> None:
    """A command that takes none."""


@dataclass(frozen=True)
class Command:
    """One command; `run` returns the exit status, and may raise what `main` makes a sentence of."""

    name: str
    group: str  # of GROUPS in __main__.py
    help: str  # one line
    run: Callable[[argparse.Namespace], int]
    options: Callable[[argparse.ArgumentParser], None] = no_options
    more: str = ""  # what its own help says beyond that line


def count(text: str) -> int:
    """A whole number of at least 1, as an option."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, not {number}")
    return number
