"""python_docs: what is kept of Python's manual and of docstrings, and how it is split."""

import builtins
import subprocess
import sys
import textwrap

import pytest

from mlm_course.corpora import python_docs
from mlm_course.corpora.python_docs import Docstring


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package on disk that must never be imported."""
    folder = tmp_path / "quiet_package"
    (folder / "inner" / "tests").mkdir(parents=True)
    files = {
        "__init__.py": '"""The package speaks first."""\nraise SystemExit("imported!")\n',
        "shapes.py": '''
            """Shapes of things."""
            def area(w, h):
                """Area of a plain rectangle.

                >>> area(2, 3)
                6
                """
                def inner():
                    """Words inside a function."""
            class Box:
                """A box with four walls."""
                async def open(self):
                    """Area of a plain rectangle."""
            if True:
                def hidden():
                    """Found under an if statement."""
            try:
                pass
            except ValueError:
                def rescue():
                    """Found under an except clause."""
            def bare(): "no words"
        ''',
        "inner/__init__.py": "x = 1\n",
        "inner/deep.py": '"""A deep module, in Latin-1: caf\xe9 au lait."""\n',
        "inner/tests/test_it.py": '"""Tests are not documentation."""\n',
        "broken.py": '"""Never closed\ndef f(:\n',
        "odd.py": '"""A text with an \\\\invalid \\escape in it."""\n',
    }
    for name, text in files.items():
        text = textwrap.dedent(text)
        encoding = "latin-1" if name == "inner/deep.py" else "utf-8"
        head = "# coding: latin-1\n" if name == "inner/deep.py" else ""
        (folder / name).write_text(head + text, encoding=encoding)
    (tmp_path / "lone_module.py").write_text('"""One file is a package too."""\n')
    monkeypatch.syspath_prepend(str(tmp_path))
    python_docs._docstrings.cache_clear()
    yield "quiet_package"
    python_docs._docstrings.cache_clear()


# The manual


def test_manual_is_prose():
    texts = python_docs.manual()
    assert len(texts) >= 50 and 200_000 < sum(map(len, texts)) < 600_000
    assert all(texts) and python_docs.manual() == texts
    whole = "\n".join(texts)
    for noise in (">>>", "::=", "====", "****", "+---", ":func:", "\t", "  "):
        assert noise not in whole, noise
    assert "Assert statements are a convenient way to insert debugging assertions" in whole
    assert "if not expression: raise AssertionError" not in whole  # code


def test_manual_cannot_be_changed_by_its_reader():
    python_docs.manual().clear()
    assert python_docs.manual()


def test_a_python_without_its_manual_says_so(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("pydoc_data"):
            raise ModuleNotFoundError(f"No module named {name!r}")
        return real(name, *args, **kwargs)

    python_docs._manual.cache_clear()
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ModuleNotFoundError, match="comes without its manual"):
        python_docs.manual()


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("The list\n********\n\nA list holds *many*\nthings.", "A list holds many things."),
        ('It is "None" or ``True``, see\n`x`.', "It is None or True, see x."),
        ("Use :class:`~fractions.Fraction` here now.", "Use fractions.Fraction here now."),
        ("See :ref:`the tutorial <tut>` for more.", "See the tutorial for more."),
        ("A post-\nmortem debugger stops here.", "A post-mortem debugger stops here."),
        ("Some footnote marks [3] are dropped. [1]", "Some footnote marks are dropped."),
        ("It is so:\n\n   x = f(1)\n   y = g(2)\n\nAnd so on.", "It is so:\n\nAnd so on."),
        ("pdb.run(x)\n\n   Execute the whole *statement* now.", "Execute the whole statement now."),
        ("Two things are so:\n\n* the first one is.\n* the second one is.",
         "Two things are so:\n\nthe first one is.\n\nthe second one is."),
        ("Double it twice.\n>>> double(2)\n8", "Double it twice."),
        ("Parameters\n----------\nx : int\n    The number of words.", "x : int The number of words."),
        (":param x: the number of words", "the number of words"),
        ("if x > 1 & y[2] == {3}:", ""),
        ("the methods * and + are the usual ones.", "the methods * and + are the usual ones."),
        ("pass *args and **kwargs to it, then.", "pass *args and **kwargs to it, then."),
        ("", ""),
    ],
)  # fmt: skip
def test_markup_is_taken_off(raw, clean):
    assert python_docs._clean(raw) == clean


# Docstrings


