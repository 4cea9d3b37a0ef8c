"""The commands of those who make the course: build, train, experiment, results."""

import argparse
import math
import sys
import time
from pathlib import Path
from typing import Any

from mlm_course.commands.command import Command, count


def build_command(options: argparse.Namespace) -> int:
    from mlm_course.authoring import build

    root = Path.cwd()
    if options.action == "check":
        return check_command(root, options.lessons)
    actions = {"measure": build.measure, "execute": build.build_and_execute}
    for line in actions.get(options.action, build.write_notebooks)(root, options.lessons):
        print(line, flush=True)
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


def experiments() -> list[str]:
    folder = Path(__file__).parents[1] / "experiments"
    return sorted(path.stem for path in folder.glob("[a-z]*.py"))


def _train_options(train: argparse.ArgumentParser) -> None:
    """Options; those left out are the lesson's."""
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
    text = "keep less for the backward pass, and compute it again"
    train.add_argument("--recompute", action="store_true", help=text)


def _build_options(build: argparse.ArgumentParser) -> None:
    """What `build` can do instead of building."""
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


def _experiment_options(experiment: argparse.ArgumentParser) -> None:
    experiment.add_argument("name", choices=experiments(), metavar="NAME", help="one of the list")


BUILD = Command(
    "build", "make", "write lessons/ and solutions/ from course/", build_command, _build_options
)
TRAIN = Command(
    "train", "make", "train a lesson's model on one device or many", train_command, _train_options
)
EXPERIMENT = Command(
    "experiment", "make", "run a recorded experiment again", experiment_command, _experiment_options,
    f"NAME is one of {', '.join(experiments())}.",
)  # fmt: skip
RESULTS = Command("results", "make", "render all recorded experiments as a page", results_command)
