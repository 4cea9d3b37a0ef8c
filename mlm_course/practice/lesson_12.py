"""Lesson 12: from CMLM to masked diffusion. What all guesses together say, and how a text gets written."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from mlm_course.compression import softened_loss
from mlm_course.diffusion import exact_answers, leave_one_out, row_bounds
from mlm_course.practice.exercise import Exercise, Function, Misconception, Question

TITLE = "From CMLM to masked diffusion"

MASK_ID = 4
WORDS = 9  # ids of the little vocabulary of exercise 12.4, [MASK] among them


def guess(joint: Tensor, text: Tensor, masked: Tensor, place: int) -> Tensor:
    answers = []
    for word in range(joint.shape[place]):
        asked = text.clone()
        asked[place] = word
        answers.append(exact_answers(joint, asked)(masked[None])[0, place].exp())
    return torch.stack(answers)


def count_bound(surprise: Tensor, masked: Tensor, words: Tensor) -> Tensor:
    return row_bounds(surprise, masked, words.sum(1))


def rate_bound(surprise: Tensor, noise: Tensor, rate: Tensor) -> Tensor:
    return (surprise * (noise < rate[:, None])).sum(1) / rate


def pseudo_likelihood(predict: Callable[[Tensor], Tensor], ids: Tensor, mask_id: int) -> Tensor:
    def answers(masked: Tensor) -> Tensor:
        canvas = ids.expand(len(masked), -1).masked_fill(masked, mask_id)
        return predict(canvas).gather(-1, ids.expand(len(masked), -1)[..., None])[..., 0]

    return -leave_one_out(answers, len(ids))


def stays_hidden(masked: Tensor, noise: Tensor, t: float, s: float) -> Tensor:
    return masked & (noise < s / t)


def worst_push(gradient: Tensor, size: float) -> Tensor:
    length = gradient.flatten(1).norm(dim=1)  # (B,)
    return size * gradient / length[:, None, None]


def _small_language(g: torch.Generator) -> tuple[Tensor, Tensor, Tensor, int]:
    """The probability of every text of four words, a text, and what of it is hidden."""
    joint = torch.rand(3, 3, 3, 3, generator=g, dtype=torch.float64) ** 3
    text = torch.randint(3, (4,), generator=g)
    places = torch.randperm(4, generator=g)
    masked = torch.zeros(4, dtype=torch.bool)
    masked[places[:2]] = True
    return joint / joint.sum(), text, masked, int(places[0])


def _surprises(g: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Three rows of different lengths, the shortest with most hidden; padding behind them."""
    words = torch.arange(8) < torch.tensor([[8], [5], [6]])
    masked = (torch.rand(3, 8, generator=g).argsort(1) < 2) & words
    masked[:, 0], masked[1, :4] = True, True
    masked[:, 4] = False
    return 0.1 + 3 * torch.rand(3, 8, generator=g), masked, words


