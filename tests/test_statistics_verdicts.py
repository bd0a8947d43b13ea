"""`verify --statistics`: values that fit a spec's laws pass, whoever drew them; others are told.

Seeds are fixed, so that a test that passes once passes for ever. How often 1,000 true files are
refused: `make measure-verdicts`.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bins import make_bins, to_dtype
from scipy import stats
from test_samples import FOLDER, SAMPLES
from test_verify import NETWORK, list_lines

import xavinit
from xavinit.dtypes import DTYPES
from xavinit.errors import UsageError
from xavinit.plan import Normal, TruncatedNormal, Uniform
from xavinit.reading import copies
from xavinit.reading.cells import find_bin_end, make_cells
from xavinit.reading.distributions import Drawn
from xavinit.reading.tails import bound_count, bound_distance, bound_divergence, bound_sum
from xavinit.testing import assert_matches

FLOATS = [name for name, dtype in DTYPES.items() if dtype.is_float]
LAWS: list[Drawn] = [Uniform(0.0619), Normal(0.02), TruncatedNormal(0.0357)]
INITS = ["glorot_uniform", "glorot_normal", "glorot_truncated_normal"]
FAN_OUT = {"type": "variance_scaling", "mode": "fan_out"}


def make_spec(dtype: str = "float32", **tensor: Any) -> dict[str, Any]:
    return {"tensors": {"w": {"shape": [250, 80], "dtype": dtype} | tensor}}


def judge(arrays: Any, spec: Any) -> list[str]:
    """The lines of a verdict on arrays, without what stands for their path."""
    try:
        assert_matches(arrays, spec, statistics=True)
    except AssertionError as error:
        return [line.removeprefix("arrays: ") for line in str(error).splitlines()]
    return []


# --- True files -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SAMPLES)
def test_every_sample_fits_in_every_dtype_and_form(name: str, tmp_path: Path) -> None:
    spec = FOLDER / f"{name}.yaml"
    dims = {"w": 8} if name.startswith("resnet") else SAMPLES[name].dims
    forms: list[tuple[str, str, dict[str, Any]]] = [
        ("w.safetensors", "pytorch", {"dtype": "float16"}),
        ("w.weights.h5", "keras", {"dtype": "bfloat16"}),
        ("set", "flax", {"dtype": "float8_e4m3fn"}),
    ]
    for number, (file, framework, options) in enumerate(forms):
        own = {**options, "framework": framework, "dims": dims}
        plan = xavinit.make_plan(spec, **own)
        if file.endswith(".weights.h5") and not all(tensor.module for tensor in plan.tensors):
            continue
        shards = {"max_shard_size": max(plan.nbytes // 3, 1)} if file == "set" else {}
        xavinit.generate(spec, tmp_path / file, **own, **shards, seed=100 + number)
        verdict = xavinit.verify(tmp_path / file, spec, **own, statistics=True)
        assert list_lines(verdict, tmp_path) == []
        assert (verdict.scope, verdict.false_alarms) == ("statistics", 1e-6)
        assert (verdict.tensors, verdict.parameters) == (len(plan.tensors), plan.parameters)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("init", INITS)
def test_what_numpy_drew_fits(init: str, dtype: str) -> None:
    spec = make_spec(dtype, init=init)
    law = xavinit.make_plan(spec).tensors[0].law
    rng = np.random.default_rng(12)
    for _ in range(3):
        values = draw(rng, law, (250, 80))
        assert judge({"w": to_dtype(values, dtype)}, spec) == []


def draw(rng: np.random.Generator, law: Any, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """By NumPy and SciPy, in float64."""
    if isinstance(law, Uniform):
        return rng.uniform(-law.bound, law.bound, shape)
    if isinstance(law, Normal):
        return rng.normal(0, law.std, shape)
    found: np.ndarray[Any, Any] = stats.truncnorm.rvs(
        -2, 2, scale=law.uncut_std, size=shape, random_state=rng
    )
    return found


# --- Wrong ones -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("init", INITS)
def test_a_gain_five_percent_off_is_caught(init: str, dtype: str) -> None:
    distribution = init.removeprefix("glorot_")
    for seed, gain in enumerate((1.05, 0.95)):
        wrong = {"type": "variance_scaling", "gain": gain, "mode": "fan_avg"}
        drawn = make_spec(dtype, init=wrong | {"distribution": distribution})
        (line,) = judge(xavinit.draw(drawn, seed=seed), make_spec(dtype, init=init))
        assert line.startswith("w: the std is ")


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("distribution", ["uniform", "normal", "truncated_normal"])
def test_fan_out_for_fan_in_is_caught(distribution: str, dtype: str) -> None:
    right = make_spec(dtype, init=f"lecun_{distribution}")
    wrong = make_spec(dtype, init=FAN_OUT | {"gain": 1, "distribution": distribution})
    (line,) = judge(xavinit.draw(wrong), right)
    assert line.startswith("w: the std is 0.06")
    assert ", not 0.112 (" in line


@pytest.mark.parametrize("dtype", FLOATS)
def test_a_law_with_the_same_std_is_caught(dtype: str) -> None:
    for drawn in INITS:
        arrays = xavinit.draw(make_spec(dtype, init=drawn))
        for asked in INITS:
            assert bool(judge(arrays, make_spec(dtype, init=asked))) == (drawn != asked)


def test_a_fault_says_what_was_expected_and_found() -> None:
    arrays = xavinit.draw(make_spec(init="glorot_normal"))
    law = "normal std 0.0778499"
    spec = make_spec(init="glorot_normal")
    assert judge({"w": arrays["w"] * np.float32(1.06)}, spec) == [
        f"w: the std is 0.0824, not 0.0778 ({law}): off by 12 standard errors; refused too by χ²"
    ]
    (line,) = judge({"w": arrays["w"] + np.float32(0.005)}, spec)
    off = "off by 10 standard errors; refused too by Kolmogorov–Smirnov"
    assert line == f"w: the mean is 0.00533, not 0 ({law}): {off}"
    clipped = judge({"w": np.clip(arrays["w"], -0.2, 0.2)}, spec)
    assert clipped == [
        f"w: the largest magnitude is 0.2, not at least 0.26 ({law}); refused too by counts"
    ]
    beyond = arrays["w"].copy()
    beyond[3, 4] = -0.7
    expected = f"w: the largest magnitude is 0.7, not at most 0.546 ({law})"
    assert judge({"w": beyond}, spec) == [expected]
    masked = arrays["w"] * (np.arange(20_000).reshape(250, 80) % 40 > 0)
    (line,) = judge({"w": masked}, spec)
    assert line.startswith("w: the number of values from -0.00")
    sorted_ = judge({"w": np.sort(arrays["w"], axis=None).reshape(250, 80)}, spec)
    assert sorted_ == []  # the order within a tensor is not looked at


def test_a_bound_is_the_dtypes_rounded_one() -> None:
    """In bfloat16, values may round to more than the bound; the next number is beyond it."""
    spec = make_spec("bfloat16", init={"type": "uniform", "bound": 0.0619})
    arrays = xavinit.draw(spec)
    rounded = to_dtype(np.array([0.0619]), "bfloat16")[0]
    assert rounded > 0.0619
    assert arrays["w"].max() == rounded
    assert judge(arrays, spec) == []
    arrays["w"][0, 0] = to_dtype(np.array([0.0623]), "bfloat16")[0]
    (line,) = judge(arrays, spec)
    assert line == "w: the largest magnitude is 0.0621, not at most 0.0619 (uniform ±0.0619)"


def test_numbers_that_are_not_finite_are_counted() -> None:
    spec = make_spec(init="glorot_uniform")
    arrays = xavinit.draw(spec)
    arrays["w"][0, :3] = np.nan, np.inf, -np.inf
    assert judge(arrays, spec) == [
        "w: the number of values that are not finite is 3, not 0 (1 nan, 2 infinite)"
    ]
    arrays["w"][:] = np.nan
    assert judge(arrays, spec) == [
        "w: the number of values that are not finite is 20,000, not 0 (20,000 nan)"
    ]


# --- Known values ---------------------------------------------------------------------------------

KNOWN: dict[str, Any] = {
    "tensors": {
        "c": {"shape": [9], "init": {"type": "constant", "value": 0.1}},
        "i": {"shape": [4, 3], "init": {"type": "arange"}, "dtype": "int64"},
        "v": {"shape": [2], "init": {"type": "values", "values": [1, 2.5]}},
        "z": {"shape": [300, 64], "init": {"type": "normal", "std": 1}, "zero_rows": [0, 1, 7]},
        "e": {"shape": [0], "init": "zeros"},
    }
}


def test_values_that_are_known_must_be_exact() -> None:
    arrays = xavinit.draw(KNOWN, seed=5)
    assert judge(arrays, KNOWN) == []
    arrays["c"][2] = 0.2
    arrays["i"][3, 1] = 9
    arrays["v"][1] = 2
    arrays["z"][7, 3:5] = 0.5
    assert judge(arrays, KNOWN) == [
        "c[2]: expected 0.1, got 0.2",
        "i[3, 1]: expected 1, got 9",
        "v[1]: expected 2.5, got 2.0",
        "z[7, 3]: expected 0.0, got 0.5 (and 1 more of 19,200)",
    ]


def test_zero_rows_are_no_part_of_the_law() -> None:
    arrays = xavinit.draw(KNOWN)
    arrays["z"][[0, 1, 7]] = arrays["z"][[2, 3, 4]]  # and so they are drawn, but should not be
    (line,) = judge(arrays, KNOWN)
    assert line.startswith("z[0, 0]: expected 0.0, got ")
    half = {"tensors": {"z": KNOWN["tensors"]["z"] | {"zero_rows": list(range(100))}}}
    assert judge(xavinit.draw(half, seed=1), half) == []
    assert len(judge({"z": xavinit.draw(half)["z"] * np.float32(1.1)}, half)) == 1


@pytest.mark.parametrize("framework", ["pytorch", "keras", "flax"])
def test_gates_and_projections_fit_as_each_framework_packs_them(framework: str) -> None:
    spec = {
        "layers": [
            {"name": "rnn", "type": "gru", "in": 60, "hidden": 64},
            {"name": "cell", "type": "lstm", "in": 64, "hidden": 64, "forget_bias": 1},
            {"name": "att", "type": "multi_head_attention", "size": 64, "heads": 4},
        ],
        "rules": [{"match": "rnn.bias*", "init": {"type": "normal", "std": 0.3}}],
    }
    arrays = xavinit.draw(spec, seed=3, framework=framework)
    assert_matches(arrays, spec, framework=framework, statistics=True)


# --- Tensors that are not independent -------------------------------------------------------------

PAIR: dict[str, Any] = {"tensors": {name: [250, 80] for name in "abc"}}


def test_a_repeated_tensor_is_caught() -> None:
    arrays = xavinit.draw(PAIR)
    arrays["c"] = arrays["a"]
    assert judge(arrays, PAIR) == ["c: its first 20,000 values are those of a"]
    arrays["c"] = -arrays["b"]
    assert judge(arrays, PAIR) == ["c: its first 20,000 values are those of b times -1"]
    arrays["b"] = arrays["c"] = arrays["a"]
    assert [line.partition(":")[0] for line in judge(arrays, PAIR)] == ["b", "c"]


@pytest.mark.parametrize("dtype", FLOATS)
def test_one_seed_for_layers_of_several_shapes_and_laws_is_caught(dtype: str) -> None:
    """The same unit numbers under each: what a seed set before each layer gives."""
    spec: dict[str, Any] = {
        "defaults": {"dtype": dtype},
        "tensors": {"a": {"shape": [250, 80]}, "b": {"shape": [100, 300], "init": "he_uniform"}},
    }
    assert judge(xavinit.draw(spec), spec) == []
    same = {**spec, "tensors": {k: v | {"stream": "x"} for k, v in spec["tensors"].items()}}
    (line,) = judge(xavinit.draw(same), spec)
    assert line.startswith("b: its first 20,000 values ")
    assert judge(xavinit.draw(same), same) == []  # as this spec has it


def test_of_very_many_tensors_neighbors_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here of more than four: each with the one to three before it."""
    monkeypatch.setattr(copies, "_BAND", 4)
    names = "abcdefghi"
    spec = {"tensors": {name: [20, 20] for name in names}}
    drawn = xavinit.draw(spec)
    assert judge(drawn, spec) == []
    for first, second in pairwise(names):
        arrays = drawn | {second: drawn[first]}
        assert judge(arrays, spec) == [f"{second}: its first 400 values are those of {first}"]
    assert judge(drawn | {"i": drawn["a"]}, spec) == []


