"""Many seeds of an rng, tried at once on the first element of a tensor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from xavinit.plan import TensorPlan

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[Any]]


class Tries(Protocol):
    """Of tensors of float32 and 16 elements or more."""

    def make_firsts(self, tensor: TensorPlan) -> Array:
        """The first element of a tensor of this law, of every seed."""
        ...

    def draw(self, tensor: TensorPlan, number: int) -> Array:
        """All elements of the tensor, of the seed of this number."""
        ...
