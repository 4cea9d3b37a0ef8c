# %% [markdown]
# # Lesson 1: Attention
#
# *The for statement is used to ______ over the elements of a sequence.*
#
# You filled that gap without thinking. Some words helped you ("for", "elements", "sequence"),
# others hardly at all ("the", "is", "a"). **Attention** is how a neural network does the same: it
# lets every word decide which other words to listen to, and how much.
#
# By the end of this lesson you will have written attention yourself, watched it learn to look in
# the right place, and seen why one "head" is sometimes not enough. You need to know what a matrix
# product is and what a gradient is for. Nothing else.

# %%
import math

import matplotlib.pyplot as plt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mlm_course.attention import MultiHeadAttention, scaled_dot_product_attention
from mlm_course.corpora import python_docs
from mlm_course.corpora.boxes import LABELS, N_DIGITS, box_names, sample_boxes
from mlm_course.corpora.word_vectors import word_vectors
from mlm_course.practice import check, hint, progress, quiz, solution
from mlm_course.views import heat_map, show, weights_view
from mlm_course.widgets import AttentionExplorer

torch.set_num_threads(1)  # the same numbers on every machine

# %% [markdown]
# Exercises look like this: a function with a gap, then a cell that calls `check`. If you are stuck,
# `hint("1.1")` gives a nudge, each further call a stronger one. `solution("1.1")` shows the answer
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
# Weights `(..., T, S)` and values `(..., S, D)` -> one average for each query, `(..., T, D)`.
# The dots stand for any number of leading axes, such as a batch.


# %% exercise="1.1"
def weighted_average(weights: Tensor, values: Tensor) -> Tensor:
    """For each query the average of the values, weighted by its row of weights."""
    ### BEGIN SOLUTION
    return weights @ values
    ### END SOLUTION


# %%
check("1.1", weighted_average)

# %% [markdown]
# > **Often read:** attention computes similarities and *adds them to the word vectors*.
#
# Try it. A query's similarities are `S` numbers, one for each key. A word vector has `D` numbers.

# %%
similarities = torch.tensor([0.1, 0.3, 2.0, 0.9])  # (S,)
try:
    values[3] + similarities
except RuntimeError as error:
    print(f"RuntimeError: {error}")

# %% [markdown]
# > **In fact** the similarities become *weights*, and the weights average the values. The average
# > is then added to the word's own vector by a "residual connection", which lesson 4 builds.
# > (Vaswani et al. 2017, sections 3.1 and 3.2.1)

# %% [markdown]
# ## 2. Words as vectors
#
# Weights should come from the words themselves. For that, each word needs to be something we can
# compute with: a **vector**, a list of `D` numbers.
#
# Where do good vectors come from? Here is the oldest trick that works: *words that keep the same
# company mean similar things*. We read Python's own manual (it is on your machine already), count
# which words stand near which, and compress the counts to 64 numbers a word. No neural network yet.

# %%
manual = word_vectors(python_docs.manual())
print(len(manual.words), "words,", manual.vectors.shape[1], "numbers each")

# %% [markdown]
# Words whose vectors point the same way:

# %% tags=["nbval-ignore-output"]
for word in ["iterate", "class", "string", "import", "true"]:
    print(f"{word:8} ->", ", ".join(manual.nearest(word)))

# %%
assert "false" in manual.nearest("true", n=10)  # true of every Python's manual

# %% [markdown]
# Nobody told it that "true" has something to do with "false". It is in the company they keep.
#
# Now look up the words of our sentence. We stretch each vector to length `sqrt(D)`, so that its
# numbers are around 1 in size, whatever `D` is. The vectors inside a transformer are kept at that
# size too (lesson 4).

# %%
sentence = "the for statement is used to iterate over the elements of a sequence".split()
x = F.normalize(manual[sentence], dim=-1) * math.sqrt(64)  # (T, D)
x.shape

