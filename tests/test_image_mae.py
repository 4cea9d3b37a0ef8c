"""models.image_mae: our masked autoencoder against transformers' ViT-MAE, its parts, its training."""

import json
import math
import re
from dataclasses import replace
from functools import cache, partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from mlm_course.experiments.image_mae import MaskTokensInEncoder
from mlm_course.hub import HubUnreachable
from mlm_course.models import ImageMAE, ImageMAEConfig, StackConfig, seeded_init
from mlm_course.models.image_mae import (
    Reconstruction,
    block_noise,
    filled_in,
    grid_noise,
    normalised_patches,
    patch_loss,
    patchify,
    put_back,
    random_masking,
    sincos_positions,
    unpatchify,
)
from mlm_course.models.published import each
from mlm_course.models.storage import load_model, save_model
from mlm_course.models.vit_mae import (
    NAMES,
    from_vit_mae,
    imagenet_normalise,
    imagenet_restore,
    vit_mae_from_hub,
)
from mlm_course.training import MaskedImages, Recipe, fit, masked_pixel_loss

quick = settings(deadline=None, max_examples=50, derandomize=True)
SMALL = ImageMAEConfig(
    height=8,
    width=12,
    patch_size=2,
    channels=3,
    encoder=StackConfig(d_model=16, n_layers=2, n_heads=2),
    decoder=StackConfig(d_model=8, n_layers=1, n_heads=2),
)
SQUARE = replace(SMALL, height=24, width=24)
KINDS = [ImageMAE, MaskTokensInEncoder]


def randomised(model: nn.Module, seed: int = 0) -> nn.Module:
    """Every parameter random, so that a bias, a norm or a position that is left out shows."""
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=g))
    return model.eval()


def some_images(config: ImageMAEConfig = SMALL, n: int = 3, seed: int = 1) -> torch.Tensor:
    g = torch.Generator().manual_seed(seed)
    return torch.rand(n, config.channels, config.height, config.width, generator=g)


def some_noise(n: int = 3, n_patches: int = 24, seed: int = 2) -> torch.Tensor:
    return torch.rand(n, n_patches, generator=torch.Generator().manual_seed(seed))


# Against transformers' ViT-MAE


@cache
def vit_mae(norm_pix: bool = False):
    """A small ViTMAEForPreTraining with random weights; made from a config it has no positions."""
    transformers = pytest.importorskip("transformers")
    config = transformers.ViTMAEConfig(
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=80,
        image_size=24,
        patch_size=4,
        decoder_hidden_size=24,
        decoder_num_hidden_layers=2,
        decoder_num_attention_heads=2,
        decoder_intermediate_size=56,
        norm_pix_loss=norm_pix,
    )
    assert (config.layer_norm_eps, config.hidden_act, config.mask_ratio) == (1e-12, "gelu", 0.75)
    model = randomised(transformers.ViTMAEForPreTraining(config))
    for positions in (model.vit.embeddings.position_embeddings, model.decoder.decoder_pos_embed):
        assert positions.std() > 0.05  # transformers starts with zeros, which have no order of axes
    return model


def published(state: dict) -> dict:
    """The names in the file of facebook/vit-mae-base, which transformers 5 has given up."""
    changes = [
        (r"^vit\.layers\.", "vit.encoder.layer."),
        (r"\.attention\.q_proj\.", ".attention.attention.query."),
        (r"\.attention\.k_proj\.", ".attention.attention.key."),
        (r"\.attention\.v_proj\.", ".attention.attention.value."),
        (r"\.attention\.o_proj\.", ".attention.output.dense."),
        (r"\.mlp\.fc1\.", ".intermediate.dense."),
        (r"\.mlp\.fc2\.", ".output.dense."),
    ]
    renamed = {}
    for name, value in state.items():
        for pattern, new in changes:
            name = re.sub(pattern, new, name)
        renamed[name] = value
    return renamed


def test_the_fixture_has_the_published_names():
    """Names quoted in transformers' issue 16101 from the published file."""
    names = published(vit_mae().state_dict())
    assert {
        "vit.encoder.layer.0.attention.attention.query.weight",
        "vit.encoder.layer.2.intermediate.dense.bias",
        "vit.encoder.layer.1.attention.output.dense.weight",
        "vit.encoder.layer.1.layernorm_before.bias",
        "decoder.decoder_layers.1.attention.attention.value.weight",
        "decoder.decoder_layers.1.output.dense.bias",
        "decoder.decoder_layers.0.layernorm_after.weight",
        "decoder.decoder_pred.bias",
    } <= names.keys()
    assert not [name for name in names if "proj." in name or "mlp" in name]


