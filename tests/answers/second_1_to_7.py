# %% 1.1 wrong
# believes: only a wholly empty table of votes has to be caught, a single empty row takes care of itself
# named: rightly
# says: Right where a query has voted.
def average_by_votes(votes, values):
    if votes.sum() == 0:
        return torch.zeros(*votes.shape[:-1], values.shape[-1])
    shares = votes / votes.sum(-1, keepdim=True)
    return shares @ values

# %% 1.1 right
# unusual: recursion over the leading axes, then plain loops over queries and keys
def average_by_votes(votes, values):
    if votes.dim() > 2:
        return torch.stack([average_by_votes(a, b) for a, b in zip(votes, values)])
    rows = []
    for vote in votes:
        heard, total = torch.zeros_like(values[0]), 0.0
        for count, value in zip(vote.tolist(), values):
            heard = heard + count * value
            total += count
        rows.append(heard / total if total > 0 else heard)
    return torch.stack(rows)

# %% 1.2 wrong
# believes: in d a vector still has 64 numbers, so the spread is the root of 64
# named: rightly
# says: Three are right.
def four_spreads():
    a = math.sqrt(4096)
    b = math.sqrt(64) * 3 * 0.5
    c = math.sqrt(25)
    d = math.sqrt(64)
    return a, b, c, d

# %% 1.3 wrong
# believes: the largest score may be taken over all keys, the count 0 removes the others anyway
# named: rightly
# says: Right but where a key with the count 0 has a far larger score than the others:
def weights_with_counts(scores, counts):
    top = scores.amax(-1, keepdim=True)
    e = (scores - top).exp() * counts
    return e / e.sum(-1, keepdim=True)

# %% 1.3 wrong
# believes: several copies raise a key's score by their number
# named: in general
# says: the values are not
def weights_with_counts(scores, counts):
    raised = scores + counts
    raised = raised.masked_fill(counts == 0, -math.inf)
    return raised.softmax(-1)

# %% 1.4 wrong
# believes: the scores are divided by the root of the number of keys
# named: rightly
# says: The scores are divided by another number than sqrt(D).
def attention(q, k, v):
    scores = q @ k.transpose(-2, -1)
    scores = scores / math.sqrt(k.shape[-2])
    weights = scores.softmax(-1)
    return weights @ v, weights

# %% 1.5 wrong
# believes: a score of 10 at the match is enough (forgets that it is divided by sqrt(D))
# named: rightly
# says: Each box looks hardest at the one it points to, but not hard enough:
def follow_pointers():
    W_q = torch.zeros(34, 12)
    W_k = torch.zeros(34, 12)
    for label in range(12):
        W_q[22 + label, label] = 10.0
        W_k[label, label] = 1.0
    return W_q, W_k

# %% 1.6 wrong
# believes: a head takes every H-th number of a token
# named: rightly
# says: Each head took every H-th number.
def multi_head_attention(x, w_q, w_k, w_v, w_o, n_heads):
    B, T, M = x.shape
    D = M // n_heads

    def split(y):
        return y.view(B, T, D, n_heads).permute(0, 3, 1, 2)

    out, _ = scaled_dot_product_attention(split(x @ w_q), split(x @ w_k), split(x @ w_v))
    return out.permute(0, 2, 3, 1).reshape(B, T, M) @ w_o

# %% 1.7 wrong
# believes: applying the order once more to the output undoes it
# named: in general
# says: In item 2 of 12:
def ignore_order(layers, x):
    orders = [torch.randperm(len(x)) for _ in range(10)]
    verdicts = []
    for layer in layers:
        same = [torch.allclose(layer(x[o])[o], layer(x), atol=1e-4) for o in orders]
        verdicts.append(all(same))
    return verdicts

# %% 1.8 wrong
# believes: log-sums are joined by adding them, since they are logarithms
# named: rightly
# says: The output is right, the log-sum is not:
def join_halves(output_a, log_sum_a, output_b, log_sum_b):
    shares = torch.stack([log_sum_a, log_sum_b]).softmax(0)[..., None]
    output = shares[0] * output_a + shares[1] * output_b
    return output, log_sum_a + log_sum_b

