"""What Keras's layers draw where nothing is said, and when each of their initializers is made.

Checked against keras/src/layers of Keras 3.15; the framework tests build every one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from xavinit import inits
from xavinit.errors import SpecError
from xavinit.layers import GATES, Layer

_ZEROS, _ONES = inits.Zeros(), inits.Ones()
_EMBEDDING = inits.Uniform(bound=0.05)
_DENSE = inits.NAMED["glorot_uniform"]


def find_default(layer: Layer, role: str) -> inits.Init:
    """The initializer that Keras gives a part of a layer for which the spec has none.

    Raises `SpecError` where Keras makes an orthogonal matrix, whose numbers no one else has.
    """
    kind = layer.type
    if kind.endswith("_norm"):
        return _ONES if role in ("weight", "running_var") else _ZEROS
    if kind == "embedding":
        return _EMBEDDING
    if kind in GATES and role.startswith("weight_hh"):
        raise SpecError(
            f"Keras makes the recurrent kernel of {kind} {layer.name} orthogonal, which is not "
            "drawn here",
            hint="give it another, such as recurrent_init: glorot_uniform",
        )
    if kind == "lstm" and role.startswith("bias_ih"):  # unit_forget_bias
        gate = GATES[kind].index("f")
        return inits.GateConstant(value=1.0, gate=gate, size=layer.sizes.outs[0])
    return _ZEROS if "bias" in role else _DENSE


class Construction(NamedTuple):
    """An initializer is made: for the part of a role, and for which of the layer's variables.

    Without a variable, its numbers are not used; without a role, it is the generator of a layer
    that can drop out.
    """

    role: str | None
    variable: int | None = None


def list_constructions(layer: Layer, roles: Sequence[str]) -> Iterator[Construction]:
    """The initializers of a layer in the order in which they are made.

    `roles` are those of its variables, in Keras's order.
    """
    variables = [Construction(role, place) for place, role in enumerate(roles)]
    if layer.type in GATES:
        yield from _list_cells(layer, variables)
    elif layer.type == "multi_head_attention":  # made once, and copied for each projection
        first = variables[:2] if len(roles) > 1 and "bias" in roles[1] else variables[:1]
        yield from (Construction(role) for role, _ in first)
        for made in variables:
            if layer.sizes.has_dropout and made.role in ("out_proj.weight", "o_proj.weight"):
                yield Construction(None)  # made before the last projection
            yield made
    elif layer.type in ("layer_norm", "batch_norm"):  # beta, then gamma
        yield from sorted(variables, key=lambda made: made.role == "weight")[:1]
        yield from sorted(variables, key=lambda made: made.role != "weight")[:1]
        yield from variables[2:]
    else:
        yield from variables


def _list_cells(layer: Layer, variables: Sequence[Construction]) -> Iterator[Construction]:
    """Each cell has a generator for its dropout, drop out or not.

    A `Bidirectional` makes the layer that it is given twice again.
    """
    for _, cells in groupby(variables, lambda made: _read_layer(made.role)):
        made = list(cells)
        if layer.sizes.directions > 1:
            yield from (Construction(role) for role, _ in made[: len(made) // 2])
            yield Construction(None)
        for _, cell in groupby(made, lambda one: str(one.role).endswith("_reverse")):
            yield from cell
            yield Construction(None)


def _read_layer(role: str | None) -> str:
    """The number of a layer of a stack.

    >>> _read_layer("weight_ih_l1_reverse")
    '1'
    """
    return str(role).rpartition("_l")[2].removesuffix("_reverse")