def test_correlated_tensors_are_caught() -> None:
    spec = {"tensors": {n: {"shape": [250, 80], "init": "glorot_normal"} for n in "ab"}}
    arrays = xavinit.draw(spec)
    arrays["b"] = np.float32(0.1) * arrays["a"] + np.float32(math.sqrt(0.99)) * arrays["b"]
    (line,) = judge(arrays, spec)
    assert line == (
        "b: its first 20,000 values correlate with those of a: r = 0.0997, not at most 0.0424"
    )


@pytest.mark.parametrize(
    "spec",
    [
        {"rng": "jax-0.10", "seed": 3, "tensors": {"a": [30, 20], "b": [30, 20], "c": [20, 30]}},
        {
            "rng": "keras-3.15",
            "tensors": {name: {"shape": [30, 20], "seed": 7} for name in ("a", "b")},
        },
    ],
    ids=["plain keys", "one seed"],
)
def test_tensors_of_one_seed_under_an_rng_are_alike_by_the_spec(spec: dict[str, Any]) -> None:
    arrays = xavinit.draw(spec)
    np.testing.assert_array_equal(arrays["a"], arrays["b"])
    assert_matches(arrays, spec, statistics=True)


def test_a_copy_of_another_seed_under_an_rng_is_caught() -> None:
    tensors = {name: {"shape": [30, 20], "seed": seed} for name, seed in (("a", 7), ("b", 8))}
    spec = {"rng": "keras-3.15", "tensors": tensors}
    arrays = xavinit.draw(spec)
    with pytest.raises(AssertionError, match="its first 600 values are those of a"):
        assert_matches({**arrays, "b": arrays["a"]}, spec, statistics=True)


