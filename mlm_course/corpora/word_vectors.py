"""Vectors for words without training a network: count who stands near whom, then compress."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class WordVectors:
    """A vocabulary and one vector a word: `vectors` (V, D), row i belongs to `words[i]`."""

    words: list[str]
    vectors: Tensor

    def __getitem__(self, words: list[str]) -> Tensor:
        """The vectors (T, D) of a list of words; KeyError names a word that has none."""
        index = {word: i for i, word in enumerate(self.words)}
        missing = [word for word in words if word not in index]
        if missing:
            raise KeyError(f"No vector for {missing[0]!r}: it is not among the frequent words.")
        return self.vectors[[index[word] for word in words]]

    def nearest(self, word: str, n: int = 5) -> list[str]:
        """The n words whose vectors point most nearly the same way."""
        unit = self.vectors / self.vectors.norm(dim=1, keepdim=True)
        ranked = (unit @ unit[self.words.index(word)]).argsort(descending=True)
        return [self.words[i] for i in ranked[1 : n + 1]]


def pmi_vectors(
    texts: Iterable[str], n_words: int = 1000, dim: int = 64, window: int = 4
) -> WordVectors:
    """Vectors of the n_words most frequent words, from their neighbours within `window` words.

    Positive pointwise mutual information, then a truncated singular value decomposition.
    Source: Levy and Goldberg 2014 (NeurIPS), section 5; the power .75: Levy et al. 2015 (TACL).
    """
    stream = [word for text in texts for word in re.findall(r"[a-z]+", text.lower())]
    words = [word for word, _ in Counter(stream).most_common(n_words)]
    index = {word: i for i, word in enumerate(words)}
    ids = torch.tensor([index.get(word, -1) for word in stream])
    u, s, _ = torch.linalg.svd(positive_pmi(neighbour_counts(ids, len(words), window)))
    return WordVectors(words, u[:, :dim] * s[:dim].sqrt())


def neighbour_counts(ids: Tensor, n_words: int, window: int) -> Tensor:
    """How often each word stands within `window` words of each other one.

    ids (N,) with -1 for words that do not count -> counts (V, V), symmetric.
    """
    counts = torch.zeros(n_words * n_words)
    for distance in range(1, window + 1):
        left, right = ids[:-distance], ids[distance:]
        both = (left >= 0) & (right >= 0)
        pairs = left[both] * n_words + right[both]
        counts += torch.bincount(pairs, minlength=n_words * n_words)
    table = counts.view(n_words, n_words)
    return table + table.T


def positive_pmi(counts: Tensor) -> Tensor:
    """log p(a, b) / p(a) p(b)^0.75 where that is positive, else 0: counts (V, V) -> (V, V)."""
    rows = counts.sum(1, keepdim=True).clamp(min=1)
    columns = counts.sum(0) ** 0.75
    ratio = counts / rows / (columns / columns.sum()).clamp(min=1e-12)
    return ratio.clamp(min=1.0).log()
