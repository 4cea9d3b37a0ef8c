# %% 2.1 right
# unusual: plain numbers in double precision, negative scores
import torch

def where_late_fails():
    return torch.tensor([[-5, -5, 0, 0], [1.0986123, 0, -3, 1e4]], dtype=torch.float64)

# %% 2.1 right
# unusual: scores from the weights asked for, by logarithms
def where_late_fails():
    wanted = torch.tensor([[0.5, 0.5], [0.75, 0.25]])
    closed = torch.tensor([[50.0, 0.0], [500.0, 500.0]])
    return torch.cat([wanted.log(), closed], dim=1)

# %% 2.1 wrong
# believes: a large score is large enough
# says: not 0 yet
def where_late_fails():
    return torch.tensor([[0.0, 0.0, 9.0, 9.0], [math.log(3), 0.0, 20.0, 0.0]])

# %% 2.1 wrong
# believes: scores are weights
# says: Query 1: scores of 3 and 1
def where_late_fails():
    return torch.tensor([[0.0, 0.0, 9.0, 9.0], [3.0, 1.0, 200.0, 0.0]])

# %% 2.1 wrong
# believes: the closed keys must be low
# says: Query 0: masked too late, 1.000 of the attention is left
def where_late_fails():
    return torch.tensor([[0.0, 0.0, -9.0, -9.0], [math.log(3), 0.0, -200.0, -200.0]])

# %% 2.1 wrong
# believes: infinity is a score
# says: have to be finite
def where_late_fails():
    return torch.tensor([[0.0, 0.0, 9.0, 9.0], [math.log(3), 0.0, math.inf, 0.0]])

# %% 2.1 wrong
# believes: open scores have to overflow
# says: query 1 gives the open keys the weights 1.000 and 0.000
def where_late_fails():
    return torch.tensor([[1.0, 1.0, 9.0, 9.0], [300.0, 100.0, 0.0, 0.0]])

# %% 2.1 wrong
# believes: ninety is far enough
# says: the weights are no nan
# says: It has to be exactly 0
def where_late_fails():
    return torch.tensor([[2.0, 2.0, 20.0, 0.0], [math.log(3), 0.0, 90.0, 0.0]])

# %% 2.1 wrong
# believes: a list is a tensor
# says: Return one tensor (2, 4)
def where_late_fails():
    return [[0.0, 0.0, 9.0, 9.0], [math.log(3), 0.0, 200.0, 0.0]]

# %% 2.2 right
# unusual: another way
import torch

def padding_by_loop(lengths, size):
    mask = torch.zeros(len(lengths), 1, 1, size, dtype=torch.bool)
    for row, n in enumerate(lengths.tolist()):
        mask[row, ..., :n] = True
    return mask

# %% 2.2 right
# unusual: counts down from each length, cumulative sums of ones
def my_padding_mask(lengths: Tensor, size: int) -> Tensor:
    B = lengths.shape[0]
    left = lengths.view(B, 1, 1, 1) - torch.ones(B, 1, 1, size, dtype=torch.long).cumsum(-1)
    return left.ge(0)

# %% 2.2 wrong
# believes: place number `length` is the last word
# says: One place too many is open
def my_padding_mask(lengths: Tensor, size: int) -> Tensor:
    return (torch.arange(size) <= lengths[:, None])[:, None, None]

# %% 2.2 wrong
# believes: the queries are closed, so the places run down the third axis
# says: This closes rows
def my_padding_mask(lengths: Tensor, size: int) -> Tensor:
    mask = torch.arange(size)[None, :] < lengths[:, None]  # (B, S)
    return mask[:, None, :, None]

# %% 2.2 wrong
# believes: places are counted from 1
# says: One place too few is open
def my_padding_mask(lengths, size):
    return (torch.arange(1, size + 1) < lengths[:, None])[:, None, None, :]

# %% 2.2 wrong
# believes: padding is what the mask says
# says: Upside down
def my_padding_mask(lengths, size):
    return (torch.arange(size)[None, None, None, :] >= lengths[:, None, None, None])

# %% 2.2 wrong
# believes: numbers will do
# says: dtype
def my_padding_mask(lengths, size):
    return (torch.arange(size) < lengths[:, None])[:, None, None, :].float()

