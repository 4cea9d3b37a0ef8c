# %% [markdown]
# # Lesson 2: Attention masks
#
# In lesson 1 every word could listen to every other word. Often that is wrong. A batch contains
# *padding*, which means nothing and should not be heard. A model that writes from left to right must
# not hear the words it has yet to write. Two texts packed into one row may have to be kept apart.
#
# An **attention mask** says, for each query and each key, whether this query may attend to this key.
# It is a table of yes and no. This lesson is about building that table, and about the surprisingly
# many ways of getting it wrong without any error message.
#
# By the end you will have written padding, causal and combined masks, a softmax that survives a query
# with nothing to listen to, and you will have caught a model cheating. You need lesson 1: queries, keys,
# softmax, heads.

# %%
import math

import torch
from torch import Tensor

from mlm_course.corpora import tinyworld
from mlm_course.practice import check, hint, progress, quiz, solution
from mlm_course.views import show

# %% [markdown]
# ## 1. Padding is heard
#
# A tensor is a rectangle, sentences are not. Here are three sentences of **tinyworld**, a small
# language made for this course: about two hundred words, a few sentence shapes, and rules that we know
# exactly. Later lessons train models on it.

# %%
g = torch.Generator().manual_seed(4)
ids = tinyworld.sample_ids(3, g, specials=False)  # (B, T), filled up with the id of [PAD]
for words in tinyworld.decode(ids):
    print(len(words), "words:", " ".join(words))

# %% [markdown]
# To stand in one tensor, the short ones are filled up with a special token, `[PAD]`. Its id is 0:

# %%
ids

# %% [markdown]
# Does padding hurt? Take one sentence alone, then the same sentence with padding after it, and send both
# through the same attention layer:

# %%
from torch import nn

from mlm_course.attention import MultiHeadAttention
from mlm_course.tokenization import PAD_ID

embed = nn.Embedding(len(tinyworld.vocabulary()), 32)
layer = MultiHeadAttention(d_model=32, n_heads=4)

length = (ids != PAD_ID).sum(1)  # (B,) words in each sentence
shortest = length.argmin()
alone = ids[shortest, : length[shortest]][None]  # (1, T), no padding
padded = ids[shortest][None]  # (1, longer T)
with torch.no_grad():
    a = layer(embed(alone))[0]
    b = layer(embed(padded))[0, : length[shortest]]
print("padding:", padded.shape[1] - alone.shape[1], "tokens")
print("the same outputs:", torch.allclose(a, b, atol=1e-5))

# %% [markdown]
# The words have not changed, yet their outputs have. Every `[PAD]` takes a share of the attention. The
# same sentence would mean something else in another batch. That must not be.

# %% [markdown]
# ## 2. Masking before softmax
#
# We want some weights to be exactly 0, and the others still to sum to 1. Say a query has these scores,
# and may not attend to the last two keys:

# %%
scores = torch.tensor([2.0, 1.0, 0.5, 1.5])
allowed = torch.tensor([True, True, False, False])  # True = may attend

# %% [markdown]
# Why not compute the softmax as usual, and then set the weights of masked tokens to zero?

# %%
too_late = scores.softmax(-1) * allowed
too_late, too_late.sum()

# %% [markdown]
# What is left no longer sums to 1, so the output is no longer an average: it shrinks, by a different
# amount for each query. One could divide once more; it is simpler to mask *before* softmax. A score of
# minus infinity gives a weight of `exp(-inf) = 0`, and softmax shares out the full 1 among the rest
# (Vaswani et al. 2017, section 3.2.3).

# %%
in_time = scores.masked_fill(~allowed, -math.inf).softmax(-1)
in_time, in_time.sum()

# %% [markdown]
# `masked_fill` writes where its mask is True, so it needs the *closed* places: `~allowed`.
#
# A convention for the whole course: an `attention_mask` is boolean, and *True means "may attend"*. It is
# PyTorch's convention for `scaled_dot_product_attention`. Others exist, as you will see in section 7.
#
# ### Exercise 2.1: too late
# Is dividing once more just as good? Construct the scores `(2, 4)` of two queries, all of them finite.
# Both queries may attend to the first two keys only, as in `allowed`.
#
# - Query 0: masked in time, its weights are .5 and .5. Masked too late, as in `too_late`, less than
#   .01 of its attention is left.
# - Query 1: masked in time, its weights are .75 and .25 (up to .001). Masked too late and divided by
#   their sum, they are `nan`, in float32.


