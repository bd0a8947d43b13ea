"""The numbers of the plan: constants recomputed from their definitions, fans and laws."""

from __future__ import annotations

import math

import ml_dtypes
import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xavinit.dtypes import DTYPES
from xavinit.inits import GAINS, NAMED, VarianceScaling
from xavinit.layers import Axes
from xavinit.plan import TruncatedNormal, Uniform, compute_fans, laws
from xavinit.plan.initializers import scale_variance
from xavinit.streams import reference

DIGITS = 50


def compute_density(z: mp.mpf) -> mp.mpf:
    return mp.exp(-z * z / 2) / mp.sqrt(2 * mp.pi)


# --- constants ------------------------------------------------------------------------------------


def test_alpha_and_beta_are_the_tail_and_the_rest() -> None:
    with mp.workdps(DIGITS):
        alpha, beta = mp.erfc(mp.sqrt(2)), mp.erf(mp.sqrt(2))
        assert float(alpha) == reference.ALPHA
        assert float(beta) == reference.BETA
        # one rounding or two, float32 is the same
        for number, exact in ((reference.ALPHA, alpha), (reference.BETA, beta)):
            nearest = np.float32(number)
            neighbours = np.nextafter(nearest, np.array([0, 1], np.float32))
            assert all(abs(float(n) - exact) > abs(float(nearest) - exact) for n in neighbours)


def test_cut_std_is_the_std_of_the_cut_normal() -> None:
    with mp.workdps(DIGITS):
        cut = mp.mpf(2)
        variance = 1 - 2 * cut * compute_density(cut) / mp.erf(cut / mp.sqrt(2))
        assert float(mp.sqrt(variance)) == laws.CUT_STD == 0.87962566103423978
        direct = mp.quad(lambda z: z * z * compute_density(z), [-2, 0, 2]) / mp.erf(mp.sqrt(2))
        assert abs(direct - variance) < mp.mpf(10) ** -40


@pytest.mark.parametrize(
    ("bits", "largest"), [(32, laws.LARGEST_NORMAL_SINGLE), (64, laws.LARGEST_NORMAL["float64"])]
)
def test_largest_normal_bounds_every_draw(bits: int, largest: float) -> None:
    """The smallest t is ½·2⁻ᵇ, b one less than the bits of a word; rounding adds little."""
    with mp.workdps(DIGITS):
        tail = mp.mpf(2) ** -bits
        assert mp.erfc(mp.mpf(largest) * (1 - mp.mpf("1e-6")) / mp.sqrt(2)) < tail
        # and it is not far above
        assert mp.erfc((mp.mpf(largest) - mp.mpf("0.1")) / mp.sqrt(2)) > tail


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("linear", mp.mpf(1)),
        ("sigmoid", mp.mpf(1)),
        ("tanh", mp.mpf(5) / 3),
        ("relu", mp.sqrt(2)),
        ("leaky_relu", mp.sqrt(2 / (1 + mp.mpf("0.0001")))),
        ("selu", mp.mpf("0.75")),
    ],
)
def test_gains_are_their_definitions(name: str, expected: mp.mpf) -> None:
    assert GAINS[name] == pytest.approx(float(expected), rel=2.3e-16)
    assert len(GAINS) == 6


def test_largest_finite_numbers_are_those_of_the_formats() -> None:
    for name, dtype in DTYPES.items():
        if dtype.is_float:
            info = ml_dtypes.finfo(getattr(ml_dtypes, name, name))
            assert (dtype.largest, dtype.lowest) == (float(info.max), float(info.min))
            assert dtype.smallest_exponent == math.frexp(float(info.smallest_normal))[1] - 1
            assert (dtype.mantissa, 8 * dtype.itemsize) == (info.nmant, info.bits)
        elif name != "bool":
            limits = np.iinfo(name)
            assert (dtype.lowest, dtype.largest) == (limits.min, limits.max)


