"""What the spec lists, parsed: an entry of `tensors`, or a part of an entry of `layers`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from xavinit.errors import Path, SpecError
from xavinit.layers import Axes, Part
from xavinit.spec import types
from xavinit.spec.convert import check_mapping, read_table
from xavinit.spec.expressions import LARGEST_VALUE, check_expression, evaluate
from xavinit.spec.names import Brace, Pattern, parse_pattern
from xavinit.spec.settings import Settings, read_settings
from xavinit.wording import format_value

HIGHEST_RANK = 32  # what HDF5 and NumPy 1 can hold


class Entry(Struct, frozen=True):
    """What the tensors of one key of `tensors`, or of one part of a layer, have in common.

    Later settings win: the spec's defaults, `base`, rules, `own`. `axes` is None where the settings
    give them.
    """

    path: Path
    braces: tuple[Brace, ...]  # of its name, which its references may use
    shape: tuple[int, ...] | None
    shape_path: Path
    own: Settings
    base: Settings = {}
    axes: Axes | None = None
    role: str = ""
    is_fixed: bool = False  # its own settings always win


def parse_entries(tensors: Any, dims: Mapping[str, int]) -> list[tuple[Entry, Pattern]]:
    """The entries of `tensors`, each with the pattern of its names."""
    check_mapping(tensors, ("tensors",))
    return [_parse_entry(name, tensors[name], dims) for name in tensors]


def make_entry(part: Part, path: Path, braces: tuple[Brace, ...], settings: Settings) -> Entry:
    """The entry of a part of a layer, of which these are the settings."""
    base: Settings = {}
    if part.init is not None:
        base["init"] = (part.init, path)
    if part.dtype is not None:
        base["dtype"] = (part.dtype, path)
    own: Settings = {key: value for key, value in settings.items() if key == "dtype"}
    if part.is_fixed:
        base, own = {}, {**own, **base}
    elif part.key is not None and part.key in settings:
        own["init"] = settings[part.key]
    return Entry(
        path=path,
        braces=braces,
        shape=part.shape,
        shape_path=path,
        own=own,
        base=base,
        axes=part.axes,
        role=part.role,
        is_fixed=part.is_fixed,
    )


def _parse_entry(name: str, data: Any, dims: Mapping[str, int]) -> tuple[Entry, Pattern]:
    path: Path = ("tensors", name)
    try:
        pattern = parse_pattern(name, dims)
    except SpecError as error:
        error.path, error.at_key = path, True
        raise
    if isinstance(data, list):
        shape = _parse_shape(data, path, dims)
        return Entry(path, pattern.braces, shape, path, {}), pattern
    if not isinstance(data, dict):
        raise SpecError(f"must be a list of dimensions or a table; got {format_value(data)}", path)
    table = read_table(data, types.TensorTable, path)
    shape_path: Path = (*path, "shape")
    given = _parse_shape(table["shape"], shape_path, dims) if "shape" in table else None
    settings = read_settings(table, path, dims)
    return Entry(path, pattern.braces, given, shape_path, settings), pattern


def _parse_shape(data: list[Any], path: Path, dims: Mapping[str, int]) -> tuple[int, ...]:
    if len(data) > HIGHEST_RANK:
        raise SpecError(f"must be at most {HIGHEST_RANK} dimensions; got {len(data)}", path)
    shape = []
    for index, item in enumerate(data):
        if type(item) is int and 0 <= item <= LARGEST_VALUE:  # as nearly all are
            shape.append(item)
            continue
        here: Path = (*path, index)
        size = evaluate_at(check_expression(item, here), dims, here)
        if size < 0:
            said = f"{item} = {size}" if isinstance(item, str) else size
            raise SpecError(f"must be a positive integer or zero; got {said}", here)
        shape.append(size)
    return tuple(shape)


def evaluate_at(expression: int | str, dims: Mapping[str, int], path: Path) -> int:
    """The value of an expression; an error knows its place."""
    try:
        return evaluate(expression, dims)
    except SpecError as error:
        error.path = path
        raise
