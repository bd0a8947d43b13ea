"""Weights of every kind that is read, for the tests of stores: files, folders, and a large set."""

from __future__ import annotations

import json
import struct
import zipfile
from pathlib import Path

import h5py
import numpy as np

import xavinit

TORCH_FILES = Path(__file__).parent / "torch_files"
SPEC = {
    "seed": 3,
    "tensors": {
        "h.{3}.w": [40, 30],
        "b": {"shape": [30], "init": "zeros"},
        "n": {"shape": [4], "init": "ones", "dtype": "int64"},
    },
}
KERAS = {"framework": "keras", "layers": [{"name": "hidden", "type": "dense", "in": 3, "out": 4}]}


def make_inputs(folder: Path) -> None:
    """Files and folders of every kind that is read, under names that the tests ask for."""
    for name in ("w.safetensors", "w.h5"):
        xavinit.generate(SPEC, folder / name)
    xavinit.generate({"tensors": {"w": [9, 8]}}, folder / "w.npy")
    xavinit.generate(SPEC, folder / "npy", format="npy")
    xavinit.generate(SPEC, folder / "set", max_shard_size="6kB")
    xavinit.generate(KERAS, folder / "k.weights.h5")
    arrays = {f"h.{n}": np.arange(n * 600.0).reshape(n, 600) for n in range(1, 4)}
    np.savez(folder / "w.npz", **arrays)  # type: ignore[arg-type]
    arrays["f"] = np.asfortranarray(arrays["h.3"])
    np.savez_compressed(folder / "deflated.npz", **arrays)  # type: ignore[arg-type]
    np.save(folder / "fortran.npy", np.asfortranarray(arrays["h.3"]).astype(">f4"))
    with h5py.File(folder / "chunked.h5", "w") as file:
        file.create_dataset("a/w", data=arrays["h.2"], chunks=(1, 250), compression="gzip")
        file.create_dataset("a/b", data=arrays["h.1"].astype(">f8"))
        file.create_dataset("a/c", data=arrays["h.3"].astype("f2"))
        file["a"].attrs["text"] = "of a group"
        file.attrs["text"] = "of the file"
    with zipfile.ZipFile(folder / "k.keras", "w") as archive:
        archive.writestr("metadata.json", '{"keras_version": "3.9.0"}')
        archive.write(folder / "k.weights.h5", "model.weights.h5")
    for name in ("checkpoint.pt", "views.pt", "alone.pt"):
        (folder / name).write_bytes((TORCH_FILES / name).read_bytes())
    (folder / "bin").mkdir()
    (folder / "bin" / "pytorch_model.bin").write_bytes((folder / "checkpoint.pt").read_bytes())
    (folder / "bin" / "config.json").write_text('{"hidden_size": 3, "initializer_range": 0.5}')


NAMES = (
    *("w.safetensors", "w.h5", "w.npy", "fortran.npy", "npy", "set", "k.weights.h5", "k.keras"),
    *("w.npz", "deflated.npz", "chunked.h5", "checkpoint.pt", "views.pt", "alone.pt", "bin"),
    *("set/model.safetensors.index.json", "set/model-00002-of-00003.safetensors"),
)


def make_header(shapes: dict[str, list[int]]) -> tuple[bytes, int]:
    """The beginning of a safetensors file of bfloat16, and the size of all of it."""
    entries, place = {}, 0
    for name, shape in shapes.items():
        end = place + 2 * int(np.prod(shape))
        entries[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [place, end]}
        place = end
    text = json.dumps(entries).encode()
    return struct.pack("<Q", len(text)) + text, 8 + len(text) + place


def make_set(blocks: int, width: int) -> tuple[dict[str, bytes], dict[str, int]]:
    """A model's set of four shards and its index: the beginning of each file, and shards' sizes."""
    wide = 11 * width // 4 // 256 * 256
    shapes = {
        f"model.layers.{n}.{name}.weight": shape
        for n in range(blocks)
        for name, shape in (
            *((f"self_attn.{word}_proj", [width, width]) for word in "qkvo"),
            *((f"mlp.{word}_proj", [wide, width]) for word in ("gate", "up")),
            ("mlp.down_proj", [width, wide]),
            ("input_layernorm", [width]),
        )
    }
    files: dict[str, bytes] = {}
    sizes: dict[str, int] = {}
    places: dict[str, str] = {}
    for number in range(4):
        name = f"model-{number + 1:05d}-of-00004.safetensors"
        inside = [*shapes][number::4]
        files[name], sizes[name] = make_header({tensor: shapes[tensor] for tensor in inside})
        places |= dict.fromkeys(inside, name)
    files["model.safetensors.index.json"] = json.dumps({"weight_map": places}).encode()
    return files, sizes
