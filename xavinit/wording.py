"""How messages show values: one grammar for all of them (rule, then got, then where)."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterable, Mapping, Sequence

from xavinit.errors import escape

LONGEST_VALUE = 72
_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")

LONGEST_WORD = 200  # characters that a near choice is looked for
MOST_SUGGESTED = 10_000  # choices looked through for a near one: a tenth of a second
MOST_STEPS = 4 * 10**6  # characters of the word × of the choices compared closely: the same


def format_power(number: int) -> str:
    """A limit as people write it: one less than a power of two by the power, −2⁶³ by its own.

    >>> format_power(2**64 - 1), format_power(-(2**63)), format_power(0)
    ('2⁶⁴−1', '−2⁶³', '0')
    """
    if number == 0:
        return "0"
    power = str((abs(number) - (number < 0)).bit_length()).translate(_RAISED)
    return f"−2{power}" if number < 0 else f"2{power}−1"


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


def suggest(word: object, choices: Iterable[str], kind: str = "") -> str | None:
    """What to do about a word that is none of the choices, or None where that is not known.

    Where it is what another framework calls something of this kind (`vocabulary.py`), that is what
    is meant, else a choice that is spelled nearly so. The first `MOST_SUGGESTED` choices are looked
    through, the likeliest of them closely.
    """
    if not isinstance(word, str):
        return None
    choices = list(itertools.islice(choices, MOST_SUGGESTED))
    word = word[:LONGEST_WORD]
    if (meant := find_meant(word, choices, kind)) is not None:
        return f"did you mean {format_value(meant)}?"
    return _advise(word, kind) or _suggest_near(word, choices)


def find_meant(word: str, choices: Sequence[str], kind: str) -> str | None:
    """The choice that is the same under another name, or the same but for case and `_`."""
    from xavinit.advice import ADVICE  # only a failing run pays for it
    from xavinit.vocabulary import SAME

    known = set(choices)
    rows = {ours: others for ours, others in SAME.get(kind, {}).items() if ours in known}
    if exact := next((ours for ours, others in rows.items() if word in others), None):
        return exact
    if any(word in words for words in ADVICE.get(kind, {}).values()):
        return None
    folded = _fold(word, kind)
    same = [choice for choice in choices if _fold(choice, kind) == folded]
    if len(same) == 1:
        return same[0]
    return _find_row(folded, rows, kind)


def _advise(word: str, kind: str) -> str | None:
    """What to do about a word for which there is nothing here."""
    from xavinit.advice import ADVICE

    rows = ADVICE.get(kind, {})
    exact = next((advice for advice, words in rows.items() if word in words), None)
    return exact or _find_row(_fold(word, kind), rows, kind)


def _find_row(folded: str, rows: Mapping[str, Sequence[str]], kind: str) -> str | None:
    return next(
        (told for told, words in rows.items() if folded in (_fold(w, kind) for w in words)), None
    )


def _fold(word: str, kind: str) -> str:
    """A word without what frameworks write differently: case, `_` and `-`, the module before.

    A name of the user's own, which is of no kind, keeps all but the case.
    """
    if not kind:
        return word.casefold()
    return "".join(char for char in word.rpartition(".")[2].casefold() if char.isalnum())


def _suggest_near(word: str, choices: Sequence[str]) -> str | None:
    """The hint "did you mean …?" where a choice is spelled nearly so."""
    import difflib

    matcher = difflib.SequenceMatcher()
    matcher.set_seq2(word)
    bounds: list[tuple[float, str]] = []  # of how close they can be
    for choice in choices:
        least = _find_least(word, choice)
        matcher.set_seq1(choice)
        if matcher.real_quick_ratio() >= least and (bound := matcher.quick_ratio()) >= least:
            bounds.append((bound, choice))
    bounds.sort(reverse=True)
    best, closest = 0.0, ""
    steps = 0
    for bound, choice in bounds:
        steps += len(choice) * len(word)
        if bound < best or steps > MOST_STEPS:
            break
        matcher.set_seq1(choice)
        ratio = matcher.ratio()
        if ratio >= _find_least(word, choice):
            best, closest = max((best, closest), (ratio, choice))
    return f"did you mean {format_value(closest)}?" if closest else None


def _find_least(word: str, choice: str) -> float:
    """How close a choice must be, as difflib measures it: a slip in four characters, or one.

    More are another word: a hint that is wrong is worse than none.
    """
    longest = max(len(word), len(choice))
    return 1 - max(1, longest // 4) / longest - 1e-9 if longest > 2 else 1.0


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
