# %% [markdown]
# # Lesson 12: From CMLM to masked diffusion
#
# This lesson's model turns a blank line of `[MASK]` tokens into a sentence. Such models are called
# *masked diffusion* models: lesson 11's conditional masked language model (CMLM) without a source, and
# with a proof.
#
# You will check the proof on numbers, take samplers apart, and see what even a *perfect* model could
# not do. You need lessons 6 and 11.

# %%
from collections.abc import Callable

import matplotlib.pyplot as plt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mlm_course.practice import check, hint, progress, quiz, solution
from mlm_course.views.figures import show_figure


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# %% [markdown]
# ## 1. Out of nothing
#
# A trained model comes with the course: a masked language model of tinyworld, as in lesson 6. But
# of a sentence with `N` words, `n` were hidden, `n` drawn from 1 to `N`.

# %%
from mlm_course import tokenization
from mlm_course.corpora import tinyworld
from mlm_course.models.pretrained import load_pretrained

names = tinyworld.vocabulary()
V = len(names)
model, _ = load_pretrained("diffusion")


def words(ids: Tensor) -> list[str]:
    """A row of ids without [CLS], [SEP] and [PAD]."""
    return [names[i] for i in ids if i > 4 or i == tokenization.MASK_ID]


# %% [markdown]
# Here it fills 17 blank places in eight steps. Each step guesses all hidden places, and hides the words
# again of which it was least sure.

# %% tags=["nbval-ignore-output"]
from dataclasses import replace

from mlm_course.decoding import MASK_PREDICT, refine
from mlm_course.diffusion import blank, predictor
from mlm_course.widgets import RefinementSteps

drawing = replace(MASK_PREDICT, temperature=1.0)  # draw words instead of taking the likeliest
canvas, masked = blank(torch.tensor([17]))
steps = refine(predictor(model), canvas, masked, tokenization.MASK_ID, 8, drawing, seeded(0))
RefinementSteps(
    [words(step.tokens[0]) for step in steps],
    [step.confidence[0, 1:18] for step in steps],
    [step.masked[0, 1:18] for step in steps],
    title="eight steps from a blank line",
)

# %% tags=["nbval-ignore-output"]
from mlm_course.corpora.tinyworld_oracle import exact_nll

print("is it a sentence of tinyworld?", bool(exact_nll(steps[-1].tokens).isfinite()))

# %% [markdown]
# *Why* should a model that was only ever asked about single words know how probable a sentence is?
# And *which* guesses should have been kept (section 9)?

# %% [markdown]
# ## 2. Real sentences
#
# `refine` needs guesses alone. So take lesson 7's model, trained on docstrings with a quarter hidden,
# and an unread sentence, picked because the steps change it. Each step keeps the guess of
# which the model is surest, and reads the row again.

# %% tags=["nbval-ignore-output"]
from functools import partial

from mlm_course.diffusion import fill_gaps

docs, docs_tokenizer = load_pretrained("python_docs")
fill = partial(fill_gaps, docs, docs_tokenizer)
unread = "___ default method ___ ___ if m is ___ ___ 10 and bilinear otherwise."
filling = fill(unread)
RefinementSteps(**filling._asdict(), title="a held-out sentence")

# %% [markdown]
# Prompt and answer can share a row (LLaDA, Nie et al. 2025, sections 2.3 and 2.4). At once, and one by one:

# %% tags=["nbval-ignore-output"]
for prompt in ("Raised when", "Return the largest", "Convert"):
    answer = fill(prompt + 6 * " ___" + ".").tokens
    print(f"{prompt} ...\n   at once:   ", *answer[0], "\n   one by one:", *answer[-1])

# %% tags=["author"]
assert "less" in filling.tokens[-1] and "less" not in filling.tokens[0]

# %% [markdown]
# Now your own. Enter fills; tokens tell what else was likely.

# %% tags=["nbval-ignore-output"]
from mlm_course.widgets import GapFiller

offered = [
    "Returns ___ if the two ___ are ___, False ___.",
    "Open the ___ and ___ its ___ as a ___.",
]
GapFiller(fill, offered, title="A sentence with gaps", checkpoint="python_docs")

# %% [markdown]
# How often is the true piece put in, and how often are two neighbours the same ("the the")?

# %%
from mlm_course.results import recorded
from mlm_course.results.comparison import Difference

infilling = recorded("infilling")
print(f"one model, {infilling['sentences']} sentences of modules that it has not read")
for share, scores in infilling["by share"].items():
    print(f"{float(share):.0%} hidden")
    doubled = "sentences with doubled pieces (fewer: ahead)"
    for score, said in (("right", "gaps right"), ("doubled", doubled)):
        row = scores[score]
        ways = ", ".join(f"{name} {x:.1%}" for name, x in row.items() if name != "differences")
        print(f"   {said}: {ways}")
        print("      one by one:", Difference(**row["differences"]["one by one against at once"]))

# %% tags=["author"]
assert all(
    scores["right"]["differences"]["one by one against at once"]["high"] < 0.02
    for scores in infilling["by share"].values()
)

# %% [markdown]
# One by one, in this model *no more* gaps come right: up to half hidden no difference larger than .02 is seen
# {r:infilling.by share}, with three quarters it is behind by .01 to .03 {r:infilling.by share.0.75.right}. But
# the likeliest words do not know of each other: with half hidden, doubled pieces are in .39 to .48 more of the
# sentences filled at once {r:infilling.by share.0.5.doubled}. One by one .15 still have such pieces, of the true
# sentences .07 {r:infilling.by share.0.5.doubled}.

# %% [markdown]
# ## 3. One sum, in any order
#
# Take a language of three words and texts of four. A table holds the probability of each of the 81
# texts.

# %%
import math

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
# `joint` is such a table with `N` axes of size `V`, `text` `(N,)`, `masked` `(N,)` boolean. Return
# `(V,)`: the probability of each word at `place` (which is hidden), given the *visible* words.
# Other hidden places may hold anything.


# %% exercise="12.1"
def guess(joint: Tensor, text: Tensor, masked: Tensor, place: int) -> Tensor:
    """The probability of each word at a hidden place, given the visible words."""
    ### BEGIN SOLUTION
    for i in range(joint.ndim):
        if i != place:
            visible = joint.narrow(i, int(text[i]), 1)
            joint = joint.sum(i, keepdim=True) if masked[i] else visible
    return joint.flatten() / joint.sum()
    ### END SOLUTION


# %%
check("12.1", guess)

# %% [markdown]
# The package's `exact_answers(joint, text)` takes rows of `masked` and returns the log-probability of
# the true word at each hidden place.
#
# Uncover the text from left to right: the first word with all four hidden, the second with three, and
# so on. By the chain rule the surprises add up to that of the text. It does not say *which* order:

# %%
from mlm_course.diffusion import Answers, exact_answers

answers = exact_answers(joint, text)


def surprises_of(answers: Answers, order: tuple[int, ...]) -> list[float]:
    """The surprise of each word when the text is uncovered in this order."""
    masked = torch.zeros(N, N, dtype=torch.bool)  # a row for each step
    for i in range(N):
        masked[i, list(order[i:])] = True
    log_p = answers(masked)  # (N, N)
    return [-log_p[i, place].item() for i, place in enumerate(order)]


