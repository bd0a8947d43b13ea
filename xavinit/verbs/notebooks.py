"""How an answer shows in a notebook: a plain table, which the notebook gives its own style."""

from __future__ import annotations

import html
from collections.abc import Sequence

from xavinit.errors import escape

_MOST_ROWS = 60  # as pandas shows


def format_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """An HTML table: its first rows, and how many more there are."""
    head = "".join(f"<th>{_show(column)}</th>" for column in columns)
    body = [
        f"<tr>{''.join(f'<td>{_show(cell)}</td>' for cell in row)}</tr>"
        for row in rows[:_MOST_ROWS]
    ]
    if len(rows) > _MOST_ROWS:
        body.append(
            f'<tr><td colspan="{len(columns)}">… and {len(rows) - _MOST_ROWS:,} more</td></tr>'
        )
    return (
        f"<table><caption>{_show(title)}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(body)}</tbody></table>"
    )


def _show(cell: object) -> str:
    """A float with as many digits as a person reads."""
    if cell is None:
        return ""
    return html.escape(escape(f"{cell:.4g}" if isinstance(cell, float) else str(cell)))
