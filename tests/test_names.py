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
from xavinit.spec.names import (
    MOST_TENSORS,
    measure,
    measure_range,
    parse_pattern,
    parse_reference,
)
from xavinit.spec.network import parse_layers

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
        # Where a dim makes the end come before the start, nothing.
        ("h.{top..n}", []),
        ("{5..n}.w", []),
        ("{top..1..2}", []),
        ("{4..none-1}", []),
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
STEP = "the step of a brace {a..b..step} must be at least 1; got "
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
        ("{1..2..3..4}", f'brace {{1..2..3..4}}: {RULE}"3..4" at "."'),
        ("{1..2..}", f'brace {{1..2..}}: {RULE}""'),
        ("{1..2..0}", STEP + '{1..2..0} in "{1..2..0}"'),
        ("{1..2..-1}", STEP + '{1..2..-1} in "{1..2..-1}"'),
        ("{2..1..1}", RANGE + '{2..1..1} in "{2..1..1}"'),
        ("{m}", 'brace {m}: unknown dim "m"'),
        ("{1//none}", 'brace {1//none}: must not divide by zero; got "1//none"'),
        ("{-1}", RANGE + '{-1} in "{-1}"'),
        ("h.{5..2}", RANGE + '{5..2} in "h.{5..2}"'),
        ("{3..2}", RANGE + '{3..2} in "{3..2}"'),
        ("{-1..2}", RANGE + '{-1..2} in "{-1..2}"'),
        ("{n-3..none}", RANGE + '{n-3..none} in "{n-3..none}"'),
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
        "{99999999}." * 30,
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


@pytest.mark.parametrize(
    "text",
    ["w", "", "é.{n}", "{3}.{w,bias,日本}", "{7..1203}", "{0}", "{0}{w,bias}", "{n,}.a/b.{a.b,c}"],
)
def test_an_extent_is_that_of_the_names(text: str) -> None:
    names = expand(text)
    extent = parse_pattern(text, DIMS).extent
    assert extent.count == len(names)
    assert extent.nbytes == sum(len(name.encode()) for name in names)
    if names:
        assert extent.longest == max(len(name.encode()) for name in names)
        assert extent.dividers == max(name.count(".") + name.count("/") for name in names)


@pytest.mark.parametrize(
    ("most", "more", "rule"),
    [
        ("é" * 512, "é" * 512 + "a", "a name must be at most 1,024 bytes; got 1,025: "),
        ("a" * 1020 + "{0..1000}", "a" * 1021 + "{1001}", "a name must be at most 1,024 bytes"),
        ("a./" * 31 + "a.w", "a./" * 31 + "a.w/b", "a name must be at most 64 parts, "),
        ("{1}" * 32, "{1}" * 33, "must be at most 32 braces; got more: "),
    ],
)
def test_limits_of_a_name(most: str, more: str, rule: str) -> None:
    assert parse_pattern(most, {}).count >= 1
    with pytest.raises(SpecError, match=rule):
        parse_pattern(more, {})


def test_a_layer_and_its_groups_have_one_name_within_the_limit() -> None:
    def plan(length: int) -> None:
        norm = {"name": "b" * 500, "type": "rms_norm", "size": 2}
        xavinit.make_plan({"layers": [{"name": "a" * length, "layers": [norm]}]})

    plan(1024 - len(".") - 500 - len(".weight"))
    with pytest.raises(SpecError, match=r"layers\[0\].layers\[0\].name: .* got 1,025: "):
        plan(1025 - len(".") - 500 - len(".weight"))


def test_the_extent_of_a_stack_is_that_of_its_parts() -> None:
    lstm = {"name": "a{2}", "type": "lstm", "in": 2, "hidden": 2, "num_layers": 12}
    (node,) = parse_layers([{**lstm, "bidirectional": True}], {})
    sizes = [len(f"a0.{entry.role}") for entry in node.entries]
    assert node.extent.count == 2 * len(sizes) == 2 * 12 * 2 * 4
    assert (node.extent.nbytes, node.extent.longest) == (2 * sum(sizes), max(sizes))


def test_all_names_together_have_a_limit() -> None:
    with pytest.raises(SpecError, match="names must be at most 64,000,000 bytes together; got "):
        plan_names("a" * 700 + "{100000}")


# --- Steps -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{0..9..4}", ["0", "4", "8"]),
        ("{4..n-1..s}", ["4", "12", "20"]),
        ("{8..16..8}", ["8", "16"]),
        ("{3..3..100}", ["3"]),
    ],
)
def test_a_range_by_steps(text: str, words: list[str]) -> None:
    pattern = parse_pattern(text, {"n": 24, "s": 8})
    assert [name for name, _ in pattern.expand()] == words


@given(st.integers(0, 3000), st.integers(0, 20_000), st.integers(1, 9) | st.integers(1, 10**6))
def test_a_range_is_measured_as_its_words_are(start: int, length: int, step: int) -> None:
    words = [str(number) for number in range(start, start + length + 1, step)]
    assert measure_range(start, start + length + 1, step) == measure(words)
