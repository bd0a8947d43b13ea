"""The words of a viewed tensor's elements, in the file's order, read in runs of PyTorch's order."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from xavinit.plan import Axis, View

Array = np.ndarray[Any, np.dtype[Any]]

# The words [start, start + count) of a tensor, or the halves of words.
Read = Callable[[int, int], Array]

# Words read for nothing are cheaper than another read, up to so many.
_GAP = 1024
# Words read at once, so that what is read stays in the cache.
_CHUNK = 1 << 17


def gather(read: Read, view: View, start: int, stop: int, out: Array) -> None:
    """Put the words of the elements [start, stop) of a view into `out`."""
    done = 0
    for box in split_boxes([len(axis) for axis in view.axes], start, stop):
        axes = [axis[first:last] for axis, (first, last) in zip(view.axes, box, strict=True)]
        shape = [len(axis) for axis in axes]
        size = math.prod(shape)
        _gather_box(read, axes, out[done : done + size].reshape(shape))
        done += size


def split_boxes(
    lengths: Sequence[int], start: int, stop: int
) -> Iterator[tuple[tuple[int, int], ...]]:
    """The range [start, stop) of an array in C order as boxes: a first and a last for each axis.

    >>> list(split_boxes([3, 4], 2, 9))
    [((0, 1), (2, 4)), ((1, 2), (0, 4)), ((2, 3), (0, 1))]
    """
    if not lengths:
        yield ()
        return
    inner = math.prod(lengths[1:])
    row, skipped = divmod(start, inner)
    last, left = divmod(stop, inner)
    if skipped:
        end = left if row == last else inner
        for box in split_boxes(lengths[1:], skipped, end):
            yield ((row, row + 1), *box)
        row += 1
    if row < last:
        yield ((row, last), *((0, length) for length in lengths[1:]))
    if left and row <= last:
        for box in split_boxes(lengths[1:], 0, left):
            yield ((last, last + 1), *box)


def _gather_box(read: Read, axes: list[Axis], out: Array) -> None:
    """The words of all combinations of the axes' positions; `out` has an axis for each."""
    # Each axis from its lowest position up: a flip is one of `out`.
    turns = [isinstance(axis, range) and axis.step < 0 for axis in axes]
    axes = [axis[::-1] if turn else axis for axis, turn in zip(axes, turns, strict=True)]
    out = out[tuple(slice(None, None, -1 if turn else 1) for turn in turns)]
    spans, length = _choose_spans(axes)
    outer = [index for index in range(len(axes)) if index not in spans]
    inner = [axes[index] for index in sorted(spans)]
    # In chunks of the span's longest axis, which is the last that was taken.
    step = spans[-1] if spans else None
    for places in itertools.product(*(range(len(axes[index])) for index in outer)):
        base = sum(axes[index][place] for index, place in zip(outer, places, strict=True))
        where: list[Any] = [slice(None)] * len(axes)
        for index, place in zip(outer, places, strict=True):
            where[index] = place
        if step is None:
            out[tuple(where)] = read(base, 1)[0]
            continue
        axis = axes[step]
        assert isinstance(axis, range)
        below = length - axis.step * (len(axis) - 1)  # the span of one of its positions
        count = max((_CHUNK - below) // axis.step + 1, 1)
        for first in range(0, len(axis), count):
            part = axis[first : first + count]
            words = read(
                base + part[0] + sum(a[0] for a in inner if a is not axis),
                below + axis.step * (len(part) - 1),
            )
            shape = [len(part) if a is axis else len(a) for a in inner]
            strides = [a.step * words.itemsize for a in inner if isinstance(a, range)]
            where[step] = slice(first, first + len(part))
            np.copyto(out[tuple(where)], as_strided(words, shape, strides))


def _choose_spans(axes: Sequence[Axis]) -> tuple[list[int], int]:
    """The axes that one read spans, the finest first, and the words from its first to its last."""
    ranges = [(axis.step, index) for index, axis in enumerate(axes) if isinstance(axis, range)]
    spans: list[int] = []
    length = 1
    for step, index in sorted(ranges):
        if length > _CHUNK or (spans and step - length > _GAP):
            break
        spans.append(index)
        length += step * (len(axes[index]) - 1)
    return spans, length
