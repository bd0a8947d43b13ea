"""Every fault at every step: the old output whole or the new one whole, and nothing left over."""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import xavinit

HERE = Path(__file__).parent
SPEC = "tensors:\n  a.{3}: [20, 30]\n  b: [40, 50]\n"
LAYERS = """framework: keras
layers:
  - {name: a, type: dense, in: 20, out: 30}
  - {name: b, type: dense, in: 30, out: SIZE}
"""
OTHER = "tensors:\n  a.{2}: [30, 20]\n  c: [11, 50]\n"

# How each kind of output is asked for, and by what name.
OUTPUTS = {
    "safetensors": ["-o", "w.safetensors"],
    "hdf5": ["-o", "w.h5"],
    "keras": ["-o", "w.weights.h5"],
    "npy": ["-o", "w", "-f", "npy"],
    "shards": ["-o", "w", "--max-shard-size", "5kB"],
    "one shard": ["-o", "w", "--max-shard-size", "5GB"],
    "shards and copies": ["-o", "w", "--max-shard-size", "5kB", "--with", "config.json"],
}
# What stands there before: nothing, an output that must not be touched, one to be replaced.
BEFORE = ["nothing", "force", "folder"]
QUICK = [("safetensors", "force")]
# The others have a target of their own, lest the quick tests be slow.
CASES = [
    pytest.param(output, before, marks=[pytest.mark.faults] * ((output, before) not in QUICK))
    for output, before in itertools.product(OUTPUTS, BEFORE)
    if before != "folder" or "shard" in output
]


def make_old(folder: Path, output: str, before: str) -> list[str]:
    """The state before each run; and the arguments of the run."""
    old = folder / "old"
    old.mkdir(parents=True)
    spec, other = SPEC, OTHER
    if output == "keras":
        spec, other = (LAYERS.replace("SIZE", size) for size in ("10", "11"))
    (old / "s.yaml").write_text(spec)
    (old / "other.yaml").write_text(other)
    if output.endswith("copies"):
        (old / "config.json").write_text("{}")  # the same as in the folder
    path = old / OUTPUTS[output][1]
    if before != "nothing" and "shard" in output:
        path.mkdir()
        (path / "config.json").write_text("{}")
    if before == "force":
        options: dict[str, Any] = {"format": "npy"} if output == "npy" else {}
        if "shard" in output:  # the other kind of set, so that names both collide and do not
            options = {"max_shard_size": "4kB" if output == "one shard" else "3kB"}
        xavinit.generate(old / "other.yaml", path, force=True, **options)
    force = ["--force"] if before == "force" else []
    return ["generate", "s.yaml", "-j", "1", *OUTPUTS[output], *force]


