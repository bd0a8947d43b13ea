"""PyTorch: specs, rules and streams use its form, so its tensors need no views.

To add a layer type: its keys in `spec/layer_types.py`, its parts and its class here, its class and
variables in each other framework's file.

Checked against torch/nn/modules of PyTorch 2.13; the tests load every one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

from xavinit.inits import Init, Normal, Ones, Zeros
from xavinit.layers.gates import GATES, PROJECTIONS, list_cells
from xavinit.layers.layer import Axes, Framework, Part, Sizes, Variable

VARIANCE = "running_var"  # which is never negative

ZEROS, ONES = Zeros(), Ones()


def list_parts(kind: str, sizes: Sizes, has_bias: bool) -> tuple[Part, ...]:
    """The tensors of a layer of a type, in PyTorch's order.

    >>> [(part.role, part.shape) for part in list_parts("dense", Sizes((784,), (128,)), True)]
    [('weight', (128, 784)), ('bias', (128,))]
    """
    parts = _FORMS[kind](sizes)
    return parts if has_bias else tuple(part for part in parts if not part.is_bias)


def _list_dense(sizes: Sizes) -> tuple[Part, ...]:
    out = math.prod(sizes.outs)
    return _make_weight((out, math.prod(sizes.ins)), Axes()), _make_bias(out)


def _list_conv(sizes: Sizes) -> tuple[Part, ...]:
    (count,), (out,) = sizes.ins, sizes.outs
    shape = (out, count // sizes.groups, *sizes.kernel)
    return _make_weight(shape, Axes(fused=sizes.groups)), _make_bias(out)


def _list_conv_transpose(sizes: Sizes) -> tuple[Part, ...]:
    (count,), (out,) = sizes.ins, sizes.outs
    # With a stride, the kernel falls into as many phases, and each output sees one of them.
    phases = math.prod(sizes.stride)
    axes = Axes(in_axis=(0,), out_axis=(1,), in_fused=sizes.groups * phases)
    return _make_weight((count, out // sizes.groups, *sizes.kernel), axes), _make_bias(out)


def _list_depthwise_conv(sizes: Sizes) -> tuple[Part, ...]:
    (count,) = sizes.ins
    out = count * sizes.multiplier
    return _make_weight((out, 1, *sizes.kernel), Axes(fused=count)), _make_bias(out)


def _list_embedding(sizes: Sizes) -> tuple[Part, ...]:
    # One row is read at a time: fan_in is 1, so that in mode fan_in rows have the variance gain².
    axes = Axes(in_axis=(), out_axis=(1,), batch_axis=(0,))
    return (_make_weight((*sizes.ins, *sizes.outs), axes, Normal(std=1.0)),)


def _list_norm(sizes: Sizes) -> tuple[Part, ...]:
    size = math.prod(sizes.outs)
    return _make_weight((size,), Axes(), ONES), _make_bias(size)


def _list_rms_norm(sizes: Sizes) -> tuple[Part, ...]:
    return _list_norm(sizes)[:1]


def _list_batch_norm(sizes: Sizes) -> tuple[Part, ...]:
    size = math.prod(sizes.outs)
    return (
        *_list_norm(sizes),
        Part("running_mean", (size,), init=ZEROS),
        Part(VARIANCE, (size,), init=ONES),
        # a counter, which no initializer sets
        Part("num_batches_tracked", (), init=ZEROS, dtype="int64", is_fixed=True),
    )


def _list_recurrent(gates: int, sizes: Sizes) -> tuple[Part, ...]:
    (hidden,) = sizes.outs
    rows = gates * hidden
    parts: list[Part] = []
    for cell in list_cells(sizes):
        parts += (
            _make_weight((rows, cell.inputs), Axes(fused=gates), role=f"weight_ih_{cell.suffix}"),
            _make_weight(
                (rows, hidden),
                Axes(fused=gates),
                role=f"weight_hh_{cell.suffix}",
                key="recurrent_init",
            ),
            _make_bias(rows, f"bias_ih_{cell.suffix}"),
            # PyTorch adds two biases; Keras's LSTM and Flax's cells add one. So the second is zero.
            Part(f"bias_hh_{cell.suffix}", (rows,), init=ZEROS, is_fixed=True, is_bias=True),
        )
    return tuple(parts)


def _list_attention(sizes: Sizes) -> tuple[Part, ...]:
    (size,) = sizes.outs
    if not sizes.kv_heads:  # as PyTorch's MultiheadAttention has them
        rows = PROJECTIONS * size
        return (
            _make_weight((rows, size), Axes(fused=PROJECTIONS), role="in_proj_weight"),
            _make_bias(rows, "in_proj_bias"),
            _make_weight((size, size), Axes(), role="out_proj.weight"),
            _make_bias(size, "out_proj.bias"),
        )
    narrow = size // sizes.heads * sizes.kv_heads
    parts: list[Part] = []
    for name, rows in (("q_proj", size), ("k_proj", narrow), ("v_proj", narrow), ("o_proj", size)):
        parts += (
            _make_weight((rows, size), Axes(), role=f"{name}.weight"),
            _make_bias(rows, f"{name}.bias"),
        )
    return tuple(parts)


def _make_weight(
    shape: tuple[int, ...],
    axes: Axes,
    init: Init | None = None,
    *,
    role: str = "weight",
    key: str = "init",
) -> Part:
    return Part(role, shape, axes, init, key)


def _make_bias(size: int, role: str = "bias") -> Part:
    return Part(role, (size,), init=ZEROS, key="bias_init", is_bias=True)


_FORMS: dict[str, Callable[[Sizes], tuple[Part, ...]]] = {
    "dense": _list_dense,
    "conv1d": _list_conv,
    "conv2d": _list_conv,
    "conv3d": _list_conv,
    "conv_transpose2d": _list_conv_transpose,
    "depthwise_conv2d": _list_depthwise_conv,
    "embedding": _list_embedding,
    "layer_norm": _list_norm,
    "rms_norm": _list_rms_norm,
    "batch_norm": _list_batch_norm,
    "lstm": partial(_list_recurrent, len(GATES["lstm"])),
    "gru": partial(_list_recurrent, len(GATES["gru"])),
    "multi_head_attention": _list_attention,
}

# The class of each type; its parameters have the names of the parts.
_CLASSES = {
    "dense": "Linear",
    "conv1d": "Conv1d",
    "conv2d": "Conv2d",
    "conv3d": "Conv3d",
    "conv_transpose2d": "ConvTranspose2d",
    "depthwise_conv2d": "Conv2d",
    "embedding": "Embedding",
    "layer_norm": "LayerNorm",
    "rms_norm": "RMSNorm",
    "batch_norm": "BatchNorm",  # 1d, 2d or 3d: their parameters are the same
    "lstm": "LSTM",
    "gru": "GRU",
    "multi_head_attention": "MultiheadAttention",
}


def find_class(kind: str, sizes: Sizes) -> str:
    """The class of a layer; with `kv_heads`, a module with four of that class."""
    return "Linear" if sizes.kv_heads else _CLASSES[kind]


def list_variables(kind: str, sizes: Sizes) -> tuple[Variable, ...]:
    """The parts themselves."""
    parts = list_parts(kind, sizes, has_bias=True)
    return tuple(Variable(p.role.replace(".", "/"), p.shape, p.role) for p in parts)


def name_module(layer: str, suffix: str) -> str:
    return layer + suffix


def name_variable(module: str, variable: Variable) -> str:
    return f"{module}.{variable.role}"


FRAMEWORK = Framework(
    name="pytorch",
    checked="2.13",
    tag="pt",
    find_class=find_class,
    list_variables=list_variables,
    name_module=name_module,
    name_variable=name_variable,
)
