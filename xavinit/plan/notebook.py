"""What a notebook shows of a plan: an HTML table, a row for each tensor.

It stands here and not with the reports of the command line, since the value itself is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from xavinit.plan.tensor import TensorPlan

MOST_ROWS = 200  # what a person scrolls through

_COLUMNS = ("name", "shape", "dtype", "fan_in", "fan_out", "law", "bytes")


def format_html(tensors: Sequence[TensorPlan], caption: str) -> str:
    """The table of the first tensors, under a caption."""
    head = "".join(f"<th>{column}</th>" for column in _COLUMNS)
    rows = "".join(f"<tr>{_format_row(tensor)}</tr>" for tensor in tensors[:MOST_ROWS])
    if len(tensors) > MOST_ROWS:
        more = f"… and {len(tensors) - MOST_ROWS:,} more"
        rows += f'<tr><td colspan="{len(_COLUMNS)}">{more}</td></tr>'
    return (
        f"<table><caption>{escape(caption)}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    )


def _format_row(tensor: TensorPlan) -> str:
    fans = tensor.fans or ("", "")
    cells = (
        tensor.name,
        "×".join(map(str, tensor.shape)) or "scalar",
        tensor.dtype.name,
        *map(str, fans),
        str(tensor.law or ""),
        f"{tensor.nbytes:,}",
    )
    return "".join(f"<td>{escape(cell)}</td>" for cell in cells)
