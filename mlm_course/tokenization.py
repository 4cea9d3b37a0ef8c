"""Training and loading subword tokenizers, and cutting long or joining short texts into rows.

Thin functions over the `tokenizers` library. Five special tokens stand first in every vocabulary:
[PAD] 0, [UNK] 1, [CLS] 2, [SEP] 3, [MASK] 4.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from numbers import Integral
from pathlib import Path
from typing import Any

import torch
from tokenizers import (
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from torch import Tensor
from torch.nn import functional as F

from mlm_course.contracts import (
    check_bools,
    check_count,
    check_flag,
    check_ids,
    checked_texts,
)
from mlm_course.text_files import checked_path, read_text, write_text
from mlm_course.wording import shown

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
PAD_ID, UNK_ID, CLS_ID, SEP_ID, MASK_ID = SPECIAL_IDS = (0, 1, 2, 3, 4)

_CONTINUES = "##"  # WordPiece: this piece goes on with the word before
_SPACE = "Ġ"  # byte-level BPE's sign for a space: a new word


def train_wordpiece(
    texts: Iterable[str], vocab_size: int, *, lowercase: bool = True, min_frequency: int = 2
) -> Tokenizer:
    """A WordPiece tokenizer as BERT has it: words, or pieces of them, later pieces marked ##.

    Words are split at spaces and around punctuation; a word that the pieces cannot spell, or of
    more than 100 characters, becomes [UNK]. lowercase also drops accents. The same texts give the
    same tokenizer, in every process. Every character of the texts gets a place, so vocab_size must
    leave room for them. Source: Devlin et al. 2019, section 3. (The library picks the pieces by
    BPE's rule, the most frequent pair; what makes it WordPiece is how it encodes: the longest piece
    that fits, from the left.)
    """
    texts = _training_texts(texts, vocab_size, min_frequency)
    check_flag("lowercase", lowercase)
    tokenizer = _bert_frame(models.WordPiece(unk_token="[UNK]"), lowercase)
    letters = _letters(tokenizer, texts)
    if len(letters) > vocab_size:
        raise ValueError(
            f"vocab_size {vocab_size} is too small: the special tokens and the characters of "
            f"these texts alone take {len(letters)}."
        )
    _train_pieces(tokenizer, texts, vocab_size, letters, min_frequency)
    # The letters went in as special tokens to fix their order: keep the vocabulary alone.
    model = models.WordPiece(vocab=tokenizer.get_vocab(), unk_token="[UNK]")
    return _finish(_bert_frame(model, lowercase), decoders.WordPiece(prefix=_CONTINUES))


def word_level(words: Iterable[str]) -> Tokenizer:
    """A tokenizer over whole words, such as tinyworld's: a word's id is its place in the list.

    words begin with the five special tokens. Texts are read in lower case and split as by
    `train_wordpiece`; a word that is not in the list becomes [UNK]. Errors: TypeError or ValueError
    for a list that is none, or has a word twice.
    """
    words = checked_texts(words)
    if tuple(words[: len(SPECIAL_TOKENS)]) != SPECIAL_TOKENS:
        raise ValueError(f"A list of words must begin with {', '.join(SPECIAL_TOKENS)}.")
    numbers = {word: i for i, word in enumerate(words)}
    if len(numbers) < len(words):
        twice = next(word for i, word in enumerate(words) if numbers[word] != i)
        raise ValueError(f"{shown(twice)} stands in the list of words twice.")
    tokenizer = _bert_frame(models.WordLevel(numbers, unk_token="[UNK]"), lowercase=True)
    return _finish(tokenizer, decoders.WordPiece(prefix=_CONTINUES))


def _bert_frame(model: models.WordPiece | models.WordLevel, lowercase: bool) -> Tokenizer:
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return tokenizer


def _letters(tokenizer: Tokenizer, texts: list[str]) -> list[str]:
    """The special tokens, then every single character and ##character of the texts, sorted."""
    _train_pieces(tokenizer, texts, 0, list(SPECIAL_TOKENS), 1)  # size 0: no merges, only these
    letters = set(tokenizer.get_vocab()) - set(SPECIAL_TOKENS)
    return [*SPECIAL_TOKENS, *sorted(letters)]


