"""The arithmetic behind the rng `jax-0.10`: against the paper, mpmath and C."""

from __future__ import annotations

import random
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import mpmath as mp
import numpy as np
import pytest

import xavinit
from xavinit.dtypes import DTYPES
from xavinit.layers import View
from xavinit.plan import CutNormal, Normal, TruncatedNormal, Uniform, UniformOn, encrypt
from xavinit.plan.jax_keys import fold_path, make_root
from xavinit.plan.jax_laws import round_to
from xavinit.plan.threefry import fold_in
from xavinit.streams import jax_numpy, xla_math
from xavinit.streams.jax_laws import Draw, find_draw

F = np.float32
DRAWS = {
    "normal": (Draw("normal", 1.4142135, 0.0, 0.3), ("float32",)),
    "truncated": (Draw("truncated", 1.4142135, 0.0, 0.3), ("float32",)),
    "scaled": (Draw("uniform", -1.0, 1.0, 0.15625), ("float64", "float32", "float16", "bfloat16")),
    "between": (Draw("uniform", -0.75, 2.5, 1.0), ("float64", "float32", "float16", "bfloat16")),
    "joined": (Draw("joined", -0.3, 0.7, 1.0), ("float64", "float32", "float16")),
}
LAWS = [(draw, dtype) for draw, dtypes in DRAWS.values() for dtype in dtypes]


@pytest.fixture
def native() -> Iterator[ModuleType]:
    kernel = pytest.importorskip("xavinit.streams._kernel")
    yield kernel
    kernel.use_variant(-1)


