"""The masked autoencoder for images: most patches are removed, the few that stay are encoded. Lesson 9.

Shapes everywhere: B images of C channels, H x W pixels; L patches of P x P pixels, of which K stay
visible; D numbers a vector in the encoder, fewer in the decoder.
Source for all of it: He et al. 2022, "Masked Autoencoders Are Scalable Vision Learners".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mlm_course.attention_checks import check_dtype, check_vectors
from mlm_course.contracts import (
    check_count,
    check_flag,
    check_floats,
    check_integers,
    check_number,
    check_places,
    check_shapes_agree,
    check_tensor,
)
from mlm_course.models.encoder import STD, BlockStack, StackConfig, check_config, read_stack

EPS = 1e-6  # added to a patch's variance


class Shuffled(NamedTuple):
    """What random masking leaves, and how to put it back.

    visible (B, K, D); mask (B, L) float, 0 = stays, 1 = removed; ids_restore (B, L) int64: where
    each patch stands in the shuffled order, whose first K are the visible ones.
    """

    visible: Tensor
    mask: Tensor
    ids_restore: Tensor


class Reconstruction(NamedTuple):
    """A masked autoencoder's guess at all patches and what they are, both (B, L, P*P*C).

    With norm_pix the target is `normalised_patches`. mask and ids_restore (B, L) as in `Shuffled`.
    """

    patches: Tensor
    target: Tensor
    mask: Tensor
    ids_restore: Tensor


@dataclass(frozen=True)
class ImageMAEConfig:
    """The sizes of a masked autoencoder for images.

    norm_pix: the target is each patch with its own mean and variance taken out.
    position_base: see `sincos_positions`. Errors: ValueError for sizes that do not go together, and
    for norm_pix with patches of a single number, which has no variance.
    """

    height: int = 8
    width: int = 8
    patch_size: int = 2
    channels: int = 1
    encoder: StackConfig = field(default_factory=lambda: StackConfig(d_model=64))
    decoder: StackConfig = field(default_factory=lambda: StackConfig(d_model=32, n_layers=1))
    norm_pix: bool = False
    position_base: float = 10_000.0

    def __post_init__(self) -> None:
        for part in ("encoder", "decoder"):
            read_stack(self, part)
            _check_waves(getattr(self, part).d_model)
        for name in ("height", "width", "patch_size", "channels"):
            check_count(name, getattr(self, name), 1)
        _check_divides(self.patch_size, self.height, self.width)
        check_number("position_base", self.position_base, 0, above=True)
        check_flag("norm_pix", self.norm_pix)
        if self.norm_pix and self.patch_numbers == 1:
            raise ValueError(
                "A patch of one number has no variance: use larger patches or norm_pix=False."
            )

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches."""
        return self.height // self.patch_size, self.width // self.patch_size

    @property
    def patch_numbers(self) -> int:
        """How many numbers a patch has: P * P * C."""
        return self.patch_size**2 * self.channels


def patchify(images: Tensor, patch_size: int) -> Tensor:
    """Images (B, C, H, W) as rows of patches (B, L, P*P*C), left to right, top to bottom.

    Within a patch the channels of one pixel stand together. Errors: ValueError if the patches do
    not fill the image exactly. Source: He et al. 2022 (code).
    """
    check_tensor("images", images, "B C H W")
    B, C, H, W = images.shape
    _check_divides(patch_size, H, W)
    rows, columns = H // patch_size, W // patch_size
    x = images.reshape(B, C, rows, patch_size, columns, patch_size)
    return x.permute(0, 2, 4, 3, 5, 1).reshape(B, rows * columns, patch_size**2 * C)


def unpatchify(patches: Tensor, patch_size: int, height: int, width: int) -> Tensor:
    """Images (B, C, H, W) of patches (B, L, P*P*C): `patchify` backwards.

    Errors: ValueError unless L patches make an image of H x W pixels.
    """
    _check_patches(patches, patch_size, height, width)
    rows, columns = height // patch_size, width // patch_size
    x = patches.reshape(len(patches), rows, columns, patch_size, patch_size, -1)
    return x.permute(0, 5, 1, 3, 2, 4).reshape(len(patches), -1, height, width)


