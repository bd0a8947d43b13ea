"""`plan --explain`: who gave each key, the fans as products, the formula with its numbers."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from test_cli import run

import xavinit
from xavinit import Explanation
from xavinit.errors import UsageError
from xavinit.plan import Normal, TruncatedNormal, Uniform
from xavinit.report.explanations import explanation_to_json, format_explanation

TEXT = """\
dims: {d: 8}
defaults: {dtype: float16}
rules:
  - {match: "*.w", init: {type: he_normal, gain: tanh}}
  - {match: "b.*", fused: 2, stream: shared}
tensors:
  a.w: [3*d, d]
  b.w: {shape: [3, d, d], layout: in_out, dtype: float32}
  plain: [d, 2, 3, 5]
  none: {shape: [4], init: ones}
  empty: [0, 4]
  copy: {tied: a.w}
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "s.yaml"
    path.write_text(TEXT)
    return path


def list_sources(told: Explanation) -> dict[str, tuple[Any, ...]]:
    return {key.name: (key.value, key.source, key.rule, key.line, key.column) for key in told.keys}


def test_who_gave_each_key(spec: Path) -> None:
    assert list_sources(xavinit.explain(spec, "b.w")) == {
        "shape": ([3, 8, 8], "tensor", None, 8, 16),
        "dtype": ("float32", "tensor", None, 8, 50),
        "init": ({"type": "he_normal", "gain": "tanh"}, "rule", "*.w", 4, 26),
        "layout": ("in_out", "tensor", None, 8, 35),
        "fused": (2, "rule", "b.*", 5, 27),
        "stream": ("shared", "rule", "b.*", 5, 38),
    }


def test_what_nobody_gave_is_built_in(spec: Path) -> None:
    told = list_sources(xavinit.explain({"tensors": {"w": [3, 4]}}, "w"))
    assert told == {
        "shape": ([3, 4], "tensor", None, None, None),
        "dtype": ("float32", "built in", None, None, None),
        "init": ("glorot_uniform", "built in", None, None, None),
        "layout": ("out_in", "built in", None, None, None),
    }


def test_an_argument_is_told(spec: Path) -> None:
    told = list_sources(xavinit.explain(spec, "a.w", dtype="bfloat16"))
    assert told["dtype"] == ("bfloat16", "argument", None, None, None)
    assert list_sources(xavinit.explain(spec, "a.w"))["dtype"][:2] == ("float16", "defaults")


def test_fans_are_products(spec: Path) -> None:
    told = xavinit.explain(spec, "plain")
    assert told.fan_in is not None
    assert told.fan_out is not None
    assert (told.fan_in.axes, told.fan_in.sizes) == ((1, 2, 3), (2, 3, 5))
    assert (told.fan_out.axes, told.fan_out.sizes) == ((0, 2, 3), (8, 3, 5))
    assert (told.fan_in.value, told.fan_out.value) == (30, 120)
    assert [axis.role for axis in told.axes] == ["out", "in", "receptive field", "receptive field"]


SHAPES: list[Any] = [
    [3, 4],
    [8, 4, 3, 3],
    {"shape": [5, 6, 8], "batch_axis": 0},
    {"shape": [3, 3, 4, 8], "layout": "in_out", "fused": 4},
    {"shape": [2, 3, 4, 5], "in_axis": [0, 2], "out_axis": [-1]},
]
INITS = [
    f"{family}_{kind}"
    for family in ("glorot", "he", "lecun")
    for kind in ("uniform", "normal", "truncated_normal")
]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("init", INITS)
def test_the_numbers_are_the_plan_s(shape: Any, init: str) -> None:
    """The products give the fans, and the formula the law's bound or std."""
    table = shape if isinstance(shape, dict) else {"shape": shape}
    spec = {"tensors": {"w": {**table, "init": init}}}
    (tensor,) = xavinit.make_plan(spec).tensors
    told = xavinit.explain(spec, "w")
    assert tensor.fans is not None
    for product, fan in ((told.fan_in, tensor.fans.fan_in), (told.fan_out, tensor.fans.fan_out)):
        assert product is not None
        assert math.prod(product.sizes) / product.blocks == product.value == fan
    scale = told.scale
    assert scale is not None
    match tensor.law:
        case Uniform(bound):
            assert scale.value == bound == scale.gain * math.sqrt(3 / scale.n)
        case Normal(std):
            assert scale.value == std == scale.gain * math.sqrt(1 / scale.n)
        case TruncatedNormal(std):
            assert scale.value == std
            assert scale.before_cut == tensor.law.uncut_std
        case _:
            pytest.fail("no law")