# %% exercise="2.1"
def where_late_fails() -> Tensor:
    """Scores (2, 4) that masking before softmax survives, and masking after it does not."""
    ### BEGIN SOLUTION
    even = [0.0, 0.0, 9.0, 9.0]  # the closed keys take nearly all
    lost = [math.log(3), 0.0, 200.0, 0.0]  # exp(-200) is 0 in float32, and 0 / 0 is nan
    return torch.tensor([even, lost])
    ### END SOLUTION


# %%
check("2.1", where_late_fails)

# %% [markdown]
# ## 3. The padding mask
#
# What does padding close? Look at one sentence with two `[PAD]`s after it. Move over the squares with the
# mouse or the arrow keys: each says who may listen to whom.

# %%
from mlm_course.widgets import MaskMatrix

words = ["the", "dog", "sleeps", "[PAD]", "[PAD]"]
is_word = torch.tensor([w != "[PAD]" for w in words])  # (S,)
not_padding = is_word.expand(5, 5)  # (T, S), the same line of keys for every query
MaskMatrix(words, words, not_padding, reasons={"padding": not_padding})  # named where it is False

# %% [markdown]
# Two *columns* are closed: nobody may listen to padding. The two *rows* of `[PAD]` itself stay open. That
# is harmless. A padding query hears something, but nobody looks at its output: in the next layer it is a
# closed key again, and the loss skips it. Close the rows as well and those queries have nothing to
# attend to, which brings a problem of its own (section 6).
#
# Since the line of keys is the same for all queries and all heads, the mask needs only the shape
# `(B, 1, 1, S)`. Broadcasting does the rest.
#
# ### Exercise 2.2: padding mask
# `lengths` `(B,)` are the numbers of words in each row; `size` is the padded length `S`. Return a boolean
# mask `(B, 1, 1, S)`. (`torch.arange(size)` counts the places. `x[:, None]` adds an axis.)


# %% exercise="2.2"
def my_padding_mask(lengths: Tensor, size: int) -> Tensor:
    """True at the keys that are words, False at the padding after them."""
    ### BEGIN SOLUTION
    is_word = torch.arange(size) < lengths[:, None]  # (B, S)
    return is_word[:, None, None, :]
    ### END SOLUTION


# %%
check("2.2", my_padding_mask)

# %% [markdown]
# With the mask, padding cannot be heard any more:

# %%
from mlm_course.attention import padding_mask

with torch.no_grad():
    mask = padding_mask(length[shortest][None], padded.shape[1])
    c = layer(embed(padded), mask)[0, : length[shortest]]
print("the same outputs:", torch.allclose(a, c, atol=1e-5))

# %% [markdown]
# ## 4. The causal mask
#
# A model that writes from left to right predicts each next word from the words so far. It is trained on
# whole sentences, all places at once: at "the" it should say "dog", at "dog" it should say "sleeps". But
# the answer stands in the input, one place to the right! So query `t` may attend to the keys `0` to `t`
# only: itself and what came before.
# That is the **causal mask**.

# %%
from mlm_course.attention import causal_mask
from mlm_course.views import mask_matrix

sentence = ["the", "dog", "sleeps", "all", "day"]
not_future = causal_mask(5)  # (T, S)
show(mask_matrix(sentence, sentence, not_future, reasons={"future": not_future}))

# %% [markdown]
# ### Exercise 2.3: with a past
# A model that writes keeps the keys of the words it has, and sends only the new ones through as
# queries. So the queries are the *last* `n_queries` of the `n_keys` words. Return their causal mask, bool
# `(n_queries, n_keys)`. (Try `torch.ones` and `tril`, or compare two `arange`s.)


