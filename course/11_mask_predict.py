# %% [markdown]
# # Lesson 11: Mask-Predict
#
# Until now a masked model filled gaps in a text that was there. This lesson lets one *write* a
# whole translation from an empty page. An encoder alone cannot do that: its output has as many
# places as its input (lesson 8, section 8). So we add a decoder.
#
# Most translators write from left to right, one word a step. **Mask-Predict** (Ghazvininejad et al.
# 2019) guesses *all* words at once, hides the ones it is least sure of, guesses those again, and
# stops after a fixed number of steps.
#
# By the end you will have written its training, its loop and its choice of a length, and can say
# why one step writes nonsense even if every probability is right, and when all this is faster.
#
# You need lessons 1 to 6, and lesson 8 for section 9. Figures and tables keep the numbers of a widely
# copied outline, a slide deck; section 11 lists them.

# %%
from collections.abc import Callable

import matplotlib.pyplot as plt
import torch
from torch import Tensor

from mlm_course.practice import check, hint, progress, quiz, solution
from mlm_course.views.figures import show_figure


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# %% [markdown]
# ## 1. One word a step, or several
#
# A text of 12 words. Each row is one pass through the decoder, each column a place. Black: written
# in this pass. Grey: written before.

# %%
from mlm_course.decoding import refine
from mlm_course.tokenization import MASK_ID

N, T = 12, 4
one_by_one = torch.ones(N, N).tril() + torch.eye(N)  # 0 empty, 1 there already, 2 new
scores = torch.rand(1, N, 30, generator=seeded(0)) * 4  # any model would do for this picture
everywhere = torch.ones(1, N, dtype=torch.bool)
steps = refine(lambda page: scores, torch.full((1, N), MASK_ID), everywhere, MASK_ID, T)
in_parallel = torch.cat([1.0 + step.masked for step in steps])

# %%
fig, axes = plt.subplots(1, 2, figsize=(6.8, 2.8))
for ax, written in zip(axes, (one_by_one, in_parallel)):
    ax.imshow(written, cmap="Greys", vmin=0, vmax=2, aspect="auto")
    ax.set(xlabel="place", ylabel="pass", xticks=[])
    ax.set_yticks(range(len(written)), range(1, len(written) + 1))
axes[0].set_title("left to right: a pass a word")
axes[1].set_title(f"Mask-Predict: {T} passes")
show_figure(fig, f"{N} words: {N} passes from left to right, {T} with Mask-Predict.")
print("words written in each of them:", [int(step.masked.sum()) for step in steps])

# %% [markdown]
# *Figures 1 and 2, the idea and how infilling works: the page is full after the first pass; later
# passes replace what is doubtful.*
#
# | table 1 | left to right | Mask-Predict |
# |---|---|---|
# | passes | one a word | `T`, whatever the length |
# | a word sees | its left side | both sides |
# | it stops | at an end token | at a length guessed first |
# | keys and values kept | all | only the source's |
# | probability of a text | exact | not available (lesson 12: a bound) |
#
# | table 2 | infilling | left to right |
# |---|---|---|
# | first word | guessed with the last | guessed first |
# | a mistake | can be mended | stays |
# | several right answers | a problem: section 2 | the first word decides |
#
# > **Often read:** Mask-Predict is trained autoregressively, like a standard decoder, with masks
# > added.
#
# > **In fact** it is trained as a masked language model that also sees a source, a *conditional*
# > masked language model (CMLM), and there is no causal mask at any time (Ghazvininejad et al.
# > 2019, section 2; our section 3). Masked models are not autoregressive (lesson 1, section 8).

# %% [markdown]
# ## 2. Why guessing everything at once goes wrong
#
# Say there are two right translations, equally likely:

# %%
rows = [text.split() for text in ("today we go home", "we go home today")]
for place, (one, other) in enumerate(zip(*rows), 1):
    print(f"place {place}: {one} 1/2, {other} 1/2")

# %% [markdown]
# A *perfect* model says just that. But draw each place by itself, and "today go go today" comes
# out: place 2 did not know what was chosen at place 1. This is the **multi-modality problem** (Gu
# et al. 2018): each right answer is a *mode*, and independent choices mix modes. Its symptom is the
# same word twice in a row.
#
# ### Exercise 11.1: what mixing costs
# `p` `(M,)` are the probabilities of `M` different right answers, `answers` `(M, L)` their words.
# Each place is drawn by itself, with the probability that its words have over all answers. Return
# the probability (a Python number) that the result is one of the right answers. (Two answers may
# have the same word at a place.)


# %% exercise="11.1"
def chance_of_right(p: Tensor, answers: Tensor) -> float:
    """How likely independently drawn places make one of the right answers."""
    ### BEGIN SOLUTION
    at_places = [(p[:, None] * (answers == one)).sum(0) for one in answers]  # M times (L,)
    return sum(chances.prod().item() for chances in at_places)
    ### END SOLUTION


# %%
check("11.1", chance_of_right)

# %% [markdown]
# Our laboratory: a source of 14 letters with two right answers, as it stands or with the first
# letter moved to the end. No two neighbours are equal in either, so every repeat is a mistake.

# %%
from mlm_course.corpora import two_modes

letters = two_modes.vocabulary()


def as_text(ids: Tensor) -> str:
    return "".join(letters[i] if i > MASK_ID else "_" for i in ids)


source = two_modes.sample_sources(1, seeded(1))
first, second = two_modes.answers(source)[0]
print("right:     ", as_text(first))
print("right:     ", as_text(second))
for coin in torch.rand(3, two_modes.LENGTH, generator=seeded(2)) < 0.5:
    print("mixed:     ", as_text(torch.where(coin, first, second)))

# %%
from mlm_course.evaluation import repeat_share

many = two_modes.sample_sources(20_000, seeded(3))
one, other = two_modes.answers(many).unbind(1)
mixed = torch.where(torch.rand(many.shape, generator=seeded(4)) < 0.5, one, other)
right = two_modes.is_valid(two_modes.with_cls(many), mixed)
half = torch.tensor([0.5, 0.5])
exact = two_modes.chance_of_right(half, two_modes.answers(source)[0])
print(f"right: exactly {exact:.6f}, or 2 of 2^14; drawn: {right.float().mean():.6f}")
print(f"letters that repeat the one before: {repeat_share(mixed):.1%}")

# %% [markdown]
# Every probability was right, and practically no answer is. No larger model and no longer training
# can change that: the places are drawn *without telling each other*. Three ways out:
#
# 1. Several steps: what the first one settles, the next one sees (section 5).
# 2. Only one right answer to learn: **sequence-level distillation** (section 8).
# 3. From left to right, the slow way.

# %% [markdown]
# ## 3. A conditional masked language model
#
# An encoder as in lesson 5. A decoder whose blocks have one thing more, **cross-attention**:
# queries from the page, keys and values from the encoder's vectors. And a first token in the
# source, `[CLS]` here, whose vector says how long the answer is.


