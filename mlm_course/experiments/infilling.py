"""Several gaps of real sentences, filled at once or one after the other. Lesson 12.

One model, that of `python_docs`, trained with a quarter hidden; its sentences are from modules that it
has not read. "differences" are over sentences, so they say nothing of another training.
"""

from __future__ import annotations

from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor

from mlm_course import tokenization
from mlm_course.corpora import python_docs
from mlm_course.decoding import LLADA, Predict, refine
from mlm_course.diffusion import predictor
from mlm_course.experiments.python_docs import HELD_OUT_SHARE, MORE, PACKAGES, readable
from mlm_course.models import load_pretrained
from mlm_course.results.comparison import between
from mlm_course.tokenization import MASK_ID, PAD_ID, UNK_ID

N_SENTENCES, SHORTEST, LONGEST = 500, 12, 30  # pieces
SHARES = (0.15, 0.3, 0.5, 0.75)
AT_ONCE, ONE_BY_ONE = "at once", "one by one"
ROWS = 64  # of a batch


def unread_sentences() -> list[str]:
    """Sentences of the held-out modules that stand nowhere in what the checkpoint was trained on."""
    items = python_docs.docstrings(PACKAGES)
    train, held_out = python_docs.split_by_module(items, HELD_OUT_SHARE, seed=0)
    others = python_docs.docstrings(readable(MORE))
    read = set(python_docs.sentences(item.text for item in [*train, *others]))
    unread = python_docs.sentences(item.text for item in held_out)
    return [text for text in dict.fromkeys(unread) if text not in read]


def drawn_rows(tokenizer: Tokenizer, texts: list[str], seed: int = 0) -> Tensor:
    """N_SENTENCES of SHORTEST to LONGEST pieces, padded: (N, LONGEST) int64, the shortest first."""
    ids = tokenization.encode(tokenizer, texts, special_tokens=False)
    fitting = [row for row in ids if SHORTEST <= len(row) <= LONGEST and UNK_ID not in row]
    order = torch.randperm(len(fitting), generator=torch.Generator().manual_seed(seed))
    rows = sorted((fitting[i] for i in order[:N_SENTENCES].tolist()), key=len)
    return torch.tensor([row + [PAD_ID] * (LONGEST - len(row)) for row in rows])


def gaps_of(rows: Tensor, share: float, seed: int = 1) -> Tensor:
    """A share of each row's pieces, rounded, drawn without looking: rows (N, T) -> (N, T) bool."""
    words = rows != PAD_ID
    noise = torch.rand(rows.shape, generator=torch.Generator().manual_seed(seed))
    rank = noise.masked_fill(~words, 2.0).argsort(1).argsort(1)
    return rank < (share * words.sum(1, keepdim=True)).round()


def filled(predict: Predict, rows: Tensor, gaps: Tensor, way: str) -> Tensor:
    """The rows with their gaps filled by the likeliest pieces, (N, T)."""
    parts = []
    for i in range(0, len(rows), ROWS):
        own, masked = rows[i : i + ROWS], gaps[i : i + ROWS]
        longest = int((own != PAD_ID).sum(1).max())
        canvas, masked = own[:, :longest], masked[:, :longest]
        steps = 1 if way == AT_ONCE else int(masked.sum(1).max())
        last = refine(predict, canvas, masked, MASK_ID, steps, LLADA)[-1].tokens
        parts.append(torch.cat([last, own[:, longest:]], 1))
    return torch.cat(parts)


def scores(filling: Tensor, rows: Tensor, gaps: Tensor) -> dict[str, list[float]]:
    """Of each sentence the share of its gaps with the true piece, whether all have it, and whether
    two neighbours are the same piece, one of them filled in."""
    right = (filling == rows) & gaps
    share = right.sum(1) / gaps.sum(1)
    return {
        "right": [round(x, 4) for x in share.tolist()],
        "all right": (share == 1).double().tolist(),
        "doubled": doubled(filling, gaps).double().tolist(),
    }


def doubled(rows: Tensor, gaps: Tensor) -> Tensor:
    """Rows (N, T) in which two neighbours are the same piece, at least one of them in a gap: (N,)."""
    same = (rows[:, 1:] == rows[:, :-1]) & (rows[:, 1:] != PAD_ID)
    return (same & (gaps[:, 1:] | gaps[:, :-1])).any(1)


def at_share(predict: Predict, rows: Tensor, share: float) -> dict[str, Any]:
    """The mean of each score by way, what the true sentences have, and the paired differences."""
    gaps = gaps_of(rows, share)
    ways = {
        way: scores(filled(predict, rows, gaps, way), rows, gaps) for way in (AT_ONCE, ONE_BY_ONE)
    }
    summed_up = {
        score: {
            **{way: sum(each[score]) / len(rows) for way, each in ways.items()},
            "differences": between(
                {way: each[score] for way, each in ways.items()}, [(ONE_BY_ONE, AT_ONCE)],
                lower_is_better=score == "doubled",
            ),
        }
        for score in ("right", "all right", "doubled")
    }  # fmt: skip
    summed_up["doubled"]["true sentences"] = doubled(rows, gaps).double().mean().item()
    return {"gaps": int(gaps.sum()), **summed_up}


def run() -> dict[str, Any]:
    """The record, on one thread."""
    torch.set_num_threads(1)
    model, tokenizer = load_pretrained("python_docs")
    texts = unread_sentences()
    rows = drawn_rows(tokenizer, texts)
    return {
        "sentences": len(rows),
        "of": len(texts),
        "pieces": [SHORTEST, LONGEST],
        "trained on": 0.25,
        "by share": {str(share): at_share(predictor(model), rows, share) for share in SHARES},
    }
