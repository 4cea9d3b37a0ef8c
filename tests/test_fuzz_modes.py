"""Public functions under torch's modes: the same answers as without, for the targets of every part.

Stand-ins for machines that are not here: an Apple GPU has no float64 ("float64"); a notebook with
`torch.set_default_device` ("default device": whatever is made without a device lands on meta, and
computing with it fails); autocast, inference mode, anomaly detection, float64 as default dtype.
"""

import contextlib
import copy
import random
from collections.abc import Mapping

import pytest
import torch
from test_fuzz import TABLES
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from mlm_course.attention import MultiHeadAttention, causal_mask, scaled_dot_product_attention

TARGETS = [
    target
    for table in TABLES.values()
    for target in table.TARGETS
    if target.title not in {"matmul_rate", "memory_rate"}  # times: no two are the same
]
BUILDS = "builds a model, on the default device and in the default dtype as torch's layers do"
COUNTS = "counts in float64 on the CPU"
MAKES = "from numbers or words alone: on the default device"
COUNTING = (
    "sincos_positions seeded_init choose_fixed_count choose_block choose_non_adjacent choose_adaptive "
    "choose_whole_words choose_spans choose_by_score span_lengths pmi_scores masked_count "
    "adaptive_ratio Masker DynamicMasking StaticMasking MaskingCollator for_one_row padding_share "
    "classification_scores answer_scores judge_sentences refine refine.adaptive exact_answers "
    "bound_by_count bound_by_rate leave_one_out fit mean_reciprocal_rank recall_at reliability "
    "calibration_error fit_temperature"
)
RIGHT = {  # (mode, title): why another answer is right
    **{("float64", title): COUNTS for title in COUNTING.split()},
    ("default device", "MultiHeadAttention"): BUILDS,
    ("default device", "seeded_init"): BUILDS,
    ("default dtype", "MultiHeadAttention"): BUILDS,
    ("default dtype", "seeded_init"): BUILDS,
    ("default device", "block_causal_mask"): MAKES,
    ("default device", "causal_mask"): MAKES,
    ("default device", "window_mask"): MAKES,
    ("default device", "word_starts"): MAKES,
    ("default device", "all_ways_to_hide"): MAKES,
    ("default device", "exact_answers"): MAKES,
    ("default device", "refine"): "the model of the fuzz table makes its places anew",
    ("default device", "refine.adaptive"): "the model of the fuzz table makes its places anew",
    ("autocast", "fill_gaps"): "which gap is surest may turn on a rounding",
    ("inference", "fit"): "training needs gradients, and says so",
}
LEFT = {  # (mode, title): what is to be mended where; shrinks to nothing
    ("default device", "bound_by_count"): "diffusion: torch.arange, torch.tensor without device=",
    ("default device", "bound_by_rate"): "diffusion: torch.arange, torch.zeros without device=",
    ("default device", "leave_one_out"): "diffusion: torch.eye without device=",
    ("default device", "predictor"): "diffusion: a canvas made without device=",
    ("default device", "RetroRows"): "training.datasets: torch.eye without device=",
    ("default device", "fit"): "training.datasets: the order of the rows without device=",
    ("default device", "judge_sentences"): "corpora.tinyworld_posterior: torch.arange",
    ("default dtype", "token_nll"): "diffusion: torch.zeros without dtype=",
    ("default dtype", "likelihood_bound"): "diffusion: torch.zeros, torch.rand without dtype=",
    ("default dtype", "diffusion_loss"): "diffusion: torch.zeros without dtype=",
}
KNOWN = {**RIGHT, **LEFT}


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


