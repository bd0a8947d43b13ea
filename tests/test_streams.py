"""Streams: elements do not depend on how they are asked for; words, bits and rounding are exact."""

from __future__ import annotations

import math
import struct
from fractions import Fraction
from typing import Any

import contract
import ml_dtypes
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from xavinit.dtypes import DTYPES
from xavinit.plan import Constant, Law, Normal, TruncatedNormal, Uniform
from xavinit.streams import reference
from xavinit.streams.elements import encode_constant
from xavinit.streams.reference import Filler
from xavinit.streams.rounding import round_single
from xavinit.streams.words import Words

Array = np.ndarray[Any, np.dtype[Any]]

FLOATS = [dtype for dtype in DTYPES.values() if dtype.is_float]
SMALL = [dtype for dtype in FLOATS if dtype.mantissa < 23]
LAWS: tuple[Law, ...] = (Uniform(0.25), Normal(0.02), TruncatedNormal(0.7))
NAMES = {Uniform: "uniform", Normal: "normal", TruncatedNormal: "truncated_normal"}

dtypes = st.sampled_from(FLOATS)
laws = st.sampled_from((*LAWS, Constant(0.1)))
keys = st.integers(0, 2**128 - 1)
steady = settings(deadline=None, derandomize=True, max_examples=100)


def fill(filler: Filler, key: int, law: Law, dtype: Any, start: int, stop: int) -> bytes:
    out = bytearray((stop - start) * dtype.itemsize)
    filler.fill(memoryview(out), key, law, dtype, start, stop)
    return bytes(out)


def fill_by_blocks(block: int, *arguments: Any) -> bytes:
    """What the reference fills when it works in blocks of another size."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reference, "BLOCK", block)
        return fill(reference.Filler(), *arguments)


# --- independence ---------------------------------------------------------------------------------

FILLER = Filler()


@steady
@given(keys, laws, dtypes, st.integers(0, 2**63), st.data())
def test_a_range_is_a_slice_of_the_whole(
    key: int, law: Law, dtype: Any, base: int, data: st.DataObject
) -> None:
    length = data.draw(st.integers(1, 300))
    first = data.draw(st.integers(0, length - 1))
    last = data.draw(st.integers(first + 1, length))
    whole = fill(FILLER, key, law, dtype, base, base + length)
    piece = fill(FILLER, key, law, dtype, base + first, base + last)
    assert piece == whole[first * dtype.itemsize : last * dtype.itemsize]


@pytest.mark.parametrize("dtype", FLOATS, ids=lambda dtype: dtype.name)
@pytest.mark.parametrize("law", LAWS, ids=lambda law: NAMES[type(law)])
def test_a_range_across_blocks_is_a_slice_of_the_whole(law: Law, dtype: Any) -> None:
    block = reference.BLOCK
    whole = fill(FILLER, 42, law, dtype, 0, 2 * block + 9)
    for start, stop in ((block - 1, block + 2), (1, block + 2), (block, 2 * block + 9), (5, 6)):
        expected = whole[start * dtype.itemsize : stop * dtype.itemsize]
        assert fill(FILLER, 42, law, dtype, start, stop) == expected


@steady
@given(keys, laws, dtypes, st.integers(0, 10**6), st.integers(1, 200), st.integers(1, 99))
def test_the_block_size_does_not_matter(
    key: int, law: Law, dtype: Any, start: int, count: int, block: int
) -> None:
    expected = fill(FILLER, key, law, dtype, start, start + count)
    assert fill_by_blocks(block, key, law, dtype, start, start + count) == expected


@steady
@given(st.lists(st.tuples(keys, laws, dtypes, st.integers(0, 99)), min_size=1, max_size=6))
def test_what_was_filled_before_does_not_matter(calls: list[Any]) -> None:
    used = [fill(FILLER, *call, call[-1] + 9) for call in calls]
    assert used == [fill(Filler(), *call, call[-1] + 9) for call in calls]


def test_nothing_beside_the_buffer_is_written() -> None:
    for dtype in FLOATS:
        for law in (*LAWS, Constant(1)):
            out = bytearray(b"\xa5" * (9 * dtype.itemsize))
            middle = memoryview(out)[dtype.itemsize : 8 * dtype.itemsize]
            FILLER.fill(middle, 7, law, dtype, 1, 8)
            edges = bytes(out[: dtype.itemsize] + out[8 * dtype.itemsize :])
            assert edges == b"\xa5" * (2 * dtype.itemsize)
            assert middle == fill(FILLER, 7, law, dtype, 0, 8)[dtype.itemsize :]


@steady
@given(keys, st.sampled_from(LAWS), st.sampled_from(SMALL), st.integers(0, 10**9))
def test_a_smaller_dtype_is_the_cast_of_float32(key: int, law: Law, dtype: Any, start: int) -> None:
    single = np.frombuffer(fill(FILLER, key, law, DTYPES["float32"], start, start + 99), "<f4")
    small = fill(FILLER, key, law, dtype, start, start + 99)
    assert small == single.astype(find_array_type(dtype.name)).tobytes()


# --- words ----------------------------------------------------------------------------------------


@steady
@given(keys, st.integers(0, 2**65), st.integers(1, 20))
@example(2**128 - 1, 2**64 - 2, 9)
def test_words_are_those_of_numpy_and_of_the_paper(key: int, start: int, count: int) -> None:
    found = Words().read(key, start, count).tolist()
    skipped = start % 4
    raw = np.random.Philox(key=key, counter=start // 4).random_raw(skipped + count)
    assert found == raw[skipped:].tolist()
    assert found == [contract.get_word(key, start + i) for i in range(count)]


@steady
@given(keys, st.integers(0, 2**65), st.integers(1, 20))
def test_halves_are_the_words_low_half_first(key: int, start: int, count: int) -> None:
    found = Words().read_halves(key, start, count)
    assert found.dtype == np.uint32
    assert found.tolist() == [contract.get_half(key, start + i) for i in range(count)]


def test_first_words_of_key_0() -> None:
    assert [f"{word:016x}" for word in Words().read(0, 0, 4)] == [
        "02f4ba6408e4d89b",
        "3dd62b0b9ca8c5b2",
        "1c8667a55d902e79",
        "907d7a052fd5b4dc",
    ]
    assert [f"{half:08x}" for half in Words().read_halves(0, 1, 2)] == ["02f4ba64", "9ca8c5b2"]


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ("0" * 64, "0" * 32, "16554d9eca36314c db20fe9d672d0fdc d7e772cee186176b 7e68b68aec7ba23b"),
        ("f" * 64, "f" * 32, "87b092c3013fe90b 438c3c67be8d0224 9cc7d7c69cd777b6 a09caebf594f0ba0"),
        (
            "082efa98ec4e6c89a4093822299f31d013198a2e03707344243f6a8885a308d3",
            "be5466cf34e90c6c452821e638d01377",
            "a528f45403e61d95 38c72dbd566e9788 a5a1610e72fd18b5 57bd43b5e52b7fe6",
        ),
    ],
    ids=["zeros", "ones", "pi"],
)
def test_plain_philox_gives_the_known_answers(counter: str, key: str, words: str) -> None:
    """Random123's kat_vectors, philox4x64 with 10 rounds."""
    found = contract.philox(int(counter, 16), int(key, 16))
    assert " ".join(f"{word:016x}" for word in found) == words


