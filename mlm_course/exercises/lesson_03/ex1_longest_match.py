"""Longest match first."""

import torch

from mlm_course.practice.exercise import Exercise, Mistake

PIECES = (
    "p play pay ##play ##pay ##ed ##ing ##in ##i ##n ##g ##er ##e ##r ##s un under "
    "##stand ##st ##and ##able u ##n re ##re r ##p ##l ##a ##y ##d ##t"
).split()
WORDS = ["playing", "unpayable", "understands", "replayed", "plays", "prestand", "py", "reply"]
UNKNOWN_WORDS = ["playful", "zebra", "understandz", "replayx", "unhappy"]


def inputs(g: torch.Generator) -> tuple[str, set[str]]:
    """A word that can be built or one that cannot, as a coin says; and the vocabulary."""
    words = WORDS if torch.rand((), generator=g) < 0.5 else UNKNOWN_WORDS
    return words[int(torch.randint(len(words), (1,), generator=g))], set(PIECES)


EXERCISE = Exercise(
    minutes=15,
    trials=10,  # they meet both kinds of words
    inputs=inputs,
    hints=(
        "Stand at the beginning of the word and try the whole rest first; then one letter less, "
        "and so on, until a piece is in the vocabulary.",
        "Keep `start`. A candidate is word[start:end], with '##' in front of it if start > 0.",
        "for end in range(len(word), start, -1): if prefix + word[start:end] in vocabulary: take "
        "it, set start = end and begin again; if none fits, return ['[UNK]'].",
    ),
    mistakes=(
        Mistake(
            "You took the shortest piece that fits. WordPiece takes the longest: try the whole rest "
            "of the word first.",
            {"range(len(word), start, -1)": "range(start + 1, len(word) + 1)"},
        ),
        Mistake(
            "The pieces are right, but those that continue a word need ## in front.",
            {"append(prefix + word[start:end])": "append(word[start:end])"},
        ),
        Mistake(
            "Inside a word, pieces stand in the vocabulary with ## in front: look up '##' + the "
            "rest of the word.",
            {'"##" if start else ""': '""'},
        ),
        Mistake(
            "You put one [UNK] for each letter that does not fit. If the rest cannot be built, the "
            "*whole* word is unknown: ['[UNK]'].",
            {'return ["[UNK]"]': 'pieces.append("[UNK]"); start += 1; continue'},
        ),
        Mistake(
            "Pieces of a single letter are never tried: let `end` go down to start + 1.",
            {"start, -1": "start + 1, -1"},
        ),
        Mistake(
            "You kept the pieces found so far. If the rest cannot be built, the *whole* word is "
            "unknown: ['[UNK]'].",
            {'return ["[UNK]"]': 'return [*pieces, "[UNK]"]'},
        ),
    ),
)
