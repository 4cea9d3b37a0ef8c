"""Lesson 9: masked autoencoders. Small images, and a small model whose parts are used one by one."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from mlm_course.models import StackConfig
from mlm_course.models import image_mae as package
from mlm_course.models.image_mae import EPS, ImageMAE, ImageMAEConfig
from mlm_course.practice.exercise import Exercise, Function, Misconception, Question

TITLE = "Masked autoencoders"


def patchify(images: Tensor, patch_size: int) -> Tensor:
    return package.patchify(images, patch_size)


def shuffle(noise: Tensor, ratio: float) -> tuple[Tensor, Tensor, Tensor]:
    keep = max(1, int(noise.shape[1] * (1 - ratio)))
    masking = package.random_masking(noise[..., None], ratio, noise)
    return noise.argsort(1)[:, :keep], masking.mask, masking.ids_restore


def put_back(visible: Tensor, ids_restore: Tensor, mask_token: Tensor) -> Tensor:
    return package.put_back(visible, ids_restore, mask_token[None, None])


def normalise(patches: Tensor) -> Tensor:
    return package.normalised_patches(patches)


def patch_loss(predicted: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    return package.patch_loss(predicted, target, mask)


def encode(
    mae: ImageMAE, images: Tensor, ratio: float, noise: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    visible, mask, ids_restore = mae.encode(images, ratio, noise)
    return visible, mask, ids_restore


def loss_of(mae: ImageMAE, images: Tensor, ratio: float, noise: Tensor) -> Tensor:
    reconstruction = mae(images, ratio, noise)
    return package.patch_loss(reconstruction.patches, reconstruction.target, reconstruction.mask)


# ---------------------------------------------------------------- inputs


def _whole(g: torch.Generator, low: int, high: int) -> int:
    return int(torch.randint(low, high, (1,), generator=g))


def _images(g: torch.Generator) -> tuple[Tensor, int]:
    """Three channels, and neither the images nor their grids of patches are square."""
    patch_size, rows = _whole(g, 2, 4), _whole(g, 2, 4)
    height, width = rows * patch_size, (rows + 2) * patch_size
    return torch.rand(2, 3, height, width, generator=g), patch_size


def _noise(g: torch.Generator) -> tuple[Tensor, float]:
    """At .95 none of so few patches would be left."""
    ratio = (0.4, 0.7, 0.95)[_whole(g, 0, 3)]
    return torch.rand(4, _whole(g, 8, 12), generator=g), ratio


def _latent(g: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    ids_restore = torch.rand(3, 7, generator=g).argsort(1)
    return torch.randn(3, 3, 5, generator=g), ids_restore, torch.randn(5, generator=g)


def _patches(g: torch.Generator) -> tuple[Tensor]:
    """Patches of different brightness and contrast; one nearly flat, and one of a single colour."""
    contrast = 10 ** (2 * torch.rand(2, 5, 1, generator=g) - 2)
    patches = torch.rand(2, 5, 1, generator=g) + contrast * torch.randn(2, 5, 6, generator=g)
    patches[0, 1] = patches[0, 1].mean() + 0.001 * torch.randn(6, generator=g)
    patches[1, 2] = 0.25
    return (patches,)


def _guesses(g: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Two, three and five of seven patches are removed, and some guesses are better than others."""
    mask = torch.zeros(3, 7)
    for row, count in enumerate((2, 3, 5)):
        mask[row, torch.randperm(7, generator=g)[:count]] = 1
    target = torch.rand(3, 7, 6, generator=g)
    spread = torch.tensor([0.1, 0.5, 1.0])[:, None, None]
    return target + spread * torch.randn(3, 7, 6, generator=g), target, mask


def _model_and_images(g: torch.Generator) -> tuple[ImageMAE, Tensor, float, Tensor]:
    """A model as wide in the decoder as in the encoder, so that a mask token fits into both."""
    part = StackConfig(d_model=8, n_layers=1, n_heads=2, d_ff=12)
    mae = ImageMAE(ImageMAEConfig(6, 8, 2, 2, encoder=part, decoder=part))
    with torch.no_grad():
        for parameter in mae.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=g))
    return mae.eval(), torch.rand(3, 2, 6, 8, generator=g), 0.7, torch.rand(3, 12, generator=g)


