"""`derive` with `laws="as-is"`: the spec says what the source's numbers look like."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from safetensors.numpy import save_file

import xavinit
from xavinit.cli import cli
from xavinit.dtypes import DTYPES
from xavinit.errors import UsageError
from xavinit.plan import Law
from xavinit.verbs.decimals import find_shortest, round_down, round_near

Weights = dict[str, Any]


def make_weights() -> Weights:
    """Three blocks, drawn by NumPy: Glorot's, PyTorch's default, normal; and a few of no law."""
    draw = np.random.default_rng(8)
    weights: Weights = {"embed.weight": draw.normal(0, 0.02, (1000, 64))}
    for n in range(3):
        bound = (6 / 320) ** 0.5
        weights[f"h.{n}.up.weight"] = draw.uniform(-bound, bound, (256, 64))
        weights[f"h.{n}.up.bias"] = np.zeros(256)
        weights[f"h.{n}.down.weight"] = draw.uniform(-1 / 16, 1 / 16, (64, 256))
        weights[f"h.{n}.down.bias"] = draw.uniform(-1 / 16, 1 / 16, 64)
        weights[f"h.{n}.norm.weight"] = np.ones(64)
    weights["head.weight"] = draw.normal(0, 0.02, (1000, 64))
    weights["moved"] = draw.uniform(0, 0.1, (90, 90))
    weights["scale"] = np.full(5, 3.3)
    found: Weights = {name: array.astype("f4") for name, array in weights.items()}
    found["ids"] = np.arange(512)[None]
    found["count"] = np.array(1000)
    return found


def derive_as_is(weights: Weights) -> Weights:
    derived = xavinit.derive(weights, laws="as-is")
    drawn = xavinit.draw(derived.spec)
    assert {n: (a.shape, a.dtype) for n, a in drawn.items()} == {
        n: (a.shape, a.dtype) for n, a in weights.items()
    }
    spec: Weights = derived.spec
    return spec


def test_the_spec_has_the_laws_that_the_values_look_like() -> None:
    spec = derive_as_is(make_weights())
    assert spec["defaults"] == {"init": "glorot_uniform", "dtype": "float32"}
    assert spec["rules"] == [
        {"match": "*embed*.weight", "init": {"type": "normal", "std": 0.02}},
        {"match": "*.norm.weight", "init": "ones"},
    ]
    assert spec["tensors"] == {
        "embed.weight": ["vocab", "d"],
        "h.{blocks}.up.weight": ["4*d", "d"],
        "h.{blocks}.up.bias": {"shape": ["4*d"], "init": "zeros"},
        # PyTorch's default, whose bound follows from the fans
        "h.{blocks}.down.weight": {
            "shape": ["d", "4*d"],
            "init": {"type": "uniform", "bound": "1/sqrt(fan_in)"},
        },
        "h.{blocks}.down.bias": {"shape": ["d"], "init": {"type": "uniform", "bound": 0.0625}},
        "h.{blocks}.norm.weight": ["d"],
        "head.weight": {"shape": ["vocab", "d"], "init": {"type": "normal", "std": 0.02}},
        "moved": {"shape": [90, 90], "init": {"type": "constant", "value": 0.0497}},
        "scale": {"shape": [5], "init": {"type": "constant", "value": 3.3}},
        "ids": {"shape": [1, "8*d"], "init": "arange", "dtype": "int64"},
        "count": {"shape": [], "init": {"type": "constant", "value": 1000}, "dtype": "int64"},
    }


def test_comments_say_what_no_law_was_told_of() -> None:
    lines = xavinit.derive(make_weights(), laws="as-is").text.splitlines()
    said = {line.split(":")[0].strip(' "'): above for above, line in pairwise(lines)}
    assert said["moved"] == "  # looks like no law: near this number"
    assert said["h.{blocks}.down.bias"] == "  # like its weight? too few values to tell"
    assert not said["h.{blocks}.down.weight"].lstrip().startswith("#")
    assert "# The laws are those that the source's numbers look like, their" in lines[3]


def list_laws(path: Path) -> dict[str, Law | None]:
    tensors = xavinit.inspect(path).tensors
    return {t.name: t.summary.guess.law if t.summary.guess else None for t in tensors}


def test_what_is_generated_has_the_laws_of_the_source(tmp_path: Path) -> None:
    save_file(make_weights(), tmp_path / "source.safetensors")
    derived = xavinit.derive(tmp_path / "source.safetensors", laws="as-is")
    xavinit.generate(derived.spec, tmp_path / "new.safetensors")
    source, new = (list_laws(tmp_path / f"{name}.safetensors") for name in ("source", "new"))
    assert sum(law is not None for law in source.values()) > 15
    for name, law in source.items():
        if law is not None:
            assert str(new[name]).split()[0] == str(law).split()[0], name
            given, found = (float(str(each).split()[-1].strip("±")) for each in (law, new[name]))
            assert found == pytest.approx(given, rel=0.02), name


def derive_one(array: Any) -> tuple[Any, str]:
    """The initializer of a lone tensor, and the comment of its line."""
    derived = xavinit.derive({"w": array}, laws="as-is")
    xavinit.draw(derived.spec)
    default, entry = derived.spec["defaults"]["init"], derived.spec["tensors"]["w"]
    note = derived.text.split("measured.")[1].partition("# ")[2].split("\n")[0]
    return (entry.get("init", default) if isinstance(entry, dict) else default), note


def draw() -> np.random.Generator:
    return np.random.default_rng(5)


DRAWN = draw()
WITH_NAN = DRAWN.normal(0, 0.1, (200, 200)).astype("f4")
WITH_NAN[0, :3] = np.nan, np.inf, -np.inf


@pytest.mark.parametrize(
    ("array", "init", "note"),
    [
        (np.zeros((3, 4), "f4"), "zeros", ""),
        (np.full(4, -0.0, "f4"), "zeros", ""),
        (np.ones(3, "f8"), "ones", ""),
        (np.full((2, 2), 0.1, "f4"), {"type": "constant", "value": 0.1}, ""),
        (np.array(0.1, "f4"), {"type": "constant", "value": 0.1}, ""),
        (np.full(2, 2**60 + 1), {"type": "constant", "value": 2**60 + 1}, ""),
        (np.full(3, 65504, "f2"), {"type": "constant", "value": 65500.0}, ""),
        (np.arange(9), "arange", ""),
        (np.arange(6, dtype="u1")[None] + np.zeros((3, 1), "u1"), "arange", ""),
        (np.arange(10, 0, -3, dtype="i4"), {"type": "arange", "start": 10, "step": -3}, ""),
        (
            np.array([0, 2, 1, 3]),
            "ones",
            "looks like no law: from 0 to 3",
        ),
        (np.array([True, False, True]), "ones", "looks like no law: from 0 to 1"),
        (
            np.array([-(2**63), 2**63 - 1]),
            None,
            "looks like no law: from -9223372036854775808 to 9223372036854775807",
        ),
        (DRAWN.normal(0, 1e-3, (200, 200)).astype("f4"), {"type": "normal", "std": 0.000997}, ""),
        (
            DRAWN.normal(0, 0.1, (9, 9)),
            {"type": "normal", "std": 0.0958},
            "too few values to tell a law",
        ),
        (
            DRAWN.uniform(-1, 1, 100),
            {"type": "uniform", "bound": 0.998},
            "too few values to tell a law",
        ),
        (
            DRAWN.standard_t(3, (200, 200)) + 0.1,
            {"type": "normal", "std": 1.72},
            "looks like no law: mean 0.0987",
        ),
        (
            WITH_NAN,
            {"type": "normal", "std": 0.1},
            "1 NaN and 2 infinities in the source; looks like no law",
        ),
        (np.full(3, np.nan, "f4"), "zeros", "3 NaN in the source"),
        (np.zeros((0, 3), "f4"), "glorot_uniform", ""),
    ],
)  # fmt: skip
def test_a_tensor_s_numbers_become_its_initializer(array: Any, init: Any, note: str) -> None:
    found, said = derive_one(array)
    assert said == note
    assert init is None or found == init


@pytest.mark.parametrize("name", sorted(n for n, d in DTYPES.items() if d.is_float))
@pytest.mark.parametrize("share", [1.0, 1e-2, 1e-6])
def test_a_law_fits_its_dtype(name: str, share: float) -> None:
    """Normal values that end at the dtype's largest number: a normal law of their std may not."""
    ml_dtypes = pytest.importorskip("ml_dtypes")
    kind = np.dtype(getattr(ml_dtypes, name, name))
    largest = DTYPES[name].largest
    array = np.clip(draw().normal(0, 0.4, (200, 200)), -1, 1) * (largest * share)
    init, _ = derive_one(array.astype(kind))  # and is drawn
    assert init == "zeros" or init["std"] == pytest.approx(0.39 * largest * share, rel=0.75)


