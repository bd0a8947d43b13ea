"""Listed tensors → `TensorSpec`s: rules merged, everything said about a tensor in one place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import UNSET, Struct, structs

from xavinit.errors import Path, SpecError, format_path
from xavinit.spec import types
from xavinit.spec.entries import Entry, Listed, evaluate_at, list_tensors
from xavinit.spec.layers import VARIANCE, Axes, Layer
from xavinit.spec.names import Reference, parse_reference
from xavinit.spec.settings import ParsedRule, Settings, merge_settings
from xavinit.wording import format_value, suggest

DEFAULT_INIT = types.Init("glorot_uniform")
DEFAULT_DTYPE = "float32"

_OF_AXES = ("batch_axis", "fused", "in_axis", "layout", "out_axis")


class TensorSpec(Struct, frozen=True):
    """One tensor, in PyTorch's form where it is a layer's."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    init: types.Init
    axes: Axes
    stream: str
    places: Mapping[str, Path]  # for errors: where each key was given; "" is the tensor itself
    layer: Layer | None = None
    role: str = ""  # within its layer


class _Tie(Struct, frozen=True):
    listed: Listed
    target: str
    places: Mapping[str, Path]


class _Draft(Struct, frozen=True):
    """What the tensors of one entry that the same rules match have in common."""

    tensor: TensorSpec | None  # None: a tie
    places: Mapping[str, Path]
    reference: Reference | None  # of its stream or tie; None: a stream of its own name

    def make(self, listed: Listed) -> TensorSpec | _Tie:
        name = listed.name
        other = name if self.reference is None else self.reference.fill(listed.words)
        if self.tensor is None:
            return _Tie(listed, other, self.places)
        return structs.replace(self.tensor, name=name, stream=other, layer=listed.layer)


def expand_tensors(
    data: Mapping[str, Any], dims: Mapping[str, int], defaults: Settings, rules: list[ParsedRule]
) -> tuple[tuple[TensorSpec, ...], list[bool | str]]:
    """All tensors of a spec's data, and for each rule whether it matches one.

    Where a rule matches none but those that it cannot change, the name of one of them.
    """
    # A layer knows its own axes; what the defaults say of them is for raw tensors.
    below = {key: value for key, value in defaults.items() if key not in _OF_AXES}
    used: list[bool | str] = [False] * len(rules)
    found: dict[str, TensorSpec | _Tie] = {}
    # Tensors of one entry that the same rules match share one draft.
    drafts: dict[tuple[int, tuple[int, ...]], _Draft] = {}
    for listed in list_tensors(data.get("tensors", {}), data.get("layers", []), dims):
        entry, name = listed.entry, listed.name
        _check_name(name, entry)
        if name in found:
            raise _refuse_twice(name, entry, found[name].places[""])
        hits = tuple(i for i, rule in enumerate(rules) if rule.matches.match(name))
        draft = drafts.get((id(entry), hits))
        if draft is None:
            settings = merge_settings(defaults if entry.axes is None else below, entry.base)
            for index in hits:
                if entry.is_fixed and entry.own.keys() >= rules[index].settings.keys():
                    used[index] = used[index] or name
                else:
                    used[index] = True
                _check_rule(rules[index], entry, name)
                settings = merge_settings(settings, rules[index].settings)
            draft = drafts[id(entry), hits] = _make_draft(entry, settings, dims)
        found[name] = draft.make(listed)
    return tuple(_follow_ties(found)), used


def _check_rule(rule: ParsedRule, entry: Entry, name: str) -> None:
    """Refuse a rule that tells a layer where its axes are."""
    for key in _OF_AXES:
        if entry.axes is not None and key in rule.settings:
            raise SpecError(
                f"a layer knows its own axes: {key} is for tensors; the rule matches "
                f"{format_value(name)}",
                rule.settings[key][1],
                at_key=True,
            )


