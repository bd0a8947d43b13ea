"""Views: where the elements of a file's tensor lie in PyTorch's tensor."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

from msgspec import Struct

# What each position along an axis adds to an index in PyTorch's tensor. A range for an axis, or for
# a slice or a flip of one; a tuple where its blocks are in another order.
Axis = range | tuple[int, ...]


class View(Struct, frozen=True):
    """A slice, permutation, flip or reshape of PyTorch's tensor.

    Element (i₀, i₁, …) of the file's tensor is element axes[0][i₀] + axes[1][i₁] + … of PyTorch's,
    counted in C order. The axes are those of the file's shape or finer: a reshape may have merged
    neighbours. `zeros` elements follow, for what PyTorch's tensor does not have.
    """

    axes: tuple[Axis, ...]
    zeros: int = 0

    @property
    def count(self) -> int:
        """How many elements are PyTorch's."""
        return math.prod(map(len, self.axes))


def split_index(shape: Sequence[int]) -> tuple[range, ...]:
    """The axes of a tensor of this shape, as ranges that can be sliced and flipped.

    >>> split_index((2, 3))
    (range(0, 6, 3), range(0, 3))
    """
    steps = [*accumulate(reversed(shape), lambda a, b: a * b, initial=1)][-2::-1]
    return tuple(range(0, step * size, step) for size, step in zip(shape, steps, strict=True))


def split_boxes(
    lengths: Sequence[int], start: int, stop: int
) -> Iterator[tuple[tuple[int, int], ...]]:
    """The range [start, stop) of an array in C order as boxes: a first and a last for each axis.

    >>> list(split_boxes([3, 4], 2, 9))
    [((0, 1), (2, 4)), ((1, 2), (0, 4)), ((2, 3), (0, 1))]
    """
    if start == stop:
        return
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


def fit_rows(lengths: Sequence[int], most: int) -> int:
    """As many elements of an array with axes of these lengths as fit in `most`, in whole rows.

    >>> fit_rows([100, 7, 3], 50)
    42
    """
    row = 1
    for length in reversed(lengths):
        if row * length > most:
            break
        row *= length
    return max(most // row, 1) * row


def make_view(axes: Iterable[Axis], zeros: int = 0) -> View | None:
    """The view with these axes, in the file's order; None where it is the tensor itself.

    >>> rows, columns = split_index((2, 3))
    >>> make_view([columns, rows])
    View(axes=(range(0, 3), range(0, 6, 3)), zeros=0)
    >>> make_view([rows, columns]) is None
    True
    """
    merged: list[Axis] = []
    for axis in axes:
        if len(axis) == 1 and axis[0] == 0:
            continue
        last = merged[-1] if merged else None
        if isinstance(last, range) and isinstance(axis, range) and _joins(last, axis):
            merged[-1] = range(last.start, last.stop, axis.step)
        else:
            merged.append(axis)
    whole = len(merged) <= 1 and all(a == range(len(a)) for a in merged)
    return None if whole and not zeros else View(tuple(merged), zeros)


def _joins(outer: range, inner: range) -> bool:
    """Do two neighbours make one axis: does the inner begin at 0 and fill the outer's step?"""
    return inner.start == 0 and inner.step > 0 and outer.step == inner.step * len(inner)
