"""The value of an `init` key → an initializer: a name, or a table with its `type`."""

from __future__ import annotations

import math
from typing import Any

from msgspec import structs

from xavinit import inits
from xavinit.errors import Path, SpecError
from xavinit.spec.convert import CHOICES, check_keys, explain_value, read_keys
from xavinit.wording import find_meant, format_value, suggest

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
        raise SpecError(
            f"must be an initializer, or a table with its type; got {format_value(given)}",
            path,
            hint=_suggest_init(given),
            choices=tuple(sorted(inits.NAMES)),
        )
    check_keys(given, _ALL_KEYS, path)
    if "type" not in given:
        raise SpecError('must have the key "type"', path)
    name = given["type"]
    if not isinstance(name, str) or name not in CHOICES["init"]:
        raise explain_value("init", name, (*path, "type"))
    return _make_init(name, given, path)


def _suggest_init(given: Any) -> str | None:
    """The hint about what stands for an initializer: a name elsewhere, or a number."""
    if isinstance(given, int | float) and not isinstance(given, bool) and is_finite(given):
        name = "zeros" if given == 0 else "ones" if given == 1 else None
        value = format_value(given)
        return f"did you mean {name or f'{{type: constant, value: {value}}}'}?"
    if isinstance(given, str) and (name := find_meant(given, inits.NAMES, "init")):
        needed = inits.list_keys(name)[0]
        if needed:
            return f"did you mean {{type: {name}, {', '.join(f'{key}: …' for key in needed)}}}?"
    return suggest(given, inits.NAMES, "init")


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
