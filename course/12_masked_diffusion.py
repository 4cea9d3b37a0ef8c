# %% [markdown]
# # Lesson 12: From CMLM to masked diffusion
#
# Lesson 11's model had a source to translate. This one has nothing: a blank line of `[MASK]`
# tokens, which it turns into a sentence. Models that do so are called *masked diffusion* models,
# and some of them are large language models by now.
#
# They look like a new invention. They are lesson 11's conditional masked language model (CMLM)
# without a source, and with a proof. By the end you will have checked that proof on numbers, and
# measured what it promises: how probable a text is, which sampler writes valid sentences in how few
# steps, and what a *perfect* model could not do either. You need lessons 6 and 11.

# %%
import itertools
import math
import os
from dataclasses import replace

import matplotlib.pyplot as plt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mlm_course import tokenization
from mlm_course.corpora import images, labelled, labelled_rows, tinyworld
from mlm_course.decoding import LLADA, MASK_PREDICT, MDLM, Predict, Sampler, refine
from mlm_course.diffusion import (
    Answers,
    GapRows,
    blank,
    bound_by_count,
    bound_by_rate,
    diffusion_loss,
    exact_answers,
    leave_one_out,
    likelihood_bound,
    predictor,
)
from mlm_course.evaluation import score_hidden, visible_mask
from mlm_course.experiments.diffusion import (
    PerfectModel,
    exact_predict,
    exact_surprise,
    judged,
    n_words,
)
from mlm_course.experiments.tinyworld import masker, sentences
from mlm_course.models import EncoderConfig, MaskedLM, StackConfig, fresh
from mlm_course.models.encoder import BlockStack
from mlm_course.models.image_mae import patchify
from mlm_course.models.pretrained import pretrained
from mlm_course.practice import check, hint, progress, quiz, solution
from mlm_course.results import recorded
from mlm_course.training import MaskedRows, Recipe, find_device, fit, masked_lm_loss, run_folder
from mlm_course.views import refinement_steps, show
from mlm_course.widgets import RefinementSteps, progress_display

torch.set_num_threads(1)  # the same numbers on every machine
FAST = os.environ.get("MLM_COURSE_FAST") == "1"  # fewer steps, for a quick look


# %% [markdown]
# ## 1. Out of nothing
#
# A trained model comes with the course. It is an ordinary masked language model of tinyworld, as in
# lesson 6. The main difference in training: of a sentence with `N` words, `n` were hidden, and `n`
# was drawn anew each time, from 1 to all `N`. So it has practised everything from the last missing
# word to a blank line.
#
# Here is a blank line of 17 words, filled in eight steps. Each step guesses all open places, keeps
# some guesses, and opens the others again.


# %%
def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


names = tinyworld.vocabulary()
V = len(names)
model, _ = pretrained("diffusion")


def words(ids: Tensor) -> list[str]:
    """A row of ids without [CLS], [SEP] and [PAD]."""
    return [names[i] for i in ids if i > 4 or i == tokenization.MASK_ID]


# %% tags=["nbval-ignore-output"]
drawing = replace(MASK_PREDICT, temperature=1.0)  # draw words instead of taking the likeliest
canvas, hidden = blank(torch.tensor([17]))
steps = refine(predictor(model), canvas, hidden, tokenization.MASK_ID, 8, drawing, seeded(0))
trace = (
    [words(step.tokens[0]) for step in steps],
    [step.confidence[0, 1:18] for step in steps],
    [step.hidden[0, 1:18] for step in steps],
)
RefinementSteps(*trace, title="eight steps from a blank line")

# %% tags=["nbval-ignore-output"]
show(refinement_steps(*trace, title="the same, all at once"))

# %% tags=["nbval-ignore-output"]
print("is it a sentence of tinyworld?", bool(exact_surprise(steps[-1].tokens).isfinite()))

# %% [markdown]
# It reads like one, and yet something does not agree: a name and its pronoun, or two mentions of
# the same thing. Eight steps for 17 words were not enough. How many would be?
#
# So there are two questions. *Why* should a model that was only ever asked about single words know
# how probable a whole sentence is? (Sections 2 to 7.) And *which* of its guesses should one keep?
# (Sections 8 and 9.)

# %% [markdown]
# ## 2. One sum, in any order
#
# Take a language so small that everything can be written down: three words, texts of four. There
# are 81 texts, and a table holds the probability of each.

# %%
little = ("tick", "tock", "boom")
joint = torch.rand(3, 3, 3, 3, generator=seeded(0), dtype=torch.float64) ** 4
joint = joint / joint.sum()  # (V, V, V, V): the probability of every text
text = torch.tensor([0, 1, 1, 2])
N = len(text)
p = joint[tuple(text)].item()
print("the text:", *[little[i] for i in text])
print(f"its probability {p:.5f}, its surprise -log p = {-math.log(p):.4f} nats")

# %% [markdown]
# ### Exercise 12.1: the exact guess
# `joint` is such a table with `N` axes of size `V`, `text` `(N,)`, `hidden` `(N,)` boolean. Return
# `(V,)`: the probability of each word at `place` (which is hidden), given the *visible* words.
# Other hidden places may hold anything. (`joint.narrow(i, int(text[i]), 1)` keeps of axis `i` only
# the slice of the true word; the axis stays, with size 1.)


# %% exercise="12.1"
def guess(joint: Tensor, text: Tensor, hidden: Tensor, place: int) -> Tensor:
    """The probability of each word at a hidden place, given the visible words."""
    ### BEGIN SOLUTION
    for i in range(joint.ndim):
        if i != place:
            visible = joint.narrow(i, int(text[i]), 1)
            joint = joint.sum(i, keepdim=True) if hidden[i] else visible
    return joint.flatten() / joint.sum()
    ### END SOLUTION


# %%
check("12.1", guess)

# %% [markdown]
# The package has the same for a whole text: `answers = exact_answers(joint, text)`. You give it
# rows of `hidden`, it returns the log-probability of the true word at each hidden place.
#
# Now uncover the text from left to right: guess the first word with all four hidden, then the
# second with three hidden, and so on. The surprises add up to the surprise of the text. That is the
# chain rule, and an autoregressive model lives on it.
#
# The rule does not say *which* order.

# %%
answers = exact_answers(joint, text)


def surprises_of(answers: Answers, order: tuple[int, ...]) -> list[float]:
    """The surprise of each word when the text is uncovered in this order."""
    hidden = torch.zeros(N, N, dtype=torch.bool)  # a row for each step
    for i in range(N):
        hidden[i, list(order[i:])] = True
    log_p = answers(hidden)  # (N, N)
    return [-log_p[i, place].item() for i, place in enumerate(order)]


for order in ((0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1)):
    parts = surprises_of(answers, order)
    print(order, " + ".join(f"{x:.4f}" for x in parts), f"= {sum(parts):.4f}")

# %% [markdown]
# Every part differs, the sum is the same. A masked language model can answer all of these
# questions, in any order. A left-to-right model cannot.

# %% [markdown]
# ## 3. The average over all orders
#
# If every order has the same sum, the average over all 24 has it, too. Now sort the 24 x 4 parts
# not by order, but by *how many words were hidden* when the question was asked. With `n` hidden,
# every choice of `n` places comes up equally often, and so does every one of them as the place that
# is asked. So the parts with `n` hidden average to
#
# *the mean surprise of the hidden words, averaged over all ways to hide `n`*.
#
# One such number for each `n`, and their sum is the surprise of the text. Check it:

