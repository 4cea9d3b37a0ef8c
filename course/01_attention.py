# %% [markdown]
# # Lesson 1: Attention
#
# *The for statement is used to ______ over the elements of a sequence.*
#
# You filled that gap without thinking. Some words helped you ("for", "elements", "sequence"),
# others hardly at all ("the", "is", "a"). This course is about *masked models*: networks that learn
# by filling gaps like this one. **Attention** is how they find out which words help. It lets every
# word decide which other words to listen to, and how much.
#
# By the end of this lesson you will have written attention yourself, watched it learn to look in
# the right place, and seen why one "head" is sometimes not enough. You need to know what a matrix
# product is and what a gradient is for, and to have seen a training loop in PyTorch once.
#
# A lesson is a row of *cells*, with text or with Python. Click the first one and press `Shift+Enter`: it
# runs, its result appears below it, and the next one is chosen. Go on like this from the top to the
# end. `[*]` beside a cell means that it is still running, a number that it has run.

# %%
import matplotlib.pyplot as plt
import torch
from torch import Tensor

from mlm_course.practice import check, hint, progress, quiz, solution
from mlm_course.views import show, weights_view

# %% [markdown]
# Exercises look like this: a function without its body, then a cell that calls `check`. If you are
# stuck, `hint("1.1")` gives a nudge, each further call a stronger one. `solution("1.1")` shows the answer
# once you have tried. Later cells never depend on your answers, so you can skip an exercise and
# come back to it.

# %% [markdown]
# ## 1. A weighted average
#
# Start with four words. Each carries some information, written as two numbers. And suppose we
# already know how much "sleeps" should listen to each word. (Comments give shapes: here `S` words
# with `D` numbers each.)

# %%
words = ["the", "old", "cat", "sleeps"]
values = torch.tensor([[0.0, 0.0], [2.0, 1.0], [4.0, 3.0], [1.0, 5.0]])  # (S, D)
weights = torch.tensor([0.05, 0.15, 0.60, 0.20])  # (S,), sums to 1

show(weights_view(words, weights))

# %% [markdown]
# What "sleeps" hears is the average of the four rows of `values`, with these weights:

# %%
weights @ values  # (S,) @ (S, D) -> (D,)

# %% [markdown]
# The result lies close to "cat", which has the largest weight. That is the whole idea. *Attention is
# a weighted average*; everything else in this lesson is about where the weights come from.
#
# All four words listen at the same time, so in practice there is one row of weights for each word
# that listens. We call the listening words **queries** (there are `T` of them) and the words being
# listened to **keys** (there are `S`). Often they are the same words and `T` equals `S`, but keeping
# two letters apart will save you from many bugs.
#
# ### Exercise 1.1: many averages at once
# Here the listening words come without weights. They *vote*: `votes[t, s]`, a whole number stored as a
# float, is how often query `t` has voted for key `s`. A query's weights are the shares of its votes.
# Votes `(..., T, S)` and values `(..., S, D)` -> one average for each query, `(..., T, D)`. The dots
# stand for any number of leading axes, such as a batch. A query without any vote hears zeros.


# %% exercise="1.1"
def average_by_votes(votes: Tensor, values: Tensor) -> Tensor:
    """For each query the average of the values, each counted as often as it was voted for."""
    ### BEGIN SOLUTION
    total = votes.sum(-1, keepdim=True)  # (..., T, 1)
    return votes @ values / total.clamp(min=1)  # without votes 0 / 1
    ### END SOLUTION


# %%
check("1.1", average_by_votes)

# %% [markdown]
# Some articles have it that attention computes similarities and *adds them to the word vectors*. A
# query's similarities are `S` numbers, one for each key. A word vector has `D` numbers:

# %%
similarities = torch.tensor([0.1, 0.3, 2.0, 0.9])  # (S,)
try:
    values[3] + similarities
except RuntimeError as error:
    print(f"RuntimeError: {error}")

# %% [markdown]
# The sizes do not fit. Where they happen to fit, the sum means nothing: one number belongs to a *word*,
# the other to a *component* of a vector. The similarities become *weights*, and the weights average
# the values. What is added to the word's own vector later on comes from that average, by a "residual
# connection", which lesson 5 builds (Vaswani et al. 2017, sections 3.1 and 3.2.1).

# %% [markdown]
# ## 2. Words as vectors
#
# Weights should come from the words themselves. For that, each word needs to be something we can
# compute with: a **vector**, a list of `D` numbers.
#
# Where do good vectors come from? Here is an old trick: *look at the company a word keeps*. We
# read Python's own manual (it is on your machine already), count which words stand near which, and
# compress the counts to vectors of 64 dimensions. Words used in the same places get similar vectors;
# so, section 3 will show, do two that keep appearing side by side. No neural network yet.

# %%
from mlm_course.corpora import python_docs
from mlm_course.corpora.word_vectors import pmi_vectors

manual = pmi_vectors(python_docs.manual())
print(len(manual.words), "words,", manual.vectors.shape[1], "dimensions")

# %% [markdown]
# Words whose vectors point the same way:

# %% tags=["nbval-ignore-output"]
for word in ["iterate", "class", "string", "import", "true"]:
    print(f"{word:8} ->", ", ".join(manual.nearest(word)))

# %% tags=["author"]
assert "false" in manual.nearest("true", n=10)  # true of every Python's manual

# %% [markdown]
# Nobody told the program that "true" has something to do with "false". It is in the company they keep.
#
# Now look up the words of our sentence. We stretch each vector until its numbers are around 1 in size,
# whatever `D` is. Lesson 5 shows how a transformer does that to the vectors inside it.

