"""A part of a file's tensor, as slices of its axes, and where its elements lie in PyTorch's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product

from xavinit.layers.views import Axis, View, make_view, split_index


def cut_view(view: View | None, shape: Sequence[int], cuts: Sequence[range]) -> View | None:
    """The view of the part of a file's tensor that lies at these places of its axes.

    `view` is the whole tensor's and has no zeros of its own. None: the part is PyTorch's tensor
    itself, as it stands.

    >>> cut_view(None, (4, 6), [range(1, 3), range(0, 6, 2)])
    View(axes=(range(6, 18, 6), range(0, 6, 2)), zeros=0)
    """
    groups: list[list[Axis]] = [[axis] for axis in split_index(shape)]
    rest: list[Axis] = []
    if view is not None:
        groups, rest = _group_axes(view.axes, shape)
    for group, cut in zip(groups, cuts, strict=True):
        if cut != range(math.prod(map(len, group))):
            group[:] = [_take(_join(group), cut)]
    return make_view([*rest, *(axis for group in groups for axis in group)])


def _take(axis: Axis, cut: range) -> Axis:
    """What the positions of an axis add to an index, at these positions."""
    if isinstance(axis, range):
        return range(
            axis.start + cut.start * axis.step,
            axis.start + cut.stop * axis.step,
            axis.step * cut.step,
        )
    return tuple(axis[place] for place in cut)


def _group_axes(axes: Sequence[Axis], shape: Sequence[int]) -> tuple[list[list[Axis]], list[Axis]]:
    """The axes of a view by the axis of the file's tensor; and those of one place that are left.

    A view's axes may be finer, and neighbors that go on from one another are one range.
    """
    left = list(axes)
    groups: list[list[Axis]] = []
    for length in reversed(shape):
        group: list[Axis] = []
        count = 1
        while count < length:
            axis = left.pop()
            if count * len(axis) > length:
                axis, outer = _split_axis(axis, length // count)
                left.append(outer)
            group.insert(0, axis)
            count *= len(axis)
        groups.append(group)
    return groups[::-1], left


def _split_axis(axis: Axis, length: int) -> tuple[Axis, Axis]:
    """A range of several axes as its last, of this length, and what is before it."""
    if not isinstance(axis, range) or len(axis) % length:
        raise ValueError(f"a view whose axis {axis} is not those of its tensor's shape")
    step = axis.step
    inner = range(0, length * step, step)
    return inner, range(axis.start, axis.stop, step * length)


def _join(axes: Sequence[Axis]) -> Axis:
    """Several axes as one; none are the axis of one element."""
    return axes[0] if len(axes) == 1 else tuple(map(sum, product(*axes)))
