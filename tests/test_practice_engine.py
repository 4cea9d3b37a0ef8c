"""check against everything a learner's function may do: one clear sentence, nothing left behind."""

import builtins
import contextlib
import functools
import math
import os
import random
import signal
import sys
import threading
import time
import warnings
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy
import pytest
import torch

from mlm_course import exercises
from mlm_course.practice import check, listing
from mlm_course.practice import exercise as catalogue
from mlm_course.practice import sandbox as box
from mlm_course.practice.compare import describe, difference, unchanged
from mlm_course.practice.exercise import Exercise, Mistake, find_exercise
from mlm_course.practice.sandbox import behave

SOON = 0.5  # seconds that a function gets here
posix_only = pytest.mark.skipif(os.name != "posix", reason="signals")


@pytest.fixture(autouse=True)
def lesson_for_tests(tmp_path, monkeypatch):
    lessons = str(Path(__file__).parent / "practice_lessons")
    monkeypatch.setattr(exercises, "__path__", [*exercises.__path__, lessons])
    monkeypatch.setenv("MLM_COURSE_PROGRESS", str(tmp_path / "progress.json"))


@pytest.fixture(params=["main thread", "other thread"])
def asked(request):
    """check("90.1", ...) from the main thread, and from another one as on Windows."""

    def ask(function):
        if request.param == "main thread":
            return check("90.1", function, seconds=SOON)
        answers = []
        work = functools.partial(check, "90.1", function, seconds=SOON)
        thread = threading.Thread(target=lambda: answers.append(work()))
        thread.start()
        thread.join()
        return answers[0]

    return ask


def scores(q, k):
    return find_exercise("90.1").reference(q, k)


def failed(function, exercise_id="90.1"):
    """The message about a function that must fail."""
    verdict = check(exercise_id, function, seconds=SOON)
    assert verdict.status == "failed", verdict
    assert one_paragraph(verdict.message)
    return verdict.message


def one_paragraph(text):
    return 10 < len(text) < 500 and "\n" not in text and "Traceback" not in text


# --- Right answers


def test_right(asked):
    assert repr(asked(scores)) == "✓ 90.1 passed: Right on 3 of 3 random inputs."


def test_right_in_other_words():
    def grown(q, k):
        q = q.clone().requires_grad_()
        return torch.einsum("btd,bsd->bts", q, k) / q.size(-1) ** 0.5

    class Callable:
        def __call__(self, q, k):
            return grown(q, k)

    for function in (grown, Callable(), functools.partial(grown), lambda *both: grown(*both)):
        assert check("90.1", function).status == "passed"


def test_a_generator_among_the_arguments_is_drawn_from_alike():
    assert check("90.2", find_exercise("90.2").reference).status == "passed"
    other = failed(lambda values, generator: values + torch.rand(values.shape), "90.2")
    assert "values are not" in other


# --- Stubs


def test_a_stub_is_not_attempted(asked):
    def stub(q, k):
        raise NotImplementedError

    def polite_stub(q, k):
        """Not yet."""
        raise NotImplementedError("write me")

    for function in (stub, polite_stub):
        verdict = asked(function)
        assert verdict.status == "not attempted"
        assert "NotImplementedError" in verdict.message
        assert "not attempted yet" in repr(verdict)


def test_an_empty_body_is_not_attempted():
    def dots(q, k):
        """Doc."""
        ...

    def nothing(q, k):
        pass

    for function in (dots, nothing):
        verdict = check("90.1", function)
        assert verdict.status == "not attempted" and "still empty" in verdict.message


def test_a_stub_that_another_exercise_left_behind_is_named():
    def helper(q, k):
        raise NotImplementedError

    verdict = check("90.1", lambda q, k: helper(q, k) * 2)
    assert verdict.status == "not attempted" and "`helper`, which is not written" in verdict.message


def test_what_torch_has_not_implemented_is_not_a_stub():
    message = failed(lambda q, k: (q @ k.mT).long().softmax(-1))
    assert "NotImplementedError" in message and "implemented for 'Long'" in message


# --- Wrong results


def test_none():
    def forgets(q, k):
        scores(q, k)

    def prints(q, k):
        print(scores(q, k).shape)

    assert "Did you forget `return`?" in failed(forgets)
    message = failed(prints)
    assert "returns None; expected is a float32 tensor of shape (2, 3, 5)" in message
    assert message.endswith("Write `return` before the result; `print` only shows it.")
    assert "torch.Size([2, 3, 5])" in repr(check("90.1", prints))


def test_wrong_type():
    message = failed(lambda q, k: scores(q, k).tolist())
    assert "returns a list of 2" in message and "a float32 tensor of shape (2, 3, 5)" in message
    assert "NumPy array" in failed(lambda q, k: scores(q, k).numpy())
    assert "`.item()`" in failed(lambda q, k: scores(q, k).sum().item())
    assert "type generator" in failed(lambda q, k: (row for row in scores(q, k)))


def test_wrong_shape():
    message = failed(lambda q, k: q)
    assert "shape (2, 3, 8)" in message and "shape (2, 3, 5)" in message


def test_right_numbers_in_another_shape():
    assert "numbers are right, but" in failed(lambda q, k: scores(q, k)[None])
    assert "dimensions 1 and 2 are swapped" in failed(lambda q, k: scores(q, k).mT)
    assert "numbers are right once broadcast" in (
        difference(torch.ones(3, 4), torch.ones(3, 1)) or ""
    )
    assert "numbers are right" not in failed(lambda q, k: scores(q, k)[None] + 1)


