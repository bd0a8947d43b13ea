"""The parts of a derived spec → its text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct, structs

from xavinit.deriving.entries import Entry
from xavinit.deriving.rules import Rule
from xavinit.deriving.sizes import Dim
from xavinit.deriving.yaml_text import write_flow, write_scalar

WIDTH = 100  # columns
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
    yield from (f"# {comment}".rstrip() for comment in draft.comments)
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
            yield f"{line}  # {rule.note}" if rule.note else line
    yield "tensors:"
    yield from _list_entries(draft.entries)


def _list_entries(entries: Sequence[Entry]) -> Iterable[str]:
    if not entries:
        return ["  {}"]
    return (line for entry in entries for line in write_entry(entry))


def write_key(entry: Entry) -> str:
    return f"{_INDENT}{write_scalar(entry.name)}:"


def write_value(entry: Entry) -> str:
    if not entry.keys:
        return write_flow(entry.shape)
    if "tied" in entry.keys:
        return write_flow(entry.keys)
    return write_flow({"shape": entry.shape, **entry.keys})


def measure_entry(entry: Entry) -> int:
    """The columns that the longest line of an entry takes, without its comment."""
    return max(len(line) for line in write_entry(structs.replace(entry, note="")))


def write_entry(entry: Entry) -> Iterator[str]:
    """The lines of an entry: one, unless it is too long; a comment beside it, or before it."""
    key, value = write_key(entry), write_value(entry)
    line = f"{key} {value}"
    note = f"# {entry.note}" if entry.note else ""
    if note and len(line) + 2 + len(note) > WIDTH:
        yield f"{_INDENT}{note}"
        note = ""
    if len(line) <= WIDTH or len(key) + len(value) < 12:
        yield f"{line}  {note}".rstrip()
    else:
        yield key
        yield f"{_INDENT * 2}{value}  {note}".rstrip()
