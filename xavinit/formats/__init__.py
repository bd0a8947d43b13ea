"""Formats: a module each; it says where every tensor lies, and reads an index back.

To add one: a module with a `Format`, and its row here.
"""

from __future__ import annotations

import os

from xavinit.errors import UsageError
from xavinit.formats.hdf5 import HDF5
from xavinit.formats.layout import FileLayout, Format, Layout, Region, StoredTensor
from xavinit.formats.npy import MANIFEST, NPY
from xavinit.formats.safetensors import SAFETENSORS
from xavinit.wording import format_choices, format_value

FORMATS: dict[str, Format] = {fmt.name: fmt for fmt in (SAFETENSORS, HDF5, NPY)}


def find_suffix(path: str) -> Format | None:
    """The format that a path's suffix stands for, or None."""
    suffix = os.path.splitext(path)[1].lower()
    return next((fmt for fmt in FORMATS.values() if suffix in fmt.suffixes), None)


def parse_format(name: str) -> Format:
    """The format of a name, or `UsageError`."""
    if name not in FORMATS:
        raise UsageError(f"format must be {format_choices(FORMATS)}; got {format_value(name)}")
    return FORMATS[name]


__all__ = [
    "FORMATS",
    "MANIFEST",
    "FileLayout",
    "Format",
    "Layout",
    "Region",
    "StoredTensor",
    "find_suffix",
    "parse_format",
]
