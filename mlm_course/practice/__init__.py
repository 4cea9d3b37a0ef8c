"""Exercises that say which mistake was made: check, hint, solution, quiz, progress."""

from mlm_course.practice.checking import check
from mlm_course.practice.exercise import Exercise, Mistake, Question, listing
from mlm_course.practice.hints import hint, solution
from mlm_course.practice.notebook import watch_for_missing_names
from mlm_course.practice.progress_report import progress
from mlm_course.practice.questions import quiz

__all__ = [
    "Exercise",
    "Mistake",
    "Question",
    "check",
    "hint",
    "listing",
    "progress",
    "quiz",
    "solution",
]

watch_for_missing_names()
