"""Constants that are not all one number, and rows that are zero: their bytes and their limits."""

from __future__ import annotations

import json
import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import contract
import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import xavinit
from xavinit.dtypes import DTYPES
from xavinit.errors import SpecError
from xavinit.inits import LARGEST_LOG
from xavinit.plan import Arange, LogArange, Sequence, Values
from xavinit.plan.ranges import check_range
from xavinit.report.plans import format_plan, plan_to_json
from xavinit.streams.elements import encode_constant
from xavinit.streams.logarithms import bound_log, compute_log
from xavinit.streams.sequences import fill_sequence
from xavinit.streams.stream import PIECE

FLOATS = [name for name, dtype in DTYPES.items() if dtype.is_float]


def fill(law: Sequence, dtype: str, start: int, stop: int) -> bytes:
    out = bytearray((stop - start) * DTYPES[dtype].itemsize)
    fill_sequence(memoryview(out), law, DTYPES[dtype], start, stop, None)
    return bytes(out)


def encode(values: list[Any], dtype: str) -> bytes:
    return b"".join(encode_constant(value, DTYPES[dtype]) for value in values)


def draw(init: Any, shape: list[int], dtype: str = "float32", **keys: Any) -> Any:
    table = {"shape": shape, "dtype": dtype, "init": init, **keys}
    return xavinit.draw({"tensors": {"w": table}})["w"]


def fail(init: Any, shape: list[int], dtype: str = "float32", **keys: Any) -> SpecError:
    with pytest.raises(SpecError) as caught:
        draw(init, shape, dtype, **keys)
    return caught.value


# --- arange ----------------------------------------------------------------------------------


