# %% [markdown]
# # Lesson 7: Reading a model
#
# A network has filled millions of gaps. Nobody told it what a noun is, or which words go together.
# What does it know now? This lesson takes two trained models apart: one for tinyworld, where we
# know what *should* have been learned, and one for real documentation.
#
# By the end you will be able to
#
# - compare a model's probabilities with those of the best possible guesser;
# - say what it means that a model is calibrated, check it, and say what it does not mean;
# - show why gaps that are filled at once need not fit together;
# - test which attention head a prediction depends on, by switching it off, and what it carries, by
#   swapping its output;
# - compare vectors by their cosine, and know the trap in it.
#
# You need lessons 4 to 6, and attention from lesson 1.

# %%
from collections.abc import Callable

import matplotlib.pyplot as plt
import torch
from torch import Tensor
from torch.nn import functional as F

from mlm_course.models import load_pretrained
from mlm_course.practice import check, hint, progress, quiz, solution
from mlm_course.views import heat_map, show
from mlm_course.views.figures import show_figure

# %% [markdown]
# ## 1. Filling gaps
#
# The first model comes with the course. It is the one recorded in lesson 6, section 10: it was trained
# on the docstrings of Python's standard library, NumPy, SciPy, scikit-learn, Matplotlib, PyTorch and what
# else the course installs.

# %%
model, tokenizer = load_pretrained("python_docs")
n_parameters = sum(p.numel() for p in model.parameters())
c = model.config
print(f"{n_parameters / 1e6:.1f} million parameters,", end=" ")
print(f"{c.n_layers} blocks, {c.n_heads} heads in each")

# %% [markdown]
# Its answer to a gap is a score for each piece of the vocabulary. We want to read it as a short list.
# How long has the list to be?
#
# ### Exercise 7.1: how long a list?
# `logits` `(n, V)`, one row of scores for each of `n` gaps, and `share`, a number above 0 and below 1.
# How many of the likeliest pieces does it take until they have at least this share of the probability
# together? Return the numbers `(n,)`.


# %% exercise="7.1"
def list_lengths(logits: Tensor, share: float) -> Tensor:
    """For each gap how many of the likeliest pieces have at least a share of the probability."""
    ### BEGIN SOLUTION
    chances = logits.softmax(-1).sort(descending=True).values  # (n, V)
    before = chances.cumsum(-1) - chances  # what the likelier ones have
    return (before < share).sum(-1)
    ### END SOLUTION


# %%
check("7.1", list_lengths)


# %%
from mlm_course import tokenization
from mlm_course.models import inspection
from mlm_course.tokenization import MASK_ID


@torch.no_grad()
def gap_logits(text: str) -> Tensor:
    """The model's scores for each [MASK] in a text, (n, V)."""
    ids = tokenization.encode(tokenizer, [text], special_tokens=False)  # it never saw [CLS]
    ids = torch.tensor(ids)  # (1, T)
    return model(ids, None, ids == MASK_ID)


def fill(text: str, k: int = 5) -> list[list[tuple[str, float]]]:
    """For each [MASK] in a text the k most likely pieces, with their probabilities."""
    chances, best = inspection.top_answers(gap_logits(text), k)  # (n, k) each, largest first
    return [
        [(tokenizer.id_to_token(i), p) for i, p in zip(*row)]
        for row in zip(best.tolist(), chances.tolist())
    ]


# %% tags=["nbval-ignore-output"]
examples = {  # and what a programmer would say
    "If None, the default [MASK] is used.": "value",
    "The elements are sorted in ascending [MASK].": "order",
    "Return the sum of the elements along the given [MASK].": "axis",
    "Returns [MASK] if the two objects are equal, False otherwise.": "true",
    "The random [MASK] generator used to draw samples.": "number",
}
for text in examples:
    print(text)
    print("   ", "   ".join(f"{word} {chance:.2f}" for word, chance in fill(text)[0]))

# %% tags=["author"]
# what a programmer would say is among the first three
assert all(answer in dict(fill(text, k=3)[0]) for text, answer in examples.items())

# %% [markdown]
# These were picked because they work. Try your own sentences, and your own function on them:
# `list_lengths(gap_logits(text), 0.9)`. Two more, one a phrase of documentation,
# one about the world, of which its texts say little:

# %% tags=["nbval-ignore-output"]
for text in (
    "This function is deprecated and will be [MASK] in a future version.",
    "The capital of France is [MASK].",
):
    print(text)
    print("   ", "   ".join(f"{word} {chance:.2f}" for word, chance in fill(text)[0]))

# %% [markdown]
# Now by hand: type a text and click on the pieces that the model is not to see. It runs in the page,
# so nothing waits for Python. *Likeliest after* block 1, 2, ... is what the head would answer if the
# model ended there; reading a network in this way is called the **logit lens** (nostalgebraist 2020).

# %% tags=["nbval-ignore-output"]
from mlm_course.widgets import FillMask

FillMask(model, tokenizer, examples=examples, title="A text")

# %% [markdown]
# On modules it has never read, without the paragraphs that other modules share with them, with 15 %
# hidden, its first answer is right this often. ("Whole words"
# are words of letters that are a single piece. So the other pieces come out right more often.)

# %%
from mlm_course.results import recorded

result = recorded("python_docs")["result"]
print(f"{result['accuracy']:.1%} of all pieces, {result['word_accuracy']:.1%} of whole words")

