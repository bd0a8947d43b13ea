"""Chunks of HDF5 that lie: what they make is known before, and each is unpacked once."""

from __future__ import annotations

import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import xavinit
from xavinit.errors import InputError
from xavinit.formats import datasets, hdf5_chunks, load_index
from xavinit.formats.hdf5_filters import Filter, undo_filters

ARRAY = np.arange(50, dtype="f4")


def refuse(path: Path, message: str) -> None:
    with pytest.raises(InputError) as caught:
        xavinit.digest(path)
    assert caught.value.describe() == f"{path}{message}"


def write_chunk(path: Path, content: bytes, mask: int = 0, **options: Any) -> None:
    """A dataset of one chunk, 50 float32, with these bytes as they are stored."""
    with h5py.File(path, "w") as file:
        made = file.create_dataset("w", shape=(50,), chunks=(50,), dtype="f4", **options)
        made.id.write_direct_chunk((0,), content, mask)


CHECKED = {"fletcher32": True}
LZF, GZIP = {"compression": "lzf"}, {"compression": "gzip"}
SOUND = ' is not a sound HDF5 file: dataset "w": '


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (b"\0", CHECKED, "a chunk is too short for its checksum"),
        (b"\0" * 204 + b"\1", CHECKED, "the checksum of a chunk is wrong"),
        (ARRAY.tobytes() + b"\1\0\0\0", CHECKED, "the checksum of a chunk is wrong"),
        (b"\0" * 4, CHECKED, "a chunk of 200 bytes has 0"),
        (b"\0" * 199, {}, "a chunk of 200 bytes is stored in 199"),
        (b"\0" * 201, {}, "a chunk of 200 bytes is stored in 201"),
        (b"\0" * 2000, GZIP, "a chunk of 200 bytes is stored in 2,000"),
        (b"text", GZIP, "a chunk cannot be inflated: Error -3 while decompressing data"),
        (zlib.compress(bytes(199)), GZIP, "a chunk of 200 bytes has 199"),
        (zlib.compress(bytes(201)), GZIP, "a chunk inflates to over its 200 bytes"),
        (zlib.compress(bytes(200))[:-1], GZIP, "a chunk is cut short"),
        (zlib.compress(bytes(200)), GZIP | CHECKED, "the checksum of a chunk is wrong"),
        (b"\x1f" + b"a" * 31, LZF, "a chunk is cut short"),
        (b"\xe0", LZF, "a chunk is cut short"),
        (b"\x00a\x20\x05", LZF, "a chunk refers to bytes before its first"),
        (b"\x00a\xe0\xff\x00", LZF, "a chunk inflates to over its 200 bytes"),
        (b"\x00a\xe0\x01\x00", LZF, "a chunk of 200 bytes has 11"),
    ],
)
def test_chunks_that_are_not_of_their_size(
    tmp_path: Path, content: bytes, options: dict[str, Any], message: str
) -> None:
    """The library itself reads beyond the end of some, and dies of it."""
    write_chunk(tmp_path / "w.h5", content, **options)
    with pytest.raises(InputError) as caught:
        xavinit.digest(tmp_path / "w.h5")
    assert caught.value.describe().startswith(f"{tmp_path / 'w.h5'}{SOUND}{message}")


def test_a_chunk_that_inflates_without_end_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "w.h5"
    with h5py.File(path, "w") as file:
        made = file.create_dataset("w", (25_000,), "f4", chunks=(25_000,), **GZIP)
        made.id.write_direct_chunk((0,), zlib.compress(bytes(100 << 20), 9))
    tracemalloc.start()
    try:
        refuse(path, f"{SOUND}a chunk inflates to over its 100,000 bytes")
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def make_twice(file: Any) -> None:
    creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    creation.set_chunk((50,))
    creation.set_deflate(9)
    creation.set_deflate(9)
    space = h5py.h5s.create_simple((50,))
    made = h5py.h5d.create(file.id, b"w", h5py.h5t.IEEE_F32LE, space, creation)
    made.write_direct_chunk((0,), zlib.compress(zlib.compress(bytes(200))))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (make_twice, "is packed by one filter twice, or compressed twice, which is not read"),
        (
            lambda file: file.create_dataset("w", data=ARRAY.astype("i4"), scaleoffset=0),
            "is packed by the filter scale-offset, which is not read",
        ),
    ],
)
def test_filters_that_are_refused(
    tmp_path: Path, make: Callable[[Any], object], message: str
) -> None:
    with h5py.File(tmp_path / "w.h5", "w") as file:
        make(file)
    refuse(tmp_path / "w.h5", f': dataset "w" {message}')


