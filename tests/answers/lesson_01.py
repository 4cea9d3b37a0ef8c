# %% 1.1 right
# unusual: another way
import torch

def average_by_loop(weights, values):
    rows = [sum(weights[..., t, s, None] * values[..., s, :] for s in range(values.shape[-2]))
            for t in range(weights.shape[-2])]  # fmt: skip
    return torch.stack(rows, dim=-2)

# %% 1.2 right
# unusual: another way
import torch

def attention_scores(q, k):
    return torch.einsum("bhtd,bhsd->bhts", q, k) / q.size(-1) ** 0.5

# %% 1.3 right
# unusual: another way
from torch.nn import functional as F

def softmax_over_keys(scores):
    return F.log_softmax(scores, dim=-1).exp()

# %% 1.4 right
# unusual: another way
import torch

def attention_by_einsum(q, k, v):
    scores = torch.einsum("bhtd,bhsd->bhts", q, k) * q.size(-1) ** -0.5
    weights = torch.exp(scores - torch.logsumexp(scores, -1, keepdim=True))
    return torch.einsum("bhts,bhsv->bhtv", weights, v), weights

# %% 1.5 right
# unusual: another way
import torch

def split_heads(x, n_heads):
    return torch.stack(x.chunk(n_heads, dim=-1), dim=1)

# %% 1.6 right
# unusual: another way
from torch.nn import functional as F
import torch

def heads_by_chunks(x, w_q, w_k, w_v, w_o, n_heads):
    pieces = (torch.chunk(x @ w, n_heads, dim=-1) for w in (w_q, w_k, w_v))
    outputs = [F.scaled_dot_product_attention(q, k, v) for q, k, v in zip(*pieces, strict=True)]
    return torch.cat(outputs, dim=-1) @ w_o
