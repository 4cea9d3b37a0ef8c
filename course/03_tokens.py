# %% [markdown]
# # Lesson 3: Tokens
#
# Lessons 1 and 2 worked on words, as if text came in words. It comes as a string of characters, and
# something has to cut it into the **tokens** that a model reads. That looks like the boring part. But
# the cut decides how long the rows are, what can be written at all, and, in lesson 4, what can be
# hidden. And it goes wrong without an error message.
#
# By the end you will have grown a vocabulary, written the loops inside RoBERTa's and BERT's tokenizers,
# met a text that cannot be written down, cut long texts into windows and packed short ones into rows.
# You need lesson 1 (what attention costs) and lesson 2 (padding, and the mask for texts that share a row).

# %%
from collections import Counter

import torch
from torch import Tensor

from mlm_course import tokenization
from mlm_course.corpora import python_docs
from mlm_course.practice import check, hint, progress, quiz, solution

# %% [markdown]
# ## 1. What are good pieces?
#
# A model reads a list of integers. So a text must be cut into pieces from a fixed list, the
# **vocabulary**, and each piece gets its number. What are good pieces?
#
# - *Words?* There are too many. Whatever vocabulary you fix, some later text contains a word that is
#   missing: a name, a number, a slip of the pen.
# - *Letters?* Hardly one is missing, but texts become several times as long (section 2 counts), and
#   attention pays for each pair (lesson 1).
# - *Pieces of words*, **subwords**, are the compromise: frequent words stay whole, rare ones are
#   built from parts.
#
# **WordPiece** (Schuster and Nakajima 2012) is the kind BERT uses. Here is one with 2,000 pieces, made
# from Python's own manual:

# %%
manual = python_docs.manual()
tokenizer = tokenization.train_wordpiece(manual, vocab_size=2000)
tokenizer.get_vocab_size()

# %% tags=["nbval-ignore-output"]
from mlm_course.views import show, token_strip

text = "Tokenization splits unfamiliar words, but a statement is a statement."
show(token_strip(tokenizer.encode(text).tokens))

# %% [markdown]
# First the text was put into lower case and cut at spaces and punctuation. Then each word was cut
# into pieces. A piece that continues a word begins with `##`. "a" and "statement" are everyday
# words in Python's manual and stay whole; "unfamiliar" is no piece of the vocabulary and falls into
# parts. (`[CLS]` and `[SEP]` were added; section 4 says what they are.)

# %% [markdown]
# ## 2. A vocabulary grows
#
# Where do the pieces come from? Start with the single letters. Look for the two neighbouring pieces
# that stand side by side most often, join them, and put the result into the vocabulary. Repeat until
# it is full. This is **byte-pair encoding**, BPE (Sennrich et al. 2016, section 3.2).
#
# Is that how BERT's vocabulary was made? Its code was not published (Google's BERT repository, README,
# "Learning a new WordPiece vocabulary"). Google's TensorFlow Text, which says that it follows BERT's,
# goes the other way, from whole words down to parts (guide "Subword tokenizers", "The algorithm"). The
# first WordPiece joined those two pieces that made the training text most *likely* under a language
# model (Schuster and Nakajima 2012). The library that we use, Hugging Face's `tokenizers`, joins the
# most frequent pair, as BPE does, and only writes `##` (its issue 144). So what is WordPiece's own,
# here, is the way it *cuts*: section 3.
#
# ### Exercise 3.1: one step of growth
# `words` is a list of words, each a list of its pieces so far, such as `["l", "o", "w"]`; `counts` says how
# often each word stands in the text. Find the pair that stands side by side most often *in the text*. A
# pair does not reach from one word into the next. Of several equally frequent pairs take the one that
# Python sorts first. Then join that pair wherever it stands, from the left: in `a a a` the pair `a a` has
# two places, and both count, but only the first can be joined. (A `Counter` counts:
# `frequency[pair] += 1`.)
#
# Return the pair, a tuple of two strings, and the new words.


# %% exercise="3.1"
def bpe_step(words: list[list[str]], counts: list[int]) -> tuple[tuple[str, str], list[list[str]]]:
    """The most frequent pair of neighbours, and the words with that pair joined."""
    ### BEGIN SOLUTION
    frequency = Counter()
    for pieces, count in zip(words, counts):
        for pair in zip(pieces, pieces[1:]):
            frequency[pair] += count
    best = min(frequency, key=lambda pair: (-frequency[pair], pair))
    joined = []
    for pieces in words:
        new, i = [], 0
        while i < len(pieces):
            step = 2 if tuple(pieces[i : i + 2]) == best else 1
            new.append("".join(pieces[i : i + step]))
            i += step
        joined.append(new)
    return best, joined
    ### END SOLUTION