def as_transformers_writes(state: dict) -> dict:
    """Transformers 5 turns names back to the published ones, but for the decoder's layers."""
    start = "decoder.decoder_layers."
    return {
        name.replace(start, "decoder.decoder_encoder.layer."): value
        for name, value in published(state).items()
    }


@pytest.mark.parametrize("norm_pix", [False, True])
@pytest.mark.parametrize("naming", [dict, published, as_transformers_writes])
@torch.no_grad()
def test_reconstruction_and_loss_equal_those_of_transformers(naming, norm_pix):
    theirs = vit_mae(norm_pix)
    model = from_vit_mae(naming(theirs.state_dict()), 4, 2, norm_pix=norm_pix)
    images, noise = imagenet_normalise(some_images(model.config)), some_noise(3, 36)
    expected = theirs(images, noise=noise)
    reconstruction = model(images, 0.75, noise)
    assert torch.equal(reconstruction.mask, expected.mask)
    assert torch.equal(reconstruction.ids_restore, expected.ids_restore)
    assert (reconstruction.patches - expected.logits).abs().max() < 1e-5
    loss = patch_loss(reconstruction.patches, reconstruction.target, reconstruction.mask)
    assert abs(loss - expected.loss) < 1e-5
    assert loss > 0.5  # there is something to compare


@torch.no_grad()
def test_latents_equal_those_of_transformers_with_nothing_removed():
    theirs, images, noise = vit_mae(), some_images(SQUARE, n=2), some_noise(2, 36)
    model = from_vit_mae(theirs.state_dict(), 4, 2)
    kept = theirs.vit(images, noise=noise).last_hidden_state
    assert (model.encode(images, 0.75, noise).visible - kept).abs().max() < 1e-5
    theirs.config.mask_ratio = 0.0
    try:
        everything = theirs.vit(images, noise=noise).last_hidden_state
    finally:
        theirs.config.mask_ratio = 0.75
    assert (model.features(images) - everything[:, 1:].mean(1)).abs().max() < 1e-5


@pytest.mark.parametrize("ratio", [0.0, 0.1, 0.25, 0.5, 0.75, 0.9])
def test_masks_are_bit_equal_to_those_of_transformers(ratio):
    embeddings = vit_mae().vit.embeddings
    x, noise = some_noise(5, 49 * 32).reshape(5, 49, 32), some_noise(5, 49)
    embeddings.config.mask_ratio = ratio
    try:
        expected = embeddings.random_masking(x, noise)
    finally:
        embeddings.config.mask_ratio = 0.75
    for ours, theirs in zip(random_masking(x, ratio, noise), expected, strict=True):
        assert torch.equal(ours, theirs)


def test_patches_and_positions_equal_those_of_transformers():
    theirs, images = vit_mae(), some_images(SQUARE, n=2)
    patches = patchify(images, 4)
    assert torch.equal(patches, theirs.patchify(images))
    assert torch.equal(unpatchify(patches, 4, 24, 24), theirs.unpatchify(patches))
    fixed = type(theirs)(theirs.config)
    for part in [*fixed.modules(), *fixed.parameters()]:  # which the constructor has marked as done
        vars(part).pop("_is_hf_initialized", None)
    fixed.vit.embeddings.initialize_weights()
    fixed.decoder.initialize_weights(36)
    for ours, expected in [
        (sincos_positions(32, 6, 6), fixed.vit.embeddings.position_embeddings),
        (sincos_positions(24, 6, 6), fixed.decoder.decoder_pos_embed),
    ]:
        assert expected.std() > 0.5
        assert (ours - expected[0, 1:]).abs().max() < 1e-6
        assert not expected[0, 0].any()  # that of [CLS]


