"""The quiz on the encoder (BERT)."""

from mlm_course.practice.exercise import Question

QUIZ = (
    Question(
        prompt="x is (B, T, D). Which numbers share one mean in LayerNorm?",
        right=("the D numbers of one token, no others", "Each token is normalised by itself."),
        wrong=(
            (
                "one dimension's numbers over all tokens",
                "That is batch normalisation: a token would depend on the others of its batch.",
            ),
            (
                "the T * D numbers of one row",
                "Then a token's vector would depend on how loud its neighbours are.",
            ),
        ),
    ),
    Question(
        prompt="A text says 'red' twice. Without position embeddings, without a mask and without dropout, "
        "the two vectors that a BERT returns for it are ...",
        right=(
            "equal, no matter how many blocks there are",
            "Both start from the same vector and attend to the same set of vectors, in every block.",
        ),
        wrong=(
            (
                "different: each attends to its neighbours",
                "Who is a neighbour is a matter of positions. Both attend to all words of the text alike.",
            ),
            (
                "equal after one block, different after several",
                "The second block again gets the same vector twice, and the same set to attend to.",
            ),
        ),
    ),
    Question(
        prompt="In which kind of stack does a sum reach the top that no norm has rescaled on its way?",
        right=(
            "in a pre-norm stack",
            "There norms stand inside the branches: the stream itself is what was added up. One last norm "
            "follows it.",
        ),
        wrong=(
            (
                "in a post-norm stack",
                "There every sum goes through a norm before the next sublayer adds to it.",
            ),
            (
                "in neither: both have two norms a block",
                "They do, but in pre-norm the norms act on what a sublayer reads, not on the stream.",
            ),
        ),
    ),
    Question(
        prompt="A new `MaskedLM` with dropout .1 reads the same batch twice under `torch.no_grad()`. Its "
        "logits are ...",
        right=(
            "different, since it is in training mode",
            "Dropout is on until `model.eval()`; no_grad only keeps gradients from being recorded.",
        ),
        wrong=(
            (
                "the same: no_grad ends what is for training",
                "no_grad leaves dropout alone; `model.eval()` switches it off.",
            ),
            (
                "the same: no weight has changed",
                "The weights have not, but dropout draws other zeros each time.",
            ),
        ),
    ),
    Question(
        prompt="A model with a tied decoder and a vocabulary of 4,000 starts with a loss of 60. What is "
        "likely?",
        right=(
            "Its token table was drawn too large.",
            "The rows set the size of the logits: the first softmax is far too sure. log(4000) is 8.3.",
        ),
        wrong=(
            (
                "Nothing is wrong: it has not learnt anything yet.",
                "A model that is sure of nothing has a loss of log(4000), about 8.3.",
            ),
            (
                "Its learning rate is too high.",
                "Before the first step that has had no effect.",
            ),
        ),
    ),
    Question(
        prompt="`nn.Transformer(64, 4, 2)` has ...",
        right=(
            "2 encoder layers, 6 decoder layers, 4 heads",
            "The second argument is the number of heads, the third the encoder's depth alone.",
        ),
        wrong=(
            (
                "4 encoder layers with 2 heads, no decoder",
                "The order is d_model, nhead, then depths; and there is a decoder.",
            ),
            (
                "2 encoder layers, 2 decoder layers, and 4 heads",
                "The decoder's depth is a fourth argument, 6 by default.",
            ),
        ),
    ),
    Question(
        prompt="An encoder with rotary positions was trained on rows of 128 tokens. On rows of 512 ...",
        right=(
            "it runs, and meets distances that are new to it",
            "Angles can be computed for any place. That scores depend on distances alone says nothing of "
            "distances that never came up in training.",
        ),
        wrong=(
            (
                "it does as before, since only distances count",
                "Distances above 127 never came up. Section 11's record shows what that can cost.",
            ),
            (
                "it stops: there are no rows for the places",
                "That happens to a table. Rotations are computed, for any place.",
            ),
        ),
    ),
)
