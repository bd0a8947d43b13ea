"""Initializers → laws under the rng of JAX: its fans, its arithmetic, its dtypes.

In the order of jax/_src/nn/initializers.py (0.10): the variance is float64 of Python, rounded to
the dtype; what is made of it is rounded to the dtype at each step. Nothing is approximated: what
was not redrawn bit for bit is refused by name.
"""

from __future__ import annotations

import math
import struct

from xavinit import inits
from xavinit.dtypes import DType
from xavinit.errors import SpecError
from xavinit.layers import Axes
from xavinit.plan import fans as named_fans
from xavinit.plan import initializers
from xavinit.plan.fans import Fans
from xavinit.plan.framework_laws import refuse_plain_normal, square_gain
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

UNIFORM = ("float64", "float32", "float16", "bfloat16")
NORMAL = ("float32",)
CUT = 2.0  # stds, at which JAX's truncated normals end


def compute_fans(shape: tuple[int, ...], axes: Axes) -> Fans | None:
    """The fans of a shape as JAX's `_compute_fans` has them, by in_axis=-2 and out_axis=-1.

    >>> compute_fans((3, 3, 16, 32), Axes("in_out"))
    Fans(fan_in=144, fan_out=288)
    """
    return named_fans.compute_fans(shape, axes)


def compute_law(
    init: inits.Init, fans: Fans | None, shape: tuple[int, ...], dtype: DType, rng: Rng
) -> Law:
    """The law of an initializer as JAX has it.

    Raises `SpecError` as `initializers.compute_law` does, and where the rng does not know
    initializer or dtype.
    """
    if isinstance(init, inits.Default):
        raise SpecError("default is for a layer, whose type tells what Flax draws for it")
    law = _compute(init, fans, shape, dtype, rng)
    if isinstance(law, Fixed):
        check_range(law, dtype)
        return law
    known = UNIFORM if isinstance(law, Uniform | UniformOn) else NORMAL
    if dtype.name not in known:
        kind = "uniform" if known is UNIFORM else "normal"
        fact = f"{rng.name} draws {kind} laws in {format_choices(known)}; got {dtype.name}"
        raise SpecError(fact)
    if dtype.name == "float64" and rng.get("x64") == "false":
        raise SpecError(
            f"{rng.name} draws float64 with x64 alone: JAX makes it float32 otherwise",
            hint="rng: {type: jax-0.10, x64: true}",
        )
    check_range(law, dtype)
    return law


def _compute(
    init: inits.Init, fans: Fans | None, shape: tuple[int, ...], dtype: DType, rng: Rng
) -> Law:
    match init:
        case inits.Uniform(bound=bound):
            high = _read_scale("bound", bound, fans, dtype)
            return _make_uniform(-high, high)
        case inits.Between(a=a, b=b):
            return _make_uniform(_read("a", a, fans, dtype), _read("b", b, fans, dtype))
        case inits.Normal(std=std):
            _refuse_keys(init, rng)
            return Normal(_read_scale("std", std, fans, dtype))
        case inits.TruncatedNormal(std=std):
            _refuse_keys(init, rng)
            cut = _read_scale("std", std, fans, dtype)
            return CutNormal(0.0, cut, -CUT * cut, CUT * cut)
        case inits.VarianceScaling() if fans is not None:
            return scale_variance(init, fans, dtype, rng)
    return initializers.compute_law(init, fans, shape)


def scale_variance(rule: inits.VarianceScaling, fans: Fans, dtype: DType, rng: Rng) -> Law:
    """JAX's `variance_scaling`, whose scale is the square of a gain.

    What JAX calls glorot_normal, he_normal and lecun_normal are truncated normals: those names of
    ours are plain, and are refused with a hint.
    """
    refuse_plain_normal(rule, rng, "JAX")
    gain = float(find_gain(rule, fans))
    variance = round_to(square_gain(gain) / initializers.compute_n(rule, fans), dtype)
    if rule.distribution == "uniform":
        scale = round_to(math.sqrt(round_to(3.0 * variance, dtype)), dtype)
    else:  # a truncated one is divided when it is drawn
        scale = round_to(math.sqrt(variance), dtype)
    check_scale(scale, find_gain(rule, fans))
    if rule.distribution == "uniform":
        return Uniform(scale)
    return Normal(scale) if rule.distribution == "normal" else TruncatedNormal(scale)


def round_to(value: float, dtype: DType) -> float:
    """A number as `jnp.array(value, dtype)` has it: bfloat16 by way of float32.

    >>> from xavinit.dtypes import DTYPES
    >>> round_to(0.1, DTYPES["float16"]), round_to(0.1, DTYPES["bfloat16"])
    (0.0999755859375, 0.10009765625)
    """
    code = {"float16": "<e", "float32": "<f", "bfloat16": "<f"}.get(dtype.name)
    if code is None:
        return value
    try:
        packed = struct.pack(code, value)
    except OverflowError:
        return math.copysign(math.inf, value)
    if dtype.name == "bfloat16":
        bits = int.from_bytes(packed, "little")
        bits = (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000
        packed = bits.to_bytes(4, "little")
    (rounded,) = struct.unpack(code, packed)
    return float(rounded)


def _read(key: str, number: inits.Number | inits.Formula, fans: Fans | None, dtype: DType) -> float:
    value = float(settle(key, number, fans))
    rounded = round_to(value, dtype)
    if not math.isfinite(rounded):
        raise SpecError(f"must be finite in {dtype.name}; got {value:g}", (key,))
    return rounded


def _read_scale(
    key: str, number: inits.Number | inits.Formula, fans: Fans | None, dtype: DType
) -> float:
    scale = _read(key, number, fans, dtype)
    if not scale > 0:
        fact = f"must be positive in {dtype.name}; got {float(settle(key, number, fans)):g}"
        raise SpecError(fact, (key,))
    return scale


def _make_uniform(low: float, high: float) -> Law:
    if not low < high:
        raise SpecError(f"a must be less than b; got {low:g} and {high:g}", ("a",))
    return UniformOn(low, high)


def _refuse_keys(init: inits.Normal | inits.TruncatedNormal, rng: Rng) -> None:
    facts = {"mean": "has no other mean than 0", "a": "cuts a normal at two of its stds"}
    for key, value in inits.OF_RNGS.items():
        given = getattr(init, key, value)
        if given != value:
            fact = f"{rng.name} {facts.get(key, facts['a'])}; got {format_value(given)}"
            raise SpecError(fact, (key,))
