"""The quiz on masked autoencoders."""

from mlm_course.practice.exercise import Question

QUIZ = (
    Question(
        prompt="Why does a step of MAE cost less than one of the same model with mask tokens in its "
        "encoder?",
        right=(
            "Its large encoder works on the visible quarter of the patches only.",
            "The mask tokens meet the small decoder alone.",
        ),
        wrong=(
            (
                "It updates only some of its weights.",
                "Every weight gets a gradient at every step, the encoder's and the decoder's.",
            ),
            (
                "Its loss is simpler to compute.",
                "The loss takes next to no time in either.",
            ),
        ),
    ),
    Question(
        prompt="ids_shuffle is [2, 0, 3, 1]: patch 2 comes first, then 0, 3, 1. What is ids_restore?",
        right=(
            "[1, 3, 0, 2]",
            "Patch 0 went to place 1, patch 1 to place 3, patch 2 to 0, patch 3 to 2.",
        ),
        wrong=(
            ("[2, 0, 3, 1]", "That would shuffle a second time."),
            ("[1, 3, 2, 0]", "Patch 2 came first: it went to place 0, and patch 3 to place 2."),
        ),
    ),
    Question(
        prompt="Why do He et al. remove 75 % of an image, when 15 to 40 % is the custom for text?",
        right=(
            "Neighbouring patches say nearly the same; words say more each.",
            "Their section 1: with little removed, a gap can be filled from its rim.",
        ),
        wrong=(
            (
                "Pixels are cheaper to compute than words.",
                "What it costs does not say how hard the question is.",
            ),
            (
                "Images have more patches than texts have words.",
                "196 patches an image is about the length of a paragraph.",
            ),
        ),
    ),
    Question(
        prompt="After pretraining, what is kept for a task such as classification?",
        right=("The encoder.", "It gets all patches now, none removed, and a new head."),
        wrong=(
            ("The decoder.", "It only restores pixels, and it is thrown away."),
            (
                "Both, and the mask token.",
                "Nothing is removed any more, so there is nothing to put a mask token for.",
            ),
        ),
    ),
    Question(
        prompt="With norm_pix the model restores how a patch's colours differ from their mean, but it does "
        "not know the mean. A picture of its answer has the right brightness all the same. From where?",
        right=(
            "From the true patch: its mean and spread are put back for the picture.",
            "So such a picture shows a little more than the model knows.",
        ),
        wrong=(
            (
                "From the model's guess at the mean.",
                "It has never been asked for one.",
            ),
            (
                "From the visible patches around it.",
                "They say something about it, but nothing in the model was trained to say it.",
            ),
        ),
    ),
)
