"""What is found wrong with a file beside what a spec makes of it: a value a fault."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from xavinit.errors import escape
from xavinit.wording import format_value

FaultKind = Literal[
    "missing_file",
    "unexpected_file",
    "unsound_file",
    "missing_tensor",
    "unexpected_tensor",
    "misplaced_tensor",
    "shape",
    "dtype",
    "metadata",
    "attribute",
    "bytes",
    "values",
    "law",
    "copy",
]

TestName = Literal[
    "finite",
    "variance",
    "mean",
    "bounds",
    "kolmogorov_smirnov",
    "chi_square",
    "counts",
    "repeated",
    "correlation",
    "tied",
]


_BEFORE = 10  # characters shown before the first different one


class Fault(Struct, frozen=True, kw_only=True):
    """One thing that is not as it should be. As text it is one line, without the file's path.

    `path` is the file, or the folder; `tensor` has the spec's name; `stored_name` what the file
    calls the tensor where that is another name. `key` names a part of the metadata, or an
    attribute. `expected` and `got` are as a person reads them, exact to the last bit; None stands
    for nothing. Of `values`, they are the first different ones in C order, at `index`, and
    `different` of `size` elements differ. `offset` counts bytes of the file. A `law` that values do
    not fit was refused by a `test`: `key` says what it looks at, `note` what else there is to tell.
    """

    kind: FaultKind
    path: str
    tensor: str | None = None
    stored_name: str | None = None
    key: str | None = None
    index: tuple[int, ...] | None = None
    expected: str | None = None
    got: str | None = None
    different: int | None = None
    size: int | None = None
    offset: int | None = None
    test: TestName | None = None
    note: str | None = None

    def __str__(self) -> str:
        return escape(self._describe())

    @property
    def line(self) -> str:
        """The same after the file's path."""
        text = str(self)
        joint = " " if text.startswith("is ") and self.kind.endswith("_file") else ": "
        return f"{escape(self.path)}{joint}{text}"

    def _describe(self) -> str:
        name = self.tensor or self.stored_name or ""
        if self.tensor and self.stored_name:
            name += f" ({self.stored_name})"
        got = "nothing" if self.got is None else self.got
        match self.kind:
            case "missing_file":
                return "is missing"
            case "unexpected_file":
                return "is unexpected"
            case "unsound_file":
                return got
            case "missing_tensor":
                return f"{name} is missing"
            case "unexpected_tensor":
                return f"{name} is unexpected"
            case "misplaced_tensor":
                return f"{name} belongs into {self.expected}"
            case "shape" | "dtype":
                return f"{name}: expected {self.kind} {self.expected}, got {got}"
            case "metadata" | "attribute":
                expected = "nothing" if self.expected is None else self.expected
                return f"{self.key}: expected {expected}, got {got}"
            case "bytes":
                expected = "the end" if self.expected is None else self.expected
                got = "the end" if self.got is None else got
                return f"the bytes differ at {self.offset:,}: expected {expected}, got {got}"
            case "values":
                return f"{name}{self._describe_values()}"
            case "law":
                return f"{name}: {self.key} is {got}, not {self.expected}{self.note or ''}"
            case "copy":
                return f"{name}: {self.note}"

    def _describe_values(self) -> str:
        place = f"[{', '.join(map(str, self.index))}]" if self.index else ""
        more = (self.different or 1) - 1
        rest = f" (and {more:,} more of {self.size:,})" if more else ""
        return f"{place}: expected {self.expected}, got {self.got}{rest}"


def find_place(index: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The indices of an element by its number in C order.

    >>> find_place(7, (2, 5))
    (1, 2)
    """
    place: list[int] = []
    for size in reversed(shape):
        index, rest = divmod(index, size)
        place.insert(0, rest)
    return tuple(place)


def find_changes(expected: object, got: object, path: str = "") -> list[tuple[str, str, str]]:
    """Where two JSON values differ: the path within, what should be there, and what is.

    >>> find_changes({"seed": 1, "spec": {"w": [3, 4]}}, {"seed": 2, "spec": {"w": [3, 5]}})
    [('seed', '1', '2'), ('spec.w[1]', '4', '5')]
    """
    if isinstance(expected, dict) and isinstance(got, dict):
        changes = []
        for key in [*expected, *(key for key in got if key not in expected)]:
            inner = f"{path}.{key}" if path else str(key)
            if key not in got:
                changes.append((inner, format_value(expected[key]), "nothing"))
            elif key not in expected:
                changes.append((inner, "nothing", format_value(got[key])))
            else:
                changes += find_changes(expected[key], got[key], inner)
        return changes
    if isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
        pairs = enumerate(zip(expected, got, strict=True))
        return [c for i, (a, b) in pairs for c in find_changes(a, b, f"{path}[{i}]")]
    if type(expected) is type(got) and expected == got:
        return []
    return [(path, *_show_apart(expected, got))]


def _show_apart(expected: object, got: object) -> tuple[str, str]:
    """Two different values, cut to a line; of long texts the part where they differ."""
    shown = format_value(expected), format_value(got)
    if shown[0] == shown[1] and isinstance(expected, str) and isinstance(got, str):
        pairs = enumerate(zip(expected, got, strict=False))
        place = next((i for i, (a, b) in pairs if a != b), min(len(expected), len(got)))
        start = max(place - _BEFORE, 0)
        shown = f"…{format_value(expected[start:])}", f"…{format_value(got[start:])}"
    return shown