for order in ((0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1)):
    parts = surprises_of(answers, order)
    print(order, " + ".join(f"{x:.4f}" for x in parts), f"= {sum(parts):.4f}")

# %% [markdown]
# Every part differs, the sum is the same. A left-to-right model knows the parts of one order, a
# masked language model all of them.

# %% [markdown]
# ## 4. The average over all orders
#
# So the average over all 24 orders is this sum, too. Sort the 24 x 4 parts by *how many words were
# hidden*. With `n` hidden, every choice of `n` places comes up equally often, and so does each of them
# as the place asked. So these parts average to *the mean surprise of the hidden words, over all ways to
# hide `n`*:

# %%
import itertools

parts = [surprises_of(answers, order) for order in itertools.permutations(range(N))]  # 24 x 4
by_orders = torch.tensor(parts, dtype=torch.float64).mean(0).flip(0)  # (N,) for n = 1, 2, 3, 4
by_sets = []
for n in range(1, N + 1):
    sets = list(itertools.combinations(range(N), n))
    masked = torch.zeros(len(sets), N, dtype=torch.bool)
    for row, places in enumerate(sets):
        masked[row, list(places)] = True
    by_sets.append(-(answers(masked) * masked).sum(1).mean().item() / n)
    print(f"{n} hidden: {by_orders[n - 1]:.4f} over orders; {by_sets[-1]:.4f} over", end=" ")
    print(f"{len(sets)} ways to hide")
print(f"the sum: {sum(by_sets):.4f}, and -log p: {-math.log(p):.4f}")

# %% tags=["author"]
assert abs(sum(by_sets) + math.log(p)) < 1e-9

# %% [markdown]
# A sum over `n = 1..N` is `N` times the average over `n`. So:
#
# $$
# -\log p(x)=N\cdot\mathrm{E}_{n\sim U\{1..N\}}\;\mathrm{E}_{|M|=n}
# \left[\frac{1}{n}\sum_{i\in M}-\log p(x_i\mid\text{what is visible})\right]
# $$
#
# That is a way to train: draw one `n`, hide that many, take the *mean* of their surprises. (Uria
# et al. 2014, abstract, trained all orders at once, for vectors; Liao et al. 2020, section 3, for text.)
#
# ### Exercise 12.2: any chance will do
# `n` need not be drawn evenly. `surprise` and `masked`, `(B, T)`: of each row `n` words are hidden,
# all sets of `n` being equally likely. `chance` `(B, T)`: `chance[b, n - 1]` is the probability with
# which row `b` got its `n`, above 0 from 1 to its number of words, 0 beyond. Return `(B,)`: numbers
# whose average over such draws is the right side of the equation, whatever the `chance`.


# %% exercise="12.2"
def fair_draw(surprise: Tensor, masked: Tensor, chance: Tensor) -> Tensor:
    """One draw of the sum for each row, right on average for any chance of n."""
    ### BEGIN SOLUTION
    n = masked.sum(1)  # (B,)
    mean = (surprise * masked).sum(1) / n
    likely = chance.gather(1, n[:, None] - 1)[:, 0]  # (B,) to draw this n
    return mean / likely
    ### END SOLUTION


# %%
check("12.2", fair_draw)

# %% [markdown]
# ## 5. The same with a rate
#
# In papers on diffusion a time `t` runs from 0 to 1. At time `t` each word is hidden with
# probability `t`, independently: at 0 the text is whole, at 1 blank. That is the **forward process**.
# These papers have words of their own:
#
# |there|here|
# |---|---|
# |absorbing state|`[MASK]`: what is hidden stays hidden as `t` grows|
# |noise schedule|the share hidden at time `t`; here `t` itself|
# |reverse process|filling a blank line, from `t = 1` back to 0|
# |ancestral sampling|doing so in steps of time, each place by chance (section 9)|
# |any-order model|one that guesses in every order (section 3)|
# |ELBO, NELBO|a bound from below on `log p`; minus that (section 6)|
#
# How must the surprises be weighed? A set of `n` words is hidden with probability
# `t^n(1-t)^(N-n)`. In section 4 it had the weight `1 / n`, divided by the number of such sets.
# Weigh by `1 / t`, and the average over all times is just that:

# %%
points = (torch.arange(100_000, dtype=torch.float64) + 0.5) / 100_000  # times from 0 to 1
for n in range(1, N + 1):
    by_rate = (points**n * (1 - points) ** (N - n) / points).mean().item()
    by_count = 1 / (n * math.comb(N, n))
    print(f"a set of {n}: weight by rate {by_rate:.6f},", end=" ")
    print(f"1 / ({n} x {math.comb(N, n)}) {by_count:.6f}")

# %% [markdown]
# A rate `t` hides `t N` words on average. Divided by `t`, their summed surprise is worth `N` words,
# whatever `t` was:
#
# $$
# -\log p(x)=\mathrm{E}_{t\sim U(0,1)}
# \left[\frac{1}{t}\sum_{i\text{ hidden}}-\log p(x_i\mid\text{what is visible})\right]
# $$
#
# All three, for a few texts:

# %%
from mlm_course.diffusion import bound_by_count, bound_by_rate

few = ((0, 1, 1, 2), (2, 2, 2, 2), (1, 0, 2, 0), (2, 1, 0, 1))
print(f"{'text':>20}   by count   by rate   -log p")
for some in few:
    of_it = exact_answers(joint, torch.tensor(some))
    three = bound_by_count(of_it, N), bound_by_rate(of_it, N), -joint[some].log()
    print(f"{' '.join(little[i] for i in some):>20}", *[f"{x:9.5f}" for x in three])

# %% tags=["author"]
assert all(
    abs(bound(exact_answers(joint, torch.tensor(some)), N) + joint[some].log()) < 1e-9
    for bound in (bound_by_count, bound_by_rate)
    for some in few
)

# %%
# How far is a single draw off?
order = torch.rand(4000, N, generator=seeded(1)).argsort(1)  # a random order in each row
n = torch.randint(1, N + 1, (4000, 1), generator=seeded(2))
by_n = order < n
draws = N * -(answers(by_n) * by_n).sum(1) / n[:, 0]
t = torch.rand(4000, 1, generator=seeded(3), dtype=torch.float64)
by_t = torch.rand(4000, N, generator=seeded(4)) < t
some = by_t.any(1)
rate_draws = torch.zeros(4000, dtype=torch.float64)
rate_draws[some] = -(answers(by_t[some]) * by_t[some]).sum(1) / t[some, 0]
print(f"by count: mean {draws.mean():.2f}, one draw is off by {draws.std():.2f}")
print(f"by rate:  mean {rate_draws.mean():.2f}, one draw is off by {rate_draws.std():.2f}")
print(f"by rate, nothing hidden at all: {1 - some.double().mean():.0%} of the draws")

# %% [markdown]
# The means agree up to chance. By rate the variance is infinite (a tiny `t` divides; the spread printed
# is luck), by count it is not. LLaDA was trained by rate and *evaluated* by count: 128 draws were stable,
# by rate over 1,000 (8 billion parameters; Nie et al. 2025, appendix A.2).

