"""The package against golden.json, the values of an independent plain-Python program.

tests/golden/make_golden.py made them and says what its rows hold. Every value is compared bit for
bit; a normal is compared with the real number it stands for as well.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, get_args

import contract
import make_golden
import numpy as np
import pytest

import xavinit
from xavinit.choices import Distribution, GainName, Mode
from xavinit.dtypes import DTYPES
from xavinit.inits import NAMES
from xavinit.plan import Arange, Constant, Law, LogArange, Normal, TruncatedNormal, Uniform, Values
from xavinit.streams import Filler, make_key
from xavinit.streams.words import Words

Row = dict[str, Any]
GOLDEN: dict[str, list[Row]] = json.loads(make_golden.GOLDEN.read_bytes())
ROWS = GOLDEN["tensors"]
FLOATS = tuple(contract.FORMATS)
SCALES = "constant", "uniform", "normal", "truncated_normal"  # the laws with one number
LAWS: dict[str, type[Any]] = {
    "arange": Arange,
    "constant": Constant,
    "log_arange": LogArange,
    "values": Values,
    "uniform": Uniform,
    "normal": Normal,
    "truncated_normal": TruncatedNormal,
}

by_dtype = pytest.mark.parametrize("dtype", DTYPES)


def make_spec(seed: int, tensors: dict[str, Row]) -> Row:
    """A spec of these tensors; their names are literal, so braces are doubled."""

    def escape(text: str) -> str:
        return text.replace("{", "{{").replace("}", "}}")

    escaped = {}
    for name, keys in tensors.items():
        others = {key: escape(keys[key]) for key in ("stream", "fans_of") if key in keys}
        escaped[escape(name)] = keys | others
    return {"seed": seed, "tensors": escaped}


def vanishes(row: Row) -> bool:
    """Does the largest magnitude of the row's law round to zero? The contract defines such values,
    but no plan has them.
    """
    if row["law"] is None or row["spec"]["dtype"] not in contract.FORMATS:
        return False
    kind, scale = row["law"]
    if kind not in SCALES:
        return False
    scale = abs(float.fromhex(scale) if isinstance(scale, str) else scale)
    most = {"normal": 6.4, "truncated_normal": 2 / contract.CUT_STD}.get(kind, 1)
    code = contract.round_to(row["spec"]["dtype"], Fraction(scale) * Fraction(most))
    return scale > 0 and code == 0


def group_rows() -> dict[int, dict[str, Row]]:
    groups: dict[int, dict[str, Row]] = {}
    for row in ROWS:
        if vanishes(row):
            continue
        assert row["name"] not in groups.setdefault(row["seed"], {})
        groups[row["seed"]][row["name"]] = row["spec"]
    return groups


@pytest.fixture(scope="module")
def generated(kernel: str) -> dict[tuple[int, str], np.ndarray[Any, Any]]:
    """Every tensor of the golden rows, drawn by each kernel, by seed and name."""
    return {
        (seed, name): array
        for seed, tensors in group_rows().items()
        for name, array in xavinit.draw(make_spec(seed, tensors), jobs=2).items()
    }


def find_rows(dtype: str) -> Iterator[Row]:
    return (row for row in ROWS if row["spec"]["dtype"] == dtype)


def make_law(row: Row) -> Law:
    kind, scale = row["law"]
    if kind == "values":
        return Values(tuple(scale))
    numbers = scale if isinstance(scale, list) else [scale]
    law: Law = LAWS[kind](*(float.fromhex(n) if isinstance(n, str) else n for n in numbers))
    return law


def fill_one(filler: Filler, key: int, law: Law, dtype: str, index: int) -> str:
    out = bytearray(DTYPES[dtype].itemsize)
    filler.fill(memoryview(out), key, law, DTYPES[dtype], index, index + 1)
    return out.hex()


# --- values ---------------------------------------------------------------------------------------


@by_dtype
def test_draw_gives_the_golden_bytes(dtype: str, generated: Any) -> None:
    for row in find_rows(dtype):
        if vanishes(row):
            spec = make_spec(row["seed"], {row["name"]: row["spec"]})
            with pytest.raises(xavinit.SpecError, match="must not round to zero everywhere"):
                xavinit.make_plan(spec)
            continue
        array = generated[row["seed"], row["name"]]
        assert array.dtype.name == dtype
        assert list(array.shape) == row["spec"]["shape"]
        flat = array.reshape(-1)
        found = " ".join(flat[index].tobytes().hex() for index in row["indices"])
        assert found == row["bytes"], row


@by_dtype
def test_filler_gives_the_golden_bytes_one_by_one(dtype: str, filler: Filler) -> None:
    for row in find_rows(dtype):
        if row["law"] is None:
            continue
        key = make_key(row["seed"], row["spec"].get("stream", row["name"]))
        law = make_law(row)
        found = " ".join(fill_one(filler, key, law, dtype, index) for index in row["indices"])
        if not row["spec"].get("zero_rows"):  # which the stream makes
            assert found == row["bytes"], row


@pytest.mark.parametrize("row", GOLDEN["far"], ids=lambda row: f"{row['law'][0]}-{row['dtype']}")
def test_filler_gives_the_golden_bytes_far_out(row: Row, filler: Filler) -> None:
    key, law = make_key(row["seed"], row["stream"]), make_law(row)
    found = " ".join(fill_one(filler, key, law, row["dtype"], i) for i in row["indices"])
    assert found == row["bytes"]


@pytest.mark.parametrize("dtype", FLOATS)
def test_normals_are_close_to_the_exact_numbers(dtype: str) -> None:
    """Within 7e-7 in float32 and 2e-14 in float64, then rounded; z itself may be off by 5e-7."""
    error = Fraction(2e-14 if dtype == "float64" else 7e-7)
    steps = ["float32"] * (dtype != "float64") + [dtype]

    def round_by_steps(value: Fraction) -> int:
        for step in steps:
            code = contract.round_to(step, value)
            value = Fraction(contract.decode(step, code))
        return int(code)

    checked = 0
    for row in (row for row in [*ROWS, *GOLDEN["far"]] if "exact" in row):
        if row.get("dtype", row.get("spec", {}).get("dtype")) != dtype:
            continue
        for text, exact in zip(row["bytes"].split(), row["exact"], strict=True):
            code = int.from_bytes(bytes.fromhex(text), "little")
            sign = code >> (contract.FORMATS[dtype].bits - 1)
            magnitude = code - (sign << (contract.FORMATS[dtype].bits - 1))
            assert sign == (math.copysign(1, exact) < 0)
            low, high = abs(Fraction(exact)) * (1 - error), abs(Fraction(exact)) * (1 + error)
            assert round_by_steps(low) <= magnitude <= round_by_steps(high), row
            checked += 1
    assert checked > 100


# --- the steps before -----------------------------------------------------------------------------


def test_keys() -> None:
    for row in GOLDEN["keys"]:
        assert f"{make_key(row['seed'], row['stream']):032x}" == row["key"], row


def test_words() -> None:
    for row in GOLDEN["words"]:
        words = Words().read(int(row["key"], 16), row["first"], 6)
        assert " ".join(f"{word:016x}" for word in words) == row["words"], row


def test_fans_and_laws() -> None:
    plans = {
        (seed, tensor.name): tensor
        for seed, tensors in group_rows().items()
        for tensor in xavinit.make_plan(make_spec(seed, tensors)).tensors
    }
    for row in ROWS:
        if vanishes(row):
            continue
        plan = plans[row["seed"], row["name"]]
        assert (plan.fans and list(plan.fans)) == row["fans"], row
        if row["law"] is None:
            assert plan.law is None, row
            continue
        assert type(plan.law) is LAWS[row["law"][0]], row
        if row["law"][0] not in SCALES:
            assert plan.law == make_law(row), row
            continue
        scale = getattr(plan.law, plan.law.__struct_fields__[0])
        is_text = isinstance(row["law"][1], str)
        assert (float(scale).hex() if is_text else scale) == row["law"][1], row


@pytest.mark.parametrize("row", GOLDEN["digests"], ids=lambda row: str(len(row["tensors"])))
def test_digests(row: Row) -> None:
    arrays = xavinit.draw(make_spec(row["seed"], row["tensors"]))
    assert xavinit.digest(arrays) == row["sha256"]


# --- the file itself ------------------------------------------------------------------------------


def test_golden_file_is_what_its_program_makes() -> None:
    made = make_golden.format_golden(make_golden.make_golden())
    assert made.encode("ascii") == make_golden.GOLDEN.read_bytes()


def test_golden_program_shares_no_code_with_the_package() -> None:
    for name in ("contract", "make_golden"):
        text = make_golden.GOLDEN.with_name(f"{name}.py").read_text("utf-8")
        imports = [line for line in text.splitlines() if line.startswith(("import ", "from "))]
        assert imports
        assert not any("xavinit" in line or "numpy" in line for line in imports)


def test_every_initializer_dtype_and_choice_has_a_golden_row() -> None:
    seen: dict[str, set[Any]] = {key: set() for key in ("type", "gain")}
    pairs, rules = set(), set()
    for row in ROWS:
        spec = row["spec"]
        init = spec["init"] if isinstance(spec["init"], dict) else {"type": spec["init"]}
        for key, values in seen.items():
            values.add(init.get(key))
        rules.add((init.get("mode"), init.get("distribution")))
        if row["indices"]:
            pairs.add((init["type"], spec["dtype"]))
    ours = set(NAMES) - {"default"}  # which only an rng draws: tests/test_torch_golden.py
    assert seen["type"] == ours
    assert seen["gain"] >= set(get_args(GainName))
    assert rules >= {(mode, kind) for mode in get_args(Mode) for kind in get_args(Distribution)}
    for name in ours:
        constant = name in ("zeros", "ones", "constant", "arange", "values")
        for dtype in DTYPES.values():
            if constant or dtype.is_float:
                assert (name, dtype.name) in pairs
    assert len(make_golden.GOLDEN.read_bytes()) < 400_000
