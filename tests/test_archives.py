"""Zip archives: `.npz` and `.keras` as their libraries write them, and archives that lie."""

from __future__ import annotations

import io
import json
import struct
import threading
import tracemalloc
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import xavinit
from xavinit.errors import InputError
from xavinit.formats import Index, Reader, archives, load_index
from xavinit.formats.archives import Member
from xavinit.formats.deflated import InflatedFile
from xavinit.stopping import StoppedError, obey

ARRAYS = {
    "a": np.arange(6, dtype="<f4").reshape(2, 3),
    "b/c.d": np.asfortranarray(np.arange(12, dtype=">i2").reshape(3, 4)),
    "empty": np.zeros((0, 3)),
    "scalar": np.array(2.5),
}


def load(path: Path) -> Index:
    return load_index(str(path))


def refuse(path: Path, message: str) -> None:
    """Reading the index, or the elements, is refused with this message of one line."""
    with pytest.raises(InputError) as caught:
        xavinit.digest(path)
    assert message in caught.value.describe()
    assert "\n" not in caught.value.describe()


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_what_numpy_saved_is_read(tmp_path: Path, save: Any) -> None:
    save(tmp_path / "w.npz", **ARRAYS)
    path = (tmp_path / "w.npz").rename(tmp_path / "weights.bin")  # the name tells nothing
    index = load(path)
    assert (index.format, index.skipped) == ("npz", 0)
    assert {t.name: (t.dtype.name, t.shape) for t in index.tensors} == {
        name: (array.dtype.name, array.shape) for name, array in ARRAYS.items()
    }
    assert xavinit.digest(path) == xavinit.digest(ARRAYS)


def test_a_stored_array_is_a_range_of_the_archive(tmp_path: Path) -> None:
    path = tmp_path / "w.npz"
    np.savez(path, w=np.arange(6, dtype="<f4"))
    (tensor,) = load(path).tensors
    assert tensor.plain is not None
    assert np.array_equal(np.fromfile(path, "<f4", 6, offset=tensor.plain.offset), np.arange(6))
    np.savez_compressed(path, w=np.arange(6, dtype="<f4"))
    (tensor,) = load(path).tensors
    assert tensor.plain is None


def make_npy(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def write(path: Path, members: dict[str, bytes], how: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", how) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_names_are_those_of_numpy(tmp_path: Path) -> None:
    """A member without `.npy` is an array too; what is none is given as bytes, and skipped here."""
    array = make_npy(np.ones(2))
    path = write(tmp_path / "w.npz", {"a.npy": array, "b": array, "c.npy.npy": array, "n": b"text"})
    with np.load(path) as loaded:
        arrays = {name: loaded[name] for name in loaded.files}
    assert arrays.pop("n") == b"text"
    assert xavinit.digest(path) == xavinit.digest(arrays)
    assert load(path).skipped == 1


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"w.npy": make_npy(np.ones(3))[:-8]}, 'member "w.npy" is cut short or too long for its'),
        ({"w.npy": make_npy(np.ones(3)) + b"."}, 'member "w.npy" is cut short or too long for'),
        ({"w.npy": make_npy(np.array("text"))}, 'member "w.npy" is of dtype "<U4", unknown to'),
        ({"w.npy": b"\x93NUMPY\x01\0\x10\0{"}, 'member "w.npy" is not a sound npy file: '),
        ({"w.npy": make_npy(np.ones(1)), "w": make_npy(np.ones(1))}, 'it holds two tensors "w"'),
        ({"readme": b"text"}, "is a zip archive without weights of PyTorch, NumPy or Keras"),
        ({}, "is an empty zip archive, not a weights file that xavinit reads"),
    ],
)
def test_other_archives(tmp_path: Path, members: dict[str, bytes], message: str) -> None:
    refuse(write(tmp_path / "w.npz", members), message)


def test_an_array_of_objects_is_not_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "w.npz"
    np.savez(path, w=np.array([{}, None]))
    refuse(path, 'member "w.npy" is of dtype "object", unknown to xavinit')


def change(path: Path, old: bytes, new: bytes, count: int = -1) -> None:
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new, count))


