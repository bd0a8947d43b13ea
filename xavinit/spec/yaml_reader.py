"""YAML text → events, by the rules of YAML 1.2 and without anchors, aliases and tags.

PyYAML parses, in C where it can, and the meaning of scalars is decided here: a library that knows
YAML 1.2, ruamel.yaml, parses it in Python alone, many times slower.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any

from xavinit.errors import SpecError
from xavinit.spec.events import (
    NO_SPACE,
    QUOTE_HINT,
    SPACE_HINT,
    Event,
    Mark,
    is_encodable,
    parse_integer,
)
from xavinit.wording import format_value

# YAML 1.2, core schema, section 10.3.2. PyYAML's own resolver follows YAML 1.1, where `no` is
# false, 010 is eight and 1e3 is a string.
_YAML_WORDS = {
    word: value
    for words, value in (
        (("", "~", "null", "Null", "NULL"), None),
        (("true", "True", "TRUE"), True),
        (("false", "False", "FALSE"), False),
    )
    for word in words
}
_YAML_INTEGER = re.compile(r"[-+]?[0-9]+\Z")
_YAML_BASED = re.compile(r"0o[0-7]+\Z|0x[0-9a-fA-F]+\Z")
_YAML_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_YAML_SPECIAL = re.compile(r"[-+]?\.(inf|Inf|INF)\Z|\.(nan|NaN|NAN)\Z")
# What ends a line for the parser, and so in its marks.
LINE_BREAK = r"\r\n|[\r\n\x85\u2028\u2029]"


# The first characters of texts that may be more than strings; most texts begin otherwise.
_YAML_STARTS = frozenset(["", *"~nNtTfF+-.0123456789"])


def resolve_plain(text: str, mark: Mark) -> Any:
    """The value of an unquoted YAML scalar under the core schema of YAML 1.2."""
    if text[:1] not in _YAML_STARTS:
        return text
    if _YAML_INTEGER.match(text):
        return parse_integer(text, mark)
    if text in _YAML_WORDS:
        return _YAML_WORDS[text]
    if _YAML_BASED.match(text):
        return parse_integer(text, mark, 8 if text[1] == "o" else 16)
    if _YAML_FLOAT.match(text):
        return float(text)
    if _YAML_SPECIAL.match(text):
        return float(text.replace(".", ""))
    return text


def read_yaml(text: str) -> Iterator[Event]:
    """The events of a single YAML document; anchors, aliases and tags are errors."""
    import yaml  # here, so that a JSON spec does not pay for it

    # Bound once, since a spec of some MiB has millions of events.
    scalar, map_start, list_start = (
        yaml.ScalarEvent,
        yaml.MappingStartEvent,
        yaml.SequenceStartEvent,
    )
    ends = (yaml.MappingEndEvent, yaml.SequenceEndEvent)
    documents = 0
    try:
        for event in _parse_yaml(yaml, text):
            kind = type(event)
            start = event.start_mark
            mark = (start.line + 1, start.column + 1)
            if kind is scalar:
                if event.anchor is not None or event.tag is not None:
                    raise _refuse_property(event, mark)
                yield "scalar", _read_scalar(event, mark), mark
            elif kind is map_start or kind is list_start:
                if event.anchor is not None or event.tag is not None:
                    raise _refuse_property(event, mark)
                yield "map" if kind is map_start else "list", None, mark
            elif kind in ends:
                yield "end", None, mark
            elif kind is yaml.AliasEvent:
                raise SpecError(
                    f"aliases are not allowed; got *{event.anchor}", mark=mark, hint=QUOTE_HINT
                )
            elif kind is yaml.DocumentStartEvent:
                documents += 1
                if documents > 1:
                    raise SpecError("must be one document; a second one starts here", mark=mark)
    except yaml.MarkedYAMLError as error:
        raise _explain_yaml_error(text, error) from None
    except yaml.reader.ReaderError as error:
        raise _explain_character(text, error.character) from None


def _read_scalar(event: Any, mark: Mark) -> Any:
    if event.implicit[0]:  # unquoted
        return resolve_plain(event.value, mark)
    if not is_encodable(event.value):  # libyaml refuses the escape itself
        raise SpecError(f"a string must not hold a lone surrogate; got {event.value!a}", mark=mark)
    return event.value


def _refuse_property(event: Any, mark: Mark) -> SpecError:
    if event.anchor is not None:
        return SpecError(f"anchors are not allowed; got &{event.anchor}", mark=mark)
    tag = event.tag.replace("tag:yaml.org,2002:", "!!")
    return SpecError(f"tags are not allowed; got {tag}", mark=mark, hint=QUOTE_HINT)


def _parse_yaml(yaml: Any, text: str) -> Iterator[Any]:
    """PyYAML's own events."""
    # libyaml's parser where it is built in: ten times faster, and it does not recurse either.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    told = 0
    try:
        for event in iter(loader(text).get_event, None):
            yield event
            told += 1
    except yaml.MarkedYAMLError as error:
        if "nesting depth" not in str(error.problem):
            raise
        # Newer versions of libyaml look ahead and refuse a depth of 1000 before they give any event
        # of it. The other parser goes on from here, until our own limit is met at its place.
        yield from itertools.islice(yaml.parse(text, Loader=yaml.SafeLoader), told, None)


def _explain_yaml_error(text: str, error: Any) -> SpecError:
    place = error.problem_mark or error.context_mark
    fact = " ".join(filter(None, (error.problem, error.context)))
    if error.context_mark and error.context_mark.line < place.line:
        fact += f" from line {error.context_mark.line + 1}"
    lines = re.split(LINE_BREAK, text)
    mark = (place.line + 1, place.column + 1)
    if mark[0] > len(lines):  # the end of a text whose last line has no end
        mark = (len(lines), len(lines[-1]) + 1)
    # A key without a space is only missed on the line after it.
    near = [line.strip() for line in lines[max(mark[0] - 2, 0) : mark[0]]]
    hint = _suggest_quotes(lines[mark[0] - 1], mark[1])
    lacks_space = any(re.match(NO_SPACE, line) for line in near)
    if hint is None and ("unexpected ':'" in fact or lacks_space):
        hint = SPACE_HINT
    return SpecError(f"not valid YAML: {fact}", mark=mark, hint=hint)


def _suggest_quotes(line: str, column: int) -> str | None:
    """The hint about quotes, if the fault is at or after a character that needs them in a name."""
    at, before = line[column - 1 : column], line[: column - 1][-1:]
    if at == "\t":
        return "indent with spaces: YAML allows no tabs there"
    return QUOTE_HINT if at in set("*?@`{[") or before in set("*?}]") else None


def _explain_character(text: str, code: int) -> SpecError:
    """The error for a character that YAML allows nowhere; so its first occurrence is the place."""
    before = text[: text.index(chr(code))]
    mark = (before.count("\n") + 1, len(before) - before.rfind("\n"))
    return SpecError(f"not valid YAML: must not hold {format_value(chr(code))}", mark=mark)
