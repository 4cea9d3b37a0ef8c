# %% [markdown]
# # Lesson 13: Scale
#
# Much is written about how to spare what large models need. What of it holds?
#
# By the end you can say where a step's time and memory go and how little would do, and what 16, 8 and 4
# bits lose; you will have pruned, rounded and distilled a model; and you know what keeps training on
# two processes, sharded or not, the same as on one.
#
# You need lessons 1 to 6.
#
# *Times on a shared machine jump about.* So two ways are timed *in turns* and compared as a ratio:
# the median, in brackets the smallest and the largest (records: the median alone). Yours will differ.

# %%
from statistics import median

import matplotlib.pyplot as plt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mlm_course.practice import check, hint, progress, quiz, solution
from mlm_course.results import recorded
from mlm_course.results.comparison import differences, mean_interval
from mlm_course.views.figures import show_figure

ROUNDS = 2 if FAST else 7  # turns that each way is timed


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# %%
def ratios(seconds: dict[str, list[float]], base: str, name: str) -> list[float]:
    """How many times as fast as `base`, in each turn."""
    return [slow / own for slow, own in zip(seconds[base], seconds[name])]


def as_text(ratios: list[float]) -> str:
    return f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


# %% [markdown]
# ## 1. Where the time goes
#
# We take the model of docstrings (lesson 6, section 10): 4 layers, 192 dimensions, a vocabulary of
# 6,000. A batch of 8 rows with 128 tokens, a quarter of them hidden:

# %%
from mlm_course import tokenization
from mlm_course.corpora import python_docs
from mlm_course.corruption import standard_masker as docs_masker
from mlm_course.models import load_pretrained

model, tokenizer = load_pretrained("python_docs")
V, LENGTH = model.config.vocab_size, 128
texts = python_docs.paragraphs(python_docs.manual())[:1500]
text_ids = tokenization.encode(tokenizer, texts, special_tokens=False)
text_ids = [row[:LENGTH] for row in text_ids]
rows = torch.tensor(tokenization.pack(text_ids, LENGTH)[:-1])
batch = docs_masker(V, 0.25)(rows[:8], seeded(0))

# %%
import os

from torch.profiler import ProfilerActivity, profile

from mlm_course.training import masked_lm_loss

optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=True)


def training_step() -> None:
    summed, count = masked_lm_loss(model, batch)
    (summed / count).backward()
    optimizer.step()
    optimizer.zero_grad()


model.train()
training_step()  # the first one allocates memory
os.environ["KINETO_LOG_LEVEL"] = "99"  # the profiler keeps its own log to itself
with profile(activities=[ProfilerActivity.CPU]) as profiled:
    for _ in range(2):
        training_step()

# %% [markdown]
# A **profiler** notes how long each operation took; added up by kind:

# %% tags=["nbval-ignore-output"]
KINDS = {
    "matrix products": ("mm", "linear"),  # addmm, bmm, mm
    "attention": ("scaled_dot_product", "flash_attention"),
    "optimiser": ("adamw",),
    "norms, GELU, softmax": ("layer_norm", "gelu", "softmax", "nll_loss"),
}


def kind_of(name: str) -> str:
    """The kind of work that an operation is."""
    return next((k for k, parts in KINDS.items() if any(p in name for p in parts)), "all else")


spent = dict.fromkeys([*KINDS, "all else"], 0.0)
for operation in profiled.key_averages():
    spent[kind_of(operation.key.lower())] += operation.self_cpu_time_total
total = sum(spent.values())
fig, ax = plt.subplots(figsize=(6.5, 2.4))
ax.barh(list(spent), [100 * t / total for t in spent.values()], color="0.4")
ax.invert_yaxis()
ax.set(xlabel="share of the step (%)")
shares = ", ".join(f"{kind} {t / total:.0%}" for kind, t in spent.items())
show_figure(fig, f"Where the time of a step goes: {shares}.")

# %% [markdown]
# "All else" is adding, copying, looking up. Work with a share `s` of the step can shorten it by `s` at
# most, even if it took no time at all.
#
# ## 2. How short could it be?
#
# A step has to do some number of multiplications and to move some number of bytes. If this machine
# does so many of each a second and no more, no program gets below the resulting time, a **lower
# bound**.
#
# **FLOPs.** A matrix of `n x m` numbers, applied to one token, takes `n * m` multiplications and as
# many additions: 2 FLOPs for each parameter. The backward pass has two such products, one for the
# gradient of the input, one for that of the weights. So **6 FLOPs for each parameter in a matrix
# product and each token** (Kaplan et al. 2020, section 2.1). Embeddings are looked up, not
# multiplied. The head works on hidden tokens only. Attention has products without parameters: for
# each token and layer, with `T` tokens in a row, `T * D` multiply-adds for the scores and `T * D`
# for the weighted sum of values; with the backward pass that is `12 * T * D` FLOPs (Chowdhery et
# al. 2022, appendix B).
#
# ### Exercise 13.1: the FLOPs of a step
# `D`, `n_layers`, `d_ff` (the width inside the feed-forward network), `V`; the batch has `rows` of
# `length` tokens (`T` above), of which `masked` (a number, over the whole batch) are hidden. Return
# the FLOPs of forward and backward. A block has four `D x D` matrices and two of `D x d_ff`; the head
# has one of `D x D` and one of `D x V`.


# %% exercise="13.1"
def step_flops(
    D: int, n_layers: int, d_ff: int, V: int, rows: int, length: int, masked: int
) -> int:
    """Multiplications and additions in a training step's matrix products."""
    ### BEGIN SOLUTION
    tokens = rows * length
    blocks = n_layers * (4 * D * D + 2 * D * d_ff) * tokens  # multiply-adds of one forward pass
    head = (D * D + D * V) * masked
    attention = n_layers * tokens * 2 * length * D
    forward = 2 * (blocks + head + attention)
    return 3 * forward
    ### END SOLUTION


# %%
check("13.1", step_flops)

# %% [markdown]
# PyTorch can count as well, while it computes:

# %% tags=["nbval-ignore-output"]
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from mlm_course import cost

n_masked = int(batch.masked.sum())
by_hand = cost.training_flops(model.config, *batch.masked.shape, n_masked)
with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
    masked_lm_loss(model, batch)[0].backward()
optimizer.zero_grad()
print(f"by hand {by_hand:,}")
print(f"counted {counter.get_total_flops():,}")

# %% tags=["author"]
assert by_hand == counter.get_total_flops()

# %% [markdown]
# **Bytes.** Beside each parameter lie its gradient and AdamW's two running averages: 16 bytes a
# parameter in fp32. The optimiser reads all four and writes three back, in one go if it is "fused": 28
# bytes a parameter and step, whatever the batch. Counted from what operations are given and give back:

# %%
n_parameters = sum(p.numel() for p in model.parameters())
for name, size in cost.training_memory(n_parameters).items():
    print(f"{name:>17}: {size / 1e6:5.1f} MB")
to_move = cost.optimizer_bytes(n_parameters)
print(f"moved by one step of AdamW: {to_move / 1e6:.0f} MB")

thousand = nn.Parameter(torch.ones(1000))
thousand.grad = torch.ones(1000)
for way in ("fused", "foreach"):  # one operation, or one for each sum, product and root
    one_of_them = torch.optim.AdamW([thousand], **{way: True})
    one_of_them.step()  # makes the running averages
    with cost.TrafficCounter() as traffic:
        one_of_them.step()
    print(f"{way:>7}: {traffic.bytes / 1000:.0f} bytes a parameter")

# %% [markdown]
# **This machine.** How fast is a large product, and how fast are numbers read and written? We add one
# tensor to another in place. (A copy's target is often fetched before it is written, which nobody
# counts: "write allocate" in McCalpin's STREAM.)

