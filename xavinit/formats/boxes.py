"""Runs of elements in C order as boxes: what a library, or an array, can be asked for at once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

# The first index of each axis, and how many.
Box = tuple[tuple[int, ...], tuple[int, ...]]


def split_run(shape: Sequence[int], start: int, stop: int) -> Iterator[Box]:
    """The elements [start, stop) of a shape as boxes, one after another in C order.

    >>> list(split_run((3, 4), 2, 9))
    [((0, 2), (1, 2)), ((1, 0), (1, 4)), ((2, 0), (1, 1))]
    """
    if start >= stop:
        return
    if not shape:
        yield (), ()
        return
    row = math.prod(shape[1:])
    (first, skipped), (last, rest) = divmod(start, row), divmod(stop, row)
    if first == last:
        yield from _prefix(first, split_run(shape[1:], skipped, rest))
        return
    if skipped:
        yield from _prefix(first, split_run(shape[1:], skipped, row))
        first += 1
    if first < last:
        yield (first, *(0 for _ in shape[1:])), (last - first, *shape[1:])
    yield from _prefix(last, split_run(shape[1:], 0, rest))


def _prefix(index: int, boxes: Iterator[Box]) -> Iterator[Box]:
    for starts, counts in boxes:
        yield (index, *starts), (1, *counts)
