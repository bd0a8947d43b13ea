"""What the tests of a law need of a tensor: its bins in groups, and its largest magnitude."""

from __future__ import annotations

import math
from bisect import bisect_left
from itertools import accumulate, pairwise
from typing import NamedTuple

from xavinit.reading.values import Bins

_GROUPS = 192


class Groups(NamedTuple):
    """Counts of a tensor's finite values between ends of its bins: ends[i] ≤ x < ends[i + 1]."""

    ends: list[float]  # the first is −∞, the last ∞
    counts: list[int]
    size: int
    middles: list[float]


class Extremes(NamedTuple):
    """The real numbers that the largest magnitude stands for: one, or those that round to it."""

    low: float
    high: float


class Sample(NamedTuple):
    """What the tests need of a tensor."""

    bins: Bins
    sums: list[int]  # of the counts: how many values lie below each bin
    groups: Groups
    extremes: Extremes


def make_sample(bins: Bins, min: float, max: float) -> Sample:
    sums = [0, *accumulate(bins.counts)]
    largest = max if max >= -min else -min
    extremes = find_largest(bins, min, max)
    return Sample(bins, sums, _make_groups(bins, sums, largest), extremes)


def find_largest(bins: Bins, min: float, max: float) -> Extremes:
    """What the largest magnitude stands for."""
    if not bins.is_exact:
        largest = max if max >= -min else -min
        return Extremes(largest, largest)
    if max >= -min:
        return Extremes(bins.lower[-1], bins.upper[-1])
    return Extremes(-bins.upper[0], -bins.lower[0])


def _make_groups(bins: Bins, sums: list[int], largest: float) -> Groups:
    """Groups of about the same width, from −largest to largest."""
    lower, upper, size = bins.lower, bins.upper, sums[-1]
    step = 2 * largest / _GROUPS
    ends, below, done = [-math.inf], [0], 0
    for k in range(1, _GROUPS):
        target = k * step - largest
        index = bisect_left(lower, target)
        if index == done or index == 0 or index == len(lower):
            continue
        # Where there is a gap, the target itself parts the bins.
        ends.append(upper[index - 1] if upper[index - 1] > target else target)
        below.append(sums[index])
        done = index
    ends.append(math.inf)
    below.append(size)
    inner = [-largest, *ends[1:-1], largest]
    return Groups(
        ends,
        [b - a for a, b in pairwise(below)],
        size,
        [(a + b) / 2 for a, b in pairwise(inner)],
    )
