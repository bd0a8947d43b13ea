"""Streams: (seed, stream name, element, law, dtype) → value, the number contract in code.

A `Stream` owns how it is filled. `xavinit-1` is random access: any range of any tensor, in any
order, from any thread, gives the same elements. Two kernels give the same bits: `reference`, to be
read, on NumPy, and `native`, in C, where it was built.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from typing import Protocol

from xavinit.dtypes import DType
from xavinit.errors import MissingLibraryError, UsageError
from xavinit.layers import View
from xavinit.plan import Law, TensorPlan
from xavinit.streams.keys import make_key
from xavinit.wording import format_choices, format_value

# Fill a buffer with the elements [start, stop) of a tensor.
Fill = Callable[[memoryview, TensorPlan, int, int], None]

# The module of each kernel.
KERNELS = {"native": "xavinit.streams.native", "numpy": "xavinit.streams.reference"}
# Bytes of viewed tensors that are drawn at once, by all threads together. They are made of runs of
# PyTorch's tensor, the longer the more; and a run costs NumPy a thousand times what it costs C.
_VIEWED = {"native": 16 << 20, "numpy": 64 << 20}
CHOICE = "XAVINIT_KERNEL"  # the environment's variable


class Filler(Protocol):
    """What each kernel has under this name; one for each thread."""

    def fill(
        self,
        out: memoryview,
        key: int,
        law: Law,
        dtype: DType,
        start: int,
        stop: int,
        view: View | None = None,
    ) -> None: ...


def choose_kernel() -> str:
    """The kernel that the environment asks for, else the native one where it was built.

    Raises `UsageError` where it asks for one that does not exist, `MissingLibraryError` for one
    that was not built.
    """
    asked = os.environ.get(CHOICE, "")
    if asked and asked not in KERNELS:
        raise UsageError(f"{CHOICE} must be {format_choices(KERNELS)}; got {format_value(asked)}")
    if asked != "numpy":
        try:
            import_module("xavinit.streams._kernel")
        except ImportError as error:
            if asked:
                raise MissingLibraryError(
                    f"{CHOICE}={asked}, but the native kernel was not built ({error}): install "
                    "xavinit again where a C compiler is"
                ) from error
            return "numpy"
    return asked or "native"


class Stream:
    """Stream `xavinit-1` under one seed, by the kernel that is chosen."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.kernel = choose_kernel()
        self.viewed = _VIEWED[self.kernel]

    def make_fill(self) -> Fill:
        """A function that fills buffers; every thread needs one of its own."""
        filler: Filler = import_module(KERNELS[self.kernel]).Filler()
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


__all__ = ["CHOICE", "KERNELS", "Fill", "Filler", "Stream", "choose_kernel", "make_key"]