def test_names_stand_only_where_the_spec_has_their_fans() -> None:
    """A fused projection has other fans than its shape: Glorot's numbers there are none of it."""
    weights = {
        "h.0.attn.qkv.weight": draw().normal(0, (2 / (128 + 384)) ** 0.5, (384, 128)).astype("f4"),
        "h.0.up.weight": draw().normal(0, (2 / 640) ** 0.5, (512, 128)).astype("f4"),
    }
    spec = xavinit.derive(weights, laws="as-is").spec
    plan = xavinit.make_plan(spec)
    assert plan["h.0.up.weight"].law == xavinit.Normal((2 / 640) ** 0.5)
    assert plan["h.0.attn.qkv.weight"].law == xavinit.Normal(0.0625)


def test_parameters_that_may_be_one_are_one() -> None:
    """Each block's own std would be another in the third digit."""
    random = draw()
    weights = {
        f"h.{n}.w.weight": random.normal(0, 0.03, (200, 200)).astype("f4") for n in range(40)
    }
    assert len({round_near(float(array.std())) for array in weights.values()}) > 1
    spec = xavinit.derive(weights, laws="as-is").spec
    assert spec["defaults"]["init"] == {"type": "normal", "std": pytest.approx(0.03, rel=0.01)}
    assert spec["tensors"] == {"h.{blocks}.w.weight": [200, 200]}


