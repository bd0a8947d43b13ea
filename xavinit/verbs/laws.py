"""`derive` with `laws="as-is"`: what the values of tensors look like → initializers of a spec.

Where a law is told, it is that one; else the nearest that a spec has, and a comment says so.
Parameters that a few numbers cannot tell from each other are one.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct, structs

from xavinit.dtypes import DType
from xavinit.formats import Index, Reader, StoredTensor
from xavinit.inits import NAMED
from xavinit.plan import Law, Normal, TruncatedNormal, Uniform
from xavinit.reading import PYTORCH_DEFAULT, QUANTILES, Guess, Summary, summarize
from xavinit.verbs.decimals import find_shortest, round_down, round_near
from xavinit.verbs.sequences import find_progression

TOO_FEW = "too few values to tell a law"
LIKE_WEIGHT = "like its weight? too few values to tell"
NO_LAW = "looks like no law"

_LEAST = 32_768  # values with which every law is told (reading/guesses.py)
_UNSURE = 5  # standard errors by which two estimates of one parameter may differ
_LEAST_UNIFORM = 64  # values whose largest shows that they are not normal
_RARE = 1e-6  # with this chance, all values would be so small
_FLAT = 1.8  # largest magnitude over std: √3 of a uniform law, above 2.2 of 64 normal values

_DRAWN: dict[str, type[Normal] | type[TruncatedNormal] | type[Uniform]] = {
    "normal": Normal,
    "truncated_normal": TruncatedNormal,
    "uniform": Uniform,
}


class MeasuredLaw(Struct, frozen=True):
    """The initializer of a tensor, as a spec writes it, and what a comment says of it.

    `law` is what it was told from, where it is one whose numbers follow from the fans.
    """

    init: Any
    note: str = ""
    law: Law | None = None


class _Estimate(Struct, frozen=True):
    """A law whose parameter was measured: what it is, and what it may be."""

    kind: str  # a key of `_DRAWN`
    value: float
    low: float
    high: float
    note: str


def measure_laws(
    index: Index, jobs: int | None, advance: Callable[[int], None]
) -> tuple[MeasuredLaw, ...]:
    """The laws of an index's tensors, in their order; every number of them is read once.

    Integers that may be a progression are read again, unless they come from a pipe.
    """
    tensors = index.tensors
    summaries = summarize(index, jobs, advance)
    counts = Counter(
        name for s in summaries if s.guess is not None for name in s.guess.initializers
    )
    found: list[MeasuredLaw | None] = []
    estimates: dict[int, _Estimate] = {}
    with Reader() as reader:
        for number, (tensor, summary) in enumerate(zip(tensors, summaries, strict=True)):
            law = _choose_exact(tensor, summary, counts, None if index.is_pipe else reader)
            if law is None:
                estimates[number] = _estimate(summary)
            found.append(law)
    laws = {
        tensor.name: law.law if law is not None else summary.guess and summary.guess.law
        for tensor, law, summary in zip(tensors, found, summaries, strict=True)
    }
    for number, estimate in estimates.items():
        law_of_weight = laws.get(_name_weight(tensors[number].name))
        if estimate.note == TOO_FEW and isinstance(law_of_weight, Uniform):
            estimates[number] = _compare(summaries[number], law_of_weight.bound) or estimate
    pooled = _pool(estimates)
    return tuple(
        law if law is not None else _fit(*pooled[number], tensor.dtype)
        for number, (tensor, law) in enumerate(zip(tensors, found, strict=True))
    )


def write_measured(law: Law, dtype: DType) -> MeasuredLaw:
    """The initializer that has the numbers of a law, whatever the fans."""
    kind = next(name for name, made in _DRAWN.items() if isinstance(law, made))
    return _fit(kind, next(iter(structs.asdict(law).values())), "", dtype)


def is_drawn(init: Any) -> bool:
    """Are an initializer's numbers drawn, and not known?"""
    kind = init["type"] if isinstance(init, dict) else init
    return kind in _DRAWN or kind in NAMED


