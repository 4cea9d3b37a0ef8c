"""A block, as noise."""

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, int, int, int]:
    """Points of six images (6, 2), a grid that is not square, and how many patches go."""
    rows = int(torch.randint(3, 6, (), generator=g))
    columns = rows + int(torch.randint(1, 4, (), generator=g))
    points = torch.rand(6, 2, generator=g) * torch.tensor([rows, columns])
    return points, rows, columns, rows * columns // 2 - 1


ONES = "torch.zeros_like(away).scatter(1, nearest, 1.0)"

EXERCISE = Exercise(
    minutes=12,
    inputs=inputs,
    stages={"away": "how far each patch's centre is from its image's point"},
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
            "Row and column of the points are exchanged: points[:, 0] is the row.",
            {"points[:, None]": "points.flip(1)[:, None]"},
        ),
        Mistake(
            "You measure to each patch's upper left corner. Its centre is half a patch further down "
            "and to the right.",
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
