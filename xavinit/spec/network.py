"""The entries of `layers` → a tree of layers and groups, checked, each size evaluated."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from msgspec import Struct, structs

from xavinit import inits
from xavinit.errors import Faults, Path, SpecError
from xavinit.layers import DRAW, GATES, TENSORS_OF_A_CELL, Layer, Sizes, list_parts
from xavinit.spec.convert import INITS, check_mapping, explain_value, read_table
from xavinit.spec.entries import Entry, make_entry
from xavinit.spec.expressions import check_expression, evaluate_at
from xavinit.spec.initializers import is_finite, parse_init
from xavinit.spec.layer_types import LAYER_TYPES, Draw, LayerGroup
from xavinit.spec.names import (
    MOST_TENSORS,
    NOTHING,
    Brace,
    Extent,
    Pattern,
    check_length,
    make_pattern,
    measure,
    measure_range,
    parse_pattern,
)
from xavinit.spec.settings import Settings, join_faults, parse_rows
from xavinit.wording import format_value, suggest

NO_GROUP = make_pattern(())


class Node(Struct, frozen=True, dict=True):  # dict: for the cached property
    """A layer, or a group of nodes; it is repeated for each name that its pattern gives.

    `extent` is that of the names of all its tensors, with the names of the groups around it.
    """

    pattern: Pattern
    path: Path
    extent: Extent
    children: tuple[Node, ...] = ()
    type: str = ""
    sizes: Sizes = Sizes()
    has_bias: bool = True
    braces: tuple[Brace, ...] = ()  # of its name and of the groups around it
    own: Settings = {}

    @property
    def draws(self) -> bool:
        """Does it, or what is in it, only take from the stream of an rng?"""
        return self.type == DRAW or any(child.draws for child in self.children)

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """One for each part of the layer; listed when the spec is known to be none too large."""
        if self.type == DRAW:
            return ()
        parts = list_parts(self.type, self.sizes, self.has_bias)
        return tuple(make_entry(part, self.path, self.braces, self.own) for part in parts)


def parse_layers(
    data: Any,
    dims: Mapping[str, int],
    path: Path = ("layers",),
    outer: Pattern = NO_GROUP,
) -> tuple[Node, ...]:
    """The nodes of a list of layers and groups; `SpecError` with the paths of the faults.

    Those that stand for nothing are checked and left out. `outer` is the name of the groups around
    the list.
    """
    if not isinstance(data, list):
        raise SpecError(f"must be a list of layers; got {format_value(data)}", path)
    nodes = []
    faults = Faults()
    for index, item in enumerate(data):
        try:
            node = _parse_node(item, dims, (*path, index), outer)
        except SpecError as error:
            faults.add(error)
            continue
        if node.extent.count or node.draws:
            nodes.append(node)
    faults.check()
    return tuple(nodes)


def list_leaves(nodes: tuple[Node, ...]) -> Iterator[Node]:
    """The layers of a tree, each once, however many names it has."""
    for node in nodes:
        if node.children:
            yield from list_leaves(node.children)
        else:
            yield node


def expand_layers(
    nodes: tuple[Node, ...], prefix: str = "", words: tuple[str, ...] = ()
) -> Iterator[tuple[Layer, tuple[str, ...], Node]]:
    """Each layer with the words of its braces: all of a group for its first name, then the next."""
    for node in nodes:
        if node.type == DRAW:
            yield Layer(prefix, DRAW, node.sizes), words, node
            continue
        for name, own_words in node.pattern.expand():
            if "" in name.split("."):
                raise SpecError(
                    "the name of a layer must be parts with dots between, none empty; "
                    f"got {format_value(name)}",
                    (*node.path, "name"),
                )
            if node.children:
                yield from expand_layers(node.children, f"{prefix}{name}.", (*words, *own_words))
            else:
                yield Layer(prefix + name, node.type, node.sizes), (*words, *own_words), node


def _parse_node(data: Any, dims: Mapping[str, int], path: Path, outer: Pattern) -> Node:
    try:
        return _read_node(data, dims, path, outer)
    except SpecError as error:
        raise join_faults(error, data, path, dims) from None


def _read_node(data: Any, dims: Mapping[str, int], path: Path, outer: Pattern) -> Node:
    check_mapping(data, path)
    if "layers" in data and "type" not in data:
        group = read_table(data, LayerGroup, path)
        pattern = _parse_name(group["name"], dims, path)
        if group["layers"] == []:
            raise SpecError("a group must have a layer; got []", (*path, "layers"))
        within = make_pattern((*outer.pieces, *pattern.pieces, "."))
        children = parse_layers(group["layers"], dims, (*path, "layers"), within)
        extent = sum((child.extent for child in children), start=NOTHING)
        return Node(pattern, path, extent, children)
    if data.get("type") == DRAW:
        count = _evaluate_size(read_table(data, Draw, path).get("count", 1), dims, (*path, "count"))
        return Node(NO_GROUP, path, NOTHING, (), DRAW, Sizes(outs=(count,)))
    if "type" not in data:
        raise SpecError('must have the key "type" (or "layers", for a group)', path)
    kind = data["type"]
    if not isinstance(kind, str) or kind not in LAYER_TYPES:
        raise SpecError(
            f"must be a type of layer; got {format_value(kind)}",
            (*path, "type"),
            hint=suggest(kind, LAYER_TYPES, "layer"),
            choices=tuple(sorted(LAYER_TYPES)),
        )
    table = read_table(data, LAYER_TYPES[kind], path)
    sizes = _read_sizes(table, kind, dims, path)
    pattern = _parse_name(table["name"], dims, path)
    whole = make_pattern((*outer.pieces, *pattern.pieces))
    own = _read_own(table, sizes, dims, path)
    has_bias = table.get("bias", True)
    extent = whole.extent * _measure_roles(kind, sizes, has_bias)
    try:
        check_length(extent, table["name"])
    except SpecError as error:
        error.path = (*path, "name")
        raise
    return Node(pattern, path, extent, (), kind, sizes, has_bias, whole.braces, own)


def _measure_roles(kind: str, sizes: Sizes, has_bias: bool) -> Extent:
    """The extent of what a layer's parts add to its name.

    The parts of a stack are those of its first layer, each with another number for the 0.
    """
    first = structs.replace(sizes, num_layers=1)
    roles = measure([f".{part.role}" for part in list_parts(kind, first, has_bias)])
    if sizes.num_layers == 1:
        return roles
    numbers = measure_range(0, sizes.num_layers)
    return Extent(
        roles.count * numbers.count,
        roles.nbytes * numbers.count + roles.count * (numbers.nbytes - numbers.count),
        roles.longest + numbers.longest - 1,
        roles.dividers,
    )


def _parse_name(name: str, dims: Mapping[str, int], path: Path) -> Pattern:
    try:
        return parse_pattern(name, dims)
    except SpecError as error:
        error.path = (*path, "name")
        raise


def _read_sizes(data: Mapping[str, Any], kind: str, dims: Mapping[str, int], path: Path) -> Sizes:
    """The sizes that the table gives: each a positive integer, and groups and heads divide them."""

    def read(key: str) -> tuple[int, ...]:
        given = data.get(key, 1)
        items = given if isinstance(given, list) else [given]
        steps: list[Path] = [(i,) if isinstance(given, list) else () for i in range(len(items))]
        return tuple(
            _evaluate_size(item, dims, (*path, key, *step))
            for item, step in zip(items, steps, strict=True)
        )

    def read_axes(key: str) -> tuple[int, ...]:
        """A size for each spatial axis; one number is for all of them."""
        rank: int = LAYER_TYPES[kind].spatial_rank  # type: ignore[attr-defined]  # all with a kernel
        values = read(key)
        if not isinstance(data.get(key, 1), list):
            return values * rank
        if len(values) != rank:
            got = format_value(data[key])
            raise SpecError(f"must be an integer or a list of {rank}; got {got}", (*path, key))
        return values

    known = LAYER_TYPES[kind].__struct_encode_fields__
    outs = next((key for key in ("out", "hidden", "size") if key in known), None)
    sizes = Sizes(
        ins=read("in") if "in" in known else (),
        outs=read(outs) if outs else (),
        kernel=read_axes("kernel") if "kernel" in known else (),
        stride=read_axes("stride") if "stride" in known else (),
        groups=read("groups")[0],
        multiplier=read("multiplier")[0],
        num_layers=read("num_layers")[0],
        directions=2 if data.get("bidirectional") else 1,
        heads=read("heads")[0],
        kv_heads=read("kv_heads")[0] if "kv_heads" in data else 0,
        has_dropout=data.get("dropout", False),
    )
    count = TENSORS_OF_A_CELL * sizes.num_layers * sizes.directions
    if count > MOST_TENSORS:  # before each is listed
        raise SpecError(
            f"must be at most {MOST_TENSORS:,} tensors; got {format_value(count)}",
            (*path, "num_layers"),
        )
    _check_division(sizes, path)
    return sizes


def _check_division(sizes: Sizes, path: Path) -> None:
    """Groups and heads hold equal shares."""
    for key, values in (("in", sizes.ins), ("out", sizes.outs)):
        if math.prod(values) % sizes.groups:
            raise SpecError(
                f"must divide in and out; got {sizes.groups} for {key}: {math.prod(values)}",
                (*path, "groups"),
            )
    for part, key, count, whole in (
        (sizes.heads, "heads", "size", math.prod(sizes.outs)),
        (sizes.kv_heads or 1, "kv_heads", "heads", sizes.heads),
    ):
        if whole % part:
            fact = f"must divide {count}; got {part} for {count}: {whole}"
            raise SpecError(fact, (*path, key))


def _evaluate_size(item: Any, dims: Mapping[str, int], path: Path) -> int:
    size = evaluate_at(check_expression(item, path), dims, path)
    if size < 1:
        said = f"{item} = {size}" if isinstance(item, str) else size
        raise SpecError(f"must be a positive integer; got {said}", path)
    return size


def _read_own(
    table: Mapping[str, Any], sizes: Sizes, dims: Mapping[str, int], path: Path
) -> Settings:
    """What the layer says of its parts: dtype, seed, rows that are zero and initializers."""
    settings: Settings = {}
    if "dtype" in table:
        settings["dtype"] = (table["dtype"], (*path, "dtype"))
    if "seed" in table:
        settings["seed"] = (table["seed"], (*path, "seed"))
    if "zero_rows" in table:
        rows = (*path, "zero_rows")
        settings["zero_rows"] = (parse_rows(table["zero_rows"], rows, dims), rows)
    for key in INITS:
        if key in table:
            settings[key] = (parse_init(table[key], (*path, key), dims), (*path, key))
    if "forget_bias" in table:
        forget_bias, place = table["forget_bias"], (*path, "forget_bias")
        if "bias_init" in settings:
            fact = "forget_bias and bias_init are of one bias; got both"
            raise SpecError(fact, place, at_key=True)
        if not is_finite(forget_bias):
            raise explain_value("forget_bias", forget_bias, place)
        gate = GATES["lstm"].index("f")
        init = inits.GateConstant(value=forget_bias, gate=gate, size=sizes.outs[0])
        settings["bias_init"] = (init, place)
    if "bias_init" in settings and not table.get("bias", True):
        raise SpecError(
            "must not be given where bias is false", settings["bias_init"][1], at_key=True
        )
    return settings
