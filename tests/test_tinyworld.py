"""tinyworld: its sentences, and its exact posterior against enumeration of the whole language."""

import itertools
import random
import re
from dataclasses import replace

import pytest
import torch

from mlm_course.corpora import tinyworld
from mlm_course.corpora.tinyworld import TINYWORLD, Grammar, Shape, Table

RATIOS = (0.15, 0.5, 0.8, 1.0)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def reduced(seed: int, rows: int = 3) -> Grammar:
    """The full grammar with a few random rows in each table, unequal weights, unequal shapes."""
    draw = random.Random(seed)
    tables = []
    for table in TINYWORLD.tables:
        kept = draw.sample(table.rows, min(rows, len(table.rows)))
        weights = tuple(draw.uniform(0.2, 2.0) for _ in kept)
        tables.append(replace(table, rows=tuple(kept), weights=weights))
    shapes = tuple(replace(s, weight=draw.uniform(0.5, 2.0)) for s in TINYWORLD.shapes)
    return Grammar(tuple(tables), shapes)


def all_sentences(grammar: Grammar) -> dict[tuple[str, ...], float]:
    """Every sentence with its probability, by writing out every template for every row of every
    table: nothing but the templates, rows and weights of the grammar is used."""
    chances: dict[tuple[str, ...], float] = {}
    for shape in grammar.shapes:
        share = shape.weight / sum(s.weight for s in grammar.shapes)
        optional = re.findall(r"\[.*?\]", shape.template)
        for kept in itertools.product((False, True), repeat=len(optional)):
            text = shape.template
            for part, keep in zip(optional, kept, strict=True):
                text = text.replace(part, part[1:-1] if keep else "")
            used = [t for t in grammar.tables if "{" + t.name + "." in text]
            for rows in itertools.product(*(range(len(t.rows)) for t in used)):
                chance, sentence = share / 2 ** len(optional), text
                for table, r in zip(used, rows, strict=True):
                    weights = table.weights or (1.0,) * len(table.rows)
                    chance *= weights[r] / sum(weights)
                    for name, word in zip(table.fields, table.rows[r], strict=True):
                        sentence = sentence.replace("{" + f"{table.name}.{name}" + "}", word)
                words = tuple(sentence.split())
                chances[words] = chances.get(words, 0.0) + chance
    return chances


def enumerated_posterior(
    chances: dict[tuple[str, ...], float], words: list[str], masked: list[bool], vocabulary
) -> torch.Tensor:
    """(L, V) by going through all sentences and keeping those that agree with what is visible."""
    posterior, total = torch.zeros(len(words), len(vocabulary), dtype=torch.float64), 0.0
    index = {word: i for i, word in enumerate(vocabulary)}
    for other, chance in chances.items():
        if len(other) == len(words) and all(
            h or a == b for a, b, h in zip(words, other, masked, strict=True)
        ):
            total += chance
            for i, word in enumerate(other):
                if masked[i]:
                    posterior[i, index[word]] += chance
    return posterior / total


def hide(ids: torch.Tensor, ratio: float, seed: int) -> torch.Tensor:
    return (ids > tinyworld.MASK) & (torch.rand(ids.shape, generator=generator(seed)) < ratio)


# The language


def test_the_language_is_as_large_as_promised():
    words = tinyworld.vocabulary()
    assert words[:5] == ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
    names = (tinyworld.PAD, tinyworld.UNK, tinyworld.CLS, tinyworld.SEP, tinyworld.MASK)
    assert names == (0, 1, 2, 3, 4)
    assert len(words) - 5 >= 150 and len(set(words)) == len(words)
    assert 5 <= len(TINYWORLD.shapes) <= 8
    lengths = {len(s) for s in tinyworld.sample(2000, generator())}
    assert min(lengths) >= 12 and max(lengths) <= 24 and len(lengths) >= 5


