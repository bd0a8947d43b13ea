"""Make the golden digests of the rng `jax-0.10`, by JAX and Flax themselves.

    python tests/golden/make_jax_golden.py

writes tests/golden/jax-0.10.json: specs, and for each the SHA-256 of the bytes that JAX draws for
it, tensor by tensor in the order of their names. A spec is read here by `draw`, which calls JAX's
own initializers and Flax's own modules and nothing of xavinit. Needs jax 0.10 and flax 0.12.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

GOLDEN = Path(__file__).with_name("jax-0.10.json")
SEEDS = [0, 1, 1234, 2**31 - 2, 2**31, 2**32 - 1, 2**32 + 5, 2**40 + 3, -1, -(2**63), 2**63 - 1]
SHAPES = [
    [1, 1], [1, 5], [3, 5], [4, 4], [17, 1], [1, 16], [10, 128], [33, 31], [1, 1, 3, 5],
    [3, 3, 4, 6], [7, 7, 3, 64], [3, 3, 3, 2, 4], [784, 128],
]  # fmt: skip
FLOATS = ["float32", "float64", "float16", "bfloat16"]
UNIFORMS: list[Any] = [
    "glorot_uniform",
    "he_uniform",
    "lecun_uniform",
    {"type": "glorot_uniform", "gain": 1.5},
    {"type": "variance_scaling", "mode": "fan_out", "distribution": "uniform"},
    {"type": "uniform", "bound": 0.05},
    {"type": "uniform", "a": 0, "b": 0.3},
    {"type": "uniform", "a": -1.7, "b": 0.3},
]
NORMALS: list[Any] = [
    "glorot_truncated_normal",
    "he_truncated_normal",
    "lecun_truncated_normal",
    {"type": "variance_scaling", "mode": "fan_avg", "distribution": "normal"},
    {"type": "variance_scaling", "mode": "fan_out", "distribution": "normal", "gain": 0.7},
    {"type": "variance_scaling", "mode": "fan_out", "distribution": "truncated_normal"},
    {"type": "normal", "std": 0.01},
    {"type": "normal", "std": 0.3},
    {"type": "truncated_normal", "std": 0.02},
]
WITHOUT_FANS = [*UNIFORMS[5:], *NORMALS[6:]]
Spec = dict[str, Any]


# --- A spec, by JAX ----------------------------------------------------------------------------


def find_initializer(init: Any) -> Any:
    """The function of key, shape and dtype that an initializer stands for."""
    import jax
    from jax.nn import initializers as by

    table = init if isinstance(init, dict) else {"type": init}
    kind = table["type"]
    match kind:
        case "zeros" | "ones":
            return getattr(by, kind)
        case "normal":
            return by.normal(table["std"])
        case "truncated_normal":
            return by.truncated_normal(table["std"])
        case "uniform" if table.get("a") == 0:
            return by.uniform(table["b"])
        case "uniform":
            low, high = table.get("a", -table.get("bound", 0)), table.get("b", table.get("bound"))
            return lambda key, shape, dtype: jax.random.uniform(key, shape, dtype, low, high)
        case "variance_scaling":
            scale = table.get("gain", 1.0) ** 2
            return by.variance_scaling(scale, table["mode"], table["distribution"])
    if "gain" in table:
        if kind != "glorot_uniform":
            raise ValueError(init)
        return by.variance_scaling(table["gain"] ** 2, "fan_avg", "uniform")
    return getattr(by, kind.replace("_truncated", ""))()


@contextmanager
def use_variants(spec: Spec) -> Iterator[dict[str, Any]]:
    """The variants of a spec's rng, with 64-bit numbers on while its tensors are drawn if it asks
    for them.
    """
    import jax

    rng = spec["rng"]
    jax.config.update("jax_enable_x64", isinstance(rng, dict) and rng.get("x64", False))
    try:
        yield {
            "keys": "plain",
            "jit": False,
            "x64": False,
            **(rng if isinstance(rng, dict) else {}),
        }
    finally:
        jax.config.update("jax_enable_x64", False)


def draw(spec: Spec) -> dict[str, Any]:
    """The tensors of a spec by name, as JAX or Flax draws them."""
    with use_variants(spec) as variants:
        if variants["keys"] == "plain":
            return draw_plain(spec, variants)
        make = draw_linen if variants["keys"] == "linen" else draw_nnx
        return make(spec, variants)


def draw_plain(spec: Spec, variants: dict[str, Any]) -> dict[str, Any]:
    """Each tensor's initializer, called with the key of its own seed."""
    import jax

    defaults = {"dtype": "float32", "init": "glorot_uniform", **spec.get("defaults", {})}
    drawn = {}
    for name, given in spec["tensors"].items():
        table = {**defaults, **(given if isinstance(given, dict) else {"shape": given})}
        key = jax.random.key(table.get("seed", spec["seed"]))
        shape, told = tuple(table["shape"]), json.dumps(table["init"])
        call = find_call(told, shape, table["dtype"], variants["jit"], variants["x64"])
        drawn[name] = call(key)
    return drawn


