"""Search: which passage answers a query, by vectors, by words, or by several rankings at once. Lesson 8.

An index knows the passages and gives each of them a score for a query, larger is better:

    embed = TextEncoder(model.encoder, tokenizer)
    by_vectors = VectorIndex(embed, embed(texts))
    by_words = WordIndex(texts)
    both = FusedIndex(by_vectors, by_words, fuse=standard_score_fusion)
    best_passages(both, passages, "how do I copy a file?")

Queries and passages go through the same encoder, and one vector stands for a text, so passages are
encoded once, and a query costs one short text and one product. Shapes: Q queries, N passages, D numbers.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional as F

from mlm_course import tokenization
from mlm_course.contracts import (
    check_callable,
    check_count,
    check_floats,
    check_ids,
    check_kind,
    checked_texts,
)
from mlm_course.evaluation import evaluation_mode
from mlm_course.models.encoder import NO_ENCODER, Encoder
from mlm_course.models.heads import mean_over_tokens, text_vectors
from mlm_course.tokenization import PAD_ID

RRF_K = 60  # of Cormack et al. 2009
MOST_SPARE = 128  # rows of a published token table are filled up to multiples of 64 or 128


class Index(Protocol):
    """What a search asks: scores (Q, N) of all passages for each query, larger is better."""

    def scores(self, queries: Sequence[str], /) -> Tensor: ...


class Hit(NamedTuple):
    """A passage that a search brings up, with its name and its score."""

    name: str
    text: str
    score: float


class TextEncoder:
    """Texts as vectors, without dropout and gradients: called with N texts it returns (N, D).

    special_tokens: whether [CLS] and [SEP] stand around a text, as in the rows that the encoder was
    trained on: True for load_minilm(), whose vectors are others without; not for python_docs. Texts
    are cut after `length` tokens, by default as many as the encoder has positions for, 256 at most.
    Errors: TypeError for another model, ValueError where tokenizer and encoder differ in vocabulary.
    """

    def __init__(
        self,
        encoder: Encoder | RareWordEncoder,
        tokenizer: Tokenizer,
        *,
        special_tokens: bool = False,
        length: int | None = None,
    ) -> None:
        check_kind("encoder", encoder, Encoder, RareWordEncoder, advice=NO_ENCODER)
        check_kind("tokenizer", tokenizer, Tokenizer)
        spare = encoder.config.vocab_size - tokenizer.get_vocab_size()
        if not 0 <= spare < MOST_SPARE:
            raise ValueError(
                f"The tokenizer has {tokenizer.get_vocab_size()} tokens, the encoder "
                f"{encoder.config.vocab_size}: take the tokenizer that it was trained with."
            )
        longest = encoder.config.max_length
        self.length = min(longest, 256) if length is None else length
        check_count("length", self.length, 1, longest)
        self.encoder, self.tokenizer, self.special_tokens = encoder, tokenizer, special_tokens

    def rows(self, texts: Sequence[str]) -> Tensor:
        """The ids of the texts, (N, T) int64, padded at the end."""
        rows = tokenization.encode(self.tokenizer, texts, special_tokens=self.special_tokens)
        return _padded([_cut(row, self.length, self.special_tokens) for row in rows])

    @torch.no_grad()
    def __call__(self, texts: Sequence[str]) -> Tensor:
        with evaluation_mode(self.encoder):
            return text_vectors(self.encoder, self.rows(texts))


def _cut(row: list[int], length: int, special_tokens: bool) -> list[int]:
    """The first ids of a row; the last one, where it is [SEP], stays."""
    return [*row[: length - 1], row[-1]] if special_tokens and len(row) > length else row[:length]


def _padded(rows: Sequence[Sequence[int]]) -> Tensor:
    """Rows of ids as one tensor (N, T), the shorter ones filled up with [PAD]."""
    width = max([1, *map(len, rows)])
    padded = [[*row, *[PAD_ID] * (width - len(row))] for row in rows]
    return torch.tensor(padded, dtype=torch.int64).reshape(len(rows), width)


def rarity(ids: Tensor, vocab_size: int) -> Tensor:
    """How much each token says about a text: log(texts / texts with it), ids (N, T) -> (V,) float.

    Both numbers count one more than there are, for tokens in no text. Padding counts 0.
    Source: Spärck Jones 1972 (inverse document frequency).
    """
    check_ids(ids, vocab_size, shape="N T")
    check_count("vocab_size", vocab_size, 1)
    texts_with = torch.zeros(vocab_size, dtype=torch.float64)
    for row in ids:
        texts_with[row.unique()] += 1
    weights = torch.log((1 + len(ids)) / (1 + texts_with)).float()
    weights[PAD_ID] = 0
    return weights


def whitened(vectors: Tensor) -> Tensor:
    """Vectors (N, D) moved and turned so that all directions matter alike: mean 0, like spreads.

    Directions in which they hardly differ stay small; the size over all stays. Errors: ValueError for
    fewer vectors than directions, N < D, or a single one.
    """
    check_floats("vectors", vectors, "N D", finite=True)
    if not vectors.numel() or len(vectors) < max(2, vectors.shape[1]):
        raise ValueError(
            f"{len(vectors)} vectors cannot be spread over {vectors.shape[1]} directions: give at "
            "least as many, and two."
        )
    centred = vectors - vectors.mean(0)
    _, spread, directions = torch.linalg.svd(centred, full_matrices=False)  # (D,), (D, D)
    turned = centred @ directions.T / (spread + 0.02 * spread[0]).clamp(min=1e-12)
    return turned * (vectors.std() / turned.std().clamp(min=1e-12))


class RareWordEncoder(nn.Module):
    """An encoder whose vectors also carry which words there are, rare ones loudest: -> (B, T, 2 D).

    The first D numbers of a token are the encoder's, which know the context. The others are the token's
    own embedding, whitened, times its rarity (V,). Over a text each half has a mean of length 1, so two
    texts' cosine is the mean of two cosines. All is trainable but rarity. Works on a copy of the encoder.
    Source: Arora et al. 2017 (means of word vectors weighted by rarity).
    """

    rarity: Tensor

    def __init__(self, encoder: Encoder, rarity: Tensor) -> None:
        super().__init__()
        check_kind("encoder", encoder, Encoder, advice=NO_ENCODER)
        check_floats("rarity", rarity, "V", finite=True)
        table = encoder.embeddings.token.weight.detach()  # (V, D)
        if len(rarity) != len(table):
            raise ValueError(
                f"rarity needs a number for each of the {len(table)} tokens, not {len(rarity)}."
            )
        self.encoder, self.config = copy.deepcopy(encoder), encoder.config
        self.words = nn.Embedding.from_pretrained(whitened(table), freeze=False)
        self.register_buffer("rarity", rarity)

    def forward(self, ids: Tensor, visible: Tensor | None = None) -> Tensor:
        visible = ids != PAD_ID if visible is None else visible  # (B, T)
        in_context = self.encoder(ids, visible)  # (B, T, D)
        words = self.words(ids) * self.rarity[ids][..., None]  # (B, T, D)
        return torch.cat([_of_mean_one(x.float(), visible) for x in (in_context, words)], -1)


def _of_mean_one(x: Tensor, visible: Tensor) -> Tensor:
    """x (B, T, D) scaled, text by text, so that the mean over tokens has length 1."""
    length = mean_over_tokens(x, visible).norm(dim=-1)  # (B,)
    return x / length.clamp(min=1e-6)[:, None, None]


class VectorIndex:
    """Scores by direction: the cosine between a query's vector and a passage's.

    embed: texts -> (N, D), such as a `TextEncoder`. vectors (N, D): the passages'. origin (D,): the
    point from which directions are seen; vectors.mean(0) takes away what all passages have in common.
    Errors: TypeError or ValueError for NaN, or sizes D that differ.
    """

    def __init__(self, embed: Any, vectors: Tensor, origin: Tensor | None = None) -> None:
        check_floats("vectors", vectors, "N D", finite=True)
        check_callable("embed", embed)
        origin = vectors.new_zeros(vectors.shape[1]) if origin is None else origin
        check_floats("origin", origin, "D", finite=True)
        self.embed, self.origin = embed, origin.to(vectors)
        self.directions = self._directions("vectors", vectors)  # (N, D)

    def scores(self, queries: Sequence[str]) -> Tensor:
        return self._directions("embed(queries)", self.embed(queries)) @ self.directions.T

    def _directions(self, name: str, vectors: Tensor) -> Tensor:
        """Vectors (N, D) seen from the origin, of length 1."""
        check_floats(name, vectors, "N D", finite=True)
        if vectors.shape[1] != len(self.origin):
            raise ValueError(
                f"{name} has {vectors.shape[1]} numbers a text, but the origin {len(self.origin)}: "
                "passages, queries and origin come from one encoder."
            )
        return F.normalize(vectors.to(self.origin) - self.origin)


class WordIndex:
    """Scores by words in common, rare ones counting more (TF-IDF): no network, no training.

    n_words: up to how many neighbouring words are also looked at together. words: a function that
    gives the words of a text, such as a tokenizer's pieces; by default stretches of two or more letters
    and digits, in small letters, which need spaces between words: "x", "R" and the signs of "C++" are
    not seen. A word's weight is (1 + log of its count) times a number that grows with its rarity; the
    score is the cosine of the weights. Errors: ValueError for texts without any word, or no query.
    """

    def __init__(
        self,
        texts: Sequence[str],
        n_words: int = 1,
        *,
        words: Callable[[str], list[str]] | None = None,
    ) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer

        check_count("n_words", n_words, 1)
        given = {} if words is None else {"tokenizer": words, "token_pattern": None}
        self.vectorizer = TfidfVectorizer(
            ngram_range=(1, n_words), sublinear_tf=True, lowercase=words is None, **given
        )
        texts = checked_texts(texts)
        try:
            self.weights = self.vectorizer.fit_transform(texts)  # (N, words), mostly zeros
        except ValueError:  # an empty vocabulary
            raise ValueError(
                "There are no words in these texts: give at least one text with a word."
            ) from None

    def scores(self, queries: Sequence[str]) -> Tensor:
        queries = checked_texts(queries)
        if not queries:
            raise ValueError("There are no queries: give at least one text in a list.")
        return torch.from_numpy((self.vectorizer.transform(queries) @ self.weights.T).toarray())


def reciprocal_rank_fusion(scores: Sequence[Tensor], k: int = RRF_K) -> Tensor:
    """The sum over searches of 1 / (k + place): scores (Q, N) of each search -> (Q, N).

    Places count from 1, equal scores share the best. The scores' sizes do not matter, so cosines and
    counts can be fused. Float64 on the CPU. Source: Cormack, Clarke and Büttcher 2009.
    """
    check_count("k", k)
    _check_tables(scores)
    return torch.stack([1 / (k + places(table).cpu().double()) for table in scores]).sum(0)


def standard_score_fusion(scores: Sequence[Tensor]) -> Tensor:
    """The sum over searches of standardised scores: scores (Q, N) of each search -> (Q, N).

    For each query the scores of a search are moved to mean 0 and scaled to a standard deviation of 1:
    unlike places they still say by how much one passage is ahead. Equal scores add nothing. Float64 on the CPU.
    """
    _check_tables(scores)
    return torch.stack([_standardised(table.cpu().double()) for table in scores]).sum(0)


def _standardised(scores: Tensor) -> Tensor:
    spread = scores.std(1, keepdim=True, correction=0)
    return (scores - scores.mean(1, keepdim=True)) / spread.clamp(min=1e-9)


def _check_tables(scores: Sequence[Tensor]) -> None:
    if not len(scores):
        raise ValueError("There is no ranking to fuse: give at least one table of scores.")
    for table in scores:
        check_floats("scores", table, "Q N", finite=True)
        if table.shape != scores[0].shape:
            raise ValueError(
                f"A table of scores has shape {tuple(table.shape)}, the first one "
                f"{tuple(scores[0].shape)}: all searches have to be over the same passages."
            )


class FusedIndex:
    """Scores of several searches at once, by places or by scores.

    fuse: what makes one table of several, `reciprocal_rank_fusion` or `standard_score_fusion`.
    """

    def __init__(
        self,
        *indexes: Index,
        fuse: Callable[[Sequence[Tensor]], Tensor] = reciprocal_rank_fusion,
    ) -> None:
        if any(not hasattr(index, "scores") for index in indexes):
            raise TypeError(
                "Each search must have scores(queries). What fuses them goes by name: "
                "fuse=standard_score_fusion."
            )
        check_callable("fuse", fuse)
        self.indexes, self.fuse = indexes, fuse

    def scores(self, queries: Sequence[str]) -> Tensor:
        return self.fuse([index.scores(queries) for index in self.indexes])


def places(scores: Tensor) -> Tensor:
    """The place of every passage for every query: scores (Q, N) -> (Q, N) int64, 1 is the best.

    Equal scores share the best of their places.
    """
    check_floats("scores", scores, "Q N", finite=True)
    rising = scores.sort(1).values
    return 1 + scores.shape[1] - torch.searchsorted(rising, scores.contiguous(), right=True)


def best_passages(index: Index, passages: Sequence[Any], query: str, n: int = 10) -> list[Hit]:
    """The n passages (with a name and a text each) that an index puts first, the best one first.

    None for an empty query, and where several passages all have one score: nothing tells them apart.
    Errors: ValueError unless the index is one of these passages.
    """
    check_count("n", n, 1)
    (query,) = checked_texts([query])
    if not query.strip():
        return []
    (scores,) = index.scores([query])  # (N,)
    if len(passages) != len(scores):
        raise ValueError(
            f"The index is of {len(scores)} passages, not of these {len(passages)}: make it anew."
        )
    if len(scores) > 1 and scores.min() == scores.max():
        return []
    scores, best = scores.topk(min(n, len(passages)))
    chosen = [passages[i] for i in best.tolist()]
    return [Hit(p.name, p.text, score) for p, score in zip(chosen, scores.tolist(), strict=True)]
