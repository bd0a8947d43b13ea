"""Are the values of one tensor those of another with its axes in another order?"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from xavinit.formats import Reader, StoredTensor, permute
from xavinit.reading.differences import Tolerance
from xavinit.reading.pairs import Pair

Axes = tuple[int, ...]

MOST_AXES = 5  # of a tensor whose orders are all tried
_SAMPLE = 4096  # elements that are compared first
_LARGEST_HELD = 16 << 20  # bytes of a tensor that is read whole for each order

# The orders between the layouts of kernels: those of PyTorch, Keras and Flax, and reversals.
_USUAL = ((1, 0), (2, 3, 1, 0), (3, 2, 0, 1), (2, 1, 0), (2, 3, 4, 1, 0), (4, 3, 0, 1, 2))


def find_axes(a: StoredTensor, b: StoredTensor, tolerance: Tolerance) -> Iterator[Axes]:
    """Orders of A's axes in which the first elements are B's: the order (0, 1, …) first.

    No axes at all, (), where both lie in one order though their shapes are not the same.
    """
    if a.size != b.size or not a.size:
        return
    for axes, moved in _list_moved(a, b):
        if begins_alike(Pair(moved, b), tolerance):
            yield axes


def begins_alike(pair: Pair, tolerance: Tolerance) -> bool:
    """Are the first elements the same? Not told of a large tensor that has to be read whole."""
    from xavinit.reading.measuring import tally_block  # loads NumPy

    a, b = pair.a, pair.b
    if max(a.memory, b.memory) > _LARGEST_HELD:
        return False
    count = min(_SAMPLE, a.size)
    with Reader() as reader, Reader() as other:
        found = memoryview(reader.read(a, 0, count))
        wanted = memoryview(other.read(b, 0, count))
    return not tally_block(found, wanted, (a.dtype, b.dtype), 0, tolerance).different


def _list_moved(a: StoredTensor, b: StoredTensor) -> Iterator[tuple[Axes, StoredTensor]]:
    """A with its axes in each order that gives B's shape."""
    if a.shape != b.shape:
        yield (), a
    if sorted(a.shape) != sorted(b.shape) or not 2 <= len(a.shape) <= MOST_AXES:
        return
    is_whole = a.dtype.itemsize > 0
    for axes in _list_orders(len(a.shape)):
        if tuple(a.shape[axis] for axis in axes) == b.shape and is_whole:
            yield axes, permute(a, axes)


def _list_orders(rank: int) -> Iterator[Axes]:
    same = tuple(range(rank))
    usual = tuple(axes for axes in _USUAL if len(axes) == rank)
    yield same
    yield from usual
    yield from (a for a in itertools.permutations(range(rank)) if a != same and a not in usual)