def test_sizes_are_read_off_the_shapes():
    model = from_vit_mae(vit_mae().state_dict(), 4, 2, norm_pix=True)
    assert model.config == ImageMAEConfig(
        24, 24, 4, 3,
        encoder=StackConfig(d_model=32, n_layers=3, n_heads=4, d_ff=80, norm_eps=1e-12),
        decoder=StackConfig(d_model=24, n_layers=2, n_heads=2, d_ff=56, norm_eps=1e-12),
        norm_pix=True,
    )  # fmt: skip
    assert not model.training and all(p.requires_grad for p in model.parameters())
    wide = from_vit_mae(vit_mae().state_dict(), 4, 2, image_size=(16, 36))
    assert wide.config.grid == (4, 9)


def test_the_weights_are_copied_and_every_name_in_the_table_is_a_part_of_both():
    state = vit_mae().state_dict()
    model = from_vit_mae(state, 4, 2)
    before = {name: value.clone() for name, value in state.items()}
    with torch.no_grad():
        for tensor in model.state_dict().values():
            tensor.zero_()
    assert all(torch.equal(state[name], before[name]) for name in state)
    ours = {re.sub(r"\.\d+\.", ".#.", n) for n in model.state_dict()}
    theirs = {re.sub(r"\.\d+\.", ".#.", n) for n in published(state)}
    for our_name, their_name in NAMES.items():
        assert {our_name, f"{our_name}.weight"} & ours
        for part in each(their_name):
            assert {part, f"{part}.weight"} & theirs


FILTERS = "vit.embeddings.patch_embeddings.projection.weight"
POSITIONS = "vit.embeddings.position_embeddings"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda s: s.pop("vit.layers.1.attention.k_proj.weight"),
         "These weights of ViT-MAE are missing: "
         "vit.encoder.layer.1.attention.attention.key.weight."),
        (lambda s: s.pop("decoder.mask_token"),
         "These weights of ViT-MAE are missing: decoder.mask_token."),
        (lambda s: s.pop(FILTERS), f"These weights of ViT-MAE are missing: {FILTERS}."),
        (lambda s: s.pop(POSITIONS), f"These weights of ViT-MAE are missing: {POSITIONS}."),
        (lambda s: s.update({"classifier.weight": torch.zeros(1)}),
         "ViT-MAE has no weights called classifier.weight."),
        (lambda s: s.update({"decoder.decoder_norm": torch.zeros(1)}),
         "ViT-MAE has no weights called decoder.decoder_norm."),
        (lambda s: s.update({"decoder.decoder_pred.bias": torch.zeros(3)}),
         "These weights do not have the shape that the others ask for: "
         "decoder.decoder_pred.bias."),
        (lambda s: s.update({FILTERS: torch.zeros(32, 48)}),
         f"{FILTERS} must have 4 axes, not shape (32, 48)."),
        (lambda s: s.update({FILTERS: torch.zeros(32, 3, 4, 5)}),
         "Patches must be square; those of these weights have 4 x 5."),
        (lambda s: s.update({POSITIONS: torch.zeros(1, 41, 32)}),
         "40 patches do not make a square: give image_size=(height, width)."),
    ],
)  # fmt: skip
def test_other_weights_end_in_one_sentence(change, sentence):
    state = dict(vit_mae().state_dict())
    change(state)
    with pytest.raises(ValueError) as error:
        from_vit_mae(state, 4, 2)
    assert str(error.value) == sentence


def test_heads_must_divide():
    state = vit_mae().state_dict()
    with pytest.raises(ValueError, match="5 heads cannot share 32 numbers evenly: check n_heads"):
        from_vit_mae(state, 5, 2)
    with pytest.raises(ValueError, match=r"5 heads cannot share 24 numbers .* check decoder_heads"):
        from_vit_mae(state, 4, 5)


@pytest.mark.parametrize("offline", [True, False])
def test_no_hub(offline, monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", offline)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(
        HubUnreachable, match=r"'facebook/vit-mae-base' is not available: .*the hub"
    ):
        vit_mae_from_hub()
    with pytest.raises(ValueError, match="no open model 'a name', and there is no such folder"):
        vit_mae_from_hub("a name")
    with pytest.raises(FileNotFoundError, match="There is no folder"):
        vit_mae_from_hub(tmp_path / "none")


