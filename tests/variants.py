"""A second correct implementation of each exercise, written without looking at the reference."""

import math

import numpy as np
import torch
from torch.nn import functional as F


def average_by_loop(weights, values):
    rows = [sum(weights[..., t, s, None] * values[..., s, :] for s in range(values.shape[-2]))
            for t in range(weights.shape[-2])]  # fmt: skip
    return torch.stack(rows, dim=-2)


def attention_by_einsum(q, k, v):
    scores = torch.einsum("bhtd,bhsd->bhts", q, k) * q.size(-1) ** -0.5
    weights = torch.exp(scores - torch.logsumexp(scores, -1, keepdim=True))
    return torch.einsum("bhts,bhsv->bhtv", weights, v), weights


def heads_by_chunks(x, w_q, w_k, w_v, w_o, n_heads):
    pieces = (torch.chunk(x @ w, n_heads, dim=-1) for w in (w_q, w_k, w_v))
    outputs = [F.scaled_dot_product_attention(q, k, v) for q, k, v in zip(*pieces, strict=True)]
    return torch.cat(outputs, dim=-1) @ w_o


def padding_by_loop(lengths, size):
    mask = torch.zeros(len(lengths), 1, 1, size, dtype=torch.bool)
    for row, n in enumerate(lengths.tolist()):
        mask[row, ..., :n] = True
    return mask


def both_by_comparison(lengths, size):
    place = torch.arange(size)
    return ((place[None, :, None] >= place) & (place < lengths[:, None, None]))[:, None]


def safe_by_exponentials(scores, attention_mask):
    top = scores.amax(-1, keepdim=True)
    e = torch.exp(scores - top) * attention_mask
    return e / e.sum(-1, keepdim=True).clamp(min=1e-30)


def pieces_by_recursion(word, vocabulary, prefix=""):
    for end in range(len(word), 0, -1):
        if prefix + word[:end] in vocabulary:
            if end == len(word):
                return [prefix + word]
            rest = pieces_by_recursion(word[end:], vocabulary, "##")
            return ["[UNK]"] if rest == ["[UNK]"] else [prefix + word[:end], *rest]
    return ["[UNK]"]


def count_by_loop(noise, maskable, ratio):
    masked = torch.zeros_like(maskable)
    for row in range(len(noise)):
        places = maskable[row].nonzero()[:, 0].tolist()
        places.sort(key=lambda place: noise[row, place].item())
        masked[row, places[: max(1, round(ratio * len(places)))]] = True
    return masked


def replaced_by_loop(ids, masked, u, random_ids, mask_id):
    result = ids.clone()
    for place in masked.nonzero().tolist():
        b, t = place
        if u[b, t] < 0.8:
            result[b, t] = mask_id
        elif u[b, t] >= 0.9:
            result[b, t] = random_ids[b, t]
    return result


def words_by_loop(masked, word_ids):
    result = torch.zeros_like(masked)
    for b in range(len(masked)):
        for word in set(word_ids[b].tolist()) - {-1}:
            if masked[b][word_ids[b] == word].any():
                result[b] |= word_ids[b] == word
    return result


def embedded_one_by_one(ids, segments, token, position, segment):
    x = torch.empty(*ids.shape, token.shape[1])
    for b, row in enumerate(ids.tolist()):
        for t, i in enumerate(row):
            x[b, t] = token[i] + position[t] + segment[segments[b, t]]
    return x


def normalised_by_moments(x, weight, bias, eps):
    mean = x.double().mean(-1, keepdim=True)
    variance = (x.double() - mean).pow(2).sum(-1, keepdim=True) / x.shape[-1]
    return (((x - mean) * torch.rsqrt(variance + eps)).float() * weight).add(bias)


def post_norm_in_steps(x, attention, attention_norm, feed_forward, feed_forward_norm):
    for sublayer, norm in ((attention, attention_norm), (feed_forward, feed_forward_norm)):
        x = norm(sublayer(x) + x)
    return x


def pre_norm_in_steps(x, attention, attention_norm, feed_forward, feed_forward_norm):
    for sublayer, norm in ((attention, attention_norm), (feed_forward, feed_forward_norm)):
        x = sublayer(norm(x)) + x
    return x


def all_logits_then_hidden(x, masked, dense, norm, token, bias):
    return F.linear(norm(F.gelu(dense(x))), token, bias)[masked]


def counted_by_building(D, d_ff):
    layer = torch.nn.TransformerEncoderLayer(D, 1, d_ff)
    return sum(parameter.numel() for parameter in layer.parameters())


