"""Stored tensors beside what a plan draws: the crew goes over both, and finds where they differ."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from msgspec import Struct

from xavinit.crew import Advance, Buffer, Crew, parse_jobs
from xavinit.formats import Reader, StoredTensor
from xavinit.plan import Plan, TensorPlan
from xavinit.reading.tasks import limit_jobs
from xavinit.signals import hold_signals
from xavinit.streams import Fill, Piece, make_stream

_STEP = 1 << 18  # bytes read and compared at once: they stay in a core's own cache


class Mismatch(Struct, frozen=True):
    """How many elements of a tensor differ, and the first of them in C order."""

    count: int
    index: int
    expected: bytes
    got: bytes

    def join(self, other: Mismatch) -> Mismatch:
        """Both as one, whichever was found first."""
        first = min(self, other, key=lambda mismatch: mismatch.index)
        return Mismatch(self.count + other.count, first.index, first.expected, first.got)


class Task(NamedTuple):
    """Pieces to draw, side by side; without a stored tensor only so that an ordered stream goes on.

    Of a file one, of an object as many as are best read at once.
    """

    pieces: tuple[Piece, ...]
    stored: StoredTensor | None

    @property
    def tensor(self) -> TensorPlan:
        return self.pieces[0].tensor

    @property
    def nbytes(self) -> int:
        return sum(piece.nbytes for piece in self.pieces)


class Worker:
    """What each thread has: its part of the stream, an open file, and room to read."""

    def __init__(self, fill: Fill) -> None:
        self.fill = fill
        self.reader = Reader()
        self._block = bytearray(_STEP)

    def compare(self, drawn: memoryview, task: Task) -> Mismatch | None:
        """Read what is stored of a piece, and compare it with what has been drawn."""
        stored = task.stored
        if stored is None:
            return None
        found: Mismatch | None = None
        size = task.tensor.dtype.itemsize
        start, stop = task.pieces[0].start, task.pieces[-1].stop
        step = (len(drawn) if stored.is_remote else _STEP) // size
        for first in range(start, stop, step):
            last = min(first + step, stop)
            expected = drawn[(first - start) * size : (last - start) * size]
            # A bytearray of this very length: Python compares it with any memory as fast as C.
            block = self._block if len(expected) == _STEP else bytearray(len(expected))
            with memoryview(block) as room:
                self.reader.fill(stored, first, last, room)
            if block != expected:
                here = _find_mismatch(expected, block, first, size)
                found = here if found is None else found.join(here)
        return found


def compare_tensors(
    plan: Plan, stored: Mapping[str, StoredTensor], jobs: int | None, advance: Advance
) -> dict[str, Mismatch]:
    """The tensors that differ, by the plan's names, in the plan's order.

    `stored` has those to compare by the plan's names, in the plan's shapes and dtypes. The result
    is the same for any number of threads. Raises `InputError` where the file cannot be read.
    """
    stream = make_stream(plan.stream, plan.seed, plan.sequence)
    tensors = [tensor for tensor in plan.tensors if tensor.name in stored]
    if stream.is_ordered and tensors:  # each is drawn, up to the last that is compared
        jobs = 1
        tensors = list(plan.tensors[: plan.tensors.index(tensors[-1]) + 1])
    remote = [tensor for tensor in stored.values() if tensor.is_remote]
    jobs = limit_jobs(remote, parse_jobs(jobs))  # more of those may have to be held
    tasks = (
        task
        for tensor in tensors
        for task in _join_pieces(stream.split(tensor, buffers=jobs), stored.get(tensor.name))
    )
    found: list[tuple[str, Mismatch]] = []
    with contextlib.ExitStack() as stack:

        def make_worker() -> Worker:
            worker = Worker(stream.make_fill())
            stack.callback(worker.reader.close)
            return worker

        def work(worker: Worker, buffer: Buffer, task: Task) -> None:
            block = buffer.take(task.nbytes)
            first = task.pieces[0].offset
            for piece in task.pieces:
                start = piece.offset - first
                worker.fill(block[start : start + piece.nbytes], *piece)
            mismatch = worker.compare(block, task)
            if mismatch is not None:
                found.append((task.tensor.name, mismatch))

        total = sum(tensor.nbytes for tensor in tensors)
        Crew(make_worker, jobs).run(tasks, total, work, advance)
    joined: dict[str, Mismatch] = {}
    for name, mismatch in found:
        joined[name] = mismatch.join(joined[name]) if name in joined else mismatch
    return {tensor.name: joined[tensor.name] for tensor in plan.tensors if tensor.name in joined}


def _join_pieces(pieces: Iterable[Piece], stored: StoredTensor | None) -> Iterator[Task]:
    """The pieces of a tensor as tasks: each alone, but of an object as many as a block has."""
    most = stored.block if stored is not None and stored.is_remote else 0
    joined: list[Piece] = []
    nbytes = 0
    for piece in pieces:
        if joined and nbytes + piece.nbytes > most:
            yield Task(tuple(joined), stored)
            joined, nbytes = [], 0
        joined.append(piece)
        nbytes += piece.nbytes
    if joined:
        yield Task(tuple(joined), stored)


def _find_mismatch(expected: memoryview, got: bytearray, first: int, itemsize: int) -> Mismatch:
    """Where two blocks differ, the first element of which is `first`, and how often."""
    with hold_signals():
        import numpy as np  # only now: files that are right need none

    kind = np.dtype(f"u{itemsize}")
    differ = np.frombuffer(expected, kind) != np.frombuffer(got, kind)
    place = int(differ.argmax())
    bounds = slice(place * itemsize, (place + 1) * itemsize)
    count = int(np.count_nonzero(differ))
    return Mismatch(count, first + place, bytes(expected[bounds]), bytes(got[bounds]))
