"""Search: vectors, words, ranks, several rankings in one; contrastive training; the experiment."""

import math
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from mlm_course import evaluation, search, tokenization
from mlm_course.corpora.passages import Passage, QueryPair
from mlm_course.experiments import search as experiment
from mlm_course.models import Encoder, EncoderConfig, MaskedLM, seeded_init
from mlm_course.models.encoder import with_dropout
from mlm_course.models.heads import TokenClassifier, mean_over_tokens, text_vectors
from mlm_course.results.comparison import compare
from mlm_course.training import Recipe, TextPairs, contrastive_loss, fit

TEXTS = [
    "Copy a file to another folder and keep its permissions.",
    "Sort the items of a list in place, the smallest first.",
    "Open a connection to a server and wait for the answer.",
    "Remove spaces at both ends of a string.",
]
PASSAGES = [Passage(f"p{i}", text) for i, text in enumerate(TEXTS)]


@pytest.fixture(scope="module")
def tokenizer():
    return tokenization.train_wordpiece(TEXTS, 200, min_frequency=1)


@pytest.fixture(scope="module")
def encoder(tokenizer):
    sizes = {"d_model": 16, "n_layers": 1, "n_heads": 2, "embedding_std": 1.0}
    return seeded_init(Encoder, EncoderConfig(tokenizer.get_vocab_size(), 96, **sizes)).eval()


@pytest.fixture(scope="module")
def embed(encoder, tokenizer):
    return search.TextEncoder(encoder, tokenizer)


# --- vectors of texts ---


def test_a_texts_vector_is_the_same_in_any_company(encoder, embed):
    ids = embed.rows(TEXTS)
    alone = [mean_over_tokens(encoder(row[row != 0][None]))[0] for row in ids]
    for batch_size in (1, 3, 100):
        vectors = text_vectors(encoder, ids, batch_size)
        torch.testing.assert_close(vectors, torch.stack(alone))
    torch.testing.assert_close(embed(TEXTS), torch.stack(alone))


def test_gradients_flow_through_the_vectors_in_training_only(encoder, embed):
    assert text_vectors(encoder, embed.rows(TEXTS)).requires_grad
    assert not embed(TEXTS).requires_grad


@pytest.mark.parametrize("ids", [torch.zeros(0, 3, dtype=torch.long), torch.ones(2, 3)])
def test_what_are_no_texts_is_refused(encoder, ids):
    with pytest.raises((TypeError, ValueError), match=r"no texts|integers"):
        text_vectors(encoder, ids)


@pytest.mark.parametrize("special_tokens", [False, True])
def test_long_texts_are_cut_and_keep_their_last_special_token(encoder, tokenizer, special_tokens):
    embed = search.TextEncoder(encoder, tokenizer, special_tokens=special_tokens, length=5)
    whole = tokenization.encode(tokenizer, TEXTS, special_tokens=special_tokens)[0]
    (row,) = embed.rows(TEXTS[:1]).tolist()
    assert row == ([*whole[:4], tokenization.SEP_ID] if special_tokens else whole[:5])


def test_dropout_acts_in_training_alone_and_comes_back_off(encoder, tokenizer):
    noisy = with_dropout(encoder, 0.5)
    ids = search.TextEncoder(noisy, tokenizer).rows(TEXTS)
    torch.testing.assert_close(text_vectors(noisy, ids), text_vectors(encoder, ids))
    noisy.train()
    assert not torch.equal(text_vectors(noisy, ids), text_vectors(noisy, ids))
    assert torch.equal(*(search.TextEncoder(noisy, tokenizer)(TEXTS) for _ in range(2)))
    assert noisy.training and encoder.config.dropout == 0


# --- indexes ---


