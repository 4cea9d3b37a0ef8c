"""models: our encoder against transformers' BERT and PyTorch's own layers, and models on disk."""

import json
import math
import os
import re
from functools import partial
from pathlib import Path
from unittest.mock import Mock

import numpy
import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional as F

from mlm_course import models as public
from mlm_course.hub import HubUnreachable
from mlm_course.models import (
    Encoder,
    EncoderConfig,
    MaskedLM,
    Seq2Seq,
    Seq2SeqConfig,
    StackConfig,
    TextMAEConfig,
    seeded_init,
)
from mlm_course.models import storage as store
from mlm_course.models.bert import (
    FILES,
    NAMES,
    bert_encoder_from_hub,
    bert_from_hub,
    encoder_from_bert,
    from_bert,
)
from mlm_course.models.heads import SequenceClassifier, SpanExtractor, TokenClassifier
from mlm_course.models.pretrained import load_pretrained, save_pretrained
from mlm_course.models.published import each
from mlm_course.models.storage import load_model, save_model
from mlm_course.tokenization import train_wordpiece

SMALL = EncoderConfig(vocab_size=97, max_length=16, d_model=32, n_layers=2, n_heads=4)


def randomised(model: nn.Module, seed: int = 0) -> nn.Module:
    """Every parameter random, so that a bias or a norm that is left out shows."""
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=g))
    return model.eval()


def padded_batch():
    """ids, visible (True = token), segments, hidden: (3, 12) with rows of 12, 7 and 4 tokens."""
    g = torch.Generator().manual_seed(1)
    visible = torch.arange(12) < torch.tensor([12, 7, 4])[:, None]
    ids = torch.randint(5, 97, (3, 12), generator=g).masked_fill(~visible, 0)
    masked = visible & (torch.rand(3, 12, generator=g) < 0.4)
    return ids, visible, (torch.arange(12) >= 3).long().expand(3, 12), masked


# BERT's weights


@pytest.fixture(scope="module")
def bert():
    """A small BertForPreTraining with random weights: it has all the parts of a published file."""
    transformers = pytest.importorskip("transformers")
    config = transformers.BertConfig(
        vocab_size=97,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=80,
        max_position_embeddings=20,
    )
    assert (config.layer_norm_eps, config.hidden_act) == (1e-12, "gelu")
    return randomised(transformers.BertForPreTraining(config))


def published(state: dict) -> dict:
    """The names in bert-base-uncased's file: gamma and beta, and no second name of tied weights."""
    names = {name: re.sub(r"(?<=LayerNorm\.)weight$", "gamma", name) for name in state}
    names = {name: re.sub(r"(?<=LayerNorm\.)bias$", "beta", new) for name, new in names.items()}
    state = {names[name]: value for name, value in state.items() if ".decoder." not in name}
    return {**state, "bert.embeddings.position_ids": torch.arange(20)[None]}


def with_decoder(state: dict) -> dict:
    return {
        **published(state),
        "cls.predictions.decoder.weight": state["bert.embeddings.word_embeddings.weight"],
    }


def only_second_names(state: dict) -> dict:
    return {k: v for k, v in state.items() if "word_emb" not in k and k != "cls.predictions.bias"}


def without_next_sentence(state: dict) -> dict:
    """As BertForMaskedLM has them."""
    return {k: v for k, v in state.items() if "pooler" not in k and "seq_relationship" not in k}


@pytest.mark.parametrize(
    "naming", [dict, without_next_sentence, published, with_decoder, only_second_names]
)
@torch.no_grad()
def test_logits_equal_those_of_transformers(bert, naming):
    ids, visible, segments, masked = padded_batch()
    theirs = bert(ids, visible.long(), segments).prediction_logits
    model = from_bert(naming(bert.state_dict()), n_heads=4)
    ours = model(ids, visible, segments=segments)
    assert (ours - theirs)[visible].abs().max() < 1e-5
    assert (model(ids, visible, masked, segments=segments) - theirs[masked]).abs().max() < 1e-5
    assert (model(ids, visible) - theirs)[visible].abs().max() > 1e-2  # segments count


@torch.no_grad()
def test_without_segments_every_token_is_in_the_first(bert):
    ids, visible, _, _ = padded_batch()
    theirs = bert(ids, visible.long()).prediction_logits
    ours = from_bert(bert.state_dict(), n_heads=4)(ids, visible)
    assert (ours - theirs)[visible].abs().max() < 1e-5


def test_sizes_are_read_off_the_shapes(bert):
    model = from_bert(bert.state_dict(), n_heads=4)
    stack = {"d_model": 32, "n_layers": 2, "n_heads": 4, "d_ff": 80, "norm_eps": 1e-12}
    assert model.config == EncoderConfig(97, 20, n_segments=2, pre_norm=False, **stack)
    assert not model.training and all(p.requires_grad for p in model.parameters())


def test_the_weights_are_copied_and_tied(bert):
    state = bert.state_dict()
    model = from_bert(state, n_heads=4)
    before = state["bert.embeddings.word_embeddings.weight"].clone()
    with torch.no_grad():
        model.encoder.embeddings.token.weight.zero_()
    assert torch.equal(state["bert.embeddings.word_embeddings.weight"], before)
    logits = model(torch.tensor([[5, 6]]))
    assert torch.equal(logits[0, 0], model.decoder_bias)  # the decoder is the embedding: zeros


