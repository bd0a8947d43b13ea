"""One pass over a file's tensors: the same figures for any jobs, blocks, formats and orders."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reading_cases import contents, steady, summarize_bytes

from xavinit.crew import BLOCK
from xavinit.dtypes import STORED_DTYPES, DType
from xavinit.errors import InputError
from xavinit.formats import Index, Reader, StoredTensor, parse_format, stored
from xavinit.formats.stored import PlainRange
from xavinit.formats.strided import StridedRange, find_strides
from xavinit.reading import Summary, summarize
from xavinit.reading.kernels import RUN, find_kernel
from xavinit.reading.tasks import Group, Piece, limit_jobs, list_tasks

RNG = np.random.default_rng(11)


def ignore(_: int) -> None:
    pass


def make_index(path: Path, tensors: list[tuple[DType, bytes]]) -> Index:
    """A file of raw tensors, one after another, and where they are."""
    stored, offset = [], 0
    for number, (dtype, content) in enumerate(tensors):
        shape = (len(content) * 8 // dtype.bits,)
        stored.append(StoredTensor(f"t{number}", dtype, shape, PlainRange(str(path), offset)))
        offset += len(content)
    path.write_bytes(b"".join(content for _, content in tensors))
    return Index(str(path), tuple(stored), {})


def make_bytes(name: str, size: int) -> tuple[DType, bytes]:
    dtype = STORED_DTYPES[name]
    if name.startswith("float") and dtype.bits >= 32:
        return dtype, RNG.normal(3, 1, size).astype(name).tobytes()
    return dtype, RNG.bytes(size * dtype.bits // 8)


LARGE = [
    make_bytes("float32", 5),
    make_bytes("float32", 1_200_001),
    make_bytes("bool", 0),
    make_bytes("bfloat16", 1_600_003),
    make_bytes("complex64", 300_001),
    make_bytes("float4_e2m1fn", 4_000_000),
    make_bytes("float6_e3m2fn", 2_800_000),
    make_bytes("float64", 400_001),
    make_bytes("int64", 150_000),
    *(make_bytes("float32", 768) for _ in range(50)),
]


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> tuple[Index, tuple[Summary, ...]]:
    """A file of several blocks, and the summaries of its tensors as they are one by one."""
    index = make_index(tmp_path_factory.mktemp("large") / "raw", LARGE)
    module = find_kernel().module
    return index, tuple(summarize_bytes(module, dtype.name, text) for dtype, text in LARGE)


@pytest.mark.parametrize("jobs", [1, 2, 7, None])
def test_the_figures_are_the_same_for_any_jobs(
    jobs: int | None, large: tuple[Index, tuple[Summary, ...]]
) -> None:
    index, expected = large
    told: list[int] = []
    assert repr(summarize(index, jobs, told.append)) == repr(expected)
    assert sum(told) == sum(tensor.nbytes for tensor in index.tensors)


@pytest.mark.parametrize("block", [1, 300_000, 1 << 22])
def test_the_figures_are_the_same_for_any_blocks(
    block: int, large: tuple[Index, tuple[Summary, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    index, expected = large
    monkeypatch.setattr(stored, "_BLOCK", block)
    assert repr(summarize(index, 3, ignore)) == repr(expected)


def test_the_figures_of_numpy_s_kernel_are_the_same(
    large: tuple[Index, tuple[Summary, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    index, expected = large
    for name in ("numpy", ""):
        monkeypatch.setenv("XAVINIT_KERNEL", name)
        assert repr(summarize(index, 2, ignore)) == repr(expected)


@given(st.lists(contents(), max_size=5), st.integers(1, 3))
@steady
def test_each_tensor_has_its_own_figures(
    tmp_path_factory: pytest.TempPathFactory, tensors: list[tuple[DType, bytes]], jobs: int
) -> None:
    index = make_index(tmp_path_factory.getbasetemp() / "raw", tensors)
    module = find_kernel().module
    expected = [summarize_bytes(module, dtype.name, content) for dtype, content in tensors]
    assert repr(summarize(index, jobs, ignore)) == repr(tuple(expected))


def test_a_scalar_is_a_tensor_of_one_element(tmp_path: Path) -> None:
    (tmp_path / "raw").write_bytes(np.float32(-2.5).tobytes())
    source = PlainRange(str(tmp_path / "raw"), 0)
    tensor = StoredTensor("t", STORED_DTYPES["float32"], (), source)
    found = summarize(Index(source.path, (tensor,), {}), None, ignore)
    (summary,) = found
    figures = (summary.size, summary.mean, summary.std, summary.min, summary.max)
    assert figures == (1, -2.5, 0.0, -2.5, -2.5)


def test_a_file_without_tensors_has_no_summaries() -> None:
    assert summarize(Index("none", (), {}), None, ignore) == ()


# --- Other ways to lie in a file ---------------------------------------------------------------


@pytest.mark.parametrize("jobs", [1, 4])
def test_chunked_and_plain_datasets_have_the_same_figures(jobs: int, tmp_path: Path) -> None:
    values = RNG.normal(0, 1, (1500, 1100)).astype(np.float32)
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file.create_dataset(
            "chunked", data=values, chunks=(100, 70), compression="gzip", compression_opts=1
        )
        file.create_dataset("plain", data=values)
        file.create_dataset("swapped", data=values.astype(">f4"))
        file.create_dataset("small", data=values[:3, :5], chunks=(2, 2))
    index = parse_format("hdf5").read_index(str(tmp_path / "w.h5"))
    chunked, plain, small, swapped = summarize(index, jobs, ignore)
    assert chunked == plain == swapped
    assert plain.mean == pytest.approx(values.mean(dtype=np.float64), rel=1e-12)
    assert small.max == values[:3, :5].max()


def test_elements_are_summed_in_the_order_in_which_they_are_read(tmp_path: Path) -> None:
    values = RNG.normal(0, 1, (700, 900)).astype(np.float64)
    path = tmp_path / "raw"
    path.write_bytes(values.tobytes(order="F"))
    source = StridedRange(str(path), 0, find_strides(values.shape, is_fortran=True))
    tensor = StoredTensor("t", STORED_DTYPES["float64"], values.shape, source)
    (found,) = summarize(Index(str(path), (tensor,), {}), 2, ignore)
    assert found == summarize_bytes(find_kernel().module, "float64", values.tobytes())


def test_a_pipe_is_read_by_one_reader_in_order(
    large: tuple[Index, tuple[Summary, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    index, expected = large
    read: list[tuple[int, str, int]] = []
    fill = Reader.fill

    def note(self: Reader, tensor: StoredTensor, start: int, *rest: Any) -> None:
        read.append((id(self), tensor.name, start))
        fill(self, tensor, start, *rest)

    monkeypatch.setattr(Reader, "fill", note)
    pipe = Index(index.path, index.tensors, {}, is_pipe=True)
    assert repr(summarize(pipe, 4, ignore)) == repr(expected)
    numbers = {tensor.name: number for number, tensor in enumerate(index.tensors)}
    assert len({reader for reader, _, _ in read}) == 1
    order = [(numbers[name], start) for _, name, start in read]
    assert order == sorted(order)


# --- Tasks -------------------------------------------------------------------------------------


def walk(index: Index) -> Iterator[tuple[int, int, int]]:
    for task in list_tasks(index.tensors):
        if isinstance(task, Piece):
            yield task.number, task.start, task.stop
        else:
            for number in range(task.first, task.last):
                yield number, 0, index.tensors[number].size


def test_tasks_are_every_element_once_in_order(large: tuple[Index, Any]) -> None:
    index, _ = large
    seen = [0] * len(index.tensors)
    last = 0
    for number, start, stop in walk(index):
        assert number >= last
        assert start == seen[number]
        assert start % RUN == 0
        seen[number], last = stop, number
    assert seen == [tensor.size for tensor in index.tensors]
    every = list(list_tasks(index.tensors))
    assert max(task.nbytes for task in every) < 3 * BLOCK
    assert sum(task.nbytes for task in every) == sum(tensor.nbytes for tensor in index.tensors)


def test_small_tensors_share_a_task(tmp_path: Path) -> None:
    index = make_index(tmp_path / "raw", [make_bytes("float32", 768)] * 1000)
    every = list(list_tasks(index.tensors))
    assert all(isinstance(task, Group) for task in every)
    assert len(every) == 3


def test_large_chunks_are_read_by_fewer_workers(tmp_path: Path) -> None:
    index = make_index(tmp_path / "raw", [make_bytes("float32", 768)])
    assert limit_jobs(index.tensors, 64) == 64
    source = StridedRange(str(tmp_path / "raw"), 0, (1, 4096))
    tensor = StoredTensor("t", STORED_DTYPES["float32"], (4096, 4096), source)
    assert limit_jobs((*index.tensors, tensor), 64) == 3


# --- Errors and memory -------------------------------------------------------------------------


@pytest.mark.parametrize("jobs", [1, 3])
def test_a_file_that_has_shrunk_is_told(jobs: int, tmp_path: Path) -> None:
    index = make_index(tmp_path / "raw", [make_bytes("float32", 3_000_000)])
    with open(tmp_path / "raw", "r+b") as file:
        file.truncate(9_000_000)
    with pytest.raises(InputError) as caught:
        summarize(index, jobs, ignore)
    assert str(caught.value) == f'{tmp_path / "raw"} is cut short at tensor "t0"'


MEASURE = """
import sys
from xavinit.dtypes import DTYPES
from xavinit.formats import Index, StoredTensor
from xavinit.formats.stored import PlainRange
from xavinit.reading import summarize

size, count = int(sys.argv[2]), int(sys.argv[3])
tensors = tuple(
    StoredTensor(f"t{i}", DTYPES["float32"], (size,), PlainRange(sys.argv[1], 4 * size * i))
    for i in range(count)
)
summarize(Index(sys.argv[1], tensors, {}), 2, lambda nbytes: None)
status = open("/proc/self/status").read()  # not ru_maxrss, which is also that of what started it
print(status.partition("VmHWM:")[2].split()[0], "numpy" in sys.modules)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize(("size", "count"), [(60_000_000, 1), (768, 10_000)])
def test_memory_does_not_follow_the_size(size: int, count: int, tmp_path: Path) -> None:
    """240 MB of one tensor, 10,000 small ones: 64 MiB, and no NumPy."""
    pytest.importorskip("xavinit.reading._kernel")
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(4 * size * count)
    command = [sys.executable, "-c", MEASURE, str(path), str(size), str(count)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    peak, has_numpy = done.stdout.split()
    assert has_numpy == "False"
    assert int(peak) << 10 < 64 << 20
