"""As many gaps a pass as the model is sure of."""

from typing import Any

import torch
from torch import Tensor

from mlm_course.exercises.lesson_12.little_model import V, maker
from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Any, ...]:
    """A model that says [MASK] at times; lines (5, 9) with 9, 8, 6, 3 and no gaps; a probability; passes."""
    new_model, bias = maker(g, 9), torch.zeros(9, V)
    bias[:, 4] = torch.linspace(-2, 5, 9)[torch.randperm(9, generator=g)]  # at some places only
    model = new_model().requires_grad_(False)

    def predict(canvas: Tensor) -> Tensor:
        return 0.7 * model(canvas) + bias

    n_masked = torch.tensor([9, 8, 6, 3, 0])[torch.randperm(5, generator=g)]
    masked = torch.rand(5, 9, generator=g).argsort(1).argsort(1) < n_masked[:, None]
    words = torch.randint(5, V, (5, 9), generator=g)
    return predict, words.masked_fill(masked, 4), 0.5, 10


EXERCISE = Exercise(
    minutes=10,
    inputs=inputs,
    trials=12,
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
            {"predict(canvas).index_fill(-1, torch.tensor([4]), -torch.inf)": "predict(canvas)"},
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
            {"p.amax(1, keepdim=True).clamp(max=sure)": "sure"},
        ),
        Mistake(
            "In each pass one place of a row was filled. All that reach `sure` are filled at once.",
            {".clamp(max=sure)": ""},
        ),
        Mistake(
            "Where no word of a row is sure enough, another row decides: the most probable place was looked "
            "for in the whole batch. Each row has its own.",
            {"p.amax(1, keepdim=True)": "p.amax()"},
        ),
        Mistake(
            "Words that stand on the canvas compete with the gaps for the highest probability, and where one "
            "of them has it, nothing is filled. Look among the masked places.",
            {"p.where(masked, 0.0)": "p"},
        ),
        Mistake(
            "Words that stood on the canvas were written over. New words only where it is masked.",
            {"p.where(masked, 0.0)": "p", "masked & (p >= least)": "p >= least"},
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
        Mistake(
            "The canvas is right. Passes were counted for rows in which nothing was masked any more.",
            {"taken += masked.any(1)": "taken += 1"},
        ),
        Mistake(
            "The canvas is right. Counted were the places that were filled, not the passes.",
            {"taken += masked.any(1)": "taken += (masked & (p >= least)).sum(1)"},
        ),
        Mistake(
            "The canvas is right. A row's count is one too small: a pass that fills its last gap counts.",
            {"taken += masked.any(1)": "taken += (canvas == 4).any(1)"},
        ),
    ),
)
