"""Longest match first."""

import torch

from mlm_course.practice.exercise import Exercise, Mistake

PIECES = set(
    "p pl pla play plays playa pay u un unr under t to tok token r re rep s st ed er able read "
    "##i ##in ##ing ##s ##st ##stand ##e ##ed ##er ##r ##p ##pay ##able ##dertow ##play ##read "
    "##d ##n ##t ##a ##y".split()
)
WHOLE = ["play", "under", "token", "plays"]
BUILT = ["playing", "unpayable", "understands", "stays", "prestand", "tokens", "pays", "understand"]
DEAD_ENDS = ["undertow", "replayed", "playable"]
IMPOSSIBLE = ["playful", "zebra", "understandz", "payerx", "unhappy"]


def inputs(g: torch.Generator) -> tuple[str, set[str]]:
    """A word and the vocabulary: whole in it, built, built only by going back, or not at all."""
    kinds = (WHOLE, BUILT, BUILT, DEAD_ENDS, IMPOSSIBLE)
    words = kinds[int(torch.randint(5, (), generator=g))]
    return words[int(torch.randint(len(words), (), generator=g))], set(PIECES)


def going_back(word: str, vocabulary: set[str]) -> list[str]:
    """Takes a shorter piece where the longest one leads nowhere."""

    def cut(rest: str, mark: str) -> list[str] | None:
        if not rest:
            return []
        for end in range(len(rest), 0, -1):
            if mark + rest[:end] in vocabulary:
                tail = cut(rest[end:], "##")
                if tail is not None:
                    return [mark + rest[:end], *tail]
        return None

    return cut(word, "") or ["[UNK]"]


def growing(word: str, vocabulary: set[str]) -> list[str]:
    """Lets a piece grow until it is not in the vocabulary."""
    pieces, start = [], 0
    while start < len(word):
        mark, end = "##" if start else "", start
        while end < len(word) and mark + word[start : end + 1] in vocabulary:
            end += 1
        if end == start:
            return ["[UNK]"]
        pieces.append(mark + word[start:end])
        start = end
    return pieces


def whole_or_nothing(word: str, vocabulary: set[str]) -> list[str]:
    """Gives up when the first candidate does not fit."""
    return [word] if word in vocabulary else ["[UNK]"]


def as_it_is(word: str, vocabulary: set[str]) -> list[str]:
    """One piece, whether the vocabulary has it or not."""
    return [word]


EXERCISE = Exercise(
    minutes=15,
    trials=40,  # so that they meet all four kinds of words
    inputs=inputs,
    hints=(
        "Stand at the beginning of the word and try the whole rest first; then one letter less, "
        "and so on, until a piece is in the vocabulary.",
        "Keep `start`. A candidate is word[start:end], with '##' in front of it if start > 0.",
        "If no `end` fits, return ['[UNK]'], whatever you have cut before; else go on at `start = end`.",
        "pieces, start = [], 0\n"
        "while start < len(word):\n"
        "    prefix = '##' if start else ''\n"
        "    for end in range(len(word), start, -1):\n"
        "        if prefix + word[start:end] in vocabulary:\n"
        "            break\n"
        "    else:\n"
        "        return ['[UNK]']\n"
        "    pieces.append(prefix + word[start:end])\n"
        "    start = end\n"
        "return pieces",
    ),
    mistakes=(
        Mistake(
            "You took the shortest piece that fits. WordPiece takes the longest: try the whole rest "
            "of the word first.",
            {"range(len(word), start, -1)": "range(start + 1, len(word) + 1)"},
        ),
        Mistake(
            "Where the longest pieces lead to a dead end, a shorter one was taken. WordPiece never takes "
            "a piece back: such a word is ['[UNK]'].",
            going_back,
        ),
        Mistake(
            "The pieces are right, but those that continue a word need ## in front.",
            {"append(prefix + word[start:end])": "append(word[start:end])"},
        ),
        Mistake(
            "Every piece is looked up without ##, as if it began a word. The vocabulary has the pieces "
            "that continue a word with ## in front.",
            {'"##" if start else ""': '""'},
            {"prefix + word[start:e] in": "word[start:e] in"},
        ),
        Mistake(
            "There is one [UNK] for each letter that does not fit. If the rest cannot be built, the "
            "*whole* word is unknown: ['[UNK]'].",
            {'return ["[UNK]"]': 'pieces.append("[UNK]"); start += 1; continue'},
        ),
        Mistake(
            "Pieces of a single letter are never tried: `end` has to go down to start + 1.",
            {"start, -1": "start + 1, -1"},
        ),
        Mistake(
            "The pieces before the dead end were kept. If the rest cannot be built, the *whole* word is "
            "unknown: ['[UNK]'].",
            {'return ["[UNK]"]': 'return [*pieces, "[UNK]"]'},
            {'return ["[UNK]"]': "return pieces"},
        ),
        Mistake(
            "A word comes out whole or as [UNK]: only the first candidate is tried. Where it does not "
            "fit, try one letter less, and so on.",
            whole_or_nothing,
        ),
        Mistake(
            "A piece grows as long as each shorter beginning is in the vocabulary as well. There may be "
            "gaps: try all lengths, the longest first.",
            growing,
        ),
        Mistake(
            "The word itself comes out, as one piece, though the vocabulary may not have it.",
            as_it_is,
        ),
        Mistake(
            "Every word comes out as [UNK]: no piece that reaches the end of a word is ever taken. Mind "
            "that word[start:end] stops *before* end, so that `end` has to be len(word) as well.",
            {"range(len(word), start": "range(len(word) - 1, start"},
        ),
    ),
)
