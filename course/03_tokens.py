# %% [markdown]
# # Lesson 3: Tokens
#
# Lessons 1 and 2 worked on words, as if text came in words. It comes as a string of characters, and
# something has to cut it into the **tokens** that a model reads. That looks like the boring part. But
# the cut decides how long the rows are, what can be written at all, and, in lesson 4, what can be
# hidden. And it goes wrong without an error message.
#
# By the end you will have written the loop inside BERT's tokenizer, watched a vocabulary grow, met
# a text that it cannot write down, cut long texts into windows and packed short ones into rows. You
# need lesson 1 (what attention costs) and lesson 2 (padding, and the mask for texts that share a row).

# %%
import torch

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
# Stop the growth early and late, and see how the same word is cut:

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
# How does the tokenizer cut a word, once the vocabulary is there? Greedily: it takes the *longest*
# piece in the vocabulary that fits at the front, then the longest that fits the rest, and so on. It
# never takes a piece back. Inside a word the pieces carry their `##`. If at some point nothing fits,
# the whole word becomes `[UNK]`, "unknown". The single letters of the training texts are pieces too, so
# that takes a sign that they do not have, or have only where a word begins.
#
# ### Exercise 3.1: longest match first
# `word` is a string, `vocabulary` a set of strings such as `{"play", "##ing", "##s", ...}`. Return
# the list of pieces.


# %% exercise="3.1"
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
check("3.1", longest_match)

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
# - WordPiece takes the longest piece that fits and never goes back; what it cannot build is `[UNK]`.
#   A tokenizer that begins with bytes has no unknown text.
# - **Special tokens** spell no text: `[PAD]`, `[UNK]`, `[CLS]`, `[SEP]`, `[MASK]`.
# - Long texts are chunked, short ones packed. A larger batch does neither.
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
