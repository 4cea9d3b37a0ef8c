"""Public functions under slips of every kind: no silent wrong answer, no message from a library.

Each `fuzz_*.py` beside this file holds the targets of one part of the package in `TARGETS`, and in
`WITHOUT_ORACLE` the titles of those that nothing can be compared with. 30 cases a function in
`make test`, 300 in `make test-all`.
"""

import importlib
import types

import pytest
import torch
from fuzzing import fuzz, is_a_sentence_of_ours

from mlm_course.contracts import check_ids

PARTS = (
    "corruption", "attention", "tokenization", "evaluation", "decoding", "diffusion", "models",
    "training", "cost", "positions",
)  # fmt: skip
TABLES = {part: importlib.import_module(f"fuzz_{part}") for part in PARTS}
TARGETS = [target for table in TABLES.values() for target in table.TARGETS]


def public(part: str) -> set[str]:
    """The functions and classes that a part offers."""
    module = importlib.import_module(f"mlm_course.{part}")
    names = getattr(module, "__all__", None) or [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", "") == module.__name__
    ]
    return {name for name in names if isinstance(getattr(module, name), type | types.FunctionType)}


@pytest.mark.parametrize("part", PARTS)
def test_every_public_function_is_fuzzed(part):
    table = TABLES[part]
    tried = {target.title.split(".")[0].split(" ")[0] for target in table.TARGETS}
    assert public(part) - tried == set(table.NOT_FUZZED)  # each with its reason
    without = {target.title for target in table.TARGETS if target.oracle is None}
    assert without == set(table.WITHOUT_ORACLE)


def run(target, n_cases: int) -> None:
    outcome = fuzz(target, n_cases)
    assert not outcome.wrong, "silently wrong:\n" + "\n".join(outcome.wrong[:10])
    assert not outcome.raw, "not our sentence:\n" + "\n".join(outcome.raw[:10])


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.title)
def test_slips_are_answered(target):
    run(target, 30)


@pytest.mark.long
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.title)
def test_many_slips_are_answered(target):
    run(target, 300)


def test_a_sentence_of_ours_is_told_from_a_message_of_a_library():
    with pytest.raises(TypeError) as ours:
        check_ids([1, 2])
    with pytest.raises(TypeError) as theirs:
        check_ids(torch.ones(2, 2).long(), vocab_size=object())
    assert is_a_sentence_of_ours(ours.value) and not is_a_sentence_of_ours(theirs.value)
