# %% 14.1 right
# unusual: the second number is the content, and weights are spread over both matrices
def product_by_hand() -> tuple[Tensor, Tensor]:
    expand = torch.tensor([[0.0, 2], [0, -2], [0.25, 0], [-0.25, 0]])
    return expand, torch.tensor([[2.0, 2]])


# %% 14.1 right
# unusual: built from parts, in float64
def product_by_hand():
    content = torch.tensor([[1.0, 0], [-1, 0]], dtype=torch.float64)
    gate = torch.tensor([[0.0, -3], [0, 3]], dtype=torch.float64)
    return torch.cat([content, gate]), torch.full((1, 2), -1 / 3, dtype=torch.float64)


# %% 14.1 wrong
# believes: one unit is enough, GELU lets numbers through
# says: GELU is nearly 0
def product_by_hand() -> tuple[Tensor, Tensor]:
    return torch.tensor([[1.0, 0], [0, 0], [0, 1], [0, 0]]), torch.tensor([[1.0, 0]])


# %% 14.1 wrong
# believes: both units are added up
# says: the sign of one is lost
def product_by_hand() -> tuple[Tensor, Tensor]:
    return torch.tensor([[1.0, 0], [-1, 0], [0, 1], [0, 1]]), torch.tensor([[1.0, 1]])


# %% 14.1 wrong
# believes: contract has a row for each unit
# says: `contract` (1, 2)
def product_by_hand() -> tuple[Tensor, Tensor]:
    return torch.tensor([[1.0, 0], [-1, 0], [0, 1], [0, 1]]), torch.tensor([[1.0], [-1]])


# %% 14.1 wrong
# believes: a product is half of the difference of squares, each by one unit
# says: comes out
def product_by_hand() -> tuple[Tensor, Tensor]:
    # ((a + b)^2 - (a - b)^2) / 4
    return torch.tensor([[1.0, 1], [1, -1], [1, 1], [1, -1]]), torch.tensor([[0.25, -0.25]])


# %% 14.2 right
# unusual: sums of all prefixes
from itertools import accumulate


def first_heard(reaches, distance):
    covered = [0, *accumulate(10**9 if r is None else r for r in reaches)]
    return next((n for n, c in enumerate(covered) if c >= distance), -1)


# %% 14.2 right
# unusual: block by block, from one token to a set
def first_heard(reaches, distance):
    heard, blocks = {0}, 0
    for reach in [0, *reaches]:
        if distance in heard:
            return blocks
        if reach is None:
            return blocks if distance in heard else reaches.index(None) + 1
        blocks += reach > 0
        heard = {place + step for place in heard for step in range(-reach, reach + 1)}
        if distance in heard:
            return blocks
    return -1


# %% 14.2 wrong
# believes: a block hears its own window and no more
# says: The reaches do not add up
def first_heard(reaches, distance):
    if distance == 0:
        return 0
    for number, reach in enumerate(reaches, 1):
        if reach is None or reach >= distance:
            return number
    return -1


# %% 14.2 wrong
# believes: after block 0 means 0
# says: counted from 0
def first_heard(reaches, distance):
    if not distance:
        return 0
    sum_ = 0
    for i, reach in enumerate(reaches):
        sum_ += 10**6 if reach is None else reach
        if sum_ >= distance:
            return i
    return -1


# %% 14.2 wrong
# believes: windows widen on both sides, so twice as fast
# says: doubled
def first_heard(reaches, distance):
    if distance == 0:
        return 0
    far = 0
    for n, r in enumerate(reaches, 1):
        if r is None:
            return n
        far += r * 2
        if far >= distance:
            return n
    return -1


# %% 14.3 right
# unusual: window by window
def pairs_to_score(lengths: list[int], reach: int) -> int:
    return sum(
        min(n - 1, place + reach) - max(0, place - reach) + 1 for n in lengths for place in range(n)
    )


# %% 14.3 right
# unusual: builds the mask all the same, for short texts
def pairs_to_score(lengths, reach):
    texts = torch.arange(len(lengths)).repeat_interleave(torch.tensor(lengths))
    near = window_mask(len(texts), reach)
    return (near & (texts[:, None] == texts)).sum()


# %% 14.3 wrong
# believes: the row is one text
# says: for one text
def pairs_to_score(lengths, reach):
    return int(window_mask(sum(lengths), reach).sum())


# %% 14.3 wrong
# believes: every window is full
# says: Every token got a full window
def pairs_to_score(lengths, reach):
    return sum(lengths) * (2 * reach + 1)


# %% 14.3 wrong
# believes: texts are longer than the reach
# says: longer than the reach
def pairs_to_score(lengths, reach):
    return sum(n * (2 * reach + 1) - reach * (reach + 1) for n in lengths)


