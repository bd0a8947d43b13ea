"""Do the values of a tensor fit a law? Tests of the counts in groups of its narrow bins.

Each test fails with a probability of about `ALARM` where the law is true. All work on counts
between ends of bins, with the law's exact probability of each group, so that they hold for values
that were rounded to a small dtype too.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise

from xavinit.plan import Normal, Uniform
from xavinit.reading.distributions import Drawn, compute_rate, find_end, find_peak, make_cdf
from xavinit.reading.samples import Groups, Sample
from xavinit.reading.values import Bins

ALARM = 1e-5
LIMIT = 4.42  # of a unit normal's magnitude, exceeded with probability ALARM
RARE = -math.log(ALARM)  # events expected, where there is none with probability ALARM
_KOLMOGOROV = math.sqrt(math.log(2 / ALARM) / 2)  # its asymptotic tail is 2·exp(−2x²)

_LEAST_EXPECTED = 10.0  # values in a group for the χ² test
_SMALLEST = 6.0  # standard deviations of an excess in a single bin; there are thousands
# Generators that make multiples of 2⁻²³ or 2⁻²⁴ give a few values, zero among them, that often.
_GRID = 2.0**-22
_ROUNDING = 1e-6  # of an end, as in float32
# The recurrence of the orthonormal polynomials, for values divided by the end of the law: of the
# uniform law (Legendre's polynomials), k/√(4k² − 1); of the normal law cut at two, by Stieltjes'
# procedure for the weight exp(−2x²) on ±1, which tests/test_guesses.py carries out again.
_LEGENDRE = tuple(k / math.sqrt(4 * k * k - 1) for k in range(1, 7))
_CUT_STEPS = (
    0.43981283051711987,
    0.51394847980054816,
    0.5154262783679669,
    0.50820977248131441,
    0.50435891911260827,
    0.50264447660781230,
)
# The tails that are counted: from these shares of the end of a law, or multiples of the std.
_ENDS = (7 / 8, 15 / 16, 31 / 32, 63 / 64, 127 / 128)
_TAILS = (1.5, 2.0, 2.5, 3.0, 3.5, 4.0)


def compute_shares(groups: Groups, law: Drawn) -> list[float]:
    """The probability of each group."""
    below = list(map(make_cdf(law), groups.ends))
    return [b - a for a, b in pairwise(below)]


def fits(sample: Sample, law: Drawn) -> bool:
    """Does no test refuse the law?"""
    groups = sample.groups
    cdf = make_cdf(law)
    expected = [groups.size * share for share in compute_shares(groups, law)]
    excess = [count - e for count, e in zip(groups.counts, expected, strict=True)]
    return (
        fits_end(sample, law)
        and _fits_distribution(groups, excess)
        and _fits_moments(groups, excess, law)
        and _fits_tails(sample, law, cdf)
        and _fits_counts(groups.counts, expected)
        and _has_no_spike(sample.bins, groups.size, law, cdf)
    )


def fits_end(sample: Sample, law: Drawn) -> bool:
    """Is the largest magnitude one that so many values have?

    With a density d at the ends of a law, none of n values is within ε of them with probability
    exp(−2·d·ε·n). For the normal law, the probability that a value is larger stands in the place
    of 2·d·ε; but a magnitude of 5 std is large enough, since some generators go no further.
    """
    size, (low, high) = sample.groups.size, sample.extremes
    if isinstance(law, Normal):
        z = high / law.std
        missing = size * math.erfc(z / math.sqrt(2)) if z < 5 else 0.0
        return missing <= RARE and size * math.erfc(low / law.std / math.sqrt(2)) >= ALARM
    end = find_end(law)
    return low <= end * (1 + _ROUNDING) and high >= end * (1 - RARE / size / compute_rate(law))


def _fits_distribution(groups: Groups, excess: list[float]) -> bool:
    """Kolmogorov and Smirnov's test, at the ends of the groups."""
    sums = list(accumulate(excess))
    return max(map(abs, sums)) <= _KOLMOGOROV * math.sqrt(groups.size)


def _fits_moments(groups: Groups, excess: list[float], law: Drawn) -> bool:
    """Neyman's smooth test, its components one by one: the excess along each of the polynomials
    that are orthonormal under the law. Those of degree 1 to 4 see mean, variance, skewness and
    kurtosis.
    """
    if isinstance(law, Normal):
        return _fits_normal_moments(groups, excess, law.std)
    end, root = find_end(law), math.sqrt(groups.size)
    steps = _LEGENDRE if isinstance(law, Uniform) else _CUT_STEPS
    points = [x / end for x in groups.middles]
    # p₋₁ = 0, p₀ = 1, and aₖ₊₁·pₖ₊₁ = x·pₖ − aₖ·pₖ₋₁, since the laws are symmetric
    before, now, last = [0.0] * len(points), [1.0] * len(points), 0.0
    for step in steps:
        after = [(x * p - last * q) / step for x, p, q in zip(points, now, before, strict=True)]
        before, now, last = now, after, step
        if abs(sum(map(float.__mul__, excess, now))) > LIMIT * root:
            return False
    return True


