"""The tables that give a tensor its keys: rules and defaults, read and merged key by key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from msgspec import Struct

from xavinit.errors import Faults, Path, SpecError
from xavinit.spec import types
from xavinit.spec.convert import INITS, read_table
from xavinit.spec.expressions import evaluate_at
from xavinit.spec.globs import Glob, parse_glob
from xavinit.spec.initializers import parse_init
from xavinit.wording import format_value

Attempt = Callable[[], object]

MOST_RULES = 10_000  # each may be a warning of its own; a model has some tens

MOST_ROWS = 100  # that are zero: each is looked at for each tensor

# Each key's value and where it was given.
Settings = dict[str, tuple[Any, Path]]


class ParsedRule(Struct, frozen=True):
    """A glob, and the keys it gives to the tensors whose names it matches."""

    text: str
    glob: Glob
    settings: Settings
    path: Path


def parse_rules(data: Any, dims: Mapping[str, int]) -> list[ParsedRule]:
    """The rules in their order; `SpecError` where some are not tables of known keys."""
    if not isinstance(data, list):
        hint = 'each is a table of its own: - {match: "*.bias", init: zeros}'
        raise SpecError(
            f"must be a list; got {format_value(data)}",
            ("rules",),
            hint=hint if isinstance(data, dict) else None,
        )
    if len(data) > MOST_RULES:
        raise SpecError(f"must be at most {MOST_RULES:,} rules; got {len(data):,}", ("rules",))
    rules = []
    faults = Faults()
    for index, entry in enumerate(data):
        try:
            rules.append(_parse_rule(entry, ("rules", index), dims))
        except SpecError as error:
            faults.add(error)
    faults.check()
    return rules


def _parse_rule(entry: Any, path: Path, dims: Mapping[str, int]) -> ParsedRule:
    try:
        return _read_rule(entry, path, dims)
    except SpecError as error:
        raise join_faults(error, entry, path, dims) from None


def _read_rule(entry: Any, path: Path, dims: Mapping[str, int]) -> ParsedRule:
    rule = read_table(entry, types.Rule, path)
    text = rule["match"]
    try:
        glob = parse_glob(text)
    except SpecError as error:
        error.path = (*path, "match")
        raise
    return ParsedRule(text, glob, read_settings(rule, path, dims), path)


def read_settings(table: Mapping[str, Any], path: Path, dims: Mapping[str, int]) -> Settings:
    """The keys a table gives, each with its place; an `init` is parsed."""
    settings: Settings = {}
    for key in types.TensorKeys.__struct_fields__:
        if key in table:
            here = (*path, key)
            value = table[key]
            if key == "init":
                value = parse_init(value, here, dims)
            elif key == "zero_rows":
                value = parse_rows(value, here, dims)
            settings[key] = (value, here)
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


def parse_rows(given: list[int | str], path: Path, dims: Mapping[str, int]) -> tuple[int, ...]:
    """The numbers of a list of rows."""
    if len(given) > MOST_ROWS:
        raise SpecError(f"must be at most {MOST_ROWS:,} rows; got {len(given):,}", path)
    return tuple(evaluate_at(item, dims, (*path, index)) for index, item in enumerate(given))


def join_faults(
    first: SpecError, table: Any, path: Path, dims: Mapping[str, int], *attempts: Attempt
) -> SpecError:
    """The error of a table, which bears those of its initializers and of other attempts.

    They are looked for only now: a table without errors is read in one go.
    """
    faults = Faults()
    faults.add(first)
    keys = [key for key in INITS if key in table] if isinstance(table, dict) else []
    inits: list[Attempt] = [partial(parse_init, table[key], (*path, key), dims) for key in keys]
    for attempt in (*attempts, *inits):
        try:
            attempt()
        except SpecError as error:
            faults.add(error)
    return faults.join()


def merge_settings(base: Settings, over: Settings) -> Settings:
    """Later wins key by key; a layout and axes by number replace each other."""
    if not over:
        return base
    merged = {**base, **over}
    if "layout" in over:
        merged.pop("in_axis", None)
        merged.pop("out_axis", None)
    elif "in_axis" in over:
        merged.pop("layout", None)
    return merged
