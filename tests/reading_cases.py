"""What the tests of reading share: bytes of every dtype, and what a kernel finds in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from xavinit.dtypes import STORED_DTYPES, DType
from xavinit.formats import StoredTensor
from xavinit.reading import Summary
from xavinit.reading.kernels import Found
from xavinit.reading.moments import Moments, Run
from xavinit.reading.numbers import Zoom, find_numbers
from xavinit.reading.summary import make_summary
from xavinit.reading.zooms import look_closer

steady = settings(deadline=None, derandomize=True, max_examples=100)
dtypes = st.sampled_from(list(STORED_DTYPES.values()))
WIDE = ("float32", "float64", "int32", "uint32", "int64", "uint64")


@st.composite
def contents(draw: st.DrawFn) -> tuple[DType, bytes]:
    """A dtype and bytes of it: codes at random, of few kinds, or numbers around a center."""
    dtype = draw(dtypes)
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    bits = dtype.bits
    size = draw(st.integers(0, 70_000) | st.integers(0, 40)) // 8 * 8
    nbytes = size * bits // 8
    kind = draw(st.sampled_from(["random", "few", "normal"]))
    if kind == "random":
        return dtype, rng.bytes(nbytes)
    if kind == "few" or bits < 32:
        unit = max(bits // 8, 3)
        few = [rng.bytes(unit) for _ in range(2)] + [bytes(unit), b"\xff" * unit]
        chosen = b"".join(few[i] for i in rng.integers(0, 4, nbytes // unit + 1))
        return dtype, chosen[:nbytes]
    numbers = find_numbers(dtype)
    values = rng.normal(draw(st.sampled_from([0, 1e6])), 10.0 ** draw(st.integers(-3, 4)), size)
    if numbers.parts == 2:
        values = np.repeat(values, 2)
    return dtype, np.abs(values).astype(numbers.kind).tobytes()


def cut(block: bytes, dtype: DType, places: Sequence[float]) -> list[memoryview]:
    """Blocks of whole elements and whole bytes, cut at shares of the whole."""
    unit = 3 if dtype.bits < 8 else dtype.itemsize
    ends = sorted(int(place * len(block)) // unit * unit for place in places)
    view = memoryview(block)
    return [view[a:b] for a, b in zip([0, *ends], [*ends, len(block)], strict=True)]


def count(kernel: Any, dtype: DType, blocks: Sequence[memoryview]) -> tuple[Found, list[Run]]:
    """What a kernel finds in the blocks of a tensor, and its runs."""
    numbers, counter, totals = find_numbers(dtype), kernel.Counter(), kernel.Totals()
    runs: list[Run] = []
    for number, block in enumerate(blocks, 1):
        runs += counter.scan(numbers, block, is_last=number == len(blocks))
        counter.flush(totals)
    return totals.find(numbers), runs


def look(
    kernel: Any, dtype: DType, blocks: Sequence[memoryview], zoom: Zoom
) -> list[tuple[int, int]]:
    """What a kernel counts in the blocks of a tensor by closer keys."""
    counter, totals = kernel.Counter(), kernel.Totals()
    for block in blocks:
        counter.look(find_numbers(dtype), block, zoom)
        counter.flush(totals)
    keys: list[tuple[int, int]] = totals.list_keys()
    return keys


def summarize_bytes(kernel: Any, name: str, content: bytes) -> Summary:
    """The summary of a tensor of one axis."""
    dtype = STORED_DTYPES[name]
    blocks = [memoryview(content)]
    found, runs = count(kernel, dtype, blocks)
    found = look_closer(find_numbers(dtype), found, lambda zoom: look(kernel, dtype, blocks, zoom))
    moments = Moments()
    for run in runs:
        moments.add(run)
    tensor = StoredTensor("t", dtype, (len(content) * 8 // dtype.bits,), None)  # type: ignore[arg-type]  # nothing is read
    return make_summary(tensor, find_numbers(dtype), found, moments)


@contextmanager
def use_variant(kernel: Any, variant: int) -> Iterator[None]:
    """Use one variant of the native kernel, then the best one again."""
    kernel.use_variant(variant)
    try:
        yield
    finally:
        kernel.use_variant(-1)
