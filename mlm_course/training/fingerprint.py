"""What makes a run this one and no other, as plain values by name: no run may pass for another.

A loss, a masker and rows are taken apart into what they are made of: attributes, arguments, closures,
and the global values that a learner's own function reads. Of numbers in bulk there is a digest. Nothing
depends on the process: no addresses, no order of sets.
"""

from __future__ import annotations

import dis
import functools
import hashlib
import inspect
import itertools
import random
import re
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import CodeType, FunctionType, MethodType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mlm_course.training.datasets import Data
from mlm_course.training.losses import Loss
from mlm_course.training.optim import Recipe

About = dict[str, dict[str, Any]]

BUDGET = 256 * 2**20  # bytes of data that are read; of more than that every k-th row
CHUNK = 32 * 2**20  # bytes read at a time
SMALL = 2**20  # bytes: what is read again to see whether it changes in training
LONG = 1024  # parts of a list whose parts count as rows
PROBED = 64  # rows asked for, whatever the data is made of
CHANGES = "changes in training"  # in place of a value by which runs cannot be told apart
HOW_NOT_WHAT = ("accumulate", "precision", "compile", "recompute")  # may differ when a run goes on
DEEP = 12  # attributes of attributes of ...; what lies deeper counts by its class
PLAIN = (type(None), bool, int, float, complex, str, bytes)
KINDS = frozenset(PLAIN)
APART = {"logging", "threading", "_thread", "weakref", "io", "_io", "socket"}  # nothing of a run
LIBRARIES = {"site-packages", "dist-packages"}
OWN = Path(__file__).resolve().parents[1]
STDLIB = Path(sysconfig.get_path("stdlib"))


def describe(model: nn.Module, data: Data, loss: Loss, recipe: Recipe) -> About:
    """A run's model, recipe, data and loss. Not part of it: how it is computed, see `HOW_NOT_WHAT`."""
    numbers = {k: v for k, v in asdict(recipe).items() if k not in HOW_NOT_WHAT}
    return {
        "start": {"weights": weights_digest(model.state_dict())},
        "model": _model(model),
        "recipe": {**numbers, "lr": recipe.peak, "betas": list(recipe.betas)},
        **describe_given(model, data, loss, {"data": {}, "loss": {}}),
    }


def describe_given(model: nn.Module, data: Data, loss: Loss, before: About) -> About:
    """Data and loss only. before: an earlier description, which has the digests of what is large."""
    return {
        "data": _data(data, model, before["data"]),
        "loss": _described(leaves(loss, "function", (id(model),)), 1, before["loss"]),
    }


def weights_digest(weights: Mapping[str, Tensor]) -> str:
    """A digest of a state_dict."""
    every = _every(sum(_size(value) for value in weights.values()))
    return _digest([f"{name}{_text(weights[name], every)}" for name in sorted(weights)], 1)


def _model(model: nn.Module) -> dict[str, Any]:
    """Class, sizes and shapes: of `config`, or of the modules' own numbers without one."""
    config = getattr(model, "config", None)
    sizes = _numbers(model) if config is None else _described(leaves(config), 1)
    sizes["class"] = type(model).__name__
    shapes = {name: list(value.shape) for name, value in model.state_dict().items()}
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    return {**sizes, **shapes, "number of weights trained": trained}


def _numbers(model: nn.Module) -> dict[str, Any]:
    """Plain attributes of a model's modules, such as the p of each dropout."""
    return {
        f"{place}.{name}".lstrip("."): value
        for place, module in model.named_modules()
        for name, value in vars(module).items()
        if isinstance(value, PLAIN) and not name.startswith("_") and name != "training"
    }


def _data(data: Data, model: nn.Module, before: Mapping[str, Any]) -> dict[str, Any]:
    """The rows, what they are made of, and some batches, which show what a class's code does."""
    parts = list(leaves(data, "", (id(model),)))
    every = _every(sum(_size(value) for _, value in parts))
    is_clear = all(_is_clear(value) for _, value in parts)
    with own_random_numbers():
        batches = _batches(data, is_clear)
    return {
        "rows": len(data),
        "rows looked at": "all" if every == 1 else f"one in {every}",
        **_described(parts, every, before),
        "batches": batches,
    }


