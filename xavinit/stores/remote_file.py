"""An object as a file: range requests, with read-ahead where reads follow each other."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING

from xavinit.stores.store import Found, Reader

if TYPE_CHECKING:
    from typing_extensions import Buffer

FIRST_AHEAD = 64 << 10  # bytes of the first request: the headers of most files
MOST_AHEAD = 8 << 20  # bytes of one request that reads ahead
MOST_HELD = 8 << 20  # bytes kept of earlier requests: HDF5's library goes back and forth


class RemoteFile(io.RawIOBase):
    """An object, as it was when the file was opened; where it has changed, reading is an error.

    `found` is what it was when it was looked at; without it, it is looked at now, and
    `FileNotFoundError` raised where there is no such object. One thread may use it at a time.
    `nbytes` is the object's size.
    """

    def __init__(self, store: Reader, key: str, found: Found | None = None) -> None:
        super().__init__()
        found = found or store.find(key)
        if found is None:
            raise FileNotFoundError("no such object")
        self.nbytes = found.nbytes
        self._store = store
        self._key = key
        self._tag = found.tag
        self._place = 0
        self._held: list[tuple[int, memoryview]] = []  # pieces of the object; the newest is last
        self._end = 0  # of the last request
        self._ahead = FIRST_AHEAD

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        starts = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self.nbytes}
        place = starts[whence] + offset
        if place < 0:
            raise ValueError(f"a place in a file must not be negative; got {place}")
        self._place = place
        return place

    def readinto(self, buffer: Buffer) -> int:
        """Fill the buffer; fewer bytes only at the object's end."""
        block = memoryview(buffer).cast("B")
        block = block[: max(0, self.nbytes - self._place)]
        done = 0
        while done < len(block):
            count = self._take_held(block[done:])
            if not count:
                count = self._fetch(block[done:])
            done += count
        return done

    def _take_held(self, block: memoryview) -> int:
        """Copy what is here already of the bytes at the place, and go on behind them."""
        for start, held in reversed(self._held):
            content = held[max(0, self._place - start) :][: len(block)]
            if start <= self._place and content:
                block[: len(content)] = content
                self._place += len(content)
                return len(content)
        return 0

    def _fetch(self, block: memoryview) -> int:
        """Ask for the bytes at the place, and for more where they will be wanted."""
        ahead = self._ahead if self._place == self._end else FIRST_AHEAD
        self._ahead = min(2 * ahead, MOST_AHEAD)
        if len(block) >= ahead:  # no copy, and nothing to hold
            self._store.read(self._key, self._place, block, self._tag)
            self._place += len(block)
            self._end = self._place
            return len(block)
        held = memoryview(bytearray(min(ahead, self.nbytes - self._place)))
        self._store.read(self._key, self._place, held, self._tag)
        self._end = self._place + len(held)
        self._held.append((self._place, held))
        while len(self._held) > 1 and sum(len(piece) for _, piece in self._held) > MOST_HELD:
            del self._held[0]
        return self._take_held(block)
