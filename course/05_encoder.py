# %% [markdown]
# # Lesson 5: The encoder (BERT)
#
# You have attention (lesson 1), masks for it (lesson 2), and text with gaps in it (lessons 3 and
# 4). Now the model in the middle: the **encoder**, a network that reads token ids and returns one
# vector for each token, a vector that knows its surroundings. This lesson adds its other parts, and
# shows for some what goes wrong without them.
#
# By the end your encoder, built from BERT's parts (Devlin et al. 2019), agrees with Hugging Face's,
# number by number. You find the faults of one that does not, write attention that sees distances, and
# run weights that other people trained.

# %%
import matplotlib.pyplot as plt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mlm_course.practice import check, hint, progress, quiz, solution
from mlm_course.views.figures import show_figure

g = torch.Generator().manual_seed(0)  # the source of this lesson's random numbers

# %% [markdown]
# ## 1. A vector for each token
#
# An **embedding** is a table with a vector of `D` dimensions for each token of the vocabulary, one
# in each row. All rows are learned. To *embed* a text is to look its rows up:

# %%
from mlm_course.corpora import tinyworld

names = tinyworld.vocabulary()
words = "anna gave tom a red towel , and he thanked her for the red towel at the river .".split()
ids = tinyworld.encode([words])  # (B, T)

table = torch.randn(len(names), 8, generator=g)  # (V, D)
x = table[ids]  # (B, T, D)
print("the table:", tuple(table.shape), "  the text:", tuple(ids.shape), "->", tuple(x.shape))

# %% [markdown]
# Both "red" have the same vector. Lesson 1 showed that attention sees a bag of words. Does a whole
# encoder see more? Let us shuffle them. (`Encoder` is the package's.)

# %%
from mlm_course.models import Encoder, EncoderConfig

encoder = Encoder(EncoderConfig(vocab_size=len(names), d_model=64, n_layers=4)).eval()
order = torch.randperm(ids.shape[1], generator=g)


@torch.no_grad()
def only_moves(encoder: Encoder) -> bool:
    """Whether shuffling the tokens shuffles the outputs and changes nothing else."""
    return torch.allclose(encoder(ids)[0, order], encoder(ids[:, order])[0], atol=1e-4)


print("the same outputs, in the new order:", only_moves(encoder))
with torch.no_grad():
    encoder.embeddings.position.weight.zero_()
print("and without position embeddings:   ", only_moves(encoder))

# %% [markdown]
# Without positions an encoder of any depth cannot tell "anna gave tom a towel" from "tom gave anna
# a towel". So there is a second table, the **position embedding**, with a row for each *place*.
#
# And a third: the **segment embedding** says to which of two texts a token belongs, 0 or 1:

# %%
pair = "[CLS] where is the towel ? [SEP] it is at the river . [SEP]".split()
segment_of = [0] * 7 + [1] * 7
for name, row in {"token": pair, "place": range(14), "segment": segment_of}.items():
    print(f"{name:8}", *[f"{entry!s:>6}" for entry in row])

# %% [markdown]
# The three vectors are added (Devlin et al. 2019, section 3, figure 2). So BERT's input is not the
# token embeddings alone. Look at the two "red":

# %%
a, b = [place for place, i in enumerate(ids[0]) if names[i] == "red"]
places = torch.randn(32, 8, generator=g)  # a row for each of 32 places
print("places:", a, "and", b)
print("token embeddings alone, the same vector:", torch.equal(x[0, a], x[0, b]))
same = torch.equal(x[0, a] + places[a], x[0, b] + places[b])
print("with their positions, the same vector:  ", same)

# %% [markdown]
# ### Exercise 5.1: embeddings
# A row of `ids` `(B, T)` holds one text or two: `[CLS] ... [SEP]` or `[CLS] ... [SEP] ... [SEP]`, then
# padding, id 0. `sep` is the id of `[SEP]`. The first `[SEP]` still belongs to segment 0, the second to
# segment 1; padding gets segment 0, in every row. Places count from 0.
#
# The tables are `token` `(V, D)`, `position` `(places, D)` with at least `T` places, and `segment`
# `(2, D)`. Return the sum, `(B, T, D)`.


# %% exercise="5.1"
def embed(ids: Tensor, sep: int, token: Tensor, position: Tensor, segment: Tensor) -> Tensor:
    """A vector for each token: what it is, where it stands, which segment it belongs to."""
    ### BEGIN SOLUTION
    ends = ids == sep  # (B, T)
    before = ends.cumsum(1) - ends.long()  # how many [SEP] stand before each place
    segments = ((before == 1) & (ids != 0)).long()
    places = torch.arange(ids.shape[1])  # (T,): the same in every row
    return token[ids] + position[places] + segment[segments]
    ### END SOLUTION


# %%
check("5.1", embed)

# %% [markdown]
# A learned table has an end (section 11 does without). BERT's has 512 rows; longer texts are cut
# (lesson 3). Ours had 128:

# %%
try:
    encoder(torch.zeros(1, 200, dtype=torch.long))
except ValueError as error:
    print("ValueError:", error)

# %% [markdown]
# ## 2. The residual connection: add, do not replace
#
# BERT-base has 24 layers in a row, attention and a feed-forward network (section 4) in turn. If each
# reads what the one before wrote, how large are the numbers after each layer, and the gradients that
# arrive there?
#
# Beside it, one change: each layer's output is *added* to its input, `x + layer(x)`. That is a
# **residual connection** (He et al. 2016).
#
# The outcome depends on how the weights start, so there are two starts. PyTorch's own draws a matrix
# that shrinks random numbers to .58 of their size, and biases. The other keeps their size: standard
# deviation `fan_in ** -0.5`, for `fan_in` numbers that go in, and biases of 0.

# %%
from mlm_course.attention import MultiHeadAttention
from mlm_course.models.encoder import FeedForward


def through_24_layers(residual, keep_size=False, norm=None, seed=0) -> tuple[list, list, Tensor]:
    """Size of the numbers and of their gradients after each layer, and the last vectors (T, D)."""
    torch.manual_seed(seed)  # from one start: the same layers and input
    layers = [part for _ in range(12) for part in (MultiHeadAttention(64, 4), FeedForward(64, 256))]
    for p in nn.ModuleList(layers).parameters() if keep_size else []:
        nn.init.normal_(p, std=p.shape[1] ** -0.5) if p.ndim == 2 else nn.init.zeros_(p)
    seen = [torch.randn(1, 20, 64, requires_grad=True)]  # (B, T, D)
    for layer in layers:
        x = seen[-1]
        heard = layer(F.layer_norm(x, (64,)) if norm == "pre" else x)  # norms: sections 3 and 5
        x = x + heard if residual else heard
        seen.append(F.layer_norm(x, (64,)) if norm == "post" else x)
        seen[-1].retain_grad()
    (seen[-1] * torch.randn(seen[-1].shape)).sum().backward()  # gradients of size 1 at the end
    sizes = [x.std().item() for x in seen]
    gradients = [x.grad.std().item() for x in seen]
    return sizes, gradients, seen[-1][0].detach()


# %%
stacks = {
    "replaced, PyTorch's start": through_24_layers(False),
    "added, PyTorch's start": through_24_layers(True),
    "replaced, size kept": through_24_layers(False, keep_size=True),
    "added, size kept": through_24_layers(True, keep_size=True),
}