# %% [markdown]
# ## 6. With a model
#
# A model's guesses are not exact: each order gives the text another probability. Let the model write
# one word at a time, in a *random* order. The probability that it writes `x` is the average over all
# orders of the product. The sum of section 4 averages the *logarithms*, and the mean of logarithms is
# never above the logarithm of the mean (Jensen's inequality). So the sum is a bound:
#
# 1. `bound(x) >= -log p_model(x)` for each text;
# 2. and no model beats the language: over all texts, the bound is on average at least the
#    language's **entropy**, its own average surprise.
#
# Our model for now: the exact guesses, but with probability `doubt` it says any of the three words.


# %%
def doubting(answers: Answers, doubt: float) -> Answers:
    def mixed(masked: Tensor) -> Tensor:
        log_p = ((1 - doubt) * answers(masked).exp() + doubt / 3).log()
        return log_p.where(masked, 0.0)

    return mixed


def own_surprise(answers: Answers) -> float:
    """-log of the probability that a model writes the text, one word at a time in any order."""
    orders = list(itertools.permutations(range(N)))
    return -math.log(sum(math.exp(-sum(surprises_of(answers, o))) for o in orders) / len(orders))


# %%
texts = list(itertools.product(range(3), repeat=N))
exact_of = {some: exact_answers(joint, torch.tensor(some)) for some in texts}
chances = torch.stack([joint[some] for some in texts])  # (81,)
entropy = -(chances * chances.log()).sum().item()
print(f"entropy of the language: {entropy:.4f}")
bounds, own = {}, {}
for doubt in (0.0, 0.1, 0.5):
    asked = [doubting(exact_of[some], doubt) for some in texts]
    bounds[doubt] = torch.stack([bound_by_count(each, N) for each in asked])  # (81,)
    own[doubt] = torch.tensor([own_surprise(each) for each in asked], dtype=torch.float64)
    holds = (bounds[doubt] >= own[doubt] - 1e-9).sum()
    print(f"doubt {doubt:.2f}: the model's own surprise {chances @ own[doubt]:.4f},", end=" ")
    print(f"its bound {chances @ bounds[doubt]:.4f}; (1) holds for {holds} of {len(texts)} texts")

# %% tags=["author"]
assert all((bounds[doubt] >= own[doubt] - 1e-9).all() for doubt in bounds)
assert all(chances @ own[doubt] >= entropy - 1e-9 for doubt in bounds)

# %% [markdown]
# With exact guesses all three agree. With doubts the bound is the largest. Whoever lowers it by
# training cannot cheat: the model gets better, or its orders come to agree.
#
# ### Exercise 12.3: training for the bound
# `new_model()` makes a module, ids `(B, T)` -> logits `(B, T, V)`. `ids` `(S, B, T)`: a batch for each
# of `S` steps; ids above 4 are words, others never hidden. Of a row's `N` words the `n` with the
# smallest `noise` `(S, B, T)` are hidden (`[MASK]` is 4), `n` being 1 more than `share * N` rounded down
# (`share` `(S, B)`, from 0 to below 1). A step's loss: section 4's draws, one a row, added up and
# divided by the number of all words of the batch, hidden or not. Use `torch.optim.SGD`, learning rate
# `lr`. Return the list of the `S` losses, each from before its own step.


# %% exercise="12.3"
def train_for_bound(
    new_model: Callable[[], nn.Module], ids: Tensor, share: Tensor, noise: Tensor, lr: float
) -> list[float]:
    """The losses of a training in which any number of words is hidden."""
    ### BEGIN SOLUTION
    model, losses = new_model(), []
    optimizer = torch.optim.SGD(model.parameters(), lr)
    for rows, drawn, order in zip(ids, share, noise):
        words = rows > 4  # (B, T)
        N = words.sum(1)  # (B,)
        n = 1 + (drawn * N).long()
        masked = order.where(words, torch.inf).argsort(1).argsort(1) < n[:, None]
        log_p = model(rows.masked_fill(masked, 4)).log_softmax(-1)  # (B, T, V)
        surprise = -log_p.gather(2, rows[..., None])[..., 0] * masked  # (B, T)
        loss = (N * surprise.sum(1) / n).sum() / N.sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses
    ### END SOLUTION


# %%
check("12.3", train_for_bound)

# %% [markdown]
# ## 7. One slice is not enough
#
# Call the part of the sum with one `n` a slice. Which slices do other ways of training take?
#
# ||hides|that is|
# |---|---|---|
# |masked diffusion|`n` from 1 to `N`, all alike|the whole sum|
# |Mask-Predict's code|`n` from 1 to `N - 1`, one mean for the batch|no bound: `n` counts `n` times|
# |BERT|15 %, but a fifth of these stay visible or get another word|about one slice|
# |pseudo-likelihood|one word|the first slice, `N` times|
#
# What would one slice claim about the language? `N` times each, on average over all texts:

# %%
slices = [0.0] * N
for n in range(1, N + 1):
    sets = [[i in places for i in range(N)] for places in itertools.combinations(range(N), n)]
    masked = torch.tensor(sets)
    for some in texts:
        surprise = -(exact_of[some](masked) * masked).sum(1).mean().item() / n
        slices[n - 1] += joint[some].item() * N * surprise
print("N times the slice n = 1..4: ", *[f"{x:.4f}" for x in slices])
print("their mean, and the entropy:", f"{sum(slices) / N:.4f} {entropy:.4f}")

# %% tags=["author"]
assert slices == sorted(slices) and slices[0] < entropy < slices[-1]
assert abs(sum(slices) / N - entropy) < 1e-9

# %% [markdown]
# > **Often read:** the sum of `log p(word | all other words)` is the log-probability of the text.
#
# > **In fact** that is the pseudo-likelihood: the slice with one word hidden. Each word is helped
# > by all others, so it claims too little surprise: on average, less than the entropy (see above). It
# > can rank texts (Salazar et al. 2020, abstract), but is no probability and no safe bound of one.

# %% [markdown]
# ## 8. The bound of a real model
#
# Back to tinyworld, where `-log p` of every sentence, given its length, is known exactly.
#
# A perfect model gets the *same* questions: on average its bound is the exact number.

# %% tags=["nbval-ignore-output"]
from mlm_course.corpora.tinyworld import sentences
from mlm_course.corpora.tinyworld_oracle import PerfectModel
from mlm_course.diffusion import likelihood_bound

test_ids = sentences(200, 31)
exact = exact_nll(test_ids)  # (200,)
perfect = likelihood_bound(PerfectModel(), test_ids, seeded(32), draws=8)
bound = likelihood_bound(model, test_ids, seeded(32), draws=8)  # the same words hidden
print(f"exact, mean over {len(exact)} sentences:  {exact.mean():.2f} nats")
print(f"a perfect model's bound, eight draws: {perfect.mean():.2f}")
print(f"the trained model's, the same draws:  {bound.mean():.2f}")

# %% tags=["author"]
assert 0 < (bound - perfect).mean() < 2 and abs((perfect - exact).mean()) < 1

# %%
record = recorded("diffusion")
print(f"recorded, more sentences and draws: exact {record['entropy']:.2f},", end=" ")
print(f"bound {record['bound']:.2f} nats: about {record['bound'] - record['entropy']:.1f} lost")
print(f"{record['parameters']:,} parameters, {record['recipe']['steps']} steps of", end=" ")
print(f"{record['recipe']['batch_size']} sentences; made by: {record['command']}")

