"""The normal quantile Q: its error against exact values, its coefficients, its bits.

t = (m + ½)·2⁻³¹ (2⁻⁶³ in float64) is exact here, as the contract means it, and Q gets what the
stream gives it: t and x formed in the working precision. The oracle of float32 is scipy's erfinv
and erfcinv in float64, that of float64 is mpmath at 50 digits.
"""

from __future__ import annotations

import importlib.util
import os
import random
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import NormalDist
from typing import Any

import mpmath as mp
import numpy as np
import pytest
from scipy import special

from xavinit.streams.quantile import DOUBLE, SINGLE, Precision, Quantile

SINGLE_LIMIT, DOUBLE_LIMIT = 5e-7, 1e-14  # of the contract
CHUNK = 1 << 19


# --- values ---------------------------------------------------------------------------------------


def form_pair(m: np.ndarray[Any, Any], kind: Precision) -> tuple[Any, Any]:
    """t and x of the integers m, each step rounded to the working precision."""
    unit = kind.real(2.0 ** (1 - kind.bits))
    half = kind.real(0.5)
    top = kind.integer(2 ** (kind.bits - 1) - 1)
    t = (m.astype(kind.real) + half) * unit
    x = ((top - m).astype(kind.real) + half) * unit
    return t, x


def measure_single(m: np.ndarray[Any, Any], quantile: Quantile) -> tuple[float, int]:
    """The largest relative error over these m, and the m where it is."""
    t, x = form_pair(m, SINGLE)
    quantile.evaluate(t, x, t)
    wide = m.astype(np.float64)
    exact_t = (wide + 0.5) * 2.0**-31
    exact_x = (2.0**31 - 1 - wide + 0.5) * 2.0**-31
    in_tail = exact_t < 0.5
    exact = np.empty_like(exact_t)
    special.erfcinv(exact_t, out=exact, where=in_tail)
    special.erfinv(exact_x, out=exact, where=~in_tail)
    exact *= np.sqrt(2.0)
    errors = np.abs(t / exact - 1)
    worst = int(np.argmax(errors))
    return float(errors[worst]), int(m[worst])


def measure_range(start: int, stop: int) -> tuple[float, int]:
    quantile = Quantile(SINGLE, CHUNK)
    return max(
        measure_single(np.arange(a, min(a + CHUNK, stop), dtype=np.int32), quantile)
        for a in range(start, stop, CHUNK)
    )


def test_single_error_in_the_far_tail() -> None:
    error, m = measure_range(0, 1 << 20)
    assert error <= SINGLE_LIMIT, m


def test_single_error_in_the_middle() -> None:
    error, m = measure_range(2**31 - (1 << 20), 2**31)
    assert error <= SINGLE_LIMIT, m


def test_single_error_between() -> None:
    rng = np.random.Generator(np.random.PCG64(1))
    even = rng.integers(0, 2**31, 4 * CHUNK, dtype=np.int64)
    # as many again that are even in log t, where the tail's bends are
    logarithmic = np.exp2(rng.uniform(0, 31, CHUNK)).astype(np.int64)
    quantile = Quantile(SINGLE, CHUNK)
    for m in np.split(np.concatenate([even, logarithmic]).astype(np.int32), 5):
        error, where = measure_single(m, quantile)
        assert error <= SINGLE_LIMIT, where


@pytest.mark.slow
def test_single_error_over_all_t() -> None:
    started = time.perf_counter()
    step = 1 << 24
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(lambda a: measure_range(a, a + step), range(0, 2**31, step))
        error, m = max(results)
    seconds = time.perf_counter() - started
    print(f"float32: largest relative error {error:.4e} at m = {m} ({seconds:.0f} s)")
    assert error <= SINGLE_LIMIT


def compute_exact(m: int, bits: int) -> mp.mpf:
    """Φ⁻¹(1 − t/2), t = (m + ½)·2⁻ᵇⁱᵗˢ exactly, to the precision in force."""
    unit = mp.mpf(2) ** -bits
    t = (m + mp.mpf(0.5)) * unit
    x = (2**bits - 1 - m + mp.mpf(0.5)) * unit
    if x < 0.5:
        return mp.sqrt(2) * mp.erfinv(x)
    z = mp.mpf(-NormalDist().inv_cdf(float(t) / 2))
    for _ in range(4):  # Newton: 15 good digits, then 30, then 60
        z += (mp.erfc(z / mp.sqrt(2)) - t) * mp.sqrt(mp.pi / 2) * mp.exp(z * z / 2)
    return z


