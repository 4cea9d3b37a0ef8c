"""The commands of instructors: teach, release, grade."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlm_course.commands.command import Command

if TYPE_CHECKING:  # torch takes a second, which other commands need not wait for
    from mlm_course.teaching.grading import Graded


def _teach_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("lessons", nargs="*", metavar="LESSON", help='such as "1"; default: all')
    parser.add_argument("--to", type=Path, default=Path("teaching"), help="default: teaching/")


def teach_command(options: argparse.Namespace) -> int:
    """Writes the pages."""
    from mlm_course.teaching.plan import teaching_pages

    for line in teaching_pages(Path.cwd(), options.lessons, options.to):
        print(line)
    return 0


def _release_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--lessons", required=True, help='such as "1-3" or "1,4-6"')
    text = "left out: it becomes a solved cell, and no other number changes"
    parser.add_argument("--without", nargs="+", default=[], metavar="EXERCISE", help=text)
    text = "`solution` says that you have switched it off"
    parser.add_argument("--no-answers", action="store_true", help=text)
    parser.add_argument("--to", type=Path, required=True, help="a folder for the notebooks")


def release_command(options: argparse.Namespace) -> int:
    """Writes the folder."""
    from mlm_course.practice.exercise import tidy_id
    from mlm_course.practice.released import Released
    from mlm_course.teaching.handing_out import lesson_range, release

    without = frozenset(map(tidy_id, options.without))
    released = Released(lesson_range(options.lessons), without, not options.no_answers)
    for line in release(Path.cwd(), options.to, released):
        print(line)
    if options.no_answers:
        print(
            "The package still holds the answers, since check compares with them: this is no lock."
        )
    return 0


def _grade_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths", nargs="+", type=Path, metavar="FOLDER|ZIP", help="what was handed in"
    )
    parser.add_argument(
        "--to", type=Path, default=Path("grades"), help="for the results; default: grades/"
    )
    parser.add_argument(
        "--jobs", type=int, default=2, help="notebooks at the same time; default: 2"
    )
    parser.add_argument(
        "--seconds", type=float, default=90, help="that a notebook may take; default: 90"
    )
    parser.add_argument("--memory", type=float, default=4, help="gigabytes, likewise; default: 4")
    text = "inputs that no student knows, at least, besides the notebook's own; 0: none; default: 5"
    parser.add_argument("--extra-trials", type=int, default=5, metavar="N", help=text)
    text = "the secret that these inputs follow from; made if missing; default: salt in --to"
    parser.add_argument("--salt", type=Path, metavar="FILE", help=text)
    parser.add_argument(
        "--lms", choices=("moodle", "csv"), default="csv", help="the form of lms.csv"
    )
    text = "rows “name handed in under,id”; without it, names are replaced by pseudonyms"
    parser.add_argument("--map", type=Path, metavar="IDS.csv", help=text)
    text = (
        "course_release.json of what you handed out; default: beside the notebooks, if there is one"
    )
    parser.add_argument("--released", type=Path, metavar="FOLDER", help=text)
    parser.add_argument("--unsafe", action="store_true", help="also where there is no sandbox")


def grade_command(options: argparse.Namespace) -> int:
    """Judges, writes and says what there is to look at."""
    from mlm_course.teaching import grading, tables
    from mlm_course.teaching.judging import Judge
    from mlm_course.teaching.runs import Limits, sandbox_missing
    from mlm_course.teaching.submissions import read_submissions

    _check_numbers(options)
    submissions = read_submissions(options.paths)
    reason = sandbox_missing()
    if reason and not options.unsafe:
        print(
            f"Not sandboxed here: {reason}. Students' code could do whatever you can. On a machine where "
            "that does not matter, add --unsafe.",
            file=sys.stderr,
        )
        return 1
    options.to.mkdir(parents=True, exist_ok=True)  # rather than fail after the work
    released = _released(options)
    salt = grading.read_salt(options.salt or options.to / "salt")
    students = [one.student for one in submissions]
    ids = tables.read_map(options.map) if options.map else None
    names = tables.named(students, ids) if ids is not None else tables.pseudonyms(students, salt)
    limits = Limits(options.seconds, options.memory, confined=not reason)
    judge = Judge(salt, options.extra_trials)
    graded = grading.grade(submissions, judge, limits, options.jobs, released)
    write_results(options.to, graded, names, options.lms)
    _say_results(options.to, graded, named=ids is not None, confined=not reason)
    return 0


def _check_numbers(options: argparse.Namespace) -> None:
    """ValueError for numbers that make no sense."""
    for name, least in (("jobs", 1), ("seconds", 1), ("memory", 1), ("extra_trials", 0)):
        if not least <= getattr(options, name) < 10_000:
            raise ValueError(
                f"--{name.replace('_', '-')} must be at least {least}, and below 10,000."
            )


def _released(options: argparse.Namespace) -> Any:
    from mlm_course.practice.released import read_released

    folders = [options.released] if options.released else [p for p in options.paths if p.is_dir()]
    released = next(filter(None, map(read_released, folders)), None)
    if options.released and not released:
        raise ValueError(f"There is no course_release.json in --released {options.released}.")
    return released


def write_results(to: Path, graded: list[Graded], names: dict[str, str], lms: str) -> None:
    """Every file of the results, in a folder that only its owner can open."""
    from mlm_course.teaching import pages, tables
    from mlm_course.teaching.grading import write_private

    graded = sorted(
        graded, key=lambda one: names[one.submission.student]
    )  # the order tells nothing
    (to / "feedback").mkdir(parents=True, exist_ok=True)
    to.chmod(0o700)
    write_private(to / "grades.csv", tables.grades_csv(graded, names))
    write_private(to / "lms.csv", tables.lms_csv(graded, names, lms))
    write_private(to / "key.csv", tables.key_csv(names))
    write_private(to / "class.html", pages.class_page(graded, names))
    for student, page in pages.feedback_pages(graded, names).items():
        write_private(to / "feedback" / f"{student}.html", page)


def _say_results(to: Path, graded: list[Graded], named: bool, confined: bool) -> None:
    from mlm_course.teaching.pages import NO_PROOF

    results = [result for one in graded for result in one.results]
    print(
        f"\n{len(graded)} notebooks, {len(results)} answers, {sum(r.points for r in results)} right."
    )
    if look := sum(result.status == "look" for result in results):
        print(
            f"To look at: {look}. They pass, and count as 0 until you say otherwise: see class.html."
        )
    print(f"Written to {to}/: class.html, grades.csv, lms.csv, feedback/, key.csv.")
    if not named:
        print("Names are pseudonyms; key.csv says whose they are. --map puts your own ids in.")
    if not confined:
        print("NOT SANDBOXED: what these notebooks did to this machine is unknown.")
    print(NO_PROOF)


TEACH = Command(
    "teach",
    "teach",
    "a page a lesson for whoever teaches it, with all answers",
    teach_command,
    _teach_options,
)
RELEASE = Command(
    "release",
    "teach",
    "some of the lessons as a folder for a class",
    release_command,
    _release_options,
)
GRADE = Command(
    "grade", "teach", "judge students' notebooks, each in a sandbox", grade_command, _grade_options
)