@cache  # what is compiled serves for all seeds
def find_call(told: str, shape: Any, dtype: str, jit: bool, _: bool) -> Any:
    """An initializer as a function of the key alone."""
    import jax

    init = find_initializer(json.loads(told))

    def call(key: Any) -> Any:
        return init(key, shape, jax.numpy.dtype(dtype))

    return jax.jit(call) if jit else call


def list_arguments(layer: Spec) -> dict[str, Any]:
    """The arguments of a layer's initializers that Linen and NNX share: only what the spec says."""
    if "init" not in layer:
        return {}
    key = "embedding_init" if layer["type"] == "embedding" else "kernel_init"
    found = {key: find_initializer(layer["init"])}
    if "bias_init" in layer:
        found["bias_init"] = find_initializer(layer["bias_init"])
    return found


def make_linen(layer: Spec, name: str) -> tuple[Any, Any]:
    """A module of Linen's, and an input that it takes."""
    import jax.numpy as jnp
    from flax import linen

    kind, given = layer["type"], list_arguments(layer)
    bias = {"use_bias": layer.get("bias", True)}
    match kind:
        case "dense":
            module = linen.Dense(layer["out"], name=name, **bias, **given)
            return module, jnp.zeros((1, layer["in"]))
        case "conv1d" | "conv2d":
            rank = int(kind[4])
            groups = layer.get("groups", 1)
            sizes = (layer["kernel"],) * rank
            module = linen.Conv(
                layer["out"], sizes, feature_group_count=groups, name=name, **bias, **given
            )
            return module, jnp.zeros((1, *(8,) * rank, layer["in"]))
        case "conv_transpose2d":
            module = linen.ConvTranspose(
                layer["out"], (layer["kernel"],) * 2, name=name, **bias, **given
            )
            return module, jnp.zeros((1, 8, 8, layer["in"]))
        case "embedding":
            module = linen.Embed(layer["in"], layer["out"], name=name, **given)
            return module, jnp.zeros((1,), jnp.int32)
        case "layer_norm":
            return linen.LayerNorm(name=name), jnp.zeros((1, layer["size"]))
        case "rms_norm":
            return linen.RMSNorm(name=name), jnp.zeros((1, layer["size"]))
        case "batch_norm":
            module = linen.BatchNorm(use_running_average=True, name=name)
            return module, jnp.zeros((1, layer["size"]))
        case "multi_head_attention":
            module = linen.MultiHeadDotProductAttention(layer["heads"], name=name, **bias, **given)
            return module, jnp.zeros((1, 3, layer["size"]))
    raise ValueError(kind)


def draw_linen(spec: Spec, variants: dict[str, Any]) -> dict[str, Any]:
    """`model.init` of a model whose modules lie within each other as the names say."""
    import jax
    from flax import linen, traverse_util

    class Within(linen.Module):
        layers: tuple[tuple[tuple[str, ...], str], ...]  # the rest of the path; the layer as JSON

        @linen.compact
        def __call__(self) -> None:
            heads = dict.fromkeys(path[0] for path, _ in self.layers)
            for head in heads:
                found = [(path[1:], text) for path, text in self.layers if path[0] == head]
                if found[0][0]:
                    Within(tuple(found), name=head)()
                else:
                    module, given = make_linen(json.loads(found[0][1]), head)
                    module(given)

    layers = tuple((tuple(one["name"].split(".")), json.dumps(one)) for one in spec["layers"])
    make = Within(layers).init
    made = (jax.jit(make) if variants["jit"] else make)(jax.random.key(spec["seed"]))
    return traverse_util.flatten_dict(made, sep=".")


