"""The posterior of a language with two patterns."""

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: F401 (the answer uses it)

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Rows (4, 90) of a language of 7 words, most of whose places are the same in both patterns.

    Where they differ, a word in view says a little; so the patterns stay in doubt. In the last row
    everything is hidden. In the second, one visible word has no chance under the first pattern;
    in the third, one has hardly any under the second.
    """
    rows, size, words = 4, 90, 7
    chances = torch.rand(1, size, words, generator=g).add(0.3).expand(2, -1, -1).clone()
    ties = [7, 20, 41, 66, 80]
    chances[:, ties] += 0.4 * torch.rand(2, len(ties), words, generator=g)
    chances[:, [30, 31]] += torch.rand(2, 2, words, generator=g)
    chances[0, 30, 2] = 0.0
    chances[:, 31, 5] = torch.tensor([3.0, 0.03])
    chances = chances / chances.sum(-1, keepdim=True)
    ids = torch.randint(words, (rows, size), generator=g)
    masked = torch.rand(rows, size, generator=g) < 0.3
    masked[:, ties[:3]], masked[:, 31] = False, True
    masked[-1] = True
    ids[:, 30] = torch.tensor([2, 2, 1, 3])  # hidden in the first row, in view in the second
    ids[2, 31] = 5  # which speaks for the first pattern
    masked[0, 30], masked[1, 30], masked[2, 31] = True, False, False
    first = 0.25 + 0.2 * torch.rand((), generator=g)
    return ids, masked, torch.stack([first, 1 - first]), chances


SUM = "log_chance.masked_fill(masked, 0.0).sum(-1)"
WEIGHTS = "(evidence + prior.log()[:, None]).softmax(0)"

EXERCISE = Exercise(
    minutes=25,
    hard=True,
    inputs=inputs,
    stages={
        "log_chance": "the logarithm of each word's chance under each pattern, (2, B, T)",
        "weights": "the probability of each pattern given the words in view, (2, B)",
        "guess": "the words' probabilities averaged over the patterns, (B, T, V)",
    },
    hints=(
        "Two questions, one after the other: how likely is each pattern, given the words in view? And if "
        "that is known, how likely is each word at a hidden place?",
        "Bayes' rule: the probability of a pattern is in proportion to its prior times the chances of all "
        "words in view. With logarithms that is a sum, and softmax does the proportion.",
        "`chances[:, torch.arange(T), ids]` is (2, B, T), the chance of each word under each pattern. A "
        "hidden word must not count: `masked_fill(masked, 0.0)`, not a product, since -inf * 0 is NaN.",
        "places = torch.arange(ids.shape[1])\n"
        "log_chance = chances[:, places, ids].log()\n"
        "evidence = log_chance.masked_fill(masked, 0.0).sum(-1)\n"
        "weights = (evidence + prior.log()[:, None]).softmax(0)\n"
        "guess = torch.einsum('kb,ktv->btv', weights, chances)\n"
        "seen = torch.nn.functional.one_hot(ids, chances.shape[-1]).to(guess)\n"
        "return torch.where(masked[..., None], guess, seen)",
    ),
    mistakes=(
        Mistake(
            "The hidden words counted as well. They are what is to be guessed: only words in view may "
            "speak for a pattern.",
            {SUM: "log_chance.sum(-1)"},
        ),
        Mistake(
            "The *hidden* words decided about the pattern, and those in view did not.",
            {"masked_fill(masked": "masked_fill(~masked"},
        ),
        Mistake(
            "The prior does not count: with everything hidden the patterns come out equally likely.",
            {WEIGHTS: "evidence.softmax(0)"},
        ),
        Mistake(
            "The words in view do not count: these are averages by the prior.",
            {WEIGHTS: "prior[:, None].expand_as(evidence)"},
        ),
        Mistake(
            "A pattern was chosen, the more likely one. Both stay possible: average by their probabilities.",
            {WEIGHTS: "F.one_hot((evidence + prior.log()[:, None]).argmax(0), 2).T.float()"},
        ),
        Mistake(
            "The logarithms of the words in view were averaged. Independent words *add* their evidence.",
            {SUM: "(log_chance.masked_fill(masked, 0.0).sum(-1) / (~masked).sum(-1).clamp(min=1))"},
            {SUM: "log_chance.masked_fill(masked, 0.0).mean(-1)"},
        ),
        Mistake(
            "NaN comes out: the probability of so many words together is 0 in float32, and 0 / 0 is NaN. "
            "Add logarithms, and leave exp and division to softmax, which subtracts the largest first.",
            {
                SUM: "log_chance.exp().masked_fill(masked, 1.0).prod(-1)",
                WEIGHTS: "(evidence * prior[:, None]) / (evidence * prior[:, None]).sum(0)",
            },
        ),
        Mistake(
            "NaN comes out where a word has no chance: its logarithm is -inf, and -inf times 0 is NaN. "
            "`masked_fill` puts a 0 in its place.",
            {SUM: "(log_chance * ~masked).sum(-1)"},
        ),
        Mistake(
            "The prior was added as a probability. Its logarithm belongs beside the other logarithms.",
            {"prior.log()": "prior"},
        ),
        Mistake(
            "Hidden places are right. Those in view got a guess as well: there it is 1 for the word that "
            "stands there.",
            {"torch.where(masked[..., None], guess, seen)": "guess"},
        ),
        Mistake(
            "Hidden places are right. Those in view got zeros: there it is 1 for the word that stands there.",
            {", seen)": ", 0.0)"},
        ),
        Mistake(
            "The evidence of all rows was put together. Each row has its own pattern.",
            {".sum(-1)": ".sum((1, 2))[:, None].expand(2, len(ids))"},
        ),
        Mistake(
            "The two patterns have each other's weights.",
            {WEIGHTS: f"{WEIGHTS}.flip(0)"},
        ),
    ),
)
