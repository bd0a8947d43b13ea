"""PyTorch's zip archives, `.pt`, `.pth` or `.bin`, read without unpickling anything.

`data.pkl` says what the file holds, in the form of a pickle, which `pickles.py` reads as data;
`data/KEY` are the storages, stored as they are. A tensor is a view of one. Dicts and lists within
each other give names with dots; what is no tensor is skipped and counted.

Limits: the bytes of `data.pkl` (`LARGEST_TEXT`), its opcodes and marks (`pickles.py`), the values
and tensors found in it (a value may be listed any number of times), how deep they lie, the length
of a name and of all names, the axes of a tensor, and what all of them make of the file's bytes
(`archives.py`).
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from typing import Any

from xavinit.dtypes import STORED_DTYPES
from xavinit.errors import InputError
from xavinit.formats.archives import Archive, Member, check_expanded
from xavinit.formats.deflated import read_whole_member
from xavinit.formats.files import LARGEST_TEXT
from xavinit.formats.pickle_values import Pairs, RefusedError
from xavinit.formats.pickles import parse_pickle
from xavinit.formats.stored import (
    LARGEST_NAMES,
    Index,
    PlainRange,
    Source,
    StoredTensor,
    find_odd_shape,
    index_tensors,
)
from xavinit.formats.strided import StridedRange, find_strides
from xavinit.formats.torch_values import GLOBALS, Storage, Unread, View, find_storage
from xavinit.places import split
from xavinit.wording import format_value

MOST_VALUES = 2_000_000
MOST_TENSORS = 200_000
DEEPEST_VALUE = 64
LONGEST_NAME = 4_096  # characters

_PICKLE = "/data.pkl"
_BYTE_ORDERS = {b"little": False, b"big": True}


def is_pytorch(archive: Archive) -> bool:
    return bool(_find_roots(archive))


def _find_roots(archive: Archive) -> list[str]:
    """The folders in the archive that hold a `data.pkl`; PyTorch makes one."""
    return [
        name.removesuffix(_PICKLE)
        for name in archive.members
        if name.endswith(_PICKLE) and name.count("/") == 1
    ]


def read_index(archive: Archive) -> Index:
    """The tensors of an archive, by the keys that lead to them."""
    path, members = archive.path, archive.members
    root, *others = _find_roots(archive)
    if others:
        raise InputError(f"{path} is not a sound PyTorch file: it holds two data.pkl")
    if f"{root}/constants.pkl" in members or any(n.startswith(f"{root}/code/") for n in members):
        raise InputError(
            f"{path} is a TorchScript archive, which holds a program",
            hint="torch.save(torch.jit.load(PATH).state_dict(), OTHER) keeps its tensors",
        )
    is_swapped = _read_byte_order(archive, root)
    text = read_whole_member(archive, members[f"{root}{_PICKLE}"], LARGEST_TEXT)
    try:
        value = parse_pickle(text, GLOBALS, find_storage)
    except RefusedError as error:
        raise InputError(
            f"{path} is refused: {error} is not one that a state dict has; nothing of it was run"
        ) from None
    except ValueError as error:
        raise InputError(f"{path} is corrupt at its data.pkl: {error}") from error
    flat = _Flat(path)
    if isinstance(value, View | Unread):  # a tensor alone is called as the file
        stem = os.path.splitext(split(path)[1])[0]
        flat.add(stem, value, 0)
    else:
        flat.add("", value, 0)
    tensors = [
        _find_tensor(archive, root, name, view, is_swapped=is_swapped) for name, view in flat.found
    ]
    index = index_tensors(path, tensors, {}, format="pytorch", skipped=flat.skipped)
    check_expanded(path, tensors, archive.nbytes)
    return index


def _read_byte_order(archive: Archive, root: str) -> bool:
    """Are its numbers big-endian? Files without a word about it are older than that."""
    name = f"{root}/byteorder"
    if name not in archive.members:
        return False
    told = bytes(read_whole_member(archive, archive.members[name], 100))
    if told not in _BYTE_ORDERS:
        raise InputError(
            f"{archive.path} is not a sound PyTorch file: its byte order must be little or big; "
            f"got {format_value(told.decode('latin-1'))}"
        )
    return _BYTE_ORDERS[told]


class _Flat:
    """The tensors found in a value, by their names."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._seen = 0
        self._characters = 0  # of all names
        self.found: list[tuple[str, View]] = []
        self.skipped = 0

    def add(self, name: str, value: Any, depth: int) -> None:
        self._seen += 1
        if self._seen > MOST_VALUES:
            raise self._fail(f"it holds over {MOST_VALUES:,} values")
        if depth > DEEPEST_VALUE:
            raise self._fail(f"its values are nested over {DEEPEST_VALUE} deep")
        items = _list_items(value)
        if items is not None:
            for key, item in items:
                self.add(self._name(name, key, item), item, depth + 1)
        elif isinstance(value, View):
            self.found.append((name, value))
            self._characters += len(name)
            if self._characters > LARGEST_NAMES:
                raise self._fail(f"the names in it are over {LARGEST_NAMES:,} characters in all")
            if len(self.found) > MOST_TENSORS:
                raise self._fail(f"it holds over {MOST_TENSORS:,} tensors")
        elif isinstance(value, Unread):
            raise self._fail(f"tensor {format_value(name)} is {value.kind}, which is not read")
        elif isinstance(value, Storage):
            raise self._fail(f"{format_value(name)} is a storage without a tensor")
        else:
            self.skipped += 1

    def _name(self, name: str, key: object, item: object) -> str:
        if type(key) not in (str, int):
            if isinstance(item, View | Unread | Pairs | list | tuple):
                is_plain = key is None or isinstance(key, bool | float)
                shown = format_value(key) if is_plain else f"a {type(key).__name__}"
                raise self._fail(f"a key must be a text or an integer; got {shown}")
            return name  # of what is skipped
        full = f"{name}.{key}" if name else str(key)
        if len(full) > LONGEST_NAME:
            raise self._fail(f"a name must be at most {LONGEST_NAME:,} characters")
        return full

    def _fail(self, fact: str) -> InputError:
        return InputError(f"{self._path}: {fact}")


