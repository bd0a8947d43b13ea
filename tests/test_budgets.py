"""Specs made to be slow or large end soon and in little memory, planned or refused.

A row of the table is a spec, and what its refusal says (None: it is planned). Each runs in a
process of its own under limits of the system that are generous: only what grows faster than the
spec meets them. To see seconds and megabytes: python tests/test_budgets.py [part of a name]
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

SECONDS = 20  # of the processor; the slowest row takes a tenth of it
MEGABYTES = 300

Spec = dict[str, Any]
HOSTILE: dict[str, tuple[Callable[[], Spec], str | None]] = {}
NORM = {"type": "rms_norm", "size": 1}


def hostile(refusal: str | None) -> Callable[[Callable[[], Spec]], Callable[[], Spec]]:
    """Put a spec into the table, under the name of the function that makes it."""

    def add(make: Callable[[], Spec]) -> Callable[[], Spec]:
        HOSTILE[make.__name__] = (make, refusal)
        return make

    return add


@hostile("a name must be at most")
def a_long_name_a_million_times() -> Spec:
    return {"tensors": {"a" * 7_500 + "{1000000}": [1, 1]}}


@hostile("names must be at most 64,000,000 bytes")
def a_kilobyte_of_name_a_million_times() -> Spec:
    return {"tensors": {"a" * 1000 + "{1000000}": [1, 1]}}


@hostile(None)
def a_list_of_values_for_many_tensors() -> Spec:
    rule = {"match": "*", "init": {"type": "values", "values": [0.5] * 10_000}}
    return {"rules": [rule], "tensors": {f"w{i}": [10_000] for i in range(50_000)}}


@hostile(None)
def rows_that_are_zero_in_many_tensors() -> Spec:
    rule = {"match": "*", "zero_rows": [*range(50), *(f"{i}-100" for i in range(50))]}
    return {"rules": [rule], "tensors": {f"w{i}": [100 + i, 2] for i in range(50_000)}}


@hostile(None)
def many_biases_with_the_fans_of_their_weights() -> Spec:
    init = {"type": "uniform", "bound": "1/sqrt(" + "1*" * 80 + "fan_in)"}
    biases = {"shape": [2], "fans_of": "w{200000}", "init": init}
    return {"tensors": {"w{200000}": [2, 3], "v{200000}": biases}}


@hostile("tensors")
def a_brace_with_a_step() -> Spec:
    return {"tensors": {"w{0..9000000000000000000..2}": [1, 1]}}


@hostile("must be as many numbers")
def fewer_values_than_elements() -> Spec:
    return {"tensors": {"w": {"shape": [10**9], "init": {"type": "values", "values": [1]}}}}


@hostile("a name must be at most")
def words_that_repeat() -> Spec:
    return {"tensors": {("{" + "a" * 1000 + ",b}") * 19: [1, 1]}}


@hostile("a name must be at most")
def a_layer_of_many_parts() -> Spec:
    return {"framework": "flax", "layers": [{"name": ".".join("a" * 200_000), **NORM}]}


@hostile("parts")
def many_layers_of_many_parts() -> Spec:
    return {"framework": "flax", "layers": [{"name": ".".join("a" * 500) + "{60000}", **NORM}]}


@hostile("parts")
def slashes() -> Spec:
    return {"tensors": {"/".join("a" * 500): [1, 1]}}


@hostile("a name must be at most")
def groups_whose_names_add_up() -> Spec:
    layers = [{"name": "w", **NORM}]
    for _ in range(30):
        layers = [{"name": "a" * 1000, "layers": layers}]
    return {"layers": layers}


@hostile("streams and targets of ties must be at most")
def long_streams() -> Spec:
    stream = {"shape": [1, 1], "stream": "a" * 1000 + "{1000000}"}
    return {"tensors": {"{1000000}": stream}}


@hostile("must be at most 1,024 bytes")
def a_stream_that_repeats_a_word() -> Spec:
    brace = "{" + ",".join(c * 500 for c in "abcdefghij") + "}"
    return {"tensors": {brace + "{1000}": {"shape": [1, 1], "stream": brace * 30 + "{1000}"}}}


@hostile("must be at most 1,024 bytes")
def a_rule_with_a_long_stream() -> Spec:
    tensors = {f"{i}.{{1}}": [1] for i in range(1000)}
    return {"rules": [{"match": "*", "stream": "a" * 10**6 + "{1}"}], "tensors": tensors}


@hostile("braces")
def braces_that_double() -> Spec:
    return {"tensors": {"{,}" * 1_000_000 + "{0}": [1, 1]}}


@hostile("braces")
def ten_thousand_braces() -> Spec:
    return {"tensors": {"{1}" * 10_000: [1, 1]}}


@hostile("must be at most 1,000,000 tensors")
def large_products() -> Spec:
    return {"tensors": {"{9000000000000000000}." * 30: [1, 1]}}


@hostile("must be at most 1,000,000 words in a brace")
def a_brace_of_five_million_words() -> Spec:
    return {"tensors": {"{" + "ab," * 5_000_000 + "}": [1, 1]}}


@hostile(None)
def a_brace_of_a_hundred_thousand_words() -> Spec:
    return {"tensors": {"{" + ",".join(map(str, range(100_000))) + "}": [1, 1]}}


@hostile(None)
def a_huge_group_of_nothing() -> Spec:
    group = {"name": "a{1000000000000}", "layers": [{"name": "b{0}", **NORM}]}
    return {"layers": [group, {"name": "c", **NORM}]}


@hostile(None)
def many_layers_of_nothing_in_a_group() -> Spec:
    nothing = [{"name": "y{0}", **NORM} for _ in range(10_000)]
    return {"layers": [{"name": "a{50000}", "layers": [{"name": "x", **NORM}, *nothing]}]}


@hostile("must be at most 1,000,000 tensors")
def many_tall_stacks() -> Spec:
    lstm = {"type": "lstm", "in": 1, "hidden": 1, "num_layers": 200_000}
    return {"layers": [{"name": f"l{i}", **lstm} for i in range(50)]}


@hostile("must be at most 1,000,000 tensors")
def tall_stacks_in_groups() -> Spec:
    lstm = {"type": "lstm", "in": 1, "hidden": 1, "num_layers": 40_000}
    layers: list[Any] = []
    for depth in range(28):
        layers = [
            {"name": f"l{depth}", **lstm},
            {"name": "g", "layers": layers or [{"name": "w", **NORM}]},
        ]
    return {"layers": layers}


@hostile(None)
def tall_stacks_of_nothing() -> Spec:
    lstm = {"name": "l{0}", "type": "lstm", "in": 1, "hidden": 1, "num_layers": 240_000}
    return {"layers": [lstm] * 50 + [{"name": "w", **NORM}]}


@hostile("a glob must be at most")
def a_glob_of_open_brackets() -> Spec:
    return {"rules": [{"match": "[" * 50_000, "dtype": "float16"}], "tensors": {"w": [1, 1]}}


@hostile(None)
def many_globs_of_open_brackets() -> Spec:
    rules = [{"match": "[" * 1000 + str(i), "dtype": "float16"} for i in range(5000)]
    return {"rules": rules, "tensors": {"w": [1, 1]}}


@hostile("must be at most 10,000 rules")
def three_hundred_thousand_rules() -> Spec:
    rules = [{"match": f"w{i}", "dtype": "float16"} for i in range(300_000)]
    return {"rules": rules, "tensors": {"w": [1, 1]}}


def rules_and_names(globs: list[str], names: str) -> Spec:
    rules = [{"match": glob, "dtype": "float16"} for glob in globs]
    return {"rules": rules, "tensors": {names: [1, 1]}}


@hostile(None)
def a_thousand_endings_of_a_hundred_thousand_names() -> Spec:
    return rules_and_names([f"*.{i}.w" for i in range(1000)], "h.{100000}.w")


@hostile(None)
def a_thousand_starts_of_a_hundred_thousand_names() -> Spec:
    return rules_and_names([f"h.{i}.*" for i in range(1000)], "h.{100000}.w")


@hostile(None)
def a_thousand_names_of_a_hundred_thousand() -> Spec:
    return rules_and_names([f"h.{i}.w" for i in range(1000)], "h.{100000}.w")


@hostile(None)
def a_thousand_rules_listed_names() -> Spec:
    spec = rules_and_names([f"*{i}.w" for i in range(1000)], "w")
    return {**spec, "tensors": {f"h.{i}.w": [1, 1] for i in range(100_000)}}


@hostile("steps")
def a_thousand_middles_of_a_hundred_thousand_names() -> Spec:
    return rules_and_names([f"*.{i}.*" for i in range(1000)], "h.{100000}.w")


@hostile("steps")
def endings_of_every_length() -> Spec:
    return rules_and_names(
        ["*" + "a" * i + "*" + "a" * i for i in range(500)], "{50000}" + "a" * 900
    )


@hostile("steps")
def ten_thousand_slow_globs_of_one_name() -> Spec:
    globs = [f"*{'?' * 400}b{'[ab]' * (50 + i % 50)}c*" for i in range(10_000)]
    return rules_and_names(globs, "abc" * 340)


@hostile("steps")
def ten_thousand_rules_of_many_layers() -> Spec:
    rules = [{"match": "*", "dtype": "float16"} for _ in range(10_000)]
    layers = [{"name": f"l{i}", "type": "batch_norm", "size": 1} for i in range(10_000)]
    return {"rules": rules, "layers": layers}


@hostile("steps")
def ten_thousand_rules_that_match_in_many_ways() -> Spec:
    globs = ["*"] * 9_900 + [f"*{digit}{place * '?'}" for digit in range(10) for place in range(5)]
    spec = rules_and_names(globs, "w")
    return {**spec, "tensors": {f"w{i}": [1, 1] for i in range(100_000)}}


@hostile("steps")
def globs_that_backtrack() -> Spec:
    return rules_and_names(["*" + "?" * 400 + "b*"] * 100, "{60000}" + "a" * 900)


@hostile("steps")
def globs_of_many_stars() -> Spec:
    return rules_and_names(
        ["*a" * 400 + "*b"] * 10 + ["*" + "a" * 500 + "b*"] * 10, "{20000}" + "a" * 900
    )


@hostile(None)
def rules_that_all_match_listed_names() -> Spec:
    rules = [{"match": "*", "dtype": "float16"} for _ in range(10_000)]
    return {"rules": rules, "tensors": {f"w{i}": [1, 1] for i in range(1000)}}


@hostile("must be the name of a tensor")
def an_unknown_target_among_long_names() -> Spec:
    tensors: Spec = {f"{'ab' * 97}{i:05}": [1, 1] for i in range(9_999)}
    return {"tensors": {**tensors, "w": {"tied": "ba" * 97 + "x"}}}


@hostile("unknown dim")
def an_unknown_dim_among_long_names() -> Spec:
    dims = {f"{'ab' * 97}{i:05}": 1 for i in range(100_000)}
    return {"dims": dims, "tensors": {"w": ["ba" * 97 + "x", 1]}}


@hostile("unknown dim")
def an_unknown_dim_among_huge_names() -> Spec:
    return {"dims": {c * 10**6: 1 for c in "abcdefgh"}, "tensors": {"w": ["x", 1]}}


@hostile(None)
def a_chain_of_dims() -> Spec:
    dims: Spec = {f"d{i}": f"d{i + 1}" for i in range(100_000)}
    return {"dims": {**dims, "d100000": 1}, "tensors": {"w": ["d0", 1]}}


@hostile("must not depend on itself")
def a_circle_of_dims() -> Spec:
    dims = {f"d{i}": f"d{(i + 1) % 100_000}" for i in range(100_000)}
    return {"dims": dims, "tensors": {"w": ["d0", 1]}}


@hostile("must not go in a circle")
def a_circle_of_ties() -> Spec:
    return {"tensors": {f"w{i}": {"tied": f"w{(i + 1) % 50_000}"} for i in range(50_000)}}


@hostile("a name must be at most")
def a_wrong_key_within_a_huge_name() -> Spec:
    return {"tensors": {"a" * 10**7: [-1]}}


def plan_here(name: str) -> None:
    """Plan a row's spec in this process, under the limits, and tell how it ended."""
    import xavinit
    from xavinit.errors import SpecError

    data = HOSTILE[name][0]()
    start = resource.getrusage(resource.RUSAGE_SELF)
    message = None
    try:
        xavinit.make_plan(data)
    except SpecError as error:
        message = str(error)
    end = resource.getrusage(resource.RUSAGE_SELF)
    seconds = end.ru_utime + end.ru_stime - start.ru_utime - start.ru_stime
    told = {"seconds": seconds, "megabytes": find_peak(), "message": message}
    sys.stdout.write(json.dumps(told))


