"""BERT's published weights in our masked language model. Lesson 5.

    model, tokenizer = bert_from_hub("bert-base-uncased")   # needs a network, 440 MB, kept
    model, tokenizer = bert_from_hub("my/folder/")           # the same three files on this machine
    model = from_bert(theirs.state_dict(), n_heads=12)       # from a BertForMaskedLM in memory
    encoder = encoder_from_bert(load_file("model.safetensors"), n_heads=12)  # without an MLM head
    encoder, tokenizer = bert_encoder_from_hub("my/folder/")  # whatever stands on the encoder

NAMES is the whole translation: what our parts are called in BERT's files.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor

from mlm_course.hub import download
from mlm_course.models.encoder import Encoder, EncoderConfig
from mlm_course.models.masked_lm import MaskedLM
from mlm_course.models.published import (
    Translation,
    check_heads,
    check_weights,
    few,
    number_of_blocks,
    read_config,
    read_published_tokenizer,
    read_weights,
    setting,
    unwrapped,
)

NAMES = {
    # ours                                   BERT's
    "encoder.embeddings.token":              "bert.embeddings.word_embeddings",
    "encoder.embeddings.position":           "bert.embeddings.position_embeddings",
    "encoder.embeddings.segment":            "bert.embeddings.token_type_embeddings",
    "encoder.embeddings.norm":               "bert.embeddings.LayerNorm",
    "encoder.blocks.#.attention.qkv":        "bert.encoder.layer.#.attention.self.{query,key,value}",
    "encoder.blocks.#.attention.output":     "bert.encoder.layer.#.attention.output.dense",
    "encoder.blocks.#.attention_norm":       "bert.encoder.layer.#.attention.output.LayerNorm",
    "encoder.blocks.#.feed_forward.expand":  "bert.encoder.layer.#.intermediate.dense",
    "encoder.blocks.#.feed_forward.contract": "bert.encoder.layer.#.output.dense",
    "encoder.blocks.#.feed_forward_norm":    "bert.encoder.layer.#.output.LayerNorm",
    "dense":                                 "cls.predictions.transform.dense",
    "norm":                                  "cls.predictions.transform.LayerNorm",
    "decoder_bias":                          "cls.predictions.bias",
}  # fmt: skip
"""Our names and BERT's; # is a block's number, and weight or bias follows where a part has both.

Names in {} are parts of their own in BERT; ours is these, stacked.
"""

SAME_TENSOR = {
    "cls.predictions.decoder.weight": "bert.embeddings.word_embeddings.weight",
    "cls.predictions.decoder.bias": "cls.predictions.bias",
}
"""Second names of tied weights; a file may hold either name or both."""

NOT_OURS = r"bert\.pooler\..*|cls\.seq_relationship\..*|.*\.(position|token_type)_ids"
"""Next-sentence prediction, which we leave out, and lists of the numbers 0, 1, 2, ... or of zeros."""

BODY, HEAD = "bert.", "cls."  # what the names of encoder and MLM head begin with
PARTS = ("embeddings.", "encoder.", "pooler.")  # of a BertModel, which has no BODY in front
WORDS = "embeddings.word_embeddings.weight"
BLOCKS = "bert.encoder.layer."
ROBERTA = ("position_embeddings", "token_type_embeddings")  # give it away by their sizes
PLAIN = {"position_embedding_type": "absolute", "is_decoder": False, "add_cross_attention": False}

TRANSLATION = Translation("BERT", NAMES)
ENCODER = Translation(
    "BERT", {ours.removeprefix("encoder."): n for ours, n in NAMES.items() if n.startswith(BODY)}
)
EPS = 1e-12  # BERT's LayerNorms; not in the state dict
FILES = ("config.json", "tokenizer.json", "model.safetensors")


def from_bert(state_dict: Mapping[str, Tensor], n_heads: int, eps: float = EPS) -> MaskedLM:
    """A masked language model with BERT's weights, in float32, in evaluation mode.

    state_dict: that of transformers' BertForMaskedLM or BertForPreTraining, or a published file's
    (there LayerNorms have gamma and beta), also out of torch.compile or DistributedDataParallel.
    The sizes are read off the shapes; n_heads and eps are not in them. Post-norm, GELU with erf,
    two segments. The weights are copied.
    Errors: ValueError names weights that are missing, unknown, of the wrong shape or not tied, and
    says so where they are another model's.
    Source: Devlin et al. 2019.
    """
    theirs = _tied(_named(state_dict))
    if not any(name.startswith(HEAD) for name in theirs):
        raise ValueError(
            f"These weights are an encoder alone: the MLM head ({HEAD}...) is missing. "
            "encoder_from_bert loads them."
        )
    ours = TRANSLATION.ours(theirs)
    return TRANSLATION.build(MaskedLM, _sizes(ours, n_heads, eps), ours)


def encoder_from_bert(state_dict: Mapping[str, Tensor], n_heads: int, eps: float = EPS) -> Encoder:
    """An encoder with BERT's weights, in float32, in evaluation mode; any head is left out.

    state_dict: as in `from_bert`, or that of a BertModel or a file of one, whose names lack "bert."
    in front. A RobertaModel's names are the same, too: it is refused where its sizes give it away,
    as those of published ones do. Errors: as in `from_bert`.
    """
    theirs = _tied(_named(state_dict))
    ours = TRANSLATION.ours({n: value for n, value in theirs.items() if n.startswith(BODY)})
    config = _sizes(ours, n_heads, eps)
    return ENCODER.build(Encoder, config, {n.removeprefix("encoder."): v for n, v in ours.items()})


def bert_from_hub(name: str | Path = "bert-base-uncased") -> tuple[MaskedLM, Tokenizer]:
    """A published BERT and its tokenizer, downloaded once and kept by huggingface_hub.

    name: "owner/name", or a folder with FILES. The tokenizer's special ids are BERT's own, not this
    course's: in bert-base-uncased [PAD] is 0, [UNK] 100, [CLS] 101, [SEP] 102, [MASK] 103. Ask
    `tokenizer.token_to_id("[MASK]")`. It neither cuts nor pads, whatever its file asks for.
    Errors: HubUnreachable without a network (unless it was downloaded before); ValueError if the
    hub has no such model, or it is no BERT with an MLM head in the usual form; FileNotFoundError
    for a folder that is missing or lacks a file.
    """
    weights, n_heads, eps, tokenizer = _downloaded(name)
    return from_bert(weights, n_heads, eps), tokenizer


def bert_encoder_from_hub(name: str | Path) -> tuple[Encoder, Tokenizer]:
    """A published BERT's encoder and tokenizer, whatever heads the file has beside it, or none.

    As `bert_from_hub`. For all-MiniLM-L6-v2 see `mlm_course.models.minilm`, which also needs no hub.
    """
    weights, n_heads, eps, tokenizer = _downloaded(name)
    return encoder_from_bert(weights, n_heads, eps), tokenizer


def _downloaded(name: str | Path) -> tuple[dict[str, Tensor], int, float, Tokenizer]:
    """Weights, heads, epsilon and tokenizer of a published BERT."""
    files = download(name, FILES)
    config = read_config(files["config.json"], "bert", PLAIN)
    n_heads = setting(config, "num_attention_heads", int)
    eps = setting(config, "layer_norm_eps", (int, float), EPS)
    tokenizer = read_published_tokenizer(files["tokenizer.json"])
    return read_weights(files["model.safetensors"]), n_heads, eps, tokenizer


def _named(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights under the names of a BertForMaskedLM of today.

    Errors: ValueError if everything stands under another prefix, or there are no blocks of a BERT.
    """
    check_weights(state_dict)
    theirs = {_modern(name): value for name, value in state_dict.items()}
    prefix = next((n.removesuffix(WORDS) for n in theirs if n.endswith(WORDS)), BODY)
    if prefix not in ("", BODY):
        raise ValueError(
            f"The names of these weights begin with {prefix!r}, those of a BERT with {BODY!r} or "
            "with nothing: is it another model, or wrapped in one?"
        )
    if prefix == "":  # a BertModel
        theirs = {BODY + n if n.startswith(PARTS) else n: v for n, v in theirs.items()}
    _refuse_others(theirs)
    return theirs


