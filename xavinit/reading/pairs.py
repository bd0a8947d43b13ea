"""The crew goes over two tensors at a time, block by block, and finds how far they are apart."""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from msgspec import Struct

from xavinit.crew import Advance, Buffer, Crew, parse_jobs
from xavinit.formats import Reader, StoredTensor
from xavinit.reading.differences import Tally, Tolerance
from xavinit.reading.tasks import limit_jobs

_MOST_UNITS = 32 << 20  # bytes of a block that begins where both tensors are best read


class Pair(Struct, frozen=True):
    """Two stored tensors of one size, whose elements are compared one by one in C order."""

    a: StoredTensor
    b: StoredTensor


class _Block(NamedTuple):
    """The elements [start, stop) of a pair."""

    number: int
    pair: Pair
    start: int
    stop: int
    nbytes: int


def count_bytes(pairs: Iterable[Pair]) -> int:
    """The bytes that comparing takes off the disk."""
    return sum(pair.a.nbytes + pair.b.nbytes for pair in pairs)


def compare(
    pairs: Sequence[Pair],
    tolerance: Tolerance,
    *,
    jobs: int | None,
    advance: Advance,
    in_order: bool = False,
) -> list[Tally]:
    """The tally of each pair, the same for any number of jobs.

    `in_order` reads everything once and forward, as a pipe must be.
    """
    from xavinit.reading.measuring import tally_block  # loads NumPy

    tallies = [Tally()] * len(pairs)
    lock = threading.Lock()

    def work(state: _State, buffer: Buffer, task: _Block) -> None:
        a, b = task.pair.a, task.pair.b
        middle = a.dtype.count_bytes(task.stop - task.start)
        # One beside the other; the second begins where any number may.
        place = -(-middle // 16) * 16
        nbytes = b.dtype.count_bytes(task.stop - task.start)
        content = buffer.take(place + nbytes)
        state.a.fill(a, task.start, task.stop, content[:middle])
        state.b.fill(b, task.start, task.stop, content[place:])
        found = tally_block(
            content[:middle], content[place:], (a.dtype, b.dtype), task.start, tolerance
        )
        with lock:
            tallies[task.number] += found

    jobs = 1 if in_order else limit_jobs(_list_remote(pairs), parse_jobs(jobs))
    with contextlib.ExitStack() as readers:

        def make_state() -> _State:
            return _State(readers.enter_context(Reader()), readers.enter_context(Reader()))

        crew = Crew(make_state, jobs)
        crew.run(_list_blocks(pairs), count_bytes(pairs), work, advance)
    return tallies


class _State(NamedTuple):
    """What each thread reads the two files with."""

    a: Reader
    b: Reader


def _list_remote(pairs: Iterable[Pair]) -> list[StoredTensor]:
    """The tensors that lie in a store, of which more may have to be held."""
    return [tensor for pair in pairs for tensor in (pair.a, pair.b) if tensor.is_remote]


def _list_blocks(pairs: Sequence[Pair]) -> Iterator[_Block]:
    for number, pair in enumerate(pairs):
        step = _choose_step(pair)
        bits = pair.a.dtype.bits + pair.b.dtype.bits
        for start in range(0, pair.a.size, step):
            stop = min(start + step, pair.a.size)
            yield _Block(number, pair, start, stop, (stop - start) * bits // 8)


def _choose_step(pair: Pair) -> int:
    """How many elements to compare at once: whole units of both tensors, where that is not much."""
    bits = max(pair.a.dtype.bits, pair.b.dtype.bits)
    units = pair.a.unit, pair.b.unit
    unit = math.lcm(*units)
    if unit * bits > 8 * _MOST_UNITS:
        unit = math.lcm(max(units), 8)  # smaller elements share bytes
    block = max(pair.a.block, pair.b.block)
    return max(block * 8 // bits // unit, 1) * unit
