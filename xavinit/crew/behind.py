"""Threads that carry out what they are handed, each with a buffer, behind the calling thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from xavinit.crew.tasks import Buffer
from xavinit.crew.threads import Together


class Behind:
    """`jobs` threads, and a buffer more than there are threads.

    The calling thread takes a buffer, fills it and hands it over with what is to be done; the
    buffer is free again when that is done. The first failure ends the rest, and is raised where
    the calling thread takes a buffer or waits.
    """

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self._free = [Buffer() for _ in range(jobs + 1)]
        self._handed: deque[tuple[Buffer, Callable[[], None]]] = deque()
        self._started = 0
        self._idle = 0
        self._working = 0
        self._threads = Together()
        self._changed = self._threads.changed

    def take(self) -> Buffer:
        """A buffer that is free; wait until there is one."""
        with self._changed:
            self._threads.wait_until(lambda: self._free)
            return self._free.pop()

    def hand(self, buffer: Buffer, act: Callable[[], None]) -> None:
        """Have this done by a thread, which then gives the buffer back."""
        with self._changed:
            self._handed.append((buffer, act))
            must_start = len(self._handed) > self._idle and self._started < self._jobs
            self._started += must_start
            self._changed.notify_all()
        if must_start:
            self._threads.start(self._work)

    def wait(self) -> None:
        """Return when all that was handed over is done."""
        with self._changed:
            self._threads.wait_until(lambda: not (self._handed or self._working))

    def stop(self) -> None:
        """End every thread before returning, whatever interrupts; what has not begun never does."""
        self._threads.stop()

    def _next(self) -> tuple[Buffer, Callable[[], None]] | None:
        with self._changed:
            self._idle += 1
            self._changed.wait_for(lambda: self._threads.is_stopped or self._handed)
            self._idle -= 1
            if self._threads.is_stopped:
                return None
            self._working += 1
            return self._handed.popleft()

    def _work(self) -> None:
        while (entry := self._next()) is not None:
            buffer, act = entry
            act()
            with self._changed:
                self._working -= 1
                self._free.append(buffer)
                self._changed.notify_all()
