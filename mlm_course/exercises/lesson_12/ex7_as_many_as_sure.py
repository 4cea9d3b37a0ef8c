"""As many gaps a pass as the model is sure of."""

from typing import Any

import torch
import torch.nn.functional as F  # noqa: F401 (edited answers use it)
from torch import Tensor

from mlm_course.exercises.lesson_12.little_model import V, maker
from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Any, ...]:
    """A model that says [MASK] at times; lines (5, 9) with 9, 8, 6, 3 and no gaps; a probability; passes.

    Either a few passes, too few for some lines, or enough and 1 as the probability, which two places
    of an empty line reach exactly: is the number of passes kept, is what equals `sure` enough?
    """
    new_model, bias, certain = maker(g, 9), torch.zeros(9, V), torch.zeros(9, V)
    bias[:, 4] = torch.linspace(-2, 5, 9)[torch.randperm(9, generator=g)]  # at some places only
    sure, passes = [0.4, 0.6, 0.7][int(torch.randint(3, (), generator=g))], 3
    if torch.rand((), generator=g) < 0.5:
        sure, passes = 1.0, 10
        certain[torch.randperm(9, generator=g)[:2], torch.randint(5, V, (2,), generator=g)] = 300.0
    model = new_model().requires_grad_(False)

    def predict(canvas: Tensor) -> Tensor:
        empty = (canvas == 4).all(1)[:, None, None]
        return 0.7 * model(canvas) + bias + certain * empty

    n_masked = torch.tensor([9, 8, 6, 3, 0])[torch.randperm(5, generator=g)]
    masked = torch.rand(5, 9, generator=g).argsort(1).argsort(1) < n_masked[:, None]
    words = torch.randint(5, V, (5, 9), generator=g)
    return predict, words.masked_fill(masked, 4), sure, passes


LOGITS = "predict(canvas).index_fill(-1, torch.tensor([4]), -torch.inf)"
ENOUGH = "p.amax(1, keepdim=True).clamp(max=sure)"
CHOSEN = "masked & (p >= least)"
COUNT = "taken += masked.any(1)"
FILLED = {COUNT: "taken += (masked & (p >= least)).any(1)"}  # what was filled is counted
SKIP = "was = canvas\n        masked = (canvas == 4) & (predict(canvas).argmax(-1) != 4)"
UNSKIPPED = "taken += (was == 4).any(1)"
FIRST = "F.one_hot(p.argmax(1), 9).bool()"  # the most probable place of a row, or place 0
ANY_PLACE = f"masked & (p >= sure) | {FIRST} & ~(masked & (p >= sure)).any(1, keepdim=True)"


