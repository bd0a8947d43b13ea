"""How a thread learns that it is to stop: long steps ask between two short ones.

The crew says so to its own threads; nothing stops any other thread.
"""

from __future__ import annotations

import threading

_thread = threading.local()


class StoppedError(Exception):
    """The thread was told to stop. It ends a worker, and is told to nobody."""


def obey(stop: threading.Event) -> None:
    """This thread is to stop once the event is set."""
    _thread.stop = stop


def check_stop() -> None:
    """Raise `StoppedError` where this thread is to stop."""
    stop: threading.Event | None = getattr(_thread, "stop", None)
    if stop is not None and stop.is_set():
        raise StoppedError
