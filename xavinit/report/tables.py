"""Text in columns: how wide each is, and where what does not fit is broken."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from xavinit.widths import measure

# A name longer than this stands out of its column, lest one row widens all.
WIDEST_CELL = 100
NOTHING = "-"  # of a cell
_GAP = "  "
_INDENT = "  "


def pad(text: str, width: int, right: bool) -> str:
    """The text with blanks up to a width; with `right` it stands at the right."""
    if not text.isascii():
        width += len(text) - measure(text)  # as Python counts
    return text.rjust(width) if right else text.ljust(width)


def format_rows(
    rows: Sequence[Sequence[str]], rights: Sequence[bool], width: int | None
) -> Iterator[str]:
    """The lines of a table, the first column being a name, the first row the columns' names.

    Without a width each row is one line. Else a name that does not fit has a line of its own; where
    the cells alone do not fit, they are broken too.
    """
    most = WIDEST_CELL if width is None else max(width, 1)
    # A column at a time: there may be a million rows.
    widths = [_find_widest((row[column] for row in rows), most) for column in range(len(rights))]
    if width is not None:
        room = width - sum(widths[1:]) - len(_GAP) * len(widths[1:])
        if room < len(_INDENT):
            yield from _format_narrow(rows, rights, width)
            return
        widths[0] = max(_find_widest((row[0] for row in rows), room), len(_INDENT))
    pad_cell = lru_cache(maxsize=1024)(pad)  # names apart, there are few different cells
    for name, *cells in rows:
        if width is not None and measure(name) > widths[0]:
            yield name
            name = ""
        padded = map(pad_cell, cells, widths[1:], rights[1:])
        yield _GAP.join((pad(name, widths[0], rights[0]), *padded)).rstrip()


def _find_widest(cells: Iterable[str], most: int) -> int:
    """The width of a column that holds all cells but those wider than `most`."""
    return max((width for width in map(measure, set(cells)) if width <= most), default=0)


def _format_narrow(
    rows: Sequence[Sequence[str]], rights: Sequence[bool], width: int
) -> Iterator[str]:
    """A name, and below it its cells, as many in a line as fit; numbers by their columns' names."""
    _, *titles = rows[0]
    for name, *cells in rows[1:]:
        yield name
        line = ""
        for title, text, right in zip(titles, cells, rights[1:], strict=True):
            if text in ("", NOTHING):
                continue
            cell = f"{title.lower()} {text}" if right else text
            for part in _break(cell, width - len(_INDENT)):
                if line and measure(_INDENT + line + _GAP + part) > width:
                    yield _INDENT + line
                    line = ""
                line = f"{line}{_GAP}{part}" if line else part
        yield _INDENT + line


def _break(cell: str, room: int) -> list[str]:
    """A cell in parts that fit, broken between words."""
    if measure(cell) <= room:
        return [cell]
    return textwrap.wrap(cell, max(room, 1), break_long_words=False, break_on_hyphens=False)


def wrap(label: str, text: str, indent: int, width: int | None) -> Iterator[str]:
    """A label and a text beside it, broken between words at a width."""
    first = label.ljust(indent)
    if width is None:
        yield first + text
        return
    room = max(width - indent, 10)
    lines = textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False)
    for number, line in enumerate(lines or [""]):
        yield (first if number == 0 else " " * indent) + line
