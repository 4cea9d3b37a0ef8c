"""check: is the learner's function right, and if not, what is there to say about it?"""

from __future__ import annotations

import dis
import inspect
import re
import threading
import traceback
from dataclasses import replace
from itertools import combinations
from typing import Any

from torch.nn import Module

from mlm_course.practice import record
from mlm_course.practice.advice import advised, code_of, error_sentence, source_of
from mlm_course.practice.compare import describe, short
from mlm_course.practice.exercise import (
    Exercise,
    Function,
    UnknownId,
    answers,
    find_exercise,
    missing_answer,
)
from mlm_course.practice.notebook import elsewhere_sentence, stale_sentence
from mlm_course.practice.sandbox import (
    AskedForInput,
    Behaviour,
    TimeUp,
    WentBackward,
    alike,
    behave,
    error_text,
    needing_gradient,
    nudged_result,
    reference_behaviour,
    safe_difference,
)
from mlm_course.practice.settings import neutral_settings
from mlm_course.practice.stages import stage_sentence
from mlm_course.practice.verdict import Verdict

STOPS = (TimeUp, AskedForInput, SystemExit, KeyboardInterrupt)
NOTHING = {"RESUME", "NOP", "LOAD_CONST", "RETURN_VALUE", "RETURN_CONST", "CACHE"}


def complaint(
    exercise: Exercise, function: Function, expected: Behaviour, seen: Behaviour, seconds: float
) -> tuple[str, str] | None:
    """Status and sentence for one trial, or None where there is nothing to complain about."""
    error = seen.outcome.error
    if was_stopped(seen):
        return "stopped", _stop_sentence(exercise, seen, seconds)
    if isinstance(error, NotImplementedError) and is_stub(error):
        return "not attempted", _stub_sentence(function, error)
    if error is not None:
        return "failed", error_sentence(exercise, function, error)
    if seen.outcome.value is None:
        return _none_complaint(function, expected, seen)
    sentences = (_result_sentence(exercise, expected, seen), _in_place_sentence(exercise, seen))
    remarks = " ".join(sentence for sentence in sentences if sentence)
    remarks = remarks or _gradient_sentence(exercise, expected, seen) or ""
    remarks = remarks or _calls_sentence(exercise, expected, seen) or ""
    return ("failed", remarks) if remarks else None


def _result_sentence(exercise: Exercise, expected: Behaviour, seen: Behaviour) -> str | None:
    right, value, exact = expected.outcome.value, seen.outcome.value, exercise.exact_types
    if safe_difference(right, value, exact_types=exact) is None:
        return None
    if exercise.judge:
        return exercise.judge(value)
    nudged = nudged_result(exercise, seen.trial, exercise.seconds)
    return safe_difference(right, value, nudged, exact)


def _calls_sentence(exercise: Exercise, expected: Behaviour, seen: Behaviour) -> str | None:
    for name, right, actual in zip(exercise.counted, expected.calls, seen.calls, strict=True):
        if right != actual:
            return (
                f"The result is right, but `{name}` is called {_times(actual)}; the work takes "
                f"{_times(right)}."
            )
    return None


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


CUTS = "`.detach()`, `.data`, `.item()`, `torch.tensor(...)` or `torch.no_grad()`"


def _gradient_sentence(exercise: Exercise, expected: Behaviour, seen: Behaviour) -> str | None:
    """What is wrong with what backward() sends to the arguments, from a loss that is right."""
    if expected.gradients is None or seen.gradients is None:
        return None
    if seen.gradients.error:
        return _backward_error_sentence(seen.gradients.error)
    names = exercise.parameters
    asked = [f"`{names[index]}`" for index in needing_gradient(exercise.arguments(seen.trial))]
    pairs = list(zip(asked, expected.gradients.value, seen.gradients.value, strict=True))
    cut = [name for name, right, actual in pairs if right.any() and not actual.any()]
    if cut:
        return (
            f"The loss is right, but no gradient flows to {' and '.join(cut)}: nothing could be "
            f"learnt there. Between it and the loss there must be no {CUTS}."
        )
    for name, right, actual in pairs:
        unlike = safe_difference(right, actual)
        if unlike and not right.any():
            return (
                f"The loss is right, but no gradient should flow to {name}: `.detach()` stops it."
            )
        if unlike and not actual.isfinite().all():
            return (
                f"The loss is right, but not the gradient of {name}: {unlike} What was replaced on the "
                "way to the loss is met again on the way back, where 0 times nan or inf is nan."
            )
        if unlike:
            return (
                f"The loss is right, but the gradient of {name} is another one. Does {CUTS} cut off "
                f"a part of the way? {unlike}"
            )
    return None


