# %% [markdown]
# # Lesson 14: A modern encoder
#
# Your encoder of lesson 5 is BERT's, of 2018. This last lesson turns it into a ModernBERT (Warner et
# al. 2024), change by change: each is a few lines, and each is asked what it is worth.
#
# By the end you will have built that encoder in one piece, agreeing with the library's number by
# number, and trained one on a text of your own. You need lessons 2, 5 and 6.

# %%
import math

import matplotlib.pyplot as plt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mlm_course.practice import check, hint, progress, quiz, solution
from mlm_course.results import recorded
from mlm_course.results.comparison import differences, mean_interval
from mlm_course.views.figures import show_figure


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# %% [markdown]
# ## 1. What has changed
#
# | | BERT, 2018 | ModernBERT, 2024 | section |
# |---|---|---|---|
# | norms | after each sum | before each sublayer, after the embeddings, at the end | 2 |
# | biases | everywhere | none but the decoder's | 2 |
# | feed-forward network | GELU | GELU and a gate | 3 |
# | positions | a learned table | rotary, with two bases | 4 |
# | attention | all to all | in two layers of three a window | 5 |
# | padding | computed | left out | 6 |
# | hidden | 15 % | 30 % | 7 |
# | learning rate | falls from the warm-up on | stays, and falls at the end | 7 |
#
# (Warner et al. 2024, sections 2.1.1, 2.1.2 and 2.2.2.) In the package each is a setting. With all of
# them off, is it the model that you know?

# %%
from mlm_course.corpora import tinyworld
from mlm_course.models import EncoderConfig, MaskedLM, seeded_init
from mlm_course.models.modern import ModernConfig, ModernMaskedLM

V = len(tinyworld.vocabulary())
small = {"d_model": 48, "n_layers": 6, "n_heads": 4, "max_length": 64}
AS_IN_2018 = {"pre_norm": False, "bias": True, "gated": False, "rotary": False,
              "window": 0, "unpad": False}  # fmt: skip
bert = seeded_init(MaskedLM, EncoderConfig(V, pre_norm=False, **small)).eval()
plain = seeded_init(ModernMaskedLM, ModernConfig(V, **AS_IN_2018, **small)).eval()
plain.load_state_dict({
    name.replace("embeddings.norm", "embedding_norm").replace("embeddings.", ""): weight
    for name, weight in bert.state_dict().items()
})  # fmt: skip
ids = tinyworld.sample_ids(4, seeded(0))  # (B, T)
visible = ids != tinyworld.PAD
with torch.no_grad():
    apart = (plain(ids, visible) - bert(ids, visible))[visible].abs().max().item()
print("lesson 5's encoder, all changes off: the same logits:", apart < 1e-5)

# %% tags=["author"]
assert apart < 1e-5

# %% [markdown]
# ## 2. Norms before, and no biases
#
# **Pre-norm** you know (lesson 5, section 5): each sublayer reads a normalised copy, and the stream
# itself is never normalised. ModernBERT normalises the embeddings, too, as BERT did. Then the first
# block's norm would do the same again, so it is left out (section 2.1.1 of the paper):

# %%
x = torch.randn(2, 5, 48, generator=seeded(1)) * 3
once = F.layer_norm(x, (48,))
twice = F.layer_norm(once, (48,))
print("a norm of a norm is the same:", torch.allclose(twice, once, atol=1e-4))

# %% [markdown]
# Biases go, in linear layers and norms; only the decoder keeps its own. The paper's reason: "to
# spend more of our parameter budget in linear layers". How much is there to spend? ModernBERT-base on the
# device `meta`, without memory (lesson 5, section 7):

# %%
BASE = {"d_model": 768, "n_layers": 22, "n_heads": 12, "d_ff": 1152, "max_length": 8192}


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


with torch.device("meta"):
    base = ModernMaskedLM(ModernConfig(50_368, **BASE))
    biased = ModernMaskedLM(ModernConfig(50_368, **BASE, bias=True))
print(f"ModernBERT-base: {count(base):,} parameters")
print(f"biases would add {count(biased) - count(base):,}: {count(biased) / count(base) - 1:.2%}")

# %% tags=["author"]
assert 149e6 < count(base) < 150e6 and count(biased) / count(base) < 1.002

# %% [markdown]
# One parameter in a thousand: no size is saved to speak of.

# %% [markdown]
# ## 3. A gate in the feed-forward network
#
# In BERT each inner number goes through GELU by itself. In a **gated** network there are two matrices
# side by side. One makes the *content*, which goes through GELU, the other the *gate*, which multiplies
# it. With GELU it is called **GeGLU** (Shazeer 2020, section 2):

# %%
D, inner = 48, 128
expand = nn.Linear(D, 2 * inner, bias=False)  # both matrices, stacked
contract = nn.Linear(inner, D, bias=False)
content, gate = expand(x).chunk(2, dim=-1)
passed = F.gelu(content) * gate
y = contract(passed)
print("content, gate:", tuple(content.shape), tuple(gate.shape), "  out:", tuple(y.shape))
old_inner = 4 * D
print(f"weights: {3 * D * inner:,}; two matrices of width {old_inner}: {2 * D * old_inner:,}")

# %% [markdown]
# Three matrices in place of two: so the width inside is two thirds of what it was, and the weights are as
# many. What does one inner number do with its two inputs?

# %%
from mlm_course.views import heat_map, show

steps = [-3, -2, -1, 0, 1, 2, 3]
table = F.gelu(torch.tensor(steps).float())[:, None] * torch.tensor(steps)  # (content, gate)
rows = [f"content {step:+}" for step in steps]
columns = [f"gate {step:+}" for step in steps]
show(heat_map(rows, columns, table.round(decimals=1), title="GELU(content) times gate"))

