# %% 1.1 right
# unusual: a loop over queries and keys, only where somebody has voted
import torch

def average_by_loop(votes, values):
    shares = votes / votes.sum(-1, keepdim=True).clamp(min=0.5)
    rows = [sum(shares[..., t, s, None] * values[..., s, :] for s in range(values.shape[-2]))
            for t in range(votes.shape[-2])]  # fmt: skip
    return torch.stack(rows, dim=-2)

# %% 1.1 right
# unusual: one key at a time, added up in double precision
def average_by_votes(votes: Tensor, values: Tensor) -> Tensor:
    out = 0
    for s in range(values.shape[-2]):
        out = out + votes[..., :, s, None].double() * values[..., s, None, :].double()
    return (out / votes.double().sum(-1, keepdim=True)).nan_to_num(0.0).to(values.dtype)

# %% 1.1 right
# unusual: einsum, and where
def average_by_votes(votes, values):
    total = votes.sum(-1, keepdim=True)
    sums = torch.einsum("...ts,...sd->...td", votes, values)
    return torch.where(total > 0, sums / total, 0.0)

# %% 1.1 wrong
# believes: multiplying and summing over the keys needs no regard for leading axes (no batch tried)
# says: must match the size of tensor b
# says: `votes` is a float32 tensor of shape (2, 3, 5, 7)
def average_by_votes(votes: Tensor, values: Tensor) -> Tensor:
    return (votes[..., None] * values).sum(-2)

# %% 1.1 wrong
# believes: an average must be divided by the number of things averaged
# says: divided by the number of keys
def average_by_votes(votes: Tensor, values: Tensor) -> Tensor:
    total = votes @ values
    return total / values.shape[-2]

# %% 1.1 wrong
# believes: the sums of the votes along the other axis
# says: Here the votes for each *key*
def average_by_votes(votes, values):
    shares = votes / votes.sum(dim=-2, keepdim=True).clamp(min=1)
    return torch.matmul(shares, values)

# %% 1.1 wrong
# believes: no edge cases
# says: which is nan
def average_by_votes(votes, values):
    weights = votes / votes.sum(-1)[..., None]
    return weights @ values

# %% 1.1 wrong
# believes: turning votes into weights is what softmax is for
# says: not the shares of the votes
def average_by_votes(votes, values):
    weights = torch.softmax(votes, dim=-1)
    return weights @ values

# %% 1.1 wrong
# believes: whoever is silent agrees with everybody
# says: it should hear zeros
def average_by_votes(votes, values):
    total = votes.sum(-1, keepdim=True)
    votes = torch.where(total == 0, torch.ones_like(votes), votes)
    return votes @ values / votes.sum(-1, keepdim=True)

# %% 1.1 wrong
# believes: keepdim makes no difference
# says: must match the size of tensor b
# says: `keepdim=True` keeps a reduced axis
def average_by_votes(votes, values):
    return votes @ values / votes.sum(-1).clamp(min=1)

# %% 1.2 right
# unusual: simulated, so the numbers are not round
def four_spreads():
    g = torch.Generator().manual_seed(3)
    def spread(q, k):
        return (q * k).sum(-1).std().item()
    q, k = torch.randn(2, 20_000, 64, generator=g)
    a = 8 * spread(q, k)
    b = spread(3 * q, k / 2)
    c = spread(q[:, :25], k[:, :25])
    d = spread(q[:, :16].repeat(1, 4), k[:, :16].repeat(1, 4))
    return a, b, c, d

# %% 1.2 right
# unusual: a tensor
def four_spreads():
    return torch.tensor([64, 12, 5, 16])

# %% 1.2 wrong
# believes: four times as large means twice the spread, so zeros count as numbers
# says: c is not 10.
# says: count the products that are left
def four_spreads():
    return 64, 12, 10, 16

# %% 1.2 wrong
# believes: only the number of drawn numbers counts
# says: Each of them is added four times
def four_spreads():
    return 64, 12, 5, 4

# %% 1.2 wrong
# believes: the four copies do not matter
# says: Three are right. In d
def four_spreads():
    return math.sqrt(4096), math.sqrt(64) * 1.5, math.sqrt(25), math.sqrt(64)

# %% 1.2 wrong
# believes: the spread of the vectors' numbers does not reach the products
# says: b is not 8.
# says: Three times the number
def four_spreads():
    return 64, 8, 5, 16