EXERCISE = Exercise(
    minutes=10,
    inputs=inputs,
    trials=16,
    hints=(
        "A pass: the likeliest word and its probability at each place; for each row the least probability "
        "that is enough in this pass; the words of the masked places that reach it go into the canvas. "
        "The next pass asks the model again.",
        "What is enough: `sure`, but where even the most probable masked place of a row lies below, the "
        "probability of that place. A row's maximum over its *masked* places: put 0 at all others first.",
        "`x.clamp(max=sure)` is the smaller of both. A row took the pass if anything in it was masked.",
        "taken = torch.zeros(len(canvas), dtype=torch.int64)\n"
        "for _ in range(passes):\n"
        "    masked = canvas == 4\n"
        "    logits = predict(canvas).index_fill(-1, torch.tensor([4]), -torch.inf)\n"
        "    p, best = logits.softmax(-1).max(-1)\n"
        "    p = p.where(masked, 0.0)\n"
        "    least = p.amax(1, keepdim=True).clamp(max=sure)\n"
        "    canvas = torch.where(masked & (p >= least), best, canvas)\n"
        "    taken += masked.any(1)\n"
        "return canvas, taken",
    ),
    mistakes=(
        Mistake(
            "`[MASK]` was put in as if it were a word, so that such places stay masked. Take its logit "
            "out before softmax.",
            {LOGITS: "predict(canvas)"},
        ),
        Mistake(
            "Places where the model would say `[MASK]` were passed over. Take its logit out before "
            "softmax: then they, too, have a likeliest word.",
            {LOGITS: "predict(canvas)", "masked = canvas == 4": SKIP},
            {LOGITS: "predict(canvas)", "masked = canvas == 4": SKIP, COUNT: UNSKIPPED},
            {"masked = canvas == 4": SKIP},
            {"masked = canvas == 4": SKIP, COUNT: UNSKIPPED},
        ),
        Mistake(
            "The words are the likeliest, but their probabilities are those of a model that may say "
            "`[MASK]`. Take its logit out before softmax, not after.",
            {
                "p, best = logits.softmax(-1).max(-1)": "best = logits.argmax(-1)\n"
                "        p = predict(canvas).softmax(-1).gather(-1, best[..., None])[..., 0]"
            },
        ),
        Mistake(
            "A row in which no word is sure enough stays as it is, pass after pass. Fill its most probable "
            "place alone.",
            {ENOUGH: "sure"},
            {ENOUGH: "sure", **FILLED},
        ),
        Mistake(
            "Where no word of a row is sure enough, all its gaps were filled at once. Fill the most "
            "probable alone.",
            {ENOUGH: "torch.where(p.amax(1, keepdim=True) < sure, 0.0, sure)"},
        ),
        Mistake(
            "In each pass one place of a row was filled. All that reach `sure` are filled at once.",
            {CHOSEN: f"masked & {FIRST}"},
            {".clamp(max=sure)": ""},
        ),
        Mistake(
            "A word whose probability is exactly `sure` was not sure enough. *At least* is `>=`.",
            {CHOSEN: f"masked & ((p > sure) | {FIRST} & (p <= sure).all(1, keepdim=True))"},
        ),
        Mistake(
            "Where no word of a row is sure enough, another row decides: the most probable place was looked "
            "for in the whole batch. Each row has its own.",
            {"p.amax(1, keepdim=True)": "p.amax()"},
            {"p.amax(1, keepdim=True)": "p.amax()", **FILLED},
        ),
        Mistake(
            "A row in which no word is sure enough had to wait while another row had a sure one. It fills "
            "its most probable place in the same pass.",
            {ENOUGH: "(sure if (p >= sure).any() else p.amax(1, keepdim=True))"},
            {ENOUGH: "(sure if (p >= sure).any() else p.amax(1, keepdim=True))", **FILLED},
        ),
        Mistake(
            "Words that stand on the canvas compete with the gaps for the highest probability, and where one "
            "of them has it, nothing is filled. Look among the masked places.",
            {"p.where(masked, 0.0)": "p"},
            {"p.where(masked, 0.0)": "p", **FILLED},
        ),
        Mistake(
            "Words that stood on the canvas were written over. New words only where it is masked.",
            {"p.where(masked, 0.0)": "p", CHOSEN: "p >= least"},
            {
                "p = p.where(masked, 0.0)": "own = p.where(masked, 0.0)",
                "p.amax": "own.amax",
                CHOSEN: "p >= least",
            },
            {
                "p = p.where(masked, 0.0)": "own = p.where(masked, 0.0)",
                "p.amax": "own.amax",
                CHOSEN: "(p >= sure) | masked & (p >= least)",
            },
            {"p.where(masked, 0.0)": "p", CHOSEN: ANY_PLACE},
            {"p.where(masked, 0.0)": "p", CHOSEN: f"{ANY_PLACE} & masked.any(1, keepdim=True)"},
        ),
        Mistake(
            "In rows in which nothing is masked, words were written over: something was filled there, too. "
            "Leave full rows as they are.",
            {CHOSEN: "p >= least"},
            {CHOSEN: f"masked & (p >= sure) | {FIRST} & (p < sure).all(1, keepdim=True)"},
        ),
        Mistake(
            "The model was asked about the first canvas in every pass. What is filled changes its guesses "
            "of the rest: ask it about the canvas as it is now.",
            {
                "taken = torch.zeros(len(canvas), dtype=torch.int64)": "taken, first = "
                "torch.zeros(len(canvas), dtype=torch.int64), canvas",
                "predict(canvas)": "predict(first)",
            },
        ),
        Mistake("There was one pass too few.", {"range(passes)": "range(passes - 1)"}),
        Mistake("There was one pass too many.", {"range(passes)": "range(passes + 1)"}),
        Mistake(
            "The passes went on until every row was full. There are `passes`; what is masked then stays so.",
            {"for _ in range(passes)": "while (canvas == 4).any()"},
        ),
        Mistake(
            "The last pass filled all that was left. It is a pass like the others; places may stay masked.",
            {"for _ in": "for i in", "max=sure": "max=sure if i < passes - 1 else 0.0"},
        ),
        Mistake(
            "The canvas is right. Passes were counted for rows in which nothing was masked any more: each "
            "row has its own count.",
            {COUNT: "taken += 1"},
            {COUNT: "taken += masked.any()"},
        ),
        Mistake(
            "The canvas is right. Counted were the places that were filled, not the passes.",
            {COUNT: "taken += (masked & (p >= least)).sum(1)"},
        ),
        Mistake(
            "The canvas is right. The count of rows that became full is one too small: the pass that fills "
            "the last gap counts.",
            {COUNT: "taken += (canvas == 4).any(1)"},
        ),
        Mistake(
            "The canvas is right. The count of rows that have gaps left is one too large.",
            {"return canvas, taken": "return canvas, taken + (canvas == 4).any(1)"},
        ),
    ),
)
