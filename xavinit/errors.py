"""Every error a caller can meet, one class a kind, each with the exit code of the command line.

Inner code raises the bare fact (what the rule is, what it got, the path within the spec); the
place that knows the file adds its name, line and column once, with `SpecError.locate`.
"""

from __future__ import annotations

Path = tuple[str | int, ...]

LONGEST_KEY = 300  # characters of a key that a message shows; names of real tensors are shorter
MOST_ERRORS = 10  # of a spec that are told at once
MOST_SEEN = 100  # of a spec, those at one place counted


class XavinitError(Exception):
    """Base of all errors that xavinit raises on purpose.

    `hint` is what to do, or None; `choices` are all that could stand there, where they are many.
    """

    exit_code = 1

    def __init__(
        self, message: str, *, hint: str | None = None, choices: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message)
        self.hint = hint
        self.choices = choices

    def describe(self) -> str:
        """What is wrong, without the hint."""
        return super().__str__()

    def list_lines(self) -> list[str]:
        """What is wrong, the hint, the choices: a line each, which colors no terminal."""
        lines = [self.describe()]
        if self.hint:
            lines.append(f"  hint: {self.hint}")
        if self.choices:
            lines.append(f"  choices: {', '.join(self.choices)}")
        return [escape(line) for line in lines]

    def __str__(self) -> str:
        return "\n".join(self.list_lines())


class UsageError(XavinitError, ValueError):
    """An option or argument that makes no sense, alone or beside another."""

    exit_code = 2


class AddressError(UsageError):
    """An address that looks like that of an object in a store, but is not written as ours are."""


class SpecError(XavinitError, ValueError):
    """A spec that cannot be read, or asks for what cannot be.

    Attributes: `fact` (the rule and the offending value), `path` (where in the spec's data),
    `hint` (what to do, or None), `choices` (all that could stand there, where they are many), and
    after `locate` also `source`, `line` and `column` (1-based; None where the spec did not come
    from a text) and `excerpt` (the line's text and the column within it). `errors` are all that
    were found, at most ten, of which this is the first.
    """

    exit_code = 3

    def __init__(
        self,
        fact: str,
        path: Path = (),
        *,
        hint: str | None = None,
        choices: tuple[str, ...] = (),
        at_key: bool = False,
        mark: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(fact, hint=hint, choices=choices)
        self.fact = fact
        self.path = path
        self.at_key = at_key
        self.source: str | None = None
        self.line: int | None = None
        self.column: int | None = None
        self.excerpt: tuple[str, int] | None = None
        self.others: tuple[SpecError, ...] = ()  # of the same spec
        if mark is not None:
            self.line, self.column = mark

    @property
    def errors(self) -> tuple[SpecError, ...]:
        """This one and the others of the same spec."""
        return (self, *self.others)

    def __str__(self) -> str:
        return "\n".join(line for error in self.errors for line in error.list_lines())

    def blame_caller(self) -> UsageError:
        """The same as an error of the caller's arguments, which no spec has."""
        return UsageError(self.describe(), hint=self.hint, choices=self.choices)

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
    """A spec with warnings, where these count as errors. The first few have lines of their own."""

    def __init__(self, warnings: tuple[SpecError, ...]) -> None:
        self.warnings = warnings[: MOST_ERRORS - 1]
        count = "a warning counts as an error" if len(warnings) == 1 else "warnings count as errors"
        if len(warnings) > len(self.warnings):
            count = f"{len(warnings):,} {count}"
        super().__init__(f"{count} (strict)")

    @property
    def errors(self) -> tuple[SpecError, ...]:
        """The warnings, and this one that says what is wrong with them."""
        return (*self.warnings, self)


class Faults:
    """The errors of a stage that goes on after one, as far as `MOST_ERRORS`."""

    def __init__(self) -> None:
        self._errors: dict[tuple[Path, bool], SpecError] = {}  # the first one at each place
        self._seen = 0

    def add(self, error: SpecError) -> None:
        """Keep an error for `check`, which is called here where there are enough."""
        for found in error.errors:
            self._errors.setdefault((found.path, found.at_key), found)
            self._seen += 1
        if len(self._errors) >= MOST_ERRORS or self._seen >= MOST_SEEN:
            self.check()

    def check(self) -> None:
        """Raise what was found, if anything was."""
        if self._errors:
            raise self.join() from None

    def join(self) -> SpecError:
        """The first of what was found, which bears the others; there must be one."""
        return join_errors(list(self._errors.values()))


def join_errors(errors: list[SpecError]) -> SpecError:
    """The first of some errors in the text's order, which bears the others."""
    first, *others = sorted(errors, key=lambda error: (error.line or 0, error.column or 0))
    first.others = tuple(others[: MOST_ERRORS - 1])
    for other in first.others:
        other.others = ()
    return first


class InputError(XavinitError):
    """A file that cannot be read, or is damaged."""

    exit_code = 4


class UnreadableError(InputError):
    """What cannot be read at all, as against damaged: it is not there, or out of reach."""


class OutputError(XavinitError):
    """An output that cannot be written: no folder, no permission, no space, a fault."""

    exit_code = 4


class MissingLibraryError(XavinitError, ImportError):
    """An optional library that this request needs is not installed, or is broken."""

    exit_code = 4


class VerificationError(XavinitError):
    """What was compared is not the same."""

    exit_code = 5


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