def test_sentences_are_drawn_with_their_probabilities():
    grammar = reduced(1)
    chances = all_sentences(grammar)
    n, counts = 40_000, dict.fromkeys(chances, 0)
    for words in tinyworld.sample(n, generator(), grammar):
        counts[tuple(words)] += 1  # KeyError: not in the language
    for words, p in sorted(chances.items(), key=lambda item: -item[1])[:300]:
        assert abs(counts[words] - n * p) < 5 * (n * p * (1 - p)) ** 0.5, (words, p)


def test_every_word_of_the_vocabulary_is_said():
    said = set(tinyworld.sample_ids(5000, generator(), specials=False).flatten().tolist())
    assert said == {tinyworld.PAD} | set(range(5, len(tinyworld.vocabulary())))


def test_the_same_seed_gives_the_same_sentences_and_more_of_them_begin_alike():
    many = tinyworld.sample(50, generator(3))
    assert tinyworld.sample(50, generator(3)) == many
    assert tinyworld.sample(7, generator(3)) == many[:7]
    assert tinyworld.sample(50, generator(4)) != many
    assert " ".join(tinyworld.sample(1, generator(0))[0]) == (
        "leo met his aunt at the orchard , and leo showed his aunt an old ladder on wednesday ."
    )


def test_encode_and_decode():
    sentences = tinyworld.sample(20, generator())
    ids = tinyworld.encode(sentences)
    assert tinyworld.decode(ids) == [["[CLS]", *s, "[SEP]"] for s in sentences]
    assert tinyworld.decode(tinyworld.encode(sentences, specials=False)) == sentences
    longest = tinyworld.sample_ids(20, generator())
    assert torch.equal(longest[:, : ids.shape[1]], ids) and not longest[:, ids.shape[1] :].any()
    assert tinyworld.encode([["anna", "xylophone"]], specials=False)[0, 1] == tinyworld.UNK
    assert tinyworld.encode([]).shape == (0, 2)
    with pytest.raises(TypeError, match="split each sentence"):
        tinyworld.encode(["anna took the red boat"])


# What stands behind a sentence


def test_readings_go_with_the_sampled_sentences():
    readings = tinyworld.sample_readings(300, generator(5))
    assert [r.words for r in readings] == tinyworld.sample(300, generator(5))
    for reading in readings:
        for word, role in zip(reading.words, reading.roles, strict=True):
            if role:
                table, name = role.split(".")
                assert reading.latents[table][name] == word


def test_explain_finds_what_the_sampler_drew():
    for drawn in tinyworld.sample_readings(300, generator(6)):
        reading = tinyworld.explain(drawn.words)
        assert (reading.words, reading.shape) == (drawn.words, drawn.shape)
        assert reading.roles == drawn.roles
        for table, known in reading.latents.items():
            assert known.items() <= drawn.latents[table].items()
        if drawn.shape == "counting":
            assert reading.latents["animal"]["number"] == drawn.latents["animal"]["number"]
    with pytest.raises(ValueError, match="No sentence shape"):
        tinyworld.explain(["anna", "slept"])


def test_words_agree():
    subject = {"female": "she", "male": "he"}
    for reading in tinyworld.sample_readings(500, generator(7)):
        words = reading.words
        if reading.shape in ("taken along", "mood"):
            assert subject[reading.latents["person"]["gender"]] in words
        if reading.shape == "counting":
            one, be = "one" in words, words[1]
            assert (be in ("is", "was")) == one and words.count(be) == 2
            assert ("says" in words) == (be in ("is", "are"))


def test_repeats_and_related_positions():
    sentence = "tom took the blue boat to the lake , but he left the blue boat there ."
    reading = tinyworld.explain(sentence.split())
    assert reading.repeats(3) == [13] and reading.repeats(14) == [4]  # blue, boat
    assert reading.repeats(0) == [] and reading.related(0) == [10]  # tom: he
    assert reading.related(4) == [7, 14]  # boat: lake, boat
    assert reading.repeats(2) == [] and reading.related(2) == []  # the


