"""The JSON Schema of a spec, from the structs that also check it.

What a schema can say beyond their types is added here: limits, the form of expressions and names,
which keys go together. The reader says more: what dims, axes and fans come to.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from xavinit import inits
from xavinit.dtypes import DTYPES
from xavinit.layers import DRAW
from xavinit.rngs import LARGEST_SEED, RNGS
from xavinit.spec.convert import CHOICES, INITS
from xavinit.spec.descriptions import DESCRIPTIONS
from xavinit.spec.entries import HIGHEST_RANK
from xavinit.spec.expressions import EXPRESSION_LENGTH, LARGEST_VALUE
from xavinit.spec.globs import LONGEST_GLOB
from xavinit.spec.initializers import NUMBERS
from xavinit.spec.layer_types import LAYER_TYPES, Draw, LayerGroup
from xavinit.spec.settings import MOST_RULES
from xavinit.spec.types import SpecTable

SCHEMA_ID = "urn:xavinit:spec:1"

_REFERENCE = "#/$defs/{name}"
Schema = dict[str, Any]

_WRITTEN = [{"type": "integer"}, {"type": "string"}]  # an expression, as its type alone says it

_DIM = "^[A-Za-z_][A-Za-z0-9_]*$"
# Values with an operator between, whose parentheses no pattern can pair.
_VALUE = r"[\s(-]*(?:[0-9]+|[A-Za-z_][A-Za-z0-9_]*)[\s)]*"
_EXPRESSION = rf"^{_VALUE}(?:(?:[-+*]|//){_VALUE})*$"
# A name: its braces are closed, and none is within another.
_NAME = r"^(?:[^{}]|\{\{|\}\}|\{[^{}]*\})*$"


def make_schema() -> Schema:
    """The JSON Schema (draft 2020-12) of a spec, for editors and other checkers."""
    kinds = (SpecTable, *LAYER_TYPES.values(), LayerGroup, Draw)
    (top, *_), tables = msgspec.json.schema_components(kinds, ref_template=_REFERENCE)
    spec = tables["SpecTable"]
    spec["properties"]["seed"]["maximum"] = LARGEST_SEED
    _refine_rng(spec, tables["RngTable"])
    spec["anyOf"] = [{"required": ["tensors"]}, {"required": ["layers"]}]
    spec["properties"]["dims"] |= {
        "propertyNames": {"pattern": _DIM},
        "additionalProperties": _refer("Count"),
    }
    spec["properties"]["rules"]["maxItems"] = MOST_RULES
    spec["properties"]["tensors"]["propertyNames"] = {
        "minLength": 1,
        "not": {"const": "__metadata__"},
        "pattern": _NAME,
    }
    # By its bare name, only an initializer that needs no key.
    alone = tuple(name for name in inits.NAMES if not inits.list_keys(name)[0])
    tables |= {
        "Count": _make_expression(0),
        "DType": {"description": "The element type.", **_list_choices("dtype", tuple(DTYPES))},
        "Init": _make_init(),
        "InitName": {"description": "The initializer.", **_list_choices("init", alone)},
        "Layer": _make_layer(tables),
        "Row": _make_expression(-LARGEST_VALUE),
        "Shape": _make_shape(),
        "Size": _make_expression(1),
    }
    spec["properties"]["tensors"]["additionalProperties"] = {
        "anyOf": [_refer("Shape"), _refer("TensorTable")]
    }
    for table in ("SpecTable", "LayerGroup"):
        tables[table]["properties"]["layers"]["items"] = _refer("Layer")
    tables["LayerGroup"]["properties"]["layers"]["minItems"] = 1
    for name in ("SpecTable", "TensorKeys", "TensorTable", "Rule"):
        _refine(tables[name], is_layer=False)
    for kind in LAYER_TYPES.values():
        _refine(tables[kind.__name__], is_layer=True, rank=getattr(kind, "spatial_rank", None))
    _refine(tables["LayerGroup"], is_layer=True)
    _refine(tables["Draw"], is_layer=True)
    for name, tied_with in (("TensorKeys", 1), ("TensorTable", 1), ("Rule", 2)):
        _bind_keys(tables[name], tied_with)
    tables["TensorTable"]["properties"]["shape"] = _refer("Shape")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        "title": "xavinit spec",
        **top,
        "$defs": tables,
    }


def _refine_rng(spec: Schema, table: Schema) -> None:
    """The choices of an rng with what they are, and seeds below 0 for those that take them."""
    for key in ("type", "cpu", "construction", "backend", "keys"):
        told = table["properties"][key]
        told |= _list_choices("rng" if key == "type" else key, tuple(told.pop("enum")))
    choices = [_list_choices("rng", tuple(RNGS)), _refer("RngTable")]
    patterns = []
    for name, kind in RNGS.items():
        pairs = "|".join(f"{key}=({'|'.join(values)})" for key, values in kind.variants.items())
        patterns += [f"{re.escape(name)}(,({pairs}))*"] if pairs else []
    choices.append({"type": "string", "pattern": f"^({'|'.join(patterns)})$"})
    spec["properties"]["rng"]["anyOf"] = choices
    spec["properties"]["rng"].pop("enum", None)
    below = [name for name, kind in RNGS.items() if kind.least_seed < 0]
    spec["if"] = {"not": _match_rng(below)}
    spec["then"] = {"properties": {"seed": {"minimum": 0}}}
    spec["allOf"] = [
        {
            "if": _match_rng([name]),
            "then": {"properties": {"seed": {"maximum": kind.largest_seed}}},
        }
        for name, kind in RNGS.items()
        if kind.largest_seed < LARGEST_SEED
    ]


def _match_rng(names: list[str]) -> Schema:
    """A spec whose rng is one of these, by its name, with variants or in a table."""
    named = {"type": "string", "pattern": "|".join(f"^{re.escape(name)}" for name in names)}
    table = {"type": "object", "properties": {"type": named}, "required": ["type"]}
    return {"properties": {"rng": {"anyOf": [named, table]}}, "required": ["rng"]}


def _refer(name: str) -> Schema:
    return {"$ref": _REFERENCE.format(name=name)}


def _make_expression(least: int) -> Schema:
    """An integer of at least so much, or an expression, whose value no schema sees."""
    return {
        "description": "An integer, or an expression of integers, dims, + - * // and parentheses.",
        "anyOf": [
            {"type": "integer", "minimum": least, "maximum": LARGEST_VALUE},
            {"type": "string", "maxLength": EXPRESSION_LENGTH, "pattern": _EXPRESSION},
        ],
    }


def _make_shape() -> Schema:
    return {
        "title": "Shape",
        "description": "The dimensions.",
        "type": "array",
        "items": _refer("Count"),
        "maxItems": HIGHEST_RANK,
    }


def _list_choices(key: str, names: tuple[str, ...]) -> Schema:
    """A closed choice, with what editors show beside each."""
    told = DESCRIPTIONS[key]
    names = tuple(sorted(names))
    return {"enum": list(names), "enumDescriptions": [told.get(name, "") for name in names]}


def _refine(table: Schema, *, is_layer: bool, rank: int | None = None) -> None:
    """What the structs do not say of their keys."""
    keys = table["properties"]
    for key in INITS:
        if key in keys:
            keys[key] = {
                "description": keys[key]["description"],
                "anyOf": [_refer("InitName"), _refer("Init")],
            }
    if "dtype" in keys:
        keys["dtype"] = _refer("DType")
    for key in ("layout", "framework"):
        if key in keys:
            keys[key] |= _list_choices(key, CHOICES[key])
    for key in ("stream", "tied", "fans_of"):
        if key in keys:
            keys[key]["pattern"] = _NAME
    if "match" in keys:
        keys["match"]["maxLength"] = LONGEST_GLOB
    if "zero_rows" in keys:
        keys["zero_rows"]["items"] = _refer("Row")
    for key, schema in keys.items():
        if key == "fused" or (is_layer and _is_size(schema)):
            keys[key] = _limit_sizes(schema, rank if key in ("kernel", "stride") else None)
    if is_layer and "name" in keys:
        keys["name"] |= {"minLength": 1, "pattern": _NAME}
    if "bias_init" in keys and "bias" in keys:
        is_off = {"properties": {"bias": {"const": False}}, "required": ["bias"]}
        gone = [key for key in ("bias_init", "forget_bias") if key in keys]
        table["if"] = is_off
        table["then"] = {"properties": dict.fromkeys(gone, False)}
    if "forget_bias" in keys:
        table["not"] = {"required": ["forget_bias", "bias_init"]}


def _is_size(schema: Schema) -> bool:
    """Is it an expression, or that or a list of them? The first is a choice of its own."""
    kinds = schema.get("anyOf", ())
    return kinds == _WRITTEN or any(kind.get("anyOf") == _WRITTEN for kind in kinds)


def _limit_sizes(schema: Schema, rank: int | None = None) -> Schema:
    """Of a key for a size, or a list of (so many) sizes: at least 1, the form of expressions."""
    limits = {} if rank is None else {"minItems": rank, "maxItems": rank}
    lists = [kind for kind in schema["anyOf"] if kind.get("type") == "array"]
    if not lists:
        return {k: v for k, v in schema.items() if k != "anyOf"} | _refer("Size")
    return {**schema, "anyOf": [_refer("Size"), {**lists[0], "items": _refer("Size"), **limits}]}


def _bind_keys(table: Schema, tied_with: int) -> None:
    """Axes by number come in pairs and without a layout; a tie stands alone (but for a match)."""
    table["dependentRequired"] = {"in_axis": ["out_axis"], "out_axis": ["in_axis"]}
    table["allOf"] = [
        {"not": {"required": ["layout", "in_axis"]}},
        {"if": {"required": ["tied"]}, "then": {"maxProperties": tied_with}},
    ]


def _make_layer(tables: Mapping[str, Schema]) -> Schema:
    """A layer by its type, or a group. Each type's own keys are looked at where it is given."""
    kinds = {name: kind.__name__ for name, kind in LAYER_TYPES.items()}
    for name in (*kinds.values(), "Draw"):  # the type is told here, once
        tables[name]["properties"]["type"] = {"description": "The type of the layer."}
        tables[name]["required"].remove("type")
    return {
        "title": "Layer",
        "description": "A layer of some type; or, without a type, a group of layers.",
        "type": "object",
        "properties": {
            "type": {
                "description": "The type of the layer.",
                **_list_choices("layer", (*kinds, DRAW)),
            }
        },
        "allOf": [
            {
                "if": {"properties": {"type": {"const": name}}, "required": ["type"]},
                "then": _refer(table),
            }
            for name, table in (*kinds.items(), (DRAW, "Draw"))
        ],
        "if": {"not": {"required": ["type"]}},
        "then": _refer("LayerGroup"),
    }


