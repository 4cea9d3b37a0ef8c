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

# %% 12.1 right
# unusual: in float32
def guess(joint, text, masked, place):
    seen = torch.ones_like(joint, dtype=torch.bool)
    for i in range(joint.ndim):
        if not masked[i]:
            here = torch.arange(joint.shape[i]) == text[i]
            seen = seen & here.view([-1 if a == i else 1 for a in range(joint.ndim)])
    table = (joint.float() * seen).movedim(place, 0).flatten(1).sum(1)
    return table / table.sum()

# %% 12.1 right
# unusual: goes through all texts of the table with itertools.product, Python floats
def guess(joint: Tensor, text: Tensor, masked: Tensor, place: int) -> Tensor:
    import itertools

    V, N = joint.shape[0], joint.dim()
    chances = [0.0] * V
    for some in itertools.product(range(V), repeat=N):
        if all(masked[i] or some[i] == text[i] for i in range(N)):
            chances[some[place]] += joint[some].item()
    total = sum(chances)
    return torch.tensor([chance / total for chance in chances], dtype=joint.dtype)

# %% 12.1 wrong
# believes: the true words at the other hidden places may be used
# says: looked at
def guess(joint: Tensor, text: Tensor, masked: Tensor, place: int) -> Tensor:
    index = [int(word) for word in text]
    index[place] = slice(None)
    p = joint[tuple(index)]
    return p / p.sum()

# %% 12.1 wrong
# believes: summing out the other hidden places is enough, the slice is a distribution
# says: do not sum to 1
def guess(joint: Tensor, text: Tensor, masked: Tensor, place: int) -> Tensor:
    index = tuple(slice(None) if masked[i] else int(text[i]) for i in range(len(text)))
    table = joint[index]
    axis = int(masked[:place].sum())
    others = [i for i in range(table.dim()) if i != axis]
    return table.sum(others) if others else table

# %% 12.1 wrong
# believes: the table left over has the asked word on its first axis
# says: first hidden place
def guess(joint, text, masked, place):
    left = joint[tuple(slice(None) if masked[i] else int(text[i]) for i in range(len(text)))]
    left = left.reshape(len(left), -1).sum(1)
    return left / left.sum()

# %% 12.1 wrong
# believes: numbers become a distribution by softmax
# says: softmax
def guess(joint, text, masked, place):
    for i in range(joint.ndim):
        if i != place:
            joint = joint.sum(i, keepdim=True) if masked[i] else joint.narrow(i, int(text[i]), 1)
    return joint.flatten().softmax(0)

# %% 12.1 wrong
# believes: the average of the guesses for each word at the other place
# says: weighed alike
def guess(joint, text, masked, place):
    others = [i for i in masked.nonzero()[:, 0].tolist() if i != place]
    other = others[0] if others else place
    guesses = []
    for word in range(joint.shape[0]):
        index = [int(w) for w in text]
        index[other], index[place] = word, slice(None)
        p = joint[tuple(index)]
        guesses.append(p / p.sum())
    return torch.stack(guesses).mean(0)

# %% 12.2 right
# unusual: row by row, in Python numbers
def fair_draw(surprise, masked, chance):
    results = []
    for x, hidden, q in zip(surprise, masked, chance):
        n = int(hidden.sum())
        results.append(x[hidden].sum().item() / n / q[n - 1].item())
    return torch.tensor(results)

# %% 12.2 right
# unusual: the count as a one-hot product instead of gather
def fair_draw(surprise, masked, chance):
    n = masked.sum(1, keepdim=True)
    chosen = chance @ torch.eye(chance.shape[1])[:, n[:, 0] - 1]
    return (surprise * masked / n).sum(1) / chosen.diagonal()

# %% 12.2 wrong
# believes: N times the mean is the bound, however n was drawn
# says: N times the mean surprise
def fair_draw(surprise: Tensor, masked: Tensor, chance: Tensor) -> Tensor:
    N = (chance > 0).sum(1)
    return N * (surprise * masked).sum(1) / masked.sum(1)

# %% 12.2 wrong
# believes: the formula has N in front
# says: N times too large
def fair_draw(surprise, masked, chance):
    n = masked.sum(1)
    N = (chance > 0).sum(1)
    q = chance[torch.arange(len(n)), n - 1]
    return N * (surprise * masked).sum(1) / (n * q)

# %% 12.2 wrong
# believes: what is likely has to weigh more
# says: Multiplied by the chance
def fair_draw(surprise, masked, chance):
    n = masked.sum(1)
    return (surprise * masked).sum(1) / n * chance[torch.arange(len(n)), n - 1]

# %% 12.2 wrong
# believes: column n is the chance of n
# says: belongs to n + 1
def fair_draw(surprise, masked, chance):
    n = masked.sum(1)
    return (surprise * masked).sum(1) / n / chance[torch.arange(len(n)), n]

# %% 12.2 wrong
# believes: 1 / n belongs to the formula by rate, not here
# says: *mean*
def fair_draw(surprise, masked, chance):
    n = masked.sum(1)
    return (surprise * masked).sum(1) / chance[torch.arange(len(n)), n - 1]

# %% 12.2 wrong
# believes: the width is the number of words, and one chance serves all rows
# says: `n` holds the number of hidden words
def fair_draw(surprise, masked, chance):
    n = masked.sum(1)
    mean = (surprise * masked).sum(1) / n
    return surprise.shape[1] * mean * chance.max()

