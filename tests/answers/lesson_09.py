# %% 9.1 right
# unusual: another way
from torch.nn import functional as F

def patches_by_unfold(images, patch_size):
    cut = F.unfold(images, patch_size, stride=patch_size)  # (B, C*P*P, L), channels first
    channels = images.shape[1]
    return cut.mT.unflatten(-1, (channels, -1)).mT.flatten(-2)

# %% 9.1 right
# unusual: two plain loops over the grid, slices, stacked
def patchify(images: Tensor, patch_size: int) -> Tensor:
    P = patch_size
    H, W = images.shape[-2:]
    patches = []
    for top in range(0, H, P):
        for left in range(0, W, P):
            square = images[:, :, top : top + P, left : left + P]
            patches.append(square.movedim(1, -1).flatten(1))
    return torch.stack(patches, dim=1)

# %% 9.1 wrong
# believes: reshape alone cuts an image into squares
# says: pieces are runs along the rows, not squares
def patchify(images: Tensor, patch_size: int) -> Tensor:
    B, C, H, W = images.shape
    L = (H // patch_size) * (W // patch_size)
    return images.reshape(B, C, L, patch_size * patch_size).permute(0, 2, 3, 1).reshape(B, L, -1)

# %% 9.1 wrong
# believes: unfold gives the numbers of a patch in the order that was asked for (it has C first)
# says: one channel comes after the other
def patchify(images: Tensor, patch_size: int) -> Tensor:
    columns = torch.nn.functional.unfold(images, kernel_size=patch_size, stride=patch_size)
    return columns.transpose(1, 2)

# %% 9.1 wrong
# believes: height comes after width
# says: The patches come column by column
def patchify(images: Tensor, patch_size: int) -> Tensor:
    P = patch_size
    B, C, H, W = images.shape
    cut = images.unfold(2, P, P).unfold(3, P, P)  # (B, C, rows, columns, P, P)
    return cut.permute(0, 3, 2, 4, 5, 1).reshape(B, -1, P * P * C)

# %% 9.2 right
# unusual: another way
import torch

def shuffled_by_loop(noise, ratio):
    keep = int(noise.shape[1] * (1 - ratio)) or 1
    ids_keep, mask, ids_restore = [], torch.ones_like(noise), torch.zeros_like(noise).long()
    for row, values in enumerate(noise.tolist()):
        order = sorted(range(len(values)), key=values.__getitem__)
        ids_keep.append(order[:keep])
        for place, patch in enumerate(order):
            ids_restore[row, patch] = place
        mask[row, order[:keep]] = 0
    return torch.tensor(ids_keep), mask, ids_restore

# %% 9.2 right
# unusual: ones and zeros in shuffled order, put in place with scatter; no second argsort
def shuffle(noise: Tensor, ratio: float) -> tuple[Tensor, Tensor, Tensor]:
    B, L = noise.shape
    keep = int(L * (1 - ratio)) or 1
    ids_shuffle = torch.sort(noise, dim=1).indices
    places = torch.arange(L, device=noise.device).repeat(B, 1)
    ids_restore = torch.empty_like(ids_shuffle).scatter_(1, ids_shuffle, places)
    mask = torch.ones(B, L, device=noise.device)
    mask.scatter_(1, stays := ids_shuffle[:, :keep], 0.0)
    return stays, mask, ids_restore

# %% 9.2 wrong
# believes: the order of the shuffle already tells which patches are removed
# says: Your mask marks the places whose patch has a number from `keep` on
def shuffle(noise: Tensor, ratio: float) -> tuple[Tensor, Tensor, Tensor]:
    L = noise.shape[1]
    keep = max(1, int(L * (1 - ratio)))
    ids_shuffle = noise.argsort(dim=1)
    ids_restore = ids_shuffle.argsort(dim=1)
    mask = (ids_shuffle >= keep).float()
    return ids_shuffle[:, :keep], mask, ids_restore

# %% 9.2 wrong
# believes: rounding down the removed ones is the same as rounding down the kept ones
# says: At some ratios one patch more stays than should
def shuffle(noise: Tensor, ratio: float) -> tuple[Tensor, Tensor, Tensor]:
    L = noise.shape[1]
    keep = max(1, L - int(L * ratio))
    ids_shuffle = noise.argsort(dim=1)
    ids_restore = ids_shuffle.argsort(dim=1)
    mask = (ids_restore >= keep).float()
    return ids_shuffle[:, :keep], mask, ids_restore

# %% 9.2 wrong
# believes: undoing a shuffle is reading it backwards
# says: Your third result is the shuffle read backwards
def shuffle(noise: Tensor, ratio: float) -> tuple[Tensor, Tensor, Tensor]:
    L = noise.shape[1]
    keep = max(1, int(L * (1 - ratio)))
    order = noise.argsort(1)
    mask = torch.ones_like(noise).scatter(1, order[:, :keep], 0.0)
    return order[:, :keep], mask, order.flip(1)

# %% 9.2 wrong
# believes: the order of the results does not matter
# says: The results are right, but in another order
def shuffle(noise: Tensor, ratio: float) -> tuple[Tensor, Tensor, Tensor]:
    keep = max(1, int(noise.shape[1] * (1 - ratio)))
    order = noise.argsort(1)
    restore = order.argsort(1)
    return order[:, :keep], restore, (restore >= keep).float()

# %% 9.2 wrong
# believes: the noise is compared with the ratio
# says: Shape and dtype are right
# says: differ
def shuffle(noise: Tensor, ratio: float) -> tuple[Tensor, Tensor, Tensor]:
    keep = max(1, int(noise.shape[1] * (1 - ratio)))
    order = noise.argsort(1)
    return order[:, :keep], (noise > 1 - ratio).float(), order.argsort(1)

# %% 9.3 right
# unusual: another way
import torch

def put_back_by_loop(visible, ids_restore, mask_token):
    rows = [[v[i] if i < len(v) else mask_token for i in ids]
            for v, ids in zip(visible, ids_restore.tolist(), strict=True)]  # fmt: skip
    return torch.stack([torch.stack(row) for row in rows])

# %% 9.3 right
# unusual: writes the visible vectors to their places instead of picking
def put_back(visible: Tensor, ids_restore: Tensor, mask_token: Tensor) -> Tensor:
    B, K, D = visible.shape
    places = ids_restore.argsort(1)[:, :K]
    full = mask_token.repeat(B, ids_restore.shape[1], 1)
    full[torch.arange(B)[:, None], places] = visible
    return full

# %% 9.3 wrong
# believes: the first K entries of ids_restore say where the visible vectors belong
# says: Writing with it (scatter, or x[ids_restore] = ...) and its argsort go the other way.
def put_back(visible: Tensor, ids_restore: Tensor, mask_token: Tensor) -> Tensor:
    B, K, D = visible.shape
    L = ids_restore.shape[1]
    full = mask_token.expand(B, L, D).clone()
    index = ids_restore[:, :K, None].expand(-1, -1, D)
    return full.scatter(1, index, visible)

# %% 9.3 wrong
# believes: a boolean mask keeps track of who stood where
# says: the visible vectors stand in shuffled order from left to right
def put_back(visible: Tensor, ids_restore: Tensor, mask_token: Tensor) -> Tensor:
    B, K, D = visible.shape
    out = mask_token.repeat(B, ids_restore.shape[1], 1)
    out[ids_restore < K] = visible.reshape(-1, D)
    return out

# %% 9.4 right
# unusual: sums, a reciprocal root, the library's loss on the removed patches alone
from torch.nn import functional as F

def norm_pix_loss(predicted: Tensor, patches: Tensor, mask: Tensor) -> Tensor:
    n = patches.shape[-1]
    centred = patches - patches.sum(-1, keepdim=True) / n
    target = centred * torch.rsqrt(centred.square().sum(-1, keepdim=True) / (n - 1) + 1e-6)
    return F.mse_loss(predicted[mask > 0], target[mask > 0])

# %% 9.4 right
# unusual: var_mean, and in double precision
def norm_pix_loss(predicted: Tensor, patches: Tensor, mask: Tensor) -> Tensor:
    variance, mean = torch.var_mean(patches.double(), -1, keepdim=True)
    target = (patches - mean) / (variance + 1e-6) ** 0.5
    squares = (predicted - target) ** 2 * mask[..., None]
    return squares.sum() / (mask.sum() * patches.shape[-1])

# %% 9.4 right
# unusual: plain Python floats for the target, patch by patch
def norm_pix_loss(predicted: Tensor, patches: Tensor, mask: Tensor) -> Tensor:
    import statistics

    total, count = 0.0, 0
    for b, place in mask.nonzero().tolist():
        numbers = patches[b, place].tolist()
        mean, spread = statistics.fmean(numbers), (statistics.variance(numbers) + 1e-6) ** 0.5
        target = torch.tensor([(number - mean) / spread for number in numbers])
        difference = predicted[b, place] - target
        total = total + difference @ difference
        count += len(numbers)
    return total / count

# %% 9.4 wrong
# believes: LayerNorm without weights does it, its variance is the same
# says: The target's variance is divided by n (biased)
from torch.nn import functional as F

def norm_pix_loss(predicted: Tensor, patches: Tensor, mask: Tensor) -> Tensor:
    target = F.layer_norm(patches, patches.shape[-1:], eps=1e-6)
    return ((predicted - target).square().mean(-1) * mask).sum() / mask.sum()

# %% 9.4 wrong
# believes: multiplying by the mask leaves the removed patches' mean
# says: divided by the number of all patches
from torch.nn import functional as F

def norm_pix_loss(predicted: Tensor, patches: Tensor, mask: Tensor) -> Tensor:
    variance, mean = torch.var_mean(patches, -1, keepdim=True)
    target = (patches - mean) / (variance + 1e-6).sqrt()
    removed = mask[..., None]
    return F.mse_loss(predicted * removed, target * removed)

# %% 9.4 wrong
# believes: a loss is a number
# says: The loss is right, but no gradient flows to `predicted`
def norm_pix_loss(predicted: Tensor, patches: Tensor, mask: Tensor) -> Tensor:
    variance, mean = torch.var_mean(patches, -1, keepdim=True)
    target = (patches - mean) / (variance + 1e-6).sqrt()
    loss = ((predicted - target).square().mean(-1) * mask).sum() / mask.sum()
    return torch.tensor(loss.item())

# %% 9.4 wrong
# believes: .std is the spread, and eps is there against division by 0
# says: The 1e-6 belongs inside the root
def norm_pix_loss(predicted: Tensor, patches: Tensor, mask: Tensor) -> Tensor:
    target = (patches - patches.mean(-1, keepdim=True)) / (patches.std(-1, keepdim=True) + 1e-6)
    return ((predicted - target).square().mean(-1) * mask).sum() / mask.sum()

# %% 9.4 wrong
# believes: keepdim is only cosmetics
# says: keepdim
def norm_pix_loss(predicted: Tensor, patches: Tensor, mask: Tensor) -> Tensor:
    target = (patches - patches.mean(-1)) / (patches.var(-1) + 1e-6).sqrt()
    return ((predicted - target).square().mean(-1) * mask).sum() / mask.sum()

# %% 9.5 right
# unusual: another way
from torch.nn import functional as F
import torch

def shuffled_by_loop(noise, ratio):
    keep = int(noise.shape[1] * (1 - ratio)) or 1
    ids_keep, mask, ids_restore = [], torch.ones_like(noise), torch.zeros_like(noise).long()
    for row, values in enumerate(noise.tolist()):
        order = sorted(range(len(values)), key=values.__getitem__)
        ids_keep.append(order[:keep])
        for place, patch in enumerate(order):
            ids_restore[row, patch] = place
        mask[row, order[:keep]] = 0
    return torch.tensor(ids_keep), mask, ids_restore


def patches_by_unfold(images, patch_size):
    cut = F.unfold(images, patch_size, stride=patch_size)  # (B, C*P*P, L), channels first
    channels = images.shape[1]
    return cut.mT.unflatten(-1, (channels, -1)).mT.flatten(-2)


def visible_by_picking(mae, images, ratio, noise):
    keep, mask, ids_restore = shuffled_by_loop(noise, ratio)
    x = mae.embed(patches_by_unfold(images, mae.config.patch_size)) + mae.positions[1:]
    x = x[torch.arange(len(x))[:, None], keep]  # (B, K, D)
    cls = mae.cls_token[0, 0] + mae.positions[0]
    return mae.encoder(torch.hstack([cls.expand(len(x), 1, -1), x])), mask, ids_restore

# %% 9.5 wrong
# believes: positions are added to what is left, in the order in which it is left
# says: Positions came after the shuffle
def encode(
    mae: ImageMAE, images: Tensor, ratio: float, noise: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    x = mae.embed(package.patchify(images, mae.config.patch_size))
    x, mask, ids_restore = random_masking(x, ratio, noise)
    x = torch.cat([mae.cls_token.expand(len(x), -1, -1), x], dim=1)
    x = x + mae.positions[: x.shape[1]]
    return mae.encoder(x), mask, ids_restore

# %% 9.5 wrong
# believes: row 0 of the positions belongs to patch 0
# says: Each patch got the position of the one before it
def encode(
    mae: ImageMAE, images: Tensor, ratio: float, noise: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    x = mae.embed(package.patchify(images, mae.config.patch_size))
    x = x + mae.positions[: x.shape[1]]
    x, mask, ids_restore = random_masking(x, ratio, noise)
    x = torch.cat([mae.cls_token.expand(len(x), -1, -1), x], dim=1)
    return mae.encoder(x), mask, ids_restore

# %% 9.5 right
# unusual: removed patches are not even embedded
def encode(
    mae: ImageMAE, images: Tensor, ratio: float, noise: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    patches = package.patchify(images, mae.config.patch_size)
    visible, mask, ids_restore = random_masking(patches, ratio, noise)
    kept = ids_restore.argsort(1)[:, : visible.shape[1]]
    x = mae.embed(visible) + mae.positions[1:][kept]
    return mae.encoder(torch.cat([mae.cls_token.repeat(len(x), 1, 1), x], 1)), mask, ids_restore

# %% 9.5 wrong
# believes: patches have 2 x 2 pixels
# says: Patches of 2 x 2 do not fill an image
def encode(
    mae: ImageMAE, images: Tensor, ratio: float, noise: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    x = mae.embed(package.patchify(images, 2)) + mae.positions[1:]
    visible, mask, ids_restore = random_masking(x, ratio, noise)
    cls = mae.cls_token.expand(len(x), -1, -1)
    return mae.encoder(torch.cat([cls, visible], 1)), mask, ids_restore

# %% 9.5 wrong
# believes: the results come in the order in which they are needed
# says: The results are right, but in another order
def encode(
    mae: ImageMAE, images: Tensor, ratio: float, noise: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    x = mae.embed(package.patchify(images, mae.config.patch_size)) + mae.positions[1:]
    visible, mask, ids_restore = random_masking(x, ratio, noise)
    cls = mae.cls_token.expand(len(x), -1, -1)
    return mae.encoder(torch.cat([cls, visible], 1)), ids_restore, mask

# %% 9.5 wrong
# believes: the encoder may see everything as long as only the visible vectors are kept
# says: The encoder saw all patches, and only then some were removed
def encode(
    mae: ImageMAE, images: Tensor, ratio: float, noise: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    x = mae.embed(package.patchify(images, mae.config.patch_size))
    x = torch.cat([mae.cls_token.expand(len(x), -1, -1), x], 1) + mae.positions
    x = mae.encoder(x)
    visible, mask, ids_restore = random_masking(x[:, 1:], ratio, noise)
    return torch.cat([x[:, :1], visible], 1), mask, ids_restore

# %% 9.6 right
# unusual: everything written out, the target detached
def loss_of_latent(
    mae: ImageMAE, latent: Tensor, mask: Tensor, ids_restore: Tensor, images: Tensor
) -> Tensor:
    x = mae.to_decoder(latent)
    K = x.shape[1] - 1
    rows = []
    for vectors, places in zip(x, ids_restore.tolist()):
        gap = mae.mask_token[0, 0]
        rows.append(torch.stack([vectors[0]] + [vectors[1 + i] if i < K else gap for i in places]))
    guess = mae.to_pixels(mae.decoder(torch.stack(rows) + mae.decoder_positions))[:, 1:]
    true = package.patchify(images, mae.config.patch_size).detach()
    removed = mask.bool()
    return (guess[removed] - true[removed]).pow(2).mean()

# %% 9.6 right
# unusual: the package's decode, and a loss of its own
def loss_of_latent(
    mae: ImageMAE, latent: Tensor, mask: Tensor, ids_restore: Tensor, images: Tensor
) -> Tensor:
    guess = mae.decode(latent, ids_restore)
    errors = (guess - package.patchify(images, mae.config.patch_size)).square().mean(-1)
    return torch.sum(errors * mask) / torch.sum(mask)

# %% 9.6 wrong
# believes: [CLS] is not read, so it can be dropped before the decoder
# says: [CLS] was dropped before the decoder
def loss_of_latent(
    mae: ImageMAE, latent: Tensor, mask: Tensor, ids_restore: Tensor, images: Tensor
) -> Tensor:
    x = mae.to_decoder(latent)[:, 1:]
    x = package.put_back(x, ids_restore, mae.mask_token) + mae.decoder_positions[1:]
    predicted = mae.to_pixels(mae.decoder(x))
    target = package.patchify(images, mae.config.patch_size)
    return package.patch_loss(predicted, target, mask)

# %% 9.6 wrong
# believes: the encoder's vectors know their places, the decoder needs no positions
# says: The decoder has no positions
def loss_of_latent(
    mae: ImageMAE, latent: Tensor, mask: Tensor, ids_restore: Tensor, images: Tensor
) -> Tensor:
    x = mae.to_decoder(latent)
    patches = package.put_back(x[:, 1:], ids_restore, mae.mask_token)
    predicted = mae.to_pixels(mae.decoder(torch.cat([x[:, :1], patches], dim=1)))[:, 1:]
    return package.patch_loss(predicted, package.patchify(images, mae.config.patch_size), mask)

# %% 9.6 wrong
# believes: positions are positions
# says: The decoder got the encoder's positions
def loss_of_latent(
    mae: ImageMAE, latent: Tensor, mask: Tensor, ids_restore: Tensor, images: Tensor
) -> Tensor:
    x = mae.to_decoder(latent)
    patches = package.put_back(x[:, 1:], ids_restore, mae.mask_token)
    x = torch.cat([x[:, :1], patches], dim=1) + mae.positions
    predicted = mae.to_pixels(mae.decoder(x))[:, 1:]
    return package.patch_loss(predicted, package.patchify(images, mae.config.patch_size), mask)

# %% 9.6 wrong
# believes: a loss is for looking at
# says: no gradient reaches `latent`
def loss_of_latent(
    mae: ImageMAE, latent: Tensor, mask: Tensor, ids_restore: Tensor, images: Tensor
) -> Tensor:
    with torch.no_grad():
        guess = mae.decode(latent, ids_restore)
        target = package.patchify(images, mae.config.patch_size)
        return package.patch_loss(guess, target, mask)

# %% 9.6 wrong
# believes: the decoder knows the visible patches, they need no positions of its own
# says: So far it is right
# says: [CLS] and all patches, with the decoder's positions
def loss_of_latent(
    mae: ImageMAE, latent: Tensor, mask: Tensor, ids_restore: Tensor, images: Tensor
) -> Tensor:
    x = mae.to_decoder(latent)
    patches = package.put_back(x[:, 1:], ids_restore, mae.mask_token)
    x = torch.cat([x[:, :1], patches + mask[..., None] * mae.decoder_positions[1:]], dim=1)
    predicted = mae.to_pixels(mae.decoder(x))[:, 1:]
    return package.patch_loss(predicted, package.patchify(images, mae.config.patch_size), mask)

# %% 9.7 right
# unusual: the gradient of a random direction of the vectors, in double precision
def reaching(encode: Callable[[Tensor], Tensor], images: Tensor, patch_size: int) -> Tensor:
    images = images.double().requires_grad_()
    vectors = encode(images.float())
    direction = torch.randn(vectors.shape, generator=torch.Generator().manual_seed(3))
    (vectors * direction).sum().backward()
    return package.patchify(images.grad, patch_size).abs().amax(-1) > 1e-9

# %% 9.7 right
# unusual: images cut by slices, each patch turned into its negative and its pixels reversed
def reaching(encode: Callable[[Tensor], Tensor], images: Tensor, patch_size: int) -> Tensor:
    P = patch_size
    B, C, H, W = images.shape
    before = encode(images)
    reached = torch.zeros(B, H // P, W // P, dtype=torch.bool)
    for row in range(H // P):
        for column in range(W // P):
            for b in range(B):
                other = images.clone()
                square = other[b, :, row * P : row * P + P, column * P : column * P + P]
                noise = torch.linspace(0, 1, square.numel()).sin().reshape(square.shape)
                square.copy_(1 - square.flip(-1) + 0.3 * noise)
                reached[b, row, column] = not torch.equal(encode(other)[b], before[b])
    return reached.flatten(1)

# %% 9.7 wrong
# believes: a patch that is removed can be set to 0
# says: Patches that are 0 already are missing
def reaching(encode: Callable[[Tensor], Tensor], images: Tensor, patch_size: int) -> Tensor:
    patches = package.patchify(images, patch_size)
    reached = torch.zeros(patches.shape[:2], dtype=torch.bool)
    for i in range(patches.shape[1]):
        other = patches.clone()
        other[:, i] = 0
        after = encode(package.unpatchify(other, patch_size, *images.shape[2:]))
        reached[:, i] = (after - encode(images)).abs().amax((1, 2)) > 1e-6
    return reached

# %% 9.7 wrong
# believes: lighter is a change that every encoder sees
# says: gets lighter or darker
def reaching(encode: Callable[[Tensor], Tensor], images: Tensor, patch_size: int) -> Tensor:
    patches = package.patchify(images, patch_size)
    reached = []
    for i in range(patches.shape[1]):
        other = patches.clone()
        other[:, i] += 1
        after = encode(package.unpatchify(other, patch_size, *images.shape[2:]))
        reached.append(((after - encode(images)).abs() > 1e-3).flatten(1).any(1))
    return torch.stack(reached, 1)

# %% 9.7 wrong
# believes: nan spreads to whatever it touches
# says: 0 times nan is nan
def reaching(encode: Callable[[Tensor], Tensor], images: Tensor, patch_size: int) -> Tensor:
    patches = package.patchify(images, patch_size)
    reached = []
    for i in range(patches.shape[1]):
        other = patches.index_fill(1, torch.tensor([i]), float("nan"))
        after = encode(package.unpatchify(other, patch_size, *images.shape[2:]))
        reached.append(after.isnan().flatten(1).any(1))
    return torch.stack(reached, 1)

# %% 9.7 wrong
# believes: the gradient of the sum says what reaches the vectors
# says: A sum can stay the same while its parts change
def reaching(encode: Callable[[Tensor], Tensor], images: Tensor, patch_size: int) -> Tensor:
    images = images.clone().requires_grad_()
    encode(images).sum().backward()
    return (package.patchify(images.grad, patch_size).abs() > 1e-4).any(-1)

# %% 9.7 wrong
# believes: one answer for the batch is enough
# says: Every patch of every image is True here
def reaching(encode: Callable[[Tensor], Tensor], images: Tensor, patch_size: int) -> Tensor:
    patches = package.patchify(images, patch_size)
    before, reached = encode(images), []
    for i in range(patches.shape[1]):
        other = patches.clone()
        other[:, i] = torch.rand(other[:, i].shape)
        after = encode(package.unpatchify(other, patch_size, *images.shape[2:]))
        reached.append(not torch.allclose(after, before))
    return torch.tensor(reached).expand(len(images), -1)

# %% 9.7 wrong
# believes: an image can be encoded by itself
# says: encode takes the whole batch, 6 images
def reaching(encode: Callable[[Tensor], Tensor], images: Tensor, patch_size: int) -> Tensor:
    patches = package.patchify(images, patch_size)
    reached = torch.zeros(patches.shape[:2], dtype=torch.bool)
    for b in range(len(images)):
        before = encode(images[b : b + 1])
        for i in range(patches.shape[1]):
            other = patches[b : b + 1].clone()
            other[0, i] = torch.rand(other[0, i].shape)
            after = encode(package.unpatchify(other, patch_size, *images.shape[2:]))
            reached[b, i] = (after != before).any()
    return reached

# %% 9.8 right
# unusual: plain loops, distances by math.dist
import math

def block(points: Tensor, rows: int, columns: int, n: int) -> Tensor:
    noise = torch.zeros(len(points), rows * columns)
    for b, point in enumerate(points.tolist()):
        away = [math.dist(point, (k // columns + 0.5, k % columns + 0.5)) for k in range(rows * columns)]
        for k in sorted(range(rows * columns), key=away.__getitem__)[:n]:
            noise[b, k] = 1
    return noise

# %% 9.8 right
# unusual: meshgrid, cdist, and a threshold instead of a scatter
def block(points: Tensor, rows: int, columns: int, n: int) -> Tensor:
    i, j = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    centres = torch.stack([i.flatten(), j.flatten()], 1).float() + 0.5
    away = torch.cdist(points, centres, compute_mode="donot_use_mm_for_euclid_dist")
    return (away <= away.kthvalue(n, dim=1, keepdim=True).values).float()

# %% 9.8 wrong
# believes: a patch is where its index is
# says: upper left corner
def block(points: Tensor, rows: int, columns: int, n: int) -> Tensor:
    k = torch.arange(rows * columns)
    away = (k // columns - points[:, :1]) ** 2 + (k % columns - points[:, 1:]) ** 2
    return torch.zeros_like(away).scatter(1, away.topk(n, largest=False).indices, 1.0)

# %% 9.8 wrong
# believes: x comes before y
# says: Row and column of the points are exchanged
def block(points: Tensor, rows: int, columns: int, n: int) -> Tensor:
    x, y = points.split(1, dim=1)
    k = torch.arange(rows * columns)
    away = (k // columns + 0.5 - y) ** 2 + (k % columns + 0.5 - x) ** 2
    return torch.zeros_like(away).scatter(1, away.topk(n, largest=False).indices, 1.0)

# %% 9.8 wrong
# believes: 1 stands for what stays
# says: the block has 0 and would stay
def block(points: Tensor, rows: int, columns: int, n: int) -> Tensor:
    k = torch.arange(rows * columns)
    places = torch.stack([k // columns, k % columns], 1) + 0.5
    away = (places - points[:, None]).norm(dim=-1)
    return (away.argsort(1).argsort(1) >= n).float()

# %% 9.8 wrong
# believes: any order that removes them will do
# says: asked are 1 for those and 0 for all
def block(points: Tensor, rows: int, columns: int, n: int) -> Tensor:
    places = torch.cartesian_prod(torch.arange(rows), torch.arange(columns)) + 0.5
    return -torch.linalg.vector_norm(places - points[:, None], dim=-1)

# %% 9.8 wrong
# believes: ids are a mask
# says: numbers of the patches that go
def block(points: Tensor, rows: int, columns: int, n: int) -> Tensor:
    places = torch.cartesian_prod(torch.arange(rows), torch.arange(columns)) + 0.5
    return (places - points[:, None]).square().sum(-1).argsort(1)[:, :n]

# %% 9.8 right
# unusual: ranks by counting what is nearer, complex numbers for the plane
def block(points: Tensor, rows: int, columns: int, n: int) -> Tensor:
    k = torch.arange(rows * columns)
    centres = torch.complex(k // columns + 0.5, k % columns + 0.5)
    away = (centres - torch.view_as_complex(points)[:, None]).abs()
    return ((away[:, :, None] > away[:, None]).sum(-1) < n).float()

# %% 9.8 right
# unusual: sorts each row, then puts the ones back by ranks
def block(points: Tensor, rows: int, columns: int, n: int) -> Tensor:
    places = torch.cartesian_prod(torch.arange(rows), torch.arange(columns)) + 0.5
    away = (places - points[:, None]).norm(dim=-1)
    return (away.argsort(1).argsort(1) < n).to(points.dtype)

# %% 9.8 wrong
# believes: there is always a next one
# says: there is no distance after the n-th
def block(points: Tensor, rows: int, columns: int, n: int) -> Tensor:
    places = torch.cartesian_prod(torch.arange(rows), torch.arange(columns)) + 0.5
    away = (places - points[:, None]).norm(dim=-1)
    return (away < away.kthvalue(n + 1, dim=1, keepdim=True).values).float()

# %% 9.8 wrong
# believes: the points, too, have to be moved to the centre
# says: the points stay where they are
def block(points: Tensor, rows: int, columns: int, n: int) -> Tensor:
    places = torch.cartesian_prod(torch.arange(rows), torch.arange(columns)) + 0.5
    away = (places - (points + 0.5)[:, None]).norm(dim=-1)
    return (away.argsort(1).argsort(1) < n).float()

# %% 9.8 wrong
# believes: argsort gives ranks
# says: the `argsort` of that
def block(points: Tensor, rows: int, columns: int, n: int) -> Tensor:
    places = torch.cartesian_prod(torch.arange(rows), torch.arange(columns)) + 0.5
    away = (places - points[:, None]).norm(dim=-1)
    return (away.argsort(1) < n).float()

# %% 9.8 wrong
# believes: n patches stay
# says: n is the number of those that go
def block(points: Tensor, rows: int, columns: int, n: int) -> Tensor:
    places = torch.cartesian_prod(torch.arange(rows), torch.arange(columns)) + 0.5
    away = (places - points[:, None]).norm(dim=-1)
    return (away.argsort(1).argsort(1) < rows * columns - n).float()

# %% 9.8 wrong
# believes: ranks begin at 1
# says: One patch too many
def block(points: Tensor, rows: int, columns: int, n: int) -> Tensor:
    places = torch.cartesian_prod(torch.arange(rows), torch.arange(columns)) + 0.5
    away = (places - points[:, None]).norm(dim=-1)
    return (away.argsort(1).argsort(1) <= n).float()

# %% 9.8 wrong
# believes: there is one more to compare with
# says: One patch too many
def block(points: Tensor, rows: int, columns: int, n: int) -> Tensor:
    places = torch.cartesian_prod(torch.arange(rows), torch.arange(columns)) + 0.5
    away = (places - points[:, None]).norm(dim=-1)
    return (away <= away.kthvalue(n + 1, dim=1, keepdim=True).values).float()

# %% 9.8 wrong
# believes: the n-th distance is the first that stays
# says: the n-th nearest is missing
def block(points: Tensor, rows: int, columns: int, n: int) -> Tensor:
    places = torch.cartesian_prod(torch.arange(rows), torch.arange(columns)) + 0.5
    away = (places - points[:, None]).norm(dim=-1)
    return (away < away.kthvalue(n, dim=1, keepdim=True).values).float()

# %% 9.8 wrong
# believes: a grid is x by y
# says: column by column
def block(points: Tensor, rows: int, columns: int, n: int) -> Tensor:
    i, j = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="xy")
    centres = torch.stack([i.flatten(), j.flatten()], 1) + 0.5
    away = (centres - points[:, None]).norm(dim=-1)
    return (away.argsort(1).argsort(1) < n).float()

# %% 9.8 wrong
# believes: the larger of the two is the distance
# says: larger of the two differences
def block(points: Tensor, rows: int, columns: int, n: int) -> Tensor:
    places = torch.cartesian_prod(torch.arange(rows), torch.arange(columns)) + 0.5
    away = (places - points[:, None]).abs().max(-1).values
    return (away.argsort(1).argsort(1) < n).float()

# %% 9.8 wrong
# believes: a point means the patch it is in
# says: moved to the centre of its patch
def block(points: Tensor, rows: int, columns: int, n: int) -> Tensor:
    places = torch.cartesian_prod(torch.arange(rows), torch.arange(columns)) + 0.5
    away = (places - (points.floor() + 0.5)[:, None]).norm(dim=-1)
    nearest = away.argsort(1)[:, :n]
    return torch.zeros_like(away).scatter(1, nearest, 1.0)

# %% 9.8 wrong
# believes: one threshold for all
# says: sought in the whole batch
def block(points: Tensor, rows: int, columns: int, n: int) -> Tensor:
    places = torch.cartesian_prod(torch.arange(rows), torch.arange(columns)) + 0.5
    away = (places - points[:, None]).norm(dim=-1)
    return (away <= away.flatten().sort().values[n - 1]).float()

# %% 9.8 wrong
# believes: something else that comes after the distances
# says: holds the squared distances of all centres
def block(points: Tensor, rows: int, columns: int, n: int) -> Tensor:
    places = torch.cartesian_prod(torch.arange(rows), torch.arange(columns)) + 0.5
    away = (places - points[:, None]).square().sum(-1)
    return (away.argsort(1).argsort(1) < n).float() / n
