"""An encoder that sees little."""

import torch

from mlm_course.exercises.lesson_09.tiny import model_and_images as inputs
from mlm_course.models import image_mae as package
from mlm_course.models.image_mae import random_masking
from mlm_course.practice.exercise import Exercise, Mistake

FILLED = "package.put_back(visible, ids_restore, mae.mask_token)"
CLS_BEFORE_MASKING = {
    "x + mae": "torch.cat([mae.cls_token.expand(len(x), -1, -1), x], 1) + mae",
    "positions[1:]": "positions",
    "torch.cat([cls, visible], 1)": "visible",
}


def encoded_before_masking(mae, images, ratio, noise):
    """All patches go through the encoder, and some of its vectors are removed."""
    x = mae.embed(package.patchify(images, mae.config.patch_size)) + mae.positions[1:]
    x = mae.encoder(torch.cat([mae.cls_token.expand(len(x), -1, -1), x], 1))
    visible, mask, ids_restore = random_masking(x[:, 1:], ratio, noise)
    return torch.cat([x[:, :1], visible], 1), mask, ids_restore


EXERCISE = Exercise(
    minutes=10,
    inputs=inputs,
    stages={
        "visible": "the visible patches, embedded, with their positions",
        "cls": "[CLS], once for each image",
    },
    hints=(
        "Position first, shuffle second, [CLS] third, encoder last.",
        "x = mae.embed(patches) + mae.positions[1:]; random_masking(x, ratio, noise) returns visible, "
        "mask and ids_restore; [CLS] is mae.cls_token.expand(B, -1, -1).",
        "x = mae.embed(package.patchify(images, mae.config.patch_size)) + mae.positions[1:]\n"
        "visible, mask, ids_restore = random_masking(x, ratio, noise)\n"
        "cls = mae.cls_token.expand(len(x), -1, -1)\n"
        "return mae.encoder(torch.cat([cls, visible], 1)), mask, ids_restore",
    ),
    mistakes=(
        Mistake(
            "Positions came after the shuffle: the patch that stays first gets position 1, wherever "
            "it stood. Add them to all patches before any is removed.",
            {
                " + mae.positions[1:]": "",
                "[cls, visible]": "[cls, visible + mae.positions[1 : 1 + visible.shape[1]]]",
            },
        ),
        Mistake(
            "The positions are missing. Without them the encoder cannot know where a patch stood.",
            {" + mae.positions[1:]": ""},
        ),
        Mistake(
            "The mask token is in your encoder: it works on all L places, and sees something that no "
            "real image has. Give it the visible patches only.",
            {"[cls, visible]": f"[cls, {FILLED} + mask[..., None] * mae.positions[1:]]"},
            {"[cls, visible]": f"[cls, {FILLED}]"},
        ),
        Mistake(
            "The encoder works on all L places, with zeros where a patch is removed. Take those out: "
            "`visible` is shorter.",
            {"[cls, visible]": "[cls, (x + mae.positions[1:]) * (1 - mask[..., None])]"},
        ),
        Mistake(
            "Your encoder got all patches. Pass on `visible`, what random_masking returns first.",
            {"[cls, visible]": "[cls, x + mae.positions[1:]]"},
        ),
        Mistake(
            "These vectors have not been through the encoder yet: pass [CLS] and the visible patches "
            "to `mae.encoder`.",
            {"mae.encoder(torch": "(torch"},
        ),
        Mistake(
            "Each patch got the position of the one before it. Row 0 of `mae.positions` is [CLS]'s, "
            "the patches' begin at row 1: `mae.positions[1:]`.",
            {"positions[1:]": "positions[:-1]"},
        ),
        Mistake(
            "The encoder saw all patches, and only then some were removed: the visible vectors know "
            "what is to be guessed. Remove first, encode afterwards.",
            encoded_before_masking,
        ),
        Mistake(
            "[CLS] is missing: put mae.cls_token in front of the visible patches.",
            {"[cls, visible]": "[visible]"},
        ),
        Mistake(
            "[CLS] stands behind the patches. It goes in front.",
            {"[cls, visible]": "[visible, cls]"},
        ),
        Mistake(
            "[CLS] was shuffled with the patches, so mask and ids_restore have a place too many. Add "
            "it after the masking.",
            CLS_BEFORE_MASKING
            | {"ratio, noise)": "ratio, torch.cat([torch.zeros(len(x), 1), noise], 1))"},
        ),
        Mistake(
            "[CLS] was there before the masking, and the noise has no number for it. Put it in front "
            "of the visible patches, after random_masking.",
            CLS_BEFORE_MASKING,
        ),
    ),
)
