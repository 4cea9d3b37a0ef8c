# %% 7.1 right
# unusual: a loop that takes piece after piece
def list_lengths(logits, share):
    lengths = []
    for row in logits.softmax(-1).tolist():
        together, n = 0.0, 0
        for p in sorted(row, reverse=True):
            together, n = together + p, n + 1
            if together >= share:
                break
        lengths.append(n)
    return torch.tensor(lengths)

# %% 7.1 right
# unusual: searchsorted in the running sums, in double
def list_lengths(logits, share):
    sums = logits.double().softmax(-1).sort(-1, descending=True)[0].cumsum(-1)
    return torch.searchsorted(sums, torch.full((len(sums), 1), share, dtype=torch.float64))[:, 0] + 1

# %% 7.1 wrong
# believes: counting the sums below the share counts the pieces
# says: One too few
def list_lengths(logits, share):
    return (logits.softmax(-1).sort(descending=True).values.cumsum(-1) < share).sum(-1)

# %% 7.1 wrong
# believes: argmax gives the number
# says: One too few
def list_lengths(logits, share):
    sums = logits.softmax(-1).sort(descending=True).values.cumsum(-1)
    return (sums >= share).float().argmax(-1)

# %% 7.1 wrong
# believes: sort puts the largest first
# says: least likely end
def list_lengths(logits, share):
    sums = logits.softmax(-1).sort().values.cumsum(-1)
    return (sums < share).sum(-1) + 1

# %% 7.1 wrong
# believes: softmax of what is listed
# says: the values are not
def list_lengths(logits, share):
    chances = logits.topk(8).values.softmax(-1)
    return (chances.cumsum(-1) < share).sum(-1) + 1

# %% 7.1 wrong
# believes: pieces that have the share
# says: *together*
def list_lengths(logits, share):
    return (logits.softmax(-1) >= share).sum(-1)

# %% 7.2 right
# unusual: bucketize and a loop over the bins that have answers
def calibration_error(confidence, right, n_bins):
    borders = torch.linspace(0, 1, n_bins + 1)[1:-1]
    which = torch.bucketize(confidence, borders, right=True)
    error = 0.0
    for b in which.unique():
        inside = which == b
        gap = confidence[inside].mean() - right[inside].float().mean()
        error += gap.abs() * inside.float().mean()
    return error

# %% 7.2 right
# unusual: Python's dicts, a number without a tensor
def calibration_error(confidence, right, n_bins):
    bins = {}
    for c, r in zip(confidence.tolist(), right.tolist()):
        bins.setdefault(min(int(c * n_bins), n_bins - 1), []).append(c - r)
    return sum(abs(sum(gaps)) for gaps in bins.values()) / len(confidence)

# %% 7.2 right
# unusual: one-hot bins, means with empty ones as 0
def calibration_error(confidence, right, n_bins):
    inside = F.one_hot((confidence * n_bins).floor().long().clamp(0, n_bins - 1), n_bins).double()
    n = inside.sum(0)
    sure, hits = (x.double() @ inside / n.clamp(min=1) for x in (confidence, right))
    return ((sure - hits).abs() * n / n.sum()).sum()

# %% 7.2 wrong
# believes: a mean over bins is a mean over bins
# says: by how many answers it has
def calibration_error(confidence, right, n_bins):
    gaps = []
    for b in range(n_bins):
        low, high = b / n_bins, (b + 1) / n_bins
        inside = (confidence >= low) & ((confidence < high) | (b == n_bins - 1))
        if inside.any():
            gaps.append((confidence[inside].mean() - right[inside].float().mean()).abs())
    return torch.stack(gaps).mean()

# %% 7.2 wrong
# believes: nobody has a confidence of 1
# says: confidence of 1 are in no bin
def calibration_error(confidence, right, n_bins):
    error = 0.0
    for b in range(n_bins):
        inside = (confidence >= b / n_bins) & (confidence < (b + 1) / n_bins)
        if inside.any():
            gap = (confidence[inside].mean() - right[inside].float().mean()).abs()
            error += inside.sum() / len(confidence) * gap
    return error

