"""Make the golden digests of the rng `torch-2.13`, by PyTorch itself.

    python tests/golden/make_torch_golden.py

writes tests/golden/torch-2.13.json: specs, and for each the SHA-256 of the bytes that PyTorch draws
for it, tensor by tensor in the spec's order. A spec is read here by `draw`, which calls PyTorch's
own functions and modules and nothing of xavinit. Needs torch 2.13 on a processor with AVX2.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

GOLDEN = Path(__file__).with_name("torch-2.13.json")
SEEDS = [0, 1, 1234, 2**31, 2**32 - 1, 2**32 + 5, 2**40 + 3, -1, -(2**63), 2**64 - 1]
SHAPES = [
    [1, 1], [1, 5], [3, 5], [4, 4], [17, 1], [1, 16], [10, 128], [33, 31], [5, 3, 1, 1],
    [6, 4, 3, 3], [64, 3, 7, 7], [4, 2, 3, 3, 3], [128, 784],
]  # fmt: skip
FLOATS = ["float32", "float64", "float16", "bfloat16"]
CUT = {"type": "truncated_normal", "std": 1}
INITS: list[Any] = [
    "glorot_uniform",
    "xavier_normal",
    "he_uniform",
    "kaiming_normal",
    "lecun_normal",
    {"type": "glorot_uniform", "gain": "tanh"},
    {"type": "variance_scaling", "mode": "fan_out", "distribution": "normal", "gain": "relu"},
    {"type": "variance_scaling", "mode": "fan_in", "distribution": "uniform", "gain": "leaky_relu"},
    {"type": "uniform", "bound": 0.05},
    {"type": "uniform", "a": 0, "b": 1},
    {"type": "normal", "std": 1},
    {"type": "normal", "std": 0.02, "mean": 0.3},
    CUT,
]  # fmt: skip
WITHOUT_FANS = INITS[8:]
Spec = dict[str, Any]


# --- A spec, by PyTorch ------------------------------------------------------------------------


def apply(tensor: Any, init: Any) -> None:
    """Initialize a tensor by the function of `torch.nn.init` that an initializer stands for."""
    from torch.nn import init as by

    table = init if isinstance(init, dict) else {"type": init}
    name, gain = table["type"], table.get("gain", "linear")
    scale = by.calculate_gain(gain) if isinstance(gain, str) else gain
    match name.replace("glorot", "xavier").replace("he_", "kaiming_"):
        case "zeros":
            by.zeros_(tensor)
        case "ones":
            by.ones_(tensor)
        case "xavier_uniform":
            by.xavier_uniform_(tensor, scale)
        case "xavier_normal":
            by.xavier_normal_(tensor, scale)
        case "kaiming_uniform":
            by.kaiming_uniform_(tensor)
        case "kaiming_normal":
            by.kaiming_normal_(tensor)
        case "lecun_normal":
            by.kaiming_normal_(tensor, nonlinearity="linear")
        case "variance_scaling":
            scaled = getattr(by, f"kaiming_{table['distribution']}_")
            scaled(tensor, a=0.01, mode=table["mode"], nonlinearity=gain)
        case "uniform":
            bound = table.get("bound", 0)
            by.uniform_(tensor, table.get("a", -bound), table.get("b", bound))
        case "normal":
            by.normal_(tensor, table.get("mean", 0.0), table["std"])
        case "truncated_normal":
            ends = table.get("a", -2.0), table.get("b", 2.0)
            by.trunc_normal_(tensor, table.get("mean", 0.0), table["std"], *ends)
        case _:
            raise ValueError(name)


def draw(spec: Spec) -> Iterator[tuple[str, Any]]:
    """The tensors of a spec, in its order, as PyTorch draws them."""
    import torch

    torch.manual_seed(spec["seed"])
    defaults = {"dtype": "float32", "init": "glorot_uniform", **spec.get("defaults", {})}
    with torch.no_grad():
        for name, given in spec.get("tensors", {}).items():
            table = {**defaults, **(given if isinstance(given, dict) else {"shape": given})}
            tensor = torch.empty(table["shape"], dtype=getattr(torch, table["dtype"]))
            apply(tensor, table["init"])
            for row in table.get("zero_rows", ()):
                tensor[row] = 0
            yield name, tensor
        yield from draw_layers(spec)


def draw_layers(spec: Spec) -> Iterator[tuple[str, Any]]:
    """The parameters of the layers, made and initialized as their keys say."""
    import torch

    rng = spec["rng"]
    is_drawn = isinstance(rng, dict) and rng.get("construction") == "drawn"
    default = spec.get("defaults", {}).get("init", "glorot_uniform")
    modules = []
    for layer in spec.get("layers", ()):
        if layer["type"] == "draw":
            torch.rand(layer["count"])
            continue
        kind, arguments = find_module(layer)
        own = {"type": "normal", "std": 1} if kind is torch.nn.Embedding else default
        init = layer.get("init", "default" if default == "default" else own)
        state = torch.get_rng_state()
        module = kind(**arguments)
        is_made = is_drawn or "default" in (init, default, layer.get("bias_init"))
        if not is_made:
            torch.set_rng_state(state)  # as if the module had drawn nothing when it was made
        modules.append((layer, module, init))
        if not is_drawn:
            initialize(layer, module, init, default)
    if is_drawn:
        for layer, module, init in modules:
            initialize(layer, module, init, default)
    for layer, module, _ in modules:
        for name, parameter in module.named_parameters():
            yield f"{layer['name']}.{name}", parameter.detach()


def initialize(layer: Spec, module: Any, init: Any, default: Any) -> None:
    """What the spec asks of each parameter, in PyTorch's order; `default` leaves it as it is."""
    for name, parameter in module.named_parameters():
        is_bias = "bias" in name
        is_norm = layer["type"].endswith("norm")
        given = layer.get("bias_init", "zeros") if is_bias else "ones" if is_norm else init
        if is_bias and "bias_init" in layer:
            is_left = given == "default"
        elif is_bias or is_norm:
            is_left = "default" in (init, default, layer.get("bias_init"))
        else:
            is_left = init == "default"
        if not is_left:
            apply(parameter, given)
            for row in layer.get("zero_rows", ()):
                parameter[row] = 0


