"""What was counted and summed of a tensor → its `Summary`."""

from __future__ import annotations

import struct

from xavinit.formats import StoredTensor
from xavinit.reading.kernels import Found
from xavinit.reading.moments import Moments
from xavinit.reading.numbers import Numbers
from xavinit.reading.values import Bins, Summary


def make_summary(tensor: StoredTensor, numbers: Numbers, found: Found, moments: Moments) -> Summary:
    """The figures of a tensor. A complex number counts as two; a bool is 0 or 1."""
    size = tensor.size * numbers.parts
    specials = (found.zeros, found.nans, found.positive_infinities, found.negative_infinities)
    extremes = _find_extremes(numbers, found)
    if extremes is None:
        return Summary(size, *specials)
    if found.codes is not None:
        moments.add(found.codes)
    summary = Summary(size, *specials, moments.mean, moments.std, *extremes)
    return _look_at_bins(tensor, found.bins, summary)


def _look_at_bins(tensor: StoredTensor, bins: Bins, summary: Summary) -> Summary:
    """The summary with quantiles, histogram and guess, which are made from the bins."""
    return summary  # until there are functions for them


def _find_extremes(numbers: Numbers, found: Found) -> tuple[float | int, float | int] | None:
    if found.codes is not None:
        if not found.bins.values:
            return None
        low, high = found.bins.values[0], found.bins.values[-1]
        return (int(low), int(high)) if numbers.is_integer else (low, high)
    if found.extremes is None:
        return None
    first, last = found.extremes
    return _find_number(numbers, first), _find_number(numbers, last)


def _find_number(numbers: Numbers, order: int) -> float | int:
    """The number of a wide dtype that an integer in their order stands for."""
    if numbers.is_integer:
        return order + 2**63 if numbers.kind == "uint64" else order
    packed = abs(order).to_bytes(numbers.bits // 8, "little")
    magnitude: float = struct.unpack("<f" if numbers.bits == 32 else "<d", packed)[0]
    return -magnitude if order < 0 else magnitude
