"""What an entry of `layers` may say: a struct for each layer type, the source of checks and schema.

To add a type: its struct here, its tensors in `layers.py`, its variables in `plan/frameworks/`.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from xavinit.inits import Init
from xavinit.spec.types import Expression

_Sizes = Expression | Annotated[list[Expression], Meta(min_length=1)]
_Kernel = Annotated[
    _Sizes, Meta(description="The kernel's size, or a list with one for each axis.")
]
_Groups = Annotated[
    Expression, Meta(description="How many groups of channels are convolved apart.")
]
_Channels = Annotated[Expression, Meta(description="Channels.")]
_Flattened = Annotated[
    _Sizes,
    Meta(description="Numbers; or channels, then spatial axes, of what is flattened to them."),
]

_Size = Annotated[
    _Sizes,
    Meta(description="Channels, or numbers in the last axis; a list as for a dense layer."),
]


class LayerKeys(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="type"):
    """The keys that all layer types share."""

    name: Annotated[str, Meta(description="As in PyTorch, dots between modules; braces expand.")]
    dtype: Annotated[str, Meta(description="The element type.")] | UnsetType = UNSET
    init: Annotated[Init, Meta(description="Of its weight.")] | UnsetType = UNSET


class _Biased(LayerKeys, frozen=True, forbid_unknown_fields=True, kw_only=True):
    bias: Annotated[bool, Meta(description="Does it have a bias?")] = True
    bias_init: Annotated[Init, Meta(description="Of its bias; zeros by default.")] | UnsetType = (
        UNSET
    )


class Dense(_Biased, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="dense"):
    """A linear map."""

    in_: _Flattened = msgspec.field(name="in")
    out: _Flattened


class _Conv(_Biased, frozen=True, forbid_unknown_fields=True, kw_only=True):
    in_: _Channels = msgspec.field(name="in")
    out: _Channels
    kernel: _Kernel
    groups: _Groups = 1


class Conv1d(_Conv, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="conv1d"):
    """A convolution over one axis."""


class Conv2d(_Conv, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="conv2d"):
    """A convolution over two axes."""


class Conv3d(_Conv, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="conv3d"):
    """A convolution over three axes."""


class ConvTranspose2d(
    _Conv, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="conv_transpose2d"
):
    """A transposed convolution over two axes."""

    stride: Annotated[
        _Sizes,
        Meta(description="Its stride: an output sees one of that many phases of the kernel."),
    ] = 1


class DepthwiseConv2d(
    _Biased, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="depthwise_conv2d"
):
    """A convolution of each channel by itself."""

    in_: _Channels = msgspec.field(name="in")
    kernel: _Kernel
    multiplier: Annotated[Expression, Meta(description="Outputs of each channel.")] = 1


class Embedding(LayerKeys, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="embedding"):
    """A row for each of so many indices."""

    in_: Annotated[Expression, Meta(description="Indices: rows.")] = msgspec.field(name="in")
    out: Annotated[Expression, Meta(description="Numbers in a row.")]


class LayerNorm(_Biased, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="layer_norm"):
    """Normalization over the last axis, with a scale and a bias."""

    size: _Size


class RmsNorm(LayerKeys, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="rms_norm"):
    """Normalization by the root mean square over the last axis, with a scale."""

    size: _Size


class BatchNorm(LayerKeys, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="batch_norm"):
    """Normalization over the batch, with a scale, a bias and the running mean and variance."""

    size: _Size
    bias_init: Annotated[Init, Meta(description="Of its bias; zeros by default.")] | UnsetType = (
        UNSET
    )


class _Recurrent(_Biased, frozen=True, forbid_unknown_fields=True, kw_only=True):
    in_: Annotated[Expression, Meta(description="Numbers in an input.")] = msgspec.field(name="in")
    hidden: Annotated[
        Expression, Meta(description="Numbers in the state, which is the output: of one direction.")
    ]
    num_layers: Annotated[Expression, Meta(description="Layers stacked on each other.")] = 1
    bidirectional: Annotated[
        bool, Meta(description="Does each layer also run backward, both outputs joined?")
    ] = False
    recurrent_init: Annotated[Init, Meta(description="Of its weight of the state.")] | UnsetType = (
        UNSET
    )


class Lstm(_Recurrent, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="lstm"):
    """Long short-term memory."""

    forget_bias: (
        Annotated[int | float, Meta(description="The bias of the forget gate; 0 by default.")]
        | UnsetType
    ) = UNSET


class Gru(_Recurrent, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="gru"):
    """Gated recurrent units, whose reset gate acts on the projected state."""


class MultiHeadAttention(
    _Biased, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="multi_head_attention"
):
    """Attention of several heads, with projections of query, key, value and output."""

    size: Annotated[Expression, Meta(description="Numbers in an input and in an output.")]
    heads: Annotated[Expression, Meta(description="How many heads divide them.")]
    kv_heads: (
        Annotated[
            Expression,
            Meta(description="Heads of key and value, each for several of the query: apart then."),
        ]
        | UnsetType
    ) = UNSET


class LayerGroup(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Layers under one name; with braces in it, all of them again for each."""

    name: Annotated[str, Meta(description="A prefix of the names of its layers; braces expand.")]
    layers: Annotated[list[Any], Meta(description="Layers and groups.")]


LAYER_TYPES: dict[str, type[LayerKeys]] = {
    str(kind.__struct_config__.tag): kind
    for kind in (
        Dense,
        Conv1d,
        Conv2d,
        Conv3d,
        ConvTranspose2d,
        DepthwiseConv2d,
        Embedding,
        LayerNorm,
        RmsNorm,
        BatchNorm,
        Lstm,
        Gru,
        MultiHeadAttention,
    )
}
