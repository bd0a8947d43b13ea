"""Narrow bins → a histogram of equal bins, and quantiles."""

from __future__ import annotations

import math
import sys
from bisect import bisect_left
from itertools import accumulate, pairwise

from xavinit.reading.values import QUANTILES, Bins, Histogram

_MOST_BINS = 128
# In a dtype wider than 16 bits, i·w is an end of narrow bins for every whole i up to ±256 and
# every power of two w, since it has at most 8 binary digits; between the smallest normal number of
# float32 and its end, since the narrow bins of float64 go no further either.
_MOST_STEPS = 256
_SMALLEST_EXPONENT = -126
_END = 2.0**128


def make_histogram(bins: Bins, min: float, max: float) -> Histogram:
    """Equal bins for values from `min` to `max`: as many as can be told apart, up to 128.

    Their width w is a power of two, their edges are multiples of it, and the first and the last
    hold values. Values symmetric about 0 get 65 to 128 of them; fewer where neighbors among the
    values are further apart (integers, bool, float8), and in a dtype wider than 16 bits where w
    would be less than 1/256 of the largest magnitude, since the narrow bins resolve no more.

    >>> make_histogram(Bins((0.0,), (2.0**-133,), (0.0,), (5,), False), 0.0, 0.0)
    Histogram(edges=(0.0, 1.0), counts=(5,))
    """
    width, first, last = _choose_edges(bins, min, max)
    edges = [_scale(i, width) for i in range(first, last + 1)]
    ends = bins.values if bins.is_exact else bins.lower
    sums = [0, *accumulate(bins.counts)]
    below = [sums[bisect_left(ends, edge)] for edge in edges[1:-1]]
    below = [0, *below, sums[-1]]
    return Histogram(tuple(edges), tuple(b - a for a, b in pairwise(below)))


def _choose_edges(bins: Bins, min: float, max: float) -> tuple[float, int, int]:
    """The width of the bins, and the first and the last edge as multiples of it."""
    largest = abs(max) if abs(max) >= abs(min) else abs(min)
    if largest == 0:
        return 1.0, 0, 1
    if not bins.is_exact and largest >= _END:
        # The narrow bins end there: of what is beyond, they tell the sign alone.
        exponent = math.frexp(largest)[1]
        width = math.ldexp(1.0, exponent) if exponent < sys.float_info.max_exp else math.inf
        return width, -1 if min < 0 else 0, 1 if max >= 0 else 0
    exponent = _find_least_exponent(bins, min, max, largest)
    while True:
        width = math.ldexp(1.0, exponent)
        # Exact: a power of two divides. The last edge is above max.
        first, last = math.floor(min / width), math.floor(max / width) + 1
        fits = bins.is_exact or (first >= -_MOST_STEPS and last <= _MOST_STEPS)
        if last - first <= _MOST_BINS and fits:
            return width, first, last
        exponent += 1


def _find_least_exponent(bins: Bins, min: float, max: float, largest: float) -> int:
    """That of a width that is surely not too large, and leaves no comb of empty bins."""
    if bins.is_exact:
        # Neighbors at the largest magnitude, where they are furthest apart: half way is the end.
        if abs(max) >= abs(min):
            gap = 2 * (bins.values[-1] - bins.lower[-1])
        else:
            gap = 2 * (bins.upper[0] - bins.values[0])
        return math.frexp(gap)[1] - 1
    if isinstance(max, int):
        return 0
    exponent = math.frexp(largest)[1] - 9  # largest / width < 512
    return exponent if exponent > _SMALLEST_EXPONENT else _SMALLEST_EXPONENT


def _scale(index: int, width: float) -> float:
    """An edge. What would be 2¹⁰²⁴ is the largest number of float64."""
    if index and math.isinf(width):
        return math.copysign(sys.float_info.max, index)
    return index * width if index else 0.0


def compute_quantiles(bins: Bins, min: float, max: float) -> tuple[float, ...]:
    """The values below which the shares `QUANTILES` of all lie.

    That of a share q of n values is number ⌈q·n⌉ of them, sorted (NumPy's method "inverted_cdf"):
    exactly that in a dtype of at most 16 bits. In a wider one, the values of a narrow bin are taken
    to be spread evenly over it, over its integers where `min` is one; so the result is off by less
    than 1/128 of itself, and by far less where a bin holds many values. It is in [min, max].
    """
    sums = list(accumulate(bins.counts))
    return tuple(_find_ranked(bins, sums, share, min, max) for share in QUANTILES)


def _find_ranked(bins: Bins, sums: list[int], share: float, min: float, max: float) -> float:
    rank = math.ceil(share * sums[-1]) or 1
    index = bisect_left(sums, rank)
    if bins.is_exact:
        return float(bins.values[index])
    lower, upper = bins.lower[index], bins.upper[index]
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
        value = float(start + math.floor(part * (stop - start)))
    else:
        value = lower + part * (upper - lower)
    return float(min) if value < min else float(max) if value > max else value
