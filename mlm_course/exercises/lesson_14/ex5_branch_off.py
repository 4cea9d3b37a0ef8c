"""Where to branch off."""

import torch

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[int, int, int, int]:
    """Steps wanted, warm-up, decay, and the distance of checkpoints.

    In one case a checkpoint lies exactly where the decay begins, in one the only checkpoint is that of
    step 0, in one the last one lies inside the warm-up, in one a checkpoint lies inside the decay. None
    lies at `steps - decay + 1`, so that who overlooks the stair of factor 1 is not wrong.
    """

    def whole(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (), generator=g))

    every, decay, warmup = whole(6, 9), whole(4, 7), whole(3, 5)
    case = whole(0, 4)
    if case == 0:
        return every * whole(3, 4) + decay, warmup, decay, every
    if case == 1:
        return warmup + 1 + decay, warmup, decay, every + warmup
    if case == 2:
        return every * whole(3, 4) + whole(1, decay - 2), warmup, decay, every
    if case == 3:
        long = every + warmup - 2
        return long + 1 + decay, long, decay, every
    return every * whole(3, 4) + decay + whole(1, every - 2), warmup, decay, every


EXERCISE = Exercise(
    kind="design",
    minutes=10,
    trials=24,
    inputs=inputs,
    hints=(
        "Up to which step is a run of `steps` steps the same as a run that never ends? Which checkpoint "
        "is the last one before that?",
        "At `steps - decay` the factor is still 1: the first step that differs is the one behind it. A "
        "checkpoint saved before that step is usable. They lie at 0, every, 2 * every, ...",
        "Begin at the largest multiple of `every` that is at most `steps - decay + 1`. The factors from there: "
        "the smaller one of climb and fall, and at most 1 (exercise 6.5).",
        "start = (steps - decay + 1) // every * every\n"
        "factors = []\n"
        "for step in range(start, steps):\n"
        "    factors.append(min((step + 1) / (warmup + 1), 1.0, (steps - step) / decay))\n"
        "return start, factors",
    ),
    mistakes=(
        Mistake(
            "Your checkpoint lies inside the decay of this run, where the endless run no longer agrees with "
            "it. The first step that differs is `steps - decay + 1`.",
            {"(steps - decay + 1) // every": "steps // every"},
            {"(steps - decay + 1) // every": "(steps - 1) // every"},
        ),
        Mistake(
            "Right, but for a run whose decay begins exactly at a checkpoint: that one can be used.",
            {"(steps - decay + 1) // every": "(steps - decay - 1) // every"},
        ),
        Mistake(
            "This is not the *last* usable checkpoint: one `every` steps later would do, and saves steps.",
            {
                "(steps - decay + 1) // every * every": "max(0, (steps - decay + 1) // every - 1) * every"
            },
        ),
        Mistake(
            "A checkpoint inside the warm-up can be used, too: both runs warm up alike.",
            {
                "(steps - decay + 1) // every * every": "(steps - decay + 1) // every * every\n"
                "    start = start if start >= warmup else 0"
            },
        ),
        Mistake(
            "Your factors decay from the checkpoint on. The learning rate stays at 1 until `steps - decay`.",
            {"(steps - step) / decay": "(steps - step) / (steps - start)"},
        ),
        Mistake(
            "Where the branch begins before the end of the warm-up, the rest of the warm-up is missing.",
            {"(step + 1) / (warmup + 1), ": ""},
        ),
        Mistake(
            "Your climb has other stairs than that of exercise 6.5: 0 would be one stair before step 0, and 1 "
            "is reached at step `warmup`.",
            {"(step + 1) / (warmup + 1)": "step / warmup"},
            {"(step + 1) / (warmup + 1)": "(step + 1) / warmup"},
        ),
        Mistake(
            "Your branch warms up again. At a checkpoint behind the warm-up the factor is 1 already.",
            {"(step + 1) / (warmup + 1)": "(step - start + 1) / (warmup + 1)"},
        ),
        Mistake(
            "The decay never begins: the last `decay` steps fall in equal stairs.",
            {", (steps - step) / decay": ""},
        ),
        Mistake(
            "Your factors are those of all steps from 0. The steps up to the checkpoint are done already.",
            {"range(start, steps)": "range(steps)"},
        ),
        Mistake(
            "Your decay ends one step too early: the last step's factor is 1 / decay, not 0.",
            {"(steps - step) / decay": "(steps - step - 1) / decay"},
        ),
    ),
)