# %% exercise="2.3"
def causal_mask_with_past(n_queries: int, n_keys: int) -> Tensor:
    """True where the key stands at the query's own place or before it."""
    ### BEGIN SOLUTION
    return torch.ones(n_queries, n_keys, dtype=torch.bool).tril(n_keys - n_queries)
    ### END SOLUTION


# %%
check("2.3", causal_mask_with_past)

# %% [markdown]
# ### Catching a cheat
#
# What happens if you forget it? No error, no warning. The training looks *splendid*. Here is a small
# model that predicts the next word, one layer of attention:


# %%
class NextWord(nn.Module):
    """One layer of attention that predicts each next word: (B, T) -> logits (B, T, V)."""

    def __init__(self, vocabulary: int, longest: int, d_model: int = 64) -> None:
        super().__init__()
        self.word = nn.Embedding(vocabulary, d_model)
        self.position = nn.Embedding(longest, d_model)  # attention alone knows no order (lesson 1)
        self.attention = MultiHeadAttention(d_model, n_heads=4)
        self.guess = nn.Linear(d_model, vocabulary)

    def vectors(self, ids: Tensor) -> Tensor:
        return (self.word(ids) + self.position.weight[: ids.shape[1]]) / 2  # (B, T, d_model)

    def forward(self, ids: Tensor, attention_mask: Tensor) -> Tensor:
        x = self.vectors(ids)
        return self.guess(x + self.attention(x, attention_mask))  # "x +": lesson 5 says why


# %% [markdown]
# Its loss, with and without the causal mask. The inputs are all words but the last, the targets all words
# but the first, so that each place is asked for the next word. (`ignore_index` leaves out the targets
# that are padding. `&` of two masks is section 5.)


# %%
from torch.nn import functional as F


def next_word_loss(model: NextWord, batch: Tensor, mask: Tensor) -> Tensor:
    """Mean loss of the next words of sentences (B, T); mask (T - 1, T - 1), True = may attend."""
    inputs, targets = batch[:, :-1], batch[:, 1:]
    not_padding = padding_mask((inputs != PAD_ID).sum(1), inputs.shape[1])
    logits = model(inputs, not_padding & mask)
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=PAD_ID)


# %% [markdown]
# Training is lesson 1's loop. Both models start from the same weights and see the same sentences, so that
# only the mask differs:


# %%
def train(mask: Tensor, sentences: Tensor, steps: int = 150) -> tuple[NextWord, list[float]]:
    """A model trained with a mask (T - 1, T - 1), and its loss at each step."""
    torch.manual_seed(0)  # the same first weights for both models
    g = torch.Generator().manual_seed(1)
    model = NextWord(len(tinyworld.vocabulary()), longest=sentences.shape[1])
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    losses = []
    for _ in range(steps):
        batch = sentences[torch.randint(len(sentences), (64,), generator=g)]
        loss = next_word_loss(model, batch, mask)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return model, losses


# %%
all_sentences = tinyworld.sample_ids(3500, torch.Generator().manual_seed(0))
size = all_sentences.shape[1] - 1
no_future, all_open = causal_mask(size), torch.ones(size, size, dtype=torch.bool)
honest, honest_losses = train(no_future, all_sentences[:3000])
cheat, cheat_losses = train(all_open, all_sentences[:3000])

# %%
import matplotlib.pyplot as plt

from mlm_course.views.figures import show_figure

fig, ax = plt.subplots()
ax.plot(honest_losses, markevery=15, label="causal mask")
ax.plot(cheat_losses, markevery=15, label="no causal mask")
ax.set(xlabel="step", ylabel="loss", ylim=(0, None))
fig.legend(loc="outside upper left", ncols=2)
show_figure(fig, "Without the mask the loss sinks towards zero; with it, it levels off well above.")

# %% tags=["author"]
assert sum(cheat_losses[-10:]) / 10 < 0.3 < 0.6 < sum(honest_losses[-10:]) / 10

