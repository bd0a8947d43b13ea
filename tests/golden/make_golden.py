"""Make golden.json, the values that pin stream `xavinit-1`.

    python tests/golden/make_golden.py

writes golden.json beside this file, byte for byte the same on every run. The values come from
contract.py, which shares no code with xavinit; only mpmath is needed. A released stream never
changes, so after a release new rows may be added, but no row may change.

- words: a Philox key, the first index, and 64-bit words in hexadecimal.
- keys: seed and stream name, and the key in hexadecimal.
- tensors: one row each, `spec` as in a spec; its fans; its law, with the scale (bound or std) in
  hexadecimal before it is rounded, or what else gives its numbers; the indices of some elements in
  C order; their little-endian bytes in hexadecimal; for normal laws also `exact`, the real number
  z·std rounded to float64.
- far: elements that no file holds, by seed, stream name, law and dtype.
- digests: of small sets of tensors, every element counted.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import contract

GOLDEN = Path(__file__).with_name("golden.json")
SEEDS = (0, 42, 2**64 - 1)
FLOATS = tuple(contract.FORMATS)
BOUNDARY = 2**17

Row = dict[str, Any]

# Rank 2 to 5, every way to name the axes.
SHAPES: tuple[Row, ...] = (
    {"shape": [5, 7]},
    {"shape": [4, 3, 5], "layout": "in_out"},
    {"shape": [6, 5], "fused": 3},
    {"shape": [4, 3, 2, 5]},
    {"shape": [5, 9], "layout": "in_out", "fused": 3},
    {"batch_axis": 0, "shape": [2, 5, 3]},
    {"shape": [3, 2, 3, 5], "layout": "in_out"},
    {"batch_axis": [2], "in_axis": [1, -1], "out_axis": 0, "shape": [3, 5, 2, 2, 3]},
    {"shape": [7, 1]},
    {"fused": 2, "shape": [6, 1, 3, 3]},
    {"batch_axis": -1, "layout": "in_out", "shape": [3, 7, 2]},
    {"shape": [1, 1]},
    {"in_axis": [0, 1], "out_axis": [2, 3], "shape": [3, 2, 2, 4]},
)
DISTRIBUTIONS = "uniform", "normal", "truncated_normal"
# Their rows stand last: further up, they would move the seeds and shapes of the rows behind them.
ADDED = ("kaiming",)
FIRST = tuple(family for family in contract.FAMILIES if family not in ADDED)
WITH_FANS = tuple(f"{family}_{kind}" for family in FIRST for kind in DISTRIBUTIONS)

NAMES = (
    "w",
    "h.0.attn.c_attn.weight",
    "h.0.attn.c_attn.weigh",
    " ",
    ".",
    "a/b",
    "\t",
    "{x}",
    "é",
    "e\u0301",  # the same to a reader, other bytes: no normalization
    "层.权重",
    "\U0001f600",
    "n" * 300,
)


def list_inits() -> Iterator[tuple[str, Any]]:
    """Every initializer that draws, with a label."""
    for name in WITH_FANS:
        yield name, name
    for mode in ("fan_in", "fan_out", "fan_avg"):
        for kind in DISTRIBUTIONS:
            init = {"type": "variance_scaling", "mode": mode, "distribution": kind}
            yield f"{mode}.{kind}", init
    for index, gain in enumerate((*contract.GAINS, 0.3)):
        kind = DISTRIBUTIONS[index % 3]
        yield f"gain.{gain}", {"type": f"glorot_{kind}", "gain": gain}
    yield "gain.he", {"type": "he_normal", "gain": 1.5}
    yield (
        "gain.scaling",
        {
            "type": "variance_scaling",
            "mode": "fan_out",
            "distribution": "uniform",
            "gain": "selu",
        },
    )


def list_scaled() -> Iterator[tuple[str, Row]]:
    """Every initializer without fans that draws, in shapes of any rank."""
    inits: tuple[Row, ...] = (
        {"type": "uniform", "bound": 0.1},
        {"type": "normal", "std": 0.02},
        {"type": "truncated_normal", "std": 0.02},
        {"type": "uniform", "bound": 3e-5},  # below the normal numbers of float16
        {"type": "normal", "std": 3e-3},  # and of float8_e4m3fn
        {"type": "truncated_normal", "std": 0.7},
    )
    shapes: list[list[int]] = [[], [1], [11], [0], [3, 0, 2], [2, 3, 1, 2, 2]]
    for init, shape in zip(inits * 2, shapes + shapes[::-1], strict=True):
        yield f"{init['type']}.{len(shape)}d", {"shape": shape, "init": init}


def list_extremes() -> Iterator[tuple[str, str, Row]]:
    """The largest bound of each float dtype, and scales that end below its normal numbers."""
    for dtype, form in contract.FORMATS.items():
        scale = math.ldexp(20, form.lowest - form.fraction)  # in units of the smallest number
        yield dtype, "large", {"type": "uniform", "bound": form.largest}
        yield dtype, "wide", {"type": "normal", "std": form.largest / 9.3}
        yield dtype, "tiny", {"type": "uniform", "bound": scale}
        yield dtype, "slim", {"type": "normal", "std": scale}
        yield dtype, "nothing", {"type": "truncated_normal", "std": 1e-300}


def list_constants() -> Iterator[tuple[str, str, Any]]:
    """Constants of every dtype: ends, ties, and what only a single rounding gets right."""
    for dtype in (*FLOATS, *contract.INTEGERS):
        yield dtype, "zeros", "zeros"
        yield dtype, "ones", "ones"
    values: list[tuple[str, bool | int | float]] = []
    for dtype, (_, lowest, largest) in contract.INTEGERS.items():
        values += [(dtype, lowest), (dtype, largest), (dtype, True), (dtype, 1.0), (dtype, -0.0)]
    values += [("int64", 2**53 + 1), ("int32", -7), ("uint8", 200.0)]
    for dtype, form in contract.FORMATS.items():
        unit, smallest = 2.0**-form.fraction, math.ldexp(1, form.lowest - form.fraction)
        values += [(dtype, v) for v in (0.1, -0.0, -2 / 3, 7, True, form.largest, -form.largest)]
        values += [(dtype, v) for v in (5e-324, 1e-310, smallest, math.ldexp(1.75, form.lowest))]
        if dtype == "float64":
            values += [(dtype, 2**53 + 1), (dtype, 2**53 + 3)]
            continue
        # ties, and one that a rounding to float32 on the way would turn into a tie
        ties = 1 + unit / 2, 1 + unit * 3 / 2, 1 + unit / 2 + 2.0**-45, smallest / 2, smallest * 1.5
        values += [(dtype, -v) for v in ties]
        values += [(dtype, smallest / 2 * (1 + 2.0**-45)), (dtype, 2 - unit / 4)]
    # the integer goes by float64, where it becomes a tie
    values += [("float32", 2**60 + 2**36 + 1), ("bfloat16", 2**60 + 2**52 + 1)]
    for index, (dtype, value) in enumerate(values):
        yield dtype, f"constant.{index}", {"type": "constant", "value": value}


def list_tensors() -> Iterator[tuple[int, str, Row]]:
    """Seed, name and spec of every row of `tensors`."""
    turn = 0
    for label, init in list_inits():
        for dtype in FLOATS:
            axes = SHAPES[turn % len(SHAPES)]
            yield SEEDS[turn % 3], f"{label}.{dtype}", {"init": init, "dtype": dtype, **axes}
            turn += 1
    for label, keys in list_scaled():
        for dtype in FLOATS:
            yield SEEDS[turn % 3], f"{label}.{turn}", {"dtype": dtype, **keys}
            turn += 1
    for dtype, label, init in list_extremes():
        yield 42, f"{label}.{dtype}", {"init": init, "dtype": dtype, "shape": [9]}
    for dtype, label, init in list_constants():
        yield 0, f"{label}.{dtype}", {"init": init, "dtype": dtype, "shape": [2]}
    for axes in SHAPES:
        for init in ("lecun_uniform", "glorot_normal"):
            yield 1, f"axes.{turn}", {"init": init, "dtype": "float32", **axes}
            turn += 1
    for seed in (*SEEDS, 1, 2**63, 2**32):
        for name in NAMES:
            yield seed, name, {"dtype": "float32", "init": "glorot_uniform", "shape": [3, 3]}
        for name in ("", "w", "é", "{x}", "__metadata__"):
            keys = {"dtype": "float64", "init": "glorot_uniform", "shape": [2, 2], "stream": name}
            yield seed, f"renamed.{name}", keys
    for shape in ([0], [0, 5], [3, 0, 2]):  # neither fans nor law, so nothing to refuse
        for dtype in ("float32", "bool"):
            keys = {"dtype": dtype, "init": "glorot_uniform", "shape": shape}
            yield 7, f"empty.{len(shape)}.{dtype}", keys
    yield from list_sequences()
    yield from list_expressions()
    for dtype in FLOATS:
        for init in ("glorot_uniform", "glorot_normal", "glorot_truncated_normal"):
            axes = {"shape": [3, BOUNDARY // 3 + 5]}
            yield 42, f"long.{init}.{dtype}", {"init": init, "dtype": dtype, **axes}
    for name in (f"{family}_{kind}" for family in ADDED for kind in DISTRIBUTIONS):
        for dtype in FLOATS:
            axes = SHAPES[turn % len(SHAPES)]
            yield SEEDS[turn % 3], f"{name}.{dtype}", {"init": name, "dtype": dtype, **axes}
            turn += 1


def list_sequences() -> Iterator[tuple[int, str, Row]]:
    """Numbers that are not all one, in every dtype, with both ends of what is exact."""
    for dtype in (*FLOATS, *contract.INTEGERS):
        inits: list[Row] = [
            {"type": "arange", "start": 1, "step": -1, "repeat": 6},
            {"type": "arange", "start": int(dtype in FLOATS) * -6, "step": 1, "repeat": 6},
            {"type": "values", "values": [1, 0, True, False, 1.0, 0.0, -0.0, 1, 0, 1]},
        ]
        if dtype in FLOATS:
            ones = 2 ** (contract.FORMATS[dtype].fraction + 1)
            inits += [
                {"type": "arange", "start": ones - 6, "step": 1, "repeat": 2},
                {"type": "arange", "start": 2 * ones, "step": -6 if ones > 99 else -2},
                {"type": "arange", "start": -0.3, "step": 0.1},
                {"type": "arange", "start": 1e-7, "step": 1 / 3, "repeat": 3},
                {"type": "log_arange"},
                {"type": "values", "values": [0.1, -2 / 3, 1e-3, 3, -4, 0.7, 5.5, -0.0, 2, 1.1]},
            ]
        for index, init in enumerate(inits):
            shape = [2, 5] if init["type"] == "values" else [3, 11]
            yield 5, f"sequence.{index}.{dtype}", {"init": init, "dtype": dtype, "shape": shape}
    for dtype in ("int64", "int32"):
        init = {"type": "arange", "repeat": 128}  # as the g_idx of GPTQ
        yield 5, f"g_idx.{dtype}", {"init": init, "dtype": dtype, "shape": [1000]}
        yield 5, f"position_ids.{dtype}", {"init": "arange", "dtype": dtype, "shape": [1, 512]}
        largest = contract.INTEGERS[dtype][2]
        init = {"type": "arange", "start": largest - 4}
        yield 5, f"largest.{dtype}", {"init": init, "dtype": dtype, "shape": [5]}
    for dtype in FLOATS:
        yield 5, f"A_log.{dtype}", {"init": "log_arange", "dtype": dtype, "shape": [6, 256]}
        yield 5, f"logs.{dtype}", {"init": "log_arange", "dtype": dtype, "shape": [10_000]}


def list_expressions() -> Iterator[tuple[int, str, Row]]:
    """Numbers by expressions, rows that are zero, and a bias with its weight's fans."""
    for dtype in FLOATS:
        for index, (kind, key, text) in enumerate(
            (
                ("normal", "std", "0.02/sqrt(2*12)"),
                ("normal", "std", "0.1 + 0.2*3 - 1/3"),
                ("uniform", "bound", "1/sqrt(fan_in)"),
                ("truncated_normal", "std", "sqrt(2/(fan_in + fan_out))*(7//2)"),
                ("glorot_normal", "gain", "sqrt(2)/sqrt(fan_out)"),
                ("constant", "value", "-(1 - .1)/3e0"),
            )
        ):
            init = {"type": kind, key: text}
            keys: Row = {"init": init, "dtype": dtype, "shape": [7, 9]}
            yield 6, f"expression.{index}.{dtype}", keys
        weight = f"expression.2.{dtype}"
        init = {"type": "uniform", "bound": "1/sqrt(fan_in)"}
        keys = {"init": init, "dtype": dtype, "shape": [7], "fans_of": weight}
        yield 6, f"bias.{dtype}", keys
        keys = {"init": "glorot_normal", "dtype": dtype, "shape": [3, 7], "zero_rows": [0, -1]}
        yield 6, f"padding.{dtype}", keys
        yield 6, f"padded.{dtype}", {**keys, "zero_rows": [], "stream": f"padding.{dtype}"}


