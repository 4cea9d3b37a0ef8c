"""The loss."""

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Logits (3, 7, 9), labels (3, 7) of one, two and four hidden tokens, and weights (3, 7).

    Some rows are easier than others.
    """
    masked = torch.zeros(3, 7, dtype=torch.bool)
    for row, count in enumerate((1, 2, 4)):
        masked[row, torch.randperm(7, generator=g)[:count]] = True
    sharpness = torch.tensor([0.5, 1.0, 3.0])[:, None, None]
    logits = (sharpness * torch.randn(3, 7, 9, generator=g)).requires_grad_()
    labels = torch.randint(9, (3, 7), generator=g).masked_fill(~masked, -100)
    return logits, labels, 0.4 + 2 * torch.rand(3, 7, generator=g)


def mean_of_rows(logits, labels, weights):
    """The mean over rows of each row's weighted mean."""
    masked = labels != -100
    nll = -logits.log_softmax(-1).gather(-1, labels.clamp(min=0)[..., None])[..., 0]
    counts = weights * masked
    return ((nll * counts).sum(1) / counts.sum(1)).mean()


def flat_then_weighted(logits, labels, weights):
    """One mean loss, times the mean weight of the hidden tokens."""
    masked = labels != -100
    nll = -logits.log_softmax(-1)[masked].gather(-1, labels[masked][:, None])[:, 0]
    return nll.mean() * weights[masked].mean()


MEAN = "(nll * counts).sum() / counts.sum()"
MINUS = "nll = -log_p"

EXERCISE = Exercise(
    minutes=12,
    inputs=inputs,
    backward=True,
    hints=(
        "Where is something to be guessed? At labels that are not -100. Keep these places first, of "
        "all three tensors.",
        "logits[masked] is (n, V), labels[masked] and weights[masked] are (n,). log_softmax over the "
        "last axis, then the entry of the true id from each line.",
        "A weighted mean is the sum of weight times value, divided by the sum of the weights that "
        "took part.",
        "masked = labels != -100\n"
        "log_p = logits[masked].log_softmax(-1)\n"
        "nll = -log_p.gather(-1, labels[masked][:, None])[:, 0]\n"
        "return (nll * weights[masked]).sum() / weights[masked].sum()",
    ),
    stages={
        "nll": "-log p of the true id of each hidden token",
        "counts": "the weights of the hidden tokens",
    },
    mistakes=(
        Mistake(
            "The weighted sum was divided by the number of hidden tokens. Of a weighted mean the "
            "weights of the hidden tokens are the divisor: with weights of 2 everywhere nothing changes.",
            {MEAN: "(nll * counts).mean()"},
        ),
        Mistake(
            "The weighted sum was divided by the weights of all tokens. Only hidden ones take part: "
            "divide by the sum of their weights.",
            {MEAN: "(nll * counts).sum() / weights.sum()"},
        ),
        Mistake(
            "The weighted sum was divided by the number of all tokens. Divide by the sum of the hidden "
            "tokens' weights.",
            {MEAN: "(nll * counts).sum() / labels.numel()"},
        ),
        Mistake(
            "This is the weighted sum, not divided yet: by the sum of the hidden tokens' weights.",
            {MEAN: "(nll * counts).sum()"},
        ),
        Mistake(
            "This is the mean without weights: each hidden token counts the same in it.",
            {MEAN: "nll.mean()"},
        ),
        Mistake(
            "This is the mean loss times the mean weight. Each token's loss has its own weight.",
            flat_then_weighted,
        ),
        Mistake(
            "This is a weighted mean over all tokens, with id 0 as the true one of the visible. A "
            "visible token has no label and no loss: leave it out.",
            {"labels != -100": "labels > -200", "labels[masked][": "labels.clamp(min=0)[masked]["},
        ),
        Mistake(
            "These are means of rows, and their mean. Rows hide different numbers of tokens: one "
            "weighted mean over all hidden tokens of the batch.",
            mean_of_rows,
        ),
        Mistake(
            "The softmax does not run over the vocabulary. The probabilities of *one* token add up "
            "to 1 over the last axis: log_softmax(-1).",
            {"softmax(-1)": "softmax(1)"},
            {"softmax(-1)": "softmax(0)"},
            {"logits.log_softmax(-1)[masked]": "logits[masked].log_softmax(0)"},
        ),
        Mistake(
            "The sign is wrong: log p is negative, the loss is -log p.", {MINUS: "nll = log_p"}
        ),
        Mistake(
            "The logarithm is missing: the loss of a token is -log p, not p, -p or 1 - p. (F.nll_loss "
            "expects log probabilities.)",
            {"log_softmax": "softmax"},
            {"log_softmax": "softmax", MINUS: "nll = log_p"},
            {"log_softmax": "softmax", MINUS: "nll = 1 - log_p"},
        ),
        Mistake(
            "The result is that of a softmax of a softmax: F.cross_entropy takes logits and applies it "
            "itself.",
            {"log_softmax(-1)": "softmax(-1).log_softmax(-1)"},
        ),
        Mistake(
            "These are the logits of the true tokens. They have to become log probabilities first: "
            "log_softmax(-1).",
            {".log_softmax(-1)": ""},
            {".log_softmax(-1)": "", MINUS: "nll = log_p"},
        ),
        Mistake(
            "This is the loss in bits, of the logarithm to base 2. Nats have the natural one.",
            {MINUS: "nll = -1.4426950408889634 * log_p"},
        ),
    ),
)
