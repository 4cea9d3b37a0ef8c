"""The best possible guess for the hidden words of tinyworld, and the loss of that guesser.

Write s for a pattern (a sentence shape of this length), t for one of its tables, r for a row of a
table, and [...] for 1 if the statement holds, else 0. Bayes' rule over the patterns gives

    P(v at i | visible) = sum over s of  P(s | visible)  P(v at i | s, visible)

    P(s | visible)  is proportional to  P(s) [the fixed words agree] * product over t of E(t)
    E(t)            = sum over r of P(r) [row r agrees with the visible words that read t]

Given the pattern, a word at i hangs on one table only, and tables are drawn independently. So each
table is summed alone, never the cross product of all tables, and

    P(v at i | s, visible) = share of E(t) that comes from rows with the word v at i

or [v is the fixed word at i] where the shape fixes the word. [MASK] tokens leave the length of
the sentence visible, so only patterns of that length take part: length is evidence too.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from mlm_course.corpora.tinyworld_grammar import Grammar, Pattern
from mlm_course.corpora.tinyworld_language import TINYWORLD
from mlm_course.tokenization import CLS_ID, MASK_ID, PAD_ID, SEP_ID

_ROWS_AT_ONCE = 512  # bounds the memory of the table sums
_TINY = 1e-300  # 0 / _TINY is 0: what cannot be gets no share


def masked_posterior(ids: Tensor, masked: Tensor, grammar: Grammar = TINYWORLD) -> Tensor:
    """Exact probability of every word at every hidden position, given the visible words.

    ids (B, T) int64, one sentence a row, with or without [CLS], [SEP] and [PAD]; masked (B, T)
    bool. What ids hold at hidden positions is not looked at: the true words or [MASK].
    Returns (B, T, V), float64: sums to 1 over V at hidden positions, is 0 elsewhere.

    Holds for corruption by [MASK] only, at positions chosen without looking at the words.
    Raises ValueError if [CLS], [SEP] or [PAD] is hidden, or if the visible words of a row fit no
    sentence of the language.
    """
    joint = torch.zeros(*ids.shape, len(grammar.vocabulary), dtype=torch.float64)
    for rows, inside in _same_length(ids, masked, grammar):
        joint[rows, inside] = _joint(ids[rows, inside], masked[rows, inside], grammar)
    evidence = joint.sum(2, keepdim=True)  # (B, T, 1) P(visible words), wherever there is a word
    _refuse_impossible(ids, masked, (evidence > 0).flatten(1).any(1), grammar)
    return joint.div_(evidence.clamp_min(_TINY)).mul_(masked[..., None])


def loss_floor(ids: Tensor, masked: Tensor, grammar: Grammar = TINYWORLD) -> float:
    """Loss of the best possible guesser at these hidden positions, in nats per hidden token.

    ids (B, T): the true words; masked (B, T) bool. The mean of -log P(true word | visible words)
    over all hidden tokens. No model has a lower expected loss; on few sentences one may be lucky
    and fall below it. Score model and floor at the same hidden positions. Raises ValueError if
    nothing is hidden, if ids are not whole sentences, or as `masked_posterior` does.
    """
    if not masked.any():
        raise ValueError("No token is hidden, so there is no loss: hide at least one.")
    if (ids == MASK_ID).any():
        raise ValueError("loss_floor needs the true words: pass the ids from before the masking.")
    nothing = torch.zeros_like(masked)
    _refuse_impossible(ids, nothing, sentence_probability(ids, nothing, grammar) > 0, grammar)
    surprise = []
    for rows in torch.arange(len(ids)).split(_ROWS_AT_ONCE):
        posterior = masked_posterior(ids[rows], masked[rows], grammar)  # (b, T, V)
        true = posterior.gather(2, ids[rows][..., None])[..., 0]  # (b, T)
        surprise.append(-true[masked[rows]].log())
    return torch.cat(surprise).mean().item()


def sentence_probability(
    ids: Tensor, masked: Tensor | None = None, grammar: Grammar = TINYWORLD
) -> Tensor:
    """How often the language says the visible words: a probability (B,), float64, for each row.

    ids, masked (B, T) as in `masked_posterior`. With nothing hidden (the default) it is the
    probability of the whole sentence, 0 if the row is no sentence of the language.
    """
    masked = torch.zeros_like(ids, dtype=torch.bool) if masked is None else masked
    chance = torch.zeros(len(ids), dtype=torch.float64)
    for rows, inside in _same_length(ids, masked, grammar):
        words, gone = ids[rows, inside], masked[rows, inside]
        for pattern in grammar.patterns:
            if len(pattern.slots) == words.shape[1]:
                chance[rows] += beliefs(pattern, words, gone)[0]
    return chance


def beliefs(pattern: Pattern, words: Tensor, masked: Tensor) -> tuple[Tensor, list[Tensor]]:
    """How well a pattern explains the visible words, and what they say about each table.

    words, masked (b, L), L the length of the pattern. Returns P(pattern, visible words) (b,), and
    for each of `pattern.parts` P(row | pattern, visible words) (b, R), zeros if none agrees.
    """
    agrees = (words == pattern.fixed) | masked | (pattern.fixed < 0)  # (b, L)
    joint = pattern.probability * agrees.all(1).double()  # (b,)
    rows = []
    for part in pattern.parts:
        seen, gone = words[:, None, part.positions], masked[:, None, part.positions]  # (b, 1, n)
        weight = part.prior * ((seen == part.words) | gone).all(2)  # (b, R)
        evidence = weight.sum(1)  # (b,) E(t)
        joint = joint * evidence
        rows.append(weight / evidence.clamp_min(_TINY)[:, None])
    return joint, rows


def _joint(words: Tensor, masked: Tensor, grammar: Grammar) -> Tensor:
    """P(v at i, visible words) (b, L, V), for rows of one length without special tokens."""
    joint = torch.zeros(*words.shape, len(grammar.vocabulary), dtype=torch.float64)
    for pattern in grammar.patterns:
        if len(pattern.slots) != words.shape[1]:
            continue
        chance, rows = beliefs(pattern, words, masked)
        fixed = (pattern.fixed >= 0).nonzero()[:, 0]
        joint[:, fixed, pattern.fixed[fixed]] += chance[:, None]
        for part, row in zip(pattern.parts, rows, strict=True):
            share = chance[:, None] * row  # (b, R) P(pattern, row, visible words)
            for position, column in zip(part.positions.tolist(), part.words.T, strict=True):
                joint[:, position].index_add_(1, column, share)
    return joint


def _same_length(ids: Tensor, masked: Tensor, grammar: Grammar) -> Iterator[tuple[Tensor, slice]]:
    """Rows whose sentences have one length, and the slice of T that holds their words."""
    start, length = _layout(ids, masked, grammar)
    for first, size in torch.stack([start, length], 1).unique(dim=0).tolist():
        rows = ((start == first) & (length == size)).nonzero()[:, 0]
        for chunk in rows.split(_ROWS_AT_ONCE):
            yield chunk, slice(first, first + size)


def _layout(ids: Tensor, masked: Tensor, grammar: Grammar) -> tuple[Tensor, Tensor]:
    """Where the words of each row start (B,) and how many there are (B,)."""
    if ids.dim() != 2 or ids.shape != masked.shape or masked.dtype != torch.bool:
        raise ValueError("ids must be (B, T) int64, and masked a bool tensor of the same shape.")
    if ((ids < 0) | (ids >= len(grammar.vocabulary))).any():
        raise ValueError(f"ids must lie between 0 and {len(grammar.vocabulary) - 1}.")
    word = (ids != PAD_ID) & (ids != CLS_ID) & (ids != SEP_ID)  # (B, T)
    start, length = (ids[:, :1] == CLS_ID).sum(1), word.sum(1)
    place = torch.arange(ids.shape[1]) - start[:, None]
    if (word != ((place >= 0) & (place < length[:, None]))).any():
        raise ValueError("A row must be one sentence: [CLS] or not, words, [SEP] or not, [PAD].")
    if (masked & ~word).any():
        raise ValueError("[PAD], [CLS] and [SEP] are never hidden: set masked to False there.")
    if (~masked & (ids == MASK_ID)).any():
        raise ValueError("A visible position holds [MASK]: set masked to True there.")
    return start, length


def _refuse_impossible(ids: Tensor, masked: Tensor, possible: Tensor, grammar: Grammar) -> None:
    if possible.all():
        return
    row = int((~possible).nonzero()[0])
    shown = ids[row].masked_fill(masked[row], MASK_ID).tolist()
    text = " ".join(grammar.vocabulary[i] for i in shown if i != PAD_ID)
    raise ValueError(
        f"Row {row} is no sentence of the language: {text!r}. "
        "(Words replaced by random words have no exact posterior: hide with [MASK] only.)"
    )
