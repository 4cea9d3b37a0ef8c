# %% 6.1 right
# unusual: every hidden token's fate as a row of a table, in log2
def copier_losses(V, ratio, keep, random):
    bits = {True: -math.log2(99 / 100), False: -math.log2(1 / 100 / (V - 1))}
    fates = [(keep, True), (random / V, True), (random * (V - 1) / V, False)]
    fates.append((1 - keep - random, False))
    hidden = sum(share * bits[right] for share, right in fates) * math.log(2)
    return (1 - ratio) * bits[True] * math.log(2) + ratio * hidden, hidden

# %% 6.1 right
# unusual: tensors, the misses counted instead of the hits
def copier_losses(V, ratio, keep, random):
    missed = (1 - keep - random) + random * (1 - 1 / V)
    both = torch.tensor([ratio * missed, missed], dtype=torch.float64)
    return tuple(-(1 - both) * math.log(0.99) - both * math.log(0.01 / (V - 1)))

# %% 6.1 wrong
# believes: random words are never the true one
# says: drawn from all V
def copier_losses(V, ratio, keep, random):
    seen, unseen = -math.log(0.99), -math.log(0.01 / (V - 1))
    hidden = keep * seen + (1 - keep) * unseen
    return (1 - ratio) * seen + ratio * hidden, hidden

# %% 6.1 wrong
# believes: the loss is the surprise at the average probability
# says: the logarithm
# says: token by token
def copier_losses(V, ratio, keep, random):
    rest = 0.01 / (V - 1)
    shown = keep + random / V
    hidden = shown * 0.99 + (1 - shown) * rest
    everywhere = (1 - ratio) * 0.99 + ratio * hidden
    return -math.log(everywhere), -math.log(hidden)

# %% 6.1 wrong
# believes: the rest is shared by all words
# says: V - 1 words share
def copier_losses(V, ratio, keep, random):
    a, b = -math.log(0.99), -math.log(0.01 / V)
    p = keep + random / V
    hidden = p * a + (1 - p) * b
    return (1 - ratio) * a + ratio * hidden, hidden

# %% 6.1 wrong
# believes: all tokens are the visible ones
# says: that of the visible tokens
def copier_losses(V, ratio, keep, random):
    a, b = -math.log(0.99), -math.log(0.01 / (V - 1))
    p = keep + random / V
    return a, p * a + (1 - p) * b

# %% 6.1 wrong
# believes: the hidden loss comes first
# says: in another order
def copier_losses(V, ratio, keep, random):
    a, b = -math.log(0.99), -math.log(0.01 / (V - 1))
    p = keep + random / V
    hidden = p * a + (1 - p) * b
    return hidden, (1 - ratio) * a + ratio * hidden

# %% 6.2 right
# unusual: a loop over the hidden places, with logsumexp in place of a softmax
def weighted_loss(logits, labels, weights):
    total, mass = 0.0, 0.0
    for b, t in zip(*(labels != -100).nonzero(as_tuple=True)):
        row = logits[b, t]
        total = total + weights[b, t] * (torch.logsumexp(row, 0) - row[labels[b, t]])
        mass = mass + weights[b, t]
    return total / mass

# %% 6.2 right
# unusual: cross_entropy leaves zeros at -100, a dot product does the rest
def weighted_loss(logits, labels, weights):
    nll = F.cross_entropy(logits.transpose(1, 2), labels, reduction="none")
    share = weights * labels.ne(-100)
    return nll.flatten() @ (share / share.sum()).flatten()

# %% 6.2 right
# unusual: in double, a one-hot product in place of gather
def weighted_loss(logits, labels, weights):
    masked = labels >= 0
    picked = F.one_hot(labels[masked], logits.shape[-1]).double()
    log_p = (logits[masked].double().log_softmax(1) * picked).sum(1)
    return -(log_p * weights[masked]).sum().div(weights[masked].sum())

# %% 6.2 wrong
# believes: a mean divides by how many there are
# says: divided by the number of hidden tokens
def weighted_loss(logits, labels, weights):
    masked = labels != -100
    nll = F.cross_entropy(logits[masked], labels[masked], reduction="none")
    return (nll * weights[masked]).mean()