def test_every_name_in_the_table_is_a_part_of_both(bert):
    ours = {re.sub(r"\.\d+\.", ".#.", n) for n in from_bert(bert.state_dict(), 4).state_dict()}
    theirs = {re.sub(r"\.\d+\.", ".#.", n) for n in bert.state_dict()}
    for our_name, their_name in NAMES.items():
        assert {our_name, f"{our_name}.weight"} & ours
        for part in each(their_name):
            assert {part, f"{part}.weight"} & theirs


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda s: [s.pop("cls.predictions.bias"), s.pop("cls.predictions.decoder.bias")],
         "These weights of BERT are missing: cls.predictions.bias."),
        (lambda s: s.pop("bert.encoder.layer.1.attention.self.key.weight"),
         "These weights of BERT are missing: bert.encoder.layer.1.attention.self.key.weight."),
        (lambda s: s.pop("bert.embeddings.position_embeddings.weight"),
         "These weights of BERT are missing: bert.embeddings.position_embeddings.weight."),
        (lambda s: s.update({"bert.embeddings.colour": torch.zeros(1)}),
         "BERT has no weights called bert.embeddings.colour."),
        (lambda s: s.update({"bert.embeddings.LayerNorm": torch.zeros(1)}),
         "BERT has no weights called bert.embeddings.LayerNorm."),
        (lambda s: s.update({"cls.predictions.transform.dense.bias": torch.zeros(3)}),
         "These weights do not have the shape that the others ask for: "
         "cls.predictions.transform.dense.bias."),
        (lambda s: s.update({"bert.embeddings.LayerNorm.bias": torch.zeros(32).char()}),
         "bert.embeddings.LayerNorm.bias must hold floating-point numbers, not torch.int8: take the "
         "weights from before they were quantized."),
        (lambda s: s.update({"bert.encoder.layer.0.attention.self.value.bias": torch.zeros(3)}),
         "These weights do not all have the same shape: "
         + ", ".join(f"bert.encoder.layer.0.attention.self.{part}.bias"
                     for part in ("query", "key", "value")) + "."),
        (lambda s: s.update({"cls.predictions.decoder.weight": torch.zeros(97, 32)}),
         "cls.predictions.decoder.weight differs from bert.embeddings.word_embeddings.weight: "
         "these weights are not tied."),
    ],
)  # fmt: skip
def test_other_weights_end_in_one_sentence(bert, change, sentence):
    state = dict(bert.state_dict())
    change(state)
    with pytest.raises(ValueError) as error:
        from_bert(state, n_heads=4)
    assert str(error.value) == sentence


def test_many_missing_names_are_cut_short_and_heads_must_divide(bert):
    last = "cls.predictions.bias"
    state = {k: v for k, v in bert.state_dict().items() if k == last or not k.startswith("cls")}
    with pytest.raises(ValueError, match=r"missing: cls\S+, cls\S+, cls\S+ and 1 more\.$"):
        from_bert(state, n_heads=4)
    with pytest.raises(ValueError, match="3 heads cannot share 32 numbers"):
        from_bert(bert.state_dict(), n_heads=3)


