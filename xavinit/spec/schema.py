"""The JSON Schema of a spec, from the structs that also check it."""

from __future__ import annotations

from typing import Any

import msgspec

from xavinit import inits
from xavinit.dtypes import DTYPES
from xavinit.spec.convert import INITS
from xavinit.spec.initializers import NUMBERS
from xavinit.spec.layer_types import LAYER_TYPES, LayerGroup
from xavinit.spec.types import LARGEST_SEED, SpecTable

_REFERENCE = "#/$defs/{name}"


def make_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a spec, for editors and other checkers."""
    kinds = (SpecTable, *LAYER_TYPES.values(), LayerGroup)
    (top, *_), tables = msgspec.json.schema_components(kinds, ref_template=_REFERENCE)
    schema = {
        **top,
        "$defs": tables,
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "xavinit spec",
    }
    spec = tables["SpecTable"]
    spec["properties"]["seed"]["maximum"] = LARGEST_SEED
    spec["anyOf"] = [{"required": ["tensors"]}, {"required": ["layers"]}]
    # msgspec knows a list of layers only as a list: a group has no tag.
    names = [*(kind.__name__ for kind in LAYER_TYPES.values()), LayerGroup.__name__]
    items = {"anyOf": [{"$ref": _REFERENCE.format(name=name)} for name in names]}
    for table in ("SpecTable", "LayerGroup"):
        tables[table]["properties"]["layers"]["items"] = items
    tables["LayerGroup"]["properties"]["layers"]["minItems"] = 1
    tables["Init"] = _make_init_schema()
    # A bare name is enough only for an initializer that needs no key.
    alone = sorted(name for name in inits.NAMES if not inits.list_keys(name)[0])
    for table in tables.values():
        for key in INITS:
            if key in table["properties"]:
                description = table["properties"][key]["description"]
                table["properties"][key] = {
                    "description": description,
                    "anyOf": [{"enum": alone}, {"$ref": _REFERENCE.format(name="Init")}],
                }
        if "dtype" in table["properties"]:
            table["properties"]["dtype"]["enum"] = sorted(DTYPES)
            del table["properties"]["dtype"]["type"]
    return schema


def _make_init_schema() -> dict[str, Any]:
    """The table form of an initializer: all keys, and which of them each name takes."""
    kinds = inits.KINDS.values()
    _, tables = msgspec.json.schema_components(kinds, ref_template=_REFERENCE)
    keys: dict[str, Any] = {}
    for kind in kinds:
        keys |= tables[kind.__name__]["properties"]
    del keys["name"]
    for told in keys.values():
        told.pop("default", None)
    for key in (*NUMBERS, "repeat"):
        keys[key] = _allow_expression(keys[key])
    names = {"description": "The initializer's name.", "enum": sorted(inits.NAMES)}
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
                "then": {
                    "required": ["type", *needed],
                    "propertyNames": {"enum": ["type", *needed, *optional]},
                },
            }
            for name in inits.NAMES
            for needed, optional in (inits.list_keys(name),)
        ],
    }


def _allow_expression(told: dict[str, Any]) -> dict[str, Any]:
    """A number's schema, which takes an expression too: a string in a spec, a formula to us."""
    description = told["description"]
    formula = _REFERENCE.format(name="Formula")
    plain = {key: value for key, value in told.items() if key != "description"}
    choices = [choice for choice in told.get("anyOf", [plain]) if choice.get("$ref") != formula]
    return {"description": description, "anyOf": [*choices, {"type": "string"}]}
