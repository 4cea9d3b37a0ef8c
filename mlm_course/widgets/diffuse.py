"""A masked-diffusion model that writes in the page: `refine`, with its settings as controls."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import torch
import traitlets
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional as F

from mlm_course.decoding import (
    MASK_PREDICT,
    Sampler,
    Step,
    cosine_remasking,
    linear_remasking,
    refine,
)
from mlm_course.diffusion import blank, gap_row, noting, predictor
from mlm_course.models.masked_lm import MaskedLM
from mlm_course.tokenization import CLS_ID, MASK_ID, SEP_ID
from mlm_course.views import checks, refinement_steps
from mlm_course.views.text import lines
from mlm_course.widgets.base import script
from mlm_course.widgets.model import ModelWidget

SCHEDULES = {"linear": linear_remasking, "cosine": cosine_remasking}
DRAWING = replace(MASK_PREDICT, temperature=1.0)
N_OTHERS = 3  # tokens that are named beside the one chosen
LONGEST = 40  # places of a blank line
SETTINGS = ("text", "length", "steps", "temperature", "order", "schedule", "may_remask", "seed")


class Diffuse(ModelWidget):
    """A text that a model writes in the page, step by step, and the settings of its sampler.

    model, tokenizer and special_tokens as in `ModelWidget`. length: places of a blank line; text: a
    sentence to fill instead, ___ for each gap; examples: more such. steps: by default one for each
    masked place, and never more. sampler: as for `refine`; with order "bernoulli" what is kept stays.
    The first run is computed here, with random numbers of torch; those after it in the page, with
    random numbers of its own. The settings follow what the reader chooses and may be set. ValueError
    for what does not fit.
    """

    _esm = script("steps.js", "model.js", "sampler.js", "diffuse.js")

    text = traitlets.Unicode().tag(sync=True)
    length = traitlets.Int(1).tag(sync=True)
    steps = traitlets.Int(1, min=1).tag(sync=True)
    temperature = traitlets.Float(1.0, min=0.0).tag(sync=True)
    order = traitlets.Enum(("confidence", "random", "bernoulli"), "confidence").tag(sync=True)
    schedule = traitlets.Enum(tuple(SCHEDULES), "linear").tag(sync=True)
    may_remask = traitlets.Bool(True).tag(sync=True)
    seed = traitlets.Int(0, min=0).tag(sync=True)

    def __init__(
        self,
        model: MaskedLM,
        tokenizer: Tokenizer | Sequence[str],
        length: int = 17,
        steps: int | None = None,
        sampler: Sampler = DRAWING,
        text: str = "",
        examples: Iterable[str] = (),
        title: str = "",
        seed: int = 0,
        special_tokens: bool | None = None,
    ) -> None:
        super().__init__(model, tokenizer, special_tokens, **_settings(sampler))
        self._sampler = sampler
        _, masked = self._row(text, length)  # what cannot be filled fails here
        n_steps = int(masked.sum()) if steps is None else checks.whole("steps", steps)
        self.set_trait("text", text)
        self.length, self.steps, self.seed = length, n_steps, seed
        self._last = self._run()
        self.view = {
            "title": str(title),
            "examples": [lines(example) for example in checks.tokens_of("examples", examples)],
            "longest": self._longest(),
            "most": model.config.max_length,
            "gumbel": float(sampler.gumbel),
            "of_remaining": sampler.of_remaining,
            "run": self._last,
        }

    def _longest(self) -> int:
        return min(LONGEST, self._model.config.max_length - 2 * self._special)

    def _row(self, text: str, length: int) -> tuple[Tensor, Tensor]:
        """What is to be filled: ids and where, two (1, T). Errors: ValueError."""
        if not text:
            if not 1 <= checks.whole("length", length) <= self._longest():
                raise ValueError(f"length must lie between 1 and {self._longest()}, not {length}.")
            canvas, masked = blank(torch.tensor([length]))
            return (canvas, masked) if self._special else (canvas[:, 1:-1], masked[:, 1:-1])
        most = self._model.config.max_length - 2 * self._special
        ids, gaps = gap_row(self._tokenizer, text, most)
        if not self._special:
            return ids, gaps
        return F.pad(F.pad(ids, (1, 0), value=CLS_ID), (0, 1), value=SEP_ID), F.pad(gaps, (1, 1))

    def _chosen(self) -> Sampler:
        """The sampler with the settings that the reader chose."""
        return replace(
            self._sampler,
            schedule=SCHEDULES[self.schedule],
            temperature=self.temperature,
            order=self.order,
            may_remask=self.may_remask and self.order != "bernoulli",
        )

    def _run(self) -> dict[str, Any]:
        """The settings, the row that they ask for, and the steps by which it is filled."""
        device = self._model.decoder_bias.device
        canvas, masked = (x.to(device) for x in self._row(self.text, self.length))
        n = min(N_OTHERS + 1, self._model.config.vocab_size)
        ask, likeliest = noting(predictor(self._model), n)
        chance = torch.Generator(device).manual_seed(self.seed)
        steps = min(self.steps, int(masked.sum()))
        trace = refine(ask, canvas, masked, MASK_ID, steps, self._chosen(), chance)
        again = [step.masked for step in trace[1:]] + [torch.zeros_like(masked)]
        return {
            "settings": {name: getattr(self, name) for name in SETTINGS},
            "canvas": canvas[0].tolist(),
            "masked": masked[0].tolist(),
            "steps": [_told(*parts) for parts in zip(trace, again, likeliest, strict=True)],
        }

    @traitlets.validate("text", "length")
    def _can_be_filled(self, proposal: dict[str, Any]) -> Any:
        name, value = proposal["trait"].name, proposal["value"]
        try:
            self._row(**{"text": "", "length": 1, name: value})
        except ValueError as problem:
            raise traitlets.TraitError(str(problem)) from None
        return value

    def picture(self) -> dict[str, Any]:
        """View of the steps that the settings lead to, computed here."""
        if any(getattr(self, name) != value for name, value in self._last["settings"].items()):
            self._last = self._run()
        steps, name = self._last["steps"], self.vocabulary["pieces"].__getitem__
        inside = slice(1, -1) if self._special else slice(None)
        others = [
            [[(name(i), p) for p, i in beside] for beside in step["others"][inside]]
            for step in steps
        ]
        return refinement_steps(
            [[name(i) for i in step["tokens"][inside]] for step in steps],
            [step["confidence"][inside] for step in steps],
            [step["masked"][inside] for step in steps],
            title=self.view["title"],
            others=others,
        )


def _settings(sampler: Sampler) -> dict[str, Any]:
    """A sampler's settings as the page names them. Errors: ValueError."""
    if not isinstance(sampler, Sampler):
        raise ValueError(f"sampler must be a Sampler; it is {type(sampler).__name__}.")
    schedules = [name for name, function in SCHEDULES.items() if function is sampler.schedule]
    if not schedules:
        raise ValueError(
            "sampler must have one of the schedules linear_remasking, cosine_remasking."
        )
    if sampler.adapts:
        raise ValueError(
            "The page fills a whole line in a number of steps that is given: leave threshold and "
            "block_length out of the sampler."
        )
    return {
        "schedule": schedules[0],
        "temperature": float(sampler.temperature),
        "order": sampler.order,
        "may_remask": sampler.may_remask,
    }


def _told(step: Step, again: Tensor, top: Any) -> dict[str, Any]:
    """A step of one row as the page takes it; others: what else was likely where a token was chosen."""
    likeliest = zip(top.values[0].tolist(), top.indices[0].tolist(), strict=True)
    columns = zip(step.tokens[0].tolist(), step.masked[0].tolist(), likeliest, strict=True)
    others = [
        [[round(p, 4), i] for p, i in zip(*best, strict=True) if i != token][:N_OTHERS]
        if new
        else []
        for token, new, best in columns
    ]
    return {
        "tokens": step.tokens[0].tolist(),
        "confidence": [round(p, 4) for p in step.confidence[0].tolist()],
        "masked": step.masked[0].tolist(),
        "again": again[0].tolist(),
        "others": others,
    }
