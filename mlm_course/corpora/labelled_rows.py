"""Labelled texts as rows of token ids with labels, ready for a model. Lesson 8."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from tokenizers import Encoding, Tokenizer
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from mlm_course.corpora.labelled import KINDS, TAGS, Message, SpanQuestion, Tagged


class Encoded(NamedTuple):
    """Rows of ids (N, T), padded, and their labels: (N,) or (N, T)."""

    ids: Tensor
    labels: Tensor


class EncodedQuestions(NamedTuple):
    """Rows of ids (N, T); context (N, T) bool, True where an answer may stand; the first and last
    token of each answer (N, 2); and the questions themselves."""

    ids: Tensor
    context: Tensor
    spans: Tensor
    items: list[SpanQuestion]


def encode_messages(
    tokenizer: Tokenizer, items: Sequence[Message], length: int, kinds: Sequence[str] = KINDS
) -> Encoded:
    """Messages as ids (N, T) and labels (N,), the places in `kinds`; at most `length` tokens."""
    rows = [encoding.ids for encoding in _encode(tokenizer, [item.text for item in items], length)]
    return Encoded(_padded(rows), torch.tensor([kinds.index(item.kind) for item in items]))


def encode_tagged(tokenizer: Tokenizer, items: Sequence[Tagged], length: int) -> Encoded:
    """Sentences as ids (N, T) and labels (N, T), the places in `TAGS`.

    A word's first piece carries its tag; other pieces, special tokens and padding carry -100. What
    does not fit into `length` tokens is cut off.
    """
    encodings = _encode(tokenizer, [item.words for item in items], length)
    labels = [
        _first_pieces(encoding, item.tags) for encoding, item in zip(encodings, items, strict=True)
    ]
    return Encoded(_padded([encoding.ids for encoding in encodings]), _padded(labels, -100))


def encode_in_one_text(
    tokenizer: Tokenizer, items: Sequence[SpanQuestion], length: int
) -> EncodedQuestions:
    """Rows `[CLS] question context [SEP]`, and where the answer stands in tokens.

    For an encoder whose pretraining packed texts into rows: there, [SEP] stood between texts that had
    nothing to do with each other. Questions whose row would be longer than `length` are left out.
    """
    encodings = tokenizer.encode_batch([f"{item.question} {item.context}" for item in items])
    kept = [(i, e) for i, e in zip(items, encodings, strict=True) if len(e.ids) <= length]
    first = [len(item.question) + 1 for item, _ in kept]  # character of the context
    context = [
        [int(begin >= at and end > begin) for begin, end in e.offsets]
        for at, (_, e) in zip(first, kept, strict=True)
    ]
    spans = [
        (e.char_to_token(at + i.start), e.char_to_token(at + i.end - 1))
        for at, (i, e) in zip(first, kept, strict=True)
    ]
    ids = _padded([e.ids for _, e in kept])
    return EncodedQuestions(ids, _padded(context).bool(), torch.tensor(spans), [i for i, _ in kept])


def _first_pieces(encoding: Encoding, tags: Sequence[str]) -> list[int]:
    """A label for each token: its word's tag if it is the word's first piece, else -100."""
    labels, previous = [], None
    for word in encoding.word_ids:
        labels.append(TAGS.index(tags[word]) if word is not None and word != previous else -100)
        previous = word
    return labels


def _encode(tokenizer: Tokenizer, texts: Sequence[str | list[str]], length: int) -> list[Encoding]:
    """Encodings of texts, or of lists of words, cut to `length` tokens."""
    words = any(isinstance(text, list) for text in texts)
    room = length - 2  # [CLS] and [SEP]
    encodings = tokenizer.encode_batch(texts, is_pretokenized=words, add_special_tokens=False)
    for encoding in encodings:
        encoding.truncate(room)
    return [tokenizer.post_process(encoding) for encoding in encodings]


def _padded(rows: Iterable[Sequence[int]], value: int = 0) -> Tensor:
    return pad_sequence([torch.tensor(row) for row in rows], True, value)
