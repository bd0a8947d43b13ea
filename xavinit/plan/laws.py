"""Laws: what an initializer draws from once the fans are known."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from functools import cached_property
from typing import ClassVar

from msgspec import Struct

from xavinit.dtypes import DType

# The largest |z| that a stream can give, rounded up (docs/reproducibility.md): t is at least 2⁻³²,
# or 2⁻⁶⁴ in float64. A truncated normal ends at its cut.
LARGEST_NORMAL = {"float64": 9.2}
LARGEST_NORMAL_SINGLE = 6.4
CUT = 2.0
FEW = 16  # elements; of a smaller tensor PyTorch draws normals in pairs, not in blocks of so many

# The standard deviation of a unit normal cut at ±2: √(1 − 4φ(2)/(2Φ(2) − 1)).
CUT_STD = 0.87962566103423975  # 0.879625661034239750412841…


def _find_limit(dtype: DType) -> float:
    """The largest magnitude that rounds to zero: half of the smallest number, a tie to even."""
    return dtype.smallest / 2


class AnyLaw(Struct, frozen=True):
    """What all laws have."""

    # Must a tensor be made in one piece, because its elements depend on each other? If not, any
    # part of it can be drawn by itself.
    is_whole: ClassVar[bool] = False


class Fixed(AnyLaw, frozen=True):
    """Numbers that are known: nothing is drawn."""


class Constant(Fixed, frozen=True):
    """The same number everywhere."""

    value: bool | int | float

    def largest(self, dtype: DType) -> float:
        return abs(self.value)

    def compute_zero_share(self, dtype: DType) -> float:
        """The share of values that are not zero, but round to it in a float dtype."""
        return float(0 < abs(self.value) <= _find_limit(dtype))

    def __str__(self) -> str:
        return f"constant {str(self.value).lower()}"  # true, not True


class GateConstant(Constant, frozen=True):
    """The same number in the elements [start, stop), zero in the others."""

    start: int
    stop: int

    def cut(self, indices: range) -> Constant | GateConstant:
        """The law of these elements alone: a plain constant where they are all one number."""
        if self.start <= indices[0] and indices[-1] < self.stop:
            return Constant(self.value)
        if indices[-1] < self.start or self.stop <= indices[0]:
            return Constant(0)
        return self

    def __str__(self) -> str:
        return f"constant {self.value} at {self.start}…{self.stop - 1}"


class Arange(Fixed, frozen=True):
    """Element k of each row is number k // repeat of an arithmetic progression."""

    start: int | float
    step: int | float
    repeat: int
    length: int  # of a row: the last axis

    @property
    def count(self) -> int:
        """How many numbers, of which each is `repeat` times in a row."""
        return -(-self.length // self.repeat)

    @property
    def is_integer(self) -> bool:
        return isinstance(self.start, int) and isinstance(self.step, int)

    def compute(self, index: int) -> int | float:
        """The number at this index: an integer exactly, else two operations of float64."""
        if self.is_integer:
            return self.start + self.step * index
        return float(self.start) + float(self.step) * float(index)

    def largest(self, dtype: DType) -> float:
        return max(abs(self.compute(0)), abs(self.compute(self.count - 1)))

    def compute_zero_share(self, dtype: DType) -> float:
        if self.is_integer:
            return 0.0
        limit, indices = _find_limit(dtype), range(self.count)
        sign = -1 if self.step < 0 else 1  # the numbers ascend with it

        def count_up_to(number: float, *, included: bool) -> int:
            bisect = bisect_right if included else bisect_left
            return min(
                self.repeat * bisect(indices, number, key=lambda i: sign * self.compute(i)),
                self.length,
            )

        zeros = count_up_to(0.0, included=True) - count_up_to(0.0, included=False)
        near = count_up_to(limit, included=True) - count_up_to(-limit, included=False)
        return (near - zeros) / self.length

    def __str__(self) -> str:
        text = f"arange {self.start:.6g}" if self.start else "arange"
        text += f" step {self.step:.6g}" if self.step != 1 else ""
        return text + (f" repeat {self.repeat}" if self.repeat > 1 else "")


class Values(Fixed, frozen=True, dict=True):  # dict: for the cached properties
    """The numbers of a list, one an element."""

    values: tuple[bool | int | float, ...]

    @cached_property
    def magnitudes(self) -> list[int | float]:
        """Those of its numbers, sorted."""
        return sorted(map(abs, self.values))

    @cached_property
    def digits(self) -> int:
        """The binary digits that its longest integer takes, but for zeros at the end."""
        integers = [abs(value) for value in self.values if isinstance(value, int) and value]
        return max((n.bit_length() - (n & -n).bit_length() + 1 for n in integers), default=0)

    @property
    def length(self) -> int:
        return len(self.values)

    def largest(self, dtype: DType) -> float:
        return self.magnitudes[-1]

    def compute_zero_share(self, dtype: DType) -> float:
        near = bisect_right(self.magnitudes, _find_limit(dtype))
        return (near - bisect_right(self.magnitudes, 0)) / len(self.values)

    def __str__(self) -> str:
        return f"values {len(self.values)}"


class LogArange(Fixed, frozen=True):
    """Element k of each row is the logarithm of k + 1."""

    length: int  # of a row: the last axis

    def largest(self, dtype: DType) -> float:
        return math.log(self.length)

    def compute_zero_share(self, dtype: DType) -> float:
        return 0.0

    def __str__(self) -> str:
        return f"ln 1…{self.length}"


class Uniform(AnyLaw, frozen=True):
    """Uniform on (−bound, bound)."""

    bound: float

    def largest(self, dtype: DType) -> float:
        return self.bound

    def compute_zero_share(self, dtype: DType) -> float:
        return min(_find_limit(dtype) / self.bound, 1.0)

    def __str__(self) -> str:
        return f"uniform ±{self.bound:.6g}"


class Normal(AnyLaw, frozen=True):
    """Normal with mean 0 and this standard deviation."""

    std: float

    def largest(self, dtype: DType) -> float:
        return LARGEST_NORMAL.get(dtype.name, LARGEST_NORMAL_SINGLE) * self.std

    def compute_zero_share(self, dtype: DType) -> float:
        return _compute_central_share(_find_limit(dtype), self.std)

    def __str__(self) -> str:
        return f"normal std {self.std:.6g}"


class UniformOn(AnyLaw, frozen=True):
    """Uniform on [low, high), of the rng of a framework."""

    low: float
    high: float

    def largest(self, dtype: DType) -> float:
        return max(abs(self.low), abs(self.high))

    def compute_zero_share(self, dtype: DType) -> float:
        limit = _find_limit(dtype)
        if self.low == self.high:
            return float(0 < abs(self.low) <= limit)
        inside = min(limit, self.high) - max(-limit, self.low)
        return max(inside, 0.0) / (self.high - self.low)

    def __str__(self) -> str:
        return f"uniform {self.low:.6g}…{self.high:.6g}"


class NormalAround(AnyLaw, frozen=True):
    """Normal with this mean and standard deviation, of the rng of a framework."""

    mean: float
    std: float

    def largest(self, dtype: DType) -> float:
        reach = LARGEST_NORMAL.get(dtype.name, LARGEST_NORMAL_SINGLE) * self.std
        return abs(self.mean) + reach

    def compute_zero_share(self, dtype: DType) -> float:
        return _compute_share_between(_find_limit(dtype), self.mean, self.std)

    def __str__(self) -> str:
        return f"normal mean {self.mean:.6g} std {self.std:.6g}"


class CutNormal(AnyLaw, frozen=True):
    """Normal of this mean and standard deviation, drawn again where it is not within [low, high]:
    PyTorch's `trunc_normal_`.
    """

    mean: float
    std: float
    low: float
    high: float

    def largest(self, dtype: DType) -> float:
        return max(abs(self.low), abs(self.high))

    def compute_zero_share(self, dtype: DType) -> float:
        return _compute_share_between(_find_limit(dtype), self.mean, self.std)

    def __str__(self) -> str:
        return f"normal std {self.std:.6g} within {self.low:.6g}…{self.high:.6g}"


class TruncatedNormal(AnyLaw, frozen=True):
    """Normal, cut at two of its own standard deviations; `std` is that of the cut law."""

    std: float

    @property
    def uncut_std(self) -> float:
        """The standard deviation before the cut."""
        return self.std / CUT_STD

    def largest(self, dtype: DType) -> float:
        return CUT * self.uncut_std

    def compute_zero_share(self, dtype: DType) -> float:
        share = _compute_central_share(_find_limit(dtype), self.uncut_std)
        return min(share / math.erf(CUT / math.sqrt(2)), 1.0)

    def __str__(self) -> str:
        return f"truncated std {self.std:.6g}"


def _compute_central_share(limit: float, std: float) -> float:
    """The probability that a normal of this std is at most `limit` in magnitude."""
    return math.erf(min(limit / std, 100.0) / math.sqrt(2))


def _compute_share_between(limit: float, mean: float, std: float) -> float:
    """The probability that a normal is at most `limit` in magnitude."""
    below, above = ((x / std) / math.sqrt(2) for x in (-limit - mean, limit - mean))
    return (math.erf(above) - math.erf(below)) / 2


Sequence = Arange | Values | LogArange
Law = (
    Constant | Sequence | Uniform | Normal | TruncatedNormal | UniformOn | NormalAround | CutNormal
)
