"""Pieces of tensors put together as tasks, so that thousands of small tensors take few writes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from xavinit.crew import BLOCK, Buffer
from xavinit.streams import Fill, Piece


class Task(NamedTuple):
    """Pieces whose bytes lie one after another, from an offset on."""

    pieces: list[Piece]
    offset: int
    nbytes: int


def join_pieces(pieces: Iterable[tuple[Piece, int]]) -> Iterator[Task]:
    """Pieces with their offsets as tasks: neighbours together, while they fit a block."""
    held: list[Piece] = []
    begin = end = 0
    for piece, offset in pieces:
        nbytes = piece.nbytes
        if held and (offset != end or end - begin + nbytes > BLOCK):
            yield Task(held, begin, end - begin)
            held = []
        if not held:
            begin = offset
        held.append(piece)
        end = offset + nbytes
    if held:
        yield Task(held, begin, end - begin)


def draw_task(fill: Fill, buffer: Buffer, task: Task) -> memoryview:
    """Draw a task's pieces; their bytes are in the buffer."""
    block = buffer.take(task.nbytes)
    place = 0
    for piece in task.pieces:
        end = place + piece.nbytes
        fill(block[place:end], *piece)
        place = end
    return block
