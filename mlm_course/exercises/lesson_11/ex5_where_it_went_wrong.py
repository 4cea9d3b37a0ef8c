"""Where did it go wrong?"""

from functools import cache

import torch
from torch import Tensor

from mlm_course.corruption.strategies import lowest
from mlm_course.exercises.lesson_11 import runs
from mlm_course.exercises.lesson_11.runs import Program, least_sure, nothing, scheduled
from mlm_course.practice.exercise import Exercise, Mistake

PROGRAMS = (
    Program(5, 7, scheduled, least_sure, nothing),
    Program(10, 5, scheduled, least_sure, nothing),  # in floats 10 * (1 - 4 / 5) is below 2
    Program(9, 4, runs.rounded_up, least_sure, nothing),
    Program(5, 8, runs.none_at_last, least_sure, nothing),
    Program(12, 5, runs.late, least_sure, nothing),
    Program(10, 4, runs.all_but_one_at_first, least_sure, nothing),
    Program(14, 9, scheduled, runs.least_sure_of_hidden, nothing),
    Program(10, 6, scheduled, runs.surest, nothing),
    Program(9, 5, scheduled, least_sure, runs.new_words_from(2)),
    Program(11, 5, scheduled, least_sure, runs.new_confidences_from(3)),
    Program(7, 4, scheduled, least_sure, runs.both_from(1)),
    Program(6, 9, runs.none_at_last, least_sure, runs.new_confidences_from(3)),
)


@cache
def shuffled(seed: int) -> tuple[runs.Run, ...]:
    """A run of each program, in any order."""
    g = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(PROGRAMS), generator=g).tolist()
    return tuple(runs.run(PROGRAMS[i], g) for i in order)


def inputs(g: torch.Generator) -> tuple[list[tuple[Tensor, ...]]]:
    """Twelve runs: two without a fault, ten with one or several."""
    return ([tuple(part.clone() for part in run) for run in shuffled(g.initial_seed())],)


def rule_by_rule(runs):
    """For each run the first rule of the list that any step breaks."""
    faults = []
    for tokens, confidence, masked in runs:
        T, N = tokens.shape
        first = {}
        for t in range(T):
            stays, n = ~masked[t], torch.tensor([max(N * (T - t) // T, 1)])
            chosen = lowest(confidence[t - 1 : t], n)[0] if t else masked[t]
            broken = {
                "count": masked[t].sum() != n,
                "choice": (masked[t] != chosen).any(),
                "word": (tokens[t] != tokens[t - 1])[stays].any(),
                "confidence": (confidence[t] != confidence[t - 1])[stays].any(),
            }
            for rule in filter(broken.get, broken):
                first.setdefault(rule, t)
        order = ("count", "choice", "word", "confidence")
        faults.append(next(((first[rule], rule) for rule in order if rule in first), (-1, "none")))
    return faults


EXERCISE = Exercise(
    minutes=20,
    trials=2,
    kind="diagnose",
    hard=True,
    inputs=inputs,
    hints=(
        "Write a function for one run and one step first: which of the four rules does it break? Then "
        "take the earliest step. Which page did a step look at when it chose?",
        "Step t chose by `confidence[t - 1]`, and what it did not hide must be in row t as in row "
        "t - 1. The number is `max(N * (T - t) // T, 1)`, also for t = 0, where there is no row before.",
        """faults = []
for tokens, confidence, masked in runs:
    T, N = tokens.shape
    fault = (-1, "none")
    for t in range(T):
        n, stays = max(N * (T - t) // T, 1), ~masked[t]
        if masked[t].sum() != n:
            fault = (t, "count")
        elif t > 0 and set(masked[t].nonzero()[:, 0].tolist()) != set(
            confidence[t - 1].argsort()[:n].tolist()
        ):
            fault = (t, "choice")
        elif (tokens[t] != tokens[t - 1])[stays].any():
            fault = (t, "word")
        elif (confidence[t] != confidence[t - 1])[stays].any():
            fault = (t, "confidence")
        if fault[0] == t:
            break
    faults.append(fault)
return faults""",
    ),
    mistakes=(
        Mistake(
            "The choice is held against the confidences after the same step. When step t chose, it had "
            "those of step t - 1.",
            {"confidence[t - 1 : t]": "confidence[t : t + 1]"},
        ),
        Mistake(
            "What counts as visible here is what the step before did not hide. In row t these are the "
            "words that step t did not hide.",
            {"~masked[t],": "~masked[t - 1],"},
        ),
        Mistake(
            "Hidden words may change, and so may their confidences. Only what a step did not hide has "
            "to stay.",
            {"~masked[t],": "torch.tensor([t > 0]).expand(N),"},
            {"~masked[t],": "masked[t] & (t > 0),"},
        ),
        Mistake(
            "The rules are right, but steps are counted from 0.",
            {"(t, rule)": "(t + 1, rule)"},
        ),
        Mistake(
            "These are the last steps that break a rule. The first one is asked for.",
            {"range(T - 1, -1, -1)": "range(T)"},
        ),
        Mistake(
            "A rule that stands earlier in the list wins here over an earlier step. The first *step* that "
            "breaks any rule is asked for; only within a step the list decides.",
            rule_by_rule,
        ),
        Mistake(
            "The schedule is one step ahead: in step t = 0 all N words are hidden, in step 1 "
            "N * (1 - 1 / T).",
            {"(T - t)": "(T - t - 1)"},
        ),
        Mistake(
            "The schedule is one step behind: in step 1 N * (1 - 1 / T) words are hidden, not N.",
            {"(T - t)": "min(T - t + 1, T)"},
        ),
        Mistake(
            "With more steps than words a right run still hides one word at last. You expect none "
            "there.",
            {"max(N * (T - t) // T, 1)": "N * (T - t) // T"},
        ),
        Mistake(
            "A run without a fault is reported: `1 - t / T` in floats is just below what it should be, and so "
            "is the number that you expect. `N * (T - t) // T` has no such error.",
            {"N * (T - t) // T": "int(N * (1 - t / T))"},
        ),
        Mistake(
            "Numbers are rounded down: what is expected here is rounded up, or to the nearest.",
            {"N * (T - t) // T": "-(-N * (T - t) // T)"},
            {"N * (T - t) // T": "round(N * (T - t) / T)"},
        ),
        Mistake(
            "Step 0 was not looked at: it has to hide all words, and one run does not.",
            {"range(T - 1, -1, -1)": "range(T - 1, 0, -1)"},
        ),
        Mistake(
            "A wrong number of hidden words is not reported as such. It comes first of the four.",
            {'"count": masked[t].sum() != n': '"count": False'},
        ),
        Mistake(
            "Faults of choice are not reported. With the right number hidden, it still has to be the "
            "least sure words.",
            {'"choice": t > 0': '"choice": False'},
        ),
        Mistake(
            "Where a step changes both a visible word and a confidence, `word` is to be reported.",
            {'"word": (': '"word": (confidence[t] == confidence[t - 1])[stays].all() and ('},
        ),
        Mistake(
            "The choice is held against the surest words. Those of the lowest confidence are hidden.",
            {"lowest(confidence[": "lowest(-confidence["},
        ),
    ),
)
