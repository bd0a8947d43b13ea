"""What a spec may say: its keys, their types and closed choices.

The structs are the single source of both the checks and the JSON Schema (`schema.py`). Which
numbers a law may have, and what an expression or a name means, is decided where it is evaluated.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import UNSET, Meta, UnsetType

Framework = Literal["pytorch", "keras", "flax"]
Layout = Literal["out_in", "in_out"]
Mode = Literal["fan_in", "fan_out", "fan_avg"]
Distribution = Literal["uniform", "normal", "truncated_normal"]
GainName = Literal["linear", "sigmoid", "tanh", "relu", "leaky_relu", "selu"]
DTypeName = Literal[
    "float64",
    "float32",
    "float16",
    "bfloat16",
    "float8_e4m3fn",
    "float8_e5m2",
    "int64",
    "int32",
    "uint8",
    "bool",
]
InitName = Literal[
    "glorot_uniform",
    "glorot_normal",
    "glorot_truncated_normal",
    "xavier_uniform",
    "xavier_normal",
    "xavier_truncated_normal",
    "he_uniform",
    "he_normal",
    "he_truncated_normal",
    "lecun_uniform",
    "lecun_normal",
    "lecun_truncated_normal",
    "variance_scaling",
    "zeros",
    "ones",
    "constant",
    "uniform",
    "normal",
    "truncated_normal",
]

LARGEST_SEED = 2**64 - 1

Expression = Annotated[
    int | str,
    Meta(description="An integer, or an expression of integers, dims, + - * // and parentheses."),
]
Axes = Annotated[
    int | Annotated[list[int], Meta(min_length=1)],
    Meta(description="An axis or a list of axes; negative counts from the end."),
]


class Init(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An initializer: its name and, for some, parameters."""

    type: Annotated[InitName, Meta(description="The initializer's name.")]
    gain: (
        Annotated[
            Annotated[float, Meta(gt=0)] | GainName,
            Meta(description="Multiplies the std: a positive number or a name."),
        ]
        | UnsetType
    ) = UNSET
    mode: Annotated[Mode, Meta(description="The n of the variance: which fan.")] | UnsetType = UNSET
    distribution: (
        Annotated[Distribution, Meta(description="The distribution to draw from.")] | UnsetType
    ) = UNSET
    value: (
        Annotated[bool | int | float, Meta(description="The number of a constant.")] | UnsetType
    ) = UNSET
    bound: (
        Annotated[float, Meta(gt=0, description="A uniform law's: draws from ±bound.")] | UnsetType
    ) = UNSET
    std: Annotated[float, Meta(gt=0, description="The standard deviation.")] | UnsetType = UNSET


class TensorKeys(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The keys that a tensor, a rule and `defaults` share."""

    init: (
        Annotated[InitName | Init, Meta(description="The initializer: a name, or a table.")]
        | UnsetType
    ) = UNSET
    dtype: Annotated[DTypeName, Meta(description="The element type.")] | UnsetType = UNSET
    layout: (
        Annotated[Layout, Meta(description="out_in as in PyTorch, in_out as in Keras and Flax.")]
        | UnsetType
    ) = UNSET
    in_axis: Axes | UnsetType = UNSET
    out_axis: Axes | UnsetType = UNSET
    batch_axis: Axes | UnsetType = UNSET
    fused: (
        Annotated[
            int | str,
            Meta(description="How many equal blocks the out axis holds; fans are those of one."),
        ]
        | UnsetType
    ) = UNSET
    stream: (
        Annotated[str, Meta(description="Draw the numbers of this name instead of the tensor's.")]
        | UnsetType
    ) = UNSET
    tied: (
        Annotated[str, Meta(description="A copy of this tensor; takes no other key.")] | UnsetType
    ) = UNSET


class TensorTable(TensorKeys, frozen=True, forbid_unknown_fields=True):
    """A tensor: its shape, and what differs from the rules and defaults."""

    shape: Annotated[list[Expression], Meta(description="The dimensions.")] | UnsetType = UNSET


class Rule(TensorKeys, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Keys for all tensors whose name matches a glob."""

    match: Annotated[str, Meta(description="A case-sensitive glob; * crosses dots.")]


class SpecTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A spec: layer shapes and how to draw them. See docs/spec.md."""

    schema: Annotated[str, Meta(description="This schema, for editors.")] | UnsetType = (
        msgspec.field(default=UNSET, name="$schema")
    )
    seed: Annotated[int, Meta(ge=0, description="0 … 2⁶⁴−1.")] = 0
    framework: Annotated[
        Framework, Meta(description="Whose names and axis order `layers` follow.")
    ] = "pytorch"
    dims: Annotated[dict[str, Expression], Meta(description="Named integers for expressions.")] = {}
    defaults: Annotated[TensorKeys, Meta(description="Keys for every tensor.")] = TensorKeys()
    rules: Annotated[list[Rule], Meta(description="Later rules win, key by key.")] = []
    tensors: Annotated[
        dict[str, list[Expression] | TensorTable],
        Meta(description="Name (braces expand) → shape, or a table."),
    ] = {}
    layers: Annotated[
        list[Any], Meta(description="Layers and groups of them, in the order of the network.")
    ] = []


# The keys each initializer takes beside `type`: those it needs, and those it may have.
_NO_KEYS: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
INIT_KEYS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "variance_scaling": (("mode", "distribution"), ("gain",)),
    "zeros": _NO_KEYS,
    "ones": _NO_KEYS,
    "constant": (("value",), ()),
    "uniform": (("bound",), ()),
    "normal": (("std",), ()),
    "truncated_normal": (("std",), ()),
}
for _name in get_args(InitName):
    INIT_KEYS.setdefault(_name, ((), ("gain",)))
