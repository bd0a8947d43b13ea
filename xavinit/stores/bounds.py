"""How much of an answer is believed: a range that was asked for, and bodies that have an end."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from xavinit.stores.store import ChangedError

MOST_REFUSED = 64 << 10  # bytes of a refusal that are read
MOST_TOLD = 64 << 20  # bytes of an answer that is no object; a page of a list is the longest
MOST_PAGES = 20_000  # of a list; S3's and Google's have a thousand names each


def check_range(start: int, end: int, place: str | None, nbytes: int) -> None:
    """Is an answer of so many bytes the one to a request for bytes from `start` to before `end`?

    `place` is its Content-Range. Without one, it is the object from its beginning. The status tells
    nothing: rclone's server answers 200 with a range.
    """
    if place is None:
        is_asked = start == 0
    else:
        is_asked = re.fullmatch(rf"bytes {start}-{end - 1}/(\d+|\*)", place.strip()) is not None
    if not is_asked or nbytes != end - start:
        raise ChangedError("the store answers with other bytes than those asked for")


class Pages:
    """Names for a list's pages, each of which comes once."""

    def __init__(self) -> None:
        self._names: set[str] = set()

    def check(self, name: str) -> None:
        """An error where the list has no end."""
        if name in self._names or len(self._names) >= MOST_PAGES:
            raise OSError("the store lists the same names again and again")
        self._names.add(name)


class TooLongError(OSError):
    """An answer has more bytes than any that is meant."""


class BoundedAnswer:
    """urllib3's answer, which is read as far as it is believed: what libraries read whole."""

    def __init__(self, answer: Any, *, is_refusal: bool) -> None:
        self._answer = answer
        self._is_refusal = is_refusal

    def __getattr__(self, name: str) -> Any:
        return getattr(self._answer, name)

    def stream(self, *arguments: Any, **options: Any) -> Iterator[bytes]:
        """Pieces of the body; a refusal is cut, another answer must not be longer."""
        left = MOST_REFUSED if self._is_refusal else MOST_TOLD
        for piece in self._answer.stream(*arguments, **options):
            yield piece[:left]
            left -= len(piece)
            if left < 0:
                self._answer.close()
                if self._is_refusal:
                    return
                raise TooLongError("the store's answer is too long")


def bound(answer: Any, *_: Any, stream: bool = False, **options: Any) -> Any:
    """A hook of `requests`: bound all answers but objects."""
    if answer.status_code >= 300 or not stream:
        answer.raw = BoundedAnswer(answer.raw, is_refusal=answer.status_code >= 300)
    return answer
