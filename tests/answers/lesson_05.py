# %% 5.1 right
# unusual: another way, token by token
def embedded_one_by_one(ids, sep, token, position, segment):
    x = torch.empty(*ids.shape, token.shape[1])
    for b, row in enumerate(ids.tolist()):
        text = 0
        for t, i in enumerate(row):
            x[b, t] = token[i] + position[t] + segment[text if i else 0]
            text += i == sep
    return x


# %% 5.1 right
# unusual: a flipped cumulative sum, and one-hot matrices
def embed(ids: Tensor, sep: int, token: Tensor, position: Tensor, segment: Tensor) -> Tensor:
    B, T = ids.shape
    is_sep = (ids == sep).float()
    strictly_before = is_sep @ torch.ones(T, T).triu(1)
    second = torch.where(ids == 0, 0, torch.where(strictly_before == 1, 1, 0))
    what = F.one_hot(ids, len(token)).float() @ token
    where = F.one_hot(torch.arange(T), len(position)).float() @ position
    return what + where + F.one_hot(second, 2).float() @ segment


# %% 5.1 right
# unusual: rolled cumulative sum, modified in place on a copy
def embed(ids: Tensor, sep: int, token: Tensor, position: Tensor, segment: Tensor) -> Tensor:
    segments = (ids == sep).long().cumsum(1).roll(1, 1)
    segments[:, 0] = 0
    segments[ids == 0] = 0
    return F.embedding(ids, token) + position[: ids.size(1)] + F.embedding(segments, segment)


# %% 5.1 wrong
# believes: the places of the second text begin at 0 again
# says: The places of the second text begin at 0 again
def embed(ids: Tensor, sep: int, token: Tensor, position: Tensor, segment: Tensor) -> Tensor:
    T = ids.shape[1]
    segments = (((ids == sep).cumsum(1) - (ids == sep).long() == 1) & (ids != 0)).long()
    places = torch.arange(T).expand_as(ids)
    first = (ids == sep).long().argmax(1, keepdim=True) + 1
    places = torch.where(segments == 1, places - first, places)
    return token[ids] + position[places] + segment[segments]


# %% 5.1 wrong
# believes: segment 0 is the normal case and adds nothing, only segment 1 has a vector
# says: Segment 0 adds nothing in your sum
def embed(ids: Tensor, sep: int, token: Tensor, position: Tensor, segment: Tensor) -> Tensor:
    is_sep = (ids == sep).long()
    segments = ((is_sep.cumsum(1) - is_sep == 1) & (ids != 0)).long()
    x = token[ids]
    x = x + position[: ids.shape[1]]
    return x + segments[..., None] * segment[1]


# %% 5.1 wrong
# believes: cumsum leaves the token itself out
# says: Both [SEP] stand in the wrong segment
def embed(ids: Tensor, sep: int, token: Tensor, position: Tensor, segment: Tensor) -> Tensor:
    segments = ((ids == sep).cumsum(1) == 1).long() * (ids != 0)
    return token[ids] + position[: ids.shape[1]] + segment[segments]


# %% 5.1 wrong
# believes: everything from the first [SEP] on is the second text
# says: The first [SEP] is counted to the second text.
def embed(ids: Tensor, sep: int, token: Tensor, position: Tensor, segment: Tensor) -> Tensor:
    segments = torch.zeros_like(ids)
    for b in range(len(ids)):
        start = (ids[b] == sep).nonzero()[0, 0]
        segments[b, start:] = 1
    segments[ids == 0] = 0
    return token[ids] + position[torch.arange(ids.shape[1])] + segment[segments]


# %% 5.1 wrong
# believes: what follows the first [SEP] has segment 1, padding or not
# says: Padding gets segment 1 in some rows.
def embed(ids: Tensor, sep: int, token: Tensor, position: Tensor, segment: Tensor) -> Tensor:
    before = (ids == sep).cumsum(1) - (ids == sep).long()
    return token[ids] + position[: ids.shape[1]] + segment[before.clamp(max=1)]


# %% 5.1 wrong
# believes: padding needs no vector
# says: Padding comes out as zeros.
def embed(ids: Tensor, sep: int, token: Tensor, position: Tensor, segment: Tensor) -> Tensor:
    before = (ids == sep).cumsum(1) - (ids == sep).long()
    segments = (before == 1).long().masked_fill(ids == 0, 0)
    x = token[ids] + position[: ids.shape[1]] + segment[segments]
    return torch.where((ids == 0)[..., None], 0.0, x)


# %% 5.1 wrong
# believes: there is a row of `position` for each token, to be added as it is
# says: stops with
def embed(ids: Tensor, sep: int, token: Tensor, position: Tensor, segment: Tensor) -> Tensor:
    before = (ids == sep).cumsum(1) - (ids == sep).long()
    segments = ((before == 1) & (ids != 0)).long()
    return token[ids] + position + segment[segments]


# %% 5.1 wrong
# believes: padding keeps the segment that came last
# says: Padding gets segment 1 in some rows.
def embed(ids: Tensor, sep: int, token: Tensor, position: Tensor, segment: Tensor) -> Tensor:
    segments = torch.zeros_like(ids)
    for b, row in enumerate(ids):
        end = int((row == sep).nonzero()[0])
        segments[b, end + 1 :] = 1
    return token[ids] + position[torch.arange(ids.shape[1])] + segment[segments]


# %% 5.2 right
# unusual: two tokens and two unknowns for each place, checked on the others
def norm_settings(x: Tensor, y: Tensor) -> tuple[int, bool, float]:
    D = x.shape[1]
    s = x.std(1, correction=0) / y.std(1, correction=0)
    for correction in (0, 1):
        v = x.var(1, correction=correction)
        for under_root, eps in ((True, s**2 - v), (False, s - v**0.5)):
            if torch.allclose(eps, eps[0].expand_as(eps), rtol=1e-6):
                return D - correction, under_root, float(eps[0])


