# %% 8.1 right
# unusual: another way
import torch

def mean_of_text(x, visible):
    return torch.stack([r[v].mean(0) for r, v in zip(x, visible, strict=True)])

# %% 8.2 right
# unusual: another way
def leaks_by_pairs(train, test):
    def same(a, b):
        return a.module == b.module or a.text.casefold().split() == b.text.casefold().split()

    return [i for i in range(len(test)) if any(same(test[i], one) for one in train)]

# %% 8.3 right
# unusual: another way
import numpy as np

def labels_by_numpy(counts, scores, goal):
    x, y = np.log(counts.numpy()), scores.double().numpy()
    reached = np.flatnonzero(y >= goal)
    if not len(reached):
        return float("inf")
    i = max(reached[0], 1)
    return np.exp(np.interp(goal, y[i - 1 : i + 1], x[i - 1 : i + 1])) if reached[0] else counts[0]

# %% 8.4 right
# unusual: another way
def order():
    return ("questions", "tags", "errors")

# %% 8.5 right
# unusual: another way
def entities_by_groups(tags):
    begins = [i for i, t in enumerate(tags) if t != "O" and (
        t[0] == "B" or i == 0 or tags[i - 1][2:] != t[2:])]  # fmt: skip
    entities = []
    for i in begins:
        end = i + 1
        while end < len(tags) and tags[end] == f"I-{tags[i][2:]}":
            end += 1
        entities.append((tags[i][2:], i, end))
    return entities

# %% 8.6 right
# unusual: another way
from torch.nn import functional as F
import torch

def contrastive_by_loop(queries, texts, temperature):
    losses = []
    for i, query in enumerate(queries):
        scores = [F.cosine_similarity(query, text, dim=0) / temperature for text in texts]
        losses.append(torch.stack(scores).logsumexp(0) - scores[i])
    return sum(losses) / len(losses)

# %% 8.7 right
# unusual: another way
import torch

def fused_by_loop(scores, k=60):
    sums = [0.0] * scores.shape[1]
    for row in scores.tolist():
        falling = sorted(row, reverse=True)
        for i, score in enumerate(row):
            sums[i] += 1 / (k + falling.index(score) + 1)
    return torch.tensor(sums)

# %% 8.8 right
# unusual: another way
import math
import torch

def span_by_band(start, end, context, longest):
    total = (start[:, None] + end).masked_fill(~(context[:, None] & context), -math.inf)
    band = torch.ones_like(total).triu().tril(longest - 1).bool()
    return divmod(torch.where(band, total, -math.inf).argmax().item(), len(start))
