"""The rng `jax-0.10` in a spec: keys, fans, views, and what it refuses."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import xavinit
from xavinit.errors import SpecError
from xavinit.plan.jax_keys import fold_path, make_root
from xavinit.plan.threefry import Key, fold_in
from xavinit.streams import jax_numpy
from xavinit.streams.jax_laws import Draw

RNG = "jax-0.10"
F = np.float32


def make_uniform(key: Key, *shape: int) -> Any:
    """`glorot_uniform` of a matrix, by its steps in float32."""
    out = bytearray(4 * math.prod(shape))
    variance = F(2.0 / (shape[-2] + shape[-1]))
    draw = Draw("uniform", -1.0, 1.0, float(np.sqrt(F(3) * variance)))
    jax_numpy.fill(memoryview(out), key, draw, "float32", 0, math.prod(shape))
    return np.frombuffer(out, F).reshape(shape)


def assert_equal(array: Any, expected: Any) -> None:
    assert array.shape == expected.shape
    assert array.tobytes() == expected.tobytes()


# --- Keys --------------------------------------------------------------------------------------


def test_a_tensor_has_a_key_of_its_own_seed_or_the_specs() -> None:
    spec = {"rng": RNG, "seed": 3, "tensors": {"a": {"shape": [4, 6], "seed": 9}, "b": [4, 6]}}
    drawn = xavinit.draw(spec)
    assert_equal(drawn["a"], make_uniform((0, 9), 4, 6))
    assert_equal(drawn["b"], make_uniform((0, 3), 4, 6))


@pytest.mark.parametrize(("x64", "key"), [(False, (0, 5)), (True, (1, 5))])
def test_a_seed_beyond_32_bits_counts_with_x64_alone(x64: bool, key: Key) -> None:
    spec = {"rng": {"type": RNG, "x64": x64}, "seed": 2**32 + 5, "tensors": {"a": [4, 6]}}
    assert_equal(xavinit.draw(spec)["a"], make_uniform(key, 4, 6))


@pytest.mark.parametrize("names", ["{}.{}", "params.{}.{}", "{}/{}", "params/{}/{}"])
def test_linens_keys_are_of_paths_and_places(names: str) -> None:
    """A bias comes after the others of its module, wherever it is listed."""
    uniform = {"type": "uniform", "bound": 1}
    tensors = {
        names.format("Dense_1", "bias"): {"shape": [4, 6]},
        names.format("Dense_0", "kernel"): [4, 6],
        names.format("Dense_0", "bias"): {"shape": [3], "init": "zeros"},
        names.format("Dense_1", "kernel"): [4, 6],
        names.format("Dense_0", "second"): [4, 6],
        names.format("scaled", "bias"): {"shape": [24], "init": uniform},
        names.format("scaled", "again"): {"tied": names.format("scaled", "bias")},
    }
    spec = {"rng": f"{RNG},keys=linen", "seed": 7, "tensors": tensors}
    drawn = list(xavinit.draw(spec).values())
    for index, module, place in ((0, "Dense_1", 2), (1, "Dense_0", 1), (3, "Dense_1", 1)):
        assert_equal(drawn[index], make_uniform(fold_path((0, 7), (module,), place), 4, 6))
    assert_equal(drawn[4], make_uniform(fold_path((0, 7), ("Dense_0",), 2), 4, 6))
    assert drawn[5].any()
    assert_equal(drawn[6], drawn[5])


def test_a_parameter_of_the_whole_model_has_no_path() -> None:
    spec = {"rng": f"{RNG},keys=linen", "seed": 7, "tensors": {"kernel": [4, 6]}}
    assert_equal(xavinit.draw(spec)["kernel"], make_uniform(fold_path((0, 7), (), 1), 4, 6))


def test_nnx_counts_every_parameter_and_no_statistic() -> None:
    glorot = {"init": "glorot_uniform"}
    layers = [
        {"name": "a", "type": "dense", "in": 4, "out": 6, **glorot},  # 0 and 1
        {"name": "norm", "type": "batch_norm", "size": 6},  # 2 and 3; mean and var are none
        {"name": "b", "type": "dense", "in": 6, "out": 4, "bias": False, **glorot},  # 4
        {"type": "draw", "count": 3},
        {"name": "c", "type": "dense", "in": 4, "out": 2, **glorot},  # 8
    ]
    spec = {"rng": f"{RNG},keys=nnx", "seed": 7, "framework": "flax", "layers": layers}
    drawn = xavinit.draw(spec)
    for name, shape, count in (("a", (4, 6), 0), ("b", (6, 4), 4), ("c", (4, 2), 8)):
        key = fold_in(make_root(7, is_wide=False), count)
        assert_equal(drawn[f"params.{name}.kernel"], make_uniform(key, *shape))


@pytest.mark.parametrize("dropout", [False, True])
def test_nnx_counts_the_dropout_of_an_attention_after_its_parameters(dropout: bool) -> None:
    attention = {"name": "a", "type": "multi_head_attention", "size": 4, "heads": 2}  # 0 to 7
    dense = {"name": "b", "type": "dense", "in": 4, "out": 6, "init": "glorot_uniform"}
    layers = [{**attention, "dropout": dropout}, dense]
    spec = {"rng": f"{RNG},keys=nnx", "seed": 7, "framework": "flax", "layers": layers}
    expected = make_uniform(fold_in((0, 7), 8 + dropout), 4, 6)
    assert_equal(xavinit.draw(spec)["params.b.kernel"], expected)


def test_a_tied_tensor_has_no_key_of_its_own() -> None:
    tensors = {"a": [4, 6], "again": {"tied": "a"}, "b": [4, 6]}
    drawn = xavinit.draw({"rng": f"{RNG},keys=nnx", "seed": 7, "tensors": tensors})
    assert_equal(drawn["again"], drawn["a"])
    assert_equal(drawn["b"], make_uniform(fold_in((0, 7), 1), 4, 6))


# --- Fans and Flax's own initializers ----------------------------------------------------------


def plan(layer: dict[str, Any], **keys: Any) -> dict[str, Any]:
    spec = {"rng": f"{RNG},keys=linen", "framework": "flax", "layers": [{"name": "l", **layer}]}
    return {
        t.name.removeprefix("params.l."): t for t in xavinit.make_plan({**spec, **keys}).tensors
    }


@pytest.mark.parametrize(
    ("layer", "name", "fans"),
    [
        ({"type": "dense", "in": 784, "out": 10}, "kernel", (784, 10)),
        ({"type": "conv2d", "in": 8, "out": 16, "kernel": 3, "groups": 4}, "kernel", (18, 144)),
        ({"type": "conv_transpose2d", "in": 6, "out": 4, "kernel": 3}, "kernel", (54, 36)),
        ({"type": "embedding", "in": 50, "out": 8, "init": "lecun_uniform"}, "embedding", (50, 8)),
        ({"type": "embedding", "in": 64, "out": 8}, "embedding", (8, 8)),
        ({"type": "multi_head_attention", "size": 24, "heads": 3}, "query.kernel", (24, 24)),
        ({"type": "multi_head_attention", "size": 24, "heads": 3}, "out.kernel", (24, 24)),
    ],
)
def test_fans_are_flaxs(layer: dict[str, Any], name: str, fans: tuple[int, int]) -> None:
    assert plan(layer)[name].fans == fans


def test_what_the_spec_leaves_is_flaxs_own() -> None:
    """lecun_normal of kernels, a normal of 1/√features of an embedding, ones and zeros."""
    dense = {"type": "dense", "in": 16, "out": 4}
    assert plan(dense)["kernel"].law == xavinit.TruncatedNormal(0.25)
    assert plan({**dense, "init": "default"})["kernel"].law == xavinit.TruncatedNormal(0.25)
    given = plan(dense, defaults={"init": "he_uniform"})["kernel"].law
    assert given == xavinit.Uniform(float(np.sqrt(F(3) * F(2 / 16))))
    embedding = plan({"type": "embedding", "in": 64, "out": 16})["embedding"]
    assert embedding.law == xavinit.Normal(0.25)
    norm = plan({"type": "layer_norm", "size": 4})
    assert (norm["scale"].law, norm["bias"].law) == (xavinit.Constant(1), xavinit.Constant(0))


# --- Random access and views -------------------------------------------------------------------


def test_other_frameworks_get_views_of_flaxs_tensors() -> None:
    layers = [
        {"name": "conv", "type": "conv2d", "in": 3, "out": 8, "kernel": [3, 5]},
        {"name": "up", "type": "conv_transpose2d", "in": 6, "out": 4, "kernel": 3},
        {"name": "dense", "type": "dense", "in": 7, "out": 9},
    ]
    spec = {"rng": f"{RNG},keys=linen", "seed": 7, "layers": layers}
    home = xavinit.draw({**spec, "framework": "flax"})
    torch, keras = (xavinit.draw({**spec, "framework": name}) for name in ("pytorch", "keras"))
    conv = home["params.conv.kernel"]
    assert_equal(torch["conv.weight"], conv.transpose(3, 2, 0, 1))
    assert_equal(keras["conv/kernel"], conv)
    up = home["params.up.kernel"][::-1, ::-1]  # Flax correlates, others convolve
    assert_equal(torch["up.weight"], up.transpose(2, 3, 0, 1))
    assert_equal(keras["up/kernel"], up.transpose(0, 1, 3, 2))
    assert_equal(torch["dense.weight"], home["params.dense.kernel"].T)


def test_three_tensors_of_flaxs_are_no_one_of_pytorchs() -> None:
    layer = {"name": "l", "type": "multi_head_attention", "size": 24, "heads": 3}
    with pytest.raises(SpecError, match=r'"l.in_proj_weight" is no view of one tensor of flax'):
        xavinit.draw({"rng": f"{RNG},keys=nnx", "layers": [layer]})


LARGE = {
    "rng": RNG,
    "seed": 1,
    "tensors": {
        "u": [700, 1500],
        "n": {"shape": [700, 900], "init": {"type": "normal", "std": 1}},
        "rows": {"shape": [50, 7], "init": {"type": "normal", "std": 1}, "zero_rows": [3]},
    },
}


def test_any_slice_is_drawn_alone() -> None:
    whole = xavinit.draw(LARGE)
    for name, index in (("u", np.s_[650:, 3:1400:7]), ("n", np.s_[5, ::-2])):
        assert_equal(xavinit.draw(LARGE, name, index), whole[name][index])
    assert not whole["rows"][3].any()
    assert whole["rows"][2].all()


@pytest.mark.parametrize("kernel", ["native", "numpy"])
def test_parts_and_threads_give_the_same_bytes(
    kernel: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kernel == "native":
        pytest.importorskip("xavinit.streams._kernel")
    monkeypatch.setenv("XAVINIT_KERNEL", kernel)
    for name, jobs in (("one", 1), ("three", 3)):
        xavinit.generate(LARGE, tmp_path / f"{name}.safetensors", jobs=jobs)
    assert (tmp_path / "one.safetensors").read_bytes() == (
        tmp_path / "three.safetensors"
    ).read_bytes()
    assert xavinit.verify(tmp_path / "one.safetensors")


def test_parts_of_a_set_are_written_in_any_order(tmp_path: Path) -> None:
    tensors = {f"t{n}": [300, 400] for n in range(5)}
    spec = {"rng": f"{RNG},keys=nnx", "seed": 1, "tensors": tensors}
    xavinit.generate(spec, tmp_path / "whole", max_shard_size=10**6)
    for part in ("2/3", "3/3", "1/3"):
        xavinit.generate(spec, tmp_path / "parts", max_shard_size=10**6, part=part)
    files = {path.name: path.read_bytes() for path in (tmp_path / "whole").iterdir()}
    assert len(files) == 4
    assert files == {path.name: path.read_bytes() for path in (tmp_path / "parts").iterdir()}


def test_a_file_carries_rng_and_order(tmp_path: Path) -> None:
    layers = [{"name": n, "type": "dense", "in": 3, "out": 3} for n in ("z", "a")]
    spec = {"rng": {"type": RNG, "keys": "nnx", "jit": True}, "seed": 7, "layers": layers}
    path = tmp_path / "made.safetensors"
    xavinit.generate(spec, path)
    plan = xavinit.make_plan(path)
    assert plan.stream == "jax-0.10,jit=true,keys=nnx"
    drawn = xavinit.draw(plan)
    assert xavinit.digest(path) == xavinit.digest(drawn)


# --- What it refuses ---------------------------------------------------------------------------

SHAPE = {"shape": [3, 5]}


@pytest.mark.parametrize(
    ("spec", "fact"),
    [
        ({"rng": {"type": RNG, "jit": "yes"}}, 'must be false or true; got "yes"'),
        ({"rng": {"type": RNG, "keys": "x"}}, 'must be linen, nnx or plain; got "x"'),
        ({"seed": 2**63}, "must be an integer from −2⁶³ to 2⁶³−1; got 9223372036854775808"),
        (
            {"tensors": {"a": {**SHAPE, "init": "he_normal"}}},
            "jax-0.10 knows no he_normal: JAX's is a truncated normal",
        ),
        (
            {"tensors": {"a": {**SHAPE, "dtype": "float64"}}},
            "jax-0.10 draws float64 with x64 alone: JAX makes it float32 otherwise",
        ),
        (
            {"tensors": {"a": {**SHAPE, "dtype": "float16", "init": "lecun_truncated_normal"}}},
            "jax-0.10 draws normal laws in float32; got float16",
        ),
        (
            {"tensors": {"a": {**SHAPE, "dtype": "float8_e5m2"}}},
            "jax-0.10 draws uniform laws in bfloat16, float16, float32 or float64; got float8_e5m2",
        ),
        (
            {"tensors": {"a": {**SHAPE, "init": {"type": "normal", "std": 1, "mean": 0.5}}}},
            "jax-0.10 has no other mean than 0; got 0.5",
        ),
        (
            {"tensors": {"a": {**SHAPE, "init": {"type": "truncated_normal", "std": 1, "a": -1}}}},
            "jax-0.10 cuts a normal at two of its stds; got -1",
        ),
        (
            {"tensors": {"a": {**SHAPE, "init": {"type": "normal", "std": 1e-50}}}},
            "must be positive in float32; got 1e-50",
        ),
        (
            {"tensors": {"a": {**SHAPE, "init": {"type": "uniform", "bound": 1e39}}}},
            "must be finite in float32; got 1e+39",
        ),
        (
            {"tensors": {"a": {**SHAPE, "init": {"type": "uniform", "a": 3, "b": 2}}}},
            "a must be less than b; got 3 and 2",
        ),
        (
            {"tensors": {"a": {**SHAPE, "layout": "out_in"}}},
            "jax-0.10 takes the fans of the shape as JAX does (the spatial axes, in, out); "
            "got layout",
        ),
        (
            {"rng": f"{RNG},keys=linen", "tensors": {"a": {**SHAPE, "seed": 3}}},
            "jax-0.10,keys=linen has one seed, the spec's; got 3",
        ),
        (
            {"layers": [{"name": "l", "type": "gru", "in": 3, "hidden": 4}]},
            "jax-0.10 draws no gru: Flax makes its recurrent kernels orthogonal, within a scan",
        ),
        (
            {"layers": [{"type": "draw", "count": 3}]},
            "draw takes from the count of nnx.Rngs; got keys: plain",
        ),
        (
            {"rng": f"{RNG},keys=nnx", "layers": [{"type": "draw", "count": 2**32}]},
            "count must be at most 4,294,967,295; got 4,294,967,296",
        ),
    ],
)
def test_what_the_rng_does_not_know_is_refused(spec: dict[str, Any], fact: str) -> None:
    with pytest.raises(SpecError) as caught:
        xavinit.draw(
            {"rng": RNG, **({} if "layers" in spec else {"tensors": {"a": [3, 5]}}), **spec}
        )
    assert caught.value.fact == fact
