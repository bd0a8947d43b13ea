"""The tests of one tensor: do its values fit the law that the plan gives them?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import accumulate

from msgspec import Struct

from xavinit.dtypes import DType
from xavinit.plan import Normal, Uniform
from xavinit.reading.cells import Cells, make_cells
from xavinit.reading.distributions import Drawn, find_end, make_cdf
from xavinit.reading.faults import TestName
from xavinit.reading.tails import (
    bound_count,
    bound_distance,
    bound_divergence,
    bound_sum,
    measure,
)
from xavinit.reading.values import Bins

# The shares of the false alarms that the tests have: half for that of the std, which needs it most
# (of a normal law, no other one sees a gain that is a little off), a tenth for each other one.
_SCALE_SHARE, _SHARE = math.log(0.5), math.log(0.1)

_GROUPS = 24  # cells of the χ² test: with more it sees less of each
_ROUNDING = 1e-6  # of an end, as in float32
_LARGE_ENOUGH = 5.0  # std; some generators of normal numbers go hardly further


class Refusal(Struct, frozen=True):
    """A test that refuses a law: its name, and what a person is told."""

    test: TestName
    subject: str
    expected: str
    got: str
    note: str = ""


class Drawing(Struct, frozen=True):
    """The finite values of a tensor that were drawn: those that must be zero are left out.

    `extremes` are the least and the most that the largest magnitude stands for.
    """

    bins: Bins
    mean: float
    std: float
    extremes: tuple[float, float]

    @property
    def size(self) -> int:
        return sum(self.bins.counts)


def refuse(drawing: Drawing, law: Drawn, dtype: DType, level: float) -> list[Refusal]:
    """The tests that refuse the law, the most telling first.

    A true law is refused with a probability of at most exp(level), whatever the number of values.
    """
    size = drawing.size
    cells = make_cells(law, dtype, size)
    counts = cells.count(drawing.bins)
    scale_level, level = level + _SCALE_SHARE, level + _SHARE
    return [
        *_test_scale(drawing, law, cells, counts, scale_level),
        *_test_mean(drawing, cells, counts, level),
        *_test_end(drawing, law, level),
        *_test_distribution(cells, counts, size, level),
        *_test_each_count(cells, counts, size, level),
        *_test_counts(cells, counts, size, level),
    ]


def _test_scale(
    drawing: Drawing, law: Drawn, cells: Cells, counts: list[int], level: float
) -> Iterator[Refusal]:
    """The mean square, by cells: for the normal law the best test of its std."""
    scores = [point * point for point in cells.points]
    if bound_sum(counts, cells.shares, scores) > level:
        return
    expected = law.bound / math.sqrt(3) if isinstance(law, Uniform) else law.std
    told = show_apart(drawing.std, expected)
    yield Refusal("variance", "the std", told[1], told[0], _tell_errors(counts, cells, scores))


def _test_mean(
    drawing: Drawing, cells: Cells, counts: list[int], level: float
) -> Iterator[Refusal]:
    if bound_sum(counts, cells.shares, cells.points) <= level:
        note = _tell_errors(counts, cells, list(cells.points))
        yield Refusal("mean", "the mean", "0", f"{drawing.mean:.3g}", note)


def _tell_errors(counts: list[int], cells: Cells, scores: list[float]) -> str:
    size = sum(counts)
    mean, variance = measure(cells.shares, scores)
    excess = math.fsum(c * (score - mean) for c, score in zip(counts, scores, strict=True))
    return f": off by {abs(excess) / math.sqrt(size * variance):,.0f} standard errors"


def _test_end(drawing: Drawing, law: Drawn, level: float) -> Iterator[Refusal]:
    """No value lies beyond the end of the law, and the largest magnitude is near enough to it.

    Of n independent values, all are less than h with probability (1 − P(|x| ≥ h))ⁿ, and one is h
    or more with at most n·P(|x| ≥ h).
    """
    low, high = drawing.extremes
    size, cdf, end = drawing.size, make_cdf(law), find_end(law)
    half = level - math.log(2)  # a share for each side
    if isinstance(law, Normal):
        beyond = size * math.erfc(low / law.std / math.sqrt(2)) < math.exp(half)
        if beyond:
            yield _tell_end(low, _find_most(law, size, half), "most")
    elif low > end * (1 + _ROUNDING):
        yield _tell_end(low, end, "most")
    reaches = 2 * (1 - cdf(high))
    if isinstance(law, Normal) and high >= _LARGE_ENOUGH * law.std:
        return
    if reaches >= 1 or (reaches > 0 and size * math.log1p(-reaches) <= half):
        yield _tell_end(high, _find_least(law, size, half), "least")


def _find_most(law: Normal, size: int, level: float) -> float:
    """The magnitude that one of so many values exceeds with a probability of exp(level)."""
    low, high = 0.0, 40.0
    for _ in range(60):
        z = (low + high) / 2
        low, high = (z, high) if size * math.erfc(z / math.sqrt(2)) > math.exp(level) else (low, z)
    return high * law.std


def _find_least(law: Drawn, size: int, level: float) -> float:
    """The magnitude that all of so many values are less than with a probability of exp(level)."""
    cdf, end = make_cdf(law), find_end(law)
    low, high = 0.0, end if end < math.inf else 40 * law.std  # type: ignore[union-attr]
    for _ in range(60):
        middle = (low + high) / 2
        share = 2 * (1 - cdf(middle))
        refused = share >= 1 or (share > 0 and size * math.log1p(-share) <= level)
        low, high = (middle, high) if refused else (low, middle)
    return high


def _tell_end(got: float, end: float, side: str) -> Refusal:
    found, expected = show_apart(got, end)
    return Refusal("bounds", "the largest magnitude", f"at {side} {expected}", found)


def _test_distribution(
    cells: Cells, counts: list[int], size: int, level: float
) -> Iterator[Refusal]:
    """Kolmogorov and Smirnov's test, at the ends of the cells."""
    found, shares = accumulate(counts), accumulate(cells.shares)
    distance = max(abs(f / size - share) for f, share in zip(found, shares, strict=True))
    if bound_distance(distance, size) <= level:
        most = math.sqrt((math.log(2) - level) / (2 * size))
        told = show_apart(distance, most)
        yield Refusal(
            "kolmogorov_smirnov", "the Kolmogorov–Smirnov distance", f"at most {told[1]}", told[0]
        )