def _backward_error_sentence(error: BaseException) -> str:
    text = error_text(error).replace("`", "'")
    if isinstance(error, WentBackward) or "through the graph a second time" in text:
        return (
            "Your function goes backward itself (`backward()` or `torch.autograd.grad`). Return the "
            "loss and leave that to whoever called it: each loss can be gone through once."
        )
    return f"The loss is right, but `backward()` from it stops with `{text}`.{advised(text, '')}"


def was_stopped(seen: Behaviour) -> bool:
    """Whether the call ended from outside, or tried to end everything."""
    return isinstance(seen.outcome.error, STOPS)


def parameter_mismatch(exercise: Exercise, function: Function) -> str | None:
    """A sentence for a function that cannot be called with the exercise's arguments, else None."""
    arguments = exercise.arguments(1)
    try:
        signature = inspect.signature(function)
    except Exception:
        return None  # a built-in function may have none: calling it will tell
    try:
        signature.bind(*arguments)
    except TypeError:
        given = ", ".join(exercise.parameters)
        return (
            f"Your function has the parameters `({', '.join(signature.parameters)})`, but it is "
            f"called with {len(arguments)} argument{'s' * (len(arguments) != 1)}: {given}."
        )
    return None


def inputs_sentence(exercise: Exercise, trial: int) -> str:
    """The arguments of one trial in words."""
    pairs = zip(exercise.parameters, exercise.arguments(trial), strict=True)
    said = "; ".join(f"{name} is {describe(value)}" for name, value in pairs)
    return f"Input {trial}: {said}."


def _stop_sentence(exercise: Exercise, seen: Behaviour, seconds: float) -> str:
    error = seen.outcome.error
    if isinstance(error, SystemExit):
        return (
            "Your function asks Python to exit (`sys.exit`, `exit` or `quit`), which would end the "
            "notebook. Return a result instead."
        )
    if isinstance(error, AskedForInput):
        given = ", ".join(exercise.parameters)
        return (
            "Your function waits for the keyboard (`input` or `breakpoint`). "
            f"All it needs comes in through its arguments: {given}."
        )
    if isinstance(error, KeyboardInterrupt):
        return "Your function was interrupted from the keyboard before it returned."
    stubborn = " It could not be ended: please restart the kernel." if seen.outcome.lingers else ""
    return (
        f"Your function was still running after {seconds:g} seconds and was stopped. "
        f"Is there a loop in it that never ends?{stubborn}"
    )


def is_stub(error: NotImplementedError) -> bool:
    """Whether an error is the one that an exercise's empty body raises."""
    # torch raises NotImplementedError too: for a dtype that an operation does not know.
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return not error.args or (frame.line or "").startswith("raise NotImplementedError")


def _stub_sentence(function: Function, error: NotImplementedError) -> str:
    name = traceback.extract_tb(error.__traceback__)[-1].name
    code = code_of(function)
    if code is not None and name != code.co_name:
        return f"It calls `{name}`, which is not written yet: solve that one first."
    return "Put your code in place of `raise NotImplementedError`, then run check again."


def _none_complaint(function: Function, expected: Behaviour, seen: Behaviour) -> tuple[str, str]:
    if has_empty_body(function):
        return "not attempted", "The body is still empty. Write your code there, and check again."
    advice = "Did you forget `return`?"
    if seen.gradients and isinstance(seen.gradients.error, WentBackward):
        advice = "`backward()` returns nothing: return the loss, and do not call it yourself."
    elif seen.outcome.printed:
        advice = "Write `return` before the result; `print` only shows it."
    wanted = describe(expected.outcome.value)
    return "failed", f"Your function returns None; expected is {wanted}. {advice}"


def has_empty_body(function: Function) -> bool:
    """Whether a function does nothing at all."""
    code = code_of(function)
    return code is not None and {step.opname for step in dis.get_instructions(code)} <= NOTHING