# %% tags=["nbval-ignore-output"]
fig, axes = plt.subplots(1, 2, figsize=(6.8, 3), sharex=True)
for name, (sizes, gradients, _) in stacks.items():
    axes[0].semilogy(sizes, label=name)
    axes[1].semilogy(gradients)
axes[0].set(xlabel="after layer", title="size of the numbers")
axes[1].set(xlabel="after layer", title="size of the gradients")
fig.legend(loc="outside upper left", ncols=2)
show_figure(fig, "; ".join(
    f"{name}: numbers at the end {sizes[-1]:.0e}, gradients at the start {gradients[0]:.0e}"
    for name, (sizes, gradients, _) in stacks.items()) + ".")  # fmt: skip

# %% tags=["author"]
assert all(
    0.02 < sizes[-1] < 0.1 and 1e-18 < gradients[0] < 1e-14
    for sizes, gradients, _ in (through_24_layers(False, seed=seed) for seed in range(5))
)
assert all(
    min(sizes + gradients) > 0.9 and max(sizes + gradients) < 2
    for sizes, gradients, _ in (through_24_layers(True, seed=seed) for seed in range(5))
)
assert all(
    sizes[-1] < 2e-4 and 1e-5 < gradients[0] < 5e-4
    for sizes, gradients, _ in (through_24_layers(False, True, seed=seed) for seed in range(5))
)
assert all(
    sizes[-1] > 200 and gradients[0] > 1e5
    for sizes, gradients, _ in (through_24_layers(True, True, seed=seed) for seed in range(5))
)

# %% [markdown]
# *In words: replaced, the numbers shrink and the gradients fade on the way back, by some sixteen
# powers of ten from PyTorch's start, by four from the other. Added, both stay between .9 and 2 from
# PyTorch's start; from the other numbers grow to hundreds, gradients to 1e5 and more.* (Four more
# seeds agree.) With residual connections gradients arrive from either start.
#
# How different are the 20 tokens at the end? The **cosine** of two vectors
# is 1 if they point the same way:


# %%
def mean_cosine(x: Tensor) -> Tensor:
    """Mean cosine of two tokens of x (T, D)."""
    directions = F.normalize(x, dim=-1)
    return (directions @ directions.T)[~torch.eye(len(x), dtype=torch.bool)].mean()


for name, (_, _, last) in stacks.items():
    print(f"{name:26}  mean cosine of two tokens {mean_cosine(last):.2f}")

# %% [markdown]
# Replaced 24 times, all tokens have become one and the same vector, from either start. What does it?
# Twelve layers of one kind, PyTorch's start, with biases and without, five seeds:


# %%
@torch.no_grad()
def alike_after_12(attention: bool, biases: bool, seed: int) -> float:
    """Mean cosine of two tokens after 12 layers of one kind, each replacing its input."""
    torch.manual_seed(seed)
    x = torch.randn(1, 20, 64)
    for _ in range(12):
        layer = MultiHeadAttention(64, 4) if attention else FeedForward(64, 256)
        for parameter in layer.parameters():
            if parameter.ndim == 1 and not biases:
                parameter.zero_()
        x = layer(x)
    return mean_cosine(x[0]).item()


alike = {}
for kind in ("attention", "feed-forward"):
    for biases in (True, False):
        alike[kind, biases] = [alike_after_12(kind == "attention", biases, s) for s in range(5)]
        numbers = " ".join(f"{cosine:.1f}" for cosine in alike[kind, biases])
        print(f"{kind:12}  {'with biases' if biases else 'biases at 0'}  {numbers}")

# %% tags=["author"]
assert min(alike["attention", True] + alike["attention", False]) > 0.99
assert min(alike["feed-forward", True]) > 0.99 and max(alike["feed-forward", False]) < 0.2
assert all(
    mean_cosine(through_24_layers(False, keep_size, seed=seed)[2]) > 0.99
    for keep_size in (False, True)
    for seed in range(5)
)
assert all(mean_cosine(through_24_layers(True, seed=seed)[2]) < 0.5 for seed in range(5))
assert all(mean_cosine(through_24_layers(True, True, seed=seed)[2]) > 0.9 for seed in range(5))

# %% [markdown]
# Two things do it, each by itself. Attention averages, and an average of averages is an average of
# everything (Dong et al. 2021 prove it for attention alone, without residual connections). And biases,
# the same for all tokens, are added in every layer. With the residual connection a token keeps its own
# vector and *adds what it has heard*. It stays recognisable unless that drowns it, as in the last of the
# four rows. So one speaks of a **residual stream**: each layer reads from it and adds to it.

# %% [markdown]
# ## 3. LayerNorm: the same size for every token
#
# A stream to which everyone adds can get out of bounds. **Layer normalisation** (Ba et al. 2016),
# LayerNorm for short, brings *each token's vector* back to mean 0 and spread 1. Two learned vectors,
# `weight` and `bias`, then scale and shift each of the `D` dimensions; they start as ones and zeros.
#
# $$
# \text{LayerNorm}(x) = \frac{x - \text{mean}}{\sqrt{\text{variance} + \epsilon}}
# \cdot \text{weight} + \text{bias}
# $$
#
# The stack that exploded, with one thing changed: a LayerNorm after each sum ("post"), or before
# each layer, on what it reads ("pre"):

# %% tags=["nbval-ignore-output"]
for norm in (None, "post", "pre"):
    sizes, gradients, last = through_24_layers(True, keep_size=True, norm=norm)
    print(
        f"{norm or 'none':4}  numbers at the end {sizes[-1]:6.1f}, gradients at the start", end=" "
    )
    print(f"{gradients[0]:.0e}, mean cosine of two tokens {mean_cosine(last):.2f}")

# %% tags=["author"]
assert all(
    max(sizes) < 1.1 and 0.1 < gradients[0] < 2 and mean_cosine(last) > 0.95
    for sizes, gradients, last in (through_24_layers(True, True, "post", seed) for seed in range(5))
)
assert all(
    max(sizes) < 6 and 1 < gradients[0] < 6 and mean_cosine(last) < 0.9
    for sizes, gradients, last in (through_24_layers(True, True, "pre", seed) for seed in range(5))
)

# %% [markdown]
# Either way numbers and gradients stay within bounds (four more seeds agree). But post, the tokens of
# this untrained stack still end nearly alike.
#
# Three tokens of eight dimensions, one loud, one far from 0:

# %%
from mlm_course.views import heat_map, show

x = torch.randn(3, 8, generator=g)  # (T, D)
x[1] = x[1] * 10
x[2] = x[2] + 5
columns = [str(d) for d in range(8)]
show(heat_map(["calm", "loud", "far"], columns, x.round(decimals=1), title="before"))

# %%
y = F.layer_norm(x, (8,))  # over the last axis, of size 8
show(heat_map(["calm", "loud", "far"], columns, y.round(decimals=1), title="after LayerNorm"))

# %% [markdown]
# Two details decide whether you get *the same numbers* as others:
#
# - *The variance* divides by `D`; `x.var()` and `x.std()` divide by `D - 1` unless `unbiased=False`.
# - *Epsilon* keeps a token of equal numbers from becoming 0 / 0. PyTorch's default is 1e-5, BERT's is
#   1e-12. It matters for small numbers:

# %%
quiet = torch.tensor([0.01, -0.01, 0.02, -0.02])
centred = quiet - quiet.mean()
versions = {
    "divided by D": centred / quiet.std(unbiased=False),
    "divided by D - 1": centred / quiet.std(),
    "F.layer_norm, eps = 1e-12": F.layer_norm(quiet, (4,), eps=1e-12),
    "F.layer_norm, eps = 1e-5": F.layer_norm(quiet, (4,), eps=1e-5),
}
for name, numbers in versions.items():
    print(f"{name:26}", *[f"{x:7.3f}" for x in numbers])

