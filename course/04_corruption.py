# %% [markdown]
# # Lesson 4: Corruption
#
# Masked language modelling is a game of hide and seek. Take a text, hide some of it, let a model
# guess what was there. This lesson makes the first move, **corruption**: which tokens are hidden, what
# stands in their place, and what the model has to say. It decides how hard the game is, and many
# programs go wrong right here without a single error message.
#
# By the end you will have written every step of BERT's corruption, played with eight ways of hiding,
# and measured how well the *best possible* player could do. You need lesson 2 (an attention mask is
# not a `[MASK]`) and lesson 3 (tokens, ids, special tokens).

# %%
import matplotlib.pyplot as plt
import torch
from torch import Tensor

from mlm_course import corruption, tokenization
from mlm_course.corpora import tinyworld
from mlm_course.practice import check, hint, progress, quiz, solution
from mlm_course.views import show, token_strip
from mlm_course.views.figures import show_figure

# %% [markdown]
# ## 1. Which tokens, and how many?
#
# We mostly use tinyworld, lesson 2's small language, because of something no other language offers:
# for every hidden word we can compute *exactly* how likely each answer is. Its tokens are whole words.

# %%
names = tinyworld.vocabulary()  # the word of each id
sentences = [
    "anna gave tom a red towel , and he thanked her for the red towel at the river .",
    "now these geese are thirsty , so ben brings them some milk .",
]
ids = tinyworld.encode([s.split() for s in sentences])  # (B, T), with [CLS], [SEP] and [PAD]
ids

# %% [markdown]
# Which of these may be hidden? Everything but special tokens: asking a model to guess `[SEP]`
# teaches it nothing, and nothing stands at `[PAD]`. We call the tokens that may be hidden
# **candidates** (the package says *maskable*).
#
# ### Exercise 4.1: candidates
# `ids` `(B, T)`, `special_ids` a list of ids (any ids: other vocabularies number them differently)
# -> boolean `(B, T)`, True where the token may be hidden. (`torch.isin` asks for each number
# whether it is among others.)


# %% exercise="4.1"
def candidates(ids: Tensor, special_ids: list[int]) -> Tensor:
    """True where a token is not special."""
    ### BEGIN SOLUTION
    return ~torch.isin(ids, torch.tensor(special_ids))
    ### END SOLUTION


# %%
check("4.1", candidates)

# %%
special_ids = list(range(len(tokenization.SPECIAL_TOKENS)))
maskable = corruption.maskable(ids, special_ids)  # the package's version
maskable.sum(1)  # candidates in each row

# %% [markdown]
# How many of them? BERT hides 15 % of the tokens. The simplest way: toss a coin for each candidate
# that says "hide" with probability .15. That is **Bernoulli** masking. What does it do to short rows?

# %%
g = torch.Generator().manual_seed(0)
rows = torch.ones(10_000, 12, dtype=torch.bool)  # ten thousand rows of 12 candidates
tossed = corruption.choose_bernoulli(rows, 0.15, g).sum(1)  # hidden tokens in each row
fixed = corruption.choose_fixed_count(rows, 0.15, g).sum(1)

fig, ax = plt.subplots()
for k, (name, counts) in enumerate([("Bernoulli", tossed), ("fixed count", fixed)]):
    share = torch.bincount(counts, minlength=8)[:8] / 100
    ax.bar(torch.arange(8) + 0.4 * k - 0.2, share, 0.4, label=name, color=("C0", "w")[k])
ax.set(xlabel="hidden tokens in a row of 12", ylabel="% of rows")
fig.legend(loc="outside upper left", ncols=2)
nothing = (tossed == 0).float().mean()
show_figure(fig, f"Bernoulli leaves nothing to guess in {nothing:.0%} of the rows.")
print("fixed count: hidden tokens in every row:", fixed.unique().tolist())

