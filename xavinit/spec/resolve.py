"""A document's data → the `Spec`: overrides applied, dims evaluated, every tensor listed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from msgspec import Struct

from xavinit import inits
from xavinit.errors import Faults, Path, SpecError, UsageError
from xavinit.rngs import LARGEST_SEED, OURS, Rng, parse_rng
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
from xavinit.spec.rng_families import adapt_families, refuse_seeds
from xavinit.spec.settings import ParsedRule, Settings, join_faults, parse_rules, read_settings
from xavinit.spec.tensors import Listing, expand_tensors
from xavinit.wording import format_power, format_value

T = TypeVar("T")


class Overrides(Struct, frozen=True):
    """What the caller sets over the spec; None leaves the spec's own."""

    seed: int | None = None
    dtype: str | None = None
    framework: str | None = None
    dims: Mapping[str, int | str] = {}
    rng: str | Mapping[str, str] | None = None


NO_OVERRIDES = Overrides()
NO_RNG = Rng()
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
    rng: Rng = Rng()
    is_default: bool = False  # are layers left as their modules make them, unless they say more?


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
    rng = attempt(Rng(), _parse_rng, data.get("rng", OURS))
    seed = attempt(0, _parse_seed, data["seed"], rng)
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
    try:
        faults.check()  # before rules are followed: without one of them keys would be missing
    except SpecError as error:
        if not rng.is_ours:
            _advise_under_torch(error)
        raise
    families, listing, used = expand_tensors(written, dims or {}, defaults, rules)
    if rng.is_ours:
        refuse_seeds(families, rng)
    else:
        families = adapt_families(families, rng)
    warnings = tuple(
        _warn(rule, is_used)
        for rule, is_used in zip(rules, used, strict=True)
        if is_used is not True
    )
    order = tuple(data.get("tensors", ()))
    canonical = make_canonical({**data, "seed": seed}, rng)
    is_default = "init" in defaults and isinstance(defaults["init"][0], inits.Default)
    return Spec(seed, framework, families, listing, canonical, order, warnings, rng, is_default)


def _check_top(data: dict[str, Any]) -> None:
    """Refuse what no key of a spec is."""
    check_keys(
        data, ["$schema", *(f for f in types.SpecTable.__struct_fields__ if f != "schema")], ()
    )
    if not isinstance(data.get("$schema", ""), str):
        raise SpecError(f"must be a string; got {format_value(data['$schema'])}", ("$schema",))
    if "tensors" not in data and "layers" not in data:
        raise SpecError('must have the key "tensors" or "layers"')


def _advise_under_torch(error: SpecError) -> None:
    """Replace the hints that are not true where PyTorch's numbers are drawn."""
    from xavinit.advice import UNDER_TORCH  # only a failing run pays for it

    for found in error.errors:
        found.hint = UNDER_TORCH.get(found.hint or "", found.hint)


def _warn(rule: ParsedRule, fixed: bool | str) -> SpecError:
    """The warning for a rule that changes nothing; `fixed` names a tensor that it cannot change."""
    why = f"cannot change {format_value(fixed)}" if fixed else "matches no tensor"
    return SpecError(f"warning: {format_value(rule.text)} {why}", (*rule.path, "match"))


def make_canonical(data: Mapping[str, Any], rng: Rng = NO_RNG) -> str:
    """Compact JSON with sorted keys: the same for every order and syntax of the same spec.

    Where an rng is one stream over all tensors, they keep their order, which chooses their numbers.
    """
    told = {key: value for key, value in data.items() if key != "$schema"}
    if told.get("framework") == DEFAULT_FRAMEWORK:  # said or not
        del told["framework"]
    told.pop("rng", None)
    if rng.is_ours:
        return _dump(told)
    told["rng"] = {"type": rng.name, **dict(rng.variants)} if rng.variants else rng.name
    parts = {key: _dump(value) for key, value in told.items()}
    if isinstance(tensors := told.get("tensors"), dict):
        listed = (f"{_dump(name)}:{_dump(value)}" for name, value in tensors.items())
        parts["tensors"] = f"{{{','.join(listed)}}}"
    return f"{{{','.join(f'{_dump(key)}:{parts[key]}' for key in sorted(parts))}}}"


def _dump(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _apply_overrides(data: Mapping[str, Any], overrides: Overrides) -> dict[str, Any]:
    """The data as if the spec said so itself; a bad override is a `UsageError`."""
    data = {"seed": 0, **data}
    for key in ("defaults", "dims"):
        check_mapping(data.get(key, {}), (key,))
    try:
        if overrides.rng is not None:
            data["rng"] = _choose_rng(overrides.rng, data)
        if overrides.seed is not None:
            data["seed"] = overrides.seed
            _parse_seed(overrides.seed, _find_rng(data))
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


def _parse_rng(given: Any) -> Rng:
    try:
        return parse_rng(given)
    except SpecError as error:
        error.path = ("rng", *error.path)
        raise


def _choose_rng(given: Any, data: Mapping[str, Any]) -> Any:
    """The rng of an override; its name alone leaves the variants that the spec gives it."""
    rng = _parse_rng(given)
    is_name = given in (rng.name, {"type": rng.name})
    return data["rng"] if is_name and "rng" in data and _find_rng(data).name == rng.name else given


def _find_rng(data: Mapping[str, Any]) -> Rng:
    """The rng for an override of the seed; one at fault is told of elsewhere."""
    try:
        return parse_rng(data.get("rng", OURS))
    except SpecError:
        return Rng()


def _parse_seed(seed: Any, rng: Rng) -> int:
    """The seed, counted from 0; an rng may take seeds below, which count back from 2⁶⁴."""
    least, largest = rng.kind.least_seed, rng.kind.largest_seed
    if is_integer(seed) and least <= seed < 0:
        return int(seed) + LARGEST_SEED + 1
    if not is_integer(seed) or not 0 <= seed <= largest:
        hint = None
        if isinstance(seed, str) and seed.isdecimal():
            hint = "write it without quotes"
        ends = format_power(least), format_power(largest)
        fact = f"must be an integer from {ends[0]} to {ends[1]}; got {format_value(seed)}"
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
