# %% 8.1 right
# unusual: row by row, an empty selection has its mean named
import torch

def mean_of_text(x, visible):
    return torch.stack([r[v].mean(0) if v.any() else 0 * r.new_ones(r.shape[1])
                        for r, v in zip(x, visible, strict=True)])

# %% 8.1 right
# unusual: weights that sum to 1, a matrix product over T, NaN taken out first
def mean_of_text(x, visible):
    shares = visible.double() / visible.sum(1, keepdim=True).clamp(min=1)
    return torch.einsum("bt,btd->bd", shares, torch.where(visible[..., None], x.double(), 0.0))

# %% 8.1 right
# unusual: NaN as the sign for padding, nanmean, zeros where nothing is left
def mean_of_text(x, visible):
    return torch.nan_to_num(torch.where(visible.unsqueeze(2), x, torch.nan).nanmean(dim=1))

# %% 8.1 wrong
# believes: padding that is set to 0 is no longer counted
# says: no longer added, but still counted
def mean_of_text(x: Tensor, visible: Tensor) -> Tensor:
    return x.masked_fill(~visible[..., None], 0).mean(1)

# %% 8.1 wrong
# believes: a weight of 0 takes anything out
# says: 0 * NaN is NaN
def mean_of_text(x: Tensor, visible: Tensor) -> Tensor:
    v = visible.unsqueeze(-1).float()
    return (x * v).sum(dim=1) / v.sum(dim=1).clamp(min=1e-9)

# %% 8.1 wrong
# believes: every text has a word
# says: A row without tokens comes out as NaN
def mean_of_text(x: Tensor, visible: Tensor) -> Tensor:
    return torch.stack([row[seen].mean(0) for row, seen in zip(x, visible)])

# %% 8.1 wrong
# believes: padding is at the right
# says: padding may stand
def mean_of_text(x: Tensor, visible: Tensor) -> Tensor:
    out = torch.zeros(x.shape[0], x.shape[2])
    for i, n in enumerate(visible.sum(1).tolist()):
        if n:
            out[i] = x[i, :n].nan_to_num(0).mean(0)
    return out

# %% 8.1 wrong
# believes: padding is what is NaN
# says: what is NaN, not what is padding
def mean_of_text(x: Tensor, visible: Tensor) -> Tensor:
    return x.nanmean(dim=1).nan_to_num()

# %% 8.1 wrong
# believes: the mask is True at padding
# says: Inverted
def mean_of_text(x: Tensor, visible: Tensor) -> Tensor:
    x = x.masked_fill(visible[..., None], 0)
    return x.sum(1) / (~visible).sum(1, keepdim=True).clamp(min=1)

# %% 8.1 wrong
# believes: one more in the denominator keeps 0 / 0 away
# says: one more than its number of tokens
def mean_of_text(x: Tensor, visible: Tensor) -> Tensor:
    x = torch.where(visible[:, :, None], x, torch.zeros(()))
    return x.sum(1) / (visible.sum(1)[:, None] + 1)

# %% 8.2 right
# unusual: union-find
def kept_together(messages):
    parent = list(range(len(messages)))

    def root(i):
        while parent[i] != i:
            i = parent[i]
        return i

    first = {}
    for i, item in enumerate(messages):
        for key in ((0, item.module), (1, *item.text.lower().split())):
            a, b = root(first.setdefault(key, i)), root(i)
            parent[max(a, b)] = min(a, b)
    groups = {}
    for i in range(len(messages)):
        groups.setdefault(root(i), []).append(i)
    return list(groups.values())

# %% 8.2 right
# unusual: powers of a matrix of ties
def kept_together(messages):
    def same(a, b):
        return a.module == b.module or a.text.casefold().split() == b.text.casefold().split()

    tied = torch.tensor([[float(same(a, b)) for b in messages] for a in messages])
    for _ in range(5):
        tied = (tied @ tied > 0).float()
    rows = [tuple(row.nonzero().flatten().tolist()) for row in tied]
    return list(dict.fromkeys(rows))

