"""Rounding of float32 arrays to a smaller dtype's own bits, to nearest even."""

from __future__ import annotations

from typing import Any

import numpy as np

from xavinit.dtypes import DType

Array = np.ndarray[Any, np.dtype[Any]]

_SINGLE_MANTISSA = 23
_SINGLE_SMALLEST = -126


def round_single(values: Array, dtype: DType, out: Array) -> None:
    """Round float32 values to a smaller float's bits, once.

    `out` holds unsigned integers of the dtype's width. The values must be finite and within the
    dtype's range, which the plan has checked.
    """
    bits = values.view(np.uint32)
    magnitude = bits & np.uint32(0x7FFFFFFF)
    dropped = _SINGLE_MANTISSA - dtype.mantissa
    # Normal results: add just under half of the last kept bit, and that bit itself, so that a tie
    # goes to even; a carry runs into the exponent, as it should. Then move the exponent's bias.
    last = (magnitude >> np.uint32(dropped)) & np.uint32(1)
    codes = (magnitude + last + np.uint32((1 << (dropped - 1)) - 1)) >> np.uint32(dropped)
    if dtype.smallest_exponent != _SINGLE_SMALLEST:
        bias = np.uint32((dtype.smallest_exponent - _SINGLE_SMALLEST) << dtype.mantissa)
        codes -= bias  # wraps below the smallest normal, where it is not used
        # Subnormal results: add a power of two whose last bit is the smallest subnormal; then the
        # addition itself rounds to a multiple of that.
        magic = np.float32(2.0 ** (dtype.smallest_exponent - dtype.mantissa + _SINGLE_MANTISSA))
        small = (magnitude.view(np.float32) + magic).view(np.uint32) - magic.view(np.uint32)
        limit = np.float32(2.0**dtype.smallest_exponent).view(np.uint32)
        np.copyto(codes, small, where=magnitude < limit)
    width = 8 * dtype.itemsize
    signs = (bits >> np.uint32(31)) << np.uint32(width - 1)
    if not dtype.has_negative_zero:
        signs[codes == 0] = 0
    codes |= signs
    np.copyto(out, codes, casting="unsafe")  # the upper bits are zero
