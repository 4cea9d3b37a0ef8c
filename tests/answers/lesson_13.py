# %% 13.1 right
# unusual: another way
def flops_by_products(D, n_layers, d_ff, V, rows, length, masked):
    def product(n, m, k):
        return 2 * n * m * k

    tokens, forward = rows * length, 0
    for _ in range(n_layers):
        forward += 4 * product(tokens, D, D) + product(tokens, D, d_ff) + product(tokens, d_ff, D)
        forward += rows * (product(length, D, length) + product(length, length, D))
    return 3 * (forward + product(masked, D, D) + product(masked, D, V))

# %% 13.1 right
# unusual: the value as a float
def step_flops(D, n_layers, d_ff, V, rows, length, masked):
    per_token = n_layers * (24.0 * D * D + 12.0 * D * d_ff + 12.0 * length * D)
    return per_token * rows * length + 6.0 * masked * D * (D + V)

# %% 13.1 wrong
# believes: the head answers for every token
# says: The head works on every token
def step_flops(
    D: int, n_layers: int, d_ff: int, V: int, rows: int, length: int, masked: int
) -> int:
    tokens = rows * length
    block = 4 * D * D + 2 * D * d_ff
    head = D * D + D * V
    return 6 * tokens * (n_layers * block + head) + 12 * length * D * n_layers * tokens

# %% 13.1 wrong
# believes: 12 T D of attention counts once for each row, not for each token
# says: rows * length * length
def step_flops(
    D: int, n_layers: int, d_ff: int, V: int, rows: int, length: int, masked: int
) -> int:
    block = 4 * D * D + 2 * D * d_ff
    flops = 6 * block * n_layers * rows * length
    flops += 12 * length * D * n_layers * rows
    flops += 6 * masked * (D * D + D * V)
    return flops

# %% 13.1 wrong
# believes: attention's 12 T D is multiply-adds
# says: multiplied by 6 once more
def step_flops(D, n_layers, d_ff, V, rows, length, masked):
    tokens = rows * length
    per_token = n_layers * (4 * D * D + 2 * D * d_ff + 12 * length * D)
    return 6 * (tokens * per_token + masked * (D * D + D * V))

# %% 13.1 wrong
# believes: the head is one matrix
# says: The head has two matrices
def step_flops(D, n_layers, d_ff, V, rows, length, masked):
    tokens = rows * length
    matrices = n_layers * (4 * D**2 + 2 * D * d_ff)
    return 6 * tokens * matrices + 6 * masked * D * V + 12 * n_layers * tokens * length * D

# %% 13.1 wrong
# believes: scores are the only product of attention, and masked counts by row
# says: `blocks` holds the multiply-adds of the blocks' matrices
# says: those of the head
def step_flops(D, n_layers, d_ff, V, rows, length, masked):
    blocks = n_layers * (4 * D * D + 2 * D * d_ff) * rows * length
    head = (D * D + D * V) * masked * rows
    attention = n_layers * rows * length * length * D
    return 6 * (blocks + head + attention)

# %% 13.1 wrong
# believes: the feed-forward network is one matrix
# says: two matrices of D x d_ff
def step_flops(D, n_layers, d_ff, V, rows, length, masked):
    tokens = rows * length
    return (6 * n_layers * (4 * D * D + D * d_ff) * tokens + 6 * (D * D + D * V) * masked
            + 12 * n_layers * tokens * length * D)

# %% 13.2 right
# unusual: another way
def floor_by_cases(work, flops_a_second, bytes_a_second):
    total = 0.0
    for flops, size in work:
        waits = flops * bytes_a_second < size * flops_a_second
        total += size / bytes_a_second if waits else flops / flops_a_second
    return total

# %% 13.2 right
# unusual: tensors
def time_floor(work, flops_a_second, bytes_a_second):
    needs = torch.tensor(work, dtype=torch.float64)
    return (needs / torch.tensor([flops_a_second, bytes_a_second])).amax(1).sum()

