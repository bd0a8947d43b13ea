"""What stands where a file of a layout belongs: the file, another, or none."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal

from xavinit.formats.files import fill_from
from xavinit.formats.layout import FileLayout
from xavinit.places import exists, find_size, lists, open_file

# `short`: it begins as it must, as far as it goes, but ends too early.
State = Literal["missing", "whole", "short", "other"]

_BLOCK = 1 << 20  # bytes of a header that are compared at once; it may have 100 MB


def find_state(path: str, layout: FileLayout) -> State:
    """What stands at a path, by its size and the bytes before its tensors.

    The header carries the spec, the seed and the stream, and a file appears only when it is on the
    disk. So one with this header and size has these tensors. `InputError` where it cannot be read.
    """
    if not lists(path):
        return "missing"
    if not exists(path):
        return "other"  # a link that leads nowhere
    with open_file(path) as file:
        return judge_state(layout, find_size(file), partial(fill_from, file))


def judge_state(layout: FileLayout, size: int, fill: Callable[[int, memoryview], None]) -> State:
    """The same of what has a size; `fill` fills a block with its bytes from an offset on."""
    if size > layout.nbytes:
        return "other"
    place = 0
    try:
        for piece in layout.pieces:
            if not _holds(fill, place, piece[: max(size - place, 0)]):
                return "other"
            place += len(piece)
    except EOFError:  # it has just been cut
        return "short"
    return "whole" if size == layout.nbytes else "short"


def _holds(fill: Callable[[int, memoryview], None], place: int, expected: bytes) -> bool:
    """Are these the bytes from a place on?"""
    block = memoryview(bytearray(min(len(expected), _BLOCK)))
    for start in range(0, len(expected), _BLOCK):
        part = memoryview(expected)[start : start + _BLOCK]
        fill(place + start, block[: len(part)])
        if block[: len(part)] != part:
            return False
    return True
