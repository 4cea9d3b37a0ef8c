"""Right arguments and oracles for what `mlm_course.models` and the functions beside it offer.

Models are rebuilt from their weights in float64, with einsum and loops, in `stack`, `embedded` and so
on below; the functions of `heads`, `inspection`, `image_mae`, `compression` and `probing` likewise.
"""

import math
from dataclasses import replace
from functools import cache

import torch
from fuzz_attention import nan_safe, near, product, sizes, softmax_over_open
from fuzzing import Target
from torch import nn

from mlm_course import compression, probing
from mlm_course.models import (
    BlockStack,
    Encoder,
    EncoderConfig,
    ImageMAE,
    ImageMAEConfig,
    MaskedLM,
    ModernConfig,
    ModernEncoder,
    ModernMaskedLM,
    RetroMAE,
    Seq2Seq,
    Seq2SeqConfig,
    StackConfig,
    TextMAE,
    TextMAEConfig,
    heads,
    image_mae,
    inspection,
    seeded_init,
    text_mae,
    vit_mae,
)

V, LONGEST = 12, 6
SIZES = {"d_model": 8, "n_layers": 2, "n_heads": 2, "d_ff": 12}
ENCODER = EncoderConfig(V, LONGEST, n_segments=2, **SIZES)
PLAIN = EncoderConfig(V, LONGEST, **SIZES)
MODERN = ModernConfig(V, **{**SIZES, "n_layers": 4}, window=3)
TEXT = TextMAEConfig(V, LONGEST, **SIZES, decoder=StackConfig(**{**SIZES, "d_model": 4}))
PAIRS = {c: Seq2SeqConfig(V, LONGEST, **SIZES, max_target=5, causal=c) for c in (True, False)}
IMAGE = ImageMAEConfig(4, 6, 2, 3, StackConfig(**SIZES), StackConfig(**{**SIZES, "d_model": 4}))


@cache
def built(kind, config):
    return seeded_init(kind, config, 3).eval()


# ---- the same models in float64


def linear(x, layer):
    y = x @ layer.weight.double().T
    return y if layer.bias is None else y + layer.bias.double()


def norm(x, layer):
    x = x - x.mean(-1, keepdim=True)
    x = x / (x.square().mean(-1, keepdim=True) + layer.eps).sqrt()
    return x * layer.weight.double() + layer.bias.double()


def gelu(x):
    return x * (1 + torch.erf(x / math.sqrt(2))) / 2


def attended(layer, x, mask, memory=None):
    source = x if memory is None else memory
    weights, biases = layer.qkv.weight.double().chunk(3), layer.qkv.bias.double().chunk(3)
    q, k, v = (
        torch.stack((y @ w.T + b).chunk(layer.n_heads, -1), -3)
        for y, w, b in zip((x, source, source), weights, biases, strict=True)
    )
    mixed = softmax_over_open(product(q, k), mask) @ v
    return linear(torch.cat(list(mixed.unbind(-3)), -1), layer.output)


def fed(x, layer):
    return linear(gelu(linear(x, layer.expand)), layer.contract)


def stack(model, x, mask):
    for block in model.blocks:
        if block.pre_norm:
            x = x + attended(block.attention, norm(x, block.attention_norm), mask)
            x = x + fed(norm(x, block.feed_forward_norm), block.feed_forward)
        else:
            x = norm(x + attended(block.attention, x, mask), block.attention_norm)
            x = norm(x + fed(x, block.feed_forward), block.feed_forward_norm)
    return x if model.final_norm is None else norm(x, model.final_norm)


def checked_ids(ids, most=V):
    assert not ids.is_floating_point() and ids.dtype != torch.bool and ids.ndim == 2
    assert all(0 <= i < most for row in ids.tolist() for i in row)
    return ids.long()


def embedded(table, ids, positions=None, segments=None):
    ids = checked_ids(ids)
    positions = torch.arange(ids.shape[1]) if positions is None else positions
    x = table.token.weight.double()[ids] + table.position.weight.double()[positions.long()]
    if table.segment is not None:
        segments = torch.zeros_like(ids) if segments is None else segments.long()
        x = x + table.segment.weight.double()[segments]
    else:
        assert segments is None
    return x if table.norm is None else norm(x, table.norm)


def four_axes(mask, ids):
    """(B, T) as one of keys; a square one only where it closes padding, or the same for all rows."""
    if mask is None or mask.ndim == 4:
        return mask
    assert mask.dtype == torch.bool and mask.shape == ids.shape
    if mask.shape[0] == mask.shape[1] and not (mask == mask[0]).all():
        closed, seen = set(ids[~mask].tolist()), set(ids[mask].tolist())
        assert len(closed) == 1 and not closed & seen
    return mask[:, None, None]


def encoded(encoder, ids, mask, positions=None, segments=None):
    x = embedded(encoder.embeddings, ids, positions, segments)
    return stack(encoder, x, four_axes(mask, ids))


def token_logits(model, x):
    x = norm(gelu(linear(x, model.dense)), model.norm)
    return x @ model.encoder.embeddings.token.weight.double().T + model.decoder_bias.double()


def masked_of(masked, ids):
    assert masked.dtype == torch.bool and masked.shape == ids.shape
    return masked


def turned(x, base):
    """x (..., T, D), as complex numbers x_i + i x_(i + D / 2), turned by T's places."""
    half = x.shape[-1] // 2
    speed = torch.tensor([base ** -(i / half) for i in range(half)], dtype=torch.float64)
    turn = torch.polar(torch.ones(()).double(), torch.arange(x.shape[-2])[:, None] * speed)
    z = torch.complex(x[..., :half], x[..., half:]) * turn
    return torch.cat([z.real, z.imag], -1)


def bare_norm(x, layer):
    x = x - x.mean(-1, keepdim=True)
    return x / (x.square().mean(-1, keepdim=True) + layer.eps).sqrt() * layer.weight.double()


