"""Layers: what they are in PyTorch, their true fans, and their names in each framework."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, get_args

import h5py
import numpy as np
import pytest
from click.testing import CliRunner

import xavinit
from xavinit.choices import FrameworkName
from xavinit.cli import cli
from xavinit.errors import SpecError, UsageError
from xavinit.layers import Variable, find_framework
from xavinit.report.plans import format_plan, plan_to_json
from xavinit.spec.layer_types import LAYER_TYPES

# Of each type: its keys, and (shape, fans) of its weight, by hand.
FORMS: dict[str, tuple[dict[str, Any], tuple[int, ...], tuple[int, int] | None]] = {
    "dense": ({"in": [3, 4, 5], "out": 7}, (7, 60), (60, 7)),
    "conv1d": ({"in": 4, "out": 6, "kernel": 3}, (6, 4, 3), (12, 18)),
    "conv2d": ({"in": 4, "out": 6, "kernel": [3, 5], "groups": 2}, (6, 2, 3, 5), (30, 45)),
    "conv3d": ({"in": 1, "out": 2, "kernel": [2, 3, 4]}, (2, 1, 2, 3, 4), (24, 48)),
    "conv_transpose2d": (
        {"in": 8, "out": 6, "kernel": 4, "stride": 2, "groups": 2},
        (8, 3, 4, 4),
        (4 * 16 // 4, 3 * 16),
    ),
    "depthwise_conv2d": ({"in": 5, "kernel": 3, "multiplier": 2}, (10, 1, 3, 3), (9, 18)),
    "embedding": ({"in": 11, "out": 4}, (11, 4), (1, 4)),
    "layer_norm": ({"size": 6}, (6,), None),
    "rms_norm": ({"size": 6}, (6,), None),
    "batch_norm": ({"size": 6}, (6,), None),
    "lstm": ({"in": 3, "hidden": 5}, (20, 3), (3, 5)),
    "gru": ({"in": 3, "hidden": 5}, (15, 3), (3, 5)),
    "multi_head_attention": ({"size": 6, "heads": 2}, (18, 6), (6, 6)),
}
FIRST = {"lstm": "weight_ih_l0", "gru": "weight_ih_l0", "multi_head_attention": "in_proj_weight"}


def plan_layer(kind: str, framework: str = "pytorch", **keys: Any) -> dict[str, Any]:
    entry = {"name": "x", "type": kind, **FORMS[kind][0], **keys}
    plan = xavinit.make_plan({"layers": [entry]}, framework=framework)
    return {tensor.name: tensor for tensor in plan.tensors}


def test_every_type_has_its_place_everywhere() -> None:
    assert set(FORMS) == set(LAYER_TYPES)
    for name in get_args(FrameworkName):
        for kind in LAYER_TYPES:
            one_group = {"groups": 1} if "groups" in FORMS[kind][0] else {}  # as all have it
            tensors = plan_layer(kind, framework=name, **one_group).values()
            assert {tensor.module.name for tensor in tensors} == {"x"}


@pytest.mark.parametrize("kind", FORMS)
def test_shape_and_fans_of_the_weight(kind: str) -> None:
    _, shape, fans = FORMS[kind]
    weight = plan_layer(kind)[f"x.{FIRST.get(kind, 'weight')}"]
    assert (weight.shape, weight.fans) == (shape, fans)


@pytest.mark.parametrize(
    ("kernel", "stride", "fan_in"),
    [(4, 2, 4 * 4), (3, 1, 4 * 9), (3, 2, 4 * 9 / 4), ([2, 3], [2, 1], 4 * 3), (1, 3, 4 / 9)],
)
def test_an_output_of_a_transposed_convolution_sees_one_phase(
    kernel: Any, stride: Any, fan_in: float
) -> None:
    weight = plan_layer(
        "conv_transpose2d", **{"in": 4, "out": 2}, kernel=kernel, stride=stride, groups=1
    )["x.weight"]
    assert weight.fans.fan_in == fan_in
    assert isinstance(weight.fans.fan_in, int) == (fan_in == int(fan_in))


def test_a_norm_of_what_is_flattened_has_its_channels_last() -> None:
    rules = [{"match": "*.*", "init": {"type": "uniform", "bound": 1}}]
    entry = {"name": "x", "type": "batch_norm", "size": [2, 3, 4]}
    spec = {"rules": [*rules, {"match": "*.running_var", "init": "ones"}], "layers": [entry]}
    ours = xavinit.draw(spec)
    theirs = xavinit.draw(spec, framework="keras")
    for role, name in (("weight", "gamma"), ("bias", "beta"), ("running_mean", "moving_mean")):
        turned = ours[f"x.{role}"].reshape(2, 3, 4).transpose(1, 2, 0).ravel()
        np.testing.assert_array_equal(theirs[f"x/{name}"], turned)


def test_the_default_framework_said_or_not_is_one_spec() -> None:
    spec = {"layers": [{"name": "x", "type": "rms_norm", "size": 2}]}
    made = {xavinit.make_plan(spec, framework=name).canonical for name in (None, "pytorch")}
    assert made == {xavinit.make_plan({**spec, "framework": "pytorch"}).canonical}
    assert made != {xavinit.make_plan(spec, framework="keras").canonical}


def test_a_recurrent_layer_is_pytorchs() -> None:
    """Shapes and fans by hand: each of a stack takes what the one below gives, of both ways."""
    made = plan_layer("lstm", num_layers=2, bidirectional=True)
    told = {name.removeprefix("x."): (t.shape, t.fans) for name, t in made.items()}
    ways = ("l0", "l0_reverse", "l1", "l1_reverse")
    assert list(told) == [
        f"{role}_{way}" for way in ways for role in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    ]
    for way in ways:
        inputs = 3 if way.startswith("l0") else 10
        assert told[f"weight_ih_{way}"] == ((20, inputs), (inputs, 5))
        assert told[f"weight_hh_{way}"] == ((20, 5), (5, 5))
        assert told[f"bias_ih_{way}"] == told[f"bias_hh_{way}"] == ((20,), None)


def test_initializers_of_a_recurrent_layer_stand_apart() -> None:
    made = plan_layer(
        "gru",
        init="lecun_normal",
        recurrent_init={"type": "uniform", "bound": 0.5},
        bias_init={"type": "normal", "std": 0.25},
    )
    laws = {name.removeprefix("x."): str(tensor.law) for name, tensor in made.items()}
    assert laws == {
        "weight_ih_l0": "normal std 0.57735",
        "weight_hh_l0": "uniform ±0.5",
        "bias_ih_l0": "normal std 0.25",
        "bias_hh_l0": "constant 0",
    }


@pytest.mark.parametrize("framework", ["pytorch", "keras", "flax"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float8_e4m3fn"])
def test_the_forget_bias_is_of_that_gate_alone(framework: str, dtype: str) -> None:
    entry = {"name": "x", "type": "lstm", "in": 2, "hidden": 3, "forget_bias": 1.5, "dtype": dtype}
    w = xavinit.draw({"layers": [entry]}, framework=framework)
    packed = [0, 0, 0, 1.5, 1.5, 1.5, 0, 0, 0, 0, 0, 0]  # i, f, g or c, o
    if framework == "flax":
        made = [float(b) for gate in "ifgo" for b in w[f"params.x.cell.h{gate}.bias"]]
        plan = xavinit.make_plan({"layers": [entry]}, framework=framework)
        laws = {t.name[-7:]: str(t.law) for t in plan.tensors if t.name.endswith("bias")}
        zero = "constant 0"
        assert laws == {
            "hi.bias": zero,
            "hf.bias": "constant 1.5",
            "hg.bias": zero,
            "ho.bias": zero,
        }
    else:
        name = "x.bias_ih_l0" if framework == "pytorch" else "x/lstm_cell/bias"
        made = [float(b) for b in w[name]]
    assert made == packed


def test_the_forget_bias_wins_over_rules_and_may_be_tied_to() -> None:
    spec = {
        "rules": [
            {"match": "*bias*", "init": {"type": "normal", "std": 1}},
            {"match": "dense.bias", "tied": "rnn.bias_ih_l0"},
        ],
        "layers": [
            {"name": "rnn", "type": "lstm", "in": 2, "hidden": 2, "forget_bias": 1},
            {"name": "dense", "type": "dense", "in": 2, "out": [2, 2, 2], "init": "zeros"},
        ],
    }
    w = xavinit.draw(spec)
    assert w["dense.bias"].tolist() == [0, 0, 1, 1, 0, 0, 0, 0]
    flipped = xavinit.draw(spec, framework="flax")["params.dense.bias"]
    assert flipped.tolist() == w["dense.bias"].reshape(2, 2, 2).transpose(1, 2, 0).ravel().tolist()


@pytest.mark.parametrize("framework", ["pytorch", "keras", "flax"])
@pytest.mark.parametrize("kind", ["lstm", "gru", "multi_head_attention"])
def test_a_layers_dtype_is_that_of_all_its_tensors(kind: str, framework: str) -> None:
    entry = {"name": "x", "type": kind, **FORMS[kind][0], "dtype": "float16"}
    plan = xavinit.make_plan({"layers": [entry]}, framework=framework)
    assert {tensor.dtype.name for tensor in plan.tensors} == {"float16"}


def test_the_plan_tells_what_of_a_bias_is_zero() -> None:
    entry = {"name": "x", "type": "gru", "in": 1, "hidden": 2, "bias_init": "ones"}
    plan = xavinit.make_plan({"layers": [entry]}, framework="keras")
    assert any("constant 1 at 0…5" in line for line in format_plan(plan))
    bias = json.loads(plan_to_json(plan))["tensors"][-1]
    assert bias["law"] == {"type": "constant", "value": 1, "start": 0, "stop": 6}


def test_the_second_bias_is_zero_whatever_a_rule_says() -> None:
    """A rule that can change nothing is told."""
    normal = {"type": "normal", "std": 1}
    spec = {
        "rules": [{"match": "*.bias*", "init": normal}, {"match": "*.bias_hh*", "init": normal}],
        "layers": [{"name": "rnn", "type": "gru", "in": 2, "hidden": 2}],
    }
    plan = xavinit.make_plan(spec)
    assert [str(t.law) for t in plan.tensors[2:]] == ["normal std 1", "constant 0"]
    assert [str(warning) for warning in plan.warnings] == [
        'spec: rules[1].match: warning: "*.bias_hh*" cannot change "rnn.bias_hh_l0"'
    ]


def test_attention_with_fewer_heads_of_key_and_value() -> None:
    made = plan_layer("multi_head_attention", size=12, heads=6, kv_heads=2)
    told = {name.removeprefix("x."): (t.shape, t.fans) for name, t in made.items()}
    assert told == {
        "q_proj.weight": ((12, 12), (12, 12)),
        "q_proj.bias": ((12,), None),
        "k_proj.weight": ((4, 12), (12, 4)),
        "k_proj.bias": ((4,), None),
        "v_proj.weight": ((4, 12), (12, 4)),
        "v_proj.bias": ((4,), None),
        "o_proj.weight": ((12, 12), (12, 12)),
        "o_proj.bias": ((12,), None),
    }


@pytest.mark.parametrize(
    ("kind", "keys", "blocks"),
    [
        ("lstm", {"in": 300, "hidden": 200}, {"weight_ih_l0": 4, "weight_hh_l0": 4}),
        ("gru", {"in": 300, "hidden": 200}, {"weight_ih_l0": 3, "weight_hh_l0": 3}),
        (
            "multi_head_attention",
            {"size": 256, "heads": 4},
            {"in_proj_weight": 3, "out_proj.weight": 1},
        ),
    ],
)
def test_variance_of_each_gate(kind: str, keys: dict[str, Any], blocks: dict[str, int]) -> None:
    """Unit variance comes out of each block that PyTorch packs as it went in: fan_in is one's."""
    entry = {"name": "x", "type": kind, **keys, "init": "lecun_uniform"}
    if kind != "multi_head_attention":
        entry["recurrent_init"] = "lecun_normal"
    w = xavinit.draw({"seed": 5, "layers": [entry]})
    for role, count in blocks.items():
        weight = w[f"x.{role}"].astype(np.float64)
        inputs = np.random.default_rng(6).standard_normal((weight.shape[1], 500))
        for block in np.split(weight @ inputs, count):
            assert block.var() == pytest.approx(1, rel=0.05)