@torch.no_grad()
def test_a_downloaded_model_needs_no_hub(monkeypatch, tmp_path):
    """Files as transformers writes them, where huggingface_hub would put them."""
    vit_mae(norm_pix=True).save_pretrained(tmp_path)
    monkeypatch.setattr("huggingface_hub.hf_hub_download", lambda _, file, **__: tmp_path / file)
    model = vit_mae_from_hub("me/mae")
    images, noise = some_images(SQUARE, n=2), some_noise(2, 36)
    expected = vit_mae(norm_pix=True)(images, noise=noise)
    reconstruction = model(images, 0.75, noise)
    assert (reconstruction.patches - expected.logits).abs().max() < 1e-5
    assert model.config.norm_pix and model.config.encoder.norm_eps == 1e-12
    config = json.loads((tmp_path / "config.json").read_text())
    for change in ({"model_type": "vit"}, {"hidden_act": "relu"}):
        (tmp_path / "config.json").write_text(json.dumps({**config, **change}))
        with pytest.raises(
            ValueError, match=r"config\.json has (model_type 'vit'|hidden_act 'relu'), not"
        ):
            vit_mae_from_hub("me/mae")


def test_colours_as_vit_mae_expects_them():
    transformers = pytest.importorskip("transformers.utils.constants")
    images = some_images()
    normal = imagenet_normalise(images)
    for channel, (mean, std) in enumerate(
        zip(transformers.IMAGENET_DEFAULT_MEAN, transformers.IMAGENET_DEFAULT_STD, strict=True)
    ):
        assert torch.allclose(normal[:, channel], (images[:, channel] - mean) / std)
    assert torch.allclose(imagenet_restore(normal), images, atol=1e-6)
    assert torch.equal(imagenet_normalise(images[0]), normal[0])
    with pytest.raises(ValueError, match=r"shape \(\.\.\., 3, H, W\), not \(2, 1, 8, 8\)"):
        imagenet_normalise(torch.rand(2, 1, 8, 8))


# Patches


@quick
@given(*(st.integers(1, 4) for _ in range(5)))
def test_unpatchify_undoes_patchify(B, C, patch_size, rows, columns):
    height, width = rows * patch_size, columns * patch_size
    images = torch.arange(float(B * C * height * width)).reshape(B, C, height, width)
    patches = patchify(images, patch_size)
    assert patches.shape == (B, rows * columns, patch_size**2 * C)
    assert torch.equal(unpatchify(patches, patch_size, height, width), images)


def test_a_patch_is_a_square_and_keeps_the_channels_of_a_pixel_together():
    images = torch.arange(2 * 4 * 6.0).reshape(1, 2, 4, 6)  # channel 1 is channel 0 plus 24
    patches = patchify(images, 2)
    assert patches.shape == (1, 6, 8)
    assert patches[0, 0].tolist() == [0, 24, 1, 25, 6, 30, 7, 31]
    assert patches[0, 1, 0] == 2 and patches[0, 3, 0] == 12  # along the row, then the next row


def test_normalised_patches_have_mean_0_and_unbiased_variance_1():
    patches = some_noise(2, 60).reshape(2, 5, 12).double()
    patches[1, 4] = 0.3  # nothing to see
    normal = normalised_patches(patches)
    assert torch.allclose(normal.mean(-1), torch.zeros(2, 5, dtype=torch.float64))
    variances = normal.var(-1, correction=1)
    assert (variances.flatten()[:-1] - 1).abs().max() < 1e-3
    assert not normal[1, 4].abs().gt(1e-6).any()
    assert (normal.var(-1, correction=0).flatten()[:-1] - 1).abs().min() > 0.05
    faint = normalised_patches(patches[:1] * 1e-3)  # variances of about 1e-6, as eps
    variances = (patches[:1] * 1e-3).var(-1)
    assert torch.allclose(faint.var(-1), variances / (variances + 1e-6))


def test_the_loss_is_the_mean_over_removed_patches_alone():
    predicted, target = torch.zeros(2, 3, 4), torch.ones(2, 3, 4)
    target[0, 1] = 3.0
    mask = torch.tensor([[0.0, 1, 0], [1, 1, 0]])
    assert patch_loss(predicted, target, mask) == pytest.approx((9 + 1 + 1) / 3)
    target[0, 0] = 100.0  # visible
    assert patch_loss(predicted, target, mask) == pytest.approx((9 + 1 + 1) / 3)
    assert patch_loss(predicted, target, torch.zeros(2, 3)) == 0


