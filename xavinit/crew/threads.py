"""Threads that are started together and never outlive what they work on."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable

from xavinit.errors import OutputError
from xavinit.stopping import StoppedError, obey

_HEAR_EVERY = 0.2  # seconds


def wait_until(changed: threading.Condition, is_so: Callable[[], object]) -> None:
    """Wait in the calling thread, and hear signals meanwhile.

    One that comes in the moment before a wait is handled only when the wait ends.
    """
    while not changed.wait_for(is_so, _HEAR_EVERY):
        pass


class Threads:
    """The threads of one run."""

    def __init__(self) -> None:
        self._threads: list[threading.Thread] = []
        self._stop = threading.Event()

    def start(self, work: Callable[[], None]) -> None:
        """Start one more; `OutputError` where the system gives no more."""
        thread = threading.Thread(target=lambda: self._run(work), daemon=True)
        self._threads.append(thread)
        try:
            thread.start()
        except RuntimeError as error:
            raise OutputError(f"cannot start {len(self._threads)} threads: {error}") from error

    def stop(self) -> None:
        """Tell all to end soon, also in the middle of a task."""
        self._stop.set()

    def _run(self, work: Callable[[], None]) -> None:
        obey(self._stop)
        with contextlib.suppress(StoppedError):
            work()

    def join(self) -> None:
        """Wait until all have ended; an interrupt meanwhile is raised after that."""
        interrupt: BaseException | None = None
        for thread in self._threads:
            while thread.is_alive():  # not so where it never started
                try:
                    thread.join()
                except BaseException as error:
                    interrupt = error
        if interrupt is not None:
            raise interrupt
