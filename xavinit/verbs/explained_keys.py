"""The keys of a tensor, and who gave each: what `explain` tells first."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from xavinit import inits
from xavinit.errors import Path, format_path
from xavinit.plan import Origin
from xavinit.spec import OF_AXES, Document

Source = Literal["tensor", "rule", "defaults", "layer", "layer type", "built in", "argument"]


class Key(Struct, frozen=True):
    """A key of a tensor: its value, and who gave it where."""

    name: str
    value: Any
    source: Source
    rule: str | None = None  # its glob
    place: str | None = None  # in the spec's data
    line: int | None = None
    column: int | None = None


def list_keys(
    origin: Origin,
    document: Document,
    shape: tuple[int, ...],
    has_dtype: bool,
    default: Path | None,
) -> tuple[Key, ...]:
    """The keys of a tensor of a shape, in the order in which a spec has them.

    `default` is where that initializer is said of what its module leaves so.
    """
    family = origin.family
    values: dict[str, Any] = {
        "shape": list(shape),
        "dtype": family.dtype,
        "init": inits.describe(inits.Default() if default else family.init),
    }
    if len(family.shape) > 1:
        if family.axes.in_axis is None:
            values["layout"] = family.axes.layout
        values |= {
            key: getattr(family.axes, key)
            for key in OF_AXES
            if key != "layout" and _is_given(key, getattr(family.axes, key))
        }
    if "stream" in family.places:
        values["stream"] = origin.tensor.stream
    if family.zero_rows:
        values["zero_rows"] = list(family.zero_rows)
    if "fans_of" in family.places:
        values["fans_of"] = _find_value(document.data, family.places["fans_of"])
    places = {key: family.places.get(key) for key in values}
    if default is not None:
        places["init"] = default
    if origin.tensor.tie is not None:
        values["tied"], places["tied"] = origin.tensor.tie.target, origin.tensor.tie.place
    entry = family.places[""]
    if family.is_part:  # whose type knows its axes
        places |= {key: entry for key in OF_AXES if key in values}
    marks = dict(zip(places, document.find_marks([p or () for p in places.values()]), strict=True))
    keys = []
    for key, value in values.items():
        place = places[key]
        source, rule = _find_source(place, entry, document)
        if key == "dtype" and has_dtype and place == ("defaults", "dtype"):
            source, place = "argument", None
        mark = marks[key] if place else None
        line, column = mark or (None, None)
        keys.append(Key(key, value, source, rule, format_path(place or ()) or None, line, column))
    return tuple(keys)


def _is_given(key: str, value: Any) -> bool:
    return value not in (None, 1) and (value != () or key != "batch_axis")


def _find_value(data: Any, path: Path) -> Any:
    """What a spec's data holds at a path."""
    for step in path:
        data = data[step]
    return data


def _find_source(place: Path | None, entry: Path, document: Document) -> tuple[Source, str | None]:
    if not place:
        return "built in", None
    match place[0]:
        case "defaults":
            return "defaults", None
        case "rules":
            return "rule", document.data["rules"][place[1]]["match"]
        case "layers":
            return ("layer type" if place == entry else "layer"), None
    return "tensor", None