def _refuse_others(theirs: Mapping[str, Tensor]) -> None:
    """ValueError for weights of a model whose names are like BERT's, or the same."""
    if not any(name.startswith(BLOCKS) for name in theirs):
        unknown = [name for name in theirs if TRANSLATION.our_name(name) == name]
        raise ValueError(
            f"These weights lack BERT's blocks, {BLOCKS}#, and have {few(unknown) or 'nothing else'}: "
            "they are another model's, or not all of a model's."
        )
    positions, segments = (_rows(theirs, f"{BODY}embeddings.{name}.weight") for name in ROBERTA)
    if segments == 1 and positions % 128 == 2:
        raise ValueError(
            f"These weights have 1 segment and {positions} positions, as a RoBERTa's, which counts "
            "positions from 2: it is no BERT, though its weights have the same names."
        )


def _rows(theirs: Mapping[str, Tensor], name: str) -> int:
    """How many rows a table has; 0 for what is missing or no table."""
    shape = theirs[name].shape if name in theirs else ()
    return shape[0] if shape else 0


def _modern(name: str) -> str:
    """A published name as it is written today, without what wrapped the model."""
    return (
        unwrapped(name)
        .replace("LayerNorm.gamma", "LayerNorm.weight")
        .replace("LayerNorm.beta", "LayerNorm.bias")
    )


def _tied(theirs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """BERT's weights without what is not ours, each tied weight under its first name only."""
    kept = {name: value for name, value in theirs.items() if not re.fullmatch(NOT_OURS, name)}
    for second, first in SAME_TENSOR.items():
        value = kept.pop(second, None)
        if value is not None and not torch.equal(kept.setdefault(first, value), value):
            raise ValueError(f"{second} differs from {first}: these weights are not tied.")
    return kept


def _sizes(ours: Mapping[str, Tensor], n_heads: int, eps: float) -> EncoderConfig:
    def size(name: str, axis: int) -> int:
        return TRANSLATION.find(ours, name, axes=2).shape[axis]

    d_model = size("encoder.embeddings.token.weight", 1)
    check_heads(n_heads, d_model)
    return EncoderConfig(
        vocab_size=size("encoder.embeddings.token.weight", 0),
        max_length=size("encoder.embeddings.position.weight", 0),
        d_model=d_model,
        n_layers=number_of_blocks(ours, "encoder"),
        n_heads=n_heads,
        d_ff=size("encoder.blocks.0.feed_forward.expand.weight", 0),
        n_segments=size("encoder.embeddings.segment.weight", 0),
        pre_norm=False,
        norm_eps=eps,
    )