# %% [markdown]
# *In words: with coin tosses the number of hidden tokens varies between none and six or more. A
# fixed count hides the same number in every row of the same length.*
#
# A row in which nothing is hidden teaches nothing. So BERT's original code hides a **fixed count**
# in each row: 15 % of the row, rounded, and at least one. (It counts special tokens too, and has an
# upper limit. We count candidates.)
#
# How do you pick exactly `n` of the candidates at random, for a whole batch at once? Give each
# token a random number and take the `n` smallest. Tokens that may not be hidden get a number too
# large to be taken. "The `n` smallest" is best said with *ranks*, and sorting twice gives them:

# %%
noise = torch.tensor([0.7, 0.1, 0.4])
print("which place comes first, second, third:", noise.argsort().tolist())
print("each place's rank:                     ", noise.argsort().argsort().tolist())

# %% [markdown]
# ### Exercise 4.2: a fixed count
# `noise` `(B, T)` holds random numbers in [0, 1), `maskable` `(B, T)`, `ratio` a number. Hide in
# each row its `max(1, round(ratio * candidates))` candidates with the smallest noise (every row
# here has some candidates). Return a boolean `(B, T)`. (For tensors: `.round()`, `.clamp(min=1)`,
# `.argsort(1)` along a row; `.sum(1, keepdim=True)` keeps the axis.)


# %% exercise="4.2"
def hide_fixed_count(noise: Tensor, maskable: Tensor, ratio: float) -> Tensor:
    """In each row the candidates with the smallest noise, a share `ratio` of them, at least one."""
    ### BEGIN SOLUTION
    count = (maskable.sum(1, keepdim=True) * ratio).round().clamp(min=1)  # (B, 1)
    rank = noise.masked_fill(~maskable, 2.0).argsort(1).argsort(1)  # (B, T)
    return rank < count
    ### END SOLUTION


# %%
check("4.2", hide_fixed_count)

# %%
g = torch.Generator().manual_seed(3)
masked = corruption.choose_fixed_count(maskable, 0.15, g)
show(token_strip([names[i] for i in ids[0]], masked=masked[0], maskable=maskable[0]))

# %% [markdown]
# ## 2. What stands in its place?
#
# Usually the token `[MASK]`. But `[MASK]` never occurs when the model is used later, on real text.
# A model that has learned "I only need to think at `[MASK]`" would be in for a surprise. So BERT
# does this with each hidden token:
#
# - in 80 % of the cases it becomes `[MASK]`,
# - in 10 % it *stays as it is*, and the model must still say which token belongs there,
# - in 10 % it becomes some random ordinary token.
#
# Since any token might be wrong, the model has to think everywhere. (Whether it is worth it is
# another matter: plain `[MASK]` does as well or better in a careful comparison, Wettig et al. 2023.
# Lesson 6 measures it.)
#
# ### Exercise 4.3: 80 / 10 / 10
# `ids`, `masked`, `u` (random numbers in [0, 1)) and `random_ids` are all `(B, T)`. Wherever a
# token is hidden, `u` decides: below .8 it becomes `mask_id`; from .8 to below .9 it stays; from .9
# on it becomes the entry of `random_ids` at its place. Return a new tensor.
# (`torch.where(condition, a, b)`. Mind the parentheses: `masked & (u < 0.8)`.)


# %% exercise="4.3"
def replace_80_10_10(
    ids: Tensor, masked: Tensor, u: Tensor, random_ids: Tensor, mask_id: int
) -> Tensor:
    """The ids with each hidden token replaced by [MASK], by a random id, or by itself."""
    ### BEGIN SOLUTION
    to_mask = masked & (u < 0.8)
    to_random = masked & (u >= 0.9)
    corrupted = torch.where(to_mask, mask_id, ids)
    return torch.where(to_random, random_ids, corrupted)
    ### END SOLUTION


# %%
check("4.3", replace_80_10_10)

# %% [markdown]
# > **Often read:** embed the text, then write the id of `[MASK]` into it, at random places:
# > `vectors[torch.randint(length, batch, (batch,))] = 101`.
#
# Three mistakes in one line. First, in BERT's published vocabulary 101 is `[CLS]`; 102 is `[SEP]`
# and 103 is `[MASK]`. Ask the tokenizer for the id, never write it down:

# %%
from mlm_course.corpora import python_docs

manual = python_docs.manual()
tokenizer = tokenization.train_wordpiece(manual, vocab_size=2000)  # as in lesson 3
print("here:", tokenizer.token_to_id("[MASK]"))

# %% [markdown]
# Second, `randint(low, high)` needs `low < high`. (And its result would pick whole rows of the
# batch, not places in a text.)

# %%
batch, length = 1, 5
try:
    torch.randint(length, batch, (batch,))
except RuntimeError as error:
    print("RuntimeError:", str(error).splitlines()[0])

# %% [markdown]
# Third, and worst, an id is a *name*, not a quantity. Written into a vector it becomes `D` equal huge numbers:

# %%
table = torch.randn(len(names), 6, generator=g)  # (V, D): one vector for each id
vectors = table[ids[:1, :4]]  # (1, T, D)
vectors[:, 1] = 101
vectors[0, :2]

# %% [markdown]
# > **In fact** masking happens *before* the embedding, on ids: `ids[masked] = mask_id`. The
# > embedding then looks up one learned vector for `[MASK]`, like for any other token. (Devlin et
# > al. 2019, section 3.1 and appendix A.1)
#
# > **Often read:** "The cat sat on the mat." with "cat" masked is "[MASK] sat on the mat."

# %%
words = "the cat sat on the mat .".split()
claimed = "[MASK] sat on the mat .".split()
right = [("[MASK]" if word == "cat" else word) for word in words]
print(len(words), "tokens in,", len(claimed), "tokens out of the claimed masking")
print(len(right), "tokens:", " ".join(right))

# %% [markdown]
# > **In fact** "The" has vanished: one `[MASK]` for two tokens. Corruption keeps the length. Each
# > hidden token leaves its own `[MASK]` at its own place, or the labels below would point at the
# > wrong words. (Models that let one mark stand for several tokens exist; section 7 shows one.
# > They need a decoder.)

# %% [markdown]
# ## 3. What the model has to say: labels
#
# At the hidden places, the **label** is the original token. At all other places there is nothing to
# guess. By convention their label is **-100**, a number that PyTorch's `cross_entropy` skips.
#
# ### Exercise 4.4: labels
# `ids` (the original ones) and `masked`, both `(B, T)` -> labels `(B, T)`.


# %% exercise="4.4"
def make_labels(ids: Tensor, masked: Tensor) -> Tensor:
    """The original id where a token was hidden, -100 elsewhere."""
    ### BEGIN SOLUTION
    return ids.masked_fill(~masked, -100)
    ### END SOLUTION


# %%
check("4.4", make_labels)

# %% [markdown]
# What -100 does in the loss: the places with -100 do not count, and the mean is taken over the
# others. If *all* are -100, the mean is 0 divided by 0.

# %%
from torch.nn import functional as F

logits = torch.randn(3, 5, generator=torch.Generator().manual_seed(0))  # three places, five words
print("three places, one with -100:", F.cross_entropy(logits, torch.tensor([2, -100, 4])))
print("the other two alone:        ", F.cross_entropy(logits[[0, 2]], torch.tensor([2, 4])))
print("all three with -100:        ", F.cross_entropy(logits, torch.tensor([-100] * 3)))

# %% [markdown]
# The package's `corrupt` does the replacing and the labels. Watch for a hidden token that was left as
# it is: it has a label, too.

# %%
g = torch.Generator().manual_seed(0)
ordinary = corruption.ordinary_ids(len(names), special_ids)
half = corruption.choose_fixed_count(maskable, 0.5, g)
corrupted = corruption.corrupt(ids, half, g, mask_id=tokenization.MASK_ID, ordinary_ids=ordinary)
for original, seen, label in zip(ids[0], corrupted.input_ids[0], corrupted.labels[0]):
    asked = "" if label == -100 else f"label {names[label]}"
    kept = "(left as it is)" if asked and seen == original else ""
    print(f"{names[original]:8} -> {names[seen]:8} {asked} {kept}".rstrip())