def make_nnx(layer: Spec, rngs: Any) -> dict[str, Any]:
    """The parameters of a module of NNX's by their names."""
    from flax import nnx

    kind, given = layer["type"], list_arguments(layer)
    bias = {"use_bias": layer.get("bias", True)}
    if kind == "dense":
        module: Any = nnx.Linear(layer["in"], layer["out"], rngs=rngs, **bias, **given)
    elif kind in ("conv1d", "conv2d"):
        sizes = (layer["kernel"],) * int(kind[4])
        groups = {"feature_group_count": layer.get("groups", 1)}
        module = nnx.Conv(layer["in"], layer["out"], sizes, rngs=rngs, **groups, **bias, **given)
    elif kind == "conv_transpose2d":
        sizes = (layer["kernel"],) * 2
        module = nnx.ConvTranspose(layer["in"], layer["out"], sizes, rngs=rngs, **bias, **given)
    elif kind == "embedding":
        module = nnx.Embed(layer["in"], layer["out"], rngs=rngs, **given)
    elif kind == "multi_head_attention":
        module = nnx.MultiHeadAttention(layer["heads"], layer["size"], rngs=rngs, **bias, **given)
    else:
        norms = {"layer_norm": nnx.LayerNorm, "rms_norm": nnx.RMSNorm, "batch_norm": nnx.BatchNorm}
        module = norms[kind](layer["size"], rngs=rngs)
    state = nnx.state(module, nnx.Any(nnx.Param, nnx.BatchStat))
    return {".".join(path): leaf[...] for path, leaf in nnx.to_flat_state(state)}


def draw_nnx(spec: Spec, variants: dict[str, Any]) -> dict[str, Any]:
    """The modules in the order of the layers, made with one `nnx.Rngs`."""
    from flax import nnx

    def make() -> dict[str, Any]:
        rngs, drawn = nnx.Rngs(spec["seed"]), {}
        for layer in spec["layers"]:
            if layer["type"] == "draw":
                for _ in range(layer["count"]):
                    nnx.Dropout(0.5, rngs=rngs)
                continue
            for name, value in make_nnx(layer, rngs).items():
                collection = "batch_stats" if name in ("mean", "var") else "params"
                drawn[f"{collection}.{layer['name']}.{name}"] = value
        return drawn

    return (nnx.jit(make) if variants["jit"] else make)()


def compute_digest(spec: Spec) -> str:
    """The SHA-256 of the bytes of all tensors, by the order of their names."""
    import numpy as np

    total = hashlib.sha256()
    for _, array in sorted(draw(spec).items()):
        total.update(np.asarray(array).tobytes())
    return total.hexdigest()


# --- The cases ---------------------------------------------------------------------------------