def _rates(g: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Noise of which some is surely below each rate and some above."""
    noise = torch.rand(4, 7, generator=g)
    noise[:, 0], noise[:, 1] = 0.05, 0.95
    rate = 0.2 + 0.5 * torch.rand(4, generator=g)
    rate[0], rate[1] = 0.3, 0.7
    return 0.1 + 3 * torch.rand(4, 7, generator=g), noise, rate


def _model_and_text(g: torch.Generator) -> tuple[Callable[[Tensor], Tensor], Tensor, int]:
    """A model whose answers hang on everything it is shown."""
    tokens, places = torch.randn(WORDS, 6, generator=g), torch.randn(7, 6, generator=g)
    back = torch.randn(6, WORDS, generator=g)

    def predict(canvas: Tensor) -> Tensor:
        x = tokens[canvas] + places[: canvas.shape[1]]
        later = (
            x.flip(1).cumsum(1).flip(1)
        )  # what stands behind counts otherwise than what is before
        return ((x + x.cumsum(1) - 0.5 * later).tanh() @ back).log_softmax(-1)

    return predict, torch.randint(5, WORDS, (6,), generator=g), MASK_ID


def _open_places(g: torch.Generator) -> tuple[Tensor, Tensor, float, float]:
    masked = torch.rand(5, 8, generator=g) < 0.6
    t = 0.5 + 0.3 * torch.rand((), generator=g).item()
    s = t * 0.6
    noise = torch.rand(5, 8, generator=g)
    masked[0, :5] = torch.tensor([True, True, True, True, False])
    noise[0, :5] = torch.tensor([0.01, 0.5 * (s + s / t), 0.99, 0.5 * (1 - s / t + s), 0.02])
    return masked, noise, t, s


def _gradients(g: torch.Generator) -> tuple[Tensor, float]:
    sizes = torch.tensor([0.01, 1.0, 5.0])[:, None, None]
    return torch.randn(3, 5, 4, generator=g) * sizes, 0.5 + torch.rand((), generator=g).item()


def _two_logits(g: torch.Generator) -> tuple[Tensor, Tensor, float]:
    temperature = 2 + torch.rand((), generator=g).item()
    student, teacher = (2 * torch.randn(6, 5, generator=g) for _ in range(2))
    return student, teacher, temperature


def _reduced(visible: Function, gap: Function, finish: Function) -> Function:
    """guess with other rules: what becomes of a visible axis, of another gap, and of the rest."""

    def run(joint, text, masked, place):
        for i in range(joint.ndim):
            if i != place:
                joint = (gap if masked[i] else visible)(joint, i, text)
        return finish(joint.flatten())

    return run


def _take(joint, i, text):
    return joint.narrow(i, int(text[i]), 1)


def _sum(joint, i, text):
    return joint.sum(i, keepdim=True)


def _most(joint, i, text):
    return joint.amax(i, keepdim=True)


def _normalised(x):
    return x / x.sum()


def _hidden_only(surprise, masked):
    return (surprise * masked).sum(1)


def _rate_bound(where: Function, weigh: Function) -> Function:
    """where(noise, rate (B, 1)) -> masked; weigh(summed (B,), masked, rate) -> result."""

    def run(surprise, noise, rate):
        masked = where(noise, rate[:, None])
        return weigh((surprise * masked).sum(1), masked, rate)

    return run


def _below(noise, rate):
    return noise < rate


def _over_rate(summed, masked, rate):
    return summed / rate


def _exactly(noise, rate):
    """So many as the rate says, the least noise first."""
    n = (rate * noise.shape[1]).round()
    return noise.argsort(1).argsort(1) < n


def _hiding(gaps: Function, finish: Function = torch.sum) -> Function:
    """The sum of what is read on the diagonal, with gaps(N) (N, N) hidden."""

    def run(predict, ids, mask_id):
        N = len(ids)
        canvas = ids.repeat(N, 1).masked_fill(gaps(N), mask_id)
        return finish(predict(canvas)[torch.arange(N), torch.arange(N), ids])

    return run


def _all_rows(predict, ids, mask_id):
    N = len(ids)
    canvas = ids.repeat(N, 1).masked_fill(torch.eye(N, dtype=torch.bool), mask_id)
    return predict(canvas).gather(-1, ids.expand(N, N)[..., None]).sum()


def _stays(share: Function, also: Function = lambda masked, drawn: masked & drawn) -> Function:
    return lambda masked, noise, t, s: also(masked, noise < share(t, s))


def _kept_count(masked, noise, t, s):
    n = (masked.sum(1) * s / t).long()
    return noise.masked_fill(~masked, 2.0).argsort(1).argsort(1) < n[:, None]


def _soft(student, teacher, temperature):
    return (x.div(temperature).log_softmax(-1) for x in (student, teacher))


def _kl(learnt, taught):
    return F.kl_div(learnt, taught, reduction="batchmean", log_target=True)


def _swapped(student, teacher, temperature):
    learnt, taught = _soft(student, teacher, temperature)
    return temperature**2 * _kl(taught, learnt)


def _no_square(student, teacher, temperature):
    return _kl(*_soft(student, teacher, temperature))


def _every_entry(student, teacher, temperature):
    return temperature**2 * _kl(*_soft(student, teacher, temperature)) / student.shape[-1]


def _teacher_only(student, teacher, temperature):
    taught = (teacher / temperature).log_softmax(-1)
    return temperature**2 * _kl(student.log_softmax(-1), taught)


def _hard(student, teacher, temperature):
    return F.cross_entropy(student, teacher.argmax(-1))


def _multiplied(student, teacher, temperature):
    return _kl((student * temperature).log_softmax(-1), (teacher * temperature).log_softmax(-1)) * (
        temperature**2
    )


def _soft_cross_entropy(student, teacher, temperature):
    learnt, taught = _soft(student, teacher, temperature)
    return -(temperature**2) * (taught.exp() * learnt).sum(-1).mean()


EXERCISES = (
    Exercise(
        id="12.1",
        minutes=15,
        prompt="The exact guess",
        reference=guess,
        inputs=_small_language,
        hints=(
            "Three kinds of axes: the place that is asked stays; at a visible place only the true word "
            "counts; at another hidden place every word might stand there.",
            "`joint.narrow(i, int(text[i]), 1)` keeps the slice of a visible word, "
            "`joint.sum(i, keepdim=True)` adds up over a hidden one; both leave the axis there, of "
            "size 1. At the end make it sum to 1.",
            "for i in range(joint.ndim): (skip i == place) joint = joint.sum(i, keepdim=True) if "
            "masked[i] else joint.narrow(i, int(text[i]), 1); then return joint.flatten() / joint.sum()",
        ),
        misconceptions=(
            Misconception(
                _reduced(_take, _take, _normalised),
                "The other hidden words were looked at: this is the guess with everything else visible. "
                "Sum over what might stand at a hidden place.",
            ),
            Misconception(
                _reduced(_take, _sum, lambda x: x),
                "The proportions are right, but they do not sum to 1. Divide by their sum: the probability "
                "of what is visible.",
            ),
            Misconception(
                _reduced(_take, _most, _normalised),
                "At the other hidden place only the most likely word was taken. Sum over all of them.",
            ),
            Misconception(
                _reduced(_sum, _sum, _normalised),
                "The visible words were summed out as well: this guess has not read the text. Keep only "
                "the slice in which they stand.",
            ),
            Misconception(
                _reduced(_sum, _take, _normalised),
                "Hidden and visible are exchanged: True in `masked` means that the word cannot be seen.",
            ),
            Misconception(
                _reduced(_take, _sum, lambda x: _normalised(x).log()),
                "These are logarithms. Return the probabilities themselves.",
            ),
        ),
    ),
    Exercise(
        id="12.2",
        minutes=6,
        prompt="One draw of the bound",
        reference=count_bound,
        inputs=_surprises,
        hints=(
            "Two steps for each row: the mean over the hidden words, then times the number of words "
            "in the row.",
            "`(surprise * masked).sum(1)` and `masked.sum(1)` are (B,). So is the number of words, "
            "`words.sum(1)`.",
            "return words.sum(1) * (surprise * masked).sum(1) / masked.sum(1)",
        ),
        misconceptions=(
            Misconception(
                lambda x, masked, words: words.sum(1) * (x * masked).sum() / masked.sum(),
                "The mean was taken over all hidden words of the batch. Then a row with many hidden counts "
                "more, and it is no bound any more: take each row's own mean.",
            ),
            Misconception(
                lambda x, masked, words: _hidden_only(x, masked) / masked.sum(1),
                "This is the mean surprise of a word. The text has N of them: times `words.sum(1)`.",
            ),
            Misconception(
                lambda x, masked, words: x.shape[1] * _hidden_only(x, masked) / masked.sum(1),
                "Padding was counted as words. N is `words.sum(1)`, row by row.",
            ),
            Misconception(
                lambda x, masked, words: _hidden_only(x, masked),
                "The sum alone grows with the number of hidden words. Divide by it, then times N.",
            ),
            Misconception(
                lambda x, masked, words: (x * words).sum(1),
                "Visible words were counted in. Nobody asked about them: only the hidden ones count.",
                also=(
                    lambda x, masked, words: words.sum(1) * (x * words).sum(1) / masked.sum(1),
                    lambda x, masked, words: x.sum(1),
                ),
            ),
            Misconception(
                lambda x, masked, words: masked.sum(1) * _hidden_only(x, masked) / words.sum(1),
                "The two numbers are exchanged: times the number of words, divided by the number of "
                "hidden ones.",
            ),
            Misconception(
                lambda x, masked, words: count_bound(x, masked, words).mean(),
                "The rows were averaged. Return one number a row.",
            ),
        ),
    ),
    Exercise(
        id="12.3",
        minutes=6,
        prompt="The same by a rate",
        reference=rate_bound,
        inputs=_rates,
        hints=(
            "A noise below the rate happens with just that chance. What is hidden by a small rate is "
            "rare, so it counts more.",
            "`rate[:, None]` is (B, 1) and compares with each of a row's noises. The sum over hidden "
            "places is (B,), like the rate.",
            "return (surprise * (noise < rate[:, None])).sum(1) / rate",
        ),
        misconceptions=(
            Misconception(
                _rate_bound(lambda noise, rate: noise >= rate, _over_rate),
                "Inverted: this hides with probability 1 - t. Hide where the noise is *below* the rate.",
            ),
            Misconception(
                _rate_bound(_below, lambda summed, masked, rate: summed * rate),
                "Multiplied by the rate; divide by it. What a small rate hides is hidden seldom, and must "
                "count more.",
            ),
            Misconception(
                _rate_bound(_below, lambda summed, masked, rate: summed / masked.sum(1)),
                "Divided by the number that happened to be hidden. Here the weight is 1 / t.",
            ),
            Misconception(
                _rate_bound(_below, lambda summed, masked, rate: summed),
                "The weight 1 / t is missing.",
            ),
            Misconception(
                _rate_bound(
                    _below, lambda summed, masked, rate: masked.shape[1] * summed / masked.sum(1)
                ),
                "That is exercise 12.2 again: N times the mean. Here the weight is 1 / t, whatever number "
                "of words was hidden.",
            ),
            Misconception(
                _rate_bound(_exactly, _over_rate),
                "This hides a fixed number of words. Each word is hidden by a chance of its own: where "
                "its noise is below the rate.",
            ),
            Misconception(
                _rate_bound(lambda noise, rate: noise < rate.mean(), _over_rate),
                "One rate for the whole batch. Each row has its own: `rate[:, None]`.",
                also=(_rate_bound(lambda noise, rate: noise < rate[0], _over_rate),),
            ),
        ),
    ),
    Exercise(
        id="12.4",
        minutes=10,
        prompt="The pseudo-likelihood",
        reference=pseudo_likelihood,
        inputs=_model_and_text,
        hints=(
            "Make N copies of the text. Which place is hidden in copy i?",
            "`ids.repeat(N, 1)` is (N, N), and `.fill_diagonal_(mask_id)` hides place i in row i. The "
            "model returns (N, N, V); you need entry [i, i, ids[i]].",
            "log_p = predict(ids.repeat(N, 1).fill_diagonal_(mask_id)); i = torch.arange(N); return "
            "log_p[i, i, ids].sum()",
        ),
        misconceptions=(
            Misconception(
                _hiding(lambda N: torch.zeros(N, N, dtype=torch.bool)),
                "Nothing was hidden, so the model could read each answer. Hide place i in row i.",
            ),
            Misconception(
                _hiding(lambda N: torch.ones(N, N, dtype=torch.bool)),
                "Everything was hidden at once. Each word is guessed with all others visible.",
            ),
            Misconception(
                _hiding(lambda N: torch.eye(N, dtype=torch.bool), torch.mean),
                "This is the mean. Sum the N log-probabilities.",
            ),
            Misconception(
                _hiding(lambda N: torch.ones(N, N, dtype=torch.bool).triu()),
                "The words behind the hidden one were hidden as well: that is left to right. Hide one "
                "place at a time.",
            ),
            Misconception(
                _hiding(lambda N: torch.ones(N, N, dtype=torch.bool).tril()),
                "A place that was hidden once stayed hidden. Put the word back before the next one is "
                "hidden.",
            ),
            Misconception(
                _all_rows,
                "The answers at all places of each row were added up, though only place i was hidden in "
                "row i. Take `log_p[i, i, ids[i]]`.",
            ),
            Misconception(
                _hiding(lambda N: torch.eye(N, dtype=torch.bool), lambda x: -x.sum()),
                "The sign is turned: that is a surprise. Return the sum of log p, a negative number.",
            ),
        ),
    ),
    Exercise(
        id="12.5",
        minutes=8,
        prompt="What stays hidden",
        reference=stays_hidden,
        inputs=_open_places,
        hints=(
            "At time t a word is hidden with probability t, at time s with probability s. Of those "
            "hidden at t, which share is still hidden at s?",
            "The share is s / t. A noise below it happens with just that chance; and only what was "
            "hidden can stay so.",
            "return masked & (noise < s / t)",
        ),
        misconceptions=(
            Misconception(
                _stays(lambda t, s: (t - s) / t),
                "(t - s) / t is the chance to be *filled*. To stay hidden is the rest: s / t.",
            ),
            Misconception(
                _stays(lambda t, s: s),
                "s is the chance among all words. Among those that are still hidden at time t it is s / t.",
            ),
            Misconception(
                _stays(lambda t, s: s / t, lambda masked, drawn: drawn),
                "Words that were filled already are hidden again. Only what was hidden can stay hidden: "
                "`masked & ...`.",
            ),
            Misconception(
                _stays(lambda t, s: s / t, lambda masked, drawn: masked & ~drawn),
                "Inverted: a place stays hidden where its noise is *below* s / t.",
            ),
            Misconception(
                _stays(lambda t, s: (t - s) / t, lambda masked, drawn: masked & ~drawn),
                "The chance is right. Which side of the noise hides is a convention: a place stays hidden "
                "where its noise is *below* s / t.",
            ),
            Misconception(
                _kept_count,
                "This leaves a fixed number hidden. Here each place is decided alone, by its own noise.",
            ),
            Misconception(
                _stays(lambda t, s: t - s),
                "t - s is how many of *all* words are filled in this step. Wanted: of those hidden at t, "
                "the share that stays hidden, s / t.",
            ),
        ),
    ),
    Exercise(
        id="12.6",
        minutes=8,
        prompt="The worst small push",
        reference=worst_push,
        inputs=_gradients,
        hints=(
            "The loss grows fastest along its gradient. Only the direction is used: bring each text's "
            "gradient to length 1.",
            "`gradient.flatten(1).norm(dim=1)` is (B,): one length a text, over all of its tokens and "
            "numbers. Give it two more axes before dividing.",
            "return size * gradient / gradient.flatten(1).norm(dim=1)[:, None, None]",
        ),
        misconceptions=(
            Misconception(
                lambda gradient, size: size * gradient,
                "The gradient was not brought to length 1, so the push is tiny for texts that the model is "
                "sure of. Divide by each text's norm.",
            ),
            Misconception(
                lambda gradient, size: size * gradient.sign(),
                "That is the sign of the gradient (FGSM, made for pixels). Here: the gradient, divided by "
                "its length.",
            ),
            Misconception(
                lambda gradient, size: size * gradient / gradient.norm(dim=-1, keepdim=True),
                "Each token got a push of full length. The length is that of the whole text: one norm over "
                "tokens and numbers.",
            ),
            Misconception(
                lambda gradient, size: -worst_push(gradient, size),
                "This makes the loss *smaller*: a push against the gradient. The adversary wants it larger.",
            ),
            Misconception(
                lambda gradient, size: size * gradient / gradient.norm(),
                "One norm over the whole batch: then texts share one push among them. One norm a text.",
            ),
            Misconception(
                lambda gradient, size: worst_push(gradient, 1.0),
                "The direction is right, but `size` was not used.",
            ),
        ),
    ),
    Exercise(
        id="12.7",
        minutes=8,
        prompt="Learning from a teacher",
        reference=softened_loss,
        inputs=_two_logits,
        hints=(
            "Divide both by the temperature and make them (log-)probabilities. How far is the student's "
            "from the teacher's?",
            '`F.kl_div(log_student, log_teacher, reduction="batchmean", log_target=True)` is the '
            "divergence of the student from the teacher, a mean over the n rows.",
            "return T**2 * F.kl_div((student / T).log_softmax(-1), (teacher / T).log_softmax(-1), "
            'reduction="batchmean", log_target=True)',
        ),
        misconceptions=(
            Misconception(
                _hard,
                "Only the teacher's first answer was used. What it thinks of the other words is the very "
                "thing to learn: compare the whole distributions.",
            ),
            Misconception(
                _no_square,
                "The factor `temperature**2` is missing: without it a high temperature makes all gradients "
                "small.",
            ),
            Misconception(
                _swapped,
                "Student and teacher are exchanged. The expectation is over the *teacher's* "
                "probabilities; in `F.kl_div` the student comes first.",
            ),
            Misconception(
                _every_entry,
                "The mean runs over all V words as well, so the loss is V times too small: "
                '`reduction="batchmean"`.',
            ),
            Misconception(
                _teacher_only,
                "Only the teacher was softened. Divide the student's logits by the temperature, too.",
            ),
            Misconception(
                _multiplied,
                "The logits were multiplied by the temperature, which makes the answers sharper. Divide.",
            ),
            Misconception(
                _soft_cross_entropy,
                "This is the cross-entropy: the divergence plus the teacher's own entropy. The gradient is "
                "the same, but the value is not 0 for a perfect student. Use the divergence.",
            ),
        ),
    ),
)

QUIZ = (
    Question(
        id="12.q1",
        prompt="A masked language model is trained on every share of hidden words; N times a sentence's "
        "mean surprise is averaged over all shares. What is that?",
        options=(
            (
                "Exactly -log p of the sentence.",
                "Only if all orders agree, as with the exact conditionals.",
            ),
            (
                "At least -log of the probability that the model writes the sentence in a random order.",
                "Jensen: the mean of the logarithms over all orders is below the logarithm of the mean.",
            ),
            (
                "The pseudo-likelihood.",
                "That uses one share only: a single word hidden at a time.",
            ),
        ),
        answer=1,
    ),
    Question(
        id="12.q2",
        prompt="Why is the surprise at rate t weighed by 1 / t?",
        options=(
            (
                "Because a small rate makes easier questions.",
                "It does, but that is not the reason.",
            ),
            (
                "A rate t hides t N words on average; 1 / t makes it count as N, whatever t.",
                "Then each number of hidden words counts the same, as in the sum over an order.",
            ),
            ("To keep the gradients small.", "It makes those of small rates larger, if anything."),
        ),
        answer=1,
    ),
    Question(
        id="12.q3",
        prompt="A perfect model fills a blank line in one step. Most of the sentences are not valid. Why?",
        options=(
            (
                "Each word is drawn without knowing what the others turned out to be.",
                "Each one is right by itself. One or a few at a time they can agree.",
            ),
            ("It was not trained long enough.", "It is perfect: its guesses are the exact ones."),
            ("The temperature is too high.", "At 0 it writes the same line always, and no better."),
        ),
        answer=0,
    ),
    Question(
        id="12.q4",
        prompt="LLaDA's and Mask-Predict's rules with argmax write valid sentences from blank lines. What is "
        "wrong with them?",
        options=(
            ("They take more steps.", "They take as many as they are given."),
            ("They repeat words.", "With enough steps they do not."),
            (
                "There is one sentence for each length.",
                "Nothing is drawn, so the same blank line always becomes the same text.",
            ),
        ),
        answer=2,
    ),
    Question(
        id="12.q5",
        prompt="Why can a masked diffusion model not keep keys and values as an autoregressive one does?",
        options=(
            (
                "Each newly filled word changes the vectors of all places, earlier ones included.",
                "Attention runs both ways, so everything is computed anew in each step.",
            ),
            ("It has no keys and values.", "It has: it is an ordinary transformer encoder."),
            ("They would not fit into memory.", "They are as large as in any other transformer."),
        ),
        answer=0,
    ),
)
