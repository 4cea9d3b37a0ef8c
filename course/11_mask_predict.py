# %% [markdown]
# # Lesson 11: Mask-Predict
#
# Until now a masked model filled gaps in a text that was there. This lesson lets one *write*: a
# whole translation, from an empty page, several words at a time. An encoder alone cannot do that
# (lesson 8, section 5): its output has as many places as its input. So we add a decoder that looks
# at the encoder.
#
# GPT and most translators write from left to right, one word a step. **Mask-Predict**
# (Ghazvininejad et al. 2019) guesses *all* words at once, hides the ones it is least sure of,
# guesses those again, and stops after a fixed number of steps. By the end you will have written its
# training, its loop, and its guess of the length; you will know why a single step writes nonsense
# even if every probability is exactly right; and you will have measured when all this is faster,
# and when it is not.
#
# You need lessons 1 to 6. This lesson also settles a slide deck about Mask-Predict whose 13 figures
# and 13 tables are titles without content: section 11 lists where each is drawn or measured here.

# %%
import os
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import matplotlib.pyplot as plt
import torch
from num2words import num2words
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from mlm_course import decoding, tokenization
from mlm_course.corpora import pairs, two_modes
from mlm_course.corruption import MASK_ONLY, Masker, choose_fixed_count
from mlm_course.decoding import autoregressive, refine
from mlm_course.evaluation import visible_mask
from mlm_course.experiments import two_modes as lab
from mlm_course.experiments.pairs import repeats
from mlm_course.models import EncoderConfig, MaskedLM, Seq2Seq, Seq2SeqConfig, fresh, pretrained
from mlm_course.models.heads import mean_over_tokens
from mlm_course.practice import check, hint, progress, quiz, solution
from mlm_course.results import recorded
from mlm_course.tokenization import CLS_ID, MASK_ID, PAD_ID, SPECIAL_IDS
from mlm_course.training import MaskedRows, Recipe, find_device, fit, masked_lm_loss, run_folder
from mlm_course.training.pairs import GapPairs, NextWordPairs, gap_loss, next_word_loss
from mlm_course.training.schedules import SCHEDULES
from mlm_course.views import mask_matrix, refinement_steps, show, token_strip
from mlm_course.widgets import RefinementSteps, progress_display

torch.set_num_threads(1)  # the same numbers on every machine
FAST = os.environ.get("MLM_COURSE_FAST") == "1"  # fewer steps, for a quick look


# %% [markdown]
# ## 1. One word a step, or several
#
# A text of 12 words. Below, each row is one pass through the decoder, each column a place. Black:
# written in this pass. Grey: written before. White: still empty.


# %%
def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def draw_passes(ax: plt.Axes, written: Tensor, title: str) -> None:
    """written (passes, places): 0 empty, 1 there already, 2 new in this pass."""
    ax.imshow(written, cmap="Greys", vmin=0, vmax=2, aspect="auto")
    ax.set(title=title, xlabel="place", ylabel="pass", xticks=[])
    ax.set_yticks(range(len(written)), range(1, len(written) + 1))


N, T = 12, 4
left_to_right = torch.ones(N, N).tril() + torch.eye(N)
sure = torch.rand(1, N, 30, generator=seeded(0)) * 4  # any model would do for this picture
blank = torch.ones(1, N, dtype=torch.bool)
steps = refine(lambda canvas: sure, torch.full((1, N), MASK_ID), blank, MASK_ID, T)
in_parallel = torch.cat([1.0 + step.hidden for step in steps])

fig, axes = plt.subplots(1, 2, figsize=(8, 2.8), width_ratios=(1, 1))
draw_passes(axes[0], left_to_right, "left to right: a pass a word")
draw_passes(axes[1], in_parallel, f"Mask-Predict: {T} passes")
fig.tight_layout()
plt.show()
print(f"{N} words: {N} passes from left to right, {T} with Mask-Predict;")
print("words written in each of them:", [int(step.hidden.sum()) for step in steps])

# %% [markdown]
# *Figure 1, the idea; and figure 2, how infilling works: the page is full after the first pass, and
# later passes replace what is doubtful, fewer words each time.*
#
# Both kinds read the source with the same encoder. They differ in what the decoder may see, what it
# is asked, and how often it runs.
#
# | table 1 | from left to right | Mask-Predict |
# |---|---|---|
# | passes through the decoder | one a word | `T`, whatever the length |
# | a word sees | the words to its left | all words on the page, both sides |
# | when does it stop | it writes an end token | the length is guessed first |
# | a word, once written | stays | may be replaced |
# | earlier work is reused (keys and values kept) | yes | only that of the source: all other words may have changed |
# | trained as | next-word prediction | masked language model with a source |
# | probability of a whole text | exact: a product of next-word probabilities | not available (lesson 12 gets a bound) |
#
# | table 2 | filling in | left to right |
# |---|---|---|
# | first word | guessed together with the last | guessed first, no word to go by |
# | a mistake in the middle | can be mended, now that both sides are there | stays, and all later words follow it |
# | several right answers | a problem: section 2 | no problem: the first word decides |
#
# > **Often read:** Mask-Predict is trained autoregressively, like a standard decoder, with masks added.
#
# > **In fact** it is trained as a masked language model that also sees a source, a *conditional*
# > masked language model (CMLM), and there is no causal mask at any time. An autoregressive decoder
# > learns to guess the next word from the left side only; this one learns to guess any words from
# > both sides (Ghazvininejad et al. 2019, section 2; our section 3). Masked models are not
# > autoregressive; that was lesson 1, section 8.

# %% [markdown]
# ## 2. Why guessing everything at once goes wrong
#
# Often there are several right translations. Say these two, equally likely:

# %%
both = ["today we go home", "we go home today"]
rows = [text.split() for text in both]
for place, (one, other) in enumerate(zip(*rows), 1):
    print(f"place {place}: {one} 1/2, {other} 1/2")

# %% [markdown]
# That is what a *perfect* model says about each place, and there is nothing better to say. But now
# draw each place by itself: "today go go today". Place 2 did not know what was chosen at place 1.
# All places are right, each on its own, and the sentence is nonsense. This is called the
# **multi-modality problem** (Gu et al. 2018): each right answer is a *mode*, and independent
# choices mix modes. It has a typical symptom: the same word twice in a row.
#
# How likely is a right answer?
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
# Now our laboratory for this lesson: a source of 14 letters, and two right answers, as it stands or
# with the first letter moved to the end ("today" in front or behind). No two neighbours are equal
# in either, so every repeat is a mistake, and whether an answer is right can be checked exactly.

# %%
letters = two_modes.vocabulary()


def as_text(ids: Tensor) -> str:
    return "".join(letters[i] if i > MASK_ID else "_" for i in ids)


source = two_modes.sample_sources(1, seeded(1))
first, second = two_modes.answers(source)[0]
coins = torch.rand(3, two_modes.LENGTH, generator=seeded(2)) < 0.5
print("right:     ", as_text(first))
print("right:     ", as_text(second))
for coin in coins:
    print("mixed:     ", as_text(torch.where(coin, first, second)))