@pytest.mark.parametrize("offline", [True, False])
def test_no_hub(offline, monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", offline)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(HubUnreachable, match=r"'bert-base-uncased' is not available: .*the hub"):
        bert_from_hub()
    with pytest.raises(ValueError, match="no open model 'a name', and there is no such folder"):
        bert_from_hub("a name")


@torch.no_grad()
def test_a_downloaded_bert_needs_no_hub(bert, monkeypatch, tmp_path):
    """The files that a hub would give, from this machine: config, tokenizer, published names."""
    from tokenizers import Tokenizer, models

    words = {"[PAD]": 0, "[UNK]": 90, "[CLS]": 91, "[SEP]": 92, "[MASK]": 93, "hello": 94}
    bert.config.to_json_file(tmp_path / "config.json")
    Tokenizer(models.WordPiece(words, unk_token="[UNK]")).save(str(tmp_path / "tokenizer.json"))
    save_file(
        {k: v.clone() for k, v in published(bert.state_dict()).items()},
        tmp_path / "model.safetensors",
    )
    monkeypatch.setattr("huggingface_hub.hf_hub_download", lambda _, file, **__: tmp_path / file)
    model, tokenizer = bert_from_hub("me/bert")
    assert tokenizer.token_to_id("[MASK]") == 93
    ids, visible, segments, _ = padded_batch()
    theirs = bert(ids, visible.long(), segments).prediction_logits
    assert (model(ids, visible, segments=segments) - theirs)[visible].abs().max() < 1e-5
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    with pytest.raises(ValueError, match="has model_type 'gpt2', not 'bert': it cannot be loaded"):
        bert_from_hub("me/bert")


@pytest.fixture
def folder(bert, tmp_path, monkeypatch):
    """A BERT's three files in a folder "mine" of the working directory, and no hub."""
    from tokenizers import Tokenizer, models

    monkeypatch.setattr("huggingface_hub.hf_hub_download", lambda *_, **__: pytest.fail("asked"))
    monkeypatch.setattr("huggingface_hub.HfApi.model_info", lambda *_, **__: pytest.fail("asked"))
    monkeypatch.chdir(tmp_path)
    mine = tmp_path / "mine"
    mine.mkdir()
    bert.config.to_json_file(mine / "config.json")
    Tokenizer(models.WordPiece({"[UNK]": 0}, unk_token="[UNK]")).save(str(mine / "tokenizer.json"))
    save_file({k: v.clone() for k, v in bert.state_dict().items()}, mine / "model.safetensors")
    return mine


@pytest.mark.parametrize("written", ["mine", "mine/", "./mine", "{}", Path("mine")])
def test_a_folder_is_not_taken_for_a_name_on_the_hub(folder, written):
    name = written if isinstance(written, Path) else written.format(folder)
    model, _ = bert_from_hub(name)
    assert model.config.d_model == 32


def test_settings_that_are_null_are_the_usual_ones(bert, folder):
    config = json.loads((folder / "config.json").read_text())
    config |= {"is_decoder": None, "position_embedding_type": None, "add_cross_attention": False}
    (folder / "config.json").write_text(json.dumps(config))
    assert bert_encoder_from_hub(folder)[0].config.d_model == 32


def test_a_published_tokenizer_neither_cuts_nor_pads(folder):
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(4)
    tokenizer.enable_padding(length=8)
    tokenizer.save(str(folder / "tokenizer.json"))
    for load in (bert_from_hub, bert_encoder_from_hub):
        _, tokenizer = load(folder)
        assert tokenizer.truncation is None and tokenizer.padding is None


@pytest.mark.parametrize(
    "written", ["./none", "none/", "/none/there", "~/none", "..", "C:\\none", "a\\none", "a/b/c"]
)
def test_a_missing_folder_is_said_to_be_missing(folder, written):
    with pytest.raises(FileNotFoundError, match=r"There is no folder|lacks config\.json"):
        bert_from_hub(written)


@pytest.mark.parametrize(
    ("file", "content", "sentence"),
    [
        ("config.json", "{", "config.json is damaged or not JSON"),
        ("config.json", "[]", "is no table of settings"),
        ("config.json", "\ufeff{}", "lacks model_type, which has to be 'bert'"),
        ("config.json", '{"model_type": "bert"}', "lacks hidden_act, which has to be 'gelu'"),
        ("config.json", '{"model_type": "bert", "hidden_act": "gelu"}', "lacks num_attention_heads"),
        ("config.json", '{"model_type": "bert", "hidden_act": "gelu", "num_attention_heads": "4"}',
         "num_attention_heads in config.json cannot be '4'"),
        ("config.json", '{"model_type": "roberta"}', "has model_type 'roberta', not 'bert'"),
        ("config.json", '{"model_type": "bert", "hidden_act": "relu"}', "has hidden_act 'relu'"),
        ("config.json", '{"model_type": "bert", "hidden_act": "gelu", "is_decoder": true}',
         "has is_decoder True, not False: it cannot be loaded"),
        ("config.json", '{"model_type": "bert", "hidden_act": "gelu", '
         '"position_embedding_type": "relative_key"}', "has position_embedding_type 'relative_key'"),
        ("tokenizer.json", "{}", "tokenizer.json holds no tokenizer, or a damaged one"),
        ("model.safetensors", "PK pickled", "model.safetensors is damaged or no safetensors file"),
        ("model.safetensors", "", "model.safetensors is damaged or no safetensors file"),
    ],
)  # fmt: skip
def test_damaged_files_of_a_published_model_end_in_one_sentence(folder, file, content, sentence):
    (folder / file).write_text(content)
    with pytest.raises(ValueError, match=sentence):
        bert_from_hub(folder)
    (folder / file).unlink()
    with pytest.raises(FileNotFoundError, match=f"lacks {file}"):
        bert_from_hub(folder)


# An encoder without a head


def bare(state: dict) -> dict:
    """The names in a file of a BertModel: no "bert." in front, and no MLM head."""
    return {k.removeprefix("bert."): v for k, v in state.items() if k.startswith("bert.")}


def with_extras(state: dict) -> dict:
    """What published encoders bring besides."""
    extra = {"embeddings.position_ids": torch.arange(20), "pooler.dense.bias": torch.zeros(32)}
    return published(bare(state)) | extra


def with_classifier(state: dict) -> dict:
    return {**state, "classifier.weight": torch.zeros(2, 32)}


def wrapped(prefix: str):
    """As DistributedDataParallel and torch.compile name the weights of what they hold."""
    return lambda state: {prefix + name: value for name, value in state.items()}


NAMINGS = [
    *(dict, published, bare, with_extras, with_classifier),
    *(wrapped("module."), wrapped("_orig_mod."), wrapped("module._orig_mod.")),
    lambda state: wrapped("module.")(with_extras(state)),
]


@pytest.mark.parametrize("naming", NAMINGS)
@torch.no_grad()
def test_an_encoder_of_bert_equals_that_of_transformers(bert, naming):
    ids, visible, segments, _ = padded_batch()
    encoder = encoder_from_bert(naming(bert.state_dict()), n_heads=4)
    theirs = bert.bert(ids, visible.long(), segments).last_hidden_state
    assert (encoder(ids, visible, segments=segments) - theirs)[visible].abs().max() < 1e-5
    assert isinstance(encoder, Encoder) and not encoder.training


def test_an_encoder_file_in_a_folder(bert, folder):
    save_file({k: v.clone() for k, v in bare(bert.state_dict()).items()}, folder / FILES[2])
    assert isinstance(bert_encoder_from_hub("mine")[0], Encoder)
    with pytest.raises(ValueError, match=r"are an encoder alone: .* encoder_from_bert loads them"):
        bert_from_hub("mine")


@torch.no_grad()
def test_an_encoder_of_bert_is_saved_and_loaded(bert, tmp_path):
    ids, visible, segments, _ = padded_batch()
    encoder = encoder_from_bert(bare(bert.state_dict()), n_heads=4)
    save_model(encoder, tmp_path / "bert.safetensors")
    again = load_model(tmp_path / "bert.safetensors")
    assert isinstance(again, Encoder) and again.config == encoder.config
    before = encoder(ids, visible, segments=segments)
    assert torch.equal(again(ids, visible, segments=segments), before)


def test_a_masked_lm_out_of_a_wrapper(bert):
    model = from_bert(wrapped("module._orig_mod.")(published(bert.state_dict())), n_heads=4)
    assert torch.equal(model.decoder_bias, bert.state_dict()["cls.predictions.bias"])


OTHERS = {
    "RobertaModel": "have 1 segment and 514 positions, as a RoBERTa's, which counts positions from 2",
    "RobertaForMaskedLM": "begin with 'roberta.', those of a BERT with 'bert.' or with nothing",
    "DistilBertModel": "lack BERT's blocks, bert.encoder.layer.#, and have transformer.layer.0.",
    "DistilBertForMaskedLM": "begin with 'distilbert.', those of a BERT with 'bert.' or with",
    "AlbertModel": "lack BERT's blocks, bert.encoder.layer.#, and have bert.encoder.embedding_h",
}


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize("load", [from_bert, encoder_from_bert])
def test_weights_of_another_model_are_said_to_be(kind, load):
    transformers = pytest.importorskip("transformers")
    sizes = {"vocab_size": 31, "hidden_size": 8, "dim": 8, "intermediate_size": 12, "n_heads": 2,
             "hidden_dim": 12, "n_layers": 1, "num_hidden_layers": 1, "num_attention_heads": 2,
             "max_position_embeddings": 514, "type_vocab_size": 1}  # fmt: skip
    model = getattr(transformers, kind)
    with pytest.raises(ValueError, match=re.escape(OTHERS[kind])):
        load(model(model.config_class(**sizes)).state_dict(), n_heads=2)


@pytest.mark.parametrize("prefix", ["model.", "module.model.", "encoder."])
@pytest.mark.parametrize("load", [from_bert, encoder_from_bert])
def test_a_wrong_prefix_is_named(bert, prefix, load):
    inner = prefix.removeprefix("module.")
    sentence = f"begin with '{inner}bert.', those of a BERT with 'bert.'"
    with pytest.raises(ValueError, match=sentence):
        load(wrapped(prefix)(bert.state_dict()), n_heads=4)


@pytest.mark.parametrize("load", [from_bert, encoder_from_bert])
def test_what_is_no_dict_of_tensors(bert, load):
    with pytest.raises(TypeError, match=r"such as model\.state_dict\(\), not BertFor"):
        load(bert, n_heads=4)
    with pytest.raises(TypeError, match="a must be a tensor, not ndarray"):
        load({"a": numpy.zeros(3)}, n_heads=4)
    with pytest.raises(TypeError, match="n_heads must be an integer, not '4'"):
        load(bert.state_dict(), n_heads="4")


# The encoder against PyTorch's


def copied_to_torch(encoder: Encoder) -> nn.TransformerEncoder:
    """PyTorch's pre-norm encoder with the weights of ours."""
    c = encoder.config
    layer = nn.TransformerEncoderLayer(
        c.d_model, c.n_heads, c.d_ff, 0.0, F.gelu, c.norm_eps, batch_first=True, norm_first=True
    )
    final = nn.LayerNorm(c.d_model, c.norm_eps)
    theirs = nn.TransformerEncoder(layer, c.n_layers, final, enable_nested_tensor=False)
    for block, target in zip(encoder.blocks, theirs.layers, strict=True):
        for kind in ("weight", "bias"):
            stacked = getattr(block.attention.qkv, kind).detach()
            getattr(target.self_attn, f"in_proj_{kind}").data = stacked.clone()
        for one, other in [
            (target.self_attn.out_proj, block.attention.output),
            (target.linear1, block.feed_forward.expand),
            (target.linear2, block.feed_forward.contract),
            (target.norm1, block.attention_norm),
            (target.norm2, block.feed_forward_norm),
        ]:
            one.load_state_dict(other.state_dict())
    final.load_state_dict(encoder.final_norm.state_dict())
    theirs.norm.load_state_dict(encoder.final_norm.state_dict())
    return theirs.eval()


@torch.no_grad()
def test_pre_norm_equals_pytorchs_encoder():
    ids, visible, _, _ = padded_batch()
    encoder = randomised(Encoder(SMALL))
    theirs = copied_to_torch(encoder)
    embedded = encoder.embeddings(ids)
    expected = theirs(embedded, src_key_padding_mask=~visible)
    assert (encoder(ids, visible) - expected)[visible].abs().max() < 1e-5


@pytest.mark.parametrize("pre_norm", [True, False])
@torch.no_grad()
def test_asking_for_weights_changes_nothing(pre_norm):
    ids, visible, _, _ = padded_batch()
    config = EncoderConfig(97, 16, d_model=32, n_layers=2, n_heads=4, pre_norm=pre_norm)
    encoder = randomised(Encoder(config))
    x, weights = encoder(ids, visible, return_weights=True)
    assert (x - encoder(ids, visible)).abs().max() < 1e-5
    assert [w.shape for w in weights] == [(3, 4, 12, 12)] * 2
    assert torch.allclose(weights[0].sum(-1), torch.ones(3, 4, 12))
    assert weights[0].masked_select(~visible[:, None, None, :]).max() == 0


@pytest.mark.parametrize("pre_norm", [True, False])
@torch.no_grad()
def test_padding_has_no_influence(pre_norm):
    ids, visible, _, _ = padded_batch()
    encoder = randomised(
        Encoder(EncoderConfig(97, 16, d_model=32, n_layers=2, n_heads=4, pre_norm=pre_norm))
    )
    x = encoder(ids, visible)
    assert torch.allclose(encoder(ids[1:2, :7])[0], x[1, :7], atol=1e-5)
    other = ids.masked_fill(~visible, 50)
    assert torch.equal(encoder(other, visible)[visible], x[visible])
    assert not torch.allclose(encoder(ids)[1, :7], x[1, :7], atol=1e-3)  # unless it is visible


@torch.no_grad()
def test_a_mask_of_four_axes_is_taken_as_it_is():
    ids, visible, _, _ = padded_batch()
    encoder = randomised(Encoder(SMALL))
    assert torch.equal(encoder(ids, visible), encoder(ids, visible[:, None, None, :]))


@torch.no_grad()
def test_positions_can_be_given():
    ids, visible, _, _ = padded_batch()
    encoder = randomised(Encoder(SMALL))
    order = torch.tensor([3, 1, 2, 0, *range(4, 12)])
    swapped = encoder(ids[:, order], visible[:, order], positions=order)
    assert torch.allclose(swapped, encoder(ids, visible)[:, order], atol=1e-5)
    assert not torch.allclose(encoder(ids[:, order]), encoder(ids)[:, order], atol=1e-3)


def test_rows_that_are_too_long_end_in_one_sentence():
    with pytest.raises(
        ValueError, match="rows have 17 tokens, but the model knows positions for 1"
    ):
        Encoder(SMALL)(torch.zeros(1, 17, dtype=torch.long))


@pytest.mark.parametrize("name", ["vocab_size", "max_length", "d_model", "n_layers", "n_heads"])
def test_sizes_below_one_end_in_one_sentence(name):
    with pytest.raises(ValueError, match=f"{name} must be at least 1, not 0"):
        EncoderConfig(**{"vocab_size": 9, name: 0})


def test_biases_can_be_left_out():
    with_bias, without = (
        Encoder(EncoderConfig(97, 16, d_model=32, n_layers=2, n_heads=4, bias=b))
        for b in (True, False)
    )
    left_out = {n for n, _ in with_bias.named_parameters()} - {
        n for n, _ in without.named_parameters()
    }
    assert len(left_out) == 2 * 4 and all(
        name.endswith("bias") and "norm" not in name for name in left_out
    )


def test_weights_begin_small():
    torch.manual_seed(0)
    for name, parameter in MaskedLM(EncoderConfig(2000, d_model=96)).named_parameters():
        if parameter.ndim == 2:
            assert abs(parameter.std() - 0.02) < 1e-3, name
        elif name.endswith("bias"):
            assert not parameter.any(), name


# The masked language model


@torch.no_grad()
def test_logits_at_hidden_places_are_those_of_the_whole():
    ids, visible, _, masked = padded_batch()
    model = randomised(MaskedLM(SMALL))
    few, all_logits = model(ids, visible, masked), model(ids, visible)
    assert few.shape == (int(masked.sum()), 97) and all_logits.shape == (3, 12, 97)
    assert torch.allclose(few, all_logits[masked], atol=1e-5)
    assert model(ids, visible, torch.zeros_like(masked)).shape == (0, 97)


def test_the_decoder_is_the_token_embedding():
    model = MaskedLM(SMALL)
    assert not [name for name, _ in model.named_parameters() if "decoder.weight" in name]
    token = model.encoder.embeddings.token.weight
    model.logits(torch.randn(4, 32)).sum().backward()  # no embedding was looked up
    assert token.grad is not None and (token.grad.abs().sum(1) > 0).all()


@pytest.mark.parametrize("pre_norm", [True, False])
@torch.no_grad()
def test_dropout_only_while_training(pre_norm):
    ids, visible, _, _ = padded_batch()
    torch.manual_seed(0)
    model = MaskedLM(
        EncoderConfig(97, 16, d_model=32, n_layers=2, n_heads=4, pre_norm=pre_norm, dropout=0.3)
    )
    same = MaskedLM(EncoderConfig(97, 16, d_model=32, n_layers=2, n_heads=4, pre_norm=pre_norm))
    same.load_state_dict(model.state_dict())
    model.train()
    assert not torch.allclose(model(ids, visible), model(ids, visible))
    model.eval()
    assert torch.equal(model(ids, visible), same.train()(ids, visible))


# What is refused: each of these was answered wrongly, or by a library

TWO = torch.tensor([[5, 6, 7], [8, 9, 0]])
MASKED = torch.tensor([[True, False, True], [False, True, False]])


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (lambda m: m(TWO, None, MASKED.long()), TypeError,
         "masked must be a tensor of dtype torch.bool, not torch.int64: write masked == 1"),
        (lambda m: m(TWO, None, MASKED[:1]), ValueError, "masked has shape (1, 3), but ids has (2, 3)"),
        (lambda m: m(TWO, segments=torch.zeros_like(TWO)), ValueError,
         "This model has no segments (n_segments=0): leave them out."),
        (lambda m: m(TWO + 90), ValueError, "ids contains 99, but the vocabulary ends at 96"),
        (lambda m: m(TWO - 1), ValueError, "ids contains -1: token ids start at 0"),
        (lambda m: m(TWO.float()), TypeError, "ids must hold integers (torch.int64), not torch.float32."),
        (lambda m: m(TWO > 5), TypeError, "ids must hold integers (torch.int64), not torch.bool."),
        (lambda m: m(TWO[0]), ValueError, "ids must have shape (B, T), not (3,): a single row becomes"),
        (lambda m: m(TWO.tolist()), TypeError, "ids must be a tensor, not list."),
        (lambda m: m.encoder(TWO, positions=torch.tensor([0, 1, 16])), ValueError,
         "positions must lie between 0 and 15, not 0 and 16."),
        (lambda m: m.encoder(TWO, positions=torch.tensor([0, -1, 2])), ValueError, "not -1 and 2."),
        (lambda m: m.encoder(TWO, positions=torch.tensor([0.0, 1, 2])), TypeError, "positions must hold"),
        (lambda m: m.encoder(TWO, positions=torch.arange(2)), ValueError,
         "positions must have shape (T,) or (B, T) = (2, 3), not (2,)."),
        (lambda m: m.logits(torch.zeros(2, 31)), ValueError, "x must have 32 numbers a vector, not 31"),
        (lambda m: m.logits(torch.zeros(2, 32).double()), TypeError,
         "x holds torch.float64, but the weights are torch.float32: write x.to(torch.float32)."),
        (lambda m: MaskedLM({"vocab_size": 3}), TypeError, "config must be of type EncoderConfig, not"),
        (lambda m: seeded_init(EncoderConfig, 3, "0"), TypeError, "seed must be an integer, not '0'."),
    ],
)  # fmt: skip
def test_what_a_model_would_misread_ends_in_a_sentence(call, error, sentence):
    with pytest.raises(error) as caught:
        call(MaskedLM(SMALL))
    assert sentence in str(caught.value)


