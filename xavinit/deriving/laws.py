"""What a tensor is drawn from, by its name, shape and dtype."""

from __future__ import annotations

import math
import re
from typing import Any

from msgspec import Struct

from xavinit.deriving.axes import AxisGuess
from xavinit.deriving.values import Family
from xavinit.deriving.words import Words, split_words
from xavinit.dtypes import DTYPES
from xavinit.inits import NAMED

_NORM = re.compile(
    r"(^|[._/])(layer|group|batch|rms|instance)?_?(norm|ln|bn|gn)s?(_?[a-z0-9]{1,8})?\Z|norm|_ln\Z|^ln_",
    re.I,
)
_BIAS = re.compile(
    r"(^|[._/])(bias|beta|b)(es)?(_(ih|hh)(_l\d+)?(_reverse)?)?(:0)?\Z|_bias\Z", re.I
)
_SCALE = re.compile(
    r"(^|[._])((\w+_)?(scales?|scaling_factor|scale_parameter|scale_inv)|gamma|lambda_?[12]|ls[12])\Z",
    re.I,
)
_KERAS_NORM = ("ones", "zeros", "zeros", "ones")  # gamma, beta, moving mean, moving variance


class Start(Struct, frozen=True):
    """The initializer of a family, None for the model's own, and what a comment says of it."""

    init: Any = None
    note: str = ""


def choose_start(family: Family, axes: AxisGuess) -> Start:
    """The initializer of a family."""
    if family.init is not None or family.tied is not None or 0 in family.shape:
        return Start(family.init, family.note)
    words = split_words(family.first)
    if not DTYPES[family.dtype].is_float:
        return _choose_integer(family, words)
    init = _choose_by_name(family, words)
    if init is not None:
        return Start(init)
    if axes.has_fans(len(family.shape)):
        if _rounds_to_zero(family):
            return Start("zeros", f"Glorot's numbers are too small for {family.dtype}")
        return Start()
    if words.part in ("weight", "scale", "gamma") and len(family.shape) == 1:
        return Start("ones", "a norm's? it has one axis")
    return Start("zeros", "zeros? by its name, it may be anything")


def needs_axes(init: Any) -> bool:
    """Does an initializer, as a spec writes it, give other numbers for other fans?"""
    if not isinstance(init, dict):
        return init is None or init in NAMED
    kind, numbers = init["type"], map(str, init.values())
    return kind == "variance_scaling" or kind in NAMED or any("fan_" in n for n in numbers)


def _rounds_to_zero(family: Family) -> bool:
    """May Glorot's numbers be too small for the dtype? With fans of all that is not an axis."""
    size = math.prod(family.shape)
    return math.sqrt(6 / size) < 4 * DTYPES[family.dtype].smallest and _is_wide(family)


def _is_wide(family: Family) -> bool:
    """Would both axes of the fans have to be very large?"""
    sizes = sorted(family.shape)
    field = math.prod(family.shape) // (sizes[-1] * sizes[-2])
    least = field * (sizes[-1] + sizes[-2])
    return math.sqrt(6 / least) < 4 * DTYPES[family.dtype].smallest


def _choose_integer(family: Family, words: Words) -> Start:
    shape = family.shape
    is_row = len(shape) > 0 and all(size == 1 for size in shape[:-1])
    if words.module.endswith("position_ids") and is_row:
        kind = DTYPES[family.dtype]
        if kind.name != "bool" and shape[-1] - 1 <= kind.largest:
            return Start("arange")
    if words.variable is None and _NORM.search(words.module) and words.part == "running_var":
        return Start("ones")
    return Start("zeros")


def _choose_by_name(family: Family, words: Words) -> Any:
    """What the name says of the initializer, or None."""
    name, rank = family.first, len(family.shape)
    if words.part in ("running_mean", "moving_mean"):
        return "zeros"
    if words.part in ("running_var", "moving_variance"):
        return "ones"
    is_norm = _NORM.search(words.module) is not None
    if words.variable is not None:
        if is_norm and rank == 1 and words.variable < 4:
            return _KERAS_NORM[words.variable]
        return "zeros" if rank == 1 and words.variable > 0 else None
    if words.part in ("mean", "var") and is_norm:  # Flax's
        return "zeros" if words.part == "mean" else "ones"
    if _BIAS.search(name):
        return "zeros"
    if is_norm and words.part in ("weight", "scale", "gamma", "g", "w", ""):
        return "ones" if rank == 1 or words.part in ("scale", "gamma") or "norm" in name else None
    if words.part in ("embedding", "embeddings") and rank < 2:
        return None
    if _SCALE.search(name.removesuffix(":0")):
        return "ones"
    if words.module == "A_log" and rank > 0 and family.shape[-1] <= 10_000:
        return "log_arange"
    if words.module == "D" and re.search(r"mixer|mamba|ssm", words.inside):
        return "ones"
    return None
