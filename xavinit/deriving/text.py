"""The parts of a derived spec → its text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from xavinit.deriving.dims import Dim
from xavinit.deriving.entries import Entry
from xavinit.deriving.rules import Rule
from xavinit.deriving.yaml_text import WIDTH, write_comment, write_flow, write_pair, write_scalar

_NOTE_COLUMN = 24  # where comments beside dims begin
_INDENT = "  "


class Draft(Struct, frozen=True):
    """All that a derived spec says."""

    comments: tuple[str, ...]
    dims: tuple[Dim, ...]
    defaults: Mapping[str, Any]
    rules: tuple[Rule, ...]
    entries: tuple[Entry, ...]


def write_draft(draft: Draft) -> str:
    """The text of a spec."""
    return "\n".join(_list_lines(draft)) + "\n"


def _list_lines(draft: Draft) -> Iterator[str]:
    yield from map(write_comment, draft.comments)
    yield "seed: 0"
    if draft.dims:
        yield "dims:"
        for dim in draft.dims:
            line = f"{_INDENT}{dim.name}: {write_flow(dim.size)}"
            yield f"{line.ljust(_NOTE_COLUMN)}  # {dim.note}" if dim.note else line
    yield f"defaults: {write_flow(draft.defaults)}"
    if draft.rules:
        yield "rules:"
        for rule in draft.rules:
            told = {"match": rule.glob, **rule.keys}
            line = f"{_INDENT}- {write_flow(told)}"
            note = f"  # {rule.note}" if rule.note else ""
            if len(line) + len(note) > WIDTH:
                yield _INDENT + note.strip()
                note = ""
            yield line + note
    if not draft.entries:
        yield "tensors: {}"
        return
    yield "tensors:"
    for entry in draft.entries:
        yield from write_entry(entry)


def write_entry(entry: Entry) -> Iterator[str]:
    """The lines of an entry."""
    return write_pair(_INDENT, write_scalar(entry.name), _write_value(entry), entry.note)


def measure_entry(entry: Entry) -> int:
    """The columns that the longest line of an entry takes, without its comment."""
    return max(map(len, write_pair(_INDENT, write_scalar(entry.name), _write_value(entry))))


def _write_value(entry: Entry) -> str:
    if not entry.keys:
        return write_flow(entry.shape)
    if "tied" in entry.keys:
        return write_flow(entry.keys)
    return write_flow({"shape": entry.shape, **entry.keys})
