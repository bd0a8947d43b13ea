"""The JSON Schema of a spec, from the structs that also check it."""

from __future__ import annotations

from typing import Any

import msgspec

from xavinit.spec.convert import INITS
from xavinit.spec.layer_types import LAYER_TYPES, LayerGroup
from xavinit.spec.types import INIT_KEYS, LARGEST_SEED, SpecTable

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
    # A list of layers is one of anything to msgspec: a group has no tag that tells it.
    names = [*(kind.__name__ for kind in LAYER_TYPES.values()), LayerGroup.__name__]
    items = {"anyOf": [{"$ref": _REFERENCE.format(name=name)} for name in names]}
    for table in ("SpecTable", "LayerGroup"):
        tables[table]["properties"]["layers"]["items"] = items
    tables["LayerGroup"]["properties"]["layers"]["minItems"] = 1
    # By its bare name, only an initializer that needs no key.
    alone = sorted(name for name, (needed, _) in INIT_KEYS.items() if not needed)
    for table in tables.values():
        for key in INITS:
            if key in table["properties"]:
                table["properties"][key]["anyOf"][0]["enum"] = alone
    init = tables["Init"]
    init["allOf"] = [
        {
            "if": {"properties": {"type": {"const": name}}, "required": ["type"]},
            "then": {
                "required": ["type", *needed],
                "propertyNames": {"enum": ["type", *needed, *optional]},
            },
        }
        for name, (needed, optional) in INIT_KEYS.items()
    ]
    return schema
