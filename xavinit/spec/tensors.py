"""Entries → every tensor by name, each with its family; ties followed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from xavinit.errors import Faults, Path, SpecError, format_path
from xavinit.layers import Layer
from xavinit.spec.entries import Entry, parse_entries
from xavinit.spec.families import OF_AXES, Draft, Family, RuleSet, Sorter
from xavinit.spec.names import MOST_NAME_BYTES, MOST_TENSORS, Pattern
from xavinit.spec.network import Node, expand_layers, list_leaves, parse_layers
from xavinit.spec.settings import ParsedRule, Settings
from xavinit.wording import MOST_SUGGESTED, format_value, suggest


class TensorSpec(Struct, frozen=True):
    """One tensor: its name, the name of its stream, and the number of its family."""

    name: str
    stream: str
    family: int


class LayerSpec(Struct, frozen=True):
    """One layer: its parts by their roles."""

    layer: Layer
    parts: Mapping[str, TensorSpec]


Listing = tuple[TensorSpec | LayerSpec, ...]


# The entries of `tensors` with the patterns of their names, and the nodes of `layers`.
Listed = tuple[list[tuple[Entry, Pattern]], tuple[Node, ...]]


class _Tie(Struct, frozen=True):
    name: str
    target: str
    entry: Entry
    places: Mapping[str, Path]


class _Names:
    """Every name so far, with its tensor or tie."""

    def __init__(self, families: Sequence[Family]) -> None:
        self._families = families
        self._found: dict[str, TensorSpec | _Tie] = {}
        self._places: dict[str, Path] = {}
        self._referred = 0  # bytes of all streams and targets

    def add(self, name: str, words: tuple[str, ...], sorter: Sorter) -> None:
        """A name of an entry, whose braces stand for these words."""
        entry = sorter.entry
        if not name or name == "__metadata__" or "\0" in name:
            raise _refuse_name(name, entry)
        if name in self._found:
            raise _refuse_twice(name, entry, self._places[name])
        self._places[name] = entry.path
        draft = sorter.find(name)
        other = name
        if draft.reference is not None:
            other = draft.reference.fill(words)
            self._count_reference(other, draft, entry)
        if draft.number is None:
            self._found[name] = _Tie(name, other, entry, draft.places)
        else:
            self._found[name] = TensorSpec(name, other, draft.number)

    def _count_reference(self, text: str, draft: Draft, entry: Entry) -> None:
        self._referred += len(text) if text.isascii() else len(text.encode())
        if self._referred > MOST_NAME_BYTES:
            key = "tied" if draft.number is None else "stream"
            raise SpecError(
                f"streams and targets of ties must be at most {MOST_NAME_BYTES:,} bytes together",
                draft.places.get(key, entry.path),
            )

    def follow_ties(self) -> dict[str, TensorSpec]:
        """Each tie replaced by the tensor at the end of its chain, under the tie's name."""
        ties = {name: tie for name, tie in self._found.items() if isinstance(tie, _Tie)}
        ends = {name: end for name, end in self._found.items() if isinstance(end, TensorSpec)}
        for start, first in ties.items():
            chain: dict[str, _Tie] = {}
            name, tie = start, first
            while name not in ends:
                if name in chain:
                    raise _refuse_circle([*chain, name], tie)
                chain[name] = tie
                name = tie.target
                if name not in ends:
                    if name not in ties:
                        raise self._refuse_target(tie)
                    tie = ties[name]
            for other in reversed(chain):
                ends[other] = self._copy_tensor(ends[name], chain[other])
        return ends

    def _copy_tensor(self, tensor: TensorSpec, tie: _Tie) -> TensorSpec:
        """The tensor under a tie's name; a layer's part takes only one of its own shape."""
        shape, wanted = self._families[tensor.family].shape, tie.entry.shape
        if tie.entry.axes is not None and wanted != shape:
            raise SpecError(
                f"a layer's tensor must be tied to one of its shape, {list(wanted or ())} of "
                f"{format_value(tie.name)}; got {format_value(tensor.name)}: {list(shape)}",
                tie.places["tied"],
            )
        return TensorSpec(tie.name, tensor.stream, tensor.family)

    def _refuse_target(self, tie: _Tie) -> SpecError:
        return SpecError(
            f"must be the name of a tensor; got {format_value(tie.target)}",
            tie.places["tied"],
            hint=suggest(tie.target, self._found) if len(self._found) <= MOST_SUGGESTED else None,
        )


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
        nodes = parse_layers(data.get("layers", []), dims)
    except SpecError as error:
        faults.add(error)
    faults.check()
    return entries, nodes