# %% 5.2 right
# unusual: a straight line through (variance, what was divided by, squared); its slope tells the divisor
def norm_settings(x: Tensor, y: Tensor) -> tuple[int, bool, float]:
    D = x.shape[-1]
    centred = x - x.mean(-1, keepdim=True)
    s = centred.abs().sum(-1) / y.abs().sum(-1)
    sum_of_squares = (centred**2).sum(-1)
    best = None
    for power in (2, 1):
        target, source = s**power, sum_of_squares ** (power / 2)
        slope = (target[0] - target[1]) / (source[0] - source[1])
        eps = target[0] - slope * source[0]
        off = (target - slope * source - eps).abs().max()
        if best is None or off < best[0]:
            best = (off, round(1 / slope.item() ** (2 / power)), power == 2, eps)
    return best[1:]


# %% 5.2 wrong
# believes: LayerNorm divides by D and has its epsilon under the root, so only epsilon is open
# says: D and True were taken, with the epsilon that the first token tells then.
def norm_settings(x: Tensor, y: Tensor) -> tuple[int, bool, float]:
    variance = x.var(-1, unbiased=False)
    divided_by = (x - x.mean(-1, keepdim=True)).norm(dim=-1) / y.norm(dim=-1)
    return x.shape[-1], True, (divided_by[0] ** 2 - variance[0]).item()


# %% 5.2 wrong
# believes: epsilon is always under the root, as in the formula
# says: Right wherever epsilon stood under the root
def norm_settings(x: Tensor, y: Tensor) -> tuple[int, bool, float]:
    s = x.std(-1) / y.std(-1)
    tries = [(s**2 - x.var(-1, unbiased=b), x.shape[-1] - b) for b in (False, True)]
    eps, divisor = min(tries, key=lambda one: one[0].std())
    return divisor, True, eps.mean()


# %% 5.2 wrong
# believes: the correction is what is asked for
# says: In place of the divisor you return what is taken off D
def norm_settings(x: Tensor, y: Tensor) -> tuple[int, bool, float]:
    s = x.std(-1) / y.std(-1)
    rows = []
    for b in (0, 1):
        v = x.var(-1, correction=b)
        rows += [((s**2 - v).std(), b, True, (s**2 - v).mean())]
        rows += [((s - v.sqrt()).std(), b, False, (s - v.sqrt()).mean())]
    return min(rows, key=lambda row: row[0])[1:]


# %% 5.2 wrong
# believes: the first combination whose epsilons are all positive is the right one
# says: D and True were taken, with the mean of what the tokens tell of epsilon then.
def norm_settings(x: Tensor, y: Tensor) -> tuple[int, bool, float]:
    D = x.shape[-1]
    s = x.std(-1) / y.std(-1)
    for divisor in (D, D - 1):
        v = x.var(-1, correction=D - divisor)
        if (s**2 - v > 0).all():
            return divisor, True, (s**2 - v).mean().item()
        if (s - v.sqrt() > 0).all():
            return divisor, False, (s - v.sqrt()).mean().item()
    return D, True, 0.01


# %% 5.3 right
# unusual: the larger number is carried by the distance, the second number by itself
def sort_by_hand() -> tuple[Tensor, Tensor]:
    A = torch.tensor([[1.0, -1.0], [-1.0, 1.0], [1.0, 1.0], [-1.0, -1.0]]) * 3
    B = torch.tensor([[1, 1, 1, -1], [-1, -1, 1, -1]]) / 6
    return A, B


# %% 5.3 right
# unusual: only three hidden numbers are needed: b, -b and a - b do not use the fourth
def sort_by_hand() -> tuple[Tensor, Tensor]:
    # larger = b + relu(a - b); smaller = a - relu(a - b) = b - relu(b - a)
    A = torch.tensor([[0.0, 1], [0, -1], [1, -1], [-1, 1]])
    B = torch.tensor([[1.0, -1, 1, 0], [1, -1, 0, -1]])
    return A, B


# %% 5.3 wrong
# believes: numbers are positive
# says: Right as long as no number is negative.
def sort_by_hand() -> tuple[Tensor, Tensor]:
    # larger = relu(b) + relu(a - b); smaller = relu(a) - relu(a - b)
    A = torch.tensor([[1.0, 0], [0, 1], [1, -1], [-1, 1]])
    B = torch.tensor([[0.0, 1, 1, 0], [1, 0, -1, 0]])
    return A, B


# %% 5.3 wrong
# believes: sum and distance, without the half
# says: Everything comes out twice as large.
def sort_by_hand() -> tuple[Tensor, Tensor]:
    A = torch.tensor([[1.0, 1], [-1, -1], [1, -1], [-1, 1]])
    return A, torch.tensor([[1.0, -1, 1, 1], [1, -1, -1, -1]])


# %% 5.3 wrong
# believes: A is applied from the right, as in x @ A
# says: A and B have each other's shape
def sort_by_hand() -> tuple[Tensor, Tensor]:
    A = torch.tensor([[1.0, 1], [-1, -1], [1, -1], [-1, 1]])
    B = torch.tensor([[0.5, -0.5, 0.5, 0.5], [0.5, -0.5, -0.5, -0.5]])
    return A.T, B.T


# %% 5.3 wrong
# believes: ReLU lets the sum through
# says: Right as long as the sum of the two is not negative.
def sort_by_hand() -> tuple[Tensor, Tensor]:
    A = torch.tensor([[1.0, 1], [1, 1], [1, -1], [-1, 1]])
    return A, torch.tensor([[0.5, 0, 0.5, 0.5], [0, 0.5, -0.5, -0.5]])


