# %% 11.1 right
# unusual: place by place, in Python
def mixed_place_by_place(p, answers):
    total = 0.0
    for one in answers.tolist():
        chance = 1.0
        for place, word in enumerate(one):
            agree = [m for m, other in enumerate(answers.tolist()) if other[place] == word]
            chance *= sum(float(p[m]) for m in agree)
        total += chance
    return total

# %% 11.1 right
# unusual: a dictionary of word chances for each place, Python floats, math.prod
def chance_of_right(p: Tensor, answers: Tensor) -> float:
    import math
    from collections import defaultdict

    chances, rows = p.tolist(), answers.tolist()
    tables = []
    for column in zip(*rows):
        table = defaultdict(float)
        for chance, word in zip(chances, column):
            table[word] += chance
        tables.append(table)
    return sum(math.prod(table[word] for table, word in zip(tables, row)) for row in rows)

# %% 11.1 right
# unusual: one einsum, in double, a tensor without dimensions instead of a float
def chance_of_right(p, answers):
    same = (answers[:, None] == answers[None]).double()
    return torch.einsum("m,kml->kl", p.double(), same).log().sum(1).exp().sum()

# %% 11.1 wrong
# believes: all L places must draw their word from the same answer, chance p ** L for each
# says: Another answer with the same word there helps, too
def chance_of_right(p: Tensor, answers: Tensor) -> float:
    L = answers.shape[1]
    return (p**L).sum().item()

# %% 11.1 wrong
# believes: p weighs an answer as a whole as well
# says: p is in the chances of the places already
def chance_of_right(p, answers):
    total = 0.0
    for m, one in enumerate(answers):
        agree = answers == one
        total += p[m] * (agree * p[:, None]).sum(0).prod()
    return total.item()

# %% 11.1 wrong
# believes: the share of answers with the word is its probability
# says: The answers count alike here
def chance_of_right(p, answers):
    return sum((answers == one).float().mean(0).prod().item() for one in answers)

# %% 11.1 wrong
# believes: a text is right if at least one of its places is
# says: chances of its places are averaged
def chance_of_right(p, answers):
    at_places = torch.stack([(p[:, None] * (answers == one)).sum(0) for one in answers])
    return at_places.mean(1).sum().item()

# %% 11.1 wrong
# believes: the chances of the answers multiply, too; the first step is right, which is said
# says: how likely each answer's word is at each place
# says: as they should: what goes wrong comes after that
def chance_of_right(p, answers):
    table = [(p[:, None] * (answers == one)).sum(0) for one in answers]
    total = 1.0
    for row in table:
        total *= row.prod().item()
    return total

# %% 11.2 right
# unusual: rows, sorted
import math
import torch

def hidden_by_sorting(target, share, noise):
    masked = torch.zeros_like(target, dtype=torch.bool)
    for row, ids in enumerate(target):
        places = ids.nonzero()[:, 0]
        n = math.floor(share[row].item() * len(places)) + 1
        masked[row, places[noise[row, places].sort().indices[:n]]] = True
    return masked

# %% 11.2 right
# unusual: a loop over the rows with Python's sorted
def hide_for_training(target: Tensor, share: Tensor, noise: Tensor) -> Tensor:
    hidden = torch.zeros(target.shape, dtype=torch.bool)
    for b, row in enumerate(target.tolist()):
        words = [place for place, word in enumerate(row) if word != 0]
        n = 1 + int(share[b] * len(words))
        for place in sorted(words, key=lambda place: noise[b, place].item())[:n]:
            hidden[b, place] = True
    return hidden

# %% 11.2 right
# unusual: the n-th smallest noise as a threshold, padding's noise lifted by one
def hide_for_training(target, share, noise):
    real = target.bool()
    n = (share * real.sum(-1)).floor().int() + 1
    lifted = noise + (~real).float()
    limit = lifted.sort(-1).values.gather(-1, n[:, None].long() - 1)
    return lifted.le(limit)

# %% 11.2 wrong
# believes: L is the width of the batch
# says: The number comes from the width of the batch
def hide_for_training(target: Tensor, share: Tensor, noise: Tensor) -> Tensor:
    L = target.shape[1]
    n = 1 + (share * L).long()
    noise = noise.masked_fill(target == 0, float("inf"))
    ranks = noise.argsort(1).argsort(1)
    return (ranks < n[:, None]) & (target != 0)

# %% 11.2 wrong
# believes: padding is taken out at the end; that it uses up places among the smallest is overlooked
# says: Rows with padding hide too few words
def hide_for_training(target: Tensor, share: Tensor, noise: Tensor) -> Tensor:
    words = target != 0
    n = 1 + (share * words.sum(1)).floor().long()
    ranks = noise.argsort(dim=1).argsort(dim=1)
    return (ranks < n[:, None]) & words

