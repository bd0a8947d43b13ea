"""Do the tensors of a file fit the laws of a plan, whoever drew them? All tests, their levels."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct, structs

from xavinit.crew import Advance
from xavinit.formats import StoredTensor
from xavinit.plan import Fixed, Plan, TensorPlan
from xavinit.reading.copies import (
    Likeness,
    are_equal,
    find_likenesses,
    select_samples,
    tell_likeness,
)
from xavinit.reading.faults import Fault
from xavinit.reading.kernels import Found
from xavinit.reading.moments import Moments
from xavinit.reading.numbers import find_numbers
from xavinit.reading.samples import find_largest
from xavinit.reading.scan import scan
from xavinit.reading.summary import find_extremes
from xavinit.reading.trials import Drawing, Refusal, refuse
from xavinit.reading.values import Bins
from xavinit.reading.zeros import count_zeros, find_other

# The probability that a file has any fault at all although each of its tensors was drawn from the
# plan's law, by itself. Most of it is for the tests of single tensors, the rest for those of pairs.
FALSE_ALARMS = 1e-6
_PAIRS = 0.1

# What a person calls each test of a law.
_TOLD = {
    "variance": "std",
    "mean": "mean",
    "bounds": "bounds",
    "kolmogorov_smirnov": "Kolmogorov–Smirnov",
    "chi_square": "χ²",
    "counts": "counts",
}


class _Judged(Struct, frozen=True):
    """What the tests of one tensor found."""

    refusals: tuple[Refusal, ...] = ()
    nans: int = 0
    infinities: int = 0


def is_drawn(tensor: TensorPlan) -> bool:
    """Are its values random, and its own?"""
    return tensor.law is not None and not isinstance(tensor.law, Fixed)


def judge_laws(
    plan: Plan, stored: Mapping[str, StoredTensor], jobs: int | None, advance: Advance
) -> tuple[Fault, ...]:
    """The faults of the tensors that are drawn, in the plan's order.

    `stored` has those to judge by the plan's names, in the plan's shapes and dtypes. Values that
    are known are not looked at: `compare_tensors` does. The result is the same for any number of
    threads. Raises `InputError` where the file cannot be read.
    """
    drawn = [t for t in plan.tensors if t.name in stored and is_drawn(t)]
    targets = {_find_numbers(t): t for t in reversed(drawn) if not t.is_tied}
    ties = {t.name: targets[n] for t in drawn if t.is_tied and (n := _find_numbers(t)) in targets}
    free = [tensor for tensor in drawn if tensor.name not in ties]
    level = math.log(FALSE_ALARMS * (1 - _PAIRS) / max(len(free), 1))
    judged = _judge_each(free, stored, level, jobs, advance)
    samples = [(tensor, stored[tensor.name]) for tensor in select_samples(free)]
    likenesses = {
        each.b: each for each in find_likenesses(samples, math.log(FALSE_ALARMS * _PAIRS))
    }
    faults: list[Fault] = []
    for tensor in drawn:
        if tensor.name in ties:
            faults += _check_tie(tensor, ties[tensor.name], stored)
            continue
        faults += _tell_judged(tensor, stored[tensor.name], judged[tensor.name])
        if tensor.name in likenesses:
            faults.append(_tell_copy(tensor, stored[tensor.name], likenesses[tensor.name]))
    return tuple(faults)


def _find_numbers(tensor: TensorPlan) -> object:
    """What a tensor has in common with those that are tied to it."""
    return tensor.stream, tensor.shape, tensor.dtype.name, tensor.law, tensor.view


def _judge_each(
    tensors: Sequence[TensorPlan],
    stored: Mapping[str, StoredTensor],
    level: float,
    jobs: int | None,
    advance: Advance,
) -> dict[str, _Judged]:
    wanted = {stored[tensor.name].name: tensor for tensor in tensors}

    def judge(there: StoredTensor, found: Found, moments: Moments) -> _Judged:
        return _judge(wanted[there.name], found, moments, level)

    found = scan([stored[tensor.name] for tensor in tensors], jobs, advance, judge)
    return {tensor.name: judged for tensor, judged in zip(tensors, found, strict=True)}


def _judge(tensor: TensorPlan, found: Found, moments: Moments, level: float) -> _Judged:
    nans, infinities = found.nans, found.positive_infinities + found.negative_infinities
    law = tensor.law
    extremes = find_extremes(find_numbers(tensor.dtype), found)
    if extremes is None or law is None or isinstance(law, Fixed):
        return _Judged((), nans, infinities)
    zeros = count_zeros(tensor)
    if found.zeros < zeros:  # which is told: one of those that must be zero is not
        return _Judged((), nans, infinities)
    bins = _drop_zeros(found.bins, zeros)
    size = sum(bins.counts)
    if not size:
        return _Judged((), nans, infinities)
    if found.codes is not None:
        moments.add(found.codes)
    share = (size + zeros) / size
    mean = moments.mean * share
    square = (moments.std**2 + moments.mean**2) * share
    drawing = Drawing(
        bins,
        mean,
        math.sqrt(max(square - mean * mean, 0.0)) if zeros else moments.std,
        find_largest(bins, *extremes),
    )
    return _Judged(tuple(refuse(drawing, law, tensor.dtype, level)), nans, infinities)


def _drop_zeros(bins: Bins, zeros: int) -> Bins:
    """The bins without so many zeros, which must be there."""
    if not zeros:
        return bins
    ends = enumerate(zip(bins.lower, bins.upper, strict=True))
    place = next(i for i, (low, high) in ends if low <= 0 < high)
    counts = list(bins.counts)
    counts[place] -= zeros
    return structs.replace(bins, counts=counts)


def _tell_judged(tensor: TensorPlan, there: StoredTensor, judged: _Judged) -> Iterator[Fault]:
    if judged.nans or judged.infinities:
        counts = (judged.nans, "nan"), (judged.infinities, "infinite")
        told = ", ".join(f"{count:,} {kind}" for count, kind in counts if count)
        bad = judged.nans + judged.infinities
        subject = "the number of values that are not finite"
        yield _make_fault(tensor, there, Refusal("finite", subject, "0", f"{bad:,}"), f" ({told})")
    if count_zeros(tensor):
        other = find_other(tensor, there)
        if other is not None:
            yield other
    if judged.refusals:
        first, *rest = judged.refusals
        also = ", ".join(dict.fromkeys(_TOLD[r.test] for r in rest if r.test != first.test))
        note = f" ({tensor.law}){first.note}" + (f"; refused too by {also}" if also else "")
        yield _make_fault(tensor, there, first, note)


def _make_fault(tensor: TensorPlan, there: StoredTensor, refusal: Refusal, note: str) -> Fault:
    return Fault(
        kind="law",
        path=there.source.path,
        tensor=tensor.name,
        stored_name=there.name if there.name != tensor.name else None,
        key=refusal.subject,
        expected=refusal.expected,
        got=refusal.got,
        test=refusal.test,
        note=note,
    )


def _tell_copy(tensor: TensorPlan, there: StoredTensor, likeness: Likeness) -> Fault:
    test, note = tell_likeness(likeness)
    return Fault(
        kind="copy",
        path=there.source.path,
        tensor=tensor.name,
        stored_name=there.name if there.name != tensor.name else None,
        got=likeness.a,
        test=test,
        note=note,
    )


def _check_tie(
    tensor: TensorPlan, target: TensorPlan, stored: Mapping[str, StoredTensor]
) -> Iterator[Fault]:
    """A tied tensor has its target's values, which are judged there."""
    there = stored[tensor.name]
    if not are_equal(there, stored[target.name]):
        yield Fault(
            kind="copy",
            path=there.source.path,
            tensor=tensor.name,
            stored_name=there.name if there.name != tensor.name else None,
            expected=target.name,
            test="tied",
            note=f"its values are not those of {target.name}, to which it is tied",
        )
