"""The standard streams: what is printed is written whole, in any encoding; messages fail no work.

Python's own streams lose what a short write leaves over where PYTHONUNBUFFERED is set, give up on
a pipe that does not block, and stop at the first character that their encoding does not have.
"""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import sys
from collections.abc import Callable
from typing import Any, TextIO

from xavinit.errors import OutputError, XavinitError
from xavinit.failures import format_error

# Names of standard output, all written by the one stream that writes whatever is printed.
STANDARD_OUTPUTS = ("-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")
SUBSTITUTES = "xavinit-substitutes"  # the name of `_substitute` among Python's error handlers

_PLAIN = {"×": "x", "±": "+-", "−": "-", "…": "...", "·": "*", "√": "sqrt", "≤": "<="}
# Blocks of a histogram, from low to high.
_PLAIN |= dict(zip("▁▂▃▄▅▆▇█", "._-=+*%#", strict=True))
_SUPERSCRIPTS = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-", strict=True))


class ClosedPipeError(Exception):
    """A pipe was closed. Not a `BrokenPipeError`, of which click makes exit code 1."""


class StandardOutputError(OutputError):
    """Standard output cannot be written. So `--json` cannot report it there either."""


def say(message: str) -> None:
    """Print a message on standard error."""
    with contextlib.suppress(OSError):  # of Python's own stream, on Windows
        sys.stderr.write(message + "\n")
        sys.stderr.flush()


def say_error(error: XavinitError) -> None:
    """Print what is wrong and what to do; on a terminal, with the lines of the spec."""
    say(format_error(error, measure_terminal(sys.stderr)))


def report_error(error: XavinitError, path: str, *, as_json: bool) -> int:
    """Tell that one of several files failed, and go on; the exit code of the error."""
    if as_json:
        from xavinit.failures import error_to_json

        print_text(error_to_json(error, error.exit_code, path))
    else:
        sys.stdout.flush()  # what was printed of the files before
        say_error(error)
    return error.exit_code


def measure_terminal(stream: TextIO) -> int | None:
    """The columns of the terminal where a stream is one, else None."""
    if not stream.isatty():
        return None
    import shutil  # with all that it loads to unpack archives

    return shutil.get_terminal_size().columns


def print_text(text: str) -> None:
    """Print data on standard output. A failure is raised here or at the last flush."""
    sys.stdout.write(text)  # `text + "\n"` would copy it, and it may be large
    sys.stdout.write("\n")


def is_utf8() -> bool:
    """Does standard output take UTF-8?"""
    return codecs.lookup(sys.stdout.encoding).name == "utf-8"


def fit_text(text: str) -> str:
    """The text with substitutes for what the encoding of standard output does not have."""
    encoding = sys.stdout.encoding
    return text.encode(encoding, SUBSTITUTES).decode(encoding)


def open_standard_streams() -> None:
    """Replace standard output and standard error by streams that keep what this module promises.

    The number of a closed stream is taken first, or the next file to be opened would get it and
    receive the messages. Writing to a closed standard output then fails; messages to a closed
    standard error vanish.
    """
    for handle, flags in ((0, os.O_WRONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(handle)
        except OSError:
            os.open(os.devnull, flags)  # takes the lowest free number
    sys.stdout = _open_text(sys.stdout, 1, _raise_error)
    sys.stderr = _open_text(sys.stderr, 2, _ignore_error)


def _open_text(old: object, handle: int, on_error: Callable[[OSError], None]) -> io.TextIOWrapper:
    """A text stream in the place of an old one, in its encoding."""
    errors = getattr(old, "errors", "strict")
    if errors not in ("ignore", "namereplace", "replace", "xmlcharrefreplace"):  # a user's choice
        errors = SUBSTITUTES
    if os.name == "nt" and isinstance(old, io.TextIOWrapper):  # it alone knows the console
        old.reconfigure(errors=errors)
        return old
    raw = _WholeWriter(handle, on_error)
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=getattr(old, "encoding", None),
        errors=errors,
        line_buffering=handle == 2 or raw.isatty(),
    )


class _WholeWriter(io.RawIOBase):
    """Writes all it is given, however little the system takes at once."""

    def __init__(self, handle: int, on_error: Callable[[OSError], None]) -> None:
        self._handle = handle
        self._on_error = on_error

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._handle

    def isatty(self) -> bool:
        return os.isatty(self._handle)

    def write(self, data: Any, /) -> int:
        block = memoryview(data).cast("B")
        try:
            while block:
                block = block[self._write_some(block) :]
        except OSError as error:
            self._on_error(error)
        return memoryview(data).nbytes

    def _write_some(self, block: memoryview) -> int:
        try:
            return os.write(self._handle, block)  # after a signal, Python itself tries again
        except BlockingIOError:
            import select  # rarely needed

            select.select([], [self._handle], [])  # a pipe that does not block, and is full
            return 0


def _raise_error(error: OSError) -> None:
    if isinstance(error, BrokenPipeError):
        raise ClosedPipeError from error
    reason = os.strerror(error.errno) if error.errno else str(error)
    raise StandardOutputError(f"cannot write to standard output: {reason}") from error


def _ignore_error(_: OSError) -> None:
    """A message is lost where standard error is full or closed; the work still counts."""


def _substitute(error: UnicodeError) -> tuple[str, int]:
    """What stands for characters that an encoding lacks: × as x, 2⁶⁴ as 2^64, é as \\xe9."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    shown = ""
    for index in range(error.start, error.end):
        char = error.object[index]
        if char in _SUPERSCRIPTS:
            follows = error.object[index - 1 : index] in {*_SUPERSCRIPTS}
            shown += _SUPERSCRIPTS[char] if follows else "^" + _SUPERSCRIPTS[char]
        else:
            shown += _PLAIN.get(char) or char.encode("ascii", "backslashreplace").decode()
    return shown, error.end


codecs.register_error(SUBSTITUTES, _substitute)