# %% [markdown]
# ### Exercise 5.2: which LayerNorm was it?
# `x` `(T, D)` went into somebody's LayerNorm with weight 1 and bias 0; `y` `(T, D)` came out, both in
# float64. Unknown is whether the variance was divided by `D` or by `D - 1`, whether epsilon was added
# to the variance, under the root, or to the root itself, and epsilon, a number between .01 and 1.
#
# Return `(divisor, under_root, eps)`: an int, a bool, a float. There are at least three tokens, each of
# another size.


# %% exercise="5.2"
def norm_settings(x: Tensor, y: Tensor) -> tuple[int, bool, float]:
    """With which divisor, place of epsilon and epsilon a LayerNorm turns x (T, D) into y (T, D)."""
    ### BEGIN SOLUTION
    D = x.shape[-1]
    centred = x - x.mean(-1, keepdim=True)
    divided_by = centred.norm(dim=-1) / y.norm(dim=-1)  # (T,)
    fits = []
    for divisor in (D, D - 1):
        variance = centred.square().sum(-1) / divisor
        for under_root in (True, False):
            eps = divided_by.square() - variance if under_root else divided_by - variance.sqrt()
            fits.append((eps.std().item(), divisor, under_root, eps.mean().item()))
    return min(fits)[1:]  # the setting with which all tokens tell the same epsilon
    ### END SOLUTION


# %%
check("5.2", norm_settings)

# %% [markdown]
# ## 4. The feed-forward network: thinking for oneself
#
# Attention carries information *between* tokens, but only averages. What was gathered is worked on by
# the **feed-forward network**: a matrix that makes the vector wider (four times, usually), an
# *activation function*, and a matrix that brings it back. An activation function changes each number
# by itself, and its graph is no straight line. The classic one is **ReLU**: negative numbers become 0.
#
# Without it, two matrices in a row are one matrix:

# %%
A, B = torch.randn(64, 16, generator=g), torch.randn(16, 64, generator=g)  # D = 16, inside 64
x = torch.randn(5, 16, generator=g)  # (T, D)
print("two matrices equal one:    ", torch.allclose((x @ A.T) @ B.T, x @ (B @ A).T, atol=1e-3))
with_relu = F.relu(x @ A.T) @ B.T
print("with ReLU between them:    ", torch.allclose(with_relu, x @ (B @ A).T, atol=1e-3))

# %% [markdown]
# ### Exercise 5.3: two numbers in order
# A token has two numbers, `x` `(2,)`. Set the matrices of a feed-forward network *by hand*, so that it
# sorts them: for every `x`, `B @ F.relu(A @ x)` is the larger number, then the smaller one. Return `A`
# `(4, 2)` and `B` `(2, 4)`: inside only four numbers wide, and without biases. `x` may be negative.


# %% exercise="5.3"
def sort_by_hand() -> tuple[Tensor, Tensor]:
    """A (4, 2) and B (2, 4) of a feed-forward network with ReLU that sorts two numbers."""
    ### BEGIN SOLUTION
    A = torch.tensor([[1.0, 1], [-1, -1], [1, -1], [-1, 1]])  # the sum, the difference, minus each
    B = torch.tensor([[1.0, -1, 1, 1], [1, -1, -1, -1]]) / 2  # half of: sum +- distance
    return A, B
    ### END SOLUTION


# %%
check("5.3", sort_by_hand)

# %% [markdown]
# And it never mixes tokens. Change one of five, and the other four do not notice:

# %%
feed_forward = FeedForward(d_model=16, d_ff=64)
changed = x.clone()
changed[2] = 0
with torch.no_grad():
    moved = (feed_forward(changed) - feed_forward(x)).abs().amax(-1) > 1e-6
print("outputs that changed:", moved.tolist())

# %% [markdown]
# BERT has a softer activation function, **GELU** (Hendrycks and Gimpel 2016): multiply `x` by the
# share of a standard normal distribution that lies below `x`.
#
# $$\text{GELU}(x) = x \cdot \tfrac{1}{2}\left(1 + \text{erf}\!\left(\tfrac{x}{\sqrt{2}}\right)\right)$$
#
# `erf`, the error function, computes such shares. Google's code for BERT approximates it with `tanh`
# (`modeling.py`), Hugging Face's takes the exact form. How far apart are they?

# %%
t = torch.linspace(-4, 4, 161)
fig, axes = plt.subplots(1, 2, figsize=(6.8, 3))
axes[0].plot(t, F.relu(t), "--", label="ReLU")
axes[0].plot(t, F.gelu(t), "-", label="GELU")
axes[0].set(xlabel="x", ylim=(-0.5, 4))
difference = F.gelu(t, approximate="tanh") - F.gelu(t)
axes[1].plot(t, difference, "-")
axes[1].set(xlabel="x", title="tanh approximation minus GELU")
fig.legend(loc="outside upper left", ncols=2)
lowest = f"{F.gelu(t).min():.2f}, at x = {t[F.gelu(t).argmin()]:.2f}"
off = f"{difference.abs().max():.4f}"
show_figure(fig, f"GELU's lowest value is {lowest}; the approximation is off by at most {off}.")

# %% [markdown]
# *In words: GELU follows ReLU far from 0, dips below 0 for small negative numbers, and has no
# corner. The approximation with tanh differs in the fourth decimal place.*

# %% [markdown]
# ## 5. The block, and where its norms go
#
# A **block** has two halves, attention and the feed-forward network, called its *sublayers*. Each has
# a residual connection and a LayerNorm, for whose place there are two customs:
#
# - **post-norm** (the original transformer, BERT): compute, add, *then normalise the sum*:
#   `norm(x + sublayer(x))`
# - **pre-norm** (GPT-2, for one): *normalise what goes in*, compute, add to `x` as it was
#
# ```
# post-norm                         pre-norm
#
# x ─┬─ sublayer ─┐                 x ─┬─ norm ─ sublayer ─┐
#    └────────────+─ norm ─            └───────────────────+──
# ```
#
# ### Exercise 5.4: BERT's block, from its numbers
# `x` is `(B, T, D)`; `attention` is called like a function and keeps that shape. All other numbers are
# in the dict `p`: `attention_norm`, `feed_forward_norm`, `feed_forward.expand` and
# `feed_forward.contract` have a weight and a bias each (`p["attention_norm.weight"]`). The last two's
# weights are `(out, in)`, as in `nn.Linear`.
#
# Return the block's output `(B, T, D)`, without dropout. Epsilon is BERT's,
# GELU the exact one.


# %% exercise="5.4"
def bert_block(x: Tensor, attention, p: dict[str, Tensor]) -> Tensor:
    """Attention, then the feed-forward network, each added to what came in and then normalised."""
    ### BEGIN SOLUTION
    D = x.shape[-1:]
    summed = x + attention(x)
    heard = F.layer_norm(summed, D, p["attention_norm.weight"], p["attention_norm.bias"], eps=1e-12)
    wide = F.linear(heard, p["feed_forward.expand.weight"], p["feed_forward.expand.bias"])
    active = F.gelu(wide)
    made = F.linear(active, p["feed_forward.contract.weight"], p["feed_forward.contract.bias"])
    total = heard + made
    return F.layer_norm(
        total, D, p["feed_forward_norm.weight"], p["feed_forward_norm.bias"], eps=1e-12
    )
    ### END SOLUTION


