"""From the encoder to the loss."""

import torch
from torch import Tensor

from mlm_course.exercises.lesson_09.tiny import model_and_images
from mlm_course.models import ImageMAE
from mlm_course.models import image_mae as package  # noqa: F401 (the answer uses it)
from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[ImageMAE, Tensor, Tensor, Tensor, Tensor]:
    """A model, what its encoder makes of images (a leaf that a gradient can reach), and these."""
    mae, images, ratio, noise = model_and_images(g)
    with torch.no_grad():
        latent, mask, ids_restore = mae.encode(images, ratio, noise)
    return mae, latent.requires_grad_(), mask, ids_restore, images


NO_POSITIONS = {" + mae.decoder_positions": ""}
JOINED = "torch.cat([x[:, :1], filled], 1)"
CLS_AMONG_PATCHES = {"put_back(x[:, 1:]": "put_back(x"}

EXERCISE = Exercise(
    minutes=15,
    hard=True,
    backward=True,
    inputs=inputs,
    stages={
        "x": "the vectors in the decoder's width",
        "filled": "a vector for each patch, mask tokens among them",
        "everything": "[CLS] and all patches, with the decoder's positions",
        "predicted": "the guess at all patches",
        "target": "the true patches",
    },
    hints=(
        "Four steps: into the decoder's width; put back; decode; judge. [CLS] goes through the "
        "decoder, but it is no patch.",
        "x = mae.to_decoder(latent) is (B, 1+K, d). Put back x[:, 1:] only, then [CLS] in front again, "
        "then + mae.decoder_positions. From what the decoder returns, [CLS] is dropped.",
        "x = mae.to_decoder(latent)\n"
        "filled = package.put_back(x[:, 1:], ids_restore, mae.mask_token)\n"
        "x = torch.cat([x[:, :1], filled], 1) + mae.decoder_positions\n"
        "predicted = mae.to_pixels(mae.decoder(x))[:, 1:]\n"
        "target = package.patchify(images, mae.config.patch_size)\n"
        "return package.patch_loss(predicted, target, mask)",
    ),
    mistakes=(
        Mistake(
            "All is right but the last step: the loss runs over all patches. Removed ones only.",
            {"package.patch_loss(predicted, target, mask)": "(predicted - target).square().mean()"},
        ),
        Mistake(
            "All is right but the last step: this is the loss of the visible patches. 1 means removed.",
            {"target, mask": "target, 1 - mask"},
        ),
        Mistake(
            "The decoder got the patches in shuffled order, and its positions are wrong for nearly "
            "all of them: undo the shuffle with ids_restore.",
            {
                "ids_restore, mae.mask": "torch.arange(mask.shape[1]).expand_as(ids_restore), mae.mask"
            },
        ),
        Mistake(
            "ids_restore was inverted once more, which shuffles a second time: use it as it is.",
            {"ids_restore, mae.mask": "ids_restore.argsort(1), mae.mask"},
        ),
        Mistake(
            "The decoder has no positions. All its mask tokens are the same vector, so it must make "
            "the same guess for all: add mae.decoder_positions.",
            NO_POSITIONS,
        ),
        Mistake(
            "The decoder's positions were added before the mask tokens were put in. Those have none "
            "then, and the visible ones have wrong ones: put back first.",
            NO_POSITIONS | {"(latent)": "(latent) + mae.decoder_positions[: latent.shape[1]]"},
        ),
        Mistake(
            "The decoder got the encoder's positions. Here both are equally wide, so nothing breaks, "
            "but it has its own: mae.decoder_positions.",
            {"mae.decoder_positions": "mae.positions"},
        ),
        Mistake(
            "You dropped the last patch instead of [CLS], so every guess is compared with its "
            "neighbour: [CLS] stands in front.",
            {"decoder(everything))[:, 1:]": "decoder(everything))[:, :-1]"},
        ),
        Mistake(
            "mae.to_decoder is missing. Here both are equally wide, so nothing breaks, but the "
            "decoder has numbers of its own.",
            {"mae.to_decoder(latent)": "latent"},
        ),
        Mistake(
            "mae.decoder is missing: the mask tokens went to mae.to_pixels without having seen any "
            "patch.",
            {"mae.decoder(everything)": "everything"},
        ),
        Mistake(
            "The mask token is a vector of the decoder, and yours went through mae.to_decoder. That "
            "layer first, then put back.",
            {"mae.to_decoder(latent)": "latent", JOINED: f"mae.to_decoder({JOINED})"},
        ),
        Mistake(
            "[CLS] was put back among the patches, so each of them moved on by one. Put back "
            "`x[:, 1:]`, then [CLS] in front again.",
            CLS_AMONG_PATCHES,
        ),
        Mistake(
            "[CLS] was put back among the patches, and a place is missing in front. Put back "
            "`x[:, 1:]`, then `x[:, :1]` in front again.",
            CLS_AMONG_PATCHES | {JOINED: "filled"},
        ),
        Mistake(
            "[CLS] was dropped before the decoder. It goes through: in front, as in the encoder. Drop "
            "it from what comes out.",
            {
                f"{JOINED} + mae.decoder_positions": "filled + mae.decoder_positions[1:]",
                "decoder(everything))[:, 1:]": "decoder(everything))",
            },
        ),
        Mistake(
            "The target is the patches as they are. Normalised ones are the variant `norm_pix`.",
            {"predicted, target": "predicted, package.normalised_patches(target)"},
        ),
        Mistake(
            "The gaps hold zeros. Put mae.mask_token there: it is learnt.",
            {"mae.mask_token": "0 * mae.mask_token"},
        ),
        Mistake(
            "The loss is right, but no gradient reaches `latent`: the encoder would never learn. Cut "
            "nothing off on the way from it.",
            {"to_decoder(latent)": "to_decoder(latent.detach())"},
        ),
    ),
)
