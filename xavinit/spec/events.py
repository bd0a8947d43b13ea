"""A text as a flat sequence of events with line and column, and what is made of them.

The readers of YAML and JSON neither recurse nor build, so no nesting can exhaust a stack;
`build_data` makes the data, `find_marks` finds where paths stand, both from the same events.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal

from xavinit.errors import Path, SpecError
from xavinit.wording import format_value

DEEPEST_NESTING = 64
# Of lists and mappings, which take a hundred times the memory of their brackets. A spec with 10⁶
# tensors, each with its own shape, would have as many, but does not fit in 16 MiB.
MOST_COLLECTIONS = 10**6
MOST_DIGITS = 1000  # of an integer; no number of a spec is longer
_HALF = MOST_DIGITS // 2
_SHIFT: int = 10**_HALF

QUOTE_HINT = 'quote a name with special characters, as in "h.{n}.weight" or "*.bias"'

# A key, a colon and its value where YAML takes all for one text: w:[3, 4].
NO_SPACE = r"""["']?[A-Za-z_$][^\s:]*:[^\s:/]"""
SPACE_HINT = "YAML needs a space after the colon, as in w: [3, 4]"

Mark = tuple[int, int]  # line and column, 1-based, the column in characters
# The start of a mapping or list, the end of either, or a scalar; its value; where it stands.
# A plain tuple: a spec of 16 MiB has millions, and a named one costs five times as much.
Event = tuple[Literal["map", "list", "end", "scalar"], Any, Mark]


def parse_integer(text: str, mark: Mark, base: int = 10) -> int:
    """The integer of a digit string."""
    if len(text) > MOST_DIGITS:  # int() is quadratic, and str() would refuse to write it again
        got = len(text)
        raise SpecError(f"must be an integer of at most {MOST_DIGITS} digits; got {got}", mark=mark)
    if base != 10 or len(text) <= _HALF:
        return int(text, base)
    # In two parts: PYTHONINTMAXSTRDIGITS may forbid int() more than 640 digits.
    digits = text.lstrip("+-")
    value = int(digits[:-_HALF] or "0") * _SHIFT + int(digits[-_HALF:])
    return -value if text[0] == "-" else value


def is_encodable(text: str) -> bool:
    """Is the text free of lone surrogates, which UTF-8 (and so every file) cannot hold?"""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def build_data(events: Iterator[Event]) -> Any:
    """The data of one document: dicts in the text's order, lists and scalars."""
    root: list[Any] = []
    # The innermost open collection; for a mapping also the line of each key, and the key whose
    # value comes next (None where a key comes next).
    container: Any = root
    lines: dict[str, int] | None = None
    key: str | None = None
    outer: list[_Outer] = []  # the same of those around it
    count = 0  # of collections
    for kind, value, mark in events:
        if kind == "end":
            container, lines, key = outer.pop()
        elif lines is not None and key is None:
            if kind != "scalar" or not isinstance(value, str) or value in lines:
                raise _refuse_key(kind, value, mark, lines, _find_path(outer))
            lines[value] = mark[0]
            key = value
            continue
        else:
            item: Any = value if kind == "scalar" else {} if kind == "map" else []
            if lines is None:
                container.append(item)
            else:
                container[key] = item
            if kind != "scalar":
                outer.append((container, lines, key))
                if len(outer) > DEEPEST_NESTING:
                    path = _find_path(outer)[:4]
                    fact = f"must be nested at most {DEEPEST_NESTING} deep"
                    raise SpecError(fact, path, mark=mark)
                count += 1
                if count > MOST_COLLECTIONS:
                    raise SpecError(
                        f"must have at most {MOST_COLLECTIONS:,} lists and mappings", mark=mark
                    )
                container, lines = item, {} if kind == "map" else None
        key = None
    if not root:
        raise SpecError("must be a mapping; got an empty text", mark=(1, 1))
    return root[0]


_Outer = tuple[Any, dict[str, int] | None, str | None]


def _find_path(outer: list[_Outer]) -> Path:
    """The path of the innermost open collection, which is the last item of each around it."""
    # The outermost one is the list that holds the document; it is not part of it.
    return tuple(len(items) - 1 if key is None else key for items, _, key in outer[1:])


def _refuse_key(kind: str, value: Any, mark: Mark, lines: dict[str, int], path: Path) -> SpecError:
    if kind != "scalar" or not isinstance(value, str):
        got = {"map": "a mapping", "list": "a list"}.get(kind) or format_value(value)
        hint = "quote it" if kind == "scalar" else QUOTE_HINT  # {n}.weight without quotes
        return SpecError(f"a key must be a string; got {got}", path, mark=mark, hint=hint)
    return SpecError(
        f"a key must appear once; got {format_value(value)} again, first on line {lines[value]}",
        path,
        mark=mark,
    )


class _Place:
    """A node of the tree of paths that are looked for, and where its key and value stand."""

    __slots__ = ("key_mark", "mark", "steps")

    def __init__(self) -> None:
        self.steps: dict[str | int, _Place] = {}
        self.mark: Mark | None = None
        self.key_mark: Mark | None = None


def find_marks(events: Iterator[Event], requests: Iterable[tuple[Path, bool]]) -> list[Mark | None]:
    """Where the value (or with True the key) at each path stands; else its nearest parent.

    One pass for all of them, which ends where the last one is found.
    """
    requests = list(requests)
    root = _Place()
    missing = {_reach(root, path) for path, _ in requests}
    # The place of the innermost open collection, None where nothing in it is looked for; the
    # index of a list's next item, None in a mapping; the same of the collections around it.
    place: _Place | None = None
    index: int | None = None
    outer: list[tuple[_Place | None, int | None]] = []
    found: _Place | None = root  # of the value that comes next
    expects_key = False
    for kind, value, mark in events:
        if expects_key and kind != "end":
            found = place.steps.get(value) if place else None
            if found and found.key_mark is None:
                found.key_mark = mark
            expects_key = False
            continue
        if kind == "end":
            place, index = outer.pop()
        else:
            if found and found.mark is None:
                found.mark = mark
                missing.discard(found)
                if not missing:
                    break
            if kind != "scalar":
                outer.append((place, index))
                place, index = found, None if kind == "map" else 0
        expects_key = bool(outer) and index is None
        if index is not None:
            found = place.steps.get(index) if place else None
            index += 1
    return [_find_nearest(root, path, at_key) for path, at_key in requests]


def _reach(root: _Place, path: Path) -> _Place:
    """The place of a path, made where there is none yet."""
    for step in path:
        root = root.steps.setdefault(step, _Place())
    return root


def _find_nearest(root: _Place, path: Path, at_key: bool) -> Mark | None:
    mark = root.mark
    for step in path:
        root = root.steps[step]
        if root.mark is None:
            return mark
        mark = root.mark
    return root.key_mark or mark if at_key else mark