# %% 12.3 right
# unusual: cross-entropy of the hidden words alone, weights by row, the optimiser's steps by hand
def train_for_bound(new_model, ids, share, noise, lr):
    model, losses = new_model(), []
    for step in range(len(ids)):
        hidden = torch.zeros_like(ids[step], dtype=torch.bool)
        weight = torch.zeros_like(noise[step])
        for b, row in enumerate(ids[step]):
            places = (row > 4).nonzero()[:, 0]
            n = 1 + int(share[step, b] * len(places))
            chosen = places[noise[step, b, places].sort().indices[:n]]
            hidden[b, chosen] = True
            weight[b, chosen] = len(places) / n
        logits = model(torch.where(hidden, 4, ids[step]))[hidden]
        each = torch.nn.functional.cross_entropy(logits, ids[step][hidden], reduction="none")
        loss = each @ weight[hidden] / (ids[step] > 4).sum()
        gradients = torch.autograd.grad(loss, list(model.parameters()))
        with torch.no_grad():
            for parameter, gradient in zip(model.parameters(), gradients):
                parameter -= lr * gradient
        losses.append(float(loss))
    return losses

# %% 12.3 right
# unusual: losses as one tensor, topk for what is hidden
def train_for_bound(new_model, ids, share, noise, lr):
    model = new_model().train()
    optimizer = torch.optim.SGD(list(model.parameters()), lr=lr)
    kept = torch.empty(len(ids))
    for i, batch in enumerate(ids):
        optimizer.zero_grad(set_to_none=True)
        real = batch.gt(4)
        N = real.sum(-1)
        n = (share[i] * N).floor().long() + 1
        limit = noise[i].masked_fill(~real, 9.0).sort(-1).values.gather(-1, n[:, None] - 1)
        hidden = real & (noise[i] <= limit)
        logits = model(batch.masked_fill(hidden, 4))
        nll = F.cross_entropy(logits.flatten(0, 1), batch.flatten(), reduction="none")
        per_row = (nll.view_as(batch) * hidden).sum(-1) / n * N
        loss = per_row.sum() / N.sum()
        loss.backward()
        optimizer.step()
        kept[i] = loss.detach()
    return kept

# %% 12.3 wrong
# believes: the loss of a masked language model
# says: N times each row's own mean
def train_for_bound(new_model, ids, share, noise, lr):
    model = new_model()
    optimizer = torch.optim.SGD(model.parameters(), lr)
    losses = []
    for batch, part, drawn in zip(ids, share, noise):
        words = batch > 4
        n = 1 + (part * words.sum(1)).long()
        rank = drawn.masked_fill(~words, 2.0).argsort(1).argsort(1)
        hidden = rank < n[:, None]
        loss = F.cross_entropy(model(batch.masked_fill(hidden, 4))[hidden], batch[hidden])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses

# %% 12.3 wrong
# believes: backward replaces the gradients
# says: earlier steps
def train_for_bound(new_model, ids, share, noise, lr):
    model, losses = new_model(), []
    optimizer = torch.optim.SGD(model.parameters(), lr)
    for rows, drawn, order in zip(ids, share, noise):
        words = rows > 4
        N = words.sum(1)
        n = 1 + (drawn * N).long()
        masked = order.where(words, torch.inf).argsort(1).argsort(1) < n[:, None]
        log_p = model(rows.masked_fill(masked, 4)).log_softmax(-1)
        surprise = -log_p.gather(2, rows[..., None])[..., 0] * masked
        loss = (N * surprise.sum(1) / n).sum() / N.sum()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses

# %% 12.3 wrong
# believes: everything that is no padding is a word
# says: Padding or special tokens
def train_for_bound(new_model, ids, share, noise, lr):
    model, losses = new_model(), []
    optimizer = torch.optim.SGD(model.parameters(), lr)
    for rows, drawn, order in zip(ids, share, noise):
        words = rows != 0
        N = words.sum(1)
        n = 1 + (drawn * N).long()
        masked = order.where(words, torch.inf).argsort(1).argsort(1) < n[:, None]
        log_p = model(rows.masked_fill(masked, 4)).log_softmax(-1)
        surprise = -log_p.gather(2, rows[..., None])[..., 0] * masked
        loss = (N * surprise.sum(1) / n).sum() / N.sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses

# %% 12.3 wrong
# believes: the mean of the rows' means is the bound per word
# says: a short row counting as much
def train_for_bound(new_model, ids, share, noise, lr):
    model, losses = new_model(), []
    optimizer = torch.optim.SGD(model.parameters(), lr)
    for rows, drawn, order in zip(ids, share, noise):
        words = rows > 4
        n = 1 + (drawn * words.sum(1)).long()
        masked = order.where(words, torch.inf).argsort(1).argsort(1) < n[:, None]
        log_p = model(rows.masked_fill(masked, 4)).log_softmax(-1)
        surprise = -log_p.gather(2, rows[..., None]).squeeze(-1) * masked
        loss = (surprise.sum(1) / n).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses

# %% 12.3 wrong
# believes: the share of all places, padding with them; the rank is right
# says: `N` holds the number of words of each row
# says: how many of them are hidden
def train_for_bound(new_model, ids, share, noise, lr):
    model, losses = new_model(), []
    optimizer = torch.optim.SGD(model.parameters(), lr)
    for rows, drawn, order in zip(ids, share, noise):
        words = rows > 4
        N = words.sum(1)
        count = 1 + (drawn * rows.shape[1]).long().clamp(max=3)
        masked = order.where(words, torch.inf).argsort(1).argsort(1) < count[:, None]
        log_p = model(rows.masked_fill(masked, 4)).log_softmax(-1)
        surprise = -log_p.gather(2, rows[..., None])[..., 0] * masked
        loss = (N * surprise.sum(1) / count).sum() / N.sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses

