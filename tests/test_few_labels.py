"""The experiment with few labels: tasks of whole modules, a reduced run that is killed and goes on."""

import json
from collections import Counter

import pytest
import torch

from mlm_course import tokenization
from mlm_course.corpora import labelled, python_docs
from mlm_course.corpora.labelled import Message, Tagged
from mlm_course.experiments import _label_rivals as rivals
from mlm_course.experiments import _label_tasks as tasks
from mlm_course.experiments import few_labels
from mlm_course.models import Encoder, EncoderConfig, seeded_init
from mlm_course.results.page import tables

WORDS = {"a": "array shape axis", "b": "plot line colour"}
UNREAD = frozenset({"a.m3", "b.m5", "numpy.core"})


def messages(n=12, each=4):
    """Messages of two packages, whose modules use words of their own."""
    return [
        Message(f"{kind}.m{m}", f"the {words} number {m} is wrong {i}{' 1' * (i % 2)}", kind)
        for kind, words in WORDS.items() for m in range(n) for i in range(each)
    ]  # fmt: skip


def sentences():
    first, tags = "array shape plot line colour".split(), ["O", "B-PARAM", "O", "B-VALUE"]
    words = [[first[i % 5], "axis", "is", "None", *["the"] * (i % 2)] for i in range(40)]
    return [Tagged(f"m{i % 9}", w, [*tags, "O"][: len(w)]) for i, w in enumerate(words)]


FROZEN, LORA = few_labels.FROZEN, few_labels.TUNED[2:]
FEWER = {
    "packages": [few_labels.WORDS, FROZEN["published"], *LORA],
    "tags": [few_labels.WORDS, FROZEN["pretrained"], FROZEN["random"]],
}


@pytest.fixture(scope="module")
def tokenizer():
    return tokenization.train_wordpiece([m.text for m in messages()], vocab_size=120)


@pytest.fixture(scope="module")
def small(tokenizer):
    """A task of messages and one of tags, with few counts."""
    packages = tasks.package_task(messages(), UNREAD, {"test": 8, "valid": 8, "pool": 30})
    parts = {side: sentences()[i::3] for i, side in enumerate(tasks.SIDES)}
    tagging = tasks.LabelTask("tags", labelled.TAGS, parts, (4, 12), frozenset({"m1"}))
    return [
        tasks.LabelTask("packages", packages.kinds, packages.items, (4, 12), UNREAD),
        tagging,
    ]


@pytest.fixture
def lab(small, tokenizer, tmp_path, monkeypatch):
    monkeypatch.setattr(few_labels, "STEPS", {4: 3, 12: 3})
    monkeypatch.setattr(few_labels, "ONLY", {"random, LoRA": {12}})
    sizes = EncoderConfig(tokenizer.get_vocab_size(), 128, d_model=16, n_layers=1, n_heads=2)
    encoders = {
        name: (seeded_init(Encoder, sizes, seed), tokenizer)
        for seed, name in enumerate(("pretrained", "published"))
    }
    return few_labels.Laboratory(encoders, small, few_labels.scores_in(tmp_path, "here"))


def test_sides_are_whole_modules_and_unread_ones_are_tested():
    task = tasks.package_task(messages(), UNREAD, {"test": 8, "valid": 8, "pool": 20})
    modules = {side: {m.module for m in task.items[side]} for side in tasks.SIDES}
    assert not modules["pool"] & modules["test"] | modules["pool"] & modules["valid"]
    assert not modules["valid"] & modules["test"] and modules["test"] > {"a.m3", "b.m5"}
    assert Counter(m.kind for m in task.items["test"]) == {"a": 8, "b": 8}
    assert Counter(m.kind for m in task.items["pool"]) == {"a": 20, "b": 20}


def test_draws_are_balanced_and_differ(small):
    packages, tagging = small
    chosen = packages.draw(10, 0)
    assert Counter(packages.items["pool"][i].kind for i in chosen) == {"a": 5, "b": 5}
    assert chosen == packages.draw(10, 0) != packages.draw(10, 1)
    assert len(set(tagging.draw(9, 0))) == 9
    assert len(labelled.draw_balanced(packages.items["pool"][:33], 30, 0)) == 6  # 3 of the rarer
    assert labelled.draw_balanced([], 4, 0) == []