def _test_counts(cells: Cells, counts: list[int], size: int, level: float) -> Iterator[Refusal]:
    """The likelihood-ratio χ² of the counts, in cells of at least 1/24 of the values."""
    statistic, freedom = 0.0, -1
    count, share = 0, 0.0
    groups: list[tuple[int, float]] = []
    for c, s in zip(counts, cells.shares, strict=True):
        count, share = count + c, share + s
        if share >= 1 / _GROUPS:
            groups.append((count, share))
            count, share = 0, 0.0
    if groups:
        groups[-1] = groups[-1][0] + count, groups[-1][1] + share
    for c, s in groups:
        statistic += 2 * c * math.log(c / (size * s)) if c else 0.0
        freedom += 1
    if bound_divergence(statistic, freedom) <= level and freedom > 0:
        most = _find_statistic(freedom, level)
        yield Refusal(
            "chi_square",
            f"χ² over {freedom + 1} cells",
            f"at most {most:,.0f}",
            f"{max(statistic, most + 1):,.0f}",
        )


def _find_statistic(freedom: int, level: float) -> float:
    """The χ² that is exceeded with a probability of exp(level)."""
    low, high = 2.0 * freedom, 2.0 * freedom + 2
    while bound_divergence(high, freedom) > level:
        low, high = high, 2 * high
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (low, middle) if bound_divergence(middle, freedom) <= level else (middle, high)
    return high


def _test_each_count(cells: Cells, counts: list[int], size: int, level: float) -> Iterator[Refusal]:
    """Does one cell hold far too many or too few, such as zeros of a mask, or clipped values?"""
    bounds = [bound_count(c, s, size) for c, s in zip(counts, cells.shares, strict=True)]
    least = min(bounds)
    if least + math.log(len(bounds)) > level:
        return
    place = bounds.index(least)
    ends = ("−∞", *(f"{end:.3g}" for end in cells.ends), "∞")
    yield Refusal(
        "counts",
        f"the number of values from {ends[place]} to {ends[place + 1]}",
        f"about {size * cells.shares[place]:,.0f}",
        f"{counts[place]:,}",
    )


def show_apart(a: float, b: float) -> tuple[str, str]:
    """Two numbers with as many digits as tell them apart, three at least.

    >>> show_apart(0.5, 0.50001)
    ('0.5', '0.50001')
    """
    for digits in range(3, 17):
        told = f"{a:.{digits}g}", f"{b:.{digits}g}"
        if told[0] != told[1]:
            return told
    return repr(a), repr(b)
