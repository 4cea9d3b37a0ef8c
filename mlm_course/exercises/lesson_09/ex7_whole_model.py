"""The whole model."""

import torch  # noqa: F401 (the answer uses it)

from mlm_course.exercises.lesson_09.tiny import model_and_images as inputs
from mlm_course.models import image_mae as package  # noqa: F401 (the answer uses it)
from mlm_course.practice.exercise import Exercise, Mistake

NO_POSITIONS = {" + mae.decoder_positions": ""}
JOINED = "torch.cat([x[:, :1], filled], 1)"
CLS_AMONG_PATCHES = {"put_back(x[:, 1:]": "put_back(x"}

EXERCISE = Exercise(
    minutes=12,
    inputs=inputs,
    hints=(
        "Five steps: encode; into the decoder's width; put back; decode; judge. [CLS] goes through "
        "the decoder, but it is no patch.",
        "x = mae.to_decoder(latent), (B, 1+K, d). Put back x[:, 1:] only, then [CLS] in front again, "
        "then + mae.decoder_positions.",
        "predicted = mae.to_pixels(mae.decoder(x + mae.decoder_positions))[:, 1:]; return "
        "package.patch_loss(predicted, package.patchify(images, mae.config.patch_size), mask)",
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
            "You dropped the last patch instead of [CLS], so every guess is compared with its "
            "neighbour: [CLS] stands in front.",
            {"decoder(x))[:, 1:]": "decoder(x))[:, :-1]"},
        ),
        Mistake(
            "mae.to_decoder is missing. Here both are equally wide, so nothing breaks, but the "
            "decoder has numbers of its own.",
            {"mae.to_decoder(latent)": "latent"},
        ),
        Mistake(
            "mae.decoder is missing: the mask tokens went to mae.to_pixels without having seen any "
            "patch.",
            {"mae.decoder(x)": "x"},
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
                "decoder(x))[:, 1:]": "decoder(x))",
            },
        ),
        Mistake(
            "The target is the patches as they are. Normalised ones are the variant `norm_pix`.",
            {"predicted, target": "predicted, package.normalised_patches(target)"},
        ),
    ),
)
