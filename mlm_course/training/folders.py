"""Where a training keeps its checkpoints, so that a runtime that is lost costs little."""

from __future__ import annotations

import re
import sys
from pathlib import Path

DRIVE = Path("/content/drive/MyDrive")  # where Colab mounts it


def run_folder(name: str) -> Path:
    """The folder for a run's checkpoints; says in one sentence which, and makes nothing.

    On Colab with Drive mounted mlm_course/runs/NAME there, else runs/NAME in the working folder,
    which in a lesson is the notebook's. Errors: ValueError for a name that is no plain word.
    """
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise ValueError(f"A run's name is made of letters, digits, - and _, not {name!r}.")
    if DRIVE.is_dir():
        folder = DRIVE / "mlm_course" / "runs" / name
        more = "They outlive this runtime."
    else:
        folder = Path("runs") / name
        more = "A run that is cut short goes on from there."
        if "google.colab" in sys.modules:
            more = (
                "They are lost with this runtime, unless Drive is mounted first: "
                'from google.colab import drive; drive.mount("/content/drive")'
            )
    print(f"Checkpoints go to {folder}. {more}")
    return folder