def test_a_chunk_may_leave_filters_out(tmp_path: Path) -> None:
    for options in (GZIP, LZF):
        write_chunk(tmp_path / "w.h5", ARRAY.tobytes(), 1, **options)
        assert xavinit.digest(tmp_path / "w.h5") == xavinit.digest({"w": ARRAY})


def test_checksums_of_old_libraries_have_swapped_halves() -> None:
    content = np.frombuffer(b"abcde", np.uint8)
    # Computed by hand from the definition, of 0x6162, 0x6364 and 0x6500.
    first = (0x6162 + 0x6364 + 0x6500) % 65535
    second = (3 * 0x6162 + 2 * 0x6364 + 0x6500) % 65535
    for order in ("<u2", ">u2"):
        told = np.array([first, second], order).view(np.uint8)
        made = undo_filters([Filter(3)], 0, np.append(content, told), 5)
        assert made.tobytes() == b"abcde"


def test_a_dataset_with_some_of_its_chunks(tmp_path: Path) -> None:
    path = tmp_path / "w.h5"
    with h5py.File(path, "w") as file:
        for name, options in (("a", {}), ("b", GZIP), ("c", {"maxshape": (None, 20)})):
            made = file.create_dataset(name, (30, 20), ">i2", chunks=(7, 6), fillvalue=5, **options)
            made[12:15, 3:9] = np.arange(18).reshape(3, 6)
            made[29, 19] = 1
        made.resize((13, 20))  # leaves a chunk behind
        arrays = {name: file[name][()] for name in "abc"}
    assert xavinit.digest(path) == xavinit.digest(arrays)


def count_unpacked(path: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many chunks are unpacked for a digest."""
    count = 0

    def undo(*arguments: Any) -> Any:
        nonlocal count
        count += 1
        return undo_filters(*arguments)

    monkeypatch.setattr(hdf5_chunks, "undo_filters", undo)
    xavinit.digest(path, jobs=1)
    return count


def test_chunks_larger_than_what_is_read_at_once_are_unpacked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "w.h5"
    array = np.random.default_rng(1).random((1000, 700))
    with h5py.File(path, "w") as file:
        file.create_dataset("w", data=array, chunks=(1000, 100), compression="gzip")
    for place in ("hdf5_chunks", "hdf5_source"):
        monkeypatch.setattr(f"xavinit.formats.{place}.UNIT", 1 << 16)
    assert load_index(str(path)).tensors[0].memory > array.nbytes
    assert xavinit.digest(path) == xavinit.digest({"w": array})
    assert count_unpacked(path, monkeypatch) == 7
    # Where they are too many to be kept, how often they are unpacked counts.
    for place in ("hdf5_chunks", "hdf5_source"):
        monkeypatch.setattr(f"xavinit.formats.{place}.MOST_KEPT", 1 << 20)
    (tensor,) = load_index(str(path)).tensors
    assert tensor.source.count_read(tensor) == 91 * array.nbytes  # type: ignore[attr-defined]
    monkeypatch.setattr(datasets, "_MOST_EXPANDED", 50)
    refuse(
        path,
        ': dataset "w" is refused: its chunks would make over 50 times the '
        f"{path.stat().st_size / 1e6:.2f} MB of the file",
    )


def test_a_file_of_too_many_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file.create_dataset("w", (300,), "u1", chunks=(1,))
    monkeypatch.setattr(datasets, "MOST_CHUNKS", 299)
    refuse(tmp_path / "w.h5", ": its datasets must have at most 299 chunks")


def test_chunks_that_lie_in_one_place(tmp_path: Path) -> None:
    """Each was unpacked in its turn: a thousand times the bytes of the file."""
    path = tmp_path / "w.h5"
    with h5py.File(path, "w") as file:
        made = file.create_dataset("w", (30, 500), "f8", chunks=(1, 500), compression="gzip")
        made[...] = np.random.default_rng(1).random((30, 500))
        places = [made.id.get_chunk_info(number).byte_offset for number in range(30)]
        sizes = [made.id.get_chunk_info(number).size for number in range(30)]
    content = path.read_bytes()
    for place in places[1:]:  # in the index of the chunks
        content = content.replace(place.to_bytes(8, "little"), places[0].to_bytes(8, "little"))
    end = places[0] + sizes[0]  # the others lie behind it
    content = content.replace(len(content).to_bytes(8, "little"), end.to_bytes(8, "little"), 1)
    path.write_bytes(content[:end])
    refuse(path, f"{SOUND}its chunks share bytes of the file")
