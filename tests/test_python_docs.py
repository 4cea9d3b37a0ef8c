"""Text from the Python on this machine: clean, without imports, split without leaks."""

import re
import sys
import textwrap

import pytest

from mlm_course.corpora import python_docs
from mlm_course.corpora.python_docs import Docstring


def test_the_manual_is_english_prose():
    texts = python_docs.manual()
    assert len(texts) > 50 and sum(map(len, texts)) > 200_000
    joined = "\n".join(texts)
    assert "statement" in joined and "::=" not in joined and ">>>" not in joined
    assert not re.search(r"^[=*~-]{4,}$", joined, re.MULTILINE)  # rules under headings
    words = re.findall(r"[a-z]+", joined.lower())
    assert len(set(words)) > 2500
    assert (
        python_docs.manual() == texts and python_docs.manual() is not texts
    )  # a list of one's own


def test_a_python_without_its_manual_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    python_docs._manual.cache_clear()
    with pytest.raises(ModuleNotFoundError, match="comes without its manual"):
        python_docs.manual()


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An installed package whose import would fail; with tests, a repeated and a broken docstring."""
    folder = tmp_path / "sampled"
    (folder / "tests").mkdir(parents=True)
    (folder / "__init__.py").write_text(
        '"""The package does things to numbers, and does them well."""\n'
    )
    (folder / "core.py").write_text(
        textwrap.dedent('''
        """Functions at the core of the package, one for each season of the year."""
        raise RuntimeError("imported")

        class Winter:
            """A season in which the numbers are small and the nights are long."""

            def snow(self):
                """Return the depth of the snow on the given day in whole centimetres."""

        def repeated():
            """A season in which the numbers are small and the nights are long."""
        ''')
    )
    (folder / "broken.py").write_text("def (:\n")
    (folder / "tests" / "test_core.py").write_text(
        '"""Tests of the core are not documentation at all."""\n'
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    python_docs._docstrings.cache_clear()
    yield "sampled"
    python_docs._docstrings.cache_clear()


def test_docstrings_are_read_without_importing_anything(package):
    found = python_docs.docstrings(package)
    names = [(item.module, item.name) for item in found]
    assert names == [
        ("sampled", ""),
        ("sampled.core", ""),
        ("sampled.core", "Winter"),
        ("sampled.core", "Winter.snow"),
    ]
    assert "sampled.core" not in sys.modules
    assert found[3].text.startswith("Return the depth of the snow")


def test_the_standard_library_has_plenty():
    found = python_docs.docstrings()
    assert sum(len(item.text) for item in found) > 600_000
    assert len({item.text for item in found}) == len(found)
    assert not [item for item in found if ".test" in item.module]


def test_an_unknown_package_is_named():
    with pytest.raises(ValueError, match="no_such_package"):
        python_docs.docstrings("no_such_package")


def items(count: int) -> list[Docstring]:
    return [
        Docstring(f"module{i % 10}", f"f{i}", f"text {i // 2} " * (i % 7 + 1)) for i in range(count)
    ]


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5])
def test_a_split_has_no_module_and_no_text_on_both_sides(share):
    train, held_out = python_docs.split_by_module(items(400), share, seed=3)
    assert train and held_out
    assert not {x.module for x in train} & {x.module for x in held_out}
    assert not {x.text for x in train} & {x.text for x in held_out}
    size = sum(len(x.text) for x in held_out) / sum(len(x.text) for x in train + held_out)
    assert size <= share or len({x.module for x in held_out}) == 1


def test_a_split_depends_on_the_seed_only():
    first, second = (python_docs.split_by_module(items(400), 0.3, seed) for seed in (1, 2))
    assert python_docs.split_by_module(items(400), 0.3, 1) == first != second


@pytest.mark.parametrize(
    ("given", "share", "words"),
    [(items(20), 1.5, "between 0 and 1"), (items(1), 0.5, "at least two modules")],
)
def test_an_impossible_split_gets_a_sentence(given, share, words):
    with pytest.raises(ValueError, match=words):
        python_docs.split_by_module(given, share, 0)


def test_paragraphs_and_sentences():
    first = "A first line\ncontinues here, e.g. with this. Then it ends."
    text = f"{first}\n\nShort one.\n\nThe last has many more words in it."
    assert python_docs.paragraphs([text], min_words=5) == [
        "A first line continues here, e.g. with this. Then it ends.",
        "The last has many more words in it.",
    ]
    assert python_docs.sentences([text], min_words=3)[:2] == [
        "A first line continues here, e.g. with this.",
        "Then it ends.",
    ]