# %%
check("3.1", bpe_step)

# %% [markdown]
# Now the whole manual. Stop the growth early and late, and see how the same word is cut:

# %% tags=["nbval-ignore-output"]
letters = sum(map(len, manual))  # and spaces, and punctuation
for size in [300, 500, 1000, 2000]:
    small = tokenization.train_wordpiece(manual, vocab_size=size)
    rows = tokenization.encode(small, manual, special_tokens=False)
    ids = torch.tensor([i for row in rows for i in row])  # all tokens of the manual
    rare = (torch.bincount(ids, minlength=size) < 10).sum()
    pieces = " ".join(small.encode("iterators", add_special_tokens=False).tokens)
    print(f"{size:4} pieces: {letters / len(ids):.1f} letters a token, {rare:3} rare; {pieces}")

# %% tags=["author"]
assert letters / len(ids) > 3.5 and rare > 300 and "unfamiliar" not in tokenizer.get_vocab()
assert {"a", "statement"} < tokenizer.get_vocab().keys()

# %% [markdown]
# The more pieces, the longer they are, and the shorter the rows: at 2,000 about four signs a token,
# spaces too. The price is in the column "rare", which counts pieces that the whole manual has fewer
# than ten times. A model looks up one vector for each piece, so a rare piece's vector is looked up
# fewer than ten times a reading. BERT, trained on 3,300 million words, has 30,000 pieces (Devlin et al.
# 2019, section 3).

# %% [markdown]
# ## 3. Cutting a word
#
# How does a tokenizer cut a word, once the vocabulary is there? BPE keeps the list of its **merges**, the
# pairs that it joined, in that order. To cut a word it starts with the letters and joins again (Sennrich
# et al. 2016, section 3.2), earlier merges first (their code, `apply_bpe.py`).
#
# ### Exercise 3.2: merges in their order
# Start with the letters of `word`. Of all pairs that stand side by side, take the one that comes first in
# `merges`, at its leftmost place, and join it. Then look again, until no pair of the list is left. Return
# the pieces. (A pair may stand in the list *before* the merge that makes one of its parts. Joining all
# places of a pair before the new look, as GPT-2's code does, passes, too.)


# %% exercise="3.2"
def cut_by_merges(word: str, merges: list[tuple[str, str]]) -> list[str]:
    """The pieces of a word when pairs are joined, those first that stand first in merges."""
    ### BEGIN SOLUTION
    pieces = list(word)
    rank = {pair: i for i, pair in enumerate(merges)}
    while True:
        ranks = [rank.get(pair, len(merges)) for pair in zip(pieces, pieces[1:])]
        if min(ranks, default=len(merges)) == len(merges):
            return pieces
        i = ranks.index(min(ranks))
        pieces = [*pieces[:i], pieces[i] + pieces[i + 1], *pieces[i + 2 :]]
    ### END SOLUTION


# %%
check("3.2", cut_by_merges)

# %% [markdown]
# WordPiece needs no list of merges. It is greedy: it takes the *longest* piece in the vocabulary that
# fits at the front, then the longest that fits the rest, and so on. It never takes a piece back. Inside
# a word the pieces carry their `##`. If at some point nothing fits, the whole word becomes `[UNK]`,
# "unknown". The single letters of the training texts are pieces too, so in our vocabulary that takes a sign
# that they do not have, or have only where a word begins (or a word of more than 100 signs).
#
# ### Exercise 3.3: longest match first
# `word` is a string, `vocabulary` a set of strings such as `{"play", "##ing", "##s", ...}`. Any set: the
# single letters may be missing. Return the list of pieces.


# %% exercise="3.3"
def longest_match(word: str, vocabulary: set[str]) -> list[str]:
    """The pieces of a word, each the longest that fits; ["[UNK]"] if the word cannot be built."""
    ### BEGIN SOLUTION
    pieces, start = [], 0
    while start < len(word):
        prefix = "##" if start else ""
        ends = range(len(word), start, -1)  # longest first
        end = next((e for e in ends if prefix + word[start:e] in vocabulary), None)
        if end is None:
            return ["[UNK]"]
        pieces.append(prefix + word[start:end])
        start = end
    return pieces
    ### END SOLUTION