# --- words → values -------------------------------------------------------------------------------


class FakeWords:
    """Hands out the given bits, whatever the key."""

    def __init__(self, bits: Array) -> None:
        self.bits = bits

    def read(self, key: int, start: int, count: int) -> Array:
        return self.bits[start : start + count].copy()

    read_halves = read


def sample(bits: Array, law: Law, monkeypatch: pytest.MonkeyPatch) -> Array:
    """The values of chosen words, in float32 or float64 as the words are wide."""
    monkeypatch.setattr(reference, "Words", lambda: FakeWords(bits))
    dtype = DTYPES["float64" if bits.dtype == np.uint64 else "float32"]
    filled = fill(reference.Filler(), 0, law, dtype, 0, len(bits))
    return np.frombuffer(filled, f"<f{dtype.itemsize}")


def make_words(width: int) -> Array:
    """The ends, powers of two and their neighbours from both ends, and random words."""
    powers = {2**k + d for k in range(width) for d in (-1, 0, 1)}
    edges = {*powers, *(2**width - 1 - power for power in powers)}
    kind = np.uint64 if width == 64 else np.uint32
    rng = np.random.Generator(np.random.PCG64(width))
    random = rng.integers(0, 2**width, 2000, dtype=kind)
    return np.concatenate([np.array(sorted(w for w in edges if 0 <= w < 2**width), kind), random])


@pytest.mark.parametrize("width", [32, 64])
@pytest.mark.parametrize("law", LAWS, ids=lambda law: NAMES[type(law)])
def test_values_of_words_are_those_of_plain_python(
    width: int, law: Law, monkeypatch: pytest.MonkeyPatch
) -> None:
    bits = make_words(width)
    plain = contract.Law(NAMES[type(law)], getattr(law, "bound", None) or getattr(law, "std", 0))
    scale = contract.round_scale(plain, f"float{width}")
    expected = []
    for word in bits.tolist():
        magnitude, negative = contract.make_value(plain, word, width, scale)
        expected.append(-magnitude if negative else magnitude)
    assert sample(bits, law, monkeypatch).tolist() == expected


