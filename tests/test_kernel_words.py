"""The native kernel's words are NumPy's Philox: any block of any key, in every variant."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st
from kernel_cases import VARIANTS, fill, keys, native, steady, use_variant, variants

from xavinit.dtypes import DTYPES
from xavinit.plan import Uniform
from xavinit.streams.words import Words


def read_upper_bits(key: int, first: int, count: int) -> list[int]:
    """The upper 53 bits of the kernel's 64-bit words, signed: a float64 uniform is (s + ½)·2⁻⁵²."""
    out = memoryview(bytearray(8 * count))
    fill(native.Filler(), out, key, Uniform(2.0**52), DTYPES["float64"], first, first + count)
    return [int(s) for s in np.floor(np.frombuffer(out, "<f8"))]


@steady
@given(keys, st.integers(0, 2**60), st.integers(1, 60), variants)
@example(0, 0, 4, 0)
@example(2**128 - 1, 2**62, 31, VARIANTS[-1])
def test_the_upper_bits_of_words_are_numpys(key: int, first: int, count: int, variant: int) -> None:
    """Counts from one word to fifteen blocks: AVX2 takes six blocks at a time, and a rest."""
    words = Words().read(key, first, count)
    expected = [int(word) >> 11 for word in words.view(np.int64)]
    with use_variant(variant):
        assert read_upper_bits(key, first, count) == expected


@steady
@given(keys, st.integers(0, 2**60), st.integers(1, 120), variants)
def test_the_upper_bits_of_halves_are_numpys(
    key: int, first: int, count: int, variant: int
) -> None:
    """Each half of a word, low half first: a float32 uniform shows its upper 24 bits."""
    halves = Words().read_halves(key, first, count)
    expected = [int(half) >> 8 for half in halves.view(np.int32)]
    out = memoryview(bytearray(4 * count))
    law = Uniform(2.0**23)
    with use_variant(variant):
        fill(native.Filler(), out, key, law, DTYPES["float32"], first, first + count)
    values = np.frombuffer(out, "<f4").astype(np.float64)
    assert [int(s) for s in np.floor(values)] == expected
