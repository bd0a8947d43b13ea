"""From a spec to its plan: rules, overrides, ties, fans, laws, dtypes."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import xavinit
from xavinit.inits import GAINS, NAMED, NAMES, list_keys
from xavinit.plan import (
    Arange,
    Constant,
    Fans,
    Fixed,
    Law,
    LogArange,
    Normal,
    TruncatedNormal,
    Uniform,
    Values,
)

Table = dict[str, Any]


def plan_one(table: Any, **spec: Any) -> xavinit.TensorPlan:
    return xavinit.make_plan({"tensors": {"w": table}, **spec}).tensors[0]


def plan_all(tensors: Table, **spec: Any) -> dict[str, xavinit.TensorPlan]:
    return {t.name: t for t in xavinit.make_plan({"tensors": tensors, **spec}).tensors}


def fail(table: Any, **spec: Any) -> xavinit.SpecError:
    with pytest.raises(xavinit.SpecError) as caught:
        plan_one(table, **spec)
    return caught.value


# --- Defaults, rules, own keys ---------------------------------------------------------------


def test_the_defaults_of_the_defaults() -> None:
    plan = xavinit.make_plan({"tensors": {"w": [128, 784]}})
    (tensor,) = plan.tensors
    assert (plan.seed, plan.framework, plan.warnings) == (0, "pytorch", ())
    assert (tensor.name, tensor.stream, tensor.shape) == ("w", "w", (128, 784))
    assert (tensor.dtype.name, tensor.fans) == ("float32", Fans(784, 128))
    assert tensor.law == Uniform(math.sqrt(3 / ((784 + 128) / 2)))


def test_later_rules_win_key_by_key_and_own_keys_over_all() -> None:
    plan = plan_all(
        {"a.w": [2, 4], "a.b": [2], "c.w": {"shape": [2, 4], "dtype": "float64"}},
        defaults={"init": "lecun_normal", "dtype": "float16"},
        rules=[
            {"match": "*.b", "init": "zeros", "dtype": "int32"},
            {"match": "*.w", "layout": "in_out", "dtype": "bfloat16"},
            {"match": "a.*", "dtype": "int64"},
            {"match": "a.w", "init": "ones"},
        ],
    )
    assert {name: (t.dtype.name, t.law, t.fans) for name, t in plan.items()} == {
        "a.w": ("int64", Constant(1), Fans(2, 4)),
        "a.b": ("int64", Constant(0), None),
        "c.w": ("float64", Normal(math.sqrt(1 / 2)), Fans(2, 4)),
    }


def test_an_init_is_replaced_whole() -> None:
    tensor = plan_one(
        {"shape": [4, 4], "init": "glorot_uniform"},
        defaults={"init": {"type": "glorot_uniform", "gain": 2}},
    )
    assert tensor.law == Uniform(math.sqrt(3 / 4))


@pytest.mark.parametrize(
    ("default", "rule", "own", "fans"),
    [
        # Of a shape (2, 3, 5): out_in is out 2, in 3, field 5; in_out is field 2, in 3, out 5.
        ({}, {}, {}, Fans(15, 10)),
        ({"layout": "in_out"}, {}, {}, Fans(6, 10)),
        ({"layout": "in_out"}, {"layout": "out_in"}, {}, Fans(15, 10)),
        ({"layout": "in_out"}, {"in_axis": 2, "out_axis": 0}, {}, Fans(15, 6)),
        ({"in_axis": 2, "out_axis": 0}, {"layout": "in_out"}, {}, Fans(6, 10)),
        ({"in_axis": 2, "out_axis": 0}, {}, {"layout": "out_in"}, Fans(15, 10)),
        ({"in_axis": 2, "out_axis": 0}, {"in_axis": 0, "out_axis": 1}, {}, Fans(10, 15)),
        # Other keys stay.
        ({"fused": 2, "layout": "in_out"}, {"in_axis": 2, "out_axis": 0}, {}, Fans(15, 3)),
        ({"batch_axis": 1}, {"layout": "in_out"}, {}, Fans(2, 5)),
        ({"batch_axis": 1}, {}, {"in_axis": 0, "out_axis": 2}, Fans(2, 5)),
    ],
)
def test_a_layout_and_axes_by_number_replace_each_other(
    default: Table, rule: Table, own: Table, fans: Fans
) -> None:
    tensor = plan_one({"shape": [2, 3, 5], **own}, defaults=default, rules=[{"match": "*", **rule}])
    assert tensor.fans == fans


@pytest.mark.parametrize(
    ("glob", "name", "matches"),
    [
        ("*", "a.b.c", True),
        ("*.bias", "h.0.attn.bias", True),
        ("*.bias", "bias", False),
        ("*bias", "bias", True),
        ("*.Bias", "h.bias", False),
        ("h.*.w", "h.0.1.w", True),
        ("h.?.w", "h.0.w", True),
        ("h.?.w", "h.10.w", False),
        ("h?0?w", "h.0.w", True),
        ("h.[01].w", "h.1.w", True),
        ("h.[01].w", "h.2.w", False),
        ("h.[!01].w", "h.2.w", True),
        ("h.[!01].w", "h.1.w", False),
        ("h.[0-3].w", "h.2.w", True),
        ("h", "h.w", False),
        ("w", "h.w", False),
        ("", "w", False),
        ("a[*]", "a*", True),
        ("a[*]", "ab", False),
        ("a[", "a[", True),
        ("a.b", "axb", False),
        ("a\\*", "a\\b", True),
        ("a{n}", "a{n}", True),
        ("*", "a\nb", True),
        ("日*", "日本", True),
    ],
)
def test_globs(glob: str, name: str, matches: bool) -> None:
    name = name.replace("{", "{{").replace("}", "}}")
    plan = xavinit.make_plan(
        {"rules": [{"match": glob, "init": "ones"}], "tensors": {name: [2, 2]}}
    )
    assert (plan.tensors[0].law == Constant(1)) is matches
    assert bool(plan.warnings) is not matches


def test_a_glob_of_many_stars_takes_no_exponential_time() -> None:
    plan_one([2, 2], rules=[{"match": "*w" * 40 + "x", "init": "ones"}])
    xavinit.make_plan(
        {"rules": [{"match": "*a" * 40 + "x", "init": "ones"}], "tensors": {"a" * 1000: [2, 2]}}
    )


def test_a_rule_that_matches_nothing_is_a_warning_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(
        'rules:\n- {match: "*.bais", init: zeros}\n- {init: ones, match: "{n}"}\n'
        '- {match: "w", init: ones}\ntensors:\n  w: [2, 2]\n  "none.{0}": [2]\n'
    )
    warnings = xavinit.make_plan(path).warnings
    assert [str(warning) for warning in warnings] == [
        f'{path}:2:11: rules[0].match: warning: "*.bais" matches no tensor',
        f'{path}:3:23: rules[1].match: warning: "{{n}}" matches no tensor',
    ]


def test_a_rule_is_checked_though_it_matches_nothing() -> None:
    for key, value in (("init", "glorto"), ("dtype", "f32"), ("in_axis", 0), ("shape", [2])):
        assert fail([2, 2], rules=[{"match": "x", key: value}]).path[:2] == ("rules", 0)


# --- Streams and ties ------------------------------------------------------------------------


def test_a_stream_renames_the_numbers_only() -> None:
    plan = plan_all({"new": {"shape": [2, 2], "stream": "old name, or \n any é"}})
    assert plan["new"].stream == "old name, or \n any é"


def test_a_tie_copies_shape_dtype_and_values_along_chains() -> None:
    plan = plan_all(
        {
            "z": {"tied": "y"},
            "a": {"shape": [4, 2], "dtype": "float16", "stream": "s", "init": "he_normal"},
            "y": {"tied": "a"},
        },
        defaults={"dtype": "float64", "init": "ones", "layout": "in_out"},
        rules=[{"match": "[yz]", "dtype": "int32"}],
    )
    assert list(plan) == ["z", "a", "y"]
    for name in "zy":
        tied, target = plan[name], plan["a"]
        assert tied.name == name
        for field in ("shape", "dtype", "fans", "law", "stream"):
            assert getattr(tied, field) == getattr(target, field)


def test_tied_tensors_hold_the_same_values() -> None:
    weights = xavinit.draw({"tensors": {"wte": [3, 2], "head": {"tied": "wte"}}})
    assert (weights["head"] == weights["wte"]).all()


def test_a_rule_may_tie() -> None:
    plan = plan_all({"wte": [3, 2], "head.w": {}}, rules=[{"match": "head.*", "tied": "wte"}])
    assert plan["head.w"].stream == "wte"


def test_a_long_chain_of_ties() -> None:
    count = 20_000
    tensors: Table = {f"t{i}": {"tied": f"t{i + 1}"} for i in range(count)}
    assert plan_all({**tensors, f"t{count}": [2, 2]})["t0"].stream == f"t{count}"


# --- Overrides -------------------------------------------------------------------------------

SPEC: Table = {
    "seed": 1,
    "dims": {"d": 4, "e": "2*d"},
    "rules": [{"match": "h", "dtype": "float64"}],
    "tensors": {"w": ["d", "e"], "h": ["d", "e"], "own": {"shape": [2, 2], "dtype": "float16"}},
}


def test_overrides() -> None:
    plan = xavinit.make_plan(SPEC, seed=7, dtype="bfloat16", framework="keras", dims={"d": 3})
    assert (plan.seed, plan.framework) == (7, "keras")
    assert [t.dtype.name for t in plan.tensors] == ["bfloat16", "float64", "float16"]
    assert [t.shape for t in plan.tensors] == [(3, 6), (3, 6), (2, 2)]
    assert json.loads(plan.canonical) == {
        **SPEC,
        "seed": 7,
        "framework": "keras",
        "defaults": {"dtype": "bfloat16"},
        "dims": {"d": 3, "e": "2*d"},
    }


def test_an_override_may_be_an_expression() -> None:
    plan = xavinit.make_plan(SPEC, dims={"d": "e//2 + 1", "e": 10})
    assert plan.tensors[0].shape == (6, 10)


def test_seeds_at_the_ends() -> None:
    for seed in (0, 2**64 - 1):
        assert xavinit.make_plan(SPEC, seed=seed).seed == seed
        assert xavinit.make_plan({**SPEC, "seed": seed}).seed == seed


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ({"seed": -1}, "seed: must be an integer from 0 to 2⁶⁴−1; got -1"),
        ({"seed": 2**64}, "seed: must be an integer from 0 to 2⁶⁴−1; got 18446744073709551616"),
        ({"seed": True}, "seed: must be an integer from 0 to 2⁶⁴−1; got true"),
        ({"framework": "torch"}, "framework: must be flax, keras or pytorch; got "),
        ({"dtype": "flaot32"}, "dtype: must be a dtype; got "),
        ({"dims": {"D": 3}}, 'the spec has no dim "D"\n  hint: did you mean "d"?'),
        ({"dims": {"width": 3}}, 'the spec has no dim "width"\n  hint: dims: d, e'),
        ({"dims": {"d": -3}}, "dims.d: must be an integer of at least 0; got -3"),
        ({"dims": {"d": True}}, "dims.d: must be an integer or an expression; got true"),
        ({"dims": {"d": "2*"}}, "dims.d: must be an integer expression "),
    ],
)
def test_a_bad_override_is_a_usage_error(override: Table, message: str) -> None:
    with pytest.raises(xavinit.UsageError) as caught:
        xavinit.make_plan(SPEC, **override)
    assert str(caught.value).startswith(message)


def test_an_override_that_closes_a_circle_is_told_at_the_dim_that_is_in_it() -> None:
    with pytest.raises(xavinit.SpecError) as caught:
        xavinit.make_plan(SPEC, dims={"d": "e"})
    assert str(caught.value) == "spec: dims.e: a dim must not depend on itself; got d → e → d"


@pytest.mark.parametrize(
    ("spec", "path"), [({"defaults": 5}, ("defaults",)), ({"dims": [1]}, ("dims",))]
)
def test_a_bad_spec_is_no_usage_error_because_of_an_override(
    spec: Table, path: tuple[str, ...]
) -> None:
    with pytest.raises(xavinit.SpecError) as caught:
        xavinit.make_plan({**spec, "tensors": {}}, dtype="float16", dims={"d": 3})
    assert caught.value.path == path


# --- The canonical spec ----------------------------------------------------------------------


def shuffle(data: Any, random_: random.Random) -> Any:
    """The same data, with the keys of every mapping in another order."""
    if isinstance(data, dict):
        keys = random_.sample(list(data), len(data))
        return {key: shuffle(data[key], random_) for key in keys}
    return [shuffle(item, random_) for item in data] if isinstance(data, list) else data


FULL: Table = {
    "$schema": "anything",
    "seed": 3,
    "framework": "flax",
    "dims": {"d": 16, "blocks": "d//8"},
    "defaults": {"init": {"type": "glorot_uniform", "gain": 1.5}, "dtype": "float16"},
    "rules": [{"match": "*.b", "init": "zeros"}, {"match": "*", "dtype": "float32"}],
    "tensors": {
        "z.{blocks}.w": {"shape": ["d", 3], "layout": "in_out", "fused": 3},
        "a.b": ["d"],
        "é": {"shape": [2, 2], "init": {"type": "normal", "std": 1e-3}},
        "tie": {"tied": "é"},
    },
}


def test_the_canonical_spec_is_the_same_for_every_order_and_syntax(tmp_path: Path) -> None:
    canonical = xavinit.make_plan(FULL).canonical
    for seed in range(5):
        data = shuffle(FULL, random.Random(seed))
        as_json, as_yaml = tmp_path / "spec.json", tmp_path / "spec.yaml"
        as_json.write_text(json.dumps(data, indent=seed, ensure_ascii=bool(seed % 2)))
        as_yaml.write_text(
            yaml.safe_dump(data, sort_keys=False, allow_unicode=True, default_flow_style=seed > 2),
            encoding="utf-8",
        )
        for source in (data, as_json, as_yaml):
            assert xavinit.make_plan(source).canonical == canonical


def test_the_canonical_spec_is_compact_sorted_unexpanded_and_plans_alike() -> None:
    plan = xavinit.make_plan(FULL)
    told = {key: value for key, value in FULL.items() if key != "$schema"}
    assert json.loads(plan.canonical) == told
    assert plan.canonical.startswith('{"defaults":{"dtype":"float16","init":{"gain":1.5,"type":')
    assert '"é":{' in plan.canonical
    again = xavinit.make_plan(json.loads(plan.canonical))
    assert again.canonical == plan.canonical
    assert sorted(again.tensors, key=str) == sorted(plan.tensors, key=str)


# --- Fans ------------------------------------------------------------------------------------

FANS: dict[str, tuple[list[int], Table, Fans]] = {
    "dense": ([128, 784], {}, Fans(784, 128)),
    "dense, Keras": ([784, 128], {"layout": "in_out"}, Fans(784, 128)),
    "conv1d": ([16, 8, 3], {}, Fans(8 * 3, 16 * 3)),
    "conv1d, Keras": ([3, 8, 16], {"layout": "in_out"}, Fans(8 * 3, 16 * 3)),
    "conv2d": ([64, 3, 7, 5], {}, Fans(3 * 35, 64 * 35)),
    "conv2d, Keras": ([7, 5, 3, 64], {"layout": "in_out"}, Fans(3 * 35, 64 * 35)),
    "conv3d": ([8, 4, 2, 3, 5], {}, Fans(4 * 30, 8 * 30)),
    "conv3d, Flax": ([2, 3, 5, 4, 8], {"layout": "in_out"}, Fans(4 * 30, 8 * 30)),
    "transposed conv2d": ([16, 32, 3, 3], {"in_axis": 0, "out_axis": 1}, Fans(144, 288)),
    "embedding": ([1000, 16], {}, Fans(16, 1000)),
    "fused qkv": ([3 * 12, 12], {"fused": 3}, Fans(12, 12)),
    "fused qkv, GPT-2": ([12, 3 * 12], {"layout": "in_out", "fused": 3}, Fans(12, 12)),
    "fused gates of an LSTM": ([4 * 5, 7], {"fused": 4}, Fans(7, 5)),
    "grouped conv2d": ([32, 8, 3, 3], {"fused": 4}, Fans(72, 72)),
    "depthwise conv2d": ([32, 1, 3, 3], {"fused": 32}, Fans(9, 9)),
    "experts": ([8, 16, 64], {"batch_axis": 0}, Fans(64, 16)),
    "experts, in first": ([8, 16, 64], {"batch_axis": 0, "layout": "in_out"}, Fans(16, 64)),
    "experts, by number": (
        [8, 16, 64],
        {"batch_axis": 0, "in_axis": 1, "out_axis": 2},
        Fans(16, 64),
    ),
    "experts, fused": ([8, 32, 64], {"batch_axis": 0, "fused": 2}, Fans(64, 16)),
    "stacked experts": ([6, 8, 16, 64], {"batch_axis": [0, 1]}, Fans(64, 16)),
    "batch in the middle": ([16, 8, 64], {"batch_axis": -2}, Fans(64, 16)),
    "a batch of conv2d": ([5, 64, 3, 7, 7], {"batch_axis": 0}, Fans(147, 3136)),
    "in before out, no batch": ([8, 16, 64], {"layout": "in_out"}, Fans(8 * 16, 8 * 64)),
    "heads": ([16, 4, 32], {"in_axis": 0, "out_axis": [1, 2]}, Fans(16, 128)),
    "heads, merged": ([4, 32, 16], {"in_axis": [0, 1], "out_axis": -1}, Fans(128, 16)),
    "heads, fused": ([16, 4, 32], {"in_axis": 0, "out_axis": [1, 2], "fused": 8}, Fans(16, 16)),
    "from the end": ([2, 3, 5], {"in_axis": -1, "out_axis": -3}, Fans(15, 6)),
    "an expression": ([12, 5], {"fused": "2*d"}, Fans(5, 2)),
    "ones": ([1, 1], {}, Fans(1, 1)),
    "the highest rank": ([2] * 32, {}, Fans(2**31, 2**31)),
    "large": ([2**30, 2**30], {}, Fans(2**30, 2**30)),
}


@pytest.mark.parametrize("row", FANS.values(), ids=FANS.keys())
def test_fans(row: tuple[list[int], Table, Fans]) -> None:
    shape, keys, fans = row
    assert plan_one({"shape": shape, **keys}, dims={"d": 3}).fans == fans


@given(st.permutations(range(4)), st.lists(st.integers(1, 9), min_size=4, max_size=4))
def test_axes_by_number_follow_a_permutation(order: list[int], sizes: list[int]) -> None:
    shape = [sizes[axis] for axis in order]
    where = {axis: order.index(axis) for axis in range(4)}
    tensor = plan_one(
        {"shape": shape, "in_axis": where[0], "out_axis": where[1] - 4, "batch_axis": where[2]}
    )
    assert tensor.fans == Fans(sizes[0] * sizes[3], sizes[1] * sizes[3])


# --- Laws ------------------------------------------------------------------------------------

FAN_IN, FAN_OUT = 147, 3136  # of a (64, 3, 7, 7) in PyTorch's order
N = {"fan_in": FAN_IN, "fan_out": FAN_OUT, "fan_avg": (FAN_IN + FAN_OUT) / 2}
ROOT2 = math.sqrt(2)
LAWS: dict[str, tuple[Table, Law]] = {
    "glorot_uniform": ({}, Uniform(math.sqrt(6 / (FAN_IN + FAN_OUT)))),
    "glorot_normal": ({}, Normal(math.sqrt(2 / (FAN_IN + FAN_OUT)))),
    "glorot_truncated_normal": ({}, TruncatedNormal(math.sqrt(2 / (FAN_IN + FAN_OUT)))),
    "xavier_uniform": ({}, Uniform(math.sqrt(6 / (FAN_IN + FAN_OUT)))),
    "xavier_normal": ({}, Normal(math.sqrt(2 / (FAN_IN + FAN_OUT)))),
    "xavier_truncated_normal": ({}, TruncatedNormal(math.sqrt(2 / (FAN_IN + FAN_OUT)))),
    "he_uniform": ({}, Uniform(math.sqrt(6 / FAN_IN))),
    "he_normal": ({}, Normal(math.sqrt(2 / FAN_IN))),
    "he_truncated_normal": ({}, TruncatedNormal(math.sqrt(2 / FAN_IN))),
    "kaiming_uniform": ({}, Uniform(math.sqrt(6 / FAN_IN))),
    "kaiming_normal": ({}, Normal(math.sqrt(2 / FAN_IN))),
    "kaiming_truncated_normal": ({}, TruncatedNormal(math.sqrt(2 / FAN_IN))),
    "lecun_uniform": ({}, Uniform(math.sqrt(3 / FAN_IN))),
    "lecun_normal": ({}, Normal(math.sqrt(1 / FAN_IN))),
    "lecun_truncated_normal": ({}, TruncatedNormal(math.sqrt(1 / FAN_IN))),
    "variance_scaling": (
        {"mode": "fan_out", "distribution": "normal", "gain": 0.5},
        Normal(0.5 / math.sqrt(FAN_OUT)),
    ),
    "zeros": ({}, Constant(0)),
    "ones": ({}, Constant(1)),
    "constant": ({"value": -2.5}, Constant(-2.5)),
    "uniform": ({"bound": 0.05}, Uniform(0.05)),
    "normal": ({"std": 0.02}, Normal(0.02)),
    "truncated_normal": ({"std": 0.02}, TruncatedNormal(0.02)),
    "arange": ({"start": 2, "step": -1, "repeat": 3}, Arange(2, -1, 3, 7)),
    "values": ({"values": [1, 0.5, True, -3, 0, 0, 9]}, Values((1, 0.5, True, -3, 0, 0, 9))),
    "log_arange": ({}, LogArange(7)),
}


def is_close(law: Law | None, expected: Law) -> bool:
    """The same law, its number the same but for the order of rounding."""
    if isinstance(expected, Fixed):
        return law == expected
    key = "bound" if isinstance(expected, Uniform) else "std"
    got, wanted = getattr(law, key), getattr(expected, key)
    return type(law) is type(expected) and math.isclose(got, wanted, rel_tol=1e-15)


OURS = [name for name in NAMES if name != "default"]  # which only an rng draws


@pytest.mark.parametrize("name", OURS)
def test_every_initializer_has_the_law_of_its_formula(name: str) -> None:
    keys, law = LAWS[name]
    init = {"type": name, **keys}
    shape = [1, 1, 1, 7] if name == "values" else [64, 3, 7, 7]
    assert is_close(plan_one({"shape": shape, "init": init}).law, law)
    if not keys:
        assert is_close(plan_one({"shape": [64, 3, 7, 7], "init": name}).law, law)


@pytest.mark.parametrize("mode", N)
@pytest.mark.parametrize(
    ("distribution", "law", "factor"),
    [("uniform", Uniform, 3), ("normal", Normal, 1), ("truncated_normal", TruncatedNormal, 1)],
)
def test_variance_scaling(mode: str, distribution: str, law: Any, factor: int) -> None:
    init = {"type": "variance_scaling", "mode": mode, "distribution": distribution}
    tensor = plan_one({"shape": [64, 3, 7, 7], "init": init})
    assert is_close(tensor.law, law(math.sqrt(factor / N[mode])))
    tensor = plan_one({"shape": [64, 3, 7, 7], "init": {**init, "gain": "tanh"}})
    assert is_close(tensor.law, law(5 / 3 * math.sqrt(factor / N[mode])))


# torch.nn.init.calculate_gain of each, as its documentation gives them.
TORCH_GAINS = {
    "linear": 1.0,
    "sigmoid": 1.0,
    "tanh": 1.6666666666666667,
    "relu": 1.4142135623730951,
    "leaky_relu": 1.4141428569978354,
    "selu": 0.75,
}


def test_gains_are_those_of_torch() -> None:
    assert GAINS == TORCH_GAINS
    for name, gain in TORCH_GAINS.items():
        law = plan_one({"shape": [3, 3], "init": {"type": "lecun_normal", "gain": name}}).law
        assert law == Normal(gain * math.sqrt(1 / 3))


@pytest.mark.parametrize("name", NAMED)
def test_a_gain_replaces_the_initializers_own(name: str) -> None:
    plain = plan_one({"shape": [8, 2], "init": {"type": name, "gain": 1}}).law
    twice = plan_one({"shape": [8, 2], "init": {"type": name, "gain": 2.0}}).law
    assert twice == type(plain)(2 * getattr(plain, "bound", getattr(plain, "std", math.nan)))


@pytest.mark.parametrize("gain", [1e-300, 1e-30, 1, 3, 1e30])
def test_laws_are_of_float64_whatever_the_dtype(gain: float) -> None:
    init = {"type": "lecun_normal", "gain": gain}
    for dtype in ("float32", "float64") if gain > 1e-40 else ("float64",):
        assert plan_one({"shape": [2, 3], "init": init, "dtype": dtype}).law == Normal(
            gain * math.sqrt(1 / 3)
        )


def test_a_bias_for_each_expert_has_no_fans() -> None:
    tensor = plan_one({"shape": [8, 64], "batch_axis": 0, "init": "zeros"})
    assert (tensor.fans, str(tensor.law)) == (None, "constant 0")


@pytest.mark.parametrize("shape", [[], [1], [7]])
def test_rank_0_and_1_take_an_init_without_fans(shape: list[int]) -> None:
    laws = LAWS | {
        "arange": ({}, Arange(0, 1, 1, (shape or [1])[0])),
        "values": ({"values": [0.5] * math.prod(shape)}, Values((0.5,) * math.prod(shape))),
        "log_arange": ({}, LogArange((shape or [1])[0])),
    }
    for name in OURS:
        table = {"shape": shape, "init": {"type": name, **laws[name][0]}}
        if name not in NAMED and name != "variance_scaling":
            tensor = plan_one(table)
            assert (tensor.fans, tensor.law) == (None, laws[name][1])
        else:
            error = fail(table)
            assert error.fact == (
                f"{name} needs fans: two axes or more beside batch axes; got shape {shape}"
            )
            assert error.path == ("tensors", "w", "shape")


@pytest.mark.parametrize("shape", [[0], [0, 3], [3, 0], [2, 0, 2**62, 2**62], [0, 0]])
def test_an_empty_tensor_has_neither_fans_nor_a_law(shape: list[int]) -> None:
    tensor = plan_one(shape)
    assert (tensor.fans, tensor.law, tensor.size, tensor.nbytes) == (None, None, 0, 0)
    plan_one({"shape": shape, "dtype": "int64", "fused": 7})


# --- Dtypes ----------------------------------------------------------------------------------

FLOATS = {
    "float64": 1.7976931348623157e308,
    "float32": 3.4028234663852886e38,
    "float16": 65504.0,
    "bfloat16": 3.3895313892515355e38,
    "float8_e4m3fn": 448.0,
    "float8_e5m2": 57344.0,
}


@pytest.mark.parametrize(("dtype", "largest"), FLOATS.items())
def test_a_law_must_fit_its_dtype(dtype: str, largest: float) -> None:
    most = 9.2 if dtype == "float64" else 6.4
    for init, limit in (
        ({"type": "constant"}, largest),
        ({"type": "uniform"}, largest),
        ({"type": "normal"}, largest / most),
        ({"type": "truncated_normal"}, largest / 2 * 0.87962566103423978),
    ):
        key = list_keys(init["type"])[0][0]
        table = {"shape": [3], "dtype": dtype, "init": {**init, key: limit * (1 - 1e-15)}}
        assert plan_one(table).dtype.name == dtype
        if limit * (1 + 1e-15) < math.inf:
            table["init"][key] = limit * (1 + 1e-15)
            error = fail(table)
            assert error.fact.startswith(f"must fit {dtype}, whose largest number is ")
            at = ("value",) if key == "value" else ()
            assert error.path == ("tensors", "w", "init", *at)


def test_a_gain_that_overflows() -> None:
    init = {"type": "glorot_uniform", "gain": 1e39}
    error = fail({"shape": [2, 2], "init": init})
    assert error.fact.endswith("got values up to 1.22474e+39 (uniform ±1.22474e+39)")
    assert fail({"shape": [1, 2], "init": {**init, "gain": 1.7e308}, "dtype": "float64"})


INTEGERS = {
    "int64": (-(2**63), 2**63 - 1),
    "int32": (-(2**31), 2**31 - 1),
    "uint8": (0, 255),
    "bool": (0, 1),
}


@pytest.mark.parametrize(("dtype", "ends"), INTEGERS.items())
def test_integer_dtypes_take_exact_integers_in_their_range(
    dtype: str, ends: tuple[int, int]
) -> None:
    def table(value: Any) -> Table:
        return {"shape": [3], "dtype": dtype, "init": {"type": "constant", "value": value}}

    for value in (*ends, 0, 1, 1.0, -0.0, True, False):
        assert plan_one(table(value)).law == Constant(value)
    for value in (ends[0] - 1, ends[1] + 1, 0.5, 1e300, 2**63, 2.0**63):
        fact = f"must be an integer from {ends[0]} to {ends[1]} for {dtype}; got "
        assert fail(table(value)).fact.startswith(fact)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_integer_dtypes_take_constants_only(dtype: str) -> None:
    for name, (keys, _) in LAWS.items():
        table = {"shape": [3, 3], "dtype": dtype, "init": {"type": name, **keys}}
        if name in ("zeros", "ones"):
            plan_one(table)
        elif name not in ("constant", "arange", "values"):
            fact = f"{dtype} takes constants only (zeros, ones, constant, arange, values); got "
            assert fail(table).fact.startswith(fact)


def test_equal_constants_that_are_not_the_same_stay_apart() -> None:
    """-0.0 equals 0.0, and true equals 1: no decision may be shared between them."""
    values = {"a": 0.0, "b": -0.0, "c": 1, "d": True}
    spec = {
        "tensors": {
            name: {"shape": [2], "init": {"type": "constant", "value": value}}
            for name, value in values.items()
        }
    }
    laws = [str(tensor.law) for tensor in xavinit.make_plan(spec).tensors]
    assert laws == ["constant 0.0", "constant -0.0", "constant 1", "constant true"]
    weights = xavinit.draw(spec)
    assert [bool(np.signbit(weights[name][0])) for name in "ab"] == [False, True]


# --- What is lost by rounding -----------------------------------------------------------------

# Half of the smallest number of each dtype, which rounds to zero: a tie to even.
HALVES = {
    "float64": 0.0,  # half of it is no float64
    "float32": 2.0**-150,
    "float16": 2.0**-25,
    "bfloat16": 2.0**-134,
    "float8_e4m3fn": 2.0**-10,
    "float8_e5m2": 2.0**-17,
}


@pytest.mark.parametrize(("dtype", "half"), list(HALVES.items())[1:])
def test_a_law_must_not_round_to_zero(dtype: str, half: float) -> None:
    for kind, key, most in (
        ("constant", "value", 1),
        ("uniform", "bound", 1),
        ("normal", "std", 6.4),
        ("truncated_normal", "std", 2 / 0.87962566103423978),
    ):
        init = {"type": kind, key: half / most * (1 - 1e-12)}
        table = {"shape": [3], "dtype": dtype, "init": init}
        assert fail(table).fact.startswith("must not round to zero everywhere; got ")
        init[key] = half / most * (1 + 1e-12)
        plan_one(table)


@pytest.mark.parametrize("kind", ["uniform", "normal", "truncated_normal"])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float8_e4m3fn", "float8_e5m2"])
@pytest.mark.parametrize("factor", [0.3, 0.9, 1.2, 4, 100])
def test_the_share_of_zeros_is_that_of_what_is_drawn(kind: str, dtype: str, factor: float) -> None:
    pytest.importorskip("ml_dtypes")
    key = "bound" if kind == "uniform" else "std"
    scale = HALVES[dtype] * factor * (2 if kind == "uniform" else 1)
    init = {"type": kind, key: scale}
    spec = {"tensors": {"w": {"shape": [200_000], "dtype": dtype, "init": init}}}
    most = {"uniform": 1, "normal": 6.4, "truncated_normal": 2 / 0.87962566103423978}[kind]
    if scale * most <= HALVES[dtype]:
        assert fail(spec["tensors"]["w"])
        return
    plan = xavinit.make_plan(spec)
    (tensor,) = plan.tensors
    drawn = np.mean(xavinit.draw(spec)["w"].astype("float32") == 0)
    share = tensor.law.compute_zero_share(tensor.dtype)
    assert abs(drawn - share) < 6 * (share * (1 - share) / 200_000) ** 0.5 + 1e-5
    told = [str(warning) for warning in plan.warnings]
    assert bool(told) == (share > 0.5)
    if told:
        assert f"{share:.0%} of the values round to zero" in told[0]


@pytest.mark.parametrize("dtype", HALVES)
def test_a_glorot_of_usual_sizes_is_silent(dtype: str) -> None:
    spec = {
        "defaults": {"dtype": dtype},
        "tensors": {"a": [4096, 4096], "b": [50257, 768], "c": [64, 3, 7, 7], "d": [14336, 4096]},
    }
    assert not xavinit.make_plan(spec).warnings


def test_no_in_axis() -> None:
    """A depthwise kernel: each output sees its own channel, over the receptive field alone."""
    keras = {"shape": [3, 3, 64, 2], "batch_axis": 2, "in_axis": [], "out_axis": 3}
    torch = {"shape": [64, 2, 3, 3], "batch_axis": 0, "in_axis": [], "out_axis": 1}
    assert plan_one(keras).fans == plan_one(torch).fans == Fans(9, 18)
    layout = {"shape": [3, 3, 64, 1], "layout": "in_out", "batch_axis": 2}
    assert plan_one(layout).fans == Fans(9, 3)  # the other axes: 3, and 3 and 1
