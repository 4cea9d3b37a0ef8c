"""Answers that people wrote, from the lessons alone: accepted, rejected and explained as they should."""

import pytest
from answered import FILES, answers

from mlm_course.practice import check
from mlm_course.practice.checking import complaint
from mlm_course.practice.exercise import exercises, find_exercise, lesson_numbers
from mlm_course.practice.sandbox import behave, reference_behaviour

ANSWERS = answers()
RIGHT = [answer for answer in ANSWERS if answer.right]
FIRST = {answer.exercise: answer for answer in reversed(RIGHT)}.values()  # one for each exercise
WRONG = [answer for answer in ANSWERS if not answer.right]
FIRST_WRONG = {answer.exercise: answer for answer in reversed(WRONG)}
EACH_WRONG = [  # quickly the first of each exercise
    pytest.param(
        answer,
        id=answer.name,
        marks=() if answer is FIRST_WRONG[answer.exercise] else pytest.mark.slow,
    )
    for answer in WRONG
]
IDS = [exercise.id for number in lesson_numbers() for exercise in exercises(number)]


@pytest.fixture(autouse=True)
def own_progress_file(tmp_path, monkeypatch):
    monkeypatch.setenv("MLM_COURSE_PROGRESS", str(tmp_path / "progress.json"))


@pytest.mark.parametrize("answer", RIGHT, ids=lambda answer: answer.name)
def test_a_right_answer_passes(answer):
    verdict = check(answer.exercise, answer.function())
    assert verdict.status == "passed", verdict


@pytest.mark.slow
@pytest.mark.parametrize("answer", FIRST, ids=lambda answer: answer.name)
def test_a_right_answer_passes_whatever_is_drawn(answer):
    """On twenty draws that no learner gets: none may be one on which a right answer is refused."""
    exercise, function = find_exercise(answer.exercise), answer.function()
    for trial in range(101, 121):
        expected = reference_behaviour(exercise, trial, 5)
        seen = behave(exercise, function, trial, 5)
        assert complaint(exercise, function, expected, seen, 5) is None, f"draw {trial}"


@pytest.mark.parametrize("answer", EACH_WRONG)
def test_a_wrong_answer_is_rejected_and_told_why(answer):
    verdict = check(answer.exercise, answer.function())
    assert verdict.status in ("failed", "stopped"), verdict
    assert answer.says, f"what should be said: {verdict.message}"
    assert [words for words in answer.says if words not in verdict.message] == [], verdict.message


@pytest.mark.parametrize("exercise", IDS)
def test_each_exercise_has_another_right_answer(exercise):
    assert any(answer.exercise == exercise for answer in RIGHT)


def test_every_block_is_read_and_belongs_to_an_exercise():
    headers = sum(path.read_text("utf-8").count("\n# %% ") for path in FILES)
    first = sum(path.read_text("utf-8").startswith("# %% ") for path in FILES)
    assert len(ANSWERS) == headers + first
    assert {answer.exercise for answer in ANSWERS} <= set(IDS)