# %% [markdown]
# *In words: where the content is negative next to nothing passes; where it is positive, content times
# gate does, with the gate's sign.* The gate is no switch between 0 and 1, but any number. So a product
# of two numbers comes out, nearly. Exactly?
#
# ### Exercise 14.1: a product, by a gate
# A token has two numbers, `x` `(2,)`. Set the matrices of a gated network by hand so that it multiplies
# them, for *every* `x`: `expand` `(4, 2)`, of which the first two rows make the contents and the last two
# their gates, and `contract` `(1, 2)`. The result, `contract` applied to the two gated numbers, is
# `x[0] * x[1]`. GELU is the exact one, with erf.


# %% exercise="14.1"
def product_by_hand() -> tuple[Tensor, Tensor]:
    """expand (4, 2) and contract (1, 2) of a gated network that multiplies two numbers."""
    ### BEGIN SOLUTION
    expand = torch.tensor([[1.0, 0], [-1, 0], [0, 1], [0, 1]])  # contents a and -a, both gates b
    contract = torch.tensor([[1.0, -1]])  # GELU(a) - GELU(-a) is a
    return expand, contract
    ### END SOLUTION


# %%
check("14.1", product_by_hand)

# %% [markdown]
# Shazeer (2020, abstract) found "quality improvements" for *some* gated variants, and offers no explanation
# (section 4). SwiGLU, with another curve in GELU's place, came out close to GeGLU in ModernBERT's trials
# (appendix D.1).

# %% [markdown]
# ## 4. Rotary positions with two bases
#
# Lesson 5 turned queries and keys: pairs of their numbers rotate, each pair at a speed of its own, by an
# angle that grows with the place (Su et al. 2021). So a score depends on the distance of two tokens, not on
# their places.
#
# The speeds run from 1 radian a token down to about `1 / base`. ModernBERT was trained on 1.7 trillion
# tokens in rows of 1,024 with base 10,000; then the *global* layers got base 160,000 and rows of
# 8,192, for another 300 billion (Warner et al. 2024, section 2.2.2). The layers with a window kept
# 10,000. What does a larger base do?

# %%
from mlm_course.positions import rotate, rotations, wave_speeds

HEAD = 64  # numbers of a head, in 32 pairs
distances = torch.arange(8193)
cuts = torch.logspace(0, 13, 40, base=2).long().unique()  # 1 ... 8,192
one = torch.ones(1, HEAD)
fig, ax = plt.subplots(figsize=(6.8, 3))
scores = {}
for base_, style in ((10_000.0, "-"), (160_000.0, "--")):
    turned = rotate(one.expand(8193, HEAD), rotations(distances, HEAD, base_))
    scores[base_] = turned @ turned[0] / HEAD  # 1 at distance 0
    means = [scores[base_][a:b].mean() for a, b in zip(cuts, cuts[1:])]  # from cut to cut
    ax.semilogx(cuts[:-1], means, style, label=f"base {base_:,.0f}")
ax.xaxis.set_major_formatter("{x:,.0f}")
ax.set(xlabel="distance in tokens", ylabel="share of the score left")
fig.legend(loc="outside upper center", ncols=2)
left = ", ".join(f"base {base_:,.0f} {s[4096:].mean():.2f}" for base_, s in scores.items())
show_figure(fig, f"Two equal vectors: the score falls with distance. Left beyond 4,096: {left}.")

# %%
for base_ in scores:
    turns = wave_speeds(HEAD, base_) * 8192 / (2 * math.pi)  # full turns within 8,192 tokens
    print(f"base {base_:>7,.0f}: {int((turns < 1).sum())} of 32 waves do not come round", end=" ")
    print("within 8,192 tokens")

# %% tags=["author"]
assert scores[160_000.0][4096:].mean() > scores[10_000.0][4096:].mean() + 0.1

# %% [markdown]
# *In words: both curves fall, that of the larger base less.* A query and a key that match still match
# from afar, and more waves are slow enough to tell any two distances in the text apart. Near tokens are
# told apart as before: the fastest wave is the same. (Whether it pays is another matter: in small trials
# of bases the paper saw "no discernible difference", appendix D.1.)

# %% [markdown]
# ## 5. Near and far
#
# In every third layer, from the first, each token attends to all (**global attention**). In the other
# two it attends to a window of 128 tokens, 64 to each side (**local attention**). The mask, as in
# exercise 2.5, here with a reach of 2:

# %%
from mlm_course.attention import join_heads, local_attention, split_heads, window_mask
from mlm_course.views import mask_matrix

places = [str(i) for i in range(9)]
near = window_mask(9, reach=2)
show(mask_matrix(places, places, near, {"too far": near}, title="a window of 5: two to each side"))

# %% [markdown]
# Is a token deaf to what is farther away? Not if there are several layers.
#
# ### Exercise 14.2: after how many blocks?
# `reaches` is a list, one entry a block, in order: how many places a local block looks to each side, or
# `None` for a global block. Predict after how many blocks a token's vector can depend on a token
# `distance` places away, in a long text. Before any block it depends on its own token: for distance 0
# return 0. If never, return -1.


# %% exercise="14.2"
def first_heard(reaches: list[int | None], distance: int) -> int:
    """The number of blocks after which a token is heard that stands `distance` places away."""
    ### BEGIN SOLUTION
    covered = 0
    if distance == 0:
        return 0
    for number, reach in enumerate(reaches, 1):
        covered = math.inf if reach is None else covered + reach
        if covered >= distance:
            return number
    return -1
    ### END SOLUTION


# %%
check("14.2", first_heard)

# %% [markdown]
# Real blocks, untrained: three local ones with a reach of 2, then a global one. Change the token at place 3
# and look whose vectors change (`#`):

# %%
from functools import partial

from mlm_course.models.modern import Layout, ModernBlock

config = ModernConfig(V, window=4, **small)
alone = Layout(torch.arange(24))  # of a row: one text, without padding
x = torch.randn(1, 24, 48, generator=seeded(2))
other = x.clone()
other[0, 3] += 1
for number, layer in enumerate((1, 2, 1, 0), 1):  # block 0 is global, 1 and 2 are local
    block = seeded_init(partial(ModernBlock, layer=layer), config, seed=number)
    turn = rotations(alone.positions, 12, config.base(layer))
    with torch.no_grad():
        x, other = block(x, alone, turn), block(other, alone, turn)
    changed = (x - other).abs().amax(-1)[0] > 1e-7
    kind = "local " if config.is_local(layer) else "global"
    print(f"after block {number} ({kind}): {''.join('.#'[int(c)] for c in changed)}")

