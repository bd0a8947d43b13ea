"""How messages show values: one grammar for all of them (rule, then got, then where)."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterable

from xavinit.errors import escape

LONGEST_VALUE = 72

LONGEST_WORD = 200  # characters that a near choice is looked for
MOST_SUGGESTED = 10_000  # choices looked through for a near one: a tenth of a second
MOST_STEPS = 4 * 10**6  # characters of the word × of the choices compared closely: the same
CLOSE = 0.6  # of 1, as difflib measures it


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
        text = _show(value)
    return cut(text)


def _show(value: object) -> str:
    """What JSON does not have, as Python shows it; or, where that fails too, what it is."""
    try:
        return repr(value)
    except (ValueError, RecursionError):  # an integer longer than PYTHONINTMAXSTRDIGITS; too deep
        return f"a {type(value).__name__}"


def cut(text: str) -> str:
    """The text without control characters, cut to a line."""
    text = escape(text[: 4 * LONGEST_VALUE])
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"


def format_choices(choices: Iterable[str]) -> str:
    """A closed set of choices, sorted: `a, b or c`."""
    *most, last = sorted(choices)
    return f"{', '.join(most)} or {last}" if most else last


def suggest(word: object, choices: Iterable[str]) -> str | None:
    """The hint "did you mean …?" where a choice is close to the word, else None.

    The first `MOST_SUGGESTED` choices are looked through, the likeliest of them closely.
    """
    if not isinstance(word, str):
        return None
    import difflib  # only a failing run pays for it

    word = word[:LONGEST_WORD]
    matcher = difflib.SequenceMatcher()
    matcher.set_seq2(word)
    bounds: list[tuple[float, str]] = []  # of how close they can be
    for choice in itertools.islice(choices, MOST_SUGGESTED):
        matcher.set_seq1(choice)
        if matcher.real_quick_ratio() >= CLOSE and (bound := matcher.quick_ratio()) >= CLOSE:
            bounds.append((bound, choice))
    bounds.sort(reverse=True)
    best, closest = CLOSE, ""
    steps = 0
    for bound, choice in bounds:
        steps += len(choice) * len(word)
        if bound < best or steps > MOST_STEPS:
            break
        matcher.set_seq1(choice)
        best, closest = max((best, closest), (matcher.ratio(), choice))
    return f"did you mean {format_value(closest)}?" if closest else None


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
