"""A whole file or all of standard input, to its real end, up to a limit."""

from __future__ import annotations

import select
import sys
from typing import BinaryIO


def read_whole(path: str, most: int) -> bytes:
    """All bytes of a file, or of standard input (`-`); of more than `most`, one more than that.

    Raises `OSError` where it cannot be read, and `ValueError` for a NUL in the path.
    """
    if path == "-":
        if sys.stdin is None or sys.stdin.closed:
            raise OSError("standard input is closed")
        return _read(sys.stdin.buffer, most)
    with open(path, "rb") as file:
        return _read(file, most)


def _read(file: BinaryIO, most: int) -> bytes:
    """On a descriptor that does not block, `file.read` takes "nothing there yet" for the end.

    Any process that shares the descriptor may make it so at any time.
    """
    content = bytearray()
    block = memoryview(bytearray(2**16))
    while len(content) <= most:
        # Not `read1`, which returns b"" both for "nothing yet" and for the end.
        count = file.readinto1(block[: most + 1 - len(content)])  # type: ignore[attr-defined]  # of all binary files
        if count is None:
            wait_for_input(file)
        elif count == 0:
            break
        else:
            content += block[:count]
    return bytes(content)


def wait_for_input(file: BinaryIO) -> None:
    """Return when there is something to read, or the end."""
    poll = select.poll()
    poll.register(file, select.POLLIN)
    poll.poll()