def _make_draft(entry: Entry, shared: Settings, dims: Mapping[str, int]) -> _Draft:
    settings = merge_settings(shared, entry.own)
    places = {"": entry.path, "shape": entry.shape_path}
    places |= {key: path for key, (_, path) in settings.items()}
    if "tied" in settings:
        _check_alone(entry, settings["tied"][1])
        return _Draft(None, places, _parse_reference_at("tied", settings, entry))
    if entry.role == VARIANCE:
        init, path = settings["init"]
        _check_variance(init, path, entry)
    if entry.shape is None:
        raise SpecError('must have the key "shape" (or "tied")', entry.path)
    tensor = TensorSpec(
        name="",
        shape=entry.shape,
        dtype=settings["dtype"][0] if "dtype" in settings else DEFAULT_DTYPE,
        init=settings["init"][0] if "init" in settings else DEFAULT_INIT,
        axes=_read_axes(settings, dims) if entry.axes is None else entry.axes,
        stream="",
        places=places,
        role=entry.role,
    )
    reference = None
    if "stream" in settings:
        reference = _parse_reference_at("stream", settings, entry)
    return _Draft(tensor, places, reference)


def _check_variance(init: types.Init, path: Path, entry: Entry) -> None:
    """Refuse what gives a variance below zero, of which a norm takes the root."""
    value = 0 if init.value is UNSET else init.value
    if init.type in ("zeros", "ones", "constant") and value >= 0:
        return
    got = init.type if value == 0 else f"{init.type} {format_value(value)}"
    raise SpecError(
        f"a running variance must be a constant of at least 0; got {got} "
        f"(tensor {entry.role} of {format_path(entry.path)})",
        path,
    )


def _read_axes(settings: Settings, dims: Mapping[str, int]) -> Axes:
    def read(key: str) -> tuple[int, ...] | None:
        if key not in settings:
            return None
        value = settings[key][0]
        return (value,) if isinstance(value, int) else tuple(value)

    fused = 1
    if "fused" in settings:
        value, path = settings["fused"]
        fused = evaluate_at(value, dims, path)
        if fused < 1:
            raise SpecError(f"must be a positive integer; got {fused}", path)
    return Axes(
        layout=settings.get("layout", ("out_in",))[0],
        in_axis=read("in_axis"),
        out_axis=read("out_axis"),
        batch_axis=read("batch_axis") or (),
        fused=fused,
    )


def _check_alone(entry: Entry, tie: Path) -> None:
    """A tied tensor takes no key of its own beside, wherever it was tied."""
    extra = {key: path for key, (_, path) in entry.own.items() if key != "tied"}
    if entry.shape is not None and entry.axes is None:
        extra["shape"] = entry.shape_path
    if extra:
        key = min(extra)
        where = "" if "tied" in entry.own else f" (tied by {format_path(tie)})"
        raise SpecError(
            f"tied takes no other key; got {format_value(key)} too{where}", extra[key], at_key=True
        )


def _parse_reference_at(key: str, settings: Settings, entry: Entry) -> Reference:
    text, path = settings[key]
    try:
        return parse_reference(text, entry.braces)
    except SpecError as error:
        if key not in entry.own:  # a rule's: which tensor it does not fit
            error.fact += f" (tensor {format_value(entry.path[-1])})"
        error.path = path
        raise


def _check_name(name: str, entry: Entry) -> None:
    """Refuse what no format can hold."""
    if not name or name == "__metadata__" or "\0" in name:
        raise SpecError(
            "the name of a tensor must not be empty, hold a NUL or be __metadata__; "
            f"got {format_value(name)}",
            entry.path,
            at_key=True,
        )


def _refuse_twice(name: str, entry: Entry, other: Path) -> SpecError:
    """The error for a name that two entries give."""
    where = format_value(other[-1]) if other[0] == "tensors" else format_path(other)
    return SpecError(
        f"two tensors must not have one name; got {format_value(name)}, also from {where}",
        entry.path,
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
            ends[other] = _copy_tensor(ends[name], chain[other])
    return [ends[name] for name in found]


def _copy_tensor(tensor: TensorSpec, tie: _Tie) -> TensorSpec:
    """The tensor under a tie's name; as part of the tie's own layer, if it is a layer's."""
    listed = tie.listed
    if listed.layer is not None and listed.entry.shape != tensor.shape:
        raise SpecError(
            f"a layer's tensor must be tied to one of its shape, {_format_shape(listed)}; got "
            f"{format_value(tensor.name)}: {list(tensor.shape)}",
            tie.places["tied"],
        )
    return structs.replace(tensor, name=listed.name, layer=listed.layer, role=listed.entry.role)


def _format_shape(listed: Listed) -> str:
    return f"{list(listed.entry.shape or ())} of {format_value(listed.name)}"