# %% 1.8 right
# unusual: logaddexp, and all of it in float64, back to the old type at the end
def join_halves(output_a, log_sum_a, output_b, log_sum_b):
    a, b = log_sum_a.double(), log_sum_b.double()
    total = torch.logaddexp(a, b)
    output = torch.einsum("...t,...te->...te", (a - total).exp(), output_a.double())
    output = output + torch.einsum("...t,...te->...te", (b - total).exp(), output_b.double())
    return output.to(output_a.dtype), total.to(log_sum_a.dtype)

# %% 2.1 wrong
# believes: weights of .75 and .25 come from scores in the ratio of 3 to 1
# named: in general
# says: Masked in time, query 1 gives the open keys the weights 0.881 and 0.119, not 0.75 and 0.25
def where_late_fails():
    return torch.tensor([
        [0.0, 0.0, 20.0, 20.0],
        [3.0, 1.0, 300.0, 300.0],
    ])

# %% 2.2 wrong
# believes: places are counted from 1, and a place below the length is a word
# named: rightly
# says: One place too few is open:
def my_padding_mask(lengths, size):
    place = torch.arange(1, size + 1)
    return (place < lengths[:, None])[:, None, None, :]

# %% 2.3 wrong
# believes: the diagonal moves by the number of new words
# named: in general
# says: the values are not
def causal_mask_with_past(n_queries, n_keys):
    return torch.ones(n_queries, n_keys, dtype=torch.bool).tril(diagonal=n_queries)

# %% 2.3 right
# unusual: nested lists of Python bools
def causal_mask_with_past(n_queries, n_keys):
    past = n_keys - n_queries
    table = [[not key > past + query for key in range(n_keys)] for query in range(n_queries)]
    return torch.tensor(table, dtype=torch.bool).reshape(n_queries, n_keys)

# %% 2.4 wrong
# believes: what one token gains and the other loses cancels out in the average
# named: in general
# says: The test notices it:
def blind_test():
    x = torch.randn(6, 8).clamp(-3, 3)
    changed = x.clone()
    changed[4] += 1.0
    changed[5] -= 1.0
    return x, changed

# %% 2.5 wrong
# believes: the padding keys only have to be taken out of the window
# named: rightly
# says: Padding is heard:
def window_mask(lengths, size, window, n_global):
    i = torch.arange(size)
    near = (i[:, None] - i[None, :]).abs() <= window
    is_global = i < n_global
    glob = is_global[:, None] | is_global[None, :]
    return padding_mask(lengths, size) & near | glob

# %% 2.6 wrong
# believes: a text stands in one stretch, so the places begin anew whenever the number changes
# named: rightly
# says: The count starts anew whenever another text has its turn.
def places_in_texts(documents):
    B, T = documents.shape
    places = torch.zeros_like(documents)
    for t in range(1, T):
        same = documents[:, t] == documents[:, t - 1]
        places[:, t] = torch.where(same, places[:, t - 1] + 1, 0)
    return places

# %% 2.6 right
# unusual: one-hot vectors of the texts, counted up along the row
def places_in_texts(documents):
    _, which = documents.unique(return_inverse=True)
    hot = torch.nn.functional.one_hot(which)  # (B, T, texts)
    so_far = hot.cumsum(1)
    return (so_far * hot).sum(-1) - 1

# %% 2.7 wrong
# believes: nan_to_num on the weights cleans up everything, backwards too
# named: rightly
# says: The loss is right, but the gradient of `scores` is nan at empty queries.
def sum_of_squares(scores, additive_mask, values):
    weights = (scores + additive_mask).softmax(-1)
    weights = weights.nan_to_num(0.0)
    return (weights @ values).square().sum()

