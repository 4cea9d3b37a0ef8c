# %% 4.1 wrong
# believes: argsort gives the ranks at once
# says: this compares those places with the count
def hide_fixed_count(ids: Tensor, special_ids: list[int], noise: Tensor, ratio: float) -> Tensor:
    maskable = ~torch.isin(ids, torch.tensor(special_ids))
    n = (ratio * maskable.sum(1, keepdim=True)).round().clamp(min=1)
    order = noise.masked_fill(~maskable, 2.0).argsort(1)
    return order < n

# %% 4.1 wrong
# believes: what may not be hidden can be taken out after the ranking
# says: Special tokens compete for the places
def hide_fixed_count(ids: Tensor, special_ids: list[int], noise: Tensor, ratio: float) -> Tensor:
    maskable = ~torch.isin(ids, torch.tensor(special_ids))
    n = (maskable.sum(1, keepdim=True) * ratio).round().clamp(min=1)
    rank = noise.argsort(1).argsort(1)
    return (rank < n) & maskable

# %% 4.1 wrong
# believes: the share is one of the whole row, special tokens and padding included
# says: the share of the whole row
def hide_fixed_count(ids: Tensor, special_ids: list[int], noise: Tensor, ratio: float) -> Tensor:
    maskable = ~torch.isin(ids, torch.tensor(special_ids))
    n = max(1, round(ratio * noise.shape[1]))
    blocked = torch.where(maskable, noise, torch.inf)
    return blocked.argsort(1).argsort(1) < n

# %% 4.1 wrong
# believes: rounding down is fine, and ranks begin at one
# says: and one too many in each row
def hide_fixed_count(ids: Tensor, special_ids: list[int], noise: Tensor, ratio: float) -> Tensor:
    maskable = ~torch.isin(ids, torch.tensor(special_ids))
    n = (ratio * maskable.sum(1, keepdim=True)).int().clamp(min=1)
    rank = noise.masked_fill(~maskable, 9.0).argsort(1).argsort(1)
    return rank <= n

# %% 4.1 right
# unusual: row by row with Python's sorted
def hide_fixed_count(ids: Tensor, special_ids: list[int], noise: Tensor, ratio: float) -> Tensor:
    maskable = ~torch.isin(ids, torch.tensor(special_ids))
    out = torch.zeros_like(maskable)
    for b in range(noise.shape[0]):
        places = maskable[b].nonzero().flatten().tolist()
        n = max(1, round(ratio * len(places)))
        for t in sorted(places, key=lambda t: noise[b, t].item())[:n]:
            out[b, t] = True
    return out

# %% 4.3 wrong
# believes: a word's number is unique in the whole batch
# says: A word number of one row hid
def extend_to_whole_words(masked: Tensor, word_ids: Tensor) -> Tensor:
    return torch.isin(word_ids, word_ids[masked])

# %% 4.3 wrong
# believes: either axis of the table of pairs will do for "any"
# says: no piece was added
def extend_to_whole_words(masked: Tensor, word_ids: Tensor) -> Tensor:
    same = word_ids[:, :, None] == word_ids[:, None, :]  # (B, T, T)
    return (same & masked[:, None, :]).any(1)

# %% 4.3 right
# unusual: counts the hidden pieces of each word with scatter_add, then reads the counts back
def extend_to_whole_words(masked: Tensor, word_ids: Tensor) -> Tensor:
    slot = word_ids.long() + 1  # -1 becomes slot 0
    hits = torch.zeros(slot.shape[0], int(slot.max()) + 1, dtype=torch.long)
    hits.scatter_add_(1, slot, masked.long())
    return hits.gather(1, slot) > 0

# %% 4.1 right
# unusual: no ranks, but the number of candidates with less noise
def hide_fixed_count(ids, special_ids, noise, ratio):
    ok = (ids[..., None] != torch.tensor(special_ids)).all(-1)
    smaller = ((noise[:, None, :] < noise[:, :, None]) & ok[:, None, :]).sum(-1)
    n = torch.tensor([max(1, round(ratio * k)) for k in ok.sum(1).tolist()])
    return ok & (smaller < n[:, None])

