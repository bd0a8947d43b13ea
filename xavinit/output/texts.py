"""Texts as files, published whole or not at all: a page, a spec. Or in a pipe or device."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence

from xavinit.errors import OutputError, RefusedError, UsageError
from xavinit.output import disk
from xavinit.output.files import write_block
from xavinit.output.pipes import check_handle, is_pipe, open_pipe, write_all
from xavinit.output.publish import check_target, publish_file
from xavinit.output.sets import check_set, publish_set
from xavinit.stores import is_url
from xavinit.wording import explain_os_error

_HEAD = 64  # bytes of an old file that are looked at


def check_text_target(
    path: str, what: str, *, force: bool, is_such: Callable[[bytes], bool]
) -> None:
    """Refuse, before any work, what `write_text` would refuse after it.

    With `force`, only an empty file or another such text is replaced, as its first bytes tell
    `is_such`: a slip must not cost a weights file. `what` is what it is called.
    """
    if is_url(path):
        raise UsageError(
            f"{what} is written to a disk or to standard output, not to a store; got {path}",
            hint="name a file, and copy it",
        )
    if is_pipe(path):
        check_handle(path)
        return
    check_target(path, folder=False, force=force, is_ours=lambda _: False)
    if not os.path.exists(path):
        return
    try:
        head = disk.read_start(path, _HEAD)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {explain_os_error(error)}") from error
    if head and not is_such(head):
        raise RefusedError(f"{path} exists and is not {what}; it is not replaced")


def write_text(path: str, text: str, *, force: bool) -> None:
    """Write a text in UTF-8 to a file, which appears whole or not at all; or to a pipe or device.

    Raises `RefusedError` where the file exists, unless `force`, and `OutputError` where it cannot
    be written. A closed pipe raises `BrokenPipeError`.
    """
    content = memoryview(text.encode())
    try:
        if is_pipe(path):
            with open_pipe(path) as pipe:
                write_all(pipe, content)
            return
        with publish_file(path, force=force) as temporary:
            _fill(temporary, content)
    except BrokenPipeError:
        raise  # the reader has enough: not an error of ours
    except OSError as error:
        raise OutputError(f"cannot write {path}: {explain_os_error(error)}") from error


def check_texts_target(folder: str, names: Sequence[str], *, force: bool) -> None:
    """Refuse, before any work, what `write_texts` would refuse after it."""
    if is_url(folder):
        raise UsageError(
            f"{' and '.join(names)} are written to a disk, not to a store; got {folder}",
            hint="name a folder, and copy it",
        )
    if os.path.lexists(folder) and not os.path.isdir(folder):
        raise RefusedError(f"{folder} is a file; a folder does not replace it")
    check_set(folder, force=force, find_set=_find_present(names))


def write_texts(folder: str, texts: Mapping[str, str], *, force: bool) -> None:
    """Write texts in UTF-8 to files of a folder, by their names; all appear, or none.

    Other files in the folder stay. Raises what `write_text` raises.
    """
    names = list(texts)
    try:
        find = _find_present(names)
        with publish_set(folder, names, force=force, find_set=find) as temporary:
            for name, text in texts.items():
                _fill(os.path.join(temporary, name), memoryview(text.encode()))
    except OSError as error:
        raise OutputError(f"cannot write {folder}: {explain_os_error(error)}") from error


def _find_present(names: Sequence[str]) -> Callable[[str], list[str]]:
    return lambda folder: [n for n in names[::-1] if os.path.lexists(os.path.join(folder, n))]


def _fill(path: str, content: memoryview) -> None:
    handle = disk.open_file(path)
    try:
        write_block(handle, content, 0)
        disk.sync(handle)
    finally:
        disk.close(handle)