def list_specs() -> Iterator[tuple[str, Spec]]:
    """The specs by what each is about."""

    def make(rng: Any, tensors: dict[str, Any], seed: int, **defaults: Any) -> Spec:
        return {"rng": rng, "seed": seed, "tensors": tensors, "defaults": defaults}

    for dtype in FLOATS:
        inits = [*UNIFORMS, *NORMALS] if dtype == "float32" else UNIFORMS
        for x64 in (False, True):
            if dtype == "float64" and not x64:
                continue
            for jit in (False, True):
                rng: Any = {"type": "jax-0.10", "jit": jit, "x64": x64}
                if not jit and not x64:
                    rng = "jax-0.10"
                for number, init in enumerate(inits):
                    seeds = SEEDS if number in (0, 8) else SEEDS[number % 4 :: 4]
                    few = SHAPES[number % 3 :: 3] if jit or x64 else SHAPES[:-1]
                    for seed in seeds:
                        shapes = SHAPES if seed == SEEDS[2] and not jit else few
                        tensors: dict[str, Any] = {f"t{n:02}": s for n, s in enumerate(shapes)}
                        told = init if isinstance(init, str) else json.dumps(init)
                        title = f"{told} {dtype} seed {seed} jit {jit} x64 {x64}"
                        yield title, make(rng, tensors, seed, init=init, dtype=dtype)
    for init in WITHOUT_FANS[::3]:
        tensors = {f"t{n:02}": [n] for n in range(1, 71)}
        yield f"{json.dumps(init)} of 1 to 70", make("jax-0.10", tensors, 7, init=init)
    tensors = {
        f"t{seed}": {"shape": [20, 30], "init": init, "seed": seed}
        for seed, init in zip(SEEDS, [*UNIFORMS, *NORMALS], strict=False)
    }
    yield "each tensor by its own seed", make("jax-0.10", tensors, 3)
    for init in ("glorot_uniform", "glorot_truncated_normal", NORMALS[3]):
        large = {"w": [4096, 4096], "b": [3, 5]}
        yield f"{json.dumps(init)} of 4096 x 4096", make("jax-0.10", large, 5, init=init)
    for name, layers in MODELS.items():
        for keys in ("linen", "nnx"):
            for seed in (0, 42, 2**31 - 2, 2**32 - 1, 2**32 + 5, 2**40 + 3):
                kept = [one for one in layers if keys == "nnx" or one["type"] != "draw"]
                rng = {"type": "jax-0.10", "keys": keys}
                is_wide = seed >= 2**32 + 5
                rngs = [rng, {**rng, "x64": True}] if is_wide else [rng]
                rngs += [{**rng, "jit": True}] if seed == 42 else []
                for one in rngs:
                    spec = {"rng": one, "seed": seed, "framework": "flax", "layers": kept}
                    yield f"{name}, {json.dumps(one)}, seed {seed}", spec


MODELS: dict[str, list[Spec]] = {
    "a multilayer perceptron": [
        {"name": "Dense_0", "type": "dense", "in": 784, "out": 128, "init": "glorot_uniform"},
        {"name": "Dense_1", "type": "dense", "in": 128, "out": 10},
        {"name": "Dense_2", "type": "dense", "in": 10, "out": 3, "bias": False},
        {"name": "Dense_3", "type": "dense", "in": 3, "out": 5, "init": "he_truncated_normal"},
    ],
    "nested convolutions": [
        {"name": "body.Conv_0", "type": "conv2d", "in": 3, "out": 8, "kernel": 3},
        {"name": "body.BatchNorm_0", "type": "batch_norm", "size": 8},
        {"type": "draw", "count": 1},
        {"name": "body.Conv_1", "type": "conv2d", "in": 8, "out": 16, "kernel": 3, "groups": 4},
        {"name": "body.inner.Conv_0", "type": "conv1d", "in": 4, "out": 6, "kernel": 5},
        {"name": "up", "type": "conv_transpose2d", "in": 6, "out": 4, "kernel": 3},
        {"name": "head", "type": "dense", "in": 33, "out": 17, "init": "glorot_truncated_normal"},
    ],
    "a transformer's block": [
        {"name": "embed", "type": "embedding", "in": 50, "out": 24},
        {"name": "block_0.norm", "type": "layer_norm", "size": 24},
        {"name": "block_0.attend", "type": "multi_head_attention", "size": 24, "heads": 3},
        {"type": "draw", "count": 2},
        {"name": "block_0.rms", "type": "rms_norm", "size": 24},
        {"name": "block_0.mlp.up", "type": "dense", "in": 24, "out": 96},
        {
            "name": "block_0.mlp.down", "type": "dense", "in": 96, "out": 24,
            "init": "lecun_uniform", "bias_init": {"type": "normal", "std": 0.01},
        },
        {
            "name": "again", "type": "multi_head_attention", "size": 24, "heads": 2,
            "bias": False, "init": "glorot_uniform",
        },
        {"name": "out", "type": "embedding", "in": 7, "out": 5, "init": "lecun_uniform"},
    ],
}  # fmt: skip


def main() -> None:
    import flax
    import jax
    import jaxlib

    cases = [
        {"title": title, "spec": spec, "sha256": compute_digest(spec)}
        for title, spec in list_specs()
    ]
    made = {
        "jax": jax.__version__,
        "jaxlib": jaxlib.__version__,
        "flax": flax.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
    }
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    GOLDEN.write_text(f'{{"made":{json.dumps(made)},"cases":[\n{lines}\n]}}\n', encoding="utf-8")


if __name__ == "__main__":
    main()
