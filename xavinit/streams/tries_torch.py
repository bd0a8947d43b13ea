"""The first elements of a tensor that PyTorch draws, of many seeds at once."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

import numpy as np

from xavinit.plan import FEW, TensorPlan, Uniform, find_normal
from xavinit.streams import cephes
from xavinit.streams.fused import Array, fuse_single
from xavinit.streams.kernels import choose_kernel
from xavinit.streams.torch213 import MODULES
from xavinit.streams.torch_values import Kernel, Values

F = np.float32


class TorchTries:
    """Tensors of float32 and at least 16 elements that begin so many words into the stream."""

    def __init__(self, seeds: Sequence[int], place: int) -> None:
        self._kernel: Kernel = import_module(MODULES[choose_kernel()])
        self._seeds, self._place = seeds, place
        self._units = np.empty((len(seeds), FEW), F)
        for row, seed in zip(self._units, seeds, strict=True):
            out = memoryview(row.view(np.uint8))  # type: ignore[arg-type]
            self._kernel.fill_uniform(self._begin(seed), out, "float32", True, 0.0, 1.0)

    def make_firsts(self, tensor: TensorPlan) -> Array:
        """The first element of a tensor of this law, of every seed."""
        x, angle = self._units[:, 0], self._units[:, FEW // 2]
        if isinstance(tensor.law, Uniform):
            low, high = F(-tensor.law.bound), F(tensor.law.bound)
            return fuse_single(x, high - low, low)
        mean, std = find_normal(tensor.law)
        radius = np.sqrt(F(-2) * cephes.compute_log(F(1) - x))
        _, cosine = cephes.compute_sine_cosine(F(2 * np.pi) * angle)
        return fuse_single(radius * cosine, F(std), F(mean))

    def draw(self, tensor: TensorPlan, number: int) -> Array:
        """All elements of the tensor, of the seed of this number."""
        out = bytearray(tensor.nbytes)
        values = Values(self._kernel, fused=True)
        values.fill(self._begin(self._seeds[number]), memoryview(out), tensor, 0, tensor.size)
        return np.frombuffer(out, F)

    def _begin(self, seed: int) -> bytearray:
        state = self._kernel.make_state(seed)
        self._kernel.skip_words(state, self._place)
        return state


def make_tries(seeds: Sequence[int], place: int) -> TorchTries:
    """These seeds, tried at once."""
    return TorchTries(seeds, place)