def test_segments_have_a_row_in_their_table():
    model = Encoder(EncoderConfig(97, 16, n_segments=2, d_model=8, n_layers=1, n_heads=2))
    with pytest.raises(ValueError, match="segments must lie between 0 and 1, not 2 and 2"):
        model(TWO, segments=torch.full_like(TWO, 2))
    assert model(TWO, segments=torch.tensor([0, 1, 1])).shape == (2, 3, 8)


@pytest.mark.parametrize(
    "kind", [StackConfig, partial(EncoderConfig, 9), partial(TextMAEConfig, 9)]
)
@pytest.mark.parametrize(
    "sizes",
    [{"dropout": -1}, {"dropout": 1.5}, {"dropout": math.nan}, {"dropout": True}, {"dropout": ".1"},
     {"n_heads": 3}, {"n_heads": 0}, {"n_heads": 2.0}, {"n_layers": True}, {"d_model": "8"},
     {"d_ff": -1}, {"d_ff": 2.5}, {"norm_eps": 0}, {"norm_eps": math.inf}, {"pre_norm": 1},
     {"bias": "yes"}],
)  # fmt: skip
def test_sizes_that_make_no_stack_end_in_a_sentence(kind, sizes):
    with pytest.raises((TypeError, ValueError), match=r"(must be|cannot be split) .+\.$"):
        kind(**sizes)


