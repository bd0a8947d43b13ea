"""Fans from named axes."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

from xavinit.errors import SpecError
from xavinit.layers import Axes


class Fans(NamedTuple):
    """How many numbers feed an output, and how many outputs a number feeds.

    Integers, but for the fan_in of a transposed convolution whose outputs see unequal parts of
    the kernel: their mean.
    """

    fan_in: int | float
    fan_out: int


@lru_cache(maxsize=1024)  # a spec that lists its tensors one by one has few different shapes
def compute_fans(shape: tuple[int, ...], axes: Axes) -> Fans | None:
    """The fans of a tensor; None for rank 0 and 1, not counting batch axes.

    fan_in = (product of the in axes) × (receptive field) and fan_out likewise, where the
    receptive field is the product of the axes that are neither in, out nor batch. With
    `fused: k`, the out axes hold k equal blocks and fan_out is that of one; `in_fused` is the
    same for the inputs: a transposed convolution of stride s has s phases in each axis, and an
    output sees one of them.

    The layouts are names for axes, counted among those that are not batch axes: `out_in` is
    (out, in, spatial …), as PyTorch stores a weight, `in_out` is (spatial …, in, out), as Keras
    and Flax do.

    Raises `SpecError` where an axis is out of range or named twice, or where `fused` does not
    divide; its path is the key at fault.

    Glorot and Bengio (2010), "Understanding the difficulty of training deep feedforward neural
    networks", section 4.2.1; for convolutions He et al. (2015), section 2.2.

    >>> compute_fans((64, 3, 7, 7), Axes())
    Fans(fan_in=147, fan_out=3136)
    """
    roles = find_roles(shape, axes)
    if roles is None:
        return None
    out = math.prod(shape[index] for index in roles.outs)
    if out % axes.fused:
        raise SpecError(
            f"must divide the out axis; got {axes.fused} for {out} of shape {list(shape)}",
            ("fused",),
        )
    field = math.prod(shape[index] for index in roles.field)
    fan_in = math.prod(shape[index] for index in roles.ins) * field
    if axes.in_fused > 1:
        whole, left = divmod(fan_in, axes.in_fused)
        return Fans(fan_in / axes.in_fused if left else whole, out // axes.fused * field)
    return Fans(fan_in, out // axes.fused * field)


class Roles(NamedTuple):
    """What each axis of a shape is to the fans, by its index."""

    ins: tuple[int, ...]
    outs: tuple[int, ...]
    batch: tuple[int, ...]
    field: tuple[int, ...]  # the receptive field: what is left


def find_roles(shape: tuple[int, ...], axes: Axes) -> Roles | None:
    """The roles of the axes of a shape, or None where it has no fans."""
    rank = len(shape)
    if rank < 2:
        return None
    named: dict[int, str] = {}

    def take(key: str, given: tuple[int, ...]) -> list[int]:
        taken = []
        for axis in given:
            if not -rank <= axis < rank:
                raise SpecError(f"must be an axis from {-rank} to {rank - 1}; got {axis}", (key,))
            index = axis % rank
            if index in named:
                raise SpecError(
                    f"an axis must be named once; got {axis}, which is in {named[index]} already",
                    (key,),
                )
            named[index] = key
            taken.append(index)
        return taken

    batch = take("batch_axis", axes.batch_axis)
    if axes.in_axis is not None and axes.out_axis is not None:
        in_axes, out_axes = take("in_axis", axes.in_axis), take("out_axis", axes.out_axis)
    else:
        rest = [index for index in range(rank) if index not in named]
        if len(rest) < 2:
            return None  # such as a bias for each expert
        out_first = axes.layout == "out_in"
        out_axes, in_axes = ([rest[0]], [rest[1]]) if out_first else ([rest[-1]], [rest[-2]])
        named |= {in_axes[0]: "in_axis", out_axes[0]: "out_axis"}
    field = [index for index in range(rank) if index not in named]
    return Roles(tuple(in_axes), tuple(out_axes), tuple(batch), tuple(field))
