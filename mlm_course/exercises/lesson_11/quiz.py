"""The quiz on Mask-Predict."""

from mlm_course.practice.exercise import Question

QUIZ = (
    Question(
        prompt="A model gives every word its exact probability, and still writes nonsense when all words "
        "are chosen at once. Why?",
        right=(
            "Each word is chosen without knowing what the others turned out to be.",
            "Two right answers mix. With one right answer there is no problem.",
        ),
        wrong=(
            ("It is too small.", "Its probabilities are exact. No model could know better."),
            ("There are too few candidate lengths.", "That is another problem, and another cure."),
        ),
    ),
    Question(
        prompt="How is Mask-Predict's model trained?",
        right=(
            "As a masked language model that also sees a source: some words hidden, their "
            "number anything from one to all.",
            "And with it a guess at the length.",
        ),
        wrong=(
            ("Autoregressively, and then given masks.", "There is no causal mask at any time."),
            (
                "As a masked language model with 15 % hidden.",
                "It would begin on an empty canvas and has never seen one.",
            ),
        ),
    ),
    Question(
        prompt="In a step, a word that was not hidden gets a higher probability than when it was "
        "chosen. What becomes of its confidence?",
        right=("It stays as it was.", "The word is judged by what was known when it was chosen."),
        wrong=(
            ("It rises.", "Then words would vouch for themselves: each sees itself."),
            ("It is averaged.", "No; the algorithm knows one number a word."),
        ),
    ),
    Question(
        prompt="Ten steps instead of one per word: when is that *not* faster than writing from left to "
        "right with keys and values kept?",
        right=(
            "With large batches.",
            "Each step works on all places again. With 64 cheques at once ten steps took longer "
            "(section 7).",
        ),
        wrong=(
            (
                "With a single sentence.",
                "There ten steps took less than half of the time (section 7).",
            ),
            ("Never.", "Section 7 measures it."),
        ),
    ),
    Question(
        prompt="What does distillation change?",
        right=(
            "The training answers: another model's, which answers a source always alike.",
            "Fewer ways to be right, so less to mix.",
        ),
        wrong=(
            (
                "The model becomes smaller.",
                "That is another use of the word. Here student and teacher are of one size.",
            ),
            ("The number of steps.", "You still choose them."),
        ),
    ),
)