# %% 2.2 wrong
# believes: the mask must have the full shape
# says: Once is enough
def my_padding_mask(lengths, size):
    mask = (torch.arange(size) < lengths[:, None])[:, None, None, :]
    return mask.repeat(1, 1, size, 1)

# %% 2.2 wrong
# believes: lengths broadcast by themselves
# says: must match the size of tensor b
def my_padding_mask(lengths, size):
    return torch.arange(size) < lengths

# %% 2.3 right
# unusual: the last rows of the whole mask
import numpy as np
import torch

def causal_mask_with_past(n_queries, n_keys):
    whole = torch.from_numpy(np.arange(n_keys)[:, None] >= np.arange(n_keys)[None])
    return whole[-n_queries:]

# %% 2.3 right
# unusual: nested lists of Python comparisons
def causal_mask_with_past(n_queries: int, n_keys: int) -> Tensor:
    rows = []
    for t in range(n_keys - n_queries, n_keys):
        rows.append([True] * (t + 1) + [False] * (n_keys - t - 1))
    return torch.tensor(rows)

# %% 2.3 right
# unusual: the triangle cut off from the other corner
def causal_mask_with_past(n_queries, n_keys):
    closed = torch.ones(n_queries, n_keys).flip(0, 1).tril(-1).flip(0, 1)
    return closed == 0

# %% 2.3 wrong
# believes: tril does it
# says: as if the queries were the *first* words
def causal_mask_with_past(n_queries, n_keys):
    return torch.tril(torch.ones(n_queries, n_keys)).bool()

# %% 2.3 wrong
# believes: a query must not see its own place
# says: each row ends one place too early
def causal_mask_with_past(n_queries, n_keys):
    return torch.ones(n_queries, n_keys).tril(diagonal=n_keys - n_queries - 1).bool()

# %% 2.3 wrong
# believes: the column of numbers is compared the other way round
# says: This opens the future
def causal_mask_with_past(n_queries, n_keys):
    t = torch.arange(n_keys - n_queries, n_keys)
    return t[:, None] <= torch.arange(n_keys)

# %% 2.3 wrong
# believes: the mask of all words
# says: That is the table for all words as queries
def causal_mask_with_past(n_queries, n_keys):
    return causal_mask(n_keys)

# %% 2.3 wrong
# believes: the first rows of the mask
# says: as if the queries were the *first* words
def causal_mask_with_past(n_queries, n_keys):
    return causal_mask(n_keys)[:n_queries]

# %% 2.3 wrong
# believes: places start at n_queries
# says: entries differ
def causal_mask_with_past(n_queries, n_keys):
    places = torch.arange(n_queries) + n_queries
    return torch.arange(n_keys) <= places[:, None]

# %% 2.3 wrong
# believes: True closes
# says: Upside down
def causal_mask_with_past(n_queries, n_keys):
    return ~causal_mask(n_keys)[-n_queries:]

# %% 2.3 wrong
# believes: floats are fine
# says: dtype
def causal_mask_with_past(n_queries, n_keys):
    return torch.ones(n_queries, n_keys).tril(n_keys - n_queries)

# %% 2.4 right
# unusual: random tokens, the last two exchanged
def blind_test():
    x = torch.randn(6, 8)
    return x, torch.cat([x[:4], x[5:], x[4:5]])

# %% 2.4 right
# unusual: from lists, all tokens of the past alike
def blind_test():
    past = [[1.0] * 8] * 4
    a, b = [0.0, 1.0] * 4, [3.0, 0.0] * 4
    return torch.tensor([*past, a, b]), torch.tensor([*past, b, a])

# %% 2.4 wrong
# believes: zeros are not heard
# says: notices that the two future tokens became zeros
def blind_test():
    x = torch.eye(6, 8)
    changed = x.clone()
    changed[4:] = 0.0
    return x, changed

# %% 2.4 wrong
# believes: the sum of the tokens counts
# says: The test notices it
def blind_test():
    x = torch.ones(6, 8)
    changed = x.clone()
    changed[4] += 0.5
    changed[5] -= 0.5
    return x, changed

# %% 2.4 wrong
# believes: no change, no notice
# says: Nothing is changed
def blind_test():
    x = torch.eye(6, 8)
    return x, x.clone()

