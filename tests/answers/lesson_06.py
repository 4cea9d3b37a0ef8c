# %% 6.1 right
# unusual: another way
import torch

def loss_by_token(logits, ids, masked):
    losses = [torch.logsumexp(logits[b, t], 0) - logits[b, t, ids[b, t]]
              for b, t in masked.nonzero().tolist()]  # fmt: skip
    return sum(losses) / len(losses)

# %% 6.2 right
# unusual: another way
from torch.nn import functional as F

def train_clearing_last(model, optimizer, scheduler, batches):
    losses = []
    for batch in batches:
        logits = model(batch.input_ids)
        losses.append(F.cross_entropy(logits.flatten(0, 1), batch.labels.flatten()))
        losses[-1].backward()
        optimizer.step()
        scheduler.step()
        model.zero_grad()
    return [loss.item() for loss in losses]

# %% 6.3 right
# unusual: another way
import numpy as np
import torch

def evaluate_token_by_token(model, data, epoch):
    with torch.inference_mode():
        model.train(False)
        scores = []
        for start in range(0, len(data), 4):
            batch = data(torch.arange(start, min(start + 4, len(data))), 0)
            log_p = model(batch.input_ids).log_softmax(-1)
            for b, t in batch.masked.nonzero().tolist():
                true = batch.labels[b, t]
                scores.append((-log_p[b, t, true].item(), float(log_p[b, t].argmax() == true)))
        model.train()
    return tuple(np.mean(scores, axis=0).tolist())

# %% 6.4 right
# unusual: another way
def factor_by_cases(step, steps, warmup):
    if step < warmup:
        return (1 + step) / (1 + warmup)
    return 1 - (step - warmup) / (steps - warmup)

# %% 6.5 right
# unusual: another way
from torch.nn import functional as F

def accumulated_then_divided(model, pieces):
    for ids, labels, _ in pieces:
        logits = model(ids).transpose(1, 2)
        F.cross_entropy(logits, labels, reduction="sum").backward()
    return model.dense.weight.grad / sum((piece.labels != -100).sum() for piece in pieces)

# %% 6.6 right
# unusual: another way
def replaced_labels(original, shown, masked):
    return ~original.eq(shown)
