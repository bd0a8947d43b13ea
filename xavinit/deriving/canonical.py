"""The spec that a file of ours carries → the same as YAML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from xavinit.deriving.derive import LARGEST_TEXT
from xavinit.deriving.yaml_text import write_comment, write_flow, write_pair, write_scalar
from xavinit.errors import InputError, SpecError
from xavinit.spec import make_canonical, parse_document

_FIRST = ("match", "name", "type", "shape")  # keys that stand first in a table
_ORDER = ("seed", "framework", "dims", "defaults", "rules", "tensors", "layers")


def write_canonical(data: Mapping[str, Any], comments: Sequence[str]) -> str:
    """The YAML of a spec's data, each tensor, layer and rule on a line, comments before it.

    Raises `InputError` where YAML cannot hold it: it is too large, or no spec.
    """
    text = "\n".join(_list_lines(data, comments)) + "\n"
    if len(text.encode()) > LARGEST_TEXT:
        raise InputError(f"its spec would be over {LARGEST_TEXT // 2**20} MiB of YAML")
    try:
        read = parse_document(text.encode(), "derived.yaml").data
    except SpecError as error:
        raise InputError(f"its spec cannot be YAML: {error.describe()}") from error
    if make_canonical(read) != make_canonical(data):
        raise InputError("its spec cannot be YAML: it would be another one")
    return text


def _arrange(value: Any) -> Any:
    """The same data, the keys of its tables as a person writes them."""
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: (key not in _FIRST, str(key)))
        return {key: _arrange(value[key]) for key in keys}
    return [_arrange(item) for item in value] if isinstance(value, list) else value


def _list_lines(data: Mapping[str, Any], comments: Sequence[str]) -> Iterator[str]:
    yield from map(write_comment, comments)
    for key in sorted(data, key=lambda key: (_ORDER.index(key) if key in _ORDER else -1, key)):
        value = data[key]
        if key in ("dims", "tensors") and isinstance(value, dict) and value:
            yield f"{key}:"
            for name, item in value.items():
                yield from write_pair("  ", write_scalar(name), write_flow(_arrange(item)))
        elif key in ("rules", "layers") and isinstance(value, list) and value:
            yield f"{key}:"
            yield from _list_items(value, "  ")
        else:
            yield f"{write_scalar(key)}: {write_flow(_arrange(value))}"


def _list_items(items: Sequence[Any], indent: str) -> Iterator[str]:
    """The items of a list; a group of layers has its own below it."""
    for item in items:
        if isinstance(item, dict) and isinstance(item.get("layers"), list) and item["layers"]:
            rest = {key: item[key] for key in _arrange(item) if key != "layers"}
            mark = "-"
            for key, value in rest.items():
                yield f"{indent}{mark} {write_scalar(key)}: {write_flow(_arrange(value))}"
                mark = " "
            yield f"{indent}{mark} layers:"
            yield from _list_items(item["layers"], f"{indent}    ")
        else:
            yield f"{indent}- {write_flow(_arrange(item))}"
