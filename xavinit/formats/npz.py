"""`.npz`: NumPy's zip archive of arrays, `NAME.npy` for each, stored or deflated. Read alone."""

from __future__ import annotations

from xavinit.errors import InputError
from xavinit.formats.archives import Archive, Member, check_expanded
from xavinit.formats.deflated import MemberRange, read_member
from xavinit.formats.npy_headers import LONGEST_HEAD, MAGIC, find_source, parse_header
from xavinit.formats.stored import Index, Source, StoredTensor, index_tensors
from xavinit.wording import format_bytes, format_value

LARGEST_TURNED = 256 << 20  # bytes of a deflated array in Fortran order, which is held whole
_SUFFIX = ".npy"


def is_npz(archive: Archive) -> bool:
    """Does the archive hold an array by its name? NumPy itself gives each this suffix."""
    return any(name.endswith(_SUFFIX) for name in archive.members)


def read_index(archive: Archive) -> Index:
    """The arrays of an archive, by their names without `.npy`, as NumPy calls them.

    What is no array by its first bytes (NumPy gives it as bytes) is skipped and counted.
    """
    path = archive.path
    tensors: list[StoredTensor] = []
    for member in archive.members.values():
        head = read_member(archive, member, LONGEST_HEAD)
        if head.startswith(MAGIC):
            tensors.append(_read_member(archive, member, head))
    check_expanded(path, tensors, archive.nbytes)
    return index_tensors(
        path, tensors, {}, format="npz", skipped=len(archive.members) - len(tensors)
    )


def _read_member(archive: Archive, member: Member, head: bytearray) -> StoredTensor:
    path, version = archive.path, archive.version
    shown = f"{path}: member {format_value(member.name)}"
    header = parse_header(shown, head)
    if header.start + header.nbytes != member.nbytes:
        raise InputError(f"{shown} is cut short or too long for its shape")
    source: Source
    if member.is_deflated and header.is_fortran and header.nbytes > LARGEST_TURNED:
        raise InputError(
            f"{shown} is deflated and in Fortran order, and is held whole: it must be at most "
            f"{format_bytes(LARGEST_TURNED)}"
        )
    if member.is_deflated:
        source = MemberRange(path, member, find_source(path, header, version=version))
    else:
        source = find_source(path, header, member.offset, version)
    return StoredTensor(member.name.removesuffix(_SUFFIX), header.dtype, header.shape, source)
