"""The one question of the lesson for tests."""

from mlm_course.practice.exercise import Question

QUIZ = (
    Question(
        prompt="Is 1 < 2?",
        right=("Yes, <b>always</b>.", "One is less."),
        wrong=(("Not yet.", "Count again."),),
    ),
)