# %% [markdown]
# ## 2. Next to the exact answer
#
# Are the probabilities any good? For documentation nobody knows the exact ones. For tinyworld lesson 4
# computed the exact **posterior**, the probability of each word given everything visible. Here is
# tinyworld's model, trained longer than lesson 6's, beside it.

# %%
from mlm_course.attention import visible_mask
from mlm_course.corpora import tinyworld

world, _ = load_pretrained("tinyworld")
names = tinyworld.vocabulary()


@torch.no_grad()
def guesses(ids: Tensor, masked: Tensor) -> Tensor:
    """The model's probabilities for each hidden word: (n, V)."""
    shown = ids.masked_fill(masked, MASK_ID)
    parts = zip(shown.split(256), masked.split(256))
    return torch.cat([world(s, visible_mask(s), h) for s, h in parts]).softmax(-1)


def hide_words(sentence: str, places: list[int]) -> tuple[Tensor, Tensor]:
    """Ids (1, T) of a sentence, and which are hidden; places count words from 0."""
    ids = tinyworld.encode([sentence.split()])
    masked = torch.zeros_like(ids, dtype=torch.bool)
    masked[0, [place + 1 for place in places]] = True  # [CLS] stands in front
    return ids, masked


# %% tags=["nbval-ignore-output"]
sentence = "anna gave tom a red towel , and he thanked her for the red towel at the river ."
for places in ([4], [4, 13], [17]):
    ids, masked = hide_words(sentence, places)
    exact = tinyworld.masked_posterior(ids, masked)[masked][0]  # (V,) at the first hidden place
    model_says = guesses(ids, masked)[0]  # (V,)
    shown = " ".join("[MASK]" if i in places else w for i, w in enumerate(sentence.split()))
    print(shown)
    for i in exact.argsort(descending=True, stable=True)[:5]:
        if exact[i] > 0:
            print(f"   {names[i]:8} exact {exact[i]:.2f}   model {model_says[i]:.2f}")

# %% [markdown]
# In these three it repeats the colour, gives the common colours larger shares than the rare ones, and
# puts the towel near water. Where several answers are possible, its shares are a little off. Now the
# same for many hidden words. Each dot is one word at one hidden place.

# %%
from mlm_course import corruption

test_ids = tinyworld.sample_ids(1000, torch.Generator().manual_seed(5))
masker = corruption.Masker(
    len(names), range(5), MASK_ID, choose=corruption.choose_fixed_count, ratio=0.15,
    proportions=corruption.MASK_ONLY,
)  # fmt: skip
corrupted = masker(test_ids, torch.Generator().manual_seed(6))
exact = tinyworld.masked_posterior(test_ids, corrupted.masked)[corrupted.masked]  # (n, V)
ours = guesses(test_ids, corrupted.masked).double()  # (n, V)
truth = test_ids[corrupted.masked]  # (n,)

# %% tags=["nbval-ignore-output"]
first = exact[:300].flatten(), ours[:300].flatten()
worth_a_dot = first[0] + first[1] > 0.01
fig, ax = plt.subplots(figsize=(4, 4))
ax.plot([0, 1], [0, 1], color="0.3", ls=":", marker="")
ax.plot(first[0][worth_a_dot], first[1][worth_a_dot], "C0.", alpha=0.5)
ax.set(xlabel="exact probability", ylabel="the model's probability")
off = (ours - exact).abs().sum(-1) / 2  # total variation distance, for each hidden word
show_figure(fig, "The dots lie along the diagonal, where both probabilities are the same.")
print(f"probability that would have to move to match: {off.mean():.3f} on average")
print(f"hidden words where it is more than .2: {(off > 0.2).double().mean():.1%}")

# %% tags=["author"]
assert off.mean() < 0.08

# %% [markdown]
# *In words: the dots lie near the diagonal, in columns: tinyworld draws from short lists, so few
# exact probabilities occur, such as 1, 1/2, 1/4 and 1/7. Few dots are far off.*
#
# How much does the difference cost? The model's loss minus the floor is, on average, exactly the
# **Kullback-Leibler divergence** from the posterior to the model: how much more it is surprised
# than the best guesser.

# %% tags=["nbval-ignore-output"]
loss = -ours.gather(1, truth[:, None]).log().mean()
floor = tinyworld.loss_floor(test_ids, corrupted.masked)
divergence = (exact * (exact.clamp(min=1e-12) / ours).log()).sum(-1)  # (n,)
print(f"loss {loss:.3f}, floor {floor:.3f}, difference {loss - floor:.3f}")
print(f"mean divergence {divergence.mean():.3f}")

# %% tags=["author"]
assert divergence.mean() < 0.05 and abs(loss - floor - divergence.mean()) < 0.03

# %% [markdown]
# Where is it worst?

# %% tags=["nbval-ignore-output"]
rows, places = corrupted.masked.nonzero().unbind(1)
worst = divergence.argsort(descending=True)[:3].tolist()
for i in worst:
    row = corrupted.input_ids[rows[i]].tolist()
    words = [names[w] for w in row if w not in (tinyworld.PAD, tinyworld.CLS, tinyworld.SEP)]
    gap = int(places[i]) - 1
    print(" ".join(f"<{w}>" if j == gap else w for j, w in enumerate(words)))
    w = int((ours[i] - exact[i]).argmax())  # the word it believes in far too much
    best = exact[i].max()
    print(f"   {names[w]}: exact {exact[i, w]:.2f}, model {ours[i, w]:.2f}", end="")
    print(f"; the likeliest: {int((exact[i] > best - 1e-6).sum())} words with {best:.2f} each")