# %%
check("3.3", longest_match)

# %% [markdown]
# Greed has a price. One more piece in the vocabulary should do no harm, should it?
#
# ### Exercise 3.4: a piece that does harm
# Design a vocabulary, `pieces`, and one `extra` piece that is not in it, such that
#
# - with `pieces` alone, "masking" is cut into two pieces, and "masked" into two;
# - with `extra` added, "masked" becomes `[UNK]`, and "masking" is cut into as many pieces as any such
#   design can reach, not only yours.
#
# Return `pieces`, a list of strings, and `extra`, a string. Many vocabularies will do; `check` runs
# WordPiece on yours.


# %% exercise="3.4"
def harmful_piece() -> tuple[list[str], str]:
    """A vocabulary, and one more piece with which words fall apart."""
    ### BEGIN SOLUTION
    pieces = ["m", "##asking", "##asked", "##s", "##k", "##i", "##n", "##g"]
    return pieces, "ma"
    ### END SOLUTION


# %%
check("3.4", harmful_piece)

# %% [markdown]
# ## 4. Ids and special tokens
#
# Every piece has a number, its **id**. Here the first five belong to **special tokens**. They spell
# no text:

# %%
for i, name in enumerate(tokenization.SPECIAL_TOKENS):
    print(i, name)

# %% [markdown]
# - `[PAD]` fills short rows up (lesson 2). `[UNK]` stands for what could not be built.
# - `[CLS]` stands first in BERT's rows, be it one text or a pair. Its classifiers read its output
#   in place of the whole text (Devlin et al. 2019, section 3); lesson 8 says why ours do not.
# - `[SEP]` stands there after every text.
# - `[MASK]` stands where a token was hidden (lesson 4).
#
# A model can read two texts in one row, a question and its answer, say. A second list of numbers then
# says which token belongs to which text:

# %%
pair = tokenizer.encode("is it raining?", "no, it is not.")
print(*[f"{token:6}" for token in pair.tokens])
print(*[f"{text:<6}" for text in pair.type_ids])

# %% [markdown]
# A model answers in tokens: "from token 5 to token 7". A reader wants the place in the text, so a tokenizer
# also says which characters each token came from, its **offsets**. That is less easy than it looks. The
# tokens are in lower case, spaces are gone, the same piece comes again and again, and `[UNK]` does not say
# what it was.
#
# ### Exercise 3.5: back to the characters
# `text` consists of words with one or more spaces between them, perhaps some around them, and no
# punctuation. `tokens` is what WordPiece made of it, in lower case, with `[CLS]` first and `[SEP]` last;
# `[UNK]` stands for one whole word. Return for each token a pair `(start, end)`, so that
# `text[start:end]` is what it came from. `[CLS]` and `[SEP]` get `(0, 0)`. (Lower case has as many
# characters here.)


# %% exercise="3.5"
def offsets(text: str, tokens: list[str]) -> list[tuple[int, int]]:
    """Where each token begins and ends in the text."""
    ### BEGIN SOLUTION
    places, end = [], 0
    for token in tokens:
        if token in ("[CLS]", "[SEP]"):
            places.append((0, 0))
            continue
        start = end
        while text[start] == " ":
            start += 1
        if token == "[UNK]":
            end = start + len(text[start:].split()[0])
        else:
            end = start + len(token.removeprefix("##"))
        places.append((start, end))
    return places
    ### END SOLUTION


# %%
check("3.5", offsets)

# %% [markdown]
# The package's tokenizers say it with the tokens. Here is where the unknown words stood (this one takes each
# Japanese sign for a word):

# %% tags=["nbval-ignore-output"]
text = "Strings like 日本 or naïve"
encoded = tokenizer.encode(text)
for token, (start, end) in zip(encoded.tokens, encoded.offsets):
    print(f"{token:10} {start:3} to {end:3}: {text[start:end]}")

# %% [markdown]
# ## 5. Nothing is unknown: bytes
#
# Our vocabulary knows the letters of Python's manual. What about others? RoBERTa's tokenizer (it is
# GPT-2's) begins with *bytes* in place of letters: 256 signs, which spell every text that a computer can
# store. From there it grows as in section 2. (Radford et al. 2019, section 2.2; Liu et al. 2019,
# section 4.4)

