"""Pipes, devices and sockets: the bytes of a single file, written in order, never replaced."""

from __future__ import annotations

import os
import re
import stat
from itertools import zip_longest
from typing import BinaryIO

from xavinit.crew import Advance
from xavinit.errors import OutputError, RefusedError, UsageError
from xavinit.formats import Layout
from xavinit.output import disk
from xavinit.output.drawing import Drawing
from xavinit.output.in_order import write_in_order
from xavinit.wording import explain_os_error, format_value

_STANDARD = {"/dev/stdout": 1, "/dev/stderr": 2}
_HANDLE = re.compile(r"/(?:dev|proc/self)/fd/(0|[1-9][0-9]*)")


def is_pipe(path: str) -> bool:
    """Is the path something that is written through and never replaced (device, FIFO, socket)?"""
    if _find_handle(path) is not None:
        return True
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def open_pipe(path: str) -> BinaryIO:
    """Open a device, FIFO or socket; one of our own handles as it is, not from its beginning."""
    handle = _find_handle(path)
    if handle is not None:
        return disk.open_handle(disk.copy_handle(handle))
    pipe = disk.open_pipe(path)
    if stat.S_ISREG(os.fstat(pipe.fileno()).st_mode):  # meanwhile
        pipe.close()
        raise RefusedError(f"{path} has become a file; it is not written over")
    return pipe


def check_handle(path: str) -> None:
    """Refuse, before any work, the name of a handle of ours that is not open."""
    handle = _find_handle(path)
    if handle is not None:
        try:
            disk.close(disk.copy_handle(handle))
        except OSError as error:
            raise OutputError(f"cannot write {path}: {explain_os_error(error)}") from error


def _find_handle(path: str) -> int | None:
    """The number of one of our own handles, by the names that systems give them.

    Nothing else under these folders is one: `/dev/fd/../x` is a file like any other.
    """
    if path in _STANDARD:
        return _STANDARD[path]
    match = _HANDLE.fullmatch(path)
    return int(match[1][:20]) if match else None  # of more digits there is none either


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
    write_in_order(file, drawing, lambda block: write_all(pipe, block), advance)


def write_all(pipe: disk.BinaryWriter, block: memoryview) -> None:
    """Write all of a block; the pipe may take it in parts."""
    while block:
        block = block[disk.write_on(pipe, block) :]
