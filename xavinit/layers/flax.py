"""Flax Linen: the module of each layer type, and its variables in their collections.

Checked against flax/linen of Flax 0.12; the tests load every one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial

from xavinit.errors import SpecError
from xavinit.layers.channels_last import (
    list_conv,
    list_dense,
    make_features,
    make_transposed_kernel,
    make_vector,
)
from xavinit.layers.gates import (
    GATES,
    list_projections,
    make_gate_view,
    place_cells,
)
from xavinit.layers.layer import Framework, Sizes, Variable
from xavinit.wording import format_value

_CLASSES = {
    "dense": "Dense",
    "conv1d": "Conv",
    "conv2d": "Conv",
    "conv3d": "Conv",
    "conv_transpose2d": "ConvTranspose",
    "depthwise_conv2d": "Conv",
    "embedding": "Embed",
    "layer_norm": "LayerNorm",
    "rms_norm": "RMSNorm",
    "batch_norm": "BatchNorm",
    "lstm": "LSTMCell",
    "gru": "GRUCell",
    "multi_head_attention": "MultiHeadDotProductAttention",
}


def find_class(kind: str, sizes: Sizes) -> str:
    """The class of a layer; for a recurrent layer, the class of its cells, which an `RNN` runs."""
    return _CLASSES[kind]


_STATISTICS = {"running_mean", "running_var"}


def name_module(layer: str, suffix: str) -> str:
    """The path of a layer's module: dots between modules.

    A number in the layer's name is an index in a list; Linen joins it to the list's name. Where
    the whole network is a list, its layers are `layers_0` …, as in `nn.Sequential`.

    >>> name_module("block.0.norm", "")
    'block_0.norm'
    """
    modules: list[str] = []
    for part in layer.split("."):
        if not part.isdecimal():
            modules.append(part)
        elif modules:
            modules[-1] += f"_{part}"
        else:
            modules.append(f"layers_{part}")
    return ".".join(modules) + suffix


def name_variable(module: str, variable: Variable) -> str:
    """The variable's collection, modules and name, with dots between.

    >>> name_variable("norm", Variable("scale", (8,), "weight"))
    'params.norm.scale'
    """
    collection = "batch_stats" if variable.role in _STATISTICS else "params"
    return ".".join((collection, module, *variable.name.split("/")))


def list_variables(kind: str, sizes: Sizes) -> tuple[Variable, ...]:
    """The variables of a layer with all its parts."""
    return _FORMS[kind](sizes)


def _list_conv_transpose(sizes: Sizes) -> tuple[Variable, ...]:
    # Linen's ConvTranspose correlates the dilated input with the kernel as it is, unless
    # `transpose_kernel` is set; PyTorch's and Keras's are gradients of a convolution: they flip it.
    kernel = make_transposed_kernel(
        sizes, in_last=False, flipped=True, owner="Flax's ConvTranspose"
    )
    return kernel, make_vector("bias", sizes.outs[0], "bias")


def _list_depthwise_conv(sizes: Sizes) -> tuple[Variable, ...]:
    """A `Conv` with as many groups as channels."""
    (count,), out = sizes.ins, sizes.ins[0] * sizes.multiplier
    return list_conv(Sizes((count,), (out,), sizes.kernel, groups=count))


def _list_embedding(sizes: Sizes) -> tuple[Variable, ...]:
    return (Variable("embedding", (*sizes.ins, *sizes.outs), "weight"),)


def _list_layer_norm(sizes: Sizes) -> tuple[Variable, ...]:
    return make_features("scale", sizes, "weight"), make_features("bias", sizes, "bias")


def _list_rms_norm(sizes: Sizes) -> tuple[Variable, ...]:
    return _list_layer_norm(sizes)[:1]


def _list_batch_norm(sizes: Sizes) -> tuple[Variable, ...]:
    return (
        *_list_layer_norm(sizes),
        make_features("mean", sizes, "running_mean"),
        make_features("var", sizes, "running_var"),
    )


# Which dense layers of a cell have a bias. LSTM: the state's, for every gate. GRU: the input's, for
# every gate, and the state's for n alone. They take PyTorch's first bias, but `hn` the second,
# which is zero.
_BIASES = {
    "lstm": {f"h{gate}": "bias_ih" for gate in "ifgo"},
    "gru": {"ir": "bias_ih", "iz": "bias_ih", "in": "bias_ih", "hn": "bias_hh"},
}


def _list_recurrent(kind: str, sizes: Sizes) -> tuple[Variable, ...]:
    """An `RNN` for each layer of the stack, or two in a `Bidirectional`; each gate is a dense."""
    (hidden,) = sizes.outs
    found: list[Variable] = []
    for cell, suffix, way in place_cells(sizes, "forward_rnn/", "backward_rnn/"):
        for source, count in (("i", cell.inputs), ("h", hidden)):
            weight = f"weight_{source}h_{cell.suffix}"
            for gate in GATES[kind]:
                scope = f"{way}cell/{source}{gate}"
                view = make_gate_view(kind, gate, hidden, count)
                shape = (count, hidden)
                found.append(Variable(f"{scope}/kernel", shape, weight, view, suffix=suffix))
                bias = _BIASES[kind].get(source + gate)
                if bias is not None:
                    role, view = f"{bias}_{cell.suffix}", make_gate_view(kind, gate, hidden)
                    # the cell has it even where the layer has none
                    found.append(Variable(f"{scope}/bias", (hidden,), role, view, weight, suffix))
    return tuple(found)


def _list_attention(sizes: Sizes) -> tuple[Variable, ...]:
    if sizes.kv_heads:
        raise SpecError(
            "Flax's MultiHeadDotProductAttention has no heads of key and value alone; "
            f"got {sizes.kv_heads}",
            ("kv_heads",),
        )
    return tuple(variable for pair in list_projections(sizes, "out") for variable in pair)


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


def check_name(name: str, names: Collection[str]) -> None:
    """Refuse a name under another variable's name: a name is a module's or a variable's."""
    above = name
    while above := above.rpartition(".")[0]:
        if above in names:
            raise SpecError(
                "a variable must not be a module too in Flax; "
                f"got {format_value(above)} and {format_value(name)}"
            )


FRAMEWORK = Framework(
    name="flax",
    checked="0.12",
    tag="flax",
    find_class=find_class,
    list_variables=list_variables,
    name_module=name_module,
    name_variable=name_variable,
    check_name=check_name,
)