@pytest.mark.parametrize(
    "sizes",
    [{"vocab_size": 0}, {"max_length": 2.5}, {"n_segments": -1}, {"embedding_std": 0},
     {"max_target": 0}, {"decoder_layers": 0}, {"causal": "no"}],
)  # fmt: skip
def test_sizes_that_make_no_encoder_end_in_a_sentence(sizes):
    with pytest.raises((TypeError, ValueError), match=r"must be .+\.$"):
        Seq2SeqConfig(**{"vocab_size": 9, **sizes})


def test_pairs_are_pairs():
    model = Seq2Seq(Seq2SeqConfig(30, 8, d_model=8, n_layers=1, n_heads=2))
    for source, target, sentence in (
        (TWO, TWO[:1], "There are 2 sources, but 1 targets."),
        (TWO + 40, TWO, "source contains 49, but the vocabulary ends at 29"),
        (TWO, TWO + 40, "target contains 49"),
        (TWO[:, :0], TWO, "source has no tokens"),
    ):
        with pytest.raises(ValueError, match=sentence):
            model(source, target, target > 5)
    with pytest.raises(TypeError, match="asked must be a tensor of dtype"):
        model(TWO, TWO, MASKED.long())
    with pytest.raises(TypeError, match="memory is what `encode` returns"):
        model.decode(torch.zeros(2, 3, 8), TWO)


