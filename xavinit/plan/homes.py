"""A framework that is the home of an rng: it holds the tensors, others get views of them.

The parts of a layer are PyTorch's, and so are the views that each framework's file gives. Keras's
numbers lie in Keras's variables. So the shape of a variable decides its fans, and where a file's
tensor lies in PyTorch's part, and that part in the variable, is put together to one view.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from msgspec import structs

from xavinit.errors import SpecError
from xavinit.layers import (
    Axis,
    Framework,
    Layer,
    Variable,
    View,
    find_framework,
    make_view,
    place_layer,
)
from xavinit.plan.laws import Fixed
from xavinit.plan.tensor import TensorPlan
from xavinit.spec import LayerSpec, Spec
from xavinit.wording import format_value


def find_home_shapes(spec: Spec) -> dict[int, tuple[int, ...]]:
    """By the number of a family of a layer's parts, its shape in the home of the spec's rng.

    Where several variables share a part, as those of an attention do, they are alike.
    """
    home = find_framework(spec.rng.kind.framework)
    shapes: dict[int, tuple[int, ...]] = {}
    if home.name == "pytorch":
        return shapes
    for listed in spec.listing:
        if isinstance(listed, LayerSpec) and listed.parts:
            for placed in place_layer(listed.layer, home):
                if placed.variable.role in listed.parts:
                    family = listed.parts[placed.variable.role].family
                    shapes.setdefault(family, _find_shape(listed.layer, placed.variable))
    return shapes


def _find_shape(layer: Layer, variable: Variable) -> tuple[int, ...]:
    """The shape of a variable as its fans count it: an attention's heads are one axis with their
    sizes.
    """
    shape = variable.shape
    if layer.type != "multi_head_attention" or len(shape) < 3:
        return shape
    ins = 2 if variable.role in ("out_proj.weight", "o_proj.weight") else 1
    return math.prod(shape[:ins]), math.prod(shape[ins:])


class Source(NamedTuple):
    """A variable of the home: where its elements lie in the part that it stands for."""

    view: View | None
    tensor: TensorPlan  # in the home's form and by the home's name


def list_sources(
    layer: Layer, parts: Mapping[str, TensorPlan], home: Framework
) -> Iterator[tuple[str, Source]]:
    """The variables that a layer has in the home of an rng, in its order, each with its role."""
    for name, _, variable in place_layer(layer, home):
        if variable.role in parts:
            tensor = structs.replace(parts[variable.role], name=name, shape=variable.shape)
            yield variable.role, Source(variable.view, tensor)


def place_sources(
    tensors: Iterable[TensorPlan],
    sources: Mapping[str, Sequence[Source]],
    framework: Framework,
    home: Framework,
) -> list[TensorPlan]:
    """Tensors that are views of PyTorch's parts, as views of the home's variables.

    The sources stand by the stream names of the parts. Raises `SpecError`, at the tensor's place,
    where a tensor that is drawn is several in the home.
    """
    placed = []
    for tensor in tensors:
        is_viewed = tensor.module is not None or tensor.is_tied  # else it is its own source
        if is_viewed and tensor.law is not None and not isinstance(tensor.law, Fixed):
            tensor = _find_view(tensor, sources[tensor.stream], framework, home)
        placed.append(tensor)
    return placed


def _find_view(
    tensor: TensorPlan, sources: Sequence[Source], framework: Framework, home: Framework
) -> TensorPlan:
    for source in sources:
        drawn = source.tensor
        if framework is home and not tensor.is_tied and tensor.name == drawn.name:
            return structs.replace(
                tensor, view=None, fans=drawn.fans, seed=drawn.seed, drawn=drawn.drawn
            )
        axes = compose(tensor.view, source.view, math.prod(drawn.shape))
        zeros = tensor.view.zeros if tensor.view else 0
        # A variable may be a piece of the part alone: one of those that are packed there.
        if axes is not None and math.prod(map(len, axes)) + zeros == tensor.size:
            view = make_view(axes, zeros)
            return structs.replace(
                tensor,
                view=view,
                law=drawn.law,
                fans=drawn.fans,
                seed=drawn.seed,
                drawn=drawn.drawn,
            )
    names = ", ".join(format_value(source.tensor.name) for source in sources)
    raise SpecError(
        f"{format_value(tensor.name)} is no view of one tensor of {home.name}, which has {names}",
        tensor.place,
        hint=f"write the form of {home.name}: framework: {home.name}",
    )


class _Digit(NamedTuple):
    """One axis of a home's variable: what a step along it is in the part, and in the variable."""

    step: int
    values: tuple[int, ...] | range  # in the variable, by the number of steps in the part


# What each position along an axis adds to each digit: nothing where a digit is not named.
_Moves = dict[int, Sequence[int]]


