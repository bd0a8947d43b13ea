"""The tensors that a format finds in a file, and how their elements are read.

A `StoredTensor` is always read as a run of elements in C order, little-endian. Its `Source` knows
how they lie on the disk: a plain byte range here, other orders in `strided.py`, the chunks of HDF5
in `datasets.py`.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct

from xavinit.dtypes import DType
from xavinit.errors import InputError
from xavinit.formats.files import Readable, fill_from
from xavinit.formats.metadata import Recipe, parse_recipe
from xavinit.places import find_local, open_again
from xavinit.stopping import check_stop
from xavinit.wording import explain_os_error, format_value

if TYPE_CHECKING:
    from xavinit.places import Version

MOST_AXES = 32  # of a tensor: what the oldest NumPy takes
LARGEST_NAMES = 50_000_000  # characters of all names, where a file may repeat what it says once
LARGEST = 2**63 - 1  # of a dimension, and bytes of a tensor

_BLOCK = 1 << 20  # bytes of a file that are best read at once
_BLOCK_OF_OBJECT = 8 << 20  # the same of an object: each block is a request, which takes its time


class Source(Protocol):
    """Where the elements of a stored tensor lie, and how they are read."""

    @property
    def path(self) -> str: ...

    @property
    def version(self) -> Version | None:
        """Which content of an object it is: the one whose index was read. None of a disk's."""

    def open(self) -> Any:
        """The open file that `fill` reads from; has a `close`."""

    def fill(
        self, opened: Any, tensor: StoredTensor, start: int, stop: int, block: memoryview
    ) -> None:
        """Fill a block with the elements [start, stop): little-endian, in C order."""

    def find_unit(self, tensor: StoredTensor) -> int:
        """How many elements are best read at once: a run should begin at a multiple of it."""

    def count_memory(self, tensor: StoredTensor) -> int:
        """The most bytes that reading takes beside the block."""


