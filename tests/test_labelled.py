"""Labels taken from the authors' own code and markup: small sources written here, then real ones."""

import pytest

from mlm_course import tokenization
from mlm_course.corpora import labelled, python_docs
from mlm_course.corpora.labelled_rows import encode_messages, encode_tagged

SOURCE = '''
"""A module."""
import warnings


def area(width, height=None):
    """Area of a field.

    Parameters
    ----------
    width : float
        How wide it is.
    height : int or None, optional
        How high it is. If ``None``, `width` is used.
    *args : tuple
        More.

    Returns
    -------
    float
        The area. It is what :func:`~numpy.prod` gives for ``width=2``.
    """
    if width < 0:
        raise ValueError(f"The width {width} must not be {'neg' + 'ative'} here.")
    try:
        if height:
            warnings.warn("A height is a thing of the " + "past.", DeprecationWarning)
    except TypeError:
        raise TypeError("Give me %s numbers, and numbers only." % height)
    raise RuntimeError("too short")


def again(x):
    warnings.warn("This one is used in both ways.")
    raise ValueError("This one is used in both ways.")
'''


@pytest.fixture
def package(tmp_path, monkeypatch):
    (tmp_path / "fields.py").write_text(SOURCE)
    (tmp_path / "broken.py").write_text("def (:")
    monkeypatch.setattr(
        python_docs,
        "sources",
        lambda name: [(tmp_path / f"{n}.py", n) for n in ("fields", "broken")],
    )
    labelled._read.cache_clear()
    yield "fields"
    labelled._read.cache_clear()


def test_messages_are_read_from_the_code(package):
    kinds = {item.text: item.kind for item in labelled.messages([package])}
    assert kinds == {
        "The width width must not be ... here.": "error",
        "A height is a thing of the past.": "warning",
        "Give me %s numbers, and numbers only.": "error",
    }


def test_tags_come_from_the_markup_which_is_gone(package):
    tagged = {" ".join(item.words): item.tags for item in labelled.tagged_sentences([package])}
    assert tagged["If None , width is used ."] == ["O", "B-VALUE", "O", "B-PARAM", "O", "O", "O"]
    words = "It is what numpy . prod gives for width = 2 ."
    tags = ["B-CODE", "I-CODE", "I-CODE", "O", "O", "B-CODE", "I-CODE", "I-CODE", "O"]
    assert tagged[words] == ["O", "O", "O", *tags]
    assert len(tagged) == 2  # sentences without marks are left out


def test_a_split_parts_modules_and_depends_on_names_only():
    items = [labelled.Message(f"m{i % 40}", str(i), "error") for i in range(200)]
    train, test = labelled.split_by_held_out(items, 0.25)
    assert sorted(train + test) == sorted(items)
    assert not {item.module for item in train} & {item.module for item in test}
    assert 3 <= len({item.module for item in test}) <= 20
    half = labelled.split_by_held_out(items[:100], 0.25)
    assert {item.module for item in half[1]} <= {item.module for item in test}
    named = labelled.split_by_held_out(items, {"m3", "elsewhere"})
    assert {item.module for item in named[1]} == {"m3"}


REPEATS = '''
def area():
    """If ``None``,
    *width* is used; see :func:`~numpy.prod`.
    """
'''


def test_what_another_module_says_too_is_left_out(tmp_path, monkeypatch):
    (tmp_path / "b.py").write_text(REPEATS)
    monkeypatch.setattr(python_docs, "sources", lambda name: [(tmp_path / "b.py", f"{name}.b")])
    said = [
        ["if", "None", ",", "width", "is", "used"],
        ["is", "used", ";", "see", "numpy", ".prod"],
    ]
    new = [["width", "is", "not", "used"], ["If", "None", "is", "used"]]
    items = [labelled.Tagged("fields.a", words, ["O"] * len(words)) for words in said + new]
    labelled._letters_of.cache_clear()
    kept = labelled.not_said_elsewhere(items, ["fields"], {"fields.a"})
    assert [item.words for item in kept] == new
    assert labelled.not_said_elsewhere(items, "fields", {"fields.a", "fields.b"}) == items
    assert labelled.not_said_elsewhere([], ["fields"], set()) == []
    labelled._letters_of.cache_clear()


@pytest.fixture(scope="module")
def tokenizer():
    return tokenization.train_wordpiece([SOURCE], vocab_size=120)


def test_only_first_pieces_carry_tags(tokenizer):
    words = ["If", "heightened", "is", "None"]
    tags = ["O", "B-PARAM", "O", "B-VALUE"]
    rows = encode_tagged(tokenizer, [labelled.Tagged("m", words, tags)] * 2, 64)
    pieces = [tokenizer.id_to_token(i) for i in rows.ids[0].tolist()]
    asked = [(p, labelled.TAGS[t]) for p, t in zip(pieces, rows.labels[0].tolist(), strict=True)
             if t != -100]  # fmt: skip
    assert [tag for _, tag in asked] == tags
    assert not any(piece.startswith("##") for piece, _ in asked)
    assert sum(piece.startswith("##") for piece in pieces) > 2


def test_rows_are_cut_and_keep_their_last_token(tokenizer):
    long = labelled.Message("m", "word " * 100, "warning")
    rows = encode_messages(tokenizer, [long, labelled.Message("m", "a b", "error")], 16)
    assert rows.ids.shape[1] == 16 and rows.labels.tolist() == [1, 0]
    assert rows.ids[0, -1] == tokenization.SEP_ID and rows.ids[0, 0] == tokenization.CLS_ID


@pytest.mark.slow
def test_the_real_packages_have_enough_of_everything():
    """sklearn alone; ranges, because versions differ."""
    messages = labelled.messages("sklearn")
    kinds = [item.kind for item in messages]
    assert kinds.count("warning") > 100 and kinds.count("error") > 500
    sentences = labelled.tagged_sentences("sklearn")
    assert len(sentences) > 1000
    assert all(len(item.words) == len(item.tags) for item in sentences)
    assert {tag for item in sentences for tag in item.tags} >= {"O", "B-PARAM", "B-VALUE", "B-CODE"}
    assert not any("`" in word for item in sentences for word in item.words)