def modern_row(encoder, ids, open_):
    """One row, in float64, with a mask over all pairs: ids (T,), open_ (T,) bool."""
    config, T = encoder.config, len(ids)
    x = bare_norm(encoder.token.weight.double()[ids], encoder.embedding_norm)
    place = torch.arange(T)
    for i, block in enumerate(encoder.blocks):
        is_local = i % config.global_every != 0
        y = x if i == 0 else bare_norm(x, block.attention_norm)
        q, k, v = (
            torch.stack((y @ w.double().T).chunk(config.n_heads, -1))
            for w in block.attention.qkv.weight.chunk(3)
        )
        base = config.local_base if is_local else config.global_base
        q, k = turned(q, base), turned(k, base)
        near_by = (place[:, None] - place).abs() <= (config.window // 2 if is_local else T)
        mixed = softmax_over_open(product(q, k), near_by & open_) @ v
        x = x + linear(torch.cat(list(mixed), -1), block.attention.output)
        content, gate = linear(
            bare_norm(x, block.feed_forward_norm), block.feed_forward.expand
        ).chunk(2, -1)
        x = x + linear(gelu(content) * gate, block.feed_forward.contract)
    return bare_norm(x, encoder.final_norm)


def modern_vectors(encoder, ids, mask):
    """x (B, T, D) and where it means something."""
    ids = checked_ids(ids)
    open_ = torch.ones(ids.shape, dtype=torch.bool) if mask is None else mask
    if open_.ndim == 4:
        assert open_.shape[1:3] == (1, 1)
        open_ = open_[:, 0, 0]
    else:
        four_axes(mask, ids)
    assert open_.dtype == torch.bool and open_.shape == ids.shape
    rows = [modern_row(encoder, *row) for row in zip(ids, open_, strict=True)]
    return (torch.stack(rows) if rows else torch.zeros(*ids.shape, 8).double()), open_


# ---- sizes


def draw_stack(rng):
    n_heads = rng.randint(1, 3)
    return {
        "d_model": n_heads * 4 * rng.randint(1, 3),
        "n_layers": rng.randint(1, 2),
        "n_heads": n_heads,
        "d_ff": rng.choice([0, 5]),
        "pre_norm": rng.random() < 0.5,
        "bias": rng.random() < 0.5,
        "dropout": rng.choice([0.0, 0.1]),
        "norm_eps": 1e-5,
    }


def is_stack(answer, d_model, n_layers, n_heads, d_ff, pre_norm, bias, dropout, norm_eps, **_):
    for size in (d_model, n_layers, n_heads):
        assert size is not True and size >= 1 and size % 1 == 0
    assert d_model % n_heads == 0 and answer.d_ff == (d_ff or 4 * d_model) and d_ff >= 0
    assert pre_norm in (True, False) and isinstance(pre_norm, bool) and isinstance(bias, bool)
    assert 0 <= dropout <= 1 and 0 < norm_eps < math.inf and norm_eps is not True
    assert (answer.d_model, answer.n_layers, answer.n_heads) == (d_model, n_layers, n_heads)


def draw_encoder_config(rng):
    more = {"vocab_size": 9, "max_length": 5, "n_segments": rng.choice([0, 2])}
    return {**draw_stack(rng), **more, "embedding_std": 0.02}


def is_encoder_config(answer, vocab_size, max_length, n_segments, embedding_std, **rest):
    is_stack(answer, **rest)
    assert vocab_size >= 1 and max_length >= 1 and n_segments >= 0
    assert True not in (vocab_size, max_length)[: 2 * (vocab_size is True or max_length is True)]
    assert 0 < embedding_std < math.inf


def draw_modern_config(rng):
    flags = {name: rng.random() < 0.5 for name in ("gated", "rotary", "unpad")}
    more = {"window": rng.randint(0, 5), "global_every": rng.randint(1, 3)}
    bases = {"global_base": 160_000.0, "local_base": 10_000.0}
    return {**draw_stack(rng), "vocab_size": 9, "max_length": 5, **flags, **more, **bases}


def is_modern_config(answer, vocab_size, max_length, window, global_every, **rest):
    for count in (vocab_size, max_length, global_every):
        assert count is not True and count >= 1
    assert window is not True and window >= 0
    for base in (rest.pop("global_base"), rest.pop("local_base")):
        assert base is not True and 1 < base < math.inf
    gated, rotary, unpad = (rest.pop(name) for name in ("gated", "rotary", "unpad"))
    assert {type(flag) for flag in (gated, rotary, unpad)} == {bool}
    assert not rotary or rest["d_model"] // rest["n_heads"] % 2 == 0
    if gated and not rest["d_ff"]:
        assert answer.d_ff % 8 == 0 and abs(3 * answer.d_ff - 8 * rest["d_model"]) <= 12
        rest["d_ff"] = answer.d_ff
    is_stack(answer, **rest)


def draw_text_config(rng):
    return {**draw_encoder_config(rng), "decoder": StackConfig(d_model=4, n_heads=2)}


def is_text_config(answer, decoder, **rest):
    is_encoder_config(answer, **rest)
    assert isinstance(decoder, StackConfig) and answer.decoder == decoder


def draw_pair_config(rng):
    more = {"decoder_layers": 1, "max_target": 4, "causal": rng.random() < 0.5}
    return {**draw_encoder_config(rng), **more}


def is_pair_config(answer, decoder_layers, max_target, causal, **rest):
    is_encoder_config(answer, **rest)
    assert decoder_layers >= 1 and max_target >= 1 and isinstance(causal, bool)


def draw_image_config(rng):
    patch = rng.randint(1, 2)
    return {
        "height": patch * rng.randint(1, 3),
        "width": patch * rng.randint(1, 3),
        "patch_size": patch,
        "channels": 2,
        "encoder": StackConfig(d_model=8),
        "decoder": StackConfig(d_model=4),
        "norm_pix": rng.random() < 0.5,
        "position_base": 10.0,
    }


def is_image_config(answer, height, width, patch_size, channels, norm_pix, position_base, **parts):
    assert height % patch_size == 0 == width % patch_size and min(height, width, channels) >= 1
    assert isinstance(norm_pix, bool) and 0 < position_base < math.inf
    assert not (norm_pix and patch_size**2 * channels == 1)
    for part in parts.values():
        assert isinstance(part, StackConfig) and part.d_model % 4 == 0


def draw_init(rng):
    kind = rng.choice(
        [
            *((MaskedLM, PLAIN), (ImageMAE, IMAGE), (TextMAE, TEXT), (Seq2Seq, PAIRS[True])),
            (ModernMaskedLM, MODERN),
        ]
    )
    return {"kind": kind[0], "config": kind[1], "seed": rng.randint(0, 99)}


def is_init(answer, kind, config, seed):
    state = torch.random.get_rng_state()
    torch.manual_seed(seed)
    again = kind(config)
    torch.random.set_rng_state(state)
    assert all(p.equal(q) for p, q in zip(answer.parameters(), again.parameters(), strict=True))


# ---- encoder and language model


def draw_ids(rng):
    B, T = rng.randint(1, 3), rng.randint(1, LONGEST)
    lengths = torch.tensor([[rng.randint(1, T)] for _ in range(B)])
    visible = torch.arange(T) < lengths
    ids = torch.randint(1, V, (B, T)).masked_fill(~visible, 0)
    form = rng.randrange(4)
    if form == 0:
        return ids, visible[:, None, None]
    if form == 1:
        return ids, torch.ones(T, T, dtype=torch.bool).tril()[None, None]
    return ids, visible if form == 2 else None


def draw_encoder(rng):
    ids, mask = draw_ids(rng)
    positions = rng.choice([None, torch.randint(0, LONGEST, ids.shape[1:])])
    segments = rng.choice([None, torch.randint(0, 2, ids.shape)])
    return {"ids": ids, "attention_mask": mask, "positions": positions, "segments": segments}


def encode(ids, attention_mask, positions, segments):
    return built(Encoder, ENCODER)(ids, attention_mask, positions=positions, segments=segments)


def is_encoded(answer, ids, attention_mask, positions, segments):
    for numbers, most in ((positions, LONGEST), (segments, 2)):
        if numbers is not None:
            checked_ids(numbers.reshape(-1, numbers.shape[-1]), most)
            assert numbers.shape in (ids.shape, ids.shape[1:], (1, ids.shape[1]))
    near(answer, encoded(built(Encoder, ENCODER), ids, attention_mask, positions, segments))


def run_stack(x, attention_mask):
    return built(BlockStack, StackConfig(**SIZES, pre_norm=False))(x, attention_mask)


def draw_vectors(rng):
    ids, mask = draw_ids(rng)
    if mask is not None and mask.ndim == 2:
        mask = mask[:, None, None]
    return {"x": torch.randn(*ids.shape, 8), "attention_mask": mask}


def is_run(answer, x, attention_mask):
    assert x.ndim == 3 and (attention_mask is None or attention_mask.ndim == 4)
    model = built(BlockStack, StackConfig(**SIZES, pre_norm=False))
    expected = stack(model, x.double(), attention_mask)
    near(answer, expected) if not is_huge(x) else None


def language_model(ids, attention_mask, masked):
    return built(MaskedLM, PLAIN)(ids, attention_mask, masked)


def draw_masked(rng):
    ids, mask = draw_ids(rng)
    masked = rng.choice([None, torch.rand(ids.shape) < 0.5])
    return {"ids": ids, "attention_mask": mask, "masked": masked}


def is_language_model(answer, ids, attention_mask, masked):
    model = built(MaskedLM, PLAIN)
    expected = token_logits(model, encoded(model.encoder, ids, attention_mask))
    near(answer, expected if masked is None else expected[masked_of(masked, ids)])


def modern_encoder(ids, attention_mask):
    return built(ModernEncoder, MODERN)(ids, attention_mask)


def modern_model(ids, attention_mask, masked):
    return built(ModernMaskedLM, MODERN)(ids, attention_mask, masked)


def draw_tokens(rng):
    """ids and a mask of tokens: with padding behind, or with holes, or none."""
    ids, mask = draw_ids(rng)
    if mask is not None and mask.shape[-1] == mask.shape[-2] and mask.ndim == 4:
        mask = (torch.rand(ids.shape) < 0.8)[:, None, None]
    return {"ids": ids, "attention_mask": mask}


def is_modern(answer, ids, attention_mask):
    x, open_ = modern_vectors(built(ModernEncoder, MODERN), ids, attention_mask)
    near(answer[open_], x[open_])
    assert answer.shape == x.shape and answer.isfinite().all()


def draw_modern(rng):
    drawn = draw_tokens(rng)
    return {**drawn, "masked": rng.choice([None, torch.rand(drawn["ids"].shape) < 0.5])}


def is_modern_model(answer, ids, attention_mask, masked):
    model = built(ModernMaskedLM, MODERN)
    x, open_ = modern_vectors(model.encoder, ids, attention_mask)
    y = bare_norm(gelu(linear(x, model.dense)), model.norm)
    logits = y @ model.encoder.token.weight.double().T + model.decoder_bias.double()
    chosen = torch.ones_like(open_) if masked is None else masked_of(masked, ids)
    near(answer.reshape(-1, V)[open_[chosen]], logits[chosen & open_])
    assert answer.numel() == chosen.sum() * V


def lenses(ids, attention_mask, masked):
    return inspection.logit_lens(built(MaskedLM, PLAIN), ids, masked, attention_mask)


def draw_lens(rng):
    ids, mask = draw_ids(rng)
    return {"ids": ids, "attention_mask": mask, "masked": torch.rand(ids.shape) < 0.5}


def is_lens(answer, ids, attention_mask, masked):
    """Of a model cut off after each number of blocks."""
    model = built(MaskedLM, PLAIN)
    for depth, logits in enumerate(answer):
        short = seeded_init(MaskedLM, replace(PLAIN, n_layers=max(depth, 1))).eval()
        short.load_state_dict(model.state_dict(), strict=False)
        short.encoder.blocks = short.encoder.blocks[:depth]
        expected = token_logits(short, encoded(short.encoder, ids, attention_mask))
        near(logits, expected[masked_of(masked, ids)])
    assert len(answer) == len(model.encoder.blocks) + 1


# ---- text


def text_mae_of(ids, attention_mask, masked):
    return built(TextMAE, TEXT)(ids, attention_mask, masked)


def draw_text(rng):
    ids, mask = draw_ids(rng)
    mask = None if mask is None or mask.ndim == 4 else mask
    return {"ids": ids, "attention_mask": mask, "masked": torch.rand(ids.shape) < 0.5}


def is_text_mae(answer, ids, attention_mask, masked):
    """Each row alone, without padding among what the encoder sees."""
    model, logits = built(TextMAE, TEXT), []
    checked_ids(ids)
    visible = ~masked_of(masked, ids) & (
        four_axes(attention_mask, ids)[:, 0, 0] if attention_mask is not None else True
    )
    for row, open_, asked, b in zip(ids, visible, masked, range(len(ids)), strict=True):
        places = open_.nonzero()[:, 0]
        x = model.mask_token[0, 0].double().expand(len(row), -1).clone()
        if len(places):
            latent = encoded(model.encoder, row[places][None], None, places)
            x[places] = linear(latent, model.to_decoder)[0]
        x = x + model.decoder_positions.weight.double()[: len(row)]
        mask = None if attention_mask is None else attention_mask[b][None, None, None]
        restored = linear(stack(model.decoder, x[None], mask), model.from_decoder)[0]
        logits.append(token_logits(model, restored[asked]))
    assert answer.shape == (int(masked.sum()), V)
    if logits:
        near(answer, torch.cat(logits))


def draw_kept(rng):
    return draw_text(rng)


def is_kept(answer, ids, masked, attention_mask):
    assert not ids.is_floating_point() and (not ids.numel() or ids.min() >= 0)
    open_ = ~masked_of(masked, ids)
    if attention_mask is not None:
        open_ = open_ & four_axes(attention_mask, ids)[:, 0, 0]
    rows = [
        [i for i, v in zip(r, o, strict=True) if v]
        for r, o in zip(ids.tolist(), open_, strict=True)
    ]
    longest = max([1, *map(len, rows)])
    if ids.shape[1]:
        assert answer.ids.tolist() == [row + [0] * (longest - len(row)) for row in rows]
    for row, places, o in zip(rows, answer.positions, open_, strict=True):
        assert places[: len(row)].tolist() == o.nonzero()[:, 0].tolist()


def retro(ids, attention_mask, masked, true_ids, seen):
    return built(RetroMAE, PLAIN)(ids, attention_mask, masked, true_ids, seen)


def draw_retro(rng):
    ids, mask = draw_ids(rng)
    true_ids = torch.randint(1, V, ids.shape)
    seen = torch.rand(*ids.shape, ids.shape[1]) < 0.5
    masked = torch.rand(ids.shape) < 0.3
    return {
        "ids": ids,
        "attention_mask": mask,
        "masked": masked,
        "true_ids": true_ids,
        "seen": seen,
    }


def is_retro(answer, ids, attention_mask, masked, true_ids, seen):
    model = built(RetroMAE, PLAIN)
    lm = model.masked_lm
    assert true_ids.shape == ids.shape and seen.shape == (*ids.shape, ids.shape[1])
    x = encoded(lm.encoder, ids, attention_mask)
    near(answer[0], token_logits(lm, x[masked_of(masked, ids)]))
    first = x[:, :1]
    table = lm.encoder.embeddings
    queries = first + table.position.weight.double()[: ids.shape[1]]
    memory = torch.cat([first, embedded(table, true_ids)[:, 1:]], 1)
    mask = seen.clone()
    mask[:, :, 0] = True
    y = queries + attended(
        model.attention,
        norm(queries, model.query_norm),
        mask[:, None],
        norm(memory, model.memory_norm),
    )
    y = norm(y + fed(norm(y, model.feed_forward_norm), model.feed_forward), model.final_norm)
    near(answer[1], token_logits(lm, y))


# ---- encoder and decoder


def pair_logits(causal, source, target, asked):
    return built(Seq2Seq, PAIRS[causal])(source, target, asked)


def draw_pairs(rng):
    source, _ = draw_ids(rng)
    T = rng.randint(1, 5)
    target = torch.randint(1, V, (len(source), T))
    target[-1, rng.randint(1, T) :] = 0
    asked = torch.rand(target.shape) < 0.5
    return {"causal": rng.random() < 0.5, "source": source, "target": target, "asked": asked}


def is_pair_logits(answer, causal, source, target, asked):
    model = built(Seq2Seq, PAIRS[causal])
    source, target = checked_ids(source), checked_ids(target)
    assert len(source) == len(target)
    visible, there = source != 0, target != 0
    memory = encoded(model.encoder, source, visible[:, None, None])
    T = target.shape[1]
    mask = torch.ones(T, T).tril() > 0 if causal else there[:, None, None]
    mask = mask[None, None] if causal else mask
    x = model.encoder.embeddings.token.weight.double()[target]
    x = x + model.target_positions.weight.double()[:T]
    for block in model.blocks:
        x = x + attended(block.attention, norm(x, block.attention_norm), mask)
        asks = norm(x, block.cross_attention_norm)
        x = x + attended(block.cross_attention, asks, visible[:, None, None], memory)
        x = x + fed(norm(x, block.feed_forward_norm), block.feed_forward)
    x = norm(x, model.final_norm)
    logits = x @ model.encoder.embeddings.token.weight.double().T + model.output_bias.double()
    near(answer[0], logits if asked is None else logits[masked_of(asked, target)])
    scores = linear(memory[:, 0], model.length_head)
    scores[:, 0] = -math.inf
    near(answer[1].exp(), scores.softmax(-1))


# ---- images


def image_of(images, ratio, noise):
    return built(ImageMAE, IMAGE)(images, ratio, noise)


def draw_images(rng):
    B = rng.randint(1, 3)
    return {
        "images": torch.rand(B, 3, 4, 6),
        "ratio": rng.choice([0.0, 0.5, 0.9]),
        "noise": torch.rand(B, 6),
    }


def cut(images, P):
    """Patches by loops: left to right, top to bottom, the channels of a pixel together."""
    H, W = images.shape[2:]
    return torch.stack(
        [
            torch.stack(
                [images[:, :, i + a, j + b] for a in range(P) for b in range(P)], 1
            ).flatten(1)
            for i in range(0, H, P)
            for j in range(0, W, P)
        ],
        1,
    )


def is_huge(x):
    """Squares of such numbers are more than float32 can hold."""
    return bool((x.abs() > 1e18).any())


def kept_places(noise, ratio):
    L = noise.shape[1]
    assert 0 <= ratio < 1 and noise.isfinite().all()
    keep = max(1, int(L * (1 - ratio)))
    return [sorted(range(L), key=row.__getitem__)[:keep] for row in noise.tolist()]


def is_image_mae(answer, images, ratio, noise):
    model, D = built(ImageMAE, IMAGE), 8
    if is_huge(images) or noise is None:
        assert answer.patches.shape == (len(images), 6, 12)
        return
    assert images.shape[1:] == (3, 4, 6) and noise.shape == (len(images), 6)
    patches = cut(images, 2).double()
    near(answer.target, patches)
    for b, kept in enumerate(kept_places(noise, ratio)):
        assert answer.mask[b].tolist() == [float(p not in kept) for p in range(6)]
        x = linear(patches[b, kept], model.embed) + model.positions.double()[1:][kept]
        cls = model.cls_token[0].double() + model.positions.double()[:1]
        latent = stack(model.encoder, torch.cat([cls, x])[None], None)
        y = linear(latent, model.to_decoder)[0]
        full = model.mask_token[0].double().expand(6, -1).clone()
        full[kept] = y[1:]
        full = torch.cat([y[:1], full]) + model.decoder_positions.double()
        near(
            answer.patches[b],
            linear(stack(model.decoder, full[None], None), model.to_pixels)[0, 1:],
        )
    assert answer.patches.shape == (len(images), 6, 12) and IMAGE.encoder.d_model == D


def features(images):
    return built(ImageMAE, IMAGE).features(images)


def is_features(answer, images):
    assert images.shape[1:] == (3, 4, 6)
    if is_huge(images):
        return
    model = built(ImageMAE, IMAGE)
    x = linear(cut(images, 2).double(), model.embed) + model.positions.double()[1:]
    cls = (model.cls_token[0].double() + model.positions.double()[:1]).expand(len(x), 1, -1)
    near(answer, stack(model.encoder, torch.cat([cls, x], 1), None)[:, 1:].mean(1))


def draw_patchify(rng):
    P, rows, columns = sizes(rng, 3)
    images = torch.randn(*sizes(rng, 2), P * rows, P * columns)
    return {"images": images, "patch_size": P}


def is_patchify(answer, images, patch_size):
    assert patch_size is not True and images.ndim == 4
    assert torch.equal(nan_safe(answer), nan_safe(cut(images, patch_size)))


def draw_unpatchify(rng):
    drawn = draw_patchify(rng)
    size = dict(zip(("height", "width"), drawn["images"].shape[2:], strict=True))
    patches = cut(drawn["images"], drawn["patch_size"])
    return {"patches": patches, "patch_size": drawn["patch_size"], **size}


def is_unpatchify(answer, patches, patch_size, height, width):
    assert answer.shape[2:] == (height, width) and True not in (
        patch_size is True,
        height is True,
        width is True,
    )
    assert torch.equal(nan_safe(cut(answer, patch_size)), nan_safe(patches))


def draw_masking(rng):
    B, L, D = sizes(rng, 3)
    return {
        "x": torch.randn(B, L, D),
        "ratio": rng.choice([0.0, 0.3, 0.75]),
        "noise": torch.rand(B, L),
    }


def is_masking(answer, x, ratio, noise):
    if noise is None:  # drawn there
        assert answer.mask.shape == x.shape[:2]
        return
    assert noise.shape == x.shape[:2] and x.ndim == 3
    for b, kept in enumerate(kept_places(noise, ratio)):
        assert torch.equal(nan_safe(answer.visible[b]), nan_safe(x[b, kept]))
        assert answer.mask[b].tolist() == [float(p not in kept) for p in range(x.shape[1])]
        assert answer.ids_restore[b, kept].tolist() == list(range(len(kept)))


def draw_block(rng):
    B, rows, columns = sizes(rng, 3)
    return {"centres": 4 * torch.rand(B, 2), "rows": rows, "columns": columns}


def is_block(answer, centres, rows, columns):
    assert True not in (rows is True, columns is True)
    for noise, (row, column) in zip(answer.tolist(), centres.tolist(), strict=True):
        places = [(r + 0.5, c + 0.5) for r in range(rows) for c in range(columns)]
        expected = [-math.dist(place, (row, column)) for place in places]
        tolerance = 0.05 if centres.dtype != torch.float32 else 1e-4
        assert all(
            abs(a - b) <= tolerance * max(1, abs(b)) for a, b in zip(noise, expected, strict=True)
        )


def draw_grid(rng):
    B, rows, columns = sizes(rng, 3)
    return {"starts": torch.randint(2, (B, 2)), "rows": rows, "columns": columns}


def is_grid(answer, starts, rows, columns):
    assert True not in (rows is True, columns is True)
    for noise, (row, column) in zip(answer.tolist(), starts.tolist(), strict=True):
        assert noise == [
            float((r - row) % 2 > 0 or (c - column) % 2 > 0)
            for r in range(rows)
            for c in range(columns)
        ]


def draw_waves(rng):
    rows, columns = sizes(rng, 2)
    return {"d_model": 4 * rng.randint(1, 3), "rows": rows, "columns": columns, "base": 10.0}


def is_waves(answer, d_model, rows, columns, base):
    quarter = d_model // 4
    assert d_model % 4 == 0 and True not in (rows is True, columns is True)
    expected = [
        [
            f(p * base ** (-i / quarter))
            for p in (c, r)
            for f in (math.sin, math.cos)
            for i in range(quarter)
        ]
        for r in range(min(rows, 9))
        for c in range(min(columns, 9))
    ]
    assert answer.shape == (rows * columns, d_model)
    if rows * columns == len(expected):
        near(answer, torch.tensor(expected))


def draw_patches(rng):
    return {"patches": torch.randn(*sizes(rng, 2), rng.randint(2, 5))}


def mean_and_spread(patches):
    n, x = patches.shape[-1], patches.double()
    assert n > 1
    mean = x.sum(-1, keepdim=True) / n
    return mean, ((x - mean).square().sum(-1, keepdim=True) / (n - 1) + 1e-6).sqrt()


def is_normalised(answer, patches):
    if is_huge(patches):
        return
    mean, spread = mean_and_spread(patches)
    near(answer, (patches.double() - mean) / spread)


def is_mean_and_spread(answer, patches):
    if is_huge(patches):
        return
    for seen, expected in zip(answer, mean_and_spread(patches), strict=True):
        near(seen, expected)


def draw_loss(rng):
    shape = sizes(rng, 3)
    mask = (torch.rand(shape[:2]) < 0.5).float()
    return {"predicted": torch.randn(shape), "target": torch.randn(shape), "mask": mask}


def is_patch_loss(answer, predicted, target, mask):
    assert predicted.shape == target.shape and mask.shape == predicted.shape[:2]
    if is_huge(predicted) or is_huge(target):
        return
    errors = (predicted.double() - target.double()).square().mean(-1)
    near(answer, (errors * mask).sum() / mask.sum().clamp(min=1))


def draw_put_back(rng):
    B, L, D = sizes(rng, 3)
    K = rng.randint(1, L)
    order = torch.stack([torch.randperm(L) for _ in range(B)])
    return {
        "visible": torch.randn(B, K, D),
        "ids_restore": order,
        "mask_token": torch.randn(1, 1, D),
    }


def is_put_back(answer, visible, ids_restore, mask_token):
    assert visible.shape[-1] == mask_token.shape[-1]
    for row, places, vectors in zip(answer, ids_restore.tolist(), visible, strict=True):
        for vector, place in zip(row, places, strict=True):
            assert place >= 0
            expected = vectors[place] if place < len(vectors) else mask_token[0, 0]
            near(vector, expected)


def draw_filled(rng):
    images = torch.rand(2, 3, 4, 6)
    parts = torch.randn(2, 6, 12), torch.randn(2, 6, 12), (torch.rand(2, 6) < 0.5).float()
    done = image_mae.Reconstruction(*parts, torch.arange(6).expand(2, 6))
    return {"images": images, "reconstruction": done, "config": IMAGE}


def is_filled(answer, images, reconstruction, config):
    guess, _, mask, _ = reconstruction
    patches = torch.where(mask[..., None] > 0, guess, cut(images, 2))
    if set(mask.flatten().tolist()) <= {0.0, 1.0}:
        near(cut(answer, 2), patches)


# ---- heads and what is read off models


@cache
def head_of(kind):
    torch.manual_seed(1)
    return kind(built(Encoder, PLAIN), *(() if kind is heads.SpanExtractor else (3,))).eval()


def on_encoder(kind, ids, visible, *more):
    return head_of(kind)(ids, visible, *more)


def draw_head(rng):
    ids, mask = draw_ids(rng)
    return {"ids": ids, "visible": mask if mask is not None and mask.ndim == 2 else None}


def outputs(kind, ids, visible):
    head = head_of(kind)
    assert visible is None or visible.ndim == 2
    return encoded(head.encoder, ids, visible), head.output


def classify(ids, visible):
    return on_encoder(heads.SequenceClassifier, ids, visible)


def is_class(answer, ids, visible):
    x, layer = outputs(heads.SequenceClassifier, ids, visible)
    near(answer, linear(mean_of(x, visible), layer))


def mean_of(x, visible):
    open_ = torch.ones(x.shape[:2], dtype=torch.bool) if visible is None else visible
    assert open_.dtype == torch.bool and open_.shape == x.shape[:2] and x.shape[1]
    rows = [
        r[o].double().mean(0) if o.any() else 0 * r[0].double()
        for r, o in zip(x, open_, strict=True)
    ]
    return torch.stack(rows) if rows else x.new_zeros(0, x.shape[-1]).double()


def tag(ids, visible):
    return on_encoder(heads.TokenClassifier, ids, visible)


def is_tags(answer, ids, visible):
    x, layer = outputs(heads.TokenClassifier, ids, visible)
    near(answer, linear(x, layer))


def spans(ids, visible, context):
    return on_encoder(heads.SpanExtractor, ids, visible, context)


def draw_span(rng):
    drawn = draw_head(rng)
    return {**drawn, "context": rng.choice([None, torch.rand(drawn["ids"].shape) < 0.6])}


def is_span(answer, ids, visible, context):
    x, layer = outputs(heads.SpanExtractor, ids, visible)
    logits = linear(x, layer).transpose(1, 2)
    if context is not None:
        logits = torch.where(masked_of(context, ids)[:, None], logits, -math.inf)
    near(answer, logits)


def draw_mean(rng):
    B, T, D = sizes(rng, 3)
    return {"x": torch.randn(B, T, D), "visible": torch.rand(B, T) < 0.6}


def is_mean(answer, x, visible):
    near(answer.nan_to_num(9), mean_of(x, visible).nan_to_num(9)) if x.isfinite().all() else None


def draw_best(rng):
    B, T = sizes(rng, 2)
    return {"logits": torch.randn(B, 2, T), "longest": rng.randint(1, 5)}


def is_best(answer, logits, longest):
    assert logits.shape[1] == 2 and longest is not True and not logits.isnan().any()
    T = logits.shape[2]
    for row, (first, last) in zip(logits, answer.tolist(), strict=True):
        pairs = [(i, j) for i in range(T) for j in range(i, min(T, i + longest))]
        assert (first, last) in pairs
        total = max((row[0, i] + row[1, j]).item() for i, j in pairs)
        assert (row[0, first] + row[1, last]).item() == total < math.inf


def draw_top(rng):
    n, size = sizes(rng, 2)
    return {"logits": torch.randn(n, size), "k": rng.randint(1, size)}


def is_top(answer, logits, k):
    chances, ids = answer
    expected = logits.double().softmax(-1)
    assert not expected.isnan().any() and ids.shape == (len(logits), k) and k is not True
    near(chances, expected.sort(-1, descending=True).values[:, :k])
    near(chances, expected.gather(-1, ids))


def draw_copy(rng):
    B, H, T, S = sizes(rng, 4)
    return {"weights": torch.rand(B, H, T, S), "mention": torch.rand(B, T, S) < 0.4}


def is_copy(answer, weights, mention):
    B, H, T, S = weights.shape
    assert mention.dtype == torch.bool and mention.shape == (B, T, S)
    places = [(b, t) for b in range(B) for t in range(T) if mention[b, t].any()]
    for h in range(H):
        paid = [weights[b, h, t][mention[b, t]].double().sum().item() for b, t in places]
        expected = sum(paid) / len(paid) if paid else math.nan
        near(answer[h], torch.tensor(expected))


def draw_colours(rng):
    return {"images": torch.rand(*sizes(rng, 1), 3, *sizes(rng, 2))}


MEAN, STD = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def is_coloured(answer, images):
    assert images.shape[-3] == 3 and images.is_floating_point()
    for c in range(3):
        near(answer[..., c, :, :], (images[..., c, :, :].double() - MEAN[c]) / STD[c])


def is_restored(answer, images):
    assert images.shape[-3] == 3 and images.is_floating_point()
    for c in range(3):
        near(answer[..., c, :, :], images[..., c, :, :].double() * STD[c] + MEAN[c])


# ---- compression and probing


def draw_sparse(rng):
    return {"weight": torch.randn(sizes(rng, 2)), "sparsity": rng.choice([0.0, 0.3, 0.5, 1.0])}


def is_sparse(answer, weight, sparsity):
    assert answer.dtype == torch.bool and answer.shape == weight.shape and 0 <= sparsity <= 1
    assert not weight.isnan().any() and weight.is_floating_point()
    values = weight.double().abs().flatten().tolist()
    gone = sorted(range(len(values)), key=values.__getitem__)[: round(sparsity * len(values))]
    assert answer.flatten().tolist() == [i not in set(gone) for i in range(len(values))]


def draw_weight(rng):
    return {"weight": torch.randn(sizes(rng, 2)), "per_row": rng.random() < 0.5}


def is_quantized(answer, weight, per_row):
    assert isinstance(per_row, bool) and weight.isfinite().all() and weight.ndim == 2
    scales = answer.scale.double().expand(len(weight), 1)
    for row, codes, scale in zip(weight.double(), answer.codes, scales, strict=True):
        most = (row if per_row else weight.double()).abs().max()
        near(scale[0], most / 127 if most > 0 else torch.tensor(1.0))
        assert (codes.double() - row / scale).abs().max() <= (
            0.5 if weight.dtype == torch.float32 else 2
        ) + 1e-3


def draw_quantized(rng):
    return {"quantised": compression.quantize(torch.randn(sizes(rng, 2)))}


def is_dequantized(answer, quantised):
    assert quantised.codes.dtype == torch.int8
    near(answer, quantised.codes.double() * quantised.scale.double())


def draw_grouped(rng):
    group = rng.choice([2, 4])
    return {"weight": torch.randn(rng.randint(1, 3), group * rng.randint(1, 3)), "group": group}


def unpacked(codes, group):
    """Integers from -8 to 7, a row for each group: half of it from the low bits, half from the high."""
    bytes_ = codes.reshape(-1, group // 2).tolist()
    rows = [[*(b % 16 - 8 for b in row), *(b // 16 - 8 for b in row)] for row in bytes_]
    return torch.tensor(rows).double()


def is_packed(answer, weight, group):
    assert group > 0 and group % 2 == 0 and weight.isfinite().all() and weight.ndim == 2
    assert answer.codes.shape == (len(weight), weight.shape[1] // 2)
    codes = unpacked(answer.codes, group)
    bound = 0.5 if weight.dtype == torch.float32 else 2
    groups, scales = weight.double().reshape(-1, group), answer.scale.double().flatten()
    for row, own, scale in zip(groups, codes, scales, strict=True):
        near(scale, row.abs().max() / 7 if row.any() else torch.tensor(1.0))
        assert (own - row / scale).abs().max() <= bound + 1e-3


def draw_packed(rng):
    return {"packed": compression.quantize_int4(**draw_grouped(rng))}


def is_unpacked(answer, packed):
    assert packed.codes.dtype == torch.uint8
    codes = unpacked(packed.codes, answer.shape[1] // packed.scale.shape[1])
    near(answer, (codes * packed.scale.double().reshape(-1, 1)).reshape(answer.shape))


def draw_softened(rng):
    shape = sizes(rng, 2)
    return {"student": torch.randn(shape), "teacher": torch.randn(shape), "temperature": 2.0}


def is_softened(answer, student, teacher, temperature):
    assert 0 < temperature < math.inf and student.shape == teacher.shape
    p, q = ((x.double() / temperature).softmax(-1) for x in (teacher, student))
    near(answer, temperature**2 * (p * (p / q).log()).nansum() / len(p)) if small(p, q) else None


def small(*tensors):
    return all((x > 1e-30).all() for x in tensors)


def draw_distilled(rng):
    drawn = draw_softened(rng)
    n, size = drawn["student"].shape
    return {**drawn, "target": torch.randint(0, size, (n,)), "share": 0.5}


def is_distilled(answer, student, teacher, target, temperature, share):
    assert 0 <= share <= 1 and target.shape == (len(student),)
    p, q = ((x.double() / temperature).softmax(-1) for x in (teacher, student))
    soft = temperature**2 * (p * (p / q).log()).sum() / len(p)
    chosen = student.double().log_softmax(-1).gather(1, target.long()[:, None])
    assert not target.is_floating_point() and (target >= 0).all()
    near(answer, share * soft - (1 - share) * chosen.mean()) if small(p, q) else None


def draw_rank(rng):
    return {"x": torch.randn(sizes(rng, 2)), "share": rng.choice([0.5, 0.9, 1.0])}


def is_rank(answer, x, share):
    assert 0 < share <= 1 and x.isfinite().all() and x.any()
    energy = torch.linalg.eigvalsh(x.double().T @ x.double()).flip(0).clamp(min=0)
    shares = (energy.cumsum(0) / energy.sum()).tolist()
    wanted = [n for n, s in enumerate(shares, 1) if s >= share - 1e-4]
    beyond = [n for n, s in enumerate(shares, 1) if s >= share + 1e-4] or [len(shares)]
    assert wanted[0] <= answer <= beyond[0]


def draw_model(rng):
    return {"model": built(MaskedLM, PLAIN), rng.choice(["sparsity"]): rng.choice([0.0, 0.5, 1.0])}


def is_pruned(answer, model, sparsity):
    assert isinstance(model, nn.Module) and 0 <= sparsity <= 1
    for (_, layer), (_, whole) in zip(
        compression.matrices(answer), compression.matrices(model), strict=True
    ):
        gone = round(sparsity * whole.weight.numel())
        assert int((layer.weight == 0).sum()) == gone
        kept = layer.weight != 0
        assert layer.weight[kept].equal(whole.weight[kept])


def draw_units(rng):
    return {"model": built(MaskedLM, PLAIN), "share": rng.choice([0.0, 0.25, 0.5])}


def is_smaller(answer, model, share):
    assert 0 <= share <= 1
    n = round((1 - share) * 12)
    for block in answer.encoder.blocks:
        assert block.feed_forward.expand.weight.shape == (n, 8)
        assert block.feed_forward.contract.weight.shape == (8, n)


def draw_fake(rng):
    return {"model": built(MaskedLM, PLAIN), "per_row": rng.random() < 0.5}


def is_fake(answer, model, per_row):
    copied, size = answer
    assert isinstance(per_row, bool)
    expected = 0
    for p, q in zip(copied.parameters(), model.parameters(), strict=True):
        if q.ndim == 2:
            top = q.abs().amax(1, keepdim=True) if per_row else q.abs().max()
            assert (p - q).abs().le(top / 127 / 2 + 1e-6).all()
            expected += q.numel() + 4 * (len(q) if per_row else 1)
        else:
            assert p.equal(q)
            expected += 4 * q.numel()
    assert size == expected


TARGETS = [
    Target(StackConfig, draw_stack, is_stack),
    Target(EncoderConfig, draw_encoder_config, is_encoder_config),
    Target(ModernConfig, draw_modern_config, is_modern_config, sizes=("d_model",)),
    Target(TextMAEConfig, draw_text_config, is_text_config),
    Target(Seq2SeqConfig, draw_pair_config, is_pair_config),
    Target(ImageMAEConfig, draw_image_config, is_image_config),
    Target(seeded_init, draw_init, is_init),
    Target(encode, draw_encoder, is_encoded, name="Encoder"),
    Target(run_stack, draw_vectors, is_run, name="BlockStack"),
    Target(language_model, draw_masked, is_language_model, name="MaskedLM"),
    Target(modern_encoder, draw_tokens, is_modern, name="ModernEncoder"),
    Target(modern_model, draw_modern, is_modern_model, name="ModernMaskedLM"),
    Target(text_mae_of, draw_text, is_text_mae, name="TextMAE"),
    Target(retro, draw_retro, is_retro, name="RetroMAE"),
    Target(pair_logits, draw_pairs, is_pair_logits, name="Seq2Seq", fixed=("causal",)),
    Target(image_of, draw_images, is_image_mae, name="ImageMAE"),
    Target(
        features,
        lambda rng: {"images": torch.rand(2, 3, 4, 6)},
        is_features,
        name="ImageMAE.features",
    ),
    Target(text_mae.keep_visible, draw_kept, is_kept),
    Target(image_mae.patchify, draw_patchify, is_patchify),
    Target(image_mae.unpatchify, draw_unpatchify, is_unpatchify),
    Target(image_mae.random_masking, draw_masking, is_masking),
    Target(image_mae.block_noise, draw_block, is_block, sizes=("rows", "columns")),
    Target(image_mae.grid_noise, draw_grid, is_grid, sizes=("rows", "columns")),
    Target(image_mae.sincos_positions, draw_waves, is_waves, sizes=("d_model", "rows", "columns")),
    Target(image_mae.normalised_patches, draw_patches, is_normalised),
    Target(image_mae.mean_and_spread, draw_patches, is_mean_and_spread),
    Target(image_mae.patch_loss, draw_loss, is_patch_loss),
    Target(image_mae.put_back, draw_put_back, is_put_back),
    Target(image_mae.filled_in, draw_filled, is_filled),
    Target(classify, draw_head, is_class, name="SequenceClassifier"),
    Target(tag, draw_head, is_tags, name="TokenClassifier"),
    Target(spans, draw_span, is_span, name="SpanExtractor"),
    Target(heads.mean_over_tokens, draw_mean, is_mean),
    Target(heads.best_spans, draw_best, is_best),
    Target(inspection.top_answers, draw_top, is_top),
    Target(lenses, draw_lens, is_lens, name="logit_lens"),
    Target(inspection.copy_scores, draw_copy, is_copy),
    Target(vit_mae.imagenet_normalise, draw_colours, is_coloured),
    Target(vit_mae.imagenet_restore, draw_colours, is_restored),
    Target(compression.magnitude_mask, draw_sparse, is_sparse),
    Target(compression.quantize, draw_weight, is_quantized),
    Target(compression.dequantize, draw_quantized, is_dequantized),
    Target(compression.quantize_int4, draw_grouped, is_packed),
    Target(compression.dequantize_int4, draw_packed, is_unpacked),
    Target(compression.softened_loss, draw_softened, is_softened),
    Target(compression.distillation_loss, draw_distilled, is_distilled),
    Target(compression.prune, draw_model, is_pruned),
    Target(compression.drop_units, draw_units, is_smaller),
    Target(compression.fake_quantize, draw_fake, is_fake),
    Target(probing.effective_rank, draw_rank, is_rank),
]
WITHOUT_ORACLE: dict[str, str] = {}  # title: why nothing can be compared with
NOT_FUZZED: dict[str, str] = {  # name: why (a constant type, a Protocol)
    "load_pretrained": "reads the files that ship with the course; tests/test_models.py",
}
