"""Warm-up and decay."""

import torch

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[int, int, int]:
    """A step, the number of steps, and that of the warm-up's.

    The step is during the warm-up, at its end, right behind it, later, or the last of all.
    """
    warmup, rest, moment = (
        int(torch.randint(low, high, (1,), generator=g)) for low, high in ((3, 9), (6, 30), (0, 5))
    )
    during = int(torch.randint(warmup - 1, (1,), generator=g))
    later = warmup + 1 + int(torch.randint(rest - 2, (1,), generator=g))
    step = (during, warmup - 1, warmup, later, warmup + rest - 1)[moment]
    return step, warmup + rest, warmup


CLIMB = "(step + 1) / (warmup + 1)"
FALL = "(steps - step) / (steps - warmup)"

EXERCISE = Exercise(
    minutes=6,
    inputs=inputs,
    trials=16,
    hints=(
        "Two cases: still climbing (step < warmup), or on the way down.",
        "Climbing: stair number step + 1 of warmup + 1. Down: how many steps are left, out of how "
        "many behind the warm-up?",
        "if step < warmup: return (step + 1) / (warmup + 1); return (steps - step) / (steps - "
        "warmup)",
    ),
    mistakes=(
        Mistake(
            "The first step has the factor 0 and is lost. Count the stairs from 1: "
            "(step + 1) / (warmup + 1).",
            {CLIMB: "step / warmup"},
        ),
        Mistake(
            "You counted the stairs from 0, so the first step is lost. The first one is step + 1.",
            {CLIMB: "step / (warmup + 1)"},
        ),
        Mistake(
            "The climb reaches 1 one step too early. All `warmup` steps lie below 1: divide by "
            "warmup + 1.",
            {CLIMB: "(step + 1) / warmup"},
        ),
        Mistake(
            "There is no warm-up: during the first `warmup` steps the factor climbs.",
            {CLIMB: "1.0"},
        ),
        Mistake(
            "The climb goes on behind the warm-up. It ends at 1.",
            {FALL: f"{CLIMB} * {FALL}"},
        ),
        Mistake(
            "There is no way down: behind the warm-up the factor falls in a straight line.",
            {FALL: "1.0"},
        ),
        Mistake(
            "Your way down begins at step 0, so the factor jumps where the warm-up ends. Measure it "
            "from there: (steps - step) / (steps - warmup).",
            {FALL: "(steps - step) / steps"},
        ),
        Mistake(
            "Your way down begins at step 0 and lowers the warm-up too. Measure it from the end of "
            "the warm-up: (steps - step) / (steps - warmup).",
            {FALL: "(steps - step) / steps", CLIMB: f"{CLIMB} * (steps - step) / steps"},
        ),
        Mistake(
            "The line does not reach down to 0: it has steps - warmup steps for its way, not "
            "`steps`.",
            {FALL: "1 - (step - warmup) / steps"},
        ),
        Mistake(
            "The last step, number steps - 1, has the factor 0 and is lost. 0 is for step number "
            "`steps`, which does not come any more.",
            {FALL: "(steps - 1 - step) / (steps - 1 - warmup)"},
        ),
        Mistake(
            "During the warm-up the way down counts already, with a factor above 1. It begins "
            "behind the warm-up.",
            {CLIMB: f"{CLIMB} * {FALL}"},
        ),
        Mistake(
            "`//` divides integers and throws the rest away, so the factor is 0 nearly "
            "everywhere. Use `/`.",
            {CLIMB: "(step + 1) // (warmup + 1)", FALL: "(steps - step) // (steps - warmup)"},
        ),
    ),
)
