"""JSON text → events, by RFC 8259 and nothing beyond it: no NaN, comment or trailing comma."""

from __future__ import annotations

import re
from collections.abc import Iterator
from json.decoder import JSONDecodeError, scanstring  # type: ignore[attr-defined]  # not in stubs

from xavinit.errors import SpecError
from xavinit.spec.events import Event, Mark, is_encodable, parse_integer
from xavinit.wording import format_value

_JSON_SPACE = re.compile(r"[ \t\n\r]*")
_JSON_NUMBER = re.compile(r"(-?(?:0|[1-9][0-9]*))(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_JSON_WORD = re.compile(r"-?[A-Za-z]+")
_JSON_WORDS = {"true": True, "false": False, "null": None}

# What is wrong with a string, by how the standard library's message begins.
_STRING_FAULTS = {
    "Unterminated": "the string that starts here does not end",
    "Invalid control": "a control character in a string must be written as an escape",
    "Invalid \\escape": "expected an escape that JSON has, such as \\n or \\\\",
    "Invalid \\u": "expected four hexadecimal digits after \\u",
}


def read_json(text: str) -> Iterator[Event]:
    """The events of a JSON text (RFC 8259, nothing beyond it: no NaN, comment, trailing comma).

    The standard library's decoder would do, but it neither tells where a value stands nor
    survives deep nesting; its string scanner, the one intricate part, is used.
    """
    end = len(text)
    position = 0
    line, line_start = 1, 0
    counted = 0  # newlines before this offset are counted

    def mark_of(offset: int) -> Mark:
        nonlocal line, line_start, counted
        newlines = text.count("\n", counted, offset)
        if newlines:
            line += newlines
            line_start = text.rindex("\n", counted, offset) + 1
        counted = max(counted, offset)
        return line, offset - line_start + 1

    def fail(expected: str, offset: int) -> SpecError:
        got = "the end of the text" if offset >= end else format_value(text[offset])
        return SpecError(
            f"not valid JSON: expected {expected}; got {got}", mark=mark_of(min(offset, end))
        )

    closers: list[str] = []
    state = "value"  # value | first (value or close) | key | first_key | after
    while True:
        match = _JSON_SPACE.match(text, position)
        assert match is not None  # the pattern matches the empty string
        position = match.end()
        char = text[position : position + 1]
        if state == "after":
            if not closers:
                if char:
                    raise fail("nothing after the value", position)
                return
            if char == closers[-1]:
                closers.pop()
                yield Event("end", None, *mark_of(position))
            elif char == ",":
                state = "key" if closers[-1] == "}" else "value"
            else:
                raise fail(f"',' or '{closers[-1]}'", position)
            position += 1
        elif state in ("first", "first_key") and char == closers[-1]:
            closers.pop()
            yield Event("end", None, *mark_of(position))
            position += 1
            state = "after"
        elif char == '"':
            mark = mark_of(position)
            try:
                value, position = scanstring(text, position + 1, True)
            except JSONDecodeError as error:
                fact = _explain_string(error.msg)
                raise SpecError(
                    f"not valid JSON: {fact}", mark=mark_of(max(error.pos, counted))
                ) from None
            if not is_encodable(value):
                raise SpecError(
                    f"a string must not hold a lone surrogate; got {value!a}", mark=mark
                )
            yield Event("scalar", value, *mark)
            if state in ("key", "first_key"):
                match = _JSON_SPACE.match(text, position)
                assert match is not None
                position = match.end()
                if text[position : position + 1] != ":":
                    raise fail("':'", position)
                position += 1
                state = "value"
            else:
                state = "after"
        elif state in ("key", "first_key"):
            raise fail("a key in double quotes", position)
        elif char in ("{", "["):
            yield Event("map" if char == "{" else "list", None, *mark_of(position))
            closers.append("}" if char == "{" else "]")
            state = "first_key" if char == "{" else "first"
            position += 1
        elif match := _JSON_NUMBER.match(text, position):
            mark = mark_of(position)
            whole, fraction, exponent = match.groups()
            if fraction or exponent:
                yield Event("scalar", float(match.group()), *mark)
            else:
                yield Event("scalar", parse_integer(whole, mark), *mark)
            position = match.end()
            state = "after"
        elif (match := _JSON_WORD.match(text, position)) and match.group() in _JSON_WORDS:
            yield Event("scalar", _JSON_WORDS[match.group()], *mark_of(position))
            position = match.end()
            state = "after"
        else:
            got = format_value(match.group()) if match else None
            if got is not None:
                raise SpecError(
                    f"not valid JSON: expected a value; got {got}", mark=mark_of(position)
                )
            raise fail("a value", position)


def _explain_string(message: str) -> str:
    facts = (fact for start, fact in _STRING_FAULTS.items() if message.startswith(start))
    return next(facts, message)