# %% 12.4 right
# unusual: row by row, with sets of places
def one_step(predict, canvas, gaps, before, after, order, noise):
    p = predict(canvas).clone()
    p[..., 4] = float("-inf")
    p = p.softmax(-1)
    best = p.argmax(-1)
    new = canvas.clone()
    for b in range(len(canvas)):
        places = (canvas[b] == 4).nonzero()[:, 0].tolist()
        if order == "chance":
            stay = {i for i in places if noise[b, i] * before < after}
        else:
            key = (lambda i: p[b, i].max()) if order == "confidence" else (lambda i: noise[b, i])
            stay = set(sorted(places, key=key)[: int(after * int(gaps[b].sum()))])
        for i in set(places) - stay:
            new[b, i] = best[b, i]
    return new

# %% 12.4 right
# unusual: kthvalue instead of ranks, logits instead of probabilities for the words
def one_step(predict, canvas, gaps, before, after, order, noise):
    blank = canvas.eq(4)
    logits = predict(canvas)
    logits = torch.cat([logits[..., :4], logits[..., 4:5] - 1e9, logits[..., 5:]], -1)
    filled = torch.where(blank, logits.argmax(-1), canvas)
    if order == "chance":
        return filled.masked_fill(blank & (noise < after / before), 4)
    score = torch.softmax(logits, -1).amax(-1) if order == "confidence" else noise
    score = torch.where(blank, score, 5.0)
    n = torch.floor(gaps.sum(1) * after).long()
    limit = torch.stack([row.kthvalue(int(k)).values for row, k in zip(score, n)])
    return filled.masked_fill(score <= limit[:, None], 4)

# %% 12.4 wrong
# believes: at time s a word is hidden with probability s, so compare with s
# says: That is its chance among *all* words
def one_step(predict, canvas, gaps, before, after, order, noise):
    masked = canvas == 4
    logits = predict(canvas).index_fill(-1, torch.tensor([4]), -torch.inf)
    p, best = logits.softmax(-1).max(-1)
    n = (after * gaps.sum(1)).long()
    if order == "chance":
        stays = masked & (noise < after)
    else:
        score = (p if order == "confidence" else noise).masked_fill(~masked, 9)
        stays = score.argsort(1).argsort(1) < n[:, None]
    return best.where(masked & ~stays, canvas)

# %% 12.4 wrong
# believes: the model never says [MASK]
# says: `[MASK]` was put in
def one_step(predict, canvas, gaps, before, after, order, noise):
    masked = canvas == 4
    p, best = predict(canvas).softmax(-1).max(-1)
    n = (after * gaps.sum(1)).long()
    score = p if order == "confidence" else noise
    again = score.masked_fill(~masked, 9).argsort(1).argsort(1) < n[:, None]
    if order == "chance":
        again = noise < after / before
    return best.where(masked & ~again, canvas)

# %% 12.4 wrong
# believes: the share is one of what is masked now
# says: not of all gaps
def one_step(predict, canvas, gaps, before, after, order, noise):
    masked = canvas == 4
    logits = predict(canvas).index_fill(-1, torch.tensor([4]), -torch.inf)
    p, best = logits.softmax(-1).max(-1)
    n = (after * masked.sum(1)).long()
    score = p if order == "confidence" else noise
    again = score.masked_fill(~masked, 9).argsort(1).argsort(1) < n[:, None]
    if order == "chance":
        again = noise < after / before
    return best.where(masked & ~again, canvas)

# %% 12.4 wrong
# believes: the confidence is the logit
# says: `best` holds the likeliest word
# says: Next comes its probability
def one_step(predict, canvas, gaps, before, after, order, noise):
    masked = canvas == 4
    logits = predict(canvas).index_fill(-1, torch.tensor([4]), -torch.inf)
    score, best = logits.max(-1)
    n = (after * gaps.sum(1)).long()
    if order == "random":
        score = noise
    again = score.masked_fill(~masked, torch.inf).argsort(1).argsort(1) < n[:, None]
    if order == "chance":
        again = noise < after / before
    return best.where(masked & ~again, canvas)

# %% 12.5 right
# unusual: text by text
import itertools

def written_by(joint, groups):
    out = torch.zeros_like(joint)
    for text in itertools.product(range(joint.shape[0]), repeat=joint.ndim):
        p, seen = 1.0, {}
        for group in groups:
            drawn = {}
            for place in group:
                index = tuple(seen.get(i, slice(None)) for i in range(joint.ndim))
                fixed = tuple({**seen, place: text[place]}.get(i, slice(None)) for i in range(joint.ndim))
                p *= (joint[fixed].sum() / joint[index].sum()).item()
                drawn[place] = text[place]
            seen |= drawn
        out[text] = p
    return out

# %% 12.5 right
# unusual: logarithms, and einsum for the marginals
def written_by(joint, groups):
    letters = "abcdefgh"[: joint.ndim]
    log_p, past = torch.zeros_like(joint), []

    def over(places):
        keep = "".join(letters[i] for i in sorted(places))
        table = torch.einsum(f"{letters}->{keep}", joint)
        return table.reshape([joint.shape[i] if i in places else 1 for i in range(joint.ndim)])

    for group in groups:
        for place in group:
            log_p = log_p + over({*past, place}).log() - over({*past}).log()
        past = [*past, *group]
    return log_p.exp()

