"""A run in any order: each thread takes the next task as soon as it is free."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Generic

from xavinit.crew.tasks import TaskT
from xavinit.crew.threads import Threads
from xavinit.stopping import StoppedError


class AnyOrder(Generic[TaskT]):
    """Threads that take tasks from one iterator until it ends or one of them fails."""

    def __init__(self, tasks: Iterable[TaskT]) -> None:
        self._tasks = iter(tasks)
        self._lock = threading.Lock()
        self._taking = threading.Lock()  # one thread at a time takes a task
        self._threads = Threads()
        self._working = 0
        self._done = 0
        self._stopped = False
        self.failure: BaseException | None = None  # the first one
        self.ended = threading.Event()

    def start(self, act: Callable[[TaskT], object]) -> None:
        """Start a thread that does this with each task that it takes."""
        with self._lock:
            self._working += 1
        try:
            self._threads.start(lambda: self._work(act))
        except BaseException:
            with self._lock:
                self._working -= 1
            raise

    def stop(self) -> None:
        """End every thread before returning, whatever interrupts: they hold what is open."""
        with self._lock:
            self._stopped = True
        self._threads.stop()
        self._threads.join()

    def take_done(self) -> int:
        """The bytes done since the last call."""
        with self._lock:
            done, self._done = self._done, 0
        return done

    def _next(self) -> TaskT | None:
        """The next task. Making it may take long; meanwhile the calling thread hears a signal."""
        with self._taking:
            with self._lock:
                if self._stopped:
                    return None
            return next(self._tasks, None)

    def _work(self, act: Callable[[TaskT], object]) -> None:
        try:
            while (task := self._next()) is not None:
                act(task)
                with self._lock:
                    self._done += task.nbytes
        except StoppedError:
            raise
        except BaseException as error:
            with self._lock:
                self.failure = self.failure or error
                self._stopped = True
            self._threads.stop()
        finally:
            with self._lock:
                self._working -= 1
                if self._working == 0:
                    self.ended.set()