# %% tags=["author"]
assert changed.all()

# %% [markdown]
# ModernBERT begins with a global layer. After it every vector holds something of the whole text, and local
# layers pass that on.
#
# What does it save? A mask alone saves nothing: closed pairs are computed and thrown away. But which ones
# *have* to be computed?
#
# ### Exercise 14.3: scores to compute
# One row holds texts of the given `lengths`. A token attends to those of its own text that are at most
# `reach` places away, itself included. Return the number of pairs (query, key), of the whole row. Texts
# may be shorter than the reach. (Ordinary numbers: building the mask takes too long for real lengths.)


# %% exercise="14.3"
def pairs_to_score(lengths: list[int], reach: int) -> int:
    """How many pairs of tokens are near each other and in one text."""
    ### BEGIN SOLUTION
    total = 0
    for n in lengths:
        beyond = max(0, n - 1 - reach)  # distances that are too far: reach + 1 to n - 1
        total += n * n - beyond * (beyond + 1)
    return total
    ### END SOLUTION


# %%
check("14.3", pairs_to_score)

# %% [markdown]
# Scores of all 22 layers for one text, counted: all global, and eight global with fourteen local:

# %%
from mlm_course.attention import scaled_dot_product_attention

lengths = [128, 512, 2048, 8192]
in_window = {n: sum(min(n, i + 65) - max(0, i - 64) for i in range(n)) for n in lengths}
everywhere = [22 * n * n for n in lengths]
mixed = [8 * n * n + 14 * in_window[n] for n in lengths]
fig, ax = plt.subplots(figsize=(5.5, 3))
ax.loglog(lengths, everywhere, "o-", label="22 global layers")
ax.loglog(lengths, mixed, "s--", label="8 global, 14 local")
ax.set(xlabel="tokens of the text", ylabel="scores")
ax.set_xticks(lengths, [f"{n:,}" for n in lengths])
ax.minorticks_off()
fig.legend(loc="outside upper center", ncols=2)
ratio = everywhere[-1] / mixed[-1]
show_figure(fig, f"At 8,192 tokens the mixture has {ratio:.1f} times fewer scores.")
print("times fewer:", *[f"{n:,}: {a / b:.2f}" for n, a, b in zip(lengths, everywhere, mixed)])

# %% tags=["author"]
assert 2.5 < ratio < 22 / 8

# %% [markdown]
# More than 22 / 8 it can never be: the global layers stay.
#
# To compute few pairs in vain, cut the row into blocks of `reach` tokens. A query's window lies within its own
# block and the two beside it. So each block of queries meets three blocks of keys, a third of them for
# nothing, and no table of `T x T` is ever made (as in Longformer, Beltagy et al. 2020). The same
# result:

# %%
q, k, v = torch.randn(3, 1, 4, 300, 16, generator=seeded(3))  # (B, H, T, D) each
by_blocks = local_attention(q, k, v, reach=8)
by_mask, _ = scaled_dot_product_attention(q, k, v, window_mask(300, 8))
print("the same as under the mask:", torch.allclose(by_blocks, by_mask, atol=1e-5))

# %% tags=["author"]
assert (by_blocks - by_mask).abs().max() < 1e-5

# %%
from statistics import median

from mlm_course.cost import take_turns

q, k, v = torch.randn(3, 1, 12, 2048, 64, generator=seeded(4))
seconds = take_turns(
    {
        "global": lambda: F.scaled_dot_product_attention(q, k, v),
        "local": lambda: local_attention(q, k, v, reach=64),
    },
    rounds=2 if FAST else 5,
)

# %% tags=["nbval-ignore-output"]
ratios = [a / b for a, b in zip(seconds["global"], seconds["local"])]
print(f"2,048 tokens: local attention is {median(ratios):.1f} times as fast", end=" ")
print(f"({min(ratios):.1f} to {max(ratios):.1f}, this one run)")

# %% [markdown]
# A whole training step, recorded: as many tokens a step at every length, so that longer rows are fewer.
# "All global" is the modern encoder without windows. The three ways took turns, the lengths did not: compare
# within a length.

# %%
by_length = recorded("modern_lengths")
row_lengths = [key for key in by_length if key.endswith("tokens a row")]
fig, axes = plt.subplots(1, 2, figsize=(6.8, 3.2))
for name, style in (("plain", "o--"), ("modern, all global", "s-."), ("modern", "D-")):
    for ax, what in zip(axes, ("seconds", "megabytes")):
        ax.plot([by_length[key][what][name] for key in row_lengths], style, label=name)
        ax.set_xticks(range(len(row_lengths)), [f"{int(key.split()[0]):,}" for key in row_lengths])
        ax.set(title=f"{what} a step", xlabel="tokens a row")
for ax in axes:
    ax.set_ylim(bottom=0)
fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
ends = ", ".join(f"{n} {s:.2f} s" for n, s in by_length[row_lengths[-1]]["seconds"].items())
show_figure(fig, f"Time and memory of a step by length. At {row_lengths[-1]}: {ends}.")
print("less time, by this share:")
for key in row_lengths:
    print(key)
    for pair, difference in differences(by_length[key]).items():
        print(f"   {pair}: {difference}")

