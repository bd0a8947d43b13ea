"""Lists of digests as `sha256sum` writes them, read back and compared: `digest --check`."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from msgspec import Struct

from xavinit.errors import AddressError, InputError, XavinitError
from xavinit.places import read_whole
from xavinit.verbs.digest import digest, digest_tensors
from xavinit.wording import explain_os_error, format_bytes, format_value

_LINE = re.compile(r"(\\?)([0-9a-fA-F]{64}) [ *](.+)", re.DOTALL)
_LARGEST_LIST = 100_000_000  # bytes; a line for each of a million tensors needs less
_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_UNESCAPES = {text: char for char, text in _ESCAPES.items()}


class Entry(Struct, frozen=True):
    """A line of a list: the digest of a file, or of one tensor in it."""

    digest: str
    path: str
    tensor: str | None = None


class Outcome(Struct, frozen=True):
    """What became of an entry: `error` where the file cannot be read."""

    entry: Entry
    is_same: bool
    error: XavinitError | None = None


def format_entry(entry: Entry) -> str:
    r"""The line of an entry: the digest, two spaces, the path, and a tab before a tensor's name.

    As in `sha256sum`, a line begins with a backslash where a name holds one, or a line's end; here
    also where it holds a tab.

    >>> format_entry(Entry("ab" * 32, "w.npy", "a\nb"))[-12:]
    '  w.npy\ta\\nb'
    """
    names = [entry.path] if entry.tensor is None else [entry.path, entry.tensor]
    escaped = ["".join(_ESCAPES.get(char, char) for char in name) for name in names]
    return f"{'' if escaped == names else chr(92)}{entry.digest}  {chr(9).join(escaped)}"


def load_list(path: str) -> list[Entry]:
    """The entries of a list in a file, or on standard input (`-`)."""
    source = "<stdin>" if path == "-" else path
    try:
        content = read_whole(path, _LARGEST_LIST)
    except AddressError:
        raise
    except OSError as error:
        raise InputError(f"cannot read {source}: {explain_os_error(error)}") from error
    except ValueError as error:  # a NUL in the path
        raise InputError(f"cannot read {format_value(path)}: {error}") from error
    if len(content) > _LARGEST_LIST:
        raise InputError(f"{source}: a list must be at most {format_bytes(_LARGEST_LIST)}")
    return parse_list(os.fsdecode(content), source)  # names of files need not be UTF-8


def parse_list(text: str, source: str) -> list[Entry]:
    """The entries of a list; blank lines and those that begin with `#` are passed over.

    Raises `InputError` for any other line, with its number.
    """
    entries = []
    for number, line in enumerate(text.split("\n"), 1):
        line = line.removesuffix("\r")
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise InputError(
                f"{source}:{number}: must be a digest, two spaces and a path; "
                f"got {format_value(line)}"
            )
        names = match[3].split("\t")
        if len(names) > 2:
            raise InputError(
                f"{source}:{number}: must have one tab at most; got {format_value(line)}"
            )
        if match[1]:
            names = [re.sub(r"\\[\\nrt]", lambda part: _UNESCAPES[part[0]], name) for name in names]
        entries.append(Entry(match[2].lower(), *names))
    if not entries:
        raise InputError(f"{source}: it lists no digest")
    return entries


def check_entries(entries: Sequence[Entry], jobs: int | None = None) -> Iterator[Outcome]:
    """Compare each entry with the file that it names, in their order; each file is read once."""
    left = Counter((entry.path, entry.tensor is None) for entry in entries)
    known: dict[tuple[str, bool], dict[str | None, str] | XavinitError] = {}
    for entry in entries:
        key = entry.path, entry.tensor is None
        if key not in known:
            known[key] = _digest(entry, jobs)
        found = known[key]
        left[key] -= 1
        if not left[key]:
            del known[key]  # the digests of a million tensors take memory
        if isinstance(found, XavinitError):
            yield Outcome(entry, False, found)
        else:
            yield Outcome(entry, found.get(entry.tensor) == entry.digest)


def _digest(entry: Entry, jobs: int | None) -> dict[str | None, str] | XavinitError:
    """The digest of an entry's file, by None, or of each tensor in it; or why it cannot be read."""
    try:
        if entry.tensor is None:
            return {None: digest(entry.path, jobs=jobs)}
        return dict[str | None, str](digest_tensors(entry.path, jobs=jobs).items())
    except XavinitError as error:
        return error
