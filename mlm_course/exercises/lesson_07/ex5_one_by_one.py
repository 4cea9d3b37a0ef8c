"""One by one."""

from collections.abc import Callable

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake
from mlm_course.tokenization import MASK_ID

V = 13


def inputs(g: torch.Generator) -> tuple[Callable[[Tensor], Tensor], Tensor]:
    """A guesser that looks at all places, and a sentence (9,) with four or five gaps."""
    words = torch.randn(V, 6, generator=g)
    mix = 2.5 * torch.randn(9, 9, generator=g) / 3
    out = 1.2 * torch.randn(6, V, generator=g)
    ids = torch.randint(5, V, (9,), generator=g)
    n = 4 + int(torch.rand((), generator=g) < 0.5)
    gaps = torch.randperm(9, generator=g)[:n]
    visible = torch.ones(9, dtype=torch.bool)
    visible[gaps] = False

    def predict(shown: Tensor) -> Tensor:
        """Probabilities (9, V) at all places; at visible ones it is very sure of what stands there."""
        logits = torch.tanh(mix @ words[shown]) @ out
        seen = torch.nn.functional.one_hot(shown, V) * (shown != MASK_ID)[:, None]
        logits = logits + 20.0 * seen
        logits[:, :5] = -1e9
        return logits.softmax(-1)

    return predict, ids.masked_fill(~visible, MASK_ID)


def left_to_right(predict, shown):
    """The gaps in reading order."""
    filled, log_p = shown.clone(), 0.0
    for place in (shown == MASK_ID).nonzero()[:, 0]:
        sure, best = predict(filled).max(-1)
        filled[place] = best[place]
        log_p = log_p + sure[place].log()
    return filled, log_p


def order_of_the_first_call(predict, shown):
    """The order is fixed before anything is filled, the words are not."""
    filled, log_p = shown.clone(), 0.0
    first = predict(shown).max(-1).values.where(shown == MASK_ID, -1.0)
    for place in first.argsort(descending=True)[: int((shown == MASK_ID).sum())]:
        sure, best = predict(filled).max(-1)
        filled[place] = best[place]
        log_p = log_p + sure[place].log()
    return filled, log_p


def at_once(predict, shown):
    """Every gap from the first answer."""
    masked = shown == MASK_ID
    sure, best = predict(shown).max(-1)
    return torch.where(masked, best, shown), sure[masked].log().sum()


def scored_at_the_end(predict, shown):
    """The words are right, their probabilities are those with all other words in view."""
    filled, log_p = shown.clone(), 0.0
    gaps = (shown == MASK_ID).nonzero()[:, 0]
    for _ in gaps:
        masked = filled == MASK_ID
        sure, best = predict(filled).max(-1)
        place = sure.where(masked, -1.0).argmax()
        filled[place] = best[place]
    for place in gaps:
        one = filled.clone()
        one[place] = MASK_ID
        log_p = log_p + predict(one)[place, filled[place]].log()
    return filled, log_p


def scored_at_the_beginning(predict, shown):
    """The words are right, their probabilities are those with all gaps empty."""
    filled = shown.clone()
    gaps = (shown == MASK_ID).nonzero()[:, 0]
    for _ in gaps:
        sure, best = predict(filled).max(-1)
        place = sure.where(filled == MASK_ID, -1.0).argmax()
        filled[place] = best[place]
    return filled, predict(shown)[gaps, filled[gaps]].log().sum()


def into_a_copy(predict, shown):
    """Nothing arrives in `filled`."""
    filled, log_p = shown.clone(), 0.0
    masked = shown == MASK_ID
    for _ in range(int(masked.sum())):
        sure, best = predict(filled)[masked].max(-1)
        filled[masked][sure.argmax()] = best[sure.argmax()]
        log_p = log_p + sure.max().log()
    return filled, log_p


PLACE = "sure.where(masked, -1.0).argmax()"
ADD = "log_p = log_p + sure[place].log()"

EXERCISE = Exercise(
    hard=True,
    minutes=15,
    inputs=inputs,
    counted=("predict",),
    hints=(
        "One round: ask the guesser about what stands there now, choose one gap, fill it, and write down "
        "how likely its word was. How many rounds are there?",
        "predict(filled).max(-1) is a pair (T,), (T,): how sure it is at each place, and of which word. "
        "The visible places must not win: .where(masked, -1.0) before argmax().",
        "What stands there changes from round to round, so which gap is the surest is asked anew. By "
        "the chain rule the logarithms add up.",
        "filled, log_p = shown.clone(), 0.0\n"
        "while (masked := filled == MASK_ID).any():\n"
        "    sure, best = predict(filled).max(-1)\n"
        "    place = sure.where(masked, -1.0).argmax()\n"
        "    filled[place] = best[place]\n"
        "    log_p = log_p + sure[place].log()\n"
        "return filled, log_p",
    ),
    mistakes=(
        Mistake(
            "All gaps were filled from the first answer. Fill one, ask again: the next answers can see "
            "it.",
            at_once,
        ),
        Mistake(
            "The gaps were filled from left to right. The surest of those that are left comes first.",
            left_to_right,
        ),
        Mistake(
            "The gaps were filled in the order in which the first answer was sure of them. Each word "
            "that is filled in changes that: choose anew in each round.",
            order_of_the_first_call,
        ),
        Mistake(
            "The least sure gap was filled first.",
            {PLACE: "sure.where(masked, 2.0).argmin()"},
        ),
        Mistake(
            "Some gaps are still empty: the guesser is surest at a visible place. Only gaps may be "
            "chosen.",
            {
                PLACE: "sure.argmax()",
                "while (masked := filled == MASK_ID).any()": "for _ in range("
                "int((masked := filled == MASK_ID).sum()))",
            },
        ),
        Mistake(
            "No gap has been filled: `x[mask][i] = ...` writes into a copy of x and not into x.",
            into_a_copy,
            writes=r"\]\s*\[[^\]]+\]\s*=(?!=)",
        ),
        Mistake(
            "The words are right. The second result is the product of the probabilities; wanted is its "
            "logarithm, a sum.",
            {"shown.clone(), 0.0": "shown.clone(), 1.0", ADD: "log_p = log_p * sure[place]"},
        ),
        Mistake(
            "The words are right. The second result is a sum of probabilities. By the chain rule "
            "probabilities multiply, so their logarithms add up.",
            {ADD: "log_p = log_p + sure[place]"},
        ),
        Mistake(
            "The words are right. The second result is a mean over the gaps; the chain rule has a sum.",
            {"return filled, log_p": "return filled, log_p / (shown == MASK_ID).sum()"},
        ),
        Mistake(
            "The words are right. The sign of the logarithm is not: log p is negative.",
            {"return filled, log_p": "return filled, -log_p"},
        ),
        Mistake(
            "The words are right, their probabilities are not those of the chain rule: each is asked "
            "with all other gaps filled. Write down what it was when the word was filled in.",
            scored_at_the_end,
        ),
        Mistake(
            "The words are right, their probabilities are not those of the chain rule: each is asked "
            "with all gaps empty. Write down what it was when the word was filled in.",
            scored_at_the_beginning,
        ),
        Mistake(
            "The words are right. The second result adds up all places of each round. Only the word "
            "that is filled in counts.",
            {ADD: "log_p = log_p + sure.log().sum()"},
        ),
        Mistake(
            "Your function writes into `shown`, and whoever called it still needs it: begin with "
            "shown.clone().",
            {"shown.clone(), 0.0": "shown, 0.0"},
        ),
    ),
)
