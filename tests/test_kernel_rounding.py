"""Rounding float32 to smaller floats, with and without a negative zero: ml_dtypes' casts."""

from __future__ import annotations

import importlib
import math
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from xavinit.dtypes import DTYPES, DType
from xavinit.plan import Normal, Uniform
from xavinit.streams import KERNELS, reference
from xavinit.streams.elements import encode_constant
from xavinit.streams.rounding import round_single

# Two dtypes without a negative zero; specs cannot name them.
UNSIGNED_ZERO = [
    DType("float8_e4m3fnuz", "float", 8, -240.0, 240.0, 3, -7, has_negative_zero=False),
    DType("float8_e5m2fnuz", "float", 8, -57344.0, 57344.0, 2, -15, has_negative_zero=False),
]
SMALL = [dtype for dtype in DTYPES.values() if dtype.is_float and dtype.itemsize < 4]
SMALL += UNSIGNED_ZERO
each_small = pytest.mark.parametrize("dtype", SMALL, ids=lambda dtype: dtype.name)
each_unsigned_zero = pytest.mark.parametrize("dtype", UNSIGNED_ZERO, ids=lambda dtype: dtype.name)


def cast(values: Any, dtype: DType) -> Any:
    """The codes that NumPy or ml_dtypes casts float32 values to."""
    kind = np.float16 if dtype.name == "float16" else getattr(ml_dtypes, dtype.name)
    with np.errstate(all="ignore"):
        return values.astype(kind).view(f"u{dtype.itemsize}")


def make_values(dtype: DType, lows: tuple[int, ...]) -> Any:
    """Every upper half of a float32 with these lower halves, as far as the dtype reaches.

    An upper half holds the first seven bits of the mantissa. So all ties have the lower half 0 in
    the dtypes of 8 bits, 0x8000 in bfloat16, 0x1000 or 0x3000 and their like in float16.
    """
    upper = np.arange(2**16, dtype=np.uint32) << np.uint32(16)
    values = np.concatenate([upper | np.uint32(low) for low in lows]).view(np.float32)
    with np.errstate(invalid="ignore"):
        return values[np.abs(values) <= dtype.largest]


@each_small
def test_the_reference_rounds_as_casts_do(dtype: DType) -> None:
    values = make_values(dtype, (0, 1, 0x0FFF, 0x1000, 0x1001, 0x7FFF, 0x8000, 0x8001, 0xFFFF))
    assert {-0.0, 0.0} <= set(values[values == 0])
    out = np.empty(len(values), f"u{dtype.itemsize}")
    round_single(values, dtype, out)
    assert np.array_equal(out, cast(values, dtype))


@each_small
def test_every_variant_rounds_as_casts_do(dtype: DType) -> None:
    """The words 0 and −1 of a uniform are ±2⁻²⁴·bound: any float32 of a chosen bound."""
    from kernel_cases import VARIANTS, convert, use_variant

    values = make_values(dtype, (0, 1, 0x1000, 0x7FFF, 0x8000, 0x8001, 0xFFFF))
    positive = values[~np.signbit(values)]
    positive = positive[positive < 2.0**104]  # where the bound is a float32 too
    both = np.stack([positive, -positive], axis=1)
    words = np.array([0, 2**32 - 1] * 32, np.uint32)  # enough for the loops of vectors
    out = np.empty(64, f"u{dtype.itemsize}")
    for variant in VARIANTS:
        codes = np.empty((len(positive), 64), out.dtype)
        with use_variant(variant):
            for index, bound in enumerate(positive.astype(np.float64) * 2.0**24):
                convert(words, Uniform(float(bound)), dtype.name, out)
                codes[index] = out
        assert np.array_equal(codes, np.tile(cast(both, dtype), 32))


@each_unsigned_zero
@pytest.mark.parametrize("law", [Normal(1e-3), Uniform(0.01)], ids=str)
@pytest.mark.parametrize("kernel", sorted(KERNELS))
def test_no_drawn_number_is_nan_where_there_is_no_negative_zero(
    kernel: str, law: Any, dtype: DType
) -> None:
    """Many values here round to zero, half of them from below."""
    if kernel == "native":
        pytest.importorskip("xavinit.streams._kernel")
    drawn, single = memoryview(bytearray(90_000)), memoryview(bytearray(4 * 90_000))
    filler = importlib.import_module(KERNELS[kernel]).Filler()
    filler.fill(drawn, 7, law, dtype, 0, 90_000)
    reference.Filler().fill(single, 7, law, DTYPES["float32"], 0, 90_000)
    codes = np.frombuffer(drawn, np.uint8)
    assert np.array_equal(codes, cast(np.frombuffer(single, "<f4"), dtype))
    assert 0 in codes
    assert not np.isnan(codes.view(getattr(ml_dtypes, dtype.name)).astype(np.float32)).any()


@each_unsigned_zero
def test_constants_have_no_negative_zero_either(dtype: DType) -> None:
    least = math.ldexp(1.0, dtype.smallest_exponent - dtype.mantissa)
    for value in (-0.0, -least / 2, -1e-300):
        assert encode_constant(value, dtype) == b"\0"
    assert encode_constant(-least, dtype) == b"\x81"
    for value in make_values(dtype, (0,)):
        assert encode_constant(float(value), dtype) == cast(value, dtype).tobytes()