# %%
def box(ax: plt.Axes, x: float, y: float, text: str, shade: str = "white") -> None:
    style = {"boxstyle": "round,pad=0.5", "facecolor": shade, "edgecolor": "black"}
    ax.text(x, y, text, ha="center", va="center", fontsize=9, bbox=style)


fig, ax = plt.subplots(figsize=(6.8, 3.4))
ax.set(xlim=(0, 10), ylim=(0, 6))
ax.axis("off")
box(ax, 2, 0.5, "[CLS]  source words")
box(ax, 2, 2.7, "encoder\nevery word sees every word", "0.9")
box(ax, 1, 5.2, "length\n(from [CLS])")
box(ax, 7, 0.5, "the page: words and [MASK]s")
box(ax, 7, 2.7, "decoder: self-attention\n(NO causal mask),\ncross-attention, feed-forward", "0.9")
box(ax, 7, 5.2, "a guess for every [MASK]")
for start, end in [((2, 0.9), (2, 2.2)), ((1.5, 3.2), (1, 4.7)), ((7, 0.9), (7, 2)),
                   ((7, 3.4), (7, 4.8)), ((3.5, 2.7), (5.5, 2.7))]:  # fmt: skip
    ax.annotate("", end, start, arrowprops={"arrowstyle": "->"})
show_figure(fig, "Source and [CLS] -> encoder -> the length, and keys and values for the decoder. "
                 "Page -> decoder without causal mask -> a guess for every [MASK].")  # fmt: skip

# %% [markdown]
# *Figure 3: the architecture.*
#
# | table 3: what is new | usual decoder (Vaswani et al. 2017) | CMLM |
# |---|---|---|
# | causal mask | yes | no |
# | it reads | the words so far | a page with `[MASK]`s |
# | it is asked | what comes next | what stands under the `[MASK]`s |
# | length | an end token | predicted first |
#
# In the package both are one class, `Seq2Seq`, with `causal=True` or `False`.
#
# ### Exercise 11.2: hide any number of words
# BERT hides 15 % (Devlin et al. 2019). Here the page is empty at first and nearly full at last, so
# the model must cope with *any* number of gaps. For each row draw `n` evenly from 1 to `L`, the
# number of its words, and hide `n` of them. `target` `(B, T)` holds ids, 0 is padding. `share`
# `(B,)` is between 0 and 1 (1 excluded): `n` is 1 + `share` times `L`, rounded down before adding.
# `noise` `(B, T)`: hide the `n` words with the smallest noise, never padding. Return a boolean
# `(B, T)`.


# %% exercise="11.2"
def hide_for_training(target: Tensor, share: Tensor, noise: Tensor) -> Tensor:
    """Which words are hidden: n of each row, n anything from 1 to all."""
    ### BEGIN SOLUTION
    real = target != 0
    n = 1 + (share * real.sum(1)).long()  # (B,)
    rank = noise.masked_fill(~real, torch.inf).argsort(1).argsort(1)  # (B, T)
    return rank < n[:, None]
    ### END SOLUTION


# %%
check("11.2", hide_for_training)

# %% [markdown]
# ### Exercise 11.3: who sees whom in the decoder
# `target` `(B, T)` is the page: ids, `[MASK]` is 4, padding 0. Return the decoder's attention mask
# `(B, T, T)`, True where query `t` may look at key `s`. Nobody looks at padding. Padding itself
# sees the words, like everyone (a row of nothing but False would give NaN, lesson 2).


# %% exercise="11.3"
def decoder_sees(target: Tensor) -> Tensor:
    """Who may look at whom on the page of a conditional masked language model."""
    ### BEGIN SOLUTION
    B, T = target.shape
    return (target != 0)[:, None].expand(B, T, T)
    ### END SOLUTION


# %%
check("11.3", decoder_sees)

# %%
from mlm_course.views import mask_matrix, show

page = ["we", "[MASK]", "home", "[MASK]", "[PAD]"]
seen_by_all = torch.tensor([word != "[PAD]" for word in page]).expand(5, 5)
show(mask_matrix(page, page, seen_by_all))

# %% [markdown]
# A training batch: the source, the page, and what is asked.

# %%
from mlm_course.training.datasets import GapPairs
from mlm_course.views import token_strip

task = two_modes.train_and_test()
data = GapPairs(task.source, task.target, seed=0)
batch = data(torch.arange(200), epoch=0)


def training_row(row: int) -> dict:
    """One row as the view draws it: the page, with what is asked under the gaps."""
    answer = batch.labels[row].where(batch.labels[row] > 0, batch.shown[row])
    title = f"source {as_text(task.source[row, 1:])}"
    gaps = batch.shown[row] == MASK_ID
    return token_strip([letters[i] for i in answer], masked=gaps, title=title)


show(training_row(0))

# %%
show(training_row(1))

# %%
counts = (batch.shown == MASK_ID).sum(1)
print("hidden letters in each row: from", int(counts.min()), "to", int(counts.max()))

# %% tags=["author"]
assert counts.min() == 1 and counts.max() == two_modes.LENGTH

# %% [markdown]
# *Figure 6, the training: some letters hidden, cross-entropy at the hidden ones, plus the
# cross-entropy of the length.* `gap_loss` is that sum. One run, live:

# %% tags=["nbval-ignore-output"]
from functools import partial

from mlm_course.models import Seq2Seq, Seq2SeqConfig, seeded_init
from mlm_course.training import Recipe, fit
from mlm_course.training.losses import gap_loss
from mlm_course.widgets import progress_display

recipe = Recipe(steps=20 if FAST else 300, adamw_lr=4e-3, weight_decay=0.0, betas=(0.9, 0.95))
sizes = Seq2SeqConfig(
    len(letters), 1 + two_modes.LENGTH, d_model=96, n_layers=2, decoder_layers=2,
    max_target=1 + two_modes.LENGTH, embedding_std=0.1,
)  # fmt: skip
model = seeded_init(Seq2Seq, sizes)
loss = partial(gap_loss, label_smoothing=0.0)
history = fit(model, data, loss, recipe, display=progress_display(recipe.steps))

# %% [markdown]
# How many of its answers are valid, and how often a letter repeats its neighbour, in `T` steps:

# %% tags=["nbval-ignore-output"]
from mlm_course import decoding

STEPS = (1, 2, 4, 6, 10, 14)
test = task.test[: 50 if FAST else 300]
lengths = torch.full((len(test),), two_modes.LENGTH)  # known here
live = {}
for t in STEPS:
    answers = decoding.mask_predict(model, test, t, lengths=lengths).tokens
    valid = two_modes.is_valid(test, answers).float().mean().item()
    live[t] = {"valid": valid, "repeats": repeat_share(answers)}
    print(f"T = {t:>2}: {valid:6.1%} valid, {live[t]['repeats']:6.2%} repeats")

# %% tags=["author"]
assert FAST or (live[1]["valid"] < 0.05 and live[14]["valid"] > 0.7)

# %% [markdown]
# In one step the model does what section 2 predicts; with as many steps as letters nearly all
# answers are valid.
#
# ### Training methods compared
# Recorded, one run each, with the same number of steps. (*A twin's answers* are the answers of a
# left-to-right model, put in place of the right ones.)

