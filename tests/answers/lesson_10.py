# %% 10.1 right
# unusual: another way
import torch

def closed_up_row_by_row(ids, visible):
    K = int(visible.sum(1).max())
    kinds = torch.long, torch.long, torch.bool
    closed_up = [torch.zeros(len(ids), K, dtype=kind) for kind in kinds]
    for b, row in enumerate(visible):
        places = row.nonzero()[:, 0]
        for into, what in zip(closed_up, (ids[b, places], places, True), strict=True):
            into[b, : len(places)] = what
    return tuple(closed_up)

# %% 10.2 right
# unusual: another way
from torch.nn import functional as F

def embed_visible(i, at, token, position):
    return F.embedding(at, position).add(F.embedding(i, token))

# %% 10.3 right
# unusual: another way
def put_back_place_by_place(latent, order, mask_token):
    x = mask_token.expand(*order.shape, -1).clone()
    for b in range(len(latent)):
        x[b, order[b, : latent.shape[1]]] = latent[b]
    return x

# %% 10.4 right
# unusual: another way
import torch

def decoder_input_by_lookup(latent, real, ids_restore, mask_token, places):
    from_encoder = ids_restore < real.sum(1, keepdim=True)
    at = ids_restore.clamp(max=latent.shape[1] - 1)
    x = latent[torch.arange(len(latent))[:, None], at]
    return places + torch.where(from_encoder.unsqueeze(-1), x, mask_token)

# %% 10.5 right
# unusual: another way
import torch

def mae_loss_row_by_row(model, ids, masked):
    losses = []
    for row, gone in zip(ids, masked, strict=True):
        at = (~gone).nonzero()[:, 0]
        latent = model.encoder(row[at][None], positions=at[None])
        x = model.mask_token.expand(1, len(row), -1).clone()
        x[:, at] = model.to_decoder(latent)
        x = model.decoder(x + model.decoder_positions.weight[: len(row)])
        log_p = model.logits(model.from_decoder(x))[0, gone].log_softmax(-1)
        losses.append(-log_p[torch.arange(len(log_p)), row[gone]])
    return torch.cat(losses).mean()

# %% 10.6 right
# unusual: another way
import torch

def directions_by_eigenvalues(x, share):
    energy = sorted(torch.linalg.eigvalsh(x.T @ x).tolist(), reverse=True)
    return next(n for n in range(1, len(energy) + 1) if sum(energy[:n]) >= share * sum(energy))

# %% 10.7 right
# unusual: another way
import numpy as np
import torch

def seen_by_loop(noise, text, ratio):
    B, T, S = noise.shape
    seen = torch.zeros(B, T, S, dtype=torch.bool)
    for b, t, s in np.ndindex(B, T, S):
        seen[b, t, s] = s == 0 or (noise[b, t, s] >= ratio and s != t and text[b, s])
    return seen
