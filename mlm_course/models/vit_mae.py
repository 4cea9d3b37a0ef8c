"""The published weights of masked autoencoders in our own. Lesson 9.

    model = vit_mae_from_hub("facebook/vit-mae-base")    # needs a network, 450 MB, kept
    reconstruction = model(imagenet_normalise(photographs), ratio=0.75, noise=noise)

NAMES is the whole translation: what our parts are called in the published files.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from mlm_course.hub import download
from mlm_course.models.encoder import StackConfig
from mlm_course.models.image_mae import ImageMAE, ImageMAEConfig, check_colours
from mlm_course.models.published import (
    Translation,
    check_heads,
    check_weights,
    number_of_blocks,
    read_config,
    read_weights,
    setting,
)

BLOCK = {
    # ours                  theirs, in both stacks
    "attention.qkv":        "attention.attention.{query,key,value}",
    "attention.output":     "attention.output.dense",
    "attention_norm":       "layernorm_before",
    "feed_forward.expand":  "intermediate.dense",
    "feed_forward.contract": "output.dense",
    "feed_forward_norm":    "layernorm_after",
}  # fmt: skip
NAMES = {
    # ours                  theirs
    "cls_token":            "vit.embeddings.cls_token",
    "positions":            "vit.embeddings.position_embeddings",
    "embed":                "vit.embeddings.patch_embeddings.projection",
    **{f"encoder.blocks.#.{ours}": f"vit.encoder.layer.#.{part}" for ours, part in BLOCK.items()},
    "encoder.final_norm":   "vit.layernorm",
    "to_decoder":           "decoder.decoder_embed",
    "mask_token":           "decoder.mask_token",
    "decoder_positions":    "decoder.decoder_pos_embed",
    **{f"decoder.blocks.#.{ours}": f"decoder.decoder_layers.#.{part}" for ours, part in BLOCK.items()},
    "decoder.final_norm":   "decoder.decoder_norm",
    "to_pixels":            "decoder.decoder_pred",
}  # fmt: skip
"""Our names and the published ones; # is a block's number, and weight or bias follows.