# %% 2.8 wrong
# believes: "too late" means masked after softmax and divided by the sum once more
# named: rightly
# says: An output masked "too late" was not recognised:
def readings_that_fit(q, k, v, masks, outputs):
    scores = q @ k.T / math.sqrt(q.shape[-1])
    result = []
    for mask, output in zip(masks, outputs):
        word = mask.bool()
        late = scores.softmax(-1) * word
        weights = {
            "as meant": scores.masked_fill(~word, -math.inf).softmax(-1),
            "upside down": scores.masked_fill(word, -math.inf).softmax(-1),
            "added": (scores + mask).softmax(-1),
            "too late": late / late.sum(-1, keepdim=True),
            "not at all": scores.softmax(-1),
        }
        fits = []
        for name, w in weights.items():
            if torch.allclose(w.nan_to_num(0.0) @ v, output, atol=1e-4):
                fits.append(name)
        result.append(fits)
    return result

# %% 3.1 wrong
# believes: max over (count, pair) settles ties in favour of what Python sorts first
# named: rightly
# says: Several pairs are equally frequent, and yours is the one that Python sorts last.
def bpe_step(words, counts):
    frequency = Counter()
    for word, n in zip(words, counts):
        for pair in zip(word, word[1:]):
            frequency[pair] += n
    best = max(frequency, key=lambda pair: (frequency[pair], pair))
    new_words = []
    for word in words:
        new, i = [], 0
        while i < len(word):
            if tuple(word[i : i + 2]) == best:
                new.append(word[i] + word[i + 1])
                i += 2
            else:
                new.append(word[i])
                i += 1
        new_words.append(new)
    return best, new_words

# %% 3.2 right
# believes: as in GPT-2's code, the best pair may be joined at all its places before looking again
def cut_by_merges(word, merges):
    rank = {pair: i for i, pair in reversed(list(enumerate(merges)))}
    pieces = list(word)
    while len(pieces) > 1:
        pair = min(zip(pieces, pieces[1:]), key=lambda p: rank.get(p, float("inf")))
        if pair not in rank:
            break
        new, i = [], 0
        while i < len(pieces):
            if i + 1 < len(pieces) and (pieces[i], pieces[i + 1]) == pair:
                new.append(pieces[i] + pieces[i + 1])
                i += 2
            else:
                new.append(pieces[i])
                i += 1
        pieces = new
    return pieces

# %% 3.3 wrong
# believes: inside a word a piece fits with its ## or without
# named: in general
# says: Your function returns
def longest_match(word, vocabulary):
    pieces, start = [], 0
    while start < len(word):
        for end in range(len(word), start, -1):
            part = word[start:end]
            if start > 0 and "##" + part in vocabulary:
                pieces.append("##" + part)
                break
            if part in vocabulary:
                pieces.append(part)
                break
        else:
            return ["[UNK]"]
        start = end
    return pieces

# %% 3.3 right
# unusual: recursion over the rest, with max by length and a walrus
def cut_rest(rest, mark, vocabulary):
    if not rest:
        return []
    fitting = [rest[:n] for n in range(1, len(rest) + 1) if mark + rest[:n] in vocabulary]
    if (head := max(fitting, key=len, default=None)) is None:
        return None
    tail = cut_rest(rest[len(head):], "##", vocabulary)
    return None if tail is None else [mark + head, *tail]


def longest_match(word, vocabulary):
    pieces = cut_rest(word, "", vocabulary)
    return ["[UNK]"] if pieces is None else pieces

# %% 3.4 wrong
# believes: five pieces are as many as one more piece can make of masking
# named: rightly
# says: With 'mas' added, 'masking' is cut into mas ##k ##i ##n ##g (5).
def harmful_piece():
    pieces = ["ma", "##sking", "##sked", "##k", "##i", "##n", "##g"]
    return pieces, "mas"

# %% 3.5 wrong
# believes: between two words there is one space, and none in front
# named: in general
# says: In item 2 of 19:
def offsets(text, tokens):
    words = text.split()
    result, position, word = [], 0, -1
    for token in tokens:
        if token in ("[CLS]", "[SEP]"):
            result.append((0, 0))
            continue
        if not token.startswith("##"):
            word += 1
            if word > 0:
                position += 1
        size = len(words[word]) if token == "[UNK]" else len(token.removeprefix("##"))
        result.append((position, position + size))
        position += size
    return result

# %% 3.6 wrong
# believes: the overlap has to be one context, not two
# named: rightly
# says: Your windows share `context` tokens.
def windows_with_context(n_tokens, length, context):
    windows, start, first = [], 0, 0
    while True:
        end = min(start + length, n_tokens)
        last = n_tokens if end == n_tokens else end - context
        windows.append((start, end, first, last))
        if end == n_tokens:
            return windows
        first = last
        start = end - context

