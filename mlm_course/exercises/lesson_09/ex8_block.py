"""A block, as noise."""

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, int, int, int]:
    """Points of six images (6, 2), a grid that is not square, and how many patches go: some or all."""
    rows = int(torch.randint(3, 6, (), generator=g))
    columns = rows + int(torch.randint(1, 4, (), generator=g))
    points = torch.rand(6, 2, generator=g) * torch.tensor([rows, columns])
    whole = bool(torch.randint(2, (), generator=g))
    return points, rows, columns, rows * columns if whole else rows * columns // 2 - 1


PLACES = "torch.cartesian_prod(torch.arange(rows), torch.arange(columns))"
NEAREST = "away.argsort(1)[:, :n]"
ONES = "torch.zeros_like(away).scatter(1, nearest, 1.0)"

EXERCISE = Exercise(
    minutes=12,
    trials=10,  # with n below the number of patches and at it, whatever is drawn
    inputs=inputs,
    stages={"away": "the squared distances of all centres from each image's point"},
    hints=(
        "Where does patch k stand? Its row is k // columns, its column k % columns. How far is its "
        "centre from the point?",
        "All places as (L, 2), the points as (B, 1, 2): their difference is (B, L, 2). Squares, sum, "
        "argsort: the first n of each row go.",
        "places = torch.cartesian_prod(torch.arange(rows), torch.arange(columns)) + 0.5\n"
        "away = (places - points[:, None]).square().sum(-1)\n"
        "nearest = away.argsort(1)[:, :n]\n"
        "return torch.zeros_like(away).scatter(1, nearest, 1.0)",
    ),
    mistakes=(
        Mistake(
            "Here patch k stands in row k // rows. A row of the grid has `columns` patches: row "
            "k // columns, column k % columns.",
            {
                "(torch.arange(rows), torch.arange(columns))": "(torch.arange(columns), torch.arange(rows))"
            },
        ),
        Mistake(
            "The patches come column by column here. Row by row is asked: patch k is in row "
            "k // columns, column k % columns.",
            {
                PLACES: "torch.cartesian_prod(torch.arange(columns), torch.arange(rows)).flip(1)",
            },
        ),
        Mistake(
            "Row and column of the points are exchanged: points[:, 0] is the row.",
            {"points[:, None]": "points.flip(1)[:, None]"},
        ),
        Mistake(
            "These distances are those of each patch's upper left corner. Its centre is half a patch "
            "further down and to the right; the points stay where they are.",
            {" + 0.5": ""},
        ),
        Mistake(
            "You add up the differences in row and column. The straight distance has squares: "
            "Pythagoras.",
            {".square().sum(-1)": ".abs().sum(-1)"},
        ),
        Mistake(
            "Only the larger of the two differences counts here. The straight distance has squares: "
            "Pythagoras.",
            {".square().sum(-1)": ".abs().amax(-1)"},
        ),
        Mistake(
            "Each point is moved to the centre of its patch first. Measure from where it is.",
            {"points[:, None]": "(points.floor() + 0.5)[:, None]"},
        ),
        Mistake(
            "Here entry i is 1 if the patch that is i-th in order has a number below n. `argsort` "
            "lists patches from near to far; which place each patch has is the `argsort` of that.",
            {ONES: "(away.argsort(1) < n).float()"},
        ),
        Mistake(
            "As many patches go here as should stay. n is the number of those that go.",
            {NEAREST: "away.argsort(1)[:, : away.shape[1] - n]"},
        ),
        Mistake(
            "Right while a patch stays, but it stops where all go (n = rows * columns): there is no "
            "distance after the n-th. Compare with the n-th itself.",
            {ONES: "(away < away.kthvalue(n + 1, 1, keepdim=True).values).float()"},
            {ONES: "(away < away.sort(1).values[:, n][:, None]).float()"},
        ),
        Mistake(
            "One patch too many goes, the next nearest: n go, not n + 1.",
            {NEAREST: "away.argsort(1)[:, : n + 1]"},
            {NEAREST: "away.topk(n + 1, largest=False).indices"},
            {ONES: "(away <= away.kthvalue(n + 1, 1, keepdim=True).values).float()"},
        ),
        Mistake(
            "One patch too few goes: the n-th nearest is missing. Does a `<` stand where `<=` belongs?",
            {NEAREST: "away.argsort(1)[:, : n - 1]"},
        ),
        Mistake(
            "The nearest are sought in the whole batch here, so images lose different numbers of "
            "patches. Each row has n ones.",
            {ONES: "(away <= away.flatten().kthvalue(n).values).float()"},
            {ONES: "(away <= away.flatten().kthvalue(n * len(away)).values).float()"},
        ),
        Mistake(
            "The patches that are farthest from the point would go. The nearest go.",
            {"away.argsort(1)": "away.argsort(1, descending=True)"},
        ),
        Mistake(
            "The other way round: the block has 0 and would stay. What has 1 is sorted to the end "
            "and goes.",
            {ONES: "torch.ones_like(away).scatter(1, nearest, 0.0)"},
            {"[:, :n]": "[:, n:]"},
        ),
        Mistake(
            "All images lose the block of the first one. Each has a point of its own.",
            {"points[:, None]": "points[:1, None].expand(len(points), -1, -1)"},
        ),
        Mistake(
            "Sorted by these numbers the same patches go, but asked are 1 for those and 0 for all "
            "others.",
            {ONES: "-away"},
            {ONES: "-away.sqrt()"},
        ),
        Mistake(
            "Right, but boolean: noise is a tensor of floats.",
            {ONES: ONES + ".bool()"},
        ),
        Mistake(
            "These are the numbers of the patches that go. Return a row of 0 and 1 for each image.",
            {ONES: "nearest"},
        ),
    ),
)
