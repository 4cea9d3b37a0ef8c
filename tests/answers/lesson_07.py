# %% 7.1 right
# unusual: another way
from torch.nn import functional as F

def top_answers(z, k):
    return (F.softmax(z, 1).sort(1, True)[0][:, :k], z.argsort(1, True)[:, :k])

# %% 7.2 right
# unusual: another way
import torch

def copies_by_loop(weights, mention):
    B, H, T, _ = weights.shape
    asked = [(b, t) for b in range(B) for t in range(T) if mention[b, t].any()]
    heads = [[weights[b, h, t][mention[b, t]].sum() for b, t in asked] for h in range(H)]
    return torch.stack([torch.stack(copied).mean() for copied in heads])
