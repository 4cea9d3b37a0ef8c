"""Several texts in one row: real tokens a second, packed against padded. Lesson 13."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from mlm_course import tokenization
from mlm_course.attention import same_document_mask
from mlm_course.corpora import python_docs
from mlm_course.corruption import Corrupted, standard_masker
from mlm_course.cost import take_turns, times_as_fast
from mlm_course.experiments import python_docs as docs
from mlm_course.experiments._lesson_13 import ROUNDS, seeded, step_of
from mlm_course.models import EncoderConfig, MaskedLM, load_pretrained, seeded_init
from mlm_course.tokenization import texts_in_rows


def packing() -> dict[str, float]:
    """Real tokens a second, packed against padded: docstrings of at most a row."""
    tokenizer = load_pretrained("python_docs")[1]
    texts = [item.text for item in python_docs.docstrings(["stdlib"])][:3000]
    ids = [row for row in tokenization.encode(tokenizer, texts, special_tokens=False) if row]
    ids = [row[:127] for row in ids][:400]
    padded = nn.utils.rnn.pad_sequence([torch.tensor(row) for row in ids], batch_first=True)
    packed = torch.tensor(tokenization.pack(ids, 128)[:-1])
    share = (padded == 0).double().mean().item()
    model = seeded_init(MaskedLM, EncoderConfig(docs.VOCAB_SIZE, 128, d_model=128, n_layers=2))
    batches = {
        "padded": padded[torch.randperm(len(padded), generator=seeded(0))[:32]],
        "packed": packed[:32],
    }
    hide = standard_masker(docs.VOCAB_SIZE, 0.15)
    ways = {name: step_of(model, hide(rows, seeded(1))) for name, rows in batches.items()}
    ways["packed, texts apart"] = apart(model, hide(packed[:32], seeded(1)))
    speed = times_as_fast(take_turns(ways, ROUNDS), "padded")
    real = {name: int((batches[name.split(",")[0]] != 0).sum()) for name in ways}
    gain = {name: round(speed[name] * real[name] / real["padded"], 2) for name in ways}
    return {"share of padding": round(share, 3), **gain}


def apart(model: MaskedLM, batch: Corrupted) -> Callable[[], None]:
    """A step in which texts in one row do not see one another."""
    texts, places = texts_in_rows(batch.input_ids)
    allowed = same_document_mask(texts)

    def step() -> None:
        x = model.encoder(batch.input_ids, allowed, positions=places)
        logits = model.logits(x[batch.masked])
        F.cross_entropy(logits, batch.labels[batch.masked]).backward()
        model.zero_grad()

    return step


def run() -> dict[str, Any]:
    """The record, on one thread."""
    torch.set_num_threads(1)
    return {"real tokens a second": packing()}