# %%
parts = [surprises_of(answers, order) for order in itertools.permutations(range(N))]  # 24 x 4
by_orders = torch.tensor(parts, dtype=torch.float64).mean(0).flip(0)  # (N,) for n = 1, 2, 3, 4
by_sets = []
for n in range(1, N + 1):
    sets = list(itertools.combinations(range(N), n))
    hidden = torch.zeros(len(sets), N, dtype=torch.bool)
    for row, places in enumerate(sets):
        hidden[row, list(places)] = True
    by_sets.append(-(answers(hidden) * hidden).sum(1).mean().item() / n)
    print(f"{n} hidden: {by_orders[n - 1]:.4f} over orders; {by_sets[-1]:.4f} over", end=" ")
    print(f"{len(sets)} ways to hide")
print(f"the sum: {sum(by_sets):.4f}, and -log p: {-math.log(p):.4f}")

# %%
assert abs(sum(by_sets) + math.log(p)) < 1e-9

# %% [markdown]
# A sum over `n = 1..N` is `N` times the average over `n`. So:
#
# $$-\log p(x) = N \cdot \mathrm{E}_{n \sim U\{1..N\}}\ \mathrm{E}_{|M| = n}\left[\frac{1}{n}\sum_{i \in M} -\log p(x_i \mid \text{what is visible})\right]$$
#
# Read from the right: hide `n` words, take the *mean* of their surprises, average over everything,
# times `N`. That is a way to train: draw one `n`, hide that many, take the mean. Lesson 11 drew `n`
# just so. It was derived for this purpose before anybody spoke of masked diffusion (Uria et al.
# 2014; Liao et al. 2020).
#
# ### Exercise 12.2: one draw of it
# A batch: `surprise` `(B, T)` of every token, `hidden` `(B, T)`, and `words` `(B, T)`, False at
# padding. Return `(B,)`: for each row, `N` times the mean surprise of *its* hidden words. `N` is
# the number of words of the row. (Hidden or not, every place has a surprise here; only hidden ones
# count.)


# %% exercise="12.2"
def count_bound(surprise: Tensor, hidden: Tensor, words: Tensor) -> Tensor:
    """N times the mean surprise of the hidden words, for each row."""
    ### BEGIN SOLUTION
    return words.sum(1) * (surprise * hidden).sum(1) / hidden.sum(1)
    ### END SOLUTION


# %%
check("12.2", count_bound)

# %% [markdown]
# ## 4. The same with a rate
#
# Papers on diffusion write it differently. Time `t` runs from 0 to 1, and at time `t` each word is
# hidden with probability `t`, independently of the others. At 0 the text is whole, at 1 it is
# blank. That is the **forward process** (Austin et al. 2021 call it *absorbing*: what is masked
# stays masked as `t` grows). No noise is added to anything: a word is there or it is not.
#
# > **Often read:** a diffusion model for text adds Gaussian noise to the words and removes it step
# > by step, as for images.
#
# > **In fact** there are such models, on embeddings. Others replace words by random ones, or *hide*
# > them; hiding did best on text, and the network is a masked language model. (Austin et al. 2021,
# > sections 3 and 5; Sahoo et al. 2024)
#
# How must the surprises be weighed now, so that the same sum comes out? A particular set of `n`
# words is the hidden one with probability `t^n (1 - t)^(N - n)`. In section 3 it had the weight
# `1 / n`, divided by the number of such sets. Weigh by `1 / t`, and the average over all times is
# just that:

# %%
points = (torch.arange(100_000, dtype=torch.float64) + 0.5) / 100_000  # times from 0 to 1
for n in range(1, N + 1):
    by_rate = (points**n * (1 - points) ** (N - n) / points).mean().item()
    by_count = 1 / (n * math.comb(N, n))
    print(
        f"a set of {n}: weight by rate {by_rate:.6f}, 1 / ({n} x {math.comb(N, n)}) {by_count:.6f}"
    )

# %% [markdown]
# In words: a rate `t` hides `t N` words on average. Divided by `t`, their summed surprise is worth
# `N` words, whatever `t` was. So each number of hidden words counts the same.
#
# $$-\log p(x) = \mathrm{E}_{t \sim U(0,1)}\left[\frac{1}{t}\sum_{i \text{ hidden}} -\log p(x_i \mid \text{what is visible})\right]$$
#
# All three, for a few texts:

# %%
print(f"{'text':>20}   by count   by rate   -log p")
for some in ((0, 1, 1, 2), (2, 2, 2, 2), (1, 0, 2, 0), (2, 1, 0, 1)):
    of_it = exact_answers(joint, torch.tensor(some))
    three = bound_by_count(of_it, N), bound_by_rate(of_it, N), -joint[some].log()
    print(f"{' '.join(little[i] for i in some):>20}", *[f"{x:9.5f}" for x in three])
    assert max(three) - min(three) < 1e-9

# %% [markdown]
# ### Exercise 12.3: one draw by rate
# `surprise` and `noise` `(B, N)`, the noise evenly between 0 and 1; `rate` `(B,)`, one `t` a row. A
# word is hidden where its noise is below its row's rate. Return `(B,)`: the summed surprise of the
# hidden words, weighed as above. (No padding here.)


# %% exercise="12.3"
def rate_bound(surprise: Tensor, noise: Tensor, rate: Tensor) -> Tensor:
    """The summed surprise of what the rate hides, divided by the rate, for each row."""
    ### BEGIN SOLUTION
    hidden = noise < rate[:, None]
    return (surprise * hidden).sum(1) / rate
    ### END SOLUTION


# %%
check("12.3", rate_bound)

# %% [markdown]
# Both are right on average. One draw is not worth the same:

# %%
hidden = torch.rand(4000, N, generator=seeded(1)).argsort(1)  # a random order in each row
n = torch.randint(1, N + 1, (4000, 1), generator=seeded(2))
by_n = hidden < n
surprise = -answers(by_n)
draws = N * (surprise * by_n).sum(1) / n[:, 0]
t = torch.rand(4000, 1, generator=seeded(3), dtype=torch.float64)
by_t = torch.rand(4000, N, generator=seeded(4)) < t
some = by_t.any(1)
other = torch.zeros(4000, dtype=torch.float64)
other[some] = -(answers(by_t[some]) * by_t[some]).sum(1) / t[some, 0]
print(f"by count: mean {draws.mean():.2f}, one draw is off by {draws.std():.2f}")
print(f"by rate:  mean {other.mean():.2f}, one draw is off by {other.std():.2f}")
print(f"by rate, nothing hidden at all: {1 - some.double().mean():.0%} of the draws")

# %% [markdown]
# The mean is the same up to chance, and the count is steadier: it never hides nothing, and never
# divides by a tiny `t`. (By rate the spread has no limit: a tiny `t` with one word hidden is rare,
# but 1 / t² grows faster. The printed spread hangs on the luck of the draw.) Nie et al. (2025,
# LLaDA) make the same point: they train by rate and *evaluate* by count.

# %% [markdown]
# ## 5. With a model
#
# So far the guesses were exact. A model's guesses are not. Then the orders no longer agree with
# each other: left to right it finds the text more probable than right to left, say. Which one is
# "the model's probability"?
#
# Let the model write a text in a *random* order, one word at a time. The probability that it writes
# `x` is the average over all orders of the product. The bound averages the *logarithms* instead,
# and the mean of logarithms is never above the logarithm of the mean (Jensen's inequality). So
#
# 1. `bound(x) >= -log p_model(x)` for each text;
# 2. and no model beats the language: over all texts, the bound is on average at least the
#    language's **entropy**, its own average surprise.
#
# Our model for now: the exact guesses, mixed with a doubt. With probability `doubt` it says any of
# the three words.


# %%
def doubting(answers: Answers, doubt: float) -> Answers:
    def mixed(hidden: Tensor) -> Tensor:
        log_p = ((1 - doubt) * answers(hidden).exp() + doubt / 3).log()
        return log_p.where(hidden, 0.0)

    return mixed