def find_module(layer: Spec) -> tuple[Any, dict[str, Any]]:
    """The class of a layer and the arguments of its making."""
    from torch import nn

    kind = layer["type"]
    has_bias = {"bias": layer.get("bias", True)}
    if kind.startswith("conv"):
        names = {"conv1d": nn.Conv1d, "conv2d": nn.Conv2d, "conv_transpose2d": nn.ConvTranspose2d}
        sizes = {"in_channels": layer["in"], "out_channels": layer["out"]}
        groups = {"groups": layer.get("groups", 1), "kernel_size": layer["kernel"]}
        return names[kind], {**sizes, **groups, **has_bias}
    match kind:
        case "dense":
            sizes = {"in_features": layer["in"], "out_features": layer["out"]}
            return nn.Linear, {**sizes, **has_bias}
        case "embedding":
            sizes = {"num_embeddings": layer["in"], "embedding_dim": layer["out"]}
            (padding,) = layer.get("zero_rows", [None])
            return nn.Embedding, {**sizes, "padding_idx": padding}
        case "layer_norm":
            return nn.LayerNorm, {"normalized_shape": layer["size"]}
        case "lstm" | "gru":
            sizes = {"input_size": layer["in"], "hidden_size": layer["hidden"]}
            stack = {
                "num_layers": layer.get("num_layers", 1),
                "bidirectional": layer.get("bidirectional", False),
            }
            return (nn.LSTM if kind == "lstm" else nn.GRU), {**sizes, **stack, **has_bias}
        case "multi_head_attention":
            sizes = {"embed_dim": layer["size"], "num_heads": layer["heads"]}
            return nn.MultiheadAttention, {**sizes, **has_bias}
    raise ValueError(kind)


def compute_digest(spec: Spec) -> str:
    """The SHA-256 of the bytes of all tensors, one after another."""
    import torch

    total = hashlib.sha256()
    for _, tensor in draw(spec):
        total.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return total.hexdigest()


# --- The cases ---------------------------------------------------------------------------------