def test_numbers_may_be_of_any_width():
    assert check("90.1", lambda q, k: scores(q.double(), k.double())).status == "passed"
    assert check("90.10", lambda t, w: (float(max(map(len, t))), w.sum())).status == "passed"


def test_wrong_dtype():
    message = failed(lambda q, k: scores(q, k) > 0)
    assert "bool instead of float32" in message
    message = failed(lambda q, k: scores(q, k).long())  # a type slip is not printed as a result
    assert "The shape is right, the values are not" in message


def test_nan_and_infinity():
    def nan(q, k):
        answer = scores(q, k)
        answer[0, 1, 2] = float("nan")
        return answer

    message = failed(nan)
    assert "1 of 30 entries are NaN" in message and "nan at [0, 1, 2]" in message
    assert "inf at [0, 0, 0]" in failed(lambda q, k: scores(q, k) / 0.0 ** q.size(0) + torch.inf)


def test_wrong_values():
    def off(q, k):
        answer = scores(q, k)
        answer[1, 2] += 1
        return answer

    message = failed(off)
    assert "5 of 30 entries differ" in message and "at [1, 2, 0]" in message
    expected = scores(*find_exercise("90.1").arguments(1))[1, 2, 0].item()
    assert f"is {expected + 1:.4g} at" in message and f"(expected: {expected:.4g})" in message


def test_writing_into_an_argument():
    def in_place(q, k):
        answer = scores(q, k)
        k.zero_()
        return answer

    message = failed(in_place)
    assert "changed its argument number 2 (k, a float32 tensor of shape (2, 5, 8))" in message
    assert "values are not" not in message and "`.clone()`" in message

    def empties_a_list(words, weights):
        answer = find_exercise("90.10").reference(words, weights)
        words.clear()
        return answer

    message = failed(empties_a_list, "90.10")
    assert "argument number 1 (words, a list of 2)" in message
    assert "`list(words)`" in message and "clone" not in message and "tensor" not in message


def test_a_damaged_argument_damages_nobody_else():
    """Were arguments shared, the reference would be computed from zeros and agree with zeros."""

    def zeros(q, k):
        q.zero_()
        k.zero_()
        return q @ k.mT

    message = failed(zeros)
    assert "30 of 30 entries differ" in message and "argument number 1" in message


def test_failing_on_the_second_input_only():
    calls = []

    def tires(q, k):
        calls.append(q)
        return scores(q, k) if len(calls) == 1 else q @ k.mT + 1

    verdict = check("90.1", tires)
    assert verdict.message.startswith("Right on input 1, but not on input 2: ")
    assert verdict.details[0].startswith("Input 2: q is a float32 tensor of shape (2, 3, 8)")


def test_every_trial_has_its_own_inputs_and_they_never_change():
    exercise = find_exercise("90.1")
    first, again, second = (exercise.arguments(trial)[0] for trial in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, second)
    assert round(first[0, 0, 0].item(), 4) == 0.9679  # in every process


# --- Mistakes


def test_a_mistake_is_recognised_in_other_words():
    verdict = check("90.1", lambda q, k: torch.einsum("btd,bsd->bts", q, k))
    assert (verdict.status, verdict.message) == ("failed", "Not scaled.")


def test_a_mistake_may_be_made_in_several_ways():
    for wrong in (lambda q: q.mean().item(), lambda q: q.amax().item()):
        assert failed(wrong, "90.13") == "Not the sum."
    assert failed(lambda q: q.amin().item(), "90.13") != "Not the sum."


def test_a_mistake_that_raises():
    assert failed(lambda q, k: q @ k * 2) == "The last two axes of k are not swapped."
    assert "IndexError" in failed(lambda q, k: q[..., 99])


def test_a_mistake_that_shows_in_the_arguments_only():
    def learner(q, k):
        q *= q.shape[-1] ** -0.5
        return q @ k.mT

    assert failed(learner, "90.11") == "Scaled q for everybody."


def test_writing_elsewhere_is_not_that_mistake():
    def learner(q, k):
        answer = q @ k.mT / q.shape[-1] ** 0.5
        k.zero_()
        return answer

    assert "argument number 2 (k" in failed(learner, "90.11")


def test_a_mistake_must_fit_every_trial():
    calls = []

    def mixed(q, k):
        calls.append(q)
        return q @ k.mT if len(calls) == 1 else q @ k.mT / q.shape[-1]

    assert "values are not" in failed(mixed)


# --- Losses: what backward() sends to the arguments


def loss(x, y, z):
    return find_exercise("90.14").reference(x, y, z)


def says(function, *words):
    message = failed(function, "90.14")
    assert all(part in message for part in words), message
    return message


def test_a_loss_may_be_written_in_other_words():
    def by_loop(x, y, z):
        rows = [(a - b).pow(2).mean() for a, b in zip(x, y * z.data, strict=True)]
        return sum(rows) / len(rows)

    assert check("90.14", loss).status == "passed"
    assert check("90.14", by_loop).status == "passed"


def test_arguments_that_need_a_gradient_are_new_leaves_at_every_call():
    exercise = find_exercise("90.14")
    (x, y, _), (again, *_) = exercise.arguments(1), exercise.arguments(1)
    loss(x, y, y).backward()
    assert x.is_leaf and x.grad is not None and again.grad is None
    assert check("90.14", loss).status == check("90.14", loss).status == "passed"


@torch.no_grad()
def without_gradient(x, y, z):
    return loss(x, y, z)


@torch.inference_mode()
def for_inference(x, y, z):
    return loss(x, y, z)