# %% 5.3 wrong
# believes: the larger number is the maximum of A's rows
# says: For x = (3, 1) comes out (4, 0); it should be (3, 1).
def sort_by_hand() -> tuple[Tensor, Tensor]:
    return torch.eye(4)[:, :2] + torch.eye(4)[:, [1, 0]], torch.ones(2, 4) * torch.tensor(
        [[0.5], [0.0]]
    )


# %% 5.3 wrong
# believes: one matrix is enough to be returned
# says: Two matrices are wanted
def sort_by_hand() -> tuple[Tensor, Tensor]:
    return torch.tensor([[1.0, 1], [-1, -1], [1, -1], [-1, 1]])


# %% 5.4 right
# unusual: by hand, in double precision, with erfc and einsum
import math


def bert_block(x: Tensor, attention, p: dict[str, Tensor]) -> Tensor:
    def norm(x, name):
        x = x.double()
        x = x - x.sum(-1, keepdim=True) / x.shape[-1]
        x = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-12)
        return torch.addcmul(p[f"{name}.bias"].double(), x, p[f"{name}.weight"].double())

    x = norm(x + attention(x), "attention_norm")
    a, b = (p[f"feed_forward.expand.{what}"].double() for what in ("weight", "bias"))
    wide = torch.einsum("btd,fd->btf", x, a) + b
    wide = wide * torch.erfc(wide * -math.sqrt(0.5)) / 2
    a, b = (p[f"feed_forward.contract.{what}"].double() for what in ("weight", "bias"))
    return norm(x + torch.einsum("btf,df->btd", wide, a) + b, "feed_forward_norm").float()


# %% 5.4 right
# unusual: modules filled with the numbers, and the standard normal distribution
from torch.distributions import Normal


def bert_block(x: Tensor, attention, p: dict[str, Tensor]) -> Tensor:
    D, wide = x.shape[-1], p["feed_forward.expand.bias"].numel()
    parts = nn.ModuleDict(
        {
            "attention_norm": nn.LayerNorm(D, eps=1e-12),
            "feed_forward_norm": nn.LayerNorm(D, eps=1e-12),
            "feed_forward": nn.ModuleDict(
                {"expand": nn.Linear(D, wide), "contract": nn.Linear(wide, D)}
            ),
        }
    )
    parts.load_state_dict(p)
    x = parts["attention_norm"](attention(x) + x)
    h = parts["feed_forward"]["expand"](x)
    h = parts["feed_forward"]["contract"](h * Normal(0, 1).cdf(h))
    return parts["feed_forward_norm"](h + x).detach()


# %% 5.4 right
# unusual: variance in one pass, as mean of squares minus squared mean
def bert_block(x: Tensor, attention, p: dict[str, Tensor]) -> Tensor:
    def norm(x, name):
        mean = x.mean(-1, keepdim=True)
        variance = (x**2).mean(-1, keepdim=True) - mean**2
        y = (x - mean) / torch.sqrt(variance + 1e-12)
        return y * p[name + ".weight"] + p[name + ".bias"]

    h = norm(x + attention(x), "attention_norm")
    f = h @ p["feed_forward.expand.weight"].T + p["feed_forward.expand.bias"]
    f = F.gelu(f) @ p["feed_forward.contract.weight"].T + p["feed_forward.contract.bias"]
    return norm(h + f, "feed_forward_norm")


# %% 5.4 wrong
# believes: epsilon can as well be left out of the call
# says: the numbers are those of epsilon 1e-5, PyTorch's default, in both norms
def bert_block(x: Tensor, attention, p: dict[str, Tensor]) -> Tensor:
    shape = (x.size(-1),)
    x = F.layer_norm(x + attention(x), shape, p["attention_norm.weight"], p["attention_norm.bias"])
    f = x @ p["feed_forward.expand.weight"].T + p["feed_forward.expand.bias"]
    f = F.gelu(f) @ p["feed_forward.contract.weight"].T + p["feed_forward.contract.bias"]
    return F.layer_norm(x + f, shape, p["feed_forward_norm.weight"], p["feed_forward_norm.bias"])


# %% 5.4 wrong
# believes: GELU is the formula with tanh that is found in most blog posts
# says: these are the numbers of the tanh approximation of GELU
import math


def bert_block(x: Tensor, attention, p: dict[str, Tensor]) -> Tensor:
    def norm(x, name):
        return F.layer_norm(x, x.shape[-1:], p[name + ".weight"], p[name + ".bias"], 1e-12)

    x = norm(x + attention(x), "attention_norm")
    f = F.linear(x, p["feed_forward.expand.weight"], p["feed_forward.expand.bias"])
    f = 0.5 * f * (1 + torch.tanh(math.sqrt(2 / math.pi) * (f + 0.044715 * f**3)))
    f = F.linear(f, p["feed_forward.contract.weight"], p["feed_forward.contract.bias"])
    return norm(x + f, "feed_forward_norm")


# %% 5.4 wrong
# believes: var divides by D by itself
# says: the variances were divided by D - 1
def bert_block(x: Tensor, attention, p: dict[str, Tensor]) -> Tensor:
    def norm(x, name):
        mean = x.mean(dim=-1, keepdim=True)
        var = x.var(dim=-1, keepdim=True)
        return p[name + ".weight"] * (x - mean) / torch.sqrt(var + 1e-12) + p[name + ".bias"]

    x = norm(x + attention(x), "attention_norm")
    f = F.linear(x, p["feed_forward.expand.weight"], p["feed_forward.expand.bias"])
    f = F.linear(F.gelu(f), p["feed_forward.contract.weight"], p["feed_forward.contract.bias"])
    return norm(x + f, "feed_forward_norm")


