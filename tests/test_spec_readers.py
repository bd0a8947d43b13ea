"""Spec text → data: the rules of YAML 1.2 and strict JSON, and where every value stands."""

from __future__ import annotations

import io
import json
import math
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from xavinit import inputs
from xavinit.errors import InputError, Path, SpecError, UsageError
from xavinit.spec import events, json_decoder
from xavinit.spec.document import (
    LARGEST_SPEC,
    LARGEST_YAML,
    Document,
    copy_plain,
    load_document,
    parse_document,
)
from xavinit.spec.events import DEEPEST_NESTING, MOST_DIGITS, Event, Mark, build_data, find_marks
from xavinit.spec.json_decoder import load_json
from xavinit.spec.json_reader import read_json
from xavinit.spec.yaml_reader import read_yaml, resolve_plain
from xavinit.verbs.prepare import make_plan

READERS = {"json": read_json, "yaml": read_yaml}


def parse(text: str | bytes, name: str) -> Any:
    content = text.encode() if isinstance(text, str) else text
    return parse_document(content, name).data


def fail(text: str | bytes, name: str) -> SpecError:
    with pytest.raises(SpecError) as caught:
        parse(text, name)
    return caught.value


# --- YAML 1.2, core schema -----------------------------------------------------------------

PLAIN: list[tuple[str, Any]] = [
    ("1e3", 1000.0),
    ("1E+3", 1000.0),
    ("-1.5e-3", -0.0015),
    (".5", 0.5),
    ("-.5", -0.5),
    ("1.", 1.0),
    ("010", 10),
    ("+5", 5),
    ("-5", -5),
    ("-0", 0),
    ("0o17", 15),
    ("0x1F", 31),
    (".inf", math.inf),
    ("-.INF", -math.inf),
    ("+.Inf", math.inf),
    ("true", True),
    ("True", True),
    ("FALSE", False),
    ("", None),
    ("~", None),
    ("null", None),
    ("Null", None),
    ("NULL", None),
    # Not in the core schema, so strings; most are something else in YAML 1.1.
    ("no", "no"),
    ("yes", "yes"),
    ("on", "on"),
    ("Off", "Off"),
    ("y", "y"),
    ("nULL", "nULL"),
    ("tRUE", "tRUE"),
    ("1_000", "1_000"),
    ("0b11", "0b11"),
    ("0O17", "0O17"),
    ("0o18", "0o18"),
    ("-0x1F", "-0x1F"),
    ("0xfg", "0xfg"),
    ("2001-01-01", "2001-01-01"),
    ("12:30:45", "12:30:45"),
    ("1e", "1e"),
    ("e3", "e3"),
    (".", "."),
    ("+.nan", "+.nan"),
    ("inf", "inf"),
    ("nan", "nan"),
    ("=", "="),
    ("<<", "<<"),
    ("٣", "٣"),  # a digit, but not an ASCII one
]


@pytest.mark.parametrize(("text", "value"), PLAIN)
def test_unquoted_yaml_scalars_follow_the_core_schema(text: str, value: Any) -> None:
    got = parse(f"key: {text}\n", "spec.yaml")["key"]
    assert (got, type(got)) == (value, type(value))


@pytest.mark.parametrize("text", [".nan", ".NaN", ".NAN"])
def test_yaml_nan(text: str) -> None:
    assert math.isnan(parse(f"key: {text}\n", "spec.yaml")["key"])


@pytest.mark.parametrize("text", ['"1e3"', "'null'", '"true"', '""', "'~'", "|-\n  010\n"])
def test_quoted_and_block_yaml_scalars_are_strings(text: str) -> None:
    assert isinstance(parse(f"key: {text}\n", "spec.yaml")["key"], str)


def test_a_huge_exponent_is_infinite_and_not_taken_for_a_finite_number() -> None:
    assert parse("key: 1e999\n", "spec.yaml")["key"] == math.inf
    assert parse('{"key": -1e999}', "spec.json")["key"] == -math.inf


# --- The same data from either syntax --------------------------------------------------------

# Characters that a YAML escape can give: libyaml refuses JSON's pairs of surrogates.
TEXT = st.text(st.characters(exclude_categories=["Cs"], max_codepoint=0xFFFF), max_size=8)
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


