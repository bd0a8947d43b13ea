"""The seed of each tensor that a generator of Keras's is given."""

from __future__ import annotations

from xavinit.plan import TensorPlan


def find_seed(tensor: TensorPlan) -> int:
    """The seed of a tensor's initializer, which the plan has found."""
    if tensor.seed is None:
        raise TypeError(f"no seed of {tensor.name}")
    return tensor.seed
