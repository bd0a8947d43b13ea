"""Layout → bytes: files filled region by region, streams in order, arrays in place."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import BinaryIO

from xavinit.errors import OutputError
from xavinit.formats import FileLayout, Layout, Region
from xavinit.output import disk
from xavinit.output.crew import SLOTS, Advance, Crew, Worker
from xavinit.output.publish import find_target, publish_file, publish_folder
from xavinit.output.sets import publish_set
from xavinit.output.tasks import Task, join_pieces
from xavinit.plan import TensorPlan
from xavinit.wording import explain_os_error, format_bytes

_LARGE = 64 << 20  # bytes; a smaller output is on the disk before it would matter when


def write_path(layout: Layout, path: str, crew: Crew, *, force: bool, advance: Advance) -> None:
    """Write a layout to a file or folder, which appears whole or not at all."""
    try:
        with _publish(layout, path, force=force) as temporary:
            for file in layout.files:
                name = os.path.join(temporary, file.name) if layout.folder else temporary
                _fill_file(file, name, crew, advance)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {explain_os_error(error)}") from error


def _publish(layout: Layout, path: str, *, force: bool) -> AbstractContextManager[str]:
    if layout.find_set is not None:
        names = [file.name for file in layout.files]
        return publish_set(path, names, force=force, find_set=layout.find_set)
    return publish_folder(path, force=force) if layout.folder else publish_file(path, force=force)


def write_stream(layout: Layout, stream: disk.BinaryWriter, crew: Crew, advance: Advance) -> None:
    """Write a layout's only file in order, for a pipe. A closed pipe raises `BrokenPipeError`."""
    (file,) = layout.files
    gaps = {gap.offset: bytes(gap.nbytes) for gap in file.find_gaps()}
    place = 0

    def write(block: memoryview) -> None:
        nonlocal place
        _write_all(stream, block)
        place += len(block)
        if place in gaps:
            write(memoryview(gaps.pop(place)))

    write(memoryview(file.head))
    tasks, total = _split_regions(file.regions, crew, SLOTS)
    crew.run_in_order(tasks, total, write, advance)


def open_stream(path: str) -> BinaryIO:
    """Open a device, FIFO or socket; one of our own handles as it is, not from its beginning."""
    for name, handle in (("/dev/stdout", 1), ("/dev/stderr", 2)):
        if path == name:
            return disk.open_handle(handle)
    number = path.rpartition("/")[2]
    if path.startswith(("/dev/fd/", "/proc/self/fd/")) and number.isdecimal():
        return disk.open_handle(int(number))
    return disk.open_stream(path)


def fill_arrays(
    tensors: Sequence[TensorPlan], arrays: Mapping[str, memoryview], crew: Crew, advance: Advance
) -> None:
    """Fill buffers in memory: one for each tensor by name, of its size."""

    def act(worker: Worker, task: Task) -> None:
        (piece,) = task.pieces
        block = arrays[piece.tensor.name][task.offset : task.offset + task.nbytes]
        worker.fill(block, *piece)

    tasks = (
        Task([piece], piece.offset, piece.nbytes)
        for tensor in tensors
        for piece in crew.split(tensor, 1)
    )
    crew.run(tasks, sum(tensor.nbytes for tensor in tensors), act, advance)


def check_space(path: str, nbytes: int) -> None:
    """Refuse an output that the disk has no room for, before the first byte."""
    target = find_target(path)
    # A folder that stays may be another disk's.
    place = target if os.path.isdir(target) else os.path.dirname(target)
    try:
        free = disk.count_free(place)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {explain_os_error(error)}") from error
    if free is not None and nbytes > free:
        raise OutputError(
            f"cannot write {path}: it needs {format_bytes(nbytes)} and {place} has "
            f"{format_bytes(free)} free"
        )


def _split_regions(
    regions: Sequence[Region], crew: Crew, buffers: int
) -> tuple[Iterator[Task], int]:
    """The tasks of a file's regions, in their order, and the bytes of all."""
    pieces = (
        (piece, region.offset + piece.offset)
        for region in regions
        for piece in crew.split(region.tensor, buffers)
    )
    return join_pieces(pieces), sum(region.tensor.nbytes for region in regions)


def _fill_file(file: FileLayout, path: str, crew: Crew, advance: Advance) -> None:
    regions = disk.make_file(file.begin, path) if file.begin else file.regions
    handle = disk.open_file(path)
    try:
        _write_at(handle, memoryview(file.head), 0)
        for gap in file.find_gaps():
            _write_at(handle, memoryview(bytes(gap.nbytes)), gap.offset)
        tasks, total = _split_regions(regions, crew, 1)

        def act(worker: Worker, task: Task) -> None:
            _write_at(handle, worker.draw(task), task.offset)
            if total >= _LARGE:
                _start_writing(handle, task)

        crew.run(tasks, total, act, advance)
        disk.sync(handle)
    finally:
        disk.close(handle)


def _start_writing(handle: int, task: Task) -> None:
    """Have the system bring a block to the disk now, while others are drawn.

    Left alone, Linux keeps gigabytes in memory until fsync asks for them; then the disk idles
    while the processor works, and the other way round.
    """
    try:
        disk.start_writing(handle, task.offset, task.nbytes)
    except OSError as error:
        if error.errno not in disk.UNSUPPORTED:  # advice that some file systems do not take
            raise


def _write_at(handle: int, block: memoryview, offset: int) -> None:
    """Write all of a block; the system may take it in parts."""
    while block:
        count = disk.write_at(handle, block, offset)
        block, offset = block[count:], offset + count


def _write_all(stream: disk.BinaryWriter, block: memoryview) -> None:
    while block:
        block = block[disk.write_on(stream, block) :]
