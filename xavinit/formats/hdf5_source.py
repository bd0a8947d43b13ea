"""The elements of HDF5 datasets that are no byte range: chunks, compact ones, swapped bytes."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from xavinit.errors import InputError
from xavinit.formats.deflated import WindowFile
from xavinit.formats.hdf5_chunks import MOST_KEPT, UNIT, Chunks, count_kept, count_row
from xavinit.formats.hdf5_library import import_h5py, map_errors, open_to_read, open_window
from xavinit.formats.stored import StoredTensor
from xavinit.formats.strided import swap_bytes
from xavinit.layers import split_boxes
from xavinit.places import find_local, open_again
from xavinit.wording import explain_os_error, format_value

if TYPE_CHECKING:
    from xavinit.places import Version

# Fills the bytes of a box of elements: its starts, its counts, the bytes.
_ReadBox = Callable[[tuple[int, ...], tuple[int, ...], Any], None]


class Window(Struct, frozen=True):
    """The part of a file in which a whole HDF5 file lies: a stored member of an archive."""

    offset: int
    nbytes: int


class Hdf5Dataset(Struct, frozen=True):
    """Elements that HDF5's library must assemble: from chunks, filtered or not, or compact."""

    path: str
    name: str
    chunk: tuple[int, ...] | None = None
    is_swapped: bool = False
    window: Window | None = None
    version: Version | None = None

    def open(self) -> _OpenedFile:
        return _OpenedFile(self.path, self.window, self.version)

    def fill(
        self, opened: _OpenedFile, tensor: StoredTensor, start: int, stop: int, block: memoryview
    ) -> None:
        import numpy as np

        flat, itemsize = np.frombuffer(block, np.uint8), tensor.dtype.itemsize
        with _naming(self.path, self.name):
            read_box = opened.find_dataset(self.name, (tensor.shape, itemsize, self.chunk))
            place = 0
            for box in split_boxes(tensor.shape, start, stop):
                starts = tuple(first for first, _ in box)
                counts = tuple(last - first for first, last in box)
                end = place + math.prod(counts) * itemsize
                read_box(starts, counts, flat[place:end])
                place = end
        if self.is_swapped:
            swap_bytes(block, tensor.dtype)

    def find_unit(self, tensor: StoredTensor) -> int:
        """A row of chunks, or as many rows of elements as fit, on the first axis where one fits."""
        if self.chunk is None:
            return 1
        return _find_rows(tensor, self.chunk)[0]

    def count_memory(self, tensor: StoredTensor) -> int:
        """A chunk as it is stored and unpacked; those that are kept; the library's own cache."""
        if self.chunk is None:
            return 8 << 20
        itemsize = tensor.dtype.itemsize
        kept = count_kept(tensor.shape, self.chunk, itemsize)
        return 3 * math.prod(self.chunk) * itemsize + kept + (8 << 20)

    def count_chunks(self, tensor: StoredTensor) -> int:
        sizes = zip(tensor.shape, self.chunk or (), strict=False)
        return math.prod(-(-n // size) for n, size in sizes)

    def count_read(self, tensor: StoredTensor) -> int:
        """The bytes that are unpacked: a chunk again and again where not all of a row are kept."""
        if self.chunk is None:
            return tensor.nbytes
        itemsize = tensor.dtype.itemsize
        row = count_row(tensor.shape, self.chunk, itemsize)
        times = 1 if row <= MOST_KEPT else _find_rows(tensor, self.chunk)[1]
        return -(-tensor.shape[0] // self.chunk[0]) * row * times


def _find_rows(tensor: StoredTensor, chunk: tuple[int, ...]) -> tuple[int, int]:
    """How many elements are best read at once, and how many such runs one chunk has a part in."""
    most = UNIT // tensor.dtype.itemsize
    times = 1
    for axis, size in enumerate(chunk):
        size = min(size, tensor.shape[axis])
        row = math.prod(tensor.shape[axis + 1 :])
        if row <= most:
            rows = min(size, most // row)
            return rows * row, times * -(-size // rows)
        times *= size
    return most, times


@contextlib.contextmanager
def _naming(path: str, name: str) -> Iterator[None]:
    """Name the dataset in what is wrong with it."""
    try:
        with map_errors():
            yield
    except OSError as error:
        if error.errno:  # the system's word, not that of the file
            raise
        reason = explain_os_error(error)
        raise InputError(
            f"{path} is not a sound HDF5 file: dataset {format_value(name)}: {reason}"
        ) from error


class _OpenedFile:
    """A file that datasets are read from, one after another."""

    def __init__(self, path: str, window: Window | None, version: Version | None) -> None:
        self._h5py = import_h5py()
        self._files = contextlib.ExitStack()
        with map_errors():
            self._file = self._files.enter_context(open_part(self._h5py, path, window, version))
        self._name: str | None = None
        self._read_box: _ReadBox

    def close(self) -> None:
        with map_errors():
            self._files.close()

    def find_dataset(self, name: str, form: tuple[Any, ...]) -> _ReadBox:
        """What reads a box of a dataset; `EOFError` where its form is not that of the index."""
        if name != self._name:
            dataset = self._h5py.h5d.open(self._file.id, name.encode())
            creation = dataset.get_create_plist()
            is_chunked = creation.get_layout() == self._h5py.h5d.CHUNKED
            chunk = tuple(creation.get_chunk()) if is_chunked else None
            if (dataset.shape, dataset.get_type().get_size(), chunk) != form:
                raise EOFError
            chunks = Chunks(self._h5py, dataset) if is_chunked else None
            self._read_box = chunks.read_box if chunks else partial(self._read_whole, dataset)
            self._name = name
        return self._read_box

    def _read_whole(
        self, dataset: Any, starts: tuple[int, ...], counts: tuple[int, ...], out: Any
    ) -> None:
        """Read a box as it is stored: in the file's own type, so that nothing is converted."""
        space = dataset.get_space()
        if counts:
            space.select_hyperslab(starts, counts)
            memory = self._h5py.h5s.create_simple(counts)
        else:
            memory = self._h5py.h5s.create(self._h5py.h5s.SCALAR)
        dataset.read(memory, space, out, dataset.get_type())


@contextlib.contextmanager
def open_part(
    h5py: Any, path: str, window: Window | None, version: Version | None
) -> Iterator[Any]:
    """The library's file, which is closed in the end, and the archive with it."""
    with open_again(path, version) as file:  # checks that it is a regular file
        local = find_local(path)
        if window is not None:
            opened = open_window(h5py, WindowFile(file, window.offset, window.nbytes))
        elif local is not None:
            opened = open_to_read(h5py, local)
        else:
            opened = open_window(h5py, file)
        with opened:
            yield opened