# %% tags=["author"]
assert all(exact[i, (ours[i] - exact[i]).argmax()] == 0 for i in worst)
assert all((ours[i] - exact[i]).argmax() in test_ids[rows[i]] for i in worst)

# %% [markdown]
# All three are one mistake: somebody gives something to herself, or to himself. The exact chance of
# that is 0, and the model has not quite got it.
#
# **Calibration** is a weaker question that can be asked of any model, also without a posterior: of
# all the answers it gives with a confidence of 70 %, are 70 % right?
#
# ### Exercise 7.2: how far from calibrated?
# `confidence` `(n,)`, from 0 to 1, and `right` `(n,)`, boolean. Cut the range from 0 to 1 into `n_bins`
# bins of equal width; a confidence on a border belongs to the upper bin, 1 to the last. A bin's gap is
# the distance between its mean confidence and its share of right answers. Return the mean gap, one
# number, in which each bin counts by its number of answers; there may be empty bins. (This is the
# **expected calibration error**: Guo et al. 2017, section 2.)


# %% exercise="7.2"
def calibration_error(confidence: Tensor, right: Tensor, n_bins: int) -> Tensor:
    """The mean distance of confidence and share of right answers, over bins of equal width."""
    ### BEGIN SOLUTION
    which = (confidence * n_bins).long().clamp(max=n_bins - 1)  # (n,)
    gaps = torch.zeros(n_bins).index_add(0, which, confidence - right.float())
    return gaps.abs().sum() / len(confidence)
    ### END SOLUTION


# %%
check("7.2", calibration_error)

# %% [markdown]
# And our model's answers? A table says more than one number: *where* is it off?

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
print(f"all: mean confidence {confidence.mean():.3f}, share right {right.mean():.3f}")

# %% tags=["author"]
assert abs(confidence.mean() - right.mean()) < 0.04
assert confidence[confidence < 0.4].mean() > right[confidence < 0.4].mean() + 0.02

# %% [markdown]
# *In words: where it is sure, it is right. With a confidence below .4 it is, on these sentences, too
# sure.*
#
# Why? Look at the places where several words are equally likely, such as names. The model answers with
# the one it likes best. Change this one thing: take one of the equally likely words by lot.

# %%
best_words = exact.max(-1, keepdim=True).values - exact < 1e-6  # (n, V)
tied = best_words.sum(-1) > 1  # (n,)
lot = (best_words * torch.rand(exact.shape, generator=torch.Generator().manual_seed(2))).argmax(-1)
gap = {}
for how, word in (("the model's choice", answer[tied]), ("by lot", lot[tied])):
    said, true = (p[tied].gather(1, word[:, None])[:, 0] for p in (ours, exact))
    gap[how] = (said - true).mean().item()

# %% tags=["nbval-ignore-output"]
for how, mean in gap.items():
    print(f"{how:19} model minus exact probability: {mean:+.3f} ({int(tied.sum())} places)")

# %% tags=["author"]
assert gap["the model's choice"] > 0.02 and abs(gap["by lot"]) < 0.012

# %% [markdown]
# By lot the excess is gone. The list's small errors go up and down, and the choice of the largest entry
# picks those that go up.
#
# What does calibration *not* say? Build the counterexample.
#
# ### Exercise 7.3: calibrated, and no use
# `exact` `(n, V)` is the posterior at `n` gaps, the only ones that will be asked. Make of it the
# probabilities `(n, V)` of a guesser that is calibrated: over all gaps at which its likeliest word has
# the same probability, this word is right just as often (to .01), by `exact`. Yet its expected loss has
# to lie at least .5 nats above the floor, and not be infinite.


# %% exercise="7.3"
def ignorant(exact: Tensor) -> Tensor:
    """A calibrated guesser's probabilities that are far from the exact ones."""
    ### BEGIN SOLUTION
    return exact.mean(0).expand_as(exact)
    ### END SOLUTION


# %%
check("7.3", ignorant)

# %% [markdown]
# ## 3. Two gaps at once
#
# Now hide two words that belong together, a feeling and what it looks like:

# %%
sentence = "after lunch clara felt sleepy , so she yawned all afternoon ."
ids, masked = hide_words(sentence, [4, 8])
feelings = "glad happy lonely sad angry cross sleepy tired".split()
reactions = "laughed smiled cried sighed complained shouted rested yawned".split()
feeling, reaction = guesses(ids, masked)  # (V,) each
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

# %% tags=["author"]
assert fits < 0.5

# %% tags=["nbval-ignore-output"]
print(f"they fit in {fits:.0%} of the cases; of all 64 pairs {by_chance:.0%} fit")
for word in ("sad", "tired"):
    ids, masked = hide_words(f"after lunch clara felt {word} , so she sighed all afternoon .", [8])
    chance = guesses(ids, masked)[0]  # (V,)
    said = [f"{names[i]} {chance[i]:.2f}" for i in chance.argsort(descending=True)[:2]]
    print(f"felt {word}, so she ...", "  ".join(said))

