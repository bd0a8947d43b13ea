"""Members of a zip archive, read: as they are stored, or inflated while they are read.

A deflated member can be read in order alone. To go back is to begin again; no more than a window
of it is ever in memory. Only one in another order than C, which would begin again for each few
rows, is held whole (`npz.py` limits it).
"""

from __future__ import annotations

import io
import os
import zlib
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from xavinit.errors import InputError
from xavinit.formats.archives import Archive, Member
from xavinit.formats.files import fill_from, read_from
from xavinit.formats.stored import PlainRange, StoredTensor
from xavinit.formats.strided import StridedRange
from xavinit.places import open_again
from xavinit.stopping import check_stop
from xavinit.wording import format_bytes, format_value

if TYPE_CHECKING:
    from xavinit.places import Version

_BLOCK = 1 << 18  # bytes inflated, or read, at once


class MemberRange(Struct, frozen=True):
    """Elements that lie within a deflated member, as `range` says where it is inflated."""

    path: str
    member: Member
    range: PlainRange | StridedRange

    @property
    def version(self) -> Version | None:
        return self.range.version

    def open(self) -> _OpenedArchive:
        return _OpenedArchive(self.path, self.version)

    def fill(
        self, opened: _OpenedArchive, tensor: StoredTensor, start: int, stop: int, block: memoryview
    ) -> None:
        if isinstance(self.range, StridedRange):
            whole = opened.find_whole(self.member)
            self.range.fill_from_memory(whole, tensor, start, stop, block)
        else:
            self.range.fill(opened.find_member(self.member), tensor, start, stop, block)

    def find_unit(self, tensor: StoredTensor) -> int:
        return self.range.find_unit(tensor)

    def count_memory(self, tensor: StoredTensor) -> int:
        held = self.member.nbytes if isinstance(self.range, StridedRange) else 0
        return self.range.count_memory(tensor) + held + 3 * _BLOCK


class WindowFile(io.RawIOBase):
    """A part of an open file, as a file of its own."""

    def __init__(self, file: io.RawIOBase, offset: int, nbytes: int) -> None:
        super().__init__()
        self._file, self._offset, self._nbytes = file, offset, nbytes
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._nbytes}[whence]
        self._place = max(base + offset, 0)
        return self._place

    def readinto(self, block: Any, /) -> int:
        """Fill a block as far as the window goes; `EOFError` where the file is shorter than it."""
        view = memoryview(block).cast("B")
        view = view[: max(self._nbytes - self._place, 0)]
        fill_from(self._file, self._offset + self._place, view)
        self._place += len(view)
        return len(view)

    def close(self) -> None:
        self._file.close()
        super().close()


class InflatedFile:
    """A deflated member as a file: read in order, from its beginning again to go back.

    Raises `InputError` where it is not what the archive's directory says, `EOFError` where it ends
    too soon.
    """

    def __init__(self, path: str, file: io.RawIOBase, member: Member) -> None:
        self._path, self._file, self._member = path, file, member
        self._restart()

    def _restart(self) -> None:
        self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        self._taken = 0  # bytes of the archive
        self._place = 0  # bytes inflated
        self._crc = 0
        self._left = b""  # taken and not inflated yet
        self._ready = memoryview(b"")  # inflated and not read yet

    def seek(self, offset: int) -> int:
        if offset < self._place - len(self._ready):
            self._restart()
        while (ahead := offset - (self._place - len(self._ready))) > 0:
            if not self._ready:
                self._inflate()
            self._ready = self._ready[ahead:]
        return offset

    def readinto(self, block: memoryview) -> int:
        if not self._ready and self._place < self._member.nbytes:
            self._inflate()
        count = min(len(block), len(self._ready))
        block[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count

    def _inflate(self) -> None:
        """Inflate the next bytes, at least one, and check them."""
        check_stop()
        content = self._inflate_some(_BLOCK)
        if not content:
            raise EOFError
        self._place += len(content)
        self._crc = zlib.crc32(content, self._crc)
        if self._place >= self._member.nbytes:
            if self._place > self._member.nbytes or self._inflate_some(1):
                raise self._explain("it is longer than the archive's directory says")
            if self._crc != self._member.crc:
                raise self._explain("its checksum is wrong")
        self._ready = memoryview(content)

    def _inflate_some(self, most: int) -> bytes:
        """The next bytes, at most so many; none at the end."""
        try:
            while not self._inflater.eof:
                if not self._left:
                    count = min(self._member.packed - self._taken, _BLOCK)
                    if count == 0:
                        return self._inflater.flush()  # what is left: fewer bytes than one match
                    place = self._member.offset + self._taken
                    self._left = bytes(read_from(self._file, place, count))
                    self._taken += count
                content = self._inflater.decompress(self._left, most)
                self._left = self._inflater.unconsumed_tail
                if content:
                    return content
        except zlib.error as error:
            raise self._explain(str(error)) from error
        return b""

    def _explain(self, fact: str) -> InputError:
        shown = format_value(self._member.name)
        return InputError(f"{self._path} is corrupt at member {shown}: {fact}")


class _OpenedArchive:
    """An archive that deflated members are read from, one after another."""

    def __init__(self, path: str, version: Version | None) -> None:
        self._path = path
        self._file = open_again(path, version)
        self._member: Member | None = None
        self._inflated: InflatedFile | None = None
        self._whole: tuple[Member, bytearray] | None = None  # the one held last

    def close(self) -> None:
        self._file.close()

    def find_member(self, member: Member) -> InflatedFile:
        if self._inflated is None or member != self._member:
            self._member = member
            self._inflated = InflatedFile(self._path, self._file, member)
        return self._inflated

    def find_whole(self, member: Member) -> bytearray:
        if self._whole is None or member != self._whole[0]:
            self._whole = None
            file = InflatedFile(self._path, self._file, member)
            self._whole = member, read_from(file, 0, member.nbytes)
        return self._whole[1]


def read_member(archive: Archive, member: Member, most: int) -> bytearray:
    """The first bytes of a member, at most so many."""
    count, path = min(member.nbytes, most), archive.path
    with open_again(path, archive.version) as file:
        try:
            if not member.is_deflated:
                return read_from(file, member.offset, count)
            return read_from(InflatedFile(path, file, member), 0, count)
        except EOFError:
            raise InputError(f"{path} is cut short at member {format_value(member.name)}") from None


def read_whole_member(archive: Archive, member: Member, most: int) -> bytearray:
    """All bytes of a member; `InputError` where they are more than may be."""
    if member.nbytes > most:
        raise InputError(
            f"{archive.path}: member {format_value(member.name)} must be at most "
            f"{format_bytes(most)}"
        )
    return read_member(archive, member, most)