Names in {} are parts of their own there; ours is these, stacked.
"""

RENAMED = {
    # transformers 5                published
    "vit.layers.":                  "vit.encoder.layer.",
    "decoder.decoder_encoder.layer.": "decoder.decoder_layers.",  # in files that it writes
    ".attention.q_proj.":           ".attention.attention.query.",
    ".attention.k_proj.":           ".attention.attention.key.",
    ".attention.v_proj.":           ".attention.attention.value.",
    ".attention.o_proj.":           ".attention.output.dense.",
    ".mlp.fc1.":                    ".intermediate.dense.",
    ".mlp.fc2.":                    ".output.dense.",
}  # fmt: skip
"""Parts of names in transformers 5, and what the published files have there."""

TRANSLATION = Translation("ViT-MAE", NAMES)
EPS = 1e-12  # of its LayerNorms; not in the state dict
FILES = ("config.json", "model.safetensors")
IMAGENET_MEAN = (0.485, 0.456, 0.406)  # red, green, blue, where white is 1
IMAGENET_STD = (0.229, 0.224, 0.225)


def from_vit_mae(
    state_dict: Mapping[str, Tensor],
    n_heads: int,
    decoder_heads: int,
    *,
    image_size: tuple[int, int] | None = None,
    norm_pix: bool = False,
    eps: float = EPS,
) -> ImageMAE:
    """A masked autoencoder with ViT-MAE's weights, in float32, in evaluation mode.

    state_dict: a published file's, or that of transformers' ViTMAEForPreTraining. The sizes are
    read off the shapes, except for the heads of both stacks, image_size (height and width in
    pixels, if the image is no square), norm_pix (whether its targets were normalised) and eps.
    Pre-norm, GELU with erf. The weights, position vectors among them, are copied.
    Errors: ValueError names weights that are missing, unknown or of the wrong shape.
    Source: He et al. 2022.
    """
    check_weights(state_dict)
    ours = TRANSLATION.ours({_published(name): value for name, value in state_dict.items()})
    patches = _filters(ours)  # (D, C, P, P)
    config = ImageMAEConfig(
        *_image_size(ours, patches.shape[-1], image_size),
        patch_size=patches.shape[-1],
        channels=patches.shape[1],
        encoder=_sizes(ours, "encoder", n_heads, eps),
        decoder=_sizes(ours, "decoder", decoder_heads, eps),
        norm_pix=norm_pix,
    )
    ours["embed.weight"] = patches.permute(0, 2, 3, 1).flatten(1)  # (D, P*P*C), as in `patchify`
    for name in ("positions", "decoder_positions"):
        ours[name] = TRANSLATION.find(ours, name, axes=3).flatten(0, 1)  # (1, 1+L, D) -> (1+L, D)
    return TRANSLATION.build(ImageMAE, config, ours)


def vit_mae_from_hub(name: str | Path = "facebook/vit-mae-base") -> ImageMAE:
    """A published masked autoencoder, downloaded once and kept by huggingface_hub, or in a folder.

    Its images have gone through `imagenet_normalise`: so must yours.
    Errors: HubUnreachable without a network (unless it was downloaded before); ValueError if the
    hub has no such model, or it is no ViT-MAE in the usual form.
    """
    files = download(name, FILES)
    config = read_config(files["config.json"], "vit_mae")
    size = setting(config, "image_size", (int, list))
    return from_vit_mae(
        read_weights(files["model.safetensors"]),
        setting(config, "num_attention_heads", int),
        setting(config, "decoder_num_attention_heads", int),
        image_size=(size, size) if isinstance(size, int) else tuple(size),
        norm_pix=setting(config, "norm_pix_loss", bool, False),
        eps=setting(config, "layer_norm_eps", (int, float), EPS),
    )


def imagenet_normalise(images: Tensor) -> Tensor:
    """Colours from 0 to 1 as ViT-MAE expects them: (..., 3, H, W), mean 0, variance 1 on ImageNet.

    Source: preprocessor_config.json of facebook/vit-mae-base.
    """
    return (images - _colours(IMAGENET_MEAN, images)) / _colours(IMAGENET_STD, images)


def imagenet_restore(images: Tensor) -> Tensor:
    """`imagenet_normalise` backwards: (..., 3, H, W). What a model made up may leave 0 to 1."""
    return images * _colours(IMAGENET_STD, images) + _colours(IMAGENET_MEAN, images)


def _colours(values: tuple[float, ...], images: Tensor) -> Tensor:
    check_colours(images)
    if images.ndim < 3 or images.shape[-3] != len(values):
        raise ValueError(f"images must have shape (..., 3, H, W), not {tuple(images.shape)}.")
    return torch.tensor(values, dtype=images.dtype, device=images.device)[:, None, None]


def _published(name: str) -> str:
    """A name of transformers 5, or a published one, as a published one."""
    for new, old in RENAMED.items():
        name = name.replace(new, old)
    return name


def _filters(ours: Mapping[str, Tensor]) -> Tensor:
    """What makes a vector of a patch, as a convolution's weights (D, C, P, P)."""
    filters = TRANSLATION.find(ours, "embed.weight", axes=4)
    height, width = filters.shape[2:]
    if height != width:
        raise ValueError(f"Patches must be square; those of these weights have {height} x {width}.")
    return filters


def _image_size(
    ours: Mapping[str, Tensor], patch_size: int, given: tuple[int, int] | None
) -> tuple[int, int]:
    if given is not None:
        return given
    n_patches = TRANSLATION.find(ours, "positions", axes=3).shape[1] - 1  # [CLS] has a position too
    side = math.isqrt(n_patches)
    if side**2 != n_patches:
        raise ValueError(
            f"{n_patches} patches do not make a square: give image_size=(height, width)."
        )
    return side * patch_size, side * patch_size


def _sizes(ours: Mapping[str, Tensor], stack: str, n_heads: int, eps: float) -> StackConfig:
    expand = f"{stack}.blocks.0.feed_forward.expand.weight"
    d_ff, d_model = TRANSLATION.find(ours, expand, axes=2).shape
    check_heads(n_heads, d_model, "n_heads" if stack == "encoder" else "decoder_heads")
    return StackConfig(
        d_model=d_model,
        n_layers=number_of_blocks(ours, stack),
        n_heads=n_heads,
        d_ff=d_ff,
        norm_eps=eps,
    )
