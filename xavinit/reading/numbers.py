"""What the kernels must know of a dtype: how its numbers are read, and what their codes mean."""

from __future__ import annotations

import functools
import math
import struct

from msgspec import Struct

from xavinit.dtypes import DType

NARROW = 16  # bits; so few are counted by their code


class Layout(Struct, frozen=True):
    """What the keys that are counted mean, in the order of their values.

    A float's magnitude is its code without the sign. The first `finite` ones are finite; the next
    one is infinity if `has_infinity`; all others are NaN.
    """

    order: str  # of the kernel's `ORDERS`
    bits: int
    mantissa: int = 0
    smallest_exponent: int = 0
    finite: int = 0
    has_infinity: bool = False
    has_negative_zero: bool = True


class Numbers(Struct, frozen=True):
    """How the elements of a dtype are read: as `parts` numbers each, of a kind of the kernel's."""

    kind: str
    bits: int  # of a number
    parts: int
    layout: Layout
    is_integer: bool = False

    @property
    def is_narrow(self) -> bool:
        return self.bits <= NARROW


class Zoom(Struct, frozen=True):
    """Wide numbers from `first` to `last`, as integers in the order of their values, by closer
    keys: (integer >> shift) − (first >> shift), at most `ZOOMED` of them.
    """

    first: int
    last: int
    shift: int


ZOOMED = 65535  # the most keys of a zoom; one more is for the numbers outside


# The bins of wide numbers: sign, exponent and 7 bits of mantissa. Those of float32 are the codes of
# bfloat16. All other numbers are binned as float64, whose exponents begin at 2⁻¹²⁷ there.
_BINS_OF_FLOAT32 = Layout("BINS_OF_FLOAT32", 16, 7, -126, 0x7F80, has_infinity=True)
_BINS_OF_FLOAT64 = Layout("BINS_OF_FLOAT64", 16, 7, -127, 0x7F80, has_infinity=True)


@functools.cache
def find_numbers(dtype: DType) -> Numbers:
    """How the elements of a dtype are read.

    >>> from xavinit.dtypes import STORED_DTYPES
    >>> numbers = find_numbers(STORED_DTYPES["complex64"])
    >>> numbers.kind, numbers.parts
    ('float32', 2)
    """
    parts = 2 if dtype.kind == "complex" else 1
    bits = dtype.bits // parts
    if dtype.kind in ("integer", "bool"):
        order = "SIGNED_INTEGERS" if dtype.lowest < 0 else "UNSIGNED_INTEGERS"
        if bits <= NARROW:
            return Numbers(f"code{bits}", bits, parts, Layout(order, bits), is_integer=True)
        return Numbers(dtype.name, bits, parts, _BINS_OF_FLOAT64, is_integer=True)
    if bits <= NARROW:
        return Numbers(f"code{bits}", bits, parts, _find_codes(dtype))
    layout = _BINS_OF_FLOAT32 if bits == 32 else _BINS_OF_FLOAT64
    return Numbers(f"float{bits}", bits, parts, layout)


def _find_codes(dtype: DType) -> Layout:
    """The codes of a float of at most 16 bits."""
    has_sign = dtype.lowest < 0
    significand, exponent = math.frexp(dtype.largest)  # of at least ½, less than 1
    field = exponent - 1 - dtype.smallest_exponent + has_sign  # there 0 is for subnormals
    fraction = int((2 * significand - 1) * 2**dtype.mantissa)
    finite = (field << dtype.mantissa) + fraction + 1
    exponents: int = 2 ** (dtype.bits - 1 - dtype.mantissa)
    return Layout(
        "SIGNED_FLOATS" if has_sign else "EXPONENTS",
        dtype.bits,
        dtype.mantissa,
        dtype.smallest_exponent,
        finite,
        has_infinity=has_sign and finite == (exponents - 1) << dtype.mantissa,
        has_negative_zero=dtype.has_negative_zero,
    )


def find_number(numbers: Numbers, order: int) -> float | int:
    """The number of a wide dtype that an integer in their order stands for."""
    if numbers.is_integer:
        return order + 2**63 if numbers.kind == "uint64" else order
    packed = abs(order).to_bytes(numbers.bits // 8, "little")
    magnitude: float = struct.unpack("<f" if numbers.bits == 32 else "<d", packed)[0]
    return -magnitude if order < 0 else magnitude


def find_order(numbers: Numbers, number: float) -> int:
    """The integer of the least number of a wide dtype that is not less than this one, which a float
    dtype has itself.

    >>> from xavinit.dtypes import STORED_DTYPES
    >>> find_order(find_numbers(STORED_DTYPES["int32"]), 2.5)
    3
    """
    if numbers.is_integer:
        return math.ceil(number) - (2**63 if numbers.kind == "uint64" else 0)
    packed = struct.pack("<f" if numbers.bits == 32 else "<d", abs(number))
    magnitude = int.from_bytes(packed, "little")
    return -magnitude if number < 0 else magnitude
