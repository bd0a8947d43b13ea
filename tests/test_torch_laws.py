"""Laws and layers under `rng: torch-2.13`: what PyTorch takes, and what it leaves as it is made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import xavinit
from xavinit.errors import SpecError
from xavinit.plan import MOST_KEPT, Costs, count_passed
from xavinit.report.explanations import format_explanation
from xavinit.report.plans import format_plan
from xavinit.streams import make_stream, mersenne

RNG = "torch-2.13"
LSTM = {"name": "l", "type": "lstm", "in": 3, "hidden": 4}
DENSE = {"name": "d", "type": "dense", "in": 3, "out": 4}


def plan_layers(*layers: Any, **top: Any) -> xavinit.Plan:
    framework = top.pop("framework", None)
    return xavinit.make_plan({"rng": RNG, **top, "layers": list(layers)}, framework=framework)


def tell_laws(plan: xavinit.Plan) -> list[str]:
    return [str(tensor.law) for tensor in plan.tensors]


def fail(table: Any) -> SpecError:
    with pytest.raises(SpecError) as caught:
        xavinit.make_plan({"rng": RNG, "tensors": {"w": table}})
    return caught.value


# --- Laws ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dtype", "init", "fact"),
    [
        ("float32", {"type": "uniform", "bound": 3e38},
         "torch-2.13 draws a uniform law whose b − a is at most the largest number of float32, "
         "3.40282e+38, as PyTorch does; got 6e+38 (uniform ±3e+38)"),
        ("float16", {"type": "uniform", "a": -32752, "b": 32760},
         "torch-2.13 draws a uniform law whose b − a is at most the largest number of float16, "
         "65504, as PyTorch does; got 65512 (uniform -32752…32760)"),
        ("bfloat16", {"type": "uniform", "a": 0, "b": 3.4e38},
         "must fit bfloat16, whose largest number is 3.38953e+38; got values up to 3.4e+38 "
         "(uniform 0…3.4e+38)"),
        ("float64", {"type": "uniform", "a": -1e308, "b": 1e308},
         "torch-2.13 draws a uniform law whose b − a is at most the largest number of float64, "
         "1.79769e+308, as PyTorch does; got inf (uniform ±1e+308)"),
        ("float64", {"type": "uniform", "a": 0, "b": 1e-250},
         "torch-2.13 draws float64 where b − a is from 1e-240 to 1e+298: beyond, products are not "
         "exact; got 1e-250"),
        ("float64", {"type": "normal", "std": 1e-250},
         "torch-2.13 draws float64 where std is from 1e-240 to 1e+298: beyond, products are not "
         "exact; got 1e-250"),
        ("float32", {"type": "truncated_normal", "std": 1e-9, "mean": 1.0000000595,
                     "a": 1.0000000597, "b": 2},
         "torch-2.13 draws a truncated normal where some of it lies between a and b in float32; "
         "got 1.00000012 to 2 for mean 1 and std 9.99999972e-10"),
        ("float32", {"type": "uniform", "a": 2, "b": 1}, "a must be at most b; got 2 and 1"),
        ("float16", {"type": "normal", "std": 12000},
         "must fit float16, whose largest number is 65504; got values up to 69217.3 "
         "(normal std 12000)"),
        ("float16", {"type": "normal", "std": 1, "mean": -65500},
         "must fit float16, whose largest number is 65504; got values up to 65505.8 "
         "(normal mean -65500 std 1)"),
    ],
)  # fmt: skip
def test_laws_that_are_refused(dtype: str, init: Any, fact: str) -> None:
    assert fail({"shape": [20], "dtype": dtype, "init": init}).fact == fact


def test_few_normals_reach_further() -> None:
    """They are float64 at first: up to 8.57 stds, where those of blocks of 16 end at 5.77."""
    table = {"dtype": "float16", "init": {"type": "normal", "std": 11000}}
    xavinit.make_plan({"rng": RNG, "tensors": {"w": {"shape": [16], **table}}})
    assert fail({"shape": [15], **table}).fact == (
        "must fit float16, whose largest number is 65504; got values up to 94288.4 "
        "(normal std 11000)"
    )


def test_laws_that_round_to_one_number_are_drawn() -> None:
    """Each takes its words, as in PyTorch; the bits are in the golden digests."""
    ends = {"one": (1, 1), "near": (1, 1 + 1e-9), "tiny": (0, 1e-46), "zero": (0, 0)}
    tensors: dict[str, Any] = {
        name: {"shape": [9], "init": {"type": "uniform", "a": a, "b": b}}
        for name, (a, b) in ends.items()
    }
    half = {"shape": [9], "dtype": "float16"}
    tensors["half"] = {**half, "init": {"type": "uniform", "bound": 1e-8}}
    tensors["normal"] = {**half, "init": {"type": "normal", "std": 1e-9}}
    plan = xavinit.make_plan({"rng": RNG, "tensors": tensors})
    arrays = xavinit.draw(plan)
    for name, number in (("one", 1), ("near", 1), ("tiny", 0), ("zero", 0), ("half", 0)):
        assert set(arrays[name].tolist()) == {number}
    assert plan.words == {name: 9 * index for index, name in enumerate(tensors)}
    told = [str(warning) for warning in plan.warnings]
    assert [w.split("got ")[1].split(",")[0] for w in told] == [
        "uniform 0…1e-46 in float32",
        "uniform ±1e-08 in float16",
        "normal std 1e-09 in float16",
    ]
    with pytest.raises(SpecError, match="must not round to zero everywhere"):
        xavinit.make_plan({"tensors": {"w": tensors["half"]}})


def test_the_bounds_of_a_truncated_normal_may_be_beyond_its_dtype() -> None:
    def draw(bound: float) -> bytes:
        init = {"type": "truncated_normal", "std": 1, "a": -bound, "b": bound}
        table = {"shape": [99], "init": init}
        return bytes(xavinit.draw({"rng": RNG, "tensors": {"w": table}})["w"].data)

    normal = {"shape": [99], "init": {"type": "normal", "std": 1}}
    plain = xavinit.draw({"rng": RNG, "tensors": {"w": normal}})["w"]
    assert draw(1e39) == draw(1e300) == plain.tobytes()


def test_advice_is_that_of_the_rng() -> None:
    assert fail({"shape": [3, 3], "init": "orthogonal_"}).hint == (
        "none is orthogonal: PyTorch's comes from a decomposition by LAPACK, whose last bits "
        "another machine's do not have"
    )
    assert fail({"shape": [3, 3], "init": "trunc_normal_"}).hint == (
        "take truncated_normal {std, mean, a, b}: its std is that before the cut"
    )
    with pytest.raises(SpecError) as caught:
        xavinit.make_plan({"tensors": {"w": {"shape": [3, 3], "init": "orthogonal_"}}})
    assert caught.value.hint == (
        "none is orthogonal; glorot_normal has the same variance for a square matrix"
    )


# --- Layers --------------------------------------------------------------------------------------

DRAWN = ["uniform ±0.5"] * 2


@pytest.mark.parametrize(
    ("layer", "top"),
    [
        ({**LSTM, "init": "default", "bias_init": "zeros"}, {}),
        ({**LSTM, "bias_init": "zeros"}, {"defaults": {"init": "default"}}),
        (LSTM, {"defaults": {"init": "default"}, "rules": [{"match": "*bias*", "init": "zeros"}]}),
    ],
)
def test_zeros_take_the_place_of_both_drawn_biases(layer: Any, top: Any) -> None:
    """As a program fills them after its modules are made: the biases took their words."""
    plan = plan_layers(layer, DENSE, **top)
    assert tell_laws(plan)[:4] == [*DRAWN, "constant 0", "constant 0"]
    assert plan.words["d.weight"] == 16 * (3 + 4 + 1 + 1)
    left = plan_layers({**LSTM, "init": "default"}, DENSE)
    assert tell_laws(left)[:4] == DRAWN * 2
    for name in ("l.weight_ih_l0", "l.weight_hh_l0", "d.weight"):
        np.testing.assert_array_equal(
            xavinit.draw(plan_layers(layer, {**DENSE, "init": "default"}, **top))[name],
            xavinit.draw(plan_layers({**LSTM, "init": "default"}, {**DENSE, "init": "default"}))[
                name
            ],
        )


def test_the_weight_of_a_bias_that_is_left_is_initialized() -> None:
    """The other half of what programs do: weights initialized, biases as they were made."""
    for defaults in ({}, {"defaults": {"init": "glorot_uniform"}}):
        plan = plan_layers({**DENSE, "bias_init": "default"}, **defaults)
        assert tell_laws(plan) == ["uniform ±0.92582", "uniform ±0.57735"]
        assert plan.words == {"\0d.weight 0": 0, "d.bias": 12, "d.weight": 16}
        lstm = plan_layers({**LSTM, "bias_init": "default"}, **defaults)
        assert tell_laws(lstm)[2:] == ["uniform ±0.5", "uniform ±0.5"]
        assert tell_laws(lstm)[0] == "uniform ±0.561951"


def test_a_cells_second_weight_is_left_as_its_first() -> None:
    for defaults in ({}, {"defaults": {"init": "he_normal"}}):
        assert tell_laws(plan_layers({**LSTM, "init": "default"}, **defaults)) == DRAWN * 2
        given = plan_layers({**LSTM, "init": "default", "recurrent_init": "he_normal"}, **defaults)
        assert tell_laws(given)[1] == "normal std 0.707107"
    only = plan_layers({**LSTM, "recurrent_init": "default"})
    assert tell_laws(only) == ["uniform ±0.561951", "uniform ±0.5", *DRAWN]


@pytest.mark.parametrize(
    ("layer", "top"),
    [
        ({**LSTM, "init": "default", "forget_bias": 1}, {}),
        ({**LSTM, "forget_bias": 1}, {"defaults": {"init": "default"}}),
        ({**LSTM, "recurrent_init": "default", "forget_bias": 1}, {}),
    ],
)
def test_forget_bias_does_not_go_with_drawn_biases(layer: Any, top: Any) -> None:
    with pytest.raises(SpecError) as caught:
        plan_layers(layer, **top)
    assert caught.value.path == ("layers", 0, "forget_bias")
    assert caught.value.fact == (
        "forget_bias must not be given where the biases are left as PyTorch draws them, two for "
        "each gate, of which programs fill one or both; got 1"
    )
    made = plan_layers({**LSTM, "forget_bias": 1}, rng={"type": RNG, "construction": "drawn"})
    assert tell_laws(made)[2:] == ["constant 1 at 4…7", "constant 0"]


@pytest.mark.parametrize("kind", ["lstm", "gru"])
@pytest.mark.parametrize("framework", ["keras", "flax"])
def test_a_refusal_of_drawn_biases_says_what_to_do(kind: str, framework: str) -> None:
    layer = {**LSTM, "type": kind, "init": "default"}
    with pytest.raises(SpecError) as caught:
        plan_layers(layer, framework=framework)
    assert caught.value.fact == (
        f'torch-2.13 draws all of "l.bias_hh_l0", for which {framework} has no place of its own'
    )
    assert caught.value.hint == (
        "write PyTorch's form, or give the layer bias_init: zeros, as a program does that fills "
        "its biases with zeros when they are drawn"
    )
    ours = xavinit.draw(plan_layers({**layer, "bias_init": "zeros"}))
    theirs = xavinit.draw(plan_layers({**layer, "bias_init": "zeros"}, framework=framework))
    numbers = [np.sort(np.concatenate([a.ravel() for a in b.values()])) for b in (ours, theirs)]
    np.testing.assert_array_equal(*(array[array != 0] for array in numbers))
    assert plan_layers({**layer, "bias": False}, framework=framework).sequence


# --- What is told --------------------------------------------------------------------------------

CUT = {"shape": [5], "init": {"type": "truncated_normal", "std": 1}}


def test_a_table_tells_what_draws_nothing_from_what_no_one_counts() -> None:
    tensors = {"a": [3, 5], "one": {"shape": [3], "init": "ones"}, "cut": CUT, "b": [2, 3]}
    lines = list(format_plan(xavinit.make_plan({"rng": RNG, "tensors": tensors})))
    assert [line.split()[-1] for line in lines[:5]] == ["WORD", "0", "-", "15", "?"]
    assert lines[-2:] == [
        "?: after a truncated normal, which takes as many words as its values need",
        "torch-2.13: one stream of at least 33 words; a part of a set runs over those before its "
        "own; generator states take at most 7.54 kB",
    ]


def test_costs_are_those_of_the_whole_sequence() -> None:
    plan = plan_layers(DENSE, {"type": "draw", "count": 100}, framework="keras")
    assert plan.costs == Costs(112, False, 2 * mersenne.STATE_BYTES, 12 << 20)
    assert plan_layers(DENSE).costs == Costs(12, False, mersenne.STATE_BYTES, 0)
    assert xavinit.make_plan({"tensors": {"w": [2, 2]}}).costs is None
    many = {"w.{20000}": {"shape": [3], "init": {"type": "normal", "std": 1}}}
    costs = xavinit.make_plan({"rng": RNG, "tensors": many}).costs
    assert costs == Costs(120_000, False, MOST_KEPT * mersenne.STATE_BYTES, 0)
    assert costs.state_bytes < 64 << 20


def test_a_part_tells_what_its_generator_runs_over(tmp_path: Path) -> None:
    spec = {"rng": RNG, "tensors": {"w.{4}": [50, 10]}}
    options: dict[str, Any] = {"max_shard_size": 2000, "dry_run": True}
    passed = []
    for part in ("1/2", "2/2"):
        report = xavinit.generate(spec, tmp_path / "set", part=part, **options)
        passed.append(report.part.passed)
    plan = xavinit.make_plan(spec)
    assert count_passed(plan.sequence, {"w.3"}) == 1500
    assert count_passed(plan.sequence, {"w.0", "w.2"}) == 500
    assert passed == [500, 1000]
    ours = xavinit.generate({"tensors": spec["tensors"]}, tmp_path / "s", part="1/2", **options)
    assert ours.part.passed is None


def test_states_of_small_tensors_are_shared() -> None:
    """Whatever the order in which they are cut, a state of 2.5 kB stands for a thousand of them."""
    uniform = {"shape": [3], "init": {"type": "uniform", "bound": 1}}
    plan = xavinit.make_plan({"rng": RNG, "tensors": {"w.{3000}": uniform}})
    stream: Any = make_stream(plan.stream, plan.seed, plan.sequence)
    for tensor in sorted(plan.tensors, key=lambda tensor: tensor.name):
        list(stream.split(tensor, 1))
    assert len(stream._begun) == 3000
    assert len({id(position.state) for position in stream._begun.values()}) < 30


def explain(name: str, *layers: Any) -> list[str]:
    told = xavinit.explain({"rng": RNG, "layers": list(layers)}, name)
    return [" ".join(line.split()) for line in format_explanation(told, "s.yaml")]


def test_an_explanation_of_what_is_left_does_not_contradict_itself() -> None:
    cut = {**DENSE, "init": CUT["init"]}
    after = {**DENSE, "name": "e"}
    layers = ({**LSTM, "init": "default"}, cut, after)
    for name, word in (("l.bias_hh_l0", 128), ("l.weight_hh_l0", 48)):
        lines = explain(name, *layers)
        assert "init default ← the layer" in lines
        assert "note left as PyTorch's module makes it" in lines
        assert "law uniform ±0.5" in lines
        assert f"stream torch-2.13, from word {word} on" in lines
        assert not any("zeros" in line or "gain" in line for line in lines)
    assert "stream torch-2.13, of which it takes nothing" in explain("d.bias", *layers)
    assert (
        "stream torch-2.13, after a truncated normal: as many words on as its values needed"
        in explain("e.weight", *layers)
    )