# %% 7.2 wrong
# believes: each bin has answers
# says: nan
def calibration_error(confidence, right, n_bins):
    error = 0.0
    for b in range(n_bins):
        inside = (confidence >= b / n_bins) & ((confidence < (b + 1) / n_bins) | (b == n_bins - 1))
        gap = (confidence[inside].mean() - right[inside].float().mean()).abs()
        error += inside.sum() / len(confidence) * gap
    return error

# %% 7.2 wrong
# believes: bins are open below, as in the paper
# says: lower bin
def calibration_error(confidence, right, n_bins):
    error = 0.0
    for b in range(n_bins):
        inside = (confidence > b / n_bins) & (confidence <= (b + 1) / n_bins)
        if inside.any():
            gap = (confidence[inside].mean() - right[inside].float().mean()).abs()
            error += inside.sum() / len(confidence) * gap
    return error

# %% 7.2 wrong
# believes: mean confidence against share right is all there is
# says: cancel
def calibration_error(confidence, right, n_bins):
    return (confidence.mean() - right.float().mean()).abs()

# %% 7.2 wrong
# believes: confidence minus right, answer by answer
# says: answer by answer
def calibration_error(confidence, right, n_bins):
    return (confidence - right.float()).abs().mean()

# %% 7.2 wrong
# believes: 1 gets a bin of its own
# says: confidence of 1
def calibration_error(confidence, right, n_bins):
    which = (confidence * n_bins).long()
    error = 0.0
    for b in range(n_bins):
        inside = which == b
        if inside.any():
            gap = (confidence[inside].mean() - right[inside].float().mean()).abs()
            error += inside.sum() / len(confidence) * gap
    return error

# %% 7.3 right
# unusual: two halves of the gaps, each with its own frequencies
def ignorant(exact):
    half = len(exact) // 2
    first, second = exact[:half].mean(0), exact[half:].mean(0)
    return torch.stack([first] * half + [second] * (len(exact) - half))

# %% 7.3 right
# unusual: the answer stays, with its own confidence; all the rest is badly shared
def ignorant(exact):
    confidence, answer = exact.max(-1)
    n, V = exact.shape
    guess = torch.full_like(exact, 1e-9)
    other = exact.scatter(-1, answer[:, None], 9.0).argmin(-1)
    guess[torch.arange(n), other] = 1 - confidence - 1e-9 * (V - 2)
    guess[torch.arange(n), answer] = confidence
    return guess

# %% 7.3 wrong
# believes: knowing nothing is the uniform distribution
# says: All words are equally likely
def ignorant(exact):
    n, V = exact.shape
    return torch.full((n, V), 1 / V)

# %% 7.3 wrong
# believes: soften it
# says: is right with a probability of
def ignorant(exact):
    return exact.log().mul(0.5).softmax(-1)

# %% 7.3 wrong
# believes: what is calibrated best is exact itself
# says: ideal guesser
def ignorant(exact):
    return exact

# %% 7.3 wrong
# believes: a one-hot answer is sure and mostly right
# says: certain
def ignorant(exact):
    return F.one_hot(exact.argmax(-1), exact.shape[1]).to(exact)

# %% 7.3 wrong
# believes: one row for all
# says: no tensor of probabilities, of the shape of exact
def ignorant(exact):
    return exact.mean(0)

# %% 7.3 wrong
# believes: unnormalised is all right
# says: add up to 1
def ignorant(exact):
    return exact.sum(0).expand_as(exact)

# %% 7.4 right
# unusual: a list of lists, other words, unequal partners
def favourites_apart():
    return [[0.0, 0.0, 0.24], [0.28, 0.22, 0.0], [0.0, 0.0, 0.26]]

# %% 7.4 right
# unusual: an outer product with a hole, the last word is the favourite
def favourites_apart():
    p = torch.tensor([1.0, 1.0, 2.0], dtype=torch.float64)
    table = p[:, None] * p
    table[2, 2] = 0
    table[:2, :2] = 0
    return table / table.sum()

