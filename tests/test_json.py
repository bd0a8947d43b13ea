"""What `--json` prints is valid against the schemas of docs/json.md, also of a failure."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from jsonschema import Draft202012Validator

DOCS = Path(__file__).parent.parent / "docs"
SCHEMAS = {
    name: json.loads((DOCS / f"json.{name}.schema.json").read_text(encoding="utf-8"))
    for name in (
        "check",
        "diff",
        "digest",
        "errors",
        "explain",
        "generate",
        "inspect",
        "plan",
        "verify",
    )
}


def run(*arguments: str, cwd: Path) -> tuple[int, Any, str]:
    """The exit code, the one JSON object that is printed, and the messages."""
    done = subprocess.run(
        [sys.executable, "-m", "xavinit", *arguments], cwd=cwd, capture_output=True, check=False
    )
    assert done.stdout.count(b"\n") == 1
    return done.returncode, json.loads(done.stdout), done.stderr.decode()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "s.yaml").write_text(
        "rules: [{match: none, init: zeros}]\n"
        "tensors:\n"
        "  a: [3, 4]\n"
        "  b: {shape: [0], init: zeros}\n"
        "  c: {shape: [2], init: {type: constant, value: true}, dtype: bool}\n"
        "  n: {shape: [6], init: {type: arange, start: 1, step: 0.5, repeat: 2}}\n"
        "  v: {shape: [2], init: {type: values, values: [1, 2]}}\n"
        "  l: {shape: [2, 3], init: log_arange}\n"
        "  z: {shape: [2, 3], init: glorot_truncated_normal, zero_rows: [0]}\n"
        "layers:\n"
        "  - {name: rnn, type: lstm, in: 3, hidden: 4, forget_bias: 1}\n"
        "  - {name: fc, type: dense, in: 3, out: 4, init: {type: truncated_normal, std: 1}}\n"
        "  - {name: g, type: dense, in: 3, out: 4, init: lecun_normal}\n"
    )
    (tmp_path / "bad.yaml").write_text(
        "dims: {d: 2}\ntensors:\n  a: [-1]\n  b: {shape: [2, 2], dtype: half}\n  c: [e]\n"
    )
    (tmp_path / "there.h5").write_text("old")
    return tmp_path


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_schemas_are_such_and_the_page_names_them(name: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[name])
    assert SCHEMAS[name]["$id"] == f"urn:xavinit:json:{name}:1"
    assert f"(json.{name}.schema.json)" in (DOCS / "json.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("framework", ["pytorch", "flax"])
def test_a_plan(folder: Path, framework: str) -> None:
    spec = "s.yaml"
    if framework == "flax":
        spec = "l.yaml"
        (folder / spec).write_text("layers: [{name: a, type: lstm, in: 3, hidden: 4}]")
    code, content, _ = run("plan", spec, "--framework", framework, "--json", cwd=folder)
    assert code == 0
    Draft202012Validator(SCHEMAS["plan"]).validate(content)


def test_a_division(folder: Path) -> None:
    code, content, _ = run(
        "plan", "s.yaml", "--parts", "3", "--max-shard-size", "64", "--json", cwd=folder
    )
    assert code == 0
    assert len(content["division"]["parts"]) == 3
    Draft202012Validator(SCHEMAS["plan"]).validate(content)


@pytest.mark.parametrize("name", ["a", "c", "n", "v", "l", "z", "rnn.bias_ih_l0", "g.weight"])
def test_an_explanation(folder: Path, name: str) -> None:
    code, content, _ = run("plan", "s.yaml", "--explain", name, "--json", cwd=folder)
    assert (code, content["name"]) == (0, name)
    Draft202012Validator(SCHEMAS["explain"]).validate(content)


@pytest.mark.parametrize(
    ("arguments", "code", "count"),
    [
        (["s.yaml"], 0, 0),
        (["s.yaml", "--strict"], 3, 2),
        (["bad.yaml"], 3, 3),
        (["none.yaml"], 4, 1),
    ],
)
def test_a_result_of_a_check(folder: Path, arguments: list[str], code: int, count: int) -> None:
    found, content, messages = run("check", *arguments, "--json", cwd=folder)
    Draft202012Validator(SCHEMAS["check"]).validate(content)
    assert (found, content["ok"], len(content["errors"])) == (code, not count, count)
    assert not messages or code == 0  # a warning, of a spec that is right


@pytest.mark.parametrize("output", ["w.safetensors", "w.h5", "set", "npy"])
def test_a_verdict(folder: Path, output: str) -> None:
    """Of an output that is missing, one that is right, one of another seed."""
    options = ["-o", output]
    options += {"set": ["--max-shard-size", "64"], "npy": ["-f", "npy"]}.get(output, [])
    code, content, _ = run("generate", "s.yaml", *options, "--verify", "--json", cwd=folder)
    assert (code, [fault["kind"] for fault in content["faults"]]) == (5, ["missing_file"])
    run("generate", "s.yaml", *options, "--json", cwd=folder)
    code, content, _ = run("verify", output, "--json", cwd=folder)
    assert (code, content["same"], content["own_spec"]) == (0, True, True)
    Draft202012Validator(SCHEMAS["verify"]).validate(content)
    command = ["verify", output, "--spec", "s.yaml", "--seed", "1", "--json"]
    code, content, _ = run(*command, cwd=folder)
    assert (code, content["same"], content["own_spec"]) == (5, False, False)
    assert {"metadata", "values"} <= {fault["kind"] for fault in content["faults"]}
    assert content["warnings"]
    Draft202012Validator(SCHEMAS["verify"]).validate(content)


@pytest.mark.parametrize(
    "options",
    [
        ["-o", "w.h5"],
        ["-o", "set", "--max-shard-size", "64"],
        ["-o", "set", "--max-shard-size", "64", "--part", "2/3"],
        ["-o", "set", "--max-shard-size", "64", "--resume", "--dry-run"],
        ["-o", "w", "-f", "npy", "--dry-run"],
    ],
)
def test_a_report(folder: Path, options: list[str]) -> None:
    code, content, _ = run("generate", "s.yaml", *options, "--json", cwd=folder)
    assert code == 0
    assert content["warnings"]
    Draft202012Validator(SCHEMAS["generate"]).validate(content)


@pytest.mark.parametrize(
    ("arguments", "code"), [(["w.h5", "w.h5"], 0), (["w.h5", "x.h5", "--map", "a=b:T"], 5)]
)
def test_a_difference(folder: Path, arguments: list[str], code: int) -> None:
    """With numbers that JSON does not have, other shapes, and tensors in one file alone."""
    with h5py.File(folder / "w.h5", "w") as file:
        file["a"] = np.ones((2, 3))
        file["c"] = np.array([np.nan, complex(1, np.inf)])
        file["d"] = np.arange(4)
        file["s"] = np.zeros(2)
    with h5py.File(folder / "x.h5", "w") as file:
        file["b"] = np.ones((3, 2)) * 2
        file["c"] = np.array([1, 2j])
        file["d"] = np.array([0, 5, 2, 3])
        file["s"] = np.zeros((2, 1))
        file["t"] = np.zeros(2)
    found, content, messages = run("diff", *arguments, "--json", cwd=folder)
    assert (found, content["is_same"], messages) == (code, not code, "")
    Draft202012Validator(SCHEMAS["diff"]).validate(content)


@pytest.mark.parametrize(
    ("arguments", "code", "kind", "count"),
    [
        (["plan", "bad.yaml"], 3, "spec", 3),
        (["generate", "bad.yaml"], 3, "spec", 3),
        (["plan", "none.yaml"], 4, "input_output", 1),
        (["generate", "s.yaml", "-o", "no/w.h5"], 4, "input_output", 1),
        (["generate", "s.yaml", "-o", "there.h5"], 6, "refused", 1),
        (["generate", "s.yaml", "--framework", "torch"], 2, "usage", 1),
        (["generate", "s.yaml", "-o", "x.pt"], 2, "usage", 1),
        (["diff", "there.h5", "there.h5"], 4, "input_output", 1),
        (["diff", "none.h5", "s.yaml"], 4, "input_output", 1),
        (["diff", "there.h5", "there.h5", "--map", "a"], 2, "usage", 1),
        (["plan", "s.yaml", "--versoin"], 2, "usage", 1),
        (["plan", "s.yaml", "--seed", "x"], 2, "usage", 1),
        (["plan", "s.yaml", "--dtype", "fp32"], 2, "usage", 1),
        (["plan"], 2, "usage", 1),
        (["pln"], 2, "usage", 1),
        (["verify", "none.h5"], 4, "input_output", 1),
        (["verify", "there.h5", "--spec", "bad.yaml"], 3, "spec", 3),
    ],
)
def test_errors(folder: Path, arguments: list[str], code: int, kind: str, count: int) -> None:
    found, content, messages = run(*arguments, "--json", cwd=folder)
    Draft202012Validator(SCHEMAS["errors"]).validate(content)
    assert (found, content["exit_code"]) == (code, code)
    assert [error["kind"] for error in content["errors"]] == [kind] * count
    assert messages == ""


def test_an_error_of_a_spec_tells_its_place(folder: Path) -> None:
    _, content, _ = run("plan", "bad.yaml", "--json", cwd=folder)
    places = [(error["line"], error["column"], error["path"]) for error in content["errors"]]
    assert places == [
        (3, 7, ["tensors", "a", 0]),
        (4, 29, ["tensors", "b", "dtype"]),
        (5, 7, ["tensors", "c", 0]),
    ]
    assert content["errors"][1]["hint"] == 'did you mean "float16"?'


@pytest.mark.parametrize("output", [["-o", "-"], ["-o-"], ["--output=-"], ["--output", "-"]])
def test_no_json_where_the_weights_go(folder: Path, output: list[str]) -> None:
    command = [sys.executable, "-m", "xavinit", "generate", "bad.yaml", *output, "--json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (2, b"")


def test_the_page_shows_what_is_printed(tmp_path: Path) -> None:
    page = (DOCS / "json.md").read_text(encoding="utf-8")
    ((text, printed),) = re.findall(
        r"^\$ printf '(.*)' \| xavinit plan --json -\n(.*)$", page, re.M
    )
    command = [sys.executable, "-m", "xavinit", "plan", "--json", "-"]
    done = subprocess.run(command, input=text.encode(), capture_output=True, check=False)
    assert done.stdout.decode() == printed + "\n"
