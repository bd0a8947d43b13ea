"""Expressions for real numbers (`std: 0.02/sqrt(2*blocks)`): decimals, `/`, `sqrt` and fans too.

Every operation is one of IEEE 754's in float64, rounded once, in the order written, so that the
result is the same everywhere. None of a mathematical library is used but `math.sqrt`, which the
standard makes exact to the last bit.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import lru_cache

from xavinit.errors import SpecError
from xavinit.inits import Formula
from xavinit.spec.expressions import compute, look_up_dim
from xavinit.wording import cut, format_value, suggest

LARGEST_INTEGER = 2**53  # up to which float64 holds every integer
FANS = ("fan_in", "fan_out")

_TOKEN = (
    r"\s*(?:([0-9]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?|\.[0-9]+(?:[eE][-+]?[0-9]+)?)"
    r"|([A-Za-z_][A-Za-z0-9_]*)|(//|[-+*/()])|(\S))"
)


class _Numbers:
    """Float64, where whatever is infinite or no number stays so."""

    rule = (
        "must be an expression of numbers (decimals, dims, fan_in, fan_out, + - * / // sqrt and "
        "parentheses)"
    )
    tokens = _TOKEN
    products: tuple[str, ...] = ("*", "/", "//")
    functions: tuple[str, ...] = ("sqrt",)

    def __init__(
        self, text: str, dims: Mapping[str, int], fans: tuple[int | float, int | float]
    ) -> None:
        self._text = text
        self._dims = dims
        self._fans = dict(zip(FANS, fans, strict=True))

    def read(self, digits: str) -> float:
        return _take_integer(int(digits)) if digits.isdigit() else float(digits)

    def look_up(self, name: str) -> float:
        if name in FANS:
            if name in self._dims:
                raise SpecError(
                    f"{name} is the tensor's fan, and must not be a dim too; "
                    f"got {format_value(self._text)}"
                )
            return _take_integer(self._fans[name])
        if name not in self._dims and (hint := suggest(name, (*FANS, "sqrt"))):
            raise SpecError(f"unknown dim {format_value(name)}", hint=hint)
        return _take_integer(look_up_dim(name, self._dims))

    def apply(self, operator: str, left: float, right: float) -> float:
        for operand in (left, right):
            if not math.isfinite(operand):
                return operand
        match operator:
            case "+":
                return left + right
            case "-":
                return left - right
            case "*":
                return left * right
            case "/" if right:
                return left / right
            case "/":  # as the standard has it, where Python raises
                return math.copysign(math.inf, left) if left else math.nan
        return self._floor(left, right)

    def _floor(self, left: float, right: float) -> float:
        """The quotient of integers, rounded down: exact, as in a shape."""
        for operand in (left, right):
            if not operand.is_integer() or abs(operand) > LARGEST_INTEGER:
                raise SpecError(
                    f"// must stand between integers; got {operand:g} in "
                    f"{format_value(self._text)}",
                    hint="/ divides any numbers",
                )
        if not right:
            return math.copysign(math.inf, left) if left else math.nan
        return float(int(left) // int(right))

    def negate(self, value: float) -> float:
        return -value

    def call(self, function: str, value: float) -> float:
        return math.sqrt(value) if value >= 0 else math.nan


def parse_number(text: str, dims: Mapping[str, int]) -> float | Formula:
    """The number that an expression stands for; where it uses fans, its formula.

    The result may be infinite or no number, which `explain_number` tells.

    >>> parse_number("0.02/sqrt(2*blocks)", {"blocks": 8})
    0.005
    >>> parse_number("1/sqrt(fan_in)", {"d": 5})
    Formula(text='1/sqrt(fan_in)', dims=())
    """
    value = compute(text, _Numbers(text, dims, (1, 1)))
    names = {match[2] for match in re.finditer(_TOKEN, text)}
    if names.isdisjoint(FANS):
        return value
    return Formula(text, tuple((name, dims[name]) for name in sorted(names & dims.keys())))


@lru_cache(maxsize=1024)  # a spec repeats few shapes, whose fans these are
def evaluate_formula(formula: Formula, fans: tuple[int | float, int | float]) -> float:
    """The number of a formula with these fans."""
    return compute(formula.text, _Numbers(formula.text, dict(formula.dims), fans))


def explain_number(key: str, value: float, text: str) -> str | None:
    """The bare fact where a number that an expression gives is not one that the key takes."""
    if key in SIGNED:
        if math.isfinite(value):
            return None
        rule = "must be a finite number"
    else:
        if 0 < value < math.inf:
            return None
        rule = "must be a positive finite number"
    said, number = cut(text.strip()), f"{value:.6g}"
    return f"{rule}; got {said}" + ("" if said == number else f" = {number}")


SIGNED = (
    "start",
    "step",
    "value",
    "mean",
    "a",
    "b",
)  # the keys whose number may be zero or negative


def _take_integer(value: int | float) -> float:
    """An integer as it enters: one that float64 may not hold is an error, not another number."""
    if isinstance(value, int) and value > LARGEST_INTEGER:
        raise SpecError(f"an integer must be at most 2⁵³ here; got {format_value(value)}")
    return float(value)