# %% tags=["nbval-ignore-output"]
bpe = tokenization.train_bpe(manual, vocab_size=2000)
words = ["Statement", "naïve", "日本"]
for word in words:
    for name, cutter in [("WordPiece", tokenizer), ("bytes", bpe)]:
        encoded = cutter.encode(word, add_special_tokens=False)
        print(f"{name:9} {' '.join(encoded.tokens):20} back to text: {cutter.decode(encoded.ids)}")

# %% tags=["author"]
assert all(bpe.decode(bpe.encode(word).ids) == word for word in words)
assert set(tokenizer.encode("日本", add_special_tokens=False).tokens) == {"[UNK]"}
assert len(bpe.encode("日本", add_special_tokens=False).tokens) >= 6  # no bytes joined

# %% [markdown]
# Each byte is shown by a stand-in sign; `Ġ` stands for a space. So here the piece that *begins* a word
# is marked. Case and accents survive, and the way back gives the word that went in. (Inside
# a text, white space becomes one space.) WordPiece has lost the accent and the capital (an option,
# the one of "uncased" models), and of the Japanese word nothing is left. No error, no warning: the model
# is just never told.
#
# The price: two Japanese characters, three bytes each, take six tokens and one for the space. Their bytes
# were never joined, for the manual contains no Japanese. A vocabulary is made for the texts it grew on.

# %% [markdown]
# ## 6. Texts that are too long, texts that are too short
#
# A model has a greatest length (BERT: 512 tokens). A text that is longer is **chunked**: cut into
# windows, possibly overlapping, so that what stands at the edge of one window stands inside the next.

# %%
long_text = list(range(10, 20))  # ten "tokens"
print("windows of 4:           ", tokenization.chunk(long_text, 4))
print("windows of 4, 2 onwards:", tokenization.chunk(long_text, 4, stride=2))

# %% [markdown]
# Overlapping windows see some tokens twice, once perhaps right at an edge, where half of the context is
# missing. A tagger wants one answer for each token, from a window that shows enough of both sides.
#
# ### Exercise 3.6: windows with context
# A text has `n_tokens` tokens; windows have `length`, the last may be shorter. Read each token in one
# window only, where at least `context` tokens stand on either side of it (fewer only where the text itself
# begins or ends). Use as few windows as possible: the first begins at 0, each of the others as late as the
# rule allows, and the last one is the first that reaches the end of the text. Read each token in the first
# window that shows its context. `length` is larger than `2 * context`.
#
# Return a list of `(start, end, first, last)`, one for each window: it covers the tokens from `start` to
# before `end`, and of these the tokens from `first` to before `last` are read there.


# %% exercise="3.6"
def windows_with_context(
    n_tokens: int, length: int, context: int
) -> list[tuple[int, int, int, int]]:
    """Windows, and the tokens that are read in each."""
    ### BEGIN SOLUTION
    windows, start = [], 0
    while True:
        end = min(start + length, n_tokens)
        first = start + context if start > 0 else 0
        last = end - context if end < n_tokens else n_tokens
        windows.append((start, end, first, last))
        if end == n_tokens:
            return windows
        start = last - context
    ### END SOLUTION


# %%
check("3.6", windows_with_context)

# %% [markdown]
# > **Often read:** process texts in batches; that helps with long ones.
#
# Attention computes one score for each pair of tokens of a row. Count them:

# %%
for what, rows, length in [
    ("a text of 2,048 tokens", 1, 2048),
    ("a batch of four such texts", 4, 2048),
    ("one such text in four windows", 4, 512),
]:
    print(f"{what:30} {rows * length**2:10,} scores a head")

# %% [markdown]
# > **In fact** a larger batch has more rows, not shorter ones. It does not touch the length of a text;
# > chunking does. The price is that tokens in different windows cannot attend to each other. BERT was
# > trained on rows of 128 tokens for nine tenths of its steps, because attention is quadratic in the
# > length. (Devlin et al. 2019, appendix A.2)
#
# Short texts waste room: their rows are padded. They can be **packed**, several in a row, with
# `[SEP]` (here 3) between them (Krell et al. 2021 pack without cutting texts). Ours cuts: a text that
# does not fit goes on in the next row:

# %%
short_texts = [[10, 11, 12], [20, 21], [30, 31, 32, 33]]
for row in tokenization.pack(short_texts, length=6):
    print(row)

# %% [markdown]
# `[SEP]` is a token like others and keeps nothing apart. RoBERTa's rows go on into the next document with
# no more than such a token between the two (Liu et al. 2019, section 4.2). If texts should not attend to
# each other, that takes the third mask of lesson 2. How much room is won? On Python's manual, paragraph
# by paragraph:

