"""The element types: sizes in bits and limits, no arrays, and no format's codes for them."""

from __future__ import annotations

from msgspec import Struct

from xavinit.errors import UsageError
from xavinit.wording import format_choices, format_value, suggest


class DType(Struct, frozen=True):
    """An element type.

    For floats, `mantissa` counts the stored bits of the significand and `smallest_exponent` is
    that of the smallest normal number; both are 0 for integers and bool. `largest` and `lowest`
    bound the finite values; those of a complex number's two parts.
    """

    name: str
    kind: str  # "float" | "integer" | "bool" | "complex"
    bits: int  # of an element as it is stored
    lowest: int | float
    largest: int | float
    mantissa: int = 0
    smallest_exponent: int = 0
    has_negative_zero: bool = True

    @property
    def is_float(self) -> bool:
        return self.kind == "float"

    @property
    def itemsize(self) -> int:
        """Bytes of an element; 0 where several share a byte."""
        return self.bits // 8

    @property
    def smallest(self) -> int | float:
        """The smallest positive number, for floats a subnormal one.

        >>> DTYPES["float16"].smallest == 2.0**-24
        True
        """
        return 2.0 ** (self.smallest_exponent - self.mantissa) if self.is_float else 1

    def count_bytes(self, size: int) -> int:
        """The bytes of so many elements."""
        return size * self.bits // 8


def _make_float(name: str, bits: int, mantissa: int, exponents: tuple[int, int]) -> DType:
    lowest, highest = exponents
    largest = (2.0 - 2.0**-mantissa) * 2.0**highest
    return DType(name, "float", bits, -largest, largest, mantissa, lowest)


def _make_integer(name: str, bits: int, *, signed: bool) -> DType:
    lowest, largest = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    return DType(name, "integer", bits, lowest, largest)


def _make_complex(name: str, part: DType) -> DType:
    return DType(
        name,
        "complex",
        2 * part.bits,
        part.lowest,
        part.largest,
        part.mantissa,
        part.smallest_exponent,
    )


# Those that can be drawn.
DTYPES: dict[str, DType] = {
    dtype.name: dtype
    for dtype in (
        _make_float("float64", 64, 52, (-1022, 1023)),
        _make_float("float32", 32, 23, (-126, 127)),
        _make_float("float16", 16, 10, (-14, 15)),
        _make_float("bfloat16", 16, 7, (-126, 127)),
        # OCP 8-bit: e4m3fn gives the top code of its top exponent to NaN, so 448 is its largest.
        DType("float8_e4m3fn", "float", 8, -448.0, 448.0, 3, -6),
        _make_float("float8_e5m2", 8, 2, (-14, 15)),
        _make_integer("int64", 64, signed=True),
        _make_integer("int32", 32, signed=True),
        _make_integer("uint8", 8, signed=False),
        DType("bool", "bool", 8, 0, 1),
    )
}


# All that a file may hold: reading knows more dtypes than drawing.
STORED_DTYPES: dict[str, DType] = DTYPES | {
    dtype.name: dtype
    for dtype in (
        _make_complex("complex128", DTYPES["float64"]),
        _make_complex("complex64", DTYPES["float32"]),
        _make_integer("uint64", 64, signed=False),
        _make_integer("uint32", 32, signed=False),
        _make_integer("int16", 16, signed=True),
        _make_integer("uint16", 16, signed=False),
        _make_integer("int8", 8, signed=True),
        # The fnuz kinds have a NaN in the place of -0.
        DType("float8_e4m3fnuz", "float", 8, -240.0, 240.0, 3, -7, has_negative_zero=False),
        DType("float8_e5m2fnuz", "float", 8, -57344.0, 57344.0, 2, -15, has_negative_zero=False),
        # OCP: exponents alone, without a sign; and those of 6 and 4 bits, without infinity or NaN.
        DType("float8_e8m0fnu", "float", 8, 2.0**-127, 2.0**127, 0, -127, has_negative_zero=False),
        _make_float("float6_e2m3fn", 6, 3, (0, 2)),
        _make_float("float6_e3m2fn", 6, 2, (-2, 4)),
        _make_float("float4_e2m1fn", 4, 1, (0, 2)),
    )
}


def name_dtype(value: object) -> object:
    """The name of what NumPy, PyTorch or JAX has for a dtype; another value as it is.

    >>> import numpy
    >>> name_dtype(numpy.float32), name_dtype(numpy.dtype("int64")), name_dtype("bfloat16")
    ('float32', 'int64', 'bfloat16')
    """
    if isinstance(value, str):
        return value
    for name in (getattr(value, "name", None), getattr(value, "__name__", None), str(value)):
        if isinstance(name, str):
            name = name.rpartition(".")[2].removesuffix("_")  # torch.float32, numpy.bool_
            if name in STORED_DTYPES:
                return name
    return value


def parse_dtype(name: str) -> DType:
    """The dtype of a name, or `UsageError`.

    >>> parse_dtype("float16").largest
    65504.0
    """
    if name not in DTYPES:
        raise UsageError(
            f"dtype must be {format_choices(DTYPES)}; got {format_value(name)}"
            + (f" ({hint})" if (hint := suggest(name, DTYPES, "dtype")) else "")
        )
    return DTYPES[name]