# %% [markdown]
# People who feel sad cry or sigh, tired ones rest or yawn. Shown the feeling, as in the last two lines,
# the model names the right reactions. But with both words hidden it gives one list for each gap, and
# nothing in its answer says which words of the two lists belong together. (The lists do limit it: a pair
# is never more likely than either of its words.) It treats the gaps as independent of each other, given
# what is visible. This is called **conditional independence**.
#
# The exact lists say no more than that. How bad can it get?
#
# ### Exercise 7.4: two favourites that do not fit
# Return a table `(K, K)`: the joint probability of word `i` in the first gap and word `j` in the second.
# Each gap's own list shall have a favourite, a word that leads by at least .05. But the two favourites
# together shall be impossible. Take as few words `K` as you can.


# %% exercise="7.4"
def favourites_apart() -> Tensor:
    """A joint probability (K, K) whose two favourites exclude each other."""
    ### BEGIN SOLUTION
    return torch.tensor([[0.0, 0.25, 0.25], [0.25, 0.0, 0.0], [0.25, 0.0, 0.0]])
    ### END SOLUTION


# %%
check("7.4", favourites_apart)

# %% [markdown]
# So one gap after the other. By the **chain rule** the probability of two words is that of the one, times
# that of the other once the first stands there. Any order will do for a guesser that knows the language
# exactly. A model has to take some order; a common one is *the surest first*.
#
# ### Exercise 7.5: one by one
# `shown` `(T,)` are ids with `MASK_ID` at the gaps. `predict(ids)` gives the probabilities `(T, V)` for
# all places of `(T,)` ids; `MASK_ID` is never the likeliest. Again and again ask, take the gap whose
# likeliest word is the most probable, and fill in that word, until no gap is left. Return the filled ids
# `(T,)` and the log-probability of all you filled in, by the chain rule, one number. Leave `shown` as it
# is, and ask once for each gap.


# %% exercise="7.5"
def surest_first(predict: Callable[[Tensor], Tensor], shown: Tensor) -> tuple[Tensor, Tensor]:
    """The ids with all gaps filled one by one, and the log-probability of what was filled in."""
    ### BEGIN SOLUTION
    filled, log_p = shown.clone(), 0.0
    while (masked := filled == MASK_ID).any():
        sure, best = predict(filled).max(-1)  # (T,) each
        place = sure.where(masked, -1.0).argmax()
        filled[place] = best[place]
        log_p = log_p + sure[place].log()
    return filled, log_p
    ### END SOLUTION


# %%
check("7.5", surest_first)

# %% [markdown]
# How often does it matter? Fill all gaps of a sentence at once and ask tinyworld whether it could
# say that sentence. Then fill them one after the other, the surest first, so that later answers can
# see earlier ones. Beside the model, at once, the ideal guesser: the exact posterior's first word in
# each gap. (One by one it never fails: a word with a positive probability leaves a possible sentence.
# `refine` is lesson 11's: one gap of each sentence in a step, or all in one.)


# %%
from mlm_course.decoding import LLADA, refine


@torch.no_grad()
def fill_all(shown: Tensor, steps: int) -> Tensor:
    """Each [MASK] replaced by the model's best guess, in so many steps, the surest first."""

    def predict(ids: Tensor) -> Tensor:
        return world(ids, visible_mask(ids))

    return refine(predict, shown, shown == MASK_ID, MASK_ID, steps, LLADA)[-1].tokens


def possible(ids: Tensor) -> float:
    """The share of rows that are sentences of tinyworld."""
    return (tinyworld.sentence_probability(ids) > 0).double().mean().item()


# %%
ratios = [0.15, 0.5, 0.8]
shares = {"all at once": [], "one by one": []}
ideal_at_once = []
some = test_ids[: 50 if FAST else 120]
filled_rows = {}
for ratio in ratios:
    gaps = corruption.choose_fixed_count(some > 4, ratio, torch.Generator().manual_seed(0))
    shown = some.masked_fill(gaps, MASK_ID)
    for way in shares:
        steps = int(gaps.sum(1).max()) if way == "one by one" else 1
        filled_rows[ratio, way] = fill_all(shown, steps)
        shares[way].append(possible(filled_rows[ratio, way]))
    ideal = tinyworld.masked_posterior(some, gaps).argmax(-1)  # (B, T)
    ideal_at_once.append(possible(torch.where(gaps, ideal, some)))

# %% tags=["nbval-ignore-output"]
fig, ax = plt.subplots()
for way, share in shares.items():
    ax.plot(ratios, share, label=way)
ax.plot(ratios, ideal_at_once, label="ideal guesser, all at once")
ax.set(xlabel="share of words hidden", ylabel="share of possible sentences", ylim=(0, 1.02))
fig.legend(loc="outside upper left", ncols=2)
last = ", ".join(f"{share[-1]:.0%} {way}" for way, share in shares.items())
show_figure(fig, f"Possible sentences, with {ratios[-1]:.0%} of the words hidden: {last}.")
for way, share in [*shares.items(), ("ideal at once", ideal_at_once)]:
    print(f"{way:13}", "   ".join(f"{r:.0%} hidden: {s:.0%}" for r, s in zip(ratios, share)))
print(f"{len(some)} sentences: a standard error of up to {0.5 / len(some) ** 0.5:.0%}")

