"""What a spec may say: its keys, their types and closed choices.

The structs are the single source of both the checks and the JSON Schema (`schema.py`). Which
numbers a law may have, and what an expression or a name means, is decided where it is evaluated.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from xavinit.choices import (
    AxisLayout,
    BackendName,
    Construction,
    CpuName,
    FrameworkName,
    KeysName,
    RngName,
)
from xavinit.inits import Init

LEAST_SEED = -(2**63)

Expression = Annotated[
    int | str,
    Meta(description="An integer, or an expression of integers, dims, + - * // and parentheses."),
]
AxisNumbers = Annotated[
    int | list[int],
    Meta(
        description="An axis or a list of axes, which may be empty; negative counts from the end."
    ),
]


class TensorKeys(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The keys that a tensor, a rule and `defaults` share."""

    init: (
        Annotated[Init, Meta(description="The initializer: a name, or a table with its type.")]
        | UnsetType
    ) = UNSET
    dtype: Annotated[str, Meta(description="The element type.")] | UnsetType = UNSET
    layout: (
        Annotated[
            AxisLayout, Meta(description="out_in as in PyTorch, in_out as in Keras and Flax.")
        ]
        | UnsetType
    ) = UNSET
    in_axis: AxisNumbers | UnsetType = UNSET
    out_axis: AxisNumbers | UnsetType = UNSET
    batch_axis: AxisNumbers | UnsetType = UNSET
    fused: (
        Annotated[
            int | str,
            Meta(
                description="How many equal blocks the out axis holds; the fans are those of one."
            ),
        ]
        | UnsetType
    ) = UNSET
    zero_rows: (
        Annotated[
            list[Expression],
            Meta(
                description="Rows of the first axis that are zero, as for padding; "
                "negative counts from the end."
            ),
        ]
        | UnsetType
    ) = UNSET
    fans_of: (
        Annotated[str, Meta(description="Take the fans of the named tensor, as for a bias.")]
        | UnsetType
    ) = UNSET
    seed: (
        Annotated[int, Meta(description="The seed of its own initializer, under an rng with such.")]
        | UnsetType
    ) = UNSET
    stream: (
        Annotated[str, Meta(description="Draw the numbers of this name instead of the tensor's.")]
        | UnsetType
    ) = UNSET
    tied: (
        Annotated[
            str,
            Meta(
                description="Make this tensor a copy of the named one; no other key may be given."
            ),
        ]
        | UnsetType
    ) = UNSET


class TensorTable(TensorKeys, frozen=True, forbid_unknown_fields=True):
    """A tensor: its shape, and what differs from the rules and defaults."""

    shape: Annotated[list[Expression], Meta(description="The dimensions.")] | UnsetType = UNSET


class Rule(TensorKeys, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Keys for all tensors whose name matches a glob."""

    match: Annotated[str, Meta(description="A case-sensitive glob; * crosses dots.")]


class RngTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An rng, and the variants of it that change bits."""

    type: Annotated[RngName, Meta(description="The name of the rng.")]
    cpu: (
        Annotated[CpuName, Meta(description="torch-2.13's: avx2 (or AVX-512), or plain.")]
        | UnsetType
    ) = UNSET
    construction: (
        Annotated[
            Construction,
            Meta(description="torch-2.13's: do modules draw when they are made, before all else?"),
        ]
        | UnsetType
    ) = UNSET
    backend: (
        Annotated[BackendName, Meta(description="keras-3.15's: what makes Keras's numbers.")]
        | UnsetType
    ) = UNSET
    keys: (
        Annotated[KeysName, Meta(description="jax-0.10's: how a tensor's key comes of a seed.")]
        | UnsetType
    ) = UNSET
    jit: Annotated[bool, Meta(description="jax-0.10's: under jax.jit; false.")] | UnsetType = UNSET
    x64: Annotated[bool, Meta(description="jax-0.10's: jax_enable_x64; false.")] | UnsetType = UNSET


class SpecTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A spec: layer shapes and how to draw them. See docs/spec.md."""

    schema: Annotated[str, Meta(description="This schema, for editors.")] | UnsetType = (
        msgspec.field(default=UNSET, name="$schema")
    )
    seed: Annotated[
        int,
        Meta(ge=LEAST_SEED, description="0 … 2⁶⁴−1; of the rng torch-2.13 also −2⁶³ … −1."),
    ] = 0
    rng: Annotated[
        RngName | RngTable,
        Meta(description="Whose numbers are drawn: ours, or what a framework draws from the seed."),
    ] = "xavinit-1"
    framework: Annotated[
        FrameworkName, Meta(description="Whose names and axis order `layers` follow.")
    ] = "pytorch"
    dims: Annotated[dict[str, Expression], Meta(description="Named integers for expressions.")] = {}
    defaults: Annotated[TensorKeys, Meta(description="Keys for every tensor.")] = TensorKeys()
    rules: Annotated[list[Rule], Meta(description="Later rules win, key by key.")] = []
    tensors: Annotated[
        dict[str, list[Expression] | TensorTable],
        Meta(description="Name (braces expand) → shape, or a table."),
    ] = {}
    layers: Annotated[
        list[Any], Meta(description="The layers of the network in order, and groups of layers.")
    ] = []