# %%
import math

from torch.nn import functional as F

sentence = "the for statement is used to iterate over the elements of a sequence".split()
x = F.normalize(manual[sentence], dim=-1) * math.sqrt(64)  # (T, D)
x.shape

# %% [markdown]
# ## 3. Scores: how well do two vectors match?
#
# The simplest measure of agreement between two vectors is their **dot product**: multiply number by
# number and add up. Large when they point the same way, zero when they stand at right angles,
# negative when they are opposed. One matrix product gives all pairs:
#
# `q @ k.T`: queries `(T, D)` times keys `(D, S)` -> scores `(T, S)`.
#
# There is a catch. Take random vectors whose numbers are around 1 in size, and look at how large
# their dot products get:

# %%
from mlm_course.views.figures import show_figure

g = torch.Generator().manual_seed(0)
sizes = [4, 16, 64, 256, 1024]
spread = []
for size in sizes:
    q, k = torch.randn(2, 500, size, generator=g)  # 500 pairs of random vectors
    spread.append((q * k).sum(-1).std().item())

fig, ax = plt.subplots()
ax.loglog(sizes, spread, label="measured")
ax.loglog(sizes, [math.sqrt(size) for size in sizes], "--", label="square root of D")
ax.set(xlabel="D, dimensions of a vector", ylabel="spread of dot products")
ax.set_xticks(sizes, sizes)
ax.set_yticks([2, 4, 8, 16, 32], [2, 4, 8, 16, 32])
ax.minorticks_off()
fig.legend(loc="outside upper left", ncols=2)
show_figure(fig, "The spread of dot products follows the square root of D.")
print("D      ", *[f"{size:7d}" for size in sizes])
print("spread ", *[f"{s:7.1f}" for s in spread])

# %% [markdown]
# *In words: the spread (standard deviation) grows like the square root of `D`. Each time `D` becomes
# four times as large, the dot products become about twice as large.*
#
# Why is that bad? The next step, softmax (section 4), turns *differences* between scores into weights.
# With huge differences, one weight is 1 and all others are 0: the query hears one word only. And then
# nothing changes when a score moves a little: the gradient through the scores is nearly zero (Vaswani
# et al. 2017, section 3.2.1, suspect that this harms learning). Here are the weights of four keys, and
# the largest derivative of any weight by any score:

# %%
four_scores = torch.randn(4, generator=g)
for size in [1, 4, 16, 64]:
    grown = four_scores * math.sqrt(size)  # as dot products of that many numbers would be
    steepest = torch.func.jacrev(lambda s: s.softmax(-1))(grown).abs().max()
    weights = " ".join(f"{w:.2f}" for w in grown.softmax(-1))
    print(f"D = {size:2}: weights {weights}   steepest {steepest:.4f}")

# %% [markdown]
# ### Exercise 1.2: how far do they spread?
# Predict four spreads of dot products; then a cell measures them. Unless something else is said, all
# numbers are drawn independently, around 0 with a spread of 1.
#
# - a: `D = 4096`.
# - b: `D = 64`; then a query's numbers are made 3 times as large, a key's half as large.
# - c: `D = 100`; then 75 numbers of each key are set to 0.
# - d: `D = 64`, but only 16 numbers are drawn for a vector, query or key: each of them stands
#   there four times in a row.


# %% exercise="1.2"
def four_spreads() -> tuple[float, float, float, float]:
    """The standard deviations of the dot products in a, b, c and d."""
    ### BEGIN SOLUTION
    a = math.sqrt(4096)
    b = 3 * 0.5 * math.sqrt(64)  # each product is 1.5 times as large
    c = math.sqrt(100 - 75)  # 25 products are left
    d = 4 * math.sqrt(16)  # 16 independent products, each added four times
    return a, b, c, d
    ### END SOLUTION


# %%
check("1.2", four_spreads)

# %%
g_new = torch.Generator().manual_seed(1)
drawn = {
    "a": torch.randn(2, 4000, 4096, generator=g_new),
    "b": torch.randn(2, 20_000, 64, generator=g_new) * torch.tensor([3, 0.5])[:, None, None],
    "c": torch.randn(2, 20_000, 100, generator=g_new) * (torch.arange(100) < 25),
    "d": torch.randn(2, 20_000, 16, generator=g_new).repeat_interleave(4, dim=-1),
}
for name, (queries, keys) in drawn.items():
    print(f"{name}: {(queries * keys).sum(-1).std():.1f}")

# %% [markdown]
# Scores are dot products on a scale that does not depend on `D`: divided by `sqrt(D)`, those of
# independent numbers around 1 have a spread of 1.
#
# The scores of our sentence, every word against every word. Look for the darkest square off the
# diagonal (and never mind "the", which stands there twice):

# %% tags=["nbval-ignore-output"]
from mlm_course.views import heat_map

scores = x @ x.T / 8  # (T, S); 8 is the square root of 64
show(heat_map(sentence, sentence, scores, title="scores"))

# %%
pairs = {
    (a, b): scores[i, j].item()
    for i, a in enumerate(sentence)
    for j, b in enumerate(sentence)
    if a != b
}
best = max(pairs, key=pairs.get)
print("best match of two different words:", *sorted(best))

# %% tags=["author"]
assert sorted(best) == ["iterate", "over"]  # company they keep: "iterate over"

# %% [markdown]
# ## 4. Softmax: from scores to weights
#
# Scores can be any number. Weights must be positive and sum to 1. **Softmax** does both: raise *e* to
# each score, then divide by the sum.
#
# $$w_i = \frac{e^{s_i}}{\sum_j e^{s_j}}$$
#
# Add 100 to all scores and nothing changes: each exponential grows by the same factor, which the
# division takes out again. That is of use, since `exp` of a large number overflows:

