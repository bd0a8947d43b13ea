"""What every file carries beside its tensors, so that it can be drawn again: our own metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from xavinit.formats.files import parse_json
from xavinit.plan import Plan

KEY = "xavinit"


class Recipe(Struct, frozen=True):
    """What draws a file's tensors again: our metadata, read back."""

    seed: int
    spec: Mapping[str, Any]
    stream: str


def make_metadata(plan: Plan) -> str:
    """Compact JSON of stream, seed and canonical spec; the same for the same spec and seed."""
    # The canonical spec is compact JSON with sorted keys already.
    return f'{{"seed":{plan.seed},"spec":{plan.canonical},"stream":{json.dumps(plan.stream)}}}'


def make_compact(data: Any) -> str:
    """Data as the metadata's JSON has it: compact, its keys sorted."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def parse_recipe(metadata: Mapping[str, str]) -> Recipe | None:
    """The recipe in a file's metadata, or None; `ValueError` where it is damaged."""
    if KEY not in metadata:
        return None
    match parse_json(metadata[KEY].encode()):
        case {"seed": int(seed), "spec": dict(spec), "stream": str(stream)} if type(seed) is int:
            return Recipe(seed, spec, stream)
        case _:
            raise ValueError("it must have seed, spec and stream")