# %% 2.4 wrong
# believes: a little is as good as nothing
# says: is not changed enough
def blind_test():
    x = torch.randn(6, 8)
    changed = x.clone()
    changed[4:] += 1e-7
    return x, changed

# %% 2.4 wrong
# believes: a reversed sentence is a bag, too
# says: The past has to stay
def blind_test():
    x = torch.randn(6, 8)
    return x, x.flip(0)

# %% 2.4 wrong
# believes: a batch is needed
# says: have to be tensors (6, 8)
def blind_test():
    x = torch.randn(1, 6, 8)
    return x, x[:, [0, 1, 2, 3, 5, 4]]

# %% 2.4 wrong
# believes: turned signs cancel
# says: The test notices it
def blind_test():
    x = torch.randn(6, 8)
    x[5] = -x[4]
    changed = x.clone()
    changed[4:] = 2 * x[4:]
    return x, changed

# %% 2.4 wrong
# believes: far away is out of sight
# says: between -10 and 10
def blind_test():
    x = torch.randn(6, 8)
    changed = x.clone()
    changed[4:] = -1e6
    return x, changed

# %% 2.5 right
# unusual: every pair by hand
def window_mask(lengths, size, window, n_global):
    mask = torch.zeros(len(lengths), 1, size, size, dtype=torch.bool)
    for b, n in enumerate(lengths.tolist()):
        for t in range(size):
            for s in range(min(n, size)):
                mask[b, 0, t, s] = abs(t - s) <= window or t < n_global or s < n_global
    return mask

# %% 2.5 right
# unusual: triangles, and slices that are written into
def window_mask(lengths, size, window, n_global):
    pairs = torch.ones(size, size).tril(window).triu(-window).bool()
    pairs[:n_global] = True
    pairs[:, :n_global] = True
    return pairs & (torch.arange(size) < lengths.view(-1, 1, 1, 1))

# %% 2.5 wrong
# believes: the last `|` may stand anywhere
# says: Padding is heard
def window_mask(lengths, size, window, n_global):
    place = torch.arange(size)
    near = (place[:, None] - place).abs() <= window
    everybody = (place < n_global)[:, None] | (place < n_global)
    return near & padding_mask(lengths, size) | everybody

# %% 2.5 wrong
# believes: global words hear all; that is all
# says: their columns are missing
def window_mask(lengths, size, window, n_global):
    mask = torch.ones(size, size).tril(window).triu(-window).bool()
    mask[:n_global] = True
    return mask & padding_mask(lengths, size)

# %% 2.5 wrong
# believes: the window is the whole width
# says: the reach to each side
def window_mask(lengths, size, window, n_global):
    place = torch.arange(size)
    near = (place[:, None] - place).abs() <= window // 2
    pairs = near | (place < n_global) | (place < n_global)[:, None]
    return pairs & padding_mask(lengths, size)

# %% 2.5 wrong
# believes: distances have signs that do not matter
# says: the window has no end
def window_mask(lengths, size, window, n_global):
    place = torch.arange(size)
    near = place[:, None] - place <= window
    pairs = near | (place < n_global) | (place < n_global)[:, None]
    return pairs & padding_mask(lengths, size)

# %% 2.5 wrong
# believes: padding must be closed as a query, too
# says: The rows of padding queries are closed as well
def window_mask(lengths, size, window, n_global):
    place = torch.arange(size)
    near = (place[:, None] - place).abs() <= window
    pairs = near | (place < n_global) | (place < n_global)[:, None]
    keys = padding_mask(lengths, size)
    return pairs & keys & keys.transpose(-2, -1)

# %% 2.5 wrong
# believes: global means global with global
# says: Either of the two being
def window_mask(lengths, size, window, n_global):
    place = torch.arange(size)
    near = (place[:, None] - place).abs() <= window
    near[:n_global, :n_global] = True
    return near & padding_mask(lengths, size)

# %% 2.5 wrong
# believes: the word at distance `window` is outside
# says: too narrow by one
def window_mask(lengths, size, window, n_global):
    place = torch.arange(size)
    near = (place[:, None] - place).abs() < window
    pairs = near | (place < n_global) | (place < n_global)[:, None]
    return pairs & padding_mask(lengths, size)