# %% 13.2 wrong
# believes: arithmetic and memory overlap over all the work, not only within a piece
# says: larger one of two totals
def time_floor(
    work: list[tuple[float, float]], flops_a_second: float, bytes_a_second: float
) -> float:
    flops = sum(piece[0] for piece in work)
    moved = sum(piece[1] for piece in work)
    return max(flops / flops_a_second, moved / bytes_a_second)

# %% 13.2 wrong
# believes: nothing overlaps
# says: They can overlap
def time_floor(work, flops_a_second, bytes_a_second):
    return sum(f for f, _ in work) / flops_a_second + sum(b for _, b in work) / bytes_a_second

# %% 13.3 right
# unusual: from the number of bits
def stops_at(step, digits):
    return 1 << ((step - 1).bit_length() + digits + 1)

# %% 13.3 right
# unusual: logarithms, a float
import math

def stops_at(step, digits):
    for k in range(digits, 200):
        if step <= 2.0 ** (k - digits) / 2:
            return 2.0**k

# %% 13.3 wrong
# believes: it stops where the numbers lie a step apart
# says: is at most *half* of the distance
def stops_at(step, digits):
    k = 0
    while 2 ** (k - digits) < step:
        k += 1
    return 2**k

# %% 13.3 wrong
# believes: as many steps as there are numbers before one is lost
# says: Right where the step is a power of two
def stops_at(step, digits):
    return step * 2 ** (digits + 1)

# %% 13.3 wrong
# believes: half-way is rounded up
# says: Right where the step is no power of two
def stops_at(step, digits):
    k = 0
    while not step < 2 ** (k - digits) / 2:
        k += 1
    return 2**k

# %% 13.3 wrong
# believes: the step does not matter
# says: where counting by 1 stops
def stops_at(step, digits):
    return 2 ** (digits + 1)

# %% 13.4 right
# unusual: another way
import torch

def texts_token_by_token(ids):
    texts, places = torch.zeros_like(ids), torch.zeros_like(ids)
    for row, line in enumerate(ids.tolist()):
        text = place = 0
        for column, token in enumerate(line):
            texts[row, column], places[row, column] = text, place
            place += 1
            if token == 3:
                text, place = text + 1, 0
    return texts, places

# %% 13.4 right
# unusual: a loop with two counters, as one would do on paper
def texts_and_places(ids: Tensor) -> tuple[Tensor, Tensor]:
    all_numbers, all_places = [], []
    for row in ids.tolist():
        number = place = 0
        numbers, places = [], []
        for token in row:
            numbers.append(number)
            places.append(place)
            number, place = (number + 1, 0) if token == 3 else (number, place + 1)
        all_numbers.append(numbers)
        all_places.append(places)
    return torch.tensor(all_numbers), torch.tensor(all_places)

# %% 13.4 right
# unusual: comparing each token with all before it
def texts_and_places(ids):
    T = ids.shape[1]
    before = torch.ones(T, T).tril(-1)  # (t, s): s stands before t
    texts = ((ids == 3).float() @ before.T).long()
    same = texts[:, :, None] == texts[:, None, :]
    return texts, (same * before).sum(-1).long()

# %% 13.4 wrong
# believes: a [SEP] begins the next text
# says: counted with the text behind it
def texts_and_places(ids: Tensor) -> tuple[Tensor, Tensor]:
    starts = ids == 3
    numbers = starts.long().cumsum(1)
    t = torch.arange(ids.shape[1]).expand_as(ids)
    begun = (t * starts).cummax(1).values
    return numbers, t - begun

# %% 13.4 wrong
# believes: after a shift the place of the [SEP] itself is where the new text starts
# says: begin at 1
def texts_and_places(ids: Tensor) -> tuple[Tensor, Tensor]:
    is_sep = (ids == 3).long()
    numbers = F.pad(is_sep, (1, -1)).cumsum(1)
    t = torch.arange(ids.shape[1]).expand_as(ids)
    last_sep = F.pad(t * is_sep, (1, -1)).cummax(1).values
    return numbers, t - last_sep

