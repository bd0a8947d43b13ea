"""The tables that give a tensor its keys: rules and defaults, read and merged key by key."""

from __future__ import annotations

import fnmatch
import math
import re
from typing import Any

from msgspec import UNSET, Struct

from xavinit.errors import Path, SpecError
from xavinit.spec import types
from xavinit.spec.convert import convert_table, explain_value
from xavinit.wording import format_value

# Each key's value and where it was given.
Settings = dict[str, tuple[Any, Path]]


class ParsedRule(Struct, frozen=True):
    """A glob, and the keys it gives to the tensors whose names it matches."""

    glob: str
    matches: re.Pattern[str]
    settings: Settings
    path: Path


def parse_rules(data: Any) -> list[ParsedRule]:
    """The rules in their order; `SpecError` where one is not a table of known keys."""
    if not isinstance(data, list):
        raise SpecError(f"must be a list; got {format_value(data)}", ("rules",))
    rules = []
    for index, entry in enumerate(data):
        path: Path = ("rules", index)
        rule = convert_table(entry, types.Rule, path)
        matches = re.compile(fnmatch.translate(rule.match))
        rules.append(ParsedRule(rule.match, matches, read_settings(rule, path), path))
    return rules


def read_settings(table: types.TensorKeys, path: Path) -> Settings:
    """The keys a table gives, each with its place; an `init` already parsed."""
    settings: Settings = {}
    for key in types.TensorKeys.__struct_fields__:
        value = getattr(table, key)
        if value is not UNSET:
            settings[key] = (value, (*path, key))
    if table.init is not UNSET:
        settings["init"] = (parse_init(table.init, (*path, "init")), (*path, "init"))
    if "layout" in settings and ("in_axis" in settings or "out_axis" in settings):
        raise SpecError(
            "must have either layout or in_axis and out_axis; got both",
            (*path, "layout"),
            at_key=True,
        )
    for given, missing in (("in_axis", "out_axis"), ("out_axis", "in_axis")):
        if given in settings and missing not in settings:
            raise SpecError(
                f"in_axis and out_axis go together; {missing} is missing",
                (*path, given),
                at_key=True,
            )
    if "tied" in settings and len(settings) > 1:
        extra = min(key for key in settings if key != "tied")
        raise SpecError(
            f"tied takes no other key; got {format_value(extra)} too", (*path, extra), at_key=True
        )
    return settings


def parse_init(given: types.InitName | types.Init, path: Path) -> types.Init:
    """The initializer of a name or table, its keys those that it takes and their values finite."""
    init = types.Init(given) if isinstance(given, str) else given
    needed, optional = types.INIT_KEYS[init.type]
    for key in init.__struct_fields__[1:]:
        value = getattr(init, key)
        if value is UNSET:
            if key in needed:
                raise SpecError(f"{init.type} must have the key {format_value(key)}", path)
            continue
        if key not in needed and key not in optional:
            raise SpecError(
                f"{init.type} does not take the key {format_value(key)}",
                (*path, key),
                hint=f"it takes {', '.join((*needed, *optional)) or 'no key but type'}",
                at_key=True,
            )
        if not isinstance(value, str) and not is_finite(value):
            raise explain_value(key, value, (*path, key))
    return init


def is_finite(value: float) -> bool:
    """Is it a number that float64 can hold?"""
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond float64
        return False


def merge_settings(base: Settings, over: Settings) -> Settings:
    """Later wins key by key; a layout and axes by number replace each other."""
    merged = {**base, **over}
    if "layout" in over:
        merged.pop("in_axis", None)
        merged.pop("out_axis", None)
    elif "in_axis" in over:
        merged.pop("layout", None)
    return merged
