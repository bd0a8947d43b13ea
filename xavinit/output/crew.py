"""Worker threads that draw tensors block by block. The engine behind every kind of output."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Iterable, Iterator

from xavinit.errors import OutputError, UsageError
from xavinit.output.tasks import BLOCK, Piece, Task, fill_task, split_tensor
from xavinit.plan import TensorPlan
from xavinit.streams import Fill, Stream

_SMALL = 4 << 20  # less than this is not worth starting threads for
# Without being asked for more. NumPy's kernel scales no further, and each has 6 MB of work arrays.
MOST_JOBS = 8
SLOTS = 2  # blocks for each worker ahead of a pipe
_TICK = 0.1  # seconds between two reports of progress

# Told from the calling thread, about ten times a second: bytes done since the last call.
Advance = Callable[[int], None]


class _Buffer:
    """Memory that is used again and again, as large as its largest use."""

    def __init__(self) -> None:
        self._bytes = memoryview(bytearray(BLOCK))

    def take(self, nbytes: int) -> memoryview:
        if nbytes > len(self._bytes):
            self._bytes = memoryview(bytearray(nbytes))
        return self._bytes[:nbytes]


class Worker:
    """What one thread owns: a drawing function and a buffer."""

    def __init__(self, fill: Fill) -> None:
        self.fill = fill
        self._buffer = _Buffer()

    def draw(self, task: Task) -> memoryview:
        """The bytes of a task, good until the next call."""
        block = self._buffer.take(task.nbytes)
        fill_task(self.fill, block, task)
        return block


Action = Callable[[Worker, Task], None]


class Crew:
    """As many workers as there are threads, kept from one run to the next."""

    def __init__(self, stream: Stream, jobs: int | None = None) -> None:
        if jobs is not None and (not isinstance(jobs, int) or jobs < 1):
            raise UsageError(f"jobs must be an integer of at least 1; got {jobs}")
        self.jobs = jobs or min(count_cores(), MOST_JOBS)
        self._stream = stream
        self._workers: list[Worker] = []

    def split(self, tensor: TensorPlan, buffers: int) -> Iterator[Piece]:
        """A tensor in pieces, of which so many buffers of each worker are in memory at a time."""
        return split_tensor(tensor, self._stream.viewed // max(buffers * self.jobs, 2))

    def _find_worker(self, index: int) -> Worker:
        while len(self._workers) <= index:
            self._workers.append(Worker(self._stream.make_fill()))
        return self._workers[index]

    def run(self, tasks: Iterable[Task], total: int, action: Action, advance: Advance) -> None:
        """Carry out all tasks, in any order; the first failure ends the rest and is raised.

        `total` is the bytes of all tasks.
        """
        jobs = self._count_jobs(total)
        if jobs == 1:
            worker = self._find_worker(0)
            for task in tasks:
                action(worker, task)
                advance(task.nbytes)
            return
        run = _Run(tasks, action)
        try:
            for index in range(jobs):
                run.start(self._find_worker(index))
            while not run.ended.wait(_TICK):
                advance(run.take_done())
        finally:  # also where a signal has raised here: no worker may outlive the output
            run.stop()
        if run.failure is not None:
            raise run.failure
        advance(run.take_done())

    def _count_jobs(self, total: int) -> int:
        """How many workers so many bytes are worth: each a block at least, a small output one."""
        return 1 if total < _SMALL else min(self.jobs, total // BLOCK)

    def run_in_order(
        self,
        tasks: Iterable[Task],
        total: int,
        write: Callable[[memoryview], None],
        advance: Advance,
    ) -> None:
        """Draw with all workers and write from the calling thread, in the order of the tasks.

        The writing stays in the calling thread so that a signal ends it even while a pipe is full.
        """
        if total < _SMALL:
            worker = self._find_worker(0)
            for task in tasks:
                write(worker.draw(task))
                advance(task.nbytes)
            return
        jobs = self._count_jobs(total)
        queue = _Queue(tasks, slots=SLOTS * jobs)
        try:
            for _ in range(jobs):
                queue.start(self._stream.make_fill())
            for block in queue.blocks():
                write(block)
                advance(len(block))
        finally:
            queue.stop()


class _Run:
    """Threads that take tasks from one iterator until it ends or one of them fails."""

    def __init__(self, tasks: Iterable[Task], action: Action) -> None:
        self._tasks = iter(tasks)
        self._action = action
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._working = 0
        self._done = 0
        self._stopped = False
        self.failure: BaseException | None = None
        self.ended = threading.Event()

    def start(self, worker: Worker) -> None:
        thread = threading.Thread(target=self._work, args=(worker,), daemon=True)
        self._threads.append(thread)
        with self._lock:
            self._working += 1
        try:
            thread.start()
        except RuntimeError as error:  # the system gives no more threads
            with self._lock:
                self._working -= 1
            raise OutputError(f"cannot start {len(self._threads)} threads: {error}") from error

    def stop(self) -> None:
        """End every worker before returning, whatever interrupts: they hold an open file."""
        with self._lock:
            self._stopped = True
        join_all(self._threads)

    def take_done(self) -> int:
        with self._lock:
            done, self._done = self._done, 0
        return done

    def _next(self) -> Task | None:
        with self._lock:
            return None if self._stopped else next(self._tasks, None)

    def _work(self, worker: Worker) -> None:
        try:
            while (task := self._next()) is not None:
                self._action(worker, task)
                with self._lock:
                    self._done += task.nbytes
        except BaseException as error:
            with self._lock:
                self.failure = self.failure or error
                self._stopped = True
        finally:
            with self._lock:
                self._working -= 1
                if self._working == 0:
                    self.ended.set()


class _Queue:
    """A ring of blocks: workers draw ahead into it, one consumer takes them in order."""

    def __init__(self, tasks: Iterable[Task], slots: int) -> None:
        self._tasks = enumerate(tasks)
        self._buffers = [_Buffer() for _ in range(slots)]
        self._drawn: dict[int, memoryview] = {}  # number of a task → its bytes
        self._taken = 0  # tasks handed to workers
        self._consumed = 0
        self._stopped = False
        self._exhausted = False
        self._failure: BaseException | None = None
        self._changed = threading.Condition()

    def start(self, fill: Fill) -> None:
        try:
            threading.Thread(target=self._work, args=(fill,), daemon=True).start()
        except RuntimeError as error:  # the system gives no more threads
            raise OutputError(f"cannot start so many threads: {error}") from error

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def blocks(self) -> Iterator[memoryview]:
        for number in itertools.count():
            with self._changed:
                self._changed.wait_for(
                    lambda number=number: (  # type: ignore[misc]  # bound now, not at the call
                        number in self._drawn
                        or self._failure is not None
                        or (self._exhausted and number >= self._taken)
                    )
                )
                if self._failure is not None:
                    raise self._failure
                if number not in self._drawn:
                    return
                block = self._drawn.pop(number)
            yield block
            with self._changed:
                self._consumed += 1
                self._changed.notify_all()

    def _next(self) -> tuple[int, Task] | None:
        """The next task, once its slot is free."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._stopped or self._taken - self._consumed < len(self._buffers)
            )
            if self._stopped:
                return None
            entry = next(self._tasks, None)
            if entry is None:
                self._exhausted = True
                self._changed.notify_all()
            else:
                self._taken += 1
            return entry

    def _work(self, fill: Fill) -> None:
        try:
            while (entry := self._next()) is not None:
                number, task = entry
                block = self._buffers[number % len(self._buffers)].take(task.nbytes)
                fill_task(fill, block, task)
                with self._changed:
                    self._drawn[number] = block
                    self._changed.notify_all()
        except BaseException as error:
            with self._changed:
                self._failure = error
                self._changed.notify_all()


def join_all(threads: Iterable[threading.Thread]) -> None:
    """Wait until all threads have ended; an interrupt meanwhile is raised after that."""
    interrupt: BaseException | None = None
    for thread in threads:
        while thread.is_alive():  # not so where it never started
            try:
                thread.join()
            except BaseException as error:
                interrupt = error
    if interrupt is not None:
        raise interrupt


def count_cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
