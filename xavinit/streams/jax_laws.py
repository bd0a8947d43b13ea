"""What JAX makes of a law: a unit number, and what it is multiplied with."""

from __future__ import annotations

import math
import struct
from typing import NamedTuple

from xavinit.plan import CutNormal, Law, Normal, TruncatedNormal, Uniform, UniformOn

KINDS = ("uniform", "normal", "truncated", "joined")


class Draw(NamedTuple):
    """How the bits of an element become its value, every step rounded to the dtype.

    uniform: on [first, second), times scale. normal and truncated: the inverse error function times
    `first`, then times scale; a truncated one is held within ±2 between the two. joined: uniform on
    [first, first + 1), by the sum of a number on [1, 2) and of first − 1.
    """

    kind: str
    first: float
    second: float
    scale: float


def _round(value: float, code: str = "<f") -> float:
    """A number rounded to float32, or to the format of this code."""
    (rounded,) = struct.unpack(code, struct.pack(code, value))
    return float(rounded)


_ROOT = _round(math.sqrt(2.0))
_CUT_STD = _round(0.87962566103423978)  # JAX's, of a unit normal cut at ±2


def find_draw(law: Law, *, is_compiled: bool, dtype: str = "float32") -> Draw:
    """How a law is drawn. Under jax.jit a normal's two factors are multiplied first, and a uniform
    law that is 1 wide has one sum less; not so in bfloat16, which XLA computes as float32.

    Any quotient or product of two float32, rounded to float64 and then to float32, is as if it were
    rounded once.

    >>> find_draw(Uniform(0.5), is_compiled=False)
    Draw(kind='uniform', first=-1.0, second=1.0, scale=0.5)
    """
    match law:
        case Uniform(bound):
            return Draw("uniform", -1.0, 1.0, bound)
        case UniformOn(low, high) if is_compiled and _is_unit(low, high, dtype):
            return Draw("joined", low, high, 1.0)
        case UniformOn(low, high):
            return Draw("uniform", low, high, 1.0)
        case Normal(std) if is_compiled:
            return Draw("normal", _round(_ROOT * std), 0.0, 1.0)
        case Normal(std):
            return Draw("normal", _ROOT, 0.0, std)
        case TruncatedNormal(std):
            return Draw("truncated", _ROOT, 0.0, _round(std / _CUT_STD))
        case CutNormal(std=std):
            return Draw("truncated", _ROOT, 0.0, std)
    raise TypeError(f"no numbers for {law}")


def _is_unit(low: float, high: float, dtype: str) -> bool:
    """Is the width 1 as the dtype rounds it, so that XLA leaves out its factor?"""
    code = {"float64": "<d", "float32": "<f", "float16": "<e"}.get(dtype)
    return code is not None and 0.5 < high - low < 2 and _round(high - low, code) == 1.0