def test_each_index_finds_a_passage_by_itself_and_by_a_part_of_it(embed):
    vectors = embed(TEXTS)
    by_vectors, by_words = search.VectorIndex(embed, vectors), search.WordIndex(TEXTS)
    centred = search.VectorIndex(embed, vectors, vectors.mean(0))
    fused = search.FusedIndex(centred, by_words)
    for index in (by_vectors, centred, by_words, fused):
        assert index.scores(TEXTS).argmax(1).tolist() == [0, 1, 2, 3]
    hits = search.best_passages(by_words, PASSAGES, "spaces of a string", n=2)
    assert [hit.name for hit in hits][:1] == ["p3"] and len(hits) == 2
    assert hits[0].score > hits[1].score and hits[0].text == TEXTS[3]


def test_words_can_be_anything_that_a_function_finds_in_a_text():
    texts = ["今天天气很好", "我们在山上看书", "C is old.", "C++ is newer."]
    assert not search.WordIndex(texts).scores(["山上", "c++"])[0].any()
    tokenizer = tokenization.train_wordpiece(texts, 200)
    pieces = search.WordIndex(texts, 2, words=lambda text: tokenizer.encode(text).tokens)
    assert pieces.scores(["山上", "c++"]).argmax(1).tolist() == [1, 3]
    seen: list[str] = []
    search.WordIndex(texts, words=lambda text: seen.append(text) or list(text))
    assert seen == texts, "as they are"


def test_scores_by_vectors_are_cosines_seen_from_the_origin(embed):
    vectors = embed(TEXTS)
    origin = torch.randn(16, generator=torch.Generator().manual_seed(0))
    index = search.VectorIndex(embed, vectors, origin)
    wanted = F.cosine_similarity((vectors[:2] - origin)[:, None], (vectors - origin)[None], dim=2)
    torch.testing.assert_close(index.scores(TEXTS[:2]), wanted)


def test_fusion_against_its_definition():
    generator = torch.Generator().manual_seed(0)
    tables = [torch.randint(4, (3, 6), generator=generator).double() for _ in range(2)]  # ties
    fused = search.reciprocal_rank_fusion(tables, k=7)
    for q in range(3):
        for n in range(6):
            places = [1 + sum(s > row[n] for s in row) for row in (table[q] for table in tables)]
            assert fused[q, n].item() == pytest.approx(sum(1 / (7 + int(p)) for p in places))


def test_fused_scores_are_standardised_for_each_query():
    generator = torch.Generator().manual_seed(2)
    a, b = torch.randn(2, 3, 5, generator=generator)
    wanted = sum((x - x.mean(1, True)) / x.std(1, keepdim=True, correction=0) for x in (a, b))
    torch.testing.assert_close(search.standard_score_fusion([a, b]), wanted.double())
    other = 1000 * a + torch.arange(3.0)[:, None]  # another scale, another origin for each query
    torch.testing.assert_close(
        search.standard_score_fusion([other, b]), wanted.double(), rtol=1e-4, atol=1e-4
    )
    silent = torch.full_like(b, 0.5)  # knows nothing
    only_a = search.standard_score_fusion([a, silent])
    assert torch.equal(only_a, search.standard_score_fusion([a]))


def test_fusion_does_not_see_how_large_scores_are():
    generator = torch.Generator().manual_seed(1)
    a, b = torch.randn(2, 3, 5, generator=generator)
    fused = search.reciprocal_rank_fusion([a, b])
    assert torch.equal(fused, search.reciprocal_rank_fusion([1000 * a + 3, b.exp()]))
    with pytest.raises(ValueError, match="no ranking"):
        search.reciprocal_rank_fusion([])


