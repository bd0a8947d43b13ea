"""The logarithm, sine and cosine of PyTorch's own vectors, in float32.

They are Cephes's (Moshier, 1992: `logf.c`, `sinf.c`) as Julien Pommier wrote them for vectors, with
each product and sum that a compiler fuses fused. All arguments are float32 arrays; every operation
is one of IEEE 754's in the order written, so that the C form gives the same bits.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from xavinit.streams.fused import fuse_single

Array = np.ndarray[Any, np.dtype[Any]]
F = np.float32

_LOG = (
    7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1,
    -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
)  # fmt: skip
_QUARTER = (-0.78515625, -2.4187564849853515625e-4, -3.77489497744594108e-8)  # −π/4, in three parts


def compute_log(x: Array) -> Array:
    """The logarithm of positive numbers."""
    x = np.maximum(x, F(2.0**-126))
    bits = x.view(np.int32)
    e = ((bits >> 23) - 127).astype(F) + F(1)
    x = ((bits & np.int32(0x007FFFFF)) | np.int32(0x3F000000)).view(F)
    small = x < F(0.707106781186547524)
    again = np.where(small, x, F(0))
    x = x - F(1)
    e = e - small.astype(F)
    x = x + again
    z = x * x
    y = np.full_like(x, F(_LOG[0]))
    for coefficient in _LOG[1:]:
        y = fuse_single(y, x, F(coefficient))
    y = y * x
    y = fuse_single(y, z, e * F(-2.12194440e-4))
    y = y - z * F(0.5)
    return fuse_single(e, F(0.693359375), x + y)


def compute_sine_cosine(x: Array) -> tuple[Array, Array]:
    """Sine and cosine of angles from 0 to 2π."""
    octant = ((x * F(1.27323954473516)).astype(np.int32) + np.int32(1)) & np.int32(~1)
    y = octant.astype(F)
    for part in _QUARTER:
        x = fuse_single(y, F(part), x)
    z = x * x
    c = fuse_single(F(2.443315711809948e-005), z, F(-1.388731625493765e-003))
    c = fuse_single(c, z, F(4.166664568298827e-002))
    c = fuse_single(c * z, z, -(z * F(0.5))) + F(1)
    s = fuse_single(F(-1.9515295891e-4), z, F(8.3321608736e-3))
    s = fuse_single(s, z, F(-1.6666654611e-1)) * z
    s = fuse_single(s, x, x)
    swaps = (octant & 2) != 0
    sine, cosine = np.where(swaps, c, s), np.where(swaps, s, c)
    return (
        np.where(octant & 4, -sine, sine),
        np.where((octant - 2) & 4, cosine, -cosine),
    )