def test_units_are_messages_or_words(small):
    packages, tagging = small
    assert packages.units([3, 1]).tolist() == [3, 1]
    assert tagging.units([2, 0]).tolist() == [9, 10, 11, 12, 0, 1, 2, 3]
    labels = tagging.labels("pool")[tagging.units([2])]
    assert [labelled.TAGS[i] for i in labels.tolist()] == tagging.items["pool"][2].tags


@pytest.mark.parametrize("which", [0, 1])
def test_a_vector_for_each_unit_in_its_order(small, lab, which):
    task, (encoder, tokenizer) = small[which], lab.encoders["pretrained"]
    x = rivals.vectors(task, encoder, tokenizer)
    assert {side: len(rows) for side, rows in x.items()} == {
        side: len(task.labels(side)) for side in tasks.SIDES
    }
    ids, labels = task.encode(tokenizer, "pool")
    with torch.no_grad():
        alone = encoder(ids[5:6], ids[5:6] != 0)[0]  # (T, D)
    alone = alone[labels[5] != -100] if task.is_tagging else alone[ids[5] != 0].mean(0)[None]
    ours = torch.tensor(x["pool"][task.units([5]).numpy()])
    other = torch.tensor(x["pool"][task.units([6]).numpy()])
    raw = rivals._units(task, "pool", (ids, labels), rivals._reader(task, encoder)).detach()
    spread = raw.std(0) + 1e-6
    torch.testing.assert_close(ours * spread + raw.mean(0), alone, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(ours[0], other[0])


def test_right_answers_score_1_and_unread_modules_are_scored_apart(small):
    packages = small[0]
    for task in small:
        right = {s: torch.eye(len(task.kinds))[task.labels(s)] * 9 for s in ("valid", "test")}
        assert task.scores(right)[task.metric] == 1 == task.valid_score(right)
    wrong = right_but(packages, {"a.m3"})
    scores = packages.scores({"valid": wrong, "test": wrong})
    assert scores["unread"] == pytest.approx(0.5) and scores["accuracy"] == pytest.approx(12 / 16)


def right_but(task, modules):
    """Sure answers to the test side that are wrong in some modules."""
    labels = task.labels("test")
    off = torch.tensor([m.module in modules for m in task.items["test"]]).long()
    return torch.eye(2)[(labels + off) % 2] * 9


@pytest.mark.slow
def test_a_run_that_was_killed_goes_on_and_ends_the_same(lab, tmp_path, monkeypatch, capsys):
    draws, calls = range(5), []
    monkeypatch.setattr(few_labels, "RIVALS", FEWER)
    whole = few_labels.outcome

    def dies(lab, each):
        if len(calls) == 20:
            raise KeyboardInterrupt
        calls.append(each.key)
        return whole(lab, each)

    monkeypatch.setattr(few_labels, "outcome", dies)
    with pytest.raises(KeyboardInterrupt):
        few_labels.measure(lab, draws)
    path = tmp_path / "scores.jsonl"
    path.write_text(path.read_text()[:-20])  # the last line was being written
    lab.done = few_labels.scores_in(tmp_path, "here")
    assert len(lab.done.scores) == 19
    monkeypatch.setattr(
        few_labels, "outcome", lambda lab, each: calls.append(each.key) or whole(lab, each)
    )
    few_labels.measure(lab, draws)
    assert len(calls) == 1 + len(set(calls))  # only the cut line is done again
    again = few_labels.scores_in(tmp_path, "here")
    assert again.scores.keys() == lab.done.scores.keys() == set(calls)
    lab.done = again
    record = json.loads(json.dumps(few_labels.record(lab, draws)))
    assert record["draws"] == 5 and record["words"] == {} == record["falls"]
    assert record["unread_modules"] == ["numpy.core"]
    assert "**scores, packages, words**" in list(tables(record, ""))
    for name, rows in record["scores"].items():
        assert rows.keys() == {rival.name for rival in few_labels.RIVALS[name]}
        metric = record["tasks"][name]["metric"]
        assert all(len(by[n][metric]) == 5 for by in rows.values() for n in by)
    says = record["ahead"]["packages"]["pretrained, LoRA against random, LoRA"]["12"]
    assert "n = 5, paired" in says
    assert "labels are worth" in record["worth"]["tags"]["pretrained, frozen against words"]["4"]


def test_scores_of_another_checkpoint_are_refused(tmp_path):
    few_labels.scores_in(tmp_path, "here")
    with pytest.raises(ValueError, match="another checkpoint"):
        few_labels.scores_in(tmp_path, "there")


def test_fine_tuning_learns_and_lora_leaves_the_encoder(small, lab):
    task, (encoder, tokenizer) = small[0], lab.encoders["pretrained"]
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    chosen = task.draw(20, 0)
    for rank in (0, 4):
        logits = rivals.tuned(task, encoder, tokenizer, chosen, 0.02, 40, 0, rank)
        assert task.scores(logits)["accuracy"] > 0.9
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())


