"""JSON text → events, by RFC 8259 and nothing beyond it: no NaN, comment or trailing comma."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from json.decoder import JSONDecodeError, scanstring  # type: ignore[attr-defined]  # not in stubs

from xavinit.errors import SpecError
from xavinit.spec.events import Event, is_encodable, parse_integer
from xavinit.wording import format_value

_SPACE = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)((?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)")
_WORD = re.compile(r"-?[A-Za-z]+")
_WORDS = {"true": True, "false": False, "null": None}

# What is wrong with a string, by how the standard library's message begins.
_STRING_FAULTS = {
    "Unterminated": "the string that starts here does not end",
    "Invalid control": "a control character in a string must be written as an escape",
    "Invalid \\escape": "expected an escape that JSON has, such as \\n or \\\\",
    "Invalid \\u": "expected four hexadecimal digits after \\u",
}


def read_json(text: str) -> Iterator[Event]:
    """The events of a JSON text.

    Unlike the standard library's decoder, it gives the place of each value and never recurses. It
    uses that decoder's string scanner, the one intricate part.
    """
    reader = _Reader(text)
    while reader.step is not None:
        event = reader.step(reader.skip_space())
        if event is not None:
            yield event


class _Reader:
    """Where a text is read, and the step that takes its next token.

    Each step gets the token's first character (empty at the end of the text), moves behind the
    token, and sets the step after it.
    """

    __slots__ = ("closers", "line", "line_start", "position", "step", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.line, self.line_start = 1, 0
        self.closers: list[str] = []  # of the open mappings and lists
        self.step: Callable[[str], Event | None] | None = self.take_value

    def skip_space(self) -> str:
        char = self.text[self.position : self.position + 1]
        if char > " ":
            return char
        start = self.position
        self.position = end = _SPACE.match(self.text, start).end()  # type: ignore[union-attr]  # matches always
        newlines = self.text.count("\n", start, end)  # there are none within a token
        if newlines:
            self.line += newlines
            self.line_start = self.text.rindex("\n", start, end) + 1
        return self.text[end : end + 1]

    def take_value(self, char: str) -> Event:
        mark = (self.line, self.position - self.line_start + 1)
        self.step = self.take_separator
        if char == '"':
            return "scalar", self.scan_string(), mark
        if char == "{":
            self.closers.append("}")
            self.step = self.take_first_key
            self.position += 1
            return "map", None, mark
        if char == "[":
            self.closers.append("]")
            self.step = self.take_first_item
            self.position += 1
            return "list", None, mark
        if match := _NUMBER.match(self.text, self.position):
            self.position = match.end()
            digits = match.group()
            return "scalar", float(digits) if match[1] else parse_integer(digits, mark), mark
        if match := _WORD.match(self.text, self.position):
            word = match.group()
            if word not in _WORDS:
                raise self.refuse("a value", format_value(word))
            self.position = match.end()
            return "scalar", _WORDS[word], mark
        raise self.refuse("a value")

    def take_first_item(self, char: str) -> Event:
        return self.close() if char == "]" else self.take_value(char)

    def take_first_key(self, char: str) -> Event:
        return self.close() if char == "}" else self.take_key(char)

    def take_key(self, char: str) -> Event:
        if char != '"':
            raise self.refuse("a key in double quotes")
        mark = (self.line, self.position - self.line_start + 1)
        self.step = self.take_colon
        return "scalar", self.scan_string(), mark

    def take_colon(self, char: str) -> None:
        if char != ":":
            raise self.refuse("':'")
        self.position += 1
        self.step = self.take_value

    def take_separator(self, char: str) -> Event | None:
        """What stands behind a value."""
        if not self.closers:
            if char:
                raise self.refuse("nothing after the value")
            self.step = None
            return None
        closer = self.closers[-1]
        if char == closer:
            return self.close()
        if char != ",":
            raise self.refuse(f"',' or '{closer}'")
        self.position += 1
        self.step = self.take_key if closer == "}" else self.take_value
        return None

    def close(self) -> Event:
        mark = (self.line, self.position - self.line_start + 1)
        self.closers.pop()
        self.position += 1
        self.step = self.take_separator
        return "end", None, mark

    def scan_string(self) -> str:
        start = self.position
        try:
            value, self.position = scanstring(self.text, start + 1, True)
        except JSONDecodeError as error:
            self.position = max(error.pos, start)
            facts = (fact for begin, fact in _STRING_FAULTS.items() if error.msg.startswith(begin))
            raise self.fail(f"not valid JSON: {next(facts, error.msg)}") from None
        if not is_encodable(value):
            self.position = start
            raise self.fail(f"a string must not hold a lone surrogate; got {value!a}")
        return str(value)

    def refuse(self, expected: str, got: str | None = None) -> SpecError:
        if got is None:
            at_end = self.position >= len(self.text)
            got = "the end of the text" if at_end else format_value(self.text[self.position])
        return self.fail(f"not valid JSON: expected {expected}; got {got}")

    def fail(self, fact: str) -> SpecError:
        return SpecError(fact, mark=(self.line, self.position - self.line_start + 1))
