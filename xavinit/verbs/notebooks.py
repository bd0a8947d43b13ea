"""How an answer shows in a notebook: a plain table, which the notebook gives its own style."""

from __future__ import annotations

import html
from collections.abc import Collection, Sequence

from xavinit.errors import escape

_MOST_ROWS = 60  # as pandas shows


def format_table(
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    texts: Collection[str],
) -> str:
    """An HTML table: its first rows, and how many more there are.

    The columns of `texts` stand at the left, numbers at the right.
    """
    sides = ["left" if column in texts else "right" for column in columns]
    head = _format_row("th", columns, sides)
    body = [_format_row("td", row, sides) for row in rows[:_MOST_ROWS]]
    if len(rows) > _MOST_ROWS:
        body.append(
            f'<tr><td colspan="{len(columns)}">… and {len(rows) - _MOST_ROWS:,} more</td></tr>'
        )
    return (
        f"<table><caption>{_show(title)}</caption><thead>{head}</thead>"
        f"<tbody>{''.join(body)}</tbody></table>"
    )


def _format_row(kind: str, cells: Sequence[object], sides: Sequence[str]) -> str:
    shown = zip(cells, sides, strict=True)
    parts = (f'<{kind} style="text-align:{side}">{_show(cell)}</{kind}>' for cell, side in shown)
    return f"<tr>{''.join(parts)}</tr>"


def _show(cell: object) -> str:
    """A float with as many digits as a person reads."""
    if cell is None:
        return ""
    return html.escape(escape(f"{cell:.4g}" if isinstance(cell, float) else str(cell)))
