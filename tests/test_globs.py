"""Globs mean what fnmatch means by them, and the index of rules finds what each of them would."""

from __future__ import annotations

from collections import deque
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xavinit.errors import SpecError
from xavinit.spec import matching
from xavinit.spec.globs import LONGEST_GLOB, parse_glob
from xavinit.spec.matching import LONGEST_KEY, Matcher
from xavinit.spec.settings import MOST_RULES, parse_rules

GLOBS = st.text("ab.*?[]!-", max_size=10)
NAMES = st.text("ab.[]!-", max_size=8)


@given(GLOBS, NAMES)
def test_a_glob_matches_what_fnmatch_says(glob: str, name: str) -> None:
    assert parse_glob(glob).matches(name) == fnmatchcase(name, glob)


@given(st.lists(GLOBS, max_size=12), st.lists(NAMES, max_size=6))
def test_the_index_finds_the_rules_that_match(globs: list[str], names: list[str]) -> None:
    matcher = Matcher([parse_glob(glob) for glob in globs])
    for name in names:
        expected = tuple(i for i, glob in enumerate(globs) if fnmatchcase(name, glob))
        assert matcher.find(name) == expected


@pytest.mark.parametrize("length", [LONGEST_KEY - 1, LONGEST_KEY, LONGEST_KEY + 1, 3 * LONGEST_KEY])
def test_long_starts_and_ends_are_compared_whole(length: int) -> None:
    text = "a" * (length - 1)
    globs = [f"*b{text}", f"*c{text}", f"{text}b*", f"{text}c*", f"{text}b*b{text}"]
    matcher = Matcher([parse_glob(glob) for glob in globs])
    assert matcher.find(f"b{text}") == (0,)
    assert matcher.find(f"{text}b") == (2,)
    assert matcher.find(f"{text}bb{text}") == (0, 2, 4)


def test_a_glob_has_a_longest() -> None:
    assert parse_glob("a" * LONGEST_GLOB).matches("a" * LONGEST_GLOB)
    with pytest.raises(SpecError, match="a glob must be at most 1,024 characters; got 1025: "):
        parse_glob("a" * (LONGEST_GLOB + 1))


def test_a_spec_has_a_most_of_rules() -> None:
    rule = {"match": "w", "dtype": "float16"}
    assert len(parse_rules([rule] * MOST_RULES, {})) == MOST_RULES
    with pytest.raises(SpecError, match="must be at most 10,000 rules; got 10,001"):
        parse_rules([rule] * (MOST_RULES + 1), {})


def test_the_steps_of_comparing_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "MOST_STEPS", 100_000)
    for glob, count in (("*.w", 400), ("*.w?.*", 20), ("*a*a*", 30)):
        matcher = Matcher([parse_glob(glob)])
        for _ in range(count):
            matcher.find("h.0.w1.a.a.b")
        with pytest.raises(SpecError, match="must take at most 100,000 steps"):
            deque(map(matcher.find, ["h.0.w1.a.a.b"] * 20 * count), maxlen=0)
