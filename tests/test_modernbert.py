"""modernbert: published names and settings, in the hub's old form and in that of transformers 5."""

import json
import re

import pytest
import torch
from safetensors.torch import load_file, save_file
from test_modern import SMALL, V, rows_of, some_masked, strong, theirs_and_ours

from mlm_course.hub import HubUnreachable
from mlm_course.models import ModernConfig
from mlm_course.models.modernbert import FILES, NAMES, from_modernbert, modernbert_from_hub
from mlm_course.models.storage import load_model, save_model

SETTINGS = {"n_heads": 4, "window": 8}
DECODER, WORDS = "decoder.weight", "model.embeddings.tok_embeddings.weight"

# Names and shapes in the published file of answerdotai/ModernBERT-base, of its 22 layers the first
# two, in small: d_model 32, d_ff 40.
PUBLISHED = {
    "model.embeddings.tok_embeddings.weight": (V, 32),
    "model.embeddings.norm.weight": (32,),
    "model.layers.0.attn.Wqkv.weight": (96, 32),
    "model.layers.0.attn.Wo.weight": (32, 32),
    "model.layers.0.mlp_norm.weight": (32,),
    "model.layers.0.mlp.Wi.weight": (80, 32),
    "model.layers.0.mlp.Wo.weight": (32, 40),
    "model.layers.1.attn_norm.weight": (32,),
    "model.layers.1.attn.Wqkv.weight": (96, 32),
    "model.layers.1.attn.Wo.weight": (32, 32),
    "model.layers.1.mlp_norm.weight": (32,),
    "model.layers.1.mlp.Wi.weight": (80, 32),
    "model.layers.1.mlp.Wo.weight": (32, 40),
    "model.final_norm.weight": (32,),
    "head.dense.weight": (32, 32),
    "head.norm.weight": (32,),
    "decoder.bias": (V,),
}
# Its config.json, in small: what the hub has had from the beginning.
OLD = {
    "architectures": ["ModernBertForMaskedLM"], "attention_bias": False, "attention_dropout": 0.0,
    "bos_token_id": 1, "classifier_activation": "gelu", "classifier_bias": False,
    "classifier_dropout": 0.0, "classifier_pooling": "mean", "cls_token_id": 1, "decoder_bias": True,
    "deterministic_flash_attn": False, "embedding_dropout": 0.0, "eos_token_id": 2,
    "global_attn_every_n_layers": 2, "global_rope_theta": 5000.0, "gradient_checkpointing": False,
    "hidden_activation": "gelu", "hidden_size": 32, "initializer_cutoff_factor": 2.0,
    "initializer_range": 0.02, "intermediate_size": 40, "layer_norm_eps": 1e-05,
    "local_attention": 6, "local_rope_theta": 300.0, "max_position_embeddings": 128,
    "mlp_bias": False, "mlp_dropout": 0.0, "model_type": "modernbert", "norm_bias": False,
    "norm_eps": 1e-05, "num_attention_heads": 4, "num_hidden_layers": 5, "pad_token_id": 0,
    "position_embedding_type": "absolute", "sep_token_id": 2, "tie_word_embeddings": True,
    "torch_dtype": "float32", "transformers_version": "4.47.0.dev0", "vocab_size": V,
}  # fmt: skip


@pytest.fixture(scope="module")
def theirs():
    return theirs_and_ours()[0]


def without_decoder(state: dict) -> dict:
    """As the published file: a tied weight is there once."""
    return {name: value for name, value in state.items() if name != DECODER}


def only_decoder(state: dict) -> dict:
    return {name: value for name, value in state.items() if name != WORDS}


def wrapped(state: dict) -> dict:
    return {f"module._orig_mod.{name}": value for name, value in state.items()}


@pytest.mark.parametrize("naming", [dict, without_decoder, only_decoder, wrapped])
@torch.no_grad()
def test_logits_equal_those_of_transformers(theirs, naming):
    ids, visible = rows_of()
    expected = theirs(input_ids=ids, attention_mask=visible.long()).logits
    model = from_modernbert(naming(theirs.state_dict()), **SETTINGS)
    assert model.config == SMALL and not model.training
    assert (model(ids, visible) - expected)[visible].abs().max() < 1e-5
    masked = some_masked(visible)
    assert (model(ids, visible, masked) - expected[masked]).abs().max() < 1e-5


