"""What a spec lists: its `tensors` and `layers` → entries and nodes, before names are expanded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from xavinit.errors import Faults, SpecError
from xavinit.spec.entries import Entry, parse_entries
from xavinit.spec.names import Pattern

if TYPE_CHECKING:
    from xavinit.spec.network import Node

# The entries of `tensors` with the patterns of their names, and the nodes of `layers`.
Listed = tuple[list[tuple[Entry, Pattern]], "tuple[Node, ...]"]


def parse_listed(data: Mapping[str, Any], dims: Mapping[str, int]) -> Listed:
    """The entries of `tensors` and the nodes of `layers`; `SpecError` with the faults of both."""
    faults = Faults()
    entries: list[tuple[Entry, Pattern]] = []
    nodes: tuple[Node, ...] = ()
    try:
        entries = parse_entries(data.get("tensors", {}), dims)
    except SpecError as error:
        faults.add(error)
    try:
        nodes = _parse_network(data, dims)
    except SpecError as error:
        faults.add(error)
    faults.check()
    return entries, nodes


def _parse_network(data: Mapping[str, Any], dims: Mapping[str, int]) -> tuple[Node, ...]:
    if "layers" not in data:
        return ()
    # Here, since the types of layers take 3 ms to load, which many specs do without.
    from xavinit.spec.network import parse_layers

    return parse_layers(data["layers"], dims)
