"""a·b + c with one rounding, by exact arithmetic on NumPy's arrays.

NumPy has no such operation, and not every processor has. The sum is first rounded to odd: where it
is not exact its last digit becomes odd. Rounding that once more, to fewer digits, gives what one
rounding would have. Boldo and Melquiond (2008), "Emulation of FMA and correctly rounded sums:
proved algorithms using rounding to odd". Nothing may overflow, or underflow in float64: the numbers
of a stream are far from both.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

_SPLIT = 134217729.0  # 2²⁷ + 1: Veltkamp's, for two halves of a float64


def _add_odd(a: Array, b: Array) -> Array:
    """a + b in float64, rounded to odd."""
    total = a + b
    part = total - a
    error = (a - (total - part)) + (b - part)
    bits = total.view(np.int64)
    step = np.where((error > 0) == (total > 0), 1, -1)
    odd: Array = np.where((error != 0) & ((bits & 1) == 0), bits + step, bits).view(np.float64)
    return odd


def fuse_single(a: Any, b: Any, c: Any) -> Array:
    """The same of float32: a product is exact in float64."""
    a, b, c = (np.asarray(x, np.float32).astype(np.float64) for x in (a, b, c))
    product, c = np.broadcast_arrays(np.atleast_1d(a * b), c)
    rounded: Array = _add_odd(product, c).astype(np.float32)
    return rounded


def fuse_double(a: Any, b: Any, c: Any) -> Array:
    """The same of float64: a product is the sum of two, by Dekker's multiplication."""
    a, b, c = np.broadcast_arrays(*(np.atleast_1d(np.asarray(x, np.float64)) for x in (a, b, c)))
    product = a * b
    (ah, al), (bh, bl) = _halve(a), _halve(b)
    error = ((ah * bh - product) + ah * bl + al * bh) + al * bl
    total = product + c
    part = total - product
    left = (product - (total - part)) + (c - part)
    fused: Array = total + _add_odd(left, error)
    return fused


def _halve(a: Array) -> tuple[Array, Array]:
    scaled = _SPLIT * a
    high = scaled - (scaled - a)
    return high, a - high