@lru_cache(maxsize=256)  # the layers of a network have few different views
def compose(view: View | None, home: View | None, size: int) -> tuple[Axis, ...] | None:
    """A view of a part as the axes of a view of a home's variable of so many elements.

    None where an element has no place in the variable, or where no axes give the places.

    >>> from xavinit.layers import make_view, split_index
    >>> out, count = split_index((2, 3))
    >>> compose(None, make_view((count, out)), 6)
    (range(0, 2), range(0, 6, 2))
    """
    if home is not None and home.zeros:
        return None  # what the variable has beyond the part has no place
    axes = (range(size),) if home is None else home.axes
    digits, first = _read_digits(axes)
    if view is None:
        read: tuple[Axis, ...] = tuple(
            range(0, digit.step * len(digit.values), digit.step) for digit in digits
        )
        if first or not _fill(digits):
            return None
    else:
        read = view.axes
    base = _split(sum(min(axis) for axis in read) - first, digits)
    moves = [_move(axis, digits) for axis in read]
    if base is None or None in moves:
        return None
    counted = [
        (move, len(axis)) for move, axis in zip(moves, read, strict=True) if move is not None
    ]
    return _join(base, counted, digits)


def _fill(digits: Sequence[_Digit]) -> bool:
    """Do the digits count every element of a part, from the first on?"""
    step = 1
    for digit in reversed(digits):
        if digit.step != step:
            return False
        step *= len(digit.values)
    return True


def _read_digits(axes: Sequence[Axis]) -> tuple[list[_Digit], int]:
    """The axes of a variable, longest step in the part first, and its least element there."""
    digits, stride = [], 1
    for axis in reversed(axes):
        count = len(axis)
        values: tuple[int, ...] | range = range(0, count * stride, stride)
        if isinstance(axis, range):
            if axis.step < 0:
                values = values[::-1]
            step = abs(axis.step)
        else:
            order = sorted(range(count), key=axis.__getitem__)
            step = axis[order[1]] - axis[order[0]] if count > 1 else 1
            values = tuple(index * stride for index in order)
        if count > 1:
            digits.append(_Digit(step, values))
        stride *= count
    digits.sort(key=lambda digit: -digit.step)
    return digits, sum(min(axis) for axis in axes)


def _split(value: int, digits: Sequence[_Digit]) -> list[int] | None:
    """How many steps of each axis lead to an element of the part; None where none do."""
    if value < 0:
        return None
    split = []
    for digit in digits:
        count, value = divmod(value, digit.step)
        if count >= len(digit.values):
            return None
        split.append(count)
    return None if value else split


def _move(axis: Axis, digits: Sequence[_Digit]) -> _Moves | None:
    """What the positions of an axis, counted from its least, add to the digits."""
    count = len(axis)
    if isinstance(axis, range):
        for place, digit in enumerate(digits):
            if digit.step == abs(axis.step) and count <= len(digit.values):
                return {place: range(count) if axis.step > 0 else range(count)[::-1]}
    least = min(axis)
    splits = [_split(value - least, digits) for value in axis]
    columns = list(zip(*[split for split in splits if split is not None], strict=True))
    if None in splits:
        return None
    return {place: column for place, column in enumerate(columns) if any(column)}


def _join(
    base: Sequence[int], read: Sequence[tuple[_Moves, int]], digits: Sequence[_Digit]
) -> tuple[Axis, ...] | None:
    """The axes of a view, where no digit overflows; of an uneven one a single axis may move it."""
    moved = [[0] * count for _, count in read]
    start = 0
    for place, digit in enumerate(digits):
        movers = [number for number, (moves, _) in enumerate(read) if place in moves]
        most = base[place] + sum(max(read[number][0][place]) for number in movers)
        if most >= len(digit.values) or (
            len(movers) + (base[place] > 0) > 1 and not isinstance(digit.values, range)
        ):
            return None
        # What one axis alone moves needs no other start: an axis that is flipped begins at its end.
        is_alone = len(movers) == 1 and not base[place]
        origin = 0 if is_alone else digit.values[0]
        start += 0 if is_alone else digit.values[base[place]]
        for number in movers:
            for index, steps in enumerate(read[number][0][place]):
                moved[number][index] += digit.values[steps] - origin
    axes = [_make_axis(values) for values in moved]
    return (range(start, start + 1), *axes) if start else tuple(axes)


def _make_axis(values: Sequence[int]) -> Axis:
    """A range where the values are at even steps."""
    if len(values) == 1:
        return range(values[0], values[0] + 1)
    step = values[1] - values[0]
    even = range(values[0], values[0] + step * len(values), step) if step else range(0)
    return even if tuple(even) == tuple(values) else tuple(values)
