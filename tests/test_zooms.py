"""A closer look at numbers far from 0 relative to their spread: figures against NumPy's own."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bins import Array
from hypothesis import given
from hypothesis import strategies as st
from reading_cases import WIDE, count, cut, look, steady, summarize_bytes
from test_scan import ignore, make_index

from xavinit.crew import BLOCK
from xavinit.dtypes import STORED_DTYPES
from xavinit.errors import InputError
from xavinit.formats import Index, stored
from xavinit.reading import QUANTILES, Summary, summarize
from xavinit.reading.kernels import KERNELS, find_kernel
from xavinit.reading.numbers import ZOOMED, Zoom, find_numbers
from xavinit.reading.zooms import find_zoom, look_closer

N = 20_000
RNG = np.random.default_rng(31)
Z = RNG.standard_normal(N)


def replace(values: Array, share: float, others: Any) -> Array:
    """The values, a share of them others."""
    return np.where(RNG.random(N) < share, others, values)


def draw(values: Array, dtype: str = "float32") -> Array:
    return values.astype(dtype)


CLOSE: dict[str, Array] = {
    **{f"1 ± {s:g}": draw(1 + s * Z) for s in (0.2, 0.02, 3e-3, 1e-3, 1e-5)},
    "-1 ± 0.003": draw(-1 + 3e-3 * Z),
    "a thousand": draw(1000 + Z),
    "uniform": draw(RNG.uniform(0.9, 0.91, N)),
    "laplace": draw(1 + RNG.laplace(0, 1e-3, N)),
    "float64 far from 0": draw(1e6 + 1e-3 * Z, "float64"),
    "float64 very far from 0": draw(1 + 1e-12 * Z, "float64"),
    "float64 below float32": draw(1e-310 * Z, "float64"),
    "float64 beyond float32": draw(1e300 * (1 + 1e-3 * Z), "float64"),
    "int32": draw(10**6 + 1000 * Z, "int32"),
    "uint32": draw(4e9 + 1e5 * Z, "uint32"),
    "int64": draw(-(10**12) + 1e6 * Z, "int64"),
    "uint64": draw(10**15 + 1e9 * Z, "uint64"),
}
OUTLIERS: dict[str, Array] = {
    "a zero": draw(np.append(1 + 3e-3 * Z, 0.0)),
    "a tenth zeros": draw(replace(1 + 3e-3 * Z, 0.1, 0.0)),
    "far on both sides": draw(np.append(1 + 3e-3 * Z, [1e30, -1e30])),
    "half of them 1": draw(replace(1 + 3e-3 * Z, 0.6, 1.0)),
    "float64, very far": draw(np.append(1e6 + 1e-3 * Z, [1e30, -1e30]), "float64"),
}
USUAL: dict[str, Array] = {
    "normal": draw(0.02 * Z),
    "uniform": draw(RNG.uniform(-0.07, 0.07, N)),
    "uniform above 0": draw(RNG.random(N)),
    "cut": draw(Z[np.abs(Z) < 2]),
    "float64": Z,
    "mostly zeros": draw(replace(Z, 0.7, 0.0)),
    "shifted": draw(Z + 0.5),
    "few": draw(Z[:300]),
}


def measure(values: Array, module: Any = None) -> Summary:
    module = module or find_kernel().module
    return summarize_bytes(module, values.dtype.name, values.tobytes())


@pytest.mark.parametrize(
    "values", (CLOSE | OUTLIERS | USUAL).values(), ids=CLOSE | OUTLIERS | USUAL
)
def test_quantiles_are_off_by_a_small_part_of_the_spread(values: Array) -> None:
    """By less than 1/500 of the distance from the 5 % to the 95 % quantile, if there are not so few
    values that bins hold one or two.
    """
    found = measure(values).quantiles
    assert found is not None
    expected = np.quantile(values.astype(np.float64), QUANTILES, method="inverted_cdf")
    limit = (expected[5] - expected[1]) / (500 if len(values) > 1000 else 100)
    assert np.max(np.abs(expected - found)) <= limit


@pytest.mark.parametrize("values", (CLOSE | OUTLIERS).values(), ids=CLOSE | OUTLIERS)
def test_histograms_have_65_bins_at_least(values: Array) -> None:
    found = measure(values)
    assert found.histogram is not None
    counts, _ = np.histogram(values.astype(np.float64), found.histogram.edges)
    assert found.histogram.counts == tuple(counts)
    assert 65 <= len(counts) <= 128
    assert counts[0] > 0
    assert counts[-1] > 0


@pytest.mark.parametrize("values", USUAL.values(), ids=USUAL)
def test_usual_values_are_read_once(values: Array) -> None:
    dtype = STORED_DTYPES[values.dtype.name]
    found, _ = count(find_kernel().module, dtype, [memoryview(values.tobytes())])
    assert find_zoom(find_numbers(dtype), found) is None


@pytest.mark.parametrize(
    "values",
    [
        1e-310 * Z,
        5e-324 * np.arange(-3, 90),
        1.7e308 * RNG.uniform(-1, 1, N),
        np.append(1.7e308 * RNG.uniform(-1, 1, N), [np.finfo(float).max, -np.finfo(float).max]),
        np.append(1e300 * Z, [np.inf, -np.inf, np.nan]),
        np.append(1 + 1e-9 * Z, [np.inf, -np.inf, np.nan, 1e300]),
        np.array([1.0, np.nextafter(1, 2)]),
    ],
    ids=["tiny", "tiniest", "huge", "largest", "not finite", "not finite, near 1", "neighbors"],
)
def test_at_the_ends_of_float64_figures_are_finite_and_counts_exact(values: Array) -> None:
    found = measure(values)
    finite = values[np.isfinite(values)]
    assert found.histogram is not None
    assert found.quantiles is not None
    counts, _ = np.histogram(finite, found.histogram.edges)
    assert found.histogram.counts == tuple(counts)
    assert np.isfinite(found.histogram.edges).all()
    assert np.all(np.diff(found.histogram.edges) > 0)
    assert all(finite.min() <= value <= finite.max() for value in found.quantiles)
    expected = np.quantile(finite, QUANTILES, method="inverted_cdf")
    assert np.max(np.abs(np.subtract(found.quantiles, expected) / 2)) <= np.ptp(finite / 2) / 400


def test_integers_beyond_float64_s_digits_are_counted_exactly() -> None:
    for start in (2**61, -(2**61) - 5, 2**63 - 2**31):
        values = start + np.abs(1e8 * Z).astype(np.int64)
        found = measure(values).histogram
        assert found is not None
        edges = [int(edge) for edge in found.edges]
        exact = np.sort(values).tolist()
        below = np.searchsorted(np.array(exact, object), np.array(edges, object))
        assert tuple(np.diff(below)) == found.counts
        assert 65 <= len(found.counts) <= 128


def test_the_largest_integers_are_counted_once() -> None:
    """As float64 they are 2⁶³, which begins a bin that no int64 is in."""
    values = np.append(2**63 - 1 - np.arange(500), 2**62)
    found = measure(values)
    assert found.histogram is not None
    assert found.quantiles is not None
    assert sum(found.histogram.counts) == 501
    assert all(2.0**62 <= value <= 2.0**63 for value in found.quantiles)


def test_a_least_number_that_is_hardly_below_0_is_in_a_bin_of_its_own() -> None:
    found = measure(np.array([-1e-300, *np.linspace(1e250, 2e250, 99)])).histogram
    assert found is not None
    assert found.edges[0] < 0 == found.edges[1]
    assert found.counts[0] == 1


# --- The same figures, whoever looks -----------------------------------------------------------


@pytest.mark.parametrize("title", CLOSE | OUTLIERS)
def test_both_kernels_find_the_same(title: str) -> None:
    values = (CLOSE | OUTLIERS)[title]
    pytest.importorskip("xavinit.reading._kernel")
    native, numpy = (importlib.import_module(name) for name in KERNELS.values())
    assert repr(measure(values, native)) == repr(measure(values, numpy))


@steady
@given(
    st.sampled_from(WIDE),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-(2**63), 2**63 - 1),
    st.lists(st.floats(0, 1), max_size=3),
    st.sampled_from([0, 1, 20, 63]),
)
def test_closer_keys_are_the_same_in_both_kernels(
    name: str, first: int, last: int, places: list[float], shift: int
) -> None:
    pytest.importorskip("xavinit.reading._kernel")
    native, numpy = (importlib.import_module(name) for name in KERNELS.values())
    dtype = STORED_DTYPES[name]
    if dtype.itemsize == 4:
        first, last = first >> 32, last >> 32
    first, last = min(first, last), max(first, last)
    while (last >> shift) - (first >> shift) >= ZOOMED:
        shift += 1
    content = np.random.default_rng(4).bytes(3000 * dtype.itemsize)
    zoom = Zoom(first, last, shift)
    expected = look(numpy, dtype, [memoryview(content)], zoom)
    assert look(native, dtype, cut(content, dtype, places), zoom) == expected


def test_the_kernel_takes_no_zoom_beyond_its_tables() -> None:
    kernel = pytest.importorskip("xavinit.reading._kernel")
    scratch, wide = bytearray(kernel.SCRATCH), kernel.KINDS["float32"]
    for kind, *zoom in (
        (wide, 0, ZOOMED, 0),
        (wide, 1, 0, 0),
        (wide, 0, 1, 64),
        (wide, 0, 1, -1),
        (wide, -(2**63), 2**63 - 1, 47),
        (kernel.KINDS["code16"], 0, 1, 0),
    ):
        with pytest.raises(ValueError, match="no such zoom"):
            kernel.look(scratch, kind, bytes(8), *zoom)
    with pytest.raises(ValueError, match="3 bytes is too large, or broken off"):
        kernel.look(scratch, wide, bytes(3), 0, 1, 0)


LARGE = 1_300_001  # elements; more than a block


@pytest.fixture(scope="module")
def close(tmp_path_factory: pytest.TempPathFactory) -> tuple[Index, list[Array]]:
    """Large and small tensors, most of which are looked at more closely."""
    z = np.random.default_rng(2).standard_normal(LARGE)
    arrays = [
        draw(1 + 3e-3 * z[:768]),
        draw(np.append(1 + 3e-3 * z, [0.0, -1e30])),
        draw(0.02 * z),
        draw(1e6 + 1e-3 * z[:300_000], "float64"),
        *(draw(1 + 1e-3 * z[i * 100 : i * 100 + 64]) for i in range(20)),
        draw(10**9 + 1e4 * z, "int32"),
    ]
    path = tmp_path_factory.mktemp("close") / "raw"
    return make_index(path, [(STORED_DTYPES[a.dtype.name], a.tobytes()) for a in arrays]), arrays


@pytest.mark.parametrize(
    ("jobs", "block", "kernel"),
    [(1, 1 << 20, ""), (3, 1 << 20, ""), (2, 300_000, ""), (2, 1 << 24, ""), (2, 1 << 20, "numpy")],
)
def test_the_figures_are_the_same_for_any_jobs_blocks_and_kernel(
    jobs: int,
    block: int,
    kernel: str,
    close: tuple[Index, list[Array]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    index, arrays = close
    monkeypatch.setenv("XAVINIT_KERNEL", kernel)
    monkeypatch.setattr(stored, "_BLOCK", block)
    assert repr(summarize(index, jobs, ignore)) == repr(tuple(measure(a) for a in arrays))


def test_in_a_pipe_small_tensors_are_looked_at_and_large_ones_are_not(
    close: tuple[Index, list[Array]],
) -> None:
    index, arrays = close
    found = summarize(Index(index.path, index.tensors, {}, is_pipe=True), 2, ignore)
    for summary, values in zip(found, arrays, strict=True):
        expected = measure(values)
        if values.nbytes <= BLOCK or abs(values[0]) < 0.5:
            assert summary == expected
        else:
            assert summary.quantiles != expected.quantiles
            assert (summary.mean, summary.std) == (expected.mean, expected.std)


@pytest.mark.parametrize("others", [[5.0], [1.0, 1.001]], ids=["elsewhere", "fewer"])
def test_of_a_file_that_is_written_to_meanwhile_the_first_reading_stands(
    others: list[float],
) -> None:
    module, dtype = find_kernel().module, STORED_DTYPES["float32"]
    blocks = [memoryview(draw(1 + 3e-3 * Z).tobytes())]
    numbers, (found, _) = find_numbers(dtype), count(module, dtype, blocks)
    later = [memoryview(np.array(others, np.float32).tobytes())]
    assert look_closer(numbers, found, lambda zoom: look(module, dtype, blocks, zoom)) != found
    assert look_closer(numbers, found, lambda zoom: look(module, dtype, later, zoom)) == found


def test_a_file_that_shrinks_before_the_second_look_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = draw(1 + 1e-3 * np.random.default_rng(2).standard_normal(LARGE))
    index = make_index(tmp_path / "raw", [(STORED_DTYPES["float32"], values.tobytes())])

    def shrink(*arguments: Any) -> Any:
        with open(tmp_path / "raw", "r+b") as file:
            file.truncate(1000)
        return look_closer(*arguments)

    monkeypatch.setattr("xavinit.reading.scan.look_closer", shrink)
    with pytest.raises(InputError, match="is cut short at tensor"):
        summarize(index, 2, ignore)
