"""A file is what its content says, whatever its name; anything else is one clear line."""

from __future__ import annotations

import json
import os
import struct
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import xavinit
from xavinit.errors import InputError
from xavinit.formats import load_index

SPEC: dict[str, Any] = {"seed": 3, "tensors": {"b.w": [5, 3], "a": {"shape": [4], "init": "ones"}}}
KERAS = {"framework": "keras", "layers": [{"name": "x", "type": "dense", "in": 3, "out": 4}]}
TORCH = Path(__file__).parent / "torch_files" / "network.pt"


def make_files(folder: Path) -> dict[str, Path]:
    """A file of each format, by the format's name."""
    made = {name: folder / f"made-{name}" for name in ("safetensors", "hdf5", "npz", "npy")}
    xavinit.generate(SPEC, made["safetensors"], format="safetensors")
    xavinit.generate(SPEC, made["hdf5"], format="hdf5")
    xavinit.generate(KERAS, folder / "m.weights.h5")
    made["keras"] = folder / "m.weights.h5"
    with zipfile.ZipFile(folder / "m", "w") as archive:
        archive.write(made["keras"], "model.weights.h5")
    made["keras_archive"] = folder / "m"
    for name, save in (("npz", np.savez), ("npy", np.save)):
        with made[name].open("wb") as file:
            save(file, np.ones(3))  # type: ignore[operator]
    made["pytorch"] = folder / "torch"
    made["pytorch"].write_bytes(TORCH.read_bytes())
    return made


@pytest.mark.parametrize("suffix", ["", ".safetensors", ".h5", ".npy", ".pt", ".yaml"])
def test_a_file_is_recognized_by_its_content(tmp_path: Path, suffix: str) -> None:
    for name, path in make_files(tmp_path).items():
        renamed = path.rename(tmp_path / f"{name}-renamed{suffix}")
        index = load_index(str(renamed))
        assert (index.format, index.path, index.is_pipe) == (name, str(renamed), False)
        assert index.tensors


def test_folders(tmp_path: Path) -> None:
    xavinit.generate(SPEC, tmp_path / "npy", format="npy")
    xavinit.generate(SPEC, tmp_path / "set", max_shard_size=50)
    xavinit.generate(SPEC, tmp_path / "one", max_shard_size="1MB")
    formats = {name: load_index(str(tmp_path / name)).format for name in ("npy", "set", "one")}
    assert formats == {"npy": "npy", "set": "safetensors", "one": "safetensors"}


def refuse(path: Path, message: str, hint: str | None = None) -> None:
    with pytest.raises(InputError) as caught:
        load_index(str(path))
    assert caught.value.describe() == f"{path} {message}"
    assert caught.value.hint == hint


TEXT_HINT = "generate writes the weights of a spec"


@pytest.mark.parametrize(
    ("name", "content", "message", "hint"),
    [
        ("w", b"", "is empty", None),
        ("w.pt", b"", "is empty", None),
        ("s.yaml", b"tensors: {w: [3]}\n", "is a text, not a weights file", TEXT_HINT),
        ("s.json", b'{"tensors": {"w": [3]}}', "is a text, not a weights file", TEXT_HINT),
        ("w.pt", "é".encode() * 300, "is a text, not a weights file", TEXT_HINT),
        ("w", b"\xfe\0" * 300, "is not a weights file of a kind that xavinit knows", None),
        ("w", b"%PDF-1.7", "is a PDF, not a weights file that xavinit reads", None),
        ("w.pt", b"\x1f\x8b\x08", "is a gzip file, not a weights file that xavinit reads", None),
        ("w.safetensors", b"GGUF\3", "is a GGUF file, not a weights file that xavinit reads", None),
        (
            "w.safetensors",
            b"version https://git-lfs.github.com/spec/v1\n",
            "is a pointer of Git LFS: fetch the file itself (git lfs pull), not a weights file "
            "that xavinit reads",
            None,
        ),
        (
            "w.pt",
            b"\x80\x02}.",
            "is a pickle, as old .pt files are, which is not read",
            "torch.save(torch.load(PATH, weights_only=True), OTHER) makes a file that is",
        ),
        ("w.pt", b"\x80\x04N.", "is a pickle, not a weights file that xavinit reads", None),
        (
            "w.h5",
            b"text",
            "is not a sound HDF5 file: Unable to synchronously open file (file signature not "
            "found)",
            None,
        ),
    ],
)
def test_what_is_no_weights_file(
    tmp_path: Path, name: str, content: bytes, message: str, hint: str | None
) -> None:
    (tmp_path / name).write_bytes(content)
    refuse(tmp_path / name, message, hint)