# %% 5.4 wrong
# believes: the residual connection always goes back to the block's input
# says: The second sum adds the block's own input.
def bert_block(x: Tensor, attention, p: dict[str, Tensor]) -> Tensor:
    def norm(x, name):
        return F.layer_norm(x, x.shape[-1:], p[name + ".weight"], p[name + ".bias"], 1e-12)

    h = norm(x + attention(x), "attention_norm")
    f = F.linear(h, p["feed_forward.expand.weight"], p["feed_forward.expand.bias"])
    f = F.linear(F.gelu(f), p["feed_forward.contract.weight"], p["feed_forward.contract.bias"])
    return norm(x + f, "feed_forward_norm")


# %% 5.4 wrong
# believes: a layer is normalised over the whole sentence, all places and dimensions together
# says: the values are not
def bert_block(x: Tensor, attention, p: dict[str, Tensor]) -> Tensor:
    def norm(x, name):
        mean = x.mean((1, 2), keepdim=True)
        var = x.var((1, 2), keepdim=True, unbiased=False)
        return (x - mean) / (var + 1e-12).sqrt() * p[name + ".weight"] + p[name + ".bias"]

    first = x + attention(x)
    h = norm(first, "attention_norm")
    f = F.linear(h, p["feed_forward.expand.weight"], p["feed_forward.expand.bias"])
    f = F.linear(F.gelu(f), p["feed_forward.contract.weight"], p["feed_forward.contract.bias"])
    return norm(h + f, "feed_forward_norm")


# %% 5.4 wrong
# believes: what was normalised goes on as the stream (pre-norm, added to the normalised x)
# says: the values are not
def bert_block(x: Tensor, attention, p: dict[str, Tensor]) -> Tensor:
    def norm(x, name):
        return F.layer_norm(x, x.shape[-1:], p[name + ".weight"], p[name + ".bias"], 1e-12)

    y = norm(x, "attention_norm")
    y = y + attention(y)
    y = norm(y, "feed_forward_norm")
    f = F.linear(y, p["feed_forward.expand.weight"], p["feed_forward.expand.bias"])
    f = F.linear(F.gelu(f), p["feed_forward.contract.weight"], p["feed_forward.contract.bias"])
    return y + f


# %% 5.4 wrong
# believes: weights are (in, out)
# says: stops with
# says: `h` holds x plus what attention adds, normalised
def bert_block(x: Tensor, attention, p: dict[str, Tensor]) -> Tensor:
    def norm(x, name):
        return F.layer_norm(x, x.shape[-1:], p[name + ".weight"], p[name + ".bias"], 1e-12)

    h = norm(x + attention(x), "attention_norm")
    f = F.gelu(h @ p["feed_forward.expand.weight"] + p["feed_forward.expand.bias"])
    f = f @ p["feed_forward.contract.weight"] + p["feed_forward.contract.bias"]
    return norm(h + f, "feed_forward_norm")


# %% 5.5 right
# unusual: built and counted
from mlm_course.models import Encoder, EncoderConfig


def encoder_parameters(V: int, places: int, D: int, n_layers: int) -> int:
    config = EncoderConfig(
        V, places, d_model=D, n_layers=n_layers, n_heads=1, n_segments=2, pre_norm=False
    )
    return sum(p.numel() for p in Encoder(config).parameters())


# %% 5.5 right
# unusual: the formula multiplied out, as a tensor
def encoder_parameters(V: int, places: int, D: int, n_layers: int) -> int:
    return torch.tensor(D * (V + places + 4) + n_layers * (12 * D**2 + 13 * D))


# %% 5.5 wrong
# believes: every bias has D numbers, also that of the layer that widens
# says: 3 * D numbers are missing in each block
def encoder_parameters(V: int, places: int, D: int, n_layers: int) -> int:
    attention = 4 * (D * D + D)
    feed_forward = 2 * (D * 4 * D + D)
    norms = 2 * 2 * D
    return (V + places + 2) * D + 2 * D + n_layers * (attention + feed_forward + norms)


# %% 5.5 wrong
# believes: only blocks have norms
# says: 2 * D are missing, as many as one norm has
def encoder_parameters(V: int, places: int, D: int, n_layers: int) -> int:
    block = 4 * (D * D + D) + 8 * D * D + 5 * D + 4 * D
    return (V + places + 2) * D + n_layers * block


# %% 5.5 wrong
# believes: the segment table is not worth counting
# says: 2 * D are missing, as many as one norm has, or the table of the segments
def encoder_parameters(V: int, places: int, D: int, n_layers: int) -> int:
    block = 4 * (D * D + D) + 8 * D * D + 5 * D + 4 * D
    return (V + places) * D + 2 * D + n_layers * block


# %% 5.5 wrong
# believes: a last norm follows the blocks
# says: 2 * D numbers too many, as many as one more norm
def encoder_parameters(V: int, places: int, D: int, n_layers: int) -> int:
    block = 4 * (D * D + D) + 8 * D * D + 5 * D + 4 * D
    return (V + places + 2) * D + 2 * D + n_layers * block + 2 * D


# %% 5.5 wrong
# believes: linear layers have matrices
# says: 9 * D numbers are missing in each block
def encoder_parameters(V: int, places: int, D: int, n_layers: int) -> int:
    return (V + places + 2) * D + 2 * D + n_layers * (12 * D * D + 4 * D)


# %% 5.5 wrong
# believes: attention's biases are not there
# says: 4 * D numbers are missing in each block
def encoder_parameters(V: int, places: int, D: int, n_layers: int) -> int:
    return (V + places + 2) * D + 2 * D + n_layers * (4 * D * D + 8 * D * D + 5 * D + 4 * D)