# %% [markdown]
# With windows a step of rows of 2,048 tokens takes .37 to .45 less of the time than without, of 1,024 .23 to .29
# less, of 512 .06 to .17 {r:modern_lengths.2048 tokens a row}; at 128 and 256 no difference larger than .06 is
# seen {r:modern_lengths.256 tokens a row}. Without windows the modern encoder is slower than plain at 128 and 256
# tokens, by .07 to .14 of plain's time, and keeps a third more memory {r:modern_lengths.128 tokens a row}. Windows
# save none here, from 256 tokens on they keep a tenth more {r:modern_lengths.512 tokens a row}: PyTorch's own
# attention keeps no `T x T` table for the way back, with windows or without, and the blocks keep keys and
# values three times.
#
# In ModernBERT's trials this mixture did as well downstream as global attention everywhere, even at 100
# billion tokens (appendix D.1). The other half: searching long documents with one vector each, without
# training on such, it is "noticeably worse" than another long model, and its authors name local attention
# among the possible reasons; trained on such, both are about alike (Warner et al. 2024, section 3.2). With a
# vector for each token it is ahead by 9 points or more, and there, too, local attention is named among the
# possible reasons (Warner et al. 2024, section 3.2).

# %% [markdown]
# ## 6. No padding at all
#
# Rows of a batch have one length, texts have not. Paragraphs of Python's manual, each its own row:

# %% tags=["nbval-ignore-output"]
from mlm_course import tokenization
from mlm_course.corpora import python_docs
from mlm_course.models import load_pretrained

_, docs_tokenizer = load_pretrained("python_docs")
paragraphs = python_docs.paragraphs(python_docs.manual())[:600]
text_ids = tokenization.encode(docs_tokenizer, paragraphs, special_tokens=False)
texts = [torch.tensor(row[:128]) for row in text_ids][::25]
batch_ids = nn.utils.rnn.pad_sequence(texts, batch_first=True)  # (B, T)
is_token = batch_ids != tokenization.PAD_ID
print(f"{tuple(batch_ids.shape)}: {1 - is_token.float().mean():.0%} of the places are padding")

# %% tags=["author"]
assert 0.3 < 1 - is_token.float().mean() < 0.8

# %% [markdown]
# Every matrix product works on these places, too. **Unpadding** leaves them out: all tokens go into one row,
# one text after the other, before the embeddings, and come back at the very end. Everything but attention works
# on each token alone and does not notice; attention gets the texts one by one.
#
# ### Exercise 14.4: one row, and back
# `ids` and `visible` (True = token) are `(B, T)`; padding may stand *before* a text or after it. Call
# `run(row, positions, texts)` once: `row` `(N,)` are the ids of all `N` tokens, one text after the other,
# `positions` `(N,)` the place of each in its text, from 0, padding not counted, `texts` `(N,)` the number of
# its text, from 0. It returns vectors `(N, D)`. Return them where their tokens stood, `(B, T, D)`, 0 at
# padding.


# %% exercise="14.4"
def through_one_row(run, ids: Tensor, visible: Tensor) -> Tensor:
    """Vectors (B, T, D) of all tokens, computed without padding; 0 where padding was."""
    ### BEGIN SOLUTION
    numbers = torch.arange(len(ids))[:, None].expand(ids.shape)  # (B, T)
    row = ids[visible]  # (N,)
    positions = (visible.cumsum(1) - 1)[visible]
    texts = numbers[visible]
    x = run(row, positions, texts)  # (N, D)
    result = x.new_zeros(*ids.shape, x.shape[-1])
    result[visible] = x
    return result
    ### END SOLUTION


# %%
check("14.4", through_one_row)

# %% [markdown]
# The package's encoder, both ways, with the same weights:

# %% tags=["nbval-ignore-output"]
docs_V = docs_tokenizer.get_vocab_size()
sizes = {"d_model": 96, "n_layers": 4, "n_heads": 4, "max_length": 128, "window": 32}
without = seeded_init(ModernMaskedLM, ModernConfig(docs_V, **sizes)).eval()
with_padding = ModernMaskedLM(ModernConfig(docs_V, **sizes, unpad=False)).eval()
with_padding.load_state_dict(without.state_dict())
with torch.no_grad():
    both = [m.encoder(batch_ids, is_token)[is_token] for m in (without, with_padding)]
print(f"largest difference: {(both[0] - both[1]).abs().max():.0e}")

# %% tags=["author"]
assert (both[0] - both[1]).abs().max() < 1e-4

# %% tags=["nbval-ignore-output"]
asked = (torch.rand(batch_ids.shape, generator=seeded(5)) < 0.3) & is_token


def step_of(model: nn.Module) -> None:
    """Forward and backward pass for the hidden tokens."""
    logits = model(batch_ids.masked_fill(asked, tokenization.MASK_ID), is_token, asked)
    F.cross_entropy(logits, batch_ids[asked]).backward()
    model.zero_grad()


ways = {"with padding": lambda: step_of(with_padding), "without": lambda: step_of(without)}
seconds = take_turns(ways, rounds=2 if FAST else 4)
ratios = [a / b for a, b in zip(seconds["with padding"], seconds["without"])]
print(f"without padding {median(ratios):.2f} times as fast (this one run);", end=" ")
print(f"places for each token: {1 / is_token.float().mean():.2f}")

# %% [markdown]
# And if the masks between texts are forgotten, so that neighbours in the row are heard? NeoBERT's authors
# concatenated texts that way: 2.8 % off the mean score on GLUE, one training each (Le Breton et al. 2025,
# section 4).

# %% [markdown]
# ## 7. The recipe
#
# **30 % hidden.** You have measured that (lesson 6, section 9). ModernBERT's authors cite Wettig et al.
# (2023) and report no trial of their own. NeoBERT's changed two things at once, from 15 to 20 %, and from BERT's
# 80/10/10 to `[MASK]` alone: the mean on GLUE *fell* by .7 %, one training each (section 4 and table 2). They
# kept it all the same.
#
# **Warm-up, stable, decay** (**WSD**, or *trapezoidal*): the learning rate stays where it is, and falls only
# at the very end, in our `trapezoid` over the last fifth (Hägele et al. 2024, section 3). Ours falls in a
# straight line, ModernBERT's by 1 minus a root, which its authors found better (Warner et al. 2024, section
# 2.2.2).

# %%
from mlm_course.training.optim import linear, trapezoid

