"""BERT's published weights in our masked language model. Lesson 5.

    model, tokenizer = bert_from_hub("bert-base-uncased")   # needs a network, 440 MB, kept
    model = from_bert(theirs.state_dict(), n_heads=12)       # from a BertForMaskedLM in memory

NAMES is the whole translation: what our parts are called in BERT's files.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor

from mlm_course.hub import download
from mlm_course.models.encoder import EncoderConfig
from mlm_course.models.masked_lm import MaskedLM
from mlm_course.models.published import Translation, check_heads, number_of_blocks

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

NOT_OURS = r"bert\.pooler\..*|cls\.seq_relationship\..*|.*\.position_ids"
"""Next-sentence prediction, which we leave out, and a list of the numbers 0, 1, 2, ..."""

TRANSLATION = Translation("BERT", NAMES)
EPS = 1e-12  # BERT's LayerNorms; not in the state dict
FILES = ("config.json", "tokenizer.json", "model.safetensors")


def from_bert(state_dict: Mapping[str, Tensor], n_heads: int, eps: float = EPS) -> MaskedLM:
    """A masked language model with BERT's weights, in float32, in evaluation mode.

    state_dict: that of transformers' BertForMaskedLM or BertForPreTraining, or a published file's
    (there LayerNorms have gamma and beta). The sizes are read off the shapes; n_heads and eps are
    not in them. Post-norm, GELU with erf, two segments. The weights are copied.
    Errors: ValueError names weights that are missing, unknown, of the wrong shape or not tied.
    Source: Devlin et al. 2019.
    """
    theirs = _tied({_modern(name): value for name, value in state_dict.items()})
    ours = TRANSLATION.ours(theirs)
    return TRANSLATION.build(MaskedLM, _sizes(ours, n_heads, eps), ours)


def bert_from_hub(name: str = "bert-base-uncased") -> tuple[MaskedLM, Tokenizer]:
    """A published BERT and its tokenizer, downloaded once and kept by huggingface_hub.

    The tokenizer's special ids are BERT's own, not this course's: in bert-base-uncased [PAD] is 0,
    [UNK] 100, [CLS] 101, [SEP] 102, [MASK] 103. Ask `tokenizer.token_to_id("[MASK]")`.
    Errors: HubUnreachable without a network (unless it was downloaded before); ValueError if the
    hub has no such model, or it is no BERT with an MLM head in the usual form.
    """
    files = download(name, FILES)
    config = json.loads(files["config.json"].read_text())
    if config.get("model_type") != "bert" or config.get("hidden_act") != "gelu":
        raise ValueError(f"{name!r} is not a BERT with GELU: it cannot be loaded here.")
    n_heads, eps = config["num_attention_heads"], config.get("layer_norm_eps", EPS)
    model = from_bert(load_file(files["model.safetensors"]), n_heads, eps)
    return model, Tokenizer.from_file(str(files["tokenizer.json"]))


def _modern(name: str) -> str:
    """A published name as it is written today."""
    return name.replace("LayerNorm.gamma", "LayerNorm.weight").replace(
        "LayerNorm.beta", "LayerNorm.bias"
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