# %% 3.7 wrong
# believes: the last text of a row needs no [SEP] of its own
# named: rightly
# says: At the end of a row a text was placed without its [SEP].
def first_fit(lengths, room):
    rows = []
    for number, n in enumerate(lengths):
        for row in rows:
            if len(row) + n <= room:
                break
        else:
            row = []
            rows.append(row)
        row += [number] * (n + 1)
    table = [(row + [-1] * room)[:room] for row in rows]
    return torch.tensor(table)

# %% 3.7 right
# unusual: a full tensor first, and a list of the next free place of each row, found with next()
def first_fit(lengths, room):
    table = torch.full((len(lengths), room), -1, dtype=torch.int64)
    free = [0] * len(lengths)  # there are never more rows than texts
    for text, length in enumerate(lengths):
        row = next(r for r, begin in enumerate(free) if room - begin > length)
        table[row, free[row] : free[row] + length + 1] = text
        free[row] += length + 1
    return table[: sum(1 for f in free if f)]

# %% 4.1 wrong
# believes: argsort gives each token its rank
# named: rightly
# says: `argsort` says which place comes first, second, ...;
def hide_fixed_count(ids, special_ids, noise, ratio):
    candidates = ~torch.isin(ids, torch.tensor(special_ids))
    n = (ratio * candidates.sum(1, keepdim=True)).round().clamp(min=1)
    ranks = noise.masked_fill(~candidates, 2.0).argsort(1)
    return (ranks < n) & candidates

# %% 4.2 wrong
# believes: a token that looks as before needs no label, there is nothing to guess
# named: rightly
# says: The input is right.
def input_and_labels(ids, masked, u, v, ordinary_ids, mask_id):
    K = len(ordinary_ids)
    random_ids = ordinary_ids[(v * K).long().clamp(max=K - 1)]
    inputs = torch.where(masked & (u < 0.8), mask_id, ids)
    inputs = torch.where(masked & (u >= 0.9), random_ids, inputs)
    labels = torch.where(inputs != ids, ids, -100)
    return inputs, labels

# %% 4.3 wrong
# believes: the numbers of the words are unique in the batch, so isin will do
# named: rightly
# says: A word number of one row hid the word with that number in another.
def extend_to_whole_words(masked, word_ids):
    return torch.isin(word_ids, word_ids[masked])

# %% 4.3 right
# unusual: Python sets, row by row
def extend_to_whole_words(masked, word_ids):
    rows = []
    for hidden, words in zip(masked.tolist(), word_ids.tolist()):
        touched = {word for word, h in zip(words, hidden) if h} - {-1}
        rows.append([word in touched for word in words])
    return torch.tensor(rows, dtype=torch.bool).view_as(masked)

# %% 4.4 wrong
# believes: what is hidden is what has become [MASK]
# named: rightly
# says: In item 4 of 4:
def made_by(ids, input_ids, labels):
    hidden = input_ids == 4  # (3, B, T)
    candidates = ids > 4
    replaced = (input_ids != ids) & ~hidden
    replacement = "80/10/10" if replaced.any() else "[MASK]"
    static = torch.equal(hidden[0], hidden[1]) and torch.equal(hidden[1], hidden[2])
    ratio = (hidden.sum() / (3 * candidates.sum())).item()
    ratio = round(round(ratio * 20) / 20, 2)
    first = hidden[0]
    begins = first.clone()
    begins[:, 1:] &= ~first[:, :-1]
    expected = (candidates.sum(1) * ratio).round()
    if (begins.sum(1) <= 1).all():
        pattern = "block"
    elif not (first[:, 1:] & first[:, :-1]).any():
        pattern = "non-adjacent"
    elif (first.sum(1) == expected).all():
        pattern = "fixed count"
    else:
        pattern = "bernoulli"
    return pattern, replacement, "static" if static else "dynamic", ratio