def own_surprise(answers: Answers) -> float:
    """-log of the probability that a model writes the text, one word at a time in any order."""
    orders = itertools.permutations(range(N))
    return -math.log(
        sum(math.exp(-sum(surprises_of(answers, o))) for o in orders) / math.factorial(N)
    )


texts = list(itertools.product(range(3), repeat=N))
exact_of = {some: exact_answers(joint, torch.tensor(some)) for some in texts}
entropy = -(joint * joint.log()).sum().item()
print(f"entropy of the language: {entropy:.4f}")
for doubt in (0.0, 0.1, 0.5):
    bound, own = 0.0, 0.0
    for some in texts:
        asked = doubting(exact_of[some], doubt)
        one, other = bound_by_count(asked, N).item(), own_surprise(asked)
        assert one >= other - 1e-9  # for each text
        bound += joint[some].item() * one
        own += joint[some].item() * other
    print(f"doubt {doubt:.2f}: the model's own surprise {own:.4f}, its bound {bound:.4f}")
    assert bound >= own - 1e-9 and own >= entropy - 1e-9

# %% [markdown]
# With exact guesses all three agree. With doubts the bound is the largest, always. Whoever lowers
# the bound by training cannot cheat: the model gets better, or its orders come to agree. (Sahoo et
# al. 2024, Shi et al. 2024 and Ou et al. 2024 derive the same bound from the diffusion side.)

# %% [markdown]
# ## 6. One slice is not enough
#
# What do other ways of training take from this sum?
#
# | | hides | that is |
# |---|---|---|
# | masked diffusion, and a CMLM with a mean for each sentence | `n` from 1 to `N`, all alike | the whole sum |
# | Mask-Predict's code | `n` from 1 to `N - 1`, one mean over all hidden words of the batch | the whole sum but for the blank line, and `n` counts `n` times: nearly blank lines weigh most |
# | BERT | 15 % | one slice |
# | pseudo-likelihood | one word | the first slice, `N` times |
#
# What would one slice claim about the language? `N` times the surprise with `n` hidden, on average
# over all texts:

# %%
slices, first = [0.0] * N, 0.0
for some in texts:
    weight, of_it = joint[some].item(), exact_of[some]
    first += weight * leave_one_out(of_it, N).item()
    for n in range(1, N + 1):
        sets = torch.tensor([[i in s for i in range(N)]
                             for s in itertools.combinations(range(N), n)])  # fmt: skip
        slices[n - 1] -= weight * N * (of_it(sets) * sets).sum(1).mean().item() / n
print("the pseudo-likelihood claims", f"{first:.4f}")
print("N times the slice n = 1..4: ", *[f"{x:.4f}" for x in slices])
print("their mean, and the entropy:", f"{sum(slices) / N:.4f} {entropy:.4f}")

# %%
assert slices == sorted(slices) and slices[0] < entropy < slices[-1]
assert abs(first - slices[0]) < 1e-9 and abs(sum(slices) / N - entropy) < 1e-9

# %% [markdown]
# > **Often read:** the sum of `log p(word | all other words)` is the log-probability of the text.
#
# > **In fact** that is the pseudo-likelihood: the slice with one word hidden. Each word is helped
# > by all others, so it claims too little surprise: on average, less than the entropy. It ranks
# > texts well, but it is no probability and bounds none from the safe side. (Salazar et al. 2020,
# > section 2; Wang and Cho 2019 tried to write with it. The numbers are above: section 6)
#
# ### Exercise 12.4: the pseudo-likelihood
# `predict` takes rows of ids `(B, N)` and returns log-probabilities `(B, N, V)`. `ids` `(N,)` is a
# text. Return the sum over all places of `log p(word | all other words)`, one number: hide each
# place alone, with `mask_id`. One call of `predict` with `N` rows is enough.


# %% exercise="12.4"
def pseudo_likelihood(predict, ids: Tensor, mask_id: int) -> Tensor:
    """The sum of each word's log-probability given all the others."""
    ### BEGIN SOLUTION
    i = torch.arange(len(ids))
    canvas = ids.repeat(len(ids), 1).fill_diagonal_(mask_id)  # (N, N): place i hidden in row i
    return predict(canvas)[i, i, ids].sum()
    ### END SOLUTION


# %%
check("12.4", pseudo_likelihood)

# %% [markdown]
# ## 7. The bound of a real model
#
# Back to tinyworld and the trained model. Its language is known, so `-log p` of every sentence is
# known exactly (given its length: a line of `[MASK]` tokens gives that away, so all numbers below
# take the length as given). First the chain rule again, on a real sentence, with the exact guesses
# and random orders:

# %%
test_ids = sentences(200, 31)
row = test_ids[:1]
exact = exact_surprise(row).item()
places = (row[0] > 4).nonzero()[:, 0]
for seed in range(3):
    order = places[torch.randperm(len(places), generator=seeded(seed))]
    hidden = torch.zeros(len(order), row.shape[1], dtype=torch.bool)
    for i in range(len(order)):
        hidden[i, order[i:]] = True
    posterior = tinyworld.masked_posterior(row.expand(len(order), -1), hidden)
    steps_of_order = -posterior[torch.arange(len(order)), order, row[0, order]].log()
    print("hardest word:", f"{names[row[0, order[steps_of_order.argmax()]]]:>8},", end=" ")
    print(f"sum {steps_of_order.sum():.4f}, exact {exact:.4f}")
    assert abs(steps_of_order.sum().item() - exact) < 1e-6

# %% [markdown]
# Now the trained model's bound. Each draw hides other words, and which ones they are makes more
# difference than how good the model is. So we ask a perfect model the *same* questions: on average
# its bound is the exact number, and what the trained one has above it is its own fault.

# %% tags=["nbval-ignore-output"]
exact = exact_surprise(test_ids)  # (200,)
perfect = likelihood_bound(PerfectModel(), test_ids, seeded(32), draws=8)
bound = likelihood_bound(model, test_ids, seeded(32), draws=8)  # the same words hidden
print(f"exact, mean over {len(exact)} sentences:  {exact.mean():.2f} nats")
print(f"a perfect model's bound, eight draws: {perfect.mean():.2f}")
print(f"the trained model's, the same draws:  {bound.mean():.2f}")

# %%
assert 0 < (bound - perfect).mean() < 2 and abs((perfect - exact).mean()) < 1

# %%
record = recorded("diffusion")
print(f"recorded, more sentences and draws: exact {record['entropy']:.2f},", end=" ")
print(f"bound {record['bound']:.2f} nats")
print(f"{record['parameters']:,} parameters, {record['recipe']['steps']} steps of", end=" ")
print(f"{record['recipe']['batch_size']} sentences; made by: {record['command']}")

# %% [markdown]
# Nearly nothing is lost. The sum of section 3 can be drawn: the surprise of a hidden word, against
# the share of words that is hidden. *The area under the curve, times `N`, is the bound* (to be
# exact: the curve's mean over `n = 1..N`, times `N`).

# %%
small = record["weightings"]
shares = record["shares"]
fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), sharey=True)
left.plot(shares, record["floor by share"], "k--", label="exact")
left.plot(shares, record["by share"], "o-", label="the model")
left.fill_between(shares, record["by share"], alpha=0.15)
left.axvline(0.15, color="grey", lw=0.8)
left.text(0.17, 4.4, "BERT", color="grey")
left.set(xlabel="share hidden", ylabel="nats a hidden word", title="the model of this lesson")
right.plot(shares, record["floor by share"], "k--", label="exact")
for name in ("every share, a mean for each sentence", "15 % hidden", "40 % hidden"):
    right.plot(shares, small[name]["by share"], "o-", label=name.split(",")[0])
right.set(xlabel="share hidden", title="small models", ylim=(0, 5))
for side in (left, right):
    side.legend(fontsize=8)