def _choose_exact(
    tensor: StoredTensor, summary: Summary, counts: Mapping[str, int], reader: Reader | None
) -> MeasuredLaw | None:
    """An initializer without a measured parameter, or None."""
    if not summary.size:
        return MeasuredLaw(None)
    special = _tell_special(summary)
    if summary.min is None or summary.max is None or summary.mean is None:
        return MeasuredLaw("zeros", special)
    guess, dtype = summary.guess, tensor.dtype
    if summary.min == summary.max:
        return MeasuredLaw(_write_constant(summary.min, dtype), special)
    if guess is not None and guess.initializers:
        return _write_named(guess, counts)
    if not dtype.is_float:
        return _choose_integer(tensor, summary, reader)
    if guess is None and _is_constant_nearer(summary):
        value = min(max(round_near(summary.mean), -dtype.largest), dtype.largest)
        note = _join(special, f"{NO_LAW}: near this number")
        return MeasuredLaw(_write_constant(value, dtype), note)
    return None


def _write_named(guess: Guess, counts: Mapping[str, int]) -> MeasuredLaw:
    """The initializer that most tensors have, of those that give a law."""
    name = max(guess.initializers, key=lambda name: counts[name])
    init: Any = name
    if name == PYTORCH_DEFAULT:
        init = {"type": "uniform", "bound": "1/sqrt(fan_in)"}
    return MeasuredLaw(init, law=guess.law)


def _write_constant(value: float | int, dtype: DType) -> Any:
    """A constant, in the fewest digits that the dtype rounds to it."""
    if value in (0, 1) or (dtype.is_float and abs(value) <= dtype.smallest / 2):
        return "ones" if value == 1 else "zeros"
    if isinstance(value, float) and dtype.is_float:
        value = find_shortest(value, dtype)
    return {"type": "constant", "value": value}


def _choose_integer(tensor: StoredTensor, summary: Summary, reader: Reader | None) -> MeasuredLaw:
    """A progression if it is one, else the number in the middle."""
    low, high = int(summary.min or 0), int(summary.max or 0)
    if reader is not None:
        found = find_progression(reader, tensor, low, high)
        if found is not None:
            start, step = found
            plain = (start, step) == (0, 1)
            init = "arange" if plain else {"type": "arange", "start": start, "step": step}
            return MeasuredLaw(init)
    middle = round(summary.quantiles[QUANTILES.index(0.5)]) if summary.quantiles else low
    middle = min(max(middle, low), high)
    told = f"{NO_LAW}: from {low} to {high}"
    return MeasuredLaw(_write_constant(middle, tensor.dtype), told)


def _tell_special(summary: Summary) -> str:
    infinities = summary.positive_infinities + summary.negative_infinities
    told = [f"{summary.nans:,} NaN"] if summary.nans else []
    if infinities:
        told.append("1 infinity" if infinities == 1 else f"{infinities:,} infinities")
    return f"{' and '.join(told)} in the source" if told else ""


def _join(*notes: str) -> str:
    return "; ".join(filter(None, notes))


def _find_std(summary: Summary) -> float:
    """The std of the values, where their squares neither overflow nor vanish."""
    low, high, std = float(summary.min or 0), float(summary.max or 0), summary.std or 0.0
    return std if 0 < std <= high - low else (high - low) / 4


def _is_constant_nearer(summary: Summary) -> bool:
    """Is one number nearer to the values than a normal law about zero? By Wasserstein's distance
    W₂: the std is lost in the one, the mean in the other.
    """
    return abs(summary.mean or 0.0) > _find_std(summary)


