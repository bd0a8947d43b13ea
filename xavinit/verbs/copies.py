"""Files that are copied beside the weights, such as the config.json that they belong to."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence

from msgspec import structs

from xavinit.errors import InputError, UsageError
from xavinit.formats import Layout, ShardNames, lay_out_file
from xavinit.stores import is_url
from xavinit.wording import explain_os_error, format_bytes, format_value

MOST_BYTES = 256 * 2**20  # of all copies: they are held in memory
MOST_FILES = 100

WithFiles = Sequence[str | os.PathLike[str]]


def add_copies(layout: Layout, names: ShardNames, paths: WithFiles) -> Layout:
    """The layout of a set with copies of files, which come before its index.

    Raises `UsageError` for names that cannot be, `InputError` for files that cannot be read.
    """
    if isinstance(paths, str | bytes | os.PathLike):
        raise UsageError(f"with_files must be a list of paths; got {format_value(paths)}")
    if len(paths) > MOST_FILES:
        raise UsageError(f"there must be at most {MOST_FILES} copies; got {len(paths):,}")
    copies = []
    taken: dict[str, str] = {}
    left = MOST_BYTES
    for given in paths:
        if not isinstance(given, str | bytes | os.PathLike):
            raise UsageError(f"with_files must be paths; got {format_value(given)}")
        path = os.fsdecode(given)
        name = os.path.basename(path)
        if name == names.index or names.has_file(name):
            raise UsageError(f"{path} would be copied to a name of the weights, {name}")
        # Names that differ only in case are one to some file systems.
        other = taken.setdefault(name.casefold(), path)
        if other is not path:
            raise UsageError(f"{other} and {path} would both be copied to {name}")
        content = _read(path, left)
        left -= len(content)
        copies.append(lay_out_file(name, content))
    return structs.replace(
        layout,
        files=(*copies, *layout.files),
        copies=tuple(file.name for file in copies),
        nbytes=layout.nbytes + sum(file.nbytes for file in copies),
    )


def _read(path: str, left: int) -> bytes:
    if is_url(path):
        raise UsageError(f"a file that is copied must be on a disk; got {path}")
    try:
        with open(path, "rb", opener=_open) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise InputError(f"cannot read {path}: it is not a regular file")
            content = file.read(left + 1)
    except (OSError, ValueError) as error:
        reason = explain_os_error(error) if isinstance(error, OSError) else str(error)
        raise InputError(f"cannot read {path}: {reason}") from error
    if len(content) > left:
        raise InputError(
            f"cannot copy {path}: copies must be at most {format_bytes(MOST_BYTES)} in total"
        )
    return content


def _open(path: str, flags: int) -> int:
    """Open without waiting for who writes into a pipe of that name."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
