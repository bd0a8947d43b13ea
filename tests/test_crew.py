"""The crew: every task once, results in order, the first failure ends the rest, none left over."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import NamedTuple

import pytest

from xavinit.crew import BLOCK, Behind, Buffer, Crew, parse_jobs
from xavinit.errors import UsageError
from xavinit.stopping import StoppedError, check_stop


class Task(NamedTuple):
    """Nothing but a number and some bytes: no tensor, no file."""

    number: int
    nbytes: int = BLOCK


TASKS = [Task(number, BLOCK if number % 3 else 5) for number in range(60)]
TOTAL = sum(task.nbytes for task in TASKS)
JOBS = pytest.mark.parametrize("jobs", [1, 2, 7])


def ignore(_: object) -> None:
    pass


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    yield
    assert threading.active_count() == 1


@JOBS
def test_every_task_is_done_once_and_told(jobs: int) -> None:
    done: list[int] = []
    told: list[int] = []
    crew = Crew(lambda: done, jobs)
    crew.run(TASKS, TOTAL, lambda state, _, task: state.append(task.number), told.append)
    assert sorted(done) == list(range(60))
    assert sum(told) == TOTAL


def test_one_worker_keeps_the_order() -> None:
    done: list[int] = []
    Crew(lambda: done, 1).run(TASKS, TOTAL, lambda s, _, task: s.append(task.number), ignore)
    assert done == list(range(60))


@JOBS
def test_results_come_in_the_order_of_the_tasks(jobs: int) -> None:
    """Those of the first tasks are the last to be ready."""
    taken: list[tuple[int, int]] = []
    told: list[int] = []

    def work(_: None, buffer: Buffer, task: Task) -> int:
        time.sleep(0.002 * (task.number % 5 == 0))
        return task.number**2

    crew = Crew(lambda: None, jobs)
    crew.run_in_order(
        TASKS, TOTAL, work, lambda task, result: taken.append((task.number, result)), told.append
    )
    assert taken == [(number, number**2) for number in range(60)]
    assert sum(told) == TOTAL


@JOBS
def test_a_result_may_lie_in_the_buffer_until_it_is_taken(jobs: int) -> None:
    taken: list[bytes] = []

    def work(_: None, buffer: Buffer, task: Task) -> memoryview:
        block = buffer.take(task.nbytes)
        block[:] = bytes([task.number]) * task.nbytes
        return block

    def take(task: Task, block: memoryview) -> None:
        time.sleep(0.001)
        assert len(block) == task.nbytes
        taken.append(bytes({*block}))

    Crew(lambda: None, jobs).run_in_order(TASKS, TOTAL, work, take, ignore)
    assert taken == [bytes([number]) for number in range(60)]


@pytest.mark.parametrize("jobs", [1, 3])
def test_workers_go_ahead_no_further_than_there_are_buffers(jobs: int) -> None:
    started: list[int] = []
    crew = Crew(lambda: None, jobs)

    def work(_: None, buffer: Buffer, task: Task) -> None:
        started.append(task.number)

    def take(task: Task, _: None) -> None:
        time.sleep(0.001)
        assert len(started) <= task.number + crew.buffers_ahead

    crew.run_in_order(TASKS, TOTAL, work, take, ignore)


def test_each_worker_has_a_state_of_its_own_and_keeps_it() -> None:
    made: list[list[int]] = []

    def make_state() -> list[int]:
        made.append([])
        return made[-1]

    def work(state: list[int], _: Buffer, task: Task) -> None:
        state.append(threading.get_ident())
        time.sleep(0.001)

    crew = Crew(make_state, 3)
    for _ in range(2):
        before = [len(state) for state in made]
        crew.run(TASKS, TOTAL, work, ignore)
        assert len(made) == 3
        for state, count in zip(made, before or [0] * 3, strict=True):
            assert len({*state[count:]}) <= 1  # one thread
    crew.run_in_order(TASKS, TOTAL, work, lambda *_: None, ignore)
    assert len(made) == 3
    assert sum(map(len, made)) == 3 * 60


Work = Callable[[None, Buffer, Task], object]
Run = Callable[[Crew[None], Iterable[Task], Work], None]


def run_any(crew: Crew[None], tasks: Iterable[Task], work: Work) -> None:
    crew.run(tasks, TOTAL, work, ignore)


def run_ordered(crew: Crew[None], tasks: Iterable[Task], work: Work) -> None:
    crew.run_in_order(tasks, TOTAL, work, lambda *_: None, ignore)


@JOBS
@pytest.mark.parametrize("run", [run_any, run_ordered])
def test_the_first_failure_ends_the_rest(run: Run, jobs: int) -> None:
    started: list[int] = []

    def work(_: None, buffer: Buffer, task: Task) -> None:
        started.append(task.number)
        if task.number == 9:
            raise ZeroDivisionError("the first")
        if task.number > 9:
            time.sleep(0.05)  # the failure is long known then
            raise ValueError("a later one")

    with pytest.raises(ZeroDivisionError):
        run(Crew(lambda: None, jobs), TASKS, work)
    assert len(started) <= 10 + 2 * jobs


@JOBS
@pytest.mark.parametrize("run", [run_any, run_ordered])
def test_tasks_that_cannot_be_listed_are_a_failure_like_another(run: Run, jobs: int) -> None:
    def list_tasks() -> Iterator[Task]:
        yield from TASKS[:7]
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(Crew(lambda: None, jobs), list_tasks(), lambda *_: None)


@JOBS
def test_an_interrupt_of_the_calling_thread_ends_the_rest(jobs: int) -> None:
    def interrupt(_: object, __: object = None) -> None:
        raise KeyboardInterrupt

    crew = Crew(lambda: None, jobs)
    with pytest.raises(KeyboardInterrupt):
        crew.run(TASKS, TOTAL, lambda *_: time.sleep(0.01), interrupt)
    with pytest.raises(KeyboardInterrupt):
        crew.run_in_order(TASKS, TOTAL, lambda *_: time.sleep(0.01), interrupt, ignore)


def test_few_bytes_are_worth_no_thread() -> None:
    threads = []
    tasks = [Task(number, 1000) for number in range(50)]
    crew = Crew(lambda: None, 7)
    crew.run(tasks, 50_000, lambda *_: threads.append(threading.get_ident()), ignore)
    crew.run_in_order(
        tasks, 50_000, lambda *_: threads.append(threading.get_ident()), lambda *_: None, ignore
    )
    assert {*threads} == {threading.get_ident()}
    assert len(threads) == 100


def test_a_buffer_is_as_large_as_its_largest_use() -> None:
    buffer = Buffer()
    assert [len(buffer.take(nbytes)) for nbytes in (0, 3, 5 * BLOCK, 7)] == [0, 3, 5 * BLOCK, 7]


def test_jobs_are_a_positive_integer() -> None:
    assert parse_jobs(3) == 3
    assert 1 <= parse_jobs(None) <= 8
    for jobs in (0, -1, 2.5, "2"):
        with pytest.raises(UsageError, match="jobs must be an integer of at least 1; got"):
            parse_jobs(jobs)  # type: ignore[arg-type]


@pytest.mark.parametrize("in_order", [False, True])
def test_a_failure_ends_the_others_in_the_middle_of_their_tasks(in_order: bool) -> None:
    """A task that lasts looks now and then whether its thread is to stop; it says no more then."""
    begun = threading.Barrier(3, timeout=20)

    def work(_: None, buffer: Buffer, task: Task) -> int:
        if task.number < 3:
            begun.wait()
        if task.number == 1:
            raise OSError("broken")
        while True:
            check_stop()
            time.sleep(0.001)

    crew = Crew(lambda: None, 3)
    run = partial(crew.run_in_order, take=lambda _, __: None) if in_order else crew.run
    with pytest.raises(OSError, match="broken"):
        run(TASKS[:3] * 5, TOTAL, work, advance=ignore)


@pytest.mark.parametrize("in_order", [False, True])
def test_a_signal_ends_the_making_of_a_task_in_its_middle(in_order: bool) -> None:
    """As where a generator runs over much before the next task."""
    told = []

    def list_tasks() -> Iterator[Task]:
        main = threading.main_thread().ident
        assert main is not None
        signal.pthread_kill(main, signal.SIGINT)
        try:
            for _ in range(20_000):  # at most; then nobody has told it
                check_stop()
                time.sleep(0.001)
        except StoppedError:
            told.append(True)
            raise
        yield TASKS[0]

    crew = Crew(lambda: None, 2)
    run = partial(crew.run_in_order, take=lambda _, __: None) if in_order else crew.run
    with pytest.raises(KeyboardInterrupt):
        run(list_tasks(), TOTAL, lambda *_: None, advance=ignore)
    assert told


def test_an_interrupt_ends_the_tasks_in_their_middle() -> None:
    def work(_: None, buffer: Buffer, task: Task) -> None:
        while True:
            check_stop()
            time.sleep(0.001)

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Crew(lambda: None, 2).run(TASKS, TOTAL, work, interrupt)
    check_stop()  # no other thread is stopped by it


# --- Threads behind the calling thread --------------------------------------------------------


@pytest.mark.parametrize("jobs", [1, 3])
def test_all_that_is_handed_over_is_done_and_buffers_come_back(jobs: int) -> None:
    behind = Behind(jobs)
    done: list[tuple[int, bytes]] = []
    buffers = set()
    try:
        for number in range(50):
            buffer = behind.take()
            buffers.add(id(buffer))
            block = buffer.take(3)
            block[:] = bytes([number] * 3)
            behind.hand(buffer, partial(lambda n, b: done.append((n, bytes(b))), number, block))
        behind.wait()
    finally:
        behind.stop()
    assert sorted(done) == [(number, bytes([number] * 3)) for number in range(50)]
    assert len(buffers) <= jobs + 1


def test_the_first_failure_behind_is_raised_and_ends_the_rest() -> None:
    behind = Behind(2)
    begun: list[int] = []

    def act(number: int) -> None:
        begun.append(number)
        if number == 3:
            raise OSError("full")

    def hand_all() -> None:
        for number in range(1000):
            behind.hand(behind.take(), partial(act, number))
        behind.wait()

    before = threading.active_count()
    try:
        with pytest.raises(OSError, match=r"^full$"):
            hand_all()
    finally:
        behind.stop()
    assert len(begun) < 1000
    assert threading.active_count() == before


def test_what_waits_behind_is_stopped() -> None:
    """A thread in a long step asks whether it is to stop; what has not begun never does."""
    behind = Behind(1)
    begun, asked = threading.Event(), threading.Event()
    late: list[int] = []

    def wait() -> None:
        begun.set()
        while True:
            asked.wait(0.01)
            check_stop()

    behind.hand(behind.take(), wait)
    behind.hand(behind.take(), lambda: late.append(1))
    assert begun.wait(60)
    behind.stop()
    assert not late