def bert_by_hand(ids, visible, segments, model):
    e = model.encoder.embeddings
    x = e.norm(e.token(ids) + e.position.weight[: ids.size(1)] + e.segment(segments))
    for b in model.encoder.blocks:
        x = b.attention_norm(x + b.attention(x, visible[:, None, None]))
        x = b.feed_forward_norm(x + b.feed_forward(x))
    return torch.einsum("btd,vd->btv", model.norm(F.gelu(model.dense(x))), e.token.weight).add(
        model.decoder_bias
    )


def loss_by_token(logits, ids, masked):
    losses = [torch.logsumexp(logits[b, t], 0) - logits[b, t, ids[b, t]]
              for b, t in masked.nonzero().tolist()]  # fmt: skip
    return sum(losses) / len(losses)


def train_clearing_last(model, optimizer, scheduler, batches):
    losses = []
    for batch in batches:
        logits = model(batch.input_ids)
        losses.append(F.cross_entropy(logits.flatten(0, 1), batch.labels.flatten()))
        losses[-1].backward()
        optimizer.step()
        scheduler.step()
        model.zero_grad()
    return [loss.item() for loss in losses]


def evaluate_token_by_token(model, data, epoch):
    with torch.inference_mode():
        model.train(False)
        scores = []
        for start in range(0, len(data), 4):
            batch = data(torch.arange(start, min(start + 4, len(data))), 0)
            log_p = model(batch.input_ids).log_softmax(-1)
            for b, t in batch.masked.nonzero().tolist():
                true = batch.labels[b, t]
                scores.append((-log_p[b, t, true].item(), float(log_p[b, t].argmax() == true)))
        model.train()
    return tuple(np.mean(scores, axis=0).tolist())


def factor_by_cases(step, steps, warmup):
    if step < warmup:
        return (1 + step) / (1 + warmup)
    return 1 - (step - warmup) / (steps - warmup)


def accumulated_then_divided(model, pieces):
    for ids, labels, _ in pieces:
        logits = model(ids).transpose(1, 2)
        F.cross_entropy(logits, labels, reduction="sum").backward()
    return model.dense.weight.grad / sum((piece.labels != -100).sum() for piece in pieces)


def copies_by_loop(weights, mention):
    B, H, T, _ = weights.shape
    asked = [(b, t) for b in range(B) for t in range(T) if mention[b, t].any()]
    heads = [[weights[b, h, t][mention[b, t]].sum() for b, t in asked] for h in range(H)]
    return torch.stack([torch.stack(copied).mean() for copied in heads])


def leaks_by_pairs(train, test):
    def same(a, b):
        return a.module == b.module or a.text.casefold().split() == b.text.casefold().split()

    return [i for i in range(len(test)) if any(same(test[i], one) for one in train)]


def labels_by_numpy(counts, scores, goal):
    x, y = np.log(counts.numpy()), scores.double().numpy()
    reached = np.flatnonzero(y >= goal)
    if not len(reached):
        return float("inf")
    i = max(reached[0], 1)
    return np.exp(np.interp(goal, y[i - 1 : i + 1], x[i - 1 : i + 1])) if reached[0] else counts[0]


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


def contrastive_by_loop(queries, texts, temperature):
    losses = []
    for i, query in enumerate(queries):
        scores = [F.cosine_similarity(query, text, dim=0) / temperature for text in texts]
        losses.append(torch.stack(scores).logsumexp(0) - scores[i])
    return sum(losses) / len(losses)


def fused_by_loop(scores, k=60):
    sums = [0.0] * scores.shape[1]
    for row in scores.tolist():
        falling = sorted(row, reverse=True)
        for i, score in enumerate(row):
            sums[i] += 1 / (k + falling.index(score) + 1)
    return torch.tensor(sums)


def span_by_band(start, end, context, longest):
    total = (start[:, None] + end).masked_fill(~(context[:, None] & context), -math.inf)
    band = torch.ones_like(total).triu().tril(longest - 1).bool()
    return divmod(torch.where(band, total, -math.inf).argmax().item(), len(start))


def closed_up_row_by_row(ids, visible):
    K = int(visible.sum(1).max())
    kinds = torch.long, torch.long, torch.bool
    closed_up = [torch.zeros(len(ids), K, dtype=kind) for kind in kinds]
    for b, row in enumerate(visible):
        places = row.nonzero()[:, 0]
        for into, what in zip(closed_up, (ids[b, places], places, True), strict=True):
            into[b, : len(places)] = what
    return tuple(closed_up)


def put_back_place_by_place(latent, order, mask_token):
    x = mask_token.expand(*order.shape, -1).clone()
    for b in range(len(latent)):
        x[b, order[b, : latent.shape[1]]] = latent[b]
    return x


