"""The whole model."""

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: F401 (the answer uses it)

from mlm_course.exercises.lesson_10.masked_texts import MASK_ID, VOCABULARY, some_masked, texts
from mlm_course.models import StackConfig
from mlm_course.models.encoder import BlockStack
from mlm_course.models.image_mae import put_back as put_back_at  # noqa: F401 (the answer uses it)
from mlm_course.models.text_mae import keep_visible  # noqa: F401 (the answer uses it)
from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[BlockStack | Tensor, ...]:
    """Two stacks with larger weights than usual, words (20, 12), places (9, 12), a mask token (12,),
    ids (3, 9), and which of them are masked (3, 9).
    """
    stacks = [BlockStack(StackConfig(d_model=12, n_layers=1, n_heads=2, d_ff=16)) for _ in range(2)]
    with torch.no_grad():
        for stack in stacks:
            for parameter in stack.parameters():
                parameter.add_(0.3 * torch.randn(parameter.shape, generator=g))
    tables = [torch.randn(*size, 12, generator=g) for size in ((VOCABULARY,), (9,), ())]
    words, places, mask_token = (table.requires_grad_() for table in tables)
    return *stacks, words, places, mask_token, texts(g, 3, 9), some_masked(g, 9, (2, 5, 3))


WITH_MASK = f"ids.masked_fill(masked, {MASK_ID})"
SCORES = "restored[masked] @ words.T"
NOTHING_REMOVED = "keep_visible({}, torch.zeros_like(masked))"
NO_PADDING = {
    ", kept.real[:, None, None])": ", None)",
    "torch.where(kept.real[..., None], latent, mask_token)": "latent",
}

EXERCISE = Exercise(
    minutes=20,
    hard=True,
    backward=True,
    inputs=inputs,
    stages={
        "x": "the visible words' vectors, with those of the places where they stood",
        "latent": "what the encoder makes of them",
        "vectors": "these, the mask token in place of padding's",
        "everything": "what the decoder gets",
        "restored": "what the decoder makes of that",
    },
    hints=(
        "Five steps: keep what is visible; embed and encode it; make the decoder's input, as in 10.3; "
        "decode; score the masked places and compare with the true ids there.",
        "Everything at its place before each stack: words[kept.ids] + places[kept.positions] for the "
        "encoder, with kept.real[:, None, None] as its mask; for the decoder put back first, then "
        "+ places. The scores are restored[masked] @ words.T, (n, V).",
        "kept = keep_visible(ids, masked)\n"
        "x = words[kept.ids] + places[kept.positions]\n"
        "latent = encoder(x, kept.real[:, None, None])\n"
        "vectors = torch.where(kept.real[..., None], latent, mask_token)\n"
        "everything = put_back_at(vectors, kept.ids_restore, mask_token[None, None]) + places\n"
        "restored = decoder(everything, None)\n"
        "return F.cross_entropy(restored[masked] @ words.T, ids[masked])",
    ),
    mistakes=(
        Mistake(
            "This is the loss over all places. The visible words can be copied: masked ones only.",
            {SCORES: "restored.flatten(0, 1) @ words.T", "ids[masked]": "ids.flatten()"},
        ),
        Mistake(
            "This is the loss of the visible words. `masked` is True at those to be guessed.",
            {SCORES: "restored[~masked] @ words.T", "ids[masked]": "ids[~masked]"},
        ),
        Mistake(
            "The encoder got [MASK] at the masked places. Here it does not see them at all: give it "
            "what `keep_visible` keeps.",
            {"keep_visible(ids, masked)": NOTHING_REMOVED.format(WITH_MASK)} | NO_PADDING,
        ),
        Mistake(
            "The encoder's positions are counted anew. Each word takes the place along where it "
            "stood: `places[kept.positions]`.",
            {"places[kept.positions]": "places[: kept.ids.shape[1]]"},
        ),
        Mistake(
            "The encoder got no positions. Without them it cannot tell any order.",
            {" + places[kept.positions]": ""},
        ),
        Mistake(
            "The decoder got no positions. Its mask tokens are all alike then: add `places` once "
            "everything is put back.",
            {" + places\n": "\n"},
        ),
        Mistake(
            "The padding of short rows was read by the encoder as if it were text. Its attention mask "
            "is `kept.real`, (B, 1, 1, K).",
            {", kept.real[:, None, None])": ", None)"},
        ),
        Mistake(
            "In short rows the vectors of padding landed in gaps. Put the mask token in their place "
            "before all is put back.",
            {"torch.where(kept.real[..., None], latent, mask_token)": "latent"},
        ),
        Mistake(
            "Padding was taken for text twice: the encoder read it, and its vectors landed in gaps. "
            "`kept.real` says which of the K are tokens.",
            NO_PADDING,
        ),
        Mistake(
            "The encoder read the masked words, too: nothing was removed.",
            {"keep_visible(ids, masked)": NOTHING_REMOVED.format("ids")} | NO_PADDING,
        ),
        Mistake(
            "The decoder was left out: the mask tokens were scored without having seen any word.",
            {"decoder(everything, None)": "everything"},
        ),
        Mistake(
            "Encoder and decoder are exchanged.",
            {"encoder(x,": "decoder(x,", "decoder(everything": "encoder(everything"},
        ),
        Mistake(
            "Softmax was applied before F.cross_entropy, which applies it itself.",
            {SCORES: "(restored[masked] @ words.T).softmax(-1)"},
        ),
        Mistake(
            "These are the losses of all masked words added up. Take their mean.",
            {"ids[masked])": 'ids[masked], reduction="sum")'},
        ),
        Mistake(
            "This is a mean of the rows' means. Each masked word should count the same.",
            {
                f"return F.cross_entropy({SCORES}, ids[masked])": "return torch.stack("
                "[F.cross_entropy(r[m] @ words.T, i[m]) for r, m, i in zip(restored, masked, ids)]"
                ").mean()"
            },
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
            "`F.cross_entropy` on the scores.",
            {
                "cross_entropy": "mse_loss",
                SCORES: f"({SCORES}).argmax(-1).float()",
                "ids[masked]": "ids[masked].float()",
            },
        ),
    ),
)