# %% 5.6 right
# unusual: another way, with einsum and the rows of the position table
def bert_by_hand(ids, visible, segments, model):
    e = model.encoder.embeddings
    x = e.norm(e.token(ids) + e.position.weight[: ids.size(1)] + e.segment(segments))
    for b in model.encoder.blocks:
        x = b.attention_norm(x + b.attention(x, visible[:, None, None]))
        x = b.feed_forward_norm(x + b.feed_forward(x))
    return torch.einsum("btd,vd->btv", model.norm(F.gelu(model.dense(x))), e.token.weight).add(
        model.decoder_bias
    )


# %% 5.6 right
# unusual: a full (B, 1, T, T) mask, recursion over the blocks, F.linear with the tied table
def bert(ids: Tensor, visible: Tensor, segments: Tensor, model: MaskedLM) -> Tensor:
    def climb(x: Tensor, blocks: list, mask: Tensor) -> Tensor:
        if not blocks:
            return x
        b, *others = blocks
        x = b.attention_norm(b.attention(x, mask) + x)
        return climb(b.feed_forward_norm(b.feed_forward(x) + x), others, mask)

    B, T = ids.shape
    e = model.encoder.embeddings
    places = torch.ones_like(ids).cumsum(1) - 1
    x = e.norm(sum([e.segment(segments), e.position(places), e.token(ids)]))
    x = climb(x, list(model.encoder.blocks), visible[:, None, None, :].expand(B, 1, T, T))
    return F.linear(model.norm(F.gelu(model.dense(x))), e.token.weight, model.decoder_bias)


# %% 5.6 wrong
# believes: the padding needs to be masked in the first block only, after that nothing is left of it
# says: The padding is heard in the second block.
def bert(ids: Tensor, visible: Tensor, segments: Tensor, model: MaskedLM) -> Tensor:
    e = model.encoder.embeddings
    places = torch.arange(ids.shape[1])
    x = e.norm(e.token(ids) + e.position(places) + e.segment(segments))
    mask = visible[:, None, None, :]
    for b in model.encoder.blocks:
        x = b.attention_norm(x + b.attention(x, mask))
        x = b.feed_forward_norm(x + b.feed_forward(x))
        mask = torch.ones_like(mask)
    x = model.norm(F.gelu(model.dense(x)))
    return x @ e.token.weight.T + model.decoder_bias


# %% 5.6 wrong
# believes: the mask says which queries are real tokens
# says: Your mask says which *queries* are real tokens
def bert(ids: Tensor, visible: Tensor, segments: Tensor, model: MaskedLM) -> Tensor:
    e = model.encoder.embeddings
    places = torch.arange(ids.shape[1])
    x = e.norm(e.token(ids) + e.position(places) + e.segment(segments))
    mask = visible[:, None, :, None]
    for b in model.encoder.blocks:
        x = b.attention_norm(x + b.attention(x, mask))
        x = b.feed_forward_norm(x + b.feed_forward(x))
    h = model.norm(F.gelu(model.dense(x)))
    return h @ e.token.weight.T + model.decoder_bias


# %% 5.6 wrong
# believes: e.norm belongs to the token embeddings, places and segments are added afterwards
# says: The norm has read the token embeddings alone.
def bert(ids: Tensor, visible: Tensor, segments: Tensor, model: MaskedLM) -> Tensor:
    e = model.encoder.embeddings
    x = e.norm(e.token(ids)) + e.position(torch.arange(ids.shape[1]))[None] + e.segment(segments)
    mask = visible[:, None, None, :]
    for b in model.encoder.blocks:
        x = b.attention_norm(x + b.attention(x, mask))
        x = b.feed_forward_norm(x + b.feed_forward(x))
    return model.norm(F.gelu(model.dense(x))) @ e.token.weight.T + model.decoder_bias


# %% 5.6 wrong
# believes: the blocks of the cell above can be called
# says: put it together from its parts, attention, attention_norm, feed_forward
def bert(ids: Tensor, visible: Tensor, segments: Tensor, model: MaskedLM) -> Tensor:
    e = model.encoder.embeddings
    places = torch.arange(ids.shape[1])
    x = e.norm(e.token(ids) + e.position(places) + e.segment(segments))
    for block in model.encoder.blocks:
        x, _ = block(x, visible[:, None, None, :])
    return model.norm(F.gelu(model.dense(x))) @ e.token.weight.T + model.decoder_bias


# %% 5.6 wrong
# believes: the model does it all
# says: This cannot be called here
def bert(ids: Tensor, visible: Tensor, segments: Tensor, model: MaskedLM) -> Tensor:
    return model(ids, visible, segments=segments)


# %% 5.6 wrong
# believes: attention adds the mask to the scores
# says: stops with
def bert(ids: Tensor, visible: Tensor, segments: Tensor, model: MaskedLM) -> Tensor:
    e = model.encoder.embeddings
    places = torch.arange(ids.shape[1])
    x = e.norm(e.token(ids) + e.position(places) + e.segment(segments))
    mask = torch.zeros(visible.shape).masked_fill(~visible, -math.inf)[:, None, None, :]
    for b in model.encoder.blocks:
        x = b.attention_norm(x + b.attention(x, mask))
        x = b.feed_forward_norm(x + b.feed_forward(x))
    return model.norm(F.gelu(model.dense(x))) @ e.token.weight.T + model.decoder_bias


