# %% 1.2 wrong
# believes: in c the products that are gone make the spread
# says: c is not 8.66. That counts the products that are gone.
def four_spreads():
    return 64, 12, math.sqrt(75), 16

# %% 1.2 wrong
# believes: in d four equal numbers make each of 64 products count four times
# says: d is not 32. Four times the spread of 64 products.
def four_spreads():
    return 64, 12, 5, 4 * math.sqrt(64)

# %% 1.6 wrong
# believes: softmax needs no scale
# says: The scores are not divided by sqrt(D), D being the numbers of one head.
def multi_head_attention(x, w_q, w_k, w_v, w_o, n_heads):
    q, k, v = (torch.stack((x @ w).chunk(n_heads, -1), 1) for w in (w_q, w_k, w_v))
    heard = (q @ k.mT).softmax(-1) @ v
    return torch.cat([*heard.transpose(0, 1)], -1) @ w_o

# %% 1.6 right
# unusual: each head's rows of w_o, and a sum
def multi_head_attention(x, w_q, w_k, w_v, w_o, n_heads):
    q, k, v = (torch.stack((x @ w).chunk(n_heads, -1)) for w in (w_q, w_k, w_v))
    heard, _ = scaled_dot_product_attention(q, k, v)
    return (heard @ w_o.reshape(n_heads, 1, -1, x.shape[-1])).sum(0)

# %% 1.7 wrong
# believes: all rotations and the reversed order are orders enough
# says: the reversed order alone would give, or rotations
def ignore_order(layers, x):
    orders = [torch.arange(len(x)).roll(k) for k in range(len(x))] + [torch.arange(len(x)).flip(0)]
    results = []
    for layer in layers:
        results.append(all(torch.allclose(layer(x[o]), layer(x)[o], atol=1e-4) for o in orders))
    return results

# %% 1.7 right
# unusual: every exchange of two tokens, which together make all orders
def ignore_order(layers, x):
    results = []
    for layer in layers:
        before, same = layer(x), True
        for i in range(len(x)):
            for j in range(i):
                order = torch.arange(len(x))
                order[i], order[j] = j, i
                same = same and torch.allclose(layer(x[order]), before[order], atol=1e-4)
        results.append(bool(same))
    return results

# %% 2.7 wrong
# believes: it is enough to replace the nan where it comes out
# says: the gradients of `scores` and `values` are nan
def sum_of_squares(scores, additive_mask, values):
    heard = (scores + additive_mask).softmax(-1) @ values
    heard = torch.where(heard.isnan(), 0.0, heard)
    return (heard**2).sum()

# %% 2.7 right
# unusual: one more key, open where there is no other, whose weight is thrown away
def sum_of_squares(scores, additive_mask, values):
    closed = (additive_mask < 0).expand_as(scores)
    rest = torch.where(closed.all(-1, keepdim=True), 0.0, -math.inf)
    scores = torch.cat([scores.masked_fill(closed, -math.inf), rest], dim=-1)
    return ((scores.softmax(-1)[..., :-1] @ values) ** 2).sum()

# %% 3.1 wrong
# believes: neighbours can be counted in one long list of pieces
# says: Your pair reaches from one word into the next
def bpe_step(words, counts):
    text = [piece for word, count in zip(words, counts) for piece in word * count]
    frequency = Counter(zip(text, text[1:]))
    best = min(frequency, key=lambda pair: (-frequency[pair], pair))
    joined = []
    for pieces in words:
        new, i = [], 0
        while i < len(pieces):
            step = 2 if tuple(pieces[i : i + 2]) == best else 1
            new.append("".join(pieces[i : i + step]))
            i += step
        joined.append(new)
    return best, joined

# %% 3.5 wrong
# believes: behind every word there is a space
# says: Behind the last word there is no space
def offsets(text, tokens):
    places, end = [], 0
    for token in tokens:
        if token in ("[CLS]", "[SEP]"):
            places.append((0, 0))
            continue
        start = end
        while text[start] == " ":
            start += 1
        if token == "[UNK]":
            end = text.find(" ", start)
        else:
            end = start + len(token.removeprefix("##"))
        places.append((start, end))
    return places

# %% 3.7 wrong
# believes: rows are as long as the longest of them
# says: Each has `room` places.
def first_fit(lengths, room):
    rows = []
    for text, length in enumerate(lengths):
        for row in rows:
            if len(row) + length + 1 <= room:
                break
        else:
            row = []
            rows.append(row)
        row += [text] * (length + 1)
    longest = max(map(len, rows))
    return torch.tensor([row + [-1] * (longest - len(row)) for row in rows])

