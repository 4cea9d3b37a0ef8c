# %% 8.1 wrong
# believes: once padding is set to zero it no longer matters in a mean
# named: rightly
# says: Padding is no longer added, but still counted:
def mean_of_text(x, visible):
    x = x.masked_fill(~visible[..., None], 0.0)
    return x.mean(1)

# %% 8.1 wrong
# believes: nanmean of a row of nothing is zero
# named: rightly
# says: A row without tokens comes out as NaN, 0 / 0.
def mean_of_text(x, visible):
    return x.masked_fill(~visible[..., None], torch.nan).nanmean(1)

# %% 8.2 wrong
# believes: a message joins the first group it fits; groups never have to be merged later
# named: rightly
# says: Some messages that hang together are in different groups here.
def kept_together(messages):
    groups = []
    for i, message in enumerate(messages):
        said = " ".join(message.text.lower().split())
        for group in groups:
            if any(
                messages[j].module == message.module
                or " ".join(messages[j].text.lower().split()) == said
                for j in group
            ):
                group.append(i)
                break
        else:
            groups.append([i])
    return groups

# %% 8.2 wrong
# believes: strip() takes care of all runs of white space
# named: rightly
# says: White space still counts in your texts:
def kept_together(messages):
    label = list(range(len(messages)))
    seen = {}
    for i, message in enumerate(messages):
        for key in (("module", message.module), ("text", message.text.strip().lower())):
            if key in seen:
                old, new = label[i], label[seen[key]]
                label = [new if x == old else x for x in label]
            else:
                seen[key] = i
    groups = {}
    for i, x in enumerate(label):
        groups.setdefault(x, []).append(i)
    return sorted(groups.values())

# %% 8.3 wrong
# believes: more labels never score worse, so the number of points below the goal says where it is
# named: in general
# says: Your function returns
def labels_needed(counts, scores, goal):
    if scores[0] >= goal:
        return float(counts[0])
    if scores.max() < goal:
        return math.inf
    i = int((scores < goal).sum())
    share = (goal - scores[i - 1]) / (scores[i] - scores[i - 1])
    low, high = math.log(counts[i - 1]), math.log(counts[i])
    return math.exp(low + float(share) * (high - low))

# %% 8.4 wrong
# believes: pretraining wins everywhere, but for the many labels of errors
# named: rightly
# says: 3 of 7 are as in the record.
def ahead_of_words():
    return ["encoder", "encoder", "encoder", "neither", "encoder", "encoder", "encoder"]

# %% 8.5 wrong
# believes: an I- goes on with the latest entity of its kind, even if an O stands between
# named: rightly
# says: An O ends an entity:
def find_entities(tags):
    found = []
    for i, tag in enumerate(tags):
        letter, _, kind = tag.partition("-")
        if letter == "I" and found and found[-1][0] == kind:
            found[-1] = (kind, found[-1][1], i + 1)
        elif letter != "O":
            found.append((kind, i, i + 1))
    return found

# %% 8.6 wrong
# believes: InfoNCE is symmetric as in CLIP: queries over texts and texts over queries, averaged
# named: rightly
# says: This is the mean of both directions.
def contrastive(queries, texts, passage, temperature):
    q, t = F.normalize(queries, dim=-1), F.normalize(texts, dim=-1)
    scores = q @ t.T / temperature
    copies = (passage[:, None] == passage) & ~torch.eye(len(q), dtype=torch.bool)
    scores = scores.masked_fill(copies, -torch.inf)
    own = torch.arange(len(q))
    return (F.cross_entropy(scores, own) + F.cross_entropy(scores.T, own)) / 2

# %% 8.7 wrong
# believes: the mean over all queries is the mean of the modules' means
# named: rightly
# says: Each module counts the same here:
def over_modules(first, second, module, drawn):
    gain = 1 / first - 1 / second
    by_module = torch.stack([gain[module == m].mean() for m in range(drawn.shape[1])])
    return torch.quantile(by_module[drawn].mean(1), torch.tensor([0.025, 0.975]))

