"""One step of growth."""

import string
from collections import Counter
from itertools import pairwise

import torch

from mlm_course.practice.exercise import Exercise, Mistake

Words = list[list[str]]


def inputs(g: torch.Generator) -> tuple[Words, list[int]]:
    """Ten words in which five pairs are equally frequent, and how often each word stands there.

    In the alphabet the pair of two a's comes first, but in the list of words the third. The letters
    are drawn, in this order. The word of one letter is the most frequent, but has no pair.
    """
    drawn = torch.randperm(26, generator=g)[:17].sort().values.tolist()
    a, b, c, d, e, f, h, i, j, k, m, n, o, p, q, r, s = (string.ascii_lowercase[x] for x in drawn)
    half, three = (int(torch.randint(low, low + 4, (), generator=g)) for low in (8, 2))
    words = [
        ([d, e, d, e], half),  # of the five the first in the list
        ([b, c, b, c], half),  # the second in the alphabet
        ([a, a, a, k], three),
        ([k + a, a], 3),  # not the pair (a, a)
        ([q, a, a, r, a, a], half - three),
        ([i, j, i, j], half),  # the last in the alphabet
        ([f, h, f, h], half),  # the last in the list
        ([m, n], 2 * half - 1),  # in more words than any of the five
        ([o, p] * 5, 1),  # five places, in one word
        ([s], 2 * half + 4),  # side by side with itself, if a text of it were written out
    ]
    return [word for word, _ in words], [count for _, count in words]


def across_words(words: Words, counts: list[int]) -> tuple[tuple[str, str], Words]:
    """Counted in one long list of pieces."""
    text = [piece for pieces, count in zip(words, counts, strict=True) for piece in pieces * count]
    pairs = Counter(pairwise(text))
    best = min(pairs, key=lambda pair: (-pairs[pair], pair))
    return best, [list(pieces) for pieces in words]  # it stands in none of them


BEST = "min(frequency, key=lambda pair: (-frequency[pair], pair))"
JOIN = "joined.append(new)"


def joined_as_text(words: Words, counts: list[int]) -> tuple[tuple[str, str], Words]:
    """Joined in the written word, where a piece may end as the pair begins."""
    pairs: Counter[tuple[str, str]] = Counter()
    for pieces, count in zip(words, counts, strict=True):
        for pair in pairwise(pieces):
            pairs[pair] += count
    best = min(pairs, key=lambda pair: (-pairs[pair], pair))
    return best, [
        " ".join(pieces).replace(" ".join(best), "".join(best)).split() for pieces in words
    ]


EXERCISE = Exercise(
    minutes=15,
    hard=True,
    inputs=inputs,
    hints=(
        "Two jobs, one after the other: count all pairs of neighbours, then rebuild every word.",
        "Each place of a pair counts as often as its word stands in the text. Pairs are tuples, so "
        "`min` with a key of two parts, (-frequency, pair), settles ties.",
        "Rebuild a word with an index `i` that goes on by 2 where the pair stands, else by 1.",
        "frequency = Counter()\n"
        "for pieces, count in zip(words, counts):\n"
        "    for pair in zip(pieces, pieces[1:]):\n"
        "        frequency[pair] += count\n"
        "best = min(frequency, key=lambda pair: (-frequency[pair], pair))\n"
        "joined = []\n"
        "for pieces in words:\n"
        "    new, i = [], 0\n"
        "    while i < len(pieces):\n"
        "        step = 2 if tuple(pieces[i : i + 2]) == best else 1\n"
        "        new.append(''.join(pieces[i : i + step]))\n"
        "        i += step\n"
        "    joined.append(new)\n"
        "return best, joined",
    ),
    mistakes=(
        Mistake(
            "The pair is the one with most places in the list of words. A word that stands in the text "
            "ten times has each of its pairs ten times: add its count.",
            {"+= count": "+= 1"},
        ),
        Mistake(
            "Several pairs are equally frequent, and yours is the one that the list of words has first. "
            "Take the one that Python sorts first.",
            {BEST: "max(frequency, key=frequency.get)"},
        ),
        Mistake(
            "Several pairs are equally frequent, and yours is the one that the list of words has last. "
            "Take the one that Python sorts first.",
            {BEST: "max(reversed(frequency), key=frequency.get)"},
        ),
        Mistake(
            "Several pairs are equally frequent, and yours is the one that Python sorts last. Take the "
            "one that it sorts first.",
            {BEST: "max(frequency, key=lambda pair: (frequency[pair], pair))"},
        ),
        Mistake(
            "Your pair is the one that stands in most words. It is about places: a word may have the "
            "same pair twice.",
            {"zip(pieces, pieces[1:])": "set(zip(pieces, pieces[1:]))"},
        ),
        Mistake(
            "Your pair is only the second of those that are equally frequent. In `a a a` the pair `a a` "
            "has two places, and both count.",
            {
                "for pair in zip(pieces, pieces[1:]):": "for at, pair in enumerate(zip(pieces, pieces[1:])):",
                "frequency[pair] += count": "frequency[pair] += count * "
                "(pieces[max(at - 1, 0) : at + 2] != [pair[0]] * 3)",
            },
        ),
        Mistake(
            "Your pair reaches from one word into the next: it ends one and begins another. Count the "
            "neighbours within each word.",
            across_words,
        ),
        Mistake(
            "The pair is right. But a word lost its last piece where that was not joined.",
            {"while i < len(pieces)": "while i < len(pieces) - 1"},
        ),
        Mistake(
            "The pair is right. But a piece was joined twice: after a join go on behind *both* parts.",
            {"i += step": "i += 1"},
        ),
        Mistake(
            "The pair is right. But it was joined at its first place in a word only: go on to the "
            "word's end.",
            {
                "new, i = [], 0": "new, i, done = [], 0, False",
                "== best else 1": "== best and not done else 1",
                "i += step": "i += step; done = done or step == 2",
            },
        ),
        Mistake(
            "The pair is right. But a piece that only *ends* like the pair's first part was joined as "
            "well. Compare whole pieces.",
            joined_as_text,
        ),
        Mistake(
            "The pair is right, but in the new words nothing is joined.",
            {JOIN: "joined.append(list(pieces))"},
        ),
    ),
)
