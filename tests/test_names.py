"""Names with braces: what they stand for, and references that take their indices."""

from __future__ import annotations

import contextlib
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import xavinit
from xavinit.errors import SpecError
from xavinit.spec.names import MOST_TENSORS, parse_pattern, parse_reference

DIMS = {"n": 2, "none": 0, "top": 3}


def expand(text: str) -> list[str]:
    return [name for name, _ in parse_pattern(text, DIMS).expand()]


def refer(reference: str, name: str) -> list[str]:
    pattern = parse_pattern(name, DIMS)
    parsed = parse_reference(reference, pattern.braces)
    return [parsed.fill(words) for _, words in pattern.expand()]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("w", ["w"]),
        ("", [""]),
        ("h.{n}.w", ["h.0.w", "h.1.w"]),
        ("{3}", ["0", "1", "2"]),
        ("{n+1}", ["0", "1", "2"]),
        ("{ n }", ["0", "1"]),
        ("{(n)*2 - 3}", ["0"]),
        ("{0}", []),
        ("a{none}b", []),
        ("{2..4}", ["2", "3", "4"]),
        ("{n..top}", ["2", "3"]),
        ("{n .. n}", ["2"]),
        ("{top-1..2*n}", ["2", "3", "4"]),
        ("{8..11}", ["8", "9", "10", "11"]),
        ("{weight,bias}", ["weight", "bias"]),
        ("{weight, bias }", ["weight", "bias"]),
        ("{b,a}", ["b", "a"]),
        ("w{,.orig}", ["w", "w.orig"]),
        ("{n,}", ["n", ""]),
        ("{1,2}", ["1", "2"]),
        ("{a..b,c}", ["a..b", "c"]),
        ("{é,日本 語}", ["é", "日本 語"]),
        # Several: the last is the fastest.
        ("{n}.{w,b}", ["0.w", "0.b", "1.w", "1.b"]),
        ("{w,b}.{n}", ["w.0", "w.1", "b.0", "b.1"]),
        ("{2}{2}{2}", ["000", "001", "010", "011", "100", "101", "110", "111"]),
        ("{n}.{0}", []),
        # Literal braces.
        ("{{n}}", ["{n}"]),
        ("{{", ["{"]),
        ("a}}b", ["a}b"]),
        ("{{{n}}}", ["{0}", "{1}"]),
        ("{{{{}}}}", ["{{}}"]),
        ("{2}}}", ["0}", "1}"]),
        # Nothing else is special.
        ("a.*?[b]\\$/x y\n", ["a.*?[b]\\$/x y\n"]),
    ],
)
def test_expansion(text: str, names: list[str]) -> None:
    assert expand(text) == names
    assert parse_pattern(text, DIMS).count == len(names)


RULE = "must be an integer expression (integers, dims, + - * // and parentheses); got "
RANGE = "a brace must be {n} with n of at least 0, or {a..b} with 0 ≤ a ≤ b; got "


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("{", 'a brace must be closed; got "{"'),
        ("}", 'a brace must be closed; got "}"'),
        ("h.{n", 'a brace must be closed; got "h.{n"'),
        ("h.n}", 'a brace must be closed; got "h.n}"'),
        ("{a{b}c}", 'a brace must be closed; got "{a{b}c}"'),
        ("{{n}", 'a brace must be closed; got "{{n}"'),
        ("{n}}", 'a brace must be closed; got "{n}}"'),
        ("}{", 'a brace must be closed; got "}{"'),
        ("{}", f'brace {{}}: {RULE}""'),
        ("{1.5}", f'brace {{1.5}}: {RULE}"1.5" at "."'),
        ("{1..}", f'brace {{1..}}: {RULE}""'),
        ("{..3}", f'brace {{..3}}: {RULE}""'),
        ("{1..2..3}", f'brace {{1..2..3}}: {RULE}"2..3" at "."'),
        ("{m}", 'brace {m}: unknown dim "m"'),
        ("{1//none}", 'brace {1//none}: must not divide by zero; got "1//none"'),
        ("{-1}", RANGE + '{-1} in "{-1}"'),
        ("h.{5..2}", RANGE + '{5..2} in "h.{5..2}"'),
        ("{3..2}", RANGE + '{3..2} in "{3..2}"'),
        ("{-1..2}", RANGE + '{-1..2} in "{-1..2}"'),
    ],
)
def test_what_is_no_pattern(text: str, fact: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_pattern(text, DIMS)
    assert caught.value.fact == fact


@given(st.text("ab{}.,0123n-", max_size=12))
def test_any_text_is_a_pattern_or_an_error(text: str) -> None:
    with contextlib.suppress(SpecError):
        pattern = parse_pattern(text, DIMS)
        if pattern.count <= 10_000:
            assert len(list(pattern.expand())) == pattern.count


@given(st.text())
def test_doubled_braces_make_any_text_literal(text: str) -> None:
    assert expand(text.replace("{", "{{").replace("}", "}}")) == [text]


@given(st.lists(st.integers(0, 4) | st.lists(st.sampled_from("abc"), min_size=2, max_size=3)))
def test_braces_multiply_in_order(braces: list[Any]) -> None:
    braces = braces[:4]
    text = "".join(f".{{{b if isinstance(b, int) else ','.join(b)}}}" for b in braces)
    words = (map(str, range(b)) if isinstance(b, int) else b for b in braces)
    assert expand(text) == ["".join(f".{word}" for word in some) for some in product(*words)]


# --- References ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reference", "name", "names"),
    [
        ("x", "h.{n}", ["x", "x"]),
        ("x.{n}", "h.{n}", ["x.0", "x.1"]),
        ("{w,b}.{n}", "{n}.{w,b}", ["w.0", "b.0", "w.1", "b.1"]),
        ("{w,b}", "{2}.{w,b}", ["w", "b", "w", "b"]),
        ("{n}{n}", "{n}", ["00", "11"]),
        # Of several with one text, in order; then from the first again.
        ("{n}/{n}", "{n}.{n}", ["0/0", "0/1", "1/0", "1/1"]),
        ("{n}{n}{n}", "{n}.{n}", ["000", "010", "101", "111"]),
        ("{{n}}", "{n}", ["{n}", "{n}"]),
        ("{{{n}}}", "{n}", ["{0}", "{1}"]),
        ("", "{n}", ["", ""]),
        ("{1..2}", "{1..2}", ["1", "2"]),
        ("é{n}", "{n}", ["é0", "é1"]),
    ],
)
def test_references_take_the_names_indices(reference: str, name: str, names: list[str]) -> None:
    assert refer(reference, name) == names


