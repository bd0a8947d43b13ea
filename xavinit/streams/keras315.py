"""Stream `keras-3.15`: what Keras's initializers draw on a processor from their seeds.

Each tensor has a seed of its own, which the plan has found. So on most backends any thread draws
any piece at any time; on NumPy, and on PyTorch, the generator of a tensor runs over what comes
before (`keras_backends.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

from xavinit.plan import (
    Fixed,
    Normal,
    NormalAround,
    TensorPlan,
    Uniform,
    UniformOn,
    find_ends,
    find_normal,
)
from xavinit.rngs import parse_rng
from xavinit.signals import hold_signals
from xavinit.streams.constants import fill_constant
from xavinit.streams.keras_seeds import find_seed
from xavinit.streams.kernels import choose_kernel
from xavinit.streams.philox_tf import make_key
from xavinit.streams.stream import Fill, Piece, clear_rows, cut_zeros, split_tensor

if TYPE_CHECKING:
    from xavinit.streams.gather import Array, Read

# Bytes of viewed tensors that all threads together draw at once: a view reads longer runs then.
_VIEWED = 32 << 20

_MODULES = {"native": "xavinit.streams.keras_native", "numpy": "xavinit.streams.keras_numpy"}

# Fill a buffer with the elements of a tensor from one on; the tensor has no view.
FillRun = Callable[[memoryview, TensorPlan, int], None]


class Kernel(Protocol):
    """Both kernels have these functions, which fill a buffer with the elements from one on."""

    def fill_uniform(
        self, out: memoryview, key: bytes, dtype: str, low: float, high: float, start: int
    ) -> None: ...

    def fill_normal(
        self, out: memoryview, key: bytes, dtype: str, mean: float, std: float, start: int
    ) -> None: ...

    def fill_truncated(
        self, out: memoryview, key: bytes, dtype: str, mean: float, std: float, start: int
    ) -> None: ...


class Keras315:
    """The stream of one backend, by the kernel that is chosen."""

    is_ordered = False

    def __init__(self, name: str) -> None:
        self.name = name
        self._backend = parse_rng(name).get("backend")
        with hold_signals():  # NumPy, as it loads, takes an exception of ours for one of its own
            self._kernel: Kernel = import_module(_MODULES[choose_kernel()])

    def split(self, tensor: TensorPlan, buffers: int) -> Iterator[Piece]:
        return split_tensor(tensor, _VIEWED // max(buffers, 2))

    def make_fill(self) -> Fill:
        fill_run = self._make_run()

        def fill(out: memoryview, tensor: TensorPlan, start: int, stop: int) -> None:
            law = tensor.law
            if law is None:  # an empty tensor
                return
            if isinstance(law, Fixed):
                fill_constant(out, law, tensor.dtype, start, stop, tensor.view)
            elif tensor.view is None:
                fill_run(out, tensor, start)
            else:
                from xavinit.streams.gather import fill_view  # with NumPy

                out, stop = cut_zeros(out, tensor, start, stop, tensor.view.count)
                fill_view(out, _make_read(fill_run, tensor), tensor.view, start, stop)
            if tensor.zero_rows:
                clear_rows(out, tensor, start, stop)

        return fill

    def _make_run(self) -> FillRun:
        if self._backend == "tensorflow":
            return self._fill_tensorflow
        from xavinit.streams.keras_backends import make_run  # with NumPy

        return make_run(self._backend)

    def _fill_tensorflow(self, out: memoryview, tensor: TensorPlan, start: int) -> None:
        key, dtype = make_key(find_seed(tensor)), tensor.dtype.name
        match tensor.law:
            case Uniform() | UniformOn():
                low, high = find_ends(tensor.law)
                self._kernel.fill_uniform(out, key, dtype, low, high, start)
            case Normal() | NormalAround():
                mean, std = find_normal(tensor.law)
                self._kernel.fill_normal(out, key, dtype, mean, std, start)
            case _:
                mean, std = find_normal(tensor.law)
                self._kernel.fill_truncated(out, key, dtype, mean, std, start)


def _make_read(fill_run: FillRun, tensor: TensorPlan) -> Read:
    """A function that reads elements of the tensor that a view is of."""
    import numpy as np

    itemsize = tensor.dtype.itemsize

    def read(start: int, count: int) -> Array:
        out = bytearray(count * itemsize)
        fill_run(memoryview(out), tensor, start)
        return np.frombuffer(out, f"<u{itemsize}")

    return read


def make_stream(name: str, _seed: int, _sequence: Sequence[TensorPlan]) -> Keras315:
    """The stream of an rng's name; the plan has the seeds."""
    return Keras315(name)
