"""How well the digits' patches are guessed from some of them, as in the lesson."""

from functools import cache

import torch
from torch import Tensor

from mlm_course.corpora import images
from mlm_course.models.image_mae import patchify


@cache
def covariance() -> Tensor:
    """Covariances (64, 64) of the training digits' pixels, in the order of the patches."""
    return patchify(images.digits().train, 2).flatten(1).double().T.cov(correction=0)


def linear_error(stay: list[int]) -> float:
    """Mean squared error of the linear guess of all other patches' pixels."""
    stays = torch.tensor([i in stay for i in range(16)]).repeat_interleave(4)
    inside, between = covariance()[stays][:, stays], covariance()[stays][:, ~stays]
    weights = torch.linalg.solve(inside + 0.01 * torch.eye(len(inside)), between)
    explained = (weights * (2 * between - inside @ weights)).sum()
    return ((covariance().diagonal()[~stays].sum() - explained) / (~stays).sum()).item()
