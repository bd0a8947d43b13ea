"""What a spec lists → every tensor and layer in order, each tensor with its family."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from xavinit.errors import Faults, SpecError
from xavinit.layers import Layer
from xavinit.spec.entries import Entry
from xavinit.spec.families import OF_TENSORS, Family, RuleSet, Sorter
from xavinit.spec.listed import Listed
from xavinit.spec.names import MOST_NAME_BYTES, MOST_TENSORS, Pattern, expand_block
from xavinit.spec.settings import ParsedRule, Settings
from xavinit.spec.ties import NamedTensors, TensorSpec
from xavinit.wording import format_value


class LayerSpec(Struct, frozen=True):
    """One layer: its parts by their roles."""

    layer: Layer
    parts: Mapping[str, TensorSpec]


Listing = tuple[TensorSpec | LayerSpec, ...]


def expand_tensors(
    written: Listed, dims: Mapping[str, int], defaults: Settings, rules: list[ParsedRule]
) -> tuple[tuple[Family, ...], Listing, list[bool | str]]:
    """The families of what a spec lists, its tensors and layers in order, and the rules' use.

    For each rule: does it match a tensor? Where it matches none but those that it cannot change,
    the name of one of them.
    """
    families: list[Family] = []
    rule_set = RuleSet(rules)
    # A layer knows its own axes; what the defaults say of them, as of other keys that it does not
    # take, is for raw tensors.
    below = {key: value for key, value in defaults.items() if key not in OF_TENSORS}

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
    names = NamedTensors(families)
    faults = Faults()
    listed: list[str] = []
    for block in _list_blocks(entries):
        block_sorters = [sort(entry) for entry, _ in block]
        try:
            for number, name, words in expand_block([pattern for _, pattern in block]):
                names.add(name, words, block_sorters[number])
                listed.append(name)
        except SpecError as error:
            faults.add(error)
    layers: list[tuple[Layer, tuple[Entry, ...]]] = []
    if nodes:
        from xavinit.spec.network import expand_layers, list_leaves

        sorters = {
            leaf.path: [sort(entry) for entry in leaf.entries] for leaf in list_leaves(nodes)
        }
        for layer, words, node in expand_layers(nodes):
            try:
                for sorter in sorters[node.path]:
                    names.add(f"{layer.name}.{sorter.entry.role}", words, sorter)
            except SpecError as error:
                faults.add(error)
            layers.append((layer, node.entries))
    faults.check()
    ends = names.follow_ties()
    if names.has_fans_of:
        names.take_fans(ends)
        ends = names.follow_ties()
    listing: list[TensorSpec | LayerSpec] = [ends[name] for name in listed]
    listing += _list_layers(layers, ends)
    return tuple(families), tuple(listing), rule_set.used


def _list_blocks(
    entries: Sequence[tuple[Entry, Pattern]],
) -> Iterator[list[tuple[Entry, Pattern]]]:
    """Consecutive entries whose names have one head: they expand together, as the blocks of a
    model do. Any other entry is by itself.
    """
    block: list[tuple[Entry, Pattern]] = []
    held: str | None = None
    for entry, pattern in entries:
        head = pattern.head
        if block and (head is None or head != held):
            yield block
            block = []
        block.append((entry, pattern))
        held = head
    if block:
        yield block


def _list_layers(
    layers: Sequence[tuple[Layer, tuple[Entry, ...]]], ends: Mapping[str, TensorSpec]
) -> Iterator[LayerSpec]:
    for layer, entries in layers:
        roles = (entry.role for entry in entries)
        yield LayerSpec(layer, {role: ends[f"{layer.name}.{role}"] for role in roles})
