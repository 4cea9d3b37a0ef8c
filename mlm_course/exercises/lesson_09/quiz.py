"""The quiz on masked autoencoders."""

from mlm_course.practice.exercise import Question

QUIZ = (
    Question(
        prompt="Why does MAE train faster than a model of the same size that sees mask tokens?",
        options=(
            (
                "It updates only some of its weights.",
                "Every weight gets a gradient at every step, the encoder's and the decoder's.",
            ),
            (
                "Its large encoder works on the visible quarter of the patches only.",
                "The mask tokens meet the small decoder alone.",
            ),
            (
                "Its loss is simpler to compute.",
                "The loss takes next to no time in either.",
            ),
        ),
        answer=1,
    ),
    Question(
        prompt="ids_shuffle is [2, 0, 3, 1]: patch 2 comes first, then 0, 3, 1. What is ids_restore?",
        options=(
            ("[2, 0, 3, 1]", "That would shuffle a second time."),
            (
                "[1, 3, 0, 2]",
                "Patch 0 went to place 1, patch 1 to place 3, patch 2 to 0, patch 3 to 2.",
            ),
            ("[1, 3, 2, 0]", "That is the order read backwards."),
        ),
        answer=1,
    ),
    Question(
        prompt="Why 75 % for images and 15 to 40 % for text?",
        options=(
            (
                "Pixels are cheaper to compute than words.",
                "What it costs does not say how hard the question is.",
            ),
            (
                "Neighbouring patches say nearly the same; words say more each.",
                "With little removed, a gap in an image can be filled from its rim.",
            ),
            (
                "Images have more patches than texts have words.",
                "196 patches an image is about the length of a paragraph.",
            ),
        ),
        answer=1,
    ),
    Question(
        prompt="After pretraining, what is kept for a task such as classification?",
        options=(
            ("The encoder.", "It gets all patches now, none removed, and a new head."),
            ("The decoder.", "It only restores pixels, and it is thrown away."),
            (
                "Both, and the mask token.",
                "Nothing is removed any more, so there is nothing to put a mask token for.",
            ),
        ),
        answer=0,
    ),
    Question(
        prompt="With norm_pix the model restores a patch whose colours differ from its mean in the right "
        "way, but it does not know the mean. What is in the pictures of such a model?",
        options=(
            (
                "The model's guess at the mean.",
                "It has never been asked for one.",
            ),
            (
                "The true patch's mean and spread, put back for the picture.",
                "So such a picture shows a little more than the model knows.",
            ),
            (
                "No mean at all: the pictures are grey.",
                "They could be drawn so, but then they would be hard to look at.",
            ),
        ),
        answer=1,
    ),
)
