"""What is in a weights file as JSON and in words, of inspections whose figures NumPy computed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from inspections import (
    make_hostile,
    make_inspection,
    make_many,
    make_model,
    make_odd,
    make_tensor,
)
from jsonschema import Draft202012Validator

from xavinit.plan import Constant, Fans, Law, Normal, TruncatedNormal, Uniform
from xavinit.reading import Guess, Histogram, Summary
from xavinit.report.guesses import format_guess, guess_to_data
from xavinit.report.inspections import inspection_to_data, inspection_to_json
from xavinit.verbs.inspect import InspectedTensor, Inspection

DOCS = Path(__file__).parent.parent / "docs"
SCHEMA = json.loads((DOCS / "json.inspect.schema.json").read_text(encoding="utf-8"))


def refuse(constant: str) -> None:
    raise AssertionError(f"JSON has no {constant}")


@pytest.mark.parametrize(
    "make", [make_model, make_odd, make_hostile, lambda: make_many(3), lambda: make_inspection([])]
)
def test_it_is_one_line_valid_against_its_schema(make: Callable[[], Inspection]) -> None:
    text = inspection_to_json(make())
    assert "\n" not in text
    content = json.loads(text, parse_constant=refuse)
    Draft202012Validator(SCHEMA).validate(content)
    assert content == inspection_to_data(make())


def test_the_figures_are_those_of_the_inspection() -> None:
    values = np.array([[0.0, 0.25, -1.5], [np.nan, np.inf, -np.inf]], np.float32)
    inspection = make_inspection([make_tensor("w", values, label="dense")], "w.npy")
    content = inspection_to_data(inspection)
    histogram = content["tensors"][0].pop("histogram")
    assert content == {
        "version": 1,
        "path": "w.npy",
        "format": "safetensors",
        "metadata": {},
        "spec": None,
        "seed": None,
        "stream": None,
        "tensors": [
            {
                "name": "w",
                "label": "dense",
                "shape": [2, 3],
                "dtype": "float32",
                "count": 6,
                "bytes": 24,
                "mean": pytest.approx(-1.25 / 3),
                "std": pytest.approx(np.std([0, 0.25, -1.5])),
                "min": -1.5,
                "max": 0.25,
                "zeros": 1,
                "nans": 1,
                "positive_infinities": 1,
                "negative_infinities": 1,
                "quantiles": {
                    str(share): pytest.approx(np.quantile([0, 0.25, -1.5], share))
                    for share in (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
                },
                "law": None,
            }
        ],
        "match": None,
        "tensors_in_file": 0,
        "skipped": 0,
        "parameters": 6,
        "bytes": 24,
        "zeros": 1,
        "nans": 1,
        "positive_infinities": 1,
        "negative_infinities": 1,
    }
    assert sum(histogram["counts"]) == 3
    assert len(histogram["edges"]) == len(histogram["counts"]) + 1


def test_integers_stay_exact() -> None:
    values = np.array([-(2**63), 2**63 - 1])
    (tensor,) = json.loads(inspection_to_json(make_inspection([make_tensor("w", values)])))[
        "tensors"
    ]
    assert (tensor["min"], tensor["max"]) == (-(2**63), 2**63 - 1)


@pytest.mark.parametrize("figure", [float("inf"), float("nan")])
def test_what_is_beyond_float64_is_null(figure: float) -> None:
    summary = Summary(
        size=2,
        std=figure,
        quantiles=(figure,) * 7,
        histogram=Histogram((0.0, figure), (2,)),
    )
    tensor = InspectedTensor("w", (2,), "float64", 16, summary)
    content = inspection_to_data(make_inspection([tensor]))["tensors"][0]
    assert (content["std"], content["histogram"]) == (None, None)
    assert set(content["quantiles"].values()) == {None}


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_a_spec_that_json_does_not_have_is_left_out(value: float) -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    for spec in ({"seed": value}, {"seed": deep}):
        assert inspection_to_data(make_inspection([], spec=spec))["spec"] is None


FANS = Fans(784, 128)


@pytest.mark.parametrize(
    ("law", "initializers", "fans", "text"),
    [
        (Uniform(0.0811), ("glorot_uniform",), FANS, "glorot_uniform, fans 784 and 128"),
        (Normal(0.1), ("glorot_normal", "he_normal"), FANS, None),
        (Uniform(0.0357142), (), None, "uniform ±0.0357"),
        (Normal(0.02), (), None, "normal, std 0.02"),
        (TruncatedNormal(0.02), (), None, "normal cut at two, std 0.02"),
        (Constant(1.0), (), None, "constant 1"),
        (Constant(2**60), (), None, f"constant {2**60}"),
        (Constant(True), (), None, "constant true"),
        (Constant(0.0), ("zeros",), None, "zeros"),
        (Normal(0.1), ("lecun_normal",), Fans(2.5, 4), "lecun_normal, fan_in 2.5"),
        (
            Uniform(0.5),
            ("pytorch_default",),
            Fans(4, 2),
            "PyTorch's default, uniform ±1/√fan_in, fan_in 4",
        ),
        (Normal(0.1), ("lecun_normal",), Fans(10**9, 4), "lecun_normal, fan_in 1000000000"),
    ],
)
def test_a_law_in_words(
    law: Law, initializers: tuple[str, ...], fans: Fans | None, text: str | None
) -> None:
    expected = text or "glorot_normal or he_normal, fans 784 and 128"
    assert format_guess(Guess(law, initializers, fans)) == expected


def test_a_law_as_data() -> None:
    assert guess_to_data(None) is None
    assert guess_to_data(Guess(Uniform(0.5), ("he_uniform",), Fans(24, 8))) == {
        "type": "uniform",
        "bound": 0.5,
        "initializers": ["he_uniform"],
        "fan_in": 24,
        "fan_out": 8,
    }
