"""The quiz on Mask-Predict."""

from mlm_course.practice.exercise import Question

QUIZ = (
    Question(
        prompt="A model gives every word its exact probability, and still writes nonsense when all words "
        "are chosen at once. Why?",
        right=(
            "Each word is chosen without knowing which words the others became.",
            "Two right answers mix. With one right answer there is nothing to mix.",
        ),
        wrong=(
            (
                "Some words have a probability too small to be told from those of wrong ones.",
                "The probabilities are exact, and the likeliest words can be the ones that mix.",
            ),
            (
                "Without a causal mask each word copies itself.",
                "At a hidden place there is only [MASK] to be seen, for the place itself, too.",
            ),
        ),
    ),
    Question(
        prompt="Which training prepares a model for the first step of Mask-Predict?",
        right=(
            "Hiding any number of the words, now and then all of them",
            "In the first step all are hidden. Whoever has always seen most of a text has not "
            "learnt to begin one.",
        ),
        wrong=(
            (
                "Hiding 15 % of the words, as BERT does",
                "With 15 % hidden the model never sees an empty page.",
            ),
            (
                "Predicting the next word, and hiding some words when this has been learnt",
                "There is no causal mask at any time: the page is filled from both sides.",
            ),
            (
                "Hiding half of the words in every text, the mean over all the steps",
                "A mean of one half comes without an empty page, too.",
            ),
        ),
    ),
    Question(
        prompt="In a step, a word that was not hidden would get a higher probability now than when it was "
        "chosen. What becomes of its confidence?",
        right=(
            "It keeps the number from the step that chose it.",
            "The model was not trained to judge words that it can see; it only fills gaps.",
        ),
        wrong=(
            (
                "It rises to the new probability, since more of the text is known now.",
                "The new number belongs to a word that the model sees. Nothing ever trained it.",
            ),
            (
                "It becomes the mean of both numbers.",
                "The procedure has one number for each word, from one step.",
            ),
        ),
    ),
    Question(
        prompt="A page of 10 words is written in 4 steps. How many does the third, after two others, hide?",
        right=(
            "5: a share of 1 - 2/4, since two steps are over by then",
            "The steps hide 10, 7, 5 and 2 words.",
        ),
        wrong=(
            (
                "2: a share of 1 - 3/4, since it is the third of the four steps",
                "That is the fourth. Steps are counted from 0: in the first all words are hidden.",
            ),
            (
                "3: 10 words in 4 steps, and the last steps take what is left over",
                "So many would be new in each step if words that stay stayed for good.",
            ),
            (
                "7: a share of 3/4, since the first step hides nothing and only writes",
                "The first step hides all 10: it begins with an empty page. 7 are hidden in the second.",
            ),
        ),
    ),
    Question(
        prompt="Why is the mean log-probability of a candidate's words compared between lengths, not the "
        "sum?",
        right=(
            "Each further word makes a sum smaller, so short candidates would be favoured.",
            "A logarithm of a probability is at most 0.",
        ),
        wrong=(
            (
                "A sum would favour long candidates, which have more words to add something to it.",
                "What a word adds is negative: longer candidates have smaller sums.",
            ),
            (
                "The mean is the probability of the whole text, and a sum is not.",
                "Neither is: the words were chosen in different steps, on different pages.",
            ),
            (
                "The mean takes the padding out, which a sum would count.",
                "Padding has confidence 1, whose logarithm is 0: it is the mean that could go wrong.",
            ),
        ),
    ),
    Question(
        prompt="What does Mask-Predict spare, compared with left to right with kept keys and values?",
        right=(
            "Passes through the decoder: `T` instead of one for each word",
            "Each of them takes all words: the work grows about `T` times or more (section 7).",
        ),
        wrong=(
            (
                "Work: fewer multiplications in all",
                "It is more work: `T` passes over all words against one over each.",
            ),
            (
                "Attention: in each pass a word looks at fewer others",
                "It looks at both sides, so at more of them; and in every pass anew.",
            ),
        ),
    ),
)