def _train_pieces(
    tokenizer: Tokenizer, texts: list[str], vocab_size: int, first: list[str], min_frequency: int
) -> None:
    """One run of the library's trainer, with `first` at the head of the vocabulary.

    The library numbers the ## letters in an order that changes from process to process, and breaks
    ties between equally frequent pairs by these numbers; given in `first` they are fixed.
    """
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocab_size,
        min_frequency=min_frequency,
        special_tokens=first,
        limit_alphabet=0x110000,  # all of Unicode: the library's cut at 1,000 is random at ties
        continuing_subword_prefix=_CONTINUES,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)


def train_bpe(texts: Iterable[str], vocab_size: int, *, min_frequency: int = 2) -> Tokenizer:
    """A byte-level BPE tokenizer as RoBERTa has it: nothing is ever unknown, case is kept.

    A text is first written with one sign per byte, so that 256 signs spell everything; a space is
    the sign Ġ and belongs to the word after it. White space is normalised to single spaces; up to
    that, decoding returns the text. [MASK] takes the space before it along, as a word does: what
    stands around it is cut as if the word were there. Byte-level because it shows what WordPiece
    lacks: no [UNK], at the price of more pieces for rare scripts.
    Source: Sennrich et al. 2016; Radford et al. 2019, section 2.2; Liu et al. 2019, section 4.4.
    """
    texts = _training_texts(texts, vocab_size, min_frequency)
    signs = sorted(pre_tokenizers.ByteLevel.alphabet())
    if vocab_size < len(signs) + len(SPECIAL_TOKENS):
        raise ValueError(
            f"vocab_size {vocab_size} is too small: byte-level BPE needs at least "
            f"{len(signs) + len(SPECIAL_TOKENS)}, one for each byte and special token."
        )
    tokenizer = Tokenizer(models.BPE())
    # Both see the stretches between special tokens one by one: the space before a word stays, and
    # only the very first word is given one.
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip(left=False, right=True)]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Metaspace(" ", prepend_scheme="first", split=False),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=min_frequency,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=signs,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    mask_is_a_word = decoders.Replace("[MASK]", f"{_SPACE}[MASK]")
    no_first_space = decoders.Strip(" ", 1, 0)
    return _finish(
        tokenizer, decoders.Sequence([mask_is_a_word, decoders.ByteLevel(), no_first_space])
    )


def _finish(tokenizer: Tokenizer, decoder: decoders.Decoder) -> Tokenizer:
    tokenizer.decoder = decoder
    tokenizer.add_special_tokens(list(SPECIAL_TOKENS))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", CLS_ID), ("[SEP]", SEP_ID)],
    )
    return tokenizer


def _training_texts(texts: Iterable[str], vocab_size: int, min_frequency: int) -> list[str]:
    check_count("vocab_size", vocab_size)
    check_count("min_frequency", min_frequency)
    texts = checked_texts(texts)
    if not any(text.strip() for text in texts):
        raise ValueError("There is no text to train on.")
    return texts


def _checked_tokenizer(tokenizer: Any) -> Tokenizer:
    if not isinstance(tokenizer, Tokenizer):
        raise TypeError(
            "tokenizer must be a tokenizers.Tokenizer, as train_wordpiece, train_bpe and load "
            f"return it, not {type(tokenizer).__name__}."
        )
    return tokenizer


def save(tokenizer: Tokenizer, path: str | Path) -> None:
    """The tokenizer as a JSON file that `load` and the `tokenizers` library read.

    Missing folders are made. Errors: OSError where the file cannot be written; one that was there
    before is then as it was.
    """
    content, path = _checked_tokenizer(tokenizer).to_str(), checked_path(path, "tokenizer.json")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, content)
    except OSError as error:
        raise OSError(f"The tokenizer cannot be saved as {path}: {error.strerror}.") from None