def vector_index(given, **other):
    return search.VectorIndex(**{"embed": given, "vectors": given(TEXTS), **other})


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda e: e([]), "no texts to encode"),
        (lambda e: vector_index(e).scores([]), "no texts to encode"),
        (lambda e: search.FusedIndex(vector_index(e)).scores([]), "no texts to encode"),
        (lambda e: search.TextEncoder(nn.Linear(2, 2), e.tokenizer), "Encoder or RareWordEncoder"),
        (lambda e: search.TextEncoder(masked_lm(e), e.tokenizer), r"not MaskedLM.*\.encoder"),
        (lambda e: search.TextEncoder(e.encoder, None), "tokenizer must be of type Tokenizer"),
        (lambda e: search.TextEncoder(e.encoder, of_letters()), "tokens, the encoder"),
        (lambda e: text_vectors(masked_lm(e), e.rows(TEXTS)), "MaskedLM answers logits"),
        (lambda e: text_vectors(TokenClassifier(e.encoder, 3), e.rows(TEXTS)), "answers logits"),
        (lambda e: contrastive_loss(masked_lm(e), (e.rows(TEXTS), e.rows(TEXTS))), "logits: pass"),
        (lambda e: search.RareWordEncoder(masked_lm(e), torch.ones(3)), "must be of type Encoder"),
        (lambda e: vector_index(e, origin=torch.full((16,), math.nan)), "origin contains NaN"),
        (lambda e: vector_index(e, origin=torch.ones(7)), "16 numbers a text, but the origin 7"),
        (lambda e: vector_index(e, origin=torch.ones(1, 16)), "origin must have shape"),
        (lambda e: vector_index(e, embed="e"), "embed must be a function"),
        (lambda e: vector_index(e, vectors=torch.ones(4, 7)).scores(TEXTS), r"\(queries\) has 16"),
        (lambda e: vector_index(e, embed=lambda q: e(q) / 0).scores(TEXTS), "contains NaN"),
        (lambda e: search.WordIndex([]), "no words in these texts"),
        (lambda e: search.WordIndex(["", "+ x"]), "no words in these texts"),
        (lambda e: search.WordIndex(["one", None]), "text 1 is None"),
        (lambda e: search.WordIndex("one"), "single one into a list"),
        (lambda e: search.WordIndex(TEXTS).scores([]), "no queries"),
        (lambda e: search.WordIndex(TEXTS).scores([None]), "text 0 is None"),
        (lambda e: search.WordIndex(TEXTS).scores("list"), "single one into a list"),
        (lambda e: fused_of_two(e).scores(TEXTS), "over the same passages"),
        (lambda e: search.FusedIndex(vector_index(e), len), "by name: fuse="),
        (lambda e: search.FusedIndex(vector_index(e), fuse="places"), "fuse must be a function"),
        (
            lambda e: search.best_passages(vector_index(e), PASSAGES[1:], "list"),
            "of 4 passages, not",
        ),
        (lambda e: search.best_passages(vector_index(e), [*PASSAGES] * 2, "list"), "of 4 passages"),
        (lambda e: search.best_passages(vector_index(e), PASSAGES, None), "text 0 is None"),
    ],
)
def test_slips_in_a_search_end_in_a_sentence(embed, call, says):
    with pytest.raises((TypeError, ValueError), match=says):
        call(embed)


def masked_lm(embed):
    return seeded_init(MaskedLM, embed.encoder.config)


def of_letters():
    return tokenization.train_wordpiece(["a b"], 40, min_frequency=1)


def fused_of_two(embed):
    return search.FusedIndex(vector_index(embed), search.WordIndex(TEXTS[1:]))


def test_vectors_of_any_precision_make_an_index(embed):
    wanted = vector_index(embed).scores(TEXTS)
    index = vector_index(embed, vectors=embed(TEXTS).double(), origin=torch.zeros(16).half())
    torch.testing.assert_close(index.scores(TEXTS).float(), wanted)


def test_a_token_table_may_have_rows_to_spare(embed, tokenizer):
    sizes = replace(embed.encoder.config, vocab_size=tokenizer.get_vocab_size() + 9)
    assert search.TextEncoder(seeded_init(Encoder, sizes), tokenizer)(TEXTS).isfinite().all()


