"""Layout → a published file or folder."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager

from xavinit.crew import Advance
from xavinit.errors import OutputError
from xavinit.formats import Layout
from xavinit.output import disk
from xavinit.output.drawing import Drawing
from xavinit.output.files import fill_files
from xavinit.output.publish import find_target, publish_file, publish_folder
from xavinit.output.sets import publish_set
from xavinit.wording import explain_os_error, format_bytes


def write_path(
    layout: Layout, path: str, drawing: Drawing, *, force: bool, advance: Advance
) -> None:
    """Write a layout to a file or folder, which appears whole or not at all."""
    try:
        with _publish(layout, path, force=force) as temporary:
            files = [
                (file, os.path.join(temporary, file.name) if layout.folder else temporary)
                for file in layout.files
            ]
            fill_files(files, drawing, advance)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {explain_os_error(error)}") from error


def _publish(layout: Layout, path: str, *, force: bool) -> AbstractContextManager[str]:
    names = [file.name for file in layout.files]
    if layout.find_set is not None:
        copies = layout.files[: len(layout.copies)]
        return publish_set(path, names, force=force, find_set=layout.find_set, copies=copies)
    if layout.folder:
        return publish_folder(path, names[-1], force=force)
    return publish_file(path, force=force)


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
