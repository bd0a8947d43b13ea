"""What stands under a path: files and folders of a disk, objects and prefixes of a store.

The one seam between them: whoever reads asks here, and need not know which it is. A prefix is the
folder of the objects under it. `os.path` has the same for a disk alone.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Literal, Protocol

from xavinit.errors import AddressError
from xavinit.inputs import read_whole as read_input
from xavinit.places import disk
from xavinit.stores import is_url

if TYPE_CHECKING:
    from xavinit.stores import Found

    Version = Found  # of an object: the size and the tag of one content

Kind = Literal["file", "folder", "pipe", "other"]  # other: a device, a socket


class _Room(Protocol):
    """What the modules of both kinds of places can do."""

    def open_file(self, path: str, /) -> io.RawIOBase: ...
    def open_again(self, path: str, version: Version | None, /) -> io.RawIOBase: ...
    def look(self, path: str, /) -> Kind: ...
    def lists(self, path: str, /) -> bool: ...
    def list_folder(self, path: str, /) -> list[str]: ...
    def join(self, folder: str, name: str, /) -> str: ...
    def split(self, path: str, /) -> tuple[str, str]: ...
    def find_title(self, path: str, /) -> str: ...


def _find_room(path: str) -> _Room:
    """The module that knows what the path names; that of objects is loaded for one alone."""
    if not is_url(path):
        return disk
    from xavinit.places import objects

    return objects


def open_file(path: str) -> io.RawIOBase:
    """Open a regular file or an object to read, as it is now; `InputError` where that fails."""
    return _find_room(path).open_file(path)


def open_again(path: str, version: Version | None) -> io.RawIOBase:
    """Open what was opened before, to read more of it.

    An object must still be of the `version` that `find_version` gave then, else reading raises
    `InputError`. Of a file of a disk nothing is known but its path: None.
    """
    return _find_room(path).open_again(path, version)


def find_version(file: io.RawIOBase) -> Version | None:
    """Which content of an object an open file reads; None of a file of a disk."""
    version: Version | None = getattr(file, "version", None)
    return version


def find_size(file: io.RawIOBase) -> int:
    """The bytes of an open file."""
    return file.seek(0, io.SEEK_END)


def read_whole(path: str, most: int) -> bytes:
    """All bytes of a file, an object or standard input (`-`); of more than `most`, one more.

    Raises `OSError` or, of an object, `InputError` where it cannot be read, and `ValueError` for a
    NUL in the path.
    """
    if is_url(path):
        with open_file(path) as file:
            return read_beginning(file, most + 1)
    return read_input(path, most)


def read_beginning(file: io.RawIOBase, most: int) -> bytes:
    """The first bytes of an open file, at most so many."""
    content = bytearray(min(find_size(file), most))
    view = memoryview(content)
    file.seek(0)
    while view and (count := file.readinto(view)):
        view = view[count:]
    return bytes(content[: len(content) - len(view)])


def look(path: str) -> Kind:
    """What a path names now; `OSError` or `InputError` where that cannot be told."""
    return _find_room(path).look(path)


def is_folder(path: str) -> bool:
    """Is it a folder that is there, or a prefix that an object has?"""
    return _is_kind(path, "folder")


def is_file(path: str) -> bool:
    """Is it a regular file that is there, or an object?"""
    return _is_kind(path, "file")


def _is_kind(path: str, kind: Kind) -> bool:
    try:
        return look(path) == kind
    except AddressError:
        raise
    except (OSError, ValueError):  # ValueError: a NUL
        return False


def exists(path: str) -> bool:
    """Is anything there?"""
    try:
        look(path)
    except AddressError:
        raise
    except (OSError, ValueError):
        return False
    return True


def lists(path: str) -> bool:
    """Is the name taken, if only by a link that leads nowhere?"""
    return _find_room(path).lists(path)


def list_folder(path: str) -> list[str]:
    """The names in a folder, or `OSError`; those of folders in it too."""
    return _find_room(path).list_folder(path)


def join(folder: str, name: str) -> str:
    """The path of what has a name in a folder."""
    return _find_room(folder).join(folder, name)


def split(path: str) -> tuple[str, str]:
    """The folder and the name of a path; either may be empty."""
    return _find_room(path).split(path)


def find_title(path: str) -> str:
    """What a file or folder is called, without the way to it."""
    return _find_room(path).find_title(path)


def find_local(path: str) -> str | None:
    """The path by which a library may open it itself; None of an object, which it cannot."""
    return None if is_url(path) else path