# %% [markdown]
# Now the surprise of a hidden word, against the share hidden. *The curve's mean over
# `n = 1..N`, times `N`, is the bound.*

# %%
from mlm_course.results.comparison import differences, mean_interval

ways, shares, floor = recorded("weightings"), record["shares"], record["floor by share"]
fig, (left, right) = plt.subplots(1, 2, figsize=(6.8, 3.4), sharey=True)
left.plot(shares, floor, "k--", label="exact")
left.plot(shares, record["by share"], label="the model")
left.fill_between(shares, record["by share"], alpha=0.15)
left.axvline(0.15, color="0.3", lw=0.8)
left.text(0.17, 4.4, "BERT")
left.set(xlabel="share hidden", ylabel="nats a hidden word", title="the model of this lesson")
right.plot(shares, floor, "k--")
right.set_prop_cycle(plt.rcParams["axes.prop_cycle"][1:])
for name in ("every share, a mean for each sentence", "15 % hidden", "40 % hidden"):
    right.plot(shares, ways["by share"][name], label=name.split(",")[0])
right.set(xlabel="share hidden", title="five small models each", ylim=(0, 5))
fig.legend(loc="outside upper left", ncols=3)
show_figure(fig, "Above their own share, models of one share fall far behind the exact line.")
curves = {"share hidden": shares, "exact": floor, "the model": record["by share"]}
curves |= {f"small, {name}": values for name, values in ways["by share"].items()}
for name, values in curves.items():
    print(f"{name:>44}", *[f"{x:5.2f}" for x in values])

# %% [markdown]
# *In words: right, up to 60 % hidden the small model of 40 % is lowest; beyond their own share those of one
# share fall more and more behind.*
#
# Their bounds, and how many valid sentences they write from blank lines in 16 steps (each way with that
# of three rates which gave the best bound; five seeds):

# %%
print(f"{'trained on':>38}   bound (nats), and 95 %      valid")
for name in ways["bound"]["values"]:
    two = [str(mean_interval(ways[part]["values"][name])) for part in ("bound", "valid")]
    print(f"{name:>38}   {two[0]:26}  {two[1]}")
print(f"{'the language itself':>38}   {record['entropy']:.2f}")
for part in ("bound", "valid"):
    for pair, difference in differences(ways[part]).items():
        print(f"{part}, {pair.split(' against ')[0]} against the first: {difference}")

# %% tags=["author"]
assert all(values[-1] > floor[-1] for values in ways["by share"].values())
assert all(x > record["entropy"] for values in ways["bound"]["values"].values() for x in values)

# %% [markdown]
# A mean for each sentence is ahead in the bound: of one mean for the batch by .43 to .84 nats, of the
# rate by .41 to .88, of 40 % hidden by 1.1 to 6.9, of 15 %, at the highest rate tried, by 12 to 16
# {r:weightings.bound}. In valid sentences no difference larger than .05 is seen between it and 40 %
# hidden {r:weightings.valid}.

# %% [markdown]
# ## 9. Which guesses to keep: the samplers
#
# Writing goes from `t = 1` (blank) in `T` steps to `t = 0`. Which answers are kept? Four samplers, four
# settings of lesson 11's `refine`:
#
# ||a word is|kept are|a kept word|
# |---|---|---|---|
# |Mask-Predict (lesson 11)|the likeliest|the most confident|may be hidden again|
# |MaskGIT (Chang et al. 2022)|drawn|the most confident, noise shrinking to 0; few in the first steps|stays|
# |LLaDA (Nie et al. 2025)|the likeliest|the most confident|stays|
# |MDLM (Sahoo et al. 2024)|drawn|any, by chance|stays|
#
# Only the last one is the forward process backwards.
#
# ### Exercise 12.4: one step, three orders
# `canvas` `(B, N)`: ids, `[MASK]` (4) where a place is masked. `predict(canvas)` gives logits
# `(B, N, V)`. `gaps` `(B, N)` were masked at first; a share `before` of them is masked now, a share
# `after` is to be masked after this step. Put the likeliest word at each masked place (`[MASK]` is none:
# it gets no probability), and mask some of *these* places again, by `order`:
#
# - `"confidence"`: in each row the `n` least probable words, `n` being `after` times the row's gaps,
#   rounded down;
# - `"random"`: the `n` with the smallest `noise` `(B, N)`;
# - `"chance"`: where `noise`, evenly between 0 and 1, is below the probability that a word hidden at time
#   `before` of the forward process is hidden at the earlier time `after`, too.
#
# Return the new canvas.


# %% exercise="12.4"
def one_step(
    predict: Callable[[Tensor], Tensor], canvas: Tensor, gaps: Tensor,
    before: float, after: float, order: str, noise: Tensor,
) -> Tensor:  # fmt: skip
    """The canvas after one step; what is filled stays."""
    ### BEGIN SOLUTION
    masked = canvas == 4
    logits = predict(canvas).index_fill(-1, torch.tensor([4]), -torch.inf)
    p, best = logits.softmax(-1).max(-1)  # (B, N) each
    n = (after * gaps.sum(1)).long()  # (B,)
    score = p if order == "confidence" else noise
    again = score.where(masked, torch.inf).argsort(1).argsort(1) < n[:, None]
    if order == "chance":
        again = noise < after / before
    return torch.where(masked & ~again, best, canvas)
    ### END SOLUTION


# %%
check("12.4", one_step)

# %% [markdown]
# ### What a perfect model does
# Let *exact* guesses take the model's place: whatever goes wrong now is the sampler's fault.
# `judge_sentences` counts the valid ones:

# %%
from mlm_course.corpora.tinyworld_oracle import exact_predict, n_words
from mlm_course.decoding import LLADA, MDLM, Predict, Sampler
from mlm_course.evaluation import judge_sentences

canvas, masked = blank(n_words(sentences(100, 33)))


def write(predict: Predict, steps: int, sampler: Sampler) -> Tensor:
    """The sentences that come of the hundred blank lines."""
    mask_id = tokenization.MASK_ID
    return refine(predict, canvas, masked, mask_id, steps, sampler, seeded(34))[-1].tokens


for T in (1, 4, 32):
    ids = write(exact_predict, T, MDLM)
    print(f"{T:2} steps: {judge_sentences(ids)['valid']:.0%} valid, such as:", *words(ids[1]))

# %% [markdown]
# One step, perfect guesses, and next to nothing is valid. Each word is right *by itself*, but given what
# is visible all are drawn independently: lesson 11's mixing of modes, or **conditional independence**.
# The guesses are exact already; no training of them helps.
#
# ### Exercise 12.5: what perfect guesses write
# `joint` is a table as in exercise 12.1, nothing in it 0. Exact guesses fill a blank line: first the
# places in `groups[0]`, each drawn by itself; then, given these, those in `groups[1]`, and so on (a
# list of lists, each place in one of them). Return the table `(V, ..., V)` of the probabilities with
# which the texts are *written*.


# %% exercise="12.5"
def written_by(joint: Tensor, groups: list[list[int]]) -> Tensor:
    """How probable each text is as the result of drawing whole groups of places at once."""
    ### BEGIN SOLUTION
    written, known = torch.ones_like(joint), []
    for group in groups:
        for place in group:
            seen = joint
            for i in range(joint.ndim):
                if i != place and i not in known:
                    seen = seen.sum(i, keepdim=True)
            written = written * seen / seen.sum(place, keepdim=True)
        known = known + group
    return written
    ### END SOLUTION


