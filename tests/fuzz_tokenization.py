"""Right arguments and oracles for what `mlm_course.tokenization` offers."""

import itertools
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import torch
from fuzzing import Target
from tokenizers import Tokenizer, models

from mlm_course import tokenization as t

TEXTS = ["the cat sat on the mat", "a dog's café, and the mats", "masked words are words"]
SENTENCES = [*TEXTS, "", "the [MASK] sat.", "dogs", "CAFÉ", "漢字 the"]


@cache
def wordpiece():
    return t.train_wordpiece(TEXTS, 70)


@cache
def bpe():
    return t.train_bpe(TEXTS, 290)


def draw_training(least):
    def draw(rng):
        texts = rng.sample(TEXTS, rng.randint(1, 3))
        sizes = {"vocab_size": rng.randint(*least), "min_frequency": rng.randint(1, 3)}
        return {"texts": texts, **sizes}

    return draw


def draw_wordpiece(rng):
    return {**draw_training((60, 90))(rng), "lowercase": rng.random() < 0.5}


def draw_word_list(rng):
    words = rng.sample(["the", "cat", "sat", "down", ".", "café"], rng.randint(0, 6))
    return {"words": [*t.SPECIAL_TOKENS, *words]}


def is_word_level(answer, words):
    words = list(words)
    assert [answer.id_to_token(i) for i in range(answer.get_vocab_size())] == words
    text = " ".join(words[5:]).upper()
    own = [
        words.index(w) if w in words else t.UNK_ID for w in text.lower().replace("é", "e").split()
    ]
    assert answer.encode(text).ids == [t.CLS_ID, *own, t.SEP_ID]


def is_trained(tokenizer, texts, vocab_size):
    texts = list(texts)
    assert texts and all(isinstance(text, str) for text in texts)
    vocabulary = tokenizer.get_vocab()
    assert (
        sorted(vocabulary.values()) == list(range(len(vocabulary)))
        and len(vocabulary) <= vocab_size
    )
    assert [vocabulary[name] for name in t.SPECIAL_TOKENS] == [0, 1, 2, 3, 4]
    for text in texts:
        encoded = tokenizer.encode(text, add_special_tokens=False)
        assert t.UNK_ID not in encoded.ids


def is_wordpiece(answer, texts, vocab_size, min_frequency, lowercase):
    texts = list(texts)
    is_trained(answer, texts, vocab_size)
    assert isinstance(answer.model, models.WordPiece) and min_frequency >= 0
    assert answer.normalizer.lowercase is bool(lowercase)
    letters = {
        c for text in texts for c in answer.normalizer.normalize_str(text) if not c.isspace()
    }
    assert all(c in answer.get_vocab() or f"##{c}" in answer.get_vocab() for c in letters)


def is_bpe(answer, texts, vocab_size, min_frequency):
    texts = list(texts)
    is_trained(answer, texts, vocab_size)
    assert isinstance(answer.model, models.BPE) and min_frequency >= 0
    for text in texts:
        assert answer.decode(answer.encode(text).ids) == " ".join(text.split())


def draw_encode(rng):
    texts = rng.sample(SENTENCES, rng.randint(1, 4))
    tokenizer = rng.choice((wordpiece(), bpe()))
    return {"tokenizer": tokenizer, "texts": texts, "special_tokens": rng.random() < 0.5}


def is_encoded(answer, tokenizer, texts, special_tokens):
    texts = list(texts)
    assert len(answer) == len(texts) and isinstance(special_tokens, bool)
    for ids, text in zip(answer, texts, strict=True):
        assert isinstance(text, str)
        assert ids == tokenizer.encode(text, add_special_tokens=special_tokens).ids
        if special_tokens:
            assert ids[0] == t.CLS_ID and ids[-1] == t.SEP_ID
            ids = ids[1:-1]
        assert ids.count(t.MASK_ID) == text.count("[MASK]")


def draw_tokenizer(rng):
    return {"tokenizer": rng.choice((wordpiece(), bpe()))}


def are_starts(answer, tokenizer):
    is_bpe = isinstance(tokenizer.model, models.BPE)
    for token, i in tokenizer.get_vocab().items():
        begins = token[0] == "Ġ" if is_bpe else token[:2] != "##"
        assert bool(answer[i]) == (begins and i > 4)


def draw_words(rng):
    V = rng.randint(6, 12)
    ids = torch.randint(V, (rng.randint(1, 3), rng.randint(1, 6)))
    return {"ids": ids, "starts": torch.rand(V) < 0.6}


