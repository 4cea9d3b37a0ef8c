"""The quiz on using a model."""

from mlm_course.practice.exercise import Question

QUIZ = (
    Question(
        prompt="Ten words of a hundred are entities. A model that tags every word O has ...",
        options=(
            (
                "an accuracy of 90 % and an entity F1 of 0.",
                "It has found nothing. That is why tags are scored by entities.",
            ),
            ("an accuracy of 10 %.", "Ninety of a hundred tags are right."),
            ("an entity F1 of 90 %.", "F1 looks at entities only, and it has found none."),
        ),
        answer=0,
    ),
    Question(
        prompt="A linear probe on a frozen encoder reaches 90 %. Compared with what does that say "
        "something about pretraining?",
        options=(
            ("With 50 %, the toss of a coin.", "Word counts alone may get far above that."),
            (
                "With the same probe on an encoder with random weights, and with word counts.",
                "Even random vectors tell words apart. What pretraining adds is the difference.",
            ),
            ("With the fine-tuned model.", "That says what training the encoder adds."),
        ),
        answer=1,
    ),
    Question(
        prompt="On some task a bag of words beats the fine-tuned model. What follows?",
        options=(
            (
                "The pretraining has failed.",
                "It may still beat random weights, and help on other tasks.",
            ),
            (
                "For this task the words alone carry the answer: use the bag of words.",
                "It is smaller, faster and easier to understand. Without it you would not have known.",
            ),
            (
                "The comparison is unfair: a bag of words knows no context.",
                "A rival that needs less and does better is the fairest of all.",
            ),
        ),
        answer=1,
    ),
)
