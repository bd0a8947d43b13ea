"""TensorFlow's words → what it makes of them, readable, on NumPy: the twin of _kernel_tf.c.

Every operation is rounded to the dtype, as TensorFlow's own are. The logarithm, sine and cosine are
glibc's, written out.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from xavinit.dtypes import DTYPES
from xavinit.streams import glibc
from xavinit.streams.philox_tf import MULTIPLIERS, ROUNDS, STEPS
from xavinit.streams.rounding import round_single

Array = np.ndarray[Any, np.dtype[Any]]
F, D, U32, U64 = np.float32, np.float64, np.uint32, np.uint64

__all__ = ["fill_normal", "fill_truncated", "fill_uniform"]

_AT_ONCE = 1 << 16  # elements
_TWO_PI = 2.0 * math.pi
_LEAST = 1e-7  # what TensorFlow takes the logarithm of is not less
_CODES = {"float64": "<f8", "float32": "<f4", "float16": "<f2", "bfloat16": "<u2"}
# In blocks: where each group of a truncated normal begins. A group is what a block gives.
_APART = {2: 128, 4: 256}


def fill_uniform(
    out: memoryview, key: bytes, dtype: str, low: float, high: float, start: int
) -> None:
    """Fill `out` with the elements from `start` on of a uniform law on [low, high).

    Both ends pass through float32, those of float64 too: `tf.cast` has Python's numbers so.
    """
    first, second = round_values(np.array([low, high]).astype(F), dtype)
    if dtype == "float64":
        first, second = D(first), D(second)
    (scale,) = round_values(np.array([second - first]), dtype)
    _fill(_make_uniform, out, key, dtype, scale, first, start)


def fill_normal(
    out: memoryview, key: bytes, dtype: str, mean: float, std: float, start: int
) -> None:
    """The same of a normal law. Box and Muller (1958): the sine comes first."""
    scale, offset = _round_scale(std, dtype), _round_scale(mean, dtype)
    _fill(_make_normal, out, key, dtype, scale, offset, start)


def fill_truncated(
    out: memoryview, key: bytes, dtype: str, mean: float, std: float, start: int
) -> None:
    """The same of a normal law that is cut at two of its stds; `std` is that before the cut."""
    scale, offset = _round_scale(std, dtype), _round_scale(mean, dtype)
    _fill(_make_truncated, out, key, dtype, scale, offset, start)


def _round_scale(number: float, dtype: str) -> Any:
    real = D if dtype == "float64" else F
    return round_values(np.array([number]).astype(real), dtype)[0]


def _fill(
    make: Any, out: memoryview, key: bytes, dtype: str, scale: Any, offset: Any, start: int
) -> None:
    """Unit values · scale + offset, each operation rounded to the dtype."""
    target = np.frombuffer(out, _CODES[dtype])
    each = 2 if dtype == "float64" else 4  # elements of a block
    words = np.frombuffer(key, "<u4").astype(U32)
    done = 0
    with np.errstate(all="ignore"):
        while done < len(target):
            block, skipped = divmod(start + done, each)
            some = min(_AT_ONCE - skipped, len(target) - done)
            values = make(words, block, -(-(skipped + some) // each), dtype)
            values = values[skipped : skipped + some]
            values = round_values(round_values(values * scale, dtype) + offset, dtype)
            target[done : done + some] = _store(values, dtype)
            done += some


def _draw(key: Array, counters: Array) -> Array:
    """The words of blocks, four a row."""
    x0, x1 = counters.astype(U32), (counters >> U64(32)).astype(U32)
    x2, x3 = (np.full(len(counters), upper, U32) for upper in key[2:])
    k0, k1 = key[:2]
    for _ in range(ROUNDS):
        p, q = x0.astype(U64) * U64(MULTIPLIERS[0]), x2.astype(U64) * U64(MULTIPLIERS[1])
        x0, x1 = (q >> U64(32)).astype(U32) ^ x1 ^ k0, q.astype(U32)
        x2, x3 = (p >> U64(32)).astype(U32) ^ x3 ^ k1, p.astype(U32)
        k0, k1 = k0 + U32(STEPS[0]), k1 + U32(STEPS[1])
    return np.stack([x0, x1, x2, x3], -1)


def _list_blocks(block: int, count: int) -> Array:
    return np.arange(block, block + count, dtype=U64)


def _make_uniform(key: Array, block: int, count: int, dtype: str) -> Array:
    words = _draw(key, _list_blocks(block, count))
    if dtype == "float64":
        return _unit_double(words.reshape(-1, 2)).ravel()
    words = words.ravel()
    if dtype == "float32":
        return _unit_single(words)
    bits = 10 if dtype == "float16" else 7
    return (words & U32(2**bits - 1)).astype(F) * F(2.0**-bits)


def _unit_single(words: Array) -> Array:
    """The low 23 bits as a number of [0, 1)."""
    unit: Array = ((words & U32(0x7FFFFF)) | U32(0x3F800000)).view(F) - F(1)
    return unit


def _unit_double(words: Array) -> Array:
    """52 bits of two words, the first word high."""
    high, low = words[..., 0].astype(U64), words[..., 1].astype(U64)
    bits = ((high & U64(0xFFFFF)) << U64(32)) | low
    unit: Array = (bits | U64(0x3FF << 52)).view(D) - 1.0
    return unit


def _make_normal(key: Array, block: int, count: int, dtype: str) -> Array:
    return round_values(_pair_up(_draw(key, _list_blocks(block, count)), dtype).ravel(), dtype)


def _pair_up(words: Array, dtype: str) -> Array:
    """The normals of blocks, a row of each."""
    if dtype == "float64":
        u, v = (_unit_double(np.ascontiguousarray(words[:, pair])) for pair in ([0, 1], [2, 3]))
        radius = np.sqrt(-2.0 * glibc.compute_log(np.maximum(u, _LEAST)))
        angle = _TWO_PI * v
        parts = glibc.compute_sine(angle), glibc.compute_cosine(angle)
    else:
        u, v = (_unit_single(np.ascontiguousarray(words[:, part::2]).ravel()) for part in (0, 1))
        radius = np.sqrt(F(-2) * glibc.compute_log_single(np.maximum(u, F(_LEAST))))
        angle = (_TWO_PI * v.astype(D)).astype(F)
        parts = glibc.compute_sine_cosine_single(angle)
    return np.stack([part * radius for part in parts], -1).reshape(len(words), -1)


def _make_truncated(key: Array, group: int, count: int, dtype: str) -> Array:
    """Each group takes the first normals within ±2 of its own blocks, in order."""
    each = 2 if dtype == "float64" else 4
    values = np.empty((count, each), D if dtype == "float64" else F)
    have = np.zeros(count, np.int64)
    left = np.arange(count)
    block = 0
    while len(left):
        counters = (left + group).astype(U64) * U64(_APART[each]) + U64(block)
        made = _pair_up(_draw(key, counters), dtype)
        for candidates in made.T:
            taken = (np.abs(candidates) < 2) & (have[left] < each)
            rows = left[taken]
            values[rows, have[rows]] = candidates[taken]
            have[rows] += 1
        left = left[have[left] < each]
        block += 1
    return round_values(values.ravel(), dtype)


def round_values(values: Array, dtype: str) -> Array:
    """Values of a working precision as the dtype has them, in that precision."""
    if dtype == "float16":
        return values.astype(np.float16).astype(F)
    if dtype == "bfloat16":
        return (_store(values, dtype).astype(U32) << U32(16)).view(F)
    return values


def _store(values: Array, dtype: str) -> Array:
    """The same as the dtype's own; bfloat16 as its bits."""
    if dtype != "bfloat16":
        return values.astype(_CODES[dtype])
    codes = np.empty(len(values), np.uint16)
    round_single(np.ascontiguousarray(values, F), DTYPES["bfloat16"], codes)
    return codes
