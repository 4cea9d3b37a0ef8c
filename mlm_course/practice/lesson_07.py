"""Lesson 7: reading a model. Answers and attention are read."""

import torch
from torch import Tensor

from mlm_course.models.inspection import copy_scores, top_answers
from mlm_course.practice.exercise import Exercise, Misconception, Question

TITLE = "Reading a model"


def _logits(g: torch.Generator) -> tuple[Tensor, int]:
    return 3 * torch.randn(4, 11, generator=g), int(torch.randint(2, 5, (1,), generator=g))


def _weights_and_mentions(g: torch.Generator) -> tuple[Tensor, Tensor]:
    """Attention (2, 3, 7, 7) after softmax; a few hidden words with one or two other mentions."""
    weights = (2 * torch.randn(2, 3, 7, 7, generator=g)).softmax(-1)
    mention = torch.zeros(2, 7, 7, dtype=torch.bool)
    for row, query, keys in ((0, 1, [4]), (0, 5, [2, 6]), (1, 3, [0])):
        mention[row, query, keys] = True
    return weights, mention


EXERCISES = (
    Exercise(
        id="7.1",
        minutes=4,
        prompt="The best answers",
        reference=top_answers,
        inputs=_logits,
        hints=(
            "First turn scores into probabilities, then take the k largest of each row.",
            "softmax over the vocabulary, the last axis; probabilities.topk(k) returns a pair: "
            "values and places.",
            "chance, ids = logits.softmax(-1).topk(k); return chance, ids",
        ),
        misconceptions=(
            Misconception(
                lambda x, k: x.softmax(0).topk(k),
                "Softmax over the wrong axis: the chances of one *word* over all gaps sum to 1. Over "
                "the vocabulary: softmax(-1).",
            ),
            Misconception(
                lambda x, k: tuple(x.topk(k)),
                "These are scores, not probabilities: softmax(-1) first.",
            ),
            Misconception(
                lambda x, k: (x.topk(k).values.softmax(-1), x.topk(k).indices),
                "You took the softmax over the k best only, so that they share all of the "
                "probability. Softmax over the whole vocabulary, then topk.",
            ),
            Misconception(
                lambda x, k: x.softmax(-1).topk(k, largest=False),
                "These are the k *least* likely words.",
                also=(
                    lambda x, k: tuple(
                        part[:, -k:] for part in x.softmax(-1).sort(descending=True)
                    ),
                ),
            ),
            Misconception(
                lambda x, k: tuple(part[:, -k:] for part in x.softmax(-1).sort()),
                "The right words, but the largest comes last. Turn them around: largest first.",
            ),
            Misconception(
                lambda x, k: x.softmax(-1).topk(k, 0),
                "topk looked for the largest among the *gaps*. It takes the last axis unless told "
                "otherwise: topk(k).",
                also=(lambda x, k: tuple(x.topk(k, 0)),),
            ),
            Misconception(
                lambda x, k: tuple(x.softmax(-1).topk(k))[::-1],
                "Right numbers in the wrong order: probabilities first, then ids.",
            ),
            Misconception(
                lambda x, k: tuple(x.log_softmax(-1).topk(k)),
                "These are log probabilities: softmax, not log_softmax.",
            ),
        ),
    ),
    Exercise(
        id="7.2",
        minutes=12,
        prompt="Who copies?",
        reference=copy_scores,
        inputs=_weights_and_mentions,
        hints=(
            "For one hidden word and one head: add up the weights on its other mentions. Then the "
            "mean over all hidden words that have one.",
            "mention[:, None] is (B, 1, T, S) and fits onto the weights (B, H, T, S). After "
            ".sum(-1) there is one number for each row, head and query.",
            "paid = (weights * mention[:, None]).sum(-1); asked = mention.any(-1)[:, None]; return "
            "(paid * asked).sum((0, 2)) / asked.sum()",
        ),
        misconceptions=(
            Misconception(
                lambda w, m: (w * m[:, None]).sum(-1).mean((0, 2)),
                "You averaged over all places, also those with nothing to copy. Divide by the number "
                "of places that have another mention: mention.any(-1).",
            ),
            Misconception(
                lambda w, m: (w * m[:, None]).sum((0, 2, 3)) / m.sum(),
                "You divided by the number of *mentions*. A word with two other mentions is still "
                "one word: divide by mention.any(-1).sum().",
            ),
            Misconception(
                lambda w, m: (w * m[:, None]).sum((0, 2, 3)),
                "This is the sum over all hidden words. Divide it by how many of them have another "
                "mention: mention.any(-1).sum().",
            ),
            Misconception(
                lambda w, m: ((w * m[:, None]).sum((2, 3)) / m.any(-1).sum(-1)[:, None]).mean(0),
                "You took a mean for each row and the mean of these. Rows ask about different numbers "
                "of words, and each word should count the same: one mean over all of them.",
            ),
            Misconception(
                lambda w, m: (w.transpose(2, 3) * m[:, None]).sum((0, 2, 3)) / m.any(-1).sum(),
                "This is the attention that the other mention pays to the hidden word. Queries stand "
                "in the third axis, keys in the last.",
            ),
            Misconception(
                lambda w, m: (w * m[:, None]).amax(-1).sum((0, 2)) / m.any(-1).sum(),
                "Where a word has two other mentions you took the larger weight. Add them up.",
            ),
            Misconception(
                lambda w, m: (w * m[:, None]).sum((1, 2, 3)) / m.any(-1).sum(),
                "You kept the rows of the batch and summed over the heads. One number for each "
                "*head* is wanted.",
            ),
        ),
    ),
)