# Masking


@quick
@given(st.integers(1, 5), st.integers(1, 30), st.floats(0, 0.999), st.integers(0, 2**31))
def test_the_count_is_kept_and_everything_can_be_put_back(B, L, ratio, seed):
    x = torch.arange(B * L * 2.0).reshape(B, L, 2)
    visible, mask, ids_restore = random_masking(
        x, ratio, generator=torch.Generator().manual_seed(seed)
    )
    K = max(1, int(L * (1 - ratio)))
    assert visible.shape == (B, K, 2) and (mask.sum(1) == L - K).all()
    assert torch.equal(ids_restore.sort(1).values, torch.arange(L).expand(B, L))
    removed = torch.full((1, 1, 2), -1.0)
    expected = torch.where(mask[..., None].bool(), removed, x)
    assert torch.equal(put_back(visible, ids_restore, removed), expected)


def test_at_least_one_patch_stays():
    x = torch.zeros(2, 10, 4)
    assert int(10 * (1 - 0.9)) == 0  # .1 * 10 is a little below 1
    assert random_masking(x, 0.9).visible.shape == (2, 1, 4)
    assert random_masking(x, 0.999).visible.shape == (2, 1, 4)


def test_every_image_has_a_draw_of_its_own_and_every_patch_the_same_chance():
    x = torch.zeros(4000, 16, 1)
    g = torch.Generator().manual_seed(0)
    first, second = (random_masking(x, 0.75, generator=g).mask for _ in range(2))
    assert len(first.unique(dim=0)) > 1500  # of 1820 ways to keep four of sixteen
    assert (first != second).any(1).float().mean() > 0.99
    spread = (0.75 * 0.25 / 4000) ** 0.5
    assert (first.mean(0) - 0.75).abs().max() < 4 * spread
    again = random_masking(x, 0.75, generator=torch.Generator().manual_seed(0)).mask
    assert torch.equal(again, first)