@pytest.mark.parametrize(
    "function",
    [
        without_gradient,
        for_inference,
        lambda x, y, z: loss(x, y, z).detach(),
        lambda x, y, z: torch.tensor(loss(x, y, z).item()),
    ],
)
def test_a_loss_without_any_gradient(function):
    says(function, "The loss is right, but no gradient flows to `x` and `y`", "`torch.no_grad()`")


def test_an_argument_without_gradient_is_named():
    message = says(lambda x, y, z: loss(x.data, y, z), "no gradient flows to `x`: nothing could")
    assert "`y`" not in message
    says(lambda x, y, z: loss(x, y, z) + 0 * x.sum() - (x - x.detach()).mul(9).sum(), "of `x`")


def test_a_mistake_that_only_the_gradient_shows_gets_its_sentence():
    assert failed(lambda x, y, z: loss(x, y.detach(), z), "90.14") == "Nothing reaches y."


def test_another_gradient():
    def half(x, y, z):
        return (loss(x, y, z) + loss(x.detach(), y, z)) / 2

    says(half, "the gradient of `x` is another one", "12 of 12 entries differ", "`.detach()`")


def test_a_gradient_that_is_nan():
    def through_a_root_at_0(x, y, z):
        return loss(x, y, z) + 0 * (x - x.detach()).sqrt().sum()

    message = says(
        through_a_root_at_0, "but not the gradient of `x`: 12 of 12", "0 times nan or inf"
    )
    assert "`.detach()`" not in message


def test_a_gradient_where_none_should_be():
    def to_z(x, y, z):
        return (x - y * z).square().mean()

    says(to_z, "no gradient should flow to `z`: `.detach()` stops it")


def test_a_mistake_is_known_by_its_wrong_loss_whatever_its_gradient():
    @torch.no_grad()
    def added_up(x, y, z):
        return ((x - y * z) ** 2).sum()

    assert failed(added_up, "90.14") == "Added up, not averaged."
    assert failed(lambda x, y, z: loss(x, y, z).mul(12), "90.14") == "Added up, not averaged."


def test_going_backward_is_left_to_the_caller():
    def backward_too(x, y, z):
        result = loss(x, y, z)
        result.backward()
        return result

    def with_grad(x, y, z):
        result = loss(x, y, z)
        torch.autograd.grad(result, [x, y])
        return result

    def backward_again(x, y, z):
        result = loss(x, y, z)
        result.backward(retain_graph=True)
        return result

    for function in (backward_too, with_grad, backward_again):
        says(function, "goes backward itself", "Return the loss")
    says(lambda x, y, z: loss(x, y, z).backward(), "returns None", "`backward()` returns nothing")


def test_a_loss_as_a_plain_number():
    says(lambda x, y, z: loss(x, y, z).item(), "no gradient flows to `x` and `y`", "`.item()`")


def test_a_loss_that_writes_into_an_argument():
    def in_place(x, y, z):
        x -= y
        return (x - y * z).square().mean()

    def secretly(x, y, z):
        with torch.no_grad():
            x.add_(1)
        return loss(x - 1, y, z)

    says(in_place, "write into a tensor that is to be learnt", "makes a new one")
    message = says(secretly, "changed its argument number 1 (x")
    assert "gradient" not in message