# %% 13.4 wrong
# believes: only the texts are asked, the places are those of the row
# says: The places go on through the row
def texts_and_places(ids):
    texts = (ids == 3).cumsum(1) - (ids == 3).long()
    return texts, torch.arange(ids.shape[1]).expand_as(ids)

# %% 13.4 wrong
# believes: the two results may come in any order
# says: wrong order
def texts_and_places(ids):
    texts = (ids == 3).cumsum(1) - (ids == 3).long()
    t = torch.arange(ids.shape[1]).expand_as(ids)
    first = (texts[:, :, None] > texts[:, None, :]).sum(-1)
    return t - first, texts

# %% 13.5 right
# unusual: another way
import torch

def largest_by_count(weight, sparsity):
    stay = weight.numel() - round(sparsity * weight.numel())
    kept = torch.zeros(weight.numel(), dtype=torch.bool)
    kept[weight.flatten().square().topk(stay).indices] = True
    return kept.reshape(weight.shape)

# %% 13.5 right
# unusual: topk of the squares in double precision, places written with scatter
def largest_stay(weight: Tensor, sparsity: float) -> Tensor:
    squares = weight.double().pow(2).reshape(-1)
    n_stay = squares.numel() - round(sparsity * squares.numel())
    stay = torch.zeros(squares.numel(), dtype=torch.bool, device=weight.device)
    stay[torch.topk(squares, n_stay).indices] = True
    return stay.reshape(weight.shape)

# %% 13.5 wrong
# believes: the smallest weights are the most negative ones
# says: Large negative weights go first
def largest_stay(weight: Tensor, sparsity: float) -> Tensor:
    n = round(sparsity * weight.numel())
    order = weight.flatten().argsort()
    stays = torch.ones(weight.numel(), dtype=torch.bool)
    stays[order[:n]] = False
    return stays.view_as(weight)

# %% 13.5 wrong
# believes: the k-th smallest magnitude is the first that stays
# says: One weight too many stays
def largest_stay(weight: Tensor, sparsity: float) -> Tensor:
    k = round(sparsity * weight.numel())
    threshold = weight.abs().flatten().kthvalue(k).values
    return weight.abs() >= threshold

# %% 13.5 wrong
# believes: int makes an integer of a product
# says: Round, do not cut
def largest_stay(weight, sparsity):
    n = weight.numel()
    gone = int(sparsity * n)
    keep = torch.ones(n, dtype=torch.bool)
    keep[weight.abs().flatten().argsort()[:gone]] = False
    return keep.view_as(weight)

# %% 13.5 wrong
# believes: a quantile is the threshold, one for each row
# says: The same share of each row
def largest_stay(weight, sparsity):
    gone = round(sparsity * weight.shape[1])
    rank = weight.abs().argsort(1).argsort(1)
    return rank >= gone

# %% 13.6 right
# unusual: group by group, in lists
import torch

