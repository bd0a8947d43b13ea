"""The element types: a table of plain codes, no arrays."""

from __future__ import annotations

from msgspec import Struct

from xavinit.errors import UsageError
from xavinit.wording import format_choices, format_value, suggest


class DType(Struct, frozen=True):
    """An element type.

    For floats, `mantissa` counts the stored bits of the significand and `smallest_exponent` is
    that of the smallest normal number; both are 0 for integers and bool. `largest` and `lowest`
    bound the finite values.
    """

    name: str
    kind: str  # "float" | "integer" | "bool"
    itemsize: int  # bytes
    lowest: int | float
    largest: int | float
    mantissa: int
    smallest_exponent: int
    safetensors: str  # its code in a safetensors header
    npy: str | None  # its descr in a .npy header, or None where NumPy has no such type
    has_negative_zero: bool = True  # of a float; where False, the code of −0 is NaN

    @property
    def is_float(self) -> bool:
        return self.kind == "float"


def _make_float(
    name: str,
    itemsize: int,
    mantissa: int,
    exponents: tuple[int, int],
    codes: tuple[str, str | None],
) -> DType:
    lowest, highest = exponents
    largest = (2.0 - 2.0**-mantissa) * 2.0**highest
    return DType(name, "float", itemsize, -largest, largest, mantissa, lowest, *codes)


def _make_integer(name: str, bits: int, signed: bool, codes: tuple[str, str | None]) -> DType:
    lowest, largest = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    return DType(name, "integer", bits // 8, lowest, largest, 0, 0, *codes)


# In the order of the safetensors library (widest first), which is the order of our files.
DTYPES: dict[str, DType] = {
    dtype.name: dtype
    for dtype in (
        _make_integer("int64", 64, True, ("I64", "<i8")),
        _make_float("float64", 8, 52, (-1022, 1023), ("F64", "<f8")),
        _make_float("float32", 4, 23, (-126, 127), ("F32", "<f4")),
        _make_integer("int32", 32, True, ("I32", "<i4")),
        _make_float("bfloat16", 2, 7, (-126, 127), ("BF16", None)),
        _make_float("float16", 2, 10, (-14, 15), ("F16", "<f2")),
        # OCP 8-bit: e4m3fn gives the top code of its top exponent to NaN, so 448 is its largest.
        DType("float8_e4m3fn", "float", 1, -448.0, 448.0, 3, -6, "F8_E4M3", None),
        _make_float("float8_e5m2", 1, 2, (-14, 15), ("F8_E5M2", None)),
        _make_integer("uint8", 8, False, ("U8", "|u1")),
        DType("bool", "bool", 1, 0, 1, 0, 0, "BOOL", "|b1"),
    )
}


def parse_dtype(name: str) -> DType:
    """The dtype of a name, or `UsageError`.

    >>> parse_dtype("float16").largest
    65504.0
    """
    if name not in DTYPES:
        raise UsageError(
            f"dtype must be {format_choices(DTYPES)}; got {format_value(name)}"
            + (f" ({hint})" if (hint := suggest(name, DTYPES)) else "")
        )
    return DTYPES[name]