class NoFloat64(TorchDispatchMode):
    """Raises where a float64 tensor comes out of what had none, as on a device without float64."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        answer = function(*args, **(kwargs or {}))
        if is_double(answer) and not is_double((args, kwargs)):
            raise TypeError(f"{function} makes float64, which this device does not have.")
        return answer


def is_double(values) -> bool:
    return any(x.dtype == torch.float64 for x in tree_leaves(values) if isinstance(x, Tensor))


@contextlib.contextmanager
def default_dtype():
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


MODES = {
    "float64": NoFloat64,
    "default device": lambda: torch.device("meta"),
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "inference": torch.inference_mode,
    "default dtype": default_dtype,
    "anomaly": lambda: torch.autograd.detect_anomaly(check_nan=True),
}


def answer_of(target, case: int, mode: str | None = None):
    """The answer to right arguments, drawn without the mode; with anomaly, the way back too."""
    torch.manual_seed(case)
    arguments = target.draw(random.Random(f"{target.title} {case}"))
    torch.manual_seed(case)
    with MODES[mode]() if mode else contextlib.nullcontext():
        answer = target.call(arguments)
        if mode == "anomaly":
            for x in tree_leaves(answer):
                if isinstance(x, Tensor) and x.requires_grad:
                    x.sum().backward(retain_graph=True)
    return answer


def assert_same(seen, expected, tolerance: float, dtypes: bool) -> None:
    if isinstance(expected, Tensor):
        how = {"rtol": tolerance, "atol": tolerance, "equal_nan": True, "check_dtype": dtypes}
        torch.testing.assert_close(seen, expected, **how)
    elif isinstance(expected, nn.Module):
        assert_same(dict(seen.state_dict()), dict(expected.state_dict()), tolerance, dtypes)
    elif isinstance(expected, Mapping):
        assert list(seen) == list(expected)
        assert_same(list(seen.values()), list(expected.values()), tolerance, dtypes)
    elif isinstance(expected, list | tuple):
        assert len(seen) == len(expected)
        for one, other in zip(seen, expected, strict=True):
            assert_same(one, other, tolerance, dtypes)
    elif isinstance(expected, float):
        assert seen == pytest.approx(expected, rel=tolerance, abs=tolerance, nan_ok=True)
    elif isinstance(expected, str | int | None):
        assert seen == expected
    else:
        assert type(seen) is type(expected)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Anomaly Detection has been enabled")
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.title)
def test_a_mode_changes_no_answer(target, mode):
    loose = mode == "autocast"
    why = KNOWN.get((mode, target.title))
    problem = None
    for case in range(4):
        expected = copy.deepcopy(plain(answer_of(target, case)))
        try:
            seen = answer_of(target, case, mode)
            assert_same(plain(seen), expected, 4e-2 if loose else 1e-5, dtypes=not loose)
        except Exception as error:
            problem = f"case {case}: {type(error).__name__}: {error}"
    assert why or problem is None, problem
    assert not why or problem, f"{target.title} is mended: take it out of the table"


def plain(answer):
    """Tensors without their history, which cannot be copied."""
    if isinstance(answer, Tensor):
        return answer.detach()
    if isinstance(answer, list | tuple):
        return [plain(x) for x in answer]
    return answer


def compiled_cases():
    from fuzz_attention import layer
    from fuzz_models import IMAGE, MODERN, PAIRS, PLAIN, TEXT, V, built

    from mlm_course.models import Encoder, ImageMAE, MaskedLM, ModernMaskedLM, Seq2Seq, TextMAE

    g = torch.Generator().manual_seed(0)
    ids = torch.randint(1, V, (3, 5), generator=g)
    ids[1, 3:] = 0
    masked = torch.rand(3, 5, generator=g) < 0.4
    x = torch.randn(2, 4, 6, generator=g)
    return {
        "attention": (scaled_dot_product_attention, (x, x, x, causal_mask(4))),
        "heads": (layer(), (x, causal_mask(4))),
        "encoder": (built(Encoder, PLAIN), (ids, ids != 0)),
        "masked lm": (built(MaskedLM, PLAIN), (ids, ids != 0, masked)),
        "modern masked lm": (built(ModernMaskedLM, MODERN), (ids, ids != 0, masked)),
        "text mae": (built(TextMAE, TEXT), (ids, ids != 0, masked)),
        "pairs": (built(Seq2Seq, PAIRS[True]), (ids, ids, masked)),
        "image mae": (
            built(ImageMAE, IMAGE),
            (torch.rand(2, 3, 4, 6, generator=g), 0.5, torch.rand(2, 6, generator=g)),
        ),
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", compiled_cases())
def test_compiled_models_answer_the_same(name):
    torch.compiler.reset()
    function, arguments = compiled_cases()[name]
    with torch.no_grad():
        expected = plain(function(*arguments))
        seen = plain(torch.compile(function, backend="eager")(*arguments))
    assert_same(seen, expected, 1e-5, dtypes=True)


@pytest.mark.slow
def test_compiled_attention_still_refuses_an_additive_mask():
    torch.compiler.reset()
    torch.manual_seed(0)
    compiled = torch.compile(MultiHeadAttention(6, 3), backend="eager")
    with pytest.raises(Exception, match=r"dtype torch\.bool"):
        compiled(torch.randn(2, 4, 6), torch.zeros(4, 4))
