"""HDF5's global heaps, which hold its texts, checked before the library reads one.

The library (2.0 and older) loops for ever on a heap whose free space has no bytes, as in a damaged
file. No index says where the heaps are, so the file is searched for them: a small one whole, a
large one but for its values, within which a heap can lie in a hostile file alone.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

from xavinit.formats.files import LARGEST_TEXT, Readable, read_from

_MARK = b"GCOL\x01\0\0\0"  # signature, version, three reserved bytes
_HEADER = 16  # bytes of a heap's, and of an object's, where sizes have 8 bytes
SMALL = 64 << 20  # bytes of a file that is searched whole
SMALL_OBJECT = 1 << 20  # the same of an object in a store
_WINDOW = 1 << 20  # bytes searched at once


def check_heaps(
    file: Readable, size: int, values: Iterable[tuple[int, int]], *, small: int
) -> None:
    """Raise `ValueError` for a heap without an end; `values` are (offset, nbytes).

    A file of at most `small` bytes is searched whole.
    """
    place = checked = 0
    skipped = sorted(values) if size > small else []
    for offset, nbytes in [*skipped, (size, 0)]:
        for start in _find_marks(file, place, offset):
            checked += _check_heap(file, start, size)
            if checked > size:
                raise ValueError("its heaps of texts overlap")
        place = max(place, offset + nbytes)


def _find_marks(file: Readable, start: int, stop: int) -> Iterator[int]:
    """Where the marks of heaps begin in [start, stop)."""
    while stop - start >= len(_MARK):
        window = read_from(file, start, min(_WINDOW, stop - start))
        found = window.find(_MARK)
        while found >= 0:
            yield start + found
            found = window.find(_MARK, found + 1)
        # The next window begins with bytes that may be the first part of a mark.
        start += max(len(window) - len(_MARK) + 1, 1)


def _check_heap(file: Readable, start: int, size: int) -> int:
    """Check a heap; return its size in bytes."""
    if size - start < _HEADER:
        raise ValueError("a heap of texts is cut short")
    nbytes = int.from_bytes(read_from(file, start + 8, 8), "little")
    if nbytes > min(size - start, LARGEST_TEXT):
        raise ValueError("a heap of texts is cut short")
    heap = memoryview(read_from(file, start, nbytes))
    place = _HEADER
    while place + _HEADER <= nbytes:
        index, _, _, used = struct.unpack_from("<HHIQ", heap, place)
        step = _HEADER + used + -used % 8 if index else used  # index 0 is the free space
        if step == 0:
            raise ValueError("a heap of texts has no end")
        place += step
    return nbytes
