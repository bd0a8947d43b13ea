"""Objects that are sent to a store while their bytes come, in parts, with no file on a disk.

An object is there when all of its parts are, whole, or never: whatever fails or interrupts, what
was begun and not finished is aborted.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from functools import partial

from xavinit.crew import Behind, Buffer
from xavinit.output.aborts import PATIENCE, abort_all, tell_left
from xavinit.output.sending import count_senders, find_part_size, is_small
from xavinit.signals import hold_signals
from xavinit.stores import Store, Upload
from xavinit.wording import explain_os_error


class Uploads:
    """Objects sent one after another, each begun, written and ended by the calling thread.

    Up to eight threads send their parts meanwhile. At the end of the block all objects are there;
    after an exception those that were not complete never will be.

    A new object whose name is taken is a `FileExistsError`; or, with `leave_existing`, it is left
    as it is, and its key is in `existing`.
    """

    def __init__(self, store: Store, largest: int, *, leave_existing: bool = False) -> None:
        self.existing: set[str] = set()
        self._leave_existing = leave_existing
        self._store = store
        self._behind = Behind(count_senders(find_part_size(largest)))
        self._open: set[_Object] = set()  # uploads that are neither complete nor aborted
        self._lock = threading.Lock()
        self._object: _Object | None = None  # which is being written

    def __enter__(self) -> Uploads:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: object
    ) -> None:
        try:
            if error is None:
                self._behind.wait()
        except BaseException as other:
            self._undo(other)
            raise
        self._undo(error)

    def begin(self, key: str, nbytes: int, *, is_new: bool) -> None:
        """Begin an object of so many bytes; if `is_new`, it must not replace another."""
        self._object = _Object(key, nbytes, is_new)

    def write(self, block: memoryview) -> None:
        """The next bytes of the object. Returns when they are held here or on their way."""
        current = self._object
        if current is None:
            raise ValueError("no object is begun")
        while block:
            if current.buffer is None:
                current.buffer = self._behind.take()
                current.filled = 0
            room = current.room
            content = current.buffer.take(room)
            count = min(len(block), room - current.filled)
            content[current.filled : current.filled + count] = block[:count]
            current.filled += count
            block = block[count:]
            if current.filled == room:
                self._hand(current)

    def end(self) -> None:
        """All bytes of the object were written; it is complete once its last part is sent."""
        current, self._object = self._object, None
        if current is None or current.left:
            raise ValueError("an object is not of its size")
        if not current.nbytes:
            current.buffer = self._behind.take()
            self._hand(current)

    def _hand(self, current: _Object) -> None:
        """Let a thread send the part that is full."""
        buffer, current.buffer = current.buffer, None
        if buffer is None:
            raise ValueError("no part is full")
        content = buffer.take(current.filled)
        if is_small(current.nbytes):
            act = partial(self._put, current, content)
        else:
            # Also of an object that is a single part: by `put` its library would copy it.
            if current.upload is None:
                self._start(current)
            current.number += 1
            act = partial(self._put_part, current, current.number, content)
        current.left -= current.filled
        self._behind.hand(buffer, act)

    def _start(self, current: _Object) -> None:
        current.upload = self._store.start_upload(current.key, is_new=current.is_new)
        with self._lock:
            self._open.add(current)

    def _put(self, current: _Object, content: memoryview) -> None:
        with self._leaving(current.key):
            self._store.put(current.key, bytes(content), is_new=current.is_new)

    @contextlib.contextmanager
    def _leaving(self, key: str) -> Iterator[None]:
        """Note an object that is there already, where it is to be left."""
        try:
            yield
        except FileExistsError:
            if not self._leave_existing:
                raise
            with self._lock:
                self.existing.add(key)

    def _put_part(self, current: _Object, number: int, content: memoryview) -> None:
        upload = current.find_upload()
        with self._leaving(current.key):
            upload.put_part(number, content)
        with self._lock:
            current.unsent -= len(content)
            is_last = not current.unsent
        if is_last:
            with self._leaving(current.key):
                if current.key not in self.existing:
                    upload.complete()
            if current.key in self.existing:
                with contextlib.suppress(OSError):  # then it is tried again at the end
                    upload.abort(PATIENCE)
                    self._close(current)
            else:
                self._close(current)

    def _close(self, current: _Object) -> None:
        """Nothing of an upload is left in the store that must be aborted."""
        with self._lock:
            self._open.discard(current)

    def _undo(self, error: BaseException | None) -> None:
        """End the threads and abort what is not complete; signals wait until that is done."""
        left: dict[str, OSError] = {}
        try:
            with hold_signals():
                self._behind.stop()  # before uploads are aborted: no part may come after that
                left = abort_all({one.key: one.find_upload() for one in self._open})
                self._open.clear()
        except BaseException as interrupt:
            if left:
                interrupt.add_note(tell_left(left))
            raise
        if not left or error is None:
            return  # all objects are there; what is left beside one costs storage alone
        if isinstance(error, OSError):
            raise OSError(f"{explain_os_error(error)}; {tell_left(left)}")
        error.add_note(tell_left(left))


class _Object:
    """An object that is being sent."""

    def __init__(self, key: str, nbytes: int, is_new: bool) -> None:
        self.key = key
        self.nbytes = nbytes
        self.is_new = is_new
        self.part_size = find_part_size(nbytes)
        self.left = nbytes  # bytes that were not handed over yet
        self.unsent = nbytes  # bytes that have not arrived
        self.number = 0  # of the last part that was handed over
        self.buffer: Buffer | None = None
        self.filled = 0  # bytes in the buffer
        self.upload: Upload | None = None

    @property
    def room(self) -> int:
        """The bytes of the part that is being filled."""
        return min(self.part_size, self.left)

    def find_upload(self) -> Upload:
        if self.upload is None:
            raise ValueError("no upload is begun")
        return self.upload