# %%
large = torch.tensor([1000.0, 1001.0])
print("naive:  ", large.exp() / large.exp().sum())
print("shifted:", (large - 1001).exp() / (large - 1001).exp().sum())

# %% [markdown]
# ### Exercise 1.3: softmax for repeated words
# A long text repeats its words, and equal keys get equal scores. So each *different* key is listed once,
# with the number of its copies: scores `(..., T, S)`, counts `(S,)` (whole numbers) -> weights
# `(..., T, S)`: what all copies of a key get together, each query's weights summing to 1. A key with
# the count 0 is not there: it gets 0, and its score must not matter. (At least one key is there.)
# Scores may be in the hundreds and far apart. `amax` and `sum` take `keepdim=True`.


# %% exercise="1.3"
def weights_with_counts(scores: Tensor, counts: Tensor) -> Tensor:
    """Softmax over keys of which each stands there several times, once, or not at all."""
    ### BEGIN SOLUTION
    total = scores + counts.log()  # n e^s = e^(s + log n), and log(0) is -inf
    exponentials = (total - total.amax(-1, keepdim=True)).exp()  # at most 1
    return exponentials / exponentials.sum(-1, keepdim=True)
    ### END SOLUTION


# %%
check("1.3", weights_with_counts)

# %% [markdown]
# ## 5. Attention
#
# Scores, softmax, weighted average: that is *scaled dot-product attention*. The values may have
# another number of components than queries and keys, here `E`; nothing compares them with anything.
#
# ### Exercise 1.4: attention
# Queries `(..., T, D)`, keys `(..., S, D)`, values `(..., S, E)` -> a pair: the output `(..., T, E)`
# and the weights `(..., T, S)`. The scores are on the scale of section 3, for any `D`.
# (`k.transpose(-2, -1)` swaps the last two axes; `softmax(-1)` survives large scores.)


