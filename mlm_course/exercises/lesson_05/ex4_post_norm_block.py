"""BERT's block: post-norm."""

from mlm_course.exercises.lesson_05.parts import block_parts
from mlm_course.practice.exercise import Exercise, Mistake

FIRST = "attention_norm(x + attention(x))"
SECOND = "feed_forward_norm(x + feed_forward(x))"
FIRST_NOT_ADDED = {FIRST: "attention_norm(attention(x))"}
SECOND_NOT_ADDED = {SECOND: "feed_forward_norm(feed_forward(x))"}
FIRST_NOT_NORMALISED = {FIRST: "x + attention(x)"}
SECOND_NOT_NORMALISED = {SECOND: "x + feed_forward(x)"}
SECOND_NORMALISES_X = {SECOND: "feed_forward_norm(x) + feed_forward(x)"}
SECOND_NORMALISES_RESULT = {SECOND: "x + feed_forward_norm(feed_forward(x))"}
KEEPS_X = {"x = attention_norm": "attended = attention_norm"}

EXERCISE = Exercise(
    minutes=4,
    inputs=block_parts,
    hints=(
        "Twice the same pattern: compute something from x, add it to x, normalise the sum.",
        "The second half starts from the *result* of the first, for both its input and its sum.",
        "x = attention_norm(x + attention(x)); return feed_forward_norm(x + feed_forward(x))",
    ),
    mistakes=(
        Mistake(
            "Both residual connections are missing: what comes out of a sublayer is *added* to what "
            "went in.",
            FIRST_NOT_ADDED | SECOND_NOT_ADDED,
        ),
        Mistake(
            "The residual connection around attention is missing: x + attention(x).",
            FIRST_NOT_ADDED,
        ),
        Mistake(
            "The residual connection around the feed-forward network is missing.",
            SECOND_NOT_ADDED,
        ),
        Mistake(
            "This is pre-norm: the norm stands before each sublayer. In BERT it comes after each sum.",
            {
                FIRST: "x + attention(attention_norm(x))",
                SECOND: "x + feed_forward(feed_forward_norm(x))",
            },
        ),
        Mistake(
            "You normalised one part of a sum. Add first, and normalise the sum, both times: "
            "attention_norm(x + attention(x)).",
            {FIRST: "x + attention_norm(attention(x))"} | SECOND_NORMALISES_RESULT,
            SECOND_NORMALISES_RESULT,
            SECOND_NORMALISES_X,
            {FIRST: "attention_norm(x) + attention(x)"} | SECOND_NORMALISES_X,
        ),
        Mistake(
            "The feed-forward network got the block's input. It should read what attention's half has "
            "produced.",
            KEEPS_X | {"x + feed_forward(x)": "attended + feed_forward(x)"},
        ),
        Mistake(
            "The second sum adds the block's own input. Add what went into the feed-forward network.",
            KEEPS_X | {"x + feed_forward(x)": "x + feed_forward(attended)"},
        ),
        Mistake(
            "The sums are right, but neither of them is normalised.",
            FIRST_NOT_NORMALISED | SECOND_NOT_NORMALISED,
        ),
        Mistake(
            "Only one of the two sums is normalised. Each sublayer has its own norm, behind its sum.",
            FIRST_NOT_NORMALISED,
            SECOND_NOT_NORMALISED,
        ),
        Mistake(
            "The two norms have changed places.",
            {
                FIRST: "feed_forward_norm(x + attention(x))",
                SECOND: "attention_norm(x + feed_forward(x))",
            },
        ),
        Mistake(
            "attention_norm is used twice. The second sum has a norm of its own.",
            {SECOND: "attention_norm(x + feed_forward(x))"},
        ),
    ),
)
