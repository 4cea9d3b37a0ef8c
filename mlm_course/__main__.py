"""`python -m mlm_course`: build notebooks, run experiments, train on many devices, examine this machine."""

import argparse
import sys
import time
from pathlib import Path
from typing import Any


def build_command(options: argparse.Namespace) -> int:
    from mlm_course.authoring import build
    from mlm_course.authoring.cells import SourceError

    root = Path.cwd()
    try:
        if options.action == "check":
            lines = list(build.differences(root, options.lessons))
            print("\n".join(lines or ["Every notebook is what its source says."]))
            return 1 if lines else 0
        actions = {"measure": build.measure, "execute": build.build_and_execute}
        for line in actions.get(options.action, build.write_notebooks)(root, options.lessons):
            print(line, flush=True)
    except SourceError as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


def exercises_command(options: argparse.Namespace) -> int:
    from mlm_course.practice.exercise import listing

    print(f"{'id':6}{'hints':>6}{'mistakes':>10}  prompt")
    for row in listing():
        print(f"{row.id:6}{row.hints:6}{row.mistakes:10}  {row.prompt}")
    return 0


def experiment_command(options: argparse.Namespace) -> int:
    from importlib import import_module

    from mlm_course.results import write_record

    began = time.perf_counter()
    findings = import_module(f"mlm_course.experiments.{options.name}").run()
    path = write_record(options.name, findings, time.perf_counter() - began)
    print(f"Recorded in {path}")
    return 0


def train_command(options: argparse.Namespace) -> int:
    from mlm_course.train import train_lesson

    given = {k: v for k, v in vars(options).items() if v is not None and k != "run"}
    try:
        train_lesson(**given)
    except (ConnectionError, FloatingPointError, KeyboardInterrupt, ValueError) as problem:
        print(problem or "Stopped.", file=sys.stderr)
        return 1
    return 0


def results_command(options: argparse.Namespace) -> int:
    from mlm_course.results.page import results_page

    path = Path("course/RESULTS.md")
    path.write_text(results_page(), encoding="utf-8")
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
    train.add_argument("name", choices=("mlm", "mae", "cmlm"), help="lesson 6, 9 or 11")
    train.add_argument("--folder", required=True, help="for checkpoints, model and history")
    whole = {
        "steps": "optimiser steps",
        "batch-size": "rows a step, over all processes together",
        "rows": "of the training data, the first so many",
        "save-every": "steps between two checkpoints; default: 100",
        "accumulate": "pieces in which each process works through its share of a step",
        "seed": "of data order and dropout",
    }
    for option, text in whole.items():
        train.add_argument(f"--{option}", type=int, help=text)
    train.add_argument("--optimizer", choices=("muon", "adamw"))
    train.add_argument("--lr", type=float, help="peak learning rate")
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


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m mlm_course", description=__doc__)
    commands = parser.add_subparsers(required=True)
    add_train(commands)
    add_build(commands)
    listing = commands.add_parser("exercises", help="every exercise with its hints")
    listing.set_defaults(run=exercises_command)
    experiment = commands.add_parser("experiment", help="run a recorded experiment again")
    experiment.add_argument("name", choices=experiments())
    experiment.set_defaults(run=experiment_command)
    results = commands.add_parser("results", help="render all recorded experiments as a page")
    results.set_defaults(run=results_command)
    doctor = commands.add_parser("doctor", help="what is wrong with this environment, and the fix")
    doctor.set_defaults(run=doctor_command)
    options = parser.parse_args()
    return options.run(options)


if __name__ == "__main__":
    sys.exit(main())
