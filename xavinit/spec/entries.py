"""What the spec lists, parsed: an entry of `tensors`, or a part of an entry of `layers`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any

from msgspec import Struct

from xavinit.errors import Faults, Path, SpecError
from xavinit.layers import Axes, Part
from xavinit.spec import types
from xavinit.spec.convert import check_mapping, read_table
from xavinit.spec.expressions import LARGEST_VALUE, check_expression, evaluate_at, is_integer
from xavinit.spec.names import Brace, Pattern, parse_pattern
from xavinit.spec.settings import Settings, join_faults, read_settings
from xavinit.wording import format_value

HIGHEST_RANK = 32  # what HDF5 and NumPy 1 can hold


_LONGEST_SHAPE = 200  # characters of a text that may be meant as a shape
_BETWEEN = r"\s*,\s*|\s*×\s*|(?<=[0-9])x(?=[0-9])"
_DIMENSION = r"[A-Za-z0-9_]+(?:\s*(?://|[-+*])\s*[A-Za-z0-9_]+)*"


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
    if isinstance(tensors, list):
        raise _refuse_list(tensors)
    check_mapping(tensors, ("tensors",))
    entries = []
    faults = Faults()
    for name in tensors:
        try:
            entries.append(_parse_entry(name, tensors[name], dims))
        except SpecError as error:
            faults.add(error)
    faults.check()
    return entries


def make_entry(part: Part, path: Path, braces: tuple[Brace, ...], settings: Settings) -> Entry:
    """The entry of a part of a layer, of which these are the settings."""
    base: Settings = {}
    if part.init is not None:
        base["init"] = (part.init, path)
    if part.dtype is not None:
        base["dtype"] = (part.dtype, path)
    own: Settings = {k: value for k, value in settings.items() if k in ("dtype", "zero_rows")}
    if part.is_fixed:
        base, own = {}, {**own, **base}
    elif part.key is not None and part.key in settings:
        own["init"] = settings[part.key]
    if part.key == "init" and "seed" in settings:
        own["seed"] = settings["seed"]
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
        return _read_entry(name, data, dims, path)
    except SpecError as error:
        shape = data.get("shape") if isinstance(data, dict) else None
        sizes = shape if isinstance(shape, list) else []
        parse = partial(_parse_shape, sizes, (*path, "shape"), dims)
        raise join_faults(error, data, path, dims, parse) from None


def _read_entry(name: str, data: Any, dims: Mapping[str, int], path: Path) -> tuple[Entry, Pattern]:
    try:
        pattern = parse_pattern(name, dims)
    except SpecError as error:
        error.path, error.at_key = path, True
        raise
    if isinstance(data, list):
        shape = _parse_shape(data, path, dims)
        return Entry(path, pattern.braces, shape, path, {}), pattern
    if not isinstance(data, dict):
        fact = f"must be a list of dimensions or a table; got {format_value(data)}"
        raise SpecError(fact, path, hint=suggest_shape(data))
    if isinstance(data.get("shape"), str) and (hint := suggest_shape(data["shape"])):
        fact = f"must be a list of dimensions; got {format_value(data['shape'])}"
        raise SpecError(fact, (*path, "shape"), hint=hint)
    table = read_table(data, types.TensorTable, path)
    shape_path: Path = (*path, "shape")
    given = _parse_shape(table["shape"], shape_path, dims) if "shape" in table else None
    settings = read_settings(table, path, dims)
    return Entry(path, pattern.braces, given, shape_path, settings), pattern


def _refuse_list(tensors: list[Any]) -> SpecError:
    """The error for a list where names stand before shapes."""
    hint = "name each, as in w: [3, 4]"
    tables = [item for item in tensors if isinstance(item, dict)]
    if any("type" in item for item in tables):
        hint = "a list of layers stands under layers"
    elif any(len(item) == 1 for item in tables):
        hint = "write the names without dashes before them"
    return SpecError(f"must be a mapping; got {format_value(tensors)}", ("tensors",), hint=hint)


def suggest_shape(data: Any) -> str | None:
    """The hint where a shape is written as elsewhere: (3, 4), 3, 4, 3x4, or one number.

    >>> suggest_shape("(3, d)")
    'a shape is a list: [3, d]'
    """
    if is_integer(data) and data >= 0:
        return f"a shape is a list: [{data}]"
    if not isinstance(data, str) or len(data) > _LONGEST_SHAPE:
        return None
    text = data.strip()
    if text.startswith("(") and not text.endswith(")"):  # in {…}, YAML cuts it at its commas
        return "a shape is a list, as in [3, 4]"
    items = re.split(_BETWEEN, text.strip("()").rstrip(", "))
    if not all(re.fullmatch(_DIMENSION, item) for item in items):
        return None
    return f"a shape is a list: [{', '.join(items)}]"


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