# %% [markdown]
# *In words, for one run: both curves start alike. The curve with the mask levels off. The curve without
# the mask falls to nearly zero.*
#
# A loss near zero would mean that the next word of a random sentence is never in doubt. Nobody can know
# whether the next name is "anna" or "ben". *A loss that is too good to be true, on new sentences, is a
# leak.* (This curve is on sentences trained on; new ones follow.) Where does the cheat look? The mean
# of its four heads, for a sentence that it has not seen:

# %% tags=["nbval-ignore-output"]
from mlm_course.views import heat_map

new = all_sentences[3000:]
one = new[:1, : (new[0] != PAD_ID).sum() - 1]  # (1, T): a sentence without its last token
with torch.no_grad():
    _, weights = cheat.attention(cheat.vectors(one), return_weights=True)
looks = weights[0].mean(0)  # (T, T)
names = tinyworld.decode(one)[0]
to_next = looks.diagonal(1).mean()
print(f"to the next place: {to_next:.2f} of the attention, an even share is {1 / len(names):.2f}")
show(heat_map(names, names, looks.round(decimals=2), title="where the cheat looks"))

# %% tags=["author"]
assert to_next > 3 / len(names)

# %% [markdown]
# *In words: many rows have a dark square one place to the right of the diagonal, where the answer
# stands.* But not all, and a map alone proves little. Change one thing: close the next place and
# nothing else. Or the place after it, or the whole future:

# %% tags=["nbval-ignore-output"]
next_place = all_open.triu(1).tril(1)  # True one place to the right of the diagonal
leaks = {
    "all open": all_open,
    "the next place closed": ~next_place,
    "the place after it closed": ~all_open.triu(2).tril(2),
    "the whole future closed": no_future,
}
with torch.no_grad():
    leaked = {what: next_word_loss(cheat, new, mask).item() for what, mask in leaks.items()}
for what, loss in leaked.items():
    print(f"{what:26} loss {loss:.2f}")

# %% tags=["author"]
assert leaked["all open"] < 0.3 and leaked["the place after it closed"] < 0.6
assert 1.2 < leaked["the next place closed"] < leaked["the whole future closed"]

# %% [markdown]
# In this run the cheat lives more on the next place than on the one after it, and on the rest of
# the future, too. When a model writes for real, nothing stands there yet. So the last row is the
# one that counts:

# %% tags=["nbval-ignore-output"]
evenly = math.log(len(tinyworld.vocabulary()))
with torch.no_grad():
    closed = {m: next_word_loss(model, new, no_future).item()
              for m, model in [("honest", honest), ("cheat", cheat)]}  # fmt: skip
for name, loss in closed.items():
    print(f"{name}: loss {loss:.1f} with the future closed")
print(f"guessing evenly: loss {evenly:.1f}")

# %% tags=["author"]
assert closed["honest"] < 1.2 and closed["cheat"] > evenly

# %% [markdown]
# The cheat's loss is worse than that of guessing evenly: some right words get less than an even
# share (one run).
# There is a simple test that catches it early, worth running on every causal model: change the future
# and see whether the past notices.

# %%
x = torch.randn(1, 6, 32)
changed = x.clone()
changed[:, 4:] = 0.0  # another future from place 4 on
for name, mask in [("causal mask", causal_mask(6)), ("no mask    ", None)]:
    with torch.no_grad():
        notices = (layer(x, mask) - layer(changed, mask))[0].abs().amax(-1) > 1e-6
    print(name, "places that notice:", notices.nonzero()[:, 0].tolist())

# %% [markdown]
# ### Exercise 2.4: a blind test
# Not every change will do. Construct two inputs `x` and `changed`, `(6, 8)` each, on which this test is
# blind. The tokens 0 to 3 are the same in both. Token 4 is another one, and so is token 5: at
# least one of its numbers differs by .1 or more. All numbers lie between -10 and 10. And yet attention
# *without any mask* gives the places 0 to 3 the same outputs, whatever the layer's weights. (Five
# layers like the one above, with random weights, will be tried.)


# %% exercise="2.4"
def blind_test() -> tuple[Tensor, Tensor]:
    """Two inputs (6, 8) whose futures differ without any output of the past noticing."""
    ### BEGIN SOLUTION
    x = torch.eye(6, 8)
    return x, x[[0, 1, 2, 3, 5, 4]]  # attention sees a bag: the same two tokens are in it
    ### END SOLUTION


