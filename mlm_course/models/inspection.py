"""Looking into a trained model: its best answers, and where its heads look. Lesson 7."""

from __future__ import annotations

import torch
from torch import Tensor

from mlm_course.attention_checks import mask_over
from mlm_course.contracts import (
    check_bools,
    check_count,
    check_floats,
    check_kind,
    check_mask,
    may_look_at,
)
from mlm_course.models.masked_lm import MaskedLM


def top_answers(logits: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k most likely answers to each gap: probabilities (n, k), largest first, and ids (n, k).

    logits (n, V), one row for each gap; the probabilities are those among all V answers.
    """
    check_floats("logits", logits, "n V")
    check_count("k", k, 1, logits.shape[-1])
    if may_look_at(logits) and not logits.amax(-1).isfinite().all():
        raise ValueError(
            "logits contain NaN or inf, or a row of -inf: no answer is the best there."
        )
    chances, ids = logits.softmax(-1).topk(k)
    return chances, ids


def logit_lens(
    model: MaskedLM, ids: Tensor, masked: Tensor, attention_mask: Tensor | None = None
) -> Tensor:
    """What the head would answer if the stack ended early: logits (L + 1, n, V) after 0 to L blocks.

    ids (B, T); masked bool (B, T), the n places that are asked about; attention_mask as in `Encoder`.
    What comes out of the embeddings and of each block goes through the final norm and the head; the
    last row is the model's own answer. Source: nostalgebraist 2020, "interpreting GPT: the logit
    lens".
    """
    check_kind("model", model, MaskedLM)
    check_mask("masked", masked, ids)
    encoder = model.encoder
    x = encoder.embeddings(ids)  # (B, T, D)
    visible, states = mask_over(ids, attention_mask, encoder.config.n_heads), [x[masked]]
    for block in encoder.blocks:
        x, _ = block(x, visible)
        states.append(x[masked])
    x = torch.stack(states)  # (L + 1, n, D)
    return model.logits(x if encoder.final_norm is None else encoder.final_norm(x))


def copy_scores(weights: Tensor, mention: Tensor) -> Tensor:
    """How much attention each head pays from hidden words to their other mentions: (H,).

    weights (B, H, T, S), after softmax; mention (B, T, S) bool, True where key s is another mention
    of the hidden word at query t. The weights on all other mentions of a word are added up; queries
    without any are left out, all others of the whole batch count the same. NaN if there is none.
    """
    check_floats("weights", weights, "B H T S", finite=True)
    check_bools("mention", mention, "B T S")
    if mention.shape != (len(weights), *weights.shape[2:]):
        raise ValueError(
            f"mention has shape {tuple(mention.shape)}, which is not (B, T, S) of weights "
            f"{tuple(weights.shape)}."
        )
    paid = (weights * mention[:, None]).sum(-1)  # (B, H, T)
    asked = mention.any(-1)[:, None]  # (B, 1, T)
    return (paid * asked).sum((0, 2)) / asked.sum()
