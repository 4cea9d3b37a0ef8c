"""The loop."""

import torch
from torch import nn  # noqa: F401 (the answer uses it)
from torch.nn import functional as F  # noqa: F401 (the answer uses it)
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler

from mlm_course.corruption import Corrupted
from mlm_course.exercises.lesson_06.tiny import batch, tiny_model
from mlm_course.models import MaskedLM
from mlm_course.practice.exercise import Exercise, Mistake


class TrainedModel(MaskedLM):
    """A model without a state to compare: `train` is there to change its weights."""

    def state_dict(self, *_, **__):
        """Nothing."""
        return {}


def ask_for_gradients(optimizer: Optimizer, *_) -> None:
    """RuntimeError if there are none when a step comes."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    if not any(p.grad is not None and p.grad.any() for p in parameters):
        raise RuntimeError("optimizer.step() was called, but there are no gradients")


def inputs(g: torch.Generator) -> tuple[MaskedLM, Optimizer, LRScheduler, list[Corrupted]]:
    """A model, SGD or AdamW, as a coin says, learning rates that jump, and four batches (3, 8)."""
    model = tiny_model(g, TrainedModel)
    batches = [batch(g, 3, 8, 0.4) for _ in range(4)]
    optimizer: Optimizer = torch.optim.SGD(model.parameters(), lr=0.2)
    if torch.rand((), generator=g) < 0.5:
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.03)
    optimizer.register_step_pre_hook(ask_for_gradients)
    return model, optimizer, LambdaLR(optimizer, [1.0, 0.2, 2.0, 0.5, 0.1].__getitem__), batches


CLIP = "        nn.utils.clip_grad_norm_(model.parameters(), 1.0)\n"
EACH_ALONE = "for p in model.parameters():\n            nn.utils.clip_grad_norm_([p], 1.0)"

EXERCISE = Exercise(
    minutes=12,
    inputs=inputs,
    exact_types=True,
    hints=(
        "Each batch takes six things: the loss, new gradients, their length, a step, the next "
        "learning rate, old gradients away.",
        "The loss is F.cross_entropy of the hidden tokens' logits and labels[masked]. The gradient "
        "has to be there before it can be shortened, and short before the step.",
        "losses = []\n"
        "for batch in batches:\n"
        "    logits = model(batch.input_ids, None, batch.masked)\n"
        "    loss = F.cross_entropy(logits, batch.labels[batch.masked])\n"
        "    optimizer.zero_grad()\n"
        "    loss.backward()\n"
        "    nn.utils.clip_grad_norm_(model.parameters(), 1.0)\n"
        "    optimizer.step()\n"
        "    scheduler.step()\n"
        "    losses.append(loss.item())\n"
        "return losses",
    ),
    mistakes=(
        Mistake(
            "The first step has the second learning rate: the scheduler went before the optimiser. "
            "First optimizer.step(), then scheduler.step().",
            {
                "optimizer.step()\n        scheduler.step()": "scheduler.step()\n        optimizer.step()"
            },
        ),
        Mistake(
            "Each step has the gradients of the batches before it, too: backward() adds to what is "
            "there. Call optimizer.zero_grad() once a batch.",
            {"        optimizer.zero_grad()\n": ""},
        ),
        Mistake(
            "There are no gradients when optimizer.step() comes: backward() has to come before it, "
            "and zero_grad() must not stand between the two.",
            {"loss.backward()": "loss.backward()\n        model.zero_grad()"},
        ),
        Mistake(
            "The gradient is as long as it was when the step comes: clip_grad_norm_ stands between "
            "backward() and optimizer.step().",
            {CLIP: ""},
        ),
        Mistake(
            "Each weight's gradient was shortened alone. One length is meant, of all numbers together: "
            "clip_grad_norm_(model.parameters(), 1.0), once a batch.",
            {"nn.utils.clip_grad_norm_(model.parameters(), 1.0)": EACH_ALONE},
        ),
        Mistake(
            "Hidden words are all that your model may attend to: `masked` was handed in as the "
            "attention mask, the second argument. Here that is None.",
            {"None, batch.masked": "batch.masked, batch.masked"},
        ),
        Mistake(
            "Hidden words are what your model may not attend to: ~masked was handed in as the "
            "attention mask, the second argument. Here that is None.",
            {"None, batch.masked": "~batch.masked, batch.masked"},
        ),
        Mistake(
            "The weights stay the same from batch to batch: optimizer.step() is missing, or stands "
            "behind the loop instead of in it.",
            {"        optimizer.step()\n": ""},
        ),
        Mistake(
            "The learning rate stays the same from batch to batch: scheduler.step() is missing, or "
            "stands behind the loop instead of in it.",
            {"        scheduler.step()\n": ""},
        ),
        Mistake(
            "The losses are means over all tokens. Only hidden ones have a loss: "
            "model(ids, None, masked) and labels[masked].",
            {
                ", None, batch.masked)": ").flatten(0, 1)",
                "[batch.masked])": ".where(batch.masked, batch.input_ids).flatten())",
            },
        ),
        Mistake(
            "Your targets are what stands in the input now, mostly [MASK]. The true ids are in "
            "labels[masked].",
            {"batch.labels": "batch.input_ids"},
        ),
        Mistake(
            "The losses are sums over the hidden tokens. Take their mean, as F.cross_entropy does "
            "unless told otherwise.",
            {"[batch.masked])": '[batch.masked], reduction="sum")'},
        ),
        Mistake(
            "The training is right, but these are losses computed again *after* the step. Keep "
            "the one from before it: it costs nothing.",
            {
                "losses.append(loss.item())": "logits = model(batch.input_ids, None, batch.masked)\n"
                "        losses.append(F.cross_entropy(logits, batch.labels[batch.masked]).item())"
            },
        ),
    ),
)
