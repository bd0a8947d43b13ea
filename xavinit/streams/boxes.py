"""A range of a viewed tensor as boxes, and a box as the native kernel takes it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import product
from typing import NamedTuple

from xavinit.layers import Axis, View


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


class Strided(NamedTuple):
    """Elements at even steps, in PyTorch's tensor and in a buffer, counted from a first of each.

    Each axis is (count, step in the tensor, stride in the buffer), the longest step first.
    """

    first: int
    place: int
    axes: tuple[tuple[int, int, int], ...]


def list_strided(view: View, start: int, stop: int) -> Iterator[Strided]:
    """The elements [start, stop) of a view, for a buffer of just them.

    >>> list(list_strided(View((range(0, 3), range(0, 6, 3))), 0, 6))
    [Strided(first=0, place=0, axes=((2, 3, 1), (3, 1, 2)))]
    """
    done = 0
    for box in split_boxes([len(axis) for axis in view.axes], start, stop):
        axes = [axis[first:last] for axis, (first, last) in zip(view.axes, box, strict=True)]
        shape = [len(axis) for axis in axes]
        strides = [math.prod(shape[index + 1 :]) for index in range(len(shape))]
        for parts in product(*map(_split_axis, axes, strides)):
            kept = sorted((part.axes for part in parts if part.axes), key=lambda a: -a[0][1])
            yield Strided(
                sum(part.first for part in parts),
                done + sum(part.place for part in parts),
                tuple(axis for (axis,) in kept),
            )
        done += math.prod(shape)


def _split_axis(axis: Axis, stride: int) -> list[Strided]:
    """An axis in ascending steps: one for a range, one for each block in another order."""
    if len(axis) == 1 or not isinstance(axis, range):
        return [Strided(first, place * stride, ()) for place, first in enumerate(axis)]
    count, step = len(axis), axis.step
    if step < 0:  # flipped
        return [Strided(axis[-1], (count - 1) * stride, ((count, -step, -stride),))]
    return [Strided(axis[0], 0, ((count, step, stride),))]
