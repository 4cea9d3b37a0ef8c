"""Precision, recall, F1, entities and answers: against scikit-learn and by hand."""

import math
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support
from torch import nn

from mlm_course.corpora.tinyworld import sentences
from mlm_course.corpora.tinyworld_oracle import PerfectModel
from mlm_course.corruption import Corrupted
from mlm_course.evaluation import (
    MaskedScores,
    answer_scores,
    calibration_error,
    classification_scores,
    confusion,
    entities,
    entity_scores,
    fit_temperature,
    judge_sentences,
    reliability,
    repeat_share,
    score_masked,
)
from mlm_course.models import EncoderConfig, MaskedLM, seeded_init
from mlm_course.tokenization import MASK_ID

CLASSES = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40)


@settings(deadline=None, max_examples=100, derandomize=True)
@given(CLASSES)
def test_scores_agree_with_scikit_learn(pairs):
    guesses, actual = (torch.tensor(part) for part in zip(*pairs, strict=True))
    counts = confusion(guesses, actual, 4)
    guesses, actual = guesses.numpy(), actual.numpy()  # older scikit-learn takes no tensors
    assert counts.tolist() == confusion_matrix(actual, guesses, labels=range(4)).tolist()
    ours = classification_scores(counts)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = precision_recall_fscore_support(
            actual, guesses, labels=range(4), average="macro", zero_division=0
        )
    assert ours.accuracy == pytest.approx(accuracy_score(actual, guesses))
    assert ours[1:] == pytest.approx(theirs[:3])


def test_places_with_minus_100_do_not_count():
    guesses, actual = torch.tensor([[0, 1, 1]]), torch.tensor([[0, -100, 1]])
    assert confusion(guesses, actual, 2).tolist() == [[1, 0], [0, 1]]


def test_nothing_at_all_scores_zero():
    assert classification_scores(torch.zeros(2, 2, dtype=torch.long)) == (0, 0, 0, 0)
    assert entity_scores([["O"]], [["O"]]) == (0, 0, 0)


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("O O", set()),
        ("B-A I-A O", {("A", 0, 2)}),
        ("B-A B-A", {("A", 0, 1), ("A", 1, 2)}),
        ("B-A I-B", {("A", 0, 1), ("B", 1, 2)}),
        ("O I-A I-A", {("A", 1, 3)}),
        ("I-A B-A I-A", {("A", 0, 1), ("A", 1, 3)}),
        ("", set()),
    ],
)
def test_entities_that_tags_spell(tags, expected):
    assert entities(tags.split()) == expected


@settings(deadline=None, max_examples=50, derandomize=True)
@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from("AB")), max_size=6))
def test_entities_survive_being_written_as_tags(plan):
    tags, wanted = [], set()
    for gap, kind in plan:
        tags += ["O"] * gap
        wanted.add((kind, len(tags), len(tags) + gap + 1))
        tags += [f"B-{kind}", *[f"I-{kind}"] * gap]
    assert entities(tags) == wanted


def test_entities_count_whole_not_by_token():
    actual = ["B-A", "I-A", "I-A", "O", "B-B"]
    almost = ["B-A", "I-A", "O", "O", "B-B"]  # four tags of five, one entity of two
    scores = entity_scores([almost], [actual])
    assert scores == (0.5, 0.5, 0.5)
    assert entity_scores([["O"] * 5], [actual]) == (0, 0, 0)
    assert entity_scores([actual, almost], [actual, actual]).f1 == 0.75


def test_answers_by_hand():
    predicted = torch.tensor([[2, 4], [2, 3], [7, 9], [5, 5]])
    actual = torch.tensor([[2, 4], [2, 5], [0, 1], [4, 6]])
    exact, f1 = answer_scores(predicted, actual)
    assert exact == 0.25
    assert f1 == pytest.approx((1 + 2 * 2 / 6 + 0 + 2 * 1 / 4) / 4)


# --- slips ---


def small_model(dropout: float = 0.0) -> MaskedLM:
    return seeded_init(
        MaskedLM, EncoderConfig(12, 6, d_model=8, n_layers=1, n_heads=2, dropout=dropout)
    )


def batch(n: int = 4) -> Corrupted:
    ids = torch.arange(5, 11).repeat(n, 1)
    masked = torch.arange(6).expand(n, -1) % 3 == 1
    return Corrupted(ids.masked_fill(masked, MASK_ID), ids.where(masked, -100), masked)


