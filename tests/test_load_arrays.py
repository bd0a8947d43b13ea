"""`xavinit.load`: any weights file as arrays, mapped where they lie in it as they are in memory."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import h5py
import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy

import xavinit
from xavinit.errors import InputError

SPEC = {
    "seed": 5,
    "tensors": {
        "w": [30, 40],
        "half": {"shape": [5, 6], "dtype": "bfloat16"},
        "tiny": {"shape": [5, 6], "dtype": "float8_e4m3fn"},
        "count": {"shape": [], "init": {"type": "constant", "value": 7}, "dtype": "int64"},
        "flag": {"shape": [3], "init": "ones", "dtype": "bool"},
        "none": {"shape": [0, 4], "init": "zeros"},
    },
}


def check_equal(found: dict[str, Any], expected: dict[str, Any]) -> None:
    assert set(found) == set(expected)
    for name, array in expected.items():
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape)
        assert found[name].tobytes() == array.tobytes()


@pytest.mark.parametrize("options", [{}, {"max_shard_size": 1000}], ids=["file", "shards"])
def test_what_was_written_comes_back(tmp_path: Path, options: dict[str, Any]) -> None:
    path = tmp_path / ("set" if options else "w.safetensors")
    xavinit.generate(SPEC, path, **options)
    check_equal(xavinit.load(path), xavinit.draw(SPEC))


def test_the_arrays_are_mapped_and_the_file_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    xavinit.generate(SPEC, path)
    before = path.read_bytes()
    arrays = xavinit.load(path)
    assert isinstance(arrays["w"].base.base, np.memmap)
    arrays["w"][:] = 1
    assert arrays["w"].sum() == 1200
    assert path.read_bytes() == before
    check_equal(xavinit.load(path), xavinit.draw(SPEC))


def test_arrays_of_numpy(tmp_path: Path) -> None:
    array = np.arange(24, dtype=">f4").reshape(2, 3, 4)
    np.save(tmp_path / "big.npy", array)
    np.save(tmp_path / "fortran.npy", np.asfortranarray(array.astype("<i2")))
    found = xavinit.load(tmp_path / "big.npy")["big"]
    assert found.dtype == np.dtype("<f4")
    assert np.array_equal(found, array)
    assert np.array_equal(xavinit.load(tmp_path / "fortran.npy")["fortran"], array)


def test_datasets_of_hdf5(tmp_path: Path) -> None:
    array = np.random.default_rng(0).normal(size=(50, 60)).astype("f4")
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file.create_dataset("packed", data=array, chunks=(7, 11), compression="gzip", shuffle=True)
        file["group/plain"] = array
        file["complex"] = array.astype("c8")
    check_equal(
        xavinit.load(tmp_path / "w.h5"),
        {"packed": array, "group/plain": array, "complex": array.astype("c8")},
    )


def write_raw(path: Path, code: str, shape: list[int], content: bytes) -> None:
    entry = {"dtype": code, "shape": shape, "data_offsets": [0, len(content)]}
    header = json.dumps({"w": entry}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + content)


@pytest.mark.parametrize(
    ("code", "bits", "name"),
    [
        ("F4", 4, "float4_e2m1fn"),
        ("F6_E2M3", 6, "float6_e2m3fn"),
        ("F6_E3M2", 6, "float6_e3m2fn"),
    ],
)
def test_elements_that_share_bytes_get_one_each(
    tmp_path: Path, code: str, bits: int, name: str
) -> None:
    if not hasattr(ml_dtypes, name):
        pytest.skip("this ml_dtypes is older")
    codes = np.random.default_rng(1).integers(0, 2**bits, 40)
    packed = sum(int(value) << (index * bits) for index, value in enumerate(codes))
    write_raw(tmp_path / "w.safetensors", code, [5, 8], packed.to_bytes(40 * bits // 8, "little"))
    found = xavinit.load(tmp_path / "w.safetensors")["w"]
    assert found.dtype == np.dtype(getattr(ml_dtypes, name))
    assert np.array_equal(found.view(np.uint8).reshape(-1), codes)


def test_an_offset_need_not_be_a_multiple_of_the_element(tmp_path: Path) -> None:
    """The library's own files begin at a multiple of 8; others' need not."""
    array = np.arange(6, dtype="<f8")
    entry = {"dtype": "F64", "shape": [6], "data_offsets": [0, 48]}
    header = json.dumps({"w": entry}).encode()
    header += b" " * (len(header) % 2 == 0)  # an odd length
    path = tmp_path / "w.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + array.tobytes())
    assert np.array_equal(xavinit.load(path)["w"], array)


def test_the_library_reads_the_same(tmp_path: Path) -> None:
    spec = {"tensors": {name: SPEC["tensors"][name] for name in ("w", "count", "flag", "none")}}  # type: ignore[index]
    xavinit.generate(spec, tmp_path / "w.safetensors")
    check_equal(
        xavinit.load(tmp_path / "w.safetensors"),
        safetensors.numpy.load_file(tmp_path / "w.safetensors"),
    )


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read .*none\.safetensors: No such file"):
        xavinit.load(tmp_path / "none.safetensors")
