"""Values follow their laws: fixed seeds, and limits that only a bug passes.

A million elements each. Kolmogorov–Smirnov fails below p = 1e-6, moments beyond 5 standard errors,
correlations beyond 5/√n. With fixed seeds a test that passes once passes for ever.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
from scipy import special, stats

import xavinit

Array = np.ndarray[Any, np.dtype[Any]]

N = 10**6
STD = 0.02
INITS: dict[str, Any] = {
    "uniform": {"type": "uniform", "bound": STD * math.sqrt(3)},
    "normal": {"type": "normal", "std": STD},
    "truncated_normal": {"type": "truncated_normal", "std": STD},
}
# The unit normal cut at ±c: E z² = 1 − 2cφ(c)/β and E z⁴ = 3·E z² − 2c³φ(c)/β, by parts.
CUT = 2.0
BETA = math.erf(CUT / math.sqrt(2))
DENSITY = 2 * math.exp(-CUT * CUT / 2) / math.sqrt(2 * math.pi) / BETA
SECOND = 1 - CUT * DENSITY
FOURTH = 3 * SECOND - CUT**3 * DENSITY
KURTOSIS = {"uniform": 9 / 5, "normal": 3.0, "truncated_normal": FOURTH / SECOND**2}

kinds = pytest.mark.parametrize("kind", INITS)
dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])


@lru_cache(maxsize=12)
def draw(kind: str, dtype: str, seed: int = 42, name: str = "w") -> Array:
    """A million elements, divided by the std asked for."""
    tensors = {name: {"shape": [N], "dtype": dtype, "init": INITS[kind]}}
    values = xavinit.draw({"seed": seed, "tensors": tensors})[name]
    return values.astype(np.float64) / STD


def compute_cdf(kind: str, values: Array) -> Array:
    """The distribution function of each law with mean 0 and variance 1."""
    if kind == "uniform":
        return np.asarray((values / math.sqrt(3) + 1) / 2)
    if kind == "normal":
        return np.asarray(special.ndtr(values))
    return np.asarray(0.5 + (special.ndtr(values * math.sqrt(SECOND)) - 0.5) / BETA)


def correlate(a: Array, b: Array) -> float:
    """The correlation of two samples whose true means are 0 and variances 1."""
    return abs(float(np.dot(a, b)) / len(a))


@kinds
@dtypes
def test_values_follow_the_law(kind: str, dtype: str) -> None:
    result = stats.kstest(draw(kind, dtype), lambda x: compute_cdf(kind, x), method="asymp")
    assert result.pvalue > 1e-6


@kinds
def test_absolute_values_follow_the_law(kind: str) -> None:
    """A finer look: the tails of both sides together."""
    values = np.abs(draw(kind, "float32"))
    result = stats.kstest(values, lambda x: 2 * compute_cdf(kind, x) - 1, method="asymp")
    assert result.pvalue > 1e-6


@kinds
@dtypes
def test_mean_and_variance_are_those_asked_for(kind: str, dtype: str) -> None:
    values = draw(kind, dtype)
    assert abs(values.mean()) < 5 / math.sqrt(N)
    assert abs(values.var() - 1) < 5 * math.sqrt((KURTOSIS[kind] - 1) / N)


@kinds
@dtypes
def test_signs_are_even(kind: str, dtype: str) -> None:
    values = draw(kind, dtype)
    assert abs(np.count_nonzero(values < 0) - N / 2) < 5 * math.sqrt(N) / 2
    # the sign tells nothing of the size
    assert correlate(np.sign(values), np.abs(values) - np.abs(values).mean()) < 5 / math.sqrt(N)


@kinds
def test_ends_are_reached_and_not_passed(kind: str) -> None:
    largest = np.abs(draw(kind, "float32")).max()
    # what a million elements reach, but for one chance in e¹²
    reach = {"uniform": math.sqrt(3), "normal": 6.0, "truncated_normal": CUT / math.sqrt(SECOND)}
    assert 0.999 * reach[kind] * (0.75 if kind == "normal" else 1) < largest
    assert largest <= reach[kind] * (1 + 1e-6)


@kinds
@dtypes
def test_other_names_and_seeds_are_not_correlated(kind: str, dtype: str) -> None:
    values = draw(kind, dtype)
    for seed, name in ((42, "v"), (42, "w.weight"), (43, "w"), (0, "w"), (2**64 - 1, "w")):
        assert correlate(values, draw(kind, dtype, seed, name)) < 5 / math.sqrt(N), (seed, name)


@kinds
@dtypes
def test_neighbours_are_not_correlated(kind: str, dtype: str) -> None:
    values = draw(kind, dtype)
    squares = (values**2 - 1) / math.sqrt(KURTOSIS[kind] - 1)
    for lag in (1, 2, 3, 4, 7, 8, 16, 1024, 2**17):
        assert correlate(values[:-lag], values[lag:]) < 5 / math.sqrt(N - lag), lag
        assert correlate(squares[:-lag], squares[lag:]) < 5 / math.sqrt(N - lag), lag


def test_rows_and_columns_are_not_correlated() -> None:
    values = draw("normal", "float32").reshape(1000, 1000)
    strongest = 0.0
    for matrix in (values, values.T):
        products = np.abs(matrix @ matrix.T / 1000)
        np.fill_diagonal(products, 0)
        strongest = max(strongest, products.max())
    # half a million pairs: each beyond 7/√n with a chance of 3e-12
    assert strongest < 7 / math.sqrt(1000)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float8_e5m2", "float8_e4m3fn"])
def test_smaller_dtypes_keep_mean_and_variance(dtype: str) -> None:
    init = {"type": "normal", "std": 1.0}
    values = xavinit.draw({"tensors": {"w": {"shape": [N], "dtype": dtype, "init": init}}})["w"]
    wide = values.astype(np.float64)
    assert abs(wide.mean()) < 6 / math.sqrt(N)
    # rounding to 2 stored bits adds about 1/48 of the mean squared ulp: 0.5 % of the variance
    assert abs(wide.var() - 1) < 0.01
