"""What the decoder gets."""

import torch
from torch import Tensor

from mlm_course.exercises.lesson_10.masked_texts import some_masked, texts
from mlm_course.models.text_mae import keep_visible
from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Latents (3, K, 5), real (3, K), ids_restore (3, 9), a mask token (5,), and places (9, 5)."""
    masked = some_masked(g, 9, (2, 5, 3))
    kept = keep_visible(texts(g, 3, 9), masked)
    assert kept.real is not None
    latent = torch.randn(*kept.ids.shape, 5, generator=g)
    token, places = torch.randn(5, generator=g), torch.randn(9, 5, generator=g)
    return latent, kept.real, kept.ids_restore, token, places


ZEROS_FOR_PADDING = {"latent, mask_token)": "latent, 0.0)"}

EXERCISE = Exercise(
    minutes=10,
    stages={"x": "the vectors, the mask token in place of those of padding"},
    inputs=inputs,
    hints=(
        "`put_back_at` sends all K vectors of a row home, those of padding, too. Where would these "
        "land, and what should stand there?",
        "Three steps: put the mask token in place of padding's vectors, `torch.where` with "
        "`real[..., None]`, (B, K, D); send everything home, (B, T, D); add `places`, (T, D), to "
        "every row.",
        "x = torch.where(real[..., None], latent, mask_token)\n"
        "return put_back_at(x, ids_restore, mask_token[None, None]) + places",
    ),
    mistakes=(
        Mistake(
            "All mask tokens are alike now: without `places` the decoder cannot tell one gap from "
            "another.",
            {" + places": ""},
        ),
        Mistake(
            "In rows with fewer visible tokens, vectors of padding landed at hidden places. Put the "
            "mask token there, where `real` is False.",
            {"torch.where(real[..., None], latent, mask_token)": "latent"},
        ),
        Mistake(
            "The places were added before the vectors went home: words behind a gap got a wrong one, "
            "and `put_back_at`'s mask tokens none. Put back first.",
            {" + places": "", "put_back_at(x": "put_back_at(x + places[: x.shape[1]]"},
        ),
        Mistake(
            "Only the gaps got their place. Add it everywhere, so that the decoder knows how far each "
            "visible word is from a gap.",
            {"+ places": "+ places * (ids_restore >= real.sum(1, keepdim=True))[..., None]"},
        ),
        Mistake(
            "Places whose vector was padding's hold zeros (and their position). The mask token "
            "belongs there, as in every gap.",
            ZEROS_FOR_PADDING,
        ),
        Mistake(
            "The gaps hold zeros (and their position) instead of the mask token.",
            ZEROS_FOR_PADDING | {"mask_token[None": "torch.zeros_like(mask_token)[None"},
        ),
        Mistake(
            "Exchanged: the visible tokens' vectors were replaced by the mask token, and padding's "
            "were kept. `real` is True at tokens.",
            {"latent, mask_token)": "mask_token, latent)"},
        ),
        Mistake(
            "The gaps have no position vector, only the visible tokens have. The decoder cannot tell "
            "one gap from another.",
            {"+ places": "+ places * (ids_restore < real.sum(1, keepdim=True))[..., None]"},
        ),
        Mistake(
            "The vectors went the other way: `ids_restore` says for each place which of the sorted "
            "vectors belongs there. Its argsort, or writing with it (scatter), turns that around.",
            {"ids_restore, mask_token": "ids_restore.argsort(1), mask_token"},
        ),
    ),
)