def test_a_tied_tensor_must_be_a_copy() -> None:
    spec: dict[str, Any] = {"tensors": {"a": [250, 80], "t": {"tied": "a"}}}
    arrays = xavinit.draw(spec, seed=4)
    assert judge(arrays, spec) == []
    arrays["t"] = xavinit.draw(spec, seed=5)["a"]
    assert judge(arrays, spec) == ["t: its values are not those of a, to which it is tied"]
    wrong = {"t": arrays["a"] * np.float32(1.1)}
    assert [line.partition(",")[0] for line in judge(wrong, spec)] == [
        "a is missing",
        "t: the std is 0.0857",  # judged by itself where there is nothing to be equal to
    ]


# --- Names, shapes, files -------------------------------------------------------------------------


def test_names_shapes_and_dtypes_must_be_the_specs() -> None:
    arrays = xavinit.draw(PAIR)
    del arrays["a"]
    arrays["x"] = np.zeros(3)
    arrays["b"] = arrays["b"].astype(np.float64)
    arrays["c"] = arrays["c"][1:]
    assert judge(arrays, PAIR) == [
        "a is missing",
        "b: expected dtype float32, got float64",
        "c: expected shape [250, 80], got [249, 80]",
        "x is unexpected",
    ]


@pytest.mark.parametrize("file", ["w.safetensors", "w.h5", "w.weights.h5", "w.npz", "set", "npy"])
def test_a_file_is_judged_the_same_by_any_number_of_threads(file: str, tmp_path: Path) -> None:
    wide = {"name": "wide", "type": "dense", "in": 1200, "out": 1000}
    spec = {**NETWORK, "layers": [*NETWORK["layers"], wide]}
    wrong = {**spec, "rules": [{"match": "wide.weight", "init": "glorot_normal"}]}
    path, options = tmp_path / file, {"framework": "keras" if "weights" in file else "pytorch"}
    if file == "w.npz":
        np.savez(path, **xavinit.draw(spec))
    else:
        form = {"set": {"max_shard_size": "3MB"}, "npy": {"format": "npy"}}.get(file, {})
        xavinit.generate(spec, path, **options, **form)
    for jobs in (1, 3, 8):
        found = [
            xavinit.verify(path, each, statistics=True, seed=9, jobs=jobs, **options)
            for each in (spec, wrong)
        ]
        assert list_lines(found[0], tmp_path) == []
        (line,) = list_lines(found[1], tmp_path)
        name = "wide/kernel" if "weights" in file else "wide.weight"
        assert f": {name}" in line
        assert "(normal std 0.0301511)" in line