# %% [markdown]
# ## 3. Scores: how well do two vectors match?
#
# The simplest measure of agreement between two vectors is their **dot product**: multiply number by
# number and add up. Large when they point the same way, zero when they have nothing to do with each
# other, negative when they are opposed. One matrix product gives all pairs:
#
# `q @ k.T`: queries `(T, D)` times keys `(D, S)` -> scores `(T, S)`.
#
# There is a catch. Take random vectors whose numbers are around 1 in size, and look at how large
# their dot products get:

# %%
g = torch.Generator().manual_seed(0)
sizes = [4, 16, 64, 256, 1024]
spread = []
for D in sizes:
    q, k = torch.randn(2, 500, D, generator=g)  # 500 pairs of random vectors
    spread.append((q * k).sum(-1).std().item())

fig, ax = plt.subplots(figsize=(5, 3))
ax.loglog(sizes, spread, "o-", label="measured")
ax.loglog(sizes, [math.sqrt(D) for D in sizes], "--", label="square root of D")
ax.set(xlabel="D, numbers in a vector", ylabel="spread of dot products")
ax.legend()
plt.show()
print("D      ", *[f"{D:7d}" for D in sizes])
print("spread ", *[f"{s:7.1f}" for s in spread])

# %% [markdown]
# *In words: the spread (standard deviation) grows like the square root of `D`. Each time `D` becomes
# four times as large, the dot products become about twice as large.*
#
# Why is that bad? The next step, softmax, turns *differences* between scores into weights. With huge
# differences, one weight is 1 and all others are 0: the query hears one word only, and since nothing
# changes when a score moves a little, the gradient is nearly zero and nothing can be learned.

# %%
four_keys = torch.randn(4, generator=g)
for D in [1, 64, 1024]:
    print(f"D = {D:4}:", [f"{w:.2f}" for w in (four_keys * math.sqrt(D)).softmax(-1).tolist()])

# %% [markdown]
# ### Exercise 1.2: scores on a fair scale
# Queries `(..., T, D)`, keys `(..., S, D)` -> scores `(..., T, S)`: dot products of each query with
# each key, with the growth you have just seen undone. (`k.transpose(-2, -1)` swaps the last two axes.)


# %% exercise="1.2"
def attention_scores(q: Tensor, k: Tensor) -> Tensor:
    """Similarity of each query with each key, on a scale that does not depend on D."""
    ### BEGIN SOLUTION
    return q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    ### END SOLUTION


# %%
check("1.2", attention_scores)

# %% [markdown]
# The scores of our sentence, every word against every word. Look for the darkest square off the
# diagonal (and never mind "the", which stands there twice):

# %% tags=["nbval-ignore-output"]
scores = x @ x.T / math.sqrt(x.shape[-1])  # (T, S)
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
# division takes out again. That is more than a curiosity. `exp` of a large number overflows:

# %%
large = torch.tensor([1000.0, 1001.0])
print("naive:  ", large.exp() / large.exp().sum())
print("shifted:", (large - 1001).exp() / (large - 1001).exp().sum())

# %% [markdown]
# ### Exercise 1.3: softmax that survives large scores
# Scores `(..., T, S)` -> weights of the same shape; each query's weights sum to 1 *over the keys*.
# Some of the test scores are in the hundreds. Use `exp`, `amax` and `sum` (not `softmax`); all of
# them take `keepdim=True`.


# %% exercise="1.3"
def softmax_over_keys(scores: Tensor) -> Tensor:
    """Positive weights that sum to 1 along the last axis, whatever the size of the scores."""
    ### BEGIN SOLUTION
    shifted = scores - scores.amax(-1, keepdim=True)  # the largest score of each query becomes 0
    exponentials = shifted.exp()
    return exponentials / exponentials.sum(-1, keepdim=True)
    ### END SOLUTION


# %%
check("1.3", softmax_over_keys)