def test_scores_come_without_dropout_and_every_part_keeps_its_mode():
    model = small_model(dropout=0.5).train()
    model.dense.eval()  # a part that is frozen
    modes = [part.training for part in model.modules()]
    assert score_masked(model, batch()) == score_masked(model, batch(), batch_size=1)
    assert [part.training for part in model.modules()] == modes

    def fails(*_, **__):
        raise KeyError("in the model")

    model.logits = fails
    with pytest.raises(KeyError):
        score_masked(model, batch())
    assert [part.training for part in model.modules()] == modes


def test_scores_of_a_model_without_parameters_and_of_nothing():
    ids = sentences(3, 0)
    masked = ids > 4
    rows = Corrupted(ids.masked_fill(masked, MASK_ID), ids.where(masked, -100), masked)
    assert score_masked(PerfectModel(), rows).n_masked == int(masked.sum())
    nothing = score_masked(small_model(), batch()._replace(masked=torch.zeros(4, 6).bool()))
    assert math.isnan(nothing.loss) and nothing.n_masked == 0
    assert math.isnan(score_masked(small_model(), Corrupted(*(part[:0] for part in batch()))).loss)
    assert MaskedScores(1000.0, 0.0, 1).perplexity == math.inf


class Answers(nn.Module):
    """A model that always answers the same."""

    def __init__(self, *shape: int, value: float = 0.0) -> None:
        super().__init__()
        self.answer = nn.Parameter(torch.full(shape, value))

    def forward(self, ids, attention_mask=None, masked=None):
        return self.answer


LOGITS = Answers(8, 12)


@pytest.mark.parametrize(
    ("use", "error", "message"),
    [
        (lambda: score_masked(LOGITS, batch(), batch_size=0), ValueError, "batch_size must be at least 1"),
        (lambda: score_masked(LOGITS, batch(), batch_size=-4), ValueError, "batch_size must be at least 1"),
        (lambda: score_masked(LOGITS, batch().input_ids), TypeError, "input_ids, labels and masked"),
        (lambda: score_masked(LOGITS, batch(), only=torch.ones(1, 6).bool()), ValueError, "only has shape"),
        (lambda: score_masked(LOGITS, batch()._replace(labels=batch().labels + 7)), ValueError,
         "A label at a masked place is 1[2-9]"),
        (lambda: score_masked(LOGITS, batch()._replace(masked=batch().labels < 99)), ValueError,
         r"must answer logits \(24, V\)"),
        (lambda: score_masked(Answers(24, 12), batch()._replace(masked=batch().labels < 99)),
         ValueError, "A label at a masked place is -100"),
        (lambda: score_masked(Answers(4, 6, 12), batch()), ValueError, "must answer logits"),
        (lambda: score_masked(Answers(8, 12, value=math.nan), batch()), ValueError, "NaN or inf"),
        (lambda: score_masked(lambda ids: ids, batch()), TypeError, r"must be a torch\.nn\.Module"),
        (lambda: confusion(torch.tensor([0, 3]), torch.tensor([0, 1]), 2), ValueError,
         "predicted names class 3, but n_classes=2 ends at 1"),
        (lambda: confusion(torch.tensor([0, 1]), torch.tensor([0, 2]), 2), ValueError, "actual names"),
        (lambda: confusion(torch.tensor([0, -1]), torch.tensor([0, 1]), 2), ValueError, "no negative"),
        (lambda: confusion(torch.rand(2, 2), torch.tensor([0, 1]), 2), ValueError, "has shape"),
        (lambda: confusion(torch.rand(2), torch.tensor([0, 1]), 2), TypeError, "must hold integers"),
        (lambda: classification_scores(torch.rand(2, 2)), TypeError, "counts must hold integers"),
        (lambda: classification_scores(torch.ones(2, 3).long()), ValueError, "square"),
        (lambda: entities("B-A"), TypeError, "tags must be a list"),
        (lambda: entities(["B-A", "X"]), ValueError, "Tag 1 is 'X': a BIO tag is"),
        (lambda: entities(["B-"]), ValueError, "Tag 0 is 'B-'"),
        (lambda: entities(["b-A"]), ValueError, "Tag 0 is 'b-A'"),
        (lambda: entities(["O", None]), TypeError, "tag 1 is None"),
        (lambda: entity_scores([["O"]], [["O"], ["O"]]), ValueError, "1 sentences are predicted, 2"),
        (lambda: entity_scores([["O"]], [["O", "B-A"]]), ValueError, "Sentence 0 has 1 predicted"),
        (lambda: answer_scores(torch.ones(0, 2).long(), torch.ones(0, 2).long()), ValueError, "N at least 1"),
        (lambda: answer_scores(torch.tensor([[1, 2]]), torch.tensor([[3, 2]])), ValueError,
         r"ends before it starts: \[3, 2\]"),
        (lambda: repeat_share(torch.rand(2, 3)), TypeError, "tokens must hold integers"),
        (lambda: judge_sentences(torch.ones(0, 4).long()), ValueError, "no sentences to judge"),
        (lambda: judge_sentences(torch.full((1, 4), 10_000)), ValueError, "the vocabulary ends at"),
    ],
)  # fmt: skip
def test_slips_in_scores_are_named(use, error, message):
    with pytest.raises(error, match=message):
        use()