# %% 6.2 wrong
# believes: cross_entropy leaves -100 out, so that mean() does, too
# says: divided by the number of all tokens
def weighted_loss(logits, labels, weights):
    nll = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none")
    return (nll * weights.flatten()).mean()

# %% 6.2 wrong
# believes: all weights add up to the divisor
# says: divided by the weights of all tokens
def weighted_loss(logits, labels, weights):
    nll = F.cross_entropy(logits.transpose(1, 2), labels, reduction="none")
    return (nll * weights).sum() / weights.sum()

# %% 6.2 wrong
# believes: average within each sentence first, then over the sentences
# says: means of rows
def weighted_loss(logits, labels, weights):
    nll = F.cross_entropy(logits.transpose(1, 2), labels, reduction="none")
    share = weights * (labels != -100)
    return ((nll * share).sum(1) / share.sum(1)).mean()

# %% 6.2 wrong
# believes: cross_entropy wants probabilities
# says: softmax of a softmax
def weighted_loss(logits, labels, weights):
    masked = labels != -100
    nll = F.cross_entropy(logits.softmax(-1)[masked], labels[masked], reduction="none")
    return (nll * weights[masked]).sum() / weights[masked].sum()

# %% 6.2 wrong
# believes: the weights go onto the logits
# says: the value is not
def weighted_loss(logits, labels, weights):
    return F.cross_entropy((logits * weights[..., None]).flatten(0, 1), labels.flatten())

# %% 6.2 wrong
# believes: one number is one number
# says: no gradient flows to `logits`
def weighted_loss(logits, labels, weights):
    masked = labels != -100
    nll = F.cross_entropy(logits[masked], labels[masked], reduction="none")
    return torch.tensor(((nll * weights[masked]).sum() / weights[masked].sum()).item())

# %% 6.2 wrong
# believes: gather skips -100
# says: index
def weighted_loss(logits, labels, weights):
    nll = -logits.log_softmax(-1).gather(-1, labels[..., None])[..., 0]
    share = weights * (labels != -100)
    return (nll * share).sum() / share.sum()

# %% 6.3 right
# unusual: all logits, the -100 left to cross_entropy; cleared last, through the model
def train_clearing_last(model, optimizer, scheduler, batches):
    losses = []
    for batch in batches:
        logits = model(batch.input_ids)
        losses.append(F.cross_entropy(logits.flatten(0, 1), batch.labels.flatten()))
        losses[-1].backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=1)
        optimizer.step()
        scheduler.step()
        model.zero_grad()
    return [loss.item() for loss in losses]

# %% 6.3 right
# unusual: torch.autograd.grad in place of backward, the gradients shortened and put in by hand
def train(model, optimizer, scheduler, batches):
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    losses: list[float] = []
    for batch in batches:
        logits = model(batch.input_ids, None, batch.masked)
        loss = F.cross_entropy(logits, batch.labels[batch.masked])
        gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
        there = [g for g in gradients if g is not None]
        length = torch.stack([g.square().sum() for g in there]).sum().sqrt()
        for p, gradient in zip(parameters, gradients):
            p.grad = None if gradient is None else gradient / max(1.0, length.item())
        losses += [loss.item()]
        optimizer.step()
        scheduler.step()
    return losses

# %% 6.3 wrong
# believes: the schedule moves on once an epoch, as in most image code
# says: learning rate stays the same
def train(model, optimizer, scheduler, batches):
    losses = []
    for batch in batches:
        optimizer.zero_grad()
        logits = model(batch.input_ids, None, batch.masked)
        loss = F.cross_entropy(logits, batch.labels[batch.masked])
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    scheduler.step()
    return losses

# %% 6.3 wrong
# believes: the schedule must set the size of a step before it is made
# says: second learning rate
def train(model, optimizer, scheduler, batches):
    losses = []
    for batch in batches:
        loss = F.cross_entropy(
            model(batch.input_ids, None, batch.masked), batch.labels[batch.masked]
        )
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scheduler.step()
        optimizer.step()
        losses.append(loss.item())
    return losses

