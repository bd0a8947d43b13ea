"""The verb that reads a weights file into arrays: `load`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from xavinit.errors import InputError
from xavinit.formats import PlainRange, Reader, StoredTensor, load_index
from xavinit.places import find_local
from xavinit.verbs.draw import find_array_type
from xavinit.wording import explain_os_error

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[Any]]


def load(path: str | os.PathLike[str]) -> dict[str, Array]:
    """Read a weights file into arrays by name, in the order of the file.

    `path` is a file of any format that is read, a folder, or the index of a set (docs/reading.md).
    Where a tensor's bytes lie in the file as they are in memory, its array is mapped: nothing is
    read before it is used, and what is written into the array stays in memory, not in the file.
    (As with every mapping, a file that is cut short meanwhile ends the process.) Other tensors are
    read at once: compressed ones, those in another order or byte order, a pipe's.

    bfloat16, float8 and smaller arrays need ml_dtypes, else `MissingLibraryError`; those of 6 and
    4 bits have a byte for each element. Raises `InputError` where the file cannot be read or is not
    sound. From an object store (`s3://BUCKET/KEY`, `gs://`, `az://`) all are read at once.

    >>> import tempfile, os
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = os.path.join(folder.name, "w.safetensors")
    >>> from xavinit import generate
    >>> _ = generate({"tensors": {"w": [128, 784]}}, path)
    >>> load(path)["w"].shape
    (128, 784)
    >>> folder.cleanup()
    """
    return load_stored(load_index(os.fsdecode(path)).tensors)


def load_stored(tensors: Iterable[StoredTensor]) -> dict[str, Array]:
    """These tensors of a file as arrays by name."""
    maps: dict[str, Array] = {}
    with Reader() as reader:
        return {
            stored.name: _map(stored, stored.plain, maps)
            if stored.plain is not None and _can_map(stored, stored.plain)
            else _read(stored, reader)
            for stored in tensors
        }


def _can_map(stored: StoredTensor, plain: PlainRange) -> bool:
    """Has its array the bytes of a file of a disk? An object has no place in memory."""
    return bool(find_local(plain.path) and stored.size and stored.dtype.itemsize)


def _map(stored: StoredTensor, plain: PlainRange, maps: dict[str, Array]) -> Array:
    """A tensor as a part of its file's mapping, copied where it is written to."""
    import numpy as np

    if plain.path not in maps:
        try:
            maps[plain.path] = np.memmap(plain.path, np.uint8, "c")
        except (OSError, ValueError) as error:  # a file that has just been emptied
            reason = explain_os_error(error) if isinstance(error, OSError) else str(error)
            raise InputError(f"cannot read {plain.path}: {reason}") from error
    content = maps[plain.path][plain.offset : plain.offset + stored.nbytes]
    if content.size < stored.nbytes:
        raise InputError(f"{plain.path} is cut short at tensor {stored.name}")
    kind = find_array_type(stored.dtype.name)
    mapped: Array = np.asarray(content).view(kind).reshape(stored.shape)
    return mapped


def _read(stored: StoredTensor, reader: Reader) -> Array:
    import numpy as np

    kind = find_array_type(stored.dtype.name)
    content: Array = np.frombuffer(reader.read(stored, 0, stored.size), np.uint8)
    if not stored.dtype.itemsize:
        content = _unpack(content, stored.dtype.bits, stored.size)
    array: Array = content.view(kind).reshape(stored.shape)
    return array


def _unpack(content: Array, bits: int, size: int) -> Array:
    """A byte for each element of a smaller dtype; the first has the lowest bits."""
    import numpy as np

    every = np.unpackbits(content, bitorder="little")[: size * bits].reshape(size, bits)
    return np.packbits(every, axis=1, bitorder="little").reshape(size)
