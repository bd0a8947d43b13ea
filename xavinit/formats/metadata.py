"""Our own metadata, which every file carries so that its tensors can be drawn again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from xavinit.formats.files import parse_json
from xavinit.formats.shard_names import DEFAULT, ShardNames
from xavinit.plan import Plan

KEY = "xavinit"


class Recipe(Struct, frozen=True):
    """What draws a file's tensors again: our metadata, read back."""

    seed: int
    spec: Mapping[str, Any]
    stream: str
    max_shard_size: int | None = None  # of a sharded set
    shard_name: str | None = None  # of one with another name than usual


def make_metadata(plan: Plan) -> str:
    """Compact JSON of stream, seed and canonical spec; the same for the same spec and seed."""
    # The canonical spec is compact JSON with sorted keys already.
    return f'{{"seed":{plan.seed},"spec":{plan.canonical},"stream":{json.dumps(plan.stream)}}}'


def make_set_metadata(plan: Plan, max_shard_size: int, names: ShardNames) -> str:
    """The metadata of a sharded set, so that any of its files can make the whole set again.

    Shards are cut in the order of the spec's tensors, so the spec keeps that order here, and the
    limit of a shard's bytes is added, and the name of the shards if it is not the usual one.
    """
    spec = json.loads(plan.canonical)
    if plan.order:
        spec["tensors"] = {name: spec["tensors"][name] for name in plan.order}
    text = json.dumps(spec, separators=(",", ":"), ensure_ascii=False)
    stream = json.dumps(plan.stream)
    name = "" if names == DEFAULT else f'"shard_name":{json.dumps(names.base)},'
    return (
        f'{{"max_shard_size":{max_shard_size},"seed":{plan.seed},{name}'
        f'"spec":{text},"stream":{stream}}}'
    )


def make_compact(data: Any) -> str:
    """Data as the metadata has it: compact JSON that keeps the order of a spec's tensors."""
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False)


def parse_recipe(metadata: Mapping[str, str]) -> Recipe | None:
    """The recipe in a file's metadata, or None; `ValueError` where it is damaged."""
    if KEY not in metadata:
        return None
    match parse_json(metadata[KEY].encode()):
        case {"seed": int(seed), "spec": dict(spec), "stream": str(stream), **rest} if (
            not isinstance(seed, bool)
        ):
            most = rest.get("max_shard_size")
            if not (
                most is None or (isinstance(most, int) and not isinstance(most, bool) and most > 0)
            ):
                raise ValueError("max_shard_size must be a positive integer")
            name = rest.get("shard_name")
            if not (name is None or isinstance(name, str)):
                raise ValueError("shard_name must be a string")
            return Recipe(seed, spec, stream, most, name)
        case _:
            raise ValueError("it must have seed, spec and stream")