# %% tags=["author"]
assert shares["one by one"][-1] > shares["all at once"][-1] + 0.2
assert FAST or (ideal_at_once[-1] < 0.5 and ideal_at_once == sorted(ideal_at_once, reverse=True))

# %% [markdown]
# *In words: filled all at once, the more is hidden the fewer sentences make sense, and that goes for the
# ideal guesser, too; this model, filling them one by one, makes nearly all of them possible.*
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
# (In tinyworld, what is felt after lunch goes on all afternoon: after breakfast comes the morning,
# after lunch the afternoon, after dinner the evening.)
#
# The same model, the same knowledge. What differs is the *procedure*. Lessons 11 and 12 are about
# procedures between these two.

# %% [markdown]
# ## 4. Reading attention
#
# How does it know that the colour has to be repeated? Some head should look from the gap to the
# other mention. Look for yourself: all heads of all layers are there, for the query `[MASK]`. Try
# layer 1 (the second), head 2.


# %%
from mlm_course.attention import split_heads


@torch.no_grad()
def scores_of(layer: int, ids: Tensor) -> Tensor:
    """Attention scores of all heads of one layer, before softmax: (B, T) -> (B, H, T, T)."""
    x = world.encoder.embeddings(ids)
    for block in world.encoder.blocks[:layer]:
        x, _ = block(x, visible_mask(ids))
    block = world.encoder.blocks[layer]
    x = block.attention_norm(x) if block.pre_norm else x
    heads = world.config.n_heads
    q, k = (split_heads(part, heads) for part in block.attention.project(x)[:2])
    return q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5


# %% tags=["nbval-ignore-output"]
from mlm_course.widgets import AttentionExplorer

sentence = "anna gave tom a red towel , and he thanked her for the red towel at the river ."
ids, masked = hide_words(sentence, [4])
ids = ids.masked_fill(masked, MASK_ID)
tokens = [names[i] for i in ids[0]]
layers = [scores_of(layer, ids)[0] for layer in range(len(world.encoder.blocks))]  # (H, T, T) each
AttentionExplorer(tokens, layers, selected_query=5)

# %% [markdown]
# One sentence proves little. Let us ask all heads, over many sentences: *how much attention does a
# hidden word pay to its other mentions?* tinyworld tells where they are (`Reading.repeats`). In
# each sentence that mentions something twice we hide one mention. The control (`alone`) is to hide,
# instead, a word that is tied to others but said once. Words are tied (`Reading.related`) if they hang
# on the same hidden choice, such as a feeling and its reaction. Sentences without such a word are left
# out.

# %%
readings = tinyworld.sample_readings(200, torch.Generator().manual_seed(0))
ids = tinyworld.encode([reading.words for reading in readings])  # (B, T)
masked = torch.zeros_like(ids, dtype=torch.bool)  # one mention of something said twice
alone = torch.zeros_like(masked)  # instead: a word that is tied to others, but said once
mention = torch.zeros(*ids.shape, ids.shape[1], dtype=torch.bool)  # (B, T, T) its other mentions
g = torch.Generator().manual_seed(1)
for b, reading in enumerate(readings):
    places = range(len(reading.words))
    twice = [i for i in places if reading.repeats(i)]
    once = [i for i in places if reading.related(i) and not reading.repeats(i)]
    if twice and once:
        place = twice[int(torch.randint(len(twice), (), generator=g))]
        masked[b, place + 1] = True
        mention[b, place + 1, [other + 1 for other in reading.repeats(place)]] = True
        alone[b, once[int(torch.randint(len(once), (), generator=g))] + 1] = True
print(f"{int(masked.sum())} hidden words with another mention")

# %% [markdown]
# ### Exercise 7.6: who copies?
# `weights` `(B, H, T, S)` is the attention of one layer's heads. `mention` `(B, T, S)` is True
# where key `s` is another mention of the hidden word at query `t`. It is False everywhere else, and
# in all rows of queries that are not asked. For each head: add up the weights a query gives to its
# other mentions, then take the mean over those queries of the whole batch that have any, each
# counting the same. Return `(H,)`.


# %% exercise="7.6"
def copy_scores(weights: Tensor, mention: Tensor) -> Tensor:
    """For each head the attention that hidden words pay to their other mentions, on average."""
    ### BEGIN SOLUTION
    paid = (weights * mention[:, None]).sum(-1)  # (B, H, T)
    asked = mention.any(-1)[:, None]  # (B, 1, T)
    return (paid * asked).sum((0, 2)) / asked.sum()
    ### END SOLUTION


# %%
check("7.6", copy_scores)

# %%
with torch.no_grad():
    shown = ids.masked_fill(masked, MASK_ID)
    _, all_weights = world.encoder(shown, visible_mask(shown), return_weights=True)
copying = torch.stack([inspection.copy_scores(w, mention) for w in all_weights])  # (layers, H)

# %% tags=["nbval-ignore-output"]
layer_names = [f"layer {i}" for i in range(len(copying))]
head_names = [f"head {i}" for i in range(copying.shape[1])]
show(heat_map(layer_names, head_names, copying, title="attention to the other mention"))

