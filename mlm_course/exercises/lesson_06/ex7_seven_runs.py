"""Seven runs."""

from typing import Any

import torch

from mlm_course.exercises.lesson_06.faults import CAUSES
from mlm_course.practice.exercise import Exercise, Function, Mistake

RIGHT = dict(zip(CAUSES, "FCADBEG", strict=True))
SIGNS = {  # what a run with this cause does, told from the program and not from the table
    "nothing": "both losses tell the same story, and neither falls below the floor",
    "leak": "the true word stands in the input, so copying is enough for the training loss, and "
    "nobody learns what to say at a [MASK]",
    "all tokens": "most of the training loss is copying, which is soon learned; the hidden words in it "
    "are learned all the same, and the validation asks for these alone",
    "other model": "the steps change weights that this model does not have",
    "shuffled": "the best that can be learned is how frequent words are, and steps of the usual size "
    "walk there",
    "static": "a few answers can be learned by heart, far below the floor, and some of the language "
    "with them",
    "large steps": "the first steps overshoot: they make matters worse than not having begun",
}


def inputs(g: torch.Generator) -> tuple[()]:
    """Nothing: the runs are on paper."""
    return ()


def judge(letters: Any) -> str | None:
    """How many letters are right, and what the cause of the first wrong one leads to."""
    if not isinstance(letters, list | tuple | str) or not all(type(x) is str for x in letters):
        return 'The result is no list of letters, such as ["A", "B", ...].'
    letters = [letter.strip().upper() for letter in letters]
    if sorted(letters) != sorted(RIGHT.values()):
        return "Each of the letters A to G stands in the list once: seven causes, seven runs."
    pairs = list(zip(letters, RIGHT.items(), strict=True))
    wrong = [(letter, cause) for letter, (cause, right) in pairs if letter != right]
    if not wrong:
        return None
    letter, cause = wrong[0]
    place = CAUSES.index(cause) + 1
    return (
        f"{len(RIGHT) - len(wrong)} of 7 are right. Number {place} ({cause}) is not run {letter}. "
        f"Think again what it leads to: {SIGNS[cause]}."
    )


def saying(letters: str) -> Function:
    """A function that gives these letters."""

    def seven_runs() -> list[str]:
        return list(letters)

    return seven_runs


EXERCISE = Exercise(
    kind="diagnose",
    hard=True,
    minutes=15,
    inputs=inputs,
    trials=1,
    judge=judge,
    hints=(
        "Use the three marks. Who stays at the first loss? Who ends at the loss of frequencies, who "
        "below the floor, and in which of its two rows?",
        "Below the floor in training, there are three. Ask of each cause what its model has learned to "
        "do, and whether that helps at a [MASK] in a new sentence.",
        "Two runs end near the frequencies. In one the labels say nothing; in the other the weights "
        "are thrown about. Look at step 10.",
        'return ["F", "C", "A", "D", "B", "E", "G"]',
    ),
    mistakes=(
        Mistake(
            "Right but for two: 'leak' and 'static' are exchanged. Both learn a training loss of "
            "nearly 0. Who learns real gaps by heart still learns some of the language; who sees the "
            "true words learns to copy, and a [MASK] cannot be copied.",
            saying("FEADBCG"),
        ),
        Mistake(
            "Right but for two: 'leak' and 'all tokens' are exchanged. In both the training loss falls "
            "below the floor. Where hidden words are in the loss, even among others, they are "
            "learned, and the validation improves.",
            saying("FACDBEG"),
        ),
        Mistake(
            "Right but for two: 'all tokens' and 'static' are exchanged. A few sentences seen again and "
            "again help only so far with new ones. In a loss over all tokens the guesses are asked for, too.",
            saying("FCEDBAG"),
        ),
        Mistake(
            "Right but for two: 'shuffled' and 'large steps' are exchanged. Steps of the usual size do "
            "not make the first losses worse than those of an untrained model.",
            saying("FCADGEB"),
        ),
        Mistake(
            "Right but for two: 'other model' and 'shuffled' are exchanged. Shuffled labels still say "
            "how frequent words are; a model that never changes learns not even that.",
            saying("FCABDEG"),
        ),
        Mistake(
            "Right but for two: 'nothing' and 'all tokens' are exchanged. Their validation losses are "
            "alike. But no honest training loss lies far below the floor.",
            saying("ACFDBEG"),
        ),
        Mistake(
            "Right but for two: 'other model' and 'large steps' are exchanged. Large steps change the "
            "loss, at first for the worse.",
            saying("FCAGBED"),
        ),
    ),
)
