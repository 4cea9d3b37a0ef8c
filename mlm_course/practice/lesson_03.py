"""Lesson 3: tokens. A word is cut into pieces."""

import torch

from mlm_course.practice.exercise import Exercise, Misconception, Question

TITLE = "Tokens"

PIECES = (
    "p play pay ##play ##pay ##ed ##ing ##in ##i ##n ##g ##er ##e ##r ##s un under "
    "##stand ##st ##and ##able u ##n re ##re r ##p ##l ##a ##y ##d ##t"
).split()
WORDS = ["playing", "unpayable", "understands", "replayed", "plays", "prestand", "py", "reply"]
UNKNOWN_WORDS = ["playful", "zebra", "understandz", "replayx", "unhappy"]


def longest_match(word: str, vocabulary: set[str]) -> list[str]:
    pieces, start = [], 0
    while start < len(word):
        fitting = [
            end
            for end in range(start + 1, len(word) + 1)
            if ("##" if start else "") + word[start:end] in vocabulary
        ]
        if not fitting:
            return ["[UNK]"]
        pieces.append(("##" if start else "") + word[start : fitting[-1]])
        start = fitting[-1]
    return pieces


def _word(g: torch.Generator) -> tuple[str, set[str]]:
    """A word that can be built or one that cannot, as a coin says; the trials meet both."""
    words = WORDS if torch.rand((), generator=g) < 0.5 else UNKNOWN_WORDS
    return words[int(torch.randint(len(words), (1,), generator=g))], set(PIECES)


def _shortest_match(word: str, vocabulary: set[str]) -> list[str]:
    pieces, start = [], 0
    while start < len(word):
        for end in range(start + 1, len(word) + 1):
            if ("##" if start else "") + word[start:end] in vocabulary:
                break
        else:
            return ["[UNK]"]
        pieces.append(("##" if start else "") + word[start:end])
        start = end
    return pieces


def _longest_match(
    word: str, vocabulary: set[str], inside: str, unknown: list[str] | None, shortest: int = 1
) -> list[str]:
    """Longest match first with one thing changed; without `unknown`, one [UNK] a letter."""
    pieces, start = [], 0
    while start < len(word):
        prefix = inside if start else ""
        ends = range(len(word), start + shortest - 1, -1)
        end = next((e for e in ends if prefix + word[start:e] in vocabulary), None)
        if end is None and unknown is not None:
            return unknown
        pieces.append("[UNK]" if end is None else prefix + word[start:end])
        start = start + 1 if end is None else end
    return pieces


def _unknown_at_the_end(word: str, vocabulary: set[str]) -> list[str]:
    """Keeps the pieces found so far, then says [UNK] for the rest."""
    for end in range(len(word), 0, -1):
        pieces = longest_match(word[:end], vocabulary)
        if pieces != ["[UNK]"]:
            return pieces if end == len(word) else [*pieces, "[UNK]"]
    return ["[UNK]"]


EXERCISES = (
    Exercise(
        id="3.1",
        minutes=15,
        prompt="Longest match first",
        reference=longest_match,
        inputs=_word,
        trials=10,
        hints=(
            "Stand at the beginning of the word and try the whole rest first; then one letter less, "
            "and so on, until a piece is in the vocabulary.",
            "Keep `start`. A candidate is word[start:end], with '##' in front of it if start > 0.",
            "for end in range(len(word), start, -1): if prefix + word[start:end] in vocabulary: take "
            "it, set start = end and begin again; if none fits, return ['[UNK]'].",
        ),
        misconceptions=(
            Misconception(
                _shortest_match,
                "You took the shortest piece that fits. WordPiece takes the longest: try the whole "
                "rest of the word first.",
            ),
            Misconception(
                lambda word, vocabulary: [
                    piece.removeprefix("##") for piece in longest_match(word, vocabulary)
                ],
                "The pieces are right, but those that continue a word need ## in front.",
            ),
            Misconception(
                lambda word, vocabulary: _longest_match(word, vocabulary, "", ["[UNK]"]),
                "Inside a word, pieces stand in the vocabulary with ## in front: look up '##' + the "
                "rest of the word.",
            ),
            Misconception(
                lambda word, vocabulary: _longest_match(word, vocabulary, "##", None),
                "You put one [UNK] for each letter that does not fit. If the rest cannot be built, the "
                "*whole* word is unknown: ['[UNK]'].",
            ),
            Misconception(
                lambda word, vocabulary: _longest_match(word, vocabulary, "##", ["[UNK]"], 2),
                "Pieces of a single letter are never tried: let `end` go down to start + 1.",
            ),
            Misconception(
                _unknown_at_the_end,
                "You kept the pieces found so far. If the rest cannot be built, the *whole* word is "
                "unknown: ['[UNK]'].",
            ),
        ),
    ),
)


QUIZ = (
    Question(
        id="3.q1",
        prompt="A vocabulary holds the pieces un, under and ##dertow, and no others. How does WordPiece "
        "cut the word undertow?",
        options=(
            (
                "un ##dertow, the only cut that works.",
                "It would have to take back under, the longest piece that fits at the front. It never "
                "does.",
            ),
            (
                "under [UNK], since the rest is missing.",
                "If the rest cannot be built, the whole word is unknown, the beginning included.",
            ),
            (
                "[UNK], although a cut exists.",
                "It takes under, finds nothing that begins with ##t, and gives up the word.",
            ),
        ),
        answer=2,
    ),
    Question(
        id="3.q2",
        prompt="With letters as tokens hardly a word would be unknown. What speaks against it?",
        options=(
            (
                "Rows become several times as long.",
                "And attention computes a score for every pair of tokens in a row.",
            ),
            (
                "The vocabulary becomes too large.",
                "It becomes tiny: some hundred signs in place of thousands of pieces.",
            ),
            (
                "No model can learn words from letters.",
                "Models that read letters or bytes exist. They pay for it with long rows.",
            ),
        ),
        answer=0,
    ),
    Question(
        id="3.q3",
        prompt="A text has 2,000 tokens, the model takes 512. Which of these makes it fit?",
        options=(
            (
                "A larger batch, with room for 2,000 tokens.",
                "A batch has more rows. Each row may still be no longer than 512.",
            ),
            (
                "Windows, each of 512 tokens or fewer.",
                "Overlapping ones, if what stands at an edge should also stand inside a window.",
            ),
            (
                "Packing, which leaves no room unused.",
                "Packing fills rows up. It makes no text shorter.",
            ),
        ),
        answer=1,
    ),
    Question(
        id="3.q4",
        prompt="Three short texts are packed into one row. What can stop them from attending to each other?",
        options=(
            (
                "An attention mask made from the number of each token's text.",
                "Query and key have to carry the same number: lesson 2's third mask.",
            ),
            (
                "The [SEP] tokens between them, which attention does not cross.",
                "[SEP] is a token like others, and attention reaches past it.",
            ),
            (
                "Positions that begin again at 0 with each of the texts.",
                "They say where a token stands. Whom it may attend to is the mask's business.",
            ),
        ),
        answer=0,
    ),
)
