"""One pass for all blocks of a training text."""

import torch

from mlm_course.attention import block_causal_mask, causal_mask  # noqa: F401 (edited answers use it)
from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[int, int]:
    """So many words, and so many a block: at least three blocks, the last one shorter."""
    block = int(torch.randint(2, 5, (), generator=g))
    blocks = int(torch.randint(2, 4, (), generator=g))
    rest = int(torch.randint(1, block, (), generator=g)) if block > 1 else 0
    return blocks * block + rest, block


NOISY = "torch.cat([same, earlier], 1)"
CLEAN = "torch.cat([torch.zeros_like(same), same | earlier], 1)"
NUMBER = "torch.arange(size) // block"

EXERCISE = Exercise(
    minutes=15,
    hard=True,
    inputs=inputs,
    trials=6,
    stages={
        "same": "the pairs of words in the same block, (size, size)",
        "earlier": "the pairs whose key lies in an earlier block, (size, size)",
    },
    hints=(
        "Think of one block when the text is written. It is being filled, so it is noisy; what stands "
        "before it is finished, so it is clean. And when a finished block is read, what does it see?",
        "Four tables (size, size): noisy sees noisy, noisy sees clean, clean sees noisy, clean sees clean. "
        "Each is one of: nothing, the same block, earlier blocks, both.",
        "With `number = torch.arange(size) // block`, `number[:, None] == number` is the same block and "
        "`number[:, None] > number` an earlier one. `torch.cat([left, right], 1)` puts keys side by "
        "side, `torch.cat([top, below])` queries.",
        "number = torch.arange(size) // block\n"
        "same = number[:, None] == number\n"
        "earlier = number[:, None] > number\n"
        "noisy = torch.cat([same, earlier], 1)\n"
        "clean = torch.cat([torch.zeros_like(same), same | earlier], 1)\n"
        "return torch.cat([noisy, clean])",
    ),
    mistakes=(
        Mistake(
            "Noisy words see the clean copy of their own block: there stands what they are to guess. Of the "
            "clean blocks only earlier ones may be seen.",
            {NOISY: "torch.cat([same, same | earlier], 1)"},
            {NOISY: "torch.cat([same | earlier, same | earlier], 1)"},
            {NOISY: "torch.cat([torch.zeros_like(same), same | earlier], 1)"},
            {NOISY: "torch.cat([same, torch.ones_like(same)], 1)"},
        ),
        Mistake(
            "Noisy words see the clean copies of later blocks. When a text is written, nothing is there yet.",
            {NOISY: "torch.cat([same, ~same], 1)"},
        ),
        Mistake(
            "Noisy words see earlier blocks twice, as noisy ones, too. When a text is written, earlier blocks "
            "are finished: no noisy copy of them is there.",
            {NOISY: "torch.cat([same | earlier, earlier], 1)"},
        ),
        Mistake(
            "Noisy words see the noisy copies of earlier blocks, and no clean ones. When a text is written, "
            "earlier blocks are finished.",
            {NOISY: "torch.cat([same | earlier, torch.zeros_like(same)], 1)"},
        ),
        Mistake(
            "Noisy words see their own block and nothing before it. The clean copies of earlier blocks are "
            "missing.",
            {NOISY: "torch.cat([same, torch.zeros_like(same)], 1)"},
        ),
        Mistake(
            "Noisy words do not see the noisy words of their own block. Inside a block attention goes both "
            "ways.",
            {NOISY: "torch.cat([torch.zeros_like(same), earlier], 1)"},
        ),
        Mistake(
            "Noisy words see themselves alone of their own block. Inside a block attention goes both ways.",
            {NOISY: "torch.cat([torch.eye(size, dtype=torch.bool), earlier], 1)"},
        ),
        Mistake(
            "Clean words do not see their own block. When a finished block is read, its words see each other: "
            "otherwise these are not the keys and values that are kept.",
            {CLEAN: "torch.cat([torch.zeros_like(same), earlier], 1)"},
        ),
        Mistake(
            "Clean words see their own block and nothing before it. A finished block has read all earlier "
            "ones.",
            {CLEAN: "torch.cat([torch.zeros_like(same), same], 1)"},
        ),
        Mistake(
            "Clean words see noisy ones. When a text is written, a finished block was read without any.",
            {CLEAN: "torch.cat([same, same | earlier], 1)"},
            {CLEAN: "torch.cat([same, earlier], 1)"},
            {CLEAN: "torch.cat([earlier, same | earlier], 1)"},
            {CLEAN: "torch.cat([same | earlier, same | earlier], 1)"},
            {CLEAN: "torch.ones(size, 2 * size, dtype=torch.bool)"},
        ),
        Mistake(
            "Clean words see all clean words, later ones too. Then what noisy words read of earlier blocks "
            "already knows the later ones: no block looks ahead.",
            {CLEAN: "torch.cat([torch.zeros_like(same), torch.ones_like(same)], 1)"},
        ),
        Mistake(
            "The clean copy is causal word by word. A finished block was read as a block: inside it attention "
            "goes both ways.",
            {CLEAN: "torch.cat([torch.zeros_like(same), causal_mask(size)], 1)"},
        ),
        Mistake(
            "Queries and keys are exchanged: row i of the table says what word i *sees*.",
            {"torch.cat([noisy, clean])": "torch.cat([noisy, clean]).T"},
        ),
        Mistake(
            "The right tables with the clean copy first. The noisy one comes first, as query and as key.",
            {"torch.cat([noisy, clean])": "torch.cat([noisy, clean]).roll((size, size), (0, 1))"},
        ),
        Mistake(
            "The keys are right, the queries exchanged: the first rows belong to the noisy copy.",
            {"torch.cat([noisy, clean])": "torch.cat([clean, noisy])"},
        ),
        Mistake(
            "Blocks see *later* blocks instead of earlier ones.",
            {"number[:, None] > number": "number[:, None] < number"},
        ),
        Mistake(
            "The two copies were taken for one long text and cut into blocks together, so that clean words "
            "see noisy ones. Each copy has the same blocks.",
            {"torch.cat([noisy, clean])": "block_causal_mask(2 * size, block)"},
        ),
        Mistake(
            "`block` was taken for the number of blocks. It is the number of words of each.",
            {NUMBER: "torch.arange(size) * block // size"},
        ),
        Mistake(
            "The blocks are counted from the right, so that the first one is the shorter. Count from the left.",
            {NUMBER: "(torch.arange(size) + -size % block) // block"},
        ),
        Mistake(
            "True says here who may *not* be seen. True is for what may be seen.",
            {"return torch.cat([noisy, clean])": "return ~torch.cat([noisy, clean])"},
        ),
    ),
)