def test_values_without_a_word_from_the_spec() -> None:
    batch = plan_layer("batch_norm")
    laws = {name.removeprefix("x."): str(tensor.law) for name, tensor in batch.items()}
    assert laws == {
        "weight": "constant 1",
        "bias": "constant 0",
        "running_mean": "constant 0",
        "running_var": "constant 1",
        "num_batches_tracked": "constant 0",
    }
    assert batch["x.num_batches_tracked"].dtype.name == "int64"
    assert batch["x.num_batches_tracked"].shape == ()
    assert str(plan_layer("embedding")["x.weight"].law) == "normal std 1"
    assert str(plan_layer("layer_norm")["x.weight"].law) == "constant 1"
    dense = plan_layer("dense")
    assert str(dense["x.weight"].law).startswith("uniform")
    assert str(dense["x.bias"].law) == "constant 0"


def test_what_the_spec_says_wins_in_its_order() -> None:
    spec = {
        "defaults": {"init": "he_normal", "dtype": "float16", "layout": "in_out"},
        "rules": [
            {"match": "b.*", "dtype": "float64", "init": {"type": "normal", "std": 0.5}},
            {"match": "n.running_var", "init": {"type": "constant", "value": 2}},
        ],
        "layers": [
            {"name": "a", "type": "dense", "in": 8, "out": 2},
            {"name": "b", "type": "dense", "in": 8, "out": 2, "init": "zeros"},
            {"name": "c", "type": "dense", "in": 8, "out": 2, "dtype": "float32", "bias": False},
            {"name": "n", "type": "batch_norm", "size": 2, "init": {"type": "normal", "std": 3}},
        ],
    }
    told = {t.name: (t.dtype.name, str(t.law)) for t in xavinit.make_plan(spec).tensors}
    assert told == {
        # a layer knows its layout: fan_in is 8
        "a.weight": ("float16", "normal std 0.5"),
        "a.bias": ("float16", "constant 0"),
        "b.weight": ("float64", "constant 0"),
        "b.bias": ("float64", "normal std 0.5"),
        "c.weight": ("float32", "normal std 0.5"),
        "n.weight": ("float16", "normal std 3"),
        "n.bias": ("float16", "constant 0"),
        "n.running_mean": ("float16", "constant 0"),
        "n.running_var": ("float16", "constant 2"),
        "n.num_batches_tracked": ("int64", "constant 0"),
    }


