"""Plain data → the structs of `types`, with our own messages.

msgspec does the checking; its messages tell neither the value nor the file. So each table is
converted on its own, the place is read off the error, and the rule and the offending value are
put into words here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import Any, TypeVar, get_args

import msgspec

from xavinit.errors import Path, SpecError
from xavinit.spec import types
from xavinit.spec.layer_types import LAYER_TYPES
from xavinit.wording import format_choices, format_value, suggest

Table = TypeVar("Table", bound=msgspec.Struct)

CHOICES: dict[str, tuple[str, ...]] = {
    "dtype": get_args(types.DTypeName),
    "layout": get_args(types.Layout),
    "mode": get_args(types.Mode),
    "distribution": get_args(types.Distribution),
    "framework": get_args(types.Framework),
    "init": get_args(types.InitName),
    "bias_init": get_args(types.InitName),
    "recurrent_init": get_args(types.InitName),
    "layer": tuple(LAYER_TYPES),
    "type": get_args(types.InitName),
    "gain": get_args(types.GainName),
}

# The keys whose value is an initializer.
INITS = ("init", "bias_init", "recurrent_init")

_POSITIVE = "must be a positive finite number"
_AXES = "must be an axis (an integer) or a list of at least one"
_INTEGER = "must be an integer or an expression"
_SIZES = "must be an integer, an expression, or a list of at least one"
_STRING = "must be a string"
_BOOL = "must be true or false"
# What a key's value must be; a second entry is for the items of its list.
_RULES: dict[str, tuple[str, ...]] = {
    "shape": ("must be a list of dimensions", _INTEGER),
    "in_axis": (_AXES, _AXES),
    "out_axis": (_AXES, _AXES),
    "batch_axis": (_AXES, _AXES),
    "fused": (_INTEGER,),
    "in": (_SIZES, _INTEGER),
    "out": (_SIZES, _INTEGER),
    "kernel": (_SIZES, _INTEGER),
    "stride": (_SIZES, _INTEGER),
    "size": (_INTEGER,),
    "groups": (_INTEGER,),
    "multiplier": (_INTEGER,),
    "hidden": (_INTEGER,),
    "num_layers": (_INTEGER,),
    "heads": (_INTEGER,),
    "kv_heads": (_INTEGER,),
    "bias": (_BOOL,),
    "bidirectional": (_BOOL,),
    "forget_bias": ("must be a finite number",),
    "name": (_STRING,),
    "layers": ("must be a list of layers",),
    "stream": (_STRING,),
    "tied": (_STRING,),
    "match": (_STRING,),
    "bound": (_POSITIVE,),
    "std": (_POSITIVE,),
    "value": ("must be a finite number, true or false",),
}

_PLACE = re.compile(r" - at `\$(.*)`\Z")
_STEP = re.compile(r"\.([A-Za-z_]+)|\[(\d+)\]")


def convert_table(data: Any, kind: type[Table], path: Path) -> Table:
    """One table as a struct; `SpecError` with the path, the rule and the value where it is not."""
    check_mapping(data, path)
    tag = (kind.__struct_config__.tag_field,) if kind.__struct_config__.tag_field else ()
    check_keys(data, (*tag, *kind.__struct_encode_fields__), path)
    for key in INITS:
        if isinstance(data.get(key), dict):
            check_keys(data[key], types.Init.__struct_fields__, (*path, key))
    for key in _find_required(kind):
        if key not in data:
            raise SpecError(f"must have the key {format_value(key)}", path)
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        raise _explain(str(error), data, path) from None


@cache  # reading a struct's annotations takes half a millisecond
def _find_required(kind: type[msgspec.Struct]) -> tuple[str, ...]:
    return tuple(field.encode_name for field in msgspec.structs.fields(kind) if field.required)


def _explain(message: str, data: Any, path: Path) -> SpecError:
    place = _PLACE.search(message)
    steps: Path = tuple(
        name or int(index) for name, index in _STEP.findall(place[1] if place else "")
    )
    value = data
    for step in steps:
        if step not in value and not isinstance(step, int):
            # A table lacks a key that it needs: only `type` of an init.
            return SpecError(f"must have the key {format_value(step)}", (*path, *steps[:-1]))
        value = value[step]
    if steps and "missing required field" in message:
        return SpecError('must have the key "type"', (*path, *steps))
    key = next((step for step in reversed(steps) if isinstance(step, str)), "")
    if key in _RULES and _RULES[key][0] is _SIZES and "array" not in message.partition("got")[0]:
        key = "size"  # of a layer that takes no list here
    return explain_value(key, value, (*path, *steps))


def explain_value(key: str, value: Any, path: Path) -> SpecError:
    """The error for a key's value that is of a wrong type or not one of the choices."""
    if key in CHOICES:
        rule = f"must be {format_choices(CHOICES[key])}"
        if key == "gain":
            rule = f"must be a positive finite number, {format_choices(CHOICES[key])}"
        elif key in INITS:
            rule += ", or a table with one of these as its type"
        hint = suggest(value, CHOICES[key])
        return SpecError(f"{rule}; got {format_value(value)}", path, hint=hint)
    rules = _RULES[key]
    rule = rules[-1] if path and isinstance(path[-1], int) else rules[0]
    return SpecError(f"{rule}; got {format_value(value)}", path)


def check_mapping(data: Any, path: Path) -> None:
    if not isinstance(data, dict):
        raise SpecError(f"must be a mapping; got {format_value(data)}", path)


def check_keys(
    data: dict[str, Any], known: Iterable[str], path: Path, *, hint: str | None = None
) -> None:
    """Refuse the first key that is not known, with a hint or the nearest that is."""
    for key in data:
        if key not in known:
            raise SpecError(
                f"unknown key {format_value(key)}",
                (*path, key),
                hint=hint or suggest(key, known) or f"keys here: {', '.join(sorted(known))}",
                at_key=True,
            )
