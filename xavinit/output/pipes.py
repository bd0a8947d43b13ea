"""Pipes, devices and sockets: the bytes of a single file, written in order, never replaced."""

from __future__ import annotations

import os
import stat
from itertools import zip_longest
from typing import BinaryIO

from xavinit.crew import Advance
from xavinit.errors import UsageError
from xavinit.formats import Layout
from xavinit.output import disk
from xavinit.output.drawing import Drawing, count_bytes
from xavinit.output.tasks import Task, draw_task
from xavinit.wording import format_value


def is_pipe(path: str) -> bool:
    """Is the path something that is written through and never replaced (device, FIFO, socket)?"""
    if path.startswith(("/dev/fd/", "/proc/self/fd/")) or path in ("/dev/stdout", "/dev/stderr"):
        return True
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def open_pipe(path: str) -> BinaryIO:
    """Open a device, FIFO or socket; one of our own handles as it is, not from its beginning."""
    for name, handle in (("/dev/stdout", 1), ("/dev/stderr", 2)):
        if path == name:
            return disk.open_handle(handle)
    number = path.rpartition("/")[2]
    if path.startswith(("/dev/fd/", "/proc/self/fd/")) and number.isdecimal():
        return disk.open_handle(int(number))
    return disk.open_pipe(path)


def check_pipe(layout: Layout, drawing: Drawing) -> None:
    """Refuse, before any work, an order of tensors in which the stream cannot be drawn."""
    if not drawing.stream.is_ordered:
        return
    (file,) = layout.files
    drawn = (tensor.name for tensor in drawing.tensors if tensor.nbytes)
    written = (region.tensor.name for region in file.regions if region.tensor.nbytes)
    for first, second in zip_longest(drawn, written):
        if first != second:
            raise UsageError(
                f"the stream {drawing.stream.name} is drawn in the spec's order, and a pipe "
                f"takes the tensors in the file's; got {format_value(second)} in the file where "
                f"the spec has {format_value(first)}",
                hint="name a file",
            )


def write_pipe(layout: Layout, pipe: disk.BinaryWriter, drawing: Drawing, advance: Advance) -> None:
    """Write a layout's only file in order. A closed pipe raises `BrokenPipeError`."""
    check_pipe(layout, drawing)
    (file,) = layout.files
    gaps = {gap.offset: gap.nbytes for gap in file.find_gaps()}
    place = 0

    def write(block: memoryview) -> None:
        """Write a block, and the zeros that follow it in the file."""
        nonlocal place
        _write_all(pipe, block)
        place += len(block)
        if place in gaps:
            write(memoryview(bytes(gaps.pop(place))))

    def take(_: Task, block: memoryview) -> None:
        write(block)

    write(memoryview(file.head))

    crew = drawing.crew
    tasks = drawing.split(file.regions, buffers=crew.buffers_ahead)
    crew.run_in_order(tasks, count_bytes(file.regions), draw_task, take, advance)


def _write_all(pipe: disk.BinaryWriter, block: memoryview) -> None:
    """Write all of a block; the pipe may take it in parts."""
    while block:
        block = block[disk.write_on(pipe, block) :]
