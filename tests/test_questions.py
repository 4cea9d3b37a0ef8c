"""Questions about what kind of thing a parameter is, and the experiment on them, at small sizes."""

import pytest
import torch

from mlm_course import tokenization
from mlm_course.corpora import python_docs, questions
from mlm_course.corpora.labelled import SpanQuestion
from mlm_course.corpora.labelled_rows import encode_in_one_text
from mlm_course.experiments import answering
from mlm_course.experiments import python_docs as pretraining
from mlm_course.models.encoder import Encoder, EncoderConfig, seeded_init
from mlm_course.models.heads import SpanExtractor

NUMPYDOC = '''
def fit(x, w=None):
    """Fit a curve.

    Parameters
    ----------
    x : array_like of shape (n,)
        Places of the measurements. They must increase.
    w : array_like, optional
        How much each of them counts.
    max_iter : int or None
        Maximum number of rounds.
    tol : float
        Stop when ``changes`` are
        smaller than this.
    loss : {'squared', 'absolute'}
        What is made small.
    either : int or str
        Two kinds of thing.
    no_prose : str
        `x`
    """
'''
GOOGLE = '''
class Curve:
    """A curve.

    Args:
        degree (int): Highest power of the polynomial,
            at least one.
        copy (bool, optional): Whether to leave the given array alone.
        device: Where the computation takes place.
        key (Callable): Says how to sort.
        scale (float): Factor of the result.

    Returns:
        other: Nothing that is asked for.
    """
'''
SWITCH, COUNT, REAL = (questions.QUESTIONS[kind] for kind in ("bool", "int", "float"))


@pytest.fixture
def package(tmp_path, monkeypatch):
    sources = {"fields.a": NUMPYDOC, "fields.b": GOOGLE, "fields.c": "def (: Args:"}
    for name, text in sources.items():
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.setattr(
        python_docs, "sources", lambda name: [(tmp_path / f"{n}.py", n) for n in sources]
    )
    questions._described.cache_clear()
    yield "fields"
    questions._described.cache_clear()


def test_questions_come_from_both_layouts_whose_types_are_gone(package):
    items = questions.parameter_questions(package)
    assert {item.answer: item.question for item in items} == {
        name: questions.QUESTIONS[kind]
        for name, kind in {
            "x": "array", "w": "array", "max_iter": "int", "tol": "float", "loss": "str",
            "degree": "int", "copy": "bool", "key": "callable", "scale": "float",
        }.items()
    }  # fmt: skip
    for item in items:
        described = questions.choices(item)
        assert len(described) == questions.CHOICES and item.answer in described
        assert not {"array_like", "int", "float", "bool"} & set(item.context.split())
        assert not ({"x", "w"} <= described.keys() and item.answer in "xw")  # one is right
    said = {name: text for item in items for name, text in questions.choices(item).items()}
    assert said["tol"] == "Stop when changes are smaller than this."
    assert said["degree"] == "Highest power of the polynomial, at least one."


@pytest.mark.parametrize(
    ("annotation", "kind"),
    [
        ("bool, optional", "bool"),
        ("int or None, default=None", "int"),
        ("integer", "int"),
        ("positive float", "float"),
        ("str, default='a'", "str"),
        ("{'a', 'b'}", "str"),
        ("``callable``", "callable"),
        ("{array-like, sparse matrix} of shape (n, m)", "array"),
        ("(N,) ndarray", "array"),
        ("int or float", ""),
        ("bool | str", ""),
        ("interval", ""),
        ("object", ""),
    ],
)
def test_a_type_is_of_one_kind_or_none(annotation, kind):
    assert questions._kind(annotation) == kind


def question(module, asked, name, *others, last=False):
    """A question about entries "name : description"."""
    entries = (*others, name) if last else (name, *others)
    context = " ".join(entries)
    start = context.index(name)
    return SpanQuestion(module, asked, context, start, start + len(name.split(" : ")[0]))


def test_no_name_that_is_asked_for_and_no_description_is_on_both_sides():
    test = question("t", COUNT, "n : How many.", "tol : How near.")
    kept = question("a", COUNT, "size : How large.", "tol : Something else.")
    train = [
        kept,
        question("a", COUNT, "N : Another number.", "eps : Small."),  # a name that is asked for
        question("b", COUNT, "m : Large.", "eps : How near."),  # a description of a test text
    ]
    assert questions.split_by_answer([*train, test], {"t"}) == ([kept], [test])


ENTRIES = {
    SWITCH: ("flag : Whether to copy.", "keep : Whether to keep."),
    COUNT: ("n : Number of rounds.", "k : Number of parts."),
    REAL: ("tol : How near is enough.", "eps : How small is nothing."),
}