def _make_init() -> Schema:
    """The table form of an initializer: the keys of all, and which of them each name takes."""
    kinds: tuple[type[inits.Init], ...] = (*inits.KINDS.values(), inits.Between)
    _, tables = msgspec.json.schema_components(kinds, ref_template=_REFERENCE)
    keys: dict[str, Any] = {}
    for kind in kinds:
        keys |= tables[kind.__name__]["properties"]
    del keys["name"]
    for told in keys.values():
        told.pop("default", None)
    keys["gain"]["anyOf"] = [
        _list_choices("gain", CHOICES["gain"]) if "enum" in choice else choice
        for choice in keys["gain"]["anyOf"]
    ]
    for key in (*NUMBERS, "repeat"):
        keys[key] = _allow_expression(keys[key])
    for key in ("mode", "distribution"):
        del keys[key]["enum"]
        keys[key] |= _list_choices(key, CHOICES[key])
    names = {"description": "The initializer's name.", **_list_choices("init", inits.NAMES)}
    return {
        "title": "Init",
        "description": "An initializer: its name and, for some, parameters.",
        "type": "object",
        "properties": {"type": names, **keys},
        "required": ["type"],
        "additionalProperties": False,
        "allOf": [
            {
                "if": {"properties": {"type": {"const": name}}, "required": ["type"]},
                "then": _bind_parameters(name),
            }
            for name in inits.NAMES
        ],
    }


def _bind_parameters(name: str) -> Schema:
    """The keys that an initializer takes, and those that it needs."""
    needed, optional = inits.list_keys(name)
    forms = [(needed, optional)]
    if name == "uniform":  # two forms of one name
        forms.append((inits.Between.__struct_fields__[1:], ()))
    bound = [
        {
            "required": ["type", *needed],
            "propertyNames": {"enum": ["type", *needed, *optional]},
        }
        for needed, optional in forms
    ]
    return bound[0] if len(bound) == 1 else {"anyOf": bound}


def _allow_expression(told: dict[str, Any]) -> dict[str, Any]:
    """A number's schema, which takes an expression too: a string in a spec, a formula to us."""
    description = told["description"]
    struct = _REFERENCE.format(name="Formula")
    plain = {key: value for key, value in told.items() if key != "description"}
    choices = [choice for choice in told.get("anyOf", [plain]) if choice.get("$ref") != struct]
    return {
        "description": description,
        "anyOf": [*choices, {"type": "string", "maxLength": EXPRESSION_LENGTH}],
    }
