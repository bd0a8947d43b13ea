"""Files as objects in a store: their bytes in order, in parts, from the crew to the network."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from functools import partial

from msgspec import structs

from xavinit.crew import Advance
from xavinit.errors import OutputError, UsageError
from xavinit.formats import FileLayout, Layout
from xavinit.output import disk
from xavinit.output.drawing import Drawing
from xavinit.output.in_order import ReadGap, write_in_order
from xavinit.output.pipes import check_pipe
from xavinit.output.publish import refuse
from xavinit.output.uploads import Uploads
from xavinit.stores import Store, Url, open_store
from xavinit.wording import explain_os_error


def send_file(
    uploads: Uploads,
    key: str,
    file: FileLayout,
    drawing: Drawing,
    advance: Advance,
    *,
    is_new: bool,
) -> None:
    """Send a file as an object; it is there at the end of the uploads' block."""
    with _begin(file) as (begun, read_gap):
        uploads.begin(key, begun.nbytes, is_new=is_new)
        write_in_order(begun, drawing, uploads.write, advance, read_gap)
        uploads.end()


@contextlib.contextmanager
def _begin(file: FileLayout) -> Iterator[tuple[FileLayout, ReadGap | None]]:
    """A file whose regions are known, and what reads what a library has put between them.

    The library makes the file in memory, all but its tensors, which nobody touches: so they take no
    memory there.
    """
    if file.begin is None:
        yield file, None
        return
    handle, path = disk.create_scratch()
    try:
        regions = disk.make_file(file.begin, path)
        yield (
            structs.replace(
                file,
                begin=None,
                regions=tuple(region for region in regions if region.tensor.nbytes),
                nbytes=os.fstat(handle).st_size,
            ),
            lambda offset, nbytes: disk.read_at(handle, nbytes, offset),
        )
    finally:
        disk.remove_scratch(handle, path)


def check_object(layout: Layout, url: Url, drawing: Drawing, *, force: bool) -> None:
    """Refuse, before any work, what `write_object` would refuse after it."""
    if drawing.stream.is_ordered:
        if layout.files[0].begin is not None:
            raise UsageError(
                f"the stream {drawing.stream.name} is drawn in the spec's order, and such a file "
                "has one of its own",
                hint="name a file on a disk, and copy it",
            )
        check_pipe(layout, drawing)
    with telling(url):
        if not force and open_store(url).find(url.key) is not None:
            raise refuse(str(url))


def write_object(
    layout: Layout, url: Url, drawing: Drawing, *, force: bool, advance: Advance
) -> None:
    """Write a layout's only file as an object, which appears whole or not at all."""
    (file,) = layout.files
    store = open_store(url)
    with telling(url, hint="nothing half is there: run it again"):
        try:
            with Uploads(store, layout.nbytes) as uploads:
                send_file(uploads, url.key, file, drawing, advance, is_new=not force)
        except FileExistsError:
            raise refuse(str(url)) from None


@contextlib.contextmanager
def telling(url: Url, hint: str | None = None) -> Iterator[None]:
    """Tell of an error of the store's in the words of an output."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"cannot write {url}: {explain_os_error(error)}", hint=hint) from error


def join_key(url: Url, name: str) -> str:
    """The key of what is called so under a prefix."""
    prefix = url.key.rstrip("/")
    return f"{prefix}/{name}" if prefix else name


def read_small(store: Store, key: str, most: int) -> bytes | None:
    """An object of a few bytes; None where there is none, or a larger one."""
    found = store.find(key)
    if found is None or found.nbytes > most:
        return None
    content = bytearray(found.nbytes)
    store.read(key, 0, memoryview(content), found.tag)
    return bytes(content)