fig.tight_layout()
plt.show()
print("share hidden   ", *[f"{x:6.2f}" for x in shares])
print("exact          ", *[f"{x:6.2f}" for x in record["floor by share"]])
print("the model      ", *[f"{x:6.2f}" for x in record["by share"]])
for name, found in small.items():
    print(f"small, {name}\n               ", *[f"{x:6.2f}" for x in found["by share"]])

# %% [markdown]
# *In words: left, the model's curve lies on the exact one, at every share. Right, three small
# models, trained alike (and briefly) but for what is hidden. The one that always hid 15 % is lost
# beyond a half; the one that always hid 40 % is good up to 60 %, and beats the first even at 15 %
# (perhaps because each sentence teaches it more). One run each. Only the one trained on every share
# follows the curve to the end, and pays for it on the left.*
#
# What that does to the area, and to what the models write from blank lines (16 steps):

# %%
print(f"{'trained on':>38}   bound   valid")
for name, found in small.items():
    wrote = found["MDLM, 16 steps"]["valid"]
    print(f"{name:>38}   {found['bound']:5.1f}   {wrote:.1%}")
print(f"{'the language itself':>38}   {record['entropy']:5.1f}   100.0%")

# %%
fixed, every = small["15 % hidden"], small["every share, a mean for each sentence"]
assert fixed["bound"] > every["bound"] > record["entropy"]
assert fixed["MDLM, 16 steps"]["valid"] < every["MDLM, 16 steps"]["valid"]

# %% [markdown]
# > **Often read:** writing text, code or answers is an application of a pretrained masked language model.
#
# > **In fact** a model that always hid 15 % has hardly seen a line that is mostly gaps, and ours
# > could not fill one. Training on *every* share, and for long enough, makes a writer of the same
# > network. (The tables of this section and the next. Wang and Cho 2019 got fluent sentences out of
# > BERT, more varied than a left-to-right model's and slightly worse; Nie et al. 2025 trained a
# > large model on every share.)
#
# And the two ways to weigh "every share"? One mean for the whole batch, as in Mask-Predict's code,
# gives a line as many votes as it has gaps. So lines with many gaps are trained more and nearly
# finished ones less (our small model was shown blank ones, too): compare the two curves' ends in
# the printed table. As a bound it is wrong, as a training loss it is a choice. Measured by the
# bound, the mean for each sentence did better here. (One run each.)

# %% [markdown]
# ## 8. Which guesses to keep: the samplers
#
# Writing is the forward process backwards: from `t = 1` (blank) in `T` steps to `t = 0`. Every step
# predicts all open places. Which answers are kept? Four famous answers are four settings of one
# function, lesson 11's `refine`:
#
# | | a word is | kept are | a kept word | how many stay open |
# |---|---|---|---|---|
# | Mask-Predict (Ghazvininejad et al. 2019) | the likeliest | the most confident | may be opened again | evenly fewer |
# | MaskGIT (Chang et al. 2022) | drawn | the most confident, plus noise that fades | stays | few closed at first (cosine) |
# | LLaDA (Nie et al. 2025) | the likeliest | the most confident | stays | evenly fewer |
# | MDLM (Sahoo et al. 2024) | drawn | any, by chance | stays | evenly fewer on average |
#
# Only the last one follows from the theory. In the forward process a word that is hidden at time
# `t` was hidden already at the earlier time `s` with a known probability. Going backwards, it stays
# hidden with that probability.
#
# ### Exercise 12.5: one step back
# `hidden` `(B, N)`: open at time `t`. `noise` `(B, N)`, evenly between 0 and 1. Time goes from `t`
# back to `s < t`. Return what is still hidden at `s`, each place decided by its own noise: it stays
# hidden where the noise is below that probability. (At time `t` a word is hidden with probability
# `t`, at time `s` with probability `s`, and a word that is hidden at `s` is hidden at `t` as well.
# What is filled stays.)


# %% exercise="12.5"
def stays_hidden(hidden: Tensor, noise: Tensor, t: float, s: float) -> Tensor:
    """Which places are still hidden after a step from time t back to time s."""
    ### BEGIN SOLUTION
    return hidden & (noise < s / t)
    ### END SOLUTION


# %%
check("12.5", stays_hidden)

# %% [markdown]
# ### What a perfect model does
# tinyworld allows an experiment that no other text does: put the *exact* guesses in place of the
# model. Whatever goes wrong now is the sampler's fault. (Once the words that were kept fit no
# sentence any more, there is no exact guess; then `exact_predict` draws any word.) `judged` says
# which sentences are valid (the grammar decides, exactly) and how many are different. A hundred
# blank lines, lengths as in the language:

# %%
lengths = n_words(sentences(100, 33))
canvas, hidden = blank(lengths)


def write(predict: Predict, steps: int, sampler: Sampler, seed: int = 34) -> Tensor:
    """The sentences that come of the hundred blank lines."""
    found = refine(predict, canvas, hidden, tokenization.MASK_ID, steps, sampler, seeded(seed))
    return found[-1].tokens


for steps in (1, 4, 16):
    ids = write(exact_predict, steps, MDLM)
    print(f"{steps:2} steps: {judged(ids)['valid']:.0%} valid, such as:", *words(ids[1]))

# %% [markdown]
# One step, perfect guesses, and next to nothing is valid. Each word is right *by itself*: there are
# indeed sentences of this length with a dog at this place, and others with a cup there. But all
# were drawn without knowing of each other. This is lesson 11's mixing of modes, and **conditional
# independence** is its name here: given what is visible, the words filled in one step are drawn
# independently. No training cures it. Only steps do.
#
# ### All samplers, all numbers of steps
# Recorded, for the perfect model and for the trained one. "Drawing" means: as published, but words
# are drawn instead of the likeliest taken. (The slide deck behind this course has a figure and a
# table "trends" of which only the titles exist. Here they are.)

# %%
fig, axes = plt.subplots(1, 2, figsize=(9.5, 3.2), sharey=True)
kinds = {"perfect guesses": "samplers, perfect model", "the trained model": "samplers"}
for side, (title, key) in zip(axes, kinds.items()):
    for name, found in record[key].items():
        line = "--" if name in ("Mask-Predict", "LLaDA") else "-"
        valid = [100 * each["valid"] for each in found.values()]
        side.plot(range(6), valid, line, marker="o", label=name)
    side.set(xticks=range(6), xticklabels=list(found), xlabel="steps", title=title)
axes[0].set(ylabel="valid sentences (%)")
axes[1].legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
fig.tight_layout()
plt.show()
for title, key in kinds.items():
    print(f"{title}: valid, by steps")
    print(f"{'':>24}", *[f"{T:>6}" for T in found])
    for name, row in record[key].items():
        print(f"{name:>24}", *[f"{each['valid']:6.1%}" for each in row.values()])

# %%
trained, perfect = record["samplers"], record["samplers, perfect model"]
for found in (*trained.values(), *perfect.values()):
    assert found["1"]["valid"] < 0.1 < found["32"]["valid"]
assert perfect["LLaDA, drawing"]["32"]["valid"] == perfect["MaskGIT"]["32"]["valid"] == 1

# %% [markdown]
# *In words: with one step hardly anything is valid, whoever guesses. Those that draw climb with
# every doubling. With 32 steps, more than a sentence has words, MaskGIT and LLaDA fill one place at
# a time, and under perfect guesses all they write is valid. Among those that draw, the trained
# model is within some ten points of the perfect one, at times above it: after a mistake it still
# guesses sensibly, the perfect one then draws any word.* (The dashed two write one text for each
# length, eight in all: a few lucky lengths make their curves jump.)
#
# What fails, then, is not the model. Two samplers that draw stay below 100 % even with perfect
# guesses and 32 steps:
#
# - MDLM fills each place at a random time. Two may be filled in the same step, while other steps
#   fill none. That is the price for following the theory exactly; more steps make it rarer.
# - Mask-Predict (drawing) keeps the most confident words: two of them may come from the same step,
#   or one was chosen beside a word that was opened again later.
#
# With 4 or 8 steps the order among those that draw is another one: MaskGIT is ahead, then MDLM, and
# LLaDA (drawing) and Mask-Predict (drawing) behind. A likely reason: the surest words first means
# the *easy* ones first, and those that must agree are left for the last steps, together. MaskGIT's
# noise prevents that at the beginning.
#
# Validity is only half of it:

