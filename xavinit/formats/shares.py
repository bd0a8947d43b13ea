"""Shares: which files of a sharded set each of several machines writes.

It follows from the sizes of the files alone, so that machines need not ask each other.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Sequence

from msgspec import Struct

from xavinit.errors import UsageError
from xavinit.formats.shards import MOST_SHARDS
from xavinit.wording import format_value

MOST_PARTS = MOST_SHARDS  # more would have nothing to write


class Part(Struct, frozen=True):
    """Part `number` of `count`, counted from 1.

    >>> str(Part(2, 8))
    '2/8'
    """

    number: int = 1
    count: int = 1

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


def parse_part(given: object) -> Part:
    """A part from a text such as `2/8`, or from two integers; `UsageError` where it is none.

    >>> parse_part("2/8") == parse_part((2, 8))
    True
    """
    number = count = 0
    match given:
        case str() if found := re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", given):
            number, count = int(found[1]), int(found[2])
        case (int(first), int(last)):
            number, count = first, last
        case _:
            pass
    if not 1 <= number <= count <= MOST_PARTS:
        raise UsageError(
            f"a part must be I/N, with I from 1 to N and N at most {MOST_PARTS:,}, such as 2/8; "
            f"got {format_value(given)}"
        )
    return Part(number, count)


def parse_parts(count: object) -> int:
    """A number of parts, or `UsageError`."""
    if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= MOST_PARTS:
        raise UsageError(
            f"the number of parts must be an integer from 1 to {MOST_PARTS:,}; "
            f"got {format_value(count)}"
        )
    return count


def divide(sizes: Sequence[int], count: int) -> list[list[int]]:
    """The places in `sizes` that each of `count` parts gets, so that their sums are even.

    The largest first, each to the part that has the least so far (of several, the first), as in
    Graham, "Bounds on multiprocessing timing anomalies", 1969: no part gets more than 4/3 of what
    the best division would give its largest part.

    >>> divide([5, 4, 3, 3, 1], 2)
    [[0, 3], [1, 2, 4]]
    """
    shares: list[list[int]] = [[] for _ in range(count)]
    least = [(0, part) for part in range(count)]  # a heap
    for place in sorted(range(len(sizes)), key=lambda place: (-sizes[place], place)):
        total, part = least[0]
        shares[part].append(place)
        heapq.heapreplace(least, (total + sizes[place], part))
    return [sorted(share) for share in shares]
