"""Mean and standard deviation, from runs of numbers that are merged in their order."""

from __future__ import annotations

import math
import sys
from typing import NamedTuple

# Squares of differences from here on are kept times 2^-1200, those of differences below its inverse
# times 2^1200, so that none overflows or vanishes where the standard deviation can be a float64.
_LARGE = 2.0**500
_SCALE = 2.0**600


class Run(NamedTuple):
    """The sums of 65,536 consecutive numbers, or of those that are left at a tensor's end.

    Of d and d², where d = x − pivot and the pivot is the run's first finite number; numbers that
    are not finite are left out. Where 2⁵⁰⁰ ≤ |d|, d·2⁻⁶⁰⁰ is in the large sums; where |d| < 2⁻⁵⁰⁰,
    (d·2⁶⁰⁰)² is in the small one.
    """

    finite: float  # how many
    pivot: float
    sum: float
    squares: float
    small_squares: float = 0.0
    large_sum: float = 0.0
    large_squares: float = 0.0


class Moments:
    """The mean and the sum of squared differences from it, of the runs so far.

    A run is added by the formula of Chan, Golub and LeVeque ("Updating formulae and a pairwise
    algorithm for computing sample variances", 1979): with δ the difference of the means,
    M = M₁ + M₂ + δ²·n₁·n₂/n. Its result depends on the order, so that is always the tensor's.
    """

    def __init__(self) -> None:
        self._finite = 0.0
        self._mean = 0.0
        self._squares = 0.0  # times 2^(−1200·scale)
        self._scale = -1

    @property
    def mean(self) -> float:
        return max(min(self._mean, sys.float_info.max), -sys.float_info.max)

    @property
    def std(self) -> float:
        """Divided by the number of values, not by one less."""
        std = math.sqrt(self._squares / self._finite) * _SCALE**self._scale
        return min(std, sys.float_info.max)  # which it exceeds by rounding alone

    def add(self, run: Run) -> None:
        """Add the next run."""
        if not run.finite:
            return
        mean, squares, scale = _find_moments(run)
        if not self._finite:
            self._finite, self._mean, self._squares, self._scale = run.finite, mean, squares, scale
            return
        share = run.finite / (self._finite + run.finite)
        difference = mean - self._mean  # infinite, at worst
        common = max(self._scale, scale, _find_scale(difference))
        if common > 0:
            scaled = mean / _SCALE - self._mean / _SCALE
            self._mean = (self._mean / _SCALE + scaled * share) * _SCALE
        else:
            scaled = difference * _SCALE if common < 0 else difference
            self._mean += difference * share
        self._squares = (
            _rescale(self._squares, self._scale, common)
            + _rescale(squares, scale, common)
            + scaled * scaled * (self._finite * share)
        )
        self._scale = common
        self._finite += run.finite


def _find_moments(run: Run) -> tuple[float, float, int]:
    """The mean of a run; its sum of squared differences from it, and the scale of that."""
    if run.large_squares:
        scale, total = 1, run.large_sum + run.sum / _SCALE
        squares = run.large_squares + run.squares / _SCALE / _SCALE
        mean = (run.pivot / _SCALE + total / run.finite) * _SCALE
    elif run.squares:
        scale, total = 0, run.sum
        squares = run.squares + run.small_squares / _SCALE / _SCALE
        mean = run.pivot + total / run.finite
    else:
        scale, total, squares = -1, run.sum * _SCALE, run.small_squares
        mean = run.pivot + run.sum / run.finite
    return mean, max(squares - total * total / run.finite, 0.0), scale


def _find_scale(difference: float) -> int:
    """Which sums it belongs to: small, −1; large, 1."""
    magnitude = abs(difference)
    return 1 if magnitude >= _LARGE else -1 if magnitude < 1 / _LARGE else 0


def _rescale(squares: float, scale: int, common: int) -> float:
    for _ in range(2 * (common - scale)):
        squares /= _SCALE
    return squares