# %% 4.1 right
# unusual: the n-th smallest noise of each row is a threshold
def hide_fixed_count(ids, special_ids, noise, ratio):
    rows = []
    for row, numbers in zip(ids, noise):
        allowed = torch.tensor([i not in special_ids for i in row.tolist()])
        n = max(1, round(ratio * int(allowed.sum())))
        limit = numbers[allowed].sort().values[n - 1]
        rows.append(allowed & (numbers <= limit))
    return torch.stack(rows)

# %% 4.1 right
# unusual: scatter at the first places of the order, padded by a comparison
def hide_fixed_count(ids, special_ids, noise, ratio):
    special = torch.isin(ids, torch.tensor(special_ids))
    order = torch.where(special, torch.inf, noise).argsort(1)
    count = ((~special).sum(1) * ratio).round().clamp(min=1)
    first = torch.arange(ids.shape[1]) < count[:, None]
    return torch.zeros_like(special).scatter(1, order, first)

# %% 4.1 wrong
# believes: special tokens are always the first ids
# says: the ids below the *number* of special tokens
def hide_fixed_count(ids, special_ids, noise, ratio):
    maskable = ids >= len(special_ids)
    n = (ratio * maskable.sum(1, keepdim=True)).round().clamp(min=1)
    return noise.masked_fill(~maskable, 2).argsort(1).argsort(1) < n

# %% 4.1 wrong
# believes: a token is a candidate if it differs from some special id
# says: differs from *some* special id
def hide_fixed_count(ids, special_ids, noise, ratio):
    ok = torch.zeros_like(ids, dtype=torch.bool)
    for special in special_ids:
        ok |= ids != special
    n = (ratio * ok.sum(1, keepdim=True)).round().clamp(min=1)
    return noise.masked_fill(~ok, 2).argsort(1).argsort(1) < n

# %% 4.1 wrong
# believes: isin says what may be hidden
# says: Special tokens come first here
def hide_fixed_count(ids, special_ids, noise, ratio):
    maskable = torch.isin(ids, torch.tensor(special_ids))
    n = ((~maskable).sum(1, keepdim=True) * ratio).round().clamp(min=1)
    return noise.masked_fill(~maskable, 2.0).argsort(1).argsort(1) < n

# %% 4.1 wrong
# believes: two sorts of the noise itself
# says: `count` holds how many to hide
def hide_fixed_count(ids, special_ids, noise, ratio):
    maskable = ~torch.isin(ids, torch.tensor(special_ids))
    count = (maskable.sum(1, keepdim=True) * ratio).round().clamp(min=1)
    rank = noise.masked_fill(~maskable, 2.0).sort(1).values.argsort(1)
    return rank < count

# %% 4.2 right
# unusual: sorts u into three buckets and picks from a stack of three answers
def input_and_labels(ids, masked, u, v, ordinary_ids, mask_id):
    fate = torch.bucketize(u, torch.tensor([0.8, 0.9], dtype=u.dtype), right=True).where(masked, 1)
    index = (v * ordinary_ids.numel()).floor().to(torch.int64)
    options = torch.stack([torch.full_like(ids, mask_id), ids, ordinary_ids.take(index)])
    return options.gather(0, fate[None])[0], torch.where(masked, ids, -100)

# %% 4.2 right
# unusual: token by token
def input_and_labels(ids, masked, u, v, ordinary_ids, mask_id):
    seen, labels = ids.clone(), torch.full_like(ids, -100)
    for b, t in masked.nonzero().tolist():
        labels[b, t] = ids[b, t]
        if u[b, t] < 0.8:
            seen[b, t] = mask_id
        elif u[b, t] >= 0.9:
            seen[b, t] = ordinary_ids[int(v[b, t] * len(ordinary_ids))]
    return [seen, labels]

# %% 4.2 right
# unusual: sums of products of whole numbers, and a search for the border below v
def input_and_labels(ids, masked, u, v, ordinary_ids, mask_id):
    K = len(ordinary_ids)
    borders = torch.arange(1, K) / K
    place = torch.searchsorted(borders, v.contiguous(), right=True)
    a, c = (masked & (u < 0.8)).int(), (masked & ~(u < 0.9)).int()
    return a * mask_id + c * ordinary_ids[place] + (1 - a - c) * ids, (ids + 100) * masked - 100

