"""Initializers: fans → law. One variance-scaling rule is behind every initializer with fans."""

from __future__ import annotations

import math
from functools import lru_cache

from xavinit import inits
from xavinit.errors import SpecError
from xavinit.plan.fans import Fans
from xavinit.plan.laws import (
    Arange,
    Constant,
    GateConstant,
    Law,
    LogArange,
    Normal,
    TruncatedNormal,
    Uniform,
    Values,
)
from xavinit.spec import evaluate_formula, explain_number
from xavinit.wording import format_value

Number = inits.Number


def compute_law(init: inits.Init, fans: Fans | None, shape: tuple[int, ...]) -> Law:
    """The law of an initializer, for a tensor of this shape.

    Raises `SpecError` where the initializer needs fans and there are none, where the result is not
    a positive finite number, or where a list has not as many numbers as the tensor; its path is
    the initializer's key at fault, if it is one.
    """
    row = shape[-1] if shape else 1
    _check_ours(init)
    match init:
        case inits.Zeros():
            return Constant(0)
        case inits.Ones():
            return Constant(1)
        case inits.GateConstant(value=value, gate=gate, size=size):
            return GateConstant(value, gate * size, (gate + 1) * size)
        case inits.Constant(value=value):
            return Constant(settle("value", value, fans))
        case inits.Arange(start=start, step=step, repeat=repeat):
            return Arange(start, step, repeat, row)
        case inits.Values(values=values):
            _check_count(values, math.prod(shape))
            return _make_values(init)
        case inits.LogArange():
            return LogArange(_check_row(row))
        case inits.Default():
            raise SpecError(
                "default is the numbers of a framework's module, which its rng alone draws",
                hint="rng: torch-2.13 draws a layer's",
            )
        case inits.Between():
            raise SpecError(
                "uniform from a to b is drawn by the rng of a framework alone",
                ("a",),
                hint="{type: uniform, bound: …} draws from ±bound; rng: torch-2.13 takes a and b",
            )
        case inits.Uniform(bound=bound):
            return Uniform(settle("bound", bound, fans))
        case inits.Normal(std=std):
            return Normal(settle("std", std, fans))
        case inits.TruncatedNormal(std=std):
            return TruncatedNormal(settle("std", std, fans))
        case inits.VarianceScaling():
            if fans is None:
                raise SpecError(
                    f"{init.name} needs fans: two axes or more beside batch axes",
                    hint="give it an init without fans, such as zeros, ones or "
                    "{type: normal, std: 0.02}",
                )
            return scale_variance(init, fans)
    raise TypeError(f"no law for {init}")


def _check_ours(init: inits.Init) -> None:
    """Refuse a key that only the rng of a framework takes."""
    if isinstance(init, inits.Normal | inits.TruncatedNormal):
        for key, value in inits.OF_RNGS.items():
            if getattr(init, key, value) != value:
                raise SpecError(
                    f"{init.name} takes {key} under the rng of a framework alone; "
                    f"got {format_value(getattr(init, key))}",
                    (key,),
                )


def scale_variance(rule: inits.VarianceScaling, fans: Fans) -> Uniform | Normal | TruncatedNormal:
    """The law of mean 0 and variance gain²/n with the rule's distribution.

    With n = fan_in, fan_out or (fan_in + fan_out)/2 and in float64, left to right:
    bound = gain·√(3/n) for a uniform law, std = gain·√(1/n) for the other two.

    >>> scale_variance(inits.NAMED["glorot_uniform"], Fans(3, 3))
    Uniform(bound=1.0)
    """
    gain, n = find_gain(rule, fans), compute_n(rule, fans)
    if rule.distribution == "uniform":
        return Uniform(check_scale(gain * math.sqrt(3 / n), gain))
    std = check_scale(gain * math.sqrt(1 / n), gain)
    return Normal(std) if rule.distribution == "normal" else TruncatedNormal(std)


def find_gain(rule: inits.VarianceScaling, fans: Fans) -> Number:
    """The number that a rule's gain stands for: a name's, or a formula's with these fans."""
    if isinstance(rule.gain, str):
        return inits.GAINS[rule.gain]
    return settle("gain", rule.gain, fans)


def compute_n(rule: inits.VarianceScaling, fans: Fans) -> float:
    """The n of the rule's variance, gain²/n."""
    return {
        "fan_in": float(fans.fan_in),
        "fan_out": float(fans.fan_out),
        "fan_avg": (fans.fan_in + fans.fan_out) / 2,
    }[rule.mode]


def settle(key: str, number: Number | inits.Formula, fans: Fans | None) -> Number:
    """A key's number, which a formula gives with these fans."""
    if not isinstance(number, inits.Formula):
        return number
    if fans is None:
        raise SpecError(
            f"{format_value(number.text)} needs fans: two axes or more beside batch axes",
            (key,),
            hint="fans_of: NAME gives a tensor the fans of another, as a bias those of its weight",
        )
    try:
        value = evaluate_formula(number, fans)
    except SpecError as error:
        error.path = (key,)
        raise
    if fact := explain_number(key, value, number.text):
        raise SpecError(fact, (key,))
    return value


@lru_cache(maxsize=64)  # one for all tensors that a rule gives it: it knows its ends
def _make_values(init: inits.Values) -> Values:
    return Values(init.values)


def _check_count(values: tuple[Number, ...], size: int) -> None:
    if len(values) != size:
        raise SpecError(
            f"must be as many numbers as the tensor has elements, {size:,}; got {len(values):,}",
            ("values",),
        )


def _check_row(length: int) -> int:
    if length > inits.LARGEST_LOG:
        raise SpecError(
            f"log_arange must have at most {inits.LARGEST_LOG:,} numbers, the last axis; "
            f"got {length:,}"
        )
    return length


def check_scale(scale: float, gain: Number) -> float:
    """A law's bound, std or variance; `SpecError` where it is no positive finite number."""
    if not 0 < scale < math.inf:
        raise SpecError(
            f"the law must have a positive finite scale; got {scale} "
            f"from a gain of {format_value(gain)}"
        )
    return scale