# --- Keys --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "words", "expected"),
    [
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((0xFFFFFFFF,) * 2, (0xFFFFFFFF,) * 2, (0x1CB996FC, 0xBB002BE7)),
        ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_the_cipher_is_threefry(key: Any, words: Any, expected: Any) -> None:
    """The known answers of Random123 for threefry2x32 with 20 rounds."""
    assert encrypt(key, *words) == expected
    arrays = encrypt(key, *(np.array([word], np.uint32) for word in words))
    assert tuple(int(array[0]) for array in arrays) == expected


def test_a_seed_has_32_bits_or_64() -> None:
    seeds = [2**32 + 5, 2**32 - 1, -1, -(2**63)]
    narrow = [make_root(seed, is_wide=False) for seed in seeds]
    assert narrow == [(0, 5), (0, 2**32 - 1), (0, 2**32 - 1), (0, 0)]
    wide = [make_root(seed, is_wide=True) for seed in seeds]
    assert wide == [(1, 5), (0, 2**32 - 1), (2**32 - 1, 2**32 - 1), (2**31, 0)]


def test_a_path_is_hashed_with_the_count() -> None:
    """The names, then the count in as few bytes as it needs, the first byte first."""
    import hashlib

    for path, count, tail in ((("Dense_0",), 1, b"\x01"), (("a", "b"), 256, b"\x01\x00")):
        digest = hashlib.sha1("".join(path).encode() + tail).digest()
        expected = fold_in((0, 7), int.from_bytes(digest[:4], "big"))
        assert fold_path((0, 7), path, count) == expected


# --- Functions ---------------------------------------------------------------------------------


def test_xlas_functions_are_those_of_their_names() -> None:
    """Within a few units in the last place; the golden digests pin every bit."""
    u = np.concatenate([np.linspace(-1, 1, 402)[1:-1], [1e-6, -1e-4, 1 - 2.0**-24]]).astype(F)
    with mp.workprec(100):
        for x, got in zip(u.tolist(), xla_math.compute_erf_inv(u).tolist(), strict=True):
            wanted = float(mp.erfinv(mp.mpf(x)))
            assert abs(got - wanted) <= 4e-7 * abs(wanted), x
        t = -(u * u)
        for x, got in zip(t.tolist(), xla_math.compute_log1p(t).tolist(), strict=True):
            wanted = float(mp.log1p(mp.mpf(x)))
            assert abs(got - wanted) <= 3e-7 * abs(wanted), x


def test_a_number_is_rounded_as_jax_does() -> None:
    """float16 in one step, bfloat16 by way of float32: they differ beside a tie."""
    beside = 1 + 2.0**-11 + 2.0**-40
    assert round_to(beside, DTYPES["float16"]) == 1 + 2.0**-10
    beside = 1 + 2.0**-8 + 2.0**-40
    assert round_to(beside, DTYPES["bfloat16"]) == 1.0
    assert round_to(beside, DTYPES["float64"]) == beside
    assert round_to(1e39, DTYPES["float32"]) == float("inf")


def test_a_law_is_drawn_by_jaxs_steps() -> None:
    """Under jit a plain normal's two factors are one, and a law that is 1 wide has none."""
    root = float(np.sqrt(F(2)))
    assert find_draw(Normal(0.5), is_compiled=False) == Draw("normal", root, 0.0, 0.5)
    assert find_draw(Normal(0.5), is_compiled=True) == Draw("normal", root / 2, 0.0, 1.0)
    for compiled in (False, True):
        cut = float(F(0.5) / F(0.87962566103423978))
        drawn = find_draw(TruncatedNormal(0.5), is_compiled=compiled)
        assert drawn == Draw("truncated", root, 0.0, cut)
        drawn = find_draw(CutNormal(0.0, 0.5, -1.0, 1.0), is_compiled=compiled)
        assert drawn == Draw("truncated", root, 0.0, 0.5)
        assert find_draw(Uniform(0.5), is_compiled=compiled) == Draw("uniform", -1.0, 1.0, 0.5)
        drawn = find_draw(UniformOn(-0.5, 2.0), is_compiled=compiled)
        assert drawn == Draw("uniform", -0.5, 2.0, 1.0)
    unit = UniformOn(-0.3, 0.7)
    for dtype, kind in (("float64", "joined"), ("float16", "joined"), ("bfloat16", "uniform")):
        drawn = find_draw(unit, is_compiled=True, dtype=dtype)
        assert drawn == Draw(kind, -0.3, 0.7, 1.0)
    assert find_draw(unit, is_compiled=False) == Draw("uniform", -0.3, 0.7, 1.0)
    assert find_draw(UniformOn(1e-9, 1.0), is_compiled=True).kind == "joined"  # 1 in float32
    assert find_draw(UniformOn(-1e4, 6e4), is_compiled=True, dtype="float16").kind == "uniform"


@pytest.mark.parametrize("kernel", ["native", "numpy"])
@pytest.mark.parametrize(
    ("dtype", "low", "expected"),
    [  # of jax.jit(lambda k: jax.random.uniform(k, (6,), dtype, low, low + 1))(jax.random.key(5))
        (
            "float32",
            -0.3,
            [
                0.1663799285888672,
                0.6208810806274414,
                0.4358102083206177,
                -0.2049185037612915,
                0.6144896745681763,
                0.37772929668426514,
            ],
        ),
        (
            "float64",
            -0.1,
            [
                0.5343406170681209,
                -0.052836109114584806,
                0.736893662441414,
                0.584415147573768,
                0.10911185463735507,
                0.12650336790367356,
            ],
        ),
        (
            "float16",
            -0.3,
            [0.3740234375, 0.560546875, -0.2392578125, -0.0390625, 0.6923828125, 0.37109375],
        ),
    ],
)
def test_a_law_that_is_one_wide_is_as_xla_joins_its_steps(
    kernel: str, dtype: str, low: float, expected: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    if kernel == "native":
        pytest.importorskip("xavinit.streams._kernel")
    monkeypatch.setenv("XAVINIT_KERNEL", kernel)
    init = {"type": "uniform", "a": low, "b": low + 1}
    rng = {"type": "jax-0.10", "jit": True, "x64": True}
    tensors = {"w": {"shape": [6], "init": init, "dtype": dtype}}
    drawn = xavinit.draw({"rng": rng, "seed": 5, "tensors": tensors})["w"]
    assert drawn.tolist() == expected


# --- Both kernels ------------------------------------------------------------------------------


def make(
    module: Any, key: Any, draw: Draw, dtype: str, start: int, stop: int, *view: View
) -> bytes:
    out = bytearray((stop - start) * DTYPES[dtype].itemsize)
    module.fill(memoryview(out), key, draw, dtype, start, stop, *view)
    return bytes(out)


@pytest.mark.parametrize(("draw", "dtype"), LAWS)
def test_every_variant_has_the_bits_of_numpy(draw: Draw, dtype: str, native: ModuleType) -> None:
    from xavinit.streams import jax_native

    chosen = random.Random(repr((draw, dtype)))
    for variant in range(len(native.list_variants())):
        native.use_variant(variant)
        for start in (0, 2**32 - 1000, 2**40 + 7):
            key = chosen.randrange(2**32), chosen.randrange(2**32)
            stop = start + chosen.choice([1, 1023, 1024, 3000])
            expected = make(jax_numpy, key, draw, dtype, start, stop)
            assert make(jax_native, key, draw, dtype, start, stop) == expected
        rows, columns = chosen.randrange(2, 60), chosen.randrange(2, 60)
        size = rows * columns
        for view in (
            View((range(rows), range(0, size, rows))),
            View((range(0, size, columns), range(columns - 1, -1, -1))),
        ):
            start = chosen.randrange(size)
            stop = chosen.randrange(start, size) + 1
            expected = make(jax_numpy, key, draw, dtype, start, stop, view)
            assert make(jax_native, key, draw, dtype, start, stop, view) == expected


@pytest.mark.parametrize(("draw", "dtype"), LAWS)
def test_a_view_reads_the_elements_of_the_tensor(draw: Draw, dtype: str) -> None:
    whole = np.frombuffer(make(jax_numpy, (3, 4), draw, dtype, 0, 35), f"u{DTYPES[dtype].itemsize}")
    view = View((range(5), range(0, 35, 5)))
    drawn = make(jax_numpy, (3, 4), draw, dtype, 0, 35, view)
    assert drawn == whole.reshape(7, 5).T.tobytes()


def test_all_normals_are_the_same_in_c(native: ModuleType) -> None:
    """Both branches of the logarithm, and the tails."""
    from xavinit.streams import jax_native

    for kind in ("normal", "truncated"):
        draw = DRAWS[kind][0]
        for key in ((0, 1), (9, 9)):
            assert make(jax_native, key, draw, "float32", 0, 87_000) == make(
                jax_numpy, key, draw, "float32", 0, 87_000
            )


@pytest.mark.parametrize(
    ("kind", "dtype", "axes", "fact"),
    [
        (1, 0, ((4, 1, 1),), "no such law: kind 1, dtype 0"),
        (4, 1, ((4, 1, 1),), "no such law: kind 4, dtype 1"),
        (0, 4, ((4, 1, 1),), "no such law: kind 0, dtype 4"),
        (0, 1, ((5, 1, 1),), "an axis leaves the buffer"),
    ],
)
def test_the_kernel_checks_its_arguments(
    kind: int, dtype: int, axes: Any, fact: str, native: ModuleType
) -> None:
    with pytest.raises(ValueError, match=fact):
        native.jax_fill(bytearray(16), (0, 0), kind, dtype, (0.0, 1.0, 1.0), 0, 0, axes)