def decoder_input_by_lookup(latent, real, ids_restore, mask_token, places):
    from_encoder = ids_restore < real.sum(1, keepdim=True)
    at = ids_restore.clamp(max=latent.shape[1] - 1)
    x = latent[torch.arange(len(latent))[:, None], at]
    return places + torch.where(from_encoder.unsqueeze(-1), x, mask_token)


def mae_loss_row_by_row(model, ids, masked):
    losses = []
    for row, gone in zip(ids, masked, strict=True):
        at = (~gone).nonzero()[:, 0]
        latent = model.encoder(row[at][None], positions=at[None])
        x = model.mask_token.expand(1, len(row), -1).clone()
        x[:, at] = model.to_decoder(latent)
        x = model.decoder(x + model.decoder_positions.weight[: len(row)])
        log_p = model.logits(model.from_decoder(x))[0, gone].log_softmax(-1)
        losses.append(-log_p[torch.arange(len(log_p)), row[gone]])
    return torch.cat(losses).mean()


def seen_by_loop(noise, text, ratio):
    B, T, S = noise.shape
    seen = torch.zeros(B, T, S, dtype=torch.bool)
    for b, t, s in np.ndindex(B, T, S):
        seen[b, t, s] = s == 0 or (noise[b, t, s] >= ratio and s != t and text[b, s])
    return seen


def directions_by_eigenvalues(x, share):
    energy = sorted(torch.linalg.eigvalsh(x.T @ x).tolist(), reverse=True)
    return next(n for n in range(1, len(energy) + 1) if sum(energy[:n]) >= share * sum(energy))


def patches_by_unfold(images, patch_size):
    cut = F.unfold(images, patch_size, stride=patch_size)  # (B, C*P*P, L), channels first
    channels = images.shape[1]
    return cut.mT.unflatten(-1, (channels, -1)).mT.flatten(-2)


def shuffled_by_loop(noise, ratio):
    keep = int(noise.shape[1] * (1 - ratio)) or 1
    ids_keep, mask, ids_restore = [], torch.ones_like(noise), torch.zeros_like(noise).long()
    for row, values in enumerate(noise.tolist()):
        order = sorted(range(len(values)), key=values.__getitem__)
        ids_keep.append(order[:keep])
        for place, patch in enumerate(order):
            ids_restore[row, patch] = place
        mask[row, order[:keep]] = 0
    return torch.tensor(ids_keep), mask, ids_restore


def put_back_by_loop(visible, ids_restore, mask_token):
    rows = [[v[i] if i < len(v) else mask_token for i in ids]
            for v, ids in zip(visible, ids_restore.tolist(), strict=True)]  # fmt: skip
    return torch.stack([torch.stack(row) for row in rows])


def normalised_by_sums(patches):
    n = patches.shape[-1]
    centred = patches - patches.sum(-1, keepdim=True) / n
    return centred * torch.rsqrt(centred.square().sum(-1, keepdim=True) / (n - 1) + 1e-6)


def visible_by_picking(mae, images, ratio, noise):
    keep, mask, ids_restore = shuffled_by_loop(noise, ratio)
    x = mae.embed(patches_by_unfold(images, mae.config.patch_size)) + mae.positions[1:]
    x = x[torch.arange(len(x))[:, None], keep]  # (B, K, D)
    cls = mae.cls_token[0, 0] + mae.positions[0]
    return mae.encoder(torch.hstack([cls.expand(len(x), 1, -1), x])), mask, ids_restore


def mae_by_picking(mae, images, ratio, noise):
    latent, mask, ids_restore = visible_by_picking(mae, images, ratio, noise)
    x = mae.to_decoder(latent)
    filled = put_back_by_loop(x[:, 1:], ids_restore, mae.mask_token[0, 0])
    predicted = mae.to_pixels(mae.decoder(torch.cat([x[:, :1], filled], 1) + mae.decoder_positions))
    removed = mask.bool()
    true = patches_by_unfold(images, mae.config.patch_size)
    return F.mse_loss(predicted[:, 1:][removed], true[removed])


def guess_by_counting(joint, text, masked, place):
    chance = torch.zeros(joint.shape[place], dtype=joint.dtype)
    for words in np.ndindex(*joint.shape):
        if all(masked[i] or words[i] == int(text[i]) for i in range(joint.ndim)):
            chance[words[place]] += joint[words]
    return chance / chance.sum()


def bound_row_by_row(surprise, masked, words):
    rows = zip(surprise, masked, words, strict=True)
    return torch.stack([len(x[w]) * x[h].mean() for x, h, w in rows])


