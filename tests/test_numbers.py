"""Expressions where numbers are: their values, what uses fans, and what is none."""

from __future__ import annotations

import contextlib
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import xavinit
from xavinit.errors import SpecError
from xavinit.inits import Formula
from xavinit.plan import Constant, Fans, Normal, TruncatedNormal, Uniform
from xavinit.spec import evaluate_formula
from xavinit.spec.numbers import parse_number

DIMS = {"d": 768, "blocks": 12, "zero": 0, "large": 2**53 + 1}
RULE = (
    "must be an expression of numbers (decimals, dims, fan_in, fan_out, + - * / // sqrt and "
    "parentheses); got "
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.02", 0.02),
        ("0.02/sqrt(2*blocks)", 0.02 / math.sqrt(24.0)),
        ("1/3*3", 1 / 3 * 3),
        ("0.1+0.2+0.3", 0.1 + 0.2 + 0.3),
        ("0.1+(0.2+0.3)", 0.1 + (0.2 + 0.3)),
        ("0.3-0.1-0.1", 0.3 - 0.1 - 0.1),
        ("8/4/2", 1.0),
        ("1e-3", 1e-3),
        ("1E+3*2.5e0", 2500.0),
        (".5 + 5.", 5.5),
        ("-7//2", -4.0),
        ("7//-2*0.5", -2.0),
        ("--d", 768.0),
        ("sqrt (2)", math.sqrt(2)),
        ("sqrt(sqrt(16))", 2.0),
        ("sqrt(0)", 0.0),
        ("2*-(d - 1)", -1534.0),
        ("9007199254740992", 2.0**53),
        ("9007199254740992*3 + 1", 2.0**53 * 3 + 1),  # rounded as a sum of floats is
        ("1e400", math.inf),
        ("1/zero", math.inf),
        ("-1/zero", -math.inf),
        ("1//zero", math.inf),
        ("1/(1/zero)", math.inf),  # not 0: what is infinite stays so
    ],
)
def test_values(text: str, value: float) -> None:
    assert parse_number(text, DIMS) == value