def test_noise_for_a_block_and_a_grid():
    noise = block_noise(torch.tensor([[0.5, 0.5], [2.0, 3.0]]), 3, 4)
    assert noise.shape == (2, 12)
    assert noise[0].tolist() == pytest.approx([-math.hypot(k // 4, k % 4) for k in range(12)])
    assert (
        noise[1].argmin() == 0 and noise[1, 10] == noise[1, 11]
    )  # (2, 3) lies between the last two
    grid = grid_noise(torch.tensor([[0, 1], [1, 0]]), 3, 4).view(2, 3, 4)
    assert grid[0].tolist() == [[1, 0, 1, 0], [1, 1, 1, 1], [1, 0, 1, 0]]
    assert grid[1].tolist() == [[1, 1, 1, 1], [0, 1, 0, 1], [1, 1, 1, 1]]
    with pytest.raises(ValueError, match=r"\(B, 2\)"):
        block_noise(torch.rand(2), 3, 4)
    with pytest.raises(TypeError):
        grid_noise(torch.rand(2, 2), 3, 4)


def test_the_smallest_noise_stays():
    noise = torch.tensor([[0.9, 0.1, 0.5, 0.3]])
    x = torch.tensor([[[0.0], [1.0], [2.0], [3.0]]])
    visible, mask, ids_restore = random_masking(x, 0.5, noise)
    assert visible.flatten().tolist() == [1, 3]
    assert mask.tolist() == [[1, 0, 1, 0]]
    assert ids_restore.tolist() == [[3, 0, 2, 1]]


# The model


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_removed_pixels_have_no_influence_and_visible_ones_do(kind):
    model, images, noise = randomised(seeded_init(kind, SMALL)), some_images(), some_noise()
    reconstruction = model(images, 0.5, noise)
    removed = unpatchify(reconstruction.mask[..., None].expand(-1, -1, 12), 2, 8, 12).bool()
    other = torch.where(removed, some_images(seed=9), images)
    assert torch.equal(model(other, 0.5, noise).patches, reconstruction.patches)
    other = torch.where(removed, images, some_images(seed=9))
    assert not torch.allclose(model(other, 0.5, noise).patches, reconstruction.patches, atol=1e-3)
    assert torch.equal(reconstruction.target, patchify(images, 2))


def what_the_encoder_gets(model, images, ratio, noise):
    seen = []
    with model.encoder.register_forward_pre_hook(lambda _, args: seen.append(args[0])):
        latent, mask, _ = model.encode(images, ratio, noise)
    return seen[0], latent, mask.bool()


@torch.no_grad()
def test_the_encoder_gets_visible_patches_with_their_own_positions():
    model, images, noise = randomised(seeded_init(ImageMAE, SMALL)), some_images(), some_noise()
    x, latent, mask = what_the_encoder_gets(model, images, 0.75, noise)
    assert x.shape == latent.shape == (3, 1 + 6, 16)
    every = model.embed(patchify(images, 2)) + model.positions[1:]
    for row in range(3):
        kept = noise[row].argsort()[:6]
        assert not mask[row, kept].any()
        assert torch.equal(x[row, 1:], every[row, kept])
    assert torch.equal(x[:, :1], model.cls_token.expand(3, 1, 16))  # it stands nowhere


@torch.no_grad()
def test_mask_tokens_in_the_encoder_stand_where_patches_were_removed():
    model, images, noise = (
        randomised(seeded_init(MaskTokensInEncoder, SMALL)),
        some_images(),
        some_noise(),
    )
    x, latent, mask = what_the_encoder_gets(model, images, 0.75, noise)
    assert x.shape == latent.shape == (3, 1 + 24, 16)
    assert model.mask_token.shape == (1, 1, 16)
    every = model.embed(patchify(images, 2)) + model.positions[1:]
    corrupted = (model.mask_token + model.positions[1:]).expand(3, -1, -1)
    assert torch.allclose(x[:, 1:], torch.where(mask[..., None], corrupted, every), atol=1e-6)
    assert model(images, 0.75, noise).patches.shape == (3, 24, 12)


@pytest.mark.parametrize("kind", KINDS)
def test_everything_learns(kind):
    model = seeded_init(kind, SMALL)
    reconstruction = model(some_images(), 0.75, some_noise())
    patch_loss(reconstruction.patches, reconstruction.target, reconstruction.mask).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.any(), name
    assert not {"positions", "decoder_positions"} & {name for name, _ in model.named_parameters()}


def test_query_key_and_value_start_as_large_as_the_matrix_after_them():
    """Not smaller, as Xavier's rule has it for one matrix of three times the height."""
    attention = seeded_init(ImageMAE, SMALL).encoder.blocks[0].attention
    most = math.sqrt(6 / (16 + 16))
    for matrix in (*attention.qkv.weight.chunk(3), attention.output.weight):
        assert 0.9 * most < matrix.abs().max() <= most


@torch.no_grad()
def test_features_hide_nothing_and_draw_nothing():
    model, images = randomised(seeded_init(ImageMAE, SMALL)), some_images()
    before = torch.random.get_rng_state()
    features = model.features(images)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert features.shape == (3, 16)
    latent = model.encode(images, 0.0, some_noise()).visible
    assert torch.allclose(features, latent[:, 1:].mean(1), atol=1e-5)


@pytest.mark.parametrize("norm_pix", [False, True])
def test_filled_in_keeps_what_was_visible(norm_pix):
    config, images = replace(SMALL, norm_pix=norm_pix), some_images()
    mask = random_masking(patchify(images, 2), 0.5, some_noise()).mask
    target = patchify(images, 2)
    target = normalised_patches(target) if norm_pix else target
    right = filled_in(images, Reconstruction(target, target, mask, mask.long()), config)
    assert torch.allclose(right, images, atol=1e-5)
    wrong = filled_in(images, Reconstruction(target + 1, target, mask, mask.long()), config)
    removed = unpatchify(mask[..., None].expand(-1, -1, 12), 2, 8, 12).bool()
    assert torch.equal(wrong[~removed], images[~removed])
    assert (wrong - images)[removed].abs().min() > 0.01


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: patchify(torch.rand(1, 1, 8, 9), 2),
         "Patches of 2 x 2 do not fill an image of 8 x 9 pixels exactly."),
        (lambda: ImageMAEConfig(patch_size=3), "Patches of 3 x 3 do not fill an image of 8 x 8"),
        (lambda: ImageMAEConfig(patch_size=0), "patch_size must be at least 1, not 0."),
        (lambda: unpatchify(torch.rand(1, 12, 4), 2, 8, 8),
         "has 16 patches of 2 x 2: patches must have shape (B, 16, P*P*C), not (1, 12, 4)."),
        (lambda: unpatchify(torch.rand(1, 32, 4), 2, 8, 8), "not (1, 32, 4)."),
        (lambda: random_masking(torch.rand(1, 4, 2), 1.0),
         "ratio must be at least 0 and below 1, not 1.0."),
        (lambda: random_masking(torch.rand(1, 4, 2), -0.1), "not -0.1."),
        (lambda: random_masking(torch.rand(2, 4, 2), 0.5, torch.rand(2, 3)),
         "noise must have shape (2, 4), one a patch, not (2, 3)."),
        (lambda: random_masking(torch.rand(2, 4, 2), 0.5, torch.rand(1, 4)), "not (1, 4)."),
        (lambda: sincos_positions(6, 2, 2), "d_model must be a multiple of 4"),
        (lambda: seeded_init(ImageMAE, SMALL)(torch.rand(1, 1, 8, 12)),
         "images must have shape (B, 3, 8, 12), not (1, 1, 8, 12)."),
        (lambda: seeded_init(ImageMAE, SMALL).features(torch.rand(3, 8, 12)), "not (3, 8, 12)."),
        (lambda: seeded_init(ImageMAE, SMALL)(torch.rand(1, 3, 12, 8)), "not (1, 3, 12, 8)."),
        (lambda: MaskedImages(torch.rand(8, 8), 16, 0),
         "images must have shape (N, C, H, W), not (8, 8)."),
    ],
)  # fmt: skip
def test_bad_input_ends_in_one_sentence(call, sentence):
    with pytest.raises(ValueError) as error:
        call()
    assert sentence in str(error.value) and "\n" not in str(error.value)


