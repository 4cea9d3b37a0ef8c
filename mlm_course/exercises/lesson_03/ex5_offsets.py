"""Back to the characters."""

import torch

from mlm_course.practice.exercise import Exercise, Mistake

KNOWN = {
    "A": "a",
    "banana": "ban ##an ##a",
    "Nan": "nan",
    "bans": "ban ##s",
    "an": "an",
    "Anna": "an ##na",
    "has": "has",
    "bananas": "ban ##an ##a ##s",
}
UNKNOWN = ["zebra", "ночь", "naïvety"]


def inputs(g: torch.Generator) -> tuple[str, list[str]]:
    """Eight known words and two unknown ones, one of them last; one to three spaces between them."""
    strange = [UNKNOWN[i] for i in torch.randperm(3, generator=g)[:2].tolist()]
    words = [*KNOWN, *strange]
    words = [words[i] for i in torch.randperm(len(words), generator=g).tolist()]
    words.append(words.pop(words.index(strange[0])))  # no space behind it
    gaps = torch.randint(1, 4, (len(words),), generator=g).tolist()
    gaps[0], gaps[4] = gaps[0] - 1, 3
    text = "".join(" " * gap + word for gap, word in zip(gaps, words, strict=True))
    tokens = " ".join(KNOWN.get(word, "[UNK]") for word in words).split()
    return text, ["[CLS]", *tokens, "[SEP]"]


Places = list[tuple[int, int]]


def looked_up(text: str, tokens: list[str], after: bool) -> Places:
    """Each token where `find` has it, in the lower-case text or in the text as it is."""
    places, end = [], 0
    for token in tokens:
        if token in ("[CLS]", "[SEP]"):
            places.append((0, 0))
            continue
        piece = token.removeprefix("##")
        start = text.find(piece, end if after else 0)
        if token == "[UNK]":
            start = end + len(text[end:]) - len(text[end:].lstrip())
            piece = text[start:].split()[0]
        places.append((start, start + len(piece)))
        end = start + len(piece)
    return places


def first_place(text: str, tokens: list[str]) -> Places:
    """Looks for each piece from the beginning of the text."""
    return looked_up(text.lower(), tokens, after=False)


def as_written(text: str, tokens: list[str]) -> Places:
    """Looks for lower-case pieces in a text with capitals."""
    return looked_up(text, tokens, after=True)


def without_spaces(text: str, tokens: list[str]) -> Places:
    """Counts the characters of the words only."""
    words, places, end = text.split(), [], 0
    for token in tokens:
        if token in ("[CLS]", "[SEP]"):
            places.append((0, 0))
            continue
        new = not token.startswith("##")
        word = words.pop(0) if new else ""
        start, end = end, end + len(word if token == "[UNK]" else token.removeprefix("##"))
        places.append((start, end))
    return places


def up_to_the_next_space(text: str, tokens: list[str]) -> Places:
    """An unknown word ends where `find` has the next space."""
    places, end = [], 0
    for token in tokens:
        if token in ("[CLS]", "[SEP]"):
            places.append((0, 0))
            continue
        start = end + len(text[end:]) - len(text[end:].lstrip())
        length = len(token.removeprefix("##"))
        end = text.find(" ", start) if token == "[UNK]" else start + length
        places.append((start, end))
    return places


UNKNOWN_END = "start + len(text[start:].split()[0])"

EXERCISE = Exercise(
    minutes=15,
    inputs=inputs,
    hints=(
        "Walk through the text with the tokens: where one ends, the search for the next begins.",
        "Behind a token there may be spaces: skip them. A piece that continues a word has none in front, "
        "so skipping does no harm.",
        "How long is a token? Its text without ##. For [UNK] it is the word that stands there: "
        "`text[start:].split()[0]`.",
        "places, end = [], 0\n"
        "for token in tokens:\n"
        "    if token in ('[CLS]', '[SEP]'):\n"
        "        places.append((0, 0))\n"
        "        continue\n"
        "    start = end\n"
        "    while text[start] == ' ':\n"
        "        start += 1\n"
        "    if token == '[UNK]':\n"
        "        end = start + len(text[start:].split()[0])\n"
        "    else:\n"
        "        end = start + len(token.removeprefix('##'))\n"
        "    places.append((start, end))\n"
        "return places",
    ),
    mistakes=(
        Mistake(
            "Each piece got the first place in the text that spells it. A piece may come again: search "
            "from where the token before it ended.",
            first_place,
        ),
        Mistake(
            "Tokens are in lower case, the text is not: a piece with a capital in the text got a place "
            "where the text has it small, or none (-1).",
            as_written,
        ),
        Mistake(
            "These places count the letters of the words only. The spaces of the text count as well.",
            without_spaces,
        ),
        Mistake(
            "Places drift off behind a stretch of several spaces: more than one may have to be skipped.",
            {"while text[start]": "if text[start]"},
        ),
        Mistake(
            "The ## of a piece was counted. It stands in no text.",
            {'.removeprefix("##")': ""},
        ),
        Mistake(
            "[UNK] was taken for five characters. It stands for the whole word at its place, "
            "however long that is.",
            {UNKNOWN_END: "start + 5"},
        ),
        Mistake(
            "Behind the last word there is no space, and `find` gives -1 where it finds nothing. A word "
            "may also end where the text ends.",
            up_to_the_next_space,
            writes="find",
        ),
        Mistake(
            "[UNK] was taken for a single character. It stands for the whole word at its place.",
            {UNKNOWN_END: "start + 1"},
        ),
        Mistake(
            "[UNK] got (0, 0), and its word was not passed over. It stands for one whole word.",
            {'("[CLS]", "[SEP]")': '("[CLS]", "[SEP]", "[UNK]")'},
        ),
        Mistake(
            "These ends are the last characters' places. text[start:end] stops *before* end: one more.",
            {"places.append((start, end))": "places.append((start, end - 1))"},
        ),
        Mistake(
            "These are starts and lengths. What is asked for are starts and ends.",
            {"places.append((start, end))": "places.append((start, end - start))"},
        ),
        Mistake(
            "The pairs are right, but those of [CLS] and [SEP] are missing: each token gets one.",
            {"places.append((0, 0))": "pass"},
        ),
        Mistake(
            "Each token begins where the one before it ended, spaces included. Skip them first.",
            {'" "': '""'},
        ),
    ),
)
