"""Warm-up, plateau, decay."""

import torch

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[int, int, int]:
    """Steps, of which some climb and some fall: apart, without the one or the other, overlapping."""
    kind, more, climb, fall = (int(torch.randint(high, (1,), generator=g)) for high in (4, 9, 5, 6))
    warmup, decay = 2 + climb, 3 + fall
    if kind == 3:  # the climb is not over when the fall begins
        return warmup + decay - 2, warmup + 1, decay
    return warmup + decay + 3 + more, warmup * (kind != 1), decay * (kind != 2)


CLIMB = "climb = (step + 1) / (warmup + 1)"
FALL = "fall = (steps - step) / decay if decay else 1.0"
SMALLER = "min(climb, 1.0, fall)"

EXERCISE = Exercise(
    minutes=12,
    inputs=inputs,
    trials=24,
    hints=(
        "Draw it for 10 steps, 3 of warm-up and 4 of decay. How high is a stair, on the way up and "
        "on the way down?",
        "The climb has warmup + 1 equal stairs from 0 to 1, and step 0 stands on the first. The fall "
        "has decay of them: how many are left at a step?",
        "Compute the climbing line, 1 and the falling line for every step, whatever part it lies in. "
        "How do the three go together?",
        "factors = []\n"
        "for step in range(steps):\n"
        "    climb = (step + 1) / (warmup + 1)\n"
        "    fall = (steps - step) / decay if decay else 1.0\n"
        "    factors.append(min(climb, 1.0, fall))\n"
        "return factors",
    ),
    mistakes=(
        Mistake(
            "The climb starts at 0, so the first step is lost. Step 0 stands on the first stair.",
            {CLIMB: "climb = step / (warmup + 1) if step < warmup else 1.0"},
            {CLIMB: "climb = step / warmup if step < warmup else 1.0"},
        ),
        Mistake(
            "The climb reaches 1 one step too early: all `warmup` steps lie below 1, and 1 is for "
            "the step behind them.",
            {CLIMB: "climb = (step + 1) / warmup if warmup else 1.0"},
        ),
        Mistake(
            "There is no warm-up in it: during the first `warmup` steps the factor climbs.",
            {CLIMB: "climb = 1.0"},
        ),
        Mistake(
            "There is no way down: during the last `decay` steps the factor falls.",
            {FALL: "fall = 1.0"},
        ),
        Mistake(
            "The factor goes above 1. Between climb and fall it is 1.",
            {SMALLER: "min(climb, fall)"},
        ),
        Mistake(
            "The last step, number steps - 1, has the factor 0 and is lost. 0 is for step number "
            "`steps`, which does not come any more.",
            {FALL: "fall = (steps - 1 - step) / decay if decay else 1.0"},
            {FALL: "fall = (steps - 1 - step) / decay if step > steps - decay else 1.0"},
            {FALL: "fall = (steps - 1 - step) / max(decay - 1, 1) if decay else 1.0"},
        ),
        Mistake(
            "The fall begins one step too early: at step steps - decay the factor is still 1.",
            {FALL: "fall = (steps - step) / (decay + 1) if decay else 1.0"},
        ),
        Mistake(
            "The fall takes all the steps behind the warm-up. It takes the last `decay` of them only.",
            {FALL: "fall = (steps - step) / (steps - warmup) if decay else 1.0"},
        ),
        Mistake(
            "The fall is a line over all steps. It takes the last `decay` of them only.",
            {FALL: "fall = (steps - step) / steps if decay else 1.0"},
        ),
        Mistake(
            "Where climb and fall overlap you multiplied them. The smaller one counts.",
            {SMALLER: "min(climb, 1.0) * min(1.0, fall)"},
        ),
        Mistake(
            "Where climb and fall overlap only the climb counts in yours. The smaller one counts.",
            {SMALLER: "climb if step < warmup else min(1.0, fall)"},
        ),
        Mistake(
            "Where climb and fall overlap only the fall counts in yours. The smaller one counts.",
            {SMALLER: "fall if step >= steps - decay else min(climb, 1.0)"},
        ),
        Mistake(
            "There is one factor too many: steps count from 0 to steps - 1.",
            {"range(steps)": "range(steps + 1)"},
        ),
        Mistake(
            "Step 0 is left out: steps count from 0 to steps - 1.",
            {"range(steps)": "range(1, steps)"},
        ),
        Mistake(
            "These are whole numbers: `//` throws the rest of a division away. Use `/`.",
            {
                CLIMB: "climb = (step + 1) // (warmup + 1)",
                FALL: "fall = (steps - step) // decay if decay else 1",
            },
        ),
    ),
)
