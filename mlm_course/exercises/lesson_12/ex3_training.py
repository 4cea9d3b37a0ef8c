"""Training for the bound."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from mlm_course.exercises.lesson_12.little_model import V, maker
from mlm_course.practice.exercise import Exercise, Mistake


def load_optimisers() -> None:
    """The first optimiser of a kernel loads a lot: here, where no answer is timed."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 0.1)
    optimizer.zero_grad()
    optimizer.step()


def inputs(g: torch.Generator) -> tuple[Callable[[], nn.Module], Tensor, Tensor, Tensor, float]:
    """A model's maker; ids (4, 3, 8), special ones among them, shares (4, 3), noise (4, 3, 8); the rate."""
    load_optimisers()
    ids = torch.randint(5, V, (4, 3, 8), generator=g)
    ids[:, :, 0] = 2
    for row, end in enumerate((7, 4, 5)):
        ids[:, row, end] = 3
        ids[:, row, end + 1 :] = 0
    share = 0.3 + 0.6 * torch.rand(4, 3, generator=g)
    share[0, 0], share[1, 2] = 0.95, 0.05
    return maker(g, 8), ids, share, torch.rand(4, 3, 8, generator=g), 0.5


LOSS = "(N * surprise.sum(1) / n).sum() / N.sum()"
AFTERWARDS = (
    "log_p = model(rows.masked_fill(masked, 4)).log_softmax(-1)\n"
    "        surprise = -log_p.gather(2, rows[..., None])[..., 0] * masked\n"
    f"        losses.append(({LOSS}).item())"
)

EXERCISE = Exercise(
    minutes=25,
    hard=True,
    inputs=inputs,
    trials=2,
    seconds=10,
    hints=(
        "In each step: which words are hidden; what the model says of them when it cannot see them; "
        "the loss; and the three lines of every training.",
        "`words = rows > 4` are those that may be hidden. Give all other places the noise infinity and "
        "rank: `argsort(1).argsort(1)` is each place's rank in its row, to be compared with `n[:, None]`.",
        "The surprise at a place is minus the log-probability of the true word: `log_softmax(-1)`, "
        "then `gather(2, rows[..., None])`. A row's draw is N / n times the sum over its hidden words.",
        "The loss is the sum of the rows' draws divided by `N.sum()`; then zero_grad, backward, step.",
        "model, losses = new_model(), []\n"
        "optimizer = torch.optim.SGD(model.parameters(), lr)\n"
        "for rows, drawn, order in zip(ids, share, noise):\n"
        "    words = rows > 4\n"
        "    N = words.sum(1)\n"
        "    n = 1 + (drawn * N).long()\n"
        "    rank = order.where(words, torch.inf).argsort(1).argsort(1)\n"
        "    masked = rank < n[:, None]\n"
        "    log_p = model(rows.masked_fill(masked, 4)).log_softmax(-1)\n"
        "    surprise = -log_p.gather(2, rows[..., None])[..., 0] * masked\n"
        "    loss = (N * surprise.sum(1) / n).sum() / N.sum()\n"
        "    optimizer.zero_grad()\n"
        "    loss.backward()\n"
        "    optimizer.step()\n"
        "    losses.append(loss.item())\n"
        "return losses",
    ),
    stages={
        "N": "the number of words of each row",
        "n": "how many of them are hidden",
        "masked": "which are hidden",
    },
    mistakes=(
        Mistake(
            "The gradients of earlier steps are still there and are added to. `optimizer.zero_grad()` "
            "belongs into each step, before `backward()`.",
            {"optimizer.zero_grad()": "pass"},
        ),
        Mistake(
            "The first loss is right, and all others are those of an untrained model: the weights "
            "must change between the steps, and the model must stay the same one.",
            {"optimizer.step()": "pass"},
        ),
        Mistake(
            "This is the mean surprise of the batch's hidden words. Then a row with many hidden counts "
            "more, and the slices are no longer weighed alike: N times each row's own mean.",
            {LOSS: "surprise.sum() / masked.sum()"},
        ),
        Mistake(
            "Divided by the number of *hidden* words. The bound is one of the whole text: divide by "
            "the number of all words of the batch.",
            {"/ N.sum()": "/ n.sum()"},
        ),
        Mistake(
            "This is the mean over rows: the loss of a text. Divide the sum by the words of the batch.",
            {"/ N.sum()": "/ len(N)"},
        ),
        Mistake(
            "The rows' mean surprises were averaged, a short row counting as much as a long one. A row's "
            "draw is N times its mean; then divide by the words of all rows.",
            {LOSS: "(surprise.sum(1) / n).mean()"},
        ),
        Mistake(
            "A row's surprises were added up without dividing by n: what hides many words counts "
            "many times.",
            {"surprise.sum(1) / n": "surprise.sum(1)"},
            {LOSS: "surprise.sum() / N.sum()"},
        ),
        Mistake(
            "The model saw the words that it was to guess. Put `[MASK]` (4) in their place first.",
            {"rows.masked_fill(masked, 4)": "rows"},
        ),
        Mistake(
            "Asked was for the probability of what stands on the canvas, `[MASK]`, at the hidden "
            "places. The target is the word that was there.",
            {"gather(2, rows": "gather(2, rows.masked_fill(masked, 4)"},
        ),
        Mistake(
            "Padding or special tokens count as words. N is the number of ids above 4, and only those "
            "are hidden.",
            {"rows > 4": "rows > 0"},
            {"rows > 4": "rows > -1"},
        ),
        Mistake(
            "One word too few is hidden in most rows, or all: n is 1 + share * N, rounded down.",
            {"1 + (drawn * N).long()": "(drawn * N).long().clamp(min=1)"},
            {"1 + (drawn * N).long()": "(drawn * N).long()"},
        ),
        Mistake(
            "The words with the *largest* noise were hidden.",
            {"order.where(words, torch.inf)": "(-order).where(words, torch.inf)"},
        ),
        Mistake(
            "All words count, hidden or not. The visible ones were not asked: the model sees them.",
            {"[..., 0] * masked": "[..., 0] * words"},
        ),
        Mistake(
            "These are the losses *after* each step, on the same batch. Note it before the step changes "
            "the model.",
            {"losses.append(loss.item())": AFTERWARDS},
        ),
        Mistake(
            "The one argsort gives places, not ranks: what is hidden are not the words with the "
            "smallest noise. `argsort(1).argsort(1)` is the rank.",
            {"argsort(1).argsort(1)": "argsort(1)"},
        ),
    ),
)