# %%
check("12.5", written_by)

# %% [markdown]
# ### The price of a grid of times
# 32 steps are more than words, and still some sentences are not valid. MDLM fills each place in any of
# the steps, with the same chance, so two places often share one: the birthday problem. Take as many
# steps, but one place in each, in random order:

# %%
from mlm_course.decoding import FIRST_HITTING

for T in (32, 128, 1024):
    apart = math.prod(1 - i / T for i in range(17))
    print(f"17 words, {T:4} steps: no two words share a step with probability {apart:.1%}")
ids = write(exact_predict, 32, FIRST_HITTING)  # steps enough for one place in each
print(f"one place at a time: {judge_sentences(ids)['valid']:.0%} valid")

# %% tags=["author"]
assert judge_sentences(ids)["valid"] == 1

# %% [markdown]
# In continuous time no two places are ever filled at once. So the reverse process *is* one place at a
# time, in random order: the *first-hitting sampler* (Zheng et al. 2024, section 4.2). With `n` places
# masked at time `t`, the next is filled at `t*u**(1/n)`, `u` drawn evenly from 0 to 1 (proposition 4.1).
# A model that is not told the time needs the order alone. What MDLM lacks above is the price of its grid.

# %%
t, times = torch.ones(10_000, dtype=torch.float64), []
for n in range(17, 0, -1):  # places still masked
    t = t * torch.rand(10_000, generator=seeded(n), dtype=torch.float64) ** (1 / n)
    times.append(t.mean().item())
print("17 places are filled, on average, at", *[f"{x:.2f}" for x in times])
for kind in (torch.float32, torch.float64):
    below_1 = torch.nextafter(torch.ones((), dtype=kind), torch.zeros((), dtype=kind))
    print(f"Gumbel noise in {kind} ends at {-torch.log(-torch.log(below_1)):.1f}")

# %% tags=["author"]
assert all(abs(x - n / 18) < 0.01 for x, n in zip(times, range(17, 0, -1)))

# %% [markdown]
# A fine grid costs precision, too. The largest of `log p + Gumbel noise` is a draw from `p`, if the noise has
# no end. Earlier code drew words and "still masked" together so, in float32: 2,048 steps acted like a lower
# temperature (entropy of 8 texts 5.17, in float64 5.66; Zheng et al. 2024, section 5.2, table 2).
#
# ### Order and schedule, each changed alone
# The papers' samplers differ in several things at once. So each *order* is tried with each *schedule*, linear
# (even steps) or cosine (few places at first): every word drawn, five small models, bars 95 % intervals.

# %%
design = recorded("samplers")
orders = list(dict.fromkeys(name.rsplit(", ", 1)[0] for name in design["valid"]))
fig, axes = plt.subplots(1, 2, figsize=(6.8, 3.8), sharey=True)
print("valid sentences (%), by steps:", *design["steps"])
for side, schedule in zip(axes, ("linear", "cosine")):
    for order in orders:
        by_steps = design["valid"][f"{order}, {schedule}"]
        at = [mean_interval(five) for five in by_steps.values()]
        means, reach = [100 * x.mean for x in at], [100 * (x.high - x.mean) for x in at]
        side.errorbar(range(len(at)), means, reach, capsize=2, label=order)
        print(f"{order:>29}, {schedule}:", *[f"{x:5.1f}" for x in means])
    side.set(xticks=range(len(at)), xticklabels=list(by_steps), xlabel="steps", title=schedule)
axes[0].set(ylabel="valid sentences (%)")
fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper left", ncols=3)
show_figure(fig, "Valid sentences by order, schedule and number of steps, means of five models.")

# %%
from mlm_course.results.comparison import compare

at_8 = differences({"differences": design["differences"]["8"]})
print("8 steps, cosine against linear")
for order in orders:
    print(f"{order:>29}: {at_8[f'{order}, cosine against {order}, linear']}")
for schedule in ("linear", "cosine"):
    print(f"8 steps, {schedule}, against the most confident first")
    for order in orders[1:]:
        print(f"{order:>29}: {at_8[f'{order}, {schedule} against {orders[0]}, {schedule}']}")
one, chance = (design["valid"][f"{o}, linear"]["32"] for o in ("random order", "each by chance"))
print("32 steps, one place at a time in random order against each by chance:", compare(one, chance))

# %% [markdown]
# In 8 steps, cosine is ahead of linear in random order by .13 to .17, and behind by .07 to .12 with
# the most confident first {r:samplers.differences.8}. With cosine, random order is ahead of the most
# confident first by .23 to .31; with linear no difference of the two larger than .09 is seen
# {r:samplers.differences.8}.
#
# A ranking belongs to its number of steps: in 4 even ones each by chance is ahead of the most
# confident first by .05 to .10 {r:samplers.differences.4}, in 16 behind by .04 to .39
# {r:samplers.differences.16}. LLaDA 8B Base, one likeliest token a step, solves 70 % of GSM8K with the
# most confident first, 21 % in random order (Nie et al. 2025, table 9).
#
# Click a word to mask it again, or give gaps.

# %% tags=["nbval-ignore-output"]
from mlm_course.widgets import Diffuse

offered = ["ben met his ___ at the ___ , and ben ___ his ___ a ___ ."]
Diffuse(model, names, examples=offered, title="The model writes")

# %% [markdown]
# ### Exercise 12.6: who wrote this?
# `confidence` and `masked`, `(S, B, N)`: a run of `refine` from blank lines, for each of `S` steps
# what was masked before it and, after it, the probability that each word had when it was chosen.
# Return the order, `"confidence"` (the least confident are masked again) or `"random"`; the schedule,
# `"linear"` or `"cosine"` (after `s` steps `N(S-s)/S` or `N*cos(pi*s/(2S))` are masked,
# rounded down); and whether kept words may be masked again (if so, it happens).


# %% exercise="12.6"
def which_sampler(confidence: Tensor, masked: Tensor) -> tuple[str, str, bool]:
    """Order, schedule, and whether kept words may be masked again."""
    ### BEGIN SOLUTION
    S, _, N = masked.shape
    before, after = masked[:-1], masked[1:]
    may_remask = bool((after & ~before).any())
    schedule = "linear" if after[0, 0].sum() == N * (S - 1) // S else "cosine"
    choice = before | may_remask  # what could have been masked again
    most = confidence[:-1].where(after, -torch.inf).amax(-1)  # of those that were
    least = confidence[:-1].where(choice & ~after, torch.inf).amin(-1)  # of those that were not
    return "confidence" if (most <= least).all() else "random", schedule, may_remask
    ### END SOLUTION


# %%
check("12.6", which_sampler)

# %% [markdown]
# Validity is half of it. (The columns: the valid; the distinct of all; words that repeat the last.)

# %%
print(f'the trained model, 16 steps; {record["written"]} sentences; "drawing": as published, but')
print("words are drawn instead of the likeliest taken")
print(f"{'':>24}   valid  different  repeats")
table = {name: by_steps["16"] for name, by_steps in record["samplers"].items()}
for name, row in (table | {"the language": record["real"]}).items():
    print(f"{name:>24}  {row['valid']:6.1%}  {row['different']:9.1%}  {row['repeats']:7.2%}")