def test_a_square_source_with_padding_is_read_as_padding():
    """B = S, and [PAD] too where a token stands: what the encoder sees is settled by the ids."""
    model = Seq2Seq(Seq2SeqConfig(30, 8, d_model=8, n_layers=1, n_heads=2)).eval()
    source = torch.tensor([[2, 5, 0], [2, 0, 7], [2, 8, 9]])
    together = model.encode(source).vectors
    assert torch.allclose(together[1:2], model.encode(source[1:2]).vectors, atol=1e-6)


# On disk


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 0), (torch.float16, 2e-2)])
@torch.no_grad()
def test_a_saved_model_comes_back(tmp_path, dtype, tolerance):
    ids, visible, _, masked = padded_batch()
    model, path = randomised(MaskedLM(SMALL)), tmp_path / "model.safetensors"
    save_model(model, path, dtype)
    again = load_model(path)
    assert (again.config, again.training) == (SMALL, False)
    assert {p.dtype for p in again.parameters()} == {torch.float32}
    difference = (again(ids, visible, masked) - model(ids, visible, masked)).abs().max()
    assert difference <= tolerance
    assert [p.name for p in tmp_path.iterdir()] == ["model.safetensors"]


def test_half_precision_halves_the_file(tmp_path):
    sizes = []
    for dtype in (torch.float32, torch.float16):
        save_model(MaskedLM(SMALL), tmp_path / "m", dtype)
        sizes.append((tmp_path / "m").stat().st_size)
    assert 0.45 < sizes[1] / sizes[0] < 0.6


