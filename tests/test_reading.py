"""Stored tensors are read as little-endian elements in C order, whatever lies on the disk."""

from __future__ import annotations

import json
import os
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import as_strided

import xavinit
from xavinit.dtypes import DTYPES, STORED_DTYPES
from xavinit.errors import InputError
from xavinit.formats import Index, Reader, StoredTensor, load_index
from xavinit.formats.safetensors import CODES
from xavinit.formats.strided import StridedRange, find_strides
from xavinit.layers import split_boxes

SPEC: dict[str, Any] = {"seed": 3, "tensors": {"b.w": [5, 3], "a": {"shape": [4], "init": "ones"}}}
ORDERS = ["<", ">"]
NUMBERS = ["b1", "u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8", "c8", "c16"]


def read_index(path: Path) -> Index:
    return load_index(str(path))


def read_whole(tensor: StoredTensor) -> bytes:
    with Reader() as reader:
        return bytes(reader.read(tensor, 0, tensor.size))


def make_array(shape: tuple[int, ...], code: str) -> Any:
    """Numbers that differ, also in their upper bytes, and are no NaN."""
    flat = np.arange(np.prod(shape, dtype=int)) * 2654435761 % 65521
    return (flat % 2 if code.endswith("1") else flat).reshape(shape).astype(code)


def as_little(array: Any) -> bytes:
    return bytes(np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"))).tobytes())


shapes = st.lists(st.integers(1, 7), max_size=4).map(tuple)
codes = st.tuples(st.sampled_from(ORDERS), st.sampled_from(NUMBERS)).map("".join)


def check_runs(tensor: StoredTensor, array: Any, data: st.DataObject) -> None:
    """Any run of elements is that of the array."""
    expected = as_little(array)
    itemsize = tensor.dtype.itemsize
    start, stop = sorted(data.draw(st.tuples(*[st.integers(0, array.size)] * 2)))
    with Reader() as reader:
        assert reader.read(tensor, start, stop) == expected[start * itemsize : stop * itemsize]
        assert reader.read(tensor, 0, tensor.size) == expected


@settings(max_examples=100, deadline=None)
@given(shapes, codes, st.sampled_from("CF"), st.data())
def test_npy_in_any_order_and_byte_order(
    tmp_path_factory: pytest.TempPathFactory,
    shape: tuple[int, ...],
    code: str,
    order: str,
    data: st.DataObject,
) -> None:
    path = tmp_path_factory.mktemp("npy") / "w.npy"
    array = np.array(make_array(shape, code), order=order)  # type: ignore[call-overload]
    np.save(path, array)
    (tensor,) = read_index(path).tensors
    assert (tensor.dtype.name, tensor.shape) == (array.dtype.name, shape)
    check_runs(tensor, array, data)
    assert xavinit.digest(path) == xavinit.digest({"w": array})


@settings(max_examples=100, deadline=None)
@given(shapes, codes, st.data())
def test_hdf5_in_any_layout_and_byte_order(
    tmp_path_factory: pytest.TempPathFactory, shape: tuple[int, ...], code: str, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("hdf5") / "w.h5"
    array = make_array(shape, code)
    options: dict[str, Any] = {}
    if shape and data.draw(st.booleans()):
        options["chunks"] = tuple(data.draw(st.integers(1, size)) for size in shape)
        options["compression"] = data.draw(st.sampled_from([None, "gzip", "lzf"]))
        options["shuffle"] = data.draw(st.booleans())
        options["fletcher32"] = data.draw(st.booleans())
    with h5py.File(path, "w") as file:
        file.create_dataset("in/w", data=array, **options)
    (tensor,) = read_index(path).tensors
    assert (tensor.name, tensor.dtype.name, tensor.shape) == ("in/w", array.dtype.name, shape)
    assert (tensor.plain is None) == ("chunks" in options or array.dtype.byteorder == ">")
    check_runs(tensor, array, data)
    assert xavinit.digest(path) == xavinit.digest({"in/w": array})


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 9)), max_size=4), codes, st.data())
def test_strides_of_any_kind(
    tmp_path_factory: pytest.TempPathFactory,
    axes: list[tuple[int, int]],
    code: str,
    data: st.DataObject,
) -> None:
    """Overlapping and zero ones too, however little of the file may be held at once."""
    path = tmp_path_factory.mktemp("strided") / "storage"
    shape, strides = tuple(n for n, _ in axes), tuple(step for _, step in axes)
    reach = 1 + sum((n - 1) * step for n, step in axes)
    storage = make_array((reach,), code)
    path.write_bytes(b"head" + storage.tobytes())
    dtype = STORED_DTYPES[storage.dtype.name]
    source = StridedRange(str(path), 4, strides, storage.dtype.byteorder == ">")
    tensor = StoredTensor("w", dtype, shape, source)
    array = as_strided(storage, shape, [step * storage.itemsize for step in strides])
    with pytest.MonkeyPatch.context() as patch:
        if data.draw(st.booleans()):
            patch.setattr("xavinit.formats.strided._SPAN", data.draw(st.integers(1, 64)))
            patch.setattr("xavinit.formats.strided._PAGE", data.draw(st.integers(1, 64)))
        check_runs(tensor, array, data)