# ---------------------------------------------------------------- slips


def _cut(order: str, columns_first: bool = False) -> Function:
    """Patches whose numbers come in another order; `order` of channel c, row p, column q."""

    def run(images, patch_size):
        B, C, H, W = images.shape
        P = patch_size
        x = images.reshape(B, C, H // P, P, W // P, P)
        place = {"c": 1, "p": 3, "q": 5}
        grid = (4, 2) if columns_first else (2, 4)
        x = x.permute(0, *grid, *[place[letter] for letter in order])
        return x.reshape(B, (H // P) * (W // P), P * P * C)

    return run


def _only_reshaped(images, patch_size):
    return images.reshape(len(images), -1, patch_size**2 * images.shape[1])


def _rows_of_pixels(images, patch_size):
    pixels = images.permute(0, 2, 3, 1)
    return pixels.reshape(len(images), -1, patch_size**2 * images.shape[1])


def _wrong_shuffle(
    count: Function = lambda n, ratio: max(1, int(n * (1 - ratio))),
    order: Function = lambda noise: noise.argsort(1),
    restore: Function = lambda ids: ids.argsort(1),
    mask_of: Function = lambda place, keep: (place >= keep).float(),
    kept: Function = lambda ids, keep: ids[:, :keep],
) -> Function:
    def run(noise, ratio):
        keep = count(noise.shape[1], ratio)
        ids = order(noise)
        ids_restore = restore(ids)
        return kept(ids, keep), mask_of(ids_restore, keep), ids_restore

    return run


def _one_for_all(noise):
    return noise[:1].argsort(1).expand(len(noise), -1)


def _mask_not_restored(place, keep):
    return (torch.arange(place.shape[1]) >= keep).float().expand(place.shape)


def _filled(visible, ids_restore, token):
    B, K, D = visible.shape
    return torch.cat([visible, token.expand(B, ids_restore.shape[1] - K, D)], 1)


def _gathered(x, ids):
    return x.gather(1, ids[..., None].expand(-1, -1, x.shape[-1]))


def _tokens_first(visible, ids_restore, token):
    x = _filled(visible, ids_restore, token)
    return _gathered(torch.cat([x[:, visible.shape[1] :], visible], 1), ids_restore)


def _spread(patches, unbiased=True):
    return patches.var(-1, keepdim=True, unbiased=unbiased)


def _centred(patches):
    return patches - patches.mean(-1, keepdim=True)


def _errors(predicted, target):
    return (predicted - target).square().mean(-1)


def _wrong_encode(
    before: Function = lambda x, positions: x + positions,
    after: Function = lambda x, shuffled, mae: x,
    cls_first: bool = True,
    early: bool = False,
    encoded: bool = True,
    places: slice = slice(1, None),
) -> Function:
    """before: what is done to all patches; after: to those that stay; early: encoded before.

    encoded: at all; places: which position vectors are added.
    """

    def run(mae, images, ratio, noise):
        x = before(mae.embed(package.patchify(images, 2)), mae.positions[places])
        cls = mae.cls_token.expand(len(x), -1, -1)
        if early:
            x = mae.encoder(torch.cat([cls, x], 1))
            cls, x = x[:, :1], x[:, 1:]
        shuffled = package.random_masking(x, ratio, noise)
        x = after(shuffled.visible, shuffled, mae)
        x = torch.cat([cls, x] if cls_first else [x, cls], 1)
        x = mae.encoder(x) if encoded and not early else x
        return x, shuffled.mask, shuffled.ids_restore

    return run


def _without_cls(mae, images, ratio, noise):
    x = mae.embed(package.patchify(images, 2)) + mae.positions[1:]
    shuffled = package.random_masking(x, ratio, noise)
    return mae.encoder(shuffled.visible), shuffled.mask, shuffled.ids_restore


def _all_encoded(mae, images, ratio, noise):
    x = mae.embed(package.patchify(images, 2)) + mae.positions[1:]
    _, mask, ids_restore = package.random_masking(x, ratio, noise)
    return mae.encoder(torch.cat([mae.cls_token.expand(len(x), -1, -1), x], 1)), mask, ids_restore


def _cls_before_masking(mae, images, ratio, noise):
    x = mae.embed(package.patchify(images, 2))
    x = torch.cat([mae.cls_token.expand(len(x), -1, -1), x], 1) + mae.positions
    shuffled = package.random_masking(x, ratio, noise)
    return mae.encoder(shuffled.visible), shuffled.mask, shuffled.ids_restore


def _cls_shuffled_too(mae, images, ratio, noise):
    x = mae.embed(package.patchify(images, 2))
    x = torch.cat([mae.cls_token.expand(len(x), -1, -1), x], 1) + mae.positions
    noise = torch.cat([noise.new_zeros(len(x), 1), noise], 1)
    shuffled = package.random_masking(x, ratio, noise)
    return mae.encoder(shuffled.visible), shuffled.mask, shuffled.ids_restore


def _zeros_for_removed(mae, images, ratio, noise):
    x = mae.embed(package.patchify(images, 2)) + mae.positions[1:]
    _, mask, ids_restore = package.random_masking(x, ratio, noise)
    x = torch.cat([mae.cls_token.expand(len(x), -1, -1), x * (1 - mask[..., None])], 1)
    return mae.encoder(x), mask, ids_restore


def _mask_tokens_inside(x, shuffled, mae):
    x = package.put_back(x, shuffled.ids_restore, mae.mask_token)
    return x + shuffled.mask[..., None] * mae.positions[1:]


def _raw_mask_tokens_inside(x, shuffled, mae):
    return package.put_back(x, shuffled.ids_restore, mae.mask_token)


def _wrong_loss(
    fill: Function = package.put_back,
    place: Function = lambda x, positions: x + positions,
    drop: Function = lambda x: x[:, 1:],
    loss: Function = package.patch_loss,
    use: Function = lambda latent, mae: mae.to_decoder(latent),
    decode: Function = lambda x, mae: mae.decoder(x),
) -> Function:
    """The whole model with another way to fill, to place, to drop [CLS], or to judge."""

    def run(mae, images, ratio, noise):
        latent, mask, ids_restore = mae.encode(images, ratio, noise)
        x = use(latent, mae)
        x = torch.cat([x[:, :1], fill(x[:, 1:], ids_restore, mae.mask_token)], 1)
        x = decode(place(x, mae.decoder_positions), mae)
        return loss(drop(mae.to_pixels(x)), package.patchify(images, 2), mask)

    return run


def _positions_before_filling(mae, images, ratio, noise):
    latent, mask, ids_restore = mae.encode(images, ratio, noise)
    x = mae.to_decoder(latent)
    x = x + mae.decoder_positions[: x.shape[1]]
    x = torch.cat([x[:, :1], package.put_back(x[:, 1:], ids_restore, mae.mask_token)], 1)
    predicted = mae.to_pixels(mae.decoder(x))[:, 1:]
    return package.patch_loss(predicted, package.patchify(images, 2), mask)


def _filled_before_narrowing(mae, images, ratio, noise):
    latent, mask, ids_restore = mae.encode(images, ratio, noise)
    filled = package.put_back(latent[:, 1:], ids_restore, mae.mask_token)
    x = mae.to_decoder(torch.cat([latent[:, :1], filled], 1))
    predicted = mae.to_pixels(mae.decoder(x + mae.decoder_positions))[:, 1:]
    return package.patch_loss(predicted, package.patchify(images, 2), mask)


def _cls_among_patches(cls_again: bool) -> Function:
    """All vectors put back, [CLS] among them; cls_again: and in front as well."""

    def run(mae, images, ratio, noise):
        latent, mask, ids_restore = mae.encode(images, ratio, noise)
        x = mae.to_decoder(latent)
        filled = package.put_back(x, ids_restore, mae.mask_token)
        x = torch.cat([x[:, :1], filled], 1) if cls_again else filled
        predicted = mae.to_pixels(mae.decoder(x + mae.decoder_positions))[:, 1:]
        return package.patch_loss(predicted, package.patchify(images, 2), mask)

    return run


def _cls_dropped_early(mae, images, ratio, noise):
    latent, mask, ids_restore = mae.encode(images, ratio, noise)
    x = package.put_back(mae.to_decoder(latent)[:, 1:], ids_restore, mae.mask_token)
    predicted = mae.to_pixels(mae.decoder(x + mae.decoder_positions[1:]))
    return package.patch_loss(predicted, package.patchify(images, 2), mask)


def _loss_of_normalised(predicted, target, mask):
    return package.patch_loss(predicted, package.normalised_patches(target), mask)


def _in_shuffled_order(visible, ids_restore, token):
    return _filled(visible, ids_restore, token[0, 0])


def _shuffled_again(visible, ids_restore, token):
    return package.put_back(visible, ids_restore.argsort(1), token)


def _loss_over_all(predicted, target, mask):
    return F.mse_loss(predicted, target)


def _loss_over_visible(predicted, target, mask):
    return package.patch_loss(predicted, target, 1 - mask)


EXERCISES = (
    Exercise(
        id="9.1",
        minutes=12,
        prompt="Patches",
        reference=patchify,
        inputs=_images,
        hints=(
            "Cut each side in two axes: which patch, and where in it. Then bring the axes into the "
            "order in which they are to be read.",
            "reshape to (B, C, rows, P, columns, P); permute to (B, rows, columns, P, P, C); reshape "
            "to (B, rows * columns, P * P * C).",
            "x = images.reshape(B, C, H // P, P, W // P, P).permute(0, 2, 4, 3, 5, 1); return "
            "x.reshape(B, -1, P * P * C)",
        ),
        misconceptions=(
            Misconception(
                _only_reshaped,
                "A reshape alone takes the numbers as they lie in memory, one channel after the other "
                "and row after row: pieces of rows, not squares. Cut both sides in two axes first, then "
                "permute.",
            ),
            Misconception(
                _rows_of_pixels,
                "The channels are in place, but your pieces are runs of pixels of one row, not squares: "
                "cut height and width into (patch, place in it) before you permute.",
            ),
            Misconception(
                _cut("cpq"),
                "The patches are right, but within them one channel comes after the other. The numbers "
                "of one pixel stand together: the channel is the last axis.",
            ),
            Misconception(
                _cut("pqc", columns_first=True),
                "The patches come column by column. Read them row by row: the axis of the rows goes "
                "before that of the columns.",
            ),
            Misconception(
                _cut("qpc"),
                "Each patch lies on its side: within it, rows come before columns.",
            ),
            Misconception(
                _cut("cqp"),
                "Within a patch the order should be row, column, channel; yours is channel, column, "
                "row.",
            ),
        ),
    ),
    Exercise(
        id="9.2",
        minutes=10,
        prompt="Shuffle, keep, remember",
        reference=shuffle,
        inputs=_noise,
        trials=12,
        hints=(
            "argsort of the noise says which patch comes to which place. The first few stay.",
            "ids_shuffle = noise.argsort(1), and ids_restore = ids_shuffle.argsort(1), which says to "
            "which place each patch went. Who went to a place from `keep` on is removed.",
            "keep = max(1, int(L * (1 - ratio))); return ids_shuffle[:, :keep], (ids_restore >= "
            "keep).float(), ids_restore",
        ),
        misconceptions=(
            Misconception(
                _wrong_shuffle(order=_one_for_all),
                "Every image has lost the same patches: one shuffle for the whole batch. Sort each row "
                "of the noise by itself.",
            ),
            Misconception(
                _wrong_shuffle(
                    restore=lambda ids: ids,
                    mask_of=lambda place, keep: (place.argsort(1) >= keep).float(),
                ),
                "Your ids_restore is the shuffle itself. It has to undo it: argsort once more.",
            ),
            Misconception(
                _wrong_shuffle(restore=lambda ids: ids),
                "Your ids_restore is the shuffle itself, and the mask made from it marks the wrong "
                "patches. argsort once more: that says to which place each patch went.",
            ),
            Misconception(
                _wrong_shuffle(count=lambda n, ratio: int(n * (1 - ratio))),
                "At high ratios no patch at all is left, and the encoder has nothing to see: keep at "
                "least one.",
            ),
            Misconception(
                _wrong_shuffle(count=lambda n, ratio: max(1, round(n * (1 - ratio)))),
                "You keep one patch more where the share is not an integer: int() cuts off, "
                "round() and math.ceil() do not.",
                also=(_wrong_shuffle(count=lambda n, ratio: math.ceil(n * (1 - ratio))),),
            ),
            Misconception(
                _wrong_shuffle(order=lambda noise: noise.argsort(1, descending=True)),
                "You sorted from large to small. The patches with the smallest noise stay.",
            ),
            Misconception(
                _wrong_shuffle(count=lambda n, ratio: max(1, int(n * ratio))),
                "You keep the share `ratio`. That is the share to be removed: 1 - ratio stays.",
            ),
            Misconception(
                _wrong_shuffle(mask_of=lambda place, keep: (place < keep).float()),
                "Your mask is the other way round: 1 means removed.",
            ),
            Misconception(
                _wrong_shuffle(mask_of=_mask_not_restored),
                "Your mask is in shuffled order: the first `keep` places are 0 in every row. Ask where "
                "each patch went: ids_restore >= keep.",
            ),
            Misconception(
                _wrong_shuffle(mask_of=lambda place, keep: (place.argsort(1) >= keep).float()),
                "Your mask compares ids_shuffle with `keep`: those are names of patches, not places. "
                "Ask to which place each patch went: ids_restore >= keep.",
            ),
            Misconception(
                _wrong_shuffle(kept=lambda ids, keep: ids.argsort(1)[:, :keep]),
                "You return the first entries of ids_restore: the places to which patches 0, 1, ... "
                "went. Which patches stay is said by the first entries of ids_shuffle.",
            ),
            Misconception(
                _wrong_shuffle(mask_of=lambda place, keep: place >= keep),
                "The mask is right but boolean. The loss will multiply by it: return it as floats.",
            ),
            Misconception(
                _wrong_shuffle(kept=lambda ids, keep: ids[:, :keep].sort(1).values),
                "You sorted the patches that stay. Then ids_restore no longer says where they are: "
                "leave them in shuffled order.",
            ),
        ),
    ),
    Exercise(
        id="9.3",
        minutes=8,
        prompt="Put back",
        reference=put_back,
        inputs=_latent,
        hints=(
            "First make the shuffled row complete: the visible vectors, then mask tokens. Then undo "
            "the shuffle.",
            "torch.cat([visible, mask_token.expand(B, L - K, D)], 1) is (B, L, D). gather along axis "
            "1 needs an index of the same shape: ids_restore[..., None].expand(-1, -1, D).",
            "return torch.cat([visible, mask_token.expand(B, L - K, D)], 1).gather(1, "
            "ids_restore[..., None].expand(-1, -1, D))",
        ),
        misconceptions=(
            Misconception(
                _filled,
                "The row is complete, but still shuffled: the visible vectors stand in front. Undo the "
                "shuffle with gather and ids_restore.",
            ),
            Misconception(
                lambda v, ids, t: _gathered(_filled(v, ids, t), ids.argsort(1)),
                "You shuffled a second time: ids_restore is inverted already, so gather with it as it "
                "is.",
            ),
            Misconception(
                lambda v, ids, t: _filled(v, ids, t)[:, ids[0]],
                "You undid the first image's shuffle for all of them. Each image has its own: gather.",
            ),
            Misconception(
                _tokens_first,
                "Your mask tokens stand before the visible vectors. In shuffled order those that stay "
                "come first.",
            ),
            Misconception(
                lambda v, ids, t: _gathered(_filled(v, ids, torch.zeros_like(t)), ids),
                "The gaps hold zeros. Put the mask token there: it is learnt, zeros are not.",
            ),
            Misconception(
                lambda v, ids, t: _filled(v, ids, t)[:, :, : v.shape[1]].gather(
                    1, ids[..., None].expand(-1, -1, v.shape[1])
                ),
                "Some of each vector's D numbers are missing: expand the index to D, not to K.",
            ),
        ),
    ),
    Exercise(
        id="9.4",
        minutes=6,
        prompt="Each patch by itself",
        reference=normalise,
        inputs=_patches,
        hints=(
            "Mean and variance of one patch run over its own numbers, the last axis.",
            "patches.mean(-1, keepdim=True) is (B, L, 1), and so is var; the eps goes into the root.",
            "return (patches - mean) / (patches.var(-1, keepdim=True) + 1e-6).sqrt()",
        ),
        misconceptions=(
            Misconception(
                lambda p: _centred(p) / (_spread(p, unbiased=False) + EPS).sqrt(),
                "Your variance is divided by n (biased). MAE divides by n - 1, as Tensor.var does "
                "unless told otherwise.",
            ),
            Misconception(
                lambda p: _centred(p) / (_spread(p).sqrt() + EPS),
                "The 1e-6 belongs inside the root, beside the variance: on a nearly flat patch that is "
                "a large difference.",
            ),
            Misconception(
                lambda p: _centred(p) / _spread(p).sqrt(),
                "A patch of one colour has variance 0, and 0 / 0 is not a number: add 1e-6 to the "
                "variance.",
            ),
            Misconception(
                lambda p: _centred(p) / (_spread(p) + EPS),
                "You divided by the variance. Divide by its root, the standard deviation.",
            ),
            Misconception(
                lambda p: (
                    (p - p.mean((1, 2), keepdim=True)) / (p.var((1, 2), keepdim=True) + EPS).sqrt()
                ),
                "Mean and variance are those of the whole image. Each patch has its own: the last axis "
                "only.",
            ),
            Misconception(
                lambda p: (p - p.mean(1, keepdim=True)) / (p.var(1, keepdim=True) + EPS).sqrt(),
                "You averaged over the patches, one number in the patch at a time. Average over a "
                "patch's own numbers: axis -1.",
            ),
            Misconception(
                lambda p: p / (_spread(p) + EPS).sqrt(),
                "The mean is still in: subtract it first.",
            ),
            Misconception(
                _centred,
                "The mean is out, but the variance is not 1 yet: divide by the root of variance + 1e-6.",
            ),
        ),
    ),
    Exercise(
        id="9.5",
        minutes=5,
        prompt="The loss",
        reference=patch_loss,
        inputs=_guesses,
        hints=(
            "First one error for each patch. Then the mean over those that were removed.",
            "(predicted - target).square().mean(-1) is (B, L), and so is the mask: multiply, add up, "
            "divide by how many were removed.",
            "return (errors * mask).sum() / mask.sum()",
        ),
        misconceptions=(
            Misconception(
                lambda p, t, m: _errors(p, t).mean(),
                "This is the mean over all patches. The encoder saw the visible ones: count the removed "
                "patches only.",
            ),
            Misconception(
                lambda p, t, m: (_errors(p, t) * (1 - m)).sum() / (1 - m).sum(),
                "This is the loss of the visible patches. In the mask, 1 means removed.",
            ),
            Misconception(
                lambda p, t, m: (_errors(p, t) * m).mean(),
                "The sum is right, but it is divided by the number of all patches. Divide by "
                "mask.sum().",
            ),
            Misconception(
                lambda p, t, m: (_errors(p, t) * m).sum(),
                "This is a sum. Divide it by the number of removed patches, mask.sum().",
            ),
            Misconception(
                lambda p, t, m: ((_errors(p, t) * m).sum(1) / m.sum(1)).mean(),
                "You took a mean for each image and the mean of these. Each removed patch should count "
                "the same: one mean over all of them.",
            ),
            Misconception(
                lambda p, t, m: ((p - t).square().sum(-1) * m).sum() / m.sum(),
                "You added up the squared errors of a patch's numbers. Take their mean, .mean(-1).",
            ),
            Misconception(
                lambda p, t, m: ((p - t).abs().mean(-1) * m).sum() / m.sum(),
                "These are absolute errors. Square the differences.",
            ),
        ),
    ),
    Exercise(
        id="9.6",
        minutes=10,
        prompt="An encoder that sees little",
        reference=encode,
        inputs=_model_and_images,
        hints=(
            "Position first, shuffle second, [CLS] third, encoder last.",
            "x = mae.embed(patches) + mae.positions[1:]; random_masking(x, ratio, noise) returns "
            "visible, mask and ids_restore; [CLS] is mae.cls_token.expand(B, -1, -1).",
            "return mae.encoder(torch.cat([mae.cls_token.expand(B, -1, -1), visible], 1)), mask, "
            "ids_restore",
        ),
        misconceptions=(
            Misconception(
                _wrong_encode(
                    before=lambda x, positions: x,
                    after=lambda x, shuffled, mae: x + mae.positions[1 : 1 + x.shape[1]],
                ),
                "Positions came after the shuffle: the patch that stays first gets position 1, wherever "
                "it stood. Add them to all patches before any is removed.",
            ),
            Misconception(
                _wrong_encode(before=lambda x, positions: x),
                "The positions are missing. Without them the encoder cannot know where a patch stood.",
            ),
            Misconception(
                _wrong_encode(after=_mask_tokens_inside),
                "The mask token is in your encoder: it works on all L places, and sees something that no "
                "real image has. Give it the visible patches only.",
                also=(_wrong_encode(after=_raw_mask_tokens_inside),),
            ),
            Misconception(
                _zeros_for_removed,
                "You set the removed patches to 0 and let the encoder work on all L places. Take them "
                "out: `visible` is shorter.",
            ),
            Misconception(
                _all_encoded,
                "Your encoder got all patches. Pass on `visible`, what random_masking returns first.",
            ),
            Misconception(
                _wrong_encode(encoded=False),
                "These vectors have not been through the encoder yet: pass [CLS] and the visible "
                "patches to `mae.encoder`.",
            ),
            Misconception(
                _wrong_encode(places=slice(None, -1)),
                "Each patch got the position of the one before it. Row 0 of `mae.positions` is "
                "[CLS]'s, the patches' begin at row 1: `mae.positions[1:]`.",
            ),
            Misconception(
                _wrong_encode(early=True),
                "The encoder saw all patches, and only then some were removed: the visible vectors know "
                "what is to be guessed. Remove first, encode afterwards.",
            ),
            Misconception(
                _without_cls,
                "[CLS] is missing: put mae.cls_token in front of the visible patches.",
            ),
            Misconception(
                _wrong_encode(cls_first=False),
                "[CLS] stands behind the patches. It goes in front.",
            ),
            Misconception(
                _cls_shuffled_too,
                "[CLS] was shuffled with the patches, so mask and ids_restore have a place too many. "
                "Add it after the masking.",
            ),
            Misconception(
                _cls_before_masking,
                "[CLS] was there before the masking, and the noise has no number for it. Put it in "
                "front of the visible patches, after random_masking.",
            ),
        ),
    ),
    Exercise(
        id="9.7",
        minutes=12,
        prompt="The whole model",
        reference=loss_of,
        inputs=_model_and_images,
        hints=(
            "Five steps: encode; into the decoder's width; put back; decode; judge. [CLS] goes through "
            "the decoder, but it is no patch.",
            "x = mae.to_decoder(latent), (B, 1+K, D). Put back x[:, 1:] only, then [CLS] in front "
            "again, then + mae.decoder_positions.",
            "predicted = mae.to_pixels(mae.decoder(x + mae.decoder_positions))[:, 1:]; return "
            "package.patch_loss(predicted, package.patchify(images, mae.config.patch_size), mask)",
        ),
        misconceptions=(
            Misconception(
                _wrong_loss(loss=_loss_over_all),
                "All is right but the last step: the loss runs over all patches. Removed ones only.",
            ),
            Misconception(
                _wrong_loss(loss=_loss_over_visible),
                "All is right but the last step: this is the loss of the visible patches. 1 means "
                "removed.",
            ),
            Misconception(
                _wrong_loss(fill=_in_shuffled_order),
                "The decoder got the patches in shuffled order, and its positions are wrong for nearly "
                "all of them: undo the shuffle with ids_restore.",
            ),
            Misconception(
                _wrong_loss(fill=_shuffled_again),
                "ids_restore was inverted once more, which shuffles a second time: use it as it is.",
            ),
            Misconception(
                _wrong_loss(place=lambda x, positions: x),
                "The decoder has no positions. All its mask tokens are the same vector, so it must make "
                "the same guess for all: add mae.decoder_positions.",
            ),
            Misconception(
                _positions_before_filling,
                "The decoder's positions were added before the mask tokens were put in. Those have none "
                "then, and the visible ones have wrong ones: put back first.",
            ),
            Misconception(
                _wrong_loss(drop=lambda x: x[:, :-1]),
                "You dropped the last patch instead of [CLS], so every guess is compared with its "
                "neighbour: [CLS] stands in front.",
            ),
            Misconception(
                _wrong_loss(use=lambda latent, mae: latent),
                "mae.to_decoder is missing. Here both are equally wide, so nothing breaks, but the "
                "decoder has numbers of its own.",
            ),
            Misconception(
                _wrong_loss(decode=lambda x, mae: x),
                "mae.decoder is missing: the mask tokens went to mae.to_pixels without having seen "
                "any patch.",
            ),
            Misconception(
                _filled_before_narrowing,
                "The mask token is a vector of the decoder, and yours went through mae.to_decoder. "
                "That layer first, then put back.",
            ),
            Misconception(
                _cls_among_patches(cls_again=True),
                "[CLS] was put back among the patches, so each of them moved on by one. Put back "
                "`x[:, 1:]`, then [CLS] in front again.",
            ),
            Misconception(
                _cls_among_patches(cls_again=False),
                "[CLS] was put back among the patches, and a place is missing in front. Put back "
                "`x[:, 1:]`, then `x[:, :1]` in front again.",
            ),
            Misconception(
                _cls_dropped_early,
                "[CLS] was dropped before the decoder. It goes through: in front, as in the encoder. "
                "Drop it from what comes out.",
            ),
            Misconception(
                _wrong_loss(loss=_loss_of_normalised),
                "The target is the patches as they are. Normalised ones are the variant `norm_pix`.",
            ),
        ),
    ),
)

QUIZ = (
    Question(
        id="9.q1",
        prompt="Why does MAE train faster than a model of the same size that sees mask tokens?",
        options=(
            (
                "It updates only some of its weights.",
                "Every weight gets a gradient at every step, the encoder's and the decoder's.",
            ),
            (
                "Its large encoder works on the visible quarter of the patches only.",
                "The mask tokens meet the small decoder alone.",
            ),
            (
                "Its loss is simpler to compute.",
                "The loss takes next to no time in either.",
            ),
        ),
        answer=1,
    ),
    Question(
        id="9.q2",
        prompt="ids_shuffle is [2, 0, 3, 1]: patch 2 comes first, then 0, 3, 1. What is ids_restore?",
        options=(
            ("[2, 0, 3, 1]", "That would shuffle a second time."),
            (
                "[1, 3, 0, 2]",
                "Patch 0 went to place 1, patch 1 to place 3, patch 2 to 0, patch 3 to 2.",
            ),
            ("[1, 3, 2, 0]", "That is the order read backwards."),
        ),
        answer=1,
    ),
    Question(
        id="9.q3",
        prompt="Why 75 % for images and 15 to 40 % for text?",
        options=(
            (
                "Pixels are cheaper to compute than words.",
                "What it costs does not say how hard the question is.",
            ),
            (
                "Neighbouring patches say nearly the same; words say more each.",
                "With little removed, a gap in an image can be filled from its rim.",
            ),
            (
                "Images have more patches than texts have words.",
                "196 patches an image is about the length of a paragraph.",
            ),
        ),
        answer=1,
    ),
    Question(
        id="9.q4",
        prompt="After pretraining, what is kept for a task such as classification?",
        options=(
            ("The encoder.", "It gets all patches now, none removed, and a new head."),
            ("The decoder.", "It only restores pixels, and it is thrown away."),
            (
                "Both, and the mask token.",
                "Nothing is removed any more, so there is nothing to put a mask token for.",
            ),
        ),
        answer=0,
    ),
    Question(
        id="9.q5",
        prompt="With norm_pix the model restores a patch whose colours differ from its mean in the right "
        "way, but it does not know the mean. What is in the pictures of such a model?",
        options=(
            (
                "The model's guess at the mean.",
                "It has never been asked for one.",
            ),
            (
                "The true patch's mean and spread, put back for the picture.",
                "So such a picture shows a little more than the model knows.",
            ),
            (
                "No mean at all: the pictures are grey.",
                "They could be drawn so, but then they would be hard to look at.",
            ),
        ),
        answer=1,
    ),
)