# %%
check("5.4", bert_block)

# %% [markdown]
# What does the place of the norms change? Take 24 untrained blocks of either kind and sentences with
# one word in seven hidden: how large is the stream after each block, how long its gradient?

# %%
sentences = tinyworld.sample_ids(16, torch.Generator().manual_seed(0))  # (B, T)
visible = sentences != tinyworld.PAD
masked = (torch.rand(sentences.shape, generator=g) < 1 / 7) & (sentences > tinyworld.MASK)
corrupted = sentences.masked_fill(masked, tinyworld.MASK)

# %%
from mlm_course.models import MaskedLM


def first_loss(model: MaskedLM) -> Tensor:
    """Mean cross-entropy at the hidden places."""
    return F.cross_entropy(model(corrupted, visible, masked), sentences[masked])


# %%
def untrained_stack(pre_norm: bool, n_layers: int, seed: int) -> tuple[list[float], list[float]]:
    """For each block of an untrained model: size of the stream, length of the gradient."""
    torch.manual_seed(seed)  # the same draws for either kind
    config = EncoderConfig(len(names), 64, d_model=64, n_layers=n_layers, pre_norm=pre_norm)
    model = MaskedLM(config)
    blocks, sizes = model.encoder.blocks, []
    matrices = [[p for p in block.parameters() if p.ndim == 2] for block in blocks]
    for matrix in [p for block in matrices for p in block]:
        nn.init.normal_(matrix, std=matrix.shape[1] ** -0.5)  # keeps the size of what enters
    for block in blocks:
        block.register_forward_hook(lambda _, inputs, output: sizes.append(output[0].std().item()))
    first_loss(model).backward()
    return sizes, [sum(p.grad.square().sum().item() for p in block) ** 0.5 for block in matrices]


untrained = {
    (kind, n): [untrained_stack(kind == "pre-norm", n, seed) for seed in range(5)]
    for kind in ("post-norm", "pre-norm")
    for n in (6, 24)
}

# %% tags=["nbval-ignore-output"]
fig, axes = plt.subplots(1, 2, figsize=(6.8, 3))
for kind in ("post-norm", "pre-norm"):
    for ax, numbers in zip(axes, untrained[kind, 24][0]):  # the first seed
        ax.plot(range(1, 25), numbers, label=kind)
axes[0].set(xlabel="block (of 24)", title="size of the stream", ylim=(0, None))
axes[1].set(xlabel="block (of 24)", title="length of the block's gradient", ylim=(0, None))
fig.legend(handles=axes[0].lines, loc="outside upper left", ncols=2)
show_figure(fig, "One seed: from block to block pre-norm's stream grows and its gradients shrink.")

# %% tags=["nbval-ignore-output"]
ratios = {}
for kind in ("post-norm", "pre-norm"):
    shallow, deep = ([gradients for _, gradients in untrained[kind, n]] for n in (6, 24))
    ratios[kind] = {
        "stream after the last of 24": [sizes[-1] for sizes, _ in untrained[kind, 24]],
        "gradient, first of 24 / last": [one[0] / one[-1] for one in deep],
        "gradient, last of 24 / last of 6": [a[-1] / b[-1] for a, b in zip(deep, shallow)],
    }
    for what, numbers in ratios[kind].items():
        print(f"{kind:9}  {what:32}  {min(numbers):.2f} to {max(numbers):.2f} (five seeds)")

# %% tags=["author"]
assert all(
    low < min(ratios[kind][what]) and max(ratios[kind][what]) < high
    for kind, what, low, high in [
        ("post-norm", "stream after the last of 24", 0.99, 1.01),
        ("post-norm", "gradient, last of 24 / last of 6", 0.9, 1.3),
        ("pre-norm", "stream after the last of 24", 5, 7),
        ("pre-norm", "gradient, first of 24 / last", 4, 8),
        ("pre-norm", "gradient, last of 24 / last of 6", 0.33, 0.55),
    ]
)
assert max(sizes[0] for sizes, _ in untrained["pre-norm", 24]) < 1

# %% [markdown]
# *In words: left, the post-norm stream has size 1 after every block; the pre-norm stream grows from
# below 1 to above 5. Right, post-norm's gradients go up and down, pre-norm's fall: over five seeds,
# the last is a quarter to an eighth of the first. In the last block, post-norm's gradient changes
# by less than a quarter with the number of blocks; with four times as many, pre-norm's about halves.*
#
# The last rows agree with theorem 1 of Xiong et al. (2020). Not all agrees: from layer to layer their
# pre-norm gradients stay about the same, their post-norm ones shrink towards the input (section 3.4).
#
# BERT is post-norm. The models that you train from lesson 6 on are pre-norm.

# %% [markdown]
# ## 6. Dropout: on while training, off otherwise
#
# In training only, **dropout** (Srivastava et al. 2014) sets some numbers to 0 at random, one in ten in
# BERT (Devlin et al. 2019, appendix A.2), and scales the others up so that the average stays.

# %%
ones = torch.ones(10_000)
dropped = F.dropout(ones, p=0.1)
zeros = (dropped == 0).float().mean()
print(f"zeros: {zeros:.2f}, the others: {dropped.max():.3f}, mean: {dropped.mean():.2f}")

# %% [markdown]
# `model.train()` turns it on, `model.eval()` off, for *use*; a new model is in training mode.

# %%
from mlm_course.models.encoder import EncoderBlock

block = EncoderBlock(EncoderConfig(len(names), d_model=64, dropout=0.1))
x = torch.randn(1, 5, 64)
with torch.no_grad():
    for training in (True, False):
        block.train(training)  # block.train(False) is the same as block.eval()
        (once, _), (again, _) = block(x), block(x)
        print(f"training mode {training!s:5}  same input, same output:", torch.equal(once, again))

# %% [markdown]
# ## 7. The stack, and where its numbers are
#
# An encoder is the embeddings and a stack of blocks, each with weights of its own. With pre-norm,
# one last LayerNorm follows; in BERT, which is post-norm, one stands right after the embeddings. A
# padding mask goes to every block, `(B, T)` as `(B, 1, 1, T)`: the same keys for all heads and queries
# (lesson 2):

# %%
with torch.no_grad():
    x = encoder.embeddings(sentences)  # (B, T, D)
    for block in encoder.blocks:
        x, _ = block(x, visible[:, None, None, :])
    x = encoder.final_norm(x)
    same = torch.allclose(x, encoder(sentences, visible), atol=1e-5)
print("the same as the package's encoder:", same)

# %% [markdown]
# A linear layer from `a` to `b` dimensions has a matrix of `a * b` and a **bias** of `b`.
#
# ### Exercise 5.5: counting
# How many parameters does BERT's encoder have, embeddings included, without a head? `V` tokens,
# `places` positions, two segments, `n_layers` blocks; vectors have `D` numbers, the feed-forward
# network is `4 * D` wide. Attention is lesson 1's (four linear layers from `D` to `D`, however many
# heads share them). Every linear layer has a bias, every norm a weight and a bias.


# %% exercise="5.5"
def encoder_parameters(V: int, places: int, D: int, n_layers: int) -> int:
    """How many parameters BERT's encoder has: tables, matrices, biases and norms."""
    ### BEGIN SOLUTION
    norm = 2 * D
    embeddings = (V + places + 2) * D + norm
    attention = 4 * (D * D + D)
    feed_forward = (D * 4 * D + 4 * D) + (4 * D * D + D)
    return embeddings + n_layers * (attention + feed_forward + 2 * norm)
    ### END SOLUTION