fig, axes = plt.subplots(1, 2, figsize=(6.8, 2.6), sharey=True)
for ax, (name, schedule) in zip(axes, {"linear": linear, "trapezoid": trapezoid}.items()):
    for total, style in ((60, "-"), (100, "--")):
        factors = [schedule(step, total, 5) for step in range(total)]
        ax.plot(factors, style, label=f"{total} steps")
    ax.set(xlabel="step", title=name)
axes[0].set(ylabel="factor")
fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
show_figure(fig, "Two linear runs part at the warm-up's end, two trapezoids where one decays.")

# %% [markdown]
# A linear run has to know its end from the start. Two trapezoids are one and the same run until the
# shorter one begins to decay. So save checkpoints on the plateau: more data, and you go on from there;
# a finished model is wanted, and you branch off.
#
# ### Exercise 14.5: where to branch off
# A run without end warms up for `warmup` steps as in exercise 6.5, then keeps its rate. A checkpoint was
# saved before step 0, before step `every`, before `2 * every`, and so on, for as long as you like. You want
# the model that a run of exactly `steps` steps would give, with `warmup` and then, over its last `decay`
# steps, a fall in equal stairs (1 at `steps - decay`, 0 would come at `steps`). Return the step before which
# the *last* usable checkpoint was saved, and the list of the factors for all steps that are left.


# %% exercise="14.5"
def branch_off(steps: int, warmup: int, decay: int, every: int) -> tuple[int, list[float]]:
    """The checkpoint to begin from, and the learning rate's factors from there."""
    ### BEGIN SOLUTION
    start = (steps - decay + 1) // every * every  # step steps - decay still has factor 1
    factors = []
    for step in range(start, steps):
        factor = min((step + 1) / (warmup + 1), 1.0, (steps - step) / decay)
        factors.append(factor)
    return start, factors
    ### END SOLUTION


# %%
check("14.5", branch_off)

# %% [markdown]
# Try it: 30 steps from the start, and 10 that branch off a longer run at step 20. The same bits?

# %%
import copy

from mlm_course.corruption import DynamicMasking, standard_masker
from mlm_course.training import masked_lm_loss

sentences = tinyworld.sample_ids(20_000, seeded(10))
training_rows = DynamicMasking(standard_masker(V, 0.3), sentences, seed=0)


def train_on(run: tuple, steps: range, total: int) -> tuple:
    """A copy of (model, optimiser), trained for these steps of a trapezoid of `total` steps."""
    model, optimizer = copy.deepcopy(run)  # in one copy, so that they stay together
    for step in steps:
        for group in optimizer.param_groups:
            group["lr"] = 1e-3 * trapezoid(step, total, 5)
        summed, n = masked_lm_loss(model, training_rows(torch.arange(16) + 16 * step, 0))
        optimizer.zero_grad()
        (summed / n).backward()
        optimizer.step()
    return model, optimizer


# %%
tiny = seeded_init(ModernMaskedLM, ModernConfig(V, window=8, d_model=32, n_layers=2))
begun = tiny, torch.optim.AdamW(tiny.parameters())
straight, _ = train_on(begun, range(30), total=30)
plateau = train_on(begun, range(20), total=200)  # the first 20 steps of a long run
branch, _ = train_on(plateau, range(20, 30), total=30)
same = all(torch.equal(a, b) for a, b in zip(straight.parameters(), branch.parameters()))
print("the same bits:", same)

# %% tags=["author"]
assert same

# %% [markdown]
# In ModernBERT's trials the end result was "near indistinguishable" from another schedule's (appendix D.2).
# There is a risk, they say: nothing lowers a rate that is too high. ModernBERT-large stood still for a few
# hundred billion tokens, was rolled back and went on at a tenth of the rate (appendix C.2).

# %% [markdown]
# ## 8. Does each change pay?
#
# You have seen what each change does and what it costs. Is the model better for it? A small encoder of 2018 on
# tinyworld, three layers, and the same with *one* change; then with all. Seven, for unpadding changes no
# number. (Local are two of the three layers; they see four tokens to each side.) Equal steps of AdamW, each way
# with the best of three learning rates, five seeds. Guess first: which of the seven will be ahead?

# %%
changes = recorded("modern_changes")
part = changes["tinyworld"]
against_plain = {pair.split(" against ")[0]: d for pair, d in differences(part).items()}
print(f"nats above the floor after {changes['steps']} steps, and against plain")
for name, values in part["values"].items():
    print(f"{name:>24}: {mean_interval(values).mean:.3f}  {against_plain.get(name, '')}")

# %%
fig, ax = plt.subplots(figsize=(6.5, 3.2))
for row, d in enumerate(against_plain.values()):
    ends = [[d.mean - d.low], [d.high - d.mean]]
    ax.errorbar(d.mean, row, xerr=ends, fmt="o", color="C0", capsize=3)
ax.axvline(0, color="0.3", lw=0.8)
ax.set_yticks(range(len(against_plain)), list(against_plain))
ax.invert_yaxis()
ax.set(xlabel="nats ahead of plain")
ahead = [name for name, d in against_plain.items() if d.low > 0]
behind = [name for name, d in against_plain.items() if d.high < 0]
words = f"ahead: {' and '.join(ahead) or 'none'}; behind: {' and '.join(behind) or 'none'}"
show_figure(fig, f"Differences from plain and 95 % intervals. Wholly {words}.")

# %% [markdown]
# Two are ahead, and both belong to the recipe: 30 % hidden by .05 to .16 nats, warm-up, stable, decay by .08 to
# .14 {r:modern_changes.tinyworld}. Rotary positions, here with base 160,000 in all layers, are *behind* a learned
# table by .07 to .26 {r:modern_changes.tinyworld}. Of the others no difference is seen: none larger than .06 for
# pre-norm, .11 without biases, .13 for the gate, .22 for local layers {r:modern_changes.tinyworld}. And all seven
# together end behind plain, by .04 to .23 {r:modern_changes.tinyworld}. Two that are ahead alone do not bring
# seven ahead; what each does in company, the record does not say.
#
# (600 steps, sentences of some twenty words. Three ways, no biases, local layers and 30 %, chose the largest
# rate tried. Why rotary positions are behind, the record does not say. Two guesses: sentences so short and so
# regular, in which a word's *place* tells much; or the base, with which five of a head's eight waves turn by
# less than .3 radians in a whole sentence. With base 10,000, two sentences a row and another recipe they were
# ahead in lesson 5 {r:positions.rows.2 in a row}.) Long rows, for which windows and rotations were made, are not
# in it.
#
# And on real English, docstrings of modules that they have not read: plain, all, and two changes alone, each with
# its own tuned rate, equal steps of Muon, five seeds.

