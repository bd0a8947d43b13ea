"""npy: a folder with a `.npy` file for each tensor and a manifest, or a single `.npy` file."""

from __future__ import annotations

import ast
import json
import math
import operator
import os
import struct
from typing import Any
from urllib.parse import quote, unquote

from xavinit.dtypes import DTYPES
from xavinit.errors import InputError, SpecError, UsageError
from xavinit.formats.layout import FileLayout, Format, Layout, Region, StoredTensor
from xavinit.formats.metadata import make_metadata
from xavinit.plan import Plan, TensorPlan
from xavinit.wording import format_value

MANIFEST = "manifest.json"
LONGEST_NAME = 255  # bytes; what file systems take
_MAGIC = b"\x93NUMPY\x01\x00"
_ALIGNMENT = 64

# The code of each dtype in a header. NumPy has no others of ours.
CODES = {
    "float64": "<f8",
    "float32": "<f4",
    "float16": "<f2",
    "int64": "<i8",
    "int32": "<i4",
    "uint8": "|u1",
    "bool": "|b1",
}


def lay_out(plan: Plan) -> Layout:
    """A folder: `<name>.npy` for each tensor, names percent-encoded, and `manifest.json`."""
    files = []
    entries: dict[str, Any] = {}
    names: dict[str, str] = {}
    for tensor in sorted(plan.tensors, key=lambda t: t.name.encode()):
        file_name = encode_name(tensor.name)
        if len(file_name) > LONGEST_NAME:
            raise SpecError(
                f"a file name must be at most {LONGEST_NAME} bytes; "
                f"got {len(file_name)} for {format_value(tensor.name)}",
                tensor.place,
                at_key=True,
            )
        other = names.setdefault(file_name.lower(), tensor.name)
        if other != tensor.name:
            raise SpecError(
                "names must differ in more than case for npy; got "
                f"{format_value(other)} and {format_value(tensor.name)}",
                tensor.place,
                at_key=True,
            )
        head = make_head(tensor)
        files.append(FileLayout(file_name, head, (Region(tensor, len(head)),)))
        entries[tensor.name] = {
            "dtype": tensor.dtype.name,
            "file": file_name,
            "shape": list(tensor.shape),
        }
    content = {"tensors": entries, "xavinit": json.loads(make_metadata(plan))}
    manifest = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    files.append(FileLayout(MANIFEST, manifest.encode()))
    total = plan.nbytes + sum(len(file.head) for file in files)
    return Layout(tuple(files), total, folder=True)


def lay_out_single(plan: Plan) -> Layout:
    """The one file of a plan of one tensor."""
    if len(plan.tensors) != 1:
        raise UsageError(
            f"a .npy file or pipe holds one tensor; the spec has {len(plan.tensors):,} "
            "(the format npy with a name that has no suffix makes a folder for several)"
        )
    (tensor,) = plan.tensors
    head = make_head(tensor)
    return Layout((FileLayout("", head, (Region(tensor, len(head)),)),), len(head) + plan.nbytes)


def encode_name(name: str) -> str:
    """A file name for a tensor: ASCII letters, digits, `_ . - ~` as they are, the rest in percent.

    >>> encode_name("encoder/layer.0")
    'encoder%2Flayer.0.npy'
    """
    encoded = quote(name, safe="")
    if encoded.startswith("."):  # neither hidden nor a step up
        encoded = "%2E" + encoded[1:]
    return encoded + ".npy"


def make_head(tensor: TensorPlan) -> bytes:
    """The header of the file, format version 1.0, as `numpy.lib.format` lays it down."""
    code = CODES.get(tensor.dtype.name)
    if code is None:
        raise SpecError(
            f"npy has no form for {tensor.dtype.name}",
            tensor.place,
            hint="use safetensors, or another dtype",
        )
    fields = f"{{'descr': '{code}', 'fortran_order': False, 'shape': {tensor.shape}, }}"
    length = len(_MAGIC) + 2 + len(fields) + 1
    text = fields + " " * (-length % _ALIGNMENT) + "\n"
    return _MAGIC + struct.pack("<H", len(text)) + text.encode("ascii")


def read_index(path: str) -> list[StoredTensor]:
    """The tensors of a folder by its manifest, or of a single file (whose name is its stem)."""
    if not os.path.isdir(path):
        name = os.path.splitext(os.path.basename(path))[0]
        return [_read_file(path, unquote(name))]
    with open(os.path.join(path, MANIFEST), encoding="utf-8") as file:
        try:
            entries = json.load(file)["tensors"]
            files = {name: entry["file"] for name, entry in entries.items()}
            if any(file != encode_name(name) for name, file in files.items()):
                raise ValueError("a file's name is not its tensor's")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{path} has no sound {MANIFEST}: {error}") from error
    return [_read_file(os.path.join(path, file), name) for name, file in files.items()]


def is_ours(path: str) -> bool:
    """Does a folder hold an earlier output and nothing else, or nothing at all?"""
    try:
        found = {os.path.join(path, name) for name in os.listdir(path)}
        ours = {stored.path for stored in read_index(path)} if found else set()
    except (OSError, InputError):
        return False
    return not found or found == ours | {os.path.join(path, MANIFEST)}


def _read_file(path: str, name: str) -> StoredTensor:
    with open(path, "rb") as file:
        try:
            if file.read(len(_MAGIC)) != _MAGIC:
                raise ValueError("no npy header of version 1.0")
            (length,) = struct.unpack("<H", file.read(2))
            header = ast.literal_eval(file.read(length).decode("ascii"))
            descr, shape = header["descr"], tuple(map(operator.index, header["shape"]))
            if header["fortran_order"] and len(shape) > 1:
                raise ValueError("Fortran order is not read")
        except (ValueError, KeyError, TypeError, SyntaxError, struct.error) as error:
            raise InputError(f"{path} is not a sound npy file: {error}") from error
        offset = file.tell()
        size = os.fstat(file.fileno()).st_size
    for known, code in CODES.items():
        if code == descr:
            dtype = DTYPES[known]
            stored = StoredTensor(name, dtype.name, shape, path, offset, size - offset)
            if math.prod(shape) * dtype.itemsize != stored.nbytes:
                raise InputError(f"{path} is cut short or too long for its shape")
            return stored
    raise InputError(f"{path} is of dtype {descr}, unknown to xavinit")


FORMAT = Format("npy", lay_out, read_index, lay_out_single, is_ours=is_ours)