# %% 4.2 wrong
# believes: the order is mask, random, keep
# says: The two tenths are swapped
def input_and_labels(ids, masked, u, v, ordinary_ids, mask_id):
    drawn = ordinary_ids[(v * len(ordinary_ids)).long()]
    out = torch.where(masked & (u < 0.8), mask_id, ids)
    out = torch.where(masked & (u >= 0.8) & (u < 0.9), drawn, out)
    return out, torch.where(masked, ids, -100)

# %% 4.2 wrong
# believes: the condition "hidden" is needed for [MASK] only
# says: random ids go to others as well
def input_and_labels(ids, masked, u, v, ordinary_ids, mask_id):
    drawn = ordinary_ids[(v * len(ordinary_ids)).long()]
    out = torch.where(masked & (u < 0.8), mask_id, torch.where(u >= 0.9, drawn, ids))
    return out, ids.masked_fill(~masked, -100)

# %% 4.2 wrong
# believes: another name is another tensor (writes into the ids it was given)
# says: changed its argument number 1 (ids
def input_and_labels(ids, masked, u, v, ordinary_ids, mask_id):
    labels = ids.masked_fill(~masked, -100)
    result = ids
    result[masked & (u < 0.8)] = mask_id
    swap = masked & (u >= 0.9)
    result[swap] = ordinary_ids[(v * len(ordinary_ids)).long()][swap]
    return result, labels

# %% 4.2 wrong
# believes: -100 marks what the model cannot see
# says: upside down
def input_and_labels(ids, masked, u, v, ordinary_ids, mask_id):
    out = ids.clone()
    out[masked & (u < 0.8)] = mask_id
    swap = masked & (u >= 0.9)
    out[swap] = ordinary_ids[(v[swap] * len(ordinary_ids)).long()]
    return out, ids.masked_fill(masked, -100)

# %% 4.2 wrong
# believes: subtracting 100 at the other places makes them -100
# says: 100 was subtracted
def input_and_labels(ids, masked, u, v, ordinary_ids, mask_id):
    drawn = ordinary_ids[(v * len(ordinary_ids)).long()]
    out = torch.where(masked & (u < 0.8), mask_id, ids)
    return torch.where(masked & (u >= 0.9), drawn, out), ids - 100 * (~masked).long()

# %% 4.2 wrong
# believes: a token that stays has nothing to be asked for
# says: Only tokens that changed have a label
def input_and_labels(ids, masked, u, v, ordinary_ids, mask_id):
    drawn = ordinary_ids[(v * len(ordinary_ids)).long()]
    out = torch.where(masked & (u < 0.8), mask_id, ids)
    out = torch.where(masked & (u >= 0.9), drawn, out)
    return out, torch.where(out != ids, ids, -100)

# %% 4.2 wrong
# believes: labels first or last does not matter
# says: in another order
def input_and_labels(ids, masked, u, v, ordinary_ids, mask_id):
    drawn = ordinary_ids[(v * len(ordinary_ids)).long()]
    out = torch.where(masked & (u < 0.8), mask_id, ids)
    return torch.where(masked, ids, -100), torch.where(masked & (u >= 0.9), drawn, out)

# %% 4.2 wrong
# believes: & binds less tightly than <
# says: Mind the parentheses
def input_and_labels(ids, masked, u, v, ordinary_ids, mask_id):
    out = torch.where(masked & u < 0.8, mask_id, ids)
    return out, torch.where(masked, ids, -100)

# %% 4.3 right
# unusual: word by word
def words_by_loop(masked, word_ids):
    result = torch.zeros_like(masked)
    for b in range(len(masked)):
        for word in set(word_ids[b].tolist()) - {-1}:
            if masked[b][word_ids[b] == word].any():
                result[b] |= word_ids[b] == word
    return result

# %% 4.3 right
# unusual: one product for the whole batch
def extend_to_whole_words(masked, word_ids):
    same = (word_ids.unsqueeze(1) == word_ids.unsqueeze(2)).float()
    return torch.bmm(same, masked.float().unsqueeze(2)).squeeze(2).gt(0)

# %% 4.3 wrong
# believes: the table times the mask counts hidden partners, batch or no batch
# says: Your function stops with
def extend_to_whole_words(masked, word_ids):
    same = (word_ids[:, :, None] == word_ids[:, None, :]).float()
    return (same @ masked.float()) > 0

# %% 4.3 wrong
# believes: nothing is to be done, the pieces are hidden already
# says: no piece was added
def extend_to_whole_words(masked, word_ids):
    return masked & (word_ids >= 0)

