"""Make the golden digests of the rng `keras-3.15`, by Keras itself.

    python tests/golden/make_keras_golden.py

writes tests/golden/keras-3.15.json: specs, and for each the SHA-256 of the bytes that Keras draws
for it, tensor by tensor in the spec's order. A spec is read here by `draw`, which calls Keras's own
initializers and layers and nothing of xavinit. Needs Keras 3.15 with TensorFlow, JAX and PyTorch.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

GOLDEN = Path(__file__).with_name("keras-3.15.json")
BACKENDS = ("tensorflow", "jax", "torch", "numpy")
SEEDS = [0, 1, 1234, 2**31 - 3, 2**31 - 2, 2**31 - 1, 2**31, 2**32 - 1]
LONG_SEEDS = [2**32 + 5, 2**40 + 3, 2**63 - 1, -1, -(2**63)]  # of TensorFlow and PyTorch
SHAPES = [
    [1, 1], [5, 1], [3, 5], [17, 1], [7], [], [10, 128], [33, 31], [3, 3, 16, 32], [2, 3, 4, 5, 6],
    [784, 128],
]  # fmt: skip
FLOATS = ["float32", "float64", "float16", "bfloat16"]
INITS: list[Any] = [
    "glorot_uniform",
    "glorot_truncated_normal",
    "xavier_uniform",
    "he_uniform",
    "he_truncated_normal",
    "kaiming_truncated_normal",
    "lecun_uniform",
    "lecun_truncated_normal",
    {"type": "variance_scaling", "mode": "fan_out", "distribution": "normal"},
    {"type": "variance_scaling", "mode": "fan_in", "distribution": "truncated_normal", "gain": 3},
    {"type": "uniform", "bound": 0.05},
    {"type": "uniform", "a": -0.3, "b": 0.7},
    {"type": "normal", "std": 0.05},
    {"type": "normal", "std": 0.02, "mean": 0.3},
    {"type": "truncated_normal", "std": 0.05},
    {"type": "truncated_normal", "std": 0.2, "mean": -1},
]
FEW = [0, 1, 8, 9, 10, 12, 13, 14, 15]  # of those, on other backends
Spec = dict[str, Any]


# --- A spec, by Keras --------------------------------------------------------------------------


def make_initializer(init: Any, seed: int | None = None) -> Any:
    """Keras's initializer for one of a spec."""
    from keras import initializers as by

    table = init if isinstance(init, dict) else {"type": init}
    name = table["type"].replace("xavier", "glorot").replace("kaiming", "he")
    match name:
        case "zeros":
            return by.Zeros()
        case "ones":
            return by.Ones()
        case "uniform":
            bound = table.get("bound", 0)
            return by.RandomUniform(table.get("a", -bound), table.get("b", bound), seed=seed)
        case "normal":
            return by.RandomNormal(table.get("mean", 0.0), table["std"], seed=seed)
        case "truncated_normal":
            return by.TruncatedNormal(table.get("mean", 0.0), table["std"], seed=seed)
        case "variance_scaling":
            kinds = {"normal": "untruncated_normal"}
            kind = kinds.get(table["distribution"], table["distribution"])
            scale = float(table.get("gain", 1)) ** 2
            return by.VarianceScaling(scale, table["mode"], kind, seed=seed)
    family, _, kind = name.partition("_")
    made = f"{family.capitalize()}{'Uniform' if kind == 'uniform' else 'Normal'}"
    return getattr(by, made)(seed=seed)


def describe_initializer(init: Any, seed: int | None) -> Any:
    """The same by its configuration: a layer makes it among its others, as it does by a name."""
    import keras

    state = random.getstate()
    described = keras.initializers.serialize(make_initializer(init, seed))
    random.setstate(state)
    return described