# %% 2.5 wrong
# believes: everything at once with and
# says: `near` holds the window
def window_mask(lengths, size, window, n_global):
    place = torch.arange(size)
    near = (place[:, None] - place).abs() <= window
    return near & (place < n_global) & padding_mask(lengths, size)

# %% 2.6 right
# unusual: a dict for each row
def places_in_texts(documents):
    rows = []
    for row in documents.tolist():
        seen, places = {}, []
        for number in row:
            places.append(seen.get(number, 0))
            seen[number] = seen.get(number, 0) + 1
        rows.append(places)
    return torch.tensor(rows)

# %% 2.6 right
# unusual: strictly earlier tokens, compared bit by bit
def places_in_texts(documents: Tensor) -> Tensor:
    same = torch.bitwise_xor(documents.unsqueeze(-1), documents.unsqueeze(-2)).logical_not()
    return same.float().tril(-1).sum(-1).long()

# %% 2.6 right
# unusual: one-hot vectors of the numbers, added up along the row
def places_in_texts(documents):
    one_hot = F.one_hot(documents)  # (B, T, numbers)
    so_far = one_hot.cumsum(1)
    return so_far.gather(-1, documents[..., None])[..., 0] - 1

# %% 2.6 wrong
# believes: texts stand in one piece
# says: whenever another text has its turn
def places_in_texts(documents):
    out = torch.zeros_like(documents)
    for b in range(documents.shape[0]):
        for t in range(1, documents.shape[1]):
            if documents[b, t] == documents[b, t - 1]:
                out[b, t] = out[b, t - 1] + 1
    return out

# %% 2.6 wrong
# believes: the token itself counts
# says: Counted from 1
def places_in_texts(documents):
    same = same_document_mask(documents)
    return (same & causal_mask(documents.shape[1])).sum(-1)[:, 0]

# %% 2.6 wrong
# believes: either axis will do for the sum
# says: come *later* in the same text
def places_in_texts(documents):
    same = documents[:, :, None] == documents[:, None, :]
    return same.tril().sum(1) - 1

# %% 2.6 wrong
# believes: the distance to the beginning of the text
# says: the distance to the text's first token
def places_in_texts(documents):
    first = same_document_mask(documents)[:, 0].int().argmax(-1)
    return torch.arange(documents.shape[1]) - first

# %% 2.6 wrong
# believes: the axis for heads stays
# says: The numbers are right, but the shape is (2, 1, 9) instead of (2, 9)
def places_in_texts(documents):
    return (same_document_mask(documents) & causal_mask(documents.shape[1])).sum(-1) - 1

# %% 2.6 wrong
# believes: how many others there are
# says: wherever they stand
def places_in_texts(documents):
    return same_document_mask(documents)[:, 0].sum(-1) - 1

# %% 2.7 right
# unusual: only the queries that hear something
def sum_of_squares(scores, additive_mask, values):
    closed = additive_mask.isneginf().expand_as(scores)
    some = ~closed.all(-1)  # (B, H, T)
    weights = torch.zeros_like(scores)
    weights[some] = torch.where(closed[some], -math.inf, scores[some]).softmax(-1)
    return (weights @ values).pow(2).sum()

# %% 2.7 right
# unusual: exponentials by hand, with the largest open score taken away
def sum_of_squares(scores, additive_mask, values):
    closed = additive_mask < 0
    top = scores.masked_fill(closed, -1e30).amax(-1, keepdim=True).detach()
    e = (scores - top).masked_fill(closed, -200.0).exp()
    weights = e / e.sum(-1, keepdim=True).clamp(min=1e-20)
    return torch.linalg.vector_norm(weights @ values) ** 2

# %% 2.7 right
# unusual: PyTorch's fused attention gives zeros to empty queries
def sum_of_squares(scores, additive_mask, values):
    ours, weights = [], None
    closed = additive_mask < 0
    nothing = closed.all(-1, keepdim=True)
    kept = torch.where(nothing, torch.zeros(()), additive_mask)
    heard = (scores + kept).softmax(-1) @ values
    return heard.masked_fill(nothing, 0).square().sum()