# %% tags=["nbval-ignore-output"]
flops_a_second = cost.matmul_rate(1024)
from_memory, from_cache = cost.memory_rate(128), cost.memory_rate(1)  # MB
print(f"matrix products: {flops_a_second / 1e9:.0f} billion FLOPs a second (one thread)")
print(f"memory:          {from_memory / 1e9:.1f} billion bytes a second, ", end="")
print(f"a cache {from_cache / 1e9:.1f}")
print(f"so in the time of one byte: {flops_a_second / from_memory:.1f} FLOPs")

# %% [markdown]
# Work that does less than that number of FLOPs for each byte it moves waits for memory, all other
# work for the arithmetic. This is the **roofline** (Williams et al. 2009): the rate that a piece of
# work can reach at most, by its FLOPs per byte. Here with the parts of our step, forward and backward,
# FLOPs and bytes counted, seconds measured:

# %%
ids, answers = batch.input_ids, batch.labels[batch.masked]
block, D, tokens = model.encoder.blocks[0], model.config.d_model, batch.masked.numel()
x = torch.randn(*ids.shape, D, generator=seeded(1)).requires_grad_()
some_x = x.detach()[batch.masked].requires_grad_()
parts = {
    "embedding": lambda: model.encoder.embeddings(ids),
    "attention": lambda: block.attention(block.attention_norm(x)),
    "feed-forward": lambda: block.feed_forward(block.feed_forward_norm(x)),
    "head": lambda: F.cross_entropy(model.logits(some_x), answers),
}


def there_and_back(part) -> None:
    """A part's forward and backward pass."""
    out = part()
    out.backward(torch.ones_like(out))


# %% tags=["nbval-ignore-output"]
from functools import partial

from mlm_course.cost import take_turns

masked_lm_loss(model, batch)[0].backward()  # gradients for AdamW
work = {name: partial(there_and_back, part) for name, part in parts.items()}
work["AdamW"] = optimizer.step
by_part = take_turns(work, ROUNDS)
no_products = {"embedding": 3 * tokens * D, "AdamW": 12 * n_parameters}  # sums and the like
place: dict[str, tuple[float, float]] = {}  # FLOPs a byte, FLOPs a second
for name, call in work.items():
    with cost.TrafficCounter() as traffic:
        call()
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        call()
    flops = counter.get_total_flops() or no_products[name]
    place[name] = flops / traffic.bytes, flops / min(by_part[name])
optimizer.zero_grad()

# %% tags=["nbval-ignore-output"]
fig, ax = plt.subplots(figsize=(6.5, 3.4))
grid, reached = torch.logspace(-2, 2.5, 50), []
for rate, line, name in ((from_memory, "k-", "roof, memory"), (from_cache, "k--", "roof, cache")):
    ax.loglog(grid, (grid * rate).clamp(max=flops_a_second) / 1e9, line, label=name)
for (name, (intensity, rate)), marker in zip(place.items(), "os^Dv"):
    ax.loglog(intensity, rate / 1e9, f"C1{marker}", label=name)
    roof = min(intensity * from_memory, flops_a_second)
    print(f"{name:>12}: {intensity:5.2f} FLOPs a byte, {rate / 1e9:6.1f} billion a second")
    reached.append(f"{name} {rate / roof:.0%}")
ax.set(xlabel="FLOPs for each byte moved", ylabel="billion FLOPs a second")
fig.legend(loc="outside upper left", ncols=4)
show_figure(fig, f"Reached, as a share of memory's roof: {', '.join(reached)}.")

# %% [markdown]
# A part above memory's roof lives in a cache. Embedding and AdamW stand at the left, where bytes decide,
# products at the right.

# %% tags=["author"]
assert max(place[n][0] for n in ("embedding", "AdamW")) < min(
    place[n][0] for n in ("attention", "feed-forward", "head")
)

# %% [markdown]
# ### Exercise 13.2: a floor for the time
# `work` is a list of pieces that come one after another, each `(FLOPs, bytes)`. Within a piece,
# arithmetic and memory can work at the same time. Return the seconds below which all of it together
# cannot fall.


# %% exercise="13.2"
def time_floor(
    work: list[tuple[float, float]], flops_a_second: float, bytes_a_second: float
) -> float:
    """Seconds that the work needs at least."""
    ### BEGIN SOLUTION
    return sum(max(f / flops_a_second, b / bytes_a_second) for f, b in work)
    ### END SOLUTION


# %%
check("13.2", time_floor)

# %% tags=["nbval-ignore-output"]
flops_a_second = max(flops_a_second, cost.matmul_rate(1024))  # it may have been a bad moment
held = round(sum(cost.training_memory(n_parameters).values()) / 1e6)  # MB
as_far = max(cost.memory_rate(held), from_memory)  # as many bytes as AdamW works on
pieces_of_step = [(by_hand, 0.0), (0.0, to_move)]  # the products, then the optimiser
floor_seconds = cost.time_floor(pieces_of_step, flops_a_second, as_far)
alone = min(by_part["AdamW"])
print(f"AdamW alone: floor {1000 * to_move / as_far:.1f} ms, took {1000 * alone:.1f} ms")
seconds = take_turns({"step": training_step}, ROUNDS)["step"]
print(f"the step: floor {floor_seconds:.3f} s, took {min(seconds):.3f} s:", end=" ")
print(f"{floor_seconds / min(seconds):.0%} of it is accounted for")

# %% [markdown]
# A bound is only as good as its rates. A cache may keep part of AdamW's 48 MB, so its rate was taken with
# as many bytes. What is missing from the step is the rest of section 1's list, and products below the best
# rate. Three ways to be faster: *fewer FLOPs* or *cheaper* ones, *fewer bytes*, *more machines*.

# %% [markdown]
# ## 3. Numbers of 16 bits
#
# | | sign, exponent, binary digits | largest | smallest step from 1 |
# |---|---|---|---|
# | fp32 | 1, 8, 23 | about 3.4e38 | 1.2e-7 |
# | bf16 | 1, 8, 7 | about 3.4e38 | 1/128 |
# | fp16 | 1, 5, 10 | 65504 | 1/1024 |
#
# bf16 keeps the reach of fp32 and gives up digits. fp16 keeps more digits and gives up reach:

# %%
half, brain = torch.float16, torch.bfloat16


def held(value: float, kind: torch.dtype) -> float:
    """What is left of a number in a type."""
    return torch.tensor(value, dtype=torch.float64).to(kind).item()


print("1 + 1/256 in bf16:", held(1 + 1 / 256, brain), "  in fp16:", held(1 + 1 / 256, half))
print("65504 in fp16:", held(65504, half), "  70000:", held(70000, half))
print("70000 in bf16:", held(70000, brain))
print("a gradient of 1e-8 in fp16:", held(1e-8, half))
print("the same, times 1024 first:", held(1e-8 * 1024, half) > 0)

# %% [markdown]
# The last two lines are **underflow** and its cure, **loss scaling**: small gradients become 0 in
# fp16, so multiply the loss, and with it all gradients, by a large number, and divide before the step
# (Micikevicius et al. 2018, section 3.2). bf16 has fp32's reach, and trained several kinds of networks
# as well as fp32 did (Kalamkar et al. 2019, abstract). Its trouble is digits.
#
# ### Exercise 13.3: where does a sum stop?
# A type with `digits` binary digits knows `2**digits` numbers, evenly apart, from each power of two to
# below the next. A sum is rounded to the nearest of them, half-way to the one whose last digit is 0
# (from a power of two: back). Begin at 0 and add `step`, a whole number that the type knows exactly,
# again and again. Predict where the sum stops growing, as a number. (Adding up takes too long.)


# %% exercise="13.3"
def stops_at(step: int, digits: int) -> int:
    """The number that a sum of equal steps never leaves."""
    ### BEGIN SOLUTION
    power = 1
    while power < step:  # the first power of two that is no smaller than the step
        power *= 2
    return power * 2 ** (digits + 1)
    ### END SOLUTION


# %%
check("13.3", stops_at)

# %% [markdown]
# Counting in bf16, and a weight that learns in small steps:

