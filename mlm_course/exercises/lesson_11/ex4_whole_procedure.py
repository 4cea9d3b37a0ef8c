"""The whole procedure."""

import torch
from torch import Tensor

from mlm_course.corruption.strategies import lowest  # noqa: F401 (the answer uses it)
from mlm_course.exercises.lesson_11.tiny import MASK_ID, TinyModel
from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[TinyModel, Tensor, int]:
    """A model, the places (6, 11) to be written, and steps: more than some rows have words.

    Steps are 5 or 10, and a row has 10 words: there floats come out just below a whole number.
    """
    steps = 5 * int(torch.randint(1, 3, (), generator=g))
    lengths = torch.tensor([10, steps + 1, steps - 1, steps - 1, steps - 1, steps - 2])
    return TinyModel(g), torch.arange(11) < lengths[:, None], steps


def fill(predict, tokens, confidence, masked):
    """Exercise 11.3, which the answer uses."""
    p, best = predict(tokens.masked_fill(masked, MASK_ID)).softmax(-1).max(-1)
    return torch.where(masked, best, tokens), torch.where(masked, p, confidence)


def judge_all(predict, tokens, masked, real):
    """One step after which all words have new confidences."""
    p, best = predict(tokens.masked_fill(masked, MASK_ID)).softmax(-1).max(-1)
    return torch.where(masked, best, tokens), torch.where(real, p, 1.0)


def replace_all(predict, tokens, masked, real):
    """One step after which all words are new."""
    p, best = predict(tokens.masked_fill(masked, MASK_ID)).softmax(-1).max(-1)
    return torch.where(real, best, tokens), torch.where(real, p, 1.0)


FILL = "tokens, confidence = fill(predict, tokens, confidence, masked)"
CHOICE, COUNT = "lowest(confidence, n)", "(words * (steps - done) // steps).clamp(min=1)"
ROUNDED = "(words * (1 - done / steps))"
ALL_PLACES = {"certain, real)": "certain, torch.ones_like(real))"}
NO_PADDING = "lowest(confidence.masked_fill(~real, torch.inf), n)"
KEPT = f"{CHOICE[:-4]}.masked_fill(~masked, torch.inf), n)"