def test_a_group_repeats_as_a_whole() -> None:
    spec = {
        "dims": {"blocks": 2},
        "layers": [
            {
                "name": "block.{blocks}",
                "layers": [
                    {"name": "norm", "type": "rms_norm", "size": 4},
                    {"name": "{q,k}", "type": "dense", "in": 4, "out": 4, "bias": False},
                    {"name": "mlp", "layers": [{"name": "up", "type": "rms_norm", "size": 2}]},
                ],
            }
        ],
    }
    names = [tensor.name for tensor in xavinit.make_plan(spec).tensors]
    one = ["norm.weight", "q.weight", "k.weight", "mlp.up.weight"]
    assert names == [f"block.{n}.{name}" for n in (0, 1) for name in one]


def test_streams_and_ties_of_layers() -> None:
    spec = {
        "rules": [
            {"match": "new.*.weight", "stream": "old.{2}.weight"},
            {"match": "head.weight", "tied": "emb.weight"},
        ],
        "layers": [
            {"name": "emb", "type": "embedding", "in": 6, "out": 3},
            {"name": "old.{2}", "type": "dense", "in": 3, "out": 4},
            {"name": "new.{2}", "type": "dense", "in": 3, "out": 4},
            {"name": "head", "type": "dense", "in": 3, "out": 6, "bias": False},
        ],
    }
    w = xavinit.draw(spec)
    np.testing.assert_array_equal(w["new.1.weight"], w["old.1.weight"])
    np.testing.assert_array_equal(w["head.weight"], w["emb.weight"])
    keras_weights = xavinit.draw(spec, framework="keras")
    np.testing.assert_array_equal(keras_weights["head/kernel"], w["emb.weight"].T)


