"""The pseudo-likelihood."""

from collections.abc import Callable

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake

MASK_ID = 4
V = 9  # ids of the little vocabulary, [MASK] among them


def inputs(g: torch.Generator) -> tuple[Callable[[Tensor], Tensor], Tensor, int]:
    """A model, (M, N) ids -> (M, N, 9), whose answers hang on everything it is shown; a text (6,)."""
    tokens, places = torch.randn(V, 6, generator=g), torch.randn(7, 6, generator=g)
    back = torch.randn(6, V, generator=g)

    def predict(canvas: Tensor) -> Tensor:
        x = tokens[canvas] + places[: canvas.shape[1]]
        before, behind = x.cumsum(1), x.flip(1).cumsum(1).flip(1)
        return ((x + before - 0.5 * behind).tanh() @ back).log_softmax(-1)

    return predict, torch.randint(5, V, (6,), generator=g), MASK_ID


EXERCISE = Exercise(
    minutes=10,
    inputs=inputs,
    hints=(
        "Make N copies of the text. Which place is hidden in copy i?",
        "`ids.repeat(N, 1)` is (N, N), and `.fill_diagonal_(mask_id)` hides place i in row i. The "
        "model returns (N, N, V); you need entry [i, i, ids[i]].",
        "log_p = predict(ids.repeat(N, 1).fill_diagonal_(mask_id)); i = torch.arange(N); return "
        "log_p[i, i, ids].sum()",
    ),
    mistakes=(
        Mistake(
            "Nothing was hidden, so the model could read each answer. Hide place i in row i.",
            {".fill_diagonal_(mask_id)": ""},
        ),
        Mistake(
            "Everything was hidden at once. Each word is guessed with all others visible.",
            {".fill_diagonal_(mask_id)": ".fill_(mask_id)"},
        ),
        Mistake(
            "This is the mean. Sum the N log-probabilities.",
            {".sum()": ".mean()"},
        ),
        Mistake(
            "The words behind the hidden one were hidden as well: that is left to right. Hide one "
            "place at a time.",
            {".fill_diagonal_(mask_id)": ".masked_fill(i >= i[:, None], mask_id)"},
        ),
        Mistake(
            "A place that was hidden once stayed hidden. Put the word back before the next one is "
            "hidden.",
            {".fill_diagonal_(mask_id)": ".masked_fill(i <= i[:, None], mask_id)"},
        ),
        Mistake(
            "The answers at all places of each row were added up, though only place i was hidden in "
            "row i. Take `log_p[i, i, ids[i]]`.",
            {"[i, i, ids]": "[:, i, ids]"},
        ),
        Mistake(
            "The sign is turned: that is a surprise. Return the sum of log p, a negative number.",
            {"return predict": "return -predict"},
        ),
    ),
)
