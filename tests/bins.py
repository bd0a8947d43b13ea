"""The narrow bins of an array, by NumPy: independent of the package's own scan.

In a dtype of at most 16 bits each value has a bin. In a wider one, the key of a value is the
integer of its bits without the sign, negated if the sign is set; shifted right, so that 7 bits of
the significand are left, it is the number of the bin. float64 has float32's range of exponents.
"""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

from xavinit.reading import Bins

Array = np.ndarray[Any, np.dtype[Any]]

_MOST = 0x7F7F  # the last finite bin of float32


def make_bins(values: Array) -> Bins:
    """The bins of an array's finite values."""
    flat = values.reshape(-1)
    if flat.dtype.itemsize <= 2:
        return make_exact_bins(flat)
    if flat.dtype.kind in "iu":
        flat = flat.astype(np.float64)
    flat = flat[np.isfinite(flat)]
    if flat.dtype.itemsize == 8:
        number, shift, zero = np.int64, 45, (1023 - 127) << 7
    else:
        number, shift, zero = np.int32, 16, 0
    bits = flat.view(number)
    magnitudes = (bits & np.iinfo(number).max).astype(np.int64)
    # Rounded away from zero where it is negative, so that a bin holds lower ≤ x < upper.
    up = (magnitudes + (1 << shift) - 1) >> shift
    keys = np.where(bits < 0, zero - up, (magnitudes >> shift) - zero)
    if zero:
        tiny = np.abs(flat) < 2.0**-126
        keys = np.where(tiny, np.floor(np.where(tiny, flat, 0) / 2.0**-133), keys).astype(np.int64)
    keys = np.clip(keys, -_MOST - 1, _MOST)
    found, counts = np.unique(keys, return_counts=True)
    lower, upper = find_ends(found), find_ends(found + 1)
    middles = (lower + upper) / 2
    if zero:  # the outermost bins of float64 take all beyond them
        lower[found == -_MOST - 1] = -np.finfo(np.float64).max
        upper[found == _MOST] = np.finfo(np.float64).max
    return Bins(lower.tolist(), upper.tolist(), middles.tolist(), counts.tolist(), False)


def find_ends(keys: Array) -> Array:
    """The least number of each bin, in float64."""
    bits = np.minimum(np.abs(keys), _MOST + 1).astype(np.int64)
    exponent, part = bits >> 7, bits & 127
    normal = (128 + part) * np.exp2(exponent - 134.0)
    return np.sign(keys) * np.where(exponent == 0, part * 2.0**-133, normal)


def make_exact_bins(flat: Array) -> Bins:
    """A bin for each value, its ends half way to its neighbors."""
    dtype = flat.dtype
    if dtype.kind in "iub":
        found, counts = np.unique(flat.astype(np.int64), return_counts=True)
        values = found.astype(np.float64)
        return Bins(
            (values - 0.5).tolist(), (values + 0.5).tolist(), values.tolist(), counts.tolist(), True
        )
    everything = np.arange(2 ** (8 * dtype.itemsize), dtype=f"u{dtype.itemsize}").view(dtype)
    with np.errstate(all="ignore"):
        numbers = everything.astype(np.float64)
        wide = flat.astype(np.float64)
    grid = np.unique(np.where(numbers == 0, 0.0, numbers)[np.isfinite(numbers)])
    found, counts = np.unique(wide[np.isfinite(wide)] + 0.0, return_counts=True)
    middles = (grid[1:] + grid[:-1]) / 2
    lower, upper = np.append(grid[0], middles), np.append(middles, grid[-1])
    places = np.searchsorted(grid, found)
    return Bins(
        lower[places].tolist(), upper[places].tolist(), found.tolist(), counts.tolist(), True
    )


def to_dtype(values: Array, name: str) -> Array:
    """The values in a dtype of this name, rounded to nearest."""
    kind = getattr(ml_dtypes, name, None)
    return values.astype(np.dtype(kind if kind is not None else name))
