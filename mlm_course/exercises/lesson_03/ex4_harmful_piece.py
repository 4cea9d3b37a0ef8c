"""A piece that does harm."""

from typing import Any

import torch

from mlm_course.practice.exercise import Exercise, Function, Mistake

MOST = 6  # pieces of "masking": the first has two letters at least, or nothing would change


def inputs(g: torch.Generator) -> tuple[()]:
    """Nothing: a vocabulary is designed."""
    return ()


def cut(word: str, vocabulary: set[str]) -> list[str]:
    """The pieces of a word as WordPiece takes them."""
    pieces: list[str] = []
    rest = word
    while rest:
        mark = "##" if pieces else ""
        ends = (n for n in range(len(rest), 0, -1) if mark + rest[:n] in vocabulary)
        length = next(ends, None)
        if length is None:
            return ["[UNK]"]
        pieces.append(mark + rest[:length])
        rest = rest[length:]
    return pieces


def judge(design: Any) -> str | None:
    """What the first condition is that a design does not keep."""
    if not isinstance(design, tuple | list) or len(design) != 2:
        return "Your function has to return two things, `pieces` and `extra`."
    pieces, extra = design
    if not isinstance(pieces, list | tuple | set | frozenset) or not isinstance(extra, str):
        return "`pieces` has to be a list of strings and `extra` one string."
    if not all(isinstance(piece, str) for piece in pieces):
        return "`pieces` has to be a list of strings."
    if extra in pieces:
        return f"`extra`, '{extra}', is in `pieces` already: nothing would change."
    before, after = set(pieces), {*pieces, extra}
    for word in ("masking", "masked"):
        if len(cut(word, before)) != 2:
            return (
                f"`pieces` alone cuts '{word}' into {said(word, before)}; it should be two pieces."
            )
    if cut("masked", after) != ["[UNK]"]:
        return f"With '{extra}' added, 'masked' is cut into {said('masked', after)}, not unknown."
    if cut("masking", after) == ["[UNK]"]:
        return f"With '{extra}' added, 'masking' is unknown as well; it should be cut into pieces."
    if len(cut("masking", after)) < MOST:
        return (
            f"With '{extra}' added, 'masking' is cut into {said('masking', after)}. Another design "
            "reaches more."
        )
    return None


def said(word: str, vocabulary: set[str]) -> str:
    """How a word is cut, and into how many pieces."""
    pieces = cut(word, vocabulary)
    return f"{' '.join(pieces)} ({len(pieces)})"


def returning(pieces: list[str], extra: str) -> Function:
    """A function with this design."""

    def design() -> tuple[list[str], str]:
        return list(pieces), extra

    return design


LETTERS = [f"##{letter}" for letter in "asking"]
WRONG = (  # longer beginnings; no second condition; an inner piece; a letter too many
    returning(["mas", "##king", "##ked", *LETTERS], "mask"),
    returning(["m", "##asking", "##asked", *LETTERS], "##as"),
    returning(["m", "##asking", "##asked", *LETTERS, "##e", "##d"], "ma"),
    returning(["m", "##asking", "##asked"], "ma"),
    returning(["mask", "##ing", "##ed", *LETTERS], "maski"),
    returning(["m", "##asking", *LETTERS], "ma"),
    returning(["m", "##asking", "##asked", *LETTERS, "ma"], "ma"),
    returning(["masking", "masked", *LETTERS], "ma"),
)

EXERCISE = Exercise(
    minutes=15,
    kind="design",
    hard=True,
    inputs=inputs,
    trials=1,
    judge=judge,
    hints=(
        "The longest piece at the front is taken, whatever becomes of the rest. So `extra` should be "
        "tempting, and its rest hard to build.",
        "The two pieces of 'masking' are a beginning and a rest. If `extra` is one letter longer than the "
        "beginning, the rest no longer fits, and single letters are needed.",
        "The shorter the beginning, the more letters are left. Which letter does 'masked' need that "
        "'masking' does not?",
        "pieces = ['m', '##asking', '##asked', '##s', '##k', '##i', '##n', '##g']\n"
        "return pieces, 'ma'",
    ),
    mistakes=tuple(Mistake(judge(way()) or "", way) for way in WRONG),
)