def list_specs(cpu: str) -> Iterator[tuple[str, Spec]]:
    """The specs by what each is about."""
    rng: Any = "torch-2.13" if cpu == "avx2" else {"type": "torch-2.13", "cpu": cpu}

    def make(tensors: dict[str, Any], seed: int = 0, **defaults: Any) -> Spec:
        spec = {"seed": seed, "rng": rng, "tensors": tensors}
        return {**spec, "defaults": defaults} if defaults else spec

    for dtype in FLOATS:
        for init in INITS:
            if init == CUT and dtype in ("float16", "bfloat16"):
                continue
            for seed in SEEDS if init in INITS[:2] else SEEDS[2:8:3]:
                shapes = SHAPES if seed == SEEDS[2] else SHAPES[:-1]
                tensors: dict[str, Any] = {f"t{n}": shape for n, shape in enumerate(shapes)}
                title = init if isinstance(init, str) else json.dumps(init)
                yield f"{title} {dtype} seed {seed}", make(tensors, seed, init=init, dtype=dtype)
        for init in WITHOUT_FANS:
            if init == CUT and dtype in ("float16", "bfloat16"):
                continue
            tensors = {f"t{n}": [n] for n in range(1, 71)}
            yield f"{json.dumps(init)} {dtype} of 1 to 70", make(tensors, 7, init=init, dtype=dtype)
    mixed = [
        (3, "float32", 10), (40, "float32", 10), (5, "float64", 8), (1, "float64", 10),
        (7, "bfloat16", 11), (2, "float32", 9), (4, "float32", 11), (31, "float16", 10),
        (33, "bfloat16", 10), (9, "float32", 8), (15, "float16", 10), (1, "float32", 12),
        (16, "float64", 10), (13, "float64", 12), (2, "bfloat16", 10),
    ]  # fmt: skip
    tensors = {
        f"t{index}": {"shape": [n], "dtype": dtype, "init": INITS[number]}
        for index, (n, dtype, number) in enumerate(mixed)
    }
    yield "small tensors of all dtypes: a normal is kept", make(tensors, 7)
    padded: Spec = {"shape": [50, 7], "init": {"type": "normal", "std": 1}, "zero_rows": [3]}
    constants = {"a": {"shape": [3], "init": "ones"}, "e": padded, "b": {"shape": [20, 3]}}
    yield "constants draw nothing; a padded row is drawn", make(constants, 11)
    for init, dtype in (
        ("glorot_uniform", "float32"), ("glorot_normal", "float32"),
        ("glorot_normal", "bfloat16"), ("he_uniform", "float64"),
    ):  # fmt: skip
        large = {"w": {"shape": [4096, 4096], "init": init, "dtype": dtype}, "b": {"shape": [3, 5]}}
        yield f"{init} {dtype} of 4096 x 4096", make(large, 3)
    for dtype, ends in ENDS.items():
        tensors = {
            f"t{n}": {"shape": [300 + n], "init": {"type": "uniform", "a": a, "b": b}}
            for n, (a, b) in enumerate(ends)
        }
        tensors["after"] = {"shape": [7], "init": {"type": "normal", "std": 1}}
        yield f"uniform laws at the ends of {dtype}", make(tensors, 3, dtype=dtype)
    for name, layers in MODELS.items():
        spec = {"seed": 42, "rng": rng, "layers": layers}
        yield f"{name}, left as made", {**spec, "defaults": {"init": "default"}}
        yield f"{name}, never made: initialized alone", spec
        table = {"type": "torch-2.13", "cpu": cpu, "construction": "drawn"}
        yield f"{name}, made and initialized", {**spec, "rng": table}


def _name(layers: list[Spec]) -> list[Spec]:
    return [
        layer if layer["type"] == "draw" else {"name": f"l{index}", **layer}
        for index, layer in enumerate(layers)
    ]


# a and b of uniform laws: one number, hardly two, next to zero, and as far apart as they may be.
_NEAR = [(1, 1), (0, 0), (0.1, 0.1), (-3, -3), (1, 1.000000001), (-1e-8, 1e-8), (0, 1e-8)]
ENDS = {
    "float64": [*_NEAR, (0, 1e-200), (-4e297, 5e297)],
    "float32": [*_NEAR, (0, 1e-46), (-1e-300, 1e-300), (-1.7e38, 1.7e38), (3.3e38, 3.4e38)],
    "float16": [*_NEAR, (-(2.0**-20), 0), (-(2.0**-20), 2.0**-60), (-32752, 32752), (0, 65504)],
    "bfloat16": [*_NEAR, (-(2.0**-126), 0), (-1e-300, 1e-300), (-1.69e38, 1.69e38)],
}

