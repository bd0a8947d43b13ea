"""Formats: each module says where every tensor lies in a file, and reads an index back.

To add one: a module with a `FORMAT`, and its suffixes here (of a folder, also its manifest).
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import cast

from xavinit.errors import UsageError
from xavinit.formats.layout import FileLayout, Format, Gap, Layout, Region
from xavinit.formats.shard_names import (
    ShardNames,
    find_names,
    parse_index_name,
    parse_shard_names,
)
from xavinit.formats.shards import parse_size
from xavinit.formats.shares import MOST_PARTS, Part, divide, parse_part, parse_parts
from xavinit.formats.standing import State, find_state
from xavinit.formats.stored import Index, PlainRange, Reader, StoredTensor
from xavinit.plan import Plan
from xavinit.wording import format_choices, format_value

# Each format's suffixes, the usual one first. Its module, of the same name, is loaded on demand.
FORMATS: dict[str, tuple[str, ...]] = {
    "safetensors": (".safetensors",),
    "hdf5": (".h5", ".hdf5"),
    "keras": (".weights.h5",),
    "npy": (".npy",),
}

# The file that shows which format a folder holds. A folder of shards has none: it is a user's own.
MANIFESTS = {"npy": "manifest.json"}


def find_suffix(path: str) -> str | None:
    """The name of the format that a path's suffix stands for, or None."""
    base = os.path.basename(path).lower()
    pairs = ((name, suffix) for name, suffixes in FORMATS.items() for suffix in suffixes)
    found = [
        (len(suffix), name) for name, suffix in pairs if base.endswith(suffix) and base != suffix
    ]
    return max(found)[1] if found else None  # the longest: .weights.h5 wins over .h5


def name_output(stem: str, name: str | None, *, is_folder: bool) -> str:
    """The name of an output from a stem: with the suffix of a format, by default safetensors.

    A folder gets no suffix, and a dot in its name becomes _, so that no part looks like a suffix.

    >>> name_output("gpt2", "hdf5", is_folder=False), name_output("gpt.2", "npy", is_folder=True)
    ('gpt2.h5', 'gpt_2')
    """
    return stem.replace(".", "_") if is_folder else stem + FORMATS[name or "safetensors"][0]


def choose_default(plan: Plan) -> str:
    """The name of the format of a file that was given neither a format nor a name.

    safetensors, but Keras's own for a network of Keras's that it can hold.
    """
    if plan.framework != "keras":
        return "safetensors"
    from xavinit.formats.hdf5_library import has_type

    holds = all(tensor.module is not None and has_type(tensor.dtype) for tensor in plan.tensors)
    return "keras" if holds else "safetensors"


def detect_format(path: str) -> str:
    """The name of the format of an existing output, by its suffix; of a folder, by its manifest.

    Anything else is taken for safetensors, whose reader says what is wrong with it.
    """
    if not os.path.isdir(path):
        return find_suffix(path) or "safetensors"
    found = (name for name, file in MANIFESTS.items() if os.path.exists(os.path.join(path, file)))
    return next(found, "safetensors")


def parse_format(name: str) -> Format:
    """The format of a name, or `UsageError`."""
    if not isinstance(name, str) or name not in FORMATS:
        raise UsageError(f"format must be {format_choices(FORMATS)}; got {format_value(name)}")
    return cast(Format, import_module(f"xavinit.formats.{name}").FORMAT)


__all__ = [
    "FORMATS",
    "MANIFESTS",
    "MOST_PARTS",
    "FileLayout",
    "Format",
    "Gap",
    "Index",
    "Layout",
    "Part",
    "PlainRange",
    "Reader",
    "Region",
    "ShardNames",
    "State",
    "StoredTensor",
    "choose_default",
    "detect_format",
    "divide",
    "find_names",
    "find_state",
    "find_suffix",
    "name_output",
    "parse_format",
    "parse_index_name",
    "parse_part",
    "parse_parts",
    "parse_shard_names",
    "parse_size",
]