@pytest.mark.parametrize("text", ["zero/zero", "sqrt(-1)", "0*sqrt(-1)", "zero//zero"])
def test_no_number(text: str) -> None:
    value = parse_number(text, DIMS)
    assert isinstance(value, float)
    assert math.isnan(value)


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("", RULE + '""'),
        ("2 d", RULE + '"2 d" at "d"'),
        ("2**3", RULE + '"2**3" at "*"'),
        ("2e", RULE + '"2e" at "e"'),
        ("1.5.2", RULE + '"1.5.2" at ".2"'),
        ("0x10", RULE + '"0x10" at "x10"'),
        ("1_000.5", RULE + '"1_000.5" at "_000"'),
        ("log(d)", RULE + '"log(d)" at "("'),
        ("sqrt", RULE + '"sqrt" that ends too soon'),
        ("sqrt 2", RULE + '"sqrt 2" at "2"'),
        ("sqrt()", RULE + '"sqrt()" at ")"'),
        ("sqrt(2", RULE + '"sqrt(2" that ends too soon'),
        ("sqrt(2, 3)", RULE + '"sqrt(2, 3)" at ","'),
        ("fan_in(2)", RULE + '"fan_in(2)" at "("'),
        ("2*x", 'unknown dim "x"'),
        ("1.5//2", '// must stand between integers; got 1.5 in "1.5//2"'),
        ("1e300//2", '// must stand between integers; got 1e+300 in "1e300//2"'),
        ("large", "an integer must be at most 2⁵³ here; got 9007199254740993"),
        ("9007199254740993", "an integer must be at most 2⁵³ here; got 9007199254740993"),
        ("1+" * 100 + "1", "must be at most 200 characters; got 201"),
        ("-" * 33 + "1", 'must be nested at most 32 deep; got "' + "-" * 33 + '1"'),
        ("sqrt(" * 33 + "1" + ")" * 33, "must be nested at most 32 deep; got "),
    ],
)
def test_no_expressions(text: str, fact: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_number(text, DIMS)
    assert caught.value.fact.startswith(fact)


@pytest.mark.parametrize(
    ("name", "hint"),
    [("fanin", 'did you mean "fan_in"?'), ("sqr", 'did you mean "sqrt"?'), ("block", "blocks")],
)
def test_an_unknown_name_hints_at_the_nearest(name: str, hint: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_number(f"2*{name}", DIMS)
    assert hint in str(caught.value.hint)


def test_a_formula_keeps_the_dims_that_it_names() -> None:
    formula = parse_number("d/sqrt(fan_in*blocks)", DIMS)
    assert formula == Formula("d/sqrt(fan_in*blocks)", (("blocks", 12), ("d", 768)))
    assert isinstance(formula, Formula)
    assert evaluate_formula(formula, (3, 5)) == 768 / math.sqrt(36.0)


def make_expressions() -> st.SearchStrategy[str]:
    return st.recursive(
        st.integers(0, 99).map(str)
        | st.floats(0, 9).map(repr)
        | st.sampled_from(["d", "blocks", "zero"]),
        lambda inner: (
            st.tuples(inner, st.sampled_from(["+", "-", "*", "/"]), inner).map("".join)
            | inner.map("({})".format)
            | inner.map("sqrt({})".format)
            | inner.map("-({})".format)
        ),
        max_leaves=6,
    ).filter(lambda text: len(text) <= 200)


@given(make_expressions())
def test_pythons_own_floats_agree(text: str) -> None:
    names = {name: float(value) for name, value in DIMS.items()}
    try:
        value = float(eval(text, {"__builtins__": {}, "sqrt": math.sqrt}, names))
    except (ZeroDivisionError, ValueError, OverflowError):
        assert not math.isfinite(parse_number(text, DIMS))  # type: ignore[arg-type]  # no fans
    else:
        assert parse_number(text, DIMS) == value


@given(st.text(max_size=20) | st.text("0123456789.ed+-*/() sqrtfan_io", max_size=24))
def test_any_text_has_a_number_or_a_fact(text: str) -> None:
    with contextlib.suppress(SpecError):
        assert isinstance(parse_number(text, DIMS), float | Formula)


# --- In a spec -------------------------------------------------------------------------------


def plan(init: Any, **keys: Any) -> Any:
    table = {"shape": [6, 8], "init": init, **keys}
    return xavinit.make_plan({"dims": {"d": 8, "blocks": 12}, "tensors": {"w": table}}).tensors[0]


def fail(init: Any, **keys: Any) -> SpecError:
    with pytest.raises(SpecError) as caught:
        plan(init, **keys)
    return caught.value


@pytest.mark.parametrize(
    ("init", "law"),
    [
        ({"type": "normal", "std": "0.02/sqrt(2*blocks)"}, Normal(0.02 / math.sqrt(24))),
        ({"type": "truncated_normal", "std": "1/d"}, TruncatedNormal(0.125)),
        ({"type": "uniform", "bound": "1/sqrt(fan_in)"}, Uniform(1 / math.sqrt(8))),
        ({"type": "uniform", "bound": "d/fan_out"}, Uniform(8 / 6)),
        ({"type": "constant", "value": "-d"}, Constant(-8)),
        ({"type": "constant", "value": "-0.0"}, Constant(-0.0)),
        ({"type": "constant", "value": "fan_in/2"}, Constant(4.0)),
        ({"type": "he_normal", "gain": "1/d"}, Normal(0.125 * math.sqrt(1 / 8))),
        ({"type": "he_normal", "gain": "relu"}, Normal(math.sqrt(2) * math.sqrt(1 / 8))),
        ({"type": "lecun_normal", "gain": "sqrt(fan_in)"}, Normal(math.sqrt(8) * math.sqrt(1 / 8))),
    ],
)
def test_every_number_of_a_law_may_be_an_expression(init: Any, law: Any) -> None:
    assert plan(init).law == law


def test_an_expression_follows_a_dim_that_is_set(tmp_path: Any) -> None:
    spec = {
        "dims": {"blocks": 2},
        "defaults": {"init": {"type": "normal", "std": "1/blocks"}},
        "rules": [{"match": "b", "init": {"type": "uniform", "bound": "blocks*fan_in"}}],
        "tensors": {"a": [2, 2], "b": [2, 2]},
        "layers": [
            {
                "name": "l",
                "type": "dense",
                "in": 3,
                "out": 2,
                "init": {"type": "uniform", "bound": "blocks/fan_in"},
            }
        ],
    }
    made = xavinit.make_plan(spec, dims={"blocks": 8})
    assert [tensor.law for tensor in made.tensors] == [
        Normal(0.125),
        Uniform(16.0),
        Uniform(8 / 3),
        Constant(0),
    ]
    canonical = json.loads(made.canonical)
    assert canonical["defaults"]["init"]["std"] == "1/blocks"
    assert canonical["dims"] == {"blocks": 8}


POSITIVE = "must be a positive finite number; got "
FINITE = "must be a finite number; got "
GAIN = "must be a positive finite number or the name of a gain; got "
INTEGER = "must be an integer expression (integers, dims, + - * // and parentheses); got "


@pytest.mark.parametrize(
    ("name", "key", "number", "fact"),
    [
        ("normal", "std", "d - 8", POSITIVE + "d - 8 = 0"),
        ("normal", "std", "-1/4", POSITIVE + "-1/4 = -0.25"),
        ("uniform", "bound", "1/(d - 8)", POSITIVE + "1/(d - 8) = inf"),
        ("uniform", "bound", "sqrt(-d)", POSITIVE + "sqrt(-d) = nan"),
        ("uniform", "bound", "1/(fan_in - d)", POSITIVE + "1/(fan_in - d) = inf"),
        ("he_normal", "gain", "fan_out - fan_in", POSITIVE + "fan_out - fan_in = -2"),
        ("he_normal", "gain", "1e300*1e300", POSITIVE + "1e300*1e300 = inf"),
        ("constant", "value", "1/(d - 8)", FINITE + "1/(d - 8) = inf"),
        ("constant", "value", "1/(fan_in - 8)", FINITE + "1/(fan_in - 8) = inf"),
        ("normal", "std", "fan_in +", RULE + '"fan_in +" that ends too soon'),
        ("normal", "std", "0.02*dd", 'unknown dim "dd"'),
        ("normal", "std", "gelu", POSITIVE + '"gelu"'),
        ("normal", "std", {"text": "1"}, POSITIVE + '{"text": "1"}'),
        ("he_normal", "gain", "leaky relu", GAIN + '"leaky relu"'),
        ("he_normal", "gain", "gelu", GAIN + '"gelu"'),
        ("arange", "step", "fan_in", 'must not depend on the fans; got "fan_in"'),
        ("arange", "repeat", "d - 8", "must be a positive integer; got d - 8 = 0"),
        ("arange", "repeat", "d/2", INTEGER + '"d/2" at "/"'),
    ],
)
def test_bad_numbers(name: str, key: str, number: Any, fact: str) -> None:
    error = fail({"type": name, key: number})
    assert (error.path, error.fact) == (("tensors", "w", "init", key), fact)


def test_an_expression_with_fans_needs_them() -> None:
    error = fail({"type": "uniform", "bound": "1/sqrt(fan_in)"}, shape=[8])
    assert error.fact == (
        '"1/sqrt(fan_in)" needs fans: two axes or more beside batch axes; got shape [8]'
    )
    assert error.path == ("tensors", "w", "shape")
    assert "fans_of" in str(error.hint)


def test_a_dim_must_not_bear_the_name_of_a_fan() -> None:
    tables = {"w": {"shape": ["fan_in", 2], "init": {"type": "normal", "std": "1/fan_in"}}}
    with pytest.raises(SpecError, match="fan_in is the tensor's fan, and must not be a dim too"):
        xavinit.make_plan({"dims": {"fan_in": 3}, "tensors": tables})


# --- The fans of another tensor ---------------------------------------------------------------

BOUND = {"type": "uniform", "bound": "1/sqrt(fan_in)"}


def test_a_bias_takes_the_fans_of_its_weight() -> None:
    spec = {
        "tensors": {
            "fc.{2}.{q,k}.bias": {"shape": [3], "init": BOUND, "fans_of": "fc.{2}.{q,k}.weight"},
            "fc.{2}.{q,k}.weight": [3, 16],
            "again": {"tied": "fc.1.k.bias"},
        },
        "rules": [{"match": "fc.1.k.weight", "layout": "in_out"}],
    }
    tensors = {tensor.name: tensor for tensor in xavinit.make_plan(spec).tensors}
    for name, fans in {
        "fc.0.q.bias": Fans(16, 3),
        "fc.0.k.bias": Fans(16, 3),
        "fc.1.q.bias": Fans(16, 3),
        "fc.1.k.bias": Fans(3, 16),  # a family of its own, as its weight is
        "again": Fans(3, 16),
    }.items():
        assert tensors[name].fans == fans
        assert tensors[name].law == Uniform(1 / math.sqrt(fans.fan_in))


def test_fans_of_a_tie_of_a_layer_and_by_a_rule() -> None:
    spec = {
        "tensors": {
            "a": {"shape": [3], "fans_of": "tie"},
            "b": [3],
            "tie": {"tied": "w"},
            "w": {"shape": [3, 4], "init": "zeros"},
        },
        "rules": [{"match": "b", "fans_of": "l.weight", "init": "lecun_uniform"}],
        "layers": [{"name": "l", "type": "conv2d", "in": 5, "out": 2, "kernel": 3}],
    }
    tensors = {tensor.name: tensor for tensor in xavinit.make_plan(spec).tensors}
    assert tensors["a"].law == Uniform(math.sqrt(3 / 3.5))  # the default, a Glorot uniform
    assert tensors["b"].fans == Fans(45, 18)
    assert tensors["b"].law == Uniform(math.sqrt(3 / 45))


@pytest.mark.parametrize(
    ("target", "fact"),
    [
        ("v", 'must be the name of a tensor; got "v"'),
        ("b", 'must be a tensor that has no fans_of itself; got "b"'),
        ("one", 'must be a tensor with fans; got "one": [4]'),
        ("none", 'must be a tensor with fans; got "none": [0, 4]'),
        ("x.{2}", 'a brace must be one of the name\'s own; got {2} in "x.{2}"'),
    ],
)
def test_fans_of_what_has_none(target: str, fact: str) -> None:
    tensors = {
        "b": {"shape": [3], "init": BOUND, "fans_of": target},
        "one": {"shape": [4], "init": "zeros"},
        "none": [0, 4],
    }
    with pytest.raises(SpecError) as caught:
        xavinit.make_plan({"tensors": tensors})
    assert (caught.value.fact, caught.value.path) == (fact, ("tensors", "b", "fans_of"))


def test_fans_of_a_tensor_whose_axes_give_it_none() -> None:
    experts = {"shape": [4, 3], "batch_axis": 0, "init": "zeros"}  # two axes, but no fans
    spec = {"tensors": {"b": {"shape": [3], "init": BOUND, "fans_of": "e"}, "e": experts}}
    with pytest.raises(SpecError, match="needs fans"):
        xavinit.make_plan(spec)


@pytest.mark.parametrize("key", [{"fans_of": "l.weight"}, {"zero_rows": [0]}])
def test_a_rule_gives_a_layer_no_key_of_tensors(key: dict[str, Any]) -> None:
    spec = {
        "rules": [{"match": "l.bias", **key}],
        "layers": [{"name": "l", "type": "dense", "in": 3, "out": 2}],
    }
    with pytest.raises(SpecError) as caught:
        xavinit.make_plan(spec)
    assert caught.value.fact == f'{next(iter(key))} is for tensors; the rule matches "l.bias"'
    spec = {"defaults": key, "layers": spec["layers"]}
    assert len(xavinit.make_plan(spec).tensors) == 2  # of raw tensors, of which there is none