class Broken(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        raise ValueError("no way back")


def test_a_backward_that_fails():
    def overwritten(x, y, z):
        root = (x - y * z.detach()).square().exp().sqrt()
        result = root.log().mean() * 2
        root.zero_()
        return result

    def through_numpy(x, y, z):
        return torch.tensor((x - y).numpy()).mean()

    says(lambda x, y, z: Broken.apply(loss(x, y, z)), "`backward()` from it stops", "no way back")
    says(overwritten, "modified by an inplace operation", "Use operations that make new tensors")
    says(through_numpy, "No gradient flows through NumPy")


def test_a_reference_without_gradient_is_not_the_learners_fault():
    exercise = find_exercise("90.14")
    broken = replace(exercise, answer=exercise.answer.replace(".mean()", ".mean().data"))
    with pytest.raises(RuntimeError, match="sends no gradient to its inputs"):
        box.reference_behaviour(broken, 1, SOON)


# --- Several right results


def test_several_results_may_be_right():
    for right in (["a", "b", "c"], ["a", "c", "b"], ("a", "c", "b")):
        verdict = check("90.15", lambda right=right: right)
        assert (verdict.status, verdict.message, verdict.details) == ("passed", "Right.", ())
    verdict = check("90.15", lambda: ["c", "b", "a"])
    assert verdict.message == "a comes first, not c."
    assert not any("Input" in line for line in verdict.details)
    assert failed(lambda: ["b", "a", "c"], "90.15") == "b is the second letter."


# --- Steps, calls, arguments, and mistakes that only seem to fit


def test_how_far_a_wrong_answer_is_right():
    def last_step(predict, x, y):
        g = predict(x)
        h = predict(g + y)
        return g / h

    def second_step(predict, x, y):
        g = predict(x)
        h = predict(g - y)
        return g - h

    def first_step(predict, x, y):
        y = x + 1
        return predict(y)

    assert "`g` holds the first guess, `h` holds the second guess, as" in failed(last_step, "90.16")
    message = failed(second_step, "90.16")
    assert message.endswith(
        "So far it is right: `g` holds the first guess. Next comes the second guess."
    )
    assert "right" not in failed(first_step, "90.16").partition(", the values are not")[2]
    message = failed(lambda predict, x, y: predict(x) / predict(predict(x) + y), "90.16")
    assert "holds" not in message


def test_calls_are_counted():
    def once_more(predict, x, y):
        predict(x)
        first = predict(x)
        return first - predict(first + y)

    message = failed(once_more, "90.16")
    assert message == (
        "The result is right, but `predict` is called 3 times; the work takes twice."
    )


def test_arguments_that_were_exchanged():
    message = failed(lambda predict, y, x: predict(x) - predict(predict(x) + y), "90.16")
    assert "It is right once `x` and `y` are exchanged" in message


def test_of_two_mistakes_that_fit_neither_is_told():
    def either(predict, x, y):
        first = predict(x)
        return predict(first + y) * first

    assert "look alike" not in failed(either, "90.16")


def test_a_sentence_about_code_is_told_only_of_such_code():
    def plus(predict, x, y):
        first = predict(x)
        return first + predict(first + y)

    def cubes(predict, x, y):
        first = predict(x)
        return first + predict(first + y)  # no cube

    assert "cubes" not in failed(plus, "90.16")
    assert failed(cubes, "90.16") == "Said of cubes alone."
    assert "cubes" not in failed(functools.partial(plus), "90.16")


def test_rounding_that_the_inputs_would_show_is_allowed():
    expected, nudged = torch.tensor([1.0, 1.0]), torch.tensor([1.0, 1.001])
    assert difference(expected, expected + torch.tensor([0.0, 0.004]), nudged) is None
    assert difference(expected, expected + torch.tensor([0.004, 0.0]), nudged)
    assert difference(expected, expected + 0.1, expected + 0.5)  # never more than a hundredth


# --- What an exercise is made of


def test_exercises_are_in_order_and_know_what_their_files_say():
    ids = [exercise.id for exercise in catalogue.exercises(90)]
    assert ids == ["90.1", "90.2", "90.10", "90.11", "90.12", "90.13", "90.14", "90.15", "90.16"]
    assert find_exercise("90.10").prompt == "Count <letters>"
    assert catalogue.title(90) == "A lesson for tests"
    assert [question.id for question in catalogue.questions(90)] == ["90.q1"]


def of_answer(answer, **names):
    """An exercise with this right answer, run with these names."""
    return Exercise(inputs=tuple, hints=(), mistakes=(), id="90.3", answer=answer, names=names)


def test_the_answer_is_run_with_the_names_of_the_file():
    exercise = of_answer("def f(x: Unheard) -> Of:\n    return base + x\n", base=5)
    assert exercise.reference(1) == 6
    assert exercise.reference is exercise.reference


def test_the_last_function_of_an_answer_is_the_right_one():
    exercise = of_answer("def one(x):\n    return x\n\ndef f(x):\n    return one(x) + 1\n")
    assert exercise.reference(1) == 2


def test_a_way_to_make_a_mistake_is_a_dict_of_edits_or_a_function():
    exercise = of_answer("def f(y):\n    return y + 2\n")
    mistake = Mistake("No.", {"+": "-", "2": "3"}, {"+": "*"}, abs)
    one, two, three = exercise.functions(mistake)
    assert (one(5), two(5), three) == (2, 10, abs)


@pytest.mark.parametrize("old", ["y", "z"])
def test_what_an_edit_replaces_stands_in_the_answer_exactly_once(old):
    exercise = of_answer("def f(y):\n    return y\n")
    with pytest.raises(ValueError, match=f"'{old}' stands in the answer [02] times, not once"):
        exercise.functions(Mistake("No.", {old: "1"}))


def test_inputs_that_are_no_tuple_are_not_the_learners_fault(monkeypatch):
    broken = Exercise(inputs=lambda generator: 5, hints=(), mistakes=(), id="90.3", answer="x")
    monkeypatch.setattr("mlm_course.practice.checking.find_exercise", lambda wanted: broken)
    verdict = check("90.3", scores)
    assert verdict.status == "not checked" and "not your code" in verdict.message


# --- Exceptions


def test_an_exception_tells_the_line():
    def divides(q, k):
        size = 0
        return q / k.shape[size] + 1 // size

    message = failed(divides)
    line = divides.__code__.co_firstlineno + 2
    assert "`ZeroDivisionError: integer" in message
    assert f"in line {line}, `return q / k.shape[size] + 1 // size`" in message


@pytest.mark.parametrize(
    ("notebook", "words"),
    [
        (
            {"len": 3},
            "`len` is the int 3 in this notebook: `del len` in a cell brings Python's own",
        ),
        ({"math": [1, 2]}, "`math` is a list of 2 in this notebook: `import math` in a cell"),
        ({"len": len, "math": math}, None),
    ],
)
def test_a_name_that_the_notebook_took_from_python_is_named(notebook, words):
    names = {"math": math, **notebook}
    exec("def f(q, k):\n    len(q)\n    return q.mT @ k @ q / math.sqrt(q.shape[-1])", names)
    message = failed(names["f"])
    assert words in message if words else "in this notebook" not in message


def test_an_answer_to_another_exercise_is_known_by_its_name():
    def average_by_votes(weights, values):
        return weights @ values

    line = 'By its name this is the answer to 1.1: `check("1.1", average_by_votes)`.'
    assert line in check("90.1", average_by_votes).details
    assert line not in check("1.1", average_by_votes).details
    assert line not in check("1.1", lambda weights, values: weights).details


def test_an_exception_in_a_library_tells_the_learners_line():
    message = failed(lambda q, k: torch.stack([q, k]))
    assert "RuntimeError" in message and "torch.stack([q, k])" in message


def test_a_function_without_source():
    space = {}
    exec("def made(q, k):\n    return q.nothing", space)
    message = failed(space["made"])
    assert "AttributeError" in message and "in line 2." in message


def test_wrong_number_of_parameters():
    message = failed(lambda q: q)
    assert "parameters `(q)`" in message and "called with 2 arguments: q, k" in message
    assert "parameters `()`" in failed(lambda: 1)


def test_endless_recursion(asked):
    def again(q, k):
        return again(q, k)

    verdict = asked(again)
    assert verdict.status == "failed" and "calls itself again and again" in verdict.message


def test_odd_exceptions():
    class Unspeakable(Exception):
        def __str__(self):
            raise RuntimeError

    class Deep(BaseException):
        pass

    def raises(error):
        def function(q, k):
            raise error

        return function

    assert "`Unspeakable`" in failed(raises(Unspeakable()))
    assert "`Deep: <b>`" in failed(raises(Deep("<b>")))
    assert "`MemoryError`" in failed(raises(MemoryError()))
    assert "..." in failed(raises(ValueError("long " * 1000)))
    assert "`first`" in failed(raises(ValueError("first\nsecond"))).replace("ValueError: ", "")


# --- Functions that do not come back


def swallows_everything(q, k):
    while True:
        try:  # noqa: SIM105
            time.sleep(0.01)
        except:  # noqa: E722
            pass


def swallows_twice(q, k):
    while True:
        try:
            swallows_everything(q, k)
        except BaseException:
            continue


def cleans_up_for_ever(q, k):
    while True:
        with contextlib.suppress(BaseException):
            sum(range(1000))


def spins(q, k):
    while True:
        pass


@pytest.mark.parametrize(
    "function", [spins, swallows_everything, swallows_twice, cleans_up_for_ever]
)
def test_an_endless_loop_is_stopped(asked, function):
    started, threads = time.monotonic(), threading.active_count()
    verdict = asked(function)
    assert verdict.status == "stopped" and f"after {SOON} seconds" in verdict.message
    assert "restart" not in verdict.message
    assert time.monotonic() - started < 4
    assert threading.active_count() == threads


@posix_only
def test_even_a_loop_that_keeps_what_it_swallows_is_stopped():
    kept = []

    def keeps(q, k):
        while True:
            try:
                time.sleep(1)
            except BaseException as error:
                kept.append(error)

    assert check("90.1", keeps, seconds=SOON).status == "stopped"


@posix_only
def test_a_sleeping_function_is_woken():
    started = time.monotonic()
    assert check("90.1", lambda q, k: time.sleep(30), seconds=SOON).status == "stopped"
    assert time.monotonic() - started < 2


def test_a_thread_that_cannot_be_stopped_is_admitted(monkeypatch):
    monkeypatch.setattr(box, "GIVE_UP_AFTER", 0.1)
    outcome = box._call_in_worker(time.sleep, (1,), 0.05)
    assert outcome.lingers and isinstance(outcome.error, box.TimeUp)


@posix_only
def test_somebody_elses_timer_goes_on():
    rang = []
    before = signal.signal(signal.SIGALRM, lambda *_: rang.append(time.monotonic()))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        assert check("90.1", scores).status == "passed"
        assert check("90.1", spins, seconds=0.1).status == "stopped"
        assert not rang and 0 < signal.getitimer(signal.ITIMER_REAL)[0] <= 0.3
        time.sleep(0.4)
        assert len(rang) == 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@posix_only
def test_no_timer_is_left_running():
    before = signal.getsignal(signal.SIGALRM)
    check("90.1", swallows_everything, seconds=0.1)
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
    assert signal.getsignal(signal.SIGALRM) == before


def test_exit_and_input(asked):
    def leaves(q, k):
        sys.exit(3)

    def asks(q, k):
        return scores(q, k) * float(input("Factor? "))

    def debugs(q, k):
        breakpoint()

    leaving = asked(leaves)
    assert leaving.status == "stopped" and "asks Python to exit" in leaving.message
    for function in (asks, debugs):
        verdict = asked(function)
        assert verdict.status == "stopped" and "its arguments: q, k" in verdict.message
    assert builtins.input.__module__ != box.__name__


@posix_only
def test_an_interrupt_from_the_keyboard():
    def interrupted(q, k):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5)

    # a shell starts what runs in its background with SIGINT ignored
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        verdict = check("90.1", interrupted)
    finally:
        signal.signal(signal.SIGINT, before)
    assert verdict.status == "stopped" and "interrupted" in verdict.message


