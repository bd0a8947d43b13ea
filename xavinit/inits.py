"""Initializers as a spec names them: a struct for each kind, with the parameters that it takes.

To add one that scales the variance: a line in `_FAMILIES`. To add another kind: its struct, a line
in `KINDS`, and what docs/architecture.md names beside. A test fails until its golden values exist.
"""

from __future__ import annotations

import math
from typing import Annotated

from msgspec import NODEFAULT, Meta, Struct

from xavinit.choices import Distribution, GainName, Mode

# PyTorch's torch.nn.init.calculate_gain, with leaky_relu's default slope of 0.01.
GAINS: dict[GainName, float] = {
    "linear": 1.0,
    "sigmoid": 1.0,
    "tanh": 5.0 / 3.0,
    "relu": math.sqrt(2.0),
    "leaky_relu": math.sqrt(2.0 / (1.0 + 0.01**2)),
    "selu": 0.75,
}


class Formula(Struct, frozen=True):
    """An expression that needs a tensor's fans: its text, and the dims that it names."""

    text: str
    dims: tuple[tuple[str, int], ...] = ()


Number = bool | int | float
MOST_VALUES = 10_000  # numbers in a list of them
LARGEST_LOG = 10_000  # up to which number there are logarithms; each takes 30 µs
Positive = Annotated[float, Meta(gt=0)]
Finite = int | float


class Init(Struct, frozen=True, kw_only=True):
    """An initializer: its name in the spec, and its parameters."""

    name: str


class Zeros(Init, frozen=True, kw_only=True):
    """Zero everywhere."""

    name: str = "zeros"


class Ones(Init, frozen=True, kw_only=True):
    """One everywhere."""

    name: str = "ones"


class Constant(Init, frozen=True, kw_only=True):
    """One number everywhere."""

    name: str = "constant"
    value: Annotated[Number | Formula, Meta(description="The number of a constant.")]


class Arange(Init, frozen=True, kw_only=True):
    """start, start + step, start + 2·step … along the last axis, each `repeat` times: element k is
    start + step·(k // repeat), the same for every index of the other axes.
    """

    name: str = "arange"
    start: Annotated[int | float, Meta(description="The first number.")] = 0
    step: Annotated[int | float, Meta(description="What each number adds to the last.")] = 1
    repeat: Annotated[
        int, Meta(description="How many neighbors along the last axis have one number.")
    ] = 1


class Values(Init, frozen=True, kw_only=True, eq=False):
    """The numbers of a list, as many as the tensor has elements, in C order.

    Each is itself alone: comparing lists, in which −0 equals 0, would serve nothing.
    """

    name: str = "values"
    values: Annotated[
        tuple[Number, ...],
        Meta(max_length=MOST_VALUES, description="The elements in C order."),
    ]


class LogArange(Init, frozen=True, kw_only=True):
    """ln 1, ln 2 … along the last axis, as in the A_log of a Mamba."""

    name: str = "log_arange"


class Default(Init, frozen=True, kw_only=True):
    """A layer's own numbers, as its framework's module has them when made; of an rng alone."""

    name: str = "default"


class GateConstant(Constant, frozen=True, kw_only=True):
    """A number in one gate of a recurrent layer's bias, zero in the others. Only a layer's key
    `forget_bias` gives it.
    """

    value: Number  # no formula
    gate: int  # its place in PyTorch's order
    size: int  # elements of a gate


class Uniform(Init, frozen=True, kw_only=True):
    """Uniform on (−bound, bound)."""

    name: str = "uniform"
    bound: Annotated[Positive | Formula, Meta(description="A uniform law's: draws from ±bound.")]


class Between(Init, frozen=True, kw_only=True):
    """Uniform on [a, b): another form of `uniform`, which only the rng of a framework draws."""

    name: str = "uniform"
    a: Annotated[Finite | Formula, Meta(description="Where an rng's law begins.")]
    b: Annotated[Finite | Formula, Meta(description="Where an rng's law ends.")]


class Normal(Init, frozen=True, kw_only=True):
    """Normal with mean 0."""

    name: str = "normal"
    std: Annotated[Positive | Formula, Meta(description="The standard deviation.")]
    mean: Annotated[
        Finite | Formula, Meta(description="An rng's law has a mean; 0 by default.")
    ] = 0


class TruncatedNormal(Init, frozen=True, kw_only=True):
    """Normal, cut at two of its own standard deviations; `std` is that of the cut law."""

    name: str = "truncated_normal"
    std: Annotated[Positive | Formula, Meta(description="The standard deviation.")]
    mean: Annotated[
        Finite | Formula, Meta(description="An rng's law has a mean; 0 by default.")
    ] = 0
    a: Annotated[Finite | Formula, Meta(description="Where an rng's law begins.")] = -2
    b: Annotated[Finite | Formula, Meta(description="Where an rng's law ends.")] = 2