# %% 4.3 wrong
# believes: the mask goes along the queries
# says: no piece was added
def extend_to_whole_words(masked, word_ids):
    same = word_ids[:, :, None] == word_ids[:, None, :]
    return (same & masked.unsqueeze(-1)).any(dim=2)

# %% 4.3 wrong
# believes: pieces that follow a hidden one belong to it
# says: Only the pieces *behind*
def extend_to_whole_words(masked, word_ids):
    out = masked.clone()
    for t in range(1, masked.shape[1]):
        out[:, t] |= out[:, t - 1] & (word_ids[:, t] == word_ids[:, t - 1])
    return out

# %% 4.4 right
# unusual: pattern from the longest stretch and neighbours in Python lists, ratio from row by row
def made_by(ids, input_ids, labels):
    hidden = labels.ne(-100)
    n = (ids > 4).sum(1).double()
    share = (hidden.double().sum(2) / n).mean()
    ratio = min((0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45), key=lambda r: abs(r - share.item()))
    text = ["".join("x" if one else " " for one in row) for row in hidden.flatten(0, 1).tolist()]
    stretches = [row.split() for row in text]
    counts = hidden.sum(2)
    if all(len(row) == 1 for row in stretches):
        pattern = "block"
    elif not any("xx" in row for row in text):
        pattern = "non-adjacent"
    elif len({(int(k), int(c)) for row in counts for k, c in zip(n, row)}) <= len(set(n.tolist())):
        pattern = "fixed count"
    else:
        pattern = "bernoulli"
    replacement = "[MASK]" if input_ids[hidden].eq(4).all() else "80/10/10"
    moment = "static" if torch.equal(hidden[0], hidden[2]) else "dynamic"
    return pattern, replacement, moment, ratio

# %% 4.4 right
# unusual: a list; products of neighbours; the moment from the inputs themselves
def made_by(ids, input_ids, labels):
    m = (labels >= 0).float()
    total, c = m.sum(2), (ids >= 5).float().sum(1)
    ratio = round((total.mean() / c.mean()).item() * 20) / 20
    neighbours = (m[..., 1:] * m[..., :-1]).sum(2)
    pattern = "bernoulli"
    if (total - c * ratio).abs().max() < 0.6:
        pattern = "fixed count"
    if neighbours.sum() == 0:
        pattern = "non-adjacent"
    if (total - neighbours == 1).all():
        pattern = "block"
    masks_only = ((input_ids == 4).sum() == m.sum()).item()
    same = bool((input_ids[0] == input_ids[1]).all() and (input_ids[1] == input_ids[2]).all())
    return [pattern, "[MASK]" if masks_only else "80/10/10", "static" if same else "dynamic", ratio]

# %% 4.4 wrong
# believes: hidden is what looks changed
# says: You take the tokens that *changed*
def made_by(ids, input_ids, labels):
    masked = input_ids != ids
    count, candidates = masked.sum(-1), (ids >= 5).sum(-1)
    ratio = round(20 * (count.sum() / (3 * candidates.sum())).item()) / 20
    begins = masked & ~masked.roll(1, -1)
    if (begins.sum(-1) == 1).all():
        pattern = "block"
    elif (begins == masked).all():
        pattern = "non-adjacent"
    elif ((count - ratio * candidates).abs() < 0.51).all():
        pattern = "fixed count"
    else:
        pattern = "bernoulli"
    replacement = "[MASK]" if (input_ids[masked] == 4).all() else "80/10/10"
    moment = "static" if (masked == masked[0]).all() else "dynamic"
    return pattern, replacement, moment, ratio

# %% 4.4 wrong
# believes: a fixed count is the same number in all rows
# says: called Bernoulli because rows differ
def made_by(ids, input_ids, labels):
    masked = labels != -100
    count = masked.sum(-1)
    ratio = round(20 * count.sum().item() / (3 * (ids >= 5).sum().item())) / 20
    begins = masked & ~masked.roll(1, -1)
    if (begins.sum(-1) == 1).all():
        pattern = "block"
    elif (begins == masked).all():
        pattern = "non-adjacent"
    elif count.unique().numel() == 1:
        pattern = "fixed count"
    else:
        pattern = "bernoulli"
    replacement = "[MASK]" if (input_ids[masked] == 4).all() else "80/10/10"
    moment = "static" if (masked == masked[0]).all() else "dynamic"
    return pattern, replacement, moment, ratio

