"""The arithmetic behind the rng `torch-2.13`: against exact rationals, mpmath, NumPy and C."""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xavinit.plan import Normal, TensorPlan, Uniform, count_words, has_pairs
from xavinit.streams import cephes, fused, glibc, glibc_tables, mersenne, torch_numpy

F, D = np.float32, np.float64
ANGLES = np.concatenate(
    [np.linspace(0, 2 * math.pi, 20_001, endpoint=False), 2.0 ** -np.arange(1, 60)]
)
UNITS = np.concatenate([np.linspace(2.0**-53, 1, 20_001), 2.0 ** -np.arange(1, 54)])


@pytest.fixture
def native() -> Iterator[ModuleType]:
    kernel = pytest.importorskip("xavinit.streams._kernel")
    yield kernel
    kernel.use_variant(-1)


# --- One rounding ------------------------------------------------------------------------------

doubles = st.floats(1e-60, 1e60) | st.floats(-1e60, -1e60 / 2**40) | st.just(0.0)
singles = st.floats(-1e9, 1e9, width=32)


@given(doubles, doubles, doubles)
def test_a_fused_double_is_rounded_once(a: float, b: float, c: float) -> None:
    exact = Fraction(a) * Fraction(b) + Fraction(c)
    assert fused.fuse_double(a, b, c)[0] == float(exact)


@given(singles, singles, singles)
def test_a_fused_single_is_rounded_once(a: float, b: float, c: float) -> None:
    """The nearest of the neighbors of what two roundings give, the even one of two."""
    exact = Fraction(a) * Fraction(b) + Fraction(c)
    got = fused.fuse_single(a, b, c)[0]
    if exact == 0 or not np.isfinite(got):
        return
    around = [np.nextafter(got, F(-np.inf)), got, np.nextafter(got, F(np.inf))]
    errors = [abs(Fraction(float(x)) - exact) if np.isfinite(x) else math.inf for x in around]
    assert errors[1] == min(errors)
    if errors.count(errors[1]) > 1:
        assert got.view(np.uint32) % 2 == 0


# --- Functions ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "exact", "values", "ulps"),
    [
        (glibc.compute_log, mp.log, UNITS, 0.52),
        (glibc.compute_log1p, lambda x: mp.log1p(x), -UNITS[UNITS < 1], 1),
        (glibc.compute_sine, mp.sin, ANGLES, 0.55),
        (glibc.compute_cosine, mp.cos, ANGLES, 0.55),
    ],
    ids=["log", "log1p", "sin", "cos"],
)
def test_glibcs_functions_are_those_of_their_names(
    function: Callable[[Any], Any], exact: Callable[[Any], Any], values: Any, ulps: float
) -> None:
    """Within the error that glibc tells; the golden digests pin every bit."""
    values = values[::40]
    with mp.workprec(120):
        for x, got in zip(values.tolist(), function(values).tolist(), strict=True):
            wanted = exact(mp.mpf(x))
            assert abs(wanted - got) <= ulps * math.ulp(float(wanted))


def test_cephes_functions_are_those_of_their_names() -> None:
    x = UNITS[UNITS > 2.0**-24].astype(F)
    np.testing.assert_allclose(cephes.compute_log(x), np.log(x.astype(D)), rtol=2e-7, atol=1e-7)
    angles = ANGLES.astype(F)
    sine, cosine = cephes.compute_sine_cosine(angles)
    np.testing.assert_allclose(sine, np.sin(angles.astype(D)), atol=1.2e-7)
    np.testing.assert_allclose(cosine, np.cos(angles.astype(D)), atol=1.2e-7)


def test_the_tables_are_what_their_tool_makes() -> None:
    folder = Path(__file__).parent.parent / "tools"
    sys.path.insert(0, str(folder))
    try:
        import make_glibc_tables as tool
    finally:
        sys.path.remove(str(folder))
    tables = tool.make_tables()
    assert Path(glibc_tables.__file__).read_text(encoding="utf-8") == tool.write_python(tables)
    header = Path(glibc_tables.__file__).with_name("_kernel_mt_tables.h")
    if header.exists():
        assert header.read_text(encoding="utf-8") == tool.write_c(tables)


FUNCTIONS: list[tuple[Callable[[Any], Any], Any]] = [
    (glibc.compute_log, UNITS),
    (glibc.compute_log1p, -UNITS[UNITS < 1]),
    (glibc.compute_sine, ANGLES),
    (glibc.compute_cosine, ANGLES),
    (glibc.compute_log_single, UNITS.astype(F)),
    (lambda x: glibc.compute_sine_cosine_single(x)[0], ANGLES.astype(F)),
    (lambda x: glibc.compute_sine_cosine_single(x)[1], ANGLES.astype(F)),
    (cephes.compute_log, UNITS.astype(F)),
    (lambda x: cephes.compute_sine_cosine(x)[0], ANGLES.astype(F)),
    (lambda x: cephes.compute_sine_cosine(x)[1], ANGLES.astype(F)),
]


