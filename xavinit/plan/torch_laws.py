"""Initializers → laws under the rng of PyTorch: its arithmetic, its arguments, its dtypes.

Everything is float64 of Python, in the order of torch/nn/init.py (2.13). Nothing is approximated:
what PyTorch draws in a way that was not redrawn bit for bit is refused by name.
"""

from __future__ import annotations

import math
import struct

from xavinit import inits
from xavinit.dtypes import DType
from xavinit.errors import SpecError
from xavinit.layers import Axes
from xavinit.plan import initializers
from xavinit.plan.fans import Fans, compute_fans
from xavinit.plan.framework_laws import find_ends, find_normal, make_normal
from xavinit.plan.initializers import check_scale, find_gain, settle
from xavinit.plan.laws import (
    FEW,
    AnyLaw,
    CutNormal,
    Fixed,
    Law,
    Normal,
    Uniform,
    UniformOn,
)
from xavinit.plan.ranges import check_range
from xavinit.rngs import Rng
from xavinit.wording import format_choices

DRAWN = ("float64", "float32", "float16", "bfloat16")
PYTORCH = Axes()  # fans are those of the shape: out, in, then the spatial axes
__all__ = ["compute_fans", "compute_law", "is_drawn", "scale_variance"]

CUT_DTYPES = ("float64", "float32")
# Of float64: a factor for which a·b + c is rounded once by exact arithmetic too (streams/fused.py).
_EXACT = (1e-240, 1e298)
_LEAST_SHARE = 0.3  # of a normal within its bounds: up to it, trunc_normal_ draws in another way


def compute_law(
    init: inits.Init, fans: Fans | None, shape: tuple[int, ...], dtype: DType, rng: Rng
) -> Law:
    """The law of an initializer as `torch.nn.init` has it.

    Raises `SpecError` as `initializers.compute_law` does, and where the rng does not know
    initializer or dtype.
    """
    law = _compute(init, fans, shape, rng)
    if isinstance(law, Fixed):
        check_range(law, dtype)
        return law
    if dtype.name not in DRAWN:
        raise SpecError(f"{rng.name} draws {format_choices(DRAWN)}; got {dtype.name}")
    if isinstance(law, CutNormal) and dtype.name not in CUT_DTYPES:
        raise SpecError(
            f"{rng.name} draws truncated_normal in {format_choices(CUT_DTYPES)}; got {dtype.name}"
        )
    if isinstance(law, CutNormal) and dtype.name == "float32":
        _check_ends(law, rng)
    _check_range(law, math.prod(shape), dtype, rng)
    return law


def _check_range(law: Law, size: int, dtype: DType, rng: Rng) -> None:
    """Refuse what PyTorch refuses, what would be infinite, and what no exact arithmetic reaches.

    Values may all round to zero, as in PyTorch.
    """
    largest = _find_largest(law, size, dtype)
    if largest > dtype.largest:
        raise SpecError(
            f"must fit {dtype.name}, whose largest number is {dtype.largest:g}; "
            f"got values up to {largest:g} ({law})"
        )
    name, spread = _find_spread(law)
    if name == "b − a" and spread > dtype.largest:
        raise SpecError(
            f"{rng.name} draws a uniform law whose b − a is at most the largest number of "
            f"{dtype.name}, {dtype.largest:g}, as PyTorch does; got {spread:g} ({law})"
        )
    least, most = _EXACT
    if dtype.name == "float64" and spread and not least <= spread <= most:
        raise SpecError(
            f"{rng.name} draws float64 where {name} is from {least:g} to {most:g}: beyond, "
            f"products are not exact; got {spread:g}"
        )


def _find_largest(law: Law, size: int, dtype: DType) -> float:
    """The largest magnitude that a drawn law can have. Radii are √(−2·ln u), u a number of 24 bits;
    of float64, and of few normals, which are float64 at first, one of 53.
    """
    if isinstance(law, Uniform | UniformOn):
        return law.largest(dtype)
    bits = 53 if dtype.name == "float64" or size < FEW else 24
    radius = math.sqrt(2 * bits * math.log(2))
    mean, std = find_normal(law)
    largest = abs(mean) + radius * std
    return min(largest, max(-law.low, law.high)) if isinstance(law, CutNormal) else largest


