"""Tensors cut into pieces of work, and small ones put together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from xavinit.layers import fit_rows
from xavinit.plan import TensorPlan
from xavinit.streams import Fill

BLOCK = 1 << 20  # bytes drawn and written at once


class Piece(NamedTuple):
    """The elements [start, stop) of a tensor."""

    tensor: TensorPlan
    start: int
    stop: int

    @property
    def offset(self) -> int:
        """Where its bytes begin among the tensor's."""
        return self.start * self.tensor.dtype.itemsize

    @property
    def nbytes(self) -> int:
        return (self.stop - self.start) * self.tensor.dtype.itemsize


class Task(NamedTuple):
    """Pieces whose bytes lie one after another, from an offset on."""

    pieces: list[Piece]
    offset: int
    nbytes: int


def split_tensor(tensor: TensorPlan, viewed: int) -> Iterator[Piece]:
    """A tensor in pieces of at most `BLOCK` bytes, or of whole rows of a view in `viewed` bytes."""
    itemsize = tensor.dtype.itemsize
    size, step = tensor.size, BLOCK // itemsize
    if tensor.view is not None:
        most = max(viewed // itemsize, step)
        step = fit_rows([len(axis) for axis in tensor.view.axes], most)
    for start in range(0, size, step):
        yield Piece(tensor, start, min(start + step, size))


def join_pieces(pieces: Iterable[tuple[Piece, int]]) -> Iterator[Task]:
    """Pieces with their offsets as tasks: neighbours together, while they fit a block.

    So thousands of small tensors take few writes.
    """
    held: list[Piece] = []
    begin = end = 0
    for piece, offset in pieces:
        nbytes = piece.nbytes
        if held and (offset != end or end - begin + nbytes > BLOCK):
            yield Task(held, begin, end - begin)
            held = []
        if not held:
            begin = offset
        held.append(piece)
        end = offset + nbytes
    if held:
        yield Task(held, begin, end - begin)


def fill_task(fill: Fill, block: memoryview, task: Task) -> None:
    """Draw a task's pieces into a buffer of its size."""
    place = 0
    for piece in task.pieces:
        end = place + piece.nbytes
        fill(block[place:end], *piece)
        place = end
