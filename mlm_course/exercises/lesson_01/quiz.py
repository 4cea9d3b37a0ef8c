"""The quiz on attention."""

from mlm_course.practice.exercise import Question

QUIZ = (
    Question(
        prompt="Why are dot products divided by sqrt(D) before softmax?",
        right=(
            "So that vectors of many numbers do not make softmax all-or-nothing for that alone.",
            "The spread of dot products grows like sqrt(D), and softmax turns large differences into "
            "a single 1, where hardly any gradient passes.",
        ),
        wrong=(
            (
                "So that each query's weights sum to 1 over the keys, however many keys there are.",
                "Softmax sees to that, whatever the scores are.",
            ),
            (
                "So that the dot product becomes a cosine, in which only the direction counts.",
                "A cosine divides by the two vectors' lengths; sqrt(D) is the same for all pairs.",
            ),
            (
                "So that exp does not overflow when a score is in the hundreds, which it would.",
                "Subtracting the largest score does that; sqrt(D) leaves large scores large.",
            ),
        ),
    ),
    Question(
        prompt="All scores of one query grow by 100. What happens to its weights?",
        right=(
            "They stay as they are: only differences between its scores count.",
            "Each exponential grows by the same factor, which the division takes out.",
        ),
        wrong=(
            (
                "They move towards all-or-nothing, since large scores sharpen softmax.",
                "Large *differences* sharpen it. Multiplying all scores by 100 would do that.",
            ),
            (
                "They become more even, since 100 hides the differences.",
                "Differences do not become smaller by adding the same to all.",
            ),
        ),
    ),
    Question(
        prompt="How large can the numbers be that a query hears (its output)?",
        right=(
            "In each component no larger than the largest among the values.",
            "An average never leaves the range of what is averaged.",
        ),
        wrong=(
            (
                "As large as the sum of the values, if the query matches all of the keys.",
                "The weights sum to 1, however many keys match.",
            ),
            (
                "As large as its largest score times the value that belongs to it.",
                "Scores become weights, and no weight is above 1.",
            ),
            (
                "There is no bound: it depends on how large queries and keys are.",
                "They decide the weights only, which lie between 0 and 1.",
            ),
        ),
    ),
    Question(
        prompt="Every box pointed to two boxes. Why was one head of attention not enough?",
        right=(
            "One look gave one average of both boxes, out of which one matrix was to read two digits.",
            "Two heads keep the two looks apart. (A small network behind one head took much of the "
            "mixture apart.)",
        ),
        wrong=(
            (
                "With one head there were half as many learned numbers in its matrices as with two of them.",
                "Both models had exactly as many: heads share out the same numbers.",
            ),
            (
                "One head can give a weight to a single box only, and all the other weights are 0.",
                "It spread its weight over both boxes; softmax gives every key something.",
            ),
        ),
    ),
    Question(
        prompt="Attention without positions gets the tokens in reversed order. What comes out?",
        right=(
            "The same outputs as before, in reversed order.",
            "To attention a sentence is a bag of words: each hears what it heard before.",
        ),
        wrong=(
            (
                "The same outputs, in the order as before.",
                "Each token keeps its own output, and it stands where the token stands now.",
            ),
            (
                "Other outputs, since each word has other neighbours now.",
                "All words are heard alike, wherever they stand: nobody has neighbours.",
            ),
        ),
    ),
)
