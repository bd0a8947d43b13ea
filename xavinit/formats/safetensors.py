"""safetensors: a length, a JSON header, then the tensors one after another.

We write it ourselves, byte for byte as the library would: the library needs every tensor in memory
and orders two or more metadata keys at random. We read it ourselves: the library takes only a path,
knows only the dtypes of its release, and lets two tensors have one name. The tests compare both
with the library.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping, Sequence
from json.encoder import encode_basestring as encode  # in C, where there is one
from typing import Any

from xavinit.dtypes import STORED_DTYPES
from xavinit.errors import InputError, OutputError, SpecError
from xavinit.formats.files import parse_json, read_from
from xavinit.formats.layout import FileLayout, Format, Layout, lay_out_file
from xavinit.formats.metadata import KEY, make_metadata, make_set_metadata
from xavinit.formats.shard_names import ShardNames, choose_rival, find_rival
from xavinit.formats.shards import (
    check_number,
    count_most_shards,
    find_largest_size,
    format_size,
    make_index,
    name_shards,
)
from xavinit.formats.stored import (
    Index,
    PlainRange,
    Source,
    StoredTensor,
    find_odd_shape,
    index_tensors,
)
from xavinit.layers import find_framework
from xavinit.places import find_size, find_version, open_file
from xavinit.plan import Plan, TensorPlan
from xavinit.wording import format_value

LARGEST_HEADER = 100_000_000  # bytes; readers refuse more
_ALIGNMENT = 8
_METADATA = "__metadata__"

# The code of each dtype in a header, in the library's order of tensors: widest first.
CODES = {
    "uint64": "U64",
    "int64": "I64",
    "float64": "F64",
    "complex64": "C64",
    "float32": "F32",
    "uint32": "U32",
    "int32": "I32",
    "bfloat16": "BF16",
    "float16": "F16",
    "uint16": "U16",
    "int16": "I16",
    "float8_e5m2fnuz": "F8_E5M2FNUZ",
    "float8_e4m3fnuz": "F8_E4M3FNUZ",
    "float8_e8m0fnu": "F8_E8M0",
    "float8_e4m3fn": "F8_E4M3",
    "float8_e5m2": "F8_E5M2",
    "int8": "I8",
    "uint8": "U8",
    "float6_e3m2fn": "F6_E3M2",
    "float6_e2m3fn": "F6_E2M3",
    "float4_e2m1fn": "F4",
    "bool": "BOOL",
}
_RANK = {name: rank for rank, name in enumerate(CODES)}
_DTYPES = {code: STORED_DTYPES[name] for name, code in CODES.items()}


def lay_out(plan: Plan) -> Layout:
    """One file with all tensors."""
    carried = _make_metadata(plan, make_metadata(plan))
    metadata = encode_metadata(carried)
    file = lay_out_tensors(plan.tensors, metadata)
    _check_headers([file], metadata, plan)
    return Layout((file,), file.nbytes, metadata=carried)


def lay_out_shards(plan: Plan, most: int, names: ShardNames) -> Layout:
    """Files of at most `most` bytes of tensors each, and the index that makes them a set."""
    shards = name_shards(plan.tensors, most, names)
    is_set = len(shards) > 1  # else the file is one like any other
    text = make_set_metadata(plan, most, names) if is_set else make_metadata(plan)
    carried = _make_metadata(plan, text)
    metadata = encode_metadata(carried)
    check_number(len(shards), len(metadata), plan.tensors, most)
    files = [lay_out_tensors(tensors, metadata, name) for name, tensors in shards.items()]
    _check_headers(files, metadata, plan, most)
    if is_set:
        files.append(lay_out_file(names.index, make_index(shards)))
    total = sum(file.nbytes for file in files)
    return Layout(
        tuple(files),
        total,
        folder=True,
        find_set=names.find_set,
        set_names=names,
        metadata=carried,
        index_name=names.index,
    )


def _check_headers(
    files: Sequence[FileLayout], metadata: bytes, plan: Plan, most: int | None = None
) -> None:
    """Refuse a header that no reader takes; `most` is the size of the shards, for the hint."""
    for file in files:
        length = sum(map(len, file.pieces)) - 8
        if length > LARGEST_HEADER:
            raise OutputError(
                f"a safetensors header must be at most {LARGEST_HEADER:,} bytes, or readers refuse "
                f"it; these {len(file.regions):,} tensors need {length:,}",
                hint=_hint_smaller(metadata, plan, most),
            )


def _hint_smaller(metadata: bytes, plan: Plan, most: int | None) -> str:
    """How to make files whose headers readers take."""
    # An entry at its longest has two offsets of 19 digits. A set's metadata also bears the size.
    longest = {t.name: len(_encode_entry(t)) + 50 for t in plan.tensors}
    carried = len(metadata) + 60
    size = find_largest_size(
        plan.tensors,
        min(most or plan.nbytes, plan.nbytes),
        count_most_shards(carried),
        lambda shard: sum(longest[t.name] for t in shard) + carried <= LARGEST_HEADER,
    )
    if size is None:
        return "write fewer tensors, or tensors with shorter names"
    where = ", and a folder for -o" if most is None else ""
    return f"write smaller files, with --max-shard-size {format_size(size)}{where}"


def _make_metadata(plan: Plan, ours: str) -> dict[str, str]:
    # transformers takes only files that name a framework it knows.
    return {"format": find_framework(plan.framework).tag, KEY: ours}


def lay_out_tensors(tensors: Sequence[TensorPlan], metadata: bytes, name: str = "") -> FileLayout:
    """A file with these tensors of a plan.

    The header, then the tensors in the library's order: widest dtype first, then by name.
    """
    for tensor in tensors:
        if tensor.dtype.name not in CODES:
            raise SpecError(f"safetensors has no form for {tensor.dtype.name}", tensor.place)
    tensors = sorted(tensors, key=lambda t: (_RANK[t.dtype.name], t.name.encode()))
    length, shared, own = make_header(tensors, metadata)
    return lay_out_file(name, length, tensors, shared=shared, tail=own)


def encode_metadata(metadata: Mapping[str, str]) -> bytes:
    """The beginning of a header: its metadata, which all files of a set share."""
    texts = ",".join(f"{encode(key)}:{encode(metadata[key])}" for key in sorted(metadata))
    return f'{{"{_METADATA}":{{{texts}}}'.encode()


def make_header(tensors: Sequence[TensorPlan], metadata: bytes) -> tuple[bytes, bytes, bytes]:
    """The 8 bytes of length and the JSON header, padded with spaces to a multiple of 8.

    The header is in two pieces: its metadata, and what comes after.
    """
    entries = []
    forms: dict[tuple[str, tuple[int, ...]], tuple[str, int]] = {}
    start = 0
    for tensor in tensors:
        key = (tensor.dtype.name, tensor.shape)
        if key not in forms:  # many tensors have few shapes
            forms[key] = _make_form(tensor), tensor.nbytes
        text, nbytes = forms[key]
        entries.append(f",{encode(tensor.name)}:{text}{start},{start + nbytes}]}}")
        start += nbytes
    own = f"{''.join(entries)}}}".encode()
    own += b" " * (-(len(metadata) + len(own)) % _ALIGNMENT)
    return struct.pack("<Q", len(metadata) + len(own)), metadata, own


def _make_form(tensor: TensorPlan) -> str:
    """A tensor's entry between its name and its offsets."""
    shape = ",".join(map(str, tensor.shape))
    return f'{{"dtype":"{CODES[tensor.dtype.name]}","shape":[{shape}],"data_offsets":['