@given(st.lists(st.integers(0, 5), max_size=4), st.data())
def test_runs_as_boxes(shape: list[int], data: st.DataObject) -> None:
    indices = np.arange(np.prod(shape, dtype=int)).reshape(shape)
    start, stop = sorted(data.draw(st.tuples(*[st.integers(0, indices.size)] * 2)))
    found = [
        indices[tuple(slice(*ends) for ends in box)].ravel()
        for box in split_boxes(shape, start, stop)
    ]
    assert [int(i) for part in found for i in part] == list(range(start, stop))
    assert len(found) <= 2 * max(len(shape), 1)


def test_a_matrix_in_fortran_order_is_read_by_rows_in_constant_memory(tmp_path: Path) -> None:
    path = tmp_path / "w.npy"
    array = np.asfortranarray(np.arange(6_000_000, dtype="<f4").reshape(6000, 1000))
    np.save(path, array)
    (tensor,) = read_index(path).tensors
    assert tensor.unit == (8 << 20) // 4000 * 1000  # as many rows as fit 8 MiB
    assert tensor.memory == 4 << 20
    assert xavinit.digest(path) == xavinit.digest({"w": array})


def test_a_unit_of_chunks_is_a_row_of_them_where_that_is_small(tmp_path: Path) -> None:
    path = tmp_path / "w.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("a", (100, 60), "f4", chunks=(10, 7))
        file.create_dataset("b", (64, 10**6), "f4", chunks=(32, 1000))
        file.create_dataset("c", (8, 10**8), "f4", chunks=(1, 500))
        for name in "abc":
            file[name][0, 0] = 1
    with pytest.raises(InputError, match='dataset "c" is refused: its chunks would make over 2,0'):
        read_index(path)
    with h5py.File(path, "a") as file:
        file.create_dataset("filler", data=np.random.default_rng(1).random(300_000))
    a, b, c, filler = read_index(path).tensors
    assert [t.unit for t in (a, b, c, filler)] == [600, 4 * 10**6, 500, 1]
    assert (a.memory, filler.memory) == (3 * 280 + (8 << 20), 0)


def test_hdf5_values_that_were_never_written_are_the_fill_value(tmp_path: Path) -> None:
    path = tmp_path / "w.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("contiguous", (3, 4), "f4", fillvalue=2.5)
        file.create_dataset("chunked", (3, 4), "f4", fillvalue=2.5, chunks=(2, 2))
    full = np.full((3, 4), 2.5, "f4")
    assert xavinit.digest(path) == xavinit.digest({"chunked": full, "contiguous": full})


def test_hdf5_compact_and_behind_a_user_block(tmp_path: Path) -> None:
    path = tmp_path / "w.h5"
    array = np.arange(12, dtype="<f4").reshape(3, 4)
    with h5py.File(path, "w", userblock_size=1024) as file:
        file["plain"] = array
        creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        creation.set_layout(h5py.h5d.COMPACT)
        space = h5py.h5s.create_simple((3, 4))
        dataset = h5py.h5d.create(file.id, b"small", h5py.h5t.IEEE_F32LE, space, dcpl=creation)
        dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, array)
    assert xavinit.digest(path) == xavinit.digest({"plain": array, "small": array})


