"""Networks as data, built in PyTorch, Keras and Flax: layers of a spec with steps between.

A layer is an entry of `layers` with `geometry` beside its own keys: stride, dilation and padding
(the same number at both ends of each axis). Other steps are names: `relu`, `flatten`, and
`("unflatten", channels, *spatial)`. Inputs and outputs have their channels first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Step = str | tuple[Any, ...] | dict[str, Any]

EPSILON = 1e-3
RANKS = {"conv1d": 1, "conv2d": 2, "conv3d": 3}


def list_layers(steps: Sequence[Step]) -> list[dict[str, Any]]:
    """The entries of `layers`: what a spec says of a network."""
    layers = [step for step in steps if isinstance(step, dict)]
    return [{k: v for k, v in layer.items() if k != "geometry"} for layer in layers]


class Sizes:
    """The numbers of an entry, spelled out."""

    def __init__(self, entry: dict[str, Any]) -> None:
        geometry = entry.get("geometry", {})
        rank = RANKS.get(entry["type"], 2)
        self.ins = int(np.prod(entry.get("in", 0)))
        self.outs = int(np.prod(entry.get("out", entry.get("size", 0))))
        self.kernel = spread(entry.get("kernel", 1), rank)
        self.stride = spread(geometry.get("stride", entry.get("stride", 1)), rank)
        self.dilation = spread(geometry.get("dilation", 1), rank)
        self.padding = spread(geometry.get("padding", 0), rank)
        self.groups = entry.get("groups", 1)
        self.multiplier = entry.get("multiplier", 1)
        self.bias = entry.get("bias", True)


def spread(value: Any, rank: int) -> tuple[int, ...]:
    return tuple(value) if isinstance(value, (list, tuple)) else (value,) * rank


def put_last(array: Array) -> Array:
    """Channels last; a flat array as it is."""
    return np.moveaxis(array, 1, -1) if array.ndim > 2 else array


def put_first(array: Array) -> Array:
    return np.moveaxis(array, -1, 1) if array.ndim > 2 else array


# --- PyTorch ---------------------------------------------------------------------------------


def make_torch(torch: Any, entry: dict[str, Any]) -> Any:
    nn, s = torch.nn, Sizes(entry)
    kind = entry["type"]
    convolution = {
        "kernel_size": s.kernel,
        "stride": s.stride,
        "padding": s.padding,
        "bias": s.bias,
    }
    match kind:
        case "dense":
            return nn.Linear(s.ins, s.outs, bias=s.bias)
        case "conv1d" | "conv2d" | "conv3d":
            module = {"conv1d": nn.Conv1d, "conv2d": nn.Conv2d, "conv3d": nn.Conv3d}[kind]
            return module(s.ins, s.outs, dilation=s.dilation, groups=s.groups, **convolution)
        case "conv_transpose2d":
            return nn.ConvTranspose2d(s.ins, s.outs, groups=s.groups, **convolution)
        case "depthwise_conv2d":
            return nn.Conv2d(
                s.ins, s.ins * s.multiplier, dilation=s.dilation, groups=s.ins, **convolution
            )
        case "embedding":
            return nn.Embedding(s.ins, s.outs)
        case "layer_norm":
            return nn.LayerNorm(s.outs, eps=EPSILON, bias=s.bias)
        case "rms_norm":
            return nn.RMSNorm(s.outs, eps=EPSILON)
        case "batch_norm":
            return nn.BatchNorm1d(s.outs, eps=EPSILON)
    raise ValueError(kind)


def build_torch(torch: Any, steps: Sequence[Step], weights: dict[str, Any]) -> Callable[..., Array]:
    """The network with its weights, loaded strictly."""
    model = torch.nn.Module()
    calls: list[Callable[[Any], Any]] = []
    for step in steps:
        if isinstance(step, dict):
            module = make_torch(torch, step)
            if step["type"] == "batch_norm":  # of the rank of its input, and one for all ranks here
                module._check_input_dim = lambda _: None
            model.add_module(step["name"], module)
            calls.append(module)
        elif step == "relu":
            calls.append(torch.relu)
        elif step == "flatten":
            calls.append(lambda x: x.flatten(1))
        else:
            shape = step[1:]
            calls.append(lambda x, shape=shape: x.reshape(len(x), *shape))
    model.load_state_dict(weights, strict=True)
    model.eval()

    def run(inputs: Array) -> Array:
        x = torch.from_numpy(inputs)
        with torch.no_grad():
            for call in calls:
                x = call(x)
        return np.asarray(x)

    return run


# --- Keras -----------------------------------------------------------------------------------


def make_keras(layers: Any, entry: dict[str, Any]) -> Iterator[Any]:
    """The layer, after one that pads where it must."""
    s = Sizes(entry)
    kind = entry["type"]
    convolution = {"kernel_size": s.kernel, "strides": s.stride, "use_bias": s.bias}
    if any(s.padding):
        pad = {1: layers.ZeroPadding1D, 2: layers.ZeroPadding2D, 3: layers.ZeroPadding3D}
        yield pad[len(s.padding)](s.padding[0] if len(s.padding) == 1 else s.padding)
    match kind:
        case "dense":
            yield layers.Dense(s.outs, use_bias=s.bias)
        case "conv1d" | "conv2d" | "conv3d":
            module = {"conv1d": layers.Conv1D, "conv2d": layers.Conv2D, "conv3d": layers.Conv3D}
            yield module[kind](s.outs, dilation_rate=s.dilation, groups=s.groups, **convolution)
        case "conv_transpose2d":
            yield layers.Conv2DTranspose(s.outs, **convolution)
        case "depthwise_conv2d":
            yield layers.DepthwiseConv2D(
                depth_multiplier=s.multiplier, dilation_rate=s.dilation, **convolution
            )
        case "embedding":
            yield layers.Embedding(s.ins, s.outs)
        case "layer_norm":
            yield layers.LayerNormalization(epsilon=EPSILON, center=s.bias)
        case "rms_norm":
            yield layers.RMSNormalization(epsilon=EPSILON)
        case "batch_norm":
            yield layers.BatchNormalization(epsilon=EPSILON)


def build_keras(tf: Any, steps: Sequence[Step], path: Any, inputs: Array) -> Callable[..., Array]:
    """The network with its weights from a `.weights.h5`, and nothing else said."""
    layers = tf.keras.layers
    model = tf.keras.Sequential([tf.keras.Input(put_last(inputs).shape[1:], dtype=inputs.dtype)])
    for step in steps:
        if isinstance(step, dict):
            for layer in make_keras(layers, step):
                model.add(layer)
        elif step == "relu":
            model.add(layers.ReLU())
        elif step == "flatten":
            model.add(layers.Flatten())
        else:
            channels, *spatial = step[1:]
            model.add(layers.Reshape((*spatial, channels)))
    model.load_weights(path)
    return lambda inputs: put_first(np.asarray(model(put_last(inputs), training=False)))


# --- Flax ------------------------------------------------------------------------------------


def make_flax(linen: Any, entry: dict[str, Any]) -> Any:
    s, name = Sizes(entry), entry["name"]
    convolution = {
        "kernel_size": s.kernel,
        "strides": s.stride,
        "padding": [(p, p) for p in s.padding],
        "use_bias": s.bias,
        "name": name,
    }
    match entry["type"]:
        case "dense":
            return linen.Dense(s.outs, use_bias=s.bias, name=name)
        case "conv1d" | "conv2d" | "conv3d":
            return linen.Conv(
                s.outs, feature_group_count=s.groups, kernel_dilation=s.dilation, **convolution
            )
        case "conv_transpose2d":
            return linen.ConvTranspose(s.outs, **{**convolution, "padding": "VALID"})
        case "depthwise_conv2d":
            return linen.Conv(
                s.ins * s.multiplier,
                feature_group_count=s.ins,
                kernel_dilation=s.dilation,
                **convolution,
            )
        case "embedding":
            return linen.Embed(s.ins, s.outs, name=name)
        case "layer_norm":
            return linen.LayerNorm(epsilon=EPSILON, use_bias=s.bias, name=name)
        case "rms_norm":
            return linen.RMSNorm(epsilon=EPSILON, name=name)
        case "batch_norm":
            return linen.BatchNorm(use_running_average=True, epsilon=EPSILON, name=name)
    raise ValueError(entry["type"])


def build_flax(
    linen: Any, jax: Any, steps: Sequence[Step], weights: dict[str, Any], inputs: Array
) -> Callable[..., Array]:
    """The network, and the weights as its own tree: the same names and shapes, or it fails."""
    from flax.traverse_util import flatten_dict, unflatten_dict

    def forward(self: Any, x: Any) -> Any:
        for step in steps:
            if isinstance(step, dict):
                x = make_flax(linen, step)(x)
            elif step == "relu":
                x = linen.relu(x)
            elif step == "flatten":
                x = x.reshape(len(x), -1)
            else:
                channels, *spatial = step[1:]
                x = x.reshape(len(x), *spatial, channels)
        return x

    model = type("Network", (linen.Module,), {"__call__": linen.compact(forward)})()
    own = flatten_dict(model.init(jax.random.key(0), put_last(inputs)), sep=".")
    assert {k: v.shape for k, v in own.items()} == {k: v.shape for k, v in weights.items()}
    variables = unflatten_dict(weights, sep=".")
    return lambda inputs: put_first(np.asarray(model.apply(variables, put_last(inputs))))
