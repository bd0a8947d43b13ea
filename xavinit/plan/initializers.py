"""Initializers: fans → law. One variance-scaling rule; every named initializer is a line.

To add one: a line in `NAMED` (or a case in `compute_law`), its name in `spec/types.py`, and its
row in the golden values; tests fail until all three are there.
"""

from __future__ import annotations

import math

from msgspec import UNSET, Struct, UnsetType

from xavinit.errors import SpecError
from xavinit.plan.fans import Fans
from xavinit.plan.laws import Constant, GateConstant, Law, Normal, TruncatedNormal, Uniform
from xavinit.spec import GateInit, Init
from xavinit.wording import format_value

# PyTorch's torch.nn.init.calculate_gain, with leaky_relu's default slope of 0.01.
GAINS = {
    "linear": 1.0,
    "sigmoid": 1.0,
    "tanh": 5.0 / 3.0,
    "relu": math.sqrt(2.0),
    "leaky_relu": math.sqrt(2.0 / (1.0 + 0.01**2)),
    "selu": 0.75,
}


class VarianceScaling(Struct, frozen=True):
    """The rule: a law with mean 0 and variance gain²/n, n being a fan or the mean of both."""

    mode: str
    distribution: str
    gain: float = 1.0


NAMED = {
    # Glorot and Bengio (2010), equation 12 (normal) and 16 (uniform)
    "glorot_uniform": VarianceScaling("fan_avg", "uniform"),
    "glorot_normal": VarianceScaling("fan_avg", "normal"),
    "glorot_truncated_normal": VarianceScaling("fan_avg", "truncated_normal"),
    # He et al. (2015), "Delving deep into rectifiers", equation 10
    "he_uniform": VarianceScaling("fan_in", "uniform", GAINS["relu"]),
    "he_normal": VarianceScaling("fan_in", "normal", GAINS["relu"]),
    "he_truncated_normal": VarianceScaling("fan_in", "truncated_normal", GAINS["relu"]),
    # LeCun et al. (1998), "Efficient BackProp", equation 16
    "lecun_uniform": VarianceScaling("fan_in", "uniform"),
    "lecun_normal": VarianceScaling("fan_in", "normal"),
    "lecun_truncated_normal": VarianceScaling("fan_in", "truncated_normal"),
}
# The same initializers by the first author's given name, as PyTorch calls them.
NAMED |= {
    name.replace("glorot", "xavier"): rule for name, rule in NAMED.items() if "glorot" in name
}

WITHOUT_FANS = frozenset({"zeros", "ones", "constant", "uniform", "normal", "truncated_normal"})


def compute_law(init: Init, fans: Fans | None) -> Law:
    """The law of an initializer.

    For variance scaling, with n = fan_in, fan_out or (fan_in + fan_out)/2 and in float64, left
    to right: bound = gain·√(3/n) for a uniform law, std = gain·√(1/n) for the other two.

    Raises `SpecError` where the initializer needs fans and there are none, or where the result
    is not a positive finite number.
    """
    match init.type:
        case "zeros":
            return Constant(0)
        case "ones":
            return Constant(1)
        case "constant" if isinstance(init, GateInit) and not isinstance(init.value, UnsetType):
            start = init.gate * init.size
            return GateConstant(init.value, start, start + init.size)
        case "constant" if init.value is not UNSET:
            return Constant(init.value)
        case "uniform" if init.bound is not UNSET:
            return Uniform(init.bound)
        case "normal" if init.std is not UNSET:
            return Normal(init.std)
        case "truncated_normal" if init.std is not UNSET:
            return TruncatedNormal(init.std)
    if fans is None:
        raise SpecError(
            f"{init.type} needs fans: two axes or more beside batch axes",
            hint="give it an init without fans, such as zeros, ones or {type: normal, std: 0.02}",
        )
    return scale_variance(make_rule(init), fans)


def make_rule(init: Init) -> VarianceScaling:
    """The rule that an initializer with fans stands for."""
    named = NAMED.get(init.type)
    if named is None:
        if init.mode is UNSET or init.distribution is UNSET:
            raise SpecError(f"{init.type} must have a mode and a distribution")
        named = VarianceScaling(init.mode, init.distribution)
    if init.gain is UNSET:
        return named
    gain = GAINS[init.gain] if isinstance(init.gain, str) else init.gain
    return VarianceScaling(named.mode, named.distribution, gain)


def scale_variance(rule: VarianceScaling, fans: Fans) -> Law:
    """The law of variance gain²/n and the rule's distribution.

    >>> scale_variance(NAMED["glorot_uniform"], Fans(3, 3))
    Uniform(bound=1.0)
    """
    n = {
        "fan_in": float(fans.fan_in),
        "fan_out": float(fans.fan_out),
        "fan_avg": (fans.fan_in + fans.fan_out) / 2,
    }[rule.mode]
    if rule.distribution == "uniform":
        return Uniform(_check_scale(rule.gain * math.sqrt(3 / n), rule))
    std = _check_scale(rule.gain * math.sqrt(1 / n), rule)
    return Normal(std) if rule.distribution == "normal" else TruncatedNormal(std)


def _check_scale(scale: float, rule: VarianceScaling) -> float:
    if not 0 < scale < math.inf:
        raise SpecError(
            f"the law must have a positive finite scale; got {scale} "
            f"from a gain of {format_value(rule.gain)}"
        )
    return scale
