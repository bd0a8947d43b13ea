"""Words → what PyTorch makes of them, readable, on NumPy: the twin of _kernel_mt.c.

`fused` is what PyTorch does where it has AVX2: a product and the sum that follows are rounded once,
and float32 normals take Cephes's functions; otherwise two roundings, and glibc's functions. Blocks
of normals are scaled with one rounding in both.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from xavinit.dtypes import DTYPES
from xavinit.streams import cephes, glibc
from xavinit.streams.fused import fuse_double, fuse_single
from xavinit.streams.mersenne import draw_words, keep, make_state, skip_words, take_kept
from xavinit.streams.rounding import round_single

Array = np.ndarray[Any, np.dtype[Any]]
F, D = np.float32, np.float64

__all__ = ["fill_normal", "fill_pairs", "fill_uniform", "make_state", "skip_words"]

_AT_ONCE = 1 << 16  # elements; whole blocks of normals
_TWO_PI = 2.0 * math.pi
_CODES = {"float64": "<f8", "float32": "<f4", "float16": "<f2", "bfloat16": "<u2"}


def fill_uniform(
    state: bytearray, out: memoryview, dtype: str, fused: bool, low: float, high: float
) -> None:
    """Fill `out` with the next values of a uniform law on [low, high)."""
    target = np.frombuffer(out, _CODES[dtype])
    with np.errstate(all="ignore"):
        for first in range(0, len(target), _AT_ONCE):
            part = target[first : first + _AT_ONCE]
            real = D if dtype == "float64" else F
            start, span = real(low), real(high) - real(low)
            x = _read_double(state, len(part)) if real is D else _read_single(state, len(part))
            if fused:
                values = (fuse_double if real is D else fuse_single)(x, span, start)
            else:
                values = x * span + start
            ends = _round(np.array([low, high], D).astype(real), dtype)
            # What is rounded to the end of the range becomes its beginning.
            values = _round(values, dtype)
            is_end = values == ends[1]
            if values.dtype == np.uint16 and not ends[1] & np.uint16(0x7FFF):  # +0 is −0
                is_end = (values & np.uint16(0x7FFF)) == 0
            part[:] = np.where(is_end, ends[0], values)


def fill_normal(
    state: bytearray, out: memoryview, dtype: str, fused: bool, mean: float, std: float
) -> None:
    """Fill `out` with the next values of a normal law, of a tensor of 16 elements or more.

    They come in blocks of 16, of which `out` holds some. The first eight numbers of a block give
    the radius, the others the angle: Box and Muller (1958); cosines go to the first eight places.
    """
    target = np.frombuffer(out, _CODES[dtype])
    with np.errstate(all="ignore"):
        for first in range(0, len(target), _AT_ONCE):
            part = target[first : first + _AT_ONCE]
            make = _make_double if dtype == "float64" else _make_single
            part[:] = _round(make(state, len(part), fused, mean, std), dtype)


def fill_pairs(
    state: bytearray, out: memoryview, dtype: str, fused: bool, mean: float, std: float
) -> None:
    """The same of a tensor of fewer elements: pairs in float64, the second of which is kept."""
    target = np.frombuffer(out, _CODES[dtype])
    values = np.array([_draw_kept(state) for _ in range(len(target))], D)
    with np.errstate(all="ignore"):
        values = fuse_double(values, std, mean) if fused else values * D(std) + D(mean)
        target[:] = _round(values if dtype == "float64" else values.astype(F), dtype)


def _read_single(state: bytearray, count: int) -> Array:
    words = draw_words(state, count)
    return (words & np.uint32(0xFFFFFF)).astype(F) * F(2.0**-24)


def _read_double(state: bytearray, count: int) -> Array:
    words = draw_words(state, 2 * count).astype(np.uint64)
    joined = ((words[::2] & np.uint64(0x1FFFFF)) << np.uint64(32)) | words[1::2]
    return joined.astype(D) * D(2.0**-53)


def _make_single(state: bytearray, count: int, fused: bool, mean: float, std: float) -> Array:
    x = _read_single(state, count).reshape(-1, 2, 8)
    u, angle = F(1) - x[:, 0].ravel(), x[:, 1].ravel()
    if fused:
        radius = np.sqrt(F(-2) * cephes.compute_log(u))
        sine, cosine = cephes.compute_sine_cosine(F(_TWO_PI) * angle)
    else:
        radius = np.sqrt(F(-2) * glibc.compute_log_single(u))
        angle = (_TWO_PI * angle.astype(D)).astype(F)
        sine, cosine = glibc.compute_sine_cosine_single(angle)
    pair = np.stack([(radius * part).reshape(-1, 8) for part in (cosine, sine)], 1).ravel()
    return fuse_single(pair, F(std), F(mean))


def _make_double(state: bytearray, count: int, _: bool, mean: float, std: float) -> Array:
    x = _read_double(state, count).reshape(-1, 2, 8)
    u, angle = 1.0 - x[:, 0].ravel(), _TWO_PI * x[:, 1].ravel()
    radius = np.sqrt(-2.0 * glibc.compute_log(u))
    parts = (glibc.compute_cosine(angle), glibc.compute_sine(angle))
    pair = np.stack([(radius * part).reshape(-1, 8) for part in parts], 1).ravel()
    return fuse_double(pair, std, mean)


def _draw_kept(state: bytearray) -> float:
    kept = take_kept(state)
    if kept is not None:
        return kept
    first, second = _read_double(state, 2)
    angle = np.array([_TWO_PI * first])
    radius = math.sqrt(-2.0 * glibc.compute_log1p(np.array([-second]))[0])
    keep(state, radius * glibc.compute_sine(angle)[0])
    return float(radius * glibc.compute_cosine(angle)[0])


def _round(values: Array, dtype: str) -> Array:
    """The values of a working precision as the dtype has them; bfloat16 as its bits."""
    if dtype in ("float64", "float32"):
        return values
    if dtype == "float16":
        return values.astype(np.float16)
    codes = np.empty(len(values), np.uint16)
    round_single(np.ascontiguousarray(values, F), DTYPES["bfloat16"], codes)
    return codes
