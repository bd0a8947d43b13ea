"""Stream `jax-0.10`: what JAX 0.10 draws on a processor from the same keys, bit for bit.

Random access: an element is a function of its tensor's key, which the plan knows, and its index in
the tensor as Flax holds it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from importlib import import_module
from typing import Protocol

from xavinit.layers import View
from xavinit.plan import Fixed, Key, TensorPlan
from xavinit.rngs import parse_rng
from xavinit.signals import hold_signals
from xavinit.streams.constants import fill_constant
from xavinit.streams.jax_laws import Draw, find_draw
from xavinit.streams.kernels import choose_kernel
from xavinit.streams.stream import Fill, Piece, clear_rows, cut_zeros, split_tensor

# Bytes of viewed tensors that all threads together draw at once.
_VIEWED = 16 << 20

_MODULES = {"native": "xavinit.streams.jax_native", "numpy": "xavinit.streams.jax_numpy"}


class Kernel(Protocol):
    """Both kernels have this function."""

    def fill(
        self,
        out: memoryview,
        key: Key,
        draw: Draw,
        dtype: str,
        start: int,
        stop: int,
        view: View | None = None,
    ) -> None: ...


class Jax010:
    """The stream of a plan, by the kernel that is chosen."""

    is_ordered = False

    def __init__(self, name: str) -> None:
        self.name = name
        self._is_compiled = parse_rng(name).get("jit") == "true"
        with hold_signals():  # NumPy, as it loads, takes an exception of ours for one of its own
            self._kernel: Kernel = import_module(_MODULES[choose_kernel()])

    def split(self, tensor: TensorPlan, buffers: int) -> Iterator[Piece]:
        return split_tensor(tensor, _VIEWED // max(buffers, 2))

    def make_fill(self) -> Fill:
        find = lru_cache(maxsize=64)(partial(find_draw, is_compiled=self._is_compiled))

        def fill(out: memoryview, tensor: TensorPlan, start: int, stop: int) -> None:
            law, view, dtype = tensor.law, tensor.view, tensor.dtype
            if law is None:  # an empty tensor
                return
            if view is not None and view.zeros:
                out, stop = cut_zeros(out, tensor, start, stop, view.count)
            if isinstance(law, Fixed):
                fill_constant(out, law, dtype, start, stop, view)
            elif start < stop:
                if tensor.seed is None:
                    raise TypeError(f"no key for {tensor.name}")
                key = tensor.seed >> 32, tensor.seed & 0xFFFFFFFF
                draw = find(law, dtype=dtype.name)
                self._kernel.fill(out, key, draw, dtype.name, start, stop, view)
            if tensor.zero_rows:
                clear_rows(out, tensor, start, stop)

        return fill


def make_stream(name: str, _: int, __: Sequence[TensorPlan]) -> Jax010:
    """The stream of a plan: its seed is in the keys of the tensors."""
    return Jax010(name)