def draw(spec: Spec) -> Iterator[tuple[str, Any]]:
    """The tensors of a spec, in its order, as Keras draws them."""
    import keras

    keras.utils.set_random_seed(spec["seed"])
    defaults = {"dtype": "float32", "init": "glorot_uniform", **spec.get("defaults", {})}
    for name, given in spec.get("tensors", {}).items():
        table = {**defaults, **(given if isinstance(given, dict) else {"shape": given})}
        initializer = make_initializer(table["init"], table.get("seed"))
        tensor = initializer(tuple(table["shape"]), dtype=table["dtype"])
        # TensorFlow's own, since Keras's conversion fails for a scalar.
        is_own = keras.backend.backend() == "tensorflow"
        yield name, tensor.numpy() if is_own else keras.ops.convert_to_numpy(tensor)
    if "layers" in spec:
        make = draw_sequential if is_sequential(spec["layers"]) else draw_layers
        yield from make(spec["layers"], spec.get("defaults", {}).get("init"))


def is_sequential(layers: list[Spec]) -> bool:
    """Is each layer fed by the one before? Then a true Sequential model is built."""
    return all(
        layer["type"] in ("dense", "conv2d", "draw", "embedding", "lstm") for layer in layers
    )


def draw_layers(layers: list[Spec], default: Any) -> Iterator[tuple[str, Any]]:
    """Layers by themselves, each made and called before the next, as a functional model does."""
    import keras

    for layer in layers:
        for kind, arguments, shape in find_layers(layer, default):
            made = kind(**arguments)
            if shape is not None:
                made(*[keras.KerasTensor(shape)] * (2 if "heads" in layer else 1))
            for variable in getattr(made, "weights", ()):
                if "seed" not in variable.path:
                    yield variable.path, keras.ops.convert_to_numpy(variable)


def draw_sequential(layers: list[Spec], default: Any) -> Iterator[tuple[str, Any]]:
    """A Sequential model, which makes all layers before it builds the first."""
    import keras

    made = []
    for layer in layers:
        made += [kind(**arguments) for kind, arguments, _ in find_layers(layer, default)]
    first = layers[0]
    shapes = {"dense": (first["in"],), "embedding": (4,)}
    shape = shapes.get(first["type"], (28, 28, first["in"]))
    is_flat = first["type"] != "conv2d"
    for place, layer in enumerate(made):
        if isinstance(layer, keras.layers.Dense) and not is_flat:
            made.insert(place, keras.layers.Flatten())
            break
    model = keras.Sequential([keras.Input(shape), *made])
    for variable in model.weights:
        if "seed" not in variable.path:
            yield variable.path, keras.ops.convert_to_numpy(variable)