def pick_m(bits: int, count: int) -> list[int]:
    """The ends, both sides of every power of two from either end, and as many random ones."""
    top = 2**bits - 1
    picks = {0, 1, top, top - 1}
    for k in range(bits):
        picks |= {2**k - 1, 2**k, 2**k + 1, top - 2**k, top + 1 - 2**k}
    rng = random.Random(bits)
    while len(picks) < count:
        picks |= {rng.randrange(2**bits), int(2 ** rng.uniform(0, bits))}
    return sorted(m for m in picks if 0 <= m <= top)


def test_double_error() -> None:
    picks = pick_m(63, 2000)
    t, x = form_pair(np.array(picks, np.int64), DOUBLE)
    Quantile(DOUBLE, len(picks)).evaluate(t, x, t)
    with mp.workdps(50):
        errors = [
            float(abs(mp.mpf(float(z)) / compute_exact(m, 63) - 1))
            for z, m in zip(t, picks, strict=True)
        ]
    worst = max(errors)
    print(f"float64: largest relative error {worst:.3e} at m = {picks[errors.index(worst)]}")
    assert worst <= DOUBLE_LIMIT


def test_scipy_is_an_oracle_for_single() -> None:
    picks = pick_m(31, 400)
    with mp.workdps(50):
        for m in picks:
            t = (m + 0.5) * 2.0**-31
            found = special.erfcinv(t) if t < 0.5 else special.erfinv(1 - t)
            exact = compute_exact(m, 31) / mp.sqrt(2)
            assert abs(mp.mpf(float(found)) / exact - 1) < 1e-14, m


# --- coefficients ---------------------------------------------------------------------------------


def load_tool() -> Any:
    path = Path(__file__).parents[1] / "tools" / "fit_quantile.py"
    spec = importlib.util.spec_from_file_location("fit_quantile", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with mp.workdps(mp.mp.dps):  # the module sets a precision for itself: put it back
        spec.loader.exec_module(module)
    return module


def sum_powers(coefficients: tuple[str, ...], variable: mp.mpf) -> mp.mpf:
    return mp.fsum(float.fromhex(c) * variable**k for k, c in enumerate(coefficients))


@pytest.mark.parametrize(
    ("kind", "bits", "limit"), [(SINGLE, 31, 1.5e-7), (DOUBLE, 63, 4e-15)], ids=["single", "double"]
)
def test_rational_function_is_the_quantile(kind: Precision, bits: int, limit: float) -> None:
    """N(w)/D(w) in exact arithmetic, w exact: what the coefficients alone are off by."""
    with mp.workdps(50):
        for m in pick_m(bits, 200)[:: 3 if bits == 63 else 1]:
            t = (m + mp.mpf(0.5)) / 2**bits
            x = 1 - t
            w = -mp.log(t * (2 - t), 2)
            ratio = sum_powers(kind.numerator, w) / sum_powers(kind.denominator, w)
            assert abs(x * ratio / compute_exact(m, bits) - 1) <= limit, m


@pytest.mark.parametrize(
    ("kind", "limit"), [(SINGLE, 2e-7), (DOUBLE, 2e-15)], ids=["single", "double"]
)
def test_log_polynomial_is_the_logarithm(kind: Precision, limit: float) -> None:
    """s·L(s²) against −log₂ f, f from √½ to √2."""
    with mp.workdps(50):
        for k in range(1, 101):
            f = mp.power(2, mp.mpf(k) / 200)
            s = (1 - f) / (1 + f)
            assert abs(s * sum_powers(kind.log, s * s) / -mp.log(f, 2) - 1) <= limit, k


@pytest.mark.slow
@pytest.mark.parametrize("kind", [SINGLE, DOUBLE], ids=["single", "double"])
def test_coefficients_are_what_the_tool_computes(kind: Precision) -> None:
    tool = load_tool()
    single = kind is SINGLE
    with mp.workdps(90):
        fitted = tool.fit(*(tool.FLOAT32 if single else tool.FLOAT64))
    for part, coefficients in fitted.items():
        texts = tuple(tool.format_hex(value, single) for value in coefficients)
        assert texts == getattr(kind, part)


def test_coefficients_are_numbers_of_their_precision() -> None:
    for kind in (SINGLE, DOUBLE):
        for text in (*kind.numerator, *kind.denominator, *kind.log):
            assert float(kind.real(float.fromhex(text))).hex() == text
    assert np.float32(2).__class__(np.sqrt(2)).view(np.uint32) == SINGLE.sqrt2_bits
    assert np.sqrt(np.float64(2)).view(np.uint64) == DOUBLE.sqrt2_bits
