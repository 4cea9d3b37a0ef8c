"""`python -m mlm_course`: start learning, build notebooks, run experiments, train, examine."""

import argparse
import io
import math
import os
import sys
import time
from pathlib import Path
from typing import Any


def build_command(options: argparse.Namespace) -> int:
    from mlm_course.authoring import build

    root = Path.cwd()
    if options.action == "check":
        return check_command(root, options.lessons)
    actions = {"measure": build.measure, "execute": build.build_and_execute}
    for line in actions.get(options.action, build.write_notebooks)(root, options.lessons):
        print(line, flush=True)
    return 0


def start_command(options: argparse.Namespace) -> int:
    from mlm_course.authoring.copies import FOLDER, copy_lessons

    try:
        for line in copy_lessons(Path.cwd()):
            print(line)
    except OSError as problem:
        place = f": {problem.filename}" if problem.filename else ""
        reason = f"{problem.strerror or problem}{place}"
        print(f"Your copies of the lessons could not be made. {reason}", file=sys.stderr)
        return 1
    print(f"Your copies of the lessons are in {FOLDER}/; no update of the course changes them.")
    return 0


def check_command(root: Path, lessons: list[str]) -> int:
    from mlm_course.authoring import build

    lines = list(build.differences(root, lessons))
    print("\n".join(lines or ["Every notebook is what its source says."]))
    if stale := build.stale_outputs(root, lessons):
        print(
            f"Outputs of an earlier text or package, which `build` would run: {', '.join(stale)}."
        )
    return 1 if lines else 0


def exercises_command(options: argparse.Namespace) -> int:
    from mlm_course.practice.exercise import listing

    print(f"{'id':6}{'hints':>6}{'mistakes':>10}  prompt")
    for row in listing():
        print(f"{row.id:6}{row.hints:6}{row.mistakes:10}  {row.prompt}")
    return 0


def experiment_command(options: argparse.Namespace) -> int:
    from importlib import import_module

    from mlm_course.doctor import not_writable
    from mlm_course.results import HERE, write_record

    if reason := not_writable(HERE):  # known before hours of work, not after them
        raise OSError(f"Nothing was run: {HERE} cannot be written to ({reason})")
    began = time.perf_counter()
    findings = import_module(f"mlm_course.experiments.{options.name}").run()
    path = write_record(options.name, findings, time.perf_counter() - began)
    print(f"Recorded in {path}")
    return 0


def train_command(options: argparse.Namespace) -> int:
    from mlm_course.train import train_lesson, train_own

    given = {k: v for k, v in vars(options).items() if v is not None and k != "run"}
    try:
        if given["name"] == "own":
            train_own(**_for_own_texts(given))
        else:
            train_lesson(**given)
    except (FloatingPointError, KeyboardInterrupt, OSError, TypeError, ValueError) as problem:
        print(str(problem) or "Stopped.", file=sys.stderr)
        return 1
    return 0


def _for_own_texts(given: dict[str, Any]) -> dict[str, Any]:
    """The options without the name, if there are texts and nothing that is only for lessons."""
    if "texts" not in given:
        raise ValueError("own needs --texts: files or folders to train on.")
    if "rows" in given:
        raise ValueError("--rows is for the lessons' data: give own fewer --texts.")
    return {k: v for k, v in given.items() if k != "name"}