def test_telling_words_are_taken_out_and_others_are_as_common():
    g = torch.Generator().manual_seed(0)
    filler = [f"w{i}" for i in range(30)]
    pool = []
    for i in range(120):
        kind = ("error", "warning")[i % 2]
        words = [filler[j] for j in torch.randint(30, (6,), generator=g).tolist()]
        sign = ["deprecated", "must"][kind == "error"]
        pool.append(Message(f"m{i % 20}", " ".join([*words, sign]), kind))
    telling, others = tasks.telling_words(pool, 2)
    assert telling.keys() == {"deprecated", "must"} and telling["deprecated"] > 0 > telling["must"]
    assert len(others) == 2 and not others.keys() & telling.keys()
    whole, without, control = tasks.error_tasks(
        pool, frozenset(), {"test": 20, "valid": 10, "pool": 30}, 2
    )
    texts = [m.text for side in tasks.SIDES for m in without.items[side]]
    assert not any("deprecated" in text or "must" in text for text in texts)
    assert without.counts == control.counts == whole.counts[-1:]
    scores = {}
    for task in (whole, without, control):
        logits = rivals.regression(task, rivals.words(task), task.draw(60, 0), 10)
        scores[task.name] = task.scores(logits)["accuracy"]
    assert scores["errors"] > 0.9 and scores["errors without other words"] > 0.9
    assert scores["errors without telling words"] < 0.7


def test_a_class_that_was_not_drawn_is_not_answered(small):
    tagging = small[1]
    logits = rivals.regression(tagging, rivals.words(tagging), [0, 1], 1.0)
    assert logits["test"].shape == (len(tagging.labels("test")), len(labelled.TAGS))
    assert set(logits["test"].argmax(-1).tolist()) <= {
        labelled.TAGS.index(t) for t in ("O", "B-PARAM", "B-VALUE")
    }


def test_messages_by_package_name_no_package_and_stand_in_one(tmp_path, monkeypatch):
    raises = {
        "x.a": ["The first one is wrong.", "Ask numpy what is wrong here."],
        "x.b": ["The FIRST one, is wrong!", "Only in the package x."],
        "y.c": ["Both packages have this one.", "Only in the package y."],
        "x.d": ["Both packages have this one.", "Far behind in package x."],
    }
    for module, texts in raises.items():
        lines = [f"def f{i}():\n    raise ValueError({text!r})" for i, text in enumerate(texts)]
        (tmp_path / module).write_text("\n".join(lines))
    monkeypatch.setattr(
        python_docs, "sources",
        lambda name: [(tmp_path / m, m) for m in raises if m.startswith(name)],
    )  # fmt: skip
    items = labelled.package_messages(["x", "y"], first=["x.b"])
    assert {(m.kind, m.module) for m in items if "Only" in m.text} == {("x", "x.b"), ("y", "y.c")}
    texts = [m.text for m in items]
    assert "The FIRST one, is wrong!" in texts and "The first one is wrong." not in texts
    assert not [t for t in texts if "numpy" in t or "Both" in t] and len(texts) == 4
    few = labelled.package_messages(["x"], first=["x.b"], most=2)
    assert {m.module for m in few} == {"x.b"}