def run_all(
    folder: Path, kind: str, arguments: list[str], library: Path | None = None
) -> list[dict[str, Any]]:
    """The outcome of each run; `library` is loaded before all others."""
    done = subprocess.run(
        [sys.executable, str(HERE / "fault_runs.py"), str(folder), kind, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={**os.environ, **({"LD_PRELOAD": str(library)} if library else {})},
    )
    assert done.returncode == 0, done.stderr
    runs = [json.loads(line) for line in done.stdout.splitlines()]
    assert not runs[-1]["calls"]  # the last one met no fault any more
    assert runs[-1]["code"] == 0
    return runs


def find_states(folder: Path, runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The names and digests before any run, and after a run without a fault."""
    old = folder / "old"
    names = sorted(str(path.relative_to(old)) for path in old.rglob("*"))
    return {"old": names, "new": runs[-1]["names"], "digest": runs[-1]["digest"]}


# Calls of the system, by the modules that offer them, that only disk.py may make.
CALL = re.compile(
    r"\b(?:os|io|shutil)\.(?:(?:f?d?open|f?p?write|f?truncate|f(?:data)?sync|close|utime"
    r"|(?:sym)?link|unlink|remove|rename|replace|mkdir|makedirs|rmdir)\()|(?<![\w.])open\("
)


def is_temporary(name: str) -> bool:
    return "/.xavinit-" in f"/{name}"


@pytest.mark.parametrize(
    "kind",
    [
        "errors",  # by turns what the slow tests try one by one
        "after",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("ENOSPC", "EIO", "EINTR")),
    ],
)
@pytest.mark.parametrize(("output", "before"), CASES)
def test_a_fault_at_any_call(tmp_path: Path, output: str, before: str, kind: str) -> None:
    arguments = make_old(tmp_path, output, before)
    runs = run_all(tmp_path, kind, arguments)
    states = find_states(tmp_path, runs)
    old_digest = find_old_digest(tmp_path, output, before)
    for run in runs[:-1]:
        assert run["code"] in (0, 4), run
        if run["code"] == 0:
            assert run["names"] == states["new"], run
            continue
        assert run["stderr"].startswith("xavinit: cannot write w"), run
        assert run["stderr"].count("\n") == 1, run
        if run["digest"] == states["digest"]:
            assert run["names"] == states["new"], run
        else:
            assert (run["names"], run["digest"]) == (states["old"], old_digest), run


def find_old_digest(folder: Path, output: str, before: str) -> str | None:
    return xavinit.digest(folder / "old" / OUTPUTS[output][1]) if before == "force" else None


@pytest.mark.parametrize(("output", "before"), CASES)
def test_a_short_write_at_any_call(tmp_path: Path, output: str, before: str) -> None:
    runs = run_all(tmp_path, "short", make_old(tmp_path, output, before))
    assert {"write_at"} < {call for run in runs for call in run["calls"]}
    for run in runs:
        assert (run["code"], run["names"], run["digest"]) == (
            0,
            runs[-1]["names"],
            runs[-1]["digest"],
        )


@pytest.mark.parametrize(("output", "before"), CASES)
def test_a_kill_at_any_call(tmp_path: Path, output: str, before: str) -> None:
    runs = run_all(tmp_path, "kill", make_old(tmp_path, output, before))
    states = find_states(tmp_path, runs)
    old_digest = find_old_digest(tmp_path, output, before)
    for run in runs[:-1]:
        assert run["code"] == -9, run
        left = {name.partition(".tmp")[0] for name in run["names"] if is_temporary(name)}
        assert len(left) <= 1, run
        allowed = {old_digest, states["digest"]}
        if "shard" in output:
            allowed.add(None)  # no index: the set is not there, which is not a mix
        assert run["digest"] in allowed, run


@pytest.mark.parametrize(("output", "before"), CASES)
def test_a_disk_that_dies(tmp_path: Path, output: str, before: str) -> None:
    """From some call on, none succeeds any more: a message, and no file of the old set is lost."""
    runs = run_all(tmp_path, "dead", make_old(tmp_path, output, before))
    states = find_states(tmp_path, runs)
    kept = [name for name in states["old"] if not name.endswith(("yaml", "config.json"))]
    for run in runs[:-1]:
        assert run["code"] == 4, run
        assert run["stderr"].startswith("xavinit: cannot "), run
        assert run["stderr"].count("\n") == 1, run
        if run["digest"] != states["digest"]:
            there = {Path(name).name for name in run["names"]}
            assert {Path(name).name for name in kept} <= there, run


POOR_CASES = [case for case in CASES if case.values[0] in ("safetensors", "npy", "shards")]


@pytest.mark.parametrize(
    "kind",
    ["after", "kill", *(pytest.param(name, marks=pytest.mark.slow) for name in ("errors", "dead"))],
)
@pytest.mark.parametrize(("output", "before"), POOR_CASES)
def test_nothing_is_lost_on_a_poor_file_system(
    tmp_path: Path, output: str, before: str, kind: str
) -> None:
    """Without hard links and renames that fail or exchange: the old output or the new is there.

    Of a folder that is replaced there, a kill may leave the old one under the temporary's name.
    """
    runs = run_all(tmp_path, f"poor:{kind}", make_old(tmp_path, output, before))
    states = find_states(tmp_path, runs)
    old_digest = find_old_digest(tmp_path, output, before)
    kept = [name for name in states["old"] if not name.endswith(("yaml", "config.json"))]
    calls = {call for run in runs for call in run["calls"]}
    assert "rename" in calls
    for run in runs[:-1]:
        assert run["code"] == (-9 if kind == "kill" else run["code"] and 4), run
        if run["digest"] == states["digest"]:
            continue
        assert run["digest"] in (old_digest, None), run
        if run["digest"] is None:
            there = {Path(name).name for name in run["names"]}
            assert {Path(name).name for name in kept if name != "w"} <= there, run
        if kind in ("errors", "after"):
            assert (run["names"], run["digest"]) == (states["old"], old_digest), run


def test_the_output_touches_the_disk_through_the_seam_alone() -> None:
    """No other module of the output calls the system to change anything."""
    files = sorted((HERE.parent / "xavinit" / "output").glob("*.py"))
    found = {file.name: CALL.findall(file.read_text()) for file in files}
    assert len(found.pop("disk.py")) > 10
    assert {name: calls for name, calls in found.items() if calls} == {}
