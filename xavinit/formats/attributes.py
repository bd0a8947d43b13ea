"""The attributes of an HDF5 file's objects: texts alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from xavinit.errors import InputError
from xavinit.formats.hdf5_library import import_h5py, is_text, map_errors
from xavinit.formats.hdf5_source import open_part
from xavinit.wording import explain_os_error

if TYPE_CHECKING:
    from xavinit.places import Version


def read_attributes(
    path: str, objects: Iterable[str], version: Version | None = None
) -> dict[str, dict[str, str]]:
    """The texts among the attributes of these objects, each by its path; nothing of a missing one.

    The index of the file must have been read before, in a store that of this `version`: that finds
    damaged heaps, in which the library would look for a text without end.
    """
    h5py = import_h5py()
    try:
        with map_errors(), open_part(h5py, path, None, version) as file:
            found: dict[str, dict[str, str]] = {}
            for name in objects:
                if name not in file:
                    continue
                attributes = file[name].attrs
                texts = {
                    key: attributes[key]
                    for key in sorted(attributes)
                    if is_text(h5py, attributes.get_id(key))
                }
                found[name] = {key: text for key, text in texts.items() if isinstance(text, str)}
            return found
    except OSError as error:
        reason = explain_os_error(error)
        raise InputError(f"{path} is not a sound HDF5 file: {reason}") from error
