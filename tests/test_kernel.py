"""The native kernel: bit by bit the reference, whatever is asked; and which kernel is used."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from test_views import axes_of_tensors

import xavinit
from xavinit.dtypes import DTYPES, DType
from xavinit.layers import make_view, split_index
from xavinit.plan import Constant, Law, Normal, TruncatedNormal, Uniform
from xavinit.streams import CHOICE, choose_kernel, make_key, reference
from xavinit.streams.words import Words

ROOT = Path(__file__).parent.parent

FLOATS = [dtype for dtype in DTYPES.values() if dtype.is_float]
laws = st.one_of(
    st.builds(Uniform, st.floats(1e-30, 400)),
    st.builds(Normal, st.floats(1e-30, 60)),
    st.builds(TruncatedNormal, st.floats(1e-30, 150)),
)
keys = st.integers(0, 2**128 - 1)
dtypes = st.sampled_from(FLOATS)
steady = settings(deadline=None, derandomize=True, max_examples=200)


def test_it_was_built_where_a_compiler_is() -> None:
    if shutil.which(os.environ.get("CC", "cc")):
        importlib.import_module("xavinit.streams._kernel")


native = pytest.importorskip("xavinit.streams.native")
kernel = native._kernel
VARIANTS = range(len(kernel.list_variants()))


@pytest.fixture(autouse=True)
def best_variant() -> Any:
    yield
    kernel.use_variant(-1)


def fill(filler: Any, out: memoryview, *arguments: Any) -> bytes:
    filler.fill(out, *arguments)
    return bytes(out)


# --- The same bits ----------------------------------------------------------------------------


@steady
@given(
    keys,
    laws,
    dtypes,
    st.integers(0, 2**40),
    st.integers(0, 5000),
    st.integers(0, 17),
    st.sampled_from(VARIANTS),
)
@example(0, Normal(1.0), DTYPES["float64"], 0, 2049, 1, 0)
@example(2**128 - 1, Uniform(1.0), DTYPES["float32"], 2**62, 2048, 3, VARIANTS[-1])
def test_any_range_is_that_of_the_reference(
    key: int, law: Law, dtype: DType, start: int, count: int, shift: int, variant: int
) -> None:
    """Every law and dtype, at every alignment of words and of the buffer, in every variant."""
    kernel.use_variant(variant)
    arguments = (key, law, dtype, start, start + count)
    nbytes = count * dtype.itemsize
    expected = fill(reference.Filler(), memoryview(bytearray(nbytes)), *arguments)
    whole = memoryview(bytearray(b"\xa5" * (nbytes + 40)))
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
    nbytes = (stop - start) * dtype.itemsize
    expected = fill(reference.Filler(), memoryview(bytearray(nbytes)), *arguments)
    whole = memoryview(bytearray(nbytes + 9))
    assert fill(native.Filler(), whole[shift : shift + nbytes], *arguments) == expected


# Views as large as blocks are, where runs are cut and many tiles follow one another.
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
        nbytes = (stop - start) * kind.itemsize
        expected = fill(reference.Filler(), memoryview(bytearray(nbytes)), *arguments)
        assert fill(native.Filler(), memoryview(bytearray(nbytes)), *arguments) == expected


@steady
@given(laws, dtypes, st.integers(0, 2**32), st.sampled_from(VARIANTS))
def test_words_become_the_values_that_filling_gives(
    law: Law, dtype: DType, start: int, variant: int
) -> None:
    kernel.use_variant(variant)
    words = Words()
    read = words.read if dtype.name == "float64" else words.read_halves
    out = bytearray(3000 * dtype.itemsize)
    number, scale = native.DISTRIBUTIONS[type(law)], native.find_scale(law)
    kernel.convert(out, read(5, start, 3000), number, native.DTYPES[dtype.name], scale)
    expected = memoryview(bytearray(len(out)))
    assert out == fill(reference.Filler(), expected, 5, law, dtype, start, start + 3000)


def test_edge_words() -> None:
    """All bits zero, all one, and each bit alone: the largest, the smallest and the middle."""
    for dtype, bits in (("float64", 64), ("float32", 32)):
        edges = [0, 2**bits - 1, *(1 << i for i in range(bits)), *(2**i - 1 for i in range(bits))]
        words = np.array(edges, f"u{bits // 8}")
        sampler = reference.Filler()._find_sampler(
            reference.DOUBLE if bits == 64 else reference.SINGLE
        )
        for law in (Uniform(0.7), Normal(1.3), TruncatedNormal(1.0)):
            expected = np.empty(len(words), dtype)
            sampler.sample(law, words.copy(), expected)
            for variant in VARIANTS:
                kernel.use_variant(variant)
                out = np.empty(len(words), dtype)
                number = native.DISTRIBUTIONS[type(law)]
                scale = native.find_scale(law)
                kernel.convert(out, words, number, native.DTYPES[dtype], scale)
                assert out.tobytes() == expected.tobytes()


@pytest.mark.slow
@pytest.mark.parametrize("law", [Uniform(1.0), Normal(1.0), TruncatedNormal(1.0)], ids=str)
def test_every_word_of_float32(law: Law) -> None:
    """All 2³² of them in every variant (make test-kernel): a minute for a law."""
    sampler = reference.Filler()._find_sampler(reference.SINGLE)
    number, scale = native.DISTRIBUTIONS[type(law)], native.find_scale(law)
    step = reference.BLOCK
    expected, out = np.empty(step, np.float32), np.empty(step, np.float32)
    first = np.arange(step, dtype=np.uint32)
    for start in range(0, 2**32, step):
        words = first + np.uint32(start)
        sampler.sample(law, words.copy(), expected)
        for variant in VARIANTS:
            kernel.use_variant(variant)
            kernel.convert(out, words, number, native.DTYPES["float32"], scale)
            assert np.array_equal(out.view(np.uint32), expected.view(np.uint32)), hex(start)


# --- Bad arguments ----------------------------------------------------------------------------

KEY = make_key(1, "w").to_bytes(16, "little")


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
        kernel.fill(out, KEY, 0, 1, 1.0, 0, 0, axes)
    with pytest.raises(ValueError, match="leaves the buffer"):
        kernel.fill(out, KEY, 0, 1, 1.0, 0, 10, ((1, 1, 1),))
    with pytest.raises(ValueError, match="leaves the buffer"):
        kernel.fill(out, KEY, 0, 1, 1.0, 0, -1, ((1, 1, 1),))
    assert out == bytes(40)


def test_other_arguments_are_checked() -> None:
    out = bytearray(40)
    with pytest.raises(ValueError, match="a key has 16 bytes; got 15"):
        kernel.fill(out, KEY[1:], 0, 1, 1.0, 0, 0, ((10, 1, 1),))
    for distribution, dtype in ((3, 1), (-1, 1), (0, 6), (0, -1)):
        with pytest.raises(ValueError, match="no such law"):
            kernel.fill(out, KEY, distribution, dtype, 1.0, 0, 0, ((10, 1, 1),))
        with pytest.raises(ValueError, match="no such law"):
            kernel.convert(out, bytes(40), distribution, dtype, 1.0)
    with pytest.raises(ValueError, match="the buffer of 2 values has 40 bytes"):
        kernel.convert(out, bytes(8), 0, 1, 1.0)
    for wrong in ([(10, 1, 1)], ((1, 1, 1), 5), ([1, 1, 1],), (None,)):
        with pytest.raises(TypeError):
            kernel.fill(out, KEY, 0, 1, 1.0, 0, 0, wrong)
    with pytest.raises((TypeError, BufferError)):
        kernel.fill(bytes(40), KEY, 0, 1, 1.0, 0, 0, ((10, 1, 1),))
    with pytest.raises(ValueError, match="no such variant"):
        kernel.use_variant(99)
    kernel.fill(out, KEY, 0, 1, 1.0, 0, 0, ((0, 1, 1),))
    assert out == bytes(40)
    kernel.fill(out, KEY, 0, 1, 1.0, 0, 3, ())  # no axis: one element
    assert out[12:16] != bytes(4)
    assert out[:12] + out[16:] == bytes(36)


# --- Which one ---------------------------------------------------------------------------------


def test_the_environment_chooses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CHOICE, raising=False)
    assert choose_kernel() == "native"
    for name in ("native", "numpy"):
        monkeypatch.setenv(CHOICE, name)
        assert choose_kernel() == name
    monkeypatch.setenv(CHOICE, "fast")
    with pytest.raises(xavinit.UsageError) as caught:
        xavinit.draw({"tensors": {"w": [2, 2]}})
    assert str(caught.value) == 'XAVINIT_KERNEL must be native or numpy; got "fast"'


def test_without_the_kernel_numpy_does_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xavinit.streams._kernel", None)
    monkeypatch.delenv(CHOICE, raising=False)
    assert choose_kernel() == "numpy"
    monkeypatch.setenv(CHOICE, "native")
    with pytest.raises(xavinit.MissingLibraryError) as caught:
        choose_kernel()
    assert str(caught.value).startswith(
        "XAVINIT_KERNEL=native, but the native kernel was not built"
    )


SPEC = """
rules: [{match: "*.bias", init: {type: normal, std: 0.1}}]
layers:
  - {name: a, type: dense, in: [8, 9, 10], out: 300, init: glorot_normal}
  - {name: b, type: conv2d, in: 32, out: 64, kernel: 3, dtype: bfloat16}
  - {name: c, type: gru, in: 33, hidden: 44, init: glorot_truncated_normal, dtype: float64}
  - {name: d, type: dense, in: 40, out: 50, dtype: float16}
"""


@pytest.mark.parametrize("framework", ["pytorch", "keras", "flax"])
@pytest.mark.parametrize("suffix", [".safetensors", ".h5"])
def test_both_kernels_write_the_same_file(suffix: str, framework: str, tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(SPEC)
    files = []
    for name in ("numpy", "native"):
        files.append(tmp_path / f"{name}{suffix}")
        subprocess.run(
            [
                *(sys.executable, "-m", "xavinit", "generate", "s.yaml", "-q"),
                *("-o", files[-1], "--framework", framework),
            ],
            cwd=tmp_path,
            env={**os.environ, CHOICE: name},
            check=True,
        )
    assert files[0].read_bytes() == files[1].read_bytes()


def test_constants_need_no_kernel() -> None:
    out = memoryview(bytearray(6))
    assert fill(native.Filler(), out, 1, Constant(1), DTYPES["bfloat16"], 0, 3) == b"\x80\x3f" * 3
