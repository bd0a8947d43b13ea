"""The chunks of an HDF5 dataset, each read as it is stored and unpacked here.

A chunk takes at most three times its size while it is unpacked. Those that the next elements need
too are kept, as many as lie side by side, where they are not too large.
"""

from __future__ import annotations

import itertools
import math
from array import array
from bisect import bisect_left
from typing import TYPE_CHECKING, Any

from xavinit.formats.hdf5_filters import Filter, find_longest, parse_filters, undo_filters
from xavinit.formats.strided import find_kind
from xavinit.stopping import check_stop

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

UNIT = 16 << 20  # bytes read at once
MOST_KEPT = 256 << 20  # bytes of chunks that are kept


def list_filters(creation: Any) -> tuple[Filter, ...]:
    """The filters of a dataset, by how it was made; `ValueError` for those that are not read."""
    found = (creation.get_filter(number) for number in range(creation.get_nfilters()))
    return parse_filters([(number, values, name) for number, _, values, name in found])


def count_row(shape: tuple[int, ...], chunk: tuple[int, ...], itemsize: int) -> int:
    """The bytes of the chunks that lie side by side at one place of the first axis."""
    sizes = zip(shape[1:], chunk[1:], strict=True)
    return chunk[0] * math.prod(-(-n // size) * size for n, size in sizes) * itemsize


def count_kept(shape: tuple[int, ...], chunk: tuple[int, ...], itemsize: int) -> int:
    """The bytes of the chunks that are kept: a row of them that is read in several steps."""
    row = count_row(shape, chunk, itemsize)
    return row if UNIT < row <= MOST_KEPT else 0


class Chunks:
    """The chunks of an open dataset."""

    def __init__(self, h5py: Any, dataset: Any) -> None:
        creation = dataset.get_create_plist()
        self._h5py, self._dataset = h5py, dataset
        self.chunk = tuple(creation.get_chunk())
        self._filters = list_filters(creation)
        self._grid = [-(-n // size) for n, size in zip(dataset.shape, self.chunk, strict=True)]
        self._itemsize = dataset.get_type().get_size()
        self._kind = find_kind(self._itemsize)
        self._nbytes = math.prod(self.chunk) * self._itemsize
        self._most = find_longest(self._nbytes) if self._filters else self._nbytes
        row = count_kept(dataset.shape, self.chunk, self._itemsize)
        self._most_kept = max(row // self._nbytes, 1)
        self._kept: dict[tuple[int, ...], Array] = {}  # by their places in the grid
        self._present: array[int] | None = None  # numbers of those in the file, sorted
        self._fill: Array | None = None

    def read_box(self, starts: tuple[int, ...], counts: tuple[int, ...], out: Array) -> None:
        """Fill the bytes of a box of elements."""
        box = out.view(self._kind).reshape(counts)
        ranges = zip(starts, counts, self.chunk, strict=True)
        places = [range(n // size, -(-(n + count) // size)) for n, count, size in ranges]
        ends = [tuple(numbers[end] for numbers in places) for end in (0, -1)]
        if not self._has_any(*ends):
            box[...] = self._find_fill(ends[0])
            return
        for place in itertools.product(*places):
            check_stop()
            into, within = [], []
            for n, start, count, size in zip(place, starts, counts, self.chunk, strict=True):
                first, last = max(n * size, start), min((n + 1) * size, start + count)
                into.append(slice(first - start, last - start))
                within.append(slice(first - n * size, last - n * size))
            chunk = self._find(place)
            box[tuple(into)] = self._find_fill(place) if chunk is None else chunk[tuple(within)]

    def _find(self, place: tuple[int, ...]) -> Array | None:
        """The elements of a chunk; None of one that the file does not have."""
        if place in self._kept:
            return self._kept[place]
        content = self._read(place)
        if content is None:
            return None
        made = content.view(self._kind).reshape(self.chunk)
        while len(self._kept) >= self._most_kept:
            del self._kept[next(iter(self._kept))]  # the oldest
        self._kept[place] = made
        return made

    def _read(self, place: tuple[int, ...]) -> Array | None:
        import numpy as np

        if not self._has_any(place, place):
            return None
        first = tuple(n * size for n, size in zip(place, self.chunk, strict=True))
        block = np.empty(self._most, np.uint8)
        # The one call that h5py makes without its lock: the library is not safe in two threads.
        with self._h5py._objects.phil:
            mask, stored = self._dataset.read_direct_chunk(first, out=block)
        return undo_filters(self._filters, mask, np.frombuffer(stored, np.uint8), self._nbytes)

    def _has_any(self, first: tuple[int, ...], last: tuple[int, ...]) -> bool:
        """Has the file a chunk from one place to another, in C order?"""
        if self._present is None:
            self._present = self._list_present()
        found = bisect_left(self._present, self._count(first))
        return found < len(self._present) and self._present[found] <= self._count(last)

    def _list_present(self) -> array[int]:
        """The numbers of the chunks that the file has, sorted; each is stored in a sound size.

        The library asks for room for one size and fills another where a chunk without filters is
        not of its size in the file.
        """
        numbers, odd = array("q"), array("q")
        left = self._h5py.h5i.get_file_id(self._dataset).get_filesize()

        def note(info: Any) -> None:
            nonlocal left
            left -= info.size
            if info.size > self._most or (not self._filters and info.size != self._nbytes):
                odd.append(info.size)
            pairs = zip(info.chunk_offset, self.chunk, strict=True)
            numbers.append(self._count(tuple(n // size for n, size in pairs)))

        self._dataset.chunk_iter(note)
        if odd:
            raise ValueError(f"a chunk of {self._nbytes:,} bytes is stored in {odd[0]:,}")
        if left < 0:  # each byte would be unpacked again and again
            raise ValueError("its chunks share bytes of the file")
        return array("q", sorted(numbers))

    def _count(self, place: tuple[int, ...]) -> int:
        """The number of a chunk in C order; -1 of one left over from a larger dataset."""
        number = 0
        for n, count in zip(place, self._grid, strict=True):
            if n >= count:
                return -1
            number = number * count + n
        return number

    def _find_fill(self, place: tuple[int, ...]) -> Array:
        """What stands for the elements of a chunk that the file does not have."""
        import numpy as np

        if self._fill is None:
            first = tuple(n * size for n, size in zip(place, self.chunk, strict=True))
            space, memory = self._dataset.get_space(), self._h5py.h5s.create_simple((1,))
            space.select_hyperslab(first, (1,) * len(first))
            fill = np.empty(self._itemsize, np.uint8)
            self._dataset.read(memory, space, fill, self._dataset.get_type())
            self._fill = fill.view(self._kind)
        return self._fill
