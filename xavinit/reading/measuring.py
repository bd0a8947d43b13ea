"""Two blocks of elements → the tally of how far they are apart, with NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
from msgspec import Struct

from xavinit.dtypes import DType
from xavinit.reading.decoding import decode
from xavinit.reading.differences import Number, Place, Tally, Tolerance

Array = np.ndarray[Any, np.dtype[Any]]

_LARGEST = float(np.finfo(np.float64).max)
_SLICE = 1 << 16  # elements that are compared at once: so many fit in a cache


def tally_block(
    a: memoryview, b: memoryview, dtypes: tuple[DType, DType], start: int, tolerance: Tolerance
) -> Tally:
    """Compare two blocks of elements, the first of which has the index `start`."""
    count = len(a) * 8 // dtypes[0].bits
    if dtypes[0] == dtypes[1] and np.array_equal(np.frombuffer(a, "u1"), np.frombuffer(b, "u1")):
        return Tally(count)
    total = Tally()
    for first in range(0, count, _SLICE):
        stop = min(first + _SLICE, count)
        one, other = (
            decode(block[dtype.count_bytes(first) : dtype.count_bytes(stop)], dtype, stop - first)
            for block, dtype in zip((a, b), dtypes, strict=True)
        )
        total += tally_arrays(one, other, dtypes, start + first, tolerance)
    return total


def tally_arrays(
    a: Array, b: Array, dtypes: tuple[DType, DType], start: int, tolerance: Tolerance
) -> Tally:
    """Compare two flat arrays of decoded elements."""
    kinds = {dtype.kind for dtype in dtypes}
    with np.errstate(all="ignore"):  # NaN, infinities and what overflows are told apart
        if kinds <= {"integer", "bool"}:
            found = _measure_integers(a, b)
        else:
            kind = np.complex128 if "complex" in kinds else np.float64
            found = _measure_floats(a.astype(kind), b.astype(kind), _choose_coarser(dtypes))
        near = found.absolute.astype(np.float64)
        limit = tolerance.atol + tolerance.rtol * abs(found.b).astype(np.float64)
    different = ~(found.finite & (near <= limit))
    return Tally(
        len(a),
        len(found.a),
        int(different.sum()),
        int((different & ~found.finite).sum()),
        found.find_first(different, start),
        found.find_greatest(found.absolute, found.finite, start),
        found.find_greatest(found.relative, found.finite & (found.b != 0), start),
        found.find_greatest(found.ulps, found.finite, start),
    )


class _Measured(Struct, frozen=True):
    """The elements that are unequal: where they stand, and how far apart they are."""

    indices: Array
    a: Array
    b: Array
    finite: Array
    absolute: Array
    relative: Array
    ulps: Array | None

    def find_first(self, chosen: Array, start: int) -> Place | None:
        if not chosen.any():
            return None
        return self._place(int(chosen.argmax()), self.absolute, start)

    def find_greatest(self, amounts: Array | None, chosen: Array, start: int) -> Place | None:
        """The greatest of the chosen amounts, at its first place."""
        if amounts is None or not chosen.any():
            return None
        places = np.flatnonzero(chosen)
        return self._place(int(places[amounts[places].argmax()]), amounts, start)

    def _place(self, k: int, amounts: Array, start: int) -> Place:
        amount = _to_number(amounts[k]) if self.finite[k] else None
        return Place(
            start + int(self.indices[k]), _to_number(self.a[k]), _to_number(self.b[k]), amount
        )


def _to_number(element: Any) -> Number:
    number: Number = element.item() if isinstance(element, np.generic) else element
    return number


def _measure_integers(a: Array, b: Array) -> _Measured:
    """Exactly, whatever their signs and widths."""
    kinds = {a.dtype, b.dtype}
    if np.dtype(np.uint64) not in kinds:
        a, b = a.astype(np.int64), b.astype(np.int64)
    elif len(kinds) == 2 and "i" in (a.dtype.kind, b.dtype.kind):
        a, b = a.astype(object), b.astype(object)  # no integer of NumPy's holds both
    else:
        a, b = a.astype(np.uint64), b.astype(np.uint64)
    indices = np.flatnonzero(a != b)
    a, b = a[indices], b[indices]
    absolute = np.maximum(a, b) - np.minimum(a, b)
    if absolute.dtype == np.int64:
        absolute = absolute.view(np.uint64)  # what has wrapped round is right again
    relative = absolute.astype(np.float64) / abs(b.astype(np.float64))
    return _Measured(indices, a, b, np.ones(len(a), bool), absolute, relative, None)


def _measure_floats(a: Array, b: Array, coarser: DType) -> _Measured:
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    if a.dtype == np.complex128:  # NaN stands for NaN, and an infinity for itself, part by part
        pairs = _split(a), _split(b)
        same = ((pairs[0] == pairs[1]) | (np.isnan(pairs[0]) & np.isnan(pairs[1]))).all(axis=1)
    indices = np.flatnonzero(~same)
    a, b = a[indices], b[indices]
    finite = np.isfinite(a) & np.isfinite(b)
    absolute = np.minimum(abs(a - b), _LARGEST)
    relative = np.minimum(absolute / abs(b), _LARGEST)
    one, other = _split(a), _split(b)
    steps = np.minimum(abs(one - other), _LARGEST) / _find_steps(other, coarser)
    ulps = np.minimum(steps, _LARGEST).max(axis=1, initial=0)
    return _Measured(indices, a, b, finite, absolute, relative, ulps)


def _split(numbers: Array) -> Array:
    """The parts of each number: one, or two of a complex one."""
    return numbers.view(np.float64).reshape(len(numbers), numbers.itemsize // 8)


def _find_steps(numbers: Array, dtype: DType) -> Array:
    """The step from each number to the next one of a float's, away from 0."""
    exponents = np.frexp(numbers)[1] - 1
    exponents[numbers == 0] = dtype.smallest_exponent
    steps: Array = np.ldexp(1.0, np.maximum(exponents, dtype.smallest_exponent) - dtype.mantissa)
    return steps


def _choose_coarser(dtypes: tuple[DType, DType]) -> DType:
    """The float of fewer digits; an integer beside it is taken for exact."""
    floats = [dtype for dtype in dtypes if dtype.kind in ("float", "complex")]
    return min(floats, key=lambda dtype: (dtype.mantissa, -dtype.smallest_exponent))
