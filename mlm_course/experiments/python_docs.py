"""The masked language model of lesson 7: Python's docstrings, read by a small BERT. Lesson 6.

Trained on the docstrings of the standard library, five packages, and what else of `MORE` is installed;
tested on modules of the standard library and the five that were held out: no module, no docstring and
no paragraph is on both sides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from mlm_course import tokenization
from mlm_course.corpora import python_docs
from mlm_course.corruption import Corrupted, DynamicMasking
from mlm_course.corruption.masking import standard_masker
from mlm_course.evaluation import score_masked
from mlm_course.models import EncoderConfig, MaskedLM, seeded_init
from mlm_course.models.pretrained import save_pretrained
from mlm_course.results import training_record
from mlm_course.training import Recipe, fit, masked_lm_loss

PACKAGES = ("stdlib", "numpy", "scipy", "sklearn", "matplotlib", "torch")
MORE = (  # packages that the course's own requirements bring; to train on only
    "IPython", "PIL", "_pytest", "accelerate", "babel", "datasets", "fontTools", "fsspec",
    "huggingface_hub", "hypothesis", "jedi", "joblib", "jupyter_server", "jupyterlab", "mypy",
    "narwhals", "nbconvert", "networkx", "pandas", "pip", "playwright", "pyarrow", "pygments",
    "setuptools", "sympy", "tensorboard", "tornado", "traitlets", "transformers", "zmq",
)  # fmt: skip
HELD_OUT_SHARE = 0.05  # of all characters, in whole modules
VOCAB_SIZE, LENGTH = 6000, 128
MASK_RATIO, TEST_RATIO = 0.25, 0.15
RECIPE = Recipe(
    steps=12000, batch_size=32, weight_decay=0.0, betas=(0.9, 0.95), schedule="linear",
    precision="bf16",
)  # fmt: skip


class Corpus(NamedTuple):
    """A tokenizer and packed rows of ids, (N, LENGTH) to train on and (M, LENGTH) held out.

    with_repeats: the held-out docstrings in full. In held_out, the paragraphs that a training
    module says too (the description of a parameter, say) are left out.
    """

    tokenizer: Tokenizer
    train: Tensor
    held_out: Tensor
    with_repeats: Tensor
    sizes: dict[str, int]


def read_corpus(
    packages: Sequence[str] = PACKAGES, vocab_size: int = VOCAB_SIZE, more: Sequence[str] = ()
) -> Corpus:
    """The docstrings of installed packages as packed rows; the tokenizer knows the training side.

    more: packages that are read for training only, and unknown to the tokenizer: whatever they are,
    ids and held-out rows stay the same. What the held-out side says, they do not say again.
    """
    items = python_docs.docstrings(packages)
    train, held_out = python_docs.split_by_module(items, HELD_OUT_SHARE, seed=0)
    seen = set(python_docs.paragraphs((item.text for item in train), 1))
    new = ["\n\n".join(_unseen(item.text, seen)) for item in held_out]
    texts = [[item.text for item in train], [t for t in new if t], [item.text for item in held_out]]
    tokenizer = tokenization.train_wordpiece(texts[0], vocab_size)
    rows = [_packed(tokenizer, side) for side in texts]
    added = further_texts(more, texts[2])
    train_rows = torch.cat([rows[0], _packed(tokenizer, added)]) if added else rows[0]
    sizes = {
        "characters_train": sum(map(len, texts[0] + added)),
        "characters_held_out": sum(map(len, texts[1])),
        "tokens_train": train_rows.numel(),
        "tokens_held_out": rows[1].numel(),
        "modules_train": len({item.module for item in train}),
        "modules_held_out": len({item.module for item in held_out}),
    }
    return Corpus(tokenizer, train_rows, rows[1], rows[2], sizes)


def unread_modules() -> set[str]:
    """The modules whose docstrings the shipped checkpoint has not been trained on."""
    items = python_docs.docstrings(PACKAGES)
    return {item.module for item in python_docs.split_by_module(items, HELD_OUT_SHARE, seed=0)[1]}


def further_texts(packages: Sequence[str], held_out: Sequence[str]) -> list[str]:
    """The docstrings of packages, without the paragraphs that stand in held_out or name "[MASK]"."""
    said = set(python_docs.paragraphs(held_out, 1))
    items = python_docs.docstrings(packages) if packages else []
    texts = ["\n\n".join(filter(_is_plain, _unseen(item.text, said))) for item in items]
    return [text for text in texts if text]


def _is_plain(paragraph: str) -> bool:
    """Whether it spells out no special token, which a tokenizer would take for one."""
    return not any(token in paragraph for token in tokenization.SPECIAL_TOKENS)


def readable(packages: Sequence[str]) -> list[str]:
    """Those of the packages that are installed with their Python source."""

    def is_here(package: str) -> bool:
        try:
            return next(python_docs.sources(package), None) is not None
        except ValueError:
            return False

    return list(filter(is_here, packages))


def _unseen(text: str, seen: set[str]) -> list[str]:
    return [p for p in python_docs.paragraphs([text], 1) if p not in seen]


def _packed(tokenizer: Tokenizer, texts: Sequence[str]) -> Tensor:
    """Full rows (N, LENGTH) of the texts one after another, [SEP] between two, shuffled."""
    order = torch.randperm(len(texts), generator=torch.Generator().manual_seed(1)).tolist()
    ids = tokenization.encode(tokenizer, [texts[i] for i in order], special_tokens=False)
    return torch.tensor(tokenization.pack(ids, LENGTH)[:-1])


def held_out_masks(corpus: Corpus, rows: Tensor | None = None) -> Corrupted:
    """The held-out rows, or others, with TEST_RATIO of each hidden, the same at every call."""
    hide = standard_masker(corpus.tokenizer.get_vocab_size(), TEST_RATIO)
    rows = corpus.held_out if rows is None else rows
    return hide(rows, torch.Generator().manual_seed(7))


def whole_words(tokenizer: Tokenizer, ids: Tensor) -> Tensor:
    """Which tokens are a word of letters in one piece, bool (B, T); ids (B, T)."""
    names = [str(tokenizer.id_to_token(i)) for i in range(tokenizer.get_vocab_size())]
    is_word = torch.tensor([name.isalpha() for name in names])[ids]
    goes_on = torch.tensor([name.startswith("##") for name in names])[ids]
    return is_word & ~goes_on.roll(-1, 1)


def tester(corpus: Corpus, rows: Tensor | None = None) -> Callable[[nn.Module], dict[str, float]]:
    """evaluate(model) for `fit`: loss and accuracy on held-out modules, of all tokens and of words."""
    corrupted = held_out_masks(corpus, rows)
    words = whole_words(corpus.tokenizer, corpus.held_out if rows is None else rows)

    def evaluate(model: nn.Module) -> dict[str, float]:
        everything = score_masked(model, corrupted, batch_size=64)
        only_words = score_masked(model, corrupted, batch_size=64, only=words)
        return {
            "loss": everything.loss,
            "accuracy": everything.accuracy,
            "word_accuracy": only_words.accuracy,
        }

    return evaluate


def build(vocab_size: int = VOCAB_SIZE) -> MaskedLM:
    """The model to train: pre-norm, about 3 million parameters."""
    return seeded_init(
        MaskedLM, EncoderConfig(vocab_size, LENGTH, d_model=192, n_layers=4, n_heads=4)
    )


def run(folder: str | Path = "runs/python_docs", display: Any = None) -> dict[str, Any]:
    """Trains the model, stores it with its tokenizer among the checkpoints; its record."""
    more = readable(MORE)
    corpus = read_corpus(more=more)
    vocab_size = corpus.tokenizer.get_vocab_size()
    model = build(vocab_size)
    data = DynamicMasking(standard_masker(vocab_size, MASK_RATIO), corpus.train, seed=0)
    history = fit(
        model, data, masked_lm_loss, RECIPE, evaluate=tester(corpus), evaluate_every=1200,
        folder=folder, save_every=200, display=display,
    )  # fmt: skip
    save_pretrained("python_docs", model, corpus.tokenizer)
    training = training_record(model, RECIPE, MASK_RATIO, history)
    return {
        "data": corpus.sizes,
        "more_packages": more,
        "minutes": training["training_minutes"],  # of all calls, if it was gone on with
        **training,
        "with_repeats": tester(corpus, corpus.with_repeats)(model),
    }
