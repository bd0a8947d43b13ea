"""Shards: a checkpoint in several files with an index, as Hugging Face splits and names them.

`model-00001-of-00003.safetensors` … and `model.safetensors.index.json`, or `model.safetensors`
alone where one file is enough.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence

from xavinit.errors import InputError, UsageError
from xavinit.formats.files import load_json
from xavinit.plan import TensorPlan
from xavinit.wording import format_choices, format_value

SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
_NAME = re.compile(r"model(-[0-9]{5,}-of-[0-9]{5,})?\.safetensors\Z")

_UNITS = {"B": 1}
for _power, _letter in enumerate("KMGT", start=1):
    _UNITS |= {f"{_letter}B": 1000**_power, f"{_letter}iB": 1024**_power}
_SIZE = re.compile(r"\s*([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*([A-Za-z]*)\s*\Z")


def parse_size(text: int | str) -> int:
    """The bytes of a size: an integer, or a number with a unit, such as `5GB` or `512MiB`.

    A fraction of a byte is cut off, as Hugging Face does.

    >>> parse_size("5GB"), parse_size("1.5 MiB"), parse_size("800")
    (5000000000, 1572864, 800)
    """
    known = {unit.lower(): factor for unit, factor in _UNITS.items()}
    match = _SIZE.match(text) if isinstance(text, str) and len(text) < 100 else None
    size = 0
    if match and (match[2].lower() or "b") in known:
        number = float(match[1]) if "." in match[1] else int(match[1])
        size = int(number * known[match[2].lower() or "b"])
    elif isinstance(text, int) and not isinstance(text, bool):
        size = text
    if size < 1:
        raise UsageError(
            "the size of a shard must be a positive number of bytes, or one with a unit "
            f"({format_choices(_UNITS)}), such as 5GB; got {format_value(text)}"
        )
    return size


def name_shards(tensors: Sequence[TensorPlan], most: int) -> dict[str, list[TensorPlan]]:
    """The tensors of each file by its name, at most `most` bytes in each."""
    shards = split_tensors(tensors, most)
    if len(shards) <= 1:
        return {SINGLE: list(tensors)}
    names = (f"model-{n:05d}-of-{len(shards):05d}.safetensors" for n in range(1, len(shards) + 1))
    return dict(zip(names, shards, strict=True))


def split_tensors(tensors: Sequence[TensorPlan], most: int) -> list[list[TensorPlan]]:
    """The tensors of each shard, by Hugging Face's rule.

    In the spec's order, a shard takes tensors until the next would go over `most`. A tensor that
    is larger by itself gets a shard of its own, before the one that is still being filled.
    """
    shards: list[list[TensorPlan]] = []
    current: list[TensorPlan] = []
    size = 0
    for tensor in tensors:
        if tensor.nbytes > most:
            shards.append([tensor])
            continue
        if size + tensor.nbytes > most:
            shards.append(current)
            current, size = [], 0
        current.append(tensor)
        size += tensor.nbytes
    return [*shards, current] if current else shards


def make_index(shards: Mapping[str, Sequence[TensorPlan]]) -> bytes:
    """The index: which file has each tensor, and the bytes of all tensors."""
    places = {tensor.name: name for name, tensors in shards.items() for tensor in tensors}
    total = sum(tensor.nbytes for tensors in shards.values() for tensor in tensors)
    content = {"metadata": {"total_size": total}, "weight_map": places}
    return (json.dumps(content, indent=2, sort_keys=True) + "\n").encode()


def find_set(folder: str) -> list[str]:
    """The names of the set in a folder, also of an unfinished one; the index first."""
    names = sorted(os.listdir(folder))
    return [n for n in names if n == INDEX] + [n for n in names if _NAME.match(n)]


def read_places(folder: str) -> dict[str, str] | None:
    """The file of each tensor in a folder by its index; None where a single file has all."""
    path = os.path.join(folder, INDEX)
    if not os.path.exists(path) and os.path.exists(os.path.join(folder, SINGLE)):
        return None
    try:
        match load_json(path):
            case {"weight_map": dict(places)}:
                pass
            case _:
                raise ValueError("it must have a weight_map")
        if not all(isinstance(name, str) and _NAME.match(name) for name in places.values()):
            raise ValueError("a file's name is not that of a shard")
    except ValueError as error:
        raise InputError(f"{path} is not a sound index: {error}") from error
    return places