# %% 8.8 wrong
# believes: take the n best spans, then drop those that overlap
# named: rightly
# says: The `n` best spans were taken first, and then those that overlap left out.
def answer_spans(start, end, context, longest, threshold, n):
    T = len(start)
    none = float(start[0] + end[0]) + threshold
    spans = [
        (float(start[i] + end[j]), i, j)
        for i in range(T)
        for j in range(i, min(i + longest, T))
        if context[i] and context[j]
    ]
    spans = sorted((s for s in spans if s[0] > none), reverse=True)[:n]
    chosen = []
    for _, i, j in spans:
        if all(j < a or i > b for a, b in chosen):
            chosen.append((i, j))
    return chosen

# %% 9.1 wrong
# believes: F.unfold gives the same patches
# named: rightly
# says: The patches are right, but within them one channel comes after the other.
def patchify(images, patch_size):
    columns = torch.nn.functional.unfold(images, patch_size, stride=patch_size)
    return columns.transpose(1, 2)

# %% 9.2 wrong
# believes: the mask is 0 for the first keep places and 1 after, that is all
# named: rightly
# says: Your mask is in shuffled order:
def shuffle(noise, ratio):
    B, L = noise.shape
    keep = max(1, int(L * (1 - ratio)))
    ids_shuffle = noise.argsort(dim=1)
    ids_restore = ids_shuffle.argsort(dim=1)
    mask = torch.ones(B, L)
    mask[:, :keep] = 0
    return ids_shuffle[:, :keep], mask, ids_restore

# %% 9.2 wrong
# believes: what is kept is L less the whole number that is removed
# named: rightly
# says: At some ratios one patch more stays than should:
def shuffle(noise, ratio):
    L = noise.shape[1]
    keep = max(1, L - int(L * ratio))
    ids_shuffle = noise.argsort(dim=1)
    ids_restore = ids_shuffle.argsort(dim=1)
    return ids_shuffle[:, :keep], (ids_restore >= keep).float(), ids_restore

# %% 9.3 wrong
# believes: ids_restore says where the kept vectors are to be written (scatter instead of gather)
# named: rightly
# says: The row is shuffled a second time.
def put_back(visible, ids_restore, mask_token):
    B, K, D = visible.shape
    L = ids_restore.shape[1]
    out = mask_token.expand(B, L, D).clone()
    return out.scatter(1, ids_restore[:, :K, None].expand(B, K, D), visible)

# %% 9.4 wrong
# believes: guess and truth must both be normalised before they are compared
# named: rightly
# says: The guess was normalised, too.
def normal(x):
    return (x - x.mean(-1, keepdim=True)) / (x.var(-1, keepdim=True) + 1e-6).sqrt()


def norm_pix_loss(predicted, patches, mask):
    squared = (normal(predicted) - normal(patches)).square().mean(-1)
    return (squared * mask).sum() / mask.sum()

# %% 9.5 wrong
# believes: the positions of L patches are the first L rows
# named: rightly
# says: Each patch got the position of the one before it.
def encode(mae, images, ratio, noise):
    x = mae.embed(package.patchify(images, mae.config.patch_size))
    x = x + mae.positions[: x.shape[1]]
    visible, mask, ids_restore = random_masking(x, ratio, noise)
    cls = mae.cls_token.expand(len(x), -1, -1)
    return mae.encoder(torch.cat([cls, visible], 1)), mask, ids_restore

# %% 9.6 wrong
# believes: nobody asks for [CLS], so it can be left out before the decoder
# named: rightly
# says: [CLS] was dropped before the decoder.
def loss_of_latent(mae, latent, mask, ids_restore, images):
    x = mae.to_decoder(latent)[:, 1:]
    x = package.put_back(x, ids_restore, mae.mask_token)
    x = mae.decoder(x + mae.decoder_positions[1:])
    target = package.patchify(images, mae.config.patch_size)
    return package.patch_loss(mae.to_pixels(x), target, mask)