@torch.no_grad()
def test_biases_are_seen_in_the_weights():
    theirs, _ = theirs_and_ours(bias=True)
    ids, visible = rows_of()
    model = from_modernbert(theirs.state_dict(), **SETTINGS)
    expected = theirs(input_ids=ids, attention_mask=visible.long()).logits
    assert model.config.bias and (model(ids, visible) - expected)[visible].abs().max() < 1e-5


def test_the_published_names_and_no_others():
    weights = {name: torch.full(shape, 0.5) for name, shape in PUBLISHED.items()}
    model = from_modernbert(weights, n_heads=4)
    usual = ModernConfig(V, d_model=32, n_layers=2, n_heads=4, d_ff=40)
    assert model.config == usual and (usual.window, usual.global_every) == (128, 3)
    assert {(0.5,)} == {tuple(p.unique().tolist()) for p in model.parameters()}
    assert len(model.state_dict()) == len(PUBLISHED)


def test_the_weights_are_copied_and_tied(theirs):
    state = theirs.state_dict()
    model = from_modernbert(state, **SETTINGS)
    before = state[WORDS].clone()
    with torch.no_grad():
        model.encoder.token.weight.zero_()
    assert torch.equal(state[WORDS], before)
    assert torch.equal(model(torch.tensor([[5, 6]]))[0, 0], model.decoder_bias)


def test_every_name_in_the_table_is_a_part_of_both(theirs):
    ours = {re.sub(r"\.\d+\.", ".#.", n)
            for n in from_modernbert(theirs.state_dict(), 4).state_dict()}  # fmt: skip
    general = {re.sub(r"\.\d+\.", ".#.", n) for n in theirs.state_dict()}
    for our_name, their_name in NAMES.items():
        assert {our_name, f"{our_name}.weight"} & ours
        assert {their_name, f"{their_name}.weight"} & general


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda s: s.pop("decoder.bias"), "These weights of ModernBERT are missing: decoder.bias."),
        (lambda s: s.pop("model.layers.3.mlp.Wi.weight"),
         "These weights of ModernBERT are missing: model.layers.3.mlp.Wi.weight."),
        (lambda s: s.pop("model.final_norm.weight"),
         "These weights of ModernBERT are missing: model.final_norm.weight."),
        (lambda s: s.update({"model.layers.0.attn_norm.weight": torch.ones(32)}),
         "ModernBERT has no weights called model.layers.0.attn_norm.weight."),
        (lambda s: s.update({"model.layers.1.attn.Wo.bias": torch.ones(32)}),
         "ModernBERT has no weights called model.layers.1.attn.Wo.bias."),
        (lambda s: s.update({"classifier.weight": torch.ones(2, 32)}),
         "ModernBERT has no weights called classifier.weight."),
        (lambda s: s.update({DECODER: torch.zeros(V, 32)}),
         f"{DECODER} differs from {WORDS}: these weights are not tied."),
        (lambda s: s.update({"head.dense.weight": torch.zeros(3)}),
         "These weights do not have the shape that the others ask for: head.dense.weight."),
        (lambda s: s.update({"head.norm.weight": torch.ones(32).char()}),
         "head.norm.weight must hold floating-point numbers, not torch.int8: take the weights from "
         "before they were quantized."),
        (lambda s: [s.pop(n) for n in list(s) if n.startswith(("head", "decoder"))],
         "These weights are an encoder alone: the MLM head (head, decoder) is missing."),
    ],
)  # fmt: skip
def test_other_weights_end_in_one_sentence(theirs, change, sentence):
    state = dict(theirs.state_dict())
    change(state)
    with pytest.raises(ValueError) as error:
        from_modernbert(state, **SETTINGS)
    assert str(error.value) == sentence


def test_weights_of_another_model_are_said_to_be(theirs):
    transformers = pytest.importorskip("transformers")
    bert = transformers.BertForMaskedLM(
        transformers.BertConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=2)
    )
    with pytest.raises(
        ValueError, match=r"lack ModernBERT's blocks, model\.layers\.#, and have bert"
    ):
        from_modernbert(bert.state_dict(), n_heads=2)
    with pytest.raises(ValueError, match="are an encoder alone"):
        from_modernbert(theirs.model.state_dict(), n_heads=4)
    with pytest.raises(ValueError, match="3 heads cannot share 32 numbers"):
        from_modernbert(theirs.state_dict(), n_heads=3)
    with pytest.raises(TypeError, match=r"such as model\.state_dict\(\), not ModernBertFor"):
        from_modernbert(theirs, n_heads=4)
    with pytest.raises(ValueError, match="window must be at least 0"):
        from_modernbert(theirs.state_dict(), n_heads=4, window=-1)