# %%
check("2.4", blind_test)

# %% [markdown]
# ## 5. Two masks at once
#
# A causal model with padding needs both: a square is open if *both* masks leave it open. One mask has
# the shape `(T, T)`, the other `(B, 1, 1, T)`; together they broadcast to `(B, 1, T, T)`.

# %%
both = not_padding & not_future
MaskMatrix(words, words, both, reasons={"padding": not_padding, "future": not_future})

# %% [markdown]
# Boolean masks combine with `&`, and with `|` where one of two reasons is enough. That is a good reason
# to keep masks boolean for as long as possible.
#
# For long texts some models let each word hear its neighbours only. A few *global* words hear all
# others and are heard by all (Beltagy et al. 2020, section 3.1).
#
# ### Exercise 2.5: a window, and words for everybody
# `lengths` `(B,)`, `size`, `window`, `n_global` -> bool `(B, 1, size, size)`. A pair is open if the two
# places are at most `window` apart, or if one of the two is among the first `n_global` places of the
# row. But padding keys are closed for everybody. Padding queries are treated like others. (You may
# use the package's `padding_mask(lengths, size)`.)


# %% exercise="2.5"
def window_mask(lengths: Tensor, size: int, window: int, n_global: int) -> Tensor:
    """True at words that are near, and at pairs with a global word; never at padding keys."""
    ### BEGIN SOLUTION
    place = torch.arange(size)
    near = (place[:, None] - place).abs() <= window  # (T, S)
    is_global = place < n_global
    pairs = near | is_global[:, None] | is_global  # (T, S) | (T, 1) | (S,)
    return pairs & padding_mask(lengths, size)
    ### END SOLUTION


# %%
check("2.5", window_mask)

# %% [markdown]
# Another kind. To waste no room on padding, several short texts can be packed into one row. Some
# models let them hear each other: RoBERTa's rows run on from one document into the next, with a
# separator between them (Liu et al. 2019, section 4.2). To keep them apart, every token gets the
# number of its text, and may attend to tokens with the same number only:

# %%
from mlm_course.attention import same_document_mask

packed = ["anna", "smiled", ".", "it", "was", "cold", "."]
documents = torch.tensor([[0, 0, 0, 1, 1, 1, 1]])  # (B, T)
same_text = same_document_mask(documents)[0, 0]  # (T, T)
show(mask_matrix(packed, packed, same_text, reasons={"other text": same_text}))

# %% [markdown]
# Now each text is read as if it stood alone? Not yet, if each place in the row adds its own vector
# (lesson 5). Each text has to begin at 0:

# %%
x, places = torch.randn(2, 7, 32, generator=g)  # 7 tokens, and a vector for each of 7 places
numberings = {"0 to 6": torch.arange(7), "anew in each text": torch.tensor([0, 1, 2, 0, 1, 2, 3])}
with torch.no_grad():
    by_itself = layer((x[3:] + places[:4])[None])  # the second text in a row of its own
    for numbering, at in numberings.items():
        in_a_row = layer((x + places[at])[None], same_document_mask(documents))[:, 3:]
        same = torch.allclose(in_a_row, by_itself, atol=1e-5)
        print(f"places numbered {numbering}: the second text as by itself: {same}")

# %% tags=["author"]
assert same

# %% [markdown]
# ### Exercise 2.6: places in texts that share a row
# `documents` `(B, T)` -> places `(B, T)`: for each token how many tokens of *its* text stand before it in
# the row. Numbers of texts come in any order, and texts may take turns, as two speakers do: in
# 7, 7, 0, 7, 0 the places are 0, 1, 0, 2, 1. No loop is needed.


# %% exercise="2.6"
def places_in_texts(documents: Tensor) -> Tensor:
    """The place of each token within its own text, from 0."""
    ### BEGIN SOLUTION
    same = same_document_mask(documents)[:, 0]  # (B, T, T)
    return (same & causal_mask(documents.shape[1])).sum(-1) - 1  # itself does not count
    ### END SOLUTION