def test_an_interrupt_while_check_itself_is_at_work(monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("mlm_course.practice.checking.behave", interrupt)
    assert check("90.1", scores).status == "stopped"


# --- Nothing is left behind


def state():
    """Everything of torch, NumPy and Python that an answer may change by the way."""
    return (
        torch.get_rng_state().tolist(),
        random.getstate(),
        numpy.random.get_state()[1].tolist(),
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
        torch.get_default_dtype(),
        torch.get_default_device(),
        torch.is_autocast_enabled("cpu"),
        torch.get_deterministic_debug_mode(),
        torch.is_anomaly_enabled(),
        torch.get_float32_matmul_precision(),
        torch.get_num_threads(),
        numpy.geterr(),
        sys.getrecursionlimit(),
        list(warnings.filters),
    )


def test_settings_are_restored(asked):
    def disturbs(q, k):
        torch.manual_seed(1)
        random.seed(1)
        numpy.random.seed(1)
        torch.set_grad_enabled(False)
        torch.set_default_dtype(torch.float64)
        torch.set_default_device("meta")
        torch.set_autocast_enabled("cpu", True)
        torch.set_deterministic_debug_mode(1)
        torch.autograd.set_detect_anomaly(True)
        torch.set_float32_matmul_precision("medium")
        torch.set_num_threads(torch.get_num_threads() + 1)
        numpy.seterr(all="raise")
        sys.setrecursionlimit(5000)
        warnings.simplefilter("error")
        del q, k

    before = state()
    assert asked(disturbs).status == "failed"
    assert state() == before
    assert asked(scores).status == "passed"  # a right answer leaves as little behind
    assert state() == before


@contextlib.contextmanager
def set_to(write, value, after):
    """A setting of the notebook, taken back at the end."""
    write(value)
    try:
        yield
    finally:
        write(after)


@contextlib.contextmanager
def warnings_are_errors():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


NOTEBOOKS = {
    "set_default_device": lambda: set_to(torch.set_default_device, "meta", None),
    "with torch.device": lambda: torch.device("meta"),
    "float64": lambda: set_to(torch.set_default_dtype, torch.float64, torch.float32),
    "bfloat16": lambda: set_to(torch.set_default_dtype, torch.bfloat16, torch.float32),
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "inference mode": torch.inference_mode,
    "no gradients": torch.no_grad,
    "deterministic": lambda: set_to(torch.set_deterministic_debug_mode, 2, 0),
    "anomaly detection": lambda: torch.autograd.set_detect_anomaly(True),
    "medium products": lambda: set_to(torch.set_float32_matmul_precision, "medium", "highest"),
    "warnings are errors": warnings_are_errors,
    "NumPy raises": lambda: numpy.errstate(all="raise"),
    "redirected": lambda: contextlib.redirect_stdout(None),
}


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_an_answer_is_tried_as_in_a_fresh_notebook(notebook):
    """Whatever is set outside, the answer meets float32 on the CPU with gradients, and all stays."""

    def looks_around(q, k):
        w = torch.ones(8, requires_grad=True)
        (w * q).sum().backward()
        with warnings.catch_warnings(record=True) as heard:
            warnings.warn("by the way", stacklevel=1)
            numpy.log(numpy.zeros(1))
        assert len(heard) == 2
        fresh = (w.dtype, w.device.type, (q @ k.mT).dtype, w.grad is not None)
        assert fresh == (torch.float32, "cpu", torch.float32, True)
        assert not torch.is_anomaly_enabled() and not torch.get_deterministic_debug_mode()
        return scores(q, k)

    with NOTEBOOKS[notebook]():
        before = state()
        assert check("90.1", looks_around).status == "passed"
        assert state() == before


@pytest.mark.parametrize("notebook", ["set_default_device", "bfloat16", "inference mode"])
def test_the_first_look_at_a_lesson_may_be_under_any_setting(notebook):
    """A lesson's files are imported and its reference is run as in a fresh notebook, too."""
    catalogue.exercises.cache_clear()
    sys.modules.pop("mlm_course.exercises.lesson_90.ex1_scores", None)
    with NOTEBOOKS[notebook]():
        assert check("90.1", scores).status == "passed"
        for other in ("6.3", "9.6", "9.7", "10.4"):
            assert check(other, find_exercise(other).reference).status == "passed"


def test_standard_streams_are_restored(asked, capsys):
    def closes(q, k):
        print("lost", file=sys.stderr)
        sys.stdout.close()
        sys.stdout = sys.stderr = sys.stdin = None
        del builtins.input
        return scores(q, k)

    before = sys.stdout, sys.stderr, sys.stdin, builtins.input, sys.breakpointhook
    assert asked(closes).status == "passed"
    assert (sys.stdout, sys.stderr, sys.stdin, builtins.input, sys.breakpointhook) == before
    assert capsys.readouterr() == ("", "")


def test_printing_a_lot(capsys):
    def talks(q, k):
        for number in range(20_000):
            print("line", number)
        return q

    verdict = check("90.1", talks)
    assert "line 5\n..." in verdict.details[1] and "line 6" not in repr(verdict)
    assert capsys.readouterr().out == ""
    assert len(box.call(talks, (1, 2), 5).printed) <= box.PRINTED_AT_MOST


def test_what_is_printed_on_the_way_to_success_is_not_shown():
    def talks(q, k):
        print("hello")
        return scores(q, k)

    assert "hello" not in repr(check("90.1", talks))


# --- Odd results


def test_results_that_break_when_they_are_looked_at():
    class Broken:
        __slots__ = ()

        def _fails(self, *_):
            raise RuntimeError("do not look")

        __repr__ = __str__ = __eq__ = __len__ = __iter__ = __bool__ = __format__ = _fails
        __hash__ = None
        __class__ = property(_fails)

    class BrokenList(list):
        __len__ = __iter__ = __getitem__ = Broken._fails

    class BrokenTensor(torch.Tensor):
        @classmethod
        def __torch_function__(cls, *_, **__):
            raise RuntimeError("do not compute")

    broken_tensor = torch.ones(2, 3, 5).as_subclass(BrokenTensor)
    for value in (Broken(), BrokenList(), broken_tensor):
        assert type(value).__name__ in failed(lambda q, k, value=value: value)
        assert type(value).__name__ in failed(lambda *_, value=value: value, "90.10")


def test_tensors_that_have_no_numbers():
    assert "cannot be read" in failed(lambda q, k: torch.ones(2, 3, 5, device="meta"))
    huge = torch.ones(1).expand(10**6, 10**6)
    assert "(1000000, 1000000)" in failed(lambda q, k: huge)
    circle = []
    circle.append(circle)
    assert "a list of 1" in failed(lambda q, k: circle)
    assert len(failed(lambda *_: ("x" * 10**6, 1.0), "90.10")) < 300
    assert "item 1" in failed(lambda *_: (10**10_000, 1.0), "90.10")


# --- Calling check in the wrong way


def test_not_a_function():
    verdict = check("90.1", scores(torch.ones(1, 2, 3), torch.ones(1, 4, 3)))
    assert verdict.status == "failed"
    assert "got a float32 tensor of shape (1, 2, 4)" in verdict.message


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ((), "The id is missing"),
        (("90.1",), "Your function is missing"),
        ((scores, "90.1"), "The other way round"),
        ((90.1, scores), "in quotes"),
        (("90.3", scores), 'no exercise "90.3". Lesson 90 has 90.1 to 90.16.'),
        (("99.1", scores), "Lessons with exercises: 1, 2, "),
        (("90", scores), "Lesson 90 has 90.1 to 90.16."),
        ((check,), "The id is an object of type function"),
        (("90.1", scores, scores), "3 things in the brackets"),
        (("", scores), 'no exercise ""'),
        (("90.q1", scores), '90.q1 is a quiz question, no exercise: `quiz("90.q1")` asks it.'),
        (("²", scores), "no exercise"),
    ],
)
def test_misuse(arguments, word):
    verdict = check(*arguments)
    assert verdict.status == "not checked" and word in verdict.message


