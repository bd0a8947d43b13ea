"""The logarithm, sine and cosine that PyTorch takes from glibc, written out on NumPy's arrays.

float64's are those of glibc 2.28 and later where the processor can fuse: `log` is ARM's (Szabolcs
Nagy, 2018), `sin` and `cos` come from IBM's Accurate Mathematical Library (2001, without
its slow paths since 2.28), `log1p` is Sun's (1993). float32's `logf`, `sinf` and `cosf` are ARM's.
Each was compared with glibc 2.36 over 10⁸ arguments (float32: all 2²⁴ that a stream has): every bit
is the same. glibc promises no bits; the versions that were seen stand in docs/same-seed.md.

Every operation is one of IEEE 754's in the order written; no function of a library is called.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from xavinit.streams import glibc_tables as tables
from xavinit.streams.fused import fuse_double as fuse

Array = np.ndarray[Any, np.dtype[Any]]
F, D = np.float32, np.float64


def _read(text: str, width: int = 1) -> Array:
    numbers = np.array([float.fromhex(word) for word in text.split()])
    return numbers.reshape(-1, width) if width > 1 else numbers


LOG_SINGLE, LOG_DOUBLE = _read(tables.LOG_SINGLE, 2), _read(tables.LOG_DOUBLE, 2)
SINCOS = _read(tables.SINCOS, 4)
_NEAR, _FAR, _SUN, _SINE = map(_read, (tables.LOG_NEAR, tables.LOG_FAR, tables.LOG1P, tables.SINE))
_HEX = float.fromhex


# --- float32, in float64 and rounded once ------------------------------------------------------


def compute_log_single(x: Array) -> Array:
    """The logarithm of numbers from 0 to 1, not 0."""
    bits = x.view(np.int32).astype(np.int64)
    t = bits - 0x3F330000
    row, k = LOG_SINGLE[(t >> 19) & 15], t >> 23
    z = (bits - (k << 23)).astype(np.int32).view(F).astype(D)
    r = z * row[:, 0] - 1.0
    y0 = row[:, 1] + k * _HEX("0x1.62e42fefa39efp-1")
    r2 = r * r
    y = _HEX("0x1.5575b0be00b6ap-2") * r + _HEX("-0x1.ffffef20a4123p-2")
    y = _HEX("-0x1.00ea348b88334p-2") * r2 + y
    y = y * r2 + (y0 + r)
    logarithm: Array = np.where(bits == 0x3F800000, F(0), y.astype(F))
    return logarithm


def compute_sine_cosine_single(angle: Array) -> tuple[Array, Array]:
    """Sine and cosine of angles from 0 to 2π."""
    x, top = angle.astype(D), angle.view(np.uint32) >> np.uint32(20)
    n = ((x * _HEX("0x1.45F306DC9C883p+23")).astype(np.int64) + 0x800000) >> 24
    n = np.where(top < 0x3F4, 0, n)
    x = x - n * _HEX("0x1.921FB54442D18p0")
    x2 = x * x
    x = x * np.where((n + 1) & 2, -1.0, 1.0)
    x4, x3 = x2 * x2, x2 * x
    x5, x6 = x3 * x2, x4 * x2
    c2 = x2 * _HEX("0x1.99343027bf8c3p-16") + _HEX("-0x1.6c087e89a359dp-10")
    c1 = x2 * _HEX("-0x1.ffffffd0c621cp-2") + 1.0
    s1 = x2 * _HEX("-0x1.994eb3774cf24p-13") + _HEX("0x1.1107605230bc4p-7")
    s = (x5 * s1 + (x3 * _HEX("-0x1.555545995a603p-3") + x)).astype(F)
    c = ((x6 * c2 + (x4 * _HEX("0x1.55553e1068f19p-5") + c1)) * np.where(n & 2, -1.0, 1.0)).astype(
        F
    )
    tiny = top < 0x398
    s, c = np.where(tiny, angle, s), np.where(tiny, F(1), c)
    return np.where(n & 1, c, s), np.where(n & 1, s, c)


# --- float64 -----------------------------------------------------------------------------------


def compute_log(x: Array) -> Array:
    """The logarithm of numbers from 0 to 1, not 0."""
    value = np.where(x >= 1.0 - 2.0**-4, _log_near(x), _log_far(x))
    logarithm: Array = np.where(x == 1.0, 0.0, value)
    return logarithm


def _log_near(x: Array) -> Array:
    b = _NEAR
    r = x - 1.0
    r2 = r * r
    r3 = r * r2
    y = fuse(r3, b[10], fuse(r2, b[9], fuse(r, b[8], b[7])))
    y = fuse(r3, y, fuse(r2, b[6], fuse(r, b[5], b[4])))
    y = fuse(r3, y, fuse(r2, b[3], fuse(r, b[2], b[1])))
    w = r * 2.0**27
    high = r + w - w
    low = r - high
    w = high * high * b[0]
    total = r + w
    rest = fuse(b[0] * low, high + r, r - total + w)
    value: Array = fuse(r3, y, rest) + total
    return value


def _log_far(x: Array) -> Array:
    a = _FAR
    bits = x.view(np.int64)
    t = bits - 0x3FE6000000000000
    row, k = LOG_DOUBLE[(t >> 45) & 127], (t >> 52).astype(D)
    z = (bits - ((t >> 52) << 52)).view(D)
    r = fuse(z, row[:, 0], -1.0)
    r2 = r * r
    w = fuse(k, _HEX("0x1.62e42fefa3800p-1"), row[:, 1])
    total = w + r
    rest = fuse(k, _HEX("0x1.ef35793c76730p-45"), w - total + r)
    y = fuse(r2, fuse(r, a[4], a[3]), fuse(r, a[2], a[1]))
    value: Array = fuse(r * r2, y, fuse(r2, a[0], rest)) + total
    return value


_HIGH, _LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10  # ln 2, in two parts


def compute_log1p(x: Array) -> Array:
    """log(1 + x) of numbers from −1 to 0, not −1."""
    near = np.abs(x) < _HEX("0x1.2bec4p-2")  # over −0.2929: not reduced
    u = 1.0 + x
    bits = u.view(np.int64)
    k, part = (bits >> 52) - 1023, (bits >> 32) & 0xFFFFF
    high = part >= 0x6A09E
    sign = np.where(high, 0x3FE, 0x3FF)
    f = ((bits & 0x000FFFFFFFFFFFFF) | (sign << 52)).view(D) - 1.0
    c = np.where(near, 0.0, (x - (u - 1.0)) / u)
    k = np.where(near, 0, k + high).astype(D)
    part = np.where(near, 1, np.where(high, (0x100000 - part) >> 2, part))
    f = np.where(near, x, f)
    half = 0.5 * f * f
    rest = fuse(k, _LOW, c)
    # |f| under 2⁻²⁰
    r = half * fuse(-0.66666666666666666, f, 1.0)
    short = np.where(k == 0.0, f - r, fuse(k, _HIGH, -((r - rest) - f)))
    short = np.where(f == 0.0, np.where(k == 0.0, 0.0, fuse(k, _HIGH, rest)), short)
    p = _SUN
    s = f / (2.0 + f)
    z = s * s
    z2 = z * z
    z4 = z2 * z2
    z6 = z4 * z2
    r2, r3, r4 = fuse(z, p[3], p[2]), fuse(z, p[5], p[4]), fuse(z, p[7], p[6])
    r = fuse(z6, r4, fuse(z4, r3, fuse(z, p[1], z2 * r2)))
    q = s * (half + r)
    long = np.where(k == 0.0, f - (half - q), fuse(k, _HIGH, -((half - (q + rest)) - f)))
    tiny = np.where(np.abs(x) < 2.0**-54, x, x - x * x * 0.5)
    logarithm: Array = np.where(np.abs(x) < 2.0**-29, tiny, np.where(part == 0, short, long))
    return logarithm


_QUARTER, _QUARTER_REST = _HEX("0x1.921FB54442D18p0"), _HEX("0x1.1A62633145C07p-54")  # π/2
_SINE_3, _SINE_5 = -1.66666666666664880952546298448555e-01, 8.33333214285722277379541354343671e-03
_COSINES = (
    4.99999999999999999999950396842453e-01,
    -4.16666666666664434524222570944589e-02,
    1.38888874007937613028114285595617e-03,
)
_BIG = 1.5 * 2.0**45  # adding it rounds to multiples of 1/128


def compute_sine(x: Array) -> Array:
    """The sine of angles from 0 to 2π."""
    far = _turn(x, 0)
    middle = _cosine_of(_QUARTER - x, np.full_like(x, _QUARTER_REST))
    value = np.where(_top(x) < 0x400368FD, middle, far)
    value = np.where(_top(x) < 0x3FEB6000, _sine_of(x, np.zeros_like(x)), value)
    sine: Array = np.where(_top(x) < 0x3E500000, x, value)
    return sine


def compute_cosine(x: Array) -> Array:
    """The cosine of angles from 0 to 2π."""
    far = _turn(x, 1)
    y = _QUARTER - x
    a = y + _QUARTER_REST
    value = np.where(_top(x) < 0x400368FD, _sine_of(a, (y - a) + _QUARTER_REST), far)
    value = np.where(_top(x) < 0x3FEB6000, _cosine_of(x, np.zeros_like(x)), value)
    cosine: Array = np.where(_top(x) < 0x3E400000, 1.0, value)
    return cosine


def _top(x: Array) -> Array:
    top: Array = x.view(np.int64) >> 32
    return top


def _turn(x: Array, shift: int) -> Array:
    """The sine of an angle less its quarter turns, `shift` quarter turns on."""
    t = fuse(x, _HEX("0x1.45F306DC9C883p-1"), 1.5 * 2.0**52)
    turns = t - 1.5 * 2.0**52
    y = fuse(-turns, _HEX("-0x1.DDE973Cp-27"), fuse(-turns, _HEX("0x1.921FB58p0"), x))
    third, fourth = _HEX("-0x1.CB3B398p-55"), _HEX("-0x1.d747f23e32ed7p-83")
    t2 = fuse(-turns, third, y)
    rest = fuse(-turns, third, y - t2)
    a = fuse(-turns, fourth, t2)
    rest = rest + fuse(-turns, fourth, t2 - a)
    quarter = (t.view(np.int64) & 3) + shift
    value = np.where(quarter & 1, _cosine_of(a, rest), _sine_of(a, rest))
    return np.where(quarter & 2, -value, value)


def _find_row(x: Array) -> tuple[Array, Array]:
    """The nearest multiple of 1/128, plus `_BIG`, and its row."""
    u = _BIG + np.abs(x)
    index = np.minimum(u.view(np.int64) & 127, len(SINCOS) - 1)  # beyond, another branch is taken
    return u, SINCOS[index].T


def _cosine_of(x: Array, rest: Array) -> Array:
    rest = np.where(x < 0, -rest, rest)
    u, (sn, ssn, cs, ccs) = _find_row(x)
    x = np.abs(x) - (u - _BIG) + rest
    xx = x * x
    s = fuse(x * xx, fuse(xx, _SINE_5, _SINE_3), x)
    c = xx * fuse(xx, fuse(xx, _COSINES[2], _COSINES[1]), _COSINES[0])
    value: Array = cs + fuse(-sn, s, fuse(-cs, c, fuse(-s, ssn, ccs)))
    return value


def _sine_of(x: Array, rest: Array) -> Array:
    return np.where(np.abs(x) < 0.126, _small_sine(x, rest), _table_sine(x, rest))


def _small_sine(x: Array, rest: Array) -> Array:
    p, xx = _SINE, x * x
    y = fuse(fuse(fuse(fuse(p[5], xx, p[4]), xx, p[3]), xx, p[2]), xx, p[1])
    return x + fuse(fuse(y, x, -0.5 * rest), xx, rest)


def _table_sine(x: Array, rest: Array) -> Array:
    sign = x
    rest = np.where(x <= 0, -rest, rest)
    u, (sn, ssn, cs, ccs) = _find_row(x)
    x = np.abs(x) - (u - _BIG)
    xx = x * x
    s = x + fuse(x * xx, fuse(xx, _SINE_5, _SINE_3), rest)
    c = fuse(x, rest, xx * fuse(xx, fuse(xx, _COSINES[2], _COSINES[1]), _COSINES[0]))
    value = sn + fuse(cs, s, fuse(-sn, c, fuse(s, ccs, ssn)))
    signed: Array = np.copysign(value, sign)
    return signed