def _batches(data: Data, is_clear: bool) -> str:
    """A digest of a few rows in two epochs, or of all where the rows themselves cannot be seen."""
    n = len(data)
    few = torch.linspace(0, n - 1, min(n, PROBED)).long()
    first = data(few, 0)
    whole = hashlib.sha256()
    for batch in (first, data(few, 1)):
        _feed(whole, batch, 1)
    if not is_clear:
        size = sum(_size(value) for _, value in leaves(first))
        for index in torch.arange(0, n, _every(size * n // len(few))).split(PROBED):
            _feed(whole, data(index, 0), 1)
    return f"#{whole.hexdigest()[:16]}"


@contextmanager
def own_random_numbers() -> Iterator[None]:
    """A stretch of code whose random numbers on the CPU are always the same, and nobody else's."""
    of_python, of_numpy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng([]):
        torch.default_generator.manual_seed(0)
        random.seed(0)
        np.random.seed(0)
        try:
            yield
        finally:
            random.setstate(of_python)
            np.random.set_state(of_numpy)


# --- taken apart


class Opaque(str):
    """The class of something into which one cannot look."""


def _is_clear(value: Any, depth: int = 3) -> bool:
    """Whether one can look into a leaf; of a list the first part speaks for all."""
    if not depth or not isinstance(value, list | tuple | Mapping):
        return not isinstance(value, Opaque)
    parts = [*value.values()] if isinstance(value, Mapping) else value
    return all(_is_clear(leaf, depth - 1) for part in parts[:1] for _, leaf in leaves(part))


def leaves(value: Any, name: str = "", inside: tuple[int, ...] = ()) -> Iterator[tuple[str, Any]]:
    """(name, value) of everything that something is made of; values are plain, arrays or lists.

    inside: the ids of what is being taken apart, so that circles end.
    """
    if isinstance(value, PLAIN):
        yield name, value
    elif isinstance(value, np.generic):
        yield name, value.item()
    elif id(value) in inside:
        yield name, "the model" if id(value) == inside[0] else "itself"
    elif isinstance(value, Tensor | np.ndarray):
        is_list = isinstance(value, np.ndarray) and value.dtype.hasobject
        yield name, value.tolist() if is_list else value
    else:
        yield from _deeper(value, name, (*inside, id(value)))


def _deeper(value: Any, name: str, inside: tuple[int, ...]) -> Iterator[tuple[str, Any]]:
    kind = type(value)
    if isinstance(value, functools.partial | FunctionType | MethodType):
        yield from _of_function(value, name, inside)
    elif isinstance(value, torch.Generator):
        yield name, value.get_state()
    elif isinstance(value, nn.Module):
        yield name, kind.__qualname__
        weights = sorted(value.state_dict().items())
        yield _join(name, "weights"), [*itertools.chain(*weights), *sorted(_numbers(value).items())]
    elif isinstance(value, list | tuple | set | frozenset | Mapping | range):
        yield name, value
    elif isinstance(value, type) or inspect.ismodule(value) or inspect.isbuiltin(value):
        yield name, value.__name__
    elif isinstance(value, torch.dtype | torch.device | Path):
        yield name, str(value)
    elif kind.__module__.partition(".")[0] in APART:
        yield name, kind.__qualname__
    elif len(inside) < DEEP and (state := _state(value)) is not None:
        yield _join(name, "class"), kind.__qualname__
        if "function" in name and callable(value):
            yield from leaves(kind.__call__, _join(name, "call"), inside)
        for attribute, part in state.items():
            yield from leaves(part, _join(name, attribute), inside)
    else:
        yield name, Opaque(kind.__qualname__)


def _state(value: Any) -> dict[str, Any] | None:
    """An object's attributes, or what it would be pickled from; None if it shows neither."""
    if hasattr(value, "__dict__"):
        return {str(name): part for name, part in vars(value).items()}
    slots = [slot for kind in type(value).__mro__ for slot in getattr(kind, "__slots__", ())]
    if slots:
        return {slot: getattr(value, slot, None) for slot in slots}
    if type(value).__getstate__ is not object.__getstate__:  # type: ignore[attr-defined]
        try:
            return {"state": value.__getstate__()}
        except Exception:  # whatever its author does there
            return None
    return None


def _of_function(value: Any, name: str, inside: tuple[int, ...]) -> Iterator[tuple[str, Any]]:
    """A function's name, its code if a learner wrote it, and all values that it comes with."""
    function, given = _bound(value)
    if isinstance(function, MethodType):
        yield from leaves(function.__self__, _join(name, "self"), inside)
        function = function.__func__
    if not isinstance(function, FunctionType):
        yield from leaves(function, name, inside)
    else:
        own = not _is_installed(function.__code__)
        yield name, function.__qualname__
        if own:
            yield _join(name, "code"), f"#{_code_digest(function.__code__)}"
        given = {**_outside(function, own), **given}
    for argument, part in given.items():
        yield from leaves(part, _join(name, argument), inside)


def _bound(value: Any) -> tuple[Any, dict[str, Any]]:
    """What is called in the end, and the arguments it gets beside the caller's, defaults included."""
    args: tuple[Any, ...] = ()
    keywords: dict[str, Any] = {}
    function = value
    if isinstance(value, functools.partial):
        function, args, keywords = value.func, value.args, value.keywords
    try:
        signature = inspect.signature(function)
        bound = signature.bind_partial(*args, **keywords)
    except (TypeError, ValueError):  # written in C, or arguments that will not do: as they are
        return function, {**{str(i): part for i, part in enumerate(args)}, **keywords}
    empty = inspect.Parameter.empty
    defaults = {k: p.default for k, p in signature.parameters.items() if p.default is not empty}
    return function, {**defaults, **bound.arguments}


def _outside(function: FunctionType, own: bool) -> dict[str, Any]:
    """What a function knows from outside: its closure and, in code of one's own, global values."""
    values = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            values[name] = cell.cell_contents
        except ValueError:  # not assigned yet
            values[name] = None
    if own:
        known = function.__globals__
        read = sorted(set(_global_names(function.__code__)) & known.keys())
        values |= {name: known[name] for name in read}
    return values


def _codes(code: CodeType) -> Iterator[CodeType]:
    """A piece of code, and those of the functions written in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _global_names(code: CodeType) -> Iterator[str]:
    for piece in _codes(code):
        for instruction in dis.get_instructions(piece):
            if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
                yield instruction.argval


def _code_digest(code: CodeType) -> str:
    """The same for the same lines, wherever they stand and whatever process reads them."""
    whole = hashlib.sha256()
    for piece in _codes(code):
        whole.update(piece.co_code)
        constants = [c for c in piece.co_consts if not isinstance(c, CodeType)]
        _feed(whole, [constants, piece.co_names], 1)
    return whole.hexdigest()[:16]


def _is_installed(code: CodeType) -> bool:
    """Whether code belongs to this package, to another one or to Python, and not to a learner."""
    if code.co_filename.startswith("<"):
        return code.co_filename.startswith("<frozen")
    path = Path(code.co_filename)
    return bool(LIBRARIES & {*path.parts}) or any(p in path.parents for p in (OWN, STDLIB))


def _join(*names: str) -> str:
    return ".".join(name for name in names if name)


# --- in short


def _described(
    parts: Iterable[tuple[str, Any]], every: int, before: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Each value as itself if it is short, else as its form and digest."""
    known = before or {}
    return {
        name: known[name] if name in known and _size(value) > SMALL else _text(value, every)
        for name, value in parts
    }


def _text(value: Any, every: int) -> Any:
    if isinstance(value, PLAIN) and not isinstance(value, str | bytes):
        return value
    if isinstance(value, str) and len(value) <= 80:
        return str(value)
    if isinstance(value, Tensor | np.ndarray):
        form = f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"
    else:
        form = f"{type(value).__name__} of {len(value)}"
        is_short = isinstance(value, list | tuple | dict | range) and len(value) <= 8
        if is_short and _is_plain(value) and len(repr(value)) <= 80:
            return repr(value)
    return f"{form} #{_digest(value, every)}"


def _is_plain(value: Any) -> bool:
    values = [*value, *value.values()] if isinstance(value, Mapping) else value
    return KINDS.issuperset(map(type, values))


def _digest(value: Any, every: int) -> str:
    whole = hashlib.sha256()
    _feed(whole, value, every)
    return whole.hexdigest()[:16]


def _feed(whole: Any, value: Any, every: int, inside: tuple[int, ...] = ()) -> None:
    """Brings a value's bytes into a hash; of an array or a long list every so many rows."""
    if isinstance(value, PLAIN):
        whole.update(f"{value!r};".encode("utf-8", "surrogatepass"))
    elif id(value) in inside or len(inside) > DEEP:
        whole.update(b"itself;")
    elif isinstance(value, Tensor) or (isinstance(value, np.ndarray) and not value.dtype.hasobject):
        _feed_array(whole, value, every)
    elif isinstance(value, set | frozenset):
        _feed_list(whole, sorted(_digest(part, 1) for part in value), 1, inside)
    elif isinstance(value, list | tuple | range):
        _feed_list(whole, value, every, (*inside, id(value)))
    elif isinstance(value, Mapping):
        pairs = [[key, value[key]] for key in sorted(value, key=repr)]
        _feed_list(whole, pairs, every, (*inside, id(value)))
    else:
        for pair in leaves(value, "", inside):
            for part in pair:
                _feed(whole, part, every, (*inside, id(value)))


def _feed_list(whole: Any, values: Any, every: int, inside: tuple[int, ...]) -> None:
    """In portions; those of plain values at once, which is 50 times as quick."""
    if len(values) > LONG:
        values, every = values[::every], 1
    for start in range(0, len(values), LONG):
        portion = values[start : start + LONG]
        if _is_plain(portion) or all(type(p) in (list, tuple) and _is_plain(p) for p in portion):
            whole.update(repr(list(portion)).encode("utf-8", "surrogatepass"))
        else:
            for part in portion:
                _feed(whole, part, every, inside)
    whole.update(b"]")


def _feed_array(whole: Any, array: Any, every: int) -> None:
    whole.update(f"{array.dtype} {tuple(array.shape)}".encode())
    if not _size(array) or getattr(array, "is_meta", False):
        return
    rows = array[::every] if array.ndim else array.reshape(1)
    step = max(1, CHUNK // (_size(array) // max(1, len(array)) if array.ndim else 1))
    for start in range(0, len(rows), step):
        whole.update(_bytes(rows[start : start + step]))


def _bytes(array: Any) -> Any:
    if isinstance(array, np.ndarray):
        return np.ascontiguousarray(array).view(np.uint8)
    dense = array.detach() if array.layout == torch.strided else array.detach().to_dense()
    return dense.cpu().contiguous().flatten().view(torch.uint8).numpy()


def _size(value: Any) -> int:
    """Bytes of the numbers that a value holds."""
    if isinstance(value, Tensor):
        return value.numel() * value.element_size()
    if isinstance(value, np.ndarray):
        return value.nbytes
    if isinstance(value, str | bytes):
        return len(value)
    if isinstance(value, list | tuple):
        if not value or isinstance(value[0], PLAIN):
            return 8 * len(value)
        return sum(_size(part) for part in value)
    return sum(map(_size, value.values())) if isinstance(value, Mapping) else 8


def _every(size: int) -> int:
    return max(1, -(-(size - SMALL) // BUDGET))  # what is small may come on top


# --- what differs


def settle(about: About, again: About) -> None:
    """Marks what a run itself has changed, a list it appends to, say: that tells no runs apart."""
    for part in ("data", "loss"):
        old, new = about[part], again[part]
        for name in old.keys() | new.keys():
            if not _same(old.get(name), new.get(name)):
                old[name] = CHANGES


def changed_parts(there: About, here: About) -> list[str]:
    """What differs between two descriptions, in words; learning rates apart, see `other_rates`."""
    changes = []
    for part in ("model", "recipe", "data", "loss"):
        old, new = there.get(part, {}), here[part]
        names = [*new, *(name for name in old if name not in new)]
        changed = [n for n in names if not _same(old.get(n, "none"), new.get(n, "none"))]
        if part == "recipe":
            changed = [name for name in changed if name not in ("steps", "warmup", "schedule")]
        if len(changed) > 1 and "batches" in changed:
            changed.remove("batches")  # they only show the rest
        changes += [_difference(part, n, old.get(n, "none"), new.get(n, "none")) for n in changed]
    return changes


def _same(old: Any, new: Any) -> bool:
    return CHANGES in (old, new) or old == new or (old != old and new != new)  # NaN is itself


def _difference(part: str, name: str, old: Any, new: Any) -> str:
    """One difference: its values where they can be read, else that there are others."""
    if part == "data" and re.search(r"(^|\.)masker\.", name):
        part, name = "masking", name.rpartition("masker.")[2]
    if part == "loss":
        name = name.removeprefix("function").lstrip(".") or "function"
    forms = [str(value).partition("#")[0].strip() for value in (old, new)]
    if forms[0] != forms[1]:
        return f"{part}: {name} is {forms[0] or 'other'} there, {forms[1] or 'other'} here"
    if name == "batches":
        return "data: the same rows make other batches"
    if part == "data" and not name.endswith("code"):
        return f"data: other rows ({name})"
    if name.endswith("code"):
        return f"{part}: other lines of code{' in ' * ('.' in name)}{name[:-5]}"
    return f"{part}: other {name}"


def other_rates(there: Mapping[str, Any], recipe: Recipe, done: int) -> str:
    """Why a run may not go on by this recipe after so many steps; "" if it may.

    It may if the steps done had the very learning rates that this recipe gives them.
    """
    old = {name: there[name] for name in ("steps", "warmup", "schedule")}
    changes = [f"{k} is {v} there, {getattr(recipe, k)} here" for k, v in old.items()
               if v != getattr(recipe, k)]  # fmt: skip
    if not changes:
        return ""
    if done > recipe.steps:
        return f"recipe: {changes[0]}, and {done} steps are done"
    before = Recipe(**old)
    step = next((s for s in range(done) if before.factor(s) != recipe.factor(s)), None)
    if step is None:
        return ""
    rates = [f"{there['lr'] * factor:.6g}" for factor in (before.factor(step), recipe.factor(step))]
    return (
        f"recipe: {' and '.join(changes)}, so that the {recipe.schedule} schedule would have had "
        f"other learning rates in the steps done: {rates[1]} in step {step + 1}, which had {rates[0]}"
    )