def make_data(text: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    scalars = (
        st.none() | st.booleans() | st.integers() | text | st.floats(allow_nan=False, width=64)
    )
    return st.recursive(
        scalars.filter(lambda value: value not in (math.inf, -math.inf)),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
        max_leaves=12,
    )


def is_same(left: Any, right: Any) -> bool:
    """Equal with types, order of keys and signs of zeros."""
    return json.dumps(left) == json.dumps(right)


@given(data=make_data(ANY_TEXT), ascii_only=st.booleans(), indent=st.none() | st.integers(0, 3))
def test_json_reader_inverts_the_standard_librarys_writer(
    data: Any, ascii_only: bool, indent: int | None
) -> None:
    text = json.dumps(data, ensure_ascii=ascii_only, indent=indent)
    assert is_same(build_data(read_json(text)), data)


@given(data=make_data(TEXT), indent=st.none() | st.integers(0, 3))
def test_json_text_read_as_yaml_gives_the_same_data(data: Any, indent: int | None) -> None:
    text = json.dumps(data, indent=indent)
    assert is_same(build_data(read_yaml(text)), data)


class Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


# PyYAML writes by YAML 1.1 and leaves 1e3 or 0o17 without quotes, strings to it.
WRITABLE = ANY_TEXT.filter(lambda text: resolve_plain(text, (1, 1)) is text)


@given(data=make_data(WRITABLE), flow=st.sampled_from([None, False, True]))
def test_yaml_reader_inverts_pyyamls_writer(data: Any, flow: bool | None) -> None:
    text = yaml.dump(data, Dumper=Dumper, default_flow_style=flow, sort_keys=False)
    assert is_same(build_data(read_yaml(text)), data)


def test_yaml_is_the_same_without_libyaml(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "dims: {d: 0o17}\ntensors:\n  'é': [d, 3]\n  b:\n  - 1e3\n  - |\n    block\n"
    events = list(read_yaml(text))
    monkeypatch.delattr(yaml, "CSafeLoader")
    assert list(read_yaml(text)) == events
    assert fail("a: " + "[" * 40_000, "spec.yaml").fact == "must be nested at most 64 deep"
    assert fail('a: "\\ud800"', "spec.yaml").fact == (
        "a string must not hold a lone surrogate; got '\\ud800'"
    )


def test_json_strings() -> None:
    text = r'{"\ud83d\ude00": "\u00e9\n\t\"\\\/\b\f\r", "😀": "é"}'.replace("😀", "x")
    assert parse(text, "spec.json") == {"😀": 'é\n\t"\\/\b\f\r', "x": "é"}


@pytest.mark.parametrize("name", ["spec.json", "spec.yaml", "spec"])
def test_a_byte_order_mark_is_accepted_and_no_column_wide(name: str) -> None:
    content = b'\xef\xbb\xbf{"tensors": {"w": [3, 4]}}'
    document = parse_document(content, name)
    assert document.data == {"tensors": {"w": [3, 4]}}
    error = document.locate(SpecError("fact", ("tensors", "w")))
    assert str(error) == f'{name}:1:19: tensors["w"]: fact'


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("spec.json", "[1]", [1]),
        ("spec.JSON", "[1]", [1]),
        ("spec.yaml", "{a: 1}", {"a": 1}),
        ("spec.yml", "{a: 1}", {"a": 1}),
        ("spec", "a: 1", {"a": 1}),
        ("spec.txt", '\n {"a": 1}', {"a": 1}),
        ("<stdin>", '{"a": 1}', {"a": 1}),
    ],
)
def test_the_suffix_or_the_first_character_tells_the_syntax(
    name: str, text: str, value: Any
) -> None:
    assert parse(text, name) == value


def test_json_by_its_first_character_is_strict() -> None:
    assert fail("{a: 1}", "spec").fact.startswith("not valid JSON: expected a key in double quotes")


# --- JSON by the standard library's decoder --------------------------------------------------


def describe(load: Any, text: str) -> tuple[Any, ...]:
    """All that can be seen of what a text gives: data with types and order, or an error."""
    try:
        return ("data", repr(load(text)))
    except SpecError as error:
        return ("error", error.fact, error.path, error.hint, error.line, error.column)


def check_same(text: str) -> None:
    expected = describe(lambda text: build_data(read_json(text)), text)
    assert describe(load_json, text) == expected


# What a careless decoder takes, loses or dies of.
FRAGMENTS = [
    *'{}[]:,"\\ \n\t\r\f\0+-.01eE/',
    *("NaN", "Infinity", "-Infinity", "true", "nul", "1e999", "-0", "-0.0", "01", "1.", "2e5"),
    *("\\u", "\\ud83d", "\\ude00", "\\\\", '\\"', "\u00a0", "\ufeff", "٣", "😀", '"a":1,', '{"a":'),
    *("1" * 640, "1" * 1000, "1" * 1001, "[" * 63, "]" * 63, "//", "#", "'"),
]


@given(
    data=make_data(st.sampled_from(["", "a", "b", "{n}", "[", "\\", '"', "😀"]) | ANY_TEXT),
    ascii_only=st.booleans(),
    edits=st.lists(
        st.tuples(st.integers(0), st.integers(0, 3), st.sampled_from(FRAGMENTS)), max_size=3
    ),
)
def test_the_decoder_gives_what_events_give(
    data: Any, ascii_only: bool, edits: list[tuple[int, int, str]]
) -> None:
    text = json.dumps(data, ensure_ascii=ascii_only)
    for place, cut, fragment in edits:
        at = place % (len(text) + 1)
        text = text[:at] + fragment + text[at + cut :]
    check_same(text)