def test_the_oldest_files_of_pytorch_are_tar_archives(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "w.pt", "w") as archive:
        archive.add(TORCH, "storages")
    refuse(
        tmp_path / "w.pt",
        "is a tar archive, as the oldest .pt files are, not a weights file that xavinit reads",
    )


def test_a_folder_without_an_index(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").touch()
    (tmp_path / "b.safetensors").touch()
    refuse(
        tmp_path,
        "is a folder without an index of weights, a single .safetensors, pytorch_model.bin or a "
        "manifest.json",
        "name a file in it",
    )


@pytest.mark.parametrize("name", ["w.pt", "w", "m.keras", "w.npz", "x.bin.index.json"])
def test_a_missing_file_and_a_pipe(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"cannot read .*: No such file or directory$"):
        load_index(str(tmp_path / name))
    os.mkfifo(tmp_path / name)
    with pytest.raises(InputError, match=r"cannot read .*: it is not a regular file\n") as caught:
        load_index(str(tmp_path / name))
    assert caught.value.hint == "standard input takes a pipe: - < PATH"


def write_shard(path: Path, name: str) -> None:
    header = json.dumps({name: {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(8))


def write_set(folder: Path, places: dict[str, str], name: str = "any.json") -> Path:
    for tensor, shard in places.items():
        write_shard(folder / shard, tensor)
    (folder / name).write_text(json.dumps({"weight_map": places}))
    return folder / name


def test_shards_may_have_any_name_beside_their_index(tmp_path: Path) -> None:
    index = write_set(tmp_path, {"a": "part one.st", "b": "élan-2"})
    assert [t.name for t in load_index(str(index)).tensors] == ["a", "b"]
    assert xavinit.digest(index) == xavinit.digest({n: np.zeros(2, "<f4") for n in "ab"})
    index.rename(tmp_path / "model.safetensors.index.json")
    assert xavinit.digest(tmp_path) == xavinit.digest({n: np.zeros(2, "<f4") for n in "ab"})


@pytest.mark.parametrize("shard", ["../w", "/etc/passwd", "a/b", "..", ".", "", "a\\b", "c:w"])
def test_shards_elsewhere_are_not_read(tmp_path: Path, shard: str) -> None:
    path = tmp_path / "any.json"
    path.write_text(json.dumps({"weight_map": {"a": shard}}))
    shown = json.dumps(shard)
    refuse(path, f"is not a sound index: a shard must be a file beside it; got {shown}")


def test_shards_of_several_formats_and_too_many(tmp_path: Path) -> None:
    index = write_set(tmp_path, {"a": "a.st", "b": "b"})
    with h5py.File(tmp_path / "b", "w") as file:
        file["b"] = np.zeros(2, "f4")
    refuse(index, "is refused: its shards are of several formats: hdf5, safetensors")
    places = {str(number): f"{number}.st" for number in range(2001)}
    index.write_text(json.dumps({"weight_map": places}))
    refuse(index, "is not a sound index: it must have at most 2,000 shards; got 2,001")


def test_control_characters_of_names_are_escaped(tmp_path: Path) -> None:
    path = tmp_path / "w.npz"
    np.savez(path, **{"\x1b[31m": np.array([None])})
    with pytest.raises(InputError) as caught:
        load_index(str(path))
    assert "\x1b" not in str(caught.value)
    assert "u001b[31m" in str(caught.value)


def test_layers_of_keras_are_labels(tmp_path: Path) -> None:
    """Of a group `vars` alone, and only where the name is a text."""
    path = tmp_path / "m.h5"
    with h5py.File(path, "w") as file:
        for group in ("a/vars", "b/vars", "c/vars", "d/other"):
            file[f"{group}/0"] = np.ones(2)
        file["a/vars"].attrs["name"] = "first"
        file["b/vars"].attrs["name"] = 5
        file["d/other"].attrs["name"] = "fourth"
    index = load_index(str(path))
    assert index.format == "keras"
    assert index.labels == {"a/vars/0": "first"}
    assert len(index.tensors) == 4


@pytest.mark.parametrize("length", [0x0280, 0x0380, 0x0480, 0x0580, 0x8B1F, 0x5A42])
def test_a_header_s_length_may_be_what_another_kind_begins_with(
    tmp_path: Path, length: int
) -> None:
    """640 bytes begin as a pickle of protocol 2 does, 35,615 as a gzip file."""
    header = b'{"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}'.ljust(length)
    path = tmp_path / "w.safetensors"
    path.write_bytes(length.to_bytes(8, "little") + header + b"\7")
    assert [tensor.name for tensor in load_index(str(path)).tensors] == ["w"]
