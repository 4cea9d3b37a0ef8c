# %% 12.1 right
# unusual: another way
import numpy as np
import torch

def guess_by_counting(joint, text, masked, place):
    chance = torch.zeros(joint.shape[place], dtype=joint.dtype)
    for words in np.ndindex(*joint.shape):
        if all(masked[i] or words[i] == int(text[i]) for i in range(joint.ndim)):
            chance[words[place]] += joint[words]
    return chance / chance.sum()

# %% 12.2 right
# unusual: another way
import torch

def bound_row_by_row(surprise, masked, words):
    rows = zip(surprise, masked, words, strict=True)
    return torch.stack([len(x[w]) * x[h].mean() for x, h, w in rows])

# %% 12.3 right
# unusual: another way
import torch

def rate_bound_row_by_row(surprise, noise, rate):
    rows = zip(surprise, noise, rate, strict=True)
    return torch.stack([x[u < t].sum() / t for x, u, t in rows])

# %% 12.4 right
# unusual: another way
import torch

def pseudo_likelihood_one_by_one(predict, ids, mask_id):
    total = torch.zeros(())
    for place, word in enumerate(ids.tolist()):
        canvas = ids.clone()
        canvas[place] = mask_id
        total = total + predict(canvas[None])[0, place, word]
    return total

# %% 12.5 right
# unusual: another way
def stays_hidden(masked, noise, t, s):
    return masked.logical_and(noise * t < s)

# %% 12.6 right
# unusual: another way
from torch.nn import functional as F

def worst_push(g, size):
    return size * F.normalize(g.reshape(len(g), -1), dim=1).view_as(g)

# %% 12.7 right
# unusual: another way
import torch

def taught_by_sums(student, teacher, temperature):
    p, q = (torch.softmax(x / temperature, -1) for x in (teacher, student))
    return temperature * temperature * (p * (p.log() - q.log())).sum() / len(student)