# %% 1.2 wrong
# believes: variances are asked for
# says: a is not 4096.
# says: its square root
def four_spreads():
    return 4096, 144, 25, 256

# %% 1.2 wrong
# believes: one number is enough
# says: Four numbers are asked for
def four_spreads():
    return 64.0

# %% 1.2 wrong
# believes: the products left after the zeros, each scaled by what is left
# says: c is not 2.5
def four_spreads():
    return 64, 12, 10 / 4, 16

# %% 1.2 wrong
# believes: names help
# says: Four numbers are asked for
def four_spreads():
    return {"a": 64, "b": 12, "c": 5, "d": 16}

# %% 1.2 wrong
# believes: not a number is a number
# says: a is not nan
def four_spreads():
    return (float("nan"),) * 4

# %% 1.3 right
# unusual: PyTorch's softmax, with the logarithms of the counts
from torch.nn import functional as F

def weights_with_counts(scores, counts):
    return F.log_softmax(scores + torch.log(counts), dim=-1).exp()

# %% 1.3 right
# unusual: the copies are written out, and added up again
def weights_with_counts(scores: Tensor, counts: Tensor) -> Tensor:
    which = torch.repeat_interleave(torch.arange(len(counts)), counts)
    weights = scores[..., which].softmax(-1)
    return torch.zeros_like(scores).index_add(-1, which, weights)

# %% 1.3 right
# unusual: only the keys that are there, and the logarithm of the sum folded together key by key
from functools import reduce

def weights_with_counts(scores: Tensor, counts: Tensor) -> Tensor:
    there = counts > 0
    logs = scores[..., there] + counts[there].log()
    total = reduce(torch.logaddexp, logs.unbind(-1))
    out = torch.zeros_like(scores)
    out[..., there] = torch.exp(logs - total.unsqueeze(-1))
    return out

# %% 1.3 wrong
# believes: one maximum for the whole tensor is enough to be safe
# says: Subtract each query's own largest
def weights_with_counts(scores: Tensor, counts: Tensor) -> Tensor:
    total = scores + counts.log()
    e = (total - total.max()).exp()
    return e / e.sum(-1, keepdim=True)

# %% 1.3 wrong
# believes: the keys are the axis before the last
# says: over the queries
def weights_with_counts(scores: Tensor, counts: Tensor) -> Tensor:
    shifted = scores + counts.log()
    shifted = shifted - shifted.amax(-2, keepdim=True)
    e = shifted.exp()
    return e / e.sum(-2, keepdim=True)

# %% 1.3 wrong
# believes: large scores are made harmless by dividing by the largest
# says: entries differ
def weights_with_counts(scores: Tensor, counts: Tensor) -> Tensor:
    largest = scores.abs().amax(dim=-1, keepdim=True)
    e = counts * torch.exp(scores / largest)
    return e / e.sum(dim=-1, keepdim=True)

# %% 1.3 wrong
# believes: softmax takes care of everything
# says: The counts make no difference
def weights_with_counts(scores, counts):
    return scores.softmax(-1)

# %% 1.3 wrong
# believes: the largest score is the largest of the scores given
# says: Right but where a key with the count 0
def weights_with_counts(scores, counts):
    e = torch.exp(scores - scores.amax(-1, keepdim=True)) * counts
    return e / e.sum(-1, keepdim=True)

# %% 1.3 wrong
# believes: the smallest score will do for shifting
# says: far above the others
def weights_with_counts(scores, counts):
    e = torch.exp(scores - scores.amin(-1, keepdim=True)) * counts
    return e / e.sum(-1, keepdim=True)

# %% 1.3 wrong
# believes: double precision is large enough
# says: far above the others
def weights_with_counts(scores, counts):
    e = scores.double().exp() * counts
    return (e / e.sum(-1, keepdim=True)).float()

# %% 1.3 wrong
# believes: the median is a safe middle
# says: far above the others
def weights_with_counts(scores, counts):
    e = torch.exp(scores - scores.median(-1, keepdim=True)[0]) * counts
    return e / e.sum(-1, keepdim=True)

# %% 1.3 wrong
# believes: softmax first, counts later
# says: no longer sum to 1
def weights_with_counts(scores, counts):
    return counts * torch.softmax(scores, dim=-1)

