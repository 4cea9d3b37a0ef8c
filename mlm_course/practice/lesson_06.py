"""Lesson 6: MLM pretraining. Tiny models and ready-made batches come in as arguments."""

import warnings

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler

from mlm_course.corruption import MASK_ONLY, Corrupted, DynamicMasking, Masker, corrupt
from mlm_course.models import EncoderConfig, MaskedLM
from mlm_course.practice.exercise import Exercise, Function, Misconception, Question
from mlm_course.training.optim import linear

TITLE = "MLM pretraining"

VOCABULARY = 20  # ids 0 to 4 are special
MASK_ID = 4


def masked_loss(logits: Tensor, ids: Tensor, masked: Tensor) -> Tensor:
    return F.cross_entropy(logits[masked], ids[masked])


def train(
    model: MaskedLM, optimizer: Optimizer, scheduler: LRScheduler, batches: list[Corrupted]
) -> list[float]:
    losses = []
    for ids, labels, masked in batches:
        loss = F.cross_entropy(model(ids, None, masked), labels[masked])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        losses.append(loss.item())
    return losses


def evaluate(model: MaskedLM, data: DynamicMasking, epoch: int) -> tuple[float, float]:
    model.eval()
    loss = right = count = 0.0
    with torch.no_grad():
        for index in torch.arange(len(data)).split(4):
            ids, labels, masked = data(index, 0)
            logits, target = model(ids, None, masked), labels[masked]
            loss += F.cross_entropy(logits, target, reduction="sum").item()
            right += (logits.argmax(-1) == target).sum().item()
            count += len(target)
    model.train()
    return loss / count, right / count


def lr_factor(step: int, steps: int, warmup: int) -> float:
    return linear(step, steps, warmup)


def accumulate(model: MaskedLM, pieces: list[Corrupted]) -> Tensor | None:
    total = sum(piece.masked.sum() for piece in pieces)
    for ids, labels, masked in pieces:
        summed = F.cross_entropy(model(ids, None, masked), labels[masked], reduction="sum")
        (summed / total).backward()
    return model.dense.weight.grad


def replaced_labels(original: Tensor, shown: Tensor, masked: Tensor) -> Tensor:
    return shown != original


class TrainedModel(MaskedLM):
    """A model without a state to compare: `train` is there to change its weights."""

    def state_dict(self, *_, **__):
        """Nothing."""
        return {}


class ModelWithMode(MaskedLM):
    """A model whose state says whether it is in training mode, so that leaving it shows."""

    def get_extra_state(self) -> bool:
        """True in training mode."""
        return self.training


class PieceByPiece(MaskedLM):
    """A model that objects to a backward() through more than one call of it."""

    arrived = 0  # calls whose gradients have come back in this backward()

    def forward(self, *arguments, **options) -> Tensor:
        """Logits that tell when their gradient arrives."""
        logits = super().forward(*arguments, **options)
        if logits.requires_grad:
            logits.register_hook(self._count)
        return logits

    def _count(self, _: Tensor) -> None:
        self.arrived += 1

    def end_of_backward(self, _: Tensor) -> None:
        """RuntimeError if gradients of several calls came back in one go."""
        arrived, self.arrived = self.arrived, 0
        if arrived > 1:
            raise RuntimeError(f"one backward() went through {arrived} pieces at once")


def _config(dropout: float = 0.0) -> EncoderConfig:
    return EncoderConfig(
        VOCABULARY, 10, d_model=12, n_layers=1, n_heads=2, d_ff=16, dropout=dropout
    )


