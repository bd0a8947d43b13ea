"""Every error a caller can meet, one class a kind, each with the exit code of the command line.

Inner code raises the bare fact (what the rule is, what it got, the path within the spec); the
place that knows the file adds its name, line and column once, with `SpecError.locate`.
"""

from __future__ import annotations

Path = tuple[str | int, ...]

LONGEST_KEY = 300  # characters of a key that a message shows; names of real tensors are shorter


class XavinitError(Exception):
    """Base of all errors that xavinit raises on purpose. `hint` is what to do, or None."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint

    def describe(self) -> str:
        """What is wrong, without the hint."""
        return super().__str__()

    def __str__(self) -> str:
        # Whatever they quote, the message and the hint are a line each, and color no terminal.
        message = escape(self.describe())
        return f"{message}\n  hint: {escape(self.hint)}" if self.hint else message


class UsageError(XavinitError, ValueError):
    """An option or argument that makes no sense, alone or beside another."""

    exit_code = 2


class SpecError(XavinitError, ValueError):
    """A spec that cannot be read, or asks for what cannot be.

    Attributes: `fact` (the rule and the offending value), `path` (where in the spec's data),
    `hint` (what to do, or None), and after `locate` also `source`, `line` and `column`
    (1-based; None where the spec did not come from a text).
    """

    exit_code = 3

    def __init__(
        self,
        fact: str,
        path: Path = (),
        *,
        hint: str | None = None,
        at_key: bool = False,
        mark: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(fact, hint=hint)
        self.fact = fact
        self.path = path
        self.at_key = at_key
        self.source: str | None = None
        self.line: int | None = None
        self.column: int | None = None
        if mark is not None:
            self.line, self.column = mark

    def locate(self, source: str, mark: tuple[int, int] | None) -> None:
        """Add the file's name and, unless it is known already, the line and column."""
        self.source = source
        if self.line is None and mark is not None:
            self.line, self.column = mark

    def describe(self) -> str:
        place = ""
        if self.source is not None:
            place = self.source
            if self.line is not None:
                place += f":{self.line}:{self.column}"
            place += ": "
        path = format_path(self.path)
        return f"{place}{path}: {self.fact}" if path else place + self.fact


class StrictError(SpecError):
    """A spec with warnings, where these count as errors. Each has a line of its own."""

    def __init__(self, warnings: tuple[SpecError, ...]) -> None:
        count = "a warning counts as an error" if len(warnings) == 1 else "warnings count as errors"
        super().__init__(f"{count} (strict)")
        self.warnings = warnings

    def __str__(self) -> str:
        return "\n".join(map(str, (*self.warnings, super().__str__())))


class InputError(XavinitError):
    """A file that cannot be read, or is damaged."""

    exit_code = 4


class OutputError(XavinitError):
    """An output that cannot be written: no folder, no permission, no space, a fault."""

    exit_code = 4


class MissingLibraryError(XavinitError, ImportError):
    """An optional library that this request needs is not installed, or is broken."""

    exit_code = 4


class RefusedError(OutputError):
    """An output that exists already, or must not be replaced."""

    exit_code = 6


def format_path(path: Path) -> str:
    """The path as a reader would write it: `tensors["h.0.w"].shape[1]`.

    Names of tensors are always quoted; other keys only where they are not plain identifiers.

    >>> format_path(("tensors", "h.0.w", "shape", 1))
    'tensors["h.0.w"].shape[1]'
    """
    text = ""
    for depth, part in enumerate(path):
        if isinstance(part, int):
            text += f"[{part}]"
            continue
        if len(part) > LONGEST_KEY:
            part = part[: LONGEST_KEY - 1] + "…"
        if depth == 0:
            text = part
        elif part.isascii() and part.isidentifier() and path[depth - 1] != "tensors":
            text += f".{part}"
        else:
            text += '["' + part.replace('"', '\\"') + '"]'
    return text


# Printable to Python, but nothing is seen of them: fillers of Korean and Khmer, the joiner of
# graphemes, and what selects a variant of the character before.
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0").union(
    map(chr, range(0xFE00, 0xFE10)), map(chr, range(0xE0100, 0xE01F0))
)


def escape(text: str) -> str:
    """The text with every character that is not seen as an escape: one line, no colors.

    >>> escape("a\\nb")
    'a\\\\nb'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        char
        if char.isprintable() and char not in _INVISIBLE
        else char.encode("unicode_escape", "backslashreplace").decode()
        for char in text
    )