# %% 1.3 right
# unusual: softmax first, counts later, divided once more, with absent keys out of the way
def weights_with_counts(scores, counts):
    there = torch.where(counts > 0, scores, -torch.inf)
    weights = counts * there.softmax(-1)
    return weights / weights.sum(-1, keepdim=True)

# %% 1.3 wrong
# believes: softmax first, counts later, divided once more
# says: Right but where a key with the count 0
def weights_with_counts(scores, counts):
    weights = counts * scores.softmax(-1)
    return weights / weights.sum(-1, keepdim=True)

# %% 1.3 wrong
# believes: three copies, three times the score
# says: have three times the exponential
def weights_with_counts(scores, counts):
    return torch.softmax(scores * counts, -1)

# %% 1.3 wrong
# believes: the largest score of the first row will do
# says: One number was subtracted from all scores
def weights_with_counts(scores, counts):
    e = (scores - 1001).exp() * counts
    return e / e.sum(-1, keepdim=True)

# %% 1.4 right
# unusual: another way
import torch

def attention_by_einsum(q, k, v):
    scores = torch.einsum("bhtd,bhsd->bhts", q, k) * q.size(-1) ** -0.5
    weights = torch.exp(scores - torch.logsumexp(scores, -1, keepdim=True))
    return torch.einsum("bhts,bhsv->bhtv", weights, v), weights

