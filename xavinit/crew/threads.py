"""Threads that are started together and never outlive what they work on."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable

from xavinit.errors import OutputError
from xavinit.stopping import StoppedError, obey

_HEAR_EVERY = 0.2  # seconds


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


class Together:
    """Threads that share a state. The first failure ends the rest, and is raised where one waits.

    Whoever looks at the state or changes it holds `changed`, and notifies it of changes.
    """

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.is_stopped = False
        self._threads = Threads()
        self._failure: BaseException | None = None  # the first one

    def start(self, work: Callable[[], None]) -> None:
        """Start one more thread."""
        self._threads.start(lambda: self._run(work))

    def wait_until(self, is_so: Callable[[], object]) -> None:
        """Wait in the calling thread, which holds `changed`, and hear signals meanwhile.

        One that comes in the moment before a wait is handled only when the wait ends.
        """
        while not self.changed.wait_for(lambda: self._failure or is_so(), _HEAR_EVERY):
            pass
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """End every thread before returning, whatever interrupts: they hold what is open."""
        with self.changed:
            self.is_stopped = True
            self.changed.notify_all()
        self._threads.stop()
        self._threads.join()

    def _run(self, work: Callable[[], None]) -> None:
        try:
            work()
        except StoppedError:
            raise
        except BaseException as error:
            self._threads.stop()
            with self.changed:
                self._failure = self._failure or error
                self.is_stopped = True
                self.changed.notify_all()