@given(text=st.lists(st.sampled_from(FRAGMENTS), max_size=12).map("".join))
def test_the_decoder_gives_what_events_give_of_any_text(text: str) -> None:
    check_same(text)


@pytest.mark.parametrize(
    "string",
    [
        r"\ud83d\ude00",
        r"\ud83d",
        r"\ude00",
        r"\ude00\ud83d",
        r"\ud83d\ud83d\ude00",
        r"\\ud83d",
        r"\\ud83d\ude00",
        r"\\\ud83d\ude00",
        r"\uD83D\uDE00\uDBFF",
        r"\ud83dx\ude00",
    ],
)
def test_escaped_surrogates_are_paired_as_events_pair_them(string: str) -> None:
    check_same(f'["{string}"]')
    check_same(f'{{"{string}": 1}}')


JSON_SAMPLE = r'{"b": [1, -0, 2.5e3, 1e999, true, null], "a": {"h.{n}[": "\ud83d\ude00 \\"}}'


@pytest.mark.parametrize(
    "text",
    [
        JSON_SAMPLE,
        "[" * 64 + "]" * 64,
        '{"a": [' + "9" * 1000 + "]}",
    ],
)
def test_valid_json_is_not_read_by_events(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = build_data(read_json(text))
    monkeypatch.delattr(json_decoder, "read_json")
    assert repr(load_json(text)) == repr(expected)


def test_json_is_read_on_a_stack_that_is_nearly_full(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail_deep(*_: Any, **__: Any) -> None:
        raise RecursionError

    monkeypatch.setattr(json, "loads", fail_deep)
    assert load_json(JSON_SAMPLE) == build_data(read_json(JSON_SAMPLE))


def test_deep_json_never_reaches_a_decoder_that_recurses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(json, "loads")
    for text in ("[" * 100_000, '{"]": [' * 40_000, '["]",' * 70 + "0" + ',"["]' * 70):
        with pytest.raises(SpecError, match="at most 64 deep"):
            load_json(text)


@pytest.mark.parametrize("name", ["spec.json", "spec.yaml"])
def test_long_integers_are_the_same_under_a_strict_limit_of_digits(name: str) -> None:
    texts = [f"[{sign}{'8' * digits}]" for sign in ("", "-") for digits in (640, 641, 999)]
    expected = [parse(text, name) for text in texts]
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(640)
    try:
        got = [parse(text, name) for text in texts]
        assert fail(f"[{'1' * (MOST_DIGITS + 1)}]", name).fact == (
            "must be an integer of at most 1000 digits; got 1001"
        )
    finally:
        sys.set_int_max_str_digits(before)
    assert got == expected


# --- Where things stand ----------------------------------------------------------------------

YAML_TEXT = """\
# a comment
seed: 42
"dims": {d: 3, '日本😀': 4}
tensors:
  w:
    shape: [d,
            3*d]
    init: {type: normal,  std: 0.02}
  "a.{2}":
  - 1
  -   - x
"""
YAML_PLACES: list[tuple[Path, bool, tuple[int, int]]] = [
    ((), False, (2, 1)),
    (("seed",), False, (2, 7)),
    (("seed",), True, (2, 1)),
    (("dims",), True, (3, 1)),
    (("dims",), False, (3, 9)),
    (("dims", "日本😀"), True, (3, 16)),
    (("dims", "日本😀"), False, (3, 23)),
    (("tensors", "w"), True, (5, 3)),
    (("tensors", "w"), False, (6, 5)),
    (("tensors", "w", "shape", 1), False, (7, 13)),
    (("tensors", "w", "init", "std"), True, (8, 27)),
    (("tensors", "w", "init", "std"), False, (8, 32)),
    (("tensors", "a.{2}", 1), False, (11, 7)),
    (("tensors", "a.{2}", 1, 0), False, (11, 9)),
    # Where there is nothing, the nearest parent.
    (("tensors", "w", "init", "gain"), False, (8, 11)),
    (("tensors", "w", "init", "gain"), True, (8, 11)),
    (("tensors", "w", "shape", 7), False, (6, 12)),
    (("rules", 0), False, (2, 1)),
]
JSON_TEXT = """\
{"seed": 42,
 "dims": {"d": 3, "日本😀": 4},
 "tensors": {
   "w" : {"shape": [ "d",
      [ ] ]}
 }
}
"""
JSON_PLACES: list[tuple[Path, bool, tuple[int, int]]] = [
    ((), False, (1, 1)),
    (("seed",), True, (1, 2)),
    (("seed",), False, (1, 10)),
    (("dims", "日本😀"), True, (2, 19)),
    (("dims", "日本😀"), False, (2, 26)),
    (("tensors", "w"), False, (4, 10)),
    (("tensors", "w", "shape", 0), False, (4, 22)),
    (("tensors", "w", "shape", 1), False, (5, 7)),
    (("tensors", "w", "init"), False, (4, 10)),
]


@pytest.mark.parametrize(
    ("reader", "text", "place"),
    [("yaml", YAML_TEXT, place) for place in YAML_PLACES]
    + [("json", JSON_TEXT, place) for place in JSON_PLACES],
)
def test_places(reader: str, text: str, place: tuple[Path, bool, tuple[int, int]]) -> None:
    path, at_key, mark = place
    assert find_mark(READERS[reader](text), path, at_key) == mark


def test_places_with_windows_line_ends() -> None:
    for reader, text in (("yaml", YAML_TEXT), ("json", JSON_TEXT)):
        events = READERS[reader](text.replace("\n", "\r\n"))
        assert find_mark(events, ("tensors", "w"), True)[0] == (5 if reader == "yaml" else 4)


def find_mark(events: Iterator[Event], path: Path, at_key: bool) -> Mark | None:
    (mark,) = find_marks(events, [(path, at_key)])
    return mark


def walk(data: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    yield path, data
    items = (
        data.items()
        if isinstance(data, dict)
        else enumerate(data)
        if isinstance(data, list)
        else ()
    )
    for step, item in items:
        yield from walk(item, (*path, step))


@given(data=make_data(TEXT), indent=st.none() | st.integers(0, 3))
def test_every_mark_is_where_the_text_stands(data: Any, indent: int | None) -> None:
    text = json.dumps(data, indent=indent)
    lines = text.split("\n")
    for path, value in walk(data):
        begins = {dict: "{", list: "["}.get(type(value)) or json.dumps(value)
        for reader in READERS.values():
            line, column = find_mark(reader(text), path, False) or (0, 0)
            assert lines[line - 1][column - 1 :].startswith(begins)
            if path and isinstance(path[-1], str):
                line, column = find_mark(reader(text), path, True) or (0, 0)
                assert lines[line - 1][column - 1 :].startswith(json.dumps(path[-1]))


@given(data=make_data(TEXT), more=st.lists(st.lists(st.text(max_size=2) | st.integers(0, 3))))
def test_many_places_are_found_in_one_pass_as_one_by_one(data: Any, more: list[list[Any]]) -> None:
    text = json.dumps(data, indent=1)
    paths = [path for path, _ in walk(data)] + [tuple(path) for path in more]
    requests = [(path, at_key) for path in paths for at_key in (False, True)]
    for reader in READERS.values():
        one_by_one = [find_mark(reader(text), *request) for request in requests]
        assert find_marks(reader(text), requests) == one_by_one


def test_a_place_is_looked_for_no_further_than_it_stands() -> None:
    events = read_json('{"a": 1, "b": !')
    assert find_marks(events, [(("a",), False), (("a",), True)]) == [(1, 7), (1, 2)]


@pytest.mark.parametrize("suffix", READERS)
def test_two_thousand_warnings_read_the_text_once(
    suffix: str, tmp_path: FilePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = ",\n".join(f'{{"match": "absent.{n}", "init": "zeros"}}' for n in range(2000))
    path = tmp_path / f"spec.{suffix}"
    path.write_text(f'{{"tensors": {{"w": [3, 4]}}, "rules": [\n{rules}\n]}}')
    readings = []

    def count(text: str) -> Any:
        readings.append(text)
        return READERS[suffix](text)

    monkeypatch.setattr(f"xavinit.spec.{suffix}_reader.read_{suffix}", count)
    warnings = make_plan(path).warnings
    assert [warning.line for warning in warnings] == list(range(2, 2002))
    # YAML's data is made from events too.
    assert len(readings) == {"json": 1, "yaml": 2}[suffix]


def test_an_error_with_a_place_keeps_it() -> None:
    document = parse_document(b"a: 1\nb: 2\n", "s.yaml")
    errors = [SpecError("x", mark=(7, 8)), SpecError("y", ("b",), at_key=True)]
    document.locate_all(errors)
    assert [str(error) for error in errors] == ["s.yaml:7:8: x", "s.yaml:2:1: b: y"]


# --- What is refused -------------------------------------------------------------------------

QUOTES = 'quote a name with special characters, as in "h.{n}.weight" or "*.bias"'
DEEP = "must be nested at most 64 deep"

REFUSED: dict[str, tuple[str, str | bytes, str, str | None]] = {
    # id: (file, content, the message behind the file's name, hint)
    "empty": ("s.yaml", "", ":1:1: must be a mapping; got an empty text", None),
    "only comments": ("s.yaml", "# a\n# b\n", ":1:1: must be a mapping; got an empty text", None),
    "empty json": (
        "s.json",
        "",
        ":1:1: not valid JSON: expected a value; got the end of the text",
        None,
    ),
    "blank json": (
        "s.json",
        " \n ",
        ":2:2: not valid JSON: expected a value; got the end of the text",
        None,
    ),
    "utf-16": (
        "s.yaml",
        "seed: 1".encode("utf-16"),
        ": must be UTF-8; this looks like UTF-16",
        "save it as UTF-8",
    ),
    "utf-16 without a mark": (
        "s.json",
        "{}".encode("utf-16-le"),
        ": must be UTF-8; this looks like UTF-16",
        "save it as UTF-8",
    ),
    "utf-16 big-endian without a mark": (
        "s.json",
        "{}".encode("utf-16-be"),
        ": must be UTF-8; this looks like UTF-16",
        "save it as UTF-8",
    ),
    "latin-1": (
        "s.yaml",
        "a: 1\né: ä".encode() + b"\xff\n",
        ":2:5: must be UTF-8; got the byte 0xff",
        None,
    ),
    "a byte order mark and a bad byte": (
        "s.yaml",
        b"\xef\xbb\xbfa: \xe9",
        ":1:4: must be UTF-8; got the byte 0xe9",
        None,
    ),
    "a cut character": ("s.yaml", b"a: \xe2\x82", ":1:4: must be UTF-8; got the byte 0xe2", None),
    "nul": ("s.yaml", "a: 1\nbc: é\0\n", ':2:6: not valid YAML: must not hold "\\u0000"', None),
    "control": ("s.yaml", "a: 1\n\x07\n", ':2:1: not valid YAML: must not hold "\\u0007"', None),
    "anchor": ("s.yaml", "a: &x 1\n", ":1:4: anchors are not allowed; got &x", None),
    "alias": ("s.yaml", "a: *x\n", ":1:4: aliases are not allowed; got *x", QUOTES),
    "tag": ("s.yaml", "a: !!str 1\n", ":1:4: tags are not allowed; got !!str", QUOTES),
    "own tag": ("s.yaml", "a: !x {}\n", ":1:4: tags are not allowed; got !x", QUOTES),
    "object tag": (
        "s.yaml",
        "a: !!python/object/apply:os.system [ls]\n",
        ":1:4: tags are not allowed; got !!python/object/apply:os.system",
        QUOTES,
    ),
    "two documents": (
        "s.yaml",
        "a: 1\n---\nb: 2\n",
        ":2:1: must be one document; a second one starts here",
        None,
    ),
    "integer key": ("s.yaml", "a:\n  1: 2\n", ":2:3: a: a key must be a string; got 1", "quote it"),
    "null key": ("s.yaml", "~: 2\n", ":1:1: a key must be a string; got null", "quote it"),
    "boolean key": ("s.yaml", "true: 2\n", ":1:1: a key must be a string; got true", "quote it"),
    "list key": ("s.yaml", "[a]: 2\n", ":1:1: a key must be a string; got a list", QUOTES),
    "mapping key": ("s.yaml", "{a}: 2\n", ":1:1: a key must be a string; got a mapping", QUOTES),
    "duplicate": (
        "s.yaml",
        "t:\n  a: 1\n  b: 2\n  'a': 3\n",
        ':4:3: t: a key must appear once; got "a" again, first on line 2',
        None,
    ),
    "duplicate at the top": (
        "s.yaml",
        "a: 1\na: 1\n",
        ':2:1: a key must appear once; got "a" again, first on line 1',
        None,
    ),
    "duplicate json": (
        "s.json",
        '{"t": [{"a": 1,\n "\\u0061": 2}]}',
        ':2:2: t[0]: a key must appear once; got "a" again, first on line 1',
        None,
    ),
    "long integer": (
        "s.yaml",
        "a: " + "1" * 5000,
        ":1:4: must be an integer of at most 1000 digits; got 5000",
        None,
    ),
    "long hexadecimal": (
        "s.yaml",
        "a: 0x" + "f" * 5000,
        ":1:4: must be an integer of at most 1000 digits; got 5002",
        None,
    ),
    "long integer json": (
        "s.json",
        '{"a": ' + "1" * 5000 + "}",
        ":1:7: must be an integer of at most 1000 digits; got 5000",
        None,
    ),
    "surrogate": (
        "s.json",
        '{"a": "\\ud800"}',
        ":1:7: a string must not hold a lone surrogate; got '\\ud800'",
        None,
    ),
    "surrogate key": (
        "s.json",
        '{"\\udc00": 1}',
        ":1:2: a string must not hold a lone surrogate; got '\\udc00'",
        None,
    ),
    "NaN": ("s.json", '{"a": NaN}', ':1:7: not valid JSON: expected a value; got "NaN"', None),
    "Infinity": (
        "s.json",
        '{"a": -Infinity}',
        ':1:7: not valid JSON: expected a value; got "-Infinity"',
        None,
    ),
    "True": ("s.json", '{"a": True}', ':1:7: not valid JSON: expected a value; got "True"', None),
    "leading point": (
        "s.json",
        '{"a": .5}',
        ':1:7: not valid JSON: expected a value; got "."',
        None,
    ),
    "leading plus": (
        "s.json",
        '{"a": +5}',
        ':1:7: not valid JSON: expected a value; got "+"',
        None,
    ),
    "lone minus": ("s.json", '{"a": -}', ':1:7: not valid JSON: expected a value; got "-"', None),
    "leading zero": (
        "s.json",
        '{"a": 01}',
        ":1:8: not valid JSON: expected ',' or '}'; got \"1\"",
        None,
    ),
    "no-break space": (
        "s.json",
        '{"a":\xa01}',
        ':1:6: not valid JSON: expected a value; got "\\xa0"',
        None,
    ),
    "trailing comma": (
        "s.json",
        '{"a": [1,\n]}',
        ':2:1: not valid JSON: expected a value; got "]"',
        None,
    ),
    "trailing comma in a mapping": (
        "s.json",
        '{"a": 1,}',
        ':1:9: not valid JSON: expected a key in double quotes; got "}"',
        None,
    ),
    "comment": (
        "s.json",
        '{\n  // no\n  "a": 1}',
        ':2:3: not valid JSON: expected a key in double quotes; got "/"',
        None,
    ),
    "single quotes": (
        "s.json",
        "{'a': 1}",
        ':1:2: not valid JSON: expected a key in double quotes; got "\'"',
        None,
    ),
    "no colon": ("s.json", '{"a" 1}', ":1:6: not valid JSON: expected ':'; got \"1\"", None),
    "no comma": (
        "s.json",
        '{"a": [1 2]}',
        ":1:10: not valid JSON: expected ',' or ']'; got \"2\"",
        None,
    ),
    "crossed": (
        "s.json",
        '{"a": [1}]',
        ":1:9: not valid JSON: expected ',' or ']'; got \"}\"",
        None,
    ),
    "open list": (
        "s.json",
        '{"a": [1',
        ":1:9: not valid JSON: expected ',' or ']'; got the end of the text",
        None,
    ),
    "open string": (
        "s.json",
        '{\n"a": "bc',
        ":2:6: not valid JSON: the string that starts here does not end",
        None,
    ),
    "newline in a string": (
        "s.json",
        '{"a": "b\nc"}',
        ":1:9: not valid JSON: a control character in a string must be written as an escape",
        None,
    ),
    "escape": (
        "s.json",
        '{"a": "b\\q"}',
        ":1:9: not valid JSON: expected an escape that JSON has, such as \\n or \\\\",
        None,
    ),
    "short escape": (
        "s.json",
        '{"a": "\\u12"}',
        ":1:9: not valid JSON: expected four hexadecimal digits after \\u",
        None,
    ),
    "garbage behind": (
        "s.json",
        '{"a": 1}\n x',
        ':2:2: not valid JSON: expected nothing after the value; got "x"',
        None,
    ),
    "list, deep": ("s.json", "[" * 40_000, f":1:65: [0][0][0][0]: {DEEP}", None),
    "mapping, deep": ("s.json", '{"a":' * 40_000, f":1:321: a.a.a.a: {DEEP}", None),
    "yaml list, deep": ("s.yaml", "[" * 40_000, f":1:65: [0][0][0][0]: {DEEP}", None),
    "yaml mapping, deep": ("s.yaml", "{a: " * 40_000, f":1:257: a.a.a.a: {DEEP}", None),
    "yaml block list, deep": ("s.yaml", "- " * 40_000, f":1:129: [0][0][0][0]: {DEEP}", None),
    "yaml block mapping, deep": (
        "s.yaml",
        "".join(" " * depth + "a:\n" for depth in range(1000)),
        f":65:65: a.a.a.a: {DEEP}",
        None,
    ),
}


@pytest.mark.parametrize("row", REFUSED.values(), ids=REFUSED.keys())
def test_refused_texts(row: tuple[str, str | bytes, str, str | None]) -> None:
    name, content, message, hint = row
    error = fail(content, name)
    assert str(error) == name + message + (f"\n  hint: {hint}" if hint else "")


# libyaml's words, and PyYAML's own where it was built without: only the place and the hint.
@pytest.mark.parametrize(
    ("text", "mark", "hint"),
    [
        ("rules:\n- {match: *.bias, init: zeros}\n", (2, 12), QUOTES),
        ("rules:\n- match: *.bias\n", (2, 11), QUOTES),
        ("rules:\n- {match: {a,b}.w}\n", (2, 16), QUOTES),
        ("rules:\n- {match: [ab].w}\n", (2, 15), QUOTES),
        ("rules:\n- {match: ?.w}\n", (2, 11), QUOTES),
        ("tensors:\n  *.w: [3]\n", (2, 4), QUOTES),
        ("tensors: {h.{n}.w: [3]}\n", (1, 13), QUOTES),
        ("tensors:\n  @w: [3]\n", (2, 3), QUOTES),
        ("tensors:\n\tw: [3]\n", (2, 1), "indent with spaces: YAML allows no tabs there"),
        ("a: 1\rb: 2\x85c: {d.{n}: 1}\r\n", (3, 7), QUOTES),
        # Nothing to do with quotes.
        ("tensors:\n  w: [3, 4\n", (3, 1), None),
        ("tensors:\n  w: [3, 4", (2, 11), None),
        ('tensors:\n  "w: [3, 4]\n', (3, 1), None),
        ("tensors:\n  w: [3]\n v: [3]\n", (3, 2), None),
        ("tensors:\n  w: [3\n  v: [3]\n", (3, 4), None),
        ('tensors:\n  "a\\q": [3]\n', (2, 5), None),
        ("%FOO\n---\na: 1\n", (1, 5), None),
    ],
)
def test_yaml_syntax_errors(text: str, mark: tuple[int, int], hint: str | None) -> None:
    error = fail(text, "spec.yaml")
    assert error.fact.startswith("not valid YAML: ")
    assert ((error.line, error.column), error.hint) == (mark, hint)


@pytest.mark.parametrize("name", ["{n}.w", "[x].y", "{1..2}.{a,b}"])
def test_an_unquoted_name_that_starts_with_a_bracket_hints_at_quotes(name: str) -> None:
    error = fail(f"tensors:\n  {name}: [3]\n", "spec.yaml")
    assert ((error.line, error.column), error.hint) == ((2, 3), QUOTES)


@pytest.mark.parametrize("reader", READERS)
def test_nesting_ends_at_64(reader: str) -> None:
    assert DEEPEST_NESTING == 64
    assert build_data(READERS[reader]("[" * 64 + "]" * 64)) is not None
    with pytest.raises(SpecError, match="at most 64"):
        build_data(READERS[reader]("[" * 65 + "]" * 65))


@pytest.mark.parametrize(
    ("name", "start", "largest"),
    [
        ("spec.json", b"{}", LARGEST_SPEC),
        ("<stdin>", b"{}", LARGEST_SPEC),
        ("spec.yaml", b"{}", LARGEST_YAML),
        ("<stdin>", b"a: 1", LARGEST_YAML),
    ],
)
def test_a_text_has_a_largest_size(name: str, start: bytes, largest: int) -> None:
    assert parse(start.ljust(largest), name) is not None
    for size in {largest + 1, LARGEST_SPEC + 1}:
        error = fail(start.ljust(size), name)
        assert str(error) == (
            f"{name}: a spec must be at most 16 MiB of JSON or 4 MiB of YAML; this one is larger"
        )


# --- Files and data --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("absent.yaml", "cannot read absent.yaml: No such file or directory"),
        (".", "cannot read .: Is a directory"),
        ("a\0b", r"cannot read a\x00b: embedded null byte"),
    ],
)
def test_unreadable_files(
    path: str, message: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as caught:
        load_document(path)
    assert str(caught.value) == message


@pytest.mark.parametrize("path", ["", b""])
def test_an_empty_name_is_told(path: str | bytes) -> None:
    with pytest.raises(UsageError) as caught:
        load_document(path)  # type: ignore[arg-type]  # bytes are taken too
    assert str(caught.value) == "the name of the spec is empty"


def test_an_endless_file_is_read_no_further_than_needed() -> None:
    with pytest.raises(SpecError) as caught:
        load_document("/dev/zero")
    assert str(caught.value) == (
        "/dev/zero: a spec must be at most 16 MiB of JSON or 4 MiB of YAML; this one is larger"
    )


# --- Standard input and pipes ----------------------------------------------------------------

PARTS = [b"tensors:\n  a: [3, 4]\n", b"  b: [3, 4]\n", b"  c: [3, 4]\n"]
WHOLE = {"tensors": {"a": [3, 4], "b": [3, 4], "c": [3, 4]}}


class Feeder(threading.Thread):
    """Writes a part each time the reader has found nothing, then the end."""

    def __init__(self, handle: int, parts: list[bytes]) -> None:
        super().__init__(daemon=True)
        self.handle, self.parts = handle, parts
        self.found_nothing = threading.Semaphore(0)

    def run(self) -> None:
        for part in self.parts:
            assert self.found_nothing.acquire(timeout=30)
            os.write(self.handle, part)
        assert self.found_nothing.acquire(timeout=30)
        os.close(self.handle)


@pytest.mark.parametrize("parts", [PARTS, [b"".join(PARTS)]], ids=["parts", "late"])
def test_a_pipe_that_does_not_block_is_read_to_its_end(
    parts: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    feeder = Feeder(writing, parts)
    wait = inputs.wait_for_input

    def tell_and_wait(file: Any) -> None:
        feeder.found_nothing.release()
        wait(file)

    monkeypatch.setattr(inputs, "wait_for_input", tell_and_wait)
    with os.fdopen(reading) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        feeder.start()
        assert load_document("-").data == WHOLE
    feeder.join()


def test_what_was_read_ahead_of_standard_input_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = io.TextIOWrapper(io.BufferedReader(io.BytesIO(b"header\n" + b"".join(PARTS))))  # type: ignore[arg-type]  # raw enough
    monkeypatch.setattr(sys, "stdin", stdin)
    stdin.buffer.readline()
    assert load_document("-").data == WHOLE


@pytest.mark.parametrize("kind", ["fifo", "descriptor"])
def test_a_path_of_a_pipe_is_read_to_its_end(kind: str, tmp_path: FilePath) -> None:
    if kind == "fifo":
        path = str(tmp_path / "spec")
        os.mkfifo(path)
        reading, writing = -1, -1
    else:
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        path = f"/dev/fd/{reading}"

    def write() -> None:
        with open(path if writing < 0 else writing, "wb", buffering=0) as file:
            for part in PARTS:
                file.write(part)

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    assert load_document(path).data == WHOLE
    writer.join()
    if reading >= 0:
        os.close(reading)


@pytest.mark.parametrize("stdin", ["none", "closed", "folder"])
def test_standard_input_that_cannot_be_read(stdin: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Folder(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, _: Any) -> int:
            raise IsADirectoryError(21, "Is a directory")

    file = io.TextIOWrapper(io.BufferedReader(Folder()))
    if stdin == "closed":
        file.close()
    monkeypatch.setattr(sys, "stdin", None if stdin == "none" else file)
    with pytest.raises(InputError) as caught:
        load_document("-")
    reason = "Is a directory" if stdin == "folder" else "standard input is closed"
    assert str(caught.value) == f"cannot read <stdin>: {reason}"


def test_a_path_may_be_bytes_or_a_path(tmp_path: Any) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text("a: [1.5]\n")
    for source in (path, str(path), str(path).encode()):
        document = load_document(source)
        assert document.data == {"a": [1.5]}
        assert str(document.locate(SpecError("fact", ("a", 0)))) == f"{path}:1:5: a[0]: fact"


def test_data_is_copied_and_has_no_lines() -> None:
    source = {"a": ({"b": [1]},)}
    document = load_document(source)
    assert document == Document("spec", {"a": [{"b": [1]}]})
    assert document.data["a"][0]["b"] is not source["a"][0]["b"]
    assert str(document.locate(SpecError("fact", ("a", 0)))) == "spec: a[0]: fact"


def test_numpy_scalars_are_plain_data() -> None:
    np = pytest.importorskip("numpy")
    data = copy_plain({"a": np.int64(3), "b": np.float32(0.5), "c": np.bool_(True)})
    assert is_same(data, {"a": 3, "b": 0.5, "c": True})


def make_circle() -> dict[str, Any]:
    circle: dict[str, Any] = {}
    circle["a"] = [circle]
    return circle


def test_data_that_no_text_could_give_is_refused() -> None:
    np = pytest.importorskip("numpy")
    for data, message in (
        ({"a": {1, 2}}, "a: must be plain data; got {1, 2}"),
        ({"a": np.longdouble(1)}, f"a: must be plain data; got {np.longdouble(1)!r}"),
        ({"a": {5: 1}}, "a: a key must be a string; got 5"),
        ({"a": ["\ud800"]}, "a[0]: a string must not hold a lone surrogate; got '\\ud800'"),
        ({"\ud800": 1}, "a string must not hold a lone surrogate; got '\\ud800'"),
        (
            {"a": 10**1000},
            "a: must be an integer of at most 1000 digits; got an integer of 3322 bits",
        ),
        (make_circle(), "a[0].a[0]: must be nested at most 64 deep"),
    ):
        with pytest.raises(SpecError) as caught:
            load_document(data)
        assert str(caught.value) == f"spec: {message}"


@pytest.mark.parametrize("name", ["spec.json", "spec.yaml"])
def test_lists_and_mappings_have_a_limit(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both readers of JSON count them, brackets in strings apart."""
    for module in (events, json_decoder):
        monkeypatch.setattr(module, "MOST_COLLECTIONS", 5)
    assert parse_document(b'{"a": [[], {}, ["[[[[[["]]}', name).data == {"a": [[], {}, ["[[[[[["]]}
    error = fail(b'{"a": [[], {}, [[]]]}', name)
    assert (error.fact, error.line, error.column) == (
        "must have at most 5 lists and mappings",
        1,
        17,
    )
