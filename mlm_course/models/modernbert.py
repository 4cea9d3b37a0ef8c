"""ModernBERT's published weights in our modern encoder. Lesson 14.

    model, tokenizer = modernbert_from_hub("answerdotai/ModernBERT-base")  # a network, 600 MB, kept
    model, tokenizer = modernbert_from_hub("my/folder/")     # the same three files on this machine
    model = from_modernbert(theirs.state_dict(), n_heads=12)  # from a ModernBertForMaskedLM in memory

NAMES is the whole translation: what our parts are called in ModernBERT's files.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor

from mlm_course.hub import download
from mlm_course.models.modern import ModernConfig, ModernMaskedLM
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
    # ours                                   ModernBERT's
    "encoder.token":                         "model.embeddings.tok_embeddings",
    "encoder.embedding_norm":                "model.embeddings.norm",
    "encoder.blocks.#.attention_norm":       "model.layers.#.attn_norm",
    "encoder.blocks.#.attention.qkv":        "model.layers.#.attn.Wqkv",
    "encoder.blocks.#.attention.output":     "model.layers.#.attn.Wo",
    "encoder.blocks.#.feed_forward_norm":    "model.layers.#.mlp_norm",
    "encoder.blocks.#.feed_forward.expand":  "model.layers.#.mlp.Wi",
    "encoder.blocks.#.feed_forward.contract": "model.layers.#.mlp.Wo",
    "encoder.final_norm":                    "model.final_norm",
    "dense":                                 "head.dense",
    "norm":                                  "head.norm",
    "decoder_bias":                          "decoder.bias",
}  # fmt: skip
"""Our names and ModernBERT's; # is a block's number, and weight or bias follows."""

DECODER, WORDS = "decoder.weight", "model.embeddings.tok_embeddings.weight"  # tied: one tensor
BODY, HEAD = "model.", "head."  # what the names of encoder and MLM head begin with
PARTS = (
    "embeddings.",
    "layers.",
    "final_norm.",
)  # of a ModernBertModel, which has no BODY in front
BLOCKS = "model.layers."
BIASES = ("attention_bias", "mlp_bias", "norm_bias", "classifier_bias")  # ours are there or are not
PLAIN = {
    "hidden_act": "gelu",
    "hidden_activation": "gelu",
    "classifier_activation": "gelu",
    "decoder_bias": True,
    "tie_word_embeddings": True,
}
KINDS = ("full_attention", "sliding_attention")  # a global and a local layer, in transformers 5
OLD_BASES = ("global_rope_theta", "local_rope_theta")  # the bases of their rotations, before

TRANSLATION = Translation("ModernBERT", NAMES)
FILES = ("config.json", "tokenizer.json", "model.safetensors")


def from_modernbert(
    state_dict: Mapping[str, Tensor],
    n_heads: int,
    *,
    window: int = ModernConfig.window,
    global_every: int = ModernConfig.global_every,
    global_base: float = ModernConfig.global_base,
    local_base: float = ModernConfig.local_base,
    max_length: int = ModernConfig.max_length,
    eps: float = ModernConfig.norm_eps,
) -> ModernMaskedLM:
    """A modern masked language model with ModernBERT's weights, in float32, in evaluation mode.

    state_dict: that of transformers' ModernBertForMaskedLM or a published file's, also out of
    torch.compile or DistributedDataParallel. The sizes are read off the shapes; the rest is not in
    them, and is ModernBERT's unless given. The weights are copied. Its [PAD] is not 0: give the model
    an attention_mask, `visible_mask` would make none. Errors: ValueError names weights that are
    missing, unknown, of the wrong shape or not tied. Source: Warner et al. 2024.
    """
    ours = TRANSLATION.ours(_named(state_dict))

    def size(name: str, axis: int) -> int:
        return TRANSLATION.find(ours, name, axes=2).shape[axis]

    d_model = size("encoder.token.weight", 1)
    check_heads(n_heads, d_model)
    config = ModernConfig(
        size("encoder.token.weight", 0),
        d_model=d_model,
        n_layers=number_of_blocks(ours, "encoder"),
        n_heads=n_heads,
        d_ff=size("encoder.blocks.0.feed_forward.contract.weight", 1),
        bias="encoder.final_norm.bias" in ours,
        norm_eps=eps,
        max_length=max_length,
        window=window,
        global_every=global_every,
        global_base=global_base,
        local_base=local_base,
    )
    return TRANSLATION.build(ModernMaskedLM, config, ours)


def modernbert_from_hub(
    name: str | Path = "answerdotai/ModernBERT-base",
) -> tuple[ModernMaskedLM, Tokenizer]:
    """A published ModernBERT and its tokenizer, downloaded once and kept by huggingface_hub.

    name: "owner/name", or a folder with FILES. The tokenizer's special ids are ModernBERT's own: ask
    `tokenizer.token_to_id("[MASK]")`; [PAD] is not 0, so give the model an attention_mask. The
    tokenizer neither cuts nor pads, whatever its file asks for.
    Errors: HubUnreachable without a network (unless it was downloaded before); ValueError if the
    hub has no such model, or it is no ModernBERT with an MLM head in the usual form;
    FileNotFoundError for a folder that is missing or lacks a file.
    """
    files = download(name, FILES)
    config = read_config(files["config.json"], "modernbert", PLAIN)
    if config.get("local_rope_theta", 0) is None and not config.get("rope_parameters"):
        config["local_rope_theta"] = config.get("global_rope_theta")  # as in transformers 4
    config = {key: value for key, value in config.items() if value is not None}  # null: as usual
    _check_biases(config)
    global_base, local_base = (
        _base(config, kind, old) for kind, old in zip(KINDS, OLD_BASES, strict=True)
    )
    model = from_modernbert(
        read_weights(files["model.safetensors"]),
        setting(config, "num_attention_heads", int),
        window=setting(config, "local_attention", int, ModernConfig.window),
        global_every=_global_every(config),
        global_base=global_base,
        local_base=local_base,
        max_length=setting(config, "max_position_embeddings", int, ModernConfig.max_length),
        eps=setting(config, "norm_eps", (int, float), ModernConfig.norm_eps),
    )
    _check_model(model, config)
    return model, read_published_tokenizer(files["tokenizer.json"])


def _check_model(model: ModernMaskedLM, config: Mapping[str, Any]) -> None:
    """ValueError unless the weights have the layers and the biases that the settings speak of."""
    n_layers, n_kinds = model.config.n_layers, len(config.get("layer_types") or [])
    if n_kinds not in (0, n_layers):
        raise ValueError(
            f"layer_types in config.json are {n_kinds}, but the weights have {n_layers} layers."
        )
    if setting(config, BIASES[0], bool, False) != model.config.bias:
        said, have = ("are", "none") if not model.config.bias else ("are no", "some")
        raise ValueError(f"config.json says that there {said} biases, the weights have {have}.")


def _check_biases(config: Mapping[str, Any]) -> None:
    """ValueError unless all parts have biases or none has: one setting says it for our whole model."""
    biases = {name: setting(config, name, bool, False) for name in BIASES}
    if len({*biases.values()}) > 1:
        told = ", ".join(f"{name} {value}" for name, value in biases.items())
        raise ValueError(f"config.json has {told}: here either all of them are, or none is.")


def _global_every(config: Mapping[str, Any]) -> int:
    """Every how many layers one is global. Errors: ValueError for layers in another order."""
    kinds = config.get("layer_types")
    if kinds is None:
        every = setting(config, "global_attn_every_n_layers", int, ModernConfig.global_every)
        if every < 1:
            raise ValueError(f"global_attn_every_n_layers in config.json cannot be {every}.")
        return every
    kinds = setting(config, "layer_types", list)
    every = next((i for i, kind in enumerate(kinds) if i and kind == KINDS[0]), max(len(kinds), 1))
    if kinds != [KINDS[i % every != 0] for i in range(len(kinds))]:
        raise ValueError(
            f"layer_types in config.json cannot be {kinds}: here every n-th layer is global "
            f"({KINDS[0]}), from the first, and the others are local ({KINDS[1]})."
        )
    return every


def _base(config: Mapping[str, Any], kind: str, old: str) -> float:
    """The base of the rotations in layers of one kind, as transformers 5 writes it or as it was.

    Errors: ValueError for rotations that are stretched.
    """
    usual = ModernConfig.global_base if kind == KINDS[0] else ModernConfig.local_base
    turns = setting(config, "rope_parameters", dict, {})
    if turns and not turns.keys() <= {*KINDS}:
        raise ValueError(
            f"rope_parameters in config.json must be told for {' and '.join(KINDS)}, not for "
            f"{few(sorted(turns))}."
        )
    turn = setting(turns, kind, dict, {})
    stretched = config.get("rope_scaling") or {k: v for k, v in turn.items() if k != "rope_theta"}
    if stretched and stretched != {"rope_type": "default"}:
        raise ValueError(
            f"Rotations in config.json have {stretched}: here they have a base and nothing else."
        )
    before = setting(config, old, (int, float), usual)
    return float(setting(turn, "rope_theta", (int, float), before))


def _named(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights by their published names, each once. Errors: ValueError for those of another model."""
    check_weights(state_dict)
    theirs = {unwrapped(name): value for name, value in state_dict.items()}
    if any(name.startswith(PARTS) for name in theirs):  # a ModernBertModel
        theirs = {BODY + n if n.startswith(PARTS) else n: v for n, v in theirs.items()}
    if not any(name.startswith(BLOCKS) for name in theirs):
        unknown = [name for name in theirs if TRANSLATION.our_name(name) == name]
        raise ValueError(
            f"These weights lack ModernBERT's blocks, {BLOCKS}#, and have "
            f"{few(unknown) or 'nothing else'}: they are another model's, or not all of a model's."
        )
    if not any(name.startswith(HEAD) for name in theirs):
        raise ValueError(
            "These weights are an encoder alone: the MLM head (head, decoder) is missing."
        )
    decoder = theirs.pop(DECODER, None)
    if decoder is not None and not torch.equal(theirs.setdefault(WORDS, decoder), decoder):
        raise ValueError(f"{DECODER} differs from {WORDS}: these weights are not tied.")
    return theirs
