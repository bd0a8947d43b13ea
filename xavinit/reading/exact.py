"""An element as text that tells it exactly: no two different elements have the same text."""

from __future__ import annotations

from xavinit.dtypes import DType


def format_element(content: bytes, dtype: DType) -> str:
    """The shortest digits that round to this element in its dtype; a NaN with its bits.

    `content` is little-endian. The dtype is one that can be drawn.

    >>> from xavinit.dtypes import DTYPES
    >>> format_element(bytes.fromhex("cdcccc3d"), DTYPES["float32"])
    '0.1'
    >>> format_element(bytes.fromhex("c07f"), DTYPES["bfloat16"])
    'nan (0x7fc0)'
    """
    code = int.from_bytes(content, "little")
    if dtype.kind == "bool":
        return str(bool(code)) if code < 2 else f"0x{code:02x}"
    if not dtype.is_float:
        return str(int.from_bytes(content, "little", signed=dtype.lowest < 0))
    sign = "-" if code >> (dtype.bits - 1) else ""
    size = code & (1 << (dtype.bits - 1)) - 1
    value = _decode(size, dtype)
    if value is None:
        is_infinite = size & (1 << dtype.mantissa) - 1 == 0
        return f"{sign}inf" if is_infinite else f"nan (0x{code:0{dtype.bits // 4}x})"
    return sign + _find_digits(size, value, dtype)


def _decode(size: int, dtype: DType) -> float | None:
    """The number of a code without its sign; None where it is no finite one."""
    exponent, rest = divmod(size, 1 << dtype.mantissa)
    if exponent:
        rest += 1 << dtype.mantissa
        exponent -= 1
    scale = exponent + dtype.smallest_exponent - dtype.mantissa
    try:
        value = float(rest) * 2.0**scale  # exact, unless it is no number of the dtype
    except OverflowError:
        return None
    return value if value <= dtype.largest else None


def _find_digits(size: int, value: float, dtype: DType) -> str:
    if dtype.bits == 64:
        return repr(value)
    below, above = _decode(size - 1, dtype) if size else value, _decode(size + 1, dtype)
    if below is None or above is None:  # the largest, or beside it
        below = value if below is None else below
        above = value if above is None else above
    for digits in range(1, 18):
        near = float(f"{value:.{digits}g}")
        # Strictly within the halfway points, which float64 holds exactly.
        if near == value or (below + value) / 2 < near < (value + above) / 2:
            return repr(near)
    return repr(value)