@pytest.mark.parametrize(
    ("layer", "name"),
    [
        ("hidden", "params.hidden.kernel"),
        ("block.0.mlp", "params.block_0.mlp.kernel"),
        ("h.0.1.c", "params.h_0_1.c.kernel"),
        ("0", "params.layers_0.kernel"),
        ("0.fc", "params.layers_0.fc.kernel"),
        ("layer1.0.downsample.0", "params.layer1_0.downsample_0.kernel"),
    ],
)
def test_flax_names(layer: str, name: str) -> None:
    variable = Variable("kernel", (1,), "weight")
    flax = find_framework("flax")
    assert flax.name_variable(flax.name_module(layer, ""), variable) == name


def test_statistics_are_a_collection_of_their_own_in_flax() -> None:
    spec = {"layers": [{"name": "bn", "type": "batch_norm", "size": 2}]}
    names = [tensor.name for tensor in xavinit.make_plan(spec, framework="flax").tensors]
    assert names == [
        "params.bn.scale",
        "params.bn.bias",
        "batch_stats.bn.mean",
        "batch_stats.bn.var",
    ]


def test_raw_tensors_are_the_same_in_every_framework() -> None:
    spec = {"tensors": {"a.weight": [3, 4], "a": [2, 2]}}
    made = [xavinit.draw(spec, framework=name) for name in ("pytorch", "keras", "flax")]
    assert len({xavinit.digest(weights) for weights in made}) == 1