# %% 12.5 wrong
# believes: places of a group see each other
# says: language itself
def written_by(joint, groups):
    known, result = [], torch.ones_like(joint)
    for group in groups:
        for place in group:
            rest = [i for i in range(joint.ndim) if i not in known and i != place]
            both = joint.sum(rest, keepdim=True) if rest else joint
            result = result * both / both.sum(place, keepdim=True)
            known.append(place)
    return result

# %% 12.5 wrong
# believes: perfect guesses write each word as often as it occurs
# says: from the blank line
def written_by(joint, groups):
    result = torch.ones_like(joint)
    for place in range(joint.ndim):
        rest = [i for i in range(joint.ndim) if i != place]
        result = result * joint.sum(rest, keepdim=True)
    return result

# %% 12.5 wrong
# believes: summing over no axes leaves a tensor alone
# says: entries differ
def written_by(joint, groups):
    known, result = [], torch.ones_like(joint)
    for group in groups:
        for place in group:
            rest = [i for i in range(joint.ndim) if i not in known and i != place]
            both = joint.sum(rest, keepdim=True)
            result = result * both / both.sum(place, keepdim=True)
        known = known + group
    return result

# %% 12.5 wrong
# believes: the joint probability of the places seen is the guess
# says: Not divided
def written_by(joint, groups):
    known, result = [], torch.ones_like(joint)
    for group in groups:
        for place in group:
            rest = [i for i in range(joint.ndim) if i not in known and i != place]
            result = result * (joint.sum(rest, keepdim=True) if rest else joint)
        known = known + group
    return result

# %% 12.6 right
# unusual: loops and sets
import math

def which_sampler(confidence, masked):
    steps, rows, places = masked.shape
    again = any(
        masked[s + 1, b, i] and not masked[s, b, i]
        for s in range(steps - 1) for b in range(rows) for i in range(places)
    )
    n = int(masked[1, 0].sum())
    linear = abs(n - places * (1 - 1 / steps)) < abs(n - places * math.cos(math.pi / 2 / steps))
    by_confidence = True
    for s in range(steps - 1):
        for b in range(rows):
            pool = [i for i in range(places) if again or masked[s, b, i]]
            pool.sort(key=lambda i: confidence[s, b, i].item())
            k = int(masked[s + 1, b].sum())
            by_confidence &= all(bool(masked[s + 1, b, i]) for i in pool[:k])
    return ("confidence" if by_confidence else "random", "linear" if linear else "cosine", again)

# %% 12.6 right
# unusual: only places that were just filled are looked at, which is enough; a list of three
def which_sampler(confidence, masked):
    new, chosen = masked[:-1], masked[1:]
    kept_now = new & ~chosen
    worst_kept = torch.where(kept_now, confidence[:-1], 2.0).min(-1).values
    best_chosen = torch.where(chosen & new, confidence[:-1], -1.0).max(-1).values
    order = "confidence" if bool((best_chosen <= worst_kept).all()) else "random"
    filled = masked[0, 0].sum() - masked[1, 0].sum()
    even = filled >= masked.shape[2] / masked.shape[0]
    return [order, "linear" if even else "cosine", bool((chosen > new).any())]

# %% 12.6 wrong
# believes: all places compete
# says: only the places filled in a step compete
def which_sampler(confidence, masked):
    S, B, N = masked.shape
    again = bool((masked[1:] & ~masked[:-1]).any())
    schedule = "linear" if int(masked[1, 0].sum()) == N * (S - 1) // S else "cosine"
    order = "confidence"
    for s in range(S - 1):
        for b in range(B):
            k = int(masked[s + 1, b].sum())
            lowest = torch.zeros(N, dtype=torch.bool)
            lowest[confidence[s, b].argsort()[:k]] = True
            if not torch.equal(lowest, masked[s + 1, b]):
                order = "random"
    return order, schedule, again

# %% 12.6 wrong
# believes: the confidence of a step chose what that step masks
# says: *after the step before it*
def which_sampler(confidence, masked):
    S, _, N = masked.shape
    again = bool((masked[1:] & ~masked[:-1]).any())
    schedule = "linear" if int(masked[1, 0].sum()) == N * (S - 1) // S else "cosine"
    pool = masked[:-1] | again
    most = confidence[1:].masked_fill(~masked[1:], -1).amax(-1)
    least = confidence[1:].masked_fill(~pool | masked[1:], 2).amin(-1)
    return "confidence" if bool((most <= least).all()) else "random", schedule, again

# %% 12.6 wrong
# believes: cosine is quick at first
# says: The two schedules are exchanged
def which_sampler(confidence, masked):
    S, _, N = masked.shape
    again = bool((masked[1:] & ~masked[:-1]).any())
    schedule = "cosine" if int(masked[1, 0].sum()) == N * (S - 1) // S else "linear"
    pool = masked[:-1] | again
    most = confidence[:-1].masked_fill(~masked[1:], -1).amax(-1)
    least = confidence[:-1].masked_fill(~pool | masked[1:], 2).amin(-1)
    return "confidence" if bool((most <= least).all()) else "random", schedule, again