# %% 4.5 wrong
# believes: little words and punctuation are all that is certain; names and places surprise most
# named: rightly
# says: No word of `easy` surprises, but more than 7 can be hidden so.
def two_masks():
    easy = [3, 6, 7, 11, 12, 16, 18]
    hard = [0, 2, 17]
    return easy, hard

# %% 4.6 wrong
# believes: a hidden word is left out of the sum by multiplying its logarithm by 0
# named: rightly
# says: NaN comes out where a word has no chance:
def two_pattern_posterior(ids, masked, prior, chances):
    B, T = ids.shape
    t = torch.arange(T)
    log_chance = chances[:, t, ids].log()  # (2, B, T)
    seen = (log_chance * (~masked).float()).sum(-1)  # (2, B)
    pattern = (seen + prior.log()[:, None]).softmax(0)  # (2, B)
    guess = torch.einsum("kb,ktv->btv", pattern, chances)
    known = torch.nn.functional.one_hot(ids, chances.shape[-1]).to(guess.dtype)
    return torch.where(masked[..., None], guess, known)

# %% 4.7 wrong
# believes: a mark for which the target has nothing stays in the text
# named: rightly
# says: A mark that the target does not have was left in the text.
def restored(source, target):
    spans, mark = {}, None
    for word in target:
        if word.startswith("<extra_id_"):
            mark = word
            spans[mark] = []
        elif mark is not None:
            spans[mark].append(word)
    text = []
    for word in source:
        text += spans.get(word, [word])
    return text

# %% 4.7 right
# unusual: slices between the marks, and a sum of lists
def restored(source, target):
    def is_mark(word):
        return word[:10] == "<extra_id_"

    begins = [i for i, word in enumerate(target) if is_mark(word)]
    ends = begins[1:] + [len(target)]
    spans = {target[b]: target[b + 1 : e] for b, e in zip(begins, ends)}
    return sum((spans.get(word, []) if is_mark(word) else [word] for word in source), [])

# %% 5.1 wrong
# believes: everything after the first [SEP] is segment 1, the padding too
# named: rightly
# says: Padding gets segment 1 in some rows.
def embed(ids, sep, token, position, segment):
    is_sep = (ids == sep).long()
    before = is_sep.cumsum(1) - is_sep
    segments = before.clamp(max=1)
    return token[ids] + position[: ids.shape[1]] + segment[segments]

# %% 5.1 right
# unusual: token by token with plain Python, and a flag that turns over
def embed(ids, sep, token, position, segment):
    batch = []
    for row in ids.tolist():
        vectors, seps = [], 0
        for place, i in enumerate(row):
            which = 1 if seps == 1 and i != 0 else 0
            if i == sep:
                seps += 1
            vectors.append(token[i] + position[place] + segment[which])
        # in a row with one text only padding follows the [SEP], and that got 0 above
        batch.append(torch.stack(vectors))
    return torch.stack(batch)

# %% 5.2 wrong
# believes: one token is enough: the first setting whose epsilon lies between .01 and 1 is it
# named: falsely, mended since
# says: D and True were taken, with the epsilon that the first token tells then.
def norm_settings(x, y):
    D = x.shape[-1]
    centred = x[0] - x[0].mean()
    root = (centred / y[0]).mean()
    for divisor in (D, D - 1):
        variance = centred.square().sum() / divisor
        for under_root in (True, False):
            eps = root**2 - variance if under_root else root - variance.sqrt()
            if 0.01 <= eps <= 1:
                return divisor, under_root, eps.item()
    return D, True, 0.01

# %% 5.3 wrong
# believes: the numbers themselves go through ReLU unharmed (forgets that x may be negative)
# named: rightly
# says: Right as long as no number is negative.
def sort_by_hand():
    A = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, -1.0], [-1.0, 1.0]])
    # larger = b + relu(a - b), smaller = a - relu(a - b)
    B = torch.tensor([[0.0, 1.0, 1.0, 0.0], [1.0, 0.0, -1.0, 0.0]])
    return A, B