print("mean surprise of the valid ones (nats): ", end="")
print(f"LLaDA {table['LLaDA']['surprise']:.1f}, the language {record['real']['surprise']:.1f}")

# %% tags=["author"]
assert table["LLaDA"]["different"] < 0.1 < table["MDLM"]["different"]

# %% [markdown]
# The two that take the likeliest word write *one sentence for each length*, again and again. Surprise
# does not show it: who reports it has to report variety, too (Zheng et al. 2024, section 5). Sentences:


# %% tags=["nbval-ignore-output"]
ids = write(predictor(model), 16, replace(LLADA, temperature=1.0))
valid = exact_nll(ids).isfinite()
for row, good in list(zip(ids, valid))[:8]:
    print("     " if good else "wrong", *words(row))
print(f"valid: {valid.double().mean():.0%}")

# %% tags=["author"]
assert FAST or valid.double().mean() > 0.3

# %% [markdown]
# ## 10. Gaps, exactly
#
# Back to tinyworld, where all right answers are known:

# %%
given = "it was ___ that ___ , so clara wore her ___ ___ and her brother wore a ___ ___ ."
ids = tinyworld.encode([["[MASK]" if w == "___" else w for w in given.split()]])
gaps = ids == tokenization.MASK_ID
posterior = tinyworld.masked_posterior(ids, gaps)[0]  # (T, V)
for place in gaps[0].nonzero()[:, 0].tolist():
    possible = posterior[place][posterior[place] > 0]
    print(f"place {place:2}: {len(possible)} possible words, the likeliest {possible.max():.0%}")

# %% [markdown]
# Six gaps that hang together, with 128 right ways to fill them. The trained model fills them, 250 times
# for each line:


# %% tags=["nbval-ignore-output"]
def filled(predict: Predict, sampler: Sampler, steps: int, n: int) -> Tensor:
    """n fillings of the gaps: ids (n, T)."""
    canvas, masked, mask_id = ids.repeat(n, 1), gaps.repeat(n, 1), tokenization.MASK_ID
    return refine(predict, canvas, masked, mask_id, steps, sampler, seeded(35))[-1].tokens


surest_first = replace(LLADA, temperature=1.0)
two_orders = {
    "most confident first": surest_first,
    "any order": replace(surest_first, order="random"),
}
share_valid = {}
for name, sampler in two_orders.items():
    for T in (1, 2, 3, 6):
        is_valid = exact_nll(filled(predictor(model), sampler, T, 250)).isfinite()
        share_valid[name, T] = is_valid.double().mean().item()
        print(f"{name:>20}, {T} steps: {share_valid[name, T]:4.0%} valid")

# %% tags=["author"]
assert all(share_valid[name, 1] < 0.2 and share_valid[name, 6] > 0.75 for name in two_orders)

# %% [markdown]
# Do the words, such as the colour, have the right *frequencies*? That is the sampler's affair, so let
# the guesses be exact:

# %% tags=["nbval-ignore-output"]
colour_place = given.split().index("her") + 2  # the gap after it; [CLS] in front
colours = [i for i in range(V) if posterior[colour_place, i] > 0]
colours.sort(key=lambda i: -posterior[colour_place, i])
rows, n_filled = {"exact": posterior[colour_place, colours]}, 40 if FAST else 400
for name, sampler in (two_orders | {"Mask-Predict": MASK_PREDICT}).items():
    n = n_filled if sampler.draws else 1  # nothing is drawn: always the same
    chosen = filled(exact_predict, sampler, 6, n)[:, colour_place]
    rows[name] = torch.stack([(chosen == i).double().mean() for i in colours])
fig, ax = plt.subplots(figsize=(6.8, 3))
for k, (name, values) in enumerate(rows.items()):
    places = [i + 0.2 * k - 0.3 for i in range(len(colours))]
    ax.bar(places, values.tolist(), 0.2, label=name, color=("C0", "w", "0.6", "k")[k])
ax.set(xticks=range(len(colours)), xticklabels=[names[i] for i in colours], ylabel="share")
fig.legend(loc="outside upper left", ncols=2)
likeliest = ", ".join(f"{name} {values[0]:.0%}" for name, values in rows.items())
show_figure(fig, f"The likeliest colour, {names[colours[0]]}: {likeliest}.")
for name, values in rows.items():
    print(f"{name:>20}:", *[f"{names[i]} {x:.0%}" for i, x in zip(colours, values)])
print(f"{n_filled} draws: a standard error of at most {50 / math.sqrt(n_filled):.1f} points")

# %% tags=["author"]
assert FAST or (rows["any order"] - rows["exact"]).abs().max() < 0.1
assert FAST or rows["most confident first"][0] > rows["exact"][0] + 0.2
assert rows["Mask-Predict"].max() > 0.99

# %% [markdown]
# *In words: in any order the colours come as often as they should, up to chance. The most confident
# first writes the common colour far too often. Taking the likeliest word, there is one only.*
# The first two differ in the order alone: a draw is kept if it is a *likely* word, and drawn again if not,
# much as with a temperature below 1 (Hayakawa et al. 2025, abstract, on MaskGIT). Validity does not show it.

# %% [markdown]
# Must it be one gap a pass? **Adaptive decoding** fills all of which the model is sure (Fast-dLLM, Wu et al.
# 2025, section 3.3).
#
# ### Exercise 12.7: as many as are sure
# `predict(canvas)` gives logits `(B, N, V)` for a `canvas` `(B, N)`; masked is what holds 4. Do `passes`
# passes. In each, every row fills all its masked places whose likeliest word (4 gets no probability, as in
# 12.4) has at least the probability `sure`; if none has, the one of them with the highest. Some may stay
# masked. Return the canvas and, for each row, the number of passes that filled something, `(B,)`.


# %% exercise="12.7"
def fill_the_sure(
    predict: Callable[[Tensor], Tensor], canvas: Tensor, sure: float, passes: int
) -> tuple[Tensor, Tensor]:
    """The filled canvas, and how many passes each row took."""
    ### BEGIN SOLUTION
    taken = torch.zeros(len(canvas), dtype=torch.int64)
    for _ in range(passes):
        masked = canvas == 4
        logits = predict(canvas).index_fill(-1, torch.tensor([4]), -torch.inf)
        p, best = logits.softmax(-1).max(-1)  # (B, N) each
        p = p.where(masked, 0.0)
        least = p.amax(1, keepdim=True).clamp(max=sure)  # (B, 1)
        canvas = torch.where(masked & (p >= least), best, canvas)
        taken += masked.any(1)
    return canvas, taken
    ### END SOLUTION


# %%
check("12.7", fill_the_sure)

# %% [markdown]
# `threshold` is that as a setting of `refine`. Here on docstrings; then recorded: five small models, tinyworld,
# half the words hidden.

# %% tags=["nbval-ignore-output"]
for with_gaps in (unread, "Returns ___ if the two ___ are ___, False ___."):
    in_steps = fill(with_gaps, replace(LLADA, threshold=0.5)).tokens
    print(f"{with_gaps.count('___')} gaps, {len(in_steps)} steps:", *in_steps[-1])