def _in_place_sentence(exercise: Exercise, seen: Behaviour) -> str | None:
    if seen.changed is None:
        return None
    name = exercise.parameters[seen.changed]
    argument = exercise.arguments(seen.trial)[seen.changed]
    if isinstance(argument, Module):
        return f"What your function leaves in `{name}` is not what should stand there in the end."
    copy, new = (f"list({name})", "list") if isinstance(argument, list) else (".clone()", "tensor")
    return (
        f"Your function changed its argument number {seen.changed + 1} ({name}, "
        f"{describe(argument)}) in place, and whoever called it still needs it. Work on a copy "
        f"(`{copy}`), or use an operation that makes a new {new}."
    )


_FORGOTTEN = object()
PRINTED_LINES = 6  # lines shown of what a failing function printed


def check(
    exercise_id: Any = None, function: Any = _FORGOTTEN, *more: Any, seconds: Any = None
) -> Verdict:
    """Whether a function solves an exercise, and which mistake it makes if not.

    Never raises, and what is solved is remembered. `seconds` replaces the exercise's own limit.
    """
    try:
        misuse = _misuse(exercise_id, function, more, seconds)
        if misuse:
            return Verdict("check", "not checked", misuse)
        exercise = find_exercise(exercise_id)
        missing = missing_answer(exercise)
        if missing:
            return Verdict("check", "not checked", missing)
        with neutral_settings():
            verdict = _verdict(exercise, function, seconds or exercise.seconds)
        return _remembered(_with_notes(verdict, exercise, function))
    except UnknownId as error:
        return Verdict("check", "not checked", str(error))
    except KeyboardInterrupt:
        return Verdict("check", "stopped", "You interrupted it. Run it again when you like.")
    except Exception as error:
        fault = f"`{type(error).__name__}: {short(str(error))}`"
        return Verdict("check", "not checked", f"The check itself broke, not your code: {fault}.")


def _misuse(exercise_id: Any, function: Any, more: tuple[Any, ...], seconds: Any) -> str | None:
    usage = 'check takes an id in quotes, then your function: `check("1.2", my_function)`.'
    if callable(exercise_id) and isinstance(function, str):
        return f"The other way round, please: {usage}"
    if not isinstance(exercise_id, str):
        return f"The id is {'missing' if exercise_id is None else describe(exercise_id)}: {usage}"
    if function is _FORGOTTEN:
        return f"Your function is missing: {usage}"
    if more:
        return f"There are {2 + len(more)} things in the brackets: {usage}"
    if seconds is not None and not _is_time(seconds):
        return f"seconds is {describe(seconds)}; it has to be a number above 0, like `seconds=10`."
    return None


def _is_time(seconds: Any) -> bool:
    return type(seconds) in (int, float) and 0 < seconds < threading.TIMEOUT_MAX


def _verdict(exercise: Exercise, function: Any, seconds: float) -> Verdict:
    if not callable(function):
        problem = f"check needs the function itself, without parentheses; got {describe(function)}."
        return Verdict(exercise.id, "failed", problem)
    mismatch = parameter_mismatch(exercise, function)
    if mismatch:
        return Verdict(exercise.id, "failed", mismatch, _help(exercise))
    seen: list[Behaviour] = []
    for trial in range(1, exercise.trials + 1):
        seen.append(behave(exercise, function, trial, seconds))
        if was_stopped(seen[-1]):
            break  # three endless loops are not more instructive than one
    return _judged(exercise, function, seen, seconds)


def _judged(
    exercise: Exercise, function: Function, seen: list[Behaviour], seconds: float
) -> Verdict:
    for trial, behaviour in enumerate(seen, 1):
        expected = reference_behaviour(exercise, trial, seconds)
        problem = complaint(exercise, function, expected, behaviour, seconds)
        if problem is None:
            continue
        status, sentence = problem
        if status != "failed":
            return Verdict(exercise.id, status, sentence)
        if safe_difference(expected.outcome.value, behaviour.outcome.value):
            # A wrong loss says enough; its gradient would only hide which mistake it is.
            seen = [replace(one, gradients=None) for one in seen]
        message = _mistake(exercise, seen, function)
        details = _details(exercise, behaviour) + _help(exercise)
        if message:
            return Verdict(exercise.id, status, message, details)
        passed = f"Right on input {trial - 1}, but not on input {trial}: " if trial > 1 else ""
        same = safe_difference(expected.outcome.value, behaviour.outcome.value) is None
        more = "" if same else _remarks(exercise, function, seconds)
        return Verdict(exercise.id, status, f"{passed}{sentence} {more}".rstrip(), details)
    inputs = f" on {len(seen)} of {len(seen)} random inputs" if exercise.arguments(1) else ""
    return Verdict(exercise.id, "passed", f"Right{inputs}.")