def _find_spread(law: Law) -> tuple[str, float]:
    """What a unit number is multiplied by, and what it is called."""
    if isinstance(law, Uniform | UniformOn):
        low, high = find_ends(law)
        return "b − a", high - low
    return "std", find_normal(law)[1]


def _compute(init: inits.Init, fans: Fans | None, shape: tuple[int, ...], rng: Rng) -> Law:
    match init:
        case inits.Default():
            raise SpecError("default is for a layer, whose type tells what its module draws")
        case inits.Uniform(bound=bound):
            return Uniform(settle("bound", bound, fans))
        case inits.Between(a=a, b=b):
            return _make_uniform(float(settle("a", a, fans)), float(settle("b", b, fans)))
        case inits.Normal(std=std, mean=mean):
            return make_normal(float(settle("mean", mean, fans)), settle("std", std, fans))
        case inits.TruncatedNormal(std=std, mean=mean, a=a, b=b):
            given = {"mean": mean, "std": std, "a": a, "b": b}
            mean, std, a, b = (float(settle(key, value, fans)) for key, value in given.items())
            return _make_cut(CutNormal(mean, std, a, b), rng)
        case inits.VarianceScaling() if fans is not None:
            return scale_variance(init, fans, rng)
    return initializers.compute_law(init, fans, shape)


def scale_variance(rule: inits.VarianceScaling, fans: Fans, rng: Rng) -> Law:
    """`xavier_uniform_`, `xavier_normal_`, `kaiming_uniform_`, `kaiming_normal_`."""
    if rule.distribution == "truncated_normal":
        raise SpecError(
            f"{rng.name} knows no {rule.name}: PyTorch scales uniform and normal laws alone",
            hint="its trunc_normal_ is {type: truncated_normal, std: …, a: …, b: …}",
        )
    gain = float(find_gain(rule, fans))
    if rule.mode == "fan_avg":
        std = gain * math.sqrt(2.0 / float(fans.fan_in + fans.fan_out))
    else:
        fan = fans.fan_in if rule.mode == "fan_in" else fans.fan_out
        std = gain / math.sqrt(fan)
    scale = math.sqrt(3.0) * std
    check_scale(scale, gain)
    return Uniform(scale) if rule.distribution == "uniform" else Normal(std)


def _make_uniform(low: float, high: float) -> Law:
    if low > high:
        raise SpecError(f"a must be at most b; got {low:g} and {high:g}", ("a",))
    return Uniform(high) if low == -high and high else UniformOn(low, high)


def _make_cut(law: CutNormal, rng: Rng) -> Law:
    if not law.low < law.high:
        raise SpecError(f"a must be less than b; got {law.low:g} and {law.high:g}", ("a",))
    share = _compute_share(law)
    if not share > _LEAST_SHARE:
        raise SpecError(
            f"{rng.name} draws a truncated normal only where more than {_LEAST_SHARE:.0%} of the "
            f"uncut law lies between a and b; got {share:.1%}",
            ("std",),
        )
    return law


def _compute_share(law: CutNormal) -> float:
    """The share of a normal between its bounds, as trunc_normal_ computes it."""
    below, above = ((end - law.mean) / law.std for end in (law.low, law.high))
    return _find_below(above) - _find_below(below)


def _find_below(x: float) -> float:
    """The share of a normal below x of its stds."""
    return (1.0 + math.erf(x / math.sqrt(2.0))) / 2.0


def _check_ends(law: CutNormal, rng: Rng) -> None:
    """Refuse a float32 law whose rounded numbers leave nothing between its bounds: PyTorch would
    draw for ever.
    """
    mean, std, low, high = map(_round_single, (law.mean, law.std, law.low, law.high))
    is_inside = low <= mean <= high
    if not is_inside and (std == 0 or _compute_share(CutNormal(mean, std, low, high)) < 0.05):
        raise SpecError(
            f"{rng.name} draws a truncated normal where some of it lies between a and b in "
            f"float32; got {low:.9g} to {high:.9g} for mean {mean:.9g} and std {std:.9g}",
            ("std",),
        )


def _round_single(number: float) -> float:
    try:
        rounded: float = struct.unpack("<f", struct.pack("<f", number))[0]
    except OverflowError:
        return math.copysign(math.inf, number)
    return rounded


def is_drawn(law: AnyLaw | None) -> bool:
    """Does a tensor of this law take numbers from the stream?"""
    return law is not None and not isinstance(law, Fixed)