# %% 11.2 wrong
# believes: padding has no special noise; named falsely as "the width was used" before
# says: Padding is hidden
def hide_for_training(target, share, noise):
    n = 1 + (share * (target != 0).sum(1)).long()
    ranks = noise.argsort(1).argsort(1)
    return ranks < n[:, None]

# %% 11.2 wrong
# believes: argsort gives ranks
# says: A second one turns the list into each place's rank
def hide_for_training(target, share, noise):
    real = target != 0
    n = 1 + (share * real.sum(1)).long()
    order = noise.where(real, torch.inf).argsort(1)
    return (order < n[:, None]) & real

# %% 11.2 wrong
# believes: rounding up is "1 plus, rounded down"
# says: with a share of 0 nothing is hidden
def hide_for_training(target, share, noise):
    real = target != 0
    n = (share * real.sum(1)).ceil().long()
    return noise.masked_fill(~real, 9.0).argsort(1).argsort(1) < n[:, None]

# %% 11.2 wrong
# believes: the n-th smallest noise itself is the limit; 1 was added, so nothing may be said about that
# says: One word too few goes in each row
def hide_for_training(target, share, noise):
    real = target != 0
    n = 1 + (share * real.sum(1)).long()
    lifted = noise.masked_fill(~real, 2.0)
    limit = lifted.sort(1).values.gather(1, n[:, None] - 1)
    return lifted < limit

# %% 11.3 right
# unusual: in place on copies, only the hidden places
from torch.nn import functional as F

def filled_in_place(predict, tokens, confidence, masked):
    canvas = tokens.clone()
    canvas[masked] = 4
    p, best = F.softmax(predict(canvas), -1)[masked].max(-1)
    new = confidence.clone()
    canvas[masked], new[masked] = best, p
    return canvas, new

# %% 11.3 right
# unusual: the probability from logsumexp, in double
def fill(predict, tokens, confidence, masked):
    logits = predict(torch.where(masked, 4, tokens)).double()
    top = logits.topk(1).values.squeeze(-1)
    p = (top - logits.logsumexp(-1)).exp().float()
    return tokens * ~masked + logits.argmax(-1) * masked, confidence * ~masked + p * masked

# %% 11.3 wrong
# believes: the model is asked about the page as it is; [MASK] need not be written
# says: The model was shown the words it is to replace
def fill(
    predict: Callable[[Tensor], Tensor], tokens: Tensor, confidence: Tensor, masked: Tensor
) -> tuple[Tensor, Tensor]:
    p, words = predict(tokens).softmax(-1).max(-1)
    return torch.where(masked, words, tokens), torch.where(masked, p, confidence)

# %% 11.3 wrong
# believes: confidence comes first; was answered with advice about dtypes
# says: The results are right, but in another order
def fill(predict, tokens, confidence, masked):
    p, words = predict(tokens.masked_fill(masked, 4)).softmax(-1).max(-1)
    return torch.where(masked, p, confidence), torch.where(masked, words, tokens)

# %% 11.3 wrong
# believes: every place is judged anew
# says: The confidences of words that were not hidden are new, too
def fill(predict, tokens, confidence, masked):
    p, words = predict(tokens.masked_fill(masked, 4)).softmax(-1).max(-1)
    return torch.where(masked, words, tokens), p

# %% 11.3 wrong
# believes: two calls, one for words and one for numbers, are as good
# says: is called twice
def fill(predict, tokens, confidence, masked):
    page = tokens.masked_fill(masked, 4)
    best, p = predict(page).argmax(-1), predict(page).softmax(-1).amax(-1)
    return torch.where(masked, best, tokens), torch.where(masked, p, confidence)

# %% 11.3 wrong
# believes: log-probabilities are confidences
# says: The confidences are logarithms
def fill(predict, tokens, confidence, masked):
    best = predict(tokens.masked_fill(masked, 4)).log_softmax(-1).max(-1)
    return best.indices.where(masked, tokens), best.values.where(masked, confidence)

# %% 11.3 wrong
# believes: masked_fill works on the spot
# says: The model was shown the words it is to replace
def fill(predict, tokens, confidence, masked):
    tokens.masked_fill(masked, 4)
    p, words = predict(tokens).softmax(-1).max(-1)
    return torch.where(masked, words, tokens), torch.where(masked, p, confidence)

# %% 11.4 right
# unusual: no `lowest`, everything by hand, from the back
from torch.nn import functional as F
import torch

def filled_in_place(predict, tokens, confidence, masked):
    canvas = tokens.clone()
    canvas[masked] = 4
    p, best = F.softmax(predict(canvas), -1)[masked].max(-1)
    new = confidence.clone()
    canvas[masked], new[masked] = best, p
    return canvas, new


