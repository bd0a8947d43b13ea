"""An error as text for a person, with the spec's line on a terminal, and as JSON for a program."""

from __future__ import annotations

from typing import Any

from xavinit.errors import MOST_ERRORS, SpecError, XavinitError, escape
from xavinit.widths import measure

JSON_VERSION = 1  # of the objects that `--json` prints (docs/json.md)

_KINDS = {1: "internal", 2: "usage", 3: "spec", 4: "input_output", 5: "verification", 6: "refused"}


def format_error(error: XavinitError, width: int | None = None) -> str:
    """What is wrong and what to do. On a terminal of a width: with the lines of the spec."""
    if not isinstance(error, SpecError):
        return f"xavinit: {error}"
    lines = []
    for one in error.errors:
        first, *rest = one.list_lines()
        if width:
            rest = [part for line in rest for part in _wrap(line, width)]
        lines += [first, *(_quote_line(one, width) if width else ()), *rest]
    if len(error.others) + 1 == MOST_ERRORS:
        lines.append(f"xavinit: there may be more than these {MOST_ERRORS} errors")
    return "\n".join(lines)


def _wrap(line: str, width: int) -> list[str]:
    """A hint or choices in lines that a terminal does not break within a word."""
    import textwrap

    label = line.partition(": ")[0]
    indent = " " * (len(label) + 2) if width >= 60 else "    "
    return textwrap.wrap(
        line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def _quote_line(error: SpecError, width: int) -> list[str]:
    """The line of the spec and a caret under the place, or nothing where there is no line."""
    if error.excerpt is None or not error.excerpt[0].strip():
        return []
    line, column = error.excerpt
    number = str(error.line)
    room = max(width - len(number) - 6, 10)
    before, after = escape(line[: column - 1].replace("\t", " ")), escape(line[column - 1 :])
    # As much as fits: what stands before the place is cut to half of the room.
    while before and measure(before) > room // 2 and measure(before) + measure(after) > room:
        before = before[1:]
    while after and measure(before) + measure(after) > room:
        after = after[:-1]
    gap = " " * len(number)
    return [f"  {number} | {before}{after}", f"  {gap} | {' ' * measure(before)}^"]


def error_to_json(error: XavinitError, code: int, path: str | None = None) -> str:
    """The error, or all that it bears, as a JSON object on one line; of one of several files."""
    import json

    content = {
        "version": JSON_VERSION,
        "exit_code": code,
        "errors": describe_errors(error, code),
    }
    if path is not None:
        content["path"] = path
    return json.dumps(content)


def describe_errors(error: XavinitError, code: int) -> list[dict[str, Any]]:
    """The error, or all that it bears, as JSON objects."""
    errors = error.errors if isinstance(error, SpecError) else (error,)
    return [_describe_error(one, code) for one in errors]


def _describe_error(error: XavinitError, code: int) -> dict[str, Any]:
    content: dict[str, Any] = {
        "kind": _KINDS.get(code, "internal"),
        "message": escape(error.describe()),
        "hint": error.hint and escape(error.hint),
        "choices": [escape(choice) for choice in error.choices],
    }
    if isinstance(error, SpecError):
        content |= {
            "fact": error.fact,
            "path": list(error.path),
            "source": error.source,
            "line": error.line,
            "column": error.column,
        }
    return content
