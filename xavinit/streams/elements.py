"""A number → the bytes of an element, in plain Python."""

from __future__ import annotations

import math

from xavinit.dtypes import DType


def encode_constant(value: bool | int | float, dtype: DType) -> bytes:
    """The little-endian bytes of one element: float64 → dtype in one rounding, integers exact.

    >>> from xavinit.dtypes import parse_dtype
    >>> encode_constant(1.5, parse_dtype("bfloat16")).hex()
    'c03f'
    """
    if not dtype.is_float:
        return int(value).to_bytes(dtype.itemsize, "little", signed=dtype.lowest < 0)
    number = float(value)
    code = 0
    if number:
        exponent = max(math.frexp(number)[1] - 1, dtype.smallest_exponent)
        # The significand as an integer, its leading bit included; round() goes to even. That bit
        # adds one to the exponent's field, whose value 1 stands for the smallest exponent.
        significand = round(math.ldexp(abs(number), dtype.mantissa - exponent))
        code = ((exponent - dtype.smallest_exponent) << dtype.mantissa) + significand
    if math.copysign(1.0, number) < 0 and (code or dtype.has_negative_zero):
        code |= 1 << (8 * dtype.itemsize - 1)
    return code.to_bytes(dtype.itemsize, "little")
