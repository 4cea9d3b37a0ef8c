"""Rivals tuned alike and compared over five seeds, and the experiments that do it, in miniature."""

from dataclasses import replace
from functools import partial

import pytest
import torch

from mlm_course.corpora.tinyworld import sentences
from mlm_course.corruption import Corrupted
from mlm_course.corruption.masking import standard_masker
from mlm_course.evaluation import score_masked
from mlm_course.experiments import (
    _rivals,
    boxes,
    choices,
    gap_fillers,
    masking,
    modern_changes,
    modern_docs,
    positions,
    retro_search,
    samplers,
    student_goals,
    thresholds,
    weight_pruning,
    weightings,
)
from mlm_course.experiments._rivals import (
    FACTORS,
    SEEDS,
    TUNING,
    Contest,
    each_against,
    scaled,
)
from mlm_course.experiments._scores import ScoreFile
from mlm_course.experiments.tinyworld import masked_test_set
from mlm_course.models import EncoderConfig, MaskedLM, seeded_init
from mlm_course.models.heads import text_vectors
from mlm_course.results.comparison import compared_rivals, differences
from mlm_course.tokenization import CLS_ID
from mlm_course.training import Recipe


def ends(best: float, level: float, factor: float, seed: int) -> dict[str, float]:
    """A training that is best with one factor."""
    return {"loss": level + abs(factor - best) + 0.01 * seed, "right": -level}


@pytest.fixture
def done(tmp_path):
    return ScoreFile(tmp_path, "these", "others")


def test_each_rival_is_tuned_on_one_seed_and_judged_on_five_others(done):
    contest = Contest(
        done, "which", {"one": partial(ends, 1.0, 2.0), "two": partial(ends, 3.0, 1.0)}, "loss"
    )
    part = contest.part(each_against(contest.rivals, "two"))
    assert part["chosen"] == {"one": 1.0, "two": 3.0}
    assert part["values"]["one"] == [pytest.approx(2 + 0.01 * s) for s in SEEDS]
    assert TUNING not in SEEDS and len(done.scores) == 2 * (len(FACTORS) + len(SEEDS))
    assert str(differences(part)["one against two"]).startswith("behind by 1.00 to 1.00")
    assert (
        contest.part([("one", "two")], "right", lower_is_better=False)["values"]["one"] == [-2] * 5
    )


def test_what_was_scored_is_not_done_again(done, tmp_path):
    calls = []

    def run(factor, seed):
        calls.append((factor, seed))
        return {"loss": factor}

    for _ in range(2):
        Contest(ScoreFile(tmp_path, "these", "others"), "which", {"one": run}, "loss").part([])
    assert len(calls) == len(FACTORS) + len(SEEDS)


def test_a_factor_multiplies_all_learning_rates():
    recipe = scaled(Recipe(steps=5, adamw_lr=0.004), 3.0, 7)
    assert (recipe.peak, recipe.adamw_lr, recipe.seed) == (pytest.approx(0.06), 0.012, 7)
    assert scaled(Recipe(steps=5, optimizer="adamw", lr=0.001), 0.5, 0).peak == 0.0005


@pytest.mark.parametrize(
    ("values", "tried", "said"),
    [
        ({"a": [1, 2, 3, 4]}, {"a": [1]}, "at least 5 seeds"),
        ({"a": [1] * 5, "b": [1] * 5}, {"a": [1, 2], "b": [1]}, "tuned alike"),
        ({"a": [1] * 5, "b": [1] * 5}, {"a": [1]}, "tuned alike"),
    ],
)
def test_unfair_comparisons_are_refused(values, tried, said):
    with pytest.raises(ValueError, match=said):
        compared_rivals(values, tried, [("a", "a")])


@pytest.fixture
def one_factor(monkeypatch):
    """Nothing to choose from: a third of the trainings."""
    monkeypatch.setattr(_rivals, "FACTORS", (1.0,))


def small(monkeypatch, module, name, **numbers):
    monkeypatch.setattr(module, name, replace(getattr(module, name), **numbers))


