"""`mlm-course`, or `python -m mlm_course`: the course's one program."""

import argparse
import io
import os
import sys

from mlm_course.commands.command import Command
from mlm_course.commands.learning import DOCTOR, EXERCISES, START, UPDATE
from mlm_course.commands.making import BUILD, EXPERIMENT, RESULTS, TRAIN
from mlm_course.commands.publishing import BOOK, PUBLISH
from mlm_course.commands.teaching import GRADE, RELEASE, TEACH

GROUPS = {  # in the order of the help
    "learn": "Learn",
    "teach": "Teach",
    "publish": "Publish",
    "make": "Make the course",
}
ALL = (
    START,
    UPDATE,
    DOCTOR,
    EXERCISES,
    TEACH,
    RELEASE,
    GRADE,
    PUBLISH,
    BOOK,
    BUILD,
    TRAIN,
    EXPERIMENT,
    RESULTS,
)
COMMANDS: dict[str, Command] = {command.name: command for command in ALL}
STATUS = """\
Each command has a help of its own: mlm-course COMMAND --help
Exit status: 0 done; 1 it went wrong, or what was looked at is not in order; 2 asked wrongly;
130 stopped by Ctrl-C.
"""


class Program(argparse.ArgumentParser):
    """The whole program, whose help lists the commands by who wants them."""

    def format_help(self) -> str:
        lines = ["usage: mlm-course COMMAND [options]", ""]
        for group, title in GROUPS.items():
            rows = [c for c in COMMANDS.values() if c.group == group]
            lines += [title, *(f"  {row.name:11} {row.help}" for row in rows), ""] if rows else []
        return "\n".join([*lines, STATUS])


def parser() -> Program:
    """Every command with its options."""
    whole = Program(prog="mlm-course", usage="mlm-course COMMAND [options]")
    kinds = whole.add_subparsers(
        required=True, metavar="COMMAND", parser_class=argparse.ArgumentParser
    )
    for command in COMMANDS.values():
        more = f"{command.help[:1].upper()}{command.help[1:]}. {command.more}".rstrip()
        one = kinds.add_parser(command.name, prog=f"mlm-course {command.name}", description=more)
        command.options(one)
        one.set_defaults(run=command.run)
    return whole


def sentence(error: Exception) -> str:
    """What a person is told about an error: what is wrong, and where."""
    if isinstance(error, SyntaxError):
        return f"{error.filename}, line {error.lineno}: {error.msg}."
    if isinstance(error, ImportError):
        return (
            f"{error}: `mlm-course doctor` says what to install; to build and test the "
            'course, `pip install -e ".[dev]"` installs all of it.'
        )
    if isinstance(error, OSError):
        from mlm_course.text_files import os_error_sentence

        return os_error_sentence(error)
    return str(error)


def run() -> int:
    """Does what the command line asks for; nothing printed is left for the end of the process."""
    try:
        if len(sys.argv) == 1:
            print(parser().format_help(), file=sys.stderr, end="")
            return 2
        options = parser().parse_args()
        return options.run(options)
    finally:
        sys.stdout.flush()


def main() -> int:
    """Exit status: 0, 1 for what went wrong, 2 for what was asked wrongly, 130 after Ctrl-C."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal may lack a character
    try:
        return run()
    except BrokenPipeError:  # what reads along, such as `head`, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    except (OSError, ValueError, SyntaxError, ImportError, FloatingPointError) as error:
        print(sentence(error), file=sys.stderr)
        return 2 if type(error).__name__ == "UnknownLesson" else 1


if __name__ == "__main__":
    sys.exit(main())
