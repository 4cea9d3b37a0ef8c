"""Tokenizers: training, saving, words; packing and chunking lose nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import chain, pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mlm_course import tokenization as t

TEXTS = [
    "The cat sat on the mat, and the dog sat on the cat.",
    "A café isn't a cafeteria; the naïve dog's café sells coffee.",
    "def f(self): return self.value + 1  # the value",
    "Masked language models fill masked words from the words around them.",
] * 3
tidy = settings(deadline=None, max_examples=100, derandomize=True)


@pytest.fixture(scope="module")
def wordpiece():
    return t.train_wordpiece(TEXTS, 120)


@pytest.fixture(scope="module")
def bpe():
    return t.train_bpe(TEXTS, 300)


@pytest.fixture(params=["wordpiece", "bpe"])
def tokenizer(request):
    return request.getfixturevalue(request.param)


# --- training ---------------------------------------------------------------------------------


def test_special_tokens_stand_first(tokenizer):
    assert tuple(map(tokenizer.token_to_id, t.SPECIAL_TOKENS)) == t.SPECIAL_IDS == (0, 1, 2, 3, 4)
    assert (t.PAD_ID, t.UNK_ID, t.CLS_ID, t.SEP_ID, t.MASK_ID) == t.SPECIAL_IDS
    (ids,) = t.encode(tokenizer, ["The [MASK] sat"])
    assert ids[0] == t.CLS_ID and ids[-1] == t.SEP_ID and ids.count(t.MASK_ID) == 1
    assert not set(t.encode(tokenizer, ["The cat"], special_tokens=False)[0]) & set(t.SPECIAL_IDS)


def test_the_size_is_what_was_asked_for(wordpiece, bpe):
    assert wordpiece.get_vocab_size() == 120 and bpe.get_vocab_size() == 300
    small = t.train_wordpiece(["ab ab"], 50)  # nothing more to learn from two letters
    assert sorted(small.get_vocab()) == sorted([*t.SPECIAL_TOKENS, "a", "b", "##b", "ab"])


def test_letters_are_not_special_tokens(wordpiece):
    """They go into the trainer as such; "##t" written in a text must stay three signs."""
    (ids,) = t.encode(wordpiece, ["the ##t"], special_tokens=False)
    assert [wordpiece.id_to_token(i) for i in ids] in (["the", "#", "#", "t"],)


def test_wordpiece_lowers_and_drops_accents(wordpiece):
    assert t.encode(wordpiece, ["CAFÉ"]) == t.encode(wordpiece, ["cafe"])
    cased = t.train_wordpiece(TEXTS, 150, lowercase=False)
    assert t.encode(cased, ["Café"]) != t.encode(cased, ["cafe"])


def test_unknown_letters(wordpiece, bpe):
    assert t.encode(wordpiece, ["漢"])[0] == [t.CLS_ID, t.UNK_ID, t.SEP_ID]
    assert t.UNK_ID not in t.encode(bpe, ["漢字 ☃"])[0]


@tidy
@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_byte_level_bpe_gives_every_text_back(bpe, text):
    plain = bpe.normalizer.normalize_str(text)
    assert bpe.decode(t.encode(bpe, [text])[0]) == plain
    if text.isascii() and text.isprintable():
        assert plain == " ".join(text.split())


WORDS = ["walk", "talk", "read", "lead", "mark", "bark", "jump", "dump"]
HASHES = f"""
import hashlib
from mlm_course.tokenization import train_bpe, train_wordpiece
texts = [f"{{w}}ing {{w}}ed un{{w}} {{w}}" for w in {WORDS}]
rare = [chr(0x4E00 + i) + "x" + chr(0x5E00 + i) for i in range(1200)]
tokenizers = train_wordpiece(texts, 70), train_wordpiece(rare, 4000), train_bpe(texts, 300)
hashes = [hashlib.sha256(tokenizer.to_str().encode()).hexdigest() for tokenizer in tokenizers]
print(hashes)
"""


def test_training_is_the_same_every_time_and_in_another_process():
    """The library alone is not: ties, the order of ## letters and the rare letters vary."""
    runs = []
    for _ in range(4):
        names: dict = {"print": lambda *_: None}
        exec(HASHES, names)
        runs.append(names["hashes"])
    assert runs[0] == runs[1] == runs[2] == runs[3]
    other = subprocess.run([sys.executable, "-c", HASHES], capture_output=True, text=True)
    assert other.stdout.strip() == str(runs[0]), other.stderr


def test_texts_may_come_from_a_generator():
    one = t.train_wordpiece((text for text in TEXTS), 120)
    assert one.to_str() == t.train_wordpiece(TEXTS, 120).to_str()


@pytest.mark.parametrize("train", [t.train_wordpiece, t.train_bpe])
def test_bad_training_is_refused(train):
    with pytest.raises(TypeError, match="put a single one into a list"):
        train("one text", 300)
    for nothing in ([], ["", "  "]):
        with pytest.raises(ValueError, match="no text"):
            train(nothing, 300)
    with pytest.raises(ValueError, match="vocab_size 20 is too small"):
        train(TEXTS, 20)
    with pytest.raises(TypeError, match="put a single one into a list"):
        t.encode(t.train_bpe(TEXTS, 270), "one text")


# --- saving and loading -----------------------------------------------------------------------