# %%
docs = recorded("modern_docs")
print(f"{docs['steps']} steps of {docs['batch_size']} rows of {docs['length']};", end=" ")
print("nats a hidden piece:")
for name, values in docs["docs"]["values"].items():
    print(f"{name:>8}: {mean_interval(values)}")
for pair, difference in differences(docs["docs"]).items():
    print(f"{pair}: {difference}")

# %% [markdown]
# The other way round, and by far: all together are ahead of plain by 1.66 to 1.81 nats {r:modern_docs.docs}. Two
# changes were tried here by themselves. Pre-norm is ahead of plain by .15 to .31, rotary positions by 1.40 to
# 1.47 {r:modern_docs.docs}: the very change that was behind on tinyworld, with the same base. All together are
# ahead of rotary positions alone by .24 to .36 {r:modern_docs.docs}.
#
# So here it is above all the learned table of positions that holds plain back; why, the record does not say.
# Text, size, optimiser and number of steps differ from the contest before. What holds in one need not hold in
# another. (The plan was changed three times on the way, see the record; plain had four rates to choose from and
# took none at an end.)
#
# What the papers say of single changes is little. Appendix D of ModernBERT's has trials of the window, the
# bases, the schedule, SwiGLU for GeGLU; none of biases, of pre-norm, of a gate against none, of rotary
# positions against a table, of 30 %. NeoBERT's ten trainings, one seed, change one to three things a step:
# rotary positions, SwiGLU and another norm together took GLUE from 79.2 to 81.1, *other data* alone from 81.1
# to 84.0 (section 4, table 2 and figure 1).
#
# > **Often read:** ModernBERT is the better encoder, because of its architecture.
#
# > **In fact** it read 2 trillion tokens, code among them (Warner et al. 2024, section 2.2.1), so architecture
# > and data come together. Trained in French on the same data as a DeBERTaV3, it was behind in "sample
# > efficiency and overall benchmark performance" and ahead in speed; over BERT and RoBERTa the authors see
# > "meaningful architectural improvements" (Antoun et al. 2025, abstract). On GLUE its base size is ahead of
# > DeBERTaV3's, its large size behind; where all rows have 512 tokens its base is slower than BERT's, where
# > lengths vary it is faster (Warner et al. 2024, sections 3.2 and 4.2).
# > In NeoBERT's contest of embeddings, all tuned alike for 2,000 steps, ModernBERT's base size got 45.0,
# > BERT's 48.1 (Le Breton et al. 2025, table 4).

# %% [markdown]
# **Two neighbours.** *NeoBERT* has SwiGLU, another norm (RMSNorm), 28 layers of the same width, 20 % hidden
# and a cosine schedule (Le Breton et al. 2025, table 1 and section 3). On rows of 4,096 tokens its authors
# measured it 46.7 % faster than ModernBERT-base, which has windows and fewer parameters (Le Breton et al.
# 2025, section 5.4; one A100). *Ettin* trains pairs, an encoder and a decoder, on the same data with the same
# recipe, from 17 million parameters to a billion. An encoder of 400 million is ahead of a decoder of a
# billion on MNLI, at writing it is the other way round, and turning one into the other by training it further
# is "subpar" (Weller et al. 2025, abstract).

# %% [markdown]
# ## 9. In one piece
#
# ### Exercise 14.6: the modern encoder, in one piece
# `ids` and `visible` (True = token) are `(B, T)`; padding follows the texts. `encoder` holds the
# parts; neither it nor its blocks, nor their attention and feed-forward networks can be called whole. Return
# the vectors after the last norm, `(B, T, D)`, 0 at padding. Unpadded or with masks, as you like.
#
# - `c = encoder.config` has `d_model`, `n_heads`, `window` (both sides together), `global_every`,
#   `global_base`, `local_base`. Blocks 0, `global_every`, 2 * `global_every` ... are global.
# - `encoder.token`, `encoder.embedding_norm`, `encoder.blocks`, `encoder.final_norm`.
# - A block `b` has `b.attention_norm` (in block 0 it does nothing), `b.attention.qkv` (queries, keys,
#   values in one), `b.attention.output`, `b.feed_forward_norm`, `b.feed_forward.expand` (content, gate),
#   `b.feed_forward.contract`.
# - `split_heads(x, n_heads)`, `join_heads(x)`, `rotations(positions, numbers_of_a_head, base)`,
#   `rotate(x, turn)`, `window_mask(T, reach)` and all of PyTorch are yours.


