"""Requests that the calling thread can leave while they wait: for Ctrl-C, or because a crew stops.

The libraries' calls end only with an answer, or after a time. So each runs in a thread of its own;
the caller looks again and again whether it is to stop.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from xavinit.stopping import check_stop

T = TypeVar("T")

_POLL = 0.1  # seconds between two looks


class _Request(Generic[T]):
    """A call on its way."""

    def __init__(self, call: Callable[[], T]) -> None:
        self.ended = threading.Event()
        self._call = call
        self._answer: list[T] = []
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            self._answer.append(self._call())
        except BaseException as error:  # which the caller gets
            self._error = error
        finally:
            self.ended.set()

    def take(self) -> T:
        """The answer of a call that has ended, or its error."""
        if self._error is not None:
            raise self._error
        return self._answer[0]


class Requests:
    """The requests that are made for one purpose, such as an upload."""

    def __init__(self) -> None:
        self._running: set[threading.Event] = set()

    def run(self, call: Callable[[], T], limit: float = math.inf) -> T:
        """The answer to a call; `TimeoutError` where it takes longer than so many seconds.

        Where the caller is interrupted, or waits no longer, the call goes on without it.
        """
        end = time.monotonic() + limit
        request = _Request(call)
        thread = threading.Thread(target=request.run, daemon=True)
        self._running.add(request.ended)  # before it runs, so that `join` knows of it
        try:
            thread.start()
        except RuntimeError as error:
            self._running.discard(request.ended)
            raise OSError(f"cannot start a thread for a request: {error}") from error
        while not request.ended.wait(_POLL):
            check_stop()
            if time.monotonic() > end:
                raise TimeoutError("the store does not answer")
        self._running.discard(request.ended)
        return request.take()

    def join(self, seconds: float) -> bool:
        """Wait for calls whose callers were interrupted, at most so long; have all ended?"""
        end = time.monotonic() + seconds
        return all(ended.wait(max(0.0, end - time.monotonic())) for ended in tuple(self._running))


def pause(seconds: float) -> None:
    """Do nothing for a while, unless this thread is to stop."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        check_stop()
        time.sleep(min(left, _POLL))