def packed_one_by_one(weight, group):
    codes, scales = [], []
    for row in weight:
        codes.append([])
        scales.append([])
        for part in row.split(group):
            most = max(part.max().item(), -part.min().item())
            scale = torch.tensor(most) / 7 if most else torch.tensor(1.0)
            scales[-1].append(scale)
            own = [int(c) for c in (part / scale).round() + 8]
            codes[-1] += [a + 16 * b for a, b in zip(own[: group // 2], own[group // 2 :])]
    return torch.tensor(codes, dtype=torch.uint8), torch.tensor(scales)

# %% 13.6 right
# unusual: bits moved and joined
def pack_four_bits(weight, group):
    R, C = weight.shape
    blocks = weight.reshape(R, C // group, 2, group // 2)
    scales = blocks.abs().amax((2, 3)) / 7
    scales = scales.masked_fill(scales == 0, 1.0)
    codes = (torch.round(blocks / scales[:, :, None, None]) + 8).to(torch.uint8)
    return (codes[:, :, 0] | codes[:, :, 1] << 4).reshape(R, C // 2), scales

# %% 13.6 wrong
# believes: converting to an integer rounds to the nearest
# says: cut off instead of rounded
def pack_four_bits(weight, group):
    groups = weight.view(len(weight), -1, group)
    largest = groups.abs().max(-1).values
    scale = torch.where(largest > 0, largest / 7, torch.ones_like(largest))
    codes = (groups / scale.unsqueeze(-1) + 8).to(torch.uint8)
    half = group // 2
    return (codes[..., :half] + codes[..., half:] * 16).reshape(len(weight), -1), scale

# %% 13.6 wrong
# believes: a byte holds two neighbours
# says: Neighbours share a byte
def pack_four_bits(weight, group):
    groups = weight.view(len(weight), -1, group)
    largest = groups.abs().max(-1).values
    scale = torch.where(largest > 0, largest / 7, torch.ones_like(largest))
    codes = ((groups / scale.unsqueeze(-1)).round() + 8).to(torch.uint8).flatten(1)
    return codes[:, 0::2] + 16 * codes[:, 1::2], scale

# %% 13.6 wrong
# believes: a tiny number keeps 0 / 0 away
# says: or next to it. It should be 1
def pack_four_bits(weight, group):
    groups = weight.view(len(weight), -1, group)
    scale = groups.abs().amax(-1).clamp(min=1e-8) / 7
    codes = ((groups / scale.unsqueeze(-1)).round() + 8).to(torch.uint8)
    half = group // 2
    return (codes[..., :half] + codes[..., half:] * 16).flatten(1), scale

# %% 13.6 wrong
# believes: the scale keeps the axis that was reduced
# says: shape
def pack_four_bits(weight, group):
    groups = weight.unflatten(1, (-1, group))
    most = groups.abs().amax(-1, keepdim=True)
    scale = torch.where(most > 0, most / 7, 1.0)
    first, second = ((groups / scale).round() + 8).to(torch.uint8).chunk(2, -1)
    return (first + 16 * second).flatten(1), scale

# %% 13.6 wrong
# believes: the bytes may be any integers
# says: uint8
def pack_four_bits(weight, group):
    groups = weight.unflatten(1, (-1, group))
    most = groups.abs().amax(-1)
    scale = torch.where(most > 0, most / 7, 1.0)
    first, second = ((groups / scale[..., None]).round() + 8).long().chunk(2, -1)
    return (first + 16 * second).flatten(1), scale

# %% 13.7 right
# unusual: another way
from torch.nn import functional as F
import torch

def taught_by_sums(student, teacher, temperature):
    p, q = (torch.softmax(x / temperature, -1) for x in (teacher, student))
    return temperature * temperature * (p * (p.log() - q.log())).sum() / len(student)


def two_goals_by_sums(student, teacher, target, temperature, share):
    soft = taught_by_sums(student, teacher.detach(), temperature)
    truth = -torch.stack([F.log_softmax(s, 0)[t] for s, t in zip(student, target, strict=True)])
    return share * soft + truth.mean() - share * truth.mean()

# %% 13.7 right
# unusual: cross-entropy minus the teacher's entropy, and two nll losses
def distillation_loss(student, teacher, target, temperature, share):
    with torch.no_grad():
        p = torch.softmax(teacher / temperature, dim=-1)
        own = torch.special.entr(p).sum(-1).mean()
    soft = F.cross_entropy(student / temperature, p) - own
    hard = F.nll_loss(student.log_softmax(-1), target)
    return torch.lerp(hard, soft * temperature**2, share)

# %% 13.7 wrong
# believes: the truth is softened, too: the same student distribution in both parts
# says: used: without temperature
def distillation_loss(
    student: Tensor, teacher: Tensor, target: Tensor, temperature: float, share: float
) -> Tensor:
    log_q = (student / temperature).log_softmax(-1)
    log_p = (teacher / temperature).log_softmax(-1)
    soft = F.kl_div(log_q, log_p, reduction="batchmean", log_target=True) * temperature**2
    hard = F.nll_loss(log_q, target)
    return share * soft + (1 - share) * hard

# %% 13.7 wrong
# believes: reduction="mean" is the mean over the places
# says: size of the vocabulary
def distillation_loss(student, teacher, target, temperature, share):
    log_q = (student / temperature).log_softmax(-1)
    p = (teacher.detach() / temperature).softmax(-1)
    soft = F.kl_div(log_q, p, reduction="mean") * temperature**2
    return share * soft + (1 - share) * F.cross_entropy(student, target)

# %% 13.7 wrong
# believes: kl_div takes the teacher first, as the formula does
# says: runs the other way
def distillation_loss(student, teacher, target, temperature, share):
    log_p = (teacher.detach() / temperature).log_softmax(-1)
    q = (student / temperature).softmax(-1)
    soft = F.kl_div(log_p, q, reduction="batchmean") * temperature**2
    return share * soft + (1 - share) * F.cross_entropy(student, target)

# %% 13.7 wrong
# believes: the optimiser does not know the teacher, so nothing happens to it
# says: would change the teacher
def distillation_loss(student, teacher, target, temperature, share):
    p, q = (torch.softmax(x / temperature, -1) for x in (teacher, student))
    soft = temperature**2 * (p * (p.log() - q.log())).sum(-1).mean()
    return share * soft + (1 - share) * F.cross_entropy(student, target)

# %% 13.7 wrong
# believes: a number is a loss
# says: no gradient flows to `student`
def distillation_loss(student, teacher, target, temperature, share):
    p, q = (torch.softmax(x / temperature, -1) for x in (teacher, student))
    soft = temperature**2 * (p * (p.log() - q.log())).sum(-1).mean()
    return (share * soft + (1 - share) * F.cross_entropy(student, target)).item()

# %% 13.8 right
# unusual: another way
import torch

def sent_one_by_one(sums, counts):
    total, n = counts.sum().item(), len(sums)
    return torch.stack([own.sum() * n / total for own in sums])

# %% 13.8 right
# unusual: the mean of what is sent has to be the mean of the batch
def losses_to_send(sums, counts):
    of_batch = sums.sum() / counts.sum()
    return of_batch * sums.sum(1) / sums.sum(1).mean()

# %% 13.8 wrong
# believes: each process sends its part of the mean; the average over R is forgotten
# says: multiply by R
def losses_to_send(sums: Tensor, counts: Tensor) -> Tensor:
    return sums.sum(1) / counts.sum()

# %% 13.8 wrong
# believes: each process takes its mean
# says: A token weighs more where few are hidden
def losses_to_send(sums, counts):
    return sums.sum(1) / counts.sum(1)

# %% 13.8 wrong
# believes: pieces are averaged as well
# says: divided by the number of its pieces
def losses_to_send(sums, counts):
    R, A = sums.shape
    return R * sums.mean(1) / counts.sum()


# %% 13.6 wrong
# believes: integers lie below
# says: rounded down
def pack_four_bits(weight, group):
    w = weight.unflatten(1, (-1, group))
    top = w.abs().amax(-1, keepdim=True)
    scale = torch.where(top == 0, 1.0, top / 7)
    codes = (w / scale).floor() + 8
    low, high = codes[..., : group // 2], codes[..., group // 2 :]
    return (low + 16 * high).flatten(1).to(torch.uint8), scale.squeeze(-1)


# %% 13.6 wrong
# believes: digits behind the point fall away
# says: cut off
def pack_four_bits(weight, group):
    w = weight.unflatten(1, (-1, group))
    top = w.abs().amax(-1, keepdim=True)
    scale = torch.where(top == 0, 1.0, top / 7)
    codes = (w / scale).trunc() + 8
    low, high = codes[..., : group // 2], codes[..., group // 2 :]
    return (low + 16 * high).flatten(1).to(torch.uint8), scale.squeeze(-1)


# %% 13.6 wrong
# believes: the largest absolute value is the scale
# says: a code times the scale should give the weight
def pack_four_bits(weight, group):
    w = weight.unflatten(1, (-1, group))
    top = w.abs().amax(-1, keepdim=True)
    scale = torch.where(top == 0, 1.0, top / 7)
    codes = (w / scale).round() + 8
    low, high = codes[..., : group // 2], codes[..., group // 2 :]
    return (low + 16 * high).flatten(1).to(torch.uint8), top.squeeze(-1)