# %% exercise="14.6"
def modern_encoder(ids: Tensor, visible: Tensor, encoder) -> Tensor:
    """A modern encoder's vectors (B, T, D), from its parts; 0 at padding."""
    ### BEGIN SOLUTION
    c, e, T = encoder.config, encoder, ids.shape[1]
    near = window_mask(T, c.window // 2)
    embedded = e.embedding_norm(e.token(ids))
    x = embedded
    for layer, b in enumerate(e.blocks):
        local = layer % c.global_every != 0
        base = c.local_base if local else c.global_base
        turn = rotations(torch.arange(T), c.d_model // c.n_heads, base)
        parts = b.attention.qkv(b.attention_norm(x)).chunk(3, -1)
        q, k, v = (split_heads(part, c.n_heads) for part in parts)  # (B, H, T, .)
        mask = visible[:, None, None] & near if local else visible[:, None, None]
        heard = F.scaled_dot_product_attention(rotate(q, turn), rotate(k, turn), v, attn_mask=mask)
        x = x + b.attention.output(join_heads(heard))
        content, gate = b.feed_forward.expand(b.feed_forward_norm(x)).chunk(2, -1)
        x = x + b.feed_forward.contract(F.gelu(content) * gate)
    final = e.final_norm(x)
    return final * visible[..., None]
    ### END SOLUTION


# %%
verdict = check("14.6", modern_encoder)
verdict

# %% [markdown]
# Is that ModernBERT? As in lesson 5: Hugging Face's `transformers` builds one with random weights, and we
# call its parts by our names (`#` is the number of a block):

# %%
from mlm_course.models.modernbert import NAMES, from_modernbert, modernbert_from_hub

for our_name, their_name in NAMES.items():
    print(f"{our_name.removeprefix('encoder.'):32} {their_name}")

# %% tags=["nbval-ignore-output"]
try:
    from transformers import ModernBertConfig, ModernBertForMaskedLM
except ImportError:
    ModernBertForMaskedLM = None
    print("transformers is not installed, so this cell and the next have nothing to compare with.")
else:
    special = dict.fromkeys(("bos_token_id", "eos_token_id", "cls_token_id", "sep_token_id"), 2)
    theirs = ModernBertForMaskedLM(
        ModernBertConfig(vocab_size=V, hidden_size=48, intermediate_size=64, num_hidden_layers=6,
                         num_attention_heads=4, local_attention=8, pad_token_id=0, **special)
    ).eval()  # fmt: skip
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=seeded(6)))
    ours = from_modernbert(theirs.state_dict(), n_heads=4, window=8)
    print(f"{count(ours):,} numbers copied; Hugging Face counts {count(theirs):,}")

# %% tags=["nbval-ignore-output"]
off = {}
if ModernBertForMaskedLM is not None:
    ids = tinyworld.sample_ids(16, seeded(7))
    visible = ids != tinyworld.PAD
    with torch.no_grad():
        expected = theirs(ids, visible.long()).logits[visible]
        vectors = {"the package's encoder": ours.encoder(ids, visible)}
        if verdict.status == "passed":
            vectors["yours"] = modern_encoder(ids, visible, ours.encoder)
        else:
            print("Solve exercise 14.6 and run this again: your own encoder is compared here.")
        for whose, x in vectors.items():
            off[whose] = (ours.logits(x)[visible] - expected).abs().max().item()
            print(f"{whose:22} largest difference {off[whose]:.0e}")

# %% tags=["author"]
assert max(off.values(), default=0) < 1e-5

# %% [markdown]
# Your encoder *is* ModernBERT. It only lacks what 2 trillion tokens have taught. The published weights (600
# MB) come from the hub and are kept for the next time; where it does not answer, a line says so.

# %% tags=["nbval-ignore-output"]
from mlm_course.hub import HubUnreachable

try:
    published, their_tokenizer = modernbert_from_hub("answerdotai/ModernBERT-base")
except (HubUnreachable, ValueError) as reason:
    print("This cell fills a gap once it has ModernBERT's weights.", reason)
else:
    encoded = their_tokenizer.encode("The for [MASK] is used to iterate over a sequence.")
    row = torch.tensor([encoded.ids])  # ModernBERT's own ids
    gap = row == their_tokenizer.token_to_id("[MASK]")
    with torch.no_grad():
        likely, best = published(row, masked=gap)[0].softmax(-1).topk(5)
    for p, i in zip(likely.tolist(), best.tolist()):
        print(f"{their_tokenizer.decode([i]):12} {p:.3f}")

# %% [markdown]
# ### Against lesson 6's model
# Both with 64 dimensions and four layers, the same sentences and masks, the same steps and recipe, Muon's.
# Both token tables begin with a standard deviation of .1, which did so much in lesson 6:

# %% tags=["nbval-ignore-output"]
from mlm_course.evaluation import score_masked
from mlm_course.training import Recipe, fit

validation_ids = tinyworld.sample_ids(1000, seeded(30))
validation = standard_masker(V, 0.15)(validation_ids, seeded(31))
floor = tinyworld.loss_floor(validation_ids, validation.masked)
shape = {"d_model": 64, "n_layers": 4, "max_length": 26}
contest = {
    "lesson 6's": seeded_init(MaskedLM, EncoderConfig(V, **shape, embedding_std=0.1)),
    "modern": seeded_init(ModernMaskedLM, ModernConfig(V, **shape, window=8)),
}
with torch.no_grad():
    contest["modern"].encoder.token.weight.mul_(5)  # .02 to .1
for name, model in contest.items():
    fit(model, training_rows, masked_lm_loss, Recipe(steps=15 if FAST else 150, batch_size=64))
    above = score_masked(model, validation).loss - floor
    print(f"{name:>10}: {count(model):,} parameters, {above:.2f} nats above the floor")

# %% [markdown]
# One run each, with a recipe that was tuned for the first of the two: nothing follows but that both learn.

# %% [markdown]
# ## 10. On your own text
#
# This is the last page, and it is yours. Put the name of a text file, or of a folder of them, in the place
# of `None` (a novel, your notes: 100 kB or more; nothing leaves this machine), and run all cells below
# again. Until then Python's manual stands in.

# %% tags=["nbval-ignore-output"]
from mlm_course.corpora.own_text import packed_rows, split_passages, texts_of, vocab_size_for

MY_TEXT = None  # such as "~/notes" or "novel.txt"
STEPS = 10 if FAST else 250  # half a minute on an idle core; for a longer run take thousands
passages = texts_of(MY_TEXT) if MY_TEXT else python_docs.paragraphs(python_docs.manual())
train_side, held_out = split_passages(passages)
tokenizer = tokenization.train_wordpiece(train_side, vocab_size_for(train_side))
own_V = tokenizer.get_vocab_size()
own_rows, own_test = (packed_rows(tokenizer, side, 64) for side in (train_side, held_out))
print(f"{len(train_side):,} passages, {own_V:,} pieces, {len(own_rows):,} rows of 64")