# %% tags=["author"]
assert (half & (corrupted.input_ids == ids)).any()

# %% [markdown]
# > **Often read:** the input of masked language modelling is the masked text *together with* the
# > unmasked text; the masked text is what pretraining makes of it.
#
# A player who gets the unmasked text as well does not guess. He copies:

# %%
both = torch.cat([corrupted.input_ids, ids], dim=1)  # (B, 2T): masked text, then unmasked text
copied = both[:, ids.shape[1] :]  # a "model" that says what stands T places further on
asked = corrupted.labels != -100
right = (copied[asked] == corrupted.labels[asked]).float().mean()
print(f"right answers without understanding a word: {right:.0%}")

# %% [markdown]
# > **In fact** the input is the corrupted text alone, and corruption is plain code that runs before
# > the model sees anything. Pretraining is what comes *after*. (Devlin et al. 2019, section 3.1)

# %% [markdown]
# ## 4. Pieces give the game away
#
# Hide one piece of a word and leave the others, and the game is often too easy:

# %% tags=["nbval-ignore-output"]
encoded = tokenizer.encode("concatenation and interpolation of strings")
first_continued = next(i for i, piece in enumerate(encoded.tokens) if piece.startswith("##"))
one_piece = [i == first_continued for i in range(len(encoded.tokens))]
show(token_strip(encoded.tokens, masked=one_piece))

# %% [markdown]
# The rest of the word tells what is missing; no need to understand the sentence. **Whole-word
# masking** hides all pieces of a word or none.
#
# ### Exercise 4.5: whole words
# `masked` `(B, T)`; `word_ids` `(B, T)` numbers the words of each row, all pieces of a word carry
# the same number, and special tokens, which are never hidden, carry -1. Extend `masked`: if any
# piece of a word is hidden, all its pieces are. (Exercise 2.5 made a table of all pairs.)


# %% exercise="4.5"
def extend_to_whole_words(masked: Tensor, word_ids: Tensor) -> Tensor:
    """True for every piece of a word of which some piece is hidden."""
    ### BEGIN SOLUTION
    same_word = word_ids[:, :, None] == word_ids[:, None, :]  # (B, T, T)
    return (same_word & masked[:, None, :]).any(-1)  # (B, T)
    ### END SOLUTION


# %%
check("4.5", extend_to_whole_words)

# %% [markdown]
# ## 5. Eight ways to hide
#
# Tokens can be hidden one by one or in stretches, by chance or on purpose. The package has eight ways:
#
# | name | what it hides |
# |---|---|
# | `bernoulli` | each candidate by the toss of a coin |
# | `fixed count` | the same number in each row (BERT) |
# | `block` | one stretch |
# | `spans` | several short stretches of words, most of them 1 to 5 long (SpanBERT) |
# | `non-adjacent` | never two neighbours |
# | `whole words` | words with all their pieces |
# | `adaptive` | a larger share of long rows than of short ones |
# | `score` | the tokens with the highest score (ties by chance); what the score is, is up to you |
#
# Our score is **pointwise mutual information**, PMI: how much more often two pieces stand side by side
# than chance would have it, `log( p(a, b) / (p(a) p(b)) )` (Levine et al. 2021). A token's score is the
# larger of the PMIs with its two neighbours. Pieces that nearly always come together are then hidden
# together, so that neither gives the other away. Counted over the whole manual:

# %%
windows = []
for row in tokenization.encode(tokenizer, manual, special_tokens=False):
    windows += [w for w in tokenization.chunk(row, 38) if len(w) == 38]
manual_ids = torch.tensor(
    [[tokenization.CLS_ID, *w, tokenization.SEP_ID] for w in windows]
)  # (N, 40)
manual_maskable = corruption.maskable(manual_ids, special_ids)
word_ids = tokenization.word_ids(manual_ids, tokenization.word_starts(tokenizer))
pmi = corruption.pmi_scores(manual_ids, manual_maskable)

