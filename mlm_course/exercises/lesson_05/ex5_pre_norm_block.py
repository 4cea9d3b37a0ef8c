"""A pre-norm block."""

from mlm_course.exercises.lesson_05.parts import block_parts
from mlm_course.practice.exercise import Exercise, Mistake

FIRST = "x + attention(attention_norm(x))"
SECOND = "x + feed_forward(feed_forward_norm(x))"
FIRST_NOT_NORMALISED = {FIRST: "x + attention(x)"}
SECOND_NOT_NORMALISED = {SECOND: "x + feed_forward(x)"}
FIRST_NOT_ADDED = {FIRST: "attention(attention_norm(x))"}
SECOND_NOT_ADDED = {SECOND: "feed_forward(feed_forward_norm(x))"}
FIRST_NORMALISES_RESULT = {FIRST: "x + attention_norm(attention(x))"}
SECOND_NORMALISES_RESULT = {SECOND: "x + feed_forward_norm(feed_forward(x))"}
KEEPS_X = {"x = x + attention": "attended = x + attention"}

EXERCISE = Exercise(
    minutes=4,
    inputs=block_parts,
    hints=(
        "The norm has moved: it now stands in front of the sublayer, inside the branch.",
        "What is added to is x itself, never normalised: x + sublayer(norm(x)).",
        "x = x + attention(attention_norm(x)); return x + feed_forward(feed_forward_norm(x))",
    ),
    mistakes=(
        Mistake(
            "This is post-norm: the sums are normalised. Here only what *enters* a sublayer is.",
            {
                FIRST: "attention_norm(x + attention(x))",
                SECOND: "feed_forward_norm(x + feed_forward(x))",
            },
        ),
        Mistake(
            "You added to the normalised x. The residual connection carries x itself, untouched: "
            "x + attention(attention_norm(x)).",
            {
                FIRST: "attention_norm(x) + attention(attention_norm(x))",
                SECOND: "feed_forward_norm(x) + feed_forward(feed_forward_norm(x))",
            },
        ),
        Mistake(
            "The feed-forward network's norm is missing.",
            SECOND_NOT_NORMALISED,
        ),
        Mistake(
            "Attention's norm is missing.",
            FIRST_NOT_NORMALISED,
            FIRST_NOT_NORMALISED | SECOND_NOT_NORMALISED,
        ),
        Mistake(
            "A residual connection is missing: *each* of the two sublayers adds what it found to the "
            "x that it started from.",
            FIRST_NOT_ADDED | SECOND_NOT_ADDED,
            FIRST_NOT_ADDED,
            SECOND_NOT_ADDED,
        ),
        Mistake(
            "You normalised what comes *out* of a sublayer. Normalise what goes in, both times.",
            FIRST_NORMALISES_RESULT | SECOND_NORMALISES_RESULT,
            FIRST_NORMALISES_RESULT,
            SECOND_NORMALISES_RESULT,
        ),
        Mistake(
            "Both sublayers read the block's input. The feed-forward network should read what "
            "attention has already added to.",
            KEEPS_X | {"x + feed_forward": "attended + feed_forward"},
        ),
        Mistake(
            "The second sum adds the block's own input: what attention found is lost from the stream. "
            "Add to the result of the first sum.",
            KEEPS_X | {"feed_forward_norm(x)": "feed_forward_norm(attended)"},
        ),
        Mistake(
            "The two norms have changed places.",
            {
                FIRST: "x + attention(feed_forward_norm(x))",
                SECOND: "x + feed_forward(attention_norm(x))",
            },
        ),
        Mistake(
            "attention_norm is used twice. The feed-forward network has a norm of its own.",
            {SECOND: "x + feed_forward(attention_norm(x))"},
        ),
    ),
)