# %%
sum_bf16, weight = torch.zeros((), dtype=brain), torch.ones((), dtype=brain)
for _ in range(1000):
    sum_bf16 = sum_bf16 + 1  # counts to a thousand
    weight = weight - 0.001  # a thousand small updates of a weight
print("counting to 1000 in bf16:", sum_bf16.item())
print("1 minus 1000 times .001 in bf16:", weight.item())
ones = torch.ones(1000, dtype=brain)
print("a thousand ones in bf16, added up in fp32:", ones.sum(dtype=torch.float32).item())

# %% [markdown]
# The weight does not move at all. Hence **mixed precision**: products in 16 bits, but *sums* (in
# products, norms, softmax, the loss) and *weights* in 32 (Micikevicius et al., sections 3.1 and 3.3);
# in PyTorch gradients and running averages stay in 32, too. `Recipe(precision="bf16")` switches it on.
# Does it pay here?


# %%
def passes(model: nn.Module, batch, precision: torch.dtype | None = None) -> None:
    """Forward and backward, and the gradients thrown away."""
    with torch.autocast("cpu", precision or brain, enabled=precision is not None):
        summed, _ = masked_lm_loss(model, batch)
    summed.backward()
    model.zero_grad()


# %% tags=["nbval-ignore-output"]
BOTH = f"forward and backward, {len(rows[:8])} rows of {LENGTH}"
effects: dict[str, dict[str, list[float]]] = {
    BOTH: {}
}  # for section 12: only like is ranked with like
ways = {"fp32": partial(passes, model, batch), "bf16": partial(passes, model, batch, brain)}
tried = take_turns(ways, 1)  # without bf16 units it may take many times as long: once is enough
rounds = ROUNDS if tried["bf16"][0] < 3 * tried["fp32"][0] else 1
effects[BOTH]["bf16"] = ratios(take_turns(ways, rounds), "fp32", "bf16")
print("bf16 here, times as fast as fp32:", as_text(effects[BOTH]["bf16"]))

# %%
for width, ratio in recorded("mixed_precision")["times as fast by width"].items():
    print(f"recorded, {width} dimensions: bf16 {ratio:.2f} times as fast")
losses = recorded("mixed_precision")["loss"]
print("loss after one short training each:", ", ".join(f"{k} {x:.3f}" for k, x in losses.items()))

# %% [markdown]
# In this record bf16 is faster, and more so in wider models. On a CPU without bf16 instructions it may be
# slower. One run each says nothing about losses.

# %% [markdown]
# ## 4. Compiling
#
# GELU reads every number and writes it back; the next operation reads it again. `torch.compile` writes
# a program in which neighbouring operations are *fused*: read once, do all, write once (Ansel et al.
# 2024). It saves bytes and calls, not FLOPs, and takes its time at the first call. Recorded:

# %%
for name, value in recorded("torch_compile")["compiled"].items():
    print(f"{name}: {value}")

# %% [markdown]
# In this record it gains nothing. On an A100 GPU it made training 1.41 times as fast, the geometric
# mean of more than 180 models (Ansel et al. 2024, abstract). `Recipe(compile=True)` switches it on:
# measure.

# %% [markdown]
# ## 5. Hidden tokens only
#
# Lesson 5 gave the model a third argument: project only the hidden tokens to the vocabulary. Nothing
# else changes:


# %%
def all_tokens(model: nn.Module, batch) -> Tensor:
    """The mean loss, with logits for every token."""
    logits = model(batch.input_ids)
    return F.cross_entropy(logits.flatten(0, 1), batch.labels.flatten())


def hidden_tokens(model: nn.Module, batch) -> Tensor:
    """The mean loss, with logits for hidden tokens."""
    logits = model(batch.input_ids, None, batch.masked)
    return F.cross_entropy(logits, batch.labels[batch.masked])


def gradient_of(loss: Tensor) -> Tensor:
    """All gradients in one line of numbers."""
    model.zero_grad()
    loss.backward()
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])


one, other = all_tokens(model, batch), hidden_tokens(model, batch)
g_one, g_other = gradient_of(one), gradient_of(other)
print("the same loss:", torch.allclose(one, other, atol=1e-5), end=", ")
print("the same gradient:", torch.allclose(g_one, g_other, atol=1e-5))
del g_one, g_other

# %% tags=["nbval-ignore-output"]
ways = {
    "all": lambda: all_tokens(model, batch).backward(),
    "hidden": lambda: hidden_tokens(model, batch).backward(),
}
faster = ratios(take_turns(ways, ROUNDS), "all", "hidden")
effects[BOTH]["hidden tokens only"] = faster
everything = cost.training_flops(model.config, *batch.masked.shape, tokens)
print(f"times as fast: {as_text(faster)}; by FLOPs {everything / by_hand:.2f}")

# %%
for size, ratio in recorded("masked_projection")["times as fast by vocabulary"].items():
    print(f"recorded, vocabulary of {size:>4}: {ratio:.2f} times as fast")

# %% [markdown]
# With the vocabulary grows the head's share of the FLOPs (exercise 13.1), and in this record the gain.
# It also saves memory: `(B, T, V)` logits are 6.1 million numbers here, the widest tensor inside a
# block has .8 million.

# %% tags=["author"]
assert round(tokens * V / 1e6, 1) == 6.1 and round(tokens * model.config.d_ff / 1e6, 1) == 0.8
assert list(recorded("masked_projection")["times as fast by vocabulary"].values()) == sorted(
    recorded("masked_projection")["times as fast by vocabulary"].values()
)
assert 0.95 < recorded("torch_compile")["compiled"]["times as fast"] < 1.05
assert list(recorded("mixed_precision")["times as fast by width"].values()) == sorted(
    recorded("mixed_precision")["times as fast by width"].values()
)

# %% [markdown]
# ## 6. Packing
#
# Rows of a batch have one length. Short texts are filled up with padding, which is computed and
# thrown away. How much of it is there, if each paragraph of Python's manual gets its own row?

# %% tags=["nbval-ignore-output"]
from mlm_course.tokenization import padding_share

padded = nn.utils.rnn.pad_sequence([torch.tensor(row) for row in text_ids], batch_first=True)
print(f"a paragraph a row: {padding_share(padded):.0%} padding; packed: {padding_share(rows):.0%}")

# %% tags=["author"]
assert padding_share(padded) > 0.2 and padding_share(rows) == 0

# %% [markdown]
# `tokenization.pack` puts one text after the other, with `[SEP]` between them (lesson 3). But then
# a token sees other texts. For the same vectors two things are needed: an attention mask that
# keeps texts apart (`same_document_mask`, lesson 2), and positions that begin again with every text
# (Krell et al. 2021). Both follow from the ids.
#
# ### Exercise 13.4: texts in one row
# `ids` `(B, T)`, with `[SEP]` (id 3) between texts; a `[SEP]` belongs to the text *before* it. Return
# two int64 tensors `(B, T)`: the number of each token's text within its row, from 0, and the token's
# place within its text, from 0.


# %% exercise="13.4"
def texts_and_places(ids: Tensor) -> tuple[Tensor, Tensor]:
    """Which text of its row each token belongs to, and where it stands in it."""
    ### BEGIN SOLUTION
    begins = F.pad((ids == 3).long(), (1, -1))  # (B, T) 1 where a new text begins
    places = torch.arange(ids.shape[1]).expand(ids.shape)
    first = (places * begins).cummax(1).values
    return begins.cumsum(1), places - first
    ### END SOLUTION


# %%
check("13.4", texts_and_places)

# %%
from mlm_course.attention import same_document_mask
from mlm_course.tokenization import texts_in_rows
from mlm_course.views import mask_matrix, show

words = "anna smiled [SEP] it was cold [SEP] bye".split()
little = torch.tensor([[3 if word == "[SEP]" else 9 for word in words]])
numbers, places = texts_in_rows(little)
print("texts ", numbers[0].tolist())
print("places", places[0].tolist())
apart = same_document_mask(numbers)[0, 0]
show(mask_matrix(words, words, apart, reasons={"other text": apart}))