def test_loading_gives_the_tokenizer_back(tokenizer, tmp_path):
    path = tmp_path / "tokenizer.json"
    t.save(tokenizer, path)
    loaded = t.load(path)
    assert loaded.to_str() == tokenizer.to_str()
    assert t.encode(loaded, TEXTS) == t.encode(tokenizer, TEXTS)
    assert torch.equal(t.word_starts(loaded), t.word_starts(tokenizer))
    with pytest.raises(FileNotFoundError):
        t.load(tmp_path / "nowhere.json")


def damaged(content: str, bpe: str) -> dict[str, bytes]:
    parsed, panic = json.loads(content), json.loads(bpe)
    panic["model"]["continuing_subword_prefix"] = "far too long a prefix"  # the library panics
    without = json.loads(content)
    del without["model"]["vocab"]["the"]
    foreign = json.loads(content.replace("[MASK]", "<mask>"))
    moved = json.loads(content)
    vocab = moved["model"]["vocab"]
    vocab["[CLS]"], vocab["[SEP]"] = vocab["[SEP]"], vocab["[CLS]"]
    moved["added_tokens"] = []
    parsed["model"] = {"type": "WordLevel", "unk_token": "[UNK]", "vocab": parsed["model"]["vocab"]}
    jsons = [parsed, panic, without, foreign, moved]
    names = ["another model", "panic", "missing id", "other specials", "moved specials"]
    return {
        "empty": b"",
        "cut": content[: len(content) // 2].encode(),
        "not text": b"\x80\xff",
        "other json": b'{"cells": []}',
        "a list": b"[1, 2]",
        **{name: json.dumps(j).encode() for name, j in zip(names, jsons, strict=True)},
    }


def test_damaged_and_foreign_files_are_refused(wordpiece, bpe, tmp_path, capfd):
    for name, content in damaged(wordpiece.to_str(), bpe.to_str()).items():
        path = tmp_path / f"{name}.json"
        path.write_bytes(content)
        with pytest.raises(ValueError, match=name):  # the message begins with the path
            t.load(path)
    capfd.readouterr()  # what the library prints when it panics


# --- words ------------------------------------------------------------------------------------


def test_wordpiece_words_are_those_of_the_library(wordpiece):
    starts = t.word_starts(wordpiece)
    for text in [*TEXTS[:4], "catsat, on dogmat"]:
        encoding = wordpiece.encode(text)
        expected = [-1 if w is None else w for w in encoding.word_ids]
        assert t.word_ids(torch.tensor([encoding.ids]), starts).tolist() == [expected]
    assert max(expected) + 1 < len(encoding.ids) - 2  # some word does have several pieces


def test_bpe_words_stand_between_spaces(bpe):
    starts = t.word_starts(bpe)
    for text in TEXTS[:4]:
        ids = torch.tensor(t.encode(bpe, [text]))
        numbers = t.word_ids(ids, starts)[0].tolist()
        words = [bpe.decode(ids[0, [n == w for n in numbers]].tolist()) for w in range(99)]
        assert [w for w in words if w] == text.split()


def test_words_cut_at_an_edge_and_between_texts(wordpiece):
    starts = t.word_starts(wordpiece)
    begins = int(starts.nonzero()[0])
    goes_on = next(i for i in range(5, len(starts)) if not starts[i])
    row = [goes_on, goes_on, begins, goes_on, t.SEP_ID, goes_on, begins, t.UNK_ID, begins, t.PAD_ID]
    expected = [0, 0, 1, 1, -1, 2, 3, -1, 4, -1]
    assert t.word_ids(torch.tensor([row, row]), starts).tolist() == [expected, expected]
    assert t.word_ids(torch.zeros(2, 0, dtype=torch.int64), starts).shape == (2, 0)
    assert not starts[:5].any()


# --- packing and chunking ---------------------------------------------------------------------

id_lists = st.lists(st.lists(st.integers(5, 99), max_size=12), max_size=8)


@tidy
@given(id_lists, st.integers(2, 15), st.booleans())
def test_packing_loses_nothing(rows, length, cls):
    packed = t.pack(rows, length, cls=cls)
    assert all(len(row) == length for row in packed[:-1])
    assert all(cls < len(row) <= length for row in packed[-1:])
    if cls:
        assert all(row[0] == t.CLS_ID for row in packed)
        packed = [row[1:] for row in packed]
    texts: list[list[int]] = [[]]
    for i in chain.from_iterable(packed):
        if i == t.SEP_ID:
            texts.append([])
        else:
            texts[-1].append(i)
    kept = [row for row in rows if row]
    assert texts == (kept or [[]])


@tidy
@given(st.integers(0, 60), st.integers(1, 20), st.data())
def test_windows_cover_everything_in_step(size, length, data):
    stride = data.draw(st.none() | st.integers(1, length))
    ids = list(range(size))
    windows = t.chunk(ids, length, stride)
    assert set(chain.from_iterable(windows)) == set(ids)
    for k, window in enumerate(windows):
        start = k * (stride or length)
        assert window == ids[start : start + length] and window
    assert all(len(window) == length for window in windows[:-1])
    for one, two in pairwise(windows):
        assert two[-1] > one[-1]  # each window adds something


def test_bad_lengths_are_refused():
    with pytest.raises(ValueError, match="at least 2"):
        t.pack([[7]], 1, cls=True)
    with pytest.raises(ValueError, match="at least 1"):
        t.pack([[7]], 0)
    for length, stride in [(0, None), (4, 0), (4, 5), (4, -1)]:
        with pytest.raises(ValueError, match="stride"):
            t.chunk([7], length, stride)
