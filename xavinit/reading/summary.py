"""What was counted and summed of a tensor → its `Summary`."""

from __future__ import annotations

import struct

from xavinit.choices import AxisLayout
from xavinit.formats import StoredTensor
from xavinit.reading.guesses import LAYOUTS, guess_law
from xavinit.reading.histograms import compute_quantiles, make_histogram
from xavinit.reading.kernels import Found
from xavinit.reading.moments import Moments
from xavinit.reading.numbers import Numbers
from xavinit.reading.values import Summary


def make_summary(
    tensor: StoredTensor,
    numbers: Numbers,
    found: Found,
    moments: Moments,
    layouts: tuple[AxisLayout, ...] = LAYOUTS,
) -> Summary:
    """The figures of a tensor, whose axes may be laid out in any of the layouts.

    A complex number counts as two; a bool is 0 or 1.
    """
    size = tensor.size * numbers.parts
    specials = (found.zeros, found.nans, found.positive_infinities, found.negative_infinities)
    extremes = find_extremes(numbers, found)
    if extremes is None:
        return Summary(size, *specials)
    if found.codes is not None:
        moments.add(found.codes)
    low, high = extremes
    mean, std, bins = moments.mean, moments.std, found.bins
    guess = guess_law(
        bins,
        size=size,
        mean=mean,
        std=std,
        min=low,
        max=high,
        shape=tensor.shape,
        dtype=tensor.dtype,
        layouts=layouts,
    )
    quantiles = compute_quantiles(bins, low, high)
    histogram = make_histogram(bins, low, high)
    return Summary(size, *specials, mean, std, low, high, quantiles, histogram, guess)


def find_extremes(numbers: Numbers, found: Found) -> tuple[float | int, float | int] | None:
    """The lowest and the highest finite number; None where there is none."""
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