# %% 7.4 wrong
# believes: two words will do
# says: together they have the probability
def favourites_apart():
    return torch.tensor([[0.0, 0.55], [0.45, 0.0]])

# %% 7.4 wrong
# believes: the diagonal is what must be empty
# says: no favourite
def favourites_apart():
    return torch.tensor([[0.0, 0.5], [0.5, 0.0]])

# %% 7.4 wrong
# believes: four are needed
# says: more than it takes
def favourites_apart():
    table = torch.zeros(4, 4)
    table[0, 1:] = 1 / 6
    table[1:, 0] = 1 / 6
    return table

# %% 7.4 wrong
# believes: one partner each is enough
# says: no word leads by
def favourites_apart():
    return torch.tensor([[0.0, 0.4, 0.0], [0.4, 0.0, 0.0], [0.0, 0.0, 0.2]])

# %% 7.4 wrong
# believes: counts will do
# says: add up to 1
def favourites_apart():
    return torch.tensor([[0, 1, 1], [1, 0, 0], [1, 0, 0]])

# %% 7.5 right
# unusual: the places of gaps in a set, logarithms from a list
def surest_first(predict, shown):
    filled, left, logs = shown.tolist(), {i for i, x in enumerate(shown.tolist()) if x == MASK_ID}, []
    while left:
        p = predict(torch.tensor(filled))
        place = max(left, key=lambda i: p[i].max().item())
        filled[place] = int(p[place].argmax())
        logs.append(p[place].max().log())
        left.remove(place)
    return torch.tensor(filled), sum(logs)

# %% 7.5 right
# unusual: recursion, one gap at a time, the best of the flattened table
def surest_first(predict, shown):
    gaps = (shown == MASK_ID).nonzero()[:, 0]
    if not len(gaps):
        return shown, torch.zeros(())
    p = predict(shown)[gaps]
    which, word = divmod(int(p.argmax()), p.shape[1])
    rest = shown.scatter(0, gaps[which, None], word)
    filled, log_p = surest_first(predict, rest)
    return filled, log_p + p.max().log()

# %% 7.5 wrong
# believes: the order can be read off once
# says: order in which the first answer was sure
def surest_first(predict, shown):
    filled, total = shown.clone(), 0.0
    p = predict(shown).max(-1).values
    gaps = sorted((shown == MASK_ID).nonzero()[:, 0].tolist(), key=lambda i: -p[i])
    for i in gaps:
        now = predict(filled)[i]
        filled[i] = now.argmax()
        total += now.max().log()
    return filled, total

# %% 7.5 wrong
# believes: reading order
# says: from left to right
def surest_first(predict, shown):
    filled, total = shown.clone(), 0.0
    for i in (shown == MASK_ID).nonzero()[:, 0]:
        now = predict(filled)[i]
        filled[i] = now.argmax()
        total = total + now.max().log()
    return filled, total

# %% 7.5 wrong
# believes: one answer will do for all
# says: filled from the first answer
def surest_first(predict, shown):
    gaps = shown == MASK_ID
    sure, best = predict(shown).max(-1)
    return best.where(gaps, shown), sure[gaps].log().sum()

# %% 7.5 wrong
# believes: probabilities multiply, and that is the result
# says: product of the probabilities
def surest_first(predict, shown):
    filled, p = shown.clone(), 1.0
    while (gaps := filled == MASK_ID).any():
        sure, best = predict(filled).max(-1)
        sure = sure * gaps
        i = sure.argmax()
        filled[i] = best[i]
        p = p * sure[i]
    return filled, p

# %% 7.5 wrong
# believes: the finished sentence can be scored in the end
# says: not those of the chain rule
def surest_first(predict, shown):
    filled, gaps = shown.clone(), (shown == MASK_ID).nonzero()[:, 0]
    for _ in gaps:
        sure, best = predict(filled).max(-1)
        i = (sure * (filled == MASK_ID)).argmax()
        filled[i] = best[i]
    return filled, predict(shown)[gaps, filled[gaps]].log().sum()

