"""A BERT that disagrees."""

import torch  # noqa: F401 (the answer uses it)
from torch import Tensor  # noqa: F401 (the answer uses it)

from mlm_course.exercises.lesson_05.suspects import case
from mlm_course.practice.exercise import Exercise, Mistake

H = "h = s.attention_norm(x + s.attention(x, everyone))"
WHOLE = "whole = s.feed_forward_norm(h + s.feed_forward(h))"
EPS = "not torch.allclose(s.attention_norm(x), b.attention_norm(x), **near)"
GELU = "not torch.allclose(s.feed_forward(x), b.feed_forward(x), **near)"
MASK = "torch.allclose(s(x, mask), s(x, everyone), **near)"
PRE_NORM = "torch.allclose(s(x, everyone), whole, **near)"
BIAS = "not torch.allclose(suspect.head(x), model.logits(x), **near)"
BLOCKS = "zip(suspect.blocks, model.encoder.blocks)"
SORTED = "sorted({name for name, sign in signs if sign})"
BY_MODEL = {
    H: H.replace("s.", "b."),
    WHOLE: WHOLE.replace("s.", "b."),
}
WITH_MASK = {PRE_NORM: PRE_NORM.replace("everyone", "mask")}
MODEL_WITH_MASK = {H: H.replace("s.", "b.").replace("everyone", "mask"), WHOLE: BY_MODEL[WHOLE]}


def in_order(*order: str) -> dict[str, str]:
    """The edit that gives the right names in another order."""
    return {SORTED: f"[n for n in {order!r} if (n, True) in signs]"}


EXERCISE = Exercise(
    kind="diagnose",
    hard=True,
    minutes=35,
    trials=24,
    inputs=case,
    hints=(
        "No order of trying is needed: any x (B, T, D), the same for both models, shows a fault in a part. "
        "Right parts agree to 1e-12: which bound tells a fault from rounding?",
        "A part (attention, norm, feed-forward network) is compared with the model's. But a *block* with a "
        "faulty part disagrees as well: to see how it is put together, put the suspect's own parts "
        "together yourself, with a mask that is True everywhere.",
        "Some faults show without the model: does another mask, or do other segments, change anything? If "
        "the segments are missing, compare the positions with a sum without segments.",
        "def differ(a, b):\n"
        "    return bool((a - b).abs().max() > 1e-9)\n"
        "e, names = model.encoder.embeddings, set()\n"
        "x = suspect.embed(ids, segments)\n"
        "segment = e.segment(segments)\n"
        "if not differ(x, suspect.embed(ids, 1 - segments)):\n"
        '    names.add("segments")\n'
        "    segment = 0\n"
        "if differ(x, e.norm(e.token(ids) + e.position.weight[: ids.shape[1]] + segment)):\n"
        '    names.add("positions")\n'
        "mask = visible[:, None, None, :]\n"
        "everyone = torch.ones_like(mask)\n"
        "for s, b in zip(suspect.blocks, model.encoder.blocks):\n"
        "    if differ(s.attention(x, mask), b.attention(x, mask)):\n"
        '        names.add("heads")\n'
        "    if differ(s.feed_forward(x), b.feed_forward(x)):\n"
        '        names.add("gelu")\n'
        "    if differ(s.attention_norm(x), b.attention_norm(x)):\n"
        '        names.add("eps")\n'
        "    if not differ(s(x, mask), s(x, everyone)):\n"
        '        names.add("mask")\n'
        "    h = s.attention_norm(x + s.attention(x, everyone))\n"
        "    if differ(s(x, everyone), s.feed_forward_norm(h + s.feed_forward(h))):\n"
        '        names.add("pre-norm")\n'
        "if differ(suspect.head(x), model.logits(x)):\n"
        '    names.add("bias")\n'
        "return sorted(names)",
    ),
    mistakes=(
        Mistake(
            '"eps" is missing from all your lists; the rest is right. It moves numbers by little, '
            "less than .001: right parts agree to 1e-12 here, so compare with a bound near that (1e-9, say).",
            {EPS: "False"},
        ),
        Mistake(
            '"eps" and "gelu" are missing from all your lists; the rest is right. Both move numbers by '
            "little: right parts agree to 1e-12 here, so compare with a bound near that (1e-9, say).",
            {EPS: "False", GELU: "False"},
        ),
        Mistake(
            'You say "pre-norm" wherever a block gives other numbers than the model\'s, also where only one of '
            "its parts is at fault. Put the suspect's *own* parts together and compare with that; with a mask "
            "that is True everywhere a dropped mask does no harm.",
            BY_MODEL,
            MODEL_WITH_MASK | WITH_MASK,
        ),
        Mistake(
            'You say "pre-norm" also where a block only drops the mask. With a mask that is True everywhere '
            "the two faults can be told apart.",
            {H: H.replace("everyone", "mask")} | WITH_MASK,
        ),
        Mistake(
            '"mask" is missing from all your lists; the rest is right. The attention itself heeds the mask it '
            "gets; the *block* does not hand it on. Call `s(x, mask)` with two masks.",
            {MASK: MASK.replace("s(", "s.attention(")},
        ),
        Mistake(
            'You say "mask" wherever a block is *not* the model\'s with the mask, whatever its fault.',
            {MASK: "not torch.allclose(s(x, mask), b(x, mask)[0], **near)"},
        ),
        Mistake(
            'You say "mask" where the block heeds the mask, and nothing where it does not. If another mask '
            "changes nothing, it is not handed on.",
            {MASK: f"not {MASK}"},
        ),
        Mistake(
            "Faults in the first block are in your lists, those in the second are not. Look at all blocks.",
            {BLOCKS: f"list({BLOCKS})[:1]"},
        ),
        Mistake(
            "Faults in the last block are in your lists, those in the block before are not. Look at all "
            "blocks.",
            {BLOCKS: f"list({BLOCKS})[-1:]"},
        ),
        Mistake(
            'You say "positions" also where only the segments are missing. If they are, compare with a sum '
            "without them.",
            {"0 if alone else e": "e"},
        ),
        Mistake(
            'You say "segments" also where only the positions are off. Whether segments are added shows '
            "without the model: do other segments change the result?",
            {
                '("segments", alone)': '("segments", not torch.allclose(x, e.norm(e.token(ids) + '
                "e.position.weight[: ids.shape[1]] + e.segment(segments)), **near))"
            },
        ),
        Mistake(
            '"bias" is missing from all your lists; the rest is right.',
            {BIAS: "False"},
        ),
        Mistake(
            "Your lists have one name only, the first in the alphabet. There are up to four faults.",
            {SORTED: f"{SORTED}[:1]"},
        ),
        Mistake(
            "The right names, but not sorted.",
            {SORTED: f"{SORTED}[::-1]"},
            in_order("segments", "positions", "heads", "gelu", "eps", "mask", "pre-norm", "bias"),
            in_order("positions", "segments", "bias", "heads", "gelu", "eps", "mask", "pre-norm"),
        ),
        Mistake(
            "You give each suspect every name. Only what is wrong with this one is asked for.",
            {SORTED: "sorted({name for name, _ in signs})"},
        ),
    ),
)
