"""How improbable a count is at most, where the law is true: bounds that hold for any number of
values, not only in the limit. Each is the natural logarithm of a probability.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

_STEPS = 12  # of Newton's method; any λ gives a bound, so that none has to be the best
_BERRY_ESSEEN = 0.4748


def bound_sum(counts: Sequence[int], shares: Sequence[float], scores: Sequence[float]) -> float:
    """Of a sum of scores as far from its mean as this one, on either side.

    Chernoff (1952): of n independent scores, P(mean ≥ m) ≤ exp(−n·(λm − K(λ))) for every λ > 0,
    where K(λ) = ln Σ shareᵢ·exp(λ·scoreᵢ). That is the probability under shares that are tilted by
    exp(λ·scoreᵢ), times the mean of exp(−λ·excess) where the sum is no less than n·m. The tilted
    sum is in an interval of y of its standard deviations s with a probability of at most
    y/√(2π) + 2Δ, where Δ is the distance from a normal law. So a factor of 1/(λs√(2π)) + 2Δ comes
    with it (Bahadur and Ranga Rao, 1960); Δ ≤ 0.4748·E|x|³/(σ³√n) (Shevtsova, 2011).
    """
    size = sum(counts)
    mean, variance = measure(shares, scores)
    if variance <= 0 or not size:
        return 0.0
    std = math.sqrt(variance)
    unit = [(score - mean) / std for score in scores]
    found = math.fsum(c * u for c, u in zip(counts, unit, strict=True)) / size
    if found < 0:
        found, unit = -found, [-u for u in unit]
    if size * found * found < 2:
        return 0.0
    best, rate = 0.0, found
    for _ in range(_STEPS):
        most = max(rate * u for u in unit)
        weights = [s * math.exp(rate * u - most) for s, u in zip(shares, unit, strict=True)]
        total = math.fsum(weights)
        gain = size * (rate * found - most - math.log(total))
        tilted = math.fsum(w * u for w, u in zip(weights, unit, strict=True)) / total
        square = math.fsum(w * u * u for w, u in zip(weights, unit, strict=True)) / total
        spread = square - tilted * tilted
        if spread <= 0:
            best = max(best, gain)
            break
        third = math.fsum(w * abs(u - tilted) ** 3 for w, u in zip(weights, unit, strict=True))
        distance = _BERRY_ESSEEN * third / total / (spread**1.5 * math.sqrt(size))
        factor = 1 / (rate * math.sqrt(2 * math.pi * size * spread)) + 2 * distance
        best = max(best, gain - min(math.log(factor), 0.0))
        rate = min(max(rate + (found - tilted) / spread, rate / 4), 4 * rate)
    return min(math.log(2) - best, 0.0)


def measure(shares: Sequence[float], scores: Sequence[float]) -> tuple[float, float]:
    """The mean and the variance of one score."""
    mean = math.fsum(share * score for share, score in zip(shares, scores, strict=True))
    square = math.fsum(s * (score - mean) ** 2 for s, score in zip(shares, scores, strict=True))
    return mean, square


def bound_distance(distance: float, size: int) -> float:
    """Of a greatest distance D between the shares below a number, found and expected.

    Dvoretzky, Kiefer and Wolfowitz (1956) with Massart's constant (1990): P ≤ 2·exp(−2nD²).
    """
    return min(math.log(2) - 2 * size * distance * distance, 0.0)


def bound_count(count: int, share: float, size: int) -> float:
    """Of a count as far from n·share, on either side: P ≤ 2·exp(−n·KL(count/n ‖ share))."""
    if share >= 1:
        return 0.0 if count == size else -math.inf
    if share <= 0:
        return 0.0 if not count else -math.inf
    rest = size - count
    divergence = count * math.log(count / (size * share)) if count else 0.0
    divergence += rest * math.log(rest / (size * (1 - share))) if rest else 0.0
    return min(math.log(2) - divergence, 0.0)


def bound_divergence(statistic: float, freedom: int) -> float:
    """Of a likelihood-ratio χ² as large as this: 2·Σ count·ln(count/expected).

    Agrawal (2020), "Finite-sample concentration of the multinomial in relative entropy": with x
    half of it, and d degrees of freedom, P ≤ exp(−x)·(e·x/d)^d where x > d.
    """
    x = statistic / 2
    if freedom < 1 or x <= freedom:
        return 0.0
    return -x + freedom * (1 + math.log(x / freedom))