# %%
many = two_modes.sample_sources(20_000, seeded(3))
one, other = two_modes.answers(many).unbind(1)
mixed = torch.where(torch.rand(many.shape, generator=seeded(4)) < 0.5, one, other)
right = two_modes.is_valid(two_modes.with_cls(many), mixed)
half = torch.tensor([0.5, 0.5])
exact = two_modes.chance_of_right(half, two_modes.answers(source)[0])
print(f"right: exactly {exact:.6f}, or 2 of 2^14; drawn: {right.float().mean():.6f}")
print(f"letters that repeat the one before: {two_modes.repeats(mixed):.1%}")

# %% [markdown]
# Every probability was exactly right, and practically no answer is. A quarter of the letters repeat
# the one before. No larger model and no longer training can change that: it is not the
# probabilities that are wrong, it is taking the places one by one *without telling each other*.
# Three ways out:
#
# 1. Take several steps: what the first one settles, the next one sees (section 5).
# 2. Have only one right answer to learn: **sequence-level distillation** (section 8).
# 3. Write from left to right: each word sees those before it. That is the slow way that we came from.

# %% [markdown]
# ## 3. A conditional masked language model
#
# The parts: an encoder as in lesson 5. A decoder whose blocks have one thing more,
# **cross-attention**: queries from the page, keys and values from the encoder's vectors. And a
# first token in the source, `[CLS]` here, `LENGTH` in the paper, whose vector says how long the
# answer is.


# %%
def box(ax: plt.Axes, x: float, y: float, text: str, shade: str = "white") -> None:
    style = {"boxstyle": "round,pad=0.5", "facecolor": shade, "edgecolor": "black"}
    ax.text(x, y, text, ha="center", va="center", fontsize=9, bbox=style)


