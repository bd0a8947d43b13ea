"""Plain data → checked values, table by table and key by key, with our own messages.

msgspec checks each value against the type that `types.py` or `layer_types.py` gives its key. Its
own messages are not used: the place and the rule are known here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, get_args

import msgspec

from xavinit import choices, inits
from xavinit.dtypes import DTYPES
from xavinit.errors import Faults, Path, SpecError
from xavinit.spec.events import NO_SPACE, SPACE_HINT
from xavinit.spec.expressions import suggest_integer
from xavinit.wording import format_choices, format_value, suggest

CHOICES: dict[str, tuple[str, ...]] = {
    "dtype": tuple(DTYPES),
    "layout": get_args(choices.AxisLayout),
    "mode": get_args(choices.Mode),
    "distribution": get_args(choices.Distribution),
    "framework": get_args(choices.FrameworkName),
    "init": inits.NAMES,
    "gain": get_args(choices.GainName),
}

# What each must be whose choices are too many for its line.
_MANY = {
    "dtype": "must be a dtype",
    "init": "must be an initializer",
    "gain": "must be a positive finite number or the name of a gain",
}

# The keys whose value is an initializer.
INITS = ("init", "bias_init", "recurrent_init")

# Keys that people write one table too high: of an initializer, and of every tensor.
_OF_INITS = ("bound", "distribution", "gain", "mode", "std", "value", "values")
_OF_TENSORS = ("dtype", "init", "layout")

_POSITIVE = "must be a positive finite number"
_AXES = "must be an axis (an integer) or a list of axes"
_INTEGER = "must be an integer or an expression"
_SIZES = "must be an integer, an expression, or a list of at least one"
_STRING = "must be a string"
_VALUE = "must be a finite number, true or false"
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
    "dropout": (_BOOL,),
    "forget_bias": ("must be a finite number",),
    "name": (_STRING,),
    "layers": ("must be a list of layers",),
    "stream": (_STRING,),
    "tied": (_STRING,),
    "match": (_STRING,),
    "bound": (_POSITIVE,),
    "std": (_POSITIVE,),
    "value": (_VALUE,),
    "start": ("must be a finite number",),
    "mean": ("must be a finite number",),
    "a": ("must be a finite number",),
    "b": ("must be a finite number",),
    "step": ("must be a finite number",),
    "repeat": (_INTEGER,),
    "values": (f"must be a list of at most {inits.MOST_VALUES:,} numbers", _VALUE),
    "count": (_INTEGER,),
    "zero_rows": ("must be a list of rows", _INTEGER),
    "fans_of": (_STRING,),
    "seed": ("must be an integer",),
}


def read_table(data: Any, kind: type[msgspec.Struct], path: Path) -> dict[str, Any]:
    """The values that a table gives by their keys; `SpecError` with path, rule and value.

    The keys are those of the struct `kind`. Initializers stay as they are written (`parse_init`).
    """
    check_mapping(data, path)
    known = _find_keys(kind)
    tag = kind.__struct_config__.tag_field
    check_keys(data, (tag, *known) if tag else known, path)
    for key, (_, is_required) in known.items():
        if is_required and key not in data:
            raise SpecError(f"must have the key {format_value(key)}", path)
    try:
        return {
            key: value if key in INITS else _convert(key, value, known[key][0], path)
            for key, value in data.items()
            if key in known
        }
    except SpecError:
        raise _find_faults(data, known, path) from None


def _find_faults(
    data: dict[str, Any], known: Mapping[str, tuple[Any, bool]], path: Path
) -> SpecError:
    """The errors of all keys of a table; looked for where there is one."""
    faults = Faults()
    for key, value in data.items():
        if key in known and key not in INITS:
            try:
                _convert(key, value, known[key][0], path)
            except SpecError as error:
                faults.add(error)
    return faults.join()


def read_keys(
    data: dict[str, Any], kind: type[msgspec.Struct], keys: Sequence[str], path: Path
) -> dict[str, Any]:
    """The values of some keys of a table that are fields of a struct."""
    known = _find_keys(kind)
    return {key: _convert(key, data[key], known[key][0], path) for key in keys if key in data}


@cache  # reading a struct's annotations takes half a millisecond
def _find_keys(kind: type[msgspec.Struct]) -> dict[str, tuple[Any, bool]]:
    """The type of each key, and whether the table must have it."""
    fields = msgspec.structs.fields(kind)
    return {field.encode_name: (field.type, field.required) for field in fields}


def _convert(key: str, value: Any, kind: Any, path: Path) -> Any:
    if key in CHOICES and isinstance(value, str) and value not in CHOICES[key]:
        raise explain_value(key, value, (*path, key))
    if _fits(value, kind):
        return msgspec.convert(value, kind)
    if not _fits([1], kind):  # a key that takes no list
        rules = _RULES.get(key, ())
        if rules and rules[0] is _SIZES:  # as another type of layer would
            raise SpecError(f"{_INTEGER}; got {format_value(value)}", (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            if not _fits([item], kind):
                raise explain_value(key, item, (*path, key, index))
    raise explain_value(key, value, (*path, key))


def _fits(value: Any, kind: Any) -> bool:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    return True


def explain_value(key: str, value: Any, path: Path) -> SpecError:
    """The error for a key's value that is of a wrong type or not one of the choices."""
    if key in CHOICES:
        choices = tuple(sorted(CHOICES[key]))
        hint = suggest(value, choices, key)
        got = f"got {format_value(value)}"
        if key in _MANY:
            return SpecError(f"{_MANY[key]}; {got}", path, hint=hint, choices=choices)
        return SpecError(f"must be {format_choices(choices)}; {got}", path, hint=hint)
    rules = _RULES[key]
    rule = rules[-1] if path and isinstance(path[-1], int) else rules[0]
    hint = suggest_integer(value) if rule in (_INTEGER, _SIZES) else None
    return SpecError(f"{rule}; got {format_value(value)}", path, hint=hint)


def check_mapping(data: Any, path: Path) -> None:
    if not isinstance(data, dict):
        hint = SPACE_HINT if isinstance(data, str) and re.match(NO_SPACE, data) else None
        raise SpecError(f"must be a mapping; got {format_value(data)}", path, hint=hint)


def check_keys(data: dict[str, Any], known: Iterable[str], path: Path) -> None:
    """Refuse the keys that are not known, with a hint or the nearest that is."""
    known = tuple(sorted(known))
    faults = Faults()
    for key in data:
        if key not in known:
            faults.add(_refuse_key(key, known, path))
    faults.check()


def _refuse_key(key: str, known: tuple[str, ...], path: Path) -> SpecError:
    hint = SPACE_HINT if re.match(NO_SPACE, key) else None
    if key in _OF_INITS and "init" in known:
        hint = f"it is a key of an initializer: init: {{type: …, {key}: …}}"
    elif key in _OF_TENSORS and not path:
        hint = f"for all tensors, write defaults: {{{key}: …}}"
    hint = hint or suggest(key, known, "key")
    return SpecError(
        f"unknown key {format_value(key)}",
        (*path, key),
        hint=hint,
        choices=() if hint else known,
        at_key=True,
    )
