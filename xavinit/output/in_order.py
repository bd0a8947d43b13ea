"""The bytes of a file one after another: its head, its tensors as they are drawn, what is between.

So a pipe takes them, and an object in a store, whose parts are cut from them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from xavinit.crew import BLOCK, Advance
from xavinit.formats import FileLayout, Gap
from xavinit.output.drawing import Drawing, count_bytes
from xavinit.output.tasks import Task, draw_task

ReadGap = Callable[[int, int], bytes]  # so many bytes of a gap, from an offset on


def write_in_order(
    file: FileLayout,
    drawing: Drawing,
    write: Callable[[memoryview], object],
    advance: Advance,
    read_gap: ReadGap | None = None,
) -> None:
    """Give `write` all bytes of a file, block by block; each is good until `write` returns.

    All workers draw ahead; the calling thread writes. `read_gap` knows what lies between the
    tensors; without it, zeros do.
    """
    gaps = iter(file.find_gaps())
    gap = next(gaps, None)
    place = 0

    def fill_gaps() -> None:
        nonlocal gap, place
        while gap is not None and gap.offset == place:
            for block in _cut_gap(gap, read_gap):
                write(memoryview(block))
            place += gap.nbytes
            gap = next(gaps, None)

    def take(_: Task, block: memoryview) -> None:
        nonlocal place
        write(block)
        place += len(block)
        fill_gaps()

    for piece in file.pieces:
        write(memoryview(piece))
        place += len(piece)
    fill_gaps()
    crew = drawing.crew
    tasks = drawing.split(file.regions, buffers=crew.buffers_ahead)
    crew.run_in_order(tasks, count_bytes(file.regions), draw_task, take, advance)


def _cut_gap(gap: Gap, read_gap: ReadGap | None) -> Iterable[bytes]:
    for start in range(gap.offset, gap.offset + gap.nbytes, BLOCK):
        nbytes = min(BLOCK, gap.offset + gap.nbytes - start)
        yield bytes(nbytes) if read_gap is None else read_gap(start, nbytes)
