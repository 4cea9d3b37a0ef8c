"""The loss."""

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Logits (3, 7, 9), true ids (3, 7), and what is hidden (3, 7): one, two and four tokens.

    Some rows are easier than others.
    """
    masked = torch.zeros(3, 7, dtype=torch.bool)
    for row, count in enumerate((1, 2, 4)):
        masked[row, torch.randperm(7, generator=g)[:count]] = True
    sharpness = torch.tensor([0.5, 1.0, 3.0])[:, None, None]
    logits = sharpness * torch.randn(3, 7, 9, generator=g)
    return logits, torch.randint(9, (3, 7), generator=g), masked


def mean_of_rows(logits, ids, masked):
    """The mean over rows of each row's mean."""
    log_p = logits.log_softmax(-1).gather(-1, ids[..., None])[..., 0]
    return -((log_p * masked).sum(1) / masked.sum(1)).mean()


ALL_TOKENS = {"(-1)[masked]": "(-1)", "ids[masked][:, None]": "ids[..., None]"}
PLUS = {"return -": "return "}

EXERCISE = Exercise(
    minutes=8,
    inputs=inputs,
    hints=(
        "Keep the hidden places first. What is left is a list of n guesses, each of them V "
        "numbers, and n true ids.",
        "logits[masked] is (n, V) and ids[masked] is (n,). log_softmax over the last axis; then "
        "take, from each line, the entry of the true id.",
        "log_p = logits[masked].log_softmax(-1); return -log_p.gather(1, "
        "ids[masked][:, None]).mean()",
    ),
    mistakes=(
        Mistake(
            "This is the mean over all tokens. The visible ones can be copied and drown what is to "
            "be learnt: hidden tokens only.",
            ALL_TOKENS,
        ),
        Mistake(
            "This is the loss of the visible tokens. `masked` is True at those that are to be "
            "guessed.",
            {"(-1)[masked]": "(-1)[~masked]", "ids[masked]": "ids[~masked]"},
        ),
        Mistake(
            "The sum is right, but it is not divided by the number of hidden tokens, masked.sum().",
            {".mean()": ".sum() / masked.numel()"},
            {".mean()": ".sum()"},
            {".mean()": ".sum() / len(logits)"},
        ),
        Mistake(
            "After gather every loss has an axis of 1 left, and (B, T, 1) does not go with (B, T). "
            "Take that axis off before you multiply: [..., 0].",
            ALL_TOKENS | {".mean()": ".mul(masked).sum() / masked.sum()"},
        ),
        Mistake(
            "You took a mean for each row and the mean of these. Rows hide different numbers of "
            "tokens, and each token should count the same: one mean over all hidden tokens.",
            mean_of_rows,
        ),
        Mistake(
            "Your softmax does not run over the vocabulary. The probabilities of *one* token add up "
            "to 1 over the last axis: log_softmax(-1).",
            {"softmax(-1)": "softmax(1)"},
            {"softmax(-1)": "softmax(0)"},
            {"logits.log_softmax(-1)[masked]": "logits[masked].log_softmax(0)"},
        ),
        Mistake(
            "The sign is wrong: log p is negative, the loss is -log p.",
            PLUS,
        ),
        Mistake(
            "The logarithm is missing: the loss of a token is -log p, not p or -p. (F.nll_loss "
            "expects log probabilities.)",
            {"log_softmax": "softmax"} | PLUS,
            {"log_softmax": "softmax"},
            {"log_softmax": "softmax", "return -": "return 1 - "},
        ),
        Mistake(
            "Softmax was applied twice: F.cross_entropy takes logits and applies it itself.",
            {"log_softmax(-1)": "softmax(-1).log_softmax(-1)"},
        ),
        Mistake(
            "The logits of the true tokens were taken as they are. First turn them into log "
            "probabilities: log_softmax(-1).",
            {".log_softmax(-1)": ""} | PLUS,
            {".log_softmax(-1)": ""},
        ),
    ),
)