# %%
print(f"the trained model, 16 steps; {record['written']} sentences")
print(f"{'':>24}   valid  different  repeats  surprise (nats)")
table = {name: found["16"] for name, found in trained.items()} | {"the language": record["real"]}
for name, one in table.items():
    print(
        f"{name:>24}  {one['valid']:6.1%}  {one['different']:9.1%}  {one['repeats']:7.2%}", end=""
    )
    print(f"  {one['surprise']:9.1f}")

# %%
assert trained["LLaDA"]["16"]["different"] < 0.1 < trained["MDLM"]["16"]["different"]

# %% [markdown]
# The two that take the likeliest word write *one sentence for each length*, again and again. For a
# translation that is fine: the source tells sentences apart. Out of nothing it is useless. (LLaDA's
# authors add noise to the choice when they want variety.) The last column is the exact surprise of
# the valid sentences: a sampler that prefers easy sentences falls below the language's own number.
# So does MDLM here, but for another reason: it is the hard sentences that fail.
#
# A few sentences of the trained model:

# %% tags=["nbval-ignore-output"]
ids = write(predictor(model), 16, replace(LLADA, temperature=1.0))
valid = exact_surprise(ids).isfinite()
for row, good in list(zip(ids, valid))[:8]:
    print("     " if good else "wrong", *words(row))
print(f"valid: {valid.double().mean():.0%}")

# %%
assert FAST or valid.double().mean() > 0.3

# %% [markdown]
# How good is free text? With real language nobody can say "valid". Papers report the surprise that
# *another* language model has at the text (its perplexity), and the variety of the text beside it,
# because the first alone is easily fooled: the two samplers above that write the same few sentences
# again and again have the language's own number. Only the variety shows it. Here both can be had
# exactly.

# %% [markdown]
# ## 9. Filling gaps in a given text
#
# What a left-to-right model cannot do by itself: something is missing in the *middle*. For `refine`
# that is nothing special: the canvas holds a text, and only some places are hidden.

# %%
given = "it was ___ that ___ , so clara wore her ___ ___ and her brother wore a ___ ___ ."
ids = tinyworld.encode([["[MASK]" if w == "___" else w for w in given.split()]])
gaps = ids == tokenization.MASK_ID
posterior = tinyworld.masked_posterior(ids, gaps)[0]  # (T, V)
for place in gaps[0].nonzero()[:, 0].tolist():
    possible = posterior[place][posterior[place] > 0]
    print(f"place {place:2}: {len(possible)} possible words, the likeliest {possible.max():.0%}")

# %% [markdown]
# Six gaps that hang together: a season and its weather, a colour and a garment, twice each. 128
# ways to fill them are right. Their probabilities are known, and the colours are not equally
# frequent. 250 fillings each, by the trained model:


# %% tags=["nbval-ignore-output"]
def filled(sampler: Sampler, steps: int, n: int = 250) -> Tensor:
    """n fillings of the gaps: ids (n, T)."""
    canvas, hidden = ids.repeat(n, 1), gaps.repeat(n, 1)
    return refine(
        predictor(model), canvas, hidden, tokenization.MASK_ID, steps, sampler, seeded(35)
    )[-1].tokens


in_one_order = replace(LLADA, temperature=1.0)  # the most confident first
any_order = replace(in_one_order, order="random")
share_valid, good = {}, {}
for name, sampler in {"most confident first": in_one_order, "any order": any_order}.items():
    for steps in (1, 2, 3, 6):
        fillings = filled(sampler, steps)
        is_valid = exact_surprise(fillings).isfinite()
        share_valid[name, steps] = is_valid.double().mean().item()
        good[name] = fillings[is_valid]  # those of six steps remain
        print(f"{name:>20}, {steps} steps: {share_valid[name, steps]:4.0%} valid")

# %%
for name in ("most confident first", "any order"):
    assert share_valid[name, 1] < 0.2 and share_valid[name, 6] > 0.75

# %% [markdown]
# With six steps for six gaps nearly all are valid. But do they have the right *frequencies*? Take the colour:

# %% tags=["nbval-ignore-output"]
colour_place = given.split().index("___", given.split().index("her")) + 1  # [CLS] in front
colours = [i for i in range(V) if posterior[colour_place, i] > 0]
colours.sort(key=lambda i: -posterior[colour_place, i])
rows = {"exact": posterior[colour_place, colours]}
good["Mask-Predict"] = filled(MASK_PREDICT, 6, n=1)  # nothing is drawn: always the same
for name in ("any order", "most confident first", "Mask-Predict"):
    found = good[name][:, colour_place]
    rows[name] = torch.stack([(found == i).double().mean() for i in colours])
fig, ax = plt.subplots(figsize=(8, 2.8))
for k, (name, values) in enumerate(rows.items()):
    places = [i + 0.2 * k - 0.3 for i in range(len(colours))]
    ax.bar(places, values.tolist(), 0.2, label=name)
ax.set(xticks=range(len(colours)), xticklabels=[names[i] for i in colours], ylabel="share")
ax.legend()
plt.show()
for name, values in rows.items():
    print(f"{name:>20}:", *[f"{names[i]} {x:.0%}" for i, x in zip(colours, values)])

# %%
assert (rows["any order"] - rows["exact"]).abs().max() < 0.12
assert rows["Mask-Predict"].max() > 0.99

# %% [markdown]
# *In words: filled in any order, one at a time, the colours come about as often as they should.
# Taking the likeliest word, there is one colour only.* The most confident first is in between,
# although its words are drawn, too: a draw is kept if it is a *likely* word, and drawn again if
# not. So the common colour comes up far too often. It trades truthfulness for validity, and the
# validity alone does not show it.

# %% [markdown]
# ## 10. What remains hard
#
# - **The words of one step do not know of each other.** Section 8 showed it for perfect guesses.
#   Fewer steps than words means some disagreement.
# - **So the speed-up shrinks.** With as many steps as words, every step works on all `N` places,
#   and there are `N` steps:

# %%
print("words   places worked on: word by word   in 8 steps   in N steps")
for n in (16, 128, 1024):
    print(f"{n:5}   {n:32,}   {8 * n:10,}   {n * n:10,}")

# %% [markdown]
# - **No keys and values to keep.** Word by word, what was computed for earlier words stays valid
#   (lesson 11). Here each new word changes the vectors of all places. A way out: write block by
#   block, from left to right, and let no block look ahead, so that finished ones can be kept
#   (Arriola et al. 2025).
# - **The length comes first.** Our blank line had one. Large models pad with an end-of-text token
#   and let the model predict it.
# - **A bound, not a probability.** For comparisons of models one has to say whose bound it is.

# %% [markdown]
# ## 11. Outlook: adversarial training
#
# The articles behind this course promise an outlook and do not deliver. Here are three of its
# topics, each as a small experiment that runs.
#
# **Adversarial training** asks: which *small* change of the input hurts most? And trains on it.
# Words cannot be changed a little, but their vectors can. For a loss `L` and the word vectors `x`
# of a text, the worst small push is along the gradient: `size * g / |g|`, with `g` the gradient of
# `L` at `x` (Miyato et al. 2017).
#
# ### Exercise 12.6: the worst small push
# `gradient` `(B, T, D)` of the loss at the word vectors of `B` texts. Return a push `(B, T, D)`
# that has, for each text as a whole, the length `size` and makes the loss larger.


