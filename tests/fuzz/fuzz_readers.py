"""A coverage-guided fuzz target for the readers of YAML, JSON, expressions and names.

JSON is read in two ways, which are compared too.

`make fuzz` runs it for a minute; FUZZ_SECONDS sets how long. The first byte of an input chooses
the reader, the rest is the text. What is found lies in tests/fuzz/found: cut it down, give it a
name that says what it is, and move it to tests/fuzz/corpus, which the quick tests run.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from xavinit.errors import MOST_ERRORS, SpecError, escape
from xavinit.plan import plan_spec
from xavinit.spec import parse_document, resolve_spec
from xavinit.spec.events import build_data
from xavinit.spec.expressions import evaluate
from xavinit.spec.json_decoder import load_json
from xavinit.spec.json_reader import read_json
from xavinit.spec.names import parse_pattern

LONGEST = 4096  # bytes; a text may be 16 MiB, but faults are found in short ones
SECONDS = 5  # more for such a text is a fault too
MANY = 2000  # tensors; 10⁶ are allowed, and take seconds

DIMS = {"d": 4, "n": 2, "wide": 12}


def read_spec(content: bytes, name: str) -> None:
    document = parse_document(content, name)
    with document.locating():
        tensors = document.data.get("tensors") if isinstance(document.data, dict) else None
        if isinstance(tensors, dict) and count_names(tensors, document.data) > MANY:
            return
        plan_spec(resolve_spec(document.data))


def count_names(tensors: dict[str, object], data: dict[str, object]) -> int:
    """How many tensors the braces stand for, as far as their dims are plain numbers."""
    dims = data.get("dims")
    known = dims if isinstance(dims, dict) else {}
    numbers = {name: value for name, value in known.items() if type(value) is int}
    total = 0
    for name in tensors:
        try:
            total += parse_pattern(name, numbers).count
        except SpecError:
            total += MANY + 1 if "{" in name and known else 1
    return total


def read_expression(content: bytes) -> None:
    value = evaluate(content.decode("utf-8", "replace"), DIMS)
    assert isinstance(value, int)
    assert abs(value) < 2**63


def read_pattern(content: bytes) -> None:
    pattern = parse_pattern(content.decode("utf-8", "replace"), DIMS)
    if pattern.count <= MANY:
        assert len(list(pattern.expand())) == pattern.count


def compare_json(content: bytes) -> None:
    """The decoder of the standard library against the reader of events."""
    text = content.decode("utf-8", "replace")
    assert describe(load_json, text) == describe(lambda text: build_data(read_json(text)), text)


def describe(load: Callable[[str], object], text: str) -> tuple[object, ...]:
    try:
        return ("data", repr(load(text)))
    except SpecError as error:
        return ("error", error.fact, error.path, error.hint, error.line, error.column)


READERS: list[Callable[[bytes], None]] = [
    lambda content: read_spec(content, "s.yaml"),
    lambda content: read_spec(content, "s.json"),
    lambda content: read_spec(content, "<stdin>"),
    read_expression,
    read_pattern,
    compare_json,
]


def check_message(error: SpecError) -> None:
    message = str(error)
    assert len(error.errors) <= MOST_ERRORS, message
    assert message.count("\n") < 3 * len(error.errors), message
    assert all(line == escape(line) for line in message.split("\n")), message


def check(data: bytes) -> None:
    """Nothing but ten `SpecError`s of at most three lines may come of any input, and soon."""
    if not data or len(data) > LONGEST:
        return
    started = time.monotonic()
    try:
        READERS[data[0] % len(READERS)](data[1:])
    except SpecError as error:
        check_message(error)
    assert time.monotonic() - started < SECONDS


if __name__ == "__main__":
    import atheris

    # The readers were imported above; their code is rewritten now, to count what an input reaches.
    atheris.instrument_all()
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()