# %% 8.2 right
# unusual: scipy's connected components
def kept_together(messages):
    import re

    from scipy.sparse.csgraph import connected_components

    keys = [(m.module, re.sub(r"\s+", " ", m.text).strip().lower()) for m in messages]
    ties = [[a[0] == b[0] or a[1] == b[1] for b in keys] for a in keys]
    count, label = connected_components(torch.tensor(ties).numpy())
    return sorted([i for i, one in enumerate(label) if one == g] for g in range(count))

# %% 8.2 wrong
# believes: strip and lower deal with white space and case
# says: White space still counts
def kept_together(messages: list[Message]) -> list[list[int]]:
    parts = [({m.module}, {m.text.strip().lower()}, [i]) for i, m in enumerate(messages)]
    joined = True
    while joined:
        joined = False
        for a in range(len(parts)):
            for b in range(len(parts) - 1, a, -1):
                if parts[a][0] & parts[b][0] or parts[a][1] & parts[b][1]:
                    m, t, p = parts.pop(b)
                    parts[a] = (parts[a][0] | m, parts[a][1] | t, parts[a][2] + p)
                    joined = True
    return sorted(sorted(p) for _, _, p in parts)

# %% 8.2 wrong
# believes: white space aside means taking all of it out
# says: 'Data type' and 'Datatype'
def kept_together(messages: list[Message]) -> list[list[int]]:
    def clean(text: str) -> str:
        return "".join(text.lower().split())

    number = list(range(len(messages)))
    for _ in messages:
        for i, a in enumerate(messages):
            for j, b in enumerate(messages):
                if a.module == b.module or clean(a.text) == clean(b.text):
                    number[i] = number[j] = min(number[i], number[j])
    return [[i for i, n in enumerate(number) if n == g] for g in sorted(set(number))]

# %% 8.2 wrong
# believes: a message joins the first group that it fits
# says: Some messages that hang together are in different groups
def kept_together(messages: list[Message]) -> list[list[int]]:
    groups, modules, texts = [], [], []
    for i, m in enumerate(messages):
        text = " ".join(m.text.lower().split())
        for g in range(len(groups)):
            if m.module in modules[g] or text in texts[g]:
                groups[g].append(i)
                modules[g].add(m.module)
                texts[g].add(text)
                break
        else:
            groups.append([i])
            modules.append({m.module})
            texts.append({text})
    return groups

# %% 8.2 wrong
# believes: tied is tied to the first of a group
# says: Some messages that hang together are in different groups
def kept_together(messages: list[Message]) -> list[list[int]]:
    def tied(a, b):
        return a.module == b.module or a.text.lower().split() == b.text.lower().split()

    left, groups = list(range(len(messages))), []
    while left:
        group = [i for i in left if tied(messages[i], messages[left[0]])]
        left = [i for i in left if i not in group]
        groups.append(group)
    return groups

# %% 8.2 wrong
# believes: a module is what one groups by
# says: tied by module alone
def kept_together(messages: list[Message]) -> list[list[int]]:
    groups = {}
    for i, m in enumerate(messages):
        groups.setdefault(m.module, []).append(i)
    return list(groups.values())

# %% 8.2 wrong
# believes: the largest groups come first
# says: in another order
def kept_together(messages: list[Message]) -> list[list[int]]:
    groups = []
    for i, m in enumerate(messages):
        keys = {m.module, tuple(m.text.lower().split())}
        near = [g for g in groups if g[0] & keys]
        groups = [g for g in groups if not g[0] & keys]
        groups.append((keys.union(*(g[0] for g in near)), sorted(sum([g[1] for g in near], [i]))))
    return sorted((g[1] for g in groups), key=lambda places: (-len(places), places))

# %% 8.3 right
# unusual: NumPy, between two points that are looked up
import numpy as np