# In a folder


def save_tokenizer(folder) -> None:
    from tokenizers import Tokenizer, models

    words = {"[UNK]": 0, "[MASK]": 4, "hello": 5}
    tokenizer = Tokenizer(models.WordPiece(words, unk_token="[UNK]"))
    tokenizer.enable_truncation(4)
    tokenizer.enable_padding(length=8)
    tokenizer.save(str(folder / "tokenizer.json"))


@pytest.fixture
def folder(theirs, tmp_path, monkeypatch):
    """A published model's three files in the hub's old form, and no hub."""
    monkeypatch.setattr("huggingface_hub.hf_hub_download", lambda *_, **__: pytest.fail("asked"))
    monkeypatch.setattr("huggingface_hub.HfApi.model_info", lambda *_, **__: pytest.fail("asked"))
    mine = tmp_path / "mine"
    mine.mkdir()
    state = without_decoder(theirs.state_dict())
    save_file({k: v.clone() for k, v in state.items()}, mine / "model.safetensors")
    save_tokenizer(mine)
    (mine / "config.json").write_text(json.dumps(OLD))
    return mine


def change(folder, **settings) -> None:
    """Other settings in config.json; what is None is taken out."""
    config = json.loads((folder / "config.json").read_text()) | settings
    kept = {name: value for name, value in config.items() if value is not None}
    (folder / "config.json").write_text(json.dumps(kept))


def as_of_today(every: int, n_layers: int = 5) -> list[str]:
    return ["sliding_attention" if i % every else "full_attention" for i in range(n_layers)]


def test_settings_in_the_hubs_old_form(folder):
    model, tokenizer = modernbert_from_hub(folder)
    assert model.config == ModernConfig(
        V, d_model=32, n_layers=5, n_heads=4, d_ff=40, max_length=128, window=6, global_every=2,
        global_base=5000.0, local_base=300.0,
    )  # fmt: skip
    assert tokenizer.token_to_id("[MASK]") == 4
    assert tokenizer.truncation is None and tokenizer.padding is None


@pytest.mark.parametrize("every", [1, 2, 3, 7])
@torch.no_grad()
def test_what_transformers_saves_is_loaded(tmp_path, every):
    """Its own folder; settings of rotations, layers and windows that are not the usual ones."""
    transformers = pytest.importorskip("transformers")
    config = transformers.ModernBertConfig(**{**OLD, "global_attn_every_n_layers": every})
    theirs = strong(transformers.ModernBertForMaskedLM(config))
    theirs.save_pretrained(tmp_path)
    save_tokenizer(tmp_path)
    written = json.loads((tmp_path / "config.json").read_text())
    assert written["layer_types"] == as_of_today(every)
    assert written["rope_parameters"]["full_attention"]["rope_theta"] == 5000.0
    model, _ = modernbert_from_hub(tmp_path)
    ids, visible = rows_of()
    expected = theirs(input_ids=ids, attention_mask=visible.long()).logits
    assert (model(ids, visible) - expected)[visible].abs().max() < 1e-5
    for changes in ({"global_base": 160_000.0}, {"window": 8}):
        other = from_modernbert(theirs.state_dict(), 4, **{
            "window": 6, "global_every": every, "global_base": 5000.0, "local_base": 300.0, **changes
        })  # fmt: skip
        if every > 1 or "global_base" in changes:
            assert (other(ids, visible) - expected)[visible].abs().max() > 1e-3


@torch.no_grad()
def test_transformers_reads_the_old_form_as_we_do(folder):
    transformers = pytest.importorskip("transformers")
    theirs = transformers.ModernBertForMaskedLM.from_pretrained(folder).eval()
    ids, visible = rows_of()
    expected = theirs(input_ids=ids, attention_mask=visible.long()).logits
    assert (modernbert_from_hub(folder)[0](ids, visible) - expected)[visible].abs().max() < 1e-5