# %% 5.4 wrong
# believes: the second residual connection goes back to the block's input
# named: rightly
# says: The second sum adds the block's own input.
def bert_block(x, attention, p):
    D = (x.shape[-1],)
    h = x + attention(x)
    h = F.layer_norm(h, D, p["attention_norm.weight"], p["attention_norm.bias"], 1e-12)
    f = F.gelu(F.linear(h, p["feed_forward.expand.weight"], p["feed_forward.expand.bias"]))
    f = F.linear(f, p["feed_forward.contract.weight"], p["feed_forward.contract.bias"])
    return F.layer_norm(
        x + f, D, p["feed_forward_norm.weight"], p["feed_forward_norm.bias"], 1e-12
    )

# %% 5.5 wrong
# believes: both biases of the feed-forward network have its inner width
# named: rightly
# says: 3 * D numbers are too many in each block, as with a last bias of 4 * D.
def encoder_parameters(V, places, D, n_layers):
    embeddings = (V + places + 2) * D + 2 * D
    attention = 4 * (D * D + D)
    feed_forward = 2 * (4 * D * D + 4 * D)
    norms = 2 * 2 * D
    return embeddings + n_layers * (attention + feed_forward + norms)

# %% 5.5 right
# unusual: PyTorch's own layers are built on the device meta and counted
def encoder_parameters(V, places, D, n_layers):
    from torch import nn

    parts = [nn.Embedding(n, D, device="meta") for n in (V, places, 2)]
    parts.append(nn.LayerNorm(D, device="meta"))
    for _ in range(n_layers):
        parts.append(nn.TransformerEncoderLayer(D, 1, 4 * D, device="meta"))
    return sum(p.numel() for part in parts for p in part.parameters())

# %% 5.6 wrong
# believes: in the head the norm comes before GELU
# named: rightly
# says: In the head norm and GELU have changed places:
def bert(ids, visible, segments, model):
    e = model.encoder.embeddings
    places = torch.arange(ids.shape[1])
    x = e.norm(e.token(ids) + e.position(places) + e.segment(segments))
    mask = visible[:, None, None, :]
    for b in model.encoder.blocks:
        x = b.attention_norm(x + b.attention(x, mask))
        x = b.feed_forward_norm(x + b.feed_forward(x))
    x = F.gelu(model.norm(model.dense(x)))
    return x @ e.token.weight.T + model.decoder_bias

# %% 5.6 wrong
# believes: the attention's mask is True at padding, as in nn.MultiheadAttention
# named: rightly
# says: The mask is inverted:
def bert(ids, visible, segments, model):
    e = model.encoder.embeddings
    places = torch.arange(ids.shape[1])
    x = e.norm(e.token(ids) + e.position(places) + e.segment(segments))
    mask = ~visible[:, None, None, :]
    for b in model.encoder.blocks:
        x = b.attention_norm(x + b.attention(x, mask))
        x = b.feed_forward_norm(x + b.feed_forward(x))
    x = model.norm(F.gelu(model.dense(x)))
    return x @ e.token.weight.T + model.decoder_bias

# %% 5.7 right
# believes: torch.allclose with its own tolerances is exact enough for every part
def faults(suspect, model, ids, visible, segments):
    same = torch.allclose
    found = set()
    e = model.encoder.embeddings
    places = torch.arange(ids.shape[1])
    mask = visible[:, None, None, :]
    with torch.no_grad():
        seen = suspect.embed(ids, segments)
        for shift in (0, 1):
            for with_segments in (True, False):
                x = e.token(ids) + e.position(places + shift)
                if with_segments:
                    x = x + e.segment(segments)
                if same(e.norm(x), seen):
                    if shift == 1:
                        found.add("positions")
                    if not with_segments:
                        found.add("segments")
        x = e.norm(e.token(ids) + e.position(places) + e.segment(segments))
        for s, b in zip(suspect.blocks, model.encoder.blocks):
            if not same(s.attention(x, mask), b.attention(x, mask)):
                found.add("heads")
            if not same(s.feed_forward(x), b.feed_forward(x)):
                found.add("gelu")
            if not same(s.attention_norm(x), b.attention_norm(x)):
                found.add("eps")
            if not same(s.feed_forward_norm(x), b.feed_forward_norm(x)):
                found.add("eps")
            out = s(x, mask)
            out = out[0] if isinstance(out, tuple) else out
            for m in (mask, None):
                h = s.attention_norm(x + s.attention(x, m))
                post = s.feed_forward_norm(h + s.feed_forward(h))
                h = x + s.attention(s.attention_norm(x), m)
                pre = h + s.feed_forward(s.feed_forward_norm(h))
                if same(out, post) or same(out, pre):
                    if m is None:
                        found.add("mask")
                    if same(out, pre):
                        found.add("pre-norm")
        h = model.norm(F.gelu(model.dense(x)))
        if not same(suspect.head(x), h @ e.token.weight.T + model.decoder_bias):
            found.add("bias")
    return sorted(found)