# %% 7.5 wrong
# believes: shown may be written into
# says: still needs it
def surest_first(predict, shown):
    total = 0.0
    while (shown == MASK_ID).any():
        sure, best = predict(shown).max(-1)
        i = (sure * (shown == MASK_ID)).argmax()
        shown[i] = best[i]
        total = total + sure[i].log()
    return shown, total

# %% 7.5 wrong
# believes: asking twice a round does no harm
# says: `predict` is called
def surest_first(predict, shown):
    filled, total = shown.clone(), 0.0
    while (filled == MASK_ID).any():
        sure = predict(filled).max(-1).values * (filled == MASK_ID)
        i = sure.argmax()
        filled[i] = predict(filled)[i].argmax()
        total = total + sure[i].log()
    return filled, total

# %% 7.6 right
# unusual: a loop over queries
def copies_by_loop(weights, mention):
    B, H, T, _ = weights.shape
    asked = [(b, t) for b in range(B) for t in range(T) if mention[b, t].any()]
    heads = [[weights[b, h, t][mention[b, t]].sum() for b, t in asked] for h in range(H)]
    return torch.stack([torch.stack(copied).mean() for copied in heads])

# %% 7.6 right
# unusual: one einsum over everything, divided by the number of rows with a mention
def copy_scores(weights: Tensor, mention: Tensor) -> Tensor:
    paid = torch.einsum("bhts,bts->h", weights, mention.to(weights.dtype))
    return paid / mention.flatten(0, 1).amax(-1).sum()

# %% 7.6 wrong
# believes: every pair of query and mention counts the same
# says: number of *mentions*
def copy_scores(weights: Tensor, mention: Tensor) -> Tensor:
    return torch.stack([weights[:, h][mention].mean() for h in range(weights.shape[1])])

# %% 7.6 wrong
# believes: places without a mention add 0 and so do no harm to a mean
# says: over all places
def copy_scores(weights: Tensor, mention: Tensor) -> Tensor:
    paid = (weights * mention[:, None]).sum(-1)  # (B, H, T)
    return paid.mean((0, 2))

# %% 7.6 wrong
# believes: average in each sentence first, then over the sentences that have any
# says: means of rows
def copy_scores(weights: Tensor, mention: Tensor) -> Tensor:
    asked = mention.any(-1)  # (B, T)
    paid = (weights * mention[:, None]).sum(-1).sum(-1)  # (B, H)
    has = asked.any(-1)
    return (paid[has] / asked.sum(-1, keepdim=True)[has]).mean(0)

# %% 7.7 right
# unusual: torch.where with a mask over heads, var in place of std
def ablate(heads, visible, losses):
    whole = losses(heads)
    mean = (heads * visible[..., None, None]).sum((0, 1)) / visible.sum()
    off = torch.eye(heads.shape[2], dtype=torch.bool)[..., None]
    growth = [losses(torch.where(one, mean, heads)) - whole for one in off]
    average = torch.stack([g.mean() for g in growth])
    return average, torch.stack([(g.var() / len(g)).sqrt() for g in growth])

# %% 7.7 right
# unusual: a list of columns put together again
def ablate(heads, visible, losses):
    columns = list(heads.unbind(2))
    whole = losses(heads)
    harm, error = [], []
    for h, column in enumerate(columns):
        stand_in = column[visible].mean(0).expand_as(column)
        changed = torch.stack([*columns[:h], stand_in, *columns[h + 1 :]], 2)
        growth = (losses(changed) - whole).tolist()
        m = sum(growth) / len(growth)
        harm.append(m)
        spread = sum((x - m) ** 2 for x in growth) / (len(growth) - 1)
        error.append((spread / len(growth)) ** 0.5)
    return torch.tensor(harm), torch.tensor(error)

# %% 7.7 wrong
# believes: off means zero
# says: Zeros were put
def ablate(heads, visible, losses):
    whole = losses(heads)
    growth = []
    for h in range(heads.shape[2]):
        without = heads.clone()
        without[:, :, h] = 0
        growth.append(losses(without) - whole)
    growth = torch.stack(growth)
    return growth.mean(1), growth.std(1) / growth.shape[1] ** 0.5