QUIZ = (
    Question(
        id="7.q1",
        prompt="A model gives two gaps of one sentence the chances red .5, blue .5 and red .5, blue "
        ".5. What does that say about how often the *language* has red in both?",
        options=(
            (
                "In half of the cases.",
                "That would be so if the second word copied the first one. The two lists do not say.",
            ),
            (
                "In a quarter of the cases.",
                "Only if the two are independent. Nothing here says that they are.",
            ),
            (
                "Nothing.",
                "Each gap gets its own distribution; how they go together is not part of the answer.",
            ),
        ),
        answer=2,
    ),
    Question(
        id="7.q2",
        prompt="A head pays 90 % of its attention to the other mention of a word. Does the model copy "
        "with this head?",
        options=(
            ("Yes: the weights show it.", "They show where it looks, not what becomes of it."),
            (
                "One has to try: switch it off, and see whether repeated words get harder.",
                "And compare with switching off other heads: any damage can hurt a little.",
            ),
            (
                "No: attention weights mean nothing.",
                "They say where to search. They are just not the evidence.",
            ),
        ),
        answer=1,
    ),
    Question(
        id="7.q3",
        prompt="A model fills 1,000 gaps, each with a confidence of 70 %, and 700 of its answers are "
        "right. What follows?",
        options=(
            (
                "Its probabilities are the exact ones: no guesser can do better.",
                "That asks for more. If half of these gaps deserve 90 % and half 50 %, the mean is "
                "70 % too, and a guesser that tells them apart has a lower loss.",
            ),
            (
                "It is badly calibrated: a good model is right in nearly all cases.",
                "That is accuracy. Some gaps have several good answers; 70 % is honest about them.",
            ),
            (
                "It is calibrated at this confidence. Another guesser may be better.",
                "Confidence and share of right answers agree; nothing more was asked.",
            ),
        ),
        answer=2,
    ),
    Question(
        id="7.q4",
        prompt="After an encoder, the vectors of two tokens have a cosine of .6. Are the tokens "
        "related?",
        options=(
            (
                "One cannot say without the cosine of random pairs.",
                "If random pairs reach .6 too, it means nothing. Subtract the mean and look again.",
            ),
            (
                "Yes: the cosine of unrelated tokens is close to 0.",
                "Only if vectors point anywhere. An encoder's may share a direction, and then any two "
                "of them look alike.",
            ),
            (
                "No: related tokens have a cosine close to 1.",
                "There is no such limit. In one model .6 is far above random pairs, in another far "
                "below.",
            ),
        ),
        answer=0,
    ),
)
