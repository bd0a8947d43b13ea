"""Read the words of a view's elements, in the order of PyTorch's tensor.

Random words are cheap in long runs. So a range of a viewed tensor is drawn in the order of
PyTorch's elements, grid by grid, and each grid is copied to its place in the file's tensor.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from typing import Any, NamedTuple

import numpy as np

from xavinit.layers import Axis, View, fit_rows, split_boxes

Array = np.ndarray[Any, np.dtype[Any]]

# The words [start, start + count) of a tensor, or the halves of words.
Read = Callable[[int, int], Array]

_AT_ONCE = 1 << 17  # elements of a view
_GAP = 1024  # up to so many unused words are cheaper than another read,
_SPAN = 1 << 17  # as long as all that is read stays in the cache


class Grid(NamedTuple):
    """Elements of PyTorch's tensor by their axes, coarsest first, and where they go."""

    axes: list[Axis]
    out: Array  # with an axis for each

    @property
    def size(self) -> int:
        return self.out.size

    def take(self, places: Sequence[slice]) -> Grid:
        """The part of it that lies at these places of its axes."""
        axes = [axis[place] for axis, place in zip(self.axes, places, strict=True)]
        return Grid(axes, self.out[tuple(places)])


def split_range(view: View, start: int, stop: int, out: Array, most: int) -> Iterator[Grid]:
    """The elements [start, stop) of a view in grids of at most `most`; `out` is for them all."""
    done = 0
    for box in split_boxes([len(axis) for axis in view.axes], start, stop):
        axes = [axis[first:last] for axis, (first, last) in zip(view.axes, box, strict=True)]
        shape = [len(axis) for axis in axes]
        size = math.prod(shape)
        whole = _sort_axes(axes, out[done : done + size].reshape(shape))
        done += size
        for grid in _cut_long_axis(whole):
            lengths = grid.out.shape
            step = fit_rows(lengths, most)
            for first in range(0, grid.size, step):
                for part in split_boxes(lengths, first, min(first + step, grid.size)):
                    yield grid.take([slice(*ends) for ends in part])


def _sort_axes(axes: list[Axis], out: Array) -> Grid:
    """The same elements with their axes from the coarsest to the finest, none of them flipped."""
    turns = [isinstance(axis, range) and axis.step < 0 for axis in axes]
    axes = [axis[::-1] if turn else axis for axis, turn in zip(axes, turns, strict=True)]
    out = out[tuple(slice(None, None, -1 if turn else 1) for turn in turns)]
    # Blocks in another order are whole axes apart, whatever is within them.
    steps = [axis.step if isinstance(axis, range) else math.inf for axis in axes]
    order = sorted(range(len(axes)), key=lambda index: -steps[index])
    return Grid([axes[index] for index in order], out.transpose(order))


def _cut_long_axis(grid: Grid) -> Iterator[Grid]:
    """Cut the axis that is too long for one read, if parts of it are not.

    Otherwise each of its positions would need its own read, which is a hundred times as slow.
    """
    count, span = _choose_span(grid.axes)
    index = len(grid.axes) - count - 1
    axis = grid.axes[index] if index >= 0 else ()
    if isinstance(axis, range) and axis.step - span <= _GAP and (_SPAN - span) // axis.step > 0:
        most = (_SPAN - span) // axis.step + 1
        whole = [slice(None)] * len(grid.axes)
        for first in range(0, len(axis), most):
            yield grid.take([*whole[:index], slice(first, first + most), *whole[index + 1 :]])
    else:
        yield grid


def gather_words(read: Read, axes: Sequence[Axis], out: Array) -> None:
    """The words of a grid's elements in its own order, into a flat array."""
    count, span = _choose_span(axes)
    outer, inner = axes[: len(axes) - count], axes[len(axes) - count :]
    size = math.prod(map(len, inner))
    first = sum(axis[0] for axis in inner)
    empty = np.zeros(1, np.int64)
    starts = reduce(lambda total, axis: np.add.outer(total, axis).ravel(), outer, empty + first)
    for place, start in enumerate(starts.tolist()):
        words = read(start, span)
        if span > size:  # with gaps
            steps = [axis.step * words.itemsize for axis in inner if isinstance(axis, range)]
            shape = [len(axis) for axis in inner]
            words = np.ndarray(shape, words.dtype, words, 0, steps).reshape(-1)
        out[place * size : (place + 1) * size] = words


def _choose_span(axes: Sequence[Axis]) -> tuple[int, int]:
    """How many of the axes, counted from the last, one read covers, and how many words it spans."""
    count, span = 0, 1
    for axis in reversed(axes):
        if not isinstance(axis, range):
            break
        longer = span + axis.step * (len(axis) - 1)
        if len(axis) > 1 and (axis.step - span > _GAP or longer > max(_SPAN, span)):
            break
        count, span = count + 1, longer
    return count, span


def fill_view(out: memoryview, read: Read, view: View, start: int, stop: int) -> None:
    """Fill `out` with the elements [start, stop) of a view, as integers of their width.

    `read` gives elements of the view's tensor instead of words.
    """
    if start == stop:
        return
    target = np.frombuffer(out, f"<u{len(out) // (stop - start)}")
    space = np.empty(min(_AT_ONCE, stop - start), target.dtype)
    for part in split_range(view, start, stop, target, _AT_ONCE):
        values = space[: part.size]
        gather_words(read, part.axes, values)
        np.copyto(part.out, values.reshape(part.out.shape))