def test_settings_that_are_null_or_missing_are_the_usual_ones(folder):
    missing = dict.fromkeys(
        ["local_attention", "global_attn_every_n_layers", "global_rope_theta", "local_rope_theta",
         "norm_eps", "classifier_activation", "tie_word_embeddings", "decoder_bias", "norm_bias",
         "max_position_embeddings"]
    )  # fmt: skip
    (folder / "config.json").write_text(json.dumps({**OLD, **missing, "rope_scaling": None}))
    usual = ModernConfig(V, d_model=32, n_layers=5, n_heads=4, d_ff=40)
    assert modernbert_from_hub(folder)[0].config == usual
    (folder / "config.json").write_text(json.dumps({**OLD, "local_rope_theta": None}))
    assert modernbert_from_hub(folder)[0].config.local_base == 5000.0  # as in transformers 4
    change(folder, layer_types=as_of_today(4), global_attn_every_n_layers=2)
    assert modernbert_from_hub(folder)[0].config.global_every == 4  # as in transformers 5


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"model_type": "bert"}, "has model_type 'bert', not 'modernbert': it cannot be loaded"),
        ({"hidden_activation": "silu"}, "has hidden_activation 'silu', not 'gelu'"),
        ({"classifier_activation": "silu"}, "has classifier_activation 'silu', not 'gelu'"),
        ({"decoder_bias": False}, "has decoder_bias False, not True"),
        ({"tie_word_embeddings": False}, "has tie_word_embeddings False, not True"),
        ({"mlp_bias": True}, "has attention_bias False, mlp_bias True, norm_bias False, "
         "classifier_bias False: here either all of them are, or none is"),
        ({"norm_bias": "yes"}, "norm_bias in config.json cannot be 'yes'"),
        ({"attention_bias": True, "mlp_bias": True, "norm_bias": True, "classifier_bias": True},
         "config.json says that there are biases, the weights have none"),
        ({"layer_types": ["sliding_attention"] * 5}, "here every n-th layer is global"),
        ({"layer_types": [*as_of_today(2)[:4], "sliding_attention"]}, "here every n-th layer"),
        ({"layer_types": ["full_attention", "chunked_attention"]}, "here every n-th layer"),
        ({"layer_types": as_of_today(2, 4)}, "layer_types in config.json are 4, but .* 5 layers"),
        ({"layer_types": "full_attention"}, "layer_types in config.json cannot be 'full_att"),
        ({"global_attn_every_n_layers": 0}, "global_attn_every_n_layers in config.json cannot be 0"),
        ({"global_attn_every_n_layers": 2.5}, "global_attn_every_n_layers in .* cannot be 2.5"),
        ({"rope_scaling": {"type": "yarn", "factor": 4}}, "have {'type': 'yarn', 'factor': 4}: here"),
        ({"rope_parameters": {"full_attention": {"rope_type": "linear", "factor": 2.0}}},
         "have {'rope_type': 'linear', 'factor': 2.0}: here they have a base and nothing else"),
        ({"rope_parameters": {"sliding_attention": {"rope_type": "default", "factor": 2.0}}},
         "here they have a base and nothing else"),
        ({"rope_parameters": {"rope_theta": 1000.0}}, "must be told for full_attention and sliding"),
        ({"rope_parameters": {"full_attention": {"rope_theta": "big"}}}, "rope_theta in .* 'big'"),
        ({"local_rope_theta": True}, "local_rope_theta in config.json cannot be True"),
        ({"local_rope_theta": 0.5}, "local_base must be above 1"),
        ({"num_attention_heads": None}, "lacks num_attention_heads"),
        ({"num_attention_heads": 3}, "3 heads cannot share 32 numbers"),
        ({"local_attention": "wide"}, "local_attention in config.json cannot be 'wide'"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_here_is_refused(folder, settings, sentence):
    change(folder, **settings)
    if settings.get("num_attention_heads", 4) is None:
        config = {k: v for k, v in OLD.items() if k != "num_attention_heads"}
        (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match=sentence):
        modernbert_from_hub(folder)


@pytest.mark.parametrize("file", FILES)
def test_a_file_that_is_missing_or_damaged_is_named(folder, file):
    (folder / file).write_text("{")
    with pytest.raises(ValueError, match=f"{file} (is|holds) .*damaged"):
        modernbert_from_hub(folder)
    (folder / file).unlink()
    with pytest.raises(FileNotFoundError, match=f"lacks {file}"):
        modernbert_from_hub(folder)


def test_no_hub(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(HubUnreachable, match="'answerdotai/ModernBERT-base' is not available"):
        modernbert_from_hub()


@torch.no_grad()
def test_a_published_model_is_saved_and_loaded(folder, tmp_path):
    model, _ = modernbert_from_hub(folder)
    save_model(model, tmp_path / "m.safetensors")
    again = load_model(tmp_path / "m.safetensors")
    ids, visible = rows_of()
    assert again.config == model.config and torch.equal(again(ids, visible), model(ids, visible))
    assert "decoder.weight" not in load_file(tmp_path / "m.safetensors")