@pytest.mark.parametrize("number", range(len(FUNCTIONS)))
def test_both_kernels_have_the_same_functions(number: int, native: ModuleType) -> None:
    """Every variant: with the processor's instruction for one rounding, and without."""
    function, values = FUNCTIONS[number]
    expected = function(values)
    for variant in range(len(native.list_variants())):
        native.use_variant(variant)
        out = np.empty_like(values)
        native.mt_evaluate(out, values, number)
        np.testing.assert_array_equal(out.view(np.uint8), expected.view(np.uint8))


# --- The generator -----------------------------------------------------------------------------


def test_words_are_those_of_the_authors(native: ModuleType) -> None:
    """mt19937ar.out: the 10000th word of the seed 5489 is 4123659995 (as C++ requires)."""
    state = mersenne.make_state(5489)
    assert mersenne.draw_words(state, 10_000)[-1] == 4_123_659_995
    assert native.mt_seed(5489) == mersenne.make_state(5489)


# Next to zero, where +0 is −0; one number; and as far apart as they may be.
ENDS = [
    (-(2.0**-20), 0.0),
    (-(2.0**-20), 2.0**-60),
    (-(2.0**-126), 0.0),
    (0.0, 1e-240),
    (1.0, 1.0),
    (-4e297, 6e297),
]


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
def test_both_kernels_fill_alike(dtype: str, fused: bool, native: ModuleType) -> None:
    from xavinit.streams import torch_native

    itemsize = {"float64": 8, "float32": 4}.get(dtype, 2)
    for variant in range(len(native.list_variants())):
        native.use_variant(variant)
        states = torch_numpy.make_state(9), torch_native.make_state(9)
        for name, count, numbers in (
            ("fill_uniform", 3001, (-0.3, 0.7)),
            ("fill_pairs", 7, (0.1, 0.7)),
            ("fill_normal", 4096 + 16, (0.1, 0.7)),
            ("fill_uniform", 1, (-1.0, 1.0)),
            ("fill_pairs", 2, (0.0, 1.0)),
            ("fill_normal", 16, (0.0, 0.02)),
            *(("fill_uniform", 99, ends) for ends in ENDS[: 6 if itemsize == 8 else 5]),
            *(("fill_normal", 32, (0.5, std)) for std in (1e-240, 1e298)[: 2 * (itemsize == 8)]),
        ):
            outs = [bytearray(count * itemsize) for _ in states]
            for module, state, out in zip((torch_numpy, torch_native), states, outs, strict=True):
                getattr(module, name)(state, memoryview(out), dtype, fused, *numbers)
            assert outs[0] == outs[1]
            assert states[0] == states[1]
        for state, module in zip(states, (torch_numpy, torch_native), strict=True):
            module.skip_words(state, 12_345)
        assert states[0] == states[1]


def test_words_are_skipped_in_steps(native: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two a thread that is to stop stops, and the main thread hears a signal."""
    from xavinit import stopping
    from xavinit.streams import torch_native

    monkeypatch.setattr(torch_native, "_STEP", 1000)
    for kernel in (torch_native, torch_numpy):
        states = kernel.make_state(9), kernel.make_state(9)
        kernel.skip_words(states[0], 4321)
        mersenne.draw_words(states[1], 4321)
        assert states[0] == states[1]
    stop = threading.Event()
    stop.set()
    monkeypatch.setattr(stopping._thread, "stop", stop, raising=False)
    state, begin = (torch_native.make_state(9) for _ in range(2))
    with pytest.raises(stopping.StoppedError):
        torch_native.skip_words(state, 2**34)
    native.mt_skip(begin, 1000)
    assert state == begin
    with pytest.raises(stopping.StoppedError):
        torch_numpy.skip_words(state, 2**34)


def test_the_kernel_refuses_what_it_cannot_fill(native: ModuleType) -> None:
    state, out = native.mt_seed(1), bytearray(12)
    with pytest.raises(ValueError, match="no such law: kind 3, dtype 1"):
        native.mt_fill(state, out, 3, 1, True, 0.0, 1.0)
    with pytest.raises(ValueError, match="a buffer of whole blocks is needed; got 12 bytes"):
        native.mt_fill(state, out, 1, 1, True, 0.0, 1.0)
    with pytest.raises(ValueError, match="a state has 2512 bytes; got 3"):
        native.mt_skip(bytearray(3), 1)
    damaged = bytearray(state)
    damaged[2496:2500] = (625).to_bytes(4, "little")
    with pytest.raises(ValueError, match="a state has used at most 624 words; got 625"):
        native.mt_skip(damaged, 1)


@given(
    st.integers(1, 70),
    st.sampled_from(["float32", "float64", "float16", "bfloat16"]),
    st.sampled_from([Normal(1.0), Uniform(1.0)]),
)
def test_words_are_counted_as_they_are_drawn(size: int, dtype: str, law: Any) -> None:
    from xavinit.dtypes import DTYPES
    from xavinit.streams.torch_values import Values

    if has_pairs(law, size):
        return
    tensor = TensorPlan("w", (size,), DTYPES[dtype], None, law, "w")
    drawn, skipped = (torch_numpy.make_state(1) for _ in range(2))
    Values(torch_numpy, fused=True).fill(
        drawn, memoryview(bytearray(tensor.nbytes)), tensor, 0, size
    )
    torch_numpy.skip_words(skipped, count_words(law, size, dtype))
    assert drawn == skipped