# %% 2.7 wrong
# believes: a nan that is replaced is gone
# says: The loss is right, but the gradient of `scores` is nan at empty queries
def sum_of_squares(scores, additive_mask, values):
    weights = (scores + additive_mask).softmax(-1)
    weights = torch.nan_to_num(weights, nan=0.0)
    return (weights @ values).square().sum()

# %% 2.7 wrong
# believes: a very negative number cures the empty query
# says: An empty query listens evenly
def sum_of_squares(scores, additive_mask, values):
    weights = (scores + additive_mask.clamp(min=-1e9)).softmax(-1)
    return ((weights @ values) ** 2).sum()

# %% 2.7 wrong
# believes: nan times zero is zero
# says: The loss is nan
def sum_of_squares(scores, additive_mask, values):
    weights = (scores + additive_mask).softmax(-1)
    weights = weights * (additive_mask == 0).any(-1, keepdim=True)
    return (weights @ values).square().sum()

# %% 2.7 wrong
# believes: the row's maximum may be taken over forbidden keys; a little epsilon helps with zeros
# says: a closed key far above its open ones
def sum_of_squares(scores, additive_mask, values):
    e = (scores - scores.amax(-1, keepdim=True)).exp() * (additive_mask == 0)
    weights = e / (e.sum(-1, keepdim=True) + 1e-9)
    return (weights @ values).square().sum()

# %% 2.7 wrong
# believes: after softmax is as good
# says: The weights do not sum to 1
def sum_of_squares(scores, additive_mask, values):
    weights = scores.softmax(-1) * additive_mask.exp()
    return (weights @ values).square().sum()

# %% 2.7 wrong
# believes: a loss is a number
# says: no gradient flows to `scores` and `values`
def sum_of_squares(scores, additive_mask, values):
    closed = additive_mask == -math.inf
    weights = scores.masked_fill(closed, -math.inf).softmax(-1).nan_to_num(0.0)
    return (weights @ values).square().sum().item()

# %% 2.7 wrong
# believes: safe is safe: the weights need no gradient
# says: no gradient flows to `scores`
def sum_of_squares(scores, additive_mask, values):
    with torch.no_grad():
        weights = (scores + additive_mask).softmax(-1).nan_to_num(0.0)
    return (weights @ values).square().sum()

# %% 2.7 wrong
# believes: a loss is a mean
# says: The mean of the squares
def sum_of_squares(scores, additive_mask, values):
    closed = additive_mask == -math.inf
    nothing = closed.all(-1, keepdim=True)
    weights = scores.masked_fill(closed & ~nothing, -math.inf).softmax(-1)
    return (weights.masked_fill(nothing, 0) @ values).square().mean()

# %% 2.7 wrong
# believes: the outputs are added up, then squared
# says: `weights` holds the weights
# says: what goes wrong comes after that
def sum_of_squares(scores, additive_mask, values):
    closed = additive_mask == -math.inf
    nothing = closed.all(-1, keepdim=True)
    weights = scores.masked_fill(closed & ~nothing, -math.inf).softmax(-1)
    weights = weights.masked_fill(nothing, 0)
    return (weights @ values).sum().square()

# %% 2.7 wrong
# believes: writing into the scores saves memory
# says: leaf Variable
def sum_of_squares(scores, additive_mask, values):
    scores += additive_mask
    weights = scores.softmax(-1).nan_to_num(0.0)
    return (weights @ values).square().sum()

# %% 2.8 right
# unusual: the package's attention where it has the reading, functions in a dict
def readings_that_fit(q, k, v, masks, outputs):
    def plain(m):
        return attention_scores(q, k).softmax(-1)

    ways = {
        "as meant": lambda m: scaled_dot_product_attention(q, k, v, m.bool()[None])[0],
        "upside down": lambda m: scaled_dot_product_attention(q, k, v, m[None] == 0)[0],
        "added": lambda m: F.scaled_dot_product_attention(q[None], k[None], v[None], m.float()[None])[0],
        "too late": lambda m: plain(m) @ (v * m[:, None]),
        "not at all": lambda m: plain(m) @ v,
    }
    out = []
    for mask, output in zip(masks, outputs):
        out.append([n for n, f in ways.items() if (f(mask) - output).abs().max() < 1e-4])
    return out

