"""The digest of a set of tensors, the same in whatever container they lie."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from xavinit.dtypes import DTYPES
from xavinit.errors import InputError, UsageError
from xavinit.formats import StoredTensor, detect_format, parse_format
from xavinit.wording import explain_os_error

if TYPE_CHECKING:
    import numpy as np

_PIECE = 1 << 20  # bytes read at once


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
    tensors = _list_arrays(source) if isinstance(source, Mapping) else _list_stored(source)
    for name, dtype, shape, pieces in sorted(tensors, key=lambda tensor: tensor[0].encode()):
        for text in (name.encode(), dtype.encode()):
            total.update(len(text).to_bytes(8, "little") + text)
        for number in (len(shape), *shape):
            total.update(number.to_bytes(8, "little"))
        for piece in pieces:
            total.update(piece)
    return total.hexdigest()


_Tensor = tuple[str, str, tuple[int, ...], Iterator[bytes]]


def _list_arrays(arrays: Mapping[str, np.ndarray[Any, Any]]) -> list[_Tensor]:
    def pieces(array: np.ndarray[Any, Any]) -> Iterator[bytes]:
        if array.dtype.byteorder == ">":
            array = array.astype(array.dtype.newbyteorder("<"))
        yield array.tobytes()

    for name, array in arrays.items():
        kind = getattr(getattr(array, "dtype", None), "name", type(array).__name__)
        if kind not in DTYPES:
            raise UsageError(f"a tensor must be an array of a known dtype; got {kind} for {name}")
    return [(name, a.dtype.name, a.shape, pieces(a)) for name, a in arrays.items()]


def _list_stored(source: str | os.PathLike[str]) -> list[_Tensor]:
    path = os.fspath(source)
    fmt = parse_format(detect_format(path))
    try:
        return [(s.name, s.dtype, s.shape, _read_pieces(s)) for s in fmt.read_index(path)]
    except OSError as error:
        raise InputError(f"cannot read {path}: {explain_os_error(error)}") from error


def _read_pieces(stored: StoredTensor) -> Iterator[bytes]:
    left = stored.nbytes
    with open(stored.path, "rb") as file:
        file.seek(stored.offset)
        while left:
            piece = file.read(min(left, _PIECE))
            if not piece:
                raise InputError(f"{stored.path} is cut short at tensor {stored.name}")
            left -= len(piece)
            yield piece
