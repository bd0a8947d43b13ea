"""A range of a viewed tensor as the native kernel takes it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

from xavinit.layers import Axis, View, split_boxes


class Strided(NamedTuple):
    """Elements at even steps, from `first` in PyTorch's tensor and from `place` in a buffer.

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
