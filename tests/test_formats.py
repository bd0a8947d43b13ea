"""Each format against the library that defines it, and against literal bytes."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any, get_args

import h5py
import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

import xavinit
from xavinit.choices import FormatName
from xavinit.dtypes import DTYPES
from xavinit.errors import InputError, SpecError, UsageError
from xavinit.formats import FORMATS, parse_format
from xavinit.formats.npy import encode_name, make_head
from xavinit.formats.safetensors import CODES, encode_metadata, make_header
from xavinit.plan import TensorPlan

# One tensor of every dtype, odd and zero sizes, rank 0, a name with everything.
SPEC: dict[str, Any] = {
    "seed": 7,
    "tensors": {
        **{
            f"float.{name}": {"shape": [5, 3], "dtype": name, "init": "glorot_normal"}
            for name, dtype in DTYPES.items()
            if dtype.is_float
        },
        **{
            f"whole.{name}": {"shape": [3], "dtype": name, "init": "ones"}
            for name, dtype in DTYPES.items()
            if not dtype.is_float
        },
        "scalar": {"shape": [], "init": {"type": "constant", "value": 0.5}},
        "empty": {"shape": [0, 4]},
        'odd "name"\\ é\t层': {"shape": [7, 1]},
    },
}


def without(spec: dict[str, Any], *dtypes: str) -> dict[str, Any]:
    tensors = {k: t for k, t in spec["tensors"].items() if t.get("dtype") not in dtypes}
    return {**spec, "tensors": tensors}


def as_bytes(arrays: dict[str, Any]) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    return {k: (a.dtype.name, tuple(a.shape), a.tobytes()) for k, a in arrays.items()}


def read_with_library(path: Path) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    """Raw, since the library's NumPy side has no float8."""
    names = {code: name for name, code in CODES.items()}
    return {
        name: (names[entry["dtype"]], tuple(entry["shape"]), bytes(entry["data"]))
        for name, entry in safetensors.deserialize(path.read_bytes())
    }


