"""HDF5 datasets, read: contiguous, chunked or compressed, in either byte order."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from xavinit.dtypes import DType
from xavinit.errors import InputError
from xavinit.formats.deflated import WindowFile
from xavinit.formats.hdf5_chunks import list_filters
from xavinit.formats.hdf5_library import (
    import_h5py,
    is_text,
    list_types,
    map_errors,
    name_kind,
)
from xavinit.formats.hdf5_source import Hdf5Dataset, Window, open_part
from xavinit.formats.heaps import SMALL, SMALL_OBJECT, check_heaps
from xavinit.formats.keras_groups import find_dtype, find_group, read_label
from xavinit.formats.stored import (
    LARGEST_NAMES,
    Index,
    PlainRange,
    Source,
    StoredTensor,
    index_tensors,
)
from xavinit.places import find_local, find_size, find_version, open_again
from xavinit.wording import explain_os_error, format_bytes, format_value

if TYPE_CHECKING:
    from xavinit.places import Version

MOST_OBJECTS = 1_000_000
DEEPEST_GROUP = 1000  # groups in groups
LARGEST_CHUNK = 256 << 20  # bytes; a chunk is held whole
MOST_CHUNKS = 2_000_000  # in a file: those that have no place in it take time too
_SMALLEST_CHUNK = 100  # bytes; in a large file there may be one for so many
_MOST_EXPANDED = 2000  # times the bytes of the file: what deflate may make of them, twice


def read_index(path: str, window: Window | None = None, version: Version | None = None) -> Index:
    """The index of a file: its datasets, by their paths, and the texts among its attributes.

    It is Keras's where a dataset lies in a group `vars`; the name of the layer is then its label.
    `version` is that of the archive of which the file is a window.
    """
    with open_again(path, version) as opened:
        version = find_version(opened)
        size = window.nbytes if window else find_size(opened)
    h5py = import_h5py()
    with _reading(path), open_part(h5py, path, window, version) as file:
        types = list_types(h5py)
        read = partial(_read_dataset, h5py, _File(path, size, window, version))
        tensors: list[StoredTensor] = []
        unknown = []
        groups: dict[str, str] = {}  # of Keras's variables
        values = []  # where they lie
        skipped = 0
        for name, dataset in _walk(h5py, file, path):
            kind = dataset.get_type()
            found = [(dtype, swapped) for known, dtype, swapped in types if kind == known]
            if dataset.get_space().get_simple_extent_type() == h5py.h5s.NULL:
                skipped += 1
                continue
            if not found and kind.get_class() in _find_others(h5py):
                skipped += 1
            elif found:
                tensors.append(read(name, dataset, *found[0]))
            else:
                unknown.append(name)
            if (group := find_group(name)) is not None:
                groups[name] = group
            if (place := _find_range(h5py, dataset, size)) is not None:
                values.append(place)
        texts = [name for name in sorted(file.attrs) if is_text(h5py, file.attrs.get_id(name))]
        if texts or unknown or groups:
            with open_again(path, version) as opened:
                part = WindowFile(opened, window.offset, size) if window else opened
                check_heaps(part, size, values, small=_find_small(path))
        for name in unknown:
            dataset = h5py.h5d.open(file.id, name.encode())
            special = find_dtype(h5py, dataset)
            tensors.append(read(name, dataset, special))
        layers = {group: read_label(h5py, file, group) for group in set(groups.values())}
        metadata = {name: file.attrs[name] for name in texts}
    _check_expanded(path, tensors, size)
    metadata = {name: text for name, text in metadata.items() if isinstance(text, str)}
    return index_tensors(
        path,
        sorted(tensors, key=lambda tensor: tensor.name.encode()),
        metadata,
        format="keras" if groups else "hdf5",
        labels={name: label for name in sorted(groups) if (label := layers[groups[name]])},
        skipped=skipped,
    )


def _find_small(path: str) -> int:
    """The bytes of a file that is searched for heaps whole: fewer where reading is a download."""
    return SMALL if find_local(path) is not None else SMALL_OBJECT


def _find_others(h5py: Any) -> tuple[int, ...]:
    """The classes of types that no tensor has: texts, records, references, lists."""
    kinds = h5py.h5t
    return kinds.STRING, kinds.COMPOUND, kinds.REFERENCE, kinds.VLEN


def _check_expanded(path: str, tensors: Iterable[StoredTensor], size: int) -> None:
    expanded = chunks = 0
    for tensor in tensors:
        if not isinstance(tensor.source, Hdf5Dataset):
            continue
        expanded += tensor.source.count_read(tensor)
        if expanded > _MOST_EXPANDED * size:
            raise InputError(
                f"{path}: dataset {format_value(tensor.name)} is refused: its chunks would make "
                f"over {_MOST_EXPANDED:,} times the {format_bytes(size)} of the file"
            )
        chunks += tensor.source.count_chunks(tensor)
        if chunks > max(MOST_CHUNKS, size // _SMALLEST_CHUNK):
            raise InputError(f"{path}: its datasets must have at most {MOST_CHUNKS:,} chunks")


@contextlib.contextmanager
def _reading(path: str) -> Iterator[None]:
    try:
        with map_errors():
            yield
    except OSError as error:
        reason = explain_os_error(error)
        if error.errno:  # the system's word: a disk that fails, a file that is being written
            raise InputError(f"cannot read {path}: {reason}") from error
        raise InputError(f"{path} is not a sound HDF5 file: {reason}") from error


def _walk(h5py: Any, file: Any, path: str) -> Iterator[tuple[str, Any]]:
    """The datasets under their names, each once. Links that lead elsewhere are not followed.

    h5py's own walk is not used: the library recurses as deep as the file's groups nest.
    """
    pending = [("", 0, h5py.h5g.open(file.id, b"/"))]
    seen = {_find_address(h5py, file.id)}
    characters = 0  # of all names
    while pending:
        prefix, depth, group = pending.pop()
        if depth > DEEPEST_GROUP:
            raise InputError(f"{path}: its groups must be at most {DEEPEST_GROUP:,} deep")
        links: list[bytes] = []
        group.links.iterate(links.append)
        for link in sorted(links):
            if group.links.get_info(link).type != h5py.h5l.TYPE_HARD:
                continue
            item = h5py.h5o.open(group, link)
            address = _find_address(h5py, item)
            if address in seen:
                continue
            seen.add(address)
            if len(seen) > MOST_OBJECTS:
                raise InputError(f"{path}: it must hold at most {MOST_OBJECTS:,} objects")
            try:
                name = prefix + link.decode()
            except UnicodeDecodeError:
                raise InputError(
                    f"{path}: the name of an object is not UTF-8: {link[:100]!r}"
                ) from None
            characters += len(name)
            if characters > LARGEST_NAMES:
                raise InputError(
                    f"{path}: the names in it are over {LARGEST_NAMES:,} characters in all"
                )
            if isinstance(item, h5py.h5g.GroupID):
                pending.append((f"{name}/", depth + 1, item))
            elif isinstance(item, h5py.h5d.DatasetID):
                yield name, item


def _find_address(h5py: Any, item: Any) -> tuple[int, int]:
    info = h5py.h5o.get_info(item)
    return info.fileno, info.addr


def _find_range(h5py: Any, dataset: Any, size: int) -> tuple[int, int] | None:
    """The offset and bytes of the values in the file, where they lie side by side.

    Not the size that the file has for them: in a damaged one it may be any.
    """
    if dataset.get_create_plist().get_layout() != h5py.h5d.CONTIGUOUS:
        return None
    offset, nbytes = dataset.get_offset(), math.prod(dataset.shape) * dataset.get_type().get_size()
    return (offset, nbytes) if offset is not None and offset + nbytes <= size else None


class _File(Struct, frozen=True):
    """What datasets are in: a file, or a window of an archive; of an object, which content."""

    path: str
    size: int
    window: Window | None
    version: Version | None


def _read_dataset(
    h5py: Any,
    file: _File,
    name: str,
    dataset: Any,
    dtype: DType | None,
    is_swapped: bool = False,
) -> StoredTensor:
    path, window, version = file.path, file.window, file.version
    creation, space = dataset.get_create_plist(), dataset.get_space()
    shown, layout = f"{path}: dataset {format_value(name)}", creation.get_layout()
    if layout not in (h5py.h5d.CONTIGUOUS, h5py.h5d.CHUNKED, h5py.h5d.COMPACT):
        raise InputError(f"{shown} is virtual: its values are elsewhere, which is not read")
    if dtype is None:
        kind = name_kind(h5py, dataset.get_type())
        raise InputError(f"{shown} is of a kind that is not read: {kind}")
    if space.get_simple_extent_type() not in (h5py.h5s.SIMPLE, h5py.h5s.SCALAR):
        raise InputError(f"{shown} is not of a kind that xavinit reads")
    if layout == h5py.h5d.CONTIGUOUS and creation.get_external_count():
        raise InputError(f"{shown} has its values in another file, which is not read")
    is_swapped = is_swapped and dtype.itemsize > 1
    shape = tuple(space.get_simple_extent_dims())
    nbytes = math.prod(shape) * dtype.itemsize
    offset = dataset.get_offset() if layout == h5py.h5d.CONTIGUOUS else None
    chunk = tuple(creation.get_chunk()) if layout == h5py.h5d.CHUNKED else None
    if chunk is not None:
        try:
            list_filters(creation)
        except ValueError as error:
            raise InputError(f"{shown} {error}") from None
    if chunk is not None and math.prod(chunk) * dtype.itemsize > LARGEST_CHUNK:
        raise InputError(f"{shown} has chunks over {format_bytes(LARGEST_CHUNK)}")
    if offset is not None and offset + nbytes > file.size:
        raise InputError(f"{path} is cut short at tensor {format_value(name)}")
    source: Source
    if nbytes == 0 or (offset is not None and not is_swapped):
        source = PlainRange(path, (offset or 0) + (window.offset if window else 0), version)
    else:
        source = Hdf5Dataset(path, name, chunk, is_swapped, window, version)
    return StoredTensor(name, dtype, shape, source)
