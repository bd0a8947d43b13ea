"""A spec's text, read once into plain data; it can find the line and column of any path."""

from __future__ import annotations

import codecs
import contextlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct, structs

from xavinit.dtypes import name_dtype
from xavinit.errors import AddressError, InputError, Path, SpecError, UsageError, join_errors
from xavinit.file_kinds import HEAD, find_kind
from xavinit.places import read_whole
from xavinit.spec.events import (
    DEEPEST_NESTING,
    MOST_DIGITS,
    Event,
    build_data,
    find_marks,
    is_encodable,
)
from xavinit.wording import explain_os_error, format_value

LARGEST_SPEC = 16 * 2**20  # bytes
# YAML's parser makes an object for each event: a text of this size takes seconds and 250 MB at
# worst; 16 MiB would take a dozen seconds and 800 MB.
LARGEST_YAML = 4 * 2**20
_LONGEST_EXCERPT = 400  # characters of a line that an error keeps: more than a terminal's width
_JSON_BREAK = "\n"
# Behind comments and empty lines, the head of a table or a key with its value.
_TOML = (
    r"""\s*(?:\#[^\n]*\n\s*)*+"""
    r"""(?:\[\[?[\w.\-"' ]+\]\]?[ \t]*(?:\#[^\n]*)?\n|[\w.\-"']+[ \t]*=(?!=))"""
)

Reader = Callable[[str], Iterator[Event]]