@pytest.mark.parametrize(
    ("reference", "name", "fact"),
    [
        ("x.{n}", "h", 'a brace must be one of the name\'s own; got {n} in "x.{n}"'),
        ("x.{2}", "h.{n}", 'a brace must be one of the name\'s own; got {2} in "x.{2}"'),
        ("x.{}", "h.{n}", 'a brace must be one of the name\'s own; got {} in "x.{}"'),
        ("x.{n", "h.{n}", 'a brace must be closed; got "x.{n"'),
        ("x}", "h.{n}", 'a brace must be closed; got "x}"'),
    ],
)
def test_what_is_no_reference(reference: str, name: str, fact: str) -> None:
    with pytest.raises(SpecError) as caught:
        refer(reference, name)
    assert caught.value.fact == fact


# --- In a spec -------------------------------------------------------------------------------


def plan_names(*patterns: str) -> list[str]:
    return [tensor.name for tensor in plan_all({name: [2, 2] for name in patterns}).tensors]


def plan_all(tensors: dict[str, Any]) -> xavinit.Plan:
    return xavinit.make_plan({"dims": dict(DIMS), "tensors": tensors})


def test_tensors_stand_in_the_specs_order() -> None:
    names = plan_names("z.{n}.{w,b}", "a", "m.{1..2}", "none.{none}")
    assert names == ["z.0.w", "z.0.b", "z.1.w", "z.1.b", "a", "m.1", "m.2"]


def test_streams_and_ties_take_indices() -> None:
    plan = plan_all(
        {
            "enc.{n}.{w,v}": [4, 2],
            "dec.{n}.{w,v}": {"tied": "enc.{n}.{w,v}"},
            "new.{n}": {"shape": [3, 2], "stream": "old.{n}"},
            "all.{n}": {"shape": [3, 2], "stream": "one"},
        }
    )
    streams = {tensor.name: tensor.stream for tensor in plan.tensors}
    assert streams == {
        **{
            f"{model}.{i}.{w}": f"enc.{i}.{w}"
            for model in ("enc", "dec")
            for i in "01"
            for w in "wv"
        },
        "new.0": "old.0",
        "new.1": "old.1",
        "all.0": "one",
        "all.1": "one",
    }


def test_a_million_tensors_and_no_more() -> None:
    assert MOST_TENSORS == 10**6
    with pytest.raises(SpecError, match="must be at most 1,000,000 tensors; got 1000001"):
        plan_names("{1000000}", "w")


@pytest.mark.parametrize(
    "name",
    [
        "{99999999}.{99999999}",
        "{9223372036854775806}",
        "{0..9223372036854775806}",
        "{99999999}." * 50,
    ],
)
def test_huge_counts_are_refused_before_anything_is_listed(name: str) -> None:
    with pytest.raises(SpecError, match="must be at most 1,000,000 tensors; got "):
        plan_names(name)


def test_a_huge_brace_beside_an_empty_one_is_not_listed() -> None:
    assert plan_names("{9223372036854775806}.{none}", "{0..9223372036854775806}.{0}") == []


@pytest.mark.parametrize(
    ("names", "got", "other", "at"),
    [
        (["a.{2}", "a.1"], "a.1", "a.{2}", "a.1"),
        (["a.1", "a.{2}"], "a.1", "a.1", "a.{2}"),
        (["{x,x}"], "x", "{x,x}", "{x,x}"),
        (["{a,ab}{b,}"], "ab", "{a,ab}{b,}", "{a,ab}{b,}"),
        (["{1,12}{23,3}"], "123", "{1,12}{23,3}", "{1,12}{23,3}"),
        (["{{", "{{{,x}"], "{", "{{", "{{{,x}"),
    ],
)
def test_two_tensors_with_one_name(names: list[str], got: str, other: str, at: str) -> None:
    with pytest.raises(SpecError) as caught:
        plan_names(*names)
    fact = f'two tensors must not have one name; got "{got}", also from "{other}"'
    assert (caught.value.fact, caught.value.path) == (fact, ("tensors", at))
