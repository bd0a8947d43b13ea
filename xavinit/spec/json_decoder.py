"""Valid JSON text → data, by the standard library's decoder: many times faster than by events.

With a few checks of ours, the decoder is as strict as `read_json`. A text that it refuses, or that
the checks cannot decide, is read again by events, which find the fault and its place.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import re
from array import array
from typing import Any, NoReturn

from xavinit.spec.events import DEEPEST_NESTING, MOST_COLLECTIONS, build_data, parse_integer
from xavinit.spec.json_reader import read_json

_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
# A text whose escaped surrogates, if it has any, stand in pairs.
_PAIRED = re.compile(
    r"(?:[^\\]++|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|\\(?!u[dD][89a-fA-F]).)*+",
    re.DOTALL,
)
# More digits than int() takes under the strictest PYTHONINTMAXSTRDIGITS.
_LONG_INTEGER = re.compile(r"[0-9]{641}")
# A bracket is a step down or up (255 is −1 as a signed byte).
_STEPS = {ord("{"): 1, ord("["): 1, ord("}"): 255, ord("]"): 255}
_TABLE = bytes(_STEPS.get(code, 0) for code in range(256))
_OTHERS = bytes(code for code in range(256) if code not in _STEPS)


class _DoubtError(Exception):
    """The text may be valid or not; the decoder alone cannot tell."""


def load_json(text: str) -> Any:
    """The data of a JSON text: what `build_data(read_json(text))` returns or raises."""
    # ValueError: not JSON, or an integer too long. RecursionError: the caller's stack is nearly
    # full; the text alone is not deep enough.
    with contextlib.suppress(_DoubtError, ValueError, RecursionError):
        return _decode(text)
    return build_data(read_json(text))


def _decode(text: str) -> Any:
    # Checked before the decoder runs: it recurses, and with a high recursion limit a deep text
    # would crash the process.
    if text.count("[") + text.count("{") > MOST_COLLECTIONS:
        raise _DoubtError  # some may be in strings
    if _measure_depth(text) > DEEPEST_NESTING or not _PAIRED.fullmatch(text):
        raise _DoubtError
    return json.loads(
        text,
        parse_int=_parse_long_integer if _LONG_INTEGER.search(text) else None,
        parse_constant=_refuse_constant,
        object_pairs_hook=_make_mapping,
    )


def _measure_depth(text: str) -> int:
    """How deep brackets outside strings nest, also where the text is cut or does not close them."""
    brackets = _STRING.sub("", text).encode().translate(_TABLE, _OTHERS)
    return max(itertools.accumulate(array("b", brackets)), default=0)


def _parse_long_integer(digits: str) -> int:
    return parse_integer(digits, (1, 1))  # the mark is not used: events find the right one


def _refuse_constant(_: str) -> NoReturn:
    raise _DoubtError  # NaN, Infinity, -Infinity


def _make_mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        raise _DoubtError
    return mapping
