"""course/RESULTS.md: every record, rendered."""

import json
from pathlib import Path

import pytest

from mlm_course import __main__ as command
from mlm_course import results
from mlm_course.results import HERE
from mlm_course.results import page as of_page
from mlm_course.results.page import BENCHMARKS, results_page, section, summary, tables

ROOT = Path(__file__).resolve().parents[1]


def test_the_page_is_what_the_records_say():
    stored = (ROOT / "course/RESULTS.md").read_text("utf-8")
    assert stored == results_page(), "A record has changed: run python -m mlm_course results"


def test_every_record_has_its_section_and_command():
    text = results_page()
    for path in HERE.glob("*.json"):
        assert f"\n## {path.stem}\n" in text
        if path.stem != BENCHMARKS:
            assert f"`python -m mlm_course experiment {path.stem}`" in text


def test_benchmarks_have_a_section_of_their_own(tmp_path, monkeypatch):
    part = {"about": "What it is.", "command": "run it", "machine": "a box", "failed": "It broke."}
    (tmp_path / "benchmarks.json").write_text(json.dumps({"one": part}), "utf-8")
    (tmp_path / "masking.json").write_text((HERE / "masking.json").read_text("utf-8"), "utf-8")
    monkeypatch.setattr(results, "HERE", tmp_path)
    monkeypatch.setattr(of_page, "HERE", tmp_path)
    text = results_page()
    assert text.index("\n## masking\n") < text.index("\n## benchmarks\n")
    assert text.endswith("### one\n\nWhat it is.\n\n`run it`; a box\n\nFailed: It broke.\n")


def test_numbers_stand_in_a_line_and_rows_in_a_table():
    record = {
        "steps": 3,
        "share": 0.123456,
        "by T": {"1": {"right": 0.5, "lost": None}, "2": {"right": 1.0, "more|": [1, 2]}},
        "curve": [{"step": 1, "loss": 2.0}],
        "deep": {"a": {"b": {"x": 1}}, "c": 4},
    }
    assert list(tables(record, "")) == [
        "steps 3; share 0.12346", "",
        "**by T**", "",
        "| | right | lost | more\\| |", "|---|---|---|---|",
        "| 1 | 0.5 | null |  |", "| 2 | 1 |  | 1, 2 |", "",
        "**curve**", "",
        "| | step | loss |", "|---|---|---|", "| 1 | 1 | 2 |", "",
        "**deep**: c 4", "",
        "**deep, a**", "",
        "| | x |", "|---|---|", "| b | 1 |", "",
    ]  # fmt: skip


@pytest.mark.parametrize(("threads", "said"), [(1, "1 thread;"), (2, "2 threads;")])
def test_a_section_says_how_it_was_run(threads, said):
    record = {
        "command": "run me", "minutes": 2.50, "machine": "a box", "threads": threads,
        "versions": {"python": "3.11", "torch": "2.13", "scipy": "1"}, "found": 1,
    }  # fmt: skip
    lines = section("tinyworld", record).splitlines()
    assert lines[0] == "## tinyworld" and lines[2] == summary("tinyworld")
    assert lines[4].startswith("`run me`; 2.5 minutes; a box; ") and said in lines[4]
    assert lines[4].endswith("python 3.11; torch 2.13") and lines[6] == "found 1"


def test_the_command_writes_the_page(tmp_path, monkeypatch):
    (tmp_path / "course").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["mlm_course", "results"])
    assert command.main() == 0
    assert (tmp_path / "course/RESULTS.md").read_text("utf-8") == results_page()