# The exact posterior


@pytest.mark.parametrize("seed", range(4))
def test_posterior_and_floor_equal_enumeration(seed):
    grammar = reduced(seed)
    chances, words = all_sentences(grammar), grammar.vocabulary
    assert sum(chances.values()) == pytest.approx(1, abs=1e-12)
    ids = tinyworld.sample_ids(8, generator(seed), grammar=grammar)
    for ratio in RATIOS:
        masked = hide(ids, ratio, seed + 100)
        ours = tinyworld.masked_posterior(ids, masked, grammar)
        surprise = []
        for row, gone, predicted in zip(ids, masked, ours, strict=True):
            inside = slice(1, int((row != tinyworld.PAD).sum()) - 1)
            said = [words[i] for i in row[inside].tolist()]
            expected = enumerated_posterior(chances, said, gone[inside].tolist(), words)
            torch.testing.assert_close(predicted[inside], expected, rtol=0, atol=1e-12)
            true = expected[torch.arange(len(said)), row[inside]]
            surprise += (-true[gone[inside]].log()).tolist()
        floor = tinyworld.loss_floor(ids, masked, grammar)
        assert floor == pytest.approx(sum(surprise) / len(surprise), abs=1e-12)


def test_length_is_evidence():
    """All words hidden: only shapes of this length remain, in proportion to their weights."""
    table = Table("x", ("a",), (("yes",), ("no",)), (3.0, 1.0))
    shapes = (Shape("1", "{x.a} a", 1.0), Shape("2", "b [c] {x.a}", 4.0), Shape("3", "a b c d"))
    grammar = Grammar((table,), shapes)
    ids = tinyworld.encode([["yes", "a"]], specials=False, grammar=grammar)
    posterior = tinyworld.masked_posterior(ids, torch.ones_like(ids) > 0, grammar)[0]
    chance = {w: posterior[:, i].tolist() for w, i in grammar.word_ids.items()}
    assert chance["yes"] == pytest.approx([0.25, 0.5])  # weights 1 and 4 / 2: shares 1/3 and 2/3
    assert chance["b"] == pytest.approx([2 / 3, 0]) and chance["a"] == pytest.approx([0, 1 / 3])
    assert chance["c"] == [0, 0] and chance["d"] == [0, 0]


def test_nothing_hidden_and_everything_hidden():
    ids = tinyworld.sample_ids(30, generator())
    nothing = torch.zeros_like(ids, dtype=torch.bool)
    assert not tinyworld.masked_posterior(ids, nothing).any()
    with pytest.raises(ValueError, match="No token is hidden"):
        tinyworld.loss_floor(ids, nothing)
    everything = ids > tinyworld.MASK
    posterior = tinyworld.masked_posterior(ids, everything)
    torch.testing.assert_close(posterior.sum(2), everything.double())
    assert posterior[..., :5].eq(0).all()
    empty = ids[:0]
    assert tinyworld.masked_posterior(empty, empty > 0).shape == (0, *posterior.shape[1:])


def test_only_visible_words_count_and_rows_do_not_meet():
    ids = tinyworld.sample_ids(40, generator(1))
    masked = hide(ids, 0.3, 2)
    posterior = tinyworld.masked_posterior(ids, masked)
    corrupted = ids.masked_fill(masked, tinyworld.MASK)
    torch.testing.assert_close(tinyworld.masked_posterior(corrupted, masked), posterior)
    alone = [tinyworld.masked_posterior(ids[i : i + 1], masked[i : i + 1])[0] for i in range(40)]
    torch.testing.assert_close(torch.stack(alone), posterior)
    bare = tinyworld.sample_ids(40, generator(1), specials=False)
    without = tinyworld.masked_posterior(bare, masked[:, 1:-1])
    torch.testing.assert_close(without, posterior[:, 1:-1])


