# %% [markdown]
# # Lesson 4: Corruption
#
# Masked language modelling is a game of hide and seek. Take a text, hide some of it, let a model
# guess what was there. This lesson makes the first move, **corruption**: which tokens are hidden, what
# stands in their place, and what the model has to say. It decides how hard the game is, and many
# programs go wrong right here without a single error message.
#
# By the end you will have written every step of BERT's corruption, played with eight ways of hiding,
# told from a program's output what it does, and worked out how well the *best possible* player could do.
# You need lesson 2 (an attention mask is not a `[MASK]`) and lesson 3 (tokens, ids, special tokens).

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
# We mostly use tinyworld, lesson 2's small language, because of something that no real language offers:
# its rules are known, so that for every hidden word we can compute *exactly* how likely each answer is.
# Its tokens are whole words.

# %%
names = tinyworld.vocabulary()  # the word of each id
sentences = [
    "anna gave tom a red towel , and he thanked her for the red towel at the river .",
    "now these geese are thirsty , so ben brings them some milk .",
]
ids = tinyworld.encode([s.split() for s in sentences])  # (B, T), with [CLS], [SEP] and [PAD]
ids

# %% [markdown]
# Which of these may be hidden? Everything but special tokens: `[CLS]` and `[SEP]` stand at the two
# ends of each text, and `[PAD]` stands for no text at all. We call the tokens that may be hidden
# **candidates** (the package says *maskable*).

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
# A row in which nothing is hidden has no part in the loss. BERT's original code hides a **fixed count**
# in each row: 15 % of the row, rounded, and at least one. (It counts special tokens too, and has an
# upper limit; we count candidates. Google's BERT repository, `create_pretraining_data.py`)
#
# How do you pick exactly `n` of the candidates at random, for a whole batch at once? Give each token a
# random number and take the `n` smallest. "The `n` smallest" is said with *ranks*: the smallest number has
# rank 0, the next one rank 1. For the three numbers below the ranks are 2, 0, 1. `argsort` answers another
# question, which place comes first, second, third:

# %%
torch.tensor([0.7, 0.1, 0.4]).argsort()

# %% [markdown]
# ### Exercise 4.1: a fixed count
# `ids` `(B, T)`, `special_ids` a list of ids (other vocabularies number them differently, with ordinary
# ids before and between them), `noise` `(B, T)` random numbers in [0, 1), all different, and `ratio`. Hide
# in each row its `max(1, round(ratio * candidates))` candidates with the smallest noise; every row
# here has some candidates. Return a boolean `(B, T)`. (`torch.isin` asks for each number whether it is among
# others; for tensors there are `.round()` and `.clamp(min=1)`.)


# %% exercise="4.1"
def hide_fixed_count(ids: Tensor, special_ids: list[int], noise: Tensor, ratio: float) -> Tensor:
    """In each row the candidates with the smallest noise, a share `ratio` of them, at least one."""
    ### BEGIN SOLUTION
    maskable = ~torch.isin(ids, torch.tensor(special_ids))  # (B, T)
    count = (maskable.sum(1, keepdim=True) * ratio).round().clamp(min=1)  # (B, 1)
    rank = noise.masked_fill(~maskable, 2.0).argsort(1).argsort(1)  # (B, T)
    return rank < count
    ### END SOLUTION


# %%
check("4.1", hide_fixed_count)

# %%
g = torch.Generator().manual_seed(3)
masked = corruption.choose_fixed_count(maskable, 0.15, g)
show(token_strip([names[i] for i in ids[0]], masked=masked[0], maskable=maskable[0]))

# %% [markdown]
# ## 2. What stands in its place?
#
# Usually the token `[MASK]`. But `[MASK]` never occurs when the model is used later, on real text.
# Against this mismatch BERT does the following with each hidden token (Devlin et al. 2019, section
# 3.1):
#
# - in 80 % of the cases it becomes `[MASK]`,
# - in 10 % it *stays as it is*, and the model must still say which token belongs there,
# - in 10 % it becomes some random token.
#
# The idea: since any token might be wrong, the model has to keep an opinion on each of them (Devlin et
# al. 2019, appendix A.1). Whether that is worth it is another matter; lesson 6 comes back to it.
#
# *Which* random token? BERT's original code draws from the whole vocabulary, `[PAD]` and `[MASK]`
# included (`create_pretraining_data.py`). Our package leaves special tokens out.
#
# How *not* to do it: embed the text, then write the id of `[MASK]` into it, at random places:
# `vectors[torch.randint(length, batch, (batch,))] = 101`.
#
# Three mistakes in one line. First, in the vocabulary of BERT's English models 101 is `[CLS]`; 102 is
# `[SEP]` and 103 is `[MASK]`. Ask the tokenizer for the id, never write it down:

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
# Third, and worst, an id is a *name*, not a quantity. Written into a vector it becomes `D` equal huge
# numbers:

# %%
table = torch.randn(len(names), 6, generator=g)  # (V, D): one vector for each id
vectors = table[ids[:1, :4]]  # (1, T, D)
vectors[:, 1] = 101
vectors[0, :2]

# %% [markdown]
# Masking happens *before* the embedding, on ids: `ids[masked] = mask_id`. The embedding then looks up
# one learned vector for `[MASK]`, like for any other token. (Devlin et al. 2019, section 3.1 and
# appendix A.1)
#
# A second slip: "The cat sat on the mat." with "cat" masked is "[MASK] sat on the mat."

# %%
words = "the cat sat on the mat .".split()
claimed = "[MASK] sat on the mat .".split()
right = [("[MASK]" if word == "cat" else word) for word in words]
print(len(words), "tokens in,", len(claimed), "tokens out of the claimed masking")
print(len(right), "tokens:", " ".join(right))

# %% [markdown]
# "The" has vanished: one `[MASK]` for two tokens. BERT's corruption keeps the length. Each hidden token
# leaves its own mark at its own place, or the labels below would point at the wrong words. (Models that
# let one mark stand for several tokens exist; section 7 shows one. It has a decoder.)

# %% [markdown]
# ## 3. What the model has to say: labels
#
# At the hidden places, the **label** is the original token. At all other places there is nothing to
# guess. By convention their label is **-100**, a number that PyTorch's `cross_entropy` skips.
#
# ### Exercise 4.2: what the model sees, what it should say
# `ids`, `masked`, `u` and `v` are all `(B, T)`; `u` and `v` hold random numbers in [0, 1). Wherever a token
# is hidden, `u` decides: below .8 it becomes `mask_id`; from .8 to below .9 it stays; from .9 on it becomes
# a random ordinary token. Which one? `ordinary_ids` `(K,)` holds the ids that are no special tokens, in any
# order; `v` in [0, 1/K) takes the first of them, `v` in [1/K, 2/K) the second, and so on.
#
# Return the input and the labels, both `(B, T)`, and leave `ids` as it is. (Mind the parentheses:
# `masked & (u < 0.8)`.)


# %% exercise="4.2"
def input_and_labels(
    ids: Tensor, masked: Tensor, u: Tensor, v: Tensor, ordinary_ids: Tensor, mask_id: int
) -> tuple[Tensor, Tensor]:
    """The ids with each hidden token replaced or kept, and what the model should say."""
    ### BEGIN SOLUTION
    drawn = ordinary_ids[(v * len(ordinary_ids)).long()]  # (B, T)
    to_mask = masked & (u < 0.8)
    to_random = masked & (u >= 0.9)
    input_ids = torch.where(to_random, drawn, ids.masked_fill(to_mask, mask_id))
    labels = ids.masked_fill(~masked, -100)
    return input_ids, labels
    ### END SOLUTION


# %%
check("4.2", input_and_labels)

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
# What if the input were the masked text *together with* the unmasked text? A player who gets the unmasked
# text as well does not guess. He copies:

# %%
both = torch.cat([corrupted.input_ids, ids], dim=1)  # (B, 2T): masked text, then unmasked text
copied = both[:, ids.shape[1] :]  # a "model" that says what stands T places further on
asked = corrupted.labels != -100
right = (copied[asked] == corrupted.labels[asked]).float().mean()
print(f"right answers without understanding a word: {right:.0%}")

# %% [markdown]
# The input is the corrupted text alone, and corruption is plain code that runs before the model sees
# anything. Masking belongs to the task of pretraining, but the model has no part in it. (Devlin et al.
# 2019, section 3.1)

# %% [markdown]
# ## 4. Pieces give the game away
#
# Hide one piece of a word and leave the others:

# %% tags=["nbval-ignore-output"]
encoded = tokenizer.encode("concatenation and interpolation of strings")
first_continued = next(i for i, piece in enumerate(encoded.tokens) if piece.startswith("##"))
one_piece = [i == first_continued for i in range(len(encoded.tokens))]
show(token_strip(encoded.tokens, masked=one_piece))

# %% [markdown]
# Who reads the rest of the word need not understand the sentence. That is Google's reason for
# **whole-word masking**, which hides all pieces of a word or none: the old task was "too 'easy' for words
# that had been split" (BERT repository, README, May 2019; Levine et al. 2021, section 1, argue alike).
#
# ### Exercise 4.3: whole words
# `masked` `(B, T)`; `word_ids` `(B, T)` numbers the words of each row, all pieces of a word carry
# the same number, and special tokens, which are never hidden, carry -1. Extend `masked`: if any
# piece of a word is hidden, all its pieces are. (Lesson 2's third mask was a table of all pairs.)


# %% exercise="4.3"
def extend_to_whole_words(masked: Tensor, word_ids: Tensor) -> Tensor:
    """True for every piece of a word of which some piece is hidden."""
    ### BEGIN SOLUTION
    same_word = word_ids[:, :, None] == word_ids[:, None, :]  # (B, T, T)
    return (same_word & masked[:, None, :]).any(-1)  # (B, T)
    ### END SOLUTION


# %%
check("4.3", extend_to_whole_words)

# %% [markdown]
# ## 5. Eight ways to hide
#
# Tokens can be hidden one by one or in stretches, by chance or on purpose. The package has eight ways:
#
# | name | what it hides |
# |---|---|
# | `bernoulli` | each candidate by the toss of a coin |
# | `fixed count` | the same share of each row, rounded (BERT) |
# | `block` | one stretch |
# | `spans` | several short stretches of words, most of them 1 to 5 long (SpanBERT) |
# | `non-adjacent` | never two neighbours |
# | `whole words` | words with all their pieces |
# | `adaptive` | a larger share of long rows than of short ones |
# | `score` | the tokens with the highest score (ties by chance); what the score is, is up to you |
#
# Our score is **pointwise mutual information**, PMI: how much more often two pieces stand side by side
# than chance would have it, `log( p(a, b) / (p(a) p(b)) )`. Counted over the manual, in windows:

# %%
windows = []
for row in tokenization.encode(tokenizer, manual, special_tokens=False):
    windows += [w for w in tokenization.chunk(row, 38) if len(w) == 38]
manual_ids = torch.tensor(
    [[tokenization.CLS_ID, *w, tokenization.SEP_ID] for w in windows]
)  # (N, 40)
manual_maskable = corruption.maskable(manual_ids, special_ids)
word_ids = tokenization.word_ids(manual_ids, tokenization.word_starts(tokenizer))

