"""The figures of a tensor against exact arithmetic, NumPy and ml_dtypes, by each kernel."""

from __future__ import annotations

import importlib
import math
import sys
from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from reading_cases import count, summarize_bytes

from xavinit.dtypes import STORED_DTYPES
from xavinit.reading import Bins, Summary
from xavinit.reading.kernels import KERNELS

RNG = np.random.default_rng(7)
CODES = [name for name, dtype in STORED_DTYPES.items() if dtype.bits <= 16]
FLOATS = ("float64", "float32")


@pytest.fixture
def reader(kernel: str) -> Any:
    """The module of each kernel by turns."""
    return importlib.import_module(KERNELS[kernel])


def find_dtype(name: str) -> Any:
    """NumPy's or ml_dtypes' type of a dtype; one of 4 or 6 bits has a byte for each element."""
    try:
        return np.dtype(getattr(ml_dtypes, name, name))
    except TypeError:
        pytest.skip("this ml_dtypes is older")


def compute_exactly(values: Any) -> tuple[float, float]:
    """Mean and std as rational numbers, rounded at the end alone."""
    exact = [Fraction(float(x)) if x.dtype.kind == "f" else Fraction(int(x)) for x in values]
    mean = sum(exact) / len(exact)
    variance = sum((x - mean) ** 2 for x in exact) / len(exact)
    shift = 0  # by a power of 4, so that the variance is a float64 whose root is exact enough
    while variance and not 2.0**-100 < abs(variance * Fraction(4) ** shift) < 2.0**100:
        shift += 1 if variance * Fraction(4) ** shift < 1 else -1
    return float(mean), math.ldexp(math.sqrt(variance * Fraction(4) ** shift), -shift)


# --- Mean and standard deviation ---------------------------------------------------------------

HARD = {
    "far from zero": 1e6 + RNG.normal(0, 1e-3, 3000),
    "far from zero, in turns": 1e6 + np.tile([1e-9, -1e-9], 1500),
    "subnormal": RNG.integers(-9, 9, 500) * 5e-324,
    "tiny": RNG.normal(0, 1e-200, 500),
    "huge": RNG.normal(0, 1e200, 500),
    "at both ends": np.tile([-sys.float_info.max, sys.float_info.max], 300),
    "largest": np.full(300, sys.float_info.max),
    "one far away at the start": np.array([1e6, *RNG.normal(0, 1e-3, 999)]),
    "one far away at the end": np.array([*RNG.normal(0, 1e-3, 999), 1e6]),
    "of every magnitude": 2.0 ** RNG.uniform(-1070, 1020, 800),
    "one huge among tiny": np.array([1e-300] * 99 + [1e300]),
    "one": np.array([-3.25]),
}


@pytest.mark.parametrize("title", HARD)
def test_mean_and_std_are_exact_to_the_last_digits(title: str, reader: Any) -> None:
    values = HARD[title]
    found = summarize_bytes(reader, "float64", values.tobytes())
    mean, std = compute_exactly(values)
    assert found.mean == pytest.approx(mean, rel=1e-13, abs=1e-13 * std)
    assert found.std == pytest.approx(std, rel=1e-12, abs=5e-324)
    assert (found.min, found.max) == (values.min(), values.max())


@pytest.mark.parametrize("name", ["float32", "float64", "int32", "uint32", "int64", "uint64"])
def test_many_runs_are_merged(name: str, reader: Any) -> None:
    """Of numbers that drift, so that the runs' means differ; in integers, near the largest."""
    size = 3 * 65536 + 777
    values = RNG.normal(0, 1, size) + np.arange(size) / 65536
    if name in FLOATS:
        values = values.astype(name)
        exact = values.astype(np.float64)
        mean = math.fsum(exact) / size
        std = math.sqrt(math.fsum((exact - mean) ** 2) / size)
    else:
        scale = 1e9 if name.endswith("64") else 1e3
        values = np.array(np.iinfo(name).max, name) - np.abs(values * scale).astype(name)
        total = sum(values.tolist())
        mean = total / size
        std = math.sqrt(size * sum(x * x for x in values.tolist()) - total**2) / size
    found = summarize_bytes(reader, name, values.tobytes())
    assert found.mean == pytest.approx(mean, rel=1e-14)
    # A mean near 2⁶⁴ is a multiple of 1024.
    assert found.std == pytest.approx(std, rel=1e-6 if name in ("int64", "uint64") else 1e-10)
    assert (found.min, found.max) == (values.min(), values.max())


def test_integers_beyond_float64_have_exact_extremes(reader: Any) -> None:
    largest = np.array([2**64 - 1, 2**64 - 2, 0], np.uint64)
    found = summarize_bytes(reader, "uint64", largest.tobytes())
    assert (found.min, found.max, found.zeros) == (0, 2**64 - 1, 1)
    ends = np.array([-(2**63), 2**63 - 1], np.int64)
    found = summarize_bytes(reader, "int64", ends.tobytes())
    assert (found.min, found.max) == (-(2**63), 2**63 - 1)


