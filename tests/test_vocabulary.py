"""What people call things elsewhere: each row of the table is right, and is what a user is told."""

from __future__ import annotations

from typing import Any

import pytest

import xavinit
from xavinit.advice import ADVICE
from xavinit.choices import FormatName
from xavinit.cli import cli
from xavinit.dtypes import DTYPES
from xavinit.failures import format_error
from xavinit.spec.convert import CHOICES
from xavinit.spec.layer_types import LAYER_TYPES, LayerGroup
from xavinit.spec.types import Rule, SpecTable, TensorTable
from xavinit.verbs.new import TEMPLATES
from xavinit.vocabulary import SAME
from xavinit.wording import suggest

FORMATS = FormatName.__args__  # type: ignore[attr-defined]
# The keys of every table, by a name of it.
TABLES: dict[str, tuple[str, ...]] = {
    **{name: ("type", *kind.__struct_encode_fields__) for name, kind in LAYER_TYPES.items()},
    "group": LayerGroup.__struct_encode_fields__,
    "tensor": TensorTable.__struct_encode_fields__,
    "rule": Rule.__struct_encode_fields__,
    "top": SpecTable.__struct_encode_fields__,
    "init": ("type", "gain", "mode", "distribution", "value", "bound", "std"),
}
KINDS = {
    **{kind: CHOICES[kind] for kind in SAME if kind in CHOICES},
    "command": tuple(cli.commands),
    "format": FORMATS,
    "layer": tuple(LAYER_TYPES),
    "template": tuple(TEMPLATES),
}


def list_rows(table: Any, *, keys: bool) -> list[tuple[str, str, str]]:
    return [
        (kind, told, word)
        for kind, rows in table.items()
        if (kind == "key") is keys
        for told, words in rows.items()
        for word in words
    ]


def test_every_kind_is_a_choice_or_the_keys() -> None:
    assert {*SAME, *ADVICE} == {*KINDS, "key"}


@pytest.mark.parametrize(("kind", "ours", "word"), list_rows(SAME, keys=False))
def test_a_name_elsewhere_hints_at_ours(kind: str, ours: str, word: str) -> None:
    assert ours in KINDS[kind]
    assert word not in KINDS[kind]
    assert suggest(word, KINDS[kind], kind) == f'did you mean "{ours}"?'


@pytest.mark.parametrize(("kind", "advice", "word"), list_rows(ADVICE, keys=False))
def test_what_is_not_here_gets_advice(kind: str, advice: str, word: str) -> None:
    assert word not in KINDS[kind], "take the row out: there is one now"
    assert suggest(word, KINDS[kind], kind) == advice


@pytest.mark.parametrize(("kind", "ours", "word"), list_rows(SAME, keys=True))
def test_a_key_elsewhere_hints_at_ours_in_some_table(kind: str, ours: str, word: str) -> None:
    told = {suggest(word, keys, kind) for keys in TABLES.values() if word not in keys}
    assert f'did you mean "{ours}"?' in told


@pytest.mark.parametrize(("kind", "advice", "word"), list_rows(ADVICE, keys=True))
def test_a_key_that_is_not_here_gets_advice(kind: str, advice: str, word: str) -> None:
    tables = [keys for keys in TABLES.values() if word not in keys]
    assert advice in {suggest(word, keys, kind) for keys in tables}


@pytest.mark.parametrize("kind", sorted({*SAME, *ADVICE} - {"key"}))
def test_a_word_stands_in_one_row(kind: str) -> None:
    words = [
        word for table in (SAME, ADVICE) for row in table.get(kind, {}).values() for word in row
    ]
    assert len(set(words)) == len(words)


def plan(**keys: Any) -> xavinit.Plan:
    return xavinit.make_plan({"tensors": {"w": {"shape": [4, 6], **keys}}})


@pytest.mark.parametrize("name", ["uniform", "normal", "truncated_normal"])
def test_kaiming_is_he(name: str) -> None:
    tensors = plan(init=f"kaiming_{name}").tensors
    assert tensors == plan(init=f"he_{name}").tensors


def read_hint(**keys: Any) -> str | None:
    with pytest.raises(xavinit.SpecError) as caught:
        plan(**keys)
    return caught.value.hint


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        (0, "did you mean zeros?"),
        (1.0, "did you mean ones?"),
        (0.5, "did you mean {type: constant, value: 0.5}?"),
        (True, None),
        ("RandomNormal", "did you mean {type: normal, std: …}?"),
        ("uniform_", "did you mean {type: uniform, bound: …}?"),
        ("jax.nn.initializers.Zeros", 'did you mean "zeros"?'),
        ("glorot_nromal", 'did you mean "glorot_normal"?'),
        ("frobnicate", None),
    ],
)
def test_hints_at_initializers(given: object, hint: str | None) -> None:
    assert read_hint(init=given) == hint


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("flaot32", 'did you mean "float32"?'),
        ("torch.bfloat16", 'did you mean "bfloat16"?'),
        ("FLOAT16", 'did you mean "float16"?'),
        ("np.half", 'did you mean "float16"?'),
        ("decimal", None),
        ("int9", None),
    ],
)
def test_hints_at_dtypes(word: str, hint: str | None) -> None:
    assert suggest(word, DTYPES, "dtype") == hint


@pytest.mark.parametrize(("word", "choice"), [("x", "y"), ("ab", "ac"), ("--version", "--json")])
def test_another_word_is_no_slip(word: str, choice: str) -> None:
    assert suggest(word, [choice]) is None


@pytest.mark.parametrize(("word", "choice"), [("D", "d"), ("sdt", "std"), ("wieght", "weight")])
def test_a_slip_is_seen(word: str, choice: str) -> None:
    assert suggest(word, [choice]) == f'did you mean "{choice}"?'


@pytest.mark.parametrize(
    ("spec", "hint"),
    [
        ({"dtype": "bfloat16"}, "for all tensors, write defaults: {dtype: …}"),
        ({"init": "zeros"}, "for all tensors, write defaults: {init: …}"),
        (
            {"tensors": {"w": {"shape": [3, 4], "std": 0.02}}},
            "it is a key of an initializer: init: {type: …, std: …}",
        ),
        (
            {"tensors": {"w": {"shape": [3, 4], "init": {"normal": {"std": 0.02}}}}},
            "write {type: normal, std: 0.02}",
        ),
        (
            {"rules": {"*.bias": "zeros"}},
            'each is a table of its own: - {match: "*.bias", init: zeros}',
        ),
    ],
)
def test_a_key_in_the_wrong_table_is_told_where_it_belongs(spec: Any, hint: str) -> None:
    with pytest.raises(xavinit.SpecError) as caught:
        xavinit.make_plan({"tensors": {"w": [3, 4]}, **spec})
    assert caught.value.hint == hint


@pytest.mark.parametrize("width", [30, 80])
def test_choices_are_wrapped_between_words_on_a_terminal(width: int) -> None:
    with pytest.raises(xavinit.SpecError) as caught:
        xavinit.make_plan({"tensors": {"w": {"shape": [3, 4], "init": "linspace"}}})
    _, *lines = format_error(caught.value, width).splitlines()
    assert len(lines) > 1
    assert max(map(len, lines)) <= width
    words = " ".join(lines).replace(",", "").split()
    assert words == ["choices:", *caught.value.choices]