def test_an_interrupted_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "model.safetensors"
    save_model(MaskedLM(SMALL), path)
    before = path.read_bytes()

    def breaks(weights, unfinished, metadata):
        unfinished.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr("mlm_course.models.storage.save_file", breaks)
    with pytest.raises(OSError):
        save_model(MaskedLM(SMALL), path)
    assert path.read_bytes() == before


def damaged(path):
    save_model(MaskedLM(SMALL), path)
    path.write_bytes(path.read_bytes()[:-50])


def foreign(path):
    save_file({"weight": torch.zeros(3)}, path)


def other_version(path):
    save_model(MaskedLM(SMALL), path)
    about = {"model": "MaskedLM", "config": '{"vocab_size": 97, "wings": 2}'}
    save_file(load_file(path), path, metadata=about)


def with_config(config, model="MaskedLM"):
    """What spoils a file: other sizes, or another class, than its weights have."""

    def spoil(path):
        about = {"model": model, "config": config}
        save_file({"decoder_bias": torch.zeros(3)}, path, metadata=about)

    return spoil


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda path: path.write_text("not a model"), "is damaged or no model file"),
        (lambda path: path.write_bytes(b""), "is damaged or no model file"),
        (lambda path: torch.save({"weight": torch.zeros(3)}, path), "is damaged or no model file"),
        (lambda path: path.mkdir(), "is a folder: name a file in it"),
        (damaged, "is damaged or no model file"),
        (foreign, "was not written by this course's save_model"),
        (other_version, "does not fit this version of the course"),
        (with_config('{"vocab_size": 97}'), "its weights have other names or sizes"),
        (with_config('{"vocab_size": 97}', "TextMAE"), "its weights have other names or sizes"),
        (with_config("{"), "does not fit this version of the course"),
        (with_config("[1]"), "does not fit this version of the course"),
        (with_config("{}"), "missing 1 required"),
        (with_config('{"vocab_size": "97"}'), "does not fit this version of the course"),
        (with_config('{"vocab_size": 97, "n_heads": 0}'), "n_heads must be at least 1"),
        (with_config('{"vocab_size": 9, "decoder": 3}', "TextMAE"), "does not fit this version"),
        (with_config('{"n_outputs": 2}', "TokenClassifier"), "does not fit this version"),
    ],
)
def test_other_files_end_in_one_sentence(tmp_path, spoil, sentence):
    path = tmp_path / "model.safetensors"
    spoil(path)
    with pytest.raises((ValueError, IsADirectoryError), match=sentence) as error:
        load_model(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value).strip()


def small_models() -> list[nn.Module]:
    """One of each class that a lesson may want to keep."""
    small = {"d_model": 8, "n_layers": 1, "n_heads": 2}
    config, encoder = EncoderConfig(9, 6, **small), Encoder(EncoderConfig(9, 6, **small))
    stack = public.StackConfig(**small)
    return [
        encoder,
        public.BlockStack(stack),
        MaskedLM(config),
        public.ImageMAE(public.ImageMAEConfig(encoder=stack, decoder=stack)),
        public.TextMAE(public.TextMAEConfig(9, 6, decoder=stack, **small)),
        public.RetroMAE(config),
        public.ModernEncoder(public.ModernConfig(9, **small)),
        public.ModernMaskedLM(public.ModernConfig(9, rotary=False, window=4, unpad=False, **small)),
        public.Seq2Seq(public.Seq2SeqConfig(9, 6, **small)),
        SequenceClassifier(encoder, 3),
        TokenClassifier(encoder, 3, frozen=True),
        SpanExtractor(encoder),
    ]


def same_weights(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.state_dict().items(), other.state_dict().items(), strict=True)
    return all(a == b and torch.equal(x, y) for (a, x), (b, y) in pairs)


@pytest.mark.parametrize("model", small_models(), ids=lambda model: type(model).__name__)
def test_every_kind_of_model_comes_back(model, tmp_path, monkeypatch):
    path = tmp_path / "new" / "folder" / "model.safetensors"
    save_model(model, path)
    again = load_model(path)
    assert type(again) is type(model) and same_weights(again, model) and not again.training
    kept = [p.requires_grad for p in again.parameters()]
    assert kept == [p.requires_grad for p in model.parameters()]
    monkeypatch.setattr("mlm_course.models.pretrained.CHECKPOINTS", tmp_path)
    save_pretrained("mine", model, ["a", "b"])
    again, words = load_pretrained("mine")
    assert type(again) is type(model) and words == ("a", "b")


def test_every_public_model_can_be_saved():
    classes = {getattr(public, name) for name in public.__all__}
    models = {c for c in classes if isinstance(c, type) and issubclass(c, nn.Module)}
    saved = {kind for kind, _ in store._KINDS.values()} | set(store._HEADS.values())
    assert models <= saved == {type(model) for model in small_models()}


@pytest.mark.parametrize(
    "wrap",
    [
        nn.DataParallel,
        pytest.param(torch.compile, marks=pytest.mark.slow),
        pytest.param(lambda m: nn.DataParallel(torch.compile(m)), marks=pytest.mark.slow),
    ],
    ids=["DataParallel", "compile", "both"],
)
def test_wrapped_models_are_unwrapped(wrap, tmp_path):
    model = MaskedLM(SMALL)
    save_model(wrap(model), tmp_path / "m")
    assert same_weights(load_model(tmp_path / "m"), model)


