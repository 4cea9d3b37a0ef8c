"""How was the mask read."""

import math

import torch
from torch import Tensor

from mlm_course.attention import attention_scores
from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """q, k, v of one sentence each; masks (N, S) of 0 and 1, and outputs (N, T, E), in a random order.

    Each reading occurs with two padding keys; once, read as meant, there is no padding.
    """
    q, k = torch.randn(5, 8, generator=g), torch.randn(7, 8, generator=g)
    v = torch.randn(7, 4, generator=g)
    padded = (torch.arange(7) < 5).long()
    cases = [(padded, weights) for weights in readings(q, k, padded).values()]
    cases.append((torch.ones(7, dtype=torch.long), attention_scores(q, k).softmax(-1)))
    order = torch.randperm(len(cases), generator=g).tolist()
    masks = torch.stack([cases[i][0] for i in order])
    return q, k, v, masks, torch.stack([cases[i][1] @ v for i in order])


def readings(q: Tensor, k: Tensor, mask: Tensor) -> dict[str, Tensor]:
    """The weights (T, S) under each reading of a mask (S,)."""
    scores, is_word = attention_scores(q, k), mask.bool()
    return {
        "as meant": scores.masked_fill(~is_word, -math.inf).softmax(-1),
        "upside down": scores.masked_fill(is_word, -math.inf).softmax(-1),
        "added": (scores + mask).softmax(-1),
        "too late": scores.softmax(-1) * is_word,
        "not at all": scores.softmax(-1),
    }


ADDED, LATE = "(scores + mask).softmax(-1)", "scores.softmax(-1) * is_word"

EXERCISE = Exercise(
    minutes=20,
    kind="diagnose",
    hard=True,
    inputs=inputs,
    hints=(
        "Do what each of the five programs may have done, and see whose output it is.",
        "For one mask (S,) make a dict: name -> weights (T, S) under that reading. Then keep the names "
        "for which `weights @ v` is the output.",
        "The five: scores with -inf where the mask is 0; with -inf where it is 1; scores + mask; "
        "softmax(-1) times the mask; plain softmax. The scores are divided by sqrt(D) in each.",
        "names = []\n"
        "for mask, output in zip(masks, outputs):\n"
        "    scores = q @ k.T / math.sqrt(q.shape[-1])\n"
        "    readings = {\n"
        '        "as meant": scores.masked_fill(mask == 0, -math.inf).softmax(-1),\n'
        '        "upside down": scores.masked_fill(mask == 1, -math.inf).softmax(-1),\n'
        '        "added": (scores + mask).softmax(-1),\n'
        '        "too late": scores.softmax(-1) * mask,\n'
        '        "not at all": scores.softmax(-1),\n'
        "    }\n"
        "    fits = [n for n, w in readings.items() if torch.allclose(w @ v, output, atol=1e-4)]\n"
        "    names.append(fits)\n"
        "return names",
    ),
    mistakes=(
        Mistake(
            "Only one name is given for each output. Where there is no padding, several readings give "
            "the same: list all of them.",
            {"names.append(fits)": "names.append(fits[:1])"},
        ),
        Mistake(
            "Only one name is given for each output, the last that fits. Where there is no padding, "
            "several readings give the same: list all of them.",
            {"names.append(fits)": "names.append(fits[-1:])"},
        ),
        Mistake(
            "As meant and upside down have changed places: a word has a 1 in these masks.",
            {
                '"as meant": scores.masked_fill(~is_word': '"as meant": scores.masked_fill(is_word',
                '"upside down": scores.masked_fill(is': '"upside down": scores.masked_fill(~is',
            },
        ),
        Mistake(
            'An output whose mask was "added" was not recognised: there the numbers 0 and 1 of the '
            "mask went into the scores as they are, so padding is heard, only less.",
            {ADDED: "(scores - mask).softmax(-1)"},
            {ADDED: "(scores + mask.float().log()).softmax(-1)"},
            {ADDED: "scores.softmax(-1) + mask"},
        ),
        Mistake(
            'An output masked "too late" was not recognised: there the weights of padding were set to '
            "0 after softmax, and what is left does not sum to 1.",
            {LATE: "(scores * is_word).softmax(-1)"},
            {
                LATE: "(scores.softmax(-1) * is_word) / (scores.softmax(-1) * is_word).sum(-1, keepdim=True)"
            },
        ),
        Mistake(
            "All your lists are empty: no reading gives any of these outputs. Are the scores divided "
            "by sqrt(D), and does softmax run over the keys?",
            {"attention_scores(q, k)": "q @ k.T"},
        ),
    ),
)