def find_peak() -> float:
    """The most memory of this process; not ru_maxrss, which is also that of what started it."""
    with open("/proc/self/status") as file:
        peak = next(line for line in file if line.startswith("VmHWM"))
    return int(peak.split()[1]) / 1000


def run_row(name: str, seconds: int = SECONDS) -> dict[str, Any]:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        resource.setrlimit(resource.RLIMIT_AS, (4 * 10**9, 4 * 10**9))

    done = subprocess.run(
        [sys.executable, __file__, "--row", name], capture_output=True, text=True, preexec_fn=limit
    )
    assert done.returncode == 0, f"{done.returncode}: {done.stderr[-500:]}"
    told: dict[str, Any] = json.loads(done.stdout)
    return told


# The others have a target of their own, lest the quick tests be slow.
QUICK = {
    "a_brace_with_a_step",
    "a_chain_of_dims",
    "a_circle_of_dims",
    "globs_that_backtrack",
    "large_products",
    "words_that_repeat",
}


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] * (name not in QUICK)) for name in HOSTILE],
)
def test_a_hostile_spec_ends_within_its_budget(name: str) -> None:
    told, refusal = run_row(name), HOSTILE[name][1]
    if refusal is None:
        assert told["message"] is None
    else:
        assert refusal in told["message"]
        assert len(told["message"]) < 2000
    assert told["megabytes"] < MEGABYTES


def show_rows(part: str) -> Iterator[str]:
    for name in HOSTILE:
        if part not in name:
            continue
        try:
            told = run_row(name, 60)
        except AssertionError as error:
            yield f"{name:55} failed: {str(error).splitlines()[-1][:60]}"
            continue
        end = (told["message"] or "planned")[:110]
        yield f"{name:55} {told['seconds']:6.2f} s {told['megabytes']:5.0f} MB  {end!r}"


if __name__ == "__main__":
    if sys.argv[1:2] == ["--row"]:
        plan_here(sys.argv[2])
    else:
        for line in show_rows(*sys.argv[1:2] or [""]):
            print(line, flush=True)