def rate_bound_row_by_row(surprise, noise, rate):
    rows = zip(surprise, noise, rate, strict=True)
    return torch.stack([x[u < t].sum() / t for x, u, t in rows])


def pseudo_likelihood_one_by_one(predict, ids, mask_id):
    total = torch.zeros(())
    for place, word in enumerate(ids.tolist()):
        canvas = ids.clone()
        canvas[place] = mask_id
        total = total + predict(canvas[None])[0, place, word]
    return total


def taught_by_sums(student, teacher, temperature):
    p, q = (torch.softmax(x / temperature, -1) for x in (teacher, student))
    return temperature * temperature * (p * (p.log() - q.log())).sum() / len(student)


def flops_by_products(D, n_layers, d_ff, V, rows, length, masked):
    def product(n, m, k):
        return 2 * n * m * k

    tokens, forward = rows * length, 0
    for _ in range(n_layers):
        forward += 4 * product(tokens, D, D) + product(tokens, D, d_ff) + product(tokens, d_ff, D)
        forward += rows * (product(length, D, length) + product(length, length, D))
    return 3 * (forward + product(masked, D, D) + product(masked, D, V))


def floor_by_cases(work, flops_a_second, bytes_a_second):
    total = 0.0
    for flops, size in work:
        waits = flops * bytes_a_second < size * flops_a_second
        total += size / bytes_a_second if waits else flops / flops_a_second
    return total


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


def largest_by_count(weight, sparsity):
    stay = weight.numel() - round(sparsity * weight.numel())
    kept = torch.zeros(weight.numel(), dtype=torch.bool)
    kept[weight.flatten().square().topk(stay).indices] = True
    return kept.reshape(weight.shape)


def quantised_row_by_row(weight):
    codes, scales = [], []
    for row in weight:
        most = max(row.max().item(), -row.min().item())
        scales.append(row.new_tensor([most / 127 if most else 1.0]))
        codes.append((row / scales[-1]).round().to(torch.int8))
    return torch.stack(codes), torch.stack(scales)


def two_goals_by_sums(student, teacher, target, temperature, share):
    soft = taught_by_sums(student, teacher, temperature)
    truth = -torch.stack([F.log_softmax(s, 0)[t] for s, t in zip(student, target, strict=True)])
    return share * soft + truth.mean() - share * truth.mean()


def sent_one_by_one(sums, counts):
    total, n = counts.sum().item(), len(sums)
    return torch.stack([own.sum() * n / total for own in sums])


def mixed_place_by_place(p, answers):
    total = 0.0
    for one in answers.tolist():
        chance = 1.0
        for place, word in enumerate(one):
            agree = [m for m, other in enumerate(answers.tolist()) if other[place] == word]
            chance *= sum(float(p[m]) for m in agree)
        total += chance
    return total


def hidden_by_sorting(target, share, noise):
    masked = torch.zeros_like(target, dtype=torch.bool)
    for row, ids in enumerate(target):
        places = ids.nonzero()[:, 0]
        n = math.floor(share[row].item() * len(places)) + 1
        masked[row, places[noise[row, places].sort().indices[:n]]] = True
    return masked


def lengths_one_by_one(scores, n):
    rows = scores[:, 1:] - scores[:, 1:].logsumexp(1, keepdim=True)
    order = rows.argsort(1, descending=True)[:, :n]
    return order + 1, rows.gather(1, order)


