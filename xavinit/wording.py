"""How messages show values: one grammar for all of them (rule, then got, then where)."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable

from xavinit.errors import escape

LONGEST_VALUE = 72


def format_value(value: object) -> str:
    """The offending value as JSON would show it, without control characters, cut to a line.

    >>> format_value({"gain": -1})
    '{"gain": -1}'
    """
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**LONGEST_VALUE:
        return f"an integer of {value.bit_length()} bits"
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        text = repr(value)
    text = escape(text[: 4 * LONGEST_VALUE])
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"


def format_choices(choices: Iterable[str]) -> str:
    """A closed set of choices, sorted: `a, b or c`."""
    *most, last = sorted(choices)
    return f"{', '.join(most)} or {last}" if most else last


def suggest(word: object, choices: Iterable[str]) -> str | None:
    """The hint "did you mean …?" where a choice is close to the word, else None."""
    if not isinstance(word, str):
        return None
    import difflib  # only a failing run pays for it

    close = difflib.get_close_matches(word[:200], sorted(choices), n=1, cutoff=0.6)
    return f"did you mean {format_value(close[0])}?" if close else None


def plural(count: int, noun: str) -> str:
    """`1 tensor`, `2 tensors`, `1,200 tensors`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def format_bytes(count: int) -> str:
    """A size in decimal units with three digits: `407 kB`, `16.1 GB`."""
    size = float(count)
    for unit in ("B", "kB", "MB", "GB", "TB", "PB"):
        if size < 999.5 or unit == "PB":
            break
        size /= 1000
    return f"{count} B" if unit == "B" else f"{size:.3g} {unit}"


def explain_os_error(error: OSError) -> str:
    """The system's own words for what went wrong, on one line.

    HDF5 makes the error's text a paragraph, but gives the number.
    """
    if error.errno:
        return os.strerror(error.errno)
    return " ".join(str(error).split()) or type(error).__name__
