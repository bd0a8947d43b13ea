"""Threads that are started together and never outlive what they work on."""

from __future__ import annotations

import threading
from collections.abc import Callable

from xavinit.errors import OutputError


class Threads:
    """The threads of one run."""

    def __init__(self) -> None:
        self._threads: list[threading.Thread] = []

    def start(self, work: Callable[[], None]) -> None:
        """Start one more; `OutputError` where the system gives no more."""
        thread = threading.Thread(target=work, daemon=True)
        self._threads.append(thread)
        try:
            thread.start()
        except RuntimeError as error:
            raise OutputError(f"cannot start {len(self._threads)} threads: {error}") from error

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
