"""Every exercise of the course can be solved, and each mistake it knows is told from the others.

Nothing here names a lesson: what the catalogue finds is what is tested.
"""

import re

import pytest
from variants import VARIANTS

from mlm_course.practice import check
from mlm_course.practice.behaviour import alike, behave, reference_behaviour
from mlm_course.practice.catalogue import exercises, find_exercise, lesson_numbers, questions

EXERCISES = [exercise for number in lesson_numbers() for exercise in exercises(number)]
QUESTIONS = [question for number in lesson_numbers() for question in questions(number)]
MISTAKES = [
    pytest.param(
        exercise, misconception.message, function, id=f"{exercise.id}-{index}{'abcdef'[n]}"
    )
    for exercise in EXERCISES
    for index, misconception in enumerate(exercise.misconceptions, 1)
    for n, function in enumerate(misconception.functions)
]
each_exercise = pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.id)
each_question = pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.id)
FEWEST = {3: 1, 7: 2}  # exercises of a lesson that has fewer than five
each_lesson = pytest.mark.parametrize("lesson", lesson_numbers())


@pytest.fixture(autouse=True)
def own_progress_file(tmp_path, monkeypatch):
    monkeypatch.setenv("MLM_COURSE_PROGRESS", str(tmp_path / "progress.json"))


@each_exercise
def test_the_reference_passes(exercise):
    verdict = check(exercise.id, exercise.reference)
    assert verdict.status == "passed", verdict


@each_exercise
def test_a_correct_variant_passes(exercise):
    assert exercise.id in VARIANTS, f"tests/variants.py has no variant for {exercise.id}"
    verdict = check(exercise.id, VARIANTS[exercise.id])
    assert verdict.status == "passed", verdict


@each_exercise
def test_the_variant_is_not_the_reference(exercise):
    reference = exercise.reference
    variant = VARIANTS[exercise.id]
    assert variant is not reference
    assert variant.__code__.co_code != reference.__code__.co_code


@each_exercise
def test_the_stub_is_not_attempted(exercise):
    def stub(*arguments):
        raise NotImplementedError

    assert check(exercise.id, stub).status == "not attempted"


@pytest.mark.parametrize(("exercise", "message", "function"), MISTAKES)
def test_each_mistake_gets_its_own_message(exercise, message, function):
    verdict = check(exercise.id, function)
    assert (verdict.status, verdict.message) == ("failed", message)


@each_exercise
def test_no_two_mistakes_look_the_same(exercise):
    """On every pair, so that the order in which they are listed does not matter."""

    def seen(function):
        return [behave(exercise, function, trial, 5) for trial in range(1, exercise.trials + 1)]

    all_seen = [
        (misconception.message, seen(function))
        for misconception in exercise.misconceptions
        for function in misconception.functions
    ]
    for index, (message, one) in enumerate(all_seen):
        for _, other in all_seen[:index]:
            assert not all(map(alike, one, other)), message
    messages = [misconception.message for misconception in exercise.misconceptions]
    assert len(set(messages)) == len(messages)


@each_exercise
def test_inputs_are_the_same_at_every_call(exercise):
    for trial in range(1, exercise.trials + 1):
        twice = [reference_behaviour(exercise, trial, 5) for _ in range(2)]
        assert alike(*twice)


@each_exercise
def test_there_is_enough_help(exercise):
    assert len(exercise.hints) >= 3
    assert len(exercise.misconceptions) >= 3
    texts = (exercise.prompt, *exercise.hints, *(m.message for m in exercise.misconceptions))
    assert all(text.strip() for text in texts)
    assert all(text.count("`") % 2 == 0 for text in texts), "a backtick without its partner"


@each_lesson
def test_a_lesson_has_five_exercises_in_order(lesson):
    ids = [exercise.id for exercise in exercises(lesson)]
    assert len(ids) >= FEWEST.get(lesson, 5)
    assert ids == [f"{lesson}.{number}" for number in range(1, len(ids) + 1)]
    assert all(find_exercise(exercise_id).id == exercise_id for exercise_id in ids)


@each_lesson
def test_a_lesson_has_questions_in_order(lesson):
    ids = [question.id for question in questions(lesson)]
    assert ids and ids == [f"{lesson}.q{number}" for number in range(1, len(ids) + 1)]


@each_question
def test_a_question_is_well_formed(question):
    assert question.prompt.strip()
    assert 2 <= len(question.options) <= 6
    assert question.answer in range(len(question.options))
    texts = [text for text, _ in question.options]
    assert len(set(texts)) == len(texts)
    assert all(text.strip() and feedback.strip() for text, feedback in question.options)
    assert not re.match(r"\w\)", question.options[0][0]), "letters are added when it is shown"


@pytest.mark.skipif(len(lesson_numbers()) < 2, reason="needs two lessons")
def test_right_answers_are_not_always_at_the_same_place():
    places = {question.answer for question in QUESTIONS}
    assert len(places) > 1


def test_every_variant_belongs_to_an_exercise():
    assert set(VARIANTS) <= {exercise.id for exercise in EXERCISES}
