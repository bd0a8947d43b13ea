"""What a store can do: the protocol that every kind of store follows.

Errors are `OSError`, with the bare fact and no credentials: `FileNotFoundError` where there is no
such object, `FileExistsError` where a new one would replace another, `PermissionError` where the
store refuses, `TimeoutError` where it does not answer, and those of this module.
Every call may be made from any thread, tries again with back-off where that may help, and can be
interrupted while it waits.
"""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct


class NoBucketError(FileNotFoundError):
    """There is no such bucket."""

    def __init__(self) -> None:
        super().__init__("no such bucket")


class ChangedError(OSError):
    """An object is no longer what it was when it was looked at."""


class OvertakenError(OSError):
    """Another run has made the object, and with that the server has dropped the parts of ours."""


class NotOfferedError(OSError):
    """The server does not know a request, or something in it, and says so."""


class Found(Struct, frozen=True):
    """An object that is there: its size, and the tag that another content changes."""

    nbytes: int
    tag: str


def make_found(nbytes: int, tag: str) -> Found:
    """What a server tells of an object; `ValueError` where it cannot be."""
    if nbytes < 0 or not isinstance(tag, str) or not tag:
        raise ValueError("an object has a size and a tag")
    return Found(nbytes, tag)


class Upload(Protocol):
    """An object that is being sent in parts. It is not there before `complete`.

    Nothing is told to the store before the first part, so that nothing is begun that nobody knows.
    """

    def put_part(self, number: int, content: memoryview) -> None:
        """Send the part of a number, from 1; parts come from any threads, in any order.

        All but the last are of the same size. To gs:// a part waits for those before it, which
        other threads send: of one thread, they come in their order.
        """

    def complete(self) -> None:
        """Make the object of all parts."""

    def abort(self, seconds: float) -> None:
        """Let the store forget all parts; an error where it has not after so many seconds.

        No other thread may send a part any more.
        """


class Reader(Protocol):
    """A bucket that is read."""

    def find(self, key: str) -> Found | None:
        """What stands under a key; None where there is nothing."""

    def read(self, key: str, start: int, block: memoryview, tag: str) -> None:
        """Fill a block with an object's bytes from `start` on.

        `ChangedError` where its tag differs.
        """


class Store(Reader, Protocol):
    """One bucket."""

    def list_names(self, prefix: str) -> list[str]:
        """The rest of the keys that begin with a prefix, up to the next slash, sorted, each once.

        What goes on after a slash ends with it, as a folder's name.
        """

    def put(self, key: str, content: bytes, *, is_new: bool) -> None:
        """Make a small object in one request; if `is_new`, `FileExistsError` where it is there."""

    def start_upload(self, key: str, *, is_new: bool) -> Upload:
        """What sends a large object; if `is_new`, `FileExistsError` where it is there.

        That is raised by a part, or by the completion.
        """

    def delete(self, key: str) -> None:
        """Remove an object; nothing happens where there is none."""