def _estimate(summary: Summary) -> _Estimate:
    """The parameter of the law that is told, or of the nearest one."""
    size = summary.size
    special = _tell_special(summary)
    if summary.guess is not None:
        law = summary.guess.law
        if isinstance(law, Normal):
            return _make_estimate("normal", law.std, size, "")
        if isinstance(law, TruncatedNormal):
            return _make_estimate("truncated_normal", law.std, size, "")
        if isinstance(law, Uniform):
            return _make_estimate("uniform", law.bound, size, "")
    mean, std = summary.mean or 0.0, _find_std(summary)
    largest = max(abs(float(summary.min or 0)), abs(float(summary.max or 0)))
    if size < _LEAST and not special and abs(mean) <= _UNSURE * std / math.sqrt(size):
        if size >= _LEAST_UNIFORM and largest < _FLAT * std:
            return _make_estimate("uniform", largest, size, TOO_FEW)
        return _make_estimate("normal", std, size, TOO_FEW)
    is_centered = abs(mean) <= _UNSURE * std / math.sqrt(size)
    told = NO_LAW if is_centered else f"{NO_LAW}: mean {round_near(mean):g}"
    return _Estimate("normal", std, std, std, _join(special, told))


def _name_weight(name: str) -> str:
    """What the weight beside a bias is called."""
    before, bias, after = name.rpartition("bias")
    return f"{before}weight{after}" if bias else ""


def _compare(summary: Summary, bound: float) -> _Estimate | None:
    """The uniform law of the weight, where few values of the bias may well be of it too: PyTorch
    draws both from one.
    """
    largest = max(abs(float(summary.min or 0)), abs(float(summary.max or 0)))
    if largest > bound * (1 + 1e-6) or (largest / bound) ** summary.size < _RARE:
        return None
    return _Estimate("uniform", bound, bound, bound, LIKE_WEIGHT)


def _make_estimate(kind: str, value: float, size: int, note: str) -> _Estimate:
    if kind == "uniform":  # the largest value is below the bound by one part in their number
        return _Estimate(kind, value, value * (1 - 1e-3), value * (1 + 10 / size + 1e-3), note)
    error = _UNSURE / math.sqrt(2 * size)
    return _Estimate(kind, value, value * (1 - min(error, 0.9)), value * (1 + error), note)


def _pool(estimates: Mapping[int, _Estimate]) -> dict[int, tuple[str, float, str]]:
    """The kind, parameter and comment of each, one parameter for all that may have the same.

    What looks like no law has its own.
    """
    pooled: dict[int, tuple[str, float, str]] = {}
    for kind in _DRAWN:
        numbers = [n for n, e in estimates.items() if e.kind == kind and not e.note.count(NO_LAW)]
        numbers.sort(key=lambda number: (estimates[number].high, number))
        while numbers:
            first = estimates[numbers[0]].high
            group = [n for n in numbers if estimates[n].low <= first]
            numbers = [n for n in numbers if estimates[n].low > first]
            value = _find_common([estimates[n] for n in group])
            is_told = any(not estimates[n].note for n in group)
            pooled |= {n: (kind, value, "" if is_told else estimates[n].note) for n in group}
    for number, estimate in estimates.items():
        pooled.setdefault(number, (estimate.kind, estimate.value, estimate.note))
    return pooled


def _find_common(group: Sequence[_Estimate]) -> float:
    """The parameter of estimates that overlap: the surest one's, as far as the others allow."""
    low, high = max(e.low for e in group), min(e.high for e in group)
    surest = min(group, key=lambda e: e.high / e.low if e.low > 0 else math.inf)
    return min(max(surest.value, low), high)


def _fit(kind: str, value: float, note: str, dtype: DType) -> MeasuredLaw:
    """The initializer, its parameter of three digits, smaller where the dtype takes no larger."""
    rounded, limit = round_near(value), dtype.largest / _DRAWN[kind](1.0).largest(dtype)
    if rounded > limit:
        rounded, note = round_down(limit), _join(note, f"the largest that {dtype.name} takes")
    if _DRAWN[kind](rounded).largest(dtype) <= dtype.smallest / 2:
        return MeasuredLaw("zeros", _join(note, f"too small for {dtype.name}"))
    return MeasuredLaw({"type": kind, "bound" if kind == "uniform" else "std": rounded}, note)