def _mistake(exercise: Exercise, seen: list[Behaviour], function: Function) -> str | None:
    """The sentence of the one mistake that fits, None where none does, or several."""
    source = source_of(function)
    fitting = {
        mistake.sentence
        for mistake in exercise.mistakes
        if re.search(mistake.writes, source)
        and any(_fits(exercise, way, seen) for way in exercise.functions(mistake))
    }
    return fitting.pop() if len(fitting) == 1 else None


def _fits(exercise: Exercise, way: Function, seen: list[Behaviour]) -> bool:
    seconds = exercise.seconds
    return all(alike(behave(exercise, way, one.trial, seconds), one) for one in seen)


def _exchanged(exercise: Exercise, function: Function, seconds: float) -> str | None:
    """A sentence where the answer is right once two of its arguments are exchanged, else None."""
    trials = range(1, exercise.trials + 1)
    expected = [reference_behaviour(exercise, trial, seconds).outcome.value for trial in trials]
    for i, j in combinations(range(len(exercise.parameters)), 2):
        order = list(range(len(exercise.parameters)))
        order[i], order[j] = j, i

        def turned(*arguments: Any, order: list[int] = order) -> Any:
            return function(*(arguments[k] for k in order))

        if all(
            safe_difference(right, behave(exercise, turned, trial, seconds).outcome.value) is None
            for trial, right in zip(trials, expected, strict=True)
        ):
            one, other = exercise.parameters[i], exercise.parameters[j]
            return (
                f"It is right once `{one}` and `{other}` are exchanged: you use each of the two "
                "where the other belongs."
            )
    return None


def _remarks(exercise: Exercise, function: Function, seconds: float) -> str:
    """What else there is to say where no mistake of the list fits."""
    if exercise.judge:
        return ""
    return _exchanged(exercise, function, seconds) or stage_sentence(exercise, function, seconds)


def _details(exercise: Exercise, behaviour: Behaviour) -> tuple[str, ...]:
    trial = behaviour.trial
    details = [inputs_sentence(exercise, trial)] if exercise.arguments(trial) else []
    lines = behaviour.outcome.printed.splitlines()
    if lines:
        more = ["..."] if len(lines) > PRINTED_LINES else []
        details.append("It printed:\n" + "\n".join(lines[:PRINTED_LINES] + more))
    return tuple(details)


def _help(exercise: Exercise) -> tuple[str, ...]:
    return (f'Stuck? `hint("{exercise.id}")` helps.',) if exercise.hints else ()


def _with_notes(verdict: Verdict, exercise: Exercise, function: Any) -> Verdict:
    """The verdict, with what there is to say about which function was judged."""
    stale = stale_sentence(function)
    if stale:
        return replace(verdict, message=f"{stale} Of the version before: {verdict.message}")
    if verdict.status != "failed":
        return verdict
    notes, owner = [elsewhere_sentence(function)], _whose(function)
    if owner not in ("", exercise.id):
        call = f'`check("{owner}", {function.__name__})`'
        notes.append(f"By its name this is the answer to {owner}: {call}.")
    return replace(verdict, details=(*verdict.details, *filter(None, notes)))


def _whose(function: Any) -> str:
    """The id of the one exercise that asks for a function of this name, else ""."""
    define = f"def {getattr(function, '__name__', None)}("
    ids = [some_id for some_id, text in answers().items() if define in text]
    return ids[0] if len(ids) == 1 else ""


def _remembered(verdict: Verdict) -> Verdict:
    solved = {verdict.id} if verdict.status == "passed" else set()
    tried = {verdict.id} if verdict.status in ("passed", "failed", "stopped") else set()
    note = record.add(solved, tried) if tried else ""
    return replace(verdict, details=(*verdict.details, note)) if note else verdict
