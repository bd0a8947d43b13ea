"""What the layers of a spec are in PyTorch's form: which tensors, of which shape, with which axes.

PyTorch's form is the one that rules match, that streams are named after and that elements are
counted in, whatever framework the file is for. To add a layer type: its keys in
`layer_types.py`, a case in `list_parts`, its variables in `plan/frameworks/`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from msgspec import Struct

from xavinit.spec.types import Init


class Axes(Struct, frozen=True):
    """Where the fans stand in a shape: a layout, or axes by number.

    `fused` and `in_fused` count the equal blocks that the out axes and the in axes hold, of which
    one is a fan: a number feeds one of the first, and an output sees one of the second.
    """

    layout: str = "out_in"
    in_axis: tuple[int, ...] | None = None
    out_axis: tuple[int, ...] | None = None
    batch_axis: tuple[int, ...] = ()
    fused: int = 1
    in_fused: int = 1


class Sizes(Struct, frozen=True):
    """The numbers of a layer, evaluated and checked; those that its type lacks are 1 or empty.

    `ins` and `outs` are its inputs and outputs: one number, or channels and spatial axes of what
    is flattened to them. The size of a norm or an attention is in `outs`, and so are the numbers
    in the state of a recurrent layer. `kv_heads` is 0 where keys and values have all the heads.
    """

    ins: tuple[int, ...] = ()
    outs: tuple[int, ...] = ()
    kernel: tuple[int, ...] = ()
    stride: tuple[int, ...] = ()
    groups: int = 1
    multiplier: int = 1
    num_layers: int = 1
    directions: int = 1
    heads: int = 1
    kv_heads: int = 0


class Layer(Struct, frozen=True):
    """One layer of the network, by its name in PyTorch."""

    name: str
    type: str
    sizes: Sizes


class Part(Struct, frozen=True):
    """A tensor of a layer, as PyTorch's module holds it.

    `init` is its initializer where neither the layer nor a rule gives one; None: that of the
    spec's defaults. `key` is the layer's own key for it. `is_fixed`: nothing changes it.
    `is_bias`: a layer with `bias: false` lacks it.
    """

    role: str  # its name within the module
    shape: tuple[int, ...]
    axes: Axes = Axes()
    init: Init | None = None
    key: str | None = None
    dtype: str | None = None
    is_fixed: bool = False
    is_bias: bool = False


class GateInit(Init, frozen=True):
    """A constant in one gate of a recurrent layer's bias, zero in the others."""

    gate: int = 0  # its number, in PyTorch's order
    size: int = 0  # numbers in a gate


class Cell(NamedTuple):
    """One cell of a recurrent layer: one direction of one layer of the stack."""

    layer: int
    is_backward: bool
    inputs: int  # numbers in one

    @property
    def suffix(self) -> str:
        """What PyTorch adds to the names of its tensors."""
        return f"l{self.layer}_reverse" if self.is_backward else f"l{self.layer}"


# The gates of a cell in the order in which PyTorch packs them.
GATES = {"lstm": "ifgo", "gru": "rzn"}
TENSORS_OF_A_CELL = 4  # two weights and their biases
PROJECTIONS = 3  # query, key and value, which PyTorch packs in this order

VARIANCE = "running_var"  # which is never negative

ZEROS, ONES = Init("zeros"), Init("ones")


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
    return (_make_weight((*sizes.ins, *sizes.outs), axes, Init("normal", std=1.0)),)


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
        # a counter, and no number that anything initializes
        Part("num_batches_tracked", (), init=ZEROS, dtype="int64", is_fixed=True),
    )


def list_cells(sizes: Sizes) -> Iterator[Cell]:
    """The cells of a recurrent layer in PyTorch's order: each layer forward, then backward."""
    inputs = sizes.ins[0]
    for layer in range(sizes.num_layers):
        for direction in range(sizes.directions):
            yield Cell(layer, direction == 1, inputs)
        inputs = sizes.outs[0] * sizes.directions


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
            # Keras's LSTM and Flax's cells add one bias where PyTorch adds two: so this is zero.
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
