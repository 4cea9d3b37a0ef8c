"""The quiz on a modern encoder."""

from mlm_course.practice.exercise import Question

QUIZ = (
    Question(
        prompt="A gate adds a third matrix to the feed-forward network. How does it keep its size?",
        right=(
            "Its inner width is two thirds of what it was.",
            "Three matrices of two thirds have as many weights as two whole ones.",
        ),
        wrong=(
            (
                "Content and gate share one matrix of the old width.",
                "They have a matrix each, stacked in one layer of twice the inner width.",
            ),
            (
                "The biases that are left out make room for it.",
                "Biases are about one weight in a thousand. A matrix is another matter.",
            ),
        ),
    ),
    Question(
        prompt="Block 1 is global, blocks 2 and 3 have a window. A vector behind block 3 depends on …",
        right=(
            "every token of its text, since block 1 has mixed all of them.",
            "What its neighbours bring along has been anywhere already.",
        ),
        wrong=(
            (
                "the tokens in its window, as block 3 hears no others.",
                "It hears their vectors, in which block 1 has put the whole text.",
            ),
            (
                "the tokens up to two reaches away, one for each local block.",
                "That would hold without block 1.",
            ),
        ),
    ),
    Question(
        prompt="What does a larger base of the rotations change?",
        right=(
            "The slow waves turn more slowly, so scores change less over large distances.",
            "The fastest wave turns by one radian a token under every base.",
        ),
        wrong=(
            (
                "All waves turn more slowly, so that near tokens look the same.",
                "The fastest wave stays as it is: it tells neighbours apart.",
            ),
            (
                "The table of positions becomes longer, up to 160,000 tokens.",
                "There is no table: angles are computed for any position.",
            ),
            (
                "Tokens may attend to others that are farther away.",
                "Who may attend to whom is the mask's affair. Rotations change scores.",
            ),
        ),
    ),
    Question(
        prompt="All texts of a batch lie in one row. What keeps the outputs what they were?",
        right=(
            "Attention within each text, and positions that begin anew.",
            "With rotations only differences of positions count, but within a text they have to be right.",
        ),
        wrong=(
            (
                "A `[SEP]` between two texts, which the model has learned to heed.",
                "A token would still hear the other texts, and say something else.",
            ),
            (
                "The norms: each brings every token's vector to one size.",
                "They work on each token alone, and know nothing of texts.",
            ),
            (
                "A batch of one: there is no other row to be heard.",
                "In this one row everybody would be heard, were it not for the masks.",
            ),
        ),
    ),
    Question(
        prompt="A run with warm-up, a constant rate and decay has ended. You have more data now. What then?",
        right=(
            "Go on from the checkpoint before the decay, at the constant rate.",
            "There the run is the same as one that was planned to be longer.",
        ),
        wrong=(
            (
                "Go on from the final checkpoint, at the rate of 0 it ended with.",
                "At a rate of 0 nothing is learned.",
            ),
            (
                "Begin anew: the schedule has to know its last step beforehand.",
                "That is so with linear decay. Here only the last part knows it.",
            ),
            (
                "Average the checkpoints of the decay, which comes to the same.",
                "An average has read nothing of the new data.",
            ),
        ),
    ),
    Question(
        prompt="A paper changes eight things and its model is ahead. What follows about one of them?",
        right=(
            "Nothing by itself: it may even have cost something.",
            "One thing has to be changed at a time, over several seeds.",
        ),
        wrong=(
            (
                "It gained about an eighth of the lead.",
                "Gains need not be alike, nor add up; data may be the larger part.",
            ),
            (
                "It did no harm, or the model would be behind.",
                "The other seven may have made up for it.",
            ),
        ),
    ),
)
