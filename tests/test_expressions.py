"""Integer expressions: their values, their limits, and what is none."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xavinit.errors import SpecError
from xavinit.spec.expressions import (
    EXPRESSION_DEPTH,
    EXPRESSION_LENGTH,
    LARGEST_VALUE,
    check_expression,
    evaluate,
    find_names,
    resolve_dims,
)

DIMS = {"d": 768, "n": 5, "_x1": 2, "zero": 0, "most": LARGEST_VALUE}


def fail(expression: int | str, dims: dict[str, int] = DIMS) -> SpecError:
    with pytest.raises(SpecError) as caught:
        evaluate(expression, dims)
    return caught.value


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        (7, 7),
        (-7, -7),
        ("7", 7),
        ("007", 7),
        (" \t7\n", 7),
        ("d", 768),
        ("_x1", 2),
        ("3*d", 2304),
        ("d+n*2", 778),
        ("(d+n)*2", 1546),
        ("d-n-1", 762),
        ("d-(n-1)", 764),
        ("20//3*3", 18),
        ("20*3//7", 8),
        ("100//7//3", 4),
        ("7//2", 3),
        ("-7//2", -4),
        ("7//-2", -4),
        ("-(7//2)", -3),
        ("-2*3", -6),
        ("2*-3", -6),
        ("--3", 3),
        ("1--1", 2),
        ("- 3 + 5", 2),
        ("((((7))))", 7),
        ("zero*d", 0),
        ("most", LARGEST_VALUE),
        ("0-most", -LARGEST_VALUE),
        ("most-1+1", LARGEST_VALUE),
    ],
)
def test_values(expression: int | str, value: int) -> None:
    assert evaluate(expression, DIMS) == value


RULE = "must be an integer expression (integers, dims, + - * // and parentheses); got "


@pytest.mark.parametrize(
    ("expression", "fact"),
    [
        ("", RULE + '""'),
        ("  ", RULE + '"  "'),
        ("12 apples", RULE + '"12 apples" at "apples"'),
        ("d n", RULE + '"d n" at "n"'),
        ("3d", RULE + '"3d" at "d"'),
        ("1.5", RULE + '"1.5" at "."'),
        ("1_000", RULE + '"1_000" at "_000"'),
        ("0x10", RULE + '"0x10" at "x10"'),
        ("1e3", RULE + '"1e3" at "e3"'),
        ("9**9**9", RULE + '"9**9**9" at "*"'),
        ("7/2", RULE + '"7/2" at "/"'),
        ("7%2", RULE + '"7%2" at "%"'),
        ("+5", RULE + '"+5" at "+"'),
        ("f(x)", RULE + '"f(x)" at "("'),
        ("d (2)", RULE + '"d (2)" at "("'),
        ("2(3)", RULE + '"2(3)" at "("'),
        ("d*", RULE + '"d*" that ends too soon'),
        ("(d", RULE + '"(d" that ends too soon'),
        ("d)", RULE + '"d)" at ")"'),
        ("()", RULE + '"()" at ")"'),
        ("d.n", RULE + '"d.n" at "."'),
        ("d[0]", RULE + '"d[0]" at "["'),
        ("d,n", RULE + '"d,n" at ","'),
        ("٣", RULE + '"٣" at "٣"'),
        ("5//zero", 'must not divide by zero; got "5//zero"'),
        ("5//(n-5)", 'must not divide by zero; got "5//(n-5)"'),
        ("most+1", "must stay below 2⁶³; got 9223372036854775808"),
        ("0-most-1", "must stay below 2⁶³; got -9223372036854775808"),
        ("most*most", "must stay below 2⁶³; got 85070591730234615847396907784232501249"),
        ("most*most//most", "must stay below 2⁶³; got 85070591730234615847396907784232501249"),
        ("9" * 200, "must stay below 2⁶³; got an integer of 665 bits"),
        (2**63, "must stay below 2⁶³; got 9223372036854775808"),
        (10**999, "must stay below 2⁶³; got an integer of 3319 bits"),
    ],
)
def test_no_values(expression: int | str, fact: str) -> None:
    assert fail(expression).fact == fact


@pytest.mark.parametrize(
    ("name", "dims", "hint"),
    [
        ("widht", ["depth", "width"], 'did you mean "width"?'),
        ("x", ["depth", "width"], "dims: depth, width"),
        ("x", [f"d{i}" for i in range(9)], "dims: d0, d1, d2, d3, d4, d5, d6, d7, …"),
        ("x", [], "dims is empty"),
        ("Width", ["width"], 'did you mean "width"?'),
    ],
)
def test_an_unknown_dim_hints_at_the_nearest(name: str, dims: list[str], hint: str) -> None:
    error = fail(f"3*{name}", dict.fromkeys(dims, 1))
    assert (error.fact, error.hint) == (f'unknown dim "{name}"', hint)


def test_an_unknown_dim_among_many_is_told_soon() -> None:
    assert fail("x", {f"dim{i}": 1 for i in range(200_000)}).hint is not None


def test_length_and_depth_have_limits() -> None:
    assert evaluate("1+" * (EXPRESSION_LENGTH // 2 - 1) + "1 ", {}) == EXPRESSION_LENGTH // 2
    assert (
        fail("1+" * (EXPRESSION_LENGTH // 2) + "1").fact
        == "must be at most 200 characters; got 201"
    )
    assert evaluate("(" * EXPRESSION_DEPTH + "1" + ")" * EXPRESSION_DEPTH, {}) == 1
    assert evaluate("-" * EXPRESSION_DEPTH + "1", {}) == 1
    for deep in ("(" * 33 + "1" + ")" * 33, "-" * 33 + "1", "-(" * 17):
        assert fail(deep).fact.startswith("must be nested at most 32 deep; got ")
    assert fail("(" * 10**6).fact == "must be at most 200 characters; got 1000000"


@pytest.mark.parametrize("value", [True, 1.0, 1.5, None, [1], {"a": 1}])
def test_only_integers_and_strings_are_expressions(value: Any) -> None:
    with pytest.raises(SpecError, match="must be an integer or an expression; got "):
        check_expression(value, ())


def make_expressions() -> st.SearchStrategy[str]:
    return st.recursive(
        st.integers(0, 99).map(str) | st.sampled_from(["n", "_x1", "zero"]),
        lambda inner: (
            st.tuples(inner, st.sampled_from(["+", "-", "*", "//", " - "]), inner).map("".join)
            | inner.map("({})".format)
            | inner.map("-({})".format)
        ),
        max_leaves=8,
    ).filter(
        lambda text: len(text) <= EXPRESSION_LENGTH and text.count("(") <= EXPRESSION_DEPTH // 2
    )


@given(make_expressions())
def test_pythons_own_arithmetic_agrees(text: str) -> None:
    try:
        value = eval(text, {"__builtins__": {}}, DIMS)  # of digits, dims and operators only
    except ZeroDivisionError:
        assert fail(text).fact.startswith("must not divide by zero")
    else:
        assert evaluate(text, DIMS) == value


@given(st.text(max_size=20) | st.text("0123456789dn+-*/() ", max_size=20))
def test_any_text_has_a_value_or_a_fact(text: str) -> None:
    with contextlib.suppress(SpecError):
        assert isinstance(evaluate(text, DIMS), int)


def test_names_in_order() -> None:
    assert find_names("3*d + (n - d)//x_1") == ["d", "n", "d", "x_1"]
    assert find_names(7) == []


# --- Dims that use dims ----------------------------------------------------------------------


def test_dims_use_each_other_in_any_order() -> None:
    dims: dict[str, int | str] = {"a": "b*c", "b": "c+1", "d": 0, "c": "3"}
    assert resolve_dims(dims) == {"c": 3, "b": 4, "a": 12, "d": 0}


@pytest.mark.parametrize(
    ("dims", "name", "circle"),
    [
        ({"a": "a+1"}, "a", "a → a"),
        ({"a": "b", "b": "c", "c": "a"}, "c", "a → b → c → a"),
        ({"x": "a", "a": "b", "b": "a"}, "b", "a → b → a"),
        ({"a": "1+2*(b)", "b": "0*a"}, "b", "a → b → a"),
    ],
)
def test_dims_in_a_circle(dims: dict[str, int | str], name: str, circle: str) -> None:
    with pytest.raises(SpecError) as caught:
        resolve_dims(dims)
    assert caught.value.fact == f"a dim must not depend on itself; got {circle}"
    assert caught.value.path == ("dims", name)


@pytest.mark.parametrize(
    ("dims", "path", "fact"),
    [
        ({"a": "b", "b": -1}, ("dims", "b"), "must be an integer of at least 0; got -1"),
        ({"a": "3-5"}, ("dims", "a"), "must be an integer of at least 0; got -2"),
        ({"a": "x"}, ("dims", "a"), 'unknown dim "x"'),
        ({"a": "1//b", "b": 0}, ("dims", "a"), 'must not divide by zero; got "1//b"'),
        ({"a": 2**63}, ("dims", "a"), "must stay below 2⁶³; got 9223372036854775808"),
    ],
)
def test_bad_dims(dims: dict[str, int | str], path: tuple[str, str], fact: str) -> None:
    with pytest.raises(SpecError) as caught:
        resolve_dims(dims)
    assert (caught.value.path, caught.value.fact) == (path, fact)


@pytest.mark.parametrize("backwards", [False, True])
def test_a_chain_of_many_dims_neither_recurses_nor_takes_quadratic_time(backwards: bool) -> None:
    count = 50_000  # enough for quadratic time to show
    chain: dict[str, int | str] = {f"d{i}": f"d{i + 1}+1" for i in range(count)}
    chain[f"d{count}"] = 1
    if backwards:
        chain = dict(reversed(chain.items()))
    assert resolve_dims(chain)["d0"] == count + 1


def test_a_long_circle_is_told_by_its_first_dims() -> None:
    circle: dict[str, int | str] = {f"d{i}": f"d{(i + 1) % 5000}" for i in range(5000)}
    with pytest.raises(SpecError, match=r"got d0 → d1 → d2 → d3 → d4 → d5 → d6 → d7$"):
        resolve_dims(circle)
