"""The quiz on masked diffusion."""

from mlm_course.practice.exercise import Question

QUIZ = (
    Question(
        prompt="The bound of a trained model on a sentence, over all ways to hide its words, is "
        "30.1 nats. What follows for -log of the probability that the model writes this "
        "sentence, one word at a time in random order?",
        right=(
            "It is at most 30.1 nats, and less than that where its orders disagree.",
            "Jensen: the mean of the logarithms over all orders is never above the "
            "logarithm of the mean.",
        ),
        wrong=(
            (
                "It is exactly 30.1 nats, since the chain rule holds in any order.",
                "The chain rule holds for probabilities that fit together. A model's "
                "guesses give each order its own product.",
            ),
            (
                "It is at least 30.1 nats, since no model is better than the language.",
                "That is about averages over all texts, and the entropy. For one text the"
                " bound lies above the model's surprise.",
            ),
            (
                "Nothing, since a bound holds on average over all texts, not for one.",
                "Over all ways to hide words, it holds for each text. One draw may lie below.",
            ),
        ),
    ),
    Question(
        prompt="Each batch hides n words of a sentence, n drawn evenly, and the loss is one mean"
        " over all hidden words of the batch. What is weighed otherwise than in the "
        "bound?",
        right=(
            "Slices in which many words are hidden count more than those in which few are.",
            "A sentence counts as often as it has hidden words: n times. The bound gives "
            "all slices the weight 1.",
        ),
        wrong=(
            (
                "Slices in which few words are hidden count more, for their mean varies more.",
                "Noise is no weight. Each hidden word has the same weight here, and there"
                " are more of them where n is large.",
            ),
            (
                "Nothing, for the average of both over many batches is the same number.",
                "It is not: n is drawn evenly, but counts n times in a mean over words.",
            ),
            (
                "Short sentences count more than long ones, as in a mean over sentences.",
                "It is the other way round: a long sentence has more hidden words.",
            ),
        ),
    ),
    Question(
        prompt="Why is the summed surprise of what rate t hides divided by t?",
        right=(
            "A rate t hides t N words on average, and each t is to count as N.",
            "Then every number of hidden words has the weight that it has in the sum over"
            " an order.",
        ),
        wrong=(
            (
                "A small rate asks easier questions, which would count too little.",
                "It does ask easier ones, but the surprise stays as small as it is. The "
                "weight makes up for their number.",
            ),
            (
                "The gradients of small rates would be too noisy without it.",
                "With it they are noisier: a tiny t divides. The variance is infinite.",
            ),
            (
                "It turns the sum into the mean surprise of the words that are hidden.",
                "The mean divides by their number, about t N. Divided by t, it is about N"
                " times that mean.",
            ),
        ),
    ),
    Question(
        prompt="Perfect guesses fill a blank line in one step, each word drawn, and hardly a "
        "sentence is valid. Why?",
        right=(
            "Each word is drawn without knowing what the others turn out to be.",
            "Each is right by itself. One at a time they can agree.",
        ),
        wrong=(
            (
                "Drawing takes improbable words too; the likeliest ones would fit together.",
                "The likeliest word of each place does not know of the others either.",
            ),
            (
                "Small errors of the single guesses add up over the words of a line.",
                "The guesses have no errors: they are exact.",
            ),
            (
                "A blank line has nothing to go by, so the guesses can only be even.",
                "They are the exact frequencies of words at each place, which are far from even.",
            ),
        ),
    ),
    Question(
        prompt="Perfect guesses, every word drawn, one place a step, the most confident kept: "
        "all sentences are valid. What may still be wrong with them?",
        right=(
            "Likely words come more often than they should.",
            "A draw is kept if it is a likely word, and drawn again if not.",
        ),
        wrong=(
            (
                "Nothing: who writes only valid sentences with perfect guesses writes the"
                " language.",
                "Valid is not enough: how often each sentence comes matters, too.",
            ),
            (
                "Rare words come more often than they should, as they are drawn last.",
                "Words that are unlikely are drawn again, so they come too seldom.",
            ),
            (
                "There is one sentence for each length.",
                "So it is where the likeliest word is taken. Here words are drawn.",
            ),
        ),
    ),
    Question(
        prompt="Three gaps; in each one word has a probability above 3/4, given what is visible, and the "
        "guesses are exact. What follows for filling all three at once with these words?",
        right=(
            "It is the likeliest way to fill them, however the gaps hang together.",
            "Each word is missed with less than 1/4, so all three stand there together with more than "
            "1/4; any other way misses one of them, and has less (Wu et al. 2025, theorem 1).",
        ),
        wrong=(
            (
                "It is right with a probability above 3/4, as each of the words is.",
                "Above 1/4 is all that follows: each word may be missed in other cases.",
            ),
            (
                "Nothing, since words that are filled at once do not know of each other.",
                "They need not. Any other way to fill them has a probability below 1/4.",
            ),
            (
                "Its probability is that of the three words multiplied.",
                "Only if the gaps are independent, given what is visible.",
            ),
        ),
    ),
    Question(
        prompt="An autoregressive model keeps keys and values of what it has written, and they "
        "stay right. Why not so when a model with attention both ways fills a line?",
        right=(
            "Each newly filled word changes the vectors of all places, earlier ones included.",
            "So what was kept is an approximation, unless finished blocks do not look ahead.",
        ),
        wrong=(
            (
                "Masked places have no keys and values to be kept until a word stands in them.",
                "They have: [MASK] is a token like any other.",
            ),
            (
                "Several places are filled in a step, while a cache can only grow by one "
                "at a time.",
                "A cache can take several. But what it holds would no longer be right.",
            ),
            (
                "All N places would have to be kept in each step, which is N times the memory.",
                "It is as much as for any text of N tokens.",
            ),
        ),
    ),
)
