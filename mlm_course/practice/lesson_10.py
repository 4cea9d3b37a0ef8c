"""Lesson 10: masked autoencoders for text. Words are dropped, encoded without them, put back, guessed."""

import torch
from torch import Tensor
from torch.nn import functional as F

from mlm_course.models.encoder import StackConfig
from mlm_course.models.image_mae import put_back as package_put_back
from mlm_course.models.text_mae import TextMAE, TextMAEConfig, keep_visible
from mlm_course.practice.exercise import Exercise, Function, Misconception, Question
from mlm_course.probing import effective_rank

TITLE = "Masked autoencoders for text"

VOCABULARY = 20  # ids 0 to 4 are special
PAD_ID, CLS_ID, SEP_ID, MASK_ID = 0, 2, 3, 4
PLACES = 10  # that the tiny model knows


def close_up(ids: Tensor, visible: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    order = (~visible).int().argsort(dim=1, stable=True)
    positions = order[:, : visible.sum(1).max()]
    real = visible.gather(1, positions)
    return ids.gather(1, positions) * real, positions * real, real


def embed_visible(ids: Tensor, positions: Tensor, token: Tensor, position: Tensor) -> Tensor:
    return token[ids] + position[positions]


def put_back(latent: Tensor, order: Tensor, mask_token: Tensor) -> Tensor:
    return package_put_back(latent, order.argsort(1), mask_token[None, None])


def decoder_input(
    latent: Tensor, real: Tensor, ids_restore: Tensor, mask_token: Tensor, places: Tensor
) -> Tensor:
    x = torch.where(real[..., None], latent, mask_token)
    return package_put_back(x, ids_restore, mask_token[None, None]) + places


def mae_loss(model: TextMAE, ids: Tensor, masked: Tensor) -> Tensor:
    return F.cross_entropy(model(ids, None, masked), ids[masked])


def decoder_sees(noise: Tensor, text: Tensor, ratio: float) -> Tensor:
    is_self = torch.eye(noise.shape[1], dtype=torch.bool)
    seen = (noise >= ratio) & ~is_self & text[:, None]
    seen[..., 0] = True
    return seen


def count_directions(x: Tensor, share: float) -> int:
    return effective_rank(x, share)


def _hidden(g: torch.Generator, rows: int, length: int, counts: tuple[int, ...]) -> Tensor:
    """So many hidden places in each row, never the first or the last."""
    masked = torch.zeros(rows, length, dtype=torch.bool)
    for row, count in enumerate(counts):
        masked[row, 1 + torch.randperm(length - 2, generator=g)[:count]] = True
    return masked


def _texts(g: torch.Generator, rows: int, length: int, vocabulary: int = VOCABULARY) -> Tensor:
    """[CLS], ordinary tokens, all of a row different, [SEP]."""
    ids = torch.rand(rows, vocabulary - 5, generator=g).argsort(1)[:, :length] + 5
    ids[:, 0], ids[:, -1] = CLS_ID, SEP_ID
    return ids


def _row_with_gaps(g: torch.Generator) -> tuple[Tensor, Tensor]:
    """Three rows; the second keeps the most, and the last ends in padding.

    They are so long that a sort which is not stable mixes them (shorter ones come out right).
    """
    ids, masked = _texts(g, 3, 20, vocabulary=40), _hidden(g, 3, 20, (6, 3, 9))
    ids[2, 17:] = torch.tensor([SEP_ID, PAD_ID, PAD_ID])
    masked[:, 2], masked[:, 3], masked[2, 17:] = True, False, False
    return ids, ~masked & (ids != PAD_ID)


def _kept_rows(g: torch.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    ids = _texts(g, 2, 5)
    positions = torch.rand(2, 11, generator=g).argsort(1)[:, :5].sort(1).values
    positions[:, -1] = 10 + torch.arange(2)
    token, position = (torch.randn(n, 6, generator=g) for n in (VOCABULARY, 12))
    return ids, positions, token, position


def _shuffled(g: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Vectors of four visible places of nine, and an order that is not its own inverse."""
    visible = torch.zeros(3, 9, dtype=torch.bool)
    for row in range(3):
        visible[row, torch.randperm(8, generator=g)[:4] + 1] = True
    visible[:, 0], visible[0] = False, torch.arange(9) % 2 == 1
    order = (~visible).int().argsort(dim=1, stable=True)
    return torch.randn(3, 4, 5, generator=g), order, torch.randn(5, generator=g)


def _latent_rows(g: torch.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    masked = _hidden(g, 3, 9, (2, 5, 3))
    kept = keep_visible(_texts(g, 3, 9), masked)
    assert kept.real is not None
    latent = torch.randn(*kept.ids.shape, 5, generator=g)
    token, places = torch.randn(5, generator=g), torch.randn(9, 5, generator=g)
    return latent, kept.real, kept.ids_restore, token, places


def _model_and_gaps(g: torch.Generator) -> tuple[TextMAE, Tensor, Tensor]:
    sizes = StackConfig(d_model=12, n_layers=1, n_heads=2, d_ff=16)
    config = TextMAEConfig(VOCABULARY, PLACES, d_model=12, n_layers=1, n_heads=2, d_ff=16,
                           decoder=sizes)  # fmt: skip
    model = TextMAE(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.4 * torch.randn(parameter.shape, generator=g))
    return model, _texts(g, 3, 9), _hidden(g, 3, 9, (2, 5, 3))


def _noise_and_text(g: torch.Generator) -> tuple[Tensor, Tensor, float]:
    text = torch.arange(7) < torch.tensor([[7], [5], [4]])
    ratio = 0.3 + 0.4 * torch.rand((), generator=g).item()
    noise = torch.rand(3, 7, 7, generator=g)
    noise[0, 3, 3], noise[0, 4, 0], noise[0, 4, 1], noise[1, 2, 6] = 0.99, 0.01, 0.98, 0.97
    return noise, text, ratio


def _vectors(g: torch.Generator) -> tuple[Tensor, float]:
    """Vectors with a common part, that spread more in some directions than in others."""
    sizes = torch.linspace(1, 2, 12)
    mixed = torch.linalg.qr(torch.randn(12, 12, generator=g))[0]
    x = (torch.randn(40, 12, generator=g) * sizes) @ mixed
    return x + 3 * mixed[0], 0.5 + 0.3 * torch.rand((), generator=g).item()


def _as_kept(positions: Function, real: Function, ids: Function) -> Function:
    """close_up with its three results changed, each by a function of (ids, positions, real)."""

    def run(given: Tensor, visible: Tensor) -> tuple[Tensor, ...]:
        order = (~visible).int().argsort(dim=1, stable=True)
        places = order[:, : visible.sum(1).max()]
        state = given.gather(1, places), places, visible.gather(1, places)
        return tuple(change(*state) for change in (ids, positions, real))

    return run


def _right_ids(ids, positions, real):
    return ids * real


def _right_positions(ids, positions, real):
    return positions * real


def _right_real(ids, positions, real):
    return real


def _reversed(ids, visible):
    order = visible.int().argsort(dim=1, stable=True).flip(1)
    positions = order[:, : visible.sum(1).max()]
    real = visible.gather(1, positions)
    return ids.gather(1, positions) * real, positions * real, real


def _shortest(ids, visible):
    closed_up = close_up(ids, visible)
    return tuple(part[:, : visible.sum(1).min()] for part in closed_up)


def _as_wide_as_the_first(ids, visible):
    order = (~visible).int().argsort(dim=1, stable=True)
    positions = order[:, : visible[0].sum()]
    real = visible.gather(1, positions)
    return ids.gather(1, positions) * real, positions * real, real


def _spread_out(ids, visible):
    places = torch.arange(ids.shape[1]).expand_as(ids)
    return ids * visible, places * visible, visible.clone()


def _tokens_first(latent, order, token):
    B, K, D = latent.shape
    x = torch.cat([token.expand(B, order.shape[1] - K, D), latent], 1)
    return x.gather(1, order.argsort(1)[..., None].expand(-1, -1, D))


def _changed_decoder_input(change: Function) -> Function:
    """change(latent, real, ids_restore, mask token (1, 1, D), places) -> (B, T, D)."""
    return lambda latent, real, restore, token, places: change(
        latent, real, restore, token[None, None], places
    )


def _filled(latent, real, token):
    return torch.where(real[..., None], latent, token)


def _is_gap(real, restore):
    """Where in (B, T) no latent comes from."""
    return restore >= real.sum(1, keepdim=True)


def _decoded(model, ids, masked):
    kept = keep_visible(ids, masked)
    latent = model.encoder(kept.ids, kept.real, positions=kept.positions)
    return model.logits(model.decode(latent, kept))  # (B, T, V)


def _loss_of(logits, ids, where):
    return F.cross_entropy(logits[where], ids[where])


def _without_positions(model, ids, masked):
    kept = keep_visible(ids, masked)
    latent = model.encoder(kept.ids, kept.real)
    return _loss_of(model.logits(model.decode(latent, kept)), ids, masked)


def _without_both(model, ids, masked):
    kept = keep_visible(ids, masked)
    latent = model.encoder(kept.ids)
    return _loss_of(model.logits(model.decode(latent, kept)), ids, masked)


def _without_real(model, ids, masked):
    kept = keep_visible(ids, masked)
    latent = model.encoder(kept.ids, positions=kept.positions)
    return _loss_of(model.logits(model.decode(latent, kept)), ids, masked)


def _mask_in_encoder(model, ids, masked):
    kept = keep_visible(ids.masked_fill(masked, MASK_ID), torch.zeros_like(masked))
    latent = model.encoder(kept.ids)
    return _loss_of(model.logits(model.decode(latent, kept)), ids, masked)


def _no_decoder(model, ids, masked):
    return _loss_of(model.logits(model.encoder(ids.masked_fill(masked, MASK_ID))), ids, masked)


def _nothing_removed(model, ids, masked):
    return _loss_of(_decoded(model, ids, torch.zeros_like(masked)), ids, masked)


def _squared(model, ids, masked):
    logits = _decoded(model, ids, masked)[masked]
    return F.mse_loss(logits, F.one_hot(ids[masked], VOCABULARY).float())


def _squared_ids(model, ids, masked):
    answers = _decoded(model, ids, masked)[masked].argmax(-1)
    return F.mse_loss(answers.float(), ids[masked].float())


def _sees(
    itself: bool = False,
    shared: bool = False,
    inverted: bool = False,
    first: bool = True,
    padding: bool = False,
    turned: bool = False,
) -> Function:
    """A decoder mask with one slip."""

    def run(noise, text, ratio):
        drawn = noise[:, :1].expand_as(noise) if shared else noise
        seen = drawn < ratio if inverted else drawn >= ratio
        if not itself:
            seen = seen & ~torch.eye(noise.shape[1], dtype=torch.bool)
        if not padding:
            seen = seen & (text[:, :, None] if turned else text[:, None])
        seen = seen.clone()
        if first:
            seen[..., 0] = True
        return seen

    return run


def _first_not_itself(noise, text, ratio):
    return decoder_sees(noise, text, ratio) & ~torch.eye(noise.shape[1], dtype=torch.bool)


def _only_among_words(noise, text, ratio):
    is_self = torch.eye(noise.shape[1], dtype=torch.bool)
    seen = (noise >= ratio) & ~is_self & text[:, None] & text[:, :, None]
    seen[..., 0] = True
    return seen


def _first_query(noise, text, ratio):
    seen = _sees(first=False)(noise, text, ratio)
    seen[:, 0] = True
    return seen


def _count(energy: Tensor, share: float, extra: int = 1) -> int:
    reached = energy.cumsum(0) / energy.sum()
    return int((reached < share).sum()) + extra


EXERCISES = (
    Exercise(
        id="10.1",
        minutes=15,
        prompt="Close up",
        reference=close_up,
        inputs=_row_with_gaps,
        hints=(
            "Sort each row so that its visible places come first. Sorting what, and how do two equal "
            "ones keep their order?",
            "`(~visible).int().argsort(dim=1, stable=True)` is (B, T): the visible places in reading "
            "order, then the others. Keep the first K of them, K the largest `visible.sum(1)`.",
            "positions = order[:, :K]; real = visible.gather(1, positions); return ids.gather(1, "
            "positions) * real, positions * real, real",
        ),
        misconceptions=(
            Misconception(
                _as_kept(
                    lambda ids, positions, real: torch.arange(ids.shape[1]) * real,
                    _right_real,
                    _right_ids,
                ),
                "The positions are counted anew. They must say where each token stood in the full "
                "row, or nobody knows where the gaps are.",
                also=(
                    _as_kept(
                        lambda ids, positions, real: torch.arange(ids.shape[1]).expand_as(ids) * 1,
                        _right_real,
                        _right_ids,
                    ),
                ),
            ),
            Misconception(
                _as_kept(
                    lambda ids, positions, real: positions,
                    lambda ids, positions, real: torch.ones_like(real),
                    lambda ids, positions, real: ids,
                ),
                "Rows with fewer visible tokens are filled up with hidden ones here, and the encoder "
                "reads the answers. Look up in `visible` which places are real, and put 0 elsewhere.",
            ),
            Misconception(
                _as_kept(_right_positions, _right_real, lambda ids, positions, real: ids),
                "`real` and `positions` are right, but the ids behind a short row's end are those of "
                "hidden tokens. Put 0, [PAD], there.",
            ),
            Misconception(
                _as_kept(
                    lambda ids, positions, real: positions,
                    _right_real,
                    lambda ids, positions, real: ids,
                ),
                "`real` is right. Behind a short row's end both ids and positions must be 0: multiply "
                "both by `real`.",
            ),
            Misconception(
                _as_kept(lambda ids, positions, real: positions, _right_real, _right_ids),
                "The positions of padding point at hidden places. Put 0 there.",
            ),
            Misconception(
                _as_kept(
                    _right_positions, lambda ids, positions, real: torch.ones_like(real), _right_ids
                ),
                "`real` is True everywhere, so the padding of short rows would be read like a token. "
                "It is False there.",
            ),
            Misconception(
                lambda ids, visible: close_up(ids, ~visible),
                "These are the tokens that are not visible. Keep the others.",
            ),
            Misconception(
                _reversed,
                "The tokens are there, but last comes first. Keep them in reading order: sort "
                "`~visible`, with `stable=True`.",
            ),
            Misconception(
                _shortest,
                "K is the smallest number of visible tokens, so the other rows lose some. Take the "
                "largest, and pad.",
            ),
            Misconception(
                _as_wide_as_the_first,
                "K is the first row's number of visible tokens, so longer rows lose some. Take the "
                "largest of all rows.",
            ),
            Misconception(
                _spread_out,
                "The hidden places are still there, as zeros: the encoder would work on all T of them. "
                "Move the visible tokens together, K in a row.",
            ),
        ),
    ),
    Exercise(
        id="10.2",
        minutes=4,
        prompt="Embed what is left",
        reference=embed_visible,
        inputs=_kept_rows,
        hints=(
            "As in exercise 5.1: a vector for what it is, plus one for where it stood.",
            "Both tables are looked up by index. token[ids] is (B, K, D), and so is "
            "position[positions].",
            "return token[ids] + position[positions]",
        ),
        misconceptions=(
            Misconception(
                lambda ids, at, token, position: token[ids] + position[: ids.shape[1]],
                "The first K positions were used. But the tokens have moved: each needs the vector of "
                "the place where it stood, `position[positions]`.",
            ),
            Misconception(
                lambda ids, at, token, position: token[ids],
                "The positions are missing: without them attention cannot tell any order.",
            ),
            Misconception(
                lambda ids, at, token, position: token[ids] + position[at - at[:, :1]],
                "The positions were shifted so that each row begins at 0. Take them as they are.",
            ),
            Misconception(
                lambda ids, at, token, position: torch.cat([token[ids], position[at]], -1),
                "The two vectors stand side by side. Add them.",
            ),
            Misconception(
                lambda ids, at, token, position: token[ids] * position[at],
                "The two vectors were multiplied. Add them.",
            ),
        ),
    ),
    Exercise(
        id="10.3",
        minutes=7,
        prompt="Put back",
        reference=put_back,
        inputs=_shuffled,
        hints=(
            "First all T vectors in the order of `order`: the latents, then mask tokens. Then undo "
            "the sorting.",
            "`order[b, i]` says which place came to stand at i. You need the opposite: at which i "
            "stands place t? Sorting the order itself tells: `order.argsort(1)`.",
            "x = torch.cat([latent, mask_token.expand(B, T - K, D)], 1); return x.gather(1, "
            "order.argsort(1)[..., None].expand(-1, -1, D))",
        ),
        misconceptions=(
            Misconception(
                lambda latent, order, token: package_put_back(latent, order, token[None, None]),
                "You looked up with `order` itself. It says which place came where; to go back you "
                "need its inverse, `order.argsort(1)`.",
            ),
            Misconception(
                lambda latent, order, token: package_put_back(
                    latent, torch.arange(order.shape[1]).expand_as(order), token[None, None]
                ),
                "The latents are still at the front, all mask tokens behind. Undo the sorting.",
            ),
            Misconception(
                _tokens_first,
                "Your mask tokens stand before the latents. In the order of `order` the visible "
                "places come first.",
            ),
            Misconception(
                lambda latent, order, token: package_put_back(
                    latent, order.argsort(1), torch.zeros(1, 1, len(token))
                ),
                "The hidden places hold zeros. They hold the mask token.",
            ),
            Misconception(
                lambda latent, order, token: package_put_back(
                    latent, order[:1].argsort(1).expand_as(order), token[None, None]
                ),
                "Every row was put back like the first. Each row has its own gaps.",
            ),
            Misconception(
                lambda latent, order, token: package_put_back(
                    latent, order.argsort(1, descending=True), token[None, None]
                ),
                "You sorted the order from large to small. Its inverse is the ascending one.",
            ),
        ),
    ),
    Exercise(
        id="10.4",
        minutes=8,
        prompt="What the decoder gets",
        reference=decoder_input,
        inputs=_latent_rows,
        hints=(
            "Three steps: the vectors of padding must go, the rest goes home, and every place is told "
            "where it is.",
            "`torch.where(real[..., None], latent, mask_token)` is (B, K, D). `put_back` makes it (B, "
            "T, D). `places` is (T, D) and is added to every row.",
            "return put_back(torch.where(real[..., None], latent, mask_token), ids_restore, "
            "mask_token[None, None]) + places",
        ),
        misconceptions=(
            Misconception(
                _changed_decoder_input(
                    lambda x, real, restore, token, places: package_put_back(
                        _filled(x, real, token), restore, token
                    )
                ),
                "All mask tokens are alike now: without `places` the decoder cannot tell one gap from "
                "another.",
            ),
            Misconception(
                _changed_decoder_input(
                    lambda x, real, restore, token, places: (
                        package_put_back(x, restore, token) + places
                    )
                ),
                "In rows with fewer visible tokens, vectors of padding landed at hidden places. Put "
                "the mask token there, where `real` is False.",
            ),
            Misconception(
                _changed_decoder_input(
                    lambda x, real, restore, token, places: package_put_back(
                        _filled(x, real, token) + places[: x.shape[1]], restore, token
                    )
                ),
                "The places were added before the vectors went home, so each got a wrong one, and the "
                "mask tokens none. Put back first.",
            ),
            Misconception(
                _changed_decoder_input(
                    lambda x, real, restore, token, places: (
                        package_put_back(_filled(x, real, token), restore, token)
                        + places * _is_gap(real, restore)[..., None]
                    )
                ),
                "Only the gaps got their place. Add it everywhere, so that the decoder knows how far "
                "each visible word is from a gap.",
            ),
            Misconception(
                _changed_decoder_input(
                    lambda x, real, restore, token, places: (
                        package_put_back(
                            _filled(x, real, torch.zeros_like(token)),
                            restore,
                            torch.zeros_like(token),
                        )
                        + places
                    )
                ),
                "The gaps hold zeros instead of the mask token.",
                also=(
                    _changed_decoder_input(
                        lambda x, real, restore, token, places: (
                            package_put_back(
                                _filled(x, real, torch.zeros_like(token)), restore, token
                            )
                            + places
                        )
                    ),
                ),
            ),
            Misconception(
                _changed_decoder_input(
                    lambda x, real, restore, token, places: (
                        package_put_back(_filled(x, real, token), restore.argsort(1), token)
                        + places
                    )
                ),
                "`ids_restore` is the way back already. Do not invert it again.",
            ),
        ),
    ),
    Exercise(
        id="10.5",
        minutes=10,
        prompt="The whole model",
        reference=mae_loss,
        inputs=_model_and_gaps,
        hints=(
            "Keep, encode, decode, score the hidden places, compare with the true ids there.",
            "kept = keep_visible(ids, masked). The encoder takes kept.ids, kept.real and "
            "positions=kept.positions; the decoder its vectors and `kept`. Then "
            "model.logits(x[masked]) is (n, V).",
            "latent = model.encoder(kept.ids, kept.real, positions=kept.positions); x = "
            "model.decode(latent, kept); return F.cross_entropy(model.logits(x[masked]), ids[masked])",
        ),
        misconceptions=(
            Misconception(
                lambda model, ids, masked: _loss_of(
                    _decoded(model, ids, masked), ids, torch.ones_like(masked)
                ),
                "This is the loss over all places. The visible words can be copied: hidden ones only.",
            ),
            Misconception(
                lambda model, ids, masked: _loss_of(_decoded(model, ids, masked), ids, ~masked),
                "This is the loss of the visible words. `masked` is True at those to be guessed.",
            ),
            Misconception(
                _mask_in_encoder,
                "The encoder got [MASK] at the hidden places. Here it does not see them at all: give "
                "it `kept.ids`.",
            ),
            Misconception(
                _no_decoder,
                "This is lesson 6's model: [MASK] in the encoder, and no decoder.",
            ),
            Misconception(
                _without_positions,
                "The encoder counted positions anew. Pass `positions=kept.positions`.",
            ),
            Misconception(
                _without_real,
                "The padding of short rows was read as if it were text. Pass `kept.real` as the "
                "encoder's attention mask.",
            ),
            Misconception(
                _without_both,
                "The encoder got the ids alone: it also needs `kept.real` and "
                "`positions=kept.positions`.",
            ),
            Misconception(
                _nothing_removed,
                "Nothing was removed: the encoder read the hidden words, too.",
            ),
            Misconception(
                _squared,
                "Squared error treats the scores as quantities. A word is a choice among V: "
                "`F.cross_entropy`.",
            ),
            Misconception(
                _squared_ids,
                "Squared error between ids measures how far apart two words are in the alphabet. Use "
                "`F.cross_entropy` on the logits.",
            ),
        ),
    ),
    Exercise(
        id="10.6",
        minutes=8,
        prompt="How many directions?",
        reference=count_directions,
        inputs=_vectors,
        trials=6,
        hints=(
            "The squares of the singular values say how much of all squared lengths lies in each "
            "direction, the largest first.",
            "Running sums of the squares, divided by the total, climb to 1. Count how many stay below "
            "`share`; the next one reaches it.",
            "energy = torch.linalg.svdvals(x).square(); reached = energy.cumsum(0) / energy.sum(); "
            "return int((reached < share).sum()) + 1",
        ),
        misconceptions=(
            Misconception(
                lambda x, share: _count(torch.linalg.svdvals(x), share),
                "You added up the singular values. Their squares are the squared lengths.",
            ),
            Misconception(
                lambda x, share: _count(torch.linalg.svdvals(x - x.mean(0)).square(), share),
                "You subtracted the mean first. Here the common part counts as a direction, too.",
            ),
            Misconception(
                lambda x, share: _count(torch.linalg.svdvals(x).square(), share, 0),
                "One too few: these directions stay below `share`, and the next one reaches it.",
            ),
            Misconception(
                lambda x, share: _count(torch.linalg.svdvals(x).square().flip(0), share),
                "The smallest directions came first. Begin with the largest.",
            ),
            Misconception(
                lambda x, share: int(torch.linalg.matrix_rank(x)),
                "This is the rank: every direction counts, however little lies in it. Stop as soon as "
                "`share` is reached.",
            ),
        ),
    ),
    Exercise(
        id="10.7",
        minutes=8,
        prompt="RetroMAE: which key each query sees",
        reference=decoder_sees,
        inputs=_noise_and_text,
        hints=(
            "Four conditions. One of them lets something in, the others keep something out; the order "
            "matters.",
            "noise >= ratio is (B, T, T), a line of keys for each query. torch.eye(T) marks 'itself'. "
            "Padding is about keys: text[:, None].",
            "seen = (noise >= ratio) & ~torch.eye(T, dtype=torch.bool) & text[:, None]; seen[..., 0] "
            "= True; return seen",
        ),
        misconceptions=(
            Misconception(
                _sees(itself=True),
                "A place sees itself, and copies its own word: the loss falls to nothing, and nothing "
                "is learnt. Take the diagonal out.",
            ),
            Misconception(
                _sees(shared=True),
                "All queries of a row see the same words. Each draws its own: `noise` has a line for "
                "every query.",
            ),
            Misconception(
                _sees(inverted=True),
                "Inverted: `ratio` is the share that is *not* seen, so a key is seen where its noise "
                "is at least `ratio`.",
            ),
            Misconception(
                _sees(first=False),
                "Place 0 holds the sentence's vector, and every query sees it, whatever the noise "
                "says.",
            ),
            Misconception(
                _sees(padding=True), "Padding is seen. Keep out keys where `text` is False."
            ),
            Misconception(
                _sees(turned=True),
                "`text` was applied to the queries. It is about keys, the last axis: `text[:, None]`.",
            ),
            Misconception(
                _first_not_itself,
                "Place 0 does not see itself: the diagonal was taken out after it was let in. Let "
                "place 0 in last.",
            ),
            Misconception(
                _only_among_words,
                "`text` was applied to queries and keys. Only keys are kept out: what a place of "
                "padding sees does not matter.",
            ),
            Misconception(
                _first_query,
                "`seen[:, 0]` is query 0. The last axis holds the keys: `seen[..., 0]`.",
            ),
        ),
    ),
)

QUIZ = (
    Question(
        id="10.q1",
        prompt="Why does a masked autoencoder for text learn by cross-entropy, and one for images by "
        "squared error?",
        options=(
            ("Cross-entropy is quicker.", "The loss is a tiny part of the work in both."),
            (
                "A word is one of V names; a pixel is a quantity, and near is nearly right.",
                "An id that is off by one is another word altogether.",
            ),
            (
                "Squared error does not work with a decoder.",
                "It does: lesson 9 trains exactly that.",
            ),
        ),
        answer=1,
    ),
    Question(
        id="10.q2",
        prompt="What does the encoder of a text autoencoder know about the hidden words?",
        options=(
            ("Nothing at all.", "It is not told which they are, but the positions leave holes."),
            (
                "Where they stood, from the holes in the positions.",
                "Give it positions counted anew, and it does not even know that.",
            ),
            ("What they are, through the mask token.", "No mask token enters the encoder."),
        ),
        answer=1,
    ),
    Question(
        id="10.q3",
        prompt="At 15 % hidden, an encoder of 3 blocks and a decoder of 1 block of the same width cost "
        "about ... as a BERT of 3 blocks.",
        options=(
            ("a quarter as much", "That needs most of the text to be removed, and a tiny decoder."),
            (
                "as much, or a little more",
                "3 x .85 + 1 is 3.55: the decoder eats up more than was saved.",
            ),
            ("twice as much", "The encoder does save something: 3 x .85 instead of 3."),
        ),
        answer=1,
    ),
    Question(
        id="10.q4",
        prompt="A program passes a whole text to a pretrained BERT and asks for the same text back. Its "
        "loss falls quickly. What has it learnt?",
        options=(
            ("To understand the text.", "It was never asked anything that it did not see."),
            (
                "To predict words from their neighbours.",
                "It need not look at the neighbours at all.",
            ),
            ("To copy.", "Hide a word, and it does no better than before."),
        ),
        answer=2,
    ),
    Question(
        id="10.q5",
        prompt="Why does RetroMAE hide so much from its decoder, and make it so weak?",
        options=(
            (
                "So that the sentence's vector has to carry what is missing.",
                "A strong decoder could fill the gaps from the other words and ignore the vector.",
            ),
            (
                "To save time.",
                "A weak decoder is cheap, but that is not the point: its attention is drawn per place.",
            ),
            (
                "Because its encoder never sees [MASK].",
                "It does: RetroMAE's encoder is a plain BERT.",
            ),
        ),
        answer=0,
    ),
)
