"""The counts of a tensor as bins, in NumPy: what the keys mean as numbers."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from xavinit.reading.numbers import Layout

Array = np.ndarray[Any, Any]
Columns = tuple[Array, Array, Array, Array]  # lower, upper, values, counts

_INFINITY = 0x7F80  # the key of it


def find_values(layout: Layout, magnitudes: Array) -> Array:
    """The values of magnitudes; of those for infinity and NaN, what would stand there."""
    exponents = magnitudes >> layout.mantissa
    fractions = (magnitudes & (2**layout.mantissa - 1)).astype(np.float64)
    ones = np.full(len(magnitudes), 2.0**layout.mantissa)
    if layout.order in ("EXPONENTS", "BINS_OF_FLOAT64"):  # no subnormal numbers
        if layout.order == "BINS_OF_FLOAT64":
            ones, fractions = (np.where(magnitudes == 0, 0.0, x) for x in (ones, fractions))
    else:
        ones = np.where(exponents == 0, 0.0, ones)
        exponents = np.maximum(exponents - 1, 0)
    values: Array = np.ldexp(
        ones + fractions, layout.smallest_exponent - layout.mantissa + exponents
    )
    return values


def list_wide(counts: Array, layout: Layout, negative_infinities: int) -> Columns:
    """The half-open bins of wide numbers, without those of infinity and NaN."""
    keys = np.arange(-_INFINITY, _INFINITY + 1)
    edges = np.where(keys < 0, -1.0, 1.0) * find_values(layout, np.abs(keys))
    lower, upper = edges[:-1].copy(), edges[1:].copy()
    values = np.where(keys[:-1] == 0, 0.0, (lower + upper) / 2)
    counts = counts[keys[:-1] + len(counts) // 2]
    counts[0] -= negative_infinities  # they share the outermost bin
    if layout.order == "BINS_OF_FLOAT64":
        lower[0], upper[-1] = -sys.float_info.max, sys.float_info.max
    return _drop_empty(lower, upper, values, counts)


def list_codes(counts: Array, layout: Layout) -> tuple[Columns, int, int, int]:
    """A bin for each code; and how many numbers are NaN, ∞ and −∞."""
    codes = np.arange(2**layout.bits)
    counts = counts[: len(codes)]
    if "INTEGERS" in layout.order:
        signed = layout.order == "SIGNED_INTEGERS"
        values = codes - len(codes) // 2 if signed else codes
        return _drop_empty(values - 0.5, values + 0.5, values, counts[values]), 0, 0, 0
    magnitudes = np.arange(layout.finite)
    values = find_values(layout, np.arange(layout.finite + 1))
    outer = (values[:-1] + values[1:]) / 2
    if layout.order == "EXPONENTS":
        inner = np.concatenate([[0.0], outer[:-1]])
        columns = _drop_empty(inner, outer, values[:-1], counts[magnitudes])
        return columns, int(counts[layout.finite :].sum()), 0, 0
    sign = len(codes) // 2
    positive, negative = counts[:sign].copy(), counts[sign:].copy()
    nans = int(positive[layout.finite :].sum() + negative[layout.finite :].sum())
    infinities = (0, 0)
    if layout.has_infinity:
        infinities = (int(positive[layout.finite]), int(negative[layout.finite]))
    if layout.has_negative_zero:
        positive[0] += negative[0]
    else:
        nans += int(negative[0])
    columns = _drop_empty(
        np.concatenate([-outer[:0:-1], [-outer[0]], outer[:-1]]),
        np.concatenate([-outer[-2::-1], outer]),
        np.concatenate([-values[-2:0:-1], values[:-1]]),
        np.concatenate([negative[layout.finite - 1 : 0 : -1], positive[: layout.finite]]),
    )
    return columns, nans - sum(infinities), *infinities


def _drop_empty(lower: Array, upper: Array, values: Array, counts: Array) -> Columns:
    held = counts > 0
    return lower[held], upper[held], values[held], counts[held]
