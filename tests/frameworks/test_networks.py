"""Networks of layers: one spec, a native file for each framework, the same answers in all three."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from networks import Array, Step, build_flax, build_keras, build_torch, list_layers

import xavinit
from xavinit.spec.layer_types import LAYER_TYPES

pytestmark = pytest.mark.frameworks

CLOSE = 1e-5  # relative to the largest answer

# Every number drawn, none at its default, so that none can hide.
RULES = [
    {"match": "*.bias", "init": {"type": "normal", "std": 0.3}},
    {"match": "*.bias_?h_l*", "init": {"type": "normal", "std": 0.3}},
    {"match": "*.in_proj_bias", "init": {"type": "normal", "std": 0.3}},
    {"match": "*norm*.weight", "init": {"type": "normal", "std": 1.0}},
    {"match": "*.running_mean", "init": {"type": "normal", "std": 0.5}},
    {"match": "*.running_var", "init": {"type": "constant", "value": 1.7}},
]


def layer(kind: str, name: str = "", **keys: Any) -> dict[str, Any]:
    geometry = {k: keys.pop(k) for k in ("dilation", "padding") if k in keys}
    if kind != "conv_transpose2d" and "stride" in keys:
        geometry["stride"] = keys.pop("stride")
    return {"name": name or kind, "type": kind, **keys, "geometry": geometry}


NETWORKS: dict[str, tuple[tuple[int, ...], list[Step]]] = {
    "dense": ((7,), [layer("dense", **{"in": 7, "out": 5})]),
    "dense without bias": ((7,), [layer("dense", **{"in": 7, "out": 5}, bias=False)]),
    "conv1d": ((4, 11), [layer("conv1d", **{"in": 4, "out": 6}, kernel=3, stride=2, padding=1)]),
    "conv2d": ((3, 9, 8), [layer("conv2d", **{"in": 3, "out": 5}, kernel=[3, 2])]),
    "conv2d in groups, dilated": (
        (6, 11, 12),
        [layer("conv2d", **{"in": 6, "out": 9}, kernel=3, groups=3, dilation=2, padding=2)],
    ),
    "conv3d": (
        (2, 6, 7, 5),
        [layer("conv3d", **{"in": 2, "out": 4}, kernel=[3, 2, 3], stride=[2, 1, 1], bias=False)],
    ),
    "conv3d in groups": (
        (4, 5, 5, 5),
        [layer("conv3d", **{"in": 4, "out": 6}, kernel=2, groups=2)],
    ),
    "conv1d in groups": ((4, 9), [layer("conv1d", **{"in": 4, "out": 8}, kernel=3, groups=4)]),
    "conv_transpose2d": (
        (4, 5, 6),
        [layer("conv_transpose2d", **{"in": 4, "out": 3}, kernel=[3, 4])],
    ),
    "conv_transpose2d with a stride": (
        (4, 5, 6),
        [layer("conv_transpose2d", **{"in": 4, "out": 3}, kernel=[4, 3], stride=[2, 3])],
    ),
    "depthwise_conv2d": (
        (4, 8, 9),
        [layer("depthwise_conv2d", **{"in": 4}, kernel=[3, 5], multiplier=3)],
    ),
    "depthwise_conv2d with a stride": (
        (5, 9, 9),
        [layer("depthwise_conv2d", **{"in": 5}, kernel=3, stride=2, padding=1, bias=False)],
    ),
    "embedding": ((6,), [layer("embedding", **{"in": 13, "out": 4})]),
    "batch_norm": ((6, 5, 4), [layer("batch_norm", "norm", size=6)]),
    "conv, flatten, dense": (
        (3, 8, 9),
        [
            layer("conv2d", "conv", **{"in": 3, "out": 6}, kernel=3),
            "relu",
            "flatten",
            layer("dense", "head", **{"in": [6, 6, 7], "out": 5}),
        ],
    ),
    "conv1d, flatten, dense": (
        (3, 10),
        [
            layer("conv1d", "conv", **{"in": 3, "out": 4}, kernel=3),
            "flatten",
            layer("dense", "head", **{"in": [4, 8], "out": 5}),
        ],
    ),
    "a generator": (
        (10,),
        [
            layer("dense", "project", **{"in": 10, "out": [8, 3, 4]}),
            ("unflatten", 8, 3, 4),
            layer("batch_norm", "norm1", size=8),
            "relu",
            layer("conv_transpose2d", "up1", **{"in": 8, "out": 4}, kernel=4, stride=2),
            layer("batch_norm", "norm2", size=4),
            "relu",
            layer("conv_transpose2d", "up2", **{"in": 4, "out": 3}, kernel=3, stride=2, bias=False),
        ],
    ),
    "a generator with a norm before the image": (
        (10,),
        [
            layer("dense", "project", **{"in": 10, "out": [4, 3, 2]}, bias=False),
            layer("batch_norm", "norm1", size=[4, 3, 2]),
            ("unflatten", 4, 3, 2),
            layer("conv_transpose2d", "up1", **{"in": 4, "out": 3}, kernel=3, stride=2),
            "flatten",
            layer("layer_norm", "norm2", size=[3, 7, 5]),
            layer("dense", "head", **{"in": [3, 7, 5], "out": 6}),
        ],
    ),
    "a mobile network": (
        (3, 16, 16),
        [
            layer("conv2d", "stem", **{"in": 3, "out": 8}, kernel=3, stride=2, bias=False),
            layer("batch_norm", "norm0", size=8),
            "relu",
            layer("depthwise_conv2d", "depth", **{"in": 8}, kernel=3, padding=1, bias=False),
            layer("batch_norm", "norm1", size=8),
            "relu",
            layer("conv2d", "point", **{"in": 8, "out": 12}, kernel=1, bias=False),
            layer("batch_norm", "norm2", size=12),
            "relu",
            "flatten",
            layer("dense", "first", **{"in": [12, 7, 7], "out": 20}),
            "relu",
            layer("dense", "second", **{"in": 20, "out": 4}),
        ],
    ),
    "a language model": (
        (7,),
        [
            layer("embedding", **{"in": 50, "out": 12}),
            layer("rms_norm", "norm1", size=12),
            layer("dense", "up", **{"in": 12, "out": 24}, bias=False),
            "relu",
            layer("dense", "down", **{"in": 24, "out": 12}),
            layer("layer_norm", "norm2", size=12),
            layer("dense", "head", **{"in": 12, "out": 50}, bias=False),
        ],
    ),
}

SEQUENCES: dict[str, tuple[tuple[int, ...], list[Step]]] = {
    "dense on a sequence": ((3, 4), [layer("dense", **{"in": 4, "out": 5})]),
    "layer_norm": ((5, 8), [layer("layer_norm", size=8)]),
    "layer_norm without bias": ((5, 8), [layer("layer_norm", size=8, bias=False)]),
    "rms_norm": ((5, 8), [layer("rms_norm", size=8)]),
    "lstm": ((6, 5), [layer("lstm", **{"in": 5}, hidden=7)]),
    "lstm without bias": ((6, 5), [layer("lstm", **{"in": 5}, hidden=4, bias=False)]),
    "lstm with a forget bias": ((6, 5), [layer("lstm", **{"in": 5}, hidden=4, forget_bias=1)]),
    "lstm, stacked": ((6, 5), [layer("lstm", **{"in": 5}, hidden=4, num_layers=3)]),
    "lstm, both ways": ((6, 5), [layer("lstm", **{"in": 5}, hidden=4, bidirectional=True)]),
    "lstm, stacked, both ways": (
        (6, 5),
        [layer("lstm", **{"in": 5}, hidden=4, num_layers=2, bidirectional=True, forget_bias=-0.5)],
    ),
    "gru": ((6, 5), [layer("gru", **{"in": 5}, hidden=7)]),
    "gru without bias": ((6, 5), [layer("gru", **{"in": 5}, hidden=4, bias=False)]),
    "gru, stacked, both ways": (
        (6, 5),
        [layer("gru", **{"in": 5}, hidden=3, num_layers=2, bidirectional=True)],
    ),
    "multi_head_attention": ((6, 12), [layer("multi_head_attention", size=12, heads=3)]),
    "multi_head_attention without bias": (
        (6, 12),
        [layer("multi_head_attention", size=12, heads=4, bias=False)],
    ),
    "a tagger": (
        (6, 10),
        [
            layer("gru", "first", **{"in": 10}, hidden=8, bidirectional=True),
            layer("layer_norm", "norm", size=16),
            layer("lstm", "second", **{"in": 16}, hidden=6),
            layer("multi_head_attention", "attention", size=6, heads=2),
            layer("lstm", "third", **{"in": 6}, hidden=6, num_layers=2),
            layer("dense", "head", **{"in": 6, "out": 5}),
        ],
    ),
}
NETWORKS |= SEQUENCES

# Only two of the frameworks have these.
GROUPED = {
    "grouped attention": ((6, 12), [layer("multi_head_attention", size=12, heads=6, kv_heads=2)]),
    "grouped attention without bias": (
        (6, 12),
        [layer("multi_head_attention", size=12, heads=6, kv_heads=3, bias=False)],
    ),
    "attention with one head of key and value": (
        (6, 12),
        [layer("multi_head_attention", size=12, heads=4, kv_heads=1)],
    ),
}
NETWORKS |= GROUPED


def make_inputs(name: str, shape: tuple[int, ...]) -> Array:
    rng = np.random.default_rng(5)
    if "embedding" in name or "language" in name:
        return rng.integers(0, 13, (4, *shape), dtype=np.int32)
    return rng.standard_normal((4, *shape), dtype=np.float32)


@pytest.fixture
def write_network(tmp_path: Path) -> Callable[..., Path]:
    def write_network(steps: list[Step], framework: str, suffix: str) -> Path:
        path = tmp_path / f"{framework}{suffix}"
        spec = {"seed": 3, "rules": RULES, "layers": list_layers(steps)}
        report = xavinit.generate(drop_unused(spec), path, framework=framework)
        assert not report.warnings
        return path

    return write_network


def drop_unused(spec: dict[str, Any]) -> dict[str, Any]:
    """The spec without the rules that would only warn."""
    unused = {warning.path[1] for warning in xavinit.make_plan(spec).warnings}
    return {**spec, "rules": [rule for i, rule in enumerate(RULES) if i not in unused]}


@pytest.mark.parametrize("name", NETWORKS)
def test_all_three_give_the_same_answers(
    name: str,
    write_network: Callable[..., Path],
    torch: Any,
    tf: Any,
    linen: Any,
    jax: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from safetensors.flax import load_file as load_flax
    from safetensors.torch import load_file as load_torch

    shape, steps = NETWORKS[name]
    inputs = make_inputs(name, shape)
    if name in SEQUENCES or name in GROUPED:  # features are the last axis in every framework
        monkeypatch.setattr("networks.put_last", lambda x: x)
        monkeypatch.setattr("networks.put_first", lambda x: x)
    if "language" in name or name == "embedding":
        monkeypatch.setattr("networks.put_first", lambda x: x)
    files = {
        "pytorch": write_network(steps, "pytorch", ".safetensors"),
        "keras": write_network(steps, "keras", ".weights.h5"),
    }
    answers = {
        "pytorch": build_torch(torch, steps, load_torch(files["pytorch"]))(inputs),
        "keras": build_keras(tf, steps, files["keras"], inputs)(inputs),
    }
    if name not in GROUPED:
        weights = load_flax(write_network(steps, "flax", ".safetensors"))
        answers["flax"] = build_flax(linen, jax, steps, weights, inputs)(inputs)
    scale = np.abs(answers["pytorch"]).max()
    assert answers["pytorch"].std() > 0.1 * scale  # else agreement would mean little
    for framework, answer in answers.items():
        np.testing.assert_allclose(
            answer, answers["pytorch"], rtol=0, atol=CLOSE * scale, err_msg=framework
        )


def test_every_layer_type_is_tested() -> None:
    found = {step["type"] for _, steps in NETWORKS.values() for step in list_layers(steps)}
    assert found == set(LAYER_TYPES)


VARIANCE: dict[str, tuple[tuple[int, ...], dict[str, Any]]] = {
    "dense": ((400,), layer("dense", **{"in": 400, "out": 500})),
    "conv1d": ((64, 200), layer("conv1d", **{"in": 64, "out": 64}, kernel=5)),
    "conv2d": ((32, 24, 24), layer("conv2d", **{"in": 32, "out": 48}, kernel=3)),
    "conv2d in groups": (
        (32, 24, 24),
        layer("conv2d", **{"in": 32, "out": 64}, kernel=3, groups=8),
    ),
    "conv3d": ((16, 10, 10, 10), layer("conv3d", **{"in": 16, "out": 24}, kernel=3)),
    "depthwise_conv2d": (
        (64, 24, 24),
        layer("depthwise_conv2d", **{"in": 64}, kernel=5, multiplier=8),
    ),
    "conv_transpose2d": (
        (32, 24, 24),
        layer("conv_transpose2d", **{"in": 32, "out": 32}, kernel=3),
    ),
    "conv_transpose2d with a stride": (
        (32, 16, 16),
        layer("conv_transpose2d", **{"in": 32, "out": 32}, kernel=4, stride=2),
    ),
    "conv_transpose2d with phases of a mean size": (
        (3, 24, 24),
        layer("conv_transpose2d", **{"in": 3, "out": 800}, kernel=3, stride=2),
    ),
    "conv_transpose2d in groups": (
        (32, 24, 24),
        layer("conv_transpose2d", **{"in": 32, "out": 64}, kernel=3, groups=4),
    ),
    "embedding": ((300,), layer("embedding", **{"in": 1000, "out": 200})),
}


@pytest.mark.parametrize("init", ["lecun_uniform", "lecun_normal", "lecun_truncated_normal"])
@pytest.mark.parametrize("name", VARIANCE)
def test_variance_is_passed_on(name: str, init: str, torch: Any) -> None:
    """In mode fan_in with gain 1, Var y = fan_in · Var w · E[x²] = 1."""
    shape, entry = VARIANCE[name]
    spec = {"seed": 8, "layers": [{**list_layers([entry])[0], "init": init}]}
    weights = {k: torch.from_numpy(v) for k, v in xavinit.draw(spec).items()}
    rng = np.random.default_rng(4)
    inputs = rng.standard_normal((16, *shape), dtype=np.float32)
    if name == "embedding":
        inputs = rng.integers(0, 1000, (16, *shape), dtype=np.int64)
    outputs = build_torch(torch, [entry], weights)(inputs)
    if name.startswith("conv_transpose2d"):
        outputs = outputs[..., 4:-4, 4:-4]  # at the edges, fewer inputs reach an output
    # of thousands of weights, and of outputs that share them
    assert float(outputs.var()) == pytest.approx(1, rel=0.05)
