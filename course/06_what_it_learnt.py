# %% [markdown]
# # Lesson 6: What it learnt
#
# A network has filled millions of gaps. Nobody told it what a noun is, or which words go together, or what a
# parameter is. What does it know now? This lesson takes two trained models apart: one for tinyworld, where we know what
# *should* have been learned, and one for real documentation. Then it puts the second one to work on three tasks
# with few labels, and measures honestly what the pretraining was worth.
#
# By the end you will have compared a model with the best possible guesser, found a head that copying depends on
# by switching it off, fallen into (and out of) a trap of cosine similarity, and built a classifier, a tagger and a
# question answerer on one checkpoint. You need lessons 3 to 5.

# %%
import os
from collections import Counter
from contextlib import contextmanager

import matplotlib.pyplot as plt
import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from torch import Tensor, nn
from torch.nn import functional as F

from mlm_course import corruption, evaluation, tokenization
from mlm_course.attention import split_heads
from mlm_course.corpora import labelled, labelled_rows, python_docs, tinyworld
from mlm_course.evaluation import visible_mask
from mlm_course.models import Encoder, inspection, pretrained
from mlm_course.models.bert import bert_from_hub
from mlm_course.models.heads import (
    SequenceClassifier,
    SpanExtractor,
    TokenClassifier,
    best_spans,
    mean_over_tokens,
)
from mlm_course.practice import check, hint, progress, quiz, solution
from mlm_course.results import recorded
from mlm_course.tokenization import MASK_ID
from mlm_course.views import heat_map, show, token_strip
from mlm_course.widgets import AttentionExplorer

torch.set_num_threads(1)  # the same numbers on every machine
FAST = bool(os.environ.get("MLM_COURSE_FAST"))  # set when the lesson is only tested: fewer steps

# %% [markdown]
# ## 1. Filling gaps
#
# The first model comes with the course. It was trained like the one of lesson 5, only longer, on the docstrings of Python's standard
# library, NumPy, SciPy, scikit-learn, Matplotlib and PyTorch.

# %%
model, tokenizer = pretrained("python_docs")
numbers = sum(p.numel() for p in model.parameters())
c = model.config
print(f"{numbers / 1e6:.1f} million numbers, {c.n_layers} blocks, {c.n_heads} heads in each")

# %% [markdown]
# Its answer to a gap is a score for each piece of the vocabulary. We want to read it as a short list.
#
# ### Exercise 6.1: the best answers
# `logits` `(n, V)`, one row of scores for each of `n` gaps -> a pair: the probabilities of the `k` most likely pieces
# `(n, k)`, largest first, and their ids `(n, k)`. (`tensor.topk(k)` returns such a pair.)


