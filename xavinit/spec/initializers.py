"""The value of an `init` key → an initializer: a name, or a table with its `type`."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from msgspec import structs

from xavinit import inits
from xavinit.errors import Path, SpecError
from xavinit.spec.convert import CHOICES, check_keys, explain_value, read_keys
from xavinit.spec.expressions import evaluate
from xavinit.spec.numbers import SIGNED, explain_number, parse_number
from xavinit.wording import cut, find_meant, format_value, suggest

# Whatever any initializer takes: another key is unknown, these may be another initializer's.
_ALL_KEYS = (
    "type",
    *dict.fromkeys(key for kind in inits.KINDS.values() for key in kind.__struct_fields__[1:]),
)


_WORDS = r"(?:[A-Za-z_]+[ -]?)*"  # no expression, where they are not all dims

# The keys whose number may be an expression.
NUMBERS = ("bound", "gain", "std", *SIGNED)


def parse_init(given: Any, path: Path, dims: Mapping[str, int]) -> inits.Init:
    """The initializer of a name or table, its keys those that it takes and their values finite."""
    if isinstance(given, str) and given in inits.NAMES:
        return _make_init(given, {}, path, dims)
    if not isinstance(given, dict):
        raise SpecError(
            f"must be an initializer, or a table with its type; got {format_value(given)}",
            path,
            hint=_suggest_init(given),
            choices=tuple(sorted(inits.NAMES)),
        )
    if len(given) == 1 and (name := next(iter(given))) in inits.NAMES and name not in _ALL_KEYS:
        told = {"type": name, **given[name]} if isinstance(given[name], dict) else {"type": name}
        shown = ", ".join(f"{key}: {value}" for key, value in told.items())
        raise SpecError(
            f"unknown key {format_value(name)}",
            (*path, name),
            hint=f"write {{{cut(shown)}}}",
            at_key=True,
        )
    check_keys(given, _ALL_KEYS, path)
    if "type" not in given:
        raise SpecError('must have the key "type"', path)
    name = given["type"]
    if not isinstance(name, str) or name not in CHOICES["init"]:
        raise explain_value("init", name, (*path, "type"))
    return _make_init(name, given, path, dims)


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


def _make_init(name: str, given: dict[str, Any], path: Path, dims: Mapping[str, int]) -> inits.Init:
    needed, optional = inits.list_keys(name)
    kind = inits.VarianceScaling if name in inits.NAMED else inits.KINDS[name]
    if name == "uniform" and not given.keys().isdisjoint(("a", "b")):
        needed, kind = ("a", "b"), inits.Between
    formulas = {}
    for key in (*needed, *optional):
        if key in given:
            value = _read_expression(key, given[key], (*path, key), dims)
            if isinstance(value, inits.Formula):
                formulas[key] = value
            else:
                given = {**given, key: value}
    plain = [key for key in (*needed, *optional) if key not in formulas]
    values = read_keys(given, kind, plain, path)
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
        if not isinstance(value, str | tuple) and not is_finite(value):
            raise explain_value(key, value, (*path, key))
    for key in ("start", "step"):
        if isinstance(values.get(key), float):
            values[key] = _shorten(values[key])
    for index, value in enumerate(values.get("values", ())):
        if not is_finite(value):
            raise explain_value("values", value, (*path, "values", index))
    values |= formulas
    return structs.replace(inits.NAMED[name], **values) if name in inits.NAMED else kind(**values)


def _read_expression(key: str, value: Any, path: Path, dims: Mapping[str, int]) -> Any:
    """The number of a key's expression, or its formula; what is none stays as it is."""
    if isinstance(value, dict) and key in NUMBERS:
        raise explain_value(key, value, path)  # or msgspec would take it for a formula
    try:
        if key == "repeat":
            return _read_repeat(value, dims)
        if key not in NUMBERS or not isinstance(value, str):
            return value
        if key == "gain" and value in inits.GAINS:
            return value
        number = parse_number(value, dims)
    except SpecError as error:
        if key != "repeat" and re.fullmatch(_WORDS, value):
            # Meant as a gain's name, or as another's: `gelu`, `leaky relu`.
            told = explain_value(key, value, path)
            told.hint = told.hint or suggest(value, dims)
            raise told from None
        error.path = path
        raise
    if isinstance(number, inits.Formula):
        if key in ("start", "step"):
            raise SpecError(f"must not depend on the fans; got {format_value(value)}", path)
        return number
    if fact := explain_number(key, number, value):
        raise SpecError(fact, path)
    return _shorten(number) if key in SIGNED else number


def _read_repeat(value: Any, dims: Mapping[str, int]) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | str):
        return value
    repeat = evaluate(value, dims)
    if repeat < 1:
        said = f"{value} = {repeat}" if isinstance(value, str) else repeat
        raise SpecError(f"must be a positive integer; got {said}")
    return repeat


def _shorten(number: float) -> int | float:
    """The same number as an integer where it is one, as people write it; −0 stays."""
    is_whole = number.is_integer() and abs(number) < 2**63
    return int(number) if is_whole and (number or math.copysign(1, number) > 0) else number


def is_finite(value: float) -> bool:
    """Is it a number that float64 can hold?"""
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond float64
        return False
