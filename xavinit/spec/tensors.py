"""The entries of `tensors` → `TensorSpec`s: names expanded, rules merged, ties followed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import UNSET, Struct, structs

from xavinit.errors import Path, SpecError, format_path
from xavinit.spec import types
from xavinit.spec.convert import check_mapping, convert_table
from xavinit.spec.expressions import check_expression, evaluate
from xavinit.spec.names import MOST, Pattern, Reference, parse_pattern, parse_reference
from xavinit.spec.settings import ParsedRule, Settings, merge_settings, read_settings
from xavinit.wording import format_value, suggest

HIGHEST_RANK = 32  # what HDF5 and NumPy 1 can hold

DEFAULT_INIT = types.Init("glorot_uniform")
DEFAULT_DTYPE = "float32"


class Axes(Struct, frozen=True):
    """Where the fans stand in a shape: a layout, or axes by number."""

    layout: str = "out_in"
    in_axis: tuple[int, ...] | None = None
    out_axis: tuple[int, ...] | None = None
    batch_axis: tuple[int, ...] = ()
    fused: int = 1


class TensorSpec(Struct, frozen=True):
    """One tensor, everything said about it in one place."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    init: types.Init
    axes: Axes
    stream: str
    places: Mapping[str, Path]  # for errors: where each key was given; "" is the tensor itself


class _Entry(Struct, frozen=True):
    """One key of `tensors` with its value, parsed."""

    path: Path
    pattern: Pattern
    shape: tuple[int, ...] | None
    shape_path: Path
    own: Settings


class _Tie(Struct, frozen=True):
    name: str
    target: str
    places: Mapping[str, Path]


class _Draft(Struct, frozen=True):
    """What the tensors of one entry that the same rules match have in common."""

    tensor: TensorSpec | None  # None: a tie
    places: Mapping[str, Path]
    reference: Reference | None  # of its stream or tie; None: a stream of its own name

    def make(self, name: str, words: tuple[str, ...]) -> TensorSpec | _Tie:
        other = name if self.reference is None else self.reference.fill(words)
        if self.tensor is None:
            return _Tie(name, other, self.places)
        return structs.replace(self.tensor, name=name, stream=other)


def expand_tensors(
    data: Any, dims: Mapping[str, int], defaults: Settings, rules: list[ParsedRule]
) -> tuple[tuple[TensorSpec, ...], list[bool]]:
    check_mapping(data, ("tensors",))
    entries = [_parse_entry(name, data[name], dims) for name in data]
    total = sum(entry.pattern.count for entry in entries)
    if total > MOST:
        got = format_value(total)
        raise SpecError(f"must be at most {MOST:,} tensors; got {got}", ("tensors",))
    used = [False] * len(rules)
    found: dict[str, TensorSpec | _Tie] = {}
    for entry in entries:
        merged: dict[tuple[int, ...], _Draft] = {}  # tensors that the same rules match share one
        for name, words in entry.pattern.expand():
            _check_name(name, entry.path)
            if name in found:
                raise SpecError(
                    f"two tensors must not have one name; got {format_value(name)}, also from "
                    f"{format_value(found[name].places[''][-1])}",
                    entry.path,
                    at_key=True,
                )
            hits = tuple(i for i, rule in enumerate(rules) if rule.matches.match(name))
            if hits not in merged:
                settings = defaults
                for index in hits:
                    used[index] = True
                    settings = merge_settings(settings, rules[index].settings)
                merged[hits] = _make_draft(entry, settings, dims)
            found[name] = merged[hits].make(name, words)
    return tuple(_follow_ties(found)), used


def _parse_entry(name: str, data: Any, dims: Mapping[str, int]) -> _Entry:
    path: Path = ("tensors", name)
    try:
        pattern = parse_pattern(name, dims)
    except SpecError as error:
        error.path, error.at_key = path, True
        raise
    if isinstance(data, list):
        return _Entry(path, pattern, _parse_shape(data, path, dims), path, {})
    if not isinstance(data, dict):
        raise SpecError(f"must be a list of dimensions or a table; got {format_value(data)}", path)
    table = convert_table(data, types.TensorTable, path)
    shape_path: Path = (*path, "shape")
    shape = None if table.shape is UNSET else _parse_shape(data["shape"], shape_path, dims)
    return _Entry(path, pattern, shape, shape_path, read_settings(table, path))


