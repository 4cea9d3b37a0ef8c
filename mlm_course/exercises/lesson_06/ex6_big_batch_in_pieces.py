"""A big batch in pieces."""

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: F401 (the answer uses it)

from mlm_course.corruption import Corrupted
from mlm_course.exercises.lesson_06.tiny import batch, tiny_model
from mlm_course.models import MaskedLM
from mlm_course.practice.exercise import Exercise, Mistake


class PieceByPiece(MaskedLM):
    """A model that objects to a backward() through more than one call of it."""

    arrived = 0  # calls whose gradients have come back in this backward()

    def forward(self, *arguments, **options) -> Tensor:
        """Logits that tell when their gradient arrives."""
        logits = super().forward(*arguments, **options)
        if logits.requires_grad:
            logits.register_hook(self._count)
        return logits

    def _count(self, _: Tensor) -> None:
        self.arrived += 1

    def end_of_backward(self, _: Tensor) -> None:
        """RuntimeError if gradients of several calls came back in one go."""
        arrived, self.arrived = self.arrived, 0
        if arrived > 1:
            raise RuntimeError(f"one backward() went through {arrived} pieces at once")


def inputs(g: torch.Generator) -> tuple[MaskedLM, list[Corrupted]]:
    """A model, and pieces (2, 6), (4, 9) and (1, 8) with few, many and some tokens hidden."""
    model = tiny_model(g, PieceByPiece)
    model.decoder_bias.register_post_accumulate_grad_hook(model.end_of_backward)
    return model, [batch(g, *size) for size in ((2, 6, 0.2), (4, 9, 0.7), (1, 8, 0.4))]


EACH_MEAN = {', reduction="sum"': ""}
UNDIVIDED = {"(loss / total)": "loss"}
CLEARED = {"in pieces:": "in pieces:\n        model.zero_grad()"}
RUNNING_SUM = {
    "    for piece in pieces:": "    whole = 0.0\n    for piece in pieces:",
    "(loss / total).backward()": "whole = whole + loss / total",
}
BACKWARD = "whole = whole + loss / total\n        whole.backward(retain_graph=True)"

EXERCISE = Exercise(
    hard=True,
    minutes=15,
    inputs=inputs,
    hints=(
        "The mean of the big batch is one sum over all hidden tokens, divided by their number. A "
        "sum can be taken piece by piece.",
        "Count the hidden tokens of all pieces first. backward() adds to the gradients that are "
        "there: one call for each piece, nothing cleared in between.",
        "total = sum(int(piece.masked.sum()) for piece in pieces)\n"
        "for piece in pieces:\n"
        "    logits = model(piece.input_ids, None, piece.masked)\n"
        "    loss = F.cross_entropy(logits, piece.labels[piece.masked], reduction='sum')\n"
        "    (loss / total).backward()\n"
        "return model.dense.weight.grad",
    ),
    mistakes=(
        Mistake(
            "Each piece went in with its own mean: a token in a piece with few gaps counts for "
            "more. Add up sums, and divide by the number of hidden tokens of *all* pieces.",
            EACH_MEAN | {"loss / total": "loss / len(pieces)"},
            EACH_MEAN,
        ),
        Mistake(
            "These are the pieces' means, added up: the gradient grows with the number of pieces. Add up "
            "sums, and divide by the number of hidden tokens of *all* pieces.",
            EACH_MEAN | UNDIVIDED,
        ),
        Mistake(
            "The sum is right, but it is not divided yet: by the number of hidden tokens of all "
            "pieces.",
            UNDIVIDED,
        ),
        Mistake(
            "Each piece has the weight of its share of the rows. Its weight is its share of the "
            "hidden tokens: that is what a sum over all, divided by their number, gives.",
            EACH_MEAN
            | {
                "int(piece.masked.sum())": "len(piece.masked)",
                "(loss / total)": "(loss * len(piece.masked) / total)",
            },
        ),
        Mistake(
            "Each piece has the weight of its share of all tokens. Its weight is its share of the "
            "hidden ones: that is what a sum over all, divided by their number, gives.",
            EACH_MEAN
            | {
                "int(piece.masked.sum())": "piece.masked.numel()",
                "(loss / total)": "(loss * piece.masked.numel() / total)",
            },
        ),
        Mistake(
            "Each piece was divided by the hidden tokens seen so far, so early pieces count for more. "
            "Divide all by one number, that of all pieces: it has to be counted beforehand.",
            {
                "    for piece in pieces:": "    total = 0\n    for piece in pieces:\n"
                "        total += int(piece.masked.sum())"
            },
        ),
        Mistake(
            "The loss runs over all tokens, hidden or not. Ask for the hidden ones alone.",
            {
                ", None, piece.masked)\n": ").flatten(0, 1)\n",
                "piece.labels[piece.masked],": "piece.labels.where(piece.masked, piece.input_ids)"
                ".flatten(),",
            },
        ),
        Mistake(
            "`masked` was handed in as the attention mask, the second argument, so that hidden words "
            "are all the model attends to. Here that is None.",
            {"None, piece.masked": "piece.masked, piece.masked"},
        ),
        Mistake(
            "The sum was divided by the number of all tokens. Only the hidden ones have a loss: divide by "
            "their number.",
            {"masked.sum()": "masked.numel()"},
        ),
        Mistake(
            "The sum was divided by the number of rows. Divide by the number of hidden tokens.",
            {"int(piece.masked.sum())": "len(piece.masked)"},
        ),
        Mistake(
            "The sum was divided by the number of pieces. Divide by the number of hidden tokens of all "
            "pieces.",
            {"loss / total": "loss / len(pieces)"},
        ),
        Mistake(
            "Only the last piece is left: the gradients were cleared between the pieces. Here they "
            "should add up.",
            CLEARED,
        ),
        Mistake(
            "These are the gradients of the last piece's own mean. Do not clear between the pieces, "
            "and divide by the number of hidden tokens of all of them.",
            CLEARED | EACH_MEAN | UNDIVIDED,
        ),
        Mistake(
            "One backward() for all pieces holds everything in memory at once, as the large batch "
            "would. Call it for each piece, as soon as its loss is there.",
            RUNNING_SUM | {"    return": "    whole.backward()\n    return"},
        ),
        Mistake(
            "Your backward() goes through earlier pieces again, and their gradients count more than "
            "once. Call it on each piece's own loss, not on the running sum.",
            RUNNING_SUM | {"(loss / total).backward()": BACKWARD},
        ),
    ),
)