# %% [markdown]
# Three short texts, each in a row of its own and packed: the vectors must be the same.

# %%
short = [[*row[:15], tokenization.SEP_ID] for row in text_ids[:3]]
packed = torch.tensor([[token for row in short for token in row]])
numbers, places = texts_in_rows(packed)
model.eval()
with torch.no_grad():
    alone = [model.encoder(torch.tensor([row]))[0] for row in short]
    kept_apart = model.encoder(packed, same_document_mask(numbers), positions=places)[0]
    mixed = model.encoder(packed)[0]
same = []
for number, vectors in enumerate(alone):
    inside = numbers[0] == number
    same.append(torch.allclose(vectors, kept_apart[inside], atol=1e-4))
    print(f"text {number}: apart, the same vectors as alone: {same[-1]};", end=" ")
    print("without mask:", torch.allclose(vectors, mixed[inside], atol=1e-4))

# %% tags=["author"]
assert all(same)

# %% [markdown]
# Now the gain: *real* tokens a second, in batches of as many rows.


# %%
def passes_apart(batch) -> None:
    """Forward and backward, texts of a row kept apart."""
    numbers, places = texts_in_rows(batch.input_ids)
    x = model.encoder(batch.input_ids, same_document_mask(numbers), positions=places)
    F.cross_entropy(model.logits(x[batch.masked]), batch.labels[batch.masked]).backward()
    model.zero_grad()


# %% tags=["nbval-ignore-output"]
some_rows = padded[torch.randperm(len(padded), generator=seeded(2))[:8]]
some_padded = docs_masker(V, 0.25)(some_rows, seeded(1))
ways = {
    "padded": partial(passes, model, some_padded),
    "packed": partial(passes, model, batch),
    "packed, texts apart": partial(passes_apart, batch),
}
seconds = take_turns(ways, ROUNDS)
real = int((some_padded.input_ids != tokenization.PAD_ID).sum())
for name in ("packed", "packed, texts apart"):
    gain = [x * batch.masked.numel() / real for x in ratios(seconds, "padded", name)]
    effects.setdefault("real tokens a second, 8 rows, against padded", {})[name] = gain
    print(f"{name}: {as_text(gain)} times as many real tokens a second as padded")

# %%
for name, value in recorded("row_packing")["real tokens a second"].items():
    print(f"recorded, docstrings: {name} {value}")

# %% [markdown]
# ## 7. A large batch in small memory
#
# Training needs memory for weights, gradients and optimiser (section 2) and for *activations*: what
# the forward pass leaves for the backward pass.


# %%
def kept_bytes(model: nn.Module, rows: int) -> int:
    """Bytes that the forward pass of so many rows keeps for the backward, fp32 weights left out."""
    kept = {}

    def note(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    part = type(batch)(*(x[:rows] for x in batch))
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        loss = masked_lm_loss(model, part)[0]
    del loss
    for parameter in model.parameters():
        kept.pop(parameter.data_ptr(), None)
    return sum(kept.values())


# %% tags=["nbval-ignore-output"]
memory = {n: kept_bytes(model, n) for n in (1, 2, 4, 8)}
for n, size in memory.items():
    print(f"{n:2} rows: {size / 1e6:6.1f} MB of activations")

with torch.autocast("cpu", brain):
    in_bf16 = kept_bytes(model, 8)
print(f" 8 rows in bf16: {in_bf16 / 1e6:.1f} MB, bf16 copies of the weights among them")

# %% tags=["author"]
assert 3 < memory[8] / memory[2] < 5

# %% [markdown]
# Four times the rows, about four times the activations. So work a large batch through in pieces,
# add up the gradients, and step once: **gradient accumulation** (exercise 6.6). The trap: each piece's
# *mean* divided by the number of pieces.

# %%
shares = (0.05, 0.1, 0.4, 0.8)
pieces = [
    docs_masker(V, share)(rows[16 + 4 * i : 20 + 4 * i], seeded(i))
    for i, share in enumerate(shares)
]
whole = type(batch)(*(torch.cat(parts) for parts in zip(*pieces)))
counts = [int(piece.masked.sum()) for piece in pieces]


def accumulated(divisors: list[float]) -> Tensor:
    """The gradient from all pieces: each one's sum of losses, divided by its own divisor."""
    model.zero_grad()
    for piece, divisor in zip(pieces, divisors):
        (masked_lm_loss(model, piece)[0] / divisor).backward()
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])


# %% tags=["nbval-ignore-output"]
def apart_by(gradient: Tensor, target: Tensor) -> float:
    """The distance from the target gradient, as a share of its length."""
    return ((gradient - target).norm() / target.norm()).item()


target = gradient_of(hidden_tokens(model, whole))
means = apart_by(accumulated([4 * n for n in counts]), target)
right = apart_by(accumulated([sum(counts)] * 4), target)
print("hidden tokens of the pieces:", counts)
print("sums, divided by the count of all: the big batch's gradient:", right < 1e-4)
print(f"means of means: off by {means:.0%} of the gradient's length")

# %% tags=["author"]
assert means > 0.05 and right < 1e-4

# %% [markdown]
# `Recipe(accumulate=4)` divides once, by what was hidden in all pieces. It saves memory, and no FLOPs.
#
# Or keep less: with **activation checkpointing** a block keeps only what went into it, and is computed
# again before its backward pass (Chen et al. 2016). `Recipe(recompute=True)` does so:

# %%
from mlm_course.training import recomputing

usual = gradient_of(masked_lm_loss(model, batch)[0])
with recomputing(model):
    less = kept_bytes(model, 8)
    same_bits = torch.equal(gradient_of(masked_lm_loss(model, batch)[0]), usual)
print("the same gradient, bit for bit:", same_bits)
del usual


def recomputed() -> None:
    """Forward and backward, each block's forward twice."""
    with recomputing(model):
        passes(model, batch)


# %% tags=["nbval-ignore-output"]
print(f"8 rows keep {less / 1e6:.1f} MB instead of {memory[8] / 1e6:.1f}", end="; ")
ways = {"fp32": partial(passes, model, batch), "recomputed": recomputed}
effects[BOTH]["activation checkpointing"] = ratios(take_turns(ways, ROUNDS), "fp32", "recomputed")
print("times as fast:", as_text(effects[BOTH]["activation checkpointing"]))

# %% tags=["author"]
assert same_bits and less < memory[8] / 2

# %% [markdown]
# Gradients and running averages shrink if less is trained: **LoRA** (lesson 8, section 3) trains two
# thin matrices beside each frozen one. Counted:

# %%
from copy import deepcopy

from mlm_course.models.lora import add_lora


def held_bytes(model: nn.Module) -> int:
    """Gradients and running averages that a step leaves."""
    trained = [p for p in model.parameters() if p.requires_grad]
    adamw = torch.optim.AdamW(trained, lr=0.0)
    masked_lm_loss(model, batch)[0].backward()
    adamw.step()
    averages = [state[name] for state in adamw.state.values() for name in ("exp_avg", "exp_avg_sq")]
    return sum(x.nbytes for x in [*averages, *(p.grad for p in trained)])


thin = deepcopy(model).requires_grad_(False)
add_lora(thin.encoder, rank=8)
for name, each in (("all", deepcopy(model)), ("LoRA", thin)):
    print(f"{name:>4}: {held_bytes(each) / 1e6:4.1f} MB of gradients and running averages")
lora_keeps = kept_bytes(thin, 8)
print(f"activations {lora_keeps / memory[8]:.0%} of what they were")
del thin, each

# %% tags=["author"]
assert lora_keeps > 0.6 * memory[8]

# %% [markdown]
# ## 8. Pruning
#
# Magnitude **pruning** sets a model's smallest weights to 0 (Han et al. 2015).
#
# ### Exercise 13.5: the largest weights stay
# `weight` `(R, C)`; `sparsity`, above 0, is the share that goes. It times the number of weights is an
# integer, but for rounding errors (`0.29 * 100` is below 29). Return a boolean `(R, C)`: True for the
# weights that stay, those farthest from 0.


