"""A file on the disk beside its layout: the bytes that no tensor fills, and its length."""

from __future__ import annotations

import io
from collections.abc import Iterator

from msgspec import Struct

from xavinit.errors import InputError
from xavinit.formats.files import read_from
from xavinit.formats.layout import FileLayout
from xavinit.places import find_size, open_file
from xavinit.wording import explain_os_error

_STEP = 1 << 20  # bytes compared at once


class OddByte(Struct, frozen=True):
    """A byte that is not the layout's; None stands for the end of the file, or of the layout's."""

    offset: int
    expected: int | None
    got: int | None


def find_odd_byte(file: FileLayout, path: str) -> OddByte | None:
    """The first byte of a file, tensors apart, that is not the layout's; None where all are.

    Where the length is another, that is the end of the shorter one. `InputError` where the file
    cannot be read.
    """
    with open_file(path) as opened:
        return find_odd_byte_of(file, path, opened)


def find_odd_byte_of(file: FileLayout, path: str, opened: io.RawIOBase) -> OddByte | None:
    """The same of a file that is open."""
    try:
        size = find_size(opened)
        for offset, block in _list_blocks(file):
            found = read_from(opened, offset, max(min(len(block), size - offset), 0))
            if found != block:
                place = _find_first(block, found)
                got = found[place] if place < len(found) else None
                return OddByte(offset + place, block[place], got)
        if size > file.nbytes:
            return OddByte(file.nbytes, None, read_from(opened, file.nbytes, 1)[0])
        return OddByte(size, 0, None) if size < file.nbytes else None
    except (OSError, EOFError) as error:
        reason = explain_os_error(error) if isinstance(error, OSError) else "it was cut short"
        raise InputError(f"cannot read {path}: {reason}") from error


def _list_blocks(file: FileLayout) -> Iterator[tuple[int, memoryview]]:
    """All bytes before and between the tensors, a block at a time, each with its offset."""
    offset = 0
    for piece in file.pieces:
        for start in range(0, len(piece), _STEP):
            yield offset + start, memoryview(piece)[start : start + _STEP]
        offset += len(piece)
    for gap in file.find_gaps():
        for start in range(0, gap.nbytes, _STEP):
            yield gap.offset + start, memoryview(bytes(min(_STEP, gap.nbytes - start)))


def _find_first(expected: memoryview, got: bytearray) -> int:
    """The first place where two blocks differ; the end of the shorter one counts."""
    low, high = 0, len(expected)  # they are the same up to low, and not up to high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if got[:middle] == expected[:middle] else (low, middle)
    return low
