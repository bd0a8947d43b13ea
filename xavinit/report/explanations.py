"""Every decision behind a tensor, as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from msgspec import to_builtins

from xavinit.errors import escape
from xavinit.failures import JSON_VERSION
from xavinit.plan import is_drawn
from xavinit.report.laws import describe_law
from xavinit.report.tables import wrap
from xavinit.rngs import parse_rng
from xavinit.verbs.explained_keys import Key
from xavinit.verbs.explanation import Explanation, Product, Scale
from xavinit.wording import format_bytes

_LABEL = 13  # columns

_TITLES = {"pytorch": "PyTorch", "keras": "Keras", "flax": "Flax"}

_N = {"fan_in": "fan_in", "fan_out": "fan_out", "fan_avg": "(fan_in + fan_out)/2"}


def format_explanation(told: Explanation, source: str, width: int | None = None) -> Iterator[str]:
    """The lines of an explanation; `source` is the name of the spec."""
    yield escape(told.name)
    lines = [*_list_keys(told, source), *_list_numbers(told)]
    for label, text in lines:
        yield from wrap(f"  {label}", escape(text), _LABEL, width)


def _list_keys(told: Explanation, source: str) -> Iterator[tuple[str, str]]:
    if told.tied is not None:
        yield "copy of", f"{told.tied}, whose keys these are"
    for key in told.keys:
        yield key.name, f"{_format_value(key.value)}  ← {_format_source(key, source)}"
    if told.module is not None and told.shape != told.spec_shape:
        home = "pytorch" if told.rng is None else parse_rng(told.rng).kind.framework
        form = f"{_TITLES[home]}'s form is above"
        yield "in file", f"{_format_shape(told.shape)} of {told.module}; {form}"
    if told.note is not None:
        yield "note", told.note


def _list_numbers(told: Explanation) -> Iterator[tuple[str, str]]:
    if told.axes:
        axes = (f"{axis.index} ({axis.size}): {axis.role}" for axis in told.axes)
        yield "axes", ", ".join(axes)
    else:
        yield "fans", "none"
    for label, product in (("fan_in", told.fan_in), ("fan_out", told.fan_out)):
        if product is not None:
            yield label, _format_product(product)
    if told.scale is not None and told.fan_in is not None and told.fan_out is not None:
        yield from _list_scale(told.scale, told.fan_in.value, told.fan_out.value)
    yield "law", str(told.law) if told.law is not None else "none: the tensor is empty"
    if not any(key.name == "stream" for key in told.keys):
        own = " (its own name)" if told.stream == told.name else ""
        yield "stream", told.stream + own if told.rng is None else _format_place(told)
    yield "bytes", f"{told.nbytes:,} ({format_bytes(told.nbytes)})"
    if told.hint is not None:
        yield "hint", told.hint


def _format_place(told: Explanation) -> str:
    if told.seed is not None:
        if parse_rng(told.rng).kind.has_keys:
            return f"{told.rng}, of key {told.seed:016x}"
        return f"{told.rng}, of seed {told.seed}"
    if told.tied is None and not is_drawn(told.law):
        return f"{told.rng}, of which it takes nothing"
    if told.word is None:
        return f"{told.rng}, after a truncated normal: as many words on as its values needed"
    return f"{told.rng}, from word {told.word:,} on"


def _list_scale(scale: Scale, fan_in: float, fan_out: float) -> Iterator[tuple[str, str]]:
    numbers = f" = ({fan_in} + {fan_out})/2" if scale.mode == "fan_avg" else ""
    yield "n", f"{_N[scale.mode]}{numbers} = {scale.n:.17g}"
    if scale.gain_name is not None:
        yield "gain", f"{scale.gain_name} = {scale.gain:.9g}"
    top = 3 if scale.name == "bound" else 1
    formula = f"gain·√({top}/n) = {scale.gain:.9g}·√({top}/{scale.n:.17g}) = {scale.value:.9g}"
    if scale.before_cut is not None:
        formula += f" of the law cut at ±2 std; before the cut {scale.before_cut:.9g}"
    yield scale.name, formula


def _format_product(product: Product) -> str:
    factors = [f"{size} (axis {a})" for a, size in zip(product.axes, product.sizes, strict=True)]
    text = " × ".join(factors) or "1"
    if product.blocks > 1:
        text += f" / {product.blocks} blocks"
    return text if len(factors) == 1 and product.blocks == 1 else f"{text} = {product.value}"


def _format_value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_format_value(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(str, value))}]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _format_shape(shape: tuple[int, ...]) -> str:
    return f"[{', '.join(map(str, shape))}]"


def _format_source(key: Key, source: str) -> str:
    place = f" ({source}:{key.line}:{key.column})" if key.line is not None else ""
    match key.source:
        case "argument":
            return f"--{key.name}"
        case "built in":
            return "built in"
        case "rule":
            return f"rule {key.rule!r}{place}"
        case "layer type":
            return f"the type of the layer{place}"
        case "layer":
            return f"the layer{place}"
        case "defaults":
            return f"defaults{place}"
    return f"the tensor itself{place}"


def explanation_to_json(told: Explanation) -> str:
    """The explanation as a JSON object on one line."""
    content: dict[str, Any] = {"version": JSON_VERSION}
    content |= {
        field: describe_law(told.law) if field == "law" else to_builtins(getattr(told, field))
        for field in told.__struct_fields__
    }
    content["bytes"] = content.pop("nbytes")
    return json.dumps(content)
