"""The commands of a learner: start, update, doctor, exercises."""

import argparse
import sys
from pathlib import Path

from mlm_course.commands.command import Command


def start_command(options: argparse.Namespace) -> int:
    from mlm_course.authoring.copies import FOLDER, copy_lessons, learners_folder, source_for

    root = learners_folder(options.folder)
    try:
        for line in copy_lessons(source_for(root), root):
            print(line)
    except OSError as problem:
        return _not_made(problem)
    print(
        f"Your copies of the lessons are in {root / FOLDER}; "
        "no update of the course overwrites what you write in them.",
        flush=True,
    )
    if options.no_lab:
        return 0
    from mlm_course.commands.lab import open_lab

    return open_lab(root)


def update_command(options: argparse.Namespace) -> int:
    from mlm_course import __version__
    from mlm_course.authoring.copies import FOLDER, learners_folder, source_for, update_copies

    root = learners_folder(options.folder)
    if not (root / FOLDER).is_dir():
        named = f" {options.folder}" if options.folder else ""
        raise ValueError(f"There are no copies in {root}: `mlm-course start{named}` makes them.")
    changed = False
    try:
        for line in update_copies(source_for(root), root):
            print(line, flush=True)
            changed = True
    except OSError as problem:
        return _not_made(problem)
    if not changed:
        print(
            f"Every copy is of the newest lesson that is installed here ({__version__}). A newer "
            "one comes with `pip install --upgrade mlm-course`, in a clone with `git pull`."
        )
    return 0


def _not_made(problem: OSError) -> int:
    place = f": {problem.filename}" if problem.filename else ""
    reason = f"{problem.strerror or problem}{place}"
    print(
        f"Your copies of the lessons could not be made. {reason.rstrip('.')}. Nothing of yours was "
        "changed; another folder can be named: mlm-course start DIR",
        file=sys.stderr,
    )
    return 1


def doctor_command(options: argparse.Namespace) -> int:
    from mlm_course.doctor import examine

    report = examine()
    print(report)
    return 1 if report.problems else 0


def exercises_command(options: argparse.Namespace) -> int:
    from mlm_course.practice.exercise import listing

    print(f"{'id':6}{'hints':>6}{'mistakes':>10}  prompt")
    for row in listing():
        print(f"{row.id:6}{row.hints:6}{row.mistakes:10}  {row.prompt}")
    return 0


def _folder(parser: argparse.ArgumentParser) -> None:
    help_text = "default: this folder if it is the course's, else mlm-course in it"
    parser.add_argument("folder", nargs="?", type=Path, metavar="DIR", help=help_text)


def _start_options(parser: argparse.ArgumentParser) -> None:
    _folder(parser)
    parser.add_argument("--no-lab", action="store_true", help="do not open JupyterLab")


START = Command(
    "start",
    "learn",
    "copies of the lessons to work in; opens JupyterLab",
    start_command,
    _start_options,
    "The copies are made in DIR/my_lessons. A file that is there is never written over: a lesson "
    "that you have edited stays as it is. LAB_ARGS in the environment passes options to JupyterLab.",
)
UPDATE = Command(
    "update",
    "learn",
    "newer lessons, with your answers in them",
    update_command,
    _folder,
    "Your answers move into the new copies, by the number of the exercise. The old copies are kept "
    "in DIR/my_lessons/earlier, with everything that you wrote.",
)
DOCTOR = Command(
    "doctor", "learn", "what is wrong with this environment, and the fix", doctor_command
)
EXERCISES = Command(
    "exercises", "learn", "every exercise with its hints and mistakes", exercises_command
)
