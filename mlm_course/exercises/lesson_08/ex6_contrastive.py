"""In-batch negatives."""

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: F401 (the answer uses it)

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, Tensor, float]:
    """Queries and texts (5, 7) of several lengths, each text near its query, and a temperature."""
    directions = torch.randn(5, 7, generator=g)
    lengths = torch.rand(2, 5, 1, generator=g) + torch.tensor([0.5, 1.0, 1.5, 2.0, 2.5])[:, None]
    queries = lengths[0] * (directions + 0.8 * torch.randn(5, 7, generator=g))
    texts = lengths[1].flip(0) * (directions + 0.8 * torch.randn(5, 7, generator=g))
    temperature = 0.2 + 0.3 * torch.rand((), generator=g).item()
    return queries.requires_grad_(), texts.requires_grad_(), temperature


QUERIES, TEXTS = "F.normalize(queries, dim=1)", "F.normalize(texts, dim=1)"
LOG_P = "scores.log_softmax(1)"
LOSS = "-log_p.diagonal().mean()"

EXERCISE = Exercise(
    minutes=12,
    inputs=inputs,
    backward=True,
    hints=(
        "Every query is a question with B answers to choose from, and the right one has its own "
        "number. That is a classification: which loss do you know for it?",
        "Vectors of length 1, `F.normalize(x, dim=1)`, make cosines of products. "
        "scores = q @ t.T / temperature is (B, B): queries, texts; the right answers are on the "
        "diagonal.",
        "return F.cross_entropy(scores, torch.arange(len(scores)))",
    ),
    mistakes=(
        Mistake(
            "These are products, not cosines: a long vector gets a high score for its length alone. "
            "Bring queries *and* texts to length 1: F.normalize(x, dim=1).",
            {QUERIES: "queries", TEXTS: "texts"},
            {QUERIES: "queries"},
            {TEXTS: "texts"},
        ),
        Mistake(
            "Vectors run along dim=1. You normalised each dimension over the batch.",
            {QUERIES: "F.normalize(queries, dim=0)", TEXTS: "F.normalize(texts, dim=0)"},
        ),
        Mistake(
            "You multiplied by the temperature. Divide: a small one makes large scores.",
            {"/ temperature": "* temperature"},
        ),
        Mistake(
            "The temperature is missing: divide the cosines by it before the softmax.",
            {" / temperature": ""},
        ),
        Mistake(
            "Your softmax runs over the queries, so each *text* looks for its query. The query asks: "
            "softmax over the texts, along its row.",
            {LOG_P: "scores.log_softmax(0)"},
        ),
        Mistake(
            "You took the mean of both directions. Here only the queries ask.",
            {LOG_P: "(scores.log_softmax(1) + scores.log_softmax(0)) / 2"},
        ),
        Mistake(
            "These are all queries' losses added up. Take the mean, or a larger batch has a larger "
            "loss.",
            {".mean()": ".sum()"},
        ),
        Mistake(
            "Each loss is right, now take their mean: one number, without dimensions.",
            {".mean()": ""},
        ),
        Mistake(
            "Divide by the number of queries, B. You divided by B * B.",
            {".mean()": ".sum() / scores.numel()"},
        ),
        Mistake(
            "The right text is missing from the denominator. The softmax is over *all* texts, the "
            "right one among them.",
            {
                LOG_P: "scores - scores.masked_fill(torch.eye(len(scores)).bool(), "
                "float('-inf')).logsumexp(1, keepdim=True)"
            },
        ),
        Mistake(
            "You took the scores of the right texts alone. Without the wrong ones the best a model "
            "can do is one vector for everything: softmax over all texts first.",
            {LOG_P: "scores"},
            {LOG_P: "scores", LOSS: "log_p.diagonal().mean()"},
            {LOG_P: "scores", LOSS: "(1 - log_p.diagonal() * temperature).mean()"},
        ),
        Mistake(
            "All texts of the batch count as right here. Only text i is the answer to query i: the "
            "diagonal.",
            {".diagonal()": ""},
        ),
        Mistake(
            "The answer to query i is text i. You have the first text as the answer to all of them.",
            {".diagonal()": "[:, 0]"},
        ),
        Mistake(
            "No gradient flows to the texts: both sides come from an encoder that is to learn, so no "
            "`.detach()` and no `torch.no_grad()` on the way from `texts`.",
            {TEXTS: "F.normalize(texts.detach(), dim=1)"},
        ),
        Mistake(
            "No gradient flows to the queries: both sides come from an encoder that is to learn, so "
            "no `.detach()` and no `torch.no_grad()` on the way from `queries`.",
            {QUERIES: "F.normalize(queries.detach(), dim=1)"},
        ),
        Mistake(
            "The logarithm is missing: the loss of a query is -log p, not p, -p or 1 - p.",
            {"log_softmax": "softmax"},
            {"log_softmax": "softmax", "-log_p": "log_p"},
            {"log_softmax": "softmax", LOSS: "(1 - log_p.diagonal()).mean()"},
        ),
        Mistake(
            "The sign is wrong: log p is negative, the loss is -log p.",
            {"-log_p": "log_p"},
        ),
        Mistake(
            "Softmax was applied twice: F.cross_entropy takes scores and applies it itself.",
            {LOG_P: "scores.softmax(1).log_softmax(1)"},
        ),
    ),
)