# %%
check("5.5", encoder_parameters)

# %% [markdown]
# BERT-base has "110M" parameters (Devlin et al. 2019, section 3). Where do they sit? On the device
# `meta`, a model has shapes but no numbers:

# %%
with torch.device("meta"):
    shape = {"d_model": 768, "n_layers": 12, "n_heads": 12}
    base = MaskedLM(EncoderConfig(30_522, 512, **shape, n_segments=2, pre_norm=False))


def count(*modules: nn.Module) -> int:
    """How many parameters some modules have."""
    return sum(p.numel() for module in modules for p in module.parameters())


print(f"BERT-base: {count(base):,} parameters, {count(base.encoder):,} of them in its encoder")

# %%
embeddings = base.encoder.embeddings
blocks = base.encoder.blocks
rows = {
    "token embeddings": count(embeddings.token),
    "positions, segments, norm": count(embeddings) - count(embeddings.token),
    "12 x attention": count(*[block.attention for block in blocks]),
    "12 x feed-forward": count(*[block.feed_forward for block in blocks]),
    "12 x two norms": count(*[m for b in blocks for m in (b.attention_norm, b.feed_forward_norm)]),
    "head (next section)": count(base.dense, base.norm) + base.decoder_bias.numel(),
}
for name, n in rows.items():
    print(f"{name:26} {n:12,}  {n / count(base):6.1%}")

# %% tags=["author"]
assert sum(rows.values()) == count(base)

# %% [markdown]
# > **Often read:** a transformer computes attention, layer after layer, and that is all.
#
# Look at the table again: which row is the largest?
#
# > **In fact** over half of BERT sits in its feed-forward networks, twice as much as in attention,
# > and a fifth in the table of tokens; and sections 2 and 3 show a stack without residual connections
# > and norms. (Vaswani et al. 2017, section 3)

# %% [markdown]
# ## 8. The head: from vectors back to words
#
# To name the hidden tokens we need a score for each token of the vocabulary, `V` logits. BERT's head is
# a linear layer, GELU, LayerNorm, and then the **decoder**, a matrix from `D` to `V` dimensions, plus a
# bias for each token. The decoder is *not* a matrix of its own:
#
# `logits = vectors @ token_table.T + bias`
#
# Each logit is the dot product of the vector with one token's embedding. Such a decoder is called
# **tied** (Press and Wolf 2017). It saves a second table, a fifth of BERT. And it lets the table
# learn from both sides. In an untied model only tokens that were *read*, in a sentence with a gap,
# get a gradient:

# %%
tied = MaskedLM(EncoderConfig(len(names), d_model=64, n_layers=2))
untied = nn.Linear(64, len(names))  # a decoder with a matrix of its own

first_loss(tied).backward()
reached = (tied.encoder.embeddings.token.weight.grad.abs().sum(1) > 0).sum().item()
print(f"tied:   {reached} of {len(names)} rows of the token table get a gradient")

tied.zero_grad()
x = tied.encoder(corrupted, visible)[masked]  # (n, D)
F.cross_entropy(untied(x), sentences[masked]).backward()
reached = (tied.encoder.embeddings.token.weight.grad.abs().sum(1) > 0).sum().item()
print(f"untied: {reached}")

# %% [markdown]
# The size at which a tied table starts shows in the first loss: its rows set the size of the logits. A
# model to which all `V` tokens are equally likely has a loss of `log V`. Draw the table with standard
# deviation .02, which is BERT's choice, with .1, or with 1, as `nn.Embedding` does by itself:

# %% tags=["nbval-ignore-output"]
import math

print(f"log V = {math.log(len(names)):.2f}")
losses = {}
for std in [0.02, 0.1, 1.0]:
    torch.manual_seed(0)  # all other weights alike
    model = MaskedLM(EncoderConfig(len(names), d_model=256, n_layers=2))
    with torch.no_grad():
        model.encoder.embeddings.token.weight.normal_(std=std)
        losses[std] = first_loss(model).item()
    print(f"standard deviation {std:4}: first loss {losses[std]:6.2f}")

# %% tags=["author"]
assert abs(losses[0.02] - math.log(len(names))) < 0.5
assert losses[1.0] > 4 * math.log(len(names))

# %% [markdown]
# With 1 this model begins very sure of wrong answers. Look at a new model's first loss: far above
# `log V`, something is too large; far below, perhaps the answer leaks in. (Training can recover: lesson
# 6, section 11.)
#
# Training asks about the hidden tokens only: pick their places *before* the head, and no `V` logits
# are computed for the others.

# %%
with torch.no_grad():
    everywhere = tied(corrupted, visible)  # (B, T, V)
    few = tied(corrupted, visible, masked)  # (n, V)
print("all logits:", tuple(everywhere.shape), "  at hidden places:", tuple(few.shape))
print("the same numbers:", torch.allclose(everywhere[masked], few, atol=1e-4))

# %% [markdown]
# ## 9. What PyTorch has ready
#
# PyTorch ships a class called `nn.Transformer`. Is `nn.Transformer(dim, layers, heads)` an encoder
# with so many layers and heads?

# %%
import inspect

print(", ".join(list(inspect.signature(nn.Transformer).parameters)[:5]))
try:
    nn.Transformer(512, 6, 8)  # meant: 6 layers, 8 heads
except AssertionError as error:
    print("AssertionError:", error)

# %% [markdown]
# The second argument is the number of *heads*, and 512 cannot be split over 6. Other numbers give no
# error, only another model:

# %%
wrong = nn.Transformer(64, 4, 2, batch_first=True)  # meant: 4 layers, 2 heads
print("encoder layers:", len(wrong.encoder.layers))
print("decoder layers:", len(wrong.decoder.layers))
print("heads:         ", wrong.encoder.layers[0].self_attn.num_heads)

# %% [markdown]
# The order is `d_model`, `nhead`, then the depth of the encoder, then that of a *decoder*, 6 unless
# you say otherwise: it is the translation model of Vaswani et al. 2017, section 3.1. The third argument
# sets the encoder's depth alone. For an encoder, take `nn.TransformerEncoder`. Nor does it take token
# ids:

# %% tags=["nbval-ignore-output"]
numbers = torch.zeros(1, 5, 64, dtype=torch.long)  # (B, T, D), but integers
attempts = {
    "ids": lambda: wrong(ids),
    "ids, twice": lambda: wrong(ids, ids),
    "integers of the right shape": lambda: wrong(numbers, numbers),
}
failed = 0
for what, attempt in attempts.items():
    try:
        attempt()
    except (TypeError, RuntimeError) as error:
        failed += 1
        print(f"{what}:\n   {type(error).__name__}: {error}")

# %% tags=["author"]
assert failed == 3

# %% [markdown]
# First, the decoder's input is missing. Second, there is no embedding inside: it wants vectors.
# Third, integers are not good enough even in the right shape. Once vectors do go in, to
# `nn.TransformerEncoder`, three things are still wrong without an error:

# %%
layer = nn.TransformerEncoderLayer(64, 4, 128, dropout=0.0)  # batch_first is False by default
theirs = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False).eval()
x = torch.randn(2, 7, 64, generator=g)  # (B, T, D), we think
with torch.no_grad():
    other = x.clone()
    other[1] = 0  # another second sentence
    alone = torch.allclose(theirs(x)[0], theirs(other)[0], atol=1e-4)
    x = x[:1].transpose(0, 1)  # (T, 1, D): what it takes by default
    a_bag = torch.allclose(theirs(x.flip(0)).flip(0), theirs(x), atol=1e-4)
    padded = torch.cat([x, torch.zeros(3, 1, 64)])
    undisturbed = torch.allclose(theirs(padded)[:7], theirs(x), atol=1e-4)
print("a sentence of the batch is read by itself:        ", alone)
print("it knows the order of the words:                  ", not a_bag)
print("padding after the sentence leaves it undisturbed: ", undisturbed)

# %% [markdown]
# It is blocks and nothing else, with ReLU and post-norm unless you ask for `activation="gelu"` and
# `norm_first=True`. Embeddings, positions, a last norm and the head are yours to add, as are hiding
# tokens and the padding mask (True means *padding* there); and without `batch_first=True` it reads
# `(T, B, D)`, so that the words of different sentences talk to each other.

# %% [markdown]
# ## 10. Your encoder is BERT
#
# ### Exercise 5.6: BERT, whole
# `ids`, `visible` (True = a token, False = padding) and `segments` are `(B, T)`. `model` holds the
# parts; here neither it nor its blocks can be called whole. Return the logits of *all* tokens,
# `(B, T, V)`.
#
# - `e = model.encoder.embeddings` has `e.token`, `e.position`, `e.segment` (call them with ids,
#   places, segments) and `e.norm`, which follows the sum.
# - `model.encoder.blocks` is a list; a block `b` has `b.attention`, `b.attention_norm`,
#   `b.feed_forward`, `b.feed_forward_norm`. Post-norm. `b.attention(x, mask)` takes a mask that
#   broadcasts to `(B, H, T, T)`.
# - The head (section 8): `model.dense`, `model.norm`, `e.token.weight` (the table) and
#   `model.decoder_bias`.


# %% exercise="5.6"
def bert(ids: Tensor, visible: Tensor, segments: Tensor, model: MaskedLM) -> Tensor:
    """BERT's logits for every token, from its parts."""
    ### BEGIN SOLUTION
    e = model.encoder.embeddings
    places = torch.arange(ids.shape[1])
    embedded = e.norm(e.token(ids) + e.position(places) + e.segment(segments))
    mask, x = visible[:, None, None, :], embedded  # (B, 1, 1, T), (B, T, D)
    for b in model.encoder.blocks:
        x = b.attention_norm(x + b.attention(x, mask))
        x = b.feed_forward_norm(x + b.feed_forward(x))
    vectors = model.norm(F.gelu(model.dense(x)))
    return vectors @ e.token.weight.T + model.decoder_bias
    ### END SOLUTION


# %%
verdict = check("5.6", bert)
verdict

# %% [markdown]
# Is that really BERT? Hugging Face's `transformers` builds one with random numbers, and calls the
# parts so (`#` is the number of a block; names in braces are stacked in ours):

# %%
from mlm_course.models.bert import NAMES, from_bert

for our_name, their_name in NAMES.items():
    print(f"{our_name.removeprefix('encoder.'):32} {their_name}")

# %% tags=["nbval-ignore-output"]
try:
    from transformers import BertConfig, BertForMaskedLM
except ImportError:
    BertForMaskedLM = None
    print("transformers is not installed, so this cell and the next have nothing to compare with.")