def pick_indices(size: int) -> list[int]:
    """The first, the last, and those around 2¹⁷, some even and some odd."""
    wanted = {0, 1, 2, 3, 7, size - 2, size - 1}
    if size > BOUNDARY:
        wanted |= {BOUNDARY - 1, BOUNDARY, BOUNDARY + 1}
    return sorted(index for index in wanted if 0 <= index < size)


def describe_elements(law: contract.Law, dtype: str, key: int, picks: list[int]) -> Row:
    """The bytes of some elements, and the exact numbers of a normal law."""
    row: Row = {"bytes": " ".join(contract.make_element(law, dtype, key, i).hex() for i in picks)}
    if "normal" in law.kind:
        row["exact"] = [contract.compute_exact_normal(law, dtype, key, i) for i in picks]
    return row


def describe_law(law: contract.Law) -> list[Any]:
    return [law.kind, law.scale if law.kind in contract.FIXED else law.scale.hex()]


def clear_rows(row: Row) -> None:
    """Make the elements of the zero rows +0."""
    shape = row["spec"]["shape"]
    rows = {index % shape[0] for index in row["spec"].get("zero_rows", ())}
    size = math.prod(shape[1:])
    parts = row["bytes"].split()
    for place, index in enumerate(row["indices"]):
        if index // size in rows:
            parts[place] = "0" * len(parts[place])
            if "exact" in row:
                row["exact"][place] = 0.0
    row["bytes"] = " ".join(parts)