def _stirred(model: MaskedLM, g: torch.Generator) -> MaskedLM:
    """Larger weights than a fresh model's, so that it has opinions and learns in large steps."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=g))
    return model


def _texts(g: torch.Generator, rows: int, length: int) -> Tensor:
    """[CLS], ordinary tokens, [SEP]; no padding."""
    ids = torch.randint(5, VOCABULARY, (rows, length), generator=g)
    ids[:, 0], ids[:, -1] = 2, 3
    return ids


def _hide(ids: Tensor, ratio: float, g: torch.Generator) -> Tensor:
    masked = (torch.rand(ids.shape, generator=g) < ratio) & (ids >= 5)
    masked[0, 1], masked[0, 2] = True, False  # never none, never all
    return masked


def _batch(g: torch.Generator, rows: int, length: int, ratio: float) -> Corrupted:
    ids = _texts(g, rows, length)
    ordinary = torch.arange(5, VOCABULARY)
    masked = _hide(ids, ratio, g)
    return corrupt(ids, masked, g, mask_id=MASK_ID, ordinary_ids=ordinary)


def _logits_and_gaps(g: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Logits (3, 7, 9); the rows hide one, two and four tokens, and some are easier than others."""
    masked = torch.zeros(3, 7, dtype=torch.bool)
    for row, count in enumerate((1, 2, 4)):
        masked[row, torch.randperm(7, generator=g)[:count]] = True
    sharpness = torch.tensor([0.5, 1.0, 3.0])[:, None, None]
    logits = sharpness * torch.randn(3, 7, 9, generator=g)
    return logits, torch.randint(9, (3, 7), generator=g), masked


def _training(
    g: torch.Generator,
) -> tuple[MaskedLM, Optimizer, LRScheduler, list[Corrupted]]:
    """SGD or AdamW, as a coin says, and a learning rate that jumps at each step."""
    model = _stirred(TrainedModel(_config()), g)
    batches = [_batch(g, 3, 8, 0.4) for _ in range(4)]
    optimizer: Optimizer = torch.optim.SGD(model.parameters(), lr=0.2)
    if torch.rand((), generator=g) < 0.5:
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.03)
    optimizer.register_step_pre_hook(_ask_for_gradients)
    return model, optimizer, LambdaLR(optimizer, [1.0, 0.2, 2.0, 0.5, 0.1].__getitem__), batches


def _ask_for_gradients(optimizer: Optimizer, *_) -> None:
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    if not any(p.grad is not None and p.grad.any() for p in parameters):
        raise RuntimeError("optimizer.step() was called, but there are no gradients")


def _evaluation(g: torch.Generator) -> tuple[MaskedLM, DynamicMasking, int]:
    """Ten rows, and a model in training mode whose dropout drops all, so that no chance is in it."""
    model = _stirred(ModelWithMode(_config(dropout=1.0)), g)
    with torch.no_grad():
        model.decoder_bias[5:9] += 3.0  # a few favourites, so that some answers are right
    ids = _texts(g, 10, 9)
    ids[:, 2:6] = torch.randint(5, 9, (10, 4), generator=g)
    masker = Masker(VOCABULARY, range(5), MASK_ID, ratio=0.4, proportions=MASK_ONLY)
    data = DynamicMasking(masker, ids, seed=int(torch.randint(1000, (1,), generator=g)))
    return model, data, int(torch.randint(1, 9, (1,), generator=g))


def _moment(g: torch.Generator) -> tuple[int, int, int]:
    """A step during the warm-up, at its end, right behind it, later, or the last of all."""
    warmup, rest, moment = (
        int(torch.randint(low, high, (1,), generator=g)) for low, high in ((3, 9), (6, 30), (0, 5))
    )
    during = int(torch.randint(warmup - 1, (1,), generator=g))
    later = warmup + 1 + int(torch.randint(rest - 2, (1,), generator=g))
    step = (during, warmup - 1, warmup, later, warmup + rest - 1)[moment]
    return step, warmup + rest, warmup


def _pieces(g: torch.Generator) -> tuple[MaskedLM, list[Corrupted]]:
    sizes = ((2, 6, 0.2), (4, 9, 0.7), (1, 8, 0.4))
    model = _stirred(PieceByPiece(_config()), g)
    model.decoder_bias.register_post_accumulate_grad_hook(model.end_of_backward)
    return model, [_batch(g, *size) for size in sizes]


