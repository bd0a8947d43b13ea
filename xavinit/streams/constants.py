"""Constants → bytes, in plain Python: these laws need no random words."""

from __future__ import annotations

import math
from itertools import islice, product

from xavinit.dtypes import DType
from xavinit.layers import View
from xavinit.plan import Constant, GateConstant


def fill_constant(
    out: memoryview,
    law: Constant,
    dtype: DType,
    start: int,
    stop: int,
    view: View | None = None,
) -> None:
    """Fill `out` with the bytes of the elements [start, stop), of a view or not."""
    code = encode_constant(law.value, dtype)
    if not isinstance(law, GateConstant):
        out[:] = code * (stop - start)
        return
    zero = bytes(len(code))  # +0 in every dtype
    if view is None:
        first, last = (min(max(end, start), stop) for end in (law.start, law.stop))
        out[:] = zero * (first - start) + code * (last - first) + zero * (stop - last)
        return
    # Only biases have such a law. They are short, so a Python step for each element is cheap.
    inside = range(law.start, law.stop)
    indices = (sum(steps) for steps in islice(product(*view.axes), start, stop))
    out[:] = b"".join(code if index in inside else zero for index in indices)


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
