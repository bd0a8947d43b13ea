"""What the names of several objects in a store begin with: there several runs write one set."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeVar

from xavinit.crew import BLOCK, Advance, Behind
from xavinit.formats import FileLayout, Layout, State, judge_state
from xavinit.output.drawing import Drawing, count_bytes
from xavinit.output.in_order import write_in_order
from xavinit.output.objects import join_key, send_file
from xavinit.output.publish import refuse
from xavinit.output.uploads import Uploads
from xavinit.stores import (
    ChangedError,
    Found,
    NoBucketError,
    OvertakenError,
    RemoteFile,
    Store,
    open_store,
    parse_url,
)

T = TypeVar("T")

_MOST_TURNS = 20  # at an object that other runs put there and take away again
_MOST_READ = 1 << 30  # bytes of an object that is read whole
_LOOKERS = 8  # objects that are looked at at once; each waits for the network


class Prefix:
    """The objects whose names begin with a URL and a slash."""

    def __init__(self, path: str, layout: Layout, *, force: bool = False) -> None:
        self._url = parse_url(path)
        self._store = open_store(self._url)
        self._layout = layout
        self._force = force
        self._known: dict[str, tuple[str, State]] = {}  # what stood at a name, by its tag

    def name(self, name: str) -> str:
        return f"{self._url.scheme}://{self._url.bucket}/{self.key(name)}"

    def key(self, name: str) -> str:
        return join_key(self._url, name)

    def read(self, name: str) -> bytes:
        """All of a small object; nothing where there is none, or a larger one."""

        def read() -> bytes:
            found = self._store.find(self.key(name))
            if found is None or found.nbytes > _MOST_READ:
                return b""
            content = bytearray(found.nbytes)
            try:
                self._store.read(self.key(name), 0, memoryview(content), found.tag)
            except FileNotFoundError:  # it has gone just now
                return b""
            return bytes(content)

        return _look_again(read)

    def put(self, name: str, content: bytes, *, is_new: bool) -> None:
        """Make a small object; if `is_new`, `FileExistsError` where there is one."""
        self._store.put(self.key(name), content, is_new=is_new)

    def send(
        self,
        files: Sequence[FileLayout],
        drawing: Drawing,
        advance: Advance,
        *,
        is_new: bool,
    ) -> None:
        """Send files one after another; all are there at the end, each of them whole."""
        largest = max((file.nbytes for file in files), default=0)
        with Uploads(self._store, largest) as uploads:
            for file in files:
                key = self.key(file.name)
                send_file(uploads, key, file, drawing, advance, is_new=is_new)

    def send_new(
        self, files: Sequence[FileLayout], drawing: Drawing, advance: Advance, *, look: bool
    ) -> set[str]:
        """Send those of some files that are not there, and return the names of the others.

        Nothing is replaced, also not by a request that arrives late. `look` is for where some may
        be there: what is seen before is not sent.
        """
        present = set(self.list_names()) if look else set()
        largest = max((file.nbytes for file in files), default=0)
        with Uploads(self._store, largest, leave_existing=True) as uploads:
            for file in files:
                if file.name in present:
                    advance(count_bytes(file.regions))
                else:
                    key = self.key(file.name)
                    send_file(uploads, key, file, drawing, advance, is_new=True)
        others = present | {key.rpartition("/")[2] for key in uploads.existing}
        return {file.name for file in files} & others

    def holds(self, file: FileLayout, drawing: Drawing) -> bool:
        """Has the object at a file's name its bytes, which are drawn once more?"""
        key = self.key(file.name)
        found = self._store.find(key)
        if found is None or found.nbytes != file.nbytes:
            return False
        standing = RemoteFile(self._store, key, found)

        def compare(block: memoryview) -> None:
            if standing.read(len(block)) != block:
                raise _OtherBytesError

        try:
            write_in_order(file, drawing, compare, _ignore)
        except (_OtherBytesError, ChangedError):
            return False
        return True

    def prepare(self) -> None:
        """A store needs no folders."""

    def list_names(self) -> list[str]:
        """All names there, those of what would be folders with a slash."""
        return self._store.list_names(self.key(""))

    def list_set(self) -> list[str]:
        names = self._layout.set_names
        return [] if names is None else names.choose_set(self.list_names())

    def look(self, files: Sequence[FileLayout]) -> dict[str, State]:
        present = set(self.list_names()) if len(files) > 1 else {file.name for file in files}
        found: dict[str, State] = {file.name: "missing" for file in files}

        def look_at(file: FileLayout) -> None:
            found[file.name] = self._find_state(file)

        there = [file for file in files if file.name in present]
        if len(there) == 1:
            look_at(there[0])
            return found
        behind = Behind(_LOOKERS)
        try:
            for file in there:
                behind.hand(behind.take(), partial(look_at, file))
            behind.wait()
        finally:
            behind.stop()
        return found

    def publish(self, file: FileLayout, drawing: Drawing, advance: Advance) -> bool:
        for turn in range(_MOST_TURNS):
            state = self._find_state(file)
            if state == "whole":
                return False
            if state == "other" and not self._force:
                break
            is_new = state == "missing"
            try:
                self.send([file], drawing, advance if not turn else _ignore, is_new=is_new)
            except (FileExistsError, OvertakenError):  # another run came between
                continue
            return True
        raise refuse(self.name(file.name))

    def remove(self, names: Sequence[str]) -> None:
        for name in names:
            self._store.delete(self.key(name))

    @contextlib.contextmanager
    def mark(self) -> Iterator[str]:
        name = f".xavinit-{os.urandom(8).hex()}.tmp"
        try:
            self._store.put(self.key(name), b"", is_new=False)
            yield self.name(name)
        finally:
            self._store.delete(self.key(name))

    def _find_state(self, file: FileLayout) -> State:
        key = self.key(file.name)

        def look() -> State:
            found = self._store.find(key)
            if found is None:
                return "missing"
            tag, state = self._known.get(file.name, ("", "missing"))
            if tag == found.tag:
                return state
            try:
                state = judge_state(file, found.nbytes, _Head(self._store, key, found, file).fill)
            except NoBucketError:
                raise
            except FileNotFoundError:  # it has gone just now
                return "missing"
            self._known[file.name] = found.tag, state
            return state

        return _look_again(look)


def _look_again(look: Callable[[], T]) -> T:
    """What a look tells, which is made again where an object has changed meanwhile."""
    for _ in range(_MOST_TURNS - 1):
        with contextlib.suppress(ChangedError):
            return look()
    return look()


class _OtherBytesError(Exception):
    """An object has not the bytes of a file."""


def _ignore(_: int) -> None:
    """The progress of what is written again."""


class _Head:
    """The beginning of an object, of which the pieces of a usual head are one request."""

    def __init__(self, store: Store, key: str, found: Found, file: FileLayout) -> None:
        self._store = store
        self._key = key
        self._found = found
        self._nbytes = min(sum(map(len, file.pieces)), found.nbytes)
        self._start = 0
        self._held = b""

    def fill(self, start: int, block: memoryview) -> None:
        """Fill a block with bytes of the head, from an offset on; blocks come in order."""
        if start + len(block) > self._start + len(self._held):
            content = bytearray(min(self._nbytes - start, BLOCK))
            self._store.read(self._key, start, memoryview(content), self._found.tag)
            self._start, self._held = start, bytes(content)
        place = start - self._start
        block[:] = self._held[place : place + len(block)]