def test_posterior_of_one_word_is_the_ratio_of_sentence_probabilities():
    """The full language: put every word of the vocabulary into the gap."""
    size = len(tinyworld.vocabulary())
    for row in tinyworld.sample_ids(40, generator(2)):
        words = (row > tinyworld.MASK).nonzero()[:, 0]
        i = int(words[torch.randint(len(words), (1,), generator=generator(int(row.sum())))])
        filled = row.repeat(size - 5, 1)
        filled[:, i] = torch.arange(5, size)
        chance = tinyworld.sentence_probability(filled)
        masked = torch.arange(len(row))[None] == i
        posterior = tinyworld.masked_posterior(row[None], masked)[0, i, 5:]
        torch.testing.assert_close(posterior, chance / chance.sum(), rtol=0, atol=1e-12)
        visible = tinyworld.sentence_probability(row[None], masked)
        torch.testing.assert_close(visible[0], chance.sum())


def test_sentence_probability_equals_enumeration():
    grammar = reduced(5)
    chances = all_sentences(grammar)
    ids = tinyworld.encode([list(words) for words in chances], grammar=grammar)
    ours = tinyworld.sentence_probability(ids, grammar=grammar)
    torch.testing.assert_close(ours, torch.tensor(list(chances.values()), dtype=torch.float64))
    assert tinyworld.sentence_probability(tinyworld.encode([["anna"] * 12])).item() == 0


# The full language by chance: means within 4 standard errors


@pytest.fixture(scope="module")
def drawn():
    ids = tinyworld.sample_ids(3000, generator(11))
    masked = hide(ids, 0.6, 12)  # enough that many words are neither certain nor open
    rows = masked.nonzero()[:, 0]
    return ids, masked, rows, tinyworld.masked_posterior(ids, masked)[masked], ids[masked]


