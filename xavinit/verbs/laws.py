"""`derive` with `laws="as-is"`: what the values of tensors look like → initializers of a spec.

Where a law is told, it is that one; else the nearest that a spec has, and a comment says so.
Parameters that a few numbers cannot tell from each other are one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct, structs

from xavinit.dtypes import DType
from xavinit.formats import Index, Reader, StoredTensor
from xavinit.inits import NAMED
from xavinit.plan import Law, Normal, TruncatedNormal, Uniform
from xavinit.reading import PYTORCH_DEFAULT, QUANTILES, Guess, Summary, summarize
from xavinit.verbs.decimals import find_shortest, round_down, round_near
from xavinit.verbs.estimates import (
    NO_LAW,
    Estimate,
    compare_with_weight,
    estimate_law,
    join_notes,
    name_weight,
    pool,
    tell_special,
)
from xavinit.verbs.sequences import find_progression

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
    estimates: dict[int, Estimate] = {}
    with Reader() as reader:
        for number, (tensor, summary) in enumerate(zip(tensors, summaries, strict=True)):
            law = _choose_exact(tensor, summary, counts, None if index.is_pipe else reader)
            if law is None:
                estimates[number] = estimate_law(summary)
            found.append(law)
    laws = {
        tensor.name: law.law if law is not None else summary.guess and summary.guess.law
        for tensor, law, summary in zip(tensors, found, summaries, strict=True)
    }
    for number, estimate in estimates.items():
        weight = laws.get(name_weight(tensors[number].name))
        if isinstance(weight, Uniform):
            estimates[number] = compare_with_weight(estimate, summaries[number], weight.bound)
    pooled = pool({(n, tensors[n].name): estimate for n, estimate in estimates.items()})
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
    special = tell_special(summary)
    if summary.min is None or summary.max is None or summary.mean is None:
        return MeasuredLaw("zeros", special)
    guess, dtype = summary.guess, tensor.dtype
    if summary.min == summary.max:
        return MeasuredLaw(_write_constant(summary.min, dtype), special)
    if guess is not None and guess.initializers:
        return _write_named(guess, counts)
    if not dtype.is_float:
        return _choose_integer(tensor, summary, reader)
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


def _fit(kind: str, value: float, note: str, dtype: DType) -> MeasuredLaw:
    """The initializer, its parameter of three digits, smaller where the dtype takes no larger."""
    if kind == "constant":
        value = min(max(round_near(value), -dtype.largest), dtype.largest)
        return MeasuredLaw(_write_constant(value, dtype), note)
    rounded, limit = round_near(value), dtype.largest / _DRAWN[kind](1.0).largest(dtype)
    if rounded > limit:
        rounded, note = round_down(limit), join_notes(note, f"the largest that {dtype.name} takes")
    if _DRAWN[kind](rounded).largest(dtype) <= dtype.smallest / 2:
        return MeasuredLaw("zeros", join_notes(note, f"too small for {dtype.name}"))
    return MeasuredLaw({"type": kind, "bound" if kind == "uniform" else "std": rounded}, note)
