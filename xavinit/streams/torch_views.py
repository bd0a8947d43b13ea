"""Elements of a viewed tensor, of a stream whose tensors are drawn from their beginnings on.

A piece of a file's tensor may lie anywhere in PyTorch's. It is read in the order of PyTorch's
elements: the generator runs over what lies between, which is cheap, and only the elements that are
needed are made.
"""

from __future__ import annotations

import numpy as np

from xavinit.plan import FEW, CutNormal, TensorPlan
from xavinit.streams.gather import Array
from xavinit.streams.torch_values import Kernel, Values, is_drawn_whole


class Reader:
    """Reads elements of one tensor, as integers of its width; fastest where they ascend."""

    def __init__(
        self, kernel: Kernel, values: Values, state: bytearray, source: TensorPlan
    ) -> None:
        self._kernel = kernel
        self._values = values
        self._source = source
        self._origin = bytes(state)
        self._state = state
        self._place = 0  # the element at which the state stands, the first of a block of 16
        self._code = f"<u{source.dtype.itemsize}"
        self._whole: Array | None = None
        if is_drawn_whole(source) or isinstance(source.law, CutNormal):
            self._whole = self._draw(self._state, 0, source.size)

    def read(self, start: int, count: int) -> Array:
        """The elements [start, start + count)."""
        if self._whole is not None:
            return self._whole[start : start + count]
        source = self._source
        begin = start // FEW * FEW
        end = min(-(-(start + count) // FEW) * FEW, source.size)
        if begin < self._place:
            self._state, self._place = bytearray(self._origin), 0
        words = 2 if source.dtype.name == "float64" else 1
        self._kernel.skip_words(self._state, (begin - self._place) * words)
        # What is drawn at the end of a tensor comes after all else of it.
        state = bytearray(self._state)
        drawn = self._draw(state, begin, end)
        if end <= source.size - FEW:
            self._state, self._place = state, end
        else:
            self._place = begin
        return drawn[start - begin :][:count]

    def _draw(self, state: bytearray, start: int, stop: int) -> Array:
        out = bytearray((stop - start) * self._source.dtype.itemsize)
        self._values.fill(state, memoryview(out), self._source, start, stop)
        return np.frombuffer(out, self._code)
