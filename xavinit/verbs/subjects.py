"""What is on the disk to be compared: a file, a shard, a set or a folder, by its content."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec import Struct

from xavinit.errors import AddressError, InputError, UnreadableError, UsageError
from xavinit.file_kinds import HDF5, HEAD, NPY, SAFETENSORS, find_kind
from xavinit.formats import (
    MANIFESTS,
    Index,
    Recipe,
    ShardNames,
    find_names,
    find_suffix,
    load_index,
    parse_format,
    parse_index_name,
    parse_shard_names,
)
from xavinit.places import exists, join, look, open_file, read_beginning, split
from xavinit.wording import explain_os_error

if TYPE_CHECKING:
    from xavinit.places import Version

_FORMATS = {SAFETENSORS: "safetensors", NPY: "npy", HDF5: "hdf5"}


class Subject(Struct, frozen=True):
    """A file, or the folder of several.

    `format` is the one that xavinit would write, or None; `names` are those of a sharded set.
    """

    path: str
    format: str | None
    is_folder: bool = False
    names: ShardNames | None = None


def find_subject(path: str, shard_name: str | None = None) -> Subject:
    """What a path stands for; `InputError` where nothing is there, or it cannot be read."""
    if path == "-":
        raise UsageError("standard input is read once and in order: give the name of a file")
    try:
        kind = look(path)
        if kind == "folder":
            return _find_folder(path, shard_name)
        folder, base = split(path)
        names = parse_index_name(base)
        if names is not None:
            return Subject(folder or os.curdir, "safetensors", is_folder=True, names=names)
        head = b""
        if kind == "file":  # nothing else, on which a reader might wait for ever
            with open_file(path) as file:
                head = read_beginning(file, HEAD)
    except AddressError:
        raise
    except (OSError, ValueError) as error:
        reason = explain_os_error(error) if isinstance(error, OSError) else str(error)
        raise InputError(f"cannot read {path}: {reason}") from error
    found = find_kind(head)
    by_suffix = find_suffix(path)
    if found == HDF5:
        return Subject(path, _choose_hdf5(path, by_suffix))
    # Where even the first bytes are damaged, the name says what it should be.
    return Subject(path, _FORMATS.get(found or "", by_suffix if found is None else None))


def _find_folder(path: str, shard_name: str | None) -> Subject:
    for name, manifest in MANIFESTS.items():
        if exists(join(path, manifest)):
            return Subject(path, name, is_folder=True)
    names = find_names(path) if shard_name is None else parse_shard_names(shard_name)
    if not names.find_set(path):
        listed = " nor ".join([*MANIFESTS.values(), names.index, names.single])
        raise InputError(f"cannot read {path}: it has neither {listed}")
    return Subject(path, "safetensors", is_folder=True, names=names)


def _choose_hdf5(path: str, by_suffix: str | None) -> str:
    """Which of the two formats whose files are HDF5: Keras's has its variables under own names."""
    try:
        found = load_index(path).format
    except UnreadableError:
        raise
    except InputError:
        found = ""
    names = ("hdf5", "keras")
    return next((name for name in (found, by_suffix) if name in names), "hdf5")


class Carried(Struct, frozen=True):
    """The recipe that a subject carries, if any, and the versions of the objects it was read of."""

    recipe: Recipe | None = None
    versions: Mapping[str, Version] = {}


def find_recipe(subject: Subject) -> Carried:
    """The recipe that the subject carries; of a set, that of the first sound shard."""
    if not subject.is_folder or subject.format is None:
        return _carry(load_index(subject.path))
    fmt = parse_format(subject.format)
    if fmt.read_metadata is not None:
        index = Index(subject.path, (), fmt.read_metadata(subject.path))
        return _carry(index)
    fault: InputError | None = None
    for name in subject.names.find_set(subject.path) if subject.names else ():
        path = join(subject.path, name)
        if parse_index_name(name) is None:
            try:
                if (carried := _carry(fmt.read_index(path))).recipe is not None:
                    return carried
            except UnreadableError:
                raise
            except InputError as error:
                fault = fault or error
    if fault is not None:
        raise fault
    return Carried()


def _carry(index: Index) -> Carried:
    return Carried(index.parse_recipe(), index.versions)