# %% [markdown]
# A good part of a head's attention (in one head more than half) goes to *one* word out of some
# twenty. So that is the head that copies? Careful.
#
# > **Often read:** attention weights show which words a prediction is based on.
#
# Attention says where a head *looks*. What it reads there, and whether anything further up uses it,
# is another matter. There is a direct test: **ablation**. Switch a head off, and measure what gets
# harder. (Michel et al. 2019, section 3.2, did this to a translation model and to a fine-tuned BERT.)
# Off means: zeros in place of what it delivers. But zero is an arbitrary value, too, to which the rest is
# not used. So we also put the head's *mean* over all tokens in its place, the same everywhere.
# (Wang et al. 2023, section 2.1, say why not zeros; their means are taken for each place of a template.)
#
# ### Exercise 7.7: which head matters?
# `heads` `(B, T, H, D)` is what each head delivers. `visible` `(B, T)` is False at padding.
# `losses(heads)` runs the rest of the model and returns the loss at each of `n` hidden places, `(n,)`.
# For each head: put its mean over all visible tokens of the batch in its place, at every place, and leave
# the others as they are. By how much does each loss grow? Return the mean growth without each head
# `(H,)` and the standard error of that mean `(H,)`: of the `n` growths the standard deviation, as
# `std` computes it, over the square root of `n`. Call `losses` `H + 1` times; do not change `heads`.


# %% exercise="7.7"
def ablate(
    heads: Tensor, visible: Tensor, losses: Callable[[Tensor], Tensor]
) -> tuple[Tensor, Tensor]:
    """By how much the loss grows without each head, and the standard error of that."""
    ### BEGIN SOLUTION
    whole, means = losses(heads), heads[visible].mean(0)  # (n,), (H, D)
    growth = []
    for h in range(heads.shape[2]):
        without = heads.clone()
        without[:, :, h] = means[h]
        growth.append(losses(without) - whole)
    harm = torch.stack(growth)  # (H, n)
    return harm.mean(-1), harm.std(-1) / harm.shape[1] ** 0.5
    ### END SOLUTION


# %%
check("7.7", ablate)

# %% [markdown]
# In the trained model a hook changes what the heads deliver on their way:


# %%
from contextlib import contextmanager

size = world.config.d_model // world.config.n_heads


@contextmanager
def head_gives(layer: int, head: int, value: float | Tensor, rows=slice(None), places=slice(None)):
    """The model with `value` in place of one head's output, at some or all places, for a while."""
    here = (rows, places, slice(head * size, (head + 1) * size))

    def put(module, inputs):
        heads = inputs[0].clone()  # (B, T, H * D_head) what all heads deliver
        heads[here] = value
        return (heads,)

    hook = world.encoder.blocks[layer].attention.output.register_forward_pre_hook(put)
    try:
        yield
    finally:
        hook.remove()


# %%
@torch.no_grad()
def delivered(shown: Tensor) -> Tensor:
    """What all heads deliver, (layers, B, T, H, D_head)."""
    kept: list[Tensor] = []
    modules = [block.attention.output for block in world.encoder.blocks]
    hooks = [m.register_forward_pre_hook(lambda m, inputs: kept.append(inputs[0])) for m in modules]
    world.encoder(shown, visible_mask(shown))
    for hook in hooks:
        hook.remove()
    return torch.stack(kept).unflatten(-1, (-1, size))


# %%
def losses_at(where: Tensor) -> Tensor:
    """The loss at each hidden place, (n,), with all else in view."""
    shown = ids.masked_fill(where, MASK_ID)
    with torch.no_grad():
        logits = world(shown, visible_mask(shown), where)
    return F.cross_entropy(logits, ids[where], reduction="none")


kinds_of_gap = {"said twice": masked, "said once": alone}
whole = {kind: losses_at(where) for kind, where in kinds_of_gap.items()}
means = delivered(shown)[:, visible_mask(shown)].mean(1)  # (layers, H, D_head)
harm = {}
for off in ("zeros", "mean"):
    for kind, where in kinds_of_gap.items():
        harm[off, kind] = torch.zeros(*copying.shape, len(whole[kind]))  # (layers, H, n)
        for layer, head in torch.cartesian_prod(*map(torch.arange, copying.shape)).tolist():
            with head_gives(layer, head, 0.0 if off == "zeros" else means[layer, head]):
                harm[off, kind][layer, head] = losses_at(where) - whole[kind]

# %% tags=["nbval-ignore-output"]
title = "loss at repeated words: how much it grows without the head (zeros)"
show(heat_map(layer_names, head_names, harm["zeros", "said twice"].mean(-1), title=title))

# %% tags=["nbval-ignore-output"]
order = copying.flatten().argsort(descending=True).tolist()
looks, harms = copying.flatten(), harm["zeros", "said twice"].mean(-1).flatten()
needed = int(harms.argmax())  # without this head, repeated words suffer most
fig, ax = plt.subplots()
ax.plot(looks, harms, "o")
ax.annotate("needed most", (looks[needed], harms[needed]), (7, -3), textcoords="offset points")
ax.set(xlabel="attention to the other mention", ylabel="harm at repeated words (nats)")
show_figure(fig, f"The head needed most gives {looks[needed]:.2f} of its attention to the other "
                 f"mention; {int((looks > looks[needed]).sum())} heads give more.")  # fmt: skip
for kind, loss in whole.items():
    print(f"loss of the whole model for words {kind}: {loss.mean():.3f}")