# --- The page --------------------------------------------------------------------------------

PAGE = (Path(__file__).parents[1] / "docs" / "frameworks.md").read_text("utf-8")
SYMBOLS = {
    "in": 12,
    "out": 10,
    "size": 7,
    "groups": 2,
    "multiplier": 3,
    "hidden": 4,
    "heads": 6,
    "kv_heads": 2,
}
KERNELS = {"conv1d": {"k": 5}, "conv3d": {"kd": 2, "kh": 3, "kw": 5}}


def read_page() -> dict[tuple[str, str], tuple[str, dict[str, str]]]:
    """The module and the shape of each variable, by layer type (and its key) and framework."""
    rows, kind = {}, ""
    for line in PAGE.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 4 and cells[1] in ("pytorch", "keras", "flax"):
            kind = cells[0].replace("`", "") or kind
            told = dict(re.findall(r"`([\w./]+)` (\([^)]*\))", cells[3]))
            rows[kind, cells[1]] = (cells[2].strip("`"), told)
    return rows


@pytest.mark.parametrize(("row", "framework"), read_page())
def test_the_page_tells_the_modules_and_shapes(row: str, framework: str) -> None:
    module, told = read_page()[row, framework]
    kind, _, key = row.partition(" with ")
    known = LAYER_TYPES[kind].__struct_encode_fields__
    kernel = KERNELS.get(kind, {"kh": 3, "kw": 5})
    entry: dict[str, Any] = {key: value for key, value in SYMBOLS.items() if key in known}
    if "kernel" in known:
        entry["kernel"] = list(kernel.values())
    if kind == "conv_transpose2d" and framework != "pytorch":
        entry["groups"] = 1
    if key == "bidirectional":
        entry[key] = True
    elif key != "kv_heads":
        entry.pop("kv_heads", None)
    if kind == "multi_head_attention":
        entry["size"] = entry["heads"] * 5
    symbols = {"input": 12, **SYMBOLS, **kernel, "size": entry.get("size"), "width": 5}
    spec = {"framework": framework, "layers": [{"name": "x", "type": kind, **entry}]}
    if not told:  # the framework has no such layer
        with pytest.raises(xavinit.SpecError, match="has no"):
            xavinit.make_plan(spec)
        return
    tensors = xavinit.make_plan(spec).tensors
    assert {tensor.module.type for tensor in tensors if tensor.module} == {module}
    shapes = {
        name: eval(f"[{re.sub('in(?!t)', 'input', shape[1:-1])}]", symbols)
        for name, shape in told.items()
    }
    names = {t.name: re.sub(r"^(params|batch_stats)?\.?x[./]", "", t.name) for t in tensors}
    assert {names[t.name]: list(t.shape) for t in tensors} == shapes


def test_the_page_has_every_layer_type() -> None:
    rows = [*LAYER_TYPES, "lstm with bidirectional", "gru with bidirectional"]
    rows += ["multi_head_attention with kv_heads"]
    assert set(read_page()) == {
        (row, name) for row in rows for name in ("pytorch", "keras", "flax")
    }


# --- Keras's own file ------------------------------------------------------------------------

NETWORK = {
    "framework": "keras",
    "layers": [
        {"name": "first", "type": "conv2d", "in": 1, "out": 2, "kernel": 3},
        {"name": "bn", "type": "batch_norm", "size": 2},
        {"name": "second", "type": "conv2d", "in": 2, "out": 3, "kernel": 3, "bias": False},
        {"name": "head", "type": "dense", "in": [3, 2, 2], "out": 4, "dtype": "bfloat16"},
    ],
}


