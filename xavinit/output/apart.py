"""What is read and the output are never the same file, by whatever names."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable

from xavinit.errors import RefusedError
from xavinit.stores import is_url


def check_apart(paths: Iterable[str | int], source: str, what: str = "the spec") -> None:
    """Refuse an output one of whose paths is the source, through links too; `-` is standard input.

    An integer is an open handle.

    Whatever is not there, or cannot be looked at, is not the same: what opens it tells why.
    """
    if is_url(source):
        for path in paths:
            if isinstance(path, str) and path.rstrip("/") == source.rstrip("/"):
                raise RefusedError(f"{path} is {what} itself; it is not replaced")
        return
    status = _find_status(lambda: os.fstat(0) if source == "-" else os.stat(source))
    if status is None or not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        return
    for path in paths:
        other = _find_status(lambda path=path: os.stat(path))  # type: ignore[misc]  # bound now
        if other is not None and os.path.samestat(status, other):
            name = path if isinstance(path, str) else "the stream"
            raise RefusedError(f"{name} is {what} itself; it is not replaced")


def _find_status(look: Callable[[], os.stat_result]) -> os.stat_result | None:
    try:
        return look()
    except (OSError, ValueError):
        return None