# %% tags=["nbval-ignore-output"]
paragraphs = tokenization.encode(tokenizer, python_docs.paragraphs(manual), special_tokens=False)
n_tokens = sum(map(len, paragraphs))
batches = [paragraphs[i : i + 32] for i in range(0, len(paragraphs), 32)]
padded = sum(max(map(len, batch)) * len(batch) for batch in batches)  # as long as the longest
packed = sum(map(len, tokenization.pack(paragraphs, 128)))
print(f"padded: {n_tokens / padded:.0%} of the places hold text")
print(f"packed: {n_tokens / packed:.0%}")

# %% tags=["author"]
assert n_tokens / padded < 0.7 < 0.9 < n_tokens / packed

# %% [markdown]
# A row that begins in the middle of a sentence has lost what stood before. Pack whole texts, then: take one
# after the other, and put it into the *first* row that still has room for it. This is **first fit**.
#
# ### Exercise 3.7: whole texts, first fit
# `lengths` holds the length of each text, in the order in which they come; each text is followed by its
# `[SEP]`, also the last of a row. Rows have `room` places, enough for any one text. Put each text, in that
# order, into the first row where it fits; only if it fits in none, begin a new row at the end.
#
# Return an int64 tensor `(rows, room)` that says for each place the number of its text (counted from 0 in
# `lengths`), the text's `[SEP]` included, and -1 for padding. From this, lesson 2's third mask follows.


# %% exercise="3.7"
def first_fit(lengths: list[int], room: int) -> Tensor:
    """The number of the text at each place of each row, -1 for padding."""
    ### BEGIN SOLUTION
    rows = []
    for text, length in enumerate(lengths):
        size = length + 1  # with its [SEP]
        row = next((row for row in rows if len(row) + size <= room), None)
        if row is None:
            row = []
            rows.append(row)
        row += [text] * size
    return torch.tensor([row + [-1] * (room - len(row)) for row in rows])
    ### END SOLUTION


# %%
check("3.7", first_fit)

# %% [markdown]
# ## Quiz

# %%
quiz("3")

# %% [markdown]
# ## Recap
#
# - Text becomes **tokens**: pieces from a fixed vocabulary, each with an **id**. Frequent words are
#   one piece, rare ones several.
# - BPE's vocabulary grows by joining the most frequent neighbours, and so does ours. More pieces make
#   shorter rows, and more of the pieces are rare.
# - BPE cuts a word by its merges, in their order. WordPiece takes the longest piece that fits and never
#   goes back; what it cannot build is `[UNK]`. A tokenizer that begins with bytes has no unknown text.
# - **Offsets** lead from tokens back to characters.
# - **Special tokens** spell no text: `[PAD]`, `[UNK]`, `[CLS]`, `[SEP]`, `[MASK]`.
# - Long texts are chunked, with windows that overlap by twice the context that a token needs; short ones
#   are packed. A larger batch does neither.
#
# **Next:** lesson 4 hides some of the tokens: corruption.

# %%
progress("3")

# %% [markdown]
# ## References
#
# - M. Schuster, K. Nakajima 2012. *Japanese and Korean Voice Search*. ICASSP. (where WordPiece comes
#   from)
# - Google's BERT repository, [README](https://github.com/google-research/bert); Hugging Face's
#   `tokenizers`, [issue 144](https://github.com/huggingface/tokenizers/issues/144) (how vocabularies
#   grow)
# - R. Sennrich, B. Haddow, A. Birch 2016. *Neural Machine Translation of Rare Words with Subword
#   Units*. ACL. [arXiv:1508.07909](https://arxiv.org/abs/1508.07909) (section 3.2: byte-pair encoding)
# - J. Devlin et al. 2019. *BERT*. NAACL. [arXiv:1810.04805](https://arxiv.org/abs/1810.04805)
#   (section 3: special tokens, pairs of texts; appendix A.2: lengths)
# - A. Radford et al. 2019. *Language Models are Unsupervised Multitask Learners*. OpenAI. (GPT-2;
#   section 2.2: bytes)
# - Y. Liu et al. 2019. *RoBERTa*. [arXiv:1907.11692](https://arxiv.org/abs/1907.11692) (section
#   4.2: packed rows; section 4.4: bytes)
# - M. M. Krell et al. 2021. *Efficient Sequence Packing without Cross-contamination*.
#   [arXiv:2107.02027](https://arxiv.org/abs/2107.02027)
