"""Evaluation."""

import torch
from torch import Tensor
from torch.nn import functional as F

from mlm_course.corruption import MASK_ONLY, DynamicMasking, Masker
from mlm_course.exercises.lesson_06.tiny import MASK_ID, VOCABULARY, texts, tiny_model
from mlm_course.models import MaskedLM
from mlm_course.practice.exercise import Exercise, Mistake


class ModelWithMode(MaskedLM):
    """A model whose state says whether it is in training mode, and that objects to gradients."""

    def forward(self, *arguments, **options) -> Tensor:
        """Logits; RuntimeError where `backward` could begin."""
        if torch.is_grad_enabled():
            raise RuntimeError("the model was called while gradients are on")
        return super().forward(*arguments, **options)

    def get_extra_state(self) -> bool:
        """True in training mode."""
        return self.training


def inputs(g: torch.Generator) -> tuple[MaskedLM, DynamicMasking, int]:
    """Ten rows, and a model in training mode whose dropout drops all, so that no chance is in it."""
    model = tiny_model(g, ModelWithMode, dropout=1.0)
    with torch.no_grad():
        model.decoder_bias[5:9] += 3.0  # a few favourites, so that some answers are right
    ids = texts(g, 10, 9)
    ids[:, 2:6] = torch.randint(5, 9, (10, 4), generator=g)
    masker = Masker(VOCABULARY, range(5), MASK_ID, ratio=0.4, proportions=MASK_ONLY)
    data = DynamicMasking(masker, ids, seed=int(torch.randint(1000, (1,), generator=g)))
    return model, data, int(torch.randint(1, 9, (1,), generator=g))


def mean_of_means(model, data, epoch):
    """The mean over batches of each batch's mean."""
    model.eval()
    pairs = []
    with torch.no_grad():
        for index in torch.arange(len(data)).split(4):
            batch = data(index, 0)
            logits, target = model(batch.input_ids, None, batch.masked), batch.labels[batch.masked]
            right = (logits.argmax(-1) == target).double().mean().item()
            pairs.append((F.cross_entropy(logits, target).item(), right))
    model.train()
    return tuple(sum(column) / len(column) for column in zip(*pairs, strict=True))


def mean_of_means_in_evaluation_mode(model, data, epoch):
    """The same, and the model stays in evaluation mode."""
    result = mean_of_means(model, data, epoch)
    model.eval()
    return result


def accuracies_averaged(model, data, epoch):
    """The loss as it should be, and the mean over batches of each batch's accuracy."""
    model.eval()
    losses, accuracies = [], []
    with torch.no_grad():
        for index in torch.arange(len(data)).split(4):
            batch = data(index, 0)
            logits, target = model(batch.input_ids, None, batch.masked), batch.labels[batch.masked]
            losses += F.cross_entropy(logits, target, reduction="none").tolist()
            accuracies.append((logits.argmax(-1) == target).double().mean().item())
    model.train()
    return sum(losses) / len(losses), sum(accuracies) / len(accuracies)


STAYS = {"    model.train()\n": ""}
DROPOUT = {"model.eval()": "model.train()"}
CURRENT = {"data(index, 0)": "data(index, epoch)"}
ALL_TOKENS = {"right / count": "right / (len(data) * data.ids.shape[1])"}
WHOLE_ONLY = {".split(4):": ".split(4)[: len(data) // 4]:"}

SUM_OF_MEANS = {', reduction="sum"': ""}
MEAN_OF_BATCHES = {"loss / count, right / count": "loss / 3, right / count"}

