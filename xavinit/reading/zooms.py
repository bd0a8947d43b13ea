"""A closer look at wide numbers whose narrow bins tell too little of them.

Numbers far from 0 relative to their spread, such as the weights of norms, are in few narrow bins.
Their tensor is read again, and a range of bins is replaced by narrower ones; further times where
that is still too coarse. What is looked at follows from the bins and the extremes alone.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from itertools import accumulate
from typing import NamedTuple

from msgspec import structs

from xavinit.reading.kernels import Found
from xavinit.reading.numbers import ZOOMED, Numbers, Zoom, find_number, find_order
from xavinit.reading.values import Bins

_ENOUGH = 64  # widths of a bin between the quartiles
_MOST_LOOKS = 4
_REACH = 4  # interquartile ranges beyond the quartiles: six stds of a normal law
_DIGITS = 53  # of float64, in which the ends of bins are given

# The closer keys that hold something, ascending, and how many numbers.
Counts = list[tuple[int, int]]
Look = Callable[[Zoom], Counts]


def look_closer(numbers: Numbers, found: Found, look: Look) -> Found:
    """What was found, with narrower bins where they are needed; `look` reads the tensor again."""
    for _ in range(_MOST_LOOKS):
        zoom = find_zoom(numbers, found)
        if zoom is None:
            break
        bins = _divide(numbers, found, zoom, look(zoom))
        if sum(bins.counts) != sum(found.bins.counts):
            break  # the file was written to meanwhile: its first reading stands
        found = structs.replace(found, bins=bins)
    return found


class _Orders(NamedTuple):
    """The bins of wide numbers as integers in the order of their values."""

    numbers: Numbers
    bins: Bins
    low: int  # the least number
    high: int

    @property
    def largest(self) -> float | int:
        """The largest magnitude."""
        return max(abs(find_number(self.numbers, order)) for order in (self.low, self.high))

    def find_start(self, index: int) -> int:
        """The first integer of a bin; of the first bin the least number."""
        return find_order(self.numbers, self.bins.lower[index]) if index else self.low

    def find_stop(self, index: int) -> int:
        """The first integer after a bin; after the last bin that after the largest number."""
        if index == len(self.bins.upper) - 1:
            return self.high + 1
        return find_order(self.numbers, self.bins.upper[index])


def find_zoom(numbers: Numbers, found: Found) -> Zoom | None:
    """What to look at more closely: all numbers where that is much better, else those around the
    quartiles; None where the quartiles are many bins apart, or nothing could be better.
    """
    if found.extremes is None or found.extremes[0] == found.extremes[1]:
        return None
    bins, (low, high) = found.bins, found.extremes
    orders = _Orders(numbers, bins, low, high)
    sums = list(accumulate(bins.counts))
    first = bisect_left(sums, -(-sums[-1] // 4))
    last = bisect_left(sums, -(-3 * sums[-1] // 4))
    if first == last and bins.lower[first] == 0 and bins.counts[first] == found.zeros:
        return None  # zeros alone
    start, stop = orders.find_start(first), orders.find_stop(last)
    step = max(orders.find_stop(first) - start, stop - orders.find_start(last))
    if step == 1 or stop - start >= _ENOUGH * step:
        return None
    whole = _make_zoom(orders, low, high)
    if numbers.is_integer and orders.largest > 2**_DIGITS:
        # They were binned as float64, perhaps beyond the end of their bin: no part can be replaced.
        return whole if 1 << whole.shift < step else None
    if _ENOUGH << whole.shift <= step:
        return whole
    reach = _REACH * (stop - start)
    central = _make_zoom(orders, *_find_whole_bins(orders, start - reach, stop - 1 + reach))
    return central if 1 << central.shift < step else None


def _find_whole_bins(orders: _Orders, first: int, last: int) -> tuple[int, int]:
    """From the start to the end of the bins that hold something of a range."""
    bins = orders.bins
    least = find_number(orders.numbers, max(first, orders.low))
    most = find_number(orders.numbers, min(last, orders.high))
    begin = bisect_right(bins.lower, least) - 1
    if bins.upper[begin] <= least:
        begin += 1
    end = bisect_right(bins.lower, most) - 1
    return orders.find_start(begin), orders.find_stop(end) - 1


def _make_zoom(orders: _Orders, first: int, last: int) -> Zoom:
    """With the narrowest bins that so few keys allow, and whose ends float64 has."""
    shift = max((last - first).bit_length() - ZOOMED.bit_length(), 0)
    while (last >> shift) - (first >> shift) >= ZOOMED:
        shift += 1
    if orders.numbers.is_integer:
        shift = max(shift, int(orders.largest).bit_length() - _DIGITS)
        # Beyond the extremes there is nothing, but ends that float64 has.
        if first == orders.low:
            first = first >> shift << shift
        if last == orders.high:
            last |= (1 << shift) - 1
    return Zoom(first, last, shift)


def _divide(numbers: Numbers, found: Found, zoom: Zoom, counts: Counts) -> Bins:
    """The bins, those of the zoom's range replaced by its own."""
    bins = found.bins
    lower, upper, values = array("d"), array("d"), array("d")
    for key, _ in counts:
        place = key + (zoom.first >> zoom.shift)
        start = max(place << zoom.shift, zoom.first)
        stop = min((place + 1) << zoom.shift, zoom.last + 1)
        low = float(find_number(numbers, start))
        lower.append(low)
        upper.append(_find_end(numbers, stop))
        values.append(low if stop == start + 1 else low + (upper[-1] - low) / 2)
    begin, end = _find_replaced(found, zoom, lower[0], upper[-1]) if counts else (0, 0)
    inner = array("q", [count for _, count in counts])

    def insert(outer: array[float], columns: array[float]) -> array[float]:
        return outer[:begin] + columns + outer[end:]

    return Bins(
        insert(array("d", bins.lower), lower),
        insert(array("d", bins.upper), upper),
        insert(array("d", bins.values), values),
        array("q", bins.counts[:begin]) + inner + array("q", bins.counts[end:]),
        is_exact=False,
    )


def _find_replaced(found: Found, zoom: Zoom, first: float, last: float) -> tuple[int, int]:
    """The bins of a zoom's range, in which the first number is in the bin that begins at `first`,
    the last one in the bin that ends at `last`.
    """
    bins = found.bins
    begin, end = bisect_left(bins.lower, first), bisect_left(bins.lower, last)
    if begin and bins.upper[begin - 1] > first:
        begin -= 1
    if found.extremes is not None and zoom.last >= found.extremes[1]:
        end = len(bins.lower)  # also one that begins at 2⁶³, which int64 does not have
    return begin, end


def _find_end(numbers: Numbers, order: int) -> float:
    """The number of an integer that may be the one after the largest finite number."""
    number = float(find_number(numbers, order))
    if number != float("inf"):
        return number
    return 2.0**128 if numbers.bits == 32 else sys.float_info.max
