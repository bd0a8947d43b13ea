"""The front door of reading: what a file or a folder is by its content, and its index.

The first bytes tell safetensors, HDF5, `.npy` and zip archives; in an archive, its members tell
PyTorch's from NumPy's and Keras's. A suffix is asked only where the first bytes tell nothing: then
the reader of that format says what is wrong.
"""

from __future__ import annotations

import io

from msgspec import structs

from xavinit.errors import InputError
from xavinit.file_kinds import HDF5, HEAD, NPY, SAFETENSORS, ZIP, find_kind
from xavinit.formats.files import LARGEST_TEXT, parse_json, read_from
from xavinit.formats.known import MANIFESTS, find_suffix, parse_format
from xavinit.formats.refusals import refuse_kind
from xavinit.formats.shard_names import find_names, parse_index_name
from xavinit.formats.stored import Index
from xavinit.places import Kind, exists, find_size, join, look, open_file, read_beginning, split
from xavinit.wording import explain_os_error

STANDARD_INPUT = "-"

# The format that reads each kind of file.
_FORMATS = {SAFETENSORS: "safetensors", HDF5: "hdf5", NPY: "npy"}

# Hugging Face's names of a folder's PyTorch files.
_TORCH_INDEX = "pytorch_model.bin.index.json"
_TORCH_FILE = "pytorch_model.bin"


def load_index(path: str) -> Index:
    """The index of a weights file, of a set of them, or of a folder; `-` reads standard input.

    Each may be in an object store, by its URL.

    `Index.format` is safetensors, hdf5, keras (`.weights.h5`), keras_archive (`.keras`), npy (also
    a folder of ours), npz or pytorch. Raises `InputError`, of one line, for anything else.
    """
    try:
        if path == STANDARD_INPUT:
            from xavinit.formats.pipes import load_pipe

            return load_pipe()
        kind = _look(path)
        if kind == "pipe":
            raise InputError(
                f"cannot read {path}: it is not a regular file",
                hint="standard input takes a pipe: - < PATH",
            )
        return _read_folder(path) if kind == "folder" else _read_any(path)
    except OSError as error:
        place = error.filename or path
        raise InputError(f"cannot read {place}: {explain_os_error(error)}") from error


def _look(path: str) -> Kind:
    try:
        return look(path)
    except ValueError:  # which opening it tells
        return "other"


def _read_folder(path: str) -> Index:
    for name, manifest in MANIFESTS.items():
        if exists(join(path, manifest)):
            return _read_as(name, path)
    names = find_names(path)
    for index in (names.index, _TORCH_INDEX):
        if exists(join(path, index)):
            return _read_set(path, join(path, index))
        single = names.single if index == names.index else _TORCH_FILE
        if exists(join(path, single)):
            return _read_file(join(path, single))
    raise InputError(
        f"{path} is a folder without an index of weights, a single .safetensors, "
        f"{_TORCH_FILE} or a manifest.json",
        hint="name a file in it",
    )


def _read_set(path: str, index: str) -> Index:
    from xavinit.formats.sets import load_index_file, read_set

    return read_set(path, split(index)[0], load_index_file(index), _read_file)


def _read_any(path: str) -> Index:
    """The index of a file, which may be the index of a set."""
    if _is_named_index(split(path)[1]):
        return _read_set(path, path)
    with open_file(path) as file:
        size = find_size(file)
        head = read_beginning(file, HEAD)
        is_index = _may_be_index(path, size, head) and _is_index(file, size)
    return _read_set(path, path) if is_index else _read_by_head(path, head)


def _is_named_index(name: str) -> bool:
    return parse_index_name(name) is not None or name.endswith(".bin.index.json")


def _may_be_index(path: str, size: int, head: bytes) -> bool:
    """Is it JSON by its beginning, and no file of a format that is damaged?"""
    is_json = find_kind(head) is None and head.lstrip().startswith(b"{")
    return is_json and size <= LARGEST_TEXT and not find_suffix(path)


def _is_index(file: io.RawIOBase, size: int) -> bool:
    """Is it JSON with a `weight_map`, whatever its name?"""
    try:
        content = parse_json(read_from(file, 0, size))
    except (ValueError, EOFError):
        return False
    return isinstance(content, dict) and "weight_map" in content


def _read_file(path: str) -> Index:
    with open_file(path) as file:
        head = read_beginning(file, HEAD)
    return _read_by_head(path, head)


def _read_by_head(path: str, head: bytes) -> Index:
    kind = find_kind(head)
    if kind == ZIP:
        return _read_archive(path)
    if kind in _FORMATS:
        return _read_as(_FORMATS[kind], path)
    if kind is None and (name := find_suffix(path)):
        return _read_as(name, path)
    raise refuse_kind(path, head)


def _read_as(name: str, path: str) -> Index:
    index = parse_format(name).read_index(path)
    return index if index.format else structs.replace(index, format=name)


def _read_archive(path: str) -> Index:
    """The index of a zip archive, by what it holds."""
    from xavinit.formats import keras_archive, npz, pytorch
    from xavinit.formats.archives import read_archive

    archive = read_archive(path)
    if pytorch.is_pytorch(archive):
        return pytorch.read_index(archive)
    if keras_archive.is_keras(archive):
        return keras_archive.read_index(archive)
    if npz.is_npz(archive):
        return npz.read_index(archive)
    raise InputError(f"{path} is a zip archive without weights of PyTorch, NumPy or Keras")
