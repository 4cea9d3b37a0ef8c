"""The whole model."""

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: F401 (the answer uses it)

from mlm_course.exercises.lesson_10.masked_texts import MASK_ID, VOCABULARY, some_masked, texts
from mlm_course.models import StackConfig, TextMAE, TextMAEConfig
from mlm_course.models.text_mae import keep_visible  # noqa: F401 (the answer uses it)
from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[TextMAE, Tensor, Tensor]:
    """A model with larger weights than usual, ids (3, 9), and which of them are masked (3, 9)."""
    config = TextMAEConfig(
        VOCABULARY,
        max_length=10,
        d_model=12,
        n_layers=1,
        n_heads=2,
        d_ff=16,
        decoder=StackConfig(d_model=12, n_layers=1, n_heads=2, d_ff=16),
    )
    model = TextMAE(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.4 * torch.randn(parameter.shape, generator=g))
    return model, texts(g, 3, 9), some_masked(g, 9, (2, 5, 3))


WITH_MASK = f"ids.masked_fill(masked, {MASK_ID})"

EXERCISE = Exercise(
    minutes=10,
    inputs=inputs,
    hints=(
        "Keep, encode, decode, score the hidden places, compare with the true ids there.",
        "kept = keep_visible(ids, masked). The encoder takes kept.ids, kept.real and "
        "positions=kept.positions; the decoder its vectors and `kept`. Then model.logits(x[masked]) "
        "is (n, V).",
        "latent = model.encoder(kept.ids, kept.real, positions=kept.positions); x = "
        "model.decode(latent, kept); return F.cross_entropy(model.logits(x[masked]), ids[masked])",
    ),
    mistakes=(
        Mistake(
            "This is the loss over all places. The visible words can be copied: hidden ones only.",
            {"x[masked]": "x.flatten(0, 1)", "ids[masked]": "ids.flatten()"},
        ),
        Mistake(
            "This is the loss of the visible words. `masked` is True at those to be guessed.",
            {"x[masked]": "x[~masked]", "ids[masked]": "ids[~masked]"},
        ),
        Mistake(
            "The encoder got [MASK] at the hidden places. Here it does not see them at all: give it "
            "`kept.ids`.",
            {"keep_visible(ids, masked)": f"keep_visible({WITH_MASK}, torch.zeros_like(masked))"},
        ),
        Mistake(
            "This is lesson 6's model: [MASK] in the encoder, and no decoder.",
            {
                "kept.ids, kept.real, positions=kept.positions": WITH_MASK,
                "model.decode(latent, kept)": "latent",
            },
        ),
        Mistake(
            "The encoder counted positions anew. Pass `positions=kept.positions`.",
            {", positions=kept.positions": ""},
        ),
        Mistake(
            "The padding of short rows was read as if it were text. Pass `kept.real` as the encoder's "
            "attention mask.",
            {", kept.real": ""},
        ),
        Mistake(
            "The encoder got the ids alone: it also needs `kept.real` and `positions=kept.positions`.",
            {", kept.real, positions=kept.positions": ""},
        ),
        Mistake(
            "Nothing was removed: the encoder read the hidden words, too.",
            {"keep_visible(ids, masked)": "keep_visible(ids, torch.zeros_like(masked))"},
        ),
        Mistake(
            "Squared error treats the scores as quantities. A word is a choice among V: "
            "`F.cross_entropy`.",
            {
                "cross_entropy": "mse_loss",
                "ids[masked]": f"F.one_hot(ids[masked], {VOCABULARY}).float()",
            },
        ),
        Mistake(
            "Squared error between ids measures how far apart two words are in the alphabet. Use "
            "`F.cross_entropy` on the logits.",
            {
                "cross_entropy": "mse_loss",
                "(x[masked])": "(x[masked]).argmax(-1).float()",
                "ids[masked]": "ids[masked].float()",
            },
        ),
    ),
)