def load(path: str | Path) -> Tokenizer:
    """A tokenizer saved by `save`.

    Errors: FileNotFoundError, or OSError where the file cannot be read; ValueError if it is damaged,
    no UTF-8, or holds a tokenizer of another kind or with other special tokens.
    """
    path = checked_path(path, "tokenizer.json")
    tokenizer = read_tokenizer(path)
    special_ids = tuple(tokenizer.token_to_id(token) for token in SPECIAL_TOKENS)
    if special_ids != SPECIAL_IDS:
        raise ValueError(
            f"{path} holds a tokenizer from elsewhere: {', '.join(SPECIAL_TOKENS)} should have "
            f"the ids 0 to 4, here they have {', '.join(map(str, special_ids))}."
        )
    ids = tokenizer.get_vocab().values()
    if sorted(ids) != list(range(len(ids))):
        raise ValueError(f"{path} is damaged: some ids of the vocabulary are missing.")
    _kind(tokenizer, f"The tokenizer in {path}")
    return tokenizer


def read_tokenizer(path: Path) -> Tokenizer:
    """The tokenizer in a JSON file, of any kind. Errors: OSError, ValueError; see `load`."""
    try:
        text = read_text(path)
    except FileNotFoundError:
        raise FileNotFoundError(f"There is no file {path}.") from None
    except OSError as error:
        raise OSError(f"{path} cannot be read: {error.strerror}.") from None
    try:
        return Tokenizer.from_str(text)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # some damage makes the library panic, which is no Exception
        raise ValueError(f"{path} holds no tokenizer, or a damaged one: {error}.") from None


def _kind(tokenizer: Tokenizer, subject: str = "The tokenizer") -> type:
    for kind in (models.WordPiece, models.BPE):
        if isinstance(_checked_tokenizer(tokenizer).model, kind):
            return kind
    name = type(tokenizer.model).__name__
    raise ValueError(f"{subject} is a {name}; only WordPiece and byte-level BPE are known.")


def encode(
    tokenizer: Tokenizer, texts: Sequence[str], *, special_tokens: bool = True
) -> list[list[int]]:
    """The token ids of each text, with [CLS] before and [SEP] after it unless told otherwise.

    A special token written out in a text, such as "The [MASK] sat", is that token.
    Errors: TypeError or ValueError that names the text, counted from 0, which is none.
    """
    check_flag("special_tokens", special_tokens)
    texts = checked_texts(texts)
    encodings = _checked_tokenizer(tokenizer).encode_batch(texts, add_special_tokens=special_tokens)
    return [encoding.ids for encoding in encodings]


def word_starts(tokenizer: Tokenizer) -> Tensor:
    """Which ids of the vocabulary begin a word, (V,) bool; False for special tokens.

    WordPiece: those without ##, so punctuation is a word of its own. Byte-level BPE: those that
    begin with a space, so punctuation belongs to the word before, as in fairseq's whole-word
    masking for RoBERTa.
    """
    wordpiece = _kind(tokenizer) is models.WordPiece
    starts = torch.zeros(tokenizer.get_vocab_size(), dtype=torch.bool)
    for token, i in tokenizer.get_vocab().items():
        starts[i] = not token.startswith(_CONTINUES) if wordpiece else token.startswith(_SPACE)
    starts[list(SPECIAL_IDS)] = False
    return starts


def word_ids(ids: Tensor, starts: Tensor) -> Tensor:
    """The number of each token's word in its row, from 0; -1 for special tokens and padding.

    ids (B, T) int64, starts (V,) bool from `word_starts`; returns (B, T) int64. A piece whose
    beginning was cut off, at the left edge or after a special token, counts as a word.
    """
    check_bools("starts", starts, "V")
    check_ids(ids, len(starts))
    ids = ids.long()
    special = ids <= max(SPECIAL_IDS)  # (B, T)
    begins = starts[ids]
    begins[:, :1] = True
    begins[:, 1:] |= special[:, :-1]
    number = (begins & ~special).cumsum(1) - 1
    return number.masked_fill(special, -1)