# %% 12.7 right
# unusual: row by row, place by place, until nothing is masked
def fill_the_sure(predict, canvas, sure, passes):
    canvas, taken = canvas.clone(), [0] * len(canvas)
    for _ in range(passes):
        logits = predict(canvas).clone()
        logits[..., 4] = -1e9
        chances = torch.softmax(logits, -1)
        for b in range(len(canvas)):
            gaps = [i for i in range(canvas.shape[1]) if canvas[b, i] == 4]
            if not gaps:
                continue
            taken[b] += 1
            top = {i: chances[b, i].max().item() for i in gaps}
            chosen = [i for i in gaps if top[i] >= sure] or [max(gaps, key=top.get)]
            for i in chosen:
                canvas[b, i] = chances[b, i].argmax()
    return canvas, torch.tensor(taken)

# %% 12.7 right
# unusual: while, topk, and the fallback as a one-hot row
def fill_the_sure(predict, canvas, sure, passes):
    taken = torch.zeros(len(canvas), dtype=torch.long)
    while passes and (canvas == 4).any():
        passes -= 1
        masked = canvas == 4
        logits = predict(canvas)
        words = torch.cat([logits[..., :4], logits[..., 5:]], -1).softmax(-1)
        p, best = words.topk(1)
        p, best = p[..., 0].masked_fill(~masked, -1), best[..., 0]
        best = best + (best >= 4)
        chosen = masked & (p >= sure)
        none = ~chosen.any(1, keepdim=True)
        alone = torch.nn.functional.one_hot(p.argmax(1), canvas.shape[1]).bool()
        chosen = chosen | (none & alone & masked)
        canvas = torch.where(chosen, best, canvas)
        taken = taken + masked.any(1).long()
    return canvas, taken

# %% 12.7 wrong
# believes: the likeliest of all places is filled where none is sure
# says: another row decides
def fill_the_sure(predict, canvas, sure, passes):
    taken = torch.zeros(len(canvas), dtype=torch.int64)
    for _ in range(passes):
        masked = canvas == 4
        p, best = predict(canvas).index_fill(-1, torch.tensor([4]), -torch.inf).softmax(-1).max(-1)
        p = p.masked_fill(~masked, 0.0)
        enough = min(sure, p.max().item())
        taken += masked.any(1)
        canvas = best.where(masked & (p >= enough), canvas)
    return canvas, taken

# %% 12.7 wrong
# believes: one reading of the row is enough
# says: first canvas in every pass
def fill_the_sure(predict, canvas, sure, passes):
    p, best = predict(canvas).index_fill(-1, torch.tensor([4]), -torch.inf).softmax(-1).max(-1)
    taken = torch.zeros(len(canvas), dtype=torch.int64)
    for _ in range(passes):
        masked = canvas == 4
        own = p.where(masked, 0.0)
        least = own.amax(1, keepdim=True).clamp(max=sure)
        canvas = torch.where(masked & (own >= least), best, canvas)
        taken += masked.any(1)
    return canvas, taken

# %% 12.7 wrong
# believes: a threshold is all
# says: stays as it is, pass after pass
def fill_the_sure(predict, canvas, sure, passes):
    taken = torch.zeros(len(canvas), dtype=torch.int64)
    for _ in range(passes):
        masked = canvas == 4
        p, best = predict(canvas).index_fill(-1, torch.tensor([4]), -torch.inf).softmax(-1).max(-1)
        taken += masked.any(1)
        canvas = torch.where(masked & (p >= sure), best, canvas)
    return canvas, taken

# %% 12.7 right
# unusual: the fallback by scatter, where a row has gaps and none is sure
def fill_the_sure(predict, canvas, sure, passes):
    taken = torch.zeros(len(canvas), dtype=torch.int64)
    for _ in range(passes):
        masked = canvas == 4
        p, best = predict(canvas).index_fill(-1, torch.tensor([4]), -torch.inf).softmax(-1).max(-1)
        chosen = masked & (p >= sure)
        place = p.where(masked, 0.0).argmax(1, keepdim=True)
        none = masked.any(1, keepdim=True) & ~chosen.any(1, keepdim=True)
        chosen = chosen | (torch.zeros_like(masked).scatter(1, place, True) & none)
        canvas = torch.where(chosen, best, canvas)
        taken += masked.any(1)
    return canvas, taken

# %% 12.7 wrong
# believes: counting starts at one
# says: one pass too few
def fill_the_sure(predict, canvas, sure, passes):
    taken = torch.zeros(len(canvas), dtype=torch.int64)
    for _ in range(1, passes):
        masked = canvas == 4
        p, best = predict(canvas).index_fill(-1, torch.tensor([4]), -torch.inf).softmax(-1).max(-1)
        chosen = masked & (p >= sure)
        place = p.where(masked, 0.0).argmax(1, keepdim=True)
        none = masked.any(1, keepdim=True) & ~chosen.any(1, keepdim=True)
        chosen = chosen | (torch.zeros_like(masked).scatter(1, place, True) & none)
        canvas = torch.where(chosen, best, canvas)
        taken += masked.any(1)
    return canvas, taken

# %% 12.7 wrong
# believes: a last pass finishes
# says: one pass too many
def fill_the_sure(predict, canvas, sure, passes):
    taken = torch.zeros(len(canvas), dtype=torch.int64)
    for _ in range(passes + 1):
        masked = canvas == 4
        p, best = predict(canvas).index_fill(-1, torch.tensor([4]), -torch.inf).softmax(-1).max(-1)
        chosen = masked & (p >= sure)
        place = p.where(masked, 0.0).argmax(1, keepdim=True)
        none = masked.any(1, keepdim=True) & ~chosen.any(1, keepdim=True)
        chosen = chosen | (torch.zeros_like(masked).scatter(1, place, True) & none)
        canvas = torch.where(chosen, best, canvas)
        taken += masked.any(1)
    return canvas, taken