# %%
from mlm_course.results import recorded

record = recorded("two_modes")
names = {
    "two modes": "CMLM, any number hidden",
    "15 % hidden": "CMLM, always 15 % hidden",
    "one mode": "CMLM, only one right answer",
    "the twin's answers": "CMLM, a twin's answers",
}
print("table 6: share of valid answers")
print(f"{'T =':>28}", *[f"{t:>6}" for t in STEPS])
for key, name in names.items():
    print(f"{name:>28}", *[f"{record['steps'][key][str(t)]['valid']:6.1%}" for t in STEPS])
print(f"{'from left to right':>28} {record['autoregressive']['valid']:6.1%} (15 passes)")
print("made by:", record["command"])

# %% tags=["author"]
assert record["steps"]["two modes"]["14"]["valid"] >= 0.95
assert record["steps"]["two modes"]["14"]["repeats"] < 0.01
assert all(
    record["steps"]["two modes"][str(a)]["valid"] <= record["steps"]["two modes"][str(b)]["valid"]
    for a, b in zip(STEPS, STEPS[1:])
)
assert record["steps"]["one mode"]["1"]["valid"] >= 0.99
assert record["steps"]["15 % hidden"]["14"]["valid"] < record["steps"]["two modes"]["14"]["valid"]

# %% [markdown]
# - *Any number hidden*: more steps, more valid answers.
# - *15 % hidden*: this model has never seen a nearly empty page, and has to begin there. More steps
#   cannot make up for it.
# - *Only one right answer*, or *from left to right*: nothing mixes.
# - *A twin's answers*: section 8.
#
# ### The optimiser's part
# The paper uses Adam, a learning rate that warms up and then falls with the inverse square root of
# the step, dropout .3 and label smoothing .1 (Ghazvininejad et al. 2019, section 4). And here?

# %%
from mlm_course.training.optim import SCHEDULES

fig, (left, right_ax) = plt.subplots(1, 2, figsize=(7, 3.2))
above = {"loc": "lower left", "bbox_to_anchor": (0, 1)}
for name in ("constant", "linear", "cosine", "inverse_square_root"):
    factors = [SCHEDULES[name](s, 300, 30) for s in range(0, 300, 5)]
    left.plot(range(0, 300, 5), factors, markevery=8, label=name.replace("_", " "))
left.set(xlabel="step", ylabel="share of the peak learning rate", ylim=(0, 1.05))
left.legend(**above)
strategies = record["strategies"]
for t, shift in (("6", -0.2), ("14", 0.2)):
    bars = [row[t]["valid"] for row in strategies.values()]
    colour = {"6": "w", "14": "C0"}[t]
    right_ax.barh([i + shift for i in range(len(bars))], bars, 0.36, label=f"T = {t}", color=colour)
right_ax.set_yticks(range(len(strategies)), [name.replace(", ", ",\n") for name in strategies])
right_ax.set(xlabel="share of valid answers", xlim=(0, 1))
right_ax.invert_yaxis()
right_ax.legend(**above, ncols=2)
low, *more = sorted((row["14"]["valid"], name) for name, row in strategies.items())
show_figure(fig, f"Table 7, after the same 300 steps, T = 14: {low[1]} writes {low[0]:.0%} valid "
                 f"answers, the others at least {more[0][0]:.0%}.")  # fmt: skip
for name, row in strategies.items():
    print(f"{name:>32}: {row['6']['valid']:6.1%} at T = 6, {row['14']['valid']:6.1%} at T = 14")

# %% [markdown]
# *Figure 7: left, schedules with a warm-up of 30 steps; right, one thing changed (one run each:
# small differences mean nothing).* With as many steps as letters, a learning rate that falls to 0
# is ahead of a constant one; with six it is not. Label smoothing helps, in particular at few steps.
# AdamW alone is still at the beginning when Muon is done (lesson 6, section 11). Gradients are
# clipped in all of them (lesson 6, section 7).

# %% [markdown]
# ## 4. How long is the answer
#
# A page has to have a size before anything is on it. The vector at `[CLS]` predicts the length, as
# a choice among `0, 1, ... M`. (In the laboratory it is always 14.)
#
# ### Exercise 11.4: how long?
# `scores` `(B, M + 1)`: column `k` is the score of length `k`. Length 0 is impossible. Return the
# `n` most likely lengths `(B, n)` and their log-probabilities `(B, n)`, most likely first; the
# probabilities of all lengths from 1 to `M` sum to 1.


