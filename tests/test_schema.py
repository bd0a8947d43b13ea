"""The JSON Schema of a spec: it takes what the reader takes, and its lists are the plan's."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from test_bad_layers import ROWS as BAD_LAYERS
from test_bad_specs import ROWS as BAD_SPECS

import xavinit
from xavinit import choices, inits
from xavinit.inits import GAINS, KINDS, NAMED, NAMES
from xavinit.spec import load_document, parse_document
from xavinit.spec.convert import INITS as KEYS_WITH_INITS
from xavinit.spec.convert import explain_value
from xavinit.spec.layer_types import LAYER_TYPES, LayerGroup
from xavinit.spec.schema import make_schema
from xavinit.spec.types import Rule, TensorTable

ROOT = Path(__file__).parent.parent
SCHEMA = make_schema()
VALIDATOR = Draft202012Validator(SCHEMA)
SAMPLES = sorted((ROOT / "sample_specs").glob("*.yaml"))

Data = dict[str, Any]
Rows = dict[str, tuple[str, str]]


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_the_file_for_editors_is_what_the_command_prints() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "xavinit", "schema"], capture_output=True, check=True
    )
    assert json.loads(done.stdout) == SCHEMA
    file = ROOT / "docs" / "xavinit.schema.json"
    assert file.read_bytes() == done.stdout, "run: xavinit schema > docs/xavinit.schema.json"


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_sample_specs_are_valid(path: Path) -> None:
    VALIDATOR.validate(load_document(path).data)


def test_there_are_sample_specs() -> None:
    assert SAMPLES


# Of the tables of bad specs and bad layers, how many a schema refuses; what is left needs the value
# of an expression, a name's braces, fans, ranges of dtypes, or what a framework lacks.
@pytest.mark.parametrize(("table", "refused"), [(BAD_SPECS, 97), (BAD_LAYERS, 45)])
def test_the_schema_refuses_bad_specs_as_far_as_it_can(table: Rows, refused: int) -> None:
    data = [parse_document(spec.encode(), "s.yaml").data for spec, _ in table.values()]
    assert sum(not VALIDATOR.is_valid(spec) for spec in data) >= refused


def test_the_types_of_layers_are_one_choice() -> None:
    """Editors offer and check what one `enum` says; of several schemas they take the first."""
    layer = SCHEMA["$defs"]["Layer"]
    assert layer["properties"]["type"]["enum"] == sorted([*LAYER_TYPES, "draw"])
    (error,) = VALIDATOR.iter_errors({"layers": [{"name": "a", "type": "linear"}]})
    assert error.validator == "enum"
    told = [*error.absolute_path]
    assert told == ["layers", 0, "type"]


def list_schemas(schema: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(schema, dict):
        yield path, schema
        for key, value in schema.items():
            yield from list_schemas(value, f"{path}/{key}")
    elif isinstance(schema, list):
        for index, value in enumerate(schema):
            yield from list_schemas(value, f"{path}/{index}")


def test_every_key_and_choice_has_a_description() -> None:
    for path, schema in list_schemas(SCHEMA["$defs"]):
        if not {"if", "then", "not"} & set(path.split("/")):
            for key, told in schema.get("properties", {}).items():
                target = SCHEMA["$defs"][told["$ref"].rpartition("/")[2]] if "$ref" in told else {}
                assert told.get("description") or target.get("description"), f"{path}: {key}"
        if "enum" in schema and not path.endswith("propertyNames"):
            assert len(schema["enum"]) == len(schema["enumDescriptions"]), path
            assert all(schema["enumDescriptions"]), path


def test_the_schema_has_a_name_for_ever() -> None:
    assert SCHEMA["$id"] == "urn:xavinit:spec:1"


GOOD: dict[str, Data] = {
    "the least": {"tensors": {}},
    "a scalar": {"tensors": {"w": {"shape": [], "init": "ones"}}},
    "everything": {
        "$schema": "../docs/xavinit.schema.json",
        "seed": 2**64 - 1,
        "framework": "flax",
        "dims": {"d": 4, "e": "2*d"},
        "defaults": {"init": {"type": "glorot_normal", "gain": "relu"}, "dtype": "bfloat16"},
        "rules": [
            {"match": "*.b", "init": "zeros", "dtype": "bool"},
            {"match": "*", "layout": "in_out"},
        ],
        "tensors": {
            "a": ["d", 3, "2*e"],
            "{2}.b": {"shape": ["d"], "stream": "s.{2}"},
            "c": {"shape": [2, 2, 2], "in_axis": 0, "out_axis": [-1], "batch_axis": 1},
            "d": {"shape": [6, 2], "layout": "in_out", "fused": "d//2"},
            "e": {"shape": [2], "init": {"type": "constant", "value": True}},
            "f": {"shape": [2], "init": {"type": "uniform", "bound": 1}},
            "g": {
                "shape": [2, 2],
                "init": {
                    "type": "variance_scaling",
                    "mode": "fan_in",
                    "distribution": "normal",
                    "gain": 2,
                },
            },
            "h": {"tied": "a"},
            "i": {"shape": [4], "init": {"type": "uniform", "bound": "1/fan_in"}, "fans_of": "a"},
            "j": {"shape": [3, 2], "init": {"type": "arange", "repeat": "d"}, "zero_rows": [-1]},
            "k": {"shape": [2], "init": {"type": "values", "values": [1, True]}},
            "l.{2..8..3}": {"shape": [2, 3], "init": "log_arange"},
        },
    },
    "layers alone": {
        "dims": {"d": 4},
        "layers": [
            {"name": "c", "type": "conv2d", "in": 3, "out": "d", "kernel": [3, "d"], "groups": 1},
            {"name": "up", "type": "conv_transpose2d", "in": 3, "out": 2, "kernel": 2, "stride": 2},
            {"name": "fc", "type": "dense", "in": ["d", 2, 2], "out": 5, "bias_init": "ones"},
            {
                "name": "g.{2}",
                "layers": [
                    {"name": "n", "type": "layer_norm", "size": 4, "bias": False},
                    {"name": "h", "layers": [{"name": "e", "type": "rms_norm", "size": 1}]},
                ],
            },
        ],
    },
}


@pytest.mark.parametrize("data", GOOD.values(), ids=GOOD.keys())
def test_good_specs(data: Data) -> None:
    VALIDATOR.validate(data)
    xavinit.make_plan(data)


W: Data = {"w": [2, 2]}


def with_init(**init: Any) -> Data:
    return {"tensors": {"w": {"shape": [2, 2], "init": init}}}


def with_keys(**keys: Any) -> Data:
    return {"tensors": {"w": {"shape": [2, 2], **keys}}}


BAD: list[Any] = [
    {},
    [],
    {"tensors": []},
    {"tensors": W, "layer": []},
    {"layers": {}},
    {"layers": [5]},
    {"layers": [{"name": "a", "type": "dense", "in": 2}]},
    {"layers": [{"name": "a", "type": "dens", "in": 2, "out": 2}]},
    {"layers": [{"name": "a", "in": 2, "out": 2}]},
    {"layers": [{"name": "a", "type": "dense", "in": 2, "out": 2, "kernel": 2}]},
    {"layers": [{"name": "a", "type": "dense", "in": [], "out": 2}]},
    {"layers": [{"name": "a", "type": "conv1d", "in": [2], "out": 2, "kernel": 1}]},
    {"layers": [{"name": "a", "type": "rms_norm", "size": 1.5}]},
    {"layers": [{"name": "a", "type": "rms_norm", "size": 1, "init": "normal"}]},
    {"layers": [{"name": "a", "layers": []}]},
    {"layers": [{"name": "a", "layers": [{"type": "rms_norm", "size": 1}]}]},
    {"tensors": W, "$schema": 5},
    {"tensors": W, "seed": -1},
    {"tensors": W, "seed": 2**64},
    {"tensors": W, "seed": "42"},
    {"tensors": W, "seed": True},
    {"tensors": W, "framework": "torch"},
    {"tensors": W, "dims": {"d": 1.5}},
    {"tensors": W, "dims": ["d"]},
    {"tensors": W, "defaults": {"shape": [2]}},
    {"tensors": W, "defaults": {"match": "*"}},
    {"tensors": W, "rules": {"match": "*"}},
    {"tensors": W, "rules": [{"init": "zeros"}]},
    {"tensors": W, "rules": [{"match": "*", "shape": [2]}]},
    {"tensors": {"w": 5}},
    {"tensors": {"w": [1.5]}},
    {"tensors": {"w": [True]}},
    {"tensors": {"w": [[2]]}},
    with_keys(dtpye="float32"),
    with_keys(dtype="f32"),
    with_keys(layout="OI"),
    with_keys(in_axis="0", out_axis=1),
    with_keys(fused=1.5),
    with_keys(stream=5),
    with_keys(init="glorot"),
    with_keys(init=["zeros"]),
    with_keys(init=None),
    with_init(std=1),
    with_init(type="glorot"),
    with_init(type="zeros", value=0),
    with_init(type="constant"),
    with_init(type="constant", value=[0]),
    with_init(type="normal", std={"text": "1", "dims": []}),
    with_init(type="values", values=1),
    with_init(type="values", values=["1"]),
    with_init(type="values", values=[1] * 10_001),
    with_init(type="arange", start=[0]),
    with_init(type="arange", repeat=1.5),
    with_init(type="log_arange", start=1),
    with_keys(zero_rows=0),
    with_keys(zero_rows=[0.5]),
    with_keys(fans_of=1),
    with_init(type="normal"),
    with_init(type="normal", std=0),
    with_init(type="normal", std=1, gain=1),
    with_init(type="uniform", std=1),
    with_init(type="glorot_uniform", mode="fan_in"),
    with_init(type="glorot_uniform", gain=0),
    with_init(type="glorot_uniform", gain=-1),
    with_init(type="glorot_uniform", gain=True),
    with_init(type="glorot_uniform", gain=["relu"]),
    with_keys(init="variance_scaling"),
    with_keys(init="normal"),
    with_init(type="variance_scaling"),
    with_init(type="variance_scaling", mode="fan_in"),
    with_init(type="variance_scaling", mode="in", distribution="normal"),
]


@pytest.mark.parametrize("data", BAD, ids=json.dumps)
def test_bad_specs(data: Any) -> None:
    assert not VALIDATOR.is_valid(data)
    if isinstance(data, dict):
        with pytest.raises(xavinit.SpecError):
            xavinit.make_plan(data)


def maybe(key: str, *values: Any) -> st.SearchStrategy[Data]:
    """A mapping with the key and one of the values, or an empty one."""
    return st.just({}) | st.sampled_from(values).map(lambda value: {key: value})


def merge(parts: Any) -> Data:
    return {key: value for part in parts for key, value in part.items()}


INITS = (st.sampled_from(NAMES) | st.sampled_from(["glorot", 1, None])) | st.tuples(
    maybe("type", *NAMES, "glorot"),
    maybe("gain", 1, 0.5, "relu", 0, "sqrt(2)"),
    maybe("mode", *get_args(choices.Mode), 1),
    maybe("distribution", *get_args(choices.Distribution), "cauchy"),
    maybe("value", 0, 1.5, True, "1"),
    maybe("bound", 1, 0),
    maybe("std", 0.1, -1, "0.02/2"),
    maybe("start", 0, 0.5, "1", None),
    maybe("repeat", 1, "2", 0.5),
).map(merge)
KEYS = st.tuples(
    st.just({}) | INITS.map(lambda init: {"init": init}),
    maybe("dtype", "float32", "float16", "int32", "half"),
    maybe("layout", "in_out", "io"),
    maybe("in_axis", 0, [0], -1, [], True),
    maybe("out_axis", 1, [1], "1"),
    maybe("fused", 1, 2, "d", 1.0),
    maybe("zero_rows", [0], [-1, "d - 1"], [], [None]),
    maybe("fans_of", "v", 1),
    maybe("stream", "s", 1),
    maybe("tied", "v", 1),
).map(merge)
SHAPES = st.lists(st.sampled_from([0, 1, 4, "d", "2*d", -1, "x", 1.5, None]), max_size=3)
SPECS = st.tuples(
    maybe("seed", 0, 2**64 - 1, 2**64, 1.5),
    maybe("framework", "keras", "torch"),
    st.just({"dims": {"d": 2}}) | maybe("dims", {"d": "2"}, {"d": 1.5}, []),
    st.just({}) | KEYS.map(lambda keys: {"defaults": keys}),
    st.lists(st.tuples(KEYS, maybe("match", "*", "w", 1)).map(merge), max_size=2).map(
        lambda rules: {"rules": rules} if rules else {}
    ),
    st.tuples(
        KEYS.map(lambda keys: {"w": keys})
        | st.tuples(KEYS, SHAPES.map(lambda shape: {"shape": shape})).map(
            lambda parts: {"w": merge(parts)}
        ),
        SHAPES.map(lambda shape: {"v": shape}) | st.just({}),
    ).map(lambda parts: {"tensors": merge(parts)}),
).map(merge)


@given(SPECS)
def test_the_schema_takes_whatever_the_reader_takes(data: Data) -> None:
    try:
        xavinit.make_plan(data)
    except xavinit.SpecError:
        return  # the reader sees more: axes, dims, fans, ranges
    VALIDATOR.validate(data)


@given(INITS, st.sampled_from([[], [2], [2, 2]]))
def test_schema_and_reader_agree_on_every_init(init: Any, shape: list[int]) -> None:
    data = {"tensors": {"w": {"shape": shape, "init": init}}}
    try:
        xavinit.make_plan(data)
    except xavinit.SpecError as error:
        # By its rank, or by what only the rng of a framework draws.
        told_by_rank = "needs fans" in error.fact or " alone" in error.fact
    else:
        told_by_rank = True
    assert VALIDATOR.is_valid(data) is told_by_rank


def test_the_lists_of_the_spec_are_those_of_the_plan() -> None:
    assert set(get_args(choices.GainName)) == set(GAINS)
    assert set(NAMES) == {*NAMED, *KINDS}
    assert {rule.mode for rule in NAMED.values()} <= set(get_args(choices.Mode))
    assert {rule.distribution for rule in NAMED.values()} == set(get_args(choices.Distribution))


def test_every_key_has_a_rule_for_its_values() -> None:
    """Which messages tell; without one, a wrong value would be an internal error."""
    tables = [TensorTable, Rule, LayerGroup, *LAYER_TYPES.values()]
    keys = {key for table in tables for key in table.__struct_encode_fields__}
    keys |= {key for kind in inits.KINDS.values() for key in kind.__struct_fields__[1:]}
    for key in sorted(keys - set(KEYS_WITH_INITS)):
        assert str(explain_value(key, None, (key,))).startswith(f"{key}: must be ")
