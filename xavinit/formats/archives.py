"""Zip archives, as .npz, .keras and PyTorch's files are: where each member's bytes lie.

The standard library reads the directory at the end. Its word is not taken: each member must begin
with its own header, lie within the file, and overlap no other.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable
from typing import TYPE_CHECKING

from msgspec import Struct

from xavinit.errors import InputError, UnreadableError
from xavinit.formats.files import explain_error, read_from
from xavinit.formats.stored import StoredTensor
from xavinit.formats.strided import StridedRange
from xavinit.places import find_size, find_version, open_file
from xavinit.wording import format_bytes, format_value

if TYPE_CHECKING:
    from xavinit.places import Version

LARGEST_DIRECTORY = 32 << 20  # bytes; the library reads it whole
MOST_MEMBERS = 200_000  # of an archive; the library makes an object of each

# What deflate and views that repeat elements may make of an archive: so many times its bytes, or
# so many bytes. Weights that were trained hardly shrink; zeros do, a thousand times.
MOST_EXPANDED = 200
ALWAYS_EXPANDED = 1 << 30

_HEADER = 30  # bytes of a member's own header, before its name
_MARK = b"PK\x03\x04"
_IS_ENCRYPTED = 1  # a bit of the flags


class Member(Struct, frozen=True):
    """A member of an archive: its bytes begin at `offset`, `packed` of them, stored or deflated."""

    name: str
    offset: int
    packed: int
    nbytes: int  # as the directory says; reading checks it
    crc: int
    is_deflated: bool


class Archive(Struct, frozen=True):
    """The members of an archive by their names, and the bytes of the file.

    Of an object, also which content it is (`StoredTensor.source`).
    """

    path: str
    members: dict[str, Member]
    nbytes: int
    version: Version | None = None


def read_archive(path: str) -> Archive:
    """The members of an archive; `InputError` where it is damaged or encrypted."""
    with open_file(path) as file:
        size, version = find_size(file), find_version(file)
        try:
            with zipfile.ZipFile(_BoundedFile(file, size)) as archive:
                infos = archive.infolist()
            members = [_find_member(file, size, info) for info in infos if not info.is_dir()]
            _check_apart(members)
        except EOFError:
            raise InputError(f"{path} is not a sound zip archive: it is cut short") from None
        except (OSError, UnreadableError):
            raise
        except Exception as error:  # damaged ones also raise struct.error, UnicodeError and more
            raise InputError(
                f"{path} is not a sound zip archive: {explain_error(error)}"
            ) from error
    return Archive(path, {member.name: member for member in members}, size, version)


def check_expanded(path: str, tensors: Iterable[StoredTensor], size: int) -> None:
    """Refuse tensors that would make far more than the bytes of the archive that holds them.

    A view counts with what is read for it, if that is more: where its elements lie far apart, a
    page of the file for each.
    """
    most = max(MOST_EXPANDED * size, ALWAYS_EXPANDED)
    expanded = 0
    for tensor in tensors:
        source = tensor.source
        read = source.count_read(tensor) if isinstance(source, StridedRange) else 0
        expanded += max(tensor.nbytes, read)
        if expanded > most:
            raise InputError(
                f"{path}: tensor {format_value(tensor.name)} is refused: its tensors would make "
                f"over {MOST_EXPANDED} times the {format_bytes(size)} of the file"
            )


class _BoundedFile:
    """A file for the library, which would take the directory's word for how much to read."""

    def __init__(self, file: io.RawIOBase, size: int) -> None:
        self._file, self._size = file, size
        self.seek, self.tell = file.seek, file.tell

    def seekable(self) -> bool:
        return True

    def read(self, nbytes: int = -1) -> bytes:
        left = max(self._size - self.tell(), 0)
        count = min(nbytes, left) if nbytes >= 0 else left
        if count > LARGEST_DIRECTORY:
            raise ValueError(f"its directory must be at most {format_bytes(LARGEST_DIRECTORY)}")
        content = self._file.read(count) or b""
        if content.count(b"PK\x01\x02") > MOST_MEMBERS:
            raise ValueError(f"it must hold at most {MOST_MEMBERS:,} members")
        return content


def _find_member(file: io.RawIOBase, size: int, info: zipfile.ZipInfo) -> Member:
    shown = f"member {format_value(info.filename)}"
    if info.flag_bits & _IS_ENCRYPTED:
        raise ValueError(f"{shown} is encrypted")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(
            f"{shown} is compressed by method {info.compress_type}; only deflate is read"
        )
    is_deflated = info.compress_type == zipfile.ZIP_DEFLATED
    if not 0 <= info.header_offset <= size - _HEADER:
        raise EOFError
    header = read_from(file, info.header_offset, _HEADER)
    if not header.startswith(_MARK):
        raise ValueError(f"{shown} does not begin with a header")
    lengths = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
    offset = info.header_offset + _HEADER + lengths
    if offset + info.compress_size > size:
        raise EOFError
    if not is_deflated and info.compress_size != info.file_size:
        raise ValueError(f"{shown} is stored, but of two sizes")
    return Member(info.filename, offset, info.compress_size, info.file_size, info.CRC, is_deflated)


def _check_apart(members: list[Member]) -> None:
    """No two members have one name, or share bytes: those could unpack to far more than all."""
    names: set[str] = set()
    for member in members:
        if member.name in names:
            raise ValueError(f"it holds two members {format_value(member.name)}")
        names.add(member.name)
    end = 0
    for member in sorted(members, key=lambda member: (member.offset, member.packed)):
        if member.offset - _HEADER < end:
            raise ValueError(f"member {format_value(member.name)} overlaps another")
        end = member.offset + member.packed
