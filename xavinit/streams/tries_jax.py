"""The first elements of a tensor that JAX draws, of many keys at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import structs

from xavinit.plan import TensorPlan, encrypt
from xavinit.streams.fused import Array
from xavinit.streams.jax010 import make_stream
from xavinit.streams.jax_laws import Draw, find_draw
from xavinit.streams.jax_numpy import make_single

F = np.float32


class JaxTries:
    """Tensors of float32 by the keys of many seeds of 32 bits; `folded` numbers go into them."""

    def __init__(self, seeds: Sequence[int], *folded: int) -> None:
        self._seeds = seeds
        second = np.array([seed & 0xFFFFFFFF for seed in seeds], np.uint32)
        self._key = np.zeros_like(second), second
        for number in folded:
            self._key = encrypt(self._key, np.uint32(0), np.uint32(number))  # type: ignore[arg-type]
        first, second = encrypt(self._key, np.uint32(0), np.uint32(0))  # type: ignore[arg-type]
        self._words = first ^ second
        self._bases: dict[Draw, Array] = {}  # before the scale: what laws share

    def make_firsts(self, tensor: TensorPlan) -> Array:
        """The first element of a tensor of this law, of every seed."""
        if tensor.law is None:
            raise TypeError(f"no law for {tensor.name}")
        draw = find_draw(tensor.law, is_compiled=False)
        base = draw._replace(scale=1.0)
        if base not in self._bases:
            self._bases[base] = make_single(self._words, base)
        return self._bases[base] * F(draw.scale)

    def draw(self, tensor: TensorPlan, number: int) -> Array:
        """All elements of the tensor, of the seed of this number."""
        key = int(self._key[0][number]) << 32 | int(self._key[1][number])
        out = bytearray(tensor.nbytes)
        fill = make_stream("jax-0.10", 0, ()).make_fill()
        fill(memoryview(out), structs.replace(tensor, seed=key), 0, tensor.size)
        return np.frombuffer(out, F)


def make_tries(seeds: Sequence[int], *folded: int) -> JaxTries:
    """These seeds, tried at once."""
    return JaxTries(seeds, *folded)