# %% 6.1 wrong
# believes: a random word is always a wrong one (forgets that the true one may be drawn)
# named: rightly
# says: Your numbers fit a random word that is never the true one.
def copier_losses(V, ratio, keep, random):
    good = -math.log(0.99)
    bad = -math.log(0.01 / (V - 1))
    hidden = keep * good + (1 - keep) * bad
    everything = (1 - ratio) * good + ratio * hidden
    return everything, hidden

# %% 6.2 wrong
# believes: one divides by the weights of all tokens
# named: rightly
# says: The weighted sum was divided by the weights of all tokens.
def weighted_loss(logits, labels, weights):
    losses = F.cross_entropy(logits.transpose(1, 2), labels, reduction="none")  # 0 at -100
    return (losses * weights).sum() / weights.sum()

# %% 6.2 right
# unusual: one-hot labels, log-sum-exp by hand and float64
def weighted_loss(logits, labels, weights):
    z = logits.double()
    hidden = labels.ne(-100)
    hot = F.one_hot(labels.clamp(min=0), z.shape[-1])
    surprise = torch.logsumexp(z, -1) - torch.einsum("btv,btv->bt", z, hot.double())
    w = torch.where(hidden, weights.double(), 0.0)
    return ((surprise * w).sum() / w.sum()).to(logits.dtype)

# %% 6.3 wrong
# believes: the scheduler sets the size of the step that comes, so it stands before the optimizer
# named: rightly
# says: The first step has the second learning rate:
def train(model, optimizer, scheduler, batches):
    losses = []
    for batch in batches:
        logits = model(batch.input_ids, None, batch.masked)
        loss = F.cross_entropy(logits, batch.labels[batch.masked])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scheduler.step()
        optimizer.step()
        losses.append(loss.item())
    return losses

# %% 6.4 wrong
# believes: only the loss has to be added up, the accuracy may be averaged over batches
# named: rightly
# says: The loss is right.
def evaluate(model, data, epoch):
    model.eval()
    total, n, accuracies = 0.0, 0, []
    with torch.no_grad():
        for index in torch.arange(len(data)).split(4):
            batch = data(index, 0)
            logits = model(batch.input_ids, None, batch.masked)
            true = batch.labels[batch.masked]
            total += F.cross_entropy(logits, true, reduction="sum").item()
            n += len(true)
            accuracies.append((logits.argmax(-1) == true).float().mean().item())
    model.train()
    return total / n, sum(accuracies) / len(accuracies)

# %% 6.5 wrong
# believes: where climb and fall overlap, the factors are multiplied
# named: rightly
# says: Where climb and fall overlap you multiplied them.
def lr_factors(steps, warmup, decay):
    factors = []
    for step in range(steps):
        up = min(1.0, (step + 1) / (warmup + 1))
        down = min(1.0, (steps - step) / decay) if decay else 1.0
        factors.append(up * down)
    return factors

# %% 6.5 right
# unusual: three rows of a float64 tensor, and the smallest of each column
def lr_factors(steps, warmup, decay):
    step = torch.arange(steps, dtype=torch.float64)
    climb = (step + 1) / (warmup + 1)
    fall = (steps - step) / max(decay, 1)
    return torch.stack([climb, fall, torch.ones_like(step)]).amin(0).tolist()

# %% 6.6 wrong
# believes: a piece counts by its share of the rows
# named: rightly
# says: Each piece has the weight of its share of the rows.
def accumulate(model, pieces):
    rows = sum(len(piece.input_ids) for piece in pieces)
    for piece in pieces:
        logits = model(piece.input_ids, None, piece.masked)
        loss = F.cross_entropy(logits, piece.labels[piece.masked])
        (loss * len(piece.input_ids) / rows).backward()
    return model.dense.weight.grad

