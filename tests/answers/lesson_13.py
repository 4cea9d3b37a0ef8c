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

# %% 13.2 right
# unusual: another way
def floor_by_cases(work, flops_a_second, bytes_a_second):
    total = 0.0
    for flops, size in work:
        waits = flops * bytes_a_second < size * flops_a_second
        total += size / bytes_a_second if waits else flops / flops_a_second
    return total

# %% 13.3 right
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
# unusual: another way
import torch

def largest_by_count(weight, sparsity):
    stay = weight.numel() - round(sparsity * weight.numel())
    kept = torch.zeros(weight.numel(), dtype=torch.bool)
    kept[weight.flatten().square().topk(stay).indices] = True
    return kept.reshape(weight.shape)

# %% 13.5 right
# unusual: another way
import torch

def quantised_row_by_row(weight):
    codes, scales = [], []
    for row in weight:
        most = max(row.max().item(), -row.min().item())
        scales.append(row.new_tensor([most / 127 if most else 1.0]))
        codes.append((row / scales[-1]).round().to(torch.int8))
    return torch.stack(codes), torch.stack(scales)

# %% 13.6 right
# unusual: another way
from torch.nn import functional as F
import torch

def taught_by_sums(student, teacher, temperature):
    p, q = (torch.softmax(x / temperature, -1) for x in (teacher, student))
    return temperature * temperature * (p * (p.log() - q.log())).sum() / len(student)


def two_goals_by_sums(student, teacher, target, temperature, share):
    soft = taught_by_sums(student, teacher, temperature)
    truth = -torch.stack([F.log_softmax(s, 0)[t] for s, t in zip(student, target, strict=True)])
    return share * soft + truth.mean() - share * truth.mean()

# %% 13.7 right
# unusual: another way
import torch

def sent_one_by_one(sums, counts):
    total, n = counts.sum().item(), len(sums)
    return torch.stack([own.sum() * n / total for own in sums])