def count(text: str) -> int:
    """A whole number of at least 1, as an option."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, not {number}")
    return number


def rate(text: str) -> float:
    """A number above 0, as an option."""
    number = float(text)
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"must be above 0 and finite, not {text}")
    return number


def folder_name(text: str) -> str:
    """A path, as an option."""
    if not text.strip():
        raise argparse.ArgumentTypeError("names no folder")
    return text


def results_command(options: argparse.Namespace) -> int:
    path = Path("course/RESULTS.md")
    if not path.parent.is_dir():
        raise ValueError(
            f"There is no folder course/ in {Path.cwd()}: run this in the course's folder."
        )
    from mlm_course.results.page import results_page
    from mlm_course.text_files import write_text

    write_text(path, results_page())
    print(f"Written: {path}")
    return 0


def doctor_command(options: argparse.Namespace) -> int:
    from mlm_course.doctor import examine

    report = examine()
    print(report)
    return 1 if report.problems else 0


def experiments() -> list[str]:
    folder = Path(__file__).parent / "experiments"
    return sorted(path.stem for path in folder.glob("[a-z]*.py"))


def add_train(commands: Any) -> None:
    """The options of `train`; those left out are the lesson's."""
    train = commands.add_parser("train", help="train a lesson's model on one device or many")
    help_text = "lesson 6, 9 or 11, or texts of your own"
    train.add_argument("name", choices=("mlm", "mae", "cmlm", "own"), help=help_text)
    train.add_argument("--texts", nargs="+", metavar="PATH", help="own: files and folders")
    train.add_argument("--encoding", help="own: of files that are not UTF-8")
    train.add_argument(
        "--folder", type=folder_name, required=True, help="for checkpoints, model and history"
    )
    whole = {
        "steps": "optimiser steps",
        "batch-size": "rows a step, over all processes together",
        "rows": "of the training data, the first so many",
        "save-every": "steps between two checkpoints; default: 100",
        "accumulate": "pieces in which each process works through its share of a step",
    }
    for option, text in whole.items():
        train.add_argument(f"--{option}", type=count, help=text)
    train.add_argument("--seed", type=int, help="of data order and dropout")
    train.add_argument("--optimizer", choices=("muon", "adamw"))
    train.add_argument("--lr", type=rate, help="peak learning rate")
    train.add_argument("--precision", choices=("no", "bf16", "fp16"))
    train.add_argument("--compile", action="store_true", help="through torch.compile")
    train.set_defaults(run=train_command)


def add_build(commands: Any) -> None:
    """What `build` can do instead of building."""
    build = commands.add_parser("build", help="write lessons/ and solutions/ from course/")
    build.add_argument("lessons", nargs="*", metavar="LESSON", help='such as "1"; default: all')
    what = build.add_mutually_exclusive_group()
    actions = {
        "check": "write nothing, say what differs",
        "execute": "run lessons even if their stored outputs still hold",
        "measure": "time each lesson, into syllabus.toml and notebooks",
    }
    for name, text in actions.items():
        option = f"--{name}"
        what.add_argument(option, action="store_const", const=name, dest="action", help=text)
    build.set_defaults(run=build_command)


def parser() -> argparse.ArgumentParser:
    """Every subcommand with its options."""
    whole = argparse.ArgumentParser(prog="python -m mlm_course", description=__doc__)
    commands = whole.add_subparsers(required=True)
    add_train(commands)
    add_build(commands)
    start = commands.add_parser("start", help="copies of the lessons to work in, in my_lessons/")
    start.set_defaults(run=start_command)
    listing = commands.add_parser("exercises", help="every exercise with its hints")
    listing.set_defaults(run=exercises_command)
    experiment = commands.add_parser("experiment", help="run a recorded experiment again")
    experiment.add_argument("name", choices=experiments())
    experiment.set_defaults(run=experiment_command)
    results = commands.add_parser("results", help="render all recorded experiments as a page")
    results.set_defaults(run=results_command)
    doctor = commands.add_parser("doctor", help="what is wrong with this environment, and the fix")
    doctor.set_defaults(run=doctor_command)
    return whole


def sentence(error: Exception) -> str:
    """What a person is told about an error: what is wrong, and where."""
    if isinstance(error, SyntaxError):
        return f"{error.filename}, line {error.lineno}: {error.msg}."
    if isinstance(error, ImportError):
        return (
            f"{error}: `python -m mlm_course doctor` says what to install; to build and test the "
            'course, `pip install -e ".[dev]"` installs all of it.'
        )
    if isinstance(error, OSError):
        from mlm_course.text_files import os_error_sentence

        return os_error_sentence(error)
    return str(error)


def run() -> int:
    """Does what the command line asks for; nothing printed is left for the end of the process."""
    try:
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
