"""The crew goes over the blocks of all tensors of a file once → what is made of each one's counts.

`summarize` makes a `Summary` of each; whoever needs something else of the counts, such as the tests
of laws, gives `scan` a function of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Generic, TypeVar

from xavinit.choices import AxisLayout
from xavinit.crew import Advance, Buffer, Crew, parse_jobs
from xavinit.formats import Index, Reader, StoredTensor
from xavinit.reading.guesses import LAYOUTS
from xavinit.reading.kernels import Found, Kernel, Totals, find_kernel
from xavinit.reading.moments import Moments, Run
from xavinit.reading.numbers import find_numbers
from xavinit.reading.summary import make_summary
from xavinit.reading.tasks import Group, Piece, find_step, limit_jobs, list_tasks
from xavinit.reading.values import Summary

Made = TypeVar("Made")

# What is made of a tensor, whose counts and runs are complete. It is called by the workers.
Make = Callable[[StoredTensor, Found, Moments], Made]


def summarize(index: Index, jobs: int | None, advance: Advance) -> tuple[Summary, ...]:
    """The summaries of an index's tensors, in their order; the same for any number of jobs.

    Raises `InputError` where the file cannot be read, or is not as its index says.
    """
    layouts = find_layouts(index)

    def make(tensor: StoredTensor, found: Found, moments: Moments) -> Summary:
        return make_summary(tensor, find_numbers(tensor.dtype), found, moments, layouts)

    return scan(index.tensors, jobs, advance, make, is_pipe=index.is_pipe)


def scan(
    tensors: Sequence[StoredTensor],
    jobs: int | None,
    advance: Advance,
    make: Make[Made],
    *,
    is_pipe: bool = False,
) -> tuple[Made, ...]:
    """What `make` makes of each tensor, in their order; the same for any number of jobs.

    `make` gets the tensor, its counts and its moments, and must be pure: counts and moments are
    gone when it returns. Raises `InputError` as `summarize` does.
    """
    wanted = parse_jobs(jobs)
    shared = _Scan(tensors, find_kernel(), make)
    with ExitStack() as stack:

        def make_worker() -> _Worker:
            return _Worker(shared.kernel, stack.enter_context(Reader()))

        crew = Crew(make_worker, 1 if is_pipe else limit_jobs(tensors, wanted))
        total = sum(tensor.nbytes for tensor in tensors)
        crew.run(list_tasks(tensors), total, shared.work, advance)
    return tuple(shared.made[number] for number in range(len(tensors)))


def find_layouts(index: Index) -> tuple[AxisLayout, ...]:
    """The layouts that a file's tensors may have. Keras and Flax have one; in PyTorch's names there
    is GPT-2's Conv1D too, whose weight is (in, out).
    """
    if index.format in ("keras", "keras_archive") or index.metadata.get("format") == "flax":
        return ("in_out",)
    return LAYOUTS


class _Worker:
    """What a thread has for itself."""

    def __init__(self, kernel: Kernel, reader: Reader) -> None:
        self.reader = reader
        self.counter = kernel.make_counter()
        self.totals = kernel.make_totals()  # of the tensors that it reads alone


class _Scan(Generic[Made]):
    """What the workers share: the tensors, and what is known of them so far."""

    def __init__(self, tensors: Sequence[StoredTensor], kernel: Kernel, make: Make[Made]) -> None:
        self.kernel = kernel
        self.made: dict[int, Made] = {}  # by the number of the tensor
        self._make = make
        self._tensors = tensors
        self._lock = threading.Lock()
        self._open: dict[int, _OpenTensor] = {}  # those that several workers read
        self._free: list[Totals] = []  # cleared

    def work(self, worker: _Worker, buffer: Buffer, task: Piece | Group) -> None:
        """Carry out a task."""
        if isinstance(task, Piece):
            self._read_piece(worker, buffer, task)
        else:
            for number in range(task.first, task.last):
                self.made[number] = self._read_whole(worker, buffer, self._tensors[number])

    def _read_piece(self, worker: _Worker, buffer: Buffer, piece: Piece) -> None:
        tensor = self._tensors[piece.number]
        numbers = find_numbers(tensor.dtype)
        with self._lock:
            if piece.number not in self._open:
                totals = self._free.pop() if self._free else self.kernel.make_totals()
                self._open[piece.number] = _OpenTensor(totals, tensor.size)
            read = self._open[piece.number]
        block = buffer.take(piece.nbytes)
        worker.reader.fill(tensor, piece.start, piece.stop, block)
        runs = worker.counter.scan(numbers, block, is_last=True)  # a piece has whole runs
        with read.lock:
            worker.counter.flush(read.totals)
            read.take(piece, runs)
            if read.left:
                return
        self.made[piece.number] = self._make(tensor, read.totals.find(numbers), read.moments)
        read.totals.clear()
        with self._lock:
            del self._open[piece.number]
            self._free.append(read.totals)

    def _read_whole(self, worker: _Worker, buffer: Buffer, tensor: StoredTensor) -> Made:
        """Read a tensor from its start to its end."""
        numbers, moments, step = find_numbers(tensor.dtype), Moments(), find_step(tensor)
        for start in range(0, tensor.size, step):
            stop = min(start + step, tensor.size)
            block = buffer.take(tensor.dtype.count_bytes(stop - start))
            worker.reader.fill(tensor, start, stop, block)
            for run in worker.counter.scan(numbers, block, is_last=stop == tensor.size):
                moments.add(run)
            worker.counter.flush(worker.totals)
        made = self._make(tensor, worker.totals.find(numbers), moments)
        worker.totals.clear()
        return made


class _OpenTensor:
    """A tensor of which some pieces have been read. Runs are merged in the tensor's order."""

    def __init__(self, totals: Totals, size: int) -> None:
        self.lock = threading.Lock()
        self.totals = totals
        self.moments = Moments()
        self.left = size  # elements
        self._next = 0  # the element at which the next runs to merge begin
        self._early: dict[int, tuple[Piece, list[Run]]] = {}  # by their first elements

    def take(self, piece: Piece, runs: list[Run]) -> None:
        """Take the runs of a piece, which may have been read before those in front of it."""
        self.left -= piece.stop - piece.start
        self._early[piece.start] = piece, runs
        while self._next in self._early:
            piece, runs = self._early.pop(self._next)
            for run in runs:
                self.moments.add(run)
            self._next = piece.stop