@pytest.mark.parametrize(
    "typed", [" 90.1\n", "090.01", "90,1", "90-1", "90.1.", "Exercise 90.1", "ex90.1"]
)
def test_an_id_may_be_typed_in_other_ways(typed):
    assert check(typed, scores).status == "passed"


@pytest.mark.parametrize("seconds", ["5", 0, -1, math.nan, math.inf, True, [5]])
def test_seconds_are_a_number_above_zero(seconds):
    verdict = check("90.1", scores, seconds=seconds)
    assert verdict.status == "not checked" and "a number above 0" in verdict.message


def test_a_second_check_says_the_same():
    wrong = [check("90.1", lambda q, k: q @ k.mT) for _ in range(2)]
    assert wrong[0] == wrong[1] and wrong[0].status == "failed"


def test_a_broken_exercise_is_not_the_learners_fault():
    verdict = check("90.12", lambda x: x)
    assert verdict.status == "not checked" and "not your code" in verdict.message


# --- How results are compared


@pytest.mark.parametrize(
    ("expected", "seen"),
    [
        (1.0, torch.tensor(1.0)),
        (1.0, 1),
        (3, 3.0),
        (1140968448, torch.tensor(1140968448.0, dtype=torch.float64)),
        (torch.tensor(1.0), 1.0),
        (torch.tensor(1.0), 1),
        ([1, 2], torch.tensor([1.0, 2.0])),
        (torch.tensor([1, 2]), torch.tensor([1.0, 2.0])),
        (torch.tensor([1, 2]), torch.tensor([1, 2], dtype=torch.int32)),
        (torch.ones(2).double(), torch.ones(2)),
        (1.0, numpy.float32(1)),
        (3, torch.tensor(3)),
        (True, torch.tensor(True)),
        (float("nan"), float("nan")),
        ("a", "a"),
        ((1, 2), [1, 2]),
        ([torch.ones(2)], (torch.ones(2),)),
        (torch.ones(2), torch.ones(2) + 1e-6),
        (torch.tensor([0.0, float("nan"), float("inf")]),) * 2,
        (torch.ones(2).half(), torch.ones(2).half() + 1e-3),
        (torch.ones(0, 2), torch.ones(0, 2)),
        (torch.ones(2), torch.nn.Parameter(torch.ones(2))),
    ],
)
def test_equal_enough(expected, seen):
    assert difference(expected, seen) is None


