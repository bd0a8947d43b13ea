"""Formats: each module says where every tensor lies in a file, and reads an index back.

To add one: a module with a `FORMAT`, and its suffixes in `known.py` (of a folder, also its
manifest). `load_index` reads any file; it knows what a file is by its content.
"""

from __future__ import annotations

from xavinit.formats.known import (
    FORMATS,
    MANIFESTS,
    choose_default,
    find_suffix,
    name_output,
    parse_format,
)
from xavinit.formats.layout import FileLayout, Format, Gap, Layout, Region
from xavinit.formats.load import load_index
from xavinit.formats.shard_names import (
    ShardNames,
    find_names,
    parse_index_name,
    parse_shard_names,
)
from xavinit.formats.shards import parse_size
from xavinit.formats.shares import Part, divide, parse_part, parse_parts
from xavinit.formats.standing import State, find_state
from xavinit.formats.stored import Index, PlainRange, Reader, StoredTensor

__all__ = [
    "FORMATS",
    "MANIFESTS",
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
    "divide",
    "find_names",
    "find_state",
    "find_suffix",
    "load_index",
    "name_output",
    "parse_format",
    "parse_index_name",
    "parse_part",
    "parse_parts",
    "parse_shard_names",
    "parse_size",
]