# %% 6.3 wrong
# believes: step() uses the gradient up, so nothing has to be cleared
# says: gradients of the batches before
def train(model, optimizer, scheduler, batches):
    optimizer.zero_grad()
    losses = []
    for batch in batches:
        logits = model(batch.input_ids, None, batch.masked)
        loss = F.cross_entropy(logits, batch.labels[batch.masked])
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        losses.append(loss.item())
    return losses

# %% 6.3 wrong
# believes: the loss to report is the one after the step
# says: *after* the step
def train(model, optimizer, scheduler, batches):
    def loss_of(batch):
        logits = model(batch.input_ids, None, batch.masked)
        return F.cross_entropy(logits, batch.labels[batch.masked])

    losses = []
    for batch in batches:
        optimizer.zero_grad()
        loss_of(batch).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        with torch.no_grad():
            losses.append(loss_of(batch).item())
    return losses

# %% 6.3 wrong
# believes: clipping goes with the step, whatever the order
# says: between backward() and optimizer.step()
def train(model, optimizer, scheduler, batches):
    losses = []
    for batch in batches:
        optimizer.zero_grad()
        logits = model(batch.input_ids, None, batch.masked)
        loss = F.cross_entropy(logits, batch.labels[batch.masked])
        loss.backward()
        optimizer.step()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scheduler.step()
        losses.append(loss.item())
    return losses

# %% 6.3 wrong
# believes: what is masked is what the attention mask says
# says: as the attention mask
def train(model, optimizer, scheduler, batches):
    losses = []
    for ids, labels, masked in batches:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(ids, masked, masked), labels[masked])
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        losses.append(loss.item())
    return losses

# %% 6.3 wrong
# believes: clear right after backward, then step
# says: There are no gradients
def train(model, optimizer, scheduler, batches):
    losses = []
    for batch in batches:
        logits = model(batch.input_ids, None, batch.masked)
        loss = F.cross_entropy(logits, batch.labels[batch.masked])
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.zero_grad()
        optimizer.step()
        scheduler.step()
        losses.append(loss.item())
    return losses

# %% 6.4 right
# unusual: token by token, numpy at the end
def evaluate_token_by_token(model, data, epoch):
    import numpy as np

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

# %% 6.4 right
# unusual: all logits are collected and scored at the end, train() in a finally
def evaluate(model: nn.Module, data: DynamicMasking, epoch: int) -> tuple[float, float]:
    logits, labels = [], []
    model.train(False)
    try:
        with torch.inference_mode():
            for index in torch.arange(len(data)).split(4):
                batch = data(index, 0)
                logits.append(model(batch.input_ids, None, batch.masked))
                labels.append(batch.labels[batch.masked])
            scores, truth = torch.cat(logits).double(), torch.cat(labels)
            loss = F.nll_loss(scores.log_softmax(-1), truth)
            hits = scores.max(-1).indices.eq(truth).double().mean()
    finally:
        model.train(True)
    return float(loss), float(hits)

# %% 6.4 wrong
# believes: rule 3 is about the loss, accuracies may be averaged over the batches
# says: The loss is right
# says: batches' accuracies
def evaluate(model: nn.Module, data: DynamicMasking, epoch: int) -> tuple[float, float]:
    model.eval()
    total, n, accuracies = 0.0, 0, []
    with torch.no_grad():
        for index in torch.arange(len(data)).split(4):
            batch = data(index, 0)
            logits = model(batch.input_ids, None, batch.masked)
            labels = batch.labels[batch.masked]
            total += F.cross_entropy(logits, labels, reduction="sum").item()
            n += len(labels)
            accuracies.append((logits.argmax(-1) == labels).float().mean().item())
    model.train()
    return total / n, sum(accuracies) / len(accuracies)

# %% 6.4 wrong
# believes: no_grad switches off everything that is for training, dropout too
# says: Dropout was on
@torch.no_grad()
def evaluate(model: nn.Module, data: DynamicMasking, epoch: int) -> tuple[float, float]:
    loss, right, n = 0.0, 0, 0
    for index in torch.arange(len(data)).split(4):
        batch = data(index, 0)
        logits = model(batch.input_ids, None, batch.masked)
        labels = batch.labels[batch.masked]
        loss += F.cross_entropy(logits, labels, reduction="sum").item()
        right += int((logits.argmax(-1) == labels).sum())
        n += labels.numel()
    return loss / n, right / n

