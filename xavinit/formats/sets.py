"""A set of files with an index, as Hugging Face shards a checkpoint, read as one.

The names of the shards are the index's own: any file beside it, of safetensors or PyTorch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from xavinit.errors import InputError
from xavinit.formats.files import load_json
from xavinit.formats.shards import MOST_SHARDS
from xavinit.formats.stored import Index, index_tensors
from xavinit.places import join
from xavinit.wording import format_value


def load_index_file(path: str) -> dict[str, str]:
    """The file of each tensor, by the index of a set; `InputError` where it is none."""
    try:
        return parse_places(load_json(path))
    except ValueError as error:
        raise InputError(f"{path} is not a sound index: {error}") from error


def parse_places(content: Any) -> dict[str, str]:
    """The file of each tensor; `ValueError` where the data are not those of an index."""
    match content:
        case {"weight_map": dict(places)}:
            pass
        case _:
            raise ValueError("it must have a weight_map")
    names = list(places.values())
    if names and all(isinstance(name, list) for name in names):
        raise ValueError("it is one of Keras's sharded weights, which are read shard by shard")
    for name in names:
        if not isinstance(name, str) or not _is_plain(name):
            raise ValueError(f"a shard must be a file beside it; got {format_value(name)}")
    if len(set(names)) > MOST_SHARDS:
        raise ValueError(f"it must have at most {MOST_SHARDS:,} shards; got {len(set(names)):,}")
    return places


def _is_plain(name: str) -> bool:
    """Is it the name of a file in the same folder, on any system?"""
    return name not in ("", ".", "..") and not set(name) & set("/\\:\0")


def read_set(path: str, folder: str, places: dict[str, str], read: Callable[[str], Index]) -> Index:
    """The index of all files of a set, which must hold what its own index says."""
    files = {name: read(join(folder, name)) for name in sorted(set(places.values()))}
    stored = [tensor for file in files.values() for tensor in file.tensors]
    found = {tensor.name: name for name, file in files.items() for tensor in file.tensors}
    if found != places or len(found) < len(stored):
        odd = min((name for name, _ in found.items() ^ places.items()), default=None)
        if odd is None:  # in two shards, and the index names the later one
            odd = min(name for name, n in Counter(t.name for t in stored).items() if n > 1)
        raise InputError(
            f"{path}: the index and the shards disagree about tensor {format_value(odd)}"
        )
    kinds = sorted({file.format for file in files.values()})
    if len(kinds) > 1:
        shown = ", ".join(kinds)
        raise InputError(f"{path} is refused: its shards are of several formats: {shown}")
    # What all files of the set say.
    says = [set(file.metadata.items()) for file in files.values()]
    common = set.intersection(*says) if says else set()
    return index_tensors(
        path,
        stored,
        dict(sorted(common)),
        format=kinds[0] if kinds else "safetensors",
        skipped=sum(file.skipped for file in files.values()),
    )
