"""The formats that are written: their names, suffixes and manifests, and how each is found."""

from __future__ import annotations

import os
from importlib import import_module
from typing import cast

from xavinit.errors import UsageError
from xavinit.formats.layout import Format
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


def parse_format(name: str) -> Format:
    """The format of a name, or `UsageError`."""
    if not isinstance(name, str) or name not in FORMATS:
        raise UsageError(f"format must be {format_choices(FORMATS)}; got {format_value(name)}")
    return cast(Format, import_module(f"xavinit.formats.{name}").FORMAT)