# %% 12.7 wrong
# believes: one goes on until nothing is masked
# says: until every row was full
def fill_the_sure(predict, canvas, sure, passes):
    taken = torch.zeros(len(canvas), dtype=torch.int64)
    while (canvas == 4).any():
        masked = canvas == 4
        p, best = predict(canvas).index_fill(-1, torch.tensor([4]), -torch.inf).softmax(-1).max(-1)
        chosen = masked & (p >= sure)
        place = p.where(masked, 0.0).argmax(1, keepdim=True)
        none = masked.any(1, keepdim=True) & ~chosen.any(1, keepdim=True)
        chosen = chosen | (torch.zeros_like(masked).scatter(1, place, True) & none)
        canvas = torch.where(chosen, best, canvas)
        taken += masked.any(1)
    return canvas, taken

# %% 12.7 wrong
# believes: at the end nothing may be masked
# says: The last pass filled all
def fill_the_sure(predict, canvas, sure, passes):
    taken = torch.zeros(len(canvas), dtype=torch.int64)
    for step in range(passes):
        masked = canvas == 4
        p, best = predict(canvas).index_fill(-1, torch.tensor([4]), -torch.inf).softmax(-1).max(-1)
        chosen = masked & (p >= sure)
        place = p.where(masked, 0.0).argmax(1, keepdim=True)
        none = masked.any(1, keepdim=True) & ~chosen.any(1, keepdim=True)
        chosen = chosen | (torch.zeros_like(masked).scatter(1, place, True) & none)
        chosen = masked if step == passes - 1 else chosen
        canvas = torch.where(chosen, best, canvas)
        taken += masked.any(1)
    return canvas, taken

# %% 12.7 wrong
# believes: the fallback is for a batch in which nothing is sure
# says: had to wait
def fill_the_sure(predict, canvas, sure, passes):
    taken = torch.zeros(len(canvas), dtype=torch.int64)
    for _ in range(passes):
        masked = canvas == 4
        p, best = predict(canvas).index_fill(-1, torch.tensor([4]), -torch.inf).softmax(-1).max(-1)
        chosen = masked & (p >= sure)
        place = p.where(masked, 0.0).argmax(1, keepdim=True)
        none = masked.any(1, keepdim=True) & ~chosen.any()
        chosen = chosen | (torch.zeros_like(masked).scatter(1, place, True) & none)
        canvas = torch.where(chosen, best, canvas)
        taken += masked.any(1)
    return canvas, taken

# %% 12.7 wrong
# believes: a row that waits takes no pass, and the fallback is for the whole batch
# says: had to wait
def fill_the_sure(predict, canvas, sure, passes):
    taken = torch.zeros(len(canvas), dtype=torch.int64)
    for _ in range(passes):
        masked = canvas == 4
        p, best = predict(canvas).index_fill(-1, torch.tensor([4]), -torch.inf).softmax(-1).max(-1)
        chosen = masked & (p >= sure)
        place = p.where(masked, 0.0).argmax(1, keepdim=True)
        none = masked.any(1, keepdim=True) & ~chosen.any()
        chosen = chosen | (torch.zeros_like(masked).scatter(1, place, True) & none)
        canvas = torch.where(chosen, best, canvas)
        taken += chosen.any(1)
    return canvas, taken

# %% 12.7 wrong
# believes: one pass more for what is left
# says: have gaps left is one too large
def fill_the_sure(predict, canvas, sure, passes):
    taken = torch.zeros(len(canvas), dtype=torch.int64)
    for _ in range(passes):
        masked = canvas == 4
        p, best = predict(canvas).index_fill(-1, torch.tensor([4]), -torch.inf).softmax(-1).max(-1)
        chosen = masked & (p >= sure)
        place = p.where(masked, 0.0).argmax(1, keepdim=True)
        none = masked.any(1, keepdim=True) & ~chosen.any(1, keepdim=True)
        chosen = chosen | (torch.zeros_like(masked).scatter(1, place, True) & none)
        canvas = torch.where(chosen, best, canvas)
        taken += masked.any(1)
    return canvas, taken + (canvas == 4).any(1)

# %% 12.7 wrong
# believes: sure is a half
# says: the values are not
def fill_the_sure(predict, canvas, sure, passes):
    taken = torch.zeros(len(canvas), dtype=torch.int64)
    for _ in range(passes):
        masked = canvas == 4
        p, best = predict(canvas).index_fill(-1, torch.tensor([4]), -torch.inf).softmax(-1).max(-1)
        chosen = masked & (p >= 0.5)
        place = p.where(masked, 0.0).argmax(1, keepdim=True)
        none = masked.any(1, keepdim=True) & ~chosen.any(1, keepdim=True)
        chosen = chosen | (torch.zeros_like(masked).scatter(1, place, True) & none)
        canvas = torch.where(chosen, best, canvas)
        taken += masked.any(1)
    return canvas, taken

