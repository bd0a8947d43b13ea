"""Initializers → laws under the rng of Keras: its fans, its arithmetic, its dtypes.

Everything is float64 of Python, in the order of keras/src/initializers/random_initializers.py
(3.15). Nothing is approximated: what Keras does not draw so is refused by name.
"""

from __future__ import annotations

import math

from xavinit import inits
from xavinit.dtypes import DType
from xavinit.errors import SpecError
from xavinit.layers import Axes
from xavinit.plan import fans as named_fans
from xavinit.plan import initializers
from xavinit.plan.fans import Fans
from xavinit.plan.framework_laws import make_normal, refuse_plain_normal, square_gain
from xavinit.plan.initializers import (
    check_scale,
    find_gain,
    settle,
)
from xavinit.plan.laws import (
    CutNormal,
    Fixed,
    Law,
    Normal,
    TruncatedNormal,
    Uniform,
    UniformOn,
)
from xavinit.plan.ranges import check_range
from xavinit.rngs import Rng
from xavinit.wording import format_choices, format_value

# What was run against each backend.
DTYPES = {
    "tensorflow": ("float64", "float32", "float16", "bfloat16"),
    "jax": ("float32",),
    "torch": ("float32",),
    "numpy": ("float32",),
}
CUT = 2.0  # stds, at which Keras's truncated normals end


def compute_fans(shape: tuple[int, ...], axes: Axes) -> Fans:
    """The fans of a shape as Keras's `compute_fans` has them: of any rank, and of an empty bias.

    >>> compute_fans((3, 3, 16, 32), Axes("in_out")), compute_fans((7,), Axes("in_out"))
    (Fans(fan_in=144, fan_out=288), Fans(fan_in=7, fan_out=7))
    """
    fans = named_fans.compute_fans(shape, axes)
    if fans is not None:
        return fans
    size = math.prod(shape)  # of rank 0 or 1
    return Fans(size, size)


def compute_law(
    init: inits.Init, fans: Fans | None, shape: tuple[int, ...], dtype: DType, rng: Rng
) -> Law:
    """The law of an initializer as Keras has it.

    Raises `SpecError` as `initializers.compute_law` does, and where the rng does not know
    initializer or dtype.
    """
    law = _compute(init, fans, shape, rng)
    known = DTYPES[rng.get("backend")]
    if not isinstance(law, Fixed) and dtype.name not in known:
        backend = rng.get("backend")
        raise SpecError(f"{rng.name} on {backend} draws {format_choices(known)}; got {dtype.name}")
    check_range(law, dtype)
    return law


def _compute(init: inits.Init, fans: Fans | None, shape: tuple[int, ...], rng: Rng) -> Law:
    match init:
        case inits.Default():
            raise SpecError("default is for a layer, whose type tells what Keras draws for it")
        case inits.Uniform(bound=bound):
            return Uniform(settle("bound", bound, fans))
        case inits.Between(a=a, b=b):
            return _make_uniform(float(settle("a", a, fans)), float(settle("b", b, fans)))
        case inits.Normal(std=std, mean=mean):
            return make_normal(float(settle("mean", mean, fans)), settle("std", std, fans))
        case inits.TruncatedNormal(std=std, mean=mean):
            for key in ("a", "b"):
                if getattr(init, key) != inits.OF_RNGS[key]:
                    fact = f"{rng.name} cuts a normal at two of its stds"
                    raise SpecError(f"{fact}; got {format_value(getattr(init, key))}", (key,))
            mean, std = float(settle("mean", mean, fans)), float(settle("std", std, fans))
            return CutNormal(mean, std, mean - CUT * std, mean + CUT * std)
        case inits.VarianceScaling() if fans is not None:
            return scale_variance(init, fans, rng)
    return initializers.compute_law(init, fans, shape)


def scale_variance(rule: inits.VarianceScaling, fans: Fans, rng: Rng) -> Law:
    """Keras's `VarianceScaling`, whose scale is the square of a gain.

    What Keras calls GlorotNormal, HeNormal and LecunNormal are truncated normals: those names of
    ours are plain, and are refused with a hint.
    """
    refuse_plain_normal(rule, rng, "Keras", ", Keras's untruncated_normal")
    fan = initializers.compute_n(rule, fans)
    scale = square_gain(float(find_gain(rule, fans))) / max(1.0, fan)
    check_scale(scale, find_gain(rule, fans))
    if rule.distribution == "uniform":
        return Uniform(math.sqrt(3.0 * scale))
    std = math.sqrt(scale)
    return Normal(std) if rule.distribution == "normal" else TruncatedNormal(std)


def _make_uniform(low: float, high: float) -> Law:
    if not low < high:
        raise SpecError(f"a must be less than b; got {low:g} and {high:g}", ("a",))
    return Uniform(high) if low == -high else UniformOn(low, high)