# Training


def test_noise_follows_from_seed_epoch_and_index_alone():
    images = some_images(n=6)
    data = MaskedImages(images, 24, seed=5)
    index = torch.tensor([4, 0, 2])
    first = data(index, 1)
    assert len(data) == 6
    assert torch.equal(first.images, images[index]) and first.noise.shape == (3, 24)
    torch.rand(3)  # what was drawn before does not count, nor who sits beside whom
    assert torch.equal(MaskedImages(images, 24, seed=5)(index, 1).noise, first.noise)
    assert torch.equal(data(torch.tensor([2, 4]), 1).noise, first.noise[[2, 0]])
    for other in (data(index, 2), MaskedImages(images, 24, seed=6)(index, 1)):
        assert not (other.noise == first.noise).any()
    assert len(first.noise.flatten().unique()) > 70  # no two images share their draw
    assert first.noise.min() >= 0 and first.noise.max() < 1


def stripes(n: int = 32) -> torch.Tensor:
    """Images (n, 3, 8, 12) of waves with a random direction: a few patches tell the others."""
    g = torch.Generator().manual_seed(3)
    direction, phase = torch.rand(n, 2, 1, 1, generator=g), torch.rand(n, 3, 1, 1, generator=g)
    y, x = torch.meshgrid(torch.arange(8.0), torch.arange(12.0), indexing="ij")
    angles = direction[:, :1] * y + direction[:, 1:] * x  # (n, 1, 8, 12)
    return (angles + 3 * phase).sin() / 2 + 0.5


@pytest.mark.usefixtures("on_one_cpu_thread")
def test_training_lowers_the_loss_and_pieces_change_nothing():
    def losses(accumulate):
        recipe = Recipe(40, batch_size=16, lr=0.01, optimizer="adamw", accumulate=accumulate)
        data, loss = MaskedImages(stripes(), 24, seed=0), partial(masked_pixel_loss, ratio=0.5)
        return fit(seeded_init(ImageMAE, SMALL), data, loss, recipe).losses

    whole = losses(accumulate=1)
    assert whole[-1] < 0.5 * whole[0]  # a fresh model guesses about 0
    assert losses(accumulate=2) == pytest.approx(whole, abs=1e-5)