@pytest.mark.slow
def test_masking_in_miniature(monkeypatch, one_factor, tmp_path):
    small(monkeypatch, masking, "LONG", steps=4, batch_size=4, warmup=1)
    monkeypatch.setattr(masking, "LOOKS", 2)
    small(monkeypatch, masking, "SHORT", steps=2, batch_size=4)
    monkeypatch.setattr(masking, "MANY", 20)
    monkeypatch.setattr(masking, "FEW", 8)
    monkeypatch.setattr(masking, "SIZES", {"8 dimensions": (8, 1)})
    monkeypatch.setattr(masking, "masked_test_set", partial(masking.masked_test_set, 20))
    record = masking.run(tmp_path)
    assert record["looks"] == [2, 4] and len(record["regimes"]["curves"]["dynamic"]) == 2
    ends = record["regimes, at the end"]["values"]["dynamic"]
    assert all(e >= b for e, b in zip(ends, record["regimes"]["values"]["dynamic"], strict=True))
    assert record["ratios"]["8 dimensions"]["values"].keys() == {"0.15", "0.3", "0.45", "0.6"}
    assert "spans against fixed count" in record["patterns"]["differences"]


def test_static_masks_stay_and_dynamic_ones_do_not():
    index = torch.arange(8)
    once, anew = masking.drawn_once(1, 1), masking.drawn_anew(1)
    assert torch.equal(once(index, 0).masked, once(index, 1).masked)
    assert not torch.equal(anew(index, 0).masked, anew(index, 1).masked)
    assert torch.equal(once(index, 0).input_ids == 0, anew(index, 0).input_ids == 0)  # one text


@pytest.mark.slow
def test_weightings_in_miniature(monkeypatch, one_factor, tmp_path):
    small(monkeypatch, weightings, "SMALL", steps=2, batch_size=4)
    for name in ("SENTENCES", "TEST_SENTENCES", "WRITTEN"):
        monkeypatch.setattr(weightings, name, 8)
    record = weightings.run(tmp_path)
    assert (
        record["bound"]["values"].keys()
        == record["valid"]["values"].keys()
        == weightings.WAYS.keys()
    )
    assert len(record["by share"]["15 % hidden"]) == len(record["shares"])


def test_the_loss_by_rate_is_the_bound_on_average():
    ids = sentences(4, 3)
    rows = weightings.RateRows(ids.repeat(500, 1), seed=0)
    batch = rows(torch.arange(2000), 0)
    assert not batch.masked[ids.repeat(500, 1) < 5].any()

    def model(ids, visible, masked):  # says every word with the same probability
        return torch.zeros(int(masked.sum()), 205)

    summed, n_words = weightings.rate_loss(model, batch)
    assert n_words == 500 * (ids > 4).sum()
    assert (summed / n_words).item() == pytest.approx(torch.tensor(205).log().item(), rel=0.05)


@pytest.mark.slow
def test_samplers_in_miniature(monkeypatch, tmp_path):
    monkeypatch.setattr(samplers, "TRAINING", {"steps": 2, "batch_size": 4})
    monkeypatch.setattr(samplers, "STEPS", (2,))
    for name in ("SENTENCES", "WRITTEN", "REAL"):
        monkeypatch.setattr(samplers, name, 8)
    record = samplers.run(tmp_path)
    assert record["valid"].keys() == record["perfect"].keys() == samplers.all_samplers().keys()
    assert all(len(row["2"]) == len(SEEDS) for row in record["valid"].values())
    assert "random order, cosine against random order, linear" in record["differences"]["2"]
    assert samplers.run(tmp_path)["valid"] == record["valid"]


def test_thresholds_in_miniature(monkeypatch, tmp_path):
    monkeypatch.setattr(samplers, "TRAINING", {"steps": 2, "batch_size": 4})
    monkeypatch.setattr(samplers, "SENTENCES", 8)
    monkeypatch.setattr(thresholds, "THRESHOLDS", (0.0, 0.9))
    for name in ("TUNING", "TEXTS"):
        monkeypatch.setattr(thresholds, name, 6)
    record = thresholds.run(tmp_path)
    assert record["chosen"] == 0.0  # nothing is valid after two steps, so the lowest will do
    assert record["steps"]["0"] == record["steps"]["fixed, as 0"] == [1.0] * len(SEEDS)
    assert record["saved"]["values"]["0"][0] > 0.8
    assert "0.9 against fixed, as 0.9" in record["valid"]["differences"]
    assert thresholds.run(tmp_path)["valid"] == record["valid"]


@pytest.mark.parametrize("mean", [1.0, 2.4, 5.0, 7.5, 11.3])
def test_steps_are_shared_out_in_proportion_and_no_more_than_needed(mean):
    n = torch.randint(8, 17, (200,), generator=torch.Generator().manual_seed(0))
    taken = thresholds.shared_out(n, mean)
    assert mean <= taken.double().mean() < mean + 0.02 and (taken >= 1).all()
    rate = taken.sum() / n.sum()
    assert ((taken - n * rate).abs() <= 1.01).all()
    assert torch.equal(thresholds.shared_out(n, n.double().mean().item()), n)


