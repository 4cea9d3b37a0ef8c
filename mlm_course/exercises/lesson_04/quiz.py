"""The quiz on corruption."""

from mlm_course.practice.exercise import Question

QUIZ = (
    Question(
        prompt="A row has 5 candidates and the ratio is 15 %. How many tokens does a fixed count hide?",
        right=("Exactly one.", "0.75 rounds to 1, and it would be at least one anyway."),
        wrong=(
            (
                "None at all.",
                "15 % of 5 rounds to 1; and a row with nothing hidden has no part in the loss.",
            ),
            ("Often none, at times some.", "That is Bernoulli masking."),
        ),
    ),
    Question(
        prompt="A hidden token was left as it is. What is its label?",
        right=(
            "The token that is there.",
            "It may be wrong for all the model knows, so it has to say what belongs there.",
        ),
        wrong=(
            (
                "-100, as nothing is missing.",
                "The model cannot know that: it is asked all the same.",
            ),
            (
                "The id of [MASK].",
                "[MASK] stands in inputs. A label is what stood there before.",
            ),
        ),
    ),
    Question(
        prompt="What makes masking dynamic?",
        right=(
            "It is drawn anew whenever a row is shown.",
            "Static masking is drawn once, before training.",
        ),
        wrong=(
            (
                "It goes by what the text of the row says.",
                "That would be masking by a score. Dynamic says when, not where.",
            ),
            (
                "Its ratio grows in the course of training.",
                "That is a schedule for the ratio, which may be static or dynamic.",
            ),
        ),
    ),
    Question(
        prompt="A tenth of the hidden tokens stay as they are, a tenth become random, the ratio is 15 %. What "
        "share of the candidates differs from the original?",
        right=(
            "About 13.5 %",
            "Nine tenths of 15 %; a random token may by chance be the old one.",
        ),
        wrong=(
            ("About 12 %", "Those are the ones that became [MASK]. Random ones differ as well."),
            ("Exactly 15 %", "A tenth of these stay as they are."),
            ("About 1.5 %", "Those are the ones that became random, or those that stayed."),
        ),
    ),
    Question(
        prompt="A model's loss on tinyworld lies below the floor. What can have happened?",
        right=(
            "It sees what it should not, or it is luck on few sentences.",
            "Or model and floor were scored on different hidden places.",
        ),
        wrong=(
            (
                "It learned patterns that the exact posterior leaves out.",
                "The exact posterior weighs every pattern of the language: nothing is left out.",
            ),
            (
                "It was trained for so long that it learnt the test sentences' style.",
                "All sentences come from the same rules, and the floor knows these exactly.",
            ),
        ),
    ),
    Question(
        prompt="Exercise 4.6: all words of a row are hidden. What is the posterior at a place?",
        right=(
            "The frequency of each word there in the language.",
            "Nothing is in view, so each pattern has its prior, and the average by it is that frequency.",
        ),
        wrong=(
            (
                "The same number for each word of the vocabulary.",
                "Nothing is known about this sentence, but the language still prefers some words.",
            ),
            (
                "It does not exist, since there is nothing to condition on.",
                "Conditioning on nothing leaves the prior.",
            ),
        ),
    ),
)
