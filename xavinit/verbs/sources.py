"""Where a spec comes from: a file, data, or a weights file of ours, which carries its own."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from xavinit.errors import InputError, SpecError, UnreadableError
from xavinit.file_kinds import HDF5, HEAD, NPY, SAFETENSORS, find_kind
from xavinit.formats import Recipe, find_names, load_index, parse_index_name
from xavinit.places import exists, is_file, is_folder, join, open_file, read_beginning, split
from xavinit.plan import STREAM
from xavinit.rngs import parse_rng
from xavinit.spec import Document, copy_plain, load_document

# A spec: the path of its file or of a weights file of ours, `-` for standard input, or its data.
SpecSource = str | os.PathLike[str] | Mapping[str, Any]

_CARRIERS = (SAFETENSORS, HDF5, NPY)  # what may carry a spec


class Source(Struct, frozen=True):
    """A spec's document; of a weights file also its path, and the limit of its shards."""

    document: Document
    weights: str | None = None
    max_shard_size: int | None = None


def load_source(spec: SpecSource) -> Source:
    """Read a spec, or the spec that a weights file of ours carries.

    Raises `InputError` where the file cannot be read and `SpecError` where it is neither.
    """
    path = _find_weights(spec)
    if path is None:
        return Source(load_document(spec))
    kind = _find_kind(path)
    index = load_index(path)
    recipe = index.parse_recipe()
    if recipe is None:
        what = "a folder of weights" if is_folder(path) else kind or "an index"
        raise SpecError(
            f"{path} is {what} that carries no spec of xavinit",
            hint="xavinit.digest (in Python) takes any weights file",
        )
    return take_recipe(path, recipe)


def take_recipe(path: str, recipe: Recipe) -> Source:
    """The source of the spec that a weights file carries."""
    check_stream(path, recipe)
    with Document(path, None).locating():
        data = copy_plain({**recipe.spec, "seed": recipe.seed})
    return Source(Document(path, data), path, recipe.max_shard_size)


def check_stream(path: str, recipe: Recipe) -> None:
    """Refuse a weights file whose numbers are those of a stream that this version does not have."""
    if recipe.stream != _find_stream(recipe.spec):
        raise InputError(f"{path} was drawn from another stream, {recipe.stream}; this is {STREAM}")


def _find_stream(spec: Mapping[str, Any]) -> str:
    """The stream that a spec asks for; ours where it asks for none that we know."""
    try:
        return str(parse_rng(spec.get("rng", STREAM)))
    except SpecError:
        return STREAM


def _find_weights(spec: object) -> str | None:
    """The path of the weights where the source is such, else None; a manifest's is its folder."""
    if not isinstance(spec, str | bytes | os.PathLike):
        return None
    path = os.fsdecode(spec)
    if _find_kind(path) in _CARRIERS:
        return path
    folder, base = split(path)
    if base == "manifest.json" and _has_key(path, "xavinit"):
        return folder or os.curdir
    if parse_index_name(base) and _has_key(path, "weight_map"):
        return path
    return path if _holds_weights(path) else None


def _holds_weights(folder: str) -> bool:
    if not is_folder(folder):
        return False
    try:
        names = find_names(folder)
    except OSError:  # whoever reads it next says why
        return False
    listed = ("manifest.json", names.index, names.single)
    return any(exists(join(folder, name)) for name in listed)


def _find_kind(path: str) -> str | None:
    """What a regular file is by its beginning; a pipe is not read twice."""
    if not is_file(path):
        return None
    try:
        with open_file(path) as file:
            return find_kind(read_beginning(file, HEAD))
    except UnreadableError:
        raise
    except (InputError, OSError):  # whoever reads it next says why
        return None


def _has_key(path: str, key: str) -> bool:
    try:
        data = load_document(path).data
    except UnreadableError:
        raise
    except (InputError, SpecError):
        return False
    return isinstance(data, dict) and key in data


def check_not_spec(paths: Iterable[str | int], spec: object) -> None:
    """Refuse an output one of whose paths or handles is the spec's file."""
    from xavinit.output import check_apart

    if isinstance(spec, (str, bytes, os.PathLike)):
        check_apart(paths, os.fsdecode(spec))
