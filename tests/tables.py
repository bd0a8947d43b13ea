"""Tables that tests read from text: bad specs with their messages, and those of the pages."""

from __future__ import annotations


def read_table(table: str) -> dict[str, tuple[str, str]]:
    """Each row's spec and message by its title."""
    rows = {}
    for row in table.split("\n=== ")[1:]:
        title, _, rest = row.partition("\n")
        spec, _, message = rest.partition("-->\n")
        assert title not in rows
        rows[title] = (spec, message.rstrip("\n"))
    return rows