# %% 14.3 wrong
# believes: a pair counts once, whoever of the two is the query
# says: Only one side of the windows
def pairs_to_score(lengths, reach):
    return sum(min(i, reach) + 1 for n in lengths for i in range(n))


# %% 14.4 right
# unusual: text by text
def through_one_row(run, ids, visible):
    rows, positions, texts = [], [], []
    for number, (row, seen) in enumerate(zip(ids, visible)):
        rows.append(row[seen])
        positions.append(torch.arange(int(seen.sum())))
        texts.append(torch.full((int(seen.sum()),), number))
    x = run(torch.cat(rows), torch.cat(positions), torch.cat(texts))
    out = torch.zeros(*ids.shape, x.shape[-1])
    start = 0
    for i, seen in enumerate(visible):
        n = int(seen.sum())
        out[i, seen] = x[start : start + n]
        start += n
    return out


# %% 14.4 right
# unusual: with masked_scatter
def through_one_row(run, ids: Tensor, visible: Tensor) -> Tensor:
    texts, places = visible.nonzero(as_tuple=True)
    first = visible.int().argmax(1)
    x = run(ids[texts, places], places - first[texts], texts)
    return torch.zeros(*ids.shape, x.shape[1]).masked_scatter(visible[..., None], x)


# %% 14.4 wrong
# believes: positions are columns
# says: Your positions are columns
def through_one_row(run, ids, visible):
    texts, positions = visible.nonzero(as_tuple=True)
    x = run(ids[visible], positions, texts)
    out = torch.zeros(*ids.shape, x.shape[-1])
    out[visible] = x
    return out


# %% 14.4 wrong
# believes: one row, so one count of positions
# says: The positions go on through the row
def through_one_row(run, ids, visible):
    texts = visible.nonzero()[:, 0]
    x = run(ids[visible], torch.arange(len(texts)), texts)
    out = torch.zeros(*ids.shape, x.shape[-1])
    out[visible] = x
    return out


# %% 14.4 wrong
# believes: the vectors are wanted as they come
# says: still in one row
def through_one_row(run, ids, visible):
    return run(ids[visible], (visible.cumsum(1) - 1)[visible], visible.nonzero()[:, 0])


# %% 14.5 right
# unusual: with the package's pieces of the curve
def branch_off(steps, warmup, decay, every):
    start = max(s for s in range(0, steps, every) if s <= steps - decay + 1)
    climb = [min(1.0, (s + 1) / (warmup + 1)) for s in range(start, steps)]
    fall = [min(1.0, (steps - s) / decay) for s in range(start, steps)]
    return start, [min(pair) for pair in zip(climb, fall)]


# %% 14.5 right
# unusual: tensors
def branch_off(steps, warmup, decay, every):
    start = steps - decay + 1 - (steps - decay + 1) % every
    s = torch.arange(start, steps)
    factors = torch.minimum((s + 1) / (warmup + 1), (steps - s) / decay).clamp(max=1)
    return start, factors.tolist()


# %% 14.5 wrong
# believes: the last checkpoint before the end will do
# says: inside the decay
def branch_off(steps, warmup, decay, every):
    start = (steps - 1) // every * every
    return start, [
        min((s + 1) / (warmup + 1), 1.0, (steps - s) / decay) for s in range(start, steps)
    ]


# %% 14.5 wrong
# believes: from a checkpoint on the rate falls
# says: decay from the checkpoint on
def branch_off(steps, warmup, decay, every):
    start = (steps - decay + 1) // every * every
    left = steps - start
    return start, [min((start + i + 1) / (warmup + 1), 1, (left - i) / left) for i in range(left)]


# %% 14.5 wrong
# believes: the branch is a training of its own, with a warm-up
# says: warms up again
def branch_off(steps, warmup, decay, every):
    start = (steps - decay + 1) // every * every
    return start, [
        min((i + 1) / (warmup + 1), 1.0, (steps - start - i) / decay) for i in range(steps - start)
    ]