@pytest.mark.parametrize("width", [32, 64])
@pytest.mark.parametrize("law", LAWS, ids=lambda law: NAMES[type(law)])
def test_values_are_symmetric_and_never_zero(
    width: int, law: Law, monkeypatch: pytest.MonkeyPatch
) -> None:
    bits = make_words(width)
    values = sample(bits, law, monkeypatch)
    flips = ~bits if isinstance(law, Uniform) else bits ^ bits.dtype.type(1 << (width - 1))
    assert np.array_equal(sample(flips, law, monkeypatch), -values)
    assert np.all(values != 0)


@pytest.mark.parametrize("width", [32, 64])
def test_ends_are_where_the_laws_end(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    bits = make_words(width)
    unit = np.abs(sample(bits, Uniform(1.0), monkeypatch))
    fraction = 23 if width == 32 else 52
    assert unit.max() == 1 - 2.0 ** -(fraction + 1)
    assert unit.min() == 2.0 ** -(fraction + 1)
    normal = np.abs(sample(bits, Normal(1.0), monkeypatch))
    assert normal.max() == pytest.approx({32: 6.3379577, 64: 9.1552938}[width], abs=3e-6)
    law = TruncatedNormal(1.0)
    cut = np.abs(sample(bits, law, monkeypatch))
    assert 1.9999 < cut.max() / law.uncut_std <= 2


# --- rounding -------------------------------------------------------------------------------------


def find_array_type(name: str) -> Any:
    return np.dtype(np.float16 if name == "float16" else getattr(ml_dtypes, name))


@pytest.mark.parametrize("dtype", SMALL, ids=lambda dtype: dtype.name)
def test_round_single_agrees_on_all_upper_halves(dtype: Any) -> None:
    """All 2¹⁶ upper halves of a float32, each with lower halves on and beside a tie."""
    upper = np.arange(2**16, dtype=np.uint32) << np.uint32(16)
    kind = find_array_type(dtype.name)
    code = np.dtype(f"u{dtype.itemsize}")
    for low in (0, 1, 0x0FFF, 0x1000, 0x1001, 0x2000, 0x3000, 0x7FFF, 0x8000, 0x8001, 0xFFFF):
        values = (upper | np.uint32(low)).view(np.float32)
        with np.errstate(invalid="ignore"):
            values = values[np.abs(values) <= dtype.largest]
        out = np.empty(len(values), code)
        round_single(values, dtype, out)
        assert np.array_equal(out, values.astype(kind).view(code)), hex(low)


def check_constant(value: float, dtype: Any) -> None:
    code = contract.round_to(dtype.name, abs(Fraction(value)), math.copysign(1, value) < 0)
    encoded = encode_constant(value, dtype)
    assert encoded == contract.encode(dtype.name, code)
    if form := {"float64": "<d", "float32": "<f", "float16": "<e"}.get(dtype.name):
        assert encoded == struct.pack(form, value)


@settings(steady, max_examples=300)
@given(dtypes, st.data())
def test_a_constant_is_rounded_once(dtype: Any, data: st.DataObject) -> None:
    check_constant(data.draw(st.floats(-dtype.largest, dtype.largest)), dtype)


@settings(steady, max_examples=300)
@given(dtypes, st.data())
def test_a_constant_near_a_tie_is_rounded_once(dtype: Any, data: st.DataObject) -> None:
    """Halfway between two numbers of the dtype, and one float64 beside it."""
    top = contract.round_to(dtype.name, Fraction(dtype.largest))
    code = data.draw(st.integers(0, top - 1))
    ends = (contract.decode(dtype.name, code + step) for step in (0, 1))
    middle = sum(map(Fraction, ends)) / 2
    beside = data.draw(st.sampled_from((-math.inf, None, math.inf)))
    value = float(middle) if beside is None else math.nextafter(float(middle), beside)
    if value <= dtype.largest:
        check_constant(value, dtype)


@pytest.mark.parametrize("dtype", FLOATS, ids=lambda dtype: dtype.name)
def test_a_constant_that_the_dtype_has_is_itself(dtype: Any) -> None:
    top = contract.round_to(dtype.name, Fraction(dtype.largest))
    for code in range(0, top + 1, max(1, top // 1000)):
        value = contract.decode(dtype.name, code)
        assert encode_constant(value, dtype) == contract.encode(dtype.name, code)


@given(st.sampled_from([d for d in DTYPES.values() if not d.is_float]), st.data())
@steady
def test_an_integer_is_exact(dtype: Any, data: st.DataObject) -> None:
    value = data.draw(st.integers(int(dtype.lowest), int(dtype.largest)))
    form = {"int64": "<q", "int32": "<i", "uint8": "<B", "bool": "<B"}[dtype.name]
    assert encode_constant(value, dtype) == struct.pack(form, value)