def make_tensor_row(seed: int, name: str, spec: Row, fans_of: Row | None = None) -> Row:
    size = math.prod(spec["shape"])
    row: Row = {"seed": seed, "name": name, "spec": spec, "fans": None, "law": None}
    row |= {"indices": pick_indices(size), "bytes": ""}
    if size:
        row["fans"] = contract.compute_fans(fans_of or spec)
        law = contract.compute_law(spec["init"], row["fans"], spec["shape"])
        key = contract.make_key(seed, spec.get("stream", name))
        row["law"] = describe_law(law)
        row |= describe_elements(law, spec["dtype"], key, row["indices"])
        if spec.get("zero_rows"):
            clear_rows(row)
    return row


def make_tensor_rows() -> Iterator[Row]:
    specs: dict[tuple[int, str], Row] = {}
    for seed, name, spec in list_tensors():
        specs[seed, name] = spec
        yield make_tensor_row(seed, name, spec, specs.get((seed, spec.get("fans_of", ""))))


def make_far_rows() -> Iterator[Row]:
    for kind in DISTRIBUTIONS:
        law = contract.Law(kind, 0.05)
        for dtype in FLOATS:
            picks = [2**33 + 5, 2**40 - 1, 2**62 + 3]
            key = contract.make_key(42, "far")
            row = {"seed": 42, "stream": "far", "law": describe_law(law), "dtype": dtype}
            yield row | {"indices": picks} | describe_elements(law, dtype, key, picks)


