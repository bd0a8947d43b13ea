"""Stored bytes → numbers of NumPy's own dtypes, exactly, for every dtype that a file may hold."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from xavinit.dtypes import STORED_DTYPES, DType

Array = np.ndarray[Any, np.dtype[Any]]

# Small floats whose top exponent is no infinity's: how many of its codes, from the last, are NaN.
_NANS_WITHOUT_INFINITY = {
    "float8_e4m3fn": 1,
    "float6_e2m3fn": 0,
    "float6_e3m2fn": 0,
    "float4_e2m1fn": 0,
}


def decode(content: bytes | bytearray | memoryview, dtype: DType, count: int) -> Array:
    """So many elements as NumPy's integers, floats or complex numbers; bools as their bytes.

    A smaller float becomes float32.

    >>> decode(bytes([0x80, 0x3F]), STORED_DTYPES["bfloat16"], 1)
    array([1.], dtype=float32)
    """
    if not dtype.itemsize:
        return _list_numbers(dtype.name)[_unpack(content, dtype.bits, count)]
    if dtype.name == "bfloat16":
        codes = np.frombuffer(content, "<u2", count).astype(np.uint32)
        return (codes << np.uint32(16)).view(np.float32)
    if dtype.is_float and dtype.bits == 8:
        return _list_numbers(dtype.name)[np.frombuffer(content, np.uint8, count)]
    kind = "uint8" if dtype.kind == "bool" else dtype.name
    return np.frombuffer(content, np.dtype(kind).newbyteorder("<"), count)


def _unpack(content: bytes | bytearray | memoryview, bits: int, count: int) -> Array:
    """The code of each element, the first in the lowest bits."""
    every = np.unpackbits(np.frombuffer(content, np.uint8), bitorder="little")
    codes = np.packbits(every[: count * bits].reshape(count, bits), axis=1, bitorder="little")
    flat: Array = codes.reshape(count)
    return flat


@cache
def _list_numbers(name: str) -> Array:
    """The number of each code of a float of at most 8 bits."""
    dtype = STORED_DTYPES[name]
    codes = np.arange(1 << dtype.bits)
    if name == "float8_e8m0fnu":  # exponents alone
        numbers: Array = np.ldexp(np.float32(1), np.minimum(codes, 254) - 127)
        numbers[255] = np.nan
        return numbers
    half = 1 << (dtype.bits - 1)
    magnitudes = codes % half
    exponents, fractions = np.divmod(magnitudes, 1 << dtype.mantissa)
    is_normal = exponents > 0
    significands = fractions + (is_normal << dtype.mantissa)
    powers = np.maximum(exponents, 1) - 1 + dtype.smallest_exponent - dtype.mantissa
    numbers = np.ldexp(significands.astype(np.float32), powers)
    numbers[codes >= half] *= -1
    if not dtype.has_negative_zero:
        numbers[half] = np.nan
    elif name in _NANS_WITHOUT_INFINITY:
        nans = _NANS_WITHOUT_INFINITY[name]
        numbers[magnitudes >= half - nans] = np.nan
    else:
        top = exponents == exponents.max()
        numbers[top] = np.where(fractions[top], np.nan, np.sign(numbers[top]) * np.inf)
    return numbers