# %% 6.7 wrong
# believes: A, with its low training loss from the start, is the leak, and C the mean over all tokens
# named: rightly
# says: Right but for two:
def seven_runs():
    return ["F", "A", "C", "D", "B", "E", "G"]

# %% 6.7 wrong
# believes: a jumping curve comes from shuffled labels, a flat one from too large a rate
# named: rightly
# says: Right but for two:
def seven_runs():
    return ["F", "C", "A", "D", "G", "E", "B"]

# %% 7.1 wrong
# believes: sort puts the likeliest first
# named: rightly
# says: The list was collected from the least likely end.
def list_lengths(logits, share):
    p, _ = logits.softmax(-1).sort(-1)
    return (p.cumsum(-1) < share).sum(-1) + 1

# %% 7.1 right
# unusual: plain Python, a running sum of sorted floats
def list_lengths(logits, share):
    lengths = []
    for row in logits.softmax(-1).tolist():
        total, count = 0.0, 0
        for p in sorted(row, reverse=True):
            total, count = total + p, count + 1
            if total >= share:
                break
        lengths.append(count)
    return torch.tensor(lengths)

# %% 7.2 wrong
# believes: bucketize puts a number on a border into the upper bin
# named: rightly
# says: A confidence on a border was put into the lower bin.
def calibration_error(confidence, right, n_bins):
    edges = torch.linspace(0, 1, n_bins + 1, dtype=confidence.dtype)
    which = torch.bucketize(confidence, edges[1:-1])
    error = torch.tensor(0.0)
    for b in range(n_bins):
        inside = which == b
        if inside.any():
            gap = (confidence[inside].mean() - right[inside].float().mean()).abs()
            error = error + gap * inside.sum() / len(confidence)
    return error

# %% 7.3 wrong
# believes: half of the exact list and half of an even one is still calibrated
# named: rightly
# says: It answers as the ideal guesser does, with half of its excess over even chances:
def ignorant(exact):
    even = torch.full_like(exact, 1 / exact.shape[-1])
    return (exact + even) / 2

# %% 7.4 wrong
# believes: an empty diagonal is enough, two words will do
# named: rightly
# says: The favourites are word 0 of the first gap and word 1 of the second, and together they hav
def favourites_apart():
    return torch.tensor([[0.0, 0.55], [0.45, 0.0]])

# %% 7.5 wrong
# believes: the number within the list of gaps is the place in the sentence
# named: in general
# says: the values are not
def surest_first(predict, shown):
    ids = shown.clone()
    log_p = torch.tensor(0.0)
    for _ in range(int((shown == MASK_ID).sum())):
        chances = predict(ids)
        best, word = chances.max(-1)  # (T,) each
        place = best[ids == MASK_ID].argmax()
        ids[place] = word[place]
        log_p = log_p + best[place].log()
    return ids, log_p

# %% 7.6 wrong
# believes: the mean is taken over all mentions
# named: rightly
# says: The sum was divided by the number of *mentions*.
def copy_scores(weights, mention):
    looked = (weights * mention[:, None]).sum((0, 2, 3))
    return looked / mention.sum()

# %% 7.6 right
# unusual: einsum straight to one number a head
def copy_scores(weights, mention):
    asked = mention.any(dim=2).sum()
    return torch.einsum("bhts,bts->h", weights, mention.to(weights.dtype)) / asked

# %% 7.7 wrong
# believes: one copy of the heads is enough for the whole loop
# named: rightly
# says: Heads stay off:
def ablate(heads, visible, losses):
    whole = losses(heads)
    mean = heads[visible].mean(0)  # (H, D)
    changed = heads.clone()
    growth, error = [], []
    for h in range(heads.shape[2]):
        changed[:, :, h] = mean[h]
        more = losses(changed) - whole
        growth.append(more.mean())
        error.append(more.std() / len(more) ** 0.5)
    return torch.stack(growth), torch.stack(error)
