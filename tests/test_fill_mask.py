"""FillMask in Python: what it refuses, its static twin, and the weights that it sends to the page."""

import json

import pytest
import torch
from safetensors.torch import load
from traitlets import TraitError

from mlm_course.models import EncoderConfig, MaskedLM, load_pretrained, seeded_init
from mlm_course.models.inspection import logit_lens
from mlm_course.models.pretrained import checkpoint_of
from mlm_course.models.storage import load_model, model_bytes, save_model
from mlm_course.tokenization import MASK_ID, SPECIAL_TOKENS, train_bpe, word_level
from mlm_course.views import guesses_view, render_html
from mlm_course.views.guesses import percent
from mlm_course.widgets import FillMask

TEXT = "there were two white ducks near the river, and anna said the white ducks were hers."
WORDS = [*SPECIAL_TOKENS, "the", "cat", "sat"]


def ducks(**how) -> FillMask:
    return FillMask(*load_pretrained("tinyworld"), **{"text": TEXT, "masked": [16], **how})


def small(n_pieces: int = len(WORDS), **sizes) -> MaskedLM:
    config = EncoderConfig(n_pieces, 8, **{"d_model": 8, "n_layers": 2, "n_heads": 2, **sizes})
    return seeded_init(MaskedLM, config).eval()


def test_the_twin_shows_the_guesses_and_how_they_grew():
    widget = ducks()
    first, second, third = repr(widget).splitlines()
    assert first.startswith("[CLS] there were") and first.endswith("ducks [MASK] hers . [SEP]")
    assert second.startswith("Guesses at piece 17: were 99.")
    assert third.startswith("Likeliest after block 1 were ") and third.count(" were ") == 3
    html = widget._repr_mimebundle_()[0]["text/html"]
    assert "Guesses at piece 17" in html and "block 3" in html and "<script" not in html


def test_the_middle_piece_is_masked_unless_the_text_says_what():
    assert ducks(masked=None).masked == [10]
    widget = ducks(masked=None, text="two [MASK] ducks were near")
    assert (widget.masked, widget.place, widget.answer["gaps"]) == ([], 2, [2])
    assert widget.answer["own"] is None
    assert ducks(masked=[]).answer["guesses"] == []
    assert "there is nothing to guess" in repr(ducks(masked=[]))


def test_the_last_block_of_the_lens_is_the_model_itself():
    model = load_pretrained("tinyworld")[0]
    ids = torch.randint(5, 205, (2, 9), generator=torch.Generator().manual_seed(0))
    masked = torch.rand(2, 9, generator=torch.Generator().manual_seed(1)) < 0.4
    with torch.no_grad():
        lens = logit_lens(model, ids, masked)
        assert lens.shape == (4, int(masked.sum()), 205)
        torch.testing.assert_close(lens[-1], model(ids, None, masked), atol=1e-4, rtol=1e-5)
        first = model.logits(model.encoder.final_norm(model.encoder.embeddings(ids)))
        torch.testing.assert_close(lens[0], first[masked], atol=1e-4, rtol=1e-5)


