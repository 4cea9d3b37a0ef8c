"""The quiz on masked autoencoders for text."""

from mlm_course.practice.exercise import Question

QUIZ = (
    Question(
        prompt="Why does a masked autoencoder for text learn by cross-entropy, and one for images by "
        "squared error?",
        right=(
            "A word is one of V names; a pixel is a quantity, and near is nearly right.",
            "An id that is off by one is another word altogether.",
        ),
        wrong=(
            ("Cross-entropy is quicker.", "The loss is a tiny part of the work in both."),
            (
                "Squared error does not work with a decoder.",
                "It does: lesson 9 trains exactly that.",
            ),
        ),
    ),
    Question(
        prompt="What does the encoder of a text autoencoder know about the hidden words?",
        right=(
            "Where they stood, from the holes in the positions.",
            "Give it positions counted anew, and it does not even know that.",
        ),
        wrong=(
            ("Nothing at all.", "It is not told which they are, but the positions leave holes."),
            ("What they are, through the mask token.", "No mask token enters the encoder."),
        ),
    ),
    Question(
        prompt="At 15 % hidden, an encoder of 3 blocks and a decoder of 1 block of the same width cost "
        "about ... a BERT of 3 blocks.",
        right=(
            "a fifth more than",
            "3 x .85 + 1 is 3.55 in place of 3: the decoder eats up more than was saved.",
        ),
        wrong=(
            ("a quarter of", "That needs most of the text to be removed, and a tiny decoder."),
            ("twice as much as", "The encoder does save something: 3 x .85 instead of 3."),
        ),
    ),
    Question(
        prompt="A program passes a whole text to a pretrained BERT and asks for the same text back. Its "
        "loss falls quickly. What has it learnt?",
        right=(
            "To copy.",
            "Copying alone makes the loss 0; in section 9's runs hidden words were guessed no better.",
        ),
        wrong=(
            ("To understand the text.", "It was never asked anything that it did not see."),
            (
                "To predict words from their neighbours.",
                "It need not look at the neighbours at all.",
            ),
        ),
    ),
    Question(
        prompt="What does RetroMAE want with a decoder of one block that sees so little of the text?",
        right=(
            "That the text's vector has to carry what is missing.",
            "With more words in view, the gaps could be filled from these, without the vector.",
        ),
        wrong=(
            (
                "To save time.",
                "A small decoder is cheap, but the aim is a good vector for search (section 10).",
            ),
            (
                "To keep [MASK] out of the encoder.",
                "It is not kept out: RetroMAE's encoder is a plain BERT.",
            ),
        ),
    ),
)