# %%
sure = recorded("thresholds")
valid, taken, at = sure["valid"]["values"], sure["steps"], f"{sure['chosen']:g}"
print("fixed: the same number of gaps a step, in as many steps on average as the threshold took")
print(f"{'threshold':>14}  steps  valid; valid, fixed")
for way in [name for name in valid if not name.startswith("fixed")]:
    rival = f"; {sum(valid[f'fixed, as {way}']) / 5:.1%}" if f"fixed, as {way}" in valid else ""
    print(f"{way:>14}  {sum(taken[way]) / 5:5.2f}  {sum(valid[way]) / 5:.1%}{rival}")
print(f"chosen, the lowest at most .01 behind one at a time on other sentences: {at}")
print(f"steps saved at {at}: {mean_interval(sure['saved']['values'][at])}")
for other in ("one at a time", f"fixed, as {at}"):
    print(f"valid, {at} against {other}: {differences(sure['valid'])[f'{at} against {other}']}")

# %% tags=["author"]
assert at == "0.7" and valid[at] == valid["one at a time"]

# %% [markdown]
# At .7 as many sentences are valid as one at a time, in each of the five, with .58 to .59 of the steps saved
# {r:thresholds.saved}; a fixed number in as many steps is behind by .07 to .09 {r:thresholds.valid}. Where each
# of `n` words has a probability above `n/(n+1)` in one `joint` table, together they are its likeliest filling; below,
# not always (Wu et al. 2025, theorem 1). LLaDA-Instruct, threshold .9: 79.2 % of GSM8K instead of 79.3,
# at 2.5 times the speed (256 tokens; table 1).

# %% [markdown]
# ## 11. Real sentences out of nothing
#
# A model trained for the bound on sentences of docstrings writes some of 18 pieces, one by one, each drawn,
# in section 10's two orders.

# %% tags=["nbval-ignore-output"]
docs_writer, _ = load_pretrained("docs_diffusion")
blanks, to_fill = blank(torch.full((4,), 18))
for name, order in reversed(two_orders.items()):
    asked = predictor(docs_writer), blanks, to_fill, tokenization.MASK_ID
    steps = refine(*asked, 18, order, seeded(36))
    print(f"{name}:")
    for row in steps[-1].tokens:
        print("  ", docs_tokenizer.decode(row.tolist()))
RefinementSteps(
    [[docs_tokenizer.id_to_token(i) for i in step.tokens[0, 1:19]] for step in steps],
    [step.confidence[0, 1:19] for step in steps],
    [step.masked[0, 1:19] for step in steps],
    title="a sentence out of nothing",
)

# %% [markdown]
# Is that as good as from left to right? Two rivals, the same `MaskedLM`: one trained for the bound; its *twin*,
# under a causal mask (lesson 2), to name what comes next. The same sentences, as many steps, three learning
# rates tried by each, five seeds.
#
# *Validity* has no oracle here. A proxy, the *judge*: how surprising a text is to section 2's model, each
# piece hidden alone. Dull texts surprise little, so look at variety, too.

# %%
twins = recorded("docs_twins")
print(
    "Nats a piece, unread sentences. The twin pays for the end, its [SEP], too; diffusion, told the"
)
print("length, for that, as counted in training. Its number is a bound, for any order.")
print(f"{twins['steps']} steps of {twins['batch_size']} sentences:")
for name, values in twins["nats"]["values"].items():
    print(f"{name:>34}: {mean_interval(values)}")
print(f"{'':>36}{differences(twins['nats'])['masked diffusion against left to right']}")
longer = recorded("docs_diffusion")
print(f"{'the model above, 4 x the steps':>34}: {longer['test']['nats']:.2f} (one run)")
print(f"{twins['written']} sentences each\n{'':>36}judge  doubled  distinct trigrams  copied")
for way, row in (twins["by way"] | {"true, unread": twins["true sentences"]}).items():
    print(f"{way:>34}: {row['judge']:5.2f}    {row['doubled']:5.1%}", end="")
    print(f"{row['distinct trigrams']:19.1%}{row['copied']:8.1%}")
for mark in ("judge", "doubled", "distinct trigrams"):
    for pair, difference in differences(twins[mark]).items():
        print(f"{mark}, {pair}: {difference}")

# %%
for what in ("training step", "64 texts"):
    print(f"{what}, ms of processor time, untrained, 30 pieces: median (least to largest of 5)")
    for name, (middle, least, most) in twins["time"][what]["cpu_ms"].items():
        print(f"{name:>42}: {middle:,.0f} ({least:,.0f} to {most:,.0f})")

# %% tags=["author"]
assert all(d.high < 0 for d in differences(twins["nats"]).values())
assert twins["by way"]["most confident first, one by one"]["distinct trigrams"] < 0.8

# %% [markdown]
# As good? Not with this size and budget: the bound is behind by .94 to 1.08 nats a piece {r:docs_twins.nats}.
# One by one in any order, the judge finds diffusion behind by 2.29 to 2.57 {r:docs_twins.judge}; the most
# confident first, *ahead* by .09 to .65, in 8 steps behind by .01 to .52 {r:docs_twins.judge}. But that order
# acts like a lower temperature (section 10), and no colder twin was tried: one by one, .05 to .19 more of
# the sentences have doubled pieces {r:docs_twins.doubled}, and .21 to .24 fewer of the trigrams are distinct
# {r:docs_twins.distinct trigrams}.
#
# Elsewhere, left to right is ahead in validation loss at first, too; with much compute and many passes over
# little data, diffusion is (Prabhudesai et al. 2025, abstract and figure 1).

# %% [markdown]
# ## 12. Blocks that do not look ahead
#
# Each new word changes the vectors of all places, so keys and values (lesson 11) do not stay. **Block
# diffusion** (Arriola et al. 2025, section 3) fills blocks from left to right under a **block-causal mask**: a
# place sees its own block and those before it. What a finished block has read never changes, so its keys and
# values stay. With and without keeping them (weights untrained):

# %%
from mlm_course.attention import block_causal_mask
from mlm_course.views import mask_matrix, show

in_twos, six = block_causal_mask(6, 2), [str(place) for place in range(6)]
show(mask_matrix(six, six, in_twos, {"a later block": in_twos}, title="blocks of two"))

# %%
from mlm_course.cost import take_turns
from mlm_course.diffusion import block_predictor
from mlm_course.models import EncoderConfig, MaskedLM, seeded_init

sizes = EncoderConfig(V, 128, d_model=128, n_layers=2, embedding_std=0.5)
untrained = seeded_init(MaskedLM, sizes).eval()
row = torch.full((1, 128), tokenization.MASK_ID)


@torch.no_grad()
def recomputed(canvas: Tensor) -> Tensor:
    pairs = block_causal_mask(canvas.shape[1], 16)[None, None]
    return untrained(canvas, pairs).index_fill(-1, torch.arange(5), -torch.inf)


def in_blocks(predict: Predict) -> Tensor:
    asked = predict, row, row == tokenization.MASK_ID, tokenization.MASK_ID
    return refine(*asked, 4, replace(LLADA, block_length=16))[-1].tokens


