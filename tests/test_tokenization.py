"""Tokenizers: training, saving, words; packing and chunking lose nothing."""

from __future__ import annotations

import json
import os
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
    plain = bpe.normalizer.normalize_str(text).removeprefix(" ")
    assert bpe.decode(t.encode(bpe, [text])[0]) == plain
    if text.isascii() and text.isprintable():
        assert plain == " ".join(text.split())


def drawn_sentence(data) -> tuple[str, list[tuple[int, int]]]:
    """Words, punctuation and white space of all kinds, and where each word lies in it."""
    text, words = data.draw(st.sampled_from(["", " ", "(", "\n "])), []
    for _ in range(data.draw(st.integers(1, 6))):
        word = data.draw(st.sampled_from(["the", "café", "dog", "Masked", "xq", "漢字"]))
        words.append((len(text), len(text) + len(word)))
        text += word + data.draw(
            st.sampled_from([" ", ". ", ", ", " (", ") ", "  ", "\t", " - ", "-"])
        )
    return text + data.draw(st.sampled_from(["", ".", "?!"])), words


@tidy
@given(data=st.data())
def test_a_mask_changes_no_token_around_it(wordpiece, bpe, data):
    text, words = drawn_sentence(data)
    masked = [word for word in words if data.draw(st.booleans())]
    with_masks = text
    for start, end in reversed(masked):
        with_masks = f"{with_masks[:start]}[MASK]{with_masks[end:]}"
    for tokenizer in (wordpiece, bpe):
        plain = tokenizer.encode(text, add_special_tokens=False)
        expected: list[str | int] = []
        ends = [end for _, end in plain.offsets]
        for i, token in enumerate(plain.tokens):
            end = ends[i + 1] if token == "Ġ" else ends[i]  # a space goes with what follows
            place = next((start for start, stop in masked if start < end <= stop), None)
            if place is None:
                expected.append(token)
            elif expected[-1:] != [place]:  # the first token of a masked word
                expected.append(place)
        expected = ["[MASK]" if isinstance(token, int) else token for token in expected]
        assert tokenizer.encode(with_masks, add_special_tokens=False).tokens == expected


MASKED = [
    "She likes [MASK]. He",
    "[MASK] likes tea.",
    "She [MASK] [MASK], he",
    "[MASK]",
    "The [MASK]-dog's [MASK]",
]


@pytest.mark.parametrize("text", MASKED)
def test_a_text_with_masks_comes_back(bpe, text):
    (ids,) = t.encode(bpe, [text], special_tokens=False)
    assert bpe.decode(ids, skip_special_tokens=False) == text
    assert ids.count(t.MASK_ID) == text.count("[MASK]")


def test_byte_level_bpe_gives_no_token_to_the_end_of_a_mask(bpe):
    (encoded,) = bpe.encode_batch(["She likes [MASK]. He"], add_special_tokens=False)
    assert encoded.tokens[encoded.tokens.index("[MASK]") + 1] == "."


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


BAD_TEXTS = [
    (["a", None], TypeError, "text 1 is None"),
    (["a", 3], TypeError, "text 1 is of type int"),
    ([b"a"], TypeError, "text 0 is of type bytes"),
    ([["a", "b"]], TypeError, "text 0 is of type list"),  # the library takes it for a pair
    ([("a", "b")], TypeError, "text 0 is of type tuple"),
    (["ab \ud800 c"], ValueError, "text 0 has half a character at place 3"),
    (None, TypeError, "several texts in a list, not NoneType"),
    (b"ab", TypeError, "put a single one into a list"),
]


@pytest.mark.parametrize(("texts", "error", "message"), BAD_TEXTS)
def test_texts_that_are_none_are_named(bpe, texts, error, message):
    for use in (lambda: t.train_wordpiece(texts, 300), lambda: t.train_bpe(texts, 300),
                lambda: t.encode(bpe, texts)):  # fmt: skip
        with pytest.raises(error, match=message):
            use()


def test_no_texts_and_empty_texts_are_encoded(tokenizer):
    assert t.encode(tokenizer, []) == []
    assert t.encode(tokenizer, ["", " ", "\n"], special_tokens=False) == [[], [], []]
    assert t.encode(tokenizer, ["the\0"])[0][:2] == t.encode(tokenizer, ["the"])[0][:2]


@pytest.mark.parametrize("size", [None, "300", 300.0, True])
def test_a_size_that_is_no_number_is_refused(size):
    for train in (t.train_wordpiece, t.train_bpe):
        with pytest.raises(TypeError, match="vocab_size must be an integer"):
            train(TEXTS, size)
        with pytest.raises(TypeError, match="min_frequency must be an integer"):
            train(TEXTS, 300, min_frequency=size)


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