def test_the_twin_follows_what_is_set():
    widget = ducks()
    before = repr(widget)
    widget.masked, widget.place = [4], 4
    assert repr(widget) != before
    assert widget.answer["gaps"] == [4]
    widget.text = "two cats"
    widget.masked = []
    assert repr(widget).startswith("[CLS] two cats [SEP]")
    widget.text = "a " * 30
    assert repr(widget) == "The text has 32 pieces, but the model reads 26 at most: shorten it."
    assert "shorten it" in render_html(widget.picture())


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: FillMask("bert", WORDS, "the"), "model must be a MaskedLM; it is str."),
        (lambda: FillMask(small(), "the cat", "the"), "must be a Tokenizer or the list of words"),
        (
            lambda: FillMask(small(), [5], "the"),
            "must be a list of strings|must hold strings|texts",
        ),
        (lambda: FillMask(small(), ["the"], "the"), r"must begin with \[PAD\], \[UNK\]"),
        (lambda: FillMask(small(), [*WORDS, "cat"], "the"), "in the list of words twice"),
        (lambda: FillMask(small(9), WORDS, "the"), "has 8 pieces, the model knows 9: they do not"),
        (lambda: FillMask(small(), WORDS, ""), "The text is empty: type a few words."),
        (lambda: FillMask(small(), WORDS, "the " * 7), "has 9 pieces, but the model reads 8"),
        (lambda: FillMask(small(), WORDS, "the", [0]), "Piece 0 cannot be masked"),
        (lambda: FillMask(small(), WORDS, "the", [7]), "Piece 7 cannot be masked"),
        (lambda: FillMask(small(279), train_bpe([TEXT], 290), TEXT), "The page reads WordPiece"),
    ],
)
def test_what_does_not_fit_is_said_in_a_sentence(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        make()


def test_a_layer_and_a_head_must_exist():
    widget = ducks()
    assert (widget.layer, widget.head) == (3, 0)
    widget.layer, widget.head = 1, 3
    for wrong in ({"layer": 0}, {"layer": 4}, {"head": -1}, {"head": 4}):
        with pytest.raises(TraitError, match="must lie between"):
            widget.set_trait(*wrong.popitem())


def sent(widget: FillMask, content: object) -> list:
    """What the widget sends in answer to a message from the page."""
    answers = []
    widget.send = lambda answer, buffers=(): answers.append((answer, buffers))
    widget._handle_custom_msg(content, [])
    return answers


def test_the_page_gets_the_weights_when_it_asks():
    widget = ducks()
    here, (answer, (file,)) = sent(widget, {"ask": "weights"})
    assert (here[0], answer) == ({"answer": "here"}, {"answer": "weights"})
    assert sent(widget, {"ask": "here?"}) == [({"answer": "here"}, ())]
    weights = load(file)
    assert {w.dtype for w in weights.values()} == {torch.float16}  # nothing is lost by it
    for name, weight in widget._model.state_dict().items():
        assert torch.equal(weights[name].float(), weight)
    exact = load(FillMask(small(), WORDS, "the cat")._weights())
    assert {w.dtype for w in exact.values()} == {torch.float32}


def test_bytes_are_those_that_a_file_has(tmp_path):
    model = small()
    save_model(model, tmp_path / "a.safetensors", torch.float16)
    (tmp_path / "b.safetensors").write_bytes(model_bytes(model, torch.float16))
    ours, theirs = (load_model(tmp_path / f"{name}.safetensors") for name in "ab")
    assert ours.config == theirs.config
    for name, weight in ours.state_dict().items():
        assert torch.equal(weight, theirs.state_dict()[name])


def test_a_page_of_the_book_is_told_which_checkpoint_to_load():
    state = ducks(title="Yours").page_state()
    assert state["checkpoint"] == "tinyworld"
    assert state["answer"]["guesses"][0][0] == "were"
    assert len(json.dumps(state)) < 8_000  # no weights
    with pytest.raises(ValueError, match="can only load a model that comes with the course"):
        FillMask(small(), WORDS, "the cat").page_state()


@pytest.mark.parametrize("name", ["tinyworld", "diffusion", "python_docs"])
def test_a_checkpoint_is_known_by_its_weights(name):
    model = load_pretrained(name)[0]
    assert checkpoint_of(model) == name
    with torch.no_grad():
        model.decoder_bias[0] += 1
    assert checkpoint_of(model) == ""


def test_words_are_read_as_the_page_reads_them():
    tokenizer = word_level(WORDS)
    assert tokenizer.encode("The CAT,sat [MASK]").tokens == [
        "[CLS]", "the", "cat", "[UNK]", "sat", "[MASK]", "[SEP]",
    ]  # fmt: skip
    assert MASK_ID in tokenizer.encode("[MASK]").ids


def test_a_view_of_guesses_checks_what_it_is_given():
    view = guesses_view(["a", "b"], [1], 1, [("b", 0.75)], [("a", 0.4), ("b", 0.75)], "Title")
    assert view["summary"].splitlines() == [
        "Title", "a [MASK]", "Guesses at piece 2: b 75.0 %.", "Likeliest after block 1 a 40.0 %, 2 b 75.0 %.",
    ]  # fmt: skip
    with pytest.raises(ValueError, match="There is no piece 2: the text has 2, from 0"):
        guesses_view(["a", "b"], [2])
    with pytest.raises(ValueError, match="must hold probabilities from 0 to 1"):
        guesses_view(["a"], [0], 0, [("a", 1.5)])
    assert [percent(p) for p in (0, 4e-4, 5e-4, 1)] == ["< 0.1 %", "< 0.1 %", "0.1 %", "100.0 %"]
