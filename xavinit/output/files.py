"""Files filled region by region: one after another, or in the order in which tensors are drawn."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from itertools import groupby

from msgspec import Struct

from xavinit.crew import Advance, Buffer
from xavinit.formats import FileLayout, Region
from xavinit.output import disk
from xavinit.output.drawing import Drawing, count_bytes
from xavinit.output.tasks import Task, draw_task
from xavinit.streams import Fill

_LARGE = 64 << 20  # bytes; for a smaller output it does not matter when the disk begins


def fill_files(files: Sequence[tuple[FileLayout, str]], drawing: Drawing, advance: Advance) -> None:
    """Make files, each at its path, and bring all their bytes to the disk."""
    if drawing.stream.is_ordered:
        _fill_in_order(files, drawing, advance)
        return
    for file, path in files:
        _fill_file(file, path, drawing, advance)


def _fill_file(file: FileLayout, path: str, drawing: Drawing, advance: Advance) -> None:
    """Fill a file by all workers, which draw and write in any order."""
    with _start_file(file, path) as (handle, regions):
        total = count_bytes(regions)

        def work(fill: Fill, buffer: Buffer, task: Task) -> None:
            _write_task(handle, task, draw_task(fill, buffer, task), early=total >= _LARGE)

        crew = drawing.crew
        crew.run(drawing.split(regions, buffers=crew.jobs), total, work, advance)
        disk.sync(handle)


class _Placed(Struct, frozen=True):
    """A task, and the file that it is for."""

    path: str
    task: Task

    @property
    def nbytes(self) -> int:
        return self.task.nbytes


def _fill_in_order(
    files: Sequence[tuple[FileLayout, str]], drawing: Drawing, advance: Advance
) -> None:
    """Fill all files in the plan's order of tensors, whatever their order in the files.

    One worker draws ahead; the calling thread writes, with one file open at a time.
    """
    places: dict[str, tuple[str, Region]] = {}  # by the tensor's name
    left = {}  # bytes to come, by path
    for file, path in files:
        with _start_file(file, path) as (handle, regions):
            places |= {region.tensor.name: (path, region) for region in regions}
            left[path] = count_bytes(regions)
            if not left[path]:
                disk.sync(handle)
    total = sum(left.values())
    placed = [places[tensor.name] for tensor in drawing.tensors if tensor.nbytes]

    def work(fill: Fill, buffer: Buffer, placed: _Placed) -> memoryview:
        return draw_task(fill, buffer, placed.task)

    with _OneOpenFile(left) as open_file:

        def take(placed: _Placed, block: memoryview) -> None:
            open_file.write(placed.path, placed.task, block, early=total >= _LARGE)

        crew = drawing.crew
        tasks = (
            _Placed(path, task)
            for path, group in groupby(placed, key=lambda place: place[0])
            for task in drawing.split((region for _, region in group), crew.buffers_ahead)
        )
        crew.run_in_order(tasks, total, work, take, advance)


class _OneOpenFile:
    """The one of several files that is open for writing. Each is synced once, when it is filled."""

    def __init__(self, left: dict[str, int]) -> None:
        self._left = left
        self._path = ""
        self._handle: int | None = None

    def __enter__(self) -> _OneOpenFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def write(self, path: str, task: Task, block: memoryview, *, early: bool) -> None:
        if self._handle is None or path != self._path:
            self._close()
            self._handle, self._path = disk.open_file(path), path
        _write_task(self._handle, task, block, early=early)
        self._left[path] -= task.nbytes
        if not self._left[path]:
            disk.sync(self._handle)

    def _close(self) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            disk.close(handle)


@contextlib.contextmanager
def _start_file(file: FileLayout, path: str) -> Iterator[tuple[int, Sequence[Region]]]:
    """Make a file with its head; within the block it is open, and its regions are known."""
    regions = disk.make_file(file.begin, path) if file.begin else file.regions
    handle = disk.open_file(path)
    try:
        place = 0
        for piece in file.pieces:
            write_block(handle, memoryview(piece), place)
            place += len(piece)
        for gap in file.find_gaps():
            write_block(handle, memoryview(bytes(gap.nbytes)), gap.offset)
        yield handle, regions
    finally:
        disk.close(handle)


def _write_task(handle: int, task: Task, block: memoryview, *, early: bool) -> None:
    """Write a task's bytes; if `early`, let the system begin to bring them to the disk now.

    Otherwise Linux keeps gigabytes in memory until fsync: first the disk idles while the processor
    works, then the processor idles while the disk works.
    """
    write_block(handle, block, task.offset)
    if early:
        try:
            disk.start_writing(handle, task.offset, task.nbytes)
        except OSError as error:
            if error.errno not in disk.UNSUPPORTED:  # advice that some file systems do not take
                raise


def write_block(handle: int, block: memoryview, offset: int) -> None:
    """Write all of a block; the system may take it in parts."""
    while block:
        count = disk.write_at(handle, block, offset)
        block, offset = block[count:], offset + count
