"""Labels."""

from mlm_course.exercises.lesson_04.rows import rows_and_masked
from mlm_course.practice.exercise import Exercise, Mistake

LABELS = "ids.masked_fill(~masked, -100)"

EXERCISE = Exercise(
    minutes=4,
    inputs=rows_and_masked,
    hints=(
        "At which places is there nothing to guess? Write -100 there.",
        "ids.masked_fill(places, -100) writes where places is True, into a new tensor.",
        "return ids.masked_fill(~masked, -100)",
    ),
    mistakes=(
        Mistake(
            "Every token has a label: the model would mostly be asked to copy what it sees. -100 where "
            "nothing is hidden.",
            {LABELS: "ids.clone()"},
        ),
        Mistake(
            "Upside down: the hidden tokens are the ones to be guessed, and they got -100.",
            {"~masked": "masked"},
        ),
        Mistake(
            "Visible places got 0, which is the id of [PAD]: the model would be asked to say [PAD] "
            "there. cross_entropy skips -100 only.",
            {LABELS: "ids * masked"},
        ),
        Mistake(
            "These are the right answers, but without their places. Labels have the shape of ids.",
            {LABELS: "ids[masked]"},
        ),
    ),
)