def reopened_by_sorting(confidence, real, done, steps):
    opened = torch.zeros_like(real)
    for row in range(len(real)):
        places = [i for i in range(real.shape[1]) if real[row, i]]
        places.sort(key=lambda i: confidence[row, i].item())
        opened[row, places[: max(1, len(places) * (steps - done) // steps)]] = True
    return opened


def filled_in_place(predict, tokens, confidence, masked):
    canvas = tokens.clone()
    canvas[masked] = 4
    p, best = F.softmax(predict(canvas), -1)[masked].max(-1)
    new = confidence.clone()
    canvas[masked], new[masked] = best, p
    return canvas, new


def mask_predict_row_by_row(predict, real, steps):
    tokens, confidence = torch.zeros(real.shape, dtype=torch.int64), torch.ones(real.shape)
    tokens[real] = 4
    opened = real
    for left in range(steps, 0, -1):
        if left < steps:
            opened = reopened_by_sorting(confidence, real, steps - left, steps)
        tokens, confidence = filled_in_place(predict, tokens, confidence, opened)
    return tokens, confidence


def best_by_loop(confidence, real):
    scores = [
        [c[r].log().mean() for c, r in zip(*row, strict=True)]
        for row in zip(confidence, real, strict=True)
    ]
    return torch.tensor([row.index(max(row)) for row in scores]), torch.tensor(scores)


VARIANTS = {
    "1.1": average_by_loop,
    "1.2": lambda q, k: torch.einsum("bhtd,bhsd->bhts", q, k) / q.size(-1) ** 0.5,
    "1.3": lambda scores: F.log_softmax(scores, dim=-1).exp(),
    "1.4": attention_by_einsum,
    "1.5": lambda x, n_heads: torch.stack(x.chunk(n_heads, dim=-1), dim=1),
    "1.6": heads_by_chunks,
    "2.1": safe_by_exponentials,
    "2.2": padding_by_loop,
    "2.3": lambda size: torch.from_numpy(np.arange(size)[:, None] >= np.arange(size)[None]),
    "2.4": both_by_comparison,
    "2.5": lambda documents: documents.unsqueeze(1).eq(documents.unsqueeze(2)).unsqueeze(1),
    "2.6": safe_by_exponentials,
    "2.7": lambda mask: torch.where(mask, 0.0, -math.inf),
    "3.1": pieces_by_recursion,
    "4.1": lambda ids, special: (ids[..., None] != torch.tensor(special)).all(-1),
    "4.2": count_by_loop,
    "4.3": replaced_by_loop,
    "4.4": lambda ids, masked: torch.where(masked, ids, torch.full_like(ids, -100)),
    "4.5": words_by_loop,
    "5.1": embedded_one_by_one,
    "5.2": normalised_by_moments,
    "5.3": lambda x: x * torch.special.ndtr(x),
    "5.4": post_norm_in_steps,
    "5.5": pre_norm_in_steps,
    "5.6": counted_by_building,
    "5.7": all_logits_then_hidden,
    "5.8": bert_by_hand,
    "6.1": loss_by_token,
    "6.2": train_clearing_last,
    "6.3": evaluate_token_by_token,
    "6.4": factor_by_cases,
    "6.5": accumulated_then_divided,
    "6.6": lambda original, shown, masked: ~original.eq(shown),
    "7.1": lambda z, k: (F.softmax(z, 1).sort(1, True)[0][:, :k], z.argsort(1, True)[:, :k]),
    "7.2": copies_by_loop,
    "8.1": lambda x, visible: torch.stack([r[v].mean(0) for r, v in zip(x, visible, strict=True)]),
    "8.2": leaks_by_pairs,
    "8.3": labels_by_numpy,
    "8.4": lambda: ("questions", "tags", "errors"),
    "8.5": entities_by_groups,
    "8.6": contrastive_by_loop,
    "8.7": fused_by_loop,
    "8.8": span_by_band,
    "9.1": patches_by_unfold,
    "9.2": shuffled_by_loop,
    "9.3": put_back_by_loop,
    "9.4": normalised_by_sums,
    "9.5": lambda p, t, mask: F.mse_loss(p[mask > 0], t[mask > 0]),
    "9.6": visible_by_picking,
    "9.7": mae_by_picking,
    "10.1": closed_up_row_by_row,
    "10.2": lambda i, at, token, position: F.embedding(at, position).add(F.embedding(i, token)),
    "10.3": put_back_place_by_place,
    "10.4": decoder_input_by_lookup,
    "10.5": mae_loss_row_by_row,
    "10.6": directions_by_eigenvalues,
    "10.7": seen_by_loop,
    "11.1": mixed_place_by_place,
    "11.2": hidden_by_sorting,
    "11.3": lambda target: target.ne(0).unsqueeze(1).repeat(1, target.shape[1], 1),
    "11.4": lengths_one_by_one,
    "11.5": reopened_by_sorting,
    "11.6": filled_in_place,
    "11.7": mask_predict_row_by_row,
    "11.8": best_by_loop,
    "12.1": guess_by_counting,
    "12.2": bound_row_by_row,
    "12.3": rate_bound_row_by_row,
    "12.4": pseudo_likelihood_one_by_one,
    "12.5": lambda masked, noise, t, s: masked.logical_and(noise * t < s),
    "12.6": lambda g, size: size * F.normalize(g.reshape(len(g), -1), dim=1).view_as(g),
    "12.7": taught_by_sums,
    "13.1": flops_by_products,
    "13.2": floor_by_cases,
    "13.3": texts_token_by_token,
    "13.4": largest_by_count,
    "13.5": quantised_row_by_row,
    "13.6": two_goals_by_sums,
    "13.7": sent_one_by_one,
}
