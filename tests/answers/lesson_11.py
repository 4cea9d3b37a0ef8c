# %% 11.1 right
# unusual: another way
def mixed_place_by_place(p, answers):
    total = 0.0
    for one in answers.tolist():
        chance = 1.0
        for place, word in enumerate(one):
            agree = [m for m, other in enumerate(answers.tolist()) if other[place] == word]
            chance *= sum(float(p[m]) for m in agree)
        total += chance
    return total

# %% 11.2 right
# unusual: another way
import math
import torch

def hidden_by_sorting(target, share, noise):
    masked = torch.zeros_like(target, dtype=torch.bool)
    for row, ids in enumerate(target):
        places = ids.nonzero()[:, 0]
        n = math.floor(share[row].item() * len(places)) + 1
        masked[row, places[noise[row, places].sort().indices[:n]]] = True
    return masked

# %% 11.3 right
# unusual: another way
def decoder_sees(target):
    return target.ne(0).unsqueeze(1).repeat(1, target.shape[1], 1)

# %% 11.4 right
# unusual: another way
def lengths_one_by_one(scores, n):
    rows = scores[:, 1:] - scores[:, 1:].logsumexp(1, keepdim=True)
    order = rows.argsort(1, descending=True)[:, :n]
    return order + 1, rows.gather(1, order)

# %% 11.5 right
# unusual: another way
import torch

def reopened_by_sorting(confidence, real, done, steps):
    opened = torch.zeros_like(real)
    for row in range(len(real)):
        places = [i for i in range(real.shape[1]) if real[row, i]]
        places.sort(key=lambda i: confidence[row, i].item())
        opened[row, places[: max(1, len(places) * (steps - done) // steps)]] = True
    return opened

# %% 11.6 right
# unusual: another way
from torch.nn import functional as F

def filled_in_place(predict, tokens, confidence, masked):
    canvas = tokens.clone()
    canvas[masked] = 4
    p, best = F.softmax(predict(canvas), -1)[masked].max(-1)
    new = confidence.clone()
    canvas[masked], new[masked] = best, p
    return canvas, new

# %% 11.7 right
# unusual: another way
from torch.nn import functional as F
import torch

def filled_in_place(predict, tokens, confidence, masked):
    canvas = tokens.clone()
    canvas[masked] = 4
    p, best = F.softmax(predict(canvas), -1)[masked].max(-1)
    new = confidence.clone()
    canvas[masked], new[masked] = best, p
    return canvas, new


def reopened_by_sorting(confidence, real, done, steps):
    opened = torch.zeros_like(real)
    for row in range(len(real)):
        places = [i for i in range(real.shape[1]) if real[row, i]]
        places.sort(key=lambda i: confidence[row, i].item())
        opened[row, places[: max(1, len(places) * (steps - done) // steps)]] = True
    return opened


def mask_predict_row_by_row(predict, real, steps):
    tokens, confidence = torch.zeros(real.shape, dtype=torch.int64), torch.ones(real.shape)
    tokens[real] = 4
    opened = real
    for left in range(steps, 0, -1):
        if left < steps:
            opened = reopened_by_sorting(confidence, real, steps - left, steps)
        tokens, confidence = filled_in_place(predict, tokens, confidence, opened)
    return tokens, confidence

# %% 11.8 right
# unusual: another way
import torch

def best_by_loop(confidence, real):
    scores = [
        [c[r].log().mean() for c, r in zip(*row, strict=True)]
        for row in zip(confidence, real, strict=True)
    ]
    return torch.tensor([row.index(max(row)) for row in scores]), torch.tensor(scores)