def pruned(model):
    from torch.nn.utils import prune

    prune.random_unstructured(model.dense, "weight", 0.5)
    return model


def too_large(model):
    with torch.no_grad():
        model.decoder_bias[0] = 1e6
    return model


class MyMaskedLM(MaskedLM):
    """A learner's own model, which the course could not build again."""


@pytest.mark.parametrize(
    ("model", "error", "sentence"),
    [
        (pruned(MaskedLM(SMALL)), ValueError, "other names than the model's own"),
        (too_large(MaskedLM(SMALL)), ValueError, "decoder_bias holds numbers that are too large"),
        (MyMaskedLM(SMALL), TypeError, "can be saved, not MyMaskedLM"),
        (nn.Linear(2, 2), TypeError, r"Only .*MaskedLM, .+ can be saved, not Linear"),
        (type("Encoder", (nn.Linear,), {})(2, 2), TypeError, "can be saved, not Encoder"),
    ],
    ids=["pruned", "too large", "subclass", "Linear", "another Encoder"],
)
def test_what_could_not_be_loaded_is_not_saved(model, error, sentence, tmp_path):
    with pytest.raises(error, match=sentence):
        save_model(model, tmp_path / "m", torch.float16)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_a_pipe_or_device_is_never_replaced_by_a_model(tmp_path):
    os.mkfifo(pipe := tmp_path / "pipe")
    for use in (lambda: save_model(MaskedLM(SMALL), pipe), lambda: load_model(pipe)):
        with pytest.raises(OSError, match="is a device or pipe"):
            use()
    assert pipe.is_fifo() and list(tmp_path.iterdir()) == [pipe]


@pytest.mark.parametrize("dtype", [torch.int8, torch.bool, "float16"])
def test_weights_lose_no_fractions(tmp_path, dtype):
    with pytest.raises(TypeError, match="dtype must be one of fractions"):
        save_model(MaskedLM(SMALL), tmp_path / "m", dtype)
    assert not list(tmp_path.iterdir())


def test_a_model_is_saved_to_a_path(tmp_path):
    for path in (None, 3, "", MaskedLM(SMALL)):
        with pytest.raises(TypeError, match=r"path must name a file, such as model\.safetensors"):
            save_model(MaskedLM(SMALL), path)
        with pytest.raises(TypeError, match="path must name a file"):
            load_model(path)


def test_weights_that_share_memory_are_saved(tmp_path):
    model = MaskedLM(SMALL)
    model.norm.bias = model.dense.bias
    save_model(model, tmp_path / "m")
    assert same_weights(load_model(tmp_path / "m"), model)


def test_a_place_where_no_file_can_be(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    with pytest.raises(IsADirectoryError, match="is a folder: name a file in it"):
        save_model(MaskedLM(SMALL), tmp_path)
    with pytest.raises(OSError):
        save_model(MaskedLM(SMALL), tmp_path / "file" / "m")
    full = SafetensorError("Error while serializing: No space left on device (os error 28)")
    monkeypatch.setattr(store, "save_file", Mock(side_effect=full))
    with pytest.raises(OSError, match=r"m could not be written: .*No space left"):
        save_model(MaskedLM(SMALL), tmp_path / "m")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_names_and_vocabularies_of_pretrained_models(tmp_path, monkeypatch):
    monkeypatch.setattr("mlm_course.models.pretrained.CHECKPOINTS", tmp_path)
    model, tokenizer = MaskedLM(SMALL), train_wordpiece(["one text"], 50)
    for name in ("", "../mine", "a/b", "."):
        with pytest.raises(ValueError, match="letters, digits and underscores"):
            save_pretrained(name, model, ["a"])
    with pytest.raises(TypeError, match="not one text"):
        save_pretrained("mine", model, "words")
    assert not list(tmp_path.iterdir())
    save_pretrained("mine", model, tokenizer)
    save_pretrained("mine", model, ["a", "b"])  # must not find the old tokenizer
    assert load_pretrained("mine")[1] == ("a", "b")
    save_pretrained("mine", model)
    assert load_pretrained("mine")[1] == ()


def test_what_cannot_be_loaded(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no model file"):
        load_model(tmp_path / "nothing")


def test_ids_of_every_kind_of_integer_are_the_same_ids():
    sizes = {"d_model": 8, "n_layers": 1, "n_heads": 2}
    bert = MaskedLM(EncoderConfig(30, 8, n_segments=2, **sizes))
    pairs = public.Seq2Seq(public.Seq2SeqConfig(30, 8, max_target=8, decoder_layers=1, **sizes))
    ids, places = torch.tensor([[2, 7, 3]]), torch.tensor([1, 0, 1])
    for kind in (torch.int32, torch.int16, torch.int8, torch.uint8):
        same = ids.to(kind)
        expected = bert.encoder(ids, positions=places, segments=places)
        told = bert.encoder(same, positions=places.to(kind), segments=places.to(kind))
        assert torch.equal(told, expected)
        assert torch.equal(bert(same), bert(ids))
        assert torch.equal(pairs(same, same, None)[0], pairs(ids, ids, None)[0])


def test_a_trained_model_may_be_named_by_a_path():
    assert load_pretrained(Path("tinyworld"))[1] == load_pretrained("tinyworld")[1]