def test_safetensors_library_reads_every_dtype(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    xavinit.generate(SPEC, path)
    assert read_with_library(path) == as_bytes(xavinit.draw(SPEC))
    spec = without(SPEC, "float8_e4m3fn", "float8_e5m2")
    xavinit.generate(spec, path, force=True)
    assert as_bytes(safetensors.numpy.load_file(path)) == as_bytes(xavinit.draw(spec))


def test_safetensors_header_is_the_librarys_own() -> None:
    """With one metadata key, which the library cannot shuffle, the whole file is equal."""
    arrays = xavinit.draw(SPEC)
    theirs = safetensors.numpy.save(arrays, metadata={"format": "pt"})
    plan = xavinit.make_plan(SPEC)
    layout = parse_format("safetensors").lay_out(plan)
    order = [region.tensor for region in layout.files[0].regions]
    head = make_header(order, encode_metadata({"format": "pt"}))
    ours = b"".join(head) + b"".join(arrays[tensor.name].tobytes() for tensor in order)
    assert ours == theirs


def test_safetensors_header_literally() -> None:
    tensors = [
        TensorPlan("b", (2,), DTYPES["float32"], None, None, "b"),
        TensorPlan("a", (), DTYPES["uint8"], None, None, "a"),
    ]
    header = (
        b'{"__metadata__":{"format":"pt"},"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},'
        b'"a":{"dtype":"U8","shape":[],"data_offsets":[8,9]}}'
    )
    header += b" " * (-len(header) % 8)
    made = make_header(tensors, encode_metadata({"format": "pt"}))
    assert b"".join(made) == struct.pack("<Q", len(header)) + header


@pytest.mark.parametrize(
    ("framework", "name"), [("pytorch", "pt"), ("keras", "tf"), ("flax", "flax")]
)
def test_safetensors_metadata(tmp_path: Path, framework: str, name: str) -> None:
    path = tmp_path / "w.safetensors"
    xavinit.generate({"seed": 3, "tensors": {"b": [1, 2], "a": [2, 2]}}, path, framework=framework)
    with safetensors.safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
    assert set(metadata) == {"format", "xavinit"}
    assert metadata["format"] == name
    ours = json.loads(metadata["xavinit"])
    assert ours["stream"] == "xavinit-1"
    assert ours["seed"] == 3
    # The spec that the file carries draws the same file again.
    assert xavinit.digest(xavinit.draw(ours["spec"])) == xavinit.digest(path)


def test_safetensors_header_over_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xavinit.formats.safetensors.LARGEST_HEADER", 100)
    with pytest.raises(xavinit.OutputError, match="header must be at most 100 bytes"):
        parse_format("safetensors").lay_out(xavinit.make_plan(SPEC))


def test_hdf5_reads_back_through_h5py(tmp_path: Path) -> None:
    path = tmp_path / "w.h5"
    spec = without(SPEC, "float8_e4m3fn", "float8_e5m2")
    xavinit.generate(spec, path)
    arrays = xavinit.draw(spec)
    with h5py.File(path) as file:
        for name, array in arrays.items():
            found = file[name][()]
            assert file[name].shape == array.shape
            if array.dtype == ml_dtypes.bfloat16:
                assert found.dtype == np.float32
                array = array.astype(np.float32)
            assert np.asarray(found).dtype == array.dtype
            assert np.array_equal(found, array)
        ours = json.loads(file.attrs["xavinit"])
        assert ours["seed"] == 7


def test_hdf5_slashes_are_groups(tmp_path: Path) -> None:
    path = tmp_path / "w.h5"
    xavinit.generate({"tensors": {"a/b/c": [2, 2], "a/d": [2, 3]}}, path)
    with h5py.File(path) as file:
        assert isinstance(file["a/b"], h5py.Group)
        assert file["a"]["b"]["c"].shape == (2, 2)


def test_hdf5_carries_a_spec_of_more_than_64_kib(tmp_path: Path) -> None:
    """An HDF5 attribute in an object header may not be larger; a string lies on the heap."""
    path = tmp_path / "w.h5"
    spec = {"tensors": {f"layer.{i}.weight.of.a.long.name": [1, 2] for i in range(3000)}}
    xavinit.generate(spec, path)
    with h5py.File(path) as file:
        text = file.attrs["xavinit"]
        assert len(text) > 2**16
        assert json.loads(text)["spec"] == {"seed": 0, **spec}


@pytest.mark.parametrize("name", ["a//b", "/a", "a/", ".", "..", "a/./b", "a/../b"])
def test_hdf5_refuses_names_it_would_change(tmp_path: Path, name: str) -> None:
    with pytest.raises(SpecError, match="a name in HDF5 must not have an empty part"):
        xavinit.generate({"tensors": {name: [2, 2]}}, tmp_path / "w.h5")
    assert list(tmp_path.iterdir()) == []


def test_hdf5_refuses_a_name_under_another(tmp_path: Path) -> None:
    spec = {"tensors": {"a": [2, 2], "a/b": [2, 2]}}
    with pytest.raises(SpecError, match='must not lie under another\'s; got "a/b" under "a"'):
        xavinit.generate(spec, tmp_path / "w.h5")


@pytest.mark.parametrize("dtype", ["float8_e4m3fn", "float8_e5m2"])
@pytest.mark.parametrize("name", ["w.h5", "folder"])
def test_float8_has_no_form_in_hdf5_and_npy(tmp_path: Path, dtype: str, name: str) -> None:
    fmt = "hdf5" if name == "w.h5" else "npy"
    with pytest.raises(SpecError, match=f"has no form for {dtype}\n  hint: use safetensors"):
        xavinit.generate({"tensors": {"a": [2, 2]}}, tmp_path / name, dtype=dtype, format=fmt)
    assert list(tmp_path.iterdir()) == []


def test_npy_folder(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    spec = without(SPEC, "float8_e4m3fn", "float8_e5m2", "bfloat16")
    xavinit.generate(spec, path, format="npy")
    manifest = json.loads((path / "manifest.json").read_bytes())
    arrays = xavinit.draw(spec)
    assert set(manifest["tensors"]) == set(arrays)
    assert {entry["file"] for entry in manifest["tensors"].values()} | {"manifest.json"} == {
        file.name for file in path.iterdir()
    }
    for name, entry in manifest["tensors"].items():
        found = np.load(path / entry["file"])
        assert as_bytes({name: found}) == as_bytes({name: arrays[name]})
        assert entry["dtype"] == arrays[name].dtype.name
        assert entry["shape"] == list(arrays[name].shape)
    assert xavinit.digest(xavinit.draw(manifest["xavinit"]["spec"])) == xavinit.digest(path)


def test_npy_single_file(tmp_path: Path) -> None:
    path = tmp_path / "w.npy"
    xavinit.generate({"tensors": {"w": [3, 5]}}, path)
    assert np.array_equal(np.load(path), xavinit.draw({"tensors": {"w": [3, 5]}})["w"])
    with pytest.raises(UsageError, match="holds one tensor; the spec has 2"):
        xavinit.generate({"tensors": {"w": [3, 5], "v": [1, 1]}}, tmp_path / "v.npy")


def test_npy_header_literally() -> None:
    head = make_head(TensorPlan("w", (3,), DTYPES["float32"], None, None, "w"))
    text = b"{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }"
    assert head == b"\x93NUMPY\x01\x00\x76\x00" + text + b" " * (117 - len(text)) + b"\n"
    assert len(head) == 128


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("h.0.weight", "h.0.weight.npy"),
        ("a/b", "a%2Fb.npy"),
        ("..", "%2E..npy"),
        (".hidden", "%2Ehidden.npy"),
        ("a b%", "a%20b%25.npy"),
        ("é", "%C3%A9.npy"),
        ("manifest.json", "manifest.json.npy"),
    ],
)
def test_npy_file_names(name: str, file: str) -> None:
    assert encode_name(name) == file


