"""`.keras`: Keras's zip archive of a whole model, of which the weights are read.

The weights are an HDF5 file, `model.weights.h5`, which Keras stores as it is. So a contiguous
dataset is a byte range of the archive, read as in any other format; for anything else the HDF5
library reads through a window of the archive. That needs random access and takes no disk and no
memory, which unpacking would. A deflated member, which Keras does not make, is refused.
"""

from __future__ import annotations

from msgspec import structs

from xavinit.errors import InputError
from xavinit.formats.archives import Archive
from xavinit.formats.datasets import read_index as read_datasets
from xavinit.formats.deflated import read_whole_member
from xavinit.formats.files import parse_json
from xavinit.formats.hdf5_source import Window
from xavinit.formats.stored import Index

WEIGHTS = "model.weights.h5"
_METADATA = "metadata.json"  # the version of Keras and the date
_LARGEST_METADATA = 1_000_000  # bytes


def is_keras(archive: Archive) -> bool:
    return WEIGHTS in archive.members


def read_index(archive: Archive) -> Index:
    """The index of the weights; the archive's metadata is beside that of the HDF5 file."""
    member = archive.members[WEIGHTS]
    if member.is_deflated:
        raise InputError(
            f"{archive.path}: {WEIGHTS} in it is compressed, as Keras never does",
            hint=f"unzip it, and name the {WEIGHTS}",
        )
    index = read_datasets(archive.path, Window(member.offset, member.nbytes), archive.version)
    metadata = {**_read_metadata(archive), **index.metadata}
    return structs.replace(index, format="keras_archive", metadata=metadata)


def _read_metadata(archive: Archive) -> dict[str, str]:
    if _METADATA not in archive.members:
        return {}
    content = read_whole_member(archive, archive.members[_METADATA], _LARGEST_METADATA)
    try:
        told = parse_json(content)
    except ValueError as error:
        raise InputError(f"{archive.path} has no sound {_METADATA}: {error}") from error
    told = told if isinstance(told, dict) else {}
    return {key: value for key, value in sorted(told.items()) if isinstance(value, str)}
