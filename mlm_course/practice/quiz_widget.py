"""The questions of a quiz to click on, where the page has a kernel and widgets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import traitlets

from mlm_course.practice.questions import Quiz, options, record_answer
from mlm_course.widgets.base import CourseWidget, script

HERE = Path(__file__).parent


class QuizWidget(CourseWidget):
    """Questions whose options judge themselves when they are clicked.

    chosen, {"1.q1": "b"}, is what was clicked; saved, {"1.q1": ["b", note]}, which of it is
    recorded, with a sentence where the file made trouble. The twin is the quiz itself.
    """

    _esm = script(str(HERE / "quiz.js"))
    _css = CourseWidget._css + (HERE / "quiz.css").read_text("utf-8")

    chosen = traitlets.Dict().tag(sync=True)
    saved = traitlets.Dict().tag(sync=True)

    def __init__(self, quiz: Quiz) -> None:
        self._quiz = quiz
        asked = [
            {
                "id": question.id,
                "prompt": question.prompt,
                "options": [option._asdict() for option in options(question)],
            }
            for question in quiz.questions
        ]
        super().__init__(view={"kind": "quiz", "summary": repr(quiz), "questions": asked})
        self.observe(self._record, "chosen")

    def _record(self, change: dict[str, Any]) -> None:
        """Remembers every answer that is new, as `quiz("1.q1", "b")` would."""
        saved = dict(self.saved)
        for question in self._quiz.questions:
            letter = change["new"].get(question.id)
            old, _ = saved.get(question.id, (None, ""))
            if letter != old and letter in [option.letter for option in options(question)]:
                saved[question.id] = [letter, record_answer(question, letter)]
        self.saved = saved

    def page_state(self) -> dict[str, Any]:
        """State without anybody's answers: the browser of a page without Python keeps the reader's."""
        return {**super().page_state(), "chosen": {}, "saved": {}, "offline": {}}

    def twin(self) -> dict[str, str]:
        """The quiz as text and as HTML."""
        return self._quiz.twin()
