# %% 10.1 right
# unusual: another way
import torch

def closed_up_row_by_row(ids, visible):
    K = int(visible.sum(1).max())
    kinds = torch.long, torch.long, torch.bool
    closed_up = [torch.zeros(len(ids), K, dtype=kind) for kind in kinds]
    for b, row in enumerate(visible):
        places = row.nonzero()[:, 0]
        for into, what in zip(closed_up, (ids[b, places], places, True), strict=True):
            into[b, : len(places)] = what
    return tuple(closed_up)

# %% 10.1 right
# unusual: row by row with nonzero, then pad_sequence
def close_up(ids: Tensor, visible: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    where = [row.nonzero().flatten() for row in visible]

    def pad(rows):
        return nn.utils.rnn.pad_sequence(rows, batch_first=True)

    short = pad([row[places] for row, places in zip(ids, where)])
    return short, pad(where), pad([torch.ones_like(places) for places in where]) == 1

# %% 10.1 wrong
# believes: gathering is all; what stands behind the visible tokens need not be cleared
# says: `real` is right. Behind a short row's end both ids and positions must be 0
def close_up(ids: Tensor, visible: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    counts = visible.sum(1)
    K = int(counts.max())
    places = (~visible).int().argsort(dim=1, stable=True)[:, :K]
    real = torch.arange(K) < counts[:, None]
    return ids.gather(1, places), places, real

# %% 10.1 wrong
# believes: the positions of the closed-up row count from 0
# says: The positions are counted anew
def close_up(ids: Tensor, visible: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    counts = visible.sum(1, keepdim=True)
    K = int(counts.max())
    order = (~visible).int().argsort(dim=1, stable=True)[:, :K]
    real = torch.arange(K) < counts
    short = ids.gather(1, order).masked_fill(~real, 0)
    positions = torch.arange(K).expand_as(short).masked_fill(~real, 0)
    return short, positions, real

# %% 10.1 wrong
# believes: every argsort leaves equal entries in their order
# says: Equal entries keep their order only in a stable sort
def close_up(ids: Tensor, visible: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    K = int(visible.sum(1).max())
    order = (~visible).int().argsort(1)[:, :K]
    real = visible.gather(1, order)
    return ids.gather(1, order).where(real, 0), order.where(real, 0), real

# %% 10.1 wrong
# believes: one shape fits all rows
# says: K is the smallest number of visible tokens
def close_up(ids: Tensor, visible: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    K = int(visible.sum(1).min())
    order = (~visible).int().argsort(dim=1, stable=True)[:, :K]
    real = visible.gather(1, order)
    return ids.gather(1, order), order, real

# %% 10.1 wrong
# believes: positions come before ids
# says: The results are right, but in another order
def close_up(ids: Tensor, visible: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    order = (~visible).int().argsort(dim=1, stable=True)[:, : int(visible.sum(1).max())]
    real = visible.gather(1, order)
    return order * real, ids.gather(1, order) * real, real

# %% 10.2 right
# unusual: row by row, in plain Python lists
def rebuild(ids: Tensor, positions: Tensor, real: Tensor, T: int) -> Tensor:
    rows = []
    for tokens, places, there in zip(ids.tolist(), positions.tolist(), real.tolist()):
        known = {place: token for token, place, is_real in zip(tokens, places, there) if is_real}
        end = max(known)
        rows.append([known.get(t, 4) if t <= end else 0 for t in range(T)])
    return torch.tensor(rows)

# %% 10.2 right
# unusual: a place of its own for padding, which is cut off
def rebuild(ids: Tensor, positions: Tensor, real: Tensor, T: int) -> Tensor:
    page = torch.full((len(ids), T + 1), 4)
    page.scatter_(1, positions.where(real, T), ids)
    behind = torch.arange(T + 1) > positions.max(1, keepdim=True).values
    return torch.where(behind, 0, page)[:, :T]

# %% 10.2 wrong
# believes: padding does no harm, it is 0 anyway
# says: In rows with padding [CLS] is gone
def rebuild(ids: Tensor, positions: Tensor, real: Tensor, T: int) -> Tensor:
    page = torch.full((len(ids), T), 4).scatter(1, positions, ids)
    end = positions.amax(1, keepdim=True)
    return page.masked_fill(torch.arange(T) > end, 0)

# %% 10.2 wrong
# believes: whatever was not visible is [MASK]
# says: Behind [SEP] stands [MASK]
def rebuild(ids: Tensor, positions: Tensor, real: Tensor, T: int) -> Tensor:
    page = torch.full((len(ids), T), 4)
    for b in range(len(ids)):
        page[b, positions[b, real[b]]] = ids[b, real[b]]
    return page

# %% 10.2 wrong
# believes: an empty page is 0
# says: A gap inside the row is a [MASK]
def rebuild(ids: Tensor, positions: Tensor, real: Tensor, T: int) -> Tensor:
    page = torch.zeros(len(ids), T, dtype=torch.long)
    for b in range(len(ids)):
        page[b, positions[b, real[b]]] = ids[b, real[b]]
    return page

# %% 10.2 wrong
# believes: the row ends with its last visible token, which is number K
# says: in the middle of the row
def rebuild(ids: Tensor, positions: Tensor, real: Tensor, T: int) -> Tensor:
    page = torch.full((len(ids), T), 4)
    for b in range(len(ids)):
        page[b, positions[b, real[b]]] = ids[b, real[b]]
    return page.where(torch.arange(T) < real.sum(1, keepdim=True), 0)

# %% 10.2 wrong
# believes: scatter takes the values first
# says: is out of bounds
def rebuild(ids: Tensor, positions: Tensor, real: Tensor, T: int) -> Tensor:
    page = torch.full((len(ids), T), 4)
    return page.scatter(1, ids, positions)

# %% 10.3 right
# unusual: another way
import torch

def decoder_input_by_lookup(latent, real, ids_restore, mask_token, places):
    from_encoder = ids_restore < real.sum(1, keepdim=True)
    at = ids_restore.clamp(max=latent.shape[1] - 1)
    x = latent[torch.arange(len(latent))[:, None], at]
    return places + torch.where(from_encoder.unsqueeze(-1), x, mask_token)

# %% 10.3 right
# unusual: multiplication instead of where, and cat and gather by hand
def decoder_input(
    latent: Tensor, real: Tensor, ids_restore: Tensor, mask_token: Tensor, places: Tensor
) -> Tensor:
    B, K, D = latent.shape
    is_real = real[..., None].to(latent.dtype)
    x = latent * is_real + mask_token * (1 - is_real)
    gaps = mask_token.repeat(B, ids_restore.shape[1] - K, 1)
    return torch.cat([x, gaps], 1)[torch.arange(B)[:, None], ids_restore] + places

# %% 10.3 wrong
# believes: vectors of padding become zero, not the mask token
# says: Places whose vector was padding's hold zeros
def decoder_input(
    latent: Tensor, real: Tensor, ids_restore: Tensor, mask_token: Tensor, places: Tensor
) -> Tensor:
    latent = latent * real[..., None]
    return put_back_at(latent, ids_restore, mask_token[None, None]) + places

# %% 10.3 wrong
# believes: only the gaps need a position, the encoder's vectors have theirs already
# says: Only the gaps got their place
def decoder_input(
    latent: Tensor, real: Tensor, ids_restore: Tensor, mask_token: Tensor, places: Tensor
) -> Tensor:
    B, K, D = latent.shape
    T = ids_restore.shape[1]
    vectors = torch.where(real[..., None], latent, mask_token)
    full = torch.cat([vectors, mask_token.expand(B, T - K, D)], dim=1)
    index = ids_restore[..., None].expand(-1, -1, D)
    is_gap = torch.cat([~real, torch.ones(B, T - K, dtype=torch.bool)], 1).gather(1, ids_restore)
    return full.gather(1, index) + places * is_gap[..., None]

# %% 10.3 wrong
# believes: where takes what is replaced first
# says: Exchanged: the visible tokens' vectors were replaced by the mask token
def decoder_input(
    latent: Tensor, real: Tensor, ids_restore: Tensor, mask_token: Tensor, places: Tensor
) -> Tensor:
    x = torch.where(real[..., None], mask_token, latent)
    return put_back_at(x, ids_restore, mask_token[None, None]) + places

# %% 10.3 wrong
# believes: put_back knows what is padding
# says: vectors of padding landed at hidden places
def decoder_input(
    latent: Tensor, real: Tensor, ids_restore: Tensor, mask_token: Tensor, places: Tensor
) -> Tensor:
    return put_back_at(latent, ids_restore, mask_token[None, None]) + places

# %% 10.3 wrong
# believes: positions belong to vectors before they travel
# says: The places were added before the vectors went home
def decoder_input(
    latent: Tensor, real: Tensor, ids_restore: Tensor, mask_token: Tensor, places: Tensor
) -> Tensor:
    x = torch.where(real[..., None], latent, mask_token) + places[: latent.shape[1]]
    return put_back_at(x, ids_restore, mask_token[None, None])

# %% 10.3 wrong
# believes: ids_restore says where to write
# says: The vectors went the other way
def decoder_input(
    latent: Tensor, real: Tensor, ids_restore: Tensor, mask_token: Tensor, places: Tensor
) -> Tensor:
    B, K, D = latent.shape
    x = torch.where(real[..., None], latent, mask_token)
    x = torch.cat([x, mask_token.expand(B, ids_restore.shape[1] - K, D)], 1)
    return torch.zeros_like(x).scatter(1, ids_restore[..., None].expand_as(x), x) + places

# %% 10.4 right
# unusual: row by row, no padding at all, log-probabilities by hand
def mae_loss(encoder, decoder, words, places, mask_token, ids, masked):
    losses = []
    for row, gone in zip(ids, masked):
        at = (~gone).nonzero()[:, 0]
        latent = encoder((words[row[at]] + places[at])[None], None)[0]
        x = mask_token.expand(len(row), -1).index_copy(0, at, latent) + places
        log_p = (decoder(x[None], None)[0, gone] @ words.mT).log_softmax(-1)
        losses.append(-log_p[torch.arange(len(log_p)), row[gone]])
    return torch.cat(losses).mean()

# %% 10.4 right
# unusual: embeds all places first, then keeps; ignore_index chooses the masked ones
def mae_loss(encoder, decoder, words, places, mask_token, ids, masked):
    B, T = ids.shape
    kept = keep_visible(ids, masked)
    embedded = F.embedding(ids, words) + places
    x = embedded.gather(1, kept.positions[..., None].expand(-1, -1, words.shape[1]))
    latent = encoder(x, kept.real.view(B, 1, 1, -1))
    from_encoder = kept.ids_restore < (~masked).sum(1, keepdim=True)
    at = kept.ids_restore.clamp(max=latent.shape[1] - 1)
    x = torch.where(from_encoder[..., None], latent[torch.arange(B)[:, None], at], mask_token)
    scores = decoder(x + places, None) @ words.T
    return F.cross_entropy(scores.flatten(0, 1), ids.where(masked, -100).flatten())

# %% 10.4 wrong
# believes: an autoencoder restores its whole input, so all places count
# says: This is the loss over all places
def mae_loss(encoder, decoder, words, places, mask_token, ids, masked):
    kept = keep_visible(ids, masked)
    latent = encoder(words[kept.ids] + places[kept.positions], kept.real[:, None, None])
    x = torch.where(kept.real[..., None], latent, mask_token)
    x = decoder(put_back_at(x, kept.ids_restore, mask_token[None, None]) + places, None)
    return F.cross_entropy((x @ words.T).flatten(0, 1), ids.flatten())

# %% 10.4 wrong
# believes: the encoder finds out where its words stood
# says: The encoder's positions are counted anew
def mae_loss(encoder, decoder, words, places, mask_token, ids, masked):
    kept = keep_visible(ids, masked)
    x = words[kept.ids] + places[torch.arange(kept.ids.shape[1])]
    latent = encoder(x, kept.real[:, None, None])
    x = torch.where(kept.real[..., None], latent, mask_token)
    x = decoder(put_back_at(x, kept.ids_restore, mask_token[None, None]) + places, None)
    return F.cross_entropy(x[masked] @ words.T, ids[masked])

# %% 10.4 wrong
# believes: cross-entropy takes probabilities
# says: Softmax was applied before F.cross_entropy
def mae_loss(encoder, decoder, words, places, mask_token, ids, masked):
    kept = keep_visible(ids, masked)
    latent = encoder(words[kept.ids] + places[kept.positions], kept.real[:, None, None])
    x = torch.where(kept.real[..., None], latent, mask_token)
    x = decoder(put_back_at(x, kept.ids_restore, mask_token[None, None]) + places, None)
    return F.cross_entropy((x[masked] @ words.T).softmax(1), ids[masked])

# %% 10.4 wrong
# believes: the encoder's vectors need no gradient, the decoder learns
# says: The loss is right, but
# says: gradient
def mae_loss(encoder, decoder, words, places, mask_token, ids, masked):
    kept = keep_visible(ids, masked)
    with torch.no_grad():
        latent = encoder(words[kept.ids] + places[kept.positions], kept.real[:, None, None])
    x = torch.where(kept.real[..., None], latent, mask_token)
    x = decoder(put_back_at(x, kept.ids_restore, mask_token[None, None]) + places, None)
    return F.cross_entropy(x[masked] @ words.T, ids[masked])

# %% 10.4 wrong
# believes: a loss is a number
# says: no gradient flows to `words` and `places` and `mask_token`
def mae_loss(encoder, decoder, words, places, mask_token, ids, masked):
    kept = keep_visible(ids, masked)
    latent = encoder(words[kept.ids] + places[kept.positions], kept.real[:, None, None])
    x = torch.where(kept.real[..., None], latent, mask_token)
    x = decoder(put_back_at(x, kept.ids_restore, mask_token[None, None]) + places, None)
    return F.cross_entropy(x[masked] @ words.T, ids[masked]).item()

# %% 10.4 wrong
# believes: what padding turns into is nobody's business
# says: the vectors of padding landed in gaps
def mae_loss(encoder, decoder, words, places, mask_token, ids, masked):
    kept = keep_visible(ids, masked)
    latent = encoder(words[kept.ids] + places[kept.positions], kept.real[:, None, None])
    x = put_back_at(latent, kept.ids_restore, mask_token[None, None]) + places
    return F.cross_entropy(decoder(x, None)[masked] @ words.T, ids[masked])

# %% 10.4 wrong
# believes: kept.real is a mask as it is
# says: attention_mask
def mae_loss(encoder, decoder, words, places, mask_token, ids, masked):
    kept = keep_visible(ids, masked)
    latent = encoder(words[kept.ids] + places[kept.positions], kept.real)
    x = torch.where(kept.real[..., None], latent, mask_token)
    x = decoder(put_back_at(x, kept.ids_restore, mask_token[None, None]) + places, None)
    return F.cross_entropy(x[masked] @ words.T, ids[masked])

# %% 10.4 wrong
# believes: hidden words are replaced by 0
# says: So far it is right
# says: what the encoder makes of them
def mae_loss(encoder, decoder, words, places, mask_token, ids, masked):
    kept = keep_visible(ids, masked)
    x = words[kept.ids] + places[kept.positions]
    vectors = encoder(x * kept.real[..., None], None)
    vectors = torch.where(kept.real[..., None], vectors, mask_token)
    x = decoder(put_back_at(vectors, kept.ids_restore, mask_token[None, None]) + places, None)
    return F.cross_entropy(x[masked] @ words.T, ids[masked])

# %% 10.5 right
# unusual: -log p of each gap, from dictionaries
import math
from collections import Counter

def lowest_loss(words: Tensor, row: Tensor) -> float:
    pairs = list(zip(row.tolist(), words.tolist()))
    of_word, of_row = Counter(pairs), Counter(row.tolist())
    return sum(math.log(of_row[pair[0]] / of_word[pair]) for pair in pairs) / len(pairs)

# %% 10.5 right
# unusual: every gap compared with every gap
def lowest_loss(words: Tensor, row: Tensor) -> float:
    together = row[:, None] == row
    same = together & (words[:, None] == words)
    return (together.sum(1).double().log() - same.sum(1).double().log()).mean()

# %% 10.5 wrong
# believes: all that is known is the number of gaps
# says: This gives every gap 1/n
def lowest_loss(words: Tensor, row: Tensor) -> float:
    n = (row[:, None] == row).sum(1)
    return n.float().log().mean().item()

# %% 10.5 wrong
# believes: each different word is as likely
# says: all the *different* words of a row the same probability
def lowest_loss(words: Tensor, row: Tensor) -> float:
    kinds = [len(words[row == r].unique()) for r in row.tolist()]
    return torch.tensor(kinds).float().log().mean().item()

# %% 10.5 wrong
# believes: a mean over rows is a mean over gaps
# says: This is a mean of the rows' means
def lowest_loss(words: Tensor, row: Tensor) -> float:
    losses = []
    for r in row.unique():
        p = words[row == r].bincount() / (row == r).sum()
        losses.append(torch.special.entr(p).sum())
    return torch.stack(losses).mean()

# %% 10.5 wrong
# believes: the visible words settle everything
# says: Loss 0 is what a decoder reaches that knows which gap is asked
def lowest_loss(words: Tensor, row: Tensor) -> float:
    return 0.0

# %% 10.5 wrong
# believes: only the right guesses count, the most common word
# says: Your function returns
def lowest_loss(words: Tensor, row: Tensor) -> float:
    right = 0
    for r in row.unique():
        right += words[row == r].bincount().max().item()
    return 1 - right / len(words)

# %% 10.6 right
# unusual: the quadratic equation for the share that stays
import math

def share_that_pays(
    T: int, encoder: tuple[int, int], decoder: tuple[int, int], budget: float
) -> float:
    (n, D), (m, d) = encoder, decoder
    left = budget * n * (12 * T * D**2 + 2 * T**2 * D) - m * (12 * T * d**2 + 2 * T**2 * d)
    if left < 0:
        return math.inf
    a, b = 2 * n * D * T**2, 12 * n * D**2 * T
    visible = (-b + math.sqrt(b * b + 4 * a * left)) / (2 * a)
    return max(0.0, 1 - visible)

# %% 10.6 right
# unusual: Newton's method on the share that stays, from above
def share_that_pays(
    T: int, encoder: tuple[int, int], decoder: tuple[int, int], budget: float
) -> float:
    if work(1, T, encoder, decoder) > budget:
        return torch.inf
    share, step = 0.0, 1e-6
    for _ in range(60):
        over = work(share, T, encoder, decoder) - budget
        slope = (work(share + step, T, encoder, decoder) - over - budget) / step
        share = max(0.0, share - over / slope)
    return share

# %% 10.6 wrong
# believes: the encoder's work falls in proportion
# says: attention's part goes with the square
def share_that_pays(
    T: int, encoder: tuple[int, int], decoder: tuple[int, int], budget: float
) -> float:
    (n, D), (m, d) = encoder, decoder
    own = m * block_work(T, d) / (n * block_work(T, D))
    if own > budget:
        return float("inf")
    return max(0.0, 1 - (budget - own))

# %% 10.6 wrong
# believes: a per cent is fine enough
# says: rounded to a whole per cent
def share_that_pays(
    T: int, encoder: tuple[int, int], decoder: tuple[int, int], budget: float
) -> float:
    for percent in range(101):
        if work(percent / 100, T, encoder, decoder) <= budget:
            return percent / 100
    return float("inf")

# %% 10.6 wrong
# believes: everything masked is always enough
# says: the answer is infinite; here it is 1
def share_that_pays(
    T: int, encoder: tuple[int, int], decoder: tuple[int, int], budget: float
) -> float:
    low, high = 0.0, 1.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        if work(middle, T, encoder, decoder) > budget:
            low = middle
        else:
            high = middle
    return high

# %% 10.6 wrong
# believes: the decoder is too small to matter
# says: The decoder's work is missing
def share_that_pays(
    T: int, encoder: tuple[int, int], decoder: tuple[int, int], budget: float
) -> float:
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if work(middle, T, encoder, (0, decoder[1])) > budget:
            low = middle
        else:
            high = middle
    return high

# %% 10.6 wrong
# believes: the share that may stay is asked
# says: That is the share that may stay visible
def share_that_pays(
    T: int, encoder: tuple[int, int], decoder: tuple[int, int], budget: float
) -> float:
    if work(0.0, T, encoder, decoder) <= budget:
        return 0.0
    if work(1.0, T, encoder, decoder) > budget:
        return float("inf")
    low, high = 0.0, 1.0
    for _ in range(60):
        visible = (low + high) / 2
        if work(1 - visible, T, encoder, decoder) > budget:
            high = visible
        else:
            low = visible
    return low

# %% 10.7 right
# unusual: another way
import torch

def directions_by_eigenvalues(x, share):
    energy = sorted(torch.linalg.eigvalsh(x.T @ x).tolist(), reverse=True)
    return next(n for n in range(1, len(energy) + 1) if sum(energy[:n]) >= share * sum(energy))

# %% 10.7 right
# unusual: Python floats and a loop that stops when enough has been added
def effective_rank(x: Tensor, share: float) -> int:
    squares = [s**2 for s in torch.linalg.svdvals(x).tolist()]
    needed = share * sum(squares)
    so_far = 0.0
    for n, square in enumerate(squares, 1):
        so_far += square
        if so_far >= needed:
            return n
    return len(squares)

# %% 10.7 wrong
# believes: the singular values themselves are the shares
# says: You added up the singular values
def effective_rank(x: Tensor, share: float) -> int:
    s = torch.linalg.svdvals(x)
    cumulative = s.cumsum(0) / s.sum()
    return int((cumulative < share).sum()) + 1

# %% 10.7 wrong
# believes: counting the directions whose running sum stays below the share is enough
# says: One too few
def effective_rank(x: Tensor, share: float) -> int:
    energy = torch.linalg.svdvals(x) ** 2
    cumulative = energy.cumsum(0) / energy.sum()
    return (cumulative < share).sum().item()

# %% 10.7 wrong
# believes: principal components begin with the mean
# says: You subtracted the mean first
def effective_rank(x: Tensor, share: float) -> int:
    energy = torch.linalg.eigvalsh(x.T.cov()).flip(0)
    return int((energy.cumsum(0) / energy.sum() < share).sum()) + 1

# %% 10.8 right
# unusual: another way
import numpy as np
import torch

def seen_by_loop(noise, text, ratio):
    B, T, S = noise.shape
    seen = torch.zeros(B, T, S, dtype=torch.bool)
    for b, t, s in np.ndindex(B, T, S):
        seen[b, t, s] = s == 0 or (noise[b, t, s] >= ratio and s != t and text[b, s])
    return seen

# %% 10.8 right
# unusual: three nested loops and plain conditions
def decoder_sees(noise: Tensor, text: Tensor, ratio: float) -> Tensor:
    sees = torch.zeros(noise.shape, dtype=torch.bool)
    B, T, _ = noise.shape
    for b in range(B):
        for query in range(T):
            for key in range(T):
                if key == 0:
                    sees[b, query, key] = True
                elif key != query and text[b, key]:
                    sees[b, query, key] = noise[b, query, key] >= ratio
    return sees

# %% 10.8 wrong
# believes: the order of the conditions does not matter; own place is taken away last
# says: Place 0 does not see itself
def decoder_sees(noise: Tensor, text: Tensor, ratio: float) -> Tensor:
    T = noise.shape[1]
    sees = (noise >= ratio) & text[:, None, :]
    sees[:, :, 0] = True
    return sees & ~torch.eye(T, dtype=torch.bool)

# %% 10.8 wrong
# believes: ratio is the share that is seen
# says: Inverted
def decoder_sees(noise: Tensor, text: Tensor, ratio: float) -> Tensor:
    T = noise.shape[1]
    sees = (noise < ratio) & text[:, None, :] & ~torch.eye(T, dtype=torch.bool)
    sees[:, :, 0] = True
    return sees

# %% 10.8 wrong
# believes: the first index after the batch is the key
# says: The last axis holds the keys
def decoder_sees(noise: Tensor, text: Tensor, ratio: float) -> Tensor:
    T = noise.shape[1]
    sees = (noise >= ratio) & text[:, None, :] & ~torch.eye(T, dtype=torch.bool)
    sees[:, 0] = True
    return sees
