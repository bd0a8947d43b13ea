"""The normal quantile Q(t) = Φ⁻¹(1 − t/2) = √2·erfinv(x), x = 1 − t, by arithmetic alone.

With w = −log₂(t·(2 − t)) = −log₂(1 − x²), the ratio Q/x is smooth on the whole range: √(π/2) in
the middle, growing like √(2·ln 2·w) in the tails. So one rational function serves both, and
nothing branches:

    y = t·(2 − t) = f·2⁻ᵏ,  k an integer, f in (√½, √2]     (bit operations)
    s = (1 − f)/(1 + f)
    w = k + s·L(s²)                                          (−log₂ f = (2/ln 2)·atanh s)
    Q = x·(N(w)/D(w))

L by Horner's rule; N and D by Horner's rule in w² on the even and on the odd coefficients apart:
P(w) = E(w²) + w·O(w²), which rounds half as often in a row. Every operation is one IEEE 754
operation in the working precision, in the order written, so that any machine and any language
gives the same bits.

The relative error against the exact Q of the exact t was measured over all t in float32 and over
samples in float64; docs/reproducibility.md has the figures. The coefficients were computed by
tools/fit_quantile.py, which derives them from the definitions above.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from msgspec import Struct

Array = np.ndarray[Any, np.dtype[Any]]


class Precision(Struct, frozen=True):
    """A working precision: its types, its bit layout and its coefficients, lowest power first."""

    real: type[np.floating[Any]]
    integer: type[np.signedinteger[Any]]  # as wide as `real`
    word: type[np.unsignedinteger[Any]]
    mantissa: int  # stored bits
    sqrt2_bits: int  # the bits of √2
    numerator: tuple[str, ...]
    denominator: tuple[str, ...]
    log: tuple[str, ...]

    @property
    def bits(self) -> int:
        return 8 * np.dtype(self.real).itemsize

    def coefficients(self, part: str) -> list[Any]:
        """The named coefficients as scalars of the working precision."""
        return [self.real(float.fromhex(text)) for text in getattr(self, part)]


SINGLE = Precision(
    real=np.float32,
    integer=np.int32,
    word=np.uint32,
    mantissa=23,
    sqrt2_bits=0x3FB504F3,
    numerator=(
        "0x1.40d9320000000p+0",
        "0x1.3da78a0000000p-2",
        "0x1.6660700000000p-5",
        "0x1.1196320000000p-8",
        "0x1.13eb780000000p-12",
        "0x1.3fae4e0000000p-17",
        "0x1.6f4d720000000p-26",
    ),
    denominator=(
        "0x1.0000000000000p+0",
        "0x1.0e85d80000000p-4",
        "0x1.10f31e0000000p-6",
        "0x1.942f820000000p-11",
        "0x1.e24a880000000p-15",
        "0x1.42f5000000000p-21",
    ),
    log=(
        "0x1.71547a0000000p+1",
        "0x1.ec55700000000p-1",
        "0x1.31067c0000000p-1",
    ),
)

DOUBLE = Precision(
    real=np.float64,
    integer=np.int64,
    word=np.uint64,
    mantissa=52,
    sqrt2_bits=0x3FF6A09E667F3BCD,
    numerator=(
        "0x1.40d931ff626f7p+0",
        "0x1.514829780ddfap-2",
        "0x1.024eb0d2d2dc6p-4",
        "0x1.1977c13a701a4p-7",
        "0x1.d60ff050085e4p-11",
        "0x1.36b9b2a439aefp-14",
        "0x1.46e5d0fa6c650p-18",
        "0x1.125679b2cc9c2p-22",
        "0x1.72a86e8470652p-27",
        "0x1.965d5b6aaa048p-32",
        "0x1.3cd80a1705bb4p-37",
        "0x1.98a8dc111b7ecp-43",
        "0x1.dee38368c7988p-51",
        "0x1.ae6a50b9b2878p-62",
    ),
    denominator=(
        "0x1.0000000000000p+0",
        "0x1.4d2a51ace066ep-4",
        "0x1.dffb23f4a22a5p-6",
        "0x1.f38cc6ca6bc63p-10",
        "0x1.30fac6606f382p-12",
        "0x1.e3409fe46d571p-17",
        "0x1.3873eb10a3224p-20",
        "0x1.6867934422d05p-25",
        "0x1.11bdd0a221d26p-29",
        "0x1.a167f07fe0e0bp-35",
        "0x1.64ab50616d603p-40",
        "0x1.d719115b85f8ap-47",
        "0x1.999a826aaaa16p-56",
    ),
    log=(
        "0x1.71547652b82fep+1",
        "0x1.ec709dc3a047bp-1",
        "0x1.2776c50ee3c92p-1",
        "0x1.a61762d658436p-2",
        "0x1.484afb8f1581ep-2",
        "0x1.0ca15c96d64f7p-2",
        "0x1.c46ec6ae826fbp-3",
        "0x1.b58c5e6f676a1p-3",
    ),
)


class Quantile:
    """Q in one precision, with work arrays for up to `size` elements. Not for two threads."""

    def __init__(self, precision: Precision, size: int) -> None:
        self.precision = precision
        self._numerator = precision.coefficients("numerator")
        self._denominator = precision.coefficients("denominator")
        self._log = precision.coefficients("log")
        self._one, self._two = precision.real(1), precision.real(2)
        self._work = [np.empty(size, precision.real) for _ in range(4)]

    def evaluate(self, t: Array, x: Array, out: Array) -> None:
        """Write Q into `out`, given t in (0, 1] and x = 1 − t; `out` may be `t`, not `x`."""
        w, square, even, other = (array[: len(t)] for array in self._work)
        self._take_log(t, w, other, square, even.view(self.precision.integer))
        np.multiply(w, w, out=square)
        self._sum_powers(self._numerator, w, square, even, out)
        self._sum_powers(self._denominator, w, square, other, even)
        # now N is in out, D in even
        np.divide(out, even, out=out)
        np.multiply(x, out, out=out)

    def _take_log(self, t: Array, w: Array, s: Array, square: Array, k: Array) -> None:
        """w = −log₂(t·(2 − t)); the others are work."""
        kind = self.precision
        np.subtract(self._two, t, out=w)
        np.multiply(t, w, out=w)
        bits = w.view(kind.integer)
        np.subtract(kind.integer(kind.sqrt2_bits), bits, out=k)
        np.right_shift(k, kind.integer(kind.mantissa), out=k)
        scaled = square.view(kind.integer)
        np.left_shift(k, kind.integer(kind.mantissa), out=scaled)
        np.add(bits, scaled, out=bits)  # w now holds f
        np.subtract(self._one, w, out=s)
        np.add(self._one, w, out=w)
        np.divide(s, w, out=s)
        np.multiply(s, s, out=square)
        self._horner(self._log, square, w)
        np.multiply(s, w, out=w)
        np.copyto(s, k, casting="same_kind")
        np.add(s, w, out=w)

    def _sum_powers(
        self, coefficients: list[Any], w: Array, square: Array, work: Array, out: Array
    ) -> None:
        """out = E(w²) + w·O(w²)."""
        self._horner(coefficients[1::2], square, work)
        np.multiply(w, work, out=work)
        self._horner(coefficients[0::2], square, out)
        np.add(out, work, out=out)

    @staticmethod
    def _horner(coefficients: list[Any], variable: Array, out: Array) -> None:
        """out = c₀ + v·(c₁ + v·(c₂ + …)), innermost first."""
        *lower, highest = coefficients
        np.multiply(variable, highest, out=out)
        np.add(out, lower.pop(), out=out)
        for coefficient in reversed(lower):
            np.multiply(out, variable, out=out)
            np.add(out, coefficient, out=out)