# %% 4.4 wrong
# believes: the ratio is the mean of the mask
# says: The ratio is one of all places
def made_by(ids, input_ids, labels):
    masked = labels != -100
    count, candidates = masked.sum(-1), (ids >= 5).sum(-1)
    ratio = round(20 * count.sum().item() / (3 * candidates.sum().item())) / 20
    begins = masked & ~masked.roll(1, -1)
    if (begins.sum(-1) == 1).all():
        pattern = "block"
    elif (begins == masked).all():
        pattern = "non-adjacent"
    elif ((count - ratio * candidates).abs() < 0.51).all():
        pattern = "fixed count"
    else:
        pattern = "bernoulli"
    replacement = "[MASK]" if (input_ids[masked] == 4).all() else "80/10/10"
    moment = "static" if (masked == masked[0]).all() else "dynamic"
    return pattern, replacement, moment, round(20 * masked.float().mean().item()) / 20

# %% 4.4 wrong
# believes: a guess may hit
# says: the text
def made_by(ids, input_ids, labels):
    return "fixed count", "80/10/10", "dynamic", 0.15

# %% 4.5 right
# unusual: the other towel, the other colour, in any order
def two_masks():
    words = "anna gave tom a red towel , and he thanked her for the red towel at the river .".split()
    easy = [i for i in range(len(words) - 1, -1, -1) if i not in {0, 2, 13, 14, 17}]
    return easy, [17, 14, 5]

# %% 4.5 right
# unusual: tuples, one mention of each
def two_masks():
    return tuple({*range(19)} - {0, 2, 4, 14, 17}), (14, 17, 5)

# %% 4.5 wrong
# believes: nobody can tell names, all else is tied
# says: surprises the best guesser by
def two_masks():
    return [i for i in range(19) if i not in (0, 2)], [5, 14, 17]

# %% 4.5 wrong
# believes: few words are certain
# says: more than 6 can be hidden so
def two_masks():
    return [1, 3, 6, 7, 9, 11], [5, 14, 17]

# %% 4.5 wrong
# believes: the three that are open anyway are the hardest
# says: 'anna', 'tom', 'river' surprise by 5.55 nats together
def two_masks():
    return [1, 3, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18], [0, 2, 17]

# %% 4.5 wrong
# believes: words are named by themselves
# says: `easy` has to be a list of places
def two_masks():
    return ["gave", "a"], ["towel", "towel", "river"]

# %% 4.6 right
# unusual: row by row and pattern by pattern, logarithms relative to the first pattern, in double
def two_pattern_posterior(ids, masked, prior, chances):
    import math

    rows = []
    for row, out in zip(ids, masked):
        odds = math.log(prior[1]) - math.log(prior[0])
        for t in (~out).nonzero()[:, 0].tolist():
            a, b = (chances[k, t, row[t]].item() for k in (0, 1))
            odds += (math.log(b) if b else -math.inf) - (math.log(a) if a else -math.inf)
        p = 1 / (1 + math.exp(-odds)) if odds > -700 else 0.0
        guess = (1 - p) * chances[0] + p * chances[1]
        guess[~out] = torch.eye(chances.shape[-1])[row[~out]]
        rows.append(guess)
    return torch.stack(rows)

# %% 4.6 right
# unusual: gather, logsumexp, and words in view written in afterwards
def two_pattern_posterior(ids, masked, prior, chances):
    K, T, V = chances.shape
    table = chances.log()[None].expand(len(ids), K, T, V)
    own = table.gather(-1, ids[:, None, :, None].expand(-1, K, -1, 1))[..., 0]
    total = torch.where(masked[:, None], torch.zeros(()), own).sum(-1) + prior.log()
    weight = (total - total.logsumexp(1, keepdim=True)).exp()
    result = (weight[:, :, None, None] * chances).sum(1)
    b, t = (~masked).nonzero(as_tuple=True)
    result[b, t] = 0.0
    result[b, t, ids[b, t]] = 1.0
    return result

# %% 4.6 wrong
# believes: the true words are there, so they may all speak
# says: The hidden words counted as well
def two_pattern_posterior(ids, masked, prior, chances):
    own = chances[:, torch.arange(ids.shape[1]), ids].log().sum(-1)
    weight = (own + prior.log()[:, None]).softmax(0)
    guess = (weight[:, :, None, None] * chances[:, None]).sum(0)
    return torch.where(masked[..., None], guess, F.one_hot(ids, chances.shape[-1]).float())

