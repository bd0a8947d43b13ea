"""What the tests of the native kernel share; importing it skips a module where it was not built."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st

from xavinit.dtypes import DTYPES, DType
from xavinit.plan import Law, Normal, TruncatedNormal, Uniform

pytest.importorskip("xavinit.streams._kernel")

from xavinit.streams import _kernel as kernel
from xavinit.streams import native, reference

VARIANTS = range(len(kernel.list_variants()))
FLOATS = [dtype for dtype in DTYPES.values() if dtype.is_float]

laws = st.one_of(
    st.builds(Uniform, st.floats(1e-30, 400)),
    st.builds(Normal, st.floats(1e-30, 60)),
    st.builds(TruncatedNormal, st.floats(1e-30, 150)),
)
keys = st.integers(0, 2**128 - 1)
dtypes = st.sampled_from(FLOATS)
variants = st.sampled_from(VARIANTS)
steady = settings(deadline=None, derandomize=True, max_examples=200)


@contextmanager
def use_variant(variant: int) -> Iterator[None]:
    """Use one variant of the kernel, then the best one again."""
    kernel.use_variant(variant)
    try:
        yield
    finally:
        kernel.use_variant(-1)


def fill(filler: Any, out: memoryview, *arguments: Any) -> bytes:
    """Fill a buffer; the bytes that it then holds."""
    filler.fill(out, *arguments)
    return bytes(out)


def draw_expected(
    key: int, law: Law, dtype: DType, start: int, stop: int, *view: Any
) -> tuple[bytes, int]:
    """What the reference draws, and how many bytes that is."""
    nbytes = (stop - start) * dtype.itemsize
    out = memoryview(bytearray(nbytes))
    return fill(reference.Filler(), out, key, law, dtype, start, stop, *view), nbytes


def convert(words: Any, law: Law, dtype: str, out: Any) -> None:
    """Write the values of given words into `out`, by the variant in use."""
    number, scale = native.DISTRIBUTIONS[type(law)], native.find_scale(law)
    kernel.convert(out, words, number, native.DTYPES[dtype], scale)
