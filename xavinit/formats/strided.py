"""Elements that a file holds in another order, or in another byte order, than they are read in."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct, structs

from xavinit.dtypes import DType
from xavinit.formats.files import Readable, read_from
from xavinit.formats.stored import StoredTensor
from xavinit.layers import split_boxes
from xavinit.places import open_again
from xavinit.stopping import check_stop

if TYPE_CHECKING:
    import numpy as np

    from xavinit.places import Version

    Array = np.ndarray[Any, Any]

_UNIT = 8 << 20  # bytes read at once
_SPAN = 4 << 20  # bytes of the file held for that
_PAGE = 4096  # bytes; so few are read at once
LARGEST_HELD = 256 << 20  # bytes of an object that are held whole, so that few requests are made


class StridedRange(Struct, frozen=True):
    """Elements that lie in a file from an offset on, each axis with its own step.

    `strides` counts elements, not bytes; 0 repeats one. `is_swapped`: the numbers are big-endian.
    """

    path: str
    offset: int
    strides: tuple[int, ...]
    is_swapped: bool = False
    version: Version | None = None

    def open(self) -> _OpenedFile:
        return _OpenedFile(self.path, self.version)

    def fill(
        self, opened: _OpenedFile, tensor: StoredTensor, start: int, stop: int, block: memoryview
    ) -> None:
        itemsize = tensor.dtype.itemsize
        if held := self._count_held(tensor):
            content = opened.hold(self.offset, held)
            whole = structs.replace(self, offset=0)
            whole.fill_from_memory(content, tensor, start, stop, block)
            return
        for box, out in _list_boxes(tensor, start, stop, block):
            first = sum(i * step for (i, _), step in zip(box, self.strides, strict=True))
            _gather(opened.file, self.offset + first * itemsize, out, self.strides)
        if self.is_swapped:
            swap_bytes(block, tensor.dtype)

    def fill_from_memory(
        self, content: bytearray, tensor: StoredTensor, start: int, stop: int, block: memoryview
    ) -> None:
        """Fill a block where all that the file holds is in memory."""
        import numpy as np

        itemsize = tensor.dtype.itemsize
        steps = [step * itemsize for step in self.strides]
        kind = find_kind(itemsize)
        whole = np.ndarray(tensor.shape, kind, content, self.offset, steps)
        for box, out in _list_boxes(tensor, start, stop, block):
            check_stop()
            out[...] = whole[tuple(slice(*ends) for ends in box)]
        if self.is_swapped:
            swap_bytes(block, tensor.dtype)

    def find_unit(self, tensor: StoredTensor) -> int:
        """As many whole rows of the first axis as fit; all of a small tensor."""
        most = max(_UNIT // tensor.dtype.itemsize, 1)
        row = math.prod(tensor.shape[1:])
        return most if row > most else max(min(most // max(row, 1) * row, tensor.size), 1)

    def count_memory(self, tensor: StoredTensor) -> int:
        return _SPAN + self._count_held(tensor)

    def _count_held(self, tensor: StoredTensor) -> int:
        """The bytes of an object that are held: all, if they are not too many, in another order."""
        if not tensor.is_remote or self.strides == find_strides(tensor.shape, is_fortran=False):
            return 0
        reach = sum((n - 1) * step for n, step in zip(tensor.shape, self.strides, strict=True))
        span = (reach + 1) * tensor.dtype.itemsize
        return span if tensor.size and span <= LARGEST_HELD else 0

    def count_read(self, tensor: StoredTensor) -> int:
        """The bytes of the file that are read: a page for each run of elements that lies alone."""
        run = tensor.dtype.itemsize
        runs = 1
        axes = zip(self.strides, tensor.shape, strict=True)
        for step, count in sorted((step * tensor.dtype.itemsize, n) for step, n in axes if step):
            if runs == 1 and step <= run + _PAGE // 8:
                run += (count - 1) * step
            else:
                runs *= count
        return runs * max(run, _PAGE) if runs > 1 else run


class _OpenedFile:
    """A file that elements are read from; of an object, the range that was read last is held."""

    def __init__(self, path: str, version: Version | None) -> None:
        self.file = open_again(path, version)
        self._held: tuple[int, bytearray] | None = None

    def close(self) -> None:
        self.file.close()

    def hold(self, offset: int, nbytes: int) -> bytearray:
        if self._held is None or (self._held[0], len(self._held[1])) != (offset, nbytes):
            self._held = None
            self._held = offset, read_from(self.file, offset, nbytes)
        return self._held[1]


def find_kind(itemsize: int) -> str:
    """NumPy's code of elements that are copied as they are: integers are copied fastest."""
    return f"u{itemsize}" if itemsize in (1, 2, 4, 8) else f"V{itemsize}"


def _list_boxes(
    tensor: StoredTensor, start: int, stop: int, block: memoryview
) -> Iterator[tuple[tuple[tuple[int, int], ...], Array]]:
    """The elements [start, stop) as boxes, each with the part of the block that it fills."""
    import numpy as np

    flat = np.frombuffer(block, find_kind(tensor.dtype.itemsize))
    place = 0
    for box in split_boxes(tensor.shape, start, stop):
        counts = [last - first for first, last in box]
        end = place + math.prod(counts)
        yield box, flat[place:end].reshape(counts)
        place = end


def find_strides(shape: Sequence[int], *, is_fortran: bool) -> tuple[int, ...]:
    """The steps of each axis, in elements, of an array without gaps.

    >>> find_strides((2, 3, 4), is_fortran=False), find_strides((2, 3, 4), is_fortran=True)
    ((12, 4, 1), (1, 2, 6))
    """
    axes = range(len(shape))
    inner = (shape[:axis] if is_fortran else shape[axis + 1 :] for axis in axes)
    return tuple(math.prod(sizes) for sizes in inner)


def swap_bytes(block: memoryview, dtype: DType) -> None:
    """Reverse the bytes of each number; a complex number is two numbers."""
    import numpy as np

    itemsize = dtype.itemsize // (2 if dtype.kind == "complex" else 1)
    if itemsize > 1:
        np.frombuffer(block, f"u{itemsize}").byteswap(inplace=True)


def _gather(file: Readable, offset: int, out: Array, strides: Sequence[int]) -> None:
    """Fill an array from the elements that begin at an offset, at the strides of its axes.

    The range of the file that it spans is read whole if it is small and most of it is wanted;
    otherwise the array is halved along the axis that reaches farthest.
    """
    import numpy as np

    check_stop()
    reach = [(count - 1) * step for count, step in zip(out.shape, strides, strict=True)]
    span = (sum(reach) + 1) * out.itemsize
    wanted = math.prod(n for n, step in zip(out.shape, strides, strict=True) if step)
    if span <= max(_PAGE, out.itemsize) or (span <= _SPAN and span <= 4 * wanted * out.itemsize):
        steps = [step * out.itemsize for step in strides]
        out[...] = np.ndarray(out.shape, out.dtype, read_from(file, offset, span), strides=steps)
        return
    axis = reach.index(max(reach))
    middle = out.shape[axis] // 2
    before: list[slice] = [slice(None)] * axis
    _gather(file, offset, out[(*before, slice(None, middle))], strides)
    farther = offset + middle * strides[axis] * out.itemsize
    _gather(file, farther, out[(*before, slice(middle, None))], strides)