def test_docstrings_are_read_and_not_imported(package):
    items = python_docs.docstrings([package])
    assert package not in sys.modules
    assert items == [
        Docstring("quiet_package", "", "The package speaks first."),
        Docstring("quiet_package.odd", "", r"A text with an \invalid \escape in it."),
        Docstring("quiet_package.shapes", "", "Shapes of things."),
        Docstring("quiet_package.shapes", "area", "Area of a plain rectangle."),
        Docstring("quiet_package.shapes", "area.inner", "Words inside a function."),
        Docstring("quiet_package.shapes", "Box", "A box with four walls."),
        Docstring("quiet_package.shapes", "hidden", "Found under an if statement."),
        Docstring("quiet_package.shapes", "rescue", "Found under an except clause."),
        Docstring("quiet_package.inner.deep", "", "A deep module, in Latin-1: caf\xe9 au lait."),
    ]
    assert python_docs.docstrings(package) == items  # a single name will do
    assert python_docs.docstrings(["lone_module"]) == [
        Docstring("lone_module", "", "One file is a package too.")
    ]
    both = python_docs.docstrings(["lone_module", package])
    assert [item.module for item in both] == ["lone_module"] + [i.module for i in items]


def test_packages_that_cannot_be_read_are_named(package):
    with pytest.raises(ValueError, match="'no_such_package' is not installed"):
        python_docs.docstrings(["no_such_package"])
    with pytest.raises(ValueError, match="'sys' has no Python source"):
        python_docs.docstrings(["sys"])
    with pytest.raises(ValueError, match="a whole package.*'quiet_package'"):  # noqa: RUF043
        python_docs.docstrings(["quiet_package.shapes"])


@pytest.mark.slow
def test_standard_library_in_a_fresh_process_is_not_imported():
    code = """
        import sys
        from mlm_course.corpora import python_docs
        before = set(sys.modules)
        items = python_docs.docstrings()
        assert len(items) > 5000, len(items)
        assert len({item.text for item in items}) == len(items)
        assert any(i.module == "json.decoder" and i.name == "JSONDecoder.decode" for i in items)
        assert not any("test" in i.module.split(".") for i in items)
        new = {name.split(".")[0] for name in set(sys.modules) - before}
        assert len(new) < 20 and not new & {"antigravity", "this", "turtle", "unittest"}, new
        assert items == python_docs.docstrings()
    """
    code = textwrap.dedent(code)
    result = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True)
    assert result.returncode == 0, result.stderr.decode()


# Splitting


def make(sizes: dict[str, int]) -> list[Docstring]:
    """For each module that many docstrings of ten characters."""
    return [Docstring(m, str(i), f"{m} {i:>8}"[:10]) for m, n in sizes.items() for i in range(n)]


def test_split_by_module():
    items = make({chr(97 + k): 5 + k for k in range(20)})
    for seed in range(20):
        train, held = python_docs.split_by_module(items, 0.2, seed)
        assert sorted(train + held) == sorted(items)
        assert not {i.module for i in train} & {i.module for i in held}
        share = sum(len(i.text) for i in held) / sum(len(i.text) for i in items)
        assert 0.15 < share <= 0.2
        assert python_docs.split_by_module(items, 0.2, seed) == (train, held)
    splits = [python_docs.split_by_module(items, 0.2, seed)[1] for seed in range(20)]
    assert any(split != splits[0] for split in splits)


def test_no_text_is_on_both_sides():
    items = [Docstring(m, n, t) for m in "abcdefgh" for n, t in [("f", f"own {m}"), ("g", "same")]]
    for seed in range(10):
        train, held = python_docs.split_by_module(items, 0.4, seed)
        assert not {i.text for i in train} & {i.text for i in held}
        assert len(train) + len(held) == 9


def test_split_holds_out_at_least_one_module_and_never_all():
    train, held = python_docs.split_by_module(make({"a": 4, "b": 3, "c": 5}), 0.01, 0)
    assert {i.module for i in held} == {"b"} and {i.module for i in train} == {"a", "c"}
    train, _ = python_docs.split_by_module(make({"a": 1, "b": 1}), 0.99, 0)
    assert train
    for share in (0, 1, -0.5, float("nan")):
        with pytest.raises(ValueError, match="between 0 and 1"):
            python_docs.split_by_module(make({"a": 1, "b": 1}), share, 0)
    with pytest.raises(ValueError, match="at least two modules"):
        python_docs.split_by_module(make({"a": 4}), 0.5, 0)


# Paragraphs and sentences


def test_paragraphs():
    texts = ["one two three\nfour\n\n  \nfive six\n\n\nseven", "eight nine ten eleven"]
    assert python_docs.paragraphs(texts, min_words=1) == [
        "one two three four", "five six", "seven", "eight nine ten eleven"
    ]  # fmt: skip
    assert python_docs.paragraphs(texts, 4) == ["one two three four", "eight nine ten eleven"]


def test_sentences():
    text = (
        "It works, e.g. Here and there. Does it? Yes (it does.) See p. 3 or PEP 8. "
        'It said "no." Then nothing\n\nA new one'
    )
    assert python_docs.sentences([text], min_words=1) == [
        "It works, e.g. Here and there.",
        "Does it?",
        "Yes (it does.)",
        "See p. 3 or PEP 8.",
        'It said "no."',
        "Then nothing",
        "A new one",
    ]
    assert python_docs.sentences([text], min_words=5) == [
        "It works, e.g. Here and there.",
        "See p. 3 or PEP 8.",
    ]
