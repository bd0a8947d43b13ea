"""npy: a folder with a `.npy` file for each tensor and a manifest, or a single `.npy` file."""

from __future__ import annotations

import json
import os
import stat
import struct
from typing import Any
from urllib.parse import quote, unquote

import msgspec
from msgspec import Struct

from xavinit.errors import InputError, SpecError, UsageError
from xavinit.formats.files import load_json, read_from
from xavinit.formats.known import MANIFESTS
from xavinit.formats.layout import Format, Layout, lay_out_file
from xavinit.formats.metadata import KEY, make_compact, make_metadata
from xavinit.formats.npy_headers import LONGEST_HEAD, find_source, parse_header
from xavinit.formats.stored import Index, StoredTensor, index_tensors
from xavinit.places import find_size, find_version, is_folder, join, open_file, split
from xavinit.plan import Plan, TensorPlan
from xavinit.wording import explain_os_error, format_value

MANIFEST = MANIFESTS["npy"]
LONGEST_NAME = 255  # bytes; what file systems take
_MAGIC = b"\x93NUMPY\x01\x00"
_ALIGNMENT = 64
_LARGEST_RECIPE = 64 << 20  # bytes of a manifest beside its entries: a spec of 16 MiB, escaped
_LARGEST_ENTRY = 4096  # bytes of an entry in a manifest

# The code of each dtype that is written; NumPy itself knows those that are read.
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
        files.append(lay_out_file(file_name, head, [tensor]))
        entries[tensor.name] = {
            "dtype": tensor.dtype.name,
            "file": file_name,
            "shape": list(tensor.shape),
        }
    metadata = make_metadata(plan)
    # The carried spec keeps its order, which is that of the numbers where they have one.
    content = {"tensors": dict(sorted(entries.items())), KEY: json.loads(metadata)}
    manifest = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    files.append(lay_out_file(MANIFEST, manifest.encode()))
    nbytes = sum(file.nbytes for file in files)
    return Layout(tuple(files), nbytes, folder=True, metadata={KEY: metadata})


def lay_out_single(plan: Plan) -> Layout:
    """The one file of a plan of one tensor."""
    if len(plan.tensors) != 1:
        raise UsageError(
            f"a .npy file or pipe holds one tensor; the spec has {len(plan.tensors):,} "
            "(the format npy with a name that has no suffix makes a folder for several)"
        )
    (tensor,) = plan.tensors
    file = lay_out_file("", make_head(tensor), [tensor])
    return Layout((file,), file.nbytes)


def encode_name(name: str) -> str:
    """A file name for a tensor: ASCII letters, digits, `_ . - ~` as they are, the rest in percent.

    >>> encode_name("encoder/layer.0")
    'encoder%2Flayer.0.npy'
    """
    encoded = quote(name, safe="")
    if encoded.startswith("."):  # neither a hidden file nor ..
        encoded = "%2E" + encoded[1:]
    return encoded + ".npy"


def make_head(tensor: TensorPlan) -> bytes:
    """The header of the file, format version 1.0, as `numpy.lib.format` defines it.

    NumPy would write it too, but a run with the native kernel does not load NumPy.
    """
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


def read_index(path: str) -> Index:
    """The index of a folder by its manifest, or of a single file (whose tensor is its stem)."""
    if not is_folder(path):
        name = os.path.splitext(split(path)[1])[0]
        return index_tensors(path, [_read_file(path, unquote(name))], {})
    files, metadata = _read_manifest(path)
    tensors = [_read_file(join(path, file), name) for name, file in files.items()]
    return index_tensors(path, tensors, metadata)


def is_ours(path: str) -> bool:
    """Does a folder hold an earlier output and nothing else, or nothing at all?

    The manifest may be anybody's: of a size that no number of files explains it is not ours, and
    what is read of it is names of files alone. Raises `InputError` where it cannot be read.
    """
    manifest = os.path.join(path, MANIFEST)
    try:
        found = set(os.listdir(path))
        status = os.lstat(manifest) if MANIFEST in found else None
    except OSError as error:
        raise InputError(f"cannot read {path}: {explain_os_error(error)}") from error
    if status is None or not stat.S_ISREG(status.st_mode):
        return not found
    if status.st_size > _LARGEST_RECIPE + _LARGEST_ENTRY * len(found):
        return False
    files = _list_files(manifest, status.st_size)
    return files is not None and found == {MANIFEST, *files}


class _Entry(Struct):
    file: str


class _Manifest(Struct):
    tensors: dict[str, _Entry]


def _list_files(manifest: str, size: int) -> list[str] | None:
    """The names of the files that a manifest lists; None where it is not one of ours."""
    try:
        with open_file(manifest) as file:
            return list_files(read_from(file, 0, size))
    except OSError as error:
        raise InputError(f"cannot read {manifest}: {explain_os_error(error)}") from error
    except EOFError:
        return None


def list_files(content: bytes | bytearray) -> list[str] | None:
    """The same of a manifest's bytes."""
    try:
        tensors = msgspec.json.decode(content, type=_Manifest).tensors
    except (ValueError, RecursionError, msgspec.MsgspecError):  # no ValueError once
        return None
    files = {name: encode_name(name) for name in tensors}
    is_sound = all(entry.file == files[name] for name, entry in tensors.items())
    return list(files.values()) if is_sound else None


def read_metadata(path: str) -> dict[str, str]:
    """The metadata of a folder, from its manifest alone."""
    return _read_manifest(path)[1]


def _read_manifest(path: str) -> tuple[dict[str, str], dict[str, str]]:
    """The file of each tensor of a folder, and the folder's metadata."""
    try:
        content = load_json(join(path, MANIFEST))
        match content:
            case {"tensors": dict(entries)}:
                pass
            case _:
                raise ValueError("it must have tensors")
        files = {name: encode_name(name) for name in entries}
        for name, entry in entries.items():
            if not isinstance(entry, dict) or entry.get("file") != files[name]:
                raise ValueError("a file's name is not its tensor's")
    except ValueError as error:
        raise InputError(f"{path} has no sound {MANIFEST}: {error}") from error
    recipe = content.get(KEY)
    return files, {} if recipe is None else {KEY: make_compact(recipe)}


def _read_file(path: str, name: str) -> StoredTensor:
    with open_file(path) as file:
        size, version = find_size(file), find_version(file)
        head = read_from(file, 0, min(size, LONGEST_HEAD))
    header = parse_header(path, head)
    if header.start + header.nbytes != size:
        raise InputError(f"{path} is cut short or too long for its shape")
    source = find_source(path, header, version=version)
    return StoredTensor(name, header.dtype, header.shape, source)


FORMAT = Format(
    "npy",
    lay_out,
    read_index,
    lay_out_single,
    names_tensors=False,
    is_ours=is_ours,
    list_files=list_files,
    read_metadata=read_metadata,
)
