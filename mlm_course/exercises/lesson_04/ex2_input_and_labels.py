"""What the model sees, what it should say."""

import torch
from torch import Tensor

from mlm_course.exercises.lesson_04.rows import rows_and_masked
from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, int]:
    """Ids, hidden places, u and v, all (3, 14); 55 ordinary ids in no order, and the id of [MASK]."""
    ids, masked = rows_and_masked(g)
    u = torch.rand(3, 14, generator=g)
    u[0, 1:5] = torch.tensor([0.05, 0.95, 0.8, 0.9])  # each kind, and the edges; all are hidden
    u[0, 8], u[1, 0] = 0.97, 0.95  # hidden; and a [CLS], which is not
    masked[0, 8] = True
    v = torch.rand(3, 14, generator=g)
    v[0, 2], v[0, 4], v[0, 8] = 0.29, 0.0, 0.997  # the 16th, the first and the last of them
    return ids, masked, u, v, torch.randperm(55, generator=g) + 5, 4


TO_MASK, TO_RANDOM = "masked & (u < 0.8)", "masked & (u >= 0.9)"
LABELS = "ids.masked_fill(~masked, -100)"
DRAWN = "ordinary_ids[(v * len(ordinary_ids)).long()]"

EXERCISE = Exercise(
    minutes=15,
    inputs=inputs,
    stages={
        "drawn": "a random ordinary id for each place",
        "to_mask": "where [MASK] goes",
        "to_random": "where a random id goes",
    },
    hints=(
        "Make boolean tensors first: where does [MASK] go, where a random id? Both only where hidden.",
        "v * K lies between 0 and K; its whole part is a place in `ordinary_ids`, which takes a "
        "tensor of places as index.",
        "Labels do not depend on u: each hidden token has one, also one that stays. -100 elsewhere.",
        "drawn = ordinary_ids[(v * len(ordinary_ids)).long()]\n"
        "to_mask = masked & (u < 0.8)\n"
        "to_random = masked & (u >= 0.9)\n"
        "input_ids = torch.where(to_random, drawn, ids.masked_fill(to_mask, mask_id))\n"
        "return input_ids, torch.where(masked, ids, -100)",
    ),
    mistakes=(
        Mistake(
            "Every hidden token became [MASK]. A tenth should become random, a tenth should stay.",
            {TO_MASK: "masked", TO_RANDOM: "masked & False"},
        ),
        Mistake(
            "Tokens that are not hidden were replaced, even special ones. Only where `masked` is True.",
            {TO_MASK: "u < 0.8", TO_RANDOM: "u >= 0.9"},
        ),
        Mistake(
            "[MASK] goes to hidden places only, but random ids go to others as well: there, too, "
            "`masked` has to be True.",
            {TO_RANDOM: "u >= 0.9"},
        ),
        Mistake(
            "Random ids go to hidden places only, but [MASK] goes to others as well: there, too, "
            "`masked` has to be True.",
            {TO_MASK: "u < 0.8"},
        ),
        Mistake(
            "All hidden tokens changed: from .8 to below .9 a token should stay as it is.",
            {"u >= 0.9": "u >= 0.8"},
        ),
        Mistake(
            "Up to .9 a hidden token became [MASK]: from .8 to below .9 it should stay as it is.",
            {"u < 0.8": "u < 0.9"},
        ),
        Mistake(
            "The two tenths are swapped: from .8 to .9 a token stays, from .9 on it is random.",
            {"(u >= 0.9)": "(u >= 0.8) & (u < 0.9)"},
        ),
        Mistake(
            "No hidden token became random: from .9 on it should.",
            {TO_RANDOM: "masked & False"},
        ),
        Mistake(
            "An edge is off: .8 itself already stays, and .9 itself is already random.",
            {"u < 0.8": "u <= 0.8", "u >= 0.9": "u > 0.9"},
            {"u < 0.8": "u <= 0.8"},
            {"u >= 0.9": "u > 0.9"},
        ),
        Mistake(
            "The random ids are places in `ordinary_ids`, not the ids that stand there.",
            {DRAWN: "(v * len(ordinary_ids)).long()"},
        ),
        Mistake(
            "The random ids are off by a place: v in [0, 1/K) takes the first of `ordinary_ids`.",
            {DRAWN: "ordinary_ids[(v * (len(ordinary_ids) - 1)).round().long()]"},
            {DRAWN: "ordinary_ids[(v * (len(ordinary_ids) - 1)).long()]"},
        ),
        Mistake(
            "Where v is 0 the last of `ordinary_ids` stands, by the index -1: it should be the first. Round "
            "down in place of rounding up and subtracting 1.",
            {DRAWN: "ordinary_ids[(v * len(ordinary_ids)).ceil().long() - 1]"},
        ),
        Mistake(
            "The input is right. Every token has a label, though: the model would mostly be asked to copy "
            "what it sees. -100 where nothing is hidden.",
            {LABELS: "ids.clone()"},
        ),
        Mistake(
            "The input is right. The labels are upside down: the hidden tokens are the ones to be guessed, "
            "and they got -100.",
            {LABELS: "ids.masked_fill(masked, -100)"},
        ),
        Mistake(
            "The input is right. Visible places got the label 0, the id of [PAD]: the model would be asked "
            "to say [PAD] there. cross_entropy skips -100.",
            {LABELS: "ids * masked"},
        ),
        Mistake(
            "The input is right. The labels are taken from it: they should be what stood there before.",
            {LABELS: "input_ids.masked_fill(~masked, -100)"},
        ),
        Mistake(
            "The input is right. Only tokens that changed have a label. One that stays is asked for as "
            "well: the model cannot know that nothing was done to it.",
            {LABELS: "ids.masked_fill(input_ids == ids, -100)"},
        ),
        Mistake(
            "The input is right. Only the places with [MASK] have a label. All hidden tokens are asked for.",
            {LABELS: "ids.masked_fill(~to_mask, -100)"},
        ),
        Mistake(
            "The input is right. 100 was subtracted where nothing is hidden: there the label *is* -100.",
            {LABELS: "ids - 100 * (~masked).long()"},
        ),
        Mistake(
            "The labels are the right answers, but without their places. They have the shape of ids.",
            {LABELS: "ids[masked]"},
        ),
    ),
)