# %% 5.6 wrong
# believes: `e.position` is called with the ids, like `e.token`
# says: The positions are those of the token ids.
def bert(ids: Tensor, visible: Tensor, segments: Tensor, model: MaskedLM) -> Tensor:
    e = model.encoder.embeddings
    x = e.norm(e.token(ids) + e.position(ids) + e.segment(segments))
    for b in model.encoder.blocks:
        x = b.attention_norm(x + b.attention(x, visible[:, None, None, :]))
        x = b.feed_forward_norm(x + b.feed_forward(x))
    return model.norm(F.gelu(model.dense(x))) @ e.token.weight.T + model.decoder_bias


# %% 5.6 wrong
# believes: positions count from 1, as people do, and the head is dense, norm, GELU
# says: the values are not
def bert(ids: Tensor, visible: Tensor, segments: Tensor, model: MaskedLM) -> Tensor:
    e = model.encoder.embeddings
    x = e.norm(e.token(ids) + e.position(torch.arange(ids.shape[1]) + 1) + e.segment(segments))
    for b in model.encoder.blocks:
        x = b.attention_norm(x + b.attention(x, visible[:, None, None, :]))
        x = b.feed_forward_norm(x + b.feed_forward(x))
    return F.gelu(model.norm(model.dense(x))) @ e.token.weight.T + model.decoder_bias


# %% 5.6 wrong
# believes: positions count from 1
# says: Your positions start at 1.
def bert(ids: Tensor, visible: Tensor, segments: Tensor, model: MaskedLM) -> Tensor:
    e = model.encoder.embeddings
    x = e.norm(e.token(ids) + e.position(torch.arange(ids.shape[1]) + 1) + e.segment(segments))
    for b in model.encoder.blocks:
        x = b.attention_norm(x + b.attention(x, visible[:, None, None, :]))
        x = b.feed_forward_norm(x + b.feed_forward(x))
    return model.norm(F.gelu(model.dense(x))) @ e.token.weight.T + model.decoder_bias


# %% 5.6 wrong
# believes: the head ends with the norm, and its GELU is another
# says: `x` holds the embeddings with their norm, `x` holds what the last block returns
# says: what the head's norm returns
def bert(ids: Tensor, visible: Tensor, segments: Tensor, model: MaskedLM) -> Tensor:
    e = model.encoder.embeddings
    x = e.norm(e.token(ids) + e.position(torch.arange(ids.shape[1])) + e.segment(segments))
    for b in model.encoder.blocks:
        x = b.attention_norm(x + b.attention(x, visible[:, None, None, :]))
        x = b.feed_forward_norm(x + b.feed_forward(x))
    return model.norm(F.silu(model.dense(x))) @ e.token.weight.T + model.decoder_bias


# %% 5.6 wrong
# believes: a block ends with attention
# says: The blocks have no feed-forward half.
def bert(ids: Tensor, visible: Tensor, segments: Tensor, model: MaskedLM) -> Tensor:
    e = model.encoder.embeddings
    x = e.norm(e.token(ids) + e.position(torch.arange(ids.shape[1])) + e.segment(segments))
    for b in model.encoder.blocks:
        x = b.attention_norm(x + b.attention(x, visible[:, None, None, :]))
    return model.norm(F.gelu(model.dense(x))) @ e.token.weight.T + model.decoder_bias


# %% 5.6 wrong
# believes: the head normalises before the activation function, like a pre-norm block
# says: In the head norm and GELU have changed places
def bert(ids: Tensor, visible: Tensor, segments: Tensor, model: MaskedLM) -> Tensor:
    e = model.encoder.embeddings
    x = e.norm(e.token(ids) + e.position(torch.arange(ids.shape[1])) + e.segment(segments))
    for b in model.encoder.blocks:
        x = b.attention_norm(x + b.attention(x, visible[:, None, None, :]))
        x = b.feed_forward_norm(x + b.feed_forward(x))
    return F.gelu(model.norm(model.dense(x))) @ e.token.weight.T + model.decoder_bias