def find_layers(layer: Spec, default: Any) -> Iterator[tuple[Any, dict[str, Any], Any]]:
    """The Keras layers of a layer: class, arguments, and the shape of an input."""
    from keras import layers as by

    kind, shared = layer["type"], {"use_bias": layer.get("bias", True)}
    inits = {}
    for key, name in (("init", "kernel"), ("recurrent_init", "recurrent"), ("bias_init", "bias")):
        own = "glorot_uniform" if key == "init" and "seed" in layer else default
        init = layer.get(key, own if key != "bias_init" else None)
        if (
            init is not None
            and init != "default"
            and (key != "recurrent_init" or "hidden" in layer)
        ):
            seed = layer.get("seed") if key == "init" else None
            inits[f"{name}_initializer"] = describe_initializer(init, seed)
    if kind.startswith("conv"):
        classes = {"conv1d": by.Conv1D, "conv2d": by.Conv2D, "conv_transpose2d": by.Conv2DTranspose}
        sizes = {"filters": layer["out"], "kernel_size": layer["kernel"]}
        groups = {} if "transpose" in kind else {"groups": layer.get("groups", 1)}
        spatial = (9,) * (1 if kind == "conv1d" else 2)
        yield classes[kind], {**sizes, **groups, **shared, **inits}, (None, *spatial, layer["in"])
        return
    match kind:
        case "draw":
            for _ in range(layer["count"]):
                yield by.Dropout, {"rate": 0.5}, None
        case "dense":
            yield by.Dense, {"units": layer["out"], **shared, **inits}, (None, layer["in"])
        case "depthwise_conv2d":
            inits = {key.replace("kernel", "depthwise"): made for key, made in inits.items()}
            sizes = {"kernel_size": layer["kernel"], "depth_multiplier": layer["multiplier"]}
            yield by.DepthwiseConv2D, {**sizes, **shared, **inits}, (None, 9, 9, layer["in"])
        case "embedding":
            inits = {key.replace("kernel", "embeddings"): made for key, made in inits.items()}
            sizes = {"input_dim": layer["in"], "output_dim": layer["out"]}
            yield by.Embedding, {**sizes, **inits}, (None, 4)
        case "layer_norm" | "batch_norm":
            names = {"layer_norm": by.LayerNormalization, "batch_norm": by.BatchNormalization}
            yield names[kind], {}, (None, layer["size"])
        case "lstm" | "gru":
            cell = by.LSTM if kind == "lstm" else by.GRU
            size, count = layer["in"], layer.get("num_layers", 1)
            arguments = {"units": layer["hidden"], "return_sequences": True, **shared}
            for _ in range(count):
                shape = (None, 4, size)
                size = layer["hidden"]
                if layer.get("bidirectional"):
                    size *= 2
                    yield (
                        lambda **given: by.Bidirectional(cell(**given)),
                        {**arguments, **inits},
                        shape,
                    )
                else:
                    yield cell, {**arguments, **inits}, shape
        case "multi_head_attention":
            size, heads = layer["size"], layer["heads"]
            sizes = {"num_heads": heads, "key_dim": size // heads}
            yield by.MultiHeadAttention, {**sizes, **shared, **inits}, (None, 4, size)
        case _:
            raise ValueError(kind)


def compute_digest(spec: Spec) -> str:
    """The SHA-256 of the bytes of all tensors, one after another."""
    total = hashlib.sha256()
    for _, array in draw(spec):
        total.update(array.tobytes())
    return total.hexdigest()


# --- The cases ---------------------------------------------------------------------------------


def list_specs(backend: str) -> Iterator[tuple[str, Spec]]:
    """The specs by what each is about."""
    is_first = backend == "tensorflow"
    rng: Any = "keras-3.15" if is_first else {"type": "keras-3.15", "backend": backend}

    def make(tensors: dict[str, Any], **defaults: Any) -> Spec:
        spec = {"seed": 0, "rng": rng, "tensors": tensors}
        return {**spec, "defaults": defaults} if defaults else spec

    shapes = SHAPES if backend != "jax" else SHAPES[:7]  # which compiles for each shape
    seeds = [*SEEDS, *(LONG_SEEDS if backend in ("tensorflow", "torch") else [])]
    for dtype in FLOATS if is_first else FLOATS[:1]:
        for number, init in enumerate(INITS):
            if not is_first and number not in FEW:
                continue
            title = f"{init if isinstance(init, str) else json.dumps(init)} {dtype}"
            for seed in seeds if number in (0, 1) else seeds[2::4]:
                tensors: dict[str, Any] = {
                    f"t{n}": shape
                    for n, shape in enumerate(shapes if seed == SEEDS[2] else shapes[:-1])
                }
                shared = {"init": init, "dtype": dtype, "seed": seed}
                yield f"{title} of seed {seed}", make(tensors, **shared)
            if backend != "jax":
                tensors = {f"t{n}": [n] for n in range(1, 71)}
                yield f"{title} of 1 to 70", make(tensors, init=init, dtype=dtype, seed=7)
    for seed in (0, 1, 1234, 2**32 - 1):
        tensors = {f"t{n}": shape for n, shape in enumerate(shapes)}
        tensors["ones"] = {"shape": [3], "init": "ones"}
        tensors["own"] = {"shape": [3, 5], "seed": 5}
        tensors["after"] = {"shape": [3, 5], "init": "he_truncated_normal"}
        yield f"a sequence after set_random_seed({seed})", {**make(tensors), "seed": seed}
    if is_first:
        for init in ("glorot_uniform", "glorot_truncated_normal"):
            large = {"w": {"shape": [4096, 4096], "init": init, "seed": 3}}
            yield f"{init} of 4096 x 4096", make(large)
    for name, layers in MODELS.items():
        for seed in (42, 2**32 - 1):
            yield (
                f"{name}, set_random_seed({seed})",
                {"seed": seed, "rng": rng, "framework": "keras", "layers": layers},
            )


def _name(layers: list[Spec]) -> list[Spec]:
    return [
        layer if layer["type"] == "draw" else {"name": f"l{index}", **layer}
        for index, layer in enumerate(layers)
    ]


MODELS = {
    "the guide's model, Sequential": _name([
        {"type": "dense", "in": 784, "out": 128},
        {"type": "draw", "count": 1},
        {"type": "dense", "in": 128, "out": 10, "init": "glorot_uniform"},
    ]),
    "a convolutional Sequential": _name([
        {"type": "conv2d", "in": 1, "out": 8, "kernel": 3},
        {"type": "dense", "in": 8 * 26 * 26, "out": 10, "init": "he_truncated_normal"},
        {"type": "draw", "count": 2},
        {"type": "dense", "in": 10, "out": 3, "bias_init": {"type": "normal", "std": 0.05}},
    ]),
    "a recurrent Sequential": _name([
        {"type": "embedding", "in": 50, "out": 7},
        {"type": "lstm", "in": 7, "hidden": 5, "recurrent_init": "glorot_uniform"},
        {"type": "dense", "in": 5, "out": 2},
    ]),
    "layers": _name([
        {"type": "conv2d", "in": 8, "out": 16, "kernel": 3, "groups": 4},
        {"type": "conv1d", "in": 4, "out": 6, "kernel": 3, "init": "lecun_truncated_normal"},
        {"type": "conv_transpose2d", "in": 6, "out": 4, "kernel": 3},
        {"type": "depthwise_conv2d", "in": 3, "multiplier": 2, "kernel": 3},
        {"type": "embedding", "in": 9, "out": 3, "init": "glorot_truncated_normal"},
        {"type": "batch_norm", "size": 4},
        {"type": "layer_norm", "size": 4},
        {"type": "dense", "in": 3, "out": 5, "bias": False, "seed": 77},
        {"type": "dense", "in": 5, "out": 4},
    ]),
    "recurrent layers": _name([
        {"type": "lstm", "in": 9, "hidden": 6, "recurrent_init": "he_uniform"},
        {"type": "gru", "in": 6, "hidden": 5, "recurrent_init": "glorot_uniform", "num_layers": 2},
        {
            "type": "lstm", "in": 5, "hidden": 4, "recurrent_init": "glorot_uniform",
            "bidirectional": True, "num_layers": 2,
        },
        {"type": "gru", "in": 8, "hidden": 3, "recurrent_init": "glorot_uniform", "bias": False},
        {"type": "dense", "in": 3, "out": 2},
    ]),
    "attention": _name([
        {"type": "multi_head_attention", "size": 32, "heads": 4},
        {"type": "layer_norm", "size": 32},
        {"type": "multi_head_attention", "size": 24, "heads": 2, "bias": False},
        {"type": "dense", "in": 32, "out": 24},
    ]),
}  # fmt: skip


def main() -> None:
    if len(sys.argv) > 1:  # the child for one backend
        for title, spec in list_specs(sys.argv[1]):
            print(json.dumps({"title": title, "spec": spec, "sha256": compute_digest(spec)}))
        return
    from importlib.metadata import version

    cases = []
    for backend in BACKENDS:
        environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
        command = [sys.executable, __file__, backend]
        told = subprocess.run(
            command, env=environment, stdout=subprocess.PIPE, check=True, text=True
        )
        cases += [{"backend": backend, **json.loads(line)} for line in told.stdout.splitlines()]
    made = {
        **{name: version(name) for name in ("keras", "jax", "torch", "numpy")},
        "tensorflow": version("tensorflow-cpu"),
        "python": platform.python_version(),
        "libc": " ".join(platform.libc_ver()),
        "machine": platform.machine(),
    }
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    GOLDEN.write_text(f'{{"made":{json.dumps(made)},"cases":[\n{lines}\n]}}\n', encoding="utf-8")


if __name__ == "__main__":
    main()