def test_a_path_may_begin_at_home(bpe, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    t.save(bpe, "~/mine/t.json")
    assert (tmp_path / "mine" / "t.json").exists() and t.load("~/mine/t.json")


def test_folders_and_missing_files_are_named(bpe, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"There is no file .*nowhere\.json"):
        t.load(tmp_path / "nowhere.json")
    for use in (t.load, lambda path: t.save(bpe, path)):
        with pytest.raises(IsADirectoryError, match="is a folder"):
            use(tmp_path)
        with pytest.raises(TypeError, match="path must name a file"):
            use(None)
        with pytest.raises(TypeError, match="path must name a file"):
            use("")
    with pytest.raises(TypeError, match=r"tokenizer must be a tokenizers\.Tokenizer"):
        t.save("tokenizer", tmp_path / "t.json")
    t.save(bpe, tmp_path / "new" / "t.json")
    assert t.load(tmp_path / "new" / "t.json").to_str() == bpe.to_str()


def test_a_save_that_fails_leaves_what_was_there(wordpiece, bpe, tmp_path, monkeypatch):
    path = tmp_path / "t.json"
    t.save(wordpiece, path)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(t.Path, "replace", full)
    with pytest.raises(OSError, match=r"cannot be saved as .*: No space left"):
        t.save(bpe, path)
    assert t.load(path).to_str() == wordpiece.to_str()
    assert [file.name for file in tmp_path.iterdir()] == ["t.json"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_a_pipe_or_device_is_never_replaced_by_a_tokenizer(bpe, tmp_path):
    os.mkfifo(pipe := tmp_path / "pipe")
    for use in (lambda: t.save(bpe, pipe), lambda: t.load(pipe)):
        with pytest.raises(OSError, match="is a device or pipe"):
            use()
    assert pipe.is_fifo()


def test_a_byte_order_mark_is_no_damage_and_another_encoding_is_named(bpe, tmp_path):
    path = tmp_path / "t.json"
    path.write_text(bpe.to_str(), encoding="utf-8-sig")
    assert t.load(path).to_str() == bpe.to_str()
    for encoding in ("utf-16", "latin-1"):
        path.write_text(f"é {json.loads('[1]')}", encoding=encoding)
        with pytest.raises(ValueError, match="is not UTF-8 text"):
            t.load(path)


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


@pytest.mark.parametrize("dtype", [torch.int32, torch.uint8])
def test_words_are_the_same_whatever_the_integers(wordpiece, dtype):
    ids = torch.tensor(t.encode(wordpiece, ["the coffee cafeteria"]))
    starts = t.word_starts(wordpiece)
    assert torch.equal(t.word_ids(ids.to(dtype), starts), t.word_ids(ids, starts))
    with pytest.raises(ValueError, match="the vocabulary ends at 9"):
        t.word_ids(ids, starts[:10])
    with pytest.raises(ValueError, match="token ids start at 0"):
        t.word_ids(ids - 3, starts)


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


@pytest.mark.parametrize(
    ("use", "error", "message"),
    [
        (lambda: t.pack([[7, t.SEP_ID, 8]], 4), ValueError, r"without special tokens, but \[SEP\]"),
        (lambda: t.pack([[7], [0, 0]], 4), ValueError, r"but \[PAD\] is in them"),
        (lambda: t.pack(["ab"], 4), TypeError, "row 0 must be a list, not str"),
        (lambda: t.pack([[7], None], 4), TypeError, "row 1 must be a list, not NoneType"),
        (lambda: t.pack([[7.0]], 4), TypeError, "row 0 must hold token ids.*not float"),
        (lambda: t.pack([[7, -1]], 4), ValueError, "row 0 contains -1"),
        (lambda: t.pack([[7]], 4.0), TypeError, "length must be an integer"),
        (lambda: t.pack([[7]], -4), ValueError, "length must be at least 0, not -4"),
        (lambda: t.pack([[7]], 4, cls="yes"), TypeError, "cls must be True or False"),
        (lambda: t.chunk("word", 4), TypeError, "ids must be a list, not str"),
        (lambda: t.chunk([[7], [8]], 4), TypeError, "ids must hold token ids.*not list"),
        (lambda: t.chunk([7], None), TypeError, "length must be an integer, not None"),
        (lambda: t.padding_share(torch.zeros(0, 4).long()), ValueError, "holds no tokens"),
        (lambda: t.padding_share(torch.zeros(4)), ValueError, r"must have shape \(B, T\)"),
        (lambda: t.texts_in_rows(torch.zeros(1, 4)), TypeError, "must hold integers"),
    ],
)  # fmt: skip
def test_rows_that_are_none_are_named(use, error, message):
    with pytest.raises(error, match=message):
        use()


def test_rows_may_be_tensors_and_arrays():
    rows = [torch.tensor([7, 8, 9]), torch.tensor([7]).numpy(), [t.UNK_ID, t.MASK_ID]]
    assert t.pack(rows, 4) == [[7, 8, 9, t.SEP_ID], [7, t.SEP_ID, 1, 4]]
    assert t.chunk(torch.arange(5, 10), 3) == [[5, 6, 7], [8, 9]]