def test_what_real_models_hold(kernel: str) -> None:
    assert np.array_equal(draw("arange", [1, 512], "int64"), np.arange(512)[None])
    g_idx = draw({"type": "arange", "repeat": 128}, [4096], "int32")
    assert np.array_equal(g_idx, np.arange(4096) // 128)
    logs = draw("log_arange", [6, 16])
    assert np.allclose(logs, np.log(np.arange(1, 17)), rtol=1e-6)
    assert (logs == logs[0]).all()


def test_a_scalar_is_the_first_number() -> None:
    assert draw({"type": "arange", "start": 7}, [], "uint8") == 7
    assert draw("log_arange", []) == 0


integers = st.one_of(
    st.integers(-300, 300),
    st.integers(-(2**24) - 9, 2**24 + 9),
    st.sampled_from([2**53 - 7, -(2**53) + 3, 2**31 - 5, 2**63 - 20, 2**70]),
    st.builds(lambda a, b: a << b, st.integers(-40, 40), st.integers(0, 40)),
)


@given(
    integers,
    st.integers(-9, 9) | st.builds(lambda a, b: a << b, st.integers(-5, 5), st.integers(0, 30)),
    st.integers(1, 9),
    st.integers(1, 60),
    st.sampled_from(list(DTYPES)),
)
def test_integers_are_exact_or_refused(
    start: int, step: int, times: int, length: int, dtype: str
) -> None:
    """Whether all fit is decided from a few of them: here each is looked at."""
    law, kind = Arange(start, step, times, length), DTYPES[dtype]
    values = [start + step * (k // times) for k in range(length)]
    fits = all(kind.lowest <= value <= kind.largest for value in values)
    if kind.is_float and fits:
        codes = [contract.round_to(dtype, Fraction(abs(value))) for value in values]
        fits = all(
            contract.decode(dtype, code) == abs(value)
            for code, value in zip(codes, values, strict=True)
        )
    if fits:
        check_range(law, kind)
        assert fill(law, dtype, 0, length) == encode(values, dtype)
    else:
        with pytest.raises(SpecError, match=r"must (be exact|fit|be an integer)") as caught:
            check_range(law, kind)
        assert int(caught.value.fact.rsplit(" ", 1)[1]) in values


@given(
    st.floats(-2, 2),
    st.floats(-0.1, 0.1) | st.sampled_from([1e-9, -1e-5, 0.25]),
    st.integers(1, 5),
    st.integers(1, 300),
    st.sampled_from(FLOATS),
)
def test_fractions_are_float64_rounded_once(
    start: float, step: float, times: int, length: int, dtype: str
) -> None:
    law = Arange(start, step, times, length)
    values = [start + step * (k // times) for k in range(length)]
    assert fill(law, dtype, 0, length) == encode(values, dtype)
    limit = DTYPES[dtype].smallest / 2
    share = sum(0 < abs(value) <= limit for value in values) / length
    assert law.compute_zero_share(DTYPES[dtype]) == pytest.approx(share)


@given(
    st.sampled_from(
        [
            Arange(3, -1, 1, 7),
            Arange(0, 1, 4, 30),
            Arange(0, 1, 50, 99),
            Arange(5, 0, 2, 9),
            Arange(0.5, 0.25, 3, 40),
            LogArange(13),
            Values((0.5, -1, True, 0.0, -0.0, 3)),
        ]
    ),
    st.sampled_from(FLOATS),
    st.data(),
)
def test_any_part_is_that_of_the_whole(law: Sequence, dtype: str, data: st.DataObject) -> None:
    size = law.length if isinstance(law, Values) else 5 * law.length
    start = data.draw(st.integers(0, size))
    stop = data.draw(st.integers(start, size))
    itemsize = DTYPES[dtype].itemsize
    whole = fill(law, dtype, 0, size)
    assert fill(law, dtype, start, stop) == whole[start * itemsize : stop * itemsize]


@pytest.mark.parametrize("times", [1, 2, 1000, 10**6])
@pytest.mark.parametrize("dtype", ["int64", "int32", "float32", "float64"])
def test_a_part_of_a_row_far_out(dtype: str, times: int) -> None:
    law = Arange(-5, 2, times, 10**8)
    first = 10**7 + 1 if dtype != "float32" else 10**6 + 1
    values = [-5 + 2 * (k // times) for k in range(first, first + 3000)]
    assert fill(law, dtype, first, first + 3000) == encode(values, dtype)


@pytest.mark.parametrize(
    ("init", "dtype", "fact"),
    [
        ({"type": "arange"}, "bfloat16", "must be exact in bfloat16; got 257"),
        ({"type": "arange", "start": 2**24}, "float32", "must be exact in float32; got 16777217"),
        (
            {"type": "arange", "step": 128},
            "float16",
            "must fit float16, whose largest number is 65504; got 127872",
        ),
        ({"type": "arange"}, "uint8", "must be an integer from 0 to 255 for uint8; got 999"),
        (
            {"type": "arange", "step": -0.5},
            "int32",
            "must be an integer from -2147483648 to 2147483647 for int32; got -0.5",
        ),
        (
            {"type": "arange", "step": 1e-320},
            "float32",
            "must not round to zero everywhere; got arange step 9.99989e-321 in float32, whose "
            "smallest number is 1.4013e-45",
        ),
        ("log_arange", "int32", "int32 takes constants only (zeros, ones, constant, arange, "
         "values); got ln 1…1000"),
    ],
)  # fmt: skip
def test_sequences_that_do_not_fit(init: Any, dtype: str, fact: str) -> None:
    assert fail(init, [2, 1000], dtype).fact == fact


def test_a_warning_where_most_of_a_progression_rounds_to_zero() -> None:
    init = {"type": "arange", "step": 1e-6}
    table = {"shape": [1500], "dtype": "float8_e4m3fn", "init": init}
    plan = xavinit.make_plan({"tensors": {"w": table}})
    assert len(plan.warnings) == 1
    assert "of the values round to zero" in plan.warnings[0].fact
    assert not xavinit.make_plan(
        {"tensors": {"w": table | {"init": "arange", "shape": [9]}}}
    ).warnings


# --- values ----------------------------------------------------------------------------------


def test_values_in_c_order(kernel: str) -> None:
    array = draw({"type": "values", "values": [1, 2.5, True, -0.0, 0.1, -7]}, [2, 3])
    assert array.tobytes() == struct.pack("<6f", 1, 2.5, 1, -0.0, 0.1, -7)


@pytest.mark.parametrize(
    ("values", "dtype", "path", "fact"),
    [
        ([1, 2, 3], "float32", ("values",),
         "must be as many numbers as the tensor has elements, 4; got 3"),
        ([0, 0, 257, 0], "bfloat16", ("values", 2), "must be exact in bfloat16; got 257"),
        ([0, 0, 0, 0.5], "uint8", ("values", 3),
         "must be an integer from 0 to 255 for uint8; got 0.5"),
        ([0, 1e39, 0, 0], "float32", ("values", 1),
         "must fit float32, whose largest number is 3.40282e+38; got 1e+39"),
        ([0, "1", 0, 0], "float32", ("values", 1),
         'must be a finite number, true or false; got "1"'),
        ([0, float("inf"), 0, 0], "float32", ("values", 1),
         "must be a finite number, true or false; got Infinity"),
        ([0] * 10_001, "float32", ("values",), None),
        ("1, 2", "float32", ("values",),
         'must be a list of at most 10,000 numbers; got "1, 2"'),
    ],
)  # fmt: skip
def test_bad_values(values: Any, dtype: str, path: Any, fact: str | None) -> None:
    error = fail({"type": "values", "values": values}, [2, 2], dtype)
    assert error.path == ("tensors", "w", "init", *path)
    if fact is None:
        assert error.fact.startswith("must be a list of at most 10,000 numbers; got [0, 0,")
    else:
        assert error.fact == fact


# --- log_arange ------------------------------------------------------------------------------


def test_logarithms_are_correctly_rounded() -> None:
    with mp.workprec(300):
        for k in [*range(1, LARGEST_LOG + 1), 2**53 - 1, 2**52 + 1]:
            assert compute_log(k) == float(mp.log(k)), k


@pytest.mark.parametrize("digits", [8, 20, 64, 128])
def test_the_bounds_of_a_logarithm_hold_it(digits: int) -> None:
    with mp.workprec(300):
        for k in (*range(2, 200), 9999, 2**40 - 1):
            low, high = bound_log(k, digits)
            exact = mp.log(k) * mp.mpf(2) ** digits
            assert low < exact < high
            assert high - low < 20 * digits * k.bit_length()


def test_too_many_logarithms() -> None:
    error = fail("log_arange", [2, LARGEST_LOG + 1])
    assert error.fact == "log_arange must have at most 10,000 numbers, the last axis; got 10,001"


# --- zero rows -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "init", ["glorot_normal", "ones", "arange", {"type": "uniform", "bound": 1}]
)
@pytest.mark.parametrize("shape", [[5, 3], [5, 2, 2], [5]])
def test_zero_rows_are_zero_and_the_others_stay(init: Any, shape: list[int], kernel: str) -> None:
    if init == "glorot_normal" and len(shape) == 1:
        init = {"type": "normal", "std": 1}
    plain = draw(init, shape)
    padded = draw(init, shape, zero_rows=[-1, 1, 1, "2*1 - 2"])
    assert padded[[0, 1, 4]].tobytes() == bytes(plain[[0, 1, 4]].nbytes)
    assert padded[[2, 3]].tobytes() == plain[[2, 3]].tobytes()


@pytest.mark.parametrize("suffix", ["safetensors", "h5", "npy"])
def test_zero_rows_over_pieces_of_every_format(suffix: str, tmp_path: Path) -> None:
    width = PIECE // 4 // 3 + 1  # floats: a piece ends within a row
    table = {"shape": [10, width], "zero_rows": [0, 3, 4, -1]}
    spec = {"tensors": {"w": table}}
    array = xavinit.draw(spec)["w"]
    assert [not row.any() for row in array] == [i in (0, 3, 4, 9) for i in range(10)]
    xavinit.generate(spec, tmp_path / f"w.{suffix}", jobs=2)
    assert xavinit.digest(tmp_path / f"w.{suffix}") == xavinit.digest({"w": array})


def test_zero_rows_by_rule_and_default_follow_dims() -> None:
    spec = {
        "dims": {"pad": 1},
        "defaults": {"zero_rows": ["pad"]},
        "rules": [{"match": "b", "zero_rows": []}],
        "tensors": {"a": [3, 2], "b": [3, 2], "none": [0, 2], "t": {"tied": "a"}},
    }
    spec["defaults"], ties = {}, spec["defaults"]  # type: ignore[assignment]  # beside a tie none
    spec["rules"].insert(0, {"match": "[ab]", **ties})  # type: ignore[attr-defined]
    plan = xavinit.make_plan(spec, dims={"pad": 2})
    assert [tensor.zero_rows for tensor in plan.tensors] == [(2,), (), (), (2,)]


@pytest.mark.parametrize(
    ("shape", "rows", "step", "fact"),
    [
        ([3, 2], [3], (0,), "must be a row from -3 to 2; got 3"),
        ([3, 2], [0, "1 - 5"], (1,), "must be a row from -3 to 2; got -4"),
        ([3, 2], [0, "x"], (1,), 'unknown dim "x"'),
        ([], [0], (), "must be of a tensor with axes; got shape []"),
        ([3, 2], 0, (), "must be a list of rows; got 0"),
        ([3, 2], [0.5], (0,), "must be an integer or an expression; got 0.5"),
        ([3, 2], [0] * 101, (), "must be at most 100 rows; got 101"),
    ],
)
def test_bad_zero_rows(shape: list[int], rows: Any, step: Any, fact: str) -> None:
    error = fail("ones", shape, zero_rows=rows)
    assert (error.fact, error.path) == (fact, ("tensors", "w", "zero_rows", *step))


def test_a_rule_of_rows_that_a_tensor_lacks_names_it() -> None:
    spec = {"rules": [{"match": "*", "zero_rows": [4]}], "tensors": {"a": [9, 2], "b": [3, 2]}}
    with pytest.raises(SpecError) as caught:
        xavinit.make_plan(spec)
    assert caught.value.fact == 'must be a row from -3 to 2; got 4 (tensor "b")'
    assert caught.value.path == ("rules", 0, "zero_rows", 0)


# --- in a layer --------------------------------------------------------------------------------


@pytest.mark.parametrize("framework", ["keras", "flax"])
def test_a_layer_holds_the_numbers_of_pytorchs_tensor(framework: str, kernel: str) -> None:
    layer = {"name": "l", "type": "dense", "in": 3, "out": 2}
    for init in ("arange", "log_arange", {"type": "values", "values": [1, 2, 3, 4, 5, 6]}):
        spec = {"layers": [{**layer, "init": init, "bias_init": "arange"}]}
        weight, bias = xavinit.draw(spec).values()
        other, other_bias = xavinit.draw(spec, framework=framework).values()
        if other.ndim == 1:
            other, other_bias = other_bias, other
        assert np.array_equal(other, weight.T)
        assert np.array_equal(other_bias, bias)
        assert list(bias) == [0, 1]


def test_a_layer_of_several_pieces(kernel: str) -> None:
    layer = {"name": "l", "type": "dense", "in": 700, "out": 900, "init": "arange", "bias": False}
    (weight,) = xavinit.draw({"layers": [layer]}, framework="keras").values()
    assert np.array_equal(weight, np.repeat(np.arange(700.0)[:, None], 900, axis=1))


# --- told --------------------------------------------------------------------------------------


def test_a_plan_tells_sequences_and_zero_rows() -> None:
    tensors = {
        "a": {"shape": [8], "init": {"type": "arange", "start": 2, "step": -1, "repeat": 4}},
        "v": {"shape": [2], "init": {"type": "values", "values": [1, 2]}},
        "l": {"shape": [2, 16], "init": "log_arange"},
        "z": {"shape": [9, 2], "init": "ones", "zero_rows": [5, 0, 3, -1]},
    }
    plan = xavinit.make_plan({"tensors": tensors})
    text = "\n".join(format_plan(plan))
    for part in ("arange 2 step -1 repeat 4", "values 2", "ln 1…16", "rows 0, 3, 5, … zero"):
        assert part in text
    told = {tensor["name"]: tensor for tensor in json.loads(plan_to_json(plan))["tensors"]}
    assert told["a"]["law"] == {"type": "arange", "first": 2, "step": -1, "repeat": 4}
    assert told["v"]["law"] == {"type": "values", "count": 2}
    assert told["l"]["law"] == {"type": "log_arange"}
    assert told["z"]["zero_rows"] == [0, 3, 5, 8]
    assert not any(tensor["zero_share"] for tensor in told.values())
