"""Narrow bins → a histogram of equal bins, and quantiles."""

from __future__ import annotations

import math
import sys
from bisect import bisect_left
from itertools import accumulate, pairwise

from xavinit.reading.values import QUANTILES, Bins, Histogram

_MOST_BINS = 128
_DIGITS = 53  # of float64
_SMALLEST = sys.float_info.min_exp - _DIGITS  # exponent of a power of two


def make_histogram(bins: Bins, min: float, max: float) -> Histogram:
    """Equal bins for values from `min` to `max`: as many as can be told apart, up to 128.

    Their width w is a power of two, their edges are multiples of it, and the first and the last
    hold values. Most tensors get 65 to 128 of them; fewer where neighbors among the values are
    further apart (integers, bool, float8), or where the narrow bins of a dtype wider than 16 bits
    are wider, as they may be far from most of the values.

    >>> make_histogram(Bins((0.0,), (2.0**-133,), (0.0,), (5,), False), 0.0, 0.0)
    Histogram(edges=(0.0, 1.0), counts=(5,))
    """
    largest = max if max >= -min else -min
    if largest == 0:
        return Histogram((0.0, 1.0), (sum(bins.counts),))
    sums = [0, *accumulate(bins.counts)]
    exponent = _find_least_exponent(bins, min, max, largest)
    while True:
        first, last = _find_ends(min, max, exponent)
        if last - first <= _MOST_BINS:
            edges = [_scale(i, exponent) for i in range(first, last + 1)]
            below = _count_below(bins, sums, edges[1:-1])
            if below is not None:
                counts = tuple(b - a for a, b in pairwise([0, *below, sums[-1]]))
                return Histogram(tuple(edges), counts)
        exponent += 1


def _find_least_exponent(bins: Bins, min: float, max: float, largest: float) -> int:
    """That of a width that is surely not too large, and leaves no comb of empty bins."""
    if bins.is_exact:
        # Neighbors at the largest magnitude, where they are furthest apart: half way is the end.
        if max >= -min:
            gap = 2 * (bins.values[-1] - bins.lower[-1])
        else:
            gap = 2 * (bins.upper[0] - bins.values[0])
        return math.frexp(gap)[1] - 1
    # Halves, since the difference itself may be too large for float64.
    span = max / 2 - min / 2 or largest / 2
    exponent = math.frexp(span)[1] - 8  # span / width < 512
    if isinstance(max, int) and exponent < 0:
        exponent = 0
    least = math.frexp(largest)[1] - _DIGITS  # an edge has at most so many digits
    if least < _SMALLEST:
        least = _SMALLEST
    return exponent if exponent > least else least


def _find_ends(min: float, max: float, exponent: int) -> tuple[int, int]:
    """The first and the last edge, as multiples of a power of two: the last is above `max`."""
    if isinstance(min, int) and isinstance(max, int) and exponent >= 0:
        return min >> exponent, (max >> exponent) + 1
    if exponent >= sys.float_info.max_exp:
        return -1 if min < 0 else 0, 1 if max >= 0 else 0
    width = math.ldexp(1.0, exponent)
    return _floor(min, width), _floor(max, width) + 1


def _floor(number: float, width: float) -> int:
    """The last multiple of a power of two up to a number. The quotient is exact, or hardly 0."""
    quotient = math.floor(number / width)
    return -1 if quotient == 0 and number < 0 else quotient


def _scale(index: int, exponent: int) -> float:
    """An edge. What would be 2¹⁰²⁴ is the largest number of float64."""
    try:
        return math.ldexp(index, exponent) if index else 0.0
    except OverflowError:
        return math.copysign(sys.float_info.max, index)


def _count_below(bins: Bins, sums: list[int], edges: list[float]) -> list[int] | None:
    """How many values lie below each edge, or None where one is within a bin."""
    ends = bins.values if bins.is_exact else bins.lower
    places = [bisect_left(ends, edge) for edge in edges]
    if not bins.is_exact:
        upper = bins.upper
        for place, edge in zip(places, edges, strict=True):
            if place and upper[place - 1] > edge:
                return None
    return [sums[place] for place in places]


def compute_quantiles(bins: Bins, min: float, max: float) -> tuple[float, ...]:
    """The values below which the shares `QUANTILES` of all lie.

    That of a share q of n values is number ⌈q·n⌉ of them, sorted (NumPy's method "inverted_cdf"):
    exactly that in a dtype of at most 16 bits. In a wider one, the values of a narrow bin are taken
    to be spread evenly over it, over its integers where `min` is one; so the result is off by less
    than the width of a bin (`Bins`), and by far less where a bin holds many values. It is in
    [min, max].
    """
    sums = list(accumulate(bins.counts))
    return tuple(_find_ranked(bins, sums, share, min, max) for share in QUANTILES)


def _find_ranked(bins: Bins, sums: list[int], share: float, min: float, max: float) -> float:
    rank = math.ceil(share * sums[-1]) or 1
    index = bisect_left(sums, rank)
    if bins.is_exact:
        return float(bins.values[index])
    lower, upper = bins.lower[index], bins.upper[index]
    if lower == bins.values[index]:  # the bin's only value, as near as float64 has it
        return _clamp(lower, min, max)
    if lower == 0:  # zeros, or hardly more
        return float(min) if min > 0 else 0.0
    if lower < min:
        lower = min
    if upper > max:
        upper = max
    count = bins.counts[index]
    part = (rank - sums[index] + count - 0.5) / count
    if isinstance(min, int):
        start = math.ceil(lower)
        # A bin's upper end is not in it, but max is.
        stop = max + 1 if upper == max else math.ceil(upper)
        return _clamp(float(start + math.floor(part * (stop - start))), min, max)
    return _clamp(lower + part * (upper - lower), min, max)


def _clamp(value: float, min: float, max: float) -> float:
    return float(min) if value < min else float(max) if value > max else value