def test_a_predicted_answer_that_ends_before_it_starts_is_wrong():
    predicted, actual = torch.tensor([[4, 2], [1, 1]]), torch.tensor([[2, 4], [1, 1]])
    assert answer_scores(predicted, actual) == (0.5, 0.5)


def test_repeats_of_nothing_are_none():
    assert repeat_share(torch.zeros(2, 3).long()) == 0
    assert repeat_share(torch.ones(2, 0).long()) == 0


def test_answers_of_like_confidence_share_a_bin():
    sure = torch.tensor([0.95, 0.85, 0.9, 0.55])
    right = torch.tensor([0, 0, 1, 1])  # class 0 is always said
    probabilities = torch.stack([sure, 1 - sure], -1)
    bins = reliability(probabilities, right, n_bins=5)
    assert [b.n for b in bins] == [1, 3] and bins[1].accuracy == pytest.approx(2 / 3)
    assert bins[1].confidence == pytest.approx(0.9)
    error = (abs(2.7 - 2) + 0.55) / 4
    assert calibration_error(probabilities, right, n_bins=5) == pytest.approx(error)


def test_the_temperature_undoes_a_factor_and_keeps_the_answers():
    g = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(4000, 3, generator=g)
    labels = torch.multinomial(logits.softmax(-1), 1, generator=g)[:, 0]
    temperature = fit_temperature(3 * logits, labels)
    assert temperature == pytest.approx(3, rel=0.08)
    before, after = ((3 * logits / t).softmax(-1) for t in (1, temperature))
    assert calibration_error(after, labels) < 0.03 < calibration_error(before, labels)


@pytest.mark.parametrize("margin", [1.0, 60.0, 1000.0, 0.0])
def test_answers_that_are_all_right_have_no_best_temperature(margin):
    labels = torch.tensor([0, 1, 1])
    assert fit_temperature(margin * torch.eye(2)[labels], labels) == 1
    if margin:
        assert fit_temperature(margin * torch.eye(2)[1 - labels], labels) == pytest.approx(20, 1e-3)


def test_a_softmax_may_be_rounded_as_its_dtype_has_it():
    g = torch.Generator().manual_seed(0)
    probabilities = (2 * torch.randn(400, 9, generator=g)).softmax(-1)
    labels = torch.randint(9, (400,), generator=g)
    error = calibration_error(probabilities, labels)
    assert (probabilities.bfloat16().double().sum(-1) - 1).abs().max() > 1e-3
    assert calibration_error(probabilities.bfloat16(), labels) == pytest.approx(error, abs=0.02)
    with pytest.raises(ValueError, match="add up to 1"):
        calibration_error(1.02 * probabilities.bfloat16(), labels)


@pytest.mark.parametrize(
    ("values", "labels", "says"),
    [
        (torch.ones(2, 2), torch.tensor([0, 1]), "add up to 1"),
        (torch.ones(2, 1), torch.tensor([0, 1]), "1 classes only"),
        (torch.ones(0, 2), torch.tensor([], dtype=torch.long), "at least 1"),
    ],
)
def test_no_probabilities_are_refused(values, labels, says):
    with pytest.raises(ValueError, match=says):
        reliability(values, labels)