def arrow(ax: plt.Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    ax.annotate("", end, start, arrowprops={"arrowstyle": "->"})


fig, ax = plt.subplots(figsize=(8, 3.6))
ax.set(xlim=(0, 10), ylim=(0, 6))
ax.axis("off")
box(ax, 2, 0.5, "[CLS]  source words")
box(ax, 2, 2.7, "encoder\nevery word sees every word", "0.9")
box(ax, 1, 5.2, "length\n(from [CLS])")
box(ax, 7, 0.5, "the page: words and [MASK]s")
box(ax, 7, 2.7, "decoder: self-attention (NO causal mask),\ncross-attention, feed-forward", "0.9")
box(ax, 7, 5.2, "a guess for every [MASK]")
for start, end in [((2, 1), (2, 1.9)), ((1.2, 3.5), (1, 4.5)), ((7, 1), (7, 1.9)),
                   ((7, 3.5), (7, 4.7)), ((3.8, 2.7), (4.35, 2.7))]:  # fmt: skip
    arrow(ax, start, end)
plt.show()
print("Source and [CLS] -> encoder -> (a) the length, (b) keys and values for the decoder.")
print("Page of words and [MASK]s -> decoder without causal mask -> a guess for every [MASK].")

# %% [markdown]
# *Figure 3: the architecture.*
#
# | table 3: what is new | beside a standard encoder-decoder |
# |---|---|
# | causal mask | removed: each word sees both sides |
# | input of the decoder | a page with `[MASK]`s, instead of the words so far |
# | question | what stands under the `[MASK]`s, instead of what comes next |
# | length | predicted first, from a special token in the source |
# | decoding | a fixed number of rounds of masking and predicting |
#
# Everything else, the weights' shapes included, is the same. In the package both are one class,
# `Seq2Seq`, with `causal=True` or `False`. So who sees whom?
#
# ### Exercise 11.2: hide any number of words
# BERT hides 15 %. Here the model must cope with *any* number of gaps: the page is empty at first
# and nearly full at last. So for each row draw `n` evenly from 1 to `L`, the number of its words,
# and hide `n` of them. `target` `(B, T)` holds ids, 0 is padding. `share` `(B,)` is between 0 and 1
# (1 excluded): `n` is 1 + `share` times `L`, rounded down before adding. `noise` `(B, T)`: hide the
# `n` words with the smallest noise, never padding. Return a boolean `(B, T)`.


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
# `(B, T, T)`, True where query `t` may look at key `s`. Nobody looks at padding. What padding
# itself sees does not matter: let it see the words, like everyone (a row of nothing but False would
# give NaN, lesson 2).


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
page = ["we", "[MASK]", "home", "[MASK]", "[PAD]"]
open_to_all = torch.tensor([word != "[PAD]" for word in page]).expand(5, 5)
show(mask_matrix(page, page, open_to_all))

# %% [markdown]
# What a training batch looks like, from the package's own `GapPairs`: the source, the page, and what is asked.

# %%
task = lab.task()
data = GapPairs(task.source, task.target, seed=0)
batch = data(torch.arange(200), epoch=0)


def training_row(row: int) -> dict:
    """One row as the view draws it: the page, with what is asked behind the gaps."""
    answer = batch.labels[row].where(batch.labels[row] > 0, batch.shown[row])
    title = f"source {as_text(task.source[row, 1:])}"
    gaps = batch.shown[row] == MASK_ID
    return token_strip([letters[i] for i in answer], hidden=gaps, title=title)


show(training_row(0))

# %%
show(training_row(1))

# %%
counts = (batch.shown == MASK_ID).sum(1)
print("hidden letters in each row: from", int(counts.min()), "to", int(counts.max()))
assert counts.min() == 1 and counts.max() == two_modes.LENGTH

# %% [markdown]
# *Figure 6, the training: one pass, some letters hidden, cross-entropy at the hidden ones, plus the
# cross-entropy of the length.*
#
# Train one, live. (`gap_loss` is that sum.)

# %% tags=["nbval-ignore-output"]
recipe = replace(lab.RECIPE, steps=20 if FAST else lab.RECIPE.steps)
model = lab.build()
loss = partial(gap_loss, label_smoothing=0.0)
history = fit(model, data, loss, recipe, display=progress_display(recipe.steps))
test = task.test[: 50 if FAST else 300]
live = lab.by_steps(model, test)
for t, found in live.items():
    print(f"T = {t:>2}: {found['valid']:6.1%} valid, {found['repeats']:6.2%} repeats")

# %%
assert FAST or (live["1"]["valid"] < 0.05 and live["14"]["valid"] > 0.7)
print("One step: practically nothing valid. As many steps as letters: most of it.")

# %% [markdown]
# The model in one step does what section 2 predicts. With more steps more answers are valid, and
# with as many steps as letters nearly all. Section 5 looks at how.
#
# ### Training methods compared
# The same sizes and steps, trained in other ways. Recorded, one run each:

# %%
record = recorded("two_modes")
names = {
    "two modes": "CMLM, any number hidden",
    "15 % hidden": "CMLM, always 15 % hidden",
    "one mode": "CMLM, only one right answer",
    "the twin's answers": "CMLM, a twin's answers",
}
print("table 6: share of valid answers")
print(f"{'T =':>28}", *[f"{t:>6}" for t in lab.STEPS])
for key, name in names.items():
    print(f"{name:>28}", *[f"{record['steps'][key][str(t)]['valid']:6.1%}" for t in lab.STEPS])
print(f"{'from left to right':>28} {record['autoregressive']['valid']:6.1%} (15 passes)")
print("made by:", record["command"])

# %%
valid = {key: [record["steps"][key][str(t)]["valid"] for t in lab.STEPS] for key in names}
assert valid["two modes"][-1] >= 0.95 and record["steps"]["two modes"]["14"]["repeats"] < 0.01
assert sorted(valid["two modes"]) == valid["two modes"]
assert valid["one mode"][0] >= 0.99
assert valid["15 % hidden"][-1] < valid["two modes"][-1]

# %% [markdown]
# - *Any number hidden*: more steps, more valid answers.
# - *15 % hidden*, BERT's way, always 2 of the 14: this model has never seen a nearly empty page,
#   and that is where it has to begin. Steps cannot make up for it.
# - *Only one right answer* (always as it stands): one step is enough. Nothing to mix.
# - *From left to right* (a pass for each letter and one for the end): no mixing; the first letter
#   decides, and the others follow.
# - *A twin's answers*: section 8.
#
# ### The optimiser's part
# The paper's recipe: Adam with betas .9 and .999 and epsilon 1e-6, learning rate 5e-4 after 10,000
# steps of warm-up, then falling with the inverse square root of the step; weight decay .01, dropout
# .3, label smoothing .1, 300,000 steps (Ghazvininejad et al. 2019, section 4). What does each kind
# of thing do here?

# %%
steps_axis = range(0, 300, 5)
fig, (left, right_ax) = plt.subplots(1, 2, figsize=(9.5, 3), layout="constrained")
for name in ("constant", "linear", "cosine", "inverse_square_root"):
    factors = [SCHEDULES[name](s, 300, 30) for s in steps_axis]
    left.plot(steps_axis, factors, label=name.replace("_", " "))
left.set(xlabel="step", ylabel="share of the peak learning rate", ylim=(0, 1.05))
left.legend(fontsize=8)
compared = record["strategies"]
for t, shift in (("6", -0.2), ("14", 0.2)):
    values = [found[t]["valid"] for found in compared.values()]
    right_ax.barh([i + shift for i in range(len(values))], values, 0.36, label=f"T = {t}")
right_ax.set_yticks(range(len(compared)), compared, fontsize=8)
right_ax.set(xlabel="share of valid answers", xlim=(0, 1))
right_ax.invert_yaxis()
right_ax.legend(fontsize=8)
plt.show()
print("table 7: after the same 300 steps")
for name, found in compared.items():
    some, all_steps = found["6"]["valid"], found["14"]["valid"]
    print(f"{name:>32}: valid {some:6.1%} at T = 6, {all_steps:6.1%} at T = 14;", end=" ")
    print(f"repeats {found['14']['repeats']:.2%}")

# %% [markdown]
# *Figure 7: left, schedules with a warm-up of 30 steps; right, what is left of 300 steps when one
# thing changes (one run each: small differences mean nothing).*
#
# With as many steps as letters, a learning rate that falls to 0 is ahead of a constant one; with
# six steps it is not. Label smoothing helps here, in particular at few steps; a likely reason is
# that confidences decide which letters stay, and it keeps them from being too sure. AdamW alone is
# still at the beginning when Muon is done (lesson 6, section 11, has more on that). Gradients are
# clipped in all of them (lesson 6, section 7).

# %% [markdown]
# ## 4. How long is the answer
#
# From left to right, a model writes until it writes the end. A page has to have a size before
# anything is on it. The vector at `[CLS]` predicts the length, as a choice among `0, 1, ... M`.
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
    found = scores.masked_fill(is_zero, -torch.inf).log_softmax(-1).topk(n)
    return found.indices, found.values
    ### END SOLUTION


# %%
check("11.4", best_lengths)

# %% [markdown]
# In the laboratory all answers have 14 letters. From section 6 on there is real text, and lengths
# to be guessed.

# %% [markdown]
# ## 5. Step by step
#
# The model is asked several times. `N` is the number of words, `T` the number of steps.
#
# - Step 0: all `N` places are hidden. Each gets its most likely word; that word's probability is
#   its **confidence**.
# - Step `t` = 1, 2, ..., `T` - 1: the `n` words with the lowest confidence are hidden again,
#   `n = N (1 - t / T)`, rounded down, at least 1. The model sees all others and fills these. Only
#   they get a new word and a new confidence. Everyone else keeps the old ones.
#
# With `N` = 12 and `T` = 10 that hides 12, 10, 9, 8, 7, 6, 4, 3, 2 and 1 words.
#
# ### Exercise 11.5: which words are opened again
# `confidence` `(B, N)`; `real` `(B, N)` boolean, False at padding; `done` steps of `steps` are
# over. Return a boolean `(B, N)`: the `n` least confident real words of each row, where `n` is the
# row's own `N (1 - done / steps)`, rounded down, at least 1. (Computing
# `N * (steps - done) // steps` in whole numbers avoids rounding trouble.)


# %% exercise="11.5"
def to_reopen(confidence: Tensor, real: Tensor, done: int, steps: int) -> Tensor:
    """The least confident words, fewer with every step."""
    ### BEGIN SOLUTION
    n = (real.sum(1) * (steps - done) // steps).clamp(min=1)  # (B,)
    rank = confidence.masked_fill(~real, torch.inf).argsort(1).argsort(1)
    return rank < n[:, None]
    ### END SOLUTION


# %%
check("11.5", to_reopen)

# %% [markdown]
# ### Exercise 11.6: one step
# `predict(canvas)` takes a page of ids `(B, N)` and returns logits `(B, N, V)`. `tokens` and
# `confidence` `(B, N)` are what there is so far, `hidden` `(B, N)` what goes. Return the new tokens
# and the new confidences. (`[MASK]` is 4.)


# %% exercise="11.6"
def fill(
    predict: Callable[[Tensor], Tensor], tokens: Tensor, confidence: Tensor, hidden: Tensor
) -> tuple[Tensor, Tensor]:
    """New words and confidences at the hidden places; all others stay."""
    ### BEGIN SOLUTION
    p, best = predict(tokens.masked_fill(hidden, 4)).softmax(-1).max(-1)  # (B, N) each
    return torch.where(hidden, best, tokens), torch.where(hidden, p, confidence)
    ### END SOLUTION


# %%
check("11.6", fill)

# %% [markdown]
# Why do the others keep an old confidence? The model was only trained to answer at `[MASK]`s. What
# it says at a word that it can see was never corrected; mostly it copies.
#
# ### Exercise 11.7: the whole procedure
# `real` `(B, N)` says which places are to be written; rows may differ in length. Return tokens and
# confidences `(B, N)` after `steps` steps; padding gets token 0 and confidence 1. Use your
# `to_reopen` and `fill`.


# %% exercise="11.7"
def mask_predict(
    predict: Callable[[Tensor], Tensor], real: Tensor, steps: int
) -> tuple[Tensor, Tensor]:
    """Mask-Predict from an empty page: tokens and confidences."""
    ### BEGIN SOLUTION
    tokens, confidence, hidden = torch.where(real, 4, 0), torch.ones(real.shape), real
    for done in range(steps):
        if done > 0:
            hidden = to_reopen(confidence, real, done, steps)
        tokens, confidence = fill(predict, tokens, confidence, hidden)
    return tokens, confidence
    ### END SOLUTION


# %%
check("11.7", mask_predict)

# %% [markdown]
# The package's `refine` is this loop, and remembers every step. Here is the live model at work.
# Each row is the text after a step; number and shade are the confidence, an arrow marks what goes
# again. First in one step, then in six.


# %%
def picture_of(steps: list[decoding.Step], names: list[str], title: str, row: int = 0) -> dict:
    """A refinement as the view draws it: one row of the batch, padding left out."""
    n = int((steps[0].hidden[row]).sum())
    parts = ([getattr(step, part)[row, :n] for step in steps] for part in decoding.Step._fields)
    tokens, confidences, hidden = parts
    words = [[names[i] for i in one] for one in tokens]
    return {
        "tokens": words,
        "confidences": torch.stack(confidences),
        "hidden": torch.stack(hidden),
        "title": title,
    }


lengths = torch.full((len(test),), two_modes.LENGTH)
traces = {t: decoding.mask_predict(model, test, t, lengths=lengths).trace for t in (1, 6, 14)}
valid_now = {t: two_modes.is_valid(test, trace[-1].tokens) for t, trace in traces.items()}
best_row = int((valid_now[6].int() - valid_now[1].int()).argmax())  # wrong at first, then right
wrong_row = int((~valid_now[6]).int().argmax())  # six steps are not enough

# %% tags=["nbval-ignore-output"]
title = f"source {as_text(test[best_row, 1:])}, one step"
show(refinement_steps(**picture_of(traces[1], letters, title, best_row)))

# %% tags=["nbval-ignore-output"]
title = f"source {as_text(test[best_row, 1:])}, six steps"
show(refinement_steps(**picture_of(traces[6], letters, title, best_row)))

# %% [markdown]
# *Figure 4, the mechanism: hide the doubtful, guess again with the rest in view.* In the first step
# each letter is sure to be one of two, and the confidences are about a half. Some letters stay, and
# from them the model can tell which answer it is writing; in the end it is sure of every letter.
#
# Step through it: slider or arrow keys.

# %% tags=["nbval-ignore-output"]
RefinementSteps(**picture_of(traces[14], letters, "one letter fewer with each step", best_row))

# %% [markdown]
# | table 4: what the mechanism buys | how | where to see it |
# |---|---|---|
# | few passes | all places at once | section 7 |
# | places that agree | later guesses see earlier ones | table 5 |
# | early mistakes are mended | a kept word can be opened again | the strips above; exercise 11.7 |
# | both sides are seen | no causal mask | section 3 |
#
# ### How many steps?
# Left: how many words are open in each step, for `N` = 12. Then, for more and more steps, valid
# answers and repeats.

# %% tags=["nbval-ignore-output"]
fig, (left, middle, last) = plt.subplots(1, 3, figsize=(10, 2.9), layout="constrained")
twelve = torch.ones(1, 12, dtype=torch.bool)
for total in (2, 4, 6, 10):
    sampler = decoding.MASK_PREDICT
    opened = [int(decoding.n_open(twelve, t, total, sampler)) for t in range(1, total)]
    left.plot(range(total), [12, *opened], "o-", ms=3, label=f"T = {total}")
left.set(xlabel="step", ylabel="open words of 12", ylim=(0, 12.5))
left.legend(fontsize=8)
for ax, what in ((middle, "valid"), (last, "repeats")):
    ax.plot(lab.STEPS, [found[what] for found in live.values()], "o-")
    ax.set(xlabel="T", ylim=(0, None), xticks=lab.STEPS)
middle.set(ylabel="share of valid answers")
last.set(ylabel="share of repeats")
plt.show()
print("table 5, the live model:")
for t, found in live.items():
    print(f"T = {t:>2}: {found['valid']:6.1%} valid, {found['repeats']:6.2%} repeats")

# %%
print("table 5, recorded:")
for t in lab.STEPS:
    found = record["steps"]["two modes"][str(t)]
    print(f"T = {t:>2}: {found['valid']:6.1%} valid, {found['repeats']:6.2%} repeats")

# %% [markdown]
# *Figure 5, the iteration: repeats fall first, valid answers come with the last steps.* Can we say
# how many will be valid? The first step fills the page blindly, and `k` letters stay. They did not
# know of each other; all `k` belong to the same answer with probability `2 / 2^k`. If they do, the
# rest follows them.

# %%
row = torch.ones(1, two_modes.LENGTH, dtype=torch.bool)
for t in lab.STEPS:
    opened = int(decoding.n_open(row, 1, t, decoding.MASK_PREDICT)) if t > 1 else 0
    k = two_modes.LENGTH - opened
    seen = record["steps"]["two modes"][str(t)]["valid"]
    print(f"T = {t:>2}: {k:>2} stay, 2 / 2^{k:<2} = {2 / 2**k:6.1%}; recorded {seen:6.1%}")
    assert abs(2 / 2**k - seen) < 0.06

# %% [markdown]
# So for this model nearly everything is decided by how many letters the first step settles. (The
# rule takes them for independent coins; the model with label smoothing in table 7 does better than
# it.) Rows that begin with letters of both answers hardly ever recover. They do reopen letters and
# change them; but half a page of one answer and half a page of the other argue for both:

# %% tags=["nbval-ignore-output"]
title = f"source {as_text(test[wrong_row, 1:])}: not valid after six steps"
show(refinement_steps(**picture_of(traces[6], letters, title, wrong_row)))

# %% [markdown]
# With `T` = `N` one letter is settled at a time, and each is chosen with all settled ones in view.
# That is no longer parallel at all: 14 passes for 14 letters; from left to right it is one more,
# for the end.

# %% [markdown]
# ## 6. Real text: cheques
#
# A date and an amount, in French, to be written in English. The dates come from Unicode's locale
# data, the amounts from `num2words`; no network is needed. English has several right ways to write
# a date, so there are modes to mix; the amount has one.

# %%
train_pairs = pairs.cheques(1200, seed=0)
test_pairs = pairs.cheques(60 if FAST else 150, seed=1)
print(test_pairs[0].source)
for answer in sorted(test_pairs[0].right):
    print("   ", answer)

# %% [markdown]
# Three models of equal size come with the course: one that writes from left to right (the *twin*),
# a CMLM trained on the same pairs (*raw*), and a CMLM trained on the twin's answers (*distilled*,
# section 8).

# %%
twin, tokenizer = pretrained("cheques_autoregressive")
raw, distilled = (pretrained(f"cheques_{name}")[0] for name in ("raw", "distilled"))
about = recorded("pairs")
for name, kind in (("autoregressive", "left to right"), ("raw", "CMLM"), ("distilled", "CMLM")):
    trained = about["training"][name]
    print(f"{name:>14}: {kind:>13}, {trained['parameters']:,} parameters,", end=" ")
    print(f"{trained['recipe']['steps']} steps of {trained['recipe']['batch_size']}")
sizes = about["sizes"]
print(f"trained on {sizes['train']:,} cheques, tested on {sizes['test']:,} others;", end=" ")
print(f"{sizes['target_tokens']} tokens an answer on average")
print("made by:", about["command"])

# %%
test_source, _ = pairs.encode_pairs(tokenizer, test_pairs)
found = decoding.mask_predict(raw, test_source[:1], steps=4)
words = [tokenizer.id_to_token(i) for i in range(tokenizer.get_vocab_size())]
shown = picture_of(found.trace, words, "the first cheque, the raw model, T = 4")

# %% tags=["nbval-ignore-output"]
show(refinement_steps(**shown))

# %% [markdown]
# The right answer stands there after one step; the others make it surer. At first the date is
# doubtful, as are words whose place depends on how long everything before them is. In the end all
# confidences are near .9: label smoothing of .1 has taught the model never to be surer than that.
#
# The lengths that the model considers for this cheque, and the share of all test cheques whose most
# likely length is that of a right answer:

# %% tags=["nbval-ignore-output"]
with torch.no_grad():
    log_lengths = raw.log_lengths(raw.encode(test_source[:1]))
best = log_lengths[0].topk(3)
for length, log_p in zip(best.indices.tolist(), best.values.tolist()):
    print(f"{length} tokens: probability {2.718281828**log_p:.2f}")

# %%
for name, share in about["true_length"].items():
    print(f"{name:>10}: the likeliest length is that of a right answer for {share:.1%}")

# %% [markdown]
# Here the lengths are no detail. The right answers of a cheque differ in their dates, and most ways
# to write a date differ in length: with or without commas, "9" or "09". Who has chosen a length has
# nearly chosen the way; there is less left to mix. (In the laboratory both answers were equally
# long, on purpose.)
#
# ### Several lengths at once
# A wrong length cannot be mended: there is one place too many or too few. So Mask-Predict fills the
# `n` most likely lengths side by side, as if they were rows of a batch, and keeps the result whose
# words it is surest of: a **length beam**.
#
# ### Exercise 11.8: which length wins
# `confidence` `(B, n, N)`: for each of `B` sources `n` candidates; behind a candidate's end the
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
# (The mean, not the sum: a sum falls with every word, and the shortest would win.) What it brings, recorded:

# %%
print("share of right answers, by candidate lengths (4 steps)")
for name, by_n in about["lengths"].items():
    print(f"{name:>10}:", *[f"{n}: {found['right']:.1%}   " for n, found in by_n.items()])

# %% [markdown]
# ### How good, in how many steps
# An answer counts if it is one of the right ones, letter by letter. First a sample, live; then the
# whole test, recorded.


# %% tags=["nbval-ignore-output"]
def share_right(answers: Tensor) -> float:
    return pairs.correct(tokenizer, answers, test_pairs).float().mean().item()


greedy = autoregressive(twin, test_source).tokens
print(f"live, {len(test_pairs)} cheques")
print(f"left to right: {share_right(greedy):6.1%} right, {repeats(greedy):.2%} repeats")
for t in (1, 4):
    for name, parallel in (("raw", raw), ("distilled", distilled)):
        answers = decoding.mask_predict(parallel, test_source, t, n_lengths=3).tokens
        good = f"{share_right(answers):6.1%} right, {repeats(answers):.2%} repeats"
        print(f"T = {t}, {name:>9}: {good}")

# %%
print("table 13: text generation, all", about["sizes"]["test"], "cheques, three lengths, recorded")
ways = {f"left to right, {name}": found for name, found in about["autoregressive"].items()}
for name, by_t in about["steps"].items():
    ways |= {f"{name}, T = {t}": found for t, found in by_t.items()}
for name, found in ways.items():
    print(f"{name:>24}: {found['right']:6.1%} right, {found['repeats']:.2%} repeats")

# %%
fig, ax = plt.subplots(figsize=(5.5, 3), layout="constrained")
for name, by_t in about["steps"].items():
    ax.plot([int(t) for t in by_t], [found["right"] for found in by_t.values()], "o-", label=name)
ax.axhline(about["autoregressive"]["greedy"]["right"], color="black", ls=":", label="left to right")
ax.set(xlabel="T", ylabel="share of right answers", ylim=(None, 1.01))
ax.legend()
plt.show()
print("Right answers by T. Dotted: the twin, from left to right.")

# %% [markdown]
# *Figure 13: text generation.* Exact match is a strict measure, and the right one where all right
# answers are known. Machine translation has no such list and uses BLEU, which counts short word
# sequences shared with a reference; a good paraphrase gets little credit. `sacrebleu` computes it;
# it is not needed here.
#
# ### Where it fails
# What goes wrong with one length, and with five? Is it the length?


# %% tags=["nbval-ignore-output"]
def right_lengths(pair: pairs.Pair) -> set[int]:
    every = [pair._replace(target=text) for text in sorted(pair.right)]
    return set((pairs.encode_pairs(tokenizer, every)[1] != PAD_ID).sum(1).tolist())


for name, parallel in (("raw", raw), ("distilled", distilled)):
    for n in (1, 5):
        answers = decoding.mask_predict(parallel, test_source, 4, n_lengths=n).tokens
        wrong = (~pairs.correct(tokenizer, answers, test_pairs)).nonzero()[:, 0].tolist()
        counted = (answers != PAD_ID).sum(1).tolist()
        misfits = sum(counted[i] not in right_lengths(test_pairs[i]) for i in wrong)
        print(f"{name}, lengths tried: {n}. Wrong: {len(wrong)} of {len(test_pairs)},", end=" ")
        print(f"{misfits} of them with a length that no right answer has")
        for i in wrong[:3]:
            print("   written:", pairs.read(tokenizer, answers[i]))
            print("   right amount:", min(test_pairs[i].right).split(": ")[1])

# %% [markdown]
# The twin makes no mistake on these. The CMLMs make two kinds.
#
# *Mixed dates*, with one length: "October 8 October", half of one way and half of another. It
# happens where two ways to write the date are equally long. Given several lengths, the raw model
# finds one that belongs to one way alone, is sure of all its words there, and that candidate wins.
# So here the length beam is a cure for mixing.
#
# *Words left out or put in*, with several lengths, mostly by the distilled model. It mixes less
# (section 8), because it writes each date in the twin's way, whatever the length. If the length
# does not fit that way, something has to go, or to be invented. Some of these amounts read well,
# and the model is nearly as sure of their words as of right ones, so that they beat the candidate
# with the right length. On a cheque that is the worse mistake of the two: a wrong date form looks
# odd, a wrong amount need not.

# %% [markdown]
# ## 7. Is it faster?
#
# > **Often read:** Mask-Predict reduces the complexity for long texts.
#
# Count the multiplications in one decoder block with width `D`. A word that passes through costs
# about `14 D²` (self-attention 4, cross-attention 2, as the source's keys and values are kept,
# feed-forward network 8), and `2 D` for each word and each source word that it looks at. From left
# to right with keys and values kept, `N` passes take one word each. Mask-Predict takes `T` passes
# of all `N` words.


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
# It is *more* work: at least `T` times as much, and somewhat more the longer the text is. Still,
# one sentence is written sooner. A machine with many arithmetic units takes hardly longer for 30
# words than for one, as long as it is not busy: what it waits for is the *number of passes*. Give
# it 64 sentences at once, and it is busy; then the work counts. Live on one thread, then recorded
# on two (medians of 25 rounds; they scatter, above all at small batches):

# %% tags=["nbval-ignore-output"]
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
clock = recorded("pairs_speed")
contestants = list(clock["batches"]["1"])
print("how many times as fast as left to right, recorded (one candidate length)")
print(f"{'batch':>6}", *[f"{name:>8}" for name in contestants[1:]])
for size, found in clock["batches"].items():
    print(f"{size:>6}", *[f"{found[name]['times_as_fast']:8.1f}" for name in contestants[1:]])

# %%
fig, ax = plt.subplots(figsize=(5.5, 3), layout="constrained")
for name in contestants[1:]:
    speeds = [found[name]["times_as_fast"] for found in clock["batches"].values()]
    ax.plot([int(size) for size in clock["batches"]], speeds, "o-", label=name)
ax.axhline(1, color="black", ls=":")
ax.set(xlabel="batch", ylabel="times as fast as left to right", xscale="log", yscale="log")
ax.set_xticks([int(size) for size in clock["batches"]], clock["batches"])
ax.minorticks_off()
ax.set_yticks([0.5, 1, 2, 4, 8], ["0.5", "1", "2", "4", "8"])
ax.legend(fontsize=8)
plt.show()
first, *_, last = clock["batches"].values()
lost = [name for name in contestants[1:] if last[name]["times_as_fast"] <= 1]
print("With batches of 64 every T has lost most of its lead; no faster any more:", *lost)

# %%
assert all(first[t]["times_as_fast"] > 2 * last[t]["times_as_fast"] for t in contestants[1:])

# %% [markdown]
# > **In fact** the number of passes falls from `N` to `T`; the work grows, at least by a factor of
# > `T`, and each pass still compares every word with every other. Long sentences need *more* steps
# > for the same quality, not fewer (Ghazvininejad et al. 2019, section 5.2). The paper reports
# > about 3 times the speed at a loss of 2 BLEU points, and 1.2 times with ten steps and two
# > lengths. Such comparisons depend on the batch, on how well the baseline is built, and on the
# > device (Helcl et al. 2022).
#
# ## 8. Distillation, and other improvements
#
# If several right answers are the trouble, then let there be one. **Sequence-level distillation**
# (Kim and Rush 2016): train an autoregressive model, let it answer every training source, and train
# the CMLM on *its* answers. The twin settles on one answer for each source; its student has less to
# mix. Which ways to write a date does our twin use?

# %% tags=["nbval-ignore-output"]
FORMS = {0: "9 February", 2: "February 9"}  # by the number of commas; one comma: see below


def form_of(answer: Tensor) -> str:
    """In which way a date is written."""
    date = pairs.read(tokenizer, answer).split(" : ")[0]
    day = date.split()[2] if date.count(",") == 1 else ""
    return FORMS.get(date.count(","), "with 0" if day.startswith("0") else "comma, 9 February")


forms = Counter(form_of(answer) for answer in greedy)
print("the twin, on the test's cheques:", dict(forms))

# %% [markdown]
# Not one way for all: it has seen several about equally often, and small preferences decide.
#
# Is that so in the laboratory? How often does its twin answer with the source as it stands?

# %%
print(f"the twin: as it stands for {record['twin_as_it_stands']:.0%} of the sources")
for key in ("two modes", "the twin's answers", "one mode"):
    found = record["steps"][key]
    print(f"{names[key]:>28}: T = 1: {found['1']['valid']:6.1%}, T = 4: {found['4']['valid']:6.1%}")

# %% [markdown]
# From practically nothing to most of it in one step, although the twin still uses both ways:
# *which* way it goes for a source is fixed, and much of that can be learnt. Not all: trained on a
# single way, one step is nearly perfect. Distillation helps as far as the teacher is *predictable*.
#
# What helps how much on cheques? Recorded, one run each; each line is one setting:

# %%
beams = about["lengths"]
right_share = {
    "raw, T = 4, 1 length": beams["raw"]["1"]["right"],
    "... distilled": beams["distilled"]["1"]["right"],
    "... raw, 3 lengths": beams["raw"]["3"]["right"],
    "... distilled, 3 lengths": beams["distilled"]["3"]["right"],
    "... raw, 5 lengths": beams["raw"]["5"]["right"],
    "... raw, 3 lengths, but T = 1": about["steps"]["raw"]["1"]["right"],
    "... raw, 3 lengths, and T = 10": about["steps"]["raw"]["10"]["right"],
}
fig, ax = plt.subplots(figsize=(7, 2.8), layout="constrained")
ax.barh(list(right_share), list(right_share.values()), color="0.6")
ax.set(xlabel="share of right answers", xlim=(0.7, 1))
ax.invert_yaxis()
plt.show()
print("table 10: what each improvement gives")
for name, share in right_share.items():
    print(f"{name:>30}: {share:.1%}")

# %%
assert beams["distilled"]["1"]["right"] > beams["raw"]["1"]["right"] + 0.1
assert beams["raw"]["3"]["right"] > beams["distilled"]["3"]["right"]

# %% [markdown]
# *Figure 10: improvements.* With one length, distillation is worth most. With three, the raw model
# is ahead: the lengths have done what distillation does, and do it better on this task. Do not take
# that as a rule: there are few ways to write a date, and most differ in length. Translations of
# real sentences differ in a thousand ways, and there distillation decides. Reported for English to
# German (WMT 2014, BLEU): trained on raw text 10.64 at `T` = 1 and 24.61 at `T` = 10, distilled
# 18.05 and 27.03 (Ghazvininejad et al. 2019).
#
# And the schedule, on the live model of section 3 (no training needed): how many words stay open in each step.

# %% tags=["nbval-ignore-output"]
schedules = {
    "linear (the paper's)": decoding.linear,
    "cosine (few words first)": decoding.cosine,
    "square (many words first)": lambda done: (1 - done) ** 2,
}
by_schedule = {}
for name, schedule in schedules.items():
    sampler = decoding.Sampler(schedule)
    got = [
        decoding.mask_predict(model, test, t, sampler=sampler, lengths=lengths).tokens
        for t in (6, 10)
    ]
    shares = [two_modes.is_valid(test, tokens).float().mean().item() for tokens in got]
    by_schedule[name] = shares
    print(f"{name:>26}: valid {shares[0]:6.1%} at T = 6, {shares[1]:6.1%} at T = 10")

# %%
paper, few_first, many_first = by_schedule.values()
assert FAST or (few_first[1] > paper[1] > many_first[1])
print("At T = 10: the fewer letters the first step settles, the more answers are valid.")

# %% [markdown]
# What is settled first is settled blindly, so settle little. But the later steps count, too: the
# cosine settles one letter in the first step at `T` = 6 as well as at `T` = 10, and the next ones
# settle several at once. (This is a task with nothing but modes. Other samplers, and other tasks,
# are lesson 12's subject.)

# %% [markdown]
# What came after Mask-Predict, and why, is the subject of lesson 12: *figure and table 11, the
# trends*, are its comparison of samplers (Mask-Predict, MaskGIT, LLaDA, MDLM) at equal numbers of
# steps.

# %% [markdown]
# ## 9. What it is used for
#
# > **Often read:** Mask-Predict shines in text classification, document understanding and question answering.
#
# The paper is about translation, and nothing else. Its results by task are results by language pair (reported):

# %%
bleu = {  # Ghazvininejad et al. 2019; T = 1, 4, 10
    "English to German": (18.05, 25.94, 27.03),
    "German to English": (21.83, 29.90, 30.53),
    "English to Romanian": (27.32, 32.53, 33.08),
}
fig, ax = plt.subplots(figsize=(6, 2.6), layout="constrained")
for shift, (t, shade) in enumerate(((1, "0.8"), (4, "0.5"), (10, "0.2"))):
    places = [i + 0.25 * (shift - 1) for i in range(len(bleu))]
    ax.bar(places, [row[shift] for row in bleu.values()], 0.24, color=shade, label=f"T = {t}")
ax.set_xticks(range(len(bleu)), bleu)
ax.set(ylabel="BLEU (reported)", ylim=(0, 42))
ax.legend(fontsize=8, ncols=3, loc="upper left")
plt.show()
print("table 8: BLEU reported at T = 1, 4, 10")
for name, row in bleu.items():
    print(f"{name:>20}:", *row)

# %% [markdown]
# *Figure 8.* The idea travelled, with other models: speech recognition (Mask-CTC, Higuchi et al.
# 2020), pictures (MaskGIT, Chang et al. 2022), free text (lesson 12). Where it fits, the answer is
# a *text*, of which much follows from the input.
#
# Classification has one label to give: nothing to be written in parallel, nothing to iterate. What
# one *can* do is to take the encoder of a CMLM, throw the decoder away, and put a classifier on it,
# as on any encoder. Is it a good one? Same encoder sizes, same French cheques, same number of
# steps: once inside a CMLM, once as lesson 6's masked language model. Then linear probes on the
# mean of its vectors, with few labels. Beside them the encoder of the shipped CMLM, which trained
# far longer, and one with random weights.

# %% tags=["nbval-ignore-output"]
known_source, known_target = pairs.encode_pairs(tokenizer, train_pairs)
V = tokenizer.get_vocab_size()
sizes = {"vocab_size": V, "max_length": 64, "d_model": 96, "n_layers": 2, "embedding_std": 0.1}
short = Recipe(steps=5 if FAST else 60, batch_size=32, adamw_lr=4e-3, weight_decay=0.0)
cmlm = fresh(Seq2Seq, Seq2SeqConfig(**sizes, decoder_layers=2, max_target=64))
history = fit(cmlm, GapPairs(known_source, known_target, seed=0), gap_loss, short,
              display=progress_display(short.steps))  # fmt: skip
masker = Masker(
    V, SPECIAL_IDS, MASK_ID, choose=choose_fixed_count, ratio=0.3, proportions=MASK_ONLY
)
mlm = fresh(MaskedLM, EncoderConfig(**sizes))
history = fit(mlm, MaskedRows(known_source, masker, seed=0), masked_lm_loss, short,
              display=progress_display(short.steps))  # fmt: skip

# %%
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


@torch.no_grad()
def features(encoder: nn.Module, source: Tensor) -> Tensor:
    """The mean of each cheque's vectors, (N, D)."""
    return mean_over_tokens(encoder(source, visible_mask(source)), visible_mask(source))


def probe(encoder: nn.Module, labels: int = 200) -> list[float]:
    """For each question the accuracy of a linear classifier trained on some labels."""
    x = features(encoder, known_source)
    x = ((x - x.mean(0)) / (x.std(0) + 1e-6)).numpy()
    found = []
    for question in asked:
        y = [questions(pair)[question] for pair in train_pairs]
        classifier = LogisticRegression(C=0.1, max_iter=300).fit(x[:labels], y[:labels])
        found.append(classifier.score(x[labels:], y[labels:]))
    return found


# %% tags=["nbval-ignore-output"]
asked = list(questions(train_pairs[0]))
encoders = {
    "CMLM": cmlm.eval().encoder,
    "MLM": mlm.eval().encoder,
    "shipped CMLM": raw.encoder,
    "random": fresh(MaskedLM, EncoderConfig(**sizes), 1).eval().encoder,
}
table = {name: probe(encoder) for name, encoder in encoders.items()}
yes = [[questions(pair)[q] for pair in train_pairs[200:]] for q in asked]
table["always the same"] = [max(sum(y), len(y) - sum(y)) / len(y) for y in yes]
fig, ax = plt.subplots(figsize=(7, 2.8), layout="constrained")
for place, (name, row) in enumerate(table.items()):
    ax.bar([i + 0.16 * (place - 2) for i in range(len(asked))], row, 0.15, label=name)
ax.set_xticks(range(len(asked)), asked, fontsize=8)
ax.set(ylabel="accuracy", ylim=(0.4, 1.1))
ax.legend(fontsize=7, ncols=5, loc="upper center")
plt.show()
print("table 12: accuracy of a linear probe, 200 labels")
print(f"{'':>24}", *[f"{name:>15}" for name in table])
for place, question in enumerate(asked):
    print(f"{question:>24}", *[f"{row[place]:15.0%}" for row in table.values()])

# %% [markdown]
# *Figure 12: text classification, honestly* (small models, one run each). "Always the same" is what
# one gets by always giving the commoner answer.
#
# - The first two questions can be read off a single word. Random weights do that best: they blend
#   all words into the mean and lose none. Training makes vectors useful for *something else*, and
#   the mean says less about which words there were.
# - The last two need the value of number words. Nobody does well: compare each column with the last one.
# - After equally many steps the CMLM's encoder is ahead of the MLM's on most questions. It has also
#   had two texts to learn from in each step, and both have hardly begun: not a law.
#
# Nothing here is owed to masking and predicting: it is an encoder with a head on it, and lesson 8
# is the place to learn about those.
#
# > **In fact** the paper reports translation only (Ghazvininejad et al. 2019, section 4).
# > Classification and question answering need an encoder and a head (lesson 8); writing free text
# > in parallel is lesson 12's subject, with other samplers.

# %% [markdown]
# ## 10. For and against
#
# Quality against speed, from the two records: each point a way to answer: one length, batch 1.

# %%
speeds = {t: clock["batches"]["1"][f"T={t}"]["times_as_fast"] for t in about["steps"]["raw"]}
fig, ax = plt.subplots(figsize=(5.5, 3.2), layout="constrained")
for name, by_t in about["steps_one_length"].items():
    ax.plot(
        [speeds[t] for t in by_t], [found["right"] for found in by_t.values()], "o-", label=name
    )
ax.plot(1, about["autoregressive"]["greedy"]["right"], "k*", ms=12, label="left to right")
ax.set(xlabel="times as fast as left to right", ylabel="share of right answers")
ax.legend()
plt.show()
print("T against quality, repeats and speed (one length, batch 1)")
for name, by_t in about["steps_one_length"].items():
    for t, found in by_t.items():
        quality = f"{found['right']:6.1%} right, {found['repeats']:.2%} repeats"
        print(f"{name:>10}, T = {t:>2}: {quality}, {speeds[t]:.1f} times as fast")

# %%
kept = (
    about["steps_one_length"]["distilled"]["4"]["right"]
    / about["autoregressive"]["greedy"]["right"]
)
print(f"distilled, one length, T = 4: {kept:.1%} of the twin's right answers,", end=" ")
print(f"{speeds['4']:.1f} times as fast")
assert kept >= 0.95 and speeds["4"] >= 3

# %% [markdown]
# *Figure 9: the trade. More steps lead to the left.* With one length the raw model stays where it
# is, because it mixes dates; the distilled one needs few steps. Three lengths (table 13) lift the
# raw model above it, but then each pass has three times as many rows; that was not timed.
#
# | table 9: for | against |
# |---|---|
# | a fixed number of passes; quick for single sentences | more work in total; slower for large batches (section 7) |
# | both sides of a gap are seen; early mistakes can be mended | independent guesses mix right answers (section 2) |
# | one number, `T`, trades quality for time | few steps suffice only where little can be mixed: after distillation, which needs an autoregressive twin first, or where lengths tell the answers apart (sections 6, 8) |
# | training is as parallel as any masked language model's | only the hidden words of a row teach anything |
# | the same decoder, without causal mask: little to build | the length must be guessed beforehand, and cannot be mended (section 6) |
# | confidences come for free | no probability of the whole text; no keys and values to keep |
#
# ## On a GPU
#
# English to German on Multi30k (29,000 captions of photographs, streamed): both kinds of model,
# from the same lines. (Not measured: no GPU and no network were at hand when this was written.
# Without a GPU, the twin of this cell takes a few steps on cheques.) `find_device` says which GPU
# there is and what suits it: 16-bit numbers, `torch.compile` on CUDA. `run_folder` names a folder
# for the checkpoints of each training, on Google Drive where Colab has it mounted: if the runtime
# is lost, run the lesson's cells again, and each goes on from its last one.

# %%
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
print(machine)
for causal in (True, False):
    big = fresh(Seq2Seq, replace(big_sizes, causal=causal)).to(machine.kind)
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
# `sacrebleu.corpus_bleu(texts, [[pair.target for pair in held_out]])`. (Both sides with the same
# spaces between words and signs.) To distil, replace `target` by the first model's answers to
# `source`.
#
# ## 11. The deck's figures and tables
#
# A slide deck on Mask-Predict, one of the documents from which this course grew, names 13 figures
# and 13 tables and shows none of them. Here they are:
#
# | | figure | table | where |
# |---|---|---|---|
# | 1 | the idea | beside other decoders | [section 1](#1.-One-word-a-step,-or-several) |
# | 2 | how infilling works | infilling and left to right | [section 1](#1.-One-word-a-step,-or-several) |
# | 3 | architecture | what is new | [section 3](#3.-A-conditional-masked-language-model) |
# | 4 | mask and predict | what it buys | [section 5](#5.-Step-by-step) |
# | 5 | the iteration | the effect of `T` | [section 5](#5.-Step-by-step) |
# | 6 | training | training methods compared | [section 3](#3.-A-conditional-masked-language-model) |
# | 7 | the optimiser | strategies compared | [section 3](#3.-A-conditional-masked-language-model) |
# | 8 | uses | results by task | [section 9](#9.-What-it-is-used-for) |
# | 9 | quality and speed | for and against | [section 10](#10.-For-and-against) |
# | 10 | improvements | what each gives | [section 8](#8.-Distillation,-and-other-improvements) |
# | 11 | trends | samplers compared | lesson 12 |
# | 12 | text classification | its accuracy | [section 9](#9.-What-it-is-used-for) |
# | 13 | text generation | exact match and repeats | [section 6](#6.-Real-text:-cheques) |

# %% [markdown]
# ## Quiz

# %%
quiz("11")

# %% [markdown]
# ## Recap
#
# - A **conditional masked language model** is an encoder-decoder without causal mask, trained with
#   any number of words hidden, from one to all.
# - Guessing all words at once **mixes right answers**, even with exact probabilities. Repeats are the symptom.
# - What the first step settles is settled blindly: the fewer words it settles, the better they agree.
# - **Mask-Predict**: guess all, hide the least confident, fewer each time; the others keep their
#   words *and* their confidences, and may be hidden later.
# - The **length** is guessed first; several lengths side by side, and the mean log-probability decides.
# - **Distillation** leaves one answer for each source, so that few steps suffice.
# - Fewer passes, more work: **faster for single sentences**, not for large batches.
#
# **Next:** lesson 12 asks what such a model says about the probability of a text, and what other samplers do.

# %%
progress("9")

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
# - A. Radford et al. 2019. *Language Models are Unsupervised Multitask Learners*. OpenAI.
# - J. Helcl, B. Haddow, A. Birch 2022. *Non-Autoregressive Machine Translation: It's Not that Fast
#   as it Seems*. NAACL. [arXiv:2205.01966](https://arxiv.org/abs/2205.01966)
# - Y. Higuchi et al. 2020. *Mask CTC: Non-Autoregressive End-to-End ASR with CTC and Mask Predict*.
#   Interspeech. [arXiv:2005.08700](https://arxiv.org/abs/2005.08700)
# - H. Chang et al. 2022. *MaskGIT: Masked Generative Image Transformer*. CVPR.
#   [arXiv:2202.04200](https://arxiv.org/abs/2202.04200)