def edit(path: Path, mark: bytes, offset: int, form: str, value: int) -> None:
    """Change a field of the first header with this mark."""
    content = bytearray(path.read_bytes())
    struct.pack_into(form, content, content.index(mark) + offset, value)
    path.write_bytes(content)


LOCAL, CENTRAL, END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
SMALL = {"w.npy": make_npy(np.arange(2000, dtype="<f4") % 7)}


@pytest.mark.parametrize(
    ("mark", "offset", "form", "value", "message"),
    [
        (CENTRAL, 8, "<H", 1, 'member "w.npy" is encrypted'),
        (CENTRAL, 10, "<H", 12, 'member "w.npy" is compressed by method 12; only deflate is read'),
        (CENTRAL, 20, "<I", 2**31, "it is cut short"),
        (CENTRAL, 42, "<I", 7, 'member "w.npy" does not begin with a header'),
        (CENTRAL, 42, "<I", 2**31, "is not a sound zip archive"),
        (LOCAL, 28, "<H", 60_000, "it is cut short"),
        (END, 12, "<I", 2**31, "is not a sound zip archive"),
        (CENTRAL, 24, "<I", 8127, 'corrupt at member "w.npy": it is longer than the archive'),
        (CENTRAL, 24, "<I", 9000, 'is cut short at member "w.npy"'),
        (CENTRAL, 16, "<I", 7, 'is corrupt at member "w.npy": its checksum is wrong'),
    ],
)
def test_directories_that_lie(
    tmp_path: Path, mark: bytes, offset: int, form: str, value: int, message: str
) -> None:
    path = write(tmp_path / "w.npz", SMALL, zipfile.ZIP_DEFLATED)
    edit(path, mark, offset, form, value)
    refuse(path, message)


def test_a_stored_member_has_one_size(tmp_path: Path) -> None:
    path = write(tmp_path / "w.npz", SMALL)
    edit(path, CENTRAL, 24, "<I", 2**31)
    refuse(path, 'member "w.npy" is stored, but of two sizes')


def test_a_member_that_is_longer_than_said(tmp_path: Path) -> None:
    content = make_npy(np.zeros(200_000, "<f4"))
    path = write(tmp_path / "w.npz", {"w.npy": content + bytes(100)}, zipfile.ZIP_DEFLATED)
    edit(path, CENTRAL, 24, "<I", len(content))
    edit(path, CENTRAL, 16, "<I", zlib.crc32(content))
    refuse(path, 'is corrupt at member "w.npy": it is longer than the archive\'s directory says')


def test_members_with_one_name(tmp_path: Path) -> None:
    path = tmp_path / "w.npz"
    with zipfile.ZipFile(path, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(2):
            archive.writestr("w.npy", SMALL["w.npy"])
    refuse(path, 'it holds two members "w.npy"')


def test_members_that_share_bytes(tmp_path: Path) -> None:
    path = write(tmp_path / "w.npz", {"a.npy": SMALL["w.npy"], "b.npy": SMALL["w.npy"]})
    content = bytearray(path.read_bytes())
    second = content.index(CENTRAL, content.index(CENTRAL) + 1)
    struct.pack_into("<I", content, second + 42, 0)  # begins where the first one does
    path.write_bytes(content)
    refuse(path, "overlaps another")


def test_an_archive_of_too_many_members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "w.npz", {f"{n}.npy": SMALL["w.npy"] for n in range(4)})
    monkeypatch.setattr(archives, "MOST_MEMBERS", 3)
    refuse(path, "it must hold at most 3 members")
    monkeypatch.setattr(archives, "LARGEST_DIRECTORY", 100)
    refuse(path, "its directory must be at most 100 B")


def write_zeros(path: Path, nbytes: int) -> None:
    """An array of zeros, compressed a thousand times."""
    array = np.broadcast_to(np.zeros(1, "u1"), (nbytes,))
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("w.npy", "w") as member,
    ):
        np.lib.format.write_array(member, array)