@pytest.mark.parametrize("query", ["", " \n", "zebra"])
def test_where_nothing_tells_passages_apart_none_comes_up(query):
    by_words = search.WordIndex(TEXTS)
    for index in (by_words, search.FusedIndex(by_words, by_words)):
        assert search.best_passages(index, PASSAGES, query) == []
        assert len(search.best_passages(index, PASSAGES, "list", n=9)) == 4


def test_a_single_passage_comes_up_alone(embed):
    index = search.VectorIndex(embed, embed(TEXTS[:1]))
    (hit,) = search.best_passages(index, PASSAGES[:1], "copy a file")
    assert hit.name == "p0"


# --- rare words ---


def test_rarity_against_its_definition():
    ids = torch.tensor([[5, 5, 6], [5, 7, 0]])
    weights = search.rarity(ids, 9)
    wanted = {0: 0, 5: math.log(3 / 3), 6: math.log(3 / 2), 7: math.log(3 / 2), 8: math.log(3)}
    assert {i: weights[i].item() for i in wanted} == pytest.approx(wanted)


def test_whitened_vectors_have_like_spreads_in_all_directions():
    generator = torch.Generator().manual_seed(0)
    vectors = torch.randn(500, 3, generator=generator) * torch.tensor([1.0, 3.0, 9.0]) + 2
    white = search.whitened(vectors)
    spreads = torch.linalg.svdvals(white)
    assert spreads.max() / spreads.min() < 1.3 and white.mean(0).abs().max() < 1e-4
    assert white.std().item() == pytest.approx(vectors.std().item())


@pytest.mark.parametrize("shape", [(3, 4), (1, 1), (0, 2), (3, 0)])
def test_too_few_vectors_cannot_be_whitened(shape):
    with pytest.raises(ValueError, match="at least as many, and two"):
        search.whitened(torch.ones(shape))
    assert search.whitened(torch.eye(4)).shape == (4, 4)


@pytest.fixture(scope="module")
def rare_encoder(encoder, embed):
    return search.RareWordEncoder(
        encoder, search.rarity(embed.rows(TEXTS), encoder.config.vocab_size)
    ).eval()


def test_cosines_with_rare_words_are_the_mean_of_two(encoder, embed, tokenizer, rare_encoder):
    by_both = search.TextEncoder(rare_encoder, tokenizer)(TEXTS)
    weights = rare_encoder.rarity
    words = torch.stack([
        (rare_encoder.words.weight[row] * weights[row, None])[row != 0].mean(0) for row in embed.rows(TEXTS)
    ])  # fmt: skip
    cosines = [F.normalize(x) @ F.normalize(x).T for x in (embed(TEXTS), words, by_both)]
    torch.testing.assert_close(cosines[2], (cosines[0] + cosines[1]) / 2)


def test_training_with_rare_words_leaves_the_given_encoder(encoder, embed, rare_encoder):
    learner = search.RareWordEncoder(encoder, rare_encoder.rarity)
    recipe = Recipe(20, batch_size=4, optimizer="adamw", lr=1e-2)
    history = fit(learner, pairs(embed), partial(contrastive_loss, temperature=0.1), recipe)
    assert history.losses[-1] < 0.5 * history.losses[0]
    assert not torch.equal(learner.words.weight, rare_encoder.words.weight)
    assert torch.equal(learner.rarity, rare_encoder.rarity)
    torch.testing.assert_close(encoder.state_dict(), rare_encoder.encoder.state_dict())


def test_rarity_is_of_the_encoders_tokens(encoder):
    with pytest.raises(ValueError, match="rarity"):
        search.RareWordEncoder(encoder, torch.ones(7))


# --- ranks ---


def test_ranks_count_what_stands_before_the_answer():
    scores = torch.tensor([[0.1, 0.9, 0.5], [0.0, 0.0, 0.0], [0.3, 0.2, 0.1]])
    ranks = evaluation.answer_ranks(scores, torch.tensor([2, 0, 0]))
    assert ranks.tolist() == [2, 3, 1]  # with equal scores the answer comes last
    assert evaluation.mean_reciprocal_rank(ranks) == pytest.approx((1 / 2 + 1 / 3 + 1) / 3)
    assert [evaluation.recall_at(ranks, k) for k in (1, 2, 3)] == pytest.approx([1 / 3, 2 / 3, 1])


