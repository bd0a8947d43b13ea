"""What the laws of the frameworks' rngs have in common."""

from __future__ import annotations

import math

from xavinit import inits
from xavinit.errors import SpecError
from xavinit.plan.laws import (
    CutNormal,
    Law,
    Normal,
    NormalAround,
    TruncatedNormal,
    Uniform,
    UniformOn,
)
from xavinit.rngs import Rng


def square_gain(gain: float) -> float:
    """What Keras and JAX call scale: a whole number for a gain that is its root, as He's √2 is."""
    whole = float(round(gain * gain)) if gain < 2**26 else 0.0
    return whole if math.sqrt(whole) == gain else gain * gain


def refuse_plain_normal(rule: inits.VarianceScaling, rng: Rng, whose: str, same: str = "") -> None:
    """Refuse the name of a plain normal where a framework's of that name is truncated."""
    if rule.distribution == "normal" and rule.name in inits.NAMED:
        cut = rule.name.replace("_normal", "_truncated_normal")
        raise SpecError(
            f"{rng.name} knows no {rule.name}: {whose}'s is a truncated normal",
            hint=f"it is {cut} here; the plain one is {{type: variance_scaling, mode: "
            f"{rule.mode}, distribution: normal}}{same}",
        )


def make_normal(mean: float, std: float) -> Law:
    return NormalAround(mean, std) if mean else Normal(std)


def find_ends(law: Law | None) -> tuple[float, float]:
    """Where a uniform law begins and ends."""
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