def _generated(g: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Texts in which a generator filled the gaps, about half of them as they were."""
    original = _texts(g, 3, 11)
    masked = _hide(original, 0.5, g)
    guesses = torch.randint(5, VOCABULARY, (3, 11), generator=g)
    lucky = torch.rand(3, 11, generator=g) < 0.5
    masked[1, 3:5], lucky[1, 3:5] = True, torch.tensor([True, False])
    guesses[1, 4] = 5 + (original[1, 4] - 4) % (VOCABULARY - 5)  # certainly another one
    return original, torch.where(masked & ~lucky, guesses, original), masked


def _losses(logits: Tensor, ids: Tensor) -> Tensor:
    """-log p of every token, (B, T)."""
    return F.cross_entropy(logits.transpose(1, 2), ids, reduction="none")


def _mean_of_rows(logits: Tensor, ids: Tensor, masked: Tensor) -> Tensor:
    return ((_losses(logits, ids) * masked).sum(1) / masked.sum(1)).mean()


def _hidden_loss(model, batch, **options):
    return F.cross_entropy(model(batch[0], None, batch[2]), batch[1][batch[2]], **options)


def _loss_of_all(model, batch):
    ids, labels, masked = batch
    return F.cross_entropy(model(ids).flatten(0, 1), torch.where(masked, labels, ids).flatten())


def _copying_loss(model, batch):
    return F.cross_entropy(model(batch[0], None, batch[2]), batch[0][batch[2]])


def _train_in_order(
    order: str, loss_of: Function = _hidden_loss, again: bool = False, note: Function = Tensor.item
) -> Function:
    """A training loop that does things in another order, or leaves some out."""

    def run(model, optimizer, scheduler, batches):
        warnings.filterwarnings("ignore", "Detected call of `lr_scheduler")  # that is the slip
        losses = []
        for batch in batches:
            loss = loss_of(model, batch)
            act = {
                "clear": optimizer.zero_grad,
                "backward": loss.backward,
                "step": optimizer.step,
                "schedule": scheduler.step,
            }
            for word in order.split():
                act[word]()
            losses.append(note(loss_of(model, batch) if again else loss))
        return losses

    return run


RIGHT_ORDER = "clear backward step schedule"


def _wrong_evaluation(
    dropout: bool = False,
    current: bool = False,
    means: bool = False,
    all_tokens: bool = False,
    whole_only: bool = False,
    stays: bool = False,
) -> Function:
    """An evaluation with one slip or two."""

    def run(model, data, epoch):
        model.train(dropout)
        totals = []
        for index in torch.arange(len(data)).split(4)[: len(data) // 4 if whole_only else None]:
            batch = data(index, epoch if current else 0)
            logits, target = model(batch[0], None, batch[2]), batch[1][batch[2]]
            right = (logits.argmax(-1) == target).sum().item()
            loss = F.cross_entropy(logits, target, reduction="sum").item()
            asked = batch[2].numel() if all_tokens else len(target)
            totals.append((loss, len(target), right, asked))
        model.train(not stays)
        return _mean_of_means(totals) if means else _mean_of_sums(totals)

    return run


def _scaled_evaluation(change: Function) -> Function:
    """change(loss, accuracy, number of hidden tokens) -> what is returned."""

    def run(model, data, epoch):
        count = data(torch.arange(len(data)), 0).masked.sum().item()
        return change(*evaluate(model, data, epoch), count)

    return run


def _mean_of_sums(totals):
    loss, count, right, asked = (sum(column) for column in zip(*totals, strict=True))
    return loss / count, right / asked


def _mean_of_means(totals):
    each = [_mean_of_sums([batch]) for batch in totals]
    return tuple(sum(column) / len(column) for column in zip(*each, strict=True))


def _climb(step: int, warmup: int) -> float:
    return min(1.0, (step + 1) / (warmup + 1))


def _fall(step: int, steps: int, warmup: int) -> float:
    return min(1.0, (steps - step) / (steps - warmup))


def _wrong_factor(climb: Function = _climb, fall: Function = _fall) -> Function:
    return lambda step, steps, warmup: climb(step, warmup) * fall(step, steps, warmup)


def _wrong_accumulation(divisor: Function, clear: bool = False) -> Function:
    """divisor(piece, pieces): by what the sum of a piece's losses is divided."""

    def run(model, pieces):
        for piece in pieces:
            if clear:
                model.zero_grad()
            (_hidden_loss(model, piece, reduction="sum") / divisor(piece, pieces)).backward()
        return model.dense.weight.grad

    return run


def _all_in_one(divisor: Function) -> Function:
    """One backward() for all pieces."""

    def run(model, pieces):
        losses = [_hidden_loss(model, piece, reduction="sum") for piece in pieces]
        (sum(losses) / divisor(pieces[0], pieces)).backward()
        return model.dense.weight.grad

    return run


def _growing_sum(model, pieces):
    loss = torch.zeros(())
    for piece in pieces:
        loss = loss + _hidden_loss(model, piece, reduction="sum") / _whole_count(piece, pieces)
        loss.backward(retain_graph=True)
    return model.dense.weight.grad


def _own_count(piece, pieces):
    return piece.masked.sum()


def _whole_count(piece, pieces):
    return sum(one.masked.sum() for one in pieces)


MODE = "The model stays in evaluation mode, and training would go on without dropout: end with "
MODE += "model.train()."
SLIPS = {
    "dropout": "Dropout was on: an evaluation begins with model.eval().",
    "current": "The masks change with the epoch, so two evaluations cannot be compared: ask for the "
    "masks of epoch 0, whatever `epoch` is.",
    "means": "You took the mean of the batches' means, and so the tokens of the small last batch "
    "count for more. Add up losses and right answers over all batches and divide once, by the "
    "number of hidden tokens.",
    "all_tokens": "The loss is right, but the accuracy was divided by the number of all tokens. Only "
    "hidden ones were asked: divide by their number.",
    "whole_only": "The last batch, with fewer than 4 rows, was left out.",
}


EXERCISES = (
    Exercise(
        id="6.1",
        minutes=8,
        prompt="The loss",
        reference=masked_loss,
        inputs=_logits_and_gaps,
        hints=(
            "Keep the hidden places first. What is left is a list of n guesses, each of them V "
            "numbers, and n true ids.",
            "logits[masked] is (n, V) and ids[masked] is (n,). log_softmax over the last axis; then "
            "take, from each line, the entry of the true id.",
            "log_p = logits[masked].log_softmax(-1); return -log_p.gather(1, "
            "ids[masked][:, None]).mean()",
        ),
        misconceptions=(
            Misconception(
                lambda z, i, h: _losses(z, i).mean(),
                "This is the mean over all tokens. The visible ones can be copied and drown what is to "
                "be learnt: hidden tokens only.",
            ),
            Misconception(
                lambda z, i, h: F.cross_entropy(z[~h], i[~h]),
                "This is the loss of the visible tokens. `masked` is True at those that are to be "
                "guessed.",
            ),
            Misconception(
                lambda z, i, h: (_losses(z, i) * h).mean(),
                "The sum is right, but it is not divided by the number of hidden tokens, masked.sum().",
                also=(
                    lambda z, i, h: F.cross_entropy(z[h], i[h], reduction="sum"),
                    lambda z, i, h: F.cross_entropy(z[h], i[h], reduction="sum") / len(z),
                ),
            ),
            Misconception(
                lambda z, i, h: (_losses(z, i)[..., None] * h).sum() / h.sum(),
                "After gather every loss has an axis of 1 left, and (B, T, 1) does not go with (B, T). "
                "Take that axis off before you multiply: [..., 0].",
            ),
            Misconception(
                _mean_of_rows,
                "You took a mean for each row and the mean of these. Rows hide different numbers of "
                "tokens, and each token should count the same: one mean over all hidden tokens.",
            ),
            Misconception(
                lambda z, i, h: F.nll_loss(z.log_softmax(1)[h], i[h]),
                "Your softmax does not run over the vocabulary. The probabilities of *one* token add up "
                "to 1 over the last axis: log_softmax(-1).",
                also=(
                    lambda z, i, h: F.nll_loss(z.log_softmax(0)[h], i[h]),
                    lambda z, i, h: F.nll_loss(z[h].log_softmax(0), i[h]),
                ),
            ),
            Misconception(
                lambda z, i, h: -F.cross_entropy(z[h], i[h]),
                "The sign is wrong: log p is negative, the loss is -log p.",
            ),
            Misconception(
                lambda z, i, h: -F.nll_loss(z[h].softmax(-1), i[h]),
                "The logarithm is missing: the loss of a token is -log p, not p or -p. (F.nll_loss "
                "expects log probabilities.)",
                also=(
                    lambda z, i, h: F.nll_loss(z[h].softmax(-1), i[h]),
                    lambda z, i, h: 1 + F.nll_loss(z[h].softmax(-1), i[h]),
                ),
            ),
            Misconception(
                lambda z, i, h: F.cross_entropy(z[h].softmax(-1), i[h]),
                "Softmax was applied twice: F.cross_entropy takes logits and applies it itself.",
            ),
            Misconception(
                lambda z, i, h: -F.nll_loss(z[h], i[h]),
                "The logits of the true tokens were taken as they are. First turn them into log "
                "probabilities: log_softmax(-1).",
                also=(lambda z, i, h: F.nll_loss(z[h], i[h]),),
            ),
        ),
    ),
    Exercise(
        id="6.2",
        minutes=10,
        prompt="The loop",
        reference=train,
        inputs=_training,
        plain_numbers=True,
        hints=(
            "Each batch takes five things: the loss, old gradients away, new gradients, a step, the "
            "next learning rate.",
            "The loss is F.cross_entropy(model(ids, None, masked), labels[masked]). Then zero_grad, "
            "backward, optimizer.step, scheduler.step, in this order.",
            "optimizer.zero_grad(); loss.backward(); optimizer.step(); scheduler.step(); "
            "losses.append(loss.item())",
        ),
        misconceptions=(
            Misconception(
                _train_in_order("clear backward schedule step"),
                "The scheduler goes before the optimiser, so the first learning rate is never used. "
                "First optimizer.step(), then scheduler.step().",
            ),
            Misconception(
                _train_in_order("backward step schedule"),
                "Gradients are never cleared: backward() adds to what is there. Call "
                "optimizer.zero_grad() once a batch.",
            ),
            Misconception(
                _train_in_order("backward clear step schedule"),
                "There are no gradients when optimizer.step() comes: backward() has to come before it, "
                "and zero_grad() must not stand between the two.",
            ),
            Misconception(
                _train_in_order("clear backward schedule"),
                "The weights stay the same from batch to batch: optimizer.step() is missing, or stands "
                "behind the loop instead of in it.",
            ),
            Misconception(
                _train_in_order("clear backward step"),
                "The learning rate stays the same from batch to batch: scheduler.step() is missing, or "
                "stands behind the loop instead of in it.",
            ),
            Misconception(
                _train_in_order(RIGHT_ORDER, _loss_of_all),
                "Your loss looks at all tokens. Ask for the hidden ones only: model(ids, None, masked) "
                "and labels[masked].",
            ),
            Misconception(
                _train_in_order(RIGHT_ORDER, _copying_loss),
                "Your targets are what stands in the input now, mostly [MASK]. The true ids are in "
                "labels[masked].",
            ),
            Misconception(
                _train_in_order(
                    RIGHT_ORDER, lambda model, batch: _hidden_loss(model, batch, reduction="sum")
                ),
                "Your loss is the sum over the hidden tokens. Take their mean, as F.cross_entropy does "
                "unless told otherwise.",
            ),
            Misconception(
                _train_in_order(RIGHT_ORDER, again=True),
                "You trained well, but wrote down losses that were computed again *after* the step. "
                "Keep the one from before it: it costs nothing.",
            ),
            Misconception(
                _train_in_order(RIGHT_ORDER, note=lambda loss: loss),
                "The training is right, but you collected tensors. They may hold on to all that led to "
                "them, and in a long run that fills the memory: loss.item() is the number alone.",
            ),
        ),
    ),
    Exercise(
        id="6.3",
        minutes=15,
        prompt="Evaluation",
        reference=evaluate,
        inputs=_evaluation,
        plain_numbers=True,
        hints=(
            "Before the loop: which mode? In the loop: which masks? After the loop: divide by what?",
            "model.eval() and torch.no_grad(); data(index, 0); add up the losses "
            "(reduction='sum'), the right answers and the hidden tokens; divide once; "
            "model.train().",
            "logits, target = model(ids, None, masked), labels[masked]; loss += "
            "F.cross_entropy(logits, target, reduction='sum').item(); right += (logits.argmax(-1) "
            "== target).sum().item(); count += len(target)",
        ),
        misconceptions=(
            *(
                Misconception(
                    _wrong_evaluation(**{slip: True}),
                    SLIPS[slip],
                    also=(_wrong_evaluation(stays=True, **{slip: True}),),
                )
                for slip in SLIPS
            ),
            Misconception(_wrong_evaluation(stays=True), f"The numbers are right. {MODE}"),
            Misconception(
                _wrong_evaluation(dropout=True, current=True),
                f"{SLIPS['dropout']} {SLIPS['current']}",
            ),
            Misconception(
                _scaled_evaluation(lambda loss, accuracy, n: (loss, accuracy * n)),
                "The second number is a count of right answers. An accuracy is a share: divide it by "
                "the number of hidden tokens.",
                also=(_scaled_evaluation(lambda loss, accuracy, n: (loss * n, accuracy * n)),),
            ),
            Misconception(
                _scaled_evaluation(lambda loss, accuracy, n: (loss * n, accuracy)),
                "The first number is the sum of the losses. Divide it by the number of hidden tokens.",
            ),
            Misconception(
                _scaled_evaluation(lambda loss, accuracy, n: (accuracy, loss)),
                "Right numbers in the wrong order: the loss comes first, then the accuracy.",
            ),
        ),
    ),
    Exercise(
        id="6.4",
        minutes=6,
        prompt="Warm-up and decay",
        reference=lr_factor,
        inputs=_moment,
        trials=16,
        hints=(
            "Two cases: still climbing (step < warmup), or on the way down.",
            "Climbing: stair number step + 1 of warmup + 1. Down: how many steps are left, out of how "
            "many behind the warm-up?",
            "if step < warmup: return (step + 1) / (warmup + 1); return (steps - step) / (steps - "
            "warmup)",
        ),
        misconceptions=(
            Misconception(
                _wrong_factor(lambda s, w: min(1.0, s / w)),
                "The first step has the factor 0 and is lost. Count the stairs from 1: "
                "(step + 1) / (warmup + 1).",
            ),
            Misconception(
                _wrong_factor(lambda s, w: s / (w + 1) if s < w else 1.0),
                "You counted the stairs from 0, so the first step is lost. The first one is step + 1.",
            ),
            Misconception(
                _wrong_factor(lambda s, w: min(1.0, (s + 1) / w)),
                "The climb reaches 1 one step too early. All `warmup` steps lie below 1: divide by "
                "warmup + 1.",
            ),
            Misconception(
                _wrong_factor(lambda s, w: 1.0),
                "There is no warm-up: during the first `warmup` steps the factor climbs.",
            ),
            Misconception(
                _wrong_factor(lambda s, w: (s + 1) / (w + 1)),
                "The climb goes on behind the warm-up. It ends at 1.",
            ),
            Misconception(
                _wrong_factor(fall=lambda s, n, w: 1.0),
                "There is no way down: behind the warm-up the factor falls in a straight line.",
            ),
            Misconception(
                _wrong_factor(fall=lambda s, n, w: 1 - s / n if s >= w else 1.0),
                "Your way down begins at step 0, so the factor jumps where the warm-up ends. Measure it "
                "from there: (steps - step) / (steps - warmup).",
            ),
            Misconception(
                _wrong_factor(fall=lambda s, n, w: 1 - s / n),
                "Your way down begins at step 0 and lowers the warm-up too. Measure it from the end of "
                "the warm-up: (steps - step) / (steps - warmup).",
            ),
            Misconception(
                _wrong_factor(fall=lambda s, n, w: 1 - max(0, s - w) / n),
                "The line does not reach down to 0: it has steps - warmup steps for its way, not "
                "`steps`.",
            ),
            Misconception(
                _wrong_factor(fall=lambda s, n, w: min(1.0, (n - 1 - s) / (n - 1 - w))),
                "The last step, number steps - 1, has the factor 0 and is lost. 0 is for step number "
                "`steps`, which does not come any more.",
            ),
            Misconception(
                _wrong_factor(fall=lambda s, n, w: (n - s) / (n - w)),
                "During the warm-up the way down counts already, with a factor above 1. It begins "
                "behind the warm-up.",
            ),
            Misconception(
                _wrong_factor(
                    lambda s, w: min(1, (s + 1) // (w + 1)),
                    lambda s, n, w: min(1, (n - s) // (n - w)),
                ),
                "`//` divides integers and throws the rest away, so the factor is 0 nearly "
                "everywhere. Use `/`.",
            ),
        ),
    ),
    Exercise(
        id="6.5",
        minutes=15,
        prompt="A big batch in pieces",
        reference=accumulate,
        inputs=_pieces,
        hints=(
            "The mean of the big batch is one sum over all hidden tokens, divided by their number. A "
            "sum can be taken piece by piece.",
            "Count the hidden tokens of all pieces first. backward() adds to the gradients that are "
            "there: one call for each piece, nothing cleared in between.",
            "total = sum(piece.masked.sum() for piece in pieces); for each piece: "
            "(F.cross_entropy(..., reduction='sum') / total).backward()",
        ),
        misconceptions=(
            Misconception(
                _wrong_accumulation(lambda piece, pieces: piece.masked.sum() * len(pieces)),
                "Each piece went in with its own mean: a token in a piece with few gaps counts for "
                "more. Add up sums, and divide by the number of hidden tokens of *all* pieces.",
                also=(
                    _wrong_accumulation(
                        lambda piece, pieces: piece.masked.sum() * _whole_count(piece, pieces)
                    ),
                ),
            ),
            Misconception(
                _wrong_accumulation(_own_count),
                "You added up the pieces' means: the gradient grows with the number of pieces. Add up "
                "sums, and divide by the number of hidden tokens of *all* pieces.",
            ),
            Misconception(
                _wrong_accumulation(lambda piece, pieces: 1),
                "The sum is right, but it is not divided yet: by the number of hidden tokens of all "
                "pieces.",
            ),
            Misconception(
                _wrong_accumulation(
                    lambda piece, pieces: sum(one.masked.numel() for one in pieces)
                ),
                "You divided by the number of all tokens. Only the hidden ones have a loss: divide by "
                "their number.",
            ),
            Misconception(
                _wrong_accumulation(lambda piece, pieces: sum(len(one.masked) for one in pieces)),
                "You divided by the number of rows. Divide by the number of hidden tokens.",
            ),
            Misconception(
                _wrong_accumulation(lambda piece, pieces: len(pieces)),
                "You divided by the number of pieces. Divide by the number of hidden tokens of all "
                "pieces.",
            ),
            Misconception(
                _wrong_accumulation(_whole_count, clear=True),
                "Only the last piece is left: the gradients were cleared between the pieces. Here they "
                "should add up.",
            ),
            Misconception(
                _wrong_accumulation(_own_count, clear=True),
                "These are the gradients of the last piece's own mean. Do not clear between the pieces, "
                "and divide by the number of hidden tokens of all of them.",
            ),
            Misconception(
                _all_in_one(_whole_count),
                "One backward() for all pieces holds everything in memory at once, as the large batch "
                "would. Call it for each piece, as soon as its loss is there.",
            ),
            Misconception(
                _growing_sum,
                "Your backward() goes through earlier pieces again, and their gradients count more than "
                "once. Call it on each piece's own loss, not on the running sum.",
            ),
        ),
    ),
    Exercise(
        id="6.6",
        minutes=3,
        prompt="ELECTRA's labels",
        reference=replaced_labels,
        inputs=_generated,
        hints=(
            "The generator may have guessed right. Can anyone tell such a token from one that was "
            "never hidden?",
            "Compare the text that is shown with the original, place by place.",
            "return shown != original",
        ),
        misconceptions=(
            Misconception(
                lambda o, s, h: h.clone(),
                "You marked every hidden token. Where the generator guessed right, the token is the "
                "original, and no discriminator could tell: compare `shown` with `original`.",
            ),
            Misconception(
                lambda o, s, h: s == o,
                "Inverted: True means replaced.",
            ),
            Misconception(
                lambda o, s, h: h & (s == o),
                "These are the lucky guesses. Replaced are the tokens that differ from the original.",
            ),
            Misconception(
                lambda o, s, h: s == MASK_ID,
                "You looked for [MASK]. There is none: the generator has filled every gap.",
            ),
            Misconception(
                lambda o, s, h: (s != o)[h],
                "You asked about the hidden places only. ELECTRA asks about every token, (B, T): that "
                "is why it learns from each of them.",
            ),
            Misconception(
                lambda o, s, h: (s != o).long().masked_fill(~h, -100),
                "You left the visible tokens out with -100. ELECTRA asks about every token: there the "
                "answer is False.",
            ),
        ),
    ),
)

QUIZ = (
    Question(
        id="6.q1",
        prompt="Why does the loss look at hidden tokens only?",
        options=(
            (
                "Visible tokens stand in the input: naming them only takes copying.",
                "A mean over all tokens would be low without any knowledge of the language.",
            ),
            (
                "The model computes nothing at visible places.",
                "It computes a vector for every token; hidden ones need the visible ones' vectors.",
            ),
            (
                "Visible tokens have no true id.",
                "They have one, and it is known. It is just no question worth asking.",
            ),
        ),
        answer=0,
    ),
    Question(
        id="6.q2",
        prompt="A model has a perplexity of 10. What does that say?",
        options=(
            (
                "One answer in ten is right.",
                "Perplexity does not say how often the best guess hits.",
            ),
            ("It is ten times better than chance.", "Chance is the vocabulary's size, not 1."),
            (
                "On average it is as unsure as if ten words were equally likely.",
                "exp(loss) = 10, and -log(1/10) is the same loss.",
            ),
            ("Its loss is 10 nats.", "Its loss is log 10, about 2.3 nats."),
        ),
        answer=2,
    ),
    Question(
        id="6.q3",
        prompt="You try ten learning rates, keep the one with the lowest loss on the test set, and "
        "report that loss. What is wrong?",
        options=(
            (
                "Nothing: the model never trained on the test set.",
                "But you did the choosing on it, and the luckiest of ten looks better than it is.",
            ),
            (
                "The test set helped to choose, so its loss is too good.",
                "Choose on the validation set, then look at the test set once.",
            ),
            (
                "It should have been the lowest training loss.",
                "That favours whichever run learnt its rows by heart.",
            ),
        ),
        answer=1,
    ),
    Question(
        id="6.q4",
        prompt="When does static masking (one copy) hurt most against dynamic masking?",
        options=(
            ("With much text and one epoch.", "Then each row is seen once, and both are the same."),
            (
                "With a large batch.",
                "How many rows share a step changes nothing about their masks.",
            ),
            (
                "With little text and many epochs.",
                "The same gaps come back again and again, and are learnt by heart.",
            ),
        ),
        answer=2,
    ),
    Question(
        id="6.q5",
        prompt="On many sentences of tinyworld a model's loss is .05 nats above the floor. What is this "
        "gap?",
        options=(
            (
                "What the model does not know yet about the language.",
                "The floor is the loss of the exact probabilities. All above it is the model's own.",
            ),
            (
                "The randomness of the language.",
                "That is the floor itself: even who knows the language perfectly has that loss.",
            ),
            (
                "Bad luck in the choice of sentences.",
                "On few sentences it might be. On many, luck evens out.",
            ),
        ),
        answer=0,
    ),
    Question(
        id="6.q6",
        prompt="A token is visible, and the loss looks at hidden tokens only. Does the token's embedding "
        "get a gradient?",
        options=(
            (
                "No: its own logits are not in the loss.",
                "They are not. But its vector is in the logits of others.",
            ),
            (
                "Yes: through attention it is part of what hidden tokens are guessed from.",
                "This is how the model learns to use the words that it sees.",
            ),
            (
                "Only if it is left unchanged by 80 / 10 / 10.",
                "Then it would be one of the hidden ones, with a loss of its own.",
            ),
        ),
        answer=1,
    ),
)