EXERCISE = Exercise(
    minutes=20,
    trials=4,
    hard=True,
    inputs=inputs,
    counted=("predict",),
    stages={
        "first": "the tokens after the first step",
        "n": "how many words of each row the last step hides, (B,)",
        "masked": "what the last step hides",
        "tokens": "the tokens at the end",
    },
    hints=(
        "The first step hides all that is real. Each later one first says how many words go in each "
        "row, then which, then fills them. What must padding's confidence be so that it never goes?",
        "Begin with tokens 4 where real and 0 elsewhere, confidences all 1, `masked` = real. Before "
        "step `done` = 1, 2, ... `n` is (B,): `real.sum(1) * (steps - done) // steps`, at least 1.",
        "tokens, confidence, masked = torch.where(real, 4, 0), torch.ones(real.shape), real\n"
        "for done in range(steps):\n"
        "    if done > 0:\n"
        "        n = (real.sum(1) * (steps - done) // steps).clamp(min=1)\n"
        "        masked = lowest(confidence, n)\n"
        "    tokens, confidence = fill(predict, tokens, confidence, masked)\n"
        "return tokens, confidence",
    ),
    mistakes=(
        Mistake(
            "Words that were kept once are never hidden again. In Mask-Predict every word is a "
            "candidate in every step.",
            {"tokens = first": "tokens, masked = first, real", CHOICE: KEPT},
            {"tokens = first": "tokens, masked = first, real", CHOICE: f"masked & {CHOICE}"},
        ),
        Mistake(
            "All confidences are renewed in every step. A word that stays keeps the confidence it "
            "was chosen with.",
            {FILL: "tokens, confidence = judge_all(predict, tokens, masked, real)"},
        ),
        Mistake(
            "Every step replaces all words, also those that stay on the page.",
            {FILL: "tokens, confidence = replace_all(predict, tokens, masked, real)"},
        ),
        Mistake(
            "One step ahead: in the second step (`t` = 1) n is N * (1 - 1 / T).",
            {"steps - done": "steps - done - 1"},
        ),
        Mistake(
            "One step behind: the second step (`t` = 1) hides all words once more. There n is "
            "N * (1 - 1 / T).",
            {"steps - done": "steps - done + 1"},
        ),
        Mistake(
            "One step too many: the first one, on the empty page, counts as a step.",
            {"range(1, steps)": "range(1, steps + 1)"},
        ),
        Mistake(
            "One step is missing: the first one, on the empty page, and T - 1 later ones.",
            {"range(1, steps)": "range(2, steps)"},
            {"range(1, steps)": "range(1, steps - 1)"},
        ),
        Mistake(
            "This is one step. The doubtful words must be hidden and filled again.",
            {"range(1, steps)": "range(0)"},
        ),
        Mistake(
            "The number of hidden words grows with the steps. It falls from N to N / T.",
            {"(steps - done) // steps": "done // steps"},
        ),
        Mistake(
            "The words that the model is most sure of are hidden again. Take the least.",
            {CHOICE: "lowest((-confidence).masked_fill(~real, torch.inf), n)"},
        ),
        Mistake(
            "The numbers are rounded up here, or to the nearest: N * (1 - t / T) is rounded down.",
            {COUNT: "-(-words * (steps - done) // steps)"},
            {COUNT: f"{ROUNDED}.round().clamp(min=1)"},
            {COUNT: f"{ROUNDED}.round().long().clamp(min=1)"},
        ),
        Mistake(
            "In one step one word too few goes: `1 - t / T` in floats is just below what it should be, and "
            "so is the product. Rounded down it loses 1. `N * (T - t) // T` has no such error.",
            {
                COUNT: "torch.tensor([int(n * (1 - done / steps)) for n in words.tolist()]).clamp(min=1)"
            },
            {COUNT: "(words.double() * (1 - done / steps)).long().clamp(min=1)"},
        ),
        Mistake(
            "With more steps than a row has words, its last steps hide nothing. At least one word goes.",
            {".clamp(min=1)": ""},
        ),
        Mistake(
            "All rows hide as many words as the longest one. N is the row's own number.",
            {"real.sum(1)": "real.sum(1).amax().expand(len(real))", CHOICE: f"{CHOICE} & real"},
            {"real.sum(1)": "real.sum(1).amax().expand(len(real))", CHOICE: f"{NO_PADDING} & real"},
        ),
        Mistake(
            "The share is taken of what the step before hid. n is a share of N, the words of the row.",
            {
                "tokens = first": "tokens, masked = first, real",
                "words * (steps": "masked.sum(1) * (steps",
            },
        ),
        Mistake(
            "Each step begins from the empty page again, so the kept words are not there to be seen.",
            {FILL: "tokens, confidence = fill(predict, page, confidence, masked)"},
            {
                FILL: "new, confidence = fill(predict, page, confidence, masked)\n"
                "        tokens = torch.where(masked, new, tokens)"
            },
        ),
        Mistake(
            "Padding was written. Only places that are `real` get a word and a confidence.",
            ALL_PLACES,
            ALL_PLACES | {CHOICE: NO_PADDING},
            ALL_PLACES | {"torch.where(real, 4, 0)": "torch.full(real.shape, 4)"},
            {"torch.ones(real.shape)": "torch.zeros(real.shape)"},
        ),
        Mistake(
            "Words and the other confidences are right. Padding's confidence has to be 1, not 0.",
            {"torch.ones(real.shape)": "torch.zeros(real.shape)", CHOICE: NO_PADDING},
        ),
        Mistake(
            "`[MASK]` stands on the padding, on the page and in the result. Its token is 0 in both.",
            {"torch.where(real, 4, 0)": "torch.full(real.shape, 4)"},
        ),
    ),
)