def test_a_bomb_is_refused_before_it_goes_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "w.npz"
    write_zeros(path, 30_000_000)
    tracemalloc.start()
    try:
        assert load(path).tensors[0].size == 30_000_000  # so few bytes are always read
        assert len(xavinit.digest(path)) == 64
        monkeypatch.setattr(archives, "ALWAYS_EXPANDED", 1 << 20)
        refuse(path, 'tensor "w" is refused: its tensors would make over 200 times the 29.')
        assert tracemalloc.get_traced_memory()[1] < 10 << 20
    finally:
        tracemalloc.stop()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 3000)), max_size=8), st.data())
def test_any_part_of_a_deflated_member_is_read_in_any_order(
    tmp_path_factory: pytest.TempPathFactory, runs: list[tuple[int, int]], data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("npz") / "w.npz"
    array = np.random.default_rng(1).integers(0, 50, 3000).astype("<i4")
    np.savez_compressed(path, w=array)
    (tensor,) = load(path).tensors
    with pytest.MonkeyPatch.context() as patch, Reader() as reader:
        patch.setattr("xavinit.formats.deflated._BLOCK", data.draw(st.integers(1, 5000)))
        for first, second in runs:
            start, stop = min(first, second), max(first, second)
            assert reader.read(tensor, start, stop) == array[start:stop].tobytes()


def test_a_large_deflated_array_in_fortran_order_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "w.npz"
    np.savez_compressed(path, w=np.asfortranarray(np.ones((20, 20))))
    assert xavinit.digest(path) == xavinit.digest({"w": np.ones((20, 20))})
    monkeypatch.setattr("xavinit.formats.npz.LARGEST_TURNED", 3000)
    refuse(path, "is deflated and in Fortran order, and is held whole: it must be at most 3 kB")


def test_a_deflated_array_in_fortran_order_is_inflated_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many axes it has, and however little is read at once."""
    path = tmp_path / "w.npz"
    arrays = {
        name: np.asfortranarray(np.random.default_rng(number).random((3,) * 11))
        for number, name in enumerate("ab")
    }
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]
    inflated = 0

    def inflate(file: InflatedFile, most: int) -> bytes:
        nonlocal inflated
        content = inflate_some(file, most)
        inflated += len(content)
        return content

    inflate_some = InflatedFile._inflate_some
    monkeypatch.setattr(InflatedFile, "_inflate_some", inflate)
    monkeypatch.setattr("xavinit.formats.strided._UNIT", 1000)
    assert load(path).tensors[0].memory > arrays["a"].nbytes
    assert inflated < 4 * (1 << 18)  # their headers
    inflated = 0
    assert xavinit.digest(path, jobs=1) == xavinit.digest(arrays)
    assert inflated < 3 * arrays["a"].nbytes


def test_several_deflated_members_by_turns(tmp_path: Path) -> None:
    path = tmp_path / "w.npz"
    arrays = {"a": np.arange(100.0), "b": np.asfortranarray(np.arange(100.0).reshape(10, 10))}
    np.savez_compressed(path, **arrays)
    with Reader() as reader:
        for start in (50, 0, 20):
            for tensor in load(path).tensors:
                part = arrays[tensor.name].ravel()[start : start + 30]
                assert reader.read(tensor, start, start + 30) == part.tobytes()


def test_a_stream_that_ends_too_soon_or_is_damaged(tmp_path: Path) -> None:
    content = zlib.compress(bytes(range(256)) * 40, wbits=-15)
    path = tmp_path / "stream"
    path.write_bytes(content)

    def read(packed: int, nbytes: int) -> None:
        member = Member("m", 0, packed, nbytes, 0, is_deflated=True)
        with path.open("rb", buffering=0) as file:
            InflatedFile("w.npz", file, member).seek(nbytes)  # type: ignore[arg-type]

    with pytest.raises(EOFError):
        read(len(content), 20_000)
    with pytest.raises(EOFError):
        read(len(content) // 2, 10_240)
    with pytest.raises(InputError, match=r'w\.npz is corrupt at member "m": its checksum is wrong'):
        read(len(content), 10_240)
    path.write_bytes(b"\xff" * 50)
    with pytest.raises(InputError, match=r'w\.npz is corrupt at member "m": Error -3'):
        read(50, 100)


# Keras's archives


LAYERS = {"framework": "keras", "layers": [{"name": "hidden", "type": "dense", "in": 3, "out": 4}]}


def write_keras(path: Path, weights: bytes, how: int = zipfile.ZIP_STORED) -> Path:
    told = json.dumps({"keras_version": "3.9.0", "number": 5})
    members = {"metadata.json": told.encode(), "config.json": b"{}", "model.weights.h5": weights}
    return write(path, members, how)


def test_the_weights_in_an_archive_are_those_beside_it(tmp_path: Path) -> None:
    inner = tmp_path / "m.weights.h5"
    xavinit.generate(LAYERS, inner)
    path = write_keras(tmp_path / "m.keras", inner.read_bytes())
    index = load(path)
    assert index.format == "keras_archive"
    assert index.metadata["keras_version"] == "3.9.0"
    assert index.labels == dict.fromkeys(("layers/dense/vars/0", "layers/dense/vars/1"), "hidden")
    assert all(tensor.plain for tensor in index.tensors)
    assert index.parse_recipe() == load(inner).parse_recipe() is not None
    assert xavinit.digest(path) == xavinit.digest(inner)


def test_chunked_weights_in_an_archive_are_read_by_the_library(tmp_path: Path) -> None:
    inner = tmp_path / "m.h5"
    array = np.arange(60, dtype=">f4").reshape(6, 10)
    with h5py.File(inner, "w") as file:
        file.create_dataset("layers/a/vars/0", data=array, chunks=(4, 4), compression="gzip")
        file.create_dataset("layers/a/vars/1", data=array)
    path = write_keras(tmp_path / "m.keras", inner.read_bytes())
    expected = xavinit.digest({f"layers/a/vars/{n}": array for n in range(2)})
    assert xavinit.digest(path) == expected


def test_archives_of_keras_that_are_damaged(tmp_path: Path) -> None:
    inner, path = tmp_path / "m.h5", tmp_path / "m.keras"
    xavinit.generate(LAYERS, inner, format="hdf5")
    content = inner.read_bytes()
    refuse(write_keras(path, content, zipfile.ZIP_DEFLATED), "in it is compressed, as Keras never")
    refuse(write_keras(path, b"text"), "m.keras is not a sound HDF5 file: ")
    refuse(write_keras(path, content[:-20]), "m.keras is ")
    write(path, {"metadata.json": b"{", "model.weights.h5": content})
    refuse(path, "has no sound metadata.json: ")


def test_an_archive_that_is_cut_while_it_is_read(tmp_path: Path) -> None:
    inner = tmp_path / "m.h5"
    with h5py.File(inner, "w") as file:
        file.create_dataset("layers/a/vars/0", data=np.arange(9000.0), chunks=(1000,))
    path = write_keras(tmp_path / "m.keras", inner.read_bytes())
    (tensor,) = load(path).tensors
    with path.open("r+b") as file:
        file.truncate(20_000)
    with Reader() as reader, pytest.raises(InputError) as caught:
        reader.read(tensor, 0, 9000)
    assert "\n" not in str(caught.value)


def test_a_thread_that_is_to_stop_does_not_inflate_to_the_end(tmp_path: Path) -> None:
    """Asked before each block, of which going to a far element takes many."""
    path = tmp_path / "w.npz"
    np.savez_compressed(path, w=np.zeros(1 << 20))
    (tensor,) = load(path).tensors
    stop, found = threading.Event(), []

    def read() -> None:
        obey(stop)
        with Reader() as reader:
            reader.read(tensor, 0, 1)
            stop.set()
            opened = reader._opened.find_member(tensor.source.member)  # type: ignore[attr-defined]
            for act in (lambda: opened.seek(8 << 20), lambda: reader.read(tensor, 1, 2)):
                try:
                    act()
                except StoppedError:
                    found.append(opened._place)

    thread = threading.Thread(target=read)
    thread.start()
    thread.join()
    assert found == [found[0]] * 2
    assert found[0] < 1 << 20
