"""Networks as data, built in PyTorch, Keras and Flax: layers of a spec with steps between.

A layer is an entry of `layers` with `geometry` beside its own keys: stride, dilation and padding
(the same number at both ends of each axis). Other steps are names: `relu`, `flatten`, and
`("unflatten", channels, *spatial)`. Inputs and outputs have their channels first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
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
        self.hidden = entry.get("hidden", 0)
        self.num_layers = entry.get("num_layers", 1)
        self.bidirectional = entry.get("bidirectional", False)
        self.size = entry.get("size", 0)
        self.heads = entry.get("heads", 1)
        self.kv_heads = entry.get("kv_heads", 0)


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
        case "lstm" | "gru":
            return {"lstm": nn.LSTM, "gru": nn.GRU}[kind](
                s.ins,
                s.hidden,
                s.num_layers,
                bias=s.bias,
                batch_first=True,
                bidirectional=s.bidirectional,
            )
        case "multi_head_attention" if s.kv_heads:
            return make_torch_grouped_attention(torch, s)
        case "multi_head_attention":
            return nn.MultiheadAttention(s.size, s.heads, bias=s.bias, batch_first=True)
    raise ValueError(kind)


def make_torch_grouped_attention(torch: Any, s: Sizes) -> Any:
    """Attention with fewer heads of key and value, as models of the Llama kind write it."""
    nn, width = torch.nn, s.size // s.heads

    class Attention(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            narrow = s.kv_heads * width
            self.q_proj = nn.Linear(s.size, s.size, bias=s.bias)
            self.k_proj = nn.Linear(s.size, narrow, bias=s.bias)
            self.v_proj = nn.Linear(s.size, narrow, bias=s.bias)
            self.o_proj = nn.Linear(s.size, s.size, bias=s.bias)

        def forward(self, x: Any) -> Any:
            def split(y: Any) -> Any:
                return y.unflatten(-1, (-1, width)).transpose(1, 2)

            q, k, v = split(self.q_proj(x)), split(self.k_proj(x)), split(self.v_proj(x))
            k, v = (y.repeat_interleave(s.heads // s.kv_heads, 1) for y in (k, v))
            y = nn.functional.scaled_dot_product_attention(q, k, v)
            return self.o_proj(y.transpose(1, 2).flatten(2))

    return Attention()


def call_torch(kind: str, module: Any, x: Any) -> Any:
    """A recurrent layer's outputs; the attention of a sequence to itself."""
    if kind in ("lstm", "gru"):
        return module(x)[0]
    if type(module).__name__ == "MultiheadAttention":
        return module(x, x, x, need_weights=False)[0]
    return module(x)


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
            calls.append(partial(call_torch, step["type"], module))
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
        case "lstm" | "gru":
            for _ in range(s.num_layers):
                module = {"lstm": layers.LSTM, "gru": layers.GRU}[kind]
                cell = module(s.hidden, return_sequences=True, use_bias=s.bias)
                yield layers.Bidirectional(cell) if s.bidirectional else cell
        case "multi_head_attention":
            width = s.size // s.heads
            if s.kv_heads:
                layer = layers.GroupQueryAttention(width, s.heads, s.kv_heads, use_bias=s.bias)
            else:
                layer = layers.MultiHeadAttention(s.heads, width, use_bias=s.bias)
            yield lambda x: layer(x, x)


def build_keras(tf: Any, steps: Sequence[Step], path: Any, inputs: Array) -> Callable[..., Array]:
    """The network with its weights from a `.weights.h5`, and nothing else said."""
    layers = tf.keras.layers
    x = start = tf.keras.Input(put_last(inputs).shape[1:], dtype=inputs.dtype)
    for step in steps:
        if isinstance(step, dict):
            for layer in make_keras(layers, step):
                x = layer(x)
        elif step == "relu":
            x = layers.ReLU()(x)
        elif step == "flatten":
            x = layers.Flatten()(x)
        else:
            channels, *spatial = step[1:]
            x = layers.Reshape((*spatial, channels))(x)
    model = tf.keras.Model(start, x)
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
        case "lstm" | "gru":
            return lambda x: call_flax_stack(linen, entry["type"], s, name, x)
        case "multi_head_attention":
            return linen.MultiHeadDotProductAttention(s.heads, use_bias=s.bias, name=name)
    raise ValueError(entry["type"])


def call_flax_stack(linen: Any, kind: str, s: Sizes, name: str, x: Any) -> Any:
    def make(**keys: Any) -> Any:
        cell = {"lstm": linen.LSTMCell, "gru": linen.GRUCell}[kind](s.hidden, parent=None)
        return linen.RNN(cell, **keys)

    for layer in range(s.num_layers):
        keys = {"name": f"{name}_{layer}" if s.num_layers > 1 else name}
        if s.bidirectional:
            x = linen.Bidirectional(make(parent=None), make(parent=None), **keys)(x)
        else:
            x = make(**keys)(x)
    return x


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
