"""What the laws of Keras's initializers say to a generator: ends, or mean and std; and the seed."""

from __future__ import annotations

from xavinit.plan import (
    CutNormal,
    Law,
    Normal,
    NormalAround,
    TensorPlan,
    TruncatedNormal,
    Uniform,
    UniformOn,
)


def find_seed(tensor: TensorPlan) -> int:
    """The seed of a tensor's initializer, which the plan has found."""
    if tensor.seed is None:
        raise TypeError(f"no seed of {tensor.name}")
    return tensor.seed


def find_ends(law: Law | None) -> tuple[float, float]:
    """The ends of a uniform law."""
    match law:
        case Uniform(bound):
            return -bound, bound
        case UniformOn(low, high):
            return low, high
    raise TypeError(f"no uniform law: {law}")


def find_normal(law: Law | None) -> tuple[float, float]:
    """Mean and std of a normal law, before a cut."""
    match law:
        case Normal(std):
            return 0.0, std
        case TruncatedNormal():
            return 0.0, law.uncut_std
        case NormalAround(mean, std) | CutNormal(mean, std):
            return mean, std
    raise TypeError(f"no normal law: {law}")