def make_key_rows() -> Iterator[Row]:
    for seed in (0, 1, 42, 2**32, 2**64 - 1):
        for name in ("", *NAMES):
            yield {"seed": seed, "stream": name, "key": f"{contract.make_key(seed, name):032x}"}


def make_word_rows() -> Iterator[Row]:
    for key in (0, 1, 2**64, 2**128 - 1, contract.make_key(42, "w")):
        for first in (0, 5, 2**32 - 2, 2**40 + 1, 2**64 + 3):
            words = [f"{contract.get_word(key, first + i):016x}" for i in range(6)]
            yield {"key": f"{key:032x}", "first": first, "words": " ".join(words)}


def make_digest_rows() -> Iterator[Row]:
    sets: list[tuple[int, dict[str, Row]]] = [(0, {})]
    sets.append((42, {"w": {"shape": [4, 3], "dtype": "float32", "init": "glorot_uniform"}}))
    mixed: dict[str, Row] = {}
    for index, dtype in enumerate((*FLOATS, *contract.INTEGERS)):
        draws = dtype in FLOATS
        init = WITH_FANS[index] if draws else "ones"
        mixed[f"é.{index}" if index % 2 else f"z{index}"] = {
            "shape": [2, 9 - index],
            "dtype": dtype,
            "init": init,
        }
    mixed["scalar"] = {"shape": [], "dtype": "bool", "init": "zeros"}
    mixed["empty"] = {"shape": [4, 0], "dtype": "bfloat16", "init": "he_normal"}
    sets.append((2**64 - 1, mixed))
    for seed, tensors in sets:
        contents = {}
        for name, spec in tensors.items():
            law = contract.compute_law(spec["init"], contract.compute_fans(spec) or (1, 1))
            key = contract.make_key(seed, name)
            elements = range(math.prod(spec["shape"]))
            parts = (contract.make_element(law, spec["dtype"], key, i) for i in elements)
            contents[name] = (spec["dtype"], spec["shape"], b"".join(parts))
        yield {"seed": seed, "tensors": tensors, "sha256": contract.make_digest(contents)}


def make_golden() -> dict[str, list[Row]]:
    """All rows by section."""
    return {
        "digests": list(make_digest_rows()),
        "far": list(make_far_rows()),
        "keys": list(make_key_rows()),
        "tensors": list(make_tensor_rows()),
        "words": list(make_word_rows()),
    }


def format_golden(golden: dict[str, list[Row]]) -> str:
    """JSON with sorted keys, a row a line."""
    sections = []
    for section, rows in sorted(golden.items()):
        lines = (json.dumps(row, sort_keys=True, separators=(",", ":")) for row in rows)
        sections.append(f"{json.dumps(section)}: [\n" + ",\n".join(lines) + "\n]")
    return "{\n" + ",\n".join(sections) + "\n}\n"


if __name__ == "__main__":
    GOLDEN.write_text(format_golden(make_golden()), encoding="ascii", newline="\n")
    print(f"wrote {GOLDEN}", file=sys.stderr)