def test_npy_refuses_names_that_no_folder_holds(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match='differ in more than case for npy; got "W" and "w"'):
        xavinit.generate({"tensors": {"w": [1, 1], "W": [1, 1]}}, tmp_path / "f", format="npy")
    with pytest.raises(SpecError, match="must be at most 255 bytes; got 256 for"):
        xavinit.generate({"tensors": {"w" * 252: [1, 1]}}, tmp_path / "f", format="npy")
    xavinit.generate({"tensors": {"w" * 251: [1, 1]}}, tmp_path / "f", format="npy")


def test_digest_is_that_of_the_definition() -> None:
    import hashlib

    def number(value: int) -> bytes:
        return value.to_bytes(8, "little")

    arrays = {"b": np.arange(6, dtype="<f4").reshape(2, 3), "é": np.array(1, "u1")}
    content = b""
    for name, dtype, shape, values in (
        (b"b", b"float32", (2, 3), struct.pack("<6f", *range(6))),
        ("é".encode(), b"uint8", (), b"\x01"),
    ):
        content += number(len(name)) + name + number(len(dtype)) + dtype
        content += number(len(shape)) + b"".join(map(number, shape)) + values
    expected = hashlib.sha256(content).hexdigest()
    assert xavinit.digest(arrays) == expected
    assert xavinit.digest(dict(reversed(arrays.items()))) == expected
    assert xavinit.digest({k: a.astype(a.dtype.newbyteorder(">")) for k, a in arrays.items()}) == (
        expected
    )


def test_digest_is_the_same_in_every_container(tmp_path: Path) -> None:
    spec = without(SPEC, "float8_e4m3fn", "float8_e5m2", "bfloat16")
    expected = xavinit.digest(xavinit.draw(spec))
    for name, fmt in (("w.safetensors", None), ("w.h5", None), ("folder", "npy")):
        xavinit.generate(spec, tmp_path / name, format=fmt)
        assert xavinit.digest(tmp_path / name) == expected
    spec = without(SPEC, "float8_e4m3fn", "float8_e5m2")
    xavinit.generate(spec, tmp_path / "b.h5")
    assert xavinit.digest(tmp_path / "b.h5") == xavinit.digest(xavinit.draw(spec))


@pytest.mark.parametrize("name", ["w.safetensors", "w.h5", "w.npy"])
@pytest.mark.parametrize("content", [b"", b"short", b"\xff" * 5000])
def test_reading_a_damaged_file_is_an_input_error(
    tmp_path: Path, name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match="is not a sound"):
        xavinit.digest(tmp_path / name)


@pytest.mark.parametrize("name", ["w.safetensors", "w.h5", "w.npy"])
def test_reading_a_truncated_file_is_an_input_error(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    xavinit.generate({"tensors": {"w": [64, 64]}}, path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError):
        xavinit.digest(path)


def test_every_format_is_tested_here() -> None:
    assert set(FORMATS) == {"safetensors", "hdf5", "keras", "npy"} == set(get_args(FormatName))
    for name in FORMATS:
        assert parse_format(name).name == name
    with pytest.raises(UsageError, match="format must be hdf5, keras, npy or safetensors; got"):
        parse_format("onnx")


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(
        st.text(st.characters(codec="utf-8", exclude_characters="{}\0"), min_size=1, max_size=8),
        st.tuples(
            st.lists(st.integers(0, 5), max_size=4),
            st.sampled_from(sorted(n for n, d in DTYPES.items() if d.is_float)),
        ),
        max_size=6,
    )
)
def test_any_names_and_shapes_read_back(
    tmp_path_factory: pytest.TempPathFactory, tensors: dict[str, tuple[list[int], str]]
) -> None:
    tensors.pop("__metadata__", None)
    spec = {
        "tensors": {
            name: {"shape": shape, "dtype": dtype, "init": {"type": "uniform", "bound": 0.5}}
            for name, (shape, dtype) in tensors.items()
        }
    }
    path = tmp_path_factory.mktemp("any") / "w.safetensors"
    xavinit.generate(spec, path)
    assert read_with_library(path) == as_bytes(xavinit.draw(spec))