# --- fans -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "axes", "fans"),
    [
        ((128, 784), Axes(), (784, 128)),
        ((784, 128), Axes("in_out"), (784, 128)),
        ((64, 3, 7, 7), Axes(), (147, 3136)),
        ((7, 7, 3, 64), Axes("in_out"), (147, 3136)),
        ((768, 2304), Axes("in_out", fused=3), (768, 768)),
        ((32, 1, 3, 3), Axes(fused=32), (9, 9)),  # depthwise
        ((8, 512, 1024), Axes(batch_axis=(0,)), (1024, 512)),
        ((8, 512, 1024), Axes("in_out", batch_axis=(0,)), (512, 1024)),
        ((12, 64, 768), Axes(in_axis=(0, 1), out_axis=(2,)), (768, 768)),
        ((768, 12, 64), Axes(in_axis=(0,), out_axis=(-2, -1)), (768, 768)),
        ((5, 3, 4), Axes(in_axis=(0,), out_axis=(2,)), (15, 12)),
        ((5, 3, 4), Axes(in_axis=(0,), out_axis=(2,), batch_axis=(1,)), (5, 4)),
    ],
)
def test_fans(shape: tuple[int, ...], axes: Axes, fans: tuple[int, int]) -> None:
    assert compute_fans(shape, axes) == fans


@settings(deadline=None, derandomize=True)
@given(st.lists(st.integers(1, 9), min_size=2, max_size=6))
def test_in_out_is_out_in_with_its_axes_turned_round(shape: list[int]) -> None:
    out, into, *field = shape
    assert compute_fans((*field, into, out), Axes("in_out")) == compute_fans(tuple(shape), Axes())


@settings(deadline=None, derandomize=True)
@given(st.lists(st.integers(1, 9), min_size=2, max_size=6))
def test_fans_count_the_elements(shape: list[int]) -> None:
    """fan_in · fan_out = elements · receptive field."""
    fan_in, fan_out = compute_fans(tuple(shape), Axes())
    assert fan_in * fan_out == math.prod(shape) * math.prod(shape[2:])


# --- laws -----------------------------------------------------------------------------------------


def test_glorot_is_the_paper() -> None:
    """Glorot and Bengio (2010), equations 12 and 16."""
    fans = compute_fans((300, 200), Axes())
    uniform, normal = (scale_variance(NAMED[f"glorot_{k}"], fans) for k in ("uniform", "normal"))
    assert uniform.largest(DTYPES["float64"]) == pytest.approx(math.sqrt(6 / 500), rel=1e-15)
    assert getattr(normal, "std", 0) == pytest.approx(math.sqrt(2 / 500), rel=1e-15)


@pytest.mark.parametrize("name", NAMED)
def test_a_named_initializer_has_its_variance(name: str) -> None:
    fans = compute_fans((30, 20), Axes())
    n, gain = {"he": (20, 2), "ka": (20, 2), "le": (20, 1)}.get(name[:2], (25, 1))
    law = scale_variance(NAMED[name], fans)
    variance = law.bound**2 / 3 if isinstance(law, Uniform) else getattr(law, "std", 0) ** 2
    assert variance == pytest.approx(gain / n, rel=1e-15)


def test_all_distributions_of_a_rule_have_one_variance() -> None:
    fans = compute_fans((17, 5, 3), Axes())
    for mode in ("fan_in", "fan_out", "fan_avg"):
        uniform, normal, cut = (
            scale_variance(VarianceScaling(mode=mode, distribution=kind, gain=1.7), fans)
            for kind in ("uniform", "normal", "truncated_normal")
        )
        assert isinstance(cut, TruncatedNormal)
        assert getattr(normal, "std", 0) == cut.std
        assert getattr(uniform, "bound", 0) == pytest.approx(cut.std * math.sqrt(3), rel=1e-15)
        assert cut.uncut_std == cut.std / laws.CUT_STD