def test_an_orthogonal_matrix_may_be_normal() -> None:
    """Its numbers look so; and of many normal ones, some look orthogonal, which are no others."""
    matrix, _ = np.linalg.qr(draw().normal(size=(256, 256)))
    spec = xavinit.derive({"w": matrix.astype("f4")}, laws="as-is")
    assert spec.spec["tensors"]["w"]["init"] == {"type": "normal", "std": 0.0625}
    assert "# normal? it may be of no law" in spec.text
    heavy = xavinit.derive({"w": draw().standard_t(6, (256, 256))}, laws="as-is")
    assert "# looks like no law" in heavy.text


def test_a_great_many_laws_of_no_kind_are_folded() -> None:
    """Each with its own would be a line, and nobody could read so many."""
    random = draw()
    few = {f"e.{n}.weight": random.standard_t(4, (40, 900)).astype("f4") for n in range(6)}
    many = {f"e.{n}.weight": random.standard_t(4, (40, 900)).astype("f4") for n in range(6)}
    many |= {f"x.{n}.scale": 1 + 0.1 * random.random(9).astype("f4") for n in range(1000)}
    assert len(xavinit.derive(few, laws="as-is").spec["tensors"]) > 2
    spec = xavinit.derive(many, laws="as-is").spec
    assert len(spec["tensors"]) < 400
    assert spec["tensors"]["e.{6}.weight"]["init"]["type"] == "normal"


def test_laws_that_differ_stay_apart() -> None:
    weights = {
        f"h.{n}.w.weight": draw().normal(0, 0.03 * 1.1**n, (200, 200)).astype("f4")
        for n in range(4)
    }
    plan = xavinit.make_plan(xavinit.derive(weights, laws="as-is").spec)
    for n in range(4):
        law = plan[f"h.{n}.w.weight"].law
        assert isinstance(law, xavinit.Normal)
        assert law.std == pytest.approx(0.03 * 1.1**n, rel=0.02)


def test_the_command_measures_a_file(tmp_path: Path) -> None:
    save_file(make_weights(), tmp_path / "w.safetensors")
    done = CliRunner().invoke(cli, ["derive", str(tmp_path / "w.safetensors"), "--laws", "as-is"])
    assert done.exit_code == 0
    title = "# Derived from w.safetensors: "
    here = xavinit.derive(tmp_path / "w.safetensors", laws="as-is", jobs=1)
    assert done.output == here.text
    assert here.text.startswith(title)
    assert here.text.count("bound: 1/sqrt(fan_in)") == 1


def test_a_dtype_that_cannot_be_drawn_is_left_out_as_is_too() -> None:
    weights = {"a": np.zeros(3, "c8"), "b": np.ones(3, "f4")}
    derived = xavinit.derive(weights, laws="as-is", skip_unknown=True)
    assert derived.skipped == ("a",)
    assert derived.spec["tensors"] == {"b": {"shape": [3], "init": "ones"}}


class Described:
    shape, dtype = (2, 3), "float32"


def test_what_has_no_numbers_has_no_laws_as_they_are() -> None:
    with pytest.raises(
        UsageError,
        match='need the numbers of the source; "w" has a shape and a dtype alone',
    ):
        xavinit.derive({"w": Described()}, laws="as-is")
    with pytest.raises(UsageError, match='laws must be as-is or glorot; got "mine"'):
        xavinit.derive({"w": Described()}, laws="mine")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["float64", "float32", "float16", "bfloat16"])
def test_a_short_number_rounds_to_the_same(name: str) -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    kind = np.dtype(getattr(ml_dtypes, name, name))
    values = np.concatenate([2.0 ** np.arange(-14, 15), draw().normal(size=300)]).astype(kind)
    for value in values.astype(float).tolist():
        short = find_shortest(value, DTYPES[name])
        assert float(np.float64(short).astype(kind)) == value
        assert len(repr(short)) <= len(repr(value))


def test_measured_numbers_have_three_digits() -> None:
    assert [round_near(v) for v in (0.0199964, 123456.0, -1.004e-7)] == [0.02, 123000.0, -1e-7]
    for value in (69.99, 70.0, 448 / 6.4, 1.7976931348623157e308, 9.996e-5):
        assert 0.99 * value < round_down(value) <= value
