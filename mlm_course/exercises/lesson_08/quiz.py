"""The quiz on using a model."""

from mlm_course.practice.exercise import Question

QUIZ = (
    Question(
        prompt="A linear classifier on the mean vectors of a frozen encoder gets .70. Fine-tuned with "
        "the same labels, encoder and classifier together get .80. What does the step from .70 to .80 "
        "show?",
        right=(
            "The labels have changed the vectors, and a plane now parts the classes better.",
            "Frozen, the classifier can only use what lies open in the vectors. Fine-tuning moves "
            "the vectors themselves.",
        ),
        wrong=(
            (
                "Pretraining had put the answers into the vectors, and more training found them.",
                "What pretraining put there shows in comparison with random weights. Fine-tuned, "
                "those might get .80 as well.",
            ),
            (
                "The mean over the tokens is a poor vector, and training has replaced it.",
                "Both runs take the mean over the tokens. What goes into it has changed.",
            ),
        ),
    ),
    Question(
        prompt="On 5,000 test messages a pretrained encoder gets .80, the same encoder from random "
        "weights .79, a bag of words .84 (means of ten draws, each at its own best setting). What follows?",
        right=(
            "Pretraining adds about .01 to this encoder. Use the bag of words, which is ahead.",
            "Random weights show what pretraining adds, the bag of words what a network adds. It "
            "is ahead, smaller and faster.",
        ),
        wrong=(
            (
                "Pretraining adds .30, since a coin would get .50. So use the pretrained encoder here.",
                "Random weights come to .79 without it, so nearly all of that is not its merit.",
            ),
            (
                "Pretraining has cost .04 here. Use the encoder, and pretrain it on more text.",
                "The bag of words has no weights to pretrain. It says what words alone are worth, not "
                "what pretraining adds or takes.",
            ),
        ),
    ),
    Question(
        prompt="The test messages are drawn by row, so that most modules stand on both sides. Why may "
        "the score mislead?",
        right=(
            "Messages of a module share names and phrases, which are then known by heart.",
            "The score may fall on modules that nobody has labelled, and those are what the "
            "model is for.",
        ),
        wrong=(
            (
                "Rare kinds may be missing from a test set that is drawn by chance.",
                "Drawing by module can miss them, too. A draw by row comes closer to the shares.",
            ),
            (
                "A row may be drawn for both sides, and then it is known before it is tested.",
                "Each row goes to one side. Its near copies in the same module do not.",
            ),
        ),
    ),
    Question(
        prompt="A search encoder is trained with in-batch negatives. Why are batches of 2 poor ones?",
        right=(
            "Each query has one wrong text to be told from its own, and that is soon easy.",
            "The texts of the other queries are the wrong answers. One text drawn by chance is "
            "seldom like the right one: the loss is small, and so is its gradient.",
        ),
        wrong=(
            (
                "A mean over two losses is noisy, so most steps lead in a wrong direction.",
                "Smaller steps average noise out. What is missing in such a batch stays missing.",
            ),
            (
                "Each query is pulled to its text, and two pairs leave the others where they are.",
                "Other pairs have their turn in other batches. Pulling alone would also be solved by "
                "one vector for everything.",
            ),
        ),
    ),
    Question(
        prompt="On validation texts a classifier is 90 % sure on average and right in 70 % of the "
        "cases. Its probabilities are to be shown to users. What helps?",
        right=(
            "Divide its logits by one temperature that is fitted on the validation texts.",
            "A temperature above 1 makes it less sure and changes no answer. Check the result on "
            "other texts.",
        ),
        wrong=(
            (
                "Train it on for more steps, until it is right in 90 % of the training texts.",
                "More steps can make it surer still: the training loss rewards that for texts that are "
                "known by heart.",
            ),
            (
                "Show only those answers of which it is 90 % sure, and leave all the others out.",
                "Fewer answers, with the same numbers as before. The means over all of them do not say "
                "how often these are right.",
            ),
        ),
    ),
    Question(
        prompt="One search is ahead of another by .01 to .03 over five seeds, and by -.02 to .06 over "
        "modules, whole modules drawn anew (95 % intervals). What may be said?",
        right=(
            "On these modules it is ahead. On others it could also be the other way round.",
            "Seeds say how trainings differ, modules how texts differ. A sentence about other texts needs "
            "the second interval, and that holds 0.",
        ),
        wrong=(
            (
                "The wider interval holds 0, so the two searches are equally good on such texts.",
                "It also holds .05. That no difference is seen does not say that there is none.",
            ),
            (
                "All seeds agree, so on other modules it will be ahead by about .01 to .03 as well.",
                "Each seed was tested on the same modules, so seeds cannot say what others would do.",
            ),
        ),
    ),
)
