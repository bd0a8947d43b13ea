"""How wide text is on a terminal."""

from __future__ import annotations


def measure(text: str) -> int:
    """How many columns of a terminal a text takes.

    Python's own tables tell: of what they do not know (emoji of several characters), the invisible
    parts are escaped in what is printed here, so that a library would add nothing.
    """
    if text.isascii() or max(text) < "\u0300":  # as × and ±: the first that joins another
        return len(text)
    from unicodedata import category, east_asian_width  # which little memory may not hold

    columns = 0
    for char in text:
        # The vowels and finals of Korean syllables join what is before them.
        if category(char) not in ("Mn", "Me") and not "\u1160" <= char <= "\u11ff":
            columns += 2 if east_asian_width(char) in "WF" else 1
    return columns