# %% exercise="13.5"
def largest_stay(weight: Tensor, sparsity: float) -> Tensor:
    """True for the weights that are kept."""
    ### BEGIN SOLUTION
    size = weight.abs()
    gone = round(sparsity * weight.numel())
    return size > size.flatten().sort().values[gone - 1]
    ### END SOLUTION


# %%
check("13.5", largest_stay)

# %% [markdown]
# Live, one run, on lesson 6's model of tinyworld: every linear layer loses the same share; then it is
# trained on for a few steps, with the zeros held at 0. The control: nothing gone, trained on as well.

# %% tags=["nbval-ignore-output"]
from mlm_course import compression
from mlm_course.corpora.tinyworld import masker, sentences
from mlm_course.corruption import DynamicMasking
from mlm_course.evaluation import score_masked
from mlm_course.training import Recipe, fit

world, names = load_pretrained("tinyworld")  # a model and its words
held_out = masker(0.15)(sentences(400, 40), seeded(41))
on_world = DynamicMasking(masker(0.4), sentences(3000, 42), seed=0)
again = Recipe(steps=5 if FAST else 40, batch_size=64, optimizer="adamw", lr=5e-4)
pruned_scores = {0.0: score_masked(world, held_out).accuracy}
for sparsity in (0.3, 0.5, 0.7, 0.9):
    pruned_scores[sparsity] = score_masked(compression.prune(world, sparsity), held_out).accuracy
pruned = compression.prune(world, 0.9)
fit(pruned, on_world, masked_lm_loss, again)
trained_on = score_masked(pruned, held_out).accuracy
whole_on = compression.prune(world, 0.0)  # the control: nothing gone, trained on as well
fit(whole_on, on_world, masked_lm_loss, again)
control = score_masked(whole_on, held_out).accuracy

# %% tags=["nbval-ignore-output"]
for sparsity, right in pruned_scores.items():
    print(f"{sparsity:.0%} of the linear layers' weights gone: {right:.1%} right")
print(f"90 % gone, then {again.steps} steps of training: {trained_on:.1%} right")
print(f"nothing gone, the same {again.steps} steps: {control:.1%} right")

# %%
zeros = (pruned.encoder.blocks[0].feed_forward.expand.weight == 0).double().mean().item()
print(f"zeros after training on: {zeros:.3f}")

# %% tags=["author"]
assert pruned_scores[0.9] < pruned_scores[0.0] - 0.1
assert FAST or trained_on > pruned_scores[0.9] + 0.1

# %%
pruning, ends = recorded("weight_pruning"), []
fig, axes = plt.subplots(1, 2, figsize=(6.8, 3), sharey=True)
for ax, name in zip(axes, ("tinyworld", "docstrings")):
    removed, later = pruning[name]["removed"], pruning[name]["trained on"]["values"]
    means = [mean_interval(values).mean for values in later.values()]
    share = [100 * float(sparsity) for sparsity in removed]
    ax.plot(share, [100 * right for right in removed.values()], label="removed")
    ax.plot(share, [100 * right for right in means], label="trained on, mean of five")
    ax.set(title=name, xlabel="weights removed (%)")
    ends.append(f"{name} from {list(removed.values())[-1]:.0%} to {means[-1]:.0%}")
axes[0].set(ylabel="right (%)")
fig.legend(handles=axes[0].lines, loc="outside upper left", ncols=2)
show_figure(fig, f"At the last point training on leads {', '.join(ends)}.")

# %%
for name in ("tinyworld", "docstrings"):
    right = ", ".join(f"{float(s):.0%}: {x:.1%}" for s, x in pruning[name]["removed"].items())
    print(f"recorded, {name}; right at once, by share removed:", right)
    print(f"   after {pruning['steps'][name]} steps of training on, five seeds, by share removed:")
    for pair, difference in differences(pruning[name]["trained on"]).items():
        print(f"   {pair}: {difference}")

# %% [markdown]
# Trained on so briefly, with most rates at the edge of those tried, tinyworld's model shows no
# difference larger than .02 up to 80 %, and loses .06 to .07 at 90 % {r:weight_pruning.tinyworld};
# that of docstrings loses .01 to .02 at 30 %, .27 to .28 at 70 % {r:weight_pruning.docstrings}.
#
# A product with a matrix of which nine numbers in ten are 0:

# %% tags=["nbval-ignore-output"]
dense = torch.randn(768, 768, generator=seeded(0))
holey = dense * compression.magnitude_mask(dense, 0.9)
x = torch.randn(256, 768, generator=seeded(1))
ways = {"as it was": lambda: x @ dense.T, "90 % zeros": lambda: x @ holey.T}
speed = ratios(take_turns(ways, 5 * ROUNDS), "as it was", "90 % zeros")
print("with zeros, times as fast:", as_text(speed))

# %%
for name, ratio in recorded("sparse_products")["times as fast"].items():
    print(f"recorded, {name}: {ratio:.2f} times as fast")
print("whole units of the feed-forward networks removed:")
units = recorded("unit_pruning")
for share, row in units["docstrings"].items():
    print(f"   {float(share):4.0%}: {row['accuracy']:.1%} right,", end=" ")
    print(f"{row['times as fast']:.2f} times as fast")
for pair, difference in list(differences(units).items())[1:]:  # the first lost nothing
    print(f"   accuracy over test rows, {pair}: {difference}")

# %% [markdown]
# > **Often read:** pruning and sparse representations make a model efficient.
#
# > **In fact** a product multiplies by zeros like by any number, unless it is written for zeros. Kept
# > as a list of places ("sparse", 8 bytes a place), nine zeros in ten leave 30 % of the bytes, and in
# > this record the product is 1.4 times as fast, not ten. GPUs that skip two zeros in each four multiply
# > at twice the rate (Mishra et al. 2021, abstract). Or whole rows, heads or layers go, so that matrices
# > become smaller (**structured pruning**): one BERT became 2.4 times as fast for 1 % of F1 (answers in
# > a text; Lagunas et al. 2021, abstract). Here, untrained after it, a quarter of the units costs up to
# > .03 of accuracy, half .04 to .07 {r:unit_pruning.differences}.

# %% [markdown]
# ## 9. Quantisation
#
# fp32 spends 32 bits on a weight. **Quantisation** stores a small integer, in 8 bits from -127 to 127,
# and one scale for many of them: weight = code times scale. One large weight makes the steps coarse
# for all that share its scale:

# %%
example = torch.randn(4, 64, generator=seeded(3)) * torch.tensor([[0.01], [0.1], [1.0], [10.0]])
for name, per_row in (("a scale for each row", True), ("one scale for all", False)):
    error = compression.dequantize(compression.quantize(example, per_row)) - example
    relative = error.norm(dim=1) / example.norm(dim=1)
    print(f"{name:>20}: error of each row", *[f"{e:.3f}" for e in relative])

# %% [markdown]
# So with 4 bits, 15 codes, a scale serves a *group* of neighbours in a row.
#
# ### Exercise 13.6: four bits a weight
# `weight` `(R, C)`: each `group` neighbours of a row share a scale, by which their largest absolute value
# becomes 7; a group of zeros gets the scale 1. A rounded code plus 8 fits 4 bits. A byte, `torch.uint8`, holds
# two: in its low bits one of a group's first half, in its high bits (16 times as much) the one half a group
# further. Return the bytes `(R, C / 2)`, group by group, and the scales `(R, C / group)`.


# %% exercise="13.6"
def pack_four_bits(weight: Tensor, group: int) -> tuple[Tensor, Tensor]:
    """Two codes a byte, and what each group's codes are to be multiplied by."""
    ### BEGIN SOLUTION
    groups = weight.unflatten(1, (-1, group))  # (R, C / group, group)
    most = groups.abs().amax(-1)
    scale = torch.where(most > 0, most / 7, 1.0)
    codes = ((groups / scale[..., None]).round() + 8).to(torch.uint8)
    first, second = codes.chunk(2, dim=-1)
    return (first + 16 * second).flatten(1), scale
    ### END SOLUTION