# --- contrastive training ---


def pairs(embed):
    half = [text.split(" ", 4) for text in TEXTS]
    return TextPairs(
        embed.rows([" ".join(words[:4]) for words in half]),
        embed.rows([words[4] for words in half]),
    )


@pytest.mark.parametrize("temperature", [0.05, 1.0])
def test_contrastive_loss_against_its_definition(encoder, embed, temperature):
    data = pairs(embed)
    loss, count = contrastive_loss(encoder, data(torch.arange(4), 0), temperature)
    x, y = (text_vectors(encoder, ids).double() for ids in (data.queries, data.passages))
    total = 0.0
    for i in range(4):
        cosines = [(x[i] @ y[j] / x[i].norm() / y[j].norm()).item() / temperature for j in range(4)]
        total -= math.log(math.exp(cosines[i]) / sum(map(math.exp, cosines)))
    assert count == 4 and loss.item() == pytest.approx(total, rel=1e-4)


def test_passages_are_not_asked_for_their_queries():
    """Two queries that point the same way: only from their side is there nothing to tell apart."""
    vectors = torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])

    def encode(ids, visible):
        return vectors[ids]

    queries, answers = torch.tensor([[1], [3]]), torch.tensor([[2], [4]])
    loss, _ = contrastive_loss(encode, (queries, answers), temperature=1.0)
    first, second = math.log(2), math.log(2)  # both passages point the same way
    assert loss.item() == pytest.approx(first + second)
    loss, _ = contrastive_loss(encode, (answers, queries), temperature=1.0)
    e = math.e
    assert loss.item() == pytest.approx(-math.log(e / (e + 1)) - math.log(1 / (e + 1)))


@pytest.mark.parametrize(
    ("batch", "temperature", "message"),
    [
        ((torch.ones(2, 3).long(), torch.ones(3, 3).long()), 0.05, "pairs"),
        ((torch.ones(2, 3).long(), torch.ones(2, 3).long()), 0.0, "temperature"),
        ((torch.ones(2, 3).long(),), 0.05, "TextPairBatch"),
    ],
)
def test_contrastive_loss_refuses(encoder, batch, temperature, message):
    with pytest.raises((TypeError, ValueError), match=message):
        contrastive_loss(encoder, batch, temperature)


@pytest.mark.parametrize("same", [False, True], ids=["pairs", "simcse"])
def test_training_brings_pairs_together(encoder, embed, same):
    data = pairs(embed)
    data = TextPairs(data.passages, data.passages) if same else data
    learner = with_dropout(encoder, 0.1)
    recipe = Recipe(20, batch_size=4, optimizer="adamw", lr=1e-2)
    history = fit(learner, data, partial(contrastive_loss, temperature=0.1), recipe)
    assert history.losses[-1] < 0.5 * history.losses[0]


# --- the experiment ---


