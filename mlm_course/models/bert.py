"""BERT's published weights in our masked language model. Lesson 4.

    model, tokenizer = bert_from_hub("bert-base-uncased")   # needs a network, 440 MB, kept
    model = from_bert(theirs.state_dict(), n_heads=12)       # from a BertForMaskedLM in memory

NAMES is the whole translation: what our parts are called in BERT's files.
"""

from __future__ import annotations

import json
import queue
import re
import threading
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor

from mlm_course.corpora.hub import HubUnreachable
from mlm_course.models.encoder import EncoderConfig
from mlm_course.models.masked_lm import MaskedLM

NAMES = {
    # ours                                   BERT's
    "encoder.embeddings.token":              "bert.embeddings.word_embeddings",
    "encoder.embeddings.position":           "bert.embeddings.position_embeddings",
    "encoder.embeddings.segment":            "bert.embeddings.token_type_embeddings",
    "encoder.embeddings.norm":               "bert.embeddings.LayerNorm",
    "encoder.blocks.#.attention.query":      "bert.encoder.layer.#.attention.self.query",
    "encoder.blocks.#.attention.key":        "bert.encoder.layer.#.attention.self.key",
    "encoder.blocks.#.attention.value":      "bert.encoder.layer.#.attention.self.value",
    "encoder.blocks.#.attention.output":     "bert.encoder.layer.#.attention.output.dense",
    "encoder.blocks.#.attention_norm":       "bert.encoder.layer.#.attention.output.LayerNorm",
    "encoder.blocks.#.feed_forward.expand":  "bert.encoder.layer.#.intermediate.dense",
    "encoder.blocks.#.feed_forward.contract": "bert.encoder.layer.#.output.dense",
    "encoder.blocks.#.feed_forward_norm":    "bert.encoder.layer.#.output.LayerNorm",
    "dense":                                 "cls.predictions.transform.dense",
    "norm":                                  "cls.predictions.transform.LayerNorm",
    "decoder_bias":                          "cls.predictions.bias",
}  # fmt: skip
"""Our names and BERT's; # is a block's number, and weight or bias follows where a part has both."""

SAME_TENSOR = {
    "cls.predictions.decoder.weight": "bert.embeddings.word_embeddings.weight",
    "cls.predictions.decoder.bias": "cls.predictions.bias",
}
"""Second names of tied weights; a file may hold either name or both."""

NOT_OURS = r"bert\.pooler\..*|cls\.seq_relationship\..*|.*\.position_ids"
"""Next-sentence prediction, which we leave out, and a list of the numbers 0, 1, 2, ..."""

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
    ours = {_our_name(name): value.detach().float().clone() for name, value in theirs.items()}
    unknown = sorted(name for name in theirs if _our_name(name) == name)
    if unknown:
        raise ValueError(f"BERT has no weights called {_few(unknown)}.")
    config = _sizes(ours, n_heads, eps)
    with torch.device("meta"):
        model = MaskedLM(config)
    _check_complete(model, ours)
    model.load_state_dict(ours, assign=True)
    return model.eval()


def bert_from_hub(name: str = "bert-base-uncased") -> tuple[MaskedLM, Tokenizer]:
    """A published BERT and its tokenizer, downloaded once and kept by huggingface_hub.

    The tokenizer's special ids are BERT's own, not this course's: in bert-base-uncased [PAD] is 0,
    [UNK] 100, [CLS] 101, [SEP] 102, [MASK] 103. Ask `tokenizer.token_to_id("[MASK]")`.
    Errors: HubUnreachable without a network (unless it was downloaded before); ValueError if the
    hub has no such model, or it is no BERT with an MLM head in the usual form.
    """
    files = _download(name)
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


def _our_name(theirs: str) -> str:
    """Our name of one of BERT's weights, or the name itself if it is none."""
    for ours, bert in NAMES.items():
        pattern = re.escape(bert).replace(r"\#", r"(\d+)") + r"(\.weight|\.bias)?"
        found = re.fullmatch(pattern, theirs)
        if found:
            *number, ending = found.groups()
            return ours.replace("#", "".join(number)) + (ending or "")
    return theirs


