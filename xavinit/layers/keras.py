"""Keras 3: the layer class of each layer type, and its variables in their order.

Checked against keras/src/layers of Keras 3.15; the tests load every one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from msgspec import structs

from xavinit.errors import SpecError
from xavinit.layers.channels_last import (
    list_conv,
    list_dense,
    make_features,
    make_transposed_kernel,
    make_vector,
)
from xavinit.layers.gates import (
    list_projections,
    make_packed_view,
    place_cells,
)
from xavinit.layers.layer import Framework, Sizes, Variable
from xavinit.layers.views import make_view, split_index
from xavinit.wording import format_value

_CLASSES = {
    "dense": "Dense",
    "conv1d": "Conv1D",
    "conv2d": "Conv2D",
    "conv3d": "Conv3D",
    "conv_transpose2d": "Conv2DTranspose",
    "depthwise_conv2d": "DepthwiseConv2D",
    "embedding": "Embedding",
    "layer_norm": "LayerNormalization",
    "rms_norm": "RMSNormalization",
    "batch_norm": "BatchNormalization",
    "lstm": "LSTM",
    "gru": "GRU",
    "multi_head_attention": "MultiHeadAttention",
}


def find_class(kind: str, sizes: Sizes) -> str:
    """The class of a layer, by its public name."""
    if sizes.kv_heads:
        return "GroupQueryAttention"
    return "Bidirectional" if sizes.directions > 1 else _CLASSES[kind]


def name_module(layer: str, suffix: str) -> str:
    """The name of the layer in Keras: its own, with the suffix of one layer of a stack."""
    if "/" in layer:
        raise SpecError(
            f"the name of a layer must not have a / in Keras; got {format_value(layer)}", ("name",)
        )
    return layer + suffix


def name_variable(module: str, variable: Variable) -> str:
    """The variable's path in a model whose layer has that name.

    >>> name_variable("block.0.norm", Variable("gamma", (8,), "weight"))
    'block.0.norm/gamma'
    """
    return f"{module}/{variable.name}"


def list_variables(kind: str, sizes: Sizes) -> tuple[Variable, ...]:
    """The variables of a layer with all its parts, in the order in which Keras saves them."""
    return _FORMS[kind](sizes)


def _list_conv_transpose(sizes: Sizes) -> tuple[Variable, ...]:
    kernel = make_transposed_kernel(
        sizes, in_last=True, flipped=False, owner="Keras's Conv2DTranspose"
    )
    return kernel, make_vector("bias", sizes.outs[0], "bias")


def _list_depthwise_conv(sizes: Sizes) -> tuple[Variable, ...]:
    """(height, width, in, multiplier) of (in·multiplier, 1, height, width)."""
    (count,), multiplier = sizes.ins, sizes.multiplier
    channels, copies, *spatial = split_index((count, multiplier, *sizes.kernel))
    shape = (*sizes.kernel, count, multiplier)
    kernel = Variable("kernel", shape, "weight", make_view((*spatial, channels, copies)))
    return kernel, make_vector("bias", count * multiplier, "bias")


def _list_embedding(sizes: Sizes) -> tuple[Variable, ...]:
    return (Variable("embeddings", (*sizes.ins, *sizes.outs), "weight"),)


def _list_layer_norm(sizes: Sizes) -> tuple[Variable, ...]:
    return make_features("gamma", sizes, "weight"), make_features("beta", sizes, "bias")


def _list_rms_norm(sizes: Sizes) -> tuple[Variable, ...]:
    return (make_features("scale", sizes, "weight"),)


def _list_batch_norm(sizes: Sizes) -> tuple[Variable, ...]:
    return (
        *_list_layer_norm(sizes),
        make_features("moving_mean", sizes, "running_mean"),
        make_features("moving_variance", sizes, "running_var"),
    )


# The gates of a cell in the order in which Keras packs them. Keras's c is PyTorch's g, h is n.
_ORDERS = {"lstm": "ifgo", "gru": "zrn"}


def _list_recurrent(kind: str, sizes: Sizes) -> tuple[Variable, ...]:
    """One Keras layer for each layer of the stack, in a `Bidirectional` where it runs both ways."""
    order, (hidden,) = _ORDERS[kind], sizes.outs
    width = len(order) * hidden
    # The GRU has a row for each of PyTorch's two biases; the second is zero.
    shape, zeros = ((width,), 0) if kind == "lstm" else ((2, width), width)
    bias = make_packed_view(kind, order, hidden, zeros=zeros)
    found: list[Variable] = []
    for cell, suffix, way in place_cells(sizes, "forward", "backward"):
        scope = f"{way}_{kind}/{kind}_cell" if way else f"{kind}_cell"
        variables = (
            Variable(
                "kernel",
                (cell.inputs, width),
                f"weight_ih_{cell.suffix}",
                make_packed_view(kind, order, hidden, cell.inputs),
            ),
            Variable(
                "recurrent_kernel",
                (hidden, width),
                f"weight_hh_{cell.suffix}",
                make_packed_view(kind, order, hidden, hidden),
            ),
            Variable("bias", shape, f"bias_ih_{cell.suffix}", bias),
        )
        found += (structs.replace(v, name=f"{scope}/{v.name}", suffix=suffix) for v in variables)
    return tuple(found)


def _list_attention(sizes: Sizes) -> tuple[Variable, ...]:
    return tuple(v for pair in list_projections(sizes, "attention_output") for v in pair)


_FORMS: dict[str, Callable[[Sizes], tuple[Variable, ...]]] = {
    "dense": list_dense,
    "conv1d": list_conv,
    "conv2d": list_conv,
    "conv3d": list_conv,
    "conv_transpose2d": _list_conv_transpose,
    "depthwise_conv2d": _list_depthwise_conv,
    "embedding": _list_embedding,
    "layer_norm": _list_layer_norm,
    "rms_norm": _list_rms_norm,
    "batch_norm": _list_batch_norm,
    "lstm": partial(_list_recurrent, "lstm"),
    "gru": partial(_list_recurrent, "gru"),
    "multi_head_attention": _list_attention,
}

FRAMEWORK = Framework(
    name="keras",
    checked="3.15",
    tag="tf",
    find_class=find_class,
    list_variables=list_variables,
    name_module=name_module,
    name_variable=name_variable,
)
