"""The native kernel puts values where they belong, and nowhere else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel_cases import (
    draw_expected,
    dtypes,
    fill,
    kernel,
    keys,
    laws,
    native,
    steady,
    use_variant,
    variants,
)
from test_views import axes_of_tensors

from xavinit.dtypes import DTYPES, DType
from xavinit.layers import make_view, split_index
from xavinit.plan import Law, Normal
from xavinit.streams import make_key

# --- Runs and views ---------------------------------------------------------------------------


@steady
@given(
    keys,
    laws,
    dtypes,
    st.integers(0, 2**40),
    st.integers(0, 5000),
    st.integers(0, 17),
    variants,
)
def test_a_run_lies_anywhere_and_touches_nothing_beside_it(
    key: int, law: Law, dtype: DType, start: int, count: int, shift: int, variant: int
) -> None:
    """At every alignment of words and of the buffer."""
    arguments = (key, law, dtype, start, start + count)
    expected, nbytes = draw_expected(*arguments)
    whole = memoryview(bytearray(b"\xa5" * (nbytes + 40)))
    with use_variant(variant):
        assert fill(native.Filler(), whole[shift : shift + nbytes], *arguments) == expected
    edges = bytes(whole[:shift]) + bytes(whole[shift + nbytes :])
    assert edges == b"\xa5" * 40


@steady
@given(axes_of_tensors(), keys, laws, dtypes, st.integers(0, 9), st.data())
def test_any_range_of_a_view_is_that_of_the_reference(
    axes: Any, key: int, law: Law, dtype: DType, shift: int, data: st.DataObject
) -> None:
    view = make_view(axes[1])
    size = int(np.prod([len(axis) for axis in axes[1]]))
    start = data.draw(st.integers(0, size))
    stop = data.draw(st.integers(start, size))
    arguments = (key, law, dtype, start, stop, view)
    expected, nbytes = draw_expected(*arguments)
    whole = memoryview(bytearray(nbytes + 9))
    assert fill(native.Filler(), whole[shift : shift + nbytes], *arguments) == expected


# Views so large that runs are cut and many tiles follow one another.
LARGE = {
    "transposed": ((1000, 700), lambda a, b: (b, a)),
    "transposed and flipped": ((300, 2100), lambda a, b: (b[::-1], a)),
    "every third": ((900, 301), lambda a, b: (b[::3], a[::-2])),
    "a long run": ((3, 70_000), lambda a, b: (a[::-1], b)),
    "a long stride": ((70_000, 3), lambda a, b: (b, a)),
    "blocks moved": ((4, 200, 50), lambda a, b, c: (c, tuple(a[i] for i in (2, 0, 3, 1)), b)),
    "a convolution": ((96, 48, 3, 5), lambda o, i, h, w: (h, w, i, o)),
    "flattened": ((30, 16, 7, 5), lambda o, c, h, w: (h, w, c, o)),
}


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "float8_e5m2"])
@pytest.mark.parametrize("name", LARGE)
def test_large_views(name: str, dtype: str) -> None:
    shape, turn = LARGE[name]
    view = make_view(turn(*split_index(shape)))
    law, size = Normal(0.5), view.count
    kind = DTYPES[dtype]
    for start, stop in ((0, size), (size // 3 + 1, size - 5)):
        arguments = (9, law, kind, start, stop, view)
        expected, nbytes = draw_expected(*arguments)
        assert fill(native.Filler(), memoryview(bytearray(nbytes)), *arguments) == expected


# --- Bad arguments ----------------------------------------------------------------------------

KEY = make_key(1, "w").to_bytes(16, "little")
LAW = (kernel.DISTRIBUTIONS["uniform"], native.DTYPES["float32"], 1.0)


@pytest.mark.parametrize(
    "axes",
    [
        ((11, 1, 1),),
        ((10, 1, -1),),
        ((2, 1, 10),),
        ((6, 1, 2),),
        ((2, 1, 6), (2, 1, 5)),
        ((2, 1, -1),),
        ((2**62, 1, 4),),
        ((2, 1, 2**62),),
        ((2, 1, -(2**63)),),
        ((-1, 1, 1),),
        ((2**62, 0, 0),),
        ((1, -1, 1),),
        ((10, 1, 1),) * 65,
    ],
)
def test_nothing_leaves_the_buffer(axes: Any) -> None:
    out = bytearray(40)
    with pytest.raises(ValueError, match=r"leaves the buffer|at most 64 axes"):
        kernel.fill(out, KEY, *LAW, 0, 0, axes)
    with pytest.raises(ValueError, match="leaves the buffer"):
        kernel.fill(out, KEY, *LAW, 0, 10, ((1, 1, 1),))
    with pytest.raises(ValueError, match="leaves the buffer"):
        kernel.fill(out, KEY, *LAW, 0, -1, ((1, 1, 1),))
    assert out == bytes(40)


def test_other_arguments_are_checked() -> None:
    out = bytearray(40)
    with pytest.raises(ValueError, match="a key has 16 bytes; got 15"):
        kernel.fill(out, KEY[1:], *LAW, 0, 0, ((10, 1, 1),))
    distributions, dtypes = len(kernel.DISTRIBUTIONS), len(kernel.DTYPES)
    for distribution, dtype in ((distributions, 1), (-1, 1), (0, dtypes), (0, -1)):
        with pytest.raises(ValueError, match="no such law"):
            kernel.fill(out, KEY, distribution, dtype, 1.0, 0, 0, ((10, 1, 1),))
        with pytest.raises(ValueError, match="no such law"):
            kernel.convert(out, bytes(40), distribution, dtype, 1.0)
    with pytest.raises(ValueError, match="the buffer of 2 values has 40 bytes"):
        kernel.convert(out, bytes(8), *LAW)
    for wrong in ([(10, 1, 1)], ((1, 1, 1), 5), ([1, 1, 1],), (None,)):
        with pytest.raises(TypeError):
            kernel.fill(out, KEY, *LAW, 0, 0, wrong)
    with pytest.raises((TypeError, BufferError)):
        kernel.fill(bytes(40), KEY, *LAW, 0, 0, ((10, 1, 1),))
    with pytest.raises(ValueError, match="no such variant"):
        kernel.use_variant(99)
    kernel.fill(out, KEY, *LAW, 0, 0, ((0, 1, 1),))
    assert out == bytes(40)
    kernel.fill(out, KEY, *LAW, 0, 3, ())  # no axis: one element
    assert out[12:16] != bytes(4)
    assert out[:12] + out[16:] == bytes(36)
