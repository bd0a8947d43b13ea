"""Laws → values: the readable NumPy form of the number contract, stream `xavinit-1`.

An element is a pure function of (key, law, dtype, index). Every operation is one IEEE 754
operation in the order written here; docs/reproducibility.md states the same in prose. NumPy's
separate ufuncs never fuse a multiplication with an addition, which keeps this true.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from xavinit.dtypes import DType
from xavinit.layers import View
from xavinit.plan import Fixed, Law, Normal, TruncatedNormal, Uniform
from xavinit.streams.constants import fill_constant
from xavinit.streams.gather import gather_words, split_range
from xavinit.streams.quantile import DOUBLE, SINGLE, Precision, Quantile
from xavinit.streams.rounding import round_single
from xavinit.streams.words import Words

Array = np.ndarray[Any, np.dtype[Any]]
Random = Uniform | Normal | TruncatedNormal

# Elements drawn at once. Smaller blocks would fit the second-level cache, but then each NumPy call
# is so short that two threads spend their time handing the interpreter lock to each other: with
# 2¹⁵, two threads draw normals 1.3 × as fast as one, with 2¹⁷ 2.5 ×.
BLOCK = 1 << 17

# A normal cut at ±2: the two-sided tail probability beyond 2, and what is left between.
ALPHA = 0.045500263896358414  # erfc(√2) = 0.0455002638963584144…
BETA = 0.95449973610364159  # erf(√2) = 0.954499736103641585…


class Filler:
    """Fills buffers with elements of any key. One for each thread: it owns its work arrays."""

    def __init__(self) -> None:
        self._words = Words()
        self._samplers: dict[str, _Sampler] = {}
        self._rounded = np.empty(BLOCK, np.float32)
        self._spaces: list[Array] = []

    def fill(
        self,
        out: memoryview,
        key: int,
        law: Law,
        dtype: DType,
        start: int,
        stop: int,
        view: View | None = None,
    ) -> None:
        """Fill `out` with the little-endian bytes of the elements [start, stop), of a view or not.

        `out` holds exactly (stop − start)·itemsize bytes.
        """
        if isinstance(law, Fixed):
            fill_constant(out, law, dtype, start, stop, view)
            return
        if not isinstance(law, Uniform | Normal | TruncatedNormal):  # of the rng of a framework
            raise TypeError(f"no numbers for {law}")
        double = dtype.name == "float64"
        words = self._words.read if double else self._words.read_halves
        read = partial(words, key)
        sampler = self._find_sampler(DOUBLE if double else SINGLE)
        code = {"float64": "<f8", "float32": "<f4", "float16": "<f2"}.get(
            dtype.name, f"<u{dtype.itemsize}"
        )
        target = np.frombuffer(out, code)
        # An underflow is a result like any other, whatever the caller's error state.
        with np.errstate(all="ignore"):
            if view is None:
                for first in range(start, stop, BLOCK):
                    bits = read(first, min(BLOCK, stop - first))
                    piece = target[first - start : first - start + len(bits)]
                    self._round(sampler, law, dtype, bits, piece)
                return
            for part in split_range(view, start, stop, target, BLOCK):
                bits = self._find_space(0, sampler.kind.word)[: part.size]
                gather_words(read, part.axes, bits)
                values = self._find_space(1, target.dtype)[: part.size]
                self._round(sampler, law, dtype, bits, values)
                np.copyto(part.out, values.reshape(part.out.shape))

    def _round(self, sampler: _Sampler, law: Random, dtype: DType, bits: Array, out: Array) -> None:
        """The values of these words, rounded to the dtype."""
        if dtype.name in ("float64", "float32"):
            sampler.sample(law, bits, out)
            return
        values = self._rounded[: len(bits)]
        sampler.sample(law, bits, values)
        if dtype.name == "float16":
            np.copyto(out, values, casting="same_kind")  # IEEE rounding, as all casts
        else:
            round_single(values, dtype, out)

    def _find_sampler(self, kind: Precision) -> _Sampler:
        name = kind.real.__name__
        if name not in self._samplers:
            self._samplers[name] = _Sampler(kind)
        return self._samplers[name]

    def _find_space(self, index: int, kind: Any) -> Array:
        """Work arrays of `BLOCK` elements, which only views need."""
        if not self._spaces:
            self._spaces = [np.empty(BLOCK, np.uint64) for _ in range(2)]
        return self._spaces[index].view(kind)


class _Sampler:
    """Words to values in one working precision."""

    def __init__(self, kind: Precision) -> None:
        self.kind = kind
        self._quantile = Quantile(kind, BLOCK)
        self._integers = np.empty(BLOCK, kind.integer)
        self._x = np.empty(BLOCK, kind.real)
        self._t = np.empty(BLOCK, kind.real)
        self._half = kind.real(0.5)

    def sample(self, law: Random, bits: Array, out: Array) -> None:
        """Write the values of these random words, as wide as the precision, into `out`.

        The words are used up: their array is work space.
        """
        real = self.kind.real
        if isinstance(law, Uniform):
            self._sample_unit_uniform(bits, out)
            np.multiply(out, real(law.bound), out=out)
            return
        truncated = isinstance(law, TruncatedNormal)
        std = real(law.uncut_std if isinstance(law, TruncatedNormal) else law.std)
        values = self._t[: len(bits)]
        self._sample_absolute_normal(bits, truncated, values)
        np.multiply(values, std, out=values)
        # The top bit of the word is the sign bit of the value.
        sign = self.kind.word(1 << (self.kind.bits - 1))
        np.bitwise_and(bits, sign, out=bits)
        target = out.view(out.dtype.str.replace("f", "u"))
        np.bitwise_or(values.view(self.kind.word), bits, out=target)

    def _sample_unit_uniform(self, bits: Array, out: Array) -> None:
        """u = (s + ½)·2⁻ᵐ, s the upper m + 1 bits as a signed integer: exact, never 0 or ±1."""
        kind = self.kind
        signed = self._integers[: len(bits)]
        shift = kind.bits - kind.mantissa - 1
        np.right_shift(bits.view(kind.integer), kind.integer(shift), out=signed)
        np.copyto(out, signed, casting="same_kind")
        np.add(out, self._half, out=out)
        np.multiply(out, kind.real(2.0**-kind.mantissa), out=out)

    def _sample_absolute_normal(self, bits: Array, truncated: bool, out: Array) -> None:
        """|z| = Q(t), t = (m + ½)·2⁻ᵇ, m all bits but the top one; b = 31 or 63."""
        kind = self.kind
        low = kind.integer(2 ** (kind.bits - 1) - 1)
        m = self._integers[: len(bits)]
        x = self._x[: len(bits)]
        t = out
        np.bitwise_and(bits.view(kind.integer), low, out=m)
        self._scale(m, t)
        # x = 1 − t from its own integer, so that it keeps its digits where t is near 1
        np.bitwise_xor(m, low, out=m)
        self._scale(m, x)
        if truncated:
            np.multiply(x, kind.real(BETA), out=x)
            np.multiply(t, kind.real(BETA), out=t)
            np.add(t, kind.real(ALPHA), out=t)
        self._quantile.evaluate(t, x, out)
        if truncated:
            np.minimum(out, kind.real(2.0), out=out)

    def _scale(self, integers: Array, out: Array) -> None:
        """(integer + ½)·2⁻ᵇ, each step rounded to the working precision."""
        np.copyto(out, integers, casting="same_kind")
        np.add(out, self._half, out=out)
        np.multiply(out, self.kind.real(2.0 ** (1 - self.kind.bits)), out=out)