def pack(rows: Iterable[Sequence[int]], length: int, *, cls: bool = False) -> list[list[int]]:
    """Texts joined into rows of exactly `length` ids, [SEP] between two texts; the last is shorter.

    rows: ids without special tokens. Nothing is lost: a text that does not fit goes on in the next
    row. cls puts [CLS] before every row and counts towards the length. Empty texts are left out.
    Source: "full sentences" of Liu et al. 2019 (RoBERTa), section 4.2.
    """
    check_count("length", length)
    check_flag("cls", cls)
    head = [CLS_ID] if cls else []
    room = length - len(head)
    if room < 1:
        raise ValueError(f"length {length} leaves no room for text: choose at least {1 + cls}.")
    texts = [text for i, row in enumerate(_listed("rows", rows)) if (text := _row(row, f"row {i}"))]
    present = {PAD_ID, CLS_ID, SEP_ID}.intersection(*[chain.from_iterable(texts)])
    if present:
        names = ", ".join(SPECIAL_TOKENS[i] for i in sorted(present))
        raise ValueError(f"rows must come without special tokens, but {names} is in them.")
    joined = list(chain.from_iterable([SEP_ID, *text] for text in texts))[1:]
    return [head + joined[start : start + room] for start in range(0, len(joined), room)]


def chunk(ids: Sequence[int], length: int, stride: int | None = None) -> list[list[int]]:
    """A long text as windows of `length` ids that begin `stride` apart; the last may be shorter.

    Every id is in some window; with stride < length neighbouring windows share length - stride ids
    (transformers and tokenizers call that overlap "stride"). Without stride they do not overlap. No
    window lies within the one before it. An empty text has no window.
    """
    check_count("length", length)
    stride = length if stride is None else stride
    check_count("stride", stride)
    if length < 1 or not 1 <= stride <= length:
        raise ValueError(
            f"Need length >= 1 and 1 <= stride <= length, not {length} and {stride}: "
            "a larger stride would lose ids between two windows."
        )
    ids = _row(ids, "ids")
    starts = range(0, max(len(ids) - length, 0) + stride, stride) if ids else ()
    return [ids[start : start + length] for start in starts]


def _listed(name: str, values: Any) -> list[Any]:
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise TypeError(f"{name} must be a list, not {type(values).__name__}.")
    return list(values)


def _row(ids: Any, name: str) -> list[int]:
    """Token ids as a list: of a list, a tensor or an array."""
    ids = ids if type(ids) is list else _listed(name, getattr(ids, "tolist", lambda: ids)())
    kinds = set(map(type, ids))
    if not all(kind is int or (issubclass(kind, Integral) and kind is not bool) for kind in kinds):
        names = ", ".join(sorted(kind.__name__ for kind in kinds))
        raise TypeError(f"{name} must hold token ids, integers in a flat list, not {names}.")
    if ids and min(ids) < 0:
        raise ValueError(f"{name} contains {min(ids)}: token ids start at 0.")
    return ids if kinds <= {int} else list(map(int, ids))


def texts_in_rows(ids: Tensor) -> tuple[Tensor, Tensor]:
    """The number of each token's text in its row, and its place in that text, both from 0.

    ids (B, T) int64 with [SEP] between texts; a [SEP] belongs to the text before it, padding to
    the last. Returns two (B, T) int64: for `same_document_mask`, and for `Encoder`'s positions.
    """
    check_ids(ids)
    ends = (ids == SEP_ID).long()  # (B, T)
    begins = F.pad(ends, (1, 0))[:, :-1]  # one behind each [SEP]
    texts = begins.cumsum(1)
    places = begins.new_ones(begins.shape).cumsum(1) - 1  # 0, 1, 2, ...
    first = (places * begins).cummax(1).values  # where the token's text begins
    return texts, places - first


def padding_share(ids: Tensor) -> float:
    """The share of ids (B, T) that is padding."""
    check_ids(ids)
    if ids.numel() == 0:
        raise ValueError("ids holds no tokens, of which a share could be padding.")
    return (ids == PAD_ID).double().mean().item()
