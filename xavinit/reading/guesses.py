"""Which law do a tensor's values look like, and which initializer gives it?

The law is told where no test refuses it (`fits`), and there are enough values that one which is
not quite it would be refused. A named initializer is told where its law's parameter is the
values' own, and every other one that the shape allows is ruled out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec import Struct

from xavinit.choices import AxisLayout, Distribution
from xavinit.dtypes import DType
from xavinit.plan import CUT_STD, Constant, Normal, TruncatedNormal, Uniform
from xavinit.reading.candidates import (
    ORTHOGONAL_GAINS,
    Candidate,
    list_candidates,
    list_sides,
)
from xavinit.reading.distributions import Drawn, compute_rate, get_parameter, make_law
from xavinit.reading.fits import LIMIT, RARE, compute_shares, fits
from xavinit.reading.samples import Sample, make_sample
from xavinit.reading.values import Bins, Guess

LAYOUTS: tuple[AxisLayout, ...] = ("out_in", "in_out")

_MOVED = 1.02  # an end so little beyond a named one is that of weights trained a little
_SAME = 1e-7  # two parameters so near, relatively, are one: they are rounded to float32
# A named law that is not ruled out with this error rate is possible.
_MISS = 1e-9
_MISS_LIMIT = 6.11  # of a unit normal's magnitude
_MISS_RARE = -math.log(_MISS)
_FEW_BINS = 256  # in such a dtype, rounding moves the std
_COARSE = 0.25  # what rounding may add to a kurtosis
_LEAST_STD, _LARGEST_STD = 1e-60, 1e60  # so that fourth powers are float64s; nobody draws others
_LEAST_BINS = 16  # with values in them, in a dtype that has few


class _Kind(Struct, frozen=True):
    """A distribution: its kurtosis, and how many values it takes to tell it.

    `least_known` are enough for a law whose parameter is that of a named initializer, `least` for
    one of any parameter, `least_vector` for that of a tensor of one axis, which has no named one.
    With fewer, laws that were moved a little would pass (docs/reading-laws.md).
    """

    kurtosis: float
    least_known: int
    least: int
    least_vector: int


_KINDS: dict[Distribution, _Kind] = {
    "uniform": _Kind(9 / 5, 256, 8192, 2048),
    "normal": _Kind(3.0, 8192, 32768, 32768),
    "truncated_normal": _Kind(2.3655, 2048, 16384, 16384),
}


class _Scale(Struct, frozen=True):
    """A parameter as estimated, and the values that are possible with two error rates."""

    value: float
    low: float
    high: float
    far_low: float
    far_high: float

    def allows(self, parameter: float) -> bool:
        return self.low <= parameter <= self.high

    def rules_out(self, parameter: float) -> bool:
        return not self.far_low <= parameter <= self.far_high


def guess_law(
    bins: Bins,
    *,
    size: int,
    mean: float,
    std: float,
    min: float,
    max: float,
    shape: tuple[int, ...],
    dtype: DType,
    layouts: tuple[AxisLayout, ...] = LAYOUTS,
) -> Guess | None:
    """The law that the values look like, or None where that cannot be told.

    `size` counts all elements; the figures are those of the finite ones, as in a `Summary`. Where
    the axes' layout is known, such as `("in_out",)` in a file of Keras, give it alone: more names
    can be told.
    """
    if sum(bins.counts) != size or not size or dtype.kind == "complex":
        return None
    if min == max:
        return _guess_constant(min, size, dtype)
    if not dtype.is_float or len(bins.counts) < _LEAST_BINS or min >= 0 or max <= 0:
        return None
    if not _LEAST_STD < std < _LARGEST_STD:
        return None
    if size < _KINDS["uniform"].least_known or abs(mean) > LIMIT * std / math.sqrt(size):
        return None
    sample = make_sample(bins, min, max)
    distribution = _find_nearest(sample)
    if distribution is None:
        return None
    kind = _KINDS[distribution]
    scale = _estimate(distribution, sample, std)
    if distribution == "normal" and _is_orthogonal(sample, std**2 + mean**2, shape, layouts):
        return None
    known = _find_known(scale, distribution, shape, layouts)
    if distribution != "normal" and not known and _is_moved(scale, distribution, shape, layouts):
        return None
    if size < (kind.least_known if known else kind.least_vector if len(shape) < 2 else kind.least):
        return None
    law = known[0].law if known else make_law(distribution, scale.value)
    # A normal law's std is tested already: its tests see the shape, at the std that fits best.
    if not fits(sample, Normal(scale.value) if isinstance(law, Normal) else law):
        return None
    named = _agree(known)
    return Guess(law, tuple(c.name for c in named), named[0].fans if named else None)


def _guess_constant(value: float, size: int, dtype: DType) -> Guess | None:
    """One number: unless it is a single one, which may be drawn from anything."""
    if size == 1 and dtype.is_float and value not in (0, 1):
        return None
    return Guess(Constant(bool(value) if dtype.kind == "bool" else value))


def _find_nearest(sample: Sample) -> Distribution | None:
    """The distribution whose kurtosis is nearest, if it is near."""
    groups = sample.groups
    second = fourth = 0.0
    for count, x in zip(groups.counts, groups.middles, strict=True):
        square = x * x
        second += count * square
        fourth += count * square * square
    kurtosis = fourth * groups.size / second**2
    found = min(_KINDS, key=lambda name: abs(_KINDS[name].kurtosis - kurtosis))
    # The widest law of the statistic is the normal one's: √(24/n) about 3, skewed to the right.
    slack = 2 * LIMIT * math.sqrt(24 / groups.size) + _COARSE
    return found if abs(_KINDS[found].kurtosis - kurtosis) < slack else None


def _is_orthogonal(
    sample: Sample, square: float, shape: tuple[int, ...], layouts: tuple[AxisLayout, ...]
) -> bool:
    """May the values be an orthogonal matrix's? They look normal, but the mean of their squares
    gives a gain that people write, where that of drawn ones is off by √(2/n).
    """
    slack = 1e-6
    bins = sample.bins
    if bins.is_exact:
        # What rounding adds: the larger cells are, the more.
        square = _correct_std("normal", sample, math.sqrt(square)) ** 2
        slack += 2 * (1 - bins.lower[-1] / bins.upper[-1]) / math.sqrt(sample.groups.size)
    # As many digits as leave nineteen of twenty normal laws alone: four in float32.
    digits = max(math.floor(math.log10(0.025 / slack)), 1)
    for side in list_sides(shape, layouts):
        gain = math.sqrt(square * side)
        written = float(f"{gain:.{digits - 1}e}")
        if any(abs(gain / given - 1) <= slack for given in (written, *ORTHOGONAL_GAINS)):
            return True
    return False


def _estimate(distribution: Distribution, sample: Sample, std: float) -> _Scale:
    size = sample.groups.size
    if distribution == "normal":
        std = _correct_std(distribution, sample, std)
        error = 1 / math.sqrt(2 * size)
        return _Scale(
            std,
            std / (1 + LIMIT * error),
            std * (1 + LIMIT * error + error**2 * 20),
            std / (1 + _MISS_LIMIT * error),
            std * (1 + _MISS_LIMIT * error + error**2 * 40),
        )
    return _estimate_end(distribution, sample, std)


def _estimate_end(distribution: Distribution, sample: Sample, std: float) -> _Scale:
    """From the largest magnitude, which is very near the end of the law.

    In a dtype of few digits, many numbers round to it: then from the share of values below them,
    or from the std, as well.
    """
    size, (low, high) = sample.groups.size, sample.extremes
    # From an end to the law's parameter: a bound, or the std of the cut law.
    if distribution == "uniform":
        unit, rate = 1.0, compute_rate(Uniform(1.0))
    else:
        unit, rate = CUT_STD / 2, compute_rate(TruncatedNormal(1.0))
    gap = 1 / (rate * size)  # expected, relative
    least, most = low * (1 - 1e-6), high / (1 - min(RARE * gap, 0.5))
    far = high / (1 - min(_MISS_RARE * gap, 0.5))
    if not sample.bins.is_exact:
        return _Scale(*(unit * end for end in (high * (1 + gap), least, most, least, far)))
    end, error = _estimate_rounded_end(distribution, sample, std)
    return _Scale(
        unit * min(max(end, low), high),
        unit * max(least, end * (1 - LIMIT * error)),
        unit * min(most, end * (1 + LIMIT * error)),
        unit * max(least, end * (1 - _MISS_LIMIT * error)),
        unit * min(far, end * (1 + _MISS_LIMIT * error)),
    )


def _estimate_rounded_end(
    distribution: Distribution, sample: Sample, std: float
) -> tuple[float, float]:
    """The end of a law as its other values tell it, and the relative standard error of that."""
    bins, size, low = sample.bins, sample.groups.size, sample.extremes.low
    top = bins.counts[-1] if bins.lower[-1] >= low else 0
    top += bins.counts[0] if -bins.upper[0] >= low else 0
    error = math.sqrt(top + 10) / size
    if distribution == "uniform":
        return low * size / (size - top), error
    if len(bins.counts) <= _FEW_BINS:
        kurtosis = _KINDS[distribution].kurtosis
        end = _correct_std(distribution, sample, std) * 2 / CUT_STD
        return end, math.sqrt((kurtosis - 1) / 4 / size)
    rate = compute_rate(TruncatedNormal(1.0))
    # The density falls off as exp(−2x²): ε before the end, x = 1, it is 1 + 4ε of that there.
    depth = top / size / rate
    return low * (1 + depth * (1 - 2 * depth)), error / rate


def _correct_std(distribution: Distribution, sample: Sample, std: float) -> float:
    """The std of the law before its values were rounded, if that was coarse: the one that gives
    the groups the second moment that they have.
    """
    if not sample.bins.is_exact or len(sample.bins.counts) > _FEW_BINS:
        return std
    groups = sample.groups
    squares = [x * x for x in groups.middles]
    second = sum(map(float.__mul__, map(float, groups.counts), squares)) / groups.size
    for _ in range(4):
        shares = compute_shares(groups, make_law(distribution, std))
        std *= math.sqrt(second / sum(map(float.__mul__, shares, squares)))
    return std


def _find_known(
    scale: _Scale,
    distribution: Distribution,
    shape: tuple[int, ...],
    layouts: tuple[AxisLayout, ...],
) -> Sequence[Candidate]:
    """The named initializers with the one parameter that the values allow; none where they allow
    two, or a rival's.
    """
    candidates = list_candidates(shape, distribution, layouts)
    possible = [c for c in candidates.named if not scale.rules_out(get_parameter(c.law))]
    if not possible or not scale.allows(get_parameter(possible[0].law)):
        return ()
    if not all(_is_same(candidate.law, possible[0].law) for candidate in possible):
        return ()
    return () if any(scale.allows(rival) for rival in candidates.rivals) else possible


def _is_moved(
    scale: _Scale,
    distribution: Distribution,
    shape: tuple[int, ...],
    layouts: tuple[AxisLayout, ...],
) -> bool:
    """Do the values end a little beyond a named initializer's law, as if they had been drawn from
    it and trained since?
    """
    candidates = list_candidates(shape, distribution, layouts)
    named = [get_parameter(candidate.law) for candidate in candidates.named]
    if any(scale.allows(parameter) for parameter in (*named, *candidates.rivals)):
        return False
    return any(parameter < scale.low and scale.value <= _MOVED * parameter for parameter in named)


def _agree(known: Sequence[Candidate]) -> Sequence[Candidate]:
    """All names in one layout, if those in the other are among them: else nobody knows which."""
    groups = [[c for c in known if c.layout == layout] for layout in LAYOUTS]
    most = max(groups, key=len)
    names = {candidate.name for candidate in most}
    return most if all(candidate.name in names for candidate in known) else ()


def _is_same(a: Drawn, b: Drawn) -> bool:
    return math.isclose(get_parameter(a), get_parameter(b), rel_tol=_SAME)