# %% exercise="12.6"
def worst_push(gradient: Tensor, size: float) -> Tensor:
    """Along the gradient, of a given length for each text."""
    ### BEGIN SOLUTION
    length = gradient.flatten(1).norm(dim=1)  # (B,) over tokens and numbers
    return size * gradient / length[:, None, None]
    ### END SOLUTION


# %%
check("12.6", worst_push)

# %% [markdown]
# Lesson 8's task: is a message from a program's source an error or a warning? Few texts, other
# modules for the test, and a small classifier: the mean of the word vectors, one hidden layer.

# %%
LENGTH = 48
train_items, test_items = labelled.split_by_module(labelled.messages(["numpy", "sklearn"]), 0.25)


def balanced(items: list[labelled.Message]) -> list[labelled.Message]:
    """As many errors as warnings."""
    kinds = [[item for item in items if item.kind == kind] for kind in labelled.KINDS]
    return [item for pair in zip(*kinds) for item in pair]


tokenizer = tokenization.train_wordpiece([item.text for item in train_items], 1500)
train_set, test_set = (labelled_rows.encode_messages(tokenizer, balanced(items), LENGTH)
                       for items in (train_items, test_items))  # fmt: skip


class Classifier(nn.Module):
    """The mean of the word vectors, a hidden layer, two answers."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.hidden = nn.Embedding(1500, 64), nn.Linear(64, 64)
        self.answer = nn.Linear(64, 2)

    def vectors(self, ids: Tensor) -> Tensor:
        """Word vectors of fixed mean and spread: they cannot outgrow a push by becoming longer."""
        w = self.table.weight
        return ((w - w.mean(0)) / w.std(0))[ids]

    def forward(self, x: Tensor, real: Tensor) -> Tensor:
        mean = (x * real).sum(1) / real.sum(1)
        return self.answer(F.relu(self.hidden(mean)))


def pushed(model: Classifier, ids: Tensor, labels: Tensor, size: float) -> Tensor:
    """The word vectors of texts, pushed where it hurts this model most."""
    x, real = model.vectors(ids).detach().requires_grad_(), (ids != 0)[..., None]
    loss = F.cross_entropy(model(x, real), labels, reduction="sum")
    gradient = torch.autograd.grad(loss, x)[0]
    return model.vectors(ids) + size * F.normalize(gradient.flatten(1), dim=1).view_as(gradient)


def train_classifier(size: float, seed: int) -> Classifier:
    """Trained as usual, and with size > 0 on pushed texts as well."""
    torch.manual_seed(seed)
    model, g = Classifier(), seeded(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for _ in range(20 if FAST else 150):
        index = torch.randint(len(train_set.ids), (64,), generator=g)
        ids, labels = train_set.ids[index], train_set.labels[index]
        real = (ids != 0)[..., None]
        loss = F.cross_entropy(model(model.vectors(ids), real), labels)
        if size:
            x = pushed(model, ids, labels, size)
            loss = loss + F.cross_entropy(model(x, real), labels)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return model


def accuracy_under(model: Classifier, size: float) -> float:
    """How many messages of the test are classified rightly in spite of a push."""
    x = pushed(model, test_set.ids, test_set.labels, size)
    answers = model(x, (test_set.ids != 0)[..., None]).argmax(-1)
    return (answers == test_set.labels).double().mean().item()


# %% tags=["nbval-ignore-output"]
robust = {}
for size in (0.0, 2.0, 5.0):
    classifiers = [train_classifier(size, seed) for seed in range(3)]
    robust[size] = [sum(accuracy_under(c, push) for c in classifiers) / 3 for push in (0, 2, 5)]
    row = [f"{right:.0%}" for right in robust[size]]
    print(f"trained with pushes of {size}: as it is {row[0]}, push 2 {row[1]}, push 5 {row[2]}")

# %%
assert FAST or robust[2.0][1] > robust[0.0][1] + 0.08
assert FAST or abs(robust[2.0][0] - robust[0.0][0]) < 0.1

# %% [markdown]
# (Three seeds each; a word's vector has 64 numbers of size about 1, so its length is about 8, and a
# push of 2 is spread over the whole text.) Trained as usual, a push that moves each vector by a
# small part of its length ruins the classifier. Trained with pushes, it withstands far more of
# them. On texts as they are the difference is a few points at most, on so few test messages: too
# few to call it a gain. Larger models report one (Miyato et al. 2017; Zhu et al. 2020). And be
# careful with the word *robust*: it withstands this kind of push, on vectors. That says little
# about texts in which somebody swaps words.

# %% [markdown]
# ## 12. Outlook: a small model learns from a large one
#
# **Distillation** (Hinton et al. 2015): a small *student* is trained not on the true words, but on
# a *teacher's* probabilities. They say more: not "red", but "red or blue, rather not boat".
# DistilBERT was made so, with the true words as a second goal (Sanh et al. 2019). (Lesson 11 did
# something else by the same name: there the student got whole sentences of its teacher.)
#
# ### Exercise 12.7: learning from a teacher
# `student` and `teacher`, logits `(n, V)`. Divide both by the `temperature`, make them
# distributions, and return the divergence of the student from the teacher,
# `sum of p_teacher * log(p_teacher / p_student)`, its mean over the `n` places, times
# `temperature**2` (which keeps the gradients roughly equally large whatever the temperature).
# (`F.kl_div(log_student, log_teacher, reduction="batchmean", log_target=True)`.)


# %% exercise="12.7"
def distillation_loss(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """How far the student's softened answers are from the teacher's."""
    ### BEGIN SOLUTION
    learnt, taught = ((x / temperature).log_softmax(-1) for x in (student, teacher))
    divergence = F.kl_div(learnt, taught, reduction="batchmean", log_target=True)
    return temperature**2 * divergence
    ### END SOLUTION


# %%
check("12.7", distillation_loss)

# %% [markdown]
# Teacher: lesson 6's model. Student: one layer instead of three, half as wide. Only 300 sentences
# to learn from, equally many steps with the true words and with the teacher. Tested on new
# sentences, 15 % hidden.

# %% tags=["nbval-ignore-output"]
teacher, _ = pretrained("tinyworld")
held_out = sentences(400, 40)
test = masker(0.15)(held_out, seeded(41))
floor = tinyworld.loss_floor(held_out, test.hidden)


def taught_loss(model: nn.Module, batch) -> tuple[Tensor, int]:
    """As masked_lm_loss, with the teacher's probabilities in place of the true words."""
    ids, _, hidden = batch
    student = model(ids, visible_mask(ids), hidden)  # (n, V)
    with torch.no_grad():
        log_p = teacher.to(ids.device)(ids, visible_mask(ids), hidden).log_softmax(-1)
    learnt = student.log_softmax(-1)
    return F.kl_div(learnt, log_p, reduction="sum", log_target=True), len(student)


distilling = Recipe(steps=15 if FAST else 150, batch_size=64, adamw_lr=4e-3, weight_decay=0.0,
                    betas=(0.9, 0.95))  # fmt: skip
gaps_above = {"the teacher": score_hidden(teacher, test).loss - floor}
for name, loss in {"true words": masked_lm_loss, "the teacher's answers": taught_loss}.items():
    config = EncoderConfig(V, 26, d_model=64, n_layers=1, embedding_std=0.1)
    student = fresh(MaskedLM, config)
    data = MaskedRows(sentences(300, 42), masker(0.3), seed=0)
    fit(student, data, loss, distilling, display=progress_display(distilling.steps))
    gaps_above[f"student, {name}"] = score_hidden(student, test).loss - floor
for name, gap in gaps_above.items():
    print(f"{name:>31}: {gap:.2f} nats above the floor")