# %% 14.6 right
# unusual: without padding, text by text
def modern_encoder(ids, visible, encoder):
    c = encoder.config
    size = c.d_model // c.n_heads
    out = torch.zeros(*ids.shape, c.d_model)
    for i, seen in enumerate(visible):
        n = int(seen.sum())
        x = encoder.embedding_norm(encoder.token(ids[i : i + 1, :n]))
        for number, b in enumerate(encoder.blocks):
            is_global = number % c.global_every == 0
            turn = rotations(torch.arange(n), size, c.global_base if is_global else c.local_base)
            q, k, v = (
                part.view(1, n, c.n_heads, size).transpose(1, 2)
                for part in b.attention.qkv(b.attention_norm(x)).split(c.d_model, -1)
            )
            scores = rotate(q, turn) @ rotate(k, turn).mT / math.sqrt(size)
            if not is_global:
                scores = scores.masked_fill(~window_mask(n, c.window // 2), -math.inf)
            x = x + b.attention.output((scores.softmax(-1) @ v).transpose(1, 2).flatten(2))
            h = b.feed_forward.expand(b.feed_forward_norm(x))
            x = x + b.feed_forward.contract(F.gelu(h[..., : c.d_ff]) * h[..., c.d_ff :])
        out[i, :n] = encoder.final_norm(x)[0]
    return out


# %% 14.6 right
# unusual: one row, positions that go on (only differences count), local_attention of the package
def modern_encoder(ids, visible, encoder):
    c = encoder.config
    texts = visible.nonzero()[:, 0]
    positions = torch.arange(len(texts))
    x = encoder.embedding_norm(encoder.token(ids[visible]))[None]
    for i, b in enumerate(encoder.blocks):
        far = i % c.global_every == 0
        turn = rotations(positions, c.d_model // c.n_heads, c.global_base if far else c.local_base)
        q, k, v = (
            split_heads(p, c.n_heads) for p in b.attention.qkv(b.attention_norm(x)).chunk(3, dim=-1)
        )
        reach = len(texts) if far else c.window // 2
        heard = local_attention(rotate(q, turn), rotate(k, turn), v, reach, texts[None])
        x = x + b.attention.output(join_heads(heard))
        a, g = b.feed_forward.expand(b.feed_forward_norm(x)).chunk(2, -1)
        x = x + b.feed_forward.contract(F.gelu(a) * g)
    out = torch.zeros(*ids.shape, c.d_model)
    out[visible] = encoder.final_norm(x)[0]
    return out


# %% 14.6 wrong
# believes: the blocks' window reaches `window` to each side
# says: Your window is twice as wide
def modern_encoder(ids, visible, encoder):
    c, T = encoder.config, ids.shape[1]
    x = encoder.embedding_norm(encoder.token(ids))
    for i, b in enumerate(encoder.blocks):
        far = i % c.global_every == 0
        mask = visible[:, None, None] & (True if far else window_mask(T, c.window))
        turn = rotations(
            torch.arange(T), c.d_model // c.n_heads, c.global_base if far else c.local_base
        )
        q, k, v = (
            split_heads(p, c.n_heads) for p in b.attention.qkv(b.attention_norm(x)).chunk(3, -1)
        )
        heard = F.scaled_dot_product_attention(rotate(q, turn), rotate(k, turn), v, mask)
        x = x + b.attention.output(join_heads(heard))
        a, g = b.feed_forward.expand(b.feed_forward_norm(x)).chunk(2, -1)
        x = x + b.feed_forward.contract(F.gelu(a) * g)
    return encoder.final_norm(x).masked_fill(~visible[..., None], 0)


# %% 14.6 wrong
# believes: post-norm, as in lesson 5
# says: `x` holds the embeddings with their norm
def modern_encoder(ids, visible, encoder):
    c, T = encoder.config, ids.shape[1]
    x = encoder.embedding_norm(encoder.token(ids))
    for i, b in enumerate(encoder.blocks):
        far = i % c.global_every == 0
        mask = visible[:, None, None] & (True if far else window_mask(T, c.window // 2))
        turn = rotations(
            torch.arange(T), c.d_model // c.n_heads, c.global_base if far else c.local_base
        )
        q, k, v = (split_heads(p, c.n_heads) for p in b.attention.qkv(x).chunk(3, -1))
        heard = F.scaled_dot_product_attention(rotate(q, turn), rotate(k, turn), v, mask)
        x = b.attention_norm(x + b.attention.output(join_heads(heard)))
        a, g = b.feed_forward.expand(x).chunk(2, -1)
        x = b.feed_forward_norm(x + b.feed_forward.contract(F.gelu(a) * g))
    return encoder.final_norm(x) * visible[..., None]


# %% 14.6 wrong
# believes: the encoder may be called
# says: cannot be called here
def modern_encoder(ids, visible, encoder):
    return encoder(ids, visible)


# %% 14.2 wrong
# believes: what is not given is false, so `if not r` asks for None
# says: A reach of 0 counts as global
def first_heard(reaches, distance):
    if distance == 0:
        return 0
    far = 0
    for n, r in enumerate(reaches, 1):
        if not r:
            return n
        far += r
        if far >= distance:
            return n
    return -1


# %% 14.2 wrong
# believes: a global block at the bottom has nothing to pass on yet
# says: expected is 1
def first_heard(reaches, distance):
    if distance == 0:
        return 0
    far = 0
    for n, r in enumerate(reaches, 1):
        if r is None and far:
            return n
        far += r or 0
        if far >= distance:
            return n
    return -1


# %% 14.2 right
# unusual: tables of who hears whom, multiplied
def first_heard(reaches, distance):
    n = 2 * distance + 3
    heard = torch.eye(n)
    for blocks, r in enumerate([0, *reaches]):
        seen = torch.ones(n, n) if r is None else window_mask(n, r).float()
        heard = ((seen @ heard) > 0).float()
        if heard[0, distance]:
            return blocks
    return -1


# %% 14.3 right
# unusual: the square less two corners, with a division
def pairs_to_score(lengths, reach):
    total = 0
    for n in lengths:
        left_out = max(0, n - 1 - reach)
        total += n**2 - 2 * (left_out * (left_out + 1) / 2)
    return total


# %% 14.4 wrong
# believes: any order will do, as the texts have numbers
# says: column by column
def through_one_row(run, ids, visible):
    v = visible.T
    x = run(ids.T[v], (visible.cumsum(1) - 1).T[v], v.nonzero()[:, 1])
    out = x.new_zeros(*ids.T.shape, x.shape[-1])
    out[v] = x
    return out.transpose(0, 1)


# %% 14.4 wrong
# believes: padding is where the id is 0
# says: values are not
def through_one_row(run, ids, visible):
    visible = ids != 0
    x = run(ids[visible], (visible.cumsum(1) - 1)[visible], visible.nonzero()[:, 0])
    out = x.new_zeros(*ids.shape, x.shape[-1])
    out[visible] = x
    return out


# %% 14.4 right
# unusual: a table of indices and `where` on the way back
def through_one_row(run, ids, visible):
    index = (visible.flatten().cumsum(0) - 1).clamp(min=0).view_as(ids)
    x = run(ids[visible], (visible.int().cumsum(1) - 1)[visible], visible.nonzero()[:, 0].int())
    return torch.where(visible[..., None], x[index], torch.zeros(()))


# %% 14.5 right
# unusual: looks for the last step up to which both runs are one, so at `steps - decay + 1`, too
def branch_off(steps, warmup, decay, every):
    endless = [min((s + 1) / (warmup + 1), 1.0) for s in range(steps)]
    wanted = [min(factor, (steps - s) / decay) for s, factor in enumerate(endless)]
    usable = [s for s in range(0, steps + 1, every) if endless[:s] == wanted[:s]]
    return usable[-1], wanted[usable[-1] :]


# %% 14.5 right
# unusual: the package's trapezoid
def branch_off(steps, warmup, decay, every):
    start = (steps - decay) // every * every
    return start, tuple(trapezoid(s, steps, warmup, decay / steps) for s in range(start, steps))


# %% 14.5 wrong
# believes: one branches off the plateau only
# says: inside the warm-up can be used
def branch_off(steps, warmup, decay, every):
    start = (steps - decay) // every * every
    if start < warmup:
        start = 0
    climb = [(s + 1) / (warmup + 1) for s in range(start, steps)]
    return start, [min(c, 1.0, (steps - start - i) / decay) for i, c in enumerate(climb)]


# %% 14.5 wrong
# believes: the first factor is 0
# says: Your climb has other stairs
def branch_off(steps, warmup, decay, every):
    start = (steps - decay) // every * every
    return start, [min(s / warmup, 1.0, (steps - s) / decay) for s in range(start, steps)]


# %% 14.6 right
# unusual: complex numbers turn, from position 1 on
def modern_encoder(ids, visible, encoder):
    c, (B, T) = encoder.config, ids.shape
    d = c.d_model // c.n_heads
    x = encoder.embedding_norm(encoder.token(ids))
    for i, b in enumerate(encoder.blocks):
        base = c.local_base if i % c.global_every else c.global_base
        angle = torch.outer(torch.arange(1.0, T + 1), base ** (-torch.arange(0, d, 2) / d))
        wheel = torch.polar(torch.ones_like(angle), angle)
        q, k, v = b.attention.qkv(b.attention_norm(x)).view(B, T, 3, c.n_heads, d).unbind(2)
        q, k = (torch.complex(*p.transpose(1, 2).chunk(2, -1)) * wheel for p in (q, k))
        seen = visible[:, None, None, :]
        if i % c.global_every:
            seen = seen & window_mask(T, c.window // 2)
        scores = (q @ k.mH).real / math.sqrt(d)
        weights = scores.masked_fill(~seen, float("-inf")).softmax(-1).nan_to_num(0)
        heard = (weights @ v.transpose(1, 2)).transpose(1, 2).reshape(B, T, -1)
        x = x + b.attention.output(heard)
        content, gate = b.feed_forward.expand(b.feed_forward_norm(x)).tensor_split(2, -1)
        x = x + b.feed_forward.contract(F.gelu(content) * gate)
    return encoder.final_norm(x) * visible[..., None]


# %% 14.1 right
# unusual: integers, in lists
def product_by_hand():
    return [[1, 0], [-1, 0], [0, 1], [0, 1]], [[1, -1]]