# %% 5.7 right
# unusual: every combination of faults is built as far as it can be seen, and the closest is taken
def faults(suspect, model, ids, visible, segments):
    def same(a, b):
        return torch.allclose(a, b, rtol=0, atol=1e-10)

    names = []
    e, T = model.encoder.embeddings, ids.shape[1]
    for first, part in ((0, e.segment(segments)), (1, e.segment(segments)), (0, 0), (1, 0)):
        x = e.norm(e.token(ids) + e.position(torch.arange(first, T + first)) + part)
        if same(suspect.embed(ids, segments), x):
            names += ["positions"] * first + ["segments"] * isinstance(part, int)
    x = torch.randn(*ids.shape, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    shown = visible[:, None, None, :]
    for s, b in zip(suspect.blocks, model.encoder.blocks, strict=True):
        names += ["heads"] * (not same(s.attention(x), b.attention(x)))
        names += ["gelu"] * (not same(s.feed_forward(x), b.feed_forward(x)))
        names += ["eps"] * (not same(s.feed_forward_norm(x), b.feed_forward_norm(x)))
        names += ["mask"] * same(s(x, shown), s(x, torch.ones_like(shown)))
        h = x + s.attention(s.attention_norm(x))
        pre = h + s.feed_forward(s.feed_forward_norm(h))
        names += ["pre-norm"] * same(s(x, torch.ones_like(shown)), pre)
    names += ["bias"] * (not same(suspect.head(x), model.logits(x)))
    return sorted(set(names))


# %% 5.7 right
# unusual: a table of questions, each with a difference
def faults(suspect, model, ids, visible, segments):
    e = model.encoder.embeddings
    mask = visible[:, None, None]
    full = torch.ones_like(mask)
    zeros = torch.zeros_like(segments)
    x = e.norm(e.token(ids))
    off = {}

    def ask(name, a, b, wanted_equal=True):
        equal = (a - b).norm() < 1e-8
        off[name] = off.get(name, False) or bool(equal != wanted_equal)

    ask("segments", suspect.embed(ids, zeros), suspect.embed(ids, zeros + 1), False)
    places = torch.arange(ids.shape[1])
    sums = e.token(ids) + e.position(places + 1)
    both = [suspect.embed(ids, zeros), suspect.embed(ids, zeros + 1)]
    shifted = [e.norm(sums + e.segment.weight[0]), e.norm(sums + e.segment.weight[1]), e.norm(sums)]
    off["positions"] = any((a - b).norm() < 1e-8 for a in both for b in shifted)
    for s, b in zip(suspect.blocks, model.encoder.blocks):
        ask("heads", s.attention(x, full), b.attention(x, full))
        ask("gelu", s.feed_forward(x), b.feed_forward(x))
        ask("eps", s.attention_norm(x), b.attention_norm(x))
        ask("mask", s(x, mask), s(x, full), False)
        y = s.attention_norm(x + s.attention(x))
        ask("pre-norm", s(x, full), s.feed_forward_norm(y + s.feed_forward(y)))
    ask("bias", suspect.head(x), model.logits(x))
    return sorted(name for name in off if off[name])


# %% 5.7 wrong
# believes: torch.allclose tells whether two results agree
# says: "eps" is missing from all your lists; the rest is right.
def faults(suspect, model, ids, visible, segments):
    e = model.encoder.embeddings
    names = set()
    x = suspect.embed(ids, segments)
    part = e.segment(segments)
    if torch.allclose(x, suspect.embed(ids, 1 - segments)):
        names.add("segments")
        part = 0
    if not torch.allclose(x, e.norm(e.token(ids) + e.position(torch.arange(5)) + part)):
        names.add("positions")
    mask = visible[:, None, None, :]
    for s, b in zip(suspect.blocks, model.encoder.blocks):
        if not torch.allclose(s.attention(x, mask), b.attention(x, mask)):
            names.add("heads")
        if not torch.allclose(s.feed_forward(x), b.feed_forward(x)):
            names.add("gelu")
        if not torch.allclose(s.attention_norm(x), b.attention_norm(x), atol=1e-3):
            names.add("eps")
        if torch.allclose(s(x, mask), s(x, mask | True)):
            names.add("mask")
        h = s.attention_norm(x + s.attention(x))
        h = s.feed_forward_norm(h + s.feed_forward(h))
        if not torch.allclose(s(x), h):
            names.add("pre-norm")
    if not torch.allclose(suspect.head(x), model.logits(x)):
        names.add("bias")
    return sorted(names)


# %% 5.7 wrong
# believes: a block that disagrees with the model's is pre-norm
# says: You say "pre-norm" wherever a block gives other numbers than the model's
def faults(suspect, model, ids, visible, segments):
    def differ(a, b):
        return (a - b).abs().max() > 1e-9

    e = model.encoder.embeddings
    names = set()
    x = suspect.embed(ids, segments)
    part = e.segment(segments)
    if not differ(x, suspect.embed(ids, 1 - segments)):
        names.add("segments")
        part = 0
    if differ(x, e.norm(e.token(ids) + e.position(torch.arange(5)) + part)):
        names.add("positions")
    mask = visible[:, None, None, :]
    for s, b in zip(suspect.blocks, model.encoder.blocks):
        if differ(s.attention(x, mask), b.attention(x, mask)):
            names.add("heads")
        if differ(s.feed_forward(x), b.feed_forward(x)):
            names.add("gelu")
        if differ(s.attention_norm(x), b.attention_norm(x)):
            names.add("eps")
        if not differ(s(x, mask), s(x, mask | True)):
            names.add("mask")
        if differ(s(x, mask), b(x, mask)[0]):
            names.add("pre-norm")
    if differ(suspect.head(x), model.logits(x)):
        names.add("bias")
    return sorted(names)


# %% 5.7 wrong
# believes: the first fault that shows is the fault
# says: item
def faults(suspect, model, ids, visible, segments):
    def differ(a, b):
        return (a - b).abs().max() > 1e-9

    e = model.encoder.embeddings
    x = suspect.embed(ids, segments)
    right = e.norm(e.token(ids) + e.position(torch.arange(5)) + e.segment(segments))
    if differ(x, right):
        return ["positions"] if differ(x, suspect.embed(ids, 1 - segments)) else ["segments"]
    for s, b in zip(suspect.blocks, model.encoder.blocks):
        if differ(s.attention(x), b.attention(x)):
            return ["heads"]
        if differ(s.feed_forward(x), b.feed_forward(x)):
            return ["gelu"]
        if differ(s.attention_norm(x), b.attention_norm(x)):
            return ["eps"]
        if differ(s(x), b(x)[0]):
            return ["pre-norm"]
        if differ(s(x, visible[:, None, None]), b(x, visible[:, None, None])[0]):
            return ["mask"]
    return ["bias"]


# %% 5.8 right
# unusual: complex numbers
def rotary_attention(q, k, v, places, base):
    half = q.shape[-1] // 2
    angles = places[:, None] * base ** -(torch.arange(half) / half)
    turn = torch.polar(torch.ones_like(angles), angles)
    q, k = (torch.complex(x[..., :half], x[..., half:]) * turn for x in (q, k))
    scores = (q[..., :, None, :] * k[..., None, :, :].conj()).real.sum(-1)
    return (scores / (2 * half) ** 0.5).softmax(-1) @ v


# %% 5.8 right
# unusual: only keys are turned, by distances, with a matrix for each pair of places
def rotary_attention(q: Tensor, k: Tensor, v: Tensor, places: Tensor, base: float) -> Tensor:
    H, T, D = q.shape
    scores = torch.zeros(H, T, T)
    for m in range(T):
        for n in range(T):
            for i in range(D // 2):
                pair = [i, i + D // 2]
                step = R(float(places[n] - places[m]) * base ** (-2 * i / D))
                scores[:, m, n] += (q[:, m, pair] * (k[:, n, pair] @ step.T)).sum(-1)
    return (scores / math.sqrt(D)).softmax(-1) @ v


# %% 5.8 right
# unusual: transformers' way, the angles doubled and half of the numbers swapped
def rotary_attention(q, k, v, places, base):
    D = q.size(-1)
    angles = torch.outer(places.float(), torch.pow(base, torch.arange(0, D, 2) / -D)).repeat(1, 2)

    def rotate_half(x):
        return torch.cat([-x[..., D // 2 :], x[..., : D // 2]], -1)

    q, k = (x * angles.cos() + rotate_half(x) * angles.sin() for x in (q, k))
    return F.scaled_dot_product_attention(q, k, v)


# %% 5.8 wrong
# believes: positions belong to a token, so to its value as well
# says: The values were turned, too
def rotary_attention(q, k, v, places, base):
    D = q.shape[-1]
    angles = places[:, None] * base ** (-2 * torch.arange(D // 2) / D)

    def turn(x):
        a, b = x[..., : D // 2], x[..., D // 2 :]
        return torch.cat(
            [a * angles.cos() - b * angles.sin(), a * angles.sin() + b * angles.cos()], -1
        )

    return F.scaled_dot_product_attention(turn(q), turn(k), turn(v))


# %% 5.8 wrong
# believes: neighbours make a pair, as in the paper
# says: Numbers 2i and 2i + 1 make a pair
def rotary_attention(q, k, v, places, base):
    D = q.shape[-1]
    angles = places[:, None] * base ** (-2 * torch.arange(D // 2) / D)
    cos, sin = angles.cos(), angles.sin()

    def turn(x):
        a, b = x.unflatten(-1, (-1, 2)).unbind(-1)
        return torch.stack([a * cos - b * sin, a * sin + b * cos], -1).flatten(-2)

    return F.scaled_dot_product_attention(turn(q), turn(k), v)


# %% 5.8 wrong
# believes: rotating is multiplying by the matrix from the right
# says: turn the other way round
def rotary_attention(q, k, v, places, base):
    H, T, D = q.shape
    q, k = q.clone(), k.clone()
    for t in range(T):
        for i in range(D // 2):
            step = R(places[t].item() * base ** (-2 * i / D))
            for x in (q, k):
                x[:, t, [i, i + D // 2]] = x[:, t, [i, i + D // 2]] @ step
    return (q @ k.mT / D**0.5).softmax(-1) @ v


# %% 5.8 wrong
# believes: the tokens of a row stand at 0, 1, 2
# says: The tokens were counted 0, 1, 2
def rotary_attention(q, k, v, places, base):
    T, D = q.shape[1:]
    angles = torch.arange(T)[:, None] * base ** (-2 * torch.arange(D // 2) / D)
    cos, sin = angles.cos(), angles.sin()

    def turn(x):
        a, b = x.chunk(2, -1)
        return torch.cat([a * cos - b * sin, a * sin + b * cos], -1)

    return F.scaled_dot_product_attention(turn(q), turn(k), v)


# %% 5.8 wrong
# believes: the base is always 10,000
# says: These are the numbers for base 10,000
def rotary_attention(q, k, v, places, base):
    D = q.shape[-1]
    angles = places[:, None] / 10000 ** (torch.arange(0, D, 2) / D)
    cos, sin = angles.cos(), angles.sin()
    q, k = (
        torch.cat([a * cos - b * sin, a * sin + b * cos], -1)
        for a, b in (x.chunk(2, -1) for x in (q, k))
    )
    return F.scaled_dot_product_attention(q, k, v)


# %% 5.8 wrong
# believes: the scale is the one of the pairs
# says: Next comes the weight of each key
def rotary_attention(q, k, v, places, base):
    D = q.shape[-1]
    angles = places[:, None] / base ** (torch.arange(0, D, 2) / D)
    cos, sin = angles.cos(), angles.sin()
    q, k = (
        torch.cat([a * cos - b * sin, a * sin + b * cos], -1)
        for a, b in (x.chunk(2, -1) for x in (q, k))
    )
    return (q @ k.mT / (D // 2) ** 0.5).softmax(-1) @ v


# %% 5.8 right
# unusual: matrices of distances, places never turned
def rotary_attention(q, k, v, places, base):
    half = q.shape[-1] // 2
    away = (places[None, :] - places[:, None]).float()
    scores = torch.zeros(len(q), len(places), len(places))
    for i in range(half):
        cos, sin = (away * base ** (-i / half)).cos(), (away * base ** (-i / half)).sin()
        q1, q2, k1, k2 = q[..., i, None], q[..., i + half, None], k[:, None, :, i], k[:, None, :, i + half]
        scores += q1 * (cos * k1 - sin * k2) + q2 * (sin * k1 + cos * k2)
    return (scores / math.sqrt(2 * half)).softmax(-1) @ v


# %% 5.8 right
# unusual: the halves put back as neighbours, which no dot product notices
def rotary_attention(q, k, v, places, base):
    D = q.shape[-1]
    a = places[:, None] * base ** (-2 * torch.arange(D // 2) / D)

    def turn(x):
        x1, x2 = x.chunk(2, -1)
        pairs = [x1 * a.cos() - x2 * a.sin(), x1 * a.sin() + x2 * a.cos()]
        return torch.stack(pairs, -1).flatten(-2)

    return F.scaled_dot_product_attention(turn(q), turn(k), v)
