"""One step is wrong, two are right."""

from collections import Counter
from typing import Any

import torch

from mlm_course.practice.exercise import Exercise, Function, Mistake

Page = list[str | None]  # None: hidden


def inputs(g: torch.Generator) -> tuple[()]:
    """Nothing: the answers are to be made up."""
    return ()


def judge(texts: Any) -> str | None:
    """What is wrong with some answers, after a perfect model has written them in one and two steps."""
    if sentence := form_sentence(texts):
        return sentence
    answers = [text.split() for text in texts]
    N = len(answers[0])
    chances, tie = guesses(answers, [None] * N)
    if tie:
        return f"In the first step {tie}"
    first = [word for word, _ in chances]
    if first in answers:
        return (
            f"One step writes '{' '.join(first)}', which is one of your answers already: nothing is "
            "mixed. The likeliest words of the places must not belong together."
        )
    counts = [count for _, count in chances]
    order, n = sorted(range(N), key=counts.__getitem__), N // 2
    if counts[order[n - 1]] == counts[order[n]]:
        sure = ", ".join(f"{word} {count}/{len(answers)}" for word, count in chances)
        return f"One step writes {sure}. Which {n} of them are the least sure is a tie."
    page: Page = [None if place in order[:n] else word for place, word in enumerate(first)]
    if not any(fits(answer, page) for answer in answers):
        return (
            f"One step writes '{' '.join(first)}', and '{shown(page)}' is what stays. No answer of "
            "yours has these words together, so no second step can mend it."
        )
    chances, tie = guesses(answers, page)
    if tie:
        return f"One step writes '{' '.join(first)}', and '{shown(page)}' is what stays. Then {tie}"
    second = [word for word, _ in chances]
    if second not in answers:
        return (
            f"One step writes '{' '.join(first)}', and '{shown(page)}' is what stays. The second step "
            f"makes '{' '.join(second)}' of it: the two mix answers again."
        )
    return None


def form_sentence(texts: Any) -> str | None:
    """A sentence where these are not different texts of the same number of words, 3 to 6."""
    if not isinstance(texts, list | tuple) or not all(type(text) is str for text in texts):
        return "Your function does not return a list of texts."
    answers = [tuple(text.split()) for text in texts]
    if len(answers) < 2 or len(set(answers)) < len(answers):
        return "There have to be several answers, and no two alike: all are equally likely."
    if len({len(answer) for answer in answers}) > 1:
        return "All answers have to have the same number of words: a page has one length."
    return None if 3 <= len(answers[0]) <= 6 else "Each answer has to have 3 to 6 words."


def fits(answer: list[str], page: Page) -> bool:
    return all(seen in (None, word) for word, seen in zip(answer, page, strict=True))


def guesses(answers: list[list[str]], page: Page) -> tuple[list[tuple[str, int]], str | None]:
    """The likeliest word of each place with its number of answers, and a sentence about a tie."""
    fitting = [answer for answer in answers if fits(answer, page)]
    best = []
    for place, words in enumerate(zip(*fitting, strict=True), 1):
        (word, count), *others = Counter(words).most_common()
        if others and others[0][1] == count:
            return [], (
                f"'{word}' and '{others[0][0]}' are equally likely at place {place}: a tie. More answers "
                "can break it."
            )
        best.append((word, count))
    return best, None


def shown(page: Page) -> str:
    return " ".join(word or "_" for word in page)


def giving(texts: tuple[str, ...]) -> Function:
    """A function that has made up these answers."""

    def made_up() -> list[str]:
        return list(texts)

    return made_up


WRONG = (
    ("today we go home", "we go home today"),
    ("we go home", "we go today", "they go home"),
    ("we go home", "we run home", "we run there", "they run home"),
    ("we go today", "they walk today", "we left early", "all left soon"),
    ("we go early", "they walk today", "you leave today", "we left soon", "all left early"),
    ("we go today", "we walk today", "all leave today", "we left early", "you left soon"),
    ("we go today", "we walk today", "we leave today"),
    (
        "we left early",
        "we go soon",
        "we come late",
        "you left today",
        "all go today",
        "i come today",
    ),
    ("we left by bus", "we left by car", "we left at once", "we left for once"),
    ("we go home", "we go home", "home we go"),
    ("we go home now", "home we go"),
    ("go home", "home go", "go go"),
)


def wrong_answers() -> tuple[Mistake, ...]:
    """A mistake for each of these, with what is said about it."""
    return tuple(Mistake(judge(texts) or "none", giving(texts)) for texts in WRONG)


EXERCISE = Exercise(
    minutes=20,
    kind="design",
    hard=True,
    inputs=inputs,
    trials=1,
    judge=judge,
    hints=(
        "Three words are enough, then the second step hides one. For one step to go wrong, the "
        "likeliest words of the three places must not stand together in any answer.",
        "Let the middle word of that mixture be the least sure one, and have *one* answer that shares "
        "its two other words. Two answers that share the middle word, and two more that share the "
        "last, decide which words are the likeliest.",
        """return [
    "a d e",
    "f g e",
    "h k e",
    "a b c",
    "a b m",
]""",
    ),
    mistakes=wrong_answers(),
)
