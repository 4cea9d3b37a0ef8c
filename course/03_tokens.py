# %% [markdown]
# # Lesson 3: Tokens
#
# Masked language modelling is a game of hide and seek. Take a text, hide some of it, let a model guess what was
# there. This lesson prepares both halves of the first move: what exactly is hidden (**tokens**), and how
# (**corruption**). It looks like the boring part. It decides how hard the game is, and many programs go
# wrong right here without a single error message.
#
# By the end you will have written a tokenizer's inner loop and every step of BERT's corruption,
# played with eight ways of hiding, and measured how well the *best possible* player could do.

# %%
import matplotlib.pyplot as plt
import torch
from torch import Tensor
from torch.nn import functional as F

from mlm_course import corruption, tokenization
from mlm_course.corpora import python_docs, tinyworld
from mlm_course.practice import check, hint, progress, quiz, solution
from mlm_course.views import show, token_strip
from mlm_course.widgets import MaskPlayground

torch.set_num_threads(1)  # the same numbers on every machine

# %% [markdown]
# ## 1. From text to tokens
#
# A model reads a list of whole numbers. So a text must be cut into pieces from a fixed list, the
# **vocabulary**, and each piece gets its number. What are good pieces?
#
# - *Words?* There are too many. Whatever vocabulary you fix, the next text contains a word that is missing.
# - *Letters?* None is missing, but texts become several times as long, and attention pays for each
#   pair (lesson 1).
# - *Pieces of words*, **subwords**, are the compromise: frequent words stay whole, rare ones are
#   built from parts.
#
# **WordPiece** is the kind BERT uses. Let us train one on Python's own manual. It starts from letters and keeps
# joining pieces that occur together until the vocabulary is full.

# %%
manual = python_docs.manual()
tokenizer = tokenization.train_wordpiece(manual, vocab_size=2000)
tokenizer.get_vocab_size()

# %% tags=["nbval-ignore-output"]
text = "Tokenization splits unfamiliar words, but a statement is a statement."
pieces = tokenizer.encode(text).tokens
show(token_strip(pieces))

# %% [markdown]
# First the text was put into lower case and cut at spaces and punctuation. Then each word was cut
# into pieces. A piece that continues a word begins with `##`. "a" and "statement" are everyday
# words in Python's manual and stay whole; "unfamiliar" is rare and falls into parts.

# %% tags=["nbval-ignore-output"]
letters, tokens = sum(map(len, manual)), sum(map(len, tokenization.encode(tokenizer, manual)))
print(f"{letters / tokens:.1f} letters (and spaces) for each token")

# %% [markdown]
# How does the tokenizer cut a word, once the vocabulary is there? Greedily: it takes the *longest*
# piece in the vocabulary that fits at the front, then the longest that fits the rest, and so on.
# Inside a word the pieces carry their `##`. If at some point nothing fits, the whole word becomes
# `[UNK]`, "unknown".
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
# ## 2. Ids and special tokens
#
# Every piece has a number, its **id**. The first few ids belong to **special tokens**. They stand for no text:

# %%
for i, name in enumerate(tokenization.SPECIAL_TOKENS):
    print(i, name)

# %% [markdown]
# - `[PAD]` fills short rows up (lesson 2). `[UNK]` stands for what could not be built.
# - `[CLS]` stands in front of every text. Its output can serve as a summary of the whole (lesson 8).
# - `[SEP]` stands behind every text.
# - `[MASK]` stands where a token was hidden. Soon.
#
# From here on we mostly use tinyworld, lesson 2's small language, because of something no other
# language offers: for every hidden word we can compute *exactly* how likely each answer is. Its
# tokens are whole words.

# %%
sentences = [
    "anna gave tom a red towel , and he thanked her for the red towel at the river .",
    "now these geese are thirsty , so ben brings them some milk .",
]
ids = tinyworld.encode([s.split() for s in sentences])  # (B, T)
ids

# %% [markdown]
# Which of these may be hidden? Everything but special tokens: asking a model to guess `[SEP]`
# teaches it nothing, and nothing stands at `[PAD]`. We call the tokens that may be hidden
# **candidates**.
#
# ### Exercise 4.1: candidates
# `ids` `(B, T)`, `special_ids` a list of ids (any ids: other vocabularies number them differently)
# -> boolean `(B, T)`, True where the token may be hidden. (`torch.isin` asks for each number
# whether it is among others.)


# %% [markdown]
# ## 3. Texts that are too long, texts that are too short
#
# A model has a greatest length. A text that is longer is **chunked**: cut into windows, possibly
# overlapping, so that what stands at the edge of one window stands inside the next.

# %%
long_text = list(range(10, 20))  # ten "tokens"
print("windows of 4:           ", tokenization.chunk(long_text, 4))
print("windows of 4, 2 onwards:", tokenization.chunk(long_text, 4, stride=2))

# %% [markdown]
# Short texts waste room: their rows are mostly padding. They are **packed**, several in a row (and
# lesson 2's third mask can keep them apart). On Python's manual, paragraph by paragraph:

# %% tags=["nbval-ignore-output"]
paragraphs = tokenization.encode(tokenizer, python_docs.paragraphs(manual), special_tokens=False)
batches = [paragraphs[i : i + 32] for i in range(0, len(paragraphs), 32)]
places = sum(max(map(len, batch)) * len(batch) for batch in batches)  # rows padded to the longest
packed_places = sum(map(len, tokenization.pack(paragraphs, 128)))
text = sum(map(len, paragraphs))
print(f"padded: {text / places:.0%} of the places hold text")
print(f"packed: {text / packed_places:.0%}")

# %%
assert text / places < 0.7 < 0.9 < text / packed_places

# %% [markdown]
# (Batching is sometimes recommended for long texts. It does not touch them: a larger batch has more
# rows, not longer ones.)

# %% [markdown]
# ## Quiz

# %%
quiz("4")

# %% [markdown]
# ## Recap
#
# - Text becomes **tokens**: pieces from a fixed vocabulary, the longest that fits, each with an id.
#   Special tokens are never hidden.
# - **Corruption**: choose candidates (15 % or more), put `[MASK]` (or a random token, or nothing)
#   in their place, keep the length.
# - **Labels** are the original ids at hidden places and -100 elsewhere.
# - Pattern, budget and moment of drawing are three separate choices. *Dynamic* means drawn anew.
# - In tinyworld the best possible guess is known exactly; its loss is the **floor** that later
#   lessons train against.
#
# **Next:** lesson 5 builds the model that guesses: the encoder.

# %%
progress("3")

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