class StoredTensor(Struct, frozen=True):
    """A tensor found in a file: what the index says, and where its elements are."""

    name: str
    dtype: DType
    shape: tuple[int, ...]
    source: Source

    @property
    def size(self) -> int:
        """How many elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        return self.dtype.count_bytes(math.prod(self.shape))

    @property
    def plain(self) -> PlainRange | None:
        """The byte range that holds the elements as they are read, where there is one."""
        return self.source if isinstance(self.source, PlainRange) else None

    @property
    def is_remote(self) -> bool:
        """Does it lie in an object, so that each read is a request to a store?"""
        return find_local(self.source.path) is None

    @property
    def unit(self) -> int:
        """How many elements are best read at once: a block is a whole number of units."""
        return self.source.find_unit(self)

    @property
    def block(self) -> int:
        """The bytes that are best read at once, if units are not larger."""
        return _BLOCK_OF_OBJECT if self.plain is not None and self.is_remote else _BLOCK

    @property
    def memory(self) -> int:
        """The most bytes that reading takes beside the block that is filled."""
        return self.source.count_memory(self)


class PlainRange(Struct, frozen=True):
    """A byte range of a file: little-endian elements in C order from an offset on."""

    path: str
    offset: int
    version: Version | None = None

    def open(self) -> io.RawIOBase:
        return open_again(self.path, self.version)

    def fill(
        self, opened: Readable, tensor: StoredTensor, start: int, stop: int, block: memoryview
    ) -> None:
        fill_from(opened, self.offset + tensor.dtype.count_bytes(start), block)

    def find_unit(self, tensor: StoredTensor) -> int:
        return 8 // math.gcd(tensor.dtype.bits, 8)  # whole bytes

    def count_memory(self, tensor: StoredTensor) -> int:
        return 0


class Reader:
    """Reads elements of stored tensors. One for each thread; the file read last stays open.

    >>> with Reader() as reader:  # doctest: +SKIP
    ...     reader.fill(tensor, 0, 4, block)
    """

    def __init__(self) -> None:
        self._key: tuple[type[Source], str, Version | None] | None = None
        self._opened: Any = None

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._key, opened, self._opened = None, self._opened, None
        if opened is not None:
            opened.close()

    def fill(self, tensor: StoredTensor, start: int, stop: int, block: memoryview) -> None:
        """Fill a block of their size with the elements [start, stop): little-endian, in C order.

        Raises `InputError` where the file cannot be read, or has changed since its index was read;
        `StoppedError` in a thread of a crew that is to stop.
        """
        check_stop()
        source, count = tensor.source, tensor.dtype.count_bytes
        whole = tensor.dtype.bits * start % 8 == 0
        if not (whole and 0 <= start <= stop <= tensor.size and len(block) == count(stop - start)):
            raise ValueError(f"no block of {len(block)} bytes takes elements {start} to {stop}")
        if start == stop:
            return
        key = (type(source), source.path, source.version)
        try:
            if key != self._key:
                self.close()
                self._opened = source.open()
                self._key = key
            source.fill(self._opened, tensor, start, stop, block)
        except OSError as error:
            raise InputError(f"cannot read {source.path}: {explain_os_error(error)}") from error
        except EOFError:
            raise InputError(
                f"{source.path} is cut short at tensor {format_value(tensor.name)}"
            ) from None

    def read(self, tensor: StoredTensor, start: int, stop: int) -> bytearray:
        """The elements [start, stop): little-endian, in C order."""
        block = bytearray(tensor.dtype.count_bytes(max(stop - start, 0)))
        self.fill(tensor, start, stop, memoryview(block))
        return block


class Index(Struct, frozen=True):
    """What a file, or a set of files, holds: its tensors and its own metadata.

    `format` is safetensors, hdf5, keras (`.weights.h5`), keras_archive (`.keras`), npy (also our
    folder of them), npz or pytorch. `labels` has what a file calls a tensor beside its name (layers
    of Keras); `skipped` counts what lies among the tensors and is none (numbers and texts of a
    PyTorch file). A pipe (`is_pipe`) is read once, by one `Reader`, its tensors in their order.
    """

    path: str
    tensors: tuple[StoredTensor, ...]
    metadata: Mapping[str, str]
    format: str = ""
    labels: Mapping[str, str] = {}
    skipped: int = 0
    is_pipe: bool = False

    @property
    def versions(self) -> dict[str, Version]:
        """Of the objects that the tensors lie in, by their URLs: the content that was read."""
        sources = (tensor.source for tensor in self.tensors)
        return {source.path: source.version for source in sources if source.version is not None}

    @property
    def nbytes(self) -> int:
        """The bytes of all tensors."""
        return sum(tensor.nbytes for tensor in self.tensors)

    def parse_recipe(self) -> Recipe | None:
        """The recipe that xavinit made the file from, or None; `InputError` where it is damaged."""
        try:
            return parse_recipe(self.metadata)
        except ValueError as error:
            raise InputError(f"{self.path} has no sound metadata of xavinit: {error}") from error


def index_tensors(
    path: str,
    tensors: Iterable[StoredTensor],
    metadata: Mapping[str, str],
    *,
    format: str = "",
    labels: Mapping[str, str] | None = None,
    skipped: int = 0,
) -> Index:
    """The index, its names and shapes checked; `InputError` otherwise."""
    tensors = tuple(tensors)
    names: set[str] = set()
    for tensor in tensors:
        name = tensor.name
        try:
            name.encode()
        except UnicodeEncodeError:
            raise InputError(
                f"{path}: the name of a tensor is not UTF-8: {format_value(name)}"
            ) from None
        if name in names:
            raise InputError(f"{path}: it holds two tensors {format_value(name)}")
        names.add(name)
        if fact := find_odd_shape(tensor.shape):
            raise InputError(f"{path}: tensor {format_value(name)} {fact}")
        if tensor.nbytes > LARGEST:
            raise InputError(f"{path}: tensor {format_value(name)} is over 2⁶³−1 bytes")
    return Index(path, tensors, metadata, format, labels or {}, skipped)


def find_odd_shape(shape: Sequence[int]) -> str | None:
    """What is wrong with a shape, if anything is; of a short one alone the size is soon known."""
    if len(shape) > MOST_AXES:
        return f"must have at most {MOST_AXES} axes; got {len(shape):,}"
    if any(size > LARGEST for size in shape):
        return f"must have dimensions of at most 2⁶³−1; got {format_value(max(shape))}"
    return None