# %% exercise="1.4"
def attention(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """Average of the values, weighted by how well each query matches each key; and the weights."""
    ### BEGIN SOLUTION
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    weights = scores.softmax(-1)
    return weights @ v, weights
    ### END SOLUTION


# %%
check("1.4", attention)

# %% [markdown]
# In one line:
#
# $$\text{attention}(Q, K, V) = \text{softmax}\!\left(\frac{Q K^\top}{\sqrt{D}}\right) V$$
#
# The package's own version stands in `mlm_course/attention.py`. Let the words of our sentence attend to
# each other. Choose a word on the left by mouse or arrow keys; the table shows its scores and weights.
# *Play* shows all stages. (There is one "head" for now. Section 7 has two.)

# %% tags=["nbval-ignore-output"]
from mlm_course.widgets import AttentionExplorer

AttentionExplorer(sentence, scores, values=x)

# %%
from mlm_course.attention import scaled_dot_product_attention

_, weights = scaled_dot_product_attention(x, x, x)
own = weights.diagonal().mean()
print("a word gives more than half of its attention to itself, on average:", bool(own > 0.5))

# %% tags=["author"]
assert own > 0.5

# %% [markdown]
# Disappointing! The words look into a mirror. Dividing by `sqrt(D)` tames *random* vectors. A vector
# against itself still scores `D / sqrt(D)`, here 8, and since all our vectors are equally long, no
# other can beat it.
#
# Boxes hold claims that are often read. Try them, and see.
#
# > **Often read:** the attention score is the dot product of two word vectors.
#
# Two things go wrong with that. You have seen the first. Here is the second: a dot product does not
# care about order. Multiply by two matrices first, and it does:

# %%
A, B = torch.randn(2, 64, 64, generator=g) / 8
two_roles = (x @ A) @ (x @ B).T
print("word with word, symmetric:", torch.allclose(x @ x.T, (x @ x.T).T, atol=1e-3))
print("x @ A with x @ B, symmetric:", torch.allclose(two_roles, two_roles.T, atol=1e-3))

# %% [markdown]
# With plain dot products "iterate" has to look at "over" exactly as hard as "over" looks at "iterate"
# (before softmax). But listening is not mutual: a pronoun needs its noun, the noun does not need the
# pronoun.
#
# > **In fact** the score is a dot product of a *query* and a *key*: the words multiplied by two different
# > matrices ("projections"), divided by the square root of `D`. (Vaswani et al. 2017, section 3.2)

# %% [markdown]
# ## 6. Query, key, value: three roles for each word
#
# So each word gets three vectors, each made by its own matrix, and all three matrices are *learned*:
#
# - the **query**: what am I looking for?
# - the **key**: what do I offer to those who look?
# - the **value**: what do I say if I am chosen?
#
# A puzzle shows what this buys. On a shelf stand six boxes. Each has a label, holds a digit, and
# points to a box: `c5→h` is box `c`, holds a 5, and points to box `h`. Every box has to say the
# digit *in the box it points to*.

# %%
from mlm_course.corpora.boxes import box_names, sample_boxes

shelf = sample_boxes(batch=1, boxes=6, generator=torch.Generator().manual_seed(1))
for name, answer in zip(box_names(shelf), shelf.answers[0, :, 0].tolist()):
    print(name, "should say", answer)

# %% [markdown]
# Labels, digits and pointers change with each shelf, so nothing can be learned by heart. To answer,
# a box has to *look*: find the box with the right label, and read its digit.
#
# ### Exercise 1.5: by hand
# Set the matrices for query and key yourself. A box is a vector `x` of 34 numbers, all 0 but three:
# `x[:12]` has a 1 at its label (labels count from 0 to 11), `x[12:22]` at its digit, `x[22:]` at the
# label it points to. Return `W_q` and `W_k`, both `(34, D)`, `D` being yours to choose, so that
# attention with queries `x @ W_q` and keys `x @ W_k` (scores divided by `sqrt(D)`, then softmax) puts
# .99 or more of every box's weight on the box it points to. It is judged on 500 shelves of six
# boxes. (`D = 2` is enough.)


# %% exercise="1.5"
def follow_pointers() -> tuple[Tensor, Tensor]:
    """W_q and W_k, (34, D) each, with which every box looks at the box it points to."""
    ### BEGIN SOLUTION
    W_q, W_k = torch.zeros(34, 12), torch.zeros(34, 12)
    W_q[22:] = torch.eye(12)  # what am I looking for? My pointer
    W_k[:12] = 50 * torch.eye(12)  # what do I offer? My label; 50 / sqrt(12) is 14
    return W_q, W_k
    ### END SOLUTION


# %%
check("1.5", follow_pointers)

# %% [markdown]
# Now let a network find them. The model is attention and hardly anything else. `nn.Embedding(n, D)` is
# a table of `n` learned vectors. A box becomes the sum of three of them: its label's, its digit's, its
# pointer's.
#
# Is a sum not a muddle? Two random directions stand nearly at right angles when `D` is large. So each
# vector that went into a sum stands out by its dot product. Add a row of each of three random tables,
# and look for the rows with the largest dot products:

# %%
for size in [2, 8, 32, 128]:
    a, b = torch.randn(2, 2000, size, generator=g)  # 2000 pairs of random vectors
    cosine = F.cosine_similarity(a, b).abs().mean()  # their dot products, at length 1
    tables = [torch.randn(n, size, generator=g) for n in (12, 10, 12)]  # label, digit, pointer
    rows = [torch.randint(len(table), (2000,), generator=g) for table in tables]
    total = sum(table[row] for table, row in zip(tables, rows))  # (2000, size)
    again = [(total @ table.T).argmax(-1) == row for table, row in zip(tables, rows)]
    all_three = torch.stack(again).all(0).float().mean()
    print(f"D = {size:3}: mean |cosine| {cosine:.2f}, all three rows read out: {all_three:4.0%}")

# %% tags=["author"]
assert cosine < 0.1 and all_three > 0.99

# %% [markdown]
# In high dimension a few vectors may be added and are not lost. (Lesson 5 adds words and places.)
#
# Then attention looks once, and a last matrix turns what a box heard into one score for each digit
# (such scores are called **logits**).


# %%
from torch import nn

from mlm_course.attention import MultiHeadAttention
from mlm_course.corpora.boxes import LABELS, N_DIGITS


class Shelf(nn.Module):
    """Boxes look at each other once, and each says the digit in the box it points to."""

    def __init__(self, roles: bool, D: int = 32) -> None:
        super().__init__()
        self.label = nn.Embedding(len(LABELS), D)
        self.digit = nn.Embedding(N_DIGITS, D)
        self.pointer = nn.Embedding(len(LABELS), D)
        self.attention = MultiHeadAttention(D, n_heads=1) if roles else None
        self.guess = nn.Linear(D, N_DIGITS)

    def forward(self, boxes):
        x = self.label(boxes.labels) + self.digit(boxes.digits)  # (B, S, D)
        x = x + self.pointer(boxes.points_to[:, :, 0])
        if self.attention is None:
            heard, weights = scaled_dot_product_attention(x, x, x)  # no roles: x is all three
        else:
            heard, weights = self.attention(x, return_weights=True)  # learned query, key, value
        return self.guess(heard)[:, :, None], weights  # (B, S, 1, 10), weights (B, 1, S, S)


# %% [markdown]
# `MultiHeadAttention` holds the three matrices, each with a *bias* (`D` numbers that are added), and
# a fourth, for what comes out. Section 7 says what that one is for.
#
# Training is the usual loop: fresh shelves each time; cross-entropy, which is minus the logarithm
# of the probability given to the right digit; and Adam, gradient descent with a step size of its
# own for each parameter (each learned number).


# %%
def train(model: nn.Module, pointers: int, steps: int) -> list[float]:
    """The share of right answers at each step."""
    g = torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    accuracy = []
    for _ in range(steps):
        boxes = sample_boxes(64, 6, g, pointers)
        logits, _ = model(boxes)  # (B, S, P, 10)
        loss = F.cross_entropy(logits.flatten(0, 2), boxes.answers.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        accuracy.append((logits.argmax(-1) == boxes.answers).float().mean().item())
    return accuracy


# %%
without, with_roles = Shelf(roles=False), Shelf(roles=True)
without_curve = train(without, pointers=1, steps=200)
roles_curve = train(with_roles, pointers=1, steps=200)

# %% tags=["nbval-ignore-output"]
fig, ax = plt.subplots()
ax.plot(roles_curve, markevery=20, label="query, key and value matrices")
ax.plot(without_curve, markevery=20, label="none: q = k = v")
ax.axhline(1 / N_DIGITS, linestyle=":", color="0.3", label="guessing")
ax.set(xlabel="step", ylabel="share of right answers", ylim=(0, 1.02))
fig.legend(loc="outside upper left", ncols=2)
ends = [f"{sum(curve[-20:]) / 20:.2f}" for curve in (roles_curve, without_curve)]
show_figure(fig, f"In the end {ends[0]} are right with the matrices, {ends[1]} without them.")

# %% tags=["author"]
assert sum(roles_curve[-20:]) / 20 > 0.97 > 0.4 > sum(without_curve[-20:]) / 20

# %% [markdown]
# *In words: with the matrices the share of right answers rises to 1 within the first hundred steps.
# Without them it stays near one quarter.*
#
# That was one run. Over five seeds, each way with the best of four learning rates, the matrices are
# ahead by .75 {r:boxes.one pointer}. Those for query and key are enough: with the vectors themselves
# as values, .999 and more are right {r:boxes.one pointer}. With one head, the matrices for value,
# output and guess stand in a row, and matrices in a row are one matrix.
#
# Why a quarter? Without the matrices a box looks into the mirror again. If it hears only itself, its
# best guess is its own digit. That is right if it points to itself, once in six, and once in ten
# otherwise, when the other box holds the same digit: `1/6 + 5/6 * 1/10 = .25`.

# %%
shelves = sample_boxes(5000, 6, torch.Generator().manual_seed(6))
own = shelves.digits[:, :, None]  # (B, S, 1)
with torch.no_grad():
    says, mirror = without(shelves)  # mirror (B, 1, S, S)
on_itself = mirror.diagonal(dim1=-2, dim2=-1).mean()
repeats = (says.argmax(-1) == own).float().mean()
own_is_right = (shelves.answers == own).float().mean()

# %% tags=["nbval-ignore-output"]
print(f"one's own digit is right: {own_is_right:.3f}, expected {1 / 6 + 5 / 6 / 10:.3f}")
print(f"without matrices: {on_itself:.0%} of the attention on itself, {repeats:.0%} say their own")

# %% tags=["author"]
assert abs(1 / 6 + 5 / 6 / 10 - 0.25) < 1e-9 and abs(own_is_right - 0.25) < 0.01
assert on_itself > 0.8 and repeats > 0.9

# %% [markdown]
# With the matrices, where does each box look? Ask:

# %%
new = sample_boxes(1, 6, torch.Generator().manual_seed(2))
with torch.no_grad():
    _, weights = with_roles(new)  # (B, 1, S, S)
names = box_names(new)
for name, looks_at in zip(names, weights[0, 0].argmax(-1).tolist()):
    print(name, "looks at", names[looks_at])  # its pointer is the other one's label

# %% tags=["author"]
assert all(a[-1] == names[i][0] for a, i in zip(names, weights[0, 0].argmax(-1).tolist()))

# %% [markdown]
# And the roles? Give every box another digit and keep everything else. If keys speak of labels and
# values of digits, the boxes should look where they looked before and say something else. Then the
# same with labels: they should look elsewhere.


# %%
def moved(before: Tensor, after: Tensor) -> float:
    """The share of attention that has moved to another box, on average: weights (B, 1, S, S)."""
    return ((after - before).abs().sum(-1) / 2).mean().item()


many = sample_boxes(500, 6, torch.Generator().manual_seed(3))
changes = {
    "other digits": many._replace(digits=(many.digits + 1) % N_DIGITS),
    "other labels": many._replace(labels=(many.labels + 1) % len(LABELS)),
}
effects = {}
with torch.no_grad():
    said, weights = with_roles(many)
    for change, boxes in changes.items():
        says, new_weights = with_roles(boxes)
        new_answers = (says.argmax(-1) != said.argmax(-1)).float().mean().item()
        effects[change] = moved(weights, new_weights), new_answers

# %% tags=["nbval-ignore-output"]
for change, (moves, others) in effects.items():
    print(f"{change}: {moves:.0%} of the attention moves, {others:.0%} of the answers change")

# %% tags=["author"]
assert effects["other digits"][0] < 0.1 and effects["other digits"][1] > 0.95
assert effects["other labels"][0] > 0.7

# %% [markdown]
# ## 7. Several heads
#
# Now every box points to *two* boxes and has to say both digits, in order. One query, one softmax,
# one look. Can that work?


# %%
class TwoPointers(nn.Module):
    """Boxes look at each other with several heads, and say two digits each."""

    def __init__(self, n_heads: int, D: int = 32) -> None:
        super().__init__()
        self.label = nn.Embedding(len(LABELS), D)
        self.digit = nn.Embedding(N_DIGITS, D)
        self.first = nn.Embedding(len(LABELS), D)  # a table for the first pointer, ...
        self.second = nn.Embedding(len(LABELS), D)  # ... and one for the second
        self.attention = MultiHeadAttention(D, n_heads)
        self.guess = nn.Linear(D, 2 * N_DIGITS)

    def vectors(self, boxes) -> Tensor:
        x = self.label(boxes.labels) + self.digit(boxes.digits)  # (B, S, D)
        return x + self.first(boxes.points_to[..., 0]) + self.second(boxes.points_to[..., 1])

    def forward(self, boxes):
        heard, weights = self.attention(self.vectors(boxes), return_weights=True)
        guesses = self.guess(heard).unflatten(-1, (2, N_DIGITS))
        return guesses, weights  # (B, S, 2, 10), (B, H, S, S)


# %%
torch.manual_seed(0)
one_head = TwoPointers(n_heads=1)
one_head_curve = train(one_head, pointers=2, steps=300)

# %% tags=["nbval-ignore-output"]
many = sample_boxes(1000, 6, torch.Generator().manual_seed(4), pointers=2)
with torch.no_grad():
    logits, weights = one_head(many)  # weights (B, 1, S, S)
right = (logits.argmax(-1) == many.answers).float().mean((0, 1))  # (2,)
for pointer in (0, 1):
    target = many.labels[:, None, :] == many.points_to[:, :, pointer, None]  # (B, S, S)
    on_target = weights[:, 0][target].mean().item()
    print(f"pointer {pointer + 1}: weight {on_target:.2f} on its box, {right[pointer]:.0%} right")

# %% tags=["author"]
assert right.max() > 0.75 and right.min() < 0.4

# %% [markdown]
# One look gives *one* average, and the last matrix would have to read two digits out of it. In this
# run the model listens to both boxes, to one of them harder, and gets that one mostly right and the
# other mostly wrong.
#
# The way out is to look twice at the same time. Split queries, keys and values into `H` pieces, let
# each piece attend on its own, and put the results side by side again. Each piece is called a
# **head**.

# %%
torch.manual_seed(0)  # the same first weights as with one head
two_heads = TwoPointers(n_heads=2)
two_heads_curve = train(two_heads, pointers=2, steps=300)

decoder = TwoPointers(n_heads=1)  # one head again, but a small network instead of the last matrix
decoder.guess = nn.Sequential(nn.Linear(32, 128), nn.ReLU(), nn.Linear(128, 2 * N_DIGITS))
decoder_curve = train(decoder, pointers=2, steps=300)

# %% tags=["nbval-ignore-output"]
curves = {
    "two heads": (two_heads, two_heads_curve),
    "one head": (one_head, one_head_curve),
    "one head, then a network": (decoder, decoder_curve),
}
fig, ax = plt.subplots()
for name, (model, curve) in curves.items():
    ax.plot(curve, markevery=25, label=name)
    parameters = sum(p.numel() for p in model.parameters())
    print(f"{name:25} {sum(curve[-20:]) / 20:.2f} right, {parameters:,} parameters")
ax.set(xlabel="step", ylabel="share of right answers", ylim=(0, 1.02))
fig.legend(loc="outside upper left", ncols=2)
solved = next(i for i, a in enumerate(two_heads_curve) if a > 0.97)
show_figure(fig, f"Two heads solve it by step {solved}; one head ends at {one_head_curve[-1]:.2f}.")

# %% tags=["author"]
assert min(two_heads_curve[-20:]) > 0.97 and max(one_head_curve[-20:]) < 0.7

# %% [markdown]
# *In words, for this one run: two heads rise to 1 quickly. One head, with exactly as many parameters
# and the same first weights, stays a little above one half. One head with a small network after it
# gets far, but later.*
#
# Over five seeds, each with the best of four learning rates, two heads are ahead of one by .44 to .45
# {r:boxes.two pointers}. With three times the steps, at the same rate, one head ends at .55 to .56
# {r:boxes.one head for 900 steps}. One head with a network, which has twice the parameters, ends at
# .75 to .96 {r:boxes.two pointers}: it gets further. Two heads do not mix in the first place.
#
# From here on we say **token** for whatever a model reads one of at a time: a word, a piece of a word,
# a box.
#
# ### Exercise 1.6: multi-head attention
# Put everything together. `x` is `(B, T, M)` with `M = H * D`; the four matrices are `(M, M)`.
#
# 1. Queries, keys and values: `x @ w_q`, `x @ w_k`, `x @ w_v`.
# 2. Split each into heads. A token's vector is `H` pieces of `D` numbers, one after the other; each
#    head sees all tokens, with its own piece of each.
# 3. Attention in every head. (The package's `scaled_dot_product_attention(q, k, v)`, which you have
#    imported, takes any leading axes and returns output and weights.)
# 4. Put the heads side by side again, `(B, T, M)`, each where its piece was.
# 5. Mix them: `@ w_o`.


# %% exercise="1.6"
def multi_head_attention(
    x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, w_o: Tensor, n_heads: int
) -> Tensor:
    """Every token of x attends to every token of x, in n_heads ways at once: (B, T, M)."""
    ### BEGIN SOLUTION
    B, T, M = x.shape

    def heads(projected):  # (B, T, M) -> (B, H, T, D)
        return projected.reshape(B, T, n_heads, M // n_heads).transpose(1, 2)

    q, k, v = heads(x @ w_q), heads(x @ w_k), heads(x @ w_v)
    output, _ = scaled_dot_product_attention(q, k, v)  # (B, H, T, D)
    joined = output.transpose(1, 2).reshape(B, T, M)
    return joined @ w_o
    ### END SOLUTION


# %%
check("1.6", multi_head_attention)

# %% [markdown]
# Look inside: switch between the two heads, and compare with the two labels after each arrow.

# %% tags=["nbval-ignore-output"]
few = sample_boxes(1, 6, torch.Generator().manual_seed(5), pointers=2)
with torch.no_grad():
    x_boxes = two_heads.vectors(few)  # (B, S, D)
    projected = two_heads.attention.project(x_boxes)  # q, k and v, (B, S, 32) each
q, k, v = (part.unflatten(-1, (2, 16)).transpose(1, 2)[0] for part in projected)  # (H, S, 16)
AttentionExplorer(box_names(few), q @ k.transpose(-2, -1) / math.sqrt(16), values=v)

# %%
with torch.no_grad():
    _, weights = two_heads(many)  # (B, 2, S, S)
looks_at = weights.argmax(-1)  # (B, 2, S): for each head and box, a place on the shelf
seen = many.labels[torch.arange(len(looks_at))[:, None, None], looks_at]  # (B, 2, S) labels
pointed = many.points_to.transpose(1, 2)  # (B, 2, S)
agree = (seen.sort(1).values == pointed.sort(1).values).all(1).float().mean()
print("the two heads look at exactly the two boxes pointed to:", bool(agree > 0.97))

# %% tags=["author"]
assert agree > 0.97

# %% [markdown]
# Why step 5? Cut `w_o` into one piece of `D` rows a head. The product is then a *sum*, one term for
# each head:

# %%
heads = torch.randn(2, 5, 16, generator=g)  # (H, T, D): what two heads have heard
w_o = torch.randn(32, 32, generator=g)  # (M, M)
joined = torch.cat([*heads], dim=-1)  # (T, M)
terms = heads @ w_o.unflatten(0, (2, 16))  # (H, T, D) @ (H, D, M) -> (H, T, M)
print("one product, or a sum over heads:", torch.allclose(joined @ w_o, terms.sum(0), atol=1e-4))

# %% tags=["author"]
assert torch.allclose(joined @ w_o, terms.sum(0), atol=1e-4)

# %% [markdown]
# So `w_o` lets each head write into all `M` numbers of a token. Without it a head could write into
# its own `D` only.
#
# ## 8. What attention does not know: order
#
# Shuffle the tokens that go in. What comes out?
#
# ### Exercise 1.7: an experiment
# A layer treats its tokens as a *bag* if, in whatever order they go in, each token gets the same
# output as before, at the place where it stands now. Given are a list of `layers`, functions
# `(T, D)` -> `(T, D)`, and one `x` `(T, D)` to try them on. Return a list of bools, True where a layer
# treats `x` as a bag, up to rounding (`torch.allclose` with `atol=1e-4`). Some layers are
# symmetrical enough to fool a test that tries a single order. (`x[order]` puts rows in an order.)


# %% exercise="1.7"
def ignore_order(layers: list, x: Tensor) -> list[bool]:
    """For each layer whether it treats the tokens of x as a bag."""
    ### BEGIN SOLUTION
    orders = [torch.randperm(len(x)) for _ in range(50)]

    def is_bag(layer):
        before = layer(x)  # (T, D)
        return all(torch.allclose(layer(x[o]), before[o], atol=1e-4) for o in orders)

    return [is_bag(layer) for layer in layers]
    ### END SOLUTION


# %%
check("1.7", ignore_order)

# %% [markdown]
# Attention:

# %%
layer = MultiHeadAttention(d_model=64, n_heads=4)
shuffled = torch.randperm(len(sentence), generator=torch.Generator().manual_seed(0))
with torch.no_grad():
    before = layer(x[None])[0]  # (T, D)
    after = layer(x[None, shuffled])[0]
print(" ".join(sentence[i] for i in shuffled))
print("the same outputs, in the new order:", torch.allclose(before[shuffled], after, atol=1e-4))

# %% [markdown]
# Each word hears exactly what it heard before. To attention, a sentence is a *bag* of words. "dog
# bites man" and "man bites dog" are the same to it. So a transformer (a network built from attention
# layers) has to be told the *position*. The original one and BERT add a vector for it to each word's;
# lesson 5 builds that.
#
# > **Often read:** a language model predicts each word from the words before it.
#
# Such a model is called **autoregressive**. Is one that fills gaps with attention? Change the *last*
# word of a sentence and see which outputs notice:

# %%
changed = x.clone()
changed[-1] = x[0]
with torch.no_grad():
    differs = (layer(changed[None]) - layer(x[None]))[0].abs().amax(-1) > 1e-6  # (T,)
print("outputs that changed:", int(differs.sum()), "of", len(sentence))

# %% [markdown]
# > **In fact** every output changed, the first word's too: attention looks left *and* right. BERT, a
# > masked language model, is trained that way on purpose. An autoregressive one such as GPT has to
# > forbid looking right, with a causal mask (lesson 2). (Devlin et al. 2019, sections 1 and 3.1)

# %% [markdown]
# ## 9. What it costs
#
# There is a score for each pair of tokens. Twice the tokens, four times the scores:

# %%
for n in [128, 256, 512, 1024, 2048]:
    print(f"{n:5} tokens: {n * n:9,} scores a head, {n * n * 4 / 1e6:6.2f} MB in 32-bit floats")

# %% [markdown]
# PyTorch's own `scaled_dot_product_attention` avoids most of that memory where it can: it works
# through the scores block by block and never stores them all. The numbers are the same. The package
# uses it whenever nobody asks to see the weights.
#
# Block by block, although softmax divides by a sum over *all* keys?
#
# ### Exercise 1.8: two halves of the keys
# Queries have attended to one half of the keys, then to the other, each time as if there were no other
# keys. Kept are two outputs `(..., T, E)` and two log-sums `(..., T)`: the logarithm of the sum of
# exp(score) over the keys of that half. Scores and values are gone. Return what attention over all keys
# would have left: output and log-sum. Log-sums may be in the hundreds and far apart; a half without
# keys has the log-sum minus infinity and the output 0 (never both halves).


# %% exercise="1.8"
def join_halves(
    output_a: Tensor, log_sum_a: Tensor, output_b: Tensor, log_sum_b: Tensor
) -> tuple[Tensor, Tensor]:
    """Output and log-sum over the keys of both halves, from those of each."""
    ### BEGIN SOLUTION
    log_sum = torch.logaddexp(log_sum_a, log_sum_b)  # (..., T)
    share_a = (log_sum_a - log_sum).exp()[..., None]  # (..., T, 1)
    share_b = (log_sum_b - log_sum).exp()[..., None]
    return share_a * output_a + share_b * output_b, log_sum
    ### END SOLUTION


# %%
check("1.8", join_halves)

# %% [markdown]
# PyTorch's and ours:

# %%
q, k, v = torch.randn(3, 2, 4, 50, 16, generator=torch.Generator().manual_seed(0))
ours, _ = scaled_dot_product_attention(q, k, v)
torch.allclose(ours, F.scaled_dot_product_attention(q, k, v), atol=1e-5)

# %% [markdown]
# ## 10. A task and a network are two things
#
# Masked language modelling is sometimes listed as one kind of model beside recurrent and
# convolutional networks. But hiding words and guessing them is a *task*, and any network that turns
# `(B, T, D)` into `(B, T, D)` can be trained on it. A few of them, on short sentences about people
# and animals (lesson 2 introduces this little language), with one word in seven hidden:


# %%
class GapFiller(nn.Module):
    """Guesses hidden words: (B, T) ids -> logits (B, T, V), with any network in the middle."""

    def __init__(self, network, vocabulary: int, positions: bool, D: int = 32) -> None:
        super().__init__()
        self.embed, self.network = nn.Embedding(vocabulary, D), network
        self.position = nn.Embedding(32, D) if positions else None
        self.guess = nn.Linear(D, vocabulary)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embed(ids)
        if self.position is not None:  # a vector for each place is added to the word's
            x = x + self.position.weight[: ids.shape[1]]
        if isinstance(self.network, nn.GRU):
            x, _ = self.network(x)
        elif isinstance(self.network, nn.Conv1d):
            x = self.network(x.transpose(1, 2)).transpose(1, 2)  # it wants (B, D, T)
        else:
            x = self.network(x)
        return self.guess(x)


# %% [markdown]
# The training loop once more, for any of them:

# %%
from mlm_course.corpora import tinyworld

GAP = 4  # the id that stands where a word is hidden
sentences = tinyworld.sample_ids(2000, torch.Generator().manual_seed(0), specials=False)


def train_gap_filler(network: nn.Module, positions: bool, steps: int = 100) -> list[float]:
    """The loss at each step."""
    g = torch.Generator().manual_seed(0)  # the same words hidden for every network
    model = GapFiller(network, len(tinyworld.vocabulary()), positions)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(steps):
        ids = sentences[torch.randint(len(sentences), (32,), generator=g)]
        masked = (torch.rand(ids.shape, generator=g) < 1 / 7) & (ids > GAP)  # 0 is filler
        loss = F.cross_entropy(model(ids.masked_fill(masked, GAP))[masked], ids[masked])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


# %%
networks = {
    "recurrent": (nn.GRU(32, 16, batch_first=True, bidirectional=True), False),
    "convolution": (nn.Conv1d(32, 32, kernel_size=5, padding=2), False),
    "attention": (MultiHeadAttention(32, n_heads=4), False),
    "attention, positions": (MultiHeadAttention(32, n_heads=4), True),
}
gap_losses = {name: train_gap_filler(*network) for name, network in networks.items()}

# %% tags=["nbval-ignore-output"]
for name, losses in gap_losses.items():
    print(f"{name:20} loss {losses[0]:.1f} -> {sum(losses[-10:]) / 10:.1f}")

# %% tags=["author"]
assert all(sum(losses[-10:]) / 10 < losses[0] - 1 for losses in gap_losses.values())

# %% [markdown]
# Masked language modelling is an *objective*, attention an *architecture*, and all of these learn the
# same task. What sets attention apart is that any word reaches any other in a single step (Vaswani et
# al. 2017, section 4).
#
# Attention by itself comes last in this run. It alone has no idea of order (section 8), and all gaps
# of a sentence are one and the same query to it. Are these two together the cause? Add positions, which
# mend both, and nothing else: over five seeds of 150 steps, each with the best of three learning
# rates, they take 2.04 to 2.28 off attention's loss on new sentences {r:gap_fillers.loss}. The
# convolution is still ahead by .02 to .11, and behind by .01 to .08 once what went in is added to what
# comes out, in both {r:gap_fillers.loss}. (Lesson 5 says more of positions, and of adding.)

# %% [markdown]
# ## Quiz
# Click an option to have it judged; without a kernel, open one to see what it has to say.

# %%
quiz("1")

# %% [markdown]
# ## Recap
#
# - Attention is a weighted average of **values**. The weights come from comparing a **query** with
#   **keys**.
# - Scores are dot products divided by `sqrt(D)`; softmax over the *keys* turns them into weights.
# - Learned matrices free a word from looking into the mirror, and make listening one-sided.
# - A **head** takes one look. Several heads look at several things at once, with the same number of
#   parameters.
# - Attention sees a bag of words, in both directions, and pays for each pair of tokens.
#
# **Next:** lesson 2 decides who may listen to whom: attention masks.

# %%
progress("1")

# %% [markdown]
# ## References
#
# - A. Vaswani et al. 2017. *Attention Is All You Need*. NeurIPS.
#   [arXiv:1706.03762](https://arxiv.org/abs/1706.03762)
# - D. Bahdanau, K. Cho, Y. Bengio 2015. *Neural Machine Translation by Jointly Learning to Align
#   and Translate*. ICLR. [arXiv:1409.0473](https://arxiv.org/abs/1409.0473) (attention before
#   transformers: translation with a recurrent network)
# - O. Levy, Y. Goldberg 2014. *Neural Word Embedding as Implicit Matrix Factorization*. NeurIPS. (the
#   word vectors of section 2)
# - J. Devlin et al. 2019. *BERT: Pre-training of Deep Bidirectional Transformers for Language
#   Understanding*. NAACL. [arXiv:1810.04805](https://arxiv.org/abs/1810.04805)
