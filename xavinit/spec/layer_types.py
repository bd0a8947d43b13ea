"""What an entry of `layers` may say: a struct for each layer type, the source of checks and schema.

To add a type: its struct here, its parts and classes in `layers/` (docs/architecture.md).
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from xavinit.inits import Init
from xavinit.spec.types import Expression

_Sizes = Expression | Annotated[list[Expression], Meta(min_length=1)]
_Kernel = Annotated[
    _Sizes,
    Meta(description="The kernel's size: one number for all axes, or a list with one for each."),
]
_Groups = Annotated[
    Expression,
    Meta(description="How many groups the channels are split into; each is convolved by itself."),
]
_Channels = Annotated[Expression, Meta(description="The number of channels.")]
_Flattened = Annotated[
    _Sizes,
    Meta(
        description="The number of features; or [C, H, W] of the array that is flattened to them."
    ),
]

_Size = Annotated[
    _Sizes,
    Meta(description="The number of channels or features; a list as for a dense layer."),
]


class LayerKeys(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="type"):
    """The keys that all layer types share."""

    name: Annotated[
        str,
        Meta(description="The layer's name in PyTorch, with dots between modules; braces expand."),
    ]
    dtype: Annotated[str, Meta(description="The element type.")] | UnsetType = UNSET
    init: Annotated[Init, Meta(description="The initializer of its weight.")] | UnsetType = UNSET
    seed: (
        Annotated[int, Meta(description="The seed of that initializer, under an rng with such.")]
        | UnsetType
    ) = UNSET


class _Biased(LayerKeys, frozen=True, forbid_unknown_fields=True, kw_only=True):
    bias: Annotated[bool, Meta(description="Whether it has a bias.")] = True
    bias_init: (
        Annotated[Init, Meta(description="The initializer of its bias; zeros by default.")]
        | UnsetType
    ) = UNSET


class Dense(_Biased, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="dense"):
    """A linear map."""

    in_: _Flattened = msgspec.field(name="in")
    out: _Flattened


class _Conv(_Biased, frozen=True, forbid_unknown_fields=True, kw_only=True):
    spatial_rank: ClassVar[int]  # the axes of a kernel beside in and out
    in_: _Channels = msgspec.field(name="in")
    out: _Channels
    kernel: _Kernel
    groups: _Groups = 1


class Conv1d(_Conv, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="conv1d"):
    """A convolution over one axis."""

    spatial_rank = 1


class Conv2d(_Conv, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="conv2d"):
    """A convolution over two axes."""

    spatial_rank = 2


class Conv3d(_Conv, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="conv3d"):
    """A convolution over three axes."""

    spatial_rank = 3


class ConvTranspose2d(
    _Conv, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="conv_transpose2d"
):
    """A transposed convolution over two axes."""

    spatial_rank = 2
    stride: Annotated[
        _Sizes,
        Meta(
            description="The stride. It counts in the fans: an output sees one element in stride."
        ),
    ] = 1


class DepthwiseConv2d(
    _Biased, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="depthwise_conv2d"
):
    """A convolution of each channel by itself."""

    spatial_rank: ClassVar[int] = 2
    in_: _Channels = msgspec.field(name="in")
    kernel: _Kernel
    multiplier: Annotated[Expression, Meta(description="How many outputs each channel has.")] = 1


class Embedding(LayerKeys, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="embedding"):
    """A table with one row for each index."""

    in_: Annotated[Expression, Meta(description="The number of rows.")] = msgspec.field(name="in")
    out: Annotated[Expression, Meta(description="The size of a row.")]
    zero_rows: (
        Annotated[
            list[Expression],
            Meta(description="Rows that are zero, as for padding; negative counts from the end."),
        ]
        | UnsetType
    ) = UNSET


class LayerNorm(_Biased, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="layer_norm"):
    """Normalization over the last axis, with a scale and a bias."""

    size: _Size


class RmsNorm(LayerKeys, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="rms_norm"):
    """Normalization by the root mean square over the last axis, with a scale."""

    size: _Size


class BatchNorm(LayerKeys, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="batch_norm"):
    """Normalization over the batch, with a scale, a bias and the running mean and variance."""

    size: _Size
    bias_init: (
        Annotated[Init, Meta(description="The initializer of its bias; zeros by default.")]
        | UnsetType
    ) = UNSET


class _Recurrent(_Biased, frozen=True, forbid_unknown_fields=True, kw_only=True):
    in_: Annotated[Expression, Meta(description="Input size.")] = msgspec.field(name="in")
    hidden: Annotated[Expression, Meta(description="Hidden size, per direction.")]
    num_layers: Annotated[Expression, Meta(description="How many layers are stacked.")] = 1
    bidirectional: Annotated[
        bool, Meta(description="Whether each layer also runs backward, with both outputs joined.")
    ] = False
    recurrent_init: (
        Annotated[Init, Meta(description="The initializer of the recurrent weights.")] | UnsetType
    ) = UNSET


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

    size: Annotated[Expression, Meta(description="Embedding size: of each input and output.")]
    heads: Annotated[Expression, Meta(description="The number of heads; it must divide size.")]
    kv_heads: (
        Annotated[
            Expression,
            Meta(description="The number of key and value heads (grouped-query attention)."),
        ]
        | UnsetType
    ) = UNSET
    dropout: Annotated[
        bool,
        Meta(description="Whether a dropout in it takes a number from the rng (Keras, NNX)."),
    ] = False


class LayerGroup(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Layers under one name; braces in it repeat all of them."""

    name: Annotated[str, Meta(description="The prefix of its layers' names; braces expand.")]
    layers: Annotated[list[Any], Meta(description="The layers and groups in it.")]


class Draw(
    Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="type", tag="draw"
):
    """What takes numbers from an rng and has no weight, such as Keras's Dropout."""

    count: Annotated[
        Expression, Meta(description="How many numbers it takes: of PyTorch's, words of 32 bits.")
    ] = 1


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