def _check_patches(patches: Tensor, patch_size: int, height: int, width: int) -> None:
    check_tensor("patches", patches, "B L P*P*C")
    _check_divides(patch_size, height, width)
    _, L, numbers = patches.shape
    wanted = (height // patch_size) * (width // patch_size)
    if not numbers or numbers % patch_size**2:
        raise ValueError(f"{numbers} numbers are no patch of {patch_size} x {patch_size} pixels.")
    if wanted != L:
        raise ValueError(
            f"An image of {height} x {width} pixels has {wanted} patches of {patch_size} x "
            f"{patch_size}: patches must have shape (B, {wanted}, P*P*C), not "
            f"{tuple(patches.shape)}."
        )


def random_masking(
    x: Tensor, ratio: float, noise: Tensor | None = None, generator: torch.Generator | None = None
) -> Shuffled:
    """A random part of each image's patches, drawn anew for each image: x (B, L, D).

    The patches are sorted by noise (B, L) and the first int(L * (1 - ratio)) stay, at least one.
    Without noise it is drawn from the generator. Errors: ValueError for a ratio outside [0, 1), or
    noise of another shape. Source: He et al. 2022, section 3 and code.
    """
    check_floats("x", x, "B L D")
    B, L, D = x.shape
    if noise is None:
        noise = torch.rand(B, L, generator=generator, device=x.device, dtype=torch.float32)
    _check_masking(x, ratio, noise)
    keep = max(1, int(L * (1 - ratio)))
    ids_shuffle = noise.argsort(1)  # ids_shuffle[i]: which patch comes to place i
    ids_restore = ids_shuffle.argsort(1)  # ids_restore[j]: to which place patch j came
    visible = x.gather(1, ids_shuffle[:, :keep, None].expand(-1, -1, D))  # (B, K, D)
    mask = (ids_restore >= keep).to(x.dtype)  # (B, L)
    return Shuffled(visible, mask, ids_restore)


def block_noise(centres: Tensor, rows: int, columns: int) -> Tensor:
    """Noise that is largest around a place: what `random_masking` removes by it is one block.

    centres (B, 2): row and column of a place in each image, from 0 to rows and columns; the centre
    of the first patch is (.5, .5). Returns minus the distance of each patch's centre, (B, L).
    """
    check_floats("centres", centres, "B 2", finite=True)
    _check_pairs("centres", centres)
    places = _patch_places(rows, columns, centres).to(centres.dtype)
    away = places + 0.5 - centres[:, None]  # (B, L, 2)
    return -away[..., 0].hypot(away[..., 1])


def grid_noise(starts: Tensor, rows: int, columns: int) -> Tensor:
    """Noise that is 0 at every second row and column and 1 elsewhere, (B, L).

    starts (B, 2) int64, 0 or 1: the row and column with which the grid of each image begins. A
    ratio of .75 removes all but the grid if rows and columns are even. Source: as in He et al. 2022,
    figure 6, whose grid is not said to move.
    """
    check_integers("starts", starts, "B 2")
    _check_pairs("starts", starts)
    places = _patch_places(rows, columns, starts)
    return ((places - starts[:, None]) % 2).any(-1).float()


def _check_pairs(name: str, pairs: Tensor) -> None:
    if pairs.shape[1] != 2:
        raise ValueError(
            f"{name} must have a row and a column for each image, (B, 2), not {tuple(pairs.shape)}."
        )


def _patch_places(rows: int, columns: int, like: Tensor) -> Tensor:
    """Row and column of each patch, (L, 2) int64, on the device of another tensor."""
    check_count("rows", rows, 1)
    check_count("columns", columns, 1)
    sides = (torch.arange(side, device=like.device) for side in (rows, columns))
    return torch.cartesian_prod(*sides)


def _check_masking(x: Tensor, ratio: float, noise: Tensor) -> None:
    check_number("ratio", ratio, 0, 1, below=True)
    check_floats("noise", noise, finite=True)
    if not x.shape[1]:
        raise ValueError("x has no patches (L = 0): nothing can stay visible.")
    if noise.shape != x.shape[:2]:
        raise ValueError(
            f"noise must have shape {tuple(x.shape[:2])}, one a patch, not {tuple(noise.shape)}."
        )


def sincos_positions(d_model: int, rows: int, columns: int, base: float = 10_000.0) -> Tensor:
    """Fixed position vectors for a grid (rows * columns, D): half tell the column, half the row.

    Each half is sines, then cosines, of D/4 frequencies from 1 to nearly 1/base; a small grid is
    better told apart by a small base, such as 10. Counted in float64 on the CPU, float32 there.
    Errors: ValueError unless 4 divides d_model. Source: He et al. 2022 (code, as in MoCo v3).
    """
    _check_waves(d_model)
    check_count("rows", rows, 1)
    check_count("columns", columns, 1)
    check_number("base", base, 0, above=True)
    # not every GPU has float64
    steps = torch.arange(d_model // 4, dtype=torch.float64, device="cpu")
    frequencies = base ** -(steps / (d_model // 4))

    def waves(places: Tensor) -> Tensor:
        angles = places.flatten()[:, None] * frequencies  # (L, D/4)
        return torch.cat([angles.sin(), angles.cos()], 1)  # (L, D/2)

    row, column = torch.meshgrid(
        *(torch.arange(size, device="cpu") for size in (rows, columns)), indexing="ij"
    )
    return torch.cat([waves(column), waves(row)], 1).float()


def normalised_patches(patches: Tensor) -> Tensor:
    """Each patch with mean 0 and variance 1: (B, L, P*P*C), the variance unbiased, eps inside.

    A patch of one colour becomes zeros. Errors: ValueError for patches of a single number.
    Source: He et al. 2022, section 3 ("reconstruction target").
    """
    mean, spread = mean_and_spread(patches)
    return (patches - mean) / spread


def mean_and_spread(patches: Tensor) -> tuple[Tensor, Tensor]:
    """Each patch's mean and its standard deviation, unbiased, eps inside: two (B, L, 1)."""
    check_floats("patches", patches, "B L P*P*C")
    if patches.shape[2] < 2:
        raise ValueError(f"A patch of {patches.shape[2]} numbers has no variance: use larger ones.")
    variance = patches.var(-1, keepdim=True)
    return patches.mean(-1, keepdim=True), (variance + EPS).sqrt()


def patch_loss(predicted: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """The mean squared error over the removed patches: both (B, L, P*P*C), mask (B, L).

    Without any removed patch it is 0. Source: He et al. 2022, section 3.
    """
    check_floats("predicted", predicted, "B L P*P*C")
    check_floats("target", target)
    check_floats("mask", mask)
    check_shapes_agree(predicted=predicted, target=target)
    check_shapes_agree(patches=predicted[..., 0], mask=mask)
    errors = F.mse_loss(predicted, target, reduction="none").mean(-1)  # (B, L): one a patch
    return (errors * mask).sum() / mask.sum().clamp(min=1)


class ImageMAE(nn.Module):
    """An encoder for the visible patches, and a small decoder that restores the others.

    images (B, C, H, W); ratio: the share of patches removed; noise (B, L): see `random_masking`.
    Returns a `Reconstruction`. Source: He et al. 2022, figure 1 and section 3.
    """

    positions: Tensor  # (1 + L, D): the [CLS] vector, which stands nowhere, has zeros
    decoder_positions: Tensor  # the same in the decoder's width

    def __init__(self, config: ImageMAEConfig) -> None:
        super().__init__()
        check_config(config, ImageMAEConfig)
        self.config = config
        D, decoder_D = config.encoder.d_model, config.decoder.d_model
        self.embed = nn.Linear(config.patch_numbers, D)
        self.cls_token = nn.Parameter(STD * torch.randn(1, 1, D))
        self.encoder = BlockStack(config.encoder)
        self.to_decoder = nn.Linear(D, decoder_D)
        self.mask_token = nn.Parameter(STD * torch.randn(1, 1, decoder_D))
        self.decoder = BlockStack(config.decoder)
        self.to_pixels = nn.Linear(decoder_D, config.patch_numbers)
        for name, width in (("positions", D), ("decoder_positions", decoder_D)):
            grid = sincos_positions(width, *config.grid, config.position_base)
            self.register_buffer(name, _with_cls(grid).to(self.cls_token.device))
        _initialise(self)
        nn.init.normal_(self.embed.weight, std=config.patch_numbers**-0.5)  # see _initialise
        nn.init.normal_(self.to_pixels.weight, std=STD)

    def forward(
        self, images: Tensor, ratio: float = 0.75, noise: Tensor | None = None
    ) -> Reconstruction:
        self._check(images)
        patches = patchify(images, self.config.patch_size)
        latent, mask, ids_restore = self._encode(patches, ratio, noise)
        target = normalised_patches(patches) if self.config.norm_pix else patches
        return Reconstruction(self.decode(latent, ids_restore), target, mask, ids_restore)

    def encode(self, images: Tensor, ratio: float = 0.75, noise: Tensor | None = None) -> Shuffled:
        """The encoder's vectors of [CLS] and the visible patches (B, 1+K, D), mask, ids_restore.

        Each patch gets the position that it has in the image, not its place among the visible ones.
        Removed patches are not even embedded: that gives the same numbers sooner.
        """
        self._check(images)
        return self._encode(patchify(images, self.config.patch_size), ratio, noise)

    def _encode(self, patches: Tensor, ratio: float, noise: Tensor | None) -> Shuffled:
        shuffled = random_masking(patches, ratio, noise)
        x = self.with_positions(self.embed(shuffled.visible), shuffled.ids_restore)  # (B, K, D)
        cls = (self.cls_token + self.positions[:1]).expand(len(x), -1, -1)
        return shuffled._replace(visible=self.encoder(torch.cat([cls, x], 1)))

    def with_positions(self, x: Tensor, ids_restore: Tensor) -> Tensor:
        """What enters the encoder, (B, K, D): the visible patches, each with its own position."""
        kept = ids_restore.argsort(1)[:, : x.shape[1]]  # (B, K): which ones stayed
        return x + self.positions[1:][kept]

    def decode(self, latent: Tensor, ids_restore: Tensor) -> Tensor:
        """The decoder's guess at all patches: (B, 1+K, D), (B, L) -> (B, L, P*P*C)."""
        check_vectors("latent", latent, self.config.encoder.d_model, self.cls_token, "B 1+K D")
        _check_order(ids_restore, len(self.positions) - 1, latent.shape[:2])
        x = self.to_decoder(latent)
        x = torch.cat([x[:, :1], put_back(x[:, 1:], ids_restore, self.mask_token)], 1)
        return self.to_pixels(self.decoder(x + self.decoder_positions)[:, 1:])

    def features(self, images: Tensor) -> Tensor:
        """One vector an image, nothing removed: the mean of its patches' vectors, (B, D)."""
        self._check(images)
        in_order = torch.arange(len(self.positions) - 1, device=images.device).float()
        return self.encode(images, 0.0, in_order.expand(len(images), -1)).visible[:, 1:].mean(1)

    def _check(self, images: Tensor) -> None:
        wanted = self.config.channels, self.config.height, self.config.width
        check_colours(images)
        check_dtype("images", images, self.cls_token.dtype)
        if images.ndim != 4 or images.shape[1:] != wanted:
            raise ValueError(
                f"images must have shape (B, {', '.join(map(str, wanted))}), "
                f"not {tuple(images.shape)}."
            )


def check_colours(images: Tensor) -> None:
    """TypeError unless images are a tensor of floating-point numbers."""
    check_tensor("images", images)
    if not images.is_floating_point():
        raise TypeError(
            f"images must hold floating-point numbers, not {images.dtype}: colours from 0 to 255 "
            "become numbers from 0 to 1 with images.float() / 255."
        )


def put_back(visible: Tensor, ids_restore: Tensor, mask_token: Tensor) -> Tensor:
    """All places in their own order, the mask token where a patch was removed.

    visible (B, K, D), ids_restore (B, L), mask_token (1, 1, D) -> (B, L, D).
    """
    check_floats("visible", visible, "B K D")
    check_floats("mask_token", mask_token)
    if mask_token.shape != (1, 1, visible.shape[2]):
        raise ValueError(
            f"mask_token must have shape (1, 1, {visible.shape[2]}), not {tuple(mask_token.shape)}."
        )
    _check_order(ids_restore, None, (len(visible), visible.shape[1] + 1))
    B, K, D = visible.shape
    L = ids_restore.shape[1]
    removed = mask_token.to(visible.dtype).expand(B, L - K, D)
    shuffled = torch.cat([visible, removed], 1)  # (B, L, D)
    return shuffled.gather(1, ids_restore[..., None].expand(-1, -1, D))


def filled_in(images: Tensor, reconstruction: Reconstruction, config: ImageMAEConfig) -> Tensor:
    """The images with their removed patches as the model restored them: (B, C, H, W).

    With norm_pix the model says only how a patch differs from its own mean, in units of its own
    spread; both are taken from the true patch here, as they are in the paper's pictures.
    """
    _check_parts(images, reconstruction, config)
    patches, restored = patchify(images, config.patch_size), reconstruction.patches
    if config.norm_pix:
        mean, spread = mean_and_spread(patches)
        restored = restored * spread + mean
    mask = reconstruction.mask[..., None]
    filled = torch.where(mask > 0, restored.to(patches.dtype), patches)
    return unpatchify(filled, config.patch_size, config.height, config.width)


def _check_parts(images: Tensor, parts: Reconstruction, config: ImageMAEConfig) -> None:
    if not isinstance(parts, Reconstruction) or not isinstance(config, ImageMAEConfig):
        raise TypeError("filled_in takes images, a Reconstruction of them, and an ImageMAEConfig.")
    check_floats("images", images, "B C H W")
    check_floats("reconstruction.patches", parts.patches)
    check_floats("reconstruction.mask", parts.mask)
    wanted = (config.channels, config.height, config.width)
    shape = (len(images), config.grid[0] * config.grid[1])
    if images.shape[1:] != wanted or parts.patches.shape != (*shape, config.patch_numbers):
        raise ValueError(
            f"images {tuple(images.shape)} and reconstruction {tuple(parts.patches.shape)} do not "
            "belong together under this config."
        )
    if parts.mask.shape != shape:
        raise ValueError(f"mask must have shape (B, L) = {shape}, not {tuple(parts.mask.shape)}.")


def _initialise(model: nn.Module) -> None:
    """Linear layers as in He et al. 2022, appendix A.1 (xavier_uniform, Glorot and Bengio 2010).

    Query, key and value start as three layers: as one they would be smaller.
    Two start otherwise, with which small models learn sooner. The embedding makes vectors equally
    large for patches of any size: the positions would drown what the few numbers of a small one
    say. And the last layer's first guesses are small: large ones have to be unlearnt.
    """
    for name, layer in model.named_modules():
        if isinstance(layer, nn.Linear):
            for matrix in layer.weight.detach().chunk(3 if name.endswith("qkv") else 1):
                nn.init.xavier_uniform_(matrix)
            nn.init.zeros_(layer.bias) if layer.bias is not None else None


def _with_cls(positions: Tensor) -> Tensor:
    return F.pad(positions, (0, 0, 1, 0))  # a row of zeros first


def _check_order(ids_restore: Tensor, n_patches: int | None, shape: tuple[int, ...]) -> None:
    """Error unless ids_restore (B, L) goes with vectors of shape (B, 1+K, D)."""
    check_tensor("ids_restore", ids_restore, "B L")
    rows, L = ids_restore.shape
    if rows != shape[0] or not 1 <= shape[1] <= L + 1 or n_patches not in (None, L):
        raise ValueError(
            f"ids_restore {(rows, L)} does not go with {shape[0]} rows of {shape[1] - 1} visible "
            "patches."
        )
    check_places("ids_restore", ids_restore, L)


def _check_waves(d_model: int) -> None:
    check_count("d_model", d_model, 1)
    if d_model % 4:
        raise ValueError(f"d_model must be a multiple of 4 for positions on a grid, not {d_model}.")


def _check_divides(patch_size: int, *sides: int) -> None:
    check_count("patch_size", patch_size)
    for side in sides:
        check_count("An image's side", side, 1)
    if patch_size < 1 or any(side % patch_size for side in sides):
        raise ValueError(
            f"Patches of {patch_size} x {patch_size} do not fill an image of "
            f"{' x '.join(map(str, sides))} pixels exactly."
        )
