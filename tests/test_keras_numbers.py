"""The arithmetic behind the rng `keras-3.15`: the C kernel against NumPy, and both against a plain
reading of TensorFlow's algorithm.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from types import ModuleType

import numpy as np
import pytest

from xavinit.streams import keras_numpy
from xavinit.streams.philox_tf import encipher, make_key

DTYPES = {"float64": 8, "float32": 4, "float16": 2, "bfloat16": 2}
KINDS = {
    "uniform": (keras_numpy.fill_uniform, -0.3, 0.7),
    "normal": (keras_numpy.fill_normal, 0.1, 0.05),
    "truncated": (keras_numpy.fill_truncated, -1.0, 0.2),
}


@pytest.fixture
def native() -> Iterator[ModuleType]:
    kernel = pytest.importorskip("xavinit.streams._kernel")
    yield kernel
    kernel.use_variant(-1)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
def test_each_variant_of_the_kernel_is_the_numpy_twin(
    kind: str, dtype: str, native: ModuleType
) -> None:
    """At the beginning, the ends of blocks and tiles, and where a counter has 33 bits and more."""
    fill, first, second = KINDS[kind]
    number = native.DTYPES[dtype][0]
    for seed, start, count in (
        (0, 0, 5000),
        (7, 3, 1),
        (2**40 + 3, 2047, 4099),
        (9, 2**35 - 9, 70),
    ):
        out, again = (memoryview(bytearray(count * DTYPES[dtype])) for _ in range(2))
        fill(out, make_key(seed), dtype, first, second, start)
        for variant in range(len(native.list_variants())):
            native.use_variant(variant)
            place = list(KINDS).index(kind)
            native.tf_fill(again, make_key(seed), place, number, first, second, start)
            assert again == out, (variant, seed, start)


@pytest.mark.parametrize("seed", [0, 1234, -5])
def test_uniform_values_are_the_low_bits_of_the_ciphers_words(seed: int) -> None:
    k0, k1, c2, c3 = struct.unpack("<4I", make_key(seed))
    out = memoryview(bytearray(4 * 11))
    keras_numpy.fill_uniform(out, make_key(seed), "float32", 0.0, 1.0, 0)
    words = [word for block in range(3) for word in encipher((block, 0, c2, c3), (k0, k1))]
    assert list(np.frombuffer(out, "f4")) == [(word & 0x7FFFFF) * 2.0**-23 for word in words[:11]]


def test_normals_are_pairs_of_sine_and_cosine_within_an_error_of_their_format() -> None:
    """Box and Muller's formula in float64, on the words of the cipher."""
    k0, k1, c2, c3 = struct.unpack("<4I", make_key(3))
    for dtype, each, tolerance in (("float32", 4, 3e-7), ("float64", 2, 1e-15)):
        out = memoryview(bytearray(1000 * DTYPES[dtype]))
        keras_numpy.fill_normal(out, make_key(3), dtype, 0.0, 1.0, 0)
        expected: list[float] = []
        for block in range(1000 // each):
            words = encipher((block, 0, c2, c3), (k0, k1))
            if dtype == "float32":
                units = [(word & 0x7FFFFF) * 2.0**-23 for word in words]
            else:
                units = [((words[i] & 0xFFFFF) << 32 | words[i + 1]) * 2.0**-52 for i in (0, 2)]
            for u, v in zip(units[::2], units[1::2], strict=True):
                radius = math.sqrt(-2 * math.log(max(u, 1e-7)))
                expected += [radius * math.sin(2 * math.pi * v), radius * math.cos(2 * math.pi * v)]
        values = np.frombuffer(out, dtype)
        np.testing.assert_allclose(values, expected, rtol=0, atol=6 * tolerance)


@pytest.mark.parametrize(("dtype", "each", "apart"), [("float32", 4, 256), ("float64", 2, 128)])
def test_truncated_normals_are_the_first_of_their_groups_blocks(
    dtype: str, each: int, apart: int
) -> None:
    groups, itemsize = 300, DTYPES[dtype]
    out = memoryview(bytearray(groups * each * itemsize))
    keras_numpy.fill_truncated(out, make_key(3), dtype, 0.0, 1.0, 0)
    for group, values in enumerate(np.frombuffer(out, dtype).reshape(groups, each)):
        plain = memoryview(bytearray(20 * each * itemsize))
        keras_numpy.fill_normal(plain, make_key(3), dtype, 0.0, 1.0, group * apart * each)
        normals = np.frombuffer(plain, dtype)
        np.testing.assert_array_equal(values, normals[np.abs(normals) < 2][:each])


def test_the_kernel_checks_its_arguments(native: ModuleType) -> None:
    for key, kind, dtype, size in (
        (b"x" * 15, 0, 1, 8), (b"x" * 16, 3, 1, 8), (b"x" * 16, 0, 4, 8), (b"x" * 16, 0, 1, 7),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=r"16 bytes|no such law|whole elements"):
            native.tf_fill(bytearray(size), key, kind, dtype, 0.0, 1.0, 0)