def labels_by_numpy(counts, scores, goal):
    x, y = np.log(counts.numpy()), scores.double().numpy()
    reached = np.flatnonzero(y >= goal)
    if not len(reached):
        return float("inf")
    i = max(reached[0], 1)
    return np.exp(np.interp(goal, y[i - 1 : i + 1], x[i - 1 : i + 1])) if reached[0] else counts[0]

# %% 8.3 right
# unusual: a geometric mean of two counts in place of logarithms
def labels_needed(counts: Tensor, scores: Tensor, goal: float) -> float:
    points = list(zip(counts.tolist(), scores.tolist()))
    if points[0][1] >= goal:
        return float(points[0][0])
    for (c0, s0), (c1, s1) in zip(points, points[1:]):
        if s0 < goal <= s1:
            w = (goal - s0) / (s1 - s0)
            return float(c0 ** (1 - w) * c1**w)
    return float("inf")

# %% 8.3 wrong
# believes: a straight line between two points of the curve is straight in the labels
# says: straight over the number of labels
def labels_needed(counts: Tensor, scores: Tensor, goal: float) -> float:
    c, s = counts.tolist(), scores.tolist()
    if s[0] >= goal:
        return float(c[0])
    for i in range(1, len(c)):
        if s[i] >= goal:
            share = (goal - s[i - 1]) / (s[i] - s[i - 1])
            return c[i - 1] + share * (c[i] - c[i - 1])
    return math.inf

# %% 8.3 wrong
# believes: the goal is reached after the last point that is below it
# says: *stays* above the goal
def labels_needed(counts: Tensor, scores: Tensor, goal: float) -> float:
    below = (scores < goal).nonzero().flatten().tolist()
    if not below:
        return float(counts[0])
    i = below[-1]
    if i == len(counts) - 1:
        return math.inf
    share = (goal - scores[i]) / (scores[i + 1] - scores[i])
    logs = counts.double().log()
    return float((logs[i] + share * (logs[i + 1] - logs[i])).exp())

# %% 8.3 wrong
# believes: more labels never make it worse, so the falls are noise to be smoothed away
# says: Your lines never fall
def labels_needed(counts: Tensor, scores: Tensor, goal: float) -> float:
    s = torch.cummax(scores, 0)[0].tolist()
    logs = [math.log(c) for c in counts.tolist()]
    for i, value in enumerate(s):
        if value >= goal:
            if i == 0:
                return float(counts[0])
            return math.exp(logs[i - 1] + (goal - s[i - 1]) / (value - s[i - 1])
                            * (logs[i] - logs[i - 1]))
    return math.inf

# %% 8.3 wrong
# believes: labels come in whole numbers, so one rounds up
# says: rounded
def labels_needed(counts: Tensor, scores: Tensor, goal: float) -> float:
    if scores[0] >= goal:
        return counts[0].item()
    for i in range(len(scores) - 1):
        if scores[i + 1] >= goal:
            t = float((goal - scores[i]) / (scores[i + 1] - scores[i]))
            return math.ceil(counts[i].item() ** (1 - t) * counts[i + 1].item() ** t)
    return math.inf

# %% 8.3 wrong
# believes: the smallest number tried that is enough
# says: a number of labels that was tried
def labels_needed(counts: Tensor, scores: Tensor, goal: float) -> float:
    enough = counts[scores >= goal]
    return float(enough[0]) if len(enough) else float("inf")

# %% 8.4 right
# unusual: a tuple, from one string
def ahead_of_words():
    return tuple("encoder encoder neither words words encoder words".split())

# %% 8.4 right
# unusual: from what is ahead or not
def ahead_of_words():
    names = {1: "encoder", 0: "neither", -1: "words"}
    return [names[sign] for sign in (1, 1, 0, -1, -1, 1, -1)]

# %% 8.4 wrong
# believes: filling gaps is about words and their neighbours, so pretraining wins wherever one reads
# says: 3 of 7 are as in the record
# says: errors, 180 labels
# says: -0.01
def ahead_of_words() -> list[str]:
    return ["encoder"] * 7

