"""The native kernel's laws: bit by bit the reference, in every dtype and variant."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st
from kernel_cases import (
    VARIANTS,
    convert,
    draw_expected,
    dtypes,
    fill,
    keys,
    laws,
    native,
    steady,
    use_variant,
    variants,
)

from xavinit.dtypes import DTYPES, DType
from xavinit.plan import Law, Normal, Uniform
from xavinit.streams.words import Words


@steady
@given(keys, laws, dtypes, st.integers(0, 2**40), st.integers(0, 5000), variants)
@example(0, Normal(1.0), DTYPES["float64"], 0, 2049, 0)
@example(2**128 - 1, Uniform(1.0), DTYPES["float32"], 2**62, 2048, VARIANTS[-1])
def test_any_range_is_that_of_the_reference(
    key: int, law: Law, dtype: DType, start: int, count: int, variant: int
) -> None:
    arguments = (key, law, dtype, start, start + count)
    expected, nbytes = draw_expected(*arguments)
    with use_variant(variant):
        assert fill(native.Filler(), memoryview(bytearray(nbytes)), *arguments) == expected


@steady
@given(laws, dtypes, st.integers(0, 2**32), variants)
def test_words_become_the_values_that_filling_gives(
    law: Law, dtype: DType, start: int, variant: int
) -> None:
    words = Words()
    read = words.read if dtype.name == "float64" else words.read_halves
    expected, nbytes = draw_expected(5, law, dtype, start, start + 3000)
    out = bytearray(nbytes)
    with use_variant(variant):
        convert(read(5, start, 3000), law, dtype.name, out)
    assert out == expected