# %% exercise="11.4"
def best_lengths(scores: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """The n most likely lengths and their log-probabilities; never 0."""
    ### BEGIN SOLUTION
    is_zero = torch.arange(scores.shape[1]) == 0
    best = scores.masked_fill(is_zero, -torch.inf).log_softmax(-1).topk(n)
    return best.indices, best.values
    ### END SOLUTION


# %%
check("11.4", best_lengths)

# %% [markdown]
# ## 5. Step by step
#
# `N` is the number of words, `T` the number of steps.
#
# - Step 0: all `N` places are hidden. Each gets its most likely word; that word's probability is
#   its **confidence**.
# - Step `t` = 1, ..., `T` - 1: the `n` words with the lowest confidence are hidden again,
#   `n = N (1 - t / T)`, rounded down, at least 1. The model sees all others and fills these. Only
#   they get a new word and a new confidence.
#
# With `N` = 12 and `T` = 4 that hides 12, 9, 6 and 3 words.
#
# ### Exercise 11.5: which words are hidden again
# `confidence` `(B, N)`; `real` `(B, N)` boolean, False at padding; `done` steps of `steps` are
# over. Return a boolean `(B, N)`: the `n` least confident real words of each row, where `n` is the
# row's own `N (1 - done / steps)`, rounded down, at least 1. (`N * (steps - done) // steps` in
# integers avoids rounding trouble.)


# %% exercise="11.5"
def to_remask(confidence: Tensor, real: Tensor, done: int, steps: int) -> Tensor:
    """The least confident words, fewer with every step."""
    ### BEGIN SOLUTION
    n = (real.sum(1) * (steps - done) // steps).clamp(min=1)  # (B,)
    rank = confidence.masked_fill(~real, torch.inf).argsort(1).argsort(1)
    return rank < n[:, None]
    ### END SOLUTION


# %%
check("11.5", to_remask)

# %% [markdown]
# ### Exercise 11.6: one step
# `predict(canvas)` takes a page of ids `(B, N)` and returns logits `(B, N, V)`. `tokens` and
# `confidence` `(B, N)` are what there is so far, `masked` `(B, N)` what goes. Return the new tokens
# and the new confidences. (`[MASK]` is 4.)


# %% exercise="11.6"
def fill(
    predict: Callable[[Tensor], Tensor], tokens: Tensor, confidence: Tensor, masked: Tensor
) -> tuple[Tensor, Tensor]:
    """New words and confidences at the hidden places; all others stay."""
    ### BEGIN SOLUTION
    p, best = predict(tokens.masked_fill(masked, 4)).softmax(-1).max(-1)  # (B, N) each
    return torch.where(masked, best, tokens), torch.where(masked, p, confidence)
    ### END SOLUTION


# %%
check("11.6", fill)

# %% [markdown]
# Why do the others keep an old confidence? The model was only trained to answer at `[MASK]`s. What
# it says at a word that it can see was never corrected.
#
# ### Exercise 11.7: the whole procedure
# `real` `(B, N)` says which places are to be written; rows may differ in length. Return tokens and
# confidences `(B, N)` after `steps` steps; padding gets token 0 and confidence 1. Use your
# `to_remask` and `fill`.


# %% exercise="11.7"
def mask_predict(
    predict: Callable[[Tensor], Tensor], real: Tensor, steps: int
) -> tuple[Tensor, Tensor]:
    """Mask-Predict from an empty page: tokens and confidences."""
    ### BEGIN SOLUTION
    tokens, confidence, masked = torch.where(real, 4, 0), torch.ones(real.shape), real
    for done in range(steps):
        if done > 0:
            masked = to_remask(confidence, real, done, steps)
        tokens, confidence = fill(predict, tokens, confidence, masked)
    return tokens, confidence
    ### END SOLUTION


# %%
check("11.7", mask_predict)

# %% [markdown]
# The package's `refine` is this loop. Each row is the text after a step; number and shade are the
# confidence, an arrow marks what goes again. First one step, then six.


# %%
from mlm_course import decoding


def picture_of(steps: list[decoding.Step], names: list[str], title: str, row: int = 0) -> dict:
    """A refinement as the view draws it: one row of the batch, padding left out."""
    n = int(steps[0].masked[row].sum())
    return {
        "tokens": [[names[i] for i in step.tokens[row, :n]] for step in steps],
        "confidences": torch.stack([step.confidence[row, :n] for step in steps]),
        "masked": torch.stack([step.masked[row, :n] for step in steps]),
        "title": title,
    }


lengths = torch.full((len(test),), two_modes.LENGTH)
traces = {t: decoding.mask_predict(model, test, t, lengths=lengths).trace for t in (1, 6, 14)}
valid_now = {t: two_modes.is_valid(test, trace[-1].tokens) for t, trace in traces.items()}
best_row = int((valid_now[6].int() - valid_now[1].int()).argmax())  # wrong at first, then right
wrong_row = int((~valid_now[6]).int().argmax())  # six steps are not enough

# %% tags=["nbval-ignore-output"]
from mlm_course.views import refinement_steps

title = f"source {as_text(test[best_row, 1:])}, one step"
show(refinement_steps(**picture_of(traces[1], letters, title, best_row)))

# %% tags=["nbval-ignore-output"]
title = f"source {as_text(test[best_row, 1:])}, six steps"
show(refinement_steps(**picture_of(traces[6], letters, title, best_row)))

# %% [markdown]
# *Figure 4, the mechanism: hide the doubtful, guess again with the rest in view.* At first each
# letter is one of two. From the letters that stay the model can tell which answer it is writing.
# Step through it, with slider or arrow keys:

# %% tags=["nbval-ignore-output"]
from mlm_course.widgets import RefinementSteps

RefinementSteps(**picture_of(traces[14], letters, "one letter fewer with each step", best_row))

# %% [markdown]
# | table 4: what the mechanism buys | see |
# |---|---|
# | few passes: all places at once | section 7 |
# | agreement: later guesses see earlier ones | table 5 |
# | mended mistakes: kept words can be hidden again | above |
# | both sides in view | section 3 |
#
# ### How many steps?
# Left: how many words are hidden in each step. Then valid answers and repeats of the live model.

# %% tags=["nbval-ignore-output"]
fig, (left, middle, last) = plt.subplots(1, 3, figsize=(7, 2.9))
for total in (2, 4, 6, 10):
    counts = decoding.n_masked(N, total, decoding.MASK_PREDICT)
    left.plot(range(total), counts, label=f"T = {total}")
left.set(xlabel="step", ylabel="hidden words of 12", xticks=range(0, 10, 3), ylim=(0, 12.5))
fig.legend(loc="outside upper left", ncols=4)
for ax, what in ((middle, "valid"), (last, "repeats")):
    ax.plot(STEPS, [shares[what] for shares in live.values()])
    ax.set(xlabel="T", ylim=(0, None), xticks=STEPS[1:])
middle.set(ylabel="share of valid answers")
last.set(ylabel="share of repeats")
one, *_, most = live.values()
show_figure(fig, f"From T = {STEPS[0]} to {STEPS[-1]} valid answers go from {one['valid']:.0%} "
                 f"to {most['valid']:.0%}, repeats from {one['repeats']:.0%} to "
                 f"{most['repeats']:.0%}.")  # fmt: skip

# %%
print("table 5, recorded: the effect of T")
recorded_steps = record["steps"]["two modes"]
for t in STEPS:
    valid, again = (recorded_steps[str(t)][what] for what in ("valid", "repeats"))
    print(f"T = {t:>2}: {valid:6.1%} valid, {again:6.2%} repeats")

# %% [markdown]
# *Figure 5, the iteration: repeats fall first, valid answers come with the last steps.* How many
# will be valid? The first step fills the page blindly, and `k` letters stay. All `k` belong to the
# same answer with probability `2 / 2^k`. If they do, the rest follows them.

# %%
rule = {}
for t in STEPS:
    _, *later = decoding.n_masked(two_modes.LENGTH, t, decoding.MASK_PREDICT)
    k = two_modes.LENGTH - (later[0] if later else 0)
    rule[t] = 2 / 2**k
    seen = recorded_steps[str(t)]["valid"]
    print(f"T = {t:>2}: {k:>2} stay, 2 / 2^{k:<2} = {rule[t]:6.1%}; recorded {seen:6.1%}")

# %% tags=["author"]
assert all(abs(rule[t] - recorded_steps[str(t)]["valid"]) < 0.06 for t in STEPS)

# %% [markdown]
# So for this model nearly everything is decided by how many letters the first step settles. (The
# rule takes them for independent coins; the model with label smoothing in table 7 does better.)
# Rows that begin with letters of both answers hardly ever recover:

# %% tags=["nbval-ignore-output"]
title = f"source {as_text(test[wrong_row, 1:])}: not valid after six steps"
show(refinement_steps(**picture_of(traces[6], letters, title, wrong_row)))

# %% [markdown]
# ## 6. Real text: cheques
#
# A date and an amount, in French, to be written in English. English has several right ways to write
# a date, so there are modes to mix; the amount has one.

# %%
from mlm_course.corpora import pairs

train_pairs = pairs.cheques(1200, seed=0)
test_pairs = pairs.cheques(60 if FAST else 100, seed=1)
print(test_pairs[0].source)
for answer in sorted(test_pairs[0].right):
    print("   ", answer)

# %% [markdown]
# Three models of equal size come with the course: a *twin* that writes from left to right, a CMLM
# trained on the same pairs (*raw*), and one trained on the twin's answers (*distilled*, section 8).

# %%
from mlm_course.models import load_pretrained

twin, tokenizer = load_pretrained("cheques_autoregressive")
raw, distilled = (load_pretrained(f"cheques_{name}")[0] for name in ("raw", "distilled"))
about = recorded("pairs")
for name, trained in about["training"].items():
    print(f"{name:>14}: {trained['parameters']:,} parameters,", end=" ")
    print(f"{trained['recipe']['steps']} steps of {trained['recipe']['batch_size']}")
sizes = about["sizes"]
print(f"trained on {sizes['train']:,} cheques, tested on {sizes['test']:,} others;", end=" ")
print(f"{sizes['target_tokens']} tokens an answer on average")
print("made by:", about["command"])

# %% tags=["nbval-ignore-output"]
test_source, _ = pairs.encode_pairs(tokenizer, test_pairs)
written = decoding.mask_predict(raw, test_source[:1], steps=4)
words = [tokenizer.id_to_token(i) for i in range(tokenizer.get_vocab_size())]
title = "the first cheque, the raw model, T = 4"
show(refinement_steps(**picture_of(written.trace, words, title)))

# %% [markdown]
# The right answer stands there after one step; the others make it surer. Now its length, as the
# model sees it, and how often the most likely length is that of a right answer:

# %% tags=["nbval-ignore-output"]
with torch.no_grad():
    log_lengths = raw.log_lengths(raw.encode(test_source[:1]))
best = log_lengths[0].topk(3)
for length, log_p in zip(best.indices.tolist(), best.values):
    print(f"{length} tokens: probability {log_p.exp():.2f}")

# %%
for name, share in about["true_length"].items():
    print(f"{name:>10}: the likeliest length is that of a right answer for {share:.1%}")

# %% [markdown]
# Most ways to write a date differ in length: with or without commas, "9" or "09". Who has chosen a
# length has nearly chosen the way; there is less left to mix.
#
# ### Several lengths at once
# A wrong length cannot be mended. So Mask-Predict fills the `n` most likely lengths side by side,
# and keeps the result whose words it is surest of: a **length beam**.
#
# ### Exercise 11.8: which length wins
# `confidence` `(B, n, N)`: for each of `B` sources `n` candidates; after a candidate's end the
# confidence is 1. `real` `(B, n, N)` is True at its own words. The score of a candidate is the mean
# log-probability of its words. Return the index of the best candidate `(B,)` and the scores
# `(B, n)`.


# %% exercise="11.8"
def best_candidate(confidence: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
    """Which candidate wins, and the mean log-probabilities of all."""
    ### BEGIN SOLUTION
    scores = (confidence.log() * real).sum(-1) / real.sum(-1)  # (B, n)
    return scores.argmax(1), scores
    ### END SOLUTION


# %%
check("11.8", best_candidate)

# %% [markdown]
# (A sum falls with every word, and the shortest would win.) Recorded:

# %%
print("share of right answers, by candidate lengths (4 steps)")
for name, by_n in about["lengths"].items():
    print(f"{name:>10}:", *[f"{n}: {row['right']:.1%}   " for n, row in by_n.items()])

# %% [markdown]
# ### How good, in how many steps
# An answer counts if it is one of the right ones, letter by letter. First a sample, live; then the
# whole test. (The left-to-right model writes *greedy*, with the likeliest word each time, or with
# *beam 4*, which carries the four likeliest beginnings along.)

# %% tags=["nbval-ignore-output"]
from mlm_course.decoding import autoregressive


def score_line(answers: Tensor) -> str:
    right = pairs.correct(tokenizer, answers, test_pairs).float().mean().item()
    return f"{right:6.1%} right, {repeat_share(answers):.2%} repeats"


print(f"live, {len(test_pairs)} cheques, three lengths")
print("left to right:", score_line(autoregressive(twin, test_source).tokens))
for t in (1, 4):
    for name, parallel in (("raw", raw), ("distilled", distilled)):
        answers = decoding.mask_predict(parallel, test_source, t, n_lengths=3).tokens
        print(f"T = {t}, {name:>9}:", score_line(answers))

# %%
print("table 13: exact match and repeats,", sizes["test"], "cheques, three lengths, recorded")
ways = {f"left to right, {name}": row for name, row in about["autoregressive"].items()}
for name, by_t in about["steps"].items():
    ways |= {f"{name}, T = {t}": row for t, row in by_t.items()}
for name, row in ways.items():
    print(f"{name:>24}: {row['right']:6.1%} right, {row['repeats']:.2%} repeats")

# %%
fig, ax = plt.subplots()
for name, by_t in about["steps"].items():
    ax.plot([int(t) for t in by_t], [row["right"] for row in by_t.values()], label=name)
ax.axhline(about["autoregressive"]["greedy"]["right"], color="black", ls=":", label="left to right")
ax.set(xlabel="T", ylabel="share of right answers", ylim=(None, 1.01))
fig.legend(loc="outside upper left", ncols=3)
best = ", ".join(f"{max(row['right'] for row in by_t.values()):.1%} {name}"
                 for name, by_t in about["steps"].items())  # fmt: skip
show_figure(fig, f"Right answers by T, at best {best}. Dotted: the twin, from left to right.")

# %% [markdown]
# *Figure 13: text generation.* Machine translation has no list of all right answers and uses BLEU,
# which counts short word sequences shared with a reference.
#
# ### Where it fails
# What goes wrong with one length, and with five?


# %% tags=["nbval-ignore-output"]
for name, parallel in (("raw", raw), ("distilled", distilled)):
    for n in (1, 5):
        answers = decoding.mask_predict(parallel, test_source, 4, n_lengths=n).tokens
        wrong = (~pairs.correct(tokenizer, answers, test_pairs)).nonzero()[:, 0].tolist()
        print(f"{name}, lengths tried: {n}. Wrong: {len(wrong)} of {len(test_pairs)}")
        for i in wrong[:2]:
            print("   written:", pairs.read(tokenizer, answers[i]))
            dates, amounts = zip(*(text.split(": ") for text in sorted(test_pairs[i].right)))
            print("   right dates: ", "; ".join(dates))
            print("   right amount:", amounts[0])

# %% [markdown]
# *Mixed dates*, with one length: "October 8 October" mixes "8 October" and "October 8"; "0 4" mixes
# "04" and "4". Given several lengths, the raw model finds one that belongs to one way alone, and
# that candidate wins: here the length beam is a cure for mixing.
#
# *Words left out or put in*, with several lengths, mostly by the distilled model. It writes each
# date in the twin's way; if the length does not fit, something has to go, or to be invented. That
# is the worse mistake: a wrong date form looks odd, a wrong amount need not.

# %% [markdown]
# ## 7. Is it faster?
#
# > **Often read:** Mask-Predict reduces the complexity for long texts.
#
# Count the multiplications in one decoder block with width `D`. A word that passes through costs
# about `14 D²` (self-attention 4, cross-attention 2, feed-forward network 8), and `2 D` for each
# word that it looks at. From left to right, with keys and values kept, `N` passes take one word
# each; Mask-Predict takes `T` passes of all `N` words.


# %%
def left_to_right_work(N: int, S: int, D: int) -> int:
    """Multiplications to write N words one by one, keys and values kept; S source words."""
    return sum(14 * D**2 + 2 * D * (n + S) for n in range(1, N + 1))


def parallel_work(N: int, S: int, D: int, T: int) -> int:
    """Multiplications of T passes over all N words."""
    return T * N * (14 * D**2 + 2 * D * (N + S))


print("work, as a multiple of left to right (D = 512, source as long as the answer)")
print(f"{'words':>6}", *[f"{f'T = {t}':>8}" for t in (1, 4, 10)])
for n in (10, 30, 100, 1000):
    slow = left_to_right_work(n, n, 512)
    print(f"{n:>6}", *[f"{parallel_work(n, n, 512, t) / slow:8.1f}" for t in (1, 4, 10)])

# %% [markdown]
# It is *more* work: at least `T` times as much. Still, one sentence is written sooner: a machine
# that is not busy waits for the *number of passes*. With 64 sentences at once the work counts. Live
# on one thread, then recorded on two (medians of 25 rounds). One thread and two differ here, and so
# can the verdict for 64 sentences:

# %% tags=["nbval-ignore-output"]
import time

from mlm_course.tokenization import PAD_ID

order = (pairs.encode_pairs(tokenizer, test_pairs)[1] != PAD_ID).sum(1).argsort()
longest = test_source[order[-64:]]


def seconds(answer: Callable[[Tensor], object], source: Tensor) -> float:
    took = []
    for _ in range(2 if FAST else 3):
        start = time.perf_counter()
        answer(source)
        took.append(time.perf_counter() - start)
    return min(took)


for size in (1, 16, 64):
    some = longest[:size]
    slow = seconds(lambda rows: autoregressive(twin, rows), some)
    quick = seconds(lambda rows: decoding.mask_predict(distilled, rows, 4), some)
    print(f"batch {size:>2}: Mask-Predict, T = 4, is {slow / quick:.1f} times as fast")

# %%
clock = recorded("pairs_speed")["batches"]
contestants = list(clock["1"])[1:]
print("how many times as fast as left to right, recorded (one candidate length)")
print(f"{'batch':>6}", *[f"{name:>8}" for name in contestants])
for size, row in clock.items():
    print(f"{size:>6}", *[f"{row[name]['times_as_fast']:8.1f}" for name in contestants])

# %%
fig, ax = plt.subplots()
for name in contestants:
    ratios = [row[name]["times_as_fast"] for row in clock.values()]
    ax.plot([int(size) for size in clock], ratios, label=name)
ax.axhline(1, color="black", ls=":")
ax.set(xlabel="batch", ylabel="times as fast as left to right", xscale="log", yscale="log")
ax.set_xticks([int(size) for size in clock], clock)
ax.minorticks_off()
ax.set_yticks([0.5, 1, 2, 4, 8], ["0.5", "1", "2", "4", "8"])
fig.legend(loc="outside right upper")
lost = [name for name in contestants if clock["64"][name]["times_as_fast"] <= 1]
show_figure(fig, "With batches of 64 every T has lost most of its lead; "
                 f"no faster any more: {', '.join(lost)}.")  # fmt: skip

# %% tags=["author"]
assert all(
    clock["1"][t]["times_as_fast"] > 2 * clock["64"][t]["times_as_fast"] for t in contestants
)

# %% [markdown]
# > **In fact** the number of passes falls from `N` to `T`; the work grows, at least by a factor
# > of `T`. Long sentences need *more* steps for the same quality (Ghazvininejad et al. 2019,
# > section 5.2). The paper reports about 3 times the speed at a loss of 2 BLEU points, and 1.2
# > times with ten steps and two lengths. Such comparisons depend on the batch, the baseline and
# > the device (Helcl et al. 2022).
#
# ## 8. Distillation, and other improvements
#
# If several right answers are the trouble, then let there be one. **Sequence-level distillation**
# (Kim and Rush 2016): train an autoregressive model, let it answer every training source, and train
# the CMLM on *its* answers. In the laboratory:

# %%
print(f"the twin: as it stands for {record['twin_as_it_stands']:.0%} of the sources")
for key in ("two modes", "the twin's answers", "one mode"):
    one, four = (record["steps"][key][t]["valid"] for t in ("1", "4"))
    print(f"{names[key]:>28}: T = 1: {one:6.1%}, T = 4: {four:6.1%}")

# %% [markdown]
# From practically nothing to most of it in one step, although the twin still uses both ways:
# *which* way it goes for a source is fixed. On cheques (recorded, one run each):

# %%
beams, three_lengths = about["lengths"], about["steps"]["raw"]
right_share = {
    "raw, T = 4, 1 length": beams["raw"]["1"]["right"],
    "... distilled": beams["distilled"]["1"]["right"],
    "... raw, 3 lengths": beams["raw"]["3"]["right"],
    "... distilled, 3 lengths": beams["distilled"]["3"]["right"],
    "... raw, 5 lengths": beams["raw"]["5"]["right"],
    "... raw, 3 lengths, but T = 1": three_lengths["1"]["right"],
    "... raw, 3 lengths, and T = 10": three_lengths["10"]["right"],
}
fig, ax = plt.subplots(figsize=(6.8, 2.8))
ax.plot(list(right_share.values()), list(right_share), "o")
ax.set(xlabel="share of right answers")
ax.grid(axis="y", color="0.7")
ax.invert_yaxis()
first, *_, best = sorted(right_share.items(), key=lambda item: item[1])
show_figure(fig, f"Table 10: from {first[1]:.0%} ({first[0]}) to {best[1]:.0%} ({best[0][4:]}).")
for name, share in right_share.items():
    print(f"{name:>30}: {share:.1%}")

# %% tags=["author"]
assert beams["distilled"]["1"]["right"] > beams["raw"]["1"]["right"] + 0.1
assert beams["raw"]["3"]["right"] > beams["distilled"]["3"]["right"]

# %% [markdown]
# *Figure 10: improvements.* With one length, distillation is worth most. With three, the raw model
# is ahead. Do not take that as a rule: there are few ways to write a date, and most differ in
# length. Reported for English to German (WMT 2014, BLEU): raw 10.64 at `T` = 1 and 24.61 at `T` =
# 10, distilled 18.05 and 27.03 (Ghazvininejad et al. 2019).
#
# And how many words are still hidden after each step? On the live model of section 3:

# %% tags=["nbval-ignore-output"]
schedules = {
    "linear (the paper's)": decoding.linear_remasking,
    "cosine (few words first)": decoding.cosine_remasking,
    "square (many words first)": lambda done: (1 - done) ** 2,
}


def valid_share(schedule: Callable[[float], float], t: int) -> float:
    sampler = decoding.Sampler(schedule)
    tokens = decoding.mask_predict(model, test, t, sampler=sampler, lengths=lengths).tokens
    return two_modes.is_valid(test, tokens).float().mean().item()


by_schedule = {name: [valid_share(s, t) for t in (6, 10)] for name, s in schedules.items()}
for name, (six, ten) in by_schedule.items():
    print(f"{name:>26}: valid {six:6.1%} at T = 6, {ten:6.1%} at T = 10")

# %% tags=["author"]
assert FAST or (
    by_schedule["cosine (few words first)"][1]
    > by_schedule["linear (the paper's)"][1]
    > by_schedule["square (many words first)"][1]
)

# %% [markdown]
# At `T` = 10: the fewer letters the first step settles, the more answers are valid. (This is a task
# with nothing but modes.) *Figure and table 11, the trends*, are lesson 12's comparison of samplers
# at equal numbers of steps.

# %% [markdown]
# ## 9. What it is used for
#
# > **Often read:** Mask-Predict shines in text classification, document understanding and
# > question answering.
#
# The paper's results by task are results by language pair (reported):

# %%
bleu = {  # Ghazvininejad et al. 2019; T = 1, 4, 10
    "English to German": (18.05, 25.94, 27.03),
    "German to English": (21.83, 29.90, 30.53),
    "English to Romanian": (27.32, 32.53, 33.08),
}
fig, ax = plt.subplots(figsize=(6, 2.8))
for shift, (t, shade) in enumerate(((1, "0.8"), (4, "0.5"), (10, "0.2"))):
    places = [i + 0.25 * (shift - 1) for i in range(len(bleu))]
    ax.bar(places, [row[shift] for row in bleu.values()], 0.24, color=shade, label=f"T = {t}")
ax.set_xticks(range(len(bleu)), bleu)
ax.set(ylabel="BLEU (reported)", ylim=(0, 42))
fig.legend(loc="outside upper left", ncols=3)
show_figure(fig, "Table 8, as reported: BLEU rises from T = 1 over 4 to 10 for each pair.")
for name, row in bleu.items():
    print(f"{name:>20}:", *row)

# %% [markdown]
# *Figure 8.* The idea travelled: to speech recognition (Mask-CTC, Higuchi et al. 2020), pictures
# (MaskGIT, Chang et al. 2022), free text (lesson 12).
#
# Classification has nothing to be written in parallel. What one *can* do is to put a classifier on
# the encoder of a CMLM. Four questions about a French cheque, and a linear probe with 200 labels on
# the mean of the vectors:

# %%
import numpy as np
from num2words import num2words

french_cents = {num2words(n, lang="fr"): n for n in range(100)}
months = {"janvier", "février", "mars", "avril", "mai", "juin"}


def questions(pair: pairs.Pair) -> dict[str, bool]:
    """Yes-or-no questions about a cheque, from its French text alone."""
    date, amount = pair.source.split(" : ")
    cents = french_cents[amount.split(" euros et ")[1].removesuffix(" centimes")]
    day = int("".join(letter for letter in date.split()[1] if letter.isdigit()))
    return {
        "on a weekend": date.startswith(("samedi", "dimanche")),
        "first half of the year": date.split()[2] in months,
        "more cents than the day": cents > day,
        "an odd number of cents": cents % 2 == 1,
    }


asked = list(questions(train_pairs[0]))
labels = {q: np.array([questions(pair)[q] for pair in train_pairs]) for q in asked}

# %%
from sklearn.linear_model import LogisticRegression

from mlm_course.attention import visible_mask
from mlm_course.models import Seq2Seq, seeded_init
from mlm_course.models.heads import mean_over_tokens

known, _ = pairs.encode_pairs(tokenizer, train_pairs)


@torch.no_grad()
def probe(encoder: torch.nn.Module) -> list[float]:
    """For each question the accuracy of a linear classifier trained on 200 cheques."""
    x = mean_over_tokens(encoder(known, visible_mask(known)), visible_mask(known))  # (N, D)
    x = ((x - x.mean(0)) / (x.std(0) + 1e-6)).numpy()
    accuracies = []
    for y in labels.values():
        classifier = LogisticRegression(C=0.1, max_iter=300).fit(x[:200], y[:200])
        accuracies.append(classifier.score(x[200:], y[200:]))
    return accuracies


# %% tags=["nbval-ignore-output"]
random_weights = seeded_init(Seq2Seq, raw.config, 1).eval()
table = {"CMLM": probe(raw.encoder), "random weights": probe(random_weights.encoder)}
shares = [y[200:].mean() for y in labels.values()]
table["always the same"] = [max(share, 1 - share) for share in shares]
fig, ax = plt.subplots(figsize=(6.8, 2.8))
for name, row in table.items():
    ax.plot(row, list(asked), ls="", ms=7, label=name)
ax.set(xlabel="accuracy", xlim=(0.4, 1))
ax.grid(axis="y", color="0.7")
ax.invert_yaxis()
fig.legend(loc="outside upper left", ncols=3)
ahead = sum(ours > other for ours, other in zip(table["CMLM"], table["random weights"]))
show_figure(fig, "Table 12, a linear probe with 200 labels: the CMLM is ahead of random weights "
                 f"in {ahead} of {len(asked)} questions.")  # fmt: skip
print(f"{'':>24}", *[f"{name:>15}" for name in table])
for place, question in enumerate(asked):
    print(f"{question:>24}", *[f"{row[place]:15.0%}" for row in table.values()])

# %% [markdown]
# *Figure 12: text classification* (one small model of each kind; "always the same" gives the
# commoner answer). The first two questions can be read off a single word, and random weights answer
# them best. The last two need the value of number words, and nobody does well.
#
# > **In fact** the paper reports translation only (Ghazvininejad et al. 2019, section 4).
# > Classification and question answering need an encoder and a head (lesson 8); writing free text
# > in parallel is lesson 12's subject.

# %% [markdown]
# ## 10. For and against
#
# From the two records (one length, batch 1):

# %%
speeds = {t: clock["1"][f"T={t}"]["times_as_fast"] for t in about["steps"]["raw"]}
one_length, greedy = about["steps_one_length"], about["autoregressive"]["greedy"]["right"]
for name, by_t in one_length.items():  # recorded twice; here, too, the figure of sections 6 and 8
    by_t["4"]["right"] = about["lengths"][name]["1"]["right"]
fig, ax = plt.subplots()
for name, by_t in one_length.items():
    ax.plot([speeds[t] for t in by_t], [row["right"] for row in by_t.values()], label=name)
ax.plot(1, greedy, "k*", ms=12, label="left to right")
ax.set(xlabel="times as fast as left to right", ylabel="share of right answers")
fig.legend(loc="outside upper left", ncols=3)
kept = one_length["distilled"]["4"]["right"] / greedy
show_figure(fig, f"One length, batch 1; distilled, T = 4: {kept:.1%} of the twin's right answers, "
                 f"{speeds['4']:.1f} times as fast.")  # fmt: skip
for name, by_t in one_length.items():
    for t, row in by_t.items():
        quality = f"{row['right']:6.1%} right, {row['repeats']:.2%} repeats"
        print(f"{name:>10}, T = {t:>2}: {quality}, {speeds[t]:.1f} times as fast")

# %% tags=["author"]
assert kept >= 0.95 and speeds["4"] >= 3

# %% [markdown]
# *Figure 9: the trade. More steps lead to the left.* Three lengths (table 13) lift the raw model
# above the distilled one, but then each pass has three times as many rows; that was not timed.
#
# | table 9: for | against |
# |---|---|
# | few passes; quick for single sentences | more work; slower for large batches |
# | both sides of a gap are seen | independent guesses mix right answers |
# | `T` trades quality for time | a small `T` needs distillation, or lengths that tell |
# | training is parallel | only hidden words teach |
# | a usual decoder, no causal mask | the length cannot be mended |
# | confidences | no probability of the text; no keys and values kept |
#
# ## On a GPU
#
# English to German on Multi30k (29,000 captions, streamed), both kinds of model, from the same
# lines. (Not measured. Without a GPU the cell takes a few steps on cheques.) Checkpoints go to
# `run_folder`, on Google Drive where Colab has it mounted: if the runtime is lost, run the cells
# again, and each training goes on.

# %%
from mlm_course.models import Seq2SeqConfig
from mlm_course.training import Recipe, find_device

machine = find_device()
GPU = machine.is_gpu
if GPU:
    from mlm_course.corpora.hub_pairs import load_pairs

    corpus = load_pairs("multi30k", n=29_000)
    held_out = load_pairs("multi30k", split="test", n=1000)
else:
    corpus, held_out = train_pairs[:400], test_pairs[:8]
big_tokenizer = pairs.vocabulary(corpus, vocab_size=8000 if GPU else 400)
source, target = pairs.encode_pairs(big_tokenizer, corpus)
asked_source, _ = pairs.encode_pairs(big_tokenizer, held_out)

# %%
longest = max(source.shape[1], target.shape[1], asked_source.shape[1]) + 1
width, layers = (512, 6) if GPU else (64, 1)
big_sizes = Seq2SeqConfig(
    big_tokenizer.get_vocab_size(), longest, d_model=width, n_layers=layers,
    n_heads=width // 64, dropout=0.3 if GPU else 0.0, decoder_layers=layers, max_target=longest,
)  # fmt: skip
big_recipe = Recipe(
    steps=15_000 if GPU else 3, batch_size=128 if GPU else 8, schedule="inverse_square_root",
    precision=machine.precision, compile=machine.compile,
)  # fmt: skip

# %% tags=["nbval-ignore-output"]
from dataclasses import replace

from mlm_course.training import run_folder
from mlm_course.training.datasets import NextWordPairs
from mlm_course.training.losses import next_word_loss

print(machine)
for causal in (True, False):
    big = seeded_init(Seq2Seq, replace(big_sizes, causal=causal)).to(machine.kind)
    data = NextWordPairs(source, target) if causal else GapPairs(source, target, seed=0)
    name = "lesson_11_left_to_right" if causal else "lesson_11_mask_predict"
    fit(
        big, data, next_word_loss if causal else gap_loss, big_recipe,
        folder=run_folder(name) if GPU else None, save_every=500,
        display=progress_display(big_recipe.steps),
    )  # fmt: skip
    texts = []
    for rows in asked_source.to(big.output_bias.device).split(100):  # all at once need much memory
        if causal:
            answers = autoregressive(big, rows, beam=4)
        else:
            answers = decoding.mask_predict(big, rows, steps=10, n_lengths=5)
        texts += [pairs.read(big_tokenizer, row.tolist()) for row in answers.tokens]
    print("left to right:" if causal else "Mask-Predict: ", texts[0][:80])

# %% [markdown]
# To score such answers, install `sacrebleu` and call
# `sacrebleu.corpus_bleu(texts, [[pair.target for pair in held_out]])`.
#
# ## 11. The deck's figures and tables
#
# - [Section 1](#1.-One-word-a-step,-or-several): figures 1 (the idea) and 2 (infilling), tables 1
#   and 2 (against left to right)
# - [Section 3](#3.-A-conditional-masked-language-model): figures and tables 3 (architecture), 6
#   (training) and 7 (optimiser)
# - [Section 5](#5.-Step-by-step): figures and tables 4 (mechanism) and 5 (iteration, effect of `T`)
# - [Section 6](#6.-Real-text:-cheques): figure and table 13 (text generation)
# - [Section 8](#8.-Distillation,-and-other-improvements): figure and table 10 (improvements)
# - [Section 9](#9.-What-it-is-used-for): figures and tables 8 (uses) and 12 (text classification)
# - [Section 10](#10.-For-and-against): figure 9 (quality and speed), table 9 (for and against)
# - Lesson 12: figure and table 11 (trends, samplers)

# %% [markdown]
# ## Quiz

# %%
quiz("11")

# %% [markdown]
# ## Recap
#
# - A **conditional masked language model** is an encoder-decoder without causal mask, trained with
#   any number of words hidden.
# - Guessing all words at once **mixes right answers**, even with exact probabilities. What the
#   first step settles is settled blindly.
# - **Mask-Predict**: guess all, hide the least confident, fewer each time; the others keep words
#   *and* confidences.
# - The **length** is guessed first; several side by side, and the mean log-probability decides.
# - **Distillation** leaves one answer for each source, so that few steps suffice.
# - Fewer passes, more work: **faster for single sentences**, not for large batches.
#
# **Next:** lesson 12 asks what such a model says about the probability of a text, and what other
# samplers do.

# %%
progress("11")

# %% [markdown]
# ## References
#
# - M. Ghazvininejad, O. Levy, Y. Liu, L. Zettlemoyer 2019. *Mask-Predict: Parallel Decoding of
#   Conditional Masked Language Models*. EMNLP. [arXiv:1904.09324](https://arxiv.org/abs/1904.09324)
# - J. Gu, J. Bradbury, C. Xiong, V. Li, R. Socher 2018. *Non-Autoregressive Neural Machine
#   Translation*. ICLR. [arXiv:1711.02281](https://arxiv.org/abs/1711.02281) (multi-modality)
# - Y. Kim, A. Rush 2016. *Sequence-Level Knowledge Distillation*. EMNLP.
#   [arXiv:1606.07947](https://arxiv.org/abs/1606.07947)
# - A. Vaswani et al. 2017. *Attention Is All You Need*. NeurIPS.
#   [arXiv:1706.03762](https://arxiv.org/abs/1706.03762)
# - J. Devlin et al. 2019. *BERT*. NAACL. [arXiv:1810.04805](https://arxiv.org/abs/1810.04805)
# - J. Helcl, B. Haddow, A. Birch 2022. *Non-Autoregressive Machine Translation: It's Not that Fast
#   as it Seems*. NAACL. [arXiv:2205.01966](https://arxiv.org/abs/2205.01966)
# - Y. Higuchi et al. 2020. *Mask CTC: Non-Autoregressive End-to-End ASR with CTC and Mask Predict*.
#   Interspeech. [arXiv:2005.08700](https://arxiv.org/abs/2005.08700)
# - H. Chang et al. 2022. *MaskGIT: Masked Generative Image Transformer*. CVPR.
#   [arXiv:2202.04200](https://arxiv.org/abs/2202.04200)
