"""The digest of a set of tensors, the same for every container."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from xavinit.dtypes import STORED_DTYPES
from xavinit.errors import InputError, UsageError
from xavinit.formats import Reader, StoredTensor, load_index
from xavinit.wording import format_value

if TYPE_CHECKING:
    import numpy as np

_BLOCK = 1 << 20  # bytes read at once, or a tensor's own unit


def digest(source: str | os.PathLike[str] | Mapping[str, np.ndarray[Any, Any]]) -> str:
    """The SHA-256, in hexadecimal, of the tensors of a weights file, or of arrays by name.

    Hashed, for each tensor in the order of its name's UTF-8: the length of the name as 8
    little-endian bytes, the name; the same for the dtype's name; the rank and each dimension as
    8 bytes; the values' little-endian bytes in C order. So the digest does not depend on the
    format, the metadata or the order in the file. A path is read in constant memory.

    Raises `InputError` where the file cannot be read or is not sound, `UsageError` for arrays of
    another dtype.

    >>> import numpy
    >>> digest({"w": numpy.zeros(2, "float32")})[:16]
    '12d77f518ee7998b'
    """
    total = hashlib.sha256()
    with Reader() as reader:
        if isinstance(source, Mapping):
            tensors = _list_arrays(source)
        else:
            tensors = _list_stored(source, reader)
        for name, dtype, shape, blocks in sorted(tensors, key=lambda tensor: tensor[0].encode()):
            for text in (name.encode(), dtype.encode()):
                total.update(len(text).to_bytes(8, "little") + text)
            for number in (len(shape), *shape):
                total.update(number.to_bytes(8, "little"))
            for block in blocks:
                total.update(block)
    return total.hexdigest()


_Tensor = tuple[str, str, tuple[int, ...], Iterator[bytes | bytearray | memoryview]]


def _list_arrays(arrays: Mapping[str, np.ndarray[Any, Any]]) -> list[_Tensor]:
    def list_blocks(array: np.ndarray[Any, Any]) -> Iterator[bytes]:
        if array.dtype.byteorder == ">":
            array = array.astype(array.dtype.newbyteorder("<"))
        yield array.tobytes()

    for name, array in arrays.items():
        kind = getattr(getattr(array, "dtype", None), "name", type(array).__name__)
        # An array has a byte for each element of a smaller dtype, which no file has.
        if kind not in STORED_DTYPES or not STORED_DTYPES[kind].itemsize:
            raise UsageError(f"a tensor must be an array of a known dtype; got {kind} for {name}")
        if not isinstance(name, str) or not _is_utf8(name):
            raise UsageError(f"the name of a tensor must be a text; got {format_value(name)}")
    return [(name, a.dtype.name, a.shape, list_blocks(a)) for name, a in arrays.items()]


def _is_utf8(name: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in name)


def _list_stored(source: object, reader: Reader) -> list[_Tensor]:
    if not isinstance(source, str | bytes | os.PathLike):
        raise UsageError(f"digest takes a path, or arrays by name; got {format_value(source)}")
    index = load_index(os.fsdecode(source))
    tensors = index.tensors
    names = [tensor.name.encode() for tensor in tensors]
    if index.is_pipe and names != sorted(names):
        raise InputError(
            f"{index.path} has its tensors in another order than their names': name the file"
        )
    return [(s.name, s.dtype.name, s.shape, _read_blocks(s, reader)) for s in tensors]


def _read_blocks(stored: StoredTensor, reader: Reader) -> Iterator[memoryview]:
    """The elements, a whole number of units at a time; each block is overwritten by the next."""
    size, unit, count = stored.size, stored.unit, stored.dtype.count_bytes
    step = max(_BLOCK * 8 // stored.dtype.bits // unit, 1) * unit
    buffer = memoryview(bytearray(count(min(step, size))))
    for start in range(0, size, step):
        stop = min(start + step, size)
        block = buffer[: count(stop - start)]
        reader.fill(stored, start, stop, block)
        yield block
