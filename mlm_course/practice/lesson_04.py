"""Lesson 4: corruption. Random numbers come in as arguments, so results can be compared."""

import torch
from torch import Tensor

from mlm_course.corruption import maskable
from mlm_course.practice.exercise import Exercise, Misconception, Question

TITLE = "Corruption"

SPECIAL_IDS = [0, 1, 2, 3, 4]
MASK_ID = 4


def hide_fixed_count(noise: Tensor, maskable: Tensor, ratio: float) -> Tensor:
    return _rank(noise.masked_fill(~maskable, 2.0)) < _count(maskable, ratio)


def _rank(noise: Tensor) -> Tensor:
    return noise.argsort(1).argsort(1)


def _count(maskable: Tensor, ratio: float) -> Tensor:
    return (maskable.sum(1, keepdim=True) * ratio).round().clamp(min=1)  # (B, 1)


def replace_80_10_10(
    ids: Tensor, masked: Tensor, u: Tensor, random_ids: Tensor, mask_id: int
) -> Tensor:
    return _replace(ids, masked, u, random_ids, mask_id)


def make_labels(ids: Tensor, masked: Tensor) -> Tensor:
    return ids.masked_fill(~masked, -100)


def extend_to_whole_words(masked: Tensor, word_ids: Tensor) -> Tensor:
    same_word = word_ids[:, :, None] == word_ids[:, None, :]  # (B, T, T)
    return (same_word & masked[:, None, :]).any(-1)


def _replace(ids, masked, u, random_ids, mask_id, random_from=0.9):
    chosen = torch.where(u < 0.8, mask_id, torch.where(u < random_from, ids, random_ids))
    return torch.where(masked, chosen, ids)


def _rows(g: torch.Generator) -> Tensor:
    """(3, 14) ids: [CLS], ordinary tokens, an [UNK] here and there, [SEP], padding."""
    ids = torch.randint(5, 60, (3, 14), generator=g)
    ids[:, 0], ids[:, 5] = 2, 1
    for row, end in enumerate((13, 11, 7)):
        ids[row, end], ids[row, end + 1 :] = 3, 0
    return ids


def _rows_of_another_vocabulary(g: torch.Generator) -> tuple[Tensor, list[int]]:
    """Special ids as in BERT's vocabulary: 0 is [PAD], 100 to 103 are the others."""
    ids = _rows(g)
    ids[ids == 2] = 101
    ids[ids == 3] = 102
    ids[ids == 1] = 100
    ids[:, 3], ids[:, 6:8] = 3, ids[:, 6:8] + 100  # ordinary ids below and above the special ones
    return ids, [0, 100, 101, 102, 103]


def _noise_and_candidates(g: torch.Generator) -> tuple[Tensor, Tensor, float]:
    candidates = maskable(_rows(g), SPECIAL_IDS)
    candidates[2, 3:] = False  # two candidates: a third of them rounds to 1, 15 % to 0
    ratio = (0.15, 0.3, 0.5)[int(torch.randint(3, (1,), generator=g))]
    return torch.rand(3, 14, generator=g), candidates, ratio


def _corruption(g: torch.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor, int]:
    ids = _rows(g)
    masked = maskable(ids, SPECIAL_IDS) & (torch.rand(3, 14, generator=g) < 0.7)
    u = torch.rand(3, 14, generator=g)
    u[0, 1:5] = torch.tensor([0.05, 0.95, 0.8, 0.9])  # each kind, and the edges
    masked[0, 1:5] = True
    return ids, masked, u, torch.randint(5, 60, (3, 14), generator=g), MASK_ID


def _ids_and_hidden(g: torch.Generator) -> tuple[Tensor, Tensor]:
    return _corruption(g)[:2]


def _hidden_and_words(g: torch.Generator) -> tuple[Tensor, Tensor]:
    """Words of one to four pieces between special tokens; about a quarter of the pieces hidden."""
    word_ids = (torch.rand(2, 13, generator=g) < 0.5).long().cumsum(1)
    word_ids[:, 0] = word_ids[:, -2:] = -1
    masked = (torch.rand(2, 13, generator=g) < 0.25) & (word_ids >= 0)
    word_ids[0, 4:8], masked[0, 4:8] = 90, torch.tensor([False, False, True, False])
    return masked, word_ids


def _extended_right(masked: Tensor, word_ids: Tensor) -> Tensor:
    same_word = word_ids[:, :, None] == word_ids[:, None, :]
    before = torch.ones_like(same_word[0]).tril()
    return (same_word & before & masked[:, None, :]).any(-1)


