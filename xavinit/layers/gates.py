"""How Keras's and Flax's recurrent and attention layers lie in PyTorch's packed weights.

PyTorch packs the gates of a cell, and the projections of an attention, as equal blocks of rows.
Keras packs the gates in its own order; Flax has a weight for each gate.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from xavinit.layers.layer import Sizes, Variable
from xavinit.layers.views import Axis, View, make_view, split_index

# The gates of a cell in the order in which PyTorch packs them.
GATES = {"lstm": "ifgo", "gru": "rzn"}
TENSORS_OF_A_CELL = 4  # two weights and their biases
PROJECTIONS = 3  # query, key and value, which PyTorch packs in this order


class Cell(NamedTuple):
    """One cell of a recurrent layer: one direction of one layer of the stack."""

    layer: int
    is_backward: bool
    inputs: int  # the size of one input

    @property
    def suffix(self) -> str:
        """What PyTorch adds to the names of its tensors."""
        return f"l{self.layer}_reverse" if self.is_backward else f"l{self.layer}"


def list_cells(sizes: Sizes) -> Iterator[Cell]:
    """The cells of a recurrent layer in PyTorch's order: each layer forward, then backward."""
    inputs = sizes.ins[0]
    for layer in range(sizes.num_layers):
        for direction in range(sizes.directions):
            yield Cell(layer, direction == 1, inputs)
        inputs = sizes.outs[0] * sizes.directions


def place_cells(sizes: Sizes, forward: str, backward: str) -> Iterator[tuple[Cell, str, str]]:
    """Each cell with the suffix of its module in a stack, and its scope within the module.

    A stack is a list of modules, one for each layer. A bidirectional layer has two cells in its
    module.
    """
    for cell in list_cells(sizes):
        suffix = f"_{cell.layer}" if sizes.num_layers > 1 else ""
        ways = forward, backward
        yield cell, suffix, ways[cell.is_backward] if sizes.directions > 1 else ""


def make_packed_view(
    kind: str, order: str, hidden: int, count: int = 1, zeros: int = 0
) -> View | None:
    """(count, gates·hidden) of PyTorch's (gates·hidden, count), with its gates in this order.

    A bias is the same with one column; zeros may follow.
    """
    gates, rows, columns = split_index((len(order), hidden, count))
    places = tuple(gates[GATES[kind].index(gate)] for gate in order)
    ordered: Axis = gates if places == tuple(gates) else places
    return make_view((columns, ordered, rows), zeros)


def make_gate_view(kind: str, gate: str, hidden: int, count: int = 1) -> View | None:
    """(count, hidden): one gate of PyTorch's (gates·hidden, count); a bias has a count of 1."""
    gates, rows, columns = split_index((len(GATES[kind]), hidden, count))
    place = GATES[kind].index(gate)
    return make_view((columns, gates[place : place + 1], rows))


# The projections in PyTorch's order, and PyTorch's modules where each has its own.
_NAMES = ("query", "key", "value")
_APART = ("q_proj", "k_proj", "v_proj")


def _make_heads_view(
    place: int, blocks: int, heads: int, width: int, count: int = 1
) -> View | None:
    """(count, heads, width): block `place` of PyTorch's (blocks·heads·width, count).

    A bias is the same with one column.
    """
    which, head, row, column = split_index((blocks, heads, width, count))
    return make_view((column, which[place : place + 1], head, row))


def list_projections(sizes: Sizes, output: str) -> Iterator[tuple[Variable, Variable]]:
    """The kernel and the bias of query, key, value and output.

    (size, heads, head size) of (heads·head size, size), and (heads, head size, size) of the
    output's (size, heads·head size).
    """
    (size,) = sizes.outs
    width = size // sizes.heads
    for number, name in enumerate(_NAMES):
        if sizes.kv_heads:  # a weight for each
            heads = sizes.kv_heads if number else sizes.heads
            roles, place, blocks = (f"{_APART[number]}.weight", f"{_APART[number]}.bias"), 0, 1
        else:
            heads = sizes.heads
            roles, place, blocks = ("in_proj_weight", "in_proj_bias"), number, PROJECTIONS
        view = _make_heads_view(place, blocks, heads, width, size)
        bias = _make_heads_view(place, blocks, heads, width)
        yield (
            Variable(f"{name}/kernel", (size, heads, width), roles[0], view),
            Variable(f"{name}/bias", (heads, width), roles[1], bias),
        )
    out, head, row = split_index((size, sizes.heads, width))
    role = "o_proj" if sizes.kv_heads else "out_proj"
    yield (
        Variable(
            f"{output}/kernel",
            (sizes.heads, width, size),
            f"{role}.weight",
            make_view((head, row, out)),
        ),
        Variable(f"{output}/bias", (size,), f"{role}.bias"),
    )