def reopened_by_sorting(confidence, real, done, steps):
    opened = torch.zeros_like(real)
    for row in range(len(real)):
        places = [i for i in range(real.shape[1]) if real[row, i]]
        places.sort(key=lambda i: confidence[row, i].item())
        opened[row, places[: max(1, len(places) * (steps - done) // steps)]] = True
    return opened


def mask_predict_row_by_row(predict, real, steps):
    tokens, confidence = torch.zeros(real.shape, dtype=torch.int64), torch.ones(real.shape)
    tokens[real] = 4
    opened = real
    for left in range(steps, 0, -1):
        if left < steps:
            opened = reopened_by_sorting(confidence, real, steps - left, steps)
        tokens, confidence = filled_in_place(predict, tokens, confidence, opened)
    return tokens, confidence

# %% 11.4 right
# unusual: recursion from the last step down to the blank page
def mask_predict(
    predict: Callable[[Tensor], Tensor], real: Tensor, steps: int
) -> tuple[Tensor, Tensor]:
    def after(done: int) -> tuple[Tensor, Tensor]:
        if done == 0:
            return 4 * real.long(), 1.0 - real.float()
        tokens, confidence = after(done - 1)
        n = (real.sum(1) * (steps - done + 1) // steps).clamp(min=1)
        masked = real if done == 1 else lowest(confidence.where(real, torch.inf), n)
        return fill(predict, tokens, confidence, masked)

    return after(steps)

# %% 11.4 right
# unusual: the first step is no exception: N of N are the lowest, whatever the confidences
def mask_predict(predict, real, steps):
    N, tokens, confidence = real.sum(1), torch.where(real, 4, 0), torch.where(real, 0.5, 1.0)
    for left in range(steps, 0, -1):
        n = torch.maximum(N * left // steps, torch.ones_like(N))
        tokens, confidence = fill(predict, tokens, confidence, lowest(confidence, n))
    return tokens, confidence

# %% 11.4 wrong
# believes: the blank page is step 0, then come all the steps
# says: One step too many
def mask_predict(predict, real, steps):
    tokens = torch.where(real, 4, 0)
    confidence = torch.where(real, 0.0, 1.0)
    tokens, confidence = fill(predict, tokens, confidence, real)
    for done in range(1, steps + 1):
        n = (real.sum(1) * (steps - done) // steps).clamp(min=1)
        tokens, confidence = fill(predict, tokens, confidence, lowest(confidence, n))
    return tokens, confidence

# %% 11.4 wrong
# believes: what has been kept once stays; only hidden words may be hidden again
# says: Words that were kept once are never hidden again
def mask_predict(predict, real, steps):
    tokens = torch.where(real, 4, 0)
    confidence = torch.ones(real.shape)
    masked = real
    for done in range(1, steps + 1):
        tokens, confidence = fill(predict, tokens, confidence, masked)
        n = (real.sum(1) * (steps - done) // steps).clamp(min=1)
        masked = masked & lowest(confidence.masked_fill(~real, torch.inf), n)
    return tokens, confidence

# %% 11.4 wrong
# believes: done / steps is the share that goes again
# says: The number of hidden words grows with the steps
def mask_predict(predict, real, steps):
    tokens, confidence = fill(predict, 4 * real.long(), torch.ones(real.shape), real)
    for done in range(1, steps):
        n = (real.sum(1) * done // steps).clamp(min=1)
        tokens, confidence = fill(predict, tokens, confidence, lowest(confidence, n))
    return tokens, confidence

# %% 11.4 wrong
# believes: N is the width of the page; `& real` keeps padding out
# says: All rows hide as many words as the longest one
def mask_predict(predict, real, steps):
    N = real.shape[1]
    tokens, confidence = fill(predict, 4 * real.long(), torch.ones(real.shape), real)
    for done in range(1, steps):
        n = torch.full((len(real),), max(1, N * (steps - done) // steps))
        tokens, confidence = fill(predict, tokens, confidence, lowest(confidence, n) & real)
    return tokens, confidence

# %% 11.4 wrong
# believes: confidence begins at 0, also at padding, which is then the least sure
# says: Padding was written
def mask_predict(predict, real, steps):
    tokens, confidence = torch.where(real, 4, 0), torch.zeros(real.shape)
    for done in range(steps):
        n = (real.sum(1) * (steps - done) // steps).clamp(min=1)
        masked = real if done == 0 else lowest(confidence, n)
        tokens, confidence = fill(predict, tokens, confidence, masked)
    return tokens, confidence

# %% 11.4 wrong
# believes: the schedule never comes to 0
# says: With more steps than a row has words
def mask_predict(predict, real, steps):
    tokens, confidence = fill(predict, 4 * real.long(), torch.ones(real.shape), real)
    for done in range(1, steps):
        n = real.sum(1) * (steps - done) // steps
        tokens, confidence = fill(predict, tokens, confidence, lowest(confidence, n))
    return tokens, confidence

# %% 11.4 wrong
# believes: at least two words should go, so that they can be chosen together; the stages are named
# says: the tokens after the first step
# says: how many words of each row the last step hides
def mask_predict(predict, real, steps):
    page = torch.where(real, 4, 0)
    tokens, confidence = fill(predict, page, torch.ones(real.shape), real)
    for done in range(1, steps):
        n = (real.sum(1) * (steps - done) // steps).clamp(min=2)
        masked = lowest(confidence, n)
        tokens, confidence = fill(predict, tokens, confidence, masked)
    return tokens, confidence

# %% 11.4 wrong
# believes: the parts come as confidence, tokens
# says: The results are right, but in another order
def mask_predict(predict, real, steps):
    tokens, confidence = fill(predict, 4 * real.long(), torch.ones(real.shape), real)
    for done in range(1, steps):
        n = (real.sum(1) * (steps - done) // steps).clamp(min=1)
        tokens, confidence = fill(predict, tokens, confidence, lowest(confidence, n))
    return confidence, tokens

# %% 11.4 wrong
# believes: Python's max goes through the counts
# says: `torch.maximum`
def mask_predict(predict, real, steps):
    tokens, confidence = fill(predict, 4 * real.long(), torch.ones(real.shape), real)
    for done in range(1, steps):
        n = max(1, real.sum(1) * (steps - done) // steps)
        tokens, confidence = fill(predict, tokens, confidence, lowest(confidence, n))
    return tokens, confidence

# %% 11.5 right
# unusual: a generator of all faults in order, next() takes the first; sets of places
def first_faults(runs):
    def faults(tokens, confidence, masked):
        T, N = masked.shape
        for t in range(T):
            n = int(N * (T - t) / T) or 1
            hidden = {place for place in range(N) if masked[t, place]}
            if len(hidden) != n:
                yield t, "count"
            if t == 0:
                continue
            before = confidence[t - 1].tolist()
            if hidden != set(sorted(range(N), key=before.__getitem__)[:n]):
                yield t, "choice"
            for name, part in (("word", tokens), ("confidence", confidence)):
                if any(part[t, i] != part[t - 1, i] for i in set(range(N)) - hidden):
                    yield t, name

    return [next(faults(*run), (-1, "none")) for run in runs]

# %% 11.5 right
# unusual: tables (T,) for each rule, the code of the first fault from an argmax; lists for pairs
def first_faults(runs):
    names, results = ["count", "choice", "word", "confidence"], []
    for tokens, confidence, masked in runs:
        T, N = masked.shape
        n = (N * (T - torch.arange(T)) // T).clamp(min=1)
        rank = confidence[:-1].argsort(1).argsort(1)
        choice = torch.zeros(T, dtype=torch.bool)
        choice[1:] = ((rank < n[1:, None]) != masked[1:]).any(1)
        changed = [torch.zeros(T, dtype=torch.bool) for _ in range(2)]
        for table, part in zip(changed, (tokens, confidence)):
            table[1:] = ((part[1:] != part[:-1]) & ~masked[1:]).any(1)
        broken = torch.stack([masked.sum(1) != n, choice, *changed])  # (4, T)
        if not broken.any():
            results.append([-1, "none"])
            continue
        t = int(broken.any(0).int().argmax())
        results.append([t, names[int(broken[:, t].int().argmax())]])
    return results

# %% 11.5 wrong
# believes: a step's choice shows in its own row of confidences
# says: The choice is held against the confidences after the same step
def first_faults(runs):
    out = []
    for tokens, confidence, masked in runs:
        T, N = tokens.shape
        result = (-1, "none")
        for t in range(T):
            n = max(N * (T - t) // T, 1)
            least = lowest(confidence[t : t + 1], torch.tensor([n]))[0]
            stays = ~masked[t]
            if masked[t].sum() != n:
                result = (t, "count")
            elif t and not torch.equal(least, masked[t]):
                result = (t, "choice")
            elif t and (tokens[t] != tokens[t - 1])[stays].any():
                result = (t, "word")
            elif t and (confidence[t] != confidence[t - 1])[stays].any():
                result = (t, "confidence")
            else:
                continue
            break
        out.append(result)
    return out

# %% 11.5 wrong
# believes: the first step cannot be wrong, since nothing was there before it
# says: Step 0 was not looked at
def first_faults(runs):
    out = []
    for tokens, confidence, masked in runs:
        T, N = tokens.shape
        result = (-1, "none")
        for t in range(1, T):
            n = max(N * (T - t) // T, 1)
            least = lowest(confidence[t - 1 : t], torch.tensor([n]))[0]
            stays = ~masked[t]
            if masked[t].sum() != n:
                result = (t, "count")
            elif not torch.equal(least, masked[t]):
                result = (t, "choice")
            elif (tokens[t] != tokens[t - 1])[stays].any():
                result = (t, "word")
            elif (confidence[t] != confidence[t - 1])[stays].any():
                result = (t, "confidence")
            if result[0] > 0:
                break
        out.append(result)
    return out

# %% 11.5 wrong
# believes: the schedule goes down to nothing
# says: still hides one word at last
def first_faults(runs):
    out = []
    for tokens, confidence, masked in runs:
        T, N = tokens.shape
        result = (-1, "none")
        for t in range(T - 1, -1, -1):
            n = N * (T - t) // T
            stays = ~masked[t]
            if masked[t].sum() != n:
                result = (t, "count")
            elif t and not torch.equal(lowest(confidence[t - 1 : t], torch.tensor([n]))[0], masked[t]):
                result = (t, "choice")
            elif t and (tokens[t] != tokens[t - 1])[stays].any():
                result = (t, "word")
            elif t and (confidence[t] != confidence[t - 1])[stays].any():
                result = (t, "confidence")
        out.append(result)
    return out

# %% 11.5 wrong
# believes: the last sign of a fault is the fault: never stops looking
# says: These are the last steps that break a rule
def first_faults(runs):
    out = []
    for tokens, confidence, masked in runs:
        T, N = tokens.shape
        result = (-1, "none")
        for t in range(T):
            n = max(N * (T - t) // T, 1)
            stays = ~masked[t]
            if masked[t].sum() != n:
                result = (t, "count")
            elif t and not torch.equal(lowest(confidence[t - 1 : t], torch.tensor([n]))[0], masked[t]):
                result = (t, "choice")
            elif t and (tokens[t] != tokens[t - 1])[stays].any():
                result = (t, "word")
            elif t and (confidence[t] != confidence[t - 1])[stays].any():
                result = (t, "confidence")
        out.append(result)
    return out

# %% 11.5 wrong
# believes: one pair will do: the fault of the first run
# says: not 12
def first_faults(runs):
    return [(-1, "none")]

# %% 11.6 right
# unusual: five words, of which the second step sees three; a tuple
def two_steps_needed():
    return "a b c x y", "a b r d s", "a q c d t", "p b c u e", "a o m v e"

# %% 11.6 right
# found by a search through small vocabularies
def two_steps_needed():
    from itertools import product
    import random

    drawn = random.Random(0)

    def guess(rows, page):
        fitting = [row for row in rows if all(p in (None, w) for w, p in zip(row, page))]
        if not fitting:
            return None
        best = []
        for column in zip(*fitting):
            counts = sorted(((column.count(word), word) for word in set(column)), reverse=True)
            if len(counts) > 1 and counts[0][0] == counts[1][0]:
                return None
            best.append(counts[0])
        return best

    everything = list(product("abc", "def", "ghi", "jkl"))
    while True:
        rows = drawn.sample(everything, 7)
        first = guess(rows, [None] * 4)
        if not first or tuple(w for _, w in first) in rows:
            continue
        order = sorted(range(4), key=lambda i: first[i][0])
        if first[order[1]][0] == first[order[2]][0]:
            continue
        page = [None if i in order[:2] else first[i][1] for i in range(4)]
        second = guess(rows, page)
        if second and tuple(w for _, w in second) in rows:
            return [" ".join(row) for row in rows]

# %% 11.6 wrong
# believes: the example with a third answer to break the tie
# says: which is one of your answers already
def two_steps_needed():
    return ["today we go home", "we go home today", "we go home now", "you go home today"]

# %% 11.6 wrong
# believes: two answers are enough for two modes
# says: are equally likely at place 1: a tie
def two_steps_needed():
    return ["we left early", "they go today"]

# %% 11.6 wrong
# believes: three answers that each differ from the mixture in one place
# says: Which 1 of them are the least sure is a tie
def two_steps_needed():
    return ["we left early", "we go today", "they left today"]

# %% 11.6 wrong
# believes: the two surest words may come from different answers
# says: No answer of yours has these words together
def two_steps_needed():
    return ["a b x", "a c y", "a d z", "p b e", "q g e", "r h e"]

# %% 11.6 wrong
# believes: unequal weights may be written by repeating an answer
# says: no two alike
def two_steps_needed():
    return ["a d e", "a d e", "f b c", "a b e"]

# %% 11.6 wrong
# believes: a tensor of ids is expected
# says: does not return a list of texts
def two_steps_needed():
    return torch.tensor([[0, 1, 2], [0, 3, 4]])

# %% 11.7 right
# unusual: the other way round: cut the text, then match pieces with parts, each once
def which_are_right(parts, written):
    def fits(pieces, parts):
        if not pieces or not parts:
            return not pieces and not parts
        first, rest = pieces[0], pieces[1:]
        return any(
            first in ways and fits(rest, parts[:i] + parts[i + 1 :])
            for i, ways in enumerate(parts)
        )

    return [fits(text.split(" ; "), parts) for text in written]

# %% 11.7 right
# unusual: nested loops over indices, a list for the texts, numpy bools
def which_are_right(parts: list[list[str]], written: list[str]) -> list[bool]:
    import itertools

    import numpy as np

    texts = []
    for order in itertools.permutations(range(len(parts))):
        for chosen in itertools.product(*[parts[i] for i in order]):
            texts.append(" ; ".join(chosen))
    return [np.bool_(texts.count(text) > 0) for text in written]

# %% 11.7 wrong
# believes: the parts stand in the order in which they are given
# says: Only texts with the parts in the order of `parts` count here
def which_are_right(parts, written):
    return [text in {" ; ".join(chosen) for chosen in product(*parts)} for text in written]

# %% 11.7 wrong
# believes: the ways belong together, the n-th with the n-th
# says: The ways are paired here
def which_are_right(parts, written):
    allowed = []
    for chosen in zip(*parts):
        allowed += [" ; ".join(order) for order in permutations(chosen)]
    return [text in allowed for text in written]

# %% 11.7 wrong
# believes: a text is right if all parts are found in it
# says: whatever else it says: two dates
def which_are_right(parts, written):
    result = []
    for text in written:
        found = [any(way in text for way in ways) for ways in parts]
        result.append(all(found))
    return result

# %% 11.7 wrong
# believes: a text is right if each of its pieces is a way of some part
# says: but not whether each part is there, and
def which_are_right(parts, written):
    known = {way for ways in parts for way in ways}
    return [set(text.split(" ; ")) <= known for text in written]

# %% 11.7 wrong
# believes: free order means free order of the words
# says: Within a part
def which_are_right(parts, written):
    bags = [sorted(" ; ".join(chosen).split()) for chosen in product(*parts)]
    return [sorted(text.split()) in bags for text in written]

# %% 11.7 wrong
# believes: a right text may be followed by something
# says: A text counts here if it begins with a right one
def which_are_right(parts, written):
    allowed = [" ; ".join(o) for c in product(*parts) for o in permutations(c)]
    return [any(text.startswith(right) for right in allowed) for text in written]

# %% 11.7 wrong
# believes: a comma or a space will do between parts
# says: with a space, `;` and a space between two
def which_are_right(parts, written):
    allowed = {" , ".join(o) for c in product(*parts) for o in permutations(c)}
    return [text in allowed for text in written]

# %% 11.7 right
# unusual: three loops for three parts
def which_are_right(parts, written):
    amounts, dates, payees = parts
    allowed = []
    for a in amounts:
        for d in dates:
            for p in payees:
                for x, y, z in [(a, d, p), (a, p, d), (d, a, p), (d, p, a), (p, a, d), (p, d, a)]:
                    allowed.append(f"{x} ; {y} ; {z}")
    return [allowed.count(text) == 1 for text in written]

# %% 11.7 right
# unusual: which part each piece belongs to; the numbers have to be those of all parts
def which_are_right(parts, written):
    part_of = {way: i for i, ways in enumerate(parts) for way in ways}
    return [
        sorted(part_of.get(piece, -1) for piece in text.split(" ; ")) == list(range(len(parts)))
        for text in written
    ]

# %% 11.7 wrong
# believes: what belongs to no part does not matter
# says: Further pieces are let through here
def which_are_right(parts, written):
    def fits(pieces):
        return all(sum(piece in ways for piece in pieces) == 1 for ways in parts)

    return [fits(text.split(" ; ")) for text in written]

# %% 11.7 wrong
# believes: all parts found is enough
# says: Further pieces are let through here
def which_are_right(parts, written):
    result = []
    for text in written:
        pieces = text.split(" ; ")
        result.append(all(any(way in pieces for way in ways) for ways in parts))
    return result

# %% 11.7 wrong
# believes: order is free, so sets will do: one piece may stand twice
# says: also with one of its pieces once more
def which_are_right(parts, written):
    allowed = {frozenset(chosen) for chosen in product(*parts)}
    return [frozenset(text.split(" ; ")) in allowed for text in written]

# %% 11.7 wrong
# believes: three different known pieces are the three parts
# says: A part may stand twice here
def which_are_right(parts, written):
    known = {way for ways in parts for way in ways}
    result = []
    for text in written:
        pieces = set(text.split(" ; "))
        result.append(len(pieces) == len(parts) and pieces <= known)
    return result

# %% 11.7 wrong
# believes: the same, with no piece twice
# says: A part may stand twice here
def which_are_right(parts, written):
    known = [way for ways in parts for way in ways]
    result = []
    for text in written:
        pieces = text.split(" ; ")
        distinct = len(set(pieces)) == len(pieces) == len(parts)
        result.append(distinct and all(piece in known for piece in pieces))
    return result

# %% 11.7 wrong
# believes: any three of all the ways
# says: A part may stand twice here
def which_are_right(parts, written):
    flat = [way for ways in parts for way in ways]
    return [text in [" ; ".join(some) for some in permutations(flat, len(parts))] for text in written]

# %% 11.7 wrong
# believes: rotations and the reverse are all orders of three
# says: Your function returns False; expected is True
def which_are_right(parts, written):
    allowed = set()
    for a, b, c in product(*parts):
        allowed |= {" ; ".join(o) for o in [(a, b, c), (b, c, a), (c, a, b), (c, b, a)]}
    return [text in allowed for text in written]

# %% 11.7 wrong
# believes: orders come of going round
# says: Only orders that go round
def which_are_right(parts, written):
    allowed = set()
    for a, b, c in product(*parts):
        allowed |= {" ; ".join(o) for o in [(a, b, c), (b, c, a), (c, a, b)]}
    return [text in allowed for text in written]

# %% 11.7 wrong
# believes: another order is two parts exchanged; was told of the reverse only
# says: those with two parts exchanged
def which_are_right(parts, written):
    allowed = set()
    for a, b, c in product(*parts):
        allowed |= {" ; ".join(o) for o in [(a, b, c), (b, a, c), (a, c, b), (c, b, a)]}
    return [text in allowed for text in written]

# %% 11.7 wrong
# believes: the amount comes first; was told that only the given order counts
# says: stands first in every text that counts here
def which_are_right(parts, written):
    allowed = set()
    for first, *rest in product(*parts):
        allowed |= {" ; ".join((first, *order)) for order in permutations(rest)}
    return [text in allowed for text in written]

# %% 11.7 wrong
# believes: a piece may go on after its way; was told of whole texts
# says: Pieces that only begin with a way of their part
def which_are_right(parts, written):
    def fits(pieces, order):
        begins = [any(p.startswith(w) for w in ways) for p, ways in zip(pieces, order)]
        return len(pieces) == len(order) and all(begins)

    return [any(fits(t.split(" ; "), o) for o in permutations(parts)) for t in written]

# %% 11.7 wrong
# believes: split at the sign, spaces do not matter
# says: their spaces are not those of a right one
def which_are_right(parts, written):
    allowed = {" ; ".join(o) for c in product(*parts) for o in permutations(c)}
    tidy = [" ; ".join(piece.strip() for piece in text.split(";")) for text in written]
    return [text in allowed for text in tidy]

# %% 11.7 wrong
# believes: spaces around a text do not matter
# says: their spaces are not those of a right one
def which_are_right(parts, written):
    allowed = {" ; ".join(o) for c in product(*parts) for o in permutations(c)}
    return [text.strip() in allowed for text in written]

# %% 11.7 wrong
# believes: words are compared, not spaces
# says: their spaces are not those of a right one
def which_are_right(parts, written):
    allowed = {" ; ".join(o) for c in product(*parts) for o in permutations(c)}
    lists = [right.split() for right in allowed]
    return [text.split() in lists for text in written]

# %% 11.7 wrong
# believes: capitals do not matter
# says: Small letters count here in place of capitals
def which_are_right(parts, written):
    allowed = {" ; ".join(o) for c in product(*parts) for o in permutations(c)}
    small = {right.casefold() for right in allowed}
    return [text.casefold() in small for text in written]

# %% 11.7 wrong
# believes: a separator at the end does no harm
# says: A `;` behind the last part is let through here
def which_are_right(parts, written):
    allowed = {" ; ".join(o) for c in product(*parts) for o in permutations(c)}
    return [text.removesuffix(" ; ") in allowed for text in written]

# %% 11.7 wrong
# believes: each right text is there to be found once
# says: counts once here
def which_are_right(parts, written):
    allowed = {" ; ".join(o) for c in product(*parts) for o in permutations(c)}
    result, seen = [], set()
    for text in written:
        result.append(text in allowed and text not in seen)
        seen.add(text)
    return result

# %% 11.7 wrong
# believes: a generator is as good as a list
# says: can be gone through once
def which_are_right(parts, written):
    allowed = map(" ; ".join, (o for chosen in product(*parts) for o in permutations(chosen)))
    return [text in allowed for text in written]

# %% 11.7 wrong
# believes: the right ones are asked for
# says: These are the right texts
def which_are_right(parts, written):
    allowed = {" ; ".join(o) for c in product(*parts) for o in permutations(c)}
    return list(filter(allowed.__contains__, written))

# %% 11.7 wrong
# believes: which means their numbers
# says: These are the places of the right texts
def which_are_right(parts, written):
    allowed = {" ; ".join(o) for c in product(*parts) for o in permutations(c)}
    return [n for n in range(len(written)) if written[n] in allowed]

# %% 11.7 wrong
# believes: the sign needs no spaces
# says: no spaces around `;`
def which_are_right(parts, written):
    allowed = {";".join(o) for c in product(*parts) for o in permutations(c)}
    return [text in allowed for text in written]

# %% 11.8 right
# unusual: argsort for topk, loops for pages, one call, double logarithms
def length_beam(write, scores, n):
    ruled = scores.clone()
    ruled[:, 0] = -torch.inf
    order = ruled.argsort(1, descending=True)[:, :n].tolist()
    N = max(max(row) for row in order)
    rows = torch.tensor([b for b, row in enumerate(order) for _ in row])
    real = torch.tensor([[i < length for i in range(N)] for row in order for length in row])
    tokens, confidence = write(rows, real)
    best, means = [], []
    for b, row in enumerate(order):
        own = [
            confidence[b * n + j, :length].double().log().mean().item()
            for j, length in enumerate(row)
        ]
        means.append(max(own))
        best.append(tokens[b * n + own.index(max(own))])
    return torch.stack(best), torch.tensor(means)

# %% 11.8 right
# unusual: candidates in the outer loop: rows 0, 1, 2, ... again and again
def length_beam(write, scores, n):
    B = scores.shape[0]
    lengths = (scores[:, 1:].topk(n, dim=1)[1] + 1).T.flatten()  # (n * B,)
    real = torch.arange(lengths.max()).expand(n * B, -1) < lengths[:, None]
    tokens, confidence = write(torch.arange(B).repeat(n), real)
    means = confidence.log().where(real, 0).sum(1).div(lengths).view(n, B)
    winner = means.max(0)
    return tokens[winner.indices * B + torch.arange(B)], winner.values

# %% 11.8 wrong
# believes: as padding has confidence 1 and log 1 is 0, a plain mean leaves it out
# says: The mean runs over the width of the page
def length_beam(write, scores, n):
    lengths = 1 + scores[:, 1:].topk(n).indices
    real = torch.arange(lengths.max().item()) < lengths[..., None]
    tokens, confidence = write(torch.arange(len(scores)).repeat_interleave(n), real.flatten(0, 1))
    means = confidence.log().mean(-1).view(len(scores), n)
    best = means.argmax(1)
    return tokens.view(len(scores), n, -1)[torch.arange(len(scores)), best], means.max(1).values

# %% 11.8 wrong
# believes: the log of the mean is the mean of the logs
# says: This is the logarithm of the mean probability
def length_beam(write, scores, n):
    B, lengths = len(scores), 1 + scores[:, 1:].topk(n).indices
    real = (torch.arange(lengths.max().item()) < lengths[..., None]).flatten(0, 1)
    tokens, confidence = write(torch.arange(B).repeat_interleave(n), real)
    means = ((confidence * real).sum(-1) / real.sum(-1)).log().view(B, n)
    return tokens.view(B, n, -1)[torch.arange(B), means.argmax(1)], means.amax(1)

# %% 11.8 wrong
# believes: without column 0 the indices still are the lengths
# says: All lengths are one too short
def length_beam(write, scores, n):
    B, lengths = len(scores), scores[:, 1:].topk(n).indices
    real = (torch.arange(lengths.max().item()) < lengths[..., None]).flatten(0, 1)
    tokens, confidence = write(torch.arange(B).repeat_interleave(n), real)
    means = (confidence.log().sum(-1) / real.sum(-1)).view(B, n)
    return tokens.view(B, n, -1)[torch.arange(B), means.argmax(1)], means.amax(1)

# %% 11.8 wrong
# believes: length 0 may be tried like any other
# says: Length 0 was tried
def length_beam(write, scores, n):
    B, lengths = len(scores), scores.topk(n).indices
    real = (torch.arange(lengths.max().item()) < lengths[..., None]).flatten(0, 1)
    tokens, confidence = write(torch.arange(B).repeat_interleave(n), real)
    means = (confidence.log().sum(-1) / real.sum(-1)).view(B, n)
    return tokens.view(B, n, -1)[torch.arange(B), means.argmax(1)], means.amax(1)

# %% 11.8 wrong
# believes: one call for each candidate is as good
# says: `write` is called 3 times
def length_beam(write, scores, n):
    lengths = scores[:, 1:].topk(n).indices + 1
    N, rows, all_tokens, all_means = int(lengths.max()), torch.arange(len(scores)), [], []
    for column in lengths.T:
        real = torch.arange(N) < column[:, None]
        tokens, confidence = write(rows, real)
        all_tokens.append(tokens)
        all_means.append(confidence.log().sum(1) / column)
    means = torch.stack(all_means, 1)
    best = means.argmax(1)
    return torch.stack(all_tokens, 1)[rows, best], means[rows, best]

# %% 11.8 wrong
# believes: pages may be handed over in the shape (B, n, N)
# says: write takes rows (R,) and real (R, N)
def length_beam(write, scores, n):
    lengths = scores[:, 1:].topk(n).indices + 1
    real = torch.arange(int(lengths.max())) < lengths[..., None]
    tokens, confidence = write(torch.arange(len(scores)), real)
    means = confidence.log().sum(-1) / real.sum(-1)
    return tokens[torch.arange(len(scores)), means.argmax(1)], means.amax(1)

# %% 11.8 wrong
# believes: rows that repeat as a whole go with pages that stand source by source
# says: Pages and sources do not belong together
def length_beam(write, scores, n):
    B, lengths = len(scores), scores[:, 1:].topk(n).indices + 1
    real = (torch.arange(int(lengths.max())) < lengths[..., None]).flatten(0, 1)
    tokens, confidence = write(torch.arange(B).repeat(n), real)
    means = (confidence.log().sum(-1) / real.sum(-1)).view(B, n)
    return tokens.view(B, n, -1)[torch.arange(B), means.argmax(1)], means.amax(1)