# %% exercise="6.1"
def top_answers(logits: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k most likely pieces for each gap: their probabilities and their ids."""
    ### BEGIN SOLUTION
    return logits.softmax(-1).topk(k)
    ### END SOLUTION


# %%
check("6.1", top_answers)


# %%
@torch.no_grad()
def fill(text: str, k: int = 5) -> list[list[tuple[str, float]]]:
    """For each [MASK] in a text the k most likely pieces, with their probabilities."""
    ids = tokenization.encode(tokenizer, [text], special_tokens=False)  # it never saw [CLS]
    ids = torch.tensor(ids)  # (1, T)
    logits = model(ids, None, ids == MASK_ID)  # (n, V)
    chances, best = inspection.top_answers(logits, k)  # your function, as the course has it
    return [
        [(tokenizer.id_to_token(i), p) for i, p in zip(*row)]
        for row in zip(best.tolist(), chances.tolist())
    ]


# %% tags=["nbval-ignore-output"]
examples = {
    "If None, the default [MASK] is used.": "value",
    "The elements are sorted in ascending [MASK].": "order",
    "Return the sum of the elements along the given [MASK].": "axis",
    "Returns [MASK] if the two objects are equal, False otherwise.": "true",
    "The random [MASK] generator used to draw samples.": "number",
}
for text in examples:
    print(text)
    print("   ", "   ".join(f"{word} {chance:.2f}" for word, chance in fill(text)[0]))

# %%
accepted = [answer in dict(fill(text, k=3)[0]) for text, answer in examples.items()]
assert all(accepted)  # what a programmer would say is among the first three

# %% [markdown]
# These were picked because they work. Try your own sentences. You will soon see where it stops: it knows the phrases of documentation, little of what
# they mean, and nothing of the world.

# %% tags=["nbval-ignore-output"]
for text in (
    "This function is deprecated and will be [MASK] in a future version.",
    "The capital of France is [MASK].",
):
    print(text)
    print("   ", "   ".join(f"{word} {chance:.2f}" for word, chance in fill(text)[0]))

# %% [markdown]
# On modules it has never read, with 15 % hidden, its first answer is right this often:

# %%
found = recorded("python_docs")["result"]
print(f"{found['accuracy']:.1%} of all pieces, {found['word_accuracy']:.1%} of whole words")

# %% [markdown]
# ## 2. Next to the exact answer
#
# Are the probabilities any good? For documentation nobody can say. For tinyworld we can: lesson 3 computed the exact **posterior**, the
# probability of each word given everything visible. Here is tinyworld's model, trained as in lesson 5, beside it.

# %%
world, _ = pretrained("tinyworld")
names = tinyworld.vocabulary()


@torch.no_grad()
def guesses(ids: Tensor, hidden: Tensor) -> Tensor:
    """The model's probabilities for each hidden word: (n, V)."""
    shown = ids.masked_fill(hidden, MASK_ID)
    parts = zip(shown.split(256), hidden.split(256))
    return torch.cat([world(s, visible_mask(s), h) for s, h in parts]).softmax(-1)


def hide_words(sentence: str, places: list[int]) -> tuple[Tensor, Tensor]:
    """Ids (1, T) of a sentence, and which are hidden; places count words from 0."""
    ids = tinyworld.encode([sentence.split()])
    hidden = torch.zeros_like(ids, dtype=torch.bool)
    hidden[0, [place + 1 for place in places]] = True  # [CLS] stands in front
    return ids, hidden


# %% tags=["nbval-ignore-output"]
sentence = "anna gave tom a red towel , and he thanked her for the red towel at the river ."
for places in ([4], [4, 13], [17]):
    ids, hidden = hide_words(sentence, places)
    exact = tinyworld.masked_posterior(ids, hidden)[hidden][0]  # (V,) at the first hidden place
    model_says = guesses(ids, hidden)[0]  # (V,)
    shown = " ".join("[MASK]" if i in places else w for i, w in enumerate(sentence.split()))
    print(shown)
    for i in exact.argsort(descending=True, stable=True)[:5]:
        if exact[i] > 0:
            print(f"   {names[i]:8} exact {exact[i]:.2f}   model {model_says[i]:.2f}")

# %% [markdown]
# It has found out that the colour must be repeated, that colours are not equally common, and that towels belong near water. Where several
# answers are possible, its shares are a little off. Now the same for many hidden words. Each dot is one word at one hidden place.

# %%
test_ids = tinyworld.sample_ids(1000, torch.Generator().manual_seed(5))
masker = corruption.Masker(
    len(names), range(5), MASK_ID, choose=corruption.choose_fixed_count, ratio=0.15,
    proportions=corruption.MASK_ONLY,
)  # fmt: skip
masked = masker(test_ids, torch.Generator().manual_seed(6))
exact = tinyworld.masked_posterior(test_ids, masked.hidden)[masked.hidden]  # (n, V)
ours = guesses(test_ids, masked.hidden).double()  # (n, V)
truth = test_ids[masked.hidden]  # (n,)

# %% tags=["nbval-ignore-output"]
first = exact[:300].flatten(), ours[:300].flatten()
worth_a_dot = first[0] + first[1] > 0.01
fig, ax = plt.subplots(figsize=(4, 4))
ax.plot([0, 1], [0, 1], color="0.8")
ax.plot(first[0][worth_a_dot], first[1][worth_a_dot], ".", alpha=0.4)
ax.set(xlabel="exact probability", ylabel="the model's probability")
plt.show()
off = (ours - exact).abs().sum(-1) / 2  # total variation distance, for each hidden word
print(f"probability that would have to move to match: {off.mean():.3f} on average")
print(f"hidden words where it is more than .2: {(off > 0.2).double().mean():.1%}")

# %%
assert off.mean() < 0.08

# %% [markdown]
# *In words: the dots lie near the diagonal, in columns: tinyworld draws from short lists, so few exact probabilities occur, such as 1, 1/2,
# 1/4 and 1/7. Few dots are far off.*
#
# How much does the difference cost? The model's loss minus the floor is, on average, exactly the
# **Kullback-Leibler divergence** from the posterior to the model: how much more it is surprised than the best guesser.

# %% tags=["nbval-ignore-output"]
loss = -ours.gather(1, truth[:, None]).log().mean()
floor = tinyworld.loss_floor(test_ids, masked.hidden)
divergence = (exact * (exact.clamp(min=1e-12) / ours).log()).sum(-1)  # (n,)
print(f"loss {loss:.3f}, floor {floor:.3f}, difference {loss - floor:.3f}")
print(f"mean divergence {divergence.mean():.3f}")

# %%
assert divergence.mean() < 0.05 and abs(loss - floor - divergence.mean()) < 0.03

# %% [markdown]
# Where is it worst?

# %% tags=["nbval-ignore-output"]
rows, places = masked.hidden.nonzero().unbind(1)
worst = divergence.argsort(descending=True)[:3].tolist()
for i in worst:
    row = masked.input_ids[rows[i]].tolist()
    words = [names[w] for w in row if w not in (tinyworld.PAD, tinyworld.CLS, tinyworld.SEP)]
    gap = int(places[i]) - 1
    print(" ".join(f"<{w}>" if j == gap else w for j, w in enumerate(words)))
    w = int((ours[i] - exact[i]).argmax())  # the word it believes in far too much
    best = exact[i].max()
    print(f"   {names[w]}: exact {exact[i, w]:.2f}, model {ours[i, w]:.2f}", end="")
    print(f"; the likeliest: {int((exact[i] > best - 1e-6).sum())} words with {best:.2f} each")

# %%
assert all(exact[i, (ours[i] - exact[i]).argmax()] == 0 for i in worst)

# %% [markdown]
# All three are one mistake: somebody gives something to herself, or to himself. The exact chance of that is 0, and the model has not quite got it.
#
# **Calibration** is a weaker question that can be asked of any model, also without a posterior: of all the answers it gives with a
# confidence of 70 %, are 70 % right?

# %% tags=["nbval-ignore-output"]
confidence, answer = ours.max(-1)  # (n,)
right = (answer == truth).double()
bins = [(0, 0.2), (0.2, 0.4), (0.4, 0.6), (0.6, 0.8), (0.8, 0.99), (0.99, 1.01)]
print("confidence     answers   mean confidence   share right")
for low, high in bins:
    inside = (confidence >= low) & (confidence < high)
    if inside.sum() > 10:
        means = f"{confidence[inside].mean():17.2f} {right[inside].mean():13.2f}"
        print(f"{low:.2f} to {min(high, 1):.2f} {int(inside.sum()):9}{means}")
calibration_error = abs(confidence.mean() - right.mean())
print(f"all: mean confidence {confidence.mean():.3f}, share right {right.mean():.3f}")

# %%
assert calibration_error < 0.04
unsure = confidence < 0.4
assert confidence[unsure].mean() > right[unsure].mean() + 0.02

# %% [markdown]
# *In words: where it is sure, it is right. Where it is unsure it is a little too sure: of several equally likely names it picks the one it
# overrates most.*

# %% [markdown]
# ## 3. Two gaps at once
#
# Now hide two words that belong together, a feeling and what it looks like:

# %%
sentence = "after lunch clara felt sleepy , so she yawned all afternoon ."
ids, hidden = hide_words(sentence, [4, 8])
feelings = "glad happy lonely sad angry cross sleepy tired".split()
reactions = "laughed smiled cried sighed complained shouted rested yawned".split()
feeling, reaction = guesses(ids, hidden)  # (V,) each
p_feeling = torch.stack([feeling[names.index(word)] for word in feelings])  # (8,)
p_reaction = torch.stack([reaction[names.index(word)] for word in reactions])  # (8,)
together = p_feeling[:, None] * p_reaction  # (8, 8) if the two are picked independently

# %% tags=["nbval-ignore-output"]
show(heat_map(feelings, reactions, together, title="the model's two lists, multiplied"))

# %% [markdown]
# And the truth? tinyworld knows how likely each pair is:

# %%
pairs = [(f, r) for f in feelings for r in reactions]
filled = [f"after lunch clara felt {f} , so she {r} all afternoon ." for f, r in pairs]
chance = tinyworld.sentence_probability(tinyworld.encode([s.split() for s in filled]))  # (64,)
joint = (chance / chance.sum()).reshape(8, 8)
show(heat_map(feelings, reactions, joint, title="the exact joint probability"))

# %%
fits = ((together * (joint > 0)).sum() / together.sum()).item()
by_chance = (joint > 0).double().mean().item()
print("two independent picks fit together in less than half of the cases:", fits < 0.5)
assert fits < 0.5

# %% tags=["nbval-ignore-output"]
print(f"they fit in {fits:.0%} of the cases; of all 64 pairs {by_chance:.0%} fit")
for word in ("sad", "tired"):
    ids, hidden = hide_words(f"after lunch clara felt {word} , so she sighed all afternoon .", [8])
    chance = guesses(ids, hidden)[0]  # (V,)
    said = [f"{names[i]} {chance[i]:.2f}" for i in chance.argsort(descending=True)[:2]]
    print(f"felt {word}, so she ...", "  ".join(said))

# %% [markdown]
# People who feel sad cry or sigh, tired ones rest or yawn. The model *knows* that: the last two lines show it the feeling, and it names the right
# reactions. But with both words hidden it gives one list for each gap, and nothing in its answer says which words of the two lists belong together. It treats
# the gaps as independent of each other, given what is visible. This is called **conditional independence**.
#
# How often does it matter? Fill all gaps of a sentence at once and ask tinyworld whether it could say that sentence. Then fill them one after the other,
# the surest first, so that later answers can see earlier ones.


# %%
def fill_all(shown: Tensor, one_by_one: bool) -> Tensor:
    """Each [MASK] replaced by the model's best guess, all at once or one by one, surest first."""
    shown = shown.clone()
    while (hidden := shown == MASK_ID).any():
        chance = torch.zeros(*shown.shape, len(names))
        chance[hidden] = guesses(shown, hidden)
        sure, best = chance.max(-1)  # (B, T)
        now = hidden & (sure == sure.amax(1, keepdim=True)) if one_by_one else hidden
        shown[now] = best[now]
    return shown


def possible(ids: Tensor) -> float:
    """The share of rows that are sentences of tinyworld."""
    return (tinyworld.sentence_probability(ids) > 0).double().mean().item()


ratios = [0.15, 0.5, 0.8]
shares = {"all at once": [], "one by one": []}
some = test_ids[: 50 if FAST else 120]
filled_rows = {}
for ratio in ratios:
    gaps = corruption.choose_fixed_count(some > 4, ratio, torch.Generator().manual_seed(0))
    shown = some.masked_fill(gaps, MASK_ID)
    for way, found in shares.items():
        filled_rows[ratio, way] = fill_all(shown, way == "one by one")
        found.append(possible(filled_rows[ratio, way]))

# %% tags=["nbval-ignore-output"]
fig, ax = plt.subplots(figsize=(5, 3))
for way, found in shares.items():
    ax.plot(ratios, found, "o-", label=way)
ax.set(xlabel="share of words hidden", ylabel="share of possible sentences", ylim=(0, 1.02))
ax.legend()
plt.show()
for way, found in shares.items():
    print(f"{way:12}", "   ".join(f"{r:.0%} hidden: {s:.0%}" for r, s in zip(ratios, found)))

# %%
assert shares["one by one"][-1] > shares["all at once"][-1] + 0.2

# %% [markdown]
# *In words: filled all at once, the more is hidden the fewer sentences make sense; filled one by one, nearly all do.*
#
# One of them, at the largest share:

# %% tags=["nbval-ignore-output"]
at_once = filled_rows[ratios[-1], "all at once"]
one_by_one = filled_rows[ratios[-1], "one by one"]
good = [tinyworld.sentence_probability(x) > 0 for x in (at_once, one_by_one)]
wrong = int((~good[0] & good[1]).nonzero()[0])  # a sentence that only one of the two ways spoils
for way, rows in (("shown", shown), *((way, filled_rows[ratios[-1], way]) for way in shares)):
    print(f"{way:12}", *tinyworld.decode(rows[[wrong]])[0][1:-1])

# %% [markdown]
# (In tinyworld, what is felt after lunch goes on all afternoon: after breakfast comes the morning, after lunch the afternoon, after dinner the evening.)
#
# The same model, the same knowledge. What differs is the *procedure*. Lessons 9 and 10 are about procedures between these two.

# %% [markdown]
# ## 4. Reading attention
#
# How does it know that the colour has to be repeated? Some head should look from the gap to the other mention. Look for yourself: choose the query `[MASK]`, then
# walk through the heads, and through the layers 0, 1 and 2 (the cell's second line). Try layer 1, head 2.


# %%
@torch.no_grad()
def scores_of(layer: int, ids: Tensor) -> Tensor:
    """Attention scores of all heads of one layer, before softmax: (B, T) -> (B, H, T, T)."""
    x = world.encoder.embeddings(ids)
    for block in world.encoder.blocks[:layer]:
        x, _ = block(x, visible_mask(ids))
    block = world.encoder.blocks[layer]
    x = block.attention_norm(x) if block.pre_norm else x
    heads = world.config.n_heads
    q, k = (split_heads(part(x), heads) for part in (block.attention.query, block.attention.key))
    return q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5


# %% tags=["nbval-ignore-output"]
sentence = "anna gave tom a red towel , and he thanked her for the red towel at the river ."
layer = 0
ids, hidden = hide_words(sentence, [4])
tokens = [names[i] for i in ids.masked_fill(hidden, MASK_ID)[0]]
AttentionExplorer(tokens, scores_of(layer, ids.masked_fill(hidden, MASK_ID))[0], selected_query=5)

# %% [markdown]
# One sentence proves little. Let us ask all heads, over many sentences: *how much attention does a hidden word pay to its other
# mentions?* tinyworld tells where they are (`Reading.repeats`). In each sentence
# that mentions something twice, and also has a word that is tied to others but said once, we hide one mention. Hiding that other word instead (`alone`) is the
# control.

# %%
readings = tinyworld.sample_readings(200, torch.Generator().manual_seed(0))
ids = tinyworld.encode([reading.words for reading in readings])  # (B, T)
hidden = torch.zeros_like(ids, dtype=torch.bool)  # one mention of something said twice
alone = torch.zeros_like(hidden)  # instead: a word that is tied to others, but said once
mention = torch.zeros(*ids.shape, ids.shape[1], dtype=torch.bool)  # (B, T, T) its other mentions
g = torch.Generator().manual_seed(1)
for b, reading in enumerate(readings):
    places = range(len(reading.words))
    twice = [i for i in places if reading.repeats(i)]
    once = [i for i in places if reading.related(i) and not reading.repeats(i)]
    if twice and once:
        place = twice[int(torch.randint(len(twice), (), generator=g))]
        hidden[b, place + 1] = True
        mention[b, place + 1, [other + 1 for other in reading.repeats(place)]] = True
        alone[b, once[int(torch.randint(len(once), (), generator=g))] + 1] = True
print(f"{int(hidden.sum())} hidden words with another mention")

# %% [markdown]
# ### Exercise 6.2: who copies?
# `weights` `(B, H, T, S)` is the attention of one layer's heads. `mention` `(B, T, S)` is True where key `s` is another mention of the
# hidden word at query `t`. It is False everywhere else, and in all rows of queries that are not asked. For each head: add up the
# weights a query gives to its other mentions, then take the mean over those queries of the whole batch that have any, each counting the same. Return `(H,)`.


# %% exercise="6.2"
def copy_scores(weights: Tensor, mention: Tensor) -> Tensor:
    """For each head the attention that hidden words pay to their other mentions, on average."""
    ### BEGIN SOLUTION
    paid = (weights * mention[:, None]).sum(-1)  # (B, H, T)
    asked = mention.any(-1)[:, None]  # (B, 1, T)
    return (paid * asked).sum((0, 2)) / asked.sum()
    ### END SOLUTION


# %%
check("6.2", copy_scores)

# %%
with torch.no_grad():
    shown = ids.masked_fill(hidden, MASK_ID)
    _, all_weights = world.encoder(shown, visible_mask(shown), return_weights=True)
copying = torch.stack([inspection.copy_scores(w, mention) for w in all_weights])  # (layers, H)

# %% tags=["nbval-ignore-output"]
layer_names = [f"layer {i}" for i in range(len(copying))]
head_names = [f"head {i}" for i in range(copying.shape[1])]
show(heat_map(layer_names, head_names, copying, title="attention to the other mention"))

# %% [markdown]
# A good part of a head's attention (in one head more than half) goes to *one* word out of some twenty. So that is the head that copies? Careful.
#
# > **Often read:** attention weights show which words a prediction is based on.
#
# Attention says where a head *looks*. What it reads there, and whether anything further up uses it, is another matter. There is a direct test: **ablation**. Switch
# a head off, by setting to zero the columns of the output matrix that read it, and measure what gets harder.


# %%
@contextmanager
def without_head(layer: int, head: int):
    """The model with one head's part of the attention output set to zero, for a while."""
    matrix = world.encoder.blocks[layer].attention.output.weight  # (D, H * D_head)
    size = matrix.shape[1] // world.config.n_heads
    kept = matrix.data.clone()
    matrix.data[:, head * size : (head + 1) * size] = 0
    try:
        yield
    finally:
        matrix.data = kept


def loss_at(where: Tensor) -> float:
    """Mean loss at hidden places, everything else being visible."""
    chance = guesses(ids, where)
    return -chance.gather(1, ids[where][:, None]).log().mean().item()


whole = {"said twice": loss_at(hidden), "said once": loss_at(alone)}
harm = {kind: torch.zeros_like(copying) for kind in whole}
for layer in range(copying.shape[0]):
    for head in range(copying.shape[1]):
        with without_head(layer, head):
            harm["said twice"][layer, head] = loss_at(hidden) - whole["said twice"]
            harm["said once"][layer, head] = loss_at(alone) - whole["said once"]

# %% tags=["nbval-ignore-output"]
title = "loss at repeated words: how much it grows without the head"
show(heat_map(layer_names, head_names, harm["said twice"], title=title))

# %% tags=["nbval-ignore-output"]
fig, ax = plt.subplots(figsize=(5, 3))
ax.plot(copying.flatten(), harm["said twice"].flatten(), "o")
ax.set(xlabel="attention to the other mention", ylabel="harm at repeated words (nats)")
plt.show()
order = copying.flatten().argsort(descending=True).tolist()
for kind, loss in whole.items():
    print(f"loss of the whole model for words {kind}: {loss:.3f}")
print("                attention    loss it saves: words said twice    said once (nats)")
for layer, head in (divmod(place, copying.shape[1]) for place in order):
    twice, once = (harm[kind][layer, head] for kind in harm)
    costs = f"{twice:+25.2f} {once:+22.2f}"
    print(f"layer {layer} head {head}     {copying[layer, head]:.2f} {costs}")

# %%
most_harmful = int(harm["said twice"].argmax())
twice, once = (kind.flatten()[most_harmful] for kind in harm.values())
assert twice > 0.1 and once < 0.2 * twice  # one head matters a lot, for repeated words only ...
assert 0 < order.index(most_harmful) < 5  # ... and others look at the mention more than it does
for place in order[: order.index(most_harmful)]:
    assert harm["said twice"].flatten()[place] < 0.4 * twice

# %% [markdown]
# *In words: without one head, repeated words get much harder, and words said once do not. Other heads look at the other mention more than it
# does; without them repeated words lose little, or words said once lose as much.*
#
# > **In fact** weights are a hint where to search, and the ablation is the evidence. Jain and Wallace 2019 found
# > that quite different weights can give the same prediction. That does not make them useless: Wiegreffe and Pinter
# > 2019 answer that it depends on what one calls an explanation. And an ablation shows what a head does *in this network*: where several heads can do
# > the same job, switching one off hides what it does.

# %% [markdown]
# ## 5. What is near what?
#
# The embedding table holds one vector for each word. Lesson 1 made such vectors by counting. These were learned on the way, by filling gaps. In
# tinyworld we know which words are of one kind: those that may stand in the same slot of a sentence.

# %%
table = world.encoder.embeddings.token.weight.detach()  # (V, D)
kinds: dict[str, set[str]] = {}
for reading in tinyworld.sample_readings(3000, torch.Generator().manual_seed(2)):
    for word, role in zip(reading.words, reading.roles):
        kinds.setdefault(word, set()).add(role or word)


def nearest(vectors: Tensor, i: int, n: int) -> list[int]:
    """The n rows whose vectors point most nearly the same way as row i."""
    cosine = F.cosine_similarity(vectors[i, None], vectors, dim=-1)  # (V,)
    return [j for j in cosine.argsort(descending=True).tolist() if j != i][:n]


# %% tags=["nbval-ignore-output"]
for word in ["anna", "red", "river", "cats", "yawned"]:
    near = nearest(table[5:], names.index(word) - 5, n=4)
    print(f"{word:7} ->", ", ".join(names[i + 5] for i in near))

# %%
choices = [i for i in range(5, len(names)) if names[i] in kinds]
same_kind = [
    bool(kinds[names[i]] & kinds.get(names[nearest(table[5:], i - 5, 1)[0] + 5], set()))
    for i in choices
]
by_chance = sum(bool(kinds[names[i]] & kinds[names[j]]) for i in choices for j in choices if i != j)
by_chance /= len(choices) * (len(choices) - 1)
hits = sum(same_kind) / len(same_kind)

# %% tags=["nbval-ignore-output"]
print(f"nearest neighbour of the same kind: {hits:.0%} of the words (by chance: {by_chance:.0%})")

# %%
assert hits > 4 * by_chance

# %% [markdown]
# Nobody gave it these kinds. Words that fill the same gaps get similar vectors, because similar vectors give similar answers. Now the documentation:

# %%
docs_table = model.encoder.embeddings.token.weight.detach()  # (V, D)
pieces = [tokenizer.id_to_token(i) for i in range(tokenizer.get_vocab_size())]

# %% tags=["nbval-ignore-output"]
for word in ["list", "returns", "true", "integer", "matplotlib", "row"]:
    near = nearest(docs_table, tokenizer.token_to_id(word), n=6)
    print(f"{word:10} ->", ", ".join(pieces[i] for i in near))

# %% [markdown]
# Less tidy than tinyworld: rarer words have odd neighbours.

# %%
assert "false" in [pieces[i] for i in nearest(docs_table, tokenizer.token_to_id("true"), 10)]

# %% [markdown]
# ### One word, two meanings
# The table has *one* vector for "kernel", whatever it means. Behind the encoder, each token's vector also knows its surroundings: a **contextual
# vector**. Six sentences, three about kernels of a machine-learning method, three about programs on a GPU:

# %%
kernel_sentences = [
    "the kernel function of the support vector machine",
    "a gaussian process with an rbf kernel and its length scale",
    "the polynomial kernel between the rows of x and y",
    "launch the cuda kernel on the gpu device",
    "the triton kernel is compiled before it is launched",
    "synchronize the stream after the kernel has been launched",
]


@torch.no_grad()
def contextual(texts: list[str]) -> tuple[Tensor, Tensor]:
    """Vectors of all tokens behind the encoder, (n, D), and their ids (n,), without padding."""
    encoded = [tokenizer.encode(text).ids for text in texts]
    ids = nn.utils.rnn.pad_sequence([torch.tensor(row) for row in encoded], True)
    keep = ids > 4  # no special tokens
    return model.encoder(ids, visible_mask(ids))[keep], ids[keep]


vectors, token_ids = contextual(kernel_sentences)
kernels = vectors[token_ids == tokenizer.token_to_id("kernel")]  # (6, D)
raw = F.cosine_similarity(kernels[:, None], kernels[None], dim=-1)  # (6, 6)

# %% [markdown]
# ### A trap: even strangers look alike
# Before you trust a cosine, look at what it is for things that have *nothing* to do with each other. A thousand pairs of tokens
# from Python's manual, drawn at random:

# %%
manual = python_docs.paragraphs(python_docs.manual(), min_words=20)
some_vectors, some_ids = contextual([" ".join(p.split()[:40]) for p in manual[:400:4]])
g = torch.Generator().manual_seed(0)
a, b = some_vectors[torch.randint(len(some_vectors), (2, 1000), generator=g)]  # (1000, D) each
mean = some_vectors.mean(0)
centred = F.cosine_similarity(kernels[:, None] - mean, kernels[None] - mean, dim=-1)

# %% tags=["nbval-ignore-output"]
print(f"random pairs: mean cosine {F.cosine_similarity(a, b).mean():.2f}")
print(f"with the mean subtracted:  {F.cosine_similarity(a - mean, b - mean).mean():.2f}")
same = torch.block_diag(torch.ones(3, 3), torch.ones(3, 3)).bool() & ~torch.eye(6).bool()
other = torch.block_diag(torch.ones(3, 3), torch.ones(3, 3)) == 0
for what, cosine in (("raw", raw), ("centred", centred)):
    cosines = f"same meaning {cosine[same].mean():.2f}, other {cosine[other].mean():.2f}"
    print(f"kernels, {what:8} {cosines}")

# %%
assert F.cosine_similarity(a, b).mean() > F.cosine_similarity(a - mean, b - mean).mean() + 0.03
assert centred[same].mean() > centred[other].mean()

# %% [markdown]
# Vectors that point anywhere would have a cosine near 0. These share a common direction, so that even unrelated ones look alike: they are **anisotropic**, not
# spread evenly over all directions. How much so depends on model and layer; in GPT-2's last layer two random words come close to 1 (Ethayarajh 2019, section 4.1).
# A cosine no larger than that of random pairs means nothing. Subtract the mean first, and compare with random pairs.

# %% tags=["nbval-ignore-output"]
short_names = [" ".join(s.split()[:4]) for s in kernel_sentences]
show(heat_map(short_names, short_names, centred, title="cosine of the kernels, mean subtracted"))

# %% tags=["nbval-ignore-output"]
upper = torch.ones(3, 3).triu(1).bool()  # each pair once
groups = {"of a method": centred[:3, :3][upper], "on a GPU": centred[3:, 3:][upper]}
groups["one of each"] = centred[:3, 3:]
for which, cosines in groups.items():
    low, high = cosines.min(), cosines.max()
    print(f"kernels {which:12} mean {cosines.mean():.2f}, from {low:.2f} to {high:.2f}")

# %%
assert groups["on a GPU"].mean() > groups["one of each"].mean() + 0.1

# %% [markdown]
# *In words: look at the two blocks on the diagonal one by one. The kernels on a GPU are close to each other. Of the other three the
# last lines say how much closer they are than mixed pairs, and whether the ranges overlap. Six hand-picked sentences show how to look, not how often it works.*

# %% [markdown]
# ## 6. A class for a text
#
# Filling gaps is rarely the goal. The encoder is put to *other* use: keep it, throw away the layer that fills gaps, and put a small new **head**
# on top, trained with a few labels. (Here a head is a last layer for one task; it has nothing to do with the attention heads of section 4. What was saved of a
# training, our encoder's numbers, is called a **checkpoint**.) Such a task is called a **downstream task**. (Devlin et al. 2019, section 3.2)
#
# Our first one is a relative of sentiment: is something *bad* or *very bad*? When a program complains, its author has decided whether that is an
# *error* (`raise ...`) or only a *warning* (`warnings.warn(...)`). We read the messages, and these decisions, from the source code of two
# packages. The model has never seen these texts: it was trained on docstrings. (Docstrings of these modules it may have seen.)

# %%
PACKAGES = ["numpy", "sklearn"]
messages = labelled.messages(PACKAGES)
train_all, test_all = labelled.split_by_module(messages, 0.25)  # no module on both sides


def balanced(items: list[labelled.Message], seed: int) -> list[labelled.Message]:
    """As many errors as warnings, shuffled."""
    g = torch.Generator().manual_seed(seed)
    mixed = [items[i] for i in torch.randperm(len(items), generator=g).tolist()]
    kinds = [[item for item in mixed if item.kind == kind] for kind in labelled.KINDS]
    return [item for pair in zip(*kinds) for item in pair]


train_messages, test_messages = balanced(train_all, 0), balanced(test_all, 1)

# %% tags=["nbval-ignore-output"]
print(len(train_messages), "to train on,", len(test_messages), "to test on")
for item in test_messages[:4]:
    print(f"   {item.kind:8} {item.text[:100]}")

# %%
assert len(train_messages) > 300 and len(test_messages) > 80

# %% [markdown]
# A text needs *one* vector. BERT takes the vector of `[CLS]`. Our checkpoint was trained on packed rows in which no `[CLS]` occurs, so
# that vector knows nothing. We take the mean of all tokens' vectors, which works well in general (Reimers and Gurevych 2019, section 6).
#
# ### Exercise 6.3: the mean of a text
# `x` `(B, T, D)`, `visible` `(B, T)` boolean, False at padding (every row has some tokens) -> the mean of each row's
# vectors, `(B, D)`, padding neither added nor counted.


# %% exercise="6.3"
def mean_of_text(x: Tensor, visible: Tensor) -> Tensor:
    """The mean of the vectors of each text, without padding."""
    ### BEGIN SOLUTION
    weights = visible[..., None].float()  # (B, T, 1)
    return (x * weights).sum(1) / weights.sum(1)
    ### END SOLUTION


# %%
check("6.3", mean_of_text)

# %% [markdown]
# First we leave the encoder as it is, **frozen**, and train nothing but a linear classifier on its vectors. This is called a **linear
# probe**: what it finds must be in the vectors already. Two rivals keep us honest:
#
# - the *same encoder with random weights*. Whatever the probe gets out of that is not the merit of pretraining;
# - *no network at all*: which words and pairs of words occur (a "bag of words"), with the same kind of classifier.


# %%
@torch.no_grad()
def text_vectors(encoder: Encoder, ids: Tensor) -> Tensor:
    """One vector for each row of ids, (N, T) -> (N, D), worked out in batches of like lengths."""
    lengths = (ids != 0).sum(1)
    vectors = torch.empty(len(ids), encoder.config.d_model)
    for rows in lengths.argsort().split(64):
        batch = ids[rows, : lengths[rows].max()]  # no more padding than this batch needs
        vectors[rows] = mean_over_tokens(encoder(batch, batch != 0), batch != 0)
    return vectors


torch.manual_seed(0)
untrained = Encoder(model.config).eval()
rows = labelled_rows.encode_messages(tokenizer, train_messages, 64)
test_rows = labelled_rows.encode_messages(tokenizer, test_messages, 64)
features = {}
for name, encoder in {"pretrained": model.encoder, "random weights": untrained}.items():
    train_x, test_x = (text_vectors(encoder, r.ids) for r in (rows, test_rows))
    mean, spread = train_x.mean(0), train_x.std(0)  # of each of the D numbers
    features[name] = [((x - mean) / spread).numpy() for x in (train_x, test_x)]
words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
words.fit([item.text for item in train_messages])
features["bag of words"] = [
    words.transform([item.text for item in items]) for items in (train_messages, test_messages)
]

# %% [markdown]
# A classifier on hundreds of numbers can learn a few labels by heart. `C` holds it back: the smaller it is, the smaller the weights are kept. Each rival
# gets the `C` that suits it, chosen on the training side alone by cross-validation (a quarter of the texts is held out, four times). Then we train with 20 labels
# and more, and take the mean of three draws, because with few labels it matters a lot which.

# %%
label_counts = [20, 60, 180, len(train_messages)]
curves = {name: [] for name in features}
best_c = {}
for name, (train_x, test_x) in features.items():
    search = GridSearchCV(LogisticRegression(max_iter=300), {"C": [0.001, 0.01, 0.1, 1, 10]}, cv=4)
    best_c[name] = search.fit(train_x, rows.labels.numpy()).best_params_["C"]
    for n in label_counts:
        right = []
        for draw in range(3):
            g = torch.Generator().manual_seed(draw)
            chosen = torch.randperm(len(train_messages), generator=g)[:n].numpy()
            probe = LogisticRegression(C=best_c[name], max_iter=300)
            probe.fit(train_x[chosen], rows.labels[chosen].numpy())
            right.append(probe.score(test_x, test_rows.labels.numpy()))
        curves[name].append(sum(right) / len(right))

# %% tags=["nbval-ignore-output"]
fig, ax = plt.subplots(figsize=(5, 3))
for name, accuracies in curves.items():
    ax.semilogx(label_counts, accuracies, "o-", label=name)
ax.set(xlabel="labels", ylabel="accuracy on other modules")
ax.set_xticks(label_counts, label_counts)
ax.minorticks_off()
ax.legend()
plt.show()
print("labels         ", *[f"{n:5}" for n in label_counts], "     C")
for name, accuracies in curves.items():
    print(f"{name:15}", *[f"{a:5.2f}" for a in accuracies], f"{best_c[name]:6g}")
probe = LogisticRegression(C=best_c["bag of words"]).fit(features["bag of words"][0], rows.labels)
weight, word = torch.tensor(probe.coef_[0]), words.get_feature_names_out()
print("words that speak most for a warning:", *word[weight.topk(6).indices], sep="  ")
print("words that speak most for an error: ", *word[(-weight).topk(6).indices], sep="  ")

# %%
assert curves["pretrained"][-1] > 0.6
assert curves["bag of words"][-1] > max(curves["pretrained"][-1], curves["random weights"][-1])
assert abs(curves["pretrained"][-1] - curves["random weights"][-1]) < 0.12

# %% [markdown]
# *In words: on so few test messages a difference of .05 can be luck, so look at the larger ones. What pretraining adds to random weights is hardly
# more than that, if anything. With all labels the bag of words is ahead of both: single words give the answer away.*

# %% [markdown]
# **Accuracy** is the share of right answers. It hides *which* mistakes are made. For one class, say "warning":
#
# - **precision**: of all texts called a warning, how many are one?
# - **recall**: of all warnings, how many were called one?
# - **F1**: one number for both, `2 * precision * recall / (precision + recall)`, or, with counts, `2 * right / (predicted + actual)`.
#
# All of them can be read off a **confusion matrix**, a table of how often each class was taken for which.
#
# ### Exercise 6.4: precision, recall, F1
# `counts` `(C, C)`: `counts[i, j]` items of class `i` were predicted to be `j`. Return three numbers (tensors without dimensions): precision, recall and
# F1, each worked out for every class and then averaged over the classes ("macro"). 0 / 0 counts as 0: a class may never be predicted.


# %% exercise="6.4"
def macro_scores(counts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Macro precision, recall and F1 of a confusion matrix, actual classes in rows."""
    ### BEGIN SOLUTION
    right, predicted, actual = counts.diagonal(), counts.sum(0), counts.sum(1)  # (C,) each
    precision = right / predicted.clamp(min=1)
    recall = right / actual.clamp(min=1)
    f1 = 2 * right / (predicted + actual).clamp(min=1)
    return precision.mean(), recall.mean(), f1.mean()
    ### END SOLUTION


# %%
check("6.4", macro_scores)

# %% tags=["nbval-ignore-output"]
train_x, test_x = features["pretrained"]
probe = LogisticRegression(C=best_c["pretrained"], max_iter=300).fit(train_x, rows.labels)
counts = evaluation.confusion(torch.tensor(probe.predict(test_x)), test_rows.labels, n_classes=2)
print("rows: what it is, columns: what the probe says", labelled.KINDS)
print(counts.numpy())
scores = evaluation.classification_scores(counts)
print("   ".join(f"{name} {value:.2f}" for name, value in scores._asdict().items()))

# %% [markdown]
# Why not just accuracy? In these packages, errors are far more common than warnings. Without the balancing, a program that always says "error" is right most of the time:

# %% tags=["nbval-ignore-output"]
print(Counter(item.kind for item in messages))

# %%
lopsided = torch.tensor([[90, 0], [10, 0]])  # 90 errors, 10 warnings, all called errors
print("   ".join(f"{name} {value:.2f}" for name, value in
                 evaluation.classification_scores(lopsided)._asdict().items()))  # fmt: skip

# %% [markdown]
# ## 7. A tag for each word
#
# Second task: find the names in a sentence, and say what they name. Authors of docstrings mark code as such: ```If ``None``, `axis` is ignored.```
# We take the marks off, and the model has to say where they were: which words name a *parameter* of the function, which a *value*
# (`None`, a number, a string), and which *other code*. Authors forget marks, so the labels are not perfect; labels never are.
#
# The marks become tags, one for each word: **B-** begins an **entity**, **I-** goes on with it, **O** is outside.
#
# The sentences to test on come from modules that were held out when the model was pretrained, and sentences that another module of NumPy, SciPy or scikit-learn
# repeats word for word are left out: it has never read them. (The modules' names come from the record of an experiment; section 9 has more of it.)

# %%
record = recorded("downstream")
unseen = set(record["test_modules"])
train_tagged, held_out = labelled.split_by_module(labelled.tagged_sentences(PACKAGES), unseen)
elsewhere = [*PACKAGES, "scipy"]
test_tagged = labelled.not_said_elsewhere(held_out, elsewhere, own=unseen)

# %% tags=["nbval-ignore-output"]
print(f"{len(train_tagged)} to train on, {len(test_tagged)} to test on", end="; ")
print(f"{len(held_out) - len(test_tagged)} held-out ones are repeated elsewhere")
(largest, size), *_ = Counter(item.module for item in test_tagged).most_common(1)
print(f"{size} of those to test on come from one module, {largest}")
for tag in ("B-PARAM", "B-VALUE", "B-CODE"):
    item = next(item for item in test_tagged if tag in item.tags and len(item.words) < 25)
    print("  ", *(w if t == "O" else f"{w}/{t}" for w, t in zip(item.words, item.tags)))

# %%
assert len(train_tagged) > 1000 and len(test_tagged) > 50

# %% [markdown]
# Words have tags, but the model reads pieces. The usual way out: a word's *first* piece carries its tag, and nothing is asked at the others.
#
# ### Exercise 6.5: labels for pieces
# `word_ids` `(B, T)`: the number of each piece's word, -1 for special tokens and padding. `tags` `(B, W)`: a tag number for each word. Return labels
# `(B, T)`: the tag at each word's first piece, -100 everywhere else. For a row with word numbers `[-1, 0, 0, 1, -1]` and tags `[3, 0]`:
# `[-100, 3, -100, 0, -100]`. (`tags.gather(1, places)` looks up a tag for each place.)


# %% exercise="6.5"
def align_labels(word_ids: Tensor, tags: Tensor) -> Tensor:
    """The tag of each word at its first piece, -100 elsewhere."""
    ### BEGIN SOLUTION
    labels = tags.gather(1, word_ids.clamp(min=0))  # (B, T)
    before = word_ids.roll(1, dims=1)
    before[:, 0] = -1
    return labels.masked_fill((word_ids < 0) | (word_ids == before), -100)
    ### END SOLUTION


# %%
check("6.5", align_labels)

# %% [markdown]
# This time we **fine-tune**: encoder and head are both trained. The loop is that of lesson 5, with a falling learning rate. (So small a model takes 2e-3
# well; BERT wants 5e-5 or less.) Each batch holds rows of like length, so that little of it is padding.


# %%
def train(head: nn.Module, loss, rows: tuple[Tensor, ...], steps: int, lr: float = 2e-3) -> None:
    """Training of a head, and of its encoder unless frozen, on batches of 16 rows."""
    weights = [p for p in head.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=lr)
    lengths = (rows[0] != 0).sum(1)
    by_length = lengths.argsort(stable=True)
    g = torch.Generator().manual_seed(0)
    head.train()
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = lr * (1 - step / steps)
        first = int(torch.randint(len(by_length) - 15, (), generator=g))
        batch = by_length[first : first + 16]
        width = int(lengths[batch].max())  # no more padding than this batch needs
        loss(head, *(part[batch, :width] for part in rows)).backward()
        optimizer.step()
        optimizer.zero_grad()
    head.eval()  # no dropout from here on


@torch.no_grad()
def predict(head: nn.Module, ids: Tensor, *more: Tensor) -> Tensor:
    """The head's logits for all rows, in batches."""
    parts = zip(*(part.split(64) for part in (ids, *more)))
    return torch.cat([head(b[0], b[0] != 0, *b[1:]) for b in parts])


def tag_loss(head: nn.Module, ids: Tensor, labels: Tensor) -> Tensor:
    return F.cross_entropy(head(ids, ids != 0).flatten(0, 1), labels.flatten())  # -100 is skipped


# %%
LABELS, STEPS = (100, 10) if FAST else (400, 100)
g = torch.Generator().manual_seed(0)
few = torch.randperm(len(train_tagged), generator=g)[:LABELS].tolist()
tag_rows = labelled_rows.encode_tagged(tokenizer, [train_tagged[i] for i in few], 64)
tag_test = labelled_rows.encode_tagged(tokenizer, test_tagged, 64)
taggers = {}
for name, encoder in {"pretrained": model.encoder, "random weights": untrained}.items():
    torch.manual_seed(0)
    taggers[name] = TokenClassifier(encoder, len(labelled.TAGS))
    train(taggers[name], tag_loss, tuple(tag_rows), STEPS)

# %% [markdown]
# How good is it? Counting right tags flatters: most words are O, and whoever always says O gets them right. What counts is *entities*: one is
# right if its kind, its first word and its last word all are.
#
# ### Exercise 6.6: entities, not tokens
# `tags`, a list such as `["O", "B-PARAM", "I-PARAM", "B-VALUE"]` -> a list of entities `(kind, first, behind)` in order of
# appearance: `[("PARAM", 1, 3), ("VALUE", 3, 4)]`. `behind` is the place behind the last word, as in a slice. An I- that has nothing of its kind to
# go on with begins an entity. (`tag.partition("-")` gives `("B", "-", "PARAM")`.)


# %% exercise="6.6"
def find_entities(tags: list[str]) -> list[tuple[str, int, int]]:
    """Kind, first word and the word behind the last, of each entity."""
    ### BEGIN SOLUTION
    found, kind, start = [], None, 0
    for place, tag in enumerate([*tags, "O"]):
        mark, _, here = tag.partition("-")
        if kind and not (mark == "I" and here == kind):
            found.append((kind, start, place))
            kind = None
        if mark != "O" and kind is None:
            kind, start = here, place
    return found
    ### END SOLUTION


# %%
check("6.6", find_entities)


# %%
def spelled(numbers: Tensor, labels: Tensor) -> list[list[str]]:
    """Tag names of each sentence at the places that are asked: (N, T), (N, T)."""
    asked = labels != -100
    return [[labelled.TAGS[i] for i in row[a].tolist()] for row, a in zip(numbers, asked)]


actual = spelled(tag_test.labels, tag_test.labels)
tag_results = {"always O": [["O"] * len(row) for row in actual]}
for name, tagger in taggers.items():
    tag_results[name] = spelled(predict(tagger, tag_test.ids).argmax(-1), tag_test.labels)
entity_f1 = {name: evaluation.entity_scores(said, actual).f1 for name, said in tag_results.items()}

# %% tags=["nbval-ignore-output"]
print(f"{LABELS} labelled sentences          right tags   precision  recall  F1")
for name, said in tag_results.items():
    right = sum(a == b for x, y in zip(said, actual) for a, b in zip(x, y))
    share = right / sum(map(len, actual))
    scores = "      ".join(f"{value:.2f}" for value in evaluation.entity_scores(said, actual))
    print(f"   {name:25} {share:.2f}          {scores}")

# %%
assert entity_f1["always O"] == 0
assert FAST or entity_f1["pretrained"] > entity_f1["random weights"] + 0.05

# %% [markdown]
# *In words: always saying O gets most tags right and finds nothing. After so few steps, random weights find little; the pretrained encoder finds more and errs
# less.*

# %% [markdown]
# ## 8. An answer in a text
#
# Third task: **extractive question answering**. The model gets a question and a text, and has to point at the answer in the text. Our texts are the
# "Parameters" sections of docstrings, squeezed into one line, and the questions ask for a type:

# %%
train_side, held_out = labelled.split_by_module(labelled.type_questions(PACKAGES), unseen)
test_side = labelled.not_said_elsewhere(held_out, elsewhere, own=unseen)  # as in section 7
train_q, test_q = (
    labelled_rows.encode_questions(tokenizer, side, 96) for side in (train_side, test_side)
)

# %% tags=["nbval-ignore-output"]
print(len(train_q.items), "to train on,", len(test_q.items), "to test on")
for item in test_q.items[:2]:
    print(item.question, "-", item.answer)
print("   both in:", item.context)

# %%
assert len(train_q.items) > 800 and len(test_q.items) > 40

# %% [markdown]
# The head gives two scores to each token: one for "the answer begins here" and one for "it ends here". Two softmaxes over the *tokens* and
# two labels make the loss. To answer, we look for the best pair.
#
# ### Exercise 6.7: the best span
# `start` and `end` `(T,)` are scores, `context` `(T,)` is True for the tokens of the text (not of the question). Return the pair of ints
# `(first, last)` with the largest `start[first] + end[last]` such that both lie in the context, `first <= last`, and the answer has at most `longest` tokens.


# %% exercise="6.7"
def best_span(start: Tensor, end: Tensor, context: Tensor, longest: int) -> tuple[int, int]:
    """First and last token of the best answer."""
    ### BEGIN SOLUTION
    total = start[:, None] + end[None, :]  # (T, T): first token, last token
    allowed = (context[:, None] & context[None, :]).triu().tril(longest - 1)
    best = total.masked_fill(~allowed, float("-inf")).argmax().item()
    return divmod(best, len(start))
    ### END SOLUTION


# %%
check("6.7", best_span)


# %%
def span_loss(head: nn.Module, ids: Tensor, context: Tensor, spans: Tensor) -> Tensor:
    logits = head(ids, ids != 0, context)  # (B, 2, T)
    return F.cross_entropy(logits.flatten(0, 1), spans.flatten())


g = torch.Generator().manual_seed(0)
few = torch.randperm(len(train_q.items), generator=g)[:LABELS]
question_rows = tuple(part[few] for part in train_q[:3])
readers = {}
for name, encoder in {"pretrained": model.encoder, "random weights": untrained}.items():
    torch.manual_seed(0)
    readers[name] = SpanExtractor(encoder)
    train(readers[name], span_loss, question_rows, int(0.4 * STEPS))  # long rows: slow steps

# %% [markdown]
# Two scores are usual: **exact match**, the share of answers with both ends right, and **token F1**, which gives credit for overlap. (Rajpurkar et
# al. 2016, section 6.1)

# %%
answers = {
    name: best_spans(predict(reader, test_q.ids, test_q.context), longest=24)
    for name, reader in readers.items()
}
span_results = {
    name: evaluation.answer_scores(said, test_q.spans) for name, said in answers.items()
}

# %% tags=["nbval-ignore-output"]
print(f"{LABELS} labelled questions          exact match   token F1")
for name, (exact_match, token_f1) in span_results.items():
    print(f"   {name:25} {exact_match:.2f}          {token_f1:.2f}")
for i in range(3):
    first, last = answers["pretrained"][i].tolist()
    said = tokenizer.decode(test_q.ids[i, first : last + 1].tolist())
    print(f"{test_q.items[i].question}   {said}   (right: {test_q.items[i].answer})")

# %%
assert FAST or span_results["pretrained"][1] > 0.3

# %% [markdown]
# *In words: about a hundred questions, one draw of the labels and very short training: a difference of .1 between the two can be luck. Section 9 has longer
# runs on more questions.*

# %% [markdown]
# ## 9. What is pretraining worth?
#
# The runs above were small enough to wait for. Here is the record of larger ones (`python -m mlm_course experiment downstream`): three tasks, two numbers of
# labels, each with four networks (a learning rate chosen for each start and task) and a rival that is no network:
#
# - errors and warnings: the bag of words;
# - tags: a logistic regression on each word and its two neighbours on either side;
# - questions: a list of all types that occur in the labels; the answer is the longest one that stands behind the parameter's name.

# %%
METRIC = {"messages": "accuracy", "tags": "f1", "questions": "exact"}
print(f"recorded: {record['minutes']} minutes on {record['machine']}")
print("packages:", *record["packages"])
for n in (50, 400):
    draws = {row["seed"] for row in record["scores"] if row["labels"] == n}
    print(f"{n} labels: mean of {len(draws)} draw(s) of the labels")
KINDS_OF_RUN = {
    "pretrained, fine-tuned": ("pretrained", False),
    "pretrained, frozen": ("pretrained", True),
    "random, fine-tuned": ("random", False),
    "random, frozen": ("random", True),
    "no network": ("no network", False),
}


def recorded_curve(task: str, start: str, frozen: bool) -> dict[int, float]:
    """The mean score by number of labels."""
    runs: dict[int, list[float]] = {}
    for row in record["scores"]:
        if (row["task"], row["start"], row["frozen"]) == (task, start, frozen):
            runs.setdefault(row["labels"], []).append(row[METRIC[task]])
    return {n: sum(values) / len(values) for n, values in sorted(runs.items())}


fig, axes = plt.subplots(1, 3, figsize=(11, 3.2), layout="constrained")
for ax, (task, metric) in zip(axes, METRIC.items()):
    tests = record["tasks"][task]["test"]
    counts = " and ".join(map(str, recorded_curve(task, "pretrained", False)))
    print(f"\n{task}: {metric} on {tests} test examples, with {counts} labels")
    for name, kind in KINDS_OF_RUN.items():
        curve = recorded_curve(task, *kind)
        ax.semilogx(
            list(curve), list(curve.values()), "o-" if "random" not in name else "o--", label=name
        )
        print(f"   {name:24}", "  ".join(f"{score:.2f}" for score in curve.values()))
    ax.set(title=task, xlabel="labels", ylabel=metric)
axes[0].legend(fontsize=7)
plt.show()
print("three curves by number of labels; the tables above have every number")

# %% [markdown]
# *In words: the tables have every number of the picture.*
#
# Read such a table with two questions. Is the pretrained network above the *random* one? Only that difference is the merit of pretraining. And is it
# above the rival *without a network*? If not, use the rival: it is smaller, faster and easier to understand. Three tasks, three answers:


# %%
def gain(task: str, labels: int) -> float:
    """What pretraining adds to a fine-tuned network."""
    tuned = recorded_curve(task, "pretrained", False)[labels]
    return tuned - recorded_curve(task, "random", False)[labels]


def lead(task: str, labels: int) -> float:
    """How far the pretrained, fine-tuned network is ahead of the rival without a network."""
    tuned = recorded_curve(task, "pretrained", False)[labels]
    return tuned - recorded_curve(task, "no network", False)[labels]


print("                over random weights    over the rival without a network")
for task in METRIC:
    print(
        f"{task:10} 400 labels     {gain(task, 400):+.2f}                  {lead(task, 400):+.2f}"
    )
assert gain("tags", 400) > 0.1 > lead("tags", 400) > 0
assert 0.1 > gain("questions", 400) > 0 and lead("questions", 400) < -0.2
assert abs(gain("messages", 400)) < 0.05 and abs(lead("messages", 400)) < 0.05

# %% [markdown]
# - *Tags* need to know what kind of word may stand where, which is what filling gaps teaches. Over random weights, pretraining is worth a lot. The regression
#   on neighbouring words comes close behind, in less time.
# - *Questions*: a little better than nothing, and far behind a plain list of types. That list knows the layout of the texts, which the network would have to
#   find out from 400 examples.
# - *Messages*: nothing that shows. Single words such as "deprecated" carry the answer (section 6), and counting them does as well as any network.
#
# One or two draws of the labels and a few hundred test examples: a difference of a few hundredths can be luck. And a model of three million
# numbers that has read one shelf of documentation is no BERT. The way to measure is the same for both.

# %% [markdown]
# > **Often read:** before masked language modelling, clean the text: remove noise and stop words, normalise. Afterwards judge
# > the model by accuracy, recall and F1.
#
# You have used accuracy, recall and F1 where they belong: on downstream tasks with labels. For the gaps there are the loss and
# the accuracy. And cleaning? Take Python's
# manual, which this model has never read, and hide some words. Then throw all punctuation and the most common words out, and guess *the same hidden
# words* again:

# %%
STOP = set(
    "a an the of to in is are be it this that and or for with as by on at from not if".split()
)
drop = torch.tensor([not p.strip("#").isalnum() or p in STOP for p in pieces])  # (V,)
plain_word = torch.tensor([p.isalpha() and p not in STOP for p in pieces])  # (V,)
g = torch.Generator().manual_seed(0)
losses = {"as it is": [], "cleaned": []}
for paragraph in manual[:: 20 if FAST else 8]:
    ids = torch.tensor(tokenizer.encode(paragraph).ids[:100])  # (T,)
    goes_on = torch.tensor([pieces[i].startswith("##") for i in ids]).roll(-1)
    hidden = plain_word[ids] & ~goes_on & (torch.rand(len(ids), generator=g) < 0.15)
    keep = ~drop[ids] | hidden | (ids < 5)
    for name, where in (("as it is", torch.ones_like(keep)), ("cleaned", keep)):
        kept, gaps = ids[where][None], hidden[where][None]
        with torch.no_grad():
            logits = model(kept.masked_fill(gaps, MASK_ID), None, gaps)
        losses[name] += F.cross_entropy(logits, kept[gaps], reduction="none").tolist()

# %% tags=["nbval-ignore-output"]
for name, values in losses.items():
    print(f"{name:9} loss {sum(values) / len(values):.2f} over the same {len(values)} hidden words")

# %%
assert sum(losses["cleaned"]) > sum(losses["as it is"])

# %% [markdown]
# > **In fact** the "noise" was evidence: "a", "of" and commas say what kind of word must follow. (Part of the difference is that this model never met cleaned
# > text. But for any guesser, trained on either, leaving words out can on average only take evidence away.) BERT's input is text as it is, at most
# > in lower case (Devlin et al. 2019, appendix A.2 and section 3). What does help is to remove duplicates and what is no text at all. Recall and
# > F1 belong to tasks with classes (section 6).

# %% [markdown]
# ## 10. What it cannot do as it is
#
# > **Often read:** classification, entity recognition, question answering, translation, dialogue, summaries, writing code: all are applications
# > of masked language models such as BERT.
#
# Three of these you have just built. Each needed a new head and labels. Now ask the model, as it is, to go on with a sentence. It fills gaps, so we
# give it gaps:

# %% tags=["nbval-ignore-output"]
prompt = "Return a new list"
print(prompt, *(best[0][0] for best in fill(prompt + " [MASK]" * 10 + ".", k=1)))

# %% [markdown]
# Each gap was filled without knowing the others (section 3), and it could not even choose how many words to say: we did. Translation, summaries and dialogue
# have an output whose length and words are not those of the input, and an encoder gives one vector for each *input* token.
#
# > **In fact** an encoder understands, in its way; it does not write. Heads make it classify, tag and point (Devlin et al. 2019, section 4). For output of its own
# > it needs a decoder, or a procedure that fills gaps again and again: lessons 9 and 10 build both. What wide use such models have in writing and translating
# > rests on such additions.

# %% [markdown]
# ## On a GPU
#
# BERT's published weights (440 MB, from the network) know more. The lines below replace the checkpoint and ask it what ours could not know. Sections 6 to 8 can
# then be run on it: you will have to move heads and rows to the GPU by `.to("cuda")`, put `.cpu()` before `.numpy()`, and pass `lr=5e-5` to `train`.

# %% tags=["nbval-skip"]
if torch.cuda.is_available():
    model, tokenizer = bert_from_hub("bert-base-uncased")
    model.to("cuda")
    ids = torch.tensor([tokenizer.encode("The capital of France is [MASK].").ids], device="cuda")
    gap = ids == tokenizer.token_to_id("[MASK]")  # another vocabulary, another id
    with torch.no_grad():
        chances, best = model(ids, None, gap).softmax(-1).topk(5)
    found = zip(best[0].tolist(), chances[0].tolist())
    print([(tokenizer.id_to_token(i), round(p, 2)) for i, p in found])
else:
    print("No GPU here. It would ask BERT for the capital of France.")

# %% [markdown]
# ## Quiz

# %%
quiz("6")

# %% [markdown]
# ## Recap
#
# - Where the truth is known, a trained model's probabilities come close to it, and its extra loss is the divergence from it.
# - Several gaps are filled *independently*. Filled one by one, they fit together.
# - Attention weights say where to search; switching a head **off** says what depends on it (unless others stand in).
# - Cosines need a yardstick: subtract the mean and compare with random pairs.
# - One checkpoint serves many tasks through small heads, **frozen** or **fine-tuned**. Compare with random weights *and* with a simple rival, on modules held out from the labels.
# - What pretraining is worth depends on the task and on the number of labels. Measure it.
#
# **Next:** lesson 7 hides parts of pictures instead of words.

# %%
progress("6")

# %% [markdown]
# ## References
#
# - J. Devlin et al. 2019. *BERT*. NAACL. [arXiv:1810.04805](https://arxiv.org/abs/1810.04805) (sections 3.2 and 4: one checkpoint, several tasks)
# - S. Jain, B. Wallace 2019. *Attention is not Explanation*. NAACL. [arXiv:1902.10186](https://arxiv.org/abs/1902.10186)
# - S. Wiegreffe, Y. Pinter 2019. *Attention is not not Explanation*. EMNLP. [arXiv:1908.04626](https://arxiv.org/abs/1908.04626)
# - P. Michel, O. Levy, G. Neubig 2019. *Are Sixteen Heads Really Better than One?* NeurIPS. [arXiv:1905.10650](https://arxiv.org/abs/1905.10650) (switching heads off)
# - K. Ethayarajh 2019. *How Contextual are Contextualized Word Representations?* EMNLP. [arXiv:1909.00512](https://arxiv.org/abs/1909.00512) (anisotropy)
# - G. Alain, Y. Bengio 2016. *Understanding intermediate layers using linear classifier probes*. [arXiv:1610.01644](https://arxiv.org/abs/1610.01644)
# - N. Reimers, I. Gurevych 2019. *Sentence-BERT*. EMNLP. [arXiv:1908.10084](https://arxiv.org/abs/1908.10084) (the mean of the vectors)
# - E. Tjong Kim Sang, F. De Meulder 2003. *Introduction to the CoNLL-2003 Shared Task*. [arXiv:cs/0306050](https://arxiv.org/abs/cs/0306050) (entities as spans)
# - P. Rajpurkar et al. 2016. *SQuAD*. EMNLP. [arXiv:1606.05250](https://arxiv.org/abs/1606.05250) (exact match and F1)