def are_word_ids(answer, ids, starts):
    rows = []
    for row in ids.tolist():
        numbers, word = [], -1
        for place, i in enumerate(row):
            assert isinstance(i, int) and 0 <= i < len(starts)
            begins = starts[i] or place == 0 or row[place - 1] <= 4
            word += bool(begins) and i > 4
            numbers.append(word if i > 4 else -1)
        rows.append(numbers)
    assert answer.tolist() == rows and starts.dtype == torch.bool


def draw_pack(rng):
    rows = [
        [rng.randint(5, 30) for _ in range(rng.randint(0, 5))] for _ in range(rng.randint(1, 4))
    ]
    return {"rows": rows, "length": rng.randint(2, 6), "cls": rng.random() < 0.5}


def is_packed(answer, rows, length, cls):
    rows = [list(row) for row in rows]
    flat = list(itertools.chain(*([*row, t.SEP_ID] for row in rows if row)))[:-1]
    assert all(
        isinstance(i, int | np.integer) and (i > 3 or i == t.UNK_ID) for row in rows for i in row
    )
    room, expected = length - cls, []
    while flat:
        expected.append([t.CLS_ID] * cls + flat[:room])
        flat = flat[room:]
    assert answer == expected and isinstance(cls, bool)


def draw_chunk(rng):
    length = rng.randint(1, 6)
    ids = [rng.randint(0, 30) for _ in range(rng.randint(0, 14))]
    return {"ids": ids, "length": length, "stride": rng.choice((None, rng.randint(1, length)))}


def is_chunked(answer, ids, length, stride):
    ids = list(ids)
    assert all(isinstance(i, int | np.integer) and i >= 0 for i in ids)
    stride = stride or length
    expected, start = [], 0
    while ids and (start == 0 or start + length < len(ids) + stride):
        expected.append(ids[start : start + length])
        start += stride
    assert answer == expected and 1 <= stride <= length


def draw_ids(rng):
    return {"ids": torch.randint(7, (rng.randint(1, 3), rng.randint(1, 7)))}


def are_texts(answer, ids):
    texts, places = answer
    for b, row in enumerate(ids.tolist()):
        text = place = 0
        for n, i in enumerate(row):
            assert isinstance(i, int) and i >= 0
            assert (texts[b, n], places[b, n]) == (text, place)
            text, place = (text + 1, 0) if i == t.SEP_ID else (text, place + 1)
    assert texts.shape == places.shape == ids.shape and ids.ndim == 2


def is_padding_share(answer, ids):
    flat = [i for row in ids.tolist() for i in row]
    assert all(isinstance(i, int) and i >= 0 for i in flat)
    assert abs(answer - flat.count(0) / len(flat)) < 1e-9


@cache
def folder():
    return Path(tempfile.mkdtemp(prefix="mlm-course-fuzz-"))


def draw_save(rng):
    return {**draw_tokenizer(rng), "path": str(folder() / f"{rng.randrange(3)}.json")}


def saved(tokenizer, path):
    if (
        isinstance(path, str) and path == "no such thing"
    ):  # nothing may be left in the folder of tests
        path = folder() / path
    t.save(tokenizer, path)
    return path


def is_saved(answer, tokenizer, path):
    again = Tokenizer.from_str(Path(answer).read_text(encoding="utf-8"))
    assert again.to_str() == tokenizer.to_str()
    Path(answer).unlink()


def draw_load(rng):
    path = folder() / "kept.json"
    if not path.exists():
        path.write_text(bpe().to_str(), encoding=rng.choice(("utf-8", "utf-8-sig")))
    return {"path": str(path)}


def is_loaded(answer, path):
    assert answer.to_str() == bpe().to_str() and path


TARGETS = [
    Target(t.train_wordpiece, draw_wordpiece, is_wordpiece),
    Target(t.train_bpe, draw_training((270, 300)), is_bpe),
    Target(t.word_level, draw_word_list, is_word_level),
    Target(t.encode, draw_encode, is_encoded),
    Target(t.word_starts, draw_tokenizer, are_starts),
    Target(t.word_ids, draw_words, are_word_ids),
    Target(t.pack, draw_pack, is_packed),
    Target(t.chunk, draw_chunk, is_chunked),
    Target(t.texts_in_rows, draw_ids, are_texts),
    Target(t.padding_share, draw_ids, is_padding_share),
    Target(saved, draw_save, is_saved, name="save"),
    Target(t.load, draw_load, is_loaded),
]
WITHOUT_ORACLE: dict[str, str] = {}  # title: why nothing can be compared with
NOT_FUZZED = {
    "read_tokenizer": "what `load` and `bert_from_hub` read files with, damaged ones in their tests"
}
