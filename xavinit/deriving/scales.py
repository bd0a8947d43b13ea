"""Scales of quantized weights: a number for each block of the weight beside them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from xavinit.deriving.roles import SCALES
from xavinit.deriving.values import Family, Size

_BLOCKS = (128, 64, 32, 16)  # elements of a block, in each axis
_NAME = re.compile(r"[a-z_]\w*\Z")


def scale_shapes(
    families: Sequence[Family], shapes: Sequence[tuple[Size, ...]]
) -> tuple[tuple[Size, ...], ...]:
    """The shapes, those of scales in terms of their weights': a block that is cut has one too."""
    weights: dict[Any, int] = {}
    for number, family in enumerate(families):
        if family.texts[-1].endswith(".weight"):
            weights[family.texts, family.runs] = number
    made = list(shapes)
    for number, family in enumerate(families):
        for part in SCALES:
            if family.texts[-1].endswith(f".{part}"):
                text = family.texts[-1].removesuffix(part) + "weight"
                weight = weights.get(((*family.texts[:-1], text), family.runs))
                if weight is not None:
                    made[number] = _scale(family.shape, families[weight].shape, shapes[weight])
    return tuple(made)


def _scale(
    shape: tuple[int, ...], weight: tuple[int, ...], sizes: tuple[Size, ...]
) -> tuple[Size, ...]:
    if len(shape) != len(weight):
        return shape
    for block in _BLOCKS:
        if all(-(-whole // block) == part for whole, part in zip(weight, shape, strict=True)):
            return tuple(
                part if isinstance(size, int) else _divide(size, block)
                for part, size in zip(shape, sizes, strict=True)
            )
    return shape


def _divide(size: str, block: int) -> str:
    return f"({size} + {block - 1})//{block}"