else:
    shape = {"hidden_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4}
    shape |= {"intermediate_size": 256, "max_position_embeddings": 64}
    theirs = BertForMaskedLM(BertConfig(vocab_size=len(names), **shape)).eval()
    with torch.no_grad():
        for parameter in theirs.parameters():  # biases, too: a forgotten one would show
            parameter.add_(0.05 * torch.randn(parameter.shape))
    ours = from_bert(theirs.state_dict(), n_heads=4)
    print(f"{count(ours):,} numbers copied; Hugging Face counts {count(theirs):,}")

# %% tags=["nbval-ignore-output"]
differences = {}
if BertForMaskedLM is not None:
    segments = (torch.arange(sentences.shape[1]) > 8).long().expand_as(sentences)
    print(f"{(~visible).float().mean():.0%} of the places are padding")
    with torch.no_grad():
        expected = theirs(corrupted, visible.long(), segments).logits  # theirs: 1 = token
        models = {"the package's encoder": ours(corrupted, visible, segments=segments)}
        if verdict.status == "passed":
            models["yours"] = bert(corrupted, visible, segments, ours)
        else:
            print("Solve exercise 5.6 and run this again: your own encoder is compared here.")
    for whose, logits in models.items():
        differences[whose] = (logits - expected)[visible].abs().max().item()
        print(f"{whose:22} largest difference {differences[whose]:.0e}")

# %% tags=["author"]
assert max(differences.values(), default=0) < 1e-5

# %% [markdown]
# The differences are those of 32-bit arithmetic: the same sums, in another order. Your encoder *is*
# BERT, and lacks what BERT has learned. If the first try disagrees, hand the same numbers to the same
# parts of both models.
#
# ### Exercise 5.7: a BERT that disagrees
# `model` is right (parts as in exercise 5.6; all can be called, its blocks return pairs). `suspect`
# has the same weights, but one to four faults. All is float64: right parts agree to 1e-12.
#
# - `suspect.embed(ids, segments)` is `(B, T, D)`, `suspect.head(x)` turns that into `(B, T, V)`.
# - `suspect.blocks`: a block `s` has parts named as in the model, and `s(x, mask)`, `(B, T, D)`, puts
#   its own parts together.
#
# Return the sorted names of the faults. One in a block may be in one block only.
#
# - `"positions"` count from 1; `"segments"` are not added; `"bias"`: the head has none for the tokens
# - `"heads"`: an attention with one head; `"gelu"`: tanh in a feed-forward network; `"eps"`: 1e-5
#   in a block's two norms, not 1e-12
# - `"mask"`: `s` does not pass it on to its attention; `"pre-norm"`: `s` is not post-norm
#
# `ids`, `visible` and `segments` (with padding) are for trying.


# %% exercise="5.7"
def faults(suspect, model: MaskedLM, ids: Tensor, visible: Tensor, segments: Tensor) -> list[str]:
    """Sorted names of what is wrong with a suspect BERT."""
    ### BEGIN SOLUTION
    near = {"rtol": 0, "atol": 1e-9}
    e, x = model.encoder.embeddings, suspect.embed(ids, segments)
    alone = torch.allclose(x, suspect.embed(ids, 1 - segments), **near)  # without segments
    second = 0 if alone else e.segment(segments)
    right = e.norm(e.token(ids) + e.position(torch.arange(ids.shape[1])) + second)
    signs = [("segments", alone), ("positions", not torch.allclose(x, right, **near))]
    mask = visible[:, None, None, :]
    everyone = torch.ones_like(mask)
    for s, b in zip(suspect.blocks, model.encoder.blocks):
        h = s.attention_norm(x + s.attention(x, everyone))  # the suspect's own parts
        whole = s.feed_forward_norm(h + s.feed_forward(h))
        signs += [
            ("heads", not torch.allclose(s.attention(x, mask), b.attention(x, mask), **near)),
            ("gelu", not torch.allclose(s.feed_forward(x), b.feed_forward(x), **near)),
            ("eps", not torch.allclose(s.attention_norm(x), b.attention_norm(x), **near)),
            ("mask", torch.allclose(s(x, mask), s(x, everyone), **near)),
            ("pre-norm", not torch.allclose(s(x, everyone), whole, **near)),
        ]
    signs.append(("bias", not torch.allclose(suspect.head(x), model.logits(x), **near)))
    return sorted({name for name, sign in signs if sign})
    ### END SOLUTION


# %%
check("5.7", faults)

# %% [markdown]
# ## 11. Places without a table
#
# Two ways to say where a token stands need no table. **Sinusoidal position embeddings** (Vaswani et
# al. 2017, section 3.5) are added as ours were, but computed: two numbers are the sine and the cosine
# of an angle that grows from place to place, each pair with a speed of its own.

# %%
from mlm_course.positions import sinusoidal_positions

waves = sinusoidal_positions(64, 64)  # (T, D)
products = waves @ waves.T
fig, axes = plt.subplots(1, 2, figsize=(6.8, 3))
axes[0].imshow(waves.T, aspect="auto", cmap="RdBu")
axes[0].set(xlabel="place", ylabel="dimension")
for place, style in [(10, "-"), (30, "--"), (50, ":")]:
    axes[1].plot(products[place], style, label=f"with place {place}")
axes[1].set(xlabel="place", title="dot product")
fig.legend(loc="outside upper right", ncols=3)
away = f"{products[30, 20]:.1f} and {products[30, 40]:.1f}"
show_figure(fig, f"Place 30 with itself: {products[30, 30]:.0f}; ten places away {away}.")

# %% tags=["author"]
assert all(products.diagonal(n).std() < 1e-4 for n in range(60))

# %% [markdown]
# *In words: left, waves, fast ones above, slow ones below; right, the same hill around each place.*
# The product of two places depends on their distance alone. But attention compares queries with keys,
# made of word and place together.
#
# **Rotary position embeddings** (Su et al. 2021) make it hold there: each layer *turns* its queries
# and keys, at place `m` by `m` steps. Two numbers are turned by a matrix:


# %%
def R(angle: float) -> Tensor:
    """The matrix that turns two numbers by an angle in radians."""
    cos, sin = math.cos(angle), math.sin(angle)
    return torch.tensor([[cos, -sin], [sin, cos]])


q, k, speed = torch.tensor([1.0, 0.3]), torch.tensor([0.5, 0.9]), 0.5
fig, ax = plt.subplots(figsize=(3.4, 3))
for place in range(6):
    x, y = (R(speed * place) @ q).tolist()
    ax.annotate("", (x, y), (0, 0), arrowprops={"arrowstyle": "->"})
    ax.text(1.15 * x, 1.15 * y, str(place), ha="center", va="center")
ax.set(xlim=(-1.4, 1.4), ylim=(-0.4, 1.4), aspect="equal", title="q at places 0 to 5")
show_figure(fig, f"The same vector six times, each time turned by {speed} radians more.")

# %%
for m, n in [(0, 3), (5, 8), (1000, 1003), (0, 4), (3, 0)]:
    score = (R(speed * m) @ q) @ (R(speed * n) @ k)
    print(f"q at {m:4}, k at {n:4}: {score:6.3f}")

# %% [markdown]
# The first three agree, since turning back by `m` and on by `n` is turning by `n - m`:
#
# $$(R_m q) \cdot (R_n k) = q^T R_m^T R_n k = q^T R_{n-m}\, k$$
#
# A vector of `D` numbers is `D / 2` such pairs, and dot products are sums of theirs: at whatever
# speeds, the rule holds. Pair `i`, from 0, turns by `base ** (-2 * i / D)` a place (section 3.2.2).
# Neighbours make a pair there; in ModernBERT number `i` and number `i + D / 2` do.
#
# ### Exercise 5.8: rotary attention
# `q`, `k` and `v` are `(H, T, D)`; `places` `(T,)` says where the tokens stand. Turn by the speeds
# given above, in ModernBERT's pairs. Return attention's output `(H, T, D)`; there is no mask.


# %% exercise="5.8"
def rotary_attention(q: Tensor, k: Tensor, v: Tensor, places: Tensor, base: float) -> Tensor:
    """Attention whose scores depend on what stands there and on how far away it stands."""
    ### BEGIN SOLUTION
    D = q.shape[-1]
    speeds = base ** (-2 * torch.arange(D // 2) / D)  # (D / 2,)
    angles = places[:, None] * speeds  # (T, D / 2)
    cos, sin = angles.cos(), angles.sin()

    def turned(x: Tensor) -> Tensor:
        a, b = x.chunk(2, dim=-1)
        return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)

    weights = (turned(q) @ turned(k).transpose(-2, -1) / D**0.5).softmax(-1)
    return weights @ v
    ### END SOLUTION


# %%
check("5.8", rotary_attention)

# %% [markdown]
# And rows longer than those of training? In a recorded experiment encoders of two layers, alike but
# for their positions, learn tinyworld's sentences two in a row; then 2, 4 and 8 stand in a row, with
# the same gaps, so the exact floor stays. Positions have to tell order and nearness, no more. Nats
# above the floor:

# %%
from mlm_course.results import recorded

kinds = recorded("positions")["rows"]
print(f"{'means of five seeds':21}", *[f"{kind:>12}" for kind in kinds])
for name in kinds["2 in a row"]["values"]:
    means = [torch.tensor(kind["values"][name]).mean() for kind in kinds.values()]
    print(f"{name:21}", *[f"{mean:12.2f}" for mean in means])

# %% [markdown]
# As trained, rotary is ahead of learned positions by .18 to .27 {r:positions.rows.2 in a row}. With
# eight in a row each of the three loses over 3 nats {r:positions.longer}. Rotary trained on eight
# ends ahead there by 3.2 to 4.1 {r:positions.rows.8 in a row}: such rows can be learned. Where
# sentences see only themselves, late places, never trained, cost learned positions 3.6 to 3.9 nats,
# sinusoidal 3.4 to 4.0, rotary nothing {r:positions.apart}. So what costs rotary is the other
# sentences, far or many. On Wikipedia, causal models trained on rows of 1,024 have a perplexity of 19
# there, and at 3,024 of 96 (sinusoidal) and 36 (rotary; Press et al. 2022, table 3).

# %% [markdown]
# ## 12. Weights that other people trained
#
# *all-MiniLM-L6-v2* is a BERT with six blocks and `D` = 384, published under the Apache licence 2.0.
# It was trained to tell which texts belong together, by the mean of their vectors (see its [model
# card](https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2)). The next cell looks for its
# 90 MB here, then on the hub; without them it says what to do.

# %% tags=["nbval-ignore-output"]
from mlm_course.hub import HubUnreachable
from mlm_course.models.minilm import load_minilm, minilm_files

try:
    minilm, tokenizer = load_minilm()
    print(f"six blocks, {count(minilm):,} parameters")
except (HubUnreachable, ValueError) as reason:  # ValueError: a damaged file
    minilm = None
    print(reason)

# %% [markdown]
# Six sentences, three pairs that mean nearly the same. The tokenizer is BERT's (lesson 3).

# %% tags=["nbval-ignore-output"]
texts = [
    "How do I sort a list?",
    "Put the elements in order.",
    "The soup needs more salt.",
    "Season the broth.",
    "Our train was late.",
    "The railway is never on time.",
]
if minilm is not None:
    tokenizer.enable_padding()  # shorter rows are filled up with [PAD]
    encodings = tokenizer.encode_batch(texts)
    text_ids = torch.tensor([encoding.ids for encoding in encodings])  # (B, T)
    is_token = torch.tensor([encoding.attention_mask for encoding in encodings]).bool()
    print(encodings[3].tokens)

# %% [markdown]
# Now your `bert` from exercise 5.6 reads them, or the package's encoder while that is not solved. MiniLM
# has no MLM head, so your function gets a stand-in, and a *hook* on each block keeps its vectors.


# %%
@torch.no_grad()
def after_each_block(encoder: Encoder, run) -> list[Tensor]:
    """What an encoder's blocks return while `run` runs: a tensor (B, T, D) for each."""
    x = []
    norms = [block.feed_forward_norm for block in encoder.blocks]
    hooks = [n.register_forward_hook(lambda _, inputs, output: x.append(output)) for n in norms]
    run()
    for hook in hooks:
        hook.remove()
    return x


# %% tags=["nbval-ignore-output"]
from types import SimpleNamespace

if minilm is not None:
    same, segments = nn.Identity(), torch.zeros_like(text_ids)
    headless = SimpleNamespace(encoder=minilm, dense=same, norm=same, decoder_bias=0)
    if verdict.status == "passed":
        print("your function runs it:")
        after = after_each_block(minilm, lambda: bert(text_ids, is_token, segments, headless))
    else:
        print("exercise 5.6 is not solved yet, so the package's encoder runs it:")
        after = after_each_block(minilm, lambda: minilm(text_ids, is_token))
    print(len(after), "blocks, each", tuple(after[0].shape))

# %% [markdown]
# The same file in Hugging Face's library, compared block by block:

# %% tags=["nbval-ignore-output"]
apart = []
if minilm is not None and BertForMaskedLM is not None:
    from safetensors.torch import load_file
    from transformers import BertModel

    shape = {"hidden_size": 384, "num_hidden_layers": 6, "intermediate_size": 1536}
    theirs = BertModel(BertConfig(vocab_size=30_522, num_attention_heads=12, **shape)).eval()
    weights = load_file(minilm_files()["model.safetensors"])
    del weights["embeddings.position_ids"]  # the numbers 0, 1, 2, ...
    theirs.load_state_dict(weights)
    with torch.no_grad():
        expected = theirs(text_ids, is_token.long(), output_hidden_states=True).hidden_states[1:]
    for number, (ours, other) in enumerate(zip(after, expected, strict=True), 1):
        apart.append((ours - other)[is_token].abs().max().item())
        print(f"after block {number}: largest difference {apart[-1]:.0e}")

# %% tags=["author"]
assert max(apart, default=0) < 1e-5

# %% [markdown]
# What did these weights learn? Take the mean of each sentence's vectors, without padding, and the
# cosines:

# %% tags=["nbval-ignore-output"]
from IPython.display import display

partners = {}
if minilm is not None:
    weight = is_token[..., None]  # (B, T, 1)
    for name, x in {"table": minilm.embeddings.token(text_ids), "blocks": after[-1]}.items():
        means = F.normalize((x * weight).sum(1) / weight.sum(1), dim=-1)  # (B, D)
        cosines = (means @ means.T).detach()  # (B, B)
        closest = (cosines - 2 * torch.eye(6)).argmax(1)  # apart from itself
        partners[name] = (closest == torch.tensor([1, 0, 3, 2, 5, 4])).sum().item()
    numbers = [str(i + 1) for i in range(len(texts))]
    labels = [f"{i} {text}" for i, text in zip(numbers, texts)]
    title = "cosine of two sentences"
    display(show(heat_map(labels, numbers, cosines.round(decimals=2), title=title)))
    print(f"partners found: {partners['blocks']} of 6, by the bare token table {partners['table']}")

# %% tags=["author"]
assert partners in ({}, {"table": 5, "blocks": 6})

# %% [markdown]
# *In words: the sentence closest to each of the six is its partner, though the two hardly share a
# word.* The token table alone knows most of this: the mean of its rows finds five of the six.
#
# ### Filling gaps
# The published BERT has an MLM head (440 MB, from the hub, kept); a CPU is enough:

# %% tags=["nbval-ignore-output"]
from mlm_course.models.bert import bert_from_hub

try:
    published, tokenizer = bert_from_hub("bert-base-uncased")
except (HubUnreachable, ValueError) as reason:
    print("This cell fills a gap once it has BERT's weights.", reason)
else:
    encoded = tokenizer.encode("The for [MASK] is used to iterate over the elements of a sequence.")
    row = torch.tensor([encoded.ids])  # BERT's own ids: [MASK] is 103 here
    gap = row == tokenizer.token_to_id("[MASK]")
    with torch.no_grad():
        probabilities, best = published(row, masked=gap)[0].softmax(-1).topk(5)
    for p, i in zip(probabilities.tolist(), best.tolist()):
        print(f"{tokenizer.id_to_token(i):12} {p:.3f}")

# %% [markdown]
# ## Quiz

# %%
quiz("5")

# %% [markdown]
# ## Recap
#
# - The input is a sum: token, position, segment. Without positions an encoder reads a bag of words.
# - With **residual connections** gradients arrive at the first layer, and a token keeps its own vector
#   beneath what is added. **LayerNorm** brings every token's vector to one size.
# - Attention moves information between tokens; the **feed-forward network** works on each by itself.
# - **Post-norm** normalises the sums (BERT), **pre-norm** what enters a sublayer.
# - The head is tied to the token table.
# - A model that disagrees is taken apart: the same numbers into the same parts.
# - Rotary positions turn queries and keys: scores depend on distances; longer rows bring new ones.
#
# **Next:** lesson 6 trains it, with an exact floor to train against.

# %%
progress("5")

# %% [markdown]
# ## References
#
# - J. Devlin et al. 2019. *BERT*. NAACL. [arXiv:1810.04805](https://arxiv.org/abs/1810.04805)
# - A. Vaswani et al. 2017. *Attention Is All You Need*. NeurIPS.
#   [arXiv:1706.03762](https://arxiv.org/abs/1706.03762)
# - K. He et al. 2016. *Deep Residual Learning for Image Recognition*. CVPR.
#   [arXiv:1512.03385](https://arxiv.org/abs/1512.03385)
# - Y. Dong et al. 2021. *Attention Is Not All You Need*. ICML.
#   [arXiv:2103.03404](https://arxiv.org/abs/2103.03404)
# - J. Ba et al. 2016. *Layer Normalization*.
#   [arXiv:1607.06450](https://arxiv.org/abs/1607.06450)
# - R. Xiong et al. 2020. *On Layer Normalization in the Transformer Architecture*. ICML.
#   [arXiv:2002.04745](https://arxiv.org/abs/2002.04745)
# - D. Hendrycks, K. Gimpel 2016. *Gaussian Error Linear Units (GELUs)*.
#   [arXiv:1606.08415](https://arxiv.org/abs/1606.08415)
# - N. Srivastava et al. 2014. *Dropout*.
#   JMLR 15.
# - O. Press, L. Wolf 2017. *Using the Output Embedding to Improve Language Models*. EACL.
#   [arXiv:1608.05859](https://arxiv.org/abs/1608.05859)
# - J. Su et al. 2021. *RoFormer*. [arXiv:2104.09864](https://arxiv.org/abs/2104.09864)
# - O. Press et al. 2022. *Train Short, Test Long*. ICLR.
#   [arXiv:2108.12409](https://arxiv.org/abs/2108.12409)