# %% 7.7 wrong
# believes: a mean over batch and tokens is the mean
# says: Padding is in the mean
def ablate(heads, visible, losses):
    whole = losses(heads)
    means = heads.mean((0, 1))
    growth = []
    for h in range(heads.shape[2]):
        without = heads.clone()
        without[:, :, h] = means[h]
        growth.append(losses(without) - whole)
    growth = torch.stack(growth)
    return growth.mean(1), growth.std(1) / growth.shape[1] ** 0.5

# %% 7.7 wrong
# believes: one copy is enough
# says: Heads stay off
def ablate(heads, visible, losses):
    whole = losses(heads)
    means = heads[visible].mean(0)
    without = heads.clone()
    growth = []
    for h in range(heads.shape[2]):
        without[:, :, h] = means[h]
        growth.append(losses(without) - whole)
    growth = torch.stack(growth)
    return growth.mean(1), growth.std(1) / growth.shape[1] ** 0.5

# %% 7.7 wrong
# believes: the error comes from the losses
# says: *differences*
def ablate(heads, visible, losses):
    whole = losses(heads)
    means = heads[visible].mean(0)
    harm, error = [], []
    for h in range(heads.shape[2]):
        without = heads.clone()
        without[:, :, h] = means[h]
        off = losses(without)
        harm.append(off.mean() - whole.mean())
        error.append(off.std() / len(off) ** 0.5)
    return torch.stack(harm), torch.stack(error)

# %% 7.7 wrong
# believes: std is the error
# says: square root of n
def ablate(heads, visible, losses):
    whole = losses(heads)
    means = heads[visible].mean(0)
    growth = []
    for h in range(heads.shape[2]):
        without = heads.clone()
        without[:, :, h] = means[h]
        growth.append(losses(without) - whole)
    growth = torch.stack(growth)
    return growth.mean(1), growth.std(1)

# %% 7.7 wrong
# believes: the whole model can be asked anew each time
# says: `losses` is called
def ablate(heads, visible, losses):
    means = heads[visible].mean(0)
    growth = []
    for h in range(heads.shape[2]):
        without = heads.clone()
        without[:, :, h] = means[h]
        growth.append(losses(without) - losses(heads))
    growth = torch.stack(growth)
    return growth.mean(1), growth.std(1) / growth.shape[1] ** 0.5

# %% 7.7 wrong
# believes: mean over the batch, for each place
# says: Each place has a mean of its own
def ablate(heads, visible, losses):
    whole = losses(heads)
    growth = []
    for h in range(heads.shape[2]):
        without = heads.clone()
        without[:, :, h] = heads[:, :, h].mean(0)
        growth.append(losses(without) - whole)
    growth = torch.stack(growth)
    return growth.mean(1), growth.std(1) / growth.shape[1] ** 0.5

# %% 7.1 wrong
# believes: counting from the other side of the border
# says: has the share already
def list_lengths(logits, share):
    return (logits.softmax(-1).sort(descending=True)[0].cumsum(-1) >= share).sum(-1)

# %% 7.2 wrong
# believes: a border may belong to both sides
# says: counts in two bins
def calibration_error(confidence, right, n_bins):
    error = 0.0
    for b in range(n_bins):
        inside = (confidence >= b / n_bins) & (confidence <= (b + 1) / n_bins)
        if inside.any():
            gap = (confidence[inside].mean() - right[inside].float().mean()).abs()
            error += inside.sum() / len(confidence) * gap
    return error

# %% 7.5 wrong
# believes: filled[masked] is a view
# says: writes into a copy
def surest_first(predict, shown):
    filled, total = shown.clone(), 0.0
    for _ in range(int((shown == MASK_ID).sum())):
        masked = filled == MASK_ID
        sure, best = predict(filled)[masked].max(-1)
        filled[masked][sure.argmax()] = best[sure.argmax()]
        total = total + sure.max().log()
    return filled, total