def test_sentences_of_the_language_are_as_surprising_as_usual():
    usual = samplers.surprise_by_length(20_000)
    of_real = samplers.judged(sentences(2_000, 9), usual)
    assert of_real["valid"] == 1 and abs(of_real["surprise"]) < 0.15


@pytest.mark.slow
def test_students_in_miniature(monkeypatch, one_factor, tmp_path):
    small(monkeypatch, student_goals, "STUDENT", steps=2, batch_size=4)
    monkeypatch.setattr(student_goals, "AMOUNTS", (8,))
    monkeypatch.setattr(student_goals, "TESTED", 20)
    record = student_goals.run(tmp_path)
    assert record["8 sentences"]["values"].keys() == set(student_goals.GOALS)
    assert "exact chances against teacher" in record["8 sentences"]["differences"]


@pytest.mark.slow
def test_a_pruned_model_keeps_its_zeros_while_it_trains_on(one_factor, done):
    recipe = replace(weight_pruning.AGAIN, steps=1, batch_size=4)
    test = weight_pruning.masked_test_set(20)[0]
    part = weight_pruning.pruning(
        done, "tinyworld", weight_pruning.world_rows, test, recipe, (0.0, 0.9)
    )
    assert (
        part["removed"]["0.9"] < part["removed"]["0"]
        and "0.9 against 0" in part["trained on"]["differences"]
    )


def test_every_choice_is_undone_alone(monkeypatch):
    small(monkeypatch, choices, "RECIPE", steps=1, batch_size=4)
    monkeypatch.setattr(choices, "masked_test_set", partial(choices.masked_test_set, 20))
    ends = {name: rival(1.0, 1)["above_floor"] for name, rival in choices.RIVALS.items()}
    assert len({*ends.values()}) == len(ends) - 3  # one step has no decay and no warm-up


def test_every_change_since_bert_is_made_alone_and_then_all(monkeypatch):
    small(monkeypatch, modern_changes, "RECIPE", steps=2, batch_size=4, warmup=0)
    monkeypatch.setattr(modern_changes, "sentences", lambda n, seed: sentences(40, seed))
    monkeypatch.setattr(modern_changes, "masked_test_set", partial(masked_test_set, 20))
    ends = {name: rival(1.0, 1)["above_floor"] for name, rival in modern_changes.RIVALS.items()}
    assert len({*ends.values()}) == len(ends)
    of = {name: rival.keywords for name, rival in modern_changes.RIVALS.items() if name != "plain"}
    assert all(len(changes) == (3 if name == "all" else 1) for name, changes in of.items())
    sizes = {name: n_parameters(k.get("config", modern_changes.PLAIN)) for name, k in of.items()}
    assert sizes["GeGLU"] == pytest.approx(sizes["30 % masks"], rel=0.02)


def n_parameters(config):
    return sum(p.numel() for p in modern_changes.ModernMaskedLM(config).parameters())


@pytest.mark.slow
def test_modern_and_plain_on_docstrings_in_miniature(monkeypatch, tmp_path):
    hide, rows = standard_masker(modern_docs.VOCAB_SIZE, 0.3), torch.randint(5, 90, (40, 16))
    tests = [hide(rows[i : i + 8], torch.Generator().manual_seed(i)) for i in (0, 8)]
    small(monkeypatch, modern_docs, "RECIPE", steps=2, batch_size=4, precision="no")
    monkeypatch.setattr(modern_docs, "FACTORS", (1.0, 3.0))
    monkeypatch.setattr(modern_docs, "corpus", lambda: (rows, *tests))
    record = modern_docs.run(tmp_path)["docs"]
    assert record["values"].keys() == {"plain", "pre-norm", "rotary", "all"}
    assert record["tried"]["all"] == [1.0, 3.0] and "all against plain" in record["differences"]


def test_positions_in_miniature(monkeypatch, one_factor, tmp_path):
    small(monkeypatch, positions, "RECIPE", steps=1)
    monkeypatch.setattr(positions, "SENTENCES", 64)
    monkeypatch.setattr(positions, "TESTED", 40)
    record = positions.run(tmp_path)
    assert record["rows"].keys() == {"2 in a row", "4 in a row", "8 in a row"}
    assert record["rows"]["8 in a row"]["values"].keys() == positions.RIVALS.keys()
    for rival, part in record["apart"].items():  # rotated, only distances count
        near, far = part["values"].values()
        assert (far == pytest.approx(near, abs=2e-4)) == rival.startswith("rotary")