def test_groups_count_the_layers_of_a_class(tmp_path: Path) -> None:
    path = tmp_path / "w.weights.h5"
    assert xavinit.generate(NETWORK, path).format == "keras"
    with h5py.File(path) as file:
        found: dict[str, Any] = {}
        file.visititems(lambda name, item: found.update({name: item}))
        shapes = {n: item.shape for n, item in found.items() if isinstance(item, h5py.Dataset)}
        assert shapes == {
            "layers/conv2d/vars/0": (3, 3, 1, 2),
            "layers/conv2d/vars/1": (2,),
            "layers/batch_normalization/vars/0": (2,),
            "layers/batch_normalization/vars/1": (2,),
            "layers/batch_normalization/vars/2": (2,),
            "layers/batch_normalization/vars/3": (2,),
            "layers/conv2d_1/vars/0": (3, 3, 2, 3),
            "layers/dense/vars/0": (12, 4),
            "layers/dense/vars/1": (4,),
        }
        assert file["layers/conv2d_1/vars"].attrs["name"] == "second"
        assert file["layers/dense/vars/0"].attrs["dtype"] == "bfloat16"
        assert file["layers/dense/vars/0"].dtype == np.dtype("V2")
        drawn = xavinit.draw(NETWORK)
        assert file["layers/dense/vars/0"][()].tobytes() == drawn["head/kernel"].tobytes()
        np.testing.assert_array_equal(file["layers/conv2d_1/vars/0"][()], drawn["second/kernel"])
    assert len(xavinit.digest(path)) == 64  # read back, the opaque kind too


def test_other_formats_have_keras_names(tmp_path: Path) -> None:
    xavinit.generate(NETWORK, tmp_path / "w.h5")
    with h5py.File(tmp_path / "w.h5") as file:
        assert sorted(file) == ["bn", "first", "head", "second"]
        assert sorted(file["bn"]) == ["beta", "gamma", "moving_mean", "moving_variance"]
    drawn = xavinit.draw(NETWORK)
    assert xavinit.digest(tmp_path / "w.h5") == xavinit.digest(drawn)


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli, [*arguments], standalone_mode=False)
    return result.exit_code, str(result.exception)


