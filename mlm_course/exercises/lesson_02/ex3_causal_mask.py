"""Causal mask with a past."""

import torch

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[int, int]:
    """Numbers of queries and of keys, the second by 2 to 4 larger."""
    n_queries = int(torch.randint(3, 6, (1,), generator=g))
    return n_queries, n_queries + int(torch.randint(2, 5, (1,), generator=g))


PAST = "tril(n_keys - n_queries)"
ONES = "torch.ones(n_queries, n_keys, dtype=torch.bool)"

EXERCISE = Exercise(
    minutes=8,
    inputs=inputs,
    hints=(
        "Draw it for 2 queries and 5 keys: at which of the five places does the first query stand?",
        "Query t stands at the place n_keys - n_queries + t. Compare that with the keys' places, "
        "`torch.arange(n_keys)`; or look up what the argument of `tril` does.",
        "return torch.ones(n_queries, n_keys, dtype=torch.bool).tril(n_keys - n_queries)",
    ),
    mistakes=(
        Mistake(
            "The table begins as if the queries were the *first* words: row t is open at the keys 0 "
            "to t. They are the last ones, and all that came before is open to them. (PyTorch's "
            "`is_causal=True` does it your way.)",
            {PAST: "tril()"},
        ),
        Mistake(
            "This opens the future. A query hears itself and what came before it, all of that.",
            {PAST: "triu(n_keys - n_queries)"},
            {PAST: "triu()"},
        ),
        Mistake(
            "A word may not listen to itself here: each row ends one place too early.",
            {PAST: "tril(n_keys - n_queries - 1)"},
        ),
        Mistake(
            "One place too far: queries see the word right behind them, which is the answer.",
            {PAST: "tril(n_keys - n_queries + 1)"},
        ),
        Mistake(
            "Upside down: True means may attend here. (nn.MultiheadAttention reads it your way.)",
            {PAST: "triu(n_keys - n_queries + 1)"},
        ),
        Mistake(
            "Every row is open up to the last query's place: the first queries hear the future.",
            {f".{PAST}": ""},
        ),
        Mistake(
            "That is the table for all words as queries. Only the last n_queries of its rows are "
            "asked for.",
            {"ones(n_queries,": "ones(n_keys,", PAST: "tril()"},
        ),
        Mistake(
            "Rows are queries, columns are keys; here it is the other way round.",
            {ONES: "torch.ones(n_keys, n_queries, dtype=torch.bool)", PAST: "tril().flip(0, 1)"},
        ),
    ),
)