# %% [markdown]
# ## 5. Attention
#
# Scores, softmax, weighted average. Those three lines are *scaled dot-product attention*:
#
# $$\text{attention}(Q, K, V) = \text{softmax}\!\left(\frac{Q K^\top}{\sqrt{D}}\right) V$$
#
# The values may have a different length from queries and keys; nothing compares them with anything.
#
# ### Exercise 1.4: attention
# Queries `(..., T, D)`, keys `(..., S, D)`, values `(..., S, V)` -> a pair: the output `(..., T, V)`
# and the weights `(..., T, S)`. Here `softmax(-1)` is allowed.


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
# The package's own version (open `mlm_course/attention.py`: it is short) does the same. Let the words
# of our sentence attend to each other. Choose a word on the left with the mouse or with the arrow
# keys; the table shows its scores and weights.

# %% tags=["nbval-ignore-output"]
AttentionExplorer(sentence, scores)

# %%
_, weights = scaled_dot_product_attention(x, x, x)
own = weights.diagonal().mean()
print("a word gives more than half of its attention to itself, on average:", bool(own > 0.5))
assert own > 0.5

# %% [markdown]
# Disappointing! Nearly every word looks into a mirror. Of course: no vector matches a vector better
# than itself.
#
# > **Often read:** the attention score is the dot product of two word embeddings.
#
# Two things go wrong with that. You have seen the first. Here is the second: a dot product does not
# care about order.

# %%
torch.equal(scores, scores.T), torch.allclose(scores, scores.T, atol=1e-4)

# %% [markdown]
# "iterate" would have to look at "over" exactly as hard as "over" looks at "iterate" (before softmax).
# But listening is not mutual: a pronoun needs its noun, the noun does not need the pronoun.
#
# > **In fact** the score is a dot product of a *query* and a *key*, two different projections of the
# > words, divided by the square root of `D`. (Vaswani et al. 2017, section 3.2)

# %% [markdown]
# ## 6. Query, key, value: three roles for each word
#
# So each word gets three vectors, each made by its own matrix, and all three matrices are *learned*:
#
# - the **query**: what am I looking for?
# - the **key**: what do I offer to those who look?
# - the **value**: what do I say if I am chosen?
#
# A puzzle shows what this buys. On a shelf stand six boxes. Each has a label and holds a digit. Then
# comes a question: what is in box `e`?

# %%
g = torch.Generator().manual_seed(1)
shelf = sample_boxes(batch=1, boxes=6, generator=g)
print("boxes:   ", *box_names(shelf))
print("question:", LABELS[shelf.asked[0, 0]])
print("answer:  ", shelf.answers[0, 0].item())

# %% [markdown]
# Labels and digits change with each shelf, so nothing can be learned by heart. To answer, one has to
# *look*: find the box with the right label, and read its digit.
#
# The model below is attention and hardly anything else. A box becomes one vector, the sum of a vector
# for its label and a vector for its digit. The question becomes a vector too. Then attention looks
# once, and a last matrix turns what the question heard into scores for the ten digits. (Scores
# before softmax are called **logits**. Ignore `questions` for now; it is 1 until section 7.)


# %%
class OneLook(nn.Module):
    """A question looks once at a shelf of boxes and guesses what it asks for."""

    def __init__(self, n_heads: int, questions: int = 1, d_model: int = 32) -> None:
        super().__init__()
        self.label = nn.Embedding(len(LABELS), d_model)
        self.digit = nn.Embedding(N_DIGITS, d_model)
        self.asked = nn.Embedding(questions * len(LABELS), d_model)
        self.attention = MultiHeadAttention(d_model, n_heads)
        self.guess = nn.Linear(d_model, questions * N_DIGITS)
        self.questions = questions

    def forward(self, boxes):
        shelf = self.label(boxes.labels) + self.digit(boxes.digits)  # (B, P, d_model)
        first_second = torch.arange(self.questions) * len(LABELS)  # which question: its own rows
        question = self.asked(boxes.asked + first_second).sum(1, keepdim=True)  # (B, 1, d_model)
        heard, weights = self.attention(question, memory=shelf, return_weights=True)
        logits = self.guess(heard[:, 0]).unflatten(-1, (self.questions, N_DIGITS))
        return logits, weights  # (B, Q, 10), (B, H, 1, P)


# %% [markdown]
# Training is the usual loop. Fresh shelves each time, cross-entropy between guess and answer:


# %%
def train(model: OneLook, steps: int) -> list[float]:
    """The share of right answers at each step."""
    g = torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    accuracy = []
    for _ in range(steps):
        boxes = sample_boxes(128, 6, g, model.questions)
        logits, _ = model(boxes)
        loss = F.cross_entropy(logits.flatten(0, 1), boxes.answers.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        accuracy.append((logits.argmax(-1) == boxes.answers).float().mean().item())
    return accuracy


torch.manual_seed(0)
one_question = OneLook(n_heads=1)
learning = train(one_question, steps=150)

# %%
fig, ax = plt.subplots(figsize=(5, 3))
ax.plot(learning)
ax.axhline(1 / N_DIGITS, linestyle="--", color="gray")
ax.set(xlabel="step", ylabel="share of right answers", ylim=(0, 1.02))
plt.show()
print("right answers: at first as good as guessing (dashed line, 0.10), in the end all of them")
assert learning[0] < 0.3 and min(learning[-10:]) > 0.97

# %% [markdown]
# Well before step 100 the puzzle is solved. What did it learn? Ask the model where it
# looks. Below, each row is a new shelf's question, and the label it asks for stands at its front:

# %%
test = sample_boxes(6, 6, torch.Generator().manual_seed(2))
with torch.no_grad():
    _, weights = one_question(test)  # (B, H, 1, P)
looked_at = weights[:, 0, 0].argmax(-1)  # (B,)
for i in range(6):
    row = box_names(test, i)
    print(f"{LABELS[test.asked[i, 0]]}?", *row, " looks at", row[looked_at[i]])
assert torch.equal(test.labels.gather(1, looked_at[:, None]), test.asked)

# %% [markdown]
# It looks at the right box. The *key* matrix has learned to show a box's label and to keep quiet about
# the digit. The *value* matrix has learned the opposite: say the digit, the label no longer matters. We
# can check that claim. Swap all digits on a shelf, and the question's weights hardly move:

# %%
other_digits = test._replace(digits=(test.digits + 5) % N_DIGITS)
with torch.no_grad():
    _, same_labels = one_question(other_digits)
change = (same_labels - weights).abs().max()
print("largest change of a weight is below 0.25:", bool(change < 0.25))
assert change < 0.25

# %% [markdown]
# ## 7. Several heads
#
# Now ask *two* questions at once: what is in box `c`, and what is in box `h`? One query, one softmax,
# one look. Can that work?

# %%
torch.manual_seed(0)
one_head = train(OneLook(n_heads=1, questions=2), steps=300)

fig, ax = plt.subplots(figsize=(5, 3))
ax.plot(one_head)
ax.axhline(0.55, linestyle="--", color="gray")
ax.set(xlabel="step", ylabel="share of right answers", ylim=(0, 1.02))
plt.show()
stuck = sum(one_head[-50:]) / 50
print("one head, two questions: stuck a little above one half")
assert 0.5 < stuck < 0.65

# %% [markdown]
# It is stuck at about 55 %, and the number tells a story. With one softmax, the best it can do is to
# look at *both* boxes, half and half. Out comes the average of the two values: it knows *which two*
# digits, but not which is which. Guess one of the two and you are right half of the time, plus the one
# case in ten in which both boxes hold the same digit: $\frac12 + \frac12\cdot\frac1{10} = 0.55$, the
# dashed line.
#
# The way out is to look twice at the same time. Split queries, keys and values into `H` pieces, let each
# piece attend on its own, and put the results side by side again. Each piece is called a **head**.

# %%
torch.manual_seed(0)
two_heads = OneLook(n_heads=2, questions=2)
both = train(two_heads, steps=300)

fig, ax = plt.subplots(figsize=(5, 3))
ax.plot(one_head, label="one head")
ax.plot(both, label="two heads")
ax.set(xlabel="step", ylabel="share of right answers", ylim=(0, 1.02))
ax.legend()
plt.show()
print("two heads, two questions: solved")
assert min(both[-10:]) > 0.97
for heads in (1, 2):
    numbers = sum(p.numel() for p in OneLook(heads, questions=2).parameters())
    print("numbers to learn with", heads, "head(s):", numbers)

# %% [markdown]
# *In words: with one head the curve stays flat near 0.55. With two heads, and exactly as many numbers to
# learn, it rises to 1 within the first hundred steps.*
#
# Look inside. Switch between the heads: each has taken one of the two questions.

# %% tags=["nbval-ignore-output"]
test = sample_boxes(5, 6, torch.Generator().manual_seed(3), questions=2)
with torch.no_grad():
    _, weights = two_heads(test)  # (B, H, 1, P)
question = f"{LABELS[test.asked[0, 0]]}, {LABELS[test.asked[0, 1]]}?"
AttentionExplorer([question], weights[0].log(), keys=box_names(test))

# %%
looked_at = test.labels.gather(1, weights[:, :, 0].argmax(-1))  # (B, H), a label for each head
assert torch.equal(looked_at.sort(-1).values, test.asked.sort(-1).values)
print("on five shelves, the two heads looked at exactly the two boxes asked for")

# %% [markdown]
# ### Exercise 1.5: split into heads
# `x` is `(B, T, H * D)`: each token's vector is `H` pieces of `D` numbers, one after the other. Return
# `(B, H, T, D)`, so that each head sees all tokens, with its own piece of each.


# %% exercise="1.5"
def split_heads(x: Tensor, n_heads: int) -> Tensor:
    """Each token's vector cut into one piece a head: (B, T, H * D) -> (B, H, T, D)."""
    ### BEGIN SOLUTION
    B, T, width = x.shape
    pieces = x.reshape(B, T, n_heads, width // n_heads)  # (B, T, H, D)
    return pieces.transpose(1, 2)  # (B, H, T, D)
    ### END SOLUTION


# %%
check("1.5", split_heads)

# %% [markdown]
# ### Exercise 1.6: multi-head attention
# Put everything together. `x` is `(B, T, M)` with `M = H * D`; the four matrices are `(M, M)`.
#
# 1. Queries, keys and values: `x @ w_q`, `x @ w_k`, `x @ w_v`.
# 2. Split each into heads.
# 3. Attention in every head. (`scaled_dot_product_attention(q, k, v)` returns output and weights.)
# 4. Put the heads side by side again: `(B, H, T, D)` -> `(B, T, M)`.
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

    output, _ = scaled_dot_product_attention(heads(x @ w_q), heads(x @ w_k), heads(x @ w_v))
    joined = output.transpose(1, 2).reshape(B, T, M)
    return joined @ w_o
    ### END SOLUTION


# %%
check("1.6", multi_head_attention)

# %% [markdown]
# ## 8. What attention does not know: order
#
# Shuffle the tokens that go in. What comes out?

# %%
torch.manual_seed(0)
layer = MultiHeadAttention(d_model=64, n_heads=4)
shuffled = torch.randperm(len(sentence), generator=torch.Generator().manual_seed(0))
with torch.no_grad():
    before = layer(x[None])[0]  # (T, D)
    after = layer(x[None, shuffled])[0]
print(" ".join(sentence[i] for i in shuffled))
print("the same outputs, in the new order:", torch.allclose(before[shuffled], after, atol=1e-4))

# %% [markdown]
# Each word hears exactly what it heard before. To attention, a sentence is a *bag* of words. "dog bites
# man" and "man bites dog" are the same to it. So transformers add a vector for the *position* to each
# word's vector; lesson 4 builds that.
#
# > **Often read:** masked language models, like the ones this course is about, are *autoregressive*: they
# > produce each word from the words before it.
#
# Try it. Change the *last* word of a sentence and see which outputs notice:

# %%
changed = x.clone()
changed[-1] = x[0]
with torch.no_grad():
    moved = (layer(changed[None]) - layer(x[None]))[0].abs().amax(-1) > 1e-6  # (T,)
print("outputs that changed:", int(moved.sum()), "of", len(sentence))

# %% [markdown]
# > **In fact** every output changed, the first word's too: attention looks left *and* right. BERT is
# > trained that way on purpose. An autoregressive model such as GPT has to forbid looking right, with a
# > causal mask, which is the subject of lesson 2. (Devlin et al. 2019, sections 1 and 3.1)

# %% [markdown]
# ## 9. What it costs
#
# There is a score for each pair of tokens. Twice the tokens, four times the scores:

# %%
for T in [128, 256, 512, 1024, 2048]:
    print(f"{T:5} tokens: {T * T:9,} scores a head, {T * T * 4 / 1e6:6.2f} MB in 32-bit floats")

# %% [markdown]
# PyTorch's own `scaled_dot_product_attention` avoids most of that memory: it works through the scores
# block by block and never stores them all. The numbers are the same. The package uses it whenever nobody
# asks to see the weights.

# %%
q, k, v = torch.randn(3, 2, 4, 50, 16, generator=torch.Generator().manual_seed(0))
ours, _ = scaled_dot_product_attention(q, k, v)
torch.allclose(ours, F.scaled_dot_product_attention(q, k, v), atol=1e-5)

# %% [markdown]
# > **Often read:** masked language modelling is one kind of model, recurrent and convolutional networks are
# > others.
#
# Hiding words and guessing them is a *task*. Any network that turns `(B, T, D)` into `(B, T, D)` can be
# trained on it:

# %%
torch.manual_seed(0)
tokens = torch.randint(50, (8, 12), generator=g)
hidden = torch.rand(8, 12, generator=g) < 0.25
embed, guess = nn.Embedding(51, 16), nn.Linear(16, 50)  # id 50 stands for "hidden"
networks = {
    "recurrent": lambda v, net=nn.GRU(16, 16, batch_first=True): net(v)[0],
    "convolution": lambda v, net=nn.Conv1d(16, 16, 3, padding=1): net(v.mT).mT,
    "attention": lambda v, net=MultiHeadAttention(16, 2): net(v),
}
for name, network in networks.items():
    logits = guess(network(embed(tokens.masked_fill(hidden, 50))))
    loss = F.cross_entropy(logits[hidden], tokens[hidden])
    print(f"{name:12} loss on the hidden tokens {loss.item():.1f}")

# %% [markdown]
# > **In fact** masked language modelling is an *objective* and attention is an *architecture*. The three
# > untrained networks guess alike: about log(50) = 3.9. What makes attention special is that any word can
# > reach any other in a single step. (Vaswani et al. 2017, section 4)

# %% [markdown]
# ## Quiz
# Open an option to see what it has to say. `quiz("1.q1", "b")` records your answer.

# %%
quiz("1")

# %% [markdown]
# ## Recap
#
# - Attention is a weighted average of **values**. The weights come from comparing a **query** with **keys**.
# - Scores are dot products divided by `sqrt(D)`; softmax over the *keys* turns them into weights.
# - Learned projections free a word from looking into the mirror, and make listening one-sided.
# - A **head** takes one look. Several heads look at several things at once, at the same cost.
# - Attention sees a bag of words, in both directions, and pays for each pair of tokens.
#
# **Next:** lesson 2 decides who may listen to whom: attention masks.

# %%
progress("1")

# %% [markdown]
# ## References
#
# - A. Vaswani et al. 2017. *Attention Is All You Need*. NeurIPS. [arXiv:1706.03762](https://arxiv.org/abs/1706.03762)
# - D. Bahdanau, K. Cho, Y. Bengio 2015. *Neural Machine Translation by Jointly Learning to Align and
#   Translate*. ICLR. [arXiv:1409.0473](https://arxiv.org/abs/1409.0473) (attention before transformers)
# - O. Levy, Y. Goldberg 2014. *Neural Word Embedding as Implicit Matrix Factorization*. NeurIPS. (the word
#   vectors of section 2)
# - J. Devlin et al. 2019. *BERT: Pre-training of Deep Bidirectional Transformers for Language
#   Understanding*. NAACL. [arXiv:1810.04805](https://arxiv.org/abs/1810.04805)
