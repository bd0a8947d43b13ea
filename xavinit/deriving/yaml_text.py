"""Plain data as YAML: on one line, quoted where it must be, the same data when it is read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from xavinit.errors import escape

WIDTH = 100  # columns
_LONGEST_KEY = 1000  # characters; YAML takes no longer key without a question mark before it

# Text that needs no quotes, in the eyes of YAML 1.1 too.
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*\Z|[0-9]+(\.[0-9]+)*\.[A-Za-z_][A-Za-z0-9_./-]*\Z")
_EXPRESSION = re.compile(r"[A-Za-z0-9_()][A-Za-z0-9_()*/+. -]*[A-Za-z0-9_()]\Z")
_LIKE_NUMBER = re.compile(r"[-+.]?[0-9][0-9_.]*([eE][-+]?[0-9]*)?\Z|0[xob][0-9A-Fa-f]+\Z", re.I)
_WORDS = frozenset(["null", "true", "false", "yes", "no", "on", "off", "y", "n", "inf", "nan"])
# JSON's escapes are YAML's too. What else YAML does not print, or takes for the end of a line.
_HIDDEN = re.compile("[\x7f-\xa0\xad\u2028\u2029\ufeff\ufdd0-\ufdef\ufffe\uffff\ud800-\udfff]")


def write_scalar(value: object) -> str:
    """A number, text, bool or null.

    >>> [write_scalar(v) for v in ("wte.weight", "no", "1e3", "h.{2}.w", 0.5, 1e-5, True)]
    ['wte.weight', '"no"', '"1e3"', '"h.{2}.w"', '0.5', '1e-05', 'true']
    """
    if not isinstance(value, str):
        return json.dumps(value)
    return value if _is_plain(value) else write_quoted(value)


def write_quoted(text: str) -> str:
    """A text in double quotes."""
    return _HIDDEN.sub(
        lambda match: f"\\u{ord(match[0]):04x}", json.dumps(text, ensure_ascii=False)
    )


def _is_plain(text: str) -> bool:
    if _LIKE_NUMBER.match(text) or text.lower() in _WORDS:
        return False
    return _PLAIN.match(text) is not None


def _is_expression(text: str) -> bool:
    """May a text stand in a list without quotes, as 3*d does? It has no `: ` and no ` #`."""
    return (
        _EXPRESSION.match(text) is not None
        and not _LIKE_NUMBER.match(text)
        and text.lower() not in _WORDS
    )


def write_flow(value: Any) -> str:
    """Data on one line.

    >>> write_flow({"shape": ["d", "3*d"], "fused": 3})
    '{shape: [d, 3*d], fused: 3}'
    """
    if isinstance(value, Mapping):
        pairs = (f"{write_scalar(key)}: {write_flow(item)}" for key, item in value.items())
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(write_flow, value))}]"
    if isinstance(value, str) and _is_expression(value):
        return value
    return write_scalar(value)


def write_pair(indent: str, key: str, value: str, note: str = "") -> Iterator[str]:
    """The lines of a key and its value: one, unless it is too long. A comment is beside."""
    note = f"  # {note}" if note else ""
    if len(key) > _LONGEST_KEY:
        yield from (f"{indent}? {key}", f"{indent}: {value}{note}")
        return
    line = f"{indent}{key}: {value}"
    if note and len(line) + len(note) > WIDTH:
        yield indent + note.strip()
        note = ""
    if len(line) <= WIDTH:
        yield line + note
    else:
        yield f"{indent}{key}:"
        yield f"{indent}  {value}{note}"


def write_comment(text: str) -> str:
    """A line of comment; what would end it is escaped."""
    return f"# {escape(text)}".rstrip()
