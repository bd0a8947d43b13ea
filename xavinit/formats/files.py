"""What every reader does with an open file: read at offsets, parse JSON."""

from __future__ import annotations

import json
from typing import Any, Protocol

from xavinit.places import find_size, open_file
from xavinit.wording import explain_os_error, format_bytes, format_value

LARGEST_TEXT = 100_000_000  # bytes of JSON; a million tensors need less

LONGEST_INTEGER = 1_000  # digits; Python takes long ones slowly, or not at all


class Readable(Protocol):
    """What elements are read from: a file, or a part of one."""

    def seek(self, offset: int, /) -> int: ...

    def readinto(self, block: memoryview, /) -> int | None: ...


def fill_from(file: Readable, offset: int, block: memoryview) -> None:
    """Fill a block with a file's bytes from an offset on; `EOFError` where there are too few."""
    file.seek(offset)
    while block:
        count = file.readinto(block)
        if not count:
            raise EOFError
        block = block[count:]


def read_from(file: Readable, offset: int, nbytes: int) -> bytearray:
    """So many bytes of a file from an offset on; `EOFError` where there are fewer."""
    content = bytearray(nbytes)
    fill_from(file, offset, memoryview(content))
    return content


def load_json(path: str) -> Any:
    """The data of a JSON file. Raises `ValueError` with what is wrong with it."""
    with open_file(path) as file:
        size = find_size(file)
        if size > LARGEST_TEXT:
            raise ValueError(f"it is over {format_bytes(LARGEST_TEXT)}")
        try:
            return parse_json(read_from(file, 0, size))
        except EOFError:
            raise ValueError("it is cut short") from None


def parse_json(content: bytes | bytearray, most: int = 2_000_000) -> Any:
    """The data of a JSON text of at most so many objects; `ValueError` for duplicate keys too."""
    left = most

    def make_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal left
        left -= 1
        if left < 0:
            raise ValueError(f"it holds over {most:,} objects")
        made = dict(pairs)
        if len(made) < len(pairs):
            seen: set[str] = set()
            twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
            raise ValueError(f"the key {format_value(twice)} is in it twice")
        return made

    def make_integer(text: str) -> int:
        if len(text) > LONGEST_INTEGER:
            raise ValueError(f"an integer in it is of {len(text):,} digits")
        return int(text)

    try:
        return json.loads(content.decode(), object_pairs_hook=make_object, parse_int=make_integer)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def explain_error(error: Exception) -> str:
    """What a library's exception says, on one line that is not too long."""
    if isinstance(error, OSError):
        return explain_os_error(error)
    text = error.args[0] if isinstance(error, KeyError) and error.args else error
    return " ".join(str(text).split())[:200] or type(error).__name__
