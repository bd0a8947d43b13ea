"""The native kernel of reading: the same bits as NumPy's however blocks are cut; its checks."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reading_cases import WIDE, contents, count, cut, steady, use_variant

import xavinit
from xavinit.dtypes import STORED_DTYPES, DType
from xavinit.reading.kernels import RUN, find_kernel
from xavinit.reading.numbers import find_numbers
from xavinit.streams import CHOICE


def test_it_was_built_where_a_compiler_is() -> None:
    if shutil.which(os.environ.get("CC", "cc")):
        import xavinit.reading._kernel  # noqa: F401


kernel = pytest.importorskip("xavinit.reading._kernel")

from xavinit.reading import native, reference  # noqa: E402

VARIANTS = range(len(kernel.list_variants()))
variants = st.sampled_from(VARIANTS)


# --- The same bits -----------------------------------------------------------------------------


@steady
@given(contents(), st.lists(st.floats(0, 1), max_size=4), variants)
def test_it_finds_what_the_reference_does(
    content: tuple[DType, bytes], places: list[float], variant: int
) -> None:
    dtype, values = content
    expected = count(reference, dtype, [memoryview(values)])
    with use_variant(kernel, variant):
        assert repr(count(native, dtype, [memoryview(values)])) == repr(expected)
        assert repr(count(native, dtype, cut(values, dtype, places))) == repr(expected)
    assert repr(count(reference, dtype, cut(values, dtype, places))) == repr(expected)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", WIDE)
def test_runs_end_where_they_do_in_the_reference(name: str, variant: int) -> None:
    dtype = STORED_DTYPES[name]
    content = np.random.default_rng(3).bytes((3 * RUN + 5) * dtype.itemsize)
    _, expected = count(reference, dtype, [memoryview(content)])
    assert len(expected) == 4
    with use_variant(kernel, variant):
        for places in ([], [1 / 3, 0.34, 2 / 3], [0.999999]):
            _, runs = count(native, dtype, cut(content, dtype, places))
            assert repr(runs) == repr(expected)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("center", [1.0, 1e-300, 1e300])
def test_sums_of_any_magnitude_are_those_of_the_reference(center: float, variant: int) -> None:
    rng = np.random.default_rng(5)
    spread = 2.0 ** rng.uniform(-900, 900, 5000)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        values = center * spread * rng.choice([-1, 0, 1], 5000)
    values[::700] = np.nan
    content = [memoryview(values.tobytes())]
    expected = count(reference, STORED_DTYPES["float64"], content)
    with use_variant(kernel, variant):
        assert repr(count(native, STORED_DTYPES["float64"], content)) == repr(expected)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", WIDE)
def test_blocks_may_begin_at_any_address(name: str, variant: int) -> None:
    dtype = STORED_DTYPES[name]
    content = np.random.default_rng(3).bytes(1000 * dtype.itemsize)
    expected = count(reference, dtype, [memoryview(content)])
    with use_variant(kernel, variant):
        moved = memoryview(b"x" + content)[1:]
        assert repr(count(native, dtype, [moved])) == repr(expected)


@given(st.lists(contents(), min_size=2, max_size=3))
@steady
def test_totals_are_as_new_once_they_are_cleared(tensors: list[tuple[DType, bytes]]) -> None:
    totals, counter = native.Totals(), native.Counter()
    for dtype, content in tensors:
        numbers = find_numbers(dtype)
        counter.scan(numbers, memoryview(content), is_last=True)
        counter.flush(totals)
        assert repr(totals.find(numbers)) == repr(count(native, dtype, [memoryview(content)])[0])
        totals.clear()
    assert not any(totals.memory)


# --- Its checks --------------------------------------------------------------------------------

SCRATCH, TOTALS, RUNS = bytearray(kernel.SCRATCH), bytearray(kernel.TOTALS), bytearray(56 * 4)
LAYOUT = (kernel.ORDERS["SIGNED_FLOATS"], 8, 3, -6, 127, False, True)
NOTHING = (bytearray(),) * 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((SCRATCH[:-1], 0, b"", True, RUNS), "scratch must be 1049816 bytes"),
        ((SCRATCH, 10, b"", True, RUNS), "no such kind: 10"),
        ((SCRATCH, -1, b"", True, RUNS), "no such kind: -1"),
        ((SCRATCH, kernel.KINDS["float32"], b"123", True, RUNS), "3 bytes is too large, or broken"),
        ((SCRATCH, kernel.KINDS["code6"], b"1234", True, RUNS), "4 bytes is too large, or broken"),
        ((SCRATCH, kernel.KINDS["float32"], b"1234", True, b""), "not writable|read-write"),
        ((SCRATCH, kernel.KINDS["float32"], b"1234", True, RUNS[:55]), "room for 1 runs"),
        ((SCRATCH, kernel.KINDS["float32"], bytes(4 * RUN), True, RUNS[:56]), "room for 2 runs"),
    ],
    ids=str,
)
def test_it_scans_no_memory_that_it_was_not_given(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises((ValueError, TypeError, BufferError), match=message):
        kernel.scan(*arguments)


@pytest.mark.parametrize(
    "layout",
    [
        (6, *LAYOUT[1:]),
        (-1, *LAYOUT[1:]),
        (2, 17, *LAYOUT[2:]),
        (2, 0, *LAYOUT[2:]),
        (2, 16, 3, *LAYOUT[3:]),  # exponents of 12 bits
        (2, 8, 3, -201, *LAYOUT[4:]),
        (*LAYOUT[:4], 129, False, True),
    ],
)
def test_it_lists_no_bins_of_a_layout_beyond_its_tables(layout: tuple[Any, ...]) -> None:
    with pytest.raises(ValueError, match="no such layout"):
        kernel.list_bins(TOTALS, layout, *NOTHING)


def test_it_checks_the_memory_for_totals_and_bins() -> None:
    for call in (
        lambda: kernel.flush(SCRATCH, TOTALS[1:]),
        lambda: kernel.clear(TOTALS[1:]),
        lambda: kernel.read_facts(TOTALS[1:]),
        lambda: kernel.count_bins(TOTALS[1:]),
        lambda: kernel.list_bins(TOTALS[1:], LAYOUT, *NOTHING),
        lambda: kernel.list_bins(TOTALS, LAYOUT, bytearray(16), *NOTHING[1:]),
    ):
        with pytest.raises(ValueError, match="bytes, aligned to 8; got"):
            call()


def test_bins_beyond_the_room_for_them_are_not_written() -> None:
    counter, totals = native.Counter(), native.Totals()
    counter.scan(find_numbers(STORED_DTYPES["uint8"]), memoryview(b"123"), is_last=True)
    counter.flush(totals)
    assert kernel.count_bins(totals.memory) == 3
    layout = (kernel.ORDERS["UNSIGNED_INTEGERS"], 8, 0, 0, 0, False, True)
    room = [bytearray(16) for _ in range(4)]
    assert kernel.list_bins(totals.memory, layout, *room)[0] == 2


def test_no_variant_beyond_the_last_one() -> None:
    with pytest.raises(ValueError, match=f"no such variant: {len(VARIANTS)}"):
        kernel.use_variant(len(VARIANTS))


# --- When it is used ---------------------------------------------------------------------------


def test_the_environment_chooses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CHOICE, raising=False)
    assert find_kernel().module is native
    for name, module in (("native", native), ("numpy", reference)):
        monkeypatch.setenv(CHOICE, name)
        assert find_kernel().module is module


def test_without_the_kernel_numpy_does_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xavinit.reading.native", None)
    monkeypatch.delenv(CHOICE, raising=False)
    assert find_kernel().module is reference
    monkeypatch.setenv(CHOICE, "native")
    with pytest.raises(xavinit.MissingLibraryError) as caught:
        find_kernel()
    assert "the native kernel of reading was not built" in str(caught.value)


def test_its_kinds_and_orders_are_those_of_the_package() -> None:
    every = [find_numbers(dtype) for dtype in STORED_DTYPES.values()]
    assert {numbers.kind for numbers in every} == set(kernel.KINDS)
    assert {numbers.layout.order for numbers in every} == set(kernel.ORDERS)
    assert list(kernel.KINDS.values()) == list(range(len(kernel.KINDS)))
    assert list(kernel.ORDERS.values()) == list(range(len(kernel.ORDERS)))
    assert kernel.RUN == RUN
    assert Path(kernel.__file__).parent == Path(native.__file__).parent
