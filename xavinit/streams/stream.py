"""What a stream is: it cuts tensors into pieces and fills them."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

from xavinit.layers import fit_rows
from xavinit.plan import TensorPlan

PIECE = 1 << 20  # bytes; larger only where smaller pieces would cost time

# Fill a buffer with the elements [start, stop) of a tensor.
Fill = Callable[[memoryview, TensorPlan, int, int], None]


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


class Stream(Protocol):
    """The numbers of a plan: a stream's name is a contract that never changes."""

    @property
    def name(self) -> str: ...

    @property
    def is_ordered(self) -> bool:
        """Is it one sequence, which can only be drawn in the plan's order?

        If so, one function fills all pieces: the tensors in the plan's order, and the pieces of
        each in the order of `split`. If not, any function fills any piece at any time.
        """
        ...

    def split(self, tensor: TensorPlan, buffers: int) -> Iterator[Piece]:
        """Cut a tensor into pieces, in order; each element is in one of them.

        `buffers` pieces are in memory at the same time. An empty tensor has no pieces.
        """
        ...

    def make_fill(self) -> Fill:
        """A function that fills pieces; each thread needs its own."""
        ...


def split_tensor(tensor: TensorPlan, most: int = PIECE) -> Iterator[Piece]:
    """Cut a tensor into pieces of about a megabyte, as most streams do.

    A tensor with a view is cut into whole rows of the view, in pieces of up to `most` bytes if that
    is more. A tensor whose law is whole is one piece.
    """
    itemsize = tensor.dtype.itemsize
    size, step = tensor.size, PIECE // itemsize
    if tensor.law is not None and tensor.law.is_whole:
        step = max(size, 1)
    elif tensor.view is not None:
        step = fit_rows([len(axis) for axis in tensor.view.axes], max(most // itemsize, step))
    for start in range(0, size, step):
        yield Piece(tensor, start, min(start + step, size))


def clear_rows(out: memoryview, tensor: TensorPlan, start: int, stop: int) -> None:
    """Make the tensor's zero rows zero in a buffer that holds its elements [start, stop)."""
    itemsize, row = tensor.dtype.itemsize, math.prod(tensor.shape[1:])
    rows = tensor.zero_rows
    for index in range(bisect_left(rows, start // row), len(rows)):
        first, last = max(rows[index] * row, start), min((rows[index] + 1) * row, stop)
        if first >= last:
            return
        zeros = bytes((last - first) * itemsize)  # +0 in every dtype
        out[(first - start) * itemsize : (last - start) * itemsize] = zeros


def cut_zeros(
    out: memoryview, tensor: TensorPlan, start: int, stop: int, count: int
) -> tuple[memoryview, int]:
    """Write the zeros that follow a view's elements; return buffer and stop without them."""
    end = min(max(start, count), stop)
    cut = (end - start) * tensor.dtype.itemsize
    out[cut:] = bytes(len(out) - cut)  # +0 in every dtype
    return out[:cut], end