sizes = [sum(p.numel() for p in one.parameters()) for one in (teacher, student)]
print(f"parameters: teacher {sizes[0]:,}, student {sizes[1]:,}")

# %%
assert FAST or gaps_above["student, the teacher's answers"] < gaps_above["student, true words"]

# %% [markdown]
# A tenth of the parameters, and closer to the floor with the teacher than with the truth, after
# equally many steps (one run each). But a step with a teacher costs the teacher's pass as well.

# %% [markdown]
# ## 13. Outlook: an image and its word in one row
#
# Lesson 9 hid patches, lesson 10 hid words. A row can hold both: sixteen patches of a digit, and
# its name in five letters (`.` fills up short names). Hide any part of it, encode what is left,
# restore the rest: a masked autoencoder with two modalities (Geng et al. 2022; Bachmann et al.
# 2022). Pixels get a squared error, letters a cross-entropy.

# %%
DIGIT_NAMES = "zero one two three four five six seven eight nine".split()
LETTERS = "." + "".join(sorted(set("".join(DIGIT_NAMES))))
spelled = torch.tensor([[LETTERS.index(c) for c in name.ljust(5, ".")] for name in DIGIT_NAMES])
digits = images.digits()
scale = images.Scale.of(digits.train)


class TwoModalities(nn.Module):
    """patches (B, 16, 4), letters (B, 5), keep (B, 21) bool -> both restored.

    All rows keep equally many pieces; what is not kept is never looked at.
    """

    def __init__(self, D: int = 64) -> None:
        super().__init__()
        self.patch_in, self.letter_in = nn.Linear(4, D), nn.Embedding(len(LETTERS), D)
        self.start, self.gap = (nn.Parameter(0.02 * torch.randn(D)) for _ in range(2))
        self.places = nn.Parameter(0.02 * torch.randn(2, 22, D))  # of encoder and decoder
        self.encoder = BlockStack(StackConfig(d_model=D, n_layers=2))
        self.decoder = BlockStack(StackConfig(d_model=D, n_layers=1))
        self.patch_out, self.letter_out = nn.Linear(D, 4), nn.Linear(D, len(LETTERS))

    def forward(self, patches: Tensor, letters: Tensor, keep: Tensor) -> tuple[Tensor, Tensor]:
        start = self.start.expand(len(keep), 1, -1)
        x = torch.cat([start, self.patch_in(patches), self.letter_in(letters)], 1)
        keep = F.pad(keep, (1, 0), value=True)  # the start always stays
        where = keep.nonzero()[:, 1].view(len(keep), -1)[..., None].expand(-1, -1, x.shape[-1])
        latent = self.encoder((x + self.places[0]).gather(1, where))  # (B, K, D)
        y = self.gap.expand_as(x).scatter(1, where, latent)  # back in place
        y = self.decoder(y + self.places[1])
        return self.patch_out(y[:, 1:17]), self.letter_out(y[:, 17:])


def keeping(rows: int, patches: int, letters: int, seed: int) -> Tensor:
    """So many patches and letters of each row, at random: (rows, 21) bool."""
    g = seeded(seed)
    parts = ((16, patches), (5, letters))
    return torch.cat([torch.rand(rows, n, generator=g).argsort(1) < k for n, k in parts], 1)


# %% tags=["nbval-ignore-output"]
patches, letters = patchify(scale.standard(digits.train), 2), spelled[digits.train_labels]
torch.manual_seed(0)
both, g = TwoModalities(), seeded(50)
optimizer = torch.optim.AdamW(both.parameters(), lr=3e-3)
n_steps = 20 if FAST else 400
decay = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, n_steps, pct_start=0.1)
for _ in range(n_steps):
    index = torch.randint(len(patches), (64,), generator=g)
    k = int(torch.randint(2, 16, (), generator=g))  # pieces that stay
    keep = torch.rand(64, 21, generator=g).argsort(1) < k
    pixels, scores = both(patches[index], letters[index], keep)
    squared = (pixels - patches[index]).square().mean(-1)[~keep[:, :16]].mean()
    named = F.cross_entropy(scores[~keep[:, 16:]], letters[index][~keep[:, 16:]])
    (squared + named.nan_to_num()).backward()  # nan: no letter was hidden
    optimizer.step()
    optimizer.zero_grad()
    decay.step()
print(f"last batch: squared error {squared:.2f}, cross-entropy {named:.2f}")

# %% [markdown]
# Does either help the other? On new digits: the letters with and without the image, and the image
# with and without its name.

# %% tags=["nbval-ignore-output"]
new_patches, new_letters = patchify(scale.standard(digits.test), 2), spelled[digits.test_labels]


@torch.no_grad()
def restored(n_patches: int, n_letters: int) -> tuple[float, float]:
    """Share of letters right and squared error of patches, among those that were not kept."""
    keep = keeping(len(new_patches), n_patches, n_letters, seed=51)
    pixels, scores = both(new_patches, new_letters, keep)
    right = (scores.argmax(-1) == new_letters)[~keep[:, 16:]].double().mean()
    squared = (pixels - new_patches).square().mean(-1)[~keep[:, :16]].mean()
    return right.item(), squared.item()


print("hidden letters right:")
for n in (0, 4, 8, 16):
    print(f"   {n:2} patches visible: no letter {restored(n, 0)[0]:.0%},", end=" ")
    print(f"one letter {restored(n, 1)[0]:.0%}")
print("hidden patches, squared error:")
for n in (0, 4, 8):
    print(f"   {n:2} patches visible: without the name {restored(n, 0)[1]:.2f},", end=" ")
    print(f"with it {restored(n, 5)[1]:.2f}")

# %%
assert FAST or restored(16, 0)[0] > restored(0, 0)[0] + 0.1
assert FAST or restored(4, 5)[1] < restored(4, 0)[1] - 0.05

# %% [markdown]
# Each helps the other (one run). The name alone, without one patch, restores a digit better than
# four patches without the name. And look at what the model *spells* when it sees the whole image
# and no letter, at once and one letter at a time (LLaDA's rule):

# %% tags=["nbval-ignore-output"]
GAP = len(LETTERS)  # stands for a letter that is hidden


@torch.no_grad()
def spell(canvas: Tensor) -> Tensor:
    """Scores of the letters (n, 5, letters), given the whole image and what is spelt so far."""
    gone = canvas == GAP
    keep = F.pad(~gone, (16, 0), value=True)
    return both(new_patches, canvas.masked_fill(gone, 0), keep)[1]


canvas = torch.full_like(new_letters, GAP)
for n in (1, 5):
    spelt = refine(spell, canvas, canvas == GAP, GAP, n, LLADA)[-1].tokens
    wrote = ["".join(LETTERS[i] for i in row).rstrip(".") for row in spelt]
    no_name = [word for word in wrote if word not in DIGIT_NAMES]
    right = (spelt == new_letters).all(1).double().mean()
    print(f"{n} steps: {right:.0%} of {len(wrote)} right;", end=" ")
    print(f"{len(no_name)} are no name at all", *sorted(set(no_name))[:5], sep=", ")

# %% [markdown]
# Words that do not exist: unsure between two digits, the model mixes their letters, each filled in
# without knowing of the others. With five steps for five letters there is hardly one left, from the
# same model. Section 8 again, in a picture book.

# %% [markdown]
# ## 14. Two more topics, honestly
#
# **Multi-task learning** trains one network on several tasks at once, in the hope that they help
# each other (Caruana 1997; for BERT: Liu et al. 2019, MT-DNN). BERT itself was trained on two
# tasks, one of which turned out to be useless (lesson 6, section 12). So it is no gift: tasks
# compete for the same weights, and whether two of them help each other has to be measured. This
# course has not measured it.
#
# **Sparse representations** are vectors of which nearly all numbers are 0. They can be searched
# like words in an index, and they can be read. SPLADE makes them with the very head of a masked
# language model: a text is described by a weight for each word of the vocabulary, most of them 0
# (Formal et al. 2021). That is a method for search. "Sparse" as a promise of general efficiency is
# another matter: zeros save time only where the hardware can skip them.