def expand_tensors(
    written: Listed, dims: Mapping[str, int], defaults: Settings, rules: list[ParsedRule]
) -> tuple[tuple[Family, ...], Listing, list[bool | str]]:
    """The families of what a spec lists, its tensors and layers in order, and the rules' use.

    For each rule: does it match a tensor? Where it matches none but those that it cannot change,
    the name of one of them.
    """
    families: list[Family] = []
    rule_set = RuleSet(rules)
    # A layer knows its own axes; what the defaults say of them is for raw tensors.
    below = {key: value for key, value in defaults.items() if key not in OF_AXES}

    def sort(entry: Entry) -> Sorter:
        settings = defaults if entry.axes is None else below
        return Sorter(entry, settings, rule_set, dims, families)

    entries, nodes = written
    extents = [pattern.extent for _, pattern in entries] + [node.extent for node in nodes]
    place = "tensors" if entries else "layers"
    total = sum(extent.count for extent in extents)
    if total > MOST_TENSORS:
        raise SpecError(
            f"must be at most {MOST_TENSORS:,} tensors; got {format_value(total)}", (place,)
        )
    nbytes = sum(extent.nbytes for extent in extents)
    if nbytes > MOST_NAME_BYTES:
        raise SpecError(
            f"names must be at most {MOST_NAME_BYTES:,} bytes together; got {format_value(nbytes)}",
            (place,),
        )
    names = _Names(families)
    faults = Faults()
    listed: list[str] = []
    for entry, pattern in entries:
        sorter = sort(entry)
        try:
            for name, words in pattern.expand():
                names.add(name, words, sorter)
                listed.append(name)
        except SpecError as error:
            faults.add(error)
    layers: list[tuple[Layer, tuple[Entry, ...]]] = []
    sorters = {leaf.path: [sort(entry) for entry in leaf.entries] for leaf in list_leaves(nodes)}
    for layer, words, node in expand_layers(nodes):
        try:
            for sorter in sorters[node.path]:
                names.add(f"{layer.name}.{sorter.entry.role}", words, sorter)
        except SpecError as error:
            faults.add(error)
        layers.append((layer, node.entries))
    faults.check()
    ends = names.follow_ties()
    listing: list[TensorSpec | LayerSpec] = [ends[name] for name in listed]
    listing += _list_layers(layers, ends)
    return tuple(families), tuple(listing), rule_set.used


def _list_layers(
    layers: Sequence[tuple[Layer, tuple[Entry, ...]]], ends: Mapping[str, TensorSpec]
) -> Iterator[LayerSpec]:
    for layer, entries in layers:
        roles = (entry.role for entry in entries)
        yield LayerSpec(layer, {role: ends[f"{layer.name}.{role}"] for role in roles})


def _refuse_name(name: str, entry: Entry) -> SpecError:
    """The error for a name that no format can hold."""
    return SpecError(
        "the name of a tensor must not be empty, hold a NUL or be __metadata__; "
        f"got {format_value(name)}",
        entry.path,
        at_key=True,
    )


def _refuse_twice(name: str, entry: Entry, other: Path) -> SpecError:
    """The error for a name that two entries give."""
    where = format_value(other[-1]) if other[0] == "tensors" else format_path(other)
    return SpecError(
        f"two tensors must not have one name; got {format_value(name)}, also from {where}",
        entry.path,
        at_key=True,
    )


def _refuse_circle(names: Sequence[str], tie: _Tie) -> SpecError:
    circle = " → ".join(map(format_value, names[names.index(names[-1]) :][-8:]))
    return SpecError(f"ties must not go in a circle; got {circle}", tie.places["tied"])