@pytest.mark.parametrize(
    ("expected", "seen"), [(1.0, torch.tensor(1.0)), ([1, 2], [1, torch.tensor(2)])]
)
def test_plain_numbers_are_no_tensors(expected, seen):
    assert difference(expected, seen) is None
    assert "`.item()` takes the number out" in difference(expected, seen, exact_types=True)
    assert difference(expected, expected, exact_types=True) is None


def test_an_exercise_can_ask_for_exact_types():
    assert check("90.13", lambda q: q.sum().item()).status == "passed"
    assert "`.item()`" in failed(lambda q: q.sum(), "90.13")


@pytest.mark.parametrize(
    ("expected", "seen", "words"),
    [
        (1.0, 2, "returns 2; expected is 1"),
        (1140968448, 1.141e9, "returns 1141000000; expected is 1140968448"),
        (1_000_000, torch.tensor(1_000_000.5), "1000000.5"),
        (torch.tensor([4, 5]), torch.tensor([4.0, 5.00001]), "5.00001"),
        ((torch.ones(2), torch.zeros(3)), (torch.zeros(3), torch.ones(2)), "item 2 comes first"),
        (True, 1, "the int 1; expected is True"),
        (1, True, "True"),
        (1.0, torch.ones(1), "shape (1,)"),
        ("a", "b", "text 'b'"),
        ("a", 1, "the int 1"),
        ((1, 2), (1, 3), "In item 2 of 2: Your function returns 3"),
        ((1, 2), (1,), "returns 1 item, not 2"),
        ((1, 2), 1, "a tuple of 2"),
        (torch.ones(2), torch.ones(2) + 1e-3, "2 of 2"),
        (torch.ones(2), torch.ones(2) + 2e-4, "1.0002"),
        (torch.tensor(1.0), torch.tensor(2.0), "it is 2 (expected: 1)"),
        (torch.tensor([1, 2]), torch.tensor([1, 3]), "3 at [1] (expected: 2)"),
        (torch.tensor([True]), torch.tensor([False]), "False at [0] (expected: True)"),
        (torch.tensor([float("nan")]), torch.tensor([1.0]), "1 at [0] (expected: nan)"),
        (torch.ones(2), torch.ones(2, dtype=torch.bool), "bool instead of float32"),
        (torch.ones(0, 2), torch.ones(2), "shape (0, 2)"),
    ],
)
def test_different(expected, seen, words):
    assert words in difference(expected, seen)


