"""The distribution functions of the laws that are drawn from, and how they end."""

from __future__ import annotations

import math
from collections.abc import Callable

from xavinit.choices import Distribution
from xavinit.plan import Normal, TruncatedNormal, Uniform

Drawn = Uniform | Normal | TruncatedNormal

_CUT_BETA = math.erf(math.sqrt(2))  # the share of a normal law within two standard deviations


def make_law(distribution: Distribution, parameter: float) -> Drawn:
    """The law with this bound or std."""
    if distribution == "uniform":
        return Uniform(parameter)
    return Normal(parameter) if distribution == "normal" else TruncatedNormal(parameter)


def get_parameter(law: Drawn) -> float:
    """Its bound or std."""
    return law.bound if isinstance(law, Uniform) else law.std


def make_cdf(law: Drawn) -> Callable[[float], float]:
    """The share of values below a number."""
    erf = math.erf
    if isinstance(law, Uniform):
        bound = law.bound
        return lambda x: 0.0 if x <= -bound else 1.0 if x >= bound else (x / bound + 1) / 2
    if isinstance(law, Normal):
        scale = law.std * math.sqrt(2)
        return lambda x: 0.5 + 0.5 * erf(x / scale)
    scale = law.uncut_std * math.sqrt(2)
    end = find_end(law)
    return lambda x: (
        0.0 if x <= -end else 1.0 if x >= end else 0.5 + 0.5 * erf(x / scale) / _CUT_BETA
    )


def find_end(law: Drawn) -> float:
    """The largest magnitude of a law's values."""
    if isinstance(law, Uniform):
        return law.bound
    return 2 * law.uncut_std if isinstance(law, TruncatedNormal) else math.inf


def compute_rate(law: Uniform | TruncatedNormal) -> float:
    """The share of values near the end, for each part of it: 2·d·end."""
    if isinstance(law, Uniform):
        return 1.0
    return 4 * math.exp(-2) / math.sqrt(2 * math.pi) / _CUT_BETA


def find_peak(law: Drawn) -> float:
    """The largest density."""
    if isinstance(law, Uniform):
        return 1 / (2 * law.bound)
    if isinstance(law, Normal):
        return 1 / (law.std * math.sqrt(2 * math.pi))
    return 1 / (law.uncut_std * math.sqrt(2 * math.pi) * _CUT_BETA)
