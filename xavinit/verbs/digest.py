"""The digest of a set of tensors, the same for every container: `digest`, `digest_tensors`."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from xavinit.dtypes import STORED_DTYPES
from xavinit.errors import UsageError
from xavinit.formats import load_index
from xavinit.reading import hash_all, hash_each, make_head
from xavinit.verbs.progress import Progress, make_advance
from xavinit.wording import format_value

if TYPE_CHECKING:
    import numpy as np

    Arrays = Mapping[str, np.ndarray[Any, Any]]


def digest(
    source: str | os.PathLike[str] | Arrays,
    *,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> str:
    """The SHA-256, in hexadecimal, of the tensors of a weights file, or of arrays by name.

    Hashed, for each tensor in the order of its name's UTF-8: the length of the name as 8
    little-endian bytes, the name; the same for the dtype's name; the rank and each dimension as
    8 bytes; the values' little-endian bytes in C order. So the digest does not depend on the
    format, the metadata or the order in the file. But a `.weights.h5` or `.keras` file has names of
    its own, the paths of its datasets.

    A path is that of any weights file or folder that is read, or `-`; memory does not grow with the
    file. One hash goes over all tensors; `jobs` threads (all cores, at most 8) read ahead of it.
    `progress` is called with the bytes done and all bytes.

    Raises `InputError` where the file cannot be read or is not sound, `UsageError` for arrays of
    another dtype.

    >>> import numpy
    >>> digest({"w": numpy.zeros(2, "float32")})[:16]
    '12d77f518ee7998b'
    """
    if isinstance(source, Mapping):
        total = hashlib.sha256()
        for name, array in sorted(_check_arrays(source).items(), key=lambda item: item[0].encode()):
            total.update(make_head(name, array.dtype.name, array.shape) + _find_bytes(array))
        return total.hexdigest()
    index = load_index(_find_path(source))
    return hash_all(index, jobs, make_advance(index.nbytes, progress))


def digest_tensors(
    source: str | os.PathLike[str] | Arrays,
    *,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> dict[str, str]:
    """The digest of each tensor of a weights file, or of arrays, by name, in their order.

    A tensor's is what `digest` gives for a file that holds only this one. Takes the arguments of
    `digest`, and raises what it raises; here `jobs` threads hash a tensor each.

    >>> import numpy
    >>> digest_tensors({"w": numpy.zeros(2, "float32")})["w"][:16]
    '12d77f518ee7998b'
    """
    if isinstance(source, Mapping):
        return {name: digest({name: array}) for name, array in _check_arrays(source).items()}
    index = load_index(_find_path(source))
    return hash_each(index, jobs, make_advance(index.nbytes, progress))


# --- Arrays -----------------------------------------------------------------------------------


def _check_arrays(arrays: Arrays) -> Arrays:
    for name, array in arrays.items():
        kind = getattr(getattr(array, "dtype", None), "name", type(array).__name__)
        # An array has a byte for each element of a smaller dtype, which no file has.
        if kind not in STORED_DTYPES or not STORED_DTYPES[kind].itemsize:
            raise UsageError(f"a tensor must be an array of a known dtype; got {kind} for {name}")
        if not isinstance(name, str) or any("\ud800" <= char <= "\udfff" for char in name):
            raise UsageError(f"the name of a tensor must be a text; got {format_value(name)}")
    return arrays


def _find_bytes(array: np.ndarray[Any, Any]) -> bytes:
    if array.dtype.byteorder == ">":
        array = array.astype(array.dtype.newbyteorder("<"))
    return array.tobytes()


# --- Files ------------------------------------------------------------------------------------


def _find_path(source: object) -> str:
    if not isinstance(source, str | bytes | os.PathLike):
        raise UsageError(f"digest takes a path, or arrays by name; got {format_value(source)}")
    return os.fsdecode(source)