def test_unchanged():
    model = torch.nn.Linear(2, 2)
    other = torch.nn.Linear(2, 2)
    other.load_state_dict(model.state_dict())
    for same in ((1.5, 1.5), ([1, torch.ones(2)],) * 2, ({"a": 1},) * 2, (model, other)):
        assert unchanged(*same)
    other.weight.data[0, 0] += 1
    nan = torch.tensor([float("nan")])
    for changed in (([1], [2]), ([1], []), ({"a": 1}, {"a": 2}), ({"a": 1}, {}), (model, other)):
        assert not unchanged(*changed)
    assert unchanged(nan, nan.clone()) and not unchanged(nan, torch.ones(1))
    assert not unchanged(torch.zeros(2), torch.zeros(2).bool())


def test_descriptions():
    assert describe(None) == "None"
    assert describe([1, 2]) == "a list of 2"
    assert describe(scores) == "an object of type function"


# --- How a verdict looks


def test_text_and_html_say_the_same():
    verdict = check("90.1", lambda q, k: q @ k.mT / q.shape[-1])
    html = verdict._repr_html_()
    assert verdict.message == "Divided by <D>." and "Divided by &lt;D&gt;." in html
    assert "<code>hint(&quot;90.1&quot;)</code>" in html and "✗" in html and "failed" in html
    assert 'Stuck? `hint("90.1")` helps.' in repr(verdict)
    assert "background" not in html  # the notebook's theme decides
    assert html == check("90.1", lambda q, k: q @ k.mT / q.shape[-1])._repr_html_()


def test_a_hostile_message_stays_text():
    def hostile(q, k):
        print("</p><script>alert(1)</script>")
        raise ValueError("<img src=x onerror=alert(1)> `")

    html = check("90.1", hostile)._repr_html_()
    assert "<script" not in html and "<img" not in html


def test_listing():
    rows = {row.id: row for row in listing()}
    assert rows["90.1"].prompt == "Scale the scores"
    assert (rows["90.1"].hints, rows["90.1"].mistakes) == (3, 3)


def test_a_verdict_does_not_depend_on_the_state_of_global_generators():
    def draws(q, k):
        return torch.rand(2, 3, 5) + random.random() + numpy.random.rand()

    with torch.random.fork_rng(devices=[]):
        verdicts = set()
        for seed in (1, 2):
            torch.manual_seed(seed)
            random.seed(seed)
            numpy.random.seed(seed)
            verdicts.add(check("90.1", draws).message)
    assert len(verdicts) == 1


def test_behaviour_of_a_reference_is_reproducible():
    noisy = find_exercise("90.2")
    first, second = (behave(noisy, noisy.reference, 2, 5).outcome.value for _ in range(2))
    assert torch.equal(first, second)


class Point(NamedTuple):
    x: int
    y: int


def without_an_axis(q, k):
    return q - q.mean(1)[..., :1]


@pytest.mark.parametrize(
    ("wrong", "advice"),
    [
        (lambda q, k: not (q > 0), "instead of not, and, or"),
        (lambda q, k: (q > 0) & q < 1, "Mind the parentheses"),
        (lambda q, k: round(q), "`.round()`"),
        (without_an_axis, "keeps a reduced axis with size 1"),
        (lambda q, k: max(q, q + 1), "`torch.maximum`"),
        (lambda q, k: 1 if q > 0 else 0, "`torch.where` decides"),
        (lambda q, k: torch.nn.Embedding(9, 2)[0], "`table(ids)`"),  # type: ignore[index]
        (lambda q, k: torch.nn.Embedding(9, 2).T, "`.weight`"),
        (lambda q, k: q(0), "square brackets"),
        (lambda q, k: q.gather(-1, torch.zeros(2, 1).long()), "`index[..., None]`"),
        (lambda q, k: [a for a, b in [(1, 2, 3)]], "as many names"),  # type: ignore[misc]
        (lambda q, k: (q, k).q, "unpack it"),  # type: ignore[attr-defined]
        (lambda q, k: q.sum().item().backward(), "before that"),
        (lambda q, k: q.detach().sum().backward(), "back to the weights"),
        (lambda q, k: 1 - (q > 0), "`~mask`"),
        (lambda q, k: math.exp(q), "single numbers"),
        (lambda q, k: torch.sqrt(2), "`math`"),  # type: ignore[arg-type]
        (lambda q, k: (q > 0).mean(), "`.float()`"),
        (lambda q, k: q @ torch.ones(1, 1), "second to last of b"),
        (lambda q, k: q @ torch.ones(1, 1), "There `q` is a float32 tensor of shape ("),
        (lambda q, k: Point(1, 2).z, "It has `x`, `y`."),  # type: ignore[attr-defined]
        (lambda q, k: q.sum, "forget the `()`"),
        (lambda q, k: torch.cat([q, q.to("meta")]), "calls your function on the CPU"),
        (lambda q, k: q + torch.ones(8, device="meta"), "calls your function on the CPU"),
    ],
    ids=lambda value: value.strip("`")[:12] if isinstance(value, str) else "",
)
def test_a_cryptic_error_comes_with_advice(wrong, advice):
    verdict = check("90.1", wrong)
    assert verdict.status == "failed" and advice in verdict.message