@pytest.mark.parametrize("name", FLOATS)
@pytest.mark.parametrize("share", [0.001, 0.5, 0.999])
def test_numbers_that_are_not_finite_are_counted_and_left_out(
    name: str, share: float, reader: Any
) -> None:
    values = RNG.normal(5, 1, 70_000).astype(name)
    strange = np.array([np.nan, -np.nan, np.inf, -np.inf, np.inf], name)
    hit = RNG.random(len(values)) < share
    values[hit] = RNG.choice(strange, hit.sum())
    found = summarize_bytes(reader, name, values.tobytes())
    finite = values[np.isfinite(values)].astype(np.float64)
    assert found.nans == np.isnan(values).sum()
    assert found.positive_infinities == np.isposinf(values).sum()
    assert found.negative_infinities == np.isneginf(values).sum()
    assert found.mean == pytest.approx(finite.mean(), rel=1e-13)
    assert found.std == pytest.approx(finite.std(), rel=1e-12)
    assert (found.min, found.max) == (finite.min(), finite.max())


@pytest.mark.parametrize("name", STORED_DTYPES)
def test_an_empty_tensor_has_no_figures(name: str, reader: Any) -> None:
    assert summarize_bytes(reader, name, b"") == Summary(0)


@pytest.mark.parametrize("name", ["float32", "float64", "float16", "bfloat16", "float8_e5m2"])
def test_without_a_finite_number_there_are_no_figures(name: str, reader: Any) -> None:
    values = np.array([np.nan, np.inf, np.inf, -np.inf], find_dtype(name))
    found = summarize_bytes(reader, name, values.tobytes())
    assert found == Summary(4, nans=1, positive_infinities=2, negative_infinities=1)


@pytest.mark.parametrize("name", ["float32", "float64", "float16", "bfloat16"])
def test_a_constant_is_exact(name: str, reader: Any) -> None:
    values = np.full(200_000, 0.1, find_dtype(name))
    found = summarize_bytes(reader, name, values.tobytes())
    assert found.mean == found.min == found.max == float(values[0])
    assert found.std == 0


@pytest.mark.parametrize("name", ["float32", "float64", "float16", "bfloat16", "float4_e2m1fn"])
def test_negative_zeros_are_zeros(name: str, reader: Any) -> None:
    if name == "float4_e2m1fn":
        content = b"\x88\x80"
    else:
        content = np.array([-0.0, -0.0, -0.0, 0.0], find_dtype(name)).tobytes()
    found = summarize_bytes(reader, name, content)
    assert found.zeros == 4
    figures = (found.mean, found.std, found.min, found.max)
    assert [math.copysign(1, x) for x in figures if x is not None] == [1, 1, 1, 1]
    assert figures == (0, 0, 0, 0)


def test_a_complex_number_counts_as_two(reader: Any) -> None:
    values = np.array([1 + 2j, complex(np.nan, 0), complex(-4, np.inf)])
    for name in ("complex64", "complex128"):
        found = summarize_bytes(reader, name, values.astype(name).tobytes())
        assert (found.size, found.zeros, found.nans, found.positive_infinities) == (6, 1, 1, 1)
        assert (found.min, found.max, found.mean) == (-4, 2, -0.25)


# --- Narrow dtypes: every code -----------------------------------------------------------------


