"""A crew of workers: how many threads a run is worth, and what each of them owns."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import partial
from typing import Generic

from xavinit.crew.tasks import BLOCK, Buffer, Result, State, TaskT
from xavinit.errors import UsageError

# The most by default. NumPy's kernel scales no further, and each worker has 6 MB of work arrays.
MOST_JOBS = 8
_SMALL = 4 << 20  # bytes; less than this is not worth starting threads for
_AHEAD = 2  # buffers for each worker, where the results are taken in order
_REPORT_EVERY = 0.1  # seconds between two reports of progress

# Called in the calling thread, about ten times a second, with the bytes done since the last call.
Advance = Callable[[int], None]

# What a worker does with a task. It gets its own state, a buffer that nothing else uses until the
# result has been taken, and the task.
Work = Callable[[State, Buffer, TaskT], Result]


def parse_jobs(jobs: int | None) -> int:
    """The number of workers asked for; by default one for each core, at most `MOST_JOBS`."""
    if jobs is not None and (not isinstance(jobs, int) or jobs < 1):
        raise UsageError(f"jobs must be an integer of at least 1; got {jobs}")
    return jobs or min(count_cores(), MOST_JOBS)


class Crew(Generic[State]):
    """As many workers as there are threads, kept from one run to the next.

    `make_state` makes the state of one worker. In every run the first failure, of a
    worker or of the calling thread, ends the rest and is raised when all threads have ended.
    """

    def __init__(self, make_state: Callable[[], State], jobs: int) -> None:
        self.jobs = jobs
        self._make_state = make_state
        self._workers: list[tuple[State, Buffer]] = []

    @property
    def buffers_ahead(self) -> int:
        """The buffers of a run in order; a run in any order has one for each worker."""
        return _AHEAD * self.jobs

    def run(
        self,
        tasks: Iterable[TaskT],
        total: int,
        work: Work[State, TaskT, object],
        advance: Advance,
    ) -> None:
        """Carry out all tasks: one worker in their order, several in any.

        `total` is the bytes of all tasks.
        """
        jobs = self._count_jobs(total)
        if jobs == 1:
            state, buffer = self._find_worker(0)
            for task in tasks:
                work(state, buffer, task)
                advance(task.nbytes)
            return
        from xavinit.crew.any_order import AnyOrder  # small runs need no threads

        run = AnyOrder(tasks)
        try:
            for index in range(jobs):
                run.start(partial(work, *self._find_worker(index)))
            while not run.ended.wait(_REPORT_EVERY):
                advance(run.take_done())
        finally:  # also where a signal has raised here: no worker may outlive the run
            run.stop()
        if run.failure is not None:
            raise run.failure
        advance(run.take_done())

    def run_in_order(
        self,
        tasks: Iterable[TaskT],
        total: int,
        work: Work[State, TaskT, Result],
        take: Callable[[TaskT, Result], None],
        advance: Advance,
    ) -> None:
        """Make a result of each task, and take the results in the order of the tasks.

        All workers work ahead, as far as there are buffers. The calling thread takes the results,
        so that a signal ends it even while it waits, for a pipe that is full or the like.
        """
        if total < _SMALL:
            state, buffer = self._find_worker(0)
            for task in tasks:
                take(task, work(state, buffer, task))
                advance(task.nbytes)
            return
        from xavinit.crew.in_order import InOrder  # small runs need no threads

        jobs = self._count_jobs(total)
        run: InOrder[TaskT, Result] = InOrder(tasks, _AHEAD * jobs)
        try:
            for index in range(jobs):
                state, _ = self._find_worker(index)
                run.start(partial(work, state))
            for task, result in run.results():
                take(task, result)
                advance(task.nbytes)
        finally:
            run.stop()

    def _count_jobs(self, total: int) -> int:
        """How many workers to use for so many bytes: one for a small run, else a block for each."""
        return 1 if total < _SMALL else min(self.jobs, total // BLOCK)

    def _find_worker(self, index: int) -> tuple[State, Buffer]:
        while len(self._workers) <= index:
            self._workers.append((self._make_state(), Buffer()))
        return self._workers[index]


def count_cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