# %% tags=["nbval-ignore-output"]
ways = {
    "the whole row anew": lambda: in_blocks(recomputed),
    "kept": lambda: in_blocks(block_predictor(untrained, 16)),
}
print("the same words:", torch.equal(*[way() for way in ways.values()]))
seconds = take_turns(ways, rounds=5)
for name, each in seconds.items():
    print(f"{name:>19}: {1000 * sorted(each)[2]:.0f} ms, median of five")

# %%
print("recorded, equal words: width 256, blocks of 32, keeping against")
for each in recorded("benchmarks")["blocks"]["findings"]:
    print(f"{each['peer']:>15}, {each['what']}: {each['ratio']:.1f}", end=" ")
    print(f"(quartiles {each['low']:.1f} to {each['high']:.1f})")

# %% tags=["author"]
assert torch.equal(*[way() for way in ways.values()])
assert recorded("benchmarks")["blocks"]["findings"][0]["low"] > 2

# %% [markdown]
# The cost: a model is trained so, and what stands to the right is not seen. The bound on the
# perplexity of One Billion Words, after 65 billion tokens: 28.2 with blocks of 4, 31.8 for MDLM;
# left to right 22.8 (Arriola et al. 2025, table 3). Fast-dLLM keeps keys and values where places *do* look
# ahead, as an approximation (Wu et al. 2025, section 3.2).
#
# ### Exercise 12.8: two copies
# To train all blocks in one pass, a row holds a text of `size` words twice: noisy (some words of each block
# masked), then clean. Return the mask `(2 size, 2 size)`, True = may see, under which each noisy block is
# guessed as when it is *written*, finished blocks before it; the clean copy is what finished blocks read.
# Blocks have `block` words, the last may have fewer.


# %% exercise="12.8"
def two_copies_mask(size: int, block: int) -> Tensor:
    """Who sees whom where a noisy and a clean copy of a text stand in one row."""
    ### BEGIN SOLUTION
    number = torch.arange(size) // block  # of the block that a word is in
    same = number[:, None] == number
    earlier = number[:, None] > number
    noisy = torch.cat([same, earlier], 1)
    clean = torch.cat([torch.zeros_like(same), same | earlier], 1)
    return torch.cat([noisy, clean])
    ### END SOLUTION


# %%
check("12.8", two_copies_mask)

# %% [markdown]
# ## 13. What remains hard
#
# - **Work.** Word by word, each of `N` steps computes one place; here, each of `T` steps all `N`, or a block.
# - **The length comes first.** Not in block diffusion (Arriola et al. 2025, abstract).
#
# %% [markdown]
# ## On a GPU
#
# The same on real stories (needs a network; not measured).

# %%
from mlm_course.training import Recipe, find_device, fit, run_folder
from mlm_course.widgets import progress_display

machine = find_device()
GPU = machine.is_gpu
big = EncoderConfig(8000, 128, d_model=512, n_layers=8, n_heads=8)
if not GPU:  # no GPU: the same lines, small
    big = EncoderConfig(V, 26, d_model=32, n_layers=1, n_heads=2)
big_recipe = Recipe(
    steps=20_000 if GPU else 5,
    batch_size=128 if GPU else 8,
    precision=machine.precision,
    compile=machine.compile,
)

# %% tags=["nbval-ignore-output"]
from mlm_course.training.datasets import GapRows
from mlm_course.training.losses import diffusion_loss

print(machine)
if GPU:
    from mlm_course.corpora.hub_text import load_text

    stories = load_text("tinystories", n=200_000)
    big_tokenizer = tokenization.train_wordpiece(stories, big.vocab_size)
    story_ids = tokenization.encode(big_tokenizer, stories, special_tokens=False)
    big_rows = torch.tensor(tokenization.pack(story_ids, big.max_length)[:-1])
else:  # five steps on tinyworld
    big_rows = sentences(200, 60)
writer = seeded_init(MaskedLM, big).to(machine.kind)
history = fit(writer, GapRows(big_rows, seed=0), diffusion_loss, big_recipe,
              folder=run_folder("lesson_12") if GPU else None, save_every=500,
              display=progress_display(big_recipe.steps))  # fmt: skip
print(f"{len(big_rows):,} rows; bound {history.losses[0]:.2f}", end=" ")
print(f"-> {history.losses[-1]:.2f} nats a word")

# %% tags=["nbval-ignore-output"]
line, masked = (x.to(machine.kind) for x in blank(torch.tensor([17])))
if GPU:  # rows of stories are full: no [CLS]; [SEP] between two
    line = torch.full((1, big.max_length), tokenization.MASK_ID, device=machine.kind)
    masked = torch.ones_like(line, dtype=torch.bool)
sampler, passes = replace(LLADA, temperature=1.0), 64 if GPU else 8
with torch.no_grad():
    last = refine(predictor(writer), line, masked, tokenization.MASK_ID, passes, sampler,
                  torch.Generator(machine.kind).manual_seed(0))[-1].tokens[0]  # fmt: skip
print((big_tokenizer.decode(last.tolist()) if GPU else " ".join(words(last)))[:200])

# %% [markdown]
# ## Quiz

# %%
quiz("12")

# %% [markdown]
# ## Recap
#
# - The surprise of a text is the sum of its words' surprises **in any order**; averaged over orders,
#   `N` times the mean over `n` of the mean surprise of `n` hidden words. With a model's guesses it is an
#   **upper bound** on its own `-log p`.
# - Words filled in one step do not know of each other, whoever guesses. With perfect guesses one place at
#   a time, in random order, is exact. Judge variety beside validity.
# - Blocks that do not look ahead keep exact keys and values.
#
# **Next:** lesson 13 makes models smaller and faster, and measures what that costs.

# %%
progress("12")

# %% [markdown]
# ## References
#
# - B. Uria et al. 2014. *A Deep and Tractable ...*.
#   [arXiv:1310.1757](https://arxiv.org/abs/1310.1757)
# - Y. Liao et al. 2020. *Probabilistically Masked ...*
#   [arXiv:2004.11579](https://arxiv.org/abs/2004.11579)
# - S. Sahoo et al. 2024. *Simple and Effective ...*.
#   [arXiv:2406.07524](https://arxiv.org/abs/2406.07524)
# - K. Zheng et al. 2024. *Masked Diffusion Models are ...*
#   [arXiv:2409.02908](https://arxiv.org/abs/2409.02908)
# - S. Nie et al. 2025. *Large Language Diffusion ...*.
#   [arXiv:2502.09992](https://arxiv.org/abs/2502.09992)
# - M. Arriola et al. 2025. *Block Diffusion*. [arXiv:2503.09573](https://arxiv.org/abs/2503.09573)
# - C. Wu et al. 2025. *Fast-dLLM*. [arXiv:2505.22618](https://arxiv.org/abs/2505.22618)
# - S. Hayakawa et al. 2025. *Demystifying MaskGIT ...*.
#   [arXiv:2510.04525](https://arxiv.org/abs/2510.04525)
# - H. Chang et al. 2022. *MaskGIT*. [arXiv:2202.04200](https://arxiv.org/abs/2202.04200)
# - M. Prabhudesai et al. 2025. *Diffusion Beats Autoregressive ...*.
#   [arXiv:2507.15857](https://arxiv.org/abs/2507.15857)
# - J. Salazar et al. 2020. *Masked ... Scoring*.
#   [arXiv:1910.14659](https://arxiv.org/abs/1910.14659)
