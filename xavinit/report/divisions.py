"""Who would write what, as a table and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from xavinit.errors import escape
from xavinit.report.tables import NOTHING, format_rows
from xavinit.verbs.shares import Division, PartPlan
from xavinit.wording import format_bytes, plural

_COLUMNS = ("PART", "SHARDS", "WHICH", "TENSORS", "BYTES")
_RIGHTS = (False, True, False, True, True)
_MOST_RUNS = 6  # of numbers in a cell


def format_division(division: Division, *, width: int | None = None) -> Iterator[str]:
    """The lines of a table, one that sums up, and what keeps the parts from being even."""
    cells = [_COLUMNS, *map(_format_row, division.parts)]
    yield from format_rows(cells, _RIGHTS, width)
    parts = division.parts
    total = f"{plural(division.shards, 'shard')}, {division.nbytes:,} bytes"
    most = max(part.nbytes for part in parts)
    yield f"{plural(len(parts), 'part')}, {total}; the largest part {format_bytes(most)}"
    idle = sum(not part.shards for part in parts)
    if idle:
        verb = "has" if idle == 1 else "have"
        yield (
            f"{plural(idle, 'part')} {verb} nothing to write: a smaller --max-shard-size makes "
            "more shards"
        )
    if division.large:
        tensor, part = division.large[0]
        count = plural(len(division.large), "tensor")
        verb, largest = ("is", "") if len(division.large) == 1 else ("are", "the largest ")
        yield (
            f"{count} {verb} larger than a fair share ({format_bytes(division.fair)}): {largest}"
            f"{escape(tensor.name)}, {format_bytes(tensor.nbytes)}, is written by part {part} alone"
        )


def division_to_data(division: Division) -> dict[str, object]:
    """What `plan --json` adds."""
    return {
        "parts": [
            {
                "part": str(part.part),
                "shards": list(part.shards),
                "tensors": part.tensors,
                "bytes": part.nbytes,
            }
            for part in division.parts
        ],
        "fair_share": division.fair,
        "large_tensors": [
            {"name": tensor.name, "part": str(part), "bytes": tensor.nbytes}
            for tensor, part in division.large
        ],
    }


def _format_row(part: PartPlan) -> tuple[str, ...]:
    which = format_numbers(part.numbers)
    return str(part.part), f"{len(part.shards):,}", which, f"{part.tensors:,}", f"{part.nbytes:,}"


def format_numbers(numbers: Sequence[int]) -> str:
    """Ascending numbers in short: those in a row as a range, and no more than a few.

    >>> format_numbers([1, 2, 3, 7])
    '1–3 7'
    """
    runs = []
    for _, run in groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0]):
        _, first, *rest = (number for pair in run for number in pair)
        runs.append(f"{first}–{rest[-1]}" if rest else str(first))
    if len(runs) > _MOST_RUNS:
        runs = [*runs[:_MOST_RUNS], "…"]
    return " ".join(runs) or NOTHING
