"""Elements of a viewed tensor, of a stream whose tensors are drawn from their beginnings on.

A piece of a file's tensor may lie anywhere in PyTorch's. It is read in the order of PyTorch's
elements: the generator runs over what lies between, which is cheap, and only the elements that are
needed are made. Of a truncated normal there is a generator for each round.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xavinit.plan import FEW, CutNormal, TensorPlan
from xavinit.streams.gather import Array
from xavinit.streams.torch_cut import fill_rounds
from xavinit.streams.torch_values import Kernel, Values, is_drawn_whole


class Reader:
    """Reads elements of one tensor, as integers of its width; fastest where they ascend.

    `states` are those at its beginning: one, or one for each round of a large truncated normal.
    """

    def __init__(
        self, kernel: Kernel, values: Values, states: Sequence[bytes], source: TensorPlan
    ) -> None:
        self._kernel = kernel
        self._values = values
        self._source = source
        self._origins = states
        self._states = [bytearray(state) for state in states]
        self._place = 0  # the element at which the states stand, the first of a block of 16
        self._code = f"<u{source.dtype.itemsize}"
        self._whole: Array | None = None
        if is_drawn_whole(source):
            self._whole = self._draw(self._states[0], 0, source.size)

    def read(self, start: int, count: int) -> Array:
        """The elements [start, start + count)."""
        if self._whole is not None:
            return self._whole[start : start + count]
        source = self._source
        begin = start // FEW * FEW
        end = min(-(-(start + count) // FEW) * FEW, source.size)
        if begin < self._place:
            self._states, self._place = [bytearray(state) for state in self._origins], 0
        words = 2 if source.dtype.name == "float64" else 1
        for state in self._states:
            self._kernel.skip_words(state, (begin - self._place) * words)
        self._place = begin
        if isinstance(source.law, CutNormal):
            return self._draw_rounds(begin, end)[start - begin :][:count]
        # What is drawn at the end of a tensor comes after all else of it.
        state = bytearray(self._states[0])
        drawn = self._draw(state, begin, end)
        if end <= source.size - FEW:
            self._states, self._place = [state], end
        return drawn[start - begin :][:count]

    def _draw(self, state: bytearray, start: int, stop: int) -> Array:
        out = bytearray((stop - start) * self._source.dtype.itemsize)
        self._values.fill(state, memoryview(out), self._source, start, stop)
        return np.frombuffer(out, self._code)

    def _draw_rounds(self, start: int, stop: int) -> Array:
        out = bytearray((stop - start) * self._source.dtype.itemsize)
        states = map(bytes, self._states)
        fill_rounds(self._values, states, memoryview(out), self._source, start, stop)
        return np.frombuffer(out, self._code)
