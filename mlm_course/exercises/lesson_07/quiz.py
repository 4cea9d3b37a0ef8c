"""The quiz on reading a model."""

from mlm_course.practice.exercise import Question

QUIZ = (
    Question(
        prompt="The ideal guesser gives two gaps of a sentence the chances red .5, blue .5 and "
        "red .5, blue .5. What does that say about how often the *language* has red in both?",
        right=(
            "Only that it is at most half.",
            "Each gap gets its own distribution. Both are red never more often than one of them is; "
            "from never to half, everything fits the two lists.",
        ),
        wrong=(
            (
                "In half of the cases.",
                "That would be so if the second word copied the first one. The two lists do not say.",
            ),
            (
                "In a quarter of the cases.",
                "Only if the two are independent. Nothing here says that they are.",
            ),
        ),
    ),
    Question(
        prompt="A head pays 90 % of its attention to the other mention of a word. Does the model need "
        "it for repeated words?",
        right=(
            "One has to try: switch it off, and see whether repeated words get harder.",
            "And compare with switching off other heads: any damage can hurt a little.",
        ),
        wrong=(
            ("Yes: the weights show it.", "They show where it looks, not what becomes of it."),
            (
                "No: attention weights mean nothing.",
                "They say where to search. They are just not the evidence.",
            ),
        ),
    ),
    Question(
        prompt="A model fills 1,000 gaps, each with a confidence of 70 %, and 700 of its answers are "
        "right. What follows?",
        right=(
            "It is calibrated at this confidence. Another guesser may be better.",
            "Confidence and share of right answers agree; nothing more was asked.",
        ),
        wrong=(
            (
                "Its probabilities are the exact ones: no guesser can do better.",
                "That asks for more. If half of these gaps deserve 90 % and half 50 %, the mean is "
                "70 % too, and a guesser that tells them apart has a lower loss.",
            ),
            (
                "It is badly calibrated: a good model is right in nearly all cases.",
                "That is accuracy. Some gaps have several good answers; 70 % is honest about them.",
            ),
        ),
    ),
    Question(
        prompt="After an encoder, the vectors of two tokens have a cosine of .6. Are the tokens "
        "related?",
        right=(
            "One cannot say without the cosine of random pairs.",
            "If random pairs reach .6 too, it means nothing. Subtract the mean and look again.",
        ),
        wrong=(
            (
                "Yes: the cosine of unrelated tokens is close to 0.",
                "Only if vectors point anywhere. An encoder's may share a direction, and then any two "
                "of them look alike.",
            ),
            (
                "No: related tokens have a cosine close to 1.",
                "There is no such limit. In one model .6 is far above random pairs, in another far "
                "below.",
            ),
        ),
    ),
)
