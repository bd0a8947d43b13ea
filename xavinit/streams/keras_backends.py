"""Keras's initializers on JAX, PyTorch and NumPy: each by its own generator, in float32.

JAX's numbers are random access. PyTorch's and NumPy's are sequences of a tensor's own: each thread
has a generator of each, which runs over what lies between the pieces that it fills.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, Protocol

import numpy as np
from msgspec import structs

from xavinit.plan import (
    CutNormal,
    Normal,
    NormalAround,
    TensorPlan,
    TruncatedNormal,
    Uniform,
    UniformOn,
    find_ends,
    find_normal,
)
from xavinit.streams.keras_seeds import find_seed
from xavinit.streams.kernels import choose_kernel

Array = np.ndarray[Any, np.dtype[Any]]
F, U32 = np.float32, np.uint32

# Fill a buffer with the elements of a tensor from one on; the tensor has no view.
FillRun = Callable[[memoryview, TensorPlan, int], None]

_AT_ONCE = 1 << 16  # elements
_OF_FOUR = 4  # normals that PyTorch's backend draws for each one that lies within the cut


def make_run(backend: str) -> FillRun:
    """A function that fills by a backend other than TensorFlow; each thread needs its own."""
    if backend == "jax":
        return _make_jax()
    return Sequential(TorchReader if backend == "torch" else NumpyReader).fill


def _make_jax() -> FillRun:
    """Keys are (seed, 0): Keras hands JAX its two numbers as a key of the old kind."""
    from xavinit.streams.jax_laws import find_draw

    kernel = import_module(f"xavinit.streams.jax_{choose_kernel()}")

    def fill(out: memoryview, tensor: TensorPlan, start: int) -> None:
        key, stop = (find_seed(tensor), 0), start + len(out) // 4
        if isinstance(tensor.law, Uniform | UniformOn):
            law: Any = UniformOn(*find_ends(tensor.law))
            kernel.fill(out, key, find_draw(law, is_compiled=False), "float32", start, stop)
            return
        mean, std = find_normal(tensor.law)
        is_plain = isinstance(tensor.law, Normal | NormalAround)
        law = Normal(std) if is_plain else CutNormal(0.0, std, 0.0, 0.0)
        kernel.fill(out, key, find_draw(law, is_compiled=False), "float32", start, stop)
        values = np.frombuffer(out, F)
        np.add(values, F(mean), out=values)

    return fill


class _Reader(Protocol):
    """The elements of one tensor, in order."""

    place: int  # the first that was not read

    def read(self, start: int, count: int) -> Array: ...


class Sequential:
    """Fills pieces by readers of tensors, one at a time: what is read on is not begun again."""

    def __init__(self, make: Callable[[TensorPlan], _Reader]) -> None:
        self._make = make
        self._reader: _Reader | None = None
        self._of: tuple[Any, ...] = ()

    def fill(self, out: memoryview, tensor: TensorPlan, start: int) -> None:
        law, size, seed = tensor.law, tensor.drawn, tensor.seed
        target = np.frombuffer(out, "<f4")
        for done in range(0, len(target), _AT_ONCE):
            part = target[done : done + _AT_ONCE]
            if (
                self._reader is None
                or self._of != (law, size, seed)
                or start + done < self._reader.place
            ):
                self._reader, self._of = self._make(tensor), (law, size, seed)
            part[:] = self._reader.read(start + done, len(part))


class TorchReader:
    """PyTorch's generator under the seed: uniforms and normals of the rng `torch-2.13`.

    A truncated normal is the first of four that lies within ±2, or the first where none does.
    """

    def __init__(self, tensor: TensorPlan) -> None:
        from xavinit.streams.torch_values import Values
        from xavinit.streams.torch_views import Reader

        self.place = 0
        self._law = tensor.law
        kernel: Any = import_module(f"xavinit.streams.torch_{choose_kernel()}")
        size, law = tensor.drawn, tensor.law
        if isinstance(law, Uniform | UniformOn):
            law = UniformOn(0.0, 1.0)  # torch.rand, which is scaled in two steps
        elif isinstance(law, TruncatedNormal | CutNormal):
            size, law = size * _OF_FOUR, Normal(1.0)
        source = structs.replace(tensor, shape=(size,), law=law, view=None)
        states = (kernel.make_state(find_seed(tensor)),)
        self._reader = Reader(kernel, Values(kernel, fused=True), states, source)

    def read(self, start: int, count: int) -> Array:
        self.place = start + count
        if isinstance(self._law, Uniform | UniformOn):
            low, high = find_ends(self._law)
            values = self._reader.read(start, count).view(F)
            scaled: Array = F(high - low) * values + F(low)
            return scaled
        if isinstance(self._law, Normal | NormalAround):
            return self._reader.read(start, count).view(F)
        four = self._reader.read(_OF_FOUR * start, _OF_FOUR * count).view(F).reshape(-1, _OF_FOUR)
        first = np.argmax((four > -2) & (four < 2), axis=1)
        mean, std = find_normal(self._law)
        taken: Array = four[np.arange(count), first] * F(std) + F(mean)
        return taken


class NumpyReader:
    """NumPy's `default_rng([seed, 0])`: PCG64, in float64, rounded to float32.

    Its uniforms are made here of its integers, which NumPy promises; its normals are NumPy's own.
    """

    def __init__(self, tensor: TensorPlan) -> None:
        self.place = 0
        self._law = tensor.law
        seeds = np.array([find_seed(tensor), 0], U32)
        self._generator = np.random.default_rng(seeds)
        self._rest = np.empty(0)

    def read(self, start: int, count: int) -> Array:
        skipped, self.place = start - self.place, start + count
        if isinstance(self._law, Uniform | UniformOn):
            return self._read_uniform(skipped, count).astype(F)
        while skipped:
            part = min(skipped, _AT_ONCE)
            self._read_normal(part)
            skipped -= part
        return self._read_normal(count).astype(F)

    def _read_uniform(self, skipped: int, count: int) -> Array:
        low, high = find_ends(self._law)
        bits: Any = self._generator.bit_generator
        bits.advance(skipped)
        words = bits.random_raw(count)
        scaled: Array = low + (high - low) * ((words >> np.uint64(11)).astype(float) * 2.0**-53)
        return scaled

    def _read_normal(self, count: int) -> Array:
        mean, std = find_normal(self._law)
        if isinstance(self._law, Normal | NormalAround):
            scaled: Array = mean + std * self._generator.standard_normal(count)
            return scaled
        found = [self._rest]
        while sum(map(len, found)) < count:
            values = mean + std * self._generator.standard_normal(_AT_ONCE)
            is_within = (values >= mean - 2 * std) & (values <= mean + 2 * std)
            found.append(values[is_within])
        values = np.concatenate(found)
        self._rest = values[count:]
        return values[:count]