# %% tags=["nbval-ignore-output"]
row = int((pmi > 4).sum(1).argmax())  # a row with many strong pairs
tokens = [tokenizer.id_to_token(i) for i in manual_ids[row]]
show(token_strip(tokens, numbers=pmi[row].tolist()))

# %% [markdown]
# Now play. Choose a strategy, move the ratio, draw again. Click on a token (or press Enter on it)
# to hide it yourself or bring it back. (For `adaptive` the slider says what share of a row of 64 is
# hidden.)

# %% tags=["nbval-ignore-output"]
from mlm_course.widgets import MaskPlayground

strategies = corruption.for_one_row(manual_maskable[row], word_ids=word_ids[row], scores=pmi[row])
MaskPlayground(tokens, strategies, maskable=manual_maskable[row].tolist())

# %% [markdown]
# > **Often read:** contiguous masking hides 20 to 30 % of a text.
#
# The *budget* and the *pattern* are two different choices. SpanBERT hides spans and keeps BERT's 15
# %. Below, both patterns on the same budget:

# %%
g = torch.Generator().manual_seed(0)
long_rows = torch.ones(2000, 100, dtype=torch.bool)
for name in ["fixed count", "non-adjacent", "spans", "block"]:
    h = corruption.STRATEGIES[name](long_rows, 0.15, g)
    begins = h & ~h.roll(1, 1)  # hidden, and the token before is not
    mean = h.sum() / begins.sum()
    print(f"{name:13} hides {h.float().mean():.0%}, in stretches of {mean:.1f} tokens on average")

# %% [markdown]
# > **In fact** SpanBERT draws spans of 3.8 words on average until 15 % of the tokens are used up.
# > (Above they come out a little shorter: the last one is cut where the budget ends.) Any pattern
# > goes with any ratio. Ratios from 15 to 40 % are in use for text. (Joshi et al. 2020, section
# > 3.1; Wettig et al. 2023)
#
# ### Static or dynamic?
#
# When are the hidden tokens drawn? BERT's original code drew them *once, before training*, ten
# copies of the corpus with different masks, and went through them for forty epochs. Each copy was
# seen four times. That is **static** masking. **Dynamic** masking draws anew whenever a row is
# shown.
#
# > **Often read:** dynamic masks adapt to the content of the input; here is a function for it,
# > which masks every second row.
#
# A rule without chance gives the same mask at each call. Nothing about it is dynamic:


# %%
def every_second_row(ids: Tensor) -> Tensor:
    return (torch.arange(len(ids)) % 2 == 0)[:, None].expand_as(ids)


print("two calls, the same mask:", torch.equal(every_second_row(ids), every_second_row(ids)))

# %% [markdown]
# > **In fact** "dynamic" says *when* the mask is drawn: anew, at each showing. What the text says
# > plays no part. The published gain is small (0.4 points on two tasks of three, 0.3 lost on the
# > third); the plain advantage is that no copies have to be stored. Masks that do look at the
# > content exist: the `score` strategy above. (Liu et al. 2019, section 4.1, table 1)
#
# In the package, a `Masker` holds what to hide and how; static and dynamic masking use it. The
# dynamic draw for a row depends on a seed, the epoch and the row's number in the data set, and on
# nothing else. So the masks change from epoch to epoch, and yet an interrupted training can go on
# exactly where it stopped:

# %%
masker = corruption.Masker(
    len(names), special_ids, tokenization.MASK_ID, choose=corruption.choose_fixed_count
)
dynamic = corruption.DynamicMasking(masker, ids, seed=0)
static = corruption.StaticMasking(masker, ids, copies=2, generator=torch.Generator().manual_seed(0))
both_rows = torch.arange(2)
for kind, masks in [("static, 2 copies", static), ("dynamic", dynamic)]:
    print(f"{kind}:")
    for epoch in range(4):
        masked = masks(both_rows, epoch).masked[0]  # (T,) the first row's
        print(f"  epoch {epoch}:", " | ".join(names[i] for i in ids[0][masked]))
alone = dynamic(torch.tensor([0]), epoch=3)  # epoch 3 again, without the other row
print("the same as before:", torch.equal(alone.masked[0], dynamic(both_rows, 3).masked[0]))