# %% 9.7 wrong
# believes: setting a patch to 0 is always a change
# named: rightly
# says: Patches that are 0 already are missing:
def reaching(encode, images, patch_size):
    H, W = images.shape[-2:]
    patches = package.patchify(images, patch_size)
    before = encode(images)
    reached = torch.zeros(patches.shape[:2], dtype=torch.bool)
    for i in range(patches.shape[1]):
        changed = patches.clone()
        changed[:, i] = 0
        after = encode(package.unpatchify(changed, patch_size, H, W))
        reached[:, i] = (after != before).flatten(1).any(1)
    return reached

# %% 10.1 wrong
# believes: the places that sorting gives are the positions, behind the end of a row as well
# named: rightly
# says: The positions of padding point at hidden places.
def close_up(ids, visible):
    K = int(visible.sum(1).max())
    places = (~visible).int().argsort(dim=1, stable=True)[:, :K]
    real = visible.gather(1, places)
    return ids.gather(1, places).masked_fill(~real, 0), places, real

# %% 10.2 wrong
# believes: scatter can write all columns at once, padding goes nowhere
# named: rightly
# says: In rows with padding [CLS] is gone:
def rebuild(ids, positions, real, T):
    page = torch.full((len(ids), T), 4)
    page.scatter_(1, positions, ids)
    ends = positions.max(1, keepdim=True).values
    return page.masked_fill(torch.arange(T) > ends, 0)

# %% 10.3 wrong
# believes: vectors of padding have to be zeroed before they are put back
# named: rightly
# says: Places whose vector was padding's hold zeros (and their position).
def decoder_input(latent, real, ids_restore, mask_token, places):
    latent = latent * real[..., None]
    return put_back_at(latent, ids_restore, mask_token[None, None]) + places

# %% 10.4 wrong
# believes: the encoder's positions count the visible words 0, 1, 2, ...
# named: rightly
# says: The encoder's positions are counted anew.
def mae_loss(encoder, decoder, words, places, mask_token, ids, masked):
    kept = keep_visible(ids, masked)
    B, K = kept.ids.shape
    T = ids.shape[1]
    latent = encoder(words[kept.ids] + places[:K], kept.real[:, None, None, :])
    latent = torch.where(kept.real[..., None], latent, mask_token)
    x = put_back_at(latent, kept.ids_restore, mask_token[None, None]) + places[:T]
    x = decoder(x, torch.ones(B, 1, 1, T, dtype=torch.bool))
    return F.cross_entropy(x[masked] @ words.T, ids[masked])

# %% 10.5 wrong
# believes: the mean over gaps is the mean of the rows' entropies
# named: rightly
# says: This is a mean of the rows' means.
def lowest_loss(words, row):
    entropies = []
    for r in row.unique():
        _, counts = words[row == r].unique(return_counts=True)
        p = counts / counts.sum()
        entropies.append(-(p * p.log()).sum())
    return torch.stack(entropies).mean().item()

# %% 10.6 wrong
# believes: the encoder's work falls in proportion to the places that are left
# named: rightly
# says: The encoder's work is not proportional to what it reads:
def share_that_pays(T, encoder, decoder, budget):
    (blocks, D), (more, d) = encoder, decoder
    full = blocks * (12 * T * D**2 + 2 * T**2 * D)
    extra = more * (12 * T * d**2 + 2 * T**2 * d)
    left = budget - extra / full
    if left >= 1:
        return 0.0
    if left < 0:
        return float("inf")
    return 1 - left

# %% 10.7 wrong
# believes: the index at which the share is reached is the number of directions
# named: rightly
# says: One too few:
def effective_rank(x, share):
    squares = torch.linalg.svdvals(x).square()
    reached = squares.cumsum(0) / squares.sum() >= share
    return int(reached.int().argmax())

# %% 10.8 wrong
# believes: the own place goes last, for every query
# named: rightly
# says: Place 0 does not see itself.
def decoder_sees(noise, text, ratio):
    sees = (noise >= ratio) & text[:, None, :]
    sees[:, :, 0] = True
    return sees & ~torch.eye(noise.shape[-1], dtype=torch.bool)

# %% 11.1 wrong
# believes: an answer's word has the probability of the answer at every place
# named: rightly
# says: This sums `p ** L`:
def chance_of_right(p, answers):
    return (p ** answers.shape[1]).sum().item()

