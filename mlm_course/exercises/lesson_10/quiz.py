"""The quiz on masked autoencoders for text."""

from mlm_course.practice.exercise import Question

QUIZ = (
    Question(
        prompt="Why does a masked autoencoder for text learn by cross-entropy, and one for images by "
        "squared error?",
        options=(
            ("Cross-entropy is quicker.", "The loss is a tiny part of the work in both."),
            (
                "A word is one of V names; a pixel is a quantity, and near is nearly right.",
                "An id that is off by one is another word altogether.",
            ),
            (
                "Squared error does not work with a decoder.",
                "It does: lesson 9 trains exactly that.",
            ),
        ),
        answer=1,
    ),
    Question(
        prompt="What does the encoder of a text autoencoder know about the hidden words?",
        options=(
            ("Nothing at all.", "It is not told which they are, but the positions leave holes."),
            (
                "Where they stood, from the holes in the positions.",
                "Give it positions counted anew, and it does not even know that.",
            ),
            ("What they are, through the mask token.", "No mask token enters the encoder."),
        ),
        answer=1,
    ),
    Question(
        prompt="At 15 % hidden, an encoder of 3 blocks and a decoder of 1 block of the same width cost "
        "about ... a BERT of 3 blocks.",
        options=(
            ("a quarter of", "That needs most of the text to be removed, and a tiny decoder."),
            (
                "a fifth more than",
                "3 x .85 + 1 is 3.55 in place of 3: the decoder eats up more than was saved.",
            ),
            ("twice as much as", "The encoder does save something: 3 x .85 instead of 3."),
        ),
        answer=1,
    ),
    Question(
        prompt="A program passes a whole text to a pretrained BERT and asks for the same text back. Its "
        "loss falls quickly. What has it learnt?",
        options=(
            ("To understand the text.", "It was never asked anything that it did not see."),
            (
                "To predict words from their neighbours.",
                "It need not look at the neighbours at all.",
            ),
            (
                "To copy.",
                "Copying alone makes the loss 0; in section 9's runs hidden words were guessed no better.",
            ),
        ),
        answer=2,
    ),
    Question(
        prompt="What does RetroMAE want with a decoder of one block that sees so little of the text?",
        options=(
            (
                "That the text's vector has to carry what is missing.",
                "With more words in view, the gaps could be filled from these, without the vector.",
            ),
            (
                "To save time.",
                "A small decoder is cheap, but the aim is a good vector for search (section 10).",
            ),
            (
                "To keep [MASK] out of the encoder.",
                "It is not kept out: RetroMAE's encoder is a plain BERT.",
            ),
        ),
        answer=0,
    ),
)
