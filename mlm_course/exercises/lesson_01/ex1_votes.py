"""Many averages at once."""

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, Tensor]:
    """Votes (B, H, T, S) with two queries that cast none, and values (B, H, S, D)."""
    votes = torch.randint(5, (2, 3, 5, 7), generator=g).float()
    votes[..., 0] += 1
    votes[0, :, 2] = votes[1, :, 4] = 0
    return votes, torch.randn(2, 3, 7, 4, generator=g)


def not_divided(votes: Tensor, values: Tensor) -> Tensor:
    return votes @ values


def without_a_net(votes: Tensor, values: Tensor) -> Tensor:
    return votes @ values / votes.sum(-1, keepdim=True)


def by_the_number_of_keys(votes: Tensor, values: Tensor) -> Tensor:
    return votes @ values / votes.shape[-1]


def over_the_queries(votes: Tensor, values: Tensor) -> Tensor:
    return votes / votes.sum(-2, keepdim=True).clamp(min=1) @ values


def by_all_votes(votes: Tensor, values: Tensor) -> Tensor:
    return votes @ values / votes.sum()


def plain(votes: Tensor, values: Tensor) -> Tensor:
    return torch.full_like(votes, 1 / votes.shape[-1]) @ values


def even_where_nobody_voted(votes: Tensor, values: Tensor) -> Tensor:
    votes = votes + (votes.sum(-1, keepdim=True) == 0)
    return votes @ values / votes.sum(-1, keepdim=True)


def one_vote_too_many(votes: Tensor, values: Tensor) -> Tensor:
    return votes @ values / (votes.sum(-1, keepdim=True) + 1)


def by_voters(votes: Tensor, values: Tensor) -> Tensor:
    return votes @ values / (votes > 0).sum(-1, keepdim=True).clamp(min=1)


def exponentials(votes: Tensor, values: Tensor) -> Tensor:
    return votes.softmax(-1) @ values


EXERCISE = Exercise(
    minutes=7,
    inputs=inputs,
    hints=(
        "Which weights do the votes 1, 0, 3 stand for? By what do you divide, and along which axis?",
        "`keepdim=True` keeps the sum of each query at (..., T, 1), which divides (..., T, D) line by "
        "line. Where it is 0, divide by something else: 0 votes for everything are 0 anyway.",
        "total = votes.sum(-1, keepdim=True)\nreturn votes @ values / total.clamp(min=1)",
    ),
    mistakes=(
        Mistake(
            "These are sums, not averages: a query with many votes hears louder. Divide by the "
            "number of votes that the query has cast.",
            not_divided,
        ),
        Mistake(
            "Right where a query has voted. One that has not is 0 / 0 here, which is nan; it should "
            "hear zeros.",
            without_a_net,
        ),
        Mistake(
            "The sums are divided by the number of keys, whatever was voted. The weights of a query "
            "have to sum to 1: divide by its own number of votes.",
            by_the_number_of_keys,
        ),
        Mistake(
            "Here the votes for each *key* are brought to a sum of 1. The weights of each *query* "
            "should sum to 1: add up along the last axis, S.",
            over_the_queries,
        ),
        Mistake(
            "The sums are divided by the votes of all queries together. Each query has its own "
            "number of votes.",
            by_all_votes,
        ),
        Mistake("This is the plain average: the votes make no difference.", plain),
        Mistake(
            "Right where a query has voted. One that has not hears the plain average here; it should "
            "hear zeros.",
            even_where_nobody_voted,
        ),
        Mistake(
            "The sums are divided by one vote too many, so the weights do not sum to 1.",
            one_vote_too_many,
        ),
        Mistake(
            "The sums are divided by how many keys got a vote. Three votes for one key count three "
            "times below, too.",
            by_voters,
        ),
        Mistake(
            "Those are not the shares of the votes: three votes should weigh three times as much as "
            "one. (Exponentials come in section 4.)",
            exponentials,
        ),
    ),
)