def by_sentence(values: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """Sums over the hidden words of each sentence: sentences are independent, their words not."""
    return torch.zeros(3000, dtype=torch.float64).index_add_(0, rows, values.double())


@pytest.mark.slow
def test_floor_is_the_mean_surprise_and_agrees_with_the_entropy(drawn):
    ids, masked, rows, posterior, true = drawn
    torch.testing.assert_close(posterior.sum(1), torch.ones(len(true), dtype=torch.float64))
    surprise = -posterior.gather(1, true[:, None])[:, 0].log()
    assert tinyworld.loss_floor(ids, masked) == pytest.approx(surprise.mean().item())
    assert 0.5 < surprise.mean() < 0.7
    assert 0.3 < tinyworld.loss_floor(ids, hide(ids, 0.15, 13)) < 0.38
    entropy = -torch.xlogy(posterior, posterior).sum(1)
    excess = by_sentence(surprise - entropy, rows)  # expectation 0 for the exact posterior
    assert excess.mean().abs() < 4 * excess.std() / 3000**0.5
    assert excess.std() > 0.1


def test_posterior_is_calibrated(drawn):
    _, _, rows, posterior, true = drawn
    happened = torch.nn.functional.one_hot(true, posterior.shape[1]).bool()
    edges = torch.tensor([0.02, 0.05, 0.1, 0.2, 0.3, 0.6], dtype=torch.float64)
    assert not happened[posterior == 0].any()
    assert happened[posterior > 1 - 1e-9].all()
    for low, high in itertools.pairwise(edges):
        inside = (posterior > low) & (posterior <= high)
        assert inside.sum() > 100
        miss = ((happened.double() - posterior) * inside).sum(1)
        miss = by_sentence(miss, rows)
        assert miss.mean().abs() < 4 * miss.std() / 3000**0.5, (low, high)


@pytest.mark.parametrize(
    "perturb",
    [
        lambda p: 0.98 * p + 0.02 / p.shape[1],
        lambda p: 0.8 * p + 0.2 * (p == p.amax(1, keepdim=True)),
        lambda p: 0.95 * p + 0.05 * p.roll(1, 0),
        lambda p: 0.9 * p + 0.1 * p.mean(0),
    ],
    ids=["smoother", "overconfident", "a neighbour's", "word counts"],
)
def test_no_perturbed_posterior_is_better(drawn, perturb):
    _, _, rows, posterior, true = drawn
    other = perturb(posterior)
    other = other / other.sum(1, keepdim=True)
    gain = (other / posterior).gather(1, true[:, None])[:, 0].log()
    gain = by_sentence(gain, rows)
    assert gain.mean() < -2 * gain.std() / 3000**0.5


# What cannot be


def one(words: str) -> torch.Tensor:
    return tinyworld.encode([words.split()], specials=False)


def test_impossible_sentences_are_refused():
    good = one("tom took the blue boat to the lake , but he left the blue boat there .")
    bad = one("tom took the blue boat to the lake , but she left the blue boat there .")
    nothing = torch.zeros_like(good, dtype=torch.bool)
    tinyworld.masked_posterior(good, nothing)
    both = torch.cat([good, bad])
    with pytest.raises(ValueError, match=r"Row 1 is no sentence.*but she left"):
        tinyworld.masked_posterior(both, nothing.repeat(2, 1))
    masked = nothing.clone()
    masked[0, 10] = True  # she: what remains visible is possible
    tinyworld.masked_posterior(bad, masked)
    with pytest.raises(ValueError, match="Row 0 is no sentence"):
        tinyworld.loss_floor(bad, masked)
    masked[0, 0] = True  # "tom ... she": each alone is possible, both together are not
    with pytest.raises(ValueError, match="Row 0 is no sentence"):
        tinyworld.loss_floor(bad, masked)
    with pytest.raises(ValueError, match="Row 0 is no sentence"):
        tinyworld.masked_posterior(good[:, :5], nothing[:, :5])  # no sentence has five words
    unknown = good.clone()
    unknown[0, 4] = tinyworld.UNK
    with pytest.raises(ValueError, match="Row 0 is no sentence"):
        tinyworld.masked_posterior(unknown, nothing)


def test_misplaced_special_tokens_are_refused():
    ids = tinyworld.sample_ids(2, generator())
    nothing = torch.zeros_like(ids, dtype=torch.bool)

    def changed(tensor, position, value):
        out = tensor.clone()
        out[0, position] = value
        return out

    with pytest.raises(ValueError, match="never hidden"):
        tinyworld.masked_posterior(ids, changed(nothing, 0, True))
    with pytest.raises(ValueError, match="set masked to True"):
        tinyworld.masked_posterior(changed(ids, 3, tinyworld.MASK), nothing)
    with pytest.raises(ValueError, match="one sentence"):
        tinyworld.masked_posterior(changed(ids, 3, tinyworld.SEP), nothing)
    with pytest.raises(ValueError, match="must lie between 0 and"):
        tinyworld.masked_posterior(changed(ids, 3, len(tinyworld.vocabulary())), nothing)
    with pytest.raises(ValueError, match="the same shape"):
        tinyworld.masked_posterior(ids, nothing[:, 1:])
    with pytest.raises(ValueError, match="a bool tensor"):
        tinyworld.masked_posterior(ids, nothing.long())
    with pytest.raises(ValueError, match="true words"):
        masked = changed(nothing, 3, True)
        tinyworld.loss_floor(changed(ids, 3, tinyworld.MASK), masked)


def test_broken_grammars_are_refused():
    with pytest.raises(ValueError, match="one for every field"):
        Table("x", ("a", "b"), (("yes",),))
    with pytest.raises(ValueError, match="one positive weight"):
        Table("x", ("a",), (("yes",),), (0.0,))
    table = Table("x", ("a",), (("yes",),))
    with pytest.raises(ValueError, match=r"\{x.b\}"):
        tinyworld.sample(1, generator(), Grammar((table,), (Shape("s", "{x.b} ."),)))