def test_hdf5_links_that_lead_elsewhere_are_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "w.h5"
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["w"] = np.ones(3)
    with h5py.File(path, "w") as file:
        file["group/w"] = np.ones(3)
        file["group/circle"] = file["/"]
        file["group/soft"] = h5py.SoftLink("/group/soft")
        file["outer"] = h5py.ExternalLink("other.h5", "/w")
    assert [tensor.name for tensor in read_index(path).tensors] == ["group/w"]


def find_type(name: str) -> Any:
    """NumPy's dtype of a name, or that of ml_dtypes, whose older releases have fewer."""
    if name.startswith(("bfloat", "float8_", "float6_", "float4_")):
        if not hasattr(ml_dtypes, name):
            pytest.skip(f"ml_dtypes {ml_dtypes.__version__} has no {name}")
        return np.dtype(getattr(ml_dtypes, name))
    return np.dtype(name)


@pytest.mark.parametrize("name", CODES)
def test_safetensors_of_every_dtype_are_listed_and_digested(tmp_path: Path, name: str) -> None:
    dtype = STORED_DTYPES[name]
    nbytes = 8 * dtype.bits // 8
    header = json.dumps({"w": {"dtype": CODES[name], "shape": [8], "data_offsets": [0, nbytes]}})
    values = bytes(range(1, nbytes + 1)) if name != "bool" else b"\0\1" * 4
    path = tmp_path / "w.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header.encode() + values)
    (tensor,) = read_index(path).tensors
    assert (tensor.dtype, tensor.size, tensor.nbytes) == (dtype, 8, nbytes)
    assert read_whole(tensor) == values
    digest = xavinit.digest(path)
    if dtype.bits >= 8:
        assert digest == xavinit.digest({"w": np.frombuffer(values, find_type(name))})


def test_numbers_of_half_a_byte_are_read_two_at_a_time(tmp_path: Path) -> None:
    header = json.dumps({"w": {"dtype": "F4", "shape": [3, 2], "data_offsets": [0, 3]}})
    path = tmp_path / "w.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header.encode() + b"\x01\x23\x45")
    (tensor,) = read_index(path).tensors
    assert tensor.unit == 2
    with Reader() as reader:
        assert reader.read(tensor, 2, 6) == b"\x23\x45"
        with pytest.raises(ValueError, match="no block of"):
            reader.read(tensor, 1, 3)


@pytest.mark.parametrize("name", STORED_DTYPES)
def test_limits_of_the_dtypes_are_those_of_numpy(name: str) -> None:
    dtype = STORED_DTYPES[name]
    if dtype.kind == "bool":
        return
    if dtype.kind == "integer":
        assert (dtype.lowest, dtype.largest) == (np.iinfo(name).min, np.iinfo(name).max)
        return
    known = ml_dtypes.finfo(find_type(name))
    assert (dtype.largest, dtype.mantissa) == (float(known.max), known.nmant)
    assert dtype.smallest_exponent == known.minexp
    if name != "float8_e8m0fnu":  # it has no sign; ml_dtypes gives the smallest
        assert dtype.lowest == float(known.min)


def test_what_can_be_drawn_can_be_stored() -> None:
    assert DTYPES.items() <= STORED_DTYPES.items()
    assert {name: dtype.name for name, dtype in STORED_DTYPES.items()} == {
        name: name for name in STORED_DTYPES
    }


def write_shards(path: Path) -> None:
    xavinit.generate(SPEC, path, max_shard_size=50)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("w.safetensors", lambda path: xavinit.generate(SPEC, path)),
        ("shards", write_shards),
        ("w.h5", lambda path: xavinit.generate(SPEC, path)),
        ("folder", lambda path: xavinit.generate(SPEC, path, format="npy")),
    ],
)
def test_an_index_has_the_metadata(
    tmp_path: Path, name: str, write: Callable[[Path], object]
) -> None:
    write(tmp_path / name)
    index = read_index(tmp_path / name)
    recipe = index.parse_recipe()
    assert recipe is not None
    assert (recipe.seed, recipe.stream) == (3, "xavinit-1")
    assert recipe.spec == SPEC
    assert json.loads(index.metadata["xavinit"])["spec"] == SPEC
    assert index.metadata.get("format") == ("pt" if name in ("w.safetensors", "shards") else None)
    assert {tensor.name for tensor in index.tensors} == set(SPEC["tensors"])