print("                 attention   loss it saves: said twice (zeros)   (mean)   said once (zeros)")
for place in order:
    layer, head = divmod(place, copying.shape[1])
    twice, once = (harm["zeros", kind][layer, head] for kind in kinds_of_gap)  # (n,) each
    mean = harm["mean", "said twice"][layer, head]
    error = twice.std() / len(twice) ** 0.5
    costs = f"{twice.mean():+16.2f} (error {error:.2f}) {mean.mean():+16.2f} {once.mean():+15.2f}"
    print(f"layer {layer} head {head}      {copying[layer, head]:.2f} {costs}")

# %% tags=["author"]
# layer 1 head 2 is needed most, and layer 0 head 0 next, for repeated words; three look more
assert needed == 6 and order.index(needed) == 3 and harms.argsort(descending=True)[1] == 0
assert harms[needed] > 0.25 and 0.1 < harms[0] < 0.25
assert harm["zeros", "said once"].mean(-1).flatten()[needed] < 0.05
assert all(harms[place] < 0.1 for place in order[:3])
assert (harm["mean", "said twice"] - harm["zeros", "said twice"]).mean(-1).abs().max() < 0.06

# %% [markdown]
# *In words: without layer 1, head 2, repeated words get much harder, and words said once do not. Three
# heads look at the other mention more than it does; switching off any *one* of them costs less than .1
# nats. Second comes layer 0, head 0. Zeros and means tell the same story.*
#
# Two heads are needed most, then; of heads switched off together this says nothing. Do both *copy*?
# Ablation cannot say. Another test can: *activation patching*. Take a sentence and its twin, which is
# the same but for the colour, with one mention of the colour hidden in both. Run the twin, and keep
# what one head delivers at the gap. Put it into the run of the sentence, there and nowhere else. If
# the model now says the twin's colour, this head has carried it. (Wang et al. 2023, section 3.1,
# swap along single paths in GPT-2.)

# %%
colours = "white black grey red blue green yellow brown".split()
sentences, twins, gap_at = [], [], []
g = torch.Generator().manual_seed(3)
for reading in tinyworld.sample_readings(400, torch.Generator().manual_seed(7)):
    places = [i for i, role in enumerate(reading.roles) if role == "colour.name"]
    if len(places) == 2:
        others = [c for c in colours if c != reading.words[places[0]]]
        new = others[int(torch.randint(7, (), generator=g))]
        sentences.append(reading.words)
        twins.append([new if i in places else word for i, word in enumerate(reading.words)])
        gap_at.append(places[int(torch.randint(2, (), generator=g))] + 1)
ours_ids, twin_ids, gap_at = (
    tinyworld.encode(sentences),
    tinyworld.encode(twins),
    torch.tensor(gap_at),
)
each = torch.arange(len(gap_at))
gap_mask = torch.zeros_like(ours_ids, dtype=torch.bool)
gap_mask[each, gap_at] = True
from_twin = delivered(twin_ids.masked_fill(gap_mask, MASK_ID))[
    :, each, gap_at
]  # (layers, n, H, D_head)

# %%
twin_colour = twin_ids[gap_mask][:, None]  # (n, 1)
says_twin = torch.zeros(copying.shape)
for layer, head in torch.cartesian_prod(*map(torch.arange, copying.shape)).tolist():
    with head_gives(layer, head, from_twin[layer, :, head], each, gap_at):
        says_twin[layer, head] = guesses(ours_ids, gap_mask).gather(1, twin_colour).mean()

# %% tags=["nbval-ignore-output"]
untouched = guesses(ours_ids, gap_mask).gather(1, twin_colour).mean()
print(f"{len(each)} pairs; the twin's colour has a probability of {untouched:.3f} without patching")
show(
    heat_map(layer_names, head_names, says_twin, title="probability of the twin's colour, patched")
)

# %% tags=["author"]
assert says_twin[1, 2] > 0.5 and untouched < 0.01
assert says_twin.flatten().sort().values[-2] < 0.1 and says_twin[0, 0] < 0.01

# %% [markdown]
# *In words: with one head swapped, layer 1, head 2, the model gives the twin's colour more than half
# of the probability, on average. No other head does that on its own. Layer 0, head 0 is needed, but
# swapping what it delivers at the gap does not by itself change the answer.*
#
# > **In fact** weights are a hint where to search; switching off and swapping are the evidence. Jain and
# > Wallace 2019 studied another kind of model: classifiers of one layer of attention over a recurrent
# > network (a BiLSTM). They found that very different weights can give the same prediction (abstract).
# > Without the recurrent network the weights agreed better with what leaving a word out does (figure 5).
# > Nor are weights useless: Wiegreffe and Pinter 2019 answer that it depends on what one calls an
# > explanation (abstract). And the tests show what a head does *in this network*. Where another head
# > steps in, switching one off hides what it does (in GPT-2: Wang et al. 2023, section 3, "backup"
# > heads).

# %% [markdown]
# ## 5. What is near what?
#
# The embedding table holds one vector for each word. Lesson 1 made such vectors by counting. These
# were learned on the way, by filling gaps. In tinyworld we know which words are of one kind: those
# that may stand in the same slot of a sentence.

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

# %% tags=["author"]
assert hits > 4 * by_chance

# %% [markdown]
# Nobody gave it these kinds. The table is also the decoder (lesson 5, section 8): two words with
# the same vector would get the same score in every gap, up to a bias. Now the documentation:

# %%
docs_table = model.encoder.embeddings.token.weight.detach()  # (V, D)
pieces = [tokenizer.id_to_token(i) for i in range(tokenizer.get_vocab_size())]

