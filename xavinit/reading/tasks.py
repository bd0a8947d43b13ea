"""How the tensors of a file are cut into tasks for the crew."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from xavinit.formats import StoredTensor
from xavinit.reading.kernels import RUN

_MEMORY = 40 << 20  # bytes that all workers may take for tensors that are not plain


class Piece(NamedTuple):
    """Elements [start, stop) of a plain tensor, which begin at a multiple of a run."""

    number: int  # of the tensor
    start: int
    stop: int
    nbytes: int


class Group(NamedTuple):
    """Tensors [first, last), each read from its start to its end by one worker."""

    first: int
    last: int
    nbytes: int


def list_tasks(tensors: Sequence[StoredTensor]) -> Iterator[Piece | Group]:
    """Tasks of about a block each, in the order of the tensors.

    A tensor that is read in units of its own is one task: its runs are summed as they come.
    """
    first, nbytes = 0, 0
    for number, tensor in enumerate(tensors):
        if tensor.plain is None or tensor.nbytes <= tensor.block:
            nbytes += tensor.nbytes
            if nbytes >= tensor.block:
                yield Group(first, number + 1, nbytes)
                first, nbytes = number + 1, 0
            continue
        if first < number:
            yield Group(first, number, nbytes)
        first, nbytes = number + 1, 0
        step = find_step(tensor)
        for start in range(0, tensor.size, step):
            stop = min(start + step, tensor.size)
            yield Piece(number, start, stop, tensor.dtype.count_bytes(stop - start))
    if first < len(tensors):
        yield Group(first, len(tensors), nbytes)


def find_step(tensor: StoredTensor) -> int:
    """How many elements are read at once: about a block; whole runs, or whole units."""
    unit = RUN if tensor.plain else tensor.unit
    return max(tensor.block * 8 // tensor.dtype.bits // unit, 1) * unit


def limit_jobs(tensors: Sequence[StoredTensor], jobs: int) -> int:
    """As many workers as memory allows where tensors are read in large units."""
    needs = (
        tensor.dtype.count_bytes(min(find_step(tensor), tensor.size)) + tensor.memory
        for tensor in tensors
        if tensor.plain is None
    )
    return max(min(jobs, _MEMORY // max(1, max(needs, default=1))), 1)