@pytest.mark.parametrize("way", ["learned", "sinusoidal", "rotary"])
def test_sentences_in_a_row_are_scored_as_rows_of_them(way):
    corrupted, _ = masked_test_set(16)
    model = positions.model_with(way, 3)
    assert all(0.085 < table.std() < 0.101 for table in tables_of(model))
    rows = positions.rows_of(corrupted.input_ids, 4)
    order = (corrupted.input_ids == 0).view(4, -1).long().argsort(dim=1, stable=True)
    packed = Corrupted(*(x.reshape(4, -1).gather(1, order)[:, : rows.shape[1]] for x in corrupted))
    assert torch.equal(packed.input_ids, rows)
    expected = score_masked(model, packed).loss
    assert positions.loss_in_rows(model, corrupted, 4) == pytest.approx(expected, abs=1e-5)
    alone = score_masked(model, corrupted).loss  # each from place 0
    assert positions.loss_in_rows(model, corrupted, 1) == pytest.approx(alone, abs=1e-5)


def tables_of(model):
    return [part.weight for part in model.modules() if isinstance(part, torch.nn.Embedding)]


def test_boxes_in_miniature(monkeypatch):
    monkeypatch.setattr(boxes, "STEPS", {1: 1, 2: 1})
    monkeypatch.setattr(boxes, "RATES", (0.01,))
    record = boxes.run()
    assert "two heads against one head" in record["two pointers"]["differences"]
    assert len(record["one head for 900 steps"]) == len(boxes.SEEDS)
    assert record["one pointer"]["by step"]["no matrices"] == [None] * 5


def test_a_box_that_hears_itself_is_right_in_a_quarter_of_the_cases():
    shelves = boxes.sample_boxes(20_000, 6, torch.Generator().manual_seed(0))
    right = (shelves.digits[:, :, None] == shelves.answers).double().mean().item()
    assert right == pytest.approx(1 / 6 + 5 / 6 / 10, abs=0.01)


@pytest.mark.slow
def test_gap_fillers_in_miniature(monkeypatch):
    monkeypatch.setattr(gap_fillers, "STEPS", 1)
    monkeypatch.setattr(gap_fillers, "RATES", (0.01,))
    record = gap_fillers.run()
    assert record["loss"]["values"].keys() == gap_fillers.NETWORKS.keys()
    assert len({*map(tuple, record["loss"]["values"].values())}) == len(gap_fillers.NETWORKS)


def a_retro_laboratory(tmp_path, done):
    """On three pairs a side, with a model that has just begun."""
    config = EncoderConfig(20, retro_search.LENGTH, d_model=8, n_layers=1, n_heads=2)
    ids = torch.randint(5, 20, (3, 6), generator=torch.Generator().manual_seed(0))
    ids[:, 0] = CLS_ID
    pairs = retro_search.Pairs(ids[:, :4], ids[:, 2:], ids)
    material = retro_search.Material(seeded_init(MaskedLM, config), pairs, pairs, pairs)
    return retro_search.Laboratory(material, done, tmp_path)


def test_pretraining_for_search_in_miniature(monkeypatch, one_factor, done, tmp_path):
    small(monkeypatch, retro_search, "FURTHER", steps=1, batch_size=2, precision="no")
    small(monkeypatch, retro_search, "ON_PAIRS", steps=1, batch_size=2, precision="no")
    lab = a_retro_laboratory(tmp_path, done)
    monkeypatch.setattr(retro_search, "material", lambda: lab.of)
    record = retro_search.run(tmp_path / "run")
    assert record["shipped"].keys() == retro_search.VECTORS.keys()
    for parts in (record["before pairs"], record["after pairs"]):
        assert parts.keys() == retro_search.VECTORS.keys()
        for each in parts.values():
            assert each["differences"].keys() == {"RetroMAE against masked language model"}
            assert all(0 < x <= 1 for values in each["values"].values() for x in values)


def test_the_vector_of_a_text_stands_at_cls_or_is_the_mean(done, tmp_path):
    of = a_retro_laboratory(tmp_path, done).of
    encoder, ids = of.model.encoder.eval(), of.test.both
    with torch.no_grad():
        x = encoder(ids)
        first, mean = text_vectors(retro_search.BothVectors(encoder).eval(), ids).chunk(2, -1)
        assert torch.allclose(first, x[:, 0], atol=1e-6) and torch.allclose(
            mean, x.mean(1), atol=1e-6
        )
        assert torch.allclose(
            text_vectors(retro_search.FirstVector(encoder), ids), first, atol=1e-6
        )
