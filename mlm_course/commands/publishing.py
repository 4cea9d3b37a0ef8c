"""The commands of a fork's owner: publish, book."""

import argparse
from pathlib import Path

from mlm_course.commands.command import Command, count


def publish_command(options: argparse.Namespace) -> int:
    from mlm_course.authoring.addresses import read_address, read_version
    from mlm_course.authoring.generated import Publication, read_publication

    root = Path.cwd()
    stored = read_publication(root) if (root / "pyproject.toml").is_file() else Publication("", "")
    given, tag = options.url or stored.repository, options.tag or stored.tag
    if not given:
        raise ValueError("The course has no address yet: mlm-course publish https://github.com/...")
    address = read_address(given)
    read_version(tag)
    if options.check:
        from mlm_course.authoring.trial import try_publication

        for line in try_publication(Publication(address.url, tag)):
            print(line, flush=True)
        return 0
    from mlm_course.authoring.publishing import commands, publish

    for line in publish(root, address, tag):
        print(line)
    print(f"To push it, in {root}:")
    for line in commands(root, address, tag):
        print(f"    {line}")
    print("Then try it as a learner would: mlm-course publish --check")
    return 0


def _options(parser: argparse.ArgumentParser) -> None:
    help_text = "of the repository, as your browser or git shows it; default: the one that is set"
    parser.add_argument("url", nargs="?", metavar="URL", help=help_text)
    parser.add_argument(
        "--tag", metavar="vX", help="a version, such as v0.2.0; default: the one set"
    )
    help_text = "write nothing: install what was pushed, and run the first cells of lesson 1"
    parser.add_argument("--check", action="store_true", help=help_text)


PUBLISH = Command(
    "publish",
    "publish",
    "an address for your fork, from which its notebooks install the course",
    publish_command,
    _options,
    "Address, tag and version are written wherever they stand, and the first cells of all notebooks "
    "with them. Nothing is run and nothing is pushed: the commands for that are printed.",
)


def book_command(options: argparse.Namespace) -> int:
    from mlm_course.authoring.book import build_book, serve

    pages = build_book(Path.cwd())
    print(f"The book is {pages / 'index.html'}.", flush=True)
    if options.serve:
        serve(pages, options.port)
    return 0


def _book_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--serve", action="store_true", help="then show them on this machine")
    parser.add_argument("--port", type=count, default=8000, help="of --serve; default: 8000")


BOOK = Command(
    "book",
    "publish",
    "the solved lessons as web pages, in build/book/html",
    book_command,
    _book_options,
)
