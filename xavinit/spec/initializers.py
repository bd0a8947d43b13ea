"""The value of an `init` key → an initializer: a name, or a table with its `type`."""

from __future__ import annotations

import math
from typing import Any

from msgspec import structs

from xavinit import inits
from xavinit.errors import Path, SpecError
from xavinit.spec.convert import CHOICES, check_keys, explain_value, read_keys
from xavinit.wording import format_choices, format_value, suggest

# Whatever any initializer takes: another key is unknown, these may be another initializer's.
_ALL_KEYS = (
    "type",
    *dict.fromkeys(key for kind in inits.KINDS.values() for key in kind.__struct_fields__[1:]),
)


def parse_init(given: Any, path: Path) -> inits.Init:
    """The initializer of a name or table, its keys those that it takes and their values finite."""
    if isinstance(given, str) and given in inits.NAMES:
        return _make_init(given, {}, path)
    if not isinstance(given, dict):
        names = format_choices(inits.NAMES)
        raise SpecError(
            f"must be {names}, or a table with one of these as its type; got {format_value(given)}",
            path,
            hint=suggest(given, inits.NAMES),
        )
    check_keys(given, _ALL_KEYS, path)
    if "type" not in given:
        raise SpecError('must have the key "type"', path)
    name = given["type"]
    if not isinstance(name, str) or name not in CHOICES["init"]:
        raise explain_value("init", name, (*path, "type"))
    return _make_init(name, given, path)


def _make_init(name: str, given: dict[str, Any], path: Path) -> inits.Init:
    needed, optional = inits.list_keys(name)
    kind = inits.VarianceScaling if name in inits.NAMED else inits.KINDS[name]
    values = read_keys(given, kind, (*needed, *optional), path)
    for key in needed:
        if key not in given:
            raise SpecError(f"{name} must have the key {format_value(key)}", path)
    for key in given:
        if key not in (*needed, *optional, "type"):
            raise SpecError(
                f"{name} does not take the key {format_value(key)}",
                (*path, key),
                hint=f"it takes {', '.join((*needed, *optional)) or 'no key but type'}",
                at_key=True,
            )
    for key, value in values.items():
        if not isinstance(value, str) and not is_finite(value):
            raise explain_value(key, value, (*path, key))
    return structs.replace(inits.NAMED[name], **values) if name in inits.NAMED else kind(**values)


def is_finite(value: float) -> bool:
    """Is it a number that float64 can hold?"""
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond float64
        return False