def test_one_npy_file_is_the_one_tensor(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", xavinit.draw(make_spec())["w"])
    assert xavinit.verify(tmp_path / "x.npy", make_spec(), statistics=True).is_same


def test_the_size_of_shards_is_no_matter_of_statistics(tmp_path: Path) -> None:
    xavinit.generate(PAIR, tmp_path / "w.safetensors")
    for options in ({"max_shard_size": "1GB"}, {"shard_name": "x"}):
        with pytest.raises(UsageError, match="values alone: they take no size or name of shards"):
            xavinit.verify(tmp_path / "w.safetensors", PAIR, statistics=True, **options)


def run(*arguments: str, cwd: Path) -> tuple[int, list[str]]:
    command = [sys.executable, "-m", "xavinit", "verify", *arguments]
    done = subprocess.run(command, cwd=cwd, capture_output=True, check=False)
    assert not done.stderr
    return done.returncode, done.stdout.decode().splitlines()


def test_on_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("tensors: {w: [250, 80], v: [9, 9]}")
    (tmp_path / "n.yaml").write_text("tensors: {w: [250, 80], v: [9, 10]}")
    xavinit.generate(tmp_path / "s.yaml", tmp_path / "w.safetensors", seed=5)
    digest = xavinit.verify(tmp_path / "w.safetensors", tmp_path / "s.yaml").spec_digest[:12]
    code, lines = run("w.safetensors", "--spec", "s.yaml", "--statistics", cwd=tmp_path)
    counts = "2 tensors, 20,081 parameters, false alarms at most 1e-6 a file"
    assert (code, lines) == (
        0,
        [f"w.safetensors: fits the laws of the spec: {counts}, spec {digest}"],
    )
    code, lines = run("w.safetensors", "--statistics", cwd=tmp_path)
    assert (code, len(lines)) == (0, 1)
    assert lines[0].startswith(f"w.safetensors: fits the laws of its own spec: {counts}, spec ")
    assert run("w.safetensors", "--statistics", "-q", cwd=tmp_path) == (0, [])
    code, lines = run("w.safetensors", "--spec", "n.yaml", "--statistics", cwd=tmp_path)
    assert (code, lines) == (
        5,
        [
            "w.safetensors: v: expected shape [9, 10], got [9, 9]",
            "w.safetensors: false alarms at most 1e-6 a file",
        ],
    )


def test_as_json(tmp_path: Path) -> None:
    from jsonschema import Draft202012Validator

    schema = (Path(__file__).parents[1] / "docs" / "json.verify.schema.json").read_text("utf-8")
    arrays = xavinit.draw(PAIR)
    arrays["a"] *= np.float32(1.1)
    arrays["c"] = arrays["b"]
    np.savez(tmp_path / "w.npz", **arrays)
    (tmp_path / "s.json").write_text(json.dumps(PAIR))
    code, (line,) = run("w.npz", "--spec", "s.json", "--statistics", "--json", cwd=tmp_path)
    content = json.loads(line)
    Draft202012Validator(json.loads(schema)).validate(content)
    assert (code, content["scope"], content["false_alarms"]) == (5, "statistics", 1e-6)
    scale, copy = content["faults"]
    assert (scale["kind"], scale["tensor"], scale["test"]) == ("law", "a", "variance")
    assert (scale["key"], scale["got"], scale["expected"]) == ("the std", "0.0857", "0.0778")
    assert (copy["kind"], copy["tensor"], copy["got"], copy["test"]) == (
        "copy",
        "c",
        "b",
        "repeated",
    )


# --- Cells and bounds -----------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("law", LAWS, ids=str)
def test_cells_end_where_bins_do_and_their_shares_add_up(law: Drawn, dtype: str) -> None:
    """A count of values below an end is one of whole bins: no bin lies on both its sides."""
    values = to_dtype(draw(np.random.default_rng(3), law, (50_000,)), dtype)
    bins = make_bins(values)
    for size in (10, 1000, 50_000):
        cells = make_cells(law, DTYPES[dtype], size)
        assert math.fsum(cells.shares) == pytest.approx(1, abs=1e-12)
        assert len(cells.points) == len(cells.shares) == len(cells.ends) + 1
        for end in cells.ends:
            assert not any(a < end < b for a, b in zip(bins.lower, bins.upper, strict=True))
    counts = cells.count(bins)
    assert sum(counts) == 50_000
    assert stats.chisquare(counts, 50_000 * np.array(cells.shares)).pvalue > 1e-3


def test_the_end_of_a_bin_is_half_way_between_neighbors() -> None:
    for name in ("float16", "bfloat16", "float8_e4m3fn", "float8_e5m2"):
        codes = np.arange(2 ** (DTYPES[name].bits - 1), dtype=f"u{DTYPES[name].itemsize}")
        with np.errstate(invalid="ignore"):  # a signaling NaN
            numbers = codes.view(to_dtype(np.zeros(1), name).dtype).astype(np.float64)
        numbers = numbers[np.isfinite(numbers)][:-1]
        ends = (numbers[:-1] + numbers[1:]) / 2
        places = np.random.default_rng(1).integers(0, len(ends) - 1, 200)
        for place in places.tolist():
            end = float(ends[place])
            assert find_bin_end(end, DTYPES[name]) == end
            assert find_bin_end(np.nextafter(end, 0), DTYPES[name]) == end
            assert find_bin_end(np.nextafter(end, np.inf), DTYPES[name]) == ends[place + 1]


def test_bounds_are_no_less_than_the_exact_probabilities() -> None:
    for count in range(0, 41, 4):
        less, more = stats.binom.cdf(count, 40, 0.3), stats.binom.sf(count - 1, 40, 0.3)
        exact = min(less, more)
        assert bound_count(count, 0.3, 40) >= math.log(exact)
        assert bound_sum([40 - count, count], [0.7, 0.3], [0.0, 1.0]) >= math.log(exact)
    for distance in (0.1, 0.2, 0.4):
        assert bound_distance(distance, 30) >= math.log(stats.kstwo.sf(distance, 30))
    counts = np.random.default_rng(2).multinomial(60, [0.25] * 4, 20_000)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(counts > 0, counts * np.log(counts / 15), 0)
    statistics = np.sort(2 * terms.sum(axis=1))
    for share in (0.1, 0.01, 0.001):
        assert bound_divergence(float(statistics[int(20_000 * (1 - share))]), 3) >= math.log(share)


def test_bounds_are_near_the_exact_probabilities_where_it_counts() -> None:
    """Within a factor of 100 at 10⁻⁹: a bound of 1 would be no less, and tell nothing."""
    for count in (620, 390):
        exact = min(stats.binom.logcdf(count, 1000, 0.5), stats.binom.logsf(count - 1, 1000, 0.5))
        assert exact < math.log(1e-9)
        assert bound_count(count, 0.5, 1000) < exact + math.log(100)
        counts, shares = [1000 - count, count], [0.5, 0.5]
        assert bound_sum(counts, shares, [0.0, 1.0]) < exact + math.log(100)