# %% tags=["nbval-ignore-output"]
for word in ["list", "returns", "true", "integer", "matplotlib", "row"]:
    near = nearest(docs_table, tokenizer.token_to_id(word), n=6)
    print(f"{word:10} ->", ", ".join(pieces[i] for i in near))

# %% [markdown]
# Some neighbours are odd here, and nobody has a list of kinds to count with.

# %% tags=["author"]
assert "false" in [pieces[i] for i in nearest(docs_table, tokenizer.token_to_id("true"), 10)]

# %% [markdown]
# ### One word, two meanings
# The table has *one* vector for "kernel", whatever it means. After the encoder, each token's vector
# depends on its surroundings, too: a **contextual vector**. Six sentences, three about kernels of
# a machine-learning method, three about programs on a GPU:

# %%
from torch.nn.utils.rnn import pad_sequence

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
    """Vectors of all tokens after the encoder, (n, D), and their ids (n,), without padding."""
    encoded = [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]
    ids = pad_sequence([torch.tensor(row) for row in encoded], batch_first=True)
    keep = ids > 4  # no special tokens
    return model.encoder(ids, visible_mask(ids))[keep], ids[keep]


vectors, token_ids = contextual(kernel_sentences)
kernels = vectors[token_ids == tokenizer.token_to_id("kernel")]  # (6, D)
raw = F.cosine_similarity(kernels[:, None], kernels[None], dim=-1)  # (6, 6)

# %% [markdown]
# ### A trap: even strangers look alike
# Before you trust a cosine, look at what it is for things that have *nothing* to do with each
# other. A thousand pairs of tokens from Python's manual, drawn at random:

# %%
from mlm_course.corpora import python_docs

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

# %% tags=["author"]
assert F.cosine_similarity(a, b).mean() > F.cosine_similarity(a - mean, b - mean).mean() + 0.03
assert centred[same].mean() > centred[other].mean()

# %% [markdown]
# Vectors that point anywhere would have a cosine near 0. These share a common direction, so that
# even unrelated ones look alike: they are **anisotropic**, not spread evenly over all directions.
# How much so depends on model and layer: in GPT-2 two random words have .6 on average in layers 2 to 8,
# and nearly 1 in the last (Ethayarajh 2019, sections 1 and 4.1, figure 1). A cosine no
# larger than that of random pairs means nothing. Subtract the mean first, and compare with random pairs.

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

# %% tags=["author"]
assert groups["on a GPU"].mean() > groups["one of each"].mean() + 0.1

# %% [markdown]
# *In words: look at the two blocks on the diagonal one by one. The kernels on a GPU are close to
# each other. The other three are hardly closer to each other than mixed pairs, and the ranges overlap.
# Six hand-picked sentences show how to look, not how often it works.*

# %% [markdown]
# ## Quiz

# %%
quiz("7")

# %% [markdown]
# ## Recap
#
# - A model answers a gap with a probability for each piece of the vocabulary. In tinyworld, where the
#   truth is known, our model's come close to the posterior; the extra loss is the divergence from it.
# - **Calibration** asks for less: of answers given with 70 % confidence, are 70 % right?
# - Several gaps are filled *independently*, and need not fit together, even if the ideal guesser fills
#   them. One by one, the ideal guesser's always fit.
# - Attention weights say where to search; switching a head **off** says what depends on it (unless
#   others stand in), and swapping its output says what it carries.
# - In tinyworld, neighbours in the table are mostly words of one kind. A **contextual vector** depends on
#   its sentence, too.
# - Cosines need a yardstick: subtract the mean and compare with random pairs.
#
# **Next:** lesson 8 puts the encoder to work: with few labels, and in a search.

# %%
progress("7")

# %% [markdown]
# ## References
#
# - S. Jain, B. Wallace 2019. *Attention is not Explanation*. NAACL.
#   [arXiv:1902.10186](https://arxiv.org/abs/1902.10186)
# - S. Wiegreffe, Y. Pinter 2019. *Attention is not not Explanation*. EMNLP.
#   [arXiv:1908.04626](https://arxiv.org/abs/1908.04626)
# - nostalgebraist 2020. *Interpreting GPT: the logit lens*.
#   [LessWrong](https://www.lesswrong.com/posts/AcKRB8wDpdaN6v6ru/interpreting-gpt-the-logit-lens)
# - P. Michel, O. Levy, G. Neubig 2019. *Are Sixteen Heads Really Better than One?* NeurIPS.
#   [arXiv:1905.10650](https://arxiv.org/abs/1905.10650) (section 3.2: switching heads off)
# - K. Wang et al. 2023. *Interpretability in the Wild: a Circuit for Indirect Object Identification in
#   GPT-2 small*. ICLR. [arXiv:2211.00593](https://arxiv.org/abs/2211.00593) (section 2.1: zeros and
#   means; 3.1: path patching)
# - C. Guo, G. Pleiss, Y. Sun, K. Weinberger 2017. *On Calibration of Modern Neural Networks*. ICML.
#   [arXiv:1706.04599](https://arxiv.org/abs/1706.04599) (section 2: expected calibration error)
# - K. Ethayarajh 2019. *How Contextual are Contextualized Word Representations?* EMNLP.
#   [arXiv:1909.00512](https://arxiv.org/abs/1909.00512) (anisotropy)