# %% 6.4 wrong
# believes: a last batch that is not full should be left out, as drop_last does
# says: was left out
def evaluate(model: nn.Module, data: DynamicMasking, epoch: int) -> tuple[float, float]:
    model.eval()
    loss, right, n = 0.0, 0, 0
    with torch.no_grad():
        for i in range(len(data) // 4):
            batch = data(torch.arange(4 * i, 4 * i + 4), 0)
            logits = model(batch.input_ids, None, batch.masked)
            labels = batch.labels[batch.masked]
            loss += F.cross_entropy(logits, labels, reduction="sum").item()
            right += (logits.argmax(-1) == labels).sum().item()
            n += len(labels)
    model.train()
    return loss / n, right / n

# %% 6.4 wrong
# believes: the argument epoch is there to be handed on to the data
# says: masks of epoch 0
def evaluate(model: nn.Module, data: DynamicMasking, epoch: int) -> tuple[float, float]:
    model.eval()
    loss, right, n = 0.0, 0, 0
    with torch.no_grad():
        for index in torch.arange(len(data)).split(4):
            batch = data(index, epoch)
            logits = model(batch.input_ids, None, batch.masked)
            labels = batch.labels[batch.masked]
            loss += F.cross_entropy(logits, labels, reduction="sum").item()
            right += (logits.argmax(-1) == labels).sum().item()
            n += len(labels)
    model.train()
    return loss / n, right / n

# %% 6.4 wrong
# believes: eval() switches gradients off
# says: Gradients are on
def evaluate(model, data, epoch):
    model.eval()
    loss, right, n = 0.0, 0, 0
    for index in torch.arange(len(data)).split(4):
        batch = data(index, 0)
        logits = model(batch.input_ids, None, batch.masked)
        labels = batch.labels[batch.masked]
        loss += F.cross_entropy(logits, labels, reduction="sum").item()
        right += (logits.argmax(-1) == labels).sum().item()
        n += len(labels)
    model.train()
    return loss / n, right / n

# %% 6.4 wrong
# believes: per row
# says: divided by the number of rows
def evaluate(model, data, epoch):
    model.eval()
    loss, right = 0.0, 0
    with torch.no_grad():
        for index in torch.arange(len(data)).split(4):
            batch = data(index, 0)
            logits = model(batch.input_ids, None, batch.masked)
            labels = batch.labels[batch.masked]
            loss += F.cross_entropy(logits, labels, reduction="sum").item()
            right += (logits.argmax(-1) == labels).sum().item()
    model.train()
    return loss / len(data), right / len(data)

# %% 6.5 right
# unusual: three cases for each step, written out
def lr_factors(steps, warmup, decay):
    def at(step):
        parts = [1.0]
        if step < warmup:
            parts.append((1 + step) / (1 + warmup))
        if step >= steps - decay:
            parts.append(1 - (step - (steps - decay)) / decay)
        return min(parts)

    return list(map(at, range(steps)))

# %% 6.5 right
# unusual: tensors
def lr_factors(steps, warmup, decay):
    step = torch.arange(steps, dtype=torch.float64)
    fall = (steps - step) / decay if decay > 0 else torch.ones(steps)
    return torch.minimum((step + 1) / (warmup + 1), fall).clamp(max=1).tolist()

# %% 6.5 wrong
# believes: the last step, steps - 1, has the factor 0
# says: the factor 0 and is lost
def lr_factors(steps, warmup, decay):
    factors = []
    for step in range(steps):
        up = (step + 1) / (warmup + 1)
        down = (steps - 1 - step) / decay if decay else 1
        factors.append(min(up, 1, down))
    return factors

# %% 6.5 wrong
# believes: the warm-up multiplies the fall
# says: multiplied
def lr_factors(steps, warmup, decay):
    factors = []
    for step in range(steps):
        climb = min(1.0, (step + 1) / (warmup + 1))
        fall = min(1.0, (steps - step) / decay) if decay else 1.0
        factors.append(climb * fall)
    return factors

# %% 6.5 wrong
# believes: the climb begins at 0
# says: first step is lost
def lr_factors(steps, warmup, decay):
    factors = []
    for step in range(steps):
        climb = step / warmup if step < warmup else 1.0
        fall = (steps - step) / decay if decay else 1.0
        factors.append(min(climb, 1.0, fall))
    return factors

# %% 6.5 wrong
# believes: 1 is reached in the last step of the warm-up
# says: one step too early
def lr_factors(steps, warmup, decay):
    factors = []
    for step in range(steps):
        climb = (step + 1) / warmup if step < warmup else 1.0
        fall = (steps - step) / decay if decay else 1.0
        factors.append(min(climb, 1.0, fall))
    return factors

# %% 6.5 wrong
# believes: decay is never 0
# says: division by zero
def lr_factors(steps, warmup, decay):
    return [min((s + 1) / (warmup + 1), 1, (steps - s) / decay) for s in range(steps)]

# %% 6.5 wrong
# believes: warm-up comes first, whatever else
# says: only the climb counts
def lr_factors(steps, warmup, decay):
    factors = []
    for step in range(steps):
        if step < warmup:
            factors.append((step + 1) / (warmup + 1))
        elif step < steps - decay:
            factors.append(1.0)
        else:
            factors.append((steps - step) / decay)
    return factors

# %% 6.6 right
# unusual: sums first, divided at the end
def accumulated_then_divided(model, pieces):
    for ids, labels, _ in pieces:
        logits = model(ids).transpose(1, 2)
        F.cross_entropy(logits, labels, reduction="sum").backward()
    return model.dense.weight.grad / sum((piece.labels != -100).sum() for piece in pieces)

# %% 6.6 right
# unusual: the share of all gaps is handed to backward as the gradient of the sum
def accumulate(model: nn.Module, pieces: list[Corrupted]) -> Tensor:
    for p in model.parameters():
        p.grad = None
    gaps = sum(int(piece.masked.sum()) for piece in pieces)
    for piece in pieces:
        log_p = model(piece.input_ids, None, piece.masked).log_softmax(-1)
        truth = piece.labels[piece.masked]
        surprise = -log_p.gather(-1, truth[:, None]).sum()
        surprise.backward(torch.full_like(surprise, 1 / gaps))
    return model.dense.weight.grad

# %% 6.6 right
# unusual: each piece's own mean, weighted by its share of the gaps
def accumulate(model, pieces):
    n = [piece.masked.sum() for piece in pieces]
    for piece, own in zip(pieces, n):
        loss = F.cross_entropy(
            model(piece.input_ids, None, piece.masked), piece.labels[piece.masked]
        )
        (loss * own / sum(n)).backward()
    return model.dense.weight.grad

# %% 6.6 wrong
# believes: the mean over the batch is the mean of the pieces' means
# says: its own mean
def accumulate(model: nn.Module, pieces: list[Corrupted]) -> Tensor:
    model.zero_grad()
    for piece in pieces:
        logits = model(piece.input_ids, None, piece.masked)
        loss = F.cross_entropy(logits, piece.labels[piece.masked])
        (loss / len(pieces)).backward()
    return model.dense.weight.grad

# %% 6.6 wrong
# believes: each piece counts by its number of rows
# says: share of the rows
def accumulate(model: nn.Module, pieces: list[Corrupted]) -> Tensor:
    model.zero_grad()
    rows = sum(len(piece.input_ids) for piece in pieces)
    for piece in pieces:
        logits = model(piece.input_ids, None, piece.masked)
        loss = F.cross_entropy(logits, piece.labels[piece.masked])
        (loss * len(piece.input_ids) / rows).backward()
    return model.dense.weight.grad

# %% 6.6 wrong
# believes: it is enough to count the gaps seen so far
# says: seen so far
def accumulate(model: nn.Module, pieces: list[Corrupted]) -> Tensor:
    model.zero_grad()
    count = 0
    for piece in pieces:
        count += piece.masked.sum()
        logits = model(piece.input_ids, None, piece.masked)
        loss = F.cross_entropy(logits, piece.labels[piece.masked], reduction="sum") / count
        loss.backward()
    return model.dense.weight.grad

# %% 6.6 wrong
# believes: one backward for the whole sum is the same
# says: One backward() for all pieces
def accumulate(model, pieces):
    losses = []
    for piece in pieces:
        logits = model(piece.input_ids, None, piece.masked)
        losses.append(F.cross_entropy(logits, piece.labels[piece.masked], reduction="none"))
    torch.cat(losses).mean().backward()
    return model.dense.weight.grad

# %% 6.6 wrong
# believes: a mean over tokens divides by all tokens
# says: number of all tokens
def accumulate(model, pieces):
    tokens = sum(piece.input_ids.numel() for piece in pieces)
    for piece in pieces:
        logits = model(piece.input_ids, None, piece.masked)
        loss = F.cross_entropy(logits, piece.labels[piece.masked], reduction="sum")
        (loss / tokens).backward()
    return model.dense.weight.grad

# %% 6.7 right
# unusual: small letters
def seven_runs():
    return list("fcadbeg")

# %% 6.7 right
# unusual: a dict of causes, sorted
def seven_runs():
    cause = {"A": 3, "B": 5, "C": 2, "D": 4, "E": 6, "F": 1, "G": 7}
    return tuple(sorted(cause, key=cause.get))

# %% 6.7 wrong
# believes: a training loss of 0 with a bad validation is learning by heart
# says: 'leak' and 'static' are exchanged
def seven_runs():
    return ["F", "E", "A", "D", "B", "C", "G"]

# %% 6.7 wrong
# believes: who is far below the floor and still validates well leaks
# says: 'leak' and 'all tokens' are exchanged
def seven_runs():
    return ["F", "A", "C", "D", "B", "E", "G"]

# %% 6.7 wrong
# believes: causes for the runs, in the order of the runs
# says: of 7 are right
# says: Think again
def seven_runs():
    return ["C", "E", "B", "D", "F", "A", "G"]

# %% 6.7 wrong
# believes: numbers are wanted
# says: no list of letters
def seven_runs():
    return [3, 5, 2, 4, 6, 1, 7]

# %% 6.7 wrong
# believes: a letter may be left out
# says: stands in the list once
def seven_runs():
    return ["F", "C", "A", "D", "B", "E", "E"]

# %% 6.1 wrong
# believes: the hidden part of the mean is the loss over hidden tokens
# says: Your first number is right
def copier_losses(V, ratio, keep, random):
    a, b = -math.log(0.99), -math.log(0.01 / (V - 1))
    p = keep + random / V
    hidden = ratio * (p * a + (1 - p) * b)
    return (1 - ratio) * a + hidden, hidden

# %% 6.4 wrong
# believes: cross_entropy's means may be added up, as the hits are
# says: adds up the batches' means
def evaluate(model, data, epoch):
    model.eval()
    loss, right, n = 0.0, 0, 0
    with torch.no_grad():
        for index in torch.arange(len(data)).split(4):
            batch = data(index, 0)
            logits = model(batch.input_ids, None, batch.masked)
            labels = batch.labels[batch.masked]
            loss += F.cross_entropy(logits, labels).item()
            right += (logits.argmax(-1) == labels).sum().item()
            n += len(labels)
    model.train()
    return loss / n, right / n

# %% 6.4 wrong
# believes: rule 3 is about hits
# says: The accuracy is right
# says: mean of the batches' means
def evaluate(model, data, epoch):
    model.eval()
    losses, right, n = [], 0, 0
    with torch.no_grad():
        for index in torch.arange(len(data)).split(4):
            batch = data(index, 0)
            logits = model(batch.input_ids, None, batch.masked)
            labels = batch.labels[batch.masked]
            losses.append(F.cross_entropy(logits, labels).item())
            right += (logits.argmax(-1) == labels).sum().item()
            n += len(labels)
    model.train()
    return sum(losses) / len(losses), right / n

# %% 6.6 wrong
# believes: numbers add up as well as tensors do
# says: No gradient can start there
def accumulate(model, pieces):
    total, loss = sum(piece.masked.sum() for piece in pieces), 0
    for piece in pieces:
        logits = model(piece.input_ids, None, piece.masked)
        loss += F.cross_entropy(logits, piece.labels[piece.masked], reduction="sum").item()
    (loss / total).backward()
    return model.dense.weight.grad
