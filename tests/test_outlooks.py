"""The page of outlooks: its blocks run, each section by itself, for a few steps."""

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).resolve().parents[1] / "course/outlooks.md").read_text("utf-8")
FEWER = ((r"range\(150\)", "range(3)"), ("n_steps = 400", "n_steps = 4"), ('"sklearn"]', "]"))


@pytest.mark.usefixtures("on_one_cpu_thread")
@pytest.mark.parametrize(
    ("title", "printed"),
    [("1. Adversarial training", "trained with pushes of 5.0: as it is"),
     ("2. An image and its word", "with the name visible")],
)  # fmt: skip
def test_a_section_runs_by_itself(title, printed, capsys):
    section = PAGE.split(f"\n## {title}", 1)[1].split("\n## ", 1)[0]
    names: dict = {}
    for code in re.findall(r"^```python\n(.+?)^```$", section, re.M | re.S):
        for long, short in FEWER:
            code = re.sub(long, short, code)
        exec(code, names)
    assert printed in capsys.readouterr().out


def test_what_a_section_printed_has_the_lines_of_its_code():
    """The numbers on the page are of one run; the lines are those that the blocks print."""
    shown = re.findall(r"^It printed.+?^```\n(.+?)^```$", PAGE, re.M | re.S)
    assert [len(block.splitlines()) for block in shown] == [3, 9]
    assert all(re.search(r"\d", line) for block in shown for line in block.splitlines())