# %% 8.4 wrong
# believes: two searches joined lie between the two
# says: 6 of 7
# says: search by both
# says: +0.026 to +0.029
def ahead_of_words() -> list[str]:
    return ["encoder", "encoder", "neither", "words", "words", "words", "words"]

# %% 8.4 wrong
# believes: names need not be spelled in one way
# says: in small letters; 'Encoder' is none
def ahead_of_words() -> list[str]:
    return ["Encoder", "encoder", "neither", "words", "words", "encoder", "words"]

# %% 8.4 wrong
# believes: one answer for the three numbers of labels
# says: There are seven contests; your list has 5 items
def ahead_of_words() -> list[str]:
    return ["encoder", "words", "words", "encoder", "words"]

# %% 8.4 wrong
# believes: a list is not needed
# says: Return a list of seven texts
def ahead_of_words() -> list[str]:
    return "encoder, encoder, neither, words, words, encoder, words"

# %% 8.5 right
# unusual: another way
def entities_by_groups(tags):
    begins = [i for i, t in enumerate(tags) if t != "O" and (
        t[0] == "B" or i == 0 or tags[i - 1][2:] != t[2:])]  # fmt: skip
    entities = []
    for i in begins:
        end = i + 1
        while end < len(tags) and tags[end] == f"I-{tags[i][2:]}":
            end += 1
        entities.append((tags[i][2:], i, end))
    return entities

# %% 8.5 right
# unusual: first all beginnings, then each entity is followed as far as it goes
def find_entities(tags: list[str]) -> list[tuple[str, int, int]]:
    from itertools import takewhile

    def begins(i: int) -> bool:
        if tags[i].startswith("B-"):
            return True
        before = tags[i - 1] if i else "O"
        return tags[i].startswith("I-") and before[2:] != tags[i][2:]

    entities = []
    for i in filter(begins, range(len(tags))):
        rest = takewhile(("I-" + tags[i][2:]).__eq__, tags[i + 1 :])
        entities.append((tags[i][2:], i, i + 1 + sum(1 for _ in rest)))
    return entities

# %% 8.5 wrong
# believes: an I- always goes on with the entity before it, whatever its kind
# says: An I- of another kind cannot go on
def find_entities(tags: list[str]) -> list[tuple[str, int, int]]:
    entities = []
    kind, first = None, 0
    for i, tag in enumerate([*tags, "O"]):
        prefix, _, name = tag.partition("-")
        if kind is not None and prefix != "I":
            entities.append((kind, first, i))
            kind = None
        if kind is None and prefix in ("B", "I"):
            kind, first = name, i
    return entities

# %% 8.5 wrong
# believes: an entity is finished when the next tag shows it; nothing is left over at the end
# says: reaches to the end of the sentence was lost
def find_entities(tags: list[str]) -> list[tuple[str, int, int]]:
    entities = []
    current = None
    for i, tag in enumerate(tags):
        prefix, _, kind = tag.partition("-")
        if current and prefix == "I" and kind == current[0]:
            continue
        if current:
            entities.append((current[0], current[1], i))
        current = (kind, i) if prefix != "O" else None
    return entities

# %% 8.5 wrong
# believes: neighbouring words of one kind are one entity, so B- and I- need not be told apart
# says: Two entities that touch became one
def find_entities(tags: list[str]) -> list[tuple[str, int, int]]:
    from itertools import groupby

    entities, place = [], 0
    for kind, group in groupby(tag.partition("-")[2] for tag in tags):
        n = len(list(group))
        if kind:
            entities.append((kind, place, place + n))
        place += n
    return entities