EXERCISES = (
    Exercise(
        id="4.1",
        minutes=5,
        prompt="Candidates",
        reference=maskable,
        inputs=_rows_of_another_vocabulary,
        hints=(
            "For each id: is it in the list? PyTorch has a function for that.",
            "torch.isin(ids, torch.tensor(special_ids)) is True at special tokens. You need the "
            "opposite.",
            "return ~torch.isin(ids, torch.tensor(special_ids))",
        ),
        misconceptions=(
            Misconception(
                lambda ids, special: torch.isin(ids, torch.tensor(special)),
                "This is True at the special tokens. True should mean may be hidden.",
            ),
            Misconception(
                lambda ids, special: ids != 0,
                "This leaves out padding only. [CLS], [SEP] and [UNK] are special as well: use "
                "special_ids.",
            ),
            Misconception(
                lambda ids, special: ids > max(special),
                "This takes every id up to the largest special one for special. Other vocabularies have "
                "ordinary ids among them: ask for each id whether it is in the list.",
            ),
            Misconception(
                lambda ids, special: ids >= len(special),
                "This counts on the special ids coming first. Other vocabularies number them "
                "differently: ask for each id whether it is in special_ids.",
            ),
            Misconception(
                lambda ids, special: (ids[..., None] != torch.tensor(special)).any(-1),
                "Every id differs from *some* special id. It has to differ from all of them: `&`, or "
                ".all(-1).",
            ),
        ),
    ),
    Exercise(
        id="4.2",
        minutes=20,
        prompt="A fixed count",
        reference=hide_fixed_count,
        inputs=_noise_and_candidates,
        trials=6,
        hints=(
            "Three steps: how many in each row, each place's rank by noise, rank < count.",
            "maskable.sum(1, keepdim=True) is (B, 1). Give places that may not be hidden a noise "
            "above 1, so that they come last.",
            "count = (maskable.sum(1, keepdim=True) * ratio).round().clamp(min=1); rank = "
            "noise.masked_fill(~maskable, 2).argsort(1).argsort(1); return rank < count",
        ),
        misconceptions=(
            Misconception(
                lambda n, c, r: (n < r) & c,
                "That is Bernoulli masking: a coin for each token. The number of hidden tokens has to "
                "be fixed: take the smallest noises.",
            ),
            Misconception(
                lambda n, c, r: _rank(n) < _count(c, r),
                "Tokens that may not be hidden took some of the places. Give them a noise above 1 "
                "before you rank.",
            ),
            Misconception(
                lambda n, c, r: (_rank(n) < _count(c, r)) & c,
                "Tokens that may not be hidden took some of the places, and `& maskable` then left too "
                "few. Give them a noise above 1 *before* you rank.",
            ),
            Misconception(
                lambda n, c, r: _rank(n.masked_fill(c, 2.0)) < _count(c, r),
                "The candidates were sent to the end, and the others hidden. masked_fill writes where "
                "its mask is True: ~maskable.",
            ),
            Misconception(
                lambda n, c, r: _rank(n.masked_fill(~c, 2.0)) <= _count(c, r),
                "One too many in each row: ranks count from 0, so `rank < count`.",
            ),
            Misconception(
                lambda n, c, r: (
                    _rank(n.masked_fill(~c, 2.0)) < (c.sum(1, keepdim=True) * r).round()
                ),
                "A short row was left with nothing to guess. At least one: .clamp(min=1).",
            ),
            Misconception(
                lambda n, c, r: (
                    _rank(n.masked_fill(~c, 2.0))
                    < (c.sum(1, keepdim=True) * r).floor().clamp(min=1)
                ),
                "The count was cut down to an integer. It has to be rounded: .round().",
            ),
            Misconception(
                lambda n, c, r: n.masked_fill(~c, 2.0).argsort(1) < _count(c, r),
                "argsort says which place comes first, second, ...; you need each place's rank. "
                "argsort twice.",
            ),
            Misconception(
                lambda n, c, r: (_rank(n.masked_fill(~c, 2.0)) < _count(torch.ones_like(c), r)) & c,
                "You took the share of the whole row, special tokens and padding included. It is a "
                "share of the candidates.",
            ),
        ),
    ),
    Exercise(
        id="4.3",
        minutes=9,
        prompt="80 / 10 / 10",
        reference=replace_80_10_10,
        inputs=_corruption,
        hints=(
            "Make two boolean tensors first: where does [MASK] go, and where a random id? Both only "
            "where hidden.",
            "to_mask = masked & (u < 0.8); to_random = masked & (u >= 0.9). All else stays.",
            "return torch.where(to_mask, mask_id, torch.where(to_random, random_ids, ids))",
        ),
        misconceptions=(
            Misconception(
                lambda ids, h, u, r, m: torch.where(h, m, ids),
                "Every hidden token became [MASK]. A tenth should become random, a tenth should stay.",
            ),
            Misconception(
                lambda ids, h, u, r, m: _replace(ids, torch.ones_like(h), u, r, m),
                "You replaced tokens that are not hidden, even special ones. Only where masked is "
                "True.",
            ),
            Misconception(
                lambda ids, h, u, r, m: _replace(ids, h, u, r, m, 0.8),
                "All hidden tokens changed: from .8 to below .9 a token should stay as it is.",
            ),
            Misconception(
                lambda ids, h, u, r, m: torch.where(
                    h & (u < 0.8), m, torch.where(h & (u < 0.9), r, ids)
                ),
                "The two tenths are swapped: from .8 to .9 a token stays, from .9 on it is random.",
            ),
        ),
    ),
    Exercise(
        id="4.4",
        minutes=4,
        prompt="Labels",
        reference=make_labels,
        inputs=_ids_and_hidden,
        hints=(
            "At which places is there nothing to guess? Write -100 there.",
            "ids.masked_fill(places, -100) writes where places is True, into a new tensor.",
            "return ids.masked_fill(~masked, -100)",
        ),
        misconceptions=(
            Misconception(
                lambda ids, h: ids.clone(),
                "Every token has a label: the model would mostly be asked to copy what it sees. -100 "
                "where nothing is hidden.",
            ),
            Misconception(
                lambda ids, h: ids.masked_fill(h, -100),
                "Upside down: the hidden tokens are the ones to be guessed, and they got -100.",
            ),
            Misconception(
                lambda ids, h: ids * h,
                "Visible places got 0, which is the id of [PAD]: the model would be asked to say "
                "[PAD] there. cross_entropy skips -100 only.",
            ),
            Misconception(
                lambda ids, h: ids[h],
                "These are the right answers, but without their places. Labels have the shape of ids.",
            ),
        ),
    ),
    Exercise(
        id="4.5",
        minutes=12,
        prompt="Whole words",
        reference=extend_to_whole_words,
        inputs=_hidden_and_words,
        hints=(
            "For each piece: is there any hidden piece with the same word number in its row?",
            "same_word = word_ids[:, :, None] == word_ids[:, None, :] is (B, T, T): which pieces "
            "belong together.",
            "return (same_word & masked[:, None, :]).any(-1)",
        ),
        misconceptions=(
            Misconception(
                lambda h, w: ((w[:, :, None] == w[:, None, :]) & h[:, None, :]).all(-1),
                "A word was hidden only if *every* token of the row is one of its hidden pieces. One "
                "hidden piece is enough: `any`, not `all`.",
            ),
            Misconception(
                _extended_right,
                "Only the pieces *behind* a hidden one were added. A word goes both ways.",
            ),
            Misconception(
                lambda h, w: (((w[:, :, None] == w[:, None, :]) & ~h[:, None, :]).any(-1) < 1) & h,
                "This keeps only words whose pieces are *all* hidden. One hidden piece is enough.",
            ),
            Misconception(
                lambda h, w: h | h.roll(1, 1) | h.roll(-1, 1),
                "You added the neighbours, whichever word they belong to. Compare word numbers.",
            ),
            Misconception(
                lambda h, w: torch.isin(w, w[h]),
                "Word numbers of *all* rows went into one set: word 3 of one row hid word 3 of "
                "another. Compare within a row.",
            ),
        ),
    ),
)


