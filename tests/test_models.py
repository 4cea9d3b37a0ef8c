"""models: our encoder against transformers' BERT and PyTorch's own layers, and models on disk."""

import re

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional as F

from mlm_course.hub import HubUnreachable
from mlm_course.models import Encoder, EncoderConfig, MaskedLM
from mlm_course.models.bert import NAMES, bert_from_hub, from_bert
from mlm_course.models.published import each
from mlm_course.models.storage import load_model, save_model

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
    state = {k: v for k, v in bert.state_dict().items() if not k.startswith("cls")}
    with pytest.raises(ValueError, match=r"missing: cls\S+, cls\S+, cls\S+ and 2 more\.$"):
        from_bert(state, n_heads=4)
    with pytest.raises(ValueError, match="3 heads cannot share 32 numbers"):
        from_bert(bert.state_dict(), n_heads=3)


@pytest.mark.parametrize("offline", [True, False])
def test_no_hub(offline, monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", offline)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(HubUnreachable, match="'bert-base-uncased' is not available: the hub"):
        bert_from_hub()
    with pytest.raises(ValueError, match="no open model 'not a/valid/name': check the spelling"):
        bert_from_hub("not a/valid/name")


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
    with pytest.raises(ValueError, match="'me/bert' is not a BERT with GELU"):
        bert_from_hub("me/bert")


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


def other_sizes(path):
    about = {"model": "MaskedLM", "config": '{"vocab_size": 97}'}
    save_file({"decoder_bias": torch.zeros(3)}, path, metadata=about)


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda path: path.write_text("not a model"), "is damaged or no model file"),
        (lambda path: path.mkdir(), "is damaged or no model file"),
        (damaged, "is damaged or no model file"),
        (foreign, "was not written by this course's save_model"),
        (other_version, "does not fit this version of the course"),
        (other_sizes, "does not fit this version of the course"),
    ],
)
def test_other_files_end_in_one_sentence(tmp_path, spoil, sentence):
    path = tmp_path / "model.safetensors"
    spoil(path)
    with pytest.raises(ValueError, match=sentence) as error:
        load_model(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value).strip()


def test_what_cannot_be_loaded_or_saved(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no model file"):
        load_model(tmp_path / "nothing")
    with pytest.raises(TypeError, match=r"Only MaskedLM, .+ can be saved, not Linear"):
        save_model(nn.Linear(2, 2), tmp_path / "m")