def _encode_entry(tensor: TensorPlan) -> bytes:
    return (encode(tensor.name) + _make_form(tensor)).encode()


def read_index(path: str) -> Index:
    """The index of a file, after its header and its length are found sound."""
    with open_file(path) as file:
        version = find_version(file)
        return parse_index(
            path,
            find_size(file),
            lambda start, nbytes: read_from(file, start, nbytes),
            lambda offset: PlainRange(path, offset, version),
        )


def parse_index(
    path: str,
    size: int | None,
    read: Callable[[int, int], bytearray],
    find_source: Callable[[int], Source],
) -> Index:
    """The index of a header that `read(start, nbytes)` gives; of a pipe, whose size is unknown."""
    try:
        length = int.from_bytes(read(0, 8), "little")
        if length > LARGEST_HEADER:
            raise ValueError(f"its header must be at most {LARGEST_HEADER:,} bytes")
        entries = parse_json(read(8, length if size is None else min(length, size)))
        starts, metadata = _parse_header(path, entries, 8 + length, find_source)
        _check_places(starts, 8 + length, size)
    except EOFError:
        raise InputError(
            f"{path} is not a sound safetensors file: its header is cut short"
        ) from None
    except ValueError as error:
        raise InputError(f"{path} is not a sound safetensors file: {error}") from error
    tensors = [tensor for _, tensor in starts]
    return index_tensors(path, tensors, metadata, format="safetensors")


def _parse_header(
    path: str, entries: Any, start: int, find_source: Callable[[int], Source]
) -> tuple[list[tuple[int, StoredTensor]], dict[str, str]]:
    """Each tensor with its offset, in the header's order, and the metadata."""
    if not isinstance(entries, dict):
        raise ValueError("its header must be a JSON object")
    metadata = entries.pop(_METADATA, None) or {}
    if not (
        isinstance(metadata, dict) and all(isinstance(text, str) for text in metadata.values())
    ):
        raise ValueError(f"{_METADATA} must be an object of strings")
    tensors = []
    for name, entry in entries.items():
        match entry:
            case {
                "dtype": str(code),
                "shape": [*shape],
                "data_offsets": [int(first), int(last)],
            } if all(type(number) is int and number >= 0 for number in (*shape, first, last)):
                pass
            case _:
                raise ValueError(
                    f"tensor {format_value(name)} must have a dtype, a shape and data_offsets"
                )
        if code not in _DTYPES:
            raise InputError(
                f"{path}: tensor {format_value(name)} is of dtype {format_value(code)}, "
                "unknown to xavinit"
            )
        if fact := find_odd_shape(shape):
            raise ValueError(f"tensor {format_value(name)} {fact}")
        dtype = _DTYPES[code]
        if (last - first) * 8 != math.prod(shape) * dtype.bits:
            raise ValueError(
                f"tensor {format_value(name)} has {format_value(last - first)} bytes, "
                f"which is not the size of its shape {format_value(shape)}"
            )
        offset = start + first
        tensors.append((offset, StoredTensor(name, dtype, tuple(shape), find_source(offset))))
    return tensors, metadata


def _check_places(starts: Sequence[tuple[int, StoredTensor]], start: int, size: int | None) -> None:
    """The tensors lie one after another and fill the file."""
    ranges = sorted((offset, tensor.nbytes, tensor.name) for offset, tensor in starts)
    for offset, nbytes, name in ranges:
        if offset != start:
            raise ValueError(
                f"tensor {format_value(name)} does not begin where the one before it ends"
            )
        start += nbytes
    if size is not None and start != size:
        raise ValueError(f"it must be {format_value(start)} bytes; got {format_value(size)}")


FORMAT = Format(
    "safetensors",
    lay_out,
    read_index,
    lay_out_shards=lay_out_shards,
    find_rival=find_rival,
    choose_rival=choose_rival,
)
