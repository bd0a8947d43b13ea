"""A law in a dtype → cells between ends of narrow bins, each with its exact probability.

Which cells there are depends on the law, the dtype and how many values there are, never on the
values: so the counts of true values in them are a multinomial sample.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from functools import lru_cache
from itertools import accumulate, pairwise

from msgspec import Struct

from xavinit.dtypes import DType
from xavinit.plan import Normal
from xavinit.reading.distributions import Drawn, find_end, make_cdf
from xavinit.reading.numbers import NARROW
from xavinit.reading.values import Bins

_HALF = 48  # cells on each side of zero, of one probability each, beside those of the tails
_LEAST_EXPECTED = 4  # values in a cell, or there is none so small
_LEAST_TAIL = 1e-6  # the probability of the outermost cells, at least
# The bins of numbers of more than 16 bits: 7 bits of mantissa, and exponents that float32 has.
_WIDE_BITS, _WIDE_LOWEST, _WIDE_HIGHEST = 7, -126, 127


class Cells(Struct, frozen=True):
    """`shares[i]` is the probability of cell i, between `ends[i - 1]` and `ends[i]`.

    The first begins at −∞, the last ends at ∞. `points` are numbers in them, symmetric about zero.
    """

    ends: tuple[float, ...]
    shares: tuple[float, ...]
    points: tuple[float, ...]

    def count(self, bins: Bins) -> list[int]:
        """How many values each cell holds."""
        sums = [0, *accumulate(bins.counts)]
        below = [sums[bisect_left(bins.lower, end)] for end in self.ends]
        return [b - a for a, b in pairwise([0, *below, sums[-1]])]


@lru_cache(maxsize=256)  # a model's tensors have few different laws and sizes
def make_cells(law: Drawn, dtype: DType, size: int) -> Cells:
    """The cells for so many values."""
    cdf = make_cdf(law)
    shares = [1 - j / _HALF for j in range(1, _HALF)]
    while shares[-1] / 2 > max(_LEAST_TAIL, _LEAST_EXPECTED / size):
        shares.append(shares[-1] / 2)
    if size < 2 * _HALF * _LEAST_EXPECTED:
        step = max(math.ceil(2 * _HALF * _LEAST_EXPECTED / size), 1)
        shares = shares[step - 1 :: step]
    positive: list[float] = []
    for share in shares:
        end = find_bin_end(_find_quantile(law, share), dtype)
        if cdf(end) < 1 and (not positive or end > positive[-1]):
            positive.append(end)
    ends = (*(-end for end in reversed(positive)), *positive)
    below = [0.0, *map(cdf, ends), 1.0]
    return Cells(ends, tuple(b - a for a, b in pairwise(below)), _list_points(law, positive))


def find_bin_end(number: float, dtype: DType) -> float:
    """The least end of a narrow bin that is at least this positive number.

    >>> from xavinit.dtypes import DTYPES
    >>> find_bin_end(1.0, DTYPES["float32"]), find_bin_end(1.001, DTYPES["float32"])
    (1.0, 1.0078125)
    >>> find_bin_end(1.0, DTYPES["float8_e5m2"]), find_bin_end(1.9, DTYPES["float8_e5m2"])
    (1.125, 2.25)
    """
    is_narrow = dtype.bits <= NARROW
    mantissa = dtype.mantissa if is_narrow else _WIDE_BITS
    lowest = dtype.smallest_exponent if is_narrow else _WIDE_LOWEST
    if not is_narrow:
        number = min(max(number, 2.0**_WIDE_LOWEST), 2.0**_WIDE_HIGHEST)
    exponent = max(math.frexp(number)[1] - 1, lowest)
    unit = 2.0 ** (exponent - mantissa)
    if not is_narrow:
        return math.ceil(number / unit) * unit
    end = (math.ceil(number / unit - 0.5) + 0.5) * unit  # half way between neighbors
    top = 2.0 ** (exponent + 1)
    return end if end < top else top + unit  # the next one is twice as far from its neighbor


def _find_quantile(law: Drawn, share: float) -> float:
    """The magnitude that this share of the values exceeds, about: the cells' shares are exact."""
    cdf, end = make_cdf(law), find_end(law)
    low, high = 0.0, end if end < math.inf else 40 * _find_scale(law)
    for _ in range(50):
        middle = (low + high) / 2
        if 2 * (1 - cdf(middle)) > share:
            low = middle
        else:
            high = middle
    return high


def _find_scale(law: Drawn) -> float:
    return law.std if isinstance(law, Normal) else find_end(law)


def _list_points(law: Drawn, positive: list[float]) -> tuple[float, ...]:
    """A number in each cell: its middle; in the last one of a normal law about its mean."""
    if not positive:
        return (0.0,)
    last = positive[-1]
    outer = last + law.std**2 / last if isinstance(law, Normal) else (last + find_end(law)) / 2
    points = [*((a + b) / 2 for a, b in pairwise(positive)), outer]
    return (*(-point for point in reversed(points)), 0.0, *points)