@pytest.mark.parametrize(
    ("spec", "arguments", "message"),
    [
        (
            "layers: [{name: a, type: dense, in: 2, out: 2}]",
            ["-o", "w.weights.h5"],
            "a .weights.h5 file is Keras's own: it needs --framework keras; got pytorch",
        ),
        (
            "layers: [{name: a, type: dense, in: 2, out: 2}]",
            ["-f", "keras", "--framework", "flax"],
            "a .weights.h5 file is Keras's own: it needs --framework keras; got flax",
        ),
        (
            "framework: keras\ntensors: {w: [2, 2]}",
            ["-o", "w.weights.h5"],
            'spec.yaml:2:14: tensors["w"]: a .weights.h5 file holds layers, which Keras finds by '
            'their order; got the raw tensor "w"\n  hint: list it in layers, or use another format',
        ),
        (
            "framework: keras\nlayers: [{name: a, type: dense, in: 2, out: 2, dtype: float8_e5m2}]",
            ["-o", "w.weights.h5"],
            "spec.yaml:2:10: layers[0]: HDF5 has no form for float8_e5m2",
        ),
        (
            "framework: keras\nlayers: [{name: a, type: dense, in: 2, out: 2}]",
            ["-o", "w.weights.h5", "-f", "hdf5"],
            "w.weights.h5 has the suffix of keras, but the format is hdf5",
        ),
        (
            "framework: keras\nlayers: [{name: a, type: dense, in: 2, out: 2}]",
            ["-o", "w.h5", "-f", "keras"],
            "w.h5 has the suffix of hdf5, but the format is keras",
        ),
        (
            "framework: keras\nlayers: [{name: a, type: dense, in: 2, out: 2}]",
            ["-o", "-", "-f", "keras"],
            "keras cannot be written to a pipe or device: name a file",
        ),
        (
            "framework: keras\nlayers: [{name: a, type: dense, in: 2, out: 2}]",
            ["-o", "w", "-f", "keras", "--max-shard-size", "1GB"],
            "only safetensors has shards; got the format keras",
        ),
    ],
)
def test_pairs_that_nothing_loads_are_refused(
    spec: str,
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("spec.yaml").write_text(spec)
    assert run("generate", "spec.yaml", *arguments) == (1, message)
    assert [path.name for path in tmp_path.iterdir()] == ["spec.yaml"]


def test_the_default_output_of_the_format_keras(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text("layers: [{name: a, type: dense, in: 2, out: 2}]")
    assert run("generate", "net.yaml", "-f", "keras", "--framework", "keras", "-q")[0] == 0
    assert Path("net.weights.h5").exists()


DENSE = "layers: [{name: a, type: dense, in: 2, out: 2}]"


@pytest.mark.parametrize(
    ("spec", "arguments", "name"),
    [
        (DENSE, ["--framework", "pytorch"], "net.safetensors"),
        (DENSE, ["--framework", "keras"], "net.weights.h5"),
        (DENSE, ["--framework", "flax"], "net.flax.safetensors"),
        ("framework: keras\n" + DENSE, [], "net.weights.h5"),
        ("framework: flax\n" + DENSE, [], "net.flax.safetensors"),
        ("framework: flax\n" + DENSE, ["--framework", "pytorch"], "net.safetensors"),
        # Keras's own file holds layers alone, and no float8.
        (DENSE + "\ntensors: {w: [2, 2]}", ["--framework", "keras"], "net.keras.safetensors"),
        ("tensors: {w: [2, 2]}", ["--framework", "keras"], "net.keras.safetensors"),
        (
            DENSE,
            ["--framework", "keras", "--dtype", "float8_e5m2"],
            "net.keras.safetensors",
        ),
        (DENSE, ["--framework", "keras", "--dtype", "bfloat16"], "net.weights.h5"),
        (DENSE, ["--framework", "keras", "-f", "safetensors"], "net.keras.safetensors"),
        (DENSE, ["--framework", "keras", "-f", "hdf5"], "net.keras.h5"),
        (DENSE, ["--framework", "flax", "-f", "hdf5"], "net.flax.h5"),
        (DENSE, ["--framework", "keras", "-f", "npy"], "net_keras"),
        (DENSE, ["--framework", "keras", "--max-shard-size", "1GB"], "net_keras"),
        (DENSE, ["--framework", "flax", "--max-shard-size", "1GB"], "net_flax"),
    ],
)
def test_each_frameworks_output_has_a_name_of_its_own(
    spec: str, arguments: list[str], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text(spec)
    done = CliRunner().invoke(cli, ["generate", "net.yaml", *arguments], standalone_mode=False)
    assert done.exit_code == 0, done.exception
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, "net.yaml"])
    by_path = "; Keras loads it by variable path (docs/frameworks.md)"
    assert done.output.count("\n") == 1  # on standard error, which older clicks keep with this
    assert done.output.strip().endswith(by_path) is ("keras" in name)


def test_generate_needs_no_path_for_a_spec_that_is_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text(DENSE)
    report = xavinit.generate(Path("net.yaml"), framework="keras")
    assert (report.path, report.framework, report.format) == ("net.weights.h5", "keras", "keras")
    for spec in (xavinit.make_plan("net.yaml"), {"tensors": {"w": [2, 2]}}):
        with pytest.raises(UsageError, match="has no name of its own"):
            xavinit.generate(spec)


def test_the_canonical_spec_keeps_layers_in_their_order() -> None:
    first = {"name": "b", "type": "dense", "in": 2, "out": 3}
    second = {"out": 2, "in": 2, "type": "dense", "name": "a"}
    plan = xavinit.make_plan({"layers": [first, second]})
    assert plan.canonical == (
        '{"layers":[{"in":2,"name":"b","out":3,"type":"dense"},'
        '{"in":2,"name":"a","out":2,"type":"dense"}],"seed":0}'
    )


@pytest.mark.parametrize("rng", ["xavinit-1", "torch-2.13"])
@pytest.mark.parametrize("framework", ["pytorch", "keras", "flax"])
def test_rows_of_an_embedding_are_zero(framework: str, rng: str) -> None:
    layer: dict[str, Any] = {"name": "e", "type": "embedding", "in": 5, "out": 3}

    def draw(**keys: Any) -> Any:
        spec = {"rng": rng, "dims": {"pad": 1}, "layers": [layer | keys]}
        (array,) = xavinit.draw(spec, framework=framework).values()
        return array

    plain, padded = draw(), draw(zero_rows=["pad", -1])
    assert not padded[[1, 4]].any()
    np.testing.assert_array_equal(padded[[0, 2, 3]], plain[[0, 2, 3]])
    with pytest.raises(SpecError, match="must be a row from -5 to 4; got 5") as caught:
        draw(zero_rows=[5])
    assert caught.value.path == ("layers", 0, "zero_rows", 0)
    with pytest.raises(SpecError, match="zero_rows"):
        draw(type="dense", zero_rows=[1])