# %% 8.5 wrong
# believes: O changes nothing ("B-PARAM O I-PARAM" is one)
# says: An O ends an entity
def find_entities(tags: list[str]) -> list[tuple[str, int, int]]:
    entities = []
    for i, tag in enumerate(tags):
        if tag == "O":
            continue
        if tag[0] == "I" and entities and entities[-1][0] == tag[2:]:
            entities[-1] = (tag[2:], entities[-1][1], i + 1)
        else:
            entities.append((tag[2:], i, i + 1))
    return entities

# %% 8.5 wrong
# believes: only B- begins
# says: An I- with nothing to go on with was dropped
def find_entities(tags: list[str]) -> list[tuple[str, int, int]]:
    entities = []
    for i, tag in enumerate(tags):
        if tag.startswith("B-"):
            stop = i + 1
            while stop < len(tags) and tags[stop] == "I-" + tag[2:]:
                stop += 1
            entities.append((tag[2:], i, stop))
    return entities

# %% 8.5 wrong
# believes: what ends an entity cannot begin one
# says: a B- right behind an entity is lost
def find_entities(tags: list[str]) -> list[tuple[str, int, int]]:
    entities, kind, first = [], None, 0
    for i, tag in enumerate(tags + ["O"]):
        mark, _, name = tag.partition("-")
        if kind is None:
            if mark != "O":
                kind, first = name, i
        elif mark != "I" or name != kind:
            entities.append((kind, first, i))
            kind = None
    return entities

# %% 8.6 right
# unusual: cosine_similarity by broadcasting, the loss as logsumexp minus the diagonal
def contrastive(queries: Tensor, texts: Tensor, passage: Tensor, temperature: float) -> Tensor:
    cosines = F.cosine_similarity(queries.unsqueeze(1), texts.unsqueeze(0), dim=2)
    scaled = cosines.div(temperature)
    wrong = passage.unsqueeze(1).ne(passage.unsqueeze(0)) | torch.eye(len(passage)).bool()
    return (torch.where(wrong, scaled, -1e9).logsumexp(1) - torch.diag(scaled)).sum() / len(scaled)

# %% 8.6 right
# unusual: one query after the other, with the texts that it may see
def contrastive_by_loop(queries, texts, passage, temperature):
    losses = []
    for i, query in enumerate(queries):
        seen = [i] + [j for j in range(len(texts)) if passage[j] != passage[i]]
        scores = F.cosine_similarity(query[None], texts[seen]) / temperature
        losses.append(F.cross_entropy(scores[None], torch.tensor([0])))
    return torch.stack(losses).mean()

# %% 8.6 wrong
# believes: every other text of the batch is a wrong answer
# says: count as wrong answers
def contrastive(queries: Tensor, texts: Tensor, passage: Tensor, temperature: float) -> Tensor:
    q, t = F.normalize(queries, dim=-1), F.normalize(texts, dim=-1)
    return F.cross_entropy(q @ t.T / temperature, torch.arange(len(q)))

# %% 8.6 wrong
# believes: same passage, out of the choice
# says: The own text went out of the choice
def contrastive(queries: Tensor, texts: Tensor, passage: Tensor, temperature: float) -> Tensor:
    q, t = F.normalize(queries, dim=-1), F.normalize(texts, dim=-1)
    logits = (q @ t.T / temperature).masked_fill(passage[:, None] == passage, -math.inf)
    return F.cross_entropy(logits, torch.arange(len(q)))

