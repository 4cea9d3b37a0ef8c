"""In-batch negatives."""

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: F401 (the answer uses it)

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, Tensor, Tensor, float]:
    """Queries and texts (6, 7) of several lengths, texts near their queries; the passages; a temperature.

    Three queries have one passage, two another, one its own; texts of a passage are nearly alike.
    """
    order = torch.randperm(6, generator=g)
    group = torch.tensor([0, 0, 0, 1, 1, 2])[order]
    passage = torch.tensor([50, 7, 31])[torch.randperm(3, generator=g)][group]
    directions = torch.randn(3, 7, generator=g)[group]
    lengths = 0.5 + 2.5 * torch.rand(2, 6, 1, generator=g)
    queries = lengths[0] * (directions + 0.8 * torch.randn(6, 7, generator=g))
    texts = lengths[1] * (directions + 0.3 * torch.randn(6, 7, generator=g))
    temperature = 0.2 + 0.3 * torch.rand((), generator=g).item()
    return queries.requires_grad_(), texts.requires_grad_(), passage, temperature


QUERIES, TEXTS = "F.normalize(queries, dim=1)", "F.normalize(texts, dim=1)"
SAME = "(passage[:, None] == passage)"
SEEN = 'scores.masked_fill(copies, float("-inf"))'
LOG_P = "seen.log_softmax(1)"
LOSS = "-log_p.diagonal().mean()"
UNMASKED = {SEEN: "scores"}

EXERCISE = Exercise(
    minutes=14,
    inputs=inputs,
    backward=True,
    stages={
        "scores": "the cosines divided by `temperature`, (B, B)",
        "seen": "the same with minus infinity at the copies",
    },
    hints=(
        "Every query is a question with some answers to choose from, and the right one has its own "
        "number. That is a classification: which loss do you know for it?",
        "Vectors of length 1, `F.normalize(x, dim=1)`, make cosines of products: scores (B, B), queries "
        "by texts, the right answers on the diagonal. A copy has the passage of the query and is not on "
        "the diagonal: a score of minus infinity takes it out of the choice.",
        "scores = F.normalize(queries, dim=1) @ F.normalize(texts, dim=1).T / temperature\n"
        "own = torch.eye(len(scores), dtype=torch.bool)\n"
        "copies = (passage[:, None] == passage) & ~own\n"
        "seen = scores.masked_fill(copies, -math.inf)\n"
        "return F.cross_entropy(seen, torch.arange(len(scores)))",
    ),
    mistakes=(
        Mistake(
            "Copies of a query's own passage count as wrong answers here, and training would push away "
            "what is right. Take them out of the choice.",
            UNMASKED,
        ),
        Mistake(
            "The own text went out of the choice with its copies, so what is right can no longer be "
            "chosen. Only the *other* texts of the passage are copies: not the diagonal.",
            {" & ~own": ""},
        ),
        Mistake(
            "All texts of the passage count as right together here, their chances added up. Of them a "
            "query sees text i alone; the others are neither right nor wrong.",
            {
                **UNMASKED,
                LOSS: f"-log_p.masked_fill(~{SAME}, -torch.inf).logsumexp(1).mean()",
            },
        ),
        Mistake(
            "This is the mean over all texts of the passage, each as a right answer. Of them a query "
            "sees text i alone; the others are neither right nor wrong.",
            {
                **UNMASKED,
                LOSS: f"-((log_p * {SAME}).sum(1) / {SAME}.sum(1)).mean()",
            },
        ),
        Mistake(
            "A score of 0 is still a score: exp(0) is 1, and the copy stays in the choice. Minus "
            "infinity takes it out.",
            {'float("-inf")': "0.0"},
        ),
        Mistake(
            "Queries whose passage was there before are left out of the mean. Each of the B queries "
            "asks, with copies out of its own choice.",
            {LOSS: f"-log_p.diagonal()[~{SAME}.tril(-1).any(1)].mean()"},
            {
                SEEN: f"scores.masked_fill({SAME}.tril(-1).any(1) & ~own, -torch.inf)",
                LOSS: f"-log_p.diagonal()[~{SAME}.tril(-1).any(1)].mean()",
            },
        ),
        Mistake(
            "Texts that stand in the batch before are out of everybody's choice here. To queries of other "
            "passages they are wrong answers.",
            {SEEN: f"scores.masked_fill({SAME}.tril(-1).any(1) & ~own, -torch.inf)"},
        ),
        Mistake(
            "These are products, not cosines: a long vector gets a high score for its length alone. "
            "Bring queries *and* texts to length 1: `F.normalize(x, dim=1)`.",
            {QUERIES: "queries", TEXTS: "texts"},
            {QUERIES: "queries"},
            {TEXTS: "texts"},
        ),
        Mistake(
            "Vectors run along dim=1. You normalised each dimension over the batch.",
            {QUERIES: "F.normalize(queries, dim=0)", TEXTS: "F.normalize(texts, dim=0)"},
        ),
        Mistake(
            "The cosines are multiplied by the temperature. Divide: a small one makes large scores.",
            {"/ temperature": "* temperature"},
        ),
        Mistake(
            "The temperature is missing: divide the cosines by it before the softmax.",
            {" / temperature": ""},
        ),
        Mistake(
            "Your softmax runs over the queries, so each *text* looks for its query. The query asks: "
            "softmax over the texts, along its row.",
            {LOG_P: "seen.log_softmax(0)"},
        ),
        Mistake(
            "This is the mean of both directions. Here only the queries ask.",
            {LOG_P: "(seen.log_softmax(1) + seen.log_softmax(0)) / 2"},
        ),
        Mistake(
            "These are all queries' losses added up. Take the mean, or a larger batch has a larger "
            "loss.",
            {".mean()": ".sum()"},
        ),
        Mistake(
            "Each query's loss is right, now take their mean: one number, without dimensions.",
            {".mean()": ""},
        ),
        Mistake(
            "The right text is missing from the denominator. The softmax is over *all* texts but the "
            "copies, the right one among them.",
            {
                LOG_P: 'scores - scores.masked_fill(copies | own, float("-inf"))'
                ".logsumexp(1, keepdim=True)"
            },
        ),
        Mistake(
            "The scores of the right texts alone make this loss. Wrong texts are missing, so "
            "nothing has to be told apart: softmax over the texts first.",
            {LOG_P: "scores"},
            {LOG_P: "scores", LOSS: "log_p.diagonal().mean()"},
            {LOG_P: "scores", LOSS: "(1 - log_p.diagonal() * temperature).mean()"},
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
            "Softmax was applied twice: `F.cross_entropy` takes scores and applies it itself.",
            {LOG_P: "seen.softmax(1).log_softmax(1)"},
        ),
    ),
)
