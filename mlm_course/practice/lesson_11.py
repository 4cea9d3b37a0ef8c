"""Lesson 11: Mask-Predict. Lengths, hiding for training, which words are opened again, the loop."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from mlm_course.corpora.two_modes import chance_of_right
from mlm_course.corruption.strategies import lowest
from mlm_course.decoding import MASK_PREDICT, choose_tokens, n_open, refine
from mlm_course.decoding import mean_log_probability as package_score
from mlm_course.practice.exercise import Exercise, Function, Misconception, Question

TITLE = "Mask-Predict: writing in parallel"

PAD_ID, MASK_ID = 0, 4
VOCABULARY = 12
Predict = Callable[[Tensor], Tensor]


class Stub:
    """A small model whose answers depend on everything on the canvas: (B, N) -> logits (B, N, V)."""

    def __init__(self, g: torch.Generator) -> None:
        self.words = torch.randn(VOCABULARY, 8, generator=g)
        self.places = torch.randn(16, 8, generator=g)
        self.back = 2 * torch.randn(8, VOCABULARY, generator=g)

    def __call__(self, canvas: Tensor) -> Tensor:
        x = self.words[canvas] + self.places[: canvas.shape[1]]
        scores = (x + 2 * x.mean(1, keepdim=True)).tanh() @ self.back
        return scores.index_fill(-1, torch.arange(5), -math.inf)


def mixed(p: Tensor, answers: Tensor) -> float:
    return chance_of_right(p, answers)


def hide_for_training(target: Tensor, share: Tensor, noise: Tensor) -> Tensor:
    real = target != PAD_ID
    n = 1 + (share * real.sum(1)).long()
    return lowest(noise.masked_fill(~real, math.inf), n)


def decoder_sees(target: Tensor) -> Tensor:
    B, T = target.shape
    return (target != PAD_ID)[:, None].expand(B, T, T)


def best_lengths(scores: Tensor, n: int) -> tuple[Tensor, Tensor]:
    is_zero = torch.arange(scores.shape[1]) == 0
    best = scores.masked_fill(is_zero, -math.inf).log_softmax(-1).topk(n)
    return best.indices, best.values


def to_remask(confidence: Tensor, real: Tensor, done: int, steps: int) -> Tensor:
    return lowest(confidence.masked_fill(~real, math.inf), n_open(real, done, steps, MASK_PREDICT))


def fill(
    predict: Predict, tokens: Tensor, confidence: Tensor, masked: Tensor
) -> tuple[Tensor, Tensor]:
    chosen, p = choose_tokens(predict(tokens.masked_fill(masked, MASK_ID)), 0.0)
    return torch.where(masked, chosen, tokens), torch.where(masked, p, confidence)


def mask_predict(predict: Predict, real: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    canvas = torch.where(real, MASK_ID, PAD_ID)
    last = refine(predict, canvas, real, MASK_ID, steps)[-1]
    return last.tokens, torch.where(real, last.confidence, 1.0)


def best_candidate(confidence: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
    scores = package_score(confidence.flatten(0, 1), real.flatten(0, 1)).view(real.shape[:2])
    return scores.argmax(1), scores


def _answers(g: torch.Generator) -> tuple[Tensor, Tensor]:
    """Three answers of five words with unequal chances; some words stand in two of them."""
    p = torch.tensor([0.5, 0.3, 0.2]) + 0.06 * (torch.rand(3, generator=g) - 0.5)
    answers = torch.stack([torch.randperm(VOCABULARY - 5, generator=g)[:5] + 5 for _ in range(3)])
    answers[1, :2], answers[2, 3] = answers[0, :2], answers[0, 3]
    return p / p.sum(), answers


def _targets(g: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    target = torch.randint(5, VOCABULARY, (4, 9), generator=g)
    target = target.masked_fill(torch.arange(9) >= torch.tensor([[9], [6], [7], [5]]), PAD_ID)
    share = torch.tensor([0.5, 0.97, 0.02, 0.7]) + 0.02 * torch.rand(4, generator=g)
    return target, share, torch.rand(4, 9, generator=g)


def _canvas(g: torch.Generator) -> tuple[Tensor]:
    target, _, noise = _targets(g)
    masked = (noise < 0.4) & (target != PAD_ID)
    masked[:, 1] = True
    return (target.masked_fill(masked, MASK_ID),)


def _length_scores(g: torch.Generator) -> tuple[Tensor, int]:
    scores = torch.randn(3, 8, generator=g)
    scores[:2, 0] = scores.max() + 1
    return scores, 3


def _confidences(g: torch.Generator) -> tuple[Tensor, Tensor, int, int]:
    real = torch.arange(11) < torch.tensor([[11], [7], [4]])
    confidence = torch.rand(3, 11, generator=g) * 0.9 + 0.05
    steps = int(torch.randint(5, 8, (), generator=g))
    return confidence * real, real, int(torch.randint(2, steps - 1, (), generator=g)), steps


def _last_step(g: torch.Generator) -> tuple[Tensor, Tensor, int, int]:
    confidence, real, _, _ = _confidences(g)
    return confidence, real, 6, 7


def _remaskings(g: torch.Generator) -> tuple[Tensor, Tensor, int, int]:
    """Every third trial, roughly, is a last step, at which short rows still open one place."""
    return (_last_step if torch.rand((), generator=g) < 0.34 else _confidences)(g)


def _half_filled(g: torch.Generator) -> tuple[Predict, Tensor, Tensor, Tensor]:
    tokens = torch.randint(5, VOCABULARY, (2, 9), generator=g)
    confidence = torch.rand(2, 9, generator=g) * 0.5 + 0.2
    masked = torch.rand(2, 9, generator=g).argsort(1) < 4
    return Stub(g), tokens, confidence, masked


def _empty_canvas(g: torch.Generator) -> tuple[Predict, Tensor, int]:
    steps = int(torch.randint(3, 10, (), generator=g))
    return Stub(g), torch.arange(11) < torch.tensor([[11], [9], [4]]), steps


def _candidates(g: torch.Generator) -> tuple[Tensor, Tensor]:
    """Candidates of several lengths for each of four sources."""
    real = torch.arange(9) < torch.tensor([[4, 6, 9], [5, 7, 8], [3, 6, 7], [4, 5, 9]])[..., None]
    return torch.where(real, torch.rand(4, 3, 9, generator=g) * 0.9 + 0.05, 1.0), real


def _changed_mixed(combine: Function, weights: Function = lambda p: p) -> Function:
    """`mixed` with another way to combine the chances (M, L), or to weight the answers."""

    def run(p: Tensor, answers: Tensor) -> float:
        rows = torch.stack([(answers == one).float() for one in answers])  # (M, M, L)
        chances = torch.einsum("m,kml->kl", weights(p), rows)
        return float(combine(chances, p))

    return run


def _changed_hide(n: Function, largest: bool = False, padding: bool = False) -> Function:
    """`hide_for_training` with another count, or other places."""

    def run(target: Tensor, share: Tensor, noise: Tensor) -> Tensor:
        real = target != PAD_ID
        order = -noise if largest else noise
        if not padding:
            order = order.masked_fill(~real, math.inf)
        return lowest(order, n(share, real))

    return run


def _drawn_apart(target: Tensor, share: Tensor, noise: Tensor) -> Tensor:
    return (noise < share[:, None]) & (target != PAD_ID)


def _sees(change: Function) -> Function:
    """`decoder_sees`, changed: change(mask (B, T, T), target) -> mask."""
    return lambda target: change(decoder_sees(target), target)


def _with_zero(scores: Tensor, n: int) -> tuple[Tensor, Tensor]:
    best = scores.log_softmax(-1).topk(n)
    return best.indices, best.values


def _shifted(scores: Tensor, n: int) -> tuple[Tensor, Tensor]:
    best = scores[:, 1:].log_softmax(-1).topk(n)
    return best.indices, best.values


def _not_renormalised(scores: Tensor, n: int) -> tuple[Tensor, Tensor]:
    best = scores.log_softmax(-1)[:, 1:].topk(n)
    return best.indices + 1, best.values


def _least_likely(scores: Tensor, n: int) -> tuple[Tensor, Tensor]:
    worst = scores[:, 1:].log_softmax(-1).topk(n, largest=False)
    return worst.indices + 1, worst.values


def _raw_scores(scores: Tensor, n: int) -> tuple[Tensor, Tensor]:
    best = scores[:, 1:].topk(n)
    return best.indices + 1, best.values


def _as_probabilities(scores: Tensor, n: int) -> tuple[Tensor, Tensor]:
    lengths, log_p = best_lengths(scores, n)
    return lengths, log_p.exp()


def _changed_remask(n: Function, most: bool = False, padding: bool = False) -> Function:
    """`to_remask` with another count n(N, done, steps), or other places."""

    def run(confidence: Tensor, real: Tensor, done: int, steps: int) -> Tensor:
        order = -confidence if most else confidence
        if not padding:
            order = order.masked_fill(~real, math.inf)
        return lowest(order, n(real.sum(1), done, steps))

    return run


def _n(N: Tensor, done: int, steps: int) -> Tensor:
    return (N * (steps - done) // steps).clamp(min=1)


def _changed_fill(change: Function) -> Function:
    """`fill` with its results changed: change(chosen, p, tokens, confidence, masked) -> both."""

    def run(predict: Predict, tokens: Tensor, confidence: Tensor, masked: Tensor) -> tuple:
        chosen, p = choose_tokens(predict(tokens.masked_fill(masked, MASK_ID)), 0.0)
        return change(chosen, p, tokens, confidence, masked)

    return run


def _looked_at_answers(predict, tokens, confidence, masked):
    chosen, p = choose_tokens(predict(tokens), 0.0)
    return torch.where(masked, chosen, tokens), torch.where(masked, p, confidence)


def _logits_as_confidence(predict, tokens, confidence, masked):
    best = predict(tokens.masked_fill(masked, MASK_ID)).max(-1)
    return torch.where(masked, best.indices, tokens), torch.where(masked, best.values, confidence)


def _looped(
    count: Function = _n,
    frozen: bool = False,
    fresh: bool = False,
    most: bool = False,
    all_new: bool = False,
    extra: int = 0,
) -> Function:
    """`mask_predict` with one slip.

    frozen: kept tokens stay for good; fresh: all confidences are renewed in each step; all_new:
    all tokens are; extra: steps too many.
    """

    def run(predict: Predict, real: Tensor, steps: int) -> tuple[Tensor, Tensor]:
        tokens, confidence, masked = (
            torch.where(real, MASK_ID, PAD_ID),
            torch.ones(real.shape),
            real,
        )
        for done in range(steps + extra):
            if done:
                order = -confidence if most else confidence
                allowed = masked if frozen else real
                masked = lowest(
                    order.masked_fill(~allowed, math.inf), count(real.sum(1), done, steps)
                )
                masked = masked & real
            chosen, p = choose_tokens(predict(tokens.masked_fill(masked, MASK_ID)), 0.0)
            tokens = torch.where(real if all_new else masked, chosen, tokens)
            confidence = torch.where(real if fresh or all_new else masked, p, confidence)
        return tokens, confidence

    return run


def _rated(rate: Function) -> Function:
    """`best_candidate` by another rating of log-probabilities (B, n, N)."""

    def run(confidence: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
        scores = rate(confidence.log(), real)
        return scores.argmax(1), scores

    return run


EXERCISES = (
    Exercise(
        id="11.1",
        minutes=12,
        prompt="What mixing costs",
        reference=mixed,
        inputs=_answers,
        hints=(
            "At each place, how likely is this answer's word, whichever answer it comes from? Places "
            "are drawn independently: multiply. Distinct answers exclude each other: add.",
            "`answers == one` is (M, L): which answers have the same word at each place. Weighted with "
            "p and summed over the answers it gives the L chances of `one`.",
            "return sum((p[:, None] * (answers == one)).sum(0).prod().item() for one in answers)",
        ),
        misconceptions=(
            Misconception(
                _changed_mixed(lambda chances, p: p.sum()),
                "This is how likely an answer is if it is drawn as a whole: always 1. Here each place "
                "is drawn by itself.",
            ),
            Misconception(
                _changed_mixed(lambda chances, p: chances.prod(1).max()),
                "This is the chance of the likeliest answer alone. Any right answer counts: add them.",
            ),
            Misconception(
                _changed_mixed(lambda chances, p: chances.prod(1).mean()),
                "You averaged over the answers. They exclude each other, so their chances add up.",
            ),
            Misconception(
                _changed_mixed(lambda chances, p: chances.prod(1).sum(), torch.ones_like),
                "The answers were counted, not weighted: use p, or the chances at a place exceed 1.",
                also=(
                    _changed_mixed(
                        lambda chances, p: chances.prod(1).sum(),
                        lambda p: torch.full_like(p, 1 / len(p)),
                    ),
                ),
            ),
            Misconception(
                _changed_mixed(lambda chances, p: (p[:, None] ** chances.shape[1]).sum()),
                "You took only an answer's own chance at each place. Another answer with the same word "
                "there helps, too: sum p over all answers that agree at the place.",
            ),
            Misconception(
                _changed_mixed(lambda chances, p: (p * chances.prod(1)).sum()),
                "p was used twice: it is in the chances of the places already.",
            ),
        ),
    ),
    Exercise(
        id="11.2",
        minutes=12,
        prompt="Hide any number of words",
        reference=hide_for_training,
        inputs=_targets,
        hints=(
            "First how many words each row has and how many of them go; then which. Noise behind a "
            "row's end must never win.",
            "n = 1 + (share * L).long() is (B,). A place's rank among the noise of its row is "
            "`noise.argsort(1).argsort(1)`; set the noise of padding to infinity before.",
            "real = target != 0; n = 1 + (share * real.sum(1)).long(); return "
            "noise.masked_fill(~real, torch.inf).argsort(1).argsort(1) < n[:, None]",
        ),
        misconceptions=(
            Misconception(
                _changed_hide(lambda share, real: (0.15 * real.sum(1)).round().long().clamp(min=1)),
                "15 % in every row, as in BERT. A model trained like this has never seen an empty "
                "canvas. Use `share`.",
            ),
            Misconception(
                _changed_hide(lambda share, real: (share * real.sum(1)).long()),
                "Your numbers run from 0 to L - 1: some rows hide nothing, and none hides all. Add 1.",
            ),
            Misconception(
                _changed_hide(lambda share, real: 1 + (share * real.shape[1]).long(), padding=True),
                "The width of the batch was used, padding included. L is the number of words of the "
                "row, and padding is never hidden.",
                also=(
                    _changed_hide(
                        lambda share, real: 1 + (share * real.sum(1)).long(), padding=True
                    ),
                ),
            ),
            Misconception(
                _changed_hide(
                    lambda share, real: (1 + (share[0] * real.sum(1)).long()).minimum(real.sum(1))
                ),
                "All rows use the first one's share. Each row has its own.",
            ),
            Misconception(
                _drawn_apart,
                "You drew for each word apart, so the number of hidden words is left to chance, and can "
                "be 0. Take exactly n, those with the smallest noise.",
            ),
            Misconception(
                _changed_hide(lambda share, real: 1 + (share * real.sum(1)).long(), largest=True),
                "Hide the words with the *smallest* noise; yours are those with the largest.",
            ),
        ),
    ),
    Exercise(
        id="11.3",
        minutes=6,
        prompt="Who sees whom in the decoder",
        reference=decoder_sees,
        inputs=_canvas,
        hints=(
            "An empty canvas is filled from all sides. What is the one thing that nobody may look at?",
            "`target != 0` is (B, T), about keys. A new axis for the queries makes it (B, 1, T).",
            "B, T = target.shape; return (target != 0)[:, None].expand(B, T, T)",
        ),
        misconceptions=(
            Misconception(
                _sees(lambda mask, target: mask.tril()),
                "The causal mask was left in: each place sees only what stands to its left. That is the "
                "autoregressive decoder. Here every place sees both sides.",
                also=(
                    lambda target: torch.ones(
                        *target.shape, target.shape[1], dtype=torch.bool
                    ).tril(),
                ),
            ),
            Misconception(
                _sees(lambda mask, target: torch.ones_like(mask)),
                "Padding is seen. The answer would depend on what else is in the batch.",
            ),
            Misconception(
                _sees(lambda mask, target: mask.mT),
                "Transposed: keys, those who are looked at, are the last axis.",
            ),
            Misconception(
                _sees(lambda mask, target: mask & (target != PAD_ID)[..., None]),
                "Padding's own rows are all False now: a softmax over nothing. Rule padding out as a key "
                "only.",
            ),
            Misconception(
                _sees(lambda mask, target: mask & (target != MASK_ID)[:, None]),
                "[MASK]s cannot be seen. They may be: each knows its place and what its "
                "neighbours told it, and on an empty canvas there is nothing else.",
            ),
            Misconception(
                _sees(lambda mask, target: mask & ~torch.eye(target.shape[1], dtype=torch.bool)),
                "No place sees itself. That is RetroMAE's rule (lesson 10). Here a hidden word shows "
                "[MASK] even to itself, so nothing is given away.",
            ),
        ),
    ),
    Exercise(
        id="11.4",
        minutes=8,
        prompt="How long?",
        reference=best_lengths,
        inputs=_length_scores,
        hints=(
            "Rule length 0 out first, while these are still scores; softmax then shares everything "
            "among the others.",
            "Scores of minus infinity get probability 0. `topk(n)` returns values and indices, the "
            "largest first; the index is the length.",
            "scores = scores.masked_fill(torch.arange(scores.shape[1]) == 0, -torch.inf); best = "
            "scores.log_softmax(-1).topk(n); return best.indices, best.values",
        ),
        misconceptions=(
            Misconception(
                _with_zero,
                "Length 0 is among the answers. An empty answer has no word that could be wrong, so "
                "it would win often. Rule it out.",
            ),
            Misconception(
                _shifted,
                "You cut class 0 off, and now class 1 is called 0: all lengths are one too short.",
            ),
            Misconception(
                _not_renormalised,
                "The lengths are right. But their probabilities still share with length 0: rule it out "
                "before the softmax, not after.",
            ),
            Misconception(_least_likely, "These are the *least* likely lengths."),
            Misconception(
                _raw_scores,
                "The lengths are right, but these are scores, not log-probabilities: log_softmax.",
            ),
            Misconception(
                _as_probabilities,
                "The lengths are right. Return log-probabilities, not probabilities.",
            ),
        ),
    ),
    Exercise(
        id="11.5",
        minutes=8,
        prompt="Which words are opened again",
        reference=to_remask,
        inputs=_remaskings,
        trials=6,
        hints=(
            "Two questions again: how many in each row, and which. The count is a matter of N, `done` "
            "and `steps`; the choice of the confidences.",
            "n = N * (steps - done) // steps, at least 1, is (B,). Padding must not be chosen: put "
            "infinity there, then take the n smallest of each row by their rank.",
            "n = (real.sum(1) * (steps - done) // steps).clamp(min=1); return "
            "confidence.masked_fill(~real, torch.inf).argsort(1).argsort(1) < n[:, None]",
        ),
        misconceptions=(
            Misconception(
                _changed_remask(_n, most=True),
                "These are the words the model is *most* sure of. The doubtful ones go back.",
            ),
            Misconception(
                _changed_remask(lambda N, done, steps: _n(N, done + 1, steps)),
                "One step ahead: after `done` of `steps` steps a share of 1 - done / steps is opened.",
            ),
            Misconception(
                _changed_remask(lambda N, done, steps: _n(N, done - 1, steps)),
                "One step behind: after `done` of `steps` steps a share of 1 - done / steps is "
                "opened. The first step, done = 0, is the empty canvas, and it is over.",
            ),
            Misconception(
                _changed_remask(lambda N, done, steps: N - _n(N, done, steps)),
                "That many words are *kept*. The others are opened.",
            ),
            Misconception(
                _changed_remask(lambda N, done, steps: N * (steps - done) // steps),
                "Some rows open nothing at all. At least one word, always.",
            ),
            Misconception(
                _changed_remask(lambda N, done, steps: -(-N * (steps - done) // steps)),
                "You rounded up; the paper rounds down.",
            ),
            Misconception(
                _changed_remask(_n, padding=True),
                "Padding was opened: its confidence is 0, so it always looks doubtful. Keep it out.",
            ),
            Misconception(
                _changed_remask(
                    lambda N, done, steps: _n(N.max().expand(len(N)), done, steps).minimum(N)
                ),
                "Every row opens as many words as the longest one. N is the row's own length.",
            ),
        ),
    ),
    Exercise(
        id="11.6",
        minutes=8,
        prompt="One step",
        reference=fill,
        inputs=_half_filled,
        hints=(
            "What does the model have to see at the hidden places? And what may change elsewhere?",
            "`tokens.masked_fill(masked, 4)` is the canvas. `predict(...).softmax(-1).max(-1)` gives "
            "values (probabilities) and indices (words), (B, N) each.",
            "best = predict(tokens.masked_fill(masked, 4)).softmax(-1).max(-1); return "
            "torch.where(masked, best.indices, tokens), torch.where(masked, best.values, confidence)",
        ),
        misconceptions=(
            Misconception(
                _changed_fill(
                    lambda chosen, p, tokens, confidence, masked: (
                        torch.where(masked, chosen, tokens),
                        p,
                    )
                ),
                "You updated the confidences of words that were not hidden. They keep the one they "
                "had when they were chosen: what the model says of a word that it sees there is no "
                "judgement, it was never trained to say anything at visible places.",
            ),
            Misconception(
                _changed_fill(lambda chosen, p, tokens, confidence, masked: (chosen, p)),
                "All words were replaced, visible ones too. Only the hidden places change.",
            ),
            Misconception(
                _changed_fill(
                    lambda chosen, p, tokens, confidence, masked: (
                        torch.where(masked, chosen, tokens),
                        confidence,
                    )
                ),
                "New words, old confidences: at hidden places the confidence is the new word's.",
            ),
            Misconception(
                _looked_at_answers,
                "The model was shown the words it is to replace. Put [MASK] there first.",
            ),
            Misconception(
                _logits_as_confidence,
                "These confidences are scores, which cannot be compared between places. Take the "
                "softmax first.",
            ),
            Misconception(
                _changed_fill(
                    lambda chosen, p, tokens, confidence, masked: (
                        torch.where(masked, tokens, chosen),
                        torch.where(masked, confidence, p),
                    )
                ),
                "Inverted: you changed the visible places and left the hidden ones as they were.",
            ),
        ),
    ),
    Exercise(
        id="11.7",
        minutes=15,
        prompt="The whole procedure",
        reference=mask_predict,
        inputs=_empty_canvas,
        trials=4,
        hints=(
            "The first step hides all that is real. Each later step first asks `to_remask`, then "
            "`fill`.",
            "Begin with tokens 4 where real, 0 elsewhere; confidence all 1; masked = real. In step "
            "`done` = 1, 2, ... call to_remask(confidence, real, done, steps).",
            "for done in range(steps): masked = real if done == 0 else to_remask(confidence, real, "
            "done, steps); tokens, confidence = fill(predict, tokens, confidence, masked)",
        ),
        misconceptions=(
            Misconception(
                _looped(frozen=True),
                "Words that were kept once were never opened again. In Mask-Predict every word is a "
                "candidate in every step: that is how early mistakes are mended.",
            ),
            Misconception(
                _looped(fresh=True),
                "All confidences are renewed in every step. A word that stays keeps the confidence it "
                "was chosen with.",
            ),
            Misconception(
                _looped(count=lambda N, done, steps: _n(N, done + 1, steps)),
                "The schedule is off by one: in step number `done`, counted from 0, "
                "N * (1 - done / steps) words are opened.",
            ),
            Misconception(
                _looped(extra=-1),
                "One step is missing: the first one, on the empty canvas, counts as a step.",
            ),
            Misconception(
                _looped(most=True),
                "The words that the model is most sure of are opened again. Take the least.",
            ),
            Misconception(
                lambda predict, real, steps: mask_predict(predict, real, 1),
                "This is one step. The doubtful words must be opened and filled again.",
            ),
            Misconception(
                _looped(all_new=True),
                "Every step replaces all words, also those that stay on the canvas.",
            ),
        ),
    ),
    Exercise(
        id="11.8",
        minutes=7,
        prompt="Which length wins",
        reference=best_candidate,
        inputs=_candidates,
        hints=(
            "The mean log-probability of a candidate's own words. Padding has probability 1, so its "
            "logarithm adds nothing; by what do you divide?",
            "`confidence.log() * real` is (B, n, N). Sum over the last axis, divide by "
            "`real.sum(-1)`, and take the best of the n.",
            "scores = (confidence.log() * real).sum(-1) / real.sum(-1); return scores.argmax(1), scores",
        ),
        misconceptions=(
            Misconception(
                _rated(lambda log_p, real: log_p.mean(-1)),
                "You averaged over padding, too: with its zeros a short candidate looks surer than it "
                "is. Divide by the number of its own words.",
                also=(_rated(lambda log_p, real: log_p.sum(-1)),),
            ),
            Misconception(
                _rated(lambda log_p, real: (log_p.exp() * real).sum(-1) / real.sum(-1)),
                "This is the mean probability. One impossible word hardly lowers it; take the mean "
                "of the logarithms.",
            ),
            Misconception(
                _rated(lambda log_p, real: -(log_p * real).sum(-1) / real.sum(-1)),
                "The worst candidate wins: log-probabilities are negative, and the largest is best.",
            ),
            Misconception(
                _rated(lambda log_p, real: torch.where(real, log_p, 0.0).amin(-1)),
                "You compared the least sure word of each. The mean over all words decides.",
            ),
        ),
    ),
)

QUIZ = (
    Question(
        id="11.q1",
        prompt="A model gives every word its exact probability, and still writes nonsense when all words "
        "are chosen at once. Why?",
        options=(
            ("It is too small.", "Its probabilities are exact. No model could say more."),
            (
                "Each word is chosen without knowing what the others turned out to be.",
                "Two right answers mix. With one right answer there is no problem.",
            ),
            ("There are too few candidate lengths.", "That is another problem, and another cure."),
        ),
        answer=1,
    ),
    Question(
        id="11.q2",
        prompt="How is Mask-Predict's model trained?",
        options=(
            ("Autoregressively, and then given masks.", "There is no causal mask at any time."),
            (
                "As a masked language model that also sees a source: some words hidden, their "
                "number anything from one to all.",
                "And with it a guess at the length.",
            ),
            (
                "As a masked language model with 15 % hidden.",
                "It would be lost on an empty canvas.",
            ),
        ),
        answer=1,
    ),
    Question(
        id="11.q3",
        prompt="In a step, a word that was not opened now gets a higher probability than when it was "
        "chosen. What becomes of its confidence?",
        options=(
            ("It rises.", "Then words would vouch for themselves: each sees itself."),
            ("It stays as it was.", "The word is judged by what was known when it was chosen."),
            ("It is averaged.", "No; the algorithm knows one number a word."),
        ),
        answer=1,
    ),
    Question(
        id="11.q4",
        prompt="Ten steps instead of one per word: when is that *not* faster than writing from left to "
        "right with keys and values kept?",
        options=(
            (
                "With large batches.",
                "Each step works on all places again; once the machine is busy, work is what counts.",
            ),
            (
                "With a single sentence.",
                "There it is fastest: the machine waits for steps, not work.",
            ),
            ("Never.", "Section 7 measures it."),
        ),
        answer=0,
    ),
    Question(
        id="11.q5",
        prompt="What does distillation change?",
        options=(
            (
                "The model becomes smaller.",
                "That is another use of the word. Here student and teacher are of one size.",
            ),
            (
                "The training answers: one for each source, chosen by another model.",
                "Fewer ways to be right, so less to mix.",
            ),
            ("The number of steps.", "It lets you do with fewer, but does not set them."),
        ),
        answer=1,
    ),
)
