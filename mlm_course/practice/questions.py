"""quiz: questions whose options open to say why they are right or wrong, with or without kernel."""

from __future__ import annotations

import string
from dataclasses import dataclass
from html import escape
from typing import Any, NamedTuple

from mlm_course.practice import record
from mlm_course.practice.compare import short
from mlm_course.practice.exercise import Question, UnknownId, find_lesson, find_question, questions
from mlm_course.practice.verdict import Card, html_text


@dataclass(frozen=True, repr=False)
class Quiz:
    """Questions as they are shown. The text keeps the answers to itself; the HTML folds them."""

    questions: tuple[Question, ...]

    def __repr__(self) -> str:
        blocks = map(_question_text, self.questions)
        how = f'Answer with the id and a letter: quiz("{self.questions[0].id}", "a")'
        return "\n\n".join((*blocks, how))

    def _repr_html_(self) -> str:
        blocks = "".join(map(_question_html, self.questions))
        return f'<div style="color:inherit;max-width:50em">{blocks}</div>'


def quiz(some_id: Any = None, choice: Any = None) -> Quiz | Card:
    """The questions of a lesson ("1"), one question ("1.q2"), or the answer to one ("1.q2", "b").

    A right answer is remembered (see `progress`). Never raises.
    """
    try:
        if some_id is None:
            return Card("open", "quiz", 'Which lesson? Like `quiz("1")`.')
        wanted = str(some_id).strip().lower()
        if "q" not in wanted:
            return _quiz_of(find_lesson(wanted))
        question = find_question(wanted)
    except UnknownId as error:
        return Card("open", "quiz", str(error))
    return Quiz((question,)) if choice is None else _answered(question, choice)


def _quiz_of(lesson: int) -> Quiz | Card:
    asked = questions(lesson)
    return Quiz(asked) if asked else Card("open", "quiz", f"Lesson {lesson} has no questions.")


def _answered(question: Question, choice: Any) -> Card:
    rows = {option.letter: option for option in _options(question)}
    letter = choice.strip().lower() if isinstance(choice, str) else None
    if letter not in rows:
        sentence = f"There is no option {short(choice)}; the options are {', '.join(rows)}."
        return Card("open", question.id, sentence)
    right, feedback = rows[letter].right, rows[letter].feedback
    note = record.add(solved={question.id} if right else set(), tried={question.id})
    heading = f"{question.id} {letter} is {'right' if right else 'not it'}"
    return Card("good" if right else "bad", heading, feedback, (note,) if note else ())


class _Option(NamedTuple):
    letter: str
    text: str
    feedback: str
    right: bool


def _options(question: Question) -> list[_Option]:
    return [
        _Option(string.ascii_lowercase[index], text, feedback, index == question.answer)
        for index, (text, feedback) in enumerate(question.options)
    ]


def _question_text(question: Question) -> str:
    options = (f"  {option.letter}) {option.text}" for option in _options(question))
    return "\n".join((f"{question.id}  {question.prompt}", *options))


def _question_html(question: Question) -> str:
    prompt = f"<strong>{escape(question.id)}</strong> {html_text(question.prompt)}"
    options = "".join(map(_option_html, _options(question)))
    return f'<p style="margin:.8em 0 .2em">{prompt}</p>{options}'


def _option_html(option: _Option) -> str:
    verdict = "✓ Right." if option.right else "✗ Not it."
    return (
        '<details style="margin:.2em 0 .2em 1em"><summary style="cursor:pointer">'
        f"{option.letter}) {html_text(option.text)}</summary>"
        f'<p style="margin:.2em 0 .4em 1.2em"><strong>{verdict}</strong> '
        f"{html_text(option.feedback)}</p></details>"
    )
