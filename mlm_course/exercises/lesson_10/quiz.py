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
            (
                "Rows of words differ in length, and squared error needs rows that are equally long.",
                "Either loss looks at the masked places alone, and padding is none of them.",
            ),
            (
                "Cross-entropy gives rare words more weight, and rare colours do not matter.",
                "It weighs every masked place alike, whatever word stands there.",
            ),
        ),
    ),
    Question(
        prompt="What does the encoder of a text autoencoder know about the masked words of a row?",
        right=(
            "Where they stood: the positions of the visible ones leave holes.",
            "Give it positions counted anew, and it does not even know that.",
        ),
        wrong=(
            (
                "Nothing: neither words nor mask tokens come in.",
                "It is not told which they are, but the positions leave holes.",
            ),
            (
                "How many there are, but not where, since the row has been closed up before.",
                "Each visible word takes the position along where it stood.",
            ),
        ),
    ),
    Question(
        prompt="At 15 % masked, an encoder of 3 blocks and a decoder of 1 block of the same width: how "
        "much work is that beside 3 blocks on all places? (Count the linear layers.)",
        right=(
            "18 % more",
            "3 x .85 + 1 is 3.55 in place of 3: the decoder eats up more than was saved.",
        ),
        wrong=(
            ("15 % less", "That is what the encoder saves. The decoder works on all places."),
            ("33 % more", "That is what the decoder adds. The encoder saves 15 %."),
        ),
    ),
    Question(
        prompt="A program passes whole texts to a pretrained BERT and asks for the same texts back. Its "
        "loss falls to .01. What does that say about its guesses at masked words?",
        right=(
            "Nothing: each place is shown the word that it is asked for.",
            "Copying alone makes the loss 0, without a look at the neighbours.",
        ),
        wrong=(
            (
                "They are nearly perfect: the same head scores them.",
                "In section 9's runs the loss fell, too, and they were no better than before.",
            ),
            (
                "They improve: without [MASK], every word of a text teaches something.",
                "What is taught is to copy. Section 9's runs guessed masked words no better.",
            ),
        ),
    ),
    Question(
        prompt="Why does RetroMAE give its decoder a single block and so little of the text?",
        right=(
            "The text's vector has to carry what the decoder cannot see.",
            "With more words in view, the gaps could be filled from these, without the vector.",
        ),
        wrong=(
            (
                "A small decoder saves time for a larger encoder.",
                "It is cheap, but the aim is a good vector for search (section 10).",
            ),
            (
                "From fewer words the decoder learns more about the language in a step.",
                "What the decoder learns is not kept. It is there to make the encoder's vector good.",
            ),
        ),
    ),
    Question(
        prompt="Model A has a loss of 1.9 nats at 40 % masked, model B one of 1.4 at 15 %. Which is the "
        "better guesser?",
        right=(
            "It cannot be said: each ratio has its own floor.",
            "The best possible guesser itself has a higher loss at 40 %. Test both at one ratio.",
        ),
        wrong=(
            (
                "B: its loss for each masked word is lower by half a nat.",
                "Its words were easier to guess: more was visible.",
            ),
            (
                "A: it has seen less and guessed more words.",
                "That makes its task harder, but does not say how well it did.",
            ),
        ),
    ),
)
