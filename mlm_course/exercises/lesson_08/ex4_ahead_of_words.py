"""Who is ahead?"""

from typing import Any

import torch

from mlm_course.exercises.lesson_08.contests import LEADS, who
from mlm_course.practice.exercise import Exercise, Mistake

NAMES = ("encoder", "words", "neither")
EXPECTED = {  # why one could have expected it
    "tags, 180 labels": "the rival sees two neighbours on either side, the encoder the sentence",
    "errors, 20 labels": "most words of a test are in none of 20 texts, and pretraining has seen them",
    "errors, 180 labels": "with each label the rival knows better which words tell",
    "errors, 1,200 labels": "single words such as 'deprecated' tell a warning from an error",
    "search by vectors": "a rare name that is asked for stands in few passages, to the letter",
    "search by both": "what is alike in meaning and what is alike in words fail on other queries",
    "questions": "a list of telling words need not read a sentence to know a switch",
}


def inputs(g: torch.Generator) -> tuple[()]:
    """Nothing: it is a prediction."""
    return ()


def judge(guess: Any) -> str | None:
    """How many contests went as predicted, and about the first that did not, what the record says."""
    if not isinstance(guess, list | tuple) or not all(type(one) is str for one in guess):
        return 'Return a list of seven texts, each "encoder", "words" or "neither".'
    if len(guess) != len(LEADS):
        return f"There are seven contests; your list has {len(guess)} items."
    if odd := [one for one in guess if one not in NAMES]:
        return (
            f'Each item is "encoder", "words" or "neither", in small letters; {odd[0]!r} is none.'
        )
    pairs = zip(guess, LEADS.items(), strict=True)
    wrong = [(one, name, lead) for one, (name, lead) in pairs if one != who(lead)]
    if not wrong:
        return None
    one, name, lead = wrong[0]
    return (
        f"{len(LEADS) - len(wrong)} of 7 are as in the record. The first that is not: {name}. You say "
        f'"{one}", but the record has encoder less words at {lead.low:+.3f} to {lead.high:+.3f} '
        f"(95 %). One could have expected it: {EXPECTED[name]}."
    )


def pretrained_everywhere():
    """Pretraining wins everywhere."""
    return ["encoder"] * 7


def words_everywhere():
    """Counting words is always enough."""
    return ["words"] * 7


def nothing_to_be_seen():
    """Ten draws show nothing."""
    return ["neither"] * 7


def labels_make_it_better():
    """More labels help the encoder more, since there is more to learn from them."""
    return ["encoder", "words", "neither", "encoder", "words", "encoder", "encoder"]


def only_where_reading_is_needed():
    """The encoder reads, so it answers and searches; errors are told by words."""
    return ["encoder", "encoder", "neither", "words", "encoder", "encoder", "encoder"]


def two_are_not_better_than_one():
    """All right but the joined search."""
    return ["encoder", "encoder", "neither", "words", "words", "neither", "words"]


def sentence(answer) -> str:
    """What is said about a wrong prediction."""
    return str(judge(answer()))


BELIEFS = (
    pretrained_everywhere,
    words_everywhere,
    nothing_to_be_seen,
    labels_make_it_better,
    only_where_reading_is_needed,
    two_are_not_better_than_one,
)

EXERCISE = Exercise(
    minutes=8,
    kind="predict",
    inputs=inputs,
    trials=1,
    judge=judge,
    hints=(
        "Where may a single word give the answer away, and where does it take its neighbours?",
        "With how many labels can counting words have learned which of them tell? And where two "
        "rivals fail on different queries, both together may do what neither can.",
        'return ["encoder", "encoder", "neither", "words", "words", "encoder", "words"]',
    ),
    mistakes=tuple(Mistake(sentence(belief), belief) for belief in BELIEFS),
)
