"""Lesson 8: using a model. Vectors are pooled, labels aligned, answers scored."""

import math

import torch
from torch import Tensor

from mlm_course.evaluation import entities
from mlm_course.models.heads import mean_over_tokens
from mlm_course.practice.exercise import Exercise, Misconception, Question

TITLE = "Using a model"

KINDS = ("PARAM", "VALUE", "CODE")


def align_labels(word_ids: Tensor, tags: Tensor) -> Tensor:
    labels = tags.gather(1, word_ids.clamp(min=0))
    return labels.masked_fill((word_ids < 0) | _goes_on(word_ids), -100)


def macro_scores(counts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    precision, recall, f1 = _each(counts)
    return precision.mean(), recall.mean(), f1.mean()


def find_entities(tags: list[str]) -> list[tuple[str, int, int]]:
    return sorted(entities(tags), key=lambda entity: entity[1])


def best_span(start: Tensor, end: Tensor, context: Tensor, longest: int) -> tuple[int, int]:
    return _best_span(start, end, context, longest)


def _each(counts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Precision, recall and F1 of each class (C,); 0 / 0 is 0."""
    right, predicted, actual = counts.diagonal().float(), counts.sum(0), counts.sum(1)
    both = predicted + actual
    return (
        right / predicted.clamp(min=1),
        right / actual.clamp(min=1),
        2 * right / both.clamp(min=1),
    )


def _raw(counts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Precision, recall and F1 of each class (C,), with NaN for 0 / 0."""
    precision = counts.diagonal() / counts.sum(0)
    recall = counts.diagonal() / counts.sum(1)
    return precision, recall, _harmonic(precision, recall)


def _without_clamp(counts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    precision, recall, f1 = _raw(counts)
    return precision.mean(), recall.mean(), f1.mean()


def _best_span(start, end, context, longest, first_gap=0, last_gap=-1):
    """The best pair with first_gap <= end - start <= longest + last_gap, within the context."""
    best, span = -math.inf, (0, 0)
    for i in range(len(start)):
        for j in range(max(i + first_gap, 0), min(i + longest + last_gap + 1, len(start))):
            if context[i] and context[j] and start[i] + end[j] > best:
                best, span = float(start[i] + end[j]), (i, j)
    return span


def _padded_vectors(g: torch.Generator) -> tuple[Tensor, Tensor]:
    lengths = torch.tensor([6, 2, 4])
    visible = torch.arange(6) < lengths[torch.randperm(3, generator=g)][:, None]  # (3, 6)
    return torch.randn(3, 6, 5, generator=g) + 1, visible


def _words_and_tags(g: torch.Generator) -> tuple[Tensor, Tensor]:
    """Two rows of four words of one to three pieces, [CLS] in front, [SEP] and padding behind, and
    a row that is one long word; tags 0 to 6."""
    sizes = torch.randint(1, 4, (2, 4), generator=g)
    sizes[0, 1], sizes[1, 2] = 3, 2
    rows = [torch.arange(4).repeat_interleave(s).tolist() for s in sizes]
    word_ids = torch.tensor([*([-1, *row, *[-1] * (15 - len(row))] for row in rows), [0] * 16])
    tags = torch.randint(7, (3, 4), generator=g)
    tags[:2, 1:3] = torch.tensor([[1, 2], [3, 1]])
    return word_ids, tags


def _confusion(g: torch.Generator) -> tuple[Tensor]:
    """A rare class, and one that was never predicted."""
    counts = torch.randint(1, 9, (4, 4), generator=g) + torch.diag(torch.tensor([60, 12, 3, 0]))
    counts[:, 3] = 0
    return (counts,)


def _tags(g: torch.Generator) -> tuple[list[str]]:
    """Tags of twelve words with every awkward neighbour: B after B, another kind, an end."""
    a, b, c = (KINDS[i] for i in torch.randperm(3, generator=g).tolist())
    awkward = [f"B-{a}", f"I-{a}", f"B-{a}", "O", f"I-{b}", f"B-{c}", f"I-{a}", f"I-{a}", "O"]
    shift = int(torch.randint(3, (1,), generator=g))
    return ([*["O"] * shift, *awkward, f"B-{b}", f"I-{b}"],)


def _span_scores(g: torch.Generator) -> tuple[Tensor, Tensor, Tensor, int]:
    """Scores that tempt: ends before the beginning, too far behind it, and outside the context.

    The best answer has three tokens, or one, as a coin says.
    """
    start, end = 0.3 * torch.rand(2, 14, generator=g)
    context = torch.arange(14) >= 4
    context[-1] = False
    start[1], end[2], end[13] = 9.0, 9.0, 8.0  # in the question, and at [SEP]
    start[12], end[5] = 4.5, 4.6  # the best beginning and the best end
    start[6], end[8:11] = 4.0, torch.tensor([4.0, 4.1, 4.2])  # three, four and five tokens
    if torch.rand((), generator=g) < 0.5:
        start[7], end[7] = 5.0, 5.0
    return start - 10, end - 10, context, 3  # all below 0, so that a 0 would win


def _beginning_first(start, end, context, longest):
    first = int(start.masked_fill(~context, -math.inf).argmax())
    ends = end.masked_fill(~context, -math.inf)[first : first + longest]
    return first, first + int(ends.argmax())


def _goes_on(word_ids: Tensor, first: int = -1) -> Tensor:
    """Which pieces have the word number of the piece before; `first` stands before the first."""
    before = word_ids.roll(1, 1)
    before[:, 0] = first
    return word_ids == before


def _labels_of_last_pieces(word_ids: Tensor, tags: Tensor, wrap: bool = False) -> Tensor:
    after = word_ids.roll(-1, 1)
    if not wrap:
        after[:, -1] = -1
    labels = tags.gather(1, word_ids.clamp(min=0))
    return labels.masked_fill((word_ids < 0) | (word_ids == after), -100)


def _labels_of_other_pieces(word_ids: Tensor, tags: Tensor) -> Tensor:
    labels = tags.gather(1, word_ids.clamp(min=0))
    return labels.masked_fill((word_ids < 0) | (word_ids != word_ids.roll(1, 1)), -100)


def _compared_by_tag(word_ids: Tensor, tags: Tensor, wrap: bool = False) -> Tensor:
    labels = tags.gather(1, word_ids.clamp(min=0)).masked_fill(word_ids < 0, -100)
    before = labels.roll(1, 1)
    if not wrap:
        before[:, 0] = -1
    return labels.masked_fill(labels == before, -100)


def _within_context(start, end, context, longest):
    first, last = _best_span(start, end, context, longest)
    return first - int(context.nonzero()[0]), last - int(context.nonzero()[0])


def _entities(tags: list[str], same_kind: bool = True, lone: bool = True, b: bool = True):
    """Entities with one rule left out: kinds must agree, a lone I- begins one, B- begins one."""
    spans: list[tuple[str, int, int]] = []
    for place, tag in enumerate(tags):
        mark, _, kind = tag.partition("-")
        open_before = bool(spans) and spans[-1][2] == place
        goes_on = open_before and (spans[-1][0] == kind or not same_kind)
        if mark != "O" and goes_on and (mark == "I" or not b):
            spans[-1] = (spans[-1][0], spans[-1][1], place + 1)
        elif mark == "B" or (mark == "I" and lone):
            spans.append((kind, place, place + 1))
    return spans


def _harmonic(precision: Tensor, recall: Tensor) -> Tensor:
    return 2 * precision * recall / (precision + recall)


EXERCISES = (
    Exercise(
        id="8.1",
        minutes=6,
        prompt="The mean of a text",
        reference=mean_over_tokens,
        inputs=_padded_vectors,
        hints=(
            "Padding must neither be added nor counted.",
            "visible[..., None] is (B, T, 1): as numbers it sets the vectors of padding to 0. Divide "
            "by how many tokens the row has, (B, 1).",
            "v = visible[..., None].float(); return (x * v).sum(1) / v.sum(1)",
        ),
        misconceptions=(
            Misconception(
                lambda x, v: x.mean(1),
                "Padding counts as a token here: the same text gets another vector in a longer "
                "batch.",
            ),
            Misconception(
                lambda x, v: (x * v[..., None]).mean(1),
                "Padding is no longer added, but still counted: divide by the number of tokens, not "
                "by T.",
            ),
            Misconception(
                lambda x, v: x[v].mean(0).expand(len(x), -1),
                "One mean for the whole batch: every text gets the same vector. Sum over T only.",
                also=(lambda x, v: x[v].mean(0),),
            ),
            Misconception(
                lambda x, v: x.masked_fill(~v[..., None], -math.inf).amax(1),
                "This is the largest number of each component, not the mean.",
            ),
            Misconception(
                lambda x, v: x[:, 0],
                "This is the vector of the first token alone.",
            ),
            Misconception(
                lambda x, v: (x * v[..., None]).sum(1),
                "This is the sum: long texts get long vectors. Divide by the number of tokens.",
            ),
            Misconception(
                lambda x, v: (x * v[..., None]).sum(1) / v.sum(),
                "You divided by the number of tokens in the whole batch. Each row has its own: "
                "visible.sum(1, keepdim=True).",
            ),
            Misconception(
                lambda x, v: x.sum(1) / v.sum(1, keepdim=True),
                "Padding is no longer counted, but still added: multiply by visible[..., None] before "
                "the sum.",
            ),
            Misconception(
                lambda x, v: (x * ~v[..., None]).sum(1) / (~v).sum(1, keepdim=True),
                "Inverted: the vectors of padding went in, those of tokens were left out. `visible` is "
                "True at tokens, and masked_fill writes where its mask is True.",
                also=(
                    lambda x, v: (x * ~v[..., None]).sum(1) / v.sum(1, keepdim=True),
                    lambda x, v: (
                        (x * ~v[..., None]).sum(1) / (~v).sum(1, keepdim=True).clamp(min=1)
                    ),
                ),
            ),
        ),
    ),
    Exercise(
        id="8.2",
        minutes=12,
        prompt="Precision, recall, F1",
        reference=macro_scores,
        inputs=_confusion,
        hints=(
            "For each class: of what was predicted as it, how much is right? Of what is it, how much "
            "was found?",
            "right = counts.diagonal(); the columns sum to what was predicted, counts.sum(0), the "
            "rows to what is there, counts.sum(1). Each is (C,); the mean comes last.",
            "p = right / counts.sum(0).clamp(min=1); r = right / counts.sum(1).clamp(min=1); f = "
            "2 * right / (counts.sum(0) + counts.sum(1)).clamp(min=1); return the three means",
        ),
        misconceptions=(
            Misconception(
                lambda c: (_each(c)[1].mean(), _each(c)[0].mean(), _each(c)[2].mean()),
                "Precision and recall are swapped: rows are what is there, columns what was "
                "predicted.",
                also=(
                    lambda c: (_raw(c)[1].mean(), _raw(c)[0].mean(), _raw(c)[2].mean()),
                    lambda c: (_each(c)[1].mean(), _raw(c)[0].mean(), _each(c)[2].mean()),
                ),
            ),
            Misconception(
                lambda c: (c.diagonal().sum() / c.sum(),) * 3,
                "You added up over all classes first (micro): with one class per item that is the "
                "accuracy, three times. Macro: a score for each class, then the mean.",
            ),
            Misconception(
                lambda c: ((c.diagonal() / c.sum(0)).mean(), *macro_scores(c)[1:]),
                "A class that was never predicted: 0 / 0 is NaN. It counts as 0: .clamp(min=1) the "
                "number you divide by.",
                also=(_without_clamp, lambda c: (*macro_scores(c)[:2], _without_clamp(c)[2])),
            ),
            Misconception(
                lambda c: tuple(x.nanmean() for x in _raw(c)),
                "The class that was never predicted was left out of the mean. It counts, as 0.",
                also=(lambda c: (_raw(c)[0].nanmean(), *macro_scores(c)[1:]),),
            ),
            Misconception(
                lambda c: _each(c),
                "A score for each class is right so far. Now their mean: three numbers.",
            ),
            Misconception(
                lambda c: tuple(x[1] for x in _each(c)),
                "These are the scores of one class. Macro: a score for each class, then the mean over "
                "the classes.",
                also=(
                    lambda c: tuple(x[0] for x in _each(c)),
                    lambda c: tuple(x[-1] for x in _each(c)),
                ),
            ),
            Misconception(
                lambda c: (*macro_scores(c)[:2], _harmonic(*macro_scores(c)[:2])),
                "Your F1 is made from the two means. Macro F1 is the mean of the classes' F1.",
            ),
            Misconception(
                lambda c: (*macro_scores(c)[:2], sum(macro_scores(c)[:2]) / 2),
                "F1 is not the plain mean of precision and recall but the harmonic one, "
                "2 * p * r / (p + r), in each class.",
            ),
            Misconception(
                lambda c: tuple((x * c.sum(1)).sum() / c.sum() for x in _each(c)),
                "You weighted the classes by their size. Macro: each class counts the same.",
            ),
        ),
    ),
    Exercise(
        id="8.3",
        minutes=12,
        prompt="Labels for pieces",
        reference=align_labels,
        inputs=_words_and_tags,
        hints=(
            "Give every piece its word's tag first. Then take it away from those that should not be "
            "asked.",
            "tags.gather(1, word_ids.clamp(min=0)) is (B, T). A piece goes on with a word if the "
            "token before has the same word number.",
            "before = word_ids.roll(1, 1); before[:, 0] = -1; return "
            "labels.masked_fill((word_ids < 0) | (word_ids == before), -100)",
        ),
        misconceptions=(
            Misconception(
                lambda w, t: t.gather(1, w.clamp(min=0)).masked_fill(w < 0, -100),
                "Every piece got a label. A word of three pieces would count three times, and its "
                "B- tag would begin three entities: -100 for all pieces but the first.",
                also=(lambda w, t: t.gather(1, w.clamp(min=0)),),
            ),
            Misconception(
                _labels_of_last_pieces,
                "You labelled each word's *last* piece. By convention the first one is asked.",
                also=(lambda w, t: _labels_of_last_pieces(w, t, wrap=True),),
            ),
            Misconception(
                lambda w, t: align_labels(w, t).masked_fill(w < 0, 0),
                "Special tokens and padding got 0, which is a tag (O): the model would be trained "
                "and scored on padding. -100 there.",
            ),
            Misconception(
                lambda w, t: align_labels(w, t).clamp(min=0),
                "Pieces that should not be asked got 0, which is a tag (O). cross_entropy skips -100 "
                "only.",
            ),
            Misconception(
                lambda w, t: torch.where(
                    w == w.roll(1, 1), -100, torch.gather(t, 1, w % t.shape[1])
                ),
                "Special tokens have the word number -1, which is no word, and some of them got a "
                "word's tag. -100 wherever word_ids < 0.",
                also=(
                    lambda w, t: t.gather(1, w % t.shape[1]),
                    lambda w, t: t.gather(1, w.clamp(min=0)).masked_fill(w == w.roll(1, 1), -100),
                    lambda w, t: t.gather(1, w.clamp(min=0)).masked_fill(_goes_on(w), -100),
                    lambda w, t: t.gather(1, w.clamp(min=0)).masked_fill(_goes_on(w, -2), -100),
                    lambda w, t: t.gather(1, w.clamp(min=0)).masked_fill(
                        (w >= 0) & _goes_on(w), -100
                    ),
                ),
            ),
            Misconception(
                _compared_by_tag,
                "You compared tags: two words side by side may have the same one. Compare word numbers.",
                also=(lambda w, t: _compared_by_tag(w, t, wrap=True),),
            ),
            Misconception(
                lambda w, t: t.gather(1, w),
                "Special tokens have the word number -1, and there is no tag at place -1. Look up with "
                "word_ids.clamp(min=0), then put -100 there.",
            ),
            Misconception(
                lambda w, t: t.gather(1, w.clamp(min=0)).masked_fill(
                    (w < 0) | (w == w.roll(1, 1)), -100
                ),
                "roll goes round: in front of a row's first piece it puts the row's *last* one, and in a "
                "row that is one long word both have the same number. before[:, 0] = -1 after the roll.",
            ),
            Misconception(
                _labels_of_other_pieces,
                "Upside down: a word's first piece is the one to be asked, and it got -100.",
                also=(
                    lambda w, t: t.gather(1, w.clamp(min=0)).masked_fill(
                        align_labels(w, t) != -100, -100
                    ),
                ),
            ),
        ),
    ),
    Exercise(
        id="8.4",
        minutes=18,
        prompt="Entities, not tokens",
        reference=find_entities,
        inputs=_tags,
        trials=4,
        hints=(
            "Walk along the tags and keep the entity that is open. When does it end? When does one "
            "begin?",
            "It ends at O, at B-, and at an I- of another kind. One begins at B-, and at an I- while "
            "none of its kind is open. Do not forget the last one.",
            "for place, tag in enumerate([*tags, 'O']): mark, _, kind = tag.partition('-'); if open "
            "and not (mark == 'I' and kind == open kind): add (open kind, start, place), close; if "
            "mark != 'O' and nothing is open: open kind and start here",
        ),
        misconceptions=(
            Misconception(
                lambda tags: _entities(tags, b=False),
                "Two entities that touch became one: B- begins a new one even after its own kind.",
            ),
            Misconception(
                lambda tags: _entities(tags, same_kind=False),
                "An I- of another kind cannot go on with an entity: it ends it and begins a new one.",
            ),
            Misconception(
                lambda tags: _entities(tags, lone=False),
                "An I- with nothing to go on with was dropped. By convention it begins an entity.",
            ),
            Misconception(
                lambda tags: [(k, s, e - 1) for k, s, e in find_entities(tags)],
                "The third number is the place *after* the last word, as in a slice.",
            ),
            Misconception(
                lambda tags: [(k, s, e - s) for k, s, e in find_entities(tags)],
                "The third number is a *place*, that of the word after the last one. You gave the "
                "number of words.",
            ),
            Misconception(
                lambda tags: [(tags[s], s, e) for _, s, e in find_entities(tags)],
                "The places are right. The kind comes without its mark: 'PARAM', not 'B-PARAM'.",
                also=(lambda tags: [(f"B-{k}", s, e) for k, s, e in find_entities(tags)],),
            ),
            Misconception(
                lambda tags: [e for e in find_entities(tags) if e[2] < len(tags)],
                "An entity that reaches to the end of the sentence was lost: close it after the "
                "loop, or put an 'O' after the tags.",
            ),
            Misconception(
                lambda tags: [(t[2:], i, i + 1) for i, t in enumerate(tags) if t != "O"],
                "You counted tokens. B- and the I- after it are *one* entity.",
            ),
        ),
    ),
    Exercise(
        id="8.5",
        minutes=12,
        prompt="The best span",
        reference=best_span,
        inputs=_span_scores,
        trials=6,
        hints=(
            "Not the best beginning and the best end, but the best *pair*. Which pairs are allowed?",
            "total = start[:, None] + end[None] is (T, T). Allowed: both in the context, and "
            "0 <= last - first < longest. .triu() and .tril(longest - 1) keep such a band.",
            "allowed = (context[:, None] & context).triu().tril(longest - 1); best = "
            "total.masked_fill(~allowed, -math.inf).argmax().item(); return divmod(best, len(start))",
        ),
        misconceptions=(
            Misconception(
                lambda s, e, c, n: (
                    int(s.masked_fill(~c, -math.inf).argmax()),
                    int(e.masked_fill(~c, -math.inf).argmax()),
                ),
                "You chose the beginning, the end or both by themselves. Choose the best *pair*: a good "
                "end can make up for a worse beginning, and it must not lie before it.",
                also=(_beginning_first,),
            ),
            Misconception(
                lambda s, e, c, n: (_best_span(s, e, c, n)[0], _best_span(s, e, c, n)[1] + 1),
                "The second number is the last token of the answer itself, not the place after it.",
            ),
            Misconception(
                lambda s, e, c, n: divmod(
                    int(((s[:, None] + e) * (c[:, None] & c).triu().tril(n - 1)).argmax()), len(s)
                ),
                "Pairs that are not allowed got 0, but scores can be negative, and then 0 wins. Give "
                "them minus infinity: masked_fill(~allowed, -math.inf).",
            ),
            Misconception(
                lambda s, e, c, n: _best_span(s, e, c, n)[::-1],
                "Right tokens in the wrong order: the first token of the answer, then the last. (In "
                "start[:, None] + end[None] rows are first tokens, columns last ones.)",
            ),
            Misconception(
                _within_context,
                "The right tokens, but you counted from the first token of the context. Places count "
                "from the first token of the row: add `context.nonzero()[0]`, or mask instead of "
                "cutting.",
            ),
            Misconception(
                lambda s, e, c, n: _best_span(s, e, torch.ones_like(c), n),
                "The answer lies in the question or at a special token. Only tokens where context is "
                "True.",
            ),
            Misconception(
                lambda s, e, c, n: _best_span(s, e, c, n, last_gap=0),
                "One token too long: `longest` counts the tokens of the answer, both ends included.",
            ),
            Misconception(
                lambda s, e, c, n: _best_span(s, e, c, n, first_gap=1),
                "Answers of a single token are left out: the last token may be the first one.",
            ),
            Misconception(
                lambda s, e, c, n: _best_span(s, e, c, len(s)),
                "The answer is longer than `longest` tokens.",
            ),
            Misconception(
                lambda s, e, c, n: _best_span(s, e, c, n, first_gap=1 - n),
                "The answer ends before it begins: last >= first.",
            ),
        ),
    ),
)


QUIZ = (
    Question(
        id="8.q1",
        prompt="Ten words of a hundred are entities. A model that tags every word O has ...",
        options=(
            (
                "an accuracy of 90 % and an entity F1 of 0.",
                "It has found nothing. That is why tags are scored by entities.",
            ),
            ("an accuracy of 10 %.", "Ninety of a hundred tags are right."),
            ("an entity F1 of 90 %.", "F1 looks at entities only, and it has found none."),
        ),
        answer=0,
    ),
    Question(
        id="8.q2",
        prompt="A linear probe on a frozen encoder reaches 90 %. Compared with what does that say "
        "something about pretraining?",
        options=(
            ("With 50 %, the toss of a coin.", "Word counts alone may get far above that."),
            (
                "With the same probe on an encoder with random weights, and with word counts.",
                "Even random vectors tell words apart. What pretraining adds is the difference.",
            ),
            ("With the fine-tuned model.", "That says what training the encoder adds."),
        ),
        answer=1,
    ),
    Question(
        id="8.q3",
        prompt="On some task a bag of words beats the fine-tuned model. What follows?",
        options=(
            (
                "The pretraining has failed.",
                "It may still beat random weights, and help on other tasks.",
            ),
            (
                "For this task the words alone carry the answer: use the bag of words.",
                "It is smaller, faster and easier to understand. Without it you would not have known.",
            ),
            (
                "The comparison is unfair: a bag of words knows no context.",
                "A rival that needs less and does better is the fairest of all.",
            ),
        ),
        answer=1,
    ),
)
