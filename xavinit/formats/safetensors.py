"""safetensors: a length, a JSON header, then the tensors one after another.

Written by us, byte for byte as the library would: the library needs every tensor in memory and
orders two or more metadata keys at random. The tests read every file back with it.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Mapping, Sequence
from typing import Any

from xavinit.errors import InputError, OutputError
from xavinit.formats.layout import FileLayout, Format, Layout, StoredTensor, place_regions
from xavinit.formats.metadata import KEY, make_metadata
from xavinit.formats.shards import INDEX, SINGLE, find_set, make_index, name_shards, read_places
from xavinit.layers import find_framework
from xavinit.plan import Plan, TensorPlan

LARGEST_HEADER = 100_000_000  # bytes; readers refuse more
_ALIGNMENT = 8

# The code of each dtype in a header, in the library's order of tensors: widest first.
CODES = {
    "int64": "I64",
    "float64": "F64",
    "float32": "F32",
    "int32": "I32",
    "bfloat16": "BF16",
    "float16": "F16",
    "float8_e4m3fn": "F8_E4M3",
    "float8_e5m2": "F8_E5M2",
    "uint8": "U8",
    "bool": "BOOL",
}
_RANK = {name: rank for rank, name in enumerate(CODES)}


def lay_out(plan: Plan) -> Layout:
    """One file with all tensors."""
    file = lay_out_tensors(plan.tensors, plan)
    return Layout((file,), len(file.head) + plan.nbytes)


def lay_out_shards(plan: Plan, most: int) -> Layout:
    """Files of at most `most` bytes of tensors each, and the index that makes them a set."""
    shards = name_shards(plan.tensors, most)
    files = [lay_out_tensors(tensors, plan, name) for name, tensors in shards.items()]
    total = plan.nbytes + sum(len(file.head) for file in files)
    if len(files) > 1:
        files.append(FileLayout(INDEX, make_index(shards)))
    return Layout(tuple(files), total, folder=True, find_set=find_set)


def lay_out_tensors(tensors: Sequence[TensorPlan], plan: Plan, name: str = "") -> FileLayout:
    """A file with these tensors of a plan.

    The header, then the tensors in the library's order: widest dtype first, then by name.
    """
    tensors = sorted(tensors, key=lambda t: (_RANK[t.dtype.name], t.name.encode()))
    # transformers takes only files that name a framework it knows.
    metadata = {"format": find_framework(plan.framework).tag, KEY: make_metadata(plan)}
    head = make_header(tensors, metadata)
    return FileLayout(name, head, place_regions(tensors, len(head)))


def make_header(tensors: Sequence[TensorPlan], metadata: Mapping[str, str]) -> bytes:
    """The 8 bytes of length and the JSON header, padded with spaces to a multiple of 8."""
    entries: dict[str, Any] = {"__metadata__": dict(sorted(metadata.items()))}
    start = 0
    for tensor in tensors:
        entries[tensor.name] = {
            "dtype": CODES[tensor.dtype.name],
            "shape": list(tensor.shape),
            "data_offsets": [start, start + tensor.nbytes],
        }
        start += tensor.nbytes
    header = json.dumps(entries, separators=(",", ":"), ensure_ascii=False).encode()
    header += b" " * (-len(header) % _ALIGNMENT)
    if len(header) > LARGEST_HEADER:
        raise OutputError(
            f"a safetensors header must be at most {LARGEST_HEADER:,} bytes, or readers refuse it; "
            f"these {len(tensors):,} tensors need {len(header):,}\n  hint: write several files, as "
            "with --max-shard-size 5GB, or fewer tensors"
        )
    return struct.pack("<Q", len(header)) + header


def read_index(path: str) -> list[StoredTensor]:
    """The tensors of a file, or of the set of shards in a folder."""
    if not os.path.isdir(path):
        return read_file(path)
    places = read_places(path)
    if places is None:
        return read_file(os.path.join(path, SINGLE))
    names = sorted(set(places.values()))
    stored = [tensor for name in names for tensor in read_file(os.path.join(path, name))]
    found = {tensor.name: os.path.basename(tensor.path) for tensor in stored}
    if found != places or len(found) < len(stored):
        odd = next(iter(dict(found.items() ^ places.items())), "twice")
        raise InputError(f"{path}: the index and the shards disagree about tensor {odd}")
    return stored


def read_file(path: str) -> list[StoredTensor]:
    """The tensors of a file, after the library has found its header sound."""
    import safetensors

    try:
        # Opening checks the header, the offsets and the file's length; "numpy" loads nothing.
        with safetensors.safe_open(path, framework="numpy"):
            pass
        with open(path, "rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            entries = json.loads(file.read(length))
    except safetensors.SafetensorError as error:
        raise InputError(f"{path} is not a sound safetensors file: {error}") from error
    names = {code: name for name, code in CODES.items()}
    stored = []
    for name, entry in entries.items():
        if name == "__metadata__":
            continue
        if entry["dtype"] not in names:
            raise InputError(
                f"{path}: tensor {name} is of dtype {entry['dtype']}, unknown to xavinit"
            )
        start, stop = entry["data_offsets"]
        stored.append(
            StoredTensor(
                name,
                names[entry["dtype"]],
                tuple(entry["shape"]),
                os.fspath(path),
                8 + length + start,
                stop - start,
            )
        )
    return stored


FORMAT = Format("safetensors", lay_out, read_index, lay_out_shards=lay_out_shards)
