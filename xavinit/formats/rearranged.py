"""Stored tensors in another order: transposed, put together from several, cut; and zeros.

Each is a `StoredTensor` again, so that whoever reads it knows nothing of the order.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

from msgspec import Struct, structs

from xavinit.dtypes import DType
from xavinit.formats.stored import MOST_AXES, Reader, StoredTensor
from xavinit.formats.strided import StridedRange
from xavinit.layers import View, split_index

if TYPE_CHECKING:
    import numpy as np

    from xavinit.places import Version

    Array = np.ndarray[Any, Any]


class Portion(Struct, frozen=True):
    """A stored tensor, and where its elements lie in a whole; None: at its start."""

    stored: StoredTensor
    view: View | None = None


class Assembled(Struct, frozen=True):
    """The elements of one tensor or several in a whole, which memory holds while it is read.

    What is in none of them is zero.
    """

    pieces: tuple[Portion, ...]

    @property
    def path(self) -> str:
        return self.pieces[0].stored.source.path

    @property
    def version(self) -> Version | None:
        return self.pieces[0].stored.source.version

    def open(self) -> Reader:
        return Reader()

    def fill(
        self, opened: Reader, tensor: StoredTensor, start: int, stop: int, block: memoryview
    ) -> None:
        import numpy as np

        itemsize = tensor.dtype.itemsize
        kind = f"V{itemsize}"
        is_all = stop - start == tensor.size
        held = block if is_all else memoryview(bytearray(tensor.nbytes))
        whole = np.frombuffer(held, kind)
        if sum(_count(piece) for piece in self.pieces) < tensor.size:
            held[:] = bytes(len(held))
        for piece in self.pieces:
            stored, view = piece.stored, piece.view
            content = np.frombuffer(opened.read(stored, 0, _count(piece)), kind)
            if view is None:
                whole[: len(content)] = content
            else:
                _scatter(content, view, whole)
        if not is_all:
            block[:] = held[tensor.dtype.count_bytes(start) : tensor.dtype.count_bytes(stop)]

    def find_unit(self, tensor: StoredTensor) -> int:
        return max(tensor.size, 1)

    def count_memory(self, tensor: StoredTensor) -> int:
        return 2 * tensor.nbytes


def _count(piece: Portion) -> int:
    """The elements of the whole that a piece holds."""
    return piece.stored.size if piece.view is None else piece.view.count


class Cut(Struct, frozen=True):
    """The elements of a stored tensor from one on."""

    stored: StoredTensor
    first: int

    @property
    def path(self) -> str:
        return self.stored.source.path

    @property
    def version(self) -> Version | None:
        return self.stored.source.version

    def open(self) -> Reader:
        return Reader()

    def fill(
        self, opened: Reader, tensor: StoredTensor, start: int, stop: int, block: memoryview
    ) -> None:
        opened.fill(self.stored, self.first + start, self.first + stop, block)

    def find_unit(self, tensor: StoredTensor) -> int:
        return 1

    def count_memory(self, tensor: StoredTensor) -> int:
        return self.stored.memory


class Zeros(Struct, frozen=True):
    """Zeros, for what a file does not have."""

    path: str = "zeros"
    version: None = None

    def open(self) -> io.BytesIO:
        return io.BytesIO()

    def fill(
        self, opened: io.BytesIO, tensor: StoredTensor, start: int, stop: int, block: memoryview
    ) -> None:
        block[:] = bytes(len(block))

    def find_unit(self, tensor: StoredTensor) -> int:
        return 8

    def count_memory(self, tensor: StoredTensor) -> int:
        return 0


def make_zeros(name: str, dtype: DType, shape: tuple[int, ...]) -> StoredTensor:
    return StoredTensor(name, dtype, shape, Zeros())


def cut_tensor(stored: StoredTensor, first: int) -> StoredTensor:
    """The elements from one on, in a row."""
    return StoredTensor(stored.name, stored.dtype, (stored.size - first,), Cut(stored, first))


def permute(stored: StoredTensor, axes: Sequence[int]) -> StoredTensor:
    """The tensor with its axes in this order, as `numpy.transpose` does it."""
    if list(axes) == list(range(len(stored.shape))) or stored.size < 2:
        shape = tuple(stored.shape[axis] for axis in axes)
        return StoredTensor(stored.name, stored.dtype, shape, stored.source)
    shape = tuple(stored.shape[axis] for axis in axes)
    steps = split_index(shape)  # of the whole, for each axis of it
    view = View(tuple(steps[axes.index(axis)] for axis in range(len(axes))))
    return assemble(stored.name, shape, (Portion(stored, view),))


def assemble(name: str, shape: tuple[int, ...], pieces: Sequence[Portion]) -> StoredTensor:
    """The whole that pieces of one dtype of whole bytes make.

    A single piece that only has its axes in another order is read in constant memory, if its bytes
    lie in one range; anything else is held in memory while it is read.
    """
    first = pieces[0]
    dtype = first.stored.dtype
    if len(pieces) == 1:
        if first.view is None and first.stored.size == math.prod(shape):
            # In its own shape, to which its strides or chunks belong; the order is the same.
            return structs.replace(first.stored, name=name)
        if (strided := _make_strided(name, shape, first)) is not None:
            return strided
    return StoredTensor(name, dtype, shape, Assembled(tuple(pieces)))


def _make_strided(name: str, shape: tuple[int, ...], piece: Portion) -> StoredTensor | None:
    """The whole of a plain byte range; its axes are those of the view, in the whole's order."""
    stored, view = piece.stored, piece.view
    plain = stored.plain
    if plain is None or view is None or len(view.axes) > MOST_AXES:
        return None
    if view.zeros or view.count < 2 or view.count != math.prod(shape):
        return None
    lengths = [len(axis) for axis in view.axes]
    inside = [axis.step for axis in split_index(lengths)]
    axes = []
    for axis, length, stride in zip(view.axes, lengths, inside, strict=True):
        if not isinstance(axis, range) or axis.start or axis.step < 1:
            return None
        axes.append((axis.step, length, stride))
    axes.sort(reverse=True)
    counts = tuple(length for _, length, _ in axes)
    expected = [r.step for r in split_index(counts)]
    if [step for step, _, _ in axes] != expected:
        return None  # not each element once
    strides = tuple(stride for _, _, stride in axes)
    source = StridedRange(plain.path, plain.offset, strides, version=plain.version)
    return StoredTensor(name, stored.dtype, counts, source)


def _scatter(content: Array, view: View, whole: Array) -> None:
    """Put the elements of a piece where they lie in the whole."""
    import numpy as np

    lengths = [len(axis) for axis in view.axes]
    array = content.reshape(lengths)
    # An axis in blocks is few of them: each is a step of its own, the others one stride.
    choices: list[Sequence[int | slice]] = [
        range(len(axis)) if isinstance(axis, tuple) else (slice(None),) for axis in view.axes
    ]
    ranges = [axis for axis in view.axes if isinstance(axis, range)]
    counts = [len(axis) for axis in ranges]
    strides = [axis.step * whole.itemsize for axis in ranges]
    if not math.prod(lengths):
        return
    for choice in product(*choices):
        first = sum(axis.start for axis in ranges)
        for axis, index in zip(view.axes, choice, strict=True):
            if isinstance(index, int):
                first += axis[index]
        target = np.lib.stride_tricks.as_strided(whole[first:], counts, strides)
        target[...] = array[choice]