# %%
both = manual_maskable[:, :-1] & manual_maskable[:, 1:]  # (N, 39) pairs without a special token
left, right = manual_ids[:, :-1][both], manual_ids[:, 1:][both]  # (pairs,)
size = tokenizer.get_vocab_size()
kinds, kind, seen = (left * size + right).unique(return_inverse=True, return_counts=True)
alone = left.bincount(minlength=size)[kinds // size] * right.bincount(minlength=size)[kinds % size]
pmi = (seen * len(left) / alone).log().where(seen >= 5, 0.0)  # rare pairs are no evidence
pair_pmi = torch.zeros(both.shape)
pair_pmi[both] = pmi[kind]  # (N, 39)
scores = corruption.pmi_scores(manual_ids, manual_maskable)  # (N, 40)

# %% tags=["author"]
assert torch.allclose(scores[:, 1:-1].clamp(min=0),
                      torch.maximum(pair_pmi[:, :-1].where(both[:, :-1], -99),
                                    pair_pmi[:, 1:].where(both[:, 1:], -99)).clamp(min=0),
                      atol=1e-4)  # fmt: skip

# %% [markdown]
# A token's score is the larger of the PMIs with its two neighbours:

# %% tags=["nbval-ignore-output"]
row = int((scores > 4).sum(1).argmax())  # a row with many strong pairs
tokens = [tokenizer.id_to_token(i) for i in manual_ids[row]]
show(token_strip(tokens, numbers=scores[row].tolist()))

# %% [markdown]
# What is the score good for? Pieces that nearly always come together may give each other away, as the
# pieces of a word do (Levine et al. 2021, section 1). Does `score` hide both of a pair? Mostly. Where the
# budget of a row ends, it may end in the middle of a pair. *PMI-Masking*, the method of that paper, does
# not take the highest scores. It makes a list of strong neighbours, two to five words long, treats each
# of them in a text as one *unit*, and draws units at random, as whole-word masking draws words (the
# authors' repository, README, section 2). Our "whole words" can do that, if we call strong neighbours
# one word:

# %% tags=["nbval-ignore-output"]
strong = pair_pmi > 4  # together 55 times as often as by chance, or more
units = torch.cat([torch.zeros(len(strong), 1), (~strong).cumsum(1)], dim=1).long()  # (N, 40)
parted = {}
for name, words in [("fixed count", None), ("score", None), ("whole words", units)]:
    g = torch.Generator().manual_seed(0)
    h = corruption.STRATEGIES[name](manual_maskable, 0.15, g, word_ids=words, scores=scores)
    touched = strong & (h[:, :-1] | h[:, 1:])
    parted[name] = (strong & (h[:, :-1] ^ h[:, 1:])).sum() / touched.sum()
    tied = (scores > 4)[h].float().mean()
    print(f"{name:11} touches {touched.sum():4} strong pairs and parts {parted[name]:.0%};", end="")
    print(f" {tied:.0%} of what it hides stands in such a pair")

# %% tags=["author"]
assert parted["fixed count"] > 0.85 and 0.05 < parted["score"] < 0.25
assert parted["whole words"] == 0

# %% [markdown]
# *In words: hiding by chance alone, of the strong pairs that it touches a fixed count parts nearly
# all. The highest scores part some, units none. And `score` looks for strong pairs; the two others
# take them about as they come.*
#
# Now play. Choose a strategy, move the ratio, draw again. Click on a token (or press Enter on it)
# to hide it yourself or bring it back. (For `adaptive` the slider says what share of a row of 64 is
# hidden.)

# %% tags=["nbval-ignore-output"]
from mlm_course.widgets import MaskPlayground

strategies = corruption.for_one_row(
    manual_maskable[row], word_ids=word_ids[row], scores=scores[row]
)
MaskPlayground(tokens, strategies, maskable=manual_maskable[row].tolist())

# %% [markdown]
# Does a pattern come with a budget of its own, contiguous masking with 20 to 30 %, say? *Budget* and
# *pattern* can be chosen apart, though not without regard to each other. SpanBERT hides spans and
# keeps BERT's 15 % (Joshi et al. 2020, section 3.1). Below, four patterns on the same budget:

# %%
g = torch.Generator().manual_seed(0)
long_rows = torch.ones(2000, 100, dtype=torch.bool)
for name in ["fixed count", "non-adjacent", "spans", "block"]:
    h = corruption.STRATEGIES[name](long_rows, 0.15, g)
    begins = h & ~h.roll(1, 1)  # hidden, and the token before is not
    mean = h.sum() / begins.sum()
    print(f"{name:13} hides {h.float().mean():.0%}, in stretches of {mean:.1f} tokens on average")

# %% [markdown]
# SpanBERT draws spans of 3.8 words on average until 15 % of the tokens are used up. (Above they come out
# a little shorter: the last one is cut where the budget ends.) Any pattern goes with any ratio, except
# that `non-adjacent` ends at one half. Which ratio is best for text depends on the size of the model
# and on the pattern: single tokens want a higher one than spans or PMI units, and 40 % is ahead of 15
# % for models of BERT-large's size on GLUE (a collection of tasks about sentences) and SQuAD (finding
# answers in a text), though not on each task (lesson 6); larger models want more (Wettig et al.
# 2023, abstract).
#
# ### Static or dynamic?
#
# When are the hidden tokens drawn? BERT's original code drew them *once, before training*, ten
# copies of the corpus with different masks, and went through them for forty epochs. Each copy was
# seen four times (so Liu et al. 2019, section 4.1). That is **static** masking. **Dynamic** masking
# draws anew whenever a row is shown.
#
# > **Often read:** dynamic masks adapt to the content of the input.
#
# And here is a function that was offered for it; it masks every second row. A rule without chance gives
# the same mask at each call, and nothing about it is dynamic:


# %%
def every_second_row(ids: Tensor) -> Tensor:
    return (torch.arange(len(ids)) % 2 == 0)[:, None].expand_as(ids)


print("two calls, the same mask:", torch.equal(every_second_row(ids), every_second_row(ids)))

# %% [markdown]
# > **In fact** "dynamic" says *when* the mask is drawn: anew, at each showing. What the text says
# > plays no part. The published gain is small: for BERT-base (medians of five seeds) 0.4 points on
# > SQuAD 2.0 and on SST-2, 0.3 lost on MNLI, three tasks of answering, of mood and of inference; the
# > authors call it "comparable or slightly better". The plain advantage is that no copies have to be
# > stored. Masks that do look at the content exist: the `score` strategy above. (Liu et al. 2019,
# > section 4.1, table 1)
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
# Masks leave traces. What somebody's program did can be read off what it gave out:
#
# ### Exercise 4.4: who made these rows?
# A program was given `ids` `(B, T)`, some hundred rows of different lengths: `[CLS]` 2, ordinary ids from 5
# on, `[SEP]` 3, then padding 0. For three epochs it gave out `input_ids` and `labels`, both `(3, B, T)`. Find
# out what it does, and return four things:
#
# - the pattern: `"bernoulli"`, `"fixed count"`, `"block"` or `"non-adjacent"`, as in the table;
# - the replacement: `"[MASK]"` (id 4) for each hidden token, or `"80/10/10"`;
# - the moment: `"static"` (one copy, the same in each epoch) or `"dynamic"`;
# - the ratio, a share of the *candidates*, to the nearest multiple of .05 (it is one of them).
#
# Every row has at least 18 candidates, and the ratio lies between .15 and .45.


# %% exercise="4.4"
def made_by(ids: Tensor, input_ids: Tensor, labels: Tensor) -> tuple[str, str, str, float]:
    """Pattern, replacement, moment and ratio of a corruption."""
    ### BEGIN SOLUTION
    masked = labels != -100  # (E, B, T)
    count, candidates = masked.sum(-1), (ids >= 5).sum(-1)  # (E, B), (B,)
    ratio = round(20 * count.sum().item() / (len(masked) * candidates.sum().item())) / 20
    begins = masked & ~masked.roll(1, -1)  # no row begins or ends with a candidate
    if (begins.sum(-1) == 1).all():
        pattern = "block"
    elif begins.sum() == masked.sum():
        pattern = "non-adjacent"
    elif ((count - ratio * candidates).abs() < 0.51).all():
        pattern = "fixed count"
    else:
        pattern = "bernoulli"
    replacement = "[MASK]" if (input_ids[masked] == 4).all() else "80/10/10"
    moment = "static" if (masked == masked[0]).all() else "dynamic"
    return pattern, replacement, moment, ratio
    ### END SOLUTION


# %%
check("4.4", made_by)

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
# If a word had probability *p*, a guesser who knows the posterior is surprised by *-log p* when it
# turns out to be the one. Loss is measured in **nats** (natural logarithms): 0 nats is certainty,
# log 2 = 0.69 nats a fair coin.
#
# ### Exercise 4.5: many easy words, three hard ones
# Design two masks for `sentence`, each a list of places of words, counted from 0 (punctuation counts as a
# word):
#
# - `easy`: as many words as possible, such that the best guesser is not surprised by any of them (each word
#   has a posterior above .999);
# - `hard`: three words, such that the surprises at the three places add up to as much as possible.
#
# `best_guesses` shows what is left open; the tied words of tinyworld do the rest.


# %% exercise="4.5"
def two_masks() -> tuple[list[int], list[int]]:
    """Places of words: many that can be told for certain, three that surprise most."""
    ### BEGIN SOLUTION
    easy = [place for place in range(19) if place not in (0, 2, 4, 5, 17)]
    hard = [5, 14, 17]
    return easy, hard
    ### END SOLUTION


# %%
check("4.5", two_masks)

# %% [markdown]
# Where does such a posterior come from? From Bayes' rule. A pattern that makes the visible words likely
# becomes likely itself, and each pattern says what it would put at the hidden places.
#
# ### Exercise 4.6: the posterior of a language with two patterns
# In a very small language a sentence of `T` words is made so: one of two patterns is drawn, pattern `k` with
# probability `prior[k]`; then each word on its own, word `w` at place `t` with probability
# `chances[k, t, w]`. So words are tied only by the pattern.
#
# `ids` and `masked` `(B, T)`, `prior` `(2,)`, `chances` `(2, T, V)`. Return `(B, T, V)`: the probability of
# each word at each place, given the words in view of its row; at a place in view that is 1 for the word that
# stands there. A chance may be 0, in a row everything may be hidden, and rows are long: the product of a
# hundred probabilities can be 0 in float32, so add logarithms.


# %% exercise="4.6"
def two_pattern_posterior(ids: Tensor, masked: Tensor, prior: Tensor, chances: Tensor) -> Tensor:
    """The probability of each word at each place, given the words in view."""
    ### BEGIN SOLUTION
    places = torch.arange(ids.shape[1])
    log_chance = chances[:, places, ids].log()  # (2, B, T): of each word under each pattern
    evidence = log_chance.masked_fill(masked, 0.0).sum(-1)  # (2, B)
    weights = (evidence + prior.log()[:, None]).softmax(0)  # (2, B)
    guess = torch.einsum("kb,ktv->btv", weights, chances)
    seen = F.one_hot(ids, chances.shape[-1]).to(guess)
    return torch.where(masked[..., None], guess, seen)
    ### END SOLUTION


# %%
check("4.6", two_pattern_posterior)

# %% [markdown]
# tinyworld has many more patterns, but its posterior comes from the same rule.
#
# The average of the best guesser's surprise over all sentences is the lowest loss that *any* model can
# reach, however large; over many sentences we come close to it. We call it the **floor**.
#
# So we can ask a question that no real text answers: how hard is each way of hiding? Five draws of 500
# sentences and masks say how far the answer is from chance:

# %%
ratios = [0.15, 0.3, 0.45, 0.6, 0.75, 0.9]
floors = {"fixed count": torch.zeros(5, len(ratios)), "block": torch.zeros(5, len(ratios))}
for draw in range(5):
    world = tinyworld.sample_ids(500, torch.Generator().manual_seed(draw))
    world_maskable = corruption.maskable(world, special_ids)
    for name in floors:
        for k, ratio in enumerate(ratios):
            g = torch.Generator().manual_seed(100 + draw)
            h = corruption.STRATEGIES[name](world_maskable, ratio, g)
            floors[name][draw, k] = tinyworld.loss_floor(world, h)
means = {name: floor.mean(0) for name, floor in floors.items()}  # (ratios,)
largest_error = max(floor.std(0).max() for floor in floors.values()) / 5**0.5

# %%
fig, ax = plt.subplots()
for name, floor in means.items():
    ax.plot(ratios, floor, label=name)
ax.set(xlabel="share of words hidden", ylabel="floor (nats a hidden word)", ylim=(0, None))
fig.legend(loc="outside upper left", ncols=2)
easier = [r for r, count, block in zip(ratios, *means.values()) if block < count - 0.1]
show_figure(fig, f"Blocks lie more than .1 lower at {easier[0]:.0%} to {easier[-1]:.0%} hidden.")
print("ratio      ", *[f"{ratio:5.2f}" for ratio in ratios])
for name, floor in means.items():
    print(f"{name:11}", *[f"{value:5.2f}" for value in floor.tolist()])
print(f"standard error of each: {largest_error:.2f} or less")

# %% tags=["author"]
assert largest_error < 0.02
assert ((means["fixed count"] - means["block"])[1:4] > 0.1).all()
assert (means["fixed count"] < means["block"]).tolist() == [False] * 5 + [True]

# %% [markdown]
# *In words: for scattered words the floor rises with the share that is hidden. For one block it
# stays low for a long time, from .3 to .6 by more than .1 nats below the scattered words; at .9 it ends
# above them.*
#
# That may surprise you. SpanBERT hides spans to make the game *harder*: "Denver" is easily guessed by
# who sees "Broncos" (Joshi et al. 2020, section 1). In tinyworld the evidence stands elsewhere. Take a
# word and hide, besides, either its two neighbours or the words that hang on the same choice
# (`Reading.related`), and see what each does to the surprise at the *same* word:

# %%
readings = tinyworld.sample_readings(400, torch.Generator().manual_seed(0))
tied_ids = tinyworld.encode([reading.words for reading in readings])
g = torch.Generator().manual_seed(1)
surprise = {"alone": [], "with its neighbours": [], "with the tied words": []}
for b, reading in enumerate(readings):
    tied = [i for i in range(1, len(reading.words) - 1) if reading.related(i)]
    i = tied[int(torch.randint(len(tied), (), generator=g))]
    others = ([i], [i - 1, i, i + 1], [i, *reading.related(i)])
    h = torch.zeros(3, tied_ids.shape[1], dtype=torch.bool)
    for kind, hidden_places in enumerate(others):
        h[kind, [place + 1 for place in hidden_places]] = True
    posterior = tinyworld.masked_posterior(tied_ids[b].expand(3, -1), h)  # (3, T, V)
    for name, chance in zip(surprise, posterior[:, i + 1, tied_ids[b, i + 1]]):
        surprise[name].append(-chance.log())
for name, values in surprise.items():
    values = torch.stack(values)
    error = values.std() / len(values) ** 0.5
    print(f"hidden {name:19} {values.mean():.2f} nats (standard error {error:.2f})")

# %% tags=["author"]
assert torch.allclose(torch.stack(surprise["alone"]), torch.stack(surprise["with its neighbours"]))
assert sum(surprise["with the tied words"]) > sum(surprise["alone"]) + 400

# %% [markdown]
# The neighbours change nothing, the tied words more than a nat. So what counts is how much of the tied
# words is left in view. A rough count: how often does each pattern leave none?

# %%
ties = torch.zeros(*tied_ids.shape, tied_ids.shape[1], dtype=torch.bool)  # (B, T, T)
for b, reading in enumerate(readings):
    for i in range(len(reading.words)):
        ties[b, i + 1, [j + 1 for j in reading.related(i)]] = True
none_in_view = {name: [] for name in floors}
for name, shares in none_in_view.items():
    for ratio in ratios:
        g = torch.Generator().manual_seed(0)
        h = corruption.STRATEGIES[name](corruption.maskable(tied_ids, special_ids), ratio, g)
        in_view = (ties & ~h[:, None, :]).any(-1)  # (B, T)
        shares.append((~in_view)[h & ties.any(-1)].float().mean())
    print(f"{name:11}", *[f"{share:4.0%}" for share in shares])

# %% tags=["author"]
assert all(a > b for a, b in list(zip(*none_in_view.values()))[:4])
assert none_in_view["fixed count"][5] < none_in_view["block"][5]

# %% [markdown]
# Up to 60 % a block leaves fewer words without a tied one than scattered masks do, at 90 % it leaves
# more, as in the figure; at 75 % the count says the opposite of the figure, so it is only a part of the
# story. *Which pattern is hard here depends on where the evidence is.* Lesson 6 trains
# models on these patterns.
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
# ### Exercise 4.7: the text again
# `source` and `target` are lists of words as above. The target is a model's work, though: the spans may come
# in another order; a mark of the source may be missing, and then nothing stands in its place; and a mark that
# the source does not have, like the last one above, is left out with all that follows it up to the next
# mark. A mark is a word that begins with `<extra_id_`. Words before the target's first mark belong to none.
# Return the words of the text that is meant.


# %% exercise="4.7"
def restored(source: list[str], target: list[str]) -> list[str]:
    """The source with each mark replaced by what the target has for it."""
    ### BEGIN SOLUTION
    spans, mark = {}, None
    for word in target:
        if word.startswith("<extra_id_"):
            mark = word
            spans[mark] = []
        elif mark is not None:
            spans[mark].append(word)
    text = []
    for word in source:
        text += spans.get(word, []) if word.startswith("<extra_id_") else [word]
    return text
    ### END SOLUTION


# %%
check("4.7", restored)

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
#   (section 1: why spans; section 3.1: how)
# - Y. Levine et al. 2021. *PMI-Masking*. ICLR. [arXiv:2010.01825](https://arxiv.org/abs/2010.01825);
#   [repository](https://github.com/AI21Labs/pmi-masking) (README, section 2: how units are drawn)
# - Google's [BERT repository](https://github.com/google-research/bert) (`create_pretraining_data.py`;
#   README: whole-word masking)
# - A. Wettig et al. 2023. *Should You Mask 15 % in Masked Language Modeling?* EACL.
#   [arXiv:2202.08005](https://arxiv.org/abs/2202.08005)
# - C. Raffel et al. 2020. *Exploring the Limits of Transfer Learning with T5*. JMLR.
#   [arXiv:1910.10683](https://arxiv.org/abs/1910.10683)
# - Z. Yang et al. 2019. *XLNet*. NeurIPS. [arXiv:1906.08237](https://arxiv.org/abs/1906.08237)