class VarianceScaling(Init, frozen=True, kw_only=True):
    """The rule behind all that have fans: mean 0 and variance gain²/n, n being a fan or their
    mean.
    """

    name: str = "variance_scaling"
    mode: Annotated[Mode, Meta(description="The n of the variance: which fan.")]
    distribution: Annotated[Distribution, Meta(description="The distribution to draw from.")]
    gain: Annotated[
        Positive | GainName | Formula,
        Meta(description="Multiplies the std: a positive number or a name."),
    ] = 1.0


def _name_rule(name: str, mode: Mode, distribution: Distribution, gain: float) -> VarianceScaling:
    return VarianceScaling(name=name, mode=mode, distribution=distribution, gain=gain)


# The names for a mode and a gain; each comes in the three distributions.
_FAMILIES: dict[str, tuple[Mode, float]] = {
    # Glorot and Bengio (2010), equation 12 (normal) and 16 (uniform)
    "glorot": ("fan_avg", 1.0),
    # the same, by the first author's given name, as PyTorch calls them
    "xavier": ("fan_avg", 1.0),
    # He et al. (2015), "Delving deep into rectifiers", equation 10
    "he": ("fan_in", GAINS["relu"]),
    # LeCun et al. (1998), "Efficient BackProp", equation 16
    "lecun": ("fan_in", 1.0),
    # he's, by the first author's given name, as PyTorch calls them
    "kaiming": ("fan_in", GAINS["relu"]),
}
_DISTRIBUTIONS: tuple[Distribution, ...] = ("uniform", "normal", "truncated_normal")

NAMED: dict[str, VarianceScaling] = {
    rule.name: rule
    for family, (mode, gain) in _FAMILIES.items()
    for distribution in _DISTRIBUTIONS
    for rule in (_name_rule(f"{family}_{distribution}", mode, distribution, gain),)
}

# The kinds by the name that stands for each in a spec; a named rule is a VarianceScaling that
# takes a gain alone.
KINDS: dict[str, type[Init]] = {
    "variance_scaling": VarianceScaling,
    "zeros": Zeros,
    "ones": Ones,
    "constant": Constant,
    "uniform": Uniform,
    "normal": Normal,
    "truncated_normal": TruncatedNormal,
    "arange": Arange,
    "values": Values,
    "log_arange": LogArange,
    "default": Default,
}
NAMES = (*KINDS, *NAMED)


# Keys that only the rng of a framework knows; without one they must have these values.
OF_RNGS: dict[str, Finite] = {"mean": 0, "a": -2, "b": 2}


def needs_fans(init: Init) -> bool:
    """Is its law another for other fans?"""
    if isinstance(init, VarianceScaling):
        return True
    return any(isinstance(getattr(init, key), Formula) for key in init.__struct_fields__)


def list_keys(name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The keys that an initializer takes beside `type`: those it needs, those it may have.

    >>> list_keys("variance_scaling"), list_keys("he_normal")
    ((('mode', 'distribution'), ('gain',)), ((), ('gain',)))
    """
    if name in NAMED:
        return (), ("gain",)
    kind = KINDS[name]
    keys = kind.__struct_fields__[1:]  # the first is the name
    has_default = [default is not NODEFAULT for default in kind.__struct_defaults__[1:]]
    needed = tuple(key for key, has in zip(keys, has_default, strict=True) if not has)
    return needed, tuple(key for key in keys if key not in needed)


def describe(init: Init) -> str | dict[str, object]:
    """The initializer as a spec gives it.

    >>> describe(Normal(std=0.5)), describe(NAMED["glorot_normal"])
    ({'type': 'normal', 'std': 0.5}, 'glorot_normal')
    """
    needed, optional = (("a", "b"), ()) if isinstance(init, Between) else list_keys(init.name)
    keys: tuple[str, ...] = (*needed, *optional)
    parameters = {key: getattr(init, key) for key in keys}
    for key, value in parameters.items():
        if isinstance(value, Formula):
            parameters[key] = value.text
    default = NAMED[init.name].gain if init.name in NAMED else 1.0
    if parameters.get("gain") == default:
        del parameters["gain"]
    if not isinstance(init, Between):
        for key, value in OF_RNGS.items():
            if parameters.get(key) == value:
                del parameters[key]
    return {"type": init.name, **parameters} if parameters else init.name