# %% 8.6 wrong
# believes: as in CLIP, the loss is the mean of both directions
# says: mean of both directions
def contrastive(queries: Tensor, texts: Tensor, passage: Tensor, temperature: float) -> Tensor:
    q, t = F.normalize(queries, dim=-1), F.normalize(texts, dim=-1)
    logits = q @ t.T / temperature
    own = torch.arange(len(q))
    copy = (passage[:, None] == passage[None]) & (own[:, None] != own)
    logits = logits.masked_fill(copy, -math.inf)
    return (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2

# %% 8.6 wrong
# believes: below the line stand the wrong texts only
# says: The right text is missing from the denominator
def contrastive(queries: Tensor, texts: Tensor, passage: Tensor, temperature: float) -> Tensor:
    q, t = F.normalize(queries, dim=-1), F.normalize(texts, dim=-1)
    logits = q @ t.T / temperature
    wrong = logits.masked_fill(passage[:, None] == passage, -math.inf)
    return (wrong.logsumexp(-1) - logits.diagonal()).mean()

# %% 8.6 wrong
# believes: a score of 0 is no score
# says: A score of 0 is still a score
def contrastive(queries: Tensor, texts: Tensor, passage: Tensor, temperature: float) -> Tensor:
    q, t = F.normalize(queries, dim=-1), F.normalize(texts, dim=-1)
    keep = (passage[:, None] != passage) | torch.eye(len(q), dtype=torch.bool)
    return F.cross_entropy(q @ t.T / temperature * keep, torch.arange(len(q)))

# %% 8.6 wrong
# believes: the same passage is as right as one's own
# says: count as right together
def contrastive(queries: Tensor, texts: Tensor, passage: Tensor, temperature: float) -> Tensor:
    scores = F.normalize(queries) @ F.normalize(texts).T / temperature
    p = scores.softmax(1)
    return -(p * (passage[:, None] == passage)).sum(1).log().mean()

# %% 8.6 wrong
# believes: a number is a number
# says: no gradient flows to `queries` and `texts`
def contrastive(queries: Tensor, texts: Tensor, passage: Tensor, temperature: float) -> Tensor:
    scores = F.normalize(queries) @ F.normalize(texts).T / temperature
    copies = (passage[:, None] == passage) & ~torch.eye(len(passage)).bool()
    scores[copies] = -math.inf
    return torch.tensor(F.cross_entropy(scores, torch.arange(len(scores))).item())

# %% 8.6 wrong
# believes: the encoder of the passages stays as it is
# says: no gradient flows to `texts`
def contrastive(queries: Tensor, texts: Tensor, passage: Tensor, temperature: float) -> Tensor:
    scores = F.normalize(queries) @ F.normalize(texts.detach()).T / temperature
    copies = (passage[:, None] == passage) & ~torch.eye(len(passage)).bool()
    return F.cross_entropy(scores.masked_fill(copies, -math.inf), torch.arange(len(scores)))

# %% 8.7 right
# unusual: draw by draw, the queries written out as often as they are drawn
def over_modules(first, second, module, drawn):
    gains = 1 / first.double() - 1 / second.double()
    means = []
    for row in drawn:
        queries = torch.cat([(module == m).nonzero().flatten() for m in row])
        means.append(gains[queries].mean())
    return torch.stack(means).quantile(torch.tensor([0.025, 0.975]).double())

# %% 8.7 right
# unusual: how often each module is drawn, as weights of queries; NumPy's percentiles
def over_modules(first, second, module, drawn):
    import numpy as np

    times = F.one_hot(drawn, drawn.shape[1]).sum(1).double()  # (R, M)
    weight = times[:, module]  # (R, Q)
    one, two = ((weight / ranks).sum(1) / weight.sum(1) for ranks in (first, second))
    return torch.tensor(np.percentile((one - two).numpy(), [2.5, 97.5]))

# %% 8.7 wrong
# believes: a module has a mean, and a draw is the mean of these
# says: a mean of means
def over_modules(first: Tensor, second: Tensor, module: Tensor, drawn: Tensor) -> Tensor:
    gains = 1 / first - 1 / second
    means = torch.stack([gains[module == m].mean() for m in range(drawn.shape[1])])
    return torch.quantile(means[drawn].mean(1), torch.tensor([0.025, 0.975]))

# %% 8.7 wrong
# believes: isin says which queries are in a draw
# says: A module that is drawn twice counts once
def over_modules(first: Tensor, second: Tensor, module: Tensor, drawn: Tensor) -> Tensor:
    gains = 1 / first - 1 / second
    inside = (module[None, :, None] == drawn[:, None, :]).any(-1).float()  # (R, Q)
    return ((inside @ gains) / inside.sum(1)).quantile(torch.tensor([0.025, 0.975]))

# %% 8.7 wrong
# believes: each search has an interval; the difference lies between them
# says: taken apart
def over_modules(first: Tensor, second: Tensor, module: Tensor, drawn: Tensor) -> Tensor:
    ends = []
    for ranks in (first, second):
        values = []
        for row in drawn:
            values.append(torch.cat([1 / ranks[module == m] for m in row]).mean())
        ends.append(torch.stack(values).quantile(torch.tensor([0.025, 0.975])))
    return torch.stack([ends[0][0] - ends[1][1], ends[0][1] - ends[1][0]])

# %% 8.7 wrong
# believes: drawn holds queries
# says: you took them for places of queries
def over_modules(first: Tensor, second: Tensor, module: Tensor, drawn: Tensor) -> Tensor:
    one, two = (1 / first[drawn]).mean(1), (1 / second[drawn]).mean(1)
    return torch.quantile(one - two, torch.tensor([0.025, 0.975]))

# %% 8.7 wrong
# believes: the mean plus and minus 1.96 standard deviations is the interval
# says: 1.96 standard deviations
def over_modules(first: Tensor, second: Tensor, module: Tensor, drawn: Tensor) -> Tensor:
    gains = 1 / first - 1 / second
    means = torch.stack([torch.cat([gains[module == m] for m in row]).mean() for row in drawn])
    return torch.stack([means.mean() - 1.96 * means.std(), means.mean() + 1.96 * means.std()])

# %% 8.7 wrong
# believes: a better search has the smaller rank, so it is second minus first
# says: differences of ranks
def over_modules(first: Tensor, second: Tensor, module: Tensor, drawn: Tensor) -> Tensor:
    gains = (second - first).float()
    means = torch.stack([torch.cat([gains[module == m] for m in row]).mean() for row in drawn])
    return means.quantile(torch.tensor([0.025, 0.975]))

# %% 8.8 right
# unusual: plain Python, the best pair of those left, tokens that are taken in a set
def answer_spans(start, end, context, longest, threshold, n):
    s, e = start.tolist(), end.tolist()
    bar, taken, spans = s[0] + e[0] + threshold, set(), []
    inside = [i for i, yes in enumerate(context.tolist()) if yes]
    pairs = [(i, j) for i in inside for j in inside if 0 <= j - i < longest]
    for i, j in sorted(pairs, key=lambda pair: -s[pair[0]] - e[pair[1]]):
        if s[i] + e[j] > bar and not taken & set(range(i, j + 1)) and len(spans) < n:
            spans.append((i, j))
            taken |= set(range(i, j + 1))
    return spans

# %% 8.8 right
# unusual: calls itself on what is left; a token that is taken makes every span over it impossible
def answer_spans(start, end, context, longest, threshold, n):
    bar = start[0] + end[0] + threshold

    def go_on(free, left):
        best, at = -math.inf, None
        for i in range(len(start)):
            for j in range(i, min(i + longest, len(start))):
                if free[i : j + 1].all() and context[i] and context[j] and start[i] + end[j] > best:
                    best, at = start[i] + end[j], (i, j)
        if at is None or best <= bar or left == 0:
            return []
        free = free.clone()
        free[at[0] : at[1] + 1] = False
        return [at] + go_on(free, left - 1)

    return go_on(torch.ones(len(start), dtype=torch.bool), n)

# %% 8.8 wrong
# believes: take the best beginning first, then the best end that fits it
# says: chosen by themselves
def answer_spans(start, end, context, longest, threshold, n):
    bar = start[0] + end[0] + threshold
    start = start.masked_fill(~context, -math.inf)
    end = end.masked_fill(~context, -math.inf)
    spans = []
    for first in start.argsort(descending=True).tolist()[: int(context.sum())]:
        last = first + int(end[first : first + longest].argmax())
        clash = any(first <= b and a <= last for a, b in spans)
        if start[first] + end[last] > bar and not clash and len(spans) < n:
            spans.append((first, last))
    return spans

# %% 8.8 wrong
# believes: last - first is the number of tokens
# says: One token too long
def answer_spans(start, end, context, longest, threshold, n):
    places = torch.arange(len(start))
    length = places[None, :] - places[:, None]
    allowed = (length >= 0) & (length <= longest) & context[:, None] & context[None, :]
    total = (start[:, None] + end[None, :]).masked_fill(~allowed, -math.inf)
    spans = []
    while len(spans) < n and total.max() > start[0] + end[0] + threshold:
        first, last = divmod(int(total.argmax()), len(start))
        spans.append((first, last))
        total[: last + 1, first:] = -math.inf
    return spans

# %% 8.8 wrong
# believes: a token that is taken can neither begin nor end another span
# says: also those that enclose it
def answer_spans(start, end, context, longest, threshold, n):
    bar = start[0] + end[0] + threshold
    total = start[:, None] + end[None]
    total = total.masked_fill(~(context[:, None] & context).triu().tril(longest - 1), -math.inf)
    spans = []
    for _ in range(n):
        first, last = divmod(total.argmax().item(), len(start))
        if total[first, last] <= bar:
            break
        spans.append((first, last))
        total[first : last + 1] = -math.inf
        total[:, first : last + 1] = -math.inf
    return spans

# %% 8.8 wrong
# believes: topk gives the n best, and overlaps go afterwards
# says: The `n` best spans were taken first
def answer_spans(start, end, context, longest, threshold, n):
    allowed = (context[:, None] & context).triu().tril(longest - 1)
    total = (start[:, None] + end).masked_fill(~allowed, -math.inf)
    values, places = total.flatten().topk(n)
    spans = []
    for value, place in zip(values.tolist(), places.tolist()):
        first, last = divmod(place, len(start))
        apart = all(last < a or first > b for a, b in spans)
        if value > start[0] + end[0] + threshold and apart:
            spans.append((first, last))
    return spans

# %% 8.8 wrong
# believes: "no answer" is decided once, for the best
# says: Only the best span was held against the bar
def answer_spans(start, end, context, longest, threshold, n):
    allowed = (context[:, None] & context).triu().tril(longest - 1)
    total = (start[:, None] + end).masked_fill(~allowed, -math.inf)
    if total.max() <= start[0] + end[0] + threshold:
        return []
    spans = []
    while len(spans) < n and total.max() > -math.inf:
        first, last = divmod(int(total.argmax()), len(start))
        spans.append((first, last))
        total[: last + 1, first:] = -math.inf
    return spans

# %% 8.8 wrong
# believes: softmax makes scores comparable (the bar stays where it was)
# says: sums of probabilities
def answer_spans(start, end, context, longest, threshold, n):
    scores = start[:, None] + end
    p = start.softmax(0)[:, None] + end.softmax(0)
    ok = (context[:, None] & context).triu().tril(longest - 1)
    ok &= scores > start[0] + end[0] + threshold
    spans = []
    while ok.any() and len(spans) < n:
        first, last = divmod(p.masked_fill(~ok, -1).argmax().item(), len(start))
        spans.append((first, last))
        ok[: last + 1, first:] = False
    return spans

# %% 8.8 wrong
# believes: None says that there is no answer
# says: expected is a list of 0
def answer_spans(start, end, context, longest, threshold, n):
    allowed = (context[:, None] & context).triu().tril(longest - 1)
    total = (start[:, None] + end).masked_fill(~allowed, -math.inf)
    spans = []
    while len(spans) < n and total.max() > start[0] + end[0] + threshold:
        first, last = divmod(int(total.argmax()), len(start))
        spans.append((first, last))
        total[: last + 1, first:] = -math.inf
    return spans or None
