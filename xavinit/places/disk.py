"""What stands under the path of a disk."""

from __future__ import annotations

import io
import os
import stat
from typing import Literal

from xavinit.errors import InputError
from xavinit.wording import explain_os_error, format_value


def open_file(path: str) -> io.FileIO:
    """Open a regular file: no FIFO, on which a reader would wait for ever, and no device."""
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        handle = os.open(path, flags)
    except OSError as error:
        raise InputError(f"cannot read {path}: {explain_os_error(error)}") from error
    except ValueError as error:  # a NUL
        raise InputError(f"cannot read {format_value(path)}: {error}") from error
    mode = os.fstat(handle).st_mode
    if not stat.S_ISREG(mode):
        os.close(handle)
        kind = "a folder" if stat.S_ISDIR(mode) else "not a regular file"
        raise InputError(f"cannot read {path}: it is {kind}")
    return io.FileIO(handle, "rb")


join = os.path.join
split = os.path.split


def open_again(path: str, _: object) -> io.FileIO:
    return open_file(path)


def look(path: str) -> Literal["file", "folder", "pipe", "other"]:
    mode = os.stat(path).st_mode
    if stat.S_ISDIR(mode):
        return "folder"
    if stat.S_ISFIFO(mode):
        return "pipe"
    return "file" if stat.S_ISREG(mode) else "other"


def lists(path: str) -> bool:
    return os.path.lexists(path)


def list_folder(path: str) -> list[str]:
    return os.listdir(path)


def find_title(path: str) -> str:
    return os.path.basename(os.path.abspath(path))