class Document(Struct, frozen=True):
    """Plain data (dicts, lists, scalars) with the text it came from, if it came from one.

    Marks are not kept: an error reads the text once more to find its line, so that a spec of
    a million lines costs no more memory than its data.
    """

    name: str
    data: Any
    text: str | None = None
    reader: Reader | None = None

    def locate(self, error: SpecError) -> SpecError:
        """The same error, which now tells file, line and column; so do all that it bears."""
        errors = list(error.errors)
        self.locate_all(errors)
        self._quote_lines(errors)
        return join_errors(errors)

    def _quote_lines(self, errors: Iterable[SpecError]) -> None:
        """Give each error the line where it stands, or the part of it around."""
        wanted = {error.line for error in errors if error.line is not None}
        if self.text is None or not wanted:
            return
        from xavinit.spec.yaml_reader import LINE_BREAK, read_yaml

        breaks = re.compile(LINE_BREAK if self.reader is read_yaml else _JSON_BREAK)
        lines: dict[int, str] = {}
        start, number = 0, 1
        while number <= max(wanted):
            found = breaks.search(self.text, start)
            if number in wanted:
                lines[number] = self.text[start : found.start() if found else None]
            if found is None:
                break
            start, number = found.end(), number + 1
        for error in errors:
            if error.line in lines and error.column is not None:
                first = max(error.column - 1 - _LONGEST_EXCERPT // 2, 0)
                line = lines[error.line][first : first + _LONGEST_EXCERPT]
                error.excerpt = line, error.column - first

    def locate_all(self, errors: Iterable[SpecError]) -> None:
        """Give each error its file, line and column, with one reading of the text for all."""
        errors = list(errors)
        missing = [error for error in errors if error.line is None]
        if missing and self.text is not None and self.reader is not None:
            requests = [(error.path, error.at_key) for error in missing]
            marks = find_marks(self.reader(self.text), requests)
            for error, mark in zip(missing, marks, strict=True):
                error.locate(self.name, mark)
        for error in errors:
            error.locate(self.name, None)

    def find_marks(self, paths: Sequence[Path]) -> list[tuple[int, int] | None]:
        """The line and column of the value at each path; None where no text has it."""
        if self.text is None or self.reader is None:
            return [None] * len(paths)
        return find_marks(self.reader(self.text), [(path, False) for path in paths])

    @contextlib.contextmanager
    def locating(self) -> Iterator[None]:
        """Add the place to a `SpecError` that leaves the block: context once, above."""
        try:
            yield
        except SpecError as error:
            raise self.locate(error) from None


def load_document(source: str | os.PathLike[str] | Mapping[str, Any]) -> Document:
    """Read a spec from a path, from standard input (`-`), or take it as data.

    Raises `InputError` where the file cannot be read and `SpecError` where it is not YAML or
    JSON.
    """
    name = name_source(source)
    if isinstance(source, Mapping):
        with Document(name, None).locating():
            return Document(name, copy_plain(source))
    if not isinstance(source, (str, bytes, os.PathLike)):
        raise UsageError(f"a spec must be a path or a mapping; got {format_value(source)}")
    path = os.fsdecode(source)
    if not path:
        raise UsageError("the name of the spec is empty")
    try:
        content = read_whole(path, LARGEST_SPEC)
    except AddressError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = explain_os_error(error) if isinstance(error, OSError) else error
        raise InputError(f"cannot read {name}: {reason}") from error
    return parse_document(content, name)


def name_source(source: object) -> str:
    """What messages call a spec: its path, `<stdin>`, or just `spec` where it is data."""
    if not isinstance(source, (str, bytes, os.PathLike)):
        return "spec"
    path = os.fsdecode(source)
    return "<stdin>" if path == "-" else path


def parse_document(content: bytes, name: str) -> Document:
    """The document of a spec's bytes; the name chooses JSON by its suffix, and stands in errors."""
    with Document(name, None).locating():
        if kind := find_kind(content[:HEAD]):
            raise SpecError(f"a spec must be YAML or JSON; this is {kind}")
        text = _decode(content)
        suffix = os.path.splitext(name)[1].lower()
        is_yaml = suffix in (".yaml", ".yml")
        is_guessed = suffix != ".json" and not is_yaml and text.lstrip().startswith("{")
        is_json = suffix == ".json" or is_guessed
        if not is_json:
            _check_size(content, LARGEST_YAML)
    reader, load = _find_reader(is_json=is_json)
    document = Document(name, None, text, reader)
    with document.locating():
        try:
            data = load(text)
        except SpecError as error:
            if not is_json:
                _check_toml(text)
            if is_guessed and error.hint is None:
                error.hint = "read as JSON, since it starts with {; YAML needs a name with .yaml"
            raise
        if not is_json and not isinstance(data, dict):
            _check_toml(text)
    return structs.replace(document, data=data)


def _check_toml(text: str) -> None:
    """Refuse a text that is no spec in YAML, and begins as TOML does."""
    if found := re.match(_TOML, text):
        raise SpecError(
            "a spec must be YAML or JSON; this looks like TOML",
            mark=(found[0].rstrip().count("\n") + 1, 1),
            hint="in YAML, w = [3, 4] is w: [3, 4], and a table is indented under its name",
        ) from None


def _find_reader(*, is_json: bool) -> tuple[Reader, Callable[[str], Any]]:
    """A language's reader, and what makes data of its texts; loaded now, since a spec needs one."""
    if is_json:
        from xavinit.spec.json_decoder import load_json
        from xavinit.spec.json_reader import read_json

        return read_json, load_json
    from xavinit.spec.yaml_reader import read_yaml

    return read_yaml, lambda text: build_data(read_yaml(text))


def _check_size(content: bytes, largest: int) -> None:
    if len(content) > largest:
        limits = f"{LARGEST_SPEC // 2**20} MiB of JSON or {LARGEST_YAML // 2**20} MiB of YAML"
        raise SpecError(f"a spec must be at most {limits}; this one is larger")


def _decode(content: bytes) -> str:
    """The text of a spec: UTF-8, with or without its mark, and not too long."""
    _check_size(content, LARGEST_SPEC)
    # A mark of UTF-16 or, without one, a first character of it: to UTF-8, a NUL.
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in content[:2]:
        raise SpecError("must be UTF-8; this looks like UTF-16", hint="save it as UTF-8")
    content = content.removeprefix(codecs.BOM_UTF8)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line = before.count(b"\n") + 1
        column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8", "replace")) + 1
        got = f"the byte 0x{content[error.start]:02x}"
        raise SpecError(f"must be UTF-8; got {got}", mark=(line, column)) from None


def copy_plain(source: Any) -> Any:
    """A deep copy of a caller's data as dicts, lists and scalars, or `SpecError`."""

    def check_text(text: str, path: Path) -> None:
        if not is_encodable(text):
            raise SpecError(f"a string must not hold a lone surrogate; got {text!a}", path)

    def check_integer(value: int, path: Path) -> None:
        if abs(value) >= 10**MOST_DIGITS:
            got = format_value(value)
            raise SpecError(f"must be an integer of at most {MOST_DIGITS} digits; got {got}", path)

    def copy(value: Any, path: Path) -> Any:
        if len(path) > DEEPEST_NESTING:
            raise SpecError(f"must be nested at most {DEEPEST_NESTING} deep", path[:4])
        if isinstance(value, Mapping):
            for key in value:
                if not isinstance(key, str):
                    raise SpecError(f"a key must be a string; got {format_value(key)}", path)
                check_text(key, path)
            return {key: copy(item, (*path, key)) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [copy(item, (*path, index)) for index, item in enumerate(value)]
        if value is None or isinstance(value, bool):
            return value
        # Subclasses become their base: numpy.float64 becomes a float.
        if isinstance(value, str):
            check_text(value, path)
            return str(value)
        if isinstance(value, int):
            check_integer(value, path)
            return int(value)
        if isinstance(value, float):
            return float(value)
        if hasattr(value, "item") and getattr(value, "ndim", None) == 0:  # a NumPy scalar
            item = value.item()
            if type(item) is not type(value):  # the item of a long double is a long double
                return copy(item, path)
        if hasattr(value, "tolist") and getattr(value, "ndim", None) == 1:  # a shape as an array
            return copy(value.tolist(), path)
        name = name_dtype(value)
        if isinstance(name, str):
            return name
        raise SpecError(f"must be plain data; got {format_value(value)}", path)

    return copy(source, ())
