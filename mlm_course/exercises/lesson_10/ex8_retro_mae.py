"""RetroMAE: which key each query sees."""

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, Tensor, float]:
    """Noise (3, 7, 7), where there is text (3, 7), and the share that is not seen."""
    text = torch.arange(7) < torch.tensor([[7], [5], [4]])
    ratio = 0.3 + 0.4 * torch.rand((), generator=g).item()
    noise = torch.rand(3, 7, 7, generator=g)
    noise[0, 3, 3], noise[0, 4, 0], noise[0, 4, 1], noise[1, 2, 6] = 0.99, 0.01, 0.98, 0.97
    return noise, text, ratio


EXERCISE = Exercise(
    minutes=8,
    inputs=inputs,
    hints=(
        "Four conditions. One of them lets something in, the others keep something out; the order "
        "matters.",
        "noise >= ratio is (B, T, T), a line of keys for each query. torch.eye(T) marks 'itself'. "
        "Padding is about keys: text[:, None].",
        "seen = (noise >= ratio) & ~torch.eye(noise.shape[1], dtype=torch.bool) & text[:, None]\n"
        "seen[..., 0] = True\n"
        "return seen",
    ),
    mistakes=(
        Mistake(
            "A place sees itself, so it can copy its own word: there is no question left. Take the "
            "diagonal out.",
            {" & ~is_self": ""},
        ),
        Mistake(
            "All queries of a row see the same words. Each draws its own: `noise` has a line for "
            "every query.",
            {"(noise >= ratio)": "(noise[:, :1] >= ratio)"},
        ),
        Mistake(
            "Inverted: `ratio` is the share that is *not* seen, so a key is seen where its noise is "
            "at least `ratio`.",
            {"noise >= ratio": "noise < ratio"},
        ),
        Mistake(
            "Place 0 holds the sentence's vector, and every query sees it, whatever the noise says.",
            {"    seen[..., 0] = True\n": ""},
        ),
        Mistake(
            "Padding is seen. Keep out keys where `text` is False.",
            {" & text[:, None]": ""},
        ),
        Mistake(
            "`text` was applied to the queries. It is about keys, the last axis: `text[:, None]`.",
            {"text[:, None]": "text[:, :, None]"},
        ),
        Mistake(
            "Place 0 does not see itself. The text's vector stands there, and no word to be copied: "
            "all places see it, place 0, too.",
            {"return seen": "return seen & ~is_self"},
        ),
        Mistake(
            "`text` was applied to queries and keys. Only keys are kept out: what a place of padding "
            "sees does not matter.",
            {"text[:, None]": "text[:, None] & text[:, :, None]"},
        ),
        Mistake(
            "Query 0 sees every place, and place 0 is not seen by every query. The last axis holds the "
            "keys.",
            {"seen[..., 0]": "seen[:, 0]"},
        ),
    ),
)
