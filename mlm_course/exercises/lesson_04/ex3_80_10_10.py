"""80 / 10 / 10."""

import torch
from torch import Tensor

from mlm_course.exercises.lesson_04.rows import rows_and_masked
from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor, int]:
    """Ids, hidden places, u and random ids, all (3, 14), and the id of [MASK]."""
    ids, masked = rows_and_masked(g)
    u = torch.rand(3, 14, generator=g)
    u[0, 1:5] = torch.tensor([0.05, 0.95, 0.8, 0.9])  # each kind, and the edges; all are hidden
    return ids, masked, u, torch.randint(5, 60, (3, 14), generator=g), 4


EXERCISE = Exercise(
    minutes=9,
    inputs=inputs,
    hints=(
        "Make two boolean tensors first: where does [MASK] go, and where a random id? Both only where "
        "hidden.",
        "to_mask = masked & (u < 0.8); to_random = masked & (u >= 0.9). All else stays.",
        "return torch.where(to_mask, mask_id, torch.where(to_random, random_ids, ids))",
    ),
    mistakes=(
        Mistake(
            "Every hidden token became [MASK]. A tenth should become random, a tenth should stay.",
            {
                "to_mask = masked & (u < 0.8)": "to_mask = masked",
                "torch.where(to_random, random_ids, corrupted)": "corrupted",
            },
        ),
        Mistake(
            "You replaced tokens that are not hidden, even special ones. Only where masked is True.",
            {"masked & (u < 0.8)": "u < 0.8", "masked & (u >= 0.9)": "u >= 0.9"},
        ),
        Mistake(
            "All hidden tokens changed: from .8 to below .9 a token should stay as it is.",
            {"u >= 0.9": "u >= 0.8"},
        ),
        Mistake(
            "The two tenths are swapped: from .8 to .9 a token stays, from .9 on it is random.",
            {"(u >= 0.9)": "(u >= 0.8) & (u < 0.9)"},
        ),
    ),
)