# %% 4.1 wrong
# believes: the share of the smallest is a quantile
# says: Your counts are those of rounding up.
def hide_fixed_count(ids, special_ids, noise, ratio):
    candidates = ~torch.isin(ids, torch.tensor(special_ids))
    noise = noise.masked_fill(~candidates, float("nan"))
    border = torch.nanquantile(noise, ratio, dim=1, keepdim=True)
    return (noise <= border) & candidates

# %% 4.2 wrong
# believes: from .9 on means above .9
# says: An edge is off
def input_and_labels(ids, masked, u, v, ordinary_ids, mask_id):
    seen = ids.clone()
    seen[masked & (u < 0.8)] = mask_id
    random = masked & (u > 0.9)
    seen[random] = ordinary_ids[(v[random] * len(ordinary_ids)).long()]
    return seen, torch.where(masked, ids, -100)

# %% 4.2 wrong
# believes: rounding up and one less is the place below
# says: Where v is 0 the last of `ordinary_ids` stands
def input_and_labels(ids, masked, u, v, ordinary_ids, mask_id):
    which = torch.ceil(v * len(ordinary_ids)).long() - 1
    seen = torch.where(masked & (u < 0.8), mask_id, ids)
    seen = torch.where(masked & (u >= 0.9), ordinary_ids[which], seen)
    return seen, torch.where(masked, ids, -100)

# %% 4.6 wrong
# believes: logarithms that were added may be turned into probabilities again
# says: leave exp and division to softmax
def two_pattern_posterior(ids, masked, prior, chances):
    logs = chances[:, torch.arange(ids.shape[1]), ids].log()
    weights = logs.masked_fill(masked, 0).sum(-1).exp() * prior[:, None]
    weights = weights / weights.sum(0)
    guess = torch.einsum("kb,ktv->btv", weights, chances)
    return torch.where(masked[..., None], guess, F.one_hot(ids, chances.shape[-1]).float())

# %% 6.4 wrong
# believes: batches count by their rows; whoever trains sets the mode
# says: What your function leaves in `model` is not what should stand there in the end.
def evaluate(model, data, epoch):
    model.eval()
    loss, right = 0.0, 0.0
    with torch.no_grad():
        for index in torch.arange(len(data)).split(4):
            batch = data(index, 0)
            logits, target = model(batch.input_ids, None, batch.masked), batch.labels[batch.masked]
            loss += F.cross_entropy(logits, target).item() * len(index)
            right += (logits.argmax(-1) == target).float().mean().item() * len(index)
    return loss / len(data), right / len(data)

# %% 6.6 right
# unusual: sums first, and every gradient divided in the end
def accumulate(model, pieces):
    count = 0
    for piece in pieces:
        logits = model(piece.input_ids, None, piece.masked)
        F.cross_entropy(logits, piece.labels[piece.masked], reduction="sum").backward()
        count += int(piece.masked.sum())
    for parameter in model.parameters():
        parameter.grad /= count
    return model.dense.weight.grad

# %% 7.2 wrong
# believes: a confidence is always below 1
# says: Places are counted from 0: the largest index is one less than the size of the axis.
def calibration_error(confidence, right, n_bins):
    which = (confidence * n_bins).long()
    gaps = torch.zeros(n_bins).index_add(0, which, confidence - right.float())
    return gaps.abs().sum() / len(confidence)

# %% 7.3 right
# unusual: the confidence stays, what is left goes to the least likely word
def ignorant(exact):
    confidence, best = exact.max(-1, keepdim=True)
    guess = torch.full_like(exact, 1e-12).scatter(1, best, confidence)
    return guess.scatter(1, exact.argmin(-1, keepdim=True), 1 - confidence - 7e-12)

# %% 7.5 wrong
# believes: the surest gap is the one with the least entropy
# says: the values are not
def surest_first(predict, shown):
    filled, log_p = shown.clone(), 0.0
    while (masked := filled == MASK_ID).any():
        chances = predict(filled)
        entropy = -(chances * chances.clamp(min=1e-12).log()).sum(-1)
        place = entropy.where(masked, 99.0).argmin()
        filled[place] = chances[place].argmax()
        log_p = log_p + chances[place].max().log()
    return filled, log_p
