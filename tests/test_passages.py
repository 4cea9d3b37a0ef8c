"""Queries and passages from docstrings: no leak between sides, no answer in the question."""

import pytest

from mlm_course.corpora import passages, python_docs
from mlm_course.corpora.python_docs import Docstring

LONG = "It goes on for a while and says what nobody has asked for so far."
SHARED = "The axis along which the values are worked out, the last one by default."


def docstring(module, text):
    return Docstring(module, "f", text)


def split(*items):
    return passages.query_pairs([docstring(*item) for item in items], {"held"})


def test_a_pair_is_the_first_sentence_and_the_rest():
    text = f"Copy a file elsewhere. Keeps permissions, e.g. of groups.\n\n{LONG}"
    ((pair,), others) = split(("a", text))
    assert pair.query == "Copy a file elsewhere." and others == []
    assert pair.text == f"Keeps permissions, e.g. of groups. {LONG}"


def test_what_the_training_side_says_is_left_out_of_the_held_out_side():
    train, held_out = split(
        ("a", f"Sum up the numbers.\n\n{SHARED}\n\n{LONG}"),
        ("held", f"Take the largest of them.\n\n{SHARED}\n\nWhere two are equal, the first one counts."),
        ("held", f"Sum up the Numbers.\n\n{LONG} Indeed."),  # a query of the training side
        ("held", f"Take the smallest of them.\n\n{SHARED}"),  # nothing of its own is left
    )  # fmt: skip
    assert len(train) == 1
    assert [pair.text for pair in held_out] == ["Where two are equal, the first one counts."]


@pytest.mark.parametrize(
    "text",
    [
        f"Sum up the numbers.\n\nIn short: sum up the numbers. {LONG}",  # repeats its query
        f"Sums numbers.\n\n{LONG}",  # too short a query
        "Sum up the numbers.\n\nNot much more.",
        "Sum up the numbers.",
    ],
)
def test_no_pair(text):
    assert split(("a", text)) == ([], [])


def test_a_query_and_a_passage_come_once_and_passages_end():
    again = ("b", f"Sum up the numbers.\n\n{SHARED}")
    ((pair,), _) = split(("a", f"Sum up the numbers.\n\n{LONG * 20}"), again)
    assert len(pair.text.split()) == passages.PASSAGE_WORDS


def test_pieces_keep_all_words_in_order():
    text = "\n\n".join(" ".join(f"w{i}" for i in range(n)) for n in (3, 4, 25, 2))
    pieces = list(passages.pieces_of(text, 10))
    assert " ".join(pieces) == " ".join(text.split())
    assert max(len(piece.split()) for piece in pieces) <= 10
    assert pieces[0] == "w0 w1 w2 w0 w1 w2 w3"  # two paragraphs that fit


def test_real_pairs_share_nothing_between_the_sides():
    items = python_docs.docstrings()
    unseen = python_docs.split_by_module(items, 0.1, seed=0)[1]
    held = {item.module for item in unseen}
    train, held_out = passages.query_pairs(items, held)
    assert len(train) > 1500 and len(held_out) > 80
    assert {pair.module for pair in held_out} <= held
    assert not held & {pair.module for pair in train}
    said = {text.lower() for pair in train for text in (pair.query, pair.text)}
    assert not said & {text.lower() for pair in held_out for text in (pair.query, pair.text)}
    assert all(p.query.lower().rstrip(".") not in p.text.lower() for p in train + held_out)


def test_the_documentation_has_names_and_both_parts():
    everything = passages.documentation()
    assert 3000 < len(everything) < 15000
    names = {passage.name for passage in everything}
    assert {"manual: lambda", "shutil.copytree"} <= names
    assert not [name for name in names if "._" in name or name.startswith("idlelib")]
    assert max(len(passage.text.split()) for passage in everything) <= passages.PASSAGE_WORDS


def test_one_module_alone_is_refused():
    with pytest.raises(TypeError, match="several modules"):
        passages.query_pairs([], "held")
