"""Lesson 13: scale. What a step costs, and what makes it cheaper without making it wrong."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from mlm_course import compression, cost
from mlm_course.models import EncoderConfig
from mlm_course.practice.exercise import Exercise, Function, Misconception, Question
from mlm_course.tokenization import texts_in_rows

TITLE = "Scale"


def step_flops(
    D: int, n_layers: int, d_ff: int, V: int, rows: int, length: int, masked: int
) -> int:
    config = EncoderConfig(V, length, d_model=D, n_layers=n_layers, n_heads=1, d_ff=d_ff)
    return cost.training_flops(config, rows, length, masked)


def time_floor(
    work: list[tuple[float, float]], flops_a_second: float, bytes_a_second: float
) -> float:
    return cost.time_floor(work, flops_a_second, bytes_a_second)


def texts_and_places(ids: Tensor) -> tuple[Tensor, Tensor]:
    return texts_in_rows(ids)


def largest_stay(weight: Tensor, sparsity: float) -> Tensor:
    return compression.magnitude_mask(weight, sparsity)


def quantise_rows(weight: Tensor) -> tuple[Tensor, Tensor]:
    codes, scale = compression.quantize(weight)
    return codes, scale


def distillation_loss(
    student: Tensor, teacher: Tensor, target: Tensor, temperature: float, share: float
) -> Tensor:
    return compression.distillation_loss(student, teacher, target, temperature, share)


def losses_to_send(sums: Tensor, counts: Tensor) -> Tensor:
    return len(sums) * sums.sum(1) / counts.sum()


def _int(g: torch.Generator, low: int, high: int) -> int:
    return int(torch.randint(low, high, (1,), generator=g))


def _sizes(g: torch.Generator) -> tuple[int, ...]:
    """Sizes of a model and a batch, no two alike and d_ff no multiple of D."""
    D = 64 * _int(g, 1, 5)
    rows, length = _int(g, 2, 20), _int(g, 30, 200)
    return D, _int(g, 2, 7), 3 * D + 1, _int(g, 500, 9000), rows, length, rows * length // 7


def _work(g: torch.Generator) -> tuple[list[tuple[float, float]], float, float]:
    """Five pieces of work: at least two limited by FLOPs and two by bytes."""
    flops, bytes_ = 1e9 * _int(g, 20, 90), 1e9 * _int(g, 3, 15)
    seconds = 0.01 + torch.rand(5, 2, generator=g)
    seconds[:2, 0] += 1.5
    seconds[2:4, 1] += 1.5
    return [(f * flops, b * bytes_) for f, b in seconds.tolist()], flops, bytes_


def _packed(g: torch.Generator) -> tuple[Tensor]:
    """Three rows of packed texts; the second begins with a very short one, the third has one only."""
    ids = torch.randint(5, 30, (3, 13), generator=g)
    ids[0, [_int(g, 2, 5), _int(g, 7, 10)]] = 3
    ids[1, [1, _int(g, 4, 7), 12]] = 3
    return (ids,)


def _weights(g: torch.Generator) -> tuple[Tensor, float]:
    """Rows of different sizes, so that a threshold for each row is another one."""
    rows, columns = _int(g, 3, 6), 10
    size = torch.linspace(0.3, 2, rows)[:, None]
    return size * torch.randn(rows, columns, generator=g), _int(g, 2, 9) / 10


def _rows_to_round(g: torch.Generator) -> tuple[Tensor]:
    """Rows of different sizes; the largest number of one is negative; the last is all zeros."""
    weight = torch.tensor([0.02, 0.5, 3.0, 0.0])[:, None] * torch.randn(4, 9, generator=g)
    weight[1] = -weight[1].abs()
    return (weight,)


def _answers(g: torch.Generator) -> tuple[Tensor, Tensor, Tensor, float, float]:
    student, teacher = (2 * torch.randn(6, 9, generator=g) for _ in range(2))
    target = torch.randint(9, (6,), generator=g)
    return student, teacher, target, 1.5 + 0.5 * _int(g, 0, 5), _int(g, 2, 5) / 10


def _sums(g: torch.Generator) -> tuple[Tensor, Tensor]:
    """Three processes of two pieces, or two of three; pieces hide very different numbers of tokens."""
    shape = (3, 2) if torch.rand((), generator=g) < 0.5 else (2, 3)
    counts = torch.randint(1, 40, shape, generator=g)
    return counts * (1 + 2 * torch.rand(shape, generator=g)), counts


def _counted(
    each: int = 6,
    for_attention: int = 12,
    asked_only: bool = True,
    by_length: bool = True,
    lookups: bool = False,
    one_layer: bool = False,
    head: bool = True,
) -> Function:
    """A count of FLOPs with one slip."""

    def run(D, n_layers, d_ff, V, rows, length, masked):
        tokens = rows * length
        blocks = n_layers * (4 * D * D + 2 * D * d_ff)
        last = (D * D + D * V) * (masked if asked_only else tokens) * head
        seen = for_attention * tokens * D * (1 if one_layer else n_layers)
        table = V * D * tokens if lookups else 0
        return each * (blocks * tokens + last + table) + seen * (length if by_length else 1)

    return run


def _begins(ids: Tensor, ends: int = 3) -> Tensor:
    return F.pad((ids == ends).long(), (1, -1))


def _places(begins: Tensor) -> Tensor:
    all_places = torch.arange(begins.shape[1]).expand(begins.shape)
    return all_places - (all_places * begins).cummax(1).values


def _wrong_texts(change: Function) -> Function:
    """change(ids, texts, places) -> what is returned."""
    return lambda ids: change(ids, _begins(ids).cumsum(1), _places(_begins(ids)))


def _by_threshold(size: Function, threshold: Function, keep: Function = torch.gt) -> Function:
    def run(weight, sparsity):
        return keep(size(weight), threshold(size(weight), sparsity))

    return run


def _smallest_kept(values: Tensor, sparsity: float) -> Tensor:
    """The largest number that goes."""
    return values.flatten().sort().values[round(sparsity * values.numel()) - 1]


def _codes(scale: Function, rounding: Function = torch.round, change: Function | None = None):
    def run(weight):
        s = scale(weight)
        s = torch.where(s > 0, s, torch.ones_like(s))
        codes = rounding(weight / s).to(torch.int8)
        return change(codes, s) if change else (codes, s)

    return run


def _row_scale(weight: Tensor) -> Tensor:
    return weight.abs().amax(1, keepdim=True) / 127


def _mixed(
    warm_student: bool = True,
    warm_teacher: bool = True,
    warm_truth: bool = False,
    squared: bool = True,
    other_way: bool = False,
    swapped: bool = False,
    entropy: bool = False,
    over_words: bool = False,
) -> Function:
    """Both goals, with one slip."""

    def run(student, teacher, target, temperature, share):
        learnt = (student / temperature if warm_student else student).log_softmax(-1)
        taught = (teacher / temperature if warm_teacher else teacher).log_softmax(-1)
        if other_way:
            learnt, taught = taught, learnt
        soft = F.kl_div(learnt, taught, reduction="batchmean", log_target=True)
        soft = soft / student.shape[1] if over_words else soft
        if entropy:
            soft = -(taught.exp() * learnt).sum(-1).mean()
        soft = soft * (temperature**2 if squared else 1)
        truth = F.cross_entropy(student / temperature if warm_truth else student, target)
        return (1 - share) * soft + share * truth if swapped else share * soft + (1 - share) * truth

    return run


EXERCISES = (
    Exercise(
        id="13.1",
        minutes=15,
        prompt="The FLOPs of a step",
        reference=step_flops,
        inputs=_sizes,
        hints=(
            "Three parts: the blocks' matrices for every token, the head's for the hidden ones, and "
            "attention, which grows with the square of the length.",
            "A block has 4 * D * D + 2 * D * d_ff numbers in matrices, the head D * D + D * V. "
            "Each of them costs 6 FLOPs for each token it works on.",
            "6 * (n_layers * (4*D*D + 2*D*d_ff) * rows * length + (D*D + D*V) * masked) "
            "+ 12 * n_layers * rows * length * length * D",
        ),
        misconceptions=(
            Misconception(
                _counted(2, 4),
                "This is the forward pass alone. The backward pass costs twice as much again: one "
                "product for the gradient of the input, one for that of the weights.",
            ),
            Misconception(
                _counted(4, 8),
                "You let the backward pass cost as much as the forward pass. It has two products for "
                "each one of them: 2 + 4 = 6.",
            ),
            Misconception(
                _counted(3, 6),
                "You counted a multiply-add as one FLOP. It is two: one multiplication, one addition.",
            ),
            Misconception(
                _counted(asked_only=False),
                "You let the head work on every token. Only the `masked` ones are projected to the "
                "vocabulary.",
            ),
            Misconception(
                _counted(head=False),
                "The head is missing: D * D + D * V numbers, for the hidden tokens.",
            ),
            Misconception(
                _counted(for_attention=0),
                "Attention is missing: every token is compared with every other in its row, and "
                "takes its value. No parameters, but FLOPs.",
            ),
            Misconception(
                _counted(for_attention=4),
                "Attention's own products are there for the forward pass only. Backward they cost "
                "twice as much again: 12 in all, not 4.",
            ),
            Misconception(
                _counted(by_length=False),
                "Each token is compared with all tokens of its row: attention goes with "
                "rows * length * length.",
            ),
            Misconception(
                _counted(lookups=True),
                "You counted the embedding of the tokens as a matrix product. It is a look-up in a "
                "table: no multiplication at all.",
            ),
            Misconception(
                _counted(one_layer=True),
                "Attention's products were counted once. Every layer has them.",
            ),
        ),
    ),
    Exercise(
        id="13.2",
        minutes=6,
        prompt="A floor for the time",
        reference=time_floor,
        inputs=_work,
        hints=(
            "While numbers are fetched, others can be multiplied. So a piece of work takes as long as "
            "the slower of its two needs.",
            "For each (f, b) in work: the larger of f / flops_a_second and b / bytes_a_second. Pieces "
            "come one after another: add them up.",
            "return sum(max(f / flops_a_second, b / bytes_a_second) for f, b in work)",
        ),
        misconceptions=(
            Misconception(
                lambda work, F_, B: sum(f / F_ + b / B for f, b in work),
                "You added the two times of each piece. They can overlap: the floor is the larger one.",
            ),
            Misconception(
                lambda work, F_, B: max(sum(f for f, _ in work) / F_, sum(b for _, b in work) / B),
                "You took the larger one of two totals. That would let one piece's bytes travel while "
                "another multiplies; but they come one after another: the larger one of *each* piece.",
            ),
            Misconception(
                lambda work, F_, B: sum(min(f / F_, b / B) for f, b in work),
                "You took the smaller of the two times. The work is done when both are: the larger one.",
            ),
            Misconception(
                lambda work, F_, B: sum(f / F_ for f, _ in work),
                "Only the FLOPs count in yours. Some pieces wait for memory.",
            ),
            Misconception(
                lambda work, F_, B: sum(b / B for _, b in work),
                "Only the bytes count in yours. Some pieces wait for the multiplications.",
            ),
            Misconception(
                lambda work, F_, B: max(max(f / F_, b / B) for f, b in work),
                "This is the time of the slowest piece. They come one after another: add them up.",
            ),
        ),
    ),
    Exercise(
        id="13.3",
        minutes=15,
        prompt="Texts in one row",
        reference=texts_and_places,
        inputs=_packed,
        hints=(
            "A new text begins one place behind each [SEP]. Mark these places with 1.",
            "Adding up the marks from the left (`cumsum(1)`) numbers the texts. For the places you need "
            "to know, for each token, where its text began: the last marked place so far (`cummax`).",
            "begins = F.pad((ids == 3).long(), (1, -1)); places = torch.arange(ids.shape[1]); "
            "return begins.cumsum(1), places - (places * begins).cummax(1).values",
        ),
        misconceptions=(
            Misconception(
                lambda ids: ((ids == 3).cumsum(1), _places((ids == 3).long())),
                "Your [SEP] belongs to the text behind it. It closes the text before: shift the marks by "
                "one place.",
            ),
            Misconception(
                _wrong_texts(
                    lambda ids, texts, places: (
                        texts,
                        torch.arange(ids.shape[1]).repeat(len(ids), 1),
                    )
                ),
                "The texts are right. The places go on through the row: they should begin at 0 again "
                "with each text.",
            ),
            Misconception(
                _wrong_texts(lambda ids, texts, places: (texts + 1, places)),
                "You number the texts from 1. From 0, please: nothing stands before the first.",
            ),
            Misconception(
                _wrong_texts(lambda ids, texts, places: (texts, places + 1)),
                "Your places begin at 1. The first token of a text has place 0.",
            ),
            Misconception(
                _wrong_texts(
                    lambda ids, texts, places: (
                        texts + F.pad(texts[:, -1] + 1, (1, -1)).cumsum(0)[:, None],
                        places,
                    )
                ),
                "Your numbers go on from row to row. Each row begins with text 0.",
            ),
            Misconception(
                _wrong_texts(lambda ids, texts, places: (places, texts)),
                "Both are right, in the wrong order: the numbers of the texts first.",
            ),
        ),
    ),
    Exercise(
        id="13.4",
        minutes=8,
        prompt="The largest weights stay",
        reference=largest_stay,
        inputs=_weights,
        hints=(
            "Large means far from 0, on either side.",
            "Sort the absolute values of all weights together. How many go? That one's value is the "
            "threshold.",
            "size = weight.abs(); gone = round(sparsity * size.numel()); "
            "return size > size.flatten().sort().values[gone - 1]",
        ),
        misconceptions=(
            Misconception(
                _by_threshold(lambda w: w, _smallest_kept),
                "You sorted the weights themselves: large negative ones go first. It is the distance "
                "from 0 that counts: `weight.abs()`.",
            ),
            Misconception(
                _by_threshold(Tensor.abs, _smallest_kept, torch.le),
                "Inverted: True is what stays.",
            ),
            Misconception(
                lambda w, s: (
                    w.abs() > w.abs().sort(1).values[:, round(s * w.shape[1]) - 1][:, None]
                ),
                "You removed the same share of each row. Here all weights of the matrix compete with "
                "each other: flatten first.",
            ),
            Misconception(
                lambda w, s: (
                    w.abs() > w.abs().sort(0).values[max(0, round(s * w.shape[0]) - 1)][None]
                ),
                "You removed the same share of each column. Here all weights of the matrix compete with "
                "each other: flatten first.",
            ),
            Misconception(
                _by_threshold(Tensor.abs, lambda size, s: s * size.max()),
                "`sparsity` is the share of the *weights* that go, not a share of the largest one: sort, "
                "and count.",
            ),
            Misconception(
                _by_threshold(Tensor.abs, lambda size, s: _smallest_kept(size, 1 - s + 1e-9)),
                "You kept a share of `sparsity`. That is the share that goes.",
            ),
            Misconception(
                _by_threshold(Tensor.abs, lambda size, s: s),
                "`sparsity` is a share, not a threshold for the weights: find the threshold by sorting.",
            ),
            Misconception(
                lambda w, s: w * (w.abs() > _smallest_kept(w.abs(), s)),
                "These are the weights that stay. Asked is *which* stay: booleans.",
            ),
        ),
    ),
    Exercise(
        id="13.5",
        minutes=8,
        prompt="Eight bits a weight",
        reference=quantise_rows,
        inputs=_rows_to_round,
        hints=(
            "The largest number of a row, on either side of 0, should become 127 or -127.",
            "scale = largest absolute value of the row / 127, shape (R, 1); where that is 0, take 1. "
            "Codes: weight / scale, rounded, as torch.int8.",
            "most = weight.abs().amax(1, keepdim=True); scale = torch.where(most > 0, most / 127, 1.0); "
            "return (weight / scale).round().to(torch.int8), scale",
        ),
        misconceptions=(
            Misconception(
                _codes(lambda w: (w.abs().amax() / 127).expand(len(w), 1).clone()),
                "One scale for the whole matrix: in a row of small weights nearly all codes are 0. "
                "Take the largest of each row.",
            ),
            Misconception(
                _codes(lambda w: w.abs().amax(0, keepdim=True) / 127),
                "You gave each column a scale, (1, C). A row, one output of the layer, has its own: "
                "(R, 1).",
            ),
            Misconception(
                _codes(lambda w: w.amax(1, keepdim=True) / 127),
                "You took the largest weight with its sign. A row's largest number can be negative: "
                "`weight.abs()` first.",
            ),
            Misconception(
                _codes(_row_scale, torch.trunc),
                "You cut the digits behind the point off instead of rounding: `.round()` before "
                "`.to(torch.int8)`.",
            ),
            Misconception(
                _codes(lambda w: w.abs().amax(1, keepdim=True) / 255),
                "You divided by 255: but the codes reach from -127 to 127, and larger ones wrap around. "
                "Divide by 127.",
            ),
            Misconception(
                _codes(_row_scale, change=lambda codes, s: (codes, 1 / s)),
                "The codes are right, and the scale is upside down: codes * scale should give the weights.",
            ),
            Misconception(
                _codes(_row_scale, change=lambda codes, s: (codes * s, s)),
                "These are the rounded weights. Return the codes themselves, int8.",
            ),
            Misconception(
                lambda w: ((w / _row_scale(w)).round().to(torch.int8), _row_scale(w)),
                "A row of zeros got the scale 0, and 0 / 0 is no number. Take the scale 1 there.",
            ),
        ),
    ),
    Exercise(
        id="13.6",
        minutes=10,
        prompt="Two goals for a student",
        reference=distillation_loss,
        inputs=_answers,
        hints=(
            "Two losses, mixed: the teacher's, as in exercise 12.7, with weight `share`; the true words' "
            "with the rest.",
            "The temperature belongs to the first only: there both logits are divided by it, and the "
            "divergence is multiplied by its square.",
            "learnt, taught = ((x / temperature).log_softmax(-1) for x in (student, teacher)); soft = "
            "temperature**2 * F.kl_div(learnt, taught, reduction='batchmean', log_target=True); "
            "return share * soft + (1 - share) * F.cross_entropy(student, target)",
        ),
        misconceptions=(
            Misconception(
                _mixed(squared=False),
                "The factor temperature**2 is missing: the softened part would lose its weight as the "
                "temperature grows.",
            ),
            Misconception(
                _mixed(warm_student=False),
                "Only the teacher was softened. The student's logits are divided by the temperature too.",
            ),
            Misconception(
                _mixed(warm_teacher=False),
                "Only the student was softened. The teacher's logits are divided by the temperature too.",
            ),
            Misconception(
                _mixed(warm_truth=True),
                "The true words' loss uses softened answers. There the student must answer as it will be "
                "used: without temperature.",
            ),
            Misconception(
                _mixed(other_way=True),
                "The divergence runs the other way: p_teacher * log(p_teacher / p_student). `F.kl_div` "
                "takes the student first.",
            ),
            Misconception(
                _mixed(swapped=True),
                "`share` is the weight of the teacher's part, 1 - share that of the true words.",
            ),
            Misconception(
                _mixed(over_words=True),
                'reduction="mean" divides by the size of the vocabulary as well. Use "batchmean".',
            ),
            Misconception(
                _mixed(entropy=True),
                "This is the cross-entropy with the teacher. It has the same gradient, but does not fall "
                "to 0 where both agree: subtract the teacher's entropy, as the divergence does.",
            ),
        ),
    ),
    Exercise(
        id="13.7",
        minutes=10,
        prompt="What each process sends back",
        reference=losses_to_send,
        inputs=_sums,
        hints=(
            "Write down what is wanted: all sums, divided by all counts. And what happens by itself: the "
            "gradients of the R processes are averaged, so each is divided by R.",
            "Each process divides its own sum by the count of *all*, and makes up for the average by "
            "multiplying by R = len(sums).",
            "return len(sums) * sums.sum(1) / counts.sum()",
        ),
        misconceptions=(
            Misconception(
                lambda sums, counts: sums.sum(1) / counts.sum(1),
                "Each process divided by its own count. A token weighs more where few are hidden: divide "
                "by the count of all processes.",
            ),
            Misconception(
                lambda sums, counts: (sums / counts).mean(1),
                "You took the mean of the pieces' means. Sums are added up, and divided once, by the "
                "count of all pieces of all processes.",
            ),
            Misconception(
                lambda sums, counts: sums.sum(1) / counts.sum(),
                "The right count, but the gradients will be averaged over the processes, and the result "
                "is R times too small: multiply by R.",
            ),
            Misconception(
                lambda sums, counts: sums.numel() * sums.sum(1) / counts.sum(),
                "You multiplied by the number of pieces. Only the processes are averaged; pieces of one "
                "process add up by themselves.",
            ),
            Misconception(
                lambda sums, counts: sums.sum(1) / counts.sum() / len(sums),
                "You divided by R, and the average will do so once more. Multiply by R instead.",
            ),
            Misconception(
                lambda sums, counts: (sums.sum() / counts.sum()).expand(len(sums)),
                "That is the loss of the whole batch, for everyone. A process has the gradient of its "
                "own sum only: return what each one contributes.",
            ),
            Misconception(
                lambda sums, counts: len(sums) * sums.sum(1) / counts.sum(1),
                "You multiplied by R and divided by each process's own count. The count is that of all.",
            ),
            Misconception(
                lambda sums, counts: len(sums) * sums / counts.sum(),
                "These are the contributions of the pieces, (R, A). Add up those of one process: (R,).",
            ),
        ),
    ),
)

QUIZ = (
    Question(
        id="13.q1",
        prompt="A step takes 1 second. The products of matrices in it would take .3 seconds at this "
        "machine's best rate. What follows?",
        options=(
            (
                "A better library for matrix products can make the step three times as fast.",
                "The products are at most part of the step; nothing says they run slowly.",
            ),
            (
                "With the same FLOPs and this machine, no program can be more than about three times as fast.",
                "That is what a floor is good for: it says when to stop.",
            ),
            (
                "The rest of the second is wasted.",
                "Norms, softmax, the optimiser need it too: they have few FLOPs and many bytes.",
            ),
        ),
        answer=1,
    ),
    Question(
        id="13.q2",
        prompt="Why do bf16 programs add up in fp32?",
        options=(
            (
                "bf16 overflows at 65504.",
                "That is fp16. bf16 reaches as far as fp32.",
            ),
            (
                "fp32 sums are faster.",
                "They are not. They are right.",
            ),
            (
                "In bf16 a long sum stops growing: small terms are rounded away.",
                "8 bits: from 256 on, adding 1 changes nothing.",
            ),
        ),
        answer=2,
    ),
    Question(
        id="13.q3",
        prompt="Nine weights in ten are set to 0. How much sooner is a layer of the same shape done?",
        options=(
            (
                "No sooner.",
                "Time is saved only where the hardware or the program skips zeros, or where whole rows go.",
            ),
            (
                "Ten times as fast.",
                "The product multiplies by zeros as it does by other numbers.",
            ),
            (
                "Somewhat sooner: multiplying by 0 is easy.",
                "A processor takes as long for 0 as for any number: section 8 measures it.",
            ),
        ),
        answer=0,
    ),
    Question(
        id="13.q4",
        prompt="Two processes, with 10 and 30 hidden tokens. Each takes the mean of its own losses, and "
        "the gradients are averaged. What is wrong?",
        options=(
            (
                "Nothing: both halves of the batch count the same.",
                "The halves do. The tokens do not.",
            ),
            (
                "A token of the first process weighs three times as much as one of the second.",
                "Divide sums by the count of all processes instead.",
            ),
            (
                "The result is twice as large as it should be.",
                "A mean of means has about the right size. It is another mean.",
            ),
        ),
        answer=1,
    ),
    Question(
        id="13.q5",
        prompt="Why does keeping keys and values not speed up a bidirectional encoder?",
        options=(
            (
                "It has no keys and values.",
                "It has: in every layer, for every token.",
            ),
            (
                "They take too much memory.",
                "They would take as much as in a decoder. They are just not valid any more.",
            ),
            (
                "A new token changes the vectors of all others, so from the second layer on nothing "
                "kept is valid.",
                "In a decoder with a causal mask earlier tokens never look ahead, so theirs stay.",
            ),
        ),
        answer=2,
    ),
)
