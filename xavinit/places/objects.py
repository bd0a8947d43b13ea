"""What stands under the URL of a store: an object, or a prefix that objects have.

What is wrong is an `UnreadableError` that names the URL.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from xavinit.errors import UnreadableError
from xavinit.stores import Found, RemoteFile, open_store, parse_url
from xavinit.wording import explain_os_error

if TYPE_CHECKING:
    from typing_extensions import Buffer


class ObjectFile(RemoteFile):
    """An object that is read; what goes wrong names its URL."""

    def __init__(self, path: str, version: Found) -> None:
        url = parse_url(path)
        self._path = path
        self.version = version
        super().__init__(open_store(url), url.key, version)

    def readinto(self, buffer: Buffer) -> int:
        with _naming(self._path):
            return super().readinto(buffer)


def open_file(path: str) -> ObjectFile:
    found = _find(path)
    if found is None:
        raise _explain_missing(path)
    return ObjectFile(path, found)


def open_again(path: str, version: Found | None) -> ObjectFile:
    return open_file(path) if version is None else ObjectFile(path, version)


def look(path: str) -> Literal["file", "folder"]:
    if _find(path) is not None:
        return "file"
    if _list(path):
        return "folder"
    raise _make_missing(path)


def lists(path: str) -> bool:
    return _find(path) is not None or bool(_list(path))


def list_folder(path: str) -> list[str]:
    names = [name.removesuffix("/") for name in _list(path)]
    if not names:
        raise _make_missing(path)
    return [name for name in names if name]  # an object that stands for the folder has none


def join(folder: str, name: str) -> str:
    return str(parse_url(folder).join(name))


def split(path: str) -> tuple[str, str]:
    return parse_url(path).split()


def find_title(path: str) -> str:
    url = parse_url(path)
    return url.key.rstrip("/").rpartition("/")[2] or url.bucket


def _find(path: str) -> Found | None:
    """The object of this name as it is now; None of a prefix."""
    url = parse_url(path)
    if not url.key or url.key.endswith("/"):  # also where an empty object stands for the folder
        return None
    with _naming(path):
        return open_store(url).find(url.key)


def _list(path: str) -> list[str]:
    url = parse_url(path).join("")
    with _naming(path):
        return open_store(url).list_names(url.key)


@contextlib.contextmanager
def _naming(path: str) -> Iterator[None]:
    """Name the object in what is wrong with it."""
    try:
        yield
    except OSError as error:
        raise UnreadableError(f"cannot read {path}: {explain_os_error(error)}") from error


def _make_missing(path: str) -> FileNotFoundError:
    is_prefix = path.endswith("/") or not parse_url(path).key
    return FileNotFoundError("no object has this prefix" if is_prefix else "no such object")


def _explain_missing(path: str) -> UnreadableError:
    """Why no object of this name can be opened."""
    if _list(path):
        return UnreadableError(f"cannot read {path}: it is the prefix of other objects")
    return UnreadableError(f"cannot read {path}: {_make_missing(path)}")
