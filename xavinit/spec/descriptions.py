"""What each choice means, in a line that editors show beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from xavinit import inits
from xavinit.spec.layer_types import LAYER_TYPES, Draw


def _describe_rule(rule: inits.VarianceScaling) -> str:
    """What a named rule is: the n of its variance, its gain and its distribution."""
    n = {"fan_avg": "the mean of the fans"}.get(rule.mode, rule.mode)
    gain = "" if rule.gain == 1 else ", gain √2"
    return f"{rule.distribution.replace('_', ' ').capitalize()}, variance gain²/{n}{gain}."


def _describe_kind(kind: type) -> str:
    """What its docstring says, on one line."""
    return " ".join((kind.__doc__ or "").split())


# By key, the choices and what they mean.
DESCRIPTIONS: Final[Mapping[str, Mapping[str, str]]] = {
    "init": {
        **{name: _describe_kind(kind) for name, kind in inits.KINDS.items()},
        **{name: _describe_rule(rule) for name, rule in inits.NAMED.items()},
    },
    "layer": {
        **{name: _describe_kind(kind) for name, kind in LAYER_TYPES.items()},
        "draw": _describe_kind(Draw),
    },
    "dtype": {
        "float64": "IEEE double precision.",
        "float32": "IEEE single precision; the default.",
        "float16": "IEEE half precision: up to 65504.",
        "bfloat16": "The upper half of a float32.",
        "float8_e4m3fn": "OCP's 8 bits with 3 of significand: up to 448.",
        "float8_e5m2": "OCP's 8 bits with 2 of significand: up to 57344.",
        "int64": "Constants alone, -2⁶³ to 2⁶³−1.",
        "int32": "Constants alone, -2³¹ to 2³¹−1.",
        "uint8": "Constants alone, 0 to 255.",
        "bool": "Constants alone, 0 or 1.",
    },
    "layout": {
        "out_in": "PyTorch's: out, in, then the spatial axes; the default.",
        "in_out": "Keras's and Flax's: the spatial axes, in, out.",
    },
    "framework": {
        "pytorch": "PyTorch's modules; the default.",
        "keras": "Keras's layers.",
        "flax": "Flax's modules, of Linen.",
    },
    "rng": {
        "xavinit-1": "Ours: each tensor has a stream of its own; the default.",
        "jax-0.10": "What JAX's initializers draw, each from its own key.",
        "keras-3.15": "What Keras's initializers draw, each from its own seed.",
        "torch-2.13": "What PyTorch draws on a processor, one stream in the order of the tensors.",
    },
    "cpu": {
        "avx2": "PyTorch where the processor has AVX2 or AVX-512; the default.",
        "plain": "PyTorch without both (ATEN_CPU_CAPABILITY=default).",
    },
    "backend": {
        "tensorflow": "Keras on TensorFlow; the default.",
        "jax": "Keras on JAX.",
        "torch": "Keras on PyTorch.",
        "numpy": "Keras on NumPy.",
    },
    "keys": {
        "plain": "jax.random.key of each tensor's seed; the default.",
        "linen": "model.init(jax.random.key(seed), x) of flax.linen: by path.",
        "nnx": "A model made with flax.nnx.Rngs(seed): by count.",
    },
    "construction": {
        "skipped": "Only what the spec initializes is drawn; the default.",
        "drawn": "Each layer first draws PyTorch's own defaults, as its module does when made.",
    },
    "mode": {
        "fan_in": "n is fan_in: keeps the variance forward.",
        "fan_out": "n is fan_out: keeps the variance backward.",
        "fan_avg": "n is the mean of fan_in and fan_out, as Glorot's.",
    },
    "distribution": {
        "uniform": "Uniform on ±gain·√(3/n).",
        "normal": "Normal, std gain·√(1/n).",
        "truncated_normal": "Normal cut at two stds, with the std gain·√(1/n) after the cut.",
    },
    "gain": {
        "linear": "1",
        "sigmoid": "1",
        "tanh": "5/3",
        "relu": "√2",
        "leaky_relu": "√(2/(1 + 0.01²))",
        "selu": "3/4",
    },
}