# %% 12.7 wrong
# believes: sure is what may be wrong
# says: the values are not
def fill_the_sure(predict, canvas, sure, passes):
    taken = torch.zeros(len(canvas), dtype=torch.int64)
    for _ in range(passes):
        masked = canvas == 4
        p, best = predict(canvas).index_fill(-1, torch.tensor([4]), -torch.inf).softmax(-1).max(-1)
        chosen = masked & (p >= 1 - sure)
        place = p.where(masked, 0.0).argmax(1, keepdim=True)
        none = masked.any(1, keepdim=True) & ~chosen.any(1, keepdim=True)
        chosen = chosen | (torch.zeros_like(masked).scatter(1, place, True) & none)
        canvas = torch.where(chosen, best, canvas)
        taken += masked.any(1)
    return canvas, taken

# %% 12.7 wrong
# believes: sure is above
# says: *At least*
def fill_the_sure(predict, canvas, sure, passes):
    taken = torch.zeros(len(canvas), dtype=torch.int64)
    for _ in range(passes):
        masked = canvas == 4
        p, best = predict(canvas).index_fill(-1, torch.tensor([4]), -torch.inf).softmax(-1).max(-1)
        chosen = masked & (p > sure)
        place = p.where(masked, 0.0).argmax(1, keepdim=True)
        none = masked.any(1, keepdim=True) & ~chosen.any(1, keepdim=True)
        chosen = chosen | (torch.zeros_like(masked).scatter(1, place, True) & none)
        canvas = torch.where(chosen, best, canvas)
        taken += masked.any(1)
    return canvas, taken

# %% 12.7 wrong
# believes: a threshold is all, and what filled something counts
# says: stays as it is, pass after pass
def fill_the_sure(predict, canvas, sure, passes):
    taken = torch.zeros(len(canvas), dtype=torch.int64)
    for _ in range(passes):
        masked = canvas == 4
        p, best = predict(canvas).index_fill(-1, torch.tensor([4]), -torch.inf).softmax(-1).max(-1)
        chosen = masked & (p >= sure)
        canvas = torch.where(chosen, best, canvas)
        taken += chosen.any(1)
    return canvas, taken

# %% 12.7 wrong
# believes: a row without a sure place falls back, full or not
# says: Leave full rows as they are
def fill_the_sure(predict, canvas, sure, passes):
    taken = torch.zeros(len(canvas), dtype=torch.int64)
    for _ in range(passes):
        masked = canvas == 4
        p, best = predict(canvas).index_fill(-1, torch.tensor([4]), -torch.inf).softmax(-1).max(-1)
        chosen = masked & (p >= sure)
        place = p.where(masked, 0.0).argmax(1, keepdim=True)
        none = ~chosen.any(1, keepdim=True)
        chosen = chosen | (torch.zeros_like(masked).scatter(1, place, True) & none)
        canvas = torch.where(chosen, best, canvas)
        taken += masked.any(1)
    return canvas, taken

# %% 12.7 wrong
# believes: the most probable place of a row, whatever it holds
# says: Words that stood on the canvas
def fill_the_sure(predict, canvas, sure, passes):
    taken = torch.zeros(len(canvas), dtype=torch.int64)
    for _ in range(passes):
        masked = canvas == 4
        p, best = predict(canvas).index_fill(-1, torch.tensor([4]), -torch.inf).softmax(-1).max(-1)
        chosen = masked & (p >= sure)
        place = p.argmax(1, keepdim=True)
        none = masked.any(1, keepdim=True) & ~chosen.any(1, keepdim=True)
        chosen = chosen | (torch.zeros_like(masked).scatter(1, place, True) & none)
        canvas = torch.where(chosen, best, canvas)
        taken += masked.any(1)
    return canvas, taken

# %% 12.7 wrong
# believes: what is sure is written, masked or not
# says: Words that stood on the canvas
def fill_the_sure(predict, canvas, sure, passes):
    taken = torch.zeros(len(canvas), dtype=torch.int64)
    for _ in range(passes):
        masked = canvas == 4
        p, best = predict(canvas).index_fill(-1, torch.tensor([4]), -torch.inf).softmax(-1).max(-1)
        chosen = p >= sure
        place = p.where(masked, 0.0).argmax(1, keepdim=True)
        none = masked.any(1, keepdim=True) & ~(chosen & masked).any(1, keepdim=True)
        chosen = chosen | (torch.zeros_like(masked).scatter(1, place, True) & none)
        canvas = torch.where(chosen, best, canvas)
        taken += masked.any(1)
    return canvas, taken

# %% 12.7 wrong
# believes: where the model says [MASK], it says nothing
# says: were passed over
def fill_the_sure(predict, canvas, sure, passes):
    taken = torch.zeros(len(canvas), dtype=torch.int64)
    for _ in range(passes):
        masked = canvas == 4
        word = predict(canvas).argmax(-1) != 4
        p, best = predict(canvas).index_fill(-1, torch.tensor([4]), -torch.inf).softmax(-1).max(-1)
        chosen = masked & word & (p >= sure)
        place = p.where(masked & word, 0.0).argmax(1, keepdim=True)
        none = (masked & word).any(1, keepdim=True) & ~chosen.any(1, keepdim=True)
        chosen = chosen | (torch.zeros_like(masked).scatter(1, place, True) & none)
        canvas = torch.where(chosen, best, canvas)
        taken += masked.any(1)
    return canvas, taken

# %% 12.7 wrong
# believes: nothing sure: fill what is there
# says: all its gaps were filled at once
def fill_the_sure(predict, canvas, sure, passes):
    taken = torch.zeros(len(canvas), dtype=torch.int64)
    for _ in range(passes):
        masked = canvas == 4
        p, best = predict(canvas).index_fill(-1, torch.tensor([4]), -torch.inf).softmax(-1).max(-1)
        chosen = masked & (p >= sure)
        chosen = chosen | (masked & ~chosen.any(1, keepdim=True))
        canvas = torch.where(chosen, best, canvas)
        taken += masked.any(1)
    return canvas, taken

