"""Who made these rows?"""

from functools import lru_cache

import torch
from torch import Tensor

from mlm_course import corruption
from mlm_course.corruption import BERT_PROPORTIONS, MASK_ONLY, DynamicMasking, Masker, StaticMasking
from mlm_course.practice.exercise import Exercise, Mistake

PATTERNS = ("bernoulli", "bernoulli", "fixed count", "block", "non-adjacent")
RATIOS = (0.15, 0.3, 0.35, 0.4, 0.45)


def inputs(g: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """300 rows of 18 to 38 candidates, and three epochs of them from one program out of eighty."""
    ids, input_ids, labels = drawn(g.initial_seed())
    return ids.clone(), input_ids.clone(), labels.clone()


@lru_cache(maxsize=48)
def drawn(seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """What `inputs` returns; kept, since each trial is asked for again and again."""
    g = torch.Generator().manual_seed(seed)
    lengths = torch.randint(18, 39, (300,), generator=g)
    place = torch.arange(40)
    ids = torch.randint(5, 60, (300, 40), generator=g)
    ids[:, 0] = 2
    ids[place == lengths[:, None] + 1] = 3
    ids[place > lengths[:, None] + 1] = 0
    pattern, ratio, replacement, moment = (
        int(torch.randint(n, (), generator=g)) for n in (5, 5, 2, 2)
    )
    masker = Masker(
        60,
        range(5),
        4,
        choose=corruption.STRATEGIES[PATTERNS[pattern]],
        ratio=RATIOS[ratio],
        proportions=(MASK_ONLY, BERT_PROPORTIONS)[replacement],
    )
    masking = StaticMasking(masker, ids, 1, g) if moment else DynamicMasking(masker, ids, seed)
    epochs = [masking(torch.arange(300), epoch) for epoch in range(3)]
    return ids, torch.stack([e.input_ids for e in epochs]), torch.stack([e.labels for e in epochs])


MASKED = "labels != -100"
FIXED = "((count - ratio * candidates).abs() < 0.51).all()"

EXERCISE = Exercise(
    minutes=25,
    kind="diagnose",
    hard=True,
    trials=24,
    inputs=inputs,
    stages={"masked": "which tokens were hidden", "ratio": "the ratio"},
    hints=(
        "First of all: which tokens were hidden? Not all of them look changed. Something else tells.",
        "Count for each row and epoch the hidden tokens, and for each row the candidates. The ratio is "
        "one sum divided by the other; times 20, rounded, and divided by 20.",
        "A stretch begins where a token is hidden and the one before it is not. How many stretches has a "
        "row of `block`, and how many has one of `non-adjacent`?",
        "A fixed count is one that lies within rounding of ratio * candidates in every row. Whether it is "
        "the same in each epoch says nothing if the masks are.",
        "masked = labels != -100\n"
        "count, candidates = masked.sum(-1), (ids >= 5).sum(-1)\n"
        "ratio = round(20 * count.sum().item() / (len(masked) * candidates.sum().item())) / 20\n"
        "begins = masked & ~masked.roll(1, -1)\n"
        "if (begins.sum(-1) == 1).all():\n"
        "    pattern = 'block'\n"
        "elif begins.sum() == masked.sum():\n"
        "    pattern = 'non-adjacent'\n"
        "elif ((count - ratio * candidates).abs() < 0.51).all():\n"
        "    pattern = 'fixed count'\n"
        "else:\n"
        "    pattern = 'bernoulli'\n"
        "replacement = '[MASK]' if (input_ids[masked] == 4).all() else '80/10/10'\n"
        "moment = 'static' if (masked == masked[0]).all() else 'dynamic'\n"
        "return pattern, replacement, moment, ratio",
    ),
    mistakes=(
        Mistake(
            "You take the tokens that *changed* for the hidden ones. Some hidden tokens stay as they are. "
            "What do the labels say?",
            {MASKED: "input_ids != ids"},
        ),
        Mistake(
            "You take the [MASK]s for the hidden tokens, and see them all masked. With 80/10/10 a "
            "hidden token may be anything. What do the labels say?",
            {MASKED: "input_ids == 4"},
        ),
        Mistake(
            "The ratio is one of all places, [CLS], [SEP] and padding included: it is a share of the "
            "candidates.",
            {"moment, ratio": "moment, round(20 * count.sum().item() / masked.numel()) / 20"},
            {"(len(masked) * candidates.sum().item())": "masked.numel()"},
        ),
        Mistake(
            "A fixed count was called Bernoulli because rows differ. They have different lengths: compare "
            "with the ratio times the row's own candidates.",
            {FIXED: "(count == count[0, 0]).all()"},
        ),
        Mistake(
            "Static Bernoulli masks were called a fixed count: the count of a row is the same in each "
            "epoch, but so is everything else. Compare with the ratio times the row's candidates.",
            {FIXED: "(count == count[0]).all()"},
        ),
        Mistake(
            "A block was not recognised. In each row the hidden tokens form one stretch.",
            {"(begins.sum(-1) == 1).all()": "False"},
        ),
        Mistake(
            "`non-adjacent` was not recognised. It has a fixed count as well, but no two neighbours.",
            {"elif begins.sum() == masked.sum():": "elif False:"},
        ),
        Mistake(
            "Static and dynamic are swapped.",
            {"(masked == masked[0]).all()": "not (masked == masked[0]).all()"},
        ),
        Mistake(
            "Every program comes out as dynamic. Some give the same mask in each epoch.",
            {"(masked == masked[0]).all()": "False"},
        ),
        Mistake(
            "Every program comes out as 80/10/10. Some put [MASK] in place of every hidden token.",
            {"(input_ids[masked] == 4).all()": "False"},
        ),
        Mistake(
            "Every program comes out as one that writes [MASK] only. Some leave a hidden token or put "
            "in another.",
            {"(input_ids[masked] == 4).all()": "True"},
        ),
    ),
)
