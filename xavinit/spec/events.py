"""A text as a flat run of events with line and column, and what is made of them.

The readers of YAML and JSON neither recurse nor build, so no nesting can exhaust a stack;
`build_data` makes the data, `find_mark` finds where a path stands, both from the same events.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

from xavinit.errors import Path, SpecError
from xavinit.wording import format_value

DEEPEST = 64
MOST_DIGITS = 1000  # of an integer; no number of a spec is longer

QUOTE_HINT = 'quote a name with special characters, as in "h.{n}.weight" or "*.bias"'

Mark = tuple[int, int]  # line and column, 1-based, the column in characters


class Event(NamedTuple):
    """The start of a mapping or list, the end of either, or a scalar."""

    kind: Literal["map", "list", "end", "scalar"]
    value: Any
    line: int
    column: int


def parse_integer(text: str, mark: Mark, base: int = 10) -> int:
    """The integer of a digit string."""
    if len(text) > MOST_DIGITS:  # int() is quadratic, and str() would refuse to write it again
        got = len(text)
        raise SpecError(f"must be an integer of at most {MOST_DIGITS} digits; got {got}", mark=mark)
    return int(text, base)


def is_encodable(text: str) -> bool:
    """Is the text free of lone surrogates, which UTF-8 (and so every file) cannot hold?"""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class _Frame:
    """A mapping or list under construction."""

    __slots__ = ("container", "lines", "step")

    def __init__(self, container: dict[str, Any] | list[Any]) -> None:
        self.container = container
        # The path's step to the value that comes next, or is open; None where a key comes next.
        self.step: str | int | None = None if isinstance(container, dict) else 0
        self.lines: dict[str, int] = {}  # where each key stands

    def put(self, value: Any) -> None:
        if isinstance(self.container, dict):
            self.container[str(self.step)] = value
        else:
            self.container.append(value)

    def step_on(self) -> None:
        self.step = self.step + 1 if isinstance(self.step, int) else None


def build_data(events: Iterator[Event]) -> Any:
    """The data of one document: dicts in the text's order, lists and scalars."""
    root: list[Any] = []
    frames = [_Frame(root)]
    for kind, value, *mark in events:
        here = (mark[0], mark[1])
        if kind == "end":
            frames.pop()
            frames[-1].step_on()
        elif frames[-1].step is None:
            _take_key(frames, kind, value, here)
        elif kind == "scalar":
            frames[-1].put(value)
            frames[-1].step_on()
        else:
            if len(frames) > DEEPEST:
                path = _path_of(frames)
                raise SpecError(f"must be nested at most {DEEPEST} deep", path[:4], mark=here)
            container: dict[str, Any] | list[Any] = {} if kind == "map" else []
            frames[-1].put(container)
            frames.append(_Frame(container))
    if not root:
        raise SpecError("must be a mapping; got an empty text", mark=(1, 1))
    return root[0]


def _path_of(frames: list[_Frame]) -> Path:
    return tuple(frame.step for frame in frames[1:] if frame.step is not None)


def _take_key(frames: list[_Frame], kind: str, value: Any, mark: Mark) -> None:
    frame, path = frames[-1], _path_of(frames[:-1])
    if kind != "scalar" or not isinstance(value, str):
        got = {"map": "a mapping", "list": "a list"}.get(kind) or format_value(value)
        hint = "quote it" if kind == "scalar" else QUOTE_HINT  # {n}.weight without quotes
        raise SpecError(f"a key must be a string; got {got}", path, mark=mark, hint=hint)
    if value in frame.lines:
        first = frame.lines[value]
        raise SpecError(
            f"a key must appear once; got {format_value(value)} again, first on line {first}",
            path,
            mark=mark,
        )
    frame.lines[value] = mark[0]
    frame.step = value


def find_mark(events: Iterator[Event], path: Path, at_key: bool) -> Mark | None:
    """Where the value (or with at_key the key) at a path stands; else its nearest parent."""
    best: tuple[int, Mark] | None = None  # how much of the path was matched
    steps: list[Any] = []  # the path to the value that comes next
    maps: list[bool] = []  # for each open collection: is it a mapping
    expects_key = False
    for kind, value, *mark in events:
        here = (mark[0], mark[1])
        if kind == "end":
            maps.pop()
            steps.pop()
            expects_key = _step_on(steps, maps)
            continue
        if expects_key:
            steps[-1] = value
            expects_key = False
            if at_key and tuple(steps) == path:
                return here
            continue
        if tuple(steps) == path[: len(steps)] and (best is None or len(steps) > best[0]):
            best = (len(steps), here)
            if len(steps) == len(path):
                return here
        if kind == "scalar":
            expects_key = _step_on(steps, maps)
        else:
            maps.append(kind == "map")
            steps.append(None if kind == "map" else 0)
            expects_key = kind == "map"
    return best[1] if best else None


def _step_on(steps: list[Any], maps: list[bool]) -> bool:
    """After a value: move to the next item of a list, or tell that a key comes next."""
    if not maps:
        return False
    if maps[-1]:
        return True
    steps[-1] += 1
    return False
