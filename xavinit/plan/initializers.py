"""Initializers: fans → law. One variance-scaling rule is behind every initializer with fans."""

from __future__ import annotations

import math

from xavinit import inits
from xavinit.errors import SpecError
from xavinit.plan.fans import Fans
from xavinit.plan.laws import Constant, GateConstant, Law, Normal, TruncatedNormal, Uniform
from xavinit.wording import format_value


def compute_law(init: inits.Init, fans: Fans | None) -> Law:
    """The law of an initializer.

    Raises `SpecError` where the initializer needs fans and there are none, or where the result
    is not a positive finite number.
    """
    match init:
        case inits.Zeros():
            return Constant(0)
        case inits.Ones():
            return Constant(1)
        case inits.GateConstant(value=value, gate=gate, size=size):
            return GateConstant(value, gate * size, (gate + 1) * size)
        case inits.Constant(value=value):
            return Constant(value)
        case inits.Uniform(bound=bound):
            return Uniform(bound)
        case inits.Normal(std=std):
            return Normal(std)
        case inits.TruncatedNormal(std=std):
            return TruncatedNormal(std)
        case inits.VarianceScaling():
            if fans is None:
                raise SpecError(
                    f"{init.name} needs fans: two axes or more beside batch axes",
                    hint="give it an init without fans, such as zeros, ones or "
                    "{type: normal, std: 0.02}",
                )
            return scale_variance(init, fans)
    raise TypeError(f"no law for {init}")


def scale_variance(rule: inits.VarianceScaling, fans: Fans) -> Law:
    """The law of mean 0 and variance gain²/n with the rule's distribution.

    With n = fan_in, fan_out or (fan_in + fan_out)/2 and in float64, left to right:
    bound = gain·√(3/n) for a uniform law, std = gain·√(1/n) for the other two.

    >>> scale_variance(inits.NAMED["glorot_uniform"], Fans(3, 3))
    Uniform(bound=1.0)
    """
    gain, n = find_gain(rule), compute_n(rule, fans)
    if rule.distribution == "uniform":
        return Uniform(_check_scale(gain * math.sqrt(3 / n), gain))
    std = _check_scale(gain * math.sqrt(1 / n), gain)
    return Normal(std) if rule.distribution == "normal" else TruncatedNormal(std)


def find_gain(rule: inits.VarianceScaling) -> float:
    return inits.GAINS[rule.gain] if isinstance(rule.gain, str) else rule.gain


def compute_n(rule: inits.VarianceScaling, fans: Fans) -> float:
    """The n of the rule's variance, gain²/n."""
    return {
        "fan_in": float(fans.fan_in),
        "fan_out": float(fans.fan_out),
        "fan_avg": (fans.fan_in + fans.fan_out) / 2,
    }[rule.mode]


def _check_scale(scale: float, gain: float) -> float:
    if not 0 < scale < math.inf:
        raise SpecError(
            f"the law must have a positive finite scale; got {scale} "
            f"from a gain of {format_value(gain)}"
        )
    return scale