# %% [markdown]
# With torch's `DataLoader`, give it `IndexedRows(rows)` and the `collate_fn` `MaskingCollator(masker)`,
# and call `set_epoch` before each epoch: the rule is the same, and so are the masks, with any number of
# workers. A collator that draws from one generator would not do. Each worker starts with a copy of
# it, and workers that are started anew for each epoch deal out the same masks again.
#
# ## 6. How well can anyone guess?
#
# Play a round yourself. Which word is hidden?


# %%
def hide_words(sentence: str, places: list[int]) -> tuple[Tensor, Tensor]:
    """Ids (1, T) of a sentence, and which are hidden; places count words from 0."""
    ids = tinyworld.encode([sentence.split()])
    masked = torch.zeros_like(ids, dtype=torch.bool)
    masked[0, [place + 1 for place in places]] = True  # [CLS] stands in front
    return ids, masked


sentence = "anna gave tom a red towel , and he thanked her for the red towel at the river ."
first_colour, second_colour, place_word = 4, 13, 17
one_ids, one_hidden = hide_words(sentence, [second_colour])
show(token_strip(["[CLS]", *sentence.split(), "[SEP]"], masked=one_hidden[0]))

# %% [markdown]
# "red", without any doubt: the colour has been mentioned before. Now hide both mentions. Nobody can
# be sure any more: tinyworld has eight colours, some more common than others, and the best answer
# is a list of chances. In tinyworld we can compute this list *exactly*, because we know the rules
# by which its sentences are made. It is called the **posterior**: the probability of each word,
# given everything that can be seen.


# %%
def best_guesses(sentence: str, places: list[int]) -> None:
    """The exact posterior's first five words at each hidden place."""
    ids, masked = hide_words(sentence, places)
    posterior = tinyworld.masked_posterior(ids, masked)  # (B, T, V)
    for place in places:
        chance, word = posterior[0, place + 1].sort(descending=True, stable=True)
        likely = [f"{names[w]} {c:.3f}" for w, c in zip(word[:5], chance[:5]) if c > 0]
        print(f"{sentence.split()[place]:7} <-", ", ".join(likely))


print("one mention hidden:")
best_guesses(sentence, [second_colour])
print("both mentions hidden:")
best_guesses(sentence, [first_colour, second_colour])
print("the place:")
best_guesses(sentence, [place_word])

# %% [markdown]
# The towel gives the place away in part: towels belong near water, in this language.
#
# If the true word had probability *p*, a guesser who knows the posterior is surprised by *-log p*.
# The average of that over many hidden words is the lowest loss that *any* model can reach, however
# large. We call it the **floor**. Loss is measured in **nats** (natural logarithms): 0 nats is
# certainty, log 2 = 0.69 nats a fair coin.
#
# So we can ask a question that no other corpus answers: how hard is each way of hiding?

# %%
world = tinyworld.sample_ids(2000, torch.Generator().manual_seed(0))
world_maskable = corruption.maskable(world, special_ids)
ratios = [0.15, 0.3, 0.45, 0.6, 0.75, 0.9]
patterns = {"fixed count": [], "block": []}
for name, floors in patterns.items():
    for ratio in ratios:
        h = corruption.STRATEGIES[name](world_maskable, ratio, torch.Generator().manual_seed(1))
        floors.append(tinyworld.loss_floor(world, h))

fig, ax = plt.subplots()
for name, floors in patterns.items():
    ax.plot(ratios, floors, label=name)
ax.set(xlabel="share of words hidden", ylabel="floor (nats a hidden word)", ylim=(0, None))
fig.legend(loc="outside upper left", ncols=2)
easier = [r for r, count, block in zip(ratios, *patterns.values()) if block < count]
show_figure(fig, f"Blocks have the lower floor at {easier[0]:.0%} to {easier[-1]:.0%} hidden.")
print("ratio      ", *[f"{ratio:5.2f}" for ratio in ratios])
for name, floors in patterns.items():
    print(f"{name:11}", *[f"{floor:5.2f}" for floor in floors])

