"""A second correct implementation of each exercise, written without looking at the reference."""

import math

import numpy as np
import torch
from torch.nn import functional as F


def average_by_loop(weights, values):
    rows = [sum(weights[..., t, s, None] * values[..., s, :] for s in range(values.shape[-2]))
            for t in range(weights.shape[-2])]  # fmt: skip
    return torch.stack(rows, dim=-2)


def attention_by_einsum(q, k, v):
    scores = torch.einsum("bhtd,bhsd->bhts", q, k) * q.size(-1) ** -0.5
    weights = torch.exp(scores - torch.logsumexp(scores, -1, keepdim=True))
    return torch.einsum("bhts,bhsv->bhtv", weights, v), weights


def heads_by_chunks(x, w_q, w_k, w_v, w_o, n_heads):
    pieces = (torch.chunk(x @ w, n_heads, dim=-1) for w in (w_q, w_k, w_v))
    outputs = [F.scaled_dot_product_attention(q, k, v) for q, k, v in zip(*pieces, strict=True)]
    return torch.cat(outputs, dim=-1) @ w_o


def padding_by_loop(lengths, size):
    mask = torch.zeros(len(lengths), 1, 1, size, dtype=torch.bool)
    for row, n in enumerate(lengths.tolist()):
        mask[row, ..., :n] = True
    return mask


def both_by_comparison(lengths, size):
    place = torch.arange(size)
    return ((place[None, :, None] >= place) & (place < lengths[:, None, None]))[:, None]


def safe_by_exponentials(scores, attention_mask):
    top = scores.amax(-1, keepdim=True)
    e = torch.exp(scores - top) * attention_mask
    return e / e.sum(-1, keepdim=True).clamp(min=1e-30)


def pieces_by_recursion(word, vocabulary, prefix=""):
    for end in range(len(word), 0, -1):
        if prefix + word[:end] in vocabulary:
            if end == len(word):
                return [prefix + word]
            rest = pieces_by_recursion(word[end:], vocabulary, "##")
            return ["[UNK]"] if rest == ["[UNK]"] else [prefix + word[:end], *rest]
    return ["[UNK]"]


def count_by_loop(noise, can_hide, ratio):
    hidden = torch.zeros_like(can_hide)
    for row in range(len(noise)):
        places = can_hide[row].nonzero()[:, 0].tolist()
        places.sort(key=lambda place: noise[row, place].item())
        hidden[row, places[: max(1, round(ratio * len(places)))]] = True
    return hidden


def replaced_by_loop(ids, hidden, u, random_ids, mask_id):
    result = ids.clone()
    for place in hidden.nonzero().tolist():
        b, t = place
        if u[b, t] < 0.8:
            result[b, t] = mask_id
        elif u[b, t] >= 0.9:
            result[b, t] = random_ids[b, t]
    return result


def words_by_loop(hidden, word_ids):
    result = torch.zeros_like(hidden)
    for b in range(len(hidden)):
        for word in set(word_ids[b].tolist()) - {-1}:
            if hidden[b][word_ids[b] == word].any():
                result[b] |= word_ids[b] == word
    return result


VARIANTS = {
    "1.1": average_by_loop,
    "1.2": lambda q, k: torch.einsum("bhtd,bhsd->bhts", q, k) / q.size(-1) ** 0.5,
    "1.3": lambda scores: F.log_softmax(scores, dim=-1).exp(),
    "1.4": attention_by_einsum,
    "1.5": lambda x, n_heads: torch.stack(x.chunk(n_heads, dim=-1), dim=1),
    "1.6": heads_by_chunks,
    "2.1": safe_by_exponentials,
    "2.2": padding_by_loop,
    "2.3": lambda size: torch.from_numpy(np.arange(size)[:, None] >= np.arange(size)[None]),
    "2.4": both_by_comparison,
    "2.5": lambda documents: documents.unsqueeze(1).eq(documents.unsqueeze(2)).unsqueeze(1),
    "2.6": safe_by_exponentials,
    "2.7": lambda mask: torch.where(mask, 0.0, -math.inf),
    "3.1": pieces_by_recursion,
    "3.2": lambda ids, special: (ids[..., None] != torch.tensor(special)).all(-1),
    "3.3": count_by_loop,
    "3.4": replaced_by_loop,
    "3.5": lambda ids, hidden: torch.where(hidden, ids, torch.full_like(ids, -100)),
    "3.6": words_by_loop,
}
