"""The quiz on masked autoencoders."""

from mlm_course.practice.exercise import Question

QUIZ = (
    Question(
        prompt="Why does a step of MAE cost less than one of the same model with mask tokens in its "
        "encoder?",
        right=(
            "The large encoder works on the visible quarter of the patches only.",
            "The mask tokens meet the small decoder alone.",
        ),
        wrong=(
            (
                "Only the decoder's weights are updated at places where a patch is removed.",
                "Every weight gets a gradient at every step, the encoder's and the decoder's.",
            ),
            (
                "The loss is computed on fewer patches, the removed ones.",
                "Both compute it on the removed patches, and it takes next to no time.",
            ),
        ),
    ),
    Question(
        prompt="ids_shuffle is [2, 0, 1, 4, 3]: patch 2 comes first, then 0, 1, 4, 3. What is "
        "ids_restore?",
        right=(
            "[1, 2, 0, 4, 3]",
            "Patch 0 went to place 1, patch 1 to place 2, patch 2 to 0, patch 3 to 4, patch 4 to 3.",
        ),
        wrong=(
            ("[2, 0, 1, 4, 3]", "That would shuffle a second time."),
            (
                "[3, 4, 1, 0, 2]",
                "That is the list read backwards. Patch 0 went to place 1, and so this begins with 1.",
            ),
        ),
    ),
    Question(
        prompt="He et al. remove 75 % of an image, while 15 to 40 % is the custom for text. What is their "
        "reason?",
        right=(
            "Neighbouring patches say nearly the same; words say more each.",
            "Their section 1: with little removed, a gap can be filled from its rim.",
        ),
        wrong=(
            (
                "A patch has more numbers than a word, so fewer will do.",
                "It is not how many numbers there are, but how much they repeat each other.",
            ),
            (
                "A blur lowers the squared error, so only large gaps ask for more than a blur.",
                "A blur is what squared error asks for in doubt, at any ratio. Their reason is that "
                "images repeat themselves.",
            ),
        ),
    ),
    Question(
        prompt="A model copies what it sees without any error, and guesses removed patches with a mean "
        "squared error e. 75 % are removed. What is its mean over all patches?",
        right=(
            ".75 e: it seems better than its guesses are.",
            "The visible quarter adds zeros, whatever the guesses are like.",
        ),
        wrong=(
            (
                "e: what is copied adds nothing to it.",
                "It adds nothing to the sum, but it is counted in the number that divides.",
            ),
            (
                "1.33 e: the same sum, divided by the removed ones only.",
                "It is the other way round: the mean over removed patches is e, 1.33 times this one.",
            ),
        ),
    ),
    Question(
        prompt="With norm_pix the model restores how a patch's colours differ from their mean, but it does "
        "not know the mean. A picture of its answer has the right brightness all the same. From where?",
        right=(
            "From the true patch, whose mean and spread are put back.",
            "So such a picture shows a little more than the model knows.",
        ),
        wrong=(
            (
                "From the model's guess at the mean, one more output.",
                "It has never been asked for one: the mean is taken out of the target.",
            ),
            (
                "From the visible patches around it, whose means are averaged.",
                "They say something about it, but the pictures take the mean of the true patch.",
            ),
        ),
    ),
    Question(
        prompt="An encoder subtracts the mean of all pixels of an image, cuts it into patches, and removes "
        "three quarters of them. Does it see anything of what was removed?",
        right=(
            "A little: what is left of a visible patch depends on all pixels.",
            "From several visible patches the mean of the others can be guessed. Take a fixed mean, "
            "such as that of all training images.",
        ),
        wrong=(
            (
                "No: removed patches are gone before the first block.",
                "Their mean is still there, in every visible patch.",
            ),
            (
                "No: what is subtracted is the same in all patches, so nothing is told.",
                "It is the same in all patches of an image, but differs from image to image.",
            ),
        ),
    ),
)