def _sizes(ours: Mapping[str, Tensor], n_heads: int, eps: float) -> EncoderConfig:
    def size(name: str, axis: int) -> int:
        if name not in ours:
            raise ValueError(f"These weights of BERT are missing: {_few([_their_name(name)])}.")
        return ours[name].shape[axis]

    blocks = {int(name.split(".")[2]) for name in ours if name.startswith("encoder.blocks.")}
    d_model = size("encoder.embeddings.token.weight", 1)
    if d_model % n_heads:
        raise ValueError(f"{n_heads} heads cannot share {d_model} numbers evenly: check n_heads.")
    return EncoderConfig(
        vocab_size=size("encoder.embeddings.token.weight", 0),
        max_length=size("encoder.embeddings.position.weight", 0),
        d_model=d_model,
        n_layers=max(blocks, default=0) + 1,
        n_heads=n_heads,
        d_ff=size("encoder.blocks.0.feed_forward.expand.weight", 0),
        n_segments=size("encoder.embeddings.segment.weight", 0),
        pre_norm=False,
        norm_eps=eps,
    )


def _check_complete(model: MaskedLM, ours: Mapping[str, Tensor]) -> None:
    """ValueError unless every weight of the model is there, in its shape, and no other."""
    wanted = {name: value.shape for name, value in model.state_dict().items()}
    missing = [_their_name(name) for name in wanted if name not in ours]
    if missing:
        raise ValueError(f"These weights of BERT are missing: {_few(missing)}.")
    unknown = [_their_name(name) for name in ours if name not in wanted]
    if unknown:
        raise ValueError(f"BERT has no weights called {_few(unknown)}.")
    wrong = [_their_name(name) for name in wanted if ours[name].shape != wanted[name]]
    if wrong:
        raise ValueError(
            f"These weights do not have the shape that the others ask for: {_few(wrong)}."
        )


def _their_name(ours: str) -> str:
    number = "".join(re.findall(r"\.(\d+)\.", ours))
    general = re.sub(r"\.\d+\.", ".#.", ours)
    part, dot, ending = general.rpartition(".")
    name = NAMES.get(general) or NAMES.get(part, part) + dot + ending
    return name.replace("#", number)


def _few(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _download(name: str) -> dict[str, Path]:
    """The model's files on this machine: those that are there, or else the hub's."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import (
        EntryNotFoundError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    def files(local: bool) -> dict[str, Path]:
        return {f: Path(hf_hub_download(name, f, local_files_only=local)) for f in FILES}

    try:
        try:
            return files(local=True)
        except LocalEntryNotFoundError:
            _ask_hub(name)
            return files(local=False)
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise ValueError(f"The hub has no open model {name!r}: check the spelling.") from error
    except EntryNotFoundError as error:
        if isinstance(error, LocalEntryNotFoundError):  # the download broke off
            raise HubUnreachable(_unreachable(name)) from error
        raise ValueError(f"{name!r} lacks one of the files {', '.join(FILES)}.") from error
    except Exception as error:  # the network's errors have no common class
        raise HubUnreachable(_unreachable(name)) from error


def _unreachable(name: str) -> str:
    return f"{name!r} is not available: the hub cannot be reached, and it was never downloaded."


def _ask_hub(name: str, timeout: float = 5.0) -> None:
    """Nothing if the hub knows the model, else the error that one question about it ends in.

    Asked in a thread: a name server that never answers ignores every other time limit.
    """
    from huggingface_hub import HfApi

    answers: queue.Queue[Exception | None] = queue.Queue()

    def ask() -> None:
        try:
            HfApi().model_info(name, timeout=timeout)
            answers.put(None)
        except Exception as error:
            answers.put(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        error = answers.get(timeout=timeout)
    except queue.Empty:
        raise TimeoutError("the hub does not answer") from None
    if error is not None:
        raise error