def query_pairs(n, modules, seed):
    generator = torch.Generator().manual_seed(seed)
    words = [w for text in TEXTS for w in text.lower().split()]
    texts = [
        " ".join(words[i] for i in torch.randint(len(words), (9,), generator=generator))
        for _ in range(n)
    ]
    return [QueryPair(f"m{i % modules}", f"f{i}", t[: len(t) // 2], t) for i, t in enumerate(texts)]


@pytest.fixture(scope="module")
def plan(encoder, tokenizer):
    recipe = Recipe(2, batch_size=4, optimizer="adamw")
    train, test = query_pairs(40, 8, 0), query_pairs(12, 3, 1)
    published = (encoder, tokenizer)
    return experiment.SearchPlan(encoder, tokenizer, train, test, published, recipe, 1, 2, 10)


def test_the_experiment_goes_on_where_it_stopped(plan, tmp_path, monkeypatch):
    record = experiment.measure(plan, tmp_path)
    settings = {row["setting"] for row in record["scores"]}
    assert {"raw", "words", "words + published", "words + simcse", "random"} <= settings
    assert sum(row["setting"] == "contrastive" for row in record["scores"]) == 2
    assert {name for pair in experiment.COMPARED for name in pair} <= settings
    assert len(record["differences"]) == len(experiment.COMPARED)
    for name in experiment.TRAININGS:
        assert [row["setting"] for row in record["chosen"][name]["tried"]] == [
            *experiment.LEARNING_RATES
        ]
    (tmp_path / "contrastive-1.json").unlink()
    made = []
    once = experiment._with_words
    monkeypatch.setattr(experiment, "_with_words", lambda *given: made.append(1) or once(*given))
    again = experiment.measure(plan, tmp_path)
    assert len(made) == 1 and again["differences"] == record["differences"]
    assert again["scores"] == record["scores"]


def test_trainings_differ_in_one_thing_each(plan):
    trainer = experiment.Trainer(plan, plan.train)
    models = {name: trainer.start(each, 1) for name, each in experiment.TRAININGS.items()}
    plain, rare = models["contrastive"], models["contrastive, rare words"]
    start = plan.encoder.state_dict()
    torch.testing.assert_close(plain.state_dict(), start)
    torch.testing.assert_close(rare.encoder.state_dict(), start)
    random = models["contrastive, rare words, random start"].encoder.state_dict()
    assert not torch.equal(*(x["embeddings.token.weight"] for x in (random, start)))
    assert all(model.config.dropout == experiment.DROPOUT for model in models.values())
    data = trainer.data(experiment.TRAININGS["simcse"])
    assert torch.equal(data.queries, data.passages) and len(data) == 2 * len(plan.train)


def test_a_leg_of_another_plan_is_not_read(plan, tmp_path):
    about = experiment._about(plan, "raw", 0, {})
    legs = [lambda x=x: {"ranks": {"raw": x}} for x in ([1, 2], [3, 3])]
    first = experiment._once(tmp_path / "raw-0.json", legs[0], about)
    again = experiment._once(tmp_path / "raw-0.json", legs[1], about)
    other = experiment._about(replace(plan, recipe=replace(plan.recipe, steps=3)), "raw", 0, {})
    changed = experiment._once(tmp_path / "raw-0.json", legs[1], other)
    assert first["ranks"] == again["ranks"] == {"raw": [1, 2]} and changed["ranks"] == {
        "raw": [3, 3]
    }


def test_the_development_side_has_modules_of_its_own():
    train, development = experiment.development_split(query_pairs(40, 8, 0), 10)
    assert len(development) >= 10 and len(train) + len(development) == 40
    assert not {p.module for p in train} & {p.module for p in development}


def test_intervals_are_over_modules_and_over_seeds():
    first = torch.tensor([[1, 1, 2, 2], [1, 1, 1, 2], [1, 1, 2, 2], [1, 1, 1, 2], [1, 1, 2, 2]])
    second = torch.full((1, 4), 2)
    row = experiment.difference(first, second, ["a", "a", "b", "b"])
    each = [0.25, 0.375, 0.25, 0.375, 0.25]
    assert row["mrr"] == pytest.approx(sum(each) / 5, abs=1e-4)
    low, high = row["over_queries"]
    assert low == pytest.approx(0.1, abs=1e-4) and high == pytest.approx(0.5)  # one module alone
    wanted = compare([0.5 + x for x in each], [0.5] * 5)
    assert row["over_seeds"] == pytest.approx([wanted.low, wanted.high], abs=1e-4)
    assert experiment.difference(second, second, ["a"] * 4)["over_seeds"] is None


def test_what_has_no_module_is_no_model(tokenizer):
    with pytest.raises(TypeError, match="MaskedLM"):
        with_dropout(nn.Linear(2, 2), 0.1)