# %%
check("2.6", places_in_texts)

# %% [markdown]
# ## 6. A query with nothing to hear
#
# An empty row in a batch, a padded query whose row was closed: now and then a query may attend to
# nothing at all. Softmax over nothing but minus infinity is 0 divided by 0:

# %%
torch.tensor([-math.inf, -math.inf, -math.inf]).softmax(-1)

# %% [markdown]
# `nan` means "not a number", and it spreads: any sum with a `nan` in it is `nan`. One empty row makes
# the values' gradient `nan`, and the loss too if its output counts:

# %%
values = torch.ones(3, requires_grad=True)
empty = torch.full((3,), -math.inf).softmax(-1)
(empty @ values).backward()
values.grad

# %% [markdown]
# A common patch is a very negative number in place of minus infinity. No `nan`, but look at the weights:

# %%
torch.tensor([-1e9, -1e9, -1e9]).softmax(-1)

# %% [markdown]
# All scores are equal now, so the query listens to *everything it must not hear*, evenly. The clean
# answer: a query with nothing to attend to hears nothing. All its weights are 0.
#
# ### Exercise 2.7: a safety net, there and back
# Some programs write masks as numbers to be added to the scores: 0 where a query may attend, minus
# infinity elsewhere. Scores `(B, H, T, S)`, such an additive mask `(B, 1, T, S)`, values `(B, H, S, E)` ->
# a loss: the squares of all outputs, added up. A query with nothing to attend to hears zeros. And
# nothing may become `nan` on the way back either: `backward()` has to send the right gradients to scores
# and values, zeros to the scores of such a query. Scores of closed keys may be larger by hundreds.


# %% exercise="2.7"
def sum_of_squares(scores: Tensor, additive_mask: Tensor, values: Tensor) -> Tensor:
    """The squares of all outputs, added up; a query without any open key hears zeros."""
    ### BEGIN SOLUTION
    closed = additive_mask == -math.inf
    nothing = closed.all(-1, keepdim=True)  # (B, 1, T, 1)
    weights = scores.masked_fill(closed & ~nothing, -math.inf).softmax(-1)  # no row of -inf only
    weights = weights.masked_fill(nothing, 0.0)
    return (weights @ values).square().sum()
    ### END SOLUTION


# %%
check("2.7", sum_of_squares)

# %% [markdown]
# The package's attention does that, and so does PyTorch's fused attention on a CPU (since 2.5; before,
# `nan`):

# %%
from mlm_course.attention import scaled_dot_product_attention

g = torch.Generator().manual_seed(0)
q, k, v = torch.randn(3, 1, 4, 8, generator=g)  # three times (1, T, D)
mask = torch.tensor([[1, 1, 0, 0], [0, 0, 0, 0], [1, 1, 1, 0], [1, 1, 1, 1]]).bool()
ours, weights = scaled_dot_product_attention(q, k, v, mask)
print("weights of the empty query:", weights[0, 1].tolist())
print("as PyTorch:", torch.allclose(ours, F.scaled_dot_product_attention(q, k, v, mask)))

# %% [markdown]
# See all three stages: the scores, the scores with the mask (hatched squares are minus infinity), the
# weights.

# %%
from mlm_course.attention import attention_scores
from mlm_course.widgets import AttentionExplorer

names = ["query 0", "query 1", "query 2", "query 3"]
scores = attention_scores(q, k)[0]
AttentionExplorer(names, scores, mask, keys=["key 0", "key 1", "key 2", "key 3"])

# %% [markdown]
# ## 7. The same mask, opposite signs
#
# The same mask is written with opposite signs, depending on who reads it. PyTorch does not warn you
# if you mix up two boolean ones, or hand over 0 and 1 as floats.
#
# | who | type | meaning |
# |---|---|---|
# | PyTorch `scaled_dot_product_attention`, this course | bool | True = may attend |
# | PyTorch `nn.MultiheadAttention`, `nn.Transformer` | bool | True = may **not** attend |
# | Hugging Face `attention_mask` | 0 / 1, `(B, S)` | 1 = a word, may be attended to |
# | papers, "additive mask" | 0 / -inf | added to the scores |
#
# Hugging Face's is converted in one place, right where it comes in:

# %%
from mlm_course.attention import from_padding_01

from_padding_01(torch.tensor([[1, 1, 1, 0, 0]]))  # (B, S) of 0 and 1 -> bool (B, 1, 1, S)

# %% [markdown]
# The others, in one and the same layer:

# %%
theirs = nn.MultiheadAttention(8, 2, batch_first=True)
x = torch.randn(1, 4, 8)
additive = torch.zeros(4, 4).masked_fill(~causal_mask(4), -math.inf)
as_bool, _ = theirs(x, x, x, attn_mask=~causal_mask(4), need_weights=False)  # note the ~
as_numbers, _ = theirs(x, x, x, attn_mask=additive, need_weights=False)
slip, _ = theirs(x, x, x, attn_mask=causal_mask(4), need_weights=False)  # the ~ forgotten
with_weights, _ = theirs(x, x, x, attn_mask=causal_mask(4))  # forgotten once more
print("bool and additive agree:", torch.allclose(as_bool, as_numbers, atol=1e-6))
print("without the ~ they agree:", torch.allclose(slip, as_numbers, atol=1e-6))
for name, output in {"without weights": slip, "with weights": with_weights}.items():
    print(f"nan, {name}: places", output[0].isnan().any(-1).nonzero()[:, 0].tolist())

# %% [markdown]
# Without the `~` there is no error and no warning, only another answer. The last query is left with
# nothing to hear; whether a `nan` gives that away depends on the path inside: on weights asked for, and
# on `eval()`. Do not count on it.
#
# ### Exercise 2.8: how was the mask read?
# Several programs got the same sentence, `q` `(T, D)`, `k` `(S, D)`, `v` `(S, E)`, each with a mask of Hugging
# Face's kind (1 = a word). Given are the masks `(N, S)` of N programs and their outputs `(N, T, E)`.
# Each program read its mask in one of five ways:
#
# - `"as meant"`; `"upside down"`: 1 and 0 exchanged;
# - `"added"`: the numbers 0 and 1 were added to the scores, as if the mask were an additive one;
# - `"too late"`: weights of padding were set to 0 after softmax, without dividing again;
# - `"not at all"`.
#
# (Scores are divided by sqrt(D). Softmax over nothing but -inf is `nan`, which fits no output.)
#
# Return a list for each program: the names of *all* readings that give its output (up to 1e-4), in
# the order above.


# %% exercise="2.8"
def readings_that_fit(
    q: Tensor, k: Tensor, v: Tensor, masks: Tensor, outputs: Tensor
) -> list[list[str]]:
    """For each mask and output the ways in which the mask may have been read."""
    ### BEGIN SOLUTION
    scores, names = attention_scores(q, k), []  # (T, S)
    for mask, output in zip(masks, outputs):
        is_word = mask.bool()
        readings = {
            "as meant": scores.masked_fill(~is_word, -math.inf).softmax(-1),
            "upside down": scores.masked_fill(is_word, -math.inf).softmax(-1),
            "added": (scores + mask).softmax(-1),
            "too late": scores.softmax(-1) * is_word,
            "not at all": scores.softmax(-1),
        }
        fits = [n for n, w in readings.items() if torch.allclose(w @ v, output, atol=1e-4)]
        names.append(fits)
    return names
    ### END SOLUTION


# %%
check("2.8", readings_that_fit)

# %% [markdown]
# ## 8. Two things called "mask"
#
# Masked language modelling hides *words*: it mostly writes `[MASK]` in their place and asks the model to
# guess them. That is not an attention mask.
#
# > **Often read:** if token *i* or token *j* is masked, their attention weight is set to zero. A
# > worked example takes the four words "cat dog cat dog", masks the first and the third, and shows
# > a table in which whole rows, whole columns and the diagonal are zero.
#
# Try it, with equal scores everywhere to keep the arithmetic easy:

# %%
animals = ["cat", "dog", "cat", "dog"]
closed = torch.tensor([True, False, True, False])
equal = torch.zeros(4, 4)
claimed = equal.softmax(-1) * ~(closed[:, None] | closed[None, :])
print("row sums by that rule:", claimed.sum(-1).tolist())

# %% [markdown]
# Two queries hear nothing, the other two hear half. Rightly done, the *keys* of the closed tokens
# are closed for every query, before softmax:

# %%
weights = equal.masked_fill(closed[None, :], -math.inf).softmax(-1)
print("row sums:", weights.sum(-1).tolist())
show(heat_map(animals, animals, weights, title="weights, keys 0 and 2 closed"))

# %% [markdown]
# > **In fact** a row of weights always sums to 1 (or is empty), and nothing closes the diagonal as
# > such: the two words that are open listen to themselves.
# >
# > And for masked language modelling *neither* table is right. A hidden word becomes, eight times in
# > ten, the token `[MASK]` (Devlin et al. 2019, section 3.1; lesson 4 has the rest), and `[MASK]` is
# > attended to like any other: in Google's code for BERT the attention mask (`input_mask`) is 1 at
# > every token and 0 at padding. It has to listen, since the model must guess a word at its place.

# %%
from mlm_course.views import token_strip

masked = torch.tensor([False, True, False, False])
show(token_strip(["the", "dog", "sleeps", "today"], masked=masked))

# %%
seen = ["the", "[MASK]", "sleeps", "today"]
nothing_closed = torch.ones(4, 4, dtype=torch.bool)
show(mask_matrix(seen, seen, nothing_closed))  # BERT's attention mask for this sentence: all open

# %% [markdown]
# Nor does masking block repeated information, so that the model could concentrate on what is unique. A
# causal mask, and a plan of which places to hide, are lists of positions. They do not look at what
# stands there:

# %%
for mask in ([True, False, True, False], [True, True, False, False]):
    left = [word for word, gone in zip(animals, mask) if not gone]
    print(mask, "leaves", left)

# %% [markdown]
# The first mask leaves "dog" twice, the second leaves one of each. Whether a repetition survives is an
# accident of the positions. Lesson 4 builds masks that *do* look at the content, on purpose.

# %% [markdown]
# ## Quiz

# %%
quiz("2")

# %% [markdown]
# ## Recap
#
# - An attention mask is boolean here, True = may attend. It works on the *scores*, with minus
#   infinity, before softmax.
# - Padding closes keys (columns), the causal mask closes the future, packed texts close each other;
#   `&` combines them.
# - A query with nothing to attend to gets zeros. Not `nan`, and not an even share of what it must not
#   hear.
# - A loss on new sentences that is too good to be true is a leak. Change the future and see whether
#   the past notices.
# - `[MASK]` is a token, not an attention mask: it listens and is listened to.
#
# **Next:** lesson 3 turns text into tokens; lesson 4 decides which of them to hide.

# %%
progress("2")

# %% [markdown]
# ## References
#
# - A. Vaswani et al. 2017. *Attention Is All You Need*. NeurIPS.
#   [arXiv:1706.03762](https://arxiv.org/abs/1706.03762) (section 3.2.3: the causal mask, with minus
#   infinity)
# - J. Devlin et al. 2019. *BERT*. NAACL. [arXiv:1810.04805](https://arxiv.org/abs/1810.04805)
#   (section 3.1: `[MASK]`)
# - Y. Liu et al. 2019. *RoBERTa*. [arXiv:1907.11692](https://arxiv.org/abs/1907.11692) (section 4.2:
#   rows that run across documents)
# - I. Beltagy, M. E. Peters, A. Cohan 2020. *Longformer: The Long-Document Transformer*.
#   [arXiv:2004.05150](https://arxiv.org/abs/2004.05150) (section 3.1: windows and global words)
# - M. M. Krell et al. 2021. *Efficient Sequence Packing without Cross-contamination*.
#   [arXiv:2107.02027](https://arxiv.org/abs/2107.02027) (several texts in one row,
#   kept apart)
# - PyTorch documentation, `scaled_dot_product_attention`:
#   <https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.scaled_dot_product_attention.html>