def _fits_normal_moments(groups: Groups, excess: list[float], std: float) -> bool:
    """Mean, variance and skewness by Hermite's polynomials, kurtosis by Anscombe and Glynn's
    transformation, since its own law is far from normal.
    """
    size = groups.size
    first = second = third = fourth = 0.0
    for x, e in zip(groups.middles, excess, strict=True):
        z = x / std
        square = z * z
        first += e * z
        second += e * (square - 1)
        third += e * z * (square - 3)
        fourth += e * (square * (square - 6) + 3)
    return (
        abs(first) <= LIMIT * math.sqrt(size)
        and abs(second) <= LIMIT * math.sqrt(2 * size)
        and abs(third) <= LIMIT * math.sqrt(6 * size)
        and abs(_score_kurtosis(3 + fourth / size, size)) <= LIMIT
    )


def _score_kurtosis(kurtosis: float, n: int) -> float:
    """A sample's kurtosis as a unit normal number, if the values are normal.

    Anscombe and Glynn (1983), "Distribution of the kurtosis statistic b2 for normal samples".
    """
    mean = 3 * (n - 1) / (n + 1)
    variance = 24 * n * (n - 2) * (n - 3) / ((n + 1) ** 2 * (n + 3) * (n + 5))
    x = (kurtosis - mean) / math.sqrt(variance)
    skewness = (
        6 * (n * n - 5 * n + 2) / ((n + 7) * (n + 9))
        * math.sqrt(6 * (n + 3) * (n + 5) / (n * (n - 2) * (n - 3)))
    )  # fmt: skip
    a = 6 + 8 / skewness * (2 / skewness + math.sqrt(1 + 4 / skewness**2))
    part = 1 + x * math.sqrt(2 / (a - 4))
    if part <= 0:
        return -math.inf
    return (1 - 2 / (9 * a) - math.cbrt((1 - 2 / a) / part)) / math.sqrt(2 / (9 * a))


def _fits_tails(sample: Sample, law: Drawn, cdf: Callable[[float], float]) -> bool:
    """Are as many values near the ends as there should be? A count's root is about normal."""
    bins, sums, size = sample.bins, sample.sums, sample.groups.size
    if isinstance(law, Normal):
        cuts = [z * law.std for z in _TAILS]
    else:
        end = find_end(law)
        cuts = [share * end for share in _ENDS]
    for cut in cuts:
        right = bisect_left(bins.lower, cut)
        left = bisect_left(bins.lower, -cut)
        count, expected = 0, 0.0
        if right < len(bins.lower):
            count += size - sums[right]
            expected += 1 - cdf(_find_cut(bins, right, cut))
        else:
            expected += 1 - cdf(max(cut, bins.upper[-1]))
        if left > 0:
            count += sums[left]
            expected += cdf(_find_cut(bins, left, -cut))
        else:
            expected += cdf(-cut)
        if abs(_score_count(count, size * expected)) > LIMIT + 0.3:
            return False
    return True


def _find_cut(bins: Bins, index: int, target: float) -> float:
    """A number that parts the bins before an index from the others, near a target."""
    return max(target, bins.upper[index - 1]) if index else target


def _score_count(count: int, expected: float) -> float:
    return 2 * (math.sqrt(count + 0.375) - math.sqrt(expected + 0.375))


def _fits_counts(counts: Sequence[int], expected: list[float]) -> bool:
    """Pearson's χ² over groups of at least 10 expected values; its cube root is about normal
    (Wilson and Hilferty, 1931). A fit that is too good is refused too: a grid is no sample.
    """
    total, freedom = 0.0, -1
    count, expect = 0, 0.0
    for c, e in zip(counts, expected, strict=True):
        count += c
        expect += e
        if expect >= _LEAST_EXPECTED:
            total += (count - expect) ** 2 / expect
            freedom += 1
            count, expect = 0, 0.0
    if freedom < 4:
        return True
    spread = 2 / (9 * freedom)
    return abs(math.cbrt(total / freedom) - 1 + spread) <= (LIMIT + 0.3) * math.sqrt(spread)


def _has_no_spike(bins: Bins, size: int, law: Drawn, cdf: Callable[[float], float]) -> bool:
    """Does no bin hold far too many values, such as zeros of a mask, or those clipped?"""
    peak = size * find_peak(law)
    slack = 20 + size * _GRID
    # First by the largest density of the law, which costs little; then those few exactly.
    suspects = [
        i
        for i, (low, high, count) in enumerate(
            zip(bins.lower, bins.upper, bins.counts, strict=True)
        )
        if count > slack + (most := peak * (high - low))
        and count > slack + most + _SMALLEST * math.sqrt(most)
    ]
    for i in suspects:
        expected = size * (cdf(bins.upper[i]) - cdf(bins.lower[i]))
        if bins.counts[i] > slack + expected + _SMALLEST * math.sqrt(expected):
            return False
    return True
