"""The first elements of a tensor that Keras draws on TensorFlow, of many seeds at once."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

import numpy as np
from msgspec import structs

from xavinit.plan import Normal, TensorPlan, Uniform, find_ends, find_normal
from xavinit.streams.fused import Array
from xavinit.streams.keras315 import Kernel, make_stream
from xavinit.streams.kernels import choose_kernel
from xavinit.streams.philox_tf import MODULUS, SCRAMBLE, encipher

F = np.float32
_GROUP = 4  # elements that a truncated normal makes together


class KerasTries:
    """Tensors of float32 by the seeds of their initializers."""

    def __init__(self, seeds: Sequence[int]) -> None:
        self._seeds = seeds
        self._kernel: Kernel = import_module(f"xavinit.streams.keras_{choose_kernel()}")
        low = np.array([seed % MODULUS for seed in seeds], np.uint64)
        words = encipher((low, 0, 0, 0), SCRAMBLE)  # type: ignore[arg-type]  # of arrays too
        self._keys = np.stack(words, 1).astype("<u4")
        self._bases: dict[str, Array] = {}  # before the scale: what laws share

    def make_firsts(self, tensor: TensorPlan) -> Array:
        """The first element of a tensor of this law, of every seed."""
        if isinstance(tensor.law, Uniform):
            low, high = (F(end) for end in find_ends(tensor.law))
            return self._find_base("uniform") * (high - low) + low
        _, std = find_normal(tensor.law)
        kind = "normal" if isinstance(tensor.law, Normal) else "truncated"
        return self._find_base(kind) * F(std)

    def draw(self, tensor: TensorPlan, number: int) -> Array:
        """All elements of the tensor, of the seed of this number."""
        out = bytearray(tensor.nbytes)
        fill = make_stream("keras-3.15", 0, ()).make_fill()
        fill(memoryview(out), structs.replace(tensor, seed=self._seeds[number]), 0, tensor.size)
        return np.frombuffer(out, F)

    def _find_base(self, kind: str) -> Array:
        if kind not in self._bases:
            fill = getattr(self._kernel, f"fill_{kind}")
            firsts = np.empty((len(self._keys), _GROUP), F)
            for key, row in zip(self._keys, firsts, strict=True):
                fill(memoryview(row.view(np.uint8)), key.tobytes(), "float32", 0.0, 1.0, 0)  # type: ignore[arg-type]
            self._bases[kind] = firsts[:, 0]
        return self._bases[kind]


def make_tries(seeds: Sequence[int]) -> KerasTries:
    """These seeds, tried at once."""
    return KerasTries(seeds)
