"""quiz: questions to click on; where there is no kernel, their options open to say what is right."""

from __future__ import annotations

import hashlib
import string
from dataclasses import dataclass
from html import escape
from typing import Any, NamedTuple

from mlm_course.practice import record
from mlm_course.practice.compare import short
from mlm_course.practice.exercise import Question, UnknownId, find_lesson, find_question, questions
from mlm_course.practice.notebook import shell
from mlm_course.practice.verdict import Card, html_text


@dataclass(frozen=True, repr=False)
class Quiz:
    """Questions as they are shown: live where a notebook can, and always as text and HTML.

    The text keeps the answers to itself; the HTML folds them.
    """

    questions: tuple[Question, ...]

    def __repr__(self) -> str:
        how = f"Answer with the id and a letter: {self._call()}"
        return "\n\n".join((*map(_question_text, self.questions), how))

    def _repr_html_(self) -> str:
        blocks = "".join(map(_question_html, self.questions))
        how = html_text(f"Open an option to see what it says; `{self._call()}` records an answer.")
        last = f'<p style="margin:.8em 0 0">{how}</p>'
        return (
            f'<div class="mathjax_ignore" style="color:inherit;max-width:50em">{blocks}{last}</div>'
        )

    def _call(self) -> str:
        return f'quiz("{self.questions[0].id}", "a")'

    def twin(self) -> dict[str, str]:
        """What is there without a kernel, by MIME type; the same at every run."""
        return {"text/plain": repr(self), "text/html": self._repr_html_()}

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        if not hasattr(shell(), "kernel"):
            return self.twin()
        try:
            from mlm_course.practice.quiz_widget import QuizWidget
        except ImportError:  # no widgets in this environment
            return self.twin()
        return QuizWidget(self)._repr_mimebundle_(**kwargs)


def quiz(some_id: Any = None, choice: Any = None, *more: Any) -> Quiz | Card:
    """The questions of a lesson ("1"), one question ("1.q2"), or the answer to one ("1.q2", "b").

    A right answer is remembered (see `progress`). Never raises.
    """
    if some_id is None:
        return Card("open", "quiz", 'Which lesson? Like `quiz("1")`.')
    try:
        if isinstance(some_id, str) and "q" in some_id.lower().removeprefix("question"):
            question = find_question(some_id)
            return Quiz((question,)) if choice is None else _answered(question, choice, more)
        return _quiz_of(find_lesson(some_id), choice)
    except UnknownId as error:
        return Card("open", "quiz", str(error))


def _quiz_of(lesson: int, choice: Any) -> Quiz | Card:
    asked = questions(lesson)
    if not asked:
        return Card("open", "quiz", f"Lesson {lesson} has no questions.")
    if choice is not None:
        usage = f'Like `quiz("{asked[0].id}", "a")`.'
        return Card(
            "open", "quiz", f"Which question of lesson {lesson} is this the answer to? {usage}"
        )
    return Quiz(asked)


def _answered(question: Question, choice: Any, more: tuple[Any, ...]) -> Card:
    by_letter = {option.letter: option for option in options(question)}
    letter = choice.strip(" \t\n.()'\"").lower() if isinstance(choice, str) else None
    if more or letter not in by_letter:
        what = "That is more than one option" if more else f"There is no option {short(choice)}"
        sentence = f"{what}; choose one of {', '.join(by_letter)}. Nothing was recorded."
        return Card("open", question.id, sentence)
    right, feedback = by_letter[letter].right, by_letter[letter].feedback
    note = record_answer(question, letter)
    heading = f"{question.id} {letter} is {'right' if right else 'not it'}"
    return Card("good" if right else "bad", heading, feedback, (note,) if note else ())


def record_answer(question: Question, letter: str) -> str:
    """Remembers the answer to a question. Returns "" or a sentence about the file's trouble."""
    right = any(option.right and option.letter == letter for option in options(question))
    return record.add(solved={question.id} if right else set(), tried={question.id})


class Option(NamedTuple):
    """One option of a question."""

    letter: str
    text: str
    feedback: str
    right: bool


def options(question: Question) -> list[Option]:
    """The options of a question, with their letters, in the order of a hash of all they say."""
    pairs = sorted((question.right, *question.wrong), key=lambda pair: _place(question, pair[0]))
    return [
        Option(letter, text, feedback, (text, feedback) == question.right)
        for letter, (text, feedback) in zip(string.ascii_lowercase, pairs, strict=False)
    ]


def _place(question: Question, text: str) -> bytes:
    return hashlib.sha256(f"{question.prompt}/{text}".encode()).digest()


def _question_text(question: Question) -> str:
    lines = (f"  {option.letter}) {option.text}" for option in options(question))
    return "\n".join((f"{question.id}  {question.prompt}", *lines))


def _question_html(question: Question) -> str:
    prompt = f"<strong>{escape(question.id)}</strong> {html_text(question.prompt)}"
    folded = "".join(map(_option_html, options(question)))
    return f'<p style="margin:.8em 0 .2em">{prompt}</p>{folded}'


def _option_html(option: Option) -> str:
    verdict = "✓ Right." if option.right else "✗ Not it."
    return (
        '<details style="margin:.2em 0 .2em 1em"><summary style="cursor:pointer">'
        f"{option.letter}) {html_text(option.text)}</summary>"
        f'<p style="margin:.2em 0 .4em 1.2em"><strong>{verdict}</strong> '
        f"{html_text(option.feedback)}</p></details>"
    )
