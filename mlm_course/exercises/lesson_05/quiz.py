"""The quiz on the encoder (BERT)."""

from mlm_course.practice.exercise import Question

QUIZ = (
    Question(
        prompt="x is (B, T, D). How many means does one LayerNorm compute?",
        right=(
            "B * T: one for each token.",
            "Each token is normalised by itself, over its D numbers.",
        ),
        wrong=(
            ("D: one for each number of a vector.", "That would be batch normalisation."),
            ("B: one for each row of the batch.", "Tokens of a row are normalised independently."),
        ),
    ),
    Question(
        prompt="In which block can a gradient reach the block's input without passing through any norm?",
        right=(
            "pre-norm",
            "The sums are never normalised; the norms stand inside the branches.",
        ),
        wrong=(
            ("post-norm", "There every sum is normalised: a norm stands in the only way out."),
            ("both", "In post-norm every sum is normalised."),
            ("neither", "In pre-norm the stream of sums is free of norms."),
        ),
    ),
    Question(
        prompt="Two sublayers in a row, attention and feed-forward. Which one lets tokens exchange something?",
        right=("Attention only.", "The feed-forward network sees one token at a time."),
        wrong=(
            ("The feed-forward network only.", "It sees one token at a time."),
            ("Both.", "The feed-forward network is applied to each token by itself."),
        ),
    ),
    Question(
        prompt="A model with a vocabulary of 4,000 starts with a loss of 60. What is likely wrong?",
        right=(
            "The tied embeddings were drawn too large, so the first softmax is far too sure.",
            "With a standard deviation of 1 instead of .02, logits are huge from the start.",
        ),
        wrong=(
            (
                "Nothing: an untrained model knows nothing.",
                "A model that knows nothing and admits it has a loss of log(4000), about 8.3. A loss "
                "of 60 is confident nonsense.",
            ),
            ("The learning rate is too high.", "Before the first step it has had no effect yet."),
        ),
    ),
    Question(
        prompt="`nn.Transformer(64, 4, 2)` builds ...",
        right=(
            "2 encoder layers and 6 decoder layers with 4 heads each.",
            "The second argument is the number of heads, the third the encoder's depth alone.",
        ),
        wrong=(
            ("an encoder of 4 layers with 2 heads.", "The order is d_model, nhead, then depths."),
            (
                "2 encoder and 2 decoder layers.",
                "The decoder's depth is a fourth argument, 6 by default.",
            ),
        ),
    ),
)
