"""The quiz on scale."""

from mlm_course.practice.exercise import Question

QUIZ = (
    Question(
        prompt="A step takes 1 second. The products of matrices in it would take .3 seconds at this "
        "machine's best rate. What follows?",
        right=(
            "With the same FLOPs and this machine, no program can be more than about three times as fast.",
            "That is what a floor is good for: it says when to stop.",
        ),
        wrong=(
            (
                "A better library for matrix products can make the step three times as fast.",
                "The products are at most part of the step; nothing says they run slowly.",
            ),
            (
                "The rest of the second is wasted.",
                "Norms, softmax, the optimiser need time, too: they have few FLOPs and many bytes.",
            ),
        ),
    ),
    Question(
        prompt="Why do bf16 programs add up in fp32?",
        right=(
            "In bf16 a long sum stops growing: small terms are rounded away.",
            "8 bits: at 256, adding 1 changes nothing.",
        ),
        wrong=(
            (
                "bf16 overflows at 65504.",
                "That is fp16. bf16 reaches as far as fp32.",
            ),
            (
                "fp32 sums are faster.",
                "Speed is not the reason: a long sum in bf16 comes out wrong.",
            ),
        ),
    ),
    Question(
        prompt="Nine weights in ten are set to 0. How much sooner is a layer of the same shape done?",
        right=(
            "No sooner.",
            "Time is saved only where the hardware or the program skips zeros, or where whole rows go.",
        ),
        wrong=(
            (
                "Ten times as fast.",
                "The product multiplies by zeros as it does by other numbers.",
            ),
            (
                "Somewhat sooner: multiplying by 0 is easy.",
                "A dense product multiplies by 0 as by any number: section 8 measures it.",
            ),
        ),
    ),
    Question(
        prompt="Two processes, with 10 and 30 hidden tokens. Each takes the mean of its own losses, and "
        "the gradients are averaged. What is wrong?",
        right=(
            "A token of the first process weighs three times as much as one of the second.",
            "Divide sums by the count of all processes instead.",
        ),
        wrong=(
            (
                "Nothing: both halves of the batch count the same.",
                "The halves do. The tokens do not.",
            ),
            (
                "The result is twice as large as it should be.",
                "A mean of means has about the right size. It is another mean.",
            ),
        ),
    ),
    Question(
        prompt="Why can a bidirectional encoder not keep keys and values and give the same answers?",
        right=(
            "A new token changes the vectors of all others, so from the second layer on nothing "
            "kept is exact.",
            "In a decoder with a causal mask earlier tokens never look ahead, so theirs stay.",
        ),
        wrong=(
            (
                "It has no keys and values.",
                "It has: in every layer, for every token.",
            ),
            (
                "They take too much memory.",
                "They would take as much as in a decoder. They are just not valid any more.",
            ),
        ),
    ),
)
