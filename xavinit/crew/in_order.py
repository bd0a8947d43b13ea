"""A run in order: threads work ahead, and one consumer takes the results as the tasks come."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Generic

from xavinit.crew.tasks import Buffer, Result, TaskT
from xavinit.crew.threads import Together


class InOrder(Generic[TaskT, Result]):
    """A ring of buffers: threads fill it ahead, the consumer empties it in the tasks' order."""

    def __init__(self, tasks: Iterable[TaskT], slots: int) -> None:
        self._tasks = enumerate(tasks)
        self._buffers = [Buffer() for _ in range(slots)]
        self._ready: dict[int, tuple[TaskT, Result]] = {}  # by the number of the task
        self._taken = 0  # tasks handed to threads
        self._consumed = 0
        self._exhausted = False
        self._threads = Together()
        self._changed = self._threads.changed
        self._taking = threading.Lock()  # one thread at a time takes a task

    def start(self, act: Callable[[Buffer, TaskT], Result]) -> None:
        """Start a thread that makes a result of each task that it takes."""
        self._threads.start(lambda: self._work(act))

    def stop(self) -> None:
        """End every thread before returning, whatever interrupts: they hold what is open."""
        self._threads.stop()

    def results(self) -> Iterator[tuple[TaskT, Result]]:
        """Each task with its result, which is good until the next one is asked for."""
        for number in itertools.count():
            with self._changed:
                self._threads.wait_until(
                    lambda number=number: (  # type: ignore[misc]  # bound now, not at the call
                        number in self._ready or (self._exhausted and number >= self._taken)
                    )
                )
                if number not in self._ready:
                    return
                entry = self._ready.pop(number)
            yield entry
            with self._changed:
                self._consumed += 1
                self._changed.notify_all()

    def _next(self) -> tuple[int, TaskT] | None:
        """The next task, once its slot is free.

        Making it may take long. Meanwhile the calling thread is free to hear a signal.
        """
        with self._taking:
            with self._changed:
                self._changed.wait_for(
                    lambda: (
                        self._threads.is_stopped
                        or self._taken - self._consumed < len(self._buffers)
                    )
                )
                if self._threads.is_stopped:
                    return None
            entry = next(self._tasks, None)
            with self._changed:
                if entry is None:
                    self._exhausted = True
                    self._changed.notify_all()
                else:
                    self._taken += 1
            return entry

    def _work(self, act: Callable[[Buffer, TaskT], Result]) -> None:
        while (entry := self._next()) is not None:
            number, task = entry
            result = act(self._buffers[number % len(self._buffers)], task)
            with self._changed:
                self._ready[number] = task, result
                self._changed.notify_all()
