"""XLA's logarithms and inverse error function of float32, written out on NumPy's arrays.

As XLA's compiler makes them for processors (jaxlib 0.10): which products are rounded by themselves,
and which are fused with a sum, is part of the function. Each was compared with XLA's over all 2²³
numbers that a normal is made of; docs/same-seed.md tells where. The coefficients are float32,
written as their bits.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from xavinit.streams.fused import fuse_single as fuse

Array = np.ndarray[Any, np.dtype[Any]]
F = np.float32


def _read(text: str) -> Array:
    return np.array([int(word, 16) for word in text.split()], np.uint32).view(F)


# Cephes's logf: the polynomial in three chains, and ln 2 in two parts.
_LOG = _read("3D9021BB BDEBD1B8 3DEF251A BDFE5D4F 3E11E9BF BE2AAE50 3E4CCEAC BE7FFFFC 3EAAAAAA")
_LN2 = _read("B95E8083 3F318000")
_ROOT_HALF, _LEAST = _read("3F3504F3 00800000")
# log1p near 0: t + (−t²/2 + t³·N(t)/D(t)), from the highest power on.
_NEAR = _read("3ED413CD")[0]  # √2 − 1
_TOP = _read("383DE04B 3EFF40C5 40D284FA 41EF4B9C 4273CC76 426473AD 41A05101")
_BOTTOM = _read("417101AD 42A6185B 435DC32D 439A8CA3 43586D8A 42707982")
# M. Giles (2011), "Approximating the erfinv function": the middle, and the tails.
_MIDDLE = _read("32F16588 34B84B36 B66C7357 B6935AC1 396532DB BAA45408 BB88E4EF 3E7C8F63 3FC02E2F")
_TAIL = _read("B951F09B 38D3B56B 3AB0DC72 BB70BDE7 3BBC127B BBF9C5D7 3C1AA57E 3F8036DB 40354F7E")


def compute_log(x: Array) -> Array:
    """The logarithm of positive numbers."""
    bits = np.maximum(x, _LEAST).view(np.int32)
    half = ((bits & np.int32(0x007FFFFF)) | np.int32(0x3F000000)).view(F)
    exponent = ((bits >> np.int32(23)) - np.int32(126)).astype(F)
    is_small = half < _ROOT_HALF
    x = (half - F(1)) + np.where(is_small, half, F(0))
    exponent = exponent - is_small.astype(F)
    c, square = _LOG, x * x
    cube = square * x
    chains = [fuse(fuse(x, c[i], c[i + 1]), x, c[i + 2]) for i in (0, 3, 6)]
    y = fuse(fuse(chains[0], cube, chains[1]), cube, chains[2])
    y = fuse(y, cube, exponent * _LN2[0])
    return fuse(exponent, _LN2[1], (x - square * F(0.5)) + y)


def compute_log1p(t: Array) -> Array:
    """log(1 + t) of numbers above −1."""
    top, bottom = np.full_like(t, _TOP[0]), t + _BOTTOM[0]
    for coefficient in _TOP[1:]:
        top = fuse(top, t, coefficient)
    for coefficient in _BOTTOM[1:]:
        bottom = fuse(bottom, t, coefficient)
    square = t * t
    near = t + (F(-0.5) * square + t * square * (top / bottom))
    logarithm: Array = np.where(np.abs(t) < _NEAR, near, compute_log(t + F(1)))
    return logarithm


def compute_erf_inv(u: Array) -> Array:
    """The inverse of the error function, of numbers between −1 and 1."""
    log = compute_log1p(u * -u)
    is_middle = log > F(-5)
    w = np.where(is_middle, F(-2.5) - log, np.sqrt(-log) - F(3))
    value = np.where(is_middle, _MIDDLE[0], _TAIL[0])
    for middle, tail in zip(_MIDDLE[1:], _TAIL[1:], strict=True):
        value = fuse(value, w, np.where(is_middle, middle, tail))
    inverse: Array = u * value
    return inverse
