"""`verify` finds a single flipped bit, wherever it is: of a tensor, a header, an index."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import xavinit
from xavinit.dtypes import DTYPES
from xavinit.formats import parse_format

SPEC: dict[str, Any] = {
    "seed": 11,
    "tensors": {
        "a": {"shape": [5, 7]},
        "h.{2}.w": {"shape": [3, 4], "dtype": "float16", "init": "glorot_normal"},
        "d": {"shape": [2, 2], "dtype": "float64"},
        "i": {"shape": [4], "init": "ones", "dtype": "int64"},
        "u": {"shape": [3], "init": "ones", "dtype": "uint8"},
        "o": {"shape": [3], "init": "ones", "dtype": "bool"},
    },
}
SMALL = {
    "tensors": {
        "b": {"shape": [4, 5], "dtype": "bfloat16"},
        "e": {"shape": [4, 5], "dtype": "float8_e4m3fn"},
        "f": {"shape": [3, 5], "dtype": "float8_e5m2"},
    }
}
NETWORK: dict[str, Any] = {
    "framework": "keras",
    "layers": [
        {"name": "conv", "type": "conv1d", "in": 2, "out": 3, "kernel": 3},
        {"name": "fc", "type": "dense", "in": 4, "out": 5, "dtype": "bfloat16"},
    ],
}


class Form(NamedTuple):
    """A way to write a spec, and how many flipped bits of it are tried."""

    flips: int
    spec: dict[str, Any]
    name: str
    options: dict[str, Any]
    format: str


FORMS = {
    "safetensors": Form(320, SPEC, "w.safetensors", {}, "safetensors"),
    "small dtypes": Form(150, SMALL, "w.safetensors", {}, "safetensors"),
    "a set": Form(150, SPEC, "set", {"max_shard_size": 120}, "safetensors"),
    "npy": Form(150, SPEC, "npy", {"format": "npy"}, "npy"),
    "one npy": Form(50, {"tensors": {"w": [3, 9]}}, "w.npy", {}, "npy"),
    "hdf5": Form(90, SPEC, "w.h5", {}, "hdf5"),
    "keras": Form(90, NETWORK, "w.weights.h5", {}, "keras"),
}


class Place(NamedTuple):
    """The element of a tensor in a file."""

    file: Path
    offset: int  # of its first byte
    tensor: str
    shape: tuple[int, ...]
    element: int
    dtype: str


def list_places(path: Path, name: str) -> list[Place]:
    """Every element of every tensor; the offsets are those that the formats' readers find."""
    files = [path]
    if path.is_dir():
        files = sorted(f for f in path.iterdir() if f.suffix in (".npy", ".safetensors"))
    places = []
    for file in files:
        for tensor in parse_format(name).read_index(str(file)).tensors:
            assert tensor.plain is not None
            places += [
                Place(
                    file,
                    tensor.plain.offset + element * tensor.dtype.itemsize,
                    tensor.name,
                    tensor.shape,
                    element,
                    tensor.dtype.name,
                )
                for element in range(tensor.size)
            ]
    return places


def flip(file: Path, offset: int, bit: int) -> bytes:
    """Flip a bit; the file as it was."""
    content = file.read_bytes()
    changed = bytearray(content)
    changed[offset] ^= 1 << bit
    file.write_bytes(changed)
    return content


def make(form: Form, folder: Path) -> Path:
    path = folder / form.name
    xavinit.generate(form.spec, path, **form.options)
    return path


def test_a_thousand_bits_are_tried() -> None:
    assert sum(form.flips for form in FORMS.values()) == 1000


@pytest.mark.parametrize("name", FORMS)
def test_a_flipped_bit_of_a_tensor_is_found_where_it_is(name: str, tmp_path: Path) -> None:
    form = FORMS[name]
    path = make(form, tmp_path)
    plan, size = xavinit.make_plan(form.spec), form.options.get("max_shard_size")
    assert xavinit.verify(path, plan, max_shard_size=size).is_same
    places = list_places(path, form.format)
    chosen = random.Random(name)
    for _ in range(form.flips):
        place = chosen.choice(places)
        byte, bit = chosen.randrange(DTYPES[place.dtype].itemsize), chosen.randrange(8)
        content = flip(place.file, place.offset + byte, bit)
        (fault,) = xavinit.verify(path, plan, max_shard_size=size).faults
        place.file.write_bytes(content)
        assert fault.kind == "values"
        if form.name != "w.npy":  # whose tensor is named by the spec alone
            assert place.tensor in (fault.tensor, fault.stored_name)
        assert fault.index == np.unravel_index(place.element, place.shape)
        assert fault.different == 1
        assert fault.expected != fault.got


def list_head_bytes(form: Form, path: Path) -> Iterator[tuple[Path, int]]:
    """Every byte of an output that is no tensor's."""
    inside = {
        (place.file, place.offset + byte)
        for place in list_places(path, form.format)
        for byte in range(DTYPES[place.dtype].itemsize)
    }
    for file in sorted(path.iterdir()) if path.is_dir() else [path]:
        for offset in range(file.stat().st_size):
            if (file, offset) not in inside:
                yield file, offset


@pytest.mark.parametrize("name", ["safetensors", "small dtypes", "npy", "one npy", "a set"])
def test_a_flipped_bit_of_any_other_byte_is_found(name: str, tmp_path: Path) -> None:
    """Header, padding, index, manifest: 150 bytes of each, or all of them, one bit each."""
    form = FORMS[name]
    path = make(form, tmp_path)
    plan, size = xavinit.make_plan(form.spec), form.options.get("max_shard_size")
    chosen = random.Random(name)
    heads = list(list_head_bytes(form, path))
    for file, offset in chosen.sample(heads, min(150, len(heads))):
        content = flip(file, offset, chosen.randrange(8))
        verdict = xavinit.verify(path, plan, max_shard_size=size)
        file.write_bytes(content)
        assert verdict.faults, (file.name, offset)


@pytest.mark.parametrize("name", ["hdf5", "keras"])
def test_a_flipped_bit_of_an_attribute_is_found(name: str, tmp_path: Path) -> None:
    form = FORMS[name]
    path = make(form, tmp_path)
    content = path.read_bytes()
    index = parse_format(form.format).read_index(str(path))
    texts = [index.metadata["xavinit"].encode()]
    if name == "keras":
        texts += [b"conv\0", b"bfloat16\0"]
    chosen = random.Random(name)
    for text in texts:
        assert content.count(text) == 1 or len(text) < 10
        start = content.rindex(text)  # a short one has been a part of names before
        inside = range(start, start + len(text.rstrip(b"\0")))  # no reader takes more
        for offset in chosen.sample(inside, min(25, len(inside))):
            flip(path, offset, chosen.randrange(8))
            verdict = xavinit.verify(path, form.spec)
            path.write_bytes(content)
            assert verdict.faults, (text, offset - start)


def test_a_byte_too_many_or_too_few_is_found(tmp_path: Path) -> None:
    for name in ("safetensors", "npy", "one npy", "a set"):
        form = FORMS[name]
        path = make(form, tmp_path)
        size = form.options.get("max_shard_size")
        for file in sorted(path.iterdir()) if path.is_dir() else [path]:
            content = file.read_bytes()
            for changed in (content + b"\0", content[:-1], b""):
                file.write_bytes(changed)
                assert xavinit.verify(path, form.spec, max_shard_size=size).faults
            file.write_bytes(content)
        assert xavinit.verify(path, form.spec, max_shard_size=size).is_same
        if path.is_file():
            path.unlink()