# %%
check("13.6", pack_four_bits)

# %% [markdown]
# The whole model of docstrings, embeddings too, in 8 and 4 bits:

# %% tags=["nbval-ignore-output"]
model.load_state_dict(load_pretrained("python_docs")[0].state_dict())  # as it was before section 1
model.eval()
test = docs_masker(V, 0.15)(rows[-24:] if FAST else rows[-96:], seeded(5))
rounded = {
    "int8, a scale for each row": compression.fake_quantize(model),
    "int8, one for each matrix": compression.fake_quantize(model, per_row=False),
    "int4, groups of 32": compression.fake_quantize_int4(model, 32),
    "int4, groups of 192": compression.fake_quantize_int4(model, 192),
}
bits_scores = {"fp32": (score_masked(model, test, batch_size=24).accuracy, 4 * n_parameters)}
for name, (coarse, size) in rounded.items():
    bits_scores[name] = score_masked(coarse, test, batch_size=24).accuracy, size
for name, (right, size) in bits_scores.items():
    print(f"{name:>26}: {right:.1%} right, {size / 1e6:.1f} MB")

# %% tags=["author"]
assert abs(bits_scores["int8, a scale for each row"][0] - bits_scores["fp32"][0]) < 0.03
assert bits_scores["int8, a scale for each row"][1] < 0.3 * bits_scores["fp32"][1]

# %%
record = recorded("weight_only")
for pair, difference in differences(record).items():
    print(f"recorded, int4, accuracy over test rows, {pair}: {difference}")

# %% [markdown]
# 4 bits cost this model .02 to .04 of accuracy in groups of 32 or 64, .03 to .05 in groups of 192
# {r:weight_only}.
#
# A product with *one* token waits for the weights (section 2). In **weight-only quantisation** they alone
# are in few bits, and become floats on their way. Recorded, a matrix times one vector, larger than the
# cache and smaller; compiled to one loop, or all turned back first, each against fp32 done so:

# %%
for size, ways in record["times as fast"].items():
    print(size)
    for name, row in ways.items():
        print(f"   {name:>19}: {row['bytes'] / 1e6:6.1f} MB, error {row['error']:.3f};", end=" ")
        kinds = (
            f"{kind} {row[kind]:.2f}" for kind in ("one loop", "turned back first") if kind in row
        )
        print("times as fast as fp32:", ", ".join(kinds))

# %% [markdown]
# In this record one loop with 8 bits is twice as fast where memory binds; with 4, half the bytes, no more,
# with bf16 hardly faster; in the cache all at most 1.2 times. Turned back first, all floats are written and
# read, too. (OPT's 175 billion weights in 3 bits, fewer GPUs: about 3.25 times as fast as in fp16 on
# A100s, 4.5 on A6000s: Frantar et al. 2022, abstract, code.)
#
# With *many* tokens the arithmetic has to become cheaper: products in integers, so what comes in is
# quantised, too. **Dynamic quantisation** does so at each call, by its range (in PyTorch on a CPU;
# deprecated, its successor is the package torchao):


# %%
import io


def size_on_disk(model: nn.Module) -> int:
    """Bytes of the file that torch.save writes."""
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    return file.getbuffer().nbytes


def answer(model: nn.Module, rows: int) -> Tensor:
    with torch.no_grad():
        return model(test.input_ids[:rows], None, test.masked[:rows])


# %% tags=["nbval-ignore-output"]
try:
    int8_model = compression.int8_layers(model)
except RuntimeError as problem:
    print(problem, "See the record below.")
else:
    print(f"right: {score_masked(int8_model, test, batch_size=24).accuracy:.1%}", end=", ")
    print(f"{size_on_disk(int8_model) / 1e6:.1f} MB, before {size_on_disk(model) / 1e6:.1f} MB")
    for n in (1, 16):
        ways = {"fp32": partial(answer, model, n), "int8": partial(answer, int8_model, n)}
        faster = ratios(take_turns(ways, ROUNDS), "fp32", "int8")
        print(f"{n:2} row{'s' * (n > 1)}, times as fast: {as_text(faster)}")

# %%
record = recorded("int8")
speed = record["docstrings"].pop("times as fast by rows")
for name, row in record["docstrings"].items():
    print(f"recorded, {name}: {row['accuracy']:.1%} right, {row['bytes'] / 1e6:.1f} MB")
for pair, difference in differences(record).items():
    print(f"   accuracy over test rows, {pair}: {difference}")
print("times as fast:", ", ".join(f"{rows} rows {ratio:.2f}" for rows, ratio in speed.items()))

# %% [markdown]
# Over the test rows no difference from fp32 larger than .01 is seen, in any of the three ways {r:int8}.

# %% tags=["author"]
assert all(-0.0105 < d.low <= 0 <= d.high < 0.0105 for d in differences(record).values())

# %% [markdown]
# ## 10. Distillation
#
# A small model can learn from a large one: in **distillation** a *student* is trained on a *teacher's*
# probabilities (Hinton et al. 2015, section 2). What a teacher knows beyond the right word is in the small
# ones. A **temperature** above 1, by which logits are divided before softmax, brings them out:

# %% tags=["nbval-ignore-output"]
questions = masker(0.15)(sentences(1, 43), seeded(44))
with torch.no_grad():
    logits = world(questions.input_ids, None, questions.masked)[0]
for temperature in (1, 2, 4):
    p, ids = (logits / temperature).softmax(-1).topk(5)
    chances = [f"{names[i]} {x:.2f}" for i, x in zip(ids.tolist(), p.tolist())]
    print(f"temperature {temperature}:", *chances)

# %% [markdown]
# ### Exercise 13.7: two goals for a student
# `student` and `teacher` are logits `(n, V)` at hidden places, `target` `(n,)` the true ids. Mix
# (Hinton et al. 2015, section 2): `share` times the divergence of the student from the teacher (the
# expectations are the teacher's), both softened, logits divided by `temperature`; plus `1 - share`
# times the true ids' cross-entropy, not softened. Both are means over the places. A softened loss
# sends gradients about `temperature` squared times smaller: make up for that. `backward()` must not
# reach the teacher.


# %% exercise="13.7"
def distillation_loss(
    student: Tensor, teacher: Tensor, target: Tensor, temperature: float, share: float
) -> Tensor:
    """Part teacher, part truth."""
    ### BEGIN SOLUTION
    learnt = (student / temperature).log_softmax(-1)
    taught = (teacher.detach() / temperature).log_softmax(-1)
    soft = temperature**2 * F.kl_div(learnt, taught, reduction="batchmean", log_target=True)
    return share * soft + (1 - share) * F.cross_entropy(student, target)
    ### END SOLUTION


# %%
check("13.7", distillation_loss)

# %% [markdown]
# For tinyworld there is a *perfect* teacher: the exact chances. Students of one layer and width 64; live
# with 300 sentences and one run each; recorded also with 20,000, five seeds, each goal at the best of
# several learning rates. "Teacher and words" is half of each with temperature 2, in the record 1:


# %%
from mlm_course.attention import visible_mask
from mlm_course.corpora import tinyworld


def taught(student: nn.Module, batch, source: str) -> tuple[Tensor, int]:
    """The sum of a student's losses against what `source` says."""
    ids, labels, masked = batch
    guesses = student(ids, visible_mask(ids), masked)  # (n, V)
    own, there = ids.cpu(), masked.cpu()  # the teachers stay on the CPU
    with torch.no_grad():
        if source == "exact chances":
            teacher = tinyworld.masked_posterior(own, there)[there].clamp(min=1e-9).log()
        else:
            teacher = world(own, visible_mask(own), there)
    teacher, target = teacher.to(guesses), labels[masked]
    t, share = (2.0, 0.5) if source == "teacher and words" else (1.0, 1.0)
    mean = compression.distillation_loss(guesses, teacher, target, t, share)
    return mean * len(guesses), len(guesses)