def test_the_text(spec: Path) -> None:
    assert list(format_explanation(xavinit.explain(spec, "b.w"), "s.yaml")) == [
        "b.w",
        "  shape      [3, 8, 8]  ← the tensor itself (s.yaml:8:16)",
        "  dtype      float32  ← the tensor itself (s.yaml:8:50)",
        "  init       {type: he_normal, gain: tanh}  ← rule '*.w' (s.yaml:4:26)",
        "  layout     in_out  ← the tensor itself (s.yaml:8:35)",
        "  fused      2  ← rule 'b.*' (s.yaml:5:27)",
        "  stream     shared  ← rule 'b.*' (s.yaml:5:38)",
        "  axes       0 (3): receptive field, 1 (8): in, 2 (8): out",
        "  fan_in     8 (axis 1) × 3 (axis 0) = 24",
        "  fan_out    8 (axis 2) × 3 (axis 0) / 2 blocks = 12",
        "  n          fan_in = 24",
        "  gain       tanh = 1.66666667",
        "  std        gain·√(1/n) = 1.66666667·√(1/24) = 0.340206909",
        "  law        normal std 0.340207",
        "  bytes      768 (768 B)",
    ]


def test_a_tensor_without_fans_and_an_empty_one(spec: Path) -> None:
    lines = list(format_explanation(xavinit.explain(spec, "none"), "s.yaml"))
    assert "  fans       none" in lines
    assert "  law        constant 1" in lines
    lines = list(format_explanation(xavinit.explain(spec, "empty"), "s.yaml"))
    assert "  law        none: the tensor is empty" in lines


def test_a_copy_tells_of_what(spec: Path) -> None:
    told = xavinit.explain(spec, "copy")
    assert (told.tied, told.stream) == ("a.w", "a.w")
    assert list_sources(told)["tied"] == ("a.w", "tensor", None, 12, 16)


@pytest.mark.parametrize(
    ("shape", "batch", "out", "field"),
    [
        ({"shape": [64, 1, 3, 3]}, 0, 1, 9),
        ({"shape": [3, 3, 64, 1], "layout": "in_out"}, 2, 3, 9),
        ({"shape": [5, 1, 64], "layout": "in_out"}, 2, 1, 5),
    ],
)
def test_a_shape_that_looks_depthwise_gets_a_hint(
    shape: Any, batch: int, out: int, field: int
) -> None:
    told = xavinit.explain({"tensors": {"w": shape}}, "w")
    assert told.hint is not None
    line = f"batch_axis: {batch}, in_axis: [], out_axis: {out}"
    assert told.hint.endswith(f"{line} gives fans of {field}")


@pytest.mark.parametrize(
    "shape",
    [
        {"shape": [64, 1]},
        {"shape": [64, 3, 3, 3]},
        {"shape": [1, 1, 3, 3]},
        {"shape": [8, 64, 1, 3], "batch_axis": 0},
    ],
)
def test_other_shapes_get_none(shape: Any) -> None:
    assert xavinit.explain({"tensors": {"w": shape}}, "w").hint is None


@pytest.mark.parametrize("framework", ["pytorch", "keras", "flax"])
def test_every_tensor_of_a_layer_is_explained(framework: str) -> None:
    layers = [
        {"name": "conv", "type": "conv2d", "in": 2, "out": 4, "kernel": 3, "bias_init": "ones"},
        {"name": "up", "type": "conv_transpose2d", "in": 4, "out": 4, "kernel": 3, "stride": 2},
        {"name": "norm", "type": "batch_norm", "size": 4},
        {"name": "rnn", "type": "lstm", "in": 4, "hidden": 8, "forget_bias": 1.0},
        {"name": "fc", "type": "dense", "in": 8, "out": 2},
    ]
    spec = {"layers": layers, "framework": framework}
    for tensor in xavinit.make_plan(spec).tensors:
        told = xavinit.explain(spec, tensor.name)
        assert (told.shape, told.law, told.stream) == (tensor.shape, tensor.law, tensor.stream)
        assert list(format_explanation(told, "spec", 80))
        content = json.loads(explanation_to_json(told))
        assert content["name"] == tensor.name
        if tensor.fans is not None:
            assert (content["fan_in"]["value"], content["fan_out"]["value"]) == tensor.fans