# %% [markdown]
# ## On a GPU
#
# The same code on real stories, streamed (needs a network): a model that is trained on every share,
# then asked to write. `find_device` says which GPU there is and what suits it: 16-bit numbers,
# `torch.compile` on CUDA. `run_folder` names a folder for checkpoints, on Google Drive where Colab
# has it mounted: if the runtime is lost, run the lesson's cells again, and this training goes on
# from the last one. (Not measured: no GPU was at hand when this was written.)

# %%
machine = find_device()
GPU = machine.is_gpu
big = EncoderConfig(8000, 128, d_model=512, n_layers=8, n_heads=8)
if not GPU:  # the twin: the same lines, small
    big = EncoderConfig(V, 26, d_model=32, n_layers=1, n_heads=2)
big_recipe = Recipe(
    steps=20_000 if GPU else 5,
    batch_size=128 if GPU else 8,
    precision=machine.precision,
    compile=machine.compile,
)

# %% tags=["nbval-ignore-output"]
print(machine)
if GPU:
    from mlm_course.corpora.hub import load_text

    stories = load_text("tinystories", n=200_000)
    big_tokenizer = tokenization.train_wordpiece(stories, big.vocab_size)
    story_ids = tokenization.encode(big_tokenizer, stories, special_tokens=False)
    big_rows = torch.tensor(tokenization.pack(story_ids, big.max_length)[:-1])
else:  # five steps on tinyworld
    big_rows = sentences(200, 60)
writer = fresh(MaskedLM, big).to(machine.kind)
history = fit(writer, GapRows(big_rows, seed=0), diffusion_loss, big_recipe,
              folder=run_folder("lesson_12") if GPU else None, save_every=500,
              display=progress_display(big_recipe.steps))  # fmt: skip
print(
    f"{len(big_rows):,} rows; bound {history.losses[0]:.2f} -> {history.losses[-1]:.2f} nats a word"
)
line, open_places = (x.to(machine.kind) for x in blank(torch.tensor([17])))
if GPU:  # rows of stories are full, without [CLS] and [SEP]
    line = torch.full((1, big.max_length), tokenization.MASK_ID, device=machine.kind)
    open_places = torch.ones_like(line, dtype=torch.bool)
sampler, passes = replace(LLADA, temperature=1.0), 64 if GPU else 8
with torch.no_grad():
    last = refine(predictor(writer), line, open_places, tokenization.MASK_ID, passes, sampler,
                  torch.Generator(machine.kind).manual_seed(0))[-1].tokens[0]  # fmt: skip
shown = big_tokenizer.decode(last.tolist()) if GPU else " ".join(words(last))
print(shown[:200])

# %% [markdown]
# ## Quiz

# %%
quiz("12")

# %% [markdown]
# ## Recap
#
# - The surprise of a text is the sum of its words' surprises **in any order**. Averaged over
#   orders: `N` times the mean over `n` of the mean surprise of `n` hidden words.
# - By rate: hide with probability `t`, weigh by `1 / t`. The same number. With a model's guesses it
#   is an **upper bound** on the model's own `-log p`, and on average never below the language's
#   entropy.
# - BERT trains one slice of that sum, the pseudo-likelihood is another. A model that is to write
#   from a blank line needs all of them.
# - Mask-Predict, MaskGIT, LLaDA and MDLM differ in **which guesses they keep**. More steps, more
#   valid text: words filled in one step do not know of each other, whoever guesses.
# - Taking the likeliest word gives one text for each blank line. Judge variety beside validity.
#
# **Next:** lesson 13 makes models smaller and faster, and measures what that costs.

# %%
progress("10")

# %% [markdown]
# ## References
#
# - J. Austin et al. 2021. *Structured Denoising Diffusion Models in Discrete State-Spaces*.
#   NeurIPS. [arXiv:2107.03006](https://arxiv.org/abs/2107.03006) (D3PM)
# - S. Sahoo et al. 2024. *Simple and Effective Masked Diffusion Language Models*. NeurIPS.
#   [arXiv:2406.07524](https://arxiv.org/abs/2406.07524) (MDLM)
# - J. Shi et al. 2024. *Simplified and Generalized Masked Diffusion for Discrete Data*. NeurIPS.
#   [arXiv:2406.04329](https://arxiv.org/abs/2406.04329) (MD4)
# - J. Ou et al. 2024. *Your Absorbing Discrete Diffusion Secretly Models the Conditional
#   Distributions of Clean Data*. [arXiv:2406.03736](https://arxiv.org/abs/2406.03736)
# - S. Nie et al. 2025. *Large Language Diffusion Models*.
#   [arXiv:2502.09992](https://arxiv.org/abs/2502.09992) (LLaDA)
# - M. Arriola et al. 2025. *Block Diffusion*. ICLR. [arXiv:2503.09573](https://arxiv.org/abs/2503.09573)
# - H. Chang et al. 2022. *MaskGIT: Masked Generative Image Transformer*. CVPR.
#   [arXiv:2202.04200](https://arxiv.org/abs/2202.04200)
# - Y. Liao et al. 2020. *Probabilistically Masked Language Model Capable of Autoregressive
#   Generation in Arbitrary Word Order*. ACL. [arXiv:2004.11579](https://arxiv.org/abs/2004.11579)
# - B. Uria et al. 2014. *A Deep and Tractable Density Estimator*. ICML.
#   [arXiv:1310.1757](https://arxiv.org/abs/1310.1757)
# - M. Ghazvininejad et al. 2019. *Mask-Predict: Parallel Decoding of Conditional Masked Language
#   Models*. EMNLP. [arXiv:1904.09324](https://arxiv.org/abs/1904.09324)
# - A. Wang and K. Cho 2019. *BERT has a Mouth, and It Must Speak*.
#   [arXiv:1902.04094](https://arxiv.org/abs/1902.04094)
# - J. Salazar et al. 2020. *Masked Language Model Scoring*. ACL.
#   [arXiv:1910.14659](https://arxiv.org/abs/1910.14659)
# - T. Miyato et al. 2017. *Adversarial Training Methods for Semi-Supervised Text Classification*.
#   ICLR. [arXiv:1605.07725](https://arxiv.org/abs/1605.07725)
# - C. Zhu et al. 2020. *FreeLB: Enhanced Adversarial Training for Natural Language Understanding*.
#   ICLR. [arXiv:1909.11764](https://arxiv.org/abs/1909.11764)
# - G. Hinton et al. 2015. *Distilling the Knowledge in a Neural Network*.
#   [arXiv:1503.02531](https://arxiv.org/abs/1503.02531)
# - V. Sanh et al. 2019. *DistilBERT*. [arXiv:1910.01108](https://arxiv.org/abs/1910.01108)
# - X. Geng et al. 2022. *Multimodal Masked Autoencoders Learn Transferable Representations*.
#   [arXiv:2205.14204](https://arxiv.org/abs/2205.14204)
# - R. Bachmann et al. 2022. *MultiMAE: Multi-modal Multi-task Masked Autoencoders*. ECCV.
#   [arXiv:2204.01678](https://arxiv.org/abs/2204.01678)
# - R. Caruana 1997. *Multitask Learning*. Machine Learning 28
# - X. Liu et al. 2019. *Multi-Task Deep Neural Networks for Natural Language Understanding*. ACL.
#   [arXiv:1901.11504](https://arxiv.org/abs/1901.11504)
# - T. Formal et al. 2021. *SPLADE: Sparse Lexical and Expansion Model for First Stage Ranking*.
#   SIGIR. [arXiv:2107.05720](https://arxiv.org/abs/2107.05720)