@pytest.mark.parametrize("name", CODES)
def test_every_code_is_what_its_library_says(name: str, reader: Any) -> None:
    """Each code once, and the first half of them once more."""
    dtype = STORED_DTYPES[name]
    codes = np.arange(2 if dtype.kind == "bool" else 2**dtype.bits, dtype=np.uint32)
    codes = np.concatenate([codes, codes[: len(codes) // 2]])
    values = codes.astype("u2" if dtype.bits == 16 else "u1").view(find_dtype(name))
    with np.errstate(invalid="ignore"):  # signaling NaNs
        values = values.astype(np.float64)
    if dtype.bits < 8:  # the first code has the lowest bits
        codes = np.resize(codes, -(-len(codes) // 8) * 8)
        values = np.resize(values, len(codes))
        bits = codes[:, None] >> np.arange(dtype.bits) & 1
        content = np.packbits(bits.astype(np.uint8), bitorder="little").tobytes()
    else:
        content = codes.astype("u2" if dtype.bits == 16 else "u1").tobytes()
    found = summarize_bytes(reader, name, content)
    finite = values[np.isfinite(values)]
    assert found.size == len(values)
    assert found.zeros == (values == 0).sum()
    assert found.nans == np.isnan(values).sum()
    assert found.positive_infinities == np.isposinf(values).sum()
    assert found.negative_infinities == np.isneginf(values).sum()
    assert (found.min, found.max) == (finite.min(), finite.max())
    assert isinstance(found.min, int) == (dtype.kind in ("integer", "bool"))
    assert found.mean == pytest.approx(math.fsum(finite) / len(finite), rel=1e-12, abs=1e-12)
    assert found.std == pytest.approx(finite.std(), rel=1e-12)
    bins = count(reader, dtype, [memoryview(content)])[0].bins
    kinds, counts = np.unique(finite, return_counts=True)
    assert bins.is_exact
    assert list(bins.values) == kinds.tolist()
    assert list(bins.counts) == counts.tolist()


@pytest.mark.parametrize("name", [n for n in CODES if STORED_DTYPES[n].is_float])
def test_a_bin_of_a_code_is_what_rounds_to_it(name: str, reader: Any) -> None:
    dtype = STORED_DTYPES[name]
    content = RNG.permutation(np.arange(2**16, dtype="u2")).tobytes()
    bins = count(reader, dtype, [memoryview(content[: len(content) // 24 * 24])])[0].bins
    lower, upper, values = (np.array(x) for x in (bins.lower, bins.upper, bins.values))
    assert (lower < values).all()
    assert (values < upper).all()
    if dtype.bits < 16:  # all codes are there
        assert (upper[:-1] == lower[1:]).all()
    inside = np.concatenate([lower + (upper - lower) / 64, upper - (upper - lower) / 64])
    if name != "float8_e8m0fnu":
        with np.errstate(over="ignore"):
            rounded = inside.astype(np.float32).astype(find_dtype(name)).astype(np.float64)
        assert (rounded == np.concatenate([values, values])).all()


# --- Bins of wide dtypes ------------------------------------------------------------------------


def find_bins(reader: Any, values: Any) -> Bins:
    dtype = STORED_DTYPES[values.dtype.name]
    bins: Bins = count(reader, dtype, [memoryview(values.tobytes())])[0].bins
    return bins


@pytest.mark.parametrize("name", ["float32", "float64", "int32", "uint32", "int64"])
def test_counts_between_short_edges_are_those_of_numpy(name: str, reader: Any) -> None:
    """Edges of at most 8 significant bits; many numbers lie on them."""
    values = np.concatenate([RNG.normal(0, 300, 20_000), RNG.integers(-255, 256, 9000), [0.0] * 50])
    values = np.abs(values).astype(name) if name[0] == "u" else values.astype(name)
    bins = find_bins(reader, values)
    for edges in (np.arange(-255, 257, 3), np.arange(-128, 129) / 1.0, [-256, -1, 0, 64, 65, 192]):
        # NumPy's last bin takes the upper edge too, and ours does not.
        expected, _ = np.histogram(values, [*edges, edges[-1] + 1e-9, np.inf])
        places = np.searchsorted(edges, bins.lower, "right")
        assert (places == np.searchsorted(edges, bins.upper, "left")).all()
        found = np.bincount(places, bins.counts, minlength=len(edges) + 1)[1:-1]
        assert found.tolist() == expected[: len(edges) - 1].tolist()


@pytest.mark.parametrize("name", FLOATS)
def test_bins_hold_their_numbers(name: str, reader: Any) -> None:
    dtype = STORED_DTYPES[name]
    values = (RNG.choice([-1, 1], 20_000) * 2.0 ** RNG.uniform(-160, 127.9, 20_000)).astype(name)
    values[:4] = 0, -0.0, dtype.largest, dtype.lowest
    bins = find_bins(reader, values)
    places = np.searchsorted(bins.upper, values, "right").clip(max=len(bins.upper) - 1)
    assert np.bincount(places).tolist() == list(bins.counts)
    lower, upper, middle = (np.array(x)[places] for x in (bins.lower, bins.upper, bins.values))
    assert ((lower <= values) & (values <= upper)).all()
    usual = (np.abs(values) >= 2.0**-126) & (np.abs(values) < 2.0**127)
    assert ((upper - lower)[usual] <= np.abs(values[usual]) / 128 * 1.01).all()
    assert (middle[usual] == (lower + upper)[usual] / 2).all()
    assert (middle[values == 0] == 0).all()
    assert sum(bins.counts) == len(values)


def test_the_outermost_bins_of_float64_take_all_beyond(reader: Any) -> None:
    values = np.array([-1e300, -1e-200, 5e-324, 1e39, 1e308])
    bins = find_bins(reader, values)
    assert list(bins.counts) == [1, 1, 1, 2]
    assert (bins.lower[0], bins.upper[-1]) == (-sys.float_info.max, sys.float_info.max)
    assert bins.upper[1] == 0 == bins.lower[2]
