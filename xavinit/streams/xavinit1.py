"""Stream `xavinit-1`: random access, so that any thread draws any piece at any time."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from xavinit.plan import TensorPlan
from xavinit.streams.kernels import choose_kernel, make_filler
from xavinit.streams.keys import make_key
from xavinit.streams.stream import Fill, Piece, clear_rows, cut_zeros, split_tensor

# Bytes of viewed tensors that all threads together draw at once. Larger blocks give longer runs of
# PyTorch's tensor; starting a run costs NumPy about 1000 times what it costs C.
_VIEWED = {"native": 16 << 20, "numpy": 64 << 20}


class Xavinit1:
    """The stream under one seed, by the kernel that is chosen."""

    name = "xavinit-1"
    is_ordered = False

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._kernel = choose_kernel()

    def split(self, tensor: TensorPlan, buffers: int) -> Iterator[Piece]:
        return split_tensor(tensor, _VIEWED[self._kernel] // max(buffers, 2))

    def make_fill(self) -> Fill:
        filler = make_filler(self._kernel)
        find_key = lru_cache(maxsize=64)(make_key)

        def fill(out: memoryview, tensor: TensorPlan, start: int, stop: int) -> None:
            if tensor.law is None:  # an empty tensor
                return
            if tensor.view is not None and tensor.view.zeros:
                out, stop = cut_zeros(out, tensor, start, stop, tensor.view.count)
            key = find_key(self._seed, tensor.stream)
            filler.fill(out, key, tensor.law, tensor.dtype, start, stop, tensor.view)
            if tensor.zero_rows:
                clear_rows(out, tensor, start, stop)

        return fill


def make_stream(seed: int) -> Xavinit1:
    """The stream under this seed."""
    return Xavinit1(seed)
