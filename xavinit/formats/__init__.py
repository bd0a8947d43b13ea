"""Formats: each module says where every tensor lies in a file, and reads an index back.

To add one: a module with a `FORMAT`, and its suffixes in `known.py` (of a folder, also its
manifest). `load_index` reads any file; it knows what a file is by its content.
"""

from __future__ import annotations

from xavinit.formats.heads import OddByte, find_odd_byte, find_odd_byte_of
from xavinit.formats.keras_paths import name_keras_datasets
from xavinit.formats.known import (
    FORMATS,
    MANIFESTS,
    choose_default,
    find_suffix,
    name_output,
    parse_format,
)
from xavinit.formats.layout import (
    Contents,
    FileLayout,
    Format,
    Gap,
    Layout,
    Region,
    lay_out_file,
)
from xavinit.formats.load import load_index
from xavinit.formats.metadata import Recipe
from xavinit.formats.rearranged import (
    Portion,
    assemble,
    cut_tensor,
    make_zeros,
    permute,
)
from xavinit.formats.shard_names import (
    ShardNames,
    find_names,
    parse_index_name,
    parse_shard_names,
)
from xavinit.formats.shards import parse_size
from xavinit.formats.shares import Part, divide, parse_part, parse_parts
from xavinit.formats.standing import State, find_state, judge_state
from xavinit.formats.stored import Index, PlainRange, Reader, StoredTensor

__all__ = [
    "FORMATS",
    "MANIFESTS",
    "Contents",
    "FileLayout",
    "Format",
    "Gap",
    "Index",
    "Layout",
    "OddByte",
    "Part",
    "PlainRange",
    "Portion",
    "Reader",
    "Recipe",
    "Region",
    "ShardNames",
    "State",
    "StoredTensor",
    "assemble",
    "choose_default",
    "cut_tensor",
    "divide",
    "find_names",
    "find_odd_byte",
    "find_odd_byte_of",
    "find_state",
    "find_suffix",
    "judge_state",
    "lay_out_file",
    "load_index",
    "make_zeros",
    "name_keras_datasets",
    "name_output",
    "parse_format",
    "parse_index_name",
    "parse_part",
    "parse_parts",
    "parse_shard_names",
    "parse_size",
    "permute",
]
