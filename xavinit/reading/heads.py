"""What files hold beside the values of their tensors, compared with a layout: what differs there.

Where every byte outside the tensors is the layout's, the tensors lie where it says. Where one is
not, the file's own index is read, so that a person is told of tensors and metadata, not of bytes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct, structs

from xavinit.errors import InputError, UnreadableError
from xavinit.formats import (
    Contents,
    FileLayout,
    Format,
    Index,
    Layout,
    OddByte,
    PlainRange,
    StoredTensor,
    find_odd_byte_of,
)
from xavinit.places import (
    find_version,
    is_folder,
    join,
    list_folder,
    lists,
    open_again,
    split,
)
from xavinit.plan import TensorPlan
from xavinit.reading.faults import Fault, find_changes

if TYPE_CHECKING:
    from xavinit.places import Version


class Found(Struct, frozen=True):
    """The faults of files, and the stored tensors whose values are still to be compared.

    Those bear the spec's names, and are of the spec's shapes and dtypes.
    """

    faults: tuple[Fault, ...] = ()
    stored: Mapping[str, StoredTensor] = {}


def compare_files(
    fmt: Format,
    layout: Layout,
    files: Sequence[tuple[FileLayout, str]],
    folder: str | None,
    versions: Mapping[str, Version] | None = None,
) -> Found:
    """Compare files of a layout, each at its path, but for the values of their tensors.

    In `folder`, where it is given, no other files may be. `versions` are those of objects that
    were read before. Raises `InputError` where a file cannot be read, or is of another version;
    one that is damaged is a fault.
    """
    versions = versions or {}
    founds = [_compare_file(fmt, layout, file, path, versions.get(path)) for file, path in files]
    faults = [fault for found in founds for fault in found.faults]
    if folder is not None:
        known = {file.name for file, _ in files}
        present = sorted(list_folder(folder)) if is_folder(folder) else []
        if layout.find_set is not None and present:
            present = sorted(layout.find_set(folder))
        faults += (
            Fault(kind="unexpected_file", path=join(folder, name))
            for name in present
            if name not in known
        )
    stored = {name: tensor for found in founds for name, tensor in found.stored.items()}
    return Found(tuple(_join_misplaced(faults)), stored)


def compare_index(index: Index, contents: Contents) -> Found:
    """Compare the tensors of any file with what it should hold, but for their values."""
    return _compare_tensors(index, contents.tensors, contents.names)


def _compare_file(
    fmt: Format, layout: Layout, file: FileLayout, path: str, version: Version | None
) -> Found:
    if not lists(path):
        return Found((Fault(kind="missing_file", path=path),))
    if is_folder(path):
        return Found((Fault(kind="unsound_file", path=path, got="is a folder"),))
    if file.contents is not None:
        return _compare_contents(fmt, layout, file.contents, path, version)
    with open_again(path, version) as opened:
        version = find_version(opened)
        odd = find_odd_byte_of(file, path, opened)
    if odd is None:
        stored = {
            tensor.name: StoredTensor(
                tensor.name, tensor.dtype, tensor.shape, PlainRange(path, region.offset, version)
            )
            for region in file.regions
            for tensor in (region.tensor,)
        }
        return Found((), stored)
    if layout.folder and not file.regions:  # what makes the files a set
        return Found(tuple(_compare_manifest(fmt, layout, path)) or (_tell_byte(path, odd),))
    index = _read_index(fmt, path, version)
    if isinstance(index, Fault):
        return Found((index,))
    tensors = [region.tensor for region in file.regions]
    if not fmt.names_tensors and len(tensors) == len(index.tensors) == 1:
        (only,) = index.tensors
        index = structs.replace(index, tensors=(structs.replace(only, name=tensors[0].name),))
    found = _compare_tensors(index, tensors, {})
    metadata = layout.metadata if fmt.names_tensors else {}
    faults = (*found.faults, *_compare_metadata(path, metadata, index.metadata))
    return Found(faults or (_tell_byte(path, odd),), found.stored)


def _compare_contents(
    fmt: Format, layout: Layout, contents: Contents, path: str, version: Version | None
) -> Found:
    """Compare what a library's file holds; its other bytes depend on the library's release."""
    index = _read_index(fmt, path, version)
    if isinstance(index, Fault):
        return Found((index,))
    found = _compare_tensors(index, contents.tensors, contents.names)
    faults = [*found.faults, *_compare_metadata(path, layout.metadata, index.metadata)]
    objects = [name for name in contents.attributes if name != "/"]  # whose texts are the metadata
    if objects and fmt.read_attributes is not None and index.metadata:
        try:
            texts = fmt.read_attributes(path, objects, index.versions.get(path))
        except InputError as error:
            return Found((*faults, _tell_unsound(path, error)), found.stored)
        for name in texts:  # whatever lacks is a tensor's
            faults += (
                Fault(
                    kind="attribute",
                    path=path,
                    key=f"attribute {key} of {name}",
                    expected=expected,
                    got=got,
                )
                for key, expected, got in find_changes(contents.attributes[name], texts[name])
            )
    return Found(tuple(faults), found.stored)


def _compare_manifest(fmt: Format, layout: Layout, path: str) -> Iterator[Fault]:
    """What the metadata say where the file of a folder that has them differs."""
    if fmt.read_metadata is not None:
        try:
            metadata = fmt.read_metadata(split(path)[0] or os.curdir)
        except InputError as error:
            yield _tell_unsound(path, error)
        else:
            yield from _compare_metadata(path, layout.metadata, metadata)


def _compare_tensors(
    index: Index, tensors: Sequence[TensorPlan], names: Mapping[str, str]
) -> Found:
    """Pair tensors by the file's names; `names` are the spec's where they are others."""
    faults = []
    stored = {}
    found = {tensor.name: tensor for tensor in index.tensors}
    for tensor in tensors:
        name = names.get(tensor.name, tensor.name)
        own = tensor.name if tensor.name in names else None
        there = found.pop(tensor.name, None)
        if there is None:
            faults.append(
                Fault(kind="missing_tensor", path=index.path, tensor=name, stored_name=own)
            )
            continue
        path = there.source.path
        if there.shape != tensor.shape:
            faults.append(
                Fault(
                    kind="shape",
                    path=path,
                    tensor=name,
                    stored_name=own,
                    expected=str(list(tensor.shape)),
                    got=str(list(there.shape)),
                )
            )
        if there.dtype.name != tensor.dtype.name:
            faults.append(
                Fault(
                    kind="dtype",
                    path=path,
                    tensor=name,
                    stored_name=own,
                    expected=tensor.dtype.name,
                    got=there.dtype.name,
                )
            )
        elif there.shape == tensor.shape:
            stored[name] = there
    faults += (
        Fault(kind="unexpected_tensor", path=tensor.source.path, stored_name=tensor.name)
        for tensor in found.values()
    )
    return Found(tuple(faults), stored)


def _compare_metadata(
    path: str, expected: Mapping[str, str], got: Mapping[str, str]
) -> Iterator[Fault]:
    """What differs between texts by their keys; within JSON, what differs there."""
    for key, there, here in _list_changes(expected, got):
        yield Fault(kind="metadata", path=path, key=f"metadata {key}", expected=there, got=here)


def _list_changes(
    expected: Mapping[str, str], got: Mapping[str, str]
) -> Iterator[tuple[str, str, str]]:
    for key in [*expected, *(key for key in got if key not in expected)]:
        there = {key: expected[key]} if key in expected else {}
        here = {key: got[key]} if key in got else {}
        if there == here:
            continue
        inner = _find_inner_changes(expected[key], got[key]) if there and here else []
        yield from ((f"{key}: {place}", told, read) for place, told, read in inner)
        if not inner:
            yield from find_changes(there, here)


def _find_inner_changes(expected: str, got: str) -> list[tuple[str, str, str]]:
    """What differs between two JSON objects; nothing where a text is none."""
    try:
        there, here = json.loads(expected), json.loads(got)
    except (ValueError, RecursionError):
        return []
    both = isinstance(there, dict) and isinstance(here, dict)
    changes = find_changes(there, here) if both else []
    # Our own has the seed twice, of which a person is told once.
    places = {place for place, _, _ in changes}
    return [c for c in changes if not (c[0] == "spec.seed" and "seed" in places)]


def _read_index(fmt: Format, path: str, version: Version | None) -> Index | Fault:
    """The index of a file, which must be of the version that was read before, if any was."""
    try:
        index = fmt.read_index(path)
    except InputError as error:
        return _tell_unsound(path, error)
    if version is not None and index.versions.get(path, version) != version:
        raise UnreadableError(f"cannot read {path}: the object has changed")
    return index


def _tell_unsound(path: str, error: InputError) -> Fault:
    """The fault of a damaged file; a file that the system does not let us read is raised."""
    is_system = isinstance(error.__cause__, OSError) and error.__cause__.errno
    if is_system or isinstance(error, UnreadableError):
        raise error
    text = error.describe().removeprefix(path).removeprefix(":").strip()
    return Fault(kind="unsound_file", path=path, got=text)


def _tell_byte(path: str, odd: OddByte) -> Fault:
    expected, got = (None if byte is None else f"0x{byte:02x}" for byte in (odd.expected, odd.got))
    return Fault(kind="bytes", path=path, offset=odd.offset, expected=expected, got=got)


def _join_misplaced(faults: Sequence[Fault]) -> Iterator[Fault]:
    """A tensor that one file lacks and another has too many is in the wrong file: one fault."""
    homes = {f.tensor: f.path for f in faults if f.kind == "missing_tensor"}
    misplaced = {f.stored_name for f in faults if f.kind == "unexpected_tensor"} & set(homes)
    for fault in faults:
        if fault.kind == "unexpected_tensor" and fault.stored_name in misplaced:
            home = split(homes[fault.stored_name])[1]
            yield Fault(
                kind="misplaced_tensor", path=fault.path, tensor=fault.stored_name, expected=home
            )
        elif not (fault.kind == "missing_tensor" and fault.tensor in misplaced):
            yield fault
