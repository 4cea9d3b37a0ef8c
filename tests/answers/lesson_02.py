# %% 2.1 right
# unusual: another way
import torch

def safe_by_exponentials(scores, attention_mask):
    top = scores.amax(-1, keepdim=True)
    e = torch.exp(scores - top) * attention_mask
    return e / e.sum(-1, keepdim=True).clamp(min=1e-30)

# %% 2.2 right
# unusual: another way
import torch

def padding_by_loop(lengths, size):
    mask = torch.zeros(len(lengths), 1, 1, size, dtype=torch.bool)
    for row, n in enumerate(lengths.tolist()):
        mask[row, ..., :n] = True
    return mask

# %% 2.3 right
# unusual: another way
import numpy as np
import torch

def my_causal_mask(size):
    return torch.from_numpy(np.arange(size)[:, None] >= np.arange(size)[None])

# %% 2.4 right
# unusual: another way
import torch

def both_by_comparison(lengths, size):
    place = torch.arange(size)
    return ((place[None, :, None] >= place) & (place < lengths[:, None, None]))[:, None]

# %% 2.5 right
# unusual: another way
def my_same_document_mask(documents):
    return documents.unsqueeze(1).eq(documents.unsqueeze(2)).unsqueeze(1)

# %% 2.6 right
# unusual: another way
import torch

def safe_by_exponentials(scores, attention_mask):
    top = scores.amax(-1, keepdim=True)
    e = torch.exp(scores - top) * attention_mask
    return e / e.sum(-1, keepdim=True).clamp(min=1e-30)

# %% 2.7 right
# unusual: another way
import math
import torch

def additive_mask(mask):
    return torch.where(mask, 0.0, -math.inf)
