"""Training by two processes that share out the weights: what each holds, and the curve."""

import pytest

from mlm_course import cost
from mlm_course.experiments import sharding, tinyworld
from mlm_course.results import recorded

STEPS, ROWS = 4, 128


@pytest.fixture(scope="module")
def results():
    return {
        way: sharding.together(way, STEPS, ROWS)
        for way in ("one process", "two processes, sharded")
    }


@pytest.mark.slow
def test_each_of_two_processes_holds_about_half_of_everything(results):
    [alone], both = (
        [result["held"] for result in results[way]]
        for way in ("one process", "two processes, sharded")
    )
    assert alone == cost.training_memory(sum(p.numel() for p in tinyworld.build().parameters()))
    for part, size in alone.items():
        assert sum(held[part] for held in both) == size, part
        assert all(0.49 * size < held[part] < 0.51 * size for held in both), part


@pytest.mark.slow
def test_sharded_processes_have_the_curve_of_one(results):
    losses = results["one process"][0]["losses"]
    for result in results["two processes, sharded"]:
        assert result["losses"] == pytest.approx(losses, abs=1e-4)
    assert len(losses) == STEPS and losses[0] > losses[-1]


def test_the_record_says_what_lesson_13_says():
    record = recorded("sharding")
    [alone] = record["bytes held by each process"]["one process"]
    for held in record["bytes held by each process"]["two processes"]:
        assert held == alone
    both = record["bytes held by each process"]["two processes, sharded"]
    assert all(sum(held[part] for held in both) == size for part, size in alone.items())
    assert max(record["largest difference from one process"].values()) < 1e-4