EXERCISE = Exercise(
    minutes=15,
    inputs=inputs,
    exact_types=True,
    hints=(
        "Before the loop: which mode, and what is switched off? In the loop: which masks? After the "
        "loop: divide by what?",
        "Add up three things over all batches: losses (reduction='sum'), right answers and hidden "
        "tokens. The last batch needs no case of its own.",
        "model.eval()\n"
        "loss, right, count = 0.0, 0, 0\n"
        "with torch.no_grad():\n"
        "    for index in torch.arange(len(data)).split(4):\n"
        "        batch = data(index, 0)\n"
        "        logits = model(batch.input_ids, None, batch.masked)\n"
        "        target = batch.labels[batch.masked]\n"
        "        loss += F.cross_entropy(logits, target, reduction='sum').item()\n"
        "        right += (logits.argmax(-1) == target).sum().item()\n"
        "        count += len(target)\n"
        "model.train()\n"
        "return loss / count, right / count",
    ),
    mistakes=(
        Mistake(
            "Gradients are on while the model runs (rule 2): the whole loop belongs under "
            "`with torch.no_grad():`.",
            {"torch.no_grad()": "torch.enable_grad()"},
        ),
        Mistake(
            "Dropout was on: an evaluation begins with model.eval().",
            DROPOUT,
            DROPOUT | {"    model.train()\n    return": "    model.eval()\n    return"},
        ),
        Mistake(
            "The masks change with the epoch, so two evaluations cannot be compared: ask for the "
            "masks of epoch 0, whatever `epoch` is.",
            CURRENT,
            CURRENT | STAYS,
        ),
        Mistake(
            "These are means of the batches' means, and so the tokens of the small last batch count "
            "for more. Add up losses and right answers over all batches and divide once, by the "
            "number of hidden tokens.",
            mean_of_means,
            mean_of_means_in_evaluation_mode,
        ),
        Mistake(
            "The loss is right. The accuracy is a mean of the batches' accuracies, and rule 3 holds "
            "for it, too: add up right answers and divide once.",
            accuracies_averaged,
        ),
        Mistake(
            "The loss is right, but the accuracy was divided by the number of all tokens. Only hidden "
            "ones were asked: divide by their number.",
            ALL_TOKENS,
            ALL_TOKENS | STAYS,
        ),
        Mistake(
            "Both numbers were divided by the number of rows. The mean is over hidden tokens: divide "
            "by their number.",
            {"loss / count, right / count": "loss / len(data), right / len(data)"},
        ),
        Mistake(
            "Both numbers were divided by the number of all tokens. Only hidden ones were asked: "
            "divide by their number.",
            {
                "loss / count, right / count": "loss / data.ids.numel(), right / data.ids.numel()",
            },
        ),
        Mistake(
            "The accuracy is right. The loss is a mean of the batches' means; add up the losses of all "
            "tokens and divide once.",
            SUM_OF_MEANS | {"loss / count": "loss / 3"},
        ),
        Mistake(
            "The accuracy is right. The loss adds up the batches' means and divides by tokens: add up "
            "the losses of tokens, reduction='sum'.",
            SUM_OF_MEANS,
        ),
        Mistake(
            "The accuracy is right. The loss is a sum over tokens, divided by the number of batches: "
            "divide it by the number of hidden tokens, too.",
            MEAN_OF_BATCHES,
        ),
        Mistake(
            "The last batch, with fewer than 4 rows, was left out.",
            WHOLE_ONLY,
            WHOLE_ONLY | STAYS,
        ),
        Mistake(
            "The numbers are right. The model stays in evaluation mode, and training would go on "
            "without dropout: end with model.train().",
            STAYS,
        ),
        Mistake(
            "Dropout was on: an evaluation begins with model.eval(). The masks change with the epoch, "
            "so two evaluations cannot be compared: ask for the masks of epoch 0, whatever `epoch` is.",
            DROPOUT | CURRENT,
        ),
        Mistake(
            "The second number is a count of right answers. An accuracy is a share: divide it by the "
            "number of hidden tokens.",
            {"right / count": "right"},
            {"loss / count, right / count": "loss, right"},
        ),
        Mistake(
            "The first number is the sum of the losses. Divide it by the number of hidden tokens.",
            {"loss / count": "loss"},
        ),
        Mistake(
            "Right numbers in the wrong order: the loss comes first, then the accuracy.",
            {"loss / count, right / count": "right / count, loss / count"},
        ),
    ),
)