QUIZ = (
    Question(
        id="4.q1",
        prompt="A row has 5 candidates and the ratio is 15 %. How many tokens does BERT's way hide?",
        options=(
            ("One.", "0.75 rounds to 1, and it would be at least one anyway."),
            ("None: 15 % of 5 is less than one.", "Then the row would teach nothing."),
            ("It depends on chance.", "That is Bernoulli masking. BERT's count is fixed."),
        ),
        answer=0,
    ),
    Question(
        id="4.q2",
        prompt="A hidden token was left as it is. What is its label?",
        options=(
            (
                "-100, since nothing is missing.",
                "The model cannot know that: it is asked all the same.",
            ),
            (
                "The token itself.",
                "It may be wrong for all the model knows, so it has to check.",
            ),
            ("[MASK]", "[MASK] is never an answer."),
        ),
        answer=1,
    ),
    Question(
        id="4.q3",
        prompt="What makes masking dynamic?",
        options=(
            ("It follows the content of the text.", "That would be score-guided masking."),
            (
                "It is drawn anew whenever the text is shown.",
                "Static masking is drawn once, before training.",
            ),
            ("Its ratio follows the length of the text.", "That is a length-adaptive ratio."),
        ),
        answer=1,
    ),
    Question(
        id="4.q4",
        prompt="A model's loss on tinyworld lies below the floor. What has happened?",
        options=(
            ("It has understood the language perfectly.", "Perfect understanding *is* the floor."),
            ("It needs more training.", "More training cannot help: nothing lies below the floor."),
            (
                "Chance on few sentences, or a leak: it sees something it should not.",
                "Or model and floor were scored on different hidden places.",
            ),
        ),
        answer=2,
    ),
)