# %% 1.4 right
# unusual: PyTorch's fused attention twice, the second time with one-hot values to read the weights
def attention(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    s = k.shape[-2]
    one_hot = torch.eye(s, dtype=v.dtype, device=v.device).expand(*k.shape[:-2], s, s)
    weights = F.scaled_dot_product_attention(q, k, one_hot)
    return F.scaled_dot_product_attention(q, k, v), weights

# %% 1.4 right
# unusual: both sides divided by the fourth root
def attention(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    root = q.size(-1) ** 0.25
    p = torch.einsum("...td,...sd->...ts", q / root, k / root).softmax(dim=-1)
    return torch.matmul(p, v), p

# %% 1.4 wrong
# believes: the scale is D itself
# says: divided by D.
def attention(q, k, v):
    D = q.shape[-1]
    w = (q @ k.transpose(-2, -1) / D).softmax(-1)
    return w @ v, w

# %% 1.4 wrong
# believes: D is axis 1, as in the (T, D) example
# says: another number than sqrt(D)
def attention(q, k, v):
    w = torch.softmax((q @ k.transpose(-2, -1)) / math.sqrt(q.shape[1]), -1)
    return w @ v, w

# %% 1.4 wrong
# believes: each key shares out its attention among the queries
# says: Softmax runs over the queries
def attention(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    weights = scores.softmax(-2)
    return weights @ v, weights

# %% 1.4 wrong
# believes: the scale comes from the size of the values
# says: another number than sqrt(D)
def attention(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    d = v.shape[-1]
    weights = (q @ k.transpose(-2, -1) / d**0.5).softmax(-1)
    return weights @ v, weights

# %% 1.4 wrong
# believes: the division by sqrt(D) may come after the softmax
# says: Divide the scores, before softmax
def attention(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    weights = torch.softmax(q @ k.transpose(-2, -1), dim=-1) / math.sqrt(q.shape[-1])
    output = weights @ v
    return output, weights

# %% 1.4 wrong
# believes: the results may come in any order
# says: return the output first
def attention(q, k, v):
    w = (q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5).softmax(-1)
    return w, w @ v

# %% 1.4 wrong
# believes: softmax is not needed once the scores are on a fair scale
# says: Softmax is missing
def attention(q, k, v):
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    return scores @ v, scores

# %% 1.4 wrong
# believes: the scores are the second result
# says: the scores come back instead of the weights
def attention(q, k, v):
    scores = torch.einsum("bhtd,bhsd->bhts", q, k) / math.sqrt(q.shape[-1])
    return torch.softmax(scores, -1) @ v, scores

# %% 1.5 right
# unusual: D = 2, labels around a circle
def follow_pointers():
    angle = torch.arange(12) * (2 * math.pi / 12)
    circle = 10 * torch.stack([angle.cos(), angle.sin()], dim=-1)
    W_q, W_k = torch.zeros(2, 34, 2)
    W_q[22:], W_k[:12] = circle, circle
    return W_q, W_k

# %% 1.5 right
# unusual: D = 4, the labels in binary digits of plus and minus 1
def follow_pointers():
    bits = (torch.arange(12)[:, None] >> torch.arange(4)) % 2 * 2.0 - 1
    W_q, W_k = torch.zeros(34, 4), torch.zeros(34, 4)
    W_q[22:34] = 3 * bits
    W_k[0:12] = 3 * bits
    return W_q, W_k

# %% 1.5 right
# unusual: D = 34, a loop, a list of two, double precision
def follow_pointers():
    W_q = torch.zeros(34, 34, dtype=torch.float64)
    for i in range(12):
        W_q[22 + i, i] = 60
    return [W_q, torch.eye(34)]

# %% 1.5 wrong
# believes: ones are enough
# says: hardly harder than at the others
def follow_pointers():
    W_q, W_k = torch.zeros(34, 12), torch.zeros(34, 12)
    W_q[22:] = torch.eye(12)
    W_k[:12] = torch.eye(12)
    return W_q, W_k

# %% 1.5 wrong
# believes: a factor of 4 is plenty
# says: Each box looks hardest at the one it points to, but not hard enough
def follow_pointers():
    W_q = torch.cat([torch.zeros(22, 12), 4 * torch.eye(12)])
    W_k = torch.cat([torch.eye(12), torch.zeros(22, 12)])
    return W_q, W_k

# %% 1.5 wrong
# believes: the query is who I am, the key whom I point to
# says: The other way round
def follow_pointers():
    W_q, W_k = torch.zeros(34, 12), torch.zeros(34, 12)
    W_k[22:] = 9 * torch.eye(12)
    W_q[:12] = 9 * torch.eye(12)
    return W_q, W_k

# %% 1.5 wrong
# believes: the whole vector takes part
# says: Where a box looks depends on digits
def follow_pointers():
    W_q, W_k = torch.zeros(34, 12), torch.zeros(34, 12)
    W_q[22:] = 9 * torch.eye(12)
    W_k[:12] = 9 * torch.eye(12)
    W_q[12:22, :10] = 9 * torch.eye(10)
    return W_q, W_k

# %% 1.5 wrong
# believes: the matrices turn the vectors the other way
# says: have to be (34, D)
def follow_pointers():
    W_q, W_k = torch.zeros(12, 34), torch.zeros(12, 34)
    W_q[:, 22:] = 9 * torch.eye(12)
    W_k[:, :12] = 9 * torch.eye(12)
    return W_q, W_k

# %% 1.5 wrong
# believes: D = 1 is enough: the label's number, times itself
# says: Boxes do not look where they point
def follow_pointers():
    W_q, W_k = torch.zeros(34, 1), torch.zeros(34, 1)
    W_q[22:, 0] = torch.arange(12.0)
    W_k[:12, 0] = torch.arange(12.0)
    return W_q, W_k

# %% 1.5 wrong
# believes: binary digits of 0 and 1 do as well
# says: Boxes do not look where they point
def follow_pointers():
    bits = (torch.arange(12)[:, None] >> torch.arange(4)) % 2 * 9.0
    W_q, W_k = torch.zeros(34, 4), torch.zeros(34, 4)
    W_q[22:], W_k[:12] = bits, bits
    return W_q, W_k

# %% 1.5 wrong
# believes: zeros are a good beginning
# says: its scores are equal
def follow_pointers():
    return torch.zeros(34, 12), torch.zeros(34, 12)

# %% 1.5 wrong
# believes: labels are found by labels
# says: themselves
def follow_pointers():
    W = torch.zeros(34, 12)
    W[:12] = 30 * torch.eye(12)
    return W, W

# %% 1.6 right
# unusual: another way
from torch.nn import functional as F
import torch

def heads_by_chunks(x, w_q, w_k, w_v, w_o, n_heads):
    pieces = (torch.chunk(x @ w, n_heads, dim=-1) for w in (w_q, w_k, w_v))
    outputs = [F.scaled_dot_product_attention(q, k, v) for q, k, v in zip(*pieces, strict=True)]
    return torch.cat(outputs, dim=-1) @ w_o

# %% 1.6 right
# unusual: a sum over heads, each with its own columns and its own rows of w_o; nothing is joined
def multi_head_attention(
    x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, w_o: Tensor, n_heads: int
) -> Tensor:
    D = x.shape[-1] // n_heads
    result = torch.zeros_like(x)
    for h in range(n_heads):
        mine = slice(h * D, (h + 1) * D)
        q, k, v = x @ w_q[:, mine], x @ w_k[:, mine], x @ w_v[:, mine]
        p = torch.softmax(torch.bmm(q, k.mT) * D**-0.5, dim=-1)
        result = result + torch.bmm(p, v) @ w_o[mine]
    return result

# %% 1.6 right
# unusual: sliding windows of D numbers, D apart
def multi_head_attention(x, w_q, w_k, w_v, w_o, n_heads):
    D = x.shape[-1] // n_heads
    q, k, v = ((x @ w).unfold(-1, D, D).movedim(2, 1) for w in (w_q, w_k, w_v))
    out = scaled_dot_product_attention(q, k, v)[0]
    return out.movedim(1, 2).flatten(2) @ w_o

# %% 1.6 wrong
# believes: (B, H, T, D) can be reshaped to (B, T, M) without swapping axes back
# says: H and T have to be swapped back first
def multi_head_attention(
    x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, w_o: Tensor, n_heads: int
) -> Tensor:
    B, T, M = x.shape
    q, k, v = (
        (x @ w).view(B, T, n_heads, M // n_heads).transpose(1, 2) for w in (w_q, w_k, w_v)
    )
    out, _ = scaled_dot_product_attention(q, k, v)
    return out.reshape(B, T, M) @ w_o

# %% 1.6 wrong
# believes: putting the heads side by side is already the end (step 5 forgotten)
# says: multiply by w_o at the end
def multi_head_attention(
    x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, w_o: Tensor, n_heads: int
) -> Tensor:
    def heads(y):
        return y.unflatten(-1, (n_heads, -1)).transpose(1, 2)

    out, weights = scaled_dot_product_attention(heads(x @ w_q), heads(x @ w_k), heads(x @ w_v))
    return out.transpose(1, 2).flatten(2)

# %% 1.6 wrong
# believes: the matrices are stored the way nn.Linear stores them
# says: The matrices were transposed
def multi_head_attention(
    x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, w_o: Tensor, n_heads: int
) -> Tensor:
    B, T, M = x.shape
    D = M // n_heads
    q = (x @ w_q.T).view(B, T, n_heads, D).transpose(1, 2)
    k = (x @ w_k.T).view(B, T, n_heads, D).transpose(1, 2)
    v = (x @ w_v.T).view(B, T, n_heads, D).transpose(1, 2)
    out, _ = scaled_dot_product_attention(q, k, v)
    return out.transpose(1, 2).reshape(B, T, M) @ w_o.T

# %% 1.6 wrong
# believes: the heads are the first axis split, so tokens meet only the other heads of themselves
# says: Tokens never meet here
def multi_head_attention(
    x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, w_o: Tensor, n_heads: int
) -> Tensor:
    B, T, M = x.shape
    q = (x @ w_q).view(B, T, n_heads, -1)
    k = (x @ w_k).view(B, T, n_heads, -1)
    v = (x @ w_v).view(B, T, n_heads, -1)
    out, _ = scaled_dot_product_attention(q, k, v)  # (B, T, H, D)
    return out.reshape(B, T, M) @ w_o

# %% 1.6 wrong
# believes: keys ask, queries answer
# says: It is right once `w_q` and `w_k` are exchanged
def multi_head_attention(x, w_q, w_k, w_v, w_o, n_heads):
    B, T, M = x.shape
    k, q, v = ((x @ w).reshape(B, T, n_heads, -1).transpose(1, 2) for w in (w_q, w_k, w_v))
    out, _ = scaled_dot_product_attention(q, k, v)
    return out.transpose(1, 2).reshape(B, T, M) @ w_o

# %% 1.6 wrong
# believes: what is averaged are the words themselves
# says: without w_v
def multi_head_attention(x, w_q, w_k, w_v, w_o, n_heads):
    B, T, M = x.shape
    q, k, v = (y.reshape(B, T, n_heads, -1).transpose(1, 2) for y in (x @ w_q, x @ w_k, x))
    out, _ = scaled_dot_product_attention(q, k, v)
    return out.transpose(1, 2).reshape(B, T, M) @ w_o

# %% 1.6 wrong
# believes: weights come first
# says: `output` is
def multi_head_attention(x, w_q, w_k, w_v, w_o, n_heads):
    B, T, M = x.shape
    q, k, v = ((x @ w).reshape(B, T, n_heads, -1).transpose(1, 2) for w in (w_q, w_k, w_v))
    _, output = scaled_dot_product_attention(q, k, v)
    return output.transpose(1, 2).reshape(B, T, M) @ w_o

# %% 1.6 wrong
# believes: heads are added up
# says: shapes cannot be multiplied
# says: the last axis of a is as long as the second to last of b
def multi_head_attention(x, w_q, w_k, w_v, w_o, n_heads):
    B, T, M = x.shape
    q, k, v = ((x @ w).reshape(B, T, n_heads, -1).transpose(1, 2) for w in (w_q, w_k, w_v))
    o, _ = scaled_dot_product_attention(q, k, v)
    return o.sum(1) @ w_o

# %% 1.6 wrong
# believes: the heads' order does not matter when they are put side by side
# says: `q` holds the queries of all heads
# says: `out` holds what each head has heard
# says: the heads side by side
def multi_head_attention(x, w_q, w_k, w_v, w_o, n_heads):
    B, T, M = x.shape
    q, k, v = ((x @ w).reshape(B, T, n_heads, -1).transpose(1, 2) for w in (w_q, w_k, w_v))
    out, _ = scaled_dot_product_attention(q, k, v)
    joined = out.flip(1).transpose(1, 2).reshape(B, T, M)
    return joined @ w_o

# %% 1.6 wrong
# believes: pieces are interleaved
# says: every H-th number
def multi_head_attention(x, w_q, w_k, w_v, w_o, n_heads):
    B, T, M = x.shape
    def split(y):
        return y.view(B, T, M // n_heads, n_heads).permute(0, 3, 1, 2)
    out, _ = scaled_dot_product_attention(split(x @ w_q), split(x @ w_k), split(x @ w_v))
    return out.permute(0, 2, 3, 1).reshape(B, T, M) @ w_o

# %% 1.7 right
# unusual: all 120 orders, and a matrix that permutes
from itertools import permutations

def ignore_order(layers, x):
    n, bools = len(x), []
    for layer in layers:
        same = True
        for p in permutations(range(n)):
            P = torch.eye(n)[list(p)]
            same = same and bool(((layer(P @ x) - P @ layer(x)).abs() < 1e-4).all())
        bools.append(same)
    return bools

# %% 1.7 right
# unusual: exchanges of two tokens, one after the other, and back
def ignore_order(layers, x):
    answers = []
    for layer in layers:
        ok, y = True, x
        for i in range(len(x)):
            for j in range(i):
                order = list(range(len(x)))
                order[i], order[j] = j, i
                ok &= torch.allclose(layer(y[order]), layer(y)[order], atol=1e-4)
                y = y[order]
        answers.append(ok)
    return answers

# %% 1.7 wrong
# believes: a reversal is another order, and one is enough
# says: the reversed order alone
def ignore_order(layers, x):
    return [torch.allclose(layer(x.flip(0)).flip(0), layer(x), atol=1e-4) for layer in layers]

# %% 1.7 wrong
# believes: rolling is shuffling
# says: the reversed order alone
def ignore_order(layers, x):
    results = []
    for layer in layers:
        results.append(torch.allclose(layer(x.roll(2, 0)), layer(x).roll(2, 0), atol=1e-4))
    return results

# %% 1.7 wrong
# believes: a bag gives the same result in whatever order
# says: whose output does not change at all
def ignore_order(layers, x):
    orders = [torch.randperm(len(x)) for _ in range(20)]
    return [all(torch.allclose(f(x[o]), f(x), atol=1e-4) for o in orders) for f in layers]

# %% 1.7 wrong
# believes: the first two tokens stand for all pairs
# says: exchanges the first two tokens
def ignore_order(layers, x):
    swapped = torch.tensor([1, 0, 2, 3, 4])
    return [torch.allclose(f(x[swapped]), f(x)[swapped], atol=1e-4) for f in layers]

# %% 1.7 wrong
# believes: True means that something changes
# says: Upside down
def ignore_order(layers, x):
    changes = []
    for f in layers:
        seen = False
        for _ in range(60):
            o = torch.randperm(len(x))
            if not torch.allclose(f(x[o]), f(x)[o], atol=1e-4):
                seen = True
        changes.append(seen)
    return changes

# %% 1.7 wrong
# believes: the answer can be guessed
# says: expected is False
def ignore_order(layers, x):
    return [True] * len(layers)

# %% 1.7 wrong
# believes: one answer for all layers
# says: expected is a list of 12
def ignore_order(layers, x):
    o = torch.randperm(len(x))
    return all(torch.allclose(f(x[o]), f(x)[o], atol=1e-4) for f in layers)

# %% 1.8 right
# unusual: a sigmoid of the difference
def join_halves(output_a, log_sum_a, output_b, log_sum_b):
    share = (log_sum_a - log_sum_b).sigmoid()[..., None]
    return output_b.lerp(output_a, share), torch.stack([log_sum_a, log_sum_b]).logsumexp(0)

# %% 1.8 right
# unusual: the larger one first, by hand
def join_halves(output_a, log_sum_a, output_b, log_sum_b):
    top = torch.maximum(log_sum_a, log_sum_b)
    a, b = (log_sum_a - top).exp(), (log_sum_b - top).exp()
    out = (a.unsqueeze(-1) * output_a + b.unsqueeze(-1) * output_b) / (a + b).unsqueeze(-1)
    return out, top + (a + b).log()

# %% 1.8 right
# unusual: attention once more, with log-sums as scores and outputs as values
def join_halves(output_a, log_sum_a, output_b, log_sum_b):
    scores = torch.stack([log_sum_a, log_sum_b], dim=-1)[..., None, :]
    values = torch.stack([output_a, output_b], dim=-2)
    return (scores.softmax(-1) @ values)[..., 0, :], scores.logsumexp(-1)[..., 0]

# %% 1.8 wrong
# believes: two halves count half each
# says: plain mean of the two
def join_halves(output_a, log_sum_a, output_b, log_sum_b):
    return 0.5 * output_a + 0.5 * output_b, torch.logaddexp(log_sum_a, log_sum_b)

# %% 1.8 wrong
# believes: exp will do
# says: overflows
def join_halves(output_a, log_sum_a, output_b, log_sum_b):
    a, b = log_sum_a.exp().unsqueeze(-1), log_sum_b.exp().unsqueeze(-1)
    return (a * output_a + b * output_b) / (a + b), (a + b).log().squeeze(-1)

# %% 1.8 wrong
# believes: log-sums are added
# says: the log-sum is not
def join_halves(output_a, log_sum_a, output_b, log_sum_b):
    share = torch.sigmoid(log_sum_a - log_sum_b)[..., None]
    return share * output_a + (1 - share) * output_b, log_sum_a + log_sum_b

# %% 1.8 wrong
# believes: the shares are known from the largest
# says: The shares do not sum to 1
def join_halves(output_a, log_sum_a, output_b, log_sum_b):
    m = torch.maximum(log_sum_a, log_sum_b)
    out = (log_sum_a - m).exp()[..., None] * output_a + (log_sum_b - m).exp()[..., None] * output_b
    return out, m

# %% 1.8 wrong
# believes: logarithms can be used as shares
# says: those of the logarithms
def join_halves(output_a, log_sum_a, output_b, log_sum_b):
    share = (log_sum_a / (log_sum_a + log_sum_b)).unsqueeze(-1)
    log_sum = torch.logaddexp(log_sum_a, log_sum_b)
    return share * output_a + (1 - share) * output_b, log_sum

# %% 1.8 wrong
# believes: shapes look after themselves
# says: must match the size of tensor b
def join_halves(output_a, log_sum_a, output_b, log_sum_b):
    log_sum = torch.logaddexp(log_sum_a, log_sum_b)
    a, b = (log_sum_a - log_sum).exp(), (log_sum_b - log_sum).exp()
    return a * output_a + b * output_b, log_sum

# %% 1.8 wrong
# believes: sigmoid, the wrong way round
# says: The shares have changed places
def join_halves(output_a, log_sum_a, output_b, log_sum_b):
    share = torch.sigmoid(log_sum_b - log_sum_a)[..., None]
    return share * output_a + (1 - share) * output_b, torch.logaddexp(log_sum_a, log_sum_b)