# %% 12.7 wrong
# believes: one place of the batch where nothing is sure
# says: another row decides
def fill_the_sure(predict, canvas, sure, passes):
    taken = torch.zeros(len(canvas), dtype=torch.int64)
    for _ in range(passes):
        masked = canvas == 4
        p, best = predict(canvas).index_fill(-1, torch.tensor([4]), -torch.inf).softmax(-1).max(-1)
        chosen = masked & (p >= sure)
        if masked.any() and not chosen.any():
            place = p.where(masked, 0.0).flatten().argmax()
            chosen = chosen.flatten().index_fill(0, place, True).view_as(masked)
        canvas = torch.where(chosen, best, canvas)
        taken += chosen.any(1)
    return canvas, taken

# %% 12.7 wrong
# believes: the passes of the batch
# says: each row has its own count
def fill_the_sure(predict, canvas, sure, passes):
    taken = torch.zeros(len(canvas), dtype=torch.int64)
    for _ in range(passes):
        masked = canvas == 4
        p, best = predict(canvas).index_fill(-1, torch.tensor([4]), -torch.inf).softmax(-1).max(-1)
        chosen = masked & (p >= sure)
        place = p.where(masked, 0.0).argmax(1, keepdim=True)
        none = masked.any(1, keepdim=True) & ~chosen.any(1, keepdim=True)
        chosen = chosen | (torch.zeros_like(masked).scatter(1, place, True) & none)
        canvas = torch.where(chosen, best, canvas)
        taken += masked.any().long()
    return canvas, taken

# %% 12.8 right
# unusual: pair by pair, in words
def two_copies_mask(size, block):
    rows = []
    for query in range(2 * size):
        row = []
        for key in range(2 * size):
            mine, its = query % size // block, key % size // block
            if query < size:
                row.append(mine == its if key < size else its < mine)
            else:
                row.append(key >= size and its <= mine)
        rows.append(row)
    return torch.tensor(rows)

# %% 12.8 right
# unusual: by broadcasting over two copies, from the package's mask
def two_copies_mask(size, block):
    mask = torch.zeros(2, size, 2, size, dtype=torch.bool)
    seen = block_causal_mask(size, block)
    mask[1, :, 1], mask[0, :, 0], mask[0, :, 1] = seen, seen & seen.T, ~seen.T
    return mask.view(2 * size, 2 * size)

# %% 12.8 right
# unusual: a kronecker product of small tables, cut to size
def two_copies_mask(size, block):
    n = -(-size // block)
    ones = torch.ones(block, block)
    same, earlier = torch.eye(n), torch.ones(n, n).tril(-1)
    same, earlier = (torch.kron(t, ones)[:size, :size].bool() for t in (same, earlier))
    top = torch.hstack([same, earlier])
    return torch.vstack([top, torch.hstack([same & False, same | earlier])])

# %% 12.8 wrong
# believes: the block-causal mask in all four corners but one
# says: the clean copy of their own block
def two_copies_mask(size, block):
    seen = block_causal_mask(size, block)
    same = seen & seen.T
    return torch.cat([torch.cat([same, seen], 1), torch.cat([same & False, seen], 1)])

# %% 12.8 wrong
# believes: a noisy text is a text: block-causal, and the clean one beside it
# says: and no clean ones
def two_copies_mask(size, block):
    seen = block_causal_mask(size, block)
    return torch.block_diag(seen, seen)

# %% 12.8 wrong
# believes: clean words are the truth and may look everywhere
# says: later ones too
def two_copies_mask(size, block):
    number = torch.arange(size) // block
    same, earlier = number[:, None] == number, number[:, None] > number
    clean = torch.ones(size, size, dtype=torch.bool)
    return torch.cat([torch.cat([same, earlier], 1), torch.cat([~clean, clean], 1)])

# %% 12.8 wrong
# believes: one row, one mask
# says: taken for one long text
def two_copies_mask(size, block):
    return block_causal_mask(2 * size, block)

# %% 12.8 wrong
# believes: a column is a query
# says: Queries and keys are exchanged
def two_copies_mask(size, block):
    number = torch.arange(size) // block
    mask = torch.zeros(2 * size, 2 * size, dtype=torch.bool)
    for query in range(size):
        for key in range(size):
            mask[key, query] = number[query] == number[key]
            mask[size + key, query] = number[query] > number[key]
            mask[size + key, size + query] = number[query] >= number[key]
    return mask


# %% 12.8 wrong
# believes: the clean copy is there to be read, all of it
# says: there stands what they are to guess
def two_copies_mask(size, block):
    place = torch.arange(size) // block
    same, before = place[:, None] == place, place < place[:, None]
    top = torch.cat([same, torch.ones(size, size, dtype=torch.bool)], 1)
    return torch.cat([top, torch.cat([same & before, same | before], 1)])


# %% 12.8 wrong
# believes: the clean copy may be read but for one's own block
# says: clean copies of later blocks
def two_copies_mask(size, block):
    place = torch.arange(size) // block
    same, before = place[:, None] == place, place < place[:, None]
    return torch.cat([torch.cat([same, ~same], 1), torch.cat([same & before, same | before], 1)])
