"""The quiz on reading a model."""

from mlm_course.practice.exercise import Question

QUIZ = (
    Question(
        prompt="The ideal guesser gives two gaps of a sentence the chances red .5, blue .5 and "
        "red .5, blue .5. What does that say about how often the *language* has red in both?",
        right=(
            "Only that it is in no more than half of the cases, and perhaps in none of them.",
            "Each gap gets its own distribution. Both are red never more often than one of them is; "
            "from never to half, everything fits the two lists.",
        ),
        wrong=(
            (
                "It is in half of the cases, since the two lists agree with each other.",
                "That would be so if the second word copied the first one. The two lists do not say.",
            ),
            (
                "It is in a quarter of the cases: .5 times .5.",
                "Only if the two are independent. Nothing here says that they are.",
            ),
        ),
    ),
    Question(
        prompt="A head pays 90 % of its attention to the other mention of a word. Does the model need "
        "it for repeated words?",
        right=(
            "One has to try: switch it off, and see whether they get harder.",
            "And compare with switching off other heads: any damage can hurt a little.",
        ),
        wrong=(
            (
                "Yes: what gets 90 % of a head's weight decides what the model answers.",
                "It shows where this head looks, not what becomes of it.",
            ),
            (
                "No: where a head looks has nothing to do with the answer.",
                "Weights say where to search. They are just not the evidence.",
            ),
        ),
    ),
    Question(
        prompt="A model fills 1,000 gaps, each with a confidence of 70 %, and 700 of its answers are "
        "right. What follows?",
        right=(
            "It is calibrated here. Another guesser may have a lower loss.",
            "Confidence and share of right answers agree; nothing more was asked.",
        ),
        wrong=(
            (
                "Its probabilities are the exact ones: no guesser has a lower loss.",
                "That asks for more. If half of these gaps deserve 90 % and half 50 %, the mean is "
                "70 % too, and a guesser that tells them apart has a lower loss.",
            ),
            (
                "It is badly calibrated: 300 of its 1,000 answers are wrong.",
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
                "Yes: in many dimensions unrelated vectors have a cosine close to 0.",
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
    Question(
        prompt="Head 3 is switched off: no loss changes. Head 3 is on again, head 5 is off: no loss "
        "changes. What follows?",
        right=(
            "The model can do without either. Without both it may fail.",
            "One may stand in for the other. Heads that are switched off one at a time cannot say.",
        ),
        wrong=(
            (
                "Neither has a part in the answers, so that both can be removed together.",
                "Each may do the work when the other is off.",
            ),
            (
                "Both heads deliver zeros, whatever the sentence is.",
                "What they deliver may be large, and be there twice, or go unused further up.",
            ),
        ),
    ),
    Question(
        prompt="At a gap one head's output is swapped for what it delivers in a twin sentence. Now the "
        "model says the twin's colour. What has been shown?",
        right=(
            "That in this model the head carries the colour to the gap.",
            "Nothing else was changed, and the answer changed with it.",
        ),
        wrong=(
            (
                "That the head gives the other mention most of its attention weight.",
                "Where it looks was not asked. What it delivers was swapped.",
            ),
            (
                "That the other heads have no part in the answer here.",
                "They worked as before. Without them the swapped output might say nothing.",
            ),
        ),
    ),
)