@torch.no_grad()
def test_the_training_loss_is_a_sum_over_removed_patches():
    model, batch = (
        randomised(seeded_init(ImageMAE, SMALL)),
        MaskedImages(some_images(), 24, 0)(torch.arange(3), 0),
    )
    summed, count = masked_pixel_loss(model, batch, 0.75)
    reconstruction = model(batch.images, 0.75, batch.noise)
    assert count == 3 * 18
    errors = (reconstruction.patches - reconstruction.target).square().mean(-1)
    assert summed == pytest.approx(errors[reconstruction.mask.bool()].sum().item(), rel=1e-5)


# On disk


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 0), (torch.float16, 2e-2)])
@pytest.mark.parametrize("config", [SMALL, replace(SMALL, norm_pix=True)])
@torch.no_grad()
def test_a_saved_model_comes_back(tmp_path, config, dtype, tolerance):
    model, path = randomised(seeded_init(ImageMAE, config)), tmp_path / "model.safetensors"
    model.positions += 0.5  # not what a fresh model has
    save_model(model, path, dtype)
    again = load_model(path)
    assert isinstance(again, ImageMAE) and not again.training
    assert again.config == config and isinstance(again.config.decoder, StackConfig)
    batch = some_images(), 0.75, some_noise()
    assert (again(*batch).patches - model(*batch).patches).abs().max() <= tolerance


def test_a_config_of_another_model_is_not_saved(tmp_path):
    model = seeded_init(ImageMAE, SMALL)
    model.config = SMALL.encoder
    with pytest.raises(TypeError, match="can be saved, not ImageMAE"):
        save_model(model, tmp_path / "m")


@pytest.mark.parametrize(
    ("sizes", "sentence"),
    [
        ({"height": 8, "patch_size": 1, "norm_pix": True}, "A patch of one number has no variance"),
        ({"encoder": StackConfig(d_model=6, n_heads=2)}, "d_model must be a multiple of 4"),
        ({"decoder": "small"}, "decoder must be a StackConfig, not str."),
        ({"channels": 0}, "channels must be at least 1, not 0."),
        ({"height": 8.0}, "height must be an integer, not 8.0."),
        ({"norm_pix": 1}, "norm_pix must be True or False, not 1."),
        ({"position_base": 0}, "position_base must be above 0, not 0."),
        ({"position_base": math.nan}, "position_base must be above 0, not nan."),
    ],
)
def test_sizes_that_make_no_image_model_end_in_a_sentence(sizes, sentence):
    with pytest.raises((TypeError, ValueError)) as error:
        ImageMAEConfig(**sizes)
    assert sentence in str(error.value)


def test_patches_without_a_variance_and_of_one_colour():
    with pytest.raises(ValueError, match="A patch of 1 numbers has no variance"):
        normalised_patches(torch.rand(2, 3, 1))
    assert not normalised_patches(torch.full((1, 2, 4), 0.3)).abs().gt(1e-3).any()
    config = ImageMAEConfig(8, 8, 1, 3, norm_pix=True)
    white = seeded_init(ImageMAE, config)(torch.ones(1, 3, 8, 8))
    assert white.target.isfinite().all()


@pytest.mark.parametrize(
    ("images", "sentence"),
    [
        (torch.zeros(1, 3, 8, 12).byte(), "colours from 0 to 255 become numbers from 0 to 1 with"),
        (torch.zeros(1, 3, 8, 12).double(), "write images.to(torch.float32)."),
        (torch.zeros(1, 3, 8, 12).numpy(), "images must be a tensor, not ndarray."),
        (torch.zeros(1, 8, 12, 3), "images must have shape (B, 3, 8, 12), not (1, 8, 12, 3)."),
    ],
)
def test_images_of_another_kind_end_in_a_sentence(images, sentence):
    model = seeded_init(ImageMAE, SMALL)
    for call in (model, model.encode, model.features):
        with pytest.raises((TypeError, ValueError)) as error:
            call(images)
        assert sentence in str(error.value)


@pytest.mark.parametrize("ratio", [math.nan, 1, 1.0, -0.5, "half", None, True])
def test_a_ratio_is_a_share(ratio):
    with pytest.raises((TypeError, ValueError), match="ratio must be"):
        seeded_init(ImageMAE, SMALL)(torch.rand(1, 3, 8, 12), ratio)


def test_noise_that_cannot_be_sorted_ends_in_a_sentence():
    with pytest.raises(ValueError, match="noise contains NaN"):
        random_masking(torch.rand(1, 2, 3), 0.5, torch.tensor([[0.1, math.nan]]))