def test_a_layer_s_own_key_and_its_type(tmp_path: Path) -> None:
    layer = {"name": "fc", "type": "dense", "in": 8, "out": 2, "bias_init": "ones"}
    spec = {"layers": [layer, {"name": "n", "type": "layer_norm", "size": 4}]}
    assert list_sources(xavinit.explain(spec, "fc.bias"))["init"][:2] == ("ones", "layer")
    assert list_sources(xavinit.explain(spec, "n.weight"))["init"][:2] == ("ones", "layer type")
    assert list_sources(xavinit.explain(spec, "fc.weight"))["init"][1] == "built in"


def test_the_command(spec: Path) -> None:
    done = run("plan", "s.yaml", "--explain", "a.w", cwd=spec.parent)
    assert done.returncode == 0
    lines = done.stdout.decode().splitlines()
    assert lines[0] == "a.w"
    assert "  std        gain·√(1/n) = 1.66666667·√(1/8) = 0.589255651" in lines
    told = json.loads(run("plan", "s.yaml", "--explain", "a.w", "--json", cwd=spec.parent).stdout)
    assert told["law"] == {"type": "normal", "std": told["scale"]["value"]}


def test_the_json_has_a_version(spec: Path) -> None:
    assert json.loads(explanation_to_json(xavinit.explain(spec, "a.w")))["version"] == 1


def test_a_name_is_a_text(spec: Path) -> None:
    with pytest.raises(UsageError, match="a tensor must be given by its name; got 3"):
        xavinit.explain(spec, 3)  # type: ignore[arg-type]


def test_a_folded_name_stands_for_its_first(tmp_path: Path) -> None:
    spec = {"tensors": {"h.{12}.w": [4, 4]}}
    assert xavinit.explain(spec, "h.{3..11}.w").name == "h.3.w"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--explain", "a.v"], 'the plan has no tensor "a.v"\n  hint: did you mean "a.w"?'),
        (["--explain", "{"], 'the plan has no tensor "{"'),
        (["--explain", "\udcff"], 'the plan has no tensor "\\udcff"'),  # the byte ff
        (["--explain", "a.w", "--full"], "--explain tells of one tensor"),
        (["--explain", "a.w", "--match", "*"], "--explain tells of one tensor"),
    ],
)
def test_mistakes(spec: Path, arguments: list[str], message: str) -> None:
    done = run("plan", "s.yaml", *arguments, cwd=spec.parent)
    assert (done.returncode, done.stdout) == (2, b"")
    assert message in done.stderr.decode()


def test_fans_of_another_a_formula_and_zero_rows(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(
        "tensors:\n"
        "  fc.w: {shape: [10, 32], zero_rows: [0, -1]}\n"
        "  fc.b: {shape: [10], init: {type: uniform, bound: 1/sqrt(fan_in)}, fans_of: fc.w}\n"
        "  dw: {shape: [64, 1, 3, 3], batch_axis: 0, in_axis: [], out_axis: 1}\n"
    )
    bias = xavinit.explain(path, "fc.b")
    values = {key.name: key.value for key in bias.keys}
    assert values["init"] == {"type": "uniform", "bound": "1/sqrt(fan_in)"}
    assert values["fans_of"] == "fc.w"
    assert [(fan.axes, fan.value) for fan in (bias.fan_in, bias.fan_out) if fan] == [
        ((1,), 32),
        ((0,), 10),
    ]
    assert bias.note == "axes and fans are those of its fans_of, of shape [10, 32]"
    weight = {key.name: key.value for key in xavinit.explain(path, "fc.w").keys}
    assert weight["zero_rows"] == [0, 9]
    assert "fans_of" not in weight
    depthwise = xavinit.explain(path, "dw")
    assert {key.name: key.value for key in depthwise.keys}["in_axis"] == ()
    assert depthwise.hint is None
    assert depthwise.fan_in is not None
    assert depthwise.fan_in.value == 9
