"""Numbers as the page's plain table shows them; `page.js` shows them in the same way."""

from __future__ import annotations

import math
from decimal import ROUND_HALF_UP, Context

NOTHING = "–"  # of a figure that does not exist
_ROUNDING = Context(prec=4, rounding=ROUND_HALF_UP)  # as JavaScript rounds
_LONGEST_INTEGER = 10**7


def format_count(count: int) -> str:
    return f"{count:,}"


def format_figure(number: float | int | None) -> str:
    """Four digits of a number, small integers whole.

    >>> format_figure(0.0357142), format_figure(-3.0), format_figure(1.25e-9), format_figure(None)
    ('0.03571', '-3', '1.25e-9', '–')
    """
    if number is None or not math.isfinite(number):
        return NOTHING
    if number == int(number) and abs(number) < _LONGEST_INTEGER:
        return str(int(number))
    rounded = _ROUNDING.create_decimal(number)
    power = rounded.adjusted()
    text = f"{rounded.scaleb(-power) if (is_far := not -4 <= power < 6) else rounded:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return f"{text}e{power}" if is_far else text


def format_share(part: int, whole: int) -> str:
    """A share in percent, never rounded to none or all.

    >>> format_share(0, 10), format_share(1, 10**6), format_share(2, 3), format_share(0, 0)
    ('0%', '<0.1%', '66.7%', '–')
    """
    if whole == 0:
        return NOTHING
    percent = 100 * part / whole
    if part == 0 or part == whole:
        return f"{percent:.0f}%"
    if percent < 0.1:
        return "<0.1%"
    return ">99.9%" if percent > 99.9 else f"{percent:.1f}%"