# %% 11.2 wrong
# believes: rank all noise of the row and leave padding out afterwards
# named: rightly
# says: Rows with padding hide too few words:
def hide_for_training(target, share, noise):
    real = target != 0
    n = 1 + (share * real.sum(1)).floor()
    ranks = noise.argsort(1).argsort(1)
    return (ranks < n[:, None]) & real

# %% 11.3 wrong
# believes: the model sees by itself which places are asked; the page goes in as it is
# named: rightly
# says: The model was shown the words it is to replace.
def fill(predict, tokens, confidence, masked):
    p, words = predict(tokens).softmax(-1).max(-1)
    return torch.where(masked, words, tokens), torch.where(masked, p, confidence)

# %% 11.4 wrong
# believes: each step hides the share 1 - t / T of what the step before hid
# named: rightly
# says: The share is taken of what the step before hid.
def fill(predict, tokens, confidence, masked):
    p, words = predict(tokens.masked_fill(masked, 4)).softmax(-1).max(-1)
    return torch.where(masked, words, tokens), torch.where(masked, p, confidence)


def mask_predict(predict, real, steps):
    tokens = torch.zeros(real.shape, dtype=torch.long)
    confidence = torch.ones(real.shape)
    masked, n = real, real.sum(1)
    for t in range(steps):
        if t > 0:
            n = (n * (steps - t) // steps).clamp(min=1)
            masked = lowest(confidence, n)
        tokens, confidence = fill(predict, tokens, confidence, masked)
    return tokens, confidence

# %% 11.5 wrong
# believes: what step t hides is judged by the confidences in row t
# named: rightly
# says: The choice is held against the confidences after the same step.
def first_faults(runs):
    faults = []
    for tokens, confidence, masked in runs:
        T, N = tokens.shape
        fault = (-1, "none")
        for t in range(T):
            n = N if t == 0 else max(1, N * (T - t) // T)
            if int(masked[t].sum()) != n:
                fault = (t, "count")
            elif t == 0:
                continue
            elif confidence[t][masked[t]].max() > confidence[t][~masked[t]].min():
                fault = (t, "choice")
            elif (tokens[t] != tokens[t - 1])[~masked[t]].any():
                fault = (t, "word")
            elif (confidence[t] != confidence[t - 1])[~masked[t]].any():
                fault = (t, "confidence")
            if fault[0] >= 0:
                break
        faults.append(fault)
    return faults

# %% 11.6 wrong
# believes: three answers of which each word stands in two will do
# named: rightly
# says: One step writes the 2/3, cat 2/3, ran 2/3.
def two_steps_needed():
    return ["the cat sat", "the dog ran", "a cat ran"]

# %% 11.7 wrong
# believes: of the orders, forwards and backwards are the ones there are
# named: rightly
# says: Only the given order and its reverse count here
def which_are_right(parts, written):
    one = {" ; ".join(chosen) for chosen in product(*parts)}
    other = {" ; ".join(reversed(chosen)) for chosen in product(*parts)}
    return [text in one | other for text in written]

# %% 11.8 wrong
# believes: behind its end a page has log 1 = 0, so the mean over the row is the words' mean
# named: rightly
# says: The mean runs over the width of the page, where 1 stands behind a candidate's end.
def length_beam(write, scores, n):
    B = len(scores)
    scores = scores.clone()
    scores[:, 0] = -torch.inf
    lengths = scores.topk(n, dim=1).indices
    rows = torch.arange(B).repeat_interleave(n)
    real = torch.arange(int(lengths.max())) < lengths.reshape(-1, 1)
    tokens, confidence = write(rows, real)
    means = confidence.log().mean(1).view(B, n)
    best = means.argmax(1)
    own = torch.arange(B)
    return tokens.view(B, n, -1)[own, best], means[own, best]

# %% 11.2 wrong
# believes: "from 1 to L" means: at least 1
# named: rightly
# says: not the product but at least 1
def hide_for_training(target, share, noise):
    real = target != 0
    n = (share * real.sum(1)).long().clamp(min=1)
    rank = noise.masked_fill(~real, 9.0).argsort(1).argsort(1)
    return rank < n[:, None]

# %% 11.4 wrong
# believes: the formula of the text can be written down as it stands
# named: rightly
# says: in floats is just below what it should be
def mask_predict(predict, real, steps):
    tokens, confidence = fill(predict, torch.where(real, 4, 0), torch.ones(real.shape), real)
    for t in range(1, steps):
        n = torch.tensor([max(1, int(N * (1 - t / steps))) for N in real.sum(1).tolist()])
        tokens, confidence = fill(predict, tokens, confidence, lowest(confidence, n))
    return tokens, confidence

# %% 11.5 wrong
# believes: the list of rules decides first, the step afterwards
# named: rightly
# says: only within a step the list decides
def first_faults(runs):
    faults = []
    for tokens, confidence, masked in runs:
        T, N = tokens.shape
        broken = {"count": [], "choice": [], "word": [], "confidence": []}
        for t in range(T):
            n, stays = max(N * (T - t) // T, 1), ~masked[t]
            if int(masked[t].sum()) != n:
                broken["count"].append(t)
            if t == 0:
                continue
            if set(masked[t].nonzero()[:, 0].tolist()) != set(confidence[t - 1].argsort()[:n].tolist()):
                broken["choice"].append(t)
            if (tokens[t] != tokens[t - 1])[stays].any():
                broken["word"].append(t)
            if (confidence[t] != confidence[t - 1])[stays].any():
                broken["confidence"].append(t)
        faults.append(next(((at[0], rule) for rule, at in broken.items() if at), (-1, "none")))
    return faults

# %% 11.7 wrong
# believes: where each part can be taken out and two signs are left, the text is right
# named: in general
# says: Your function returns True; expected is False
def which_are_right(parts, written):
    verdicts = []
    for text in written:
        for ways in parts:
            for way in sorted(ways, key=len, reverse=True):
                if way in text:
                    text = text.replace(way, "", 1)
                    break
        verdicts.append(text == " ;  ; ")
    return verdicts

# %% 11.8 wrong
# believes: a page has as many places as there can be words
# named: in general
# says: expected is an int64 tensor of shape
def length_beam(write, scores, n):
    B, M = len(scores), scores.shape[1] - 1
    lengths = scores[:, 1:].topk(n).indices + 1
    real = torch.arange(M) < lengths.reshape(-1, 1)
    tokens, confidence = write(torch.arange(B).repeat_interleave(n), real)
    means = (confidence.log().sum(1) / real.sum(1)).view(B, n)
    best = means.argmax(1)
    return tokens.view(B, n, M)[torch.arange(B), best], means.amax(1)

# %% 12.1 wrong
# believes: picking and summing already gives the conditional probability
# named: rightly
# says: The proportions are right, but they do not sum to 1.
def guess(joint, text, masked, place):
    for axis in reversed(range(joint.dim())):
        if axis != place:
            joint = joint.sum(axis) if masked[axis] else joint.select(axis, int(text[axis]))
    return joint

# %% 12.2 wrong
# believes: N times the mean, divided by the chance
# named: rightly
# says: N times too large:
def fair_draw(surprise, masked, chance):
    n = masked.sum(1)
    N = (chance > 0).sum(1)
    mean = surprise.masked_fill(~masked, 0.0).sum(1) / n
    return N * mean / chance.gather(1, n[:, None] - 1)[:, 0]

# %% 12.3 wrong
# believes: the loss is the mean over the batch's hidden words
# named: rightly
# says: This is the mean surprise of the batch's hidden words.
def train_for_bound(new_model, ids, share, noise, lr):
    model = new_model()
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    losses = []
    for batch, part, chaos in zip(ids, share, noise):
        is_word = batch > 4
        n = 1 + (part * is_word.sum(1)).floor()
        ranks = chaos.masked_fill(~is_word, torch.inf).argsort(1).argsort(1)
        masked = (ranks < n[:, None]) & is_word
        logits = model(batch.masked_fill(masked, 4))
        loss = F.cross_entropy(logits[masked], batch[masked])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses

# %% 12.3 wrong
# believes: backward() begins with fresh gradients each time (zero_grad forgotten)
# named: rightly
# says: The gradients of earlier steps are still there and are added to.
def train_for_bound(new_model, ids, share, noise, lr):
    model = new_model()
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    losses = []
    for batch, part, chaos in zip(ids, share, noise):
        is_word = batch > 4
        N = is_word.sum(1)
        n = 1 + (part * N).floor()
        ranks = chaos.masked_fill(~is_word, torch.inf).argsort(1).argsort(1)
        masked = (ranks < n[:, None]) & is_word
        logits = model(batch.masked_fill(masked, 4))
        surprise = F.cross_entropy(logits.transpose(1, 2), batch, reduction="none")
        draws = N * (surprise * masked).sum(1) / masked.sum(1).clamp(min=1)
        loss = draws.sum() / N.sum()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses

# %% 12.4 wrong
# believes: by chance a word is masked again with probability `after`
# named: rightly
# says: With "chance" each place stays masked with probability `after`.
def one_step(predict, canvas, gaps, before, after, order, noise):
    masked = canvas == 4
    logits = predict(canvas).clone()
    logits[..., 4] = -torch.inf
    p, words = logits.softmax(-1).max(-1)
    filled = torch.where(masked, words, canvas)
    if order == "chance":
        again = masked & (noise < after)
    else:
        n = (after * gaps.sum(1)).floor()
        key = (p if order == "confidence" else noise).masked_fill(~masked, torch.inf)
        again = masked & (key.argsort(1).argsort(1) < n[:, None])
    return filled.masked_fill(again, 4)

# %% 12.5 wrong
# believes: each place is drawn by itself, so the text's chance is the product of the marginals
# named: rightly
# says: This is what comes of drawing *all* places from the blank line.
def written_by(joint, groups):
    N = joint.dim()
    out = torch.ones_like(joint)
    for group in groups:
        for place in group:
            others = [axis for axis in range(N) if axis != place]
            out = out * joint.sum(others, keepdim=True)
    return out

# %% 12.6 wrong
# believes: by confidence, no masked word is ever surer than any word that stays, kept ones too
# named: rightly
# says: Runs in which the least confident were masked again are called random where kept words sta
def which_sampler(confidence, masked):
    S, B, N = masked.shape
    again = bool((masked[1:] & ~masked[:-1]).any())
    linear = [N * (S - s) // S for s in range(S)]
    schedule = "linear" if masked[:, 0].sum(1).tolist() == linear else "cosine"
    order = "confidence"
    for s in range(S - 1):
        for b in range(B):
            hidden = confidence[s, b][masked[s + 1, b]]
            stays = confidence[s, b][~masked[s + 1, b]]
            if len(hidden) and len(stays) and hidden.max() > stays.min():
                order = "random"
    return order, schedule, again

# %% 13.1 wrong
# believes: attention's 12 T D are for a row, not for each of its tokens
# named: rightly
# says: Attention goes with rows * length * length:
def step_flops(D, n_layers, d_ff, V, rows, length, masked):
    tokens = rows * length
    blocks = 6 * tokens * n_layers * (4 * D * D + 2 * D * d_ff)
    attention = 12 * length * D * n_layers * rows
    head = 6 * masked * (D * D + D * V)
    return blocks + attention + head

# %% 13.2 wrong
# believes: all arithmetic can hide behind all memory traffic, whichever piece it is in
# named: rightly
# says: You took the larger one of two totals.
def time_floor(work, flops_a_second, bytes_a_second):
    flops = sum(f for f, _ in work)
    moved = sum(b for _, b in work)
    return max(flops / flops_a_second, moved / bytes_a_second)

# %% 13.3 wrong
# believes: any step behaves like 1, only larger
# named: rightly
# says: Right where the step is a power of two.
def stops_at(step, digits):
    return step * 2 ** (digits + 1)

# %% 13.4 wrong
# believes: a [SEP] begins the next text
# named: rightly
# says: Each [SEP] is counted with the text behind it.
def texts_and_places(ids):
    numbers = (ids == 3).cumsum(1)
    where = torch.arange(ids.shape[1]).expand_as(ids)
    begins = where.masked_fill(ids != 3, 0).cummax(1).values
    return numbers, where - begins

# %% 13.5 wrong
# believes: int() is good enough for a product that is an integer
# named: rightly
# says: One weight too many stays where `sparsity` times the number of weights comes out a little 
def largest_stay(weight, sparsity):
    goes = int(sparsity * weight.numel())
    order = weight.abs().flatten().argsort()
    stay = torch.ones(weight.numel(), dtype=torch.bool)
    stay[order[:goes]] = False
    return stay.view_as(weight)

# %% 13.6 wrong
# believes: to(uint8) rounds
# named: rightly
# says: The digits behind the point are cut off instead of rounded:
def pack_four_bits(weight, group):
    groups = weight.unflatten(1, (-1, group))
    scale = groups.abs().amax(-1, keepdim=True) / 7
    scale = torch.where(scale == 0, torch.ones_like(scale), scale)
    low, high = (groups / scale + 8).to(torch.uint8).chunk(2, dim=-1)
    return (low + 16 * high).flatten(1), scale[..., 0]

# %% 13.7 wrong
# believes: kl_div's reduction="mean" is the mean over the places
# named: rightly
# says: The softened part was divided by the size of the vocabulary as well:
def distillation_loss(student, teacher, target, temperature, share):
    p = (teacher.detach() / temperature).softmax(-1)
    log_q = (student / temperature).log_softmax(-1)
    soft = F.kl_div(log_q, p, reduction="mean") * temperature**2
    return share * soft + (1 - share) * F.cross_entropy(student, target)

# %% 13.8 wrong
# believes: dividing by the count of all is enough, averaging included
# named: rightly
# says: The right count, but the gradients will be averaged over the processes, and the result is 
def losses_to_send(sums, counts):
    return sums.sum(1) / counts.sum()

# %% 8.2 right
# unusual: reachability by repeated products of a matrix of ties
def kept_together(messages):
    if not messages:
        return []
    keys = [(m.module, " ".join(m.text.lower().split())) for m in messages]
    reach = torch.tensor([[float(a[0] == b[0] or a[1] == b[1]) for b in keys] for a in keys])
    while not torch.equal(reach, further := (reach @ reach > 0).float()):
        reach = further
    return [
        row.nonzero()[:, 0].tolist() for i, row in enumerate(reach) if int(row.argmax()) == i
    ]

# %% 8.6 right
# unusual: a loop over queries, only the texts that count, logsumexp by hand
def contrastive(queries, texts, passage, temperature):
    losses = []
    for i, query in enumerate(queries):
        seen = [j for j in range(len(texts)) if j == i or passage[j] != passage[i]]
        cosines = F.cosine_similarity(query[None], texts[seen], dim=-1) / temperature
        losses.append(cosines.logsumexp(0) - cosines[seen.index(i)])
    return torch.stack(losses).mean()

# %% 9.1 right
# unusual: slices in two loops
def patchify(images, patch_size):
    B, C, H, W = images.shape
    pieces = []
    for top in range(0, H, patch_size):
        for left in range(0, W, patch_size):
            piece = images[:, :, top : top + patch_size, left : left + patch_size]
            pieces.append(piece.movedim(1, -1).flatten(1))
    return torch.stack(pieces, dim=1)

# %% 9.3 right
# unusual: one-hot rows and einsum, the mask token as one more vector
def put_back(visible, ids_restore, mask_token):
    B, K, D = visible.shape
    choices = torch.cat([visible, mask_token.expand(B, 1, D)], 1)
    picks = torch.nn.functional.one_hot(ids_restore.clamp(max=K), K + 1).to(visible.dtype)
    return torch.einsum("blk,bkd->bld", picks, choices)

# %% 10.1 right
# unusual: nonzero of each row and pad_sequence
def close_up(ids, visible):
    from torch.nn.utils.rnn import pad_sequence

    where = [row.nonzero()[:, 0] for row in visible]
    return (
        pad_sequence([row[w] for row, w in zip(ids, where)], batch_first=True),
        pad_sequence(where, batch_first=True),
        pad_sequence([torch.ones_like(w, dtype=torch.bool) for w in where], batch_first=True),
    )

# %% 10.5 right
# unusual: Counters and Python floats
def lowest_loss(words, row):
    import math
    from collections import Counter

    pairs = list(zip(row.tolist(), words.tolist()))
    of_row, of_pair = Counter(r for r, _ in pairs), Counter(pairs)
    return sum(math.log(of_row[r] / of_pair[r, w]) for r, w in pairs) / len(pairs)

# %% 10.6 right
# unusual: bisection instead of the formula for a quadratic equation
def share_that_pays(T, encoder, decoder, budget):
    def block(n, D):
        return 12 * n * D**2 + 2 * n**2 * D

    def cost(share):
        ours = encoder[0] * block((1 - share) * T, encoder[1]) + decoder[0] * block(T, decoder[1])
        return ours / (encoder[0] * block(T, encoder[1]))

    if cost(0.0) <= budget:
        return 0.0
    if cost(1.0) > budget:
        return float("inf")
    low, high = 0.0, 1.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (low, middle) if cost(middle) <= budget else (middle, high)
    return high

# %% 11.1 right
# unusual: plain Python loops over lists
def chance_of_right(p, answers):
    p, answers = p.tolist(), answers.tolist()
    total = 0.0
    for answer in answers:
        product = 1.0
        for place, word in enumerate(answer):
            product *= sum(q for q, other in zip(p, answers) if other[place] == word)
        total += product
    return total

# %% 11.7 right
# unusual: a generator of texts, read anew for each one that was written
def which_are_right(parts, written):
    def texts():
        for chosen in product(*parts):
            yield from map(" ; ".join, permutations(chosen))

    return [any(text == right for right in texts()) for text in written]

# %% 12.1 right
# unusual: every text that agrees with what is visible, one by one
def guess(joint, text, masked, place):
    import itertools

    V = joint.shape[0]
    open_to = [range(V) if m else [w] for w, m in zip(text.tolist(), masked.tolist())]
    weights = [0.0] * V
    for whole in itertools.product(*open_to):
        weights[whole[place]] += joint[whole].item()
    total = sum(weights)
    return torch.tensor([w / total for w in weights], dtype=joint.dtype)

# %% 12.5 right
# unusual: recursion over the groups, text by text
def chance_at(joint, text, known):
    where = tuple(w if i in known else slice(None) for i, w in enumerate(text))
    return joint[where].sum().item()


def chance_written(joint, text, known, groups):
    if not groups:
        return 1.0
    first, *rest = groups
    here = 1.0
    for i in first:
        here *= chance_at(joint, text, known | {i}) / chance_at(joint, text, known)
    return here * chance_written(joint, text, known | set(first), rest)


def written_by(joint, groups):
    import itertools

    texts = itertools.product(range(joint.shape[0]), repeat=joint.dim())
    values = [chance_written(joint, text, frozenset(), groups) for text in texts]
    return torch.tensor(values, dtype=joint.dtype).view(joint.shape)

# %% 13.3 right
# unusual: walks over the powers of two until half a gap is no less than the step
def stops_at(step, digits):
    power = 1
    while power / 2**digits / 2 < step:
        power *= 2
    return power

# %% 13.4 right
# unusual: counting in Python, token by token
def texts_and_places(ids):
    numbers, places = torch.zeros_like(ids), torch.zeros_like(ids)
    for b, row in enumerate(ids.tolist()):
        number = place = 0
        for t, token in enumerate(row):
            numbers[b, t], places[b, t] = number, place
            number, place = (number + 1, 0) if token == 3 else (number, place + 1)
    return numbers, places

# %% 13.7 right
# unusual: the divergence written out, in double precision, the truth by gather
def distillation_loss(student, teacher, target, temperature, share):
    student, teacher = student.double(), teacher.detach().double()
    log_p = (teacher / temperature).log_softmax(-1)
    log_q = (student / temperature).log_softmax(-1)
    soft = (log_p.exp() * (log_p - log_q)).sum(-1).mean()
    hard = (student.logsumexp(-1) - student.gather(1, target[:, None])[:, 0]).mean()
    return share * temperature**2 * soft + (1 - share) * hard