# %% [markdown]
# *In words: for scattered words the floor rises with the share that is hidden. For one block it
# stays low for a long time, from .3 to .6 well below the scattered words; only when nearly everything
# is hidden does it end above them.*
#
# That may surprise you. In ordinary text, hiding a whole stretch makes the game *harder*, because
# neighbours give each other away; that is SpanBERT's reason for spans (Joshi et al. 2020, section
# 1). In tinyworld the best evidence often stands far away, in the other half of the sentence, and
# one block rarely covers both. *Which pattern is hard depends on where the evidence is.* Lesson 6
# trains models on these patterns.
#
# One condition belongs to every floor: model and floor must be scored on the *same hidden places*,
# with `[MASK]` in all of them. A loss below the floor is luck on few sentences, or a leak.

# %% [markdown]
# ## 7. Relatives that are not masked language models
#
# > **Often read:** BERT, T5 and XLNet are masked language models.
#
# T5 also corrupts text. But a whole span leaves *one* mark, and the model has to *write* the
# missing spans, word by word, left to right:

# %%
words = "anna gave tom a red towel , and he thanked her for the red towel at the river .".split()
gone = [4, 5, 9]
source, target, spans = [], [], 0
for i, word in enumerate(words):
    if i not in gone:
        source.append(word)
        continue
    if i - 1 not in gone:  # a new span begins: one mark on both sides
        mark, spans = f"<extra_id_{spans}>", spans + 1
        source.append(mark)
        target.append(mark)
    target.append(word)
target.append(f"<extra_id_{spans}>")  # the end
print("reads: ", " ".join(source))
print("writes:", " ".join(target))

# %% [markdown]
# > **In fact** only BERT is one of the three. T5 corrupts spans and has a decoder that writes them
# > autoregressively, so a mark may stand for any number of words. XLNet puts no mark in the text at
# > all: it predicts words one after the other, in a random order, which attention masks (lesson 2)
# > enforce. (Raffel et al. 2020, section 3.1.4; Yang et al. 2019, section 2.2)

# %% [markdown]
# ## Quiz

# %%
quiz("4")

# %% [markdown]
# ## Recap
#
# - **Corruption**: choose some of the candidates (15 % or more; special tokens never), put `[MASK]`
#   in their place, or a random token, or leave them as they are. The length stays.
# - **Labels** are the original ids at hidden places and -100 elsewhere.
# - Pattern, budget and moment of drawing are three separate choices. *Dynamic* means drawn anew.
# - In tinyworld the best possible guess is known exactly; its loss is the **floor** that later
#   lessons train against.
#
# **Next:** lesson 5 builds the model that guesses: the encoder.

# %%
progress("4")

# %% [markdown]
# ## References
#
# - J. Devlin et al. 2019. *BERT*. NAACL. [arXiv:1810.04805](https://arxiv.org/abs/1810.04805)
#   (section 3.1, appendix A.1: 15 %, 80/10/10)
# - Y. Liu et al. 2019. *RoBERTa*. [arXiv:1907.11692](https://arxiv.org/abs/1907.11692) (section
#   4.1: static against dynamic)
# - M. Joshi et al. 2020. *SpanBERT*. TACL. [arXiv:1907.10529](https://arxiv.org/abs/1907.10529)
#   (section 3.1: spans)
# - Y. Levine et al. 2021. *PMI-Masking*. ICLR. [arXiv:2010.01825](https://arxiv.org/abs/2010.01825)
#   (scores from mutual information)
# - A. Wettig et al. 2023. *Should You Mask 15 % in Masked Language Modeling?* EACL.
#   [arXiv:2202.08005](https://arxiv.org/abs/2202.08005)
# - C. Raffel et al. 2020. *Exploring the Limits of Transfer Learning with T5*. JMLR.
#   [arXiv:1910.10683](https://arxiv.org/abs/1910.10683)
# - Z. Yang et al. 2019. *XLNet*. NeurIPS. [arXiv:1906.08237](https://arxiv.org/abs/1906.08237)
