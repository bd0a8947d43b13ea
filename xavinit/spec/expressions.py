"""Integer expressions over the spec's dims: integers, names, `+ - * //` and parentheses.

The parser is that of all expressions; numbers.py has another arithmetic for it. Python's own,
`ast`, is no shorter here: it takes far more than this grammar (calls, `0x1F`, `1_000`, letters
that look alike), fails by recursion on deep nesting, and an allow-list over its tree would still
not give the token at which a text stops being an expression, the same in every Python.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping
from typing import Generic, Protocol, TypeGuard, TypeVar

from xavinit.errors import Path, SpecError
from xavinit.wording import MOST_SUGGESTED, cut, format_value, suggest

EXPRESSION_LENGTH = 200  # characters
EXPRESSION_DEPTH = 32  # parentheses and signs within each other
LARGEST_VALUE = 2**63 - 1  # of any intermediate result

# Compiled where it is first asked for, as many patterns here: a small spec needs few of them.
_TOKEN = r"\s*(?:([0-9]+)|([A-Za-z_][A-Za-z0-9_]*)|(//|[-+*()])|(\S))"
N = TypeVar("N")

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def is_dim_name(text: str) -> bool:
    """Can the text be the name of a dim?"""
    return bool(_NAME.match(text))


def is_integer(value: object) -> TypeGuard[int]:
    """Is the value an integer, and not the bool that Python counts as one?"""
    return isinstance(value, int) and not isinstance(value, bool)


def check_expression(value: object, path: Path) -> int | str:
    """The value, if it is an integer or a string."""
    if isinstance(value, str) or is_integer(value):
        return value
    fact = f"must be an integer or an expression; got {format_value(value)}"
    raise SpecError(fact, path, hint=suggest_integer(value))


def suggest_integer(value: object) -> str | None:
    """The hint where an integer is written as a float: 3.0."""
    return f"write {int(value)}" if isinstance(value, float) and value.is_integer() else None


def evaluate(expression: int | str, dims: Mapping[str, int]) -> int:
    """The value of an expression; `SpecError` with the bare fact where it has none.

    >>> evaluate("3*d + (d - 1)//2", {"d": 5})
    17
    """
    if isinstance(expression, int):
        return _check_size(expression)
    return compute(expression, _Integers(expression, dims))


def evaluate_at(expression: int | str, dims: Mapping[str, int], path: Path) -> int:
    """The value of an expression; an error knows its place."""
    try:
        return evaluate(expression, dims)
    except SpecError as error:
        error.path = path
        raise


def find_names(expression: int | str) -> list[str]:
    """The names in an expression, in order."""
    if isinstance(expression, int):
        return []
    return [match[2] for match in re.finditer(_TOKEN, expression[:EXPRESSION_LENGTH]) if match[2]]


def resolve_dims(dims: Mapping[str, int | str]) -> dict[str, int]:
    """The value of every dim; a dim may use others, in any order, but not in a circle."""
    values: dict[str, int] = {}
    for start in dims:
        # Depth first with a stack of our own: a chain of dims may be longer than Python's.
        waiting = {} if start in values else {start: None}  # a dict is a set with an order
        while waiting:
            name = next(reversed(waiting))
            needed = next(
                (n for n in find_names(dims[name]) if n in dims and n not in values), None
            )
            if needed is None:
                values[name] = _evaluate_dim(name, dims[name], values)
                waiting.popitem()  # the last; after `del`, finding the next last is linear
            elif needed in waiting:
                chain = [*waiting, needed]
                circle = " → ".join(map(cut, chain[chain.index(needed) :][:8]))
                raise SpecError(f"a dim must not depend on itself; got {circle}", ("dims", name))
            else:
                waiting[needed] = None
    return values


def suggest_dim(name: object, dims: Iterable[str]) -> str:
    """The hint beside an unknown dim: the nearest one, or the first few."""
    most = list(itertools.islice(dims, MOST_SUGGESTED))
    if not most:
        return "dims is empty"
    few = ", ".join(map(cut, most[:8])) + (", …" if len(most) > 8 else "")
    return suggest(name, most) or f"dims: {few}"


def _evaluate_dim(name: str, expression: int | str, values: Mapping[str, int]) -> int:
    path: Path = ("dims", name)
    value = evaluate_at(expression, values, path)
    if value < 0:
        raise SpecError(f"must be an integer of at least 0; got {value}", path)
    return value


class Arithmetic(Protocol[N]):
    """What the operations of a grammar give; the parser knows only their precedence."""

    rule: str  # what an expression must be
    tokens: str  # a pattern; groups: a number, a name, an operator, anything else
    products: tuple[str, ...]  # the operators that bind like a multiplication
    functions: tuple[str, ...]  # of one argument

    def read(self, digits: str) -> N: ...

    def look_up(self, name: str) -> N: ...

    def apply(self, operator: str, left: N, right: N) -> N: ...

    def negate(self, value: N) -> N: ...

    def call(self, function: str, value: N) -> N: ...


class _Integers:
    """The arithmetic of shapes and names: integers below 2⁶³ in every step."""

    rule = "must be an integer expression (integers, dims, + - * // and parentheses)"
    tokens = _TOKEN
    products: tuple[str, ...] = ("*", "//")
    functions: tuple[str, ...] = ()

    def __init__(self, text: str, dims: Mapping[str, int]) -> None:
        self._text = text
        self._dims = dims

    def read(self, digits: str) -> int:
        return _check_size(int(digits))

    def look_up(self, name: str) -> int:
        return look_up_dim(name, self._dims)

    def apply(self, operator: str, left: int, right: int) -> int:
        match operator:
            case "+":
                return _check_size(left + right)
            case "-":
                return _check_size(left - right)
            case "*":
                return _check_size(left * right)
        if right == 0:
            raise SpecError(f"must not divide by zero; got {format_value(self._text)}")
        return _check_size(left // right)

    def negate(self, value: int) -> int:
        return -value

    def call(self, function: str, value: int) -> int:
        raise TypeError(f"integers have no function {function}")


def look_up_dim(name: str, dims: Mapping[str, int]) -> int:
    """The value of a dim; `SpecError` with a hint where there is none of this name."""
    if name not in dims:
        raise SpecError(f"unknown dim {format_value(name)}", hint=suggest_dim(name, dims))
    return dims[name]


def _check_size(value: int) -> int:
    if not -LARGEST_VALUE <= value <= LARGEST_VALUE:
        raise SpecError(f"must stay below 2⁶³; got {format_value(value)}")
    return value


def compute(text: str, arithmetic: Arithmetic[N]) -> N:
    """The value of an expression in an arithmetic; `SpecError` with the bare fact."""
    return _Parser(text, arithmetic).parse()


class _Parser(Generic[N]):
    """A recursive descent parser: one method for each level of precedence."""

    def __init__(self, text: str, arithmetic: Arithmetic[N]) -> None:
        self.text = text
        self.arithmetic = arithmetic
        if len(text) > EXPRESSION_LENGTH:
            raise SpecError(f"must be at most {EXPRESSION_LENGTH} characters; got {len(text)}")
        self.matches = re.finditer(arithmetic.tokens, text)
        self.depth = 0
        self.advance()

    def advance(self) -> None:
        self.match = next(self.matches, None)
        self.token = self.match[0].strip() if self.match else ""

    def fail(self) -> SpecError:
        got = format_value(self.text)
        near = f" at {format_value(self.token)}" if self.token else " that ends too soon"
        if not self.text.strip():
            near = ""
        hint = None
        if self.token == "/" and "/" not in self.arithmetic.products:
            hint = "integers are divided by //"
        return SpecError(f"{self.arithmetic.rule}; got {got}{near}", hint=hint)

    def parse(self) -> N:
        value = self.parse_sum()
        if self.token:
            raise self.fail()
        return value

    def parse_sum(self) -> N:
        value = self.parse_product()
        while self.token in ("+", "-"):
            operator = self.token
            self.advance()
            value = self.arithmetic.apply(operator, value, self.parse_product())
        return value

    def parse_product(self) -> N:
        value = self.parse_unit()
        while self.token in self.arithmetic.products:
            operator = self.token
            self.advance()
            value = self.arithmetic.apply(operator, value, self.parse_unit())
        return value

    def parse_name(self, name: str) -> N:
        """The value of a name, or of a call."""
        is_call = self.text.startswith("(", self.match.end() if self.match else 0)
        if name in self.arithmetic.functions:
            self.advance()
            if self.token != "(":
                raise self.fail()
            return self.arithmetic.call(name, self.parse_nested())
        if is_call:
            self.advance()
            raise self.fail()  # the name is no dim, and that is not what is wrong
        value = self.arithmetic.look_up(name)
        self.advance()
        return value

    def parse_nested(self) -> N:
        """The value after a minus sign, or between parentheses."""
        self.depth += 1
        if self.depth > EXPRESSION_DEPTH:
            raise SpecError(
                f"must be nested at most {EXPRESSION_DEPTH} deep; got {format_value(self.text)}"
            )
        symbol = self.token
        self.advance()
        if symbol == "-":
            value = self.arithmetic.negate(self.parse_unit())
        else:
            value = self.parse_sum()
            if self.token != ")":
                raise self.fail()
            self.advance()
        self.depth -= 1
        return value

    def parse_unit(self) -> N:
        if self.match is None:
            raise self.fail()
        digits, name, symbol, _ = self.match.groups()
        if digits:
            value = self.arithmetic.read(digits)
            self.advance()
            return value
        if name:
            return self.parse_name(name)
        if symbol in ("-", "("):
            return self.parse_nested()
        raise self.fail()
