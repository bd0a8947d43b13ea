"""Steps that no signal may interrupt: signals are held back until they are done."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

_NUMBERS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


@contextlib.contextmanager
def hold_signals() -> Iterator[None]:
    """Within the block, a signal that Python would handle waits; it is raised at the end.

    Signals that are ignored, or left to the system, stay so. Only the main thread handles
    signals, so in any other there is nothing to hold.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    waiting: list[int] = []
    handlers: dict[int, Any] = {}

    def hold(number: int, _frame: FrameType | None) -> None:
        waiting.append(number)

    try:
        for number in _NUMBERS:
            handler = signal.getsignal(number)
            if callable(handler):
                handlers[number] = handler
                signal.signal(number, hold)
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if waiting:
            signal.raise_signal(waiting[0])