def _parse_shape(data: list[Any], path: Path, dims: Mapping[str, int]) -> tuple[int, ...]:
    if len(data) > HIGHEST_RANK:
        raise SpecError(f"must be at most {HIGHEST_RANK} dimensions; got {len(data)}", path)
    shape = []
    for index, item in enumerate(data):
        here: Path = (*path, index)
        size = _evaluate_at(check_expression(item, here), dims, here)
        if size < 0:
            said = f"{item} = {size}" if isinstance(item, str) else size
            raise SpecError(f"must be a positive integer or zero; got {said}", here)
        shape.append(size)
    return tuple(shape)


def _evaluate_at(expression: int | str, dims: Mapping[str, int], path: Path) -> int:
    try:
        return evaluate(expression, dims)
    except SpecError as error:
        error.path = path
        raise


def _make_draft(entry: _Entry, shared: Settings, dims: Mapping[str, int]) -> _Draft:
    settings = merge_settings(shared, entry.own)
    places = {"": entry.path, "shape": entry.shape_path}
    places |= {key: path for key, (_, path) in settings.items()}
    if "tied" in settings:
        _check_alone(entry, settings["tied"][1])
        return _Draft(None, places, _parse_reference_at("tied", settings, entry))
    if entry.shape is None:
        raise SpecError('must have the key "shape" (or "tied")', entry.path)
    fused = 1
    if "fused" in settings:
        value, path = settings["fused"]
        fused = _evaluate_at(value, dims, path)
        if fused < 1:
            raise SpecError(f"must be a positive integer; got {fused}", path)
    axes = Axes(
        layout=settings.get("layout", ("out_in",))[0],
        in_axis=_read_axes(settings, "in_axis"),
        out_axis=_read_axes(settings, "out_axis"),
        batch_axis=_read_axes(settings, "batch_axis") or (),
        fused=fused,
    )
    tensor = TensorSpec(
        name="",
        shape=entry.shape,
        dtype=settings["dtype"][0] if "dtype" in settings else DEFAULT_DTYPE,
        init=settings["init"][0] if "init" in settings else DEFAULT_INIT,
        axes=axes,
        stream="",
        places=places,
    )
    reference = None
    if "stream" in settings:
        reference = _parse_reference_at("stream", settings, entry)
    return _Draft(tensor, places, reference)


def _check_alone(entry: _Entry, tie: Path) -> None:
    """A tied tensor takes no key of its own beside, wherever it was tied."""
    extra = {key: path for key, (_, path) in entry.own.items() if key != "tied"}
    if entry.shape is not None:
        extra["shape"] = entry.shape_path
    if extra:
        key = min(extra)
        where = "" if "tied" in entry.own else f" (tied by {format_path(tie)})"
        raise SpecError(
            f"tied takes no other key; got {format_value(key)} too{where}", extra[key], at_key=True
        )


def _read_axes(settings: Settings, key: str) -> tuple[int, ...] | None:
    if key not in settings:
        return None
    value = settings[key][0]
    return (value,) if isinstance(value, int) else tuple(value)


def _parse_reference_at(key: str, settings: Settings, entry: _Entry) -> Reference:
    text, path = settings[key]
    try:
        return parse_reference(text, entry.pattern)
    except SpecError as error:
        if key not in entry.own:  # a rule's: which tensor it does not fit
            error.fact += f" (tensor {format_value(entry.path[-1])})"
        error.path = path
        raise


def _check_name(name: str, path: Path) -> None:
    """Refuse what no format can hold."""
    if not name or name == "__metadata__" or "\0" in name:
        raise SpecError(
            "the name of a tensor must not be empty, hold a NUL or be __metadata__; "
            f"got {format_value(name)}",
            path,
            at_key=True,
        )


def _follow_ties(found: Mapping[str, TensorSpec | _Tie]) -> list[TensorSpec]:
    """Each tie replaced by a copy of the tensor at the end of its chain."""
    ends: dict[str, TensorSpec] = {
        name: tensor for name, tensor in found.items() if isinstance(tensor, TensorSpec)
    }
    for start in found:
        chain: dict[str, _Tie] = {}
        name = start
        while name not in ends:
            tie = found.get(name)
            last = next(reversed(chain.values())) if chain else None
            if not isinstance(tie, _Tie):
                assert last is not None  # the first name of a chain is a key of found
                raise SpecError(
                    f"must be the name of a tensor; got {format_value(name)}",
                    last.places["tied"],
                    hint=suggest(name, found) if len(found) <= 10_000 else None,
                )
            if name in chain:
                links = [*chain, name]
                circle = " → ".join(map(format_value, links[links.index(name) :][-8:]))
                raise SpecError(f"ties must not go in a circle; got {circle}", tie.places["tied"])
            chain[name] = tie
            name = tie.target
        for other in reversed(chain):
            ends[other] = structs.replace(ends[name], name=other)
    return [ends[name] for name in found]
