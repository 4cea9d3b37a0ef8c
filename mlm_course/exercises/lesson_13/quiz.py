"""The quiz on scale."""

from mlm_course.practice.exercise import Question

QUIZ = (
    Question(
        prompt="A step takes 1 second. The products of matrices in it would take .3 seconds at "
        "this machine's best rate. What follows?",
        right=(
            "With the same FLOPs on this machine, it can be about three times as fast at most.",
            "That is what a floor is good for: it says when to stop.",
        ),
        wrong=(
            (
                "With a better library for matrix products, the step can be about three "
                "times as fast.",
                "The products are at most part of the step; nothing says they run slowly.",
            ),
            (
                "Seven tenths of the step are overhead, which a good program can do without.",
                "Norms, softmax, the optimiser need time, too: they have few FLOPs and many bytes.",
            ),
        ),
    ),
    Question(
        prompt="Counting in bf16 stops at 256, though bf16 reaches to about 3.4e38. Why?",
        right=(
            "From 256 on its numbers are 2 apart, and 257 is rounded back.",
            "Eight significant bits: the sum is half-way, and goes to the number with the"
            " even last digit.",
        ),
        wrong=(
            (
                "Its exponent has eight bits, so it counts no further than 2 to the power 8.",
                "The exponent is for reach: 1e30 is no problem. Digits are what is missing.",
            ),
            (
                "The rounding errors of 256 additions have grown to about 1.",
                "Up to 256 each sum is exact: no error at all.",
            ),
            (
                "Sums above 255 overflow, unless they are kept in fp32.",
                "Nothing overflows: 258 is there, but not 257.",
            ),
        ),
    ),
    Question(
        prompt="Nine weights in ten of a layer are set to 0; its shape stays. How much sooner is"
        " its product done?",
        right=(
            "No sooner, unless the program or the hardware skips zeros.",
            "It multiplies by zeros as by other numbers. Time is saved where whole rows go.",
        ),
        wrong=(
            (
                "About ten times as fast, as nine in ten multiplications have nothing to compute.",
                "They are done all the same: a dense product does not look at the numbers.",
            ),
            (
                "Somewhat sooner, since fewer weights have to come from memory.",
                "Zeros are stored like other numbers, unless as a list of places.",
            ),
            (
                "It takes longer, since zeros have to be found first.",
                "A dense product does not look for them.",
            ),
        ),
    ),
    Question(
        prompt="Two processes, with 10 and 30 hidden tokens. Each takes the mean of its own "
        "losses, and the gradients are averaged. What is wrong?",
        right=(
            "A token of the first process weighs three times as much as one of the second.",
            "Divide sums by the count of all processes instead.",
        ),
        wrong=(
            (
                "A token of the second process weighs three times as much, since there "
                "are three times as many.",
                "As a group they do in the right mean. Here both groups weigh the same, "
                "so each of the many weighs less.",
            ),
            (
                "Nothing, as long as both processes have equally many rows of the batch.",
                "The rows do not matter: the loss is a mean over hidden tokens.",
            ),
            (
                "The result is half as large as it should be, since two means are averaged.",
                "A mean of means has about the right size. It is another mean.",
            ),
        ),
    ),
    Question(
        prompt="Why is a loss softened with temperature T multiplied by T squared?",
        right=(
            "Its gradients would be about T squared times smaller than they are unsoftened.",
            "So its weight beside the true words' loss would hang on T.",
        ),
        wrong=(
            (
                "Softening makes the divergence itself about T squared times larger, "
                "which this undoes.",
                "A product would not undo that; and softened answers are closer together,"
                " not farther apart.",
            ),
            (
                "It undoes the division of the logits, so that the temperature has no effect.",
                "The temperature keeps its effect: small probabilities count more.",
            ),
            (
                "It makes the student as certain in the end as its teacher is.",
                "That is the divergence's affair, whatever its factor.",
            ),
        ),
    ),
    Question(
        prompt="Why can a bidirectional encoder not keep keys and values and give the same "
        "answers?",
        right=(
            "A new token changes the others' vectors, so from the second layer on no kept"
            " key is exact.",
            "In a decoder with a causal mask earlier tokens never look ahead, so theirs stay.",
        ),
        wrong=(
            (
                "Keys and values hang on a token's place, and all places move with every "
                "new token.",
                "A token that is added at the end moves nobody. Its being seen does the harm.",
            ),
            (
                "Its keys and values would take T times the memory, as all tokens attend "
                "to each other.",
                "They would take as much as in a decoder: one key and one value a token and layer.",
            ),
            (
                "It has no keys and values: those belong to a decoder, which writes word by word.",
                "It has: in every layer, for every token.",
            ),
        ),
    ),
)
