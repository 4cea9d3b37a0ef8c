# %% 9.1 right
# unusual: another way
from torch.nn import functional as F

def patches_by_unfold(images, patch_size):
    cut = F.unfold(images, patch_size, stride=patch_size)  # (B, C*P*P, L), channels first
    channels = images.shape[1]
    return cut.mT.unflatten(-1, (channels, -1)).mT.flatten(-2)

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

# %% 9.3 right
# unusual: another way
import torch

def put_back_by_loop(visible, ids_restore, mask_token):
    rows = [[v[i] if i < len(v) else mask_token for i in ids]
            for v, ids in zip(visible, ids_restore.tolist(), strict=True)]  # fmt: skip
    return torch.stack([torch.stack(row) for row in rows])

# %% 9.4 right
# unusual: another way
import torch

def normalised_by_sums(patches):
    n = patches.shape[-1]
    centred = patches - patches.sum(-1, keepdim=True) / n
    return centred * torch.rsqrt(centred.square().sum(-1, keepdim=True) / (n - 1) + 1e-6)

# %% 9.5 right
# unusual: another way
from torch.nn import functional as F

def patch_loss(p, t, mask):
    return F.mse_loss(p[mask > 0], t[mask > 0])

# %% 9.6 right
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

# %% 9.7 right
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


def put_back_by_loop(visible, ids_restore, mask_token):
    rows = [[v[i] if i < len(v) else mask_token for i in ids]
            for v, ids in zip(visible, ids_restore.tolist(), strict=True)]  # fmt: skip
    return torch.stack([torch.stack(row) for row in rows])


def mae_by_picking(mae, images, ratio, noise):
    latent, mask, ids_restore = visible_by_picking(mae, images, ratio, noise)
    x = mae.to_decoder(latent)
    filled = put_back_by_loop(x[:, 1:], ids_restore, mae.mask_token[0, 0])
    predicted = mae.to_pixels(mae.decoder(torch.cat([x[:, :1], filled], 1) + mae.decoder_positions))
    removed = mask.bool()
    true = patches_by_unfold(images, mae.config.patch_size)
    return F.mse_loss(predicted[:, 1:][removed], true[removed])
