"""Layout → bytes: files filled region by region, streams in order, arrays in place."""

from __future__ import annotations

import contextlib
import io
import os
import select
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import BinaryIO, Protocol

from xavinit.errors import OutputError
from xavinit.formats import FileLayout, Layout, Region
from xavinit.output.crew import Advance, Crew, Task, Worker, join_all, split_tensor
from xavinit.output.publish import find_target, publish_file, publish_folder
from xavinit.plan import TensorPlan
from xavinit.wording import explain_os_error, format_bytes

_WRITE_BACK = 64 << 20  # bytes; a smaller output is not worth a thread for it
_WRITE_BACK_PAUSE = 0.02  # seconds


class BinaryWriter(Protocol):
    """What a stream needs: bytes in, how many it took (or None for all) out."""

    def write(self, data: memoryview, /) -> int | None: ...


def write_path(layout: Layout, path: str, crew: Crew, *, force: bool, advance: Advance) -> None:
    """Write a layout to a file or folder, which appears whole or not at all."""
    try:
        if layout.folder:
            with publish_folder(path, force=force) as temporary:
                for file in layout.files:
                    name = os.path.join(temporary, file.name)
                    _fill_file(file, name, crew, advance)
        else:
            with publish_file(path, force=force) as temporary:
                _fill_file(layout.files[0], temporary, crew, advance)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {explain_os_error(error)}") from error


def write_stream(layout: Layout, stream: BinaryWriter, crew: Crew, advance: Advance) -> None:
    """Write a layout's only file in order, for a pipe. A closed pipe raises `BrokenPipeError`."""
    (file,) = layout.files
    _write_all(stream, memoryview(file.head))
    tasks, total = _split_regions(file.regions)
    crew.run_in_order(tasks, total, lambda block: _write_all(stream, block), advance)


def open_stream(path: str) -> BinaryIO:
    """Open a device, FIFO or socket; one of our own handles as it is, not from its beginning."""
    for name, handle in (("/dev/stdout", 1), ("/dev/stderr", 2)):
        if path == name:
            return os.fdopen(os.dup(handle), "wb", buffering=0)
    number = path.rpartition("/")[2]
    if path.startswith(("/dev/fd/", "/proc/self/fd/")) and number.isdecimal():
        return os.fdopen(os.dup(int(number)), "wb", buffering=0)
    return open(path, "wb", buffering=0)


def fill_arrays(
    tensors: Sequence[TensorPlan], arrays: Mapping[str, memoryview], crew: Crew, advance: Advance
) -> None:
    """Fill buffers in memory: one for each tensor by name, of its size."""

    def act(worker: Worker, task: Task) -> None:
        block = arrays[task.tensor.name][task.offset : task.offset + task.nbytes]
        worker.fill(block, task.tensor, task.start, task.stop)

    tasks = (task for tensor in tensors for task in split_tensor(tensor, 0))
    crew.run(tasks, sum(tensor.nbytes for tensor in tensors), act, advance)


def check_space(path: str, nbytes: int) -> None:
    """Refuse an output that the disk has no room for, before the first byte."""
    if not hasattr(os, "statvfs"):
        return
    parent = os.path.dirname(find_target(path))
    try:
        disk = os.statvfs(parent)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {explain_os_error(error)}") from error
    free = disk.f_bavail * disk.f_frsize
    if nbytes > free:
        raise OutputError(
            f"cannot write {path}: it needs {format_bytes(nbytes)} and {parent} has "
            f"{format_bytes(free)} free"
        )


def _split_regions(regions: Sequence[Region]) -> tuple[Iterator[Task], int]:
    """The tasks of a file's regions, in their order, and the bytes of all."""
    tasks = (task for region in regions for task in split_tensor(region.tensor, region.offset))
    return tasks, sum(region.tensor.nbytes for region in regions)


def _fill_file(file: FileLayout, path: str, crew: Crew, advance: Advance) -> None:
    regions = file.begin(path) if file.begin else file.regions
    handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
    try:
        write_at = _make_positioned_writer(handle)
        if file.head:
            write_at(memoryview(file.head), 0)

        def act(worker: Worker, task: Task) -> None:
            write_at(worker.draw(task), task.offset)

        tasks, total = _split_regions(regions)
        with _write_back(handle, total):
            crew.run(tasks, total, act, advance)
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def _write_back(handle: int, total: int) -> Iterator[None]:
    """Have the system write to the disk while the block still draws, not only at the end.

    Left alone, Linux keeps gigabytes in memory until fsync asks for them; then the disk idles
    while the processor works, and the other way round.
    """
    if total < _WRITE_BACK or not hasattr(os, "fdatasync"):
        yield
        return
    ended = threading.Event()
    failures: list[OSError] = []

    def work() -> None:
        try:
            while not ended.wait(_WRITE_BACK_PAUSE):
                os.fdatasync(handle)
        except OSError as error:  # told once for each handle: a later fsync would not see it
            failures.append(error)

    thread = threading.Thread(target=work, daemon=True)
    try:
        thread.start()
        yield
    finally:
        ended.set()
        join_all([thread])
    if failures:
        raise failures[0]


def _make_positioned_writer(handle: int) -> Callable[[memoryview, int], None]:
    """A function that writes all of a block at an offset, from any thread."""
    if hasattr(os, "pwrite"):

        def write_at(block: memoryview, offset: int) -> None:
            while block:
                count = os.pwrite(handle, block, offset)
                block, offset = block[count:], offset + count

        return write_at
    lock = threading.Lock()

    def seek_and_write(block: memoryview, offset: int) -> None:
        with lock:
            os.lseek(handle, offset, os.SEEK_SET)
            while block:
                block = block[os.write(handle, block) :]

    return seek_and_write


def _write_all(stream: BinaryWriter, block: memoryview) -> None:
    while block:
        count = stream.write(block)
        if count is None and isinstance(stream, io.RawIOBase):
            select.select([], [stream], [])  # a non-blocking pipe that is full took nothing
        else:
            block = block[len(block) if count is None else count :]
