"""Streams: (seed, stream name, element, law, dtype) → value, the number contract in code.

A `Stream` owns how it is filled. `xavinit-1` is random access: any range of any tensor, in any
order, from any thread, gives the same elements.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from xavinit.plan import TensorPlan
from xavinit.streams.keys import make_key
from xavinit.streams.reference import Filler

# Fill a buffer with the elements [start, stop) of a tensor.
Fill = Callable[[memoryview, TensorPlan, int, int], None]

KERNEL = "numpy"


class Stream:
    """Stream `xavinit-1` under one seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def make_fill(self) -> Fill:
        """A function that fills buffers; every thread needs one of its own."""
        filler = Filler()
        find_key = lru_cache(maxsize=64)(make_key)

        def fill(out: memoryview, tensor: TensorPlan, start: int, stop: int) -> None:
            if tensor.law is None:  # an empty tensor
                return
            if tensor.view is not None and tensor.view.zeros:
                out, stop = _cut_zeros(out, tensor, start, stop, tensor.view.count)
            key = find_key(self.seed, tensor.stream)
            filler.fill(out, key, tensor.law, tensor.dtype, start, stop, tensor.view)

        return fill


def _cut_zeros(
    out: memoryview, tensor: TensorPlan, start: int, stop: int, count: int
) -> tuple[memoryview, int]:
    """Write the zeros that follow a view's elements; what is left to fill, up to which element."""
    end = min(max(start, count), stop)
    cut = (end - start) * tensor.dtype.itemsize
    out[cut:] = bytes(len(out) - cut)  # +0 in every dtype
    return out[:cut], end


__all__ = ["KERNEL", "Fill", "Filler", "Stream", "make_key"]