# %% 4.6 wrong
# believes: a product is a product
# says: is 0 in float32, and 0 / 0 is NaN. Add logarithms
def two_pattern_posterior(ids, masked, prior, chances):
    own = chances[:, torch.arange(ids.shape[1]), ids]
    joint = own.masked_fill(masked, 1).prod(-1) * prior[:, None]
    weight = joint / joint.sum(0)
    guess = (weight[:, :, None, None] * chances[:, None]).sum(0)
    return torch.where(masked[..., None], guess, F.one_hot(ids, chances.shape[-1]).float())

# %% 4.6 wrong
# believes: a mask is multiplied
# says: -inf times 0 is NaN
def two_pattern_posterior(ids, masked, prior, chances):
    own = chances[:, torch.arange(ids.shape[1]), ids].log()
    weight = ((own * (~masked).float()).sum(-1) + prior.log()[:, None]).softmax(0)
    guess = (weight[:, :, None, None] * chances[:, None]).sum(0)
    return torch.where(masked[..., None], guess, F.one_hot(ids, chances.shape[-1]).float())

# %% 4.6 wrong
# believes: the posterior is asked for at all places
# says: Those in view got a guess as well
def two_pattern_posterior(ids, masked, prior, chances):
    own = chances[:, torch.arange(ids.shape[1]), ids].log().masked_fill(masked, 0)
    weight = (own.sum(-1) + prior.log()[:, None]).softmax(0)
    return (weight[:, :, None, None] * chances[:, None]).sum(0)

# %% 4.6 wrong
# believes: without reason, both patterns are alike
# says: The prior does not count
def two_pattern_posterior(ids, masked, prior, chances):
    own = chances[:, torch.arange(ids.shape[1]), ids].log().masked_fill(masked, 0)
    guess = torch.einsum("kb,ktv->btv", own.sum(-1).softmax(0), chances)
    return torch.where(masked[..., None], guess, F.one_hot(ids, chances.shape[-1]).float())

# %% 4.7 right
# unusual: one string, split at the marks by a regular expression
def restored(source, target):
    import re

    parts = re.split(r"(<extra_id_\d+>)", " ".join(target))
    spans = dict(zip(parts[1::2], parts[2::2]))
    text = " ".join(spans.get(word, "") if word[:10] == "<extra_id_" else word for word in source)
    return text.split()

# %% 4.7 right
# unusual: for each mark of the source a walk through the target
def restored(source, target):
    out = []
    for word in source:
        if not word.startswith("<extra_id_"):
            out.append(word)
            continue
        taking = False
        for one in target:
            if one.startswith("<extra_id_"):
                taking = one == word
            elif taking:
                out.append(one)
    return out

# %% 4.7 wrong
# believes: spans come in the order of the marks
# says: not their order
def restored(source, target):
    spans, text = [], []
    for word in target:
        if word.startswith("<extra_id_"):
            spans.append([])
        elif spans:
            spans[-1].append(word)
    for word in source:
        if word.startswith("<extra_id_"):
            if spans:
                text.extend(spans.pop(0))
        else:
            text.append(word)
    return text

# %% 4.7 wrong
# believes: every mark is in the target
# says: KeyError
def restored(source, target):
    spans, mark = {}, None
    for word in target:
        if word.startswith("<extra_id_"):
            mark = word
            spans[mark] = []
        elif mark:
            spans[mark].append(word)
    return [one for word in source for one in (spans[word] if word[0] == "<" else [word])]

# %% 4.7 wrong
# believes: a mark that is missing stays
# says: Nothing stands in its place
def restored(source, target):
    spans, mark = {}, None
    for word in target:
        if word.startswith("<extra_id_"):
            mark = word
            spans[mark] = []
        elif mark:
            spans[mark].append(word)
    return [one for word in source for one in spans.get(word, [word])]

# %% 4.7 wrong
# believes: a mark stands for one word
# says: A mark may stand for several
def restored(source, target):
    text = []
    for word in source:
        if word.startswith("<extra_id_"):
            if word in target:
                text.append(target[target.index(word) + 1])
        else:
            text.append(word)
    return text
