"""The text again."""

import torch

from mlm_course.practice.exercise import Exercise, Mistake

WORDS = (
    "anna gave tom a red towel and he thanked her for it at the river now ben brings milk".split()
)


def mark(number: int) -> str:
    """The mark of a span."""
    return f"<extra_id_{number}>"


def inputs(g: torch.Generator) -> tuple[list[str], list[str]]:
    """A source with four marks, and a target with three of their spans and two that are strange.

    The spans come in another order than the marks, one has one word, and one mark is missing.
    """
    words = [WORDS[i] for i in torch.randperm(len(WORDS), generator=g).tolist()]
    source = []
    for number in range(4):
        source += [*words[2 * number : 2 * number + 2], mark(number)]
    source += words[8:10]
    spans = [words[10:13], words[13:14], words[14:16]]
    missing = int(torch.randint(4, (), generator=g))
    numbers = [number for number in range(4) if number != missing]
    told = [[mark(n), *span] for n, span in zip(numbers, spans, strict=True)]
    told.insert(2, [mark(7), words[16]])
    told.reverse()
    target = [words[17], *(word for span in told for word in span), mark(4), words[18]]
    return source, target


SPAN = 'spans.get(word, []) if word.startswith("<extra_id_") else [word]'


def in_order(source: list[str], target: list[str]) -> list[str]:
    """The spans put in by their order."""
    spans: list[list[str]] = []
    for word in target:
        if word.startswith("<extra_id_"):
            spans.append([])
        elif spans:
            spans[-1].append(word)
    text: list[str] = []
    for word in source:
        is_mark = word.startswith("<extra_id_")
        text += (spans.pop(0) if spans else []) if is_mark else [word]
    return text


def one_word(source: list[str], target: list[str]) -> list[str]:
    """The one word behind each mark."""
    text = []
    for word in source:
        if not word.startswith("<extra_id_"):
            text.append(word)
        elif word in target:
            text.append(target[target.index(word) + 1])
    return text


def up_to_the_next_number(source: list[str], target: list[str]) -> list[str]:
    """Each span read up to the mark with the next number, or the end."""
    text = []
    for word in source:
        if not word.startswith("<extra_id_"):
            text.append(word)
        elif word in target:
            start = target.index(word) + 1
            rest = target[start:]
            end = mark(int(word[10:-1]) + 1)
            rest = rest[: rest.index(end)] if end in rest else rest
            text += [one for one in rest if not one.startswith("<extra_id_")]
    return text


EXERCISE = Exercise(
    minutes=10,
    inputs=inputs,
    stages={"spans": "the words that belong to each mark"},
    hints=(
        "Read the target first, and note for each mark the words up to the next mark, whichever that is.",
        "A dictionary, mark -> list of words, does not care about the order, and `.get(mark, [])` not "
        "about a mark that is missing.",
        "Then walk through the source: a word goes into the text as it is, a mark as its list of words.",
        "spans, mark = {}, None\n"
        "for word in target:\n"
        "    if word.startswith('<extra_id_'):\n"
        "        mark = word\n"
        "        spans[mark] = []\n"
        "    elif mark is not None:\n"
        "        spans[mark].append(word)\n"
        "text = []\n"
        "for word in source:\n"
        "    text += spans.get(word, []) if word.startswith('<extra_id_') else [word]\n"
        "return text",
    ),
    mistakes=(
        Mistake(
            "The first mark got the target's first span, the second the second, and so on. Marks say where "
            "a span belongs, not their order.",
            in_order,
        ),
        Mistake(
            "Each mark became one word. A mark may stand for several.",
            one_word,
        ),
        Mistake(
            "A span goes on beyond the next mark: it ends at *any* mark, not only at the one with the next "
            "number.",
            up_to_the_next_number,
        ),
        Mistake(
            "A mark that the target does not have was left in the text. Nothing stands in its place.",
            {SPAN: "spans.get(word, [word])"},
        ),
        Mistake(
            "Nothing was put in: this is the source without its marks.",
            {SPAN: '[] if word.startswith("<extra_id_") else [word]'},
        ),
        Mistake(
            "The spans came out with their marks in front. A mark is not a word of the text.",
            {"spans[mark] = []": "spans[mark] = [mark]"},
        ),
        Mistake(
            "Only the last word of each span came out: words behind a mark are added, one after the other.",
            {"spans[mark].append(word)": "spans[mark] = [word]"},
        ),
    ),
)
