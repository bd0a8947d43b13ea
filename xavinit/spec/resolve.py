"""A document's data → the `Spec`: overrides applied, dims evaluated, every tensor listed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from msgspec import Struct

from xavinit.errors import Faults, Path, SpecError, UsageError
from xavinit.spec import types
from xavinit.spec.convert import CHOICES, check_keys, check_mapping, explain_value, read_table
from xavinit.spec.expressions import (
    check_expression,
    is_dim_name,
    is_integer,
    resolve_dims,
    suggest_dim,
)
from xavinit.spec.families import Family
from xavinit.spec.listed import Listed, parse_listed
from xavinit.spec.settings import ParsedRule, Settings, join_faults, parse_rules, read_settings
from xavinit.spec.tensors import Listing, expand_tensors
from xavinit.wording import format_value

T = TypeVar("T")


class Overrides(Struct, frozen=True):
    """What the caller sets over the spec; None leaves the spec's own."""

    seed: int | None = None
    dtype: str | None = None
    framework: str | None = None
    dims: Mapping[str, int | str] = {}


NO_OVERRIDES = Overrides()
DEFAULT_FRAMEWORK = "pytorch"


class Spec(Struct, frozen=True):
    """A spec after its rules: families of tensors, all tensors and layers in order, and the
    canonical text that files carry.
    """

    seed: int
    framework: str
    families: tuple[Family, ...]
    listing: Listing
    canonical: str
    order: tuple[str, ...]  # the names of `tensors` as the text has them, which canonical sorts
    warnings: tuple[SpecError, ...] = ()


def resolve_spec(data: Any, overrides: Overrides = NO_OVERRIDES) -> Spec:
    """The `Spec` of a document's data. Raises `SpecError` with the paths of the faults."""
    check_mapping(data, ())
    faults = Faults()

    def attempt(nothing: T, parse: Callable[..., T], value: Any, *others: Any) -> T:
        """What `parse` makes of a value; `nothing` where it is at fault, and so is the spec."""
        try:
            return parse(value, *others)
        except SpecError as error:
            faults.add(error)
            return nothing

    attempt(None, _check_top, data)
    data = _apply_overrides(data, overrides)
    seed = attempt(0, _parse_seed, data["seed"])
    framework = data.get("framework", DEFAULT_FRAMEWORK)
    framework = attempt(DEFAULT_FRAMEWORK, _parse_framework, framework)
    dims = attempt(None, _parse_dims, data.get("dims", {}), overrides)
    no_defaults: Settings = {}
    defaults = no_defaults
    rules: list[ParsedRule] = []
    written: Listed = [], ()
    if dims is not None:  # else each of their names would be unknown
        defaults = attempt(no_defaults, _parse_defaults, data.get("defaults", {}), dims)
        rules = attempt(rules, parse_rules, data.get("rules", []), dims)
        written = attempt(written, parse_listed, data, dims)
    faults.check()  # before rules are followed: without one of them keys would be missing
    families, listing, used = expand_tensors(written, dims or {}, defaults, rules)
    warnings = tuple(
        _warn(rule, is_used)
        for rule, is_used in zip(rules, used, strict=True)
        if is_used is not True
    )
    order = tuple(data.get("tensors", ()))
    return Spec(seed, framework, families, listing, make_canonical(data), order, warnings)


def _check_top(data: dict[str, Any]) -> None:
    """Refuse what no key of a spec is."""
    check_keys(
        data, ["$schema", *(f for f in types.SpecTable.__struct_fields__ if f != "schema")], ()
    )
    if not isinstance(data.get("$schema", ""), str):
        raise SpecError(f"must be a string; got {format_value(data['$schema'])}", ("$schema",))
    if "tensors" not in data and "layers" not in data:
        raise SpecError('must have the key "tensors" or "layers"')


def _warn(rule: ParsedRule, fixed: bool | str) -> SpecError:
    """The warning for a rule that changes nothing; `fixed` names a tensor that it cannot change."""
    why = f"cannot change {format_value(fixed)}" if fixed else "matches no tensor"
    return SpecError(f"warning: {format_value(rule.text)} {why}", (*rule.path, "match"))


def make_canonical(data: Mapping[str, Any]) -> str:
    """Compact JSON with sorted keys: the same for every order and syntax of the same spec."""
    told = {key: value for key, value in data.items() if key != "$schema"}
    if told.get("framework") == DEFAULT_FRAMEWORK:  # said or not
        del told["framework"]
    return json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _apply_overrides(data: Mapping[str, Any], overrides: Overrides) -> dict[str, Any]:
    """The data as if the spec said so itself; a bad override is a `UsageError`."""
    data = {"seed": 0, **data}
    for key in ("defaults", "dims"):
        check_mapping(data.get(key, {}), (key,))
    try:
        if overrides.seed is not None:
            data["seed"] = _parse_seed(overrides.seed)
        if overrides.framework is not None:
            data["framework"] = _parse_framework(overrides.framework)
        if overrides.dtype is not None:
            if overrides.dtype not in CHOICES["dtype"]:
                raise explain_value("dtype", overrides.dtype, ("dtype",))
            data["defaults"] = {**data.get("defaults", {}), "dtype": overrides.dtype}
    except SpecError as error:
        raise error.blame_caller() from None
    if overrides.dims:
        dims = data.get("dims", {})
        for name in overrides.dims:
            if name not in dims:
                hint = suggest_dim(name, dims)
                raise UsageError(f"the spec has no dim {format_value(name)}", hint=hint)
        data["dims"] = {**dims, **overrides.dims}
    return data


def _parse_seed(seed: Any) -> int:
    if not is_integer(seed) or not 0 <= seed <= types.LARGEST_SEED:
        hint = None
        if isinstance(seed, str) and seed.isdecimal():
            hint = "write it without quotes"
        fact = f"must be an integer from 0 to 2⁶⁴−1; got {format_value(seed)}"
        raise SpecError(fact, ("seed",), hint=hint)
    return int(seed)


def _parse_framework(framework: Any) -> str:
    if not isinstance(framework, str) or framework not in CHOICES["framework"]:
        raise explain_value("framework", framework, ("framework",))
    return framework


def _parse_dims(data: Any, overrides: Overrides) -> dict[str, int]:
    for name in data:
        if not is_dim_name(name):
            raise SpecError(
                "the name of a dim must be letters, digits and _, not a digit first; "
                f"got {format_value(name)}",
                ("dims", name),
                at_key=True,
            )
    try:
        for name, value in data.items():
            check_expression(value, ("dims", name))
        return resolve_dims(data)
    except SpecError as error:
        if error.path[-1] in overrides.dims:  # not what the spec's text says
            raise error.blame_caller() from None
        raise


def _parse_defaults(data: Any, dims: Mapping[str, int]) -> Settings:
    path: Path = ("defaults",)
    try:
        return read_settings(read_table(data, types.TensorKeys, path), path, dims)
    except SpecError as error:
        raise join_faults(error, data, path, dims) from None