MODELS = {
    "a multilayer perceptron": _name([
        {"type": "dense", "in": 784, "out": 128},
        {"type": "dense", "in": 128, "out": 10, "bias": False},
        {"type": "dense", "in": 5, "out": 1},
    ]),
    "convolutions": _name([
        {"type": "conv2d", "in": 3, "out": 16, "kernel": 5},
        {"type": "conv2d", "in": 8, "out": 16, "kernel": 3, "groups": 4},
        {"type": "conv1d", "in": 4, "out": 6, "kernel": 3},
        {"type": "conv_transpose2d", "in": 6, "out": 4, "kernel": 3},
        {"type": "dense", "in": 33, "out": 17, "init": "xavier_normal"},
    ]),
    "recurrent layers": _name([
        {"type": "embedding", "in": 50, "out": 7},
        {"type": "embedding", "in": 3, "out": 5},
        {"type": "lstm", "in": 9, "hidden": 12},
        {"type": "draw", "count": 37},
        {"type": "gru", "in": 12, "hidden": 5, "num_layers": 2, "bidirectional": True},
        {"type": "layer_norm", "size": 12},
    ]),
    "mixed layers": _name([
        {"type": "embedding", "in": 9, "out": 3, "init": "xavier_normal"},
        {"type": "dense", "in": 3, "out": 3, "init": "default"},
        {
            "type": "dense", "in": 3, "out": 5, "init": "default",
            "bias_init": {"type": "normal", "std": 1},
        },
        {"type": "gru", "in": 5, "hidden": 3, "bias": False, "init": "default"},
        {"type": "dense", "in": 3, "out": 2, "init": CUT},
        {"type": "dense", "in": 2, "out": 20},
    ]),
    "biases filled with zeros": _name([
        {"type": "lstm", "in": 9, "hidden": 12, "init": "default", "bias_init": "zeros"},
        {"type": "gru", "in": 5, "hidden": 3, "num_layers": 2, "bias_init": "zeros"},
        {"type": "dense", "in": 3, "out": 5, "init": "default", "bias_init": "zeros"},
        {"type": "conv2d", "in": 4, "out": 6, "kernel": 3, "bias_init": "zeros"},
        {"type": "multi_head_attention", "size": 8, "heads": 2, "bias_init": "zeros"},
        {"type": "dense", "in": 5, "out": 7},
    ]),
    "an embedding with padding": _name([
        {"type": "dense", "in": 9, "out": 12},
        {"type": "embedding", "in": 50, "out": 7, "zero_rows": [-3]},
        {"type": "embedding", "in": 5, "out": 2, "zero_rows": [1], "init": "xavier_normal"},
        {"type": "embedding", "in": 3, "out": 6, "zero_rows": [0], "init": "default"},
        {"type": "dense", "in": 5, "out": 7},
    ]),
    "biases left as made": _name([
        {"type": "dense", "in": 9, "out": 12, "bias_init": "default"},
        {"type": "layer_norm", "size": 12},
        {"type": "gru", "in": 5, "hidden": 3, "bidirectional": True, "bias_init": "default"},
        {"type": "conv1d", "in": 4, "out": 6, "kernel": 3, "bias_init": "default"},
        {"type": "dense", "in": 5, "out": 7},
    ]),
    "attention": _name([
        {"type": "multi_head_attention", "size": 32, "heads": 4},
        {"type": "layer_norm", "size": 32},
        {"type": "multi_head_attention", "size": 24, "heads": 2, "bias": False},
        {"type": "dense", "in": 32, "out": 24},
    ]),
}  # fmt: skip


def main() -> None:
    if len(sys.argv) > 1:  # the child for one kind of processor
        for title, spec in list_specs(sys.argv[1]):
            print(json.dumps({"title": title, "spec": spec, "sha256": compute_digest(spec)}))
        return
    import torch

    cases = []
    for cpu, capability in (("avx2", "avx2"), ("plain", "default")):
        environment = {**os.environ, "ATEN_CPU_CAPABILITY": capability}
        command = [sys.executable, __file__, cpu]
        told = subprocess.run(
            command, env=environment, stdout=subprocess.PIPE, check=True, text=True
        )
        cases += [{"cpu": cpu, **json.loads(line)} for line in told.stdout.splitlines()]
    made = {
        "torch": torch.__version__,
        "python": platform.python_version(),
        "libc": " ".join(platform.libc_ver()),
        "machine": platform.machine(),
        "capability": torch.backends.cpu.get_cpu_capability(),
    }
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    GOLDEN.write_text(f'{{"made":{json.dumps(made)},"cases":[\n{lines}\n]}}\n', encoding="utf-8")


if __name__ == "__main__":
    main()