# %% 2.8 right
# unusual: weights read back from exponentials, tuples, names by index
def readings_that_fit(q, k, v, masks, outputs):
    names = "as meant,upside down,added,too late,not at all".split(",")
    e = (q @ k.T / math.sqrt(q.shape[1])).exp()
    answer = ()
    for m, out in zip(masks.float(), outputs):
        factors = [m, 1 - m, m.exp(), None, torch.ones_like(m)]
        fits = []
        for name, f in zip(names, factors):
            if f is None:
                w = e / e.sum(-1, keepdim=True) * m
            else:
                w = e * f / (e * f).sum(-1, keepdim=True)
            if torch.allclose(w @ v, out, atol=1e-4):
                fits.append(name)
        answer += (tuple(fits),)
    return answer

# %% 2.8 wrong
# believes: one reading each
# says: list all of them
def readings_that_fit(q, k, v, masks, outputs):
    scores, names = attention_scores(q, k), []
    for m, out in zip(masks.bool(), outputs):
        if torch.allclose(scores.masked_fill(~m, -math.inf).softmax(-1) @ v, out, atol=1e-4):
            names.append(["as meant"])
        elif torch.allclose(scores.masked_fill(m, -math.inf).softmax(-1) @ v, out, atol=1e-4):
            names.append(["upside down"])
        elif torch.allclose((scores + m.float()).softmax(-1) @ v, out, atol=1e-4):
            names.append(["added"])
        elif torch.allclose(scores.softmax(-1) * m @ v, out, atol=1e-4):
            names.append(["too late"])
        else:
            names.append(["not at all"])
    return names

# %% 2.8 wrong
# believes: an additive mask of 0 and 1 closes at 0
# says: An output whose mask was "added" was not recognised
def readings_that_fit(q, k, v, masks, outputs):
    scores, names = attention_scores(q, k), []
    for mask, output in zip(masks, outputs):
        ways = {
            "as meant": scores.masked_fill(mask == 0, -math.inf).softmax(-1),
            "upside down": scores.masked_fill(mask == 1, -math.inf).softmax(-1),
            "added": (scores + (1 - mask)).softmax(-1),
            "too late": scores.softmax(-1) * mask,
            "not at all": scores.softmax(-1),
        }
        names.append([n for n, w in ways.items() if torch.allclose(w @ v, output, atol=1e-4)])
    return names

# %% 2.8 wrong
# believes: the scale makes no difference
# says: All your lists are empty
def readings_that_fit(q, k, v, masks, outputs):
    scores, names = q @ k.T, []
    for mask, output in zip(masks, outputs):
        ways = {
            "as meant": scores.masked_fill(mask == 0, -math.inf).softmax(-1),
            "upside down": scores.masked_fill(mask == 1, -math.inf).softmax(-1),
            "added": (scores + mask).softmax(-1),
            "too late": scores.softmax(-1) * mask,
            "not at all": scores.softmax(-1),
        }
        names.append([n for n, w in ways.items() if torch.allclose(w @ v, output, atol=1e-4)])
    return names

# %% 2.8 wrong
# believes: masked_fill keeps what is True
# says: As meant and upside down have changed places
def readings_that_fit(q, k, v, masks, outputs):
    scores, names = attention_scores(q, k), []
    for mask, output in zip(masks.bool(), outputs):
        ways = {
            "as meant": scores.masked_fill(mask, -math.inf).softmax(-1),
            "upside down": scores.masked_fill(~mask, -math.inf).softmax(-1),
            "added": (scores + mask.float()).softmax(-1),
            "too late": scores.softmax(-1) * mask,
            "not at all": scores.softmax(-1),
        }
        names.append([n for n, w in ways.items() if torch.allclose(w @ v, output, atol=1e-4)])
    return names

# %% 2.8 wrong
# believes: the mask belongs to the queries
# says: must match the size of tensor
def readings_that_fit(q, k, v, masks, outputs):
    scores, names = attention_scores(q, k), []
    for mask, output in zip(masks.bool(), outputs):
        as_meant = scores.masked_fill(~mask[:, None], -math.inf).softmax(-1) @ v
        names.append(["as meant"] if torch.allclose(as_meant, output) else [])
    return names

# %% 2.8 wrong
# believes: one list for all
# says: not 6
def readings_that_fit(q, k, v, masks, outputs):
    return ["as meant"]