def _list_items(value: object) -> Iterator[tuple[Any, Any]] | None:
    """The keys and values of a container, None of anything else."""
    if isinstance(value, Pairs):
        return iter(value.pairs)
    return iter(enumerate(value)) if isinstance(value, list | tuple) else None


def _find_tensor(
    archive: Archive, root: str, name: str, view: View, *, is_swapped: bool
) -> StoredTensor:
    """Where a view lies in the archive, after it is found to lie within its storage."""
    shown = f"tensor {format_value(name)}"
    if view.dtype not in STORED_DTYPES:
        raise InputError(
            f"{archive.path}: {shown} is of dtype torch.{view.dtype}, unknown to xavinit"
        )
    if odd := find_odd_shape(view.shape):
        raise InputError(f"{archive.path}: {shown} {odd}")
    dtype = STORED_DTYPES[view.dtype]
    member = archive.members.get(f"{root}/data/{view.storage.key}")
    size = math.prod(view.shape)
    reach = sum((count - 1) * step for count, step in zip(view.shape, view.strides, strict=True))
    said = view.storage.count * (1 if view.storage.dtype is None else dtype.itemsize)
    fact = None
    if member is None:
        fact = "has no storage in it"
    elif member.is_deflated:
        fact = "has a compressed storage, as PyTorch never makes"
    elif member.nbytes < said:
        fact = f"has a storage of {said:,} bytes, of which there are {member.nbytes:,}"
    elif size and (view.offset + reach + 1) * dtype.itemsize > said:
        fact = f"is larger than its storage of {said:,} bytes"
    if fact or member is None:
        raise InputError(f"{archive.path} is corrupt: {shown} {fact}")
    source = _find_source(archive, member, view, dtype.itemsize, is_swapped=is_swapped)
    return StoredTensor(name, dtype, view.shape, source)


def _find_source(
    archive: Archive, member: Member, view: View, itemsize: int, *, is_swapped: bool
) -> Source:
    path, version = archive.path, archive.version
    offset = member.offset + view.offset * itemsize
    usual = find_strides(view.shape, is_fortran=False)
    steps = zip(view.shape, view.strides, usual, strict=True)
    is_plain = 0 in view.shape or all(step == other for n, step, other in steps if n > 1)
    if is_plain and not (is_swapped and itemsize > 1):
        return PlainRange(path, offset, version)
    strides = usual if is_plain else view.strides
    return StridedRange(path, offset, strides, is_swapped and itemsize > 1, version)