# %% tags=["nbval-ignore-output"]
from mlm_course.widgets import progress_display

writer = seeded_init(
    ModernMaskedLM, ModernConfig(own_V, max_length=128, d_model=128, n_layers=4, window=32)
)
recipe = Recipe(STEPS, batch_size=min(16, len(own_rows)), schedule="trapezoid")
history = fit(
    writer,
    DynamicMasking(standard_masker(own_V, 0.3), own_rows, seed=0),
    masked_lm_loss,
    recipe,
    display=progress_display(recipe.steps),
)
own_questions = standard_masker(own_V, 0.15)(own_test[:200], seeded(40))
own_scores = score_masked(writer, own_questions)
print(f"passages it has not read: loss {own_scores.loss:.2f}, {own_scores.accuracy:.0%} right")
print(f"knowing nothing: {math.log(own_V):.2f}")

# %% tags=["author"]
assert FAST or own_scores.loss < math.log(own_V) - 1

# %% [markdown]
# Fill gaps, `___` for each piece. A minute of training knows which words are frequent, hardly more:

# %% tags=["nbval-ignore-output"]
from mlm_course.diffusion import fill_gaps
from mlm_course.widgets import GapFiller

offered = ["The ___ of the ___ is a ___."]
GapFiller(partial(fill_gaps, writer, tokenizer), offered, title="Your model")

# %% [markdown]
# [Your own text](../course/your_own_text.md) goes on from here: longer runs that go on after a stop, search,
# other languages.

# %% [markdown]
# ## On a GPU
#
# The same on real stories, with rows of 1,024 tokens (needs a network; not measured). Without a GPU five small
# steps run on your text.

# %%
from mlm_course.training import find_device, run_folder

machine = find_device()
GPU = machine.is_gpu
large = {"d_model": 512, "n_layers": 12, "n_heads": 8} if GPU else {"d_model": 64, "n_layers": 3}
long_recipe = Recipe(
    steps=5000 if GPU else 5,
    batch_size=32 if GPU else 4,
    schedule="trapezoid",
    precision=machine.precision,
)

# %% tags=["nbval-ignore-output"]
print(machine)
if GPU:
    from mlm_course.corpora.hub_text import load_text

    stories = load_text("tinystories", n=200_000)
    tokenizer = tokenization.train_wordpiece(stories, 8000)
    own_rows = packed_rows(tokenizer, stories, 1024)
large_V = tokenizer.get_vocab_size()
history = fit(
    seeded_init(ModernMaskedLM, ModernConfig(large_V, **large)).to(machine.kind),
    DynamicMasking(standard_masker(large_V, 0.3), own_rows, seed=0),
    masked_lm_loss,
    long_recipe,
    folder=run_folder("lesson_14") if GPU else None,
    save_every=500,
    display=progress_display(long_recipe.steps),
)
print(f"{len(own_rows):,} rows; loss {history.losses[0]:.2f} -> {history.losses[-1]:.2f}")

# %% [markdown]
# ## Quiz

# %%
quiz("14")

# %% [markdown]
# ## Recap
#
# - **Pre-norm**, no biases, a **gate** in the feed-forward network, **rotary** positions with a larger base
#   for global layers: each a line or two.
# - **Local** layers cost what grows with the length alone, and news still travels: block by block, or at once
#   through a global layer.
# - **Unpadding** computes tokens only; attention stays within each text.
# - **WSD** lets a run go on: branch off before the decay.
# - All seven together: behind plain on tinyworld, ahead of it on docstrings; and so are rotary positions alone
#   {r:modern_docs.docs}. *Change one thing at a time*, and say where.
#
# ## Goodbye
#
# Fourteen lessons ago a dot product compared two words. Since then you have built attention and its masks,
# tokenizers, corruption, BERT, its training and what can be done with it, autoencoders, writers, small and fast
# models, and now the encoder that others use today. Where to go from here:
#
# - *Your own question.* Change one thing, tune both sides alike, take five seeds, print the interval.
#   [CONTRIBUTING.md](../CONTRIBUTING.md) says where an experiment goes.
# - *Read* appendix D of Warner et al. and section 4 of Le Breton et al. with what you know now.
# - *Look inside a training.* Ettin's authors published over 200 checkpoints and the order of the data.
# - *Other paths*: [outlooks](../course/outlooks.md).
#
# Thank you for coming all the way.

# %%
progress("14")

# %% [markdown]
# ## References
#
# - B. Warner et al. 2024. *Smarter, Better, Faster, Longer: A Modern Bidirectional Encoder ...*
#   [arXiv:2412.13663](https://arxiv.org/abs/2412.13663)
# - L. Le Breton et al. 2025. *NeoBERT: A Next-Generation BERT*.
#   [arXiv:2502.19587](https://arxiv.org/abs/2502.19587)
# - O. Weller et al. 2025. *Seq vs Seq: An Open Suite of Paired Encoders and Decoders*.
#   [arXiv:2507.11412](https://arxiv.org/abs/2507.11412)
# - W. Antoun, B. Sagot, D. Seddah 2025. *ModernBERT or DeBERTaV3?*
#   [arXiv:2504.08716](https://arxiv.org/abs/2504.08716)
# - N. Shazeer 2020. *GLU Variants Improve Transformer*.
#   [arXiv:2002.05202](https://arxiv.org/abs/2002.05202)
# - J. Su et al. 2021. *RoFormer*. [arXiv:2104.09864](https://arxiv.org/abs/2104.09864)
# - I. Beltagy, M. Peters, A. Cohan 2020. *Longformer*.
#   [arXiv:2004.05150](https://arxiv.org/abs/2004.05150)
# - A. Hägele et al. 2024. *Scaling Laws and Compute-Optimal Training Beyond Fixed Training Durations*.
#   [arXiv:2405.18392](https://arxiv.org/abs/2405.18392)
# - A. Wettig et al. 2023. *Should You Mask 15 % in Masked Language Modeling?* EACL.
#   [arXiv:2202.08005](https://arxiv.org/abs/2202.08005)