# %% tags=["nbval-ignore-output"]
from mlm_course.models import EncoderConfig, MaskedLM, seeded_init

few = DynamicMasking(masker(0.3), sentences(300, 60), seed=0)
tuition = Recipe(steps=5 if FAST else 80, batch_size=64, adamw_lr=4e-3, weight_decay=0.0)
originals = sentences(400, 40)
floor = tinyworld.loss_floor(originals, held_out.masked)
for name in ("true words", "teacher", "teacher and words", "exact chances"):
    config = EncoderConfig(len(names), 26, d_model=64, n_layers=1, embedding_std=0.1)
    student = seeded_init(MaskedLM, config)
    loss = masked_lm_loss if name == "true words" else partial(taught, source=name)
    fit(student, few, loss, tuition)
    above = score_masked(student, held_out).loss - floor
    print(f"from {name:>17}: {above:.3f} nats above the floor after {tuition.steps} steps")

# %%
goals = recorded("student_goals")
print(f"recorded, {goals['steps']} steps; nats above the floor; teacher {goals['teacher']:.3f}")
for amount in ("300 sentences", "20000 sentences"):
    means = {goal: mean_interval(values) for goal, values in goals[amount]["values"].items()}
    print(f"{amount}:", ", ".join(f"{goal} {mean}" for goal, mean in means.items()))
    for pair, difference in differences(goals[amount]).items():
        print(f"   {pair}: {difference}")

# %% [markdown]
# After 150 steps, at the highest of three rates, a teacher's students are ahead of those of true words
# by .09 to .16 nats with 300 sentences, by .08 to .12 with 20,000; a perfect teacher's are ahead of
# these by .001 to .02 {r:student_goals}.
#
# DistilBERT reports 97 % of BERT-base's score on the development sets of GLUE (nine tests of
# understanding English) with 40 % fewer parameters (Sanh et al. 2019, section 4).

# %% [markdown]
# ## 11. Several devices
#
# The plain way is **data parallel**: each process has the whole model and works on its share of the
# batch; then all add up their gradients (an *all-reduce*), and all take the same step. For the
# result not to depend on the number of processes, three things must hold:
#
# 1. The *rows* of a step and their *masks* follow from the step and the row's number, not from who
#    draws them (`DynamicMasking`; lesson 4, section 5).
# 2. Every hidden token weighs the same, whichever process has it (section 7).
# 3. Dropout is off, or drawn by row as well.
#
# ### Exercise 13.8: what each process sends back
# `R` processes work on a step, each on `A` pieces in turn: `sums` `(R, A)` are the summed losses of
# each piece, `counts` `(R, A)` its hidden tokens. Gradients of a process's pieces are added up, then
# those of all processes *averaged* (as PyTorch's `DistributedDataParallel` does). Return `(R,)`, the
# loss whose gradient each process should contribute, so that the average is the gradient of the whole
# batch's mean over hidden tokens.


# %% exercise="13.8"
def losses_to_send(sums: Tensor, counts: Tensor) -> Tensor:
    """For each process, the loss to call backward on."""
    ### BEGIN SOLUTION
    return len(sums) * sums.sum(1) / counts.sum()
    ### END SOLUTION


# %%
check("13.8", losses_to_send)

# %% [markdown]
# With gradients *added up* instead of averaged, one count is enough. Cut the batch into shares, one
# for each "process":


# %%
def added_up(processes: int) -> Tensor:
    """The sum of what so many processes send, each with its share of the rows."""
    n, total = int(batch.masked.sum()), torch.zeros(())
    for share in zip(*(x.tensor_split(processes) for x in batch)):
        total = total + gradient_of(masked_lm_loss(model, type(batch)(*share))[0] / n)
    return total


alone = added_up(1)
apart = {processes: apart_by(added_up(processes), alone) for processes in (2, 4, 8)}
for processes, distance in apart.items():
    print(f"{processes} processes send together what one alone has: {distance < 1e-4}")

# %% tags=["author"]
assert max(apart.values()) < 1e-4

# %% [markdown]
# PyTorch's `torchrun` starts several processes of one command (in a terminal):
#
# ```
# .venv/bin/torchrun --nproc_per_node 2 -m mlm_course train mlm --optimizer adamw --folder runs/two
# ```
#
# Recorded: lesson 6's model of tinyworld, in one process, and in two with the *same whole batch*.

# %%
from mlm_course.views import training_curve

shared = recorded("two_processes")
curves = {name: list(enumerate(losses, 1)) for name, losses in shared["losses"].items()}
show(training_curve(curves))

# %%
for name, difference in shared["largest difference"].items():
    print(f"{name:>5}: in {shared['steps']} steps the losses differ by at most {difference:.0e}")
print(f"two processes on one machine, one run: {shared['times as fast']:.2f} times as fast as one")

# %% tags=["author"]
assert shared["largest difference"]["adamw"] < 1e-4

# %% [markdown]
# With AdamW the losses of this one run agree to about the last digit of fp32; with Muon not, and why we
# do not know.
#
# **What it costs.** In each step every process sends and receives `2 (R - 1) / R` times the
# gradient (Patarasuk and Yuan 2009). For BERT-base, 110 million parameters in fp32 (the rates are
# round numbers, not measured):

# %%
gradient_bytes = 4 * 110_000_000
links = {"1 Gbit network": 1.25e8, "10 Gbit network": 1.25e9, "PCIe 4.0 x16": 3e10, "NVLink": 3e11}
print("seconds a step to exchange the gradients of BERT-base")
for name, rate in links.items():
    times = [cost.allreduce_seconds(gradient_bytes, R, rate) for R in (2, 8)]
    print(f"{name:>16}: 2 processes {times[0]:6.3f}, 8 processes {times[1]:6.3f}")
bert = EncoderConfig(30_522, 512, d_model=768, n_layers=12, n_heads=12)
flops = cost.training_flops(bert, 32, 128, 614)  # 32 rows, 15 % hidden
for name, rate in {"a CPU, 1e11 FLOPs a second": 1e11, "a GPU, 5e13": 5e13}.items():
    print(f"to compute a step of 32 rows of 128 tokens: {flops / rate:.2f} s on {name}")

# %% tags=["author"]
assert cost.allreduce_seconds(gradient_bytes, 2, 1.25e8) < 0.3 * flops / 1e11
assert cost.allreduce_seconds(gradient_bytes, 2, 1.25e8) > 20 * flops / 5e13

# %% [markdown]
# At these rates two CPUs on the slowest network exchange for a fraction of their step, two GPUs for
# many steps. If the *model* does not fit into one device, its matrices are cut up among several (model
# parallel: Shoeybi et al. 2019), or each process keeps a share of weights, gradients and running
# averages and fetches the others' weights when needed (ZeRO, Rajbhandari et al. 2020; PyTorch's FSDP):
#
# ```python
# from torch.distributed.fsdp import fully_shard
#
# for block in model.encoder.blocks:
#     fully_shard(block)
# fully_shard(model)  # then AdamW on model.parameters()
# ```
#
# Recorded, the same model:

# %%
sharding = recorded("sharding")
for way, processes in sharding["bytes held by each process"].items():
    parts = [f"{part} {size / 1e6:.2f}" for part, size in processes[0].items()]
    print(f"{way:>23}, the first holds in MB:", ", ".join(parts))
distance = sharding["largest difference from one process"]["two processes, sharded"]
print(f"in {sharding['steps']} steps the losses of one run differ by at most {distance:.0e}")

# %% tags=["author"]
assert distance < 1e-4

# %% [markdown]
# Two plain processes hold everything twice, two sharded ones once.
#
# > **Often read:** on devices with few resources, use mixed precision or distributed training.
#
# > **In fact** mixed precision saves activations (section 7) and, where the hardware has it, can save
# > time (section 3). Distributed training takes *more* devices. In plain data parallel each holds the
# > whole model, gradients and running averages; sharding divides these and exchanges up to half as much
# > again (Rajbhandari et al. 2020, section 7). Whoever has one small device can pack, accumulate, recompute,
# > and start from a pretrained model (lesson 8).
#
# ### Nothing to cache
# GPT-like models keep the keys and values of earlier words, and a new word costs one token's work.
# Does that help an encoder? Change the *last* word of a sentence, and see whose vectors change:

# %%
from mlm_course.attention import causal_mask

before = sentences(1, 45)
before = before[:, : int((before != tokenization.PAD_ID).sum())]
after = before.clone()
after[0, -2] = 5 + (after[0, -2] - 4) % 10  # another word; [SEP] stays after it
with torch.no_grad():
    moved = (world.encoder(before) - world.encoder(after))[0].norm(dim=-1) > 1e-4
    causal = causal_mask(before.shape[1])[None, None]  # (1, 1, T, T)
    one, other = world.encoder(before, causal), world.encoder(after, causal)
    moved_causal = (one - other)[0].norm(dim=-1) > 1e-3
print(f"bidirectional: {int(moved.sum())} of {len(moved)} vectors change")
print(f"with a causal mask: {int(moved_causal.sum())}, the last word's and that of [SEP]")

# %% tags=["author"]
assert moved.all() and moved_causal.sum() == 2

# %% [markdown]
# > **Often read:** caching makes masked language models faster.
#
# > **In fact** keys and values stay *exactly* valid only where no token looks ahead. In a bidirectional
# > encoder every new word changes the vectors of all, from the first layer's output on. What *can* be
# > kept: the result for a text that comes again, an encoder's output for a source that stays (lesson
# > 11), blocks that never look ahead (lesson 12); in
# > other diffusion models keys and values, approximately (Wu et al. 2025, abstract).

# %% [markdown]
# ## 12. What to do first
#
# In this run, times as fast as without (one thread, one small model), ranked only among the same work:

# %% tags=["nbval-ignore-output"]
for kind, by_name in effects.items():
    print(kind)
    for name, each in sorted(by_name.items(), key=lambda item: -median(item[1])):
        print(f"   {name:>25}: {as_text(each)}")

# %% [markdown]
# - *Steps*: a better recipe (lesson 6). *FLOPs*: hidden tokens only, packing, smaller matrices.
# - *Bytes and calls*: bf16 where the hardware has it, compiling, few bits when answering.
# - *Memory*: hidden tokens only, packing, smaller matrices, bf16, few bits, too; accumulation,
#   checkpointing (for FLOPs), LoRA, sharding (for exchange). *Size*: distillation (for a teacher).
#   *Waiting*: more devices.
#
# On a GPU the order may be another.

# %% [markdown]
# ## On a GPU
#
# How well is a device used? Divide the FLOPs that a step *has to* do by its time, and by the rate of a
# large product there: the **utilisation**. (At the size of BERT-base; without a GPU it runs small.)

# %%
from mlm_course.training import find_device

machine = find_device()
GPU = machine.is_gpu
print(machine)
base = EncoderConfig(30_522, 512, d_model=768, n_layers=12, n_heads=12)
if not GPU:  # no GPU: the same lines, small
    base = EncoderConfig(2000, 128, d_model=128, n_layers=2, n_heads=4)
many = (64, 128) if GPU else (8, 128)
filler = torch.randint(5, base.vocab_size, many, generator=seeded(6))
rows = filler.repeat(20 if GPU else 3, 1)
data = DynamicMasking(docs_masker(base.vocab_size, 0.15), rows, seed=0)

# %% tags=["nbval-ignore-output"]
usage = Recipe(steps=20 if GPU else 3, batch_size=many[0], optimizer="adamw", lr=1e-4,
               precision=machine.precision, compile=machine.compile)  # fmt: skip
history = fit(seeded_init(MaskedLM, base), data, masked_lm_loss, usage)
begun = 5 if GPU else 0  # the first steps compile
step_seconds = (history.seconds[-1] - history.seconds[begun]) / (usage.steps - 1 - begun)
needed = cost.training_flops(base, *many, int(data(torch.arange(many[0]), 0).masked.sum()))
kind = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(machine.precision, torch.float32)
size = 8192 if machine.kind == "cuda" else 1024
with torch.device(machine.kind):
    best_rate = cost.matmul_rate(size, dtype=kind)
print(f"{needed / step_seconds / 1e9:,.0f} billion FLOPs a second,", end=" ")
print(f"{needed / step_seconds / best_rate:.0%} of what a large product reaches")

# %% [markdown]
# For several GPUs:
#
# ```
# torchrun --nproc_per_node 8 -m mlm_course train mlm --folder runs/eight --precision bf16 --compile
# ```

# %% [markdown]
# ## Quiz

# %%
quiz("13")

# %% [markdown]
# ## Recap
#
# - **Profile first.** Then compute the floor, from FLOPs and bytes.
# - **16 bits** for products, 32 for sums and weights.
# - Project **hidden tokens only**: the same gradient. **Recompute** blocks: the same gradient, less kept.
# - Pieces and processes: add up sums, **divide once by the count of all**.
# - A bidirectional encoder has **nothing to cache** exactly.

# %%
progress("13")

# %% [markdown]
# ## References
#
# - S. Williams, A. Waterman, D. Patterson 2009. *Roofline*. Communications of the ACM 52(4)
# - J. McCalpin. *STREAM*. [cs.virginia.edu/stream](https://www.cs.virginia.edu/stream/ref.html)
# - J. Kaplan et al. 2020. *Scaling Laws for Neural Language Models*.
#   [arXiv:2001.08361](https://arxiv.org/abs/2001.08361)
# - A. Chowdhery et al. 2022. *PaLM*. [arXiv:2204.02311](https://arxiv.org/abs/2204.02311)
# - P. Micikevicius et al. 2018. *Mixed Precision Training*.
#   [arXiv:1710.03740](https://arxiv.org/abs/1710.03740)
# - T. Chen et al. 2016. *Training Deep Nets with Sublinear Memory Cost*.
#   [arXiv:1604.06174](https://arxiv.org/abs/1604.06174)
# - D. Kalamkar et al. 2019. *A Study of BFLOAT16 for Deep Learning Training*.
#   [arXiv:1905.12322](https://arxiv.org/abs/1905.12322)
# - J. Ansel et al. 2024. *PyTorch 2*. ASPLOS
# - M. M. Krell et al. 2021. *Efficient Sequence Packing*.
#   [arXiv:2107.02027](https://arxiv.org/abs/2107.02027)
# - S. Han et al. 2015. *Learning both Weights and Connections*.
#   [arXiv:1506.02626](https://arxiv.org/abs/1506.02626)
# - F. Lagunas et al. 2021. *Block Pruning*. [arXiv:2109.04838](https://arxiv.org/abs/2109.04838)
# - A. Mishra et al. 2021. *Accelerating Sparse Deep Neural Networks*.
#   [arXiv:2104.08378](https://arxiv.org/abs/2104.08378)
# - E. Frantar et al. 2022. *GPTQ*. [arXiv:2210.17323](https://arxiv.org/abs/2210.17323)
# - G. Hinton, O. Vinyals, J. Dean 2015. *Distilling the Knowledge in a Neural Network*.
#   [arXiv:1503.02531](https://arxiv.org/abs/1503.02531)
# - V. Sanh et al. 2019. *DistilBERT*. [arXiv:1910.01108](https://arxiv.org/abs/1910.01108)
# - P. Patarasuk, X. Yuan 2009. *Bandwidth Optimal All-reduce*. JPDC 69(2)
# - M. Shoeybi et al. 2019. *Megatron-LM*. [arXiv:1909.08053](https://arxiv.org/abs/1909.08053)
# - S. Rajbhandari et al. 2020. *ZeRO*. [arXiv:1910.02054](https://arxiv.org/abs/1910.02054)
# - C. Wu et al. 2025. *Fast-dLLM*. [arXiv:2505.22618](https://arxiv.org/abs/2505.22618)