@pytest.fixture
def small():
    """Each of six entries asked for beside each entry of another kind."""
    items = [
        question(f"m{i}", a, x, y, last=(i + j) % 2 == 0)
        for i, a in enumerate(ENTRIES)
        for j, b in enumerate(ENTRIES)
        if a != b
        for x in ENTRIES[a]
        for y in ENTRIES[b]
    ]
    return answering.Questions(items, items, items[:8], items[12:])


@pytest.fixture
def by_name(small):
    tokenizer = tokenization.train_wordpiece([i.question + i.context for i in small.train], 100)
    config = EncoderConfig(tokenizer.get_vocab_size(), 128, d_model=16, n_layers=1, n_heads=2)
    reader = answering.Reader(lambda seed: seeded_init(Encoder, config, seed), tokenizer, 1e-3)
    blind = reader._replace(sees_question=False)
    return {"pretrained": reader, "random": reader, "no question": blind}


def test_answers_are_names_in_tokens_and_questions_are_no_context(small, by_name):
    tokenizer = by_name["pretrained"].tokenizer
    rows = encode_in_one_text(tokenizer, small.test, 128)
    assert rows.items == small.test
    for ids, context, (first, last), item in zip(*rows, strict=True):
        assert tokenizer.decode(ids[first : last + 1].tolist()).replace(" ", "") == item.answer
        text = tokenizer.decode(ids[context].tolist()).replace(" ", "")
        assert text == item.context.lower().replace(" ", "")
        assert ids.tolist().count(tokenization.SEP_ID) == 1
    longest = rows.ids.shape[1]
    assert 0 < len(encode_in_one_text(tokenizer, small.test, longest - 1).items) < len(small.test)


def test_the_experiment_goes_on_where_it_stopped(small, by_name, tmp_path):
    said = []

    def measure(steps=2):
        return answering.measure(by_name, small, tmp_path, steps, 1, seeds=5, say=said.append)

    record = measure()
    assert len(said) == 2 * (3 + 5) + 1
    assert {len(row["right"]) for row in record["scores"]["pretrained"]} == {len(small.test)}
    assert {d["metric"] for d in record["differences"]} == {"exact", "f1", "exact, by question"}
    file = tmp_path / "scores.jsonl"
    lines = file.read_text().splitlines()
    file.write_text("\n".join([*lines[:-1], lines[-1][:20]]))  # killed while it wrote
    again = measure()
    assert len(said) == 2 * (3 + 5) + 2
    for name, rows in record["scores"].items():
        assert [r["right"] for r in rows] == [r["right"] for r in again["scores"][name]]
    with pytest.raises(ValueError, match="other weights, questions or settings: delete it"):
        measure(steps=3)


def test_a_question_that_does_not_fit_counts_as_wrong(small, by_name):
    longer = question("m", COUNT, "n : How many.", "tol : How near. " * 90)
    score = answering._score(by_name["pretrained"], small.train, [longer, *small.test], 1, 1e-3, 0)
    assert len(score["right"]) == 1 + len(small.test) and score["right"][0] == "0"


def test_the_reader_without_question_sees_none(small, by_name):
    seen = answering._seen(by_name["no question"], small.test)
    assert {item.question for item in seen} == {"Which one is it?"}
    assert [item.answer for item in seen] == [item.answer for item in small.test]


def test_rivals_choose_what_they_say(small):
    items = [question("t", COUNT, "rounds : Number of rounds.", "keep : Whether to.", last=True)]
    picks = answering.simple_rivals(small._replace(test=items))
    assert picks["first"] == [0] and picks["last"] == [1]
    assert picks["words of the entry"] == [1]
    known = answering.simple_rivals(small)
    assert answering._share_right(known["list of names"], small.test) == 1
    whole = [question("t", COUNT, "a : Whole.", "b : A whole number.", "c : No.")]
    assert answering.simple_rivals(small._replace(test=whole))["shared letters"] == [1]


def test_fine_tuning_lowers_the_loss_and_repeats_itself(small, by_name):
    reader = by_name["pretrained"]
    rows = encode_in_one_text(reader.tokenizer, small.train, 128)
    losses = []
    for steps in (1, 60, 60):
        torch.manual_seed(0)
        head = SpanExtractor(reader.encoder(0))
        answering.fine_tune(head, rows, steps, 1e-2, seed=0)
        losses.append(answering.span_loss(head, *rows[:3]).item())
    assert losses[1] < losses[0] - 0.5 and losses[1] == losses[2]


def test_no_pretraining_has_read_the_new_packages():
    assert not set(answering.NEW_PACKAGES) & {*pretraining.PACKAGES, *pretraining.MORE}
