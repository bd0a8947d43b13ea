"""Histograms and quantiles from narrow bins, against NumPy on the values themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from bins import Array, make_bins, to_dtype

from xavinit.reading import QUANTILES, compute_quantiles, make_histogram

RNG = np.random.default_rng(16)
N = 20_000

SAMPLES: dict[str, Array] = {
    "normal": RNG.normal(0, 0.02, N),
    "uniform": RNG.uniform(-0.07, 0.07, N),
    "heavy": RNG.standard_t(2, N),
    "positive": RNG.exponential(3.0, N),
    "negative": -RNG.exponential(3e-5, N),
    "lopsided": RNG.normal(1.0, 2.0, N),
    "near one": RNG.normal(1.0, 0.03, N),
    "very near one": RNG.normal(1.0, 1e-4, N),
    "two": RNG.choice([-0.5, 0.5], N),
    "zeros": np.zeros(7),
    "negative zeros": np.full(7, -0.0),
    "constant": np.full(9, 0.1),
    "one value": np.array([-3.7]),
    "powers": np.exp2(RNG.integers(-10, 9, N)),
    "ends": np.linspace(-1, 1, 4097),
}
FLOATS = ["float64", "float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2"]
INTEGERS: dict[str, Array] = {
    "bytes": RNG.integers(-128, 128, N).astype(np.int8),
    "unsigned": RNG.integers(0, 256, N).astype(np.uint8),
    "bool": RNG.integers(0, 2, N).astype(np.bool_),
    "all true": np.ones(5, np.bool_),
    "short": RNG.integers(-30000, 30000, N).astype(np.int16),
    "few": RNG.integers(0, 5, N).astype(np.int32),
    "arange": np.arange(N, dtype=np.int64),
    "large": RNG.integers(2**40, 2**41, N),
}

cases = pytest.mark.parametrize(
    ("name", "dtype"),
    [(name, dtype) for name in SAMPLES for dtype in FLOATS] + [(name, "") for name in INTEGERS],
)


def get(name: str, dtype: str) -> tuple[Array, Any, Any]:
    """Values of the dtype, the least and the largest of them."""
    values = INTEGERS[name] if name in INTEGERS else to_dtype(SAMPLES[name], dtype)
    if values.dtype.kind in "iub":
        return values, int(values.min()), int(values.max())
    wide = values.astype(np.float64)
    return values, float(wide.min()), float(wide.max())


@cases
def test_counts_are_those_of_numpy(name: str, dtype: str) -> None:
    values, least, largest = get(name, dtype)
    found = make_histogram(make_bins(values), least, largest)
    counts, _ = np.histogram(values.astype(np.float64), found.edges)
    assert found.counts == tuple(counts)
    assert sum(found.counts) == values.size


@cases
def test_edges_are_multiples_of_a_power_of_two_and_none_is_wasted(name: str, dtype: str) -> None:
    values, least, largest = get(name, dtype)
    found = make_histogram(make_bins(values), least, largest)
    width = found.edges[1] - found.edges[0]
    assert np.frexp(width)[0] == 0.5
    assert np.array_equal(np.diff(found.edges), np.full(len(found.counts), width))
    assert found.edges[0] % width == 0
    assert found.edges[0] <= least < found.edges[1]
    assert found.edges[-2] <= largest < found.edges[-1]
    assert len(found.counts) <= 128


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
@pytest.mark.parametrize("name", ["normal", "uniform", "positive", "negative", "ends"])
def test_there_are_65_bins_at_least(name: str, dtype: str) -> None:
    values, least, largest = get(name, dtype)
    assert len(make_histogram(make_bins(values), least, largest).counts) >= 65


@pytest.mark.parametrize(
    ("name", "dtype", "count"),
    [
        ("near one", "float32", 1 + (1145 - 885) * 128 // 1000),  # of 1/128, not finer
        ("very near one", "float32", 2),
        ("zeros", "float32", 1),
        ("constant", "float32", 1),
        ("bool", "", 2),
        ("few", "", 5),
        ("bytes", "", 128),
        ("arange", "", 79),  # of 256
    ],
)
def test_values_that_cannot_be_told_apart_share_a_bin(name: str, dtype: str, count: int) -> None:
    values, least, largest = get(name, dtype)
    found = len(make_histogram(make_bins(values), least, largest).counts)
    assert abs(found - count) <= (4 if name == "near one" else 0)


def test_float8_leaves_no_comb() -> None:
    values, least, largest = get("uniform", "float8_e4m3fn")
    found = make_histogram(make_bins(values), least, largest)
    assert len(found.counts) >= 16
    assert min(found.counts) > 0


@pytest.mark.parametrize("scale", [1e-300, 1e-40, 1e30, 1e39, 1e300, 1.7e308])
def test_numbers_beyond_float32_are_counted(scale: float) -> None:
    values = np.array([-1.0, -0.5, 0.25, 0.5, 1.0]) * scale
    found = make_histogram(make_bins(values), values.min(), values.max())
    counts, _ = np.histogram(values, found.edges)
    assert found.counts == tuple(counts)


@cases
def test_quantiles_are_those_of_numpy(name: str, dtype: str) -> None:
    """In a wide dtype within 1/128, the width of a narrow bin; else the very same."""
    values, least, largest = get(name, dtype)
    bins = make_bins(values)
    found = compute_quantiles(bins, least, largest)
    wide = values.astype(np.float64)
    expected = np.quantile(wide, QUANTILES, method="inverted_cdf")
    limit = 0 if bins.is_exact else np.abs(expected) / 128
    assert np.all(np.abs(found - expected) <= limit)
    assert all(least <= value <= largest for value in found)


@pytest.mark.parametrize("name", ["normal", "uniform", "heavy", "positive"])
def test_quantiles_of_many_values_are_closer(name: str) -> None:
    values, least, largest = get(name, "float32")
    found = compute_quantiles(make_bins(values), least, largest)
    expected = np.quantile(values.astype(np.float64), QUANTILES, method="inverted_cdf")
    assert np.all(np.abs(found - expected) <= np.abs(expected) / 512 + 1e-5)


def test_small_integers_have_their_very_quantiles() -> None:
    values, least, largest = get("few", "")
    found = compute_quantiles(make_bins(values), least, largest)
    assert list(found) == np.quantile(values, QUANTILES, method="inverted_cdf").tolist()
