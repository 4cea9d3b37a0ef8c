"""The gap filler: a sentence with gaps that is typed, and how a model fills them, step by step."""

from collections.abc import Callable, Iterable
from typing import Any

import traitlets

from mlm_course.models.pretrained import load_pretrained
from mlm_course.views import checks, refinement_steps
from mlm_course.views.text import count, lines
from mlm_course.widgets.base import AnsweringWidget, rounded, script
from mlm_course.widgets.model import page_vocabulary

Fill = Callable[[str], Iterable[Any]]


class GapFiller(AnsweringWidget):
    """A field for a sentence with gaps, and below it the steps in which they are filled.

    fill, a function text -> (tokens, confidences, masked, others), as `refinement_steps` takes them;
    what it raises, such as a ValueError for a text without a gap, is shown as a sentence, and the last
    answer stays. examples, texts to choose from; the first is filled from the start unless a text is
    given. text follows what the reader enters and may be set; step, from 1, is the step in sight.
    filled and said hold the last answer. checkpoint, the name of a model of the course with which a
    page of the book, which has no Python, fills a text as fill_gaps does. ValueError for what is no
    function and for no text at all.
    """

    _esm = script("model.js", "sampler.js", "steps.js", "refined.js", "gap_filler.js")

    text = traitlets.Unicode().tag(sync=True)
    step = traitlets.Int(1).tag(sync=True)
    filled: Any = traitlets.Dict().tag(sync=True)
    said = traitlets.Unicode().tag(sync=True)

    def __init__(
        self,
        fill: Fill,
        examples: Iterable[str] = (),
        title: str = "",
        text: str = "",
        checkpoint: str = "",
    ) -> None:
        if not callable(fill):
            raise ValueError(f"fill must be a function; it is {type(fill).__name__}.")
        offered = [lines(example) for example in checks.tokens_of("examples", examples)]
        first = text or next(iter(offered), "")
        if not first:
            raise ValueError("A gap filler needs a text, or an example, to begin with.")
        self._fill, self._checkpoint = fill, checkpoint
        super().__init__(view={"title": str(title), "examples": offered}, text=first)
        self._respond()  # what cannot be filled fails here
        self._key = *self._question(), self.asked
        self.observe(self._answer, ["text", "asked"])

    def _question(self) -> tuple[Any, ...]:
        return (self.text,)

    def _respond(self) -> None:
        (self.filled, self.said), self.step = self._answer_to(self.text), 1

    def _answer_to(self, text: str) -> tuple[dict[str, Any], str]:
        """The steps that fill a text, and what came of it in a sentence."""
        tokens, confidences, masked, others = _four(self._fill(text))
        view = refinement_steps(tokens, confidences, masked, others=others)
        n_gaps, n_steps = view["given"].count(False), len(view["steps"])
        done = f"{count(n_gaps, 'gap')} filled in {count(n_steps, 'step')}."
        return view, f"{done} {view['summary'].splitlines()[-1]}"

    def page_state(self) -> dict[str, Any]:
        """State with the answers to the examples and to what stands in the field.

        With a checkpoint also its name and its vocabulary: the page fetches the weights.
        """
        answers = [{"text": self.text, "filled": self.filled, "said": self.said}]
        for example in self.view["examples"]:
            try:
                filled, said = self._answer_to(example)
            except Exception:  # what cannot be filled has no answer
                continue
            answers.append({"text": example, "filled": filled, "said": said})
        state = {**super().page_state(), "offline": {"answers": rounded(answers)}}
        if not self._checkpoint:
            return state
        _, tokenizer = load_pretrained(self._checkpoint)
        vocabulary = page_vocabulary(tokenizer, special_tokens=False)
        return {**state, "checkpoint": self._checkpoint, "vocabulary": vocabulary}

    @traitlets.validate("step")
    def _exists(self, proposal: dict[str, Any]) -> int:
        last = len(self.filled["steps"]) if self.filled else 1
        if not 1 <= proposal["value"] <= last:
            raise traitlets.TraitError(
                f"step must lie between 1 and {last}; got {proposal['value']}."
            )
        return proposal["value"]

    def picture(self) -> dict[str, Any]:
        """View of the last answer, and of what is wrong with a question after it."""
        summary = [self.filled["summary"], *([self.error] if self.error else [])]
        return {**self.filled, "title": self.view["title"], "summary": "\n".join(summary)}


def _four(answer: Any) -> list[Any]:
    """What fill returned, part by part."""
    parts = list(answer) if isinstance(answer, list | tuple) else []
    if len(parts) != 4:
        kind = f"{len(parts)} parts" if parts else type(answer).__name__
        raise ValueError(f"fill must return (tokens, confidences, masked, others), not {kind}.")
    return parts