def test_metadata_of_others_and_of_damaged_files(tmp_path: Path) -> None:
    path = tmp_path / "w.h5"
    with h5py.File(path, "w") as file:
        file.attrs.update({"author": "é", "version": 3})
        file["w"] = np.ones(2)
    index = read_index(path)
    assert index.metadata == {"author": "é"}
    assert index.parse_recipe() is None
    for text in ("{", "[]", '{"seed":1}', '{"seed":true,"spec":{},"stream":"s"}'):
        with h5py.File(path, "a") as file:
            file.attrs["xavinit"] = text
        with pytest.raises(InputError, match="has no sound metadata of xavinit: "):
            read_index(path).parse_recipe()
        assert len(xavinit.digest(path)) == 64  # which does not look at it


def test_keras_own_bfloat16_is_read_whatever_the_file_is_called(tmp_path: Path) -> None:
    path = tmp_path / "m.weights.h5"
    layers = [{"name": "a", "type": "dense", "in": 3, "out": 4}]
    xavinit.generate({"layers": layers}, path, framework="keras", dtype="bfloat16")
    for name in ("m.weights.h5", "m.h5", "m"):
        path = path.rename(tmp_path / name)
        index = read_index(path)
        assert {tensor.dtype.name for tensor in index.tensors} == {"bfloat16"}
        assert index.format == "keras"
        assert index.labels == {"layers/dense/vars/0": "a", "layers/dense/vars/1": "a"}


def make_files(folder: Path) -> list[Path]:
    """One of each kind of source, in which each tensor is over a block."""
    array = np.random.default_rng(5).random((300, 1200)).astype("<f4")
    paths = [folder / name for name in ("w.safetensors", "w.npy", "w.h5")]
    xavinit.generate({"tensors": {"w": [300, 1200]}}, paths[0])
    np.save(paths[1], np.asfortranarray(array))
    with h5py.File(paths[2], "w") as file:
        file.create_dataset("w", data=array, chunks=(7, 100), compression="lzf")
    return paths


@pytest.fixture
def many_switches() -> Iterator[None]:
    """Threads take turns so often that a missing lock around a library is noticed."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("many_switches")
def test_threads_read_with_a_reader_each_and_close_their_files(tmp_path: Path) -> None:
    tensors = [read_index(path).tensors[0] for path in make_files(tmp_path)]
    expected = [read_whole(tensor) for tensor in tensors]
    handles = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else None
    faults = []

    def read(turn: int) -> None:
        with Reader() as reader:
            for start in range(turn * 777, 300_000, 33_331):
                for tensor, whole in zip(tensors, expected, strict=True):
                    if reader.read(tensor, start, start + 5000) != whole[start * 4 :][:20_000]:
                        faults.append((turn, start, tensor))

    threads = [threading.Thread(target=read, args=(turn,)) for turn in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    if handles is not None:
        assert len(os.listdir("/proc/self/fd")) == handles


def test_a_file_that_shrinks_after_its_index_was_read(tmp_path: Path) -> None:
    for path in make_files(tmp_path):
        (tensor,) = read_index(path).tensors
        os.truncate(path, path.stat().st_size // 2)
        with pytest.raises(InputError, match=r"cut short at tensor \"w\"|cannot read .*w.h5: "):
            read_whole(tensor)
        path.unlink()
        with pytest.raises(InputError, match=r"cannot read .*: No such file or directory"):
            read_whole(tensor)


def test_strides_of_an_array_are_numpys() -> None:
    for shape in [(), (3,), (2, 3, 4)]:
        for is_fortran in (False, True):
            array = np.empty(shape, "u1", order="F" if is_fortran else "C")
            assert find_strides(shape, is_fortran=is_fortran) == array.strides
