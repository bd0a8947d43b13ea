"""YAML text → events, by the rules of YAML 1.2 and without anchors, aliases and tags."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from xavinit.errors import SpecError
from xavinit.spec.events import Event, Mark, parse_integer

_QUOTE_HINT = 'quote a name with braces or a glob, as in "h.{n}.weight" or "*.bias"'

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


def resolve_plain(text: str, mark: Mark) -> Any:
    """The value of an unquoted YAML scalar under the core schema of YAML 1.2."""
    if text in _YAML_WORDS:
        return _YAML_WORDS[text]
    if _YAML_INTEGER.match(text):
        return parse_integer(text, mark)
    if _YAML_BASED.match(text):
        return int(text[2:], 8 if text[1] == "o" else 16)
    if _YAML_FLOAT.match(text):
        return float(text)
    if _YAML_SPECIAL.match(text):
        return float(text.replace(".", ""))
    return text


def read_yaml(text: str) -> Iterator[Event]:
    """The events of a single YAML document; anchors, aliases and tags are errors."""
    import yaml  # here, so that a JSON spec does not pay for it

    # libyaml's parser where it is built in: ten times faster, and it does not recurse either.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    documents = 0
    try:
        for event in yaml.parse(text, Loader=loader):
            start: Any = event.start_mark  # never None for a parsed text
            mark = (start.line + 1, start.column + 1)
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise SpecError("must be one document; a second one starts here", mark=mark)
            elif isinstance(event, yaml.AliasEvent):
                raise SpecError(
                    f"aliases are not allowed; got *{event.anchor}", mark=mark, hint=_QUOTE_HINT
                )
            elif isinstance(event, yaml.NodeEvent):
                yield _read_yaml_node(yaml, event, mark)
            elif isinstance(event, yaml.CollectionEndEvent):
                yield Event("end", None, *mark)
    except yaml.MarkedYAMLError as error:
        raise _explain_yaml_error(text, error) from None
    except yaml.YAMLError as error:  # the reader's: a character that YAML does not allow
        raise SpecError(f"not valid YAML: {_flatten(str(error))}") from None


def _read_yaml_node(yaml: Any, event: Any, mark: Mark) -> Event:
    if event.anchor is not None:
        raise SpecError(f"anchors are not allowed; got &{event.anchor}", mark=mark)
    if event.tag is not None:
        raise SpecError(f"tags are not allowed; got {event.tag}", mark=mark)
    if isinstance(event, yaml.MappingStartEvent):
        return Event("map", None, *mark)
    if isinstance(event, yaml.SequenceStartEvent):
        return Event("list", None, *mark)
    plain = event.implicit[0]
    return Event("scalar", resolve_plain(event.value, mark) if plain else event.value, *mark)


def _explain_yaml_error(text: str, error: Any) -> SpecError:
    place = error.problem_mark or error.context_mark
    mark = (place.line + 1, place.column + 1) if place else None
    fact = _flatten(" ".join(filter(None, (error.context, error.problem))))
    lines = text.splitlines()
    # The offending character stands on the line of one of the two marks.
    near = "".join(
        lines[m.line] for m in (error.problem_mark, error.context_mark) if m and m.line < len(lines)
    )
    hint = _QUOTE_HINT if any(char in near for char in "{}*?[") else None
    return SpecError(f"not valid YAML: {fact}", mark=mark, hint=hint)


def _flatten(text: str) -> str:
    return " ".join(text.split())
