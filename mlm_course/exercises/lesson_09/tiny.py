"""A tiny masked autoencoder and images for it, which two exercises use."""

import torch
from torch import Tensor

from mlm_course.models import StackConfig
from mlm_course.models.image_mae import ImageMAE, ImageMAEConfig


def model_and_images(g: torch.Generator) -> tuple[ImageMAE, Tensor, float, Tensor]:
    """A model, images (3, 2, H, W), the ratio, and noise (3, 12), a number for each patch.

    Patches are 2 x 2 or 3 x 3. The decoder is as wide as the encoder, so that a mask token fits
    into both; its positions are other ones.
    """
    P = int(torch.randint(2, 4, (), generator=g))
    part = StackConfig(d_model=8, n_layers=1, n_heads=2, d_ff=12)
    mae = ImageMAE(ImageMAEConfig(3 * P, 4 * P, P, 2, encoder=part, decoder=part))
    with torch.no_grad():
        for parameter in mae.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=g))
        mae.decoder_positions[1:] = torch.randn(12, 8, generator=g)
    return (
        mae.eval(),
        torch.rand(3, 2, 3 * P, 4 * P, generator=g),
        0.7,
        torch.rand(3, 12, generator=g),
    )
