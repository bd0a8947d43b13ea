"""Files as objects in a store: their bytes in order, in parts, from the crew to the network."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator

from msgspec import structs

from xavinit.crew import Advance
from xavinit.errors import OutputError, RefusedError
from xavinit.formats import FileLayout, Layout
from xavinit.output import disk
from xavinit.output.drawing import Drawing
from xavinit.output.in_order import ReadGap, write_in_order
from xavinit.output.publish import refuse
from xavinit.output.uploads import Uploads
from xavinit.stores import Url, open_store
from xavinit.wording import explain_os_error

ChooseRival = Callable[[str, Iterable[str]], str | None]


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
    scratch, regions = disk.make_scratch(file.begin)
    with scratch:
        yield (
            structs.replace(
                file,
                begin=None,
                regions=tuple(region for region in regions if region.tensor.nbytes),
                nbytes=scratch.seek(0, os.SEEK_END),
            ),
            lambda offset, nbytes: disk.read_at(scratch, nbytes, offset),
        )


def check_object(url: Url, choose_rival: ChooseRival | None, *, force: bool) -> None:
    """Refuse, before any work, what `write_object` would refuse after it.

    `choose_rival` finds a name of a set beside which the object would stand.
    """
    store = open_store(url)
    with telling(url):
        if not force and store.find(url.key) is not None:
            raise refuse(str(url))
        if choose_rival is None:
            return
        _, name = url.split()
        # Not all names: there may be a million. A set's begin as the file's does.
        begin = name.partition(".")[0]
        listed = store.list_names(url.key.removesuffix(name) + begin)
        names = [begin + rest for rest in listed]
    rival = choose_rival(name, names)
    if rival is not None:
        raise RefusedError(
            f"{url} would stand beside {rival}, of a sharded set: two checkpoints in one folder",
            hint="use another name, or replace the set, with --max-shard-size and --force",
        )


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
