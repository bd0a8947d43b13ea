"""Counts and sums of numbers, written in NumPy to be read: the native kernel gives the same bits.

A number's key is its code, if that has at most 16 bits; else its sign, exponent and 7 bits of its
mantissa, as one integer that has the order of the numbers.
"""

from __future__ import annotations

from array import array
from typing import Any

import numpy as np

from xavinit.reading.kernels import RUN, Found
from xavinit.reading.moments import Run
from xavinit.reading.numbers import ZOOMED, Numbers, Zoom
from xavinit.reading.reference_bins import list_codes, list_wide
from xavinit.reading.values import Bins

LANES = 16  # of sums: element i of a run is added in lane i % 16
KEYS = 65536

_LARGE, _SCALE = 2.0**500, 2.0**600  # of differences whose squares would overflow

Array = np.ndarray[Any, Any]


class Totals:
    """The counts of one tensor, by key; of wide numbers also their facts."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self.counts = np.zeros(KEYS, np.int64)
        self.zeros = self.nans = self.positive_infinities = self.negative_infinities = 0
        self.extremes: tuple[int, int] | None = None

    def add_facts(self, orders: Array, largest: int, zero: int) -> None:
        """Count the ordered integers of wide numbers; those beyond `largest` are not finite."""
        self.zeros += int((orders == zero).sum())
        self.positive_infinities += int((orders == largest + 1).sum()) if largest else 0
        self.negative_infinities += int((orders == -largest - 1).sum()) if largest else 0
        if largest:
            magnitudes = np.abs(orders)
            self.nans += int((magnitudes > largest + 1).sum())
            orders = orders[magnitudes <= largest]
        if len(orders):
            found = (int(orders.min()), int(orders.max()))
            low, high = self.extremes or found
            self.extremes = (min(low, found[0]), max(high, found[1]))

    def find(self, numbers: Numbers) -> Found:
        if numbers.is_narrow:
            columns, nans, positive, negative = list_codes(self.counts, numbers.layout)
            bins = _make_bins(columns, is_exact=True)
            values, counts = columns[2], columns[3]
            zeros = int(counts[values == 0].sum())
            return Found(bins, zeros, nans, positive, negative, codes=_sum_codes(values, counts))
        bins = _make_bins(
            list_wide(self.counts, numbers.layout, self.negative_infinities), is_exact=False
        )
        specials = (self.zeros, self.nans, self.positive_infinities, self.negative_infinities)
        return Found(bins, *specials, extremes=self.extremes)

    def list_keys(self) -> list[tuple[int, int]]:
        keys = np.flatnonzero(self.counts[:ZOOMED])
        return list(zip(keys.tolist(), self.counts[keys].tolist(), strict=True))


class Counter:
    """Counts blocks of numbers. One for each thread."""

    def __init__(self) -> None:
        self._new = Totals()  # since the last flush
        self._open = np.zeros(0)  # the values of the open run

    def scan(self, numbers: Numbers, block: memoryview, *, is_last: bool) -> list[Run]:
        if numbers.is_narrow:
            self._count(_read_codes(numbers.bits, block))
            return []
        wide = np.frombuffer(block, np.dtype(numbers.kind).newbyteorder("<"))
        orders, largest, zero = _find_orders(wide)
        self._new.add_facts(orders, largest, zero)
        with np.errstate(invalid="ignore"):  # a signaling NaN
            values = wide.astype(np.float64)
        self._count(_find_keys(orders if numbers.kind == "float32" else values))
        return self._end_runs(values, numbers.kind == "float64", is_last)

    def look(self, numbers: Numbers, block: memoryview, zoom: Zoom) -> None:
        wide = np.frombuffer(block, np.dtype(numbers.kind).newbyteorder("<"))
        orders, _, _ = _find_orders(wide)
        inside = orders[(orders >= zoom.first) & (orders <= zoom.last)]
        self._count((inside >> zoom.shift) - (zoom.first >> zoom.shift))

    def flush(self, totals: Totals) -> None:
        new, self._new = self._new, Totals()
        totals.counts += new.counts
        totals.zeros += new.zeros
        totals.nans += new.nans
        totals.positive_infinities += new.positive_infinities
        totals.negative_infinities += new.negative_infinities
        if new.extremes is not None:
            low, high = totals.extremes or new.extremes
            totals.extremes = (min(low, new.extremes[0]), max(high, new.extremes[1]))

    def _count(self, keys: Array) -> None:
        self._new.counts += np.bincount(keys, minlength=KEYS)

    def _end_runs(self, values: Array, is_scaled: bool, is_last: bool) -> list[Run]:
        values = np.concatenate([self._open, values])
        stop = len(values) if is_last else len(values) // RUN * RUN
        self._open = values[stop:]
        return [_sum_run(values[i : min(i + RUN, stop)], is_scaled) for i in range(0, stop, RUN)]


# --- Keys --------------------------------------------------------------------------------------


def _read_codes(bits: int, block: memoryview) -> Array:
    """Codes; where several share a byte, the first has its lowest bits."""
    if bits >= 8:
        return np.frombuffer(block, f"<u{bits // 8}")
    single = np.unpackbits(np.frombuffer(block, np.uint8), bitorder="little").reshape(-1, bits)
    codes = np.zeros(len(single), np.uint8)
    for bit in range(bits):
        codes |= single[:, bit] << np.uint8(bit)
    return codes


def _find_orders(numbers: Array) -> tuple[Array, int, int]:
    """Numbers as integers in the order of their values; the largest finite one of floats; zero."""
    size = numbers.dtype.itemsize
    if numbers.dtype.kind == "f":
        bits = numbers.view(f"<i{size}").astype(np.int64)
        magnitudes = bits & (2 ** (8 * size - 1) - 1)
        infinity = int(np.array(np.inf, numbers.dtype).view(f"<i{size}"))
        return np.where(bits < 0, -magnitudes, magnitudes), infinity - 1, 0
    if numbers.dtype == np.uint64:
        return (numbers ^ np.uint64(2**63)).view(np.int64), 0, -(2**63)
    return numbers.astype(np.int64), 0, 0


_WINDOW = 896 << 52  # the bits of 2^-127: the bins of float64 have the exponents from there …
_TOP = 0x7F80 << 45  # … to 2^127; all beyond is in the outermost ones


def _find_keys(numbers: Array) -> Array:
    """The keys of float32, given as ordered integers, or of float64 values."""
    if numbers.dtype == np.int64:
        return (numbers >> 16) + KEYS // 2
    orders, largest, _ = _find_orders(numbers)
    magnitudes = np.abs(orders)
    places = np.clip(magnitudes - _WINDOW, magnitudes != 0, _TOP - 1)
    places = np.where(magnitudes > largest, _TOP + (magnitudes > largest + 1), places)
    keys: Array = (np.where(orders < 0, -places, places) >> 45) + KEYS // 2
    return keys


def _make_bins(columns: tuple[Array, Array, Array, Array], *, is_exact: bool) -> Bins:
    lower, upper, values = (array("d", c.astype(np.float64).tobytes()) for c in columns[:3])
    return Bins(lower, upper, values, array("q", columns[3].tobytes()), is_exact)


# --- Sums --------------------------------------------------------------------------------------


def _sum_run(values: Array, is_scaled: bool) -> Run:
    """The sums of a run; those of float64 are scaled."""
    is_finite = np.isfinite(values)
    if not is_finite.any():
        return Run(0.0, 0.0, 0.0, 0.0)
    pivot = values[is_finite][0]
    values = np.where(is_finite, values, pivot)
    with np.errstate(over="ignore", under="ignore"):
        d = values - pivot
        if not is_scaled:
            return Run(float(is_finite.sum()), float(pivot), _add_lanes(d), _add_lanes(d * d))
        is_large, is_small = np.abs(d) >= _LARGE, np.abs(d) < 1 / _LARGE
        large = np.where(is_large, values / _SCALE - pivot / _SCALE, 0.0)
        small = np.where(is_small, d, 0.0) * _SCALE
        d = np.where(is_large, 0.0, d)
        middle = np.where(is_small, 0.0, d)
        terms = (d, middle * middle, small * small, large, large * large)
    return Run(float(is_finite.sum()), float(pivot), *map(_add_lanes, terms))


def _add_lanes(terms: Array) -> float:
    """Their sum: each lane from its first term to its last, then lane after lane."""
    rows = np.zeros((-(-len(terms) // LANES) + 1, LANES))  # the first row is where sums begin
    rows.reshape(-1)[LANES : LANES + len(terms)] = terms
    lanes = np.add.accumulate(rows, axis=0)[-1]
    return float(np.add.accumulate(lanes)[-1])


def _sum_codes(values: Array, counts: Array) -> Run:
    """The numbers of a tensor as one run, bin after bin; the pivot is the middle bin's value."""
    if not len(values):
        return Run(0.0, 0.0, 0.0, 0.0)
    number, d = counts.astype(np.float64), values - values[len(values) // 2]

    def add(terms: Array) -> float:
        return float(np.add.accumulate(np.concatenate([[0.0], terms]))[-1])

    middle = float(values[len(values) // 2])
    return Run(add(number), middle, add(number * d), add(number * (d * d)))
