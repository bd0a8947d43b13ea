"""A key and an element's index → what JAX makes of them, on NumPy: the twin of _kernel_jax.c.

The bits of element i are the cipher of i as two words, high word first: JAX's partitionable keys.
float64 takes both words of the result, all smaller floats their exclusive or.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from xavinit.dtypes import DTYPES
from xavinit.layers import View
from xavinit.plan import Key, encrypt
from xavinit.streams.fused import fuse_double, fuse_single
from xavinit.streams.gather import gather_words, split_range
from xavinit.streams.jax_laws import Draw
from xavinit.streams.rounding import round_single
from xavinit.streams.xla_math import compute_erf_inv

Array = np.ndarray[Any, np.dtype[Any]]
F, D = np.float32, np.float64

__all__ = ["fill"]

_AT_ONCE = 1 << 16  # elements
_CODES = {"float64": "<f8", "float32": "<f4", "float16": "<f2", "bfloat16": "<u2"}
_LEAST = np.nextafter(F(-1), F(0))  # a normal comes of numbers from here to 1
_CUT = np.uint32(0x3F745A18).view(F)  # XLA's erf(2/√2), one of a truncated normal from −it to it
_INSIDE = np.nextafter(F(2), F(0))  # where it ends


def fill(
    out: memoryview,
    key: Key,
    draw: Draw,
    dtype: str,
    start: int,
    stop: int,
    view: View | None = None,
) -> None:
    """Fill `out` with the elements [start, stop), of a view or not."""
    target = np.frombuffer(out, _CODES[dtype])
    make = partial(_make, key, draw, dtype)
    with np.errstate(all="ignore"):
        if view is None:
            for first in range(start, stop, _AT_ONCE):
                count = min(_AT_ONCE, stop - first)
                target[first - start : first - start + count] = make(first, count)
            return
        for part in split_range(view, start, stop, target, _AT_ONCE):
            values = np.empty(part.size, target.dtype)
            gather_words(make, part.axes, values)
            np.copyto(part.out, values.reshape(part.out.shape))


def _make(key: Key, draw: Draw, dtype: str, start: int, count: int) -> Array:
    """The elements [start, start + count); of bfloat16 the bits."""
    index = np.arange(start, start + count, dtype=np.uint64)
    high, low = (index >> np.uint64(32)).astype(np.uint32), index.astype(np.uint32)
    first, second = encrypt(key, high, low)
    if dtype == "float64":
        return _make_double(first, second, draw)
    if dtype == "float32":
        return make_single(first ^ second, draw)
    return _make_half(first ^ second, draw, dtype)


def _make_half(word: Array, draw: Draw, dtype: str) -> Array:
    """float16 has ten bits, bfloat16 seven; every operation is rounded."""
    bits = 10 if dtype == "float16" else 7
    width = bits + (6 if dtype == "float16" else 1)  # of the integer whose upper bits count
    top = (word & np.uint32((1 << width) - 1)) >> np.uint32(width - bits)
    unit = top.astype(F) * F(2.0**-bits)
    least, end, scale = F(draw.first), F(draw.second), F(draw.scale)
    if draw.kind == "joined":
        values = _widen(_round(unit + F(1) + _widen(_round(least - F(1), dtype)), dtype))
        return _round(np.maximum(least, values), dtype)
    values = _widen(_round(unit * _widen(_round(end - least, dtype)), dtype))
    return _round(_widen(_round(values + least, dtype)) * scale, dtype)


def make_single(word: Array, draw: Draw) -> Array:
    one = ((word >> np.uint32(9)) | np.uint32(0x3F800000)).view(F)
    if draw.kind == "joined":
        joined: Array = np.maximum(F(draw.first), one + (F(draw.first) - F(1)))
        return joined
    unit = one - F(1)
    low, high = {
        "uniform": (F(draw.first), F(draw.second)),
        "normal": (_LEAST, F(1)),
        "truncated": (-_CUT, _CUT),
    }[draw.kind]
    values = np.maximum(low, fuse_single(unit, high - low, low))
    if draw.kind != "uniform":
        values = F(draw.first) * compute_erf_inv(values)
    if draw.kind == "truncated":
        values = np.clip(values, -_INSIDE, _INSIDE)
    scaled: Array = values * F(draw.scale)
    return scaled


def _make_double(first: Array, second: Array, draw: Draw) -> Array:
    joined = (first.astype(np.uint64) << np.uint64(32)) | second
    one = ((joined >> np.uint64(12)) | np.uint64(0x3FF << 52)).view(D)
    low, high = draw.first, draw.second
    if draw.kind == "joined":
        return np.maximum(low, one + (low - 1.0))
    unit = one - 1.0
    scaled: Array = np.maximum(low, fuse_double(unit, high - low, low)) * draw.scale
    return scaled


def _round(values: Any, dtype: str) -> Array:
    values = np.atleast_1d(np.asarray(values, F))
    if dtype == "float16":
        half: Array = values.astype(np.float16)
        return half
    codes = np.empty(len(values), np.uint16)
    round_single(np.ascontiguousarray(values), DTYPES["bfloat16"], codes)
    return codes


def _widen(values: Array) -> Array:
    is_brain = values.dtype == np.uint16
    wide: Array = (
        (values.astype(np.uint32) << np.uint32(16)).view(F) if is_brain else values.astype(F)
    )
    return wide
